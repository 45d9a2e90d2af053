//! Credentials: `v1.EXPIRY.API.SIGNATURE`, the last two in Base64, the first in seconds.
//!
//! The signature is HMAC-SHA256 over all that stands before it. It is compared in constant time, and
//! nothing of a credential is believed before that.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a credential is good at most.
pub const LIFE_MAX: Duration = Duration::from_hours(1);

/// How many bytes a key has.
pub const KEY_BYTES: usize = 32;

/// The longest credential that is read.
const TEXT_BYTES_MAX: usize = 2048;

/// What every credential begins with.
const VERSION: &str = "v1";

/// What is signed begins so that no other use of a key ever signs the same.
const PURPOSE: &str = "weir debug credential\n";

/// A key that signs credentials. It does not print.
#[derive(Clone, Eq, PartialEq)]
pub struct Key([u8; KEY_BYTES]);

/// What a credential says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The API whose requests may be seen, in all its revisions.
    pub api: String,
    /// Until when.
    pub until: Timestamp,
}

/// It is no credential that was signed with this key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no credential of this gateway")]
pub struct Unreadable;

/// The library that signs failed, as when there is no memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no credential can be signed")]
pub struct Unsigned;

impl Key {
    /// A key of `bytes`, which the caller took from the system's source of random numbers.
    pub const fn of(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads what [`text`](Self::text) writes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The key as it is kept where replicas agree on it.
    pub fn text(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// The credential that says `claim`; its time is cut to whole seconds.
    pub fn sign(&self, claim: &Claim) -> Result<Secret, Unsigned> {
        let seconds = claim.until.micros() / MICROS;
        let said = format!("{VERSION}.{seconds}.{}", URL_SAFE_NO_PAD.encode(&claim.api));
        let signature = self.signature(&said).map_err(|_no_memory| Unsigned)?;
        Ok(Secret::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    /// What the credential `text` says, if it was signed with this key.
    pub fn read(&self, text: &str) -> Result<Claim, Unreadable> {
        let (said, signature) = text.rsplit_once('.').ok_or(Unreadable)?;
        if TEXT_BYTES_MAX < text.len() {
            return Err(Unreadable);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_other| Unreadable)?;
        let right = self.signature(said).map_err(|_no_memory| Unreadable)?;
        if right.len() != signature.len() || !memcmp::eq(&right, &signature) {
            return Err(Unreadable);
        }
        claim(said).ok_or(Unreadable)
    }

    fn signature(&self, said: &str) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        signer.update(PURPOSE.as_bytes())?;
        signer.update(said.as_bytes())?;
        signer.sign_to_vec()
    }
}

/// What stands before a signature that is right.
fn claim(said: &str) -> Option<Claim> {
    let mut parts = said.split('.');
    let (version, seconds, api) = (parts.next()?, parts.next()?, parts.next()?);
    if version != VERSION || parts.next().is_some() {
        return None;
    }
    let until = Timestamp::from_micros(seconds.parse::<u64>().ok()?.checked_mul(MICROS)?);
    let api = String::from_utf8(URL_SAFE_NO_PAD.decode(api).ok()?).ok()?;
    Some(Claim { api, until })
}

const MICROS: u64 = 1_000_000;

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Key, Claim, Secret) {
        let key = Key::of([1; KEY_BYTES]);
        let until = Timestamp::from_micros(1_700_000_000 * MICROS);
        let claim = Claim { api: "wörd;rev=2".to_owned(), until };
        let token = key.sign(&claim).unwrap();
        (key, claim, token)
    }

    #[test]
    fn what_is_signed_is_read() {
        let (key, claim, token) = signed();
        assert_eq!(key.read(token.expose()), Ok(claim));
        assert_eq!(Key::parse(key.text().expose().as_bytes()), Some(key));
    }

    #[test]
    fn nothing_else_is() {
        let (key, _claim, token) = signed();
        let text = token.expose();
        assert_eq!(Key::of([2; KEY_BYTES]).read(text), Err(Unreadable));
        let later = text.replacen("1700000000", "1800000000", 1);
        let long = format!("{text}.{}", "a".repeat(TEXT_BYTES_MAX));
        let cut = text.rsplit_once('.').unwrap().0;
        for forged in [&later, &long, cut, &format!("{cut}."), "", ".", "v1.1.YQ", "\u{0}"] {
            assert_eq!(key.read(forged), Err(Unreadable), "{forged}");
        }
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            let read = key.read(&forged);
            assert_eq!(read, Err(Unreadable), "{forged}");
        }
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(format!("{:?}", signed().0), "Key");
        assert_eq!(Key::parse(b"abc"), None);
    }
}
