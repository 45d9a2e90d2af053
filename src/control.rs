//! The control plane: one configuration for every gateway that asks, by Configuration API v2.
//!
//! [`publisher`] finds a folder good and publishes it as the next generation, which [`ledger`]
//! keeps; several that share an etcd publish [`together`]. A [`board`] shows the newest to whoever
//! serves gateways. [`service`] lets gateways in that
//! an [`authority`] knows and a [`crowd`] has room for, and a [`session`] brings one replica what is
//! its own. [`fleet`] remembers how replicas are doing, and [`operators`] are told:
//! [`shape`] is what, [`findings`] the words for it.

pub mod board;
pub mod ledger;
pub mod publisher;
pub mod together;
pub mod authority;
pub mod crowd;
pub mod fleet;
pub mod switches;
pub mod service;
pub mod session;
pub mod operators;
pub mod shape;
pub mod findings;
mod page;
pub mod tally;
mod metrics;
