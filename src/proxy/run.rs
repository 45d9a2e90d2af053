//! One exchange and the run of its policies: what the phases of a request share.

use http::{HeaderValue, StatusCode};

use crate::backend::Tls;
use crate::caller::Call;
use crate::caller::handed::Lease;
use crate::exchange::Exchange;
use crate::policy::machine::Machine;
use crate::policy::routing::Forward;
use crate::proxy::counted::Tries;
use crate::proxy::holds::Holds;
use crate::proxy::watch::Watch;
use crate::time::Timestamp;

/// One exchange and the run of its policies.
#[derive(Debug)]
pub struct Run {
    pub(super) machine: Machine,
    pub(super) exchange: Exchange,
    /// The call whose response the policies look into.
    pub(super) call: Option<Call>,
    /// What it holds of counters until it ends.
    pub(super) holds: Option<Box<Holds>>,
    /// How the request that Pingora forwards is forwarded.
    pub(super) forward: Option<Forward>,
    /// The token that the backend is shown, as `Authorization` has it.
    pub(super) bearer: Option<HeaderValue>,
    /// The connection to the backend that Pingora was lent.
    pub(super) lease: Option<Lease>,
    /// How the certificate of the API's own backend is judged.
    pub(super) tls: Tls,
    /// The header that carried a key: it does not go on to the backend.
    pub(super) key_header: Option<http::HeaderName>,
    /// Informational responses that were passed on.
    pub(super) informational: u32,
    /// How often it was forwarded, and what time that took.
    pub(super) tries: Tries,
    /// When the head of the backend's response was here, and its status.
    pub(super) backend_head: Option<(Timestamp, StatusCode)>,
    /// The app that the call of gRPC is for, while it goes by way of Dapr's sidecar.
    pub(super) app: Option<String>,
    /// How a connection to the backend failed.
    pub(super) transport: Option<String>,
    /// What is copied of it for the log.
    pub(super) watch: Option<Box<Watch>>,
}

impl Run {
    /// One that is about to begin.
    pub(super) const fn new(
        machine: Machine,
        exchange: Exchange,
        tls: Tls,
        key_header: Option<http::HeaderName>,
    ) -> Self {
        Self {
            machine,
            exchange,
            call: None,
            holds: None,
            forward: None,
            bearer: None,
            lease: None,
            tls,
            key_header,
            informational: 0,
            tries: Tries::NONE,
            backend_head: None,
            app: None,
            transport: None,
            watch: None,
        }
    }
}
