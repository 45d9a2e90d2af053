//! A replica's session with the store: a lease that it keeps, under which it tells how it is doing
//! and may lead.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Cluster;
use super::pace::within;
use super::record::{LEADER, Member, Stage, Token, member_key, read, written};
use super::rise::Tallying;
use super::store::{Condition, Unreachable, Write};
use crate::correlation::OWN_SPANS;

/// How often a lease is kept within the time that it lasts.
const KEPT_OFTEN: u32 = 3;
/// How long nothing may be told of a replica that does not change, so that what was lost is told.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// The same while a rollout is on, in which it is told what happens to requests.
const TELL_SHARE: Duration = Duration::from_secs(1);

/// The lease that is held; 0 for none.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicI64);

/// What lies under the key of the leader.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Leader {
    replica: String,
    /// Tells two terms of one replica apart.
    lease: i64,
}

impl Held {
    /// The lease, which is not held any more.
    pub(super) fn take(&self) -> Option<i64> {
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|lease| *lease != 0)
    }

    fn hold(&self, lease: i64) {
        self.0.store(lease, Ordering::Relaxed);
    }
}

impl Cluster {
    /// One session after the other.
    pub(super) async fn sessions(&self, held: &Held) {
        let mut failures = 0_u32;
        loop {
            match self.store.grant(self.terms.lease).await {
                Ok(lease) => {
                    held.hold(lease);
                    failures = 0;
                    self.trouble(None);
                    tokio::select! {
                        biased;
                        () = self.keep(lease) => (),
                        () = self.tell(lease) => (),
                        () = self.campaign(lease) => (),
                    }
                    held.take();
                    self.note(|standing| standing.is_leading = false);
                    self.note_way(false);
                }
                Err(unreachable) => {
                    self.trouble(Some(&unreachable));
                    failures = failures.saturating_add(1);
                }
            }
            self.clock.sleep(self.pause(failures)).await;
        }
    }

    /// Keeps the lease; returns when it has ended, or must be taken to have.
    async fn keep(&self, lease: i64) {
        let often = self.terms.lease.checked_div(KEPT_OFTEN).unwrap_or(self.terms.lease);
        let mut kept = self.clock.now();
        loop {
            self.clock.sleep(often).await;
            // From before the question: the store may have answered long ago.
            let asked = self.clock.now();
            match within(&*self.clock, often, self.store.keep(lease)).await {
                Some(Ok(Some(_lasts))) => kept = asked,
                Some(Ok(None)) => return,
                Some(Err(_)) | None if self.terms.lease <= self.clock.now().since(kept) => return,
                Some(Err(_)) | None => (),
            }
        }
    }

    /// Tells how this replica is doing; returns when it cannot be told.
    async fn tell(&self, lease: i64) {
        let mut states = self.status.follow();
        let mut tallying = Tallying::default();
        loop {
            let mut member = Member::of(&self.replica, &states.borrow_and_update());
            member.token = self.source.token(self.clock.now()).map(Token::from);
            let rollout = self.rolled_out();
            if let Some(number) = rollout {
                let share = tallying.share(number, self.status.reading(), self.clock.now());
                member.share = Some(share);
            }
            let put = Write::Put(member_key(&self.replica), written(&member), lease);
            if let Err(unreachable) = self.store.commit(&[], &[put]).await {
                self.trouble(Some(&unreachable));
                // Whether the lease still lives is found out by who keeps it.
                self.clock.sleep(self.pause(0)).await;
                continue;
            }
            let again = if rollout.is_some() { TELL_SHARE } else { TELL_AGAIN };
            if let Some(Err(_closed)) = within(&*self.clock, again, states.changed()).await {
                return;
            }
        }
    }

    /// The generation that some serve before all do, if there is one now.
    fn rolled_out(&self) -> Option<u64> {
        let standing = self.standing.borrow();
        let current = standing.current.as_ref()?;
        matches!(current.stage, Stage::Canaries(_)).then_some(current.number)
    }

    /// Leads whenever nobody else does.
    async fn campaign(&self, lease: i64) {
        let own = Leader { replica: self.replica.clone(), lease };
        let mut failures = 0_u32;
        loop {
            self.let_others().await;
            match self.try_to_lead(&own).await {
                Ok((Some(epoch), _revision)) => {
                    failures = 0;
                    let is_other = self.standing.borrow().leader.as_ref() != Some(&self.replica);
                    self.note(|standing| {
                        (standing.is_leading, standing.since) = (true, self.clock.now());
                        standing.leader = Some(self.replica.clone());
                    });
                    self.count(|counts| &mut counts.terms);
                    if is_other {
                        self.count(|counts| &mut counts.leaders);
                    }
                    let span = tracing::info_span!(
                        target: OWN_SPANS,
                        "cluster.election",
                        weir.replica = &*self.replica,
                        weir.epoch = epoch,
                    );
                    span.in_scope(|| {
                        tracing::info!(epoch, "this replica leads: it refreshes for all");
                    });
                    let has_made_room = self.lead(epoch).await;
                    tracing::warn!(epoch, "this replica does not lead any more");
                    self.note(|standing| standing.is_leading = false);
                    self.note_way(false);
                    if has_made_room {
                        self.rest(&own).await;
                    }
                }
                Ok((None, revision)) => {
                    failures = 0;
                    let changed = self.store.changed(LEADER, revision);
                    let hint = within(&*self.clock, self.terms.look_again, changed).await;
                    if !matches!(hint, Some(Ok(()))) {
                        self.clock.sleep(self.pause(0)).await;
                    }
                }
                Err(unreachable) => {
                    self.trouble(Some(&unreachable));
                    failures = failures.saturating_add(1);
                    self.clock.sleep(self.pause(failures)).await;
                }
            }
        }
    }

    /// Leads if nobody does: since which store revision, if it is us, and at which one that was so.
    async fn try_to_lead(&self, own: &Leader) -> Result<(Option<i64>, i64), Unreachable> {
        let put = Write::Put(LEADER.to_owned(), written(own), own.lease);
        // The answer may be about a try of which we did not hear; what lies there is the truth.
        self.store.commit(&[Condition::Absent(LEADER.to_owned())], &[put]).await?;
        self.who_leads(own).await
    }

    /// Notes who leads: since which store revision, if it is us, and at which one that was so.
    pub(super) async fn who_leads(&self, own: &Leader) -> Result<(Option<i64>, i64), Unreachable> {
        let (value, revision) = self.store.get(LEADER).await?;
        let Some(value) = value else { return Ok((None, revision.saturating_sub(1))) };
        let leader: Option<Leader> = read(&value.bytes);
        if leader.as_ref() == Some(own) {
            return Ok((Some(value.created), revision));
        }
        let name = leader.map(|leader| leader.replica);
        if self.standing.borrow().leader != name {
            self.note(|standing| (standing.leader, standing.since) = (name, self.clock.now()));
            self.count(|counts| &mut counts.leaders);
        }
        Ok((None, revision))
    }
}
