//! One line for each exchange, and for what its policies tell: collected in memory, written by a thread of its own.
//!
//! Waking another thread for every line costs more than all the rest of a request, so lines are
//! appended to a buffer that a timer empties. A reader of standard output that stands still
//! therefore never holds up a request: the buffer is bounded, and what does not fit is counted.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::telemetry::events::Format;

/// Which exchanges have a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Which {
    /// None.
    Off,
    /// Those that failed: 5xx, and those that the gateway refused.
    #[default]
    Errors,
    /// All.
    All,
}

/// One exchange. The names of the fields are those of API Management's gateway log.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    /// When it began, RFC 3339.
    pub time_generated: String,
    /// Always `GatewayLogs`.
    pub category: &'static str,
    /// The request's id.
    pub correlation_id: String,
    /// The trace that it belongs to, where traces are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its span in that trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Whether the status is none of 4xx and 5xx, and the backend sent its response to the end.
    pub is_request_success: bool,
    /// Milliseconds from the head of the request to the last byte of the response.
    pub total_time: u64,
    /// Milliseconds until the head of the backend's response, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_time: Option<u64>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_ip_address: Option<String>,
    /// The gateway's region.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub region: &'a str,
    /// The method.
    pub method: &'a str,
    /// Host and path; the query is left out, as keys stand in it.
    pub url: String,
    /// `HTTP/1.1`, `HTTP/2`.
    pub client_protocol: &'static str,
    /// The status that the client got; 0 if it got none.
    pub response_code: u16,
    /// The status that the backend gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_response_code: Option<u16>,
    /// Where the request went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_url: Option<String>,
    /// Bytes of the request's body.
    pub request_size: u64,
    /// Bytes of the response's body.
    pub response_size: u64,
    /// `none`, `hit`, `miss`.
    pub cache: &'static str,
    /// The API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_id: Option<&'a str>,
    /// Its revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_revision: Option<&'a str>,
    /// The operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<&'a str>,
    /// The product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<&'a str>,
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apim_subscription_id: Option<&'a str>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    /// The limits in shadow that would have refused it: policy, place and whom they count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadow_refusals: Vec<String>,
    /// Why the gateway answered itself: a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The policy that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_source: Option<&'a str>,
    /// What failed, as policies see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_reason: Option<&'a str>,
    /// A sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_message: Option<&'a str>,
    /// In which section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_section: Option<&'a str>,
    /// The line of configuration that made the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_place: Option<String>,
    /// What broke on a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_error: Option<&'a str>,
    /// The generation of the configuration.
    pub generation: u64,
}

/// Where lines go.
#[derive(Debug)]
pub struct AccessLog {
    which: Which,
    format: Format,
    buffer: Mutex<Vec<u8>>,
    dropped: AtomicU64,
    stopped: AtomicBool,
}

/// The most bytes that wait to be written.
const BUFFER_BYTES_MAX: usize = 8 << 20;
/// How often the buffer is written.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

impl AccessLog {
    /// A log of `which` exchanges.
    pub const fn new(which: Which, format: Format) -> Self {
        Self {
            which,
            format,
            buffer: Mutex::new(Vec::new()),
            dropped: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Whether an exchange has a line; `failed`: the gateway refused it or it ended with 5xx.
    pub fn wants(&self, failed: bool) -> bool {
        self.format != Format::None && self.means(failed)
    }

    /// Whether it is one of those that have a line, wherever lines go.
    pub const fn means(&self, failed: bool) -> bool {
        match self.which {
            Which::Off => false,
            Which::Errors => failed,
            Which::All => true,
        }
    }

    /// Appends a line.
    pub fn write(&self, line: &Line<'_>) {
        self.append(line, text);
    }

    /// Appends `line`: as JSON, or as `text` writes it for people.
    pub(super) fn append<L: Serialize>(&self, line: &L, text: impl FnOnce(&L) -> String) {
        let mut bytes = match self.format {
            Format::Json => serde_json::to_vec(line).unwrap_or_default(),
            Format::Text => text(line).into_bytes(),
            Format::None => return,
        };
        bytes.push(b'\n');
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.len().saturating_add(bytes.len()) <= BUFFER_BYTES_MAX {
            buffer.extend_from_slice(&bytes);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Starts the thread that writes to standard output until [`stop`](Self::stop).
    pub fn run(self: &Arc<Self>) -> io::Result<thread::JoinHandle<()>> {
        let log = Arc::clone(self);
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            while !log.stopped.load(Ordering::Relaxed) {
                thread::sleep(FLUSH_INTERVAL);
                log.flush(&mut io::stdout().lock());
            }
            log.flush(&mut io::stdout().lock());
        })
    }

    /// Makes the thread write what is left and end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn flush(&self, out: &mut impl Write) {
        let full = {
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            mem::take(&mut *buffer)
        };
        if !full.is_empty() {
            // There is nowhere to say that standard output is gone.
            let _ = out.write_all(&full).and_then(|()| out.flush());
        }
    }
}

/// A line for people: what happened first, then the facts as `name=value`.
fn text(line: &Line<'_>) -> String {
    let mut out = format!(
        "{} {} {} {} {} {}ms",
        line.time_generated,
        line.response_code,
        line.method,
        line.url,
        line.client_protocol,
        line.total_time,
    );
    let optional = [
        ("reason", line.reason),
        ("api", line.api_id),
        ("operation", line.operation_id),
        ("product", line.product_id),
        ("subscription", line.apim_subscription_id),
        ("source", line.last_error_source),
        ("error", line.last_error_reason),
        ("message", line.last_error_message),
        ("place", line.last_error_place.as_deref()),
        ("transport", line.transport_error),
        ("client", line.caller_ip_address.as_deref()),
        ("backend", line.backend_url.as_deref()),
        ("id", Some(line.correlation_id.as_str())),
        ("trace", line.trace_id.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            pair(&mut out, name, value);
        }
    }
    for refusal in &line.shadow_refusals {
        out.push_str(" shadow=");
        out.push_str(&plain(refusal));
    }
    out
}

/// Adds `name=value` to a line for people.
pub(super) fn pair(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(&plain(name));
    out.push('=');
    out.push_str(&plain(value));
}

/// `value` on one line: quoted where it has spaces, and without control characters.
fn plain(value: &str) -> String {
    let clean = |character: char| !character.is_control() && character != ' ' && character != '"';
    if value.chars().all(clean) { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_be_forged() {
        let line = Line { method: "GET", reason: Some("a\nb"), ..Line::default() };
        assert!(text(&line).contains(r#"reason="a\nb""#));
        assert_eq!(text(&line).lines().count(), 1);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let log = AccessLog::new(Which::All, Format::Text);
        log.buffer.lock().unwrap().resize(BUFFER_BYTES_MAX, 0);
        log.write(&Line::default());
        assert_eq!(log.dropped(), 1);
    }

    #[test]
    fn json_lines_have_the_known_names() {
        let log = AccessLog::new(Which::Errors, Format::Json);
        assert!(log.wants(true) && !log.wants(false));
        log.write(&Line { category: "GatewayLogs", api_id: Some("echo"), ..Line::default() });
        let mut out = Vec::new();
        log.flush(&mut out);
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["category"], "GatewayLogs");
        assert_eq!(line["apiId"], "echo");
        assert!(line.get("userId").is_none());
    }
}
