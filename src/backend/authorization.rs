//! What somebody has allowed the gateway to do in his name at another service: OAuth 2.0
//! authorizations, by provider and id, as `get-authorization-context` names them.

use std::fmt;
use std::sync::Arc;

use super::document::Url;
use super::principal::Proof;
use crate::digest::whole_digest;
use crate::secret::Secret;

/// What the gateway may do at a provider, and how it gets tokens for it.
#[derive(Clone, Eq, PartialEq)]
pub struct Authorization {
    /// The provider: `provider-id`.
    pub provider: Arc<str>,
    /// Which of the authorizations at it: `authorization-id`.
    pub id: Arc<str>,
    /// The token endpoint.
    pub endpoint: Url,
    /// The client that the gateway is to it.
    pub client_id: Arc<str>,
    /// How it proves that it is.
    pub proof: Proof,
    /// Whether the secret goes in the form, and not in `Authorization`.
    pub in_form: bool,
    /// What it may do, with spaces between; empty for what the provider has on its books.
    pub scope: Arc<str>,
    /// What else the endpoint is told, by name.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
    /// What somebody's consent gave; without it the gateway acts for itself.
    pub refresh_token: Option<Secret>,
}

/// All authorizations of a configuration; no two have the same provider and id.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Authorizations(Vec<Arc<Authorization>>);

impl Authorization {
    /// What is the same for the same one, asked for in the same way. It stands for all of its
    /// secrets: nobody who does not know them can make it.
    pub fn fingerprint(&self) -> [u8; 32] {
        let consent = self.consent();
        let (how, proof) = self.proof.parts();
        let form = if self.in_form { b"form".as_slice() } else { b"field" };
        let own = [consent.as_slice(), how, proof, form, self.scope.as_bytes()];
        let parameters = self.parameters.iter();
        let parameters = parameters.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        whole_digest(own.into_iter().chain(parameters))
    }

    /// What is the same for the same consent, in whichever way tokens are asked for: a new secret of
    /// the client goes on with what came of the one before.
    pub fn consent(&self) -> [u8; 32] {
        let endpoint = self.endpoint.to_string();
        let refresh = self.refresh_token.as_ref().map_or("", Secret::expose);
        let parts = [&*self.provider, &self.id, &endpoint, &self.client_id, refresh];
        whole_digest([b"consent".as_slice()].into_iter().chain(parts.map(str::as_bytes)))
    }

    /// What people call it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }
}

impl Authorizations {
    /// These.
    pub const fn new(all: Vec<Arc<Authorization>>) -> Self {
        Self(all)
    }

    /// The authorization `id` at `provider`; the case of neither counts.
    pub fn find(&self, provider: &str, id: &str) -> Option<&Arc<Authorization>> {
        let is_it = |known: &&Arc<Authorization>| {
            known.provider.eq_ignore_ascii_case(provider) && known.id.eq_ignore_ascii_case(id)
        };
        self.0.iter().find(is_it)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Authorization>> {
        self.0.iter()
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Authorization");
        shown.field("provider", &self.provider).field("id", &self.id);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(refresh: &str) -> Authorization {
        Authorization {
            provider: Arc::from("spotify"),
            id: Arc::from("music"),
            endpoint: Url::parse("https://issuer.example/token").unwrap(),
            client_id: Arc::from("edge"),
            proof: Proof::Secret(Secret::new("hunter2")),
            in_form: false,
            scope: Arc::from(""),
            parameters: Vec::new(),
            refresh_token: Some(Secret::new(refresh)),
        }
    }

    #[test]
    fn it_is_found_by_provider_and_id_and_prints_no_secret() {
        let all = Authorizations::new(vec![Arc::new(authorization("first"))]);
        assert!(all.find("Spotify", "MUSIC").is_some());
        assert!(all.find("spotify", "other").is_none());
        let shown = format!("{all:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("first"), "{shown}");
    }

    #[test]
    fn another_consent_is_another_authorization() {
        let one = authorization("first").fingerprint();
        assert_eq!(one, authorization("first").fingerprint());
        assert_ne!(one, authorization("second").fingerprint());
        let in_form = Authorization { in_form: true, ..authorization("first") };
        assert_ne!(one, in_form.fingerprint());
        assert_eq!(in_form.consent(), authorization("first").consent());
        assert_ne!(in_form.consent(), authorization("second").consent());
    }
}
