//! What keeps the home going: the way to Redis, and the clock that looks in on everybody.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::counters::redis::Courier;
use crate::counters::shared::journal::{COMMIT, Journal};
use crate::counters::shared::{Alarm, Office};
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

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Upkeep")
    }
}
