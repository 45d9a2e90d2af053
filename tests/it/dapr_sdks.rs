//! Dapr's own SDKs against the stand-in of its sidecar: if they work with it, it speaks the protocol.
//!
//! `bin/dapr-sdks` brings the SDKs and runs this.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::sidecar::{BINDING, PUBSUB, STORE, Sidecar};
use crate::harness::{Backend, reply};

const TOKEN: &str = "t0ken";

/// What an SDK printed: members by name.
fn said(command: &mut Command, sidecar: &Sidecar) -> Value {
    let output = command
        .env("DAPR_HTTP_PORT", sidecar.port().to_string())
        .env("DAPR_GRPC_PORT", sidecar.grpc_port().to_string())
        .env("DAPR_API_TOKEN", TOKEN)
        .env("DAPR_API_METHOD_INVOCATION_PROTOCOL", "http")
        .stdin(Stdio::null())
        .output()
        .expect("the SDK runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{why}");
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut all = json!({});
    for (name, value) in lines.filter_map(|line| line.as_object().cloned()).flatten() {
        all[name] = value;
    }
    all
}

/// An app that takes events of the topic `new`.
fn app() -> Backend {
    Backend::replying(|seen| match seen.target.as_str() {
        "/dapr/subscribe" => {
            let wanted = json!([{"pubsubname": PUBSUB, "topic": "new", "route": "/events"}]);
            reply(200, &[("Content-Type", "application/json")], &wanted.to_string())
        }
        target => {
            reply(200, &[("Content-Type", "text/plain")], &format!("{} {target}", seen.method))
        }
    })
}

/// What both SDKs find.
fn is_understood(all: &Value, app: &Backend) {
    assert_eq!(all["publish"], true, "{all}");
    assert_eq!(all["binding"]["operation"], "create", "{all}");
    assert_eq!(
        (&all["binding"]["data"], &all["binding"]["metadata"]),
        (&json!({"order": 1}), &json!({"to": "sales"})),
        "{all}"
    );
    assert!(all["refused"].as_str().is_some_and(|why| why.contains("absent")), "{all}");
    assert_eq!(all["metadata"], json!([PUBSUB, BINDING, STORE]), "{all}");
    let event = app.seen().into_iter().find(|seen| seen.target == "/events").expect("an event");
    let event: Value = serde_json::from_slice(&event.body).expect("JSON");
    assert_eq!((&event["data"], &event["specversion"]), (&json!({"order": 1}), &json!("1.0")));
}

#[test]
#[ignore = "needs Dapr's SDKs: bin/dapr-sdks"]
fn the_sdk_for_python_works_with_the_stand_in() {
    let app = app();
    let sidecar = Sidecar::stand_in(app.port(), TOKEN);
    let python = std::env::var("WEIR_TEST_DAPR_PYTHON").expect("bin/dapr-sdks names it");
    let all = said(Command::new(python).arg("tests/dapr/sdk.py"), &sidecar);
    assert_eq!(all["invoke"], json!([200, "POST /api/v1/orders?page=2"]), "{all}");
    is_understood(&all, &app);
}

#[test]
#[ignore = "needs Dapr's SDKs: bin/dapr-sdks"]
fn the_sdk_for_javascript_works_with_the_stand_in() {
    let app = app();
    let sidecar = Sidecar::stand_in(app.port(), TOKEN);
    let modules = std::env::var("WEIR_TEST_DAPR_NODE_MODULES").expect("bin/dapr-sdks names it");
    let mut node = Command::new("node");
    let all = said(node.arg("tests/dapr/sdk.js").env("NODE_PATH", modules), &sidecar);
    assert_eq!(all["invoke"], "POST /api/v1/orders?page=2", "{all}");
    is_understood(&all, &app);
}
