//! `publish-to-dapr` and `invoke-dapr-binding`: Dapr's sidecar publishes a message, or hands data to
//! a binding, and the request waits until that is done.
//!
//! What the sidecar refuses is an error of the request, unless `ignore-error` says otherwise; the
//! error's reason is the sidecar's own code, and the client gets 403 where it may not, 504 where the
//! sidecar is late, 502 else. The variable has the sidecar's answer in any case, so that on-error can
//! pass it on; it is `null` where there was none.
//!
//! Nothing of the client's request goes along. The sidecar makes an event of what is published
//! (`CloudEvents` 1.0), with the trace that the request belongs to; what is one already says so by its
//! content type, `application/cloudevents+json`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::held;
use super::outgoing::{Outgoing, Url};
use crate::backend::Tls;
use crate::backend::sidecar::Sidecar;
use crate::dapr::name::{Component, NoName, Topic};
use crate::dapr::refusal::Refusal;
use crate::dapr::{BINDINGS, PUBLISH};
use crate::exchange::Exchange;
use crate::exchange::message::Response;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;
use crate::policy::routing::dapr::REFUSED;
use crate::policy::transform::{SetBody, read_text};
use crate::problem::Problem;

/// How long all of it may take, unless the policy says otherwise.
const WAIT_USUAL: Duration = Duration::from_secs(5);
/// The shortest and the longest that a policy may say, in seconds.
const WAIT_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=240.0;
/// The most items of metadata.
const METADATA_MAX: usize = 64;
/// What content is unless something else is said.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `publish-to-dapr` and `invoke-dapr-binding`.
#[derive(Clone, Debug)]
pub struct DaprCall {
    sidecar: Arc<Sidecar>,
    to: To,
    wait: Option<Operand<Wait>>,
    variable: Option<Arc<str>>,
    ignores_error: bool,
}

/// A key, and what stands under it.
type Item = (Operand<Arc<str>>, Operand<Arc<str>>);

#[derive(Clone, Debug)]
enum To {
    Topic {
        component: Option<Operand<Component>>,
        topic: Operand<Arc<str>>,
        kind: HeaderValue,
        message: SetBody,
    },
    Binding {
        name: Operand<Component>,
        operation: Option<Arc<str>>,
        metadata: Vec<Item>,
        data: Option<SetBody>,
    },
}

/// A number of seconds within [`WAIT_SECONDS`].
#[derive(Clone, Copy, Debug)]
struct Wait(Duration);

pub(in crate::policy) fn publish_to_dapr(builder: &mut Builder<'_>, element: &Element) {
    let component = builder.attribute::<Component>(element, "pubsub-name");
    let topic = builder.attribute::<Arc<str>>(element, "topic");
    let kind = builder.literal::<HeaderValue>(element, "content-type");
    if let Some(text) = topic.as_ref().and_then(Operand::constant) {
        let read = match element.attribute("pubsub-name") {
            Some(_) => Topic::new(text).map(drop).map_err(|why| why.to_string()),
            None => both(text).map(drop),
        };
        let place = element.attribute("topic").map(|topic| topic.value.place());
        if let (Err(why), Some(place)) = (read, place) {
            builder.faults.push(Fault::new(place, format!("`topic`: {why}")));
        }
    }
    let message = read_text(builder, element, element);
    if (component.is_some() || element.attribute("pubsub-name").is_none())
        && let (Some(topic), Some(message)) = (topic, message)
    {
        let kind = kind.unwrap_or(JSON);
        push(builder, element, To::Topic { component, topic, kind, message });
    }
}

pub(in crate::policy) fn invoke_dapr_binding(builder: &mut Builder<'_>, element: &Element) {
    let name = builder.attribute::<Component>(element, "name");
    let operation = builder.literal::<Arc<str>>(element, "operation");
    let kind = builder.literal::<HeaderValue>(element, "content-type");
    if kind.is_some_and(|kind| kind != JSON) {
        let message = "`content-type` of a binding is not `application/json`";
        builder.fault(element, message, "take it out: the sidecar reads nothing else");
    }
    let (mut metadata, mut data) = (Vec::new(), None);
    let mut is_whole = true;
    for child in element.elements() {
        match child.name.as_ref() {
            "metadata" => {
                for item in child.elements() {
                    let key = builder.attribute::<Arc<str>>(item, "key");
                    let value = builder.content_operand::<Arc<str>>(item, "the value of the item");
                    metadata.extend(key.zip(value));
                }
            }
            "data" if data.is_some() => {
                builder.fault(child, "`data` stands here a second time", "keep one of the two");
            }
            "data" => {
                data = read_text(builder, element, child);
                is_whole = data.is_some();
            }
            // The catalogue reports the others.
            _ => (),
        }
    }
    if METADATA_MAX < metadata.len() {
        let message = format!("the binding gets {} items of metadata", metadata.len());
        builder.fault(element, message, &format!("give it at most {METADATA_MAX}"));
    }
    if let (Some(name), true) = (name, is_whole) {
        push(builder, element, To::Binding { name, operation, metadata, data });
    }
}

fn push(builder: &mut Builder<'_>, element: &Element, to: To) {
    let wait = builder.attribute::<Wait>(element, "timeout");
    let policy = DaprCall {
        sidecar: Arc::clone(&builder.references.sidecar),
        to,
        wait,
        variable: builder.literal(element, "response-variable-name"),
        ignores_error: builder.literal(element, "ignore-error").unwrap_or(false),
    };
    builder.push(element, Action::Dapr(Box::new(policy)));
}

/// The component and the topic that `pubsub/topic` names.
fn both(text: &str) -> Result<(Component, Topic), String> {
    let Some((component, topic)) = text.trim().split_once('/') else {
        return Err("without `pubsub-name` it is written as PUBSUB/TOPIC".to_owned());
    };
    let read = |why: NoName| why.to_string();
    Ok((Component::new(component).map_err(read)?, Topic::new(topic).map_err(read)?))
}

impl DaprCall {
    /// The component that it names, if that is known at load.
    pub(in crate::policy) fn component(&self) -> Option<Arc<str>> {
        let component = match &self.to {
            To::Binding { name, .. } => name.constant()?.clone(),
            To::Topic { component: Some(component), .. } => component.constant()?.clone(),
            To::Topic { component: None, topic, .. } => both(topic.constant()?).ok()?.0,
        };
        Some(Arc::from(component.to_string()))
    }

    /// Asks the sidecar.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let wait = match &self.wait {
            Some(wait) => wait.get(exchange)?.0,
            None => WAIT_USUAL,
        };
        let (path, kind, body) = self.to.written(exchange)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind);
        let sidecar = self.sidecar.backend();
        headers.extend(sidecar.headers.iter().cloned());
        let outgoing = Outgoing {
            method: Method::POST,
            url: Url::of(&sidecar.base, &path),
            headers,
            exact: Vec::new(),
            body,
            tls: Tls::default(),
            proxy: None,
            callee: None,
            wait,
        };
        Ok(Flow::Ask(Effect::Call(Box::new(outgoing))))
    }

    /// Goes on with what was answered.
    pub(in crate::policy) fn called(
        &self,
        answered: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let (value, failure) = match answered {
            Err(failure) => (Value::Null, Some(unanswered(failure))),
            Ok(response) => {
                let refused = (!response.status.is_success()).then(|| {
                    let body = response.body.bytes().cloned().unwrap_or_default();
                    refused(&Refusal::of(response.status, &body))
                });
                match held(response) {
                    Ok(value) => (value, refused),
                    Err(unreadable) => (Value::Null, refused.or(Some(unreadable))),
                }
            }
        };
        if let Some(variable) = &self.variable {
            exchange.variables.set(variable, value);
        }
        match failure {
            Some(failure) if !self.ignores_error => Err(failure),
            Some(_) | None => Ok(Flow::Next),
        }
    }
}

impl To {
    /// The path, the content type and the body.
    fn written(&self, exchange: &mut Exchange) -> Result<(String, HeaderValue, Bytes), Failure> {
        match self {
            Self::Topic { component, topic, kind, message } => {
                let component = match component {
                    Some(component) => Some(component.get(exchange)?),
                    None => None,
                };
                let text = topic.get(exchange)?;
                let read = match component {
                    Some(component) => {
                        let topic = Topic::new(&text).map_err(|why| why.to_string());
                        topic.map(|topic| (component, topic))
                    }
                    None => both(&text),
                };
                let (component, name) = read.map_err(|why| {
                    let message = format!("the topic {}: {why}", topic.shown(&text));
                    Failure { reason: REFUSED, ..Failure::value(message) }
                })?;
                let body = message.evaluate(exchange)?.bytes().cloned().unwrap_or_default();
                Ok((format!("{PUBLISH}{component}/{name}"), kind.clone(), body))
            }
            Self::Binding { name, operation, metadata, data } => {
                let name = name.get(exchange)?;
                let mut members = Vec::new();
                if let Some(operation) = operation {
                    members.push(format!("\"operation\":{}", quoted(operation)));
                }
                if !metadata.is_empty() {
                    let mut items = Vec::with_capacity(metadata.len());
                    for (key, value) in metadata {
                        let (key, value) = (key.get(exchange)?, value.get(exchange)?);
                        items.push(format!("{}:{}", quoted(&key), quoted(&value)));
                    }
                    members.push(format!("\"metadata\":{{{}}}", items.join(",")));
                }
                if let Some(data) = data {
                    let data = data.evaluate(exchange)?.bytes().cloned().unwrap_or_default();
                    members.push(format!("\"data\":{}", json(&data)));
                }
                let body = format!("{{{}}}", members.join(","));
                Ok((format!("{BINDINGS}{name}"), JSON, Bytes::from(body)))
            }
        }
    }
}

/// What is JSON as it is, every other text as a string.
fn json(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => text.trim().to_owned(),
        Err(_no_json) => quoted(&text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A call of gRPC names a method of the sidecar itself.
pub fn own_method() -> Failure {
    let told = "The path cannot be sent on.".to_owned();
    let problem = Problem::refused(StatusCode::BAD_REQUEST, "dapr_path_refused", told);
    let message = "the call is for a method of the sidecar itself, not of an app".to_owned();
    Failure { source: Some("forward-request"), reason: REFUSED, message, problem }
}

/// What it is where the sidecar refused.
pub fn refused(refusal: &Refusal) -> Failure {
    let problem = if refusal.status == StatusCode::FORBIDDEN {
        Problem::of_service(StatusCode::FORBIDDEN, "dapr_forbidden")
    } else {
        Problem::of_service(StatusCode::BAD_GATEWAY, "dapr_refused")
    };
    Failure { source: None, reason: refusal.reason, message: refusal.told(), problem }
}

/// What it is where the sidecar did not answer, or not in time.
pub fn unanswered(failure: Failure) -> Failure {
    let problem = if failure.reason == Failure::LATE {
        Problem::of_service(StatusCode::GATEWAY_TIMEOUT, "dapr_timeout")
    } else if failure.reason == Failure::UNREACHED {
        Problem::of_service(StatusCode::BAD_GATEWAY, "dapr_unreachable")
    } else {
        return failure;
    };
    Failure { problem, message: format!("Dapr: {}", failure.message), ..failure }
}

impl Term for Wait {
    const EXPECTED: Expected = Expected::Double;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let expected = "a number of seconds from 1 to 240";
        let seconds: f64 = text.trim().parse().map_err(|_refused| expected)?;
        if !WAIT_SECONDS.contains(&seconds) {
            return Err(expected);
        }
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_refused| expected)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for Component {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        Self::new(text)
            .map_err(|_refused| "the name of a component: letters, digits, `.`, `-`, `_`")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
