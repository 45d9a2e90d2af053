//! One request and its response, as policies see them: the facts, the edits, the last error.
//!
//! An [`Exchange`] is filled by the phases of a request in turn; each reads what an earlier one
//! wrote. It holds no connection: whether a body is still on the wire is a state of [`Body`], and
//! whoever drives the policies fetches it when a step needs it.

pub mod facts;
pub mod contents;
pub mod diagnostics;
pub mod cached;
pub mod choice;
pub mod flight;
pub mod inspection;
pub mod message;
pub mod metering;
pub mod final_fields;
pub mod pending;
pub mod sample;
pub mod scope;
pub mod secrets;
pub mod trail;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};

use crate::backend::Backend;
use crate::backend::proxy::ForwardProxy;
use crate::certificate::Certificate;
use crate::digest;
use crate::exchange::choice::Choice;
use crate::exchange::diagnostics::Diagnostics;
use crate::exchange::facts::{Api, Deployment, Operation, Product, Subscription, User};
use crate::exchange::final_fields::FinalFields;
use crate::exchange::inspection::Inspection;
use crate::exchange::message::{Body, Headers, Original, Request, Response};
use crate::exchange::metering::Metering;
use crate::exchange::pending::Pending;
use crate::exchange::sample::Sample;
use crate::exchange::secrets::{HIDDEN, SECRET_BYTES_MIN};
use crate::exchange::trail::Trail;
use crate::expression::value::Value;
use crate::fault::Place;
use crate::limit::Charge;
use crate::problem::Problem;
use crate::route::template::Parameters;
use crate::secret::Secret;
use crate::short::Short;
use crate::time::Timestamp;

/// One request and its response.
pub struct Exchange {
    /// The request's id, also its correlation id.
    pub id: u128,
    /// When the request arrived.
    pub started: Timestamp,
    /// The time of the step that runs.
    pub now: Timestamp,
    /// Which gateway this is.
    pub deployment: Arc<Deployment>,
    /// The address of the client, after trusted proxies; `None` where it cannot be read.
    pub client: Option<IpAddr>,
    /// The certificate that the client showed.
    pub certificate: Option<Arc<Certificate>>,
    /// The request as the client made it.
    pub original: Original,
    /// The request as the backend will get it.
    pub request: Request,
    /// By way of which proxy, if a policy says so.
    pub proxy: Option<Arc<ForwardProxy>>,
    /// The response as the client will get it.
    pub response: Option<Response>,
    /// The API that was called.
    pub api: Option<Arc<Api>>,
    /// Its operation.
    pub operation: Option<Arc<Operation>>,
    /// The product in whose name it was called.
    pub product: Option<Arc<Product>>,
    /// The subscription whose key was used.
    pub subscription: Option<Arc<Subscription>>,
    /// That key. A secret: it never prints.
    pub key: Option<Arc<str>>,
    /// Who owns that subscription.
    pub user: Option<Arc<User>>,
    /// What the URL's template matched.
    pub parameters: Parameters,
    /// What policies remember.
    pub variables: Variables,
    /// The backend that a policy chose by name; else the request goes to its base URL as it is.
    pub backend: Option<Arc<Backend>>,
    /// The pool that it is a member of, if a policy chose a pool.
    pub choice: Option<Box<Choice>>,
    /// The certificate that a policy wants to be shown to the backend.
    pub identity: Option<Arc<Certificate>>,
    /// What went wrong, while on-error runs.
    pub last_error: Option<LastError>,
    /// Fields that limits and `cors` set on the final response, whoever makes it.
    pub final_fields: FinalFields,
    /// What a step leaves for a later one.
    pub pending: Pending,
    /// Quotas that count the bytes of this exchange, each once.
    pub bandwidth: Vec<Charge>,
    /// The tokens of language models that it costs, where a policy wants to know.
    pub metering: Option<Box<Metering>>,
    /// Samples of metrics that policies gave; at most [`SAMPLES_MAX`](sample::SAMPLES_MAX).
    pub samples: Vec<Sample>,
    /// Whether it was to be sent to its backend.
    pub is_forwarded: bool,
    /// Whether a secret is part of where it is sent to: then nothing may show that.
    pub is_target_secret: bool,
    /// Where it stands in its trace, and what it asked of others.
    pub trail: Trail,
    /// What `trace` policies and expressions said, for whoever inspects the request.
    pub traces: Vec<Trace>,
    /// What is kept for whoever inspects it, if somebody does.
    pub inspection: Option<Box<Inspection>>,
    /// How this exchange met the cache.
    pub cache: CacheOutcome,
    /// Why the gateway answered by itself, if it did: a stable word for logs.
    pub refusal: Option<&'static str>,
    /// The next value of the exchange's own random sequence.
    pub random: u64,
}

/// The variables of an exchange.
///
/// Their names stand in the configuration, so there are few: a list is faster than a map.
#[derive(Clone, Debug, Default)]
pub struct Variables(Vec<(Arc<str>, Value)>);

/// What went wrong: `context.LastError`.
#[derive(Clone, Debug, Default)]
pub struct LastError {
    /// The policy that failed, or `configuration`, `authorization`.
    pub source: &'static str,
    /// A machine-readable word, such as `RateLimitExceeded`.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// `global`, `product`, `api` or `operation`.
    pub scope: &'static str,
    /// `inbound`, `backend`, `outbound` or `on-error`.
    pub section: &'static str,
    /// Where in the section, such as `choose[3]/when[2]`.
    pub path: Arc<str>,
    /// The `id` of the policy.
    pub policy_id: Option<Arc<str>>,
    /// Where the policy stands, for logs; policies do not see it.
    pub place: Option<Place>,
}

/// A line that a policy wrote for whoever inspects the request.
#[derive(Clone, Debug)]
pub struct Trace {
    /// When it was said.
    pub at: Timestamp,
    /// The `source` of the `trace` policy, or `expression`.
    pub source: Arc<str>,
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub message: Arc<str>,
    /// Names and values beside it.
    pub metadata: Vec<(Arc<str>, Arc<str>)>,
}

/// How much a trace matters.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// For those who look closely.
    #[default]
    Verbose,
    /// Worth knowing.
    Information,
    /// Something went wrong.
    Error,
}

/// How an exchange met the cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CacheOutcome {
    /// No policy asked.
    #[default]
    None,
    /// The response came from the cache.
    Hit,
    /// The cache had none.
    Miss,
}

/// The lines of one exchange that are kept; what comes after is dropped.
pub const TRACES_MAX: usize = 256;

impl std::fmt::Debug for Exchange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A request is full of secrets: only what names it is shown.
        formatter.debug_struct("Exchange").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Exchange {
    /// By way of which proxy the request goes: that of a policy, or else that of the backend.
    pub fn way(&self) -> Option<&Arc<ForwardProxy>> {
        self.proxy.as_ref().or_else(|| self.backend.as_ref()?.proxy.as_ref())
    }

    /// Replaces the response by the answer to `problem`.
    pub fn answer(&mut self, problem: &Problem) {
        let mut headers = problem.headers.clone();
        if let Some(kind) = problem.content_type() {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let activity = format_id(self.id);
        let body = problem.body(&activity);
        self.refusal = Some(problem.reason);
        self.response = Some(Response {
            status: problem.status,
            phrase: problem.phrase.map(Arc::from),
            headers: Headers::own(headers),
            body: if body.is_empty() { Body::None } else { Body::Bytes(body.into()) },
        });
    }

    /// The response, made with `status` if there is none yet.
    pub fn response_or(&mut self, status: StatusCode) -> &mut Response {
        self.response.get_or_insert_with(|| Response {
            status,
            phrase: None,
            headers: Headers::own(HeaderMap::new()),
            body: Body::None,
        })
    }

    /// What is to be logged of it, where the configuration says.
    pub fn diagnostics(&self) -> Option<&Arc<Diagnostics>> {
        let own = self.api.as_ref().and_then(|api| api.diagnostics.as_ref());
        own.or(self.deployment.diagnostics.as_ref())
    }

    /// Keeps a line for whoever inspects the request, without what secret named values hold.
    pub fn trace(&mut self, mut trace: Trace) {
        if TRACES_MAX <= self.traces.len() {
            return;
        }
        let values = trace.metadata.iter_mut().map(|(_, value)| value);
        for text in values.chain([&mut trace.source, &mut trace.message]) {
            if let Cow::Owned(covered) = self.cover(text) {
                *text = Arc::from(covered);
            }
        }
        self.traces.push(trace);
    }

    /// `text` without what secret named values hold, without tokens of the gateway's own, and without
    /// the key that the client showed and the other one of its subscription.
    pub fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let covered = self.deployment.secrets.cover(text);
        let tokens = self.pending.tokens.iter().map(Secret::expose);
        let known = self.subscription.iter().flat_map(|it| [&*it.primary_key, &*it.secondary_key]);
        let keys = self.key.as_deref().into_iter().chain(known);
        let keys = keys.filter(|key| SECRET_BYTES_MIN <= key.len());
        tokens.chain(keys).fold(covered, |covered, secret| {
            if covered.contains(secret) {
                Cow::Owned(covered.replace(secret, HIDDEN))
            } else {
                covered
            }
        })
    }

    /// `text` without what secret named values hold, without tokens of the gateway's own, and without
    /// the key that the client showed and the other one of its subscription.
    pub fn covered(&self, text: String) -> String {
        match self.cover(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(covered) => covered,
        }
    }

    /// The next number of the exchange's own random sequence (`SplitMix64`).
    pub fn next_random(&mut self) -> u64 {
        let number = digest::mixed(self.random);
        self.random = self.random.wrapping_add(digest::STEP);
        number
    }
}

impl Variables {
    /// The variable `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known.as_ref() == name).map(|(_, value)| value)
    }

    /// Sets or replaces the variable `name`.
    pub fn set(&mut self, name: &Arc<str>, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((Arc::clone(name), value)),
        }
    }

    /// Forgets the variable `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known.as_ref() != name);
    }

    /// Names and values, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// A request's id as GUIDs are written.
pub fn format_id(id: u128) -> String {
    short_id(id).to_string()
}

/// The same, for those who write many.
pub fn short_id(id: u128) -> Short<36> {
    let mut short = Short::default();
    for (shift, digits) in [(96, 8), (80, 4), (64, 4), (48, 4)] {
        short.hex(id >> shift, digits);
        // There is room for all of it.
        let _ = short.text("-");
    }
    short.hex(id, 12);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_a_guid() {
        let id = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        assert_eq!(format_id(id), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn a_variable_is_replaced_in_place() {
        let mut variables = Variables::default();
        let name: Arc<str> = Arc::from("a");
        variables.set(&name, Value::Int(1));
        variables.set(&name, Value::Int(2));
        assert_eq!(variables.iter().count(), 1);
        assert!(matches!(variables.get("a"), Some(Value::Int(2))));
    }
}
