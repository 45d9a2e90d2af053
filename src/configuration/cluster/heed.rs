//! How the leader does what operators want: in the transaction that takes the wish away.

use std::sync::Arc;
use std::time::Duration;

use super::Cluster;
use super::lead::{Seen, Term, after, without};
use super::pace::within;
use super::pile::fetch;
use super::publication::{Edition, Failed, Press, kept};
use super::record::{Current, LEADER, Member, Origin, Record, Stage, WISH};
use super::source::Found;
use super::store::{Condition, Write};
use super::wish::{Done, What, Wish};
use crate::configuration::bundle::Digest;

/// How long the source may take to look at what it has: a wish does not wait for long.
const LOOK_TIME_MAX: Duration = Duration::from_secs(4);

/// What is to be done for a wish.
enum Deed {
    /// What is in force is for these.
    Stage(Stage),
    /// This is published.
    Publish(Box<Edition>),
    /// Nothing: why.
    Nothing(String),
}

impl Cluster {
    /// Does what somebody wants, and says what became of it.
    pub(super) async fn heed(
        &self,
        (term, press): (&mut Term<'_>, Press<'_>),
        seen: &Seen<'_>,
        wish: Wish,
        changed: i64,
    ) -> Result<(), Failed> {
        let Some(current) = &seen.in_force.current else {
            // Nobody can be told beside what is in force: whoever asked gives up.
            let when = [Condition::Created(LEADER.to_owned(), press.epoch)];
            press.store.commit(&when, &[Write::Remove(WISH.to_owned())]).await?;
            return Ok(());
        };
        if matches!(wish.what, What::Urgent(_))
            && term.looked.is_none_or(|(looked_for, _in_time)| looked_for != wish.id)
        {
            // What the source has now is meant.
            let looked = within(&*self.clock, LOOK_TIME_MAX, self.source.look_now()).await;
            term.looked = Some((wish.id, looked.is_some()));
            return Err(Failed::Overtaken);
        }
        let deed = match &wish.what {
            What::Now(number) => now(current, seen.members, *number),
            What::Force(digest) => force(term, seen, current, digest),
            What::Urgent(forced) => self.urgent(term, seen, current, forced.as_ref()).await?,
            What::Back(to) => {
                let is_any = !self.terms.only_sound;
                back(term, seen, current, (*to, &wish, is_any)).await?
            }
        };
        let (who, what, reason) = (wish.who.clone(), wish.what.word(), wish.reason.clone());
        let (is_done, outcome) = match &deed {
            Deed::Stage(_) => (true, format!("generation {} goes to all", current.number)),
            Deed::Publish(edition) => (true, published(&wish, edition)),
            Deed::Nothing(why) => (false, why.clone()),
        };
        let done = Some(Done { wish, is_done, outcome: outcome.clone() });
        match deed {
            Deed::Publish(edition) => {
                let edition = Edition { wish: done, heeds: Some(changed), ..*edition };
                press.publish(&edition, seen.in_force).await?;
                self.count(|counts| &mut counts.published);
            }
            Deed::Stage(stage) => {
                let mut next = Current { wish: done, epoch: press.epoch, ..current.clone() };
                next.stage(stage);
                press.note(&next, seen.in_force, Some(changed)).await?;
            }
            Deed::Nothing(_) => {
                let next = Current { wish: done, epoch: press.epoch, ..current.clone() };
                press.note(&next, seen.in_force, Some(changed)).await?;
            }
        }
        tracing::warn!(
            audit = true,
            who,
            what,
            reason,
            outcome,
            done = is_done,
            "an operator's wish"
        );
        Ok(())
    }
}

impl Cluster {
    /// What the source has is published for all at once.
    async fn urgent(
        &self,
        term: &mut Term<'_>,
        seen: &Seen<'_>,
        current: &Current,
        forced: Option<&String>,
    ) -> Result<Deed, Failed> {
        let nothing = |why: String| Ok(Deed::Nothing(why));
        if !term.looked.is_some_and(|(_looked_for, in_time)| in_time) {
            // What it had before is not what is meant.
            let seconds = LOOK_TIME_MAX.as_secs();
            return nothing(format!(
                "the leader has not read its folder within {seconds} s: try again in a moment"
            ));
        }
        if let Some(fault) = self.status.now().refusal.first() {
            return nothing(format!("the folder of the leader is refused: {fault}"));
        }
        let Some(found) = seen.found else {
            return nothing("the leader has not looked at its folder yet: try again".to_owned());
        };
        let digest = found.bundle.digest().to_string();
        if forced.is_some_and(|forced| *forced != digest) {
            let why = "the folder of the leader has another configuration than was held back";
            return nothing(why.to_owned());
        }
        if digest == current.digest && current.now {
            let number = current.number;
            return nothing(format!("what the folder has is generation {number}, for all at once"));
        }
        if digest != current.digest && forced.is_none() {
            if !term.is_news(found, current, self.clock.now()) {
                let why = "somebody went back from what the folder of the leader has, or that is \
                           behind: publish it with --force";
                return nothing(why.to_owned());
            }
            if let Some(much) = self.takes_away(term, seen.in_force, &found.bundle).await? {
                return nothing(format!("{much}: say so with --force and a --reason"));
            }
        }
        let previous = current.served_by_all(seen.members);
        let edition = Edition { now: true, ..meant(seen, current, found, (Stage::All, previous)) };
        Ok(Deed::Publish(Box::new(edition)))
    }
}

/// All serve what is in force for some, once all have found that they can.
fn now(current: &Current, members: &[Member], number: u64) -> Deed {
    if current.number != number {
        let in_force = current.number;
        return Deed::Nothing(format!("generation {in_force} is in force, and not {number}"));
    }
    if current.stage == Stage::All {
        return Deed::Nothing(format!("generation {number} is for all already"));
    }
    match members.iter().find(|member| member.prepared < number || member.refuses(number)) {
        Some(member) => {
            let name = &member.replica;
            Deed::Nothing(format!(
                "{name} has not made it ready (yet): see its faults, or try again"
            ))
        }
        None => Deed::Stage(Stage::All),
    }
}

/// What was held back is published, as any other configuration is.
fn force(term: &Term<'_>, seen: &Seen<'_>, current: &Current, digest: &String) -> Deed {
    let found = seen.found.filter(|found| found.bundle.digest().to_string() == *digest);
    let Some(found) = found else {
        let why = "the source of the leader does not have that configuration (any more): see what is \
                   withheld now";
        return Deed::Nothing(why.to_owned());
    };
    let withheld = current.withheld.as_ref().map(|withheld| &withheld.digest);
    if withheld != Some(digest) && current.held.as_ref() != Some(digest) {
        return Deed::Nothing("nothing keeps that configuration from being published".to_owned());
    }
    let (generation, previous) =
        (after(current, seen.members), current.served_by_all(seen.members));
    let stage = term.rollout.first(generation.number, seen.members, 0 < previous);
    let Some(stage) = stage else {
        return Deed::Nothing("no replica is there that could try it".to_owned());
    };
    Deed::Publish(Box::new(meant(seen, current, found, (stage, previous))))
}

/// What was found is what is meant, for `stage`; the others serve `previous` meanwhile.
fn meant(
    seen: &Seen<'_>,
    current: &Current,
    found: &Found,
    (stage, previous): (Stage, u64),
) -> Edition {
    let generation = after(current, seen.members);
    Edition {
        origin: found.origin_after(Some(current), previous),
        sound: current.sound.clone(),
        ..Edition::new(Arc::clone(&found.bundle), generation, stage, previous)
    }
}

/// A former configuration is published again, for all.
async fn back(
    term: &Term<'_>,
    seen: &Seen<'_>,
    current: &Current,
    (to, wish, is_any): (Option<u64>, &Wish, bool),
) -> Result<Deed, Failed> {
    let kept = kept(term.press.store).await?;
    let is_wanted = |number: u64| match (to, &current.stage) {
        (Some(to), _) => number == to,
        // What all others serve.
        (None, Stage::Canaries(_)) => number == current.previous,
        (None, Stage::All) => true,
    };
    let may_be = |(number, record): &&(u64, Record)| {
        record.digest != current.digest && (is_any || current.sound.contains(number))
    };
    let mut other = kept.iter().filter(may_be);
    let Some((number, _record)) = other.rfind(|(number, _record)| is_wanted(*number)) else {
        let numbers: Vec<String> =
            kept.iter().filter(may_be).map(|(number, _record)| number.to_string()).collect();
        let why = match numbers.join(", ") {
            none if none.is_empty() => "there is no other configuration to go back to".to_owned(),
            numbers => format!("there is no such generation to go back to; there are {numbers}"),
        };
        return Ok(Deed::Nothing(why));
    };
    let bundle = fetch(term.press.store, *number, None).await?;
    // What the source has is not published until it changes; one that is behind will have what is
    // gone back from.
    let found = seen.found.filter(|found| !term.is_behind(found, current, term.press.now));
    let source = found.map(|found| *found.bundle.digest());
    let why = if wish.reason.is_empty() { String::new() } else { format!(": {}", wish.reason) };
    let reason = format!(
        "generation {} was taken back: {} wanted the configuration of generation {number}{why}",
        current.number, wish.who
    );
    let generation = after(current, seen.members);
    Ok(Deed::Publish(Box::new(Edition {
        held: source.or_else(|| Digest::from_hex(&current.digest)),
        reason: Some(reason),
        origin: current.origin.map(|known| {
            let own = current.origin_of(*number);
            let source = seen.found.and_then(|found| found.origin).unwrap_or_default();
            Origin { current: own, previous: own, newest: known.newest.max(source) }
        }),
        like: Some(*number),
        sound: without(&current.sound, current.number),
        // Whoever goes back does not want to wait for a few to try it.
        now: true,
        ..Edition::new(Arc::new(bundle), generation, Stage::All, *number)
    })))
}

fn published(wish: &Wish, edition: &Edition) -> String {
    let generation = edition.generation.number;
    match (&wish.what, &edition.stage) {
        (What::Back(_), _) => {
            let like = edition.previous;
            format!("generation {generation} is for all, with the configuration of {like}")
        }
        (What::Now(_) | What::Force(_) | What::Urgent(_), Stage::All) => {
            format!("generation {generation} is for all")
        }
        (What::Now(_) | What::Force(_) | What::Urgent(_), Stage::Canaries(names)) => {
            format!("generation {generation} is for {} first", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::configuration::bundle::{Bundle, Entry, Kind};
    use crate::configuration::cluster::publication::{InForce, in_force};
    use crate::configuration::cluster::rollout::Rollout;
    use crate::configuration::cluster::store::{Listing, Store, Unreachable, Value};
    use crate::configuration::generation::Generation;
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    /// A store in which whoever writes leads.
    #[derive(Debug, Default)]
    struct Heap(Mutex<BTreeMap<String, Vec<u8>>>);

    fn value(key: &str, bytes: &[u8]) -> Value {
        Value { key: key.to_owned(), bytes: bytes.to_vec(), created: 1, changed: 1 }
    }

    #[async_trait]
    impl Store for Heap {
        async fn get(&self, key: &str) -> Result<(Option<Value>, i64), Unreachable> {
            let lies = self.0.lock().unwrap();
            Ok((lies.get(key).map(|bytes| value(key, bytes)), 1))
        }

        async fn list(&self, prefix: &str) -> Result<Listing, Unreachable> {
            let lies = self.0.lock().unwrap();
            let of = lies.iter().filter(|(key, _)| key.starts_with(prefix));
            Ok(Listing { values: of.map(|(key, it)| value(key, it)).collect(), revision: 1 })
        }

        async fn commit(&self, _when: &[Condition], writes: &[Write]) -> Result<bool, Unreachable> {
            let mut lies = self.0.lock().unwrap();
            for write in writes {
                match write {
                    Write::Put(key, bytes, _lease) => drop(lies.insert(key.clone(), bytes.clone())),
                    Write::Remove(key) => drop(lies.remove(key)),
                    Write::RemoveAll(prefix) => lies.retain(|key, _| !key.starts_with(prefix)),
                }
            }
            Ok(true)
        }

        async fn grant(&self, _lasts: Duration) -> Result<i64, Unreachable> {
            Ok(1)
        }

        async fn keep(&self, _lease: i64) -> Result<Option<Duration>, Unreachable> {
            Ok(None)
        }

        async fn revoke(&self, _lease: i64) -> Result<(), Unreachable> {
            Ok(())
        }

        async fn changed(&self, _prefix: &str, _after: i64) -> Result<(), Unreachable> {
            std::future::pending().await
        }
    }

    fn found(text: &str, origin: Option<u64>) -> Found {
        let entry = Entry::new(Kind::Document, Arc::from("a.yaml"), Arc::from(text));
        let origin = origin.map(|number| Generation { history: 9, number });
        Found { bundle: Arc::new(Bundle::of([Arc::new(entry)]).unwrap()), origin }
    }

    /// A store in which `first` was for all, and then `second`.
    async fn published(heap: &Heap, press: Press<'_>, first: &Found, second: &Found) -> InForce {
        for (number, it) in [(1, first), (2, second)] {
            let seen = in_force(heap).await.unwrap();
            let previous = number - 1;
            let edition = Edition {
                bundle: Arc::clone(&it.bundle),
                generation: Generation { history: 1, number },
                stage: Stage::All,
                previous,
                held: None,
                reason: None,
                origin: it.origin_after(seen.current.as_ref(), previous),
                like: None,
                wish: None,
                heeds: None,
                sound: seen.current.map(|current| current.sound).unwrap_or_default(),
                now: false,
            };
            let seen = in_force(heap).await.unwrap();
            press.publish(&edition, &seen).await.unwrap();
        }
        in_force(heap).await.unwrap()
    }

    /// What is held after going back from `second` where the source of the leader has `has`.
    async fn held(first: &Found, second: &Found, has: &Found) -> Option<Digest> {
        let heap = Heap::default();
        let press = Press { store: &heap, replica: "a", epoch: 1, now: NOW };
        let seen = published(&heap, press, first, second).await;
        let current = seen.current.clone().unwrap();
        let mut term = Term::begin(press, Rollout::new(Duration::ZERO, Duration::ZERO));
        term.former = Some(vec![first.bundle.digest().to_string()]);
        let looked = Seen { found: Some(has), in_force: &seen, members: &[] };
        let (who, reason) = ("ops".to_owned(), String::new());
        let wish = Wish { id: 1, what: What::Back(None), who, at: 1, reason };
        let deed = back(&term, &looked, &current, (None, &wish, false)).await.unwrap();
        let Deed::Publish(edition) = deed else { panic!("nothing was gone back from") };
        assert_eq!((edition.previous, edition.bundle.digest()), (1, first.bundle.digest()));
        let next = press.publish(&edition, &seen).await.unwrap();
        if edition.held == Some(*second.bundle.digest()) {
            // When the source has come to what was gone back from, that is not published again.
            assert!(!term.is_news(second, &next, NOW));
        }
        edition.held
    }

    #[tokio::test]
    async fn what_is_gone_back_from_is_held_also_if_the_source_of_the_leader_is_behind_it() {
        for (one, two, three) in [(None, None, None), (Some(1), Some(2), Some(3))] {
            let (first, second) = (found("one", one), found("two", two));
            let from = Some(*second.bundle.digest());
            // It has what was in force before, and what was gone back from comes to it later.
            assert_eq!(held(&first, &second, &first).await, from, "{one:?}");
            assert_eq!(held(&first, &second, &second).await, from, "{one:?}");
            // What is newer yet is what is not wanted for now.
            let third = found("three", three);
            assert_eq!(held(&first, &second, &third).await, Some(*third.bundle.digest()));
        }
    }
}
