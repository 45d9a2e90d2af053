//! Tests of the four limits, driven through the machine.

use std::time::Duration;

use crate::exchange::facts::Subscription;
use crate::limit::names::Outcome;
use crate::policy::Scope;
use crate::policy::testing::{self, Run};
use crate::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

const TWO_A_MINUTE: &str = r#"<rate-limit calls="2" renewal-period="60" id="gold" />"#;

fn statuses(run: &Run, subscription: &str, count: usize) -> Vec<u16> {
    let one = |_| run.get("/x").subscription(subscription).go().status();
    (0..count).map(one).collect()
}

#[test]
fn a_subscription_gets_its_calls_in_any_interval_and_others_get_theirs() {
    let run = Run::inbound(TWO_A_MINUTE);
    assert_eq!(statuses(&run, "a", 3), [200, 200, 429]);
    assert_eq!(statuses(&run, "b", 1), [200]);
    run.pass(59 * SECOND);
    assert_eq!(statuses(&run, "a", 1), [429], "a refusal takes nothing, but nothing is back yet");
    run.pass(SECOND);
    assert_eq!(statuses(&run, "a", 3), [200, 200, 429]);
}

#[test]
fn a_refusal_says_what_api_management_says() {
    let run = Run::inbound(TWO_A_MINUTE);
    let outcome = statuses(&run, "a", 2).len();
    assert_eq!(outcome, 2);
    run.pass(SECOND / 2);
    let outcome = run.get("/x").subscription("a").go();
    let text =
        r#"{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 60 seconds." }"#;
    assert_eq!((outcome.status(), outcome.body()), (429, text));
    assert_eq!(outcome.header("retry-after"), Some("60"));
    let error = outcome.error();
    assert_eq!((error.source, error.reason), ("rate-limit", "RateLimitExceeded"));
    assert_eq!(error.message, "Rate limit is exceeded");
    assert_eq!((error.scope, error.section), ("product", "inbound"));
    assert_eq!((&*error.path, error.policy_id.as_deref()), ("rate-limit[1]", Some("gold")));
    assert!(outcome.forwarded.is_empty());
}

#[test]
fn without_a_subscription_nobody_is_counted() {
    let run = Run::inbound(TWO_A_MINUTE);
    let count = |_| run.get("/x").go().status();
    assert_eq!((0..5).map(count).collect::<Vec<_>>(), [200; 5]);
}

#[test]
fn a_limit_tells_what_remains_where_it_is_asked_to() {
    let run = Run::inbound(
        r#"<rate-limit calls="2" renewal-period="60" retry-after-header-name="X-Wait"
             retry-after-variable-name="wait" remaining-calls-header-name="X-Left"
             remaining-calls-variable-name="left" total-calls-header-name="X-All" />"#,
    );
    let first = run.get("/x").subscription("a").go();
    assert_eq!((first.header("x-left"), first.header("x-all")), (Some("1"), Some("2")));
    assert_eq!(first.variable("left").as_deref(), Some("1"));
    assert_eq!((first.header("x-wait"), first.variable("wait")), (None, None));
    run.get("/x").subscription("a").go();
    let third = run.get("/x").subscription("a").go();
    assert_eq!((third.status(), third.header("x-left")), (429, Some("0")));
    assert_eq!((third.header("x-wait"), third.header("retry-after")), (Some("60"), None));
    assert_eq!(third.variable("wait").as_deref(), Some("60"));
    let silent = Run::inbound(TWO_A_MINUTE).get("/x").subscription("a").go();
    assert!(silent.exchange.final_fields.over(silent.response().headers.map()).is_empty());
}

#[test]
fn the_limits_of_an_api_and_its_operation_hold_beside_the_product_s() {
    let run = Run::inbound(
        r#"<rate-limit calls="5" renewal-period="60">
             <api id="ECHO" name="ignored" calls="4" renewal-period="60">
               <operation name="rare" calls="1" renewal-period="60" />
             </api>
             <api name="Another API" calls="0" renewal-period="60" />
           </rate-limit>"#,
    );
    let rare = || run.get("/x").subscription("a").operation("rare").go().status();
    assert_eq!([rare(), rare()], [200, 429]);
    let other = |_| run.get("/x").subscription("a").operation("other").go().status();
    assert_eq!((0..4).map(other).collect::<Vec<_>>(), [200, 200, 200, 429]);
}

#[test]
fn limits_of_two_scopes_are_two_counters() {
    let limit = |calls| {
        let policies = format!(r#"<rate-limit calls="{calls}" renewal-period="60" />"#);
        format!(
            "<policies><inbound><base />{policies}</inbound><backend><base /></backend></policies>"
        )
    };
    let (api, product) = (limit(3), limit(2));
    let run = Run::scopes(&[(Scope::Api, &api), (Scope::Product, &product)]);
    assert_eq!(statuses(&run, "a", 3), [200, 200, 429]);
}

#[test]
fn a_limit_of_nothing_admits_nobody() {
    let run = Run::inbound(r#"<rate-limit calls="0" renewal-period="10" />"#);
    let outcome = run.get("/x").subscription("a").go();
    assert_eq!((outcome.status(), outcome.header("retry-after")), (429, Some("300")));
}

#[test]
fn what_a_rate_limit_cannot_be_is_a_fault_with_its_place() {
    let faults = |policy: &str| Run::faults(policy);
    let [period] = &faults(r#"<rate-limit calls="1" renewal-period="301" />"#)[..] else {
        panic!()
    };
    assert!(period.contains("`renewal-period` is 301"), "{period}");
    assert!(period.contains("from 1 to 300"), "{period}");
    let [calls] = &faults(r#"<rate-limit calls="@(1)" renewal-period="1" />"#)[..] else {
        panic!()
    };
    assert!(calls.contains("`calls` may not be an expression"), "{calls}");
    let nameless = faults(
        r#"<rate-limit calls="1" renewal-period="1"><api calls="1" renewal-period="1" /></rate-limit>"#,
    );
    assert!(nameless[0].contains("neither `id` nor `name`"), "{nameless:?}");
    let framing = faults(
        r#"<rate-limit calls="1" renewal-period="1" total-calls-header-name="Content-Length" />"#,
    );
    assert!(framing[0].contains("cannot carry"), "{framing:?}");
    let xml = format!("<policies><inbound>{TWO_A_MINUTE}</inbound></policies>");
    let global = Run::faults_of(Scope::Global, &xml);
    assert!(global[0].contains("may not stand in a document of scope global"), "{global:?}");
}

const BY_CALLER: &str = r#"<rate-limit-by-key calls="2" renewal-period="60"
    counter-key="@(context.Request.Headers.GetValueOrDefault("x-caller",""))" ATTRIBUTES />"#;

fn by_caller(attributes: &str) -> Run {
    Run::inbound(&BY_CALLER.replace("ATTRIBUTES", attributes))
}

fn call(run: &Run, caller: &str) -> testing::Outcome {
    run.get("/x").header("x-caller", caller).go()
}

#[test]
fn each_key_has_its_counter_and_no_key_is_a_key() {
    let run = by_caller("");
    let statuses = |caller: &str| (0..3).map(|_| call(&run, caller).status()).collect::<Vec<_>>();
    assert_eq!(statuses("a"), [200, 200, 429]);
    assert_eq!(statuses("b"), [200, 200, 429]);
    assert_eq!(run.get("/x").go().status(), 200);
    assert_eq!(run.get("/x").go().status(), 200);
    assert_eq!(run.get("/x").go().status(), 429, "who has no key shares one");
    let nulls = Run::inbound(
        r#"<rate-limit-by-key calls="1" renewal-period="60" counter-key="@(null)" />"#,
    );
    assert_eq!([nulls.get("/").go().status(), nulls.get("/").go().status()], [200, 429]);
}

#[test]
fn one_request_pays_once_under_a_key_however_many_policies_meet_it() {
    let policy = r#"<rate-limit-by-key calls="4" renewal-period="60" counter-key="k" />"#;
    let stricter = r#"<rate-limit-by-key calls="3" renewal-period="60" counter-key="k" />"#;
    let run = Run::inbound(&format!("{policy}{stricter}"));
    let one = |_| run.get("/x").go().status();
    assert_eq!((0..4).map(one).collect::<Vec<_>>(), [200, 200, 200, 429]);
}

#[test]
fn a_policy_with_another_period_has_its_own_count_where_counters_have_periods() {
    let run = Run::inbound(
        r#"<rate-limit-by-key calls="9" renewal-period="10" counter-key="k" />
           <rate-limit-by-key calls="2" renewal-period="60" counter-key="k" />
           <rate-limit-by-key calls="8" renewal-period="60" counter-key="k" />"#,
    );
    let first = run.get("/x").go();
    let asked: Vec<_> = first.log.iter().filter(|line| line.contains("rate-limit")).collect();
    assert_eq!(
        asked,
        [
            "charge rate-limit-by-key 1, at most 9 in any 10s: 1 used",
            "charge rate-limit-by-key 1 in another counter, at most 2 in any 60s: 1 used",
            "check rate-limit-by-key again, at most 8 in any 60s: 1 used",
        ]
    );
    assert_eq!([run.get("/x").go().status(), run.get("/x").go().status()], [200, 429]);
}

#[test]
fn an_increment_may_be_larger_or_nothing() {
    let attributes = r#"increment-count="@(int.Parse(context.Request.Headers.GetValueOrDefault("x-cost","1")))""#;
    let run = by_caller(attributes);
    let cost = |cost: &str| run.get("/x").header("x-cost", cost).go().status();
    assert_eq!([cost("2"), cost("1")], [200, 429]);
    let free = by_caller(
        r#"increment-condition="@(context.Request.Headers.GetValueOrDefault("x-free","") == "")""#,
    );
    let visit = |value: &str| free.get("/x").header("x-free", value).go().status();
    assert_eq!([visit("yes"), visit("yes"), visit("yes")], [200; 3]);
    assert_eq!([visit(""), visit(""), visit("")], [200, 200, 429]);
    assert_eq!(visit("yes"), 429, "who pays nothing still needs room");
}

#[test]
fn an_increment_that_reads_the_response_is_counted_after_it() {
    let run = by_caller(r#"increment-condition="@(context.Response.StatusCode == 200)""#);
    for _ in 0..3 {
        run.answers(500, &[], "no");
        assert_eq!(call(&run, "a").status(), 500, "failures cost nothing");
    }
    assert_eq!([call(&run, "a").status(), call(&run, "a").status()], [200, 200]);
    let refused = call(&run, "a");
    assert_eq!((refused.status(), refused.reason()), (429, "RateLimitExceeded"));
    assert!(refused.exchange.pending.late.is_empty());
    run.pass(60 * SECOND);
    assert_eq!(call(&run, "a").status(), 200, "a refusal was not counted");
    assert!(run.program().collected().is_none(), "a status does not need the body");
}

#[test]
fn an_increment_that_reads_the_body_of_the_response_waits_for_it() {
    let run = by_caller(
        r#"increment-condition="@(context.Response.Body.As<string>(preserveContent: true) == "paid")""#,
    );
    let why = run.program().collected().expect("it is known at load").why;
    assert_eq!(why, "a count depends on the body of the response");
    let answer = |body: &str| {
        run.answers(200, &[], body);
        let outcome = call(&run, "a");
        (outcome.status(), outcome.status() == 429 || outcome.body() == body)
    };
    assert_eq!([answer("free"), answer("free"), answer("free")], [(200, true); 3]);
    assert_eq!(
        [answer("paid"), answer("paid"), answer("paid")],
        [(200, true), (200, true), (429, true)]
    );
}

const FAILURES: &str = r#"increment-condition="@(context.Response.StatusCode == 401)""#;

#[test]
fn what_is_held_is_given_back_if_the_response_does_not_count() {
    let run = by_caller(&format!("{FAILURES} weir-counting=\"reserve\""));
    for _ in 0..3 {
        let outcome = call(&run, "a");
        assert_eq!(outcome.status(), 200);
        assert!(outcome.log.iter().any(|line| line == "give back rate-limit-by-key 1"));
    }
    for expected in [401, 401, 429, 429] {
        run.answers(401, &[], "");
        assert_eq!(call(&run, "a").status(), expected);
    }
}

#[test]
fn what_is_held_is_missing_to_others_until_the_response_is_there() {
    for (counting, used) in
        [(r#"weir-counting="reserve""#, 1), (r#"weir-counting="apim""#, 0), ("", 0)]
    {
        let outcome = call(&by_caller(&format!("{FAILURES} {counting}")), "a");
        let asked = outcome.log.iter().find(|line| line.contains("rate-limit-by-key")).unwrap();
        assert!(asked.ends_with(&format!(": {used} used")), "{asked}");
    }
}

#[test]
fn what_a_response_costs_beyond_what_was_held_is_owed() {
    let run = by_caller(
        r#"increment-count="@(int.Parse(context.Response.Headers.GetValueOrDefault("x-cost", "0")))"
           weir-counting="reserve""#,
    );
    let cost = |cost: &str| {
        run.answers(200, &[("x-cost", cost)], "");
        call(&run, "a").status()
    };
    assert_eq!([cost("0"), cost("1"), cost("7"), cost("0")], [200, 200, 200, 429]);
}

#[test]
fn what_another_policy_counted_on_is_not_given_back() {
    let held = format!(
        r#"<rate-limit-by-key calls="9" renewal-period="60" counter-key="k" {FAILURES}
             weir-counting="reserve" />"#
    );
    for period in [60, 30] {
        let plain =
            format!(r#"<rate-limit-by-key calls="2" renewal-period="{period}" counter-key="k" />"#);
        let run = Run::inbound(&format!("{held}{plain}"));
        let statuses: Vec<_> = (0..3).map(|_| run.get("/x").go().status()).collect();
        assert_eq!(statuses, [200, 200, 429], "{period}");
    }
}

#[test]
fn a_quota_may_hold_too_and_its_bytes_still_wait() {
    let run = Run::inbound(&format!(
        r#"<quota-by-key calls="1" bandwidth="1" renewal-period="300" counter-key="k" {FAILURES}
             weir-counting="reserve" />"#
    ));
    run.answers(200, &[], &"x".repeat(5_000));
    assert_eq!([run.get("/x").go().status(), run.get("/x").go().status()], [200, 200]);
    run.answers(401, &[], "");
    assert_eq!(run.get("/x").go().status(), 401);
    let refused = run.get("/x").go();
    assert!(refused.error().message.starts_with("Out of call volume"), "200s cost no bytes");
}

#[test]
fn an_increment_that_cannot_be_known_gives_back_what_was_held() {
    let run = by_caller(
        r#"increment-count="@(int.Parse(context.Response.Headers.GetValueOrDefault("x-cost", "")))"
           weir-counting="reserve""#,
    );
    assert_eq!((0..4).map(|_| call(&run, "a").status()).collect::<Vec<_>>(), [200; 4]);
}

#[test]
fn a_limit_in_shadow_counts_and_refuses_nobody() {
    let run = by_caller(
        r#"weir-shadow="true" weir-headers="true" remaining-calls-header-name="X-Left"
           remaining-calls-variable-name="left" retry-after-variable-name="wait""#,
    );
    for expected in [0, 0, 1, 1] {
        let outcome = call(&run, "ali\tce");
        assert_eq!((outcome.status(), outcome.forwarded.len()), (200, 1));
        let spared = outcome.exchange.pending.spared();
        assert_eq!(spared.len(), expected);
        assert!(outcome.exchange.final_fields.over(&http::HeaderMap::new()).is_empty());
        assert_eq!(outcome.variable("wait"), None);
        if let [spared] = &spared[..] {
            assert_eq!(spared, "rate-limit-by-key at policy.xml:1:20 for `ali\u{fffd}ce`");
            assert_eq!(outcome.variable("left").as_deref(), Some("0"));
            assert!(outcome.exchange.traces[0].message.contains("would have refused"));
        }
    }
    run.pass(60 * SECOND);
    assert!(
        call(&run, "ali\tce").exchange.pending.spared().is_empty(),
        "it took nothing meanwhile"
    );
}

#[test]
fn what_a_limit_in_shadow_refused_was_not_paid() {
    let run = Run::inbound(
        r#"<rate-limit-by-key calls="1" renewal-period="60" counter-key="k" weir-shadow="true"
             increment-after-response="true" />
           <rate-limit-by-key calls="3" renewal-period="60" counter-key="k"
             increment-after-response="true" />"#,
    );
    let statuses: Vec<_> = (0..4).map(|_| run.get("/x").go().status()).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let unknown = Run::inbound(
        r#"<rate-limit-by-key calls="1" renewal-period="60" weir-shadow="true"
             counter-key="@(context.Request.Headers["none"][0])" />"#,
    );
    let outcome = unknown.get("/x").go();
    assert_eq!((outcome.status(), outcome.exchange.pending.spared().len()), (200, 1));
}

#[test]
fn who_cannot_be_counted_is_answered_with_503_unless_in_shadow() {
    let run = Run::inbound(r#"<quota calls="9" renewal-period="60" />"#);
    run.lose_touch();
    let refused = run.get("/x").subscription("a").go();
    let text = r#"{ "statusCode": 503, "message": "Service unavailable" }"#;
    assert_eq!((refused.status(), refused.body()), (503, text));
    assert_eq!((refused.reason(), refused.header("retry-after")), ("CountersUnavailable", None));
    let [refusal] = &refused.exchange.pending.refusals[..] else { panic!() };
    assert_eq!((refusal.outcome, &*refusal.who), (Outcome::Unavailable, "a"));
    let shadow = by_caller(r#"weir-shadow="true""#);
    shadow.lose_touch();
    let spared = call(&shadow, "a");
    assert_eq!(spared.status(), 200);
    assert_eq!(spared.exchange.pending.refusals[0].outcome, Outcome::SparedUnavailable);
}

#[test]
fn a_refusal_names_its_counter_and_no_secret() {
    let who = |run: &Run, header: (&str, &str)| {
        let request = || run.get("/x?code=1&api-key=shh%21").header(header.0, header.1);
        let request = || request().subscription("starter");
        request().go();
        request().go();
        let refused = request().go();
        let [refusal] = &refused.exchange.pending.refusals[..] else { panic!() };
        assert!(refusal.key.is_some());
        refusal.who.to_string()
    };
    let by = |key: &str| {
        Run::inbound(&format!(
            r#"<rate-limit-by-key calls="2" renewal-period="60" counter-key="@({key})" />"#
        ))
    };
    let header =
        |name: &str| by(&format!(r#"context.Request.Headers.GetValueOrDefault("{name}","")"#));
    assert_eq!(who(&header("x-user"), ("x-user", "alice@example.com")), "alice@example.com");
    assert_eq!(who(&header("x-user"), ("x-user", &"é".repeat(99))), "é".repeat(64));
    assert_eq!(who(&header("x-user"), ("x-user", "a\u{202e}b\u{2066}")), "a\u{fffd}b\u{fffd}");
    assert_eq!(who(&header("authorization"), ("authorization", "Bearer abc")), "[secret]");
    let token = r#"context.Request.Headers.GetValueOrDefault("authorization","").Substring(7)"#;
    assert_eq!(who(&by(token), ("authorization", "Bearer abcdefgh")), "[secret]");
    assert_eq!(who(&header("x-api-key"), ("x-api-key", "k")), "[secret]");
    assert_eq!(who(&by("context.Subscription.Key"), ("a", "b")), "[secret]");
    assert_eq!(who(&by("context.Subscription.PrimaryKey + \"/\""), ("a", "b")), "[secret]");
    assert_eq!(who(&by(r#"context.Request.Url.Query["api-key"][0]"#), ("a", "b")), "[secret]");
    let subscribed = Run::inbound(TWO_A_MINUTE);
    assert_eq!(who(&subscribed, ("a", "b")), "starter");
}

#[test]
fn every_limit_that_applied_is_told_in_two_fields() {
    let run = Run::inbound(
        r#"<rate-limit calls="5" renewal-period="60" weir-headers="true">
             <api id="echo" calls="3" renewal-period="30" />
           </rate-limit>
           <rate-limit-by-key calls="2" renewal-period="10" counter-key="k" weir-headers="true"
             weir-window="fixed" id="gold" />
           <rate-limit-by-key calls="9" renewal-period="10" counter-key="k" weir-headers="true"
             id="gold" weir-window="bucket" weir-burst="20" />
           <quota bandwidth="1" calls="7" renewal-period="0" weir-headers="true" />
           <rate-limit-by-key calls="9" renewal-period="20" counter-key="quiet" />"#,
    );
    run.answers(200, &[("ratelimit", "\"backend\";r=1")], "");
    let ask = || run.get("/x").subscription("a").go();
    let first = ask();
    let policies = [
        r#""product/test/rate-limit";q=5;w=60"#,
        r#""product/test/rate-limit/api/echo";q=3;w=30"#,
        r#""gold";q=2;w=10"#,
        r#""gold#2";q=9;w=10"#,
        r#""product/test/quota/calls";q=7"#,
        r#""product/test/quota/bandwidth";q=1024;qu="content-bytes""#,
    ];
    assert_eq!(first.header("ratelimit-policy"), Some(&*policies.join(", ")));
    let left = [
        r#""product/test/rate-limit";r=4;t=60"#,
        r#""product/test/rate-limit/api/echo";r=2;t=30"#,
        r#""gold";r=1;t=10"#,
        r#""gold#2";r=9;t=0"#,
        r#""product/test/quota/calls";r=6"#,
        r#""product/test/quota/bandwidth";r=1024"#,
    ];
    assert_eq!(first.header("ratelimit"), Some(&*left.join(", ")));
    run.pass(SECOND);
    ask();
    let refused = ask();
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("9")));
    let left = [
        r#""product/test/rate-limit";r=2;t=60"#,
        r#""product/test/rate-limit/api/echo";r=0;t=30"#,
        r#""gold";r=0;t=9"#,
    ];
    assert_eq!(refused.header("ratelimit"), Some(&*left.join(", ")));
}

#[test]
fn how_a_limit_is_held_goes_into_its_terms() {
    let run = Run::inbound(
        r#"<rate-limit-by-key calls="60" renewal-period="60" counter-key="k"
             weir-window="bucket" weir-burst="3" />"#,
    );
    let statuses = |count| (0..count).map(|_| run.get("/x").go().status()).collect::<Vec<_>>();
    assert_eq!(statuses(4), [200, 200, 200, 429]);
    run.pass(SECOND);
    assert_eq!(statuses(2), [200, 429]);
    let fixed = Run::inbound(
        r#"<rate-limit calls="1" renewal-period="60" weir-window="fixed"><api id="echo" calls="9"
             renewal-period="60" weir-window="as-policy" weir-mode="exact" /></rate-limit>"#,
    );
    fixed.pass(59 * SECOND);
    let log = fixed.get("/x").subscription("a").go().log;
    assert!(log[0].contains("at most 1 in each 60s") && log[1].contains("at most 9 in any 60s"));
    fixed.pass(SECOND);
    assert_eq!(fixed.get("/x").subscription("a").go().status(), 200, "another window");
}

#[test]
fn a_word_without_meaning_is_a_fault_at_its_value() {
    let faults = |policy: &str| Run::faults(policy);
    let keyed = |attributes: &str| {
        faults(&format!(
            r#"<rate-limit-by-key calls="1" renewal-period="1" counter-key="k" {attributes} />"#
        ))
    };
    let one = |faults: Vec<String>, expected: &str| {
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(expected), "{faults:?}");
    };
    one(keyed(r#"weir-mode="exakt""#), "1:95: `weir-mode` is `exakt`; write `exact` or `fast`");
    one(keyed(r#"weir-mode="@(1)""#), "`weir-mode` may not be an expression");
    one(keyed(r#"weir-mode="exact" weir-overshoot="1%""#), "only the mode `fast`");
    one(keyed(r#"weir-mode="local" weir-on-loss="open""#), "nobody asks Redis");
    one(keyed(r#"weir-burst="5""#), "only the window `bucket` has a burst");
    one(keyed(r#"weir-counting="reserve""#), "what it counts is known before the response");
    one(keyed(r#"weir-durability="memory""#), "the windows of a rate limit are over too soon");
    one(keyed(r#"weir-max-wait="2s""#), "write a time from 1ms to 1s");
    one(keyed(r#"weir-horizon="1s""#), "only the window `fixed` can be bought from");
    one(
        keyed(r#"weir-window="fixed" weir-horizon="10ms""#),
        "a time from 20ms to 300s, such as 10s",
    );
    one(keyed(r#"weir-mode="local" weir-horizon="1s""#), "nobody asks Redis");
    one(keyed(r#"weir-modus="exact""#), "did you mean `weir-mode`?");
    one(keyed(r#"weir-="exact""#), "weir-mode, weir-overshoot");
    one(keyed(r#"elsewhere="1""#), "total-calls-header-name, weir-…");
    let quota = r#"<quota calls="1" renewal-period="60" weir-window="sliding" />"#;
    one(faults(quota), "a quota counts in periods of its own");
    let quota = r#"<quota calls="1" renewal-period="60" weir-durability="disk" />"#;
    one(faults(quota), "write `when-possible` or `replicated` or `memory`");
    let quota = r#"<quota calls="1" renewal-period="60" weir-mode="local"
        weir-durability="memory" />"#;
    one(faults(quota), "nobody asks Redis");
    let quota = r#"<quota calls="1" renewal-period="60" weir-horizon="1s" />"#;
    one(faults(quota), "a quota counts in periods of its own");
    let nested = r#"<rate-limit calls="1" renewal-period="1"><api id="a" calls="1" renewal-period="1"
        weir-shadow="true" /></rate-limit>"#;
    one(faults(nested), "write it on the policy around this one");
}

#[test]
fn two_late_increments_of_one_key_count_once() {
    let policy = r#"<rate-limit-by-key calls="2" renewal-period="60" counter-key="k"
        increment-after-response="true" />"#;
    let run = Run::inbound(&format!("{policy}{policy}"));
    let one = |_| run.get("/x").go().status();
    assert_eq!((0..3).map(one).collect::<Vec<_>>(), [200, 200, 429]);
}

#[test]
fn a_retry_does_not_pay_again() {
    let document = r#"<policies>
        <inbound><rate-limit-by-key calls="2" renewal-period="60" counter-key="k" /></inbound>
        <backend><retry condition="@(context.Response.StatusCode == 500)" count="3" interval="0">
            <forward-request /></retry></backend>
        <outbound /></policies>"#;
    let run = Run::of(document);
    for _ in 0..4 {
        run.answers(500, &[], "");
    }
    let first = run.get("/x").go();
    assert_eq!((first.forwarded.len(), first.status()), (4, 500));
    assert_eq!([run.get("/x").go().status(), run.get("/x").go().status()], [200, 429]);
}

#[test]
fn computed_terms_are_checked_when_they_are_known() {
    let run = Run::inbound(
        r#"<rate-limit-by-key calls="1" counter-key="k"
             renewal-period="@(int.Parse(context.Request.Headers.GetValueOrDefault("x-period","60")))" />"#,
    );
    assert_eq!(run.get("/x").header("x-period", "300").go().status(), 200);
    let outcome = run.get("/x").header("x-period", "301").go();
    assert_eq!((outcome.status(), outcome.reason()), (500, "ExpressionValueEvaluationFailure"));
    let negative = run.get("/x").header("x-period", "-1").go();
    assert_eq!(negative.status(), 500);
}

#[test]
fn a_quota_is_renewed_at_the_steps_of_its_subscription() {
    let run = Run::inbound(r#"<quota calls="2" renewal-period="3600" />"#);
    let start = Timestamp::from_micros(1_800_000_000_000_000 - 3_000_000_000);
    let call = || {
        let request = run.get("/x").subscription("a");
        request.with(|exchange| {
            let known = exchange.subscription.as_deref().unwrap();
            let begun = Subscription { start: Some(start), ..known.clone() };
            exchange.subscription = Some(begun.into());
        })
    };
    assert_eq!([call().go().status(), call().go().status()], [200, 200]);
    let refused = call().go();
    let text = "Out of call volume quota. Quota will be replenished in 00:10:00.";
    assert_eq!((refused.status(), refused.header("retry-after")), (403, Some("600")));
    assert_eq!((refused.reason(), refused.error().message.as_str()), ("QuotaExceeded", text));
    assert_eq!(refused.body(), format!(r#"{{ "statusCode": 403, "message": "{text}" }}"#));
    run.pass(600 * SECOND);
    assert_eq!(call().go().status(), 200);
}

#[test]
fn a_quota_without_end_never_comes_back() {
    let run = Run::inbound(r#"<quota calls="1" renewal-period="0" />"#);
    assert_eq!(statuses(&run, "a", 1), [200]);
    run.pass(Duration::from_hours(24 * 365 * 10));
    let refused = run.get("/x").subscription("a").go();
    assert_eq!((refused.status(), refused.header("retry-after")), (403, None));
}

#[test]
fn bandwidth_counts_the_bytes_of_both_bodies() {
    let run = Run::inbound(r#"<quota bandwidth="1" renewal-period="3600" />"#);
    let upload = |bytes: usize| {
        let request = run.request("POST", "/x").subscription("a");
        request.body(&"x".repeat(bytes)).go()
    };
    // Each response is `ok`.
    assert_eq!([upload(1_000).status(), upload(19).status()], [200, 200], "1,023 bytes are used");
    assert_eq!(upload(9_000).status(), 200, "there was a byte left");
    let refused = upload(0);
    assert_eq!(refused.status(), 403);
    assert!(refused.error().message.starts_with("Out of bandwidth quota."));
    assert!(refused.exchange.bandwidth.is_empty(), "a refusal takes nothing");
}

#[test]
fn a_quota_by_key_may_count_calls_and_bytes_and_begins_where_it_says() {
    let run = Run::inbound(
        r#"<quota-by-key calls="2" bandwidth="1" renewal-period="300" counter-key="k"
             first-period-start="2027-01-15T08:01:00Z" />"#,
    );
    // The clock of the run begins at 2027-01-15T08:00:00Z.
    assert_eq!([run.get("/x").go().status(), run.get("/x").go().status()], [200, 200]);
    let refused = run.get("/x").go();
    assert_eq!((refused.status(), refused.header("retry-after")), (403, Some("60")));
    run.pass(60 * SECOND);
    run.answers(200, &[], &"x".repeat(2_000));
    assert_eq!(run.get("/x").go().status(), 200);
    assert!(run.get("/x").go().error().message.starts_with("Out of bandwidth"));
}

#[test]
fn a_quota_by_key_may_wait_for_the_response() {
    let run = Run::inbound(
        r#"<quota-by-key calls="1" bandwidth="1" renewal-period="300" counter-key="k"
             increment-condition="@(context.Response.StatusCode == 200)" />"#,
    );
    run.answers(404, &[], &"x".repeat(5_000));
    assert_eq!(run.get("/x").go().status(), 404);
    assert_eq!([run.get("/x").go().status(), run.get("/x").go().status()], [200, 403]);
    let counted = run.get("/x").go();
    assert!(counted.error().message.starts_with("Out of call volume"), "bytes of 404 are free");
    assert!(counted.exchange.pending.late.is_empty());
}

#[test]
fn what_a_quota_cannot_be_is_a_fault() {
    let one = |policy: &str| {
        let faults = Run::faults(policy);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    };
    let fault = one(r#"<quota-by-key calls="1" renewal-period="299" counter-key="k" />"#);
    assert!(
        fault.contains("`renewal-period` is 299") && fault.contains("0 for a quota"),
        "{fault}"
    );
    let fault = one(r#"<quota renewal-period="1" />"#);
    assert!(fault.contains("neither `calls` nor `bandwidth`"), "{fault}");
    let fault = one(
        r#"<quota-by-key calls="1" renewal-period="300" counter-key="k" first-period-start="2026" />"#,
    );
    assert!(fault.contains("`2026` is no time of the form"), "{fault}");
    let xml = r#"<policies><inbound><quota calls="1" renewal-period="1" /></inbound></policies>"#;
    let faults = Run::faults_of(Scope::Api, xml);
    assert!(faults[0].contains("may not stand in a document of scope api"), "{faults:?}");
}
