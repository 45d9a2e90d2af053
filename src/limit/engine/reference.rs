//! The interval clock: what time it is at a lane's primary, as far as this replica can know.
//!
//! Each reply that carries the primary's time bounds the difference between its clock and ours:
//! the time was read after the order was sent and before the reply arrived. The bounds of all
//! replies are intersected; between them they grow apart by how much two clocks may drift.

use crate::time::Timestamp;

/// One microsecond of drift in so many microseconds: 200 millionths.
const DRIFT_ONE_IN: u64 = 5_000;

/// The clock of a primary, known within bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference {
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Our time for which the bounds hold as they are.
    at: u64,
    /// The least and the most by which the primary's clock is ahead of ours, in microseconds.
    low: i64,
    high: i64,
}

/// A moment as both clocks see it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Our time.
    pub local: Timestamp,
    /// The earliest that it can be at the primary, in microseconds.
    pub early: u64,
    /// The latest that it can be there.
    pub late: u64,
}

impl Reference {
    /// Learns that the primary's clock showed `time` (whole microseconds, rounded down) at some
    /// moment from `sent` to `received`. Says whether that fits what was known; if not, the clock
    /// over there has jumped, and only the new bounds count.
    pub(in crate::limit) fn observe(
        &mut self,
        sent: Timestamp,
        received: Timestamp,
        time: u64,
    ) -> bool {
        let (sent, received) = (sent.micros(), received.micros().max(sent.micros()));
        let drift = drift(received.saturating_sub(sent));
        let low = difference(time, received).saturating_sub(drift);
        let high = difference(time.saturating_add(1), sent).saturating_add(drift);
        let fresh = Known { at: received, low, high };
        let Some(old) = self.known.map(|known| known.widened(received)) else {
            self.known = Some(fresh);
            return true;
        };
        let both = Known { at: received, low: old.low.max(low), high: old.high.min(high) };
        let fits = both.low <= both.high;
        self.known = Some(if fits { both } else { fresh });
        fits
    }

    /// The moment `now`; none before the first observation.
    pub fn at(&self, now: Timestamp) -> Option<Moment> {
        let known = self.known?.widened(now.micros());
        Some(Moment {
            local: now,
            early: now.micros().saturating_add_signed(known.low),
            late: now.micros().saturating_add_signed(known.high),
        })
    }

    /// How far apart the bounds are, in microseconds.
    pub fn width(&self, now: Timestamp) -> Option<u64> {
        self.at(now).map(|moment| moment.late.saturating_sub(moment.early))
    }
}

impl Known {
    fn widened(self, now: u64) -> Self {
        let drift = drift(now.abs_diff(self.at));
        let (low, high) = (self.low.saturating_sub(drift), self.high.saturating_add(drift));
        Self { at: now, low, high }
    }
}

fn drift(age: u64) -> i64 {
    i64::try_from((age / DRIFT_ONE_IN).saturating_add(1)).unwrap_or(i64::MAX)
}

fn difference(there: u64, here: u64) -> i64 {
    let there = i64::try_from(there).unwrap_or(i64::MAX);
    there.saturating_sub(i64::try_from(here).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_truth_lies_within_the_bounds() {
        let mut clock = Reference::default();
        assert!(clock.at(at(5)).is_none());
        // The primary is 1,000,000 ahead; ways there and back differ.
        for (sent, there, back) in [(10_000, 300, 20), (260_000, 15, 900), (510_000, 90, 90)] {
            let read = sent + there;
            assert!(clock.observe(at(sent), at(read + back), read + 1_000_000));
            let moment = clock.at(at(read + back)).unwrap();
            assert!(moment.early <= read + back + 1_000_000, "{moment:?}");
            assert!(read + back + 1_000_000 <= moment.late, "{moment:?}");
        }
        // The best of both sides is kept: at most 15 + 20, the drift of half a second and a bit.
        assert!(clock.width(at(510_180)).unwrap() < 300, "{clock:?}");
    }

    #[test]
    fn bounds_grow_with_age() {
        let mut clock = Reference::default();
        assert!(clock.observe(at(0), at(100), 50));
        let young = clock.width(at(100)).unwrap();
        assert_eq!(clock.width(at(10_000_100)).unwrap(), young + 4_000);
    }

    #[test]
    fn a_clock_that_jumps_is_noticed() {
        let mut clock = Reference::default();
        assert!(clock.observe(at(0), at(300), 5_000_000));
        assert!(clock.observe(at(1_000), at(1_300), 5_001_100));
        assert!(!clock.observe(at(2_000), at(2_300), 4_000_000));
        let moment = clock.at(at(2_300)).unwrap();
        assert!(moment.early <= 4_000_300 && 4_000_000 <= moment.late);
    }
}
