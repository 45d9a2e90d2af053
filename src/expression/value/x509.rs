//! Certificates and what belongs to them: `X509Certificate2`, its names, its keys, its extensions.

use std::sync::Arc;

use super::crypto::Algorithm;
use crate::certificate::Certificate;
use crate::certificate::fields::Extension;

/// A certificate, or something of one. None of them changes.
#[derive(Clone, Debug)]
pub enum X509 {
    /// `X509Certificate2`.
    Certificate(Arc<Certificate>),
    /// `X500DistinguishedName`: whom it is about.
    Subject(Arc<Certificate>),
    /// `X500DistinguishedName`: who issued it.
    Issuer(Arc<Certificate>),
    /// `PublicKey`.
    PublicKey(Arc<Certificate>),
    /// `RSA` of the public key.
    PublicRsa(Arc<Certificate>),
    /// `RSA` of the private key.
    PrivateRsa(Arc<Certificate>),
    /// `X509Extension`.
    Extension(Arc<Extension>),
    /// `Oid`: an identifier with its dots.
    Oid(Arc<str>),
    /// `RSASignaturePadding`.
    Padding(Padding),
    /// `HashAlgorithmName`.
    HashName(Algorithm),
}

/// How a hash becomes a number to sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Padding {
    /// PKCS #1 version 1.5.
    Pkcs1,
    /// PSS, with a salt as long as the hash.
    Pss,
}

impl X509 {
    /// The full .NET name of its class.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Certificate(_) => {
                "System.Security.Cryptography.X509Certificates.X509Certificate2"
            }
            Self::Subject(_) | Self::Issuer(_) => {
                "System.Security.Cryptography.X509Certificates.X500DistinguishedName"
            }
            Self::PublicKey(_) => "System.Security.Cryptography.X509Certificates.PublicKey",
            Self::PublicRsa(_) | Self::PrivateRsa(_) => "System.Security.Cryptography.RSA",
            Self::Extension(_) => "System.Security.Cryptography.X509Certificates.X509Extension",
            Self::Oid(_) => "System.Security.Cryptography.Oid",
            Self::Padding(_) => "System.Security.Cryptography.RSASignaturePadding",
            Self::HashName(_) => "System.Security.Cryptography.HashAlgorithmName",
        }
    }

    /// What tells it from others of its kind; none for what is only a value.
    pub fn address(&self) -> Option<usize> {
        match self {
            Self::Certificate(certificate)
            | Self::Subject(certificate)
            | Self::Issuer(certificate)
            | Self::PublicKey(certificate)
            | Self::PublicRsa(certificate)
            | Self::PrivateRsa(certificate) => Some(Arc::as_ptr(certificate).addr()),
            Self::Extension(extension) => Some(Arc::as_ptr(extension).addr()),
            Self::Oid(_) | Self::Padding(_) | Self::HashName(_) => None,
        }
    }
}
