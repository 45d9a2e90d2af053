//! Answers that are given only once a replica of the primary has what was sold.
//!
//! `WAIT` holds up the connection on which it is said, for as long as it may where a replica
//! stands still. So it has a connection of its own, to the same life of the same server, and what
//! needs no replica never waits for one. There it follows a write: who has that write has
//! everything before it, over whichever connection it came. One question serves all answers that
//! were here when it was asked.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::counters::redis::batch::Desk;
use crate::counters::redis::dial::{Line, Report, TRIAL_MILLIS};
use crate::counters::redis::settings::{Login, Place, Tls};
use crate::counters::redis::trouble::Trouble;
use crate::counters::redis::{Copies, News};
use crate::limit::order::{Durability, Outcome, Reply, Ticket};
use crate::time::Timestamp;

/// How long a replica may take, in milliseconds. With the way to the primary and back it is less
/// than the time in which an answer counts.
pub(super) const WAIT_MILLIS: u64 = 20;

/// How long the primary may take to say what replicas say.
const ANSWER_MAX: Duration = Duration::from_millis(WAIT_MILLIS + 20);

/// For how long nobody who can do without is kept waiting again, once no replica has confirmed.
const DO_WITHOUT: Duration = Duration::from_secs(1);

/// How many batches of answers may wait at once.
pub(super) const HELD_MAX: usize = 64;

/// Answers that wait for a replica. When it is dropped, their orders are unanswered.
pub(super) struct Held {
    desk: Desk,
    sent: Timestamp,
    answers: Vec<(Ticket, Reply, Durability)>,
}

/// How to get to the primary a second time.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Where it is.
    pub(super) place: Place,
    /// TLS, if it is spoken.
    pub(super) tls: Option<Tls>,
    /// Who we are.
    pub(super) login: Option<Login>,
}

/// Asks whether replicas have what was sold.
pub(super) struct Confirmer {
    desk: Desk,
    way: Way,
    /// Which life of which server sold.
    run: u64,
    /// The key that is written before it is asked.
    trial: String,
    line: Option<Line>,
    /// What was found last, and whether somebody was kept from spending by it.
    told: Option<(Copies, bool)>,
    /// Whether somebody spends nothing that no replica has.
    is_required: bool,
    /// Until when nobody waits who can do without.
    do_without_until: Timestamp,
}

impl Held {
    /// Answers to orders that were sent at `sent`.
    pub(super) const fn new(
        desk: Desk,
        sent: Timestamp,
        answers: Vec<(Ticket, Reply, Durability)>,
    ) -> Self {
        Self { desk, sent, answers }
    }

    fn must_be_confirmed(&self) -> bool {
        self.answers.iter().any(|(_, _, durability)| *durability == Durability::Replicated)
    }

    fn settle(mut self, is_confirmed: bool) {
        let answers = std::mem::take(&mut self.answers).into_iter();
        let outcomes = answers.map(|(ticket, reply, durability)| {
            let is_good = is_confirmed || durability != Durability::Replicated;
            (ticket, if is_good { Outcome::Answered(reply) } else { Outcome::Unconfirmed })
        });
        self.desk.tell(outcomes.collect(), self.sent);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let answers = std::mem::take(&mut self.answers).into_iter();
        let outcomes = answers.map(|(ticket, ..)| (ticket, Outcome::Unanswered));
        self.desk.tell(outcomes.collect(), self.sent);
    }
}

impl Confirmer {
    /// Asks the life `run` of the server at the end of `way`, writing the key `trial` there.
    pub(super) const fn new(desk: Desk, way: Way, run: u64, trial: String) -> Self {
        Self {
            desk,
            way,
            run,
            trial,
            line: None,
            told: None,
            is_required: false,
            do_without_until: Timestamp::from_micros(0),
        }
    }

    /// Asks for all that is held, until nobody holds anything any more.
    pub(super) async fn run(mut self, mut held: mpsc::Receiver<Held>) {
        let mut waiting: Vec<Held> = Vec::new();
        loop {
            if waiting.is_empty() {
                let Some(next) = held.recv().await else { return };
                keep(next, self.do_without_until, &mut waiting);
                continue;
            }
            // Who comes while it is asked may have bought after that: they are for the next time.
            let asked = std::mem::take(&mut waiting);
            self.is_required |= asked.iter().any(Held::must_be_confirmed);
            let copies = {
                let until = self.do_without_until;
                let mut answer = std::pin::pin!(self.ask());
                loop {
                    tokio::select! {
                        biased;
                        copies = &mut answer => break copies,
                        Some(next) = held.recv() => keep(next, until, &mut waiting),
                    }
                }
            };
            let is_confirmed = copies == Copies::Confirmed;
            if !is_confirmed {
                self.do_without_until = self.desk.clock.now() + DO_WITHOUT;
            }
            self.tell(copies);
            for held in asked {
                held.settle(is_confirmed);
            }
        }
    }

    /// Who has all that was sold before.
    async fn ask(&mut self) -> Copies {
        let line = self.line.take();
        match timeout(ANSWER_MAX, self.ask_over(line)).await {
            Ok(Ok((line, copies))) => {
                self.line = Some(line);
                copies
            }
            Ok(Err(trouble)) => Copies::Unknown(trouble),
            Err(_) => Copies::Unknown(Trouble::Silent),
        }
    }

    async fn ask_over(&self, line: Option<Line>) -> Result<(Line, Copies), Trouble> {
        let found_none = matches!(self.told, Some((Copies::NoReplica, _)));
        let line = match line {
            Some(line) if !found_none => line,
            line => {
                let (line, report) = self.look(line).await?;
                if report.replicas == 0 {
                    return Ok((line, Copies::NoReplica));
                }
                line
            }
        };
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("SET").arg(&self.trial).arg(0).arg("PX").arg(TRIAL_MILLIS);
        pipeline.cmd("WAIT").arg(1).arg(WAIT_MILLIS);
        self.desk.note_commands(2);
        let answers = line.ask(&pipeline, 2).await?;
        if let Some(Value::ServerError(error)) =
            answers.iter().find(|answer| matches!(answer, Value::ServerError(_)))
        {
            return Err(Trouble::of_server(error.code(), error.details()));
        }
        if matches!(answers.as_slice(), [_, Value::Int(1..)]) {
            return Ok((line, Copies::Confirmed));
        }
        let (line, report) = self.look(Some(line)).await?;
        let copies = if report.replicas == 0 { Copies::NoReplica } else { Copies::Late };
        Ok((line, copies))
    }

    /// Makes sure that `line`, or else a new one, leads to who sold, and sees how it is doing.
    async fn look(&self, line: Option<Line>) -> Result<(Line, Report), Trouble> {
        let line = if let Some(line) = line {
            line
        } else {
            let Way { place, tls, login } = &self.way;
            Line::open(place, tls.as_ref(), login.as_ref()).await?
        };
        let report = line.report().await?;
        // A name may lead elsewhere the second time.
        if report.run() == self.run { Ok((line, report)) } else { Err(Trouble::NotPrimary) }
    }

    fn tell(&mut self, copies: Copies) {
        let found = Some((copies.clone(), self.is_required));
        if self.told != found {
            self.told = found;
            let (lane, is_required) = (self.desk.lane, self.is_required);
            self.desk.customer.told(News::Copies { lane, copies, is_required });
        }
    }
}

/// Puts `next` to those who wait, unless it can do without until then.
fn keep(next: Held, do_without_until: Timestamp, waiting: &mut Vec<Held>) {
    if !next.must_be_confirmed() && next.desk.clock.now() < do_without_until {
        next.settle(false);
    } else if waiting.len() < HELD_MAX {
        waiting.push(next);
    }
}
