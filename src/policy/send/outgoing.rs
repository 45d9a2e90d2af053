//! A request to another service, ready to be sent.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::backend::proxy::ForwardProxy;
use crate::backend::{BaseUrl, Tls, UrlRefused};
use crate::exchange::Exchange;
use crate::exchange::choice::Callee;
use crate::exchange::message::{SPOOFABLE, nominated};

/// A request to another service.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Its fields, without those of the connection.
    pub headers: HeaderMap,
    /// Fields whose names are sent as they are written, because upper and lower case say something
    /// to the service.
    pub exact: Vec<(Arc<str>, HeaderValue)>,
    /// Its body; empty for none.
    pub body: Bytes,
    /// How the certificate there is judged, and which one is shown.
    pub tls: Tls,
    /// By way of whom it goes.
    pub proxy: Option<Arc<ForwardProxy>>,
    /// The backend that gets it, if it goes to one.
    pub callee: Option<Callee>,
    /// How long all may take, until the last byte of the response.
    pub wait: Duration,
}

/// `http://host/path?query` or `https://…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// Scheme, host and port.
    pub base: BaseUrl,
    /// Path and query, as the request line has them.
    pub target: String,
}

/// Why a text is no URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoUrl {
    /// It does not say where it leads.
    #[error("the URL is relative; a request of a policy needs a whole one")]
    Relative,
    /// Neither `http` nor `https`.
    #[error("the URL must begin with `http://` or `https://`")]
    Scheme,
    /// It carries credentials.
    #[error("the URL carries credentials; use `authentication-basic`")]
    Credentials,
    /// Host or port are wrong.
    #[error(transparent)]
    Refused(UrlRefused),
    /// Too long.
    #[error("the URL has more than {URL_BYTES_MAX} bytes")]
    TooLong,
}

/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 16 << 10;

/// Fields of a client that say something of its connection, or of its body's framing or coding.
const OF_THE_CLIENT: [HeaderName; 13] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

impl Url {
    /// Reads a URL. What cannot stand in one is percent-encoded; a fragment is left out.
    pub fn parse(text: &str) -> Result<Self, NoUrl> {
        let text = text.trim();
        if URL_BYTES_MAX < text.len() {
            return Err(NoUrl::TooLong);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let is_other = text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
            return Err(if is_other { NoUrl::Scheme } else { NoUrl::Relative });
        };
        if !is_scheme(scheme) {
            return Err(NoUrl::Relative);
        }
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(NoUrl::Scheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let base = BaseUrl::parse(&format!("{scheme}://{authority}")).map_err(NoUrl::from)?;
        let tail = tail.split('#').next().unwrap_or_default();
        let slash = if tail.starts_with('/') { "" } else { "/" };
        Ok(Self { base, target: format!("{slash}{}", encoded(tail)) })
    }

    /// The URL of `target` at the host of `base`. What cannot stand in a URL is percent-encoded.
    pub fn of(base: &BaseUrl, target: &str) -> Self {
        let base = BaseUrl { path: String::new(), ..base.clone() };
        Self { base, target: encoded(target) }
    }
}

/// Whether a text is the name of a scheme (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|next| next.is_ascii_alphanumeric() || "+-.".contains(next))
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A string takes all.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The field of subscription keys, unless an API says otherwise.
const KEY_USUAL: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");

/// The fields of the client's request that go along with a copy of it.
pub(super) fn copied_fields(exchange: &Exchange) -> HeaderMap {
    let headers = &exchange.request.headers;
    let mut copied = headers.map().clone();
    // Where no API was found, any key is in the field that is usual.
    let key = exchange.api.as_ref().map_or(Ok(KEY_USUAL), |api| api.key_header.parse());
    let nominated: Vec<HeaderName> = nominated(headers.map()).collect();
    for name in OF_THE_CLIENT.iter().chain(&SPOOFABLE).chain(&nominated).chain(&key.ok()) {
        if !headers.touched().contains(name) {
            copied.remove(name);
        }
    }
    copied
}

impl From<UrlRefused> for NoUrl {
    fn from(refused: UrlRefused) -> Self {
        match refused {
            UrlRefused::Scheme => Self::Scheme,
            UrlRefused::Credentials => Self::Credentials,
            UrlRefused::Host | UrlRefused::Port | UrlRefused::Query | UrlRefused::Path => {
                Self::Refused(refused)
            }
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.base, self.target)
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fields, query and body are full of secrets.
        formatter.debug_struct("Outgoing").field("base", &self.url.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_path_and_query() {
        for (text, shown) in [
            (" https://h.example ", "https://h.example/"),
            ("HTTP://H.example:8080/a/?b=c d&e=é#f", "http://h.example:8080/a/?b=c%20d&e=%C3%A9"),
            ("https://h.example?x={1}", "https://h.example/?x=%7B1%7D"),
            ("https://h.example/a%20b\r\nX: y", "https://h.example/a%20b%0D%0AX:%20y"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn no_target_of_a_policy_ends_the_line_of_a_request() {
        let base = BaseUrl::parse("http://h.example/api").unwrap();
        let url = Url::of(&base, "/api/a b HTTP/1.1\r\nX: y\r\n\r\n?é=%20");
        assert!(url.target.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
        assert_eq!(Url::of(&base, "/api/a?b=%20").to_string(), "http://h.example/api/a?b=%20");
    }

    #[test]
    fn what_is_no_url_of_a_service_is_refused() {
        for (text, refused) in [
            ("/a/b", NoUrl::Relative),
            ("", NoUrl::Relative),
            ("h.example/a", NoUrl::Relative),
            ("ftp://h.example", NoUrl::Scheme),
            ("ws://h.example", NoUrl::Scheme),
            ("file:///etc/passwd", NoUrl::Scheme),
            ("mailto:a@b.example", NoUrl::Scheme),
            ("https://u:p@h.example", NoUrl::Credentials),
            ("https:///a", NoUrl::Refused(UrlRefused::Host)),
            ("https://h.example:0/", NoUrl::Refused(UrlRefused::Port)),
            (&format!("https://h/{}", "x".repeat(URL_BYTES_MAX)), NoUrl::TooLong),
        ] {
            assert_eq!(Url::parse(text), Err(refused), "{text}");
        }
    }
}
