//! TLS with backends: who is trusted, what is asked for, and what is said of those who are refused, by
//! whichever way a request goes.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use openssl::ssl::{
    NameType, SslAcceptor, SslOptions, SslVerifyMode, SslVersion, select_next_proto,
};

use crate::harness::message::Reader;
use crate::harness::tls::Authority;
use crate::harness::{Backend, Gateway, Policies, Request, Site, reply};

/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A server over TLS that answers with the number of the connection, and where `/none` is asked for with
/// nothing.
struct Server {
    listening: Backend,
    /// The names that were asked for.
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    fn of(acceptor: SslAcceptor) -> Self {
        let names = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&names);
        let listening = Backend::raw(move |tcp, number| {
            let stream = acceptor.accept(tcp).map_err(std::io::Error::other)?;
            let name = stream.ssl().servername(NameType::HOST_NAME).map(str::to_owned);
            kept.lock().expect("the names").push(name);
            let mut reader = Reader::new(stream);
            while let Some(head) = reader.head() {
                reader.body(&head, false);
                let nothing = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
                let answer = if head.line.contains("/none ") {
                    nothing
                } else {
                    reply(200, &[], &number.to_string())
                };
                reader.stream().write_all(&answer)?;
            }
            Ok(())
        });
        Self { listening, names }
    }

    fn port(&self) -> u16 {
        self.listening.port()
    }

    fn names(&self) -> Vec<Option<String>> {
        self.names.lock().expect("the names").clone()
    }
}

/// A body that is passed on while it arrives.
fn long() -> Vec<u8> {
    vec![b'x'; 200 << 10]
}

/// The YAML of a backend `id` at `port` with `more` in it.
fn backend(id: &str, port: u16, more: &str) -> String {
    format!("  - id: {id}\n    url: https://localhost:{port}\n{more}")
}

/// Trusts `authority` by a file with that name, and says `more` of `tls`.
fn trusting(site: &mut Site, (name, authority): (&str, &Authority), more: &str) -> String {
    let pem = site.file(name, authority.certificate());
    format!("    tls: {{certificateAuthorities: {{file: '{}'}}{more}}}\n", pem.display())
}

/// A gateway whose requests go to the backend that `X-Backend` names, else to `own`.
fn gateway(write: impl FnOnce(&mut Site) -> String) -> Gateway {
    Gateway::start(|site| {
        site.set("log-level", "all");
        site.set("log-access", "all");
        let backends = write(site);
        site.yaml(format!("backends:\n{backends}"));
        let inbound = "<choose><when condition=\"@(context.Request.Headers.ContainsKey(&quot;X-Other\
                       &quot;))\"><set-backend-service backend-id=\"other\" /></when>\
                       <otherwise><set-backend-service backend-id=\"own\" /></otherwise></choose>";
        let inbound = if backends.contains("id: other") {
            inbound
        } else {
            "<set-backend-service backend-id=\"own\" />"
        };
        let policies = Policies { inbound, on_error: WHY, ..Policies::default() };
        site.open_api("echo", "http://127.0.0.1:1", policies);
    })
}

/// Asks in every way there is, which must come to the same: these words in what the policies and the log
/// are told, and nobody else.
fn refused(gateway: &Gateway, words: &[&str]) {
    for request in [Request::get("/echo/get"), Request::post("/echo/post", long())] {
        let answer = gateway.ask(&request);
        assert_eq!(answer.status, 500, "{}", answer.text());
        let why = answer.field("X-Why").unwrap_or_default();
        assert!(why.starts_with("BackendConnectionFailure: "), "{why}");
        for word in words {
            assert!(why.contains(word), "{word} in {why}: {request:?}");
            assert!(!answer.text().contains(word), "{}", answer.text());
        }
    }
    for path in ["/echo/get", "/echo/post"] {
        let record = gateway.record(path).to_string();
        for word in words {
            assert!(record.contains(word), "{word} in {record}");
        }
    }
}

/// A gateway before `acceptor`, which trusts `authority` and says `more`, in either HTTP.
fn each(acceptor: impl Fn() -> SslAcceptor, authority: &Authority, more: &str, words: &[&str]) {
    for version in ["1", "2", "2or1"] {
        let server = Server::of(acceptor());
        let gateway = gateway(|site| {
            let tls = trusting(site, ("one.pem", authority), more);
            let version = format!("    httpVersion: \"{version}\"\n");
            backend("own", server.port(), &format!("{tls}{version}"))
        });
        refused(&gateway, words);
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_precisely() {
    let (one, other) = (Authority::new(), Authority::new());
    let expired = one.issue_until("localhost", -3);
    each(|| Authority::serving(&expired).build(), &one, "", &["`CN=localhost`", "expired at 2"]);
    each(
        || one.acceptor("elsewhere.example"),
        &one,
        "",
        &["is not for `localhost`, but for `elsewhere.example`"],
    );
    each(
        || one.acceptor("localhost"),
        &other,
        "",
        &["was issued by `CN=authority ", "who is not known here"],
    );
    // The name counts also where the issuer does not.
    let server = Server::of(one.acceptor("elsewhere.example"));
    let lax = gateway(|_site| {
        let tls = "    tls: {validateCertificateChain: false}\n";
        backend("own", server.port(), tls)
    });
    refused(&lax, &["but for `elsewhere.example`"]);
    let lax = gateway(|_site| {
        let tls = "    tls: {validateCertificateChain: false, serverName: Elsewhere.Example}\n";
        backend("own", server.port(), tls)
    });
    assert_eq!(lax.get("/echo/a").status, 200);
    assert_eq!(lax.ask(&Request::post("/echo/a", long())).status, 200);
}

#[test]
fn what_a_backend_does_not_agree_to_is_told_precisely() {
    let one = Authority::new();
    let old = || {
        let mut builder = one.server("localhost");
        builder.set_security_level(0);
        builder.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
        builder.set_min_proto_version(Some(SslVersion::TLS1)).expect("a version");
        builder.set_max_proto_version(Some(SslVersion::TLS1_1)).expect("a version");
        builder.set_cipher_list("ALL").expect("ciphers");
        builder.build()
    };
    each(old, &one, "", &["no version of TLS", "TLS 1.2 to 1.3"]);
    let few = || {
        let mut builder = one.server("localhost");
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).expect("a version");
        builder.set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384").expect("ciphers");
        builder.build()
    };
    let ciphers = ", ciphers: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]";
    each(few, &one, ciphers, &["ECDHE-ECDSA-AES128-GCM-SHA256"]);
    // Who asks for it gets it.
    let server = Server::of(old());
    let gateway = gateway(|site| {
        let tls = trusting(site, ("one.pem", &one), ", minVersion: \"1.0\"");
        backend("own", server.port(), &tls)
    });
    assert_eq!(gateway.get("/echo/a").status, 200);
    assert_eq!(gateway.ask(&Request::post("/echo/a", long())).status, 200);
}

#[test]
fn a_backend_that_wants_to_know_who_the_gateway_is_is_shown_it() {
    let one = Authority::new();
    for newest in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let demanding = || {
            let mut builder = one.server("localhost");
            let trusted = openssl::x509::X509::from_pem(&one.certificate()).expect("a certificate");
            builder.cert_store_mut().add_cert(trusted).expect("trust");
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            builder.set_max_proto_version(Some(newest)).expect("a version");
            builder.set_alpn_select_callback(|_ssl, offered| {
                let protocols = b"\x02h2\x08http/1.1";
                select_next_proto(protocols, offered).ok_or(openssl::ssl::AlpnError::NOACK)
            });
            builder.build()
        };
        // With TLS 1.3 it says so behind the handshake, while the request is on its way: what is heard of
        // it then depends on who is faster.
        let is_sure = newest == SslVersion::TLS1_2;
        if is_sure {
            each(demanding, &one, "", &["it wants a certificate of the gateway"]);
        }
        let server = Server::of(demanding());
        let stranger = Authority::new().issue("gateway");
        for (shown, is_known) in [(one.issue("gateway"), true), (stranger, false)] {
            let gateway = gateway(|site| {
                let certificate = site.file("own.crt", &shown.certificate);
                let key = site.file("own.key", &shown.key);
                let tls = trusting(site, ("one.pem", &one), "");
                let own = format!(
                    "    credentials: {{certificate: {{certificateFile: '{}', keyFile: '{}'}}}}\n",
                    certificate.display(),
                    key.display()
                );
                backend("own", server.port(), &format!("{tls}{own}"))
            });
            if is_known {
                assert_eq!(gateway.get("/echo/a").status, 200);
                assert_eq!(gateway.ask(&Request::post("/echo/a", long())).status, 200);
            } else if is_sure {
                let words = ["it refuses the certificate of the gateway", "who issued it"];
                refused(&gateway, &words);
            }
        }
    }
}

#[test]
fn a_backend_that_speaks_no_tls_is_told_as_one() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let plain = Backend::raw(move |mut tcp, _number| {
        let mut first = vec![0; 16 << 10];
        let count = tcp.read(&mut first)?;
        kept.lock().expect("the bytes").extend_from_slice(&first[..count]);
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    });
    let gateway = gateway(|_site| backend("own", plain.port(), ""));
    refused(&gateway, &["it does not speak TLS"]);
    let heard = String::from_utf8_lossy(&heard.lock().expect("the bytes")).into_owned();
    assert!(!heard.contains("/get") && !heard.contains("/post"), "nothing goes out in the clear");
}

#[test]
fn the_name_of_a_server_is_asked_for_and_checked() {
    let one = Authority::new();
    let server = Server::of(one.acceptor("orders.internal"));
    let gateway = gateway(|site| {
        let tls = trusting(site, ("one.pem", &one), ", serverName: orders.internal");
        backend("own", server.port(), &tls)
    });
    for _ in 0..2 {
        assert_eq!(gateway.get("/echo/a").text(), "1");
    }
    for _ in 0..10 {
        assert_eq!(gateway.ask(&Request::post("/echo/a", long())).status, 200);
    }
    let names = server.names();
    assert!(names.iter().all(|name| name.as_deref() == Some("orders.internal")), "{names:?}");
    // The connection is back a moment after the answer, so that some may have missed it.
    assert!(names.len() < 8, "{names:?}");
}

#[test]
fn a_revoked_certificate_is_refused_as_the_settings_say() {
    let one = Authority::new();
    let issued = one.issue("localhost");
    let server = Server::of(Authority::serving(&issued).build());
    let started = |list: &[u8], asked: &str| {
        gateway(|site| {
            let file = site.file("revoked.pem", list);
            site.set("backends-tls-revocation", asked);
            site.set("backends-tls-revocation-files", &file.display().to_string());
            let tls = trusting(site, ("one.pem", &one), "");
            backend("own", server.port(), &tls)
        })
    };
    let other = Authority::new();
    refused(
        &started(&one.revoke(&[&issued]), "listed"),
        &["the certificate of `CN=localhost` was revoked by `CN=authority "],
    );
    assert_eq!(started(&one.revoke(&[]), "required").get("/echo/a").status, 200);
    assert_eq!(started(&other.revoke(&[]), "listed").get("/echo/a").status, 200);
    refused(
        &started(&other.revoke(&[]), "required"),
        &["was revoked is not known", "no list of `CN=authority "],
    );
}

#[test]
fn backends_at_one_place_share_no_connection_under_other_terms() {
    let one = Authority::new();
    let server = Server::of(one.acceptor("localhost"));
    let other = Authority::new();
    let gateway = gateway(|site| {
        let right = trusting(site, ("one.pem", &one), "");
        let own = backend("own", server.port(), &right);
        let wrong = trusting(site, ("other.pem", &other), "");
        own + &backend("other", server.port(), &wrong)
    });
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo/a").status, 200);
        assert_eq!(gateway.ask(&Request::post("/echo/a", long())).status, 200);
        for request in [Request::get("/echo/b"), Request::post("/echo/b", long())] {
            let answer = gateway.ask(&request.field("X-Other", "1"));
            assert_eq!(answer.status, 500, "{}", answer.text());
            let why = answer.field("X-Why").unwrap_or_default();
            assert!(why.contains("who is not known here"), "{why}");
        }
    }
}

#[test]
fn a_response_without_a_body_costs_no_handshake() {
    let one = Authority::new();
    let server = Server::of(one.acceptor("localhost"));
    let gateway = gateway(|site| {
        let right = trusting(site, ("one.pem", &one), "");
        backend("own", server.port(), &right)
    });
    for _ in 0..5 {
        assert_eq!(gateway.ask(&Request::post("/echo/none", long())).status, 204);
        assert_eq!(gateway.ask(&Request::post("/echo/some", long())).status, 200);
    }
    assert_eq!(server.names().len(), 1, "connections");
}
