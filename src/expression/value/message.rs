//! What travels: responses, bodies, tokens and credentials.

use std::sync::Arc;

use bytes::Bytes;

use super::Value;
use super::collection::keyed::Map;
use super::moment::DateTime;
use super::thrown::Thrown;

/// `IMessageBody`: bytes that can be read any number of times.
#[derive(Clone, Debug, Default)]
pub struct Body(pub Bytes);

/// `IResponse`: the answer to a call that a policy made.
#[derive(Debug)]
pub struct Response {
    /// `StatusCode`.
    pub status: u16,
    /// `StatusReason`.
    pub reason: Arc<str>,
    /// `Headers`: name, without regard to case, to an array of strings.
    pub headers: Arc<Map>,
    /// `Body`: none if there is none.
    pub body: Option<Body>,
}

/// A JSON Web Token that was read, not verified.
#[derive(Debug, Default)]
pub struct Jwt {
    /// `Id`: claim `jti`.
    pub id: Option<Arc<str>>,
    /// `Algorithm`: header `alg`.
    pub algorithm: Option<Arc<str>>,
    /// `Type`: header `typ`.
    pub kind: Option<Arc<str>>,
    /// `Issuer`: claim `iss`.
    pub issuer: Option<Arc<str>>,
    /// `Subject`: claim `sub`.
    pub subject: Option<Arc<str>>,
    /// `Audiences`: claim `aud`.
    pub audiences: Vec<Arc<str>>,
    /// `ExpirationTime`: claim `exp`.
    pub expires: Option<DateTime>,
    /// `NotBefore`: claim `nbf`.
    pub not_before: Option<DateTime>,
    /// `IssuedAt`: claim `iat`.
    pub issued: Option<DateTime>,
    /// `Claims`: every claim's name to an array of strings.
    pub claims: Arc<Map>,
    /// The token as it was written.
    pub text: Arc<str>,
}

/// `BasicAuthCredentials`.
#[derive(Debug, Eq, PartialEq)]
pub struct BasicCredentials {
    /// `UserId` and `Username`.
    pub user: Arc<str>,
    /// `Password`.
    pub password: Arc<str>,
}

impl Response {
    /// The response with these headers; those of the same name become one entry.
    pub fn new<'a>(
        status: u16,
        reason: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Option<Bytes>,
    ) -> Result<Self, Thrown> {
        let headers = Arc::new(header_map(headers)?);
        Ok(Self { status, reason: Arc::from(reason), headers, body: body.map(Body) })
    }

    /// The headers one by one, as they came.
    pub fn header_lines(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let mut lines = Vec::new();
        for (name, values) in self.headers.snapshot() {
            let (Value::String(name), Value::List(values)) = (name, values) else { continue };
            for value in values.snapshot() {
                if let Value::String(value) = value {
                    lines.push((Arc::clone(&name), value));
                }
            }
        }
        lines
    }
}

/// The dictionary that `Headers` is: name, without regard to case, to an array of strings.
pub fn header_map<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Map, Thrown> {
    text_map(headers, true)
}

/// The dictionary that `Query` is: name to an array of strings.
pub fn text_map<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ignores_case: bool,
) -> Result<Map, Thrown> {
    let map = Map::new(ignores_case);
    for (name, value) in pairs {
        match map.get_text(name) {
            Some(Value::List(values)) => {
                values.change(&[Value::Null], |items| items.push(Value::text(value)))?;
            }
            _ => {
                map.set(Value::text(name), Value::array(vec![Value::text(value)]))?;
            }
        }
    }
    Ok(map)
}
