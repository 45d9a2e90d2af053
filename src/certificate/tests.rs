//! Certificates: read, told apart, trusted, and kept from printing.

use std::sync::Arc;

use super::known::{Certificates, Named, is_serial};
use super::revocation::Revoked;
use super::testing::{Authority, FROM, Made, TO, pkcs12};
use super::trust::{Authorities, Nobody, Trust, Untrusted};
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(u64::try_from(seconds).unwrap() * 1_000_000)
}

fn authority(made: &Made, revoked: Option<&[u8]>) -> Named {
    Named {
        id: Arc::from("CA-1"),
        certificate: Arc::new(Certificate::read(&made.pem()).unwrap()),
        is_authority: true,
        revoked: revoked.map(|list| Revoked::read(list).unwrap()),
    }
}

fn trust(named: Named) -> Trust {
    Trust::new(&Certificates::new(vec![named]), Arc::new(Nobody))
}

#[test]
fn a_certificate_says_what_dotnet_says() {
    let made = Authority::new("ca").issue("host.example");
    let certificate = made.certificate();
    let thumbprint = der::hex(&made.x509.digest(MessageDigest::sha1()).unwrap());
    assert_eq!(certificate.thumbprint(), thumbprint);
    assert_eq!(certificate.serial(), "00ABCDEF");
    assert_eq!(certificate.subject().text(), "CN=host.example, O=\"Contoso, Ltd\"");
    assert_eq!(certificate.issuer().text(), "CN=ca, O=\"Contoso, Ltd\"");
    assert_eq!((certificate.not_before(), certificate.not_after()), (at(FROM), at(TO)));
    assert_eq!((certificate.version(), certificate.key().is_some()), (3, true));
    let others = certificate.alternatives();
    assert_eq!(
        (&*others.hosts, &*others.emails),
        (["host.example".to_owned()].as_slice(), ["ops@contoso.example".to_owned()].as_slice())
    );
    assert_eq!(certificate.extensions().len(), 2);
    assert!(is_serial("ab:cd:ef", certificate.serial()) && !is_serial("", "00"));
}

#[test]
fn every_form_is_the_same_certificate() {
    let made = Authority::new("ca").issue("c");
    let pem = Certificate::read(&made.pem()).unwrap();
    let der = made.x509.to_der().unwrap();
    let lines = STANDARD.encode(&der).replace('A', "A\n");
    let file = pkcs12(&made, "pw", 2_048);
    let opened = Certificate::pkcs12_base64(&STANDARD.encode(&file), "pw").unwrap();
    assert_eq!(Certificate::read(&der).unwrap(), pem);
    assert_eq!(Certificate::read(lines.as_bytes()).unwrap(), pem);
    assert_eq!(opened, made.certificate());
    assert_eq!(opened.friendly_name(), "a friendly name");
    assert_ne!(opened, pem, "one of them has a key");
}

#[test]
fn what_is_wrong_is_told() {
    let authority = Authority::new("ca");
    let (made, other) = (authority.issue("c"), authority.issue("d"));
    let read = |bytes: &[u8]| Certificate::read(bytes).unwrap_err();
    assert_eq!(read(b""), Wrong::NoCertificate);
    assert_eq!(read(b"-----BEGIN CERTIFICATE-----\nx"), Wrong::NoCertificate);
    assert_eq!(read(&vec![0; BYTES_MAX + 1]), Wrong::TooLarge);
    assert_eq!(read(&made.pem().repeat(CHAIN_MAX + 1)), Wrong::TooMany);
    let with = |pem: &[u8], password: &str| {
        Certificate::read(&made.pem()).unwrap().with_key(pem, password).err()
    };
    assert_eq!(with(&other.key_pem(), ""), Some(Wrong::OtherKey));
    assert_eq!(with(b"x", ""), Some(Wrong::NoKey));
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let locked = made.key.private_key_to_pem_pkcs8_passphrase(cipher, b"pw").unwrap();
    assert_eq!(with(&locked, "pw"), None);
    assert_eq!(with(&locked, ""), Some(Wrong::KeyPassword));
    assert_eq!(Certificate::pkcs12_base64("%", "").unwrap_err(), Wrong::NoBase64);
}

#[test]
fn a_certificate_that_is_cut_off_anywhere_is_refused_or_read() {
    let der = Authority::new("ca").issue("c").x509.to_der().unwrap();
    for length in 0..der.len() {
        assert!(Certificate::read(&der[..length]).is_err());
    }
    for at in 0..der.len() {
        let mut bent = der.clone();
        bent[at] ^= 0x81;
        // Whatever it is then, it is told without a panic.
        if let Ok(read) = Certificate::read(&bent) {
            assert_eq!(read.thumbprint().len(), 40);
        }
    }
}

#[test]
fn an_authority_is_trusted_and_so_is_whom_it_vouches_for() {
    let root = Authority::new("root ca");
    let middle = root.below("middle ca", (FROM, FROM + 1_000));
    let made = middle.issue("c");
    let with_issuer = Certificate::of(made.x509.clone(), vec![middle.0.x509.clone()]).unwrap();
    let trusting = trust(authority(&root.0, None));
    let judge = |certificate: &Certificate, now| trusting.judge(certificate, at(now), true);
    assert_eq!(judge(&with_issuer, FROM + 1), Ok(()));
    assert_eq!(judge(&with_issuer, FROM + 1_001), Err(Untrusted::Issuer));
    assert_eq!(judge(&made.certificate(), FROM + 1), Err(Untrusted::Unknown));
    // Its own time is somebody else's question, and what is named is trusted by itself.
    assert_eq!(judge(&root.issue("d").certificate(), TO - 1), Ok(()));
    assert_eq!(
        trust(authority(&middle.0, None)).judge(&made.certificate(), at(FROM), true),
        Ok(())
    );
    let nobody = Trust::default();
    assert_eq!(nobody.judge(&with_issuer, at(FROM), true), Err(Untrusted::Unknown));
    let impostor = Authority::new("root ca").issue("c");
    assert_eq!(judge(&impostor.certificate(), FROM + 1), Err(Untrusted::Unknown));
}

#[test]
fn what_was_taken_back_is_not_trusted_if_that_is_asked() {
    let root = Authority::new("ca");
    let (good, bad) = (root.issue("good"), root.issue_rsa("bad"));
    let list = root.revoke(&bad);
    let trusting = trust(authority(&root.0, Some(&list)));
    assert!(trusting.asks());
    assert_eq!(trusting.judge(&good.certificate(), at(FROM), true), Ok(()));
    assert_eq!(trusting.judge(&bad.certificate(), at(FROM), true), Err(Untrusted::Revoked));
    assert_eq!(trusting.judge(&bad.certificate(), at(FROM), false), Ok(()));
    assert!(trusting.is_revoked(&bad.certificate()) && !trusting.is_revoked(&good.certificate()));
    // A list that somebody else signed in the name of the authority says nothing.
    let forged = Authority::new("ca").revoke(&good);
    let trusting = trust(authority(&root.0, Some(&forged)));
    assert_eq!(trusting.judge(&good.certificate(), at(FROM), true), Ok(()));
    assert_eq!(Revoked::read(b"x").err(), Some(Wrong::Unusable));
}

#[derive(Debug)]
struct Machine(Vec<X509>);

impl Authorities for Machine {
    fn list(&self) -> Vec<X509> {
        self.0.clone()
    }
}

#[test]
fn the_authorities_of_the_machine_are_trusted_too() {
    let root = Authority::new("ca");
    let machine = Arc::new(Machine(vec![root.0.x509.clone(), root.0.x509.clone()]));
    let trusting = Trust::new(&Certificates::default(), machine);
    assert_eq!(trusting.judge(&root.issue("c").certificate(), at(FROM), true), Ok(()));
    assert!(!trusting.asks());
}

#[test]
fn ids_are_found_whatever_their_case_and_thumbprints_however_written() {
    let named = authority(&Authority::new("ca").0, None);
    let thumbprint = named.certificate.thumbprint().to_owned();
    let known = Certificates::new(vec![named]);
    assert!(known.get("ca-1").is_some() && known.get("ca").is_none());
    let spaced: Vec<&str> =
        thumbprint.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap()).collect();
    assert!(
        known.with_thumbprint(&format!("\u{200e}{}", spaced.join(":").to_lowercase())).is_some()
    );
    assert!(known.with_thumbprint("").is_none());
    assert_eq!(known.shown(), format!("`CA-1` ({thumbprint})"));
}

#[test]
fn no_key_prints() {
    let certificate = Authority::new("ca").issue("c").certificate();
    let shown = format!("{certificate:?}");
    assert!(shown.contains("has_key: true") && !shown.contains("PRIVATE"), "{shown}");
}
