//! Messages for Azure Service Bus, over TLS: as whom they are sent, what arrives, and what becomes
//! of requests whose message is not taken.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::harness::issuer::Issuer;
use crate::harness::secure::Secure;
use crate::harness::{Backend, Gateway, Policies, Request, reply};

const SCOPE: &str = "https://servicebus.azure.net/.default";
/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A gateway that sends messages to a stand-in of the service.
struct Sending {
    service: Secure,
    issuer: Issuer,
    gateway: Gateway,
    status: Arc<AtomicU16>,
    _backend: Backend,
    _folder: TempDir,
}

fn start(more: &str) -> Sending {
    let (issuer, backend) = (Issuer::new(), Backend::plain());
    issuer.set_scope(SCOPE);
    issuer.trust_secret("edge", "hunter2");
    let status = Arc::new(AtomicU16::new(201));
    let said = Arc::clone(&status);
    let service = Secure::replying(move |_seen| match said.load(Ordering::SeqCst) {
        0 => None,
        status => Some(reply(status, &[], "")),
    });
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str| folder.path().join(name);
    issuer.certify(&pem("issuer.pem"));
    service.certify(&pem("service.pem"));
    let both = ["issuer.pem", "service.pem"].map(|name| fs::read(pem(name)).unwrap()).concat();
    fs::write(pem("both.pem"), both).unwrap();
    let inbound = format!(
        "<send-service-bus-message queue-name=\"shop/orders\" namespace=\"localhost:{}\" \
         client-id=\"edge\" {more}><message-properties><message-property name=\"Customer\">\
         @(context.Request.Headers.GetValueOrDefault(\"X-Customer\", \"\"))</message-property>\
         </message-properties><payload>@(context.Request.Body.As&lt;string&gt;(preserveContent: \
         true))</payload></send-service-bus-message>",
        service.port()
    );
    let gateway = Gateway::start(|site| {
        let variable = ("SSL_CERT_FILE".to_owned(), pem("both.pem").display().to_string());
        site.variables.push(variable);
        site.set("log-level", "all");
        site.set("log-access", "all");
        let secret = site.file("client-secret", "hunter2\n");
        site.yaml(format!(
            "identities:\n  - clientId: edge\n    endpoint: {}\n    secret: {{file: {}}}\n",
            issuer.url("/token"),
            secret.display()
        ));
        let policies = Policies { inbound: &inbound, on_error: WHY, ..Policies::default() };
        site.open_api("echo", &backend.url(), policies);
    });
    Sending { service, issuer, gateway, status, _backend: backend, _folder: folder }
}

#[test]
fn a_message_arrives_as_whoever_the_gateway_is_and_so_does_the_request() {
    let here =
        start("session-id=\"7c9e6679-7425-40de-944b-e07fc1f90ae7\" time-to-live=\"00:01:00\"");
    let request = Request::post("/echo/a", "{\"order\": 1}")
        .field("X-Customer", "Zo\u{eb} \"\\r\\nX: y\"")
        .field("Cookie", "mine");
    for _ in 0..2 {
        let answer = here.gateway.ask(&request);
        assert_eq!((answer.status, answer.text()), (200, "backend"), "{answer:?}");
    }
    let seen = here.service.seen();
    assert_eq!((seen.len(), seen[1].connection), (2, 1), "one connection is kept");
    let message = &seen[0];
    assert_eq!(
        (message.method.as_str(), message.target.as_str()),
        ("POST", "/shop/orders/messages")
    );
    assert_eq!(message.text(), "{\"order\": 1}");
    let token = message.field("authorization").and_then(|field| field.strip_prefix("Bearer "));
    let token = token.expect("a token");
    assert_eq!(token.split('.').count(), 3);
    // Names are as they are written, values are strings in JSON.
    let named = |name: &str| {
        let found = message.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| serde_json::from_str::<serde_json::Value>(value).expect("JSON"))
    };
    assert_eq!(named("Customer").unwrap(), "Zo\u{eb} \"\\r\\nX: y\"");
    let broker = named("BrokerProperties").unwrap();
    assert_eq!(broker["SessionId"], "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    assert_eq!(
        (broker["TimeToLive"].as_f64(), broker["MessageId"].as_str().unwrap().len()),
        (Some(60.0), 36)
    );
    assert!(seen[1].field("brokerproperties") != message.field("brokerproperties"), "ids differ");
    assert!(message.field("cookie").is_none() && message.field("weir-nested-calls").is_none());
    assert_eq!(here.issuer.asked("/token"), 1);
    let told = here.gateway.events().join("\n");
    assert!(!told.contains(token) && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_message_that_is_not_taken_is_an_error_that_says_why() {
    let here = start("");
    let why = || {
        let answer = here.gateway.ask(&Request::post("/echo/a", "x"));
        assert_eq!(answer.status, 500, "{}", answer.text());
        answer.field("X-Why").unwrap_or_default().to_owned()
    };
    for (status, wanted) in [
        (
            401,
            "MessageRefused: Service Bus answered 401 Unauthorized: the identity of this gateway may \
             not send there; it needs the role `Azure Service Bus Data Sender`",
        ),
        (
            404,
            "MessageRefused: Service Bus answered 404 Not Found: there is no such queue or topic",
        ),
        (500, "MessageRefused: Service Bus answered 500 Internal Server Error"),
        (0, "BackendConnectionFailure: the connection to the service broke"),
    ] {
        here.status.store(status, Ordering::SeqCst);
        assert_eq!(why(), wanted);
    }
    here.status.store(201, Ordering::SeqCst);
    assert_eq!(here.gateway.ask(&Request::post("/echo/a", "x")).status, 200);
}

#[test]
fn a_request_goes_on_without_its_message_where_that_is_allowed() {
    let here = start("ignore-error=\"true\"");
    here.status.store(503, Ordering::SeqCst);
    let answer = here.gateway.ask(&Request::post("/echo/a", "x"));
    assert_eq!((answer.status, answer.text()), (200, "backend"));
    assert_eq!(here.service.seen().len(), 1);
    here.issuer.set_down(true);
    assert_eq!(here.gateway.ask(&Request::post("/echo/a", vec![b'x'; 300 << 10])).status, 200);
    assert_eq!(here.service.seen().len(), 1, "too large, so it is not sent");
}
