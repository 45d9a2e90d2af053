//! `wait` on the way: its children, each of which goes on by itself.

use std::mem;
use std::sync::Arc;

use super::making::Making;
use super::{Effect, Event, Flow, Loop, Machine};
use crate::exchange::Exchange;
use crate::policy::flow::wait::{For, Wait};
use crate::policy::{Failure, coding};

/// The `wait` that the run is inside of.
#[derive(Debug)]
pub(super) struct Strands {
    enter: usize,
    /// The number of the first child; no other of the run has it.
    first: usize,
    waits_for: For,
    /// Where the run goes on afterwards.
    after: usize,
    all: Vec<Strand>,
}

/// One child.
#[derive(Debug)]
struct Strand {
    /// Where it stands.
    step: usize,
    /// The step after its last.
    end: usize,
    loops: Vec<Loop>,
    making: Vec<Making>,
    is_done: bool,
}

/// How far a child came.
enum Progress {
    /// It needs this.
    Asks(Effect),
    /// It is at its end.
    Done,
    /// The response of the exchange is final.
    Final,
}

impl Machine {
    /// Begins all children.
    pub(super) fn begin_wait(
        &mut self,
        wait: &Wait,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let enter = self.step;
        let waits_for = wait.waits_for(exchange)?;
        let strand = |(step, end)| Strand {
            step,
            end,
            loops: Vec::new(),
            making: Vec::new(),
            is_done: false,
        };
        let all: Vec<Strand> = wait.children(enter).map(strand).collect();
        let (first, count) = (self.strands_begun, all.len());
        self.strands_begun = first.saturating_add(count);
        let after = wait.end(enter);
        self.strands = Some(Box::new(Strands { enter, first, waits_for, after, all }));
        let mut asked = Vec::new();
        for index in 0..count {
            match self.advance(index, None, exchange)? {
                Progress::Asks(effect) => asked.push((first.saturating_add(index), effect)),
                Progress::Final => return Ok(self.give_up()),
                Progress::Done => {
                    if let Some(flow) = self.waited() {
                        return Ok(flow);
                    }
                }
            }
        }
        Ok(self.waited().unwrap_or(Flow::Ask(Effect::Together(asked))))
    }

    /// Goes on with the child of that number. What was asked for a child of an earlier `wait`, which
    /// did not wait for it, comes too late.
    pub(super) fn of_strand(
        &mut self,
        number: usize,
        event: Event,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let own = self.strands.as_ref().and_then(|strands| {
            let index = number.checked_sub(strands.first)?;
            strands.all.get(index).is_some_and(|strand| !strand.is_done).then_some(index)
        });
        let Some(index) = own else { return Ok(Flow::Ask(Effect::Together(Vec::new()))) };
        let more = match self.advance(index, Some(event), exchange)? {
            Progress::Asks(effect) => vec![(number, effect)],
            Progress::Final => return Ok(self.give_up()),
            Progress::Done => Vec::new(),
        };
        Ok(self.waited().unwrap_or(Flow::Ask(Effect::Together(more))))
    }

    /// The flow after the `wait`, if nobody has to be waited for any more.
    fn waited(&mut self) -> Option<Flow> {
        let strands = self.strands.as_ref()?;
        let mut done = strands.all.iter().map(|strand| strand.is_done);
        let is_over = match strands.waits_for {
            For::All => done.all(|is_done| is_done),
            For::Any => done.any(|is_done| is_done),
        };
        let after = strands.after;
        is_over.then(|| {
            self.strands = None;
            Flow::Goto(after)
        })
    }

    fn give_up(&mut self) -> Flow {
        self.strands = None;
        Flow::Finish
    }

    /// Lets a child go on until it asks for something or ends. If it fails, the run stands at the
    /// step that failed.
    fn advance(
        &mut self,
        index: usize,
        event: Option<Event>,
        exchange: &mut Exchange,
    ) -> Result<Progress, Failure> {
        let Some(mut strands) = self.strands.take() else { return Ok(Progress::Done) };
        let enter = strands.enter;
        let Some(strand) = strands.all.get_mut(index) else { return Ok(Progress::Done) };
        self.step = strand.step;
        mem::swap(&mut self.loops, &mut strand.loops);
        mem::swap(&mut self.making, &mut strand.making);
        let outcome = self.run_strand(strand.end, event, exchange);
        mem::swap(&mut self.loops, &mut strand.loops);
        mem::swap(&mut self.making, &mut strand.making);
        // Of one that failed nothing is left, and nothing of the others.
        let progress = outcome?;
        strand.is_done = matches!(progress, Progress::Done);
        strand.step = mem::replace(&mut self.step, enter);
        self.strands = Some(strands);
        Ok(progress)
    }

    fn run_strand(
        &mut self,
        end: usize,
        event: Option<Event>,
        exchange: &mut Exchange,
    ) -> Result<Progress, Failure> {
        let mut answered = event.map(|event| self.take(event, exchange));
        let program = Arc::clone(&self.program);
        loop {
            let outcome = if let Some(answered) = answered.take() {
                answered
            } else {
                let block = program.blocks(self.section).get(self.block);
                let step = block.and_then(|block| block.steps.get(self.step));
                let Some(step) = step.filter(|_step| self.step < end) else {
                    return Ok(Progress::Done);
                };
                self.note_step(exchange);
                let is_ready =
                    if step.reads_response_text() { coding::decode(exchange) } else { Ok(()) };
                is_ready.and_then(|()| self.execute(&step.action, exchange))
            };
            match outcome {
                Ok(Flow::Ask(effect)) => return Ok(Progress::Asks(effect)),
                Ok(flow) => {
                    if self.follow(&flow) {
                        return Ok(Progress::Final);
                    }
                }
                Err(failure) => {
                    if let Some(failure) = self.recover(failure, exchange) {
                        return Err(failure);
                    }
                }
            }
        }
    }
}
