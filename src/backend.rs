//! Backends: where requests go, and how a URL of the configuration becomes an address.

pub mod authorization;
pub mod budget;
pub mod check;
pub mod circuit;
pub mod document;
pub mod event_hub;
pub mod pool;
pub mod principal;
pub mod proxy;
pub mod sidecar;
pub mod standing;
pub mod tls;
pub mod version;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::backend::check::Check;
use crate::backend::pool::Pool;
use crate::backend::principal::Asked;
use crate::backend::proxy::ForwardProxy;
use crate::backend::standing::{Standing, Unavailable};
use crate::backend::tls::Terms;
use crate::backend::version::HttpVersion;
use crate::certificate::Certificate;
use crate::time::Timestamp;

/// How a message travels.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// The fixed part of a URL: what stands before the path that an operation adds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl {
    /// How the message travels.
    pub scheme: Scheme,
    /// The host, lower-case; IPv6 addresses without their brackets.
    pub host: String,
    /// The port, the scheme's own where none is written.
    pub port: u16,
    /// The path prefix, without a slash at its end; empty for none.
    pub path: String,
    /// What the `Host` field says: the host, and the port where it is not the scheme's own.
    pub authority: HeaderValue,
    /// The Unix socket of this machine that is connected to in the place of host and port.
    pub socket: Option<Arc<str>>,
}

/// A backend of the configuration.
#[derive(Debug)]
pub struct Backend {
    /// What policies call it.
    pub id: Arc<str>,
    /// Where it is.
    pub base: Arc<BaseUrl>,
    /// Fields that every request to it carries.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Query parameters that every request to it carries, names and values.
    pub query: Vec<(String, String)>,
    /// How its certificate is judged.
    pub tls: Tls,
    /// By way of which forward proxy it is reached, where no policy says otherwise.
    pub proxy: Option<Arc<ForwardProxy>>,
    /// The token of the gateway that every request to it carries, if one does.
    pub token: Option<Arc<Asked>>,
    /// Which HTTP it is spoken to in, if its configuration says so.
    pub http: Option<HttpVersion>,
    /// How it stands, where it has a circuit breaker or its health is checked.
    pub standing: Option<Arc<Standing>>,
    /// For whom it stands, if it is a pool; the rest says nothing then.
    pub pool: Option<Arc<Pool>>,
    /// Whether it is an app behind Dapr's sidecar, which gets nothing that speaks to itself.
    pub is_sidecar: bool,
    /// Where calls of gRPC go, where that is elsewhere: a sidecar has a port of its own for them.
    pub calls: Option<Arc<BaseUrl>>,
}

/// How the certificate of a backend is judged, and which one it is shown.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether the chain must end in a trusted root.
    pub verify_chain: bool,
    /// Whether the certificate must name the host.
    pub verify_name: bool,
    /// The certificate shown to the backend, with its key.
    pub identity: Option<Arc<Certificate>>,
    /// What else is asked of it, beyond what is usual.
    pub terms: Option<Arc<Terms>>,
}

impl Backend {
    /// A backend that has no more than a name and a place.
    pub fn at(id: Arc<str>, base: Arc<BaseUrl>) -> Self {
        Self {
            id,
            base,
            headers: Vec::new(),
            query: Vec::new(),
            tls: Tls::default(),
            proxy: None,
            token: None,
            http: None,
            standing: None,
            pool: None,
            is_sidecar: false,
            calls: None,
        }
    }
}

impl Tls {
    /// The host that is asked for in the place of that of the URL, if another one is.
    pub fn server_name(&self) -> Option<&str> {
        self.terms.as_ref()?.server_name.as_deref()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { verify_chain: true, verify_name: true, identity: None, terms: None }
    }
}

/// How long a backend may take to accept a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection to a backend may lie idle before it is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why a text is not the URL of a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlRefused {
    /// Neither `http` nor `https`.
    #[error("the URL must begin with `http://` or `https://`")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error("the URL has no valid host")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `user:password@` before the host.
    #[error("the URL carries credentials; give them under `credentials`")]
    Credentials,
    /// A query or fragment.
    #[error("the URL of a backend has no query and no fragment")]
    Query,
    /// Characters that must be percent-encoded.
    #[error("the path holds characters that must be percent-encoded")]
    Path,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether nobody else can read it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https)
    }

    /// The port that need not be written.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Backend {
    /// Why nothing is sent to it, if nothing is: its circuit is open, or checks of its health found
    /// that it cannot serve. Of a pool its members say.
    pub fn refusal(&self, now: Timestamp) -> Option<Unavailable> {
        let standing = self.standing.as_ref()?;
        let ailing = || {
            let check = standing.check().filter(|_check| !standing.is_healthy(now))?;
            Some(Unavailable { retry_after: check.interval, status: None })
        };
        standing.refusal(now).or_else(ailing)
    }

    /// Whether its circuit is closed, or it has none.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.standing.as_ref().is_none_or(|standing| standing.open_until(now).is_none())
    }

    /// Whether checks of its health found nothing wrong, or there are none.
    pub fn is_healthy(&self, now: Timestamp) -> bool {
        self.standing.as_ref().is_none_or(|standing| standing.is_healthy(now))
    }

    /// How its health is checked, if it is.
    pub fn check(&self) -> Option<&Check> {
        self.standing.as_ref()?.check()
    }
}

impl BaseUrl {
    /// Reads `http(s)://host[:port][/path]`.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        let (scheme, rest) = split_scheme(text)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UrlRefused::Credentials);
        }
        if tail.contains(['?', '#']) {
            return Err(UrlRefused::Query);
        }
        if !tail.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return Err(UrlRefused::Path);
        }
        let (host, port) = split_port(authority, scheme)?;
        let authority = authority_of(&host, port, scheme)?;
        let path = tail.trim_end_matches('/').to_owned();
        Ok(Self { scheme, host, port, path, authority, socket: None })
    }

    /// What listens on the Unix socket at `path`, in the clear.
    pub fn behind(path: &str) -> Self {
        Self {
            scheme: Scheme::Http,
            host: "localhost".to_owned(),
            port: Scheme::Http.port(),
            path: String::new(),
            authority: HeaderValue::from_static("localhost"),
            socket: Some(Arc::from(path)),
        }
    }

    /// Whether this stands for no backend at all: port 0, which no URL has.
    pub const fn is_nowhere(&self) -> bool {
        self.port == 0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            return write!(formatter, "unix://{socket}{}", self.path);
        }
        let authority = self.authority.to_str().unwrap_or_default();
        write!(formatter, "{}://{authority}{}", self.scheme.as_str(), self.path)
    }
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), UrlRefused> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlRefused::Scheme)?;
    // WebSocket requests begin as HTTP requests: the scheme says only how the bytes travel.
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Ok((Scheme::Http, rest)),
        "https" | "wss" => Ok((Scheme::Https, rest)),
        _ => Err(UrlRefused::Scheme),
    }
}

fn split_port(authority: &str, scheme: Scheme) -> Result<(String, u16), UrlRefused> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(UrlRefused::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_refused| UrlRefused::Host)?;
        let port = match after.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if after.is_empty() => scheme.port(),
            None => return Err(UrlRefused::Host),
        };
        return Ok((host.to_ascii_lowercase(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, parse_port(port)?),
        None => (authority, scheme.port()),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(UrlRefused::Host);
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn parse_port(text: &str) -> Result<u16, UrlRefused> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|port| *port != 0).ok_or(UrlRefused::Port)
}

fn authority_of(host: &str, port: u16, scheme: Scheme) -> Result<HeaderValue, UrlRefused> {
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let text = if port == scheme.port() { bracketed } else { format!("{bracketed}:{port}") };
    HeaderValue::try_from(text).map_err(|_refused| UrlRefused::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = BaseUrl::parse("HTTPS://Api.Example:8443/v1/").unwrap();
        assert_eq!((url.scheme, url.host.as_str(), url.port), (Scheme::Https, "api.example", 8443));
        assert_eq!(url.path, "/v1");
        assert_eq!(url.authority, "api.example:8443");
        assert_eq!(url.to_string(), "https://api.example:8443/v1");
        let url = BaseUrl::parse("http://[::1]").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 80));
        assert_eq!(url.authority, "[::1]");
    }

    #[test]
    fn what_is_no_url_of_a_backend_is_refused() {
        for (text, refused) in [
            ("api.example", UrlRefused::Scheme),
            ("ftp://a", UrlRefused::Scheme),
            ("http://", UrlRefused::Host),
            ("http://a b", UrlRefused::Host),
            ("http://[::1", UrlRefused::Host),
            ("http://a:0", UrlRefused::Port),
            ("http://a:+80", UrlRefused::Port),
            ("http://u:p@a", UrlRefused::Credentials),
            ("http://a/?x=1", UrlRefused::Query),
            ("http://a/b c", UrlRefused::Path),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(refused), "{text}");
        }
    }
}
