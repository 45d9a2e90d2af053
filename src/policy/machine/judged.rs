//! Texts that a service judges, one call after the other: what was asked, and what is answered before
//! any policy of outbound sees it.

use super::{Effect, Flow, Machine};
use crate::exchange::Exchange;
use crate::exchange::message::Response;
use crate::policy::llm::safety::{Checks, ContentSafety};
use crate::policy::program::Action;
use crate::policy::{Failure, coding};

impl Machine {
    /// Lets what `policy` looks at be judged.
    pub(super) fn judge(
        &mut self,
        policy: &ContentSafety,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let (checks, of_answer) = policy.begin(exchange)?;
        self.judges.extend(of_answer);
        self.checks = checks;
        self.ask(exchange)
    }

    /// Whether the answer is to be judged.
    pub(super) const fn is_to_judge(&self) -> bool {
        !self.judges.is_empty()
    }

    /// Whether the body that came is that of an answer which is to be judged: the step at which the
    /// run stands has run.
    pub(super) fn awaits_judgement(&self) -> bool {
        let step = self.block_here().and_then(|block| block.steps.get(self.step));
        self.forwarded
            && self.is_to_judge()
            && matches!(step.map(|step| &step.action), Some(Action::Forward(_)))
    }

    /// Lets the answer be judged, which is here.
    pub(super) fn judge_answer(&mut self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        coding::decode(exchange)?;
        self.checks = Checks::default();
        for rules in &self.judges {
            self.checks.add_answer(rules, exchange)?;
        }
        self.ask(exchange)
    }

    /// What the service said.
    pub(super) fn judged(
        &mut self,
        answered: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        self.checks.answered(answered)?;
        self.ask(exchange)
    }

    fn ask(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        if let Some(outgoing) = self.checks.next(exchange)? {
            return Ok(Flow::Ask(Effect::Call(Box::new(outgoing))));
        }
        if self.awaits_judgement()
            && exchange.metering.as_ref().is_some_and(|metering| metering.is_awaited())
        {
            // All of it was heard while it was read.
            exchange.tell_spent();
        }
        Ok(Flow::Next)
    }
}
