//! `X509Certificate2`, and what belongs to certificates and their keys.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, constructor, flag, int, method, method_with, ok, property,
};
use crate::certificate::{Certificate, der};
use crate::expression::library::{certificate as library, display};
use crate::expression::value::Value;
use crate::expression::value::cipher::{Rsa, RsaKey};
use crate::expression::value::thrown::Thrown;
use crate::expression::value::x509::X509;

fn of(value: &Value) -> Result<&Arc<Certificate>, Thrown> {
    match value {
        Value::X509(X509::Certificate(certificate)) => Ok(certificate),
        other => Err(other.refused(NAME)),
    }
}

const NAME: &str = "System.Security.Cryptography.X509Certificates.X509Certificate2";

fn own(v: &[Value]) -> Result<&Arc<Certificate>, Thrown> {
    of(at(v, 0))
}

/// Something of the certificate.
fn some(v: &[Value], kind: fn(Arc<Certificate>) -> X509) -> Outcome {
    Ok(Value::X509(kind(Arc::clone(own(v)?))))
}

/// A key, if it is RSA.
fn rsa(key: Option<RsaKey>) -> Value {
    key.map_or(Value::Null, |key| {
        let rsa = Rsa::default();
        rsa.set(key);
        Value::Rsa(Arc::new(rsa))
    })
}

fn date_text(at: crate::time::Timestamp) -> Outcome {
    ok(display::text(&Value::DateTime(library::moment(at)))?)
}

pub(super) const CERTIFICATE: &[Member] = &[
    constructor("byte[] rawData", |v| ok(library::read(&bytes(v, 0)?, "")?)),
    constructor("byte[] rawData, string password", |v| {
        let password = at(v, 1).string_or_null()?.map_or("", |text| &**text);
        ok(library::read(&bytes(v, 0)?, password)?)
    }),
    property("Thumbprint", "string", |v| ok(own(v)?.thumbprint())),
    property("Subject", "string", |v| ok(own(v)?.subject().text())),
    property("Issuer", "string", |v| ok(own(v)?.issuer().text())),
    property("SubjectName", "X500DistinguishedName", |v| some(v, X509::Subject)),
    property("IssuerName", "X500DistinguishedName", |v| some(v, X509::Issuer)),
    property("SerialNumber", "string", |v| ok(own(v)?.serial())),
    property("FriendlyName", "string", |v| ok(own(v)?.friendly_name())),
    property("NotBefore", "DateTime", |v| ok(library::moment(own(v)?.not_before()))),
    property("NotAfter", "DateTime", |v| ok(library::moment(own(v)?.not_after()))),
    property("Version", "int", |v| ok(own(v)?.version())),
    property("HasPrivateKey", "bool", |v| ok(own(v)?.key().is_some())),
    property("RawData", "byte[]", |v| ok(own(v)?.der().to_vec())),
    property("PublicKey", "PublicKey", |v| some(v, X509::PublicKey)),
    property("SignatureAlgorithm", "Oid", |v| ok(oid(own(v)?.signature_algorithm()))),
    property("Extensions", "IEnumerable<X509Extension>", |v| {
        let extensions = own(v)?.extensions().iter();
        let extensions =
            extensions.map(|it| Value::X509(X509::Extension(Arc::new(it.clone())))).collect();
        Ok(Value::sequence(extensions))
    }),
    method("GetCertHash", "", "byte[]", |v| ok(thumbprint_bytes(own(v)?))),
    method("GetCertHashString", "", "string", |v| ok(own(v)?.thumbprint())),
    method("GetSerialNumberString", "", "string", |v| ok(own(v)?.serial())),
    method("GetExpirationDateString", "", "string", |v| date_text(own(v)?.not_after())),
    method("GetEffectiveDateString", "", "string", |v| date_text(own(v)?.not_before())),
    method("GetRawCertData", "", "byte[]", |v| ok(own(v)?.der().to_vec())),
    method("GetRawCertDataString", "", "string", |v| ok(der::hex(own(v)?.der()))),
    method("GetPublicKey", "", "byte[]", |v| ok(own(v)?.public_key_bytes().to_vec())),
    method("GetPublicKeyString", "", "string", |v| ok(der::hex(own(v)?.public_key_bytes()))),
    method("GetKeyAlgorithm", "", "string", |v| ok(own(v)?.key_algorithm())),
    method("GetFormat", "", "string", |_| ok("X509")),
    method("GetNameInfo", "X509NameType nameType, bool forIssuer", "string", |v| {
        ok(library::name_info(own(v)?, int(v, 1)?, flag(v, 2)?))
    }),
    method_with("Verify", "", "bool", |call| {
        let certificate = Arc::clone(of(call.argument(0))?);
        ok(call.scope().vouches(&certificate, true))
    })
    .volatile(),
    method_with("VerifyNoRevocation", "", "bool", |call| {
        let certificate = Arc::clone(of(call.argument(0))?);
        ok(call.scope().vouches(&certificate, false))
    })
    .volatile(),
    method("GetRSAPublicKey", "", "RSA", |v| Ok(rsa(library::public_rsa(own(v)?)))),
    method("GetRSAPrivateKey", "", "RSA", |v| Ok(rsa(library::private_rsa(own(v)?)))),
    property("PrivateKey", "RSA", |v| Ok(rsa(library::private_rsa(own(v)?)))),
    method("Dispose", "", "void", |_| Ok(Value::Null)),
];

fn thumbprint_bytes(certificate: &Certificate) -> Vec<u8> {
    let digits = certificate.thumbprint().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

fn oid(identifier: &str) -> Value {
    Value::X509(X509::Oid(Arc::from(identifier)))
}

fn named(v: &[Value]) -> Result<&crate::certificate::name::Name, Thrown> {
    match at(v, 0) {
        Value::X509(X509::Subject(certificate)) => Ok(certificate.subject()),
        Value::X509(X509::Issuer(certificate)) => Ok(certificate.issuer()),
        other => Err(other.refused("X500DistinguishedName")),
    }
}

pub(super) const NAMES: &[Member] = &[property("Name", "string", |v| ok(named(v)?.text()))];

fn key_of(v: &[Value]) -> Result<&Arc<Certificate>, Thrown> {
    match at(v, 0) {
        Value::X509(X509::PublicKey(certificate)) => Ok(certificate),
        other => Err(other.refused("PublicKey")),
    }
}

fn public_rsa(v: &[Value]) -> Outcome {
    Ok(rsa(library::public_rsa(key_of(v)?)))
}

pub(super) const PUBLIC_KEY: &[Member] = &[
    property("Oid", "Oid", |v| ok(oid(key_of(v)?.key_algorithm()))),
    property("Key", "RSA", public_rsa),
    method("GetRSAPublicKey", "", "RSA", public_rsa),
];

fn extension(v: &[Value]) -> Result<&Arc<crate::certificate::fields::Extension>, Thrown> {
    match at(v, 0) {
        Value::X509(X509::Extension(extension)) => Ok(extension),
        other => Err(other.refused("X509Extension")),
    }
}

pub(super) const EXTENSION: &[Member] = &[
    property("Oid", "Oid", |v| ok(oid(&extension(v)?.identifier))),
    property("Critical", "bool", |v| ok(extension(v)?.is_critical)),
    property("RawData", "byte[]", |v| ok(extension(v)?.content.clone())),
];

/// What .NET calls identifiers that stand in most certificates.
const FRIENDLY: [(&str, &str); 16] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.10045.2.1", "ECC"),
    ("1.2.840.113549.1.1.5", "sha1RSA"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.2.840.113549.1.1.11", "sha256RSA"),
    ("1.2.840.113549.1.1.12", "sha384RSA"),
    ("1.2.840.113549.1.1.13", "sha512RSA"),
    ("1.2.840.10045.4.3.2", "sha256ECDSA"),
    ("1.2.840.10045.4.3.3", "sha384ECDSA"),
    ("1.2.840.10045.4.3.4", "sha512ECDSA"),
    ("2.5.29.14", "Subject Key Identifier"),
    ("2.5.29.15", "Key Usage"),
    ("2.5.29.17", "Subject Alternative Name"),
    ("2.5.29.19", "Basic Constraints"),
    ("2.5.29.35", "Authority Key Identifier"),
    ("2.5.29.37", "Enhanced Key Usage"),
];

fn identifier(v: &[Value]) -> Result<&Arc<str>, Thrown> {
    match at(v, 0) {
        Value::X509(X509::Oid(identifier)) => Ok(identifier),
        other => Err(other.refused("System.Security.Cryptography.Oid")),
    }
}

pub(super) const OID: &[Member] = &[
    property("Value", "string", |v| ok(Arc::clone(identifier(v)?))),
    property("FriendlyName", "string", |v| {
        let wanted = identifier(v)?;
        let known = FRIENDLY.iter().find(|(identifier, _)| **wanted == **identifier);
        Ok(known.map_or(Value::Null, |(_, name)| Value::text(name)))
    }),
];
