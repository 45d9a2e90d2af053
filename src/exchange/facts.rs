//! What the configuration says about an exchange: the objects that `context` shows to policies.

use std::fmt;
use std::sync::Arc;

use crate::certificate::known::Certificates;
use crate::certificate::trust::Trust;
use crate::exchange::contents::Contents;
use crate::exchange::diagnostics::Diagnostics;
use crate::exchange::secrets::Secrets;
use crate::fault::Place;
use crate::route::template::Template;
use crate::time::Timestamp;

/// Which gateway this is: `context.Deployment`.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The gateway's id.
    pub gateway_id: Arc<str>,
    /// This replica's id.
    pub instance_id: Arc<str>,
    /// Where it runs.
    pub region: Arc<str>,
    /// The service it belongs to.
    pub service_name: Arc<str>,
    /// That service's id.
    pub service_id: Arc<str>,
    /// What it must not say.
    pub secrets: Secrets,
    /// The certificates of its configuration.
    pub certificates: Arc<Certificates>,
    /// Who vouches for the certificates of clients.
    pub trust: Arc<Trust>,
    /// What is logged of exchanges whose API does not say it.
    pub diagnostics: Option<Arc<Diagnostics>>,
}

/// An API: `context.Api`.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its id.
    pub id: Arc<str>,
    /// Its display name.
    pub name: Arc<str>,
    /// The path after the host, without slashes at its ends.
    pub path: Arc<str>,
    /// Its revision.
    pub revision: Arc<str>,
    /// Its version, if it has one.
    pub version: Option<Arc<str>>,
    /// Whether this is the revision that callers get who name none.
    pub is_current_revision: bool,
    /// Where its backend is, as written.
    pub service_url: Arc<str>,
    /// `http`, `https`, `ws`, `wss`.
    pub protocols: Vec<Arc<str>>,
    /// The header that carries a subscription key.
    pub key_header: Arc<str>,
    /// The query parameter that carries a subscription key.
    pub key_query: Arc<str>,
    /// Whether its operations are methods of gRPC.
    pub is_grpc: bool,
    /// What is logged of its exchanges, if it says so itself.
    pub diagnostics: Option<Arc<Diagnostics>>,
    /// Where it is written.
    pub place: Place,
}

/// An operation: `context.Operation`.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id.
    pub id: Arc<str>,
    /// Its display name.
    pub name: Arc<str>,
    /// Its method.
    pub method: Arc<str>,
    /// Its URL template, as it is written.
    pub url_template: Arc<str>,
    /// The same, understood.
    pub template: Template,
    /// Statuses it is known to answer with, for `validate-status-code`.
    pub statuses: Vec<http::StatusCode>,
    /// Responses it is known to give, for `mock-response`.
    pub samples: Vec<Sample>,
    /// What it takes and gives, for the policies that validate.
    pub contents: Arc<Contents>,
}

/// A response that an operation is known to give.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its status.
    pub status: http::StatusCode,
    /// Its `Content-Type`.
    pub content_type: Arc<str>,
    /// Its body.
    pub body: Arc<str>,
}

/// A product: `context.Product`.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its id.
    pub id: Arc<str>,
    /// Its display name.
    pub name: Arc<str>,
    /// `published` or `notPublished`.
    pub state: Arc<str>,
    /// Whether its APIs want a key.
    pub subscription_required: bool,
    /// Whether somebody approves subscriptions.
    pub approval_required: bool,
    /// How many subscriptions a user may have.
    pub subscription_limit: Option<u32>,
    /// Its APIs, ids and names.
    pub apis: Vec<(Arc<str>, Arc<str>)>,
    /// Who may see it, ids and names.
    pub groups: Vec<(Arc<str>, Arc<str>)>,
}

/// A subscription: `context.Subscription`.
#[derive(Clone)]
pub struct Subscription {
    /// Its id.
    pub id: Arc<str>,
    /// Its display name.
    pub name: Arc<str>,
    /// The first key.
    pub primary_key: Arc<str>,
    /// The second key.
    pub secondary_key: Arc<str>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// From when it holds; quotas count their periods from here.
    pub start: Option<Timestamp>,
    /// Until when it holds.
    pub end: Option<Timestamp>,
    /// Whether its keys may ask for traces.
    pub allows_tracing: bool,
}

/// A user: `context.User`.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: Arc<str>,
    /// The mail address.
    pub email: Arc<str>,
    /// The first name.
    pub first_name: Arc<str>,
    /// The last name.
    pub last_name: Arc<str>,
    /// What the operators noted.
    pub note: Arc<str>,
    /// When the user came.
    pub registered: Option<Timestamp>,
    /// The user's groups, ids and names.
    pub groups: Vec<(Arc<str>, Arc<str>)>,
    /// The user's identities, ids and providers.
    pub identities: Vec<(Arc<str>, Arc<str>)>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are secrets: they never print.
        formatter.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}
