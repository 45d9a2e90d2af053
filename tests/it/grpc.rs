//! gRPC through the gateway: all four kinds of calls, statuses, deadlines, and the gateway's own
//! refusals as a client of gRPC understands them.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request as Asked, Response};
use tonic::{Code, Request};

use crate::harness::calls::{Caller, Calls};
use crate::harness::http2::Http2;
use crate::harness::shared::{Shared, read};
use crate::harness::{Gateway, Site};

/// The API of the tests' service, behind a policy.
fn api(site: &mut Site, service: &str, inbound: &str) {
    site.set("listen-h2c", "true");
    site.file(
        "echo.xml",
        format!(
            "<policies><inbound><base />{inbound}</inbound><backend><base /></backend>\
             <outbound><base /></outbound><on-error><base /></on-error></policies>"
        ),
    );
    let mut text = format!(
        "apis:\n  - id: echo\n    path: \"\"\n    type: grpc\n    subscriptionRequired: false\n    \
         serviceUrl: {service}\n    policy: echo.xml\n    operations:\n"
    );
    for method in ["Unary", "Gather", "Spell", "Chat"] {
        let path = format!("/tests.Echo/{method}");
        let id = method.to_lowercase();
        writeln!(text, "      - {{id: {id}, method: POST, urlTemplate: {path}}}").expect("fits");
    }
    site.yaml(text);
}

fn before(service: &str, inbound: &str) -> Gateway {
    Gateway::start(|site| api(site, service, inbound))
}

fn text(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}

#[test]
fn all_four_kinds_of_calls_pass() {
    let service = Calls::start();
    let gateway = before(&service.url(), "");
    let mut caller = Caller::of(gateway.http);
    for _ in 0..2 {
        assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
        assert_eq!(caller.gather(&["a", "b", "c"]).unwrap(), "abc");
        let (heard, outcome) = caller.spell(text("abc"));
        assert_eq!((heard.concat().as_str(), outcome.is_ok()), ("abc", true));
        assert_eq!(
            caller.chat(&["one", "two", "three"]).unwrap(),
            ["re one", "re two", "re three"]
        );
    }
    let large = "x".repeat(3 << 20);
    assert_eq!(caller.unary(text(&large)).unwrap().len(), large.len() + 5);
    let record = gateway.record("/tests.Echo/Unary");
    assert_eq!((&record["grpcStatus"], &record["responseCode"]), (&0.into(), &200.into()));
}

#[test]
fn a_status_passes_with_all_that_belongs_to_it() {
    let service = Calls::start();
    let gateway = before(&service.url(), "");
    let mut caller = Caller::of(gateway.http);
    let status = caller.unary(text("fail")).unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "50% l\u{f6}st"));
    assert_eq!(status.metadata().get("x-why").unwrap(), "because");
    assert_eq!(gateway.record("/tests.Echo/Unary")["grpcStatus"], 15);
    assert_eq!(gateway.record("/tests.Echo/Unary")["isRequestSuccess"], false);
}

#[test]
fn a_deadline_is_passed_on_shortened_and_kept() {
    let service = Calls::start();
    let gateway = before(&service.url(), "");
    let mut caller = Caller::of(gateway.http);
    assert_eq!(caller.unary(text("timeout")).unwrap(), "none");
    let within = |text: &str, span: &'static str| {
        let mut request = Request::new(text.to_owned());
        request.metadata_mut().insert("grpc-timeout", span.parse().unwrap());
        request
    };
    let told = caller.unary(within("timeout", "10S")).unwrap();
    let micros: u64 = told.strip_suffix('u').expect("microseconds").parse().unwrap();
    assert!((1..10_000_000).contains(&micros), "{told}");
    let told = caller.unary(within("timeout", "99999999H")).unwrap();
    assert!(told.ends_with('S') && told.len() <= 9, "{told}");
    // The gateway itself ends calls whose time is over, before and within their answers.
    let head = |path: &str| {
        Asked::post(format!("http://gateway/tests.Echo/{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "200m")
            .body(())
            .unwrap()
    };
    let mut raw = Http2::clear(gateway.http);
    let message = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        Bytes::from([&[0, 0, 0, 0, length + 2, 10, length], text.as_bytes()].concat())
    };
    let answer = raw.ask(head("Unary"), Some(message("sleep"))).unwrap();
    // The service was told of the deadline, too, and may be the first to end it: `tonic` says 1 then.
    let of_service = answer.status_of_call() == Some("1")
        && answer.field("grpc-message") == Some("Timeout%20expired");
    assert!(of_service || answer.status_of_call() == Some("4"), "{answer:?}");
    let answer = raw.ask(head("Spell"), Some(message("forever"))).unwrap();
    assert_eq!(answer.status_of_call(), Some("4"), "{answer:?}");
    assert!(!answer.body.is_empty());
    assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
}

#[test]
fn refusals_of_the_gateway_are_statuses() {
    let service = Calls::start();
    let refusing = |status: u16| {
        format!(
            "<return-response><set-status code=\"{status}\" />\
             <set-body>{{\"message\": \"50% no\"}}</set-body></return-response>"
        )
    };
    for (status, wanted) in [
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::ResourceExhausted),
        (503, Code::Unavailable),
        (504, Code::DeadlineExceeded),
    ] {
        let gateway = before(&service.url(), &refusing(status));
        let told = Caller::of(gateway.http).unary(text("hi")).unwrap_err();
        assert_eq!((told.code(), told.message()), (wanted, "50% no"), "{status}");
    }
    let limited = "<rate-limit-by-key calls=\"1\" renewal-period=\"300\" counter-key=\"all\" />";
    let gateway = before(&service.url(), limited);
    let mut caller = Caller::of(gateway.http);
    assert_eq!(caller.unary(text("hi")).unwrap(), "echo hi");
    let told = caller.unary(text("hi")).unwrap_err();
    assert_eq!(told.code(), Code::ResourceExhausted);
    assert!(told.message().starts_with("Rate limit is exceeded."), "{told:?}");
    assert!(told.metadata().get("retry-after").is_some(), "{told:?}");
    let told = caller.named("Nothing").unwrap_err();
    assert_eq!((told.code(), told.message()), (Code::Unimplemented, "Resource not found"));
    let gateway = before("http://127.0.0.1:1", "");
    let told = Caller::of(gateway.http).unary(text("hi")).unwrap_err();
    let why = "The backend cannot be reached.";
    assert_eq!((told.code(), told.message()), (Code::Unavailable, why));
    assert_eq!(gateway.record("/tests.Echo/Unary")["grpcStatus"], 14);
}

#[test]
fn what_is_no_answer_of_grpc_becomes_one() {
    let backend = Shared::answering(|request, mut respond, _number| {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            read(request.into_body()).await?;
            let head = |status: u16, kind: &str| {
                let head = Response::builder().status(status).header("content-type", kind);
                head.body(()).expect("a head")
            };
            match path.as_str() {
                // HTTP alone.
                "/tests.Echo/Unary" => {
                    let mut stream = respond.send_response(head(503, "text/html"), false)?;
                    stream.send_data(Bytes::from_static(b"<h1>no</h1>"), true)
                }
                // A gibibyte is announced, and nothing comes.
                "/tests.Echo/Gather" => {
                    let mut stream = respond.send_response(head(200, "application/grpc"), false)?;
                    stream.send_data(Bytes::from_static(&[0, 0x40, 0, 0, 0]), true)
                }
                "/tests.Echo/Spell" => {
                    let mut stream = respond.send_response(head(200, "application/grpc"), false)?;
                    stream.send_data(Bytes::from_static(&[0, 0, 0, 0, 0]), false)?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    stream.send_reset(h2::Reason::INTERNAL_ERROR);
                    Ok(())
                }
                _ => {
                    let mut stream = respond.send_response(head(200, "application/grpc"), false)?;
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static("5"));
                    stream.send_trailers(trailers)
                }
            }
        })
    });
    let gateway = before(&backend.url(), "");
    let mut raw = Http2::clear(gateway.http);
    for (method, wanted) in [("Unary", "14"), ("Gather", "13"), ("Spell", "14"), ("Chat", "5")] {
        let asked = Asked::post(format!("http://gateway/tests.Echo/{method}"))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let answer = raw.ask(asked, Some(Bytes::from_static(&[0; 5]))).unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.status_of_call()),
            (200, Some(wanted)),
            "{answer:?}"
        );
    }
    assert!(gateway.memory() < 256 << 20);
}
