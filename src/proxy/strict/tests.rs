//! Heads that are let through, and heads that are refused.

use super::*;

fn head(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHeader {
    let mut head = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    head.set_version(Version::HTTP_11);
    for (name, value) in fields {
        head.append_header((*name).to_owned(), (*value).to_owned()).unwrap();
    }
    head
}

fn judged(fields: &[(&str, &str)]) -> Result<Head, Refusal> {
    let mut all = vec![("host", "a.example")];
    all.extend_from_slice(fields);
    judge(&head("GET", "/", &all), &HeadBounds::default())
}

fn refused(fields: &[(&str, &str)], refusal: Refusal) {
    assert_eq!(judged(fields), Err(refusal), "{fields:?}");
}

#[test]
fn an_ordinary_request_is_let_through() {
    let fields = [
        ("connection", "Keep-Alive, Upgrade"),
        ("content-length", "12"),
        ("expect", "100-Continue"),
        ("authorization", "Bearer x"),
        ("my_own", "1"),
        ("x-empty", ""),
    ];
    assert_eq!(judged(&fields), Ok(Head::Request));
    assert_eq!(judged(&[("transfer-encoding", "Chunked")]), Ok(Head::Request));
    assert_eq!(judged(&[("connection", "close, TE"), ("te", "trailers")]), Ok(Head::Request));
}

#[test]
fn a_length_is_one_plain_number() {
    for wrong in ["3, 3", "003", "+3", "-1", "0x3", "1_0", "3 3", "3;", "", "18446744073709551619"]
    {
        refused(&[("content-length", wrong)], Refusal::Length);
    }
    refused(&[("content-length", "3"), ("content-length", "3")], Refusal::Length);
    assert_eq!(judged(&[("content-length", "0")]), Ok(Head::Request));
}

#[test]
fn the_one_coding_is_chunked() {
    for wrong in ["identity", "gzip, chunked", ",chunked", "chunked, chunked", "chunked;q=1", ""] {
        refused(&[("transfer-encoding", wrong)], Refusal::Coding);
    }
    let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
    refused(&twice, Refusal::Coding);
    let both = [("transfer-encoding", "chunked"), ("content-length", "1")];
    refused(&both, Refusal::LengthAndCoding);
}

#[test]
fn a_host_is_needed_once_and_whole() {
    let judge_hosts = |hosts: &[&str]| {
        let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        judge(&head("GET", "/", &fields), &HeadBounds::default())
    };
    assert_eq!(judge_hosts(&[]), Err(Refusal::Host));
    assert_eq!(judge_hosts(&["a", "a"]), Err(Refusal::Host));
    for wrong in ["", ":80", "a:99999", "a:abc", "[::1", "a.example, b.example", "u@a", "a b/c@d"] {
        assert_eq!(judge_hosts(&[wrong]), Err(Refusal::Host), "{wrong}");
    }
    assert_eq!(judge_hosts(&["[::1]:8080"]), Ok(Head::Request));
    let mut old = head("GET", "/", &[]);
    old.set_version(Version::HTTP_10);
    assert_eq!(judge(&old, &HeadBounds::default()), Ok(Head::Request));
}

#[test]
fn methods_and_targets_go_together() {
    let judge_line = |method: &str, target: &str| {
        judge(&head(method, target, &[("host", "a.example")]), &HeadBounds::default())
    };
    assert_eq!(judge_line("OPTIONS", "*"), Ok(Head::ServerOptions));
    assert_eq!(judge_line("OPTIONS", "/x"), Ok(Head::Request));
    assert_eq!(judge_line("M-SEARCH", "/x"), Ok(Head::Request));
    assert_eq!(judge_line("get", "/"), Err(Refusal::Method));
    assert_eq!(judge_line("TRACE", "/"), Err(Refusal::MethodRefused));
    assert_eq!(judge_line("GET", "http://a.example/x"), Ok(Head::Request));
    assert_eq!(judge_line("GET", "http://b.example/x"), Err(Refusal::Target));
    assert_eq!(judge_line("GET", &format!("/{}", "a".repeat(8191))), Ok(Head::Request));
    assert_eq!(judge_line("GET", &format!("/{}", "a".repeat(8192))), Err(Refusal::TargetBytes));
}

#[test]
fn path_and_query_are_the_bytes_of_the_target() {
    for (target, wanted) in [
        ("/a/b?c=d?e", ("/a/b", "c=d?e")),
        ("/a?", ("/a", "")),
        ("http://a.example", ("/", "")),
        ("http://a.example?x", ("/", "x")),
        ("http://a.example/%41", ("/%41", "")),
    ] {
        let head = head("GET", target, &[]);
        assert_eq!((path(&head), query(&head)), (wanted.0.as_bytes(), wanted.1.as_bytes()));
    }
}

#[test]
fn expectations_and_nominations_are_known_ones() {
    for wrong in ["y 100-continue", "100-continue, x", "", "200-ok"] {
        refused(&[("expect", wrong)], Refusal::Expect);
    }
    for wrong in ["close, Authorization", "cookie", "Host", "X-Forwarded-For", "x"] {
        refused(&[("connection", wrong)], Refusal::Connection);
    }
    refused(&[("connection", &["close"; 11].join(", "))], Refusal::Connection);
}

#[test]
fn no_field_stands_in_for_one_of_ours() {
    for wrong in
        ["X_Weir_Consumer", "x_forwarded-for", "Transfer_Encoding", "ocp_apim_subscription_key"]
    {
        refused(&[(wrong, "1")], Refusal::Alias);
    }
    refused(&[("authorization", "a"), ("authorization", "a")], Refusal::Authorization);
}

#[test]
fn a_head_has_bounds() {
    let many: Vec<_> = (0..100).map(|_| ("x", "1")).collect();
    refused(&many, Refusal::Fields);
    refused(&[("x", &"a".repeat(64 * 1024))], Refusal::Bytes);
    let problem = Refusal::Bytes.problem(&HeadBounds::default());
    assert_eq!((problem.status.as_u16(), problem.close), (431, true));
}

#[test]
fn http2_heads_are_judged_too() {
    let judge_uri = |uri: &str| {
        let mut head = head("GET", "/", &[]);
        head.set_version(Version::HTTP_2);
        head.set_uri(uri.parse().unwrap());
        judge(&head, &HeadBounds::default())
    };
    assert_eq!(judge_uri("https://a.example/"), Ok(Head::Request));
    assert_eq!(judge_uri("file://a.example/"), Err(Refusal::Scheme));
    assert_eq!(judge_uri("https://a_b:99999/"), Err(Refusal::Host));
    assert_eq!(judge_uri("/"), Err(Refusal::Host));
    let mut spaced = head("GET", "/", &[("host", "a"), ("x", "a ")]);
    spaced.set_version(Version::HTTP_2);
    assert_eq!(judge(&spaced, &HeadBounds::default()), Err(Refusal::Field));
}

#[test]
fn only_a_websocket_upgrades() {
    let asks = |upgrade| is_websocket(&head("GET", "/", &[("upgrade", upgrade)]));
    assert!(asks("WebSocket"));
    assert!(!asks("h2c"));
    assert!(!is_websocket(&head("GET", "/", &[])));
}
