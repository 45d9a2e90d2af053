//! `retry` on the way: whether its policies run again, also where a request could not be forwarded.

use std::time::Duration;

use super::{Effect, Flow, Machine};
use crate::exchange::Exchange;
use crate::policy::Failure;
use crate::policy::flow::Retry;
use crate::policy::program::Action;

/// Reasons of failures that are the backend's. All others would come again (an expression that
/// fails), or must not be hidden by another try (a body of the client that breaks off).
const RETRIED: [&str; 4] =
    [Failure::UNREACHED, Failure::LATE, Failure::STATUS, Failure::UNAVAILABLE];

/// One `retry` that the run is inside of.
#[derive(Debug)]
pub(super) struct Loop {
    /// The index of its first child.
    start: usize,
    /// How often the children ran again.
    retries: u32,
    /// How many permits are around it.
    permits: usize,
    /// Whether it was the request that went out in it.
    forwards: bool,
    /// Why the request was not forwarded the last time, and at which step.
    failed: Option<(Failure, usize)>,
}

impl Machine {
    /// The run comes to a `retry`.
    pub(super) fn enter_retry(&mut self) -> Flow {
        self.loops.push(Loop {
            start: self.step.saturating_add(1),
            retries: 0,
            permits: self.permits.len(),
            forwards: false,
            failed: None,
        });
        Flow::Next
    }

    /// The policies of the innermost `retry` have run, or could not forward the request: they run
    /// again, or the run goes on.
    pub(super) fn retry(
        &mut self,
        retry: &Retry,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let done = self.loops.last().map_or(u32::MAX, |inner| inner.retries);
        let forwards = self.loops.last().is_some_and(|inner| inner.forwards);
        let failed = self.loops.last_mut().and_then(|inner| inner.failed.take());
        match (retry.pause(done, exchange)?, failed) {
            (Some(pause), failed) => {
                if let (Some(inner), Some(failed)) = (self.loops.last_mut(), failed) {
                    exchange.last_error = None;
                    exchange.refusal = None;
                    // It stays until a request was forwarded.
                    inner.failed = Some(failed);
                }
                Ok(match pause {
                    // What is sent to a backend again has a bound of its own.
                    pause if forwards => Flow::Ask(Effect::Again(pause)),
                    Duration::ZERO => self.again(),
                    pause => Flow::Ask(Effect::Sleep(pause)),
                })
            }
            (None, failed) => {
                if let Some(inner) = self.loops.last_mut() {
                    inner.failed = failed;
                }
                self.leave_retry()
            }
        }
    }

    /// The run goes on behind the innermost `retry`, with the failure that it leaves, if there is one.
    pub(super) fn leave_retry(&mut self) -> Result<Flow, Failure> {
        match self.loops.pop().and_then(|inner| inner.failed) {
            Some((failure, step)) => {
                self.step = step;
                Err(failure)
            }
            None => Ok(Flow::Next),
        }
    }

    /// Back to the first child of the innermost `retry`.
    pub(super) fn again(&mut self) -> Flow {
        let Some(inner) = self.loops.last_mut() else {
            return Flow::Next;
        };
        inner.retries = inner.retries.saturating_add(1);
        Flow::Goto(inner.start)
    }

    /// Leaves it to the `retry` around a `forward-request` whether its failure is one: its
    /// condition is asked with the answer that the client would get. Gives the failure back where
    /// there is none around it.
    pub(super) fn try_again(
        &mut self,
        failure: Failure,
        exchange: &mut Exchange,
    ) -> Option<Failure> {
        let end = self.end_of_retry().filter(|_end| RETRIED.contains(&failure.reason));
        let Some(end) = end else {
            return Some(failure);
        };
        let failure = Failure { message: exchange.covered(failure.message), ..failure };
        self.note_failure(&failure, exchange);
        self.blame(&failure, exchange);
        let step = std::mem::replace(&mut self.step, end);
        if failure.reason != Failure::UNAVAILABLE {
            self.forwarded_in_loops();
        }
        if let Some(inner) = self.loops.last_mut() {
            inner.failed = Some((failure, step));
            self.permits.truncate(inner.permits);
        }
        None
    }

    /// A request was forwarded: what failed before is mended.
    pub(super) fn mended(&mut self) {
        self.forwarded_in_loops();
        if let Some(inner) = self.loops.last_mut() {
            inner.failed = None;
        }
    }

    fn forwarded_in_loops(&mut self) {
        for each in &mut self.loops {
            each.forwards = true;
        }
    }

    /// The last step of the innermost `retry`, if the run stands at a `forward-request` in it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step begins or ends a retry")]
    fn end_of_retry(&self) -> Option<usize> {
        let inner = self.loops.last()?;
        if self.making.last().is_some_and(|made| made.is_inside(self.loops.len())) {
            return None;
        }
        let steps = &self.block_here()?.steps;
        if !matches!(steps.get(self.step)?.action, Action::Forward(_)) {
            return None;
        }
        let mut depth = 1_usize;
        for (at, step) in steps.iter().enumerate().skip(inner.start) {
            match step.action {
                Action::RetryEnter => depth = depth.saturating_add(1),
                Action::RetryAgain(_) => depth = depth.saturating_sub(1),
                _ => (),
            }
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::Run;

    fn run() -> Run {
        Run::of(
            r#"<policies><inbound />
                <backend><retry condition="@(context.Response.StatusCode &gt;= 500)" count="3" interval="1">
                    <forward-request /></retry></backend>
                <outbound><set-header name="x-out"><value>yes</value></set-header></outbound>
                <on-error><set-header name="x-error"><value>@(context.LastError.Reason)</value>
                </set-header></on-error></policies>"#,
        )
    }

    #[test]
    fn what_was_tried_too_often_ends_with_the_answer_that_it_has() {
        let run = run();
        run.answers(503, &[], "busy");
        run.has_tried_enough();
        let outcome = run.get("/x").go();
        assert_eq!((outcome.forwarded.len(), outcome.status(), outcome.body()), (1, 503, "busy"));
        assert_eq!(outcome.header("x-out"), Some("yes"));
    }

    #[test]
    fn where_nobody_could_be_asked_it_is_tried_again_and_that_costs_nothing() {
        let run = run();
        let soon = crate::backend::standing::Unavailable::SOON;
        run.fails(Failure::unavailable("the backend", soon));
        run.answers(200, &[], "here");
        run.has_tried_enough();
        let outcome = run.get("/x").go();
        assert_eq!((outcome.status(), outcome.body()), (200, "here"));
        assert_eq!(outcome.slept, [Duration::from_secs(1)]);
    }

    #[test]
    fn what_was_tried_too_often_ends_with_the_failure_that_it_has() {
        let run = run();
        run.fails(Failure::late("too late".to_owned()));
        run.has_tried_enough();
        let outcome = run.get("/x").go();
        assert_eq!((outcome.forwarded.len(), outcome.status()), (1, 500));
        assert_eq!(outcome.header("x-error"), Some(Failure::LATE));
        assert_eq!(outcome.error().message, "too late");
    }
}
