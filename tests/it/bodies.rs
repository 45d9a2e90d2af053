//! Bodies: they stream both ways, keep their framing, and never mix.

use std::io::{Read as _, Write as _};
use std::sync::mpsc;
use std::thread;

use crate::harness::{Backend, End, Gateway, Policies, Request, Then, reply};

/// What is sent where it must not be held: more than a gateway may keep.
const LARGE: usize = 100 << 20;
/// What a gateway may hold of it, on top of what it holds anyhow.
const HELD_MAX: u64 = 32 << 20;

fn gateway(backend: &Backend) -> Gateway {
    Gateway::start(|site| site.open_api("echo", &backend.url(), Policies::default()))
}

#[test]
fn a_hundred_mebibytes_stream_to_the_backend_in_flat_memory() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    assert_eq!(gateway.get("/echo/warm").status, 200);
    let before = gateway.memory_peak();
    let mut client = gateway.client();
    let head = format!("POST /echo/up HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n");
    client.send(head);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..LARGE / piece.len() {
        client.send(&piece);
    }
    assert_eq!(client.answer().status, 200);
    let seen = backend.last();
    assert_eq!((seen.length, seen.end), (LARGE, End::Whole));
    let kept = gateway.memory_peak() - before;
    assert!(kept < HELD_MAX, "{kept} bytes more than before");
}

#[test]
fn a_hundred_mebibytes_stream_to_the_client_in_flat_memory() {
    let backend = Backend::scripted(|_seen, stream| {
        let piece = vec![b'x'; 1 << 20];
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for _ in 0..LARGE / piece.len() {
            write!(stream, "{:x}\r\n", piece.len())?;
            stream.write_all(&piece)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let gateway = gateway(&backend);
    let before = gateway.memory_peak();
    let answer = gateway.get("/echo/down");
    assert_eq!((answer.length, answer.end), (LARGE, End::Whole));
    let kept = gateway.memory_peak() - before;
    assert!(kept < HELD_MAX, "{kept} bytes more than before");
}

#[test]
fn the_first_byte_arrives_before_the_last_is_sent() {
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::scripted(move |_seen, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")?;
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"last!")?;
        Ok(Then::Keep)
    });
    let gateway = gateway(&backend);
    let mut client = gateway.client();
    client.send(Request::get("/echo/a").bytes());
    assert_eq!(client.head().unwrap().line, "HTTP/1.1 200 OK");
    assert_eq!(client.raw(5), b"first");
    go_on.send(()).unwrap();
    assert_eq!(client.raw(5), b"last!");
}

#[test]
fn chunks_come_and_go_as_a_whole() {
    let backend = Backend::scripted(|seen, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for piece in seen.body.chunks(3) {
            write!(stream, "{:x};ignored=1\r\n", piece.len())?;
            stream.write_all(piece)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\nX-Trailer: 1\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let gateway = gateway(&backend);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(
            "POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\nhell\r\n1;x=y\r\no\r\n0\r\n\r\n",
        );
        let answer = client.answer();
        assert_eq!((answer.text(), answer.end), ("hello", End::Whole));
    }
    assert_eq!(backend.last().text(), "hello");
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let backend = Backend::replying(|seen| match seen.target.as_str() {
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/same" => {
            b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 7\r\n\r\n".to_vec()
        }
        "/empty" => reply(200, &[], ""),
        _ if seen.method == "HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n".to_vec(),
        _ => reply(200, &[], "seven!!"),
    });
    let gateway = gateway(&backend);
    let mut client = gateway.client();
    for _ in 0..2 {
        let head = client.ask(&Request::new("HEAD", "/echo/a"));
        assert_eq!((head.status, head.field("Content-Length")), (200, Some("7")));
        let none = client.ask(&Request::get("/echo/none"));
        assert_eq!((none.status, none.field("Content-Length")), (204, None));
        let same = client.ask(&Request::get("/echo/same"));
        assert_eq!((same.status, same.field("ETag")), (304, Some("\"1\"")));
        let empty = client.ask(&Request::get("/echo/empty"));
        assert_eq!((empty.status, empty.length), (200, 0));
        assert_eq!(client.ask(&Request::get("/echo/a")).text(), "seven!!");
    }
}

#[test]
fn a_client_that_expects_100_gets_it_from_the_backend() {
    let backend = Backend::plain();
    let gateway = gateway(&backend);
    let mut client = gateway.client();
    client.send(
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.head().unwrap().line, "HTTP/1.1 100 Continue");
    client.send("hello");
    assert_eq!(client.answer().text(), "backend");
    assert_eq!(backend.last().text(), "hello");
}

#[test]
fn a_client_that_expects_100_may_get_a_refusal_instead() {
    let backend = Backend::raw(|mut stream, _| {
        let mut head = [0_u8; 4096];
        let read = stream.read(&mut head)?;
        assert!(0 < read);
        stream.write_all(&reply(401, &[("X-From", "backend")], "no"))?;
        // Waits for the gateway to close.
        while stream.read(&mut head)? != 0 {}
        Ok(())
    });
    let gateway = gateway(&backend);
    let mut client = gateway.client();
    client.send(
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("X-From")), (401, Some("backend")));
    // Whether the body follows is not known: nothing else may come on this connection.
    assert_eq!(answer.field("Connection"), Some("close"));
    drop(client);
    assert_eq!(gateway.get("/echo/b").status, 401);
}

#[test]
fn a_pipelined_request_without_a_key_does_not_ride_on_the_first() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.yaml(format!(
            "apis:
  - id: echo
    path: echo
    serviceUrl: {}
    operations: [{{id: get, method: GET, urlTemplate: '/{{*rest}}'}}]
subscriptions: [{{id: all, scope: /apis, primaryKey: right}}]
",
            backend.url()
        ));
    });
    let mut client = gateway.client();
    let mut bytes = Request::get("/echo/first").key("right").bytes();
    bytes.extend(Request::get("/echo/second").bytes());
    client.send(bytes);
    assert_eq!(client.answer().status, 200);
    if let Some(second) = client.try_answer() {
        assert_eq!(second.status, 401);
    }
    let targets: Vec<_> = backend.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/first"]);
}

#[test]
fn a_body_beyond_its_bound_is_refused_and_never_whole_at_the_backend() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("limits-request-body-bytes", "1000");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    assert_eq!(gateway.ask(&Request::post("/echo/a", [b'x'; 1000])).status, 200);
    let answer = gateway.ask(&Request::post("/echo/a", [b'x'; 1001]));
    assert_eq!(answer.status, 413);
    assert_eq!(backend.count(), 1);
    let mut client = gateway.client();
    client.send("POST /echo/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("64\r\n{}\r\n", "x".repeat(100));
    for _ in 0..20 {
        if !client.offer(&piece) {
            break;
        }
    }
    client.offer("0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    let whole = backend.seen().iter().filter(|seen| seen.end == End::Whole).count();
    assert_eq!(whole, 1);
}

#[test]
fn requests_at_the_same_time_get_their_own_answers() {
    let backend =
        Backend::replying(|seen| reply(200, &[], &format!("{} {}", seen.target, seen.text())));
    let gateway = gateway(&backend);
    thread::scope(|scope| {
        for worker in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut client = gateway.client();
                for round in 0..50 {
                    let target = format!("/echo/{worker}/{round}");
                    let answer = client.ask(&Request::post(&target, format!("{round}-{worker}")));
                    assert_eq!(answer.text(), format!("/{worker}/{round} {round}-{worker}"));
                }
            });
        }
    });
}

#[test]
fn a_client_that_closes_after_its_body_gets_its_answer() {
    let backend = Backend::replying(|seen| reply(200, &[], seen.text()));
    let gateway = Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let long = "x".repeat(100_000);
    for (line, framing, body, told) in [
        ("HTTP/1.1", "Content-Length: 5", "hello".to_owned(), "hello"),
        ("HTTP/1.1", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n".to_owned(), "hello"),
        ("HTTP/1.1", "Content-Length: 100000", long.clone(), long.as_str()),
        ("HTTP/1.0", "Content-Length: 5", "hello".to_owned(), "hello"),
    ] {
        let mut client = gateway.client();
        client.send(format!("POST /echo/a {line}\r\nHost: a\r\nConnection: close\r\n"));
        client.send(format!("{framing}\r\n\r\n{body}"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, told), "{line} {framing}");
        assert!(client.is_closed());
    }
}
