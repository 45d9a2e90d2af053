//! `AsJwt` and `AsBasic`: tokens and credentials that are read, not verified.

use std::sync::Arc;

use super::convert::base64;
use super::json;
use super::json::write::Formatting;
use crate::expression::value::Value;
use crate::expression::value::json::{Json, JsonObject};
use crate::expression::value::message::{BasicCredentials, Jwt, text_map};
use crate::expression::value::moment::{
    DateTime, DateTimeKind, TICKS_MAX, TICKS_PER_SECOND, TICKS_UNIX_EPOCH,
};

/// The longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// `text.AsJwt()`: none if it is not a JSON Web Token. It may have `Bearer ` before it.
pub fn jwt(text: &str) -> Option<Jwt> {
    let text = text.trim();
    let text = after_scheme(text, "bearer").unwrap_or(text);
    if text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut parts = text.split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let header = part(header)?;
    let payload = part(payload)?;
    let audiences = match payload.get("aud") {
        Some(Json::Array(array)) => array.items().iter().filter_map(plain).collect(),
        Some(other) => plain(&other).into_iter().collect(),
        None => Vec::new(),
    };
    Some(Jwt {
        id: member(&payload, "jti"),
        algorithm: member(&header, "alg"),
        kind: member(&header, "typ"),
        issuer: member(&payload, "iss"),
        subject: member(&payload, "sub"),
        audiences,
        expires: date(&payload, "exp"),
        not_before: date(&payload, "nbf"),
        issued: date(&payload, "iat"),
        claims: Arc::new(claims(&payload)?),
        text: Arc::from(text),
    })
}

fn part(text: &str) -> Option<JsonObject> {
    let bytes = base64::decode_url(text)?;
    json::read::object(&String::from_utf8(bytes).ok()?).ok()
}

fn member(object: &JsonObject, name: &str) -> Option<Arc<str>> {
    plain(&object.get(name)?)
}

/// A claim's value as a string: strings as they are, all else as JSON.
fn plain(token: &Json) -> Option<Arc<str>> {
    match token {
        Json::Null => None,
        Json::String(text) => Some(Arc::clone(text)),
        Json::Date(moment) => Some(Arc::from(json::write::date_text(*moment))),
        other => json::write::json(other, Formatting::Compact).ok().map(Arc::from),
    }
}

/// Seconds since the Unix epoch as a date.
fn date(object: &JsonObject, name: &str) -> Option<DateTime> {
    let seconds = match object.get(name)? {
        Json::Int(seconds) => seconds,
        Json::Double(seconds) => super::math::to_long(seconds.trunc()).ok()?,
        _ => return None,
    };
    let ticks = seconds.checked_mul(TICKS_PER_SECOND)?.checked_add(TICKS_UNIX_EPOCH)?;
    (0..=TICKS_MAX).contains(&ticks).then_some(DateTime { ticks, kind: DateTimeKind::Utc })
}

fn claims(payload: &JsonObject) -> Option<crate::expression::value::collection::keyed::Map> {
    let mut pairs = Vec::new();
    for (name, member) in payload.members() {
        match &member {
            Json::Array(array) => {
                let values = array.items();
                let values = values.iter().filter_map(plain);
                pairs.extend(values.map(|value| (Arc::clone(&name), value)));
            }
            other => pairs.extend(plain(other).map(|value| (Arc::clone(&name), value))),
        }
    }
    text_map(pairs.iter().map(|(name, value)| (&**name, &**value)), false).ok()
}

/// `text.AsBasic()`: none if it is not `Basic` with credentials.
pub fn basic(text: &str) -> Option<BasicCredentials> {
    let encoded = after_scheme(text.trim(), "basic")?;
    if encoded.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let decoded = String::from_utf8(base64::decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(BasicCredentials { user: Arc::from(user), password: Arc::from(password) })
}

/// What comes after the name of an authentication scheme.
fn after_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (name, rest) = text.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// `jwt.Audiences` as an array.
pub fn audiences(jwt: &Jwt) -> Value {
    Value::array(jwt.audiences.iter().map(|audience| Value::String(Arc::clone(audience))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(header), encode(payload))
    }

    #[test]
    fn a_token_is_read_without_being_verified() {
        let text = token(
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"iss":"me","sub":"you","aud":["a","b"],"exp":1700000000,"nbf":1,"jti":"x","roles":["r1","r2"],"n":5,"ok":true,"o":{"k":1}}"#,
        );
        for text in [text.clone(), format!("Bearer {text}"), format!(" bearer  {text} ")] {
            let jwt = jwt(&text).expect("it is a token");
            assert_eq!(jwt.algorithm.as_deref(), Some("RS256"));
            assert_eq!(jwt.kind.as_deref(), Some("JWT"));
            assert_eq!(
                (jwt.issuer.as_deref(), jwt.subject.as_deref(), jwt.id.as_deref()),
                (Some("me"), Some("you"), Some("x"))
            );
            assert_eq!(jwt.audiences.len(), 2);
            assert_eq!(jwt.expires.unwrap().ticks, 638_355_968_000_000_000);
            assert!(jwt.issued.is_none());
            for (name, expected) in
                [("roles", "r1,r2"), ("n", "5"), ("ok", "true"), ("o", "{\"k\":1}"), ("none", "-")]
            {
                let value = super::super::message::joined(&jwt.claims, name, "-".into()).unwrap();
                assert_eq!(&**value.string().unwrap(), expected, "{name}");
            }
        }
        for text in
            ["", "a.b", "a.b.c", "a.b.c.d", "e30.e30", "e30.W10.x", &format!("{}x", "é".repeat(9))]
        {
            assert!(jwt(text).is_none(), "{text}");
        }
        assert!(jwt(&"a".repeat(TOKEN_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn credentials_are_read() {
        let read = basic("Basic dXNlcjpwOmFzcw==").unwrap();
        assert_eq!((&*read.user, &*read.password), ("user", "p:ass"));
        for text in ["", "Basic", "Basic ***", "Bearer dXNlcjpwYXNz", "Basic dXNlcg=="] {
            assert!(basic(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}", claims in ".{0,30}") {
            let _ = (jwt(&text), basic(&text), jwt(&token("{}", &claims)));
        }
    }
}
