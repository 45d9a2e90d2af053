//! Certificates of an authority that only the tests trust, and the client's side of TLS.

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslAcceptor, SslAcceptorBuilder, SslConnector, SslMethod, SslStream, SslVerifyMode,
};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509NameBuilder, X509RevokedBuilder,
};

/// An authority.
#[derive(Clone)]
pub(crate) struct Authority {
    certificate: X509,
    key: PKey<Private>,
    /// What clients show that trust it.
    shown: Option<(X509, PKey<Private>)>,
}

/// A certificate and its key, as PEM.
pub(crate) struct Issued {
    /// The certificate.
    pub(crate) certificate: Vec<u8>,
    /// The key.
    pub(crate) key: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = key();
        // Several may be in one list: those of one name would be taken for each other.
        let mut number = [0_u8; 8];
        openssl::rand::rand_bytes(&mut number).expect("random bytes");
        let name = format!("authority {:x} of the tests", u64::from_ne_bytes(number));
        let mut builder = begin(&name, &key);
        let name = builder_name(&name);
        builder.set_issuer_name(name.as_ref()).expect("a name");
        let constraint = BasicConstraints::new().critical().ca().build().expect("a constraint");
        builder.append_extension(constraint).expect("an extension");
        let context = builder.x509v3_context(None, None);
        let identifier = SubjectKeyIdentifier::new().build(&context).expect("a key");
        builder.append_extension(identifier).expect("an extension");
        builder.sign(&key, MessageDigest::sha256()).expect("a signature");
        Self { certificate: builder.build(), key, shown: None }
    }

    /// The same for clients that show `issued`.
    pub(crate) fn showing(&self, issued: &Issued) -> Self {
        let certificate = X509::from_pem(&issued.certificate).expect("a certificate");
        let key = PKey::private_key_from_pem(&issued.key).expect("a key");
        Self { shown: Some((certificate, key)), ..self.clone() }
    }

    /// A server that is `host`, and turns away who shows no certificate of this authority.
    pub(crate) fn demanding(&self, host: &str) -> SslAcceptor {
        let mut builder = self.server(host);
        builder.cert_store_mut().add_cert(self.certificate.clone()).expect("trust");
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        builder.build()
    }

    /// Its own certificate, as PEM.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.certificate.to_pem().expect("text")
    }

    /// A certificate for `host`.
    pub(crate) fn issue(&self, host: &str) -> Issued {
        self.issue_until(host, 2)
    }

    /// A certificate for `host` that is valid for so many days from now, or ended so many before.
    pub(crate) fn issue_until(&self, host: &str, days: i64) -> Issued {
        let key = key();
        let mut builder = begin(host, &key);
        let (since, until) = (yesterday() - 30 * DAY, yesterday() + (days + 1) * DAY);
        builder.set_not_before(&Asn1Time::from_unix(since).expect("a time")).expect("a time");
        builder.set_not_after(&Asn1Time::from_unix(until).expect("a time")).expect("a time");
        builder.set_issuer_name(self.certificate.subject_name()).expect("a name");
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let names = SubjectAlternativeName::new().dns(host).build(&context).expect("names");
        builder.append_extension(names).expect("an extension");
        builder.sign(&self.key, MessageDigest::sha256()).expect("a signature");
        Issued {
            certificate: builder.build().to_pem().expect("text"),
            key: key.private_key_to_pem_pkcs8().expect("text"),
        }
    }

    /// A list of those of its certificates that are revoked, as PEM.
    pub(crate) fn revoke(&self, revoked: &[&Issued]) -> Vec<u8> {
        let mut builder = X509CrlBuilder::new().expect("a list");
        builder.set_issuer_name(self.certificate.subject_name()).expect("a name");
        let since = Asn1Time::from_unix(yesterday()).expect("a time");
        builder.set_last_update(&since).expect("a time");
        let until = Asn1Time::days_from_now(2).expect("a time");
        builder.set_next_update(&until).expect("a time");
        for issued in revoked {
            let certificate = X509::from_pem(&issued.certificate).expect("a certificate");
            let mut entry = X509RevokedBuilder::new().expect("an entry");
            entry.set_serial_number(certificate.serial_number()).expect("a number");
            entry.set_revocation_date(&since).expect("a time");
            builder.add_revoked(entry.build()).expect("an entry");
        }
        let context = X509::builder().expect("a builder");
        let context = context.x509v3_context(Some(&self.certificate), None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context).expect("a key");
        builder.append_extension(identifier).expect("an extension");
        let number = Asn1Object::from_str("2.5.29.20").expect("the number of a list");
        let one = Asn1OctetString::new_from_bytes(&[2, 1, 1]).expect("a number");
        let number = X509Extension::new_from_der(&number, false, &one).expect("an extension");
        builder.append_extension(number).expect("an extension");
        builder.sign(&self.key, MessageDigest::sha256()).expect("a signature");
        builder.build().expect("a list").to_pem().expect("text")
    }

    /// What a server needs that is `host`.
    pub(crate) fn acceptor(&self, host: &str) -> SslAcceptor {
        self.server(host).build()
    }

    /// The same, to be changed.
    pub(crate) fn server(&self, host: &str) -> SslAcceptorBuilder {
        Self::serving(&self.issue(host))
    }

    /// What a server needs that shows `issued`, to be changed.
    pub(crate) fn serving(issued: &Issued) -> SslAcceptorBuilder {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("TLS");
        let certificate = X509::from_pem(&issued.certificate).expect("a certificate");
        builder.set_certificate(&certificate).expect("a certificate");
        let key = PKey::private_key_from_pem(&issued.key).expect("a key");
        builder.set_private_key(&key).expect("its key");
        builder
    }

    /// What a client needs that trusts the authority and offers `protocols`.
    pub(crate) fn connector(&self, protocols: &[&str]) -> SslConnector {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
        builder.cert_store_mut().add_cert(self.certificate.clone()).expect("trust");
        if let Some((certificate, key)) = &self.shown {
            builder.set_certificate(certificate).expect("a certificate");
            builder.set_private_key(key).expect("its key");
        }
        if !protocols.is_empty() {
            let mut wire = Vec::new();
            for protocol in protocols {
                wire.push(u8::try_from(protocol.len()).expect("short"));
                wire.extend_from_slice(protocol.as_bytes());
            }
            builder.set_alpn_protos(&wire).expect("protocols");
        }
        builder.build()
    }

    /// Connects as `host`; the handshake succeeds only if the certificate is right.
    pub(crate) fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        protocols: &[&str],
    ) -> SslStream<TcpStream> {
        self.connector(protocols).connect(host, tcp).expect("a handshake")
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

/// A day, in seconds.
const DAY: i64 = 86_400;

/// This time a day ago, in seconds since the epoch.
fn yesterday() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("a time") - 86_400
}

fn builder_name(name: &str) -> openssl::x509::X509Name {
    let mut builder = X509NameBuilder::new().expect("a name");
    builder.append_entry_by_nid(Nid::COMMONNAME, name).expect("a name");
    builder.build()
}

fn begin(name: &str, key: &PKey<Private>) -> X509Builder {
    let mut builder = X509::builder().expect("a builder");
    builder.set_version(2).expect("a version");
    let mut serial = [0_u8; 8];
    openssl::rand::rand_bytes(&mut serial).expect("random bytes");
    let serial =
        BigNum::from_slice(&serial).expect("a number").to_asn1_integer().expect("a number");
    builder.set_serial_number(&serial).expect("a serial number");
    builder.set_subject_name(builder_name(name).as_ref()).expect("a name");
    // Also for whose clock is an hour behind.
    let since = Asn1Time::from_unix(yesterday()).expect("a time");
    builder.set_not_before(&since).expect("a time");
    builder.set_not_after(&Asn1Time::days_from_now(2).expect("a time")).expect("a time");
    builder.set_pubkey(key).expect("a key");
    builder
}
