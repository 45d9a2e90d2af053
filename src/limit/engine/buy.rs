//! What is bought, when, and what comes of it.

use std::sync::Arc;

use crate::limit::engine::Engine;
use crate::limit::engine::errands::{Buy, What};
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::Rule;
use crate::limit::engine::sizing::{self, Supply};
use crate::limit::engine::slot::{Ahead, Slot};
use crate::limit::engine::standing::Touch;
use crate::limit::order::{
    Change, Fixed, FixedSold, Floor, Mark, Order, Raise, Reply, Ring, RingSold,
};
use crate::time::Timestamp;

/// How many returns a window may have seen before nothing more is handed back: far enough below
/// what can be told apart that all replicas may be on their way with one.
pub(super) const RETURNS_MAX: u64 = 1_024;

/// The least time for which nothing more is asked for after a refusal, in microseconds.
const DENY_MICROS: u64 = 1_000_000;

/// Of a ring the next sub-window is bought in only while this replica's part of what is left is as
/// much as this.
const RING_AHEAD_MIN: u64 = 16;

/// How often the time to look after supplies is looked at again, in microseconds.
const LOOK_MICROS: u64 = 1_000;

/// What was sold, of whatever kind.
struct Sold {
    granted: u64,
    total: u64,
    here: u64,
    returns: u16,
    /// When there may be more, by the primary's clock.
    retry_at: u64,
}

impl Engine {
    /// Buys if supplies run low, and in the next window if that is near.
    pub(super) fn look_after(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>) {
        let grid = rule.grid();
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.under(rule);
        let number = grid.number(moment.early);
        if slot.window != number && !grid.is_bucket() {
            return;
        }
        let span = sizing::span_of_demand(rule);
        let left =
            if grid.is_bucket() { span } else { grid.ends(number).saturating_sub(moment.late) };
        let demand = slot.demand(moment.local.micros(), span);
        let low = sizing::tokens(demand, self.errands.trip().saturating_mul(2)).saturating_add(1);
        let supplies = sizing::supplies(rule, demand, left);
        let low = i64::try_from(low.max(supplies)).unwrap_or(i64::MAX);
        let for_sale = self.standing.for_sale(rule, number, moment.early, slot.sold);
        let denied = slot.is_denied(moment.early, for_sale);
        let lasts = u128::from(demand).saturating_mul(u128::from(left)) >= 500_000_000;
        let wants = slot.balance < 0 || lasts && !sizing::is_scarce(slot, for_sale);
        // What is kept in hand gets less as the window ends: it is not looked at for each token.
        slot.refill_below = if supplies == 0 { low } else { low.saturating_sub(low / 16) };
        let is_under_way = slot.flags.asking || slot.flags.queued;
        if slot.balance < low && !(wants && !denied && !is_under_way) {
            // Not now; looked at again when half of what is there is gone.
            slot.refill_below = if slot.balance < 0 { i64::MIN } else { slot.balance / 2 };
        } else if slot.balance < low {
            let owed = slot.balance.min(0).unsigned_abs();
            self.ask(place, moment, rule, owed);
        }
        if !grid.is_bucket() && !grid.is_quota() {
            self.look_ahead(place, moment, rule, demand);
        }
        if rule.supplies_for().is_some() {
            self.return_surplus(place, moment, rule, (supplies, left));
        }
    }

    fn look_ahead(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>, demand: u64) {
        let grid = rule.grid();
        let ahead = sizing::ahead(rule, demand);
        let number = grid.number(moment.early);
        let next = number.saturating_add(1);
        let for_sale = self.standing.for_sale(rule, next, moment.early, 0);
        let Some(slot) = self.slots.get_mut(place) else { return };
        let ends = grid.ends(number);
        let begins = ends.saturating_sub(ahead);
        if moment.early < begins {
            slot.look_at = begins;
            return;
        }
        if slot.ahead().is_known || slot.flags.asking_ahead {
            slot.look_at = u64::MAX;
            return;
        }
        slot.look_at = moment.early.saturating_add(LOOK_MICROS);
        let soon = u128::from(demand).saturating_mul(u128::from(sizing::horizon(rule)));
        // Sub-windows share what is left of their period: of a last few nothing is hoarded for one
        // that is yet to begin.
        let (rest, least) = if grid.is_ring() {
            (for_sale.saturating_sub(slot.sold), RING_AHEAD_MIN)
        } else {
            (for_sale, 2)
        };
        let enough = sizing::part(rest, slot.fraction) >= least && soon >= 1_000_000_000;
        if !enough || !self.may_buy(moment.local) {
            return;
        }
        let Some(slot) = self.slots.get_mut(place) else { return };
        let supply = Supply { for_sale: rest, demand, left: grid.length };
        let want = sizing::want_ahead(slot, rule, supply);
        slot.flags.asking_ahead = true;
        let (window, bound, rule) = (next, for_sale, Arc::clone(rule));
        let buy = Buy { place, window, want, back: 0, bound, seen: (0, 0), is_ahead: true, rule };
        self.order(moment.local, buy, Vec::new());
    }

    /// Orders for those who wait.
    pub(super) fn ask_for_waiters(&mut self, place: u32, now: Timestamp, rule: &Arc<Rule>) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        let number = rule.grid().number(moment.early);
        if rule.grid().ends(number) <= moment.late && !rule.grid().is_bucket() {
            return;
        }
        let need = self.waiting.need(place);
        let Some(slot) = self.slots.get(place) else { return };
        let in_hand = u64::try_from(slot.balance).unwrap_or(0);
        let owed = slot.balance.min(0).unsigned_abs();
        let need = need.saturating_add(owed).saturating_sub(in_hand);
        self.ask(place, moment, rule, need);
    }

    /// Whether anything may be bought.
    pub(super) fn may_buy(&self, now: Timestamp) -> bool {
        self.standing.touch == Touch::In
            && now <= self.standing.buys_until
            && self.heal.is_none()
            && !self.strange
    }

    /// Orders for the current window, unless that is under way.
    pub(super) fn ask(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>, need: u64) {
        let now = moment.local;
        let grid = rule.grid();
        if !self.may_buy(now) {
            return;
        }
        if grid.is_bucket() {
            self.ask_bucket(place, moment, rule, need);
            return;
        }
        if grid.is_quota() {
            self.ask_ledger(place, moment, rule, need);
            return;
        }
        let number = grid.number(moment.early);
        let for_sale = self.standing.for_sale(rule, number, moment.early, 0);
        let Some(slot) = self.slots.get_mut(place) else { return };
        if slot.flags.asking || slot.window != number {
            return;
        }
        if for_sale == 0 {
            let denied = slot.denied_mut();
            denied.bound = 0;
            denied.until = grid.ends(number).min(moment.early.saturating_add(DENY_MICROS));
            denied.retry_at = grid.ends(number);
            self.serve_later(place, now);
            return;
        }
        let demand = slot.demand(now.micros(), sizing::span_of_demand(rule));
        let left = grid.ends(number).saturating_sub(moment.late);
        let want = sizing::want(slot, rule, Supply { for_sale, demand, left }, need);
        let want = want.min(rule.limit().max(need));
        let back = if u64::from(slot.returns) < RETURNS_MAX && !grid.is_ring() {
            u64::from(std::mem::take(&mut slot.excess))
        } else {
            0
        };
        let marks = marks_of_dead(slot);
        let died = marks.iter().map(|mark| amount(mark.change)).fold(0, u64::saturating_add);
        self.facts.returned = self.facts.returned.saturating_add(died);
        self.facts.expired = self.facts.expired.saturating_sub(died);
        slot.flags.asking = true;
        let seen = (slot.sold, slot.returns);
        let rule = Arc::clone(rule);
        let (window, bound, is_ahead) = (number, for_sale, false);
        let buy = Buy { place, window, want, back, bound, seen, is_ahead, rule };
        self.order(now, buy, marks);
    }

    fn order(&mut self, now: Timestamp, buy: Buy, marks: Vec<Mark>) {
        let grid = *buy.rule.grid();
        let Some(key) = self.slots.get(buy.place).map(|slot| slot.key.key) else { return };
        let meter = grid.meter(key);
        let Buy { place, window, want, back, bound, is_ahead, .. } = buy;
        let order = if grid.is_ring() {
            Order::Ring(Ring { meter, parts: grid.parts, at: window, want, bound, marks })
        } else {
            Order::Fixed(Fixed { meter, span: grid.span(window), want, back })
        };
        if !self.send(now, What::Buy(buy), order)
            && let Some(slot) = self.slots.get_mut(place)
        {
            if is_ahead {
                slot.flags.asking_ahead = false;
            } else {
                slot.flags.asking = false;
            }
        }
    }

    /// What was sold, or nothing if there was no answer that counts.
    pub(super) fn bought(
        &mut self,
        now: Timestamp,
        sent: Timestamp,
        buy: &Buy,
        reply: Option<&Reply>,
    ) {
        let Some(slot) = self.slots.get_mut(buy.place) else { return };
        if buy.is_ahead {
            slot.flags.asking_ahead = false;
        } else {
            slot.flags.asking = false;
        }
        let grid = buy.rule.grid();
        let sold = match reply {
            Some(Reply::Fixed(sold, _)) => self.bought_fixed(now, buy, *sold),
            Some(Reply::Ring(sold, _)) => Some(bought_ring(buy, *sold)),
            Some(Reply::Bucket(sold, _)) => {
                self.bought_bucket(now, sent, buy, *sold);
                None
            }
            _ => None,
        };
        let (Some(sold), Some(moment)) = (sold, self.standing.clock.at(now)) else { return };
        let number = grid.number(moment.early);
        if moment.late < grid.ends(number) {
            self.turn(buy.place, moment, grid, number);
        }
        let Some(slot) = self.slots.get_mut(buy.place) else { return };
        let tokens = i64::try_from(sold.granted).unwrap_or(0);
        if slot.window == buy.window {
            self.facts.bought = self.facts.bought.saturating_add(sold.granted);
            slot.balance = slot.balance.saturating_add(tokens);
            slot.own = slot.own.saturating_add(sold.granted);
            // What was ordered ahead may be answered after what was ordered later.
            let is_overtaken =
                !grid.is_ring() && (sold.returns, sold.total) < (slot.returns, slot.sold);
            let top = sold.total.min(buy.bound);
            if sold.granted > 0 {
                slot.top = if is_overtaken { slot.top.max(top) } else { top };
            }
            if !is_overtaken {
                slot.sold = sold.total;
                slot.returns = sold.returns;
            }
            slot.here = slot.here.max(sold.here);
            if !grid.is_ring() {
                slot.fraction = sizing::fraction(slot.own, slot.sold, self.standing.members);
            }
            let missed = buy.want.saturating_sub(sold.granted);
            if missed > 0 {
                let denied = slot.denied_mut();
                denied.bound = buy.bound;
                let least = DENY_MICROS.max(grid.period / 10);
                denied.until = grid.ends(buy.window).min(moment.early.saturating_add(least));
                denied.retry_at = sold.retry_at;
                if !grid.is_ring() {
                    let missed = u32::try_from(missed).unwrap_or(u32::MAX);
                    slot.excess = slot.excess.saturating_add(missed);
                }
            }
            slot.refill_below = i64::MAX;
        } else if slot.window.saturating_add(1) == buy.window && buy.is_ahead {
            self.facts.bought = self.facts.bought.saturating_add(sold.granted);
            let Sold { granted: tokens, total, returns, here, .. } = sold;
            slot.extra_mut().ahead = Ahead { tokens, sold: total, returns, is_known: true };
            if grid.is_ring() {
                slot.seen_mut().raise(buy.window, here);
            }
        } else if grid.is_ring() && buy.window < slot.window {
            // Its sub-window ended while it was on its way: it goes back with the next order.
            self.facts.bought = self.facts.bought.saturating_add(sold.granted);
            self.facts.expired = self.facts.expired.saturating_add(sold.granted);
            if slot.window.saturating_sub(buy.window) <= grid.reach() {
                slot.strand(buy.window, sold.granted);
            }
        }
    }

    /// What lies under the bound of what a fixed window has sold; none if it has lost data.
    fn bought_fixed(&mut self, now: Timestamp, buy: &Buy, reply: FixedSold) -> Option<Sold> {
        let slot = self.slots.get_mut(buy.place)?;
        let returns = u16::try_from(reply.returns).unwrap_or(u16::MAX);
        let prior = i128::from(reply.sold).saturating_sub(i128::from(buy.want));
        let (seen, count) = buy.seen;
        let least = i128::from(seen).saturating_sub(i128::from(buy.back));
        let expected = count.saturating_add(u16::from(buy.back > 0));
        if returns < expected || returns == expected && prior < least || prior < 0 {
            self.facts.rollbacks = self.facts.rollbacks.saturating_add(1);
            slot.flags.asking = true;
            if slot.window == buy.window {
                // Returns that were lost do not come again: what is sold is lifted, and it goes on.
                slot.returns = returns;
            }
            let span = buy.rule.grid().span(buy.window);
            let sold = if slot.window == buy.window { slot.sold } else { 0 };
            let floor = Floor { meter: buy.rule.grid().meter(slot.key.key), span, sold };
            let order = Order::Raise(Raise { floors: vec![floor] });
            if !self.send(now, What::Lift { place: buy.place }, order)
                && let Some(slot) = self.slots.get_mut(buy.place)
            {
                slot.flags.asking = false;
            }
            return None;
        }
        let room = i128::from(buy.bound).saturating_sub(prior).max(0);
        let granted = u64::try_from(room).unwrap_or(u64::MAX).min(buy.want);
        let total = u64::try_from(reply.sold).unwrap_or(0);
        let retry_at = buy.rule.grid().ends(buy.window);
        let here = self.standing.clock.at(now).map_or(0, |moment| moment.early);
        Some(Sold { granted, total, here, returns, retry_at })
    }

    /// Has those who wait at `place` decided again at the next tick.
    fn serve_later(&mut self, place: u32, now: Timestamp) {
        self.waiting.alarm(now, place);
    }
}

fn bought_ring(buy: &Buy, reply: RingSold) -> Sold {
    let RingSold { granted, used, here, wait } = reply;
    let retry_at = buy.rule.grid().starts(buy.window.saturating_add(wait.max(1)));
    Sold { granted: granted.min(buy.want), total: used, here, returns: 0, retry_at }
}

/// What a ring is told of tokens that died: at most as many marks as sub-windows are remembered.
fn marks_of_dead(slot: &mut Slot) -> Vec<Mark> {
    let dead = slot.take_stranded();
    dead.map(|(at, dead)| Mark { at, change: Change::Back(dead) }).collect()
}

const fn amount(change: Change) -> u64 {
    let (Change::Back(amount) | Change::Charge(amount) | Change::Floor(amount)) = change;
    amount
}
