//! Runs a program without doing anything: events in, effects out.
//!
//! A [`Machine`] can be left and resumed between any two steps, so one run spans the phases of
//! whoever drives it: it stops at each [`Effect`], and goes on with the [`Event`] that reports
//! what came of it. It awaits nothing, reads no clock and holds no connection.

mod step;
mod making;
mod retry;
mod strands;
mod judged;
mod end;
mod inspect;
mod effect;

use std::sync::Arc;

use http::StatusCode;

use crate::exchange::Exchange;
use crate::fault::Place;
use crate::limit::concurrency::Permit;
use crate::policy::limits::holding::Holding;
use crate::policy::llm::safety::{Checks, Rules};
use crate::policy::machine::making::Making;
use crate::policy::machine::retry::Loop;
use crate::policy::machine::strands::Strands;
use crate::policy::program::{Action, Block, Note, Program, Step};
use crate::policy::{Failure, Section, Side, coding};

pub use effect::{Effect, Event};

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
    /// How many children all `wait` have begun.
    strands_begun: usize,
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
            strands_begun: 0,
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
        if exchange.inspection.is_some() {
            return self.resume_inspected(event, exchange);
        }
        self.go_on(event, exchange)
    }

    fn go_on(&mut self, event: Event, exchange: &mut Exchange) -> Effect {
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
        let effect = match ended {
            Some(last) => last,
            None => self.run(exchange),
        };
        if exchange.inspection.is_some() {
            self.tell_wanted(&effect, exchange);
        }
        effect
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
            self.note_step(exchange);
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
