//! Origins as browsers send them (RFC 6454): scheme, host and port.

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// Whom an `origin` allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Allowed {
    /// `*`
    All,
    /// An `origin` without text, as API Management takes it: it allows nobody.
    Nobody,
    One(Origin),
}

/// An origin in its one spelling: lower case, without the scheme's own port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Origin(String);

/// What an origin is, as the end of a sentence.
const EXPECTED: &str = "`*`, `null` or a URL of scheme, host and port only";

/// The same, for those who wrote `https://*.example.com`.
const NO_WILDCARDS: &str = "`*` alone, `null` or a URL of scheme, host and port only: API \
                            Management takes no wildcard inside of a URL either";

impl Origin {
    /// Reads `scheme://host[:port]`, or `null`, which pages without an origin send. A slash at the
    /// end is let pass: people write it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text == "null" {
            return Ok(Self(text.to_owned()));
        }
        let (scheme, authority) = text.split_once("://").ok_or(EXPECTED)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(letter)
        {
            return Err(EXPECTED);
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_port(authority).ok_or(EXPECTED)?;
        let port = match (scheme.as_str(), port) {
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        Ok(Self(format!("{scheme}://{}{port}", host.to_ascii_lowercase())))
    }
}

/// Host and port of `authority`, if it is no more than that.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // Colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|_port: &u16| digits)?))
        }
        _ => (authority, None),
    };
    let is_plain = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_ipv6 = inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    (is_plain(host) || is_ipv6).then_some((host, port))
}

impl Term for Allowed {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "" => Ok(Self::Nobody),
            "*" => Ok(Self::All),
            text if text.contains('*') => Err(NO_WILDCARDS),
            text => Origin::parse(text).map(Self::One),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_origin_are_equal() {
        let same = |left: &str, right: &str| {
            assert_eq!(Origin::parse(left).unwrap(), Origin::parse(right).unwrap());
        };
        same("https://App.Example/", "https://app.example:443");
        same("http://localhost:80", "HTTP://LOCALHOST");
        same("http://[::1]:3000", "http://[::1]:3000/");
        same("null", " null ");
        let of = |text| Origin::parse(text).unwrap();
        assert_ne!(of("https://app.example:80"), of("https://app.example"));
        assert_ne!(of("http://app.example"), of("https://app.example"));
        assert_ne!(of("https://evil-app.example"), of("https://app.example"));
        assert_eq!(of("capacitor://localhost"), of("capacitor://localhost"));
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "app.example",
            "https://",
            "https://*.example",
            "https://app.example/path",
            "https://app.example:0x50",
            "https://app.example:99999",
            "https://user@app.example",
            "https://a, https://b",
            "://app.example",
            "https://[::1",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
    #[test]
    fn an_origin_may_be_left_empty_but_has_no_wildcard_inside() {
        for text in ["", " \n "] {
            assert_eq!(Allowed::from_literal(text), Ok(Allowed::Nobody), "{text:?}");
        }
        assert_eq!(Allowed::from_literal(" * "), Ok(Allowed::All));
        for text in ["https://*.app.example", "*.app.example", "https://*"] {
            assert_eq!(Allowed::from_literal(text), Err(NO_WILDCARDS), "{text}");
        }
    }
}
