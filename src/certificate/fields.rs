//! What stands in a certificate and the library does not hand out (RFC 5280 §4.1): names as they are
//! encoded, the serial number with its sign, extensions one by one.

use super::der::{self, BITS, BOOLEAN, IDENTIFIER, INTEGER, OCTETS, Reader, SEQUENCE};

/// The most extensions that are looked at.
const EXTENSIONS_MAX: usize = 64;
/// The most alternative names that are kept.
const NAMES_MAX: usize = 1_000;

/// Identifies the alternative names of a subject.
const ALTERNATIVE_NAMES: &str = "2.5.29.17";
/// Identifies a principal name of Windows among them.
const PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// The parts of a certificate.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) serial: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// How it is signed.
    pub(super) signature: String,
    /// What kind of key it has, and the key.
    pub(super) key: (String, &'a [u8]),
    pub(super) extensions: Vec<Extension>,
}

/// An extension.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension {
    /// Its identifier, with dots.
    pub identifier: String,
    /// Whether who does not know it must refuse the certificate.
    pub is_critical: bool,
    /// What it says, encoded.
    pub content: Vec<u8>,
}

/// Other names of a subject, each kind in the order written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alternatives {
    /// Hosts.
    pub hosts: Vec<String>,
    /// Addresses of mail.
    pub emails: Vec<String>,
    /// URLs.
    pub urls: Vec<String>,
    /// Principal names of Windows.
    pub principals: Vec<String>,
}

impl<'a> Fields<'a> {
    /// Reads them of a whole certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut signed = Reader::new(Reader::new(der).expect(SEQUENCE)?);
        let mut reader = Reader::new(signed.expect(SEQUENCE)?);
        // The version, which the first one leaves out.
        let _ = reader.expect(0xa0);
        let serial = reader.expect(INTEGER)?;
        let signature = algorithm(reader.expect(SEQUENCE)?);
        let issuer = reader.expect(SEQUENCE)?;
        reader.expect(SEQUENCE)?;
        let subject = reader.expect(SEQUENCE)?;
        let mut key = Reader::new(reader.expect(SEQUENCE)?);
        let kind = algorithm(key.expect(SEQUENCE)?);
        // A byte before the key says how many of its bits do not count: none.
        let key = (kind, key.expect(BITS)?.get(1..)?);
        let extensions = reader.find(|part| part.tag == 0xa3).map(|part| part.content);
        let extensions = extensions.and_then(|wrapped| Reader::new(wrapped).expect(SEQUENCE));
        let extensions = Reader::new(extensions.unwrap_or_default()).take(EXTENSIONS_MAX);
        let extensions = extensions.filter_map(|part| Extension::read(part.content)).collect();
        Some(Self { serial, issuer, subject, signature, key, extensions })
    }

    /// The alternative names of the subject.
    pub(super) fn alternatives(&self) -> Alternatives {
        let mut found = Alternatives::default();
        let named = self.extensions.iter().find(|it| it.identifier == ALTERNATIVE_NAMES);
        let content = named.and_then(|it| Reader::new(&it.content).expect(SEQUENCE));
        for name in Reader::new(content.unwrap_or_default()).take(NAMES_MAX) {
            let text = || String::from_utf8_lossy(name.content).into_owned();
            match name.tag {
                0x81 => found.emails.push(text()),
                0x82 => found.hosts.push(text()),
                0x86 => found.urls.push(text()),
                0xa0 => found.principals.extend(principal(name.content)),
                _ => (),
            }
        }
        found
    }
}

/// The identifier of an algorithm.
fn algorithm(content: &[u8]) -> String {
    Reader::new(content).expect(IDENTIFIER).map(der::dotted).unwrap_or_default()
}

fn principal(content: &[u8]) -> Option<String> {
    let mut reader = Reader::new(content);
    let identifier = der::dotted(reader.expect(IDENTIFIER)?);
    let wrapped = reader.expect(0xa0).filter(|_| identifier == PRINCIPAL_NAME)?;
    der::text(Reader::new(wrapped).next()?)
}

impl Extension {
    fn read(content: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(content);
        let identifier = der::dotted(reader.expect(IDENTIFIER)?);
        let is_critical = reader.expect(BOOLEAN).is_some_and(|said| said != [0]);
        let content = reader.expect(OCTETS)?.to_vec();
        Some(Self { identifier, is_critical, content })
    }
}
