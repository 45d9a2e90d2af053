//! Calls at the same time (`wait`), and values that one request makes for all (`cache-value`), over
//! real sockets.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::harness::{Backend, Gateway, Policies, Request, reply, soon};

fn with(backend: &Backend, inbound: &str) -> Gateway {
    Gateway::start(|site| {
        site.open_api("echo", &backend.url(), Policies { inbound, ..Policies::default() });
    })
}

fn send(variable: &str, url: &str) -> String {
    format!(
        "<send-request response-variable-name=\"{variable}\" timeout=\"15\"><set-url>{url}</set-url>\
         </send-request>"
    )
}

/// Answers with the variable `v`.
const SHOW: &str = "<return-response><set-body>@((string)context.Variables[\"v\"])</set-body>\
                    </return-response>";

#[test]
fn what_a_wait_holds_is_asked_at_the_same_time() {
    let backend = Backend::plain();
    // Neither answers before both were asked.
    let both = Arc::new(Barrier::new(2));
    let service = || {
        let both = Arc::clone(&both);
        Backend::replying(move |_seen| {
            both.wait();
            reply(200, &[], "asked")
        })
    };
    let (one, other) = (service(), service());
    let inbound = format!(
        "<wait for=\"all\">{}<choose><when condition=\"@(true)\">{}</when></choose></wait>\
         <set-variable name=\"v\" value=\"@(((IResponse)context.Variables[&quot;a&quot;]).Body\
         .As&lt;string>() + ((IResponse)context.Variables[&quot;b&quot;]).StatusCode)\" />{SHOW}",
        send("a", &one.url()),
        send("b", &other.url()),
    );
    let gateway = with(&backend, &inbound);
    for _ in 0..2 {
        let answer = gateway.get("/echo/a");
        assert_eq!((answer.status, answer.text()), (200, "asked200"));
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_given_up() {
    let backend = Backend::plain();
    let gone = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&gone);
    // It says nothing for as long as anybody listens.
    let silent = Backend::raw(move |mut stream, _number| {
        stream.read_to_end(&mut Vec::new())?;
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let quick = Backend::plain();
    let inbound = format!(
        "<wait for=\"any\">{}{}</wait><set-variable name=\"v\" value=\"@(context.Variables\
         .ContainsKey(&quot;a&quot;) ? &quot;both&quot; : &quot;one&quot;)\" />{SHOW}",
        send("a", &silent.url()),
        send("b", &quick.url()),
    );
    let gateway = with(&backend, &inbound);
    let answer = gateway.get("/echo/a");
    assert_eq!((answer.status, answer.text()), (200, "one"));
    assert!(soon(|| (gone.load(Ordering::SeqCst) == 1).then_some(())).is_some());
}

/// A service that answers each request with its number, once it is told to.
fn numbered() -> (Backend, Sender<()>) {
    let (go, told) = mpsc::channel::<()>();
    let (told, count) = (Mutex::new(told), AtomicUsize::new(0));
    let service = Backend::replying(move |_seen| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = told.lock().unwrap().recv_timeout(Duration::from_secs(20));
        reply(200, &[], &format!("value {number}"))
    });
    (service, go)
}

fn cached(service: &Backend, attributes: &str) -> String {
    format!(
        "<cache-value key=\"k\" variable-name=\"v\" {attributes}><value>{}<set-variable name=\"v\" \
         value=\"@(((IResponse)context.Variables[&quot;r&quot;]).Body.As&lt;string>())\" /></value>\
         </cache-value>{SHOW}",
        send("r", &service.url())
    )
}

#[test]
fn of_many_requests_one_makes_the_value_for_all() {
    let backend = Backend::plain();
    let (service, go) = numbered();
    let gateway = with(&backend, &cached(&service, "expires-after=\"600\""));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| gateway.client().ask(&Request::get("/echo/a")).text().to_owned())
            })
            .collect();
        assert!(soon(|| (service.count() == 1).then_some(())).is_some());
        // All of them are in, and one only asks.
        let inside = "\"requestsInFlight\":20";
        let all_in = || gateway.admin("/status").text().replace(' ', "").contains(inside);
        assert!(soon(|| all_in().then_some(())).is_some(), "{}", gateway.admin("/status").text());
        go.send(()).unwrap();
        for client in clients {
            assert_eq!(client.join().unwrap(), "value 1");
        }
    });
    assert_eq!(service.count(), 1);
}

#[test]
fn an_old_value_counts_while_another_is_made() {
    let backend = Backend::plain();
    let (service, go) = numbered();
    // It is old at once.
    let attributes = "expires-after=\"600\" refresh-after=\"0\"";
    let gateway = with(&backend, &cached(&service, attributes));
    go.send(()).unwrap();
    assert_eq!(gateway.get("/echo/a").text(), "value 1");
    thread::scope(|scope| {
        let maker =
            scope.spawn(|| gateway.client().ask(&Request::get("/echo/a")).text().to_owned());
        assert!(soon(|| (service.count() == 2).then_some(())).is_some());
        // Nobody else waits for it, or asks.
        for _ in 0..5 {
            assert_eq!(gateway.get("/echo/a").text(), "value 1");
        }
        go.send(()).unwrap();
        assert_eq!(maker.join().unwrap(), "value 2");
    });
    assert_eq!(service.count(), 2);
}

#[test]
fn who_goes_away_leaves_the_value_for_another_to_make() {
    let backend = Backend::plain();
    let (service, go) = numbered();
    let gateway = with(&backend, &cached(&service, "expires-after=\"600\""));
    thread::scope(|scope| {
        let mut first = gateway.client();
        first.send(b"GET /echo/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(soon(|| (service.count() == 1).then_some(())).is_some());
        let second =
            scope.spawn(|| gateway.client().ask(&Request::get("/echo/a")).text().to_owned());
        drop(first);
        go.send(()).unwrap();
        go.send(()).unwrap();
        // Whoever made it: nobody was left without.
        assert!(second.join().unwrap().starts_with("value "));
    });
}
