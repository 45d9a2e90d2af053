//! Forward proxies: who stands between the gateway and a backend, and what it is shown.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BaseUrl, UrlRefused};
use crate::secret::Secret;

/// An HTTP proxy that takes requests to backends, or connects with them. Two are the same only if
/// they are shown the same credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForwardProxy {
    /// The host, lower-case; IPv6 addresses without their brackets.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
    /// What `Proxy-Authorization` says.
    pub authorization: Option<Secret>,
}

/// Why a text is no URL of a proxy. It never holds any of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoProxy {
    /// Not `http`.
    #[error("the URL of the proxy must begin with `http://`")]
    Scheme,
    /// TLS with the proxy itself.
    #[error(
        "a proxy is spoken to over `http://` only; TLS with a backend goes through it all the same"
    )]
    Tls,
    /// It carries credentials.
    #[error("the URL of the proxy carries credentials; use `username` and `password`")]
    Credentials,
    /// It has more than host and port.
    #[error("the URL of the proxy has a host and a port, and nothing behind them")]
    Tail,
    /// Host or port are wrong.
    #[error("{}", of_proxy(*.0))]
    Refused(UrlRefused),
}

/// Why a name and a password cannot be shown to a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoCredentials {
    /// A colon ends the name (RFC 7617 §2).
    #[error("a user name with a colon would be read as another one (RFC 7617)")]
    Colon,
    /// Too long.
    #[error("the name and the password for the proxy have more than {CREDENTIALS_BYTES_MAX} bytes")]
    TooLong,
}

/// The longest name and password together, in bytes.
pub const CREDENTIALS_BYTES_MAX: usize = 4 << 10;

const fn of_proxy(refused: UrlRefused) -> &'static str {
    if matches!(refused, UrlRefused::Port) {
        "the port of the proxy is not a number from 1 to 65535"
    } else {
        "the URL of the proxy has no valid host"
    }
}

impl ForwardProxy {
    /// Reads `http://host[:port]`.
    pub fn parse(text: &str) -> Result<Self, NoProxy> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(NoProxy::Scheme)?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(NoProxy::Tls);
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(NoProxy::Scheme);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(NoProxy::Credentials);
        }
        if authority.contains(['/', '?', '#']) {
            return Err(NoProxy::Tail);
        }
        let base = BaseUrl::parse(&format!("http://{authority}")).map_err(NoProxy::Refused)?;
        Ok(Self { host: Arc::from(base.host), port: base.port, authorization: None })
    }

    /// The same proxy; it is shown this name and password (RFC 7617).
    pub fn with_basic(self, username: &str, password: &str) -> Result<Self, NoCredentials> {
        if username.contains(':') {
            return Err(NoCredentials::Colon);
        }
        if CREDENTIALS_BYTES_MAX < username.len().saturating_add(password.len()) {
            return Err(NoCredentials::TooLong);
        }
        let code = STANDARD.encode(format!("{username}:{password}"));
        Ok(Self { authorization: Some(Secret::new(format!("Basic {code}"))), ..self })
    }
}

impl Hash for ForwardProxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What is equal has the same hash; secrets need not be in it.
        (&self.host, self.port).hash(state);
    }
}

impl fmt::Display for ForwardProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("http://")?;
        write_place(formatter, &self.host, self.port)
    }
}

/// A host and its port, as `CONNECT` names them (RFC 9110 §9.3.6).
pub fn place_of(host: &str, port: u16) -> String {
    let mut text = String::new();
    // A string takes all.
    let _ = write_place(&mut text, host, port);
    text
}

fn write_place(out: &mut impl fmt::Write, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (text, shown) in [
            (" HTTP://Proxy.Example:3128/ ", "http://proxy.example:3128"),
            ("http://proxy", "http://proxy:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(ForwardProxy::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_url_of_a_proxy_is_refused() {
        for (text, refused) in [
            ("proxy:3128", NoProxy::Scheme),
            ("socks5://proxy:1080", NoProxy::Scheme),
            ("ws://proxy", NoProxy::Scheme),
            ("https://proxy:3128", NoProxy::Tls),
            ("http://u:p@proxy:3128", NoProxy::Credentials),
            ("http://proxy:3128/path", NoProxy::Tail),
            ("http://proxy:3128//", NoProxy::Tail),
            ("http://proxy?x=1", NoProxy::Tail),
            ("http://proxy#x", NoProxy::Tail),
            ("http://", NoProxy::Refused(UrlRefused::Host)),
            ("http://a\r\nX-Y", NoProxy::Refused(UrlRefused::Host)),
            ("http://proxy:0", NoProxy::Refused(UrlRefused::Port)),
        ] {
            assert_eq!(ForwardProxy::parse(text), Err(refused), "{text}");
        }
    }

    #[test]
    fn credentials_tell_proxies_apart_and_do_not_print() {
        let plain = ForwardProxy::parse("http://proxy:3128").unwrap();
        let ann = plain.clone().with_basic("ann", "a:b").unwrap();
        let bob = plain.clone().with_basic("bob", "").unwrap();
        assert!(plain != ann && ann != bob);
        assert_eq!(ann.authorization.as_ref().unwrap().expose(), "Basic YW5uOmE6Yg==");
        assert!(!format!("{ann} {ann:?}").contains("YW5u"));
        assert_eq!(plain.clone().with_basic("a:b", ""), Err(NoCredentials::Colon));
        let long = "x".repeat(CREDENTIALS_BYTES_MAX);
        assert_eq!(plain.with_basic("a", &long), Err(NoCredentials::TooLong));
    }
}
