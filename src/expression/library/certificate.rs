//! What the members of `X509Certificate2` and of its keys do.

use std::sync::Arc;

use bytes::Bytes;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::md::{Md, MdRef};
use openssl::pkey::Id;
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding as Wrapping;
use openssl::sign::RsaPssSaltlen;

use super::crypto;
use crate::certificate::{Certificate, Wrong};
use crate::expression::value::crypto::Algorithm;
use crate::expression::value::moment::DateTime;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::x509::Padding;
use crate::time::Timestamp;

/// `new X509Certificate2(rawData, password)`: PEM, DER or PKCS #12.
pub fn read(bytes: &[u8], password: &str) -> Result<Arc<Certificate>, Thrown> {
    let read = Certificate::read(bytes).or_else(|_other| Certificate::pkcs12(bytes, password));
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

/// Whether the key is one of RSA.
pub fn is_rsa(certificate: &Certificate) -> bool {
    certificate.public_key().is_some_and(|key| key.id() == Id::RSA)
}

/// `SignHash`.
pub fn sign_hash(
    certificate: &Certificate,
    hash: &[u8],
    (algorithm, padding): (Algorithm, Padding),
) -> Result<Bytes, Thrown> {
    let key = certificate.key().ok_or_else(|| refused("The key has no private part."))?;
    let sign = || {
        let mut context = PkeyCtx::new(key)?;
        context.sign_init()?;
        pad(&mut context, algorithm, padding)?;
        let mut signature = Vec::new();
        context.sign_to_vec(hash, &mut signature)?;
        Ok::<_, ErrorStack>(signature)
    };
    fits(hash, algorithm)?;
    sign().map(Bytes::from).map_err(|_| refused("The key cannot sign this."))
}

/// `VerifyHash`.
pub fn verify_hash(
    certificate: &Certificate,
    (hash, signature): (&[u8], &[u8]),
    (algorithm, padding): (Algorithm, Padding),
) -> Result<bool, Thrown> {
    let key = certificate.public_key().ok_or_else(|| refused("The key cannot be used."))?;
    fits(hash, algorithm)?;
    let verify = || {
        let mut context = PkeyCtx::new(&key)?;
        context.verify_init()?;
        pad(&mut context, algorithm, padding)?;
        context.verify(hash, signature)
    };
    Ok(verify().unwrap_or(false))
}

/// `SignData`: the hash of the data is signed.
pub fn sign_data(
    certificate: &Certificate,
    data: &[u8],
    how: (Algorithm, Padding),
) -> Result<Bytes, Thrown> {
    sign_hash(certificate, &crypto::plain(how.0, data)?, how)
}

/// `VerifyData`.
pub fn verify_data(
    certificate: &Certificate,
    (data, signature): (&[u8], &[u8]),
    how: (Algorithm, Padding),
) -> Result<bool, Thrown> {
    verify_hash(certificate, (&crypto::plain(how.0, data)?, signature), how)
}

fn pad<T>(
    context: &mut PkeyCtx<T>,
    algorithm: Algorithm,
    padding: Padding,
) -> Result<(), ErrorStack> {
    match padding {
        Padding::Pkcs1 => context.set_rsa_padding(Wrapping::PKCS1)?,
        Padding::Pss => {
            context.set_rsa_padding(Wrapping::PKCS1_PSS)?;
            context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
    }
    context.set_signature_md(digest(algorithm))
}

fn digest(algorithm: Algorithm) -> &'static MdRef {
    match algorithm {
        Algorithm::Md5 => Md::md5(),
        Algorithm::Sha1 => Md::sha1(),
        Algorithm::Sha256 => Md::sha256(),
        Algorithm::Sha384 => Md::sha384(),
        Algorithm::Sha512 => Md::sha512(),
    }
}

fn fits(hash: &[u8], algorithm: Algorithm) -> Result<(), Thrown> {
    let digest = match algorithm {
        Algorithm::Md5 => MessageDigest::md5(),
        Algorithm::Sha1 => MessageDigest::sha1(),
        Algorithm::Sha256 => MessageDigest::sha256(),
        Algorithm::Sha384 => MessageDigest::sha384(),
        Algorithm::Sha512 => MessageDigest::sha512(),
    };
    if digest.size() == hash.len() {
        return Ok(());
    }
    Err(refused(
        "The provided hash value is not the expected size for the specified hash algorithm.",
    ))
}

fn refused(message: &str) -> Thrown {
    Thrown::new(ExceptionKind::Cryptographic, message)
}
