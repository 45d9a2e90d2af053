//! How a run ends: a failure goes on in on-error, and what waits for the response is counted.

use std::sync::Arc;

use http::StatusCode;

use super::{Effect, Machine, Ran};
use crate::exchange::{Exchange, LastError};
use crate::policy::program::{Action, Program};
use crate::policy::{Failure, Section, Side, limits};

impl Machine {
    /// Goes on in on-error; what the driver has to do if the failure happened there.
    pub(super) fn fail(&mut self, failure: Failure, exchange: &mut Exchange) -> Option<Effect> {
        let failure = self.try_again(failure, exchange)?;
        let failure = self.recover(failure, exchange)?;
        self.strands = None;
        self.loops.clear();
        self.permits.clear();
        let in_on_error = self.section == Section::OnError;
        self.note_failure(&failure, exchange);
        self.blame(&failure, exchange);
        if in_on_error {
            return Some(self.finish(exchange));
        }
        self.enter(Section::OnError);
        None
    }

    /// Notes that the step runs at which the run stands, for whoever wants to know.
    pub(super) fn note_step(&mut self, exchange: &mut Exchange) {
        if exchange.inspection.is_some() {
            self.tell_step(exchange, false);
        }
        if self.recorder.is_none() {
            return;
        }
        let note = self.stands_at().cloned();
        if let (Some(recorder), Some(note)) = (&mut self.recorder, note) {
            recorder.push(Ran { note, section: self.section, outcome: None });
        }
    }

    /// Notes what came of the last step, for whoever wants to know.
    pub(super) fn note_failure(&mut self, failure: &Failure, exchange: &mut Exchange) {
        if exchange.inspection.is_some() {
            self.tell_failure(failure, exchange);
        }
        if let Some(recorder) = &mut self.recorder
            && let Some(last) = recorder.last_mut()
        {
            last.outcome = Some(format!("{}: {}", failure.reason, failure.message));
        }
    }

    /// Makes `failure` the last error, and the answer that comes of it the response.
    pub(super) fn blame(&self, failure: &Failure, exchange: &mut Exchange) {
        if failure.reason == Failure::STATUS {
            exchange.refusal = Some(failure.problem.reason);
        } else {
            exchange.answer(&failure.problem);
        }
        exchange.last_error = Some(self.describe(failure));
    }

    fn describe(&self, failure: &Failure) -> LastError {
        let note = self.stands_at();
        LastError {
            source: failure.source.or(note.map(|note| note.policy)).unwrap_or("gateway"),
            reason: failure.reason,
            message: failure.message.clone(),
            scope: note.map_or("global", |note| note.scope.as_str()),
            section: self.section.as_str(),
            path: note.map_or_else(|| Arc::from(""), |note| Arc::clone(&note.path)),
            policy_id: note.and_then(|note| note.id.clone()),
            place: note.map(|note| note.place.clone()),
        }
    }

    /// Counts what waited for the response, then delivers.
    pub(super) fn finish(&mut self, exchange: &mut Exchange) -> Effect {
        // Whoever waits for a value that is not made makes it.
        self.making.clear();
        self.strands = None;
        exchange.response_or(StatusCode::OK);
        if self.deferred.is_empty() {
            return self.give_back(exchange);
        }
        let program = Arc::clone(&self.program);
        if self.counts_read_body(&program)
            && exchange.response.as_ref().is_some_and(|response| response.body.is_waiting())
        {
            self.enter_end();
            return Effect::Fetch(Side::Response);
        }
        let mut charges = Vec::new();
        for position in std::mem::take(&mut self.deferred) {
            let block = program.blocks(position.section).get(position.block);
            let step = block.and_then(|block| block.steps.get(position.step));
            let counted = match step.map(|step| &step.action) {
                Some(Action::RateLimitByKey(limit)) => limit.count_late(exchange),
                Some(Action::QuotaByKey(quota)) => quota.count_late(exchange),
                _ => Ok(None),
            };
            // An increment that cannot be evaluated counts nothing: the response is there already.
            charges.extend(counted.ok().flatten());
        }
        charges.extend(limits::settle(&mut exchange.pending));
        if charges.is_empty() {
            return self.give_back(exchange);
        }
        self.enter_end();
        Effect::Add(charges)
    }

    /// Gives back what was held for nothing, one after the other, then delivers.
    fn give_back(&mut self, exchange: &mut Exchange) -> Effect {
        let Some((charge, at)) = exchange.pending.refunds.pop() else {
            return Effect::Deliver;
        };
        self.enter_end();
        Effect::Refund(charge, at)
    }

    /// After the last block, so that a report finds no step and the run is over.
    const fn enter_end(&mut self) {
        self.enter(Section::OnError);
        self.block = usize::MAX;
    }

    /// Whether a count that waits for the response wants to read its body.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step counts late")]
    fn counts_read_body(&self, program: &Program) -> bool {
        self.deferred.iter().any(|position| {
            let block = program.blocks(position.section).get(position.block);
            block.and_then(|block| block.steps.get(position.step)).is_some_and(|step| {
                match &step.action {
                    Action::RateLimitByKey(limit) => limit.reads_response_body(),
                    Action::QuotaByKey(quota) => quota.reads_response_body(),
                    _ => false,
                }
            })
        })
    }
}
