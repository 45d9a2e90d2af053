//! Tokens for what somebody has allowed the gateway at another service: got for itself or by a consent,
//! whose refresh tokens are good once, for one process and for several.

use tempfile::TempDir;

use crate::harness::etcd::Etcd;
use crate::harness::issuer::Issuer;
use crate::harness::{Backend, Gateway, Policies, Site, soon};

const INBOUND: &str = "<get-authorization-context provider-id=\"music\" authorization-id=\"jane\" \
                       context-variable-name=\"auth\" />\
                       <set-header name=\"Authorization\"><value>@(\"Bearer \" + \
                       ((Authorization)context.Variables[\"auth\"]).AccessToken)</value></set-header>";
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Reason + \": \" + \
                   context.LastError.Message)</value></set-header>";

/// A provider, and a service that takes its tokens.
struct Provider {
    issuer: Issuer,
    backend: Backend,
    folder: TempDir,
}

impl Provider {
    fn new() -> Self {
        let issuer = Issuer::new();
        issuer.trust_secret("edge", "hunter2");
        let folder = tempfile::tempdir().unwrap();
        issuer.certify(&folder.path().join("issuer.pem"));
        Self { issuer, backend: Backend::plain(), folder }
    }

    /// A gateway with the authorization `music/jane`; `more` is more of it.
    fn site(&self, more: &str) -> Site {
        let mut site = Site::new();
        let pem = self.folder.path().join("issuer.pem");
        site.variables.push(("SSL_CERT_FILE".to_owned(), pem.display().to_string()));
        site.set("log-level", "all");
        site.yaml(format!(
            "authorizations:\n  - provider: music\n    id: jane\n    endpoint: {}\n    clientId: edge\n    \
             secret: hunter2\n{more}",
            self.issuer.url("/token"),
        ));
        let policies = Policies { inbound: INBOUND, on_error: WHY, ..Policies::default() };
        site.open_api("echo", &self.backend.url(), policies);
        site
    }

    /// What a request through `gateway` showed.
    fn shown(&self, gateway: &Gateway) -> String {
        let answer = gateway.get("/echo/a");
        assert_eq!(answer.status, 200, "{:?}", answer.field("X-Why"));
        let shown = self.backend.last().field("authorization").unwrap_or_default().to_owned();
        assert!(shown.starts_with("Bearer ey"), "{shown}");
        shown
    }

    /// Waits until `gateway` shows another token than `before`.
    fn another(&self, gateway: &Gateway, before: &str) -> String {
        let found = soon(|| Some(self.shown(gateway)).filter(|shown| shown != before));
        found.unwrap_or_else(|| panic!("no other: {}", gateway.events().join("\n")))
    }
}

#[test]
fn for_itself_a_gateway_asks_with_its_own_secret_alone() {
    let provider = Provider::new();
    provider.issuer.set_scope("catalogue.read");
    let gateway =
        Gateway::over(provider.site("    scope: catalogue.read\n    secretInForm: true\n"));
    let first = provider.shown(&gateway);
    assert_eq!(provider.shown(&gateway), first);
    assert_eq!(provider.issuer.asked("/token"), 1);
    let told = gateway.events().join("\n") + gateway.admin("/metrics").text();
    assert!(
        !told.contains("hunter2") && !told.contains(first.trim_start_matches("Bearer ")),
        "{told}"
    );
    let page = gateway.admin("/metrics").text().to_owned();
    let left = page.lines().find(|it| it.starts_with("weir_identity_token_left_seconds"));
    assert!(left.is_some_and(|it| it.contains("music/jane")), "{page}");
}

#[test]
fn a_replaced_refresh_token_outlives_the_process() {
    let provider = Provider::new();
    provider.issuer.consent("edge", "first");
    provider.issuer.set_life(7);
    let journals = tempfile::tempdir().unwrap();
    let mut site = provider.site("    refreshToken: first\n");
    site.set("replica-journal-folder", journals.path().to_str().unwrap());
    let gateway = Gateway::over(site);
    let first = provider.shown(&gateway);
    let second = provider.another(&gateway, &first);
    let gateway = Gateway::over(gateway.leave());
    // The one of the configuration is good no more, and nobody shows it again.
    provider.another(&gateway, &second);
    assert_eq!(provider.issuer.stale(), 0);
}

#[test]
fn replicas_use_each_refresh_token_once_and_share_what_it_gives() {
    let provider = Provider::new();
    provider.issuer.consent("edge", "first");
    provider.issuer.set_life(9);
    let mut etcd = Etcd::start();
    let start = |name: &str| {
        let mut site = provider.site("    refreshToken: first\n");
        site.set("etcd-endpoints", &etcd.endpoint());
        site.set("replica-name", name);
        Gateway::over(site)
    };
    let replicas = ["a", "b", "c"].map(start);
    let first = provider.shown(&replicas[0]);
    assert!(replicas.iter().all(|replica| provider.shown(replica) == first));
    assert_eq!(provider.issuer.asked("/token"), 1);
    for replica in &replicas {
        provider.another(replica, &first);
    }
    assert_eq!(provider.issuer.stale(), 0);
    // While it is away, tokens are good to their end, and then the reason is told.
    etcd.kill();
    let why = soon(|| {
        let answer = replicas[1].get("/echo/a");
        (answer.status == 500).then(|| answer.field("X-Why").unwrap_or_default().to_owned())
    });
    let why = why.expect("the token ends");
    assert!(why.contains("what was got last for the authorization is not known"), "{why}");
    assert_eq!(provider.issuer.stale(), 0);
}

#[test]
fn a_consent_that_counts_no_more_is_told_of_with_what_to_do() {
    let provider = Provider::new();
    provider.issuer.consent("edge", "another");
    let gateway = Gateway::over(provider.site("    refreshToken: of-yesterday\n"));
    let answer = gateway.get("/echo/a");
    let why = answer.field("X-Why").unwrap_or_default();
    assert_eq!(answer.status, 500);
    assert!(why.starts_with("TokenNotObtained: no token from https://localhost:"), "{why}");
    assert!(why.contains("write the new `refreshToken`") && !why.contains("of-yesterday"), "{why}");
    assert!(!gateway.events().join("\n").contains("of-yesterday"));
}
