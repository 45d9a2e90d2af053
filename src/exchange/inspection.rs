//! What is kept of an exchange for whoever inspects it: its steps, and what each of them read, decided
//! and changed.
//!
//! It is there only for an exchange that somebody asked to see. Policies do not know of it: what a
//! step changed is found by comparing the exchange [before](seen::Seen) and after it. Texts stand here
//! as they are, secrets too; it never leaves the exchange like this: `inspector` covers it at the end,
//! when all that is secret is known.

mod seen;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::exchange::inspection::seen::Seen;
use crate::exchange::{Exchange, Trace};
use crate::fault::Place;
use crate::time::Timestamp;

pub use crate::exchange::inspection::seen::url;

/// The most entries of one exchange; what comes after is counted, and left out.
pub const ENTRIES_MAX: usize = 500;

/// The most facts of one entry; what comes after is left out.
pub const FACTS_MAX: usize = 256;

/// About how many bytes of facts are kept of one exchange; what comes after is left out.
pub const BYTES_MAX: usize = 1 << 20;

/// What is kept of an exchange.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// How many entries there was no room for.
    pub left_out: usize,
    /// How the exchange was when the last entry began; none: nothing changes it that is of interest.
    before: Option<Box<Seen>>,
    /// Whether the last entry is that of a step that has yet to run: it waits for a body.
    is_waiting: bool,
    /// How many bytes there are, about.
    bytes: usize,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The policy, or what else did it.
    pub source: &'static str,
    /// `inbound`, `backend`, `outbound` or `on-error`.
    pub section: &'static str,
    /// Which step; none if it was none.
    pub step: Option<Step>,
    /// When it began.
    pub at: Timestamp,
    /// When the last of it was known.
    pub until: Timestamp,
    /// What is known of it.
    pub facts: Vec<Fact>,
}

/// Which step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whose document it stands in.
    pub scope: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Where in its section, such as `choose[3]/when[2]`.
    pub path: Arc<str>,
    /// The `id` of the policy.
    pub id: Option<Arc<str>>,
}

/// Something about a step.
#[derive(Clone, Debug)]
pub enum Fact {
    /// What it read or was told, in words.
    Read(String),
    /// What it decided, in words.
    Decided(String),
    /// That it failed.
    Failed {
        /// A machine-readable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// What a counter said.
    Counted(Counted),
    /// The request as it was received, or as it goes to the backend.
    Request {
        /// The method.
        method: String,
        /// Where to.
        url: String,
        /// Its fields.
        fields: HeaderMap,
    },
    /// A response.
    Response {
        /// Its status.
        status: StatusCode,
        /// Its fields.
        fields: HeaderMap,
    },
    /// How long the backend may take.
    TimeOut(Duration),
    /// One attempt to reach the backend.
    Tried {
        /// Where.
        url: String,
        /// The status, or why there is none.
        came: Result<u16, String>,
        /// When that was known.
        at: Timestamp,
    },
    /// What it changed.
    Changed(Change),
    /// What a policy said to whoever inspects it.
    Said(Trace),
}

/// What a counter said.
#[derive(Clone, Debug)]
pub struct Counted {
    /// What is counted, such as `rate-limit-by-key`.
    pub kind: &'static str,
    /// How it is held over replicas, if it can be.
    pub mode: Option<&'static str>,
    /// Whose counter, if that may be shown.
    pub who: Option<Arc<str>>,
    /// Whether there was room.
    pub is_allowed: bool,
    /// How much was asked for.
    pub cost: u64,
    /// How much is allowed.
    pub limit: u64,
    /// How much of it is used.
    pub used: u64,
    /// How much is left.
    pub remaining: u64,
}

/// Something that is otherwise than before.
#[derive(Clone, Debug)]
pub enum Change {
    /// The method of the request.
    Method(String),
    /// Where the request goes.
    Url(String),
    /// A field of the request; without values it is gone.
    RequestField(HeaderName, Vec<HeaderValue>),
    /// The status of the response.
    Status(u16),
    /// A field of the response; without values it is gone.
    ResponseField(HeaderName, Vec<HeaderValue>),
    /// The body of the request.
    RequestBody(String),
    /// The body of the response.
    ResponseBody(String),
    /// A variable; without a value it is gone.
    Variable(Arc<str>, Option<String>),
    /// The backend that was chosen.
    Backend(Option<Arc<str>>),
    /// The proxy on the way to it.
    Proxy(Option<String>),
    /// Whether a certificate is shown to the backend.
    Certificate(bool),
    /// Samples of metrics that were given.
    Samples(usize),
}

impl Inspection {
    /// Begins the entry of something that is no step.
    pub fn note(&mut self, source: &'static str, section: &'static str, at: Timestamp) {
        self.begin(Entry { source, section, step: None, at, until: at, facts: Vec::new() });
    }

    fn begin(&mut self, entry: Entry) {
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Says something about what happens now.
    pub fn add(&mut self, fact: Fact) {
        let bytes = fact.bytes();
        if self.left_out != 0 || BYTES_MAX < self.bytes.saturating_add(bytes) {
            return;
        }
        if let Some(entry) = self.entries.last_mut().filter(|entry| entry.facts.len() < FACTS_MAX) {
            self.bytes = self.bytes.saturating_add(bytes);
            entry.facts.push(fact);
        }
    }

    /// Says what was decided.
    pub fn decided(&mut self, what: impl Into<String>) {
        self.add(Fact::Decided(what.into()));
    }

    /// Says what was read.
    pub fn read(&mut self, what: impl Into<String>) {
        self.add(Fact::Read(what.into()));
    }

    /// Says when the last of it was known.
    pub fn at(&mut self, now: Timestamp) {
        if let Some(entry) = self.entries.last_mut() {
            entry.until = now;
        }
    }
}

impl Exchange {
    /// Begins the entry of a step, if the exchange is inspected; `waits`: it is not its turn yet, and
    /// comes when there is what it waits for.
    pub fn inspect_step(
        &mut self,
        (source, section, step): (&'static str, &'static str, Step),
        waits: bool,
    ) {
        if let Some(inspection) = &mut self.inspection
            && std::mem::replace(&mut inspection.is_waiting, false)
        {
            return;
        }
        self.inspect_changes();
        let now = self.now;
        if let Some(inspection) = &mut self.inspection {
            let step = Some(step);
            inspection.begin(Entry {
                source,
                section,
                step,
                at: now,
                until: now,
                facts: Vec::new(),
            });
            inspection.is_waiting = waits;
        }
    }

    /// Says of the last entry what is otherwise since it began.
    pub fn inspect_changes(&mut self) {
        let Some(mut inspection) = self.inspection.take() else { return };
        let seen = Seen::of(self);
        if let Some(before) = inspection.before.take() {
            seen.tell(&before, &self.traces, &mut inspection);
        }
        inspection.before = Some(Box::new(seen));
        self.inspection = Some(inspection);
    }
}

impl Fact {
    /// How many bytes it takes up, about.
    fn bytes(&self) -> usize {
        let of = |fields: &HeaderMap| -> usize {
            fields.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum()
        };
        match self {
            Self::Read(text) | Self::Decided(text) => text.len(),
            Self::Failed { message, .. } => message.len(),
            Self::Request { url, fields, .. } => url.len().saturating_add(of(fields)),
            Self::Response { fields, .. } => of(fields),
            Self::Tried { url, .. } => url.len(),
            Self::Said(trace) => trace.message.len(),
            Self::Changed(change) => change.bytes(),
            Self::TimeOut(_) | Self::Counted(_) => 0,
        }
    }
}

impl Change {
    fn bytes(&self) -> usize {
        match self {
            Self::Method(text)
            | Self::Url(text)
            | Self::RequestBody(text)
            | Self::ResponseBody(text) => text.len(),
            Self::RequestField(_, values) | Self::ResponseField(_, values) => {
                values.iter().map(HeaderValue::len).sum()
            }
            Self::Variable(name, value) => {
                name.len().saturating_add(value.as_ref().map_or(0, String::len))
            }
            Self::Status(_)
            | Self::Backend(_)
            | Self::Proxy(_)
            | Self::Certificate(_)
            | Self::Samples(_) => 0,
        }
    }
}
