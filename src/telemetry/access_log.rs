//! One line for each exchange, and for what its policies tell: on standard output, and where the
//! settings say.
//!
//! A request only appends its line ([`Lines`]): nothing that reads lines ever holds one up.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use serde_json::Map;

use crate::short::Short;
use crate::telemetry::events::Format;
use crate::telemetry::excerpts::Excerpts;
use crate::telemetry::facts::{Facts, Json};
use crate::telemetry::lines::Lines;
use crate::telemetry::lines::stream::Stream;
use crate::telemetry::local::{DROPPED, Entry, Local, Urgency};
use crate::telemetry::otlp::log::{Logs, Within};
use crate::telemetry::text::{pair, plain, without_tokens};
use crate::time::{Clock, SystemClock, Timestamp, date};

/// How much room is made for the sentence of a line: most need no more.
const MESSAGE_BYTES: usize = 128;

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
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// When it began.
    pub at: Timestamp,
    /// Where it belongs in its trace.
    pub within: Option<Within>,
    /// When it began, RFC 3339.
    pub time_generated: Short<24>,
    /// Always `GatewayLogs`.
    pub category: &'static str,
    /// The request's id.
    pub correlation_id: Short<36>,
    /// The trace that it belongs to, where traces are made.
    pub trace_id: Option<Short<32>>,
    /// Its span in that trace.
    pub span_id: Option<Short<16>>,
    /// Whether the status is none of 4xx and 5xx, nor an error of gRPC, and the backend sent its response to the end.
    pub is_request_success: bool,
    /// Milliseconds from the head of the request to the last byte of the response.
    pub total_time: u64,
    /// Milliseconds until the head of the backend's response, if there was one.
    pub backend_time: Option<u64>,
    /// The client's address.
    pub caller_ip_address: Option<Short<45>>,
    /// The gateway's region.
    pub region: &'a str,
    /// The method.
    pub method: &'a str,
    /// Host and path; the query is left out, as keys stand in it.
    pub url: String,
    /// `HTTP/1.1`, `HTTP/2`.
    pub client_protocol: &'static str,
    /// The status that the client got; 0 if it got none.
    pub response_code: u16,
    /// What became of a call of gRPC: `0` is well.
    pub grpc_status: Option<u32>,
    /// The status that the backend gave.
    pub backend_response_code: Option<u16>,
    /// Where the request went.
    pub backend_url: Option<String>,
    /// Bytes of the request's body.
    pub request_size: u64,
    /// Bytes of the response's body.
    pub response_size: u64,
    /// `none`, `hit`, `miss`.
    pub cache: &'static str,
    /// The API.
    pub api_id: Option<&'a str>,
    /// Its revision.
    pub api_revision: Option<&'a str>,
    /// The operation.
    pub operation_id: Option<&'a str>,
    /// The product.
    pub product_id: Option<&'a str>,
    /// The subscription.
    pub apim_subscription_id: Option<&'a str>,
    /// The user.
    pub user_id: Option<&'a str>,
    /// The limits in shadow that would have refused it: policy, place and whom they count.
    pub shadow_refusals: Vec<String>,
    /// Why the gateway answered itself: a stable word.
    pub reason: Option<&'a str>,
    /// The policy that failed.
    pub last_error_source: Option<&'a str>,
    /// What failed, as policies see it.
    pub last_error_reason: Option<&'a str>,
    /// A sentence about it.
    pub last_error_message: Option<Cow<'a, str>>,
    /// In which section.
    pub last_error_section: Option<&'a str>,
    /// The line of configuration that made the answer.
    pub last_error_place: Option<String>,
    /// What broke on a connection.
    pub transport_error: Option<Cow<'a, str>>,
    /// The generation of the configuration.
    pub generation: u64,
    /// What a diagnostic wants to be shown.
    pub excerpts: Excerpts,
}

/// What has a line.
pub(super) trait Told {
    /// What kind of line it is.
    const CATEGORY: &'static str;

    /// How much it matters.
    fn urgency(&self) -> Urgency;

    /// When it happened, RFC 3339.
    fn time(&self) -> &str;

    /// The same as a number, and where it belongs in a trace.
    fn moment(&self) -> (Timestamp, Option<Within>);

    /// All of it, fact by fact.
    fn tell(&self, to: &mut impl Facts);

    /// What happened, in a sentence.
    fn message(&self) -> Cow<'_, str>;

    /// The line for people, without its time.
    fn text(&self) -> String;
}

/// Where lines go.
#[derive(Debug)]
pub struct AccessLog {
    which: Which,
    format: Format,
    out: Arc<Lines>,
    local: Option<Arc<Local>>,
    logs: Option<Logs>,
}

impl AccessLog {
    /// A log of `which` exchanges, which goes to `local` and `logs` too.
    pub fn new(
        which: Which,
        format: Format,
        local: Option<Arc<Local>>,
        logs: Option<Logs>,
    ) -> Self {
        Self { which, format, out: Arc::default(), local, logs }
    }

    /// Whether anybody reads lines.
    pub const fn is_read(&self) -> bool {
        !matches!(self.format, Format::None) || self.local.is_some() || self.logs.is_some()
    }

    /// Whether an exchange has a line that no diagnostic decides about; `failed`: the gateway refused
    /// it or it ended with 5xx.
    pub const fn wants(&self, failed: bool) -> bool {
        self.is_read()
            && match self.which {
                Which::Off => false,
                Which::Errors => failed,
                Which::All => true,
            }
    }

    /// Appends a line.
    pub fn write(&self, line: &Line<'_>) {
        self.append(line);
    }

    /// Appends `line`, as JSON or for people.
    pub(super) fn append(&self, line: &impl Told) {
        match self.format {
            Format::Json => self.out.put(&Json::line(|json| line.tell(json))),
            Format::Text => {
                let text = format!("{} {}\n", line.time(), line.text());
                self.out.put(without_tokens(&text).as_bytes());
            }
            Format::None => (),
        }
        if let Some(local) = &self.local {
            local.put(&entry(line));
        }
        if let Some(logs) = &self.logs {
            logs.line(line);
        }
    }

    /// How many lines found no room, or could not be written.
    pub fn dropped(&self) -> u64 {
        let local = self.local.as_ref().map_or(0, |local| local.dropped());
        self.out.dropped().saturating_add(local)
    }

    /// Starts the thread that writes to standard output until [`stop`](Self::stop).
    pub fn run(&self) -> io::Result<()> {
        let (format, clock) = (self.format, SystemClock::start());
        let confess = Box::new(move |count| confession(format, count, &date(clock.now())));
        self.out.run("access-log", Box::new(Stream::stdout()?), confess)
    }

    /// Writes what is left and ends; a reader that stands still is not waited for.
    pub fn stop(&self) {
        self.out.stop();
        self.out.wait();
    }
}

/// The same for another output.
fn entry<L: Told>(line: &L) -> Entry {
    let mut fields = Map::new();
    line.tell(&mut fields);
    let text = without_tokens(&line.text()).into_owned();
    Entry { urgency: line.urgency(), category: L::CATEGORY, text, fields }
}

/// The line that says that so many were dropped.
pub(super) fn confession(format: Format, count: u64, time: &str) -> Vec<u8> {
    let line = match format {
        Format::Json => serde_json::json!({
            "timeGenerated": time,
            "category": "GatewayEvents",
            "level": "WARN",
            "message": DROPPED,
            "dropped": count,
        })
        .to_string(),
        Format::Text => format!("{time} WARN {DROPPED} dropped={count}"),
        Format::None => return Vec::new(),
    };
    (line + "\n").into_bytes()
}

impl Told for Line<'_> {
    const CATEGORY: &'static str = "GatewayLogs";

    fn urgency(&self) -> Urgency {
        match self.response_code {
            0 | 500.. => Urgency::Error,
            400.. => Urgency::Warning,
            _ => Urgency::Information,
        }
    }

    fn time(&self) -> &str {
        &self.time_generated
    }

    fn moment(&self) -> (Timestamp, Option<Within>) {
        (self.at, self.within)
    }

    fn tell(&self, to: &mut impl Facts) {
        tell(self, to);
    }

    fn message(&self) -> Cow<'_, str> {
        Cow::Owned(message(self))
    }

    fn text(&self) -> String {
        text(self)
    }
}

fn tell(line: &Line<'_>, to: &mut impl Facts) {
    to.word("timeGenerated", &line.time_generated);
    to.word("category", line.category);
    to.word("correlationId", &line.correlation_id);
    if let (Some(trace), Some(span)) = (&line.trace_id, &line.span_id) {
        to.word("traceId", trace);
        to.word("spanId", span);
    }
    to.flag("isRequestSuccess", line.is_request_success);
    to.number("totalTime", line.total_time);
    if let Some(time) = line.backend_time {
        to.number("backendTime", time);
    }
    if let Some(address) = &line.caller_ip_address {
        to.word("callerIpAddress", address);
    }
    if !line.region.is_empty() {
        to.text("region", line.region);
    }
    to.text("method", line.method);
    to.text("url", &line.url);
    to.word("clientProtocol", line.client_protocol);
    to.number("responseCode", line.response_code.into());
    if let Some(status) = line.grpc_status {
        to.number("grpcStatus", status.into());
    }
    if let Some(code) = line.backend_response_code {
        to.number("backendResponseCode", code.into());
    }
    to.optional("backendUrl", line.backend_url.as_deref());
    to.number("requestSize", line.request_size);
    to.number("responseSize", line.response_size);
    to.word("cache", line.cache);
    to.optional("apiId", line.api_id);
    to.optional("apiRevision", line.api_revision);
    to.optional("operationId", line.operation_id);
    to.optional("productId", line.product_id);
    to.optional("apimSubscriptionId", line.apim_subscription_id);
    to.optional("userId", line.user_id);
    if !line.shadow_refusals.is_empty() {
        to.several("shadowRefusals", &line.shadow_refusals);
    }
    to.optional("reason", line.reason);
    to.optional("lastErrorSource", line.last_error_source);
    to.optional("lastErrorReason", line.last_error_reason);
    to.optional("lastErrorMessage", line.last_error_message.as_deref());
    to.optional("lastErrorSection", line.last_error_section);
    to.optional("lastErrorPlace", line.last_error_place.as_deref());
    to.optional("transportError", line.transport_error.as_deref());
    to.number("generation", line.generation);
    line.excerpts.tell(to);
}

/// What was asked, and what came of it.
fn message(line: &Line<'_>) -> String {
    let mut out = String::with_capacity(MESSAGE_BYTES);
    // A string takes all.
    let _ = write!(out, "{} {} ", line.response_code, plain(line.method));
    out.push_str(&plain(&line.url));
    out
}

/// A line for people: what happened first, then the facts as `name=value`.
fn text(line: &Line<'_>) -> String {
    let mut out = message(line);
    // A string takes all.
    let _ = write!(out, " {} {}ms", line.client_protocol, line.total_time);
    let grpc = line.grpc_status.map(|status| status.to_string());
    let optional = [
        ("grpc", grpc.as_deref()),
        ("reason", line.reason),
        ("api", line.api_id),
        ("operation", line.operation_id),
        ("product", line.product_id),
        ("subscription", line.apim_subscription_id),
        ("source", line.last_error_source),
        ("error", line.last_error_reason),
        ("message", line.last_error_message.as_deref()),
        ("place", line.last_error_place.as_deref()),
        ("transport", line.transport_error.as_deref()),
        ("client", line.caller_ip_address.as_deref()),
        ("backend", line.backend_url.as_deref()),
        ("id", Some(&line.correlation_id)),
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
    line.excerpts.show(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_line_cannot_be_forged() {
        let line = Line { method: "GET", reason: Some("a\nb"), ..Line::default() };
        assert!(text(&line).contains(r#"reason="a\nb""#));
        assert_eq!(text(&line).lines().count(), 1);
    }

    #[test]
    fn json_lines_have_the_known_names() {
        let line = Line { category: "GatewayLogs", api_id: Some("echo"), ..Line::default() };
        let fields = entry(&line).fields;
        assert_eq!(fields["category"], "GatewayLogs");
        assert_eq!(fields["apiId"], "echo");
        assert!(!fields.contains_key("userId"));
    }

    /// A line with everything that a line can have.
    fn whole() -> Line<'static> {
        let text = || Some(String::new());
        let fields = || BTreeMap::from([(String::new(), String::new())]);
        Line {
            region: "north",
            backend_time: Some(1),
            trace_id: Some(Short::default()),
            span_id: Some(Short::default()),
            caller_ip_address: Some(Short::default()),
            backend_response_code: Some(200),
            grpc_status: Some(0),
            backend_url: text(),
            api_id: Some(""),
            api_revision: Some(""),
            operation_id: Some(""),
            product_id: Some(""),
            apim_subscription_id: Some(""),
            user_id: Some(""),
            shadow_refusals: vec![String::new()],
            reason: Some(""),
            last_error_source: Some(""),
            last_error_reason: Some(""),
            last_error_message: Some(Cow::Borrowed("")),
            last_error_section: Some(""),
            last_error_place: text(),
            transport_error: Some(Cow::Borrowed("")),
            excerpts: Excerpts {
                request_headers: fields(),
                request_body: text(),
                response_headers: fields(),
                response_body: text(),
                backend_request_headers: fields(),
                backend_request_body: text(),
                backend_response_headers: fields(),
                backend_response_body: text(),
            },
            ..Line::default()
        }
    }

    #[test]
    fn the_documentation_has_every_field_and_no_other() {
        let page = include_str!("../../docs/logs.md");
        let table = page.split("| field | in text | what |").nth(1).unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        let documented: Vec<(String, String)> = cells
            .map(|cells| (cells[1].trim_matches('`').to_owned(), cells[2].to_owned()))
            .collect();
        let mut names: Vec<&String> = documented.iter().map(|(name, _)| name).collect();
        names.sort();
        let fields = entry(&whole()).fields;
        let mut known: Vec<&String> = fields.keys().collect();
        known.sort();
        assert_eq!(names, known);
        let line = text(&whole());
        for (_name, word) in documented.iter().filter(|(_, word)| word.starts_with('`')) {
            let word = word.trim_matches('`').trim_end_matches("NAME");
            assert!(line.contains(&format!(" {word}")), "{word}: {line}");
        }
    }

    #[test]
    fn who_reads_nothing_has_no_lines() {
        let wants = |which, format, failed| AccessLog::new(which, format, None, None).wants(failed);
        assert!(wants(Which::Errors, Format::Json, true));
        assert!(!wants(Which::Errors, Format::Json, false));
        assert!(wants(Which::All, Format::Text, false));
        assert!(!wants(Which::All, Format::None, true));
    }

    #[test]
    fn no_line_has_a_token() {
        let error = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is wrong";
        let line = Line { last_error_message: Some(Cow::Borrowed(error)), ..Line::default() };
        let log = AccessLog::new(Which::All, Format::Text, None, None);
        log.write(&line);
        let entry = entry(&line);
        assert_eq!(entry.fields["lastErrorMessage"], "(secret) is wrong");
        assert!(entry.text.ends_with(r#"message="(secret) is wrong" id="#), "{}", entry.text);
    }
}
