//! Tests of the counters in memory.

use std::collections::HashMap;
use std::fmt::Display;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::counters::scenarios::{Pace, Stage};
use crate::limit::Terms;
use crate::limit::key::{KeySpace, Kind};

const MINUTE: Duration = Duration::from_mins(1);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn key(identity: impl Display) -> CounterKey {
    KeySpace::new(Kind::RateByKey, &[]).key(&format!("{identity}"))
}

fn charge(home: &Memory, charges: &[Charge], now: Timestamp) -> Tallies {
    match home.charge(charges, now) {
        Answer::Now(tallies) => tallies.unwrap(),
        Answer::Later(_) => panic!("memory answers at once"),
    }
}

struct ByHand(Timestamp);

impl Pace for ByHand {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn pass(&mut self, span: Duration) -> impl Future<Output = ()> {
        self.0 = self.0 + span;
        future::ready(())
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let home = Memory::new();
    let pace = ByHand(at(1_700_000_000_123_456));
    let mut stage = Stage { home: &home, pace, period: MINUTE, run: "" };
    stage.play_all().await.expect("nothing is late by hand");
}

#[test]
fn counters_that_are_over_make_room() {
    let home = Memory::with_keys_max(25_600);
    let terms = Terms::sliding(1, MINUTE);
    for index in 0..100_000_u64 {
        // 50 new keys a second: 3,000 of them count at any time.
        let tallies = charge(&home, &[Charge::take(key(index), terms, 1)], at(index * 20_000));
        assert!(tallies.admitted());
    }
    let usage = home.usage();
    assert_eq!((usage.crowded, usage.keys_max), (0, 25_600));
    assert!(usage.keys < 8_000, "{usage:?}");
}

#[test]
fn keys_that_take_nothing_need_no_counter() {
    let home = Memory::new();
    for index in 0..100 {
        charge(&home, &[Charge::look(key(index), Terms::sliding(1, MINUTE))], at(0));
        charge(&home, &[Charge::take(key(index), Terms::sliding(0, MINUTE), 1)], at(0));
    }
    assert_eq!(home.usage().keys, 0);
}

#[test]
fn a_full_home_never_forgets_an_exhausted_counter() {
    let home = Memory::with_keys_max(64);
    let take = |id: &str, now| {
        charge(&home, &[Charge::take(key(id), Terms::sliding(3, MINUTE), 1)], now).admitted()
    };
    assert!(take("known", at(0)) && take("known", at(0)) && take("known", at(0)));
    let admitted = (0..10_000).filter(|index| take(&format!("flood {index}"), at(1))).count();
    assert!(!take("known", at(2)));
    // Each of 64 places has one key of its own, and three calls for all others.
    assert!(admitted <= 64 * 4, "{admitted}");
    let usage = home.usage();
    assert!(usage.keys <= 64 && usage.crowded > 0, "{usage:?}");
    assert!(take("late", at(60_000_002)), "when the flood is over there is room again");
}

#[test]
fn many_threads_together_get_the_limit_and_not_one_more() {
    let home = Arc::new(Memory::new());
    let (one, two) = (key("one"), key("two"));
    let terms = Terms::sliding(1_000, MINUTE);
    let work = |flip: bool| {
        let mut pair = [Charge::take(one, terms, 1), Charge::take(two, terms, 1)];
        if flip {
            pair.reverse();
        }
        (0..500).filter(|now| charge(&home, &pair, at(*now)).admitted()).count()
    };
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || work(n % 2 == 0))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 1_000);
}

/// What a client does: its pause before in microseconds, its keys (one, or several at once), its
/// cost.
fn steps() -> impl Strategy<Value = Vec<(u64, Vec<u8>, u64)>> {
    let keys = prop_oneof![
        3 => prop::collection::vec(0_u8..6, 1),
        1 => prop::collection::vec(0_u8..6, 2..5),
    ];
    prop::collection::vec((prop_oneof![0_u64..100, 0_u64..3_000], keys, 0_u64..4), 1..300)
}

proptest! {
    #[test]
    fn every_key_is_held_to_its_limit_however_little_room_there_is(
        steps in steps(),
        limit in 1_u64..8,
        keys_max in prop_oneof![Just(0_usize), Just(64), Just(KEYS_MAX)],
    ) {
        let period = Duration::from_millis(2);
        let home = Memory::with_keys_max(keys_max);
        let terms = Terms::sliding(limit, period);
        let mut log: HashMap<u8, Vec<(Timestamp, u64)>> = HashMap::new();
        let mut now = at(0);
        for (pause, ids, cost) in steps {
            now = now + Duration::from_micros(pause);
            let charges: Vec<Charge> =
                ids.iter().map(|id| Charge::take(key(id), terms, cost)).collect();
            let used = |id: &u8| -> u64 {
                let steps = log.get(id).into_iter().flatten();
                steps.filter(|(then, _)| now.since(*then) < period).map(|(_, cost)| cost).sum()
            };
            let fits = ids.iter().all(|id| used(id) + cost <= limit);
            let tallies = charge(&home, &charges, now);
            prop_assert!(fits || !tallies.admitted(), "over the limit");
            if keys_max == KEYS_MAX {
                prop_assert_eq!(fits, tallies.admitted());
                for (id, tally) in ids.iter().zip(tallies.iter()) {
                    prop_assert_eq!(tally.used, used(id) + if fits { cost } else { 0 });
                }
            }
            if tallies.admitted() {
                for id in std::collections::BTreeSet::from_iter(ids) {
                    log.entry(id).or_default().push((now, cost));
                }
            }
        }
    }
}
