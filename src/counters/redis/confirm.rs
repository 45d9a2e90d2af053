//! Answers that are given only once a replica of the primary has what was sold.
//!
//! `WAIT` holds up the connection on which it is said, for as long as it may where a replica
//! stands still. So it has a connection of its own, to the same life of the same server, and what
//! needs no replica never waits for one. There it follows a write: who has that write has
//! everything before it, over whichever connection it came. One question serves all answers that
//! were here when it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::counters::redis::answer::error_of;
use crate::counters::redis::batch::Desk;
use crate::counters::redis::dial::{Line, Report, TRIAL_MILLIS};
use crate::counters::redis::settings::{Login, Place, Tls};
use crate::counters::redis::trouble::Trouble;
use crate::counters::redis::{Copies, News, SILENCE_MAX};
use crate::limit::order::durability::Durability;
use crate::limit::order::{Outcome, Reply, Ticket};
use crate::time::Timestamp;

/// How long an answer waits for a replica. With what it took before it is less than the time in
/// which an answer counts.
pub(super) const CONFIRM_MAX: Duration = Duration::from_millis(25);

/// How long a replica may take, in milliseconds. A primary that has nothing else to do notices up
/// to 100 ms later that the time is over.
const WAIT_MILLIS: u64 = 20;

/// For how long nobody who can do without is kept waiting again, once no replica has confirmed.
const DO_WITHOUT: Duration = Duration::from_secs(1);

/// How many batches of answers may wait at once.
pub(super) const HELD_MAX: usize = 64;

/// Answers that wait for a replica. When it is dropped, their orders are unanswered.
pub(super) struct Held {
    desk: Desk,
    sent: Timestamp,
    /// Until when they wait.
    until: Timestamp,
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

/// Asks whether replicas have what was sold, and gives the answers that wait for that.
pub(super) struct Confirmer {
    desk: Desk,
    question: Question,
    /// Those for whom it is asked now, and those who came since: they may have bought later.
    asked: Vec<Held>,
    waiting: Vec<Held>,
    /// What was found last, and whether somebody was kept from spending by it.
    told: Option<(Copies, bool)>,
    /// Whether somebody spends nothing that no replica has.
    is_required: bool,
    /// Until when nobody waits who can do without.
    do_without_until: Timestamp,
    /// Whether it is to be asked though nobody waits.
    is_curious: bool,
}

/// Whether the replicas of a primary have all that it did before.
#[derive(Clone, Debug)]
struct Question {
    way: Way,
    /// Which life of which server it is.
    run: u64,
    /// The key that is written before it is asked.
    trial: String,
    commands: Arc<AtomicU64>,
}

impl Held {
    /// Answers to orders that were sent at `sent`.
    pub(super) fn new(
        desk: Desk,
        sent: Timestamp,
        answers: Vec<(Ticket, Reply, Durability)>,
    ) -> Self {
        let until = desk.clock.now() + CONFIRM_MAX;
        Self { desk, sent, until, answers }
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
        self.desk.tell(outcomes.collect(), Some(self.sent));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let answers = std::mem::take(&mut self.answers).into_iter();
        let outcomes = answers.map(|(ticket, ..)| (ticket, Outcome::Unanswered));
        self.desk.tell(outcomes.collect(), Some(self.sent));
    }
}

impl Confirmer {
    /// Asks the life `run` of the server at the end of `way`, writing the key `trial` there.
    pub(super) fn new(desk: Desk, way: Way, run: u64, trial: String) -> Self {
        let commands = Arc::clone(&desk.commands);
        Self {
            desk,
            question: Question { way, run, trial, commands },
            asked: Vec::new(),
            waiting: Vec::new(),
            told: None,
            is_required: false,
            do_without_until: Timestamp::default(),
            is_curious: false,
        }
    }

    /// Asks for all that is held, until nobody holds anything any more.
    pub(super) async fn run(mut self, mut held: mpsc::Receiver<Held>) {
        let mut line = None;
        let mut asking = JoinSet::new();
        loop {
            if asking.is_empty() && (self.is_curious || !self.waiting.is_empty()) {
                self.is_curious = false;
                self.asked = std::mem::take(&mut self.waiting);
                self.is_required |= self.asked.iter().any(Held::must_be_confirmed);
                let looks = matches!(self.told, None | Some((Copies::NoReplica, _)));
                asking.spawn(self.question.clone().ask(line.take(), looks));
            }
            let now = self.desk.clock.now();
            let held_ones = self.asked.iter().chain(&self.waiting);
            let until = held_ones.map(|held| held.until).min();
            tokio::select! {
                biased;
                Some(answer) = asking.join_next() => {
                    // Who asked ended by itself: as if there were no answer.
                    let silent = (None, Copies::Unknown(Trouble::Silent));
                    let (open, copies) = answer.unwrap_or(silent);
                    line = open;
                    self.answer(copies);
                }
                () = sleep(until.unwrap_or(now).since(now)), if until.is_some() => self.give_up(),
                next = held.recv() => match next {
                    Some(next) => self.keep(next),
                    None => return,
                },
            }
        }
    }

    /// Takes in `next`, unless it can do without: then it waits only while replicas are known to
    /// confirm, and has it found out now and then whether they do.
    fn keep(&mut self, next: Held) {
        let is_late = self.desk.clock.now() < self.do_without_until;
        let are_there = matches!(self.told, Some((Copies::Confirmed, _))) && !is_late;
        if !next.must_be_confirmed() && !are_there {
            self.is_curious |= !is_late;
            next.settle(false);
        } else if self.waiting.len() < HELD_MAX {
            self.waiting.push(next);
        }
    }

    /// `copies` is the answer for those for whom it was asked.
    fn answer(&mut self, copies: Copies) {
        let is_confirmed = copies == Copies::Confirmed;
        if !is_confirmed {
            self.do_without_until = self.desk.clock.now() + DO_WITHOUT;
        }
        let found = Some((copies.clone(), self.is_required));
        if self.told != found {
            self.told = found;
            let (lane, is_required) = (self.desk.lane, self.is_required);
            self.desk.customer.told(News::Copies { lane, copies, is_required });
        }
        for held in std::mem::take(&mut self.asked) {
            held.settle(is_confirmed);
        }
    }

    /// Lets those go who have waited for long enough.
    fn give_up(&mut self) {
        let now = self.desk.clock.now();
        for held in [&mut self.asked, &mut self.waiting] {
            for late in held.extract_if(.., |held| held.until <= now) {
                self.do_without_until = now + DO_WITHOUT;
                late.settle(false);
            }
        }
    }
}

impl Question {
    /// Asks over `line`, if it is still of use, and gives back one that is. If it `looks`, it
    /// finds out first whether there is any replica.
    async fn ask(self, line: Option<Line>, looks: bool) -> (Option<Line>, Copies) {
        match timeout(SILENCE_MAX, self.ask_over(line, looks)).await {
            Ok(Ok((line, copies))) => (Some(line), copies),
            Ok(Err(trouble)) => (None, Copies::Unknown(trouble)),
            Err(_) => (None, Copies::Unknown(Trouble::Silent)),
        }
    }

    async fn ask_over(&self, line: Option<Line>, looks: bool) -> Result<(Line, Copies), Trouble> {
        let mut line = match line {
            Some(line) if !looks => line,
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
        self.commands.fetch_add(2, Ordering::Relaxed);
        let answers = line.ask(&pipeline, 2).await?;
        if let Some(trouble) = answers.iter().find_map(error_of) {
            return Err(trouble);
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
        let mut line = if let Some(line) = line {
            line
        } else {
            let Way { place, tls, login } = &self.way;
            Line::open(place, tls.as_ref(), login.as_ref()).await?
        };
        self.commands.fetch_add(1, Ordering::Relaxed);
        let report = line.report().await?;
        // A name may lead elsewhere the second time.
        if report.run() == self.run { Ok((line, report)) } else { Err(Trouble::NotPrimary) }
    }
}
