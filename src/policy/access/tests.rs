//! Tests of `check-header` and `ip-filter`, driven through the machine.

use crate::policy::testing::Run;

const TOKEN: &str = r#"<check-header name="X-Token" failed-check-httpcode="401"
    failed-check-error-message="No &quot;entry&quot;." ignore-case="IGNORE" id="door">
    <value>One</value><value>Two</value></check-header>"#;

#[test]
fn one_of_the_values_opens() {
    let exact = Run::inbound(&TOKEN.replace("IGNORE", "false"));
    let status = |run: &Run, value: &str| run.get("/x").header("x-token", value).go().status();
    assert_eq!(
        [status(&exact, "Two"), status(&exact, "two"), status(&exact, "Three")],
        [200, 401, 401]
    );
    let folded = Run::inbound(&TOKEN.replace("IGNORE", "true"));
    assert_eq!([status(&folded, "TWO"), status(&folded, "three")], [200, 401]);
    let twice = exact.get("/x").header("x-token", "Zero").header("x-token", "One").go();
    assert_eq!(twice.status(), 200);
}

#[test]
fn a_missing_field_and_a_wrong_value_are_told_apart() {
    let run = Run::inbound(&TOKEN.replace("IGNORE", "false"));
    let missing = run.get("/x").go();
    assert_eq!(missing.body(), r#"{ "statusCode": 401, "message": "No \"entry\"." }"#);
    let error = missing.error();
    assert_eq!((error.source, error.reason), ("check-header", "HeaderNotFound"));
    assert_eq!(error.message, "Header X-Token was not found in the request. Access denied.");
    assert_eq!(error.policy_id.as_deref(), Some("door"));
    assert_eq!(run.get("/x").header("x-token", " ").go().reason(), "HeaderNotFound");
    let wrong = run.get("/x").header("x-token", "Zero").go();
    assert_eq!(wrong.reason(), "HeaderValueNotAllowed");
    assert_eq!(
        wrong.error().message,
        "Header X-Token value of Zero is not allowed. Access denied."
    );
    assert!(wrong.forwarded.is_empty());
}

#[test]
fn without_values_presence_is_enough() {
    let run = Run::inbound(
        r#"<check-header name="x-any" failed-check-httpcode="403"
             failed-check-error-message="no" ignore-case="true" />"#,
    );
    assert_eq!(run.get("/x").header("X-Any", "what ever").go().status(), 200);
    assert_eq!(run.get("/x").go().status(), 403);
}

#[test]
fn a_check_without_its_parts_is_a_fault() {
    let faults = Run::faults(
        r#"<check-header name="bad name" failed-check-httpcode="99" failed-check-error-message="" />"#,
    );
    let all = faults.join("\n");
    for part in
        ["lacks the attribute `ignore-case`", "`name` is not", "`failed-check-httpcode` is not"]
    {
        assert!(all.contains(part), "{all}");
    }
}

const ALLOW: &str = r#"<ip-filter action="allow"><address>198.51.100.7</address>
    <address-range from="10.0.0.0" to="10.0.0.255" />
    <address-range from="2001:db8::1" to="2001:db8::ff" /></ip-filter>"#;

#[test]
fn addresses_compare_as_numbers() {
    let run = Run::inbound(ALLOW);
    let status = |address: &str| run.get("/x").client(address).go().status();
    for inside in [
        "198.51.100.7",
        "10.0.0.0",
        "10.0.0.255",
        "::ffff:10.0.0.9",
        "2001:db8::a",
        "2001:0db8:0:0::00ff",
    ] {
        assert_eq!(status(inside), 200, "{inside}");
    }
    for outside in
        ["198.51.100.8", "10.0.1.0", "9.255.255.255", "::ffff:10.0.1.0", "2001:db8::100", "::1"]
    {
        assert_eq!(status(outside), 403, "{outside}");
    }
}

#[test]
fn a_caller_that_is_not_allowed_or_is_forbidden_is_told_no_more_than_that() {
    let refused = Run::inbound(ALLOW).get("/x").client("::ffff:192.0.2.9").go();
    assert_eq!(refused.body(), r#"{ "statusCode": 403, "message": "Forbidden" }"#);
    assert_eq!(refused.reason(), "CallerIpNotAllowed");
    assert!(refused.error().message.contains("192.0.2.9"));
    let forbid = Run::inbound(&ALLOW.replace("allow", "forbid"));
    assert_eq!(forbid.get("/x").client("10.0.0.1").go().reason(), "CallerIpBlocked");
    assert_eq!(forbid.get("/x").client("10.0.1.1").go().status(), 200);
}

#[test]
fn a_caller_without_an_address_does_not_come_in() {
    for action in ["allow", "forbid"] {
        let outcome =
            Run::inbound(&ALLOW.replace("allow", action)).get("/x").client("010.0.0.1").go();
        assert_eq!((outcome.status(), outcome.reason()), (403, "FailedToParseCallerIP"));
    }
}

#[test]
fn addresses_and_the_action_may_be_computed() {
    let run = Run::inbound(
        r#"<ip-filter action="@(context.Request.Headers.GetValueOrDefault("x-action","forbid"))">
             <address>@(context.Request.Headers.GetValueOrDefault("x-address","10.0.0.1"))</address>
           </ip-filter>"#,
    );
    assert_eq!(run.get("/x").client("10.0.0.1").go().reason(), "CallerIpBlocked");
    assert_eq!(run.get("/x").client("10.0.0.1").header("x-action", "allow").go().status(), 200);
    let odd = run.get("/x").header("x-address", "010.0.0.1").go();
    assert_eq!((odd.status(), odd.reason()), (500, "ExpressionValueEvaluationFailure"));
    assert_eq!(run.get("/x").header("x-action", "perhaps").go().status(), 500);
}

#[test]
fn odd_addresses_in_a_document_are_faults_with_a_remedy() {
    let one = |content: &str| {
        let faults = Run::faults(&format!(r#"<ip-filter action="allow">{content}</ip-filter>"#));
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    };
    let cidr = one("<address>10.0.0.0/8</address>");
    assert!(cidr.contains("`address` is not an IP address"), "{cidr}");
    assert!(cidr.contains(r#"<address-range from="10.0.0.0" to="10.255.255.255" />"#), "{cidr}");
    assert!(one("<address>010.0.0.1</address>").contains("without leading zeros"));
    assert!(
        one(r#"<address-range from="10.0.0.9" to="10.0.0.1" />"#).contains("ends before it begins")
    );
    assert!(one(r#"<address-range from="10.0.0.9" to="::1" />"#).contains("one end of the range"));
    assert!(one("").contains("has no addresses"));
    assert!(one("<adress>1.1.1.1</adress>").contains("did you mean `address`?"));
}
