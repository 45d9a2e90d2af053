//! Counters that replicas share, over a real Redis.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use weir::counters::redis::name::Names;
use weir::counters::redis::settings::PREFIX;
use weir::counters::shared::Touch;
use weir::limit::key::{KeySpace, Kind};
use weir::limit::manner::{Manner, Mode, Over};
use weir::limit::order::members::Seat;
use weir::limit::{Answer, Charge, Counters, Terms};
use weir::time::{Clock, Timestamp};

use crate::harness::redis::Redis;
use crate::harness::replica::{Replica, await_touch, calmly, clock, key, runtime, settings};
use crate::harness::soon;

#[path = "../../src/counters/scenarios.rs"]
#[expect(dead_code, reason = "some scenarios are for homes of one process")]
mod scenarios;

use scenarios::{Late, Pace, Scene, Stage};

const MINUTE: Duration = Duration::from_mins(1);

/// Real time.
struct RealTime {
    clock: Arc<dyn Clock>,
    grain: Duration,
}

impl Pace for RealTime {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pass(&mut self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn grain(&self) -> Duration {
        self.grain
    }

    fn held(&self, terms: Terms) -> Terms {
        terms.held(Manner { max_wait: PATIENT, ..Manner::USUAL })
    }
}

/// How long a request waits for an answer, however busy this machine is.
const PATIENT: Duration = Duration::from_secs(2);

/// How long a replica that leaves may take to say so.
const LEAVING: Duration = Duration::from_secs(10);

fn exact(terms: Terms) -> Terms {
    terms.held(Manner { mode: Mode::Exact, max_wait: PATIENT, ..Manner::USUAL })
}

/// A window that lasts for longer than any test, and begins now.
fn lasting(limit: u64) -> Terms {
    exact(Terms::fixed(limit, MINUTE * 10, clock().now()))
}

/// How often a scene is played at most: again only where a step of it was late.
const TRIES: u32 = 20;

fn play(replica: &Replica, scene: Scene, period: Duration, grain: Duration) -> Result<(), Late> {
    calmly(std::slice::from_ref(replica), |run| {
        let pace = RealTime { clock: clock(), grain };
        let mut stage = Stage { home: &*replica.home, pace, period, run };
        runtime().block_on(stage.play(scene))
    })
}

/// Plays a scene while no part of its sliding windows, each so long, ends.
fn play_within(replica: &Replica, scene: Scene, part: Duration) -> Result<(), Late> {
    let length = u64::try_from(part.as_micros()).expect("short");
    let is_late = || length / 2 < replica.now().micros() % length;
    while is_late() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ends = (replica.now().micros() / length + 1) * length;
    // Windows that slide have thirty parts, those that are twice as long too.
    let played = catch_unwind(AssertUnwindSafe(|| play(replica, scene, part * 30, part)));
    if ends <= (replica.now() + Duration::from_millis(50)).micros() {
        return Err(Late);
    }
    played.unwrap_or_else(|panic| resume_unwind(panic))
}

#[test]
fn shared_counters_keep_the_contract() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 1, &clock());
    let replica = &replicas[0];
    let keeps = |scene: Scene, play: &dyn Fn() -> Result<(), Late>| {
        let played = (0..TRIES).any(|_| play().is_ok());
        assert!(played, "{scene:?}: a step was late {TRIES} times");
    };
    for scene in Scene::AT_ONCE {
        keeps(scene, &|| play_within(replica, scene, Duration::from_secs(5)));
    }
    // Two seconds have thirty parts.
    let (period, grain) = (Duration::from_secs(2), Duration::from_millis(77));
    std::thread::scope(|scope| {
        for scene in Scene::IN_TIME {
            scope.spawn(move || keeps(scene, &|| play(replica, scene, period, grain)));
        }
    });
}

#[test]
fn a_limit_is_one_limit_over_all_replicas() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 3, &clock());
    for (kind, terms, least) in [
        // What a replica holds when a part of a sliding window ends is lost for that window.
        ("sliding", exact(Terms::sliding(20, MINUTE)), 15),
        ("fixed", lasting(20), 20),
        ("quota", exact(Terms::fixed(20, Duration::ZERO, Timestamp::default())), 20),
    ] {
        calmly(&replicas, |name| {
            let charge = Charge::take(key(&format!("{kind} {name}")), terms, 1);
            let asked = (0..60).map(|turn: usize| replicas[turn % 3].ask_one(charge));
            let admitted = asked.filter(|admitted| *admitted == Some(true)).count();
            assert!((least..=20).contains(&admitted), "{kind}: {admitted}");
        });
    }
}

#[test]
fn charges_of_one_call_are_taken_together_or_not_at_all() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 2, &clock());
    let narrow = exact(Terms::fixed(3, Duration::ZERO, Timestamp::default()));
    calmly(&replicas, |name| {
        let wide = Charge::take(key(&format!("wide {name}")), lasting(30), 1);
        let quota = KeySpace::new(Kind::QuotaByKeyCalls, &[]).key(name);
        let charges = [wide, Charge::take(quota, narrow, 1)];
        let admitted = (0..40).filter(|turn| {
            let replica = &replicas[turn % 2];
            runtime().block_on(replica.ask(&charges)).is_some_and(|tallies| tallies.admitted())
        });
        assert_eq!(admitted.count(), 3);
        // What the refused ones took of the wide limit was put back, by whichever replica.
        let left = (0..80).filter(|turn| replicas[turn % 2].ask_one(wide) == Some(true));
        assert_eq!(left.count(), 27);
    });
}

#[test]
fn a_call_that_is_dropped_while_it_waits_takes_nothing() {
    let redis = Redis::start();
    let clock = clock();
    let replicas = Replica::many(&redis, 1, &clock);
    let terms = exact(Terms::fixed(5, Duration::ZERO, Timestamp::default()));
    calmly(&replicas, |name| {
        let charge = |number| Charge::take(key(&format!("{name} {number}")), terms, 5);
        let charges: Vec<_> = (0..20).map(charge).collect();
        for charge in &charges {
            let answer = replicas[0].home.charge(std::slice::from_ref(charge), clock.now());
            assert!(matches!(answer, Answer::Later(_)), "nobody knows the key");
        }
        let settled = soon(|| (replicas[0].home.report().waiting == 0).then_some(()));
        settled.expect("nobody waits");
        for charge in charges {
            assert_eq!(replicas[0].ask_one(charge), Some(true), "all of it is there");
            assert_eq!(replicas[0].ask_one(charge), Some(false));
        }
    });
}

#[test]
fn who_leaves_hands_in_what_it_held_and_its_seat() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 2, &clock());
    let charge = Charge::take(key("left"), lasting(1_000), 1);
    let first = soon(|| (replicas[0].ask_one(charge) == Some(true)).then_some(()));
    first.expect("there is room");
    let bought = replicas[0].home.report().facts.bought;
    assert!(bought > 1, "{bought}");
    assert!(runtime().block_on(replicas[0].home.leave(LEAVING)));
    let facts = replicas[0].home.report().facts;
    assert_eq!(facts.returned, bought - 1, "{facts:?}");
    let alone = soon(|| (replicas[1].stands() == (Touch::In, 1)).then_some(()));
    alone.expect("the other one is alone now");
    let rest = (0..1_100).filter(|_| replicas[1].ask_one(charge) == Some(true)).count();
    // What is sold in an answer that comes too late is lost.
    let unanswered: u64 = replicas.iter().map(|one| one.home.report().facts.unanswered).sum();
    assert!(rest == 999 || rest < 999 && unanswered > 0, "{rest}");
}

#[test]
fn a_replica_starts_without_redis_and_shares_once_it_is_there() {
    let mut redis = Redis::start();
    let settings = settings(&redis);
    redis.kill();
    let clock = clock();
    let replica = Replica::start(&settings, "early", &clock);
    let trouble = soon(|| replica.home.report().lanes[0].trouble.clone()).expect("a reason");
    assert!(trouble.contains("cannot be reached"), "{trouble}");
    // One of four that are expected: a quarter.
    let fast = Charge::take(key("fast"), Terms::sliding(40, MINUTE), 1);
    let admitted = (0..40).filter(|_| replica.ask_one(fast) == Some(true)).count();
    assert_eq!(admitted, 10);
    let sure = Charge::take(key("exact"), exact(Terms::sliding(40, MINUTE)), 1);
    assert_eq!(replica.ask_one(sure), Some(false));
    redis.restart();
    let replicas = [replica];
    await_touch(&replicas);
    let report = replicas[0].home.report();
    assert_eq!(report.lanes[0].seat, Some(Seat { index: 0, of: 1 }));
    assert_eq!(report.lanes[0].trouble, None);
    let admitted = soon(|| (replicas[0].ask_one(sure) == Some(true)).then_some(()));
    admitted.expect("it shares");
}

#[test]
fn what_cannot_be_shared_is_counted_by_each_replica() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 2, &clock());
    let local = Manner { mode: Mode::Local, ..Manner::USUAL };
    for (name, terms, admitted) in [
        ("local", Terms::sliding(3, MINUTE).held(local), 6),
        // Too large to be shared: each admits one half, as there are two.
        ("large", Terms::fixed(1 << 44, MINUTE * 10, clock().now()), 16),
    ] {
        let cost = if terms.limit == 3 { 1 } else { 1 << 40 };
        let charge = Charge::take(key(name), terms, cost);
        let asked = (0..20).filter(|turn| replicas[turn % 2].ask_one(charge) == Some(true));
        assert_eq!(asked.count(), admitted, "{name}");
    }
}

#[test]
fn a_warm_key_needs_few_orders() {
    let redis = Redis::start();
    let replicas = Replica::many(&redis, 1, &clock());
    let over = Over::Tokens(0);
    let manner = Manner { mode: Mode::Fast { over }, max_wait: PATIENT, ..Manner::USUAL };
    let terms = Terms::sliding(1_000_000, MINUTE).held(manner);
    calmly(&replicas, |name| {
        let charge = Charge::take(key(name), terms, 1);
        let orders = || replicas[0].home.report().facts.orders;
        let before = orders();
        runtime().block_on(async {
            for _ in 0..20_000 {
                assert!(replicas[0].ask(&[charge]).await.is_some_and(|tallies| tallies.admitted()));
            }
        });
        let orders = orders() - before;
        println!("20000 requests, {orders} orders");
        assert!(orders < 600, "{orders}");
    });
}

#[test]
fn what_was_used_of_a_quota_out_of_touch_outlives_the_process() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (settings, clock) = (settings(&redis), clock());
    let folder = tempfile::tempdir().expect("a folder");
    let start = || Replica::with_journal(&settings, "keeper", folder.path(), &clock);
    // Of an exact one nothing but what is in hand is used out of touch.
    let quota = Terms::fixed(100, Duration::ZERO, Timestamp::default());
    let quota = quota.held(Manner { max_wait: PATIENT, ..Manner::USUAL });
    let charge = Charge::take(key("quota"), quota, 1);
    let ask = |replica: &Replica, count: usize| {
        (0..count).filter(|_| replica.ask_one(charge) == Some(true)).count()
    };
    let replicas = [start().expect("a journal")];
    await_touch(&replicas);
    assert_eq!(ask(&replicas[0], 10), 10);
    redis.kill();
    let out = soon(|| (replicas[0].stands().0 == Touch::Out).then_some(()));
    out.expect("it notices");
    // Its share, which is all, begins when the others would know, were there any.
    let alone = soon(|| (ask(&replicas[0], 1) == 1).then_some(()));
    alone.expect("it goes on");
    let alone = 1 + ask(&replicas[0], 39);
    assert_eq!(alone, 40);
    // It is written down twenty times a second.
    std::thread::sleep(Duration::from_secs(2));
    drop(replicas);
    redis.restart();
    let replicas = [soon(start).expect("the journal is free again")];
    await_touch(&replicas);
    let rest = ask(&replicas[0], 100);
    assert!((45..=50).contains(&rest), "{rest}");
}

/// Something that befalls a Redis.
type Loss = fn(&mut Redis);

#[test]
fn what_was_used_of_a_quota_outlives_the_data_of_redis_and_all_replicas() {
    let clock = clock();
    let quota = exact(Terms::fixed(100, Duration::ZERO, Timestamp::default()));
    let charge = Charge::take(key("quota"), quota, 1);
    let ask = |replica: &Replica, count: usize| {
        (0..count).filter(|_| replica.ask_one(charge) == Some(true)).count()
    };
    let losses: [(&str, Loss); 4] = [
        ("nothing", |_| {}),
        ("everything, and the process", |redis| {
            redis.kill();
            redis.restart();
        }),
        ("everything", |redis| assert_eq!(redis.ask(&["FLUSHALL"]), Value::Okay)),
        // As after half an hour in which nobody came: the ledgers are there, and count once.
        ("the members", |redis| {
            let table = Names::new(PREFIX, 0).members();
            assert_eq!(redis.ask(&["DEL", &table]), Value::Int(1));
        }),
    ];
    for (lost, lose) in losses {
        let mut redis = Redis::start();
        let settings = settings(&redis);
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let start = || {
            let replicas = ["one", "other"].into_iter().zip(&folders).map(|(name, folder)| {
                soon(|| Replica::with_journal(&settings, name, folder.path(), &clock))
                    .expect("the journal is free")
            });
            let replicas: Vec<_> = replicas.collect();
            await_touch(&replicas);
            replicas
        };
        let replicas = start();
        let used: Vec<_> = replicas.iter().map(|replica| ask(replica, 25)).collect();
        assert_eq!(used, [25, 25], "{lost}");
        for replica in replicas {
            assert!(runtime().block_on(replica.home.leave(LEAVING)), "{lost}");
        }
        lose(&mut redis);
        let replicas = start();
        let rest: usize = replicas.iter().map(|replica| ask(replica, 60)).sum();
        // Who left first saw the little as sold that the other one handed in afterwards.
        assert!((45..=50).contains(&rest), "{lost} was lost: {rest}");
    }
}
