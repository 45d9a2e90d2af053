//! `cache-lookup` and `cache-store`.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::message::{Body, Headers, Response};
use crate::exchange::pending::{Downstream, Store};
use crate::exchange::{CacheOutcome, Exchange};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::caching::caching_type;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds, Term, text_of};
use crate::policy::program::{Action, Needs};
use crate::route::url::Query;

/// `cache-lookup`.
#[derive(Clone, Debug)]
pub struct LookupResponse {
    by_developer: Operand<bool>,
    by_groups: Operand<bool>,
    downstream: Operand<Downstream>,
    must_revalidate: Operand<bool>,
    allow_private: Operand<bool>,
    fields: Vec<HeaderName>,
    /// Lower-case; none: all.
    parameters: Vec<Arc<str>>,
    /// The fields, as `Vary` lists them.
    vary: Option<HeaderValue>,
}

/// `cache-store`.
#[derive(Clone, Debug)]
pub struct StoreResponse {
    duration: Operand<Seconds>,
    condition: Option<Operand<bool>>,
}

pub(in crate::policy) fn cache_lookup(builder: &mut Builder<'_>, element: &Element) {
    caching_type(builder, element);
    let by_developer = builder.attribute(element, "vary-by-developer");
    let by_groups = builder.attribute(element, "vary-by-developer-groups");
    let downstream = builder.attribute(element, "downstream-caching-type");
    let must_revalidate = builder.attribute(element, "must-revalidate");
    let allow_private = builder.attribute(element, "allow-private-response-caching");
    let fields: Vec<HeaderName> = listed(builder, element, "vary-by-header");
    let parameters: Vec<Arc<str>> = listed(builder, element, "vary-by-query-parameter");
    let names: Vec<_> = fields.iter().map(HeaderName::as_str).collect();
    let vary = HeaderValue::try_from(names.join(", ")).ok().filter(|_value| !fields.is_empty());
    if let (Some(by_developer), Some(by_groups)) = (by_developer, by_groups) {
        let policy = LookupResponse {
            by_developer,
            by_groups,
            downstream: downstream.unwrap_or(Operand::Constant(Downstream::Nobody)),
            must_revalidate: must_revalidate.unwrap_or(Operand::Constant(true)),
            allow_private: allow_private.unwrap_or(Operand::Constant(false)),
            fields,
            parameters: parameters.iter().map(|name| name.to_lowercase().into()).collect(),
            vary,
        };
        builder.push(element, Action::LookupResponse(Box::new(policy)));
    }
}

/// Reads the names in the elements `name`: one each, or several with semicolons between them.
fn listed<T: Term>(builder: &mut Builder<'_>, element: &Element, name: &str) -> Vec<T> {
    let mut names = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == name) {
        let what = format!("`{name}`");
        let text = child.text_content();
        let Some(list) = builder.content_operand::<Arc<str>>(child, &what) else { continue };
        let Some(list) = list.constant() else {
            builder.fault(child, format!("{what} may not be an expression"), "write the name");
            continue;
        };
        let before = names.len();
        for part in list.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match (T::from_literal(part), &text) {
                (Ok(known), _) => names.push(known),
                (Err(expected), Some(text)) => {
                    let message = format!("`{part}` is not {expected}");
                    builder.faults.push(Fault::new(text.place(), message).wide(text.width()));
                }
                (Err(_), None) => (),
            }
        }
        if names.len() == before && list.trim().is_empty() {
            builder.fault(child, format!("{what} is empty"), "write a name, or take it out");
        }
    }
    names
}

pub(in crate::policy) fn cache_store(builder: &mut Builder<'_>, element: &Element) {
    let duration = builder.attribute(element, "duration");
    let condition = builder.attribute(element, "cache-response");
    if let Some(duration) = duration {
        let needs = builder.needs().and(Needs { response_body: true, ..Needs::default() });
        let policy = StoreResponse { duration, condition };
        builder.push_with(element, Action::StoreResponse(policy), needs);
    }
}

impl LookupResponse {
    /// Asks for the response to this request, if the cache may have it.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        if exchange.original.method != Method::GET {
            return Ok(Flow::Next);
        }
        let is_private = exchange.request.headers.map().contains_key(AUTHORIZATION);
        if is_private && !self.allow_private.get(exchange)? {
            return Ok(Flow::Next);
        }
        let downstream = self.downstream.get(exchange)?;
        let must_revalidate = self.must_revalidate.get(exchange)?;
        let key = self.key(exchange)?;
        let vary = self.vary.clone();
        exchange.pending.store = Some(Store { key, downstream, must_revalidate, vary });
        Ok(Flow::Ask(Effect::LookupResponse(key)))
    }

    /// Takes the response that was found, or remembers that there was none.
    #[expect(clippy::unused_self, reason = "it answers what this policy asked")]
    pub(in crate::policy) fn found(&self, found: Option<&CachedResponse>, exchange: &mut Exchange) {
        let Some(cached) = found else {
            exchange.cache = CacheOutcome::Miss;
            return;
        };
        exchange.cache = CacheOutcome::Hit;
        let body = cached.body.clone();
        let mut response = Response {
            status: cached.status,
            phrase: None,
            headers: Headers::own(cached.headers.clone()),
            body: if body.is_empty() { Body::None } else { Body::Bytes(body) },
        };
        if let Some(store) = exchange.pending.store.take() {
            tell_downstream(&mut response.headers, &store, cached.remaining(exchange.now));
        }
        exchange.response = Some(response);
    }

    fn key(&self, exchange: &mut Exchange) -> Result<CacheKey, Failure> {
        let mut parts = KeyParts::new("response");
        let by_developer = self.by_developer.get(exchange)?;
        parts.list(by_developer.then(|| developer(exchange)));
        let by_groups = self.by_groups.get(exchange)?;
        parts.list(by_groups.then(|| groups(exchange)).into_iter().flatten());
        let api = exchange.api.as_ref();
        parts.add(api.map_or("", |api| &api.id));
        parts.add(api.map_or("", |api| &api.revision));
        parts.add(exchange.operation.as_ref().map_or("", |operation| &operation.id));
        // Bodies may name the gateway as this client called it.
        parts.add(exchange.original.scheme.as_str());
        parts.add(&exchange.original.host);
        parts.add(&exchange.original.port.to_string());
        parts.add(&exchange.original.path);
        // Policies before this one may have sent the request elsewhere, for this client only.
        parts.add(&exchange.request.base.to_string());
        parts.add(&exchange.request.tail);
        let query = Query::parse(&exchange.request.query);
        parts.list(self.parameters(&query));
        for name in &self.fields {
            let lines = exchange.request.headers.map().get_all(name).iter();
            parts.list(lines.map(|line| line.as_bytes().to_vec()));
        }
        Ok(parts.key())
    }

    /// Names and values of the parameters that count, by name: the order in which a client gives
    /// different ones does not matter.
    fn parameters(&self, query: &Query) -> impl Iterator<Item = Vec<u8>> + use<> {
        let mut pairs = Vec::new();
        for (name, value) in query.iter() {
            let name = name.to_lowercase();
            if self.parameters.is_empty() || self.parameters.iter().any(|listed| **listed == name) {
                pairs.push((name, value.into_owned()));
            }
        }
        pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
        pairs.into_iter().flat_map(|(name, value)| [name.into_bytes(), value.into_bytes()])
    }
}

/// Who calls: the user, or else the subscription.
fn developer(exchange: &Exchange) -> String {
    let user = exchange.user.as_ref().map(|user| format!("user/{}", user.id));
    let subscription = exchange.subscription.as_ref();
    let subscription = subscription.map(|known| format!("subscription/{}", known.id));
    user.or(subscription).unwrap_or_default()
}

fn groups(exchange: &Exchange) -> Vec<String> {
    let groups = exchange.user.as_ref().map_or(&[][..], |user| &user.groups);
    let mut ids: Vec<_> = groups.iter().map(|(id, _name)| id.to_string()).collect();
    ids.sort_unstable();
    ids
}

/// The parts of a key. Each list is preceded by its length, so that no two run together.
struct KeyParts(Vec<Vec<u8>>);

impl KeyParts {
    fn new(kind: &str) -> Self {
        Self(vec![kind.as_bytes().to_vec()])
    }

    fn add(&mut self, part: &str) {
        self.0.push(part.as_bytes().to_vec());
    }

    fn list<P: AsRef<[u8]>>(&mut self, parts: impl IntoIterator<Item = P>) {
        let parts: Vec<_> = parts.into_iter().map(|part| part.as_ref().to_vec()).collect();
        self.0.push(parts.len().to_le_bytes().to_vec());
        self.0.extend(parts);
    }

    fn key(self) -> CacheKey {
        CacheKey::new(self.0)
    }
}

impl StoreResponse {
    /// Keeps the response if `cache-lookup` missed it and it is one that may be kept.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(store) = exchange.pending.store.take() else {
            return Ok(Flow::Next);
        };
        let Seconds(ttl) = self.duration.get(exchange)?;
        let wanted = match &self.condition {
            Some(condition) => Some(condition.get(exchange)?),
            None => None,
        };
        let Some(response) = &mut exchange.response else {
            return Ok(Flow::Next);
        };
        let here = matches!(response.body, Body::None | Body::Bytes(_));
        if !wanted.unwrap_or(response.status == StatusCode::OK)
            || is_partial(response.status)
            || !here
            || ttl.is_zero()
        {
            return Ok(Flow::Next);
        }
        tell_downstream(&mut response.headers, &store, ttl);
        Ok(Flow::Ask(Effect::StoreResponse(store.key, ttl)))
    }
}

/// Whether a response with this status is an answer to this very request only.
fn is_partial(status: StatusCode) -> bool {
    matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The fields of a response that are kept with it: all but those for one client, or one moment.
pub fn storable(fields: &HeaderMap) -> HeaderMap {
    let mut kept = fields.clone();
    kept.remove(SET_COOKIE);
    kept.remove(AGE);
    kept
}

/// Says in `headers` what caches after this one may do with the response in the next `remaining`.
fn tell_downstream(headers: &mut Headers, store: &Store, remaining: Duration) {
    let seconds = remaining.as_secs();
    let mut directives = match store.downstream {
        Downstream::Nobody => "no-store".to_owned(),
        Downstream::Private => format!("private, max-age={seconds}"),
        Downstream::Public => format!("public, max-age={seconds}"),
    };
    if store.must_revalidate {
        directives.push_str(", must-revalidate");
    }
    if let Ok(directives) = HeaderValue::try_from(directives) {
        headers.set(&CACHE_CONTROL, directives);
    }
    if store.downstream == Downstream::Nobody {
        return;
    }
    // What remains is counted from now, not from when the backend answered.
    headers.remove(&AGE);
    if let Some(vary) = &store.vary
        && !headers.map().get_all(VARY).iter().any(|known| known == vary)
    {
        headers.append(&VARY, vary.clone());
    }
}

impl Term for Downstream {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "none" => Ok(Self::Nobody),
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err("`none`, `private` or `public`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
