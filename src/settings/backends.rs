//! What is asked of TLS with all backends that ask for nothing else themselves.

use std::path::PathBuf;

use crate::backend::tls::{Ciphers, Usual, Version};
use crate::caller::revocation::Asked;

/// What holds for all backends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Backends {
    /// How TLS is spoken with them.
    pub tls: BackendTls,
}

/// How TLS is spoken with backends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BackendTls {
    /// Which versions may be spoken.
    pub protocols: Protocols,
    /// Which ciphers; those of OpenSSL if not set.
    pub ciphers: Option<Ciphers>,
    /// Whether it is asked which certificates were revoked.
    pub revocation: Asked,
    /// Files with lists of them.
    pub revocation_files: Vec<PathBuf>,
}

/// Versions of TLS, each by itself as API Management switches them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Protocols {
    /// TLS 1.0.
    pub tls10: bool,
    /// TLS 1.1.
    pub tls11: bool,
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

impl Protocols {
    /// The oldest and the newest that may be spoken; `None` if there is none, or one between them that
    /// may not: what is offered is a span.
    pub fn span(self) -> Option<(Version, Version)> {
        let Self { tls10, tls11, tls12, tls13 } = self;
        let mut on = Version::ALL.into_iter().zip([tls10, tls11, tls12, tls13]);
        let (min, _on) = on.find(|(_version, is_on)| *is_on)?;
        let mut max = min;
        let mut is_over = false;
        for (version, is_on) in on {
            if is_on && is_over {
                return None;
            }
            is_over |= !is_on;
            max = if is_on { version } else { max };
        }
        Some((min, max))
    }
}

impl BackendTls {
    /// What is asked of every backend; settings were checked to have a span of versions.
    pub fn usual(&self) -> Usual {
        let usual = Usual::default();
        let (min, max) = self.protocols.span().unwrap_or((usual.min, usual.max));
        Usual { min, max, ciphers: self.ciphers.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_span() {
        let span = |on: &str| {
            let has = |version: &str| on.contains(version);
            let protocols =
                Protocols { tls10: has("0"), tls11: has("1"), tls12: has("2"), tls13: has("3") };
            protocols.span().map(|(min, max)| format!("{}-{}", min.as_str(), max.as_str()))
        };
        for (on, told) in [
            ("23", Some("1.2-1.3")),
            ("2", Some("1.2-1.2")),
            ("0123", Some("1.0-1.3")),
            ("3", Some("1.3-1.3")),
            ("", None),
            ("13", None),
            ("03", None),
        ] {
            assert_eq!(span(on).as_deref(), told, "{on}");
        }
    }
}
