//! Tokens that say who the gateway is: where they are got, how often, and what happens when they are
//! not.

use std::fs;
use std::thread;

use tempfile::TempDir;

use crate::harness::issuer::Issuer;
use crate::harness::{Backend, Gateway, Policies, Request, Site, reply, soon};

const RESOURCE: &str = "https://storage.example";
const SCOPE: &str = "https://storage.example/.default";
/// Where a workload of the tenant exchanges its tokens.
const ENDPOINT: &str = "/tenant/oauth2/v2.0/token";
/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A gateway that shows who it is.
struct Shown {
    issuer: Issuer,
    gateway: Gateway,
    backend: Backend,
    folder: TempDir,
}

impl Shown {
    fn start(inbound: &str, write: impl FnOnce(&mut Site, &Issuer, &TempDir)) -> Self {
        let issuer = Issuer::new();
        issuer.set_scope(SCOPE);
        let backend = Backend::plain();
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("issuer.pem");
        issuer.certify(&pem);
        let gateway = Gateway::start(|site| {
            site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
            site.set("log-level", "all");
            site.set("log-access", "all");
            write(site, &issuer, &folder);
            let policies = Policies { inbound, on_error: WHY, ..Policies::default() };
            site.open_api("echo", &backend.url(), policies);
        });
        Self { issuer, gateway, backend, folder }
    }

    /// What a request that went through said of who sent it.
    fn shown(&self) -> String {
        let answer = self.gateway.get("/echo/a");
        assert_eq!(answer.status, 200, "{:?}", answer.field("X-Why"));
        self.backend.last().field("authorization").unwrap_or_default().to_owned()
    }

    fn why(&self) -> String {
        let answer = self.gateway.get("/echo/a");
        assert_eq!(answer.status, 500, "{}", answer.text());
        answer.field("X-Why").unwrap_or_default().to_owned()
    }

    fn metric(&self, name: &str) -> String {
        let page = self.gateway.admin("/metrics").text().to_owned();
        let line = page.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name}: {page}"))
    }
}

fn policy(more: &str) -> String {
    format!("<authentication-managed-identity resource=\"{RESOURCE}\" {more}/>")
}

/// An identity of the configuration, with its secret in a file.
fn with_secret(site: &mut Site, issuer: &Issuer, more: &str) {
    issuer.trust_secret("edge", "hunter2");
    let secret = site.file("client-secret", "hunter2\n");
    site.yaml(format!(
        "identities:\n  - clientId: edge\n    endpoint: {}\n    secret: {{file: {}}}\n{more}",
        issuer.url("/token"),
        secret.display()
    ));
}

#[test]
fn a_token_is_got_once_for_all_who_ask_and_stands_nowhere_but_in_the_request() {
    let here = Shown::start(&policy("client-id=\"EDGE\""), |site, issuer, _folder| {
        with_secret(site, issuer, "");
    });
    let asks = || here.gateway.get("/echo/a").status;
    let all: Vec<u16> = thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(asks)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(all.iter().all(|status| *status == 200), "{all:?}");
    assert_eq!(here.issuer.asked("/token"), 1);
    let request = Request::get("/echo/a").field("Authorization", "Bearer mine");
    assert_eq!(here.gateway.ask(&request).status, 200);
    let seen = here.backend.last();
    let token = seen.field("authorization").and_then(|it| it.strip_prefix("Bearer ")).unwrap();
    assert_eq!((token.split('.').count(), seen.all("authorization").len()), (3, 1));
    let left = here.metric("weir_identity_token_left_seconds");
    assert!(left.contains("client=\"edge\"") && left.contains(RESOURCE), "{left}");
    assert!(here.metric("weir_identity_tokens_total").ends_with(" 1"));
    // Another configuration gets nothing anew.
    let before = here.gateway.generation();
    let again = policy("client-id=\"edge\" output-token-variable-name=\"t\"")
        + "<set-header name=\"X-Token\"><value>@((string)context.Variables[\"t\"])</value></set-header>\
           <trace source=\"test\" severity=\"error\"><message>@(\"it is \" + context.Variables[\"t\"])\
           </message></trace>";
    let policies = Policies { inbound: &again, on_error: WHY, ..Policies::default() };
    fs::write(here.gateway.folder().join("echo.xml"), policies.text()).unwrap();
    here.gateway.later_than(before);
    assert_eq!(here.gateway.ask(&request).status, 200);
    let seen = here.backend.last();
    assert_eq!(
        (seen.field("authorization"), seen.field("x-token")),
        (Some("Bearer mine"), Some(token))
    );
    assert_eq!(here.issuer.asked("/token"), 1);
    let told = here.gateway.events().join("\n") + here.gateway.admin("/metrics").text();
    assert!(!told.contains(token) && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_workload_exchanges_its_token_for_another_and_the_one_before_lasts_while_that_fails() {
    let here = Shown::start(&policy(""), |site, issuer, folder| {
        let file = folder.path().join("federated");
        fs::write(&file, "first.token.of-somebody\n").unwrap();
        issuer.trust_assertion("workload", "first.token.of-somebody");
        issuer.set_life(7);
        for (name, value) in [
            ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
            ("AZURE_TENANT_ID", "tenant".to_owned()),
            ("AZURE_CLIENT_ID", "workload".to_owned()),
            ("AZURE_AUTHORITY_HOST", issuer.url("/")),
        ] {
            site.variables.push((name.to_owned(), value));
        }
    });
    let first = here.shown();
    assert!(first.starts_with("Bearer ey"), "{first}");
    assert_eq!(here.issuer.asked(ENDPOINT), 1);
    // Whoever runs it replaces the token in its file, and the endpoint takes no other.
    here.issuer.trust_assertion("workload", "second.token.of-somebody");
    let refused = || {
        let failures = here.metric("weir_identity_token_failures_total");
        (!failures.ends_with(" 0")).then_some(())
    };
    assert!(soon(refused).is_some(), "it is not asked again ahead of need");
    let refused = soon(|| {
        let answer = here.gateway.get("/echo/a");
        (answer.status == 500).then(|| answer.field("X-Why").unwrap_or_default().to_owned())
    });
    let refused = refused.expect("the first token ends");
    assert!(refused.starts_with("TokenNotObtained: no token from https://localhost:"), "{refused}");
    assert!(refused.contains("401") && !refused.contains("of-somebody"), "{refused}");
    fs::write(here.folder.path().join("federated"), "second.token.of-somebody").unwrap();
    let second = soon(|| (here.gateway.get("/echo/a").status == 200).then(|| here.shown()));
    assert_ne!(second.expect("a second token"), first);
    here.gateway.event("the gateway gets tokens again");
}

#[test]
fn an_endpoint_that_is_away_is_told_of_and_a_request_may_go_on_without() {
    let inbound =
        policy("client-id=\"edge\" output-token-variable-name=\"t\" ignore-error=\"true\"")
            + "<choose><when condition=\"@(context.Variables[&quot;t&quot;] != null)\">"
            + &policy("client-id=\"edge\"")
            + "</when></choose>";
    let here = Shown::start(&inbound, |site, issuer, _folder| {
        with_secret(site, issuer, "");
        issuer.set_down(true);
    });
    assert_eq!(here.shown(), "");
    here.gateway.event("the gateway gets no token");
    here.issuer.set_down(false);
    let shown = soon(|| Some(here.shown()).filter(|shown| shown.starts_with("Bearer ey")));
    assert!(shown.is_some());
}

#[test]
fn an_endpoint_of_the_machine_is_asked_in_the_clear_with_what_it_wants() {
    let machine = Backend::replying(|seen| {
        let body =
            r#"{"access_token":"of-the-machine","token_type":"Bearer","expires_on":"4000000000"}"#;
        let has_key = seen.field("x-identity-header") == Some("hush");
        reply(if has_key { 200 } else { 403 }, &[("Content-Type", "application/json")], body)
    });
    let address = format!("{}/msi/token", machine.url());
    let here = Shown::start(
        &policy("client-id=\"a b\"").replace("a b", "a-b"),
        |site, _issuer, _folder| {
            site.variables.push(("IDENTITY_ENDPOINT".to_owned(), address));
            site.variables.push(("IDENTITY_HEADER".to_owned(), "hush".to_owned()));
        },
    );
    assert_eq!(here.shown(), "Bearer of-the-machine");
    let asked = machine.last();
    let target = "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage%2Eexample&\
                  client_id=a%2Db";
    assert_eq!(asked.target, target);
}

#[test]
fn the_metadata_service_is_asked_where_it_may_be_and_else_nobody_is() {
    let machine = Backend::replying(|seen| {
        let is_right = seen.field("metadata") == Some("true")
            && seen.target.starts_with("/metadata/identity/oauth2/token?api-version=2018-02-01&");
        let body = r#"{"access_token":"of-the-machine","token_type":"Bearer","expires_in":"3600"}"#;
        reply(if is_right { 200 } else { 400 }, &[], body)
    });
    let inbound = "<send-request response-variable-name=\"r\"><set-url>SERVICE</set-url>"
        .to_owned()
        + &policy("")
        + "</send-request>";
    let service = Backend::plain();
    let inbound = inbound.replace("SERVICE", &service.url());
    let address = machine.host();
    let here = Shown::start(&inbound, |site, _issuer, _folder| {
        site.set("identity-metadata", &address);
    });
    assert_eq!(here.shown(), "");
    assert_eq!(service.last().field("authorization"), Some("Bearer of-the-machine"));
    let nobody = Shown::start(&policy("client-id=\"else\""), |site, issuer, _folder| {
        with_secret(site, issuer, "");
    });
    let why = nobody.why();
    assert!(why.starts_with("IdentityNotFound: ") && why.contains("`else`"), "{why}");
    assert_eq!(nobody.backend.count(), 0);
}

#[test]
fn a_backend_may_say_itself_who_the_gateway_is_to_it() {
    let other = Backend::plain();
    let inbound = "<set-backend-service backend-id=\"far\" /><choose><when \
                   condition=\"@(context.Request.Headers.ContainsKey(&quot;X-Other&quot;))\">\
                   <invoke-request backend-id=\"far\" url=\"/invoked\" \
                   response-variable-name=\"r\" /></when></choose>";
    let here = Shown::start(inbound, |site, issuer, _folder| {
        let more = format!(
            "backends:\n  - id: far\n    url: {}\n    credentials: {{managedIdentity: {{resource: \
             '{RESOURCE}', clientId: edge}}}}\n",
            other.url()
        );
        with_secret(site, issuer, &more);
    });
    let long = vec![b'x'; 200 << 10];
    let requests = [
        Request::get("/echo/a").field("Authorization", "Bearer mine"),
        Request::post("/echo/b", long).field("Authorization", "Bearer mine"),
        Request::get("/echo/c").field("X-Other", "1"),
    ];
    for request in requests {
        assert_eq!(here.gateway.ask(&request).status, 200);
        let seen = other.last();
        let token = seen.field("authorization").and_then(|it| it.strip_prefix("Bearer ")).unwrap();
        assert_eq!((token.split('.').count(), seen.all("authorization").len()), (3, 1));
    }
    assert!(other.seen().iter().any(|seen| seen.target == "/invoked"));
    let all = other.seen();
    assert!(all.iter().all(|seen| seen.field("authorization") != Some("Bearer mine")), "{all:?}");
    assert_eq!(here.issuer.asked("/token"), 1, "one token for all");
}

#[test]
fn a_backend_that_wants_a_token_gets_no_request_without() {
    let other = Backend::plain();
    let inbound = "<set-backend-service backend-id=\"far\" />";
    let here = Shown::start(inbound, |site, issuer, _folder| {
        let more = format!(
            "backends:\n  - id: far\n    url: {}\n    credentials: {{managedIdentity: {{resource: \
             '{RESOURCE}', clientId: edge}}}}\n",
            other.url()
        );
        let secret = site.file("client-secret", "another one\n");
        issuer.trust_secret("edge", "hunter2");
        site.yaml(format!(
            "identities:\n  - clientId: edge\n    endpoint: {}\n    secret: {{file: {}}}\n{more}",
            issuer.url("/token"),
            secret.display()
        ));
    });
    let why = here.why();
    assert!(why.starts_with("TokenNotObtained: "), "{why}");
    assert!(other.seen().is_empty());
}
