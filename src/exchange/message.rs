//! Requests and responses: heads that can be edited, bodies that may still be on the wire.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, ETAG, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::backend::{BaseUrl, Scheme};

/// Fields with which a client could speak for a proxy in front: never passed on as they came.
pub const SPOOFABLE: [HeaderName; 8] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-real-ip"),
];

/// The name as people write it: policies and HTTP/1 clients that compare names letter by letter are
/// wrong, and there are some.
pub fn titled(name: &HeaderName) -> String {
    if name == WWW_AUTHENTICATE {
        return "WWW-Authenticate".to_owned();
    }
    if name == ETAG {
        return "ETag".to_owned();
    }
    capitalized(name).map(char::from).collect()
}

/// The letters of a name, each of its words with a capital first.
pub fn capitalized(name: &HeaderName) -> impl Iterator<Item = u8> {
    let mut starts = true;
    name.as_str().bytes().map(move |letter| {
        let written = if starts { letter.to_ascii_uppercase() } else { letter };
        starts = letter == b'-';
        written
    })
}

/// The fields that a `Connection` field names (RFC 9110 §7.6.1).
pub fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    // These say how long the connection lives, and name no field.
    let lifetime =
        |name: &&str| name.eq_ignore_ascii_case("keep-alive") || name.eq_ignore_ascii_case("close");
    names.filter(move |name| !lifetime(name)).filter_map(|name| name.parse().ok())
}

/// The request as the client made it.
#[derive(Clone, Debug)]
pub struct Original {
    /// The method.
    pub method: Method,
    /// How it came.
    pub scheme: Scheme,
    /// What the `Host` field or `:authority` said, normalised.
    pub host: String,
    /// The port it was meant for.
    pub port: u16,
    /// The canonical path.
    pub path: String,
    /// The query without `?`; empty for none.
    pub query: String,
}

/// The request as the backend will get it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub base: Arc<BaseUrl>,
    /// The path after the base's, with a leading slash or empty.
    pub tail: String,
    /// The query without `?`; empty for none.
    pub query: String,
    /// The fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

/// The response as the client will get it.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The reason phrase where it is not the usual one.
    pub phrase: Option<Arc<str>>,
    /// The fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

/// A body, or where it is.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// It is still on the wire: nobody has asked for it.
    Waiting,
    /// Here it is.
    Bytes(Bytes),
    /// An expression read it without keeping it: nothing is left to send.
    Consumed,
    /// It was passed on while it arrived, or could not be read to its end: what is left of it is
    /// not the message's body, and nothing may be sent as if it were.
    Gone,
}

/// A header section, and what was changed in it.
///
/// Names that were touched are remembered, so that an adapter which holds the message in its own
/// form applies only those.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    map: HeaderMap,
    touched: Vec<HeaderName>,
    own: bool,
    /// Whether fields may be with the adapter that are not in `map`.
    unseen: bool,
}

impl Request {
    /// The whole path: the base's and the tail.
    pub fn path(&self) -> String {
        match (self.base.path.as_str(), self.tail.as_str()) {
            ("", "") => "/".to_owned(),
            ("", tail) => tail.to_owned(),
            (base, tail) => [base, tail].concat(),
        }
    }

    /// Path and query, as the request line has them.
    pub fn target(&self) -> String {
        let mut target = self.path();
        if !self.query.is_empty() {
            target.push('?');
            target.push_str(&self.query);
        }
        target
    }
}

impl Response {
    /// What a backend sent: a body that is `bodiless` has ended with its head. Where policies do
    /// not look at it (`is_looked_at`), its fields are not copied.
    pub fn received(
        status: StatusCode,
        fields: &HeaderMap,
        bodiless: bool,
        is_looked_at: bool,
    ) -> Self {
        let headers =
            if is_looked_at { Headers::received(fields.clone()) } else { Headers::unseen() };
        let body = if bodiless { Body::None } else { Body::Waiting };
        Self { status, phrase: None, headers, body }
    }
}

impl Body {
    /// Whether it has to be fetched before it can be read.
    pub const fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting)
    }

    /// The bytes, where they are here.
    pub const fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::None | Self::Waiting | Self::Consumed | Self::Gone => None,
        }
    }
}

impl Headers {
    /// Fields as they came over the wire: none is touched.
    pub const fn received(map: HeaderMap) -> Self {
        Self { map, touched: Vec::new(), own: false, unseen: false }
    }

    /// Fields of a message that the gateway makes itself.
    pub const fn own(map: HeaderMap) -> Self {
        Self { map, touched: Vec::new(), own: true, unseen: false }
    }

    /// Fields that stay with the adapter: they may be replaced and removed, but nobody is to look
    /// at those that are there.
    pub fn unseen() -> Self {
        Self { map: HeaderMap::new(), touched: Vec::new(), own: false, unseen: true }
    }

    /// Whether the gateway made the message itself: nothing of what came over the wire is in it.
    pub const fn is_own(&self) -> bool {
        self.own
    }

    /// The fields.
    pub const fn map(&self) -> &HeaderMap {
        &self.map
    }

    /// The first value of `name`, if it is text.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        self.map.get(name).and_then(|value| value.to_str().ok())
    }

    /// Replaces every value of `name`.
    pub fn set(&mut self, name: &HeaderName, value: HeaderValue) {
        self.touch(name);
        self.map.insert(name, value);
    }

    /// Adds a value of `name` after those it has.
    pub fn append(&mut self, name: &HeaderName, value: HeaderValue) {
        self.touch(name);
        self.map.append(name, value);
    }

    /// Removes every value of `name`.
    pub fn remove(&mut self, name: &HeaderName) {
        if self.unseen || self.map.contains_key(name) {
            self.touch(name);
            self.map.remove(name);
        }
    }

    /// Sees to it that `name` is not sent, whether the fields are here or still with the adapter.
    pub fn withhold(&mut self, name: &HeaderName) {
        self.touch(name);
        self.map.remove(name);
    }

    /// The names that were set, added to or removed.
    pub fn touched(&self) -> &[HeaderName] {
        &self.touched
    }

    fn touch(&mut self, name: &HeaderName) {
        if !self.touched.contains(name) {
            self.touched.push(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_touched() {
        let mut map = HeaderMap::new();
        map.insert("a", HeaderValue::from_static("1"));
        let mut headers = Headers::received(map);
        headers.remove(&HeaderName::from_static("absent"));
        assert!(headers.touched().is_empty());
        headers.append(&HeaderName::from_static("a"), HeaderValue::from_static("2"));
        headers.set(&HeaderName::from_static("a"), HeaderValue::from_static("3"));
        assert_eq!(headers.touched(), ["a"]);
    }

    #[test]
    fn what_nobody_sees_can_still_be_replaced_and_removed() {
        let mut headers = Headers::unseen();
        headers.set(&HeaderName::from_static("a"), HeaderValue::from_static("1"));
        headers.remove(&HeaderName::from_static("b"));
        assert_eq!(headers.touched(), ["a", "b"]);
        assert_eq!(headers.map().len(), 1);
    }

    #[test]
    fn a_target_joins_base_tail_and_query() {
        let base = Arc::new(BaseUrl::parse("http://b/api/").unwrap());
        let mut request = Request {
            method: Method::GET,
            base,
            tail: "/x".to_owned(),
            query: "a=1".to_owned(),
            headers: Headers::default(),
            body: Body::None,
        };
        assert_eq!(request.target(), "/api/x?a=1");
        request.base = Arc::new(BaseUrl::parse("http://b").unwrap());
        request.tail.clear();
        request.query.clear();
        assert_eq!(request.target(), "/");
    }
}
