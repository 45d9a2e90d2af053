//! What a configuration means: plain data, references resolved, values typed, nothing left to ask.
//!
//! [`super::validate`] makes it from the written form, `compile` makes a snapshot from it. Only
//! what belongs to other modules' languages stays text: URL templates and policy documents, each
//! with the place it was written at.

mod api;
mod spot;

use std::sync::Arc;

use http::HeaderName;

use super::items::Items;
use crate::backend::BaseUrl;
use crate::backend::authorization::Authorizations;
use crate::backend::check::Check;
use crate::backend::circuit::Rule;
use crate::backend::event_hub::EventHub;
use crate::backend::pool::Terms;
use crate::backend::principal::Principals;
use crate::backend::proxy::ForwardProxy;
use crate::backend::tls;
use crate::backend::version::HttpVersion;
use crate::certificate::Certificate;
use crate::certificate::known::Certificates;
use crate::exchange::diagnostics::Diagnostics;
use crate::fault::Layout;
use crate::policy::limits::holding::Holding;
use crate::route::host::Pattern;
use crate::route::table::Table;
use crate::schema::Library;
use crate::time::Timestamp;

pub use crate::secret::Secret;
pub use api::{
    Api, ApiKind, ApiVersion, KeyNames, Operation, OperationResponse, Representation, VersionSet,
};
pub use spot::{Spot, Written};

/// One whole configuration. An index into a list is an index into the list of this `Config`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the gateway calls itself.
    pub gateway: Gateway,
    /// How limits are held that do not say it themselves.
    pub limits: Holding,
    /// What is logged of exchanges whose API does not say it.
    pub diagnostics: Option<Arc<Diagnostics>>,
    /// Every revision of every version of every API.
    pub apis: Vec<Arc<Api>>,
    /// Where they and their operations are found.
    pub routes: Arc<Table>,
    /// How the versions of an API are told apart.
    pub version_sets: Vec<VersionSet>,
    /// Products.
    pub products: Vec<Product>,
    /// Subscriptions; no two share a key.
    pub subscriptions: Items<Subscription>,
    /// Users.
    pub users: Arc<[User]>,
    /// Groups; the three that always exist are among them.
    pub groups: Vec<Group>,
    /// Named values, resolved.
    pub named_values: Vec<NamedValue>,
    /// Policy fragments.
    pub fragments: Vec<Fragment>,
    /// Loggers.
    pub loggers: Vec<Logger>,
    /// Backends.
    pub backends: Vec<Backend>,
    /// As whom the gateway gets tokens.
    pub principals: Arc<Principals>,
    /// What it has been allowed at other services.
    pub authorizations: Arc<Authorizations>,
    /// Certificates that policies name.
    pub certificates: Arc<Certificates>,
    /// Host names the gateway answers to over TLS with a certificate of their own.
    pub host_names: Vec<HostName>,
    /// The documents that schemas stand in.
    pub schemas: Arc<Library>,
    /// The global policy document.
    pub policy: Option<PolicyText>,
}

/// What `context.Deployment` shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// `GatewayId`.
    pub id: Arc<str>,
    /// `Region`.
    pub location: Arc<str>,
    /// `ServiceName`.
    pub service_name: Arc<str>,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// Id.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
    /// Whether it is published; shown to policies, does not affect access.
    pub is_published: bool,
    /// Whether a subscription is needed; if not, the product is open.
    pub subscription_required: bool,
    /// Whether a subscription to it needs approval; shown to policies only.
    pub approval_required: bool,
    /// How many subscriptions a user may have; shown to policies only.
    pub subscriptions_limit: Option<u32>,
    /// Indices into [`Config::apis`]: every revision of each of its APIs, ascending.
    pub apis: Vec<usize>,
    /// Indices into [`Config::groups`], ascending.
    pub groups: Vec<usize>,
    /// The policy document of the product.
    pub policy: Option<PolicyText>,
    /// Where it was written.
    pub spot: Spot,
}

/// A client's subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Id.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
    /// What its keys open.
    pub scope: SubscriptionScope,
    /// Index of its owner in [`Config::users`].
    pub user: Option<usize>,
    /// State.
    pub state: SubscriptionState,
    /// The first key; one of the two is there.
    pub primary_key: Option<Secret>,
    /// The second key.
    pub secondary_key: Option<Secret>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it begins.
    pub start: Option<Timestamp>,
    /// When it ends.
    pub expiration: Option<Timestamp>,
    /// Whether its keys may ask for traces.
    pub allow_tracing: bool,
    /// Where it was written.
    pub spot: Spot,
}

/// What the keys of a subscription open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SubscriptionScope {
    /// Every API.
    AllApis,
    /// One API: indices of all its revisions in [`Config::apis`], ascending.
    Api(Vec<usize>),
    /// The APIs of one product: its index in [`Config::products`].
    Product(usize),
}

/// State of a subscription. Only an active one opens anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscriptionState {
    /// Its keys work.
    Active,
    /// Stopped for a while.
    Suspended,
    /// Asked for, not approved yet.
    Submitted,
    /// Asked for and refused.
    Rejected,
    /// Ended by its owner.
    Cancelled,
    /// Ended by time.
    Expired,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Id.
    pub id: Arc<str>,
    /// Address.
    pub email: Arc<str>,
    /// First name.
    pub first_name: Arc<str>,
    /// Last name.
    pub last_name: Arc<str>,
    /// Note.
    pub note: Option<Arc<str>>,
    /// When the user registered.
    pub registration: Option<Timestamp>,
    /// Indices into [`Config::groups`], ascending.
    pub groups: Vec<usize>,
    /// Who vouches for the user.
    pub identities: Vec<Identity>,
    /// Where it was written.
    pub spot: Spot,
}

/// A user's identity at a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The provider's id of the user.
    pub id: Arc<str>,
    /// The provider.
    pub provider: Arc<str>,
}

/// A group of users.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Id.
    pub id: Arc<str>,
    /// The name to show.
    pub name: Arc<str>,
}

/// A named value, for `{{name}}` in policy documents.
#[derive(Clone, Debug)]
pub struct NamedValue {
    /// Name.
    pub name: Arc<str>,
    /// The text to put in its place.
    pub value: Secret,
    /// Whether the text must never be shown.
    pub is_secret: bool,
    /// Where it was written.
    pub spot: Spot,
}

/// A policy fragment.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Id.
    pub id: Arc<str>,
    /// Its document.
    pub policy: PolicyText,
    /// Where it was written.
    pub spot: Spot,
}

/// A backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend {
    /// Id.
    pub id: Arc<str>,
    /// The name to show.
    pub title: Option<Arc<str>>,
    /// Where requests go.
    pub url: Arc<BaseUrl>,
    /// Whether that is an app behind Dapr's sidecar: only the path counts then.
    pub is_app: bool,
    /// What each request carries for the backend.
    pub credentials: Credentials,
    /// Whether the chain of its certificate is checked.
    pub validate_certificate_chain: bool,
    /// Whether its certificate must name its host.
    pub validate_certificate_name: bool,
    /// What else is asked of TLS with it, if anything is.
    pub tls: Option<Arc<tls::Terms>>,
    /// By way of which forward proxy it is reached, if by one.
    pub proxy: Option<Arc<ForwardProxy>>,
    /// Which HTTP it is spoken to in, if that is written.
    pub http: Option<HttpVersion>,
    /// When it is left alone.
    pub breaker: Option<Rule>,
    /// How its health is checked, if it is.
    pub check: Option<Check>,
    /// For whom it stands, if it is a pool, and how one of them is chosen. The rest is that of
    /// nobody then, and the URL that of the first.
    pub pool: Option<(Vec<PoolMember>, Terms)>,
    /// Where it was written.
    pub spot: Spot,
}

/// A backend as a part of a pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PoolMember {
    /// Its id.
    pub id: Arc<str>,
    /// The group it belongs to; smaller ones come first.
    pub priority: u32,
    /// Its share of its group.
    pub weight: u32,
}

/// A logger: where events go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Logger {
    /// Id.
    pub id: Arc<str>,
    /// Where they go.
    pub hub: Arc<EventHub>,
}

/// What each request to a backend carries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Credentials {
    /// Headers to set, in the order written; several values make several headers.
    pub headers: Vec<(HeaderName, Vec<Secret>)>,
    /// Query parameters to set, in the order written.
    pub query: Vec<(Arc<str>, Vec<Secret>)>,
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// The certificate to show to the backend.
    pub certificate: Option<Arc<Certificate>>,
    /// The service whose tokens it takes, and the client whose one it is shown, if one is named.
    pub token: Option<(Arc<str>, Option<Arc<str>>)>,
}

/// An `Authorization` header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorization {
    /// Scheme, a token.
    pub scheme: Arc<str>,
    /// What follows the scheme; a valid header value.
    pub parameter: Secret,
}

/// A host name with a certificate.
#[derive(Clone, Debug)]
pub struct HostName {
    /// The name, or one label and a name.
    pub host: Pattern,
    /// What to show to clients that ask for it; the listener's own if none.
    pub certificate: Option<Arc<Certificate>>,
    /// Where it was written.
    pub spot: Spot,
}

/// A policy document or fragment as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyText {
    /// The text.
    pub text: Arc<str>,
    /// Where each part of it stands in its file.
    pub layout: Layout,
}
