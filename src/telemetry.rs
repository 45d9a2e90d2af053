//! What the gateway tells about itself while it runs.

pub mod conventions;
pub mod record;
mod facts;
pub mod access_log;
pub mod audit;
pub mod events;
pub mod excerpts;
pub mod lines;
pub mod local;
pub mod metrics;
pub mod policy_trace;
pub mod process;
pub mod samples;
pub mod otlp;
pub mod outlets;
pub mod statsd;
pub mod text;
pub mod traffic;
