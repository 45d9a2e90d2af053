//! What the members of `X509Certificate2` and of its keys do.

use std::sync::Arc;

use openssl::pkey::Id;

use crate::certificate::{Certificate, Wrong};
use crate::expression::value::cipher::RsaKey;
use crate::expression::value::moment::DateTime;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::time::Timestamp;

/// `new X509Certificate2(rawData, password)`: PEM, DER, or with a password PKCS #12. Without one the
/// bytes may be a client's, who could make a file of that kind which takes hours to open.
pub fn read(bytes: &[u8], password: &str) -> Result<Arc<Certificate>, Thrown> {
    let mut read = Certificate::read(bytes);
    if read.is_err() && !password.is_empty() {
        read = Certificate::pkcs12(bytes, password);
    }
    read.map(Arc::new).map_err(|wrong| match wrong {
        Wrong::Password => refused("The specified network password is not correct."),
        _ => refused("The certificate data cannot be read."),
    })
}

/// `NotBefore` and `NotAfter`. The gateway's time zone is that of the world.
pub fn moment(at: Timestamp) -> DateTime {
    DateTime::from_unix_micros(at.micros())
}

/// `GetNameInfo(nameType, forIssuer)`: empty where there is none.
pub fn name_info(certificate: &Certificate, kind: i32, is_of_issuer: bool) -> String {
    let name = if is_of_issuer { certificate.issuer() } else { certificate.subject() };
    // Other names of the issuer do not stand in the certificate.
    let none = crate::certificate::fields::Alternatives::default();
    let others = if is_of_issuer { &none } else { certificate.alternatives() };
    let first = |names: &[String]| names.first().cloned();
    let found = match kind {
        0 => name.simple().map(str::to_owned).or_else(|| first(&others.emails)),
        1 => first(&others.emails).or_else(|| name.email().map(str::to_owned)),
        2 => first(&others.principals),
        3 => first(&others.hosts).or_else(|| name.common_name().map(str::to_owned)),
        4 => first(&others.hosts),
        5 => first(&others.urls),
        _ => None,
    };
    found.unwrap_or_default()
}

/// `GetRSAPublicKey()`, if the key is one of RSA.
pub fn public_rsa(certificate: &Certificate) -> Option<RsaKey> {
    certificate.public_key().filter(|key| key.id() == Id::RSA).map(RsaKey::Public)
}

/// `GetRSAPrivateKey()`, if there is one, of RSA.
pub fn private_rsa(certificate: &Certificate) -> Option<RsaKey> {
    certificate.key().filter(|key| key.id() == Id::RSA).cloned().map(RsaKey::Private)
}

fn refused(message: &str) -> Thrown {
    Thrown::new(ExceptionKind::Cryptographic, message)
}
