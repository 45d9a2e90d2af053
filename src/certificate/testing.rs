//! Certificates for tests, made anew each time.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509CrlBuilder, X509Extension, X509Name, X509RevokedBuilder};

/// When all of them become valid: 2026-01-01, in seconds.
pub(crate) const FROM: i64 = 1_767_225_600;
/// When they end: 2036-01-01.
pub(crate) const TO: i64 = 2_082_758_400;

/// An authority.
pub(crate) struct Authority(pub(crate) Made);

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) x509: X509,
    pub(crate) key: PKey<Private>,
}

impl Made {
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.x509.to_pem().unwrap()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }

    /// It, known with its key.
    pub(crate) fn certificate(&self) -> super::Certificate {
        super::Certificate::read(&self.pem()).unwrap().with_key(&self.key_pem(), "").unwrap()
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self(make(name, None, 1, (FROM, TO), curve_key()))
    }

    /// A certificate about `name`, which is a host too.
    pub(crate) fn issue(&self, name: &str) -> Made {
        make(name, Some(&self.0), 0x00ab_cdef, (FROM, TO), curve_key())
    }

    /// The same with an RSA key.
    pub(crate) fn issue_rsa(&self, name: &str) -> Made {
        let key = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
        make(name, Some(&self.0), 0x0081, (FROM, TO), key)
    }

    /// An authority below this one, valid from one second to another.
    pub(crate) fn below(&self, name: &str, valid: (i64, i64)) -> Self {
        let made = make(name, Some(&self.0), 2, valid, curve_key());
        Self(made)
    }

    /// A list that takes `revoked` back, in PEM.
    pub(crate) fn revoke(&self, revoked: &Made) -> Vec<u8> {
        let mut builder = X509CrlBuilder::new().unwrap();
        builder.set_issuer_name(self.0.x509.subject_name()).unwrap();
        builder.set_last_update(&time(FROM)).unwrap();
        builder.set_next_update(&time(TO)).unwrap();
        let mut entry = X509RevokedBuilder::new().unwrap();
        entry.set_serial_number(revoked.x509.serial_number()).unwrap();
        entry.set_revocation_date(&time(FROM)).unwrap();
        builder.add_revoked(entry.build()).unwrap();
        let context = X509::builder().unwrap();
        let context = context.x509v3_context(Some(&self.0.x509), None);
        let mut identifier = AuthorityKeyIdentifier::new();
        builder.append_extension(identifier.keyid(true).build(&context).unwrap()).unwrap();
        builder.append_extension(crl_number()).unwrap();
        builder.sign(&self.0.key, MessageDigest::sha256()).unwrap();
        builder.build().unwrap().to_pem().unwrap()
    }
}

fn crl_number() -> X509Extension {
    let identifier = openssl::asn1::Asn1Object::from_str("2.5.29.20").unwrap();
    let number = openssl::asn1::Asn1OctetString::new_from_bytes(&[2, 1, 1]).unwrap();
    X509Extension::new_from_der(&identifier, false, &number).unwrap()
}

/// PKCS #12 of `made`, with so many iterations for each key.
pub(crate) fn pkcs12(made: &Made, password: &str, iterations: u32) -> Vec<u8> {
    let mut builder = Pkcs12::builder();
    builder.name("a friendly name").pkey(&made.key).cert(&made.x509);
    builder.key_iter(iterations).mac_iter(iterations);
    builder.build2(password).unwrap().to_der().unwrap()
}

fn curve_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn time(seconds: i64) -> Asn1Time {
    Asn1Time::from_unix(seconds).unwrap()
}

fn make(
    name: &str,
    issuer: Option<&Made>,
    serial: u32,
    valid: (i64, i64),
    key: PKey<Private>,
) -> Made {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("O", "Contoso, Ltd").unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issued_by = issuer.map_or(&*subject, |issuer| issuer.x509.subject_name());
    builder.set_issuer_name(issued_by).unwrap();
    builder.set_pubkey(&key).unwrap();
    let set = |at: i64| time(at);
    let (from, to): (&Asn1TimeRef, &Asn1TimeRef) = (&set(valid.0), &set(valid.1));
    builder.set_not_before(from).unwrap();
    builder.set_not_after(to).unwrap();
    if name.contains("ca") {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.x509), None);
    let identifier = SubjectKeyIdentifier::new().build(&context).unwrap();
    let mut names = SubjectAlternativeName::new();
    names.dns(name).email("ops@contoso.example").uri("https://contoso.example/ops");
    let names = names.build(&context).unwrap();
    builder.append_extension(identifier).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    Made { x509: builder.build(), key }
}
