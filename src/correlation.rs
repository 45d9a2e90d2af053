//! Which trace a request belongs to: read from its fields, decided here, and told to whoever is asked
//! next (W3C Trace Context).
//!
//! A client is believed about where its trace comes from, because nothing depends on that. Whether
//! the trace is recorded is for those to say who are trusted, and for the gateway itself: else anybody
//! could have everything recorded. What is wrong in these fields costs nobody a response: the trace
//! begins anew here.

pub mod w3c;
pub mod b3;
pub mod request_id;
pub mod sampling;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::correlation::sampling::Sampler;
use crate::digest::mixed;
use crate::short::Short;

/// The number of a trace; never zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TraceId(u128);

/// The number of a span within its trace; never zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpanId(u64);

/// Where a request stands in its trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Correlation {
    /// The trace.
    pub trace: TraceId,
    /// The span of the exchange itself.
    pub span: SpanId,
    /// The span of whoever sent the request, if it said so.
    pub parent: Option<SpanId>,
    /// Whether the trace is recorded, whatever becomes of the exchange.
    pub is_sampled: bool,
    /// Whether `tracestate` is in order, and goes on.
    pub keeps_state: bool,
    /// Whether `baggage` comes from somebody who is trusted and is in order, and goes on.
    pub keeps_baggage: bool,
    /// In which forms the trace is told to others, besides the standard's.
    forms: Forms,
}

/// What else is understood than `traceparent`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Forms {
    /// `b3` and `X-B3-*`.
    pub b3: bool,
    /// Azure's `Request-Id`.
    pub request_id: bool,
}

/// How traces are begun and gone on with.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Which of them are recorded.
    pub sampler: Sampler,
    /// What else is understood.
    pub forms: Forms,
}

/// The target, in `tracing`, of spans of what the gateway does by itself: it tells them from the rest.
pub const OWN_SPANS: &str = "weir::span";

/// What somebody said of the trace that a request belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parent {
    trace: TraceId,
    span: SpanId,
    /// Whether it is recorded there, if that is said.
    is_sampled: Option<bool>,
}

impl TraceId {
    /// The trace with this number, if it may be one.
    pub const fn new(number: u128) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number.
    pub const fn number(self) -> u128 {
        self.0
    }

    /// As it is sent: highest byte first.
    pub const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// As it is written: 32 digits.
    pub fn text(self) -> Short<32> {
        let mut text = Short::default();
        text.hex(self.0, 32);
        text
    }
}

impl SpanId {
    /// The span with this number, if it may be one.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// A span whose number nobody else is likely to have.
    pub const fn of(random: u64) -> Self {
        if random == 0 { Self(1) } else { Self(random) }
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// As it is sent: highest byte first.
    pub const fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// As it is written: 16 digits.
    pub fn text(self) -> Short<16> {
        let mut text = Short::default();
        text.hex(self.0.into(), 16);
        text
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

impl Correlation {
    /// Where the request with these fields stands. `id` is its own number, which names the trace if
    /// it begins here; `random` differs for each request; `is_trusted`: whether whoever sent it is.
    pub fn read(
        headers: &HeaderMap,
        terms: &Terms,
        is_trusted: bool,
        (id, random): (u128, u64),
    ) -> Self {
        let parent = parent(headers, terms.forms);
        let said = parent.filter(|_parent| is_trusted).and_then(|parent| parent.is_sampled);
        let is_sampled = match (terms.sampler, said) {
            (Sampler::Share(_), Some(said)) => said,
            (sampler, _) => sampler.takes(random),
        };
        Self {
            trace: parent.map_or(TraceId(id.max(1)), |parent| parent.trace),
            span: SpanId::of(mixed(random)),
            parent: parent.map(|parent| parent.span),
            is_sampled,
            keeps_state: parent.is_some()
                && headers.contains_key(w3c::TRACEPARENT)
                && w3c::is_state(headers),
            keeps_baggage: is_trusted && w3c::is_baggage(headers),
            forms: terms.forms,
        }
    }

    /// The names of a client's fields that are not for whoever is asked next.
    pub fn replaced(&self) -> impl Iterator<Item = HeaderName> {
        let known = [w3c::TRACEPARENT, w3c::TRACESTATE, w3c::BAGGAGE, request_id::REQUEST_ID];
        known.into_iter().chain(b3::FIELDS).filter(|name| self.replaces(name))
    }

    /// Whether the gateway says the field `name` itself, whatever policies set.
    pub fn tells(&self, name: &HeaderName) -> bool {
        *name == w3c::TRACEPARENT
            || (self.forms.b3 && *name == b3::B3)
            || (self.forms.request_id && *name == request_id::REQUEST_ID)
    }

    /// Whether the client's field `name` is not for whoever is asked next.
    pub fn replaces(&self, name: &HeaderName) -> bool {
        *name == w3c::TRACEPARENT
            || (name == w3c::TRACESTATE && !self.keeps_state)
            || (name == w3c::BAGGAGE && !self.keeps_baggage)
            || (self.forms.b3 && b3::FIELDS.contains(name))
            || (self.forms.request_id && *name == request_id::REQUEST_ID)
    }

    /// The number of its span `count`, counted from one, beside that of the exchange itself.
    pub const fn child(&self, count: u64) -> SpanId {
        SpanId::of(mixed(self.span.0 ^ count))
    }

    /// The fields that say it to whoever is asked in `span`.
    pub fn told(&self, span: SpanId) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let Self { trace, is_sampled, forms, .. } = *self;
        let fields = [
            Some((w3c::TRACEPARENT, w3c::traceparent(trace, span, is_sampled))),
            forms.b3.then(|| (b3::B3, b3::single(trace, span, is_sampled))),
            forms.request_id.then(|| (request_id::REQUEST_ID, request_id::of(trace, span))),
        ];
        // None of them has a character that a field cannot have.
        let value = |text: String| HeaderValue::from_maybe_shared(text).ok();
        fields.into_iter().flatten().filter_map(move |(name, text)| Some((name, value(text)?)))
    }
}

/// Whose request it is, by its fields: what the standard has counts first.
fn parent(headers: &HeaderMap, forms: Forms) -> Option<Parent> {
    if headers.contains_key(w3c::TRACEPARENT) {
        return w3c::parent(headers);
    }
    let b3 = forms.b3.then(|| b3::parent(headers)).flatten();
    b3.or_else(|| forms.request_id.then(|| request_id::parent(headers)).flatten())
}

/// The only value of a field; `None` if there are several, or none that is text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

/// The number that is written in lower-case hexadecimal digits, as many as there are characters.
fn hexadecimal(text: &str) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.bytes().all(is_digit).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn trace(text: &str) -> Option<TraceId> {
    TraceId::new(hexadecimal(text)?)
}

fn span(text: &str) -> Option<SpanId> {
    SpanId::new(u64::try_from(hexadecimal(text)?).ok()?)
}

#[cfg(test)]
mod tests;
