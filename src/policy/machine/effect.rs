//! What the machine asks of its driver, and what the driver reports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::message::Response;
use crate::expression::value::Value;
use crate::limit::concurrency::Permit;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, CountersUnavailable, Tallies};
use crate::policy::caching::made::{Found, Made, Wanted};
use crate::policy::identity::asked as identity;
use crate::policy::logging::event_hub::HubEvent;
use crate::policy::routing::Forward;
use crate::policy::send::outgoing::Outgoing;
use crate::policy::tokens::asked::{Answer, Asked};
use crate::policy::{Failure, Side};
use crate::problem::Problem;
use crate::time::Timestamp;

/// What the driver reports.
#[derive(Debug)]
pub enum Event {
    /// The request is here.
    Start,
    /// The run may go on: what was asked for is done and has no answer.
    Done,
    /// A body was fetched, or it was too large or broke off.
    Body(Side, Result<Bytes, Problem>),
    /// The charges, and what the counters said to them.
    Tallied(Vec<Charge>, Result<Tallies, CountersUnavailable>),
    /// Whether there was room.
    Entered(Option<Permit>),
    /// What the cache of responses had.
    CachedResponse(Option<Arc<CachedResponse>>),
    /// What the cache of values had.
    CachedValue(Option<Value>),
    /// A value that was wanted.
    Wanted(Found),
    /// Whether somebody vouches for a token.
    Authenticated(Answer),
    /// A token of the gateway's own, or why there is none.
    Obtained(identity::Answer),
    /// What another service answered, with its whole body, or why not.
    Called(Result<Response, Failure>),
    /// Whether the whole answer was heard, or why it cannot be.
    Measured(Result<bool, Problem>),
    /// What came of one of several things that were asked for, by its number.
    Of(usize, Box<Event>),
    /// Whether the policies of a `retry` may run again.
    Again(bool),
    /// The head of the backend's response.
    Responded(Response),
    /// The backend did not respond.
    Failed(Failure),
}

/// What the machine needs before it can go on.
#[derive(Debug)]
pub enum Effect {
    /// Fetch this body; report [`Event::Body`].
    Fetch(Side),
    /// Take all of these or none; report [`Event::Tallied`].
    Charge(Vec<Charge>),
    /// Add these, whatever they come to; report [`Event::Done`].
    Add(Vec<Charge>),
    /// Give this back, which was taken then; report [`Event::Done`].
    Refund(Charge, Timestamp),
    /// Enter if fewer than `max` are inside; report [`Event::Entered`].
    Enter {
        /// Inside of what.
        key: CounterKey,
        /// How many may be inside.
        max: u32,
    },
    /// Look a response up; report [`Event::CachedResponse`].
    LookupResponse(CacheKey),
    /// Keep the response of the exchange; report [`Event::Done`].
    StoreResponse(CacheKey, Duration),
    /// Look a value up; report [`Event::CachedValue`].
    LookupValue(CacheKey),
    /// Keep a value; report [`Event::Done`].
    StoreValue(CacheKey, Value, Duration),
    /// Forget a value; report [`Event::Done`].
    RemoveValue(CacheKey),
    /// Find this value, or whose turn it is to make it; report [`Event::Wanted`].
    WantValue(Wanted),
    /// Keep this value, and give it to those who wait for it; report [`Event::Done`].
    KeepValue(Box<Made>),
    /// Find out whether somebody vouches for a token; report [`Event::Authenticated`].
    Authenticate(Box<Asked>),
    /// Get a token that says who the gateway is; report [`Event::Obtained`].
    Obtain(Box<identity::Asked>),
    /// Wait; report [`Event::Done`].
    Sleep(Duration),
    /// Forward the request once more after this time, if that is not too often; report
    /// [`Event::Again`].
    Again(Duration),
    /// Send this to another service; report [`Event::Called`].
    Call(Box<Outgoing>),
    /// Send this to another service without waiting for it; report [`Event::Done`].
    Tell(Box<Outgoing>),
    /// Begin these too, and report each as [`Event::Of`] when it is done. Any other effect ends them:
    /// what is not done by then is given up.
    Together(Vec<(usize, Effect)>),
    /// Queue this for an event hub; report [`Event::Done`].
    Emit(Box<HubEvent>),
    /// Send the request to its backend; report [`Event::Responded`] or [`Event::Failed`].
    Forward(Forward),
    /// Let the meter of the exchange hear the whole response, if it is not too large, before it
    /// goes out; report [`Event::Measured`].
    Measure,
    /// Deliver the response of the exchange. The run is over.
    Deliver,
}
