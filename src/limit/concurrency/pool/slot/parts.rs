//! How a limit is divided among replicas, by how this one stands.

use crate::limit::engine::standing::{MISSED_IN_FAST_MICROS, Standing, Touch};
use crate::limit::order::members::Seat;
use crate::time::Timestamp;

/// Whether permits are lent.
pub(in crate::limit::concurrency::pool) fn in_touch(standing: &Standing, now: Timestamp) -> bool {
    standing.touch == Touch::In && now <= standing.buys_until
}

/// How many of `max` are lent to those in touch: who is missing may use its share.
pub(super) fn for_loan(standing: &Standing, now: Timestamp, max: u64) -> u64 {
    if standing.holds.is_empty() && standing.unheard.is_none() {
        return max;
    }
    let early = standing.clock.at(now).map_or(0, |moment| moment.early);
    let missing = standing.holds.iter().filter(|hold| {
        let since = hold.missing_since.map(|since| since.saturating_add(MISSED_IN_FAST_MICROS));
        since.is_some_and(|end| early <= end)
    });
    let shares = missing.map(|hold| share(hold.held.seat, max));
    let lasts = |since: u64| early <= since.saturating_add(MISSED_IN_FAST_MICROS);
    let unheard = standing.unheard.filter(|unheard| lasts(unheard.since));
    let unheard = unheard.map_or(0, |unheard| unheard.shares(max));
    max.saturating_sub(shares.fold(unheard, u64::saturating_add))
}

/// The share of `seat`: whole numbers that add up to `max` over all seats.
pub(super) fn share(seat: Seat, max: u64) -> u64 {
    let (index, of, max) = (u128::from(seat.index), u128::from(seat.of), u128::from(max));
    let below = |place: u128| max.saturating_mul(place).checked_div(of).unwrap_or(0);
    u64::try_from(below(index.saturating_add(1)).saturating_sub(below(index))).unwrap_or(0)
}

/// How many divide `max` among them.
pub(super) fn members(standing: &Standing) -> u64 {
    u64::from(standing.members).max(1)
}
