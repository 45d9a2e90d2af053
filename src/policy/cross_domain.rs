//! `cors`: which web pages may call an API from a browser (the Fetch standard's CORS protocol).
//!
//! A *preflight* is an OPTIONS request with `Origin` and `Access-Control-Request-Method` that no
//! operation takes. It is answered before the subscription is checked ([`preflight()`]), by the
//! `cors` policies that stand directly in `inbound`: the first that grants it answers 200 with
//! what it grants; one that does not ends the search with an empty 200, or leaves it to the next if
//! it has `terminate-unmatched-request="false"`.
//!
//! An *actual* request with an origin that is allowed gets the fields on its final response,
//! whoever makes that: a page must be able to read a refusal, too. With another origin it is
//! answered by an empty 200, or goes on without the fields. Once a `cors` has granted a request,
//! those of wider or narrower scopes have no more say.
//!
//! Without `allowed-methods` GET and POST are granted, without `allowed-headers` no fields.

pub mod flash;
pub mod jsonp;
mod origin;
mod preflight;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::{Body, Headers, Response};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;

use origin::{Allowed, Origin};

pub use preflight::{deny, preflight};

/// `cors`.
#[derive(Clone, Debug)]
pub struct Cors {
    credentials: Operand<bool>,
    terminate: Operand<bool>,
    origins: Vec<Operand<Allowed>>,
    methods: Vec<Operand<Wild<Method>>>,
    /// Seconds.
    max_age: Option<Operand<u64>>,
    headers: Vec<Operand<Wild<HeaderName>>>,
    exposed: Vec<Operand<Wild<HeaderName>>>,
}

/// One of a list, or `*` for all there are.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Wild<T> {
    All,
    One(T),
}

/// What a request is granted.
struct Grant {
    /// The value of `Access-Control-Allow-Origin`.
    origin: HeaderValue,
    credentials: bool,
}

/// The word in logs for requests that were answered with nothing.
const UNMATCHED: &str = "cors-unmatched";

pub(super) fn cors(builder: &mut Builder<'_>, element: &Element) {
    let credentials = builder.attribute(element, "allow-credentials");
    let terminate = builder.attribute(element, "terminate-unmatched-request");
    let origins = members(builder, element, "allowed-origins", "origin");
    let methods = members(builder, element, "allowed-methods", "method");
    let max_age = element
        .element("allowed-methods")
        .and_then(|methods| builder.attribute(methods, "preflight-result-max-age"));
    let headers = members(builder, element, "allowed-headers", "header");
    let exposed = members(builder, element, "expose-headers", "header");
    let policy = Cors {
        credentials: credentials.unwrap_or(Operand::Constant(false)),
        terminate: terminate.unwrap_or(Operand::Constant(true)),
        origins,
        methods,
        max_age,
        headers,
        exposed,
    };
    check_origins(builder, element, &policy);
    builder.push(element, Action::Cors(Box::new(policy)));
}

fn check_origins(builder: &mut Builder<'_>, element: &Element, policy: &Cors) {
    let listed = element.element("allowed-origins");
    if listed.is_none_or(|origins| origins.element("origin").is_none()) {
        let remedy = "add <allowed-origins><origin>https://…</origin></allowed-origins>";
        builder.fault(element, "`cors` allows no `origin`", remedy);
    }
    if !policy.origins.iter().any(|origin| origin.constant() == Some(&Allowed::All)) {
        return;
    }
    if 1 < policy.origins.len() {
        let message = "`*` stands beside other origins";
        builder.fault(element, message, "take the others out, or `*`");
    }
    if policy.credentials.constant() == Some(&true) {
        let message = "`allow-credentials` is true, and every origin is allowed";
        let remedy = "list the origins, or set allow-credentials=\"false\"";
        builder.fault(element, message, remedy);
    }
}

/// Reads the elements `member` in the element `group`.
fn members<T: Term>(
    builder: &mut Builder<'_>,
    element: &Element,
    group: &str,
    member: &str,
) -> Vec<Operand<T>> {
    let mut found = Vec::new();
    let mut groups = element.elements().filter(|child| child.name.as_ref() == group);
    let Some(first) = groups.next() else {
        return found;
    };
    for second in groups {
        let message = format!("`{group}` stands here a second time");
        builder.fault(second, message, "put all its elements into one");
    }
    for child in first.elements().filter(|child| child.name.as_ref() == member) {
        found.extend(builder.content_operand(child, &format!("`{member}`")));
    }
    found
}

/// An answer without a body, with `headers`.
fn answer(exchange: &mut Exchange, headers: HeaderMap) {
    exchange.response = Some(Response {
        status: StatusCode::OK,
        phrase: None,
        headers: Headers::own(headers),
        body: Body::None,
    });
}

/// The answer that grants nothing: the browser keeps it from the page.
fn refuse(exchange: &mut Exchange) {
    exchange.refusal = Some(UNMATCHED);
    answer(exchange, HeaderMap::from_iter([(VARY, HeaderValue::from_static("Origin"))]));
}

impl Cors {
    /// Grants an actual request, or answers it with nothing, or lets it go on ungranted.
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        if exchange.final_fields.sets(&ACCESS_CONTROL_ALLOW_ORIGIN) {
            return Ok(Flow::Next);
        }
        if self.depends_on_origin() {
            // Without it a cache would hand the answer for one origin, or none, to another.
            exchange.final_fields.add(&VARY, HeaderValue::from_static("Origin"));
        }
        if !exchange.request.headers.map().contains_key(ORIGIN) {
            return Ok(Flow::Next);
        }
        let Some(grant) = self.grant(exchange)? else {
            if self.terminate.get(exchange)? {
                refuse(exchange);
                return Ok(Flow::Finish);
            }
            return Ok(Flow::Next);
        };
        let exposed = joined(&values(&self.exposed, exchange)?, HeaderName::as_str);
        let fields = &mut exchange.final_fields;
        fields.set(&ACCESS_CONTROL_ALLOW_ORIGIN, grant.origin);
        if grant.credentials {
            fields.set(&ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = exposed {
            fields.set(&ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        Ok(Flow::Next)
    }

    /// Whether requests that differ in nothing but `Origin` may be answered differently.
    fn depends_on_origin(&self) -> bool {
        !self.origins.iter().any(|origin| origin.constant() == Some(&Allowed::All))
    }

    /// What the origin of the request is granted.
    fn grant(&self, exchange: &mut Exchange) -> Result<Option<Grant>, Failure> {
        let Some(sent) = exchange.request.headers.map().get(ORIGIN).cloned() else {
            return Ok(None);
        };
        let asking = sent.to_str().ok().and_then(|text| Origin::parse(text).ok());
        let credentials = self.credentials.get(exchange)?;
        for origin in &self.origins {
            match origin.get(exchange)? {
                Allowed::All if credentials => {
                    let message = "`allow-credentials` is true, and every origin is allowed";
                    return Err(Failure::value(message.to_owned()));
                }
                Allowed::All => {
                    let origin = HeaderValue::from_static("*");
                    return Ok(Some(Grant { origin, credentials }));
                }
                Allowed::One(origin) if asking.as_ref() == Some(&origin) => {
                    return Ok(Some(Grant { origin: sent, credentials }));
                }
                Allowed::One(_) | Allowed::Nobody => (),
            }
        }
        Ok(None)
    }
}

fn values<T: Term>(
    operands: &[Operand<Wild<T>>],
    exchange: &mut Exchange,
) -> Result<Vec<Wild<T>>, Failure> {
    operands.iter().map(|operand| operand.get(exchange)).collect()
}

/// The list as a field has it; none if it is empty.
fn joined<T>(list: &[Wild<T>], text: impl Fn(&T) -> &str) -> Option<HeaderValue> {
    let words = list.iter().map(|member| match member {
        Wild::All => "*",
        Wild::One(one) => text(one),
    });
    let words: Vec<_> = words.collect();
    let value = HeaderValue::try_from(words.join(", ")).ok()?;
    (!words.is_empty()).then_some(value)
}

impl<T: Term> Term for Wild<T> {
    const EXPECTED: Expected = T::EXPECTED;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "*" { Ok(Self::All) } else { T::from_literal(text).map(Self::One) }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

#[cfg(test)]
mod tests;
