//! Servers that other people wrote, as backends, in one run: nginx, a server of gRPC by grpcio, a
//! WebSocket by Python's websockets, a source of events by Python's own server.
//!
//! `bin/peers` brings them and runs this.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tonic::{Code, Request as Asked};

use crate::harness::calls::Caller;
use crate::harness::nginx::Nginx;
use crate::harness::{Client, Gateway, Policies, Request};

/// `tests/peers/peers.py`. It ends when the value does.
struct Peers {
    child: Child,
    ports: Value,
}

fn python() -> String {
    std::env::var("WEIR_TEST_PEERS_PYTHON").expect("bin/peers names it")
}

impl Peers {
    fn start() -> Self {
        let mut child = Command::new(python())
            .arg("tests/peers/peers.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ports = serde_json::from_str(&line).expect("their ports");
        Self { child, ports }
    }

    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[name])
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One gateway before all of them, whose policies look at what passes.
fn before(peers: &Peers, nginx: &Nginx) -> Gateway {
    Gateway::start(|site| {
        site.set("listen-h2c", "true");
        let outbound = "<set-header name=\"X-Passed\" exists-action=\"override\">\
                        <value>@(context.Api.Id)</value></set-header>";
        let policies = Policies { outbound, ..Policies::default() };
        site.open_api("events", &peers.url("events"), policies);
        let modern = Policies { backend: "<forward-request http-version=\"2\" />", ..policies };
        site.open_api("modern", &nginx.url(), modern);
        let mut text = format!(
            "apis:\n  - id: chat\n    path: chat\n    type: websocket\n    protocols: [ws]\n    \
             subscriptionRequired: false\n    serviceUrl: {}\n  - id: echo\n    path: \"\"\n    \
             type: grpc\n    subscriptionRequired: false\n    serviceUrl: {}\n    operations:\n",
            peers.url("websocket").replace("http", "ws"),
            peers.url("grpc"),
        );
        for method in ["Unary", "Gather", "Spell", "Chat"] {
            let path = format!("/tests.Echo/{method}");
            writeln!(text, "      - {{id: {method}, method: POST, urlTemplate: {path}}}").unwrap();
        }
        site.yaml(text);
    })
}

/// All four kinds of calls, statuses and deadlines, by grpcio.
fn grpc_by_grpcio(gateway: &Gateway, peers: &Peers) {
    let mut caller = Caller::of(gateway.http);
    let text = |text: &str| Asked::new(text.to_owned());
    assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
    assert_eq!(caller.gather(&["a", "b", "c"]).unwrap(), "abc");
    let (heard, outcome) = caller.spell(text("abc"));
    assert_eq!((heard.concat().as_str(), outcome.is_ok()), ("abc", true));
    assert_eq!(caller.chat(&["one", "two"]).unwrap(), ["re one", "re two"]);
    let status = caller.unary(text("fail")).unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "50% l\u{f6}st"));
    assert_eq!(status.metadata().get("x-why").unwrap(), "because");
    let within = |text: &str, span: &'static str| {
        let mut request = Asked::new(text.to_owned());
        request.metadata_mut().insert("grpc-timeout", span.parse().unwrap());
        request
    };
    let left: u64 = caller.unary(within("left", "100S")).unwrap().parse().unwrap();
    assert!((90..=100).contains(&left), "{left}");
    let late = caller.unary(within("sleep", "300m")).unwrap_err();
    // Gateway and backend end a call whose time is over at the same moment; this backend by a cancel.
    let direct = format!("127.0.0.1:{}", peers.ports["grpc"]).parse().expect("an address");
    let direct = Caller::of(direct).unary(within("sleep", "300m")).unwrap_err();
    assert_eq!(direct.code(), Code::Cancelled);
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&late.code()), "{late:?}");
    assert_eq!(caller.named("Absent").unwrap_err().code(), Code::Unimplemented);
}

/// Both versions of HTTP, by nginx.
fn http_by_nginx(gateway: &Gateway, _peers: &Peers) {
    let mut client = Client::connect(gateway.http);
    for _ in 0..10 {
        let answer = client.ask(&Request::get("/modern/a?b=c"));
        assert_eq!((answer.status, answer.text()), (200, "HTTP/2.0 /a?b=c"), "{answer:?}");
        assert_eq!(answer.field("X-Passed"), Some("modern"));
        let answer = client.ask(&Request::post("/modern/a", "x".repeat(100_000)));
        assert_eq!(answer.status, 200, "{answer:?}");
        // nginx answers this without reading it, and so the connection ends.
        client = Client::connect(gateway.http);
    }
}

/// Events come as they are sent, and the source hears that the client has left.
fn events_by_python(gateway: &Gateway, _peers: &Peers) {
    let mut client = Client::connect(gateway.http);
    client.send(Request::get("/events/all").bytes());
    let head = client.head().expect("a head");
    assert!(head.line.starts_with("HTTP/1.1 200"), "{head:?}");
    let mut events = Vec::new();
    while !String::from_utf8_lossy(&events).contains("id: 5\n") {
        events.extend(client.raw(1));
    }
    // They end after a minute only: what is here was not collected.
    assert!(!String::from_utf8_lossy(&events).contains("id: 100\n"));
    drop(client);
    let left = gateway.get("/events/left");
    assert_eq!((left.status, left.text()), (200, "True"));
}

/// Frames of all kinds and sizes, by both sides of one library.
fn websocket_by_python(gateway: &Gateway, _peers: &Peers) {
    let url = format!("ws://{}/chat", gateway.http);
    let output = Command::new(python()).args(["tests/peers/texts.py", &url]).output();
    let output = output.expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs servers in another language: bin/peers"]
fn peers_of_other_people_are_served_in_one_run() {
    let (peers, nginx) = (Peers::start(), Nginx::start());
    let gateway = before(&peers, &nginx);
    std::thread::scope(|scope| {
        let parts: [fn(&Gateway, &Peers); 4] =
            [grpc_by_grpcio, http_by_nginx, events_by_python, websocket_by_python];
        for part in parts {
            let (gateway, peers) = (&gateway, &peers);
            scope.spawn(move || part(gateway, peers));
        }
    });
}
