//! Tests of `cors`, driven through the machine and through `preflight`.

use crate::policy::Scope;
use crate::policy::testing::{Outcome, Request, Run};

const SHOP: &str = r#"<cors ATTRIBUTES>
    <allowed-origins><origin>https://shop.example/</origin><origin>http://localhost:3000</origin></allowed-origins>
    <allowed-methods preflight-result-max-age="300"><method>PUT</method><method>get</method></allowed-methods>
    <allowed-headers><header>X-One</header><header>X-Two</header></allowed-headers>
    <expose-headers><header>X-Left</header><header>X-Right</header></expose-headers></cors>"#;

const ANY: &str = r"<cors><allowed-origins><origin>*</origin></allowed-origins>
    <allowed-methods><method>*</method></allowed-methods>
    <allowed-headers><header>*</header></allowed-headers></cors>";

fn shop(attributes: &str) -> String {
    SHOP.replace("ATTRIBUTES", attributes)
}

fn ask<'a>(run: &'a Run, origin: &str, method: &str) -> Request<'a> {
    let request = run.request("OPTIONS", "/x").header("origin", origin);
    request.header("access-control-request-method", method)
}

fn is_empty_200(outcome: &Outcome) -> bool {
    outcome.status() == 200
        && outcome.body().is_empty()
        && outcome.header("access-control-allow-origin").is_none()
}

#[test]
fn a_preflight_is_told_what_is_allowed() {
    let run = Run::inbound(&shop(r#"allow-credentials="true""#));
    let request = ask(&run, "https://SHOP.example", "PUT");
    let outcome =
        request.header("access-control-request-headers", "x-two,X-ONE").preflight().unwrap();
    assert_eq!((outcome.status(), outcome.body()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://SHOP.example"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "PUT, GET"),
        ("access-control-allow-headers", "x-one, x-two"),
        ("access-control-max-age", "300"),
        ("vary", "Origin"),
    ] {
        assert_eq!(outcome.header(name), Some(value), "{name}");
    }
    assert_eq!(outcome.header("access-control-expose-headers"), None);
}

#[test]
fn where_all_is_allowed_what_was_asked_for_is_named() {
    let run = Run::inbound(ANY);
    let request = ask(&run, "https://any.example", "PATCH");
    let outcome =
        request.header("access-control-request-headers", "authorization").preflight().unwrap();
    for (name, value) in [
        ("access-control-allow-origin", Some("*")),
        ("access-control-allow-methods", Some("PATCH")),
        ("access-control-allow-headers", Some("authorization")),
        ("access-control-allow-credentials", None),
        ("access-control-max-age", None),
        ("vary", None),
    ] {
        assert_eq!(outcome.header(name), value, "{name}");
    }
}

#[test]
fn what_is_not_allowed_is_answered_by_nothing() {
    let run = Run::inbound(&shop(""));
    for (origin, method, headers) in [
        ("https://evil.example", "GET", ""),
        ("https://shop.example.evil", "GET", ""),
        ("null", "GET", ""),
        ("https://shop.example", "DELETE", ""),
        ("https://shop.example", "get", "x-three"),
        ("https://shop.example", "GET", "x-one, \u{0}"),
    ] {
        let request = ask(&run, origin, method);
        let headers = headers.replace('\u{0}', "(");
        let outcome =
            request.header("access-control-request-headers", &headers).preflight().unwrap();
        assert!(is_empty_200(&outcome), "{origin} {method} {headers}");
        assert_eq!(outcome.exchange.refusal, Some("cors-unmatched"));
    }
}

#[test]
fn without_methods_get_and_post_are_allowed() {
    let run = Run::inbound(
        "<cors><allowed-origins><origin>https://a.example</origin></allowed-origins></cors>",
    );
    let allowed = |method: &str| {
        let outcome = ask(&run, "https://a.example", method).preflight().unwrap();
        outcome.header("access-control-allow-methods").map(str::to_owned)
    };
    assert_eq!(allowed("POST").as_deref(), Some("GET, POST"));
    assert_eq!(allowed("PUT"), None);
}

#[test]
fn other_requests_are_no_preflights() {
    let run = Run::inbound(ANY);
    let origin = ("origin", "https://a.example");
    let method = ("access-control-request-method", "GET");
    for (verb, fields) in
        [("OPTIONS", vec![origin]), ("OPTIONS", vec![method]), ("GET", vec![origin, method])]
    {
        let request = run.request(verb, "/x");
        let request = fields.iter().fold(request, |with, (name, value)| with.header(name, value));
        assert!(request.preflight().is_none(), "{verb} {fields:?}");
    }
    let without = Run::inbound("");
    assert!(ask(&without, "https://a.example", "GET").preflight().is_none());
}

#[test]
fn only_policies_directly_in_inbound_answer_preflights() {
    let nested = Run::inbound(&format!("<choose><when condition=\"true\">{ANY}</when></choose>"));
    assert!(ask(&nested, "https://a.example", "GET").preflight().is_none());
    let outcome = nested.get("/x").header("origin", "https://a.example").go();
    assert_eq!(outcome.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn an_unmatched_preflight_is_left_to_the_next_scope_only_if_the_policy_says_so() {
    let document = |policy: &str| {
        format!(
            "<policies><inbound>{policy}<base /></inbound><backend><base /></backend></policies>"
        )
    };
    let global = format!(
        "<policies><inbound>{ANY}</inbound><backend><forward-request /></backend></policies>"
    );
    let answer = |attributes: &str| {
        let api = document(&shop(attributes));
        let run = Run::scopes(&[(Scope::Api, &api), (Scope::Global, &global)]);
        ask(&run, "https://other.example", "GET").preflight().unwrap()
    };
    assert!(is_empty_200(&answer("")));
    let outcome = answer(r#"terminate-unmatched-request="false""#);
    assert_eq!(outcome.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn an_actual_request_gets_the_fields_whoever_answers() {
    let left = r#"<rate-limit calls="1" renewal-period="60" />"#;
    let run = Run::inbound(&format!("{}{left}", shop(r#"allow-credentials="true""#)));
    let call = || run.get("/x").subscription("a").header("origin", "http://localhost:3000").go();
    run.answers(200, &[("access-control-allow-origin", "*"), ("vary", "accept")], "x");
    for status in [200, 429] {
        let outcome = call();
        assert_eq!(outcome.status(), status);
        let origins = outcome.response().headers.map().get_all("access-control-allow-origin");
        assert_eq!(origins.iter().collect::<Vec<_>>(), ["http://localhost:3000"]);
        assert_eq!(outcome.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(outcome.header("access-control-expose-headers"), Some("x-left, x-right"));
        assert!(outcome.header("vary").unwrap().ends_with("Origin"));
    }
}

#[test]
fn a_request_without_an_origin_is_nobody_s_but_caches() {
    let outcome = Run::inbound(&shop("")).get("/x").go();
    assert_eq!((outcome.body(), outcome.header("vary")), ("ok", Some("Origin")));
    assert_eq!(outcome.header("access-control-allow-origin"), None);
    assert_eq!(Run::inbound(ANY).get("/x").go().header("vary"), None);
}

#[test]
fn an_unmatched_request_ends_or_goes_on_ungranted() {
    let ended = Run::inbound(&shop("")).get("/x").header("origin", "https://evil.example").go();
    assert!(is_empty_200(&ended) && ended.forwarded.is_empty());
    let run = Run::inbound(&shop(r#"terminate-unmatched-request="false""#));
    let gone_on = run.get("/x").header("origin", "https://evil.example").go();
    assert_eq!((gone_on.body(), gone_on.header("access-control-allow-origin")), ("ok", None));
}

#[test]
fn what_one_policy_granted_another_does_not_end() {
    let document = |policies: &str| format!("<policies><inbound>{policies}</inbound></policies>");
    let (product, api) = (document(&shop("")), document(&format!("{ANY}<base />")));
    let run = Run::scopes(&[(Scope::Api, &api), (Scope::Product, &product)]);
    let outcome = run.get("/x").header("origin", "https://other.example").go();
    assert_eq!((outcome.body(), outcome.header("access-control-allow-origin")), ("ok", Some("*")));
}

#[test]
fn origins_may_be_computed_but_all_of_them_never_with_credentials() {
    let run = Run::inbound(
        r#"<cors allow-credentials="true"><allowed-origins>
             <origin>@(context.Request.Headers.GetValueOrDefault("x-origin",""))</origin>
           </allowed-origins><allowed-headers><header>*</header></allowed-headers></cors>"#,
    );
    let call = |allowed: &str| {
        run.get("/x").header("origin", "https://a.example").header("x-origin", allowed).go()
    };
    let granted = call("https://a.example");
    assert_eq!(granted.header("access-control-allow-origin"), Some("https://a.example"));
    let refused = call("*");
    assert_eq!((refused.status(), refused.reason()), (500, "ExpressionValueEvaluationFailure"));
    let request = ask(&run, "https://a.example", "GET").header("x-origin", "*");
    let preflight = request.preflight().unwrap();
    assert!(is_empty_200(&preflight));
    assert!(preflight.exchange.traces[0].message.contains("every origin is allowed"));
}

#[test]
fn what_a_browser_would_not_accept_is_a_fault() {
    let faults = |origins: &str, attributes: &str| {
        Run::faults(&format!(
            "<cors {attributes}><allowed-origins>{origins}</allowed-origins>
             <allowed-headers><header>*</header></allowed-headers></cors>"
        ))
    };
    let all = faults("<origin>*</origin>", r#"allow-credentials="true""#);
    assert!(all[0].contains("list the origins, or set allow-credentials"), "{all:?}");
    let mixed = faults("<origin>*</origin><origin>https://a</origin>", "");
    assert!(mixed[0].contains("`*` stands beside other origins"), "{mixed:?}");
    for origin in ["https://*.example", "https://a.example/path", "a.example"] {
        let odd = faults(&format!("<origin>{origin}</origin>"), "");
        assert!(odd[0].contains("scheme, host and port only"), "{odd:?}");
    }
    assert!(faults("", "")[0].contains("allows no `origin`"));
    assert!(
        faults("<orign>https://a</orign>", "")
            .iter()
            .any(|fault| fault.contains("did you mean `origin`?"))
    );
    let header = Run::faults(&ANY.replace("<header>*</header>", "<header>a b</header>"));
    assert!(header[0].contains("`header` is not the name of a header field"), "{header:?}");
}
