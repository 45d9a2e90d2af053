//! Certificates of clients, both ways: those that the gateway shows to backends, and those that its
//! own clients show.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::ssl::SslRef;

use crate::harness::http2::Http2;
use crate::harness::message::Reader;
use crate::harness::tls::Authority;
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site};

/// Answers with what the certificate of the client says of its host name, and the number of the
/// connection.
fn demanding(authority: &Authority) -> Backend {
    let acceptor = authority.demanding("localhost");
    Backend::raw(move |stream, number| {
        let stream = acceptor.accept(stream).map_err(std::io::Error::other)?;
        let who = name(stream.ssl());
        let mut reader = Reader::new(stream);
        while let Some(head) = reader.head() {
            reader.body(&head, false);
            let text = format!("{who} on {number}");
            let length = text.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
            reader.stream().write_all(answer.as_bytes())?;
        }
        Ok(())
    })
}

fn name(ssl: &SslRef) -> String {
    let certificate = ssl.peer_certificate().expect("it is demanded");
    let names = certificate.subject_alt_names().expect("names");
    names[0].dnsname().expect("a host").to_owned()
}

#[test]
fn each_backend_connection_shows_one_certificate_and_serves_nobody_else() {
    let authority = Authority::new();
    let backend = demanding(&authority);
    let url = format!("https://localhost:{}", backend.port());
    let gateway = Gateway::start(|site| {
        let pem = site.file("authority.pem", authority.certificate());
        site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
        let mut certificates = String::from("certificates:\n");
        for id in ["alice", "bob"] {
            let issued = authority.issue(id);
            site.file(&format!("{id}.crt"), issued.certificate);
            site.file(&format!("{id}.key"), issued.key);
            let item = [
                format!("  - id: {id}\n"),
                format!("    certificate: {{file: {id}.crt}}\n    key: {{file: {id}.key}}\n"),
            ];
            certificates.extend(item);
            let inbound = format!("<authentication-certificate certificate-id=\"{id}\" />");
            let policies = Policies { inbound: &inbound, ..Policies::default() };
            site.open_api(id, &url, policies);
        }
        site.yaml(certificates);
        site.open_api("nobody", &url, Policies::default());
    });
    let long = "x".repeat(100_000);
    for _ in 0..3 {
        for id in ["alice", "bob"] {
            let short = gateway.get(&format!("/{id}/a"));
            assert_eq!((short.status, short.text().split(' ').next()), (200, Some(id)));
            // A long body goes another way, over connections of another pool.
            let streamed = gateway.client().ask(&Request::post(&format!("/{id}/a"), &long));
            assert_eq!((streamed.status, streamed.text().split(' ').next()), (200, Some(id)));
        }
        assert_eq!(gateway.get("/nobody/a").status, 500);
    }
    // Connections are kept nevertheless: one of each way for each of the two.
    let last = gateway.get("/alice/a").text().to_owned();
    assert_eq!(gateway.get("/alice/a").text(), last);
}

fn asking(site: &mut Site, authority: &Authority) {
    site.set("listen-https", "127.0.0.1:0");
    let usual = authority.issue("gateway.example");
    for (flag, name, text) in [
        ("listen-certificate-file", "tls/gateway.crt", usual.certificate),
        ("listen-key-file", "tls/gateway.key", usual.key),
        ("listen-client-authorities-file", "tls/clients.pem", authority.certificate()),
    ] {
        let path = site.file(name, text);
        site.set(flag, path.to_str().unwrap());
    }
    site.set("listen-client-certificates", "request");
}

const WHO: &str = "<return-response><set-body>@(context.Request.Certificate == null ? \"nobody\" : \
                   context.Request.Certificate.GetNameInfo(X509NameType.DnsName, false))\
                   </set-body></return-response>";

#[test]
fn a_client_is_known_by_the_certificate_of_its_own_connection() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let judged = format!(
        "<validate-client-certificate validate-revocation=\"false\"><identities>\
         <identity dns-name=\"alice\" /></identities></validate-client-certificate>{WHO}"
    );
    let gateway = Gateway::start(|site| {
        asking(site, &authority);
        for (id, inbound) in [("who", WHO), ("judged", judged.as_str())] {
            let policies = Policies { inbound, ..Policies::default() };
            site.open_api(id, "http://localhost:1", policies);
        }
    });
    let https = gateway.https.unwrap();
    let of = |id: &str| authority.showing(&authority.issue(id));
    let foreign = authority.showing(&stranger.issue("alice"));
    let clients = [
        (of("alice"), "alice", 200),
        (of("bob"), "bob", 403),
        (foreign, "alice", 403),
        (authority.clone(), "nobody", 403),
    ];
    let host = "gateway.example";
    let open = |(authority, who, status): &(Authority, &'static str, u16)| {
        let plain = Client::tls(https, host, authority, &["http/1.1"]);
        (plain, Http2::tls(https, host, authority), *who, *status)
    };
    let mut open: Vec<_> = clients.iter().map(open).collect();
    // All connections stand at the same time, and are used in turns.
    for _ in 0..3 {
        for (plain, modern, who, status) in &mut open {
            assert_eq!(plain.ask(&Request::get("/who/a").host(host)).text(), *who);
            let get = |path: &str| {
                let uri = format!("https://{host}{path}");
                http::Request::get(uri).body(()).unwrap()
            };
            assert_eq!(modern.ask(get("/who/a"), None).unwrap().body, who.as_bytes());
            assert_eq!(plain.ask(&Request::get("/judged/a").host(host)).status, *status);
            assert_eq!(modern.ask(get("/judged/a"), None).unwrap().status.as_u16(), *status);
        }
    }
    assert_eq!(gateway.get("/who/a").text(), "nobody", "in the clear there is none");
}

#[test]
fn a_proxy_in_front_passes_a_certificate_on_only_if_it_is_trusted() {
    let issued = Authority::new().issue("alice");
    let der = openssl::x509::X509::from_pem(&issued.certificate).unwrap().to_der().unwrap();
    let field = STANDARD.encode(der);
    for (trusted, who) in [("127.0.0.0/8", "alice"), ("10.0.0.0/8", "nobody")] {
        let gateway = Gateway::start(|site| {
            site.set("forwarded-trusted", trusted);
            site.set("forwarded-client-certificate", "X-ARR-ClientCert");
            let policies = Policies { inbound: WHO, ..Policies::default() };
            site.open_api("who", "http://localhost:1", policies);
        });
        let request = Request::get("/who/a").field("X-ARR-ClientCert", &field);
        assert_eq!(gateway.client().ask(&request).text(), who);
        let twice = request.field("X-ARR-ClientCert", &field);
        assert_eq!(gateway.client().ask(&twice).text(), "nobody");
    }
}
