//! Counters in this process: for one gateway alone.
//!
//! # What it costs
//! Up to [`KEYS_MAX`] keys, at most 200 bytes each while they are rarely used; a key with many
//! calls in its window up to 4 KiB more. Counters in which nothing counts any more are swept out a
//! few at a time, by those who bring new keys; nobody waits for a sweep.
//!
//! # When it is full
//! No counter that still counts is dropped, for whoever owns it would get a second limit. A new
//! key then uses a counter that all new keys of its kind share: together they get what one of them
//! was to get. So limits hold for each key, known or new, and what suffers is new keys until room
//! is made. [`Memory::usage`] says that it happens.
//!
//! What was used is lost when the process ends.

mod look;

use std::array;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::counters::memory::look::{Manners, Seen};
use crate::limit::counter::Counter;
use crate::limit::key::{CounterKey, Kind};
use crate::limit::{Answer, Charge, Counters, Tallies, Tally, cost_of, taken};
use crate::time::Timestamp;

/// How many keys there can be: as many as 64 tables of 16,384 places hold before they grow again.
pub const KEYS_MAX: usize = SHARDS * 14_336;

/// How many locks the keys are spread over.
const SHARDS: usize = 64;

/// How many counters are looked at for each new key. With two, the old leave faster than the new
/// arrive.
const SWEPT_PER_KEY: usize = 2;

/// How many are looked at when there is no room for it.
const SWEPT_WHEN_FULL: usize = 32;

/// Counters in maps.
#[derive(Debug)]
pub struct Memory {
    // Seeded: a client that chooses identities cannot choose where they fall.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// How full a [`Memory`] is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// How many keys have a counter.
    pub keys: usize,
    /// How many can have one.
    pub keys_max: usize,
    /// How many charges went to shared counters since the start because there was no room.
    pub crowded: u64,
    /// How many charges were taken since the start.
    pub taken: u64,
    /// How many charges were refused since the start.
    pub refused: u64,
}

#[derive(Debug)]
struct Shard {
    keys_max: usize,
    counters: HashMap<CounterKey, Held>,
    /// Every key of `counters` once, the next to be looked at first.
    sweep: VecDeque<CounterKey>,
    /// What keys use that found no room.
    shared: Vec<(Kind, Counter)>,
    crowded: u64,
    /// How many charges were taken, and how many refused.
    taken: u64,
    refused: u64,
    /// What counters are held against, their limits apart.
    manners: Manners,
}

/// A counter, and what people want to know of it.
#[derive(Debug)]
struct Held {
    counter: Counter,
    seen: Seen,
}

impl Memory {
    /// A home for at most [`KEYS_MAX`] keys.
    pub fn new() -> Self {
        Self::with_keys_max(KEYS_MAX)
    }

    /// A home for at most `keys_max` keys, rounded up to a multiple of 64.
    pub fn with_keys_max(keys_max: usize) -> Self {
        let keys_max = keys_max.div_ceil(SHARDS);
        let shards = array::from_fn(|_| Mutex::new(Shard::new(keys_max)));
        Self { hasher: RandomState::new(), shards }
    }

    /// How full it is.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for shard in &self.shards {
            let shard = lock(shard);
            usage.keys = usage.keys.saturating_add(shard.counters.len());
            usage.keys_max = usage.keys_max.saturating_add(shard.keys_max);
            usage.crowded = usage.crowded.saturating_add(shard.crowded);
            usage.taken = usage.taken.saturating_add(shard.taken);
            usage.refused = usage.refused.saturating_add(shard.refused);
        }
        usage
    }

    fn charge_all(&self, charges: &[Charge], now: Timestamp) -> Tallies {
        // All locks at once, always in the same order: several charges are one step for others,
        // and nobody waits in a circle.
        let mut places: Vec<usize> = charges.iter().map(|charge| self.place(&charge.key)).collect();
        places.sort_unstable();
        places.dedup();
        let mut held: Vec<_> = places.iter().map(|place| lock(self.shard(*place))).collect();
        let slot = |charge: &Charge| places.binary_search(&self.place(&charge.key));

        let mut tallies = Tallies::default();
        for charge in charges {
            if let Some(shard) = slot(charge).ok().and_then(|slot| held.get_mut(slot)) {
                tallies.push(shard.check(charge, now));
            }
        }
        if !tallies.admitted() {
            return tallies;
        }
        for (charge, cost) in taken(charges) {
            if let Some(shard) = slot(charge).ok().and_then(|slot| held.get_mut(slot)) {
                shard.take(charge, cost, now);
                shard.taken = shard.taken.saturating_add(u64::from(cost > 0));
            }
        }
        for (tally, charge) in tallies.iter_mut().zip(charges) {
            tally.used = tally.used.saturating_add(cost_of(charges, &charge.key));
        }
        tallies
    }

    fn place(&self, key: &CounterKey) -> usize {
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        usize::try_from(self.hasher.hash_one(key) % shards).unwrap_or(0)
    }

    fn shard(&self, place: usize) -> &Mutex<Shard> {
        let [first, rest @ ..] = &self.shards;
        place.checked_sub(1).and_then(|place| rest.get(place)).unwrap_or(first)
    }

    fn shard_of(&self, key: &CounterKey) -> MutexGuard<'_, Shard> {
        lock(self.shard(self.place(key)))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters for Memory {
    fn charge<'a>(&'a self, charges: &'a [Charge], now: Timestamp) -> Answer<'a> {
        let tallies = if let [charge] = charges {
            let mut tallies = Tallies::default();
            tallies.push(self.shard_of(&charge.key).charge(&charge.by_key(), now));
            tallies
        } else {
            let charges: Vec<Charge> = charges.iter().map(|charge| charge.by_key()).collect();
            self.charge_all(&charges, now)
        };
        Answer::Now(Ok(tallies))
    }

    fn add(&self, charges: &[Charge], now: Timestamp) {
        for (charge, cost) in taken(charges).filter(|(charge, _)| !charge.is_again) {
            self.shard_of(&charge.key).take(charge, cost, now);
        }
    }

    fn refund(&self, charges: &[Charge], at: Timestamp) {
        for (charge, cost) in taken(charges).filter(|(charge, _)| !charge.is_again) {
            // What was taken from a shared counter stays taken: it is no longer known by whom.
            if let Some(held) = self.shard_of(&charge.key).counters.get_mut(&charge.key) {
                held.counter.refund(cost, at);
            }
        }
    }
}

impl Shard {
    fn new(keys_max: usize) -> Self {
        Self {
            keys_max,
            counters: HashMap::new(),
            sweep: VecDeque::new(),
            shared: Vec::new(),
            crowded: 0,
            taken: 0,
            refused: 0,
            manners: Manners::default(),
        }
    }

    fn check(&mut self, charge: &Charge, now: Timestamp) -> Tally {
        let tally = self.visit(charge, now, |counter| (counter.check(charge, now), false));
        self.note(charge, tally.admitted, now);
        tally
    }

    fn charge(&mut self, charge: &Charge, now: Timestamp) -> Tally {
        let tally = self.visit(charge, now, |counter| {
            let tally = counter.charge(charge, now);
            (tally, tally.admitted && charge.cost > 0)
        });
        self.taken = self.taken.saturating_add(u64::from(tally.admitted && charge.cost > 0));
        self.note(charge, tally.admitted, now);
        tally
    }

    /// Notes a refusal.
    fn note(&mut self, charge: &Charge, admitted: bool, now: Timestamp) {
        if admitted {
            return;
        }
        self.refused = self.refused.saturating_add(1);
        if let Some(held) = self.counters.get_mut(&charge.key) {
            held.seen.refuse(&charge.terms, &mut self.manners, now);
        }
    }

    fn take(&mut self, charge: &Charge, cost: u64, now: Timestamp) {
        self.visit(charge, now, |counter| {
            counter.take(&charge.terms, cost, now);
            ((), cost > 0)
        });
    }

    /// Lets `act` at the counter of `charge`. It says what came of it and whether it took
    /// something: a key that took nothing needs no counter.
    fn visit<T>(
        &mut self,
        charge: &Charge,
        now: Timestamp,
        act: impl FnOnce(&mut Counter) -> (T, bool),
    ) -> T {
        if let Some(held) = self.counters.get_mut(&charge.key) {
            held.seen.limit = charge.terms.limit;
            return act(&mut held.counter).0;
        }
        self.sweep(now);
        let kind = charge.key.kind();
        let shared = self.shared.iter_mut().find(|(of, _)| *of == kind).map(|(_, shared)| shared);
        let has_room = self.counters.len() < self.keys_max;
        if !has_room && let Some(shared) = shared {
            let (outcome, took) = act(shared);
            self.crowded = self.crowded.saturating_add(u64::from(took));
            return outcome;
        }
        // The key may have used a shared counter before: it had at most all of it.
        let mut counter = match shared {
            Some(shared) => shared.heir(&charge.terms, now),
            None => Counter::new(&charge.terms, 0, now),
        };
        let (outcome, took) = act(&mut counter);
        if took && has_room {
            let seen = Seen::of(&charge.terms, &mut self.manners);
            self.counters.insert(charge.key, Held { counter, seen });
            self.sweep.push_back(charge.key);
        } else if took {
            self.shared.push((kind, counter));
            self.crowded = self.crowded.saturating_add(1);
        }
        outcome
    }

    /// Drops a few counters in which nothing counts any more.
    fn sweep(&mut self, now: Timestamp) {
        self.shared.retain(|(_, counter)| !counter.is_over(now));
        let is_full = self.counters.len() >= self.keys_max;
        for _ in 0..if is_full { SWEPT_WHEN_FULL } else { SWEPT_PER_KEY } {
            let Some(key) = self.sweep.pop_front() else { return };
            if self.counters.get(&key).is_some_and(|held| held.counter.is_over(now)) {
                self.counters.remove(&key);
            } else {
                self.sweep.push_back(key);
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing panics while it is held, and each step leaves a whole shard.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
