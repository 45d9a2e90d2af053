//! Events for event hubs, over TLS: that they arrive, and that nobody waits for them.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::backend::Seen;
use crate::harness::issuer::{Issuer, seconds};
use crate::harness::secure::Secure;
use crate::harness::{Backend, Gateway, Policies, reply, soon};

const KEY: &str = "c2VjcmV0LWtleQ==";
const EVENT: &str = "<log-to-eventhub logger-id=\"usage\">@(context.Request.Url.Path)\
                     </log-to-eventhub>";

/// A gateway whose events go to a stand-in of the service.
struct Logging {
    service: Secure,
    gateway: Gateway,
    _backend: Backend,
    _folder: TempDir,
}

impl Logging {
    fn start(inbound: &str, answer: impl Fn(&Seen) -> u16 + Send + Sync + 'static) -> Self {
        let service = Secure::replying(move |seen| match answer(seen) {
            0 => None,
            status => Some(reply(status, &[], "")),
        });
        let backend = Backend::plain();
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("service.pem");
        service.certify(&pem);
        let gateway = Gateway::start(|site| {
            let variable = |name: &str, value: String| (name.to_owned(), value);
            site.variables.push(variable("SSL_CERT_FILE", pem.display().to_string()));
            site.variables.push(variable("HUB", connection(service.port())));
            site.set("drain-deadline", "20s");
            site.yaml(
                "loggers:\n  - id: usage\n    eventHub:\n      name: usage-hub\n      \
                 connectionString: \"{{hub}}\"\nnamedValues:\n  - name: hub\n    value: {env: HUB}\n",
            );
            let policies = Policies { inbound, ..Policies::default() };
            site.open_api("echo", &backend.url(), policies);
        });
        Self { service, gateway, _backend: backend, _folder: folder }
    }

    /// The messages that arrived, in order.
    fn arrived(&self) -> Vec<String> {
        self.service.seen().iter().flat_map(messages).collect()
    }

    /// Emitted, sent, dropped, queued: the first is the sum of the others.
    fn counts(&self) -> [u64; 4] {
        let page = self.gateway.admin("/metrics");
        let sum = |name: &str| {
            let start = format!("weir_events_{name}");
            let lines = page.text().lines().filter(|line| line.starts_with(&start));
            let number =
                |line: &str| line.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok();
            lines.filter_map(number).sum()
        };
        let counts: [u64; 4] = ["emitted_total", "sent_total", "dropped_total", "queued{"].map(sum);
        let [emitted, others @ ..] = counts;
        assert_eq!(emitted, others.iter().sum::<u64>(), "{counts:?}");
        counts
    }
}

fn connection(port: u16) -> String {
    format!("Endpoint=sb://localhost:{port}/;SharedAccessKeyName=send only;SharedAccessKey={KEY}")
}

/// The messages in a request.
fn messages(seen: &Seen) -> Vec<String> {
    if seen.field("Content-Type").is_some_and(|kind| kind.ends_with("servicebus.json")) {
        let list: Vec<Value> = serde_json::from_slice(&seen.body).expect("a list");
        return list.iter().map(|item| item["Body"].as_str().expect("a body").to_owned()).collect();
    }
    vec![seen.text().to_owned()]
}

/// Whether whoever asks has the key, and still has it.
fn is_signed(seen: &Seen, port: u16) -> bool {
    let token = seen.field("Authorization").unwrap_or_default();
    let Some(parts) = token.strip_prefix("SharedAccessSignature ") else { return false };
    let field = |name: &str| {
        let mut parts = parts.split('&').filter_map(|field| field.split_once('='));
        parts.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let key = PKey::hmac(KEY.as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    let text = format!("{}\n{}", field("sr"), field("se"));
    let signature = STANDARD.encode(signer.sign_oneshot_to_vec(text.as_bytes()).unwrap());
    let ends: u64 = field("se").parse().unwrap_or_default();
    decoded(field("sr")) == format!("https://localhost:{port}/usage-hub")
        && decoded(field("sig")) == signature
        && decoded(field("skn")) == "send only"
        && (seconds() + 600..seconds() + 3_700).contains(&ends)
}

#[test]
fn events_arrive_signed_and_in_batches() {
    let inbound = format!(
        "{EVENT}<log-to-eventhub logger-id=\"usage\" partition-id=\"2\">two</log-to-eventhub>\
         <log-to-eventhub logger-id=\"usage\" partition-key=\"k\">keyed</log-to-eventhub>"
    );
    let logging = Logging::start(&inbound, |_seen| 201);
    for number in 0..50 {
        assert_eq!(logging.gateway.get(&format!("/echo/{number}")).status, 200);
    }
    assert!(
        soon(|| (logging.counts()[1] == 150).then_some(())).is_some(),
        "{:?}",
        logging.counts()
    );
    let mut paths: Vec<String> = (0..50).map(|number| format!("/{number}")).collect();
    paths.extend(["two", "keyed"].iter().flat_map(|text| vec![(*text).to_owned(); 50]));
    let mut arrived = logging.arrived();
    paths.sort();
    arrived.sort();
    assert_eq!(arrived, paths);
    let (seen, port) = (logging.service.seen(), logging.service.port());
    assert!(seen.len() < 150, "in batches");
    for request in &seen {
        assert!(is_signed(request, port), "{:?}", request.field("Authorization"));
        assert_eq!(request.method, "POST");
        let (path, query) = request.target.split_once('?').unwrap();
        assert!(query.contains("api-version=2014-01"));
        match messages(request)[0].as_str() {
            "two" => assert_eq!(path, "/usage-hub/partitions/2/messages"),
            "keyed" => {
                assert_eq!(path, "/usage-hub/messages");
                let field = request.field("BrokerProperties").unwrap_or_default().to_owned();
                assert!((request.text().to_owned() + &field).contains("\"PartitionKey\":\"k\""));
            }
            _ => assert_eq!(path, "/usage-hub/messages"),
        }
    }
    // Connections are kept.
    let connections = seen.iter().map(|request| request.connection).max().unwrap();
    assert!(connections <= 4, "{connections} connections");
}

#[test]
fn events_are_sent_as_an_identity_of_the_gateway_and_wait_while_there_is_no_token() {
    let issuer = Issuer::new();
    issuer.set_scope("https://eventhubs.azure.net/.default");
    issuer.trust_secret("edge", "hunter2");
    issuer.set_down(true);
    let service = Secure::replying(|_seen| Some(reply(201, &[], "")));
    let (backend, folder) = (Backend::plain(), tempfile::tempdir().unwrap());
    let pem = |name: &str| folder.path().join(name);
    issuer.certify(&pem("issuer.pem"));
    service.certify(&pem("service.pem"));
    let both = ["issuer.pem", "service.pem"].map(|name| fs::read(pem(name)).unwrap()).concat();
    fs::write(pem("both.pem"), both).unwrap();
    let gateway = Gateway::start(|site| {
        let variable = ("SSL_CERT_FILE".to_owned(), pem("both.pem").display().to_string());
        site.variables.push(variable);
        let secret = site.file("client-secret", "hunter2\n");
        site.yaml(format!(
            "loggers:\n  - id: usage\n    eventHub: {{name: usage-hub, endpointAddress: \
             'localhost:{}', identityClientId: edge}}\nidentities:\n  - clientId: edge\n    \
             endpoint: {}\n    secret: {{file: {}}}\n",
            service.port(),
            issuer.url("/token"),
            secret.display()
        ));
        let policies = Policies { inbound: EVENT, ..Policies::default() };
        site.open_api("echo", &backend.url(), policies);
    });
    assert_eq!(gateway.get("/echo/a").status, 200);
    let told = gateway.event("events cannot be sent");
    assert!(told.contains("no token from https://localhost:"), "{told}");
    issuer.set_down(false);
    let seen = soon(|| service.seen().pop()).expect("an event");
    assert_eq!((seen.text(), seen.target.split('?').next()), ("/a", Some("/usage-hub/messages")));
    let token = seen.field("authorization").and_then(|field| field.strip_prefix("Bearer "));
    let token = token.expect("a token").to_owned();
    assert_eq!(token.split('.').count(), 3);
    let told = gateway.events().join("\n");
    assert!(!told.contains(&token) && !told.contains("hunter2"), "{told}");
}

#[test]
fn an_event_hub_that_is_away_slows_nobody_and_gets_its_events_later() {
    let is_down = Arc::new(AtomicUsize::new(1));
    let down = Arc::clone(&is_down);
    let logging = Logging::start(EVENT, move |_seen| match down.load(Ordering::SeqCst) {
        0 => 201,
        1 => 0,
        _ => 503,
    });
    for number in 0..20 {
        assert_eq!(logging.gateway.get(&format!("/echo/{number}")).status, 200);
        if number == 10 {
            is_down.store(2, Ordering::SeqCst);
        }
    }
    let tried = soon(|| Some(logging.service.seen().len()).filter(|tries| 1 < *tries));
    assert!(tried.is_some());
    assert_eq!(logging.counts(), [20, 0, 0, 20]);
    is_down.store(0, Ordering::SeqCst);
    assert!(soon(|| (logging.counts()[3] == 0).then_some(())).is_some(), "{:?}", logging.counts());
    assert_eq!(logging.counts(), [20, 20, 0, 0]);
    let events = logging.gateway.events().join("\n");
    assert!(events.contains("events cannot be sent") && events.contains("sent again"), "{events}");
    assert!(!events.contains(KEY));
}

#[test]
fn an_event_hub_that_says_nothing_blocks_no_request() {
    let (go, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let logging = Logging::start(EVENT, move |_seen| {
        let _ = told.lock().unwrap().recv_timeout(Duration::from_secs(20));
        201
    });
    assert_eq!(logging.gateway.get("/echo/first").status, 200);
    // The first is on its way, and does not come back.
    for number in 0..200 {
        assert_eq!(logging.gateway.get(&format!("/echo/{number}")).status, 200);
    }
    assert_eq!(logging.counts(), [201, 0, 0, 201]);
    drop(go);
    assert!(soon(|| (logging.counts()[1] == 201).then_some(())).is_some());
}

#[test]
fn an_event_that_is_refused_is_dropped_alone() {
    let logging = Logging::start(EVENT, |seen| {
        if messages(seen).iter().any(|text| text.contains("bad")) { 400 } else { 201 }
    });
    for path in ["a", "b", "bad", "c", "d"] {
        assert_eq!(logging.gateway.get(&format!("/echo/{path}")).status, 200);
    }
    assert!(soon(|| (logging.counts()[3] == 0).then_some(())).is_some(), "{:?}", logging.counts());
    assert_eq!(logging.counts(), [5, 4, 1, 0]);
}

#[test]
fn what_the_queue_has_no_room_for_is_dropped_and_counted() {
    // Each request emits more than 10 MiB, of which a queue takes 16.
    let message = "@(new String('x', 300000))";
    let one = format!("<log-to-eventhub logger-id=\"usage\">{message}</log-to-eventhub>");
    let logging = Logging::start(&one.repeat(60), |_seen| 503);
    assert_eq!(logging.gateway.get("/echo/a").status, 200);
    assert_eq!(logging.gateway.get("/echo/a").status, 200);
    let [emitted, sent, dropped, queued] = logging.counts();
    assert_eq!((emitted, sent), (120, 0));
    // A message is cut to 200 KiB.
    assert_eq!((queued, dropped), (81, 39));
}

#[test]
fn a_gateway_that_stops_sends_what_is_queued_first() {
    let is_down = Arc::new(AtomicUsize::new(1));
    let down = Arc::clone(&is_down);
    let mut logging =
        Logging::start(
            EVENT,
            move |_seen| {
                if down.load(Ordering::SeqCst) == 1 { 503 } else { 201 }
            },
        );
    for number in 0..30 {
        assert_eq!(logging.gateway.get(&format!("/echo/{number}")).status, 200);
    }
    logging.gateway.signal("TERM");
    let gateway = &logging.gateway;
    let draining = soon(|| Some(gateway.admin("/readyz")).filter(|answer| answer.status == 503));
    assert!(draining.is_some());
    is_down.store(0, Ordering::SeqCst);
    assert_eq!(logging.gateway.end().code(), Some(0));
    let mut delivered = logging.service.seen();
    delivered.retain(|seen| !messages(seen).is_empty());
    assert!(!logging.gateway.events().iter().any(|line| line.contains("deadline passed")));
    for number in 0..30 {
        let path = format!("/{number}");
        assert!(delivered.iter().flat_map(messages).any(|text| text == path), "{path}");
    }
}
