//! Permits of a shared concurrency limit: who holds how many, until when, and who lacks some.

use std::collections::BTreeMap;

use crate::limit::order::{Permits, PermitsHeld};
use crate::limit::seller::{Holder, SEQ_MAX, amount};

/// What each holder holds.
pub type Holders = BTreeMap<Holder, Held>;

/// What one holder holds. Times are in microseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// How many permits.
    pub permits: u64,
    /// When they expire: the first microsecond in which they are gone.
    pub until: u64,
    /// The number of the last order that was carried out.
    pub seq: u64,
    /// Until when the holder counts as one who lacks permits.
    pub lacks_until: u64,
}

/// The longest that permits live without being renewed, in microseconds; longer counts as this.
pub const LIFE_MICROS_MAX: u64 = 3_600_000_000;

/// For how long after an order that got less than it needed a holder counts as one who lacks
/// permits, in microseconds.
pub const PATIENCE_MICROS: u64 = 100_000;

/// `permits.lua`, at `now` in microseconds.
pub fn take(holders: &mut Holders, now: u64, order: &Permits) -> PermitsHeld {
    let is_alive = |held: &Held| now < held.until;
    let holder = (order.replica, order.incarnation);
    let before = holders.get(&holder).copied().filter(is_alive);
    let (has, known) = before.map_or((0, 0), |held| (held.permits, held.seq));
    let others = || {
        let others = holders.iter().filter(|(other, _)| **other != holder);
        others.map(|(_, held)| held).filter(|held| is_alive(held))
    };
    let is_wanted = others().any(|held| now < held.lacks_until);
    let others = others().map(|held| held.permits).fold(0, u64::saturating_add);
    let seq = order.seq.min(SEQ_MAX);
    if seq <= known {
        return PermitsHeld { held: has, taken: others.saturating_add(has), is_wanted };
    }
    // Only now: an order that changes nothing does not take away either what has expired, and a clock
    // that steps back finds it again.
    let room = amount(order.max).saturating_sub(others);
    let held = amount(order.want).min(room.max(has)).max(amount(order.inside));
    let until = now.saturating_add(order.life.min(LIFE_MICROS_MAX));
    let lacks = held < amount(order.need);
    let lacks_until = if lacks { now.saturating_add(PATIENCE_MICROS) } else { 0 };
    holders.retain(|_, held| is_alive(held));
    holders.insert(holder, Held { permits: held, until, seq, lacks_until });
    PermitsHeld { held, taken: others.saturating_add(held), is_wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::ReplicaId;

    /// Everybody counts one number.
    fn order(replica: u128, want: u64, seq: u64) -> Permits {
        let key = KeySpace::new(Kind::Concurrency, &[]).key("a");
        let (incarnation, inside, need) = (1, 0, want);
        let replica = ReplicaId(replica);
        Permits { key, replica, incarnation, seq, inside, need, want, max: 10, life: 100 }
    }

    fn held(held: u64, taken: u64) -> PermitsHeld {
        PermitsHeld { held, taken, is_wanted: false }
    }

    #[test]
    fn no_more_are_held_than_there_are() {
        let mut holders = Holders::default();
        assert_eq!(take(&mut holders, 0, &order(1, 7, 1)), held(7, 7));
        assert_eq!(take(&mut holders, 0, &order(2, 7, 1)), held(3, 10));
        let told = take(&mut holders, 0, &order(1, 2, 2));
        assert_eq!(told, PermitsHeld { held: 2, taken: 5, is_wanted: true });
        assert_eq!(take(&mut holders, 0, &order(2, 8, 2)), held(8, 10));
        assert_eq!(take(&mut holders, 0, &order(2, 0, 3)), held(0, 2));
    }

    #[test]
    fn what_is_not_renewed_expires() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7, 1));
        take(&mut holders, 60, &order(2, 3, 1));
        assert_eq!(take(&mut holders, 99, &order(2, 9, 2)), held(3, 10));
        assert_eq!(take(&mut holders, 100, &order(2, 9, 3)), held(9, 9));
    }

    #[test]
    fn a_lowered_limit_takes_nothing_from_who_holds() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7, 1));
        let lowered = |want, seq| Permits { max: 4, ..order(1, want, seq) };
        assert_eq!(take(&mut holders, 0, &lowered(8, 2)), held(7, 7));
        assert_eq!(take(&mut holders, 0, &lowered(3, 3)), held(3, 3));
        assert_eq!(take(&mut holders, 0, &lowered(8, 4)), held(4, 4));
    }

    #[test]
    fn another_life_of_a_replica_is_another_holder() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7, 9));
        let reborn = Permits { incarnation: 2, ..order(1, 7, 1) };
        assert_eq!(take(&mut holders, 0, &reborn), held(3, 10));
    }

    #[test]
    fn an_order_that_comes_after_a_later_one_changes_nothing() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7, 2));
        assert_eq!(take(&mut holders, 50, &order(1, 0, 1)), held(7, 7));
        assert_eq!(take(&mut holders, 50, &order(1, 0, 2)), held(7, 7));
        assert_eq!(take(&mut holders, 99, &order(2, 9, 1)), held(3, 10), "nor does it renew");
        assert_eq!(take(&mut holders, 100, &order(2, 9, 2)), held(9, 9));
    }

    #[test]
    fn what_expired_is_there_again_for_a_clock_that_steps_back_before_anything_changed() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 7, 1));
        take(&mut holders, 60, &order(2, 2, 2));
        // Too late, and nothing changes: the first one's have expired.
        assert_eq!(take(&mut holders, 100, &order(2, 5, 1)), held(2, 2));
        assert_eq!(take(&mut holders, 99, &order(2, 5, 3)), held(3, 10));
    }

    #[test]
    fn who_is_inside_counts_whatever_the_limit() {
        let mut holders = Holders::default();
        take(&mut holders, 0, &order(1, 9, 1));
        let inside = Permits { inside: 4, ..order(2, 5, 1) };
        assert_eq!(take(&mut holders, 0, &inside), held(4, 13));
    }

    #[test]
    fn who_got_less_than_needed_is_known_to_the_others_for_a_while() {
        let mut holders = Holders::default();
        let long = |order: Permits| Permits { life: 10 * PATIENCE_MICROS, ..order };
        take(&mut holders, 0, &long(order(1, 10, 1)));
        take(&mut holders, 0, &long(Permits { need: 0, ..order(2, 1, 1) }));
        let wanted = |holders: &mut Holders, now, seq| {
            take(holders, now, &long(order(1, 10, seq))).is_wanted
        };
        assert!(!wanted(&mut holders, 0, 2), "it would have liked some, no more");
        take(&mut holders, 0, &long(order(2, 1, 2)));
        assert!(wanted(&mut holders, PATIENCE_MICROS - 1, 3));
        assert!(!wanted(&mut holders, PATIENCE_MICROS, 4));
    }
}
