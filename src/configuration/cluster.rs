//! One configuration for replicas that share a store: one of them leads, and refreshes for all.
//!
//! Every replica [follows](Cluster::follow) what is in force, and asks for a [`session`] with the
//! store: a lease that it keeps. With it, it tells how it is doing and campaigns to lead. The
//! leader takes what the source has, publishes it as the next generation, and says for whom it is:
//! first for a tenth of the replicas, then for all ([`rollout`]). Leases and clocks only decide who
//! tries; what is written is decided by the store, which refuses every write of a leader that was
//! deposed ([`publication`]).
//!
//! Nothing of this is needed to serve a request: without the store a replica goes on with what it
//! serves.

pub mod pace;
pub mod store;
pub mod record;
pub mod publication;
mod pile;
pub mod rise;
pub mod rollout;
pub mod wish;
mod session;
mod lead;
mod withhold;
mod orders;
mod heed;
mod room;
mod follow;
mod history;
pub mod calls;
pub mod source;
mod trial;
mod fate;
pub mod stream;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::configuration::cluster::calls::Calls;
use crate::configuration::cluster::pace::{Pace, within};
use crate::configuration::cluster::record::{Current, Member};
use crate::configuration::cluster::source::Source;
use crate::configuration::cluster::store::Store;
use crate::configuration::cluster::wish::Desk;
use crate::configuration::offer::Status;
use crate::time::Timestamp;

/// How long the store has to end our lease when we leave.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);

/// How long what may take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a replica that is silent counts as alive.
    pub lease: Duration,
    /// How long nobody hears of a change for whom every hint is lost.
    pub look_again: Duration,
    /// How often the leader looks at how the replicas are doing.
    pub look: Duration,
    /// See [`rollout::Rollout::new`].
    pub hold: Duration,
    /// See [`rollout::Rollout::new`].
    pub patience: Duration,
    /// How long a leader may be cut off from where configurations come from, before it makes room
    /// for a replica that is not.
    pub cut_off: Duration,
    /// The shortest and the longest pause before the store is tried again.
    pub pause: (Duration, Duration),
    /// How many generations before the one in force are kept; not less than
    /// [`publication::KEPT_MIN`].
    pub kept: u64,
    /// Whether only what held may be gone back to. Who tries nothing himself cannot say what did.
    pub only_sound: bool,
}

/// One replica of a cluster.
pub struct Cluster {
    /// What replicas share.
    pub store: Arc<dyn Store>,
    /// Where configurations come from, for the leader.
    pub source: Arc<dyn Source>,
    /// Who makes configurations run here.
    pub status: Arc<Status>,
    /// What time it is.
    pub clock: Arc<dyn Pace>,
    /// What this replica is called; no other of the cluster is.
    pub replica: String,
    /// How long what may take.
    pub terms: Terms,
    /// How the cluster is doing, as seen from here.
    pub standing: watch::Sender<Standing>,
    /// For pauses that differ between replicas.
    pub dice: Dice,
    /// How the store answers.
    pub calls: Arc<Calls>,
    /// Where operators say what they want.
    pub desk: Desk,
}

/// How the cluster is doing, as one replica sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// What is wrong with the store; nothing while it answers.
    pub trouble: Option<String>,
    /// Who leads.
    pub leader: Option<String>,
    /// Whether it is this replica.
    pub is_leading: bool,
    /// Since when.
    pub since: Timestamp,
    /// What is in force.
    pub current: Option<Current>,
    /// The replicas, as they were seen last.
    pub members: Vec<Member>,
    /// What was counted since the start.
    pub counts: Counts,
}

/// What a replica counts of its cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// How often it came to lead.
    pub terms: u64,
    /// How often it saw another leader than before.
    pub leaders: u64,
    /// How many generations it published.
    pub published: u64,
    /// How often it could not do what a leader does.
    pub failures: u64,
}

/// Numbers that differ between replicas.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Cluster {
    /// Takes part until `stop` says so, then makes room for others at once.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let lease = session::Held::default();
        tokio::select! {
            biased;
            () = self.follow() => (),
            () = self.look_around() => (),
            () = self.hear_operators() => (),
            () = self.go_on_alone() => (),
            () = self.sessions(&lease) => (),
            () = self.try_source() => (),
            () = self.source.tend() => (),
            // Without its sender nobody is left to say so.
            _ = stop.wait_for(|stop| *stop) => (),
        }
        if let Some(lease) = lease.take() {
            // If it does not get through, the lease ends by itself.
            let _ = within(&*self.clock, LEAVE_TIME_MAX, self.store.revoke(lease)).await;
        }
        self.note(|standing| (standing.is_leading, standing.leader) = (false, None));
    }

    /// Notes how the cluster is doing.
    fn note(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_if_modified(|standing| {
            let before = standing.clone();
            change(standing);
            *standing != before
        });
    }

    /// Counts one more of what `which` names.
    fn count(&self, which: impl FnOnce(&mut Counts) -> &mut u64) {
        self.note(|standing| {
            let count = which(&mut standing.counts);
            *count = count.saturating_add(1);
        });
    }

    /// Notes that the store does not answer, or does again.
    fn trouble(&self, trouble: Option<&dyn fmt::Display>) {
        let told = trouble.map(ToString::to_string);
        let had = self.standing.borrow().trouble.clone();
        match (&had, &told) {
            (None, Some(told)) => tracing::warn!(
                trouble = told,
                "the cluster's store cannot be reached; this replica goes on with what it serves"
            ),
            (Some(_), None) => tracing::info!("the cluster's store is reached again"),
            (None, None) | (Some(_), Some(_)) => (),
        }
        self.note(|standing| standing.trouble = told);
    }

    /// How long to wait after so many failures in a row: any time up to a bound that doubles.
    fn pause(&self, failures: u32) -> Duration {
        let (shortest, longest) = self.terms.pause;
        let doubled = shortest.saturating_mul(2_u32.saturating_pow(failures.min(16)));
        self.dice.part_of(doubled.min(longest)).max(shortest.checked_div(8).unwrap_or(shortest))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Cluster");
        shown.field("replica", &self.replica).field("store", &self.store);
        shown.field("standing", &*self.standing.borrow()).finish_non_exhaustive()
    }
}

impl Dice {
    /// Dice that fall as `seed` says.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Any number.
    fn number(&self) -> u64 {
        // SplitMix64, whose steps may be taken by many at once.
        let mut mixed = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any part of `span`.
    fn part_of(&self, span: Duration) -> Duration {
        /// Of how many parts a span is.
        const PARTS: u32 = 1 << 16;
        let parts = u32::try_from(self.number() >> 48).unwrap_or(0);
        span.saturating_mul(parts).checked_div(PARTS).unwrap_or(span)
    }
}

#[cfg(test)]
mod simulation;
