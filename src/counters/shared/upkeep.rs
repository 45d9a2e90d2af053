//! What keeps the home going: the way to Redis, and the clock that looks in on everybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::counters::redis::Courier;
use crate::counters::shared::journal::{COMMIT, Journal};
use crate::counters::shared::lane::Lane;
use crate::counters::shared::{Office, Shared};
use crate::time::Timestamp;

/// The longest that the clock waits before it looks in.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What keeps a home going.
#[must_use = "nothing is shared until it runs"]
pub struct Upkeep {
    pub(super) office: Weak<Office>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) courier: Courier,
    pub(super) journal: Option<Arc<Journal>>,
}

/// When the clock looks in next.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Microseconds; [`u64::MAX`] while it looks.
    pub(super) at: AtomicU64,
    pub(super) bell: Notify,
}

impl Upkeep {
    /// Keeps the home going until it is dropped.
    pub async fn run(self) {
        let Self { office, alarm, courier, journal } = self;
        let mut commits = JoinSet::new();
        if let Some(journal) = journal {
            commits.spawn(commit(journal));
        }
        tokio::join!(courier.run(), watch(&office, &alarm));
    }
}

/// Brings what is written into the journal to the disk, again and again.
async fn commit(journal: Arc<Journal>) {
    loop {
        journal.written.notified().await;
        sleep(COMMIT).await;
        commit_now(&journal).await;
    }
}

/// Brings what is written into the journal to the disk.
pub(super) async fn commit_now(journal: &Arc<Journal>) {
    let mut disk = JoinSet::new();
    let journal = Arc::clone(journal);
    disk.spawn_blocking(move || journal.commit());
    disk.join_next().await;
}

async fn watch(office: &Weak<Office>, alarm: &Alarm) {
    loop {
        // Whoever sets the alarm from now on rings, so that nothing is missed by who has looked.
        alarm.at.store(u64::MAX, Ordering::SeqCst);
        let pause = {
            let Some(office) = office.upgrade() else { return };
            let wakes = office.lanes.iter().map(|lane| lane.look_in(&office));
            let wake = wakes.min().unwrap_or(Timestamp::from_micros(u64::MAX));
            let pause = wake.since(office.clock.now()).min(PAUSE_MAX);
            alarm.at.store((office.clock.now() + pause).micros(), Ordering::SeqCst);
            pause
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = alarm.bell.notified() => {}
        }
    }
}

impl Alarm {
    /// Has the clock look in at `wake`, if it does not before.
    pub(super) fn set(&self, wake: Timestamp) {
        if wake.micros() < self.at.load(Ordering::SeqCst) {
            self.bell.notify_one();
        }
    }
}

impl Shared {
    /// Leaves: what is held goes back to Redis, and the others stop counting on this replica. To
    /// be called when no request comes any more. Says whether Redis has heard of it within
    /// `max`; if not, this replica's share is held back from the others until it is expelled.
    pub async fn leave(&self, max: Duration) -> bool {
        let office = &self.office;
        for lane in &office.lanes {
            lane.leave(office);
        }
        let has_left = || office.lanes.iter().all(Lane::has_left);
        let all_left = async {
            loop {
                let rung = office.left.notified();
                if has_left() {
                    return;
                }
                rung.await;
            }
        };
        let has_left = timeout(max, all_left).await.is_ok();
        if let Some(journal) = &office.journal {
            commit_now(journal).await;
        }
        has_left && office.lanes.iter().all(Lane::has_said_good_bye)
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Upkeep")
    }
}
