//! How many requests are inside at one time, and the permit that lets one in: counted by this
//! replica alone, or ([`pool`]) by all that share a Redis.

pub mod pool;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::limit::key::CounterKey;

/// How many keys can have a request inside at one time; one more is treated as full.
const KEYS_MAX: usize = 1 << 17;

/// How many requests are inside, by key. One lock: it is held for one look-up, and the requests of
/// a gateway that need it are those of one policy.
#[derive(Debug, Default)]
pub struct Concurrency {
    inside: Mutex<HashMap<CounterKey, Inside>>,
}

/// What is known of one key, as people are shown it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inside {
    /// How many are inside here.
    pub inside: u64,
    /// How many may be, as was said last.
    pub max: u64,
    /// What was lent to this replica, if replicas share.
    pub lent: Option<Lent>,
}

/// Permits that are lent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lent {
    /// To this replica.
    pub here: u64,
    /// To all together at most, when these were lent.
    pub all: u64,
    /// How many requests wait here for an answer.
    pub waiting: u64,
}

/// Where those who are inside are counted.
pub trait Door: Send + Sync + 'static {
    /// One who was let in under `key` has left.
    fn left(&self, key: &CounterKey);
}

/// One request that is inside. It leaves when this is dropped, on whatever path.
#[must_use = "who drops the permit has left"]
pub struct Permit {
    door: Arc<dyn Door>,
    key: CounterKey,
}

/// What one who wants in is told: at once where it is known, or a future where somebody else must
/// be asked; none if there is no room. It is a future itself.
pub enum Entrance {
    /// It is known.
    Now(Option<Permit>),
    /// It is on its way.
    Later(Pin<Box<dyn Future<Output = Option<Permit>> + Send>>),
}

impl Concurrency {
    /// Lets one more in under `key` unless `max` are inside. Nobody waits.
    ///
    /// Policies that share a key share the count, and each checks its own `max`.
    pub fn enter(self: &Arc<Self>, key: CounterKey, max: u32) -> Option<Permit> {
        let max = u64::from(max);
        let mut inside = self.lock();
        let keys = inside.len();
        match inside.entry(key) {
            Entry::Occupied(mut known) if known.get().inside < max => {
                let inside = known.get().inside.saturating_add(1);
                *known.get_mut() = Inside { inside, max, lent: None };
            }
            Entry::Vacant(none) if max > 0 && keys < KEYS_MAX => {
                none.insert(Inside { inside: 1, max, lent: None });
            }
            Entry::Occupied(_) | Entry::Vacant(_) => return None,
        }
        let door: Arc<dyn Door> = Arc::<Self>::clone(self);
        Some(Permit::new(door, key))
    }

    /// How many are inside under `key`.
    pub fn inside(&self, key: &CounterKey) -> u64 {
        self.lock().get(key).map_or(0, |known| known.inside)
    }

    /// Shows every key under which somebody is inside.
    pub fn look(&self, mut show: impl FnMut(CounterKey, Inside)) {
        for (key, known) in &*self.lock() {
            show(*key, *known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CounterKey, Inside>> {
        // Nothing panics while it is held; and a count is right after any single step.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door for Concurrency {
    fn left(&self, key: &CounterKey) {
        if let Entry::Occupied(mut known) = self.lock().entry(*key) {
            if known.get().inside > 1 {
                known.get_mut().inside = known.get().inside.saturating_sub(1);
            } else {
                known.remove();
            }
        }
    }
}

impl Future for Entrance {
    type Output = Option<Permit>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(permit) => Poll::Ready(permit.take()),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl Permit {
    /// For one who was let in through `door` under `key`.
    pub fn new(door: Arc<dyn Door>, key: CounterKey) -> Self {
        Self { door, key }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.door.left(&self.key);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use proptest::prelude::*;

    fn key(identity: &str) -> CounterKey {
        KeySpace::new(Kind::Concurrency, &[]).key(identity)
    }

    #[test]
    fn one_more_than_the_most_is_refused_at_once() {
        let concurrency = Arc::new(Concurrency::default());
        let first = concurrency.enter(key("a"), 2).unwrap();
        let second = concurrency.enter(key("a"), 2).unwrap();
        assert!(concurrency.enter(key("a"), 2).is_none());
        assert!(concurrency.enter(key("a"), 3).is_some(), "another policy has its own most");
        assert!(concurrency.enter(key("b"), 1).is_some());
        drop(first);
        assert!(concurrency.enter(key("a"), 2).is_some());
        drop(second);
        assert!(concurrency.enter(key("a"), 0).is_none());
    }

    #[test]
    fn keys_are_bounded() {
        let concurrency = Arc::new(Concurrency::default());
        let enter = |index: usize| concurrency.enter(key(&index.to_string()), 1);
        let permits: Vec<_> = (0..KEYS_MAX).map(|index| enter(index).unwrap()).collect();
        assert!(enter(KEYS_MAX).is_none());
        drop(permits);
        assert!(enter(KEYS_MAX).is_some());
        assert!(concurrency.lock().is_empty());
    }

    #[test]
    fn many_threads_and_panics_leave_nobody_inside() {
        let concurrency = Arc::new(Concurrency::default());
        let visit = |seed: u64| {
            let key = key(&(seed % 3).to_string());
            let lost = |round: u64| (seed + round).is_multiple_of(250);
            for round in 0..500 {
                let permit = concurrency.enter(key, 2);
                assert!(concurrency.inside(&key) <= 2);
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let _moved = permit;
                    if lost(round) {
                        std::panic::resume_unwind(Box::new("lost its way"));
                    }
                }));
                assert_eq!(outcome.is_err(), lost(round));
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..8 {
                scope.spawn(move || visit(seed));
            }
        });
        assert!(concurrency.lock().is_empty());
    }

    proptest! {
        #[test]
        fn inside_is_who_entered_and_has_not_left(
            steps in prop::collection::vec((0_u8..4, 0_u32..4, any::<bool>()), 0..200),
        ) {
            let concurrency = Arc::new(Concurrency::default());
            let mut permits: Vec<(u8, Permit)> = Vec::new();
            for (name, max, leaves) in steps {
                let inside = permits.iter().filter(|(other, _)| *other == name).count();
                let id = key(&name.to_string());
                prop_assert_eq!(usize::try_from(concurrency.inside(&id)).unwrap(), inside);
                if leaves {
                    permits.truncate(permits.len() / 2);
                } else if let Some(permit) = concurrency.enter(id, max) {
                    prop_assert!(inside < usize::try_from(max).unwrap());
                    permits.push((name, permit));
                } else {
                    prop_assert!(inside >= usize::try_from(max).unwrap());
                }
            }
            drop(permits);
            prop_assert!(concurrency.lock().is_empty());
        }
    }
}
