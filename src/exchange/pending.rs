//! What a step leaves for a later one: counts that wait, responses that may be stored.

use std::collections::VecDeque;

use http::HeaderValue;

use crate::exchange::cached::CacheKey;
use crate::limit::Charge;

/// What the steps of one exchange leave for later ones.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// What this request was charged with: it pays once in each counter.
    pub charged: Vec<Charge>,
    /// Counters that are charged once the response is there, in the order of their steps.
    pub late: VecDeque<Charge>,
    /// Quotas that get the bytes of this exchange if the step that asks now admits it.
    pub bandwidth: Vec<Charge>,
    /// Where the response of this exchange may be stored.
    pub store: Option<Store>,
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
