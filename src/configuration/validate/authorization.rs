//! What the gateway has been allowed at other services.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ITEMS_MAX, Validator};
use crate::backend::authorization::{Authorization, Authorizations};
use crate::configuration::document::ProviderAuthorization;
use crate::configuration::yaml::Mark;

/// The longest scope, and the longest name or value of a parameter, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// The most parameters of one authorization.
const PARAMETERS_MAX: usize = 16;
/// What the gateway says itself: nobody else may.
const OWN_PARAMETERS: [&str; 8] = [
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "grant_type",
    "refresh_token",
    "scope",
];

impl Validator<'_> {
    pub(super) fn authorizations(&mut self) -> Arc<Authorizations> {
        let written = &self.document.authorizations;
        self.few("authorizations", written.iter().map(|it| it.id.mark), ITEMS_MAX);
        let mut known: BTreeMap<String, Mark> = BTreeMap::new();
        let mut all = Vec::with_capacity(written.len());
        for authorization in written.iter() {
            let ProviderAuthorization { provider, id, .. } = authorization;
            if provider.mark.is_made_up() || id.mark.is_made_up() {
                continue;
            }
            self.id(provider, "provider");
            self.id(id, "authorization");
            let name = format!("{}/{}", provider.value, id.value).to_ascii_lowercase();
            if let Some(first) = known.insert(name.clone(), id.mark) {
                let message = format!("there are two authorizations `{name}`");
                let place = self.spot(first).place;
                self.fault(
                    id.mark,
                    message,
                    format!("rename one of the two; the other is at {place}"),
                );
            }
            all.extend(self.provider_authorization(authorization).map(Arc::new));
        }
        Arc::new(Authorizations::new(all))
    }

    fn provider_authorization(&mut self, written: &ProviderAuthorization) -> Option<Authorization> {
        let name = format!("{}/{}", written.provider.value, written.id.value);
        let endpoint = self.token_endpoint(&written.endpoint);
        let proof = self.proof(
            (written.secret.as_ref(), written.token_file.as_ref()),
            &format!("the authorization `{name}`"),
            written.id.mark,
        );
        let refresh_token = match &written.refresh_token {
            Some(token) => {
                let what = format!("the refresh token of the authorization `{name}`");
                // What it stands for without is something else.
                Some(self.secret(token, &what, written.id.mark)?)
            }
            None => None,
        };
        let scope = written.scope.as_ref();
        if let Some(scope) = scope.filter(|scope| TEXT_BYTES_MAX < scope.value.len()) {
            let message = format!("the scope has more than {TEXT_BYTES_MAX} bytes");
            self.fault(scope.mark, message, "ask for less");
        }
        self.form_parameters(written, &name);
        let is_client_empty = written.client_id.value.trim().is_empty();
        if is_client_empty && !written.client_id.mark.is_made_up() {
            let message = format!("the authorization `{name}` has no client");
            self.fault(written.client_id.mark, message, "write the id that the provider has given");
        }
        let pair =
            |(name, value): (&String, &String)| (name.as_str().into(), value.as_str().into());
        Some(Authorization {
            provider: Arc::from(written.provider.value.as_str()),
            id: Arc::from(written.id.value.as_str()),
            endpoint: endpoint?,
            client_id: Arc::from(written.client_id.value.as_str()),
            proof: proof?,
            in_form: written.secret_in_form,
            scope: Arc::from(scope.map_or("", |scope| scope.value.as_str())),
            parameters: written.parameters.iter().map(pair).collect(),
            refresh_token,
        })
    }

    fn form_parameters(&mut self, written: &ProviderAuthorization, name: &str) {
        let mark = written.id.mark;
        if PARAMETERS_MAX < written.parameters.len() {
            let message =
                format!("the authorization `{name}` has more than {PARAMETERS_MAX} parameters");
            self.fault(mark, message, "send fewer");
        }
        for (parameter, value) in &written.parameters {
            if OWN_PARAMETERS.contains(&parameter.as_str()) {
                let message =
                    format!("`{parameter}` of the authorization `{name}` is the gateway's to say");
                self.fault(mark, message, "take it out of `parameters`");
            } else if TEXT_BYTES_MAX < parameter.len().max(value.len()) {
                let message = format!(
                    "a parameter of the authorization `{name}` has more than {TEXT_BYTES_MAX} bytes"
                );
                self.fault(mark, message, "shorten it");
            }
        }
    }
}
