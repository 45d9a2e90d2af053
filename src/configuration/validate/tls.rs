//! What backends ask of TLS: authorities, the name of the server, versions, ciphers.

use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::x509::X509;

use super::Validator;
use crate::backend::tls::{Ciphers, Terms, Version, Versions, is_server_name};
use crate::backend::{BaseUrl, Scheme};
use crate::certificate::{self, Certificate, Wrong};
use crate::configuration::document::{self, SecretValue};
use crate::configuration::yaml::{Mark, OneOrMore, Placed};
use crate::time;

impl Validator<'_> {
    /// What the backend at `mark`, which is at `url`, asks of TLS beyond what is usual.
    pub(super) fn tls(
        &mut self,
        written: &document::Tls,
        url: Option<&BaseUrl>,
        mark: Mark,
    ) -> Option<Arc<Terms>> {
        if url.is_some_and(|url| url.scheme == Scheme::Http) && written.is_set() {
            let message = "`tls` is written for a backend that is spoken to in the clear";
            self.fault(mark, message, "write an https URL, or remove `tls`");
        }
        let authorities = written.certificate_authorities.as_ref();
        if authorities.is_some() && written.validate_certificate_chain == Some(false) {
            let message = "`certificateAuthorities` vouch for a certificate that is not checked";
            self.fault(
                mark,
                message,
                "remove `validateCertificateChain: false`, or the authorities",
            );
        }
        let authorities = authorities.and_then(|it| self.authorities(it, mark));
        let server_name = written.server_name.as_ref().and_then(|it| self.server_name(it));
        let versions = Versions {
            min: written.min_version.as_ref().and_then(|it| self.tls_version(it)),
            max: written.max_version.as_ref().and_then(|it| self.tls_version(it)),
        };
        let ciphers = written.ciphers.as_ref().and_then(|it| self.ciphers(it));
        self.versions_meet(written, versions, ciphers.as_ref());
        let terms = Terms::new(server_name, authorities, versions, ciphers);
        (!terms.is_usual()).then(|| Arc::new(terms))
    }

    fn authorities(&mut self, written: &SecretValue, mark: Mark) -> Option<Vec<X509>> {
        let what = "`certificateAuthorities`";
        let text = self.secret(written, what, mark)?;
        let all = match certificate::read_all(text.expose().as_bytes()) {
            Ok(all) => all,
            Err(wrong) => {
                let message = format!("{what} cannot be used: {wrong}");
                let is_large = matches!(wrong, Wrong::TooLarge | Wrong::TooMany);
                let remedy = if is_large {
                    "keep those that issue for this backend"
                } else {
                    "write certificates in PEM (-----BEGIN CERTIFICATE-----), one behind another"
                };
                self.fault(mark, message, remedy);
                return None;
            }
        };
        self.vouch_now(&all, mark);
        Some(all)
    }

    /// Authorities that have expired vouch for nobody, which would only show when requests fail. One
    /// beside them that has not is how they are replaced.
    fn vouch_now(&mut self, all: &[X509], mark: Mark) {
        let Ok(now) = Asn1Time::days_from_now(0) else { return };
        let Some(last) = all.iter().max_by(|one, other| latest(one, other)) else { return };
        if now < last.not_after() {
            return;
        }
        let read = Certificate::of(last.clone(), Vec::new());
        let subject = read.map_or_else(|_wrong| String::new(), |it| it.subject().text().to_owned());
        let ended = time::date(certificate::moment(last.not_after()));
        let message = format!("`certificateAuthorities`: `{subject}` expired at {ended}");
        self.fault(mark, message, "put the authority's new certificate in its place");
    }

    fn server_name(&mut self, written: &Placed<String>) -> Option<String> {
        if written.mark.is_made_up() {
            return None;
        }
        if !is_server_name(&written.value) {
            let message = format!("`{}` is no name of a server", written.value);
            self.fault(
                written.mark,
                message,
                "write a host such as `orders.internal`, without a port",
            );
            return None;
        }
        Some(written.value.to_ascii_lowercase())
    }

    fn tls_version(&mut self, written: &Placed<String>) -> Option<Version> {
        if written.mark.is_made_up() {
            return None;
        }
        let version = Version::of(&written.value);
        if version.is_none() {
            let message = format!("`{}` is no version of TLS", written.value);
            self.fault(written.mark, message, "write `1.0`, `1.1`, `1.2` or `1.3`, in quotes");
        }
        version
    }

    fn ciphers(&mut self, OneOrMore(written): &OneOrMore<Placed<String>>) -> Option<Ciphers> {
        let first = written.first()?;
        if first.mark.is_made_up() {
            return None;
        }
        let before = self.faults.len();
        for name in written {
            if let Err(refused) = Ciphers::parse(&name.value) {
                let remedy = "write names such as `TLS_AES_256_GCM_SHA384` or \
                              `ECDHE-RSA-AES256-GCM-SHA384`; `openssl ciphers -s -stdname` lists them";
                self.fault(name.mark, refused.to_string(), remedy);
            }
        }
        if before < self.faults.len() {
            return None;
        }
        let names: Vec<&str> = written.iter().map(|name| name.value.as_str()).collect();
        let refused = |refused: crate::backend::tls::CiphersRefused| {
            self.fault(first.mark, refused.to_string(), "keep those that are needed");
        };
        Ciphers::parse(&names.join(",")).map_err(refused).ok()
    }

    fn versions_meet(
        &mut self,
        written: &document::Tls,
        versions: Versions,
        ciphers: Option<&Ciphers>,
    ) {
        if let (Some(min), Some(max), Some(place)) =
            (versions.min, versions.max, &written.min_version)
            && max < min
        {
            let message = format!("TLS {} to {} is no version at all", min.as_str(), max.as_str());
            self.fault(place.mark, message, "write the older version as `minVersion`");
            return;
        }
        let (Some(ciphers), Some(OneOrMore(names))) = (ciphers, &written.ciphers) else { return };
        let (oldest, newest) = ciphers.versions();
        let is_apart = versions.min.is_some_and(|min| newest < min)
            || versions.max.is_some_and(|max| max < oldest);
        if let (true, Some(first)) = (is_apart, names.first()) {
            let message = "none of these ciphers is of a version that may be spoken";
            let remedy = "TLS 1.3 has ciphers of its own (`TLS_AES_256_GCM_SHA384` and such); name some \
                          of the versions that are written";
            self.fault(first.mark, message, remedy);
        }
    }
}

fn latest(one: &X509, other: &X509) -> std::cmp::Ordering {
    let ends = |it: &X509| certificate::moment(it.not_after());
    ends(one).cmp(&ends(other))
}
