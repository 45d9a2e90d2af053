//! Whose turn it is: the choice among the members of a pool, without a clock or a lock.
//!
//! First the best group that can serve is found, then a member of it by the pool's balancing. By
//! weight that is exact: while the same members can serve, each of them gets its share in every
//! cycle (as many turns as all weights together), and the turns of one are spread over it.

use crate::digest::mixed;

/// Members of a pool, by their places.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Set(u32);

/// A member, as far as its turn depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The group it belongs to; smaller ones are better.
    pub priority: u32,
    /// Its share of its group.
    pub weight: u32,
    /// How much of that it gets now, in parts of [`WHOLE`].
    pub ramp: u32,
    /// How many requests it has under way.
    pub taken: u32,
    /// What consistent hashing knows it by.
    pub seed: u64,
}

/// What is known of the members when one is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fitness {
    /// Those whose circuits are closed.
    pub closed: Set,
    /// Those that checks of health found able to serve.
    pub healthy: Set,
}

/// What each member is ahead or behind of its share.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    credit: [i64; MEMBERS_MAX],
}

/// The most members of a pool.
pub const MEMBERS_MAX: usize = 30;
/// All of a weight.
pub const WHOLE: u32 = 1_000;
/// What a turn is worth: much more than all weights of a pool together.
const TURN: i64 = 1 << 44;

impl Set {
    /// Nobody.
    pub const EMPTY: Self = Self(0);

    /// Those of so many places for which `is_in` holds.
    pub fn of(count: usize, is_in: impl Fn(usize) -> bool) -> Self {
        (0..count.min(MEMBERS_MAX)).filter(|place| is_in(*place)).fold(Self::default(), Self::with)
    }

    /// The same and `place`.
    #[must_use]
    pub const fn with(self, place: usize) -> Self {
        Self(self.0 | Self::bit(place))
    }

    /// Whether `place` is in it.
    pub const fn has(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        let mut count = 0_usize;
        let mut rest = self.0;
        while rest != 0 {
            rest &= rest.wrapping_sub(1);
            count = count.wrapping_add(1);
        }
        count
    }

    /// This, unless nobody is in it.
    const fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    const fn bit(place: usize) -> u32 {
        if place < MEMBERS_MAX { 1 << place } else { 0 }
    }
}

impl Fitness {
    /// Those that may be asked. Where fewer than `panic_percent` of all are healthy, it is the checks
    /// that are not believed; an open circuit always is.
    pub fn usable(&self, count: usize, panic_percent: u32) -> Set {
        let healthy = u64::try_from(self.healthy.len()).unwrap_or(u64::MAX);
        let needed = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(panic_percent.into());
        if healthy.saturating_mul(100) < needed {
            self.closed
        } else {
            self.closed.and(self.healthy)
        }
    }
}

/// Among whom the choice is: those of `usable` in the best group that has any. Of them, rather one
/// that was not `tried` for this request; and one without weight only where no other is left.
pub fn standing(places: &[Place], usable: Set, (tried, last): (Set, Set)) -> Set {
    let among = || places.iter().enumerate().filter(|(at, _place)| usable.has(*at));
    let best = among().map(|(_at, place)| place.priority).min();
    let group = Set::of(places.len(), |at| {
        usable.has(at) && places.get(at).map(|place| place.priority) == best
    });
    let weighed = Set::of(places.len(), |at| places.get(at).is_some_and(|it| 0 < it.weight));
    let rather = |group: Set| group.without(tried).or(group.without(last)).or(group);
    rather(group.and(weighed).or(group))
}

impl Turn {
    /// The next one among `set`, by weight.
    ///
    /// Each turn is divided among those who could have it, and whoever is owed most gets it. A turn is
    /// worth the same whoever they are, so that nobody loses by coming and going.
    pub fn next(&mut self, places: &[Place], set: Set) -> Option<usize> {
        let none_weighs = places.iter().enumerate().all(|(at, it)| !set.has(at) || it.weight == 0);
        let weigh = |place: &Place| {
            let weight = if none_weighs { 1 } else { place.weight };
            i64::from(weight).saturating_mul(i64::from(place.ramp.max(1)))
        };
        let among = places.iter().enumerate().filter(|(at, _place)| set.has(*at));
        let total: i64 = among.map(|(_at, place)| weigh(place)).sum();
        // The same factor for all, so that shares stay exact.
        let factor = TURN / total.max(1);
        let mut best: Option<(usize, i64)> = None;
        for (at, (place, credit)) in places.iter().zip(&mut self.credit).enumerate() {
            if !set.has(at) {
                continue;
            }
            *credit = credit.saturating_add(weigh(place).saturating_mul(factor));
            if best.is_none_or(|(_at, most)| most < *credit) {
                best = Some((at, *credit));
            }
        }
        let (at, _credit) = best?;
        if let Some(credit) = self.credit.get_mut(at) {
            *credit = credit.saturating_sub(total.saturating_mul(factor));
        }
        Some(at)
    }

    /// The one among `set` that has least to do for its weight; among equals by weight.
    pub fn idlest(&mut self, places: &[Place], set: Set) -> Option<usize> {
        let load = |place: &Place| {
            let share = u64::from(place.weight.max(1)).saturating_mul(place.ramp.max(1).into());
            (u64::from(place.taken), share)
        };
        let among = || places.iter().enumerate().filter(|(at, _place)| set.has(*at));
        let is_less = |(taken, share): (u64, u64), (other, its): (u64, u64)| {
            taken.saturating_mul(its) < other.saturating_mul(share)
        };
        let least = among()
            .map(|(_at, place)| load(place))
            .reduce(|least, next| if is_less(next, least) { next } else { least })?;
        let idle = Set::of(places.len(), |at| {
            set.has(at) && places.get(at).is_some_and(|place| !is_less(least, load(place)))
        });
        self.next(places, idle)
    }
}

/// The one among `set` that `key` belongs to: each gets keys by its weight, and when one goes only
/// its own keys go to others (rendezvous hashing).
pub fn owner(places: &[Place], set: Set, key: u64) -> Option<usize> {
    let among = places.iter().enumerate().filter(|(at, _place)| set.has(*at));
    let scored = among.map(|(at, place)| {
        let share = f64::from(place.weight.max(1)) * f64::from(place.ramp.max(1));
        let drawn = u32::try_from(mixed(key ^ place.seed) >> 32).unwrap_or(u32::MAX);
        // Within (0, 1), so that its logarithm is a number below 0.
        let drawn = (f64::from(drawn) + 0.5) / 4_294_967_296.0;
        (at, -share / drawn.ln())
    });
    let best = scored.reduce(|best, next| if best.1 < next.1 { next } else { best });
    best.map(|(at, _score)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(weights: &[u32]) -> Vec<Place> {
        let place = |(at, weight): (usize, &u32)| Place {
            weight: *weight,
            ramp: WHOLE,
            seed: mixed(u64::try_from(at).unwrap() + 77),
            ..Place::default()
        };
        weights.iter().enumerate().map(place).collect()
    }

    fn all(places: &[Place]) -> Set {
        Set::of(places.len(), |_at| true)
    }

    fn counts(places: &[Place], set: Set, turns: usize, turn: &mut Turn) -> Vec<usize> {
        let mut counts = vec![0; places.len()];
        for _ in 0..turns {
            counts[turn.next(places, set).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn turns_are_spread_over_a_cycle() {
        let places = places(&[5, 1, 1]);
        let mut turn = Turn::default();
        let order: Vec<usize> = (0..7).map(|_| turn.next(&places, all(&places)).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_better_group_is_left_only_when_nobody_is_left_in_it() {
        let mut places = places(&[1, 1, 1]);
        places[2].priority = 2;
        let none = (Set::default(), Set::default());
        assert_eq!(standing(&places, all(&places), none), Set::default().with(0).with(1));
        assert_eq!(standing(&places, Set::default().with(1).with(2), none), Set::default().with(1));
        assert_eq!(standing(&places, Set::default().with(2), none), Set::default().with(2));
        // One that failed is asked again rather than one of a worse group.
        let failed = (Set::default().with(1), Set::default().with(1));
        assert_eq!(
            standing(&places, Set::default().with(1).with(2), failed),
            Set::default().with(1)
        );
        assert!(standing(&places, Set::default(), none).is_empty());
    }

    #[test]
    fn whoever_has_no_weight_serves_only_alone() {
        let places = places(&[0, 3]);
        let none = (Set::default(), Set::default());
        assert_eq!(standing(&places, all(&places), none), Set::default().with(1));
        assert_eq!(standing(&places, Set::default().with(0), none), Set::default().with(0));
    }

    #[test]
    fn too_few_healthy_members_are_taken_for_a_fault_of_the_checks() {
        let closed = Set::default().with(0).with(1).with(2);
        let fitness = Fitness { closed, healthy: Set::default().with(0).with(3) };
        assert_eq!(fitness.usable(4, 50), Set::default().with(0), "half of them is enough");
        assert_eq!(fitness.usable(4, 51), closed, "an open circuit stays open");
        assert_eq!(fitness.usable(4, 0), Set::default().with(0));
    }

    #[test]
    fn whoever_has_least_to_do_for_its_weight_is_next() {
        let mut places = places(&[1, 2]);
        let mut turn = Turn::default();
        let both = all(&places);
        (places[0].taken, places[1].taken) = (1, 1);
        assert_eq!(turn.idlest(&places, both), Some(1));
        (places[0].taken, places[1].taken) = (1, 3);
        assert_eq!(turn.idlest(&places, both), Some(0));
        (places[0].taken, places[1].taken) = (0, 0);
        let mut counts = [0; 2];
        for _ in 0..30 {
            counts[turn.idlest(&places, both).unwrap()] += 1;
        }
        assert_eq!(counts, [10, 20]);
    }

    #[test]
    fn keys_fall_to_members_by_weight() {
        let places = places(&[1, 2, 1]);
        let mut counts = [0_u32; 3];
        for key in 0..100_000_u64 {
            counts[owner(&places, all(&places), mixed(key)).unwrap()] += 1;
        }
        for (count, share) in counts.into_iter().zip([25_000_u32, 50_000, 25_000]) {
            assert!(count.abs_diff(share) < 1_000, "{counts:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn every_cycle_gives_each_member_its_weight(
            weights in proptest::collection::vec(1_u32..20, 1..10),
            skipped in 0_usize..50,
        ) {
            let places = places(&weights);
            let mut turn = Turn::default();
            counts(&places, all(&places), skipped, &mut turn);
            let cycle: u32 = weights.iter().sum();
            let turns = counts(&places, all(&places), usize::try_from(cycle).unwrap(), &mut turn);
            let wanted: Vec<usize> =
                weights.iter().map(|weight| usize::try_from(*weight).unwrap()).collect();
            prop_assert_eq!(turns, wanted);
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Members come and go at every turn: nobody starves who could serve.
        #[test]
        fn coming_and_going_takes_no_share_away(
            weights in proptest::collection::vec(1_u32..6, 2..6),
            sets in proptest::collection::vec(1_u32..64, 4..12),
        ) {
            let places = places(&weights);
            let sets: Vec<Set> = sets.iter().map(|bits| Set(*bits).and(all(&places))).collect();
            let sets: Vec<Set> = sets.into_iter().filter(|set| !set.is_empty()).collect();
            let (mut turn, rounds) = (Turn::default(), 400);
            let mut counts = vec![0.0; places.len()];
            let mut fair = vec![0.0; places.len()];
            for set in sets.iter().cycle().take(rounds * sets.len()) {
                let at = turn.next(&places, *set).unwrap();
                prop_assert!(set.has(at));
                counts[at] += 1.0;
                let weigh = |at: usize| f64::from(weights[at]);
                let among: Vec<usize> = (0..places.len()).filter(|at| set.has(*at)).collect();
                let total: f64 = among.iter().map(|at| weigh(*at)).sum();
                for at in among {
                    fair[at] += weigh(at) / total;
                }
            }
            for (count, fair) in counts.iter().zip(&fair) {
                let off: f64 = count - fair;
                prop_assert!(off.abs() <= fair * 0.01 + 3.0, "{counts:?} {fair:?}");
            }
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn when_a_member_goes_only_its_keys_move(
            weights in proptest::collection::vec(1_u32..5, 2..30),
            gone in 0_usize..30,
            keys in proptest::collection::vec(any::<u64>(), 20),
        ) {
            let places = places(&weights);
            let gone = gone % places.len();
            let rest = all(&places).without(Set::default().with(gone));
            for key in keys {
                let before = owner(&places, all(&places), key).unwrap();
                let after = owner(&places, rest, key).unwrap();
                prop_assert!(before == after || before == gone);
                prop_assert!(after != gone);
            }
        }
    }
}
