//! What a desk holds, for people: its counters one by one, and what they were refused.
//!
//! Nothing in here decides anything. A look goes over a few slots at a time, so that nobody who
//! holds the desk for it holds it for long.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule, Shape};
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::{Claim, Engine, Facts};
use crate::limit::key::CounterKey;
use crate::limit::order::{Meter, Span};
use crate::time::Timestamp;

/// A counter as its desk sees it. Amounts are tokens.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What is counted.
    pub key: CounterKey,
    /// The counter over there.
    pub meter: Meter,
    /// The rule that it was last held against; none: only its use is known, from a journal.
    pub rule: Option<Arc<Rule>>,
    /// The window (the sub-window) it is in, by the primary's clock; none: it has none, or what is
    /// known of it is of an earlier one.
    pub window: Option<Span>,
    /// How much is used, as far as this desk knows: of a sliding window, in the last period.
    pub used: u64,
    /// How much was seen sold, over all replicas.
    pub sold: u64,
    /// How much of it this replica bought.
    pub own: u64,
    /// How much of that it still has; below zero: owed.
    pub in_hand: i64,
    /// How much it has for the next window.
    pub ahead: u64,
    /// How much it admitted without having bought it, and has not reported.
    pub alone: u64,
    /// How much of the limit may be bought: the limit less the shares that are held back.
    pub for_sale: u64,
    /// How much of a whole window this replica admits on its own while out of touch.
    pub share: u64,
    /// How much it may owe.
    pub debt: u64,
    /// For how long no more is asked for, because there was nothing to buy.
    pub denied_for: Option<Duration>,
    /// How many claims were refused since the period began.
    pub refused: u32,
    /// Until the window ends; none: it never does.
    pub ends_in: Option<Duration>,
}

/// What a counter was reset to over there.
#[derive(Clone, Copy, Debug)]
pub struct AfterReset {
    /// What it has sold now.
    pub sold: u64,
    /// How often something was handed back to it: of fixed windows.
    pub returns: u16,
}

impl Engine {
    /// Shows the counters at `places` from `from` on, at most `count` places; says where to go on.
    pub fn look(
        &self,
        now: Timestamp,
        (from, count): (u32, u32),
        mut show: impl FnMut(Sight),
    ) -> Option<u32> {
        let end = u32::try_from(self.slots.end()).unwrap_or(u32::MAX);
        let to = from.saturating_add(count).min(end);
        for place in from..to {
            if let Some(slot) = self.slots.get(place) {
                show(self.sight(now, slot));
            }
        }
        (to < end).then_some(to)
    }

    /// Notes that `claim` was refused. Says nothing of it if the counter is not known.
    pub fn note_refusal(&mut self, now: Timestamp, claim: &Claim<'_>) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        let grid = claim.rule.grid();
        let Some(place) = self.place_of(claim.key, grid) else { return };
        let Some(slot) = self.slots.get_mut(place) else { return };
        let period = period_of(grid, moment);
        let denied = slot.denied_mut();
        let before = if denied.refused_in == period { denied.refused } else { 0 };
        (denied.refused_in, denied.refused) = (period, before.saturating_add(1));
    }

    /// An operator has set the counter of `key` under `rule` back: more may be asked for at once,
    /// and nothing that was seen before counts any more.
    pub fn was_reset(&mut self, now: Timestamp, key: CounterKey, rule: &Rule, after: AfterReset) {
        let grid = rule.grid();
        let Some(place) = self.place_of(key, grid) else { return };
        let moment = self.standing.clock.at(now);
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.forget_denial();
        if grid.is_bucket() {
            slot.here = 0;
        } else if moment.is_some_and(|moment| grid.number(moment.early) == slot.window) {
            let held = u64::try_from(slot.balance).unwrap_or(0);
            (slot.own, slot.top) = (held, slot.top.min(after.sold));
            (slot.sold, slot.returns) = (after.sold, after.returns.max(slot.returns));
            slot.here = slot.here.min(after.sold);
        }
        if let Some(extra) = slot.extra_if() {
            extra.floor = None;
        }
        if grid.is_ring() {
            slot.forget_seen();
        }
        self.waiting.alarm(now, place);
    }

    pub(super) fn place_of(&self, key: CounterKey, grid: &Grid) -> Option<u32> {
        let key = SlotKey { key, period: grid.period, form: grid.form };
        let hash = self.slots.hash().of(key.key.to_bytes(), key.period ^ key.form);
        self.slots.find(&key, hash)
    }

    fn sight(&self, now: Timestamp, slot: &Slot) -> Sight {
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        let moment = self.standing.clock.at(now);
        let number = moment.map_or(slot.window, |moment| grid.number(moment.early));
        let is_now = slot.window == number && !grid.is_bucket();
        let rule = slot.rule.clone();
        let early = moment.map_or(0, |moment| moment.early);
        let alone = slot.used(&grid, number);
        let for_sale = rule.as_ref().map_or(0, |rule| {
            self.standing.for_sale(rule, number, early, if is_now { slot.sold } else { 0 })
        });
        let share = rule
            .as_ref()
            .map_or(0, |rule| self.standing.own_share(rule, (number, early), rule.limit()));
        let debt = rule.as_ref().map_or(0, |rule| self.standing.debt(rule, number));
        let denied = slot.denied();
        let is_denied = moment.is_some() && slot.is_denied(early, for_sale);
        let period = moment.map(|moment| period_of(&grid, moment));
        let ends = moment.filter(|_| !grid.is_bucket() && grid.ends(number) != u64::MAX);
        let sold = sold(slot, &grid, number, early);
        let in_hand = if is_now || grid.is_bucket() { slot.balance } else { 0 };
        let bought_used = i128::from(sold).saturating_sub(in_hand.into()).max(0);
        Sight {
            key: slot.key.key,
            meter: grid.meter(slot.key.key),
            rule,
            window: is_now.then(|| grid.span(number)),
            used: u64::try_from(bought_used).unwrap_or(u64::MAX).saturating_add(alone),
            sold,
            own: if is_now { slot.own } else { 0 },
            in_hand,
            ahead: if is_now { slot.ahead().tokens } else { 0 },
            alone,
            for_sale,
            share,
            debt,
            denied_for: is_denied
                .then(|| Duration::from_micros(denied.until.saturating_sub(early))),
            refused: if period == Some(denied.refused_in) { denied.refused } else { 0 },
            ends_in: ends.map(|moment| {
                Duration::from_micros(grid.ends(number).saturating_sub(moment.early))
            }),
        }
    }
}

impl Rule {
    /// In which window of the counter `early` lies, by the primary's clock, and how many windows
    /// before it count with it; none for a bucket, which has none.
    pub fn window_at(&self, early: u64) -> Option<(u64, Span, u32)> {
        let grid = self.grid();
        let number = grid.number(early);
        (!grid.is_bucket()).then(|| (number, grid.span(number), grid.parts))
    }

    /// Nanoseconds in which a bucket gains one token, and how many it holds.
    pub fn bucket(&self) -> Option<(u64, u64)> {
        let Shape::Bucket { burst, .. } = self.shape() else { return None };
        let nanos = self.grid().period.saturating_mul(1_000);
        Some((nanos.div_ceil(self.limit().max(1)), burst))
    }
}

/// What part `some` is of `all`, in millionths.
pub fn millionths(some: u64, all: u64) -> u64 {
    let part = u128::from(some).saturating_mul(1_000_000).checked_div(u128::from(all));
    part.and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
}

impl Facts {
    /// The window of `slot` ends as it is: what it owes was admitted and not sold in it.
    pub(super) fn ends(&mut self, slot: &Slot) {
        let owed = slot.balance.min(0).unsigned_abs();
        if owed > 0 {
            let limit = slot.rule.as_ref().map_or(0, |rule| rule.limit());
            self.unsold = self.unsold.saturating_add(owed);
            self.unsold_max = self.unsold_max.max(millionths(owed, limit));
        }
    }
}

impl Slot {
    /// Notes that it is held against `rule`.
    pub(super) fn under(&mut self, rule: &Arc<Rule>) {
        if !self.rule.as_ref().is_some_and(|known| Arc::ptr_eq(known, rule)) {
            self.rule = Some(Arc::clone(rule));
        }
    }
}

/// What is known to be sold of what counts now.
fn sold(slot: &Slot, grid: &Grid, number: u64, early: u64) -> u64 {
    let now = if slot.window == number { slot.sold } else { 0 };
    if grid.is_bucket() {
        let Some((nanos, burst)) = slot.rule.as_ref().and_then(|rule| rule.bucket()) else {
            return 0;
        };
        if slot.here == 0 {
            return 0;
        }
        let since = early.saturating_sub(slot.here).saturating_mul(1_000);
        let left = slot.own.saturating_add(since.checked_div(nanos).unwrap_or(0));
        return burst.saturating_sub(left);
    }
    if !grid.is_ring() {
        // What was asked for beyond the bound stands in the counter until it is handed back.
        return now.saturating_sub(u64::from(slot.excess));
    }
    // What was last answered in this sub-window counts more than what was seen before it.
    if now > 0 {
        return now;
    }
    let oldest = number.saturating_sub(grid.reach());
    let counts = slot.seen().filter(|(at, _)| oldest <= *at && *at != slot.window);
    let seen = counts.map(|(_, seen)| seen).fold(0, u64::saturating_add);
    let here = if oldest <= slot.window { slot.here } else { 0 };
    seen.saturating_add(here)
}

/// The number of the period of `moment`, as far as it is told apart.
fn period_of(grid: &Grid, moment: Moment) -> u32 {
    let number = moment.early.saturating_sub(grid.phase).checked_div(grid.period).unwrap_or(0);
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::engine::reference::Reference;
    use crate::limit::engine::rule::Certainty;
    use crate::limit::engine::standing::{Standing, Touch};
    use crate::limit::engine::{Decision, Effect, Receipt, Source};
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::members::Seat;
    use crate::limit::order::{Fixed, Order, Outcome, ReplicaId, Reply, Session};
    use crate::limit::seller::Primary;

    const SECOND: u64 = 1_000_000;

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

    fn key() -> CounterKey {
        KeySpace::new(Kind::Rate, &[]).key("a")
    }

    impl Scene {
        fn new(shape: Shape, limit: u64, over: u64) -> Self {
            let session = Session { replica: ReplicaId(1), incarnation: 1, desk: 0 };
            let rule = Rule::new(limit, shape).unwrap();
            let rule = Arc::new(rule.certainty(Certainty::Fast { over }));
            let now = 100 * SECOND + 1_000;
            let mut clock = Reference::default();
            assert!(clock.observe(at(now - 10), at(now), now - 5));
            let standing = Standing {
                touch: Touch::In,
                clock,
                seat: Some(Seat { index: 0, of: 1 }),
                members: 1,
                buys_until: at(u64::MAX),
                ..Standing::default()
            };
            let mut engine = Engine::new(session, 100, 7);
            engine.stand(at(now), Arc::new(standing));
            Self { engine, primary: Primary::default(), rule, now }
        }

        /// One request; whether it was admitted. Nobody is `answered` if nobody is to be.
        fn ask(&mut self, is_answered: bool) -> bool {
            let rule = Arc::clone(&self.rule);
            let claim = Claim { key: key(), rule: &rule, need: 1, cost: 1 };
            let mut decision = self.engine.admit(at(self.now), &claim);
            while let Some(effect) = self.engine.next_effect() {
                match effect {
                    Effect::Send(errand) if is_answered => {
                        let reply = self.primary.carry_out(self.now, &errand.order);
                        self.engine.outcome(at(self.now), errand.ticket, Outcome::Answered(reply));
                    }
                    Effect::Answer { decision: answer, .. } => decision = answer,
                    Effect::Send(_)
                    | Effect::Journal(_)
                    | Effect::Healed { .. }
                    | Effect::Unhealed { .. } => {}
                }
            }
            if matches!(decision, Decision::Refused(_)) {
                self.engine.note_refusal(at(self.now), &claim);
            }
            matches!(decision, Decision::Admitted(_))
        }

        fn asks(&mut self, count: usize) -> usize {
            (0..count).filter(|_| self.ask(true)).count()
        }

        fn sight(&self) -> Sight {
            let mut sights = Vec::new();
            assert_eq!(
                self.engine.look(at(self.now), (0, 1_000), |sight| sights.push(sight)),
                None
            );
            assert_eq!(sights.len(), 1);
            sights.remove(0)
        }
    }

    fn shapes() -> [Shape; 3] {
        let (period, origin) = (Duration::from_secs(10), Duration::ZERO);
        [
            Shape::Fixed { period, origin },
            Shape::Sliding { period },
            Shape::Quota { period, origin },
        ]
    }

    #[test]
    fn a_counter_is_seen_with_what_was_spent_and_refused_in_its_period() {
        for shape in shapes() {
            let mut scene = Scene::new(shape, 5, 0);
            assert_eq!(scene.asks(2), 2);
            let sight = scene.sight();
            assert_eq!((sight.used, sight.refused, sight.denied_for), (2, 0, None), "{shape:?}");
            assert_eq!(sight.rule.map(|rule| rule.limit()), Some(5));
            assert_eq!(scene.asks(6), 3);
            let sight = scene.sight();
            assert_eq!((sight.used, sight.in_hand, sight.refused), (5, 0, 3), "{shape:?}");
            assert!(sight.denied_for.is_some() && sight.ends_in.is_some(), "{shape:?}");
            scene.now += 21 * SECOND;
            let sight = scene.sight();
            assert_eq!((sight.used, sight.refused, sight.window), (0, 0, None), "{shape:?}");
        }
    }

    #[test]
    fn a_look_goes_on_where_it_stopped() {
        let [fixed, ..] = shapes();
        let mut scene = Scene::new(fixed, 5, 0);
        for number in 0..10 {
            let rule = Arc::clone(&scene.rule);
            let key = KeySpace::new(Kind::Rate, &[]).key(&format!("{number}"));
            scene.engine.admit(at(scene.now), &Claim { key, rule: &rule, need: 1, cost: 1 });
        }
        let (mut from, mut seen, mut looks) = (Some(0), 0, 0);
        while let Some(place) = from {
            from = scene.engine.look(at(scene.now), (place, 4), |_| seen += 1);
            looks += 1;
        }
        assert_eq!((seen, looks), (10, 3));
    }

    #[test]
    fn what_was_handed_back_for_an_operator_is_sold_again_and_is_no_loss() {
        let [fixed, ..] = shapes();
        let mut scene = Scene::new(fixed, 5, 0);
        assert_eq!(scene.asks(8), 5);
        let (meter, rule) = (scene.sight().meter, Arc::clone(&scene.rule));
        let (_, span, _) = rule.window_at(scene.now).unwrap();
        let mut order = |back| {
            let order = Order::Fixed(Fixed { meter, span, want: 0, back });
            let reply = scene.primary.carry_out(scene.now, &order);
            let Reply::Fixed(sold, _epoch) = reply else { panic!("{reply:?}") };
            sold
        };
        // One more was asked for than there is, and will be handed back.
        assert_eq!(order(0).sold, 6);
        let after = order(5);
        let returns = u16::try_from(after.returns).unwrap();
        let sold = u64::try_from(after.sold).unwrap();
        scene.engine.was_reset(at(scene.now), key(), &rule, AfterReset { sold, returns });
        assert_eq!(scene.sight().refused, 0);
        assert_eq!(scene.asks(8), 5);
        assert_eq!(scene.engine.facts().rollbacks, 0);
    }

    #[test]
    fn what_is_owed_when_a_window_ends_is_observed_and_what_is_paid_before_is_not() {
        let [fixed, ..] = shapes();
        for (is_paid, unsold) in [(true, 0), (false, 2)] {
            let mut scene = Scene::new(fixed, 100, 4);
            // Nothing is answered: what is admitted is owed.
            assert!(scene.ask(false) && scene.ask(false));
            assert_eq!(scene.sight().in_hand, -2);
            if is_paid {
                let rule = Arc::clone(&scene.rule);
                let claim = Claim { key: key(), rule: &rule, need: 1, cost: 1 };
                scene.engine.settle(
                    at(scene.now),
                    &claim,
                    Receipt { window: 10, cost: 2, source: Source::Allotment, remaining: 0 },
                    0,
                );
            }
            // The middle of the next window: the clock is sure of it.
            scene.now += 15 * SECOND;
            scene.ask(false);
            let facts = scene.engine.facts();
            assert_eq!((facts.unsold, facts.unsold_max), (unsold, unsold * 10_000));
        }
    }
}
