//! `send-service-bus-message`: a message for a queue or a topic of Azure Service Bus, over HTTPS.
//!
//! The gateway shows a token of its own ([`SERVICE`]), and waits until the message is taken: what
//! is not taken is an error of the request, unless `ignore-error` says otherwise. The message has
//! its payload as it is; its properties go as fields of the request, as strings in JSON, with their
//! names as they are written. A payload that is too large is never cut, because half a message is
//! none.
//!
//! API Management does not say what `response-variable-name` holds; here it is what Service Bus
//! answered, or `null` where an error is ignored.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::outgoing::{Outgoing, Url};
use super::word::{Entity, Id, Life, Namespace};
use super::{TIMEOUT_USUAL, failed, held};
use crate::backend::Tls;
use crate::exchange::Exchange;
use crate::exchange::message::Response;
use crate::expression::library::json::write::quoted_ascii;
use crate::expression::library::{display, guid};
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::identity::ManagedIdentity;
use crate::policy::identity::asked::Answer as Obtained;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, body_of};
use crate::policy::program::Action;

/// What the gateway's token is for.
pub const SERVICE: &str = "https://servicebus.azure.net";
/// The largest payload, in bytes: what the standard tier takes.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// The most properties of a message.
pub const PROPERTIES_MAX: usize = 64;
/// The most bytes that all properties together may take up in a request.
pub const PROPERTIES_BYTES_MAX: usize = 32 << 10;

/// Names of fields that say something of the request, and beginnings of such names: Service Bus
/// takes the others for properties.
const TAKEN: [&str; 19] = [
    "authorization",
    "brokerproperties",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "pragma",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const TAKEN_FAMILIES: [&str; 6] = ["accept", "content-", "if-", "proxy-", "via", "x-forwarded-"];

/// `send-service-bus-message`.
#[derive(Clone, Debug)]
pub struct ServiceBusMessage {
    namespace: Operand<Namespace>,
    entity: Operand<Entity>,
    identity: ManagedIdentity,
    id: Option<Operand<Id>>,
    session: Option<Operand<Id>>,
    life: Option<Life>,
    properties: Vec<(Arc<str>, Operand<Arc<str>>)>,
    payload: Operand<Value>,
    variable: Option<Arc<str>>,
    ignores_error: bool,
}

pub(in crate::policy) fn send_service_bus_message(builder: &mut Builder<'_>, element: &Element) {
    let entity = match ["queue-name", "topic-name"].map(|name| element.attribute(name).is_some()) {
        [true, false] => builder.attribute(element, "queue-name"),
        [false, true] => builder.attribute(element, "topic-name"),
        [has_both, _] => {
            let has = if has_both { "both" } else { "neither" };
            let message = format!("`{}` has {has} of `queue-name` and `topic-name`", element.name);
            builder.fault(element, message, "say one place where the message goes");
            None
        }
    };
    let namespace = builder.attribute(element, "namespace");
    let identity = ManagedIdentity::at(builder, element, SERVICE);
    let id = builder.attribute(element, "message-id");
    let session = builder.attribute(element, "session-id");
    let life = builder.literal(element, "time-to-live");
    let variable = builder.literal(element, "response-variable-name");
    let ignores_error = builder.literal(element, "ignore-error").unwrap_or(false);
    let mut properties = Vec::new();
    let mut payload = None;
    for child in element.elements() {
        match child.name.as_ref() {
            "message-properties" => {
                for property in child.elements() {
                    take_property(builder, property, &mut properties);
                }
            }
            "payload" if payload.is_some() => {
                builder.fault(child, "`payload` stands here a second time", "keep one of the two");
            }
            "payload" => payload = builder.body_operand(child),
            // The catalogue reports the others.
            _ => (),
        }
    }
    if element.element("payload").is_none() {
        let message = "`send-service-bus-message` has no `payload`";
        builder.fault(element, message, "add <payload>…</payload>");
    }
    if PROPERTIES_MAX < properties.len() {
        let message = format!("the message has {} properties", properties.len());
        builder.fault(element, message, &format!("give it at most {PROPERTIES_MAX}"));
    }
    if let (Some(namespace), Some(entity), Some(identity), Some(payload)) =
        (namespace, entity, identity, payload)
    {
        let policy = ServiceBusMessage {
            namespace,
            entity,
            identity,
            id,
            session,
            life,
            properties,
            payload,
            variable,
            ignores_error,
        };
        builder.push(element, Action::ServiceBusMessage(Box::new(policy)));
    }
}

fn take_property(
    builder: &mut Builder<'_>,
    element: &Element,
    properties: &mut Vec<(Arc<str>, Operand<Arc<str>>)>,
) {
    let value = builder.content_operand::<Arc<str>>(element, "the value of the property");
    let Some(name) = builder.literal::<Arc<str>>(element, "name") else { return };
    let is_taken = |known: &str| {
        TAKEN.contains(&known) || TAKEN_FAMILIES.iter().any(|family| known.starts_with(family))
    };
    let parsed = name.parse::<HeaderName>();
    let refused = if properties.iter().any(|(known, _value)| known.eq_ignore_ascii_case(&name)) {
        "is there twice"
    } else if parsed.as_ref().is_ok_and(|name| is_taken(name.as_str())) {
        "is a field of requests, which Service Bus does not take for a property"
    } else if parsed.is_err() {
        "cannot be sent: it goes as the name of a field"
    } else {
        properties.extend(value.map(|value| (name, value)));
        return;
    };
    let message = format!("the property `{name}` {refused}");
    builder.fault(element, message, "choose another name: letters, digits, `-` and `_`");
}

impl ServiceBusMessage {
    /// Asks who the gateway is to Service Bus.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        self.identity.run(exchange)
    }

    /// Sends the message with the token that was got for it.
    pub(in crate::policy) fn obtained(
        &self,
        answer: Obtained,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let token = match self.identity.field(answer, exchange) {
            Ok(token) => token,
            Err(failure) => return self.over(Err(failure), exchange),
        };
        let payload = body_of(&self.payload.get(exchange)?)?;
        if PAYLOAD_BYTES_MAX < payload.len() {
            let message = format!("the payload has more than {PAYLOAD_BYTES_MAX} bytes");
            return self.over(Err(too_large(message)), exchange);
        }
        let mut exact = vec![(Arc::from("BrokerProperties"), self.broker_properties(exchange)?)];
        let mut bytes = 0_usize;
        for (name, value) in &self.properties {
            let mut text = String::new();
            quoted_ascii(&mut text, &value.get(exchange)?);
            bytes = bytes.saturating_add(name.len()).saturating_add(text.len());
            if PROPERTIES_BYTES_MAX < bytes {
                let message = format!("the properties have more than {PROPERTIES_BYTES_MAX} bytes");
                return self.over(Err(too_large(message)), exchange);
            }
            exact.push((Arc::clone(name), field(text)?));
        }
        let (Namespace(base), Entity(entity)) =
            (self.namespace.get(exchange)?, self.entity.get(exchange)?);
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/atom+xml;type=entry;charset=utf-8");
        headers.insert(CONTENT_TYPE, kind);
        headers.extend(token.map(|token| (AUTHORIZATION, token)));
        let outgoing = Outgoing {
            method: Method::POST,
            url: Url::of(&base, &format!("/{entity}/messages")),
            headers,
            exact,
            body: payload,
            tls: Tls::default(),
            proxy: None,
            callee: None,
            wait: TIMEOUT_USUAL,
        };
        Ok(Flow::Ask(Effect::Call(Box::new(outgoing))))
    }

    /// What is said of the message to Service Bus itself.
    fn broker_properties(&self, exchange: &mut Exchange) -> Result<HeaderValue, Failure> {
        let id = if let Some(id) = &self.id {
            id.get(exchange)?.0
        } else {
            let [high, low] = [exchange.next_random(), exchange.next_random()];
            guid::new(u128::from(high).wrapping_shl(64) | u128::from(low))
        };
        let mut text = format!("{{\"MessageId\":\"{}\"", display::guid_text(id));
        if let Some(session) = &self.session {
            let session = display::guid_text(session.get(exchange)?.0);
            // A string takes all.
            let _ = write!(text, ",\"SessionId\":\"{session}\"");
        }
        if let Some(Life(span)) = self.life {
            let _ = write!(text, ",\"TimeToLive\":{}", span.as_secs_f64());
        }
        text.push('}');
        field(text)
    }

    /// Goes on with what was answered.
    pub(in crate::policy) fn called(
        &self,
        answered: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let taken = answered.and_then(|response| {
            if response.status.is_success() { Ok(response) } else { Err(refused(response.status)) }
        });
        self.over(taken, exchange)
    }

    fn over(
        &self,
        taken: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let value = match taken.and_then(held) {
            Ok(value) => value,
            Err(_ignored) if self.ignores_error => Value::Null,
            Err(failure) => return Err(failure),
        };
        if let Some(variable) = &self.variable {
            exchange.variables.set(variable, value);
        }
        Ok(Flow::Next)
    }
}

fn field(text: String) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(text);
    value.map_err(|_too_long| Failure::value("a property is too long for a field".to_owned()))
}

fn too_large(message: String) -> Failure {
    failed("MessageTooLarge", message, "service_bus_message_too_large")
}

fn refused(status: StatusCode) -> Failure {
    let hint = if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        ": the identity of this gateway may not send there; it needs the role `Azure Service Bus Data \
         Sender`"
    } else if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        ": there is no such queue or topic"
    } else {
        ""
    };
    failed("MessageRefused", format!("Service Bus answered {status}{hint}"), "service_bus_refused")
}
