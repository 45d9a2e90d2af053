//! `cache-value` on the way: values that the run makes, and what happens where it cannot.

use std::sync::Arc;

use super::{Effect, Flow, Machine};
use crate::exchange::Exchange;
use crate::exchange::flight::Flight;
use crate::expression::value::Value;
use crate::policy::caching::made::{CacheValue, Found, Made, Wanted};
use crate::policy::program::Action;
use crate::policy::{Failure, Section};

/// One `cache-value` that the run is inside of.
#[derive(Debug)]
pub(super) struct Making {
    section: Section,
    block: usize,
    /// The index of its first step.
    enter: usize,
    /// How many loops and permits are around it.
    loops: usize,
    permits: usize,
    wanted: Wanted,
    flight: Flight,
    old: Option<Value>,
}

impl Making {
    /// Whether it stands inside of all of so many loops.
    pub(super) const fn is_inside(&self, loops: usize) -> bool {
        self.loops == loops
    }
}

impl Machine {
    /// Goes on with a value that was wanted.
    pub(super) fn wanted(
        &mut self,
        policy: &CacheValue,
        found: Found,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        match found {
            // The next step leads past the policies that make it.
            Found::There(value) => policy.there(&value, exchange).map(|()| Flow::Next),
            Found::Failed => policy.failed_elsewhere(exchange),
            Found::Yours { wanted, flight, old } => {
                policy.begin(exchange);
                self.making.push(Making {
                    section: self.section,
                    block: self.block,
                    enter: self.step,
                    loops: self.loops.len(),
                    permits: self.permits.len(),
                    wanted,
                    flight,
                    old,
                });
                Ok(Flow::Goto(self.step.saturating_add(2)))
            }
        }
    }

    /// Keeps what was made.
    pub(super) fn leave_value(
        &mut self,
        policy: &CacheValue,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let (value, expires, refresh) = policy.made(exchange)?;
        let Some(Making { wanted, flight, .. }) = self.making.pop() else {
            return Ok(Flow::Next);
        };
        let made = Made { wanted, value, expires, refresh, flight };
        Ok(Flow::Ask(Effect::KeepValue(Box::new(made))))
    }

    /// Goes on after the innermost `cache-value` that can do without the value that could not be
    /// made; the failure, if there is none.
    pub(super) fn recover(&mut self, failure: Failure, exchange: &mut Exchange) -> Option<Failure> {
        let failure = Failure { message: exchange.covered(failure.message), ..failure };
        while let Some(frame) = self.making.pop() {
            frame.flight.land(None);
            let program = Arc::clone(&self.program);
            let block = program.blocks(frame.section).get(frame.block);
            let step = block.and_then(|block| block.steps.get(frame.enter));
            let Some(Action::CacheValueEnter(policy)) = step.map(|step| &step.action) else {
                continue;
            };
            if policy.without(frame.old.as_ref(), exchange) {
                self.note_failure(&failure, exchange);
                self.loops.truncate(frame.loops);
                self.permits.truncate(frame.permits);
                self.block = frame.block;
                // That leads past the policies that could not make it.
                self.step = frame.enter.saturating_add(1);
                return None;
            }
        }
        Some(failure)
    }
}
