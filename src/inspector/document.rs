//! What was kept of an exchange, as a trace without secrets.

mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::exchange::inspection::{self, Change, Fact, Inspection};
use crate::exchange::message::titled;
use crate::exchange::{Exchange, Severity, format_id};
use crate::inspector::cover::Cover;
use crate::inspector::kept::{Kept, Summary};
use crate::inspector::shape::{
    Changed, Data, Document, Entries, Entry, Failed, Field, Limit, Request, Response, Said, Status,
    Try,
};
use crate::time::{Timestamp, date};

/// The largest document, in bytes; entries that would make it larger are left out, and counted.
pub const TRACE_BYTES_MAX: usize = 256 << 10;

/// An exchange that has ended.
#[derive(Debug)]
pub struct Ended<'e> {
    /// The exchange.
    pub exchange: &'e Exchange,
    /// What was kept of it.
    pub kept: &'e Inspection,
    /// The head that the client got.
    pub response: Option<(StatusCode, &'e HeaderMap)>,
    /// When.
    pub now: Timestamp,
    /// Which gateway it is.
    pub gateway: &'e str,
    /// Where it counts: `memory`, or `redis` together with others.
    pub counters: &'e str,
}

impl Ended<'_> {
    /// The trace, as it is kept.
    pub fn trace(&self) -> Kept {
        let (exchange, kept) = (self.exchange, self.kept);
        let cover = Cover::of(exchange, kept, self.response.map(|(_status, fields)| fields));
        let mut document =
            Document { trace_id: format_id(exchange.id), trace_entries: Entries::default() };
        let (mut bytes, mut left_out) = (0_usize, kept.left_out);
        for (nth, entry) in kept.entries.iter().enumerate() {
            let mut shown = Shown { cover: &cover, started: exchange.started }.entry(entry);
            if nth == 0 {
                shown.data.configuration = self.configuration();
            }
            bytes = bytes.saturating_add(serde_json::to_vec(&shown).map_or(0, |it| it.len()));
            if TRACE_BYTES_MAX < bytes {
                left_out = left_out.saturating_add(1);
                continue;
            }
            document.trace_entries.of(entry.section).push(shown);
        }
        if 0 < left_out {
            let mut last = self.entry_now();
            last.data.message =
                format!("the trace is too long: {left_out} more entries are left out");
            document.trace_entries.of(last_section(exchange)).push(last);
        }
        let original = &exchange.original;
        Kept {
            summary: Summary {
                trace_id: document.trace_id.clone(),
                timestamp: precise(exchange.started),
                method: original.method.to_string(),
                path: cover.text(&original.path),
                status: self.response.map_or(0, |(status, _fields)| status.as_u16()),
                api_id: exchange.api.as_ref().map(|api| api.id.to_string()),
                gateway: self.gateway.to_owned(),
            },
            ended: self.now,
            document: serde_json::to_string(&document).unwrap_or_default(),
        }
    }

    fn entry_now(&self) -> Entry {
        Entry {
            source: "api-inspector".to_owned(),
            timestamp: precise(self.now),
            elapsed: elapsed(self.now.since(self.exchange.started)),
            data: Data::default(),
        }
    }

    /// Who called what.
    fn configuration(&self) -> BTreeMap<String, String> {
        let exchange = self.exchange;
        let api = exchange.api.as_ref();
        let known = [
            ("api", api.map(|api| api.id.to_string())),
            ("revision", api.map(|api| api.revision.to_string())),
            ("operation", exchange.operation.as_ref().map(|operation| operation.id.to_string())),
            ("product", exchange.product.as_ref().map(|product| product.id.to_string())),
            ("subscription", exchange.subscription.as_ref().map(|known| known.id.to_string())),
            ("user", exchange.user.as_ref().map(|user| user.id.to_string())),
            ("gateway", Some(self.gateway.to_owned())),
            ("counters", Some(self.counters.to_owned())),
        ];
        let present = |(name, id): (&str, Option<String>)| Some((name.to_owned(), id?));
        known.into_iter().filter_map(present).collect()
    }
}

/// The section that an exchange ends in.
pub const fn last_section(exchange: &Exchange) -> &'static str {
    if exchange.last_error.is_some() { "on-error" } else { "outbound" }
}

/// Shows entries, without secrets.
struct Shown<'c> {
    cover: &'c Cover<'c>,
    started: Timestamp,
}

impl Shown<'_> {
    fn entry(&self, entry: &inspection::Entry) -> Entry {
        let step = entry.step.as_ref();
        let took = entry.until.since(entry.at);
        let mut data = Data {
            scope: step.map(|step| step.scope.to_owned()),
            place: step.map(|step| step.place.to_string()),
            path: step.map(|step| step.path.to_string()),
            id: step.and_then(|step| step.id.as_ref()).map(ToString::to_string),
            took: (!took.is_zero()).then(|| elapsed(took)),
            ..Data::default()
        };
        for fact in &entry.facts {
            self.fact(fact, step.is_none(), &mut data);
        }
        data.message = words::message(&data);
        Entry {
            source: entry.source.to_owned(),
            timestamp: precise(entry.at),
            elapsed: elapsed(entry.at.since(self.started)),
            data,
        }
    }

    fn fact(&self, fact: &Fact, is_received: bool, data: &mut Data) {
        let cover = self.cover;
        match fact {
            Fact::Read(text) => data.read.push(cover.text(text)),
            Fact::Decided(text) => data.decided.push(cover.text(text)),
            Fact::Failed { reason, message } => {
                data.failure =
                    Some(Failed { reason: (*reason).to_owned(), message: cover.text(message) });
            }
            Fact::Counted(counted) => data.limits.push(self.limit(counted)),
            Fact::Request { method, url, fields } => {
                let url = if is_received { cover.url(url) } else { cover.target(url) };
                let headers = self.fields(fields);
                data.request = Some(Request { method: method.clone(), url, headers });
            }
            Fact::Response { status, fields } => {
                let reason = status.canonical_reason().unwrap_or_default().to_owned();
                let status = Status { code: status.as_u16(), reason };
                data.response = Some(Response { status, headers: self.fields(fields) });
            }
            Fact::TimeOut(span) => data.timeout_seconds = Some(span.as_secs_f64()),
            Fact::Tried { url, came, at } => data.tries.push(Try {
                url: cover.target(url),
                status: came.as_ref().ok().copied(),
                failure: came.as_ref().err().map(|why| self.failure(why)),
                elapsed: elapsed(at.since(self.started)),
            }),
            Fact::Changed(change) => data.changed.push(self.change(change)),
            Fact::Said(trace) => {
                let pairs = trace.metadata.iter();
                data.traces.push(Said {
                    source: cover.text(&trace.source),
                    severity: severity(trace.severity).to_owned(),
                    message: cover.text(&trace.message),
                    metadata: pairs
                        .map(|(name, value)| (cover.text(name), cover.variable(name, value)))
                        .collect(),
                });
            }
        }
    }

    /// Why an attempt failed: it names where it went.
    fn failure(&self, why: &str) -> String {
        match why.split_once(": ") {
            Some((place, rest)) => {
                format!("{}: {}", self.cover.target(place), self.cover.text(rest))
            }
            None => self.cover.text(why),
        }
    }

    fn limit(&self, counted: &inspection::Counted) -> Limit {
        Limit {
            kind: counted.kind.to_owned(),
            mode: counted.mode.map(str::to_owned),
            who: counted.who.as_ref().map(|who| self.cover.text(who)),
            allowed: counted.is_allowed,
            cost: counted.cost,
            limit: counted.limit,
            used: counted.used,
            remaining: counted.remaining,
        }
    }

    fn fields(&self, fields: &HeaderMap) -> Vec<Field> {
        let shown = fields.iter().map(|(name, value)| Field {
            name: titled(name),
            value: self.cover.field(name, value),
        });
        shown.collect()
    }

    fn change(&self, change: &Change) -> Changed {
        let cover = self.cover;
        let field = |what: &str, name: &HeaderName, values: &[HeaderValue]| {
            let values: Vec<String> = values.iter().map(|value| cover.field(name, value)).collect();
            let value = (!values.is_empty()).then(|| values.join(", "));
            Changed { what: what.to_owned(), name: Some(titled(name)), value }
        };
        let plain = |what: &str, value: Option<String>| Changed {
            what: what.to_owned(),
            name: None,
            value,
        };
        match change {
            Change::Method(method) => plain("method", Some(method.clone())),
            Change::Url(url) => plain("url", Some(cover.target(url))),
            Change::RequestField(name, values) => field("request header", name, values),
            Change::Status(status) => plain("status", Some(status.to_string())),
            Change::ResponseField(name, values) => field("response header", name, values),
            Change::RequestBody(what) => plain("request body", Some(what.clone())),
            Change::ResponseBody(what) => plain("response body", Some(what.clone())),
            Change::Variable(name, value) => Changed {
                what: "variable".to_owned(),
                name: Some(name.to_string()),
                value: value.as_ref().map(|value| cover.variable(name, value)),
            },
            Change::Backend(id) => plain("backend", id.as_ref().map(ToString::to_string)),
            Change::Proxy(proxy) => plain("proxy", proxy.as_deref().map(|it| cover.text(it))),
            Change::Certificate(is_shown) => {
                plain("client certificate", is_shown.then(|| "shown to the backend".to_owned()))
            }
            Change::Samples(count) => plain("metrics", Some(format!("{count} samples"))),
        }
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Verbose => "verbose",
        Severity::Information => "information",
        Severity::Error => "error",
    }
}

/// A span as .NET writes it, `00:00:00.0000000`.
fn elapsed(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:06}0", seconds % 60, span.subsec_micros())
}

/// A time with seven digits of its second.
fn precise(at: Timestamp) -> String {
    format!("{}{:03}0Z", date(at).trim_end_matches('Z'), at.micros() % 1_000)
}
