//! The encoding of certificates (X.690, DER), as far as names, alternative names and PKCS #12 need
//! it: definite lengths, in bounds, one value after the other.
//!
//! Everything here has been read by the library before, or is about to be; this reads again what the
//! library does not hand out. Nothing is allocated for what a length claims.

/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;
/// `OCTET STRING`.
pub const OCTETS: u8 = 0x04;
/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BITS: u8 = 0x03;
/// `OBJECT IDENTIFIER`.
pub const IDENTIFIER: u8 = 0x06;
/// `BOOLEAN`.
pub const BOOLEAN: u8 = 0x01;

/// The longest part of an object identifier, in bits, that is written as a number.
const ARC_BITS_MAX: u32 = 56;

/// Values one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// One value.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Its tag; none of ours has a number above 30.
    pub tag: u8,
    /// What is in it.
    pub content: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The values in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What is in the next value, if its tag is `tag`.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        let value = ahead.next().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value.content)
    }

    /// Whether nothing is left, neither a value nor what is none.
    pub const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // Four bytes of a length are as many as anything here may have.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().try_fold(0_usize, |all, byte| {
                    all.checked_mul(256)?.checked_add(usize::from(*byte))
                });
                (length?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Value { tag: *tag, content })
    }
}

/// An object identifier with its dots; empty for what is none.
pub fn dotted(content: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in content {
        if arc.checked_shr(ARC_BITS_MAX).unwrap_or(1) != 0 {
            return String::new();
        }
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if arcs.is_empty() {
            // Two parts share the first number.
            let first = (arc / 40).min(2);
            arcs.extend([first, arc.saturating_sub(first.saturating_mul(40))]);
        } else {
            arcs.push(arc);
        }
        arc = 0;
    }
    let arcs: Vec<String> = arcs.iter().map(u64::to_string).collect();
    arcs.join(".")
}

/// The text of a string of any of the kinds that names have; none for other values.
pub fn text(value: Value<'_>) -> Option<String> {
    let content = value.content;
    match value.tag {
        // UTF8String, and the kinds that are ASCII.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => Some(String::from_utf8_lossy(content).into_owned()),
        // T61String: in practice Latin 1.
        0x14 => Some(content.iter().copied().map(char::from).collect()),
        // BMPString.
        0x1e => {
            let units = content.chunks_exact(2).map(|pair| {
                pair.iter().fold(0_u16, |all, byte| all.wrapping_shl(8) | u16::from(*byte))
            });
            Some(char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect())
        }
        // UniversalString.
        0x1c => {
            let points = content.chunks_exact(4).map(|four| {
                four.iter().fold(0_u32, |all, byte| all.wrapping_shl(8) | u32::from(*byte))
            });
            Some(points.map(|point| char::from_u32(point).unwrap_or('\u{fffd}')).collect())
        }
        _ => None,
    }
}

/// Upper hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // A string takes all.
        let _ = write!(out, "{byte:02X}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_and_what_is_cut_off_is_none() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 5, 4, 0]);
        let inner = reader.expect(SEQUENCE).unwrap();
        assert_eq!(Reader::new(inner).next().unwrap().content, [5]);
        assert!(reader.expect(INTEGER).is_none());
        assert_eq!(reader.expect(OCTETS), Some([].as_slice()));
        assert!(reader.is_at_end());
        let wrong: [&[u8]; 6] = [
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x82, 1],
            &[0x1f, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
        ];
        for wrong in wrong {
            assert!(Reader::new(wrong).next().is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn identifiers_have_their_dots() {
        assert_eq!(dotted(&[0x55, 4, 3]), "2.5.4.3");
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]), "1.2.840.113549.1.9.1");
        assert_eq!(dotted(&[0x88, 0x37, 3]), "2.999.3");
        assert_eq!(dotted(&[0xff; 40]), "");
    }
}
