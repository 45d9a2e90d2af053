//! Secrets and certificates: found where the document says they are.
//!
//! A fault about a secret points at the item that has it, never at the line of the secret
//! itself, because faults show the line.

use std::sync::Arc;

use openssl::pkey::PKey;
use openssl::x509::X509;

use super::Validator;
use crate::configuration::config::{Certificate, Secret};
use crate::configuration::document::{self, SecretValue, ValueSource};
use crate::configuration::source::Unreadable;
use crate::configuration::yaml::{Mark, Placed};
use crate::fault::nearest;

impl Validator<'_> {
    /// The text that `value` is or names; `what` it is of the item at `mark`.
    pub(super) fn secret(&mut self, value: &SecretValue, what: &str, mark: Mark) -> Option<Secret> {
        let ValueSource { env, file } = match value {
            SecretValue::Text(text) => return Some(text.clone()),
            SecretValue::Other(source) => source,
        };
        match (env, file) {
            (Some(env), None) => self.of_environment(env),
            (None, Some(file)) => {
                let text = self.of_file(file)?;
                let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
                Some(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
            }
            (Some(_), Some(file)) => {
                self.fault(file.mark, format!("{what} has two sources"), "keep `env` or `file`");
                None
            }
            (None, None) => {
                let remedy = "write `{env: NAME}` or `{file: PATH}`";
                self.fault(mark, format!("{what} has no source"), remedy);
                None
            }
        }
    }

    fn of_environment(&mut self, name: &Placed<String>) -> Option<Secret> {
        if name.mark.is_made_up() {
            return None;
        }
        let found = self.environment.get(&name.value);
        if found.is_none() {
            let remedy = match nearest(&name.value, self.environment.names()) {
                Some(near) => format!("set it; `{near}` is set"),
                None => "set it where Weir is started".to_owned(),
            };
            self.fault(name.mark, format!("the environment has no `{}`", name.value), remedy);
        }
        found.cloned()
    }

    fn of_file(&mut self, path: &Placed<String>) -> Option<Secret> {
        if path.mark.is_made_up() {
            return None;
        }
        let missing = Err(Unreadable::Missing);
        match self.reading.secrets.get(&path.value).unwrap_or(&missing) {
            Ok(text) => Some(text.clone()),
            Err(reason) => {
                self.fault(path.mark, format!("`{}`: {reason}", path.value), reason.remedy());
                None
            }
        }
    }

    /// The certificate and key that `written` names, if they belong together.
    pub(super) fn certificate(&mut self, written: &document::Certificate) -> Option<Certificate> {
        let document::Certificate { certificate_file, key_file } = written;
        let (pem, key_pem) = (self.of_file(certificate_file), self.of_file(key_file));
        let chain = pem.and_then(|pem| {
            let chain = X509::stack_from_pem(pem.expose().as_bytes()).ok();
            let chain = chain.filter(|chain| !chain.is_empty());
            if chain.is_none() {
                let message = format!("`{}` holds no certificate", certificate_file.value);
                let remedy = "it must be PEM: -----BEGIN CERTIFICATE-----";
                self.fault(certificate_file.mark, message, remedy);
            }
            Some((pem, chain?))
        });
        let key = key_pem.and_then(|pem| {
            // An empty password keeps OpenSSL from asking for one on the terminal.
            let key = PKey::private_key_from_pem_passphrase(pem.expose().as_bytes(), b"").ok();
            if key.is_none() {
                let message = format!("`{}` holds no private key", key_file.value);
                let remedy = "it must be PEM without a password: -----BEGIN PRIVATE KEY-----";
                self.fault(key_file.mark, message, remedy);
            }
            Some((pem, key?))
        });
        let ((pem, chain), (key_pem, key)) = (chain?, key?);
        let public = chain.first().and_then(|leaf| leaf.public_key().ok());
        if !public.is_some_and(|public| public.public_eq(&key)) {
            let message = format!(
                "the key in `{}` does not belong to the first certificate in `{}`",
                key_file.value, certificate_file.value
            );
            self.fault(key_file.mark, message, "put the certificate of the key first in its file");
            return None;
        }
        Some(Certificate { certificate_pem: Arc::from(pem.expose()), key_pem })
    }
}
