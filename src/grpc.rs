//! Words of gRPC over HTTP/2: how calls are told from other requests, their statuses, their deadlines.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

/// What became of a call: a number, `0` for all is well.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// What is said to people about that, percent-encoded.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How long the client waits.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// What calls and their answers are made of.
pub const CONTENT: &str = "application/grpc";

/// The longest deadline that is kept; what is written may be eleven thousand years.
pub const DEADLINE_MAX: Duration = Duration::from_hours(30 * 24);
/// The longest message, in bytes before it is encoded.
const MESSAGE_BYTES_MAX: usize = 1024;
/// The most digits that a deadline has.
const DIGITS_MAX: usize = 8;

/// What became of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code(pub u32);

impl Code {
    /// All is well.
    pub const OK: Self = Self(0);
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(2);
    /// What was sent makes no sense.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// It took longer than it might.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// The caller is known, and may not.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// A limit is exhausted.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// There is no such method.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Somebody has a bug.
    pub const INTERNAL: Self = Self(13);
    /// Nobody is there now.
    pub const UNAVAILABLE: Self = Self(14);
    /// The caller is not known.
    pub const UNAUTHENTICATED: Self = Self(16);

    /// What fields say, if they say anything.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let status = fields.get(STATUS)?.to_str().ok()?;
        // What is no number says only that something is wrong.
        Some(status.parse().map_or(Self::UNKNOWN, Self))
    }

    /// What a backend means that answers a call with HTTP alone, as gRPC's own table has it.
    pub const fn of_backend(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// What the gateway means with an answer of its own; `reason` is the stable word of that answer.
    /// It knows more than a status of HTTP says: who is too fast is told so (8) and not to come again
    /// at once (14).
    pub fn of_refusal(status: StatusCode, reason: Option<&str>) -> Self {
        match (reason, status.as_u16()) {
            (Some("backend_timeout"), 500..) | (_, 408 | 504) => Self::DEADLINE_EXCEEDED,
            (Some("backend_connection_failed"), 500..) | (_, 502 | 503) => Self::UNAVAILABLE,
            (_, 400) => Self::INVALID_ARGUMENT,
            (_, 401) => Self::UNAUTHENTICATED,
            (_, 403) => Self::PERMISSION_DENIED,
            (_, 404 | 405 | 501) => Self::UNIMPLEMENTED,
            (_, 413 | 429 | 431) => Self::RESOURCE_EXHAUSTED,
            (_, 500) => Self::INTERNAL,
            _ => Self::UNKNOWN,
        }
    }

    /// Whether a server is to blame for it.
    pub const fn is_server_error(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15)
    }

    /// As a field.
    pub fn value(self) -> HeaderValue {
        HeaderValue::from(self.0)
    }
}

/// Whether fields are those of a call or its answer: `application/grpc`, also with `+proto` and such.
/// gRPC-Web is something else.
pub fn is_call(fields: &HeaderMap) -> bool {
    let Some(kind) = fields.get(CONTENT_TYPE) else { return false };
    let kind = kind.as_bytes();
    let Some((start, rest)) = kind.split_at_checked(CONTENT.len()) else { return false };
    start.eq_ignore_ascii_case(CONTENT.as_bytes())
        && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// A message as a field: everything that is not visible ASCII is percent-encoded.
pub fn message(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if MESSAGE_BYTES_MAX < at {
            break;
        }
        if matches!(character, ' '..='~') && character != '%' {
            encoded.push(character);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(encoded).unwrap_or_else(|_refused| HeaderValue::from_static(""))
}

/// How long the client waits, at most [`DEADLINE_MAX`]; `None` if it does not say, or nothing that
/// can be read.
pub fn timeout(fields: &HeaderMap) -> Option<Duration> {
    let text = fields.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty()
        || DIGITS_MAX < digits.len()
        || !digits.bytes().all(|it| it.is_ascii_digit())
    {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    let span = match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    };
    Some(span.min(DEADLINE_MAX))
}

/// A deadline as a field: in the finest unit that it fits into.
pub fn timeout_value(span: Duration) -> HeaderValue {
    let most = 99_999_999;
    let text = if span.as_micros() <= most {
        format!("{}u", span.as_micros())
    } else if span.as_millis() <= most {
        format!("{}m", span.as_millis())
    } else {
        format!("{}S", span.as_secs())
    };
    HeaderValue::try_from(text).unwrap_or_else(|_refused| HeaderValue::from_static("0u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_call_is_told_by_its_content_type() {
        for (kind, wanted) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC; charset=x", true),
            ("application/grpc-web", false),
            ("application/json", false),
            ("application/grp", false),
        ] {
            assert_eq!(is_call(&fields(CONTENT_TYPE, kind)), wanted, "{kind}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn a_deadline_is_read_and_bounded() {
        let read = |text| timeout(&fields(TIMEOUT, text));
        for (text, wanted) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(DEADLINE_MAX)),
            ("999999999S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
        assert_eq!(timeout_value(Duration::from_millis(1500)), "1500000u");
        assert_eq!(timeout_value(Duration::from_mins(10)), "600000m");
        assert_eq!(timeout_value(DEADLINE_MAX), "2592000S");
    }

    #[test]
    fn a_message_is_a_field_whatever_is_in_it() {
        assert_eq!(message("50% \u{e4}\n"), "50%25 %C3%A4%0A");
        assert!(message(&"x".repeat(9000)).len() <= MESSAGE_BYTES_MAX + 1);
    }

    #[test]
    fn what_the_gateway_answers_has_a_status_of_its_own() {
        let ours =
            |status, reason| Code::of_refusal(StatusCode::from_u16(status).unwrap(), reason).0;
        for (status, reason, wanted) in [
            (401, None, 16),
            (403, None, 7),
            (404, None, 12),
            (429, None, 8),
            (503, None, 14),
            (504, None, 4),
            (500, None, 13),
            (500, Some("backend_timeout"), 4),
            (500, Some("backend_connection_failed"), 14),
            (418, None, 2),
        ] {
            assert_eq!(ours(status, reason), wanted, "{status} {reason:?}");
        }
        assert_eq!(Code::of_backend(StatusCode::TOO_MANY_REQUESTS), Code::UNAVAILABLE);
        assert_eq!(Code::of_backend(StatusCode::IM_A_TEAPOT), Code::UNKNOWN);
    }
}
