//! A stand-in of Dapr's sidecar: its HTTP interface, as far as gateways and SDKs ask for it, and what
//! SDKs ask over gRPC ([`grpc`]), and calls of gRPC to apps ([`proxy`]).
//!
//! It follows daprd 1.18: an app is looked for in `dapr-app-id`, in `Basic` credentials, and in the
//! path, which is decoded and cleaned first; what is published becomes an event (`CloudEvents` 1.0) and
//! goes to the app where `/dapr/subscribe` says; refusals are `errorCode` and `message`.
//!
//! Tests that name the ports of a real daprd (`WEIR_TEST_DAPR_HTTP_PORT`) run against that one: see
//! [`Sidecar::start`].

mod grpc;
mod proxy;
pub(crate) mod socket;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS};
use serde_json::{Value, json};

use super::backend::{Seen, reply};
use super::client::{Answer, Client, Request};
use super::{Backend, Then};

/// The component that publishes, and the binding that answers.
pub(crate) const PUBSUB: &str = "pubsub";
/// A binding that gives back what it is handed.
pub(crate) const BINDING: &str = "mails";
/// The app behind the sidecar.
pub(crate) const APP: &str = "orders";
/// The app behind it that is called by gRPC.
pub(crate) const CALLED: &str = "calls";
/// A secret store, and what is in it.
pub(crate) const STORE: &str = "vault";

/// What a path cannot have as it is.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'?').add(b'#');

/// A sidecar: the stand-in, or a real one.
pub(crate) struct Sidecar {
    address: SocketAddr,
    stand_in: Option<Backend>,
    known: Option<Arc<Known>>,
    grpc: Option<grpc::Interface>,
    /// The token that it wants.
    pub(crate) token: String,
}

/// What the stand-in knows.
struct Known {
    /// Where [`CALLED`] listens.
    called: Option<SocketAddr>,
    apps: BTreeMap<String, SocketAddr>,
    token: String,
    events: AtomicUsize,
    labels: Mutex<BTreeMap<String, String>>,
    /// What is in [`STORE`].
    secrets: Mutex<BTreeMap<String, Value>>,
}

/// What a path is made of, decoded and cleaned as Go does it.
fn cleaned(path: &str) -> String {
    let mut steps: Vec<String> = Vec::new();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    for step in decoded.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step.to_owned()),
        }
    }
    format!("/{}", steps.join("/"))
}

fn refusal(status: u16, code: &str, message: &str) -> Vec<u8> {
    let body = json!({"errorCode": code, "message": message}).to_string();
    reply(status, &[("Content-Type", "application/json")], &body)
}

fn no_content() -> Vec<u8> {
    b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
}

fn answered(status: u16, body: &Value) -> Vec<u8> {
    reply(status, &[("Content-Type", "application/json")], &body.to_string())
}

impl Sidecar {
    /// A sidecar of the app [`APP`] at `app`. A real one is taken where `WEIR_TEST_DAPR_HTTP_PORT` is
    /// set; its app then has to listen on `WEIR_TEST_DAPR_APP_PORT`, as [`app_port`] says.
    pub(crate) fn start(app: u16, token: &str) -> Self {
        match variable("WEIR_TEST_DAPR_HTTP_PORT") {
            Some(port) => {
                let port = port.parse().expect("a port");
                let token = variable("WEIR_TEST_DAPR_API_TOKEN").unwrap_or_default();
                Self { address: local(port), stand_in: None, known: None, grpc: None, token }
            }
            None => Self::stand_in(app, token),
        }
    }

    /// The stand-in.
    pub(crate) fn stand_in(app: u16, token: &str) -> Self {
        Self::standing_in(app, None, token)
    }

    /// A sidecar of the app [`CALLED`] at `address`. A real one is taken where
    /// `WEIR_TEST_DAPR_GRPC_PORT` is set; the app then has to listen as [`called_port`] says.
    pub(crate) fn of_calls(address: SocketAddr, token: &str) -> Self {
        match variable("WEIR_TEST_DAPR_GRPC_PORT") {
            Some(_port) => {
                let token = variable("WEIR_TEST_DAPR_API_TOKEN").unwrap_or_default();
                let port =
                    variable("WEIR_TEST_DAPR_HTTP_PORT").map(|port| port.parse().expect("a port"));
                let address = local(port.unwrap_or(3500));
                Self { address, stand_in: None, known: None, grpc: None, token }
            }
            None => Self::calls_stand_in(address, token),
        }
    }

    /// The stand-in as a sidecar of the app [`CALLED`] at `address`.
    pub(crate) fn calls_stand_in(address: SocketAddr, token: &str) -> Self {
        Self::standing_in(1, Some(address), token)
    }

    fn standing_in(app: u16, called: Option<SocketAddr>, token: &str) -> Self {
        let known = Known {
            called,
            apps: [(APP.to_owned(), local(app)), (format!("{APP}.prod"), local(app))].into(),
            token: token.to_owned(),
            events: AtomicUsize::new(0),
            labels: Mutex::default(),
            secrets: Mutex::new(
                [
                    ("key".to_owned(), json!({"key": "s3cret"})),
                    ("pair".to_owned(), json!({"one": "1", "two": "2"})),
                ]
                .into(),
            ),
        };
        let known = Arc::new(known);
        let grpc = Some(grpc::Interface::of(&known));
        let shared = Some(Arc::clone(&known));
        let backend = Backend::scripted(move |seen, stream| {
            std::io::Write::write_all(stream, &known.answer(seen))?;
            Ok(Then::Keep)
        });
        let (address, token) = (local(backend.port()), token.to_owned());
        Self { address, stand_in: Some(backend), known: shared, grpc, token }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its port for gRPC; that of a real one is in `WEIR_TEST_DAPR_GRPC_PORT`.
    pub(crate) fn grpc_port(&self) -> u16 {
        let real = || variable("WEIR_TEST_DAPR_GRPC_PORT")?.parse().ok();
        let own = self.grpc.as_ref().map(|grpc| grpc.address.port());
        own.or_else(real).expect("WEIR_TEST_DAPR_GRPC_PORT")
    }

    /// Puts the items of a secret into [`STORE`] of the stand-in; nothing takes it out.
    pub(crate) fn keep(&self, name: &str, items: Option<Value>) {
        let known = self.known.as_ref().expect("the stand-in");
        let mut secrets = known.secrets.lock().expect("the secrets");
        match items {
            Some(items) => drop(secrets.insert(name.to_owned(), items)),
            None => drop(secrets.remove(name)),
        }
    }

    /// What calls for apps said, if it is the stand-in.
    pub(crate) fn called_with(&self) -> Option<Vec<http::HeaderMap>> {
        let grpc = self.grpc.as_ref()?;
        Some(grpc.said.lock().expect("what was said").clone())
    }

    /// What it was asked, if it is the stand-in.
    pub(crate) fn seen(&self) -> Option<Vec<Seen>> {
        self.stand_in.as_ref().map(Backend::seen)
    }
}

/// The port that the app of a real daprd is expected on; any other with the stand-in.
pub(crate) fn app_port() -> u16 {
    variable("WEIR_TEST_DAPR_APP_PORT").map_or(0, |port| port.parse().expect("a port"))
}

/// The port that the app [`CALLED`] of a real daprd is expected on; any other with the stand-in.
pub(crate) fn called_port() -> u16 {
    variable("WEIR_TEST_DAPR_CALLED_PORT").map_or(0, |port| port.parse().expect("a port"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Known {
    fn answer(&self, seen: &Seen) -> Vec<u8> {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let path = cleaned(path);
        if matches!(path.as_str(), "/v1.0/healthz" | "/v1.0/healthz/outbound") {
            return no_content();
        }
        if !self.token.is_empty() && seen.field("dapr-api-token") != Some(&self.token) {
            return reply(
                401,
                &[("Content-Type", "text/plain; charset=utf-8")],
                "invalid api token",
            );
        }
        let steps: Vec<&str> = path.split('/').skip(1).collect();
        let named = seen.field("dapr-app-id").map(str::to_owned).or_else(|| basic(seen));
        if let Some(app) = named {
            return self.invoke(&app, path.trim_start_matches('/'), query, seen);
        }
        match steps.as_slice() {
            ["v1.0", "invoke", app, "method", method @ ..] => {
                self.invoke(app, &method.join("/"), query, seen)
            }
            ["v1.0", "publish", component, topic @ ..] => {
                self.publish((component, &topic.join("/")), query, seen)
            }
            ["v1.0", "bindings", name] => Self::bind(name, seen),
            ["v1.0", "secrets", STORE, name] => self.secret(name),
            ["v1.0", "secrets", store, _] => {
                let told = format!("failed finding secret store with key {store}");
                refusal(401, "ERR_SECRET_STORE_NOT_FOUND", &told)
            }
            ["v1.0", "metadata"] => answered(200, &self.metadata()),
            ["v1.0", "metadata", label] => {
                let text = String::from_utf8_lossy(&seen.body).into_owned();
                self.labels.lock().expect("the labels").insert((*label).to_owned(), text);
                no_content()
            }
            _ => reply(404, &[("Content-Type", "text/plain")], "404 page not found\n"),
        }
    }

    fn secret(&self, name: &str) -> Vec<u8> {
        if let Some(items) = self.secrets.lock().expect("the secrets").get(name) {
            return answered(200, items);
        }
        let told = format!(
            "failed getting secret with key {name} from secret store {STORE}: secret {name} not found"
        );
        refusal(500, "ERR_SECRET_GET", &told)
    }

    fn invoke(&self, app: &str, method: &str, query: &str, seen: &Seen) -> Vec<u8> {
        let failed = |status, why: &str| {
            refusal(
                status,
                "ERR_DIRECT_INVOKE",
                &format!("failed to invoke, id: {app}, err: {why}"),
            )
        };
        if app.matches('.').count() > 1 || app.contains('/') {
            return failed(500, "invalid app id");
        }
        if method == "forbidden" {
            return failed(403, "access control policy has denied access");
        }
        let Some(address) = self.apps.get(app) else {
            return failed(500, "couldn't find service");
        };
        let method = percent_encoding::utf8_percent_encode(method, PATH);
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let own = ["host", "connection", "dapr-api-token", "dapr-app-id"];
        let passed = seen.fields.iter().filter(|(name, _)| {
            own.iter().all(|own| !name.eq_ignore_ascii_case(own))
                && !["content-length", "transfer-encoding"]
                    .iter()
                    .any(|own| name.eq_ignore_ascii_case(own))
        });
        let mut text = format!("{} /{method}{query} HTTP/1.1\r\nHost: app\r\n", seen.method);
        for (name, value) in passed {
            text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        let length = seen.body.len().to_string();
        text.extend(["dapr-caller-app-id: weir\r\ndapr-callee-app-id: ", app, "\r\n"]);
        text.extend(["Content-Length: ", &length, "\r\n\r\n"]);
        let Some(mut client) = Client::try_connect(*address) else {
            return failed(500, "connection refused");
        };
        client.send([text.as_bytes(), &seen.body].concat());
        bytes(&client.answer_to(&seen.method))
    }

    fn publish(&self, (component, topic): (&str, &str), query: &str, seen: &Seen) -> Vec<u8> {
        if component != PUBSUB {
            let told = format!("pubsub {component} is not found");
            return refusal(404, "ERR_PUBSUB_NOT_FOUND", &told);
        }
        if topic.is_empty() {
            return refusal(404, "ERR_TOPIC_NAME_EMPTY", "topic name is empty");
        }
        if topic == "forbidden" {
            let told = format!("topic {topic} is not allowed for app id weir");
            return refusal(403, "ERR_PUBSUB_FORBIDDEN", &told);
        }
        let parameter = |name: &str| {
            let mut all = query.split('&').filter_map(|part| part.split_once('='));
            all.find(|(known, _)| known.eq_ignore_ascii_case(&format!("metadata.{name}")))
                .map(|(_, value)| value.to_owned())
        };
        let event = if parameter("rawPayload").as_deref() == Some("true") {
            String::from_utf8_lossy(&seen.body).into_owned()
        } else {
            match self.event((component, topic), seen) {
                Some(event) => event.to_string(),
                None => {
                    return refusal(500, "ERR_PUBSUB_CLOUD_EVENTS_SER", "error parsing the event");
                }
            }
        };
        for (app, address) in self.apps.iter().filter(|(app, _)| !app.contains('.')) {
            deliver(app, *address, (component, topic), &event);
        }
        no_content()
    }

    /// What is published as an event; `None` where it says that it is one and is not.
    fn event(&self, (component, topic): (&str, &str), seen: &Seen) -> Option<Value> {
        let kind = seen.field("content-type").unwrap_or("text/plain");
        let media = kind.split(';').next().unwrap_or_default().trim();
        let number = self.events.fetch_add(1, Ordering::SeqCst);
        let mut event = if media == "application/cloudevents+json" {
            serde_json::from_slice::<Value>(&seen.body).ok().filter(Value::is_object)?
        } else {
            let mut event = json!({
                "id": format!("00000000-0000-4000-8000-{number:012}"),
                "datacontenttype": kind,
            });
            if media == "application/octet-stream" {
                event["data_base64"] = STANDARD.encode(&seen.body).into();
            } else {
                let text = String::from_utf8_lossy(&seen.body).into_owned();
                let is_json = media == "application/json" || media.ends_with("+json");
                let parsed = is_json.then(|| serde_json::from_str(&text).ok()).flatten();
                event["data"] = parsed.unwrap_or_else(|| text.into());
            }
            event
        };
        for (name, usual) in
            [("source", "weir"), ("type", "com.dapr.event.sent"), ("specversion", "1.0")]
        {
            if event[name].is_null() {
                event[name] = usual.into();
            }
        }
        event["topic"] = topic.into();
        event["pubsubname"] = component.into();
        for (name, field) in [
            ("traceid", "traceparent"),
            ("traceparent", "traceparent"),
            ("tracestate", "tracestate"),
        ] {
            event[name] = seen.field(field).unwrap_or_default().into();
        }
        Some(event)
    }

    fn bind(name: &str, seen: &Seen) -> Vec<u8> {
        let Ok(asked) = serde_json::from_slice::<Value>(&seen.body) else {
            return refusal(400, "ERR_MALFORMED_REQUEST", "failed deserializing HTTP body");
        };
        let values = asked["metadata"].as_object();
        if values.is_some_and(|values| values.values().any(|value| !value.is_string())) {
            return refusal(400, "ERR_MALFORMED_REQUEST", "failed deserializing HTTP body");
        }
        if name != BINDING {
            let told = format!(
                "error invoking output binding {name}: couldn't find output binding {name}"
            );
            return refusal(500, "ERR_INVOKE_OUTPUT_BINDING", &told);
        }
        match asked["operation"].as_str() {
            Some("create") => answered(200, &asked),
            Some("delete") => no_content(),
            _ => {
                let told = format!("error invoking output binding {name}: no such operation");
                refusal(500, "ERR_INVOKE_OUTPUT_BINDING", &told)
            }
        }
    }

    fn metadata(&self) -> Value {
        let component =
            |name: &str, kind: &str| json!({"name": name, "type": kind, "version": "v1"});
        json!({
            "id": "weir",
            "runtimeVersion": "1.18.3",
            "enabledFeatures": [],
            "components": [
                component(PUBSUB, "pubsub.in-memory"),
                component(BINDING, "bindings.http"),
                component(STORE, "secretstores.local.file"),
            ],
            "extended": *self.labels.lock().expect("the labels"),
        })
    }
}

/// The app that `Basic` credentials name.
fn basic(seen: &Seen) -> Option<String> {
    let shown = seen.field("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(shown).ok()?).ok()?;
    text.strip_prefix("dapr-app-id:").map(str::to_owned)
}

/// Hands an event to the app, if it wants it.
fn deliver(_app: &str, address: SocketAddr, (component, topic): (&str, &str), event: &str) {
    let Some(mut client) = Client::try_connect(address) else { return };
    let wanted = client.ask(&Request::get("/dapr/subscribe"));
    let wanted: Value = serde_json::from_slice(&wanted.body).unwrap_or_default();
    let is_this = |it: &&Value| it["pubsubname"] == component && it["topic"] == topic;
    let found = wanted.as_array().and_then(|all| all.iter().find(is_this));
    if let Some(route) = found.and_then(|it| it["route"].as_str()) {
        let kind = ("Content-Type", "application/cloudevents+json");
        let mut client = Client::connect(address);
        client.ask(&Request::post(route, event).field(kind.0, kind.1));
    }
}

/// An answer as it came, with a length.
fn bytes(answer: &Answer) -> Vec<u8> {
    let fields = answer.fields.iter().filter(|(name, _)| {
        !["content-length", "transfer-encoding", "connection"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
    });
    let fields: Vec<(&str, &str)> =
        fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    reply(answer.status, &fields, &String::from_utf8_lossy(&answer.body))
}
