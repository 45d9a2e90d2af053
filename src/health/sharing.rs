//! What replicas that share a Redis tell each other of backends: whose circuits are open, and who
//! cannot serve.
//!
//! All of it is one small table: an entry for each open circuit and each replica that opened it, with
//! the time of Redis when that closes. Replicas read it a few times each second, so that all of them
//! leave a backend alone soon after the first has; what is in the table is compared with what is
//! known here each time, so nothing has to be remembered and what Redis loses is written again.
//! Where Redis is away each replica acts alone.
//!
//! An open circuit is believed. That a backend fails its checks is believed only by a replica that has
//! made none itself: what one of them cannot reach, another one may.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::backend::Backend;
use crate::backend::standing::Standing;
use crate::counters::redis::drawer::{Drawer, Entry};
use crate::counters::redis::settings::Settings;
use crate::counters::redis::trouble::Trouble;
use crate::digest::number;
use crate::policy::build::references::Backends;
use crate::snapshot::Live;
use crate::time::{Clock, SystemClock, Timestamp};

/// How often the table is read.
const READ_EVERY: Duration = Duration::from_millis(200);
/// How soon it is tried again after a failure.
const AGAIN: Duration = Duration::from_secs(1);
/// How long one reading may take.
const ERRAND_MAX: Duration = Duration::from_secs(2);
/// How long the table stays after the last change: longer than any circuit is open.
const LIFE: Duration = Duration::from_hours(26);
/// How long a circuit may be open by the word of another replica: a trip, and a `Retry-After`.
const OPEN_MAX: Duration = Duration::from_hours(25);
/// For how many of its intervals a check that fails is believed by others.
const BELIEVED: u32 = 3;
/// By how much clocks may differ before an entry is written again, in microseconds.
const TOLERANCE: u64 = 1_000_000;
/// How long an entry that is over stays, so that whoever wrote it can take it away.
const KEPT: u64 = 60_000_000;
/// The most entries that are read.
const ENTRIES_MAX: usize = 100_000;

/// The name of the table.
const NAME: &str = "backends";

/// Tells other replicas, and hears of them.
#[derive(Debug)]
pub struct Sharing {
    redis: Settings,
    live: Arc<Live>,
    clock: Arc<SystemClock>,
    table: Table,
}

/// The table, as one replica reads and writes it.
#[derive(Debug)]
struct Table {
    /// What it is called there.
    replica: String,
}

/// Backends, by what the table calls them.
type Named = HashMap<u64, (Arc<str>, Arc<Standing>)>;

/// What is to be changed in the table.
#[derive(Debug, Default, Eq, PartialEq)]
struct Changes {
    put: Vec<Entry>,
    taken: Vec<String>,
}

/// What an entry says.
#[derive(Debug)]
struct Said<'a> {
    kind: Kind,
    /// Of which backend.
    backend: u64,
    /// By whom.
    replica: &'a str,
    /// Until when, in microseconds by the clock of Redis.
    until: u64,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// An open circuit.
    Circuit,
    /// Checks that fail.
    Health,
}

impl Sharing {
    /// Over that Redis; `replica` is a number that no other replica has.
    pub fn of(redis: Settings, live: Arc<Live>, clock: Arc<SystemClock>, replica: u64) -> Self {
        Self { redis, live, clock, table: Table::of(replica) }
    }

    /// Keeps at it, for as long as it is polled.
    pub async fn keep(self) {
        let mut drawer = None;
        let mut told: Option<Trouble> = None;
        let mut known = (Arc::default(), Named::default());
        loop {
            let backends = Arc::clone(&self.live.snapshot().backends);
            if !Arc::ptr_eq(&known.0, &backends) {
                known = (Arc::clone(&backends), named(&backends));
            }
            let (_of, named) = &known;
            if named.is_empty() {
                drawer = None;
                sleep(AGAIN).await;
                continue;
            }
            let errand = timeout(ERRAND_MAX, self.round(&mut drawer, named)).await;
            let trouble = errand.unwrap_or(Err(Trouble::Silent)).err();
            if let Some(trouble) = trouble.as_ref().filter(|it| told.as_ref() != Some(it)) {
                tracing::warn!("circuits of backends are those of this replica alone: {trouble}");
            }
            let pause = if trouble.is_some() { AGAIN } else { READ_EVERY };
            if trouble.is_some() {
                drawer = None;
            }
            told = trouble;
            sleep(pause).await;
        }
    }

    async fn round(&self, drawer: &mut Option<Drawer>, named: &Named) -> Result<(), Trouble> {
        let mut open = match drawer.take() {
            Some(open) => open,
            None => Drawer::open(&self.redis).await?,
        };
        let (there, entries) = open.table(NAME).await?;
        let changes = self.table.compare(named, &entries, (there, self.clock.now()));
        open.write(NAME, (&changes.put, &changes.taken), LIFE).await?;
        *drawer = Some(open);
        Ok(())
    }
}

impl Table {
    /// As the replica of this number does.
    fn of(replica: u64) -> Self {
        Self { replica: format!("{replica:016x}") }
    }

    /// Believes what is in the table, and says what is to be changed there. `there` is the time of
    /// Redis.
    fn compare(&self, named: &Named, entries: &[Entry], (there, now): (u64, Timestamp)) -> Changes {
        let mut changes = Changes::default();
        let mut own = HashMap::new();
        for entry in entries.iter().take(ENTRIES_MAX) {
            let Some(said) = Said::of(entry) else { continue };
            if said.replica == self.replica {
                own.insert(entry.name.as_str(), said.until);
                continue;
            }
            if said.until.saturating_add(KEPT) < there {
                changes.taken.push(entry.name.clone());
            }
            if let Some((id, standing)) = named.get(&said.backend) {
                said.believe(id, standing, (there, now));
            }
        }
        for (name, (_id, standing)) in named {
            for (kind, left) in wanted(standing, now) {
                let name = format!("{}:{name:016x}:{}", kind.word(), self.replica);
                let left = u64::try_from(left.as_micros()).unwrap_or(0);
                let until = there.saturating_add(left);
                // What goes on failing is said again before others forget it.
                let slack = if kind == Kind::Health { left / 2 } else { TOLERANCE };
                let known = own.remove(name.as_str());
                if known.is_none_or(|known| slack < known.abs_diff(until)) {
                    changes.put.push(Entry { name, value: until.to_string() });
                }
            }
        }
        // What does not hold any more.
        changes.taken.extend(own.into_keys().map(str::to_owned));
        changes
    }
}

/// Those that stand in some way, by what the table calls them.
fn named(backends: &Backends) -> Named {
    let named = backends.values().filter_map(|backend| {
        let standing = backend.standing.as_ref()?;
        let is_told = is_shared(standing) || standing.check().is_some();
        is_told.then_some(())?;
        Some((name_of(backend), (Arc::clone(&backend.id), Arc::clone(standing))))
    });
    named.collect()
}

/// What the table calls a backend: the same in all replicas that have it at the same place.
fn name_of(backend: &Backend) -> u64 {
    number([backend.id.as_bytes(), backend.base.to_string().as_bytes()])
}

/// What others are to be told of a backend, and for how long it holds.
fn wanted(standing: &Standing, now: Timestamp) -> impl Iterator<Item = (Kind, Duration)> {
    let own = standing.own_until(now).filter(|_until| is_shared(standing));
    let open = own.map(|until| (Kind::Circuit, until.since(now)));
    let check = standing.check().filter(|_check| standing.is_ailing());
    let ailing = check.map(|check| (Kind::Health, check.interval.saturating_mul(BELIEVED)));
    [open, ailing].into_iter().flatten()
}

fn is_shared(standing: &Standing) -> bool {
    standing.rule().is_some_and(|rule| rule.is_shared)
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Circuit => "c",
            Self::Health => "h",
        }
    }
}

impl<'a> Said<'a> {
    /// What `entry` says, if that can be understood.
    fn of(entry: &'a Entry) -> Option<Self> {
        let mut parts = entry.name.splitn(3, ':');
        let kind = match parts.next()? {
            "c" => Kind::Circuit,
            "h" => Kind::Health,
            _ => return None,
        };
        let backend = u64::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self { kind, backend, replica: parts.next()?, until: entry.value.parse().ok()? })
    }

    /// Believes what another replica says of a backend.
    fn believe(&self, id: &str, standing: &Standing, (there, now): (u64, Timestamp)) {
        let left = Duration::from_micros(self.until.saturating_sub(there)).min(OPEN_MAX);
        if left.is_zero() {
            return;
        }
        match self.kind {
            Kind::Health => standing.rumoured(now + left),
            Kind::Circuit if is_shared(standing) && standing.open(now + left, now) => {
                tracing::warn!(
                    backend = id,
                    seconds = left.as_secs_f64(),
                    replica = self.replica,
                    "another replica has opened a circuit: nothing is sent to the backend"
                );
            }
            Kind::Circuit => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BaseUrl;
    use crate::backend::check::{Ask, Check};
    use crate::backend::circuit::{Condition, Outcome, Reasons, Rule, Try};

    const SECOND: u64 = 1_000_000;

    fn rule(is_shared: bool) -> Rule {
        Rule {
            name: "rule".to_owned(),
            condition: Condition::Count(1),
            interval: Duration::from_mins(1),
            statuses: Vec::new(),
            reasons: Reasons { unreached: true, ..Reasons::default() },
            trip: Duration::from_secs(30),
            accepts_retry_after: false,
            failure_response: None,
            is_shared,
        }
    }

    fn check() -> Check {
        let (interval, timeout) = (Duration::from_secs(10), Duration::from_secs(2));
        Check { ask: Ask::Tcp, interval, timeout, unhealthy_after: 1, healthy_after: 1 }
    }

    /// A replica with one backend.
    fn replica(name: u64, is_shared: bool) -> (Table, Named, Arc<Standing>) {
        let standing = Arc::new(Standing::new(Some(rule(is_shared)), Some(check())));
        let base = Arc::new(BaseUrl::parse("http://east.example").unwrap());
        let backend = Backend {
            standing: Some(Arc::clone(&standing)),
            ..Backend::at(Arc::from("east"), base)
        };
        let backends = Backends::from_iter([(Arc::clone(&backend.id), Arc::new(backend))]);
        (Table::of(name), named(&backends), standing)
    }

    fn trip(standing: &Standing, now: Timestamp) {
        let outcome = Outcome::Unreached;
        standing.count(&Try { outcome, retry_after: None, begun: now, ended: now }).unwrap();
    }

    /// The table after what one of them makes of it.
    fn turn(of: &Table, named: &Named, table: &[Entry], times: (u64, Timestamp)) -> Vec<Entry> {
        let Changes { put, taken } = of.compare(named, table, times);
        let stays = |entry: &&Entry| {
            !taken.contains(&entry.name) && put.iter().all(|it| it.name != entry.name)
        };
        table.iter().filter(stays).chain(&put).cloned().collect()
    }

    #[test]
    fn a_trip_of_one_opens_the_circuits_of_all_until_the_same_moment() {
        let [(one, first, tripped), (two, second, told), (three, third, alone)] =
            [(1, true), (2, true), (3, false)].map(|(name, shared)| replica(name, shared));
        // Each has a clock of its own, and so has Redis.
        let (here, elsewhere, there) = (100 * SECOND, 900 * SECOND, 500 * SECOND);
        trip(&tripped, Timestamp::from_micros(here));
        let table = turn(&one, &first, &[], (there, Timestamp::from_micros(here)));
        assert_eq!(table.len(), 1);
        let later = Timestamp::from_micros(elsewhere);
        assert_eq!(turn(&two, &second, &table, (there + SECOND, later)), table);
        assert_eq!(told.open_until(later).unwrap().micros(), elsewhere + 29 * SECOND);
        assert_eq!(told.own_until(later), None, "it is not told on");
        turn(&three, &third, &table, (there + SECOND, later));
        assert_eq!(alone.open_until(later), None, "its rule says that it is not shared");
        // Nothing is written twice, what was lost is written again, and what is over is taken away.
        let soon = (there + SECOND, Timestamp::from_micros(here + SECOND));
        assert_eq!(one.compare(&first, &table, soon), Changes::default());
        assert_eq!(turn(&one, &first, &[], soon), table);
        let over = (there + 31 * SECOND, Timestamp::from_micros(here + 31 * SECOND));
        assert_eq!(turn(&one, &first, &table, over), []);
        // What a replica that is gone has left, others take away.
        let long = (there + 120 * SECOND, Timestamp::from_micros(elsewhere + 120 * SECOND));
        assert_eq!(turn(&two, &second, &table, long), []);
    }

    #[test]
    fn who_has_not_checked_yet_believes_the_others_checks() {
        let [(one, first, ailing), (two, second, new)] = [1, 2].map(|name| replica(name, true));
        let now = Timestamp::from_micros(SECOND);
        ailing.checked(false, now);
        let table = turn(&one, &first, &[], (SECOND, now));
        turn(&two, &second, &table, (SECOND, now));
        assert!(!new.is_healthy(now));
        // It is said again while it lasts, and no more when it is over.
        assert_eq!(turn(&one, &first, &table, (10 * SECOND, now)), table);
        assert_ne!(turn(&one, &first, &table, (20 * SECOND, now)), table);
        ailing.checked(true, now);
        assert_eq!(turn(&one, &first, &table, (SECOND, now)), []);
        new.checked(true, now);
        turn(&two, &second, &table, (SECOND, now));
        assert!(new.is_healthy(now));
    }

    #[test]
    fn what_nobody_of_us_wrote_is_left_alone() {
        let (one, first, standing) = replica(1, true);
        let entry =
            |name: &str, value: &str| Entry { name: name.to_owned(), value: value.to_owned() };
        let strange =
            [entry("c:zz:2", "9"), entry("x:0:2", "9"), entry("c:0:2", "soon"), entry("", "")];
        let now = Timestamp::from_micros(SECOND);
        assert_eq!(one.compare(&first, &strange, (SECOND, now)), Changes::default());
        // However long another one says that it is, it is bounded.
        let name = format!("c:{:016x}:2", first.keys().next().unwrap());
        one.compare(&first, &[entry(&name, &u64::MAX.to_string())], (SECOND, now));
        assert_eq!(standing.open_until(now).unwrap(), now + OPEN_MAX);
    }
}
