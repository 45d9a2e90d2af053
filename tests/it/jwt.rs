//! Requests that an issuer vouches for: whose keys are fetched, how often, and what happens when
//! they change, when the issuer is away, and when the configuration is loaded again.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::client::Answer;
use crate::harness::issuer::{Issuer, seconds};
use crate::harness::{Backend, Gateway, Policies, Request, soon};

const DOCUMENT: &str = "/.well-known/openid-configuration";
/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A gateway that believes an issuer.
struct Trusting {
    issuer: Issuer,
    gateway: Gateway,
    _backend: Backend,
    _folder: TempDir,
}

impl Trusting {
    fn start(issuer: Issuer, inbound: &str) -> Self {
        let backend = Backend::plain();
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("issuer.pem");
        issuer.certify(&pem);
        let gateway = Gateway::start(|site| {
            site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
            let policies = Policies { inbound, on_error: WHY, ..Policies::default() };
            site.open_api("echo", &backend.url(), policies);
        });
        Self { issuer, gateway, _backend: backend, _folder: folder }
    }

    fn ask(&self, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        self.gateway.ask(&Request::get("/echo/a").field("Authorization", &authorization))
    }

    fn await_status(&self, token: &str, status: u16) {
        let now = || (self.ask(token).status == status).then_some(());
        assert!(soon(now).is_some(), "{:?}", self.ask(token).field("X-Why"));
    }

    fn why(&self, token: &str) -> String {
        let answer = self.ask(token);
        assert_eq!(answer.status, 401, "{}", answer.text());
        answer.field("X-Why").unwrap_or_default().to_owned()
    }

    fn metric(&self, name: &str) -> String {
        let page = self.gateway.admin("/metrics").text().to_owned();
        let line = page.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name}: {page}"))
    }
}

fn policy(issuer: &Issuer, more: &str) -> String {
    format!(
        "<validate-jwt header-name=\"Authorization\" require-scheme=\"Bearer\">\
         <openid-config url=\"{}\" /><audiences><audience>shop</audience></audiences>{more}\
         </validate-jwt>",
        issuer.url(DOCUMENT)
    )
}

fn claims(issuer: &Issuer, changed: &Value) -> Value {
    let mut claims = json!({
        "iss": issuer.name(), "aud": "shop", "sub": "me", "exp": seconds() + 3_600,
    });
    let all = claims.as_object_mut().unwrap();
    all.extend(changed.as_object().unwrap().clone());
    claims
}

#[test]
fn a_token_of_an_issuer_opens_and_a_reload_fetches_no_keys() {
    let issuer = Issuer::new();
    let inbound = policy(&issuer, "");
    let here = Trusting::start(issuer, &inbound);
    let token = here.issuer.sign(&claims(&here.issuer, &json!({})));
    // The first request waits for the first keys.
    assert_eq!(here.ask(&token).status, 200);
    let other = Issuer::new();
    for (refused, why) in [
        (here.issuer.sign(&claims(&here.issuer, &json!({"aud": "x"}))), "TokenAudienceNotAllowed"),
        (here.issuer.sign(&claims(&here.issuer, &json!({"iss": "x"}))), "TokenIssuerNotAllowed"),
        (here.issuer.sign(&claims(&here.issuer, &json!({"exp": 1}))), "TokenExpired"),
        (other.sign(&claims(&here.issuer, &json!({}))), "TokenSignatureInvalid"),
        (String::new(), "TokenNotPresent"),
        ("x".to_owned(), "JwtInvalid"),
    ] {
        let told = here.why(&refused);
        assert!(told.starts_with(why), "{why}: {told}");
    }
    // A wrong signature may be that of a key which is not here yet: it is asked for, once.
    let again = || here.metric("weir_issuer_fetches_total").ends_with(" 2").then_some(());
    assert!(soon(again).is_some(), "{}", here.metric("weir_issuer_fetches_total"));
    let before = here.gateway.generation();
    let path = here.gateway.folder().join("echo.xml");
    let stricter =
        policy(&here.issuer, "<required-claims><claim name=\"role\" /></required-claims>");
    let policies = Policies { inbound: &stricter, on_error: WHY, ..Policies::default() };
    fs::write(path, policies.text()).unwrap();
    here.gateway.later_than(before);
    assert!(here.why(&token).starts_with("TokenClaimNotFound"), "{}", here.why(&token));
    let token = here.issuer.sign(&claims(&here.issuer, &json!({"role": "a"})));
    assert_eq!(here.ask(&token).status, 200);
    assert_eq!((here.issuer.asked("/keys"), here.issuer.asked(DOCUMENT)), (2, 2));
    let keys = here.metric("weir_issuer_keys{");
    assert!(keys.ends_with(" 1.0"), "{keys}");
    let fetches = here.metric("weir_issuer_fetches_total");
    assert!(fetches.contains(DOCUMENT) && fetches.ends_with(" 2"), "{fetches}");
}

#[test]
fn keys_that_change_are_fetched_when_a_token_misses_one_and_not_over_and_over() {
    let issuer = Issuer::new();
    let inbound = policy(&issuer, "");
    let here = Trusting::start(issuer, &inbound);
    let before = here.issuer.sign(&claims(&here.issuer, &json!({})));
    assert_eq!(here.ask(&before).status, 200);
    here.issuer.rotate();
    let after = here.issuer.sign(&claims(&here.issuer, &json!({})));
    assert!(here.why(&after).starts_with("TokenSignatureKeyNotFound"));
    here.await_status(&after, 200);
    // What was found good by a key that is gone is good no more.
    assert!(here.why(&before).starts_with("TokenSignatureKeyNotFound"));
    here.issuer.rotate();
    let unknown = here.issuer.sign(&claims(&here.issuer, &json!({})));
    for _ in 0..20 {
        assert!(here.why(&unknown).starts_with("TokenSignatureKeyNotFound"));
    }
    assert_eq!((here.ask(&after).status, here.issuer.asked("/keys")), (200, 2));
}

#[test]
fn an_issuer_that_is_away_is_told_of_and_its_keys_outlive_it() {
    let issuer = Issuer::new();
    issuer.set_down(true);
    let inbound = policy(&issuer, "");
    let here = Trusting::start(issuer, &inbound);
    let token = here.issuer.sign(&claims(&here.issuer, &json!({})));
    let told = here.why(&token);
    assert!(told.starts_with("TokenSignatureKeyNotFound") && told.contains(DOCUMENT), "{told}");
    here.issuer.set_down(false);
    here.await_status(&token, 200);
    let failures = here.metric("weir_issuer_fetch_failures_total");
    assert!(!failures.ends_with(" 0"), "{failures}");
    // It goes away, and a token with a key that nobody knows makes that known.
    here.issuer.set_down(true);
    here.issuer.rotate();
    here.why(&here.issuer.sign(&claims(&here.issuer, &json!({}))));
    here.gateway.event("the keys of an issuer cannot be fetched");
    assert_eq!(here.ask(&token).status, 200);
}

#[test]
fn an_issuer_that_an_expression_names_is_fetched_when_it_is_asked_for() {
    let issuer = Issuer::new();
    let inbound = format!(
        "<validate-jwt query-parameter-name=\"token\"><openid-config \
         url=\"@(context.Request.Headers.GetValueOrDefault(&quot;X-Issuer&quot;) + \
         &quot;{DOCUMENT}&quot;)\" /></validate-jwt>"
    );
    let here = Trusting::start(issuer, &inbound);
    let token = here.issuer.sign(&claims(&here.issuer, &json!({})));
    let ask = |query: &str, issuer: &str| {
        let request = Request::get(&format!("/echo/a?{query}"));
        here.gateway.ask(&request.field("X-Issuer", issuer)).status
    };
    assert_eq!(here.issuer.asked(DOCUMENT), 0);
    let (query, twice) = (format!("token={token}"), format!("token={token}&token={token}"));
    assert_eq!(ask(&query, &here.issuer.name()), 200);
    assert_eq!(ask(&twice, &here.issuer.name()), 401);
    assert_eq!(ask("x=y", &here.issuer.name()), 401);
    assert_eq!(ask(&query, "http://localhost"), 500);
    assert_eq!(here.issuer.asked(DOCUMENT), 1);
}

#[test]
fn tokens_of_entra_id_open_for_the_clients_of_a_tenant() {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let issuer = Issuer::new();
    let inbound = format!(
        "<validate-azure-ad-token tenant-id=\"{TENANT}\" weir-endpoint=\"{}\">\
         <client-application-ids><application-id>app</application-id></client-application-ids>\
         </validate-azure-ad-token>",
        issuer.name()
    );
    let here = Trusting::start(issuer, &inbound);
    let sign = |version: &str, client: &str| {
        let name = format!("{}/{TENANT}{version}", here.issuer.name());
        here.issuer
            .sign(&claims(&here.issuer, &json!({"iss": name, "tid": TENANT, "appid": client})))
    };
    assert_eq!(here.ask(&sign("/v2.0", "app")).status, 200);
    assert_eq!(here.ask(&sign("", "app")).status, 200);
    assert!(here.why(&sign("/v1.0", "app")).starts_with("TokenIssuerNotAllowed"));
    assert!(here.why(&sign("", "other")).starts_with("TokenClaimValueNotAllowed"));
}
