//! Policies at work where responses stream: answers, errors, limits, browsers.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use crate::harness::backend::NOBODY;
use crate::harness::{Backend, End, Gateway, Policies, Request, Then, reply, soon};

fn with(backend: &Backend, policies: Policies<'_>) -> Gateway {
    Gateway::start(|site| site.open_api("echo", &backend.url(), policies))
}

#[test]
fn a_response_may_be_replaced_while_the_backends_streams() {
    let backend = Backend::scripted(|_seen, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nX-From: backend\r\n\r\n";
        stream.write_all(head)?;
        stream.write_all(&[b'x'; 1000])?;
        Ok(Then::Keep)
    });
    let outbound = "<return-response><set-status code=\"418\" reason=\"Instead\" />\
                    <set-header name=\"X-Instead\" exists-action=\"override\"><value>1</value>\
                    </set-header><set-body>instead</set-body></return-response>";
    let gateway = with(&backend, Policies { outbound, ..Policies::default() });
    let answer = gateway.get("/echo/a");
    assert_eq!((answer.status, answer.phrase.as_str()), (418, "Instead"));
    assert_eq!((answer.text(), answer.end), ("instead", End::Whole));
    assert_eq!((answer.field("X-From"), answer.field("X-Instead")), (None, Some("1")));
}

#[test]
fn fields_of_a_response_are_changed_whether_or_not_policies_look_at_it() {
    let backend = Backend::replying(|_seen| {
        reply(200, &[("X-Gone", "1"), ("X-New", "1"), ("X-Stays", "1"), ("X-Stays", "2")], "body")
    });
    let header = |name: &str, action: &str, value: &str| {
        format!(
            "<set-header name=\"{name}\" exists-action=\"{action}\"><value>{value}</value>\
             </set-header>"
        )
    };
    let replaced = [header("X-Gone", "delete", ""), header("X-New", "override", "2")].concat();
    let looked = [header("X-Stays", "append", "3"), header("X-New", "skip", "9")].concat();
    let gateway = Gateway::start(|site| {
        let blind = Policies { outbound: &replaced, ..Policies::default() };
        site.open_api("blind", &backend.url(), blind);
        let both = [replaced.as_str(), &looked].concat();
        let sees = Policies { outbound: &both, ..Policies::default() };
        site.open_api("sees", &backend.url(), sees);
    });
    for (path, stays) in [("/blind/a", &["1", "2"][..]), ("/sees/a", &["1,2,3"][..])] {
        for request in [Request::get(path), Request::post(path, "sent")] {
            let answer = gateway.ask(&request);
            assert_eq!((answer.text(), answer.field("X-Gone")), ("body", None), "{path}");
            let lines = |wanted: &str| -> Vec<&str> {
                let fields = answer.fields.iter();
                let named = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
                named.map(|(_, value)| value.as_str()).collect()
            };
            assert_eq!((lines("X-New"), lines("X-Stays")), (vec!["2"], stays.to_vec()), "{path}");
        }
    }
}

#[test]
fn on_error_sees_what_went_wrong_and_has_the_last_word() {
    let on_error = "<set-header name=\"X-Error\" exists-action=\"override\"><value>@(\
                    context.LastError.Source + \"|\" + context.LastError.Reason + \"|\" + \
                    context.LastError.Section + \"|\" + context.Response.StatusCode)</value>\
                    </set-header><set-body>@(\"sorry: \" + context.LastError.Reason)</set-body>";
    let thrown = "<set-variable name=\"x\" value=\"@(int.Parse(context.Request.Headers\
                  .GetValueOrDefault(&quot;X-Number&quot;, &quot;1&quot;)))\" />";
    let checked = "<check-header name=\"X-Needed\" failed-check-httpcode=\"422\" \
                   failed-check-error-message=\"Needed.\" ignore-case=\"true\" />";
    let inbound = format!("{thrown}{checked}");
    let gateway = Gateway::start(|site| {
        let policies = Policies { inbound: &inbound, on_error, ..Policies::default() };
        site.open_api("echo", NOBODY, policies);
    });
    for (fields, status, error) in [
        (&[("X-Needed", "1")][..], 500, "forward-request|BackendConnectionFailure|backend|500"),
        (&[][..], 422, "check-header|HeaderNotFound|inbound|422"),
        (
            &[("X-Number", "none")][..],
            500,
            "set-variable|ExpressionValueEvaluationFailure|inbound|500",
        ),
    ] {
        let request = fields
            .iter()
            .fold(Request::get("/echo/a"), |request, (name, value)| request.field(name, value));
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.field("X-Error")), (status, Some(error)));
        let reason = error.split('|').nth(1).unwrap();
        assert_eq!(answer.text(), format!("sorry: {reason}"));
    }
}

#[test]
fn a_preflight_for_a_method_that_no_operation_has_is_told_nothing_where_cors_stands_in_others() {
    let gateway = Gateway::start(|site| {
        let cors = "<policies><inbound><cors><allowed-origins><origin>*</origin></allowed-origins>\
                    <allowed-headers><header>*</header></allowed-headers></cors></inbound></policies>";
        site.file("cors.xml", cors);
        for (id, policy) in [("with", "policy: cors.xml, "), ("without", "")] {
            site.yaml(format!(
                "apis:\n  - id: {id}\n    path: {id}\n    subscriptionRequired: false\n    \
                 serviceUrl: {NOBODY}\n    operations: [{{id: get, method: GET, {policy}urlTemplate: \
                 /a}}]\n"
            ));
        }
    });
    let ask = |path: &str, method: &str| {
        let request = Request::new("OPTIONS", path).field("Origin", "https://a.example");
        let answer = gateway.ask(&request.field("Access-Control-Request-Method", method));
        let granted = answer.field("Access-Control-Allow-Origin").map(str::to_owned);
        (answer.status, answer.body.is_empty(), granted)
    };
    assert_eq!(ask("/with/a", "GET"), (200, true, Some("*".to_owned())));
    assert_eq!(ask("/with/a", "DELETE"), (200, true, None));
    assert_eq!(ask("/without/a", "GET"), (404, false, None));
    assert_eq!(ask("/without/a", "DELETE"), (404, false, None));
}

#[test]
fn a_record_names_the_backend_only_of_what_was_forwarded_and_shows_no_secret() {
    let refuse = "<check-header name=\"X-Needed\" failed-check-httpcode=\"403\" \
                  failed-check-error-message=\"Needed.\" ignore-case=\"true\" />";
    let secret = "<rewrite-uri template=\"/hooks/{{word}}\" />";
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.yaml("namedValues: [{name: word, value: hunter2, secret: true}]\n");
        for (id, inbound) in [("refused", refuse), ("plain", ""), ("secret", secret)] {
            let policies = Policies { inbound, ..Policies::default() };
            site.open_api(id, &backend.url(), policies);
        }
    });
    assert_eq!(gateway.get("/refused/a").status, 403);
    let record = gateway.record("/refused/a");
    assert_eq!(
        (&record["backendUrl"], &record["reason"]),
        (&().into(), &"header_check_failed".into())
    );
    assert_eq!(gateway.get("/plain/a").status, 200);
    let url = gateway.record("/plain/a")["backendUrl"].as_str().map(str::to_owned);
    assert!(url.as_ref().is_some_and(|url| url.ends_with("/a")), "{url:?}");
    assert_eq!(gateway.get("/secret/a").status, 200);
    assert_eq!(backend.last().target, "/hooks/hunter2");
    assert_eq!(gateway.record("/secret/a")["backendUrl"], "(secret)");
}

#[test]
fn a_secret_named_value_that_a_variable_carries_on_is_in_no_line() {
    let carried = "<set-variable name=\"of\" value=\"key {{word}} of jane\" />";
    let fails = "<set-variable name=\"made\" value='@(((string[])null)[0] + \
                 Guid.Parse((string)context.Variables[\"of\"]).ToString())' />";
    let told = "<trace source=\"desk\"><message>@((string)context.Variables[\"of\"])</message>\
                <metadata name=\"of\" value=\"@((string)context.Variables[&quot;of&quot;])\" /></trace>\
                <rate-limit-by-key calls=\"1\" renewal-period=\"60\" weir-shadow=\"true\" \
                counter-key='@((string)context.Variables[\"of\"])' />\
                <rewrite-uri template='@(\"/\" + ((string)context.Variables[\"of\"]).Substring(4, 7))' />\
                <set-header name=\"X-Of\"><value>@((string)context.Variables[\"of\"])</value></set-header>";
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        site.set("log-level", "debug");
        site.yaml("namedValues: [{name: word, value: hunter2, secret: true}]\n");
        for (id, then) in [("told", told), ("failed", fails)] {
            let inbound = format!("{carried}{then}");
            let policies = Policies { inbound: &inbound, ..Policies::default() };
            site.open_api(id, &backend.url(), policies);
        }
    });
    for _ in 0..2 {
        assert_eq!(gateway.get("/told/a").status, 200);
    }
    // What policies send is theirs.
    assert_eq!(backend.last().target, "/hunter2");
    assert_eq!(backend.last().field("X-Of"), Some("key hunter2 of jane"));
    assert_eq!(gateway.get("/failed/a").status, 500);
    let failed = gateway.record("/failed/a");
    let said = |text: &str| gateway.records().iter().any(|line| line.to_string().contains(text));
    assert!(soon(|| said("key (secret) of jane").then_some(())).is_some(), "{failed}");
    assert_eq!(gateway.record("/told/a")["backendUrl"], format!("{}/(secret)", backend.url()));
    let lines = format!("{:?}{:?}", gateway.records(), gateway.events());
    let shown = gateway.admin("/limits").text().to_owned() + gateway.admin("/status").text();
    assert!(!lines.contains("hunter2") && !shown.contains("hunter2"), "{lines}{shown}");
}

#[test]
fn what_trace_policies_say_is_logged_from_their_severity_on() {
    let trace = |severity: &str, message: &str| {
        format!(
            "<trace source=\"desk\" severity=\"{severity}\"><message>{message}</message>\
             <metadata name=\"from\" value=\"@(context.Request.Headers.GetValueOrDefault(\
             &quot;X-From&quot;))\" /></trace>"
        )
    };
    let inbound = [
        trace("verbose", "looks"),
        trace("information", "@(\"a\" + '\\n' + \"b\")"),
        trace("error", "refuses"),
        "<return-response />".to_owned(),
    ]
    .concat();
    for (level, told) in
        [("debug", &["looks", "a\nb", "refuses"][..]), ("info", &["a\nb", "refuses"])]
    {
        let gateway = Gateway::start(|site| {
            site.set("log-level", level);
            site.set("log-access", "off");
            site.open_api("echo", NOBODY, Policies { inbound: &inbound, ..Policies::default() });
        });
        assert_eq!(gateway.ask(&Request::get("/echo/a").field("X-From", "here")).status, 200);
        let lines = soon(|| Some(gateway.records()).filter(|lines| told.len() <= lines.len()));
        let lines = lines.unwrap_or_else(|| panic!("{level}: {:?}", gateway.records()));
        let said: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(said, told, "{level}");
        for line in &lines {
            assert_eq!(line["category"], "GatewayTraces");
            assert_eq!((&line["source"], &line["apiId"]), (&"desk".into(), &"echo".into()));
            assert_eq!(line["metadata"]["from"], "here");
            assert_eq!(line["correlationId"].as_str().unwrap().len(), 36);
        }
    }
}

#[test]
fn without_on_error_a_failure_has_the_usual_body_and_an_activity_id() {
    let gateway = Gateway::start(|site| site.open_api("echo", NOBODY, Policies::default()));
    let answer = gateway.get("/echo/a");
    assert_eq!(answer.status, 500);
    let record = gateway.record("/echo/a");
    let id = record["correlationId"].as_str().unwrap();
    let wanted = format!(
        "{{ \"statusCode\": 500, \"message\": \"Internal server error\", \"activityId\": \"{id}\" }}"
    );
    assert_eq!(answer.text(), wanted);
}

#[test]
fn a_limit_of_concurrency_is_released_however_a_request_ends() {
    let backend = Backend::scripted(|seen, stream| {
        if seen.target == "/slow" {
            thread::sleep(Duration::from_millis(300));
        }
        stream.write_all(&reply(200, &[], "done"))?;
        Ok(Then::Keep)
    });
    let limited = "<limit-concurrency key=\"one\" max-count=\"1\"><forward-request timeout=\"30\" />\
                   </limit-concurrency>";
    let gateway = with(&backend, Policies { backend: limited, ..Policies::default() });
    let mut inside = gateway.client();
    inside.send(Request::get("/echo/slow").bytes());
    backend.wait();
    let refused = gateway.get("/echo/a");
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("Rate limit is exceeded"), "{}", refused.text());
    assert_eq!(inside.answer().status, 200);
    assert_eq!(gateway.get("/echo/a").status, 200);

    let mut gone = gateway.client();
    let before = backend.count();
    gone.send(Request::get("/echo/slow").bytes());
    soon(|| (before < backend.count()).then_some(())).unwrap();
    drop(gone);
    let freed = soon(|| (gateway.get("/echo/a").status == 200).then_some(()));
    assert!(freed.is_some(), "the place of a client that left is never given back");
}

#[test]
fn limits_by_key_count_each_key_by_itself() {
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"2\" renewal-period=\"60\" \
                   counter-key=\"@(context.Request.Headers.GetValueOrDefault(&quot;X-Who&quot;, &quot;&quot;))\" \
                   remaining-calls-header-name=\"X-Left\" total-calls-header-name=\"X-Total\" \
                   retry-after-header-name=\"X-Retry\" />";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    let ask = |who: &str| gateway.ask(&Request::get("/echo/a").field("X-Who", who));
    for who in ["a", "b"] {
        for left in ["1", "0"] {
            let answer = ask(who);
            let told = (answer.field("X-Left"), answer.field("X-Total"));
            assert_eq!(told, (Some(left), Some("2")), "{who}");
        }
        let refused = ask(who);
        assert_eq!((refused.status, refused.field("Retry-After")), (429, None));
        assert!(refused.field("X-Retry").is_some());
    }
    assert_eq!(backend.count(), 4);
}

#[test]
fn exactly_as_many_get_through_as_the_limit_says_however_many_try() {
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"20\" renewal-period=\"300\" counter-key=\"all\" />";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    let admitted: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = gateway.client();
                    let asked = (0..10).map(|_| client.ask(&Request::get("/echo/a")).status);
                    asked.filter(|status| *status == 200).count()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!((admitted, backend.count()), (20, 20));
}

#[test]
fn browsers_are_answered_before_they_ask() {
    let backend = Backend::plain();
    let inbound = "<cors allow-credentials=\"true\"><allowed-origins>\
                   <origin>https://page.example</origin></allowed-origins>\
                   <allowed-methods preflight-result-max-age=\"300\"><method>POST</method>\
                   </allowed-methods><allowed-headers><header>X-Mine</header></allowed-headers>\
                   <expose-headers><header>X-Shown</header></expose-headers></cors>";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/echo/a")
            .field("Origin", origin)
            .field("Access-Control-Request-Method", "POST")
            .field("Access-Control-Request-Headers", "x-mine")
    };
    let answer = gateway.ask(&preflight("https://page.example"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("https://page.example"));
    assert_eq!(answer.field("Access-Control-Max-Age"), Some("300"));
    assert_eq!(answer.field("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!(backend.count(), 0);
    let foreign = gateway.ask(&preflight("https://evil.example"));
    assert_eq!(foreign.field("Access-Control-Allow-Origin"), None);

    let request = Request::post("/echo/a", "x").field("Origin", "https://page.example");
    let answer = gateway.ask(&request);
    assert_eq!((answer.status, answer.text()), (200, "backend"));
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("https://page.example"));
    let exposed = answer.field("Access-Control-Expose-Headers").unwrap_or_default();
    assert!(exposed.eq_ignore_ascii_case("x-shown"), "{exposed}");
}

#[test]
fn an_address_that_is_not_welcome_is_told_nothing_but_that() {
    let backend = Backend::plain();
    let inbound = "<ip-filter action=\"forbid\"><address-range from=\"127.0.0.0\" \
                   to=\"127.0.0.255\" /></ip-filter>";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    let answer = gateway.get("/echo/a");
    assert_eq!(answer.status, 403);
    assert_eq!(answer.text(), "{ \"statusCode\": 403, \"message\": \"Forbidden\" }");
    assert_eq!(gateway.record("/echo/a")["lastErrorReason"], "CallerIpBlocked");
    assert_eq!(backend.count(), 0);
}

#[test]
fn what_a_client_writes_is_never_read_as_policy_or_as_fields() {
    let backend = Backend::plain();
    let inbound = "<set-header name=\"X-Echo\" exists-action=\"override\"><value>@(\
                   context.Request.Url.Query.GetValueOrDefault(\"q\", \"\"))</value></set-header>";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    gateway.get("/echo/a?q=@(1%2B1)%7B%7Bname%7D%7D");
    assert_eq!(backend.last().all("X-Echo"), ["@(1+1){{name}}"]);
    let before = backend.count();
    let answer = gateway.get("/echo/b?q=x%0d%0aX-Smuggled:%201");
    let reached = backend.seen().split_off(before);
    assert!(reached.iter().all(|seen| seen.field("X-Smuggled").is_none()), "{reached:?}");
    assert_eq!(answer.field("X-Smuggled"), None);
}

#[test]
fn a_cross_domain_document_is_served_where_no_api_is() {
    let backend = Backend::plain();
    let gateway = Gateway::start(|site| {
        let document = "<policies><inbound><cross-domain><cross-domain-policy /></cross-domain>\
                        </inbound><backend><forward-request /></backend></policies>";
        site.file("domains.xml", document);
        site.yaml("policy: domains.xml\n");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let answer = gateway.get("/crossdomain.xml");
    assert_eq!((answer.status, answer.text()), (200, "<cross-domain-policy />"));
    assert_eq!(answer.field("Content-Type"), Some("text/x-cross-domain-policy"));
    assert_eq!(gateway.ask(&Request::new("HEAD", "/crossdomain.xml")).status, 200);
    assert_eq!(gateway.ask(&Request::post("/crossdomain.xml", "")).status, 404);
    assert_eq!(gateway.get("/other.xml").status, 404);
    assert_eq!(gateway.get("/echo/crossdomain.xml").text(), "backend");
}
