//! How many requests may be sent to a backend once more: a share of those that are sent to it, so that tries
//! cannot make an outage worse. Without a bound, three tries are three times the load just when there is
//! too much of it.
//!
//! What [`Budgets`] saves is a number for each of a fixed number of places, found by the backend's name: two
//! backends that meet in one share it, which costs accuracy and no memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::time::Timestamp;

/// How many tries more are left to each backend.
#[derive(Debug)]
pub struct Budgets {
    /// What each request that is sent earns, in thousandths of a try; none: tries have no bound.
    earned: Option<u32>,
    places: Box<[Place]>,
    /// How much all places lack until they are full: mostly nothing, and then nothing is to be done.
    lacking: AtomicU64,
}

/// What is left to one.
#[derive(Debug)]
struct Place {
    /// In thousandths of a try.
    saved: AtomicU32,
    /// The second in which tries were free, and how many were: second * 2^16 + tries.
    free: AtomicU64,
}

/// How many of a hundred requests to a backend may be tried again if nothing is set.
pub const PERCENT: u32 = 20;
/// How many tries each backend may have saved: a short outage may take so many at once.
pub const SAVED_MAX: u32 = 100;
/// How many tries a second each backend has in any case: a share of little traffic would be none.
pub const FREE_PER_SECOND: u64 = 10;
/// How many backends are told apart.
const PLACES: usize = 256;
/// One try.
const TRY: u32 = 1_000;

impl Budgets {
    /// Budgets of that many of a hundred requests; none: without bound.
    pub fn new(percent: Option<u32>) -> Self {
        let place = || Place { saved: AtomicU32::new(SAVED_MAX * TRY), free: AtomicU64::default() };
        Self {
            earned: percent.map(|percent| percent.saturating_mul(TRY / 100)),
            places: std::iter::repeat_with(place).take(PLACES).collect(),
            lacking: AtomicU64::new(0),
        }
    }

    /// A request is sent to the backend of this name, or place, for the first time.
    pub fn earn(&self, name: &str, port: u16) {
        let Some(earned) = self.earned else { return };
        if self.lacking.load(Ordering::Relaxed) == 0 {
            return;
        }
        let Some(place) = self.place(name, port) else { return };
        let add = |saved: u32| Some(saved.saturating_add(earned).min(SAVED_MAX * TRY));
        let saved = place.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        let before = saved.unwrap_or_else(|unchanged| unchanged);
        let added = (SAVED_MAX * TRY).saturating_sub(before).min(earned);
        self.lacking.fetch_sub(added.into(), Ordering::Relaxed);
    }

    /// Whether a request may be sent once more to that backend; if so, that is noted.
    pub fn spend(&self, name: &str, port: u16, now: Timestamp) -> bool {
        if self.earned.is_none() {
            return true;
        }
        let Some(place) = self.place(name, port) else { return true };
        if place.takes_free(now) {
            return true;
        }
        let take = |saved: u32| saved.checked_sub(TRY);
        let taken = place.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if taken {
            self.lacking.fetch_add(TRY.into(), Ordering::Relaxed);
        }
        taken
    }

    fn place(&self, name: &str, port: u16) -> Option<&Place> {
        // FNV-1a: nobody gains by making backends meet.
        let bytes = name.bytes().chain(port.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let at = usize::try_from(hash >> 32).ok()?.checked_rem(PLACES)?;
        self.places.get(at)
    }
}

impl Place {
    /// Takes one of the tries that are free in this second.
    fn takes_free(&self, now: Timestamp) -> bool {
        let second = (now.micros() / 1_000_000) << 16;
        let take = |free: u64| {
            let used = if free & !0xffff == second { free & 0xffff } else { 0 };
            (used < FREE_PER_SECOND).then_some(second | used.saturating_add(1))
        };
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests at `rate` a second for `seconds`, each of which would be tried three times more; how
    /// many tries there were.
    fn outage(budgets: &Budgets, rate: u64, seconds: u64) -> u64 {
        let mut tries = 0;
        for number in 0..rate * seconds {
            let now = Timestamp::from_micros(number * 1_000_000 / rate);
            budgets.earn("orders.example", 80);
            let more = (0..3).take_while(|_try| budgets.spend("orders.example", 80, now)).count();
            tries += u64::try_from(more).unwrap();
        }
        tries
    }

    #[test]
    fn an_outage_makes_a_fifth_more_load_and_no_more() {
        let budgets = Budgets::new(Some(PERCENT));
        let tries = outage(&budgets, 1_000, 60);
        let share = 60_000 / 5;
        let beside = u64::from(SAVED_MAX) + FREE_PER_SECOND * 60;
        assert!((share..=share + beside).contains(&tries), "{tries}");
        // Another backend has its own.
        assert!(budgets.spend("stock.example", 80, Timestamp::default()));
    }

    #[test]
    fn what_is_saved_comes_back_and_has_a_bound() {
        let budgets = Budgets::new(Some(PERCENT));
        outage(&budgets, 1_000, 1);
        let lacking = || budgets.lacking.load(Ordering::Relaxed);
        assert!(u64::from((SAVED_MAX - 1) * TRY) < lacking());
        for _ in 0..2 * SAVED_MAX * 100 / PERCENT {
            budgets.earn("orders.example", 80);
        }
        assert_eq!(lacking(), 0);
        let later = Timestamp::from_micros(10_000_000);
        let tries = (0..1_000).filter(|_try| budgets.spend("orders.example", 80, later)).count();
        assert_eq!(u64::try_from(tries).unwrap(), u64::from(SAVED_MAX) + FREE_PER_SECOND);
    }

    #[test]
    fn few_requests_are_tried_as_often_as_their_policies_say() {
        assert_eq!(outage(&Budgets::new(Some(PERCENT)), 3, 100), 900);
        assert_eq!(outage(&Budgets::new(None), 1_000, 10), 30_000);
        assert!(outage(&Budgets::new(Some(0)), 1_000, 10) <= 200);
    }
}
