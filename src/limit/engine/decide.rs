//! Whether a claim is admitted, where that is not plain from the tokens in hand.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::NEVER;
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Loss};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::engine::{Claim, Decision, Engine, Receipt, Refusal, Source};
use crate::time::Timestamp;

/// What is known now about a claim.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// The answer.
    Is(Decision),
    /// Not yet; something may be known at this time (by our clock), or when an order is answered.
    Wait(Option<Timestamp>),
}

impl Engine {
    /// Decides, from what is known now.
    pub(super) fn decide(&mut self, place: u32, now: Timestamp, claim: &Claim<'_>) -> Verdict {
        let standing = Arc::clone(&self.standing);
        let Some(moment) = standing.clock.at(now) else {
            return self.decide_in_the_dark(claim);
        };
        let grid = claim.rule.grid();
        let number = grid.number(moment.early);
        if grid.ends(number) <= moment.late && !grid.is_bucket() {
            // Nobody knows which window this is; soon it is the next one for sure.
            let gap = grid.ends(number).saturating_sub(moment.early);
            return Verdict::Wait(Some(now + Duration::from_micros(gap.saturating_add(1))));
        }
        self.turn(place, moment, grid, number);
        match standing.touch {
            Touch::In => self.decide_in_touch(place, moment, claim, &standing),
            Touch::Out => self.decide_alone(place, moment, claim, &standing),
            Touch::Healing => {
                if let Some(receipt) = self.spend(place, moment, claim, 0) {
                    return Verdict::admitted(receipt);
                }
                self.decide_in_healing(place, moment, claim, &standing)
            }
        }
    }

    /// Turns the slot to window `number`, or drops the tokens of a bucket that are too old.
    pub(super) fn turn(&mut self, place: u32, moment: Moment, grid: &Grid, number: u64) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        if grid.is_bucket() {
            let over = slot.window <= moment.local.micros();
            if over && slot.balance > 0 {
                let dead = slot.balance.unsigned_abs();
                self.facts.expired = self.facts.expired.saturating_add(dead);
                slot.balance = 0;
            }
        } else if slot.window != number {
            self.facts.ends(slot);
            let (died, forgiven) = slot.roll(grid, number);
            self.facts.expired = self.facts.expired.saturating_add(died);
            self.facts.forgiven = self.facts.forgiven.saturating_add(forgiven);
        }
    }

    /// Nothing was ever heard of the lane.
    fn decide_in_the_dark(&mut self, claim: &Claim<'_>) -> Verdict {
        match claim.rule.loss() {
            Loss::Closed => Verdict::Is(self.cannot_judge()),
            Loss::LocalShare => Verdict::Wait(None),
            Loss::Open => {
                self.facts.open = self.facts.open.saturating_add(claim.cost);
                let source = Source::Open;
                let (window, cost, remaining) = (0, claim.cost, claim.rule.limit());
                let receipt = Receipt { window, cost, source, remaining };
                Verdict::admitted(receipt)
            }
        }
    }

    fn decide_in_touch(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Verdict {
        if let Some(receipt) = self.spend(place, moment, claim, 0) {
            self.look_after(place, moment, claim.rule);
            return Verdict::admitted(receipt);
        }
        let rule = claim.rule;
        let grid = rule.grid();
        let number = grid.number(moment.early);
        let Some(slot) = self.slots.get_mut(place) else { return Verdict::Wait(None) };
        let for_sale = standing.for_sale(rule, number, moment.early, slot.sold);
        let is_denied = slot.is_denied(moment.early, for_sale);
        if rule.limit() < claim.need.max(claim.cost) {
            return Verdict::Is(self.refuse(NEVER));
        }
        if is_denied || rule.limit() < slot.top {
            let (retry_at, limit) = (slot.denied().retry_at, grid.ends(number));
            let until = if is_denied { retry_at.max(moment.early) } else { limit };
            self.look_after(place, moment, rule);
            return Verdict::Is(self.refuse(Duration::from_micros(
                until.saturating_sub(moment.early).saturating_add(1),
            )));
        }
        if claim.need <= claim.cost && !grid.is_bucket() {
            let debt = standing.debt(rule, number);
            if let Some(receipt) = self.spend(place, moment, claim, debt) {
                self.look_after(place, moment, rule);
                return Verdict::admitted(receipt);
            }
        }
        self.decide_in_silence(place, moment, claim, standing)
    }

    /// Out of touch: from tokens in hand, then from the replica's own share.
    fn decide_alone(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Verdict {
        let rule = claim.rule;
        let grid = rule.grid();
        if rule.loss() == Loss::Closed {
            return Verdict::Is(self.cannot_judge());
        }
        if let Some(receipt) = self.spend(place, moment, claim, 0) {
            return Verdict::admitted(receipt);
        }
        if grid.is_bucket() && rule.loss() == Loss::LocalShare {
            return self.decide_alone_by_bucket(place, moment, claim, standing);
        }
        let open = rule.loss() == Loss::Open;
        let share = if open { u64::MAX } else { self.own_share(place, moment, rule, standing) };
        if let Some(verdict) = self.take_share(place, moment, claim, share) {
            return verdict;
        }
        if standing.seat.is_none() {
            return Verdict::Is(self.cannot_judge());
        }
        Verdict::Is(self.refuse(until_end(grid, moment)))
    }

    /// Admits a claim without having bought it, as long as no more than `share` was admitted so in
    /// the windows that count; all there is: without limit.
    pub(super) fn take_share(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        share: u64,
    ) -> Option<Verdict> {
        let grid = claim.rule.grid();
        let number = grid.number(moment.early);
        let slot = self.slots.get_mut(place)?;
        let used = slot.used_of_share(grid, number);
        let after = used.saturating_add(claim.need.max(claim.cost));
        if share < after {
            return None;
        }
        slot.use_share(grid, number, claim.cost);
        if grid.is_quota() {
            self.note_use(place, moment.local);
        }
        let (source, remaining) = if share == u64::MAX {
            self.facts.open = self.facts.open.saturating_add(claim.cost);
            (Source::Open, claim.rule.limit())
        } else {
            self.facts.shared = self.facts.shared.saturating_add(claim.cost);
            (Source::Share, share.saturating_sub(used.saturating_add(claim.cost)))
        };
        let (window, cost) = (number, claim.cost);
        Some(Verdict::admitted(Receipt { window, cost, source, remaining }))
    }

    /// Takes from the tokens in hand, or as far as `debt` below nothing.
    pub(super) fn spend(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        debt: u64,
    ) -> Option<Receipt> {
        let grid = claim.rule.grid();
        let limit = claim.rule.limit();
        let slot = self.slots.get_mut(place)?;
        let need = i64::try_from(claim.need.max(claim.cost)).ok()?;
        let is_owing_only = need == 0 && slot.balance <= 0;
        let in_hand = slot.balance.saturating_add_unsigned(debt);
        if !is_owing_only && (in_hand < need || limit < slot.top) {
            return None;
        }
        if grid.is_bucket() && slot.window <= moment.local.micros() && need > 0 {
            return None;
        }
        slot.balance = slot.balance.saturating_sub_unsigned(claim.cost);
        self.facts.spent = self.facts.spent.saturating_add(claim.cost);
        let owed = slot.balance.min(0).unsigned_abs();
        self.facts.debt_max = self.facts.debt_max.max(owed);
        let remaining = limit.saturating_sub(slot.sold).saturating_add_signed(slot.balance);
        Some(Receipt {
            window: slot.window,
            cost: claim.cost,
            source: Source::Allotment,
            remaining: remaining.min(limit),
        })
    }

    pub(super) fn refuse(&mut self, retry_after: Duration) -> Decision {
        self.facts.refused = self.facts.refused.saturating_add(1);
        Decision::Refused(Refusal { retry_after, is_full: true })
    }
}

/// How long until the window of `moment` ends.
pub(super) fn until_end(grid: &Grid, moment: Moment) -> Duration {
    let ends = grid.ends(grid.number(moment.early));
    Duration::from_micros(ends.saturating_sub(moment.early))
}

impl Verdict {
    pub(super) const fn admitted(receipt: Receipt) -> Self {
        Self::Is(Decision::Admitted(receipt))
    }
}
