//! What `context` shows, and what is known about an expression at load.

use super::request::Request;
use super::{Expected, Value, check, compile, outcome_on};

const CONTEXT: &[(&str, &str)] = &[
    ("context.Request.Method", "GET"),
    ("context.Request.Method == \"GET\"", "True"),
    ("context.Request.IpAddress", "10.0.0.1"),
    ("context.Request.Headers.GetValueOrDefault(\"accept\", \"\")", "text/plain,text/html"),
    ("context.Request.Headers.GetValueOrDefault(\"accept\")", "text/plain,text/html"),
    ("context.Request.Headers.GetValueOrDefault(\"accept\").Length", "20"),
    ("context.Request.Headers[\"Accept\"][1]", "text/html"),
    ("context.Request.Headers.GetValueOrDefault(\"nope\", \"x\")", "x"),
    ("context.Request.Headers.GetValueOrDefault(\"nope\") == null", "True"),
    ("context.Request.Headers.ContainsKey(\"HOST\")", "True"),
    (
        "context.Request.Headers[\"nope\"]",
        "throws KeyNotFoundException: The given key 'nope' was not present in the dictionary.",
    ),
    ("context.Request.Headers.Count", "4"),
    (
        "string.Join(\",\", context.Request.Headers.OrderBy(h => h.Key).Select(h => h.Key + \"=\" + h.Value[0]))",
        "Accept=text/plain,Authorization=Basic YWxpY2U6c2VjcmV0,Host=api.contoso.com,X-Number=42",
    ),
    ("int.Parse(context.Request.Headers.GetValueOrDefault(\"X-Number\", \"0\")) > 41", "True"),
    (
        "context.Request.Headers.GetValueOrDefault(\"Authorization\", \"\").AsBasic()?.UserId",
        "alice",
    ),
    ("context.Request.Url.Path + context.Request.OriginalUrl.Path", "/orders/7/v1/orders/7"),
    ("context.Request.Url.ToString()", "https://backend/orders/7?q=a&q=b&x=1"),
    ("\"\" + context.Request.OriginalUrl", "https://api.contoso.com/v1/orders/7?q=a&q=b&x=1"),
    ("context.Request.Url.Query.GetValueOrDefault(\"q\", \"\")", "a,b"),
    ("context.Request.Url.Query[\"q\"][0]", "a"),
    ("context.Request.OriginalUrl.Query.GetValueOrDefault(\"x\")", "1"),
    ("context.Request.MatchedParameters[\"id\"]", "7"),
    ("context.Request.MatchedParameters.GetValueOrDefault(\"no\", \"d\")", "d"),
    ("context.Request.Certificate == null", "True"),
    ("context.Request.Body.As<JObject>(preserveContent: true)[\"name\"]", "Ada"),
    ("context.Request.Body?.As<JObject>(true)[\"list\"][1]", "2"),
    (
        "@{ var a = context.Request.Body.As<string>(); return context.Request.Body.As<string>().Length; }",
        "0",
    ),
    ("@{ var b = context.Request.Body; return b.As<string>(true).Length; }", "41"),
    (
        "context.Response.StatusCode == 429 && context.Response.StatusReason.Contains(\"Many\")",
        "True",
    ),
    ("context.Response.Headers.GetValueOrDefault(\"Retry-After\", \"-1\")", "7"),
    (
        "context.Response.Body.As<JObject>(true).SelectToken(\"usage.total_tokens\").ToObject<int>()",
        "12",
    ),
    (
        "@{ IResponse r = context.Response; return r.StatusCode + r.Body.As<string>(); }",
        "429{\"usage\":{\"total_tokens\":12}}",
    ),
    ("context.Api.Name + context.Api.Id + context.Operation.Name", "Ordersapi-1Get order"),
    ("context.Api.IsCurrentRevision", "True"),
    ("context.Api.ServiceUrl?.Host ?? \"none\"", "none"),
    ("context.Product == null", "True"),
    ("context.Product?.Id", "null"),
    ("context.Product?.Name?.ToString() ?? \"none\"", "none"),
    (
        "context.Product.Id",
        "throws NullReferenceException: Object reference not set to an instance of an object.",
    ),
    ("context.Subscription?.Id ?? \"unknown\"", "sub-1"),
    ("context.User?.Groups.Any(g => g.Name == \"x\") ?? false", "False"),
    ("context.LastError != null && context.LastError.Reason == \"x\"", "False"),
    ("context.Deployment.Region + context.Deployment.Gateway.Id", "West Europegw"),
    ("context.Deployment?.Gateway?.Id ?? \"NA\"", "gw"),
    ("context.RequestId", "01234567-89ab-cdef-0123-456789abcdef"),
    ("context.RequestId.ToString(\"N\").Substring(0, 4)", "0123"),
    ("context.Timestamp.Year + context.Elapsed.TotalMilliseconds", "3524"),
    ("context.Variables[\"text\"]", "hello"),
    ("(string)context.Variables[\"text\"] + (int)context.Variables[\"number\"]", "hello5"),
    ("(bool)context.Variables[\"flag\"] ? 1 : 2", "1"),
    (
        "context.Variables[\"missing\"]",
        "throws KeyNotFoundException: The given key 'missing' was not present in the dictionary.",
    ),
    ("context.Variables.ContainsKey(\"text\") && !context.Variables.ContainsKey(\"x\")", "True"),
    ("context.Variables.GetValueOrDefault<int>(\"number\") + 1", "6"),
    ("context.Variables.GetValueOrDefault<int>(\"missing\")", "0"),
    ("context.Variables.GetValueOrDefault<string>(\"missing\") ?? \"none\"", "none"),
    ("context.Variables.GetValueOrDefault<string>(\"missing\", \"d\")", "d"),
    ("context.Variables.GetValueOrDefault(\"missing\", \"d\") == \"d\"", "True"),
    ("context.Variables.GetValueOrDefault(\"text\") == \"hello\"", "True"),
    ("context.Variables.GetValueOrDefault<int>(\"text\", 9)", "9"),
    (
        "context.Variables.GetValueOrDefault<int>(\"text\")",
        "throws InvalidCastException: The variable 'text' is not of type 'int': Unable to cast object of type 'System.String' to type 'System.Int32'.",
    ),
    ("context.Variables[\"number\"] is int n && n > 4", "True"),
    ("context.Variables[\"text\"] as string", "hello"),
    (
        "(int)context.Variables[\"text\"]",
        "throws InvalidCastException: Unable to cast object of type 'System.String' to type 'System.Int32'.",
    ),
    ("context.Variables.Keys.Count()", "5"),
    ("context.Variables.Count", "5"),
    ("$\"{context.Variables[\"text\"]}!\"", "hello!"),
    ("context.Variables['text']", "hello"),
];

#[test]
fn context_shows_the_request() {
    check(CONTEXT);
}

#[test]
fn a_missing_response_is_null() {
    let mut request = Request { has_response: false, ..Request::default() };
    for (text, expected) in [
        ("@(context.Response == null)", "True"),
        ("@(context.Response?.StatusCode ?? 0)", "0"),
        ("@(context.Response != null && context.Response.StatusCode == 200)", "False"),
        (
            "@(context.Response.Headers.ContainsKey(\"a\"))",
            "throws NullReferenceException: Object reference not set to an instance of an object.",
        ),
        ("@(context.Response?.Headers.GetValueOrDefault(\"a\", \"b\"))", "null"),
    ] {
        assert_eq!(outcome_on(text, &mut request), expected, "{text}");
    }
}

#[test]
fn a_missing_body_is_null() {
    let mut request = Request { body: None, ..Request::default() };
    for (text, expected) in [
        ("@(context.Request.Body == null)", "True"),
        ("@(context.Request.Body?.As<string>() ?? \"none\")", "none"),
    ] {
        assert_eq!(outcome_on(text, &mut request), expected, "{text}");
    }
}

#[test]
fn a_trace_reaches_the_request() {
    let mut request = Request::default();
    assert_eq!(outcome_on("@{ context.Trace(\"a\" + 1); return 2; }", &mut request), "2");
    assert_eq!(request.traced, ["a1"]);
}

#[test]
fn what_is_read_is_known_at_load() {
    let reads = |text: &str| compile(text, Expected::Any).unwrap().reads();
    assert!(!reads("@(context.Request.Body == null)").request_body);
    assert!(reads("@(context.Request.Body.As<string>(true))").request_body);
    assert!(reads("@{ IResponse r = context.Response; return r.StatusCode; }").response_body);
    let status = reads("@(context.Response.StatusCode)");
    assert!(status.response && !status.response_body && !status.effects);
    assert!(reads("@(context.Response.Body.As<JObject>()[\"a\"])").response_body);
    assert!(reads("@(Guid.NewGuid())").effects);
    assert!(reads("@(DateTime.UtcNow.Year)").effects);
    assert!(reads("@(new Random().Next())").effects);
    assert!(reads("@(context.Variables[\"a\"])").variables);
    assert_eq!(reads("@(1 + 1)"), crate::expression::scope::Reads::default());
}

#[test]
fn the_service_url_is_a_url_of_apim_and_one_of_dotnet() {
    for (text, expected) in [
        ("@(context.Api.ServiceUrl.Host)", "orders.internal"),
        ("@(context.Api.ServiceUrl.Scheme + context.Api.ServiceUrl.Port)", "http8080"),
        ("@(context.Api.ServiceUrl.Path)", "/v2/base"),
        ("@(context.Api.ServiceUrl.QueryString)", "?a=1&a=2"),
        ("@(context.Api.ServiceUrl.Query[\"a\"][1])", "2"),
        ("@(context.Api.ServiceUrl.Query.GetValueOrDefault(\"a\"))", "1,2"),
        ("@(context.Api.ServiceUrl.ToString())", "http://orders.internal:8080/v2/base?a=1&a=2"),
        ("@(context.Api.ServiceUrl.AbsolutePath)", "/v2/base"),
        ("@(context.Api.ServiceUrl.Segments.Length)", "3"),
        ("@(new Uri(context.Api.ServiceUrl, \"x\").AbsolutePath)", "/v2/x"),
        ("@{ Uri url = context.Api.ServiceUrl; return url.Query; }", "?a=1&a=2"),
    ] {
        let service_url = Some("http://orders.internal:8080/v2/base?a=1&a=2");
        let mut request = Request { service_url, ..Request::default() };
        assert_eq!(outcome_on(text, &mut request), expected, "{text}");
    }
}

#[test]
fn constants_are_computed_at_load() {
    let constant = |text: &str| compile(text, Expected::Any).unwrap().constant().cloned();
    assert!(matches!(constant("@(1 + 2)"), Some(Value::Int(3))));
    assert!(matches!(constant("@{ return \"a\" + 1; }"), Some(Value::String(_))));
    assert!(constant("@(Math.Max(1, 2) > 1 ? \"a\".ToUpper() : \"b\")").is_some());
    assert!(matches!(constant("@(new Regex(\"a\"))"), Some(Value::Regex(_))));
    assert!(constant("@(new JObject())").is_none());
    assert!(constant("@(new List<int>())").is_none());
    assert!(constant("@(context.Request.Method)").is_none());
    assert!(constant("@(Guid.NewGuid())").is_none());
    assert!(constant("@(int.Parse(\"\"))").is_none());
    let printed = compile("@(1 + 2)", Expected::String).unwrap();
    assert!(matches!(printed.constant(), Some(Value::String(text)) if &**text == "3"));
}

#[test]
fn an_expression_is_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<crate::expression::Expression>();
}
