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
    Load, Replica, await_touch, calmly, clock, key, most_in_any, most_in_one, runtime, under_load,
};
use crate::harness::soon;

const SECOND: Duration = Duration::from_secs(1);

/// The limit of most tests here, for each second.
const LIMIT: u64 = 200;

/// Far more than the limit admits.
const HEAVY: Load =
    Load { workers: 3, pause: Duration::from_millis(4), lasts: Duration::from_secs(7) };

fn held(terms: Terms, mode: Mode) -> Terms {
    terms.held(Manner { mode, ..Manner::USUAL })
}

fn fixed(limit: u64) -> Terms {
    Terms::fixed(limit, SECOND, Timestamp::default())
}

/// The most that were admitted by each kind of limit.
#[derive(Debug)]
struct Most {
    /// In any interval.
    sliding: u64,
    /// In any window.
    fixed: u64,
    /// In any window of a limit that may be in debt.
    fast: u64,
    /// Whether a replica was out of touch meanwhile.
    lost_touch: bool,
}

/// Has four replicas judge limits of each kind under heavy load while `weather` happens to Redis.
fn in_weather(weather: impl FnOnce(&mut Redis)) -> Most {
    let mut redis = Redis::start();
    let replicas = Replica::many(&redis, 4, &clock());
    let begun = replicas[0].now();
    let counters = [
        (key("sliding"), held(Terms::sliding(LIMIT, SECOND), Mode::Exact)),
        (key("fixed"), held(fixed(LIMIT), Mode::Exact)),
        (key("fast"), fixed(LIMIT)),
    ];
    let judged = under_load(&replicas, &counters, HEAVY, || {
        sleep(SECOND + SECOND / 2);
        weather(&mut redis);
    });
    let [sliding, fixed, fast] = &judged[..] else { panic!("three counters") };
    let count = |most: usize| u64::try_from(most).expect("few");
    let most = Most {
        sliding: count(most_in_any(sliding, SECOND)),
        fixed: count(most_in_one(fixed, SECOND)),
        fast: count(most_in_one(fast, SECOND)),
        lost_touch: replicas.iter().any(|replica| {
            let lane = replica.home.report().lanes.swap_remove(0);
            lane.touch != Touch::In || lane.since <= replica.now().since(begun)
        }),
    };
    // It was a load, and something came through, however slow this machine is.
    assert!(LIMIT / 4 <= most.sliding.min(most.fixed).min(most.fast), "{most:?}");
    most
}

/// What a limit of the fast mode may admit in a window in which all is well.
const FAST: u64 = LIMIT + LIMIT / 100;

#[test]
fn in_fair_weather_no_limit_is_passed() {
    let most = in_weather(|_redis| ());
    assert!(most.sliding <= LIMIT && most.fixed <= LIMIT, "{most:?}");
    // If this machine was so busy that an answer did not come in time, it was no fair weather.
    let fast = if most.lost_touch { FAST * 2 } else { FAST };
    assert!(most.fast <= fast, "{most:?}");
}

#[test]
fn a_redis_that_dies_and_comes_back_empty_passes_no_exact_limit() {
    let most = in_weather(|redis| {
        redis.kill();
        sleep(SECOND * 5 / 2);
        redis.restart();
    });
    assert!(most.sliding <= LIMIT && most.fixed <= LIMIT, "{most:?}");
    // In a window in which Redis does not answer, a replica only estimates what the others spent.
    assert!(most.fast <= FAST * 2, "{most:?}");
}

#[test]
fn a_redis_that_stops_and_goes_on_passes_no_exact_limit() {
    let most = in_weather(|redis| {
        redis.freeze();
        sleep(SECOND);
        redis.thaw();
    });
    assert!(most.sliding <= LIMIT && most.fixed <= LIMIT, "{most:?}");
    assert!(most.fast <= FAST * 2, "{most:?}");
}

#[test]
fn a_redis_that_is_emptied_passes_no_exact_limit() {
    let most = in_weather(|redis| {
        redis.ask(&["FLUSHALL"]);
    });
    assert!(most.sliding <= LIMIT && most.fixed <= LIMIT, "{most:?}");
    assert!(most.fast <= FAST * 2, "{most:?}");
}

#[test]
fn few_are_refused_while_there_is_room() {
    // 4 replicas with 3 workers: at most 750 a second, mostly a little less.
    let load = Load { workers: 3, pause: Duration::from_millis(15), lasts: Duration::from_secs(5) };
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 4, &clock());
    let patient =
        |terms: Terms| terms.held(Manner { mode: Mode::Exact, max_wait: SECOND, ..Manner::USUAL });
    let counters = [
        (key("fixed"), patient(fixed(1_000))),
        (key("sliding"), patient(Terms::sliding(1_000, SECOND))),
    ];
    calmly(&replicas, |_names| {
        let judged = under_load(&replicas, &counters, load, || {});
        for (judged, (name, one_in)) in judged.iter().zip([("fixed", 200), ("sliding", 100)]) {
            let refused = judged.iter().filter(|judged| judged.admitted != Some(true)).count();
            println!("{name}: {refused} of {} refused", judged.len());
            assert!(refused < judged.len() / one_in, "{name}: {refused}");
        }
    });
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
    let judged = under_load(&replicas, &[counter], load, || {}).swap_remove(0);
    let most = u64::try_from(most_in_one(&judged, SECOND)).expect("few");
    let admitted = judged.iter().filter(|judged| judged.admitted == Some(true)).count();
    println!("down: at most {most} in one window, {admitted} in three seconds");
    assert!(most <= LIMIT, "{most}");
    // There would be as many in each second, were this machine never busy with anything else.
    assert!(u64::try_from(admitted).expect("few") >= LIMIT, "{admitted}");
    assert!(judged.iter().all(|judged| judged.admitted.is_some()), "all are judged");
    let report = replicas[0].home.report();
    assert!(report.lanes[0].trouble.is_some(), "{report:?}");
    redis.restart();
    await_touch(&replicas);
    // The window in which they came back may be full.
    let look = Charge::look(counter.0, counter.1);
    let room = soon(|| (replicas[1].ask_one(look) == Some(true)).then_some(()));
    room.expect("the next one is not");
    assert!(runtime().block_on(replicas[0].home.leave(SECOND * 10)));
}
