//! Orders that are on their way, and what each of them was for.

use std::sync::Arc;

use crate::limit::engine::members::ORDER_LIFE;
use crate::limit::engine::rule::Rule;
use crate::limit::engine::silence::Silence;
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Effect, Engine};
use crate::limit::order::members::Epoch;
use crate::limit::order::{Errand, Order, Outcome, Reply, Ticket};
use crate::time::Timestamp;

/// How many orders of one desk are on their way at most.
const ERRANDS_MAX: usize = 65_536;

/// The trip of an order that is assumed at first, in microseconds.
const TRIP_MICROS: u64 = 500;

/// What is on its way.
#[derive(Debug)]
pub(super) struct Errands {
    open: Vec<(u32, Option<Open>)>,
    free: Vec<u32>,
    /// How long an order takes, there and back, in microseconds.
    trip: u64,
    silence: Silence,
}

/// An order that is on its way.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub sent: Timestamp,
    pub round: u32,
    pub what: What,
}

/// What an order is for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Tokens.
    Buy(Buy),
    /// Handing back; nothing depends on it.
    Back,
    /// Lifting one counter that was seen to have lost data.
    Lift {
        /// Whose.
        place: u32,
    },
    /// A report to ledgers.
    Books,
    /// Reports on the way back in touch.
    Report(Told),
}

/// What was reported on the way back in touch.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The places and windows whose use is charged by it, and how much.
    pub charged: Vec<(u32, u64, u64)>,
    /// The report.
    pub order: Order,
    /// How often it was made before.
    pub repeats: u8,
}

/// What was ordered.
#[derive(Clone, Debug)]
pub(super) struct Buy {
    pub place: u32,
    pub window: u64,
    pub want: u64,
    /// How much is handed back with it; to a bucket, how much is charged.
    pub back: u64,
    pub bound: u64,
    /// What the window was seen to have sold, and how many returns, when it was ordered.
    pub seen: (u64, u16),
    pub is_ahead: bool,
    pub rule: Arc<Rule>,
}

impl Default for Errands {
    fn default() -> Self {
        let silence = Silence::default();
        Self { open: Vec::new(), free: Vec::new(), trip: TRIP_MICROS, silence }
    }
}

impl Errands {
    pub(super) fn put(&mut self, open: Open) -> Option<Ticket> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.open.len() < ERRANDS_MAX => {
                self.open.push((0, None));
                u32::try_from(self.open.len()).ok()?.checked_sub(1)?
            }
            None => return None,
        };
        let cell = self.open.get_mut(usize::try_from(place).ok()?)?;
        cell.0 = cell.0.wrapping_add(1);
        cell.1 = Some(open);
        Some(Ticket { place, serial: cell.0 })
    }

    fn take(&mut self, ticket: Ticket) -> Option<Open> {
        let cell = self.open.get_mut(usize::try_from(ticket.place).ok()?)?;
        if cell.0 != ticket.serial {
            return None;
        }
        let open = cell.1.take()?;
        self.free.push(ticket.place);
        Some(open)
    }

    /// How long an order takes, in microseconds.
    pub(super) const fn trip(&self) -> u64 {
        self.trip
    }

    /// How long nothing was answered.
    pub(super) const fn silence(&self) -> &Silence {
        &self.silence
    }
}

impl Engine {
    /// What became of an order.
    pub fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: Outcome) {
        let Some(open) = self.errands.take(ticket) else { return };
        let age = now.since(open.sent);
        if matches!(outcome, Outcome::Answered(_)) {
            self.errands.silence.answered(open.sent);
        }
        let reply = match outcome {
            Outcome::Answered(reply) if age <= ORDER_LIFE => {
                let sample = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
                self.errands.trip = self.errands.trip.saturating_mul(7).saturating_add(sample) / 8;
                Some(reply)
            }
            Outcome::Answered(_) | Outcome::Unconfirmed | Outcome::Unanswered => {
                self.facts.unanswered = self.facts.unanswered.saturating_add(1);
                None
            }
        };
        match open.what {
            What::Buy(buy) => {
                // What was sold before a loss may be lost over there, and is not counted here.
                let reply = reply.filter(|reply| {
                    !self.is_strange(open.round, epoch_of(reply))
                        && open.round == self.standing.round
                        && self.standing.touch == Touch::In
                });
                if reply.is_some() {
                    self.own_up(buy.place, now);
                }
                self.bought(now, open.sent, &buy, reply.as_ref());
                self.serve(buy.place, now);
                self.pay(buy.place, now, &buy.rule);
            }
            What::Back => {}
            What::Lift { place } => {
                if let Some(slot) = self.slots.get_mut(place) {
                    slot.flags.asking = false;
                }
                self.serve(place, now);
            }
            What::Books => {
                let reply = match reply {
                    Some(Reply::Ledger(sold, epoch)) => Some((sold, epoch)),
                    _ => None,
                };
                self.booked(now, open.round, reply);
            }
            What::Report(told) => self.reported(now, open.round, reply.as_ref(), told),
        }
    }

    /// Whether what was ordered in `round` was sold of other data than those that this replica has
    /// reported to. If that is news, data were lost, and the membership is told.
    pub(super) fn is_strange(&mut self, round: u32, epoch: Epoch) -> bool {
        if epoch == self.standing.epoch {
            return false;
        }
        if round == self.standing.round && self.standing.touch == Touch::In {
            self.facts.rollbacks = self.facts.rollbacks.saturating_add(1);
            self.effects.push_back(Effect::Unhealed { round });
            self.strange = true;
        }
        true
    }

    /// Sends an order, if not too many are on their way.
    pub(super) fn send(&mut self, now: Timestamp, what: What, order: Order) -> bool {
        let round = self.standing.round;
        let Some(ticket) = self.errands.put(Open { sent: now, round, what }) else { return false };
        self.errands.silence.sent(now);
        self.facts.orders = self.facts.orders.saturating_add(1);
        self.effects.push_back(Effect::Send(Errand { ticket, order }));
        true
    }
}

/// Of which data a reply tells.
const fn epoch_of(reply: &Reply) -> Epoch {
    match reply {
        Reply::Fixed(_, epoch)
        | Reply::Ring(_, epoch)
        | Reply::Bucket(_, epoch)
        | Reply::Ledger(_, epoch) => *epoch,
        Reply::Probe(_) | Reply::Beat(_) | Reply::Raise | Reply::Permits(_) => Epoch::NONE,
    }
}
