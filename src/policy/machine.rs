//! Runs a program without doing anything: events in, effects out.
//!
//! A [`Machine`] can be left and resumed between any two steps, so one run spans the phases of
//! whoever drives it: it stops at each [`Effect`], and goes on with the [`Event`] that reports
//! what came of it. It awaits nothing, reads no clock and holds no connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::message::{Body, Response};
use crate::exchange::{CacheOutcome, Exchange, LastError};
use crate::expression::value::Value;
use crate::fault::Place;
use crate::limit::concurrency::Permit;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, CountersUnavailable, Tallies};
use crate::policy::flow::Retry;
use crate::policy::program::{Action, Block, Note, Program, Step};
use crate::policy::routing::Forward;
use crate::policy::{Failure, Section, Side};
use crate::problem::Problem;

/// One run of a program.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    section: Section,
    block: usize,
    step: usize,
    /// The retries that the run is inside of, innermost last.
    loops: Vec<Loop>,
    /// The permits that it holds, innermost last.
    permits: Vec<Permit>,
    /// Permits whose policies ended while their response was still on its way.
    lingering: Vec<Permit>,
    /// Counts that wait for the response, by the place of their step.
    deferred: Vec<Position>,
    /// Whether the request was forwarded.
    forwarded: bool,
    /// What ran, for whoever wants to know.
    recorder: Option<Vec<Ran>>,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Position {
    section: Section,
    block: usize,
    step: usize,
}

/// One `retry` that the run is inside of.
#[derive(Clone, Copy, Debug)]
struct Loop {
    /// The index of its first child.
    start: usize,
    /// How often the children ran again.
    retries: u32,
}

/// A step that ran, or stopped the run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Which.
    pub note: Note,
    /// In which section.
    pub section: Section,
    /// What came of it where that is not plain.
    pub outcome: Option<String>,
}

/// What the driver reports.
#[derive(Debug)]
pub enum Event {
    /// The request is here.
    Start,
    /// The run may go on: what was asked for is done and has no answer.
    Done,
    /// A body was fetched, or it was too large or broke off.
    Body(Side, Result<Bytes, Problem>),
    /// What the counters said.
    Tallied(Result<Tallies, CountersUnavailable>),
    /// Whether there was room.
    Entered(Option<Permit>),
    /// What the cache of responses had.
    CachedResponse(Option<Arc<CachedResponse>>),
    /// What the cache of values had.
    CachedValue(Option<Value>),
    /// The head of the backend's response.
    Responded(Response),
    /// The backend did not respond.
    Failed(Failure),
}

/// What the machine needs before it can go on.
#[derive(Debug)]
pub enum Effect {
    /// Fetch this body; report [`Event::Body`].
    Fetch(Side),
    /// Take all of these or none; report [`Event::Tallied`].
    Charge(Vec<Charge>),
    /// Add these, whatever they come to; report [`Event::Done`].
    Add(Vec<Charge>),
    /// Enter if fewer than `max` are inside; report [`Event::Entered`].
    Enter {
        /// Inside of what.
        key: CounterKey,
        /// How many may be inside.
        max: u32,
    },
    /// Look a response up; report [`Event::CachedResponse`].
    LookupResponse(CacheKey),
    /// Keep the response of the exchange; report [`Event::Done`].
    StoreResponse(CacheKey, Duration),
    /// Look a value up; report [`Event::CachedValue`].
    LookupValue(CacheKey),
    /// Keep a value; report [`Event::Done`].
    StoreValue(CacheKey, Value, Duration),
    /// Forget a value; report [`Event::Done`].
    RemoveValue(CacheKey),
    /// Wait; report [`Event::Done`].
    Sleep(Duration),
    /// Send the request to its backend; report [`Event::Responded`] or [`Event::Failed`].
    Forward(Forward),
    /// Deliver the response of the exchange. The run is over.
    Deliver,
}

/// What a step tells the machine.
#[derive(Debug)]
pub(super) enum Flow {
    /// Go on with the next step.
    Next,
    /// Go on with that step of the block.
    Goto(usize),
    /// Something outside is needed; the step goes on with the event.
    Ask(Effect),
    /// The response of the exchange is final.
    Finish,
}

impl Machine {
    /// A run of `program`, before its first step.
    pub const fn new(program: Arc<Program>) -> Self {
        Self {
            program,
            section: Section::Inbound,
            block: 0,
            step: 0,
            loops: Vec::new(),
            permits: Vec::new(),
            lingering: Vec::new(),
            deferred: Vec::new(),
            forwarded: false,
            recorder: None,
        }
    }

    /// The program.
    pub const fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Keeps what runs from here on; [`ran`](Self::ran) has it.
    pub fn record(&mut self) {
        self.recorder.get_or_insert_default();
    }

    /// The steps that ran, if they are recorded.
    pub fn ran(&self) -> &[Ran] {
        self.recorder.as_deref().unwrap_or_default()
    }

    /// The step at which the run stands, for messages about what it waits for.
    pub fn stands_at(&self) -> Option<&Note> {
        self.block_here()?.notes.get(self.step)
    }

    /// Who is counted by the limit at which the run stands, in the words of the configuration.
    pub fn counts(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        let step = self.block_here()?.steps.get(self.step)?;
        match &step.action {
            Action::RateLimit(_) | Action::Quota(_) => {
                exchange.subscription.as_ref().map(|known| Arc::clone(&known.id))
            }
            Action::RateLimitByKey(limit) => limit.identity(exchange),
            Action::QuotaByKey(quota) => quota.identity(exchange),
            Action::ConcurrencyEnter(limit) => limit.identity(exchange),
            _ => None,
        }
    }

    /// Goes on with `event` until something outside is needed.
    pub fn resume(&mut self, event: Event, exchange: &mut Exchange) -> Effect {
        match self.take(event, exchange) {
            Ok(Flow::Ask(effect)) => return effect,
            Ok(flow) => {
                if self.follow(&flow) {
                    return self.finish(exchange);
                }
            }
            Err(failure) => {
                if let Some(last) = self.fail(failure, exchange) {
                    return last;
                }
            }
        }
        self.run(exchange)
    }

    /// A failure before any step: no route, no key. `place` is what in the configuration asks for
    /// what is missing.
    pub fn interrupt(
        &mut self,
        failure: Failure,
        place: Option<Place>,
        exchange: &mut Exchange,
    ) -> Effect {
        let ended = self.fail(failure, exchange);
        if let Some(error) = &mut exchange.last_error {
            error.place = place;
            error.path = Arc::from("");
            error.policy_id = None;
            error.scope = if exchange.api.is_some() { "api" } else { "global" };
        }
        match ended {
            Some(last) => last,
            None => self.run(exchange),
        }
    }

    fn run(&mut self, exchange: &mut Exchange) -> Effect {
        loop {
            let program = Arc::clone(&self.program);
            let Some(block) = program.blocks(self.section).get(self.block) else {
                if self.leave_section(exchange) {
                    continue;
                }
                return self.finish(exchange);
            };
            let Some(step) = block.steps.get(self.step) else {
                self.block = self.block.saturating_add(1);
                self.step = 0;
                continue;
            };
            if let Some(side) = missing_body(step, exchange) {
                return Effect::Fetch(side);
            }
            if let Some(recorder) = &mut self.recorder
                && let Some(note) = block.notes.get(self.step)
            {
                recorder.push(Ran { note: note.clone(), section: self.section, outcome: None });
            }
            match self.execute(&step.action, exchange) {
                Ok(Flow::Ask(effect)) => return effect,
                Ok(flow) => {
                    if self.follow(&flow) {
                        return self.finish(exchange);
                    }
                }
                Err(failure) => {
                    if let Some(last) = self.fail(failure, exchange) {
                        return last;
                    }
                }
            }
        }
    }

    /// Moves on; true if the response is final.
    fn follow(&mut self, flow: &Flow) -> bool {
        match flow {
            Flow::Next => self.step = self.step.saturating_add(1),
            Flow::Goto(step) => self.step = *step,
            Flow::Ask(_) => (),
            Flow::Finish => return true,
        }
        false
    }

    /// Goes on to the section after this one; false if there is none.
    fn leave_section(&mut self, exchange: &mut Exchange) -> bool {
        let next = match self.section {
            Section::Inbound => Section::Backend,
            Section::Backend => Section::Outbound,
            Section::Outbound | Section::OnError => return false,
        };
        if next == Section::Outbound {
            // Policies that forward nothing answer 200 with nothing.
            exchange.response_or(StatusCode::OK);
        }
        self.enter(next);
        true
    }

    const fn enter(&mut self, section: Section) {
        self.section = section;
        self.block = 0;
        self.step = 0;
    }

    fn block_here(&self) -> Option<&Arc<Block>> {
        self.program.blocks(self.section).get(self.block)
    }

    /// What the step at which the run stands makes of `event`.
    fn take(&mut self, event: Event, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match event {
            Event::Start => return Ok(Flow::Goto(self.step)),
            Event::Body(side, fetched) => {
                let body = fetched.map_err(|problem| Failure {
                    source: None,
                    reason: "BodyUnreadable",
                    message: problem.message.to_string(),
                    problem,
                })?;
                keep_body(side, body, exchange);
                // The step has not run yet: it was waiting for this.
                return Ok(Flow::Goto(self.step));
            }
            Event::Responded(response) => return self.responded(response, exchange),
            Event::Failed(failure) => return Err(failure),
            Event::Done
            | Event::Tallied(_)
            | Event::Entered(_)
            | Event::CachedResponse(_)
            | Event::CachedValue(_) => (),
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
            (Action::RetryAgain(_), Event::Done) => self.again(),
            (Action::ConcurrencyEnter(_), Event::Entered(Some(permit))) => {
                self.permits.push(permit);
                Ok(Flow::Next)
            }
            (Action::ConcurrencyEnter(_), Event::Entered(None)) => Err(Failure {
                source: None,
                reason: "RateLimitExceeded",
                message: "Too many requests are being processed".to_owned(),
                problem: Problem::concurrency_exceeded(),
            }),
            (action, Event::Tallied(Ok(tallies))) => self.tallied(action, &tallies, exchange),
            (_, Event::Tallied(Err(unavailable))) => Err(Failure {
                source: None,
                reason: "CountersUnavailable",
                message: unavailable.to_string(),
                problem: Problem::unavailable("counters_unavailable"),
            }),
            (Action::LookupResponse(lookup), Event::CachedResponse(found)) => {
                lookup.found(found.as_deref(), exchange);
                if exchange.cache == CacheOutcome::Hit { Ok(self.after_store()) } else { Ok(Flow::Next) }
            }
            (Action::LookupValue(lookup), Event::CachedValue(found)) => {
                lookup.found(found, exchange)
            }
            _ => Ok(Flow::Next),
        }
    }

    fn tallied(
        &mut self,
        action: &Action,
        tallies: &Tallies,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        match action {
            Action::RateLimit(limit) => limit.judge(tallies, exchange),
            Action::RateLimitByKey(limit) => {
                self.defer(limit.is_deferred());
                limit.judge(tallies, exchange)
            }
            Action::Quota(quota) => quota.judge(tallies, exchange),
            Action::QuotaByKey(quota) => {
                self.defer(quota.is_deferred());
                quota.judge(tallies, exchange)
            }
            _ => Ok(Flow::Next),
        }
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
                    reason: "BackendErrorStatus",
                    message: format!("the backend answered {}", status.as_u16()),
                    problem: Problem::failed("backend_error_status"),
                })
            }
            _ => Ok(Flow::Next),
        }
    }

    fn execute(&mut self, action: &Action, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match action {
            Action::Jump(step) => Ok(Flow::Goto(*step)),
            Action::Unless { condition, otherwise } => {
                let holds = condition.get(exchange)?;
                Ok(if holds { Flow::Next } else { Flow::Goto(*otherwise) })
            }
            Action::RetryEnter => {
                self.loops.push(Loop { start: self.step.saturating_add(1), retries: 0 });
                Ok(Flow::Next)
            }
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
            Action::RewriteUri(policy) => policy.run(exchange),
            Action::SetBackend(policy) => policy.run(exchange),
            Action::Forward(forward) => forward.run(exchange),
            Action::ReturnResponse(policy) => policy.run(exchange),
            Action::MockResponse(policy) => policy.run(exchange),
            Action::CheckHeader(policy) => policy.run(exchange),
            Action::IpFilter(policy) => policy.run(exchange),
            Action::Cors(policy) => policy.run(exchange),
            Action::RateLimit(policy) => policy.run(exchange),
            Action::RateLimitByKey(policy) => policy.run(exchange),
            Action::Quota(policy) => policy.run(exchange),
            Action::QuotaByKey(policy) => policy.run(exchange),
            Action::LookupResponse(policy) => policy.run(exchange),
            Action::StoreResponse(policy) => policy.run(exchange),
            Action::LookupValue(policy) => policy.run(exchange),
            Action::StoreValue(policy) => policy.run(exchange),
            Action::RemoveValue(policy) => policy.run(exchange),
            Action::Trace(policy) => policy.run(exchange),
        }
    }

    fn retry(&mut self, retry: &Retry, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let done = self.loops.last().map_or(u32::MAX, |inner| inner.retries);
        match retry.pause(done, exchange)? {
            None => {
                self.loops.pop();
                Ok(Flow::Next)
            }
            Some(Duration::ZERO) => self.again(),
            Some(pause) => Ok(Flow::Ask(Effect::Sleep(pause))),
        }
    }

    /// Back to the first child of the innermost retry.
    fn again(&mut self) -> Result<Flow, Failure> {
        let Some(inner) = self.loops.last_mut() else {
            return Ok(Flow::Next);
        };
        inner.retries = inner.retries.saturating_add(1);
        Ok(Flow::Goto(inner.start))
    }

    /// Goes on in on-error; what the driver has to do if the failure happened there.
    fn fail(&mut self, failure: Failure, exchange: &mut Exchange) -> Option<Effect> {
        self.loops.clear();
        self.permits.clear();
        let in_on_error = self.section == Section::OnError;
        exchange.last_error = Some(self.describe(&failure));
        if let Some(recorder) = &mut self.recorder
            && let Some(last) = recorder.last_mut()
        {
            last.outcome = Some(format!("{}: {}", failure.reason, failure.message));
        }
        exchange.answer(&failure.problem);
        if in_on_error {
            return Some(self.finish(exchange));
        }
        self.enter(Section::OnError);
        None
    }

    fn describe(&self, failure: &Failure) -> LastError {
        let note = self.stands_at();
        LastError {
            source: failure.source.or(note.map(|note| note.policy)).unwrap_or("gateway"),
            reason: failure.reason,
            message: failure.message.clone(),
            scope: self.block_here().map_or("global", |block| block.scope.as_str()),
            section: self.section.as_str(),
            path: note.map_or_else(|| Arc::from(""), |note| Arc::clone(&note.path)),
            policy_id: note.and_then(|note| note.id.clone()),
            place: note.map(|note| note.place.clone()),
        }
    }

    /// Counts what waited for the response, then delivers.
    fn finish(&mut self, exchange: &mut Exchange) -> Effect {
        exchange.response_or(StatusCode::OK);
        if self.deferred.is_empty() {
            return Effect::Deliver;
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
        if charges.is_empty() {
            return Effect::Deliver;
        }
        self.enter_end();
        Effect::Add(charges)
    }

    /// After the last block, so that a report finds no step and the run is over.
    const fn enter_end(&mut self) {
        self.enter(Section::OnError);
        self.block = usize::MAX;
    }

    /// Whether a count that waits for the response wants to read its body.
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

/// The body that `step` waits for.
const fn missing_body(step: &Step, exchange: &Exchange) -> Option<Side> {
    if step.needs.request_body && exchange.request.body.is_waiting() {
        return Some(Side::Request);
    }
    if step.needs.response_body
        && let Some(response) = &exchange.response
        && response.body.is_waiting()
    {
        return Some(Side::Response);
    }
    None
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
