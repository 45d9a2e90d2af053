//! Calls of gRPC to apps behind Dapr's sidecar, and sidecars behind Unix sockets.
//!
//! Those that begin with [`Here::start`] run against a real daprd, too, where its ports are named
//! (`docs/dapr.md`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request as Asked;
use tonic::{Code, Request};

use crate::harness::backend::Backend;
use crate::harness::calls::{Caller, Calls};
use crate::harness::collector::{Collector, attribute, hex};
use crate::harness::http2::Http2;
use crate::harness::sidecar::socket::Socket;
use crate::harness::sidecar::{CALLED, Sidecar, called_port};
use crate::harness::{Gateway, Policies, Site, reply};

const TOKEN: &str = "canary-calls-0123456789";
/// A span of what is asked of others.
const CLIENT: i32 = 3;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The API of the tests' service.
fn api(site: &mut Site, service: &str, (inbound, on_error): (&str, &str)) {
    site.set("listen-h2c", "true");
    site.file(
        "echo.xml",
        format!(
            "<policies><inbound><base />{inbound}</inbound><backend><base /></backend>\
             <outbound><base /></outbound><on-error><base />{on_error}</on-error></policies>"
        ),
    );
    let mut text = format!(
        "apis:\n  - id: echo\n    path: \"\"\n    type: grpc\n    subscriptionRequired: false\n    \
         serviceUrl: {service}\n    policy: echo.xml\n    operations:\n"
    );
    for method in ["Unary", "Gather", "Spell", "Chat"] {
        let path = format!("/tests.Echo/{method}");
        let id = method.to_lowercase();
        writeln!(text, "      - {{id: {id}, method: POST, urlTemplate: {path}}}").expect("fits");
    }
    text.push_str("      - {id: rest, method: POST, urlTemplate: /*}\n");
    site.yaml(text);
}

/// A gateway before a sidecar that passes calls on to an app.
struct Here {
    gateway: Gateway,
    sidecar: Sidecar,
    collector: Collector,
    _app: Calls,
}

impl Here {
    fn start(service: &str, inbound: &str) -> Self {
        Self::with(service, (inbound, ""), TOKEN)
    }

    fn with(service: &str, policies: (&str, &str), token: &str) -> Self {
        let app = Calls::on(called_port());
        let sidecar = Sidecar::of_calls(app.address(), TOKEN);
        let collector = Collector::start();
        let shown = if token == TOKEN { sidecar.token.clone() } else { token.to_owned() };
        let gateway = Gateway::start(|site| {
            site.variables.push(("DAPR_GRPC_PORT".to_owned(), sidecar.grpc_port().to_string()));
            if !shown.is_empty() {
                site.variables.push(("DAPR_API_TOKEN".to_owned(), shown));
            }
            site.set("telemetry-otlp-endpoint", &collector.url());
            site.set("telemetry-otlp-interval", "100ms");
            site.set("telemetry-traces-sampler", "always");
            api(site, service, policies);
        });
        Self { gateway, sidecar, collector, _app: app }
    }
}

fn text(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}

/// All four kinds, one after the other.
fn passes(caller: &mut Caller) {
    assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
    assert_eq!(caller.gather(&["a", "b", "c"]).unwrap(), "abc");
    let (heard, outcome) = caller.spell(text("abc"));
    assert_eq!((heard.concat().as_str(), outcome.is_ok()), ("abc", true));
    assert_eq!(caller.chat(&["one", "two", "three"]).unwrap(), ["re one", "re two", "re three"]);
}

#[test]
fn all_four_kinds_of_calls_reach_an_app_and_nothing_of_a_client_speaks_to_the_sidecar() {
    let here = Here::start(&format!("dapr://{CALLED}"), "");
    let mut caller = Caller::of(here.gateway.http);
    passes(&mut caller);
    let mut request = text("timeout");
    let basic = format!("Basic {}", STANDARD.encode("dapr-app-id:http://127.0.0.1:1"));
    for (name, value) in [
        ("dapr-app-id", "other"),
        ("dapr-callee-app-id", "other"),
        ("dapr-api-token", "other"),
        ("dapr-stream", "other"),
        ("destination-app-id", "other"),
        ("authorization", &basic),
        ("x-customer", "7"),
        ("grpc-timeout", "10S"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request
        .metadata_mut()
        .insert_bin("grpc-trace-bin", tonic::metadata::MetadataValue::from_bytes(b"\0\0other"));
    // What is left of the deadline arrives at the app.
    let told = caller.unary(request).unwrap();
    assert!(told != "none" && told != "10S", "{told}");
    let failed = caller.unary(text("fail")).unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::DataLoss, "50% l\u{f6}st"));
    assert_eq!(failed.metadata().get("x-why").unwrap(), "because");
    let spans = here.collector.await_spans(12);
    let call = spans.iter().find(|span| {
        span.kind == CLIENT
            && span.trace_id == u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes()
    });
    let call = call.expect("the span of the call");
    let port = attribute(&call.attributes, "server.port");
    assert_eq!(port, Some(here.sidecar.grpc_port().to_string()), "{call:?}");
    let Some(said) = here.sidecar.called_with() else { return };
    assert_eq!(said.len(), 6);
    for fields in &said {
        let all = |name: &str| fields.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("dapr-app-id"), [CALLED]);
        assert_eq!(all("dapr-api-token"), [TOKEN]);
        assert_eq!(all("dapr-stream"), ["true"]);
        assert_eq!(all("te"), ["trailers"]);
        for name in ["dapr-callee-app-id", "destination-app-id", "authorization", "grpc-trace-bin"]
        {
            assert_eq!(all(name), [""; 0], "{name}");
        }
    }
    assert_eq!(said[4].get("x-customer").unwrap(), "7");
    let trace = said[4].get("traceparent").unwrap().to_str().unwrap();
    let span = hex(&call.span_id);
    assert_eq!(trace, format!("00-{TRACE}-{span}-01"));
}

#[test]
fn an_app_of_another_namespace_is_called_by_a_policy_as_well() {
    let app = |more: &str| {
        format!(
            "<set-backend-service backend-id=\"dapr\" dapr-app-id=\"{CALLED}\" {more} \
             dapr-method=\"@(context.Request.OriginalUrl.Path)\" />"
        )
    };
    let policy = app("dapr-namespace=\"prod\"")
        + "<set-header name=\"dapr-stream\" exists-action=\"override\"><value>false</value></set-header>";
    let app = Calls::start();
    let sidecar = Sidecar::calls_stand_in(app.address(), TOKEN);
    let gateway = Gateway::start(|site| {
        site.variables.push(("DAPR_GRPC_PORT".to_owned(), sidecar.grpc_port().to_string()));
        site.variables.push(("DAPR_API_TOKEN".to_owned(), TOKEN.to_owned()));
        api(site, "http://127.0.0.1:1", (&policy, ""));
    });
    let mut caller = Caller::of(gateway.http);
    assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
    let said = sidecar.called_with().unwrap_or_default();
    assert_eq!(said[0].get("dapr-app-id").unwrap(), "calls.prod");
    // Which calls are streams, only a policy may say.
    assert_eq!(said[0].get("dapr-stream").unwrap(), "false");
    passes(&mut caller);
}

#[test]
fn what_the_sidecar_refuses_is_an_error_of_the_call() {
    let why = "<set-header name=\"x-why\" exists-action=\"override\"><value>@(\
               context.LastError.Reason + \": \" + context.LastError.Message)</value></set-header>";
    let refused = |service: &str, token: &str| {
        let here = Here::with(service, ("", why), token);
        let status = Caller::of(here.gateway.http).unary(text("hi")).unwrap_err();
        let why = status.metadata().get("x-why").map(|why| why.to_str().unwrap().to_owned());
        (status.code(), why.unwrap_or_default())
    };
    let (code, why) = refused("dapr://nobody", TOKEN);
    assert_eq!(code, Code::Unavailable, "{why}");
    let start = "ERR_DIRECT_INVOKE: the Dapr sidecar answered grpc-status 2: couldn't find service";
    assert!(why.starts_with(start), "{why}");
    if std::env::var_os("WEIR_TEST_DAPR_GRPC_PORT").is_some() {
        return;
    }
    let (code, why) = refused("dapr://forbidden", TOKEN);
    assert_eq!(code, Code::PermissionDenied, "{why}");
    assert!(why.starts_with("ERR_DIRECT_INVOKE: the Dapr sidecar answered grpc-status 7"), "{why}");
    // The client has no part in that token.
    let (code, why) = refused(&format!("dapr://{CALLED}"), "another");
    assert_eq!(code, Code::Unavailable, "{why}");
    assert!(why.starts_with("DaprTokenRefused: ") && !why.contains("another"), "{why}");
}

#[test]
fn a_call_fails_where_there_is_no_sidecar_and_where_it_hangs() {
    let gateway = |port: u16, wait: &str| {
        Gateway::start(|site| {
            site.variables.push(("DAPR_GRPC_PORT".to_owned(), port.to_string()));
            api(site, "dapr://calls", ("", ""));
            site.file(
                "echo.xml",
                format!(
                    "<policies><inbound><base /></inbound><backend><forward-request timeout=\"{wait}\" />\
                     </backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
                ),
            );
        })
    };
    let absent = gateway(1, "5");
    let status = Caller::of(absent.http).unary(text("hi")).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let app = Calls::start();
    let sidecar = Sidecar::calls_stand_in(app.address(), "");
    let slow = gateway(sidecar.grpc_port(), "1");
    let status = Caller::of(slow.http).unary(text("sleep")).unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
}

#[test]
fn a_sidecar_is_asked_over_unix_sockets() {
    let app = Calls::start();
    let plain = Backend::replying(|seen| reply(200, &[], &seen.target));
    let calls = Sidecar::calls_stand_in(app.address(), TOKEN);
    let sidecar = Sidecar::stand_in(plain.port(), TOKEN);
    let folder = tempfile::tempdir().expect("a folder");
    let socket = |name: &str, port: u16| Socket::before(&folder.path().join(name), port);
    let http = socket("dapr-weir-http.socket", sidecar.port());
    let grpc = socket("dapr-weir-grpc.socket", calls.grpc_port());
    let gateway = Gateway::start(|site| {
        site.set("dapr-endpoint", &http.url());
        site.set("dapr-grpc-endpoint", &grpc.url());
        site.set("dapr-readiness", "true");
        site.variables.push(("DAPR_API_TOKEN".to_owned(), TOKEN.to_owned()));
        api(site, "dapr://calls", ("", ""));
        let publishes = "<publish-to-dapr topic=\"pubsub/new\">1</publish-to-dapr>";
        let inbound = Policies { inbound: publishes, ..Policies::default() };
        site.open_api("shop", "dapr://orders", inbound);
    });
    let mut caller = Caller::of(gateway.http);
    for _ in 0..2 {
        passes(&mut caller);
        assert_eq!(gateway.get("/shop/orders/17").text(), "/orders/17");
    }
    let seen = sidecar.seen().unwrap_or_default();
    assert!(seen.iter().any(|seen| seen.target.starts_with("/v1.0/publish/")));
}

#[test]
fn methods_of_the_sidecar_itself_are_nobodys_to_call() {
    let here = Here::start(&format!("dapr://{CALLED}"), "");
    let mut raw = Http2::clear(here.gateway.http);
    for method in ["dapr.proto.runtime.v1.Dapr/GetMetadata", "grpc.health.v1.Health/Check"] {
        let head = Asked::post(format!("http://gateway/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let answer = raw.ask(head, Some(Bytes::from_static(b"\0\0\0\0\0"))).unwrap();
        assert_eq!(answer.status_of_call(), Some("3"), "{answer:?}");
        let record = here.gateway.record(method);
        assert_eq!(record["lastErrorReason"], "DaprTargetRefused", "{record}");
    }
    passes(&mut Caller::of(here.gateway.http));
}
