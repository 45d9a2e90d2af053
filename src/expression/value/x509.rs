//! Certificates and what belongs to them: `X509Certificate2`, its names, its keys, its extensions.

use std::sync::Arc;

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
    /// `X509Extension`.
    Extension(Arc<Extension>),
    /// `Oid`: an identifier with its dots.
    Oid(Arc<str>),
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
            Self::Extension(_) => "System.Security.Cryptography.X509Certificates.X509Extension",
            Self::Oid(_) => "System.Security.Cryptography.Oid",
        }
    }

    /// What tells it from others of its kind; none for what is only a value.
    pub fn address(&self) -> Option<usize> {
        match self {
            Self::Certificate(certificate)
            | Self::Subject(certificate)
            | Self::Issuer(certificate)
            | Self::PublicKey(certificate) => Some(Arc::as_ptr(certificate).addr()),
            Self::Extension(extension) => Some(Arc::as_ptr(extension).addr()),
            Self::Oid(_) => None,
        }
    }
}
