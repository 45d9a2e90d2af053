//! Keys that are asked for often, by several threads at once, over a real Redis.

use std::time::Duration;

use weir::limit::manner::{Manner, Mode};
use weir::limit::{Charge, Counters, Terms};

use crate::harness::redis::Redis;
use crate::harness::replica::{Replica, clock, key, runtime};

const THREADS: u32 = 4;

/// However busy this machine is.
const PATIENCE: Manner = Manner { max_wait: Duration::from_secs(1), ..Manner::USUAL };

/// Each of some threads asks `times` times; how many are admitted in all.
fn ask_at_once(replica: &Replica, charge: Charge, times: u32) -> u32 {
    let ask = || {
        let asked = async {
            let mut admitted = 0;
            for _ in 0..times {
                let tallies = replica.ask(&[charge]).await;
                admitted += u32::from(tallies.is_some_and(|tallies| tallies.admitted()));
            }
            admitted
        };
        runtime().block_on(asked)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends well")).sum()
    })
}

#[test]
fn threads_that_share_a_hot_key_admit_the_limit_and_no_more() {
    let redis = Redis::start();
    let clock = clock();
    let replicas = Replica::many(&redis, 1, &clock);
    let home = &replicas[0].home;
    // A window that begins now lasts for as long as this can take.
    let terms = Terms::fixed(30_000, Duration::from_secs(299), clock.now());
    let terms = terms.held(Manner { mode: Mode::Exact, ..PATIENCE });
    let charge = Charge::take(key("hot"), terms, 1);
    let mut admitted = ask_at_once(&replicas[0], charge, 5_000);
    assert_eq!(admitted, 20_000);
    let report = home.report();
    assert_eq!((report.tolls.claims, report.facts.spent), (20_000, 20_000));
    let from_tills = report.tolls.from_tills;
    println!("{from_tills} of 20000 took no lock");
    assert!(0 < from_tills, "nobody was lent anything");
    // What is given back can be taken again, and no more.
    home.refund(&[Charge { cost: 3, ..charge }], clock.now());
    assert_eq!(home.report().facts.spent, 19_997);
    admitted += ask_at_once(&replicas[0], charge, 5_000);
    assert_eq!(admitted, 30_003);
    assert_eq!(home.report().facts.spent, 30_000);
}
