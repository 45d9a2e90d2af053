//! The keys that sign tokens.

use std::fmt;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::minute::Minute;
use super::name::GatewayName;
use crate::secret::Secret;

/// How many bytes a signature has: those of SHA-512.
pub const SIGNATURE_BYTES: usize = 64;
/// How many bytes a key has at least.
pub const KEY_BYTES_MIN: usize = 32;
/// How many bytes a key has at most: a block of SHA-512, beyond which it would be hashed first.
pub const KEY_BYTES_MAX: usize = 128;
/// How many bytes a new key should have.
pub const KEY_BYTES_USUAL: usize = 64;
/// How many different bytes there are in a key at least. Of 32 random ones it is fewer with a
/// chance below 2^-50; text that somebody typed again and again, or zeros, have fewer.
const DIFFERENT_BYTES_MIN: usize = 16;

/// What is signed begins so that no other use of a key ever signs the same.
const PURPOSE: &str = "weir gateway token\n";

/// A key: random bytes that do not print and are overwritten when they go.
pub struct Key(Box<[u8]>);

/// Which of the two keys of a gateway. While one signs what is new, tokens of the other are still
/// good: replacing a key then stops no gateway.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Which {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

/// Why bytes cannot be a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Weak {
    /// No Base64.
    #[error("a key is written in Base64, with `=` at its end where that belongs there")]
    NotBase64,
    /// Too few, or too many.
    #[error("a key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// The same few bytes again and again.
    #[error("this key is not random: it has only {0} different bytes")]
    NotRandom(usize),
}

/// The library that signs failed, as when there is no memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no signature can be made")]
pub struct Unsigned;

impl Key {
    /// A key of `bytes`, which the caller took from the system's source of random numbers.
    pub fn of(bytes: &[u8]) -> Result<Self, Weak> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) {
            return Err(Weak::Length(bytes.len()));
        }
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                *seen = true;
            }
        }
        let different = seen.iter().filter(|seen| **seen).count();
        if different < DIFFERENT_BYTES_MIN {
            return Err(Weak::NotRandom(different));
        }
        Ok(Self(bytes.into()))
    }

    /// Reads what [`text`](Self::text) writes.
    pub fn parse(text: &str) -> Result<Self, Weak> {
        let mut bytes = STANDARD.decode(text).map_err(|_other| Weak::NotBase64)?;
        let key = Self::of(&bytes);
        clear(&mut bytes);
        key
    }

    /// The key in Base64.
    pub fn text(&self) -> Secret {
        Secret::new(STANDARD.encode(&self.0))
    }

    /// The signature of a token.
    pub(super) fn sign(
        &self,
        gateway: &GatewayName,
        expiry: Minute,
    ) -> Result<[u8; SIGNATURE_BYTES], Unsigned> {
        sign(&self.0, gateway, expiry)
    }

    /// Whether both are the same.
    pub fn is(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

/// The signature of nobody: for tokens of gateways that there are none of, so that the time of the
/// answer does not say so.
pub(super) fn sign_for_nobody(
    gateway: &GatewayName,
    expiry: Minute,
) -> Result<[u8; SIGNATURE_BYTES], Unsigned> {
    sign(&[0; KEY_BYTES_USUAL], gateway, expiry)
}

fn sign(
    key: &[u8],
    gateway: &GatewayName,
    expiry: Minute,
) -> Result<[u8; SIGNATURE_BYTES], Unsigned> {
    // A name has no line break, so that the parts cannot be cut elsewhere.
    let text = format!("{PURPOSE}{gateway}\n{expiry}");
    hmac(key, text.as_bytes()).ok().and_then(|signature| signature.try_into().ok()).ok_or(Unsigned)
}

fn hmac(key: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    Signer::new(MessageDigest::sha512(), &key)?.sign_oneshot_to_vec(data)
}

/// Whether two texts of bytes are the same; takes as long wherever they differ.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && memcmp::eq(one, other)
}

fn clear(bytes: &mut [u8]) {
    bytes.fill(0);
    // Without this the compiler may see that nobody reads the zeros and leave them out.
    black_box(&*bytes);
}

impl Which {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Primary, Self::Secondary];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// What the word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|which| which.word() == word)
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        clear(&mut self.0);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_rfc_4231() {
        // Its second test case.
        let signature = hmac(b"Jefe", b"what do ya want for nothing?").unwrap();
        let mut digits = String::new();
        for byte in signature {
            write!(digits, "{byte:02x}").unwrap();
        }
        assert_eq!(
            digits,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
    }

    #[test]
    fn a_key_is_long_random_and_does_not_print() {
        let random: Vec<u8> = (0..KEY_BYTES_MAX).map(|n| u8::try_from(n).unwrap()).collect();
        let of = |bytes: &[u8]| Key::of(bytes).map(|_key| ());
        assert_eq!(of(&random[..KEY_BYTES_MIN]), Ok(()));
        assert_eq!(of(&random), Ok(()));
        assert_eq!(of(&random[..31]), Err(Weak::Length(31)));
        assert_eq!(of(&[7; 129]), Err(Weak::Length(129)));
        assert_eq!(of(&[0; 64]), Err(Weak::NotRandom(1)));
        assert_eq!(of(b"changemechangemechangemechangeme"), Err(Weak::NotRandom(7)));
        let key = Key::of(&random).unwrap();
        assert_eq!(format!("{key:?}"), "[secret]");
        assert!(Key::parse(key.text().expose()).unwrap().is(&key));
        assert_eq!(Key::parse("äöü").unwrap_err(), Weak::NotBase64);
        assert_eq!(Key::parse("").unwrap_err(), Weak::Length(0));
    }
}
