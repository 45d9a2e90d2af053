//! The way of a configuration: what is written becomes what is meant, becomes what runs.
//!
//! [`source`] reads a folder whole, [`document`] is the written form, [`validate`] makes a
//! [`config::Config`] of it with every fault at its place, [`compile`] makes a snapshot of that.
//! [`loader`] does all of it, and keeps what has not changed for the next time.
//! A [`bundle::Bundle`] is a good one as it travels and is kept. [`refresh`] does it again whenever
//! the folder changes, or somebody [`offer`]s one, and leaves what runs alone when the new one is
//! bad.
//! [`gateway_keys`] and [`credential`] are the two sides of who may ask a control plane for one.

pub mod source;
pub mod yaml;
pub mod items;
pub mod document;
pub mod config;
pub mod validate;
pub mod compile;
pub mod bundle;
pub mod loader;
pub mod generation;
pub mod offer;
pub mod cluster;
pub mod refresh;
pub mod gateway_keys;
pub mod credential;
