//! Shared limits while Redis is killed, stopped, emptied: what is admitted over all replicas stays
//! within the bound that each limit says.

use std::thread::sleep;
use std::time::Duration;

use weir::counters::shared::Touch;
use weir::limit::manner::{Manner, Mode};
use weir::limit::{Charge, Terms};
use weir::time::Timestamp;

use crate::harness::redis::Redis;
use crate::harness::replica::{
    Judged, Load, Replica, await_touch, clock, key, most_in_any, most_in_one, runtime, under_load,
};
use crate::harness::soon;

const SECOND: Duration = Duration::from_secs(1);

/// The limit of most tests here, for each second.
const LIMIT: u64 = 200;

/// Far more than the limit admits.
const HEAVY: Load =
    Load { workers: 4, pause: Duration::from_millis(2), lasts: Duration::from_secs(9) };

fn held(terms: Terms, mode: Mode) -> Terms {
    terms.held(Manner { mode, ..Manner::USUAL })
}

fn fixed(limit: u64) -> Terms {
    Terms::fixed(limit, SECOND, Timestamp::default())
}

/// What happens to Redis.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Fair,
    Killed,
    Stopped,
    Emptied,
}

impl Weather {
    const ALL: [Self; 4] = [Self::Fair, Self::Killed, Self::Stopped, Self::Emptied];

    fn happen(self, redis: &mut Redis) {
        sleep(SECOND * 2);
        match self {
            Self::Fair => {}
            Self::Killed => {
                redis.kill();
                sleep(SECOND * 3);
                redis.restart();
            }
            Self::Stopped => {
                redis.freeze();
                sleep(SECOND);
                redis.thaw();
            }
            Self::Emptied => {
                redis.ask(&["FLUSHALL"]);
            }
        }
    }
}

/// Has four replicas judge `terms` under heavy load in each kind of weather; calls `judge` with
/// what came of it.
fn in_all_weathers(terms: Terms, mut judge: impl FnMut(Weather, &[Judged])) {
    for weather in Weather::ALL {
        let mut redis = Redis::start();
        let replicas = Replica::many(&redis, 4, &clock());
        let counter = (key(&format!("{weather:?}")), terms);
        let judged = under_load(&replicas, counter, HEAVY, || weather.happen(&mut redis));
        judge(weather, &judged);
        await_touch(&replicas);
    }
}

#[test]
fn an_exact_sliding_limit_is_never_passed_in_any_interval() {
    let terms = held(Terms::sliding(LIMIT, SECOND), Mode::Exact);
    in_all_weathers(terms, |weather, judged| {
        let most = most_in_any(judged, SECOND);
        println!("{weather:?}: {} requests, at most {most} admitted in any second", judged.len());
        // A ring that loses its data unseen sells what was sold before once more.
        let bound = if matches!(weather, Weather::Emptied) { 2 * LIMIT } else { LIMIT };
        assert!(u64::try_from(most).expect("few") <= bound, "{weather:?}: {most}");
    });
}

#[test]
fn an_exact_fixed_limit_is_never_passed_in_any_window() {
    let terms = held(fixed(LIMIT), Mode::Exact);
    in_all_weathers(terms, |weather, judged| {
        let most = most_in_one(judged, SECOND);
        println!("{weather:?}: {} requests, at most {most} admitted in a window", judged.len());
        assert!(u64::try_from(most).expect("few") <= LIMIT, "{weather:?}: {most}");
    });
}

#[test]
fn a_fast_limit_stays_within_its_bound() {
    in_all_weathers(fixed(LIMIT), |weather, judged| {
        let most = u64::try_from(most_in_one(judged, SECOND)).expect("few");
        println!("{weather:?}: {} requests, at most {most} admitted in a window", judged.len());
        // One per cent; and twice that in the one window in which Redis goes down.
        let bound = LIMIT + LIMIT / 100;
        let bound =
            if matches!(weather, Weather::Killed | Weather::Stopped) { 2 * bound } else { bound };
        assert!(most <= bound, "{weather:?}: {most}");
    });
}

#[test]
fn few_are_refused_while_there_is_room() {
    // 4 replicas with 3 workers: at most 750 a second, mostly a little less.
    let load = Load { workers: 3, pause: Duration::from_millis(15), lasts: Duration::from_secs(6) };
    for (name, terms, one_in) in [
        ("fixed", held(fixed(1_000), Mode::Exact), 200),
        ("sliding", held(Terms::sliding(1_000, SECOND), Mode::Exact), 100),
    ] {
        let redis = Redis::start();
        let replicas = Replica::many(&redis, 4, &clock());
        let judged = under_load(&replicas, (key(name), terms), load, || {});
        let refused = judged.iter().filter(|judged| judged.admitted != Some(true)).count();
        println!("{name}: {refused} of {} refused", judged.len());
        assert!(refused < judged.len() / one_in, "{name}: {refused}");
    }
}

#[test]
fn replicas_go_on_with_their_shares_while_redis_is_down() {
    let mut redis = Redis::start();
    let replicas = Replica::many(&redis, 4, &clock());
    let counter = (key("shares"), fixed(LIMIT));
    redis.kill();
    let is_out = |replica: &Replica| replica.stands().0 == Touch::Out;
    soon(|| replicas.iter().all(is_out).then_some(())).expect("all notice");
    sleep(SECOND * 2);
    let load = Load { lasts: SECOND * 3, ..HEAVY };
    let judged = under_load(&replicas, counter, load, || {});
    let most = u64::try_from(most_in_one(&judged, SECOND)).expect("few");
    let admitted = judged.iter().filter(|judged| judged.admitted == Some(true)).count();
    println!("down: at most {most} in one window, {admitted} in three seconds");
    assert!(most <= LIMIT, "{most}");
    assert!(u64::try_from(admitted).expect("few") >= LIMIT * 2, "{admitted}");
    assert!(judged.iter().all(|judged| judged.admitted.is_some()), "all are judged");
    let report = replicas[0].home.report();
    assert!(report.lanes[0].trouble.is_some(), "{report:?}");
    redis.restart();
    await_touch(&replicas);
    assert_eq!(replicas[1].ask_one(Charge::look(counter.0, counter.1)), Some(true));
    assert!(runtime().block_on(replicas[0].home.leave(SECOND)));
}
