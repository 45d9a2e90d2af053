//! What is held and not needed goes back; slots that nobody asks for make room.

use std::time::Duration;

use crate::limit::engine::Engine;
use crate::limit::engine::buy::RETURNS_MAX;
use crate::limit::engine::errands::What;
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::engine::sizing;
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::standing::Touch;
use crate::limit::order::{Change, Fixed, Mark, Order, Ring};
use crate::time::Timestamp;

/// How often some of the slots are looked through, and what part of them: all in a round, and a
/// round takes at least two seconds. What is not used in a round is idle.
const KEEP: Duration = Duration::from_millis(20);
const KEEP_ROUND: Duration = Duration::from_secs(2);
const KEEP_ONE_IN: usize = 100;
const KEEP_MIN: usize = 16;

/// Where windows are shorter than this, in microseconds, an idle balance just dies with its own.
const BACK_FROM_MICROS: u64 = 10_000_000;

/// How often it is looked whether more is in hand than is needed, in microseconds.
const SURPLUS_LOOK_MICROS: u64 = 250_000;

/// How many slots are looked at to find one that can make room.
const ROOM_TRIES: u32 = 32;

impl Engine {
    /// Hands in all tokens, for a replica that leaves.
    pub fn hand_in(&mut self, now: Timestamp) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        for place in 0..self.slots.end() {
            let Ok(place) = u32::try_from(place) else { return };
            self.hand_back(place, moment);
        }
    }

    /// Looks through some of the slots.
    pub(super) fn keep(&mut self, now: Timestamp) {
        if now.since(self.swept) < KEEP {
            return;
        }
        self.swept = now;
        let Some(moment) = self.standing.clock.at(now) else { return };
        for _ in 0..(self.slots.end() / KEEP_ONE_IN).max(KEEP_MIN).min(self.slots.end()) {
            if self.hand == 0 {
                if now.since(self.round_began) < KEEP_ROUND {
                    return;
                }
                self.round_began = now;
            }
            let place = self.next_place();
            self.keep_one(place, moment);
        }
    }

    /// Gives up a slot for another one.
    pub(super) fn make_room(&mut self, now: Timestamp) -> bool {
        let moment = self.standing.clock.at(now);
        for _ in 0..ROOM_TRIES {
            let place = self.next_place();
            let Some(slot) = self.slots.get(place) else { continue };
            let unsaid =
                slot.extra().is_some_and(|extra| !extra.used.is_empty() || extra.bucket.is_some());
            if is_busy(slot) || unsaid || slot.balance < 0 {
                continue;
            }
            let is_quota = Grid::of_form(slot.key.form, slot.key.period).is_quota();
            let has_tokens = slot.balance > 0;
            if let Some(moment) = moment {
                self.hand_back(place, moment);
            }
            // A ledger is told of it in the next report; until then the slot is needed.
            if is_quota && has_tokens {
                continue;
            }
            self.give_up(place);
            return true;
        }
        false
    }

    fn next_place(&mut self) -> u32 {
        let place = self.hand;
        let next = place.saturating_add(1);
        let end = u32::try_from(self.slots.end()).unwrap_or(u32::MAX);
        self.hand = if next < end { next } else { 0 };
        place
    }

    fn keep_one(&mut self, place: u32, moment: Moment) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        let was_used = std::mem::take(&mut slot.flags.used);
        let unsaid = slot.extra().is_some_and(|extra| !extra.used.is_empty());
        if was_used || is_busy(slot) || unsaid && grid.is_quota() {
            return;
        }
        let number = grid.number(moment.early);
        let is_over = if grid.is_bucket() {
            let charged = slot.extra().is_none_or(|extra| extra.bucket.is_none());
            slot.window <= moment.local.micros() && charged
        } else {
            slot.window.saturating_add(grid.reach()).saturating_add(1) < number
        };
        let rule = slot.rule.as_ref();
        let is_stocked = rule.is_some_and(|rule| rule.supplies_for().is_some());
        if is_over {
            self.give_up(place);
        } else if grid.is_ring() || grid.period >= BACK_FROM_MICROS || is_stocked {
            self.hand_back(place, moment);
        }
    }

    fn give_up(&mut self, place: u32) {
        let hash = self.slots.hash();
        let hash_of = |key: &SlotKey| hash.of(key.key.to_bytes(), key.period ^ key.form);
        let Some(slot) = self.slots.remove(place, hash_of) else { return };
        let died = u64::try_from(slot.balance).unwrap_or(0).saturating_add(slot.ahead().tokens);
        let owed = slot.balance.min(0).unsigned_abs();
        self.facts.expired = self.facts.expired.saturating_add(died);
        self.facts.forgiven = self.facts.forgiven.saturating_add(owed);
        self.facts.evicted = self.facts.evicted.saturating_add(1);
    }

    /// Hands back what is much more in hand than will be asked for here, `left` microseconds before
    /// the window ends, so that those have it to whom the load has gone.
    pub(super) fn return_surplus(
        &mut self,
        place: u32,
        moment: Moment,
        rule: &Rule,
        (supplies, left): (u64, u64),
    ) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.look_at = slot.look_at.min(moment.early.saturating_add(SURPLUS_LOOK_MICROS));
        let is_known = u64::from(slot.returns) < RETURNS_MAX && !slot.flags.asking;
        let in_hand = u64::try_from(slot.balance).unwrap_or(0);
        let back = sizing::surplus(rule, supplies, left, in_hand);
        if back == 0 || !is_known || !self.may_buy(moment.local) {
            return;
        }
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.balance = slot.balance.saturating_sub_unsigned(back);
        slot.own = slot.own.saturating_sub(back);
        self.facts.returned = self.facts.returned.saturating_add(back);
        let (meter, span) = (rule.grid().meter(slot.key.key), rule.grid().span(slot.window));
        self.send(moment.local, What::Back, Order::Fixed(Fixed { meter, span, want: 0, back }));
    }

    /// Hands back what a slot holds; it is nobody's from then on, whether that arrives or not.
    fn hand_back(&mut self, place: u32, moment: Moment) {
        if self.standing.touch != Touch::In {
            return;
        }
        let Some(slot) = self.slots.get_mut(place) else { return };
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        if grid.is_quota() {
            self.hand_back_to_ledger(place, moment);
            return;
        }
        if grid.is_bucket() || slot.flags.asking || slot.flags.asking_ahead {
            return;
        }
        let meter = grid.meter(slot.key.key);
        let in_hand = u64::try_from(slot.balance).unwrap_or(0);
        let (window, ahead) = (slot.window, slot.ahead().tokens);
        if in_hand > 0 {
            slot.balance = 0;
        }
        if let Some(extra) = slot.extra_if() {
            extra.ahead.tokens = 0;
        }
        self.facts.returned = self.facts.returned.saturating_add(in_hand).saturating_add(ahead);
        let windows = [(window, in_hand), (window.saturating_add(1), ahead)];
        if grid.is_ring() {
            let dead: Vec<_> = slot.take_stranded().collect();
            let died = dead.iter().map(|(_, dead)| *dead).fold(0, u64::saturating_add);
            self.facts.returned = self.facts.returned.saturating_add(died);
            self.facts.expired = self.facts.expired.saturating_sub(died);
            let back = dead.into_iter().chain(windows).filter(|(_, back)| *back > 0);
            let marks: Vec<_> =
                back.map(|(at, back)| Mark { at, change: Change::Back(back) }).collect();
            if marks.is_empty() {
                return;
            }
            let (parts, at) = (grid.parts, grid.number(moment.early));
            let order = Order::Ring(Ring { meter, parts, at, want: 0, bound: 0, marks });
            self.send(moment.local, What::Back, order);
            return;
        }
        for (window, back) in windows {
            if back > 0 && moment.early < grid.ends(window) {
                let order = Order::Fixed(Fixed { meter, span: grid.span(window), want: 0, back });
                self.send(moment.local, What::Back, order);
            }
        }
    }
}

/// Whether something is under way for a slot.
const fn is_busy(slot: &Slot) -> bool {
    slot.flags.asking
        || slot.flags.asking_ahead
        || slot.flags.awaited
        || slot.flags.lent
        || slot.flags.queued
        || slot.flags.unwritten
}
