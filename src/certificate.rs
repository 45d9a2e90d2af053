//! Certificates: what they say, as .NET says it; whether they are trusted; and the keys of those
//! that the gateway itself shows.
//!
//! A [`Certificate`] is read once, from PEM, DER or PKCS #12, and never changes. Two are the same if
//! all of their bytes are; the key then is too, because it belongs to the public one in it. Those of
//! a configuration are [`known::Certificates`]; [`trust::Trust`] says of any whether an authority
//! vouches for it. Nothing that prints shows a key.

pub mod der;
pub mod fields;
pub mod known;
pub mod name;
pub mod revocation;
pub mod trust;

mod pkcs12;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private, Public};
use openssl::x509::{X509, X509NameRef, X509Ref};

use crate::digest::whole_digest;
use crate::time::Timestamp;

use fields::{Alternatives, Extension, Fields};
use name::Name;

/// The longest certificate with its issuers and its key, in bytes, however they are encoded.
pub const BYTES_MAX: usize = 256 << 10;
/// The most certificates that one comes with, itself among them.
pub const CHAIN_MAX: usize = 16;

/// A certificate, the issuers that came with it, and perhaps its key.
pub struct Certificate {
    leaf: X509,
    issuers: Vec<X509>,
    key: Option<PKey<Private>>,
    der: Vec<u8>,
    thumbprint: String,
    serial: String,
    subject: Name,
    issuer: Name,
    alternatives: Alternatives,
    extensions: Vec<Extension>,
    signature_algorithm: String,
    key_algorithm: String,
    public_key: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    friendly_name: String,
    digest: [u8; 32],
}

/// Why something is no certificate, or not one that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// Too large.
    #[error("it has more than {BYTES_MAX} bytes")]
    TooLarge,
    /// Too many certificates.
    #[error("there are more than {CHAIN_MAX} certificates in it")]
    TooMany,
    /// No certificate.
    #[error("it holds no certificate")]
    NoCertificate,
    /// No key.
    #[error("it holds no private key")]
    NoKey,
    /// The key cannot be decrypted.
    #[error("the private key cannot be decrypted with the password")]
    KeyPassword,
    /// The key is another certificate's.
    #[error("the key does not belong to the first certificate")]
    OtherKey,
    /// No Base64.
    #[error("it is no Base64")]
    NoBase64,
    /// No PKCS #12, or one in a form that nobody writes any more.
    #[error("it is no PKCS #12")]
    NoPkcs12,
    /// The password does not open it.
    #[error("the password does not open it")]
    Password,
    /// It is encrypted as the library does not decrypt any more.
    #[error("it is encrypted in a way that is no longer safe")]
    Outdated,
    /// Deriving its key would take too long.
    #[error("its key takes more than {} iterations to derive", pkcs12::ITERATIONS_MAX)]
    Slow,
    /// The library refuses it for another reason.
    #[error("it cannot be used")]
    Unusable,
}

impl Wrong {
    /// How to mend it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::TooLarge | Self::TooMany => "keep the certificate and its issuers, nothing else",
            Self::NoCertificate => "it must be PEM: -----BEGIN CERTIFICATE-----",
            Self::NoKey => "it must be PEM: -----BEGIN PRIVATE KEY-----",
            Self::KeyPassword | Self::Password => "correct `password`",
            Self::OtherKey => "put the certificate of the key first",
            Self::NoBase64 => "write the file in Base64: base64 -w0 FILE.pfx",
            Self::NoPkcs12 | Self::Unusable => "make it anew: openssl pkcs12 -export",
            Self::Outdated => {
                "make it anew with AES: openssl pkcs12 -export; -legacy reads this one"
            }
            Self::Slow => "make it anew: openssl pkcs12 -export -iter 100000",
        }
    }
}

impl From<ErrorStack> for Wrong {
    fn from(_refused: ErrorStack) -> Self {
        Self::Unusable
    }
}

impl Certificate {
    /// The certificate `leaf` and its issuers, as TLS or a file had them.
    pub fn of(leaf: X509, issuers: Vec<X509>) -> Result<Self, Wrong> {
        if CHAIN_MAX <= issuers.len() {
            return Err(Wrong::TooMany);
        }
        let der = leaf.to_der()?;
        let fields = Fields::read(&der).ok_or(Wrong::NoCertificate)?;
        let friendly_name = leaf.alias().unwrap_or_default();
        let mut parts = vec![der.clone()];
        for issuer in &issuers {
            parts.push(issuer.to_der()?);
        }
        Ok(Self {
            thumbprint: thumbprint(&der)?,
            serial: der::hex(fields.serial),
            subject: Name::read(fields.subject),
            issuer: Name::read(fields.issuer),
            alternatives: fields.alternatives(),
            not_before: moment(leaf.not_before()),
            not_after: moment(leaf.not_after()),
            friendly_name: String::from_utf8_lossy(friendly_name).into_owned(),
            digest: whole_digest(parts),
            extensions: fields.extensions,
            signature_algorithm: fields.signature,
            public_key: fields.key.1.to_vec(),
            key_algorithm: fields.key.0,
            der,
            leaf,
            issuers,
            key: None,
        })
    }

    /// Reads PEM, with issuers behind the certificate, or one certificate in DER, plain or Base64.
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let mut chain = read_all(bytes)?.into_iter();
        let leaf = chain.next().ok_or(Wrong::NoCertificate)?;
        Self::of(leaf, chain.collect())
    }

    /// Reads PKCS #12.
    pub fn pkcs12(bytes: &[u8], password: &str) -> Result<Self, Wrong> {
        let opened = pkcs12::open(bytes, password)?;
        let certificate = Self::of(opened.leaf, opened.issuers)?;
        match opened.key {
            Some(key) => certificate.holding(key),
            None => Ok(certificate),
        }
    }

    /// Reads PKCS #12 in Base64.
    pub fn pkcs12_base64(text: &str, password: &str) -> Result<Self, Wrong> {
        Self::pkcs12(&base64(text)?, password)
    }

    /// The same with its private key, in PEM; one without a password needs none.
    pub fn with_key(self, pem: &[u8], password: &str) -> Result<Self, Wrong> {
        self.holding(read_key(pem, password)?)
    }

    fn holding(mut self, key: PKey<Private>) -> Result<Self, Wrong> {
        if !self.leaf.public_key()?.public_eq(&key) {
            return Err(Wrong::OtherKey);
        }
        self.key = Some(key);
        Ok(self)
    }

    /// As the library has it.
    pub fn x509(&self) -> &X509Ref {
        &self.leaf
    }

    /// The certificate and the issuers that came with it.
    pub fn chain(&self) -> Vec<X509> {
        std::iter::once(&self.leaf).chain(&self.issuers).cloned().collect()
    }

    /// The issuers that came with it.
    pub fn issuers(&self) -> &[X509] {
        &self.issuers
    }

    /// Its private key, if it is known here.
    pub const fn key(&self) -> Option<&PKey<Private>> {
        self.key.as_ref()
    }

    /// Its public key.
    pub fn public_key(&self) -> Option<PKey<Public>> {
        self.leaf.public_key().ok()
    }

    /// All of it, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-1 of all of it, in upper hexadecimal digits.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The serial number, in upper hexadecimal digits, as many as are encoded.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Whom it is about.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who issued it.
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Other names of whom it is about.
    pub const fn alternatives(&self) -> &Alternatives {
        &self.alternatives
    }

    /// Its extensions.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The identifier of how it is signed.
    pub fn signature_algorithm(&self) -> &str {
        &self.signature_algorithm
    }

    /// The identifier of the kind of its public key.
    pub fn key_algorithm(&self) -> &str {
        &self.key_algorithm
    }

    /// Its public key, encoded as its kind is.
    pub fn public_key_bytes(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether `issuer` signed it.
    pub fn is_issued_by(&self, issuer: &X509Ref) -> bool {
        let name = |name: &X509NameRef| name.to_der().ok();
        let is_named = name(self.leaf.issuer_name()) == name(issuer.subject_name());
        let key = issuer.public_key().ok().filter(|_key| is_named);
        key.is_some_and(|key| self.leaf.verify(&key).unwrap_or(false))
    }

    /// From when on it is valid.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when it is valid.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// What PKCS #12 calls it; empty otherwise.
    pub fn friendly_name(&self) -> &str {
        &self.friendly_name
    }

    /// The version, from 1.
    pub fn version(&self) -> i32 {
        self.leaf.version().saturating_add(1)
    }

    /// What stands for it and its issuers where only sameness counts.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The SHA-1 of a certificate in DER, in upper hexadecimal digits.
fn thumbprint(der: &[u8]) -> Result<String, ErrorStack> {
    Ok(der::hex(&hash(MessageDigest::sha1(), der)?))
}

/// A private key in PEM.
pub fn read_key(pem: &[u8], password: &str) -> Result<PKey<Private>, Wrong> {
    if BYTES_MAX < pem.len() {
        return Err(Wrong::TooLarge);
    }
    // Without a password, be it empty, OpenSSL would ask for one on the terminal.
    match PKey::private_key_from_pem_passphrase(pem, password.as_bytes()) {
        Ok(key) => Ok(key),
        Err(_refused) if has(pem, b"ENCRYPTED") => Err(Wrong::KeyPassword),
        Err(_refused) => Err(Wrong::NoKey),
    }
}

/// All certificates in PEM, or the one in DER, plain or Base64.
pub fn read_all(bytes: &[u8]) -> Result<Vec<X509>, Wrong> {
    if BYTES_MAX < bytes.len() {
        return Err(Wrong::TooLarge);
    }
    if has(bytes, b"-----BEGIN") {
        let chain = X509::stack_from_pem(bytes).map_err(|_refused| Wrong::NoCertificate)?;
        return match chain.len() {
            0 => Err(Wrong::NoCertificate),
            few if few <= CHAIN_MAX => Ok(chain),
            _ => Err(Wrong::TooMany),
        };
    }
    let der = match std::str::from_utf8(bytes).ok().and_then(|text| base64(text).ok()) {
        Some(der) => der,
        None => bytes.to_vec(),
    };
    let one = X509::from_der(&der).map_err(|_refused| Wrong::NoCertificate)?;
    Ok(vec![one])
}

/// The bytes of Base64, whatever the blanks in it.
fn base64(text: &str) -> Result<Vec<u8>, Wrong> {
    if BYTES_MAX < text.len() {
        return Err(Wrong::TooLarge);
    }
    let plain: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    STANDARD.decode(plain).map_err(|_refused| Wrong::NoBase64)
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The time, to the second; what was before 1970 is 1970.
pub fn moment(at: &Asn1TimeRef) -> Timestamp {
    let span = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(at)).ok();
    let seconds = span.map_or(0, |span| {
        i64::from(span.days).saturating_mul(86_400).saturating_add(i64::from(span.secs))
    });
    Timestamp::from_micros(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000))
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.key.is_some() == other.key.is_some()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor what a client says in names.
        let mut shown = formatter.debug_struct("Certificate");
        shown.field("thumbprint", &self.thumbprint).field("has_key", &self.key.is_some());
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
pub mod testing;

#[cfg(test)]
mod tests;
