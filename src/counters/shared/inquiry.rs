//! Orders that an operator has sent, and who waits for what comes of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::counters::shared::Office;
use crate::counters::shared::desk::marked;
use crate::counters::shared::lane::Lane;
use crate::limit::order::{Errand, Order, Outcome, Reply, Ticket};

/// The owner of a ticket that an operator's order has: no desk, and not the membership.
pub(super) const OPERATORS: u8 = 253;

/// How many such orders of a lane are on their way at most.
const INQUIRIES_MAX: usize = 16;

/// Orders without an outcome.
#[derive(Debug, Default)]
pub(super) struct Inquiries(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    serial: u32,
    /// How many reports to ledgers were made.
    reports: u64,
    waiting: HashMap<u32, oneshot::Sender<Outcome>>,
}

impl Inquiries {
    /// What became of an order.
    pub(super) fn answer(&self, ticket: Ticket, outcome: Outcome) {
        if let Some(sender) = self.lock().waiting.remove(&ticket.serial) {
            // Who asked may be gone.
            let _ = sender.send(outcome);
        }
    }

    /// The number of the next report to a ledger.
    pub(super) fn next_report(&self) -> u64 {
        let mut open = self.lock();
        open.reports = open.reports.saturating_add(1);
        open.reports
    }

    fn open(&self) -> Option<(Ticket, oneshot::Receiver<Outcome>)> {
        let mut open = self.lock();
        if open.waiting.len() >= INQUIRIES_MAX {
            return None;
        }
        open.serial = open.serial.wrapping_add(1);
        let (sender, receiver) = oneshot::channel();
        let serial = open.serial;
        open.waiting.insert(serial, sender);
        Some((Ticket { place: 0, serial }, receiver))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// Sends `order` over the connection that there is now, and waits for the answer; none if there
    /// was none in time.
    pub(super) async fn inquire(&self, office: &Office, order: Order) -> Option<Reply> {
        let (own, answer) = self.inquiries().open()?;
        let connection = self.member().connection;
        let errand = marked(own, OPERATORS).map(|ticket| Errand { ticket, order })?;
        if office.link.send(self.number(), connection, vec![errand]).is_err() {
            self.inquiries().answer(own, Outcome::Unanswered);
        }
        match answer.await {
            Ok(Outcome::Answered(reply)) => Some(reply),
            Ok(Outcome::Unconfirmed | Outcome::Unanswered) | Err(_) => None,
        }
    }
}
