//! Which host a request is for: the `Host` field or `:authority`, normalised.
//!
//! A name is lower case, has no dot at its end, and keeps nothing of the port: a request to
//! `Shop.Example.:8443` is for `shop.example`. Names are compared as they are written, so an
//! internationalised name is written in its `xn--` form in the configuration too.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Scheme;

/// The longest name, in bytes (RFC 1035 2.3.4, written with dots).
pub const NAME_BYTES_MAX: usize = 253;

/// The longest label of a name, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// A host, and the port where one was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority<'a> {
    /// Name or address: lower case, no trailing dot; an IPv6 address in brackets and in its
    /// shortest form.
    pub name: Cow<'a, str>,
    /// The port, where one was written.
    pub port: Option<u16>,
}

/// Why an authority or a host name is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HostFault {
    /// There is none.
    #[error("the host is empty")]
    Empty,
    /// A byte that may not stand in a host name: white space, `@`, `,`, `/`, `%`, non-ASCII, …
    #[error("the byte at {at} may not stand in a host name")]
    Byte {
        /// Where, in bytes.
        at: usize,
    },
    /// A label is empty or longer than [`LABEL_BYTES_MAX`], or the name than [`NAME_BYTES_MAX`].
    #[error(
        "a host name has labels of 1 to {LABEL_BYTES_MAX} bytes and {NAME_BYTES_MAX} bytes in all"
    )]
    Length,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// An address that is not written as addresses are: `[::1`, `010.0.0.1`, `0x7f.1`.
    #[error("the host looks like an address but is none")]
    Address,
    /// A wildcard elsewhere than as the whole first label of a name.
    #[error("a wildcard is written `*.` and a name of at least two labels")]
    Wildcard,
}

impl HostFault {
    /// A short word for logs and metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Empty => "host_empty",
            Self::Byte { .. } => "host_byte",
            Self::Length => "host_length",
            Self::Port => "host_port",
            Self::Address => "host_address",
            Self::Wildcard => "host_wildcard",
        }
    }
}

impl<'a> Authority<'a> {
    /// Reads a `Host` field or the authority of a URL. Borrows where it is normal already.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HostFault> {
        let is_literal = raw.first() == Some(&b'[');
        let end = if is_literal { b']' } else { b':' };
        let end = raw.iter().position(|byte| *byte == end).unwrap_or(raw.len());
        let (name, rest) = raw.split_at_checked(end).unwrap_or((raw, &[]));
        if is_literal {
            let rest = rest.strip_prefix(b"]").ok_or(HostFault::Address)?;
            return Ok(Self { name: ipv6(name)?, port: port(rest)? });
        }
        Ok(Self { name: host_name(name)?, port: port(rest)? })
    }

    /// The port, also where the scheme implies it.
    pub fn port_or_default(&self, scheme: Scheme) -> u16 {
        self.port.unwrap_or(scheme.default_port())
    }

    /// Whether both name the same host and port for `scheme`.
    pub fn is_same(&self, other: &Authority<'_>, scheme: Scheme) -> bool {
        self.name == other.name && self.port_or_default(scheme) == other.port_or_default(scheme)
    }
}

/// The host names that an API or the gateway is configured with.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// This name.
    Exact(Box<str>),
    /// One label in front of this name: `*.example` takes `a.example`, and neither `example` nor
    /// `a.b.example`, as the wildcard of a certificate does.
    Wildcard(Box<str>),
}

impl Pattern {
    /// Reads `shop.example`, `[::1]` or `*.example.com`; no port.
    pub fn parse(text: &str) -> Result<Self, HostFault> {
        if let Some(name) = text.strip_prefix("*.") {
            let name = host_name(name.as_bytes())?;
            if !name.contains('.') || name.parse::<Ipv4Addr>().is_ok() {
                return Err(HostFault::Wildcard);
            }
            return Ok(Self::Wildcard(name.into()));
        }
        if text.contains('*') {
            return Err(HostFault::Wildcard);
        }
        let authority = Authority::parse(text.as_bytes())?;
        if authority.port.is_some() {
            return Err(HostFault::Port);
        }
        Ok(Self::Exact(authority.name.into()))
    }

    /// Whether it takes `name`, which is normalised.
    pub fn takes(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *name,
            Self::Wildcard(parent) => parent_of(name) == Some(parent),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => formatter.write_str(name),
            Self::Wildcard(parent) => write!(formatter, "*.{parent}"),
        }
    }
}

/// `name` without its first label.
pub(super) fn parent_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

/// What follows the name: nothing, `:`, or `:` and a number (RFC 3986 3.2.3 allows it empty).
fn port(rest: &[u8]) -> Result<Option<u16>, HostFault> {
    if rest.is_empty() || rest == b":" {
        return Ok(None);
    }
    let digits = rest.strip_prefix(b":").ok_or(HostFault::Port)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(HostFault::Port);
    }
    match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
        None | Some(0) => Err(HostFault::Port),
        port => Ok(port),
    }
}

/// The address after the `[` that `literal` begins with. The normal form is always built: these
/// are rare, and comparing costs as much.
fn ipv6(literal: &[u8]) -> Result<Cow<'_, str>, HostFault> {
    let digits = literal.strip_prefix(b"[").and_then(|digits| std::str::from_utf8(digits).ok());
    let address: Option<Ipv6Addr> = digits.and_then(|digits| digits.parse().ok());
    address.map(|address| Cow::Owned(format!("[{address}]"))).ok_or(HostFault::Address)
}

fn host_name(raw: &[u8]) -> Result<Cow<'_, str>, HostFault> {
    let name = raw.strip_suffix(b".").unwrap_or(raw);
    if name.is_empty() {
        return Err(HostFault::Empty);
    }
    let mut has_upper = false;
    let mut label_at = 0;
    for (at, byte) in name.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'A'..=b'Z' => has_upper = true,
            b'.' if at == label_at => return Err(HostFault::Length),
            b'.' => label_at = at + 1,
            _ => return Err(HostFault::Byte { at }),
        }
        if LABEL_BYTES_MAX < (at + 1).saturating_sub(label_at) {
            return Err(HostFault::Length);
        }
    }
    if NAME_BYTES_MAX < name.len() || label_at == name.len() {
        return Err(HostFault::Length);
    }
    let text = std::str::from_utf8(name).map_err(|_| HostFault::Byte { at: 0 })?;
    // A name whose last label is a number is read as an address by many a resolver, and not by
    // all as the same one.
    let last = text.get(label_at..).unwrap_or_default();
    if last.starts_with(|first: char| first.is_ascii_digit())
        && is_number(last)
        && text.parse::<Ipv4Addr>().is_err()
    {
        return Err(HostFault::Address);
    }
    if has_upper { Ok(Cow::Owned(text.to_ascii_lowercase())) } else { Ok(Cow::Borrowed(text)) }
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(raw: &str) -> Result<(String, Option<u16>), HostFault> {
        Authority::parse(raw.as_bytes())
            .map(|authority| (authority.name.into_owned(), authority.port))
    }

    #[test]
    fn a_host_is_normalised() {
        let cases = [
            ("a.example", "a.example", None),
            ("A.EXAMPLE.", "a.example", None),
            ("a.example:80", "a.example", Some(80)),
            ("A.example.:8443", "a.example", Some(8443)),
            ("a.example:", "a.example", None),
            ("localhost", "localhost", None),
            ("my_service", "my_service", None),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("[::1]", "[::1]", None),
            ("[0:0::1]:443", "[::1]", Some(443)),
            ("[2001:DB8::A]", "[2001:db8::a]", None),
        ];
        for (raw, name, port) in cases {
            assert_eq!(parsed(raw), Ok((name.to_owned(), port)), "{raw}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let cases = [
            ("", HostFault::Empty),
            (".", HostFault::Empty),
            (":80", HostFault::Empty),
            (":99999", HostFault::Empty),
            ("a b/c@d", HostFault::Byte { at: 1 }),
            ("u@a.example", HostFault::Byte { at: 1 }),
            ("a.example, b.example", HostFault::Byte { at: 9 }),
            ("a.example,b.example", HostFault::Byte { at: 9 }),
            ("a%2eexample", HostFault::Byte { at: 1 }),
            ("bücher.example", HostFault::Byte { at: 1 }),
            ("a[b", HostFault::Byte { at: 1 }),
            ("a.example:abc", HostFault::Port),
            ("a.example:99999", HostFault::Port),
            ("a.example:0", HostFault::Port),
            ("a.example:80:80", HostFault::Port),
            ("[::1]x", HostFault::Port),
            ("[::1", HostFault::Address),
            ("[fe80::1%25eth0]", HostFault::Address),
            ("[1.2.3.4]", HostFault::Address),
            ("010.0.0.1", HostFault::Address),
            ("127.1", HostFault::Address),
            ("0x7f.1", HostFault::Address),
            ("2130706433", HostFault::Address),
            ("a..b", HostFault::Length),
            ("a..", HostFault::Length),
        ];
        for (raw, fault) in cases {
            assert_eq!(parsed(raw), Err(fault), "{raw}");
        }
        assert_eq!(parsed(&"a".repeat(64)), Err(HostFault::Length));
    }

    #[test]
    fn a_wildcard_takes_one_label() {
        let pattern = Pattern::parse("*.Example.Com").unwrap();
        assert!(pattern.takes("a.example.com"));
        for other in ["example.com", "a.b.example.com", "evil-example.com", "aexample.com"] {
            assert!(!pattern.takes(other), "{other}");
        }
        assert_eq!(pattern.to_string(), "*.example.com");
        for wrong in ["*", "*.", "*.com", "a*.example.com", "a.*.com", "*.10.0.0.1"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Pattern::parse("a.example:80"), Err(HostFault::Port));
    }

    #[test]
    fn the_default_port_need_not_be_written() {
        let with = Authority::parse(b"a.example:443").unwrap();
        let without = Authority::parse(b"A.example").unwrap();
        assert!(with.is_same(&without, Scheme::Https));
        assert!(!with.is_same(&without, Scheme::Http));
    }

    proptest! {
        #[test]
        fn a_normal_host_stays_as_it_is(raw in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(once) = Authority::parse(&raw) {
                let again = Authority::parse(once.name.as_bytes()).unwrap();
                prop_assert_eq!(&again.name, &once.name);
            }
        }

        #[test]
        fn a_likely_host_stays_as_it_is(raw in "\\[?[0-9a-fA-FxX.:]{1,20}\\]?(:[0-9]{0,6})?") {
            if let Ok(once) = Authority::parse(raw.as_bytes()) {
                let again = Authority::parse(once.name.as_bytes()).unwrap();
                prop_assert_eq!(&again.name, &once.name);
            }
        }
    }
}
