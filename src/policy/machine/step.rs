//! What a step makes of an event, and what it does when its turn comes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Effect, Event, Flow, Machine, Position};
use crate::exchange::message::{Body, Response};
use crate::exchange::{CacheOutcome, Exchange};
use crate::policy::disabled;
use crate::policy::limits::Asked;
use crate::policy::operand::Operand;
use crate::policy::program::{Action, Step};
use crate::policy::{Failure, Section, Side};
use crate::problem::Problem;

impl Machine {
    /// What the step at which the run stands makes of `event`.
    pub(super) fn take(&mut self, event: Event, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match event {
            Event::Start => return Ok(Flow::Goto(self.step)),
            Event::Body(side, fetched) => {
                let body = fetched.map_err(unreadable)?;
                keep_body(side, body, exchange);
                if self.awaits_judgement() {
                    return self.judge_answer(exchange);
                }
                // The step has not run yet: it was waiting for this.
                return Ok(Flow::Goto(self.step));
            }
            Event::Responded(response) => return self.responded(response, exchange),
            Event::Failed(failure) => return Err(failure),
            Event::Of(index, event) => return self.of_strand(index, *event, exchange),
            Event::Done
            | Event::Again(_)
            | Event::Tallied(..)
            | Event::Entered(_)
            | Event::CachedResponse(_)
            | Event::Called(_)
            | Event::CachedValue(_)
            | Event::Measured(_)
            | Event::Wanted(_)
            | Event::Obtained(_)
            | Event::Authenticated(_) => (),
        }
        let program = Arc::clone(&self.program);
        let block = program.blocks(self.section).get(self.block);
        let Some(step) = block.and_then(|block| block.steps.get(self.step)) else {
            // The counts that waited for the response were added after the last step.
            return Ok(Flow::Finish);
        };
        self.answered(&step.action, event, exchange)
    }

    fn answered(
        &mut self,
        action: &Action,
        event: Event,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        match (action, event) {
            (Action::RetryAgain(_), Event::Done | Event::Again(true)) => Ok(self.again()),
            (Action::RetryAgain(_), Event::Again(false)) => self.leave_retry(),
            (Action::ConcurrencyEnter(_), Event::Entered(Some(permit))) => {
                self.permits.push(permit);
                Ok(Flow::Next)
            }
            (Action::ConcurrencyEnter(limit), Event::Entered(None)) => Err(limit.refused(exchange)),
            (action, Event::Tallied(charges, answer)) => {
                let answer = answer.as_ref().map_err(|unavailable| *unavailable);
                self.tallied(action, Asked { charges: &charges, answer }, exchange)
            }
            (Action::LookupResponse(lookup), Event::CachedResponse(found)) => {
                lookup.found(found.as_deref(), exchange);
                if exchange.cache == CacheOutcome::Hit {
                    Ok(self.after_store())
                } else {
                    Ok(Flow::Next)
                }
            }
            (Action::ValidateToken(policy), Event::Authenticated(answer)) => {
                policy.judge(answer, exchange)
            }
            (Action::LookupValue(lookup), Event::CachedValue(found)) => {
                lookup.found(found, exchange)
            }
            (Action::CacheValueEnter(policy), Event::Wanted(found)) => {
                self.wanted(policy, found, exchange)
            }
            (Action::ManagedIdentity(policy), Event::Obtained(answer)) => {
                policy.obtained(answer, exchange)
            }
            (Action::AuthorizationContext(policy), Event::Obtained(answer)) => {
                policy.obtained(answer, exchange)
            }
            (Action::Send(send), Event::Obtained(answer)) => send.obtained(answer, exchange),
            (Action::ServiceBusMessage(message), Event::Obtained(answer)) => {
                message.obtained(answer, exchange)
            }
            (Action::ServiceBusMessage(message), Event::Called(answered)) => {
                message.called(answered, exchange)
            }
            (Action::Dapr(call), Event::Called(answered)) => call.called(answered, exchange),
            (Action::InvokeRequest(invoke), Event::Called(answered)) => {
                invoke.called(answered, exchange)
            }
            (Action::Send(send), Event::Called(answered)) => send.called(answered, exchange),
            (Action::ContentSafety(_) | Action::Forward(_), Event::Called(answered)) => {
                self.judged(answered, exchange)
            }
            (Action::Forward(_), Event::Measured(heard)) => {
                if heard.map_err(unreadable)? {
                    exchange.tell_spent();
                }
                Ok(Flow::Next)
            }
            _ => Ok(Flow::Next),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step has counts to judge")]
    fn tallied(
        &mut self,
        action: &Action,
        asked: Asked<'_>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let waiting = exchange.pending.late.len();
        let flow = match action {
            Action::RateLimit(limit) => limit.judge(asked, exchange),
            Action::RateLimitByKey(limit) => limit.judge(asked, exchange),
            Action::Quota(quota) => quota.judge(asked, exchange),
            Action::QuotaByKey(quota) => quota.judge(asked, exchange),
            Action::TokenLimit(limit) => limit.judge(asked, exchange),
            _ => Ok(Flow::Next),
        };
        self.defer(waiting < exchange.pending.late.len());
        flow
    }

    /// Remembers to count the step at which the run stands once there is a response.
    fn defer(&mut self, deferred: bool) {
        if deferred {
            let (section, block, step) = (self.section, self.block, self.step);
            self.deferred.push(Position { section, block, step });
        }
    }

    /// A cached response takes the place of the one that `cache-store` would have kept: the run
    /// goes on right after that step.
    fn after_store(&mut self) -> Flow {
        let program = Arc::clone(&self.program);
        self.loops.clear();
        self.making.clear();
        self.permits.clear();
        self.enter(Section::Outbound);
        for (block_index, block) in program.blocks(Section::Outbound).iter().enumerate() {
            let stores = |step: &Step| matches!(step.action, Action::StoreResponse(_));
            if let Some(at) = block.steps.iter().position(stores) {
                self.block = block_index;
                return Flow::Goto(at.saturating_add(1));
            }
        }
        Flow::Finish
    }

    fn responded(&mut self, response: Response, exchange: &mut Exchange) -> Result<Flow, Failure> {
        self.forwarded = true;
        self.mended();
        let status = response.status;
        let is_error = status.is_client_error() || status.is_server_error();
        exchange.response = Some(response);
        let program = Arc::clone(&self.program);
        let block = program.blocks(self.section).get(self.block);
        let step = block.and_then(|block| block.steps.get(self.step));
        match step.map(|step| &step.action) {
            Some(Action::Forward(forward)) if forward.fail_on_error_status && is_error => {
                Err(Failure {
                    source: None,
                    reason: Failure::STATUS,
                    message: format!("the backend answered {}", status.as_u16()),
                    problem: Problem::failed("backend_error_status"),
                })
            }
            Some(Action::Forward(_)) if !is_error && self.is_to_judge() => {
                if exchange.response.as_ref().is_some_and(|response| response.body.is_waiting()) {
                    return Ok(Flow::Ask(Effect::Fetch(Side::Response)));
                }
                self.judge_answer(exchange)
            }
            _ if exchange.metering.as_ref().is_some_and(|metering| metering.is_awaited()) => {
                Ok(Flow::Ask(Effect::Measure))
            }
            _ => Ok(Flow::Next),
        }
    }

    pub(super) fn execute(
        &mut self,
        action: &Action,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        match action {
            Action::Jump(step) => Ok(Flow::Goto(*step)),
            Action::Base | Action::CrossDomain(_) => Ok(Flow::Next),
            Action::Unless { condition, otherwise } => unless(condition, *otherwise, exchange),
            Action::Wait(wait) => self.begin_wait(wait, exchange),
            Action::RetryEnter => Ok(self.enter_retry()),
            Action::RetryAgain(retry) => self.retry(retry, exchange),
            Action::ConcurrencyEnter(limit) => limit.enter(exchange),
            Action::ConcurrencyLeave => {
                if let Some(permit) = self.permits.pop()
                    && self.forwarded
                {
                    // The response is still on its way: the request is inside until its last byte.
                    self.lingering.push(permit);
                }
                Ok(Flow::Next)
            }
            Action::SetVariable(policy) => policy.run(exchange),
            Action::SetHeader(policy) => policy.run(exchange),
            Action::SetQuery(policy) => policy.run(exchange),
            Action::SetBody(policy) => policy.run(exchange),
            Action::SetMethod(policy) => policy.run(exchange),
            Action::SetStatus(policy) => policy.run(exchange),
            Action::FindAndReplace(policy) => policy.run(exchange),
            Action::RedirectContentUrls(policy) => policy.run(exchange),
            Action::XmlToJson(policy) => policy.run(exchange),
            Action::JsonToXml(policy) => policy.run(exchange),
            Action::Jsonp(policy) => policy.run(exchange),
            Action::AuthenticationBasic(policy) => policy.run(exchange),
            Action::Certificate(policy) => policy.run(exchange),
            Action::ManagedIdentity(policy) => policy.run(exchange),
            Action::AuthorizationContext(policy) => policy.run(exchange),
            Action::RewriteUri(policy) => policy.run(exchange),
            Action::SetBackend(policy) => policy.run(exchange),
            Action::Proxy(policy) => policy.run(exchange),
            Action::Forward(forward) => forward.run(exchange),
            Action::ReturnResponse(policy) => policy.run(exchange),
            Action::MockResponse(policy) => Ok(policy.run(exchange)),
            Action::Send(policy) => policy.run(exchange),
            Action::ServiceBusMessage(policy) => policy.run(exchange),
            Action::Dapr(policy) => policy.run(exchange),
            Action::InvokeRequest(policy) => policy.run(exchange),
            Action::ContentSafety(policy) => self.judge(policy, exchange),
            Action::CheckHeader(policy) => policy.run(exchange),
            Action::IpFilter(policy) => policy.run(exchange),
            Action::ValidateToken(policy) => policy.run(exchange),
            Action::Cors(policy) => policy.run(exchange),
            Action::RateLimit(policy) => policy.run(exchange),
            Action::RateLimitByKey(policy) => policy.run(exchange),
            Action::Quota(policy) => policy.run(exchange),
            Action::QuotaByKey(policy) => policy.run(exchange),
            Action::TokenLimit(policy) => policy.run(exchange),
            Action::LookupResponse(policy) => policy.run(exchange),
            Action::StoreResponse(policy) => policy.run(exchange),
            Action::LookupValue(policy) => policy.run(exchange),
            Action::StoreValue(policy) => policy.run(exchange),
            Action::RemoveValue(policy) => policy.run(exchange),
            Action::CacheValueEnter(policy) => policy.run(self.making.is_empty(), exchange),
            Action::CacheValueLeave(policy) => self.leave_value(policy, exchange),
            Action::ValidateStatusCode(policy) => policy.run(exchange),
            Action::ValidateContent(policy) => policy.run(exchange),
            Action::ValidateParameters(policy) => policy.run(exchange),
            Action::ValidateHeaders(policy) => policy.run(exchange),
            Action::Trace(policy) => policy.run(exchange),
            Action::LogToEventHub(policy) => policy.run(exchange),
            Action::EmitMetric(policy) => policy.run(exchange),
            Action::EmitTokenMetric(policy) => policy.run(exchange),
            Action::Disabled => Err(disabled::refused()),
        }
    }
}

fn unless(
    condition: &Operand<bool>,
    otherwise: usize,
    exchange: &mut Exchange,
) -> Result<Flow, Failure> {
    let holds = condition.get(exchange)?;
    if let Some(inspection) = &mut exchange.inspection {
        inspection.decided(if holds {
            "the condition holds"
        } else {
            "the condition does not hold"
        });
    }
    Ok(if holds { Flow::Next } else { Flow::Goto(otherwise) })
}

fn unreadable(problem: Problem) -> Failure {
    let message = problem.message.to_string();
    Failure { source: None, reason: "BodyUnreadable", message, problem }
}

fn keep_body(side: Side, bytes: Bytes, exchange: &mut Exchange) {
    let body = if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) };
    match side {
        Side::Request => exchange.request.body = body,
        Side::Response => {
            if let Some(response) = &mut exchange.response {
                response.body = body;
            }
        }
    }
}
