//! What a counter shows, and giving back what was taken without a receipt.

use crate::limit::engine::reference::Moment;
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::{Claim, Engine, Receipt, Source};
use crate::time::Timestamp;

impl Engine {
    /// How much of the counter of `claim` is used, as far as this desk knows: what it has seen
    /// sold without what it still holds, and what it admitted on its own. No token that it spent
    /// had a higher place among those sold than this.
    pub fn used(&self, now: Timestamp, claim: &Claim<'_>) -> u64 {
        self.standing.clock.at(now).map_or(0, |moment| {
            let place = self.known(claim);
            let slot = place.and_then(|place| self.slots.get(place));
            slot.map_or(0, |slot| used(slot, claim, moment))
        })
    }

    /// Gives back `back` tokens of what `claim` took at `at`, as far as its window lasts and this
    /// desk spent as much in it; so nothing is made of what was never taken.
    pub fn give_back(&mut self, now: Timestamp, claim: &Claim<'_>, at: Timestamp, back: u64) {
        let Some(moment) = self.standing.clock.at(at) else { return };
        let Some(place) = self.known(claim) else { return };
        let grid = claim.rule.grid();
        // Where the clock was not sure of the window, it waited for the later one.
        let number = grid.number(moment.late);
        let Some(slot) = self.slots.get(place) else { return };
        if grid.is_bucket() || slot.window != number {
            return;
        }
        let in_share = slot.extra().map_or(0, |extra| extra.used.of(number));
        let bought = u64::try_from(i128::from(slot.own).saturating_sub(slot.balance.into()));
        let of_share = back.min(in_share);
        let of_bought = back.saturating_sub(of_share).min(bought.unwrap_or(0));
        let taken = [(Source::Share, of_share), (Source::Allotment, of_bought)];
        for (source, cost) in taken.into_iter().filter(|(_, cost)| *cost > 0) {
            let (window, remaining) = (number, 0);
            let receipt = Receipt { window, cost, source, remaining };
            self.settle(now, claim, receipt, 0);
        }
    }

    /// The slot of a claim, if there is one.
    fn known(&self, claim: &Claim<'_>) -> Option<u32> {
        let grid = claim.rule.grid();
        let key = SlotKey { key: claim.key, period: grid.period, form: grid.form };
        let hash = self.slots.hash().of(key.key.to_bytes(), key.period ^ key.form);
        self.slots.find(&key, hash)
    }
}

fn used(slot: &Slot, claim: &Claim<'_>, moment: Moment) -> u64 {
    let grid = claim.rule.grid();
    let number = grid.number(moment.early);
    let alone = slot.used(grid, number);
    if grid.is_bucket() || slot.window != number {
        return alone;
    }
    // What was asked for beyond the bound stands in a counter until it is handed back.
    let sold = slot.sold.saturating_sub(u64::from(slot.excess));
    let spent = i128::from(sold).saturating_sub(i128::from(slot.balance)).max(0);
    u64::try_from(spent).unwrap_or(u64::MAX).saturating_add(alone)
}
