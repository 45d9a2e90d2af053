//! What is to hold, in worlds that were made for it and in many by chance.

use super::{Chance, Fault, MILLI, Plan, SECOND, World, key};
use crate::limit::concurrency::pool::Decision;

fn plan(faults: Vec<(u64, u64, Fault)>) -> Plan {
    let (every, stay) = (4 * MILLI, (5 * MILLI, 120 * MILLI));
    Plan {
        replicas: 3,
        max: 10,
        keys: 1,
        seconds: 20,
        every,
        stay,
        spread: 1,
        faults,
        lossy: false,
    }
}

/// Plans of all sorts, none of which leaves anybody out of touch for longer than it is held in mind.
fn planned(seed: u64) -> Plan {
    let mut chance = Chance::new(seed ^ 0x5bd1_e995);
    let replicas = 2 + chance.index(5);
    let mut plan = plan(Vec::new());
    plan.replicas = replicas;
    plan.max = [1, 2, 5, 10, 40][chance.index(5)];
    plan.keys = 1 + chance.index(3);
    plan.every = chance.within(MILLI, 20 * MILLI);
    plan.stay = (MILLI, chance.within(10 * MILLI, 400 * MILLI));
    plan.lossy = chance.once_in(2);
    plan.seconds = 25;
    // One after the other, with time between them to come to rest.
    let mut at = 2 * SECOND;
    while at < 14 * SECOND {
        let who = chance.index(replicas);
        let lasts = chance.within(50 * MILLI, 7 * SECOND);
        let fault = match chance.within(0, 9) {
            0..3 => Fault::Crash(who),
            3..6 => Fault::Cut(who),
            6 => Fault::Pause(who),
            _ => Fault::Down { wiped: chance.once_in(2) },
        };
        plan.faults.push((at, at + lasts, fault));
        at += lasts + chance.within(3 * SECOND, 5 * SECOND);
    }
    plan
}

#[test]
fn all_of_a_limit_is_used_and_no_more() {
    let mut world = World::new(1, plan(Vec::new()));
    world.run();
    assert_eq!(world.most, 10);
    // 62 ms each: about 160 can be inside in a second, and 250 want to.
    assert!(2_400 < world.admitted && 100 < world.refused, "{}", world.admitted);
}

#[test]
fn a_warm_key_costs_no_order_for_each_request() {
    let calm = Plan { max: 200, every: MILLI, ..plan(Vec::new()) };
    let mut world = World::new(2, calm);
    world.run();
    let orders: u64 = world.replicas.iter().map(|one| one.pool.facts().orders).sum();
    assert_eq!(world.refused, 0);
    assert!(15_000 < world.admitted && orders < 500, "{orders} for {}", world.admitted);
}

#[test]
fn who_lacks_permits_gets_its_part() {
    // Nearly all requests come to one of two replicas, and would fill the limit six times.
    let skewed = Plan { every: MILLI, replicas: 2, spread: 10, ..plan(Vec::new()) };
    let mut world = World::new(3, skewed);
    world.run();
    let facts = world.replicas[1].pool.facts();
    assert!(facts.refused * 2 < facts.admitted, "{facts:?}");
    assert!(2_500 < world.admitted, "{}", world.admitted);
}

#[test]
fn permits_of_a_replica_that_dies_come_back() {
    let crash = Plan {
        every: MILLI,
        seconds: 12,
        ..plan(vec![(3 * SECOND, 60 * SECOND, Fault::Crash(0))])
    };
    let mut world = World::new(4, crash);
    world.run();
    // Its share is held back as long as it may only be cut off.
    world.most = 0;
    world.plan.seconds = 16;
    world.run();
    assert_eq!(world.most, 10);
}

#[test]
fn without_redis_each_replica_lets_in_its_share_and_then_they_agree_again() {
    for wiped in [false, true] {
        let down = Fault::Down { wiped };
        let mut world =
            World::new(5, Plan { every: MILLI, ..plan(vec![(4 * SECOND, 12 * SECOND, down)]) });
        world.plan.seconds = 11;
        world.run();
        for replica in &world.replicas {
            assert!(0 < replica.pool.facts().alone);
            assert!([3, 4].contains(&replica.inside.len()), "{}", replica.inside.len());
        }
        world.plan.seconds = 20;
        world.most = 0;
        world.run();
        assert_eq!(world.most, 10);
    }
}

#[test]
fn a_request_that_stays_for_long_keeps_its_permit() {
    let long = Plan { max: 2, stay: (8 * SECOND, 9 * SECOND), ..plan(Vec::new()) };
    let mut world = World::new(6, long);
    world.run();
    assert_eq!(world.most, 2);
    assert!(4 <= world.admitted && world.admitted <= 6, "{}", world.admitted);
}

#[test]
fn a_replica_that_was_stopped_lets_nobody_in_with_permits_of_before() {
    // It is stopped for longer than they live; who was inside before is excused, nobody else.
    let stop = (5 * SECOND, 11 * SECOND, Fault::Pause(1));
    let mut world = World::new(7, Plan { every: MILLI, ..plan(vec![stop]) });
    world.run();
    assert!(0 < world.excused, "nobody was inside when it was stopped");
    world.most = 0;
    world.plan.seconds += 5;
    world.run();
    assert_eq!(world.most, 10);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "more of it is asked for by hand")]
fn no_more_are_inside_than_the_limit_says_whatever_happens() {
    let named = std::env::var("WEIR_SIMULATION_SEEDS").ok();
    let (from, to) = named
        .as_deref()
        .and_then(|text| text.split_once(".."))
        .map_or((0, 60), |(from, to)| (from.parse().unwrap(), to.parse().unwrap()));
    for seed in from..to {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed, planned(seed));
            world.run();
            assert!(0 < world.admitted);
            world.rest();
            for replica in &world.replicas {
                assert_eq!(replica.pool.inside(), (0, 0), "everything is given back");
                assert_eq!(replica.waiting.len(), 0, "everybody was answered");
            }
            // And what was given back can be had.
            let (local, key) = (world.replicas[0].local(world.now), key(0));
            for _ in 0..world.plan.max {
                match world.replicas[0].pool.enter(local, key, world.plan.max) {
                    Decision::In => world.enters(0, key),
                    Decision::Waiting(id) => {
                        world.replicas[0].waiting.insert(id, key);
                    }
                    Decision::Full => panic!("there is room"),
                }
            }
            let before = world.refused;
            world.plan.stay = (SECOND, SECOND);
            world.see_to(0);
            world.plan.seconds += 1;
            world.run();
            assert_eq!(world.refused, before, "all of it can be had by one");
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
