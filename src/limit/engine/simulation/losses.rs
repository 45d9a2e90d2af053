//! The moment in which Redis is lost, and what follows: how little is refused wrongly, how little is
//! admitted beyond the limit, how long anybody waits.

use std::time::Duration;

use crate::limit::engine::rule::{Certainty, Rule, Shape};
use crate::limit::engine::simulation::plan::{Cut, Plan, SECOND};
use crate::limit::engine::simulation::world::World;

/// How often each is tried, with another moment of loss.
const TRIES: u64 = 10;

/// What came of some cases.
#[derive(Debug, Default)]
struct Found {
    /// Refused wrongly, in thousandths of what was admissible.
    missed: u64,
    /// The most that was admitted in any interval, in hundredths of the limit.
    worst: u64,
    /// How many had to wait, and how many for longer than ten milliseconds.
    waits: u64,
    long_waits: u64,
    offered: u64,
    shared: u64,
}

/// A load of so many hundredths of the limit over four replicas that all lose Redis after some
/// periods, for `lost` microseconds.
fn lose(rule: &Rule, load: u64, lost: u64, change: impl Fn(&mut Plan)) -> Found {
    let period = rule.grid().period;
    let mut found = Found::default();
    let (mut missed, mut could) = (0, 0);
    for seed in 0..TRIES {
        let from = 2 * SECOND + period + period / 2 + seed * period / TRIES;
        let who = (0..4).collect();
        let mut plan = Plan {
            replicas: 4,
            weights: vec![1; 4],
            rate: (rule.limit() * load * SECOND / 100 / period).max(1),
            cuts: vec![Cut { from, to: from + lost, who, breaks: false }],
            ends: from + lost + period.max(2 * SECOND),
            ..Plan::quiet(seed, rule.clone())
        };
        change(&mut plan);
        let world = World::new(plan).run();
        let (did_not, all) = world.judge.missed(rule);
        (missed, could) = (missed + did_not, could + all);
        found.worst = found.worst.max(world.judge.worst(rule) * 100 / rule.bound().max(1));
        found.waits += world.judge.waits;
        found.long_waits += world.judge.long_waits;
        found.offered += world.judge.total().1;
        found.shared += world.judge.facts.shared;
    }
    found.missed = missed * 1_000 / could;
    found
}

fn fast(limit: u64, shape: Shape) -> Rule {
    Rule::new(limit, shape).unwrap().certainty(Certainty::Fast { over: limit / 100 })
}

fn sliding(limit: u64, millis: u64) -> Rule {
    fast(limit, Shape::Sliding { period: Duration::from_millis(millis) })
}

fn fixed(limit: u64, millis: u64) -> Rule {
    fast(limit, Shape::Fixed { period: Duration::from_millis(millis), origin: Duration::ZERO })
}

fn bucket(limit: u64, millis: u64, burst: u64) -> Rule {
    fast(limit, Shape::Bucket { period: Duration::from_millis(millis), burst })
}

#[test]
fn an_even_load_below_a_sliding_limit_goes_on_when_redis_is_lost() {
    for (rule, load, most) in [
        (sliding(1_000, 1_000), 80, 5),
        (sliding(1_000, 10_000), 90, 3),
        (sliding(1_000, 60_000), 80, 3),
        // Of twenty-five for each replica a few are missing at one that has more to do for a moment.
        (sliding(100, 1_000), 80, 20),
    ] {
        let found = lose(&rule, load, 6 * SECOND, |_| {});
        assert!(found.missed <= most, "{rule:?}: {found:?}");
        assert!(found.shared > 0, "{rule:?}: {found:?}");
    }
}

#[test]
fn an_even_load_below_a_bucket_goes_on_when_redis_is_lost() {
    let found = lose(&bucket(1_000, 1_000, 200), 80, 6 * SECOND, |_| {});
    assert!(found.missed <= 15 && found.worst <= 100, "{found:?}");
}

#[test]
fn an_exact_bucket_does_not_pay_twice_for_what_it_admitted_before_redis_came_back_empty() {
    let shape = Shape::Bucket { period: Duration::from_secs(1), burst: 200 };
    let found = lose(&Rule::new(1_000, shape).unwrap(), 80, 6 * SECOND, |plan| {
        let Cut { from, to, breaks, .. } = &mut plan.cuts[0];
        *breaks = true;
        plan.wipe = Some(*from + SECOND);
        plan.ends = *to + 4 * SECOND;
    });
    // Two seconds after the loss and half a second after its end, of thirteen.
    assert!(found.missed <= 300 && found.worst <= 100, "{found:?}");
}

#[test]
fn a_load_above_a_limit_gets_no_more_of_it_when_all_lose_redis() {
    for rule in [
        sliding(1_000, 1_000),
        sliding(1_000, 10_000),
        fixed(1_000, 1_000),
        bucket(1_000, 1_000, 200),
    ] {
        for lost in [30_000, 150_000, 400_000, 6 * SECOND] {
            let found = lose(&rule, 200, lost, |_| {});
            assert!(found.worst <= 105, "{rule:?}, {lost}: {found:?}");
        }
    }
}

#[test]
fn what_some_admit_while_the_others_still_sell_their_share_is_far_less_than_twice_the_limit() {
    for rule in [sliding(1_000, 1_000), sliding(1_000, 10_000), fixed(1_000, 1_000)] {
        for who in [vec![0], vec![0, 1], vec![0, 1, 2]] {
            let found = lose(&rule, 200, 4 * SECOND, |plan| plan.cuts[0].who.clone_from(&who));
            assert!(found.worst <= 140, "{rule:?}, {who:?}: {found:?}");
        }
    }
}

#[test]
fn a_load_that_has_just_begun_is_not_taken_for_none() {
    // Redis is lost before a period has passed, and before the first look at it is a tenth of one old.
    for rule in [sliding(1_000, 1_000), sliding(1_000, 10_000)] {
        let found = lose(&rule, 200, 3 * SECOND, |plan| plan.begins = plan.cuts[0].from - 200_000);
        assert!(found.worst <= 110, "{rule:?}: {found:?}");
    }
}

#[test]
fn hardly_anybody_waits_for_longer_than_ten_milliseconds() {
    for rule in [
        sliding(1_000, 1_000),
        sliding(100, 1_000),
        sliding(1_000, 10_000),
        fixed(1_000, 1_000),
        bucket(1_000, 1_000, 200),
    ] {
        for (load, lost) in [(80, 150_000), (80, 400_000), (80, 3 * SECOND), (200, 3 * SECOND)] {
            let found = lose(&rule, load, lost, |_| {});
            // All that wait, of all that came during the loss and in two seconds after it.
            assert!(found.long_waits * 1_000 <= found.offered, "{rule:?}, {lost}: {found:?}");
        }
    }
}

#[test]
fn who_waits_in_the_exact_mode_waits_no_shorter() {
    let rule = Rule::new(1_000, Shape::Sliding { period: Duration::from_secs(1) }).unwrap();
    let found = lose(&rule, 80, 400_000, |_| {});
    assert!(found.long_waits > 100 && found.shared == 0, "{found:?}");
}

#[test]
fn a_hiccup_of_redis_costs_nothing_and_admits_nothing_twice() {
    for (rule, most) in [(sliding(1_000, 1_000), 1), (fixed(1_000, 1_000), 1)] {
        let found = lose(&rule, 80, 30_000, |_| {});
        assert!(found.missed <= most, "{rule:?}: {found:?}");
        // Again and again in one period, above the limit: what was admitted in doubt is paid for.
        let found = lose(&rule, 200, 30_000, |plan| {
            let first = plan.cuts[0].clone();
            let later = (1..12).map(|times| Cut {
                from: first.from + times * 80_000,
                to: first.to + times * 80_000,
                ..first.clone()
            });
            plan.cuts.extend(later);
        });
        assert!(found.worst <= 103, "{rule:?}: {found:?}");
    }
}

/// A window of ten seconds of a thousand, of which a replica has as much in hand as it needs.
fn stocked(horizon: Option<Duration>) -> Rule {
    let shape = Shape::Fixed { period: Duration::from_secs(10), origin: Duration::ZERO };
    Rule::new(1_000, shape).unwrap().horizon(horizon)
}

/// How much is refused wrongly, in thousandths, when four replicas lose Redis for thirty seconds,
/// each time so many microseconds after a window of `rule` began.
fn lose_after(rule: &Rule, load: u64, after: &[u64]) -> u64 {
    let (mut missed, mut could) = (0, 0);
    for seed in 0..TRIES {
        for after in after {
            let from = 20 * SECOND + after;
            let who = (0..4).collect();
            let plan = Plan {
                replicas: 4,
                weights: vec![1; 4],
                rate: load,
                cuts: vec![Cut { from, to: from + 30 * SECOND, who, breaks: false }],
                ends: 60 * SECOND,
                ..Plan::quiet(seed, rule.clone())
            };
            let world = World::new(plan).run();
            assert!(world.judge.worst(rule) <= rule.limit());
            let (did_not, all) = world.judge.missed(rule);
            (missed, could) = (missed + did_not, could + all);
        }
    }
    missed * 1_000 / could
}

#[test]
fn an_exact_limit_goes_on_from_what_is_in_hand_as_far_as_its_horizon_goes() {
    // Not when a window has just begun, and not so late that the next one begins before the others
    // know that this replica uses its share.
    let after = [SECOND, 3 * SECOND, 6 * SECOND, 7_900_000];
    let window = Some(Duration::from_secs(10));
    for load in [80, 100] {
        let [usual, whole] =
            [None, window].map(|horizon| lose_after(&stocked(horizon), load, &after));
        assert!(whole <= 5, "{whole} of 1000 at {load}");
        assert!(usual > 60, "{usual} of 1000 at {load}: then nobody needs a horizon");
    }
    let three = lose_after(&stocked(Some(Duration::from_secs(3))), 100, &[7_900_000]);
    assert!(three <= 5, "{three} of 1000 with three seconds, two of which are left");
}

#[test]
fn a_load_that_goes_elsewhere_finds_there_what_was_in_hand_here() {
    let window = Some(Duration::from_secs(10));
    for (load, at) in [(80, 22), (80, 25), (100, 22), (100, 25)] {
        let (mut missed, mut could, mut returned) = (0, 0, 0);
        for seed in 0..TRIES {
            let plan = Plan {
                replicas: 4,
                weights: vec![1; 4],
                shift: Some((at * SECOND, vec![3, 1, 0, 0])),
                rate: load,
                ends: 30 * SECOND,
                ..Plan::quiet(seed, stocked(window))
            };
            let world = World::new(plan).run();
            let (did_not, all) = world.judge.missed(&world.plan.rule);
            (missed, could) = (missed + did_not, could + all);
            returned += world.judge.facts.returned;
        }
        assert!(missed * 1_000 <= could * 15, "{missed} of {could} at {load}, {at}");
        assert!(returned > 1_000, "{returned}");
    }
}
