//! Replicas that lend to tills: the same bounds, and most of what a hot key takes without a lock.

use std::time::Duration;

use crate::limit::engine::rule::{Rule, Shape};
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::simulation::world::World;

/// A seed with which replicas lend, and one with which they do not.
const LENDS: u64 = 11;
const KEEPS: u64 = 12;

fn run(seed: u64, rule: &Rule, rate: u64) -> World {
    let plan = Plan { rate, ends: 8 * SECOND, ..Plan::quiet(seed, rule.clone()) };
    World::new(plan).run()
}

fn from_tills(world: &World) -> u64 {
    world.replicas.iter().map(|replica| replica.from_tills).sum()
}

#[test]
fn most_claims_on_a_hot_key_take_what_is_lent_and_no_more_orders_are_made_for_it() {
    let period = Duration::from_secs(1);
    for shape in [Shape::Fixed { period, origin: Duration::ZERO }, Shape::Sliding { period }] {
        let rule = Rule::new(20_000, shape).unwrap();
        let (lends, keeps) = (run(LENDS, &rule, 10_000), run(KEEPS, &rule, 10_000));
        let (admitted, offered) = lends.judge.total();
        assert!(offered <= admitted + offered / 500, "{shape:?}: {admitted} of {offered}");
        let taken = from_tills(&lends);
        assert!(taken * 2 > admitted, "{shape:?}: {taken} of {admitted}");
        assert_eq!(from_tills(&keeps), 0);
        let (more, usual) = (lends.judge.facts.orders, keeps.judge.facts.orders);
        assert!(more <= usual + usual / 4, "{shape:?}: {more} orders, {usual} without tills");
    }
}

#[test]
fn a_limit_that_is_met_is_met_as_nearly_where_tokens_are_lent() {
    let shape = Shape::Fixed { period: Duration::from_secs(1), origin: Duration::ZERO };
    let rule = Rule::new(1_000, shape).unwrap();
    let (mut missed, mut could) = (0, 0);
    for seed in [LENDS, LENDS + 2, LENDS + 4] {
        let world = run(seed, &rule, 3_000);
        assert!(from_tills(&world) > 1_000);
        let (did_not, all) = world.judge.missed(&rule);
        (missed, could) = (missed + did_not, could + all);
    }
    assert!(missed * 100 <= could, "{missed} of {could}");
}

#[test]
fn what_is_neither_a_fixed_nor_a_sliding_window_is_not_lent() {
    let period = Duration::from_secs(5);
    for shape in
        [Shape::Quota { period, origin: Duration::ZERO }, Shape::Bucket { period, burst: 10_000 }]
    {
        let world = run(LENDS, &Rule::new(50_000, shape).unwrap(), 2_000);
        assert_eq!(from_tills(&world), 0);
    }
}
