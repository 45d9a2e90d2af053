//! Fixed windows: one whole number that Redis adds to by itself.
//!
//! The number holds two: how much was sold, and above its bits how many orders handed something
//! back. Redis adds up to 64 bits exactly, so both are changed by one `INCRBY`.

use crate::limit::order::{FIXED_RETURNS_MAX, FixedSold};
use crate::limit::seller::amount;

/// The counter of one fixed window, as Redis stores it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counter(pub i64);

/// The bits of a counter that say how much was sold.
pub const SOLD_BITS: u32 = 42;

/// How far a counter may fall below zero before it would be read as another return: it does so
/// only when tokens are handed back whose sale was lost.
pub const BELOW_ZERO_MAX: i64 = 1 << 32;

/// What is added to a counter for an order.
pub fn step(want: u64, back: u64) -> i64 {
    let signed = |tokens| i64::try_from(amount(tokens)).unwrap_or(i64::MAX);
    let returns = if back == 0 { 0 } else { 1_i64 << SOLD_BITS };
    returns.saturating_add(signed(want)).saturating_sub(signed(back))
}

/// What a counter says.
pub fn read(counter: Counter) -> FixedSold {
    let raised = counter.0.saturating_add(BELOW_ZERO_MAX);
    let returns = u64::try_from(raised >> SOLD_BITS).unwrap_or(0);
    let sold = raised.rem_euclid(1 << SOLD_BITS).saturating_sub(BELOW_ZERO_MAX);
    FixedSold { sold, returns: returns.min(FIXED_RETURNS_MAX) }
}

/// `INCRBY`.
pub fn sell(counter: &mut Counter, want: u64, back: u64) -> FixedSold {
    counter.0 = counter.0.saturating_add(step(want, back));
    read(*counter)
}

/// `raise.lua`: lifts what was sold to `floor`; the returns stay.
pub fn raise(counter: &mut Counter, floor: u64) {
    let floor = i64::try_from(floor_of(floor)).unwrap_or(0);
    let missing = floor.saturating_sub(read(*counter).sold);
    counter.0 = counter.0.saturating_add(missing.max(0));
}

/// `floor`, as far as a counter can show it.
pub fn floor_of(floor: u64) -> u64 {
    floor.min((1 << SOLD_BITS) - BELOW_ZERO_MAX.unsigned_abs() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(sold: i64, returns: u64) -> FixedSold {
        FixedSold { sold, returns }
    }

    #[test]
    fn what_is_wanted_adds_up_and_what_comes_back_is_counted() {
        let mut counter = Counter::default();
        assert_eq!(sell(&mut counter, 10, 0), sold(10, 0));
        assert_eq!(sell(&mut counter, 0, 4), sold(6, 1));
        assert_eq!(sell(&mut counter, 3, 9), sold(0, 2));
    }

    #[test]
    fn a_counter_that_lost_its_sales_falls_below_zero_and_rises_again() {
        let mut counter = Counter::default();
        assert_eq!(sell(&mut counter, 0, 7), sold(-7, 1));
        assert_eq!(sell(&mut counter, 9, 0), sold(2, 1));
        sell(&mut counter, 0, 5);
        raise(&mut counter, 40);
        assert_eq!(read(counter), sold(40, 2));
    }

    #[test]
    fn a_floor_lifts_and_never_lowers() {
        let mut counter = Counter::default();
        raise(&mut counter, 8);
        raise(&mut counter, 3);
        assert_eq!(read(counter), sold(8, 0));
    }

    #[test]
    fn returns_beyond_the_largest_number_leave_the_sum_alone() {
        let mut counter = Counter::default();
        for _ in 0..5_000 {
            sell(&mut counter, 2, 1);
        }
        assert_eq!(read(counter), sold(5_000, FIXED_RETURNS_MAX));
        raise(&mut counter, 5_001);
        assert_eq!(read(counter).sold, 5_001);
    }

    #[test]
    fn no_order_leaves_the_numbers() {
        let mut counter = Counter(i64::MAX);
        sell(&mut counter, u64::MAX, 0);
        let mut counter = Counter(i64::MIN);
        sell(&mut counter, 0, u64::MAX);
        raise(&mut counter, u64::MAX);
    }
}
