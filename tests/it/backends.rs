//! Backends that misbehave: the right status, a record that says why, and a clean next request.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::backend::{NOBODY, Seen};
use crate::harness::{Backend, End, Gateway, Policies, Request, Then, reply};

/// A backend that misbehaves at `/bad` and is fine elsewhere.
fn bad(
    script: impl Fn(&Seen, &mut std::net::TcpStream) -> std::io::Result<Then> + Send + Sync + 'static,
) -> Backend {
    Backend::scripted(move |seen, stream| {
        if seen.target.starts_with("/bad") {
            return script(seen, stream);
        }
        stream.write_all(&reply(200, &[], "fine"))?;
        Ok(Then::Keep)
    })
}

/// `/echo` streams; `/held` is collected, since a policy reads the response.
fn both(backend: &str) -> Gateway {
    Gateway::start(|site| {
        let forward = "<forward-request timeout=\"1\" />";
        let streams = Policies { backend: forward, ..Policies::default() };
        site.open_api("echo", backend, streams);
        let outbound = "<set-body>@(context.Response.Body.As<string>())</set-body>";
        site.open_api("held", backend, Policies { outbound, ..streams });
    })
}

/// Asks for something bad, and sees that the gateway is fine afterwards.
fn fails(gateway: &Gateway, path: &str, reason: &str) {
    let mut client = gateway.client();
    let answer = client.ask(&Request::get(path));
    assert_eq!((answer.status, answer.end), (500, End::Whole), "{path}");
    assert!(answer.text().contains("Internal server error"), "{path}: {}", answer.text());
    let record = gateway.record(path);
    assert_eq!(record["responseCode"], 500, "{record}");
    assert_eq!(record["reason"], reason, "{record}");
    assert_eq!(record["lastErrorSection"], "backend", "{record}");
    // On the same connection, if it was kept.
    if let Some(kept) = again(&mut client) {
        assert_eq!(kept, (200, "fine".to_owned()), "{path}");
    }
}

fn again(client: &mut crate::harness::Client) -> Option<(u16, String)> {
    if !client.offer(Request::get("/echo/good").bytes()) {
        return None;
    }
    client.try_answer().map(|answer| (answer.status, answer.text().to_owned()))
}

fn is_fine(gateway: &Gateway) {
    for path in ["/echo/good", "/held/good"] {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.text()), (200, "fine"), "{path}");
    }
}

#[test]
fn a_backend_that_refuses_is_a_500_at_once() {
    let gateway = both(NOBODY);
    for path in ["/echo/bad", "/held/bad"] {
        let begun = Instant::now();
        for _ in 0..2 {
            assert_eq!(gateway.get(path).status, 500);
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let record = gateway.record(path);
        assert_eq!(record["reason"], "backend_connection_failed", "{record}");
        assert_eq!(record["lastErrorReason"], "BackendConnectionFailure", "{record}");
    }
}

#[test]
fn a_backend_that_hangs_is_given_up_when_its_time_is_over() {
    let backend = bad(|_seen, stream| {
        // Waits for the gateway to give up.
        let _ = stream.read(&mut [0_u8; 1])?;
        Ok(Then::Close)
    });
    let gateway = both(&backend.url());
    for path in ["/echo/bad", "/held/bad"] {
        let begun = Instant::now();
        fails(&gateway, path, "backend_timeout");
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(gateway.record(path)["lastErrorReason"], "Timeout");
    }
    is_fine(&gateway);
}

#[test]
fn a_backend_that_closes_before_its_answer_is_a_500() {
    let backend = bad(|_seen, _stream| Ok(Then::Close));
    let gateway = both(&backend.url());
    for path in ["/echo/bad", "/held/bad"] {
        fails(&gateway, path, "backend_connection_failed");
    }
    is_fine(&gateway);
}

#[test]
fn a_body_that_breaks_off_does_not_look_whole_to_the_client() {
    let backend = bad(|seen, stream| {
        if seen.target.ends_with("chunked") {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            )?;
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")?;
        }
        thread::sleep(Duration::from_millis(100));
        Ok(Then::Close)
    });
    let gateway = both(&backend.url());
    for path in ["/echo/bad-chunked", "/echo/bad-length"] {
        let mut client = gateway.client();
        let answer = client.ask(&Request::get(path));
        assert_eq!(
            (answer.status, answer.text(), answer.end),
            (200, "hello", End::Broken),
            "{path}"
        );
        assert!(client.is_closed());
        let record = gateway.record(path);
        assert!(record["transportError"].is_string(), "{record}");
    }
    for path in ["/held/bad-chunked", "/held/bad-length"] {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.end), (500, End::Whole), "{path}");
        assert_eq!(gateway.record(path)["reason"], "backend_body_broken");
    }
    is_fine(&gateway);
}

#[test]
fn a_body_that_never_begins_is_a_500() {
    let backend = bad(|_seen, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")?;
        Ok(Then::Close)
    });
    let gateway = both(&backend.url());
    for path in ["/echo/bad", "/held/bad"] {
        let mut client = gateway.client();
        let answer = client.ask(&Request::get(path));
        assert_eq!((answer.status, answer.end), (500, End::Whole), "{path}");
        assert_eq!(gateway.record(path)["reason"], "backend_body_broken");
        if let Some(kept) = again(&mut client) {
            assert_eq!(kept, (200, "fine".to_owned()), "{path}");
        }
    }
}

#[test]
fn what_came_of_a_body_before_it_broke_off_is_passed_on() {
    let backend = bad(|_seen, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")?;
        Ok(Then::Close)
    });
    let gateway = both(&backend.url());
    let answer = gateway.get("/echo/bad");
    assert_eq!((answer.status, answer.text(), answer.end), (200, "abc", End::Broken));
    let record = gateway.record("/echo/bad");
    assert_eq!(record["isRequestSuccess"], false, "{record}");
    is_fine(&gateway);
}

#[test]
fn the_time_for_a_head_does_not_end_its_body() {
    let backend = bad(|seen, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        // Longer than the timeout of the policy, which is for the head.
        thread::sleep(Duration::from_millis(1_600));
        let (said, length) = (seen.text(), seen.text().len() + 1);
        let body = format!("{length:x}\r\n{said}!\r\n0\r\n\r\n");
        stream.write_all(body.as_bytes())?;
        Ok(Then::Keep)
    });
    let gateway = both(&backend.url());
    for (request, body) in
        [(Request::get("/echo/bad"), "!"), (Request::post("/echo/bad", "sent"), "sent!")]
    {
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.text(), answer.end), (200, body, End::Whole));
    }
}

#[test]
fn an_answer_that_is_no_http_is_a_500_and_its_connection_is_not_used_again() {
    let wrong: [&[u8]; 8] = [
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n: empty\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ];
    let backend = bad(move |seen, stream| {
        let nth: usize = seen.target.trim_start_matches("/bad").parse().unwrap();
        stream.write_all(wrong[nth])?;
        Ok(Then::Keep)
    });
    let gateway = both(&backend.url());
    for api in ["echo", "held"] {
        for (nth, bytes) in wrong.iter().enumerate() {
            let path = format!("/{api}/bad{nth}");
            let mut client = gateway.client();
            let answer = client.ask(&Request::get(&path));
            let sent = String::from_utf8_lossy(bytes);
            assert!(
                500 <= answer.status || answer.end == End::Broken,
                "{api}: {sent:?} became {answer:?}"
            );
            is_fine(&gateway);
        }
    }
}

#[test]
fn bytes_after_an_answer_belong_to_nobody() {
    let backend = bad(|_seen, stream| {
        let mut bytes = reply(200, &[], "right");
        bytes.extend(reply(200, &[("X-Stray", "1")], "stray"));
        stream.write_all(&bytes)?;
        Ok(Then::Keep)
    });
    let gateway = both(&backend.url());
    for path in ["/echo/bad", "/held/bad"] {
        for _ in 0..3 {
            assert_eq!(gateway.get(path).text(), "right");
            is_fine(&gateway);
        }
    }
}

#[test]
fn hints_before_an_answer_are_passed_on_in_moderation() {
    let backend = bad(|seen, stream| {
        let hints = seen.target.trim_start_matches("/bad").parse::<usize>().unwrap();
        for _ in 0..hints {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")?;
        }
        stream.write_all(&reply(200, &[], "final"))?;
        Ok(Then::Keep)
    });
    let gateway = both(&backend.url());
    let few = gateway.get("/echo/bad2");
    assert_eq!((few.status, few.before.len(), few.text()), (200, 2, "final"));
    let mut client = gateway.client();
    client.send(Request::get("/echo/bad2000").bytes());
    let many = client.try_answer();
    let passed = many.as_ref().map_or(0, |answer| answer.before.len());
    assert!(passed <= 8, "{passed} were passed on");
    assert!(many.is_none_or(|answer| 500 <= answer.status));
    is_fine(&gateway);
}

#[test]
fn a_backend_that_answers_early_does_not_spoil_its_connection() {
    let backend = Backend::raw(|mut stream, connection| {
        let mut head = Vec::new();
        let mut byte = [0_u8; 1];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        stream.write_all(&reply(413, &[], &connection.to_string()))?;
        // The body of the request is never read as the next request.
        let mut piece = [0_u8; 4096];
        while stream.read(&mut piece)? != 0 {}
        Ok(())
    });
    let gateway = both(&backend.url());
    let mut client = gateway.client();
    client.send("POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegin");
    assert_eq!(client.answer().status, 413);
    drop(client);
    let second = gateway.get("/echo/b");
    assert_eq!((second.status, second.text()), (413, "2"));
}

#[test]
fn a_client_that_leaves_does_not_keep_its_backend_busy() {
    let backend = bad(|_seen, stream| {
        let piece = [b'x'; 4096];
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        // Ends with an error once the gateway has closed the connection.
        loop {
            stream.write_all(&piece)?;
        }
    });
    let gateway = both(&backend.url());
    let mut client = gateway.client();
    client.send(Request::get("/echo/bad").bytes());
    assert_eq!(client.head().unwrap().line, "HTTP/1.1 200 OK");
    drop(client);
    let idle = crate::harness::soon(|| {
        // The question itself is no request of the data plane.
        (gateway.status()["requestsInFlight"] == 0).then_some(())
    });
    assert!(idle.is_some(), "the request of a client that left goes on for ever");
    is_fine(&gateway);
}
