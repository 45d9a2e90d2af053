//! Why there is no TLS with a backend, told so that whoever reads it at night knows what to mend.
//!
//! What the backend says of itself (names in its certificate) is bounded and made visible before it
//! is told to anybody; clients are told nothing of it.

use std::io;

use openssl::ssl;
use openssl::x509::X509Ref;

use crate::certificate::name::Name;
use crate::certificate::{Certificate, moment};
use crate::time::{self, Timestamp};

/// How many names of a certificate are told.
const NAMES_SHOWN_MAX: usize = 10;
/// How many characters of a name are told.
const NAME_CHARACTERS_MAX: usize = 120;
/// What the library adds to the number of an alert (RFC 8446 §6) to make a reason of it.
const ALERT: i32 = 1000;

/// Why there is no TLS with a backend, or no more of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the TLS handshake with the backend failed: {0}")]
pub struct TlsRefused(Why);

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Why {
    /// A certificate is not valid any more.
    #[error("the certificate of {subject} expired at {}", time::date(*.at))]
    Expired { subject: String, at: Timestamp },
    /// It is not valid yet.
    #[error("the certificate of {subject} is not valid before {}", time::date(*.at))]
    TooEarly { subject: String, at: Timestamp },
    /// It is somebody else's.
    #[error("its certificate is not for `{wanted}`, but for {names}")]
    WrongName { wanted: String, names: String },
    /// Nobody who is trusted issued it.
    #[error(
        "no trusted authority issued its certificate: that of {subject} was issued by {issuer}, who is \
         not known here"
    )]
    UnknownIssuer { subject: String, issuer: String },
    /// It, or what it leads to, is its own issuer.
    #[error(
        "no trusted authority issued its certificate: that of {subject} is self-signed and not trusted \
         here"
    )]
    SelfSigned { subject: String },
    /// It was taken back.
    #[error("the certificate of {subject} was revoked by {issuer}")]
    Revoked { subject: String, issuer: String },
    /// Nobody knows whether it was taken back.
    #[error(
        "whether the certificate of {subject} was revoked is not known: backends.tls.revocationFiles \
         has no list of {issuer}"
    )]
    NoList { subject: String, issuer: String },
    /// Something else is wrong with it.
    #[error("the certificate of {subject} is not trusted: {told}")]
    Untrusted { subject: String, told: &'static str },
    /// No version is common.
    #[error("it speaks no version of TLS that is allowed here ({allowed})")]
    Version { allowed: String },
    /// No cipher is common, nor anything else that has to be agreed on.
    #[error("it agrees to none of the ciphers that are allowed here ({allowed})")]
    NoCipher { allowed: String },
    /// It wants to know who we are.
    #[error("it wants a certificate of the gateway, and is shown none")]
    WantsCertificate,
    /// It does not like who we are.
    #[error("it refuses the certificate of the gateway ({0})")]
    CertificateRefused(&'static str),
    /// It knows no server of that name.
    #[error("it has no server called `{0}`")]
    UnknownName(String),
    /// It refuses for another reason.
    #[error("it refused with the alert {0}")]
    Alert(i32),
    /// What came is no TLS.
    #[error("it does not speak TLS")]
    NotSpoken,
    /// It went away.
    #[error("it closed the connection")]
    Closed,
    /// It was too slow.
    #[error("it did not finish in time")]
    Late,
    /// Whatever else the library says.
    #[error("{0}")]
    Other(String),
}

/// What is known of a handshake when it fails.
pub(super) struct Known<'a> {
    /// Who was asked for.
    pub(super) name: &'a str,
    /// Versions and ciphers that were offered.
    pub(super) offered: (&'a str, &'a str),
    /// Whether the backend had shown its certificate: versions and ciphers were agreed on then.
    pub(super) is_agreed: bool,
    /// Whether it was to be shown one.
    pub(super) has_identity: bool,
}

impl From<Why> for TlsRefused {
    fn from(why: Why) -> Self {
        Self(why)
    }
}

impl TlsRefused {
    /// What it is, in a word: for `error.type` and for whoever counts.
    pub const fn kind(&self) -> &'static str {
        match &self.0 {
            Why::Expired { .. } => "tls_expired",
            Why::TooEarly { .. } => "tls_not_yet_valid",
            Why::WrongName { .. } => "tls_wrong_name",
            Why::UnknownIssuer { .. } => "tls_unknown_issuer",
            Why::SelfSigned { .. } => "tls_self_signed",
            Why::Revoked { .. } => "tls_revoked",
            Why::NoList { .. } => "tls_no_revocation_list",
            Why::Untrusted { .. } => "tls_untrusted",
            Why::Version { .. } => "tls_version",
            Why::NoCipher { .. } => "tls_no_common_cipher",
            Why::WantsCertificate => "tls_wants_certificate",
            Why::CertificateRefused(_) => "tls_certificate_refused",
            Why::UnknownName(_) | Why::Alert(_) => "tls_alert",
            Why::NotSpoken => "tls_not_spoken",
            Why::Closed | Why::Other(_) => "tls",
            Why::Late => "timeout",
        }
    }

    /// What TLS had to do with an error of Pingora's, if anything.
    pub fn within(error: &pingora::Error) -> Option<&Self> {
        let cause = error.root_cause();
        let refused = cause.downcast_ref::<Self>();
        refused.or_else(|| Self::within_io(cause.downcast_ref::<io::Error>()?))
    }

    /// What TLS had to do with an error of a connection, if anything.
    pub fn within_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Why the handshake failed, where nothing is wrong with a certificate.
    pub(super) fn of_handshake(error: &ssl::Error, known: &Known<'_>) -> Self {
        let why = match reason(error) {
            Some(reason) => of_reason(reason, known).unwrap_or_else(|| other(error)),
            None if error.code() == ssl::ErrorCode::SSL => other(error),
            None => Why::Closed,
        };
        Self(why)
    }

    /// The same error of a connection that stood, with what TLS has to say in its place: a backend
    /// that wants another certificate says so behind the handshake (RFC 8446 §4.4.2.4).
    pub(super) fn of_connection(error: io::Error, has_identity: bool) -> io::Error {
        let told = error.get_ref().and_then(|error| error.downcast_ref::<ssl::Error>());
        let Some(reason) = told.and_then(reason) else { return error };
        if reason == UNEXPECTED_END {
            // What it is in the clear: nothing is as it should be, so nothing ended well.
            return io::Error::new(io::ErrorKind::ConnectionReset, error);
        }
        let known = Known { name: "", offered: ("", ""), is_agreed: true, has_identity };
        match of_reason(reason, &known).filter(|_why| ALERT <= reason) {
            Some(why) => io::Error::other(Self(why)),
            None => error,
        }
    }
}

/// What the library says: an alert of the backend before all else, which may stand behind what came of it.
fn reason(error: &ssl::Error) -> Option<i32> {
    let mut reasons = error.ssl_error()?.errors().iter().map(openssl::error::Error::reason_code);
    let first = reasons.clone().next();
    reasons.find(|reason| ALERT <= *reason).or(first)
}

/// What the library says, without what names its files.
fn other(error: &ssl::Error) -> Why {
    let stack = error.ssl_error().and_then(|stack| stack.errors().first());
    Why::Other(stack.and_then(openssl::error::Error::reason).unwrap_or("it broke off").to_owned())
}

fn of_reason(reason: i32, known: &Known<'_>) -> Option<Why> {
    let no_cipher = || Why::NoCipher { allowed: known.offered.1.to_owned() };
    let version = || Why::Version { allowed: known.offered.0.to_owned() };
    let refused = |told| Why::CertificateRefused(told);
    Some(match reason.checked_sub(ALERT).filter(|alert| 0 <= *alert) {
        // handshake_failure: before its certificate nothing was agreed on; behind it, it misses ours.
        Some(40) if known.is_agreed && !known.has_identity => Why::WantsCertificate,
        Some(40) if known.is_agreed => refused("it says no more"),
        Some(40 | 71) => no_cipher(),
        Some(41 | 116) => Why::WantsCertificate,
        Some(70) => version(),
        Some(42) if !known.has_identity => Why::WantsCertificate,
        Some(42) => refused("it is bad"),
        Some(43) => refused("it is of a kind that it does not take"),
        Some(44) => refused("it was revoked"),
        Some(45) => refused("it has expired"),
        Some(46) => refused("it cannot be used"),
        Some(48) => refused("it does not know who issued it"),
        Some(49) => refused("it may not come in"),
        Some(112) => Why::UnknownName(known.name.to_owned()),
        Some(alert) => Why::Alert(alert),
        None => match reason {
            UNSUPPORTED_PROTOCOL | NO_PROTOCOLS | UNKNOWN_VERSION => version(),
            NO_SHARED_CIPHER | NO_CIPHERS | WRONG_CIPHER => no_cipher(),
            WRONG_VERSION | HTTP_REQUEST | HTTPS_PROXY_REQUEST | TOO_LONG => Why::NotSpoken,
            UNEXPECTED_END => Why::Closed,
            _ => return None,
        },
    })
}

// Reasons of OpenSSL (include/openssl/sslerr.h), which the crate does not name.
const HTTPS_PROXY_REQUEST: i32 = 155;
const HTTP_REQUEST: i32 = 156;
const NO_CIPHERS: i32 = 181;
const NO_PROTOCOLS: i32 = 191;
const NO_SHARED_CIPHER: i32 = 193;
const TOO_LONG: i32 = 198;
const UNKNOWN_VERSION: i32 = 254;
const UNSUPPORTED_PROTOCOL: i32 = 258;
const WRONG_CIPHER: i32 = 261;
const WRONG_VERSION: i32 = 267;
const UNEXPECTED_END: i32 = 294;

/// Why the library does not trust `certificate`, by its number for that (RFC 5280 has no numbers).
pub(super) fn of_certificate(
    (code, told): (i32, &'static str),
    certificate: Option<&X509Ref>,
    wanted: &str,
) -> TlsRefused {
    let parts = certificate.and_then(|it| Certificate::of(it.to_owned(), Vec::new()).ok());
    let subject = parts.as_ref().map_or_else(|| NOBODY.to_owned(), |it| shown(it.subject()));
    TlsRefused(match (code, certificate) {
        (EXPIRED, Some(it)) => Why::Expired { subject, at: moment(it.not_after()) },
        (NOT_YET_VALID, Some(it)) => Why::TooEarly { subject, at: moment(it.not_before()) },
        (HOST_MISMATCH | ADDRESS_MISMATCH, Some(it)) => {
            Why::WrongName { wanted: wanted.to_owned(), names: names(it) }
        }
        (SELF_SIGNED | SELF_SIGNED_ROOT, _) => Why::SelfSigned { subject },
        (NO_ISSUER | NO_LOCAL_ISSUER | NO_FIRST, _) => {
            let issuer = parts.as_ref().map_or_else(|| NOBODY.to_owned(), |it| shown(it.issuer()));
            Why::UnknownIssuer { subject, issuer }
        }
        _ => Why::Untrusted { subject, told },
    })
}

const NO_ISSUER: i32 = 2;
const NOT_YET_VALID: i32 = 9;
const EXPIRED: i32 = 10;
const SELF_SIGNED: i32 = 18;
const SELF_SIGNED_ROOT: i32 = 19;
const NO_LOCAL_ISSUER: i32 = 20;
const NO_FIRST: i32 = 21;
/// What the library says of a certificate without the name that is asked for.
pub(super) const HOST_MISMATCH: i32 = 62;
/// The same of one without the address.
pub(super) const ADDRESS_MISMATCH: i32 = 64;

/// Stands for a certificate that is not there.
const NOBODY: &str = "nobody";

/// Whom a certificate is about, or who issued it.
pub(super) fn shown(name: &Name) -> String {
    format!("`{}`", visible(name.text()))
}

/// The names that a certificate is for.
fn names(certificate: &X509Ref) -> String {
    let alternatives = certificate.subject_alt_names();
    let mut found: Vec<String> = alternatives
        .iter()
        .flatten()
        .filter_map(|name| match (name.dnsname(), name.ipaddress()) {
            (Some(name), _) => Some(visible(name)),
            (None, Some(bytes)) => address(bytes),
            (None, None) => None,
        })
        .map(|name| format!("`{name}`"))
        .collect();
    if found.is_empty() {
        return "no host at all (it has no subjectAltName with a host)".to_owned();
    }
    let more = found.len().saturating_sub(NAMES_SHOWN_MAX);
    found.truncate(NAMES_SHOWN_MAX);
    let found = found.join(", ");
    if more == 0 { found } else { format!("{found} and {more} more") }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let any = four.or_else(|_other| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from));
    any.ok().map(|address| address.to_string())
}

/// Text of somebody else, bounded, without what a terminal would act on.
fn visible(text: &str) -> String {
    let shown = text.chars().take(NAME_CHARACTERS_MAX);
    shown.map(|it| if it.is_control() || it == '`' { '\u{fffd}' } else { it }).collect()
}
