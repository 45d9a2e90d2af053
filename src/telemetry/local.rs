//! Where lines go beside standard output: syslog, the journal, or JSON in datagrams.
//!
//! Lines of all kinds become one [`Entry`], which each output writes in its own form ([`form`]); a
//! thread sends what is waiting ([`delivery`]). Nothing of this holds up a request.

pub mod delivery;
pub mod form;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::telemetry::lines::Lines;
use crate::telemetry::local::delivery::{Delivery, Way};
use crate::time::{Clock, SystemClock, date};

/// How much a line matters, as syslog numbers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// Something went wrong.
    Error,
    /// Somebody may have to look.
    Warning,
    /// Worth knowing.
    Information,
    /// For those who look closely.
    Debug,
}

impl Urgency {
    /// Its number: the smaller, the more it matters.
    pub const fn number(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Information => 6,
            Self::Debug => 7,
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How much it matters.
    pub urgency: Urgency,
    /// `GatewayLogs`, `GatewayTraces` or `GatewayEvents`.
    pub category: &'static str,
    /// The line for people, without its time, on one line.
    pub text: String,
    /// Its fields, as JSON lines have them: `timeGenerated` is among them.
    pub fields: Map<String, Value>,
}

/// The form of lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// RFC 3164, as the system's own syslog reads it.
    LocalSyslog(Facility),
    /// RFC 5424.
    Rfc5424(Facility),
    /// The native protocol of the journal.
    Journal(Facility),
    /// One JSON object.
    Json,
}

/// What part of a system speaks, as syslog numbers it: 0 to 23.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Facility(u8);

impl Facility {
    /// The highest there is.
    pub const MAX: u8 = 23;

    /// That with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Where a collector listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// A socket of the machine, for datagrams.
    Path(PathBuf),
    /// A host and a port, for datagrams.
    Udp(String),
    /// A host and a port, for a connection.
    Tcp(String),
}

/// An output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// In which form.
    pub form: Form,
    /// Where to.
    pub endpoint: Endpoint,
}

/// An output that lines can be put into.
#[derive(Debug)]
pub struct Local {
    form: Form,
    host: String,
    is_stream: bool,
    lines: Arc<Lines>,
}

/// What the journal and syslog call the program.
pub const PROGRAM: &str = "weir";

impl Local {
    /// Starts to send what is put in to `target`; `host`: what this machine is called.
    pub fn start(target: &Target, host: &str) -> io::Result<Arc<Self>> {
        let way = match &target.endpoint {
            Endpoint::Path(path) => Way::Unix(path.clone()),
            Endpoint::Udp(address) => Way::Udp(address.clone()),
            Endpoint::Tcp(address) => Way::Tcp(address.clone()),
        };
        let local = Arc::new(Self {
            form: target.form,
            host: host.to_owned(),
            is_stream: matches!(way, Way::Tcp(_)),
            lines: Arc::default(),
        });
        let (own, clock) = (Arc::clone(&local), SystemClock::start());
        let confess = Box::new(move |count| own.written(&dropped(count, &clock)));
        local.lines.run("local-log", Box::new(Delivery::to(way)), confess)?;
        Ok(local)
    }

    /// Puts in a line.
    pub fn put(&self, entry: &Entry) {
        self.lines.put(&self.written(entry));
    }

    /// How many lines found no room, or could not be sent.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Has what is left sent, and ends; at most for a short time.
    pub fn stop(&self) {
        self.lines.stop();
    }

    /// Waits for the end.
    pub fn wait(&self) {
        self.lines.wait();
    }

    fn written(&self, entry: &Entry) -> Vec<u8> {
        let bytes = form::write(self.form, entry, &self.host);
        if !self.is_stream {
            return bytes;
        }
        // Octet counting (RFC 6587 §3.4.1).
        let mut framed = format!("{} ", bytes.len()).into_bytes();
        framed.extend_from_slice(&bytes);
        framed
    }
}

/// The line that says that lines were dropped.
fn dropped(count: u64, clock: &SystemClock) -> Entry {
    let mut fields = Map::new();
    fields.insert("timeGenerated".to_owned(), Value::from(date(clock.now())));
    fields.insert("category".to_owned(), Value::from("GatewayEvents"));
    fields.insert("level".to_owned(), Value::from("WARN"));
    fields.insert("message".to_owned(), Value::from(DROPPED));
    fields.insert("dropped".to_owned(), Value::from(count));
    Entry {
        urgency: Urgency::Warning,
        category: "GatewayEvents",
        text: format!("WARN {DROPPED} dropped={count}"),
        fields,
    }
}

/// What is said once lines are taken again.
pub const DROPPED: &str = "lines were dropped, because nobody took them in time";
