//! Limits and metrics of tokens: answers of language models pass as they come, and what they cost is
//! counted, in memory and over a real Redis.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::client::Answer;
use crate::harness::redis::Redis;
use crate::harness::{Backend, End, Gateway, Policies, Request, Site, Then, reply, soon};

/// The request of all tests: about eleven tokens.
const PROMPT: &str = r#"{"stream":true,"messages":[{"role":"user","content":"Hello, world!"}]}"#;
const PROMPT_TOKENS: u64 = 11;

const FIRST: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const LAST: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\
                    \"completion_tokens\":3,\"total_tokens\":12}}\n\ndata: [DONE]\n\n";

/// A flag that somebody waits for.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn wait(&self) -> std::io::Result<()> {
        let open = soon(|| self.0.load(Ordering::SeqCst).then_some(()));
        open.ok_or_else(|| ErrorKind::TimedOut.into())
    }
}

fn chunk(stream: &mut dyn Write, text: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", text.len())?;
    stream.write_all(text)?;
    stream.write_all(b"\r\n")
}

/// A model that says one event, and the rest once the gate is open.
fn streaming(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |_seen, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )?;
        chunk(stream, FIRST.as_bytes())?;
        gate.wait()?;
        chunk(stream, LAST.as_bytes())?;
        stream.write_all(b"0\r\n\r\n")?;
        Ok(Then::Keep)
    })
}

fn limit(tokens: u64, attributes: &str) -> String {
    format!(
        "<llm-token-limit counter-key=\"k\" tokens-per-minute=\"{tokens}\" weir-max-wait=\"1s\" \
         estimate-prompt-tokens=\"false\" {attributes} />"
    )
}

fn one(site: &mut Site, backend: &Backend, inbound: &str) {
    site.open_api("api", &backend.url(), Policies { inbound, ..Policies::default() });
}

fn gateway(backend: &Backend, inbound: &str) -> Gateway {
    Gateway::start(|site| one(site, backend, inbound))
}

/// How much is used of the only limit, as the gateway sees it.
fn used(gateway: &Gateway) -> Option<u64> {
    let top: Value = serde_json::from_slice(&gateway.admin("/limits").body).expect("JSON");
    top["limits"][0]["used"].as_u64()
}

#[track_caller]
fn await_used(gateway: &Gateway, tokens: u64) {
    let found = soon(|| used(gateway).filter(|used| *used == tokens));
    assert!(found.is_some(), "{:?} and not {tokens}", used(gateway));
}

fn ask(gateway: &Gateway) -> Answer {
    gateway.ask(&Request::post("/api/x", PROMPT))
}

#[test]
fn a_stream_is_not_held_up_and_what_it_cost_is_counted_at_its_end() {
    let gate = Gate::default();
    let backend = streaming(&gate);
    let metric = r#"<llm-emit-token-metric namespace="n"><dimension name="API ID" /></llm-emit-token-metric>"#;
    let inbound = format!("{}{metric}", limit(12, r#"tokens-consumed-header-name="X-Cost""#));
    let gateway = gateway(&backend, &inbound);
    let mut client = gateway.client();
    client.send(Request::post("/api/x", PROMPT).bytes());
    assert!(client.head().expect("a head").line.contains(" 200 "));
    // The first event is here while the model has not said more.
    let framed = format!("{:x}\r\n{FIRST}\r\n", FIRST.len());
    assert_eq!(client.raw(framed.len()), framed.as_bytes());
    assert_eq!(used(&gateway), Some(PROMPT_TOKENS), "of a stream the prompt counts at once");
    gate.open();
    let rest = format!("{:x}\r\n{LAST}\r\n0\r\n\r\n", LAST.len());
    assert_eq!(client.raw(rest.len()), rest.as_bytes());
    await_used(&gateway, 12);
    let refused = ask(&gateway);
    assert_eq!((refused.status, refused.field("x-cost")), (429, None));
    assert!(
        refused.text().contains("Token limit is exceeded. Try again in "),
        "{}",
        refused.text()
    );
    let page = gateway.admin("/metrics");
    for line in [
        r#"weir_policy_metric_sum{namespace="n",metric="Total Tokens",API_ID="api"} 12"#,
        r#"weir_policy_metric_count{namespace="n",metric="Completion Tokens",API_ID="api"} 1"#,
    ] {
        assert!(page.text().contains(line), "{}", page.text());
    }
}

#[test]
fn who_leaves_a_stream_pays_for_what_was_said() {
    let gate = Gate::default();
    let backend = streaming(&gate);
    let gateway = gateway(&backend, &limit(1_000, ""));
    let mut client = gateway.client();
    client.send(Request::post("/api/x", PROMPT).bytes());
    assert!(client.head().is_some());
    assert_eq!(client.raw(FIRST.len()).len(), FIRST.len());
    drop(client);
    await_used(&gateway, PROMPT_TOKENS + 1);
    gate.open();
}

#[test]
fn an_answer_in_pieces_says_what_it_cost_and_stays_as_it_is() {
    let body =
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#;
    let backend = Backend::scripted(move |_seen, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        )?;
        let (first, last) = body.as_bytes().split_at(30);
        chunk(stream, first)?;
        chunk(stream, last)?;
        stream.write_all(b"0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let attributes =
        r#"tokens-consumed-header-name="X-Cost" remaining-tokens-header-name="X-Left""#;
    let gateway = gateway(&backend, &limit(100, attributes));
    let mut client = gateway.client();
    for left in ["88", "76"] {
        let answer = client.ask(&Request::post("/api/x", r#"{"messages":[]}"#));
        assert_eq!((answer.status, answer.text(), answer.end), (200, body, End::Whole));
        assert_eq!((answer.field("x-cost"), answer.field("x-left")), (Some("12"), Some(left)));
    }
    assert_eq!(backend.last().field("accept-encoding"), Some("identity"));
    await_used(&gateway, 24);
}

#[test]
fn an_answer_too_large_to_be_read_ahead_passes_and_is_counted() {
    // Larger than what is read ahead, with what it cost at its end.
    let numbers = "0.125,".repeat(1 << 20);
    let body = format!(
        r#"{{"data":[{{"embedding":[{numbers}0]}}],"usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#
    );
    let length = body.len();
    let backend = Backend::scripted(move |_seen, stream| {
        stream.write_all(&reply(200, &[("Content-Type", "application/json")], &body))?;
        Ok(Then::Keep)
    });
    let gateway = gateway(&backend, &limit(100, r#"tokens-consumed-header-name="X-Cost""#));
    let answer = gateway.ask(&Request::post("/api/x", r#"{"input":"Hi"}"#));
    assert_eq!((answer.status, answer.length, answer.end), (200, length, End::Whole));
    assert_eq!(answer.field("x-cost"), None);
    await_used(&gateway, 7);
}

#[test]
fn two_gateways_share_a_limit_of_tokens() {
    let body = r#"{"usage":{"prompt_tokens":60,"completion_tokens":40,"total_tokens":100}}"#;
    let backend = Backend::scripted(move |_seen, stream| {
        stream.write_all(&reply(200, &[("Content-Type", "application/json")], body))?;
        Ok(Then::Keep)
    });
    let redis = Redis::start();
    let inbound = format!(
        "{}<llm-token-limit counter-key=\"k\" token-quota=\"150\" token-quota-period=\"Yearly\" \
         estimate-prompt-tokens=\"false\" weir-mode=\"exact\" weir-max-wait=\"1s\" />",
        limit(1_000, r#"weir-mode="exact""#)
    );
    let [a, b] = ["a", "b"].map(|name| {
        Gateway::start(|site| {
            one(site, &backend, &inbound);
            site.set("redis-url", &format!("redis://{}", redis.at()));
            site.set("replica-name", name);
            site.set("replica-expected", "2");
        })
    });
    assert_eq!(ask(&a).status, 200);
    assert_eq!(ask(&b).status, 200);
    // 200 of 150 are used, whoever is asked.
    for gateway in [&a, &b] {
        let refused = soon(|| Some(ask(gateway)).filter(|answer| answer.status != 200));
        let refused = refused.expect("it is refused");
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(refused.text().contains("Token quota is exceeded."), "{}", refused.text());
    }
}

#[test]
fn what_the_service_refuses_reaches_neither_the_model_nor_the_client() {
    let model = Backend::replying(|seen| {
        let said = if seen.text().contains("rude") { "You fool" } else { "Hello" };
        let body = format!(r#"{{"choices":[{{"message":{{"content":"{said}"}}}}]}}"#);
        reply(200, &[("Content-Type", "application/json")], &body)
    });
    let service = Backend::replying(|seen| {
        let severity = if seen.text().contains("fool") { 4 } else { 0 };
        let body =
            format!(r#"{{"categoriesAnalysis":[{{"category":"Hate","severity":{severity}}}]}}"#);
        reply(200, &[("Content-Type", "application/json")], &body)
    });
    let gateway = Gateway::start(|site| {
        let inbound = "<llm-content-safety backend-id=\"safety\" enforce-on-completions=\"true\">\
                       <categories><category name=\"Hate\" threshold=\"2\" /></categories>\
                       </llm-content-safety>";
        one(site, &model, inbound);
        site.yaml(format!(
            "backends:
  - id: safety
    url: {}/deep
    credentials: {{header: {{Ocp-Apim-Subscription-Key: secret}}}}
",
            service.url()
        ));
    });
    let ask = |said: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"{said}"}}]}}"#);
        let answer = gateway.ask(&Request::post("/api/x", body));
        (answer.status, answer.text().contains("fool"), model.count())
    };
    assert_eq!(ask("Hi"), (200, false, 1));
    let seen = service.last();
    assert_eq!(seen.target, "/deep/contentsafety/text:analyze?api-version=2024-09-01");
    assert_eq!(seen.field("Ocp-Apim-Subscription-Key"), Some("secret"));
    assert_eq!(ask("You fool"), (403, false, 1), "the model is not asked");
    assert_eq!(ask("Be rude"), (403, false, 2), "the client does not hear it");
}
