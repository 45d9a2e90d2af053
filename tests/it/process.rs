//! The process: how it starts, why it does not, how it stops.

use std::net::TcpListener;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::gateway::{refuses, weir};
use crate::harness::{Backend, Client, Gateway, Policies, Request, reply};

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_setting_that_is_none_is_refused_with_the_nearest_that_is() {
    for (flag, near) in [
        ("listen-htp", "--listen-http"),
        ("configuration-poll-intervall", "--configuration-poll-interval"),
    ] {
        let output = weir(&["run", &format!("--{flag}=1")]);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(&format!("there is no flag `--{flag}`")), "{errors}");
        assert!(errors.contains(near), "{errors}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_what_was_expected() {
    for (flag, value) in [
        ("listen-http", "somewhere"),
        ("timeouts-header", "soon"),
        ("limits-connections", "0"),
        ("log-format", "xml"),
    ] {
        let output = weir(&["run", &format!("--{flag}={value}")]);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(value) && errors.contains("help:"), "{errors}");
    }
}

#[test]
fn variables_of_the_environment_are_settings_too_and_judged_like_them() {
    let output = refuses(|site| {
        site.yaml("apis: []\n");
        site.variables.push(("WEIR_LISTEN_HTTTP".to_owned(), "x".to_owned()));
    });
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("WEIR_LISTEN_HTTP"), "{}", errors(&output));
    let gateway = Gateway::start(|site| {
        site.yaml("apis: []\n");
        site.variables.push(("WEIR_LIMITS_TARGET_BYTES".to_owned(), "256".to_owned()));
    });
    assert_eq!(gateway.get(&format!("/{}", "x".repeat(300))).status, 414);
}

#[test]
fn a_configuration_that_is_wrong_keeps_the_gateway_from_starting() {
    let output = refuses(|site| site.yaml("apis:\n  - id: a\n    pfad: a\n"));
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("part-01.yaml:3:5"), "{errors}");
    assert!(errors.contains("weir does not start"), "{errors}");
}

#[test]
fn an_address_in_use_is_a_clear_error_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["listen-http", "listen-admin"] {
        let begun = Instant::now();
        let output = refuses(|site| {
            site.yaml("apis: []\n");
            site.set(flag, &address);
        });
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(3), "{errors}");
        assert!(errors.contains(&address), "{errors}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_certificate_that_cannot_be_read_keeps_the_gateway_from_starting() {
    let output = refuses(|site| {
        site.yaml("apis: []\n");
        let file = site.file("none.pem", "not a certificate");
        site.set("listen-https", "127.0.0.1:0");
        site.set("listen-certificate-file", file.to_str().unwrap());
        site.set("listen-key-file", file.to_str().unwrap());
    });
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("none.pem"), "{}", errors(&output));
}

/// A backend that takes `span` for `/slow`.
fn slow(span: Duration) -> Backend {
    Backend::replying(move |seen| {
        if seen.target == "/slow" {
            thread::sleep(span);
        }
        reply(200, &[], "done")
    })
}

#[test]
fn sigterm_drains_what_is_in_flight_and_takes_new_clients_for_a_while() {
    let backend = slow(Duration::from_millis(2500));
    let mut gateway = Gateway::start(|site| {
        site.set("drain-delay", "1500ms");
        site.set("drain-deadline", "20s");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut kept = gateway.client();
    assert_eq!(kept.ask(&Request::get("/echo/a")).status, 200);
    let mut waiting = gateway.client();
    waiting.send(Request::get("/echo/slow").bytes());
    backend.wait();
    gateway.signal("TERM");
    let ready = crate::harness::soon(|| Some(gateway.admin("/readyz")).filter(|a| a.status == 503));
    assert_eq!(ready.expect("not ready any more").text(), "draining\n");
    assert_eq!(gateway.get("/status-0123456789abcdef").status, 503);
    // Whoever has not heard of it yet is served, and told to come again on another connection.
    assert_eq!(gateway.get("/echo/new").status, 200);
    let last = kept.ask(&Request::get("/echo/b"));
    assert_eq!(last.status, 200);
    assert!(last.field("Connection").is_some_and(|said| said.eq_ignore_ascii_case("close")));
    assert!(kept.is_closed());
    let answer = waiting.answer();
    assert_eq!((answer.status, answer.text()), (200, "done"));
    assert_eq!(gateway.end().code(), Some(0));
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let backend = slow(Duration::from_secs(30));
    let mut gateway = Gateway::start(|site| {
        site.set("drain-deadline", "500ms");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut waiting = gateway.client();
    waiting.send(Request::get("/echo/slow").bytes());
    backend.wait();
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.end().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(gateway.event("deadline").contains("\"requests\":1"));
    assert!(waiting.try_answer().is_none());
}

#[test]
fn an_idle_gateway_stops_at_once() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start(|site| site.yaml("apis: []\n"));
        let _idle = Client::connect(gateway.http);
        let begun = Instant::now();
        gateway.signal(signal);
        assert_eq!(gateway.end().code(), Some(0), "{signal}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{signal}: {:?}", begun.elapsed());
    }
}

#[test]
fn every_record_is_written_before_the_end() {
    let backend = Backend::plain();
    let mut gateway = Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let mut client = gateway.client();
    for nth in 0..50 {
        assert_eq!(client.ask(&Request::get(&format!("/echo/{nth}"))).status, 200);
    }
    gateway.signal("TERM");
    assert_eq!(gateway.end().code(), Some(0));
    assert_eq!(gateway.record("/echo/49")["responseCode"], 200);
    assert_eq!(gateway.records().len(), 50);
}

#[test]
fn a_container_asks_the_program_itself_how_it_is() {
    let health = |arguments: &[&str]| {
        let output = weir(&[&["health"], arguments].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let backend = slow(Duration::from_millis(1500));
    let mut gateway = Gateway::start(|site| {
        site.set("drain-delay", "500ms");
        site.open_api("echo", &backend.url(), Policies::default());
    });
    let admin = gateway.admin.to_string();
    let (code, text) = health(&["--admin", &admin]);
    assert_eq!((code, text.starts_with("ready, generation 1\n")), (Some(0), true), "{text}");
    let mut waiting = gateway.client();
    waiting.send(Request::get("/echo/slow").bytes());
    backend.wait();
    gateway.signal("TERM");
    let draining =
        || Some(health(&["ready", "--admin", &admin])).filter(|(code, _)| code != &Some(0));
    assert_eq!(crate::harness::soon(draining), Some((Some(1), "draining\n".to_owned())));
    assert_eq!(health(&["live", "--admin", &admin]), (Some(0), "alive\n".to_owned()));
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(gateway.end().code(), Some(0));
    let (code, text) = health(&["--admin", &admin]);
    assert_eq!((code, text.contains("no gateway answers at")), (Some(3), true), "{text}");

    // Who takes the connection and says nothing is not waited for longer than was said.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let admin = silent.local_addr().expect("an address").to_string();
    let (code, text) = health(&["live", "--admin", &admin, "--timeout", "100ms"]);
    assert_eq!((code, text.contains("no gateway answers at")), (Some(3), true), "{text}");
    assert_eq!(health(&["--timeout", "5m"]).0, Some(2));
}
