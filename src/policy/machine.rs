//! Runs a program without doing anything: events in, effects out.
//!
//! A [`Machine`] can be left and resumed between any two steps, so one run spans the phases of
//! whoever drives it: it stops at each [`Effect`], and goes on with the [`Event`] that reports
//! what came of it. It awaits nothing, reads no clock and holds no connection.

mod step;
mod making;
mod strands;
mod judged;
mod end;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::exchange::Exchange;
use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::message::Response;
use crate::expression::value::Value;
use crate::fault::Place;
use crate::limit::concurrency::Permit;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, CountersUnavailable, Tallies};
use crate::policy::caching::made::{Found, Made, Wanted};
use crate::policy::identity::asked as identity;
use crate::policy::limits::holding::Holding;
use crate::policy::llm::safety::{Checks, Rules};
use crate::policy::logging::event_hub::HubEvent;
use crate::policy::machine::making::Making;
use crate::policy::machine::strands::Strands;
use crate::policy::program::{Action, Block, Note, Program, Step};
use crate::policy::routing::Forward;
use crate::policy::send::outgoing::Outgoing;
use crate::policy::tokens::asked::{Answer, Asked};
use crate::policy::{Failure, Section, Side, coding};
use crate::problem::Problem;
use crate::time::Timestamp;

/// One run of a program.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    section: Section,
    block: usize,
    step: usize,
    /// The retries that the run is inside of, innermost last.
    loops: Vec<Loop>,
    /// The values that it makes, innermost last.
    making: Vec<Making>,
    /// The `wait` that the run is inside of.
    strands: Option<Box<Strands>>,
    /// The permits that it holds, innermost last.
    permits: Vec<Permit>,
    /// Permits whose policies ended while their response was still on its way.
    lingering: Vec<Permit>,
    /// Counts that wait for the response, by the place of their step.
    deferred: Vec<Position>,
    /// What a service that judges texts is still to be asked.
    checks: Checks,
    /// By what rules it judges the answer.
    judges: Vec<Arc<Rules>>,
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
    /// The charges, and what the counters said to them.
    Tallied(Vec<Charge>, Result<Tallies, CountersUnavailable>),
    /// Whether there was room.
    Entered(Option<Permit>),
    /// What the cache of responses had.
    CachedResponse(Option<Arc<CachedResponse>>),
    /// What the cache of values had.
    CachedValue(Option<Value>),
    /// A value that was wanted.
    Wanted(Found),
    /// Whether somebody vouches for a token.
    Authenticated(Answer),
    /// A token of the gateway's own, or why there is none.
    Obtained(identity::Answer),
    /// What another service answered, with its whole body, or why not.
    Called(Result<Response, Failure>),
    /// Whether the whole answer was heard, or why it cannot be.
    Measured(Result<bool, Problem>),
    /// What came of one of several things that were asked for, by its number.
    Of(usize, Box<Event>),
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
    /// Give this back, which was taken then; report [`Event::Done`].
    Refund(Charge, Timestamp),
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
    /// Find this value, or whose turn it is to make it; report [`Event::Wanted`].
    WantValue(Wanted),
    /// Keep this value, and give it to those who wait for it; report [`Event::Done`].
    KeepValue(Box<Made>),
    /// Find out whether somebody vouches for a token; report [`Event::Authenticated`].
    Authenticate(Box<Asked>),
    /// Get a token that says who the gateway is; report [`Event::Obtained`].
    Obtain(Box<identity::Asked>),
    /// Wait; report [`Event::Done`].
    Sleep(Duration),
    /// Send this to another service; report [`Event::Called`].
    Call(Box<Outgoing>),
    /// Send this to another service without waiting for it; report [`Event::Done`].
    Tell(Box<Outgoing>),
    /// Begin these too, and report each as [`Event::Of`] when it is done. Any other effect ends them:
    /// what is not done by then is given up.
    Together(Vec<(usize, Effect)>),
    /// Queue this for an event hub; report [`Event::Done`].
    Emit(Box<HubEvent>),
    /// Send the request to its backend; report [`Event::Responded`] or [`Event::Failed`].
    Forward(Forward),
    /// Let the meter of the exchange hear the whole response, if it is not too large, before it
    /// goes out; report [`Event::Measured`].
    Measure,
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
    pub fn new(program: Arc<Program>) -> Self {
        Self {
            program,
            section: Section::Inbound,
            block: 0,
            step: 0,
            loops: Vec::new(),
            making: Vec::new(),
            strands: None,
            permits: Vec::new(),
            lingering: Vec::new(),
            deferred: Vec::new(),
            checks: Checks::default(),
            judges: Vec::new(),
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

    /// Takes for recorded what ran before the run, without it.
    pub fn recall(&mut self, ran: Vec<Ran>) {
        self.recorder = Some(ran);
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step counts")]
    pub fn counts(&self, exchange: &mut Exchange) -> Option<Arc<str>> {
        let step = self.block_here()?.steps.get(self.step)?;
        match &step.action {
            Action::RateLimit(_) | Action::Quota(_) => {
                exchange.subscription.as_ref().map(|known| Arc::clone(&known.id))
            }
            Action::RateLimitByKey(limit) => limit.identity(exchange),
            Action::QuotaByKey(quota) => quota.identity(exchange),
            Action::TokenLimit(limit) => limit.identity(exchange),
            Action::ConcurrencyEnter(limit) => limit.identity(exchange),
            _ => None,
        }
    }

    /// How the limit is held at which the run stands.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step is held over replicas")]
    pub fn holding(&self) -> Option<&Holding> {
        match &self.block_here()?.steps.get(self.step)?.action {
            Action::RateLimit(limit) => Some(limit.holding()),
            Action::RateLimitByKey(limit) => Some(limit.holding()),
            Action::Quota(quota) => Some(quota.holding()),
            Action::QuotaByKey(quota) => Some(quota.holding()),
            Action::TokenLimit(limit) => Some(limit.holding()),
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
        let program = Arc::clone(&self.program);
        loop {
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
            self.note_step();
            let ready = if step.reads_response_text() { coding::decode(exchange) } else { Ok(()) };
            match ready.and_then(|()| self.execute(&step.action, exchange)) {
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
