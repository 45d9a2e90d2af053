//! One slot as bytes: what it says of itself in the clear, and the configuration, sealed.
//!
//! ```text
//! "weir-last-good\n" · version, 1 byte · kind, 1 byte
//! generation: history, u64 LE · number, u64 LE
//! digest of the configuration, 32 bytes · when it was kept, microseconds, u64 LE
//! failures of ten thousand requests, u16 LE
//! salt, 32 bytes · nonce, 12 bytes · mark of the key, 16 bytes
//! length of the owner, u16 LE · owner · length of what is sealed, u64 LE
//! what is sealed · tag of the seal, 16 bytes
//! SHA-256 of everything before, 32 bytes
//! ```
//!
//! Everything up to what is sealed is the associated data of the seal, so that nobody can give one
//! generation's copy another's name. The checksum tells a bad disk from somebody's work, and the
//! mark of the key tells another key from either. Key and mark are made of the secret and the salt.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::rand::rand_bytes;
use openssl::sha::sha256;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use super::Unusable;
use super::key::Key;
use crate::configuration::bundle::Digest;
use crate::configuration::generation::Generation;
use crate::time::Timestamp;

const BEGINNING: &[u8] = b"weir-last-good\n";
const VERSION: u8 = 1;
const DIGEST_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const MARK_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;
/// The longest name of an owner, in bytes.
const OWNER_BYTES_MAX: usize = 4 << 10;
/// The most that a slot has beside its configuration.
pub(super) const OVERHEAD_BYTES_MAX: usize = OWNER_BYTES_MAX + 512;

/// What keys are derived for.
const TO_SEAL: &[u8] = b"weir last good copy, version 1: seal";
const TO_MARK: &[u8] = b"weir last good copy, version 1: mark";

/// What a slot holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A configuration.
    Copy,
    /// Nothing but what it says of itself: which generation is served.
    Mark,
    /// What a control plane has switched off.
    Orders,
}

/// What a slot says of itself.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) owner: Arc<str>,
    pub(super) generation: Generation,
    pub(super) digest: Digest,
    pub(super) kept: Timestamp,
    pub(super) failures: u16,
}

/// A slot that was read and is not damaged.
#[derive(Debug)]
pub(super) struct Sealed<'b> {
    pub(super) header: Header,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    mark: [u8; MARK_BYTES],
    /// Everything before what is sealed.
    clear: &'b [u8],
    payload: &'b [u8],
    tag: &'b [u8],
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Copy => 1,
            Self::Mark => 2,
            Self::Orders => 3,
        }
    }

    const fn numbered(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Copy),
            2 => Some(Self::Mark),
            3 => Some(Self::Orders),
            _ => None,
        }
    }
}

/// A slot with `header` and `payload`, sealed with `key`.
pub(super) fn seal(header: &Header, key: &Key, payload: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    rand_bytes(&mut salt)?;
    rand_bytes(&mut nonce)?;
    let mut bytes = BEGINNING.to_vec();
    bytes.extend([VERSION, header.kind.number()]);
    bytes.extend(header.generation.history.to_le_bytes());
    bytes.extend(header.generation.number.to_le_bytes());
    bytes.extend(header.digest.bytes());
    bytes.extend(header.kept.micros().to_le_bytes());
    bytes.extend(header.failures.to_le_bytes());
    bytes.extend(salt);
    bytes.extend(nonce);
    bytes.extend(key.derive::<MARK_BYTES>(&salt, TO_MARK)?);
    let owner = header.owner.as_bytes();
    let owner = owner.get(..OWNER_BYTES_MAX).unwrap_or(owner);
    bytes.extend(u16::try_from(owner.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(owner);
    bytes.extend(u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    let sealing: [u8; KEY_BYTES] = key.derive(&salt, TO_SEAL)?;
    let mut tag = [0; TAG_BYTES];
    let cipher = Cipher::aes_256_gcm();
    let sealed = encrypt_aead(cipher, &sealing, Some(&nonce), &bytes, payload, &mut tag)?;
    bytes.extend(sealed);
    bytes.extend(tag);
    let checksum = sha256(&bytes);
    bytes.extend(checksum);
    Ok(bytes)
}

impl<'b> Sealed<'b> {
    /// Reads a slot; whether its seal is right is not looked at yet.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, Unusable> {
        let Some(rest) = bytes.strip_prefix(BEGINNING) else { return Err(Unusable::NotOurs) };
        let (body, checksum) =
            bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Unusable::Damaged)?;
        if sha256(body) != *checksum {
            return Err(Unusable::Damaged);
        }
        // A later version may have another layout, but begins and ends like this one.
        if rest.first() != Some(&VERSION) {
            return Err(Unusable::Later);
        }
        Self::lay_out(body).ok_or(Unusable::NotOurs)
    }

    fn lay_out(body: &'b [u8]) -> Option<Self> {
        let mut rest = body.strip_prefix(BEGINNING)?;
        let [_version, kind] = *take::<2>(&mut rest)?;
        let history = u64::from_le_bytes(*take(&mut rest)?);
        let number = u64::from_le_bytes(*take(&mut rest)?);
        let digest = Digest::from_bytes(take::<DIGEST_BYTES>(&mut rest)?)?;
        let kept = Timestamp::from_micros(u64::from_le_bytes(*take(&mut rest)?));
        let failures = u16::from_le_bytes(*take(&mut rest)?);
        let (salt, nonce) = (*take(&mut rest)?, *take(&mut rest)?);
        let mark = *take(&mut rest)?;
        let owner = usize::from(u16::from_le_bytes(*take(&mut rest)?));
        let (owner, mut rest) = rest.split_at_checked(owner)?;
        let length = usize::try_from(u64::from_le_bytes(*take(&mut rest)?)).ok()?;
        let clear = body.get(..body.len().checked_sub(rest.len())?)?;
        let (payload, tag) = rest.split_at_checked(length)?;
        if tag.len() != TAG_BYTES {
            return None;
        }
        let header = Header {
            kind: Kind::numbered(kind)?,
            owner: Arc::from(str::from_utf8(owner).ok()?),
            generation: Generation { history, number },
            digest,
            kept,
            failures,
        };
        Some(Self { header, salt, nonce, mark, clear, payload, tag })
    }

    /// Whether it is sealed with `key`.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        let mark = key.derive::<MARK_BYTES>(&self.salt, TO_MARK);
        mark.is_ok_and(|mark| memcmp::eq(&mark, &self.mark))
    }

    /// What is sealed.
    pub(super) fn open(&self, key: &Key) -> Result<Vec<u8>, Unusable> {
        let sealing = key.derive::<KEY_BYTES>(&self.salt, TO_SEAL);
        let sealing = sealing.map_err(|_stack| Unusable::Forged)?;
        let cipher = Cipher::aes_256_gcm();
        decrypt_aead(cipher, &sealing, Some(&self.nonce), self.clear, self.payload, self.tag)
            .map_err(|_stack| Unusable::Forged)
    }
}

/// The first bytes of `rest`, which goes on after them.
fn take<'b, const BYTES: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; BYTES]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(taken)
}
