//! The copy of the totals of quotas on a shelf that all replicas share (etcd): for a Redis that lost
//! its data while no replica lived, also where replicas have no disk.
//!
//! The totals lie in [`PARTS`] values, by their keys. Each replica brings to them what it knows,
//! once a minute: it reads a value, takes the larger of each two totals, and writes it only if that
//! changed something and nobody else did meanwhile. Within a period totals only grow, so it does
//! not matter who writes, or in what order. Totals of periods that are over are left out, and a
//! value that nobody writes any more vanishes.
//!
//! The shelf is never waited for by a request: what is wrong with it is told, and tried again.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::counters::shared::journal::snapshot::{Origin, decode, encode, held};
use crate::limit::engine::quota::Total;
use crate::limit::key::CounterKey;
use crate::limit::order::Span;
use crate::time::Timestamp;

/// Over how many values the totals are spread. All replicas must agree on it.
pub const PARTS: u8 = 16;

/// How many totals a value holds at most: 0.9 MB, where etcd takes 1.5.
const TOTALS_OF_PART_MAX: usize = 16_384;

/// How long a value lasts that nobody writes: longer than a month, over which quotas count.
const LASTS: Duration = Duration::from_hours(35 * 24);

/// For how many rounds of copying a lease is used: a day. So a value lasts a day less at worst.
const ROUNDS_OF_LEASE: u32 = 1_440;

/// A shelf. What goes wrong is told in sentences for operators.
#[async_trait]
pub trait Shelf: Debug + Send + Sync + 'static {
    /// What lies under `key`, and a number that changes whenever it does; nothing, if nothing does.
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, i64)>, String>;

    /// Puts `bytes` under `key` if the number is still `known` (0: there is nothing), and says
    /// whether it was. They vanish with `lease`.
    async fn put(&self, key: &str, bytes: &[u8], known: i64, lease: i64) -> Result<bool, String>;

    /// A lease that lasts so long.
    async fn lease(&self, lasts: Duration) -> Result<i64, String>;
}

/// The copy on a shelf.
#[derive(Debug)]
pub(in crate::counters::shared) struct Copies {
    shelf: Arc<dyn Shelf>,
    origin: Origin,
    /// The lease in use, and for how many rounds more.
    lease: Mutex<Option<(i64, u32)>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What went wrong the last time, if it did.
    fault: Option<String>,
    /// When everything was read, and where necessary written, for the last time.
    done: Option<Timestamp>,
}

/// What a total is of.
type Of = (CounterKey, u64, Span);

impl Copies {
    /// The copy on `shelf` of quotas of that origin.
    pub(in crate::counters::shared) fn new(shelf: Arc<dyn Shelf>, origin: Origin) -> Self {
        Self { shelf, origin, lease: Mutex::default(), state: Mutex::default() }
    }

    /// What is wrong with it, and when it was last in order.
    pub(in crate::counters::shared) fn condition(&self) -> (Option<String>, Option<Timestamp>) {
        let state = held(&self.state);
        (state.fault.clone(), state.done)
    }

    /// All totals that lie there.
    pub(in crate::counters::shared) async fn read(&self) -> Option<Vec<Total>> {
        let mut totals = Vec::new();
        for part in 0..PARTS {
            match self.part(part).await {
                Ok((found, _known)) => totals.extend(found),
                Err(fault) => {
                    self.tell(Err(fault), None);
                    return None;
                }
            }
        }
        self.tell(Ok(()), None);
        Some(totals)
    }

    /// Brings `totals` to what lies there; `is_over` says which have no use any more.
    pub(in crate::counters::shared) async fn write(
        &self,
        totals: Vec<Total>,
        is_over: impl Fn(&Total) -> bool,
        now: Timestamp,
    ) {
        let mut parts: HashMap<u8, Vec<Total>> = HashMap::new();
        for total in totals {
            parts.entry(part_of(&total)).or_default().push(total);
        }
        let mut outcome = Ok(());
        for (part, totals) in parts {
            if let Err(fault) = self.bring(part, &totals, &is_over).await {
                outcome = Err(fault);
                break;
            }
        }
        self.tell(outcome, Some(now));
        if let Some((_, rounds)) = held(&self.lease).as_mut() {
            *rounds = rounds.saturating_sub(1);
        }
    }

    async fn bring(
        &self,
        part: u8,
        totals: &[Total],
        is_over: &impl Fn(&Total) -> bool,
    ) -> Result<(), String> {
        let (found, known) = self.part(part).await?;
        let Some(merged) = merge(found, totals, is_over) else { return Ok(()) };
        let lease = self.leased().await?;
        let bytes = encode(self.origin, &merged);
        let put = self.shelf.put(&self.key(part), &bytes, known, lease).await;
        if put.is_err() {
            // Perhaps the lease is gone.
            *held(&self.lease) = None;
        }
        // Where somebody else was faster, the next round sees what is missing then.
        put.map(|_is_ours| ())
    }

    async fn part(&self, part: u8) -> Result<(Vec<Total>, i64), String> {
        let key = self.key(part);
        let Some((bytes, known)) = self.shelf.get(&key).await? else {
            return Ok((Vec::new(), 0));
        };
        let totals = decode(self.origin, &bytes);
        let totals = totals.map_err(|unusable| {
            format!("{key} is not used: {unusable}; it is left as it is, delete it to begin anew")
        })?;
        Ok((totals, known))
    }

    async fn leased(&self) -> Result<i64, String> {
        if let Some((lease, rounds)) = *held(&self.lease)
            && 0 < rounds
        {
            return Ok(lease);
        }
        let lease = self.shelf.lease(LASTS).await?;
        *held(&self.lease) = Some((lease, ROUNDS_OF_LEASE));
        Ok(lease)
    }

    fn key(&self, part: u8) -> String {
        let origin = u128::from_be_bytes(self.origin);
        format!("quotas/{origin:032x}/{part:02}")
    }

    /// Notes how it went; says so when it begins to go wrong, and when it is over.
    fn tell(&self, outcome: Result<(), String>, now: Option<Timestamp>) {
        let mut state = held(&self.state);
        match (&outcome, &state.fault) {
            (Err(fault), None) => tracing::error!(
                "the copy of the totals of quotas in etcd cannot be kept: {fault}. Requests are \
                 served as before. What was used of quotas since the last copy is lost if Redis \
                 loses its data while no replica runs"
            ),
            (Ok(()), Some(_)) => {
                tracing::info!("the copy of the totals of quotas in etcd is kept again");
            }
            _ => (),
        }
        if outcome.is_ok() && now.is_some() {
            state.done = now;
        }
        state.fault = outcome.err();
    }
}

/// The value that a total lies in.
fn part_of(total: &Total) -> u8 {
    let [.., last] = total.meter.key.to_bytes();
    last % PARTS
}

/// The larger of each two totals, without those that are over; nothing, if that is what was found.
fn merge(
    found: Vec<Total>,
    own: &[Total],
    is_over: &impl Fn(&Total) -> bool,
) -> Option<Vec<Total>> {
    let of = |total: &Total| -> Of { (total.meter.key, total.meter.period, total.span) };
    let mut merged: HashMap<Of, Total> = HashMap::new();
    for total in found {
        merged.insert(of(&total), total);
    }
    let mut has_grown = false;
    for total in own.iter().filter(|total| !is_over(total)) {
        let known = merged.get(&of(total)).map_or(0, |known| known.total);
        if known < total.total {
            has_grown = true;
            merged.insert(of(total), *total);
        }
    }
    if !has_grown {
        return None;
    }
    let mut totals: Vec<Total> = merged.into_values().filter(|total| !is_over(total)).collect();
    if TOTALS_OF_PART_MAX < totals.len() {
        // What counts for longest is missed most, and then what is used most.
        totals.sort_unstable_by_key(|total| std::cmp::Reverse((total.span.ends, total.total)));
        totals.truncate(TOTALS_OF_PART_MAX);
    }
    Some(totals)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::counters::shared::journal::snapshot::origin_of;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::Meter;

    /// A shelf in memory.
    #[derive(Debug, Default)]
    struct Board {
        values: Mutex<BTreeMap<String, (Vec<u8>, i64)>>,
        leases: Mutex<i64>,
        is_away: Mutex<bool>,
        /// What somebody else puts under a key as soon as it was read.
        rival: Mutex<Option<Vec<u8>>>,
    }

    impl Board {
        fn up(&self) -> Result<(), String> {
            if *held(&self.is_away) { Err("away".to_owned()) } else { Ok(()) }
        }

        fn change(&self, key: &str, bytes: Vec<u8>) {
            let mut values = held(&self.values);
            let change = values.values().map(|(_, change)| *change).max().unwrap_or(0) + 1;
            values.insert(key.to_owned(), (bytes, change));
        }

        fn changes(&self) -> i64 {
            held(&self.values).values().map(|(_, change)| *change).max().unwrap_or(0)
        }
    }

    #[async_trait]
    impl Shelf for Board {
        async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, i64)>, String> {
            self.up()?;
            let found = held(&self.values).get(key).cloned();
            if let Some(bytes) = held(&self.rival).take() {
                self.change(key, bytes);
            }
            Ok(found)
        }

        async fn put(&self, key: &str, bytes: &[u8], known: i64, _: i64) -> Result<bool, String> {
            self.up()?;
            let is_known = held(&self.values).get(key).map_or(0, |(_, change)| *change) == known;
            if is_known {
                self.change(key, bytes.to_vec());
            }
            Ok(is_known)
        }

        async fn lease(&self, _: Duration) -> Result<i64, String> {
            self.up()?;
            *held(&self.leases) += 1;
            Ok(*held(&self.leases))
        }
    }

    fn total(name: &str, total: u64) -> Total {
        let key = KeySpace::new(Kind::QuotaCalls, &[]).key(name);
        let span = Span { starts: 0, ends: 1_000 };
        Total { meter: Meter { key, period: 1_000 }, span, total, run: 7 }
    }

    fn copies(board: &Arc<Board>) -> Copies {
        let shelf: Arc<dyn Shelf> = Arc::<Board>::clone(board);
        Copies::new(shelf, origin_of("weir:"))
    }

    async fn write(copies: &Copies, totals: &[Total]) {
        let now = Timestamp::from_micros(5);
        copies.write(totals.to_vec(), |total| total.span.ends < 1_000, now).await;
    }

    async fn totals(copies: &Copies) -> Vec<(CounterKey, u64)> {
        let found = copies.read().await.expect("it is there");
        let mut found: Vec<_> = found.iter().map(|it| (it.meter.key, it.total)).collect();
        found.sort_unstable();
        found
    }

    fn sorted(totals: &[Total]) -> Vec<(CounterKey, u64)> {
        let mut totals: Vec<_> = totals.iter().map(|it| (it.meter.key, it.total)).collect();
        totals.sort_unstable();
        totals
    }

    #[tokio::test]
    async fn of_what_replicas_know_the_larger_stays_whoever_writes_last() {
        let board = Arc::new(Board::default());
        let (one, other) = (copies(&board), copies(&board));
        assert_eq!(totals(&one).await, []);
        write(&one, &[total("a", 5), total("b", 9), total("c", 1)]).await;
        write(&other, &[total("a", 7), total("b", 2), total("d", 4)]).await;
        let all = [total("a", 7), total("b", 9), total("c", 1), total("d", 4)];
        assert_eq!(totals(&one).await, sorted(&all));
        assert_eq!(*held(&board.leases), 2, "one for each replica");
    }

    #[tokio::test]
    async fn nothing_is_written_that_changes_nothing() {
        let board = Arc::new(Board::default());
        let copies = copies(&board);
        write(&copies, &[total("a", 5)]).await;
        let before = board.changes();
        write(&copies, &[total("a", 5)]).await;
        write(&copies, &[total("a", 4)]).await;
        assert_eq!(board.changes(), before);
        assert_eq!(copies.condition(), (None, Some(Timestamp::from_micros(5))));
    }

    #[tokio::test]
    async fn who_comes_second_overwrites_nothing_and_comes_again() {
        let board = Arc::new(Board::default());
        let copies = copies(&board);
        let rival = total("a", 8);
        *held(&board.rival) = Some(encode(origin_of("weir:"), &[rival]));
        write(&copies, &[total("a", 9)]).await;
        assert_eq!(totals(&copies).await, sorted(&[rival]));
        write(&copies, &[total("a", 9)]).await;
        assert_eq!(totals(&copies).await, sorted(&[total("a", 9)]));
    }

    #[tokio::test]
    async fn what_is_over_is_left_out() {
        let board = Arc::new(Board::default());
        let copies = copies(&board);
        let old = Total { span: Span { starts: 0, ends: 999 }, ..total("a", 5) };
        let key = copies.key(part_of(&old));
        board.change(&key, encode(origin_of("weir:"), &[old]));
        write(&copies, &[old, total("a", 1)]).await;
        assert_eq!(totals(&copies).await, sorted(&[total("a", 1)]));
    }

    #[tokio::test]
    async fn a_value_that_cannot_be_read_is_told_and_left_alone() {
        let board = Arc::new(Board::default());
        let copies = copies(&board);
        let key = copies.key(part_of(&total("a", 1)));
        board.change(&key, b"something else".to_vec());
        write(&copies, &[total("a", 5)]).await;
        assert_eq!(board.changes(), 1);
        let (fault, _) = copies.condition();
        let told = fault.unwrap_or_default();
        assert!(told.contains(&key) && told.contains("delete it"), "{told}");
    }

    #[tokio::test]
    async fn a_shelf_that_is_away_is_told_until_it_is_back() {
        let board = Arc::new(Board::default());
        let copies = copies(&board);
        *held(&board.is_away) = true;
        assert!(copies.read().await.is_none());
        write(&copies, &[total("a", 5)]).await;
        assert_eq!(copies.condition(), (Some("away".to_owned()), None));
        *held(&board.is_away) = false;
        write(&copies, &[total("a", 5)]).await;
        assert_eq!(copies.condition(), (None, Some(Timestamp::from_micros(5))));
    }

    #[test]
    fn a_value_stays_below_what_etcd_takes() {
        let own: Vec<Total> = (0..=TOTALS_OF_PART_MAX)
            .map(|number| total(&number.to_string(), 1 + u64::try_from(number).unwrap()))
            .collect();
        let merged = merge(Vec::new(), &own, &|_| false).expect("it grew");
        assert_eq!(merged.len(), TOTALS_OF_PART_MAX);
        assert!(merged.iter().all(|total| 1 < total.total), "the least is left out");
        assert!(encode(origin_of("weir:"), &merged).len() < 1_000_000);
    }
}
