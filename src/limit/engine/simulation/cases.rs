//! Many cases, each from its seed.

use std::ops::Range;
use std::panic::AssertUnwindSafe;

use crate::limit::engine::Facts;
use crate::limit::engine::simulation::plan::Plan;
use crate::limit::engine::simulation::world::World;

/// How many cases a test run tries.
const CASES: u64 = 10_000;

/// What came of some cases.
#[derive(Debug, Default)]
struct Sum {
    admitted: u64,
    offered: u64,
    orders: u64,
    facts: Facts,
    /// Seeds that broke a rule, and which.
    broken: Vec<(u64, String)>,
}

fn try_seeds(seeds: impl Iterator<Item = u64>) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds {
        let run = || World::new(Plan::of_seed(seed)).run();
        match std::panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(world) => {
                let (admitted, offered) = world.judge.total();
                sum.admitted += admitted;
                sum.offered += offered;
                sum.orders += world.judge.orders;
                add(&mut sum.facts, &world.judge.facts);
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                sum.broken.push((seed, text));
            }
        }
    }
    sum
}

/// Adds what one desk did to what others did.
pub(super) fn add(sum: &mut Facts, part: &Facts) {
    let pairs = [
        (&mut sum.bought, part.bought),
        (&mut sum.spent, part.spent),
        (&mut sum.returned, part.returned),
        (&mut sum.expired, part.expired),
        (&mut sum.forgiven, part.forgiven),
        (&mut sum.refunded, part.refunded),
        (&mut sum.shared, part.shared),
        (&mut sum.open, part.open),
        (&mut sum.refused, part.refused),
        (&mut sum.unavailable, part.unavailable),
        (&mut sum.waited, part.waited),
        (&mut sum.timed_out, part.timed_out),
        (&mut sum.orders, part.orders),
        (&mut sum.unanswered, part.unanswered),
        (&mut sum.rollbacks, part.rollbacks),
        (&mut sum.evicted, part.evicted),
    ];
    for (sum, part) in pairs {
        *sum += part;
    }
    sum.debt_max = sum.debt_max.max(part.debt_max);
}

fn seeds() -> Range<u64> {
    let asked = std::env::var_os("WEIR_SIMULATION_SEEDS").map(|seeds| {
        let seeds = seeds.into_string().unwrap();
        let (from, to) = seeds.split_once("..").expect("WEIR_SIMULATION_SEEDS is from..to");
        from.parse().unwrap()..to.parse().unwrap()
    });
    asked.unwrap_or(0..CASES)
}

#[test]
fn every_case_stays_within_its_bound() {
    let seeds = seeds();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sum = std::thread::scope(|scope| {
        let runs = (0..threads).map(|first| {
            let seeds = seeds.clone();
            scope.spawn(move || try_seeds(seeds.skip(first).step_by(threads)))
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().fold(Sum::default(), |mut sum, run| {
            let part = run.join().unwrap();
            sum.admitted += part.admitted;
            sum.offered += part.offered;
            sum.orders += part.orders;
            add(&mut sum.facts, &part.facts);
            sum.broken.extend(part.broken);
            sum
        })
    });
    let Sum { admitted, offered, orders, facts, mut broken } = sum;
    println!("seeds {seeds:?}: {admitted} admitted of {offered} offered, {orders} orders");
    println!("{facts:?}");
    broken.sort_unstable();
    let first: Vec<_> = broken.iter().take(20).collect();
    assert!(broken.is_empty(), "{} seeds break a rule: {first:#?}", broken.len());
}

/// One case by its seed, with all that is known of it.
#[test]
#[ignore = "to look into one case: WEIR_SIMULATION_SEEDS=seed..seed+1"]
fn one_case() {
    let plan = Plan::of_seed(seeds().start);
    println!("{plan:#?}");
    World::new(plan).run();
}
