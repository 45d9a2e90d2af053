//! The certificates of a configuration, by their ids and by their thumbprints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Certificate;
use super::revocation::Revoked;

/// The certificates of a configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certificates {
    all: Vec<Named>,
    /// Where in the list the id stands, in lower case.
    ids: BTreeMap<String, usize>,
}

/// A certificate of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// What policies call it.
    pub id: Arc<str>,
    /// The certificate, perhaps with its key.
    pub certificate: Arc<Certificate>,
    /// Whether it is an authority that vouches for others.
    pub is_authority: bool,
    /// Which of those that it issued it took back.
    pub revoked: Option<Revoked>,
}

impl Certificates {
    /// These; of two with the same id the first counts.
    pub fn new(all: Vec<Named>) -> Self {
        let mut ids = BTreeMap::new();
        for (index, named) in all.iter().enumerate() {
            ids.entry(named.id.to_ascii_lowercase()).or_insert(index);
        }
        Self { all, ids }
    }

    /// All of them.
    pub fn all(&self) -> &[Named] {
        &self.all
    }

    /// The one with this id, whatever the case.
    pub fn get(&self, id: &str) -> Option<&Named> {
        self.all.get(*self.ids.get(&id.trim().to_ascii_lowercase())?)
    }

    /// The one with this thumbprint, however it is written.
    pub fn with_thumbprint(&self, thumbprint: &str) -> Option<&Named> {
        let wanted = digits(thumbprint);
        self.all.iter().find(|named| named.certificate.thumbprint() == wanted)
    }

    /// What there is, for remedies: ids, each with its thumbprint.
    pub fn shown(&self) -> String {
        let shown = self.all.iter().take(SHOWN_MAX);
        let shown: Vec<String> = shown
            .map(|named| format!("`{}` ({})", named.id, named.certificate.thumbprint()))
            .collect();
        let more = if SHOWN_MAX < self.all.len() { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}

/// How many certificates a remedy names.
const SHOWN_MAX: usize = 10;

/// The hexadecimal digits of `text`, upper-case: thumbprints are copied with blanks, colons and
/// marks that nobody sees.
pub fn digits(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_hexdigit);
    digits.map(|digit| digit.to_ascii_uppercase()).collect()
}

/// Whether two serial numbers are the same: zeros in front are the sign's.
pub fn is_serial(written: &str, serial: &str) -> bool {
    let written = digits(written);
    !written.is_empty() && written.trim_start_matches('0') == serial.trim_start_matches('0')
}
