//! One desk by itself: what it may not do even once, whatever the rest of the world does.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::members::{NOTICE_MICROS, ORDER_LIFE};
use crate::limit::engine::quota::{Record, Total};
use crate::limit::engine::reference::Reference;
use crate::limit::engine::rule::{Certainty, Rule, Shape};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::engine::{Claim, Decision, Effect, Engine, Source};
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::order::durability::Durability;
use crate::limit::order::members::{Epoch, Seat};
use crate::limit::order::{
    Change, EntrySold, Errand, FixedSold, Ledger, LedgerEntry, LedgerSold, Mark, Order, Outcome,
    ReplicaId, Reply, RingSold, Session, Span,
};
use crate::time::Timestamp;

const SECOND: u64 = 1_000_000;

/// When the tests begin, by all clocks.
const NOW: u64 = 1_003 * SECOND;

const EPOCH: Epoch = Epoch(5);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn key() -> CounterKey {
    KeySpace::new(Kind::Rate, &[]).key("a")
}

fn session() -> Session {
    Session { replica: ReplicaId(1), incarnation: 1, desk: 0 }
}

fn fixed(limit: u64) -> Rule {
    let period = Duration::from_secs(10);
    Rule::new(limit, Shape::Fixed { period, origin: Duration::ZERO }).unwrap()
}

/// In touch since before [`NOW`], the second of two members.
fn in_touch() -> Standing {
    let mut clock = Reference::default();
    clock.observe(at(NOW - 100), at(NOW), NOW - 50);
    Standing {
        touch: Touch::In,
        round: 1,
        run: 7,
        epoch: EPOCH,
        clock,
        seat: Some(Seat { index: 1, of: 2 }),
        members: 2,
        buys_until: at(NOW + SECOND),
        ..Standing::default()
    }
}

fn engine(standing: Standing) -> Engine {
    let mut engine = Engine::new(session(), 16, 1);
    engine.stand(at(NOW), Arc::new(standing));
    engine
}

/// Asks for one at `micros`, and for which answer there is what is to be sent.
fn ask(engine: &mut Engine, micros: u64, rule: &Arc<Rule>) -> (Decision, Vec<Errand>) {
    let decision = engine.admit(at(micros), &Claim { key: key(), rule, need: 1, cost: 1 });
    (decision, sent(engine))
}

fn sent(engine: &mut Engine) -> Vec<Errand> {
    let effects = std::iter::from_fn(|| engine.next_effect());
    effects
        .filter_map(|effect| if let Effect::Send(errand) = effect { Some(errand) } else { None })
        .collect()
}

fn sold(sold: i64, epoch: Epoch) -> Outcome {
    Outcome::Answered(Reply::Fixed(FixedSold { sold, returns: 0 }, epoch))
}

#[test]
fn nothing_is_bought_on_old_news_of_the_members() {
    let rule = Arc::new(fixed(100));
    let stale = Standing { buys_until: at(NOW + 10), ..in_touch() };
    let (decision, orders) = ask(&mut engine(stale.clone()), NOW + 11, &rule);
    assert!(matches!(decision, Decision::Waiting(_)));
    assert_eq!(orders, []);
    assert_eq!(ask(&mut engine(stale), NOW + 10, &rule).1.len(), 1);
}

#[test]
fn an_answer_that_comes_too_late_does_not_count() {
    let rule = Arc::new(fixed(100));
    let life = u64::try_from(ORDER_LIFE.as_micros()).unwrap();
    for (late, bought) in [(0, 1), (1, 0)] {
        let mut engine = engine(in_touch());
        let (_, orders) = ask(&mut engine, NOW, &rule);
        let Order::Fixed(order) = &orders[0].order else { panic!("{orders:?}") };
        let want = i64::try_from(order.want).unwrap();
        engine.outcome(at(NOW + life + late), orders[0].ticket, sold(want, EPOCH));
        assert_eq!(u64::from(engine.facts().bought > 0), bought);
    }
}

#[test]
fn what_is_sold_in_a_sub_window_that_has_ended_meanwhile_goes_back() {
    let rule = Arc::new(Rule::new(2, Shape::Sliding { period: Duration::from_secs(2) }).unwrap());
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &rule);
    let Order::Ring(order) = &orders[0].order else { panic!("{orders:?}") };
    assert_eq!((order.want, order.marks.len()), (1, 0));
    let ends = rule.grid().ends(order.at);
    let mut engine = self::engine(in_touch());
    let (_, orders) = ask(&mut engine, ends - 10_000, &rule);
    let sold = RingSold { granted: 1, used: 1, here: 1, wait: 0 };
    let outcome = Outcome::Answered(Reply::Ring(sold, EPOCH));
    engine.outcome(at(ends + 10_000), orders[0].ticket, outcome);
    assert_eq!(engine.facts().bought, 1);
    let orders = sent(&mut engine);
    let Order::Ring(again) = &orders[0].order else { panic!("{orders:?}") };
    let back = Mark { at: order.at, change: Change::Back(1) };
    assert_eq!((again.at, again.want, &again.marks[..]), (order.at + 1, 1, &[back][..]));
    assert_eq!((engine.facts().returned, engine.facts().expired), (1, 0));
}

#[test]
fn what_was_bought_before_a_round_of_reports_does_not_count_after_it() {
    let rule = Arc::new(fixed(100));
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &rule);
    engine.stand(at(NOW + 100), Arc::new(Standing { round: 2, ..in_touch() }));
    engine.outcome(at(NOW + 200), orders[0].ticket, sold(3, EPOCH));
    assert_eq!(engine.facts().bought, 0);
}

#[test]
fn tokens_of_a_limit_that_was_lowered_are_not_spent_beyond_it() {
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &Arc::new(fixed(100)));
    let Order::Fixed(order) = &orders[0].order else { panic!("{orders:?}") };
    assert!(order.want > 1);
    engine.outcome(at(NOW + 100), orders[0].ticket, sold(60, EPOCH));
    let lowered = |limit| Arc::new(fixed(limit));
    assert!(matches!(ask(&mut engine, NOW + 200, &lowered(59)).0, Decision::Refused(_)));
    assert!(matches!(ask(&mut engine, NOW + 200, &lowered(60)).0, Decision::Admitted(_)));
}

#[test]
fn what_was_sold_from_other_data_is_not_spent_and_the_membership_hears_of_it() {
    let rule = Arc::new(fixed(100));
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &rule);
    engine.outcome(at(NOW + 300), orders[0].ticket, sold(3, Epoch(6)));
    assert_eq!((engine.facts().bought, engine.facts().rollbacks), (0, 1));
    assert_eq!(engine.next_effect(), Some(Effect::Unhealed { round: 1 }));
    // Until it stands anew, it buys nothing.
    assert_eq!(ask(&mut engine, NOW + 400, &rule).1, []);
}

#[test]
fn a_counter_that_fell_is_lifted_before_more_is_bought() {
    let rule = Arc::new(fixed(1_000));
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &rule);
    engine.outcome(at(NOW + 300), orders[0].ticket, sold(400, EPOCH));
    let bought = engine.facts().bought;
    assert!(bought > 0);
    let mut orders = Vec::new();
    for _ in 0..=bought {
        orders.append(&mut ask(&mut engine, NOW + 400, &rule).1);
    }
    let errand = orders.pop().expect("it runs low");
    engine.outcome(at(NOW + 800), errand.ticket, sold(390, EPOCH));
    assert_eq!((engine.facts().bought, engine.facts().rollbacks), (bought, 1));
    let orders = sent(&mut engine);
    let Order::Raise(raise) = &orders[0].order else { panic!("{orders:?}") };
    assert_eq!((raise.floors[0].sold, orders.len()), (400, 1));
}

#[test]
fn the_share_of_an_exact_limit_expires_and_that_of_a_fast_one_does_not() {
    let exact = Arc::new(fixed(100));
    let fast = Arc::new(fixed(100).certainty(Certainty::Fast { over: 1 }));
    let starts = 1_310 * SECOND;
    for (rule, over, has_share) in
        [(&exact, 0, false), (&exact, 1, true), (&fast, 0, true), (&fast, 1, true)]
    {
        let out = Standing {
            touch: Touch::Out,
            share_from: NOW + NOTICE_MICROS,
            share_to: starts + over,
            ..in_touch()
        };
        let (decision, _) = ask(&mut engine(out), starts + SECOND, rule);
        let source =
            if let Decision::Admitted(receipt) = decision { Some(receipt.source) } else { None };
        assert_eq!(source, has_share.then_some(Source::Share), "{over}");
    }
}

/// What the next waiter is told.
fn answer(engine: &mut Engine) -> Option<Decision> {
    std::iter::from_fn(|| engine.next_effect()).find_map(|effect| {
        if let Effect::Answer { decision, .. } = effect { Some(decision) } else { None }
    })
}

#[test]
fn who_waits_in_the_fast_mode_is_admitted_from_the_share_when_redis_is_silent_and_it_is_paid() {
    // Of one token more there is no debt for each of two.
    let rule = Arc::new(fixed(100).certainty(Certainty::Fast { over: 1 }));
    let mut engine = engine(in_touch());
    let (decision, orders) = ask(&mut engine, NOW, &rule);
    assert!(matches!(decision, Decision::Waiting(_)));
    engine.tick(at(NOW + 4_999));
    assert_eq!(answer(&mut engine), None, "it may come yet");
    engine.tick(engine.wake().unwrap());
    let Some(Decision::Admitted(receipt)) = answer(&mut engine) else { panic!("nobody waits") };
    assert_eq!((receipt.source, engine.facts().shared), (Source::Share, 1));
    // Who comes now does not wait at all.
    let (decision, _) = ask(&mut engine, NOW + 6_000, &rule);
    assert!(matches!(decision, Decision::Admitted(receipt) if receipt.source == Source::Share));
    let Order::Fixed(order) = &orders[0].order else { panic!("{orders:?}") };
    let want = i64::try_from(order.want).unwrap();
    engine.outcome(at(NOW + 7_000), orders[0].ticket, sold(want, EPOCH));
    let facts = *engine.facts();
    assert_eq!((facts.shared, facts.spent), (2, 2), "they are owed, and paid from what was sold");
    assert_eq!(i128::from(facts.bought) - 2, engine.held());
}

#[test]
fn who_finds_nothing_left_when_redis_is_silent_is_refused_after_ten_milliseconds() {
    let rule = Arc::new(fixed(1).certainty(Certainty::Fast { over: 0 }));
    // Of one token the first of two has none in this window.
    let standing = Standing { seat: Some(Seat { index: 1, of: 2 }), ..in_touch() };
    let has_share = standing.own_share(&rule, (rule.grid().number(NOW), NOW), 1) > 0;
    let seat = Some(Seat { index: u32::from(!has_share), of: 2 });
    let standing = Standing { seat, ..standing };
    let mut engine = engine(standing);
    assert!(matches!(ask(&mut engine, NOW, &rule).0, Decision::Waiting(_)));
    engine.tick(at(NOW + 5_001));
    assert_eq!(answer(&mut engine), None);
    engine.tick(at(NOW + 10_001));
    assert!(matches!(answer(&mut engine), Some(Decision::Refused(_))));
}

#[test]
fn what_is_owed_is_of_the_share_that_is_admitted_in_a_silence() {
    let rule = Arc::new(fixed(10).certainty(Certainty::Fast { over: 4 }));
    let start = 1_010 * SECOND + 10_000;
    let mut engine = engine(Standing { buys_until: at(start + SECOND), ..in_touch() });
    let admitted = |engine: &mut Engine, micros| {
        let asked = (0..10).map(|_| ask(engine, micros, &rule).0);
        asked.filter(|decision| matches!(decision, Decision::Admitted(_))).count()
    };
    assert_eq!(admitted(&mut engine, start), 2, "each of two may owe so much");
    let owed = 2 + admitted(&mut engine, start + 6_000);
    assert!((3..=5).contains(&owed), "{owed} of a share of 5");
}

#[test]
fn who_has_just_taken_a_seat_admits_nothing_in_a_silence() {
    // Whoever had it before, or an earlier life, may owe as much in this window.
    let rule = Arc::new(fixed(100).certainty(Certainty::Fast { over: 1 }));
    for (seat_from, is_admitted) in [(1_000 * SECOND, true), (NOW - SECOND, false)] {
        let mut engine = engine(Standing { seat_from, ..in_touch() });
        assert!(matches!(ask(&mut engine, NOW, &rule).0, Decision::Waiting(_)));
        engine.tick(at(NOW + 10_001));
        let answer = answer(&mut engine);
        assert_eq!(matches!(answer, Some(Decision::Admitted(_))), is_admitted, "{answer:?}");
    }
}

#[test]
fn returns_that_a_primary_lost_are_missed_once() {
    let rule = Arc::new(fixed(1_000));
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &rule);
    let with = |sold, returns| Outcome::Answered(Reply::Fixed(FixedSold { sold, returns }, EPOCH));
    engine.outcome(at(NOW + 300), orders[0].ticket, with(400, 3));
    let mut rollbacks = Vec::new();
    for (sold, micros) in [(500, 500), (700, 1_000), (900, 1_500)] {
        let mut orders = Vec::new();
        while orders.is_empty() {
            orders = ask(&mut engine, NOW + micros, &rule).1;
        }
        let errand = orders.pop().expect("it runs low");
        engine.outcome(at(NOW + micros + 100), errand.ticket, with(sold, 1));
        for lift in sent(&mut engine) {
            engine.outcome(at(NOW + micros + 200), lift.ticket, Outcome::Answered(Reply::Raise));
        }
        rollbacks.push(engine.facts().rollbacks);
    }
    assert_eq!(rollbacks, [1, 1, 1]);
}

/// The reports of an engine whose copy of a ledger was made under the primary `run`.
fn floor_of_copy(run: u64) -> u64 {
    let shape = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
    let rule = Arc::new(Rule::new(1_000, shape).unwrap());
    let mut engine = Engine::new(session(), 16, 1);
    let meter = rule.grid().meter(key());
    engine.restore_total(Total {
        meter,
        span: Span { starts: 0, ends: u64::MAX },
        total: 400,
        run,
    });
    engine.stand(at(NOW), Arc::new(in_touch()));
    let (_, orders) = ask(&mut engine, NOW, &rule);
    let Order::Ledger(ledger) = &orders[0].order else { panic!("{orders:?}") };
    ledger.entries[0].floor
}

#[test]
fn a_ledger_is_lifted_to_what_was_seen_under_another_primary_and_not_under_this_one() {
    assert_eq!(floor_of_copy(6), 400);
    // Its total has it already: to assert it would count twice what was added since.
    assert_eq!(floor_of_copy(in_touch().run), 0);
}

#[test]
fn the_copy_of_a_period_that_is_over_is_not_asserted_to_the_next_one() {
    let shape = Shape::Quota { period: Duration::from_secs(100), origin: Duration::ZERO };
    let rule = Arc::new(Rule::new(1_000, shape).unwrap());
    let meter = rule.grid().meter(key());
    let length = 100 * SECOND;
    for (starts, floor) in [(900 * SECOND, 0), (1_000 * SECOND, 400)] {
        let mut engine = Engine::new(session(), 16, 1);
        let span = Span { starts, ends: starts + length };
        engine.restore_total(Total { meter, span, total: 400, run: 6 });
        engine.stand(at(NOW), Arc::new(in_touch()));
        let (_, orders) = ask(&mut engine, NOW, &rule);
        let Order::Ledger(ledger) = &orders[0].order else { panic!("{orders:?}") };
        assert_eq!((ledger.entries[0].floor, ledger.entries.len()), (floor, 1));
    }
}

#[test]
fn a_copy_is_copied_again_until_it_is_asserted() {
    let shape = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
    let rule = Arc::new(Rule::new(1_000, shape).unwrap());
    let span = Span { starts: 0, ends: u64::MAX };
    let mut engine = Engine::new(session(), 16, 1);
    let restored = Total { meter: rule.grid().meter(key()), span, total: 400, run: 6 };
    engine.restore_total(restored);
    let totals = |engine: &Engine| {
        let mut totals = Vec::new();
        assert_eq!(engine.totals(at(NOW), (0, 16), |total| totals.push(total)), None);
        totals
    };
    assert_eq!(totals(&engine), [restored]);
    engine.stand(at(NOW), Arc::new(in_touch()));
    let (_, orders) = ask(&mut engine, NOW, &rule);
    let sold = LedgerSold::Sold(vec![EntrySold { granted: 5, total: 405 }]);
    let reply = Reply::Ledger(sold, EPOCH);
    engine.outcome(at(NOW + 100), orders[0].ticket, Outcome::Answered(reply));
    let run = in_touch().run;
    assert_eq!(totals(&engine), [Total { total: 405, run, ..restored }]);
}

#[test]
fn what_was_used_while_a_ledger_was_asked_is_told_though_nobody_asks_again() {
    let shape = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
    let rule = Arc::new(Rule::new(1_000_000, shape).unwrap());
    let mut engine = engine(in_touch());
    let claim = Claim { key: key(), rule: &rule, need: 0, cost: 0 };
    engine.add(at(NOW), &claim, 100);
    let orders = sent(&mut engine);
    // These come while the first are on their way.
    engine.add(at(NOW), &claim, 90_000);
    assert_eq!(sent(&mut engine), []);
    let Order::Ledger(ledger) = &orders[0].order else { panic!("{orders:?}") };
    let granted = ledger.entries[0].want;
    let reply = |granted, total| {
        let sold = LedgerSold::Sold(vec![EntrySold { granted, total }]);
        Outcome::Answered(Reply::Ledger(sold, EPOCH))
    };
    engine.outcome(at(NOW + 100), orders[0].ticket, reply(granted, granted));
    let orders = sent(&mut engine);
    let Order::Ledger(ledger) = &orders[0].order else { panic!("{orders:?}") };
    let owed = 90_100 - granted;
    assert_eq!(ledger.entries[0].want, owed);
    engine.outcome(at(NOW + 200), orders[0].ticket, reply(owed, 90_100));
    assert_eq!((engine.held(), sent(&mut engine)), (0, vec![]));
}

#[test]
fn after_a_tick_nothing_is_due() {
    let shape = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
    let meter = Rule::new(1_000, shape).unwrap().grid().meter(key());
    let span = Span { starts: 0, ends: u64::MAX };
    let entry = LedgerEntry { meter, span, bound: 9, want: 1, delta: 0, floor: 0 };
    let mut engine = Engine::new(session(), 16, 1);
    let (entries, durability) = (vec![entry], Durability::Memory);
    engine.restore([Record::Sent(Ledger { session: session(), seq: 1, entries, durability })]);
    // Its news are old: it cannot repeat the report now.
    engine.stand(at(NOW), Arc::new(Standing { buys_until: at(NOW), ..in_touch() }));
    let now = at(NOW + 5);
    engine.tick(now);
    assert!(engine.wake().is_none_or(|wake| now < wake), "{:?}", engine.wake());
}

/// A quota that is not spent unless a replica has what was sold.
fn replicated() -> Arc<Rule> {
    let shape = Shape::Quota { period: Duration::ZERO, origin: Duration::ZERO };
    Arc::new(Rule::new(1_000, shape).unwrap().durable(Durability::Replicated))
}

fn granted(granted: u64) -> Outcome {
    let sold = LedgerSold::Sold(vec![EntrySold { granted, total: granted }]);
    Outcome::Answered(Reply::Ledger(sold, EPOCH))
}

#[test]
fn what_no_replica_confirms_is_asked_for_again_as_it_was() {
    let mut engine = engine(in_touch());
    let (decision, orders) = ask(&mut engine, NOW, &replicated());
    assert!(matches!(decision, Decision::Waiting(_)));
    assert_eq!(orders[0].order.durability(), Durability::Replicated);
    engine.outcome(at(NOW + 100), orders[0].ticket, Outcome::Unconfirmed);
    assert_eq!(engine.held(), 0);
    engine.tick(at(NOW + 26_000));
    let again = sent(&mut engine);
    assert_eq!(again[0].order, orders[0].order);
    engine.outcome(at(NOW + 26_100), again[0].ticket, granted(5));
    assert_eq!(ask(&mut engine, NOW + 26_200, &replicated()).1, []);
    assert!(engine.held() > 0);
}

#[test]
fn who_needs_a_replica_is_in_a_report_of_its_own() {
    let mut engine = engine(in_touch());
    let (_, first) = ask(&mut engine, NOW, &replicated());
    let keys = ["b", "c"].map(|name| KeySpace::new(Kind::Rate, &[]).key(name));
    let rule = replicated();
    let memory = Arc::new(Rule::clone(&rule).durable(Durability::Memory));
    for (key, rule) in [(keys[0], &rule), (keys[1], &memory)] {
        engine.admit(at(NOW), &Claim { key, rule, need: 1, cost: 1 });
    }
    engine.outcome(at(NOW + 100), first[0].ticket, granted(5));
    let second = sent(&mut engine);
    let durability = |orders: &[Errand]| orders[0].order.durability();
    assert_eq!(durability(&second), Durability::Replicated);
    engine.outcome(at(NOW + 200), second[0].ticket, granted(5));
    assert_eq!(durability(&sent(&mut engine)), Durability::Memory);
}

#[test]
fn on_the_way_back_in_touch_nobody_waits_for_a_replica_and_nothing_is_spent_without() {
    let mut engine = engine(in_touch());
    let (_, orders) = ask(&mut engine, NOW, &replicated());
    engine.outcome(at(NOW + 100), orders[0].ticket, Outcome::Unanswered);
    let healing = Standing { touch: Touch::Healing, round: 2, ..in_touch() };
    engine.stand(at(NOW + 200), Arc::new(healing));
    let reports = sent(&mut engine);
    let report = reports.iter().find(|errand| matches!(errand.order, Order::Ledger(_)));
    let report = report.expect("the report is repeated");
    assert_eq!(report.order.durability(), Durability::Memory);
    engine.outcome(at(NOW + 300), report.ticket, granted(5));
    assert_eq!(engine.held(), 0, "it stays charged and is not spent");
}

#[test]
fn what_was_admitted_alone_in_two_windows_is_charged_in_both_however_late_the_first_is_told() {
    let rule = Arc::new(fixed(100));
    let number = rule.grid().number(NOW);
    let keys = ["a", "b", "c", "d", "e"].map(|name| KeySpace::new(Kind::Rate, &[]).key(name));
    // Reports are on their way four at once: the second of some slot waits for an answer first.
    for many in 1..=keys.len() {
        let mut engine = engine(Standing { touch: Touch::Out, ..in_touch() });
        for key in &keys[..many] {
            let claim = Claim { key: *key, rule: &rule, need: 1, cost: 1 };
            let place = engine.place(at(NOW), &claim).unwrap();
            let slot = engine.slots.get_mut(place).unwrap();
            (0..2).for_each(|later| slot.use_share(rule.grid(), number + later, 1));
        }
        let healing = Standing { touch: Touch::Healing, round: 2, ..in_touch() };
        engine.stand(at(NOW + 1), Arc::new(healing));
        let mut charged = 0;
        let mut orders = sent(&mut engine);
        // One answer at a time, the last order's first.
        while let Some(Errand { ticket, order }) = orders.pop() {
            charged += u64::from(matches!(order, Order::Fixed(_)));
            engine.outcome(at(NOW + 2), ticket, sold(1, EPOCH));
            orders.extend(sent(&mut engine));
        }
        assert_eq!(charged, 2 * u64::try_from(many).unwrap());
    }
}

#[test]
fn however_many_wait_at_one_place_they_are_decided_together() {
    // Nothing is on its way: each time that they are decided, all look again a little later.
    let stale = Standing { buys_until: at(NOW), ..in_touch() };
    let mut engine = engine(stale);
    let rule = Arc::new(fixed(100).certainty(Certainty::Fast { over: 0 }));
    let many = 200;
    for _ in 0..many {
        assert!(matches!(ask(&mut engine, NOW + 1, &rule).0, Decision::Waiting(_)));
    }
    for millis in 1..25 {
        engine.tick(at(NOW + millis * 1_000));
        assert!(engine.waiting.alarms() <= 3 * many, "{} alarms", engine.waiting.alarms());
    }
}
