//! What a machine asks for, in words: a line each, further lines indented.

use http::HeaderMap;

use crate::backend::proxy::ForwardProxy;
use crate::backend::version::HttpVersion;
use crate::certificate::Certificate;
use crate::exchange::Exchange;
use crate::exchange::message::{Body, Request};
use crate::exchange::sample::Sample;
use crate::expression::value::Value;
use crate::limit::manner::Course;
use crate::limit::{Charge, CountersUnavailable, NEVER, Tallies, Tally, Terms};
use crate::policy::Side;
use crate::policy::logging::event_hub::{HubEvent, Partition};
use crate::policy::machine::Effect;
use crate::policy::operand::text_of;
use crate::policy::program::Because;
use crate::policy::routing::Forward;
use crate::policy::send::outgoing::Outgoing;

/// An effect whose words do not depend on what comes of it.
pub(super) fn of(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Fetch(Side::Request) => Some("fetch request body".to_owned()),
        Effect::Fetch(Side::Response) => Some("fetch response body".to_owned()),
        Effect::StoreResponse(_, span) => Some(format!("store response for {span:?}")),
        Effect::StoreValue(_, value, span) => {
            Some(format!("store value {} for {span:?}", written(value)))
        }
        Effect::RemoveValue(_) => Some("remove value".to_owned()),
        Effect::Again(span) if span.is_zero() => None,
        Effect::Sleep(span) | Effect::Again(span) => Some(format!("sleep {span:?}")),
        Effect::Measure => Some("hear the whole answer".to_owned()),
        Effect::KeepValue(made) => {
            let fresh = made.refresh.map(|span| format!(", fresh for {span:?}"));
            let (value, fresh) = (written(&made.value), fresh.unwrap_or_default());
            Some(format!("keep value {value} for {:?}{fresh}", made.expires))
        }
        Effect::Together(begin) if begin.is_empty() => None,
        Effect::Together(begin) => Some(format!("at the same time: {}", begin.len())),
        Effect::Emit(event) => Some(emitted(event)),
        Effect::Authenticate(asked) => {
            let documents = asked.documents.iter().map(|it| format!(", {it:?}"));
            Some(format!(
                "ask who signed the token: {} keys{}",
                asked.own.keys.len(),
                documents.collect::<String>()
            ))
        }
        Effect::Obtain(asked) => Some(format!("obtain {asked}")),
        Effect::Charge(_)
        | Effect::Add(_)
        | Effect::Refund(..)
        | Effect::Enter { .. }
        | Effect::LookupResponse(_)
        | Effect::LookupValue(_)
        | Effect::WantValue(_)
        | Effect::Call(_)
        | Effect::Tell(_)
        | Effect::Forward(_)
        | Effect::Deliver => None,
    }
}

/// An event for an event hub.
fn emitted(event: &HubEvent) -> String {
    let partition = match &event.partition {
        Partition::Any => String::new(),
        Partition::Number(number) => format!(", partition {number}"),
        Partition::Key(key) => format!(", partition of {key:?}"),
    };
    let (logger, hub) = (&event.logger, &event.hub);
    let lines = event.text.lines().map(|line| format!("\n  {}", brief(line)));
    format!("emit to {logger}, {hub}{partition}{}", lines.collect::<String>())
}

/// Whether a cache had something.
pub(super) const fn found(found: bool) -> &'static str {
    if found { "hit" } else { "miss" }
}

/// A value as a test reads it: strings quoted, others with their type.
pub(in crate::policy) fn written(value: &Value) -> String {
    if let Value::String(text) = value {
        return format!("{text:?}");
    }
    if matches!(value, Value::Null) {
        return "null".to_owned();
    }
    let kind = value.short_type_name();
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text_of(value).map_or_else(
        |_| kind.to_string(),
        |text| format!("{} ({kind})", line(&text)).trim().to_owned(),
    )
}

/// Charges and what came of them.
pub(super) fn charged(
    charges: &[Charge],
    tallies: &Result<Tallies, CountersUnavailable>,
) -> Vec<String> {
    if tallies.is_err() {
        return charges.iter().map(|charge| format!("{}: unknown", claim(charge))).collect();
    }
    let tallies: Vec<_> = tallies.iter().flat_map(Tallies::iter).copied().collect();
    let pairs = charges.iter().zip(tallies);
    pairs.map(|(charge, tally)| format!("{}: {}", claim(charge), outcome(&tally))).collect()
}

fn claim(charge: &Charge) -> String {
    let subject = charge.key.kind().subject();
    let terms = terms(&charge.terms);
    if charge.is_again {
        return format!("charge {subject} {} in another counter, {terms}", charge.cost);
    }
    match (charge.cost, charge.need) {
        (0, 0) => format!("check {subject} again, {terms}"),
        (0, _) => format!("look at {subject}, {terms}"),
        (cost, _) => format!("charge {subject} {cost}, {terms}"),
    }
}

fn outcome(tally: &Tally) -> String {
    match (tally.admitted, tally.retry_after) {
        (true, _) => format!("{} used", tally.used),
        (false, NEVER) => format!("refused with {} used, for ever", tally.used),
        (false, span) => format!("refused with {} used, for {span:?}", tally.used),
    }
}

fn terms(terms: &Terms) -> String {
    let (limit, period) = (terms.limit, terms.period);
    match terms.course() {
        _ if period.is_zero() => format!("at most {limit} ever"),
        Course::Sliding => format!("at most {limit} in any {period:?}"),
        Course::Fixed { .. } => format!("at most {limit} in each {period:?}"),
        Course::Bucket { burst } => format!("{limit} in {period:?} and at most {burst} at once"),
    }
}

/// What is counted after the fact.
pub(super) fn added(charge: &Charge) -> String {
    format!("add {} {}", charge.key.kind().subject(), charge.cost)
}

/// A sample of a metric.
pub(super) fn sample(sample: &Sample) -> String {
    let Sample { name, value, series } = sample;
    let dimensions = series.dimensions.iter().map(|(name, value)| format!(", {name}={value}"));
    format!("sample {}/{name} {value}{}", series.namespace, dimensions.collect::<String>())
}

/// What is given back.
pub(super) fn refunded(charge: &Charge) -> String {
    format!("give back {} {}", charge.key.kind().subject(), charge.cost)
}

/// The request as the backend gets it.
pub(super) fn forwarded(
    forward: &Forward,
    exchange: &Exchange,
    streamed: &[u8],
    because: Option<&Because>,
) -> Vec<String> {
    let request = &exchange.request;
    let url = format!("{}{}", origin(request), request.target());
    let mut first = format!("forward {} {url}, {:?} at most", request.method, forward.wait);
    if forward.follow_redirects.is_some() {
        first.push_str(", following redirects");
    }
    match forward.http {
        Some(HttpVersion::Two) => first.push_str(", over HTTP/2"),
        Some(HttpVersion::TwoOrOne) => first.push_str(", over HTTP/2 or HTTP/1.1"),
        Some(HttpVersion::One) | None => (),
    }
    let mut lines = vec![first];
    lines.extend(exchange.proxy.as_deref().map(through));
    if let Some(because) = because {
        lines.push(format!("  collected for {}: {}", because.policy, because.why));
    }
    lines.extend(fields(request.headers.map()));
    let kept = match &request.body {
        Body::Waiting => streamed,
        Body::Bytes(bytes) => bytes,
        Body::None | Body::Consumed | Body::Gone => b"",
    };
    lines.extend(body(kept));
    lines
}

/// A request to another service.
pub(super) fn called(verb: &str, outgoing: &Outgoing) -> Vec<String> {
    let Outgoing { method, url, headers, exact, body: bytes, proxy, wait, tls, .. } = outgoing;
    let mut lines = vec![format!("{verb} {method} {url}, {wait:?} at most")];
    lines.extend(proxy.as_deref().map(through));
    lines.extend(tls.identity.as_deref().map(shown));
    lines.extend(fields(headers));
    for (name, value) in exact {
        lines.push(format!("  {name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    lines.extend(body(bytes));
    lines
}

/// The proxy on the way, and what it is shown.
fn through(proxy: &ForwardProxy) -> String {
    let shown = proxy.authorization.as_ref().map(|shown| format!(", shown {}", shown.expose()));
    format!("  through {proxy}{}", shown.unwrap_or_default())
}

/// Which certificate is shown.
pub(super) fn shown(certificate: &Certificate) -> String {
    format!("  shows {} ({})", certificate.subject().text(), certificate.thumbprint())
}

fn origin(request: &Request) -> String {
    let base = &request.base;
    format!("{}://{}", base.scheme.as_str(), base.authority.to_str().unwrap())
}

/// Fields by name, a line each.
pub(in crate::policy) fn fields(fields: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (_, &http::HeaderValue)| {
        format!("  {name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    let mut lines: Vec<(&http::HeaderName, String)> =
        fields.iter().map(|(name, value)| (name, line((name, value)))).collect();
    lines.sort_by_key(|(name, _)| name.as_str().to_owned());
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The lines of a body after an empty one; nothing for no body.
pub(in crate::policy) fn body(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let lines = text.split('\n').map(|line| format!("  {}", brief(line)).trim_end().to_owned());
    std::iter::once(String::new()).chain(lines).collect()
}

/// The most characters of a line that are written.
const LINE_CHARACTERS_MAX: usize = 200;

/// A line, or the beginning of a long one and how long it is.
fn brief(line: &str) -> String {
    let length = line.chars().count();
    if length <= LINE_CHARACTERS_MAX {
        return line.to_owned();
    }
    let shown: String = line.chars().take(40).collect();
    format!("{shown}… ({length} characters)")
}
