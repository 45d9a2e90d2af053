//! The way of a configuration: what is written becomes what is meant, becomes what runs.
//!
//! [`source`] reads a folder whole, [`document`] is the written form, [`validate`] makes a
//! [`config::Config`] of it with every fault at its place, [`compile`] makes a snapshot of that.
//! [`loader`] does all of it, and keeps what has not changed for the next time.
//! A [`bundle::Bundle`] is a good one as it travels and is kept, and a [`portion`] what one of
//! several gateways gets of it. [`refresh`] does it again whenever the folder changes, or somebody
//! [`offer`]s one (a [`remote`] control plane does), and leaves what runs alone when the new one is
//! bad. What happens to requests meanwhile tells a [`gauge`], and what a configuration takes away from
//! the one before it the [`guard`]. One that has proved itself is kept on disk ([`last_good`], [`keeping`]); what must not run
//! at all, whatever the configuration says, stands in a local file ([`switch`]).
//! [`gateway_keys`] and [`issuers`] on the one side, [`credential`] on the other, are about who may
//! ask a control plane for one.

pub mod source;
pub mod yaml;
pub mod items;
pub mod document;
pub mod config;
pub mod validate;
pub mod compile;
pub mod bundle;
pub mod portion;
pub mod loader;
pub mod generation;
pub mod history;
pub mod guard;
pub mod gauge;
pub mod switch;
pub mod last_good;
pub mod offer;
pub mod keeping;
pub mod cluster;
pub mod remote;
pub mod refresh;
pub mod gateway_keys;
pub mod issuers;
pub mod credential;
