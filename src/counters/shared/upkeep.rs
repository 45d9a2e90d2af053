//! What keeps the home going: the way to Redis, and the clock that looks in on everybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::counters::redis::Courier;
use crate::counters::shared::journal::shelf::Copies;
use crate::counters::shared::journal::{COMMIT, Journal};
use crate::counters::shared::lane::Lane;
use crate::counters::shared::reset::LOOK_AT_ONCE;
use crate::counters::shared::{Office, Shared, desk};
use crate::limit::engine::quota::Total;
use crate::time::Timestamp;

/// The longest that the clock waits before it looks in.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often the totals of quotas are copied to the disk: so much is missing in the copy at most.
const COPY_EVERY: Duration = Duration::from_mins(1);

/// How long what lies on the shelf is waited for before Redis is asked. Requests are served
/// meanwhile, as by a replica that has not yet heard of Redis.
const READ_FIRST_MAX: Duration = Duration::from_secs(1);

/// How soon it is read again if it could not be.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// How long the last copy may take of a replica that leaves.
const LAST_COPY_MAX: Duration = Duration::from_secs(1);

/// A copy of a period that is over for so long is not taken up. The clocks of replicas are not
/// relied on for more than that.
const OVER: Duration = Duration::from_hours(24);

/// What keeps a home going.
#[must_use = "nothing is shared until it runs"]
pub struct Upkeep {
    pub(super) office: Weak<Office>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) courier: Courier,
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) copies: Option<Arc<Copies>>,
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
        let Self { office, alarm, courier, journal, copies } = self;
        let mut chores = JoinSet::new();
        if let Some(journal) = journal {
            chores.spawn(commit(journal));
            chores.spawn(copy_totals(Weak::clone(&office), COPY_EVERY));
        }
        let to_redis = async {
            if let Some(copies) = copies {
                // No ledger begins before it is known how much was used, if that is known in time.
                let read = take_from(&copies, &office);
                let is_read = timeout(READ_FIRST_MAX, read).await.unwrap_or(false);
                chores.spawn(keep_on_shelf(copies, Weak::clone(&office), is_read));
            }
            courier.run().await;
        };
        tokio::join!(to_redis, watch(&office, &alarm));
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

/// Takes over the totals that lie on the shelf; says whether they could be read.
async fn take_from(copies: &Copies, office: &Weak<Office>) -> bool {
    let Some(totals) = copies.read().await else { return false };
    if let Some(office) = office.upgrade() {
        let mut taking = JoinSet::new();
        taking.spawn_blocking(move || office.restore_totals(totals, office.clock.now()));
        taking.join_next().await;
    }
    true
}

/// Brings the totals of quotas to the shelf, again and again, once what lies there `is_read`.
async fn keep_on_shelf(copies: Arc<Copies>, office: Weak<Office>, mut is_read: bool) {
    while !is_read {
        sleep(READ_AGAIN).await;
        is_read = take_from(&copies, &office).await;
    }
    loop {
        sleep(COPY_EVERY).await;
        let Some(office) = office.upgrade() else { return };
        bring_to_shelf(&copies, office).await;
    }
}

/// Brings the totals of quotas to the shelf.
async fn bring_to_shelf(copies: &Copies, office: Arc<Office>) {
    let now = office.clock.now();
    let mut collecting = JoinSet::new();
    collecting.spawn_blocking(move || office.totals());
    if let Some(Ok(totals)) = collecting.join_next().await {
        copies.write(totals, |total| is_over(total, now), now).await;
    }
}

/// Whether a period is over for so long that nobody needs its total.
fn is_over(total: &Total, now: Timestamp) -> bool {
    OVER <= now.since(Timestamp::from_micros(total.span.ends))
}

/// Copies the totals of quotas to the disk, again and again.
async fn copy_totals(office: Weak<Office>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(office) = office.upgrade() else { return };
        copy_totals_now(office).await;
    }
}

/// Copies the totals of quotas to the disk, if there is a folder for them.
async fn copy_totals_now(office: Arc<Office>) {
    let mut disk = JoinSet::new();
    disk.spawn_blocking(move || office.copy_totals());
    disk.join_next().await;
}

impl Office {
    /// Takes over what was copied by an earlier life.
    pub(super) fn restore_totals(&self, totals: Vec<Total>, now: Timestamp) {
        for total in totals {
            if !is_over(&total, now)
                && let Some((_, desk)) = self.place_of(&total.meter.key)
            {
                desk::lock(desk).restore_total(total);
            }
        }
    }

    fn copy_totals(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        snapshot.write(|| self.totals());
    }

    /// The totals of quotas, as far as this replica knows them.
    fn totals(&self) -> Vec<Total> {
        let mut totals = Vec::new();
        for desk in self.lanes.iter().flat_map(Lane::desks) {
            let mut from = Some(0);
            while let Some(place) = from {
                let desk = desk::lock(desk);
                let tell = |total| totals.push(total);
                from = desk.totals(self.clock.now(), (place, LOOK_AT_ONCE), tell);
            }
        }
        totals
    }
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
        copy_totals_now(Arc::clone(office)).await;
        if let Some(copies) = &office.copies {
            // Who does not answer in time has the copy of a minute ago.
            let _ = timeout(LAST_COPY_MAX, bring_to_shelf(copies, Arc::clone(office))).await;
        }
        has_left && office.lanes.iter().all(Lane::has_said_good_bye)
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Upkeep")
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;

    use super::*;
    use crate::counters::redis::settings::{PREFIX, Place, Settings, Topology};
    use crate::counters::shared::Plan;
    use crate::counters::shared::journal::snapshot::Snapshot;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::{Meter, Span};
    use crate::time::{Clock, SystemClock};

    /// A home in `folder` whose Redis is never there.
    fn home(folder: &Path, clock: &Arc<dyn Clock>) -> Shared {
        let place = Place::of_server("127.0.0.1:1").unwrap();
        let topology = Topology::Single(place);
        let redis = Settings { topology, login: None, tls: None, prefix: PREFIX.to_owned() };
        let (replica, replicas_expected) = ("one".to_owned(), NonZeroU32::MIN);
        let journal = Some(folder.to_owned());
        let plan = Plan { redis, replica, replicas_expected, journal, shelf: None };
        Shared::new(&plan, Arc::clone(clock)).unwrap().0
    }

    #[tokio::test]
    async fn totals_are_copied_again_and_again_but_for_periods_that_are_long_over() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let folder = tempfile::tempdir().unwrap();
        let now = clock.now();
        let day = u64::try_from(OVER.as_micros()).unwrap();
        let copied = |name: &str, period, ends| {
            let key = KeySpace::new(Kind::QuotaCalls, &[]).key(name);
            let span = Span { starts: ends - period, ends };
            Total { meter: Meter { key, period }, span, total: 7, run: 5 }
        };
        let old = copied("old", day, now.micros() / day * day - day);
        let mut lasting: Vec<_> = (0_u64..600)
            .map(|number| copied(&number.to_string(), day, now.micros() / day * day + day))
            .collect();
        let (snapshot, _) = Snapshot::open(folder.path(), PREFIX, now);
        snapshot.write(|| [&lasting[..], &[old]].concat());
        let home = home(folder.path(), &clock);
        let read = || {
            let (_, mut totals) = Snapshot::open(folder.path(), PREFIX, now);
            totals.sort_by_key(|total| total.meter.key.to_bytes());
            totals
        };
        lasting.sort_by_key(|total| total.meter.key.to_bytes());
        let office = Arc::downgrade(&home.office);
        let mut copying = JoinSet::new();
        copying.spawn(copy_totals(office, Duration::from_millis(10)));
        for _ in 0..2 {
            snapshot.write(Vec::new);
            let found = async {
                while read() != lasting {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(Duration::from_secs(30), found).await.unwrap();
        }
        assert_eq!(home.report().journal.unwrap().fault, None);
        drop(home);
        timeout(Duration::from_secs(30), copying.join_next()).await.unwrap().unwrap().unwrap();
    }
}
