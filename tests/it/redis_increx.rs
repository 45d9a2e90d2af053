//! Servers that have `INCREX`, the one command that buys and sets when a counter goes, and servers
//! that have it otherwise than it is used here.

use redis::Value;
use weir::counters::redis::settings::{Place, Settings, Topology};
use weir::counters::redis::trouble::Trouble;

use crate::harness::increx::{Increx, WithIncrex};
use crate::harness::linked::{Linked, counter_of, settings};
use crate::harness::redis::{Redis, text};

fn linked(redis: &Redis, server: &WithIncrex) -> Linked {
    let place = Place::of_server(&server.address.to_string()).expect("a place");
    let linked = Linked::with(&Settings { topology: Topology::Single(place), ..settings(redis) });
    linked.connected(0, 1);
    linked
}

#[test]
fn the_one_command_is_used_where_it_is_had() {
    let redis = Redis::start();
    let server = WithIncrex::before(&redis, Increx::Pair);
    let mut linked = linked(&redis, &server);
    let first = linked.bought(0);
    let tried = server.used();
    assert_eq!(linked.bought(0), first + 1);
    assert!(tried < server.used());
    let key = text(&counter_of(&redis));
    assert!(
        matches!(redis.ask(&["PTTL", &key]), Value::Int(1..)),
        "it has a time at which it goes"
    );
    assert_eq!(linked.troubles(), []);
}

#[test]
fn two_commands_do_the_same_where_it_is_had_otherwise() {
    for increx in [Increx::Value, Increx::WithoutEnx] {
        let redis = Redis::start();
        let server = WithIncrex::before(&redis, increx);
        let mut linked = linked(&redis, &server);
        linked.bought(0);
        linked.bought(0);
        assert_eq!(server.used(), 1, "it was tried and not used: {increx:?}");
        let key = text(&counter_of(&redis));
        assert!(matches!(redis.ask(&["PTTL", &key]), Value::Int(1..)));
        assert_eq!(linked.troubles(), []);
    }
}

#[test]
fn what_was_not_added_is_not_sold() {
    let redis = Redis::start();
    let server = WithIncrex::before(&redis, Increx::Pair);
    let mut linked = linked(&redis, &server);
    linked.bought(0);
    let key = text(&counter_of(&redis));
    redis.ask(&["SET", &key, &i64::MAX.to_string()]);
    assert_eq!(linked.buy(0), None);
    linked.suffers(
        |trouble| matches!(trouble, Trouble::Refused(said) if said.contains("INCREX did not add")),
    );
}
