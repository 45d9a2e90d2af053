//! A batch: orders that travel together, each of which has exactly one outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::counters::redis::answer::read;
use crate::counters::redis::command::{Call, Form, Writer, sort};
use crate::counters::redis::confirm::Held;
use crate::counters::redis::dial::ask;
use crate::counters::redis::trouble::Trouble;
use crate::counters::redis::{Customer, DEADLINE, News, SILENCE_MAX};
#[cfg(test)]
use crate::counters::redis::{name::Names, script::Scripts};
use crate::limit::order::durability::Durability;
use crate::limit::order::{Errand, Outcome, Ticket};
use crate::time::{Clock, Timestamp};

/// Who is told, and by which clock.
#[derive(Clone)]
pub(super) struct Desk {
    /// The lane.
    pub(super) lane: u16,
    /// Which connection of that lane.
    pub(super) connection: u64,
    /// Who is told.
    pub(super) customer: Arc<dyn Customer>,
    /// The clock that tells when an order was sent.
    pub(super) clock: Arc<dyn Clock>,
    /// How many commands were sent, over all lanes.
    pub(super) commands: Arc<AtomicU64>,
}

/// Orders that have no outcome yet. When it is dropped, they are unanswered: nothing that can
/// happen to a task loses one.
pub(super) struct Batch {
    desk: Desk,
    errands: Vec<Errand>,
}

/// How a batch ended, as far as the connection is concerned.
#[derive(Debug)]
pub(super) enum End {
    /// It was answered, in time or not; here and there with an error that leaves the connection
    /// as it was.
    Answered(Option<Trouble>),
    /// The connection is of no use any more.
    Broken(Trouble),
}

impl Batch {
    /// Orders that travel together.
    pub(super) fn new(desk: Desk, mut errands: Vec<Errand>) -> Self {
        sort(&mut errands);
        Self { desk, errands }
    }

    /// Sends them over `connection`, and tells what comes back; does not end before it is sure
    /// that no more is on its way. What a replica is to have before it is answered goes on to
    /// `confirm`.
    pub(super) async fn carry(
        self,
        connection: MultiplexedConnection,
        writer: Arc<Writer>,
        confirm: mpsc::Sender<Held>,
    ) -> End {
        let sent = self.desk.clock.now();
        let (pipeline, calls) = self.write(&writer, Form::ByHash);
        let mut answer = std::pin::pin!(ask(connection.clone(), &pipeline, commands(&calls)));
        match in_time(&self.desk, sent, &mut answer).await {
            Some(Ok(values)) => {
                let settled = self.settle(&values, &calls, sent, &confirm);
                settled.again(connection, &writer, &confirm).await
            }
            Some(Err(trouble)) => End::Broken(trouble),
            None => {
                // Nobody waits for it any more; but as long as it is on its way no other takes
                // its place, so that a primary that is slow is not given more and more.
                let errands = self.give_up(sent);
                match timeout(SILENCE_MAX, answer).await {
                    Ok(Ok(values)) => {
                        let replies = read(&errands, &calls, &values);
                        let errors = replies.into_iter().filter_map(Result::err);
                        end(errors.filter(|error| *error != Trouble::NoScript).reduce(worse))
                    }
                    Ok(Err(trouble)) => End::Broken(trouble),
                    Err(_) => End::Broken(Trouble::Silent),
                }
            }
        }
    }

    /// The commands that carry it out.
    fn write(&self, writer: &Writer, form: Form) -> (Pipeline, Vec<Call>) {
        let mut pipeline = Pipeline::new();
        let calls = writer.write(&mut pipeline, &self.errands, form);
        self.desk.note_commands(commands(&calls));
        (pipeline, calls)
    }

    /// Tells that there was no answer in time to what was sent at `sent`.
    fn give_up(mut self, sent: Timestamp) -> Vec<Errand> {
        let errands = std::mem::take(&mut self.errands);
        let outcomes = errands.iter().map(|errand| (errand.ticket, Outcome::Unanswered));
        self.desk.tell(outcomes.collect(), Some(sent));
        errands
    }

    /// Tells what was answered; keeps those whose script was not known there, which were
    /// therefore not carried out.
    fn settle(
        mut self,
        values: &[Value],
        calls: &[Call],
        sent: Timestamp,
        confirm: &mpsc::Sender<Held>,
    ) -> Settled {
        let (mut outcomes, mut unknown) = (Vec::with_capacity(self.errands.len()), Vec::new());
        let (mut held, mut trouble) = (Vec::new(), None);
        let errands = std::mem::take(&mut self.errands);
        let replies = read(&errands, calls, values);
        for (errand, reply) in errands.into_iter().zip(replies) {
            match reply {
                Ok(reply) if errand.order.durability() == Durability::Memory => {
                    outcomes.push((errand.ticket, Outcome::Answered(reply)));
                }
                Ok(reply) => held.push((errand.ticket, reply, errand.order.durability())),
                Err(Trouble::NoScript) => unknown.push(errand),
                Err(other) => {
                    outcomes.push((errand.ticket, Outcome::Unanswered));
                    trouble = [trouble, Some(other)].into_iter().flatten().reduce(worse);
                }
            }
        }
        self.desk.tell(outcomes, Some(sent));
        if !held.is_empty() {
            // Where there is no room for them they are dropped, and so unanswered.
            drop(confirm.try_send(Held::new(self.desk.clone(), sent, held)));
        }
        self.errands = unknown;
        Settled { batch: self, trouble }
    }
}

/// How many commands `calls` are.
fn commands(calls: &[Call]) -> usize {
    calls.iter().map(|call| call.commands).sum()
}

/// What comes of `answer` to what was sent at `sent`, if it comes in time. What a busy machine keeps
/// from looking is not the primary's fault: who looks too late looks again, for as long as it was late.
async fn in_time<T>(
    desk: &Desk,
    sent: Timestamp,
    mut answer: impl Future<Output = T> + Unpin,
) -> Option<T> {
    if let Ok(value) = timeout(DEADLINE, &mut answer).await {
        return Some(value);
    }
    let late = desk.clock.now().since(sent).saturating_sub(DEADLINE).min(DEADLINE);
    timeout(late, answer).await.ok()
}

#[cfg(test)]
impl Batch {
    /// The orders.
    pub(super) fn errands(&self) -> &[Errand] {
        &self.errands
    }

    /// As if the primary had answered this to the calls of so many orders each.
    pub(super) fn answered(self, answer: impl FnMut(usize) -> Value) {
        let names = Names::new("", 0);
        let writer = Writer { names, scripts: Scripts::default(), run: 0, has_increx: false };
        let (_, calls) = self.write(&writer, Form::ByHash);
        let values: Vec<_> = calls.iter().map(|call| call.orders).map(answer).collect();
        let (sent, (confirm, _held)) = (self.desk.clock.now(), mpsc::channel(1));
        drop(self.settle(&values, &calls, sent, &confirm));
    }
}

/// A batch whose orders are settled but for those whose script was not known.
struct Settled {
    batch: Batch,
    trouble: Option<Trouble>,
}

impl Settled {
    /// Sends what is left with the text of the scripts; the server remembers it from then on.
    async fn again(
        self,
        connection: MultiplexedConnection,
        writer: &Writer,
        confirm: &mpsc::Sender<Held>,
    ) -> End {
        let Self { batch, trouble } = self;
        if batch.errands.is_empty() {
            return end(trouble);
        }
        let sent = batch.desk.clock.now();
        let (pipeline, calls) = batch.write(writer, Form::ByText);
        let answer = std::pin::pin!(ask(connection, &pipeline, commands(&calls)));
        match in_time(&batch.desk, sent, answer).await {
            Some(Ok(values)) => {
                let Settled { batch, trouble: second } =
                    batch.settle(&values, &calls, sent, confirm);
                let unknown = (!batch.errands.is_empty()).then_some(Trouble::NoScript);
                end([trouble, second, unknown].into_iter().flatten().reduce(worse))
            }
            Some(Err(trouble)) => End::Broken(trouble),
            // What comes later finds nobody; the connection is as good as it was.
            None => {
                batch.give_up(sent);
                end(trouble)
            }
        }
    }
}

fn end(trouble: Option<Trouble>) -> End {
    match trouble {
        Some(trouble) if trouble.ends_connection() => End::Broken(trouble),
        other => End::Answered(other),
    }
}

/// Of two troubles the one that matters more.
fn worse(first: Trouble, second: Trouble) -> Trouble {
    if first.ends_connection() || !second.ends_connection() { first } else { second }
}

impl Desk {
    /// Each command has one answer.
    pub(super) fn note_commands(&self, answers: usize) {
        self.commands.fetch_add(u64::try_from(answers).unwrap_or(0), Ordering::Relaxed);
    }

    /// Tells the outcomes of orders that were sent at `sent`; none: nobody waited for an answer.
    pub(super) fn tell(&self, outcomes: Vec<(Ticket, Outcome)>, sent: Option<Timestamp>) {
        if outcomes.is_empty() {
            return;
        }
        let received = self.clock.now();
        let Self { lane, connection, .. } = *self;
        self.customer.told(News::Outcomes { lane, connection, sent, received, outcomes });
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let errands = std::mem::take(&mut self.errands);
        let outcomes = errands.into_iter().map(|errand| (errand.ticket, Outcome::Unanswered));
        self.desk.tell(outcomes.collect(), None);
    }
}
