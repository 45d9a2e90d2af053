//! What is asked of TLS with a backend: whose certificates count, which name is asked for, which
//! versions and ciphers may be spoken.
//!
//! All of it stands in the configuration of a backend ([`Terms`]), and some of it in the settings for
//! all backends ([`Usual`]). Terms are told apart by their digest: connections are shared only under
//! the same ones.

use std::fmt;
use std::net::IpAddr;

use openssl::ssl::{SslContext, SslMethod, cipher_name};
use openssl::x509::X509;

use crate::digest::whole_digest;

/// The longest server name, in bytes (RFC 1035 §2.3.4).
pub const SERVER_NAME_BYTES_MAX: usize = 253;
/// The most ciphers that may be named.
pub const CIPHERS_MAX: usize = 100;

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Which versions a backend may speak; what is not said is what is usual.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Versions {
    /// The oldest.
    pub min: Option<Version>,
    /// The newest.
    pub max: Option<Version>,
}

/// Ciphers that may be spoken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ciphers {
    /// Those of TLS 1.2 and older as OpenSSL calls them, with colons between.
    pub older: String,
    /// Those of TLS 1.3, with colons between.
    pub suites: String,
}

/// Why a text names no ciphers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CiphersRefused {
    /// None is named.
    #[error("no cipher is named")]
    None,
    /// Too many are.
    #[error("there are more than {CIPHERS_MAX} ciphers")]
    TooMany,
    /// Nobody knows this one here.
    #[error("`{0}` is no cipher that is known here")]
    Unknown(String),
    /// It does not encrypt, or says nothing of who is there.
    #[error("`{0}` does not protect what is sent")]
    Open(String),
}

/// What a backend asks of TLS with it, beyond what is usual.
#[derive(Clone)]
pub struct Terms {
    /// The host that is asked for and that the certificate must name, in the place of that of the URL.
    pub server_name: Option<String>,
    /// Who vouches for its certificate, in the place of the machine's authorities.
    pub authorities: Option<Vec<X509>>,
    /// Which versions it may speak.
    pub versions: Versions,
    /// Which ciphers, in the place of the usual ones.
    pub ciphers: Option<Ciphers>,
    digest: [u8; 32],
}

/// What is asked of TLS with all backends that ask for nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Usual {
    /// The oldest version.
    pub min: Version,
    /// The newest.
    pub max: Version,
    /// Which ciphers; `None`: those of the library.
    pub ciphers: Option<Ciphers>,
}

impl Default for Usual {
    fn default() -> Self {
        Self { min: Version::Tls12, max: Version::Tls13, ciphers: None }
    }
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// The version that `text` names: `1.0` to `1.3`.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl Versions {
    /// The oldest and the newest version where `usual` says the rest. What a backend says goes before
    /// what is usual, which is moved where the two would exclude each other.
    pub fn among(self, usual: &Usual) -> (Version, Version) {
        match (self.min, self.max) {
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, usual.max.max(min)),
            (None, Some(max)) => (usual.min.min(max), max),
            (None, None) => (usual.min, usual.max),
        }
    }
}

impl Ciphers {
    /// Reads names as IANA or OpenSSL writes them, with commas, colons or blanks between.
    pub fn parse(text: &str) -> Result<Self, CiphersRefused> {
        let between = |character: char| matches!(character, ',' | ':') || character.is_whitespace();
        let names: Vec<&str> = text.split(between).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(CiphersRefused::None);
        }
        if CIPHERS_MAX < names.len() {
            return Err(CiphersRefused::TooMany);
        }
        let (mut older, mut suites) = (Vec::new(), Vec::new());
        for name in names {
            match Cipher::of(name)? {
                Cipher::Suite => suites.push(name),
                Cipher::Older(name) => older.push(name),
            }
        }
        Ok(Self { older: older.join(":"), suites: suites.join(":") })
    }

    /// The oldest and the newest version that can speak any of them.
    pub const fn versions(&self) -> (Version, Version) {
        let min = if self.older.is_empty() { Version::Tls13 } else { Version::Tls10 };
        let max = if self.suites.is_empty() { Version::Tls12 } else { Version::Tls13 };
        (min, max)
    }
}

/// Which kind a cipher is.
enum Cipher<'a> {
    /// One of TLS 1.3, whose names are the same everywhere.
    Suite,
    /// One of TLS 1.2 and older, as OpenSSL calls it.
    Older(&'a str),
}

impl<'a> Cipher<'a> {
    fn of(name: &'a str) -> Result<Self, CiphersRefused> {
        let unknown = || CiphersRefused::Unknown(name.chars().take(NAME_SHOWN_MAX).collect());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !name.bytes().all(plain) {
            return Err(unknown());
        }
        let told = cipher_name(name);
        let known = if told == UNNAMED { name } else { told };
        let open = |part: &str| part.eq_ignore_ascii_case("NULL") || part == "anon";
        // Two suites of TLS 1.3 (RFC 9150) show what is sent to everybody.
        let open_suites = ["TLS_SHA256_SHA256", "TLS_SHA384_SHA384"];
        let is_open = open_suites.contains(&name)
            || name.split(['_', '-']).chain(known.split(['_', '-'])).any(open);
        if is_open || known.starts_with("ADH-") || known.starts_with("AECDH-") {
            return Err(CiphersRefused::Open(name.to_owned()));
        }
        let mut context = SslContext::builder(SslMethod::tls_client()).map_err(|_no| unknown())?;
        if known.starts_with("TLS_") {
            context.set_ciphersuites(known).map_err(|_no| unknown())?;
            return Ok(Self::Suite);
        }
        // OpenSSL's words for groups of ciphers have neither a dash nor a digit in common with names.
        if !known.contains('-') {
            return Err(unknown());
        }
        context.set_security_level(0);
        context.set_cipher_list(known).map_err(|_no| unknown())?;
        Ok(Self::Older(known))
    }
}

/// What the library calls ciphers that it does not know.
const UNNAMED: &str = "(NONE)";
/// How many characters of a name that is no cipher are shown.
const NAME_SHOWN_MAX: usize = 100;

impl Terms {
    /// These terms.
    pub fn new(
        server_name: Option<String>,
        authorities: Option<Vec<X509>>,
        versions: Versions,
        ciphers: Option<Ciphers>,
    ) -> Self {
        let mut parts = vec![server_name.as_deref().unwrap_or_default().as_bytes().to_vec()];
        let said = |version: Option<Version>| version.map_or("", Version::as_str).as_bytes();
        parts.extend([said(versions.min).to_vec(), said(versions.max).to_vec()]);
        let named = ciphers.as_ref().map(|it| format!("{} {}", it.older, it.suites));
        parts.push(named.unwrap_or_default().into_bytes());
        for authority in authorities.iter().flatten() {
            // What was read can be written; otherwise it would only stand for itself.
            parts.push(authority.to_der().unwrap_or_default());
        }
        let digest = whole_digest(parts);
        Self { server_name, authorities, versions, ciphers, digest }
    }

    /// Whether they say nothing.
    pub const fn is_usual(&self) -> bool {
        self.server_name.is_none()
            && self.authorities.is_none()
            && self.versions.min.is_none()
            && self.versions.max.is_none()
            && self.ciphers.is_none()
    }

    /// What stands for them where only sameness counts.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Terms {}

impl fmt::Debug for Terms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Terms");
        shown.field("server_name", &self.server_name).field("versions", &self.versions);
        shown.field("authorities", &self.authorities.as_ref().map(Vec::len));
        shown.field("ciphers", &self.ciphers).finish_non_exhaustive()
    }
}

/// Whether `name` can be the name of a server: a host name, or an address.
pub fn is_server_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = !name.is_empty()
        && name.len() <= SERVER_NAME_BYTES_MAX
        && !name.starts_with('.')
        && !name.contains("..")
        && name.bytes().all(plain);
    is_name || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_are_named_as_iana_or_openssl_does() {
        let read = Ciphers::parse(
            "TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n ECDHE-ECDSA-AES256-SHA384",
        );
        let read = read.unwrap();
        assert_eq!(read.suites, "TLS_AES_256_GCM_SHA384");
        assert_eq!(read.older, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384");
        assert_eq!(read.versions(), (Version::Tls10, Version::Tls13));
        let one = Ciphers::parse("TLS_AES_128_GCM_SHA256").unwrap();
        assert_eq!(one.versions(), (Version::Tls13, Version::Tls13));
        let one = Ciphers::parse("AES128-SHA").unwrap();
        assert_eq!(one.versions(), (Version::Tls10, Version::Tls12));
    }

    #[test]
    fn what_is_no_cipher_or_protects_nothing_is_refused() {
        for (text, told) in [
            (" , ", "no cipher is named"),
            ("TLS_NO_SUCH", "`TLS_NO_SUCH` is no cipher that is known here"),
            ("HIGH", "`HIGH` is no cipher that is known here"),
            ("!MD5", "`!MD5` is no cipher that is known here"),
            ("@SECLEVEL=0", "`@SECLEVEL=0` is no cipher that is known here"),
            ("aNULL", "`aNULL` is no cipher that is known here"),
            (
                "TLS_RSA_WITH_NULL_SHA256",
                "`TLS_RSA_WITH_NULL_SHA256` does not protect what is sent",
            ),
            ("NULL-SHA256", "`NULL-SHA256` does not protect what is sent"),
            ("TLS_SHA256_SHA256", "`TLS_SHA256_SHA256` does not protect what is sent"),
            ("ADH-AES128-SHA256", "`ADH-AES128-SHA256` does not protect what is sent"),
            (
                "TLS_DH_anon_WITH_AES_128_CBC_SHA256",
                "`TLS_DH_anon_WITH_AES_128_CBC_SHA256` does not protect what is sent",
            ),
        ] {
            assert_eq!(Ciphers::parse(text).unwrap_err().to_string(), told, "{text}");
        }
        let many = "AES128-SHA ".repeat(CIPHERS_MAX + 1);
        assert_eq!(Ciphers::parse(&many), Err(CiphersRefused::TooMany));
    }

    #[test]
    fn what_a_backend_says_of_versions_goes_before_what_is_usual() {
        let usual = Usual::default();
        let among = |min, max| Versions { min, max }.among(&usual);
        assert_eq!(among(None, None), (Version::Tls12, Version::Tls13));
        assert_eq!(among(Some(Version::Tls10), None), (Version::Tls10, Version::Tls13));
        assert_eq!(among(None, Some(Version::Tls11)), (Version::Tls11, Version::Tls11));
        let old = Usual { max: Version::Tls12, ..Usual::default() };
        let newest = Versions { min: Some(Version::Tls13), max: None };
        assert_eq!(newest.among(&old), (Version::Tls13, Version::Tls13));
    }

    #[test]
    fn terms_differ_where_anything_of_them_does() {
        let terms = |name: &str, min, ciphers: Option<&str>| {
            let name = (!name.is_empty()).then(|| name.to_owned());
            let ciphers = ciphers.map(|text| Ciphers::parse(text).unwrap());
            Terms::new(name, None, Versions { min, max: None }, ciphers)
        };
        let all = [
            terms("", None, None),
            terms("a", None, None),
            terms("a", Some(Version::Tls13), None),
            terms("a", None, Some("AES128-SHA")),
            terms("a", None, Some("AES256-SHA")),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(index));
        }
        assert!(all[0].is_usual() && !all[1].is_usual());
    }

    #[test]
    fn a_server_name_is_a_host_or_an_address() {
        for name in ["a.example", "my_host", "10.0.0.1", "::1"] {
            assert!(is_server_name(name), "{name}");
        }
        for name in ["", "a b", "*.example", "https://a", "a..b", ".a", "a:443"] {
            assert!(!is_server_name(name), "{name}");
        }
    }
}
