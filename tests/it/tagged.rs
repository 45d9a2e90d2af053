//! Nobody ever gets what was meant for somebody else: requests with tags by the hundred thousand, to
//! a backend in Python that frames its responses wrongly in every way it knows.
//!
//! All clients share the gateway's connections to it, so whatever a response leaves on one of them
//! stands in the way of somebody else's.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::harness::tls::Authority;
use crate::harness::{Client, Gateway, Policies, Request};

/// How many requests there are, over all clients.
const REQUESTS: usize = 100_000;
/// How many over TLS, where each connection that is spoilt costs a handshake.
const SECURE_REQUESTS: usize = 30_000;
/// A body that is passed on while it arrives, over a connection that Pingora is lent where there is TLS.
const LONG: usize = 80 << 10;
/// How many clients.
const CLIENTS: usize = 8;
/// Of a hundred requests so many are answered in a wrong way.
const SHARE: usize = 20;

/// `tests/peers/careless.py`. It ends when the value does.
struct Careless {
    child: Child,
    port: u16,
}

impl Careless {
    fn start(share: usize, secure: &[PathBuf]) -> Self {
        let mut child = Command::new("python3")
            .args(["tests/peers/careless.py", &share.to_string()])
            .args(secure)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let port = line.trim().parse().unwrap_or_else(|_none| panic!("no port: {line}"));
        Self { child, port }
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of requests.
#[derive(Debug, Default)]
struct Told {
    whole: usize,
    /// They ended before their end, visibly.
    broken: usize,
    /// The gateway said that there is no answer.
    refused: usize,
}

/// One client: asks, and looks at what comes.
fn ask(address: SocketAddr, number: usize, (next, requests): (&AtomicUsize, usize)) -> Told {
    let (mut told, mut client) = (Told::default(), Client::connect(address));
    loop {
        let count = next.fetch_add(1, Ordering::Relaxed);
        if requests <= count {
            return told;
        }
        let tag = format!("c{number}-{count}");
        let target = format!("/echo/{tag}");
        let bytes = match count % 10 {
            0 if count % 100 == 0 => Request::post(&target, "x".repeat(LONG)).bytes(),
            0 => Request::post(&target, "x".repeat(count % 5_000)).bytes(),
            // Both directions at once.
            1 => format!(
                "POST {target} HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\n\r\n"
            )
            .into_bytes(),
            2 => Request::new("PUT", &target).bytes(),
            _ => Request::get(&target).bytes(),
        };
        let answer = if client.offer(&bytes) { client.try_answer() } else { None };
        let Some(answer) = answer else {
            told.broken += 1;
            client = Client::connect(address);
            continue;
        };
        let (text, own) = (String::from_utf8_lossy(&answer.body), format!("tag:{tag};"));
        match answer.status {
            // What is shorter than it should be said so itself.
            200 if own == text => told.whole += 1,
            204 | 304 if text.is_empty() => told.whole += 1,
            500 | 502 | 503 if !text.contains("tag:") && !text.contains("STRANGER") => {
                told.refused += 1;
            }
            status => panic!("{tag}: {status} {text}"),
        }
        if answer.field("Connection").is_some_and(|it| it.eq_ignore_ascii_case("close")) {
            client = Client::connect(address);
        }
    }
}

/// Asks with all clients.
fn ask_all(gateway: &Gateway, requests: usize) -> Told {
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (next, address) = (Arc::clone(&next), gateway.http);
            thread::spawn(move || ask(address, number, (&next, requests)))
        })
        .collect();
    let mut all = Told::default();
    for client in clients {
        let told = client.join().expect("nobody got what was meant for somebody else");
        all.whole += told.whole;
        all.broken += told.broken;
        all.refused += told.refused;
    }
    all
}

/// Asks so often, and looks at all that came of it and at what is left.
fn judge(gateway: &Gateway, requests: usize) -> Told {
    let told = ask_all(gateway, requests);
    assert_eq!(told.whole + told.broken + told.refused, requests, "{told:?}");
    // All that was framed rightly came, but for what is not sent twice over a connection that ended.
    let right = requests * (100 - SHARE) / 100;
    assert!(right * 98 / 100 <= told.whole, "{told:?}");
    assert!(0 < told.broken && 0 < told.refused, "{told:?}");
    // And nothing of it is left.
    for count in 0..50 {
        let answer = gateway.get(&format!("/echo/c-last-{count}"));
        if answer.status == 200 {
            assert_eq!(answer.text(), format!("tag:c-last-{count};"));
        }
    }
    told
}

#[test]
fn nobody_gets_the_answer_of_somebody_else() {
    let backend = Careless::start(SHARE, &[]);
    let gateway = Gateway::start(|site| {
        let url = format!("http://127.0.0.1:{}", backend.port);
        site.open_api("echo", &url, Policies::default());
    });
    println!("{:?}", judge(&gateway, REQUESTS));
}

#[test]
fn nor_over_tls() {
    let authority = Authority::new();
    let mut backend = None;
    let gateway = Gateway::start(|site| {
        let issued = authority.issue("localhost");
        let files =
            [site.file("certificate.pem", &issued.certificate), site.file("key.pem", &issued.key)];
        let started = backend.insert(Careless::start(SHARE, &files));
        let pem = site.file("authority.pem", authority.certificate());
        site.yaml(format!(
            "backends:\n  - id: careless\n    url: https://localhost:{}\n    tls: \
             {{certificateAuthorities: {{file: '{}'}}}}\n",
            started.port,
            pem.display()
        ));
        let inbound = "<set-backend-service backend-id=\"careless\" />";
        let policies = Policies { inbound, ..Policies::default() };
        site.open_api("echo", "http://127.0.0.1:1", policies);
    });
    println!("{:?}", judge(&gateway, SECURE_REQUESTS));
}
