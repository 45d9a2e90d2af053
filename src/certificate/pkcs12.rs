//! PKCS #12 (RFC 7292), opened by the library; what it would take to open it is looked at before.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::der::{INTEGER, OCTETS, Reader, SEQUENCE};
use super::{BYTES_MAX, CHAIN_MAX, Wrong};

/// How many iterations all keys of one file may take to derive: less than a second.
pub(super) const ITERATIONS_MAX: u64 = 1_000_000;
/// The longest octets that are taken for a salt, in bytes: too short for parameters with iterations.
const SALT_BYTES_MAX: usize = 64;
/// How deep values may stand in each other.
const DEPTH_MAX: usize = 24;

/// What was in a file.
pub(super) struct Opened {
    pub(super) leaf: X509,
    pub(super) issuers: Vec<X509>,
    pub(super) key: Option<PKey<Private>>,
}

/// Opens `bytes`.
pub(super) fn open(bytes: &[u8], password: &str) -> Result<Opened, Wrong> {
    if BYTES_MAX < bytes.len() {
        return Err(Wrong::TooLarge);
    }
    if ITERATIONS_MAX < iterations(bytes, 0).ok_or(Wrong::NoPkcs12)? {
        return Err(Wrong::Slow);
    }
    let file = Pkcs12::from_der(bytes).map_err(|_refused| Wrong::NoPkcs12)?;
    let parsed = file.parse2(password).map_err(|refused| {
        let is_outdated =
            refused.errors().iter().any(|error| error.reason() == Some("unsupported"));
        if is_outdated { Wrong::Outdated } else { Wrong::Password }
    })?;
    let leaf = parsed.cert.ok_or(Wrong::NoCertificate)?;
    let issuers: Vec<X509> = parsed.ca.into_iter().flatten().collect();
    if CHAIN_MAX <= issuers.len() {
        return Err(Wrong::TooMany);
    }
    Ok(Opened { leaf, issuers, key: parsed.pkey })
}

/// How many iterations are asked for in `bytes`: wherever a salt stands before a number, the number
/// is one of iterations. `None` if the bytes are no values of definite length.
fn iterations(bytes: &[u8], depth: usize) -> Option<u64> {
    if DEPTH_MAX < depth {
        return None;
    }
    let mut all = 0_u64;
    let mut reader = Reader::new(bytes);
    let mut before = None;
    for value in reader.by_ref() {
        if before == Some(OCTETS) && value.tag == INTEGER {
            all = all.saturating_add(number(value.content));
        }
        // After an algorithm stands what it made, a ciphertext or a digest: bytes of any kind.
        let is_made = before.replace(value.tag) == Some(SEQUENCE);
        let is_constructed = value.tag & 0x20 != 0;
        // Octets in pieces: nobody writes them, and what they hold cannot be seen.
        if value.tag == OCTETS | 0x20 {
            return None;
        }
        let is_wrapped =
            value.tag == OCTETS && !is_made && value.content.first() == Some(&SEQUENCE);
        if is_constructed {
            all = all.saturating_add(iterations(value.content, depth.saturating_add(1))?);
        } else if is_wrapped {
            // A salt may begin like this, too; it is short. Anything else that cannot be read here
            // could be read by the library, which takes more forms.
            let inner = iterations(value.content, depth.saturating_add(1));
            let is_salt = value.content.len() <= SALT_BYTES_MAX;
            all = all.saturating_add(if is_salt { inner.unwrap_or(0) } else { inner? });
        }
    }
    reader.is_at_end().then_some(all)
}

fn number(content: &[u8]) -> u64 {
    content.iter().fold(0_u64, |all, byte| {
        if all.leading_zeros() < 8 { u64::MAX } else { all.wrapping_shl(8) | u64::from(*byte) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::testing::{Authority, pkcs12};

    #[test]
    fn what_would_take_hours_is_not_opened() {
        let made = Authority::new("ca").issue("c");
        let quick = pkcs12(&made, "pw", 2_048);
        assert!((4_096..20_000).contains(&iterations(&quick, 0).unwrap()));
        assert!(open(&quick, "pw").is_ok());
        let slow = pkcs12(&made, "pw", 600_000);
        assert!(matches!(open(&slow, "pw"), Err(Wrong::Slow)));
        assert_eq!(number(&[0xff; 20]), u64::MAX);
        // What the library would read and we do not: octets in pieces, and of no definite length.
        let hidden = [&[0x04, 100, 0x30, 0x80][..], &[0; 98]].concat();
        assert_eq!(iterations(&hidden, 0), None);
        assert_eq!(iterations(&[0x24, 2, 0x04, 0], 0), None);
    }

    #[test]
    fn a_ciphertext_may_begin_like_anything() {
        let looks_wrapped = [&[OCTETS, 100, SEQUENCE, 0x80][..], &[0xff; 98]].concat();
        assert_eq!(iterations(&looks_wrapped, 0), None);
        let algorithm = [SEQUENCE, 0];
        assert_eq!(iterations(&[&algorithm[..], &looks_wrapped].concat(), 0), Some(0));
    }

    #[test]
    fn what_is_none_is_told() {
        let made = Authority::new("ca").issue("c");
        let file = pkcs12(&made, "pw", 2_048);
        assert!(matches!(open(&file, "wrong"), Err(Wrong::Password)));
        assert!(matches!(open(&file[..file.len() - 1], "pw"), Err(Wrong::NoPkcs12)));
        assert!(matches!(open(b"", "pw"), Err(Wrong::NoPkcs12)));
        let deep: Vec<u8> = [0x30, 0x84, 0, 0, 0, 0].repeat(10);
        assert!(matches!(open(&deep, ""), Err(Wrong::NoPkcs12)));
    }
}
