//! What the limits of one policy have in common: how they are asked, what becomes of a request when
//! the answer is there, and what is left of it for people.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::exchange::pending::Paid;
use crate::limit::names::Outcome;
use crate::limit::{Charge, CountersUnavailable, Tallies, Tally};
use crate::policy::Failure;
use crate::policy::limits::holding::{Counting, Holding};
use crate::policy::limits::label::Label;
use crate::policy::limits::told;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::problem::Problem;

/// What the limits of one policy have in common.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// How the whole is held.
    pub(super) holding: Holding,
    /// Whether what it counts is known only when the response is there.
    pub(super) is_late: bool,
    label: Label,
}

/// The charges of a policy, and what came of them.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Asked<'a> {
    /// The charges.
    pub(in crate::policy) charges: &'a [Charge],
    /// What the counters said.
    pub(in crate::policy) answer: Result<&'a Tallies, CountersUnavailable>,
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// All limits had room.
    Admitted,
    /// One had none, but the policy is in shadow: the request goes on, and nothing was taken.
    Spared,
    /// One had none: which, and how it stands.
    Refused(usize, Tally),
}

impl Frame {
    pub(super) fn new(policy: &'static str, element: &Element, holding: Holding) -> Self {
        Self { holding, is_late: false, label: Label::new(policy, element) }
    }

    /// The same, for a policy that counts what its attribute `counter-key` says, and `is_late`.
    pub(super) fn keyed(self, element: &Element, is_late: bool) -> Self {
        let label = self.label.keyed(element, "counter-key");
        Self { is_late, label, ..self }
    }

    /// Whether what is known only when the response is there is held until then.
    pub(super) fn reserves(&self) -> bool {
        self.is_late && self.holding.counting == Counting::Reserve
    }

    /// Asks for what `charges` gives.
    pub(super) fn ask(
        &self,
        exchange: &mut Exchange,
        charges: impl FnOnce(&mut Exchange) -> Result<Vec<Charge>, Failure>,
    ) -> Result<Flow, Failure> {
        exchange.pending.asked = exchange.now;
        exchange.pending.who = None;
        match charges(exchange) {
            Ok(charges) if charges.is_empty() => Ok(Flow::Next),
            Ok(charges) => Ok(Flow::Ask(Effect::Charge(charges))),
            Err(_unknown) if self.holding.shadow => {
                self.label.note(Outcome::SparedUnavailable, None, exchange);
                Ok(Flow::Next)
            }
            Err(failure) => Err(failure),
        }
    }

    /// What becomes of the request whose charges came back. Remembers what it paid, and tells how
    /// the limits stand, which have the names that `names` gives.
    pub(super) fn judge<'a>(
        &'a self,
        asked: Asked<'_>,
        names: impl FnOnce(&Exchange) -> Vec<&'a Arc<str>>,
        exchange: &mut Exchange,
    ) -> Result<Verdict, Failure> {
        let shadow = self.holding.shadow;
        let Ok(tallies) = asked.answer else {
            if shadow {
                self.label.note(Outcome::SparedUnavailable, None, exchange);
                return Ok(Verdict::Spared);
            }
            self.label.note(Outcome::Unavailable, None, exchange);
            return Err(Failure {
                source: None,
                reason: "CountersUnavailable",
                message: CountersUnavailable.to_string(),
                problem: Problem::unavailable("counters_unavailable"),
            });
        };
        if self.holding.headers && !shadow {
            told::tell(&names(exchange), asked.charges, tallies, exchange);
        }
        let Some((index, tally)) = tallies.refusal() else {
            self.pay(asked.charges, exchange);
            return Ok(Verdict::Admitted);
        };
        let full = (asked.charges.get(index), tally);
        if shadow {
            self.label.note_full(Outcome::Spared, full, exchange);
            return Ok(Verdict::Spared);
        }
        self.label.note_full(Outcome::Refused, full, exchange);
        Ok(Verdict::Refused(index, tally))
    }

    fn pay(&self, charges: &[Charge], exchange: &mut Exchange) {
        let held = self.reserves().then_some(exchange.pending.asked);
        let paid = charges.iter().filter(|charge| 0 < charge.cost).map(|charge| Paid {
            charge: *charge,
            due: if held.is_some() { 0 } else { charge.cost },
            held,
        });
        exchange.pending.paid.extend(paid);
    }
}
