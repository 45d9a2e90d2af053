//! `WebSocket` connections through the gateway.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::harness::{Backend, Client, Gateway, Policies, Request};

/// Reads a head, and no byte of what is behind it.
fn head_of(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

/// A gateway whose API `echo` is this backend.
fn before(backend: &Backend) -> Gateway {
    Gateway::start(|it| it.open_api("echo", &backend.url(), Policies::default()))
}

/// A backend that takes handshakes and repeats every byte that follows.
fn repeater() -> Backend {
    Backend::raw(|mut stream, _| {
        let head = head_of(&mut stream)?;
        let text = String::from_utf8_lossy(&head).to_lowercase();
        assert!(text.contains("upgrade: websocket"), "{text}");
        assert!(!text.contains("subscription-key"), "{text}");
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )?;
        let mut piece = [0_u8; 4096];
        loop {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            stream.write_all(&piece[..read])?;
        }
    })
}

fn handshake(target: &str) -> Request {
    Request::get(target)
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// A masked text frame (RFC 6455 §5.2).
fn frame(text: &str) -> Vec<u8> {
    let mask = [1_u8, 2, 3, 4];
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap()];
    bytes.extend(mask);
    bytes.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn site(site: &mut crate::harness::Site, service: &str) {
    let ws = service.replace("http://", "ws://");
    site.yaml(format!(
        "apis:
  - id: chat
    path: chat
    type: websocket
    protocols: [ws]
    serviceUrl: {ws}
subscriptions: [{{id: all, scope: /apis, primaryKey: right}}]
"
    ));
}

fn echoes(client: &mut Client, text: &str) {
    let sent = frame(text);
    client.send(&sent);
    assert_eq!(client.raw(sent.len()), sent);
}

#[test]
fn a_websocket_with_a_key_goes_through_and_may_be_idle() {
    let backend = repeater();
    let gateway = Gateway::start(|it| {
        it.set("timeouts-idle", "1s");
        it.set("timeouts-body", "1s");
        it.set("timeouts-header", "1s");
        site(it, &backend.url());
    });
    let mut client = gateway.client();
    let answer = client.ask(&handshake("/chat").key("right"));
    assert_eq!((answer.status, answer.field("Upgrade")), (101, Some("websocket")));
    assert_eq!(answer.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    echoes(&mut client, "hello");
    thread::sleep(Duration::from_millis(2500));
    echoes(&mut client, "still here");
    let large = vec![7_u8; 1 << 20];
    thread::scope(|scope| {
        let back = {
            client.send(&large[..1 << 16]);
            scope.spawn(|| client.raw(1 << 16))
        };
        assert_eq!(back.join().unwrap(), &large[..1 << 16]);
    });
}

#[test]
fn a_websocket_without_a_key_is_refused_before_any_byte_moves() {
    let backend = repeater();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    let answer = gateway.ask(&handshake("/chat"));
    assert_eq!((answer.status, answer.phrase.as_str()), (401, "Access Denied"));
    let query = gateway.ask(&handshake("/chat?subscription-key=right"));
    assert_eq!(query.status, 101);
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_websocket_api_is_for_handshakes_only() {
    let backend = repeater();
    let gateway = Gateway::start(|it| site(it, &backend.url()));
    assert_eq!(gateway.ask(&Request::get("/chat").key("right")).status, 404);
    assert_eq!(backend.connections(), 0);
}

#[test]
fn policies_run_on_handshakes_too() {
    let backend = repeater();
    let gateway = Gateway::start(|it| {
        let inbound = "<choose><when condition=\"@(context.Request.Headers.GetValueOrDefault(\
                       &quot;X-Deny&quot;, &quot;&quot;) == &quot;1&quot;)\"><return-response>\
                       <set-status code=\"403\" reason=\"No\" /></return-response></when></choose>";
        it.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    });
    let denied = gateway.ask(&handshake("/echo/a").field("X-Deny", "1"));
    assert_eq!(denied.status, 403);
    let mut client = gateway.client();
    assert_eq!(client.ask(&handshake("/echo/a")).status, 101);
    echoes(&mut client, "through");
}

#[test]
fn nothing_is_passed_on_before_the_backend_has_switched() {
    let backend = Backend::plain();
    let gateway = before(&backend);
    let mut client = gateway.client();
    let mut bytes = handshake("/echo/a").bytes();
    bytes.extend(Request::get("/echo/smuggled").bytes());
    client.send(bytes);
    assert_eq!(client.answer().status, 200);
    if let Some(second) = client.try_answer() {
        // It may be answered as a request of its own, on the connection of the client only.
        assert_eq!(second.status, 200);
    }
    let seen = backend.seen();
    assert!(seen.iter().all(|seen| seen.method == "GET" && seen.body.is_empty()), "{seen:?}");
}

/// As many connections as show what depends on which of two things happens first.
const TRIES: usize = 40;

#[test]
fn a_backend_that_switches_at_once_is_not_hung_up_on() {
    let backend = repeater();
    let gateway = before(&backend);
    for _ in 0..TRIES {
        let mut client = gateway.client();
        assert_eq!(client.ask(&handshake("/echo/a")).status, 101);
        echoes(&mut client, "through");
    }
}

#[test]
fn what_a_client_sends_right_behind_its_handshake_gets_there() {
    let backend = repeater();
    let gateway = before(&backend);
    let mut client = gateway.client();
    let (mut bytes, early) = (handshake("/echo/a").bytes(), frame("early"));
    bytes.extend(&early);
    client.send(bytes);
    assert_eq!(client.answer().status, 101);
    assert_eq!(client.raw(early.len()), early);
    echoes(&mut client, "late");
}

#[test]
fn much_goes_both_ways_at_once() {
    let backend = repeater();
    let gateway = before(&backend);
    let mut client = gateway.client();
    assert_eq!(client.ask(&handshake("/echo/a")).status, 101);
    let much: Vec<u8> = (0_u8..=250).cycle().take(4 << 20).collect();
    let mut writing = client.twin();
    let sent = much.clone();
    let writer = thread::spawn(move || writing.write_all(&sent));
    assert!(client.raw(much.len()) == much, "all of it came back, in order");
    writer.join().expect("it ended").expect("it was taken");
}

#[test]
fn the_end_of_one_side_is_the_end_of_the_other_one() {
    let backend = Backend::raw(|mut stream, _| {
        let head = head_of(&mut stream)?;
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
              Connection: Upgrade\r\n\r\nlast words",
        )?;
        if head.starts_with(b"GET /held") {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest)?;
            assert_eq!(rest, b"bye");
        }
        Ok(())
    });
    let gateway = before(&backend);
    let mut client = gateway.client();
    assert_eq!(client.ask(&handshake("/echo/a")).status, 101);
    assert_eq!(client.raw(10), b"last words");
    assert!(client.is_closed());
    let mut client = gateway.client();
    assert_eq!(client.ask(&handshake("/echo/held")).status, 101);
    assert_eq!(client.raw(10), b"last words");
    client.send("bye");
    client.end();
    assert!(client.is_closed());
    gateway.record("/echo/held");
}

#[test]
fn no_other_protocol_is_switched_to() {
    let backend = Backend::raw(|mut stream, _| {
        let head = head_of(&mut stream)?;
        let text = String::from_utf8_lossy(&head).to_lowercase();
        assert!(!text.contains("h2c") && !text.contains("http2-settings"), "{text}");
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(if text.starts_with("get /bad") { switch } else { plain })
    });
    let gateway = before(&backend);
    let asks = |path: &str| {
        let request = Request::get(path).field("Connection", "Upgrade, HTTP2-Settings");
        request.field("Upgrade", "h2c").field("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")
    };
    assert_eq!(gateway.ask(&asks("/echo/a")).status, 200);
    assert_eq!(gateway.ask(&asks("/echo/bad")).status, 500);
}
