//! A browser without a screen: Chromium as a process, told what to do over its debugging pipe
//! (JSON between zero bytes), with a profile of its own.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::soon;

/// What a Chromium is called, in order of preference.
const NAMES: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];
/// How long one answer of the browser may take; it may have to start on a machine that is busy.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// A browser with one page. It ends when the value does.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    told: Receiver<Value>,
    /// What the page did that nobody has looked at yet.
    events: VecDeque<Value>,
    session: Option<String>,
    last: u64,
    _profile: TempDir,
}

impl Browser {
    /// Starts one whose window is `width` pixels wide, like that of a phone.
    pub(crate) fn start(width: u32) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let is_there = |name: &&&str| {
            let version = Command::new(name).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let name = NAMES.iter().find(is_there);
        let name = name.expect("a Chromium is installed (bin/prepare chromium-headless-shell)");
        // It reads from 3 and writes to 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", name])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output"));
        let (tell, told) = channel();
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                if tell.send(serde_json::from_slice(&message).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        let (events, session) = (VecDeque::new(), None);
        let mut browser =
            Self { child, commands, told, events, session, last: 0, _profile: profile };
        browser.open(width);
        browser
    }

    fn open(&mut self, width: u32) {
        let page = self.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = self.ask("Target.attachToTarget", &attach);
        self.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), &json!({}));
        }
        let size = json!({"width": width, "height": 740, "deviceScaleFactor": 2, "mobile": true});
        self.ask("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Goes to a page of `address`, and waits until it is there.
    pub(crate) fn go(&mut self, address: SocketAddr, target: &str) {
        let url = format!("http://{address}{target}");
        let answer = self.ask("Page.navigate", &json!({"url": url}));
        assert!(answer.get("errorText").is_none(), "{answer}");
        let here = format!("location.href === {url:?} && document.readyState === 'complete'");
        assert!(soon(|| (self.value(&here) == true).then_some(())).is_some(), "no {url}");
    }

    /// Runs no script of a page from now on.
    pub(crate) fn without_scripts(&mut self) {
        self.ask("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// Shows pages as whoever likes `scheme` (`dark`, `light`) sees them.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// What an expression is on the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        self.ask("Runtime.evaluate", &ask)["result"]["value"].clone()
    }

    /// The text that the page shows.
    pub(crate) fn text(&mut self) -> String {
        self.value("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows `text`.
    pub(crate) fn shows(&mut self, text: &str) {
        let shown = soon(|| self.text().contains(text).then_some(()));
        assert!(shown.is_some(), "no `{text}` on the page:\n{}", self.text());
    }

    /// What it tells those who cannot see: roles and names.
    pub(crate) fn roles(&mut self) -> Vec<(String, String)> {
        let tree = self.ask("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let word = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        nodes.iter().map(|node| (word(&node["role"]), word(&node["name"]))).collect()
    }

    /// Where the page went for anything since it was last asked.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        let urls = self.drain("Network.requestWillBeSent");
        urls.iter()
            .filter_map(|event| event["request"]["url"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Everything that the page complained of since it was last asked.
    pub(crate) fn complaints(&mut self) -> Vec<Value> {
        let mut all = self.drain("Log.entryAdded");
        all.extend(self.drain("Runtime.exceptionThrown"));
        all.extend(self.drain("Runtime.consoleAPICalled"));
        all
    }

    fn drain(&mut self, method: &str) -> Vec<Value> {
        // What has happened by now is told before the answer.
        self.ask("Runtime.evaluate", &json!({"expression": "0"}));
        let (found, others) = self
            .events
            .drain(..)
            .partition::<VecDeque<_>, _>(|event: &Value| event["method"] == method);
        self.events = others;
        found.into_iter().map(|event| event["params"].clone()).collect()
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let mut line = command.to_string().into_bytes();
        line.push(0);
        self.commands.write_all(&line).expect("the browser runs");
        loop {
            let message = match self.told.recv_timeout(ANSWER_TIME_MAX) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("the browser does not answer {method}")
                }
            };
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
