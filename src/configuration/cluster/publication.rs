//! Generations in the store: written once, fenced, read whole, and taken away when nobody needs
//! them.
//!
//! Every write of a leader is on the condition that the key of the leader is the one that it came
//! to lead with: who was deposed, and does not know it yet, writes nothing. A generation's number
//! is only given away in the transaction that brings it in force.

use std::sync::Arc;

use super::pile::Leftover;
use super::record::{
    CURRENT, Current, GENERATIONS, LEADER, Origin, Record, Stage, WISH, generation_key, number_of,
    read, written,
};
use super::store::{Condition, Store, Unreachable, Value, Write};
use super::wish::Done;
use crate::configuration::bundle::{Bundle, Digest, Unsound};
use crate::configuration::generation::Generation;
use crate::time::Timestamp;

/// How many generations before the one in force are kept, at least.
pub const KEPT_MIN: u64 = 3;

/// Why nothing was published, read or taken away.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failed {
    /// The store.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Somebody else leads by now.
    #[error("another replica leads")]
    Deposed,
    /// What is in force changed meanwhile: to be looked at again.
    #[error("the configuration in force changed meanwhile")]
    Overtaken,
    /// The configuration.
    #[error("the configuration cannot be published: {0}")]
    Unsound(#[from] Unsound),
    /// What lies in the store is not what it should be.
    #[error("generation {0} in etcd is damaged: {1}")]
    Damaged(u64, &'static str),
}

/// What is in force, and when that was last changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InForce {
    /// What is; nothing before the first publication.
    pub current: Option<Current>,
    /// The store revision of its last change; 0 if there is none.
    pub changed: i64,
    /// The store revision at which it was read.
    pub revision: i64,
}

/// What a leader publishes with.
#[derive(Clone, Copy, Debug)]
pub struct Press<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The leader.
    pub replica: &'a str,
    /// When it came to lead.
    pub epoch: i64,
    /// What time it is.
    pub now: Timestamp,
}

/// What to publish.
#[derive(Clone, Debug)]
pub struct Edition {
    /// The configuration.
    pub bundle: Arc<Bundle>,
    /// Its generation.
    pub generation: Generation,
    /// For whom.
    pub stage: Stage,
    /// What the others serve meanwhile.
    pub previous: u64,
    /// See [`Current::held`].
    pub held: Option<Digest>,
    /// See [`Current::reason`].
    pub reason: Option<String>,
    /// See [`Current::origin`].
    pub origin: Option<Origin>,
    /// See [`Record::like`].
    pub like: Option<u64>,
    /// See [`Current::wish`].
    pub wish: Option<Done>,
    /// The wish that this sees to: the store revision of its last change.
    pub heeds: Option<i64>,
    /// See [`Current::sound`]: those before it.
    pub sound: Vec<u64>,
    /// See [`Current::now`].
    pub now: bool,
}

impl Edition {
    /// A configuration as it comes from its source: nobody wished for it, and it takes nothing
    /// back.
    pub fn new(bundle: Arc<Bundle>, generation: Generation, stage: Stage, previous: u64) -> Self {
        Self {
            bundle,
            generation,
            stage,
            previous,
            held: None,
            reason: None,
            origin: None,
            like: None,
            wish: None,
            heeds: None,
            sound: Vec::new(),
            now: false,
        }
    }
}

/// Reads what is in force.
pub async fn in_force(store: &dyn Store) -> Result<InForce, Failed> {
    let (value, revision) = store.get(CURRENT).await?;
    let Some(Value { bytes, changed, .. }) = value else {
        return Ok(InForce { current: None, changed: 0, revision });
    };
    let current = read(&bytes).ok_or(Failed::Damaged(0, "`current` cannot be read"))?;
    Ok(InForce { current: Some(current), changed, revision })
}

/// Reads what generation `number` is; nothing if it is not there any more.
pub async fn record(store: &dyn Store, number: u64) -> Result<Option<Record>, Failed> {
    let (value, _revision) = store.get(&generation_key(number)).await?;
    let record = value.map(|value| read(&value.bytes));
    record.map(|record| record.ok_or(Failed::Damaged(number, "its record"))).transpose()
}

/// The generations that are kept, with their numbers, ascending.
pub async fn kept(store: &dyn Store) -> Result<Vec<(u64, Record)>, Failed> {
    let listing = store.list(GENERATIONS).await?;
    let known = |value: &Value| Some((number_of(&value.key)?, read::<Record>(&value.bytes)?));
    Ok(listing.values.iter().filter_map(known).collect())
}

/// The digests of the generations that are kept, but for the one in force.
pub async fn former(store: &dyn Store, current: Option<&Current>) -> Result<Vec<String>, Failed> {
    let digests = kept(store).await?.into_iter().map(|(_number, record)| record.digest);
    let in_force = current.map(|current| current.digest.as_str());
    Ok(digests.filter(|digest| Some(digest.as_str()) != in_force).collect())
}

impl Press<'_> {
    /// Brings `edition` in force, if what is in force is still what was read as `seen`.
    pub async fn publish(&self, edition: &Edition, seen: &InForce) -> Result<Current, Failed> {
        let number = edition.generation.number;
        let digest = edition.bundle.digest().to_string();
        let record = Record {
            parts: self.pile(number, &edition.bundle).await?,
            digest,
            by: self.replica.to_owned(),
            published: self.now.micros() / 1_000,
            like: edition.like,
            wish: edition.heeds.and(edition.wish.as_ref()).map(|done| done.wish.clone()),
            now: edition.now,
        };
        let mut current = Current {
            number,
            history: edition.generation.history,
            digest: record.digest.clone(),
            epoch: self.epoch,
            stage: edition.stage.clone(),
            previous: edition.previous,
            held: edition.held.map(|held| held.to_string()),
            reason: edition.reason.clone(),
            origin: edition.origin,
            by: self.replica.to_owned(),
            withheld: None,
            wish: edition.wish.clone(),
            sound: edition.sound.clone(),
            now: edition.now,
        };
        current.stage(edition.stage.clone());
        let key = generation_key(number);
        let conditions = vec![
            Condition::Absent(key.clone()),
            Condition::Changed(CURRENT.to_owned(), seen.changed),
        ];
        let writes = vec![Write::Put(key, written(&record), 0)];
        self.bring(&current, (conditions, writes), edition.heeds).await?;
        Ok(current)
    }

    /// Says for whom what is in force is from now on, if it is still what was read as `seen`.
    pub async fn stage(&self, current: &Current, seen: &InForce) -> Result<(), Failed> {
        self.note(current, seen, None).await
    }

    /// Says of what is in force what is written in `current`, if it is still what was read as
    /// `seen`; with that, a wish that was last changed at `heeds` is seen to.
    pub async fn note(
        &self,
        current: &Current,
        seen: &InForce,
        heeds: Option<i64>,
    ) -> Result<(), Failed> {
        let unchanged = vec![Condition::Changed(CURRENT.to_owned(), seen.changed)];
        self.bring(current, (unchanged, Vec::new()), heeds).await
    }

    /// Writes what lies under `key`, if that was last changed at `changed`.
    pub(super) async fn put(&self, key: &str, changed: i64, put: Write) -> Result<(), Failed> {
        self.write(&[Condition::Changed(key.to_owned(), changed)], &[put]).await
    }

    /// Writes `current` and what belongs to it in one transaction.
    async fn bring(
        &self,
        current: &Current,
        (mut conditions, mut writes): (Vec<Condition>, Vec<Write>),
        heeds: Option<i64>,
    ) -> Result<(), Failed> {
        writes.push(Write::Put(CURRENT.to_owned(), written(current), 0));
        if let Some(changed) = heeds {
            // Once: whoever finds the wish gone, or another one, has nothing to do for it.
            conditions.push(Condition::Changed(WISH.to_owned(), changed));
            writes.push(Write::Remove(WISH.to_owned()));
        }
        match self.write(&conditions, &writes).await {
            Err(Failed::Overtaken) => {
                // It may have been our own first try, which had no answer.
                let now = in_force(self.store).await?;
                if now.current.as_ref() == Some(current) { Ok(()) } else { Err(Failed::Overtaken) }
            }
            other => other,
        }
    }

    /// Takes away what nobody needs: generations from before the `kept` last, unless somebody of
    /// `served` still serves them or an older one, and what leaders left that died half way.
    pub async fn clean(
        &self,
        served: impl IntoIterator<Item = u64>,
        kept: u64,
    ) -> Result<(), Failed> {
        let seen = in_force(self.store).await?;
        let Some(current) = &seen.current else { return Ok(()) };
        let oldest = served.into_iter().filter(|number| 0 < *number).min();
        let kept = current.number.saturating_sub(kept).min(current.previous.max(1));
        let kept = oldest.map_or(kept, |oldest| kept.min(oldest));
        let unchanged = [Condition::Changed(CURRENT.to_owned(), seen.changed)];
        let generations = self.store.list(GENERATIONS).await?;
        for Value { key, bytes, .. } in generations.values {
            let Some(number) = number_of(&key).filter(|number| *number < kept) else { continue };
            let left = read::<Record>(&bytes);
            let left = left.map(|record| Leftover::of_generation(number, &record).put());
            let writes: Vec<Write> = left.into_iter().chain([Write::Remove(key)]).collect();
            self.write(&unchanged, &writes).await?;
        }
        self.sweep(&seen).await
    }

    /// Writes if we still lead and `conditions` hold.
    pub(super) async fn write(
        &self,
        conditions: &[Condition],
        writes: &[Write],
    ) -> Result<(), Failed> {
        let fence = Condition::Created(LEADER.to_owned(), self.epoch);
        let mut when = vec![fence];
        when.extend_from_slice(conditions);
        if self.store.commit(&when, writes).await? {
            return Ok(());
        }
        let (leader, _revision) = self.store.get(LEADER).await?;
        if leader.is_some_and(|leader| leader.created == self.epoch) {
            Err(Failed::Overtaken)
        } else {
            Err(Failed::Deposed)
        }
    }
}
