//! The settings of TLS with backends.

use std::path::PathBuf;

use super::{Row, row};
use crate::settings::value::{Expected, REVOCATION, ciphers, flag, list, word};

/// The settings of TLS with backends.
pub(super) const ROWS: &[Row] = &[
    row!(
        "backends.tls.protocols.tls13",
        "true",
        "Whether TLS 1.3 is spoken with backends.",
        backends.tls.protocols.tls13 = |text| flag(text)
    ),
    row!(
        "backends.tls.protocols.tls12",
        "true",
        "Whether TLS 1.2 is spoken with backends.",
        backends.tls.protocols.tls12 = |text| flag(text)
    ),
    row!(
        "backends.tls.protocols.tls11",
        "false",
        "Whether TLS 1.1 is spoken with backends; nobody should.",
        backends.tls.protocols.tls11 = |text| flag(text)
    ),
    row!(
        "backends.tls.protocols.tls10",
        "false",
        "Whether TLS 1.0 is spoken with backends; nobody should.",
        backends.tls.protocols.tls10 = |text| flag(text)
    ),
    row!(
        "backends.tls.ciphers",
        "",
        "Ciphers that backends are offered, as IANA or OpenSSL names them, with commas between; those of OpenSSL if not set.",
        backends.tls.ciphers = |text| ciphers(text)
    ),
    row!(
        "backends.tls.revocation",
        "off",
        "Which certificates of backends count as revoked: off, listed (what backends.tls.revocationFiles list) or required (every issuer must have a list there).",
        backends.tls.revocation = |text| word(text, &REVOCATION)
    ),
    row!(
        "backends.tls.revocationFiles",
        "",
        "Files with lists of revoked certificates (CRL, in PEM or DER), with commas between; looked at again every 30 s.",
        backends.tls.revocation_files =
            |text| Ok::<_, Expected>(list(text).into_iter().map(PathBuf::from).collect())
    ),
];
