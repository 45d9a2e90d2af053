//! Where what is recorded goes besides standard output: made first, since events are told before there
//! is a gateway.

use std::sync::Arc;

use crate::telemetry::local::Local;
use crate::telemetry::otlp::outbox::Outboxes;

/// Where what is recorded goes.
#[derive(Clone, Debug, Default)]
pub struct Outlets {
    /// To a collector.
    pub outboxes: Outboxes,
    /// To another output of the machine, if the settings name one.
    pub local: Option<Arc<Local>>,
}
