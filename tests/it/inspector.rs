//! The inspector: what a request went through, for whoever has a credential, on any replica; and that
//! nothing secret is in it.

use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::client::Answer;
use crate::harness::gateway::weir;
use crate::harness::redis::Redis;
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, reply, soon};
use crate::limits_command::fleet;

const CREDENTIAL: &str = "Apim-Debug-Authorization";
const LEGACY: &str = "Ocp-Apim-Trace";

/// A credential for `api`.
fn credential(gateway: &Gateway, api: &str, life: &str) -> String {
    let answer = made(gateway, &format!(r#"{{"apiId":"{api}","expiresAfter":"{life}"}}"#));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let made: Value = serde_json::from_slice(&answer.body).expect("JSON");
    made["token"].as_str().expect("a token").to_owned()
}

fn made(gateway: &Gateway, body: &str) -> Answer {
    let request = Request::post("/inspector/credentials", body).host("localhost");
    Client::connect(gateway.admin).ask(&request)
}

/// Waits for a trace: it is kept after its response is out.
fn trace(gateway: &Gateway, id: &str) -> Value {
    let find = || {
        let answer = gateway.admin(&format!("/inspector/traces/{id}"));
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).expect("JSON"))
    };
    soon(find).unwrap_or_else(|| panic!("no trace {id}"))
}

fn id_of(answer: &Answer) -> String {
    let id = answer.field("Apim-Trace-Id");
    id.unwrap_or_else(|| panic!("no id: {answer:?}")).to_owned()
}

/// The entries of a trace, a line each: section, source, place, message.
fn lines(trace: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for section in ["inbound", "backend", "outbound", "on-error"] {
        for entry in trace["traceEntries"][section].as_array().expect("a list") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (source, data) = (text(&entry["source"]), &entry["data"]);
            let (place, message) = (text(&data["place"]), text(&data["message"]));
            lines.push(format!("{section} {source} {place} {message}"));
        }
    }
    lines
}

fn has(trace: &Value, begins: &str, part: &str) {
    let lines = lines(trace);
    let found = lines.iter().any(|line| line.starts_with(begins) && line.contains(part));
    assert!(found, "no `{begins}` with `{part}` in\n{}", lines.join("\n"));
}

const INBOUND: &str = r#"
<set-variable name="who" value="@(context.Request.Headers.GetValueOrDefault("who", "all"))" />
<choose><when condition='@(context.Variables.GetValueOrDefault<string>("who") == "jane")'>
<set-header name="X-Seen" exists-action="override"><value>yes</value></set-header>
</when></choose>
<rate-limit-by-key calls="2" renewal-period="60" counter-key='@(context.Variables.GetValueOrDefault<string>("who"))' />
<cache-lookup-value key="nothing" variable-name="kept" />
<trace source="app" severity="information"><message>a word from the policy</message></trace>
<rewrite-uri template="/elsewhere" />"#;

#[test]
fn a_trace_tells_every_step() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        let outbound =
            "<set-header name=\"X-Out\" exists-action=\"override\"><value>1</value></set-header>";
        let policies = Policies { inbound: INBOUND, outbound, ..Policies::default() };
        site.open_api("api", &backend.url(), policies);
    });
    let token = credential(&gateway, "api", "PT10M");
    let ask =
        || gateway.ask(&Request::get("/api/x?a=1").field("who", "jane").field(CREDENTIAL, &token));
    let answer = ask();
    assert_eq!((answer.status, answer.field("X-Out")), (200, Some("1")));
    assert_eq!(backend.last().field(CREDENTIAL), None, "it stays at the gateway");
    let trace_of = trace(&gateway, &id_of(&answer));
    assert_eq!(trace_of["traceId"], id_of(&answer));
    let first = &trace_of["traceEntries"]["inbound"][0];
    assert_eq!(first["source"], "api-inspector");
    assert_eq!(first["data"]["request"]["method"], "GET");
    let known = &first["data"]["configuration"];
    assert_eq!((&known["operation"], &known["counters"]), (&"get".into(), &"memory".into()));
    assert!(first["elapsed"].as_str().unwrap().starts_with("00:00:00."), "{first}");
    has(&trace_of, "inbound api-inspector ", "/api/x?a=1");
    has(&trace_of, "inbound set-variable api.xml:2:1", "sets variable who: jane");
    has(&trace_of, "inbound choose api.xml:3:", "the condition holds");
    has(&trace_of, "inbound set-header api.xml:4:1", "sets request header X-Seen: yes");
    let counted = "rate-limit-by-key (fast) of `jane`: allowed, 1 of 2 used, 1 left";
    has(&trace_of, "inbound rate-limit-by-key api.xml:6:1", counted);
    has(&trace_of, "inbound cache-lookup-value ", "the cache: miss");
    has(&trace_of, "inbound trace ", "says: a word from the policy");
    has(&trace_of, "inbound rewrite-uri ", "/elsewhere");
    has(&trace_of, "backend request-forwarder ", "time-out 300 s");
    has(&trace_of, "backend request-forwarder ", "answered 200");
    has(&trace_of, "outbound set-header ", "sets response header X-Out: 1");
    has(&trace_of, "outbound transfer-response ", "answered 200");
    let forwarded = &trace_of["traceEntries"]["backend"][0]["data"];
    assert_eq!(forwarded["tries"][0]["status"], 200);
    assert_eq!(ask().status, 200);
    let refused = ask();
    assert_eq!(refused.status, 429);
    let trace_of = trace(&gateway, &id_of(&refused));
    has(&trace_of, "inbound rate-limit-by-key ", "refused, 2 of 2 used, 0 left");
    has(&trace_of, "inbound rate-limit-by-key ", "fails with RateLimitExceeded");
    has(&trace_of, "on-error transfer-response ", "answered 429");
    let latest: Value = serde_json::from_slice(&gateway.admin("/inspector/traces").body).unwrap();
    let latest = latest["traces"].as_array().unwrap();
    assert_eq!(latest.len(), 3);
    let first = &latest[0];
    assert_eq!((&first["status"], &first["path"]), (&429.into(), &"/api/x".into()), "{first}");
}

#[test]
fn whoever_has_no_good_credential_sees_nothing() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        for api in ["api", "other"] {
            site.open_api(api, &backend.url(), Policies::default());
        }
    });
    let good = credential(&gateway, "api", "10m");
    let short = credential(&gateway, "api", "PT1S");
    let ask = |path: &str, token: &str| {
        let answer = gateway.ask(&Request::get(path).field(CREDENTIAL, token));
        assert_eq!(answer.status, 200);
        assert_eq!(backend.last().field(CREDENTIAL), None);
        let told = ["Apim-Trace-Id", "Apim-Debug-Authorization-Expired"];
        let told = told.map(|name| answer.field(name).is_some());
        [told[0], told[1], answer.field("Apim-Debug-Authorization-WrongAPI").is_some()]
    };
    assert_eq!(ask("/api/x", &good), [true, false, false]);
    assert_eq!(ask("/other/x", &good), [false, false, true]);
    let expires = || ask("/api/x", &short)[1].then_some(());
    assert!(soon(expires).is_some());
    let forged = good.replacen("v1.", "v1.9", 1);
    for unreadable in [forged.as_str(), "nonsense", "", "v1.1.YXBp.YXBp", &good[..good.len() - 1]] {
        assert_eq!(ask("/api/x", unreadable), [false; 3], "{unreadable}");
    }
    let twice = Request::get("/api/x").field(CREDENTIAL, &good).field(CREDENTIAL, &good);
    assert_eq!(gateway.ask(&twice).field("Apim-Trace-Id"), None);
    assert_eq!(backend.last().field(CREDENTIAL), None);
    assert_eq!(gateway.get("/api/x").field("Apim-Trace-Id"), None);
    for (body, status, part) in [
        (r#"{"apiId":"nobody"}"#, 404, "there is no API `nobody`"),
        (r#"{"apiId":"api","expiresAfter":"PT2H"}"#, 400, "at most one hour"),
        (r#"{"api":"api"}"#, 400, "unknown field"),
        ("", 400, "apiId"),
    ] {
        let answer = made(&gateway, body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let missing = gateway.admin("/inspector/traces/0-0");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("make the request again"), "{}", missing.text());
    let line: Value = serde_json::from_str(&gateway.event("debug credential made")).unwrap();
    assert_eq!((&line["audit"], &line["subject"]), (&true.into(), &"api".into()), "{line}");
    let all = gateway.events().join("\n") + &format!("{:?}", gateway.records());
    assert!(!all.contains(&good), "a credential is in the log");
}

#[test]
fn nothing_secret_is_in_a_trace() {
    let backend =
        Backend::replying(|_| reply(200, &[("Set-Cookie", "sid=cookie-of-the-backend")], "ok"));
    let inbound = r#"
<set-header name="X-Plain" exists-action="override"><value>before {{named}} after</value></set-header>
<set-variable name="copied" value="@(context.Request.Headers.GetValueOrDefault("Authorization", ""))" />
<set-variable name="part" value="@(context.Request.Headers.GetValueOrDefault("Authorization", "").Split(' ')[1])" />
<set-variable name="cookie" value="@(context.Request.Headers.GetValueOrDefault("Cookie", ""))" />
<set-variable name="mine" value="@(context.Subscription.PrimaryKey)" />
<set-variable name="jwt" value="eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.signature-of-the-jwt" />
<trace source="app"><message>@("told " + context.Request.Headers.GetValueOrDefault("Cookie", "") + "{{named}}")</message></trace>
<authentication-basic username="user" password="password-of-the-backend" />
<set-query-parameter name="sig" exists-action="override"><value>signature-of-the-url</value></set-query-parameter>"#;
    let gateway = Gateway::start(|site: &mut Site| {
        site.file("api.xml", Policies { inbound, ..Policies::default() }.text());
        site.file("named.txt", "the-secret-named-value");
        site.yaml(format!(
            "apis:\n  - id: api\n    path: api\n    serviceUrl: {}\n    policy: api.xml\n    \
             operations: [{{id: get, method: GET, urlTemplate: '/{{*rest}}'}}]\nsubscriptions:\n  - \
             {{id: jane, scope: /apis, primaryKey: key-of-jane-one, secondaryKey: key-of-jane-two}}\n\
             namedValues:\n  - {{name: named, secret: true, value: {{file: named.txt}}}}\n",
            backend.url()
        ));
    });
    let token = credential(&gateway, "api", "10m");
    let base = || {
        Request::get("/api/x?access_token=token-in-the-query&plain=shown-in-the-query")
            .field("Authorization", "Bearer token-of-the-client")
            .field("Cookie", "sid=cookie-of-the-client; theme=cookie-two-of-the-client")
            .field("Proxy-Authorization", "Basic cHJveHk6cGFzc3dvcmQtb2YtdGhlLXByb3h5")
            .field("X-Api-Token", "token-of-another-field")
            .field(CREDENTIAL, &token)
    };
    let in_header = base().key("key-of-jane-one");
    let mut in_query = base();
    in_query = Request::get("/api/x?subscription-key=key-of-jane-two&plain=shown-in-the-query")
        .field("Authorization", "Bearer token-of-the-client")
        .field(CREDENTIAL, &token)
        .field("X-Was", &format!("{}", u8::from(in_query.bytes().is_empty())));
    for request in [in_header, in_query] {
        let answer = gateway.ask(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let trace_of = trace(&gateway, &id_of(&answer));
        let text = trace_of.to_string();
        for secret in [
            "the-secret-named-value",
            "token-of-the-client",
            "cookie-of-the-client",
            "cookie-two-of-the-client",
            "cookie-of-the-backend",
            "key-of-jane-one",
            "key-of-jane-two",
            "password-of-the-proxy",
            "cHJveHk6cGFzc3dvcmQtb2YtdGhlLXByb3h5",
            "token-of-another-field",
            "token-in-the-query",
            "signature-of-the-jwt",
            "signature-of-the-url",
            "password-of-the-backend",
            "dXNlcjpwYXNzd29yZC1vZi10aGUtYmFja2VuZA",
            token.as_str(),
        ] {
            assert!(!text.contains(secret), "{secret} is in\n{}", lines(&trace_of).join("\n"));
        }
        assert!(text.contains("shown-in-the-query"), "{text}");
        has(&trace_of, "inbound set-header ", "before (secret) after");
        has(&trace_of, "inbound set-variable ", "sets variable copied: (secret)");
    }
}

#[test]
fn a_request_without_policies_and_one_that_streams_are_seen_too() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.yaml(format!(
            "apis:\n  - id: api\n    path: api\n    serviceUrl: {}\n    subscriptionRequired: false\n    \
             operations:\n      - {{id: get, method: GET, urlTemplate: '/{{*rest}}'}}\n      - {{id: put, \
             method: PUT, urlTemplate: '/{{*rest}}'}}\n",
            backend.url()
        ));
    });
    let token = credential(&gateway, "api", "10m");
    let large = "x".repeat(200_000);
    for request in
        [Request::get("/api/x"), Request::new("PUT", "/api/x").field("Content-Length", "200000")]
    {
        let is_put = String::from_utf8_lossy(&request.bytes()).starts_with("PUT");
        let mut client = gateway.client();
        client.send(request.field(CREDENTIAL, &token).bytes());
        if is_put {
            client.send(&large);
        }
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert_eq!(backend.last().field(CREDENTIAL), None);
        let trace_of = trace(&gateway, &id_of(&answer));
        has(&trace_of, "backend request-forwarder ", "answered 200");
        has(&trace_of, "outbound transfer-response ", "answered 200");
    }
    let wrong = gateway.ask(&Request::post("/api/x", "").field(CREDENTIAL, &token));
    assert_eq!(wrong.status, 404);
    let trace_of = trace(&gateway, &id_of(&wrong));
    has(&trace_of, "inbound ", "fails with OperationNotFound");
    has(&trace_of, "on-error transfer-response ", "answered 404");
}

#[test]
fn attempts_are_told_one_by_one() {
    let gateway = Gateway::start(|site| {
        let backend = "<retry condition=\"@(context.Response.StatusCode == 500)\" count=\"2\" \
                       interval=\"0\"><forward-request timeout=\"7\" /></retry>";
        site.open_api("api", "http://127.0.0.1:9", Policies { backend, ..Policies::default() });
    });
    let token = credential(&gateway, "api", "10m");
    let answer = gateway.ask(&Request::get("/api/x").field(CREDENTIAL, &token));
    assert_eq!(answer.status, 500);
    let trace_of = trace(&gateway, &id_of(&answer));
    let forwards: Vec<Value> = trace_of["traceEntries"]["backend"].as_array().unwrap().clone();
    let forwards: Vec<_> =
        forwards.iter().filter(|entry| entry["source"] == "request-forwarder").collect();
    assert_eq!(forwards.len(), 3, "{}", lines(&trace_of).join("\n"));
    for forward in forwards {
        assert_eq!(forward["data"]["timeoutSeconds"], 7.0, "{forward}");
        let failure = forward["data"]["tries"][0]["failure"].as_str().unwrap();
        assert!(failure.contains("127.0.0.1:9"), "{failure}");
    }
    has(&trace_of, "backend request-forwarder ", "fails with BackendConnectionFailure");
}

#[test]
fn any_replica_takes_a_credential_and_shows_a_trace() {
    let redis = Redis::start();
    let backend = Backend::plain();
    let gateways: [Gateway; 2] = fleet(&redis, |site| {
        site.open_api("api", &backend.url(), Policies { inbound: INBOUND, ..Policies::default() });
    });
    let [one, other] = &gateways;
    let is_shared = || {
        let answer = made(one, r#"{"apiId":"api"}"#);
        let made: Value = serde_json::from_slice(&answer.body).expect("JSON");
        (made["allReplicas"] == true).then(|| made["token"].as_str().unwrap().to_owned())
    };
    let token = soon(is_shared).expect("replicas agree on a key");
    let served = || {
        let answer =
            other.ask(&Request::get("/api/x").field("who", "jo").field(CREDENTIAL, &token));
        answer.field("Apim-Trace-Id").map(str::to_owned)
    };
    let id = soon(served).expect("the other replica takes it");
    let trace_of = trace(one, &id);
    has(&trace_of, "inbound set-variable ", "sets variable who: jo");
    has(&trace_of, "inbound rate-limit-by-key ", "rate-limit-by-key (fast) of `jo`");
    let latest: Value = serde_json::from_slice(&one.admin("/inspector/traces").body).unwrap();
    assert_eq!(latest["traces"][0]["traceId"], id, "{latest}");
    // Without Redis a replica still shows what it served, and says why it shows nothing else.
    drop(redis);
    assert_eq!(trace(other, &id), trace_of);
    let missing = one.admin(&format!("/inspector/traces/{id}"));
    assert_eq!(missing.status, 503);
    assert!(missing.text().contains("ask the replica that served"), "{}", missing.text());
    let answer = other.ask(&Request::get("/api/x").field("who", "al").field(CREDENTIAL, &token));
    assert!(answer.field("Apim-Trace-Id").is_some());
}

#[test]
fn the_old_way_is_there_where_a_setting_and_a_subscription_allow_it() {
    let backend = Backend::plain();
    let write = |site: &mut Site| {
        site.yaml(format!(
            "apis:\n  - id: api\n    path: api\n    serviceUrl: {}\n    operations: [{{id: get, method: \
             GET, urlTemplate: '/{{*rest}}'}}]\nsubscriptions:\n  - {{id: jane, scope: /apis, \
             primaryKey: key-of-jane, allowTracing: true}}\n  - {{id: joe, scope: /apis, primaryKey: \
             key-of-joe}}\n",
            backend.url()
        ));
    };
    let off = Gateway::start(write);
    let on = Gateway::start(|site| {
        write(site);
        site.set("inspector-legacy", "true");
        site.set("inspector-url", "https://weir.example/");
    });
    let ask = |gateway: &Gateway, key: &str, value: &str| {
        let answer = gateway.ask(&Request::get("/api/x").key(key).field(LEGACY, value));
        assert_eq!(answer.status, 200);
        answer.field("Ocp-Apim-Trace-Location").map(str::to_owned)
    };
    assert_eq!(ask(&off, "key-of-jane", "true"), None);
    assert_eq!(ask(&on, "key-of-joe", "true"), None);
    assert_eq!(ask(&on, "key-of-jane", "false"), None);
    let location = ask(&on, "key-of-jane", "true").expect("a trace");
    assert_eq!(backend.last().field(LEGACY), None);
    let id = location.strip_prefix("https://weir.example/inspector/traces/").expect("its address");
    let trace_of = trace(&on, id);
    assert_eq!(
        trace_of["traceEntries"]["inbound"][0]["data"]["configuration"]["subscription"],
        "jane"
    );
}

/// Runs `weir trace` against a gateway.
fn command(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String, String) {
    let admin = gateway.admin.to_string();
    let mut all = vec!["trace", "--admin", &admin];
    all.extend_from_slice(arguments);
    let Output { status, stdout, stderr } = weir(&all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_person_sees_a_trace_with_one_command() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("api", &backend.url(), Policies { inbound: INBOUND, ..Policies::default() });
        site.open_api("other", &backend.url(), Policies::default());
    });
    let url = format!("http://{}/api/x", gateway.http);
    let (code, text, errors) =
        command(&gateway, &["call", "--api", "api", &url, "-H", "who: jane", "--data", "hello"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.starts_with("answered 200 "), "{text}");
    assert!(text.contains("ELAPSED") && text.contains("sets variable who: jane"), "{text}");
    assert_eq!(backend.last().text(), "hello");
    let (code, text, errors) = command(&gateway, &["call", "--api", "api", &url, "--json"]);
    assert_eq!(code, Some(0), "{errors}");
    let trace_of: Value = serde_json::from_str(&text).expect("JSON");
    let id = trace_of["traceId"].as_str().unwrap();
    let (code, text, _) = command(&gateway, &["show", id]);
    assert!(code == Some(0) && text.contains("request-forwarder"), "{text}");
    let (code, text, _) = command(&gateway, &["list"]);
    assert!(code == Some(0) && text.contains(id) && text.contains("/api/x"), "{text}");
    let (code, text, _) = command(&gateway, &["credential", "--api", "api", "--expires", "5m"]);
    assert!(code == Some(0) && text.starts_with("Apim-Debug-Authorization: v1."), "{text}");
    let (code, _, errors) = command(&gateway, &["call", "--api", "other", &url]);
    assert!(code == Some(1) && errors.contains("not one of API `other`"), "{errors}");
    let (code, _, errors) = command(&gateway, &["credential", "--api", "apo"]);
    assert!(code == Some(1) && errors.contains("there is no API `apo`"), "{errors}");
    let (code, _, errors) = command(&gateway, &["show", "../status"]);
    assert!(code == Some(2) && errors.contains("is no id"), "{errors}");
    let (code, _, errors) = command(&gateway, &["call", "--api", "api", "http://127.0.0.1:9/"]);
    assert!(code == Some(3) && errors.contains("does not answer"), "{errors}");
}

#[test]
fn only_so_many_requests_are_recorded_in_a_second() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.open_api("api", &backend.url(), Policies::default());
    });
    let token = credential(&gateway, "api", "10m");
    let mut client = gateway.client();
    let throttled = || {
        let request = Request::get("/api/x").field(CREDENTIAL, &token);
        client.ask(&request).field("Apim-Debug-Throttled").map(|_| ())
    };
    assert!(soon(throttled).is_some());
    let again = || {
        thread::sleep(Duration::from_millis(50));
        let answer = gateway.ask(&Request::get("/api/x").field(CREDENTIAL, &token));
        answer.field("Apim-Trace-Id").map(|_| ())
    };
    assert!(soon(again).is_some());
}
