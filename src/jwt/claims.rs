//! What a token says.

use std::time::Duration;

use serde_json::Value;

use super::Malformed;
use super::json::Object;
use crate::time::Timestamp;

/// The last second of the year 9999: no token lasts longer, and no clock is later.
const SECONDS_MAX: u64 = 253_402_300_799;

/// What a token says: the claims of RFC 7519 in their types, and all others as they are.
#[derive(Clone, Debug)]
pub struct Claims {
    all: Object,
    expires: Option<Timestamp>,
    begins: Option<Timestamp>,
    issued: Option<Timestamp>,
}

impl Claims {
    /// Reads claims; one of RFC 7519 that is not of its type is refused.
    pub(super) fn read(all: Object) -> Result<Self, Malformed> {
        for name in ["iss", "sub", "jti"] {
            if all.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Malformed::Claim(name));
            }
        }
        let is_audience = |value: &Value| match value {
            Value::String(_) => true,
            Value::Array(items) => items.iter().all(Value::is_string),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        };
        if !all.get("aud").is_none_or(is_audience) {
            return Err(Malformed::Claim("aud"));
        }
        let date = |name: &'static str| {
            let value = all.get(name);
            value.map(|value| moment(value).ok_or(Malformed::Claim(name))).transpose()
        };
        let (expires, begins, issued) = (date("exp")?, date("nbf")?, date("iat")?);
        Ok(Self { all, expires, begins, issued })
    }

    /// `iss`: who made the token.
    pub fn issuer(&self) -> Option<&str> {
        self.all.get("iss")?.as_str()
    }

    /// `sub`: whom it is about.
    pub fn subject(&self) -> Option<&str> {
        self.all.get("sub")?.as_str()
    }

    /// `aud`: for whom it is.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        let items = match self.all.get("aud") {
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => std::slice::from_ref(other),
            None => &[],
        };
        items.iter().filter_map(Value::as_str)
    }

    /// `exp`: from when on it is good for nothing.
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// `nbf`: from when on it is good.
    pub const fn begins(&self) -> Option<Timestamp> {
        self.begins
    }

    /// `iat`: when it was made.
    pub const fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// Any claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.as_str()
    }

    /// Any claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }
}

/// Seconds since the epoch, perhaps with a fraction.
fn moment(value: &Value) -> Option<Timestamp> {
    let Value::Number(number) = value else { return None };
    let span = match number.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(number.as_f64()?).ok()?,
    };
    (span.as_secs() <= SECONDS_MAX).then(|| Timestamp::default() + span)
}
