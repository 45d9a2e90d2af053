//! `System.Net` and `System.Uri`: escapes, forms, URIs, IP addresses.

use std::net::IpAddr;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{display, sequence};
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::message::text_map;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Value, bounded_string};

pub mod html;
pub mod uri;

/// What `Uri.EscapeDataString` leaves as it is: RFC 3986's unreserved characters.
const DATA: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What `WebUtility.UrlEncode` leaves as it is; a space becomes a plus.
const URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'*')
    .remove(b'(')
    .remove(b')')
    .remove(b' ');

/// `Uri.EscapeDataString(text)`.
pub fn escape_data(text: &str) -> Result<String, Thrown> {
    let escaped = utf8_percent_encode(text, DATA).to_string();
    bounded_string(escaped.len())?;
    Ok(escaped)
}

/// `Uri.UnescapeDataString(text)`.
pub fn unescape_data(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `WebUtility.UrlEncode(text)`.
pub fn url_encode(text: &str) -> Result<String, Thrown> {
    let escaped = utf8_percent_encode(text, URL).to_string().replace(' ', "+");
    bounded_string(escaped.len())?;
    Ok(escaped)
}

/// `WebUtility.UrlDecode(text)`.
pub fn url_decode(text: &str) -> String {
    unescape_data(&text.replace('+', " "))
}

/// The pairs of a query or a form, decoded: `a=1&b=2`, with or without a question mark.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let text = text.strip_prefix('?').unwrap_or(text);
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (url_decode(name), url_decode(value))
    });
    pairs.collect()
}

/// `Body.AsFormUrlEncodedContent()`, and what `Query` is: name to an array of strings.
pub fn form(text: &str) -> Result<Map, Thrown> {
    let pairs = pairs(text);
    text_map(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())), false)
}

/// `dictionary.ToQueryString()`: names to a value or to a list of values.
pub fn to_query(map: &Map) -> Result<String, Thrown> {
    let mut out = String::new();
    for (name, value) in map.snapshot() {
        let values = match &value {
            Value::List(_) | Value::Set(_) => sequence::items(&value)?,
            one => vec![one.clone()],
        };
        for value in values {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&url_encode(&display::text(&name)?)?);
            out.push('=');
            out.push_str(&url_encode(&display::text(&value)?)?);
            bounded_string(out.len())?;
        }
    }
    Ok(out)
}

/// `dictionary.ToFormUrlEncodedContent()`.
pub fn to_form(map: &Map) -> Result<Bytes, Thrown> {
    to_query(map).map(Bytes::from)
}

/// `IPAddress.Parse(text)`.
pub fn ip_address(text: &str) -> Result<IpAddr, Thrown> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.trim()
        .parse()
        .map_err(|_| Thrown::new(ExceptionKind::Format, "An invalid IP address was specified."))
}

/// `address.GetAddressBytes()`.
pub fn address_bytes(address: IpAddr) -> Bytes {
    match address {
        IpAddr::V4(address) => Bytes::copy_from_slice(&address.octets()),
        IpAddr::V6(address) => Bytes::copy_from_slice(&address.octets()),
    }
}

/// `address.AddressFamily`, by name.
pub const fn address_family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "InterNetwork",
        IpAddr::V6(_) => "InterNetworkV6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_dotnet() {
        assert_eq!(escape_data("a b&c/d?é~").unwrap(), "a%20b%26c%2Fd%3F%C3%A9~");
        assert_eq!(unescape_data("a%20b%26+%zz"), "a b&+%zz");
        assert_eq!(url_encode("a b&c/d-_.!*()~'").unwrap(), "a+b%26c%2Fd-_.!*()%7E%27");
        assert_eq!(url_decode("a+b%26"), "a b&");
        assert_eq!(
            html::encode("<a href=\"x\">'é&").unwrap(),
            "&lt;a href=&quot;x&quot;&gt;&#39;&#233;&amp;"
        );
        assert_eq!(html::decode("&lt;&#233;&#x41;&nbsp;&unknown;&"), "<éA\u{a0}&unknown;&");
    }

    #[test]
    fn forms_read_back() {
        let map = form("a=1&b=x+y%26&a=2&c&=d").unwrap();
        assert_eq!(to_query(&map).unwrap(), "a=1&a=2&b=x+y%26&c=&=d");
        assert_eq!(pairs("?q=1").len(), 1);
        let plain = Map::new(false);
        plain.set("k".into(), "v w".into()).unwrap();
        assert_eq!(to_form(&plain).unwrap(), "k=v+w");
    }

    #[test]
    fn addresses_are_read_as_in_dotnet() {
        assert_eq!(ip_address("10.0.0.1").unwrap().to_string(), "10.0.0.1");
        assert_eq!(&address_bytes(ip_address("10.0.0.1").unwrap())[..], [10, 0, 0, 1]);
        assert_eq!(address_bytes(ip_address("::1").unwrap()).len(), 16);
        assert_eq!(ip_address("x").unwrap_err().message, "An invalid IP address was specified.");
        assert_eq!(address_family(ip_address("::1").unwrap()), "InterNetworkV6");
    }

    #[test]
    fn uris_have_the_parts_of_dotnet() {
        let uri = uri::new("HTTPS://user:pw@Example.com:8443/a/./b/../c d?x=1&y=%20#top").unwrap();
        assert_eq!(uri.text(), "https://user:pw@example.com:8443/a/c%20d?x=1&y=%20#top");
        let parts = uri.absolute.unwrap();
        assert_eq!(
            (parts.scheme.as_str(), parts.host.as_str(), parts.port),
            ("https", "example.com", 8443)
        );
        assert_eq!(
            (parts.path.as_str(), parts.query.as_str(), parts.fragment.as_str()),
            ("/a/c%20d", "?x=1&y=%20", "#top")
        );
        assert_eq!(parts.authority(), "example.com:8443");
        assert_eq!(uri::segments(&parts), ["/", "a/", "c%20d"]);
        let rows = [
            ("http://example.com", "http://example.com/", 80),
            ("https://example.com:443/", "https://example.com/", 443),
            ("http://[::1]:8080/x", "http://[::1]:8080/x", 8080),
            ("mailto:a@b.c", "mailto:a@b.c", -1),
            ("urn:a:b", "urn:a:b", -1),
        ];
        for (text, expected, port) in rows {
            let uri = uri::new(text).expect(text);
            assert_eq!(uri.text(), expected);
            assert_eq!(uri.absolute.unwrap().port, port);
        }
        for text in [
            "",
            "relative",
            "/a/b",
            "http:",
            "http://",
            "http://a:99999/",
            "http://a b/",
            "1http://a",
        ] {
            assert!(uri::new(text).is_err(), "{text}");
        }
        assert!(uri::any("/a").unwrap().absolute.is_none());
        let base = uri::new("http://h/a/b?q=1").unwrap();
        let rows = [
            ("c", "http://h/a/c"),
            ("/c", "http://h/c"),
            ("../c", "http://h/c"),
            ("?x", "http://h/a/b?x"),
            ("http://o/", "http://o/"),
            ("//o/p", "http://o/p"),
            ("", "http://h/a/b?q=1"),
        ];
        for (relative, expected) in rows {
            assert_eq!(uri::join(&base, relative).unwrap().text(), expected, "{relative}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}", url in "[a-z:/?#@\\[\\].0-9%]{0,30}") {
            let _ = (uri::new(&text), uri::new(&url), form(&text), html::decode(&text), ip_address(&url));
            assert_eq!(unescape_data(&escape_data(&text).unwrap()), text);
            assert_eq!(url_decode(&url_encode(&text).unwrap()), text);
            assert_eq!(html::decode(&html::encode(&text).unwrap()), text);
        }
    }
}
