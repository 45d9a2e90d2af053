//! One desk that lends: how much, for how long, and what becomes of it.

use crate::limit::engine::reference::Reference;
use crate::limit::engine::rule::{Rule, Shape};
use crate::limit::engine::standing::Standing;
use crate::limit::engine::{Decision, Effect, Receipt};
use crate::limit::key::{KeySpace, Kind};
use crate::limit::order::members::Seat;
use crate::limit::order::{Outcome, ReplicaId, Session};
use crate::limit::seller::Primary;

use super::*;

const SECOND: u64 = 1_000_000;

const LIMIT: u64 = 100_000;

const PERIOD: Duration = Duration::from_secs(10);

const FIXED: Shape = Shape::Fixed { period: PERIOD, origin: Duration::ZERO };

/// A desk and the primary that it buys from, at a time.
struct Scene {
    engine: Engine,
    primary: Primary,
    rule: Arc<Rule>,
    now: u64,
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn standing(now: u64, touch: Touch) -> Arc<Standing> {
    let mut clock = Reference::default();
    assert!(clock.observe(at(now - 10), at(now), now - 5));
    Arc::new(Standing {
        touch,
        clock,
        seat: Some(Seat { index: 0, of: 1 }),
        members: 1,
        buys_until: at(u64::MAX),
        ..Standing::default()
    })
}

impl Scene {
    fn new(shape: Shape) -> Self {
        let session = Session { replica: ReplicaId(1), incarnation: 1, desk: 0 };
        let now = 100 * SECOND + 1_000;
        let mut engine = Engine::new(session, 100, 7);
        engine.stand(at(now), standing(now, Touch::In));
        let rule = Arc::new(Rule::new(LIMIT, shape).unwrap());
        Self { engine, primary: Primary::default(), rule, now }
    }

    /// A desk of which two thousand are asked for each second.
    fn hot(shape: Shape) -> Self {
        let mut scene = Self::new(shape);
        for _ in 0..4_000 {
            // Between two windows it is not sure which one is now, and the next one waits for that.
            scene.ask();
            scene.now += 500;
            scene.engine.tick(at(scene.now));
        }
        scene.ask().expect("a window that is sure");
        scene
    }

    fn ask(&mut self) -> Option<Receipt> {
        let rule = Arc::clone(&self.rule);
        let mut decision = self.engine.admit(at(self.now), &claim(&rule));
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Send(errand) => {
                    let reply = self.primary.carry_out(self.now, &errand.order);
                    self.engine.outcome(at(self.now), errand.ticket, Outcome::Answered(reply));
                }
                Effect::Answer { decision: answer, .. } => decision = answer,
                Effect::Journal(_) | Effect::Healed { .. } | Effect::Unhealed { .. } => {}
            }
        }
        match decision {
            Decision::Admitted(receipt) => Some(receipt),
            Decision::Refused(_) | Decision::Unavailable | Decision::Waiting(_) => None,
        }
    }

    fn lend(&mut self) -> Option<Lot> {
        let rule = Arc::clone(&self.rule);
        self.engine.lend(at(self.now), &claim(&rule), LEAST)
    }

    fn balance(&self) -> i64 {
        let place = self.engine.place_of(claim(&self.rule).key, self.rule.grid()).unwrap();
        self.engine.slots.get(place).unwrap().balance
    }

    /// What was bought, and what is somewhere.
    fn books(&self) -> (i128, i128) {
        let facts = self.engine.facts();
        let gone = facts.spent + facts.returned + facts.expired;
        let came = facts.bought + facts.forgiven;
        (i128::from(came), i128::from(gone) + self.engine.held())
    }
}

fn claim(rule: &Arc<Rule>) -> Claim<'_> {
    Claim { key: KeySpace::new(Kind::Rate, &[]).key("a"), rule, need: 1, cost: 1 }
}

#[test]
fn all_is_lent_but_what_starts_the_next_purchase_and_what_is_left_is_told_as_before() {
    for shape in [FIXED, Shape::Sliding { period: PERIOD }] {
        let mut scene = Scene::hot(shape);
        let remaining = scene.ask().unwrap().remaining;
        let before = scene.balance();
        let lot = scene.lend().expect("hot");
        let kept = u64::try_from(scene.balance()).unwrap();
        assert!((1..=3).contains(&kept), "{shape:?}: {kept} of {before} are kept");
        assert_eq!(lot.loan.tokens + kept, u64::try_from(before).unwrap());
        assert_eq!(lot.loan.rest + lot.loan.tokens, remaining);
        assert!(scene.lend().is_none(), "once");
        assert_eq!(scene.books().0, scene.books().1);
        let spent = scene.engine.facts().spent;
        scene.engine.take_back(at(scene.now), &lot, lot.loan.tokens - 5);
        assert_eq!(scene.engine.facts().spent, spent + 5);
        assert_eq!(scene.balance(), before - 5);
        assert_eq!(scene.books().0, scene.books().1);
        assert_eq!(scene.ask().unwrap().remaining, remaining - 6);
        assert!(scene.lend().is_some(), "and again");
    }
}

#[test]
fn a_loan_ends_while_it_is_certain_that_its_window_is_now() {
    for shape in [FIXED, Shape::Sliding { period: PERIOD }] {
        let mut scene = Scene::hot(shape);
        let lot = scene.lend().unwrap();
        let ends = scene.rule.grid().ends(lot.loan.window);
        let last = at(lot.loan.until.micros() - 1);
        let moment = scene.engine.standing.clock.at(last).unwrap();
        assert!(moment.late < ends, "{moment:?} {ends}");
        assert!(scene.now < lot.loan.until.micros());
        scene.engine.take_back(at(scene.now), &lot, lot.loan.tokens);
        // Where the end is near, the desk looks after the next window.
        scene.now = ends - SHORTEST_MICROS;
        scene.ask();
        assert!(scene.lend().is_none());
    }
}

#[test]
fn what_comes_back_after_its_window_is_dead() {
    for shape in [FIXED, Shape::Sliding { period: PERIOD }] {
        let mut scene = Scene::hot(shape);
        let lot = scene.lend().unwrap();
        scene.now = scene.rule.grid().ends(lot.loan.window) + 10_000;
        scene.ask().unwrap();
        let expired = scene.engine.facts().expired;
        let balance = scene.balance();
        scene.engine.take_back(at(scene.now), &lot, 7);
        assert_eq!(scene.engine.facts().expired, expired + 7);
        assert_eq!(scene.balance(), balance, "it is not of this window");
        assert_eq!(scene.books().0, scene.books().1);
        let place = scene.engine.place_of(claim(&scene.rule).key, scene.rule.grid()).unwrap();
        let slot = scene.engine.slots.get_mut(place).unwrap();
        let stranded: u64 = slot
            .take_stranded()
            .filter(|(window, _)| *window == lot.loan.window)
            .map(|(_, dead)| dead)
            .sum();
        // A ring is told of it; a fixed window that is over is not.
        assert_eq!(stranded >= 7, scene.rule.grid().is_ring());
    }
}

#[test]
fn nothing_is_lent_of_what_is_hardly_asked_for_or_out_of_touch_or_under_a_lower_limit() {
    let mut cold = Scene::new(FIXED);
    cold.ask().unwrap();
    assert!(cold.balance() > 1_000 && cold.lend().is_none(), "it was asked for once");
    for touch in [Touch::Out, Touch::Healing] {
        let mut scene = Scene::hot(FIXED);
        scene.engine.stand(at(scene.now), standing(scene.now, touch));
        assert!(scene.lend().is_none(), "{touch:?}");
    }
    let mut scene = Scene::hot(FIXED);
    scene.rule = Arc::new(Rule::new(50, FIXED).unwrap());
    assert!(scene.lend().is_none(), "they were sold beyond that limit");
}

#[test]
fn tills_are_lent_to_one_counter_at_a_time_and_rest_if_nobody_takes() {
    let mut scene = Scene::hot(FIXED);
    let mut lent = Lent::new();
    let rule = Arc::clone(&scene.rule);
    let terms = crate::limit::Terms::fixed(LIMIT, PERIOD, Timestamp::default());
    let label = Label::of(&crate::limit::Charge::take(claim(&rule).key, terms, 1)).unwrap();
    let key = claim(&rule).key;
    let till = |lent: &Lent| {
        let tills = Arc::clone(lent.tills());
        move || tills.get(Tills::number_of(key.to_bytes())).unwrap().take(&label, 1, at(100))
    };
    let take = till(&lent);
    let now = at(scene.now);
    lent.lend(&mut scene.engine, now, (&claim(&rule), &label), LEAST);
    assert!((0..5).all(|_| take().is_some()));
    let other = KeySpace::new(Kind::Rate, &[]).key("b");
    assert_eq!(lent.recall(&mut scene.engine, now, &other), 0);
    assert_eq!(lent.recall(&mut scene.engine, now, &key), 5);
    assert!(take().is_none() && lent.is_empty());
    lent.lend(&mut scene.engine, now, (&claim(&rule), &label), LEAST);
    assert!(take().is_some());
    assert_eq!(lent.recall(&mut scene.engine, now, &key), 1);
    lent.lend(&mut scene.engine, now, (&claim(&rule), &label), LEAST);
    assert!(take().is_none(), "one claim was not worth it");
    assert_eq!(lent.recall_all(&mut scene.engine, now), 0);
    lent.lend(&mut scene.engine, now, (&claim(&rule), &label), LEAST);
    assert!(take().is_some());
    assert_eq!(lent.recall_all(&mut scene.engine, now), 1);
    assert!(lent.is_empty());
    assert_eq!(scene.books().0, scene.books().1);
}

#[test]
fn what_is_given_back_before_its_loan_is_counted_once() {
    let mut scene = Scene::hot(FIXED);
    let rule = Arc::clone(&scene.rule);
    let first = scene.ask().unwrap();
    let lot = scene.lend().unwrap();
    // All that was ever spent came back, and a token from the till beside it.
    let spent = scene.engine.facts().spent;
    let Loan { window, tokens, .. } = lot.loan;
    let receipt = Receipt { window, cost: spent + 1, ..first };
    let all = Claim { cost: spent + 1, ..claim(&rule) };
    scene.engine.settle(at(scene.now), &all, receipt, 0);
    assert_eq!(scene.engine.facts().spent, 0);
    assert_eq!(scene.books().0, scene.books().1, "before it is known that it was taken");
    scene.engine.take_back(at(scene.now), &lot, tokens - 1);
    assert_eq!(scene.engine.facts().spent, 0);
    assert_eq!(scene.books().0, scene.books().1, "and after");
}
