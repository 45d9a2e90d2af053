//! Which API and which operation a request is for: host → path → version → method.
//!
//! | question | answered in | rule |
//! |---|---|---|
//! | Which bytes are the path? | [`path`] | one canonical spelling, matched and forwarded alike |
//! | Which host is meant? | [`host`] | lower case, no trailing dot; the port takes no part |
//! | What stands in the query? | [`url`] | a multimap that keeps what it is not asked for |
//! | Which URLs are an operation's? | [`template`] | literals, parameters, a wildcard, a query |
//! | Which operation is it? | [`table`] | longest API path, then version, revision, template |
//! | Why this one? | [`explain`] | every candidate, and why it lost |
//!
//! Letters compare without case everywhere: host names, API paths, literal segments, version
//! identifiers and query parameter names, as APIM does. Only ASCII letters have a case here.

use http::{HeaderMap, Method};

pub mod path;
pub mod host;
pub mod url;
pub mod template;
mod tree;
pub mod table;
pub mod explain;

/// The scheme that a request came with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// A WebSocket handshake over plain HTTP.
    Ws,
    /// A WebSocket handshake over TLS.
    Wss,
}

impl Scheme {
    /// All schemes, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Ws, Self::Wss];

    /// The scheme as it is written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The port that a URL with this scheme means when it names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss => 443,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Http => 1,
            Self::Https => 2,
            Self::Ws => 4,
            Self::Wss => 8,
        }
    }
}

/// The schemes that an API answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Protocols(u8);

impl Protocols {
    /// These and the schemes of `self`.
    #[must_use]
    pub const fn with(self, scheme: Scheme) -> Self {
        Self(self.0 | scheme.bit())
    }

    /// Whether `scheme` is among them.
    pub const fn contains(self, scheme: Scheme) -> bool {
        self.0 & scheme.bit() != 0
    }
}

impl FromIterator<Scheme> for Protocols {
    fn from_iter<I: IntoIterator<Item = Scheme>>(schemes: I) -> Self {
        schemes.into_iter().fold(Self::default(), Self::with)
    }
}

/// What routing looks at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The scheme the client used, or the one a trusted proxy in front reports.
    pub scheme: Scheme,
    /// The name of [`host::Authority`]: normalised, without a port.
    pub host: &'r str,
    /// The method.
    pub method: &'r Method,
    /// The path as [`path::canonical`] spells it.
    pub path: &'r str,
    /// The query as it came, without `?`; empty where there is none.
    pub query: &'r str,
    /// The header fields: a version may stand there, and so does what a preflight asks.
    pub headers: &'r HeaderMap,
}
