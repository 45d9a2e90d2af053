//! What the tests need around a gateway: the gateway itself as a process, clients that write exact
//! bytes, backends that answer as they are told, certificates.
//!
//! Everything is a value: a test makes what it needs, and what it made ends with it. Nothing is
//! shared between tests, and every port is one that the system gave, or that nobody else of us takes.

pub(crate) mod gateway;
pub(crate) mod site;
pub(crate) mod client;
pub(crate) mod backend;
pub(crate) mod message;
pub(crate) mod http2;
pub(crate) mod shared;
pub(crate) mod calls;
pub(crate) mod nginx;
pub(crate) mod tls;
pub(crate) mod secure;
pub(crate) mod redis;
pub(crate) mod increx;
pub(crate) mod etcd;
pub(crate) mod control;
pub(crate) mod careless;
pub(crate) mod issuer;
pub(crate) mod linked;
pub(crate) mod load;
pub(crate) mod replica;
pub(crate) mod fleet;
pub(crate) mod network;
pub(crate) mod forward_proxy;
pub(crate) mod relay;
pub(crate) mod browser;
pub(crate) mod collector;
pub(crate) mod sidecar;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use backend::{Backend, Then, reply};
pub(crate) use client::{Client, End, Request};
pub(crate) use gateway::Gateway;
pub(crate) use site::{Policies, Site};

/// How long anything may take before a test gives up. Far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Asks `what` again and again until it has an answer; gives up after [`PATIENCE`].
pub(crate) fn soon<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return Some(found);
        }
        if PATIENCE < begun.elapsed() {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
