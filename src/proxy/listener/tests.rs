//! Real sockets on loopback; Pingora's proxy around a stand-in that answers each request itself.

use super::*;
use crate::problem::Problem;
use crate::proxy::guard::Rules;
use crate::proxy::strict::HeadBounds;
use crate::route::host::Pattern;
use crate::snapshot::HostCertificate;
use async_trait::async_trait;
use bytes::Bytes;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509Name};
use pingora::http::ResponseHeader;
use pingora::proxy::{Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::time::Instant;
use tokio::sync::watch;

#[derive(Clone)]
struct Echo;

#[async_trait]
impl ProxyHttp for Echo {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        session.set_keepalive(Some(30));
        let mut body = Vec::new();
        while let Some(piece) = session.read_request_body().await? {
            body.extend_from_slice(&piece);
        }
        let mut head = ResponseHeader::build(200, None)?;
        head.insert_header("content-length", body.len())?;
        session.write_response_header(Box::new(head), false).await?;
        session.write_response_body(Some(Bytes::from(body)), true).await?;
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        (): &mut (),
    ) -> pingora::Result<Box<HttpPeer>> {
        pingora::Error::e_explain(pingora::ErrorType::InternalError, "nothing is forwarded")
    }
}

struct Served {
    http: SocketAddr,
    https: SocketAddr,
    connections: Arc<Connections>,
    shutdown: watch::Sender<bool>,
    runtime: tokio::runtime::Runtime,
    task: tokio::task::JoinHandle<()>,
}

fn loopback() -> Bound {
    Bound::take(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

fn serve(h2c: bool, connections_max: usize, time_max: Duration, terms: Terms) -> Served {
    let (clear, secure) = (loopback(), loopback());
    let (http, https) = (clear.address(), secure.address());
    let plan = Plan {
        http: Some(clear),
        https: Some((secure, terms)),
        h2c,
        connections_max,
        rules: Rules {
            bounds: HeadBounds::default(),
            time_max,
            witness: Arc::new(|_problem: &Problem, _peer| ()),
        },
    };
    let named = certificate("named.example");
    let find = Box::new(move |host: &str| {
        (host == "named.example").then(|| HostCertificate {
            host: Pattern::parse("named.example").unwrap(),
            chain: named.chain.clone(),
            key: named.key.clone(),
        })
    });
    let make = Box::new(|echo| http_proxy(&Arc::new(ServerConf::default()), echo));
    let listener = Listener::build(plan, Echo, make, find).unwrap();
    let connections = Arc::clone(listener.connections());
    let (shutdown, watch) = watch::channel(false);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = runtime.spawn(listener.serve(watch));
    Served { http, https, connections, shutdown, runtime, task }
}

fn served() -> Served {
    let terms = Terms { certificate: Some(certificate("default.example")), ..Terms::default() };
    serve(false, 100, Duration::from_secs(5), terms)
}

fn certificate(host: &str) -> Certificate {
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let key = PKey::from_rsa(rsa).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", host).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Certificate { chain: vec![builder.build()], key }
}

fn connect(address: SocketAddr) -> Client {
    let client = Client::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

fn hello(
    address: SocketAddr,
    host: &str,
    protocols: &[u8],
    newest: SslVersion,
) -> Result<SslStream<Client>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    builder.set_max_proto_version(Some(newest)).unwrap();
    if !protocols.is_empty() {
        builder.set_alpn_protos(protocols).unwrap();
    }
    let mut setup = builder.build().configure().unwrap();
    setup.set_verify_hostname(false);
    setup.connect(host, connect(address)).map_err(|error| error.to_string())
}

fn shown(stream: &SslStream<Client>) -> String {
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name = certificate.subject_name().entries().next().unwrap();
    String::from_utf8(name.data().as_slice().to_vec()).unwrap()
}

fn until_closed(client: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // A reset is a way to be closed too.
    let _ = client.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn exchange(client: &mut (impl Read + Write), request: &[u8]) -> String {
    client.write_all(request).unwrap();
    let mut bytes = [0; 4096];
    let count = client.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\0 \n";

#[test]
fn requests_follow_one_another_on_a_connection() {
    let served = served();
    let mut plain = connect(served.http);
    let mut secure = hello(served.https, "a", b"", SslVersion::TLS1_3).unwrap();
    for _ in 0..3 {
        for request in [GET, POST] {
            assert!(exchange(&mut plain, request).starts_with("HTTP/1.1 200 OK\r\n"));
            assert!(exchange(&mut secure, request).starts_with("HTTP/1.1 200 OK\r\n"));
        }
    }
    let answer = exchange(&mut plain, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(until_closed(&mut plain), "");
    let answer = exchange(&mut secure, b"GET / HTTP/1.1\nHost: a\n\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_body_that_nobody_read_is_not_taken_for_a_head() {
    let served = served();
    let mut client = connect(served.http);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head).unwrap();
    client.write_all(b"3\r\na\nb\r\n0\r\n\r\n").unwrap();
    let answer = exchange(&mut client, b"");
    assert!(answer.ends_with("a\nb"), "{answer}");
    assert!(exchange(&mut client, GET).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_request_that_is_read_twice_is_whole_however_it_comes_in_pieces() {
    let served = served();
    let mut client = connect(served.http);
    client.set_nodelay(true).unwrap();
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\n\0 \n\r\n0\r\n\r\n";
    for request in [POST, chunked] {
        for cut in 1..request.len() {
            let (begin, rest) = request.split_at(cut);
            client.write_all(begin).unwrap();
            std::thread::sleep(Duration::from_millis(1));
            let answer = exchange(&mut client, rest);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{cut}: {answer}");
            assert!(answer.ends_with("\r\n\r\n\n\0 \n"), "{cut}: {answer}");
            assert!(exchange(&mut client, GET).starts_with("HTTP/1.1 200 OK\r\n"), "{cut}");
        }
    }
}

#[test]
fn the_host_asked_for_decides_the_certificate() {
    let served = served();
    for (host, wanted) in [("named.example", "named.example"), ("other.example", "default.example")]
    {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            assert_eq!(shown(&hello(served.https, host, b"", version).unwrap()), wanted);
        }
    }
    assert!(hello(served.https, "a", b"", SslVersion::TLS1_1).is_err());
    // A protocol that nobody speaks here.
    assert!(hello(served.https, "a", b"\x04spdy", SslVersion::TLS1_3).is_err());
    let strict = serve(false, 10, Duration::from_secs(5), Terms::default());
    assert!(hello(strict.https, "other.example", b"", SslVersion::TLS1_3).is_err());
    assert!(hello(strict.https, "named.example", b"", SslVersion::TLS1_3).is_ok());
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(strict.connections.handshakes_failed(), 1);
}

#[test]
fn terms_that_cannot_be_kept_are_refused() {
    let build = |terms: Terms| tls::Door::new(&terms, Box::new(|_host| None)).map(|_door| ());
    let ciphers = Some("NO-SUCH-CIPHER".to_owned());
    let refused = build(Terms { ciphers: ciphers.clone(), ..Terms::default() });
    assert!(matches!(refused, Err(TlsError::Ciphers(..))));
    let refused = build(Terms { suites: ciphers, ..Terms::default() });
    assert!(matches!(refused, Err(TlsError::Suites(..))));
    let mixed = Certificate { key: certificate("a").key, ..certificate("b") };
    let refused = build(Terms { certificate: Some(mixed), ..Terms::default() });
    assert!(matches!(refused, Err(TlsError::Key)));
}

#[test]
fn http2_is_spoken_by_alpn_and_by_prior_knowledge() {
    let terms = Terms { certificate: Some(certificate("a")), ..Terms::default() };
    let served = serve(true, 100, Duration::from_secs(5), terms);
    let both = b"\x08http/1.1\x02h2";
    let mut secure = hello(served.https, "a", both, SslVersion::TLS1_3).unwrap();
    assert_eq!(secure.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(http2(&mut secure), 0x88);
    let mut plain = connect(served.http);
    assert_eq!(http2(&mut plain), 0x88);
    // A request shorter than the preface is not kept waiting, nor is any other.
    let mut short = connect(served.http);
    assert!(exchange(&mut short, b"GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    let mut other = connect(served.http);
    assert!(exchange(&mut other, POST).starts_with("HTTP/1.1 200 OK\r\n"));
}

/// Asks for `/` in HTTP/2; the first byte of the answer's header block: 0x88 is `:status: 200`.
fn http2(client: &mut (impl Read + Write)) -> u8 {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"\0\0\0\x04\0\0\0\0\0");
    // HEADERS, END_STREAM and END_HEADERS, stream 1: GET, http, /, authority `a`.
    bytes.extend_from_slice(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a");
    client.write_all(&bytes).unwrap();
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        client.read_exact(&mut payload).unwrap();
        if head[3] == 1 {
            return payload[0];
        }
    }
}

#[test]
fn a_client_that_drips_is_answered_and_closed() {
    let terms = Terms { certificate: Some(certificate("a")), ..Terms::default() };
    let served = serve(false, 100, Duration::from_millis(200), terms);
    let mut client = connect(served.http);
    // Also on a connection that has served a request.
    assert!(exchange(&mut client, GET).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut dripping = client.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        while dripping.write_all(b"G").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    #[expect(clippy::disallowed_methods, reason = "the test measures")]
    let started = Instant::now();
    let answer = until_closed(&mut client);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(10));
    drip.join().unwrap();
    let mut silent = connect(served.http);
    assert_eq!(until_closed(&mut silent), "");
    let mut silent = hello(served.https, "a", b"\x02h2", SslVersion::TLS1_3).unwrap();
    until_closed(&mut silent);
}

#[test]
fn who_comes_when_all_seats_are_taken_is_turned_away() {
    let served = serve(false, 5, Duration::from_secs(5), Terms::default());
    let mut clients: Vec<_> = (0..6).map(|_| connect(served.http)).collect();
    let answers: Vec<_> = clients
        .iter_mut()
        .map(|client| {
            let _ = client.write_all(GET);
            let mut byte = [0; 1];
            client.read(&mut byte).unwrap_or(0)
        })
        .collect();
    assert_eq!(answers, [1, 1, 1, 1, 1, 0]);
    assert_eq!((served.connections.open(), served.connections.turned_away()), (5, 1));
    drop(clients);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(served.connections.open(), 0);
    assert!(exchange(&mut connect(served.http), GET).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn the_service_ends_when_its_clients_have_gone() {
    let served = served();
    let mut client = connect(served.http);
    assert!(exchange(&mut client, GET).starts_with("HTTP/1.1 200 OK\r\n"));
    served.shutdown.send(true).unwrap();
    let task = served.task;
    served.runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(2), task).await.unwrap().unwrap();
    });
    assert_eq!(until_closed(&mut client), "");
    assert!(Client::connect(served.http).is_err());
}
