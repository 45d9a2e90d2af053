//! A cache in this process, bounded in bytes.
//!
//! Items leave when they are not asked for and others need the room, or when they are asked for
//! after their time; what is over its time and never asked for counts against the bound until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache as Quick;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use crate::exchange::cached::CacheKey;
use crate::time::Timestamp;

/// How much a cache holds unless told otherwise: 64 MiB.
pub const BYTES_MAX: usize = 64 << 20;

/// How large one item can be unless told otherwise: 2 MiB.
pub const ITEM_BYTES_MAX: usize = 2 << 20;

/// What an item takes up beside itself: its key, its place in the index, what is remembered of
/// items that left.
const ITEM_OVERHEAD_BYTES: usize = 160;

/// The size of an item that the index is laid out for; it grows and shrinks with others.
const ITEM_BYTES_TYPICAL: usize = 4 << 10;

/// The most locks that items are spread over.
const SHARDS_MAX: usize = 16;

/// How many items of the largest size a shard holds at least: less, and one would empty it.
const LARGEST_PER_SHARD: usize = 4;

/// A cache of `V`, which should be cheap to clone: each hit is a clone.
#[derive(Debug)]
pub struct Cache<V> {
    items: Quick<CacheKey, Kept<V>, Weigh, DefaultHashBuilder, Leaving>,
    item_bytes_max: usize,
    hits: AtomicU64,
    misses: AtomicU64,
    evicted: Arc<AtomicU64>,
}

/// Counts what leaves because others need the room.
#[derive(Clone, Debug)]
struct Leaving(Arc<AtomicU64>);

impl<V> Lifecycle<CacheKey, Kept<V>> for Leaving {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: CacheKey, _: Kept<V>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Something to be kept.
#[derive(Clone, Debug)]
pub struct Item<V> {
    /// What.
    pub value: V,
    /// How many bytes it takes up, about.
    pub bytes: usize,
}

/// An item is larger than the cache takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an item of {bytes} bytes is larger than the {bytes_max} bytes that the cache takes")]
pub struct ItemTooLarge {
    /// Its size.
    pub bytes: usize,
    /// The largest size there is room for.
    pub bytes_max: usize,
}

#[derive(Clone, Debug)]
struct Kept<V> {
    value: V,
    weight: u64,
    ends: Timestamp,
}

#[derive(Clone, Debug)]
struct Weigh;

impl<V> Weighter<CacheKey, Kept<V>> for Weigh {
    fn weight(&self, _: &CacheKey, item: &Kept<V>) -> u64 {
        item.weight
    }
}

impl<V: Clone> Cache<V> {
    /// A cache that never holds more than `bytes_max`, and no item above `item_bytes_max` or a
    /// quarter of the whole.
    pub fn new(bytes_max: usize, item_bytes_max: usize) -> Self {
        let item_bytes_max = item_bytes_max.min(bytes_max / LARGEST_PER_SHARD);
        let largest = item_bytes_max.saturating_add(ITEM_OVERHEAD_BYTES);
        let room = (bytes_max / largest.saturating_mul(LARGEST_PER_SHARD).max(1)).max(1);
        // A power of two at most as large: the cache would round up.
        let shards = 1_usize << room.ilog2().min(SHARDS_MAX.ilog2());
        // It would round up each shard's part as well.
        let bytes = u64::try_from(bytes_max / shards * shards).unwrap_or(u64::MAX);
        // Below 32 items a shard there would be fewer of them.
        let items = (bytes_max / ITEM_BYTES_TYPICAL).max(shards * 32);
        let evicted = Arc::default();
        let lifecycle = Leaving(Arc::clone(&evicted));
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .shards(shards)
            .build();
        let items = match options {
            Ok(options) => {
                let hasher = DefaultHashBuilder::default();
                Quick::with_options(options, Weigh, hasher, lifecycle.clone())
            }
            // Both figures are given, so this is not reached; it holds the same bytes.
            Err(_) => Quick::with(items, bytes, Weigh, DefaultHashBuilder::default(), lifecycle),
        };
        let (hits, misses) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { items, item_bytes_max, hits, misses, evicted }
    }

    /// What was put under `key`, unless it is over or was forgotten.
    pub fn get(&self, key: &CacheKey, now: Timestamp) -> Option<V> {
        let found = self.find(key, now);
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn find(&self, key: &CacheKey, now: Timestamp) -> Option<V> {
        let item = self.items.get(key)?;
        if now < item.ends {
            return Some(item.value);
        }
        // Not one that somebody has put there since.
        self.items.remove_if(key, |item| item.ends <= now);
        None
    }

    /// Keeps `item` under `key` for `ttl`, in place of what was there.
    ///
    /// An item that is refused leaves nothing there: what it was to replace is out of date.
    pub fn put(
        &self,
        key: CacheKey,
        item: Item<V>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<(), ItemTooLarge> {
        let Item { value, bytes } = item;
        if bytes > self.item_bytes_max {
            self.remove(&key);
            return Err(ItemTooLarge { bytes, bytes_max: self.item_bytes_max });
        }
        let weight = u64::try_from(bytes.saturating_add(ITEM_OVERHEAD_BYTES)).unwrap_or(u64::MAX);
        self.items.insert(key, Kept { value, weight, ends: now + ttl });
        Ok(())
    }

    /// Forgets what is under `key`.
    pub fn remove(&self, key: &CacheKey) {
        self.items.remove(key);
    }

    /// How often something was found, and how often it was not.
    pub fn lookups(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// How many items left because others needed the room.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.items.weight()
    }

    /// How many items it holds, those included that are over and were not asked for since.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Display;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn key(name: impl Display) -> CacheKey {
        CacheKey::new([format!("{name}")])
    }

    fn item<V>(value: V, bytes: usize) -> Item<V> {
        Item { value, bytes }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn an_item_is_there_for_its_time() {
        let cache = Cache::new(1 << 20, 1 << 10);
        cache.put(key("a"), item("x", 1), MINUTE, at(0)).unwrap();
        assert_eq!(cache.get(&key("a"), at(59)), Some("x"));
        assert_eq!(cache.get(&key("b"), at(0)), None);
        assert_eq!(cache.get(&key("a"), at(60)), None);
        assert!(cache.is_empty(), "who asks too late takes it away");
        cache.put(key("a"), item("y", 1), Duration::ZERO, at(0)).unwrap();
        assert_eq!(cache.get(&key("a"), at(0)), None);
    }

    #[test]
    fn the_last_put_wins_and_a_remove_removes() {
        let cache = Cache::new(1 << 20, 1 << 10);
        cache.put(key("a"), item(1, 100), MINUTE, at(0)).unwrap();
        cache.put(key("a"), item(2, 200), MINUTE, at(1)).unwrap();
        assert_eq!((cache.get(&key("a"), at(2)), cache.len()), (Some(2), 1));
        cache.remove(&key("a"));
        assert_eq!((cache.get(&key("a"), at(2)), cache.bytes()), (None, 0));
    }

    #[test]
    fn an_item_that_is_too_large_is_refused_and_leaves_nothing_out_of_date() {
        let cache = Cache::new(1 << 20, 1 << 10);
        cache.put(key("a"), item(1, 1 << 10), MINUTE, at(0)).unwrap();
        let error = cache.put(key("a"), item(2, 1_025), MINUTE, at(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "an item of 1025 bytes is larger than the 1024 bytes that the cache takes"
        );
        assert_eq!(cache.get(&key("a"), at(0)), None);
    }

    #[test]
    fn the_largest_item_fits_whatever_the_size_of_the_cache() {
        for bytes_max in [1 << 12, 100_003, 1 << 20, BYTES_MAX, 1 << 30] {
            let cache = Cache::new(bytes_max, ITEM_BYTES_MAX);
            let largest = cache.item_bytes_max;
            for index in 0..8 {
                cache.put(key(index), item(index, largest), MINUTE, at(0)).unwrap();
                assert_eq!(cache.get(&key(index), at(1)), Some(index), "{bytes_max}");
            }
        }
        assert!(Cache::new(0, 0).put(key(0), item(0, 1), MINUTE, at(0)).is_err());
    }

    #[test]
    fn what_is_asked_for_stays() {
        let cache = Cache::new(1 << 20, 1 << 10);
        cache.put(key("hot"), item(0, 1_000), MINUTE, at(0)).unwrap();
        for index in 1..10_000 {
            cache.put(key(index), item(index, 1_000), MINUTE, at(0)).unwrap();
            assert_eq!(cache.get(&key("hot"), at(1)), Some(0), "{index}");
        }
    }

    #[test]
    fn threads_together_stay_within_the_bound() {
        let cache = Arc::new(Cache::new(1 << 20, 64 << 10));
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let cache = Arc::clone(&cache);
                scope.spawn(move || {
                    for index in 0..5_000 {
                        let size = (index * 7_919 + thread) % (64 << 10);
                        cache.put(key(index % 300), item(index, size), MINUTE, at(0)).unwrap();
                        assert!(cache.bytes() <= 1 << 20);
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn a_cache_stays_within_its_bound_and_never_answers_what_was_not_put(
            bytes_max in 1_000_usize..300_000,
            item_bytes_max in 1_usize..50_000,
            steps in prop::collection::vec((0_u8..40, 0_usize..20_000, 0_u64..100, 0_u64..5), 1..400),
        ) {
            let cache = Cache::new(bytes_max, item_bytes_max);
            let mut oracle: HashMap<u8, (usize, Timestamp)> = HashMap::new();
            let mut seconds = 0;
            for (step, (name, bytes, ttl, pause)) in steps.into_iter().enumerate() {
                seconds += pause;
                let now = at(seconds);
                if let Some(value) = cache.get(&key(name), now) {
                    let (put, ends) = oracle[&name];
                    prop_assert!(value == put && now < ends);
                }
                let ttl = Duration::from_secs(ttl);
                match cache.put(key(name), item(step, bytes), ttl, now) {
                    Ok(()) => oracle.insert(name, (step, now + ttl)),
                    Err(_) => oracle.remove(&name),
                };
                prop_assert!(cache.bytes() <= u64::try_from(bytes_max).unwrap());
            }
        }
    }
}
