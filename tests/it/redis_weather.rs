//! The link to Redis in foul weather: each thing that can be wrong with a primary, by its name.

use std::fs;
use std::time::{Duration, Instant};

use weir::counters::redis::DEADLINE;
use weir::counters::redis::trouble::Trouble;

use crate::harness::linked::{Linked, beat, counter_of};
use crate::harness::redis::{Redis, text};

#[test]
fn a_primary_that_dies_is_lost_at_once_and_another_one_when_it_is_back() {
    let mut redis = Redis::start();
    let mut linked = Linked::to(&redis);
    let (_, run) = linked.connected(0, 1);
    redis.kill();
    linked.suffers(|trouble| matches!(trouble, Trouble::Unreachable(_)));
    let begun = Instant::now();
    assert_eq!(linked.buy(0), None);
    assert!(begun.elapsed() < Duration::from_secs(5));
    redis.restart();
    let (_, other) = linked.connected(0, 2);
    assert_ne!(run, other);
    linked.bought(0);
}

#[test]
fn a_primary_that_says_nothing_costs_each_order_its_deadline_and_then_the_connection() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    redis.freeze();
    for _ in 0..8 {
        let begun = Instant::now();
        assert_eq!(linked.buy(0), None);
        // Most of it is the deadline; the rest is what a busy machine adds.
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    linked.suffers(|trouble| *trouble == Trouble::Silent);
    redis.thaw();
    linked.connected(0, 2);
    linked.bought(0);
}

#[test]
fn a_late_answer_is_nobodys_and_the_connection_goes_on() {
    let redis = Redis::with(&["--enable-debug-command", "local"]);
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    // The script is known from then on.
    let before = linked.bought(0);
    let mut sleeper = redis.talk();
    let sleep = std::thread::spawn(move || sleeper.ask(&["DEBUG", "SLEEP", "0.3"]));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(linked.buy(0), None);
    sleep.join().expect("it slept");
    linked.bought(0);
    assert_eq!(linked.connections(0).len(), 1, "{:?}", linked.troubles());
    // The one that was late was carried out all the same.
    assert!(before + 2 < linked.bought(0));
}

#[test]
fn a_replica_does_not_sell_and_a_primary_that_becomes_one_is_left() {
    let primary = Redis::start();
    let replica = Redis::start();
    let port = primary.address.port().to_string();
    replica.ask(&["REPLICAOF", "127.0.0.1", &port]);
    let linked = Linked::to(&replica);
    linked.suffers(|trouble| *trouble == Trouble::NotPrimary);
    assert_eq!(linked.connections(0), []);
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    let mut linked = linked;
    linked.connected(0, 1);
    linked.bought(0);
    replica.ask(&["REPLICAOF", "127.0.0.1", &port]);
    assert_eq!(linked.buy(0), None);
    linked.suffers(|trouble| *trouble == Trouble::NotPrimary);
}

#[test]
fn a_replica_that_has_lost_its_primary_is_known_as_one() {
    let replica = Redis::with(&["--replica-serve-stale-data", "no"]);
    let mut linked = Linked::to(&replica);
    linked.connected(0, 1);
    // Nobody listens there.
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let redis::Value::ServerError(error) = replica.ask(&["GET", "x"]) else { panic!("an answer") };
    assert_eq!(error.code(), "MASTERDOWN");
    assert_eq!(Trouble::of_server(error.code(), error.details()), Trouble::NotPrimary);
    assert_eq!(linked.buy(0), None);
    linked.suffers(|trouble| *trouble == Trouble::NotPrimary);
}

#[test]
fn a_primary_without_memory_is_left_until_it_has_some() {
    let redis = Redis::with(&["--maxmemory-policy", "noeviction"]);
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    redis.ask(&["CONFIG", "SET", "maxmemory", "1000"]);
    assert_eq!(linked.buy(0), None);
    linked.suffers(|trouble| *trouble == Trouble::OutOfMemory);
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    linked.connected(0, 2);
    linked.bought(0);
}

#[test]
fn a_primary_that_may_evict_counters_is_warned_of() {
    let redis = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    linked.suffers(|trouble| *trouble == Trouble::Evicts("allkeys-lru".to_owned()));
    linked.bought(0);
}

#[test]
fn a_primary_that_takes_no_writes_is_left_until_it_does() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(linked.buy(0), None);
    linked.suffers(|trouble| *trouble == Trouble::TooFewReplicas);
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    linked.connected(0, 2);
    linked.bought(0);
}

#[test]
fn a_primary_that_cannot_save_is_left_until_it_can() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    // A rule for saving, and a folder in which saving fails.
    redis.ask(&["CONFIG", "SET", "save", "3600 1"]);
    redis.ask(&["CONFIG", "SET", "rdbcompression", "no"]);
    let file = redis.folder().join("dump.rdb");
    fs::create_dir(&file).expect("a folder where the file is to be");
    fs::write(file.join("full"), "").expect("a file in it");
    redis.ask(&["SET", "x", "1"]);
    redis.ask(&["BGSAVE"]);
    linked.suffers_while_buying(|trouble| *trouble == Trouble::CannotSave);
    redis.ask(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    linked.connected(0, 2);
    linked.bought(0);
}

#[test]
fn a_primary_that_is_busy_with_somebody_elses_script_is_left_until_it_is_done() {
    let redis = Redis::with(&["--lua-time-limit", "50"]);
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    let mut other = redis.talk();
    let busy = std::thread::spawn(move || other.ask(&["EVAL", "while true do end", "0"]));
    linked.suffers_while_buying(|trouble| *trouble == Trouble::Busy);
    redis.ask(&["SCRIPT", "KILL"]);
    busy.join().expect("it ended");
    linked.connected(0, 2);
    linked.bought(0);
}

#[test]
fn one_key_of_another_kind_spoils_only_its_own_orders() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    linked.bought(0);
    let key = text(&counter_of(&redis));
    redis.ask(&["DEL", &key]);
    redis.ask(&["LPUSH", &key, "x"]);
    assert_eq!(linked.buy(0), None);
    linked.answered(0, &beat(1, 1));
    assert_eq!(linked.connections(0).len(), 1);
    linked
        .suffers(|trouble| matches!(trouble, Trouble::Refused(said) if said.contains("WRONGTYPE")));
}

#[test]
fn a_redis_that_is_loading_is_waited_for() {
    let mut redis = Redis::with(&["--enable-debug-command", "local", "--key-load-delay", "0"]);
    let mut talk = redis.talk();
    talk.ask(&["DEBUG", "POPULATE", "1000"]);
    talk.ask(&["SAVE"]);
    let linked = Linked::to(&redis);
    linked.connected(0, 1);
    redis.kill();
    // Slowly enough that it is seen loading.
    redis.restart_unready(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    linked.suffers(|trouble| *trouble == Trouble::Loading);
    linked.connected(0, 2);
}
