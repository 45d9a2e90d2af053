//! Tokens in hand that are lent to tills, from which requests take them without the desk's lock.
//!
//! To the engine a loan is spent until it is taken back. It is made only in touch, of the current
//! window and for as long as it is certain that this window is now, and never of what is to start
//! the next purchase: who needs that comes to the desk, which takes back first. So everything
//! about a counter is known wherever it is decided.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::rule::Grid;
use crate::limit::engine::sizing;
use crate::limit::engine::slot::SlotKey;
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Claim, Engine};
use crate::limit::key::CounterKey;
use crate::limit::till::{Label, Loan, Returned, TILLS, TOKENS_MAX, Tills};
use crate::time::Timestamp;

/// The fewest tokens that are worth lending, and as many must be asked for in [`LOOK`].
pub const LEAST: u64 = 8;

/// How often everything is taken back: for so long the engine knows of what is asked for late.
pub const LOOK: Duration = Duration::from_millis(20);

/// The shortest loan, in microseconds.
const SHORTEST_MICROS: u64 = 200;

/// How much of the time up to the end of a window clocks may drift apart in: one part in so many,
/// twice what they are believed to.
const DRIFT_ONE_IN: u64 = 2_500;

/// A loan that fewer claims took from before somebody came to the desk was not worth it: there is
/// none for this counter before everything is taken back again.
const CLAIMS_MIN: u64 = 4;

/// What was lent of one counter.
#[derive(Debug)]
pub struct Lot {
    place: u32,
    key: SlotKey,
    loan: Loan,
}

/// What a desk has lent to its tills. Whoever has it is the only one who lends.
#[derive(Debug)]
pub struct Lent {
    tills: Arc<Tills>,
    lots: Vec<Drawer>,
    /// How many of them are lent or rest.
    busy: usize,
}

/// One till, as the desk knows it.
#[derive(Debug)]
enum Drawer {
    Free,
    Out(Lot),
    /// Not before everything is taken back.
    Resting,
}

impl Lent {
    /// Nothing is lent.
    pub fn new() -> Self {
        let lots = (0..TILLS).map(|_| Drawer::Free).collect();
        Self { tills: Arc::default(), lots, busy: 0 }
    }

    /// The tills.
    pub const fn tills(&self) -> &Arc<Tills> {
        &self.tills
    }

    /// Whether nothing is lent.
    pub const fn is_empty(&self) -> bool {
        self.busy == 0
    }

    /// Lends what `engine` has in hand for `claim`, whose label this is, if that is worth it: at
    /// least `least` tokens.
    pub fn lend(
        &mut self,
        engine: &mut Engine,
        now: Timestamp,
        (claim, label): (&Claim<'_>, &Label),
        least: u64,
    ) {
        let number = Tills::number_of(claim.key.to_bytes());
        let (Some(drawer), Some(till)) = (self.lots.get_mut(number), self.tills.get(number)) else {
            return;
        };
        if matches!(drawer, Drawer::Free)
            && let Some(lot) = engine.lend(now, claim, least)
        {
            till.lend(label, &lot.loan);
            *drawer = Drawer::Out(lot);
            self.busy = self.busy.saturating_add(1);
        }
    }

    /// Takes back what is lent of `key`; says how many claims took of it.
    pub fn recall(&mut self, engine: &mut Engine, now: Timestamp, key: &CounterKey) -> u64 {
        let number = Tills::number_of(key.to_bytes());
        match self.lots.get(number) {
            Some(Drawer::Out(lot)) if lot.key.key == *key => {}
            Some(_) | None => return 0,
        }
        let Returned { tokens, claims } = self.take_back(engine, now, number);
        if tokens > 0
            && claims < CLAIMS_MIN
            && let Some(drawer) = self.lots.get_mut(number)
        {
            *drawer = Drawer::Resting;
            self.busy = self.busy.saturating_add(1);
        }
        claims
    }

    /// Takes back everything; says how many claims took of it.
    pub fn recall_all(&mut self, engine: &mut Engine, now: Timestamp) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let returned = (0..self.lots.len()).map(|number| self.take_back(engine, now, number));
        returned.map(|returned| returned.claims).fold(0, u64::saturating_add)
    }

    fn take_back(&mut self, engine: &mut Engine, now: Timestamp, number: usize) -> Returned {
        let mut returned = Returned { tokens: 0, claims: 0 };
        let (Some(drawer), Some(till)) = (self.lots.get_mut(number), self.tills.get(number)) else {
            return returned;
        };
        let before = std::mem::replace(drawer, Drawer::Free);
        if let Drawer::Out(lot) = &before {
            returned = till.take_back();
            engine.take_back(now, lot, returned.tokens);
        }
        if !matches!(before, Drawer::Free) {
            self.busy = self.busy.saturating_sub(1);
        }
        returned
    }
}

impl Default for Lent {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Lends what is in hand of the counter of `claim` but what is to start the next purchase; at
    /// least `least` tokens, of a counter of which as many are asked for in [`LOOK`]. None: there
    /// is nothing to lend. What is lent is to be taken back ([`Self::take_back`]) before the next
    /// call about its counter, and all of it before the engine stands differently or hands in.
    pub fn lend(&mut self, now: Timestamp, claim: &Claim<'_>, least: u64) -> Option<Lot> {
        let moment = self.standing.clock.at(now)?;
        if self.standing.touch != Touch::In || self.strange {
            return None;
        }
        let grid = claim.rule.grid();
        let place = self.place_of(claim.key, grid)?;
        let slot = self.slots.get_mut(place)?;
        let in_hand = slot.balance.saturating_sub(slot.refill_below.max(0));
        let tokens = u64::try_from(in_hand).ok()?.min(TOKENS_MAX);
        let is_taken = slot.flags.awaited || slot.flags.lent;
        if tokens < least.max(1) || is_taken || grid.is_bucket() || grid.is_quota() {
            return None;
        }
        let (starts, ends) = (grid.starts(slot.window), grid.ends(slot.window));
        if moment.early < starts || ends <= moment.late || claim.rule.limit() < slot.top {
            return None;
        }
        // From `look_at` on the desk looks after the next window.
        let lasts = ends.saturating_sub(moment.late);
        let lasts = lasts.min(slot.look_at.saturating_sub(moment.early));
        let lasts = lasts.saturating_sub((lasts / DRIFT_ONE_IN).saturating_add(2));
        let demand = slot.demand(now.micros(), sizing::span_of_demand(claim.rule));
        let look = u64::try_from(LOOK.as_micros()).unwrap_or(u64::MAX);
        if lasts < SHORTEST_MICROS || sizing::tokens(demand, look) < least {
            return None;
        }
        slot.balance = slot.balance.saturating_sub_unsigned(tokens);
        slot.flags.lent = true;
        self.lent = self.lent.saturating_add(tokens);
        let left = claim.rule.limit().saturating_sub(slot.sold);
        let loan = Loan {
            tokens,
            window: slot.window,
            until: now + Duration::from_micros(lasts),
            // Where data were lost more may be in hand than was sold.
            rest: left
                .saturating_add_signed(slot.balance)
                .min(claim.rule.limit().saturating_sub(tokens)),
        };
        Some(Lot { place, key: slot.key, loan })
    }

    /// Takes back a loan of which `left` tokens were not taken. What was taken of it was spent.
    pub fn take_back(&mut self, now: Timestamp, lot: &Lot, left: u64) {
        let Lot { place, key, loan } = lot;
        let taken = loan.tokens.saturating_sub(left);
        self.lent = self.lent.saturating_sub(loan.tokens);
        let back = taken.min(self.lent_and_back);
        self.lent_and_back = self.lent_and_back.saturating_sub(back);
        self.facts.spent = self.facts.spent.saturating_add(taken.saturating_sub(back));
        let Some(slot) = self.slots.get_mut(*place).filter(|slot| slot.key == *key) else {
            self.facts.expired = self.facts.expired.saturating_add(left);
            return;
        };
        slot.flags.lent = false;
        if taken > 0 {
            slot.count(taken);
        }
        if slot.window == loan.window {
            slot.balance = slot.balance.saturating_add_unsigned(left);
            if slot.flags.awaited {
                self.serve(*place, now);
            }
            return;
        }
        self.facts.expired = self.facts.expired.saturating_add(left);
        let reach = Grid::of_form(key.form, key.period).reach();
        if slot.window.checked_sub(loan.window).is_some_and(|age| age <= reach) {
            slot.strand(loan.window, left);
        }
    }
}

#[cfg(test)]
mod tests;
