//! Certificates: read, put together with their keys, and told apart.

use std::sync::Arc;

use super::Validator;
use super::registry::Registry;
use crate::certificate::known::{Certificates, Named};
use crate::certificate::revocation::Revoked;
use crate::certificate::{Certificate, Wrong};
use crate::configuration::config::{NamedValue, Secret};
use crate::configuration::document::{self, SecretValue, leaves_folder};

/// How many certificates there may be.
pub(super) const CERTIFICATES_MAX: usize = 1_000;

/// The texts of a certificate, wherever they were.
#[derive(Default)]
struct Texts {
    certificate: Option<Secret>,
    key: Option<Secret>,
    pfx: Option<Secret>,
    password: Option<Secret>,
}

/// Which of the texts is wrong, and how.
type Fallen = (&'static str, Wrong);

/// What a list in PEM begins with.
const LIST_BEGINS: &str = "-----BEGIN X509 CRL-----";

impl Validator<'_> {
    pub(super) fn certificates(&mut self, names: &[NamedValue]) -> Arc<Certificates> {
        let written = &self.document.certificates;
        self.few("certificates", written.iter().map(|it| it.id.mark), CERTIFICATES_MAX);
        let mut registry = Registry::new("certificate");
        let mut all = Vec::with_capacity(written.len());
        for (index, written_one) in written.iter().take(CERTIFICATES_MAX).enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &written_one.id, index);
            all.extend(self.named_certificate(written_one, names));
        }
        Arc::new(Certificates::new(all))
    }

    fn named_certificate(
        &mut self,
        written: &document::NamedCertificate,
        names: &[NamedValue],
    ) -> Option<Named> {
        let (id, mark) = (&written.id.value, written.id.mark);
        let before = self.faults.len();
        let mut text = |value: &Option<SecretValue>, what: &str| {
            let what = format!("`{what}` of the certificate `{id}`");
            self.text_with_named(value.as_ref()?, names, &what, mark)
        };
        let texts = Texts {
            certificate: text(&written.certificate, "certificate"),
            key: text(&written.key, "key"),
            pfx: text(&written.pfx, "pfx"),
            password: text(&written.password, "password"),
        };
        let is_authority = written.authority.unwrap_or(false);
        let revoked = self.revocation_list(written, is_authority);
        if mark.is_made_up() || before < self.faults.len() {
            return None;
        }
        let has = match (written.certificate.is_some(), written.pfx.is_some()) {
            (true, true) => Some("both `certificate` and `pfx`"),
            (false, false) => Some("neither `certificate` nor `pfx`"),
            (false, true) if written.key.is_some() => Some("both `key` and `pfx`"),
            _ => None,
        };
        if let Some(has) = has {
            let message = format!("the certificate `{id}` has {has}");
            self.fault(mark, message, "write `pfx`, or `certificate` with or without `key`");
            return None;
        }
        let certificate = texts.read().map_err(|(what, wrong)| {
            let message = format!("`{what}` of the certificate `{id}` cannot be used: {wrong}");
            self.fault(mark, message, wrong.remedy());
        });
        let certificate = Arc::new(certificate.ok()?);
        let path = written.revocation_list_file.as_ref();
        if let (Some(revoked), Some(path)) = (&revoked, path)
            && !revoked.is_of(certificate.x509())
        {
            let message =
                format!("`{}` is not a list that the authority `{id}` signed", path.value);
            self.fault(path.mark, message, "name the list of this very authority and key");
        }
        Some(Named { id: Arc::from(id.as_str()), certificate, is_authority, revoked })
    }

    fn revocation_list(
        &mut self,
        written: &document::NamedCertificate,
        is_authority: bool,
    ) -> Option<Revoked> {
        let path = written.revocation_list_file.as_ref().filter(|path| !path.mark.is_made_up())?;
        if !is_authority {
            let message = "a list of certificates that were taken back belongs to an authority";
            self.fault(path.mark, message, "write `authority: true`, or remove it");
            return None;
        }
        if let Some(why) = leaves_folder(&path.value) {
            let remedy = "write a path relative to the configuration folder, without `..`";
            self.fault(path.mark, format!("{why}: `{}`", path.value), remedy);
            return None;
        }
        let text = match self.reading.policies.get(&path.value)? {
            Ok(text) => text,
            Err(reason) => {
                let message = format!("`{}`: {reason}", path.value);
                self.fault(path.mark, message, reason.remedy());
                return None;
            }
        };
        let read = Revoked::read(text.as_bytes());
        if text.matches(LIST_BEGINS).count() > 1 {
            let message = format!("`{}` holds several lists", path.value);
            self.fault(path.mark, message, "write one list a file, and an authority for each");
            return None;
        }
        if read.is_err() {
            let message = format!("`{}` holds no list of certificates taken back", path.value);
            self.fault(path.mark, message, "it must be PEM: -----BEGIN X509 CRL-----");
        }
        read.ok()
    }
}

impl Texts {
    fn read(&self) -> Result<Certificate, Fallen> {
        let password = self.password.as_ref().map_or("", Secret::expose);
        if let Some(pfx) = &self.pfx {
            let opened = Certificate::pkcs12_base64(pfx.expose(), password);
            return opened.map_err(|wrong| ("pfx", wrong));
        }
        let text = self.certificate.as_ref().map_or("", Secret::expose);
        let read = Certificate::read(text.as_bytes()).map_err(|wrong| ("certificate", wrong))?;
        match &self.key {
            Some(key) => {
                read.with_key(key.expose().as_bytes(), password).map_err(|wrong| ("key", wrong))
            }
            None => Ok(read),
        }
    }
}
