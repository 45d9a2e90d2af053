//! Gateways that an issuer vouches for: who is let in, who is not and why, and what happens when
//! keys change, issuers are away and tokens end.

use std::fs;
use std::path::PathBuf;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use tonic::Code;

use crate::control::{await_word, echo, hello, refusal};
use crate::harness::control::{Control, later, refuses};
use crate::harness::etcd::Etcd;
use crate::harness::gateway::weir;
use crate::harness::issuer::{Issuer, parts, seconds};
use crate::harness::replica::runtime;
use crate::harness::tls::Authority;
use crate::harness::{Gateway, Site, soon};

/// Who `north` is to the issuer.
const NORTH: &str = "system:serviceaccount:edge:weir";

/// A control plane that trusts an issuer.
struct Trusting {
    control: Control,
    issuer: Issuer,
}

impl Trusting {
    fn start() -> Self {
        let trusting = Self::prepare();
        let mut control = trusting.control;
        control.restart();
        Self { control, ..trusting }
    }

    /// The same, but not started yet.
    fn prepare() -> Self {
        let (issuer, mut control) =
            (Issuer::new(), Control::prepare(|folder| echo(folder, "here")));
        issuer.certify(&control.own("issuer.pem"));
        let file = control.own("issuers.yaml");
        control.set(&[("control-issuers-file", &file)]);
        let trusting = Self { control, issuer };
        trusting.trust(NORTH);
        trusting
    }

    /// Has `subject` be `north`, and others what stands in their names.
    fn trust(&self, subject: &str) {
        let text = format!(
            "issuers:\n  - issuer: {}\n    audiences: weir-control\n    caFile: {}\n    gateways:\n      \
             - {{gateway: north, subject: \"{subject}\"}}\n      - subject: \"ns:{{gateway}}:weir\"\n      \
             - {{gateway: north, subject: both}}\n      - {{gateway: south, subject: both}}\n",
            self.issuer.name(),
            self.control.own("issuer.pem").display(),
        );
        fs::write(self.control.own("issuers.yaml"), text).expect("a file");
    }

    /// A gateway with this token in a file, which is returned.
    fn gateway(&self, replica: &str, token: &str) -> (Gateway, PathBuf) {
        self.named(replica, token, "")
    }

    /// The same, which says which gateway it is.
    fn named(&self, replica: &str, token: &str, gateway: &str) -> (Gateway, PathBuf) {
        let path = self.control.own(&format!("workload-of-{replica}"));
        fs::write(&path, token).expect("a file");
        let mut site = Site::new();
        self.control.point(&mut site, replica);
        site.set("control-workload-token-file", &path.display().to_string());
        site.set("gateway-name", gateway);
        (Gateway::listening(site), path)
    }

    /// Waits until the keys of the issuer are there.
    fn await_keys(&self) {
        let has_keys = || (self.control.status()["issuers"][0]["keys"] == 1).then_some(());
        assert!(later(has_keys).is_some(), "{}", self.control.status());
    }

    /// Why whoever shows this token is sent away.
    fn refusal(&self, token: &str) -> (Code, String) {
        let shown = format!("Bearer {token}");
        runtime().block_on(refusal(&self.control, &shown, vec![hello()]))
    }
}

/// These claims, and others in their place.
fn but(mut claims: Value, changed: Value) -> Value {
    let Value::Object(changed) = changed else { panic!("these are no claims") };
    claims.as_object_mut().expect("claims").extend(changed);
    claims
}

#[test]
fn a_workload_is_a_gateway_by_the_word_of_its_issuer_and_stays_it_with_a_newer_token() {
    let here = Trusting::start();
    let Trusting { control, issuer } = &here;
    let (gateway, path) = here.gateway("one", &issuer.token(NORTH));
    await_word(&gateway, "/echo/a", "here");
    let replica = control.await_replica("one", |replica| replica["ready"] == true);
    assert_eq!(replica["gateway"], "north");
    let before = gateway.status()["control"]["tokenExpires"].as_str().unwrap().to_owned();
    // Whoever runs it puts a newer one there: the stream outlives the first.
    let claims = but(issuer.claims(NORTH), json!({"exp": seconds() + 7_200}));
    fs::write(&path, issuer.sign(&claims)).unwrap();
    let first = replica["credentialExpires"].clone();
    let replica = control.await_replica("one", |replica| replica["credentialExpires"] != first);
    assert!(*before < *gateway.status()["control"]["tokenExpires"].as_str().unwrap());
    assert_eq!(replica["connected"], true);
    let arrivals = |control: &Control| {
        control.events().iter().filter(|line| line.contains("a replica is here")).count()
    };
    assert_eq!(arrivals(control), 1, "{}", control.events().join("\n"));
    // The first keys are enough for everybody who has a token by them.
    let (other, _) = here.gateway("two", &issuer.token("ns:South-2:weir"));
    await_word(&other, "/echo/a", "here");
    control.await_replica("two", |replica| replica["gateway"] == "South-2");
    let (both, _) = here.named("three", &issuer.token("both"), "South");
    await_word(&both, "/echo/a", "here");
    control.await_replica("three", |replica| replica["gateway"] == "south");
    assert_eq!((issuer.asked("/keys"), issuer.asked("/.well-known/openid-configuration")), (1, 1));
    let issuers = control.status()["issuers"].clone();
    assert_eq!(issuers[0]["issuer"], issuer.name());
    assert!(issuers[0]["fetched"].is_string() && issuers[0]["fault"].is_null(), "{issuers}");
}

#[test]
fn whoever_is_not_let_in_hears_why_and_the_log_says_who_it_was() {
    let here = Trusting::start();
    let (control, issuer) = (&here.control, &here.issuer);
    here.await_keys();
    let other = Issuer::new();
    let signed = |changed: Value| issuer.sign(&but(issuer.claims(NORTH), changed));
    let now = seconds();
    let key = issuer.key_id();
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT", "kid": key});
    let claims = issuer.claims(NORTH);
    let pem = issuer.public_key().public_key_to_pem().unwrap();
    let hmac = PKey::hmac(&pem).unwrap();
    let unsigned = parts(&header("HS256"), &claims, b"");
    let as_secret = Signer::new(MessageDigest::sha256(), &hmac)
        .unwrap()
        .sign_oneshot_to_vec(unsigned.trim_end_matches('.').as_bytes())
        .unwrap();
    let foreign = other.sign(&claims);
    let own = issuer.token(NORTH);
    let (own_parts, foreign_signature) =
        (own.rsplit_once('.').unwrap().0, foreign.rsplit('.').next().unwrap());
    for (token, why) in [
        (signed(json!({"aud": "weir"})), "for another audience"),
        (signed(json!({"aud": []})), "for another audience"),
        (
            signed(json!({"sub": "system:serviceaccount:edge:other"})),
            "no gateway is for the subject",
        ),
        (signed(json!({"sub": "ns::weir"})), "no gateway is for the subject"),
        (signed(json!({"exp": now - 61})), "has expired"),
        (signed(json!({"exp": null})), "the claim `exp` is not what it can be"),
        (signed(json!({"nbf": now + 600})), "not valid yet"),
        (signed(json!({"iss": other.name()})), "the issuer of the token is not allowed"),
        (signed(json!({"sub": "both"})), "its `gateway.name` has to say which"),
        (parts(&header("none"), &claims, b""), "the token is not signed"),
        (parts(&header("none"), &claims, b"x"), "the token is not signed"),
        (parts(&header("HS256"), &claims, &as_secret), "an algorithm that is not allowed"),
        (parts(&header("ES384"), &claims, b"x"), "no key of the id and the algorithm"),
        (format!("{own_parts}.{foreign_signature}"), "the signature is wrong"),
        ("x".to_owned(), "three parts with dots between"),
    ] {
        let (code, told) = here.refusal(&token);
        assert_eq!(code, Code::Unauthenticated, "{why}: {told}");
        assert!(told.starts_with("the token of this workload is refused: "), "{told}");
        assert!(told.contains(why), "{why}: {told}");
        let events = control.events().join("\n");
        let logged = soon(|| control.events().into_iter().find(|line| line.contains(why)));
        let logged = logged.unwrap_or_else(|| panic!("no {why}: {events}"));
        assert!(logged.contains("\"audit\":true") && logged.contains("127.0.0.1"), "{logged}");
        for part in token.split('.').filter(|part| 8 < part.len()) {
            assert!(!control.events().join("\n").contains(part), "a part of a token is logged");
        }
    }
    let about =
        soon(|| control.events().into_iter().find(|line| line.contains("another audience")))
            .unwrap();
    assert!(about.contains(NORTH) && about.contains("ES256") && about.contains(&key), "{about}");
    // Nobody asked the other issuer for anything.
    assert_eq!(other.asked("/.well-known/openid-configuration"), 0);
}

#[test]
fn keys_that_change_are_fetched_when_somebody_misses_them_and_an_outage_keeps_those_there_are() {
    let here = Trusting::start();
    let (control, issuer) = (&here.control, &here.issuer);
    here.await_keys();
    let before = issuer.token(NORTH);
    issuer.rotate();
    let (gateway, _) = here.gateway("one", &issuer.token(NORTH));
    await_word(&gateway, "/echo/a", "here");
    let refetched =
        soon(|| control.events().into_iter().find(|line| line.contains("are fetched again")));
    let refetched = refetched.is_some();
    assert!(refetched && issuer.asked("/keys") == 2, "{}", control.events().join("\n"));
    // Whoever names keys that nobody has makes nobody fetch them over and over.
    issuer.rotate();
    for _ in 0..5 {
        let (code, told) = here.refusal(&issuer.token(NORTH));
        assert_eq!(code, Code::Unauthenticated, "{told}");
        assert!(told.contains("no key of the id") && !told.contains("again"), "{told}");
    }
    assert_eq!(here.refusal(&before).0, Code::Unauthenticated);
    assert_eq!(issuer.asked("/keys"), 2);
}

#[test]
fn an_issuer_that_is_away_is_waited_for_and_then_not_needed() {
    let mut here = Trusting::prepare();
    here.issuer.set_down(true);
    here.control.restart();
    let token = here.issuer.token(NORTH);
    let (gateway, path) = here.gateway("one", &token);
    gateway.event("cannot be judged yet: the keys of the issuer are not there");
    // As often as anybody likes: it is not their fault.
    let codes: Vec<Code> = (0..30).map(|_| here.refusal(&token).0).collect();
    assert!(codes.iter().all(|code| *code == Code::Unavailable), "{codes:?}");
    let ready = here.control.admin("/readyz").text().to_owned();
    assert!(ready.contains(&format!("no keys of the issuer {}: ", here.issuer.name())), "{ready}");
    let page = here.control.admin("/metrics").text().to_owned();
    let of = |metric: &str| {
        let name =
            format!("weir_control_plane_issuer_{metric}{{issuer=\"{}\"}} ", here.issuer.name());
        page.lines().find_map(|line| line.strip_prefix(name.as_str()).map(ToOwned::to_owned))
    };
    assert_eq!(
        (of("keys").as_deref(), of("keys_age_seconds").as_deref()),
        (Some("0.0"), Some("NaN"))
    );
    let failures: u64 = of("failures_total").and_then(|it| it.parse().ok()).expect("a count");
    assert!(0 < failures, "{page}");
    here.issuer.set_down(false);
    await_word(&gateway, "/echo/a", "here");
    here.issuer.set_down(true);
    let (other, _) = here.gateway("two", &here.issuer.token("ns:south:weir"));
    await_word(&other, "/echo/a", "here");

    // Whoever is not trusted any more is sent away, and goes on with what it has.
    here.trust("somebody else");
    gateway.event("no gateway is for the subject");
    assert_eq!(gateway.get("/echo/a").text(), "here");
    assert_eq!(other.status()["control"]["connected"], true);
    fs::write(here.control.own("issuers.yaml"), "issuers: 7").unwrap();
    let event = || here.control.events().into_iter().find(|it| it.contains("those before count"));
    assert!(later(event).is_some(), "{}", here.control.events().join("\n"));
    fs::write(path, here.issuer.token("somebody else")).unwrap();
    here.control.await_replica("one", |replica| replica["connected"] == true);
}

#[test]
fn an_issuer_that_publishes_nonsense_is_not_believed_and_its_keys_stay() {
    let here = Trusting::start();
    let (control, issuer, other) = (&here.control, &here.issuer, Issuer::new());
    here.await_keys();
    let token = issuer.token(NORTH);
    let large = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(300 << 10));
    let elsewhere = other.url("/keys");
    let plain = ("X-None", "");
    // One try is made at once, because somebody misses a key, and each of the others a little later.
    issuer.set_nonsense(Some((500, plain, "{}")));
    issuer.rotate();
    here.refusal(&issuer.token(NORTH));
    for (nonsense, told) in [
        ((500, plain, "{}"), "the status is 500"),
        ((200, plain, "<html>"), "this is no key set"),
        ((200, plain, r#"{"keys":[]}"#), "no key of the set can verify a token"),
        ((302, ("Location", elsewhere.as_str()), ""), "those are not followed"),
        ((200, ("Content-Encoding", "gzip"), "{}"), "the answer is encoded"),
        ((200, plain, large.as_str()), "more than 262144 bytes"),
    ] {
        issuer.set_nonsense(Some(nonsense));
        let is_told = || control.admin("/readyz").text().contains(told).then_some(());
        assert!(later(is_told).is_some(), "{told}: {}", control.admin("/readyz").text());
        assert_eq!(control.admin("/readyz").status, 200);
    }
    assert_eq!(other.asked("/keys"), 0);
    // What was good still is.
    let (gateway, _) = here.gateway("one", &token);
    await_word(&gateway, "/echo/a", "here");
}

#[test]
fn replicas_that_share_a_stream_each_have_a_token_of_their_own() {
    let here = Trusting::start();
    let etcd = Etcd::start();
    let replicas = ["a", "b"].map(|name| {
        let path = here.control.own(&format!("workload-of-{name}"));
        fs::write(&path, here.issuer.token(NORTH)).unwrap();
        let mut site = Site::new();
        here.control.point(&mut site, name);
        site.set("control-workload-token-file", &path.display().to_string());
        site.set("etcd-endpoints", &etcd.endpoint());
        site.set("cluster-rollout-hold", "0s");
        Gateway::listening(site)
    });
    for replica in &replicas {
        await_word(replica, "/echo/a", "here");
        let are_told = || {
            let all = replica.status()["cluster"]["replicas"].as_array().cloned()?;
            let is_fine =
                |it: &Value| it["token"]["state"] == "fine" && it["token"]["expires"].is_string();
            (all.len() == 2 && all.iter().all(is_fine)).then_some(())
        };
        assert!(later(are_told).is_some(), "{}", replica.status());
        let told = weir(&["status", "--admin", &replica.admin.to_string()]);
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains("TOKEN") && told.matches("  until 20").count() == 2, "{told}");
    }
    let rows = here.control.status()["replicas"].as_array().unwrap().len();
    assert_eq!(rows, 1, "{}", here.control.status());
}

#[test]
fn a_token_that_has_ended_stops_no_gateway() {
    let here = Trusting::start();
    here.await_keys();
    // Clocks may be a minute apart, so that it is good for forty seconds more.
    let ended = |ago: u64| but(here.issuer.claims(NORTH), json!({"exp": seconds() - ago}));
    let (gateway, path) = here.gateway("one", &here.issuer.sign(&ended(20)));
    await_word(&gateway, "/echo/a", "here");
    let told = later(|| gateway.events().into_iter().find(|it| it.contains("has expired")));
    assert!(told.is_some(), "{}", gateway.events().join("\n"));
    assert_eq!(gateway.get("/echo/a").text(), "here");
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("the token has expired"), "{}", ready.text());
    // One that starts with such a token says so, and serves nothing, because it has nothing.
    let (late, _) = here.gateway("two", &here.issuer.sign(&ended(100)));
    late.event("has expired");
    assert_eq!(late.admin("/readyz").status, 503);
    assert!(late.admin("/readyz").text().contains("the token has expired"));
    fs::write(path, here.issuer.token(NORTH)).unwrap();
    here.control.await_replica("one", |replica| replica["connected"] == true);
}

/// A client of the control plane of `here`, that proves who it is with these settings.
fn client(here: &Trusting, replica: &str, id: &str, proof: &[(&str, &str)]) -> Gateway {
    let mut site = Site::new();
    here.control.point(&mut site, replica);
    let ca = here.control.own("issuer.pem").display().to_string();
    let settings = [
        ("endpoint", here.issuer.url("/token")),
        ("client-id", id.to_owned()),
        ("scope", "control".to_owned()),
        ("ca-file", ca),
    ];
    for (name, value) in settings {
        site.set(&format!("control-client-credentials-{name}"), &value);
    }
    for (name, value) in proof {
        site.set(&format!("control-client-credentials-{name}"), value);
    }
    Gateway::listening(site)
}

#[test]
fn a_gateway_gets_tokens_for_itself_with_a_secret() {
    let here = Trusting::start();
    let (id, right, wrong) = ("ns:north:weir", "hunter-two: +ü", "not-the-secret");
    here.issuer.trust_secret(id, right);
    here.issuer.set_life(8);
    let file = here.control.own("secret");
    fs::write(&file, wrong).unwrap();
    let path = file.display().to_string();
    let gateway = client(&here, "one", id, &[("secret-file", &path)]);
    gateway.event("the status is 401");
    let is_told = || gateway.admin("/readyz").text().contains("401").then_some(());
    assert!(soon(is_told).is_some(), "{}", gateway.admin("/readyz").text());
    assert_eq!(gateway.admin("/readyz").status, 503);
    fs::write(&file, format!("{right}\n")).unwrap();
    await_word(&gateway, "/echo/a", "here");
    here.control.await_replica("one", |replica| replica["gateway"] == "north");
    // Another one before the first has ended, and the stream goes on with it.
    let asked = here.issuer.asked("/token");
    assert!(later(|| (asked + 2 < here.issuer.asked("/token")).then_some(())).is_some());
    let first = here.control.status()["replicas"][0]["credentialExpires"].clone();
    here.control.await_replica("one", |replica| replica["credentialExpires"] != first);
    let events = [gateway.events(), here.control.events()].concat().join("\n");
    for hidden in [right, wrong, "hunter", "eyJ", "Bearer ey", "Basic "] {
        assert!(!events.contains(hidden), "{hidden}: {events}");
    }
}

#[test]
fn a_gateway_gets_tokens_for_itself_with_a_certificate() {
    let here = Trusting::start();
    let (issued, other) = (Authority::new().issue("weir"), Authority::new().issue("weir"));
    let [certificate, key] = ["client.pem", "client.key"].map(|name| here.control.own(name));
    fs::write(&certificate, &issued.certificate).unwrap();
    fs::write(&key, &other.key).unwrap();
    let id = "ns:south:weir";
    here.issuer.trust_certificate(id, &issued.certificate);
    let [own, private] = [&certificate, &key].map(|path| path.display().to_string());
    let proof =
        [("certificate-file", own.as_str()), ("key-file", &private), ("algorithm", "ES256")];
    let gateway = client(&here, "one", id, &proof);
    gateway.event("the key is not that of the certificate");
    fs::write(&key, &issued.key).unwrap();
    await_word(&gateway, "/echo/a", "here");
    here.control.await_replica("one", |replica| replica["gateway"] == "south");
    // Nobody else's certificate will do.
    let stranger = client(&here, "two", "ns:north:weir", &proof);
    stranger.event("invalid_client no such client");
}

#[test]
fn a_control_plane_that_would_trust_nobody_does_not_start() {
    let control = Control::prepare(|folder| echo(folder, "here"));
    let own = |name: &str| control.own(name).display().to_string();
    let state = format!("--control-state-folder={}", own("state"));
    let insecure = "--control-insecure=true".to_owned();
    let told = refuses(&[state.clone(), insecure.clone()]);
    assert!(told.contains("control.keysFile") && told.contains("control.issuersFile"), "{told}");
    let file = control.own("issuers.yaml");
    let issuers = format!("--control-issuers-file={}", file.display());
    let told = refuses(&[state.clone(), insecure.clone(), issuers.clone()]);
    assert!(told.contains("issuers.yaml") && told.contains("no such file"), "{told}");
    fs::write(&file, "issuers:\n  - issuer: https://a\n    gateways: []\n").unwrap();
    let told = refuses(&[state, insecure, issuers]);
    assert!(told.contains("issuers.yaml:2:5") && told.contains("has no `audiences`"), "{told}");
}
