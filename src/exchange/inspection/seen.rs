//! How an exchange is at one moment, and what is otherwise in the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Change, Fact, Inspection};
use crate::backend::Backend;
use crate::backend::proxy::ForwardProxy;
use crate::exchange::message::{Body, Response};
use crate::exchange::{CacheOutcome, Exchange, Trace, Variables};
use crate::expression::library::{display, operators};
use crate::expression::value::Value;

/// The longest text that is shown of a variable, in bytes; of a longer one only its length is: what is
/// cut could no longer be told to be a secret.
const VALUE_BYTES_MAX: usize = 4096;

/// How an exchange is at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    method: Method,
    url: String,
    fields: HeaderMap,
    body: Weighed,
    response: Option<(u16, Weighed)>,
    response_fields: HeaderMap,
    variables: Variables,
    backend: Option<Arc<Backend>>,
    proxy: Option<Arc<ForwardProxy>>,
    has_certificate: bool,
    cache: CacheOutcome,
    samples: usize,
    traces: usize,
    spared: usize,
}

/// What a body is, without what it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Weighed {
    None,
    Waiting,
    /// At this place in memory, so long.
    Bytes(usize, usize),
    Gone,
}

impl Seen {
    pub(super) fn of(exchange: &Exchange) -> Self {
        let request = &exchange.request;
        let response = exchange.response.as_ref();
        let set = response.map(|response| response.headers.map()).cloned().unwrap_or_default();
        let mut response_fields = set;
        // What limits and `cors` put on the final response is a part of it.
        for (name, value) in exchange.final_fields.over(&response_fields) {
            response_fields.insert(name, value);
        }
        let weigh = |response: &Response| (response.status.as_u16(), Weighed::of(&response.body));
        let spared = exchange.pending.refusals.iter().filter(|it| it.outcome.is_spared());
        Self {
            method: request.method.clone(),
            url: url(exchange),
            fields: request.headers.map().clone(),
            body: Weighed::of(&request.body),
            response: response.map(weigh),
            response_fields,
            variables: exchange.variables.clone(),
            backend: exchange.backend.clone(),
            proxy: exchange.proxy.clone(),
            has_certificate: exchange.identity.is_some(),
            cache: exchange.cache,
            samples: exchange.samples.len(),
            traces: exchange.traces.len(),
            spared: spared.count(),
        }
    }

    /// Tells what is otherwise than `before`; `traces` are those of the exchange.
    pub(super) fn tell(&self, before: &Self, traces: &[Trace], to: &mut Inspection) {
        let mut changed = |change: Change| to.add(Fact::Changed(change));
        if self.method != before.method {
            changed(Change::Method(self.method.to_string()));
        }
        if self.url != before.url {
            changed(Change::Url(self.url.clone()));
        }
        for (name, values) in otherwise(&self.fields, &before.fields) {
            changed(Change::RequestField(name, values));
        }
        if let Some(body) = self.body.after(before.body) {
            changed(Change::RequestBody(body));
        }
        let (status, body) = self.response.unzip();
        let (status_before, body_before) = before.response.unzip();
        if let Some(status) = status.filter(|status| Some(*status) != status_before) {
            changed(Change::Status(status));
        }
        for (name, values) in otherwise(&self.response_fields, &before.response_fields) {
            changed(Change::ResponseField(name, values));
        }
        let body_before = body_before.unwrap_or(Weighed::None);
        if let Some(body) = body.and_then(|body| body.after(body_before)) {
            changed(Change::ResponseBody(body));
        }
        self.tell_variables(before, to);
        self.tell_rest(before, to);
        for trace in traces.iter().skip(before.traces) {
            to.add(Fact::Said(trace.clone()));
        }
    }

    fn tell_variables(&self, before: &Self, to: &mut Inspection) {
        for (name, value) in self.variables.iter() {
            if before.variables.get(name).is_none_or(|old| !operators::same(old, value)) {
                to.add(Fact::Changed(Change::Variable(Arc::clone(name), Some(shown(value)))));
            }
        }
        for (name, _value) in before.variables.iter() {
            if self.variables.get(name).is_none() {
                to.add(Fact::Changed(Change::Variable(Arc::clone(name), None)));
            }
        }
    }

    fn tell_rest(&self, before: &Self, to: &mut Inspection) {
        if !is_same(self.backend.as_ref(), before.backend.as_ref()) {
            let id = self.backend.as_ref().map(|backend| Arc::clone(&backend.id));
            to.add(Fact::Changed(Change::Backend(id)));
        }
        if !is_same(self.proxy.as_ref(), before.proxy.as_ref()) {
            let proxy = self.proxy.as_ref().map(ToString::to_string);
            to.add(Fact::Changed(Change::Proxy(proxy)));
        }
        if self.has_certificate != before.has_certificate {
            to.add(Fact::Changed(Change::Certificate(self.has_certificate)));
        }
        if self.cache != before.cache {
            to.decided(match self.cache {
                CacheOutcome::Hit => "the response comes from the cache",
                CacheOutcome::Miss | CacheOutcome::None => "the cache has no response",
            });
        }
        if before.samples < self.samples {
            let samples = self.samples.saturating_sub(before.samples);
            to.add(Fact::Changed(Change::Samples(samples)));
        }
        if before.spared < self.spared {
            to.decided("would have refused, but is in shadow");
        }
    }
}

impl Weighed {
    fn of(body: &Body) -> Self {
        match body {
            Body::None => Self::None,
            Body::Waiting => Self::Waiting,
            Body::Bytes(bytes) => Self::Bytes(bytes.as_ptr().addr(), bytes.len()),
            Body::Consumed | Body::Gone => Self::Gone,
        }
    }

    /// What it is, if it is another one than `before`. One that was read is the same as before.
    fn after(self, before: Self) -> Option<String> {
        match (before, self) {
            (Self::Waiting, _) | (_, Self::Waiting | Self::Gone) => None,
            (before, after) if before == after => None,
            (_, Self::None) => Some("none".to_owned()),
            (_, Self::Bytes(_, length)) => Some(format!("{length} bytes")),
        }
    }
}

/// Where the request goes.
pub fn url(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let mark = if request.query.is_empty() { "" } else { "?" };
    format!("{}{}{mark}{}", request.base, request.tail, request.query)
}

/// A value as it is shown.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are shown as their text")]
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "null".to_owned(),
        // What these hold is a secret more often than not.
        Value::Jwt(_) | Value::BasicCredentials(_) | Value::Bytes(_) | Value::Body(_) => None,
        other => display::text(other).ok(),
    };
    match text {
        Some(text) if text.len() <= VALUE_BYTES_MAX => text.to_string(),
        Some(text) => format!("({}, {} bytes as text)", value.type_name(), text.len()),
        None => format!("({})", value.type_name()),
    }
}

fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// The fields that are otherwise, with what they are now.
fn otherwise(now: &HeaderMap, before: &HeaderMap) -> Vec<(HeaderName, Vec<HeaderValue>)> {
    let names: BTreeSet<&str> = now.keys().chain(before.keys()).map(HeaderName::as_str).collect();
    let other = |name: &&str| !now.get_all(*name).iter().eq(before.get_all(*name).iter());
    let with_values = |name: &str| {
        let values = now.get_all(name).iter().cloned().collect();
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, values))
    };
    names.into_iter().filter(other).filter_map(with_values).collect()
}
