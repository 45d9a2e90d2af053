//! Policies that look into bodies: the gateway makes the call itself and holds what it needs.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::backend::NOBODY;
use crate::harness::{Backend, End, Gateway, Policies, Request, Then, reply, soon};

fn with(backend: &Backend, policies: Policies<'_>) -> Gateway {
    Gateway::start(|site| site.open_api("echo", &backend.url(), policies))
}

#[test]
fn a_policy_reads_the_response_and_says_it_in_other_words() {
    let backend = Backend::replying(|_seen| {
        reply(200, &[("Content-Type", "application/json")], r#"{"name": "weir", "secret": 1}"#)
    });
    let outbound = "<set-body>@(\"its name is \" + \
                    (string)context.Response.Body.As<JObject>()[\"name\"])</set-body>";
    let gateway = with(&backend, Policies { outbound, ..Policies::default() });
    let mut client = gateway.client();
    for _ in 0..2 {
        let answer = client.ask(&Request::get("/echo/a"));
        assert_eq!((answer.status, answer.text()), (200, "its name is weir"));
        assert_eq!(answer.field("Content-Length"), Some("16"));
    }
}

#[test]
fn a_policy_reads_a_compressed_response_and_the_client_gets_what_is_true_of_it() {
    let backend = Backend::replying(|_seen| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{\"name\": \"weir\"}").unwrap();
        let body = encoder.finish().unwrap();
        let fields = "Content-Encoding: gzip\r\nETag: \"z\"\r\nX-Stays: 1\r\n";
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n", body.len())
                .into_bytes();
        bytes.extend(body);
        bytes
    });
    let read = "<set-variable name=\"name\" value=\"@((string)context.Response.Body\
                .As&lt;JObject&gt;(true)[&quot;name&quot;])\" /><set-header name=\"X-Name\">\
                <value>@((string)context.Variables[\"name\"])</value></set-header>";
    let replace = "<find-and-replace from=\"weir\" to=\"dam\" />";
    let gateway = Gateway::start(|site| {
        for (id, outbound) in [("read", read), ("replace", replace), ("plain", "")] {
            let policies = Policies { outbound, ..Policies::default() };
            site.open_api(id, &backend.url(), policies);
        }
    });
    let answer = gateway.get("/read/a");
    assert_eq!((answer.status, answer.field("X-Name")), (200, Some("weir")), "{}", answer.text());
    assert_eq!((answer.text(), answer.field("X-Stays")), ("{\"name\": \"weir\"}", Some("1")));
    assert_eq!((answer.field("Content-Encoding"), answer.field("ETag")), (None, None));
    let answer = gateway.get("/replace/a");
    assert_eq!((answer.text(), answer.field("Content-Encoding")), ("{\"name\": \"dam\"}", None));
    let answer = gateway.get("/plain/a");
    let coded = (answer.field("Content-Encoding"), answer.field("ETag"));
    assert_eq!((coded, answer.body.first()), ((Some("gzip"), Some("\"z\"")), Some(&0x1f)));
}

#[test]
fn the_body_of_a_request_streams_through_a_call_that_the_gateway_makes_itself() {
    let backend = Backend::replying(|seen| reply(200, &[], seen.text()));
    let outbound = "<set-body>@(\"said \" + context.Response.Body.As<string>())</set-body>";
    let gateway = Gateway::start(|site| {
        site.set("limits-request-body-bytes", "10");
        site.open_api("echo", &backend.url(), Policies { outbound, ..Policies::default() });
    });
    let mut client = gateway.client();
    client.send("POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n");
    client.send("Expect: 100-continue\r\n\r\n");
    assert_eq!(client.head().unwrap().line, "HTTP/1.1 100 Continue");
    client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "said abcde");
    let mut client = gateway.client();
    client.send("POST /echo/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("b\r\n12345678901\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    assert_eq!(gateway.record("/echo/b")["reason"], "body_too_large");
}

#[test]
fn a_policy_reads_and_replaces_the_body_of_a_request() {
    let backend = Backend::plain();
    let inbound = "<set-body>@(context.Request.Body.As<string>(preserveContent: true).ToUpper())\
                   </set-body>";
    let gateway = with(&backend, Policies { inbound, ..Policies::default() });
    assert_eq!(gateway.ask(&Request::post("/echo/a", "hello")).status, 200);
    let seen = backend.last();
    assert_eq!((seen.text(), seen.field("Content-Length")), ("HELLO", Some("5")));
    let mut client = gateway.client();
    client.send("POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(backend.last().text(), "ABCDE");
    client.send(
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.head().unwrap().line, "HTTP/1.1 100 Continue");
    client.send("ok");
    assert_eq!(client.answer().status, 200);
    assert_eq!(backend.last().text(), "OK");
}

#[test]
fn a_body_that_is_read_may_not_be_larger_than_what_is_held() {
    let backend = Backend::replying(|_seen| reply(200, &[], &"x".repeat(2000)));
    let read = "@(context.Request.Body.As<string>(preserveContent: true).Length.ToString())";
    let inbound = format!("<set-variable name=\"n\" value=\"{read}\" />");
    let gateway = Gateway::start(|site| {
        site.set("limits-buffered-body-bytes", "1024");
        let policies = Policies { inbound: &inbound, ..Policies::default() };
        site.open_api("request", &backend.url(), policies);
        let outbound = "<set-body>@(context.Response.Body.As<string>())</set-body>";
        site.open_api("response", &backend.url(), Policies { outbound, ..Policies::default() });
    });
    let answer = gateway.ask(&Request::post("/request/a", [b'x'; 1025]));
    assert_eq!(answer.status, 413);
    assert_eq!(backend.count(), 0);
    assert_eq!(gateway.ask(&Request::post("/request/a", [b'x'; 1024])).status, 200);
    let answer = gateway.get("/response/a");
    assert_eq!(answer.status, 500);
    assert_eq!(gateway.record("/response/a")["reason"], "backend_body_too_large");
}

#[test]
fn a_failed_call_is_tried_again_as_often_as_the_policy_says() {
    let calls = AtomicUsize::new(0);
    let backend = Backend::replying(move |seen| {
        let nth = calls.fetch_add(1, Ordering::SeqCst);
        let status = if seen.target == "/never" || nth < 2 { 503 } else { 200 };
        reply(status, &[], &format!("call {nth}, {}", seen.text()))
    });
    let retry = "<retry condition=\"@(context.Response.StatusCode == 503)\" count=\"3\" \
                 interval=\"0\"><forward-request buffer-request-body=\"true\" /></retry>";
    let gateway = with(&backend, Policies { backend: retry, ..Policies::default() });
    let answer = gateway.ask(&Request::post("/echo/a", "body"));
    assert_eq!((answer.status, answer.text()), (200, "call 2, body"));
    let answer = gateway.get("/echo/never");
    assert_eq!((answer.status, backend.count()), (503, 7));
}

#[test]
fn retries_do_not_make_an_outage_worse() {
    const REQUESTS: usize = 400;
    let backend = Backend::replying(|_seen| reply(503, &[], "down"));
    let retry = "<retry condition=\"@(context.Response.StatusCode == 503)\" count=\"3\" \
                 interval=\"0\"><forward-request /></retry>";
    let gateway = with(&backend, Policies { backend: retry, ..Policies::default() });
    let mut client = gateway.client();
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        let answer = client.ask(&Request::get("/echo/a"));
        assert_eq!((answer.status, answer.text()), (503, "down"));
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    let more = backend.count() - REQUESTS;
    let saved = 100 + REQUESTS / 5;
    let most = saved + 10 * (seconds + 2);
    assert!((100..=most).contains(&more), "{more} tries more in {seconds} s; {most} at most");
    let page = gateway.admin("/metrics").text().to_owned();
    let count = |line: &str| line.strip_prefix("weir_retries_spared_total ")?.parse::<usize>().ok();
    let spared = page.lines().find_map(count).unwrap();
    assert!((1..=REQUESTS).contains(&spared), "{spared}");
}

#[test]
fn what_is_left_of_a_body_is_never_sent_as_if_it_were_the_whole() {
    let calls = AtomicUsize::new(0);
    let backend = Backend::replying(move |seen| {
        let nth = calls.fetch_add(1, Ordering::SeqCst);
        reply(if nth == 0 { 503 } else { 200 }, &[], &format!("got {}", seen.text().len()))
    });
    let retry = "<retry condition=\"@(context.Response.StatusCode != 200)\" count=\"3\" \
                 interval=\"0\"><forward-request /></retry>";
    let gateway = with(&backend, Policies { backend: retry, ..Policies::default() });
    // It was passed on while it arrived, so that it is not there a second time.
    let long = "x".repeat(80 * 1024);
    let answer = gateway.ask(&Request::post("/echo/a", &long));
    assert_eq!((answer.status, backend.count()), (500, 1), "{}", answer.text());
    let record = soon(|| gateway.records().into_iter().next());
    let error = record.expect("a record").to_string();
    assert!(error.contains("RequestBodyGone") && error.contains("buffer-request-body"), "{error}");
}

#[test]
fn a_body_that_cannot_be_read_is_not_tried_again() {
    let backend = Backend::replying(|seen| reply(200, &[], &format!("got {}", seen.text())));
    let retry = "<retry condition=\"@(context.Response.StatusCode != 200)\" count=\"3\" \
                 interval=\"0\"><forward-request buffer-request-body=\"true\" /></retry>";
    let gateway = Gateway::start(|site| {
        site.set("limits-buffered-body-bytes", "1024");
        site.open_api("echo", &backend.url(), Policies { backend: retry, ..Policies::default() });
    });
    let answer = gateway.ask(&Request::post("/echo/a", "x".repeat(1025)));
    assert_eq!((answer.status, backend.count()), (413, 0), "{}", answer.text());
}

#[test]
fn the_second_call_is_answered_from_the_cache() {
    let calls = AtomicUsize::new(0);
    let backend = Backend::replying(move |seen| {
        let nth = calls.fetch_add(1, Ordering::SeqCst).to_string();
        let status = if seen.target.starts_with("/bad") { 500 } else { 200 };
        reply(status, &[("X-Nth", &nth), ("Content-Type", "text/x-own")], &format!("body {nth}"))
    });
    let inbound = "<cache-lookup vary-by-developer=\"false\" vary-by-developer-groups=\"false\">\
                   <vary-by-header>Accept</vary-by-header>\
                   <vary-by-query-parameter>q</vary-by-query-parameter></cache-lookup>";
    let outbound = "<cache-store duration=\"60\" />";
    let gateway = with(&backend, Policies { inbound, outbound, ..Policies::default() });
    let mut client = gateway.client();
    let mut ask = |target: &str, accept: &str| {
        let answer = client.ask(&Request::get(target).field("Accept", accept));
        (answer.field("X-Nth").unwrap().to_owned(), answer.text().to_owned())
    };
    let first = ask("/echo/a?q=1&r=1", "x");
    assert_eq!(first, ("0".to_owned(), "body 0".to_owned()));
    assert_eq!(ask("/echo/a?q=1&r=2", "x"), first);
    assert_eq!(ask("/echo/a?q=2", "x").0, "1");
    assert_eq!(ask("/echo/a?q=1", "y").0, "2");
    assert_eq!(ask("/echo/b?q=1", "x").0, "3");
    assert_eq!(ask("/echo/bad", "x").0, "4");
    assert_eq!(ask("/echo/bad", "x").0, "5");
    assert_eq!(ask("/echo/a?q=1", "x"), first);
    let hit = soon(|| {
        let records = gateway.records();
        records.into_iter().find(|record| record["cache"] == "hit")
    });
    assert_eq!(hit.unwrap()["responseCode"], 200);
}

#[test]
fn values_are_kept_between_requests() {
    let inbound = "<cache-lookup-value key=\"@(context.Request.Url.Path)\" variable-name=\"kept\" />\
                   <choose><when condition=\"@(context.Variables.ContainsKey(&quot;kept&quot;))\">\
                   <return-response><set-body>@((string)context.Variables[\"kept\"])</set-body>\
                   </return-response></when></choose>\
                   <cache-store-value key=\"@(context.Request.Url.Path)\" \
                   value=\"@(&quot;kept &quot; + context.Request.Url.Path)\" duration=\"60\" />\
                   <return-response><set-body>stored</set-body></return-response>";
    let gateway = Gateway::start(|site| {
        site.open_api("echo", NOBODY, Policies { inbound, ..Policies::default() });
    });
    assert_eq!(gateway.get("/echo/a").text(), "stored");
    let kept = gateway.get("/echo/a").text().to_owned();
    assert!(kept.starts_with("kept ") && kept.ends_with("/a"), "{kept}");
    assert_eq!(gateway.get("/echo/b").text(), "stored");
}

#[test]
fn text_is_found_and_replaced_also_where_pieces_meet() {
    let backend = Backend::scripted(|_seen, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for piece in ["see http://inter", "nal.example/a and ", "http://internal.example"] {
            write!(stream, "{:x}\r\n{piece}\r\n", piece.len())?;
            stream.flush()?;
        }
        stream.write_all(b"0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let outbound =
        "<find-and-replace from=\"http://internal.example\" to=\"https://api.example\" />";
    let gateway = with(&backend, Policies { outbound, ..Policies::default() });
    let answer = gateway.get("/echo/a");
    assert_eq!(answer.text(), "see https://api.example/a and https://api.example");
    assert_eq!(answer.end, End::Whole);
}

#[test]
fn a_mock_answers_with_the_example_of_the_operation() {
    let gateway = Gateway::start(|site| {
        site.yaml(
            "apis:
  - id: a
    path: a
    subscriptionRequired: false
    operations:
      - id: get
        method: GET
        urlTemplate: /x
        policy: '<policies><inbound><base /><mock-response status-code=\"201\" /></inbound></policies>'
        responses:
          - {statusCode: 201, representations: [{contentType: application/json, example: {a: 1}}]}
",
        );
    });
    let answer = gateway.get("/a/x");
    assert_eq!((answer.status, answer.text()), (201, "{\"a\":1}"));
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
}
