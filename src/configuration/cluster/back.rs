//! What operators wish of the leader, whichever replica they ask: to go back.
//!
//! A wish lies in the store, under a lease of its own, until the leader carries it out or the lease
//! ends. It is taken away and answered in the transaction that carries it out, so that it
//! happens once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Cluster;
use super::lead::without;
use super::pace::within;
use super::pile::fetch;
use super::publication::{Edition, Failed, Granted, InForce, Press};
use super::record::{GENERATIONS, Member, Origin, Record, Stage, number_of, read, written};
use super::source::Found;
use super::store::{Condition, Unreachable, Write};
use crate::configuration::bundle::Digest;
use crate::configuration::history::{Row, Wanted, wanted};

/// What keys of wishes begin with.
const WISHES: &str = "back/";
/// What keys of answers begin with.
const ANSWERS: &str = "went/";
/// How long a wish lies there; nobody carries it out after that.
const LASTS: Duration = Duration::from_secs(10);
/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long an answer is not seen for whom the hint is lost.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long who asked may be, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// To go back.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    /// The lease under which it lies.
    lease: i64,
    /// The generation whose content is wanted; the one before if not said.
    to: Option<u64>,
    /// Who asks.
    by: String,
}

/// What became of a wish.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Done { generation: u64, like: u64 },
    Refused(String),
}

/// A generation was published with the content of another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WentBack {
    /// Its number.
    pub generation: u64,
    /// The one whose content it has.
    pub like: u64,
}

/// Why nothing was gone back to; the sentence is for operators.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// There is no such generation, or it is served already.
    #[error("{0}")]
    Refused(String),
    /// The store.
    #[error("the store that replicas share cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// Nobody leads, or whoever does is busy.
    #[error(
        "there was no answer of a leader within {seconds} s: look at /status before you try again",
        seconds = PATIENCE.as_secs()
    )]
    Late,
}

impl Cluster {
    /// Generations that can be gone back to, the newest last.
    pub async fn history(&self) -> Result<Vec<Row>, Unreachable> {
        let listing = self.store.list(GENERATIONS).await?;
        let row = |value: &super::store::Value| {
            let record: Record = read(&value.bytes)?;
            Some(Row {
                number: number_of(&value.key)?,
                digest: record.digest,
                published: record.published,
                like: record.like,
                by: Some(record.by),
                now: false,
                wanted: record.wish.map(|wish| Wanted { by: wish.who, reason: wish.reason }),
            })
        };
        Ok(listing.values.iter().filter_map(row).collect())
    }

    /// Has the leader publish the content of the generation `to`, or of the one before what is in
    /// force, as the next generation. What the source has is passed over until it changes.
    pub async fn go_back(&self, to: Option<u64>, by: &str) -> Result<WentBack, Unheard> {
        let asked = within(&*self.clock, PATIENCE, self.ask_leader(to, by)).await;
        asked.unwrap_or(Err(Unheard::Late))
    }

    async fn ask_leader(&self, to: Option<u64>, by: &str) -> Result<WentBack, Unheard> {
        let lease = self.store.grant(LASTS).await?;
        let by = by.chars().take(NAME_CHARACTERS_MAX).collect();
        let (key, wish) = (key(WISHES, lease), written(&Wish { lease, to, by }));
        self.store
            .commit(&[Condition::Absent(key.clone())], &[Write::Put(key, wish, lease)])
            .await?;
        // What lies there goes away with its lease.
        match self.answer(lease).await? {
            Answer::Done { generation, like } => Ok(WentBack { generation, like }),
            Answer::Refused(why) => Err(Unheard::Refused(why)),
        }
    }

    /// Waits for what became of the wish under `lease`.
    async fn answer(&self, lease: i64) -> Result<Answer, Unreachable> {
        let key = key(ANSWERS, lease);
        loop {
            let (value, revision) = self.store.get(&key).await?;
            if let Some(answer) = value.and_then(|value| read(&value.bytes)) {
                return Ok(answer);
            }
            let hint = self.store.changed(&key, revision);
            // Whether it came or not, what is there is looked at.
            let _ = within(&*self.clock, LOOK_AGAIN, hint).await;
        }
    }

    /// Carries out the oldest wish, if we still lead; says whether there was one.
    pub(super) async fn grant(
        &self,
        press: &Press<'_>,
        seen: &InForce,
        members: &[Member],
        found: Option<&Found>,
    ) -> Result<bool, Failed> {
        let listing = self.store.list(WISHES).await?;
        let Some(value) = listing.values.iter().min_by_key(|value| value.created) else {
            return Ok(false);
        };
        let when = Condition::Created(value.key.clone(), value.created);
        let gone = Write::Remove(value.key.clone());
        let Some(wish) = read::<Wish>(&value.bytes) else {
            press.write(&[when], &[gone]).await?;
            return Ok(true);
        };
        let answered = |answer: &Answer| {
            let answer = Write::Put(key(ANSWERS, wish.lease), written(answer), wish.lease);
            Granted { when: when.clone(), answer: vec![gone.clone(), answer] }
        };
        let rows = self.history().await?;
        let content = match wanted(&rows, wish.to) {
            Ok(row) => match fetch(press.store, row.number, None).await {
                Ok(bundle) => Ok((row.number, bundle)),
                Err(damaged @ Failed::Damaged(..)) => Err(damaged.to_string()),
                Err(failed) => return Err(failed),
            },
            Err(forgotten) => Err(forgotten.to_string()),
        };
        let ((like, bundle), current) = match (content, &seen.current) {
            (Ok(content), Some(current)) => (content, current),
            (content, _) => {
                let why = content.err().unwrap_or_else(|| "nothing is in force".to_owned());
                let Granted { when, answer } = answered(&Answer::Refused(why));
                press.write(&[when], &answer).await?;
                return Ok(true);
            }
        };
        let newest = members.iter().map(Member::served).max().unwrap_or_default();
        let generation = current.generation().max(newest).next();
        // What the source has, or had when what is in force came from it.
        let held = found.map(|found| *found.bundle.digest());
        let before = || Digest::from_hex(current.held.as_ref().unwrap_or(&current.digest));
        let done = Answer::Done { generation: generation.number, like };
        let edition = Edition {
            bundle: bundle.into(),
            generation,
            stage: Stage::All,
            previous: current.served_by_all(members),
            held: held.or_else(before),
            reason: Some(format!("{} went back to generation {like}", wish.by)),
            origin: current.origin.map(|it| Origin { current: current.origin_of(like), ..it }),
            like: Some(like),
            back: Some(answered(&done)),
            wish: current.wish.clone(),
            heeds: None,
            sound: without(&current.sound, current.number),
        };
        press.publish(&edition, seen).await?;
        self.count(|counts| &mut counts.published);
        tracing::warn!(generation = generation.number, like, by = wish.by, "somebody went back");
        Ok(true)
    }
}

fn key(kind: &str, lease: i64) -> String {
    format!("{kind}{lease:x}")
}
