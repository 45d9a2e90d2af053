//! Addresses as an `ip-filter` compares them: as numbers, and as one family where they mean the
//! same host.

use std::net::IpAddr;

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};

/// One address; `::ffff:a.b.c.d` is `a.b.c.d`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Address(pub(super) IpAddr);

/// All addresses from one to another, both of them included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: IpAddr,
    to: IpAddr,
}

/// Why two addresses are not the ends of a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum SpanRefused {
    #[error("one end of the range is an IPv4 address and the other an IPv6 address")]
    Families,
    #[error("the range ends before it begins")]
    Order,
}

impl Term for Address {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        // Numbers with leading zeros are refused: some read them as octal, others do not.
        let address = text.trim().parse::<IpAddr>();
        address.map(|address| Self(address.to_canonical())).map_err(|_refused| "an IP address")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Span {
    /// The range from `from` to `to`.
    pub(super) fn new(from: IpAddr, to: IpAddr) -> Result<Self, SpanRefused> {
        if from.is_ipv4() != to.is_ipv4() {
            return Err(SpanRefused::Families);
        }
        if to < from {
            return Err(SpanRefused::Order);
        }
        Ok(Self { from, to })
    }

    /// Whether `address` is in it.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        // Addresses of one family have the order of their numbers, and IPv4 comes before IPv6.
        self.from <= address && address <= self.to
    }
}

/// How to write what `text` was meant to be.
pub(super) fn remedy(text: &str) -> Option<String> {
    if let Some((base, bits)) = text.trim().split_once('/') {
        return Some(match network(base, bits) {
            Some((from, to)) => format!("write <address-range from=\"{from}\" to=\"{to}\" />"),
            None => "write a range as <address-range from=\"…\" to=\"…\" />".to_owned(),
        });
    }
    if text.contains('%') {
        return Some("leave out the zone, from `%` on".to_owned());
    }
    let plain = |part: &str| match part.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    let without_zeros = text.trim().split('.').map(plain).collect::<Vec<_>>().join(".");
    let is_address = without_zeros.parse::<IpAddr>().is_ok();
    is_address.then(|| format!("write {without_zeros}, without leading zeros"))
}

/// The first and the last address of the network `base/bits`.
fn network(base: &str, bits: &str) -> Option<(IpAddr, IpAddr)> {
    let bits: u32 = bits.parse().ok()?;
    match base.parse().ok()? {
        IpAddr::V4(base) => {
            let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
            let from = base.to_bits() & !hosts;
            (bits <= 32).then(|| (IpAddr::V4(from.into()), IpAddr::V4((from | hosts).into())))
        }
        IpAddr::V6(base) => {
            let hosts = u128::MAX.checked_shr(bits).unwrap_or(0);
            let from = base.to_bits() & !hosts;
            (bits <= 128).then(|| (IpAddr::V6(from.into()), IpAddr::V6((from | hosts).into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_forms_are_refused_with_the_right_one() {
        for (text, right) in [
            ("10.0.0.0/8", "write <address-range from=\"10.0.0.0\" to=\"10.255.255.255\" />"),
            ("10.1.2.3/32", "write <address-range from=\"10.1.2.3\" to=\"10.1.2.3\" />"),
            ("2001:db8::/127", "write <address-range from=\"2001:db8::\" to=\"2001:db8::1\" />"),
            ("10.0.0.0/33", "write a range as <address-range from=\"…\" to=\"…\" />"),
            ("010.0.0.1", "write 10.0.0.1, without leading zeros"),
            ("fe80::1%eth0", "leave out the zone, from `%` on"),
        ] {
            assert!(Address::from_literal(text).is_err(), "{text}");
            assert_eq!(remedy(text).as_deref(), Some(right));
        }
        for text in ["", "10.0.0", "0x0a.0.0.1", "167772161", "10.0.0.1:80", "[::1]", "host"] {
            assert!(Address::from_literal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_one_it_stands_for() {
        let mapped = Address::from_literal("::ffff:10.0.0.1").unwrap();
        assert_eq!(mapped, Address::from_literal("10.0.0.1").unwrap());
    }
}
