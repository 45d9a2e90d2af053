//! Series of one kind, told apart by the values of their labels: as many as there may be, and one
//! for all others.
//!
//! Whoever counts finds a series without a lock and without an allocation: the map is only read,
//! and who makes a new series puts a new map in its place. So that this costs little while a
//! gateway sees its first requests, there are [`SHARDS`] of them. The hash of the labels
//! ([`hash`](super::hash)) is keyed at random, so that nobody can choose labels that meet in one place.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::telemetry::traffic::hash::{AsItIs, Key};

/// Over how many maps the series of a family are spread.
const SHARDS: usize = 64;
/// What every label says of what has no series of its own.
pub const OTHER: &str = "(other)";

/// Series with the values of `N` labels each; an empty value is a label that is not there.
pub struct Family<const N: usize, C> {
    key: Key,
    shards: Box<[Shard<N, C>]>,
    /// How many series there are, without the one for all others.
    count: AtomicUsize,
    most: usize,
    other: Arc<Series<N, C>>,
    folded: AtomicU64,
    make: Make<C>,
}

type Make<C> = Box<dyn Fn() -> C + Send + Sync>;

/// One series.
#[derive(Debug)]
pub struct Series<const N: usize, C> {
    /// The values of its labels.
    pub labels: [Box<str>; N],
    /// What is counted.
    pub cells: C,
}

/// Series by the hash of their labels; nearly always one for each.
type Known<const N: usize, C> = HashMap<u64, Vec<Arc<Series<N, C>>>, BuildHasherDefault<AsItIs>>;

struct Shard<const N: usize, C> {
    known: ArcSwap<Known<N, C>>,
    /// Held by who puts a new map there.
    growing: Mutex<()>,
}

impl<const N: usize, C> Family<N, C> {
    /// At most `most` series, of what `make` makes.
    pub fn new(most: usize, make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        let shard = |_number| Shard { known: ArcSwap::default(), growing: Mutex::default() };
        let labels = std::array::from_fn(|_label| Box::from(OTHER));
        Self {
            key: Key::random(),
            shards: (0..SHARDS).map(shard).collect(),
            count: AtomicUsize::new(0),
            most,
            other: Arc::new(Series { labels, cells: make() }),
            folded: AtomicU64::new(0),
            make: Box::new(make),
        }
    }

    /// Counts in the series of these labels, or in the one for all others.
    pub fn with<R>(&self, labels: [&str; N], count: impl FnOnce(&Arc<Series<N, C>>) -> R) -> R {
        let hash = self.key.hash(&labels);
        let Some(shard) = self.shard(hash) else { return count(&self.other) };
        if let Some(series) = find(&shard.known.load(), hash, labels) {
            return count(series);
        }
        if let Some(series) = self.begin(shard, hash, labels) {
            return count(&series);
        }
        self.folded.fetch_add(1, Ordering::Relaxed);
        count(&self.other)
    }

    /// All series with something in them, in the order of their labels; that for all others last.
    pub fn all(&self) -> Vec<Arc<Series<N, C>>> {
        let shards = self.shards.iter().map(|shard| shard.known.load_full());
        let mut all: Vec<_> = shards
            .flat_map(|known| known.values().flatten().cloned().collect::<Vec<_>>())
            .collect();
        all.sort_by(|one, other| one.labels.cmp(&other.labels));
        if 0 < self.folded() {
            all.push(Arc::clone(&self.other));
        }
        all
    }

    /// How often the one for all others was counted in.
    pub fn folded(&self) -> u64 {
        self.folded.load(Ordering::Relaxed)
    }

    fn shard(&self, hash: u64) -> Option<&Shard<N, C>> {
        let count = u64::try_from(self.shards.len()).ok()?;
        self.shards.get(usize::try_from(hash.checked_rem(count)?).ok()?)
    }

    /// A new series, if there is room for one.
    fn begin(
        &self,
        shard: &Shard<N, C>,
        hash: u64,
        labels: [&str; N],
    ) -> Option<Arc<Series<N, C>>> {
        if self.most <= self.count.load(Ordering::Relaxed) {
            return None;
        }
        let _growing = shard.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shard.known.load_full();
        if let Some(series) = find(&known, hash, labels) {
            return Some(Arc::clone(series));
        }
        let room = |count: usize| (count < self.most).then(|| count.saturating_add(1));
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let series = Arc::new(Series { labels: labels.map(Box::from), cells: (self.make)() });
        let mut known = Known::clone(&known);
        known.entry(hash).or_default().push(Arc::clone(&series));
        shard.known.store(Arc::new(known));
        Some(series)
    }
}

fn find<'k, const N: usize, C>(
    known: &'k Known<N, C>,
    hash: u64,
    labels: [&str; N],
) -> Option<&'k Arc<Series<N, C>>> {
    // Comparing nothing with nothing takes some processors longer than all else here.
    let is_equal =
        |own: &str, other: &str| own.len() == other.len() && (own.is_empty() || own == other);
    let is_same = |series: &&Arc<Series<N, C>>| {
        series.labels.iter().zip(labels).all(|(own, other)| is_equal(own, other))
    };
    known.get(&hash)?.iter().find(is_same)
}

impl<const N: usize, C> fmt::Debug for Family<N, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Family");
        shown.field("count", &self.count).field("folded", &self.folded).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn family(most: usize) -> Family<2, AtomicU64> {
        Family::new(most, || AtomicU64::new(0))
    }

    fn count(family: &Family<2, AtomicU64>, labels: [&str; 2]) {
        family.with(labels, |series| series.cells.fetch_add(1, Ordering::Relaxed));
    }

    fn seen(family: &Family<2, AtomicU64>) -> Vec<(String, u64)> {
        let all = family.all();
        all.iter()
            .map(|series| (series.labels.join(" "), series.cells.load(Ordering::Relaxed)))
            .collect()
    }

    #[test]
    fn each_set_of_labels_has_a_series_and_those_beyond_the_bound_share_one() {
        let family = family(2);
        for labels in [["b", "x"], ["a", "x"], ["b", "x"], ["c", "x"], ["d", "x"], ["a", "x"]] {
            count(&family, labels);
        }
        let rows = [("a x", 2), ("b x", 2), ("(other) (other)", 2)];
        assert_eq!(seen(&family), rows.map(|(labels, count)| (labels.to_owned(), count)));
        assert_eq!(family.folded(), 2);
    }

    #[test]
    fn threads_that_meet_lose_nothing_and_stay_within_the_bound() {
        let family = family(100);
        thread::scope(|scope| {
            for _thread in 0..4 {
                scope.spawn(|| {
                    for number in 0..20_000 {
                        count(&family, ["n", &(number % 150).to_string()]);
                    }
                });
            }
        });
        let seen = seen(&family);
        assert_eq!(seen.len(), 101);
        assert_eq!(seen.iter().map(|(_labels, count)| count).sum::<u64>(), 80_000);
    }
}
