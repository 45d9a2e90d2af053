//! Lists of certificates that their issuers took back (RFC 5280 §5). The gateway fetches none: they
//! are given.

use std::fmt;
use std::sync::Arc;

use openssl::x509::{CrlStatus, X509, X509Crl, X509Ref};

use super::{Wrong, has, moment};
use crate::time::Timestamp;

/// The longest list, in bytes.
pub const BYTES_MAX: usize = 8 << 20;

/// What a list in PEM begins with.
const BEGINS: &[u8] = b"-----BEGIN X509 CRL-----";

/// A list of certificates that were taken back.
#[derive(Clone)]
pub struct Revoked {
    list: Arc<X509Crl>,
    issuer: Vec<u8>,
}

/// What a list says of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The list is another issuer's.
    NotAsked,
    /// Nothing against it.
    Good,
    /// It was taken back.
    Revoked,
}

impl Revoked {
    /// Reads PEM or DER.
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        if BYTES_MAX < bytes.len() {
            return Err(Wrong::TooLarge);
        }
        let read = if has(bytes, b"-----BEGIN") { X509Crl::from_pem } else { X509Crl::from_der };
        let list = Arc::new(read(bytes)?);
        let issuer = list.issuer_name().to_der()?;
        Ok(Self { list, issuer })
    }

    /// Reads all lists in PEM, or the one in DER.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, Wrong> {
        if BYTES_MAX < bytes.len() {
            return Err(Wrong::TooLarge);
        }
        let starts: Vec<usize> = bytes
            .windows(BEGINS.len())
            .enumerate()
            .filter_map(|(at, window)| (window == BEGINS).then_some(at))
            .collect();
        if starts.is_empty() {
            return Ok(vec![Self::read(bytes)?]);
        }
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        let lists = starts.iter().zip(ends).filter_map(|(from, to)| bytes.get(*from..to));
        lists.map(Self::read).collect()
    }

    /// When the next one was to come, if it says so.
    pub fn ends(&self) -> Option<Timestamp> {
        self.list.next_update().map(moment)
    }

    /// Whether `issuer` signed it.
    pub fn is_of(&self, issuer: &X509Ref) -> bool {
        let is_named = issuer.subject_name().to_der().is_ok_and(|name| name == self.issuer);
        let key = issuer.public_key().ok().filter(|_key| is_named);
        key.is_some_and(|key| self.list.verify(&key).unwrap_or(false))
    }

    /// What it says of `certificate`, which `issuer` issued.
    pub fn standing(&self, certificate: &X509, issuer: &X509Ref) -> Standing {
        if !self.is_of(issuer) {
            return Standing::NotAsked;
        }
        match self.list.get_by_cert(certificate) {
            CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => Standing::Good,
            CrlStatus::Revoked(_) => Standing::Revoked,
        }
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Revoked").finish_non_exhaustive()
    }
}

impl PartialEq for Revoked {
    fn eq(&self, other: &Self) -> bool {
        match (self.list.to_der(), other.list.to_der()) {
            (Ok(own), Ok(others)) => own == others,
            _ => false,
        }
    }
}

impl Eq for Revoked {}
