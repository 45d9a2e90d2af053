//! APIs, their versions and their operations.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};

use super::{PolicyText, Spot, Written};
use crate::backend::BaseUrl;
use crate::exchange::contents::Contents;
use crate::exchange::diagnostics::Diagnostics;
use crate::route::Scheme;
use crate::route::host::Pattern;
use crate::route::table::build::Planted;
use crate::route::table::place::{ApiPath, Version, VersionScheme};
use crate::route::table::{ApiRoute, OperationRoute};
use crate::route::template::Template;

/// One revision of one version of an API.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct Api {
    /// The id, shared by all revisions.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
    /// The path all its URLs begin with.
    pub path: ApiPath,
    /// Over what it may be called; never empty, none twice.
    pub protocols: Vec<Scheme>,
    /// Where requests go if no policy says otherwise.
    pub service_url: Option<Arc<BaseUrl>>,
    /// Whether that is an app behind Dapr's sidecar: only the path counts then.
    pub is_app: bool,
    /// Whether a key is asked for.
    pub subscription_required: bool,
    /// Where a key is looked for.
    pub key_names: KeyNames,
    /// The revision, from 1, unique among those of the id.
    pub revision: u32,
    /// Whether this is the revision that answers without `;rev=`; exactly one of an id is.
    pub is_current: bool,
    /// Whether it can be reached at all.
    pub is_online: bool,
    /// Its place in a version set.
    pub version: Option<ApiVersion>,
    /// What kind of API.
    pub kind: ApiKind,
    /// What is logged of its exchanges.
    pub diagnostics: Option<Arc<Diagnostics>>,
    /// The policy document of the API.
    pub policy: Option<PolicyText>,
    /// Its operations; a WebSocket API has exactly one, `onHandshake`.
    pub operations: Vec<Operation>,
    /// What routing knows of it.
    pub route: Arc<Planted>,
    /// Where it was written.
    pub spot: Spot,
}

/// What kind of API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiKind {
    /// Requests and responses.
    Http,
    /// One handshake, then frames.
    WebSocket,
    /// Calls of gRPC, one operation for each method.
    Grpc,
}

/// Where a subscription key is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyNames {
    /// The header, asked first.
    pub header: HeaderName,
    /// The header as it was written, to show to policies.
    pub header_text: Arc<str>,
    /// The query parameter.
    pub query: Arc<str>,
}

/// One member of a version set.
#[derive(Clone, Debug)]
pub struct ApiVersion {
    /// Index into [`Config::version_sets`](super::Config::version_sets).
    pub set: usize,
    /// What callers send and where; `None` is the original version, called without one.
    pub version: Option<Version>,
}

/// How the versions of an API are told apart.
#[derive(Clone, Debug)]
pub struct VersionSet {
    /// Id.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
    /// Where the identifier stands.
    pub scheme: VersionScheme,
    /// Where it was written.
    pub spot: Spot,
}

/// One operation of an API.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Id, unique in the API.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
    /// Method.
    pub method: Method,
    /// The URLs it takes, after the API's path.
    pub url_template: Written<Template>,
    /// The policy document of the operation.
    pub policy: Option<PolicyText>,
    /// Responses it is known to give, for `mock-response`, in the order written; no status twice.
    pub responses: Vec<OperationResponse>,
    /// What it takes and gives, for policies that validate.
    pub contents: Arc<Contents>,
    /// Where it was written.
    pub spot: Spot,
}

/// A response an operation is known to give.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperationResponse {
    /// Status, 100 to 599.
    pub status: u16,
    /// What it may look like.
    pub representations: Vec<Representation>,
}

/// What a response may look like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Representation {
    /// Its `Content-Type`.
    pub content_type: HeaderValue,
    /// A body to answer with.
    pub example: Option<Arc<str>>,
}

impl Api {
    /// What routing needs to know of the API, which is found at `hosts`, or at every host if there
    /// are none; the indices of its operations stay the same.
    pub fn route(&self, hosts: &[Pattern]) -> ApiRoute {
        let operations = self.operations.iter().map(|operation| OperationRoute {
            method: operation.method.clone(),
            template: operation.url_template.value.clone(),
        });
        ApiRoute {
            path: self.path.clone(),
            hosts: hosts.to_vec(),
            protocols: self.protocols.iter().copied().collect(),
            revision: self.revision,
            is_current: self.is_current,
            is_online: self.is_online,
            version: self.version.as_ref().and_then(|version| version.version.clone()),
            operations: operations.collect(),
        }
    }
}
