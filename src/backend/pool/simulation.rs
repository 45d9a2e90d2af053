//! A pool in virtual time: members fail and come back, requests come, and what is chosen is held
//! against what must be.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::turn::Set;
use super::{Asked, Balancing, HashSource, Pool, Seat, Terms};
use crate::backend::check::{Ask, Check};
use crate::backend::circuit::{Condition, Outcome, Reasons, Rule, Try};
use crate::backend::standing::Standing;
use crate::backend::{Backend, BaseUrl};
use crate::time::Timestamp;

const SECOND: u64 = 1_000_000;
const TRIP: Duration = Duration::from_secs(10);

fn rule() -> Rule {
    Rule {
        name: "rule".to_owned(),
        condition: Condition::Count(2),
        interval: Duration::from_secs(30),
        statuses: vec![500..=599],
        reasons: Reasons { unreached: true, ..Reasons::default() },
        trip: TRIP,
        accepts_retry_after: false,
        failure_response: None,
        is_shared: true,
    }
}

fn health() -> Check {
    Check {
        ask: Ask::Tcp,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        unhealthy_after: 1,
        healthy_after: 1,
    }
}

fn pool(members: &[(u32, u32)], terms: Terms) -> Pool {
    let member = |(at, (priority, weight)): (usize, &(u32, u32))| {
        let base = BaseUrl::parse(&format!("http://member-{at}.example")).unwrap();
        let backend = Backend {
            standing: Some(Arc::new(Standing::new(Some(rule()), Some(health())))),
            ..Backend::at(Arc::from(format!("member-{at}")), Arc::new(base))
        };
        (Arc::new(backend), *priority, *weight)
    };
    Pool::new(members.iter().enumerate().map(member).collect(), terms, None)
}

fn fail(pool: &Pool, place: usize, now: Timestamp) -> Option<Timestamp> {
    let failed = Try { outcome: Outcome::Unreached, retry_after: None, begun: now, ended: now };
    let opened = pool.members[place].backend.standing.as_ref().unwrap().count(&failed);
    opened.map(|opened| opened.until)
}

fn at(micros: u64) -> Asked<'static> {
    Asked { now: Timestamp::from_micros(micros), ..Asked::default() }
}

#[test]
fn a_member_is_left_out_and_comes_back_to_the_tick() {
    let pool = pool(&[(1, 1), (1, 1)], Terms::default());
    let now = Timestamp::from_micros(SECOND);
    assert_eq!(fail(&pool, 0, now), None);
    let until = fail(&pool, 0, now).unwrap();
    assert_eq!(until, now + TRIP);
    let who = |micros| {
        let chosen = (0..4).map(|_| pool.choose(&at(micros)).unwrap().seat.place);
        chosen.collect::<Vec<_>>()
    };
    assert!(!who(until.micros() - 1).contains(&0));
    assert!(who(until.micros()).contains(&0));
}

#[test]
fn when_nobody_is_left_it_says_when_the_first_comes_back() {
    let pool = pool(&[(1, 1), (2, 1)], Terms::default());
    for (place, now) in [(0, SECOND), (0, SECOND), (1, 3 * SECOND), (1, 3 * SECOND)] {
        fail(&pool, place, Timestamp::from_micros(now));
    }
    let refused = pool.choose(&at(4 * SECOND)).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(7));
    assert_eq!(pool.choose(&at(11 * SECOND)).unwrap().seat.place, 0);
}

#[test]
fn a_session_stays_with_its_member_while_that_can_serve() {
    let terms = Terms { session_cookie: Some(Arc::from("SessionId")), ..Terms::default() };
    let pool = pool(&[(1, 1), (1, 1), (1, 1)], terms);
    let first = pool.choose(&at(SECOND)).unwrap();
    let (place, session) = (first.seat.place, first.session.unwrap());
    assert!(!session.contains("member"), "{session}");
    let asked = Asked { session: Some(&session), ..at(SECOND) };
    for _ in 0..10 {
        let again = pool.choose(&asked).unwrap();
        assert_eq!((again.seat.place, again.session), (place, None));
    }
    let failed = Asked { tried: Set::default().with(place), last: Some(place), ..asked };
    let other = pool.choose(&failed).unwrap();
    assert!(other.seat.place != place && other.session.is_some());
    let made_up = Asked { session: Some("somebody"), ..at(SECOND) };
    assert!(pool.choose(&made_up).unwrap().session.is_some());
}

#[test]
fn whoever_has_just_come_back_gets_its_share_bit_by_bit() {
    let terms = Terms { slow_start: Some(Duration::from_secs(100)), ..Terms::default() };
    let pool = pool(&[(1, 1), (1, 1)], terms);
    let now = Timestamp::from_micros(SECOND);
    fail(&pool, 0, now);
    let back = fail(&pool, 0, now).unwrap().micros();
    let share = |micros| {
        let chosen = (0..1_100).map(|_| pool.choose(&at(micros)).unwrap().seat.place);
        chosen.filter(|place| *place == 0).count()
    };
    assert_eq!(share(back), 100, "a tenth of the weight of the other");
    // By 1 : 2, within what the change of weights leaves over.
    assert!(share(back + 50 * SECOND).abs_diff(366) < 3);
    assert!(share(back + 100 * SECOND).abs_diff(550) < 3);
}

#[test]
fn a_retry_goes_to_somebody_else() {
    let pool = pool(&[(1, 1), (1, 1), (1, 1)], Terms::default());
    let (mut tried, mut last) = (Set::default(), None);
    let mut order = Vec::new();
    for _ in 0..3 {
        let place = pool.choose(&Asked { tried, last, ..at(SECOND) }).unwrap().seat.place;
        order.push(place);
        (tried, last) = (tried.with(place), Some(place));
    }
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2]);
    let fourth = pool.choose(&Asked { tried, last, ..at(SECOND) }).unwrap().seat.place;
    assert_ne!(Some(fourth), last);
}

#[test]
fn what_a_seat_takes_it_gives_back() {
    let terms = Terms { balancing: Balancing::LeastRequests, ..Terms::default() };
    let pool = pool(&[(1, 1), (1, 1)], terms);
    let long = pool.choose(&at(SECOND)).unwrap();
    for _ in 0..5 {
        assert_ne!(pool.choose(&at(SECOND)).unwrap().seat.place, long.seat.place);
    }
    drop(long);
    assert!(
        pool.counts().places.iter().all(|count| count.taken.load(super::Ordering::Relaxed) == 0)
    );
}

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    Request(u16),
    Failure(usize),
    Health(usize, bool),
    Wait(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => any::<u16>().prop_map(Happening::Request),
        3 => (0_usize..8).prop_map(Happening::Failure),
        1 => ((0_usize..8), any::<bool>()).prop_map(|(at, well)| Happening::Health(at, well)),
        2 => (1_u64..8_000_000).prop_map(Happening::Wait),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let balancing = prop_oneof![
        Just(Balancing::Weighted),
        Just(Balancing::LeastRequests),
        Just(Balancing::ConsistentHash(HashSource::Path)),
    ];
    (balancing, 0_u32..100, any::<bool>()).prop_map(|(balancing, panic_percent, slow)| Terms {
        balancing,
        panic_percent,
        slow_start: slow.then_some(Duration::from_secs(20)),
        ..Terms::default()
    })
}

/// What every choice must hold to.
fn check(pool: &Pool, now: Timestamp, chosen: Option<usize>) -> Result<(), TestCaseError> {
    let closed = |at: usize| pool.members[at].backend.is_closed(now);
    let well = |at: usize| pool.members[at].backend.is_healthy(now);
    let all = 0..pool.members.len();
    let healthy = all.clone().filter(|at| well(*at)).count();
    let panics =
        healthy * 100 < pool.members.len() * usize::try_from(pool.terms.panic_percent).unwrap();
    let able: Vec<usize> = all.filter(|at| closed(*at) && (panics || well(*at))).collect();
    let Some(chosen) = chosen else {
        prop_assert!(able.is_empty(), "somebody could have served");
        return Ok(());
    };
    prop_assert!(able.contains(&chosen), "{chosen} cannot serve");
    let best = able.iter().map(|at| pool.members[*at].priority).min();
    prop_assert_eq!(Some(pool.members[chosen].priority), best);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn whatever_happens_whoever_is_chosen_can_serve_and_is_of_the_best_group(
        members in proptest::collection::vec((0_u32..3, 0_u32..5), 1..8),
        terms in terms(),
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let pool = pool(&members, terms);
        let mut now = Timestamp::from_micros(SECOND);
        let mut seats: Vec<Seat> = Vec::new();
        for happening in happenings {
            match happening {
                Happening::Wait(micros) => now = now + Duration::from_micros(micros),
                Happening::Failure(at) => drop(fail(&pool, at % members.len(), now)),
                Happening::Health(at, well) => {
                    let standing = pool.members[at % members.len()].backend.standing.as_ref();
                    standing.unwrap().checked(well, now);
                }
                Happening::Request(key) => {
                    let key = key.to_le_bytes();
                    let asked = Asked { now, key: Some(&key), ..Asked::default() };
                    let chosen = pool.choose(&asked);
                    check(&pool, now, chosen.as_ref().ok().map(|chosen| chosen.seat.place))?;
                    if let Err(refused) = &chosen {
                        prop_assert!(refused.retry_after <= TRIP);
                    }
                    if seats.len() < 20 {
                        seats.extend(chosen.ok().map(|chosen| chosen.seat));
                    } else {
                        seats.clear();
                    }
                }
            }
        }
    }
}
