//! Whether canaries make more requests fail than the others do: counts in, verdict out.
//!
//! Both are counted over the same time, so that what happens to all (a backend that is down) says
//! nothing against a generation. More errors than chance gives are told from the rest by a bound
//! that holds for any numbers: if a generation makes no difference, the errors are spread over the
//! requests by chance, and Hoeffding's bound says that one falls on the canaries as often as was
//! seen, or oftener, with a probability of at most two to the power of minus [`evidence`]. Whole
//! numbers only, rounded so that there is rather less evidence: the same counts give the same
//! verdict everywhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::Member;
use crate::configuration::gauge::Reading;
use crate::time::Timestamp;

/// How many requests canaries, and the others, must have had before anything is said.
pub const REQUESTS_MIN: u64 = 20;
/// By how many of ten thousand more requests must fail: what is less is no harm to go back for.
pub const RISE_MIN: u64 = 50;
/// How much evidence it takes, in bits. There is a look at most twice a second: with the usual hold
/// of a minute, one rollout in eight thousand that changes nothing is taken back for chance, or
/// fewer.
pub const BITS_MIN: u64 = 20;
/// All requests.
const ALL: u64 = 10_000;
/// How many bits of a logarithm are behind the point.
const FRACTION_BITS: u32 = 24;

/// What happened to the requests of a replica since it heard of a rollout.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Share {
    /// The generation that is rolled out.
    pub rollout: u64,
    /// The one that the replica serves.
    pub serving: u64,
    /// For how long it was counted, in milliseconds.
    pub millis: u64,
    /// How many requests ended.
    pub requests: u64,
    /// How many of them failed: see [`Tally::errors`](crate::snapshot::tally::Tally::errors).
    pub errors: u64,
}

/// Counts for one rollout, from when a replica heard of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tallying {
    rollout: u64,
    since: Timestamp,
    base: Reading,
}

/// More requests fail on canaries than on the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rise {
    /// Requests and errors of the canaries.
    pub canaries: (u64, u64),
    /// Those of the others.
    pub others: (u64, u64),
}

impl Tallying {
    /// What is to be told at `now` of the rollout of generation `rollout`.
    pub(super) fn share(&mut self, rollout: u64, reading: Reading, now: Timestamp) -> Share {
        let is_other = self.rollout != rollout || self.base.generation != reading.generation;
        // What is served may have been made anew, with another kill switch: it counts from nothing.
        let is_anew = reading.requests < self.base.requests || reading.errors < self.base.errors;
        if is_other || is_anew {
            *self = Self { rollout, since: now, base: reading };
        }
        Share {
            rollout,
            serving: reading.generation,
            millis: u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX),
            requests: reading.requests.saturating_sub(self.base.requests),
            errors: reading.errors.saturating_sub(self.base.errors),
        }
    }
}

/// Whether generation `number` makes more requests fail than `previous`, as `members` tell. Who
/// serves nothing yet, or something else still, says nothing about either.
pub(super) fn rise(number: u64, previous: u64, members: &[Member]) -> Option<Rise> {
    let shares = members.iter().filter_map(|member| member.share);
    let (mut canaries, mut others) = ((0, 0), (0, 0));
    for share in shares.filter(|share| share.rollout == number) {
        if share.serving == number {
            add(&mut canaries, share);
        } else if share.serving == previous {
            add(&mut others, share);
        }
    }
    Some(Rise { canaries, others }).filter(Rise::is_one)
}

/// Whether a canary that tells what happens to its requests has done so for `hold`: what it served
/// meanwhile is known then. One of an older version does not tell.
pub(super) fn has_told(number: u64, canary: &Member, hold: Duration) -> bool {
    canary.share.is_none_or(|share| {
        let told = Duration::from_millis(share.millis);
        (share.rollout, share.serving) == (number, number) && hold <= told
    })
}

/// Whether another replica has told anything since it heard of the rollout, so that there is
/// something to compare with.
pub(super) fn has_heard(number: u64, other: &Member) -> bool {
    other.share.is_none_or(|share| share.rollout == number)
}

fn add((requests, errors): &mut (u64, u64), share: Share) {
    *requests = requests.saturating_add(share.requests);
    *errors = errors.saturating_add(share.errors.min(share.requests));
}

impl Rise {
    /// Whether it is one.
    fn is_one(&self) -> bool {
        let ((many, failed), (many_others, failed_others)) = (self.canaries, self.others);
        let is_enough = REQUESTS_MIN <= many.min(many_others);
        let share = |failed, of| part(failed, of).unwrap_or(0);
        let least = share(failed_others, many_others).saturating_add(RISE_MIN);
        is_enough && least < share(failed, many) && BITS_MIN <= evidence(self)
    }
}

/// `failed` of `of`, as so many of ten thousand.
fn part(failed: u64, of: u64) -> Option<u64> {
    let parts = u128::from(failed).checked_mul(u128::from(ALL))?.checked_div(u128::from(of))?;
    u64::try_from(parts).ok()
}

/// How many bits of evidence there are that it is not chance: errors that fall on the canaries, or
/// what goes well that falls on the others, whichever says more.
pub fn evidence(rise: &Rise) -> u64 {
    let ((many, failed), (many_others, failed_others)) = (rise.canaries, rise.others);
    let well = many.saturating_sub(failed);
    let well_others = many_others.saturating_sub(failed_others);
    let errors = bits((failed, failed_others), (many, many_others));
    let successes = bits((well_others, well), (many_others, many));
    errors.max(successes)
}

/// Of so many things, the first so many fell on one part of the requests and the second on the
/// other: how unlikely it is that so many or more fall on the first part, in bits; less rather than
/// more.
fn bits((fell, other): (u64, u64), (part, rest): (u64, u64)) -> u64 {
    let (things, all) = (u128::from(fell) + u128::from(other), u128::from(part) + u128::from(rest));
    // How much oftener than by chance a thing fell there; as a logarithm, which is signed.
    let surprise = |fell: u64, part: u64| -> Option<i128> {
        if fell == 0 {
            return Some(0);
        }
        let seen = logarithm(u128::from(fell).checked_mul(all)?)?;
        let by_chance = logarithm(things.checked_mul(u128::from(part))?)?.checked_add(2)?;
        i128::from(fell).checked_mul(seen.checked_sub(by_chance)?)
    };
    let both = || surprise(fell, part)?.checked_add(surprise(other, rest)?);
    // What is no more than chance says nothing, however unlikely that would be.
    let is_more = u128::from(fell).saturating_mul(all) > things.saturating_mul(u128::from(part));
    let sum = both().filter(|_sum| is_more).unwrap_or(0).max(0);
    u64::try_from(sum >> FRACTION_BITS).unwrap_or(u64::MAX)
}

/// The logarithm of `number` to the base two, in parts of two to the power of [`FRACTION_BITS`]:
/// too small by two of these at most, and never too large.
fn logarithm(number: u128) -> Option<i128> {
    let whole = number.checked_ilog2()?;
    // Its first 64 bits: a number from one on and below two, with 63 bits behind the point.
    let mut mantissa = if whole < 64 { number << (63 - whole) } else { number >> (whole - 63) };
    let mut logarithm = i128::from(whole);
    for _bit in 0..FRACTION_BITS {
        mantissa = mantissa.checked_mul(mantissa)? >> 63;
        let is_two = 64 <= mantissa.checked_ilog2()?;
        mantissa >>= u32::from(is_two);
        logarithm = (logarithm << 1) | i128::from(is_two);
    }
    Some(logarithm)
}

impl fmt::Display for Rise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((many, failed), (many_others, failed_others)) = (self.canaries, self.others);
        let percent = |failed, of| {
            let parts = part(failed, of).unwrap_or(0);
            format!("{}.{:02} %", parts / 100, parts % 100)
        };
        write!(
            formatter,
            "{failed} of {many} requests failed where it is served ({}), and {failed_others} of \
             {many_others} on the other replicas meanwhile ({})",
            percent(failed, many),
            percent(failed_others, many_others)
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn rise_of(canaries: (u64, u64), others: (u64, u64)) -> Rise {
        Rise { canaries, others }
    }

    fn member(share: Share) -> Member {
        Member { share: Some(share), ..Member::default() }
    }

    fn share(serving: u64, requests: u64, errors: u64) -> Share {
        Share { rollout: 8, serving, millis: 0, requests, errors }
    }

    #[test]
    fn a_generation_that_fails_everything_is_found_out_by_a_few_requests() {
        assert!(rise_of((20, 20), (40, 0)).is_one());
        assert!(rise_of((20, 20), (180, 0)).is_one());
        // Where nobody else has much to do, what goes well says it.
        assert!(rise_of((1_000, 1_000), (20, 0)).is_one());
    }

    #[test]
    fn few_requests_and_none_say_nothing() {
        for (canaries, others) in [
            ((0, 0), (0, 0)),
            ((0, 0), (1_000, 0)),
            ((1_000, 1_000), (0, 0)),
            ((19, 19), (1_000, 0)),
            ((1_000, 1_000), (19, 0)),
        ] {
            assert!(!rise_of(canaries, others).is_one(), "{canaries:?} {others:?}");
        }
    }

    #[test]
    fn a_rise_is_told_from_chance_by_how_much_was_seen() {
        // One in a hundred becomes three in a hundred.
        assert!(!rise_of((500, 15), (1_000, 10)).is_one());
        assert!(rise_of((4_000, 120), (8_000, 80)).is_one());
        // Less than half a point is no harm, however sure it is.
        assert!(!rise_of((10_000_000, 40_000), (20_000_000, 0)).is_one());
        assert!(rise_of((10_000_000, 60_000), (20_000_000, 0)).is_one());
        // What fails everywhere says nothing, and what fails less is welcome.
        assert!(!rise_of((1_000, 1_000), (2_000, 2_000)).is_one());
        assert!(!rise_of((1_000, 0), (2_000, 1_000)).is_one());
    }

    #[test]
    fn any_number_has_a_verdict() {
        for many in [u64::MAX, u64::MAX / 2, 1 << 40] {
            let told = rise_of((many, many), (many, 0));
            let _ = (told.is_one(), told.to_string());
        }
        assert!(rise_of((1 << 40, 1 << 40), (1 << 40, 0)).is_one());
    }

    #[test]
    fn only_shares_of_this_rollout_count() {
        let other = Share { rollout: 7, ..share(8, 1_000, 1_000) };
        let nothing = member(share(0, 50, 50));
        let members = [member(share(8, 100, 90)), member(share(7, 200, 2)), member(other), nothing];
        let told = rise(8, 7, &members).unwrap().to_string();
        assert_eq!(
            told,
            "90 of 100 requests failed where it is served (90.00 %), and 2 of 200 on the other \
             replicas meanwhile (1.00 %)"
        );
        assert_eq!(rise(8, 7, &members[..1]), None);
        assert_eq!(rise(8, 7, &members[1..]), None);
    }

    #[test]
    fn counts_begin_with_the_rollout_and_anew_with_what_is_served() {
        let at = Timestamp::from_micros;
        let reading = |generation, requests, errors| Reading { generation, requests, errors };
        let mut tallying = Tallying::default();
        let first = tallying.share(8, reading(7, 500, 50), at(1_000_000));
        assert_eq!((first.requests, first.errors, first.millis), (0, 0, 0));
        let next = tallying.share(8, reading(7, 600, 51), at(3_000_000));
        assert_eq!((next.requests, next.errors, next.millis, next.serving), (100, 1, 2_000, 7));
        let swapped = tallying.share(8, reading(8, 10, 1), at(4_000_000));
        assert_eq!((swapped.requests, swapped.millis, swapped.serving), (0, 0, 8));
        // The kill switch has made it anew.
        assert_eq!(tallying.share(8, reading(8, 2, 0), at(5_000_000)).requests, 0);
        assert_eq!(tallying.share(8, reading(8, 9, 0), at(6_000_000)).requests, 7);
    }

    #[test]
    fn logarithms_are_right_and_never_too_large() {
        let one = 1_i128 << FRACTION_BITS;
        assert_eq!(logarithm(0), None);
        assert_eq!(logarithm(1), Some(0));
        assert_eq!(logarithm(1 << 100), Some(100 * one));
        // The logarithm of three is 1.58496250072115618...
        let three = logarithm(3).unwrap();
        assert!((26_591_258 - 2..=26_591_258).contains(&three), "{three}");
    }

    /// The exact probability that so many or more errors fall on the canaries by chance.
    fn exact((many, failed): (u64, u64), (many_others, failed_others): (u64, u64)) -> f64 {
        let factorial = |number: u64| {
            (1..=number).map(|it| f64::from(u32::try_from(it).unwrap()).ln()).sum::<f64>()
        };
        let choose = |of: u64, some: u64| factorial(of) - factorial(some) - factorial(of - some);
        let (all, errors) = (many + many_others, failed + failed_others);
        let most = errors.min(many);
        let on_canaries = (failed..=most).filter(|it| errors - it <= many_others);
        let chance = on_canaries.map(|it| {
            (choose(errors, it) + choose(all - errors, many - it) - choose(all, many)).exp()
        });
        chance.sum()
    }

    proptest! {
        #[test]
        fn there_is_never_more_evidence_than_there_is(
            (many, failed) in (1..300_u64).prop_flat_map(|many| (Just(many), 0..=many)),
            (many_others, failed_others) in (1..300_u64).prop_flat_map(|many| (Just(many), 0..=many)),
        ) {
            let (canaries, others) = ((many, failed), (many_others, failed_others));
            let told = evidence(&rise_of(canaries, others));
            let bits = -exact(canaries, others).log2();
            prop_assert!(f64::from(u32::try_from(told).unwrap()) <= bits + 1e-6, "{told} {bits}");
        }
    }
}
