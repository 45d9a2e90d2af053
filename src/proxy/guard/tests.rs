//! A guarded stream passes on what comes in time, and ends what does not.

use super::*;
use pingora::protocols::Peek;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Told(Arc<Mutex<Vec<&'static str>>>);

fn guarded(time_max: Duration, is_http2: bool) -> (DuplexStream, Guarded, Told) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&told);
    let rules = Rules {
        bounds: HeadBounds::default(),
        time_max,
        witness: Arc::new(move |problem, _peer| note.lock().unwrap().push(problem.reason)),
    };
    let (client, server) = tokio::io::duplex(256 * 1024);
    (client, Guarded::new(Box::new(server), Arc::new(rules), is_http2), Told(told))
}

async fn read(stream: &mut Guarded) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.unwrap();
    bytes.truncate(count);
    bytes
}

impl Told {
    fn reasons(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_head_in_one_piece_goes_straight_through() {
    let (mut client, mut server, told) = guarded(HEAD_TIME_MAX, false);
    client.write_all(&[HEAD, b"body\n"].concat()).await.unwrap();
    assert_eq!(read(&mut server).await, [HEAD, b"body\n"].concat());
    assert!(server.late.is_none() && server.held.is_empty());
    client.write_all(b"\0anything\n\n").await.unwrap();
    assert_eq!(read(&mut server).await, b"\0anything\n\n");
    assert!(told.reasons().is_empty());
}

#[tokio::test]
async fn a_head_in_pieces_is_passed_on_whole() {
    let (mut client, mut server, _told) = guarded(HEAD_TIME_MAX, false);
    for _ in 0..2 {
        server.next.store(true, Ordering::Relaxed);
        let drip = async {
            for byte in HEAD {
                client.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let ((), got) = tokio::join!(drip, read(&mut server));
        assert_eq!(got, HEAD);
    }
}

#[tokio::test]
async fn a_large_head_is_passed_on_as_far_as_there_is_room() {
    let (mut client, mut server, _told) = guarded(HEAD_TIME_MAX, false);
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    client.write_all(head.as_bytes()).await.unwrap();
    let mut got = vec![0; head.len()];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(got, head.as_bytes());
    client.write_all(b"body").await.unwrap();
    assert_eq!(read(&mut server).await, b"body");
}

#[tokio::test]
async fn what_is_refused_is_answered_and_pingora_sees_nothing_of_it() {
    let (mut client, mut server, told) = guarded(HEAD_TIME_MAX, false);
    client.write_all(b"GET / HTTP/1.1\nHost: a\n\n").await.unwrap();
    let mut answer = String::new();
    let (rest, ()) = tokio::join!(read(&mut server), async {
        let mut bytes = [0; 1024];
        let count = client.read(&mut bytes).await.unwrap();
        answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        drop(client);
    });
    assert!(rest.is_empty());
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("Content-Type: application/problem+json\r\n"), "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    assert!(answer.contains("\"reason\":\"line_invalid\""), "{answer}");
    assert_eq!(told.reasons(), ["line_invalid"]);
}

#[tokio::test]
async fn the_next_head_is_judged_like_the_first() {
    let (mut client, mut server, told) = guarded(HEAD_TIME_MAX, false);
    client.write_all(HEAD).await.unwrap();
    assert_eq!(read(&mut server).await, HEAD);
    server.next.store(true, Ordering::Relaxed);
    client.write_all(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read(&mut server).await.is_empty());
    assert_eq!(told.reasons(), ["line_invalid"]);
}

#[tokio::test]
async fn a_head_that_drips_is_late() {
    let (mut client, mut server, told) = guarded(Duration::from_millis(40), false);
    let drip = async {
        for _ in 0..1000 {
            if client.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        rest = read(&mut server) => assert!(rest.is_empty()),
        () = drip => panic!("nobody was late"),
    }
    assert_eq!(told.reasons(), ["head_too_slow"]);
}

#[tokio::test]
async fn who_says_nothing_is_let_go_without_a_word() {
    for is_http2 in [false, true] {
        let (mut client, mut server, told) = guarded(Duration::from_millis(20), is_http2);
        assert!(server.read(&mut [0; 8]).await.is_err());
        drop(server);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(told.reasons().is_empty());
    }
}

#[tokio::test]
async fn between_two_requests_nothing_is_late() {
    let (mut client, mut server, _told) = guarded(Duration::from_millis(10), false);
    client.write_all(HEAD).await.unwrap();
    assert_eq!(read(&mut server).await, HEAD);
    server.next.store(true, Ordering::Relaxed);
    let later = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        client.write_all(HEAD).await.unwrap();
    };
    let ((), got) = tokio::join!(later, read(&mut server));
    assert_eq!(got, HEAD);
}

#[tokio::test]
async fn frames_are_none_of_the_guards_business() {
    let (mut client, mut server, _told) = guarded(Duration::from_millis(30), true);
    client.write_all(&PREFACE[..9]).await.unwrap();
    assert_eq!(read(&mut server).await, &PREFACE[..9]);
    client.write_all(&PREFACE[9..]).await.unwrap();
    assert_eq!(read(&mut server).await, &PREFACE[9..]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    client.write_all(b"\0\0\n").await.unwrap();
    assert_eq!(read(&mut server).await, b"\0\0\n");
}

#[tokio::test]
async fn a_short_request_is_told_from_http2_at_its_first_different_byte() {
    let (mut client, mut server, _told) = guarded(HEAD_TIME_MAX, false);
    let short = b"PUT / HTTP/1.0\r\n\r\n";
    client.write_all(short).await.unwrap();
    let mut peeked = [0; 24];
    assert!(server.try_peek(&mut peeked).await.unwrap());
    assert_ne!(peeked, PREFACE);
    assert_eq!(read(&mut server).await, short);

    let (mut client, mut server, _told) = guarded(HEAD_TIME_MAX, false);
    client.write_all(&[PREFACE, b"frames"].concat()).await.unwrap();
    assert!(server.try_peek(&mut peeked).await.unwrap());
    assert_eq!(peeked, PREFACE);
    let mut got = [0; 30];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(got, *[PREFACE, b"frames"].concat());
}

#[tokio::test]
async fn who_is_told_all_while_it_sends_is_heard_to_its_end() {
    let (mut client, mut server, _told) = guarded(HEAD_TIME_MAX, false);
    client.write_all(HEAD).await.unwrap();
    assert_eq!(read(&mut server).await, HEAD);
    let talks = async {
        // More than lies in between, so that somebody must read it.
        client.write_all(&vec![0; 600 * 1024]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        drop(client);
        answer
    };
    let answers = async {
        server.write_all(b"no").await.unwrap();
        AsyncWriteExt::shutdown(&mut server).await.unwrap();
        drop(server);
    };
    let (answer, ()) = tokio::join!(talks, answers);
    assert_eq!(answer, b"no");
}
