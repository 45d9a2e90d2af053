//! What is told of requests: nothing that reads lines holds one up, every output gets what it can
//! read, diagnostics decide what is shown, and no secret ever is.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::gateway::{command, refuses};
use crate::harness::site::open_api;
use crate::harness::{Backend, Gateway, PATIENCE, Policies, Request, Site, reply, soon};

/// How much a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// A gateway whose output nobody reads.
struct Unread {
    child: Child,
    out: PipeReader,
    err: BufReader<PipeReader>,
    fills: PipeWriter,
    http: SocketAddr,
}

impl Unread {
    fn start(site: &Site) -> Self {
        let (out, to_out) = pipe().unwrap();
        let (err, to_err) = pipe().unwrap();
        let fills = to_err.try_clone().unwrap();
        let mut command = command();
        command.args(["run", "--listen-http=127.0.0.1:0", "--listen-admin=off", "--threads=2"]);
        command.args(["--log-format=json", "--log-access=all", "--configuration-poll-interval=1h"]);
        command.arg(format!("--config={}", site.path().display()));
        let child = command.stdout(to_out).stderr(to_err).spawn().unwrap();
        // The ends that it has are not ours.
        drop(command);
        let mut err = BufReader::new(err);
        let mut line = String::new();
        err.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["message"], "weir serves");
        let http = told["http"].as_str().unwrap().parse().unwrap();
        Self { child, out, err, fills, http }
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        let sent = std::process::Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(sent.success(), "{line}");
    }

    /// Fills its standard error, and goes on trying.
    fn fill(&self) {
        let mut fills = self.fills.try_clone().unwrap();
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        thread::spawn(move || {
            while fills.write_all(&[b'x'; 4096]).is_ok() {
                count.fetch_add(4096, Ordering::SeqCst);
            }
        });
        let full = || (PIPE_BYTES <= written.load(Ordering::SeqCst)).then_some(());
        soon(full).expect("it is full");
    }

    fn ask(&self, count: usize) {
        let mut client = Client::connect(self.http);
        for number in 0..count {
            assert_eq!(client.ask(&Request::get(&format!("/echo/{number}"))).status, 200);
        }
    }
}

fn echo() -> (Backend, Site) {
    let backend = Backend::plain();
    let mut site = Site::new();
    site.open_api("echo", &backend.url(), Policies::default());
    (backend, site)
}

#[test]
fn who_reads_neither_output_holds_up_no_request_and_gets_every_line_later() {
    let (_backend, site) = echo();
    let mut gateway = Unread::start(&site);
    gateway.fill();
    gateway.signal("HUP");
    // Each line has more than 200 bytes: the pipe is full many times over.
    gateway.ask(1000);
    let Unread { child, out, err, fills, .. } = &mut gateway;
    let (mut out, mut err) = (out.try_clone().unwrap(), err.get_ref().try_clone().unwrap());
    *fills = pipe().unwrap().1;
    let lines = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let events = thread::spawn(move || {
        // What fills it never ends.
        let mut text = Vec::new();
        let mut some = [0; 4096];
        while !String::from_utf8_lossy(&text).contains("terminated: draining") {
            let count = err.read(&mut some).unwrap();
            text.extend(some.iter().take(count).filter(|byte| **byte != b'x'));
        }
        String::from_utf8(text).unwrap()
    });
    let line = format!("kill -TERM {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let ended = soon(|| child.try_wait().unwrap()).expect("an end");
    assert!(ended.success(), "{ended:?}");
    let lines = lines.join().unwrap();
    let paths = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let paths = paths.filter(|line| line["category"] == "GatewayLogs").count();
    assert_eq!(paths, 1000);
    assert!(events.join().unwrap().contains("SIGHUP"));
}

#[test]
fn who_reads_nothing_does_not_keep_a_gateway_from_ending() {
    let (_backend, site) = echo();
    let mut gateway = Unread::start(&site);
    gateway.fill();
    gateway.ask(500);
    gateway.signal("TERM");
    assert!(soon(|| gateway.child.try_wait().unwrap()).expect("an end").success());
}

#[test]
fn what_was_said_before_an_early_end_is_written() {
    let output = refuses(|site| {
        site.variables.push(("monitoring.workspaceId".to_owned(), "1".to_owned()));
        site.yaml("apis: [{id: a b, path: x}]");
    });
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("setting ignored") && text.contains("monitoring.workspaceId"), "{text}");
}

#[test]
fn the_line_of_a_reader_that_is_gone_is_no_trouble() {
    let (_backend, site) = echo();
    let mut gateway = Unread::start(&site);
    drop(std::mem::replace(&mut gateway.out, pipe().unwrap().0));
    gateway.ask(100);
    gateway.signal("TERM");
    assert!(soon(|| gateway.child.try_wait().unwrap()).expect("an end").success());
}

/// A gateway that sends lines elsewhere, too.
fn with(settings: &[(&str, &str)]) -> (Backend, Gateway) {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        for (name, value) in settings {
            site.set(name, value);
        }
        let inbound = r#"<trace source="app" severity="error"><message>two
lines</message></trace>"#;
        site.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    });
    (backend, gateway)
}

/// Reads datagrams until one has all of `parts`.
fn datagram(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>, parts: &[&str]) -> Vec<u8> {
    let mut some = vec![0; 70_000];
    loop {
        let count = receive(&mut some).expect("a datagram");
        let text = String::from_utf8_lossy(&some[..count]);
        if parts.iter().all(|part| text.contains(part)) {
            return some[..count].to_vec();
        }
    }
}

fn unix(site: &tempfile::TempDir) -> (UnixDatagram, String) {
    let path = site.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, path.display().to_string())
}

#[test]
fn the_syslog_of_the_system_gets_lines_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = unix(&folder);
    let (_backend, gateway) = with(&[
        ("log-local", "localsyslog"),
        ("log-local-syslog-endpoint", &path),
        ("log-local-syslog-facility", "7"),
    ]);
    let event = datagram(|some| socket.recv(some), &["weir serves"]);
    assert!(event.starts_with(b"<62>"), "{}", String::from_utf8_lossy(&event));
    assert_eq!(gateway.get("/echo/a").status, 200);
    let trace = datagram(|some| socket.recv(some), &["trace error", r"two\nlines"]);
    assert!(trace.starts_with(b"<59>"));
    let line = String::from_utf8(datagram(|some| socket.recv(some), &["/echo/a"])).unwrap();
    let (_time, rest) = line.split_at("<62>Nov 23 10:00:00 ".len());
    assert!(line.starts_with("<62>") && rest.starts_with("weir["), "{line}");
    assert!(rest.contains("]: 200 GET gateway.example/echo/a HTTP/1.1 "), "{line}");
}

#[test]
fn the_journal_gets_fields() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = unix(&folder);
    let settings = [("log-local", "journal"), ("log-journal-endpoint", &path)];
    let (_backend, gateway) = with(&settings);
    assert_eq!(gateway.get("/echo/a").status, 200);
    let trace = journal(&datagram(|some| socket.recv(some), &["GatewayTraces"]));
    assert_eq!(trace["WEIR_MESSAGE"], "two\nlines");
    let line = journal(&datagram(|some| socket.recv(some), &["/echo/a"]));
    assert_eq!((&*line["PRIORITY"], &*line["SYSLOG_IDENTIFIER"]), ("6", "weir"));
    assert_eq!((&*line["WEIR_RESPONSE_CODE"], &*line["WEIR_API_ID"]), ("200", "echo"));
    assert!(line["MESSAGE"].starts_with("200 GET "));
}

/// The fields of an entry, as journald reads them.
fn journal(mut bytes: &[u8]) -> std::collections::HashMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields = std::collections::HashMap::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| matches!(byte, b'=' | b'\n')).unwrap();
        let (name, rest) = (text(&bytes[..end]), &bytes[end + 1..]);
        let (from, length) = if bytes[end] == b'=' {
            (0, rest.iter().position(|byte| *byte == b'\n').unwrap())
        } else {
            (8, usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap())
        };
        fields.insert(name, text(&rest[from..from + length]));
        assert_eq!(rest[from + length], b'\n');
        bytes = &rest[from + length + 1..];
    }
    fields
}

#[test]
fn collectors_get_an_object_a_datagram_and_lines_of_rfc_5424() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let settings =
        [("log-local", "json"), ("log-json-endpoint", &*address), ("log-format", "json")];
    let (_backend, gateway) = with(&settings);
    assert_eq!(gateway.get("/echo/a").status, 200);
    let line: Value =
        serde_json::from_slice(&datagram(|some| socket.recv(some), &["/echo/a"])).unwrap();
    assert_eq!(line, gateway.record("/echo/a"));
    drop(gateway);
    let (_backend, gateway) = with(&[("log-local", "rfc5424"), ("log-rfc5424-endpoint", &address)]);
    assert_eq!(gateway.get("/echo/b").status, 200);
    let line = String::from_utf8(datagram(|some| socket.recv(some), &["/echo/b"])).unwrap();
    assert!(line.starts_with("<30>1 2") && line.contains(" weir "), "{line}");
    assert!(
        line.contains(" GatewayLogs [weir@32473 ") && line.contains(r#" apiId="echo""#),
        "{line}"
    );
    assert!(line.contains("] 200 GET gateway.example/echo/b "), "{line}");
}

/// Reads frames of octet counting until one has `part`.
fn framed(stream: &mut impl BufRead, part: &str) -> String {
    loop {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).expect("a length");
        let length = String::from_utf8(length).unwrap().trim().parse::<usize>().expect("a length");
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).expect("a frame");
        let frame = String::from_utf8(frame).unwrap();
        assert!(frame.starts_with('<'), "{frame}");
        if frame.contains(part) {
            return frame;
        }
    }
}

#[test]
fn a_collector_that_goes_away_gets_the_lines_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let (_backend, gateway) = with(&[("log-local", "rfc5424"), ("log-rfc5424-endpoint", &address)]);
    let accept = || {
        let stream = listener.accept().unwrap().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::new(stream)
    };
    let mut stream = accept();
    framed(&mut stream, "weir serves");
    assert_eq!(gateway.get("/echo/a").status, 200);
    framed(&mut stream, "/echo/a");
    drop(stream);
    assert_eq!(gateway.get("/echo/b").status, 200);
    let mut stream = accept();
    framed(&mut stream, "/echo/b");
    gateway.signal("TERM");
    // What is said last comes, too.
    framed(&mut stream, "terminated: draining");
}

#[test]
fn wrong_outputs_are_refused_at_start() {
    for (settings, told) in [
        (&[("log-local", "syslog")][..], "one of `none`, `localsyslog`"),
        (&[("log-local", "rfc5424")], "nobody knows where the collector of syslog is"),
        (&[("log-rfc5424-endpoint", "http://a:1")], "tcp://host:601"),
        (&[("log-journal-facility", "24")], "a number from 0 to 23"),
    ] {
        let output =
            refuses(|site| settings.iter().for_each(|(name, value)| site.set(name, value)));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(told), "{text}");
    }
}

/// Everything of everything.
const ALL: &str = "
      verbosity: verbose
      frontend:
        request: {headers: [Content-Type, Authorization, X-Key, Cookie, X-Note], bodyBytes: 16}
        response: {headers: [Content-Type, Set-Cookie, X-Own], bodyBytes: 16}
      backend:
        request: {headers: [X-Note, X-Forwarded-Proto, Authorization], bodyBytes: 16}
        response: {headers: [Content-Type, X-Backend, Set-Cookie], bodyBytes: 16}
";

fn diagnosed(settings: &str, service: &str, policies: Policies<'_>) -> Gateway {
    Gateway::start(|site| {
        site.set("log-access", "off");
        site.file("echo.xml", policies.text());
        let api = open_api("echo", service, "echo.xml");
        let own = format!("    diagnostics:\n{settings}\n    policy:");
        site.yaml(api.replacen("    policy:", &own, 1));
        site.yaml("namedValues: [{name: canary, value: canary-value, secret: true}]");
    })
}

/// Answers with what it was asked.
fn mirror() -> Backend {
    Backend::replying(|seen| {
        let fields =
            [("Content-Type", "text/mirror"), ("X-Backend", "b"), ("Set-Cookie", "canary-c")];
        reply(200, &fields, &format!("back:{}", seen.text()))
    })
}

#[test]
fn fields_and_bodies_are_shown_on_every_way_to_the_backend() {
    let backend = mirror();
    let own = r#"<set-header name="X-Note"><value>changed</value></set-header>"#;
    let outbound = r#"<set-header name="X-Own"><value>own</value></set-header>"#;
    let ways = [
        // Sent by the gateway, or by Pingora where both directions flow.
        ("", ""),
        // Collected: a policy reads bodies.
        (r#"<set-variable name="v" value="@(context.Request.Body.As<string>(true))" />"#, ""),
        ("", r#"<set-body>@(context.Response.Body.As<string>() + "!")</set-body>"#),
    ];
    for (inbound, more) in ways {
        let (inbound, outbound) = ([own, inbound].concat(), [outbound, more].concat());
        let policies = Policies { inbound: &inbound, outbound: &outbound, ..Policies::default() };
        let gateway = diagnosed(ALL, &backend.url(), policies);
        let long = format!("long {}", "x".repeat(200_000));
        for (path, body) in [("/echo/short", "short"), ("/echo/long", &*long)] {
            let asked = Request::post(path, body)
                .field("Content-Type", "text/plain")
                .field("X-Note", "mine");
            assert_eq!(gateway.ask(&asked).status, 200);
            let line = gateway.record(path);
            let begin = &body[..body.len().min(16)];
            assert_eq!(line["requestBody"], begin, "{line}");
            assert_eq!(line["backendRequestBody"], begin, "{line}");
            assert_eq!(line["requestHeaders"]["x-note"], "mine");
            assert_eq!(line["backendRequestHeaders"]["x-note"], "changed");
            assert_eq!(line["backendRequestHeaders"]["x-forwarded-proto"], "http");
            let back = format!("back:{body}");
            assert_eq!(line["backendResponseBody"], &back[..back.len().min(16)], "{line}");
            let front = if more.is_empty() { back } else { back + "!" };
            assert_eq!(line["responseBody"], &front[..front.len().min(16)], "{line}");
            assert_eq!(line["responseHeaders"]["x-own"], "own");
            assert_eq!(line["backendResponseHeaders"]["x-backend"], "b");
            assert!(line["backendResponseHeaders"].get("x-own").is_none());
            assert!(line.get("callerIpAddress").is_none());
        }
    }
}

#[test]
fn a_stream_is_not_held_for_its_excerpt() {
    let backend = Backend::scripted(|_seen, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")?;
        // It ends when the client does.
        stream.read_exact(&mut [0])?;
        Ok(crate::harness::Then::Close)
    });
    let gateway = diagnosed(ALL, &backend.url(), Policies::default());
    let mut stream = std::net::TcpStream::connect(gateway.http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&Request::get("/echo/stream").bytes()).unwrap();
    let mut text = String::new();
    while !text.contains("data: 1") {
        let mut some = [0; 512];
        let count = stream.read(&mut some).unwrap();
        text.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    drop(stream);
    let line = gateway.record("/echo/stream");
    assert_eq!(line["backendResponseBody"], "data: 1\n\n", "{line}");
}

#[test]
fn diagnostics_decide_instead_of_the_setting() {
    let backend = Backend::plain();
    let policy = r#"<choose><when condition="@(context.Request.Url.Path.EndsWith("bad"))">
        <return-response><set-status code="404" /></return-response></when></choose>
        <trace source="a"><message>low</message></trace>
        <trace source="b" severity="information"><message>high</message></trace>"#;
    let policies = Policies { inbound: policy, ..Policies::default() };
    let gateway = diagnosed("      sampling: 0\n      logClientIp: true", &backend.url(), policies);
    assert_eq!(gateway.get("/echo/good").status, 200);
    assert_eq!(gateway.get("/echo/bad").status, 404);
    assert_eq!(gateway.record("/echo/bad")["callerIpAddress"], "127.0.0.1");
    let records = gateway.records();
    assert!(records.iter().all(|line| line["url"] != "gateway.example/echo/good"), "{records:?}");
    let said = |what: &str| records.iter().any(|line| line["message"] == what);
    assert!(said("high") && !said("low"), "{records:?}");
    // Nothing is said of requests that no API has: the setting decides.
    assert_eq!(gateway.get("/nowhere").status, 404);
    assert_eq!(gateway.get("/echo/bad?2").status, 404);
    soon(|| {
        (1 < gateway.records().iter().filter(|line| line["responseCode"] == 404).count())
            .then_some(())
    })
    .expect("the line");
    assert!(gateway.records().iter().all(|line| line["url"] != "gateway.example/nowhere"));
}

/// All that comes, to the datagram that has `last` in it.
fn all_until(socket: &UnixDatagram, last: &str) -> String {
    let mut text = String::new();
    while !text.contains(last) {
        let mut some = vec![0; 70_000];
        let count = socket.recv(&mut some).expect("a datagram");
        text.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    text
}

#[test]
fn no_line_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = unix(&folder);
    let received = thread::spawn(move || all_until(&socket, "/echo/last"));
    let backend = mirror();
    let token = "eyJjYW5hcnkiOiJhIn0.eyJjYW5hcnkiOiJiIn0.Y2FuYXJ5";
    let inbound = format!(
        r#"<trace source="app" severity="error"><message>@("value {{{{canary}}}} and {token} and "
        + context.Request.Headers.GetValueOrDefault("X-Sent", ""))</message></trace>
        <trace source="app" severity="error">
        <message>@("shown " + context.Request.Headers.GetValueOrDefault("X-Own", ""))</message>
        <metadata name="m" value="@(context.Subscription.PrimaryKey)" />
        <metadata name="n" value="@(context.Subscription.SecondaryKey)" /></trace>
        <set-header name="X-Note"><value>{{{{canary}}}}</value></set-header>
        <choose><when condition="@(context.Request.Url.Path.EndsWith("fail"))">
        <set-variable name="x" value="@(((string)null).Length + context.Request.Headers["X-Sent"][0])" />
        </when></choose>"#
    );
    let gateway = Gateway::start(|site| {
        let settings =
            [("log-level", "all"), ("log-local", "journal"), ("log-journal-endpoint", &*path)];
        for (name, value) in settings {
            site.set(name, value);
        }
        let policies = Policies { inbound: &inbound, ..Policies::default() };
        site.file("echo.xml", policies.text());
        let api = open_api("echo", &backend.url(), "echo.xml");
        let own = format!(
            "    subscriptionKeyParameterNames: {{header: X-Own, query: own-key}}\n    \
             diagnostics:\n{ALL}\n    policy:"
        );
        let own = own
            .replace("bodyBytes: 16", "bodyBytes: 4096")
            .replace("X-Key", "X-Own, X-Sent, Referer");
        site.yaml(
            api.replacen("    policy:", &own, 1).replace("Required: false", "Required: true"),
        );
        site.yaml("namedValues: [{name: canary, value: canary-value, secret: true}]");
        site.yaml("subscriptions: [{id: jane, scope: /apis/echo, primaryKey: canary-key-1, secondaryKey: canary-key-2}]");
    });
    let sent = format!("sent {token}");
    for path in ["/echo/a?q=canary-q&own-key=canary-key-1", "/echo/fail?q=canary-q", "/echo/last"] {
        let asked = Request::post(path, format!("body canary-value canary-key-1 {token}"))
            .field("X-Own", "canary-key-1")
            .field("Authorization", "Bearer canary-bearer")
            .field("Proxy-Authorization", "Basic canary-proxy")
            .field("Cookie", "a=canary-cookie")
            .field("Referer", "https://a.example/b?canary-referer")
            .field("X-Sent", &sent);
        gateway.ask(&asked);
    }
    gateway.record("/echo/last");
    let mut all = received.join().unwrap();
    for line in gateway.records() {
        all.push_str(&line.to_string());
    }
    all.push_str(&gateway.events().join("\n"));
    assert!(all.contains("GatewayTraces") && all.contains("shown (secret)"), "{all}");
    let shown: Vec<&str> = all
        .match_indices("canary-")
        .chain(all.match_indices("eyJ"))
        .map(|(at, _)| &all[at.saturating_sub(60)..(at + 20).min(all.len())])
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert!(backend.last().text().contains("canary-value"), "only what is said is covered");
}

#[test]
fn no_text_forges_a_line() {
    let backend = Backend::plain();
    let inbound = r#"<trace source="app" severity="error"><message>@("a\r\n2026 forged \u001b[2J" +
        context.Request.Headers.GetValueOrDefault("X-Sent", ""))</message></trace>"#;
    let mut site = Site::new();
    site.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    site.set("log-format", "text");
    let (out, to_out) = pipe().unwrap();
    let mut command = command();
    command.args(["run", "--listen-http=127.0.0.1:0", "--listen-admin=off", "--log-format=text"]);
    command.args(["--log-access=all", "--log-color=false"]);
    command.arg(format!("--config={}", site.path().display()));
    let (err, to_err) = pipe().unwrap();
    let mut child = command.stdout(to_out).stderr(to_err).spawn().unwrap();
    drop(command);
    let mut line = String::new();
    BufReader::new(err).read_line(&mut line).unwrap();
    let http = line.split(" http=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let asked = Request::get("/echo/a").field("X-Sent", "tab\there");
    assert_eq!(Client::connect(http.parse().unwrap()).ask(&asked).status, 200);
    let (mut out, mut text) = (BufReader::new(out), String::new());
    // Whose lines are written hears signals, too.
    out.read_line(&mut text).unwrap();
    let line = format!("kill -TERM {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}
