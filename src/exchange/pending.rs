//! What a step leaves for a later one: counts that wait, responses that may be stored.

use std::collections::VecDeque;
use std::sync::Arc;

use http::HeaderValue;

use crate::exchange::cached::CacheKey;
use crate::limit::Charge;
use crate::limit::names::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What the steps of one exchange leave for later ones.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// When the limits that are asked now were asked.
    pub asked: Timestamp,
    /// Who they count, in the words of their key.
    pub who: Option<Arc<str>>,
    /// What this request paid: it pays once in each counter.
    pub paid: Vec<Paid>,
    /// Counters that are charged once the response is there, in the order of their steps.
    pub late: VecDeque<Charge>,
    /// What is given back before the response is delivered, and when it was taken.
    pub refunds: Vec<(Charge, Timestamp)>,
    /// Quotas that get the bytes of this exchange if the step that asks now admits it.
    pub bandwidth: Vec<Charge>,
    /// Where the response of this exchange may be stored.
    pub store: Option<Store>,
    /// What is told of the limits that applied, in the order in which they were asked.
    pub told: Vec<Told>,
    /// The tokens that policies got to say who the gateway is: nothing that is told may have them.
    pub tokens: Vec<Secret>,
    /// The path that the operation adds, while an app of Dapr is the backend.
    pub tail: Option<String>,
    /// Limits that refused this exchange, or would have, for the record.
    pub refusals: Vec<Refusal>,
}

/// What a request paid in one counter.
#[derive(Clone, Debug)]
pub struct Paid {
    /// What was taken.
    pub charge: Charge,
    /// What it owes, as far as is known: the most that any of its limits wants.
    pub due: u64,
    /// When it was taken, if it is a hold: then what is not owed in the end is given back, and
    /// what is owed beyond it is taken.
    pub held: Option<Timestamp>,
}

/// What is told of one limit: see the fields `RateLimit-Policy` and `RateLimit`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// What it is called in them.
    pub name: Arc<str>,
    /// How much it admits, and in how many seconds, if ever again.
    pub terms: (u64, Option<u64>),
    /// How much of it is left, and in how many seconds there is more, if ever.
    pub left: (u64, Option<u64>),
    /// Whether it counts bytes.
    pub is_bytes: bool,
}

impl Pending {
    /// Whether something was taken that the response decides on, or is still to be given back.
    pub fn is_holding(&self) -> bool {
        !self.refunds.is_empty() || self.paid.iter().any(|paid| paid.held.is_some())
    }

    /// What is owed of what `paid` took: where a counter belongs to its key alone, others may count
    /// on it.
    pub fn needed(&self, paid: &Paid) -> u64 {
        let same_key = self.paid.iter().filter(|other| other.charge.key == paid.charge.key);
        same_key.map(|other| other.due).fold(paid.due, u64::max)
    }

    /// What is to be given back, and when it was taken, where no response will decide. Nothing is
    /// held after it.
    pub fn abandon(&mut self) -> Vec<(Charge, Timestamp)> {
        let mut refunds = std::mem::take(&mut self.refunds);
        for paid in &self.paid {
            let Some(at) = paid.held else { continue };
            let cost = paid.charge.cost.saturating_sub(self.needed(paid));
            if cost > 0 {
                refunds.push((Charge { cost, ..paid.charge }, at));
            }
        }
        self.paid.retain(|paid| paid.held.is_none());
        refunds
    }

    /// Whether a limit in shadow would have refused this exchange.
    pub fn has_spared(&self) -> bool {
        self.refusals.iter().any(|refusal| refusal.outcome.is_spared())
    }

    /// The limits in shadow that would have refused this exchange: what they are, where they stand,
    /// and for whom.
    pub fn spared(&self) -> Vec<String> {
        let spared = self.refusals.iter().filter(|refusal| refusal.outcome.is_spared());
        spared.map(|refusal| format!("{} for `{}`", refusal.site, refusal.who)).collect()
    }
}

/// Where a response may be stored, and what caches after this one are told of it.
#[derive(Clone, Debug)]
pub struct Store {
    /// The key under which it was looked up.
    pub key: CacheKey,
    /// Who may keep it after this gateway.
    pub downstream: Downstream,
    /// Whether those ask again once it is stale.
    pub must_revalidate: bool,
    /// The names of the request fields that it depends on, as `Vary` lists them.
    pub vary: Option<HeaderValue>,
}

/// Who may keep a response after this gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Downstream {
    /// Nobody.
    #[default]
    Nobody,
    /// The client itself.
    Private,
    /// Caches that many clients share, too.
    Public,
}
