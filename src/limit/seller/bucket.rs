//! Token buckets: how long until the bucket is full again.

use crate::limit::order::{Bucket, BucketSold};
use crate::limit::seller::amount;

/// A bucket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Level {
    /// Nanoseconds until it is full again, as seen at `at`: the theoretical arrival time (TAT),
    /// less the time. A difference, because the nanoseconds since the epoch leave a double.
    pub debt: u64,
    /// When that was, in microseconds: the latest time it has seen.
    pub at: u64,
}

/// The largest debt in nanoseconds, 46 days; larger ones count as this.
pub const DEBT_NANOS_MAX: u64 = 4_000_000_000_000_000;

/// No more than this many microseconds of a rest are counted: it pays off the largest debt.
pub const REST_MICROS_MAX: u64 = 1 << 42;

/// The longest that one token may take, in nanoseconds; longer ones count as this.
pub const TOKEN_NANOS_MAX: u64 = DEBT_NANOS_MAX;

/// `bucket.lua`, at `now` in microseconds.
pub fn sell(level: &mut Level, now: u64, order: &Bucket) -> BucketSold {
    let token = order.token_nanos.clamp(1, TOKEN_NANOS_MAX);
    let nanos = |tokens: u64| amount(tokens).saturating_mul(token).min(DEBT_NANOS_MAX);
    let rest = now.saturating_sub(level.at).min(REST_MICROS_MAX).saturating_mul(1_000);
    level.at = level.at.max(now);
    let debt = level.debt.saturating_sub(rest).saturating_sub(nanos(order.back));
    let debt = debt.saturating_add(nanos(order.charge)).min(DEBT_NANOS_MAX);

    let full = nanos(order.burst);
    let room = full.saturating_sub(debt).checked_div(token).unwrap_or(0);
    let granted = amount(order.want).min(room);
    level.debt = debt.saturating_add(granted.saturating_mul(token));
    let left = room.saturating_sub(granted);
    let missing = level.debt.saturating_add(token).saturating_sub(full);
    let wait = if left == 0 { missing.div_ceil(1_000) } else { 0 };
    BucketSold { granted, left, wait }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::Meter;

    /// Five tokens, one more each 100 us.
    fn order(want: u64, back: u64, charge: u64) -> Bucket {
        let key = KeySpace::new(Kind::Rate, &[]).key("a");
        let meter = Meter { key, period: 500 };
        Bucket { meter, token_nanos: 100_000, burst: 5, want, back, charge }
    }

    fn sold(granted: u64, left: u64, wait: u64) -> BucketSold {
        BucketSold { granted, left, wait }
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut level = Level::default();
        assert_eq!(sell(&mut level, 1_000, &order(3, 0, 0)), sold(3, 2, 0));
        assert_eq!(sell(&mut level, 1_000, &order(3, 0, 0)), sold(2, 0, 100));
        assert_eq!(sell(&mut level, 1_060, &order(1, 0, 0)), sold(0, 0, 40));
        assert_eq!(sell(&mut level, 1_100, &order(1, 0, 0)), sold(1, 0, 100));
        assert_eq!(sell(&mut level, 9_000, &order(9, 0, 0)), sold(5, 0, 100));
    }

    #[test]
    fn time_never_goes_back() {
        let mut level = Level::default();
        sell(&mut level, 1_000, &order(5, 0, 0));
        assert_eq!(sell(&mut level, 10, &order(1, 0, 0)), sold(0, 0, 100));
        assert_eq!(sell(&mut level, 1_100, &order(1, 0, 0)), sold(1, 0, 100));
    }

    #[test]
    fn what_comes_back_is_there_and_what_was_admitted_is_gone() {
        let mut level = Level::default();
        sell(&mut level, 0, &order(5, 0, 0));
        assert_eq!(sell(&mut level, 0, &order(0, 2, 0)), sold(0, 2, 0));
        assert_eq!(sell(&mut level, 0, &order(0, 0, 4)), sold(0, 0, 300));
        assert_eq!(sell(&mut level, 0, &order(0, 9, 0)), sold(0, 5, 0));
    }

    #[test]
    fn the_largest_numbers_are_only_large() {
        let mut level = Level { debt: DEBT_NANOS_MAX, at: u64::MAX };
        let order =
            Bucket { token_nanos: u64::MAX, burst: u64::MAX, ..order(u64::MAX, 0, u64::MAX) };
        assert_eq!(sell(&mut level, 0, &order).granted, 0);
        assert_eq!(sell(&mut level, 0, &Bucket { token_nanos: 0, ..order }).granted, 0);
    }
}
