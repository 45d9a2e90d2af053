//! Homes of the counters: each keeps the contract of [`limit::Counters`](crate::limit::Counters).
//!
//! `counters/scenarios.rs` is that contract as a suite; a home is one when it passes.

pub mod memory;
pub mod redis;
#[cfg(test)]
mod scenarios;
