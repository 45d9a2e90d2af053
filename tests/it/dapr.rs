//! Apps, topics and bindings behind Dapr's sidecar: what arrives there, what never does, and what
//! becomes of a request that the sidecar refuses, does not answer, or is not there for.
//!
//! Those that begin with [`Here::start`] run against a real daprd, too, where its ports are named
//! (`docs/dapr.md`).

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::backend::Seen;
use crate::harness::collector::{Collector, attribute, hex};
use crate::harness::gateway::{command, weir};
use crate::harness::sidecar::{BINDING, PUBSUB, Sidecar, app_port};
use crate::harness::{Backend, Gateway, Policies, Request, Site, reply, soon};

const TOKEN: &str = "canary-dapr-0123456789";
/// A span of what is asked of others.
const CLIENT: i32 = 3;
/// Says why a request is refused.
const WHY: &str = "<set-header name=\"X-Why\"><value>@(context.LastError.Source + \" \" + \
                   context.LastError.Reason + \": \" + context.LastError.Message)</value>\
                   </set-header>";

/// A gateway, its sidecar, and an app behind that.
struct Here {
    gateway: Gateway,
    sidecar: Sidecar,
    app: Backend,
    collector: Collector,
}

/// An app that takes events of the topic `new`.
fn app() -> Backend {
    Backend::on(app_port(), |seen| match seen.target.split('?').next().unwrap_or_default() {
        "/dapr/subscribe" => {
            let wanted = json!([{"pubsubname": PUBSUB, "topic": "new", "route": "/events"}]);
            reply(200, &[("Content-Type", "application/json")], &wanted.to_string())
        }
        "/events" => {
            reply(200, &[("Content-Type", "application/json")], "{\"status\":\"SUCCESS\"}")
        }
        "/failing" => {
            reply(500, &[("Content-Type", "application/json")], "{\"error\":\"out of stock\"}")
        }
        "/elsewhere" => reply(302, &[("Location", "/v1.0/metadata")], ""),
        _ => reply(200, &[("X-App", "orders")], &format!("{} bytes", seen.length)),
    })
}

/// A gateway whose sidecar listens on `port`, with an API for each of `apis`.
fn gateway(
    port: u16,
    token: &str,
    apis: &[(&str, Policies<'_>)],
    more: impl FnOnce(&mut Site),
) -> Gateway {
    Gateway::start(|site| {
        site.variables.push(("DAPR_HTTP_PORT".to_owned(), port.to_string()));
        if !token.is_empty() {
            site.variables.push(("DAPR_API_TOKEN".to_owned(), token.to_owned()));
        }
        for (id, policies) in apis {
            let policies = Policies { on_error: WHY, ..*policies };
            site.open_api(id, "http://127.0.0.1:1", policies);
        }
        more(site);
    })
}

fn traced(site: &mut Site, collector: &Collector) {
    site.set("telemetry-otlp-endpoint", &collector.url());
    site.set("telemetry-otlp-interval", "100ms");
    site.set("telemetry-traces-sampler", "always");
}

fn invoking(inbound: &str) -> Policies<'_> {
    Policies { inbound, ..Policies::default() }
}

/// A policy, and nothing forwarded.
fn alone(inbound: &str) -> Policies<'_> {
    Policies { inbound, backend: "<!-- nothing -->", ..Policies::default() }
}

impl Here {
    fn start(apis: &[(&str, Policies<'_>)]) -> Self {
        let app = app();
        let sidecar = Sidecar::start(app.port(), TOKEN);
        let collector = Collector::start();
        let gateway =
            gateway(sidecar.port(), &sidecar.token, apis, |site| traced(site, &collector));
        Self { gateway, sidecar, app, collector }
    }

    /// What the app was asked, but for its topics.
    fn asked(&self) -> Vec<Seen> {
        let all = self.app.seen().into_iter();
        all.filter(|seen| !seen.target.starts_with("/dapr/") && seen.target != "/healthz").collect()
    }
}

#[test]
fn an_app_is_invoked_and_nothing_of_a_client_speaks_to_the_sidecar() {
    let here = Here::start(&[(
        "shop",
        invoking(
            "<set-backend-service backend-id=\"dapr\" dapr-app-id=\"orders\" \
             dapr-method=\"@(&quot;/api//&quot; + context.Request.MatchedParameters[&quot;rest&quot;])\" />",
        ),
    )]);
    let basic = format!("Basic {}", STANDARD.encode("dapr-app-id:http://127.0.0.1:1"));
    let request = |body: &[u8]| {
        Request::post("/shop/v1/orders?page=2&metadata.ttlInSeconds=1", body)
            .field("Dapr-Api-Token", "mine")
            .field("Dapr-App-Id", "other")
            .field("dapr-callee-app-id", "other")
            .field("Destination-App-Id", "other")
            .field("Authorization", &basic)
            .field("X-Customer", "7")
            .field("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    };
    let answer = here.gateway.ask(&request(b"{\"order\": 1}"));
    assert_eq!((answer.status, answer.text()), (200, "12 bytes"), "{answer:?}");
    assert_eq!(answer.field("X-App"), Some("orders"));
    // A body that is not kept goes the same way.
    let large = vec![b'x'; 600 << 10];
    assert_eq!(here.gateway.ask(&request(&large)).text(), "614400 bytes");
    let asked = here.asked();
    for seen in &asked {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api/v1/orders?page=2"));
        assert_eq!(seen.field("x-customer"), Some("7"));
        assert_eq!(seen.field("authorization"), None);
        let trace = seen.field("traceparent").unwrap();
        assert!(trace.contains("4bf92f3577b34da6a3ce929d0e0e4736") && !trace.contains("00f067aa"));
        assert!(!format!("{seen:?}").contains("mine") && !format!("{seen:?}").contains(TOKEN));
    }
    assert_eq!(asked.len(), 2);
    // The gateway also looks by itself what the sidecar has.
    let seen = here.sidecar.seen().unwrap_or_default().into_iter();
    for seen in seen.filter(|seen| seen.target != "/v1.0/metadata") {
        assert_eq!(seen.all("dapr-api-token"), [TOKEN]);
        assert_eq!(seen.target, "/v1.0/invoke/orders/method/api/v1/orders?page=2");
        assert!(!format!("{seen:?}").contains("other"), "{seen:?}");
    }
}

#[test]
fn an_app_is_a_backend_without_any_policy() {
    let app = app();
    let sidecar = Sidecar::start(app.port(), TOKEN);
    let asks = "<invoke-request backend-id=\"stock\" url=\"@(&quot;/&quot; + \
                context.Request.Headers.GetValueOrDefault(&quot;X-Path&quot;, &quot;&quot;))\"><header \
                name=\"dapr-app-id\" value=\"other\" /></invoke-request>";
    let gateway = gateway(sidecar.port(), &sidecar.token, &[("asked", alone(asks))], |site| {
        site.yaml("backends:\n  - {id: stock, url: dapr://orders/stock}\n");
        site.open_api("whole", "dapr://orders", Policies::default());
        site.open_api("part", "dapr://orders/api/v1", Policies::default());
        let named = invoking("<set-backend-service backend-id=\"stock\" />");
        site.open_api("named", "http://127.0.0.1:1", named);
    });
    for (target, found) in [
        ("/whole/a/b?c=1&metadata.x=1", "/a/b?c=1"),
        ("/part/a%20b/", "/api/v1/a%20b/"),
        ("/named/a", "/stock/a"),
        ("/asked/x", "/stock"),
    ] {
        let answer = gateway.ask(&Request::get(target).field("dapr-app-id", "other"));
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let seen = app.last();
        assert_eq!(seen.target.trim_end_matches('/'), found.trim_end_matches('/'), "{target}");
        assert!(!format!("{seen:?}").contains("other"), "{seen:?}");
    }
    let up = gateway.ask(&Request::get("/asked/x").field("X-Path", "../../../../metadata"));
    assert_eq!(up.status, 500);
    assert!(up.field("X-Why").unwrap_or_default().contains("DaprTargetRefused"));
}

#[test]
fn what_the_sidecar_refuses_is_told_from_what_the_app_answers() {
    let apis: Vec<(&str, String)> = [
        ("failing", "orders", "failing"),
        ("absent", "nobody", "x"),
        ("elsewhere", "orders", "elsewhere"),
    ]
    .into_iter()
    .map(|(id, app, method)| {
        let policy = format!(
            "<set-backend-service backend-id=\"dapr\" dapr-app-id=\"{app}\" dapr-method=\"{method}\" />"
        );
        (id, policy)
    })
    .collect();
    let mut apis: Vec<(&str, Policies<'_>)> =
        apis.iter().map(|(id, policy)| (*id, invoking(policy))).collect();
    let follows = "<forward-request follow-redirects=\"true\" />";
    apis[2].1.backend = follows;
    let here = Here::start(&apis);
    let own = here.gateway.get("/failing/x");
    assert_eq!((own.status, own.text()), (500, "{\"error\":\"out of stock\"}"));
    let refused = here.gateway.get("/absent/x");
    assert_eq!(refused.status, 502, "{refused:?}");
    let why = refused.field("X-Why").unwrap_or_default();
    let start = "forward-request ERR_DIRECT_INVOKE: the Dapr sidecar answered 500, \
                 ERR_DIRECT_INVOKE: failed to invoke, id: nobody";
    assert!(why.starts_with(start), "{why}");
    // A redirect would lead to the sidecar itself.
    let elsewhere = here.gateway.get("/elsewhere/x");
    assert_eq!((elsewhere.status, elsewhere.field("Location")), (302, Some("/v1.0/metadata")));
}

#[test]
fn a_message_arrives_as_an_event_with_the_trace_of_its_request() {
    let publishes = "<publish-to-dapr pubsub-name=\"pubsub\" topic=\"new\" \
                     response-variable-name=\"said\">@(context.Request.Body.As&lt;string&gt;())\
                     </publish-to-dapr><set-variable name=\"s\" \
                     value=\"@(((IResponse)context.Variables[&quot;said&quot;]).StatusCode)\" />";
    let own = "<publish-to-dapr topic=\"pubsub/new\" content-type=\"application/cloudevents+json\">\
               {\"specversion\":\"1.0\",\"id\":\"o-1\",\"type\":\"shop.order\",\"source\":\"/shop\",\
               \"data\":{\"order\":2}}</publish-to-dapr>";
    let unknown = "<publish-to-dapr pubsub-name=\"absent\" topic=\"new\">1</publish-to-dapr>";
    let here = Here::start(&[
        ("wrapped", alone(publishes)),
        ("own", alone(own)),
        ("unknown", alone(unknown)),
    ]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let events = |count: usize| {
        let found = soon(|| {
            let all = here.asked().into_iter().filter(|seen| seen.target == "/events");
            let all: Vec<Seen> = all.collect();
            (count <= all.len()).then_some(all)
        });
        let read = |seen: &Seen| serde_json::from_slice::<Value>(&seen.body).expect("an event");
        found.expect("an event").iter().map(read).collect::<Vec<_>>()
    };
    let request = Request::post("/wrapped/x", "{\"order\": 1}").field("traceparent", trace);
    assert_eq!(here.gateway.ask(&request).status, 200);
    // The gateway's own, and that of the call, which belong to the client's trace.
    let spans = here.collector.await_spans(2);
    assert!(spans.iter().all(|span| trace.contains(&hex(&span.trace_id))), "{spans:?}");
    let call = spans.iter().find(|span| span.kind == CLIENT).expect("the span of the call");
    let port = attribute(&call.attributes, "server.port");
    assert_eq!(port, Some(here.sidecar.port().to_string()), "{call:?}");
    let method = attribute(&call.attributes, "http.request.method");
    assert_eq!(method.as_deref(), Some("POST"), "{call:?}");
    let event = events(1).remove(0);
    if here.sidecar.seen().is_some() {
        // A sidecar of one's own goes on with a span of its own.
        let expected = format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id));
        assert_eq!(event["traceparent"], expected);
    }
    assert_eq!((&event["data"], &event["topic"]), (&json!({"order": 1}), &json!("new")));
    assert_eq!(
        (&event["specversion"], &event["type"]),
        (&json!("1.0"), &json!("com.dapr.event.sent"))
    );
    let traced = event["traceparent"].as_str().unwrap_or_default();
    assert!(traced.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{event}");
    assert_eq!(here.gateway.get("/own/x").status, 200);
    let event = events(2).remove(1);
    assert_eq!(
        (&event["id"], &event["type"], &event["data"]),
        (&json!("o-1"), &json!("shop.order"), &json!({"order": 2}))
    );
    let refused = here.gateway.get("/unknown/x");
    assert_eq!(refused.status, 502);
    let why = refused.field("X-Why").unwrap_or_default();
    assert!(why.starts_with("publish-to-dapr ERR_PUBSUB_NOT_FOUND: "), "{why}");
}

#[test]
fn a_binding_answers_and_one_that_is_not_there_is_an_error() {
    let asks = |name: &str| {
        format!(
            "<invoke-dapr-binding name=\"{name}\" operation=\"create\" \
             response-variable-name=\"said\"><metadata><item key=\"to\">\
             @(context.Request.Method)</item></metadata><data>{{\"order\": 1}}</data>\
             </invoke-dapr-binding><return-response response-variable-name=\"said\" />"
        )
    };
    let (there, absent) = (asks(BINDING), asks("absent"));
    let here = Here::start(&[("there", alone(&there)), ("absent", alone(&absent))]);
    let answer = here.gateway.get("/there/x");
    assert_eq!(answer.status, 200, "{answer:?}");
    let refused = here.gateway.get("/absent/x");
    assert_eq!(refused.status, 502);
    let why = refused.field("X-Why").unwrap_or_default();
    assert!(why.starts_with("invoke-dapr-binding ERR_INVOKE_OUTPUT_BINDING: "), "{why}");
    if here.sidecar.seen().is_some() {
        let asked: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let expected =
            json!({"operation": "create", "metadata": {"to": "GET"}, "data": {"order": 1}});
        assert_eq!(asked, expected);
    }
}

/// Policies that need a sidecar, each in its way.
const NEEDY: [(&str, Policies<'static>); 4] = [
    (
        "invoke",
        Policies {
            inbound: "<set-backend-service backend-id=\"dapr\" dapr-app-id=\"orders\" \
                      dapr-method=\"forbidden\" />",
            backend: "<forward-request timeout=\"1\" />",
            outbound: "",
            on_error: "",
        },
    ),
    (
        "publish",
        Policies {
            inbound: "<publish-to-dapr topic=\"pubsub/forbidden\" timeout=\"1\">1</publish-to-dapr>",
            backend: "<!-- nothing -->",
            outbound: "",
            on_error: "",
        },
    ),
    (
        "bind",
        Policies {
            inbound: "<invoke-dapr-binding name=\"mails\" timeout=\"1\"><data>1</data>\
                      </invoke-dapr-binding>",
            backend: "<!-- nothing -->",
            outbound: "",
            on_error: "",
        },
    ),
    (
        "ignore",
        Policies {
            inbound: "<publish-to-dapr topic=\"pubsub/forbidden\" timeout=\"1\" \
                      ignore-error=\"true\">1</publish-to-dapr>",
            backend: "<!-- nothing -->",
            outbound: "",
            on_error: "",
        },
    ),
];

fn statuses(gateway: &Gateway) -> [u16; 4] {
    NEEDY.map(|(id, _)| gateway.get(&format!("/{id}/x")).status)
}

#[test]
fn without_a_sidecar_a_request_fails_and_says_so() {
    let gateway = gateway(1, "", &NEEDY, |_site| {});
    assert_eq!(statuses(&gateway), [502, 502, 502, 200]);
    let why = gateway.get("/publish/x").field("X-Why").map(str::to_owned);
    let why = why.unwrap_or_default();
    assert!(why.starts_with("publish-to-dapr BackendConnectionFailure: Dapr: "), "{why}");
    let why = gateway.get("/invoke/x").field("X-Why").map(str::to_owned);
    let why = why.unwrap_or_default();
    assert!(why.starts_with("forward-request BackendConnectionFailure: Dapr: "), "{why}");
}

#[test]
fn a_sidecar_that_hangs_is_waited_for_as_long_as_the_policy_says() {
    let silent = Backend::raw(|stream, _number| {
        std::thread::sleep(Duration::from_secs(10));
        drop(stream);
        Ok(())
    });
    let gateway = gateway(silent.port(), "", &NEEDY, |_site| {});
    let begun = Instant::now();
    assert_eq!(statuses(&gateway), [504, 504, 504, 200]);
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn a_refusal_of_the_sidecar_is_passed_on_as_what_it_is() {
    let app = app();
    let sidecar = Sidecar::stand_in(app.port(), TOKEN);
    let allowed = gateway(sidecar.port(), TOKEN, &NEEDY, |_site| {});
    assert_eq!(statuses(&allowed), [403, 403, 502, 200]);
    assert_eq!(app.count(), 0);
    let stranger = gateway(sidecar.port(), "another", &NEEDY, |_site| {});
    assert_eq!(statuses(&stranger), [502, 502, 502, 200]);
    let why = stranger.get("/invoke/x").field("X-Why").map(str::to_owned).unwrap_or_default();
    assert!(why.contains("DaprTokenRefused") && why.contains("DAPR_API_TOKEN"), "{why}");
}

#[test]
fn the_token_is_in_no_signal() {
    let (app, collector) = (app(), Collector::start());
    let sidecar = Sidecar::start(app.port(), TOKEN);
    let shown = "<set-header name=\"X-Shown\"><value>@(\"is \" + context.Variables.Count)</value>\
                 </set-header><trace source=\"t\"><message>canary-dapr-0123456789</message></trace>";
    let mut apis = NEEDY.to_vec();
    apis.push(("traced", alone(shown)));
    // A sidecar that wants none is shown one nevertheless.
    let gateway = gateway(sidecar.port(), TOKEN, &apis, |site| {
        traced(site, &collector);
        site.set("log-level", "all");
    });
    statuses(&gateway);
    assert_eq!(gateway.get("/traced/x").status, 200);
    collector.await_spans(5);
    let told = gateway.events().join("\n")
        + gateway.admin("/status").text()
        + gateway.admin("/metrics").text();
    assert!(!told.contains(TOKEN), "{told}");
    assert!(!format!("{collector:?}").contains(TOKEN));
}

#[test]
fn a_gateway_that_needs_a_sidecar_is_ready_when_that_is() {
    let is_up = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_up);
    let sidecar = Backend::replying(move |seen| {
        if told.load(Ordering::SeqCst) && seen.target == "/v1.0/healthz/outbound" {
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
        } else {
            reply(500, &[], "{\"errorCode\":\"ERR_OUTBOUND_HEALTH_NOT_READY\"}")
        }
    });
    let start = |apis: &[(&str, Policies<'_>)]| {
        let mut site = Site::new();
        site.set("dapr-readiness", "true");
        site.set("dapr-endpoint", &format!("http://127.0.0.1:{}", sidecar.port()));
        for (id, policies) in apis {
            site.open_api(id, "http://127.0.0.1:1", *policies);
        }
        Gateway::listening(site)
    };
    let gateway = start(&NEEDY);
    let waits = gateway.admin("/readyz");
    assert_eq!((waits.status, waits.text()), (503, "the Dapr sidecar is not ready\n"));
    let other = start(&[("echo", Policies::default())]);
    assert_eq!(other.admin("/readyz").status, 200, "it needs none");
    is_up.store(true, Ordering::SeqCst);
    assert!(soon(|| (gateway.admin("/readyz").status == 200).then_some(())).is_some());
}

#[test]
fn what_policies_name_is_looked_for_at_the_sidecar() {
    let sidecar = Sidecar::start(1, TOKEN);
    let check = |inbound: &str, port: u16| {
        let mut site = Site::new();
        site.open_api("shop", "http://127.0.0.1:1", alone(inbound));
        let folder = site.path().display().to_string();
        let mut command = command();
        command.args(["check", "--live", "--config", &folder]);
        command.env("DAPR_HTTP_PORT", port.to_string()).env("DAPR_API_TOKEN", &sidecar.token);
        let output = command.output().expect("weir runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let there = "<publish-to-dapr topic=\"pubsub/new\">1</publish-to-dapr>\
                 <invoke-dapr-binding name=\"mails\"><data>1</data></invoke-dapr-binding>";
    let (code, told) = check(there, sidecar.port());
    assert_eq!(code, Some(0), "{told}");
    let answers = if sidecar.seen().is_some() { "1.18.3 answers, with 3" } else { "answers, with" };
    assert!(told.contains("the Dapr sidecar ") && told.contains(answers), "{told}");
    let absent = "<invoke-dapr-binding name=\"mail\"><data>1</data></invoke-dapr-binding>";
    let (code, told) = check(absent, sidecar.port());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("error: the Dapr sidecar has no component `mail`"), "{told}");
    assert!(told.contains("did you mean `mails`?") && told.contains("shop.xml"), "{told}");
    let (code, told) = check(there, 1);
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("the Dapr sidecar at http://127.0.0.1:1: "), "{told}");
    let (code, told) = check("", 1);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("nothing of it needs a Dapr sidecar"), "{told}");
}

/// A gateway over one of the examples.
fn example(name: &str, sidecar: &Sidecar) -> Gateway {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(name);
    let checked = weir(&["check", "--config", &from.display().to_string()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    gateway(sidecar.port(), &sidecar.token, &[], |site| {
        for entry in fs::read_dir(&from).expect("the example") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            site.file(&name, fs::read(&path).expect("its text"));
        }
    })
}

#[test]
fn the_examples_do_what_they_say() {
    let app = app();
    let sidecar = Sidecar::start(app.port(), TOKEN);
    let invoke = example("dapr-invoke", &sidecar);
    assert_eq!(invoke.get("/shop/orders/17").text(), "0 bytes");
    assert_eq!(app.last().target, "/orders/17");
    let publish = example("dapr-publish", &sidecar);
    let answer = publish.ask(&Request::post("/shop/orders", "{\"item\": \"tea\"}"));
    assert_eq!(answer.status, 202, "{answer:?}");
    let event = soon(|| {
        let found = app.seen().into_iter().find(|seen| seen.target == "/events")?;
        serde_json::from_slice::<Value>(&found.body).ok()
    });
    let event = event.expect("an event");
    assert_eq!(
        (&event["type"], &event["data"]["item"]),
        (&json!("shop.order.placed"), &json!("tea"))
    );
    assert_eq!((&event["source"], &event["specversion"]), (&json!("/shop"), &json!("1.0")));
}
