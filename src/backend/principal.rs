//! As whom the gateway gets tokens to show to other services, and how it proves that it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::authorization::Authorization;
use super::document::Url;
use crate::digest::whole_digest;
use crate::secret::Secret;

/// The longest name of a service that takes tokens, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 1 << 10;
/// The longest id of a client, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// Somebody that the gateway is to other services: an identity of the configuration.
#[derive(Clone, Eq, PartialEq)]
pub struct Principal {
    /// The id of the client.
    pub client_id: Arc<str>,
    /// Whether policies mean it that name nobody.
    pub is_usual: bool,
    /// The token endpoint.
    pub endpoint: Url,
    /// How it proves that it is who it says.
    pub proof: Proof,
}

/// How somebody proves who it is.
#[derive(Clone, Eq, PartialEq)]
pub enum Proof {
    /// By a secret.
    Secret(Secret),
    /// By a token of somebody else, in this file, which whoever runs the gateway keeps new.
    TokenFile(PathBuf),
}

/// Everybody that the gateway is by its configuration; no two have the same id.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Principals(Vec<Principal>);

/// Who is to get a token.
#[derive(Clone, Debug)]
pub struct Who {
    /// Who it is.
    pub kind: Kind,
    /// What is the same for the same one with the same proof.
    pub fingerprint: [u8; 32],
}

/// Who it is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Somebody of the configuration.
    Principal(Principal),
    /// Whoever the machine says that the gateway is; of several the one of this id.
    Host(Option<Arc<str>>),
    /// Whoever has allowed it something at another service.
    Authorization(Arc<Authorization>),
}

/// A token that is wanted.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who is to get it.
    pub who: Arc<Who>,
    /// For which service.
    pub resource: Arc<str>,
}

impl Proof {
    /// What tells it from others: its kind, and what it is.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Secret(secret) => (b"secret", secret.expose().as_bytes()),
            Self::TokenFile(path) => (b"file", path.as_os_str().as_encoded_bytes()),
        }
    }
}

/// Whether a text names one thing: nothing that could end a line, or a field of a form, by itself.
pub fn is_name(text: &str, bytes_max: usize) -> bool {
    !text.is_empty() && text.len() <= bytes_max && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Principals {
    /// These.
    pub const fn new(all: Vec<Principal>) -> Self {
        Self(all)
    }

    /// Whoever is meant by `client`, or by nobody's name: where the configuration has none, it is
    /// the machine's to say.
    pub fn who(&self, client: Option<&str>) -> Who {
        let is_meant = |known: &&Principal| match client {
            Some(client) => known.client_id.eq_ignore_ascii_case(client),
            None => known.is_usual,
        };
        match self.0.iter().find(is_meant) {
            Some(known) => Who::principal(known.clone()),
            None => Who::host(client.map(Arc::from)),
        }
    }
}

impl PartialEq for Who {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Who {}

impl Who {
    fn principal(known: Principal) -> Self {
        let endpoint = known.endpoint.to_string();
        let id = known.client_id.as_bytes();
        let (how, proof) = known.proof.parts();
        let fingerprint = whole_digest([endpoint.as_bytes(), id, how, proof]);
        Self { kind: Kind::Principal(known), fingerprint }
    }

    fn host(client: Option<Arc<str>>) -> Self {
        let id = client.as_deref();
        let fingerprint = whole_digest([b"host".as_slice(), id.unwrap_or_default().as_bytes()]);
        Self { kind: Kind::Host(client), fingerprint }
    }

    /// Whoever has allowed it something.
    pub fn authorization(known: &Arc<Authorization>) -> Self {
        let fingerprint = known.fingerprint();
        Self { kind: Kind::Authorization(Arc::clone(known)), fingerprint }
    }

    /// The id of the client, if one is meant.
    pub fn client_id(&self) -> Option<&str> {
        match &self.kind {
            Kind::Principal(known) => Some(&known.client_id),
            Kind::Host(client) => client.as_deref(),
            Kind::Authorization(known) => Some(&known.client_id),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a token for {}", self.resource)?;
        match &self.who.kind {
            Kind::Principal(own) => write!(formatter, " as {}", own.client_id),
            Kind::Authorization(own) => {
                write!(formatter, " as {}, by its authorization", own.client_id)
            }
            Kind::Host(Some(id)) => write!(formatter, " as {id}, by the machine"),
            Kind::Host(None) => formatter.write_str(", by the machine"),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Principal");
        shown.field("client_id", &self.client_id).field("endpoint", &self.endpoint);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: &str, is_usual: bool, secret: &str) -> Principal {
        Principal {
            client_id: Arc::from(id),
            is_usual,
            endpoint: Url::parse("https://issuer.example/token").unwrap(),
            proof: Proof::Secret(Secret::new(secret)),
        }
    }

    #[test]
    fn a_policy_means_whom_it_names_or_the_usual_one_or_the_machine() {
        let all = Principals::new(vec![principal("a", false, "x"), principal("B", true, "y")]);
        let found = |client: Option<&str>| all.who(client);
        assert!(
            matches!(found(Some("A")).kind, Kind::Principal(known) if &*known.client_id == "a")
        );
        assert!(matches!(found(None).kind, Kind::Principal(known) if &*known.client_id == "B"));
        assert!(matches!(found(Some("c")).kind, Kind::Host(Some(id)) if &*id == "c"));
        assert!(matches!(Principals::default().who(None).kind, Kind::Host(None)));
    }

    #[test]
    fn another_proof_is_somebody_else_and_none_prints() {
        let print = |secret| Who::principal(principal("a", false, secret)).fingerprint;
        assert_eq!(print("x"), print("x"));
        assert_ne!(print("x"), print("y"));
        assert_ne!(Who::host(None).fingerprint, Who::host(Some(Arc::from("a"))).fingerprint);
        assert!(!format!("{:?}", principal("a", false, "hunter2")).contains("hunter2"));
    }
}
