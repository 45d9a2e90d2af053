//! What the leader does: publishes what the source has, and sees how the replicas take it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument as _;

use super::Cluster;
use super::pace::within;
use super::pile::fetch;
use super::publication::{Edition, Failed, InForce, Press, former, in_force};
use super::record::{Current, MEMBERS, Member, Origin, Stage, Withheld, read};
use super::rollout::{Rollout, Verdict};
use super::source::{Errand, Found};
use super::store::Unreachable;
use super::wish::wished;
use crate::configuration::bundle::Digest;
use crate::configuration::generation::Generation;
use crate::configuration::guard::{Destructive, Inventory};
use crate::correlation::OWN_SPANS;
use crate::time::Timestamp;

/// How long the source of a new leader may still be behind: a Kubernetes `ConfigMap` reaches one
/// node a minute after another.
const BEHIND_MAX: Duration = Duration::from_secs(90);

/// How often what nobody needs is taken away.
const CLEAN_INTERVAL: Duration = Duration::from_mins(1);

/// What the leader looks at.
pub(super) struct Seen<'a> {
    /// What the source has.
    pub(super) found: Option<&'a Found>,
    /// What is in force.
    pub(super) in_force: &'a InForce,
    /// How the replicas are doing.
    pub(super) members: &'a [Member],
}

/// One replica's time as the leader.
pub(super) struct Term<'a> {
    pub(super) press: Press<'a>,
    pub(super) rollout: Rollout,
    begun: Timestamp,
    cleaned: Timestamp,
    /// What the source had first.
    first: Option<Digest>,
    /// The digests of what was in force before what was when this term began, once they are known.
    pub(super) former: Option<Vec<String>>,
    /// What the configuration in force has, once it was asked for, with its digest.
    pub(super) inventory: Option<(String, Option<Arc<Inventory>>)>,
    /// What was found out last: what the second of two configurations takes away of the first.
    pub(super) compared: Option<((String, Digest), Destructive)>,
    /// What was left in the store last of what a control plane has switched off: its history and
    /// revision.
    shared: (u64, u64),
    /// Whether this replica has ended the term itself, or tried to.
    pub(super) makes_room: bool,
    /// The wish for which the source was last asked to look at once, and whether it did in time.
    pub(super) looked: Option<(u64, bool)>,
}

impl Cluster {
    /// Leads since `epoch`; returns when another one does, or may: whether this replica made room.
    pub(super) async fn lead(&self, epoch: i64) -> bool {
        let (bring, found) = watch::channel(None);
        let errand =
            Errand { found: bring, store: &*self.store, standing: self.standing.subscribe() };
        tokio::select! {
            biased;
            () = self.source.bring(&errand) => false,
            has_made_room = self.work(epoch, found) => has_made_room,
        }
    }

    async fn work(&self, epoch: i64, mut found: watch::Receiver<Option<Found>>) -> bool {
        let now = self.clock.now();
        let press = Press { store: &*self.store, replica: &self.replica, epoch, now };
        let mut term = Term::begin(press, Rollout::new(self.terms.hold, self.terms.patience));
        let mut failures = 0_u32;
        loop {
            let newest = found.borrow_and_update().clone();
            match self.turn(&mut term, newest.as_ref()).await {
                Ok(()) => failures = 0,
                Err(Failed::Deposed) => return term.makes_room,
                Err(Failed::Overtaken) => continue,
                Err(failed) => {
                    self.count(|counts| &mut counts.failures);
                    self.trouble(Some(&failed));
                    failures = failures.saturating_add(1);
                    self.clock.sleep(self.pause(failures)).await;
                }
            }
            // Whether it changed or not, everything is looked at.
            let _ = within(&*self.clock, self.terms.look, found.changed()).await;
        }
    }

    /// One look at everything, and at most one change.
    async fn turn(&self, term: &mut Term<'_>, found: Option<&Found>) -> Result<(), Failed> {
        let press = Press { now: self.clock.now(), ..term.press };
        let seen = in_force(press.store).await?;
        let members = self.members().await?;
        if term.former.is_none() {
            term.former = Some(former(press.store, seen.current.as_ref()).await?);
        }
        let now = self.clock.now();
        self.note(|standing| {
            standing.members.clone_from(&members);
            standing.current.clone_from(&seen.current);
        });
        self.keep_in_mind(term, &seen, found).await;
        self.share_orders(press, &mut term.shared).await?;
        if let Some((wish, changed)) = wished(press.store).await? {
            let seen = Seen { found, in_force: &seen, members: &members };
            return self.heed((term, press), &seen, wish, changed).await;
        }
        self.make_room(term, press, &members).await?;
        if let Some(mut edition) = found.and_then(|found| term.next(found, &seen, &members, now)) {
            if self.source.is_urgent(edition.bundle.digest()) {
                edition.stage = Stage::All;
            }
            match self.takes_away(term, &seen, &edition.bundle).await? {
                None => {
                    let span = tracing::info_span!(target: OWN_SPANS, "configuration.publish");
                    let current = press.publish(&edition, &seen).instrument(span).await?;
                    self.count(|counts| &mut counts.published);
                    tracing::info!(generation = current.number, stage = ?current.stage, "published");
                    return Ok(());
                }
                Some(much) => {
                    if self.withhold(term, &seen, (*edition.bundle.digest(), &much)).await? {
                        return Ok(());
                    }
                }
            }
        }
        self.carry_on(term, &Seen { found, in_force: &seen, members: &members }, now).await
    }

    /// Sees how the replicas take what is in force.
    async fn carry_on(
        &self,
        term: &mut Term<'_>,
        Seen { found, in_force: seen, members }: &Seen<'_>,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let press = term.press;
        let Some(current) = &seen.current else { return Ok(()) };
        if let Some(origin) = found.and_then(|found| known_anew(found, current)) {
            let (epoch, held, reason, origin) = (press.epoch, None, None, Some(origin));
            let renamed = Current { epoch, held, reason, origin, ..current.clone() };
            return press.stage(&renamed, seen).await;
        }
        let restaged = |stage| {
            let mut next = Current { epoch: press.epoch, ..current.clone() };
            next.stage(stage);
            next
        };
        let is_there = |withheld: &Withheld| {
            found.is_none_or(|found| found.bundle.digest().to_string() == withheld.digest)
        };
        if current.withheld.as_ref().is_some_and(|withheld| !is_there(withheld)) {
            // The source has something else by now.
            let cleared = Current { withheld: None, ..restaged(current.stage.clone()) };
            return press.stage(&cleared, seen).await;
        }
        if self.is_hurried(current, members) {
            tracing::info!(
                generation = current.number,
                "whoever published it wants it now: it goes to all"
            );
            return press.stage(&restaged(Stage::All), seen).await;
        }
        match term.rollout.judge(current, members, now) {
            Verdict::Wait => (),
            Verdict::Go => {
                tracing::info!(generation = current.number, "it has held: all are to serve it");
                press.stage(&restaged(Stage::All), seen).await?;
            }
            Verdict::Canaries(names) => {
                press.stage(&restaged(Stage::Canaries(names)), seen).await?;
            }
            Verdict::Back(why) => {
                press.take_back(current, seen, &why).await?;
                self.count(|counts| &mut counts.published);
            }
        }
        if CLEAN_INTERVAL <= now.since(term.cleaned) {
            term.cleaned = now;
            let served = members.iter().map(|member| member.serving);
            press.clean(served, self.terms.kept).await?;
        }
        Ok(())
    }

    /// Whether what some serve first is wanted for all at once by whoever published it, and all have
    /// found that they can.
    fn is_hurried(&self, current: &Current, members: &[Member]) -> bool {
        let can = |it: &Member| current.number <= it.prepared && !it.refuses(current.number);
        matches!(current.stage, Stage::Canaries(_))
            && Digest::from_hex(&current.digest).is_some_and(|it| self.source.is_urgent(&it))
            && members.iter().all(can)
    }

    /// How the replicas are doing.
    pub(super) async fn members(&self) -> Result<Vec<Member>, Unreachable> {
        let listing = self.store.list(MEMBERS).await?;
        Ok(listing.values.iter().filter_map(|value| read(&value.bytes)).collect())
    }
}

impl<'a> Term<'a> {
    /// A term that begins now.
    pub(super) const fn begin(press: Press<'a>, rollout: Rollout) -> Self {
        Self {
            press,
            rollout,
            begun: press.now,
            cleaned: press.now,
            first: None,
            former: None,
            inventory: None,
            compared: None,
            shared: (0, 0),
            makes_room: false,
            looked: None,
        }
    }

    /// What is to be published of what was found, if anything is.
    fn next(
        &mut self,
        found: &Found,
        seen: &InForce,
        members: &[Member],
        now: Timestamp,
    ) -> Option<Edition> {
        let generation = match &seen.current {
            None => {
                let begun = now.micros().checked_div(1_000).unwrap_or(0);
                Generation { history: begun, number: 1 }
            }
            Some(current) => {
                let next = after(current, members);
                let is_behind = current.generation().next() < next && !found.is_before(current);
                Some(next).filter(|_next| is_behind || self.is_news(found, current, now))?
            }
        };
        let previous = seen.current.as_ref().map_or(0, |current| current.served_by_all(members));
        let stage = self.rollout.first(generation.number, members, 0 < previous)?;
        let bundle = Arc::clone(&found.bundle);
        let current = seen.current.as_ref();
        Some(Edition {
            origin: found.origin_after(current, previous),
            wish: current.and_then(|current| current.wish.clone()),
            sound: current.map(|current| current.sound.clone()).unwrap_or_default(),
            ..Edition::new(bundle, generation, stage, previous)
        })
    }

    /// Whether what was found is to come after what is in force.
    pub(super) fn is_news(&mut self, found: &Found, current: &Current, now: Timestamp) -> bool {
        let digest = *found.bundle.digest();
        self.first.get_or_insert(digest);
        let named = digest.to_string();
        if named == current.digest {
            return false;
        }
        if let Some(origin) = found.origin {
            // It has a history of its own, which says what is newer, also of what was held back.
            return current.newest_origin() < origin;
        }
        if Some(&named) == current.held.as_ref() {
            return false;
        }
        !self.is_behind(found, current, now)
    }

    /// Whether what was found is rather older than what is in force than what somebody wants next:
    /// the source has yet to come to that.
    pub(super) fn is_behind(&self, found: &Found, current: &Current, now: Timestamp) -> bool {
        if found.origin.is_some() {
            return found.is_before(current);
        }
        // What this replica's source has had from the beginning of its term, and what was in force
        // before, is rather old than taken back to.
        let (digest, former) = (found.bundle.digest(), self.former.as_deref().unwrap_or_default());
        let is_first = self.first.is_none_or(|first| first == *digest);
        is_first && former.contains(&digest.to_string()) && now.since(self.begun) < BEHIND_MAX
    }
}

/// The generation that comes after what is in force. A store that lost what it had last must not
/// give its numbers away again.
pub(super) fn after(current: &Current, members: &[Member]) -> Generation {
    let newest = members.iter().map(Member::served).max().unwrap_or_default();
    current.generation().max(newest).next()
}

/// `numbers` without `number`.
pub(super) fn without(numbers: &[u64], number: u64) -> Vec<u64> {
    numbers.iter().copied().filter(|it| *it != number).collect()
}

/// The later generation of a control plane that has the content which is in force already.
fn known_anew(found: &Found, current: &Current) -> Option<Origin> {
    let own = found.origin.filter(|own| current.newest_origin() < *own)?;
    let is_same = found.bundle.digest().to_string() == current.digest;
    let previous = current.origin_of(current.previous);
    is_same.then_some(Origin { current: own, previous, newest: own })
}

impl Press<'_> {
    /// Publishes the configuration that all others serve as the next generation.
    async fn take_back(&self, current: &Current, seen: &InForce, why: &str) -> Result<(), Failed> {
        let bundle = fetch(self.store, current.previous, None).await?;
        tracing::error!(
            generation = current.number,
            previous = current.previous,
            "the configuration is taken back: {why}"
        );
        let generation = current.generation().next();
        let edition = Edition {
            held: Digest::from_hex(&current.digest),
            reason: Some(format!("generation {} was taken back: {why}", current.number)),
            origin: current.origin.map(|it| Origin { current: it.previous, ..it }),
            like: Some(current.previous),
            wish: current.wish.clone(),
            sound: without(&current.sound, current.number),
            ..Edition::new(bundle.into(), generation, Stage::All, current.previous)
        };
        self.publish(&edition, seen).await.map(|_current| ())
    }
}
