//! Counting that depends on the response: what was taken is a hold, and is settled when it is
//! known what the request cost.

use std::time::Duration;

use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Claim, Engine, Receipt, Source};
use crate::time::Timestamp;

impl Engine {
    /// Settles what `claim` took: `actual` is what it cost after all. Zero gives everything back,
    /// as for a request that another limit refused; more than was taken is owed.
    ///
    /// What is given back can be taken again while its window lasts.
    pub fn settle(&mut self, now: Timestamp, claim: &Claim<'_>, receipt: Receipt, actual: u64) {
        let back = receipt.cost.saturating_sub(actual);
        if back > 0 {
            self.refund(now, claim, receipt, back);
        }
        let more = actual.saturating_sub(receipt.cost);
        if more > 0 {
            self.add(now, claim, more);
        }
    }

    /// Takes `cost` after the fact: it is never refused, and is owed if nothing is in hand.
    pub fn add(&mut self, now: Timestamp, claim: &Claim<'_>, cost: u64) {
        let Some(moment) = self.standing.clock.at(now) else {
            self.facts.open = self.facts.open.saturating_add(cost);
            return;
        };
        let Some(place) = self.place(now, claim) else { return };
        let grid = claim.rule.grid();
        // Where the clock is not sure, the window that ends is the one in which it was used.
        let number = grid.number(moment.early);
        self.turn(place, moment, grid, number);
        let touch = self.standing.touch;
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.count(cost);
        let in_hand = u64::try_from(slot.balance).unwrap_or(0);
        if touch == Touch::Out && in_hand < cost && !grid.is_bucket() {
            slot.use_share(grid, number, cost);
            if grid.is_quota() {
                self.note_use(place, now);
            }
            self.facts.shared = self.facts.shared.saturating_add(cost);
            return;
        }
        slot.balance = slot.balance.saturating_sub_unsigned(cost);
        self.facts.spent = self.facts.spent.saturating_add(cost);
        self.facts.debt_max = self.facts.debt_max.max(slot.balance.min(0).unsigned_abs());
        if touch == Touch::In {
            self.look_after(place, moment, claim.rule);
        }
    }

    fn refund(&mut self, now: Timestamp, claim: &Claim<'_>, receipt: Receipt, back: u64) {
        let Some(place) = self.place(now, claim) else { return };
        let grid = claim.rule.grid();
        let Some(slot) = self.slots.get_mut(place) else { return };
        self.facts.refunded = self.facts.refunded.saturating_add(back);
        match receipt.source {
            Source::Open => {}
            Source::Share => {
                // What is reported already, or owed, stays charged.
                let extra = slot.extra_mut();
                let back = extra.used.of(receipt.window).min(back);
                extra.used.take(receipt.window, back);
                self.facts.shared = self.facts.shared.saturating_sub(back);
            }
            Source::Allotment if slot.window == receipt.window => {
                slot.balance = slot.balance.saturating_add_unsigned(back);
                self.unspend(back);
                self.serve(place, now);
            }
            Source::Allotment => {
                self.facts.expired = self.facts.expired.saturating_add(back);
                let near = grid.is_ring()
                    && receipt.window < slot.window
                    && slot.window.saturating_sub(receipt.window) <= grid.reach();
                if near {
                    slot.strand(receipt.window, back);
                }
                self.unspend(back);
            }
        }
    }

    /// `back` tokens were not spent after all. Who gives back what was taken from a till may come
    /// before it is known that it was taken.
    fn unspend(&mut self, back: u64) {
        let known = back.min(self.facts.spent);
        self.facts.spent = self.facts.spent.saturating_sub(known);
        let unknown = back.saturating_sub(known);
        self.lent_and_back = self.lent_and_back.saturating_add(unknown);
    }

    /// What is in hand, in tokens: all balances, debts taken off, and what is lent.
    pub fn held(&self) -> i128 {
        let places = (0..self.slots.end()).filter_map(|place| u32::try_from(place).ok());
        let slots = places.filter_map(|place| self.slots.get(place));
        let balances = slots
            .map(|slot| i128::from(slot.balance).saturating_add(i128::from(slot.ahead().tokens)));
        let lent = i128::from(self.lent).saturating_sub(i128::from(self.lent_and_back));
        balances.fold(lent, i128::saturating_add)
    }

    /// How long the slowest of the last orders took, about.
    pub const fn trip(&self) -> Duration {
        Duration::from_micros(self.errands.trip())
    }
}
