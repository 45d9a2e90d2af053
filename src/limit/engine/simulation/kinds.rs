//! Each kind of limit when all is well: how little is refused wrongly, how seldom Redis is asked;
//! and quotas and holds when it is not.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::rule::{Certainty, Rule, Shape};
use crate::limit::engine::simulation::plan::{Crash, Cut, Failover, Plan, SECOND};
use crate::limit::engine::simulation::world::World;

const PERIOD: Duration = Duration::from_secs(1);

fn shapes() -> [Shape; 3] {
    [
        Shape::Fixed { period: PERIOD, origin: Duration::ZERO },
        Shape::Sliding { period: PERIOD },
        Shape::Quota { period: PERIOD * 5, origin: Duration::ZERO },
    ]
}

/// Twelve seconds of an even load of `rate` over `replicas`.
fn even(rule: &Rule, replicas: usize, rate: u64) -> World {
    let plan = Plan {
        replicas,
        weights: vec![1; replicas],
        rate,
        ends: 14 * SECOND,
        ..Plan::quiet(3, rule.clone())
    };
    World::new(plan).run()
}

/// How much of what could have been admitted was not, in thousandths.
fn missed(world: &World) -> u64 {
    let (missed, could) = world.judge.missed(&world.plan.rule);
    missed * 1_000 / could
}

#[test]
fn a_load_below_the_limit_is_not_refused() {
    for shape in shapes() {
        let limit = if matches!(shape, Shape::Quota { .. }) { 5_000 } else { 1_000 };
        for replicas in [4, 20] {
            let world = even(&Rule::new(limit, shape).unwrap(), replicas, 800);
            assert!(missed(&world) <= 2, "{shape:?}: {} of 1000", missed(&world));
        }
    }
}

#[test]
fn a_load_above_the_limit_gets_nearly_all_of_it() {
    let [fixed, sliding, _] = shapes();
    for (shape, limit, most) in [(fixed, 1_000, 5), (fixed, 5, 20), (sliding, 1_000, 58)] {
        for replicas in [4, 20] {
            let world = even(&Rule::new(limit, shape).unwrap(), replicas, 2 * limit);
            let missed = missed(&world);
            assert!(missed <= most, "{shape:?}, {replicas}: {missed} of 1000");
        }
    }
}

#[test]
fn a_load_above_the_limit_that_nearly_all_comes_to_one_replica_gets_nearly_all_of_it() {
    let [fixed, ..] = shapes();
    let rule = Rule::new(1_000, fixed).unwrap();
    let (mut missed, mut could) = (0, 0);
    for seed in 0..3 {
        let plan = Plan {
            replicas: 4,
            weights: vec![27, 1, 1, 1],
            rate: 2_000,
            ends: 12 * SECOND,
            ..Plan::quiet(seed, rule.clone())
        };
        let world = World::new(plan).run();
        let (did_not, all) = world.judge.missed(&rule);
        // An answer that another one overtakes looks like a counter that fell.
        assert_eq!(world.judge.facts.rollbacks, 0);
        (missed, could) = (missed + did_not, could + all);
    }
    assert!(missed * 200 <= could, "{missed} of {could}");
}

#[test]
fn small_bursts_in_a_sliding_window_are_not_starved_by_what_others_hoard() {
    // As many as there may be at once, somewhere, and again when none of them counts any more: in
    // one moment, and in as long as about a sub-window.
    for (limit, within) in [(3, 1_500), (8, 60_000), (12, 60_000)] {
        let rule = Rule::new(limit, Shape::Sliding { period: PERIOD * 2 }).unwrap();
        let (mut missed, mut could) = (0, 0);
        for seed in 0..10 {
            let plan = Plan {
                in_groups: Some((limit, within, 2_300_000)),
                ends: 25 * SECOND,
                ..Plan::quiet(seed, rule.clone())
            };
            let (did_not, all) = World::new(plan).run().judge.missed(&rule);
            (missed, could) = (missed + did_not, could + all);
        }
        assert!(missed * 100 <= could, "{missed} of {could}, {limit} at once");
    }
}

#[test]
fn a_hot_key_hardly_ever_asks() {
    for shape in shapes() {
        let world = even(&Rule::new(10_000, shape).unwrap(), 4, 20_000);
        let orders = world.judge.facts.orders;
        let (_, offered) = world.judge.total();
        let one_in = offered / orders;
        assert!(one_in >= 100, "{shape:?}: one order in {one_in} requests");
    }
}

#[test]
fn a_window_costs_no_more_orders_than_is_said() {
    let [fixed, sliding, _] = shapes();
    for (shape, limit, replicas, load) in [
        (fixed, 30, 4, 200),
        (fixed, 1_000, 4, 90),
        (fixed, 1_000, 20, 200),
        (fixed, 10_000, 4, 300),
        (sliding, 1_000, 4, 90),
        (sliding, 10_000, 4, 300),
    ] {
        let rule = Rule::new(limit, shape).unwrap();
        let world = even(&rule, replicas, limit * load / 100);
        // One for each horizon, of which four make a window, and as many as halve what is left
        // until each replica's part of it is one; of a ring, one horizon is a sub-window.
        let windows = if rule.grid().is_ring() { 1 } else { 4 };
        let parts = limit / (2 * u64::try_from(replicas).unwrap());
        let halvings = u64::from(parts.checked_ilog2().map_or(0, |log| log + 1)).max(1);
        let most = windows + 2 * halvings + 3;
        let orders = world.judge.orders_max();
        assert!(orders <= most, "{shape:?} {limit} {replicas} {load}: {orders} of {most}");
    }
}

#[test]
fn the_fast_mode_does_not_let_cold_keys_wait() {
    let [fixed, _, _] = shapes();
    let rule = Rule::new(1_000, fixed).unwrap();
    let of_seed =
        |rule: &Rule, seed| Plan { rate: 500, ends: 8 * SECOND, ..Plan::quiet(seed, rule.clone()) };
    let waits = |rule: Rule| {
        (0..10).map(|seed| World::new(of_seed(&rule, seed)).run().judge.waits).sum::<u64>()
    };
    let exact = waits(rule.clone());
    let fast = waits(rule.certainty(Certainty::Fast { over: 100 }));
    assert!(fast * 2 < exact, "{fast} waited in the fast mode, {exact} in the exact one");
}

#[test]
fn a_quota_is_counted_exactly_once_through_losses_crashes_and_failovers() {
    for period in [Duration::ZERO, PERIOD * 20] {
        let shape = Shape::Quota { period, origin: Duration::ZERO };
        for seed in 0..60 {
            let from = 3 * SECOND + seed * 20_000;
            let who = vec![0, 1, 2];
            let cut = Cut { from, to: from + 3 * SECOND, who, breaks: seed % 2 == 0 };
            let at = cut.to;
            // Out of touch, or on the way back with a report in hand.
            let dies = if seed % 2 == 0 { from + SECOND } else { at + 50_000 + seed * 3_000 };
            let crash = Crash { who: 0, from: dies, to: at + SECOND };
            let failover = Failover { at, lag: 50_000, hidden: false, swaps: false, jump: 0 };
            let plan = Plan {
                rate: 200,
                cuts: vec![cut],
                crashes: if seed % 3 == 1 { vec![crash] } else { Vec::new() },
                failover: (seed % 3 == 2).then_some(failover),
                loses_one_in: if seed % 4 == 0 { 5 } else { 0 },
                ends: 12 * SECOND,
                ..Plan::quiet(seed, Rule::new(2_500, shape).unwrap())
            };
            for over in [0, 25] {
                let fast = Rule::clone(&plan.rule).certainty(Certainty::Fast { over });
                let world = World::new(Plan { rule: Arc::new(fast), ..plan.clone() }).run();
                assert!(world.judge.facts.shared > 0);
            }
            // What must be exact is not estimated.
            assert_eq!(World::new(plan).run().judge.facts.shared, 0);
        }
    }
}

#[test]
fn what_is_given_back_can_be_taken_again_and_no_more() {
    for shape in shapes() {
        for seed in 0..20 {
            let plan = Plan {
                rate: 400,
                refunds_one_in: 2,
                heavy_one_in: 3,
                ends: 8 * SECOND,
                ..Plan::quiet(seed, Rule::new(100, shape).unwrap())
            };
            let world = World::new(plan).run();
            assert!(world.judge.facts.refunded > 100);
        }
    }
}
