//! Who calls, for what, and what runs: from a request that can be read to a run of policies.
//!
//! Nothing here knows a connection: `proxy` reads the head of a real request and `weir explain`
//! that of an imagined one, and both get the same answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};

use crate::backend::{BaseUrl, Scheme, Tls};
use crate::certificate::Certificate;
use crate::exchange::final_fields::FinalFields;
use crate::exchange::message::{Body, Headers, Original, Request};
use crate::exchange::pending::Pending;
use crate::exchange::trail::Trail;
use crate::exchange::{CacheOutcome, Exchange, Variables};
use crate::fault::Place;
use crate::policy::Failure;
use crate::policy::cross_domain;
use crate::policy::machine::{Machine, Ran};
use crate::policy::program::Program;
use crate::problem::{Challenge, Problem, ROUTE_DISABLED};
use crate::route;
use crate::route::table::{Match, Miss, Target};
use crate::route::template::Parameters;
use crate::snapshot::{ApiEntry, Snapshot};
use crate::subscription::{Access, Denied, Slot};
use crate::time::Timestamp;

/// What the client called: the head of a request, as far as it can be read without a connection.
#[derive(Debug)]
pub struct Called<'r> {
    /// The request's id.
    pub id: u128,
    /// When its head was here.
    pub now: Timestamp,
    /// The method.
    pub method: &'r Method,
    /// Whether it came over TLS, also where a trusted proxy says so.
    pub scheme: Scheme,
    /// The host, normalised.
    pub host: Cow<'r, str>,
    /// The port.
    pub port: u16,
    /// The canonical path.
    pub path: Cow<'r, str>,
    /// The query.
    pub query: &'r str,
    /// The fields.
    pub headers: &'r HeaderMap,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The certificate that the client showed.
    pub certificate: Option<Arc<Certificate>>,
    /// Whether it asks for another protocol on the connection.
    pub upgrade: bool,
    /// Whether a body follows.
    pub body: bool,
}

/// A request whose policies are ready to run.
#[derive(Debug)]
pub struct Admitted {
    /// The run.
    pub machine: Machine,
    /// The exchange.
    pub exchange: Exchange,
    /// How it begins.
    pub first: First,
    /// How the certificate of the API's own backend is judged.
    pub tls: Tls,
    /// The header that carries a subscription key: it does not go on to the backend.
    pub key_header: Option<HeaderName>,
}

/// How a run begins.
#[derive(Debug)]
pub enum First {
    /// With the first step.
    Start,
    /// In on-error; the place is what in the configuration asks for what is missing.
    Interrupt(Box<Failure>, Option<Place>),
    /// It is over: the response of the exchange is final. These policies were asked.
    Answered(Vec<Ran>),
}

/// Finds the operation and the subscription of a request.
pub fn admit(snapshot: &Snapshot, nowhere: &Arc<BaseUrl>, called: &Called<'_>) -> Admitted {
    let request = route::Request {
        scheme: called.routed_scheme(),
        host: &called.host,
        method: called.method,
        path: &called.path,
        query: called.query,
        headers: called.headers,
    };
    let mut exchange = begin(snapshot, nowhere, called);
    match find(snapshot, &request) {
        Ok(found) => matched(snapshot, exchange, found, called),
        Err(miss) => {
            let entry = miss.api().and_then(|api| snapshot.apis.get(api)).map(AsRef::as_ref);
            if let Some(entry) = entry.filter(|entry| entry.is_disabled) {
                return disabled(entry, exchange, called);
            }
            if let Some(ran) = cross_domain::flash::document(&snapshot.global, &mut exchange) {
                let first = First::Answered(ran);
                return admitted(&snapshot.global, exchange, None, first, called);
            }
            exchange.api = entry.map(|entry| Arc::clone(&entry.facts));
            let program = entry.map_or(&snapshot.global, |entry| &entry.program);
            interrupted(program, exchange, entry, missed(&miss), called)
        }
    }
}

impl Called<'_> {
    /// The scheme that routing looks at.
    pub const fn routed_scheme(&self) -> route::Scheme {
        match (self.scheme, self.upgrade) {
            (Scheme::Http, false) => route::Scheme::Http,
            (Scheme::Https, false) => route::Scheme::Https,
            (Scheme::Http, true) => route::Scheme::Ws,
            (Scheme::Https, true) => route::Scheme::Wss,
        }
    }
}

/// Finds the operation. A WebSocket handshake is for the APIs that name `ws` or `wss`; elsewhere
/// it is the `GET` request that it also is.
fn find<'r>(snapshot: &Snapshot, request: &route::Request<'r>) -> Result<Match<'r>, Miss> {
    let found = snapshot.routes.find(request);
    let plain = match request.scheme {
        route::Scheme::Ws => route::Scheme::Http,
        route::Scheme::Wss => route::Scheme::Https,
        route::Scheme::Http | route::Scheme::Https => return found,
    };
    match found {
        Err(Miss::Protocol { .. }) => {
            snapshot.routes.find(&route::Request { scheme: plain, ..*request })
        }
        found => found,
    }
}

/// The exchange of a request, before anything is known about its API.
fn begin(snapshot: &Snapshot, nowhere: &Arc<BaseUrl>, called: &Called<'_>) -> Exchange {
    Exchange {
        id: called.id,
        started: called.now,
        now: called.now,
        deployment: Arc::clone(&snapshot.deployment),
        client: called.client,
        certificate: called.certificate.clone(),
        original: Original {
            method: called.method.clone(),
            scheme: called.scheme,
            host: called.host.as_ref().to_owned(),
            port: called.port,
            path: called.path.as_ref().to_owned(),
            query: called.query.to_owned(),
        },
        request: Request {
            method: called.method.clone(),
            base: Arc::clone(nowhere),
            tail: String::new(),
            query: called.query.to_owned(),
            headers: Headers::default(),
            body: if called.body { Body::Waiting } else { Body::None },
        },
        response: None,
        api: None,
        operation: None,
        product: None,
        subscription: None,
        key: None,
        user: None,
        parameters: Parameters::default(),
        variables: Variables::default(),
        backend: None,
        choice: None,
        identity: None,
        last_error: None,
        final_fields: FinalFields::default(),
        pending: Pending::default(),
        bandwidth: Vec::new(),
        metering: None,
        samples: Vec::new(),
        is_forwarded: false,
        proxy: None,
        is_target_secret: false,
        trail: Trail::default(),
        traces: Vec::new(),
        inspection: None,
        cache: CacheOutcome::None,
        refusal: None,
        random: seed(called.id),
    }
}

/// A request whose API was found: who calls, and what runs.
fn matched(
    snapshot: &Snapshot,
    mut exchange: Exchange,
    found: Match<'_>,
    called: &Called<'_>,
) -> Admitted {
    let Some(entry) = snapshot.apis.get(found.api) else {
        return interrupted(&snapshot.global, exchange, None, missed(&Miss::Path), called);
    };
    exchange.api = Some(Arc::clone(&entry.facts));
    exchange.request.base = Arc::clone(&entry.base);
    exchange.backend.clone_from(&entry.backend);
    if is_disabled(entry, &found.target) {
        return disabled(entry, exchange, called);
    }
    found.tail.clone_into(&mut exchange.request.tail);
    exchange.parameters = found.parameters;
    let operation = match found.target {
        Target::Operation(operation) => operation,
        Target::Preflight { asked } => return preflight(entry, asked, exchange, called),
    };
    let Some(operation) = entry.operations.get(operation) else {
        return interrupted(&entry.program, exchange, Some(entry), missed(&Miss::Path), called);
    };
    exchange.operation = Some(Arc::clone(&operation.facts));
    let key_header = entry.key_names.header.clone();
    match identify(snapshot, entry, &mut exchange, called) {
        Ok(access) => {
            let program = operation.program(access.product);
            let mut admitted = admitted(program, exchange, Some(entry), First::Start, called);
            admitted.key_header = called.headers.contains_key(&key_header).then_some(key_header);
            admitted
        }
        Err(denied) => {
            let failure = unauthorized(&denied, entry, &exchange);
            interrupted(&operation.program, exchange, Some(entry), failure, called)
        }
    }
}

/// In whose name the request goes on; takes the key out of the query.
fn identify(
    snapshot: &Snapshot,
    entry: &ApiEntry,
    exchange: &mut Exchange,
    called: &Called<'_>,
) -> Result<Access, Denied> {
    let query = exchange.request.query.clone();
    let named = route::url::values(&query, &entry.key_names.query);
    let presented = entry.key_names.presented(called.headers, named);
    let access = snapshot.keys.decide(&entry.demand.as_demand(), &presented, called.now)?;
    if presented.is_in_query {
        let mut cleaned = route::url::Query::parse(&query);
        cleaned.remove(&entry.key_names.query);
        exchange.request.query = cleaned.to_string();
    }
    let product = access.product.and_then(|product| snapshot.products.get(product));
    exchange.product = product.map(Arc::clone);
    let subscriber = access.subscription.and_then(|known| snapshot.subscribers.get(known));
    if let Some(subscriber) = subscriber {
        exchange.key = Some(Arc::clone(match access.slot {
            Some(Slot::Secondary) => &subscriber.facts.secondary_key,
            Some(Slot::Primary) | None => &subscriber.facts.primary_key,
        }));
        exchange.subscription = Some(Arc::clone(&subscriber.facts));
        exchange.user.clone_from(&subscriber.user);
    }
    Ok(access)
}

/// A question of a browser before the request itself: only `cors` policies answer it.
fn preflight(
    entry: &ApiEntry,
    asked: Option<usize>,
    mut exchange: Exchange,
    called: &Called<'_>,
) -> Admitted {
    exchange.request.headers = Headers::received(called.headers.clone());
    let operation = asked.and_then(|asked| entry.operations.get(asked));
    exchange.operation = operation.map(|operation| Arc::clone(&operation.facts));
    let demand = &entry.demand;
    let program = match operation {
        Some(operation) => operation.program(demand.open_product),
        None => &entry.program,
    };
    if let Some(asked) = cross_domain::preflight(program, &mut exchange) {
        return admitted(program, exchange, Some(entry), First::Answered(asked), called);
    }
    let mut others = entry.operations.iter().filter(|_| operation.is_none());
    if others.any(|other| cross_domain::deny(other.program(demand.open_product), &mut exchange)) {
        return admitted(program, exchange, Some(entry), First::Answered(Vec::new()), called);
    }
    let failure = missed(&Miss::Operation { api: 0, methods: Vec::new() });
    interrupted(program, exchange, Some(entry), failure, called)
}

fn interrupted(
    program: &Arc<Program>,
    exchange: Exchange,
    entry: Option<&ApiEntry>,
    failure: Failure,
    called: &Called<'_>,
) -> Admitted {
    let place = entry.map(|entry| entry.facts.place.clone());
    admitted(program, exchange, entry, First::Interrupt(Box::new(failure), place), called)
}

fn admitted(
    program: &Arc<Program>,
    mut exchange: Exchange,
    entry: Option<&ApiEntry>,
    first: First,
    called: &Called<'_>,
) -> Admitted {
    if !program.is_plain() {
        exchange.request.headers = Headers::received(called.headers.clone());
    }
    Admitted {
        machine: Machine::new(Arc::clone(program)),
        exchange,
        first,
        tls: entry.map_or_else(Tls::default, |entry| entry.tls.clone()),
        key_header: None,
    }
}

/// Whether what a request is for is switched off.
fn is_disabled(entry: &ApiEntry, target: &Target) -> bool {
    let operation = match target {
        Target::Operation(operation) => Some(*operation),
        Target::Preflight { asked } => *asked,
    };
    let operation = operation.and_then(|operation| entry.operations.get(operation));
    entry.is_disabled || operation.is_some_and(|operation| operation.is_disabled)
}

/// Answers a request for something that is switched off. Nobody is asked for a key, and no policy
/// runs, of on-error neither: whatever it is that does harm there, must not.
fn disabled(entry: &ApiEntry, mut exchange: Exchange, called: &Called<'_>) -> Admitted {
    exchange.api = Some(Arc::clone(&entry.facts));
    let failure = Failure {
        source: Some("configuration"),
        reason: "RouteDisabled",
        message: "the API or the operation is switched off".to_owned(),
        problem: Problem::unavailable(ROUTE_DISABLED),
    };
    interrupted(&Arc::default(), exchange, Some(entry), failure, called)
}

fn missed(miss: &Miss) -> Failure {
    Failure {
        source: Some("configuration"),
        reason: "OperationNotFound",
        message: format!("Unable to match incoming request to an operation: {miss}."),
        problem: Problem::not_found(miss.slug()),
    }
}

fn unauthorized(denied: &Denied, entry: &ApiEntry, exchange: &Exchange) -> Failure {
    let challenge = Challenge {
        host: &exchange.original.host,
        path: &entry.facts.path,
        header: &entry.facts.key_header,
    };
    let (reason, problem) = match denied {
        Denied::Missing => ("SubscriptionKeyNotFound", Problem::key_missing(&challenge)),
        Denied::Invalid { reason, .. } => {
            let mut problem = Problem::key_invalid(&challenge);
            problem.reason = reason.slug();
            ("SubscriptionKeyInvalid", problem)
        }
    };
    let message = problem.message.to_string();
    Failure { source: Some("authorization"), reason, message, problem }
}

/// The beginning of an exchange's random sequence.
fn seed(id: u128) -> u64 {
    let [low, high] = [id & u128::from(u64::MAX), id >> 64];
    u64::try_from(low).unwrap_or(0) ^ u64::try_from(high).unwrap_or(0)
}
