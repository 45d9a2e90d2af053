//! Permits of a shared concurrency limit: who holds how many, and until when.

use std::collections::BTreeMap;

use crate::limit::order::{Permits, PermitsHeld};
use crate::limit::seller::{Holder, amount};

/// What each holder holds, and when that expires, in microseconds.
pub type Holders = BTreeMap<Holder, Held>;

/// What one holder holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// How many permits.
    pub permits: u64,
    /// When they expire: the first microsecond in which they are gone.
    pub until: u64,
}

/// The longest that permits live without being renewed, in microseconds; longer counts as this.
pub const LIFE_MICROS_MAX: u64 = 3_600_000_000;

/// `permits.lua`, at `now` in microseconds.
pub fn take(holders: &mut Holders, now: u64, order: &Permits) -> PermitsHeld {
    holders.retain(|_, held| now < held.until);
    let holder = (order.replica, order.incarnation);
    let has = holders.remove(&holder).map_or(0, |held| held.permits);
    let others: u64 = holders.values().map(|held| held.permits).fold(0, u64::saturating_add);
    let room = amount(order.max).saturating_sub(others);
    let held = amount(order.want).min(room.max(has));
    if 0 < held {
        let until = now.saturating_add(order.life.min(LIFE_MICROS_MAX));
        holders.insert(holder, Held { permits: held, until });
    }
    PermitsHeld { held, taken: others.saturating_add(held) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::ReplicaId;

    fn order(replica: u128, want: u64) -> Permits {
        let key = KeySpace::new(Kind::Concurrency, &[]).key("a");
        Permits { key, replica: ReplicaId(replica), incarnation: 1, want, max: 10, life: 100 }
    }

    fn held(held: u64, taken: u64) -> PermitsHeld {
        PermitsHeld { held, taken }
    }

    #[test]
    fn no_more_are_held_than_there_are() {
        let mut holders = Holders::default();
        assert_eq!(take(&mut holders, 0, &order(1, 7)), held(7, 7));
        assert_eq!(take(&mut holders, 0, &order(2, 7)), held(3, 10));
        assert_eq!(take(&mut holders, 0, &order(1, 2)), held(2, 5));
        assert_eq!(take(&mut holders, 0, &order(2, 9)), held(8, 10));
        assert_eq!(take(&mut holders, 0, &order(2, 0)), held(0, 2));
        assert_eq!(holders.len(), 1);
    }

    #[test]
    fn what_is_not_renewed_expires() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7));
        take(&mut holders, 60, &order(2, 3));
        assert_eq!(take(&mut holders, 99, &order(2, 9)), held(3, 10));
        assert_eq!(take(&mut holders, 100, &order(2, 9)), held(9, 9));
    }

    #[test]
    fn a_lowered_limit_takes_nothing_from_who_holds() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7));
        let lowered = Permits { max: 4, ..order(1, 8) };
        assert_eq!(take(&mut holders, 0, &lowered), held(7, 7));
        assert_eq!(take(&mut holders, 0, &Permits { want: 3, ..lowered }), held(3, 3));
        assert_eq!(take(&mut holders, 0, &Permits { want: 8, ..lowered }), held(4, 4));
    }

    #[test]
    fn another_life_of_a_replica_is_another_holder() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7));
        assert_eq!(take(&mut holders, 0, &Permits { incarnation: 2, ..order(1, 7) }), held(3, 10));
    }
}
