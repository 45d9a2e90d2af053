//! Spans and log records as OTLP has them, collected until somebody sends them.
//!
//! A record is written as bytes when it is known, on the thread that knows it, and appended to a
//! buffer: nobody is woken for it, and nothing is converted twice.

pub mod wire;
pub mod resource;
pub mod outbox;
pub mod span;
pub mod log;
pub mod own;
