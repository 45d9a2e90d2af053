//! Secrets and certificates: found where the document says they are.
//!
//! A fault about a secret points at the item that has it, never at the line of the secret
//! itself, because faults show the line.

use std::sync::Arc;

use super::Validator;
use crate::certificate::{self, Certificate, Wrong};
use crate::configuration::config::{NamedValue, Secret};
use crate::configuration::document::{self, SecretValue, StoreSecret, ValueSource};
use crate::configuration::source::{Unreadable, Withheld};
use crate::configuration::yaml::{Mark, Placed};
use crate::dapr::name::Component;
use crate::fault::nearest;

/// The longest name of a secret in a store, and of an item of it, in bytes.
const SECRET_NAME_BYTES_MAX: usize = 512;
/// How a store is named.
const STORE_REMEDY: &str = "name the component as the sidecar knows it";

/// The longest text that named values are filled into: a certificate with its issuers, in Base64.
const FILLED_BYTES_MAX: usize = 1 << 20;

impl Validator<'_> {
    /// The text that `value` is or names; `what` it is of the item at `mark`.
    pub(super) fn secret(&mut self, value: &SecretValue, what: &str, mark: Mark) -> Option<Secret> {
        let ValueSource { env, file, dapr } = match value {
            SecretValue::Text(text) => return Some(text.clone()),
            SecretValue::Other(source) => source,
        };
        match (env, file, dapr) {
            (Some(env), None, None) => self.of_environment(env),
            (None, None, Some(dapr)) => self.of_store(dapr),
            (None, Some(file), None) => {
                let text = self.of_file(file)?;
                let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
                Some(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
            }
            (Some(_), Some(file), _) => {
                self.fault(file.mark, format!("{what} has two sources"), "keep `env` or `file`");
                None
            }
            (_, _, Some(dapr)) => {
                let remedy = "keep `dapr` or the other one";
                self.fault(dapr.store.mark, format!("{what} has two sources"), remedy);
                None
            }
            (None, None, None) => {
                let remedy = "write `{env: NAME}` or `{file: PATH}`";
                self.fault(mark, format!("{what} has no source"), remedy);
                None
            }
        }
    }

    /// The same; each `{{name}}` in a text stands for that named value.
    pub(super) fn text_with_named(
        &mut self,
        value: &SecretValue,
        names: &[NamedValue],
        what: &str,
        mark: Mark,
    ) -> Option<Secret> {
        let text = self.secret(value, what, mark)?;
        if !matches!(value, SecretValue::Text(_)) {
            return Some(text);
        }
        let (mut filled, mut rest) = (String::new(), text.expose());
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { break };
            filled.push_str(before);
            filled.push_str(self.named_value(name.trim(), names, what, mark)?.expose());
            if FILLED_BYTES_MAX < filled.len() {
                let message = format!("{what} has more than {FILLED_BYTES_MAX} bytes");
                self.fault(mark, message, "shorten it, or the named values in it");
                return None;
            }
            rest = behind;
        }
        filled.push_str(rest);
        Some(Secret::new(&filled))
    }

    fn named_value(
        &mut self,
        wanted: &str,
        names: &[NamedValue],
        what: &str,
        mark: Mark,
    ) -> Option<Secret> {
        let known = names.iter().find(|known| known.name.eq_ignore_ascii_case(wanted));
        if known.is_none() {
            let message = format!("{what} is a named value `{wanted}`, and there is none");
            let remedy = match nearest(wanted, names.iter().map(|known| &*known.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `namedValues`, or correct the name".to_owned(),
            };
            self.fault(mark, message, remedy);
        }
        known.map(|known| known.value.clone())
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

    /// The secret of a store that Dapr's sidecar knows.
    fn of_store(&mut self, written: &StoreSecret) -> Option<Secret> {
        let StoreSecret { store, name, key } = written;
        let parts = [Some(store), Some(name), key.as_ref()];
        if parts.into_iter().flatten().any(|part| part.mark.is_made_up()) {
            return None;
        }
        if let Err(why) = Component::new(&store.value) {
            self.fault(store.mark, format!("`{}`: {why}", store.value), STORE_REMEDY);
            return None;
        }
        let is_odd = |part: &&Placed<String>| {
            let text = part.value.as_str();
            text.is_empty()
                || SECRET_NAME_BYTES_MAX < text.len()
                || text.contains(|c: char| c == '#' || c.is_control())
        };
        if let Some(odd) = [Some(name), key.as_ref()].into_iter().flatten().find(is_odd) {
            let message = format!("`{}` is no name of a secret or of an item of it", odd.value);
            let remedy =
                format!("a name is a text of at most {SECRET_NAME_BYTES_MAX} bytes without `#`");
            self.fault(odd.mark, message, remedy);
            return None;
        }
        let unasked = Err(Unreadable::from(Withheld::Unasked));
        match self.reading.secrets.get(&written.reference()).unwrap_or(&unasked) {
            Ok(text) => Some(text.clone()),
            Err(reason) => {
                let message = format!("`{}` of the store `{}`: {reason}", name.value, store.value);
                self.fault(name.mark, message, reason.remedy());
                None
            }
        }
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
    pub(super) fn certificate(
        &mut self,
        written: &document::Certificate,
    ) -> Option<Arc<Certificate>> {
        let document::Certificate { certificate_file, key_file } = written;
        let (pem, key) = (self.of_file(certificate_file), self.of_file(key_file));
        let read = pem.and_then(|pem| {
            let read = Certificate::read(pem.expose().as_bytes());
            read.map_err(|wrong| self.unfit(certificate_file, wrong)).ok()
        });
        let is_key = key.as_ref().is_some_and(|key| {
            // Looked at by itself first, so that both are told if both are wrong.
            let read = certificate::read_key(key.expose().as_bytes(), "");
            read.map_err(|wrong| self.unfit(key_file, wrong)).is_ok()
        });
        let (read, key) = (read?, key.filter(|_key| is_key)?);
        let whole = read.with_key(key.expose().as_bytes(), "").map_err(|_other| {
            let message = format!(
                "the key in `{}` does not belong to the first certificate in `{}`",
                key_file.value, certificate_file.value
            );
            self.fault(key_file.mark, message, "put the certificate of the key first in its file");
        });
        whole.map(Arc::new).ok()
    }

    fn unfit(&mut self, path: &Placed<String>, wrong: Wrong) {
        let (message, remedy) = match wrong {
            Wrong::NoCertificate => {
                ("holds no certificate".to_owned(), "it must be PEM: -----BEGIN CERTIFICATE-----")
            }
            Wrong::NoKey | Wrong::KeyPassword => (
                "holds no private key".to_owned(),
                "it must be PEM without a password: -----BEGIN PRIVATE KEY-----",
            ),
            Wrong::TooLarge
            | Wrong::TooMany
            | Wrong::OtherKey
            | Wrong::NoBase64
            | Wrong::NoPkcs12
            | Wrong::Password
            | Wrong::Outdated
            | Wrong::Slow
            | Wrong::Unusable => (format!("cannot be used: {wrong}"), wrong.remedy()),
        };
        self.fault(path.mark, format!("`{}` {message}", path.value), remedy);
    }
}
