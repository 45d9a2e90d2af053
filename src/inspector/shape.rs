//! The shape of a trace: the one that API Management gives it, with more in `data`.
//!
//! `{ traceId, traceEntries: { inbound, backend, outbound, "on-error" } }`, each a list of
//! `{ source, timestamp, elapsed, data }`. `data.message` says in one line what the rest of `data` says
//! in parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A trace.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Its id, which is that of the request in the log.
    pub trace_id: String,
    /// What happened.
    pub trace_entries: Entries,
}

/// What happened, by section.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entries {
    /// Before the request is forwarded.
    pub inbound: Vec<Entry>,
    /// While it is.
    pub backend: Vec<Entry>,
    /// With its response.
    pub outbound: Vec<Entry>,
    /// After a failure.
    pub on_error: Vec<Entry>,
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The policy, or what else did it.
    pub source: String,
    /// When.
    pub timestamp: String,
    /// How long after the request began, `00:00:00.0000000`.
    pub elapsed: String,
    /// What.
    pub data: Data,
}

/// What happened.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Data {
    /// All of it in one line.
    pub message: String,
    /// Whose document the policy stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Where: `file:line:column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where in its section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The `id` of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How long it took, if it waited for something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<String>,
    /// Who called what: ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<String, String>,
    /// The request, as it came or as it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// A response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// How long the backend may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// The attempts to reach it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// What counters said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// What was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// What was decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<String>,
    /// What is otherwise now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
    /// What the policy said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Said>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
}

/// A request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// Its fields.
    pub headers: Vec<Field>,
}

/// A response.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Response {
    /// Its status.
    pub status: Status,
    /// Its fields.
    pub headers: Vec<Field>,
}

/// A status.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// The number.
    pub code: u16,
    /// What that means.
    pub reason: String,
}

/// A field.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One attempt to reach the backend.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Try {
    /// Where.
    pub url: String,
    /// What came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why nothing came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When that was known.
    pub elapsed: String,
}

/// What a counter said.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// What is counted.
    pub kind: String,
    /// How it is held over replicas: `fast`, `exact`, `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Whose counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Whether there was room.
    pub allowed: bool,
    /// How much was asked for.
    pub cost: u64,
    /// How much is allowed.
    pub limit: u64,
    /// How much is used.
    pub used: u64,
    /// How much is left.
    pub remaining: u64,
}

/// Something that is otherwise now.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Changed {
    /// What: `request header`, `variable`, `url`, ….
    pub what: String,
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is now; none: it is gone.
    pub value: Option<String>,
}

/// What a policy said.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Said {
    /// Who.
    pub source: String,
    /// How much it matters.
    pub severity: String,
    /// What.
    pub message: String,
    /// Names and values beside it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub metadata: BTreeMap<String, String>,
}

/// Why something failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failed {
    /// A machine-readable word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Entries {
    /// Those of `section`.
    pub(super) fn of(&mut self, section: &str) -> &mut Vec<Entry> {
        match section {
            "inbound" => &mut self.inbound,
            "backend" => &mut self.backend,
            "outbound" => &mut self.outbound,
            _ => &mut self.on_error,
        }
    }

    /// All of them with their sections, in the order in which sections run.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        let lists = [
            ("inbound", &self.inbound),
            ("backend", &self.backend),
            ("outbound", &self.outbound),
            ("on-error", &self.on_error),
        ];
        lists.into_iter().flat_map(|(section, list)| list.iter().map(move |entry| (section, entry)))
    }
}
