//! Tokens that are encrypted (RFC 7516, in five parts): a signed token stands in them, which is
//! verified like any other.
//!
//! What a key can open is settled by its kind and its length, and the header only chooses among
//! that: RSA takes OAEP alone (PKCS #1 v1.5 tells attackers too much), a secret wraps keys
//! (RFC 3394) or is the key. Nothing is decompressed. Everything that goes wrong once the header is
//! read is one refusal, and a wrapped key that does not come out is replaced by a random one, so
//! that neither an answer nor its time says what was wrong (RFC 7516, section 11.5).

use std::fmt;

use openssl::aes::{AesKey, unwrap_key};
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{Id, PKey, Private};
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::sign::Signer;
use openssl::symm::{Cipher, decrypt, decrypt_aead};

use super::algorithm::Hash;
use super::json;
use super::key::{RSA_BITS_MIN, SecretBytes};
use super::parts::{decoded, text_of, without_application};
use super::{HEADER_BYTES_MAX, KEY_ID_BYTES_MAX, Malformed, Refusal, TOKEN_BYTES_MAX};
use crate::digest::whole_digest;
use crate::secret::Secret;

/// With how many keys one token is tried: to open with RSA costs a hundred times what a signature does.
pub const OPENING_KEYS_MAX: usize = 4;
/// How many bits an RSA key that opens tokens has at most, for the same reason.
pub const OPENING_RSA_BITS_MAX: i32 = 4_096;
/// How many bytes the initialization vector of GCM has (RFC 7518, section 5.3).
const GCM_IV_BYTES: usize = 12;
/// How many bytes a block of AES has; also the vector of CBC and the tag of GCM.
const BLOCK_BYTES: usize = 16;
/// By how much a wrapped key is longer than the key (RFC 3394).
const WRAP_BYTES: usize = 8;

/// A key that opens tokens.
#[derive(Clone)]
pub struct OpeningKey {
    id: Option<Box<str>>,
    material: Material,
    /// The same for the same material.
    fingerprint: [u8; 32],
}

#[derive(Clone)]
enum Material {
    Rsa(PKey<Private>),
    Secret(SecretBytes),
}

/// Why something cannot open tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// RSA with too few or too many bits.
    #[error(
        "an RSA key that decrypts tokens has {RSA_BITS_MIN} to {OPENING_RSA_BITS_MAX} bits, not {0}"
    )]
    RsaBits(i32),
    /// A secret that no algorithm takes.
    #[error("a secret that decrypts tokens has 16, 24, 32, 48 or 64 bytes, not {0}")]
    SecretBytes(usize),
    /// Another kind of key.
    #[error("only RSA keys and secrets decrypt tokens")]
    Kind,
}

/// How the key of the content comes (`alg`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wrapping {
    /// The key is known to both sides.
    Direct,
    /// Wrapped by a secret of so many bytes.
    Wrapped(usize),
    /// Encrypted for an RSA key.
    Oaep(Oaep),
}

/// The hash of OAEP, and of what it masks with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Oaep {
    Sha1,
    Sha256,
}

/// How the content is encrypted (`enc`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    /// AES in CBC, and HMAC over it.
    Cbc(Hash),
    /// AES in GCM, with a key of so many bytes.
    Gcm(usize),
}

/// An encrypted token in its parts, decoded; nothing of it is believed yet.
struct Sealed<'t> {
    /// The header as it came: what is authenticated besides the content.
    header: &'t str,
    wrapping: Wrapping,
    content: Content,
    key_id: Option<String>,
    /// The key of the content, wrapped; empty if it comes another way.
    key: Vec<u8>,
    vector: Vec<u8>,
    text: Vec<u8>,
    tag: Vec<u8>,
}

/// The token that stands in the encrypted token `text`; none if `text` is not encrypted.
pub fn opened(text: &str, keys: &[OpeningKey]) -> Result<Option<Secret>, Refusal> {
    if text.matches('.').count() != 4 {
        return Ok(None);
    }
    let sealed = Sealed::read(text)?;
    let mut found = None;
    for key in sealed.candidates(keys) {
        let content_key = sealed.unwrap(key).map_err(|_refused| Refusal::Decryption)?;
        found = found.or(sealed.open(&content_key.0));
    }
    let inner = String::from_utf8(found.ok_or(Refusal::Decryption)?);
    inner.map(Secret::new).map(Some).map_err(|_other| Refusal::Decryption)
}

impl<'t> Sealed<'t> {
    fn read(text: &'t str) -> Result<Self, Refusal> {
        if TOKEN_BYTES_MAX < text.len() {
            return Err(Malformed::TooLarge.into());
        }
        let mut parts = text.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let [header, key, vector, content, tag] = [next(), next(), next(), next(), next()];
        let bytes = decoded(header)?;
        if HEADER_BYTES_MAX < bytes.len() {
            return Err(Malformed::Header("too large").into());
        }
        let members = json::object(&bytes)?;
        let text = |name: &'static str| text_of(&members, name);
        if members.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        if members.contains_key("zip") {
            return Err(Malformed::Header("zip").into());
        }
        if text("cty")?.is_some_and(|content| without_application(&content) != "jwt") {
            return Err(Malformed::Header("cty").into());
        }
        let key_id = text("kid")?;
        if key_id.as_ref().is_some_and(|id| KEY_ID_BYTES_MAX < id.len()) {
            return Err(Malformed::Header("kid").into());
        }
        let wrapping = text("alg")?.as_deref().and_then(Wrapping::of).ok_or(Refusal::Decryption)?;
        let encryption =
            text("enc")?.as_deref().and_then(Content::of).ok_or(Refusal::Decryption)?;
        Ok(Self {
            header,
            wrapping,
            content: encryption,
            key_id,
            key: decoded(key)?,
            vector: decoded(vector)?,
            text: decoded(content)?,
            tag: decoded(tag)?,
        })
    }

    /// The keys that it may be for: those of the id that it names, else those without any; all, if
    /// it names none.
    fn candidates<'k>(&self, keys: &'k [OpeningKey]) -> Vec<&'k OpeningKey> {
        let id = self.key_id.as_deref();
        let is_known = id.is_some() && keys.iter().any(|key| key.id.as_deref() == id);
        let may = |key: &&OpeningKey| match (id, is_known) {
            (None, _) => true,
            (Some(_), true) => key.id.as_deref() == id,
            (Some(_), false) => key.id.is_none(),
        };
        let fits = |key: &&OpeningKey| key.fits(self.wrapping, self.content);
        keys.iter().filter(may).filter(fits).take(OPENING_KEYS_MAX).collect()
    }

    /// The key of the content; a random one where `key` does not give it.
    fn unwrap(&self, key: &OpeningKey) -> Result<SecretBytes, ErrorStack> {
        let mut other = vec![0; self.content.key_bytes()];
        rand_bytes(&mut other)?;
        let other = SecretBytes(other.into());
        Ok(self.given(key).unwrap_or(other))
    }

    /// The key of the content that `key` gives.
    fn given(&self, key: &OpeningKey) -> Option<SecretBytes> {
        let bytes = self.content.key_bytes();
        match (self.wrapping, &key.material) {
            (Wrapping::Direct, Material::Secret(secret)) => {
                self.key.is_empty().then(|| secret.clone())
            }
            (Wrapping::Wrapped(_), Material::Secret(secret)) => {
                // The library asks that the lengths fit.
                if self.key.len() != bytes.checked_add(WRAP_BYTES)? {
                    return None;
                }
                let mut out = SecretBytes(vec![0; bytes].into());
                let secret = AesKey::new_decrypt(&secret.0).ok()?;
                let written = unwrap_key(&secret, None, &mut out.0, &self.key).ok()?;
                (written == bytes).then_some(out)
            }
            (Wrapping::Oaep(hash), Material::Rsa(key)) => {
                let out = hash.decrypt(key, &self.key).ok()?;
                (out.0.len() == bytes).then_some(out)
            }
            (Wrapping::Direct | Wrapping::Wrapped(_), Material::Rsa(_))
            | (Wrapping::Oaep(_), Material::Secret(_)) => None,
        }
    }

    /// The content, if it was made with `key`.
    fn open(&self, key: &[u8]) -> Option<Vec<u8>> {
        if key.len() != self.content.key_bytes() {
            return None;
        }
        match self.content {
            Content::Gcm(_) => self.open_gcm(key),
            Content::Cbc(hash) => self.open_cbc(key, hash),
        }
    }

    fn open_gcm(&self, key: &[u8]) -> Option<Vec<u8>> {
        if self.vector.len() != GCM_IV_BYTES || self.tag.len() != BLOCK_BYTES {
            return None;
        }
        let cipher = match key.len() {
            16 => Cipher::aes_128_gcm(),
            24 => Cipher::aes_192_gcm(),
            _ => Cipher::aes_256_gcm(),
        };
        let header = self.header.as_bytes();
        decrypt_aead(cipher, key, Some(&self.vector), header, &self.text, &self.tag).ok()
    }

    /// RFC 7518, section 5.2.2.2: the first half of the key authenticates, the second decrypts.
    fn open_cbc(&self, key: &[u8], hash: Hash) -> Option<Vec<u8>> {
        let (authenticates, decrypts) = key.split_at_checked(hash.bytes() / 2)?;
        if self.vector.len() != BLOCK_BYTES || self.tag.len() != authenticates.len() {
            return None;
        }
        let right =
            cbc_tag(authenticates, hash, [self.header.as_bytes(), &self.vector, &self.text]);
        if !memcmp::eq(right.ok()?.get(..self.tag.len())?, &self.tag) {
            return None;
        }
        let cipher = match decrypts.len() {
            16 => Cipher::aes_128_cbc(),
            24 => Cipher::aes_192_cbc(),
            _ => Cipher::aes_256_cbc(),
        };
        decrypt(cipher, decrypts, Some(&self.vector), &self.text).ok()
    }
}

/// The HMAC over the header, the vector and the content, of which the tag is the first half.
fn cbc_tag(key: &[u8], hash: Hash, parts: [&[u8]; 3]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(hash.digest(), &key)?;
    for part in parts {
        signer.update(part)?;
    }
    let [header, ..] = parts;
    let bits = u64::try_from(header.len()).unwrap_or(u64::MAX).saturating_mul(8);
    signer.update(&bits.to_be_bytes())?;
    signer.sign_to_vec()
}

impl Wrapping {
    /// The one of a name, to the letter (RFC 7518, section 4.1), of those that are taken.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "dir" => Self::Direct,
            "A128KW" => Self::Wrapped(16),
            "A192KW" => Self::Wrapped(24),
            "A256KW" => Self::Wrapped(32),
            "RSA-OAEP" => Self::Oaep(Oaep::Sha1),
            "RSA-OAEP-256" => Self::Oaep(Oaep::Sha256),
            _ => return None,
        })
    }
}

impl Oaep {
    fn decrypt(self, key: &PKey<Private>, text: &[u8]) -> Result<SecretBytes, ErrorStack> {
        let digest = match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
        };
        let mut decrypter = Decrypter::new(key)?;
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
        decrypter.set_rsa_oaep_md(digest)?;
        decrypter.set_rsa_mgf1_md(digest)?;
        let mut out = SecretBytes(vec![0; decrypter.decrypt_len(text)?].into());
        let written = decrypter.decrypt(text, &mut out.0)?;
        Ok(SecretBytes(out.0.get(..written).unwrap_or_default().into()))
    }
}

impl Content {
    /// The one of a name, to the letter (RFC 7518, section 5.1).
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "A128CBC-HS256" => Self::Cbc(Hash::Sha256),
            "A192CBC-HS384" => Self::Cbc(Hash::Sha384),
            "A256CBC-HS512" => Self::Cbc(Hash::Sha512),
            "A128GCM" => Self::Gcm(16),
            "A192GCM" => Self::Gcm(24),
            "A256GCM" => Self::Gcm(32),
            _ => return None,
        })
    }

    /// How many bytes its key has.
    const fn key_bytes(self) -> usize {
        match self {
            // One half for HMAC, the other for AES.
            Self::Cbc(hash) => hash.bytes(),
            Self::Gcm(bytes) => bytes,
        }
    }
}

impl OpeningKey {
    /// A private RSA key, such as that of a certificate.
    pub fn rsa(key: &PKey<Private>) -> Result<Self, Unfit> {
        if key.id() != Id::RSA {
            return Err(Unfit::Kind);
        }
        let bits = key.rsa().map_or(0, |rsa| rsa.n().num_bits());
        if !(RSA_BITS_MIN..=OPENING_RSA_BITS_MAX).contains(&bits) {
            return Err(Unfit::RsaBits(bits));
        }
        let public = key.public_key_to_der().map_err(|_refused| Unfit::Kind)?;
        let fingerprint = whole_digest([b"opens, private".as_slice(), &public]);
        Ok(Self { id: None, material: Material::Rsa(key.clone()), fingerprint })
    }

    /// A secret that both sides know.
    pub fn secret(bytes: &[u8]) -> Result<Self, Unfit> {
        if ![16, 24, 32, 48, 64].contains(&bytes.len()) {
            return Err(Unfit::SecretBytes(bytes.len()));
        }
        let fingerprint = whole_digest([b"opens, secret".as_slice(), bytes]);
        let material = Material::Secret(SecretBytes(bytes.into()));
        Ok(Self { id: None, material, fingerprint })
    }

    /// The same with an id, which tokens name.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        self.id = Some(Box::from(id));
        self
    }

    /// Its id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What is the same for the same key, whatever its id, and differs for others.
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether it can open what is wrapped and encrypted so.
    fn fits(&self, wrapping: Wrapping, content: Content) -> bool {
        match (&self.material, wrapping) {
            (Material::Rsa(_), Wrapping::Oaep(_)) => true,
            (Material::Secret(secret), Wrapping::Direct) => secret.0.len() == content.key_bytes(),
            (Material::Secret(secret), Wrapping::Wrapped(bytes)) => secret.0.len() == bytes,
            (Material::Rsa(_), Wrapping::Direct | Wrapping::Wrapped(_))
            | (Material::Secret(_), Wrapping::Oaep(_)) => false,
        }
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OpeningKey({:?})", self.id)
    }
}

#[cfg(test)]
mod tests;
