//! Who the gateway is to services that take tokens.

use std::path::PathBuf;
use std::sync::Arc;

use super::registry::Registry;
use super::{ITEMS_MAX, Validator, target};
use crate::backend::document::Url;
use crate::backend::principal::{Principal, Principals, Proof};
use crate::configuration::document::SecretValue;
use crate::configuration::yaml::{Mark, Placed};

impl Validator<'_> {
    pub(super) fn principals(&mut self) -> Arc<Principals> {
        let written = &self.document.identities;
        self.few("identities", written.iter().map(|it| it.client_id.mark), ITEMS_MAX);
        let mut registry = Registry::new("client");
        let mut usual = None;
        let mut all = Vec::with_capacity(written.len());
        for (index, identity) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.client_id.mark);
            self.register(&mut registry, first, &identity.client_id, index);
            let is_usual = identity.system_assigned.as_ref().filter(|it| it.value);
            if let Some(second) = is_usual
                && usual.replace(second.mark).is_some()
            {
                let message = "two identities are `systemAssigned`";
                self.fault(second.mark, message, "keep one: policies without `client-id` mean it");
            }
            let endpoint = self.token_endpoint(&identity.endpoint);
            let proof = self.proof(
                (identity.secret.as_ref(), identity.token_file.as_ref()),
                &format!("the identity `{}`", identity.client_id.value),
                identity.client_id.mark,
            );
            if let (Some(endpoint), Some(proof)) = (endpoint, proof) {
                let client_id = Arc::from(identity.client_id.value.as_str());
                let is_usual = is_usual.is_some();
                all.push(Principal { client_id, is_usual, endpoint, proof });
            }
        }
        Arc::new(Principals::new(all))
    }

    /// Where tokens are got.
    pub(super) fn token_endpoint(&mut self, written: &Placed<String>) -> Option<Url> {
        if written.mark.is_made_up() {
            return None;
        }
        let url = match Url::parse(&written.value) {
            Ok(url) => url,
            Err(refused) => {
                let remedy =
                    "write it as https://login.microsoftonline.com/TENANT/oauth2/v2.0/token";
                self.fault(written.mark, refused.to_string(), remedy);
                return None;
            }
        };
        let host = &url.base().host;
        if let Some((why, remedy)) = target::refused(host) {
            let message = format!("requests must not go to `{host}`: {why}");
            self.fault(written.mark, message, remedy);
            return None;
        }
        Some(url)
    }

    /// How `what`, written at `mark`, proves who it is: by a secret, or by a token in a file.
    pub(super) fn proof(
        &mut self,
        written: (Option<&SecretValue>, Option<&Placed<String>>),
        what: &str,
        mark: Mark,
    ) -> Option<Proof> {
        match written {
            (Some(secret), None) => {
                self.secret(secret, &format!("the secret of {what}"), mark).map(Proof::Secret)
            }
            (None, Some(file)) if file.mark.is_made_up() => None,
            (None, Some(file)) if file.value.starts_with('/') => {
                Some(Proof::TokenFile(PathBuf::from(&file.value)))
            }
            (None, Some(file)) => {
                let message = format!("`{}` is no absolute path", file.value);
                let remedy = "name a file of the machine that the gateway runs on";
                self.fault(file.mark, message, remedy);
                None
            }
            // That there is no id is told already.
            _ if mark.is_made_up() => None,
            (secret, _) => {
                let has = if secret.is_some() { "both" } else { "neither" };
                let message = format!("{what} has {has} of `secret` and `tokenFile`");
                self.fault(mark, message, "write one of the two");
                None
            }
        }
    }
}
