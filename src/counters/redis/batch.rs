//! A batch: orders that travel together, each of which has exactly one outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::counters::redis::command::{Call, Writer, error_of, read};
use crate::counters::redis::confirm::Held;
use crate::counters::redis::dial::ask;
use crate::counters::redis::trouble::Trouble;
use crate::counters::redis::{Customer, DEADLINE, News, SILENCE_MAX};
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
    /// When the first of them was handed in.
    since: Timestamp,
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
    /// Orders that were handed in at `since`.
    pub(super) fn new(desk: Desk, errands: Vec<Errand>, since: Timestamp) -> Self {
        Self { desk, errands, since }
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
        let mut pipeline = Pipeline::with_capacity(self.errands.len().saturating_mul(2));
        let widths: Vec<usize> = self
            .errands
            .iter()
            .map(|errand| writer.write(&mut pipeline, &errand.order, Call::ByHash))
            .collect();
        let answers = widths.iter().sum();
        self.desk.note_commands(answers);
        let mut answer = std::pin::pin!(ask(connection.clone(), &pipeline, answers));
        let left = DEADLINE.saturating_sub(sent.since(self.since));
        match timeout(left, &mut answer).await {
            Ok(Ok(values)) => {
                let settled = self.settle(&values, &widths, sent, &confirm);
                settled.again(connection, &writer, &confirm).await
            }
            Ok(Err(trouble)) => End::Broken(trouble),
            Err(_) => {
                // Nobody waits for it any more; but as long as it is on its way no other takes
                // its place, so that a primary that is slow is not given more and more.
                drop(self);
                match timeout(SILENCE_MAX, answer).await {
                    Ok(Ok(values)) => {
                        let errors = values.iter().filter_map(error_of);
                        end(errors.filter(|error| *error != Trouble::NoScript).reduce(worse))
                    }
                    Ok(Err(trouble)) => End::Broken(trouble),
                    Err(_) => End::Broken(Trouble::Silent),
                }
            }
        }
    }

    /// Tells what was answered; keeps those whose script was not known there, which were
    /// therefore not carried out.
    fn settle(
        mut self,
        values: &[Value],
        widths: &[usize],
        sent: Timestamp,
        confirm: &mpsc::Sender<Held>,
    ) -> Settled {
        let (mut outcomes, mut unknown) = (Vec::with_capacity(self.errands.len()), Vec::new());
        let mut held = Vec::new();
        let (mut trouble, mut rest) = (None, values);
        for (errand, width) in std::mem::take(&mut self.errands).into_iter().zip(widths) {
            let (mine, others) = rest.split_at_checked(*width).unwrap_or_default();
            rest = others;
            match read(&errand.order, mine) {
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
        self.desk.tell(outcomes, sent);
        if !held.is_empty() {
            // Where there is no room for them they are dropped, and so unanswered.
            drop(confirm.try_send(Held::new(self.desk.clone(), sent, held)));
        }
        self.errands = unknown;
        Settled { batch: self, trouble }
    }
}

#[cfg(test)]
impl Batch {
    /// The orders.
    pub(super) fn errands(&self) -> &[Errand] {
        &self.errands
    }

    /// As if the primary had answered this, each with one value.
    pub(super) fn answered(self, values: &[Value]) {
        let (sent, widths) = (self.since, vec![1; self.errands.len()]);
        let (confirm, _held) = mpsc::channel(1);
        drop(self.settle(values, &widths, sent, &confirm));
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
        let mut pipeline = Pipeline::new();
        let widths: Vec<usize> = batch
            .errands
            .iter()
            .map(|errand| writer.write(&mut pipeline, &errand.order, Call::ByText))
            .collect();
        let answers = widths.iter().sum();
        batch.desk.note_commands(answers);
        let left = DEADLINE.saturating_sub(sent.since(batch.since));
        match timeout(left, ask(connection, &pipeline, answers)).await {
            Ok(Ok(values)) => {
                let Settled { batch, trouble: second } =
                    batch.settle(&values, &widths, sent, confirm);
                let unknown = (!batch.errands.is_empty()).then_some(Trouble::NoScript);
                end([trouble, second, unknown].into_iter().flatten().reduce(worse))
            }
            Ok(Err(trouble)) => End::Broken(trouble),
            // What comes later finds nobody; the connection is as good as it was.
            Err(_) => end(trouble),
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

    /// Tells the outcomes of orders that were sent at `sent`.
    pub(super) fn tell(&self, outcomes: Vec<(Ticket, Outcome)>, sent: Timestamp) {
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
        self.desk.tell(outcomes.collect(), self.since);
    }
}
