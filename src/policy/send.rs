//! Policies that call other services: `send-request`, `send-one-way-request`, `invoke-request`,
//! `send-service-bus-message`, `publish-to-dapr`, `invoke-dapr-binding`.
//!
//! With `mode="new"`, the default, the request is what the children say: `GET` without fields or a
//! body unless they say more. With `mode="copy"` it is the client's as it stands, with its body in
//! inbound and backend only, and what the children say takes the place of parts of it. What of the
//! client's is for the gateway alone does not go along: its subscription key, fields of its
//! connection, and what proxies in front say of it.
//!
//! The variable holds the whole response, with its content encoding taken off, so it can be read any
//! number of times. With `ignore-error` it holds `null` where there is none, also because there is no
//! token of the gateway to send along. An expression that fails,
//! or a URL that is none, is no error of the request, and is not ignored. Redirects are responses.
//!
//! A request that was itself sent by such a policy says so in a field; [`NESTED_MAX`] in each other
//! are taken for a loop.

pub mod dapr;
pub mod invoke;
pub mod outgoing;
pub mod service_bus;

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::backend::Tls;
use crate::exchange::Exchange;
use crate::exchange::message::{Body, Headers, Response, titled};
use crate::expression::value::Value;
use crate::expression::value::message::Response as Held;
use crate::fault::Fault;
use crate::policy::access::basic::{AuthenticationBasic, read_basic};
use crate::policy::build::Builder;
use crate::policy::certificate::shown::{AuthenticationCertificate, read_certificate};
use crate::policy::identity::asked::Answer as Obtained;
use crate::policy::identity::{ManagedIdentity, read_managed_identity};
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds};
use crate::policy::program::{Action, Needs};
use crate::policy::routing::proxy::{UseProxy, read_proxy};
use crate::policy::transform::header::{SetHeader, read_header};
use crate::policy::transform::{SetBody, SetMethod, read_body, read_method};
use crate::policy::{Failure, Side, coding};
use crate::problem::Problem;

use outgoing::{Outgoing, Url};

mod word;

use word::Mode;

/// How many calls may be nested in each other, through APIs of this gateway or of others.
pub const NESTED_MAX: u32 = 8;
/// How many such calls led to this request.
const NESTED: HeaderName = HeaderName::from_static("weir-nested-calls");
/// How long all of it may take, unless the policy says otherwise.
const TIMEOUT_USUAL: Duration = Duration::from_mins(1);

/// What is sent, as it stands in a document.
#[derive(Clone, Debug)]
pub struct Send {
    mode: Operand<Mode>,
    url: Option<Operand<Arc<str>>>,
    method: Option<SetMethod>,
    headers: Vec<SetHeader>,
    body: Option<SetBody>,
    basic: Option<AuthenticationBasic>,
    certificate: Option<Box<AuthenticationCertificate>>,
    identity: Option<ManagedIdentity>,
    proxy: Option<UseProxy>,
    timeout: Option<Operand<Seconds>>,
    /// Whether the client's body is there to be copied.
    copies_body: bool,
    answer: Answer,
}

/// What becomes of the response.
#[derive(Clone, Debug)]
enum Answer {
    /// Nobody waits for it.
    Unheard,
    /// A variable holds it.
    Kept { variable: Arc<str>, ignores_error: bool },
}

pub(super) fn send_request(builder: &mut Builder<'_>, element: &Element) {
    let ignores_error = builder.literal(element, "ignore-error").unwrap_or(false);
    let variable = builder.literal(element, "response-variable-name");
    let answer = variable.map(|variable| Answer::Kept { variable, ignores_error });
    // What else is wrong is told, too.
    build(builder, element, answer);
}

pub(super) fn send_one_way_request(builder: &mut Builder<'_>, element: &Element) {
    build(builder, element, Some(Answer::Unheard));
}

fn build(builder: &mut Builder<'_>, element: &Element, answer: Option<Answer>) {
    let mode = match builder.attribute(element, "mode") {
        None if element.attribute("mode").is_some() => return,
        None => Operand::Constant(Mode::New),
        Some(mode) => mode,
    };
    let mut policy = Send {
        mode,
        url: None,
        method: None,
        headers: Vec::new(),
        body: None,
        basic: None,
        certificate: None,
        identity: None,
        proxy: None,
        timeout: builder.attribute(element, "timeout"),
        copies_body: builder.section.side() == Side::Request,
        answer: Answer::Unheard,
    };
    for child in element.elements() {
        policy.take(builder, child);
    }
    if policy.is_new() && element.element("set-url").is_none() {
        let message = format!("`{}` has no `set-url`", element.name);
        builder.fault(element, message, "add <set-url>https://…</set-url>, or mode=\"copy\"");
    }
    let copied = policy.copies_body && !policy.is_new() && policy.body.is_none();
    let reads = Needs { request_body: copied, ..Needs::default() };
    let needs = builder.needs().and(reads);
    if let Some(answer) = answer {
        policy.answer = answer;
        builder.push_with(element, Action::Send(Box::new(policy)), needs);
    }
}

impl Send {
    fn take(&mut self, builder: &mut Builder<'_>, child: &Element) {
        let name = child.name.as_ref();
        let is_second = match name {
            "set-url" => self.url.is_some(),
            "set-method" => self.method.is_some(),
            "set-body" => self.body.is_some(),
            "authentication-basic" => self.basic.is_some(),
            "authentication-certificate" => self.certificate.is_some(),
            "authentication-managed-identity" => self.identity.is_some(),
            "proxy" => self.proxy.is_some(),
            _ => false,
        };
        if is_second {
            let message = format!("`{name}` stands here a second time");
            builder.fault(child, message, "keep one of the two");
            return;
        }
        match name {
            "set-url" => {
                self.url = url(builder, child);
            }
            "set-method" => self.method = read_method(builder, child),
            "set-header" => self.headers.extend(read_header(builder, child, Side::Request)),
            "set-body" => {
                // A template sees the message of its section, as expressions do.
                let seen = Some(builder.section.side());
                self.body = read_body(builder, child, Side::Request, seen);
            }
            "authentication-basic" => self.basic = read_basic(builder, child),
            "authentication-certificate" => {
                self.certificate = read_certificate(builder, child).map(Box::new);
            }
            "authentication-managed-identity" => {
                self.identity = read_managed_identity(builder, child);
            }
            "proxy" => self.proxy = read_proxy(builder, child),
            // The catalogue reports the others.
            _ => (),
        }
    }

    fn is_new(&self) -> bool {
        self.mode.constant() == Some(&Mode::New)
    }

    /// Makes the request; who it is that makes it is asked first.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match &self.identity {
            Some(identity) => identity.run(exchange),
            None => self.send(None, exchange),
        }
    }

    /// Makes the request with the token that was got for it.
    pub(in crate::policy) fn obtained(
        &self,
        answer: Obtained,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let Some(identity) = &self.identity else { return Ok(Flow::Next) };
        match (identity.field(answer, exchange), &self.answer) {
            (Ok(field), _) => self.send(field, exchange),
            (Err(_ignored), Answer::Kept { variable, ignores_error: true }) => {
                exchange.variables.set(variable, Value::Null);
                Ok(Flow::Next)
            }
            (Err(failure), _) => Err(failure),
        }
    }

    fn send(&self, token: Option<HeaderValue>, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let outgoing = Box::new(self.evaluate(token, exchange)?);
        Ok(Flow::Ask(match self.answer {
            Answer::Unheard => Effect::Tell(outgoing),
            Answer::Kept { .. } => Effect::Call(outgoing),
        }))
    }

    /// Remembers what came of it.
    pub(in crate::policy) fn called(
        &self,
        answered: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let Answer::Kept { variable, ignores_error } = &self.answer else {
            return Ok(Flow::Next);
        };
        let value = match answered.and_then(held) {
            Ok(value) => value,
            Err(_ignored) if *ignores_error => Value::Null,
            Err(failure) => return Err(failure),
        };
        exchange.variables.set(variable, value);
        Ok(Flow::Next)
    }

    fn evaluate(
        &self,
        token: Option<HeaderValue>,
        exchange: &mut Exchange,
    ) -> Result<Outgoing, Failure> {
        let mode = self.mode.get(exchange)?;
        let wait = match &self.timeout {
            Some(timeout) => timeout.get(exchange)?.0,
            None => TIMEOUT_USUAL,
        };
        let url = match (&self.url, mode) {
            (Some(url), _) => {
                let text = url.get(exchange)?;
                let parsed = Url::parse(&text);
                parsed.map_err(|refused| refused_url(&url.shown(&text), refused))?
            }
            (None, Mode::Copy) => copied_url(exchange)?,
            (None, Mode::New) => {
                return Err(Failure::value("there is no URL to send the request to".to_owned()));
            }
        };
        let mut headers = match mode {
            Mode::New => Headers::own(HeaderMap::new()),
            Mode::Copy => Headers::own(outgoing::copied_fields(exchange)),
        };
        if self.body.is_some() || !self.copies_body {
            // They are about the client's body.
            coding::forget_body(&mut headers);
        }
        for header in &self.headers {
            header.evaluate(exchange)?.apply(&mut headers);
        }
        if let Some(basic) = &self.basic {
            headers.set(&AUTHORIZATION, basic.evaluate(exchange)?);
        }
        if let Some(token) = token {
            headers.set(&AUTHORIZATION, token);
        }
        let (name, depth) = nested_field(exchange)?;
        headers.set(&name, depth);
        let method = match (&self.method, mode) {
            (Some(method), _) => method.evaluate(exchange)?,
            (None, Mode::Copy) => exchange.request.method.clone(),
            (None, Mode::New) => Method::GET,
        };
        let body = match (&self.body, mode) {
            (Some(body), _) => body.evaluate(exchange)?,
            (None, Mode::Copy) if self.copies_body => exchange.request.body.clone(),
            (None, _) => Body::None,
        };
        let body = body.bytes().cloned().unwrap_or_default();
        let proxy = self.proxy.as_ref().map(|proxy| proxy.evaluate(exchange)).transpose()?;
        let identity = self.certificate.as_ref().map(|it| it.evaluate(exchange)).transpose()?;
        let (headers, tls) = (headers.map().clone(), Tls { identity, ..Tls::default() });
        let exact = Vec::new();
        Ok(Outgoing { method, url, headers, exact, body, tls, proxy, callee: None, wait })
    }
}

/// Reads `set-url`.
fn url(builder: &mut Builder<'_>, element: &Element) -> Option<Operand<Arc<str>>> {
    let operand = builder.content_operand::<Arc<str>>(element, "the URL")?;
    if let Some(text) = operand.constant()
        && let Err(refused) = Url::parse(text)
    {
        let place = element.text_content().map_or_else(|| element.place.clone(), |it| it.place());
        let fault = Fault::new(place, refused.to_string());
        builder.faults.push(fault.mend("give a whole URL, such as https://host/path?query"));
    }
    Some(operand)
}

/// The client's URL as its backend would get it.
fn copied_url(exchange: &Exchange) -> Result<Url, Failure> {
    let request = &exchange.request;
    if request.base.is_nowhere() {
        let message = "there is no URL to copy: the API has no backend";
        return Err(Failure::value(message.to_owned()));
    }
    if exchange.backend.as_ref().is_some_and(|backend| backend.is_sidecar) {
        // A client's fields would choose the app there.
        let message = "a request to Dapr's sidecar is not copied: give `set-url`, or forward it";
        return Err(Failure::value(message.to_owned()));
    }
    Ok(Url::of(&request.base, &request.target()))
}

/// The field that says how many calls are nested in each other with this one.
pub(super) fn nested_field(exchange: &Exchange) -> Result<(HeaderName, HeaderValue), Failure> {
    Ok((NESTED, HeaderValue::from(nested(exchange)?)))
}

/// How many calls are nested in each other with this one.
fn nested(exchange: &Exchange) -> Result<u32, Failure> {
    let said = exchange.request.headers.text(&NESTED).and_then(|text| text.parse::<u32>().ok());
    let depth = said.unwrap_or(0).saturating_add(1);
    if NESTED_MAX < depth {
        let message = format!("the request goes in circles: it comes of {NESTED_MAX} nested calls");
        return Err(Failure { reason: "NestedTooDeep", ..Failure::value(message) });
    }
    Ok(depth)
}

/// The response as a value.
fn held(mut response: Response) -> Result<Value, Failure> {
    coding::plain(&mut response)?;
    let usual = response.status.canonical_reason().unwrap_or_default();
    let lines: Vec<(String, String)> = response
        .headers
        .map()
        .iter()
        .map(|(name, value)| (titled(name), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let lines = lines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // A response without a body has an empty one, as in API Management.
    let body = response.body.bytes().cloned().unwrap_or_default();
    let held = Held::new(response.status.as_u16(), usual, lines, Some(body));
    let held = held.map_err(|thrown| Failure::value(thrown.message))?;
    Ok(Value::Response(Arc::new(held)))
}

fn refused_url(shown: &str, refused: outgoing::NoUrl) -> Failure {
    Failure::value(format!("{shown}: {refused}"))
}

/// The call came to nothing.
pub fn failed(reason: &'static str, message: String, slug: &'static str) -> Failure {
    Failure { source: None, reason, message, problem: Problem::failed(slug) }
}
