//! Tests of the cache policies, driven through the machine.

use std::time::Duration;

use crate::exchange::CacheOutcome;
use crate::policy::testing::Run;

const SECOND: Duration = Duration::from_secs(1);

const LOOKUP: &str =
    r#"<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" />"#;

fn lookup(attributes: &str, content: &str) -> String {
    format!(
        r#"<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" {attributes}
             >{content}</cache-lookup>"#
    )
}

fn cached(lookup: &str) -> Run {
    Run::both(lookup, r#"<cache-store duration="60" />"#)
}

#[test]
fn a_response_is_kept_and_answered_again_for_its_time() {
    let run = cached(LOOKUP);
    run.answers(200, &[("etag", "\"1\""), ("set-cookie", "s=1")], "first");
    let miss = run.get("/x").go();
    assert_eq!((miss.body(), miss.exchange.cache), ("first", CacheOutcome::Miss));
    assert_eq!(miss.header("set-cookie"), Some("s=1"));
    assert_eq!(run.program().collected().unwrap().policy, "cache-store");
    run.pass(59 * SECOND);
    let hit = run.get("/x").go();
    assert_eq!((hit.body(), hit.exchange.cache), ("first", CacheOutcome::Hit));
    assert_eq!((hit.header("etag"), hit.header("set-cookie")), (Some("\"1\""), None));
    assert!(hit.forwarded.is_empty());
    run.pass(SECOND);
    assert_eq!(run.get("/x").go().body(), "ok");
}

#[test]
fn what_follows_the_store_runs_on_hits_too() {
    let run = Run::both(
        LOOKUP,
        r#"<set-header name="x-before"><value>1</value></set-header><cache-store duration="60" />
           <set-header name="x-after"><value>1</value></set-header>"#,
    );
    run.get("/x").go();
    let hit = run.get("/x").go();
    assert_eq!((hit.exchange.cache, hit.header("x-before")), (CacheOutcome::Hit, Some("1")));
    assert_eq!(hit.header("x-after"), Some("1"));
    let ran: Vec<_> = hit.ran.iter().map(|step| step.note.policy).collect();
    assert_eq!(ran, ["cache-lookup", "set-header"]);
}

#[test]
fn only_what_may_be_cached_is() {
    let run = cached(LOOKUP);
    for _ in 0..2 {
        assert_eq!(run.request("POST", "/x").go().exchange.cache, CacheOutcome::None);
        let private = run.get("/x").header("authorization", "Bearer t").go();
        assert_eq!(private.exchange.cache, CacheOutcome::None);
        run.answers(404, &[], "");
        assert_eq!(run.get("/missing").go().exchange.cache, CacheOutcome::Miss);
    }
    let allowed = cached(&lookup(r#"allow-private-response-caching="true""#, ""));
    let call = || allowed.get("/x").header("authorization", "Bearer t").go().exchange.cache;
    assert_eq!([call(), call()], [CacheOutcome::Miss, CacheOutcome::Hit]);
    let forced = Run::both(LOOKUP, r#"<cache-store duration="60" cache-response="true" />"#);
    for status in [404, 206] {
        forced.answers(status, &[], "x");
        forced.get(&format!("/{status}")).go();
    }
    assert_eq!(forced.get("/404").go().status(), 404);
    assert_eq!(forced.get("/206").go().exchange.cache, CacheOutcome::Miss);
    let without_lookup = Run::both("", r#"<cache-store duration="60" />"#);
    assert_eq!(without_lookup.get("/x").go().status(), 200);
    assert_eq!(without_lookup.get("/x").go().exchange.cache, CacheOutcome::None);
}

/// How the second of two requests met the cache.
fn second(run: &Run, first: &str, second: &str) -> CacheOutcome {
    run.get(first).go();
    run.get(second).go().exchange.cache
}

#[test]
fn query_parameters_count_if_they_are_listed_or_none_is() {
    use CacheOutcome::{Hit, Miss};
    let all = || cached(LOOKUP);
    assert_eq!(second(&all(), "/x?a=1&b=2", "/x?b=2&a=1"), Hit);
    assert_eq!(second(&all(), "/x?a=1", "/x?a=2"), Miss);
    assert_eq!(second(&all(), "/x?a=1&a=2", "/x?a=2&a=1"), Miss);
    assert_eq!(second(&all(), "/x", "/y"), Miss);
    let list = "<vary-by-query-parameter>Page; size</vary-by-query-parameter>";
    let listed = || cached(&lookup("", list));
    assert_eq!(second(&listed(), "/x?page=1&t=1", "/x?page=1&t=2"), Hit);
    assert_eq!(second(&listed(), "/x?page=1", "/x?PAGE=2"), Miss);
    assert_eq!(second(&listed(), "/x?size=1", "/x?page=1"), Miss);
}

#[test]
fn listed_fields_count_and_are_told_to_caches_below() {
    let fields = "<vary-by-header>Accept</vary-by-header><vary-by-header>X-A;X-B</vary-by-header>";
    let run = cached(&lookup(r#"downstream-caching-type="public""#, fields));
    let call = |value: &str| run.get("/x").header("accept", value).header("x-c", value).go();
    let miss = call("a");
    assert_eq!(miss.header("vary"), Some("accept, x-a, x-b"));
    assert_eq!(call("b").exchange.cache, CacheOutcome::Miss);
    let hit = call("a");
    assert_eq!(
        (hit.exchange.cache, hit.header("vary")),
        (CacheOutcome::Hit, Some("accept, x-a, x-b"))
    );
    assert_eq!(hit.response().headers.map().get_all("vary").iter().count(), 1);
}

#[test]
fn developers_or_their_groups_may_have_responses_of_their_own() {
    use CacheOutcome::{Hit, Miss};
    let run = cached(&LOOKUP.replace("developer=\"false\"", "developer=\"true\""));
    let call = |subscription: &str| run.get("/x").subscription(subscription).go().exchange.cache;
    assert_eq!([call("a"), call("b"), call("a")], [Miss, Miss, Hit]);
    let as_user = |id: &str| run.get("/x").subscription("a").user(id, &[]).go().exchange.cache;
    assert_eq!([as_user("a"), as_user("b"), as_user("a")], [Miss, Miss, Hit]);
    let run = cached(&LOOKUP.replace("groups=\"false\"", "groups=\"true\""));
    let call = |groups: &[&str]| run.get("/x").user("u", groups).go().exchange.cache;
    assert_eq!([call(&["a", "b"]), call(&["a"]), call(&["b", "a"])], [Miss, Miss, Hit]);
}

#[test]
fn caches_below_are_told_what_they_may_do_and_for_how_long() {
    let seen = |attributes: &str| {
        let run = cached(&lookup(attributes, ""));
        run.answers(200, &[("cache-control", "max-age=9999"), ("age", "5")], "x");
        let miss = run.get("/x").go().header("cache-control").map(str::to_owned);
        run.pass(20 * SECOND);
        let hit = run.get("/x").go();
        assert_eq!((hit.exchange.cache, hit.header("age")), (CacheOutcome::Hit, None));
        [miss.unwrap(), hit.header("cache-control").unwrap().to_owned()]
    };
    assert_eq!(seen(""), ["no-store, must-revalidate"; 2]);
    assert_eq!(
        seen(r#"downstream-caching-type="private" must-revalidate="false""#),
        ["private, max-age=60", "private, max-age=40"]
    );
    assert_eq!(
        seen(r#"downstream-caching-type="public""#),
        ["public, max-age=60, must-revalidate", "public, max-age=40, must-revalidate"]
    );
}

#[test]
fn an_external_cache_is_refused_by_name() {
    let [fault] = &Run::faults(&lookup(r#"caching-type="external""#, ""))[..] else { panic!() };
    assert!(fault.contains("there is no external cache"), "{fault}");
    assert!(fault.contains("use prefer-external"), "{fault}");
    let [fault] = &Run::faults(&lookup(r#"caching-type="extern""#, ""))[..] else { panic!() };
    assert!(fault.contains("`extern` is no `caching-type`"), "{fault}");
    let [fault] = &Run::faults(r#"<cache-remove-value key="k" caching-type="external" />"#)[..]
    else {
        panic!()
    };
    assert!(fault.contains("there is no external cache"), "{fault}");
    let [fault] = &Run::faults(&lookup("", "<vary-by-header>a b</vary-by-header>"))[..] else {
        panic!()
    };
    assert!(fault.contains("`a b` is not the name of a header field"), "{fault}");
    let [fault] = &Run::faults(&lookup(r#"downstream-caching-type="all""#, ""))[..] else {
        panic!()
    };
    assert!(fault.contains("`none`, `private` or `public`"), "{fault}");
}

#[test]
fn a_duration_that_is_none_is_an_error_of_the_request() {
    let run = Run::both(
        LOOKUP,
        r#"<cache-store duration="@(int.Parse(context.Request.Headers.GetValueOrDefault("x-time","60")))" />"#,
    );
    let outcome = run.get("/x").header("x-time", "soon").go();
    assert_eq!((outcome.status(), outcome.reason()), (500, "ExpressionValueEvaluationFailure"));
    assert_eq!(outcome.error().source, "cache-store");
}

const KEEP: &str = r#"<cache-store-value key="k" value="@(context.Request.Headers.GetValueOrDefault("x-value","v"))" duration="60" />"#;
const FIND: &str = r#"<cache-lookup-value key="k" variable-name="found" />"#;

#[test]
fn a_value_is_kept_found_and_forgotten() {
    let run = Run::inbound(&format!(
        r#"<choose>
             <when condition="@(context.Request.Headers.GetValueOrDefault("x-do","") == "keep")">{KEEP}</when>
             <when condition="@(context.Request.Headers.GetValueOrDefault("x-do","") == "forget")">
               <cache-remove-value key="k" /></when>
           </choose>{FIND}"#
    ));
    let found = |what: &str| run.get("/x").header("x-do", what).go().variable("found");
    assert_eq!(found(""), None, "a miss without a default sets nothing");
    assert_eq!(found("keep").as_deref(), Some("v"));
    run.pass(59 * SECOND);
    assert_eq!(found("").as_deref(), Some("v"));
    run.pass(SECOND);
    assert_eq!(found(""), None);
    found("keep");
    assert_eq!(found("forget"), None);
}

#[test]
fn a_miss_with_a_default_gives_the_default() {
    let run = Run::inbound(
        r#"<set-variable name="found" value="old" />
           <cache-lookup-value key="@("a" + "b")" variable-name="found" default-value="@(1)" />"#,
    );
    assert_eq!(run.get("/x").go().variable("found").as_deref(), Some("1"));
    let kept = Run::inbound(&format!(r#"<set-variable name="found" value="old" />{FIND}"#));
    assert_eq!(kept.get("/x").go().variable("found").as_deref(), Some("old"));
}

#[test]
fn what_cannot_be_kept_is_an_error_of_the_request() {
    let run = Run::inbound(
        r#"<cache-store-value key="k" value="v" duration="@(int.Parse(context.Request.Headers.GetValueOrDefault("x-time","-1")))" />"#,
    );
    let outcome = run.get("/x").go();
    assert_eq!((outcome.status(), outcome.error().source), (500, "cache-store-value"));
    assert_eq!(run.get("/x").header("x-time", "2147483647").go().status(), 200);
    let faults = Run::faults(r#"<cache-store-value key="k" value="v" duration="long" />"#);
    assert!(faults[0].contains("`duration` is not a number of seconds"), "{faults:?}");
}
