//! How this gateway says who it is: a gateway token, a token of its workload, or one that it gets as
//! a client. What stands in a file may change while it runs.

pub mod client;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::configuration::source::{Kept, SECRET_BYTES_MAX, Wrong};
use crate::jwt::{self, Refusal};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::Malformed;
use crate::token::credential::{self, Expiry, NEAR};

use client::Client;

/// How much of the life of a token of an issuer is left when it should have been replaced: who
/// replaces them does so when a fifth is left.
const NEAR_PART: u32 = 10;
/// The same where it does not say when its life began.
const NEAR_USUALLY: Duration = Duration::from_mins(5);

/// What is shown to the control plane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Credential {
    /// A gateway token, which says who we are.
    Token(credential::Credential),
    /// A token of an issuer, of which the control plane knows who we are.
    Issued(Issued),
}

/// A token of an issuer.
#[derive(Clone, Eq, PartialEq)]
pub struct Issued {
    text: Secret,
    /// From when on it is good for nothing.
    expires: Timestamp,
    /// How long before that it should have been replaced.
    near: Duration,
    /// The gateway that is meant, where the workload may be several.
    gateway: Option<Arc<str>>,
}

/// Where the credential of this gateway comes from.
#[derive(Debug)]
pub enum Holder {
    /// A setting, which changes with a restart alone.
    Setting(Result<Credential, Wrong<NoCredential>>),
    /// A file, which is read again whenever somebody [looks](Self::look).
    File(Kept<Credential, NoCredential>),
    /// Whoever gets one.
    Client {
        /// Gets them.
        client: Arc<Client>,
        /// What it had at the last look.
        got: Option<Credential>,
        /// Why it has no newer one.
        wrong: Option<Wrong<NoCredential>>,
    },
}

/// Why there is no credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoCredential {
    /// What is there is no gateway token.
    #[error(transparent)]
    Token(#[from] Malformed),
    /// What is there is no token of an issuer.
    #[error(transparent)]
    Issued(#[from] Refusal),
    /// It could not be got.
    #[error("{0}")]
    Ungot(Arc<str>),
}

impl Issued {
    /// Reads a token, whose end it says itself; white space around it goes.
    pub fn read(text: &str, gateway: Option<Arc<str>>) -> Result<Self, Refusal> {
        let text = text.trim_ascii();
        let claims = jwt::unverified(text)?;
        let expires = claims.expires().ok_or(Refusal::NoExpiry)?;
        let life = claims.issued().map(|issued| expires.since(issued));
        Ok(Self { text: Secret::new(text), expires, near: near(life), gateway })
    }

    /// A token that was got at `at` and lasts for `life`, whatever it says itself.
    pub fn lasting(text: Secret, at: Timestamp, life: Duration, gateway: Option<Arc<str>>) -> Self {
        Self { text, expires: at + life, near: near(Some(life)), gateway }
    }
}

fn near(life: Option<Duration>) -> Duration {
    let part = life.and_then(|life| life.checked_div(NEAR_PART));
    part.unwrap_or(NEAR_USUALLY).min(NEAR)
}

impl Credential {
    /// Reads a gateway token.
    pub fn token(text: &str) -> Result<Self, NoCredential> {
        Ok(Self::Token(credential::Credential::read(text)?))
    }

    /// What is shown: the value of `authorization`.
    pub fn text(&self) -> Secret {
        match self {
            Self::Token(token) => token.text(),
            Self::Issued(issued) => Secret::new(format!("Bearer {}", issued.text.expose())),
        }
    }

    /// The gateway that is meant, if the credential does not say it by itself.
    pub fn gateway(&self) -> Option<&str> {
        match self {
            Self::Token(_) => None,
            Self::Issued(issued) => issued.gateway.as_deref(),
        }
    }

    /// Who we are, if the credential says it.
    pub fn own_name(&self) -> Option<&str> {
        match self {
            Self::Token(token) => Some(token.gateway().as_str()),
            Self::Issued(_) => None,
        }
    }

    /// How long it is good for. Whether the control plane takes it is another question.
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        match self {
            Self::Token(token) => token.expiry(now),
            Self::Issued(issued) => Expiry::within(issued.expires, issued.near, now),
        }
    }
}

impl Holder {
    /// The gateway token that `text` is.
    pub fn setting(text: &Secret) -> Self {
        Self::Setting(Credential::token(text.expose()).map_err(Wrong::Text))
    }

    /// The gateway token in the file at `path`, as it is now: what cannot be read now may be there
    /// later.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::kept(path, |text| Credential::token(text.expose()))
    }

    /// The token of our workload in the file at `path`, which whoever runs us keeps new; `gateway`
    /// is who we are, where the workload may be several.
    pub fn workload(path: impl Into<PathBuf>, gateway: Option<Arc<str>>) -> Self {
        Self::kept(path, move |text| {
            Ok(Credential::Issued(Issued::read(text.expose(), gateway.clone())?))
        })
    }

    /// The tokens that `client` gets.
    pub const fn client(client: Arc<Client>) -> Self {
        Self::Client { client, got: None, wrong: None }
    }

    fn kept(
        path: impl Into<PathBuf>,
        read: impl Fn(&Secret) -> Result<Credential, NoCredential> + Send + Sync + 'static,
    ) -> Self {
        let mut kept = Kept::new(path, SECRET_BYTES_MAX, read);
        kept.look();
        Self::File(kept)
    }

    /// Looks whether there is another token; true if anything is different. Before each call to
    /// the control plane, and once a minute, is often enough. Blocks for as long as the disk does.
    pub fn look(&mut self) -> bool {
        match self {
            Self::Setting(_) => false,
            Self::File(kept) => kept.look(),
            Self::Client { client, got, wrong } => {
                let (newer, why) = client.got();
                let why = why.map(|why| Wrong::Text(NoCredential::Ungot(why)));
                let is_other = *got != newer || *wrong != why;
                (*got, *wrong) = (newer, why);
                is_other
            }
        }
    }

    /// The token. One that was good stays where the file is gone or wrong.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Setting(read) => read.as_ref().ok(),
            Self::File(kept) => kept.good(),
            Self::Client { got, .. } => got.as_ref(),
        }
    }

    /// What is wrong with the place where it comes from.
    pub fn wrong(&self) -> Option<&Wrong<NoCredential>> {
        match self {
            Self::Setting(read) => read.as_ref().err(),
            Self::File(kept) => kept.wrong(),
            Self::Client { wrong, .. } => wrong.as_ref(),
        }
    }

    /// Who gets them, if somebody does.
    pub fn getter(&self) -> Option<Arc<Client>> {
        match self {
            Self::Client { client, .. } => Some(Arc::clone(client)),
            Self::Setting(_) | Self::File(_) => None,
        }
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Issued");
        shown.field("expires", &self.expires).field("gateway", &self.gateway);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::configuration::source::Unreadable;
    use crate::token::Token;
    use crate::token::credential::State;
    use crate::token::key::Key;
    use crate::token::name::GatewayName;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn token(days: u32) -> Secret {
        let key = Key::of(&(0..64).collect::<Vec<u8>>()).unwrap();
        let name = GatewayName::parse("berlin").unwrap();
        Token::create(&name, &key, NOW, Duration::from_hours(24) * days).unwrap().text()
    }

    fn issued(claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(r#"{"alg":"ES256"}"#), encode(claims))
    }

    fn state(holder: &Holder) -> Option<State> {
        holder.credential().map(|credential| credential.expiry(NOW).state)
    }

    #[test]
    fn a_new_token_in_the_file_counts_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut holder = Holder::file(&path);
        assert_eq!(holder.wrong(), Some(&Wrong::Unreadable(Unreadable::Missing)));
        fs::write(&path, format!("{}\n", token(3).expose())).unwrap();
        assert!(holder.look() && !holder.look());
        assert_eq!((state(&holder), holder.wrong()), (Some(State::Near), None));
        fs::write(&path, token(30).expose()).unwrap();
        assert!(holder.look());
        assert_eq!(state(&holder), Some(State::Fine));
        // A file that is being written, or is gone, leaves us who we are.
        fs::write(&path, "GatewayKey ber").unwrap();
        assert!(holder.look());
        assert_eq!(holder.wrong(), Some(&Wrong::Text(Malformed::Parts.into())));
        assert_eq!(state(&holder), Some(State::Fine));
        assert!(!format!("{holder:?}").contains(token(30).expose().rsplit('&').next().unwrap()));
    }

    #[test]
    fn a_token_of_a_workload_is_shown_as_it_is_and_replaced_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let hour = issued(r#"{"iat":1800000000,"exp":1800003600}"#);
        fs::write(&path, format!("{hour}\n")).unwrap();
        let mut holder = Holder::workload(&path, Some(Arc::from("berlin")));
        let credential = holder.credential().unwrap().clone();
        assert_eq!(credential.text().expose(), format!("Bearer {hour}"));
        assert_eq!(credential.gateway(), Some("berlin"));
        assert!(!format!("{holder:?}").contains(&hour));
        fs::write(&path, issued("{}")).unwrap();
        assert!(holder.look());
        assert_eq!(holder.wrong(), Some(&Wrong::Text(Refusal::NoExpiry.into())));
        assert_eq!(holder.credential(), Some(&credential));
        fs::write(&path, "GatewayKey berlin&").unwrap();
        assert!(holder.look() && matches!(holder.wrong(), Some(Wrong::Text(_))));
        fs::write(&path, issued(r#"{"exp":1800007200}"#)).unwrap();
        assert!(holder.look() && holder.credential() != Some(&credential));
    }

    #[test]
    fn a_short_token_is_near_its_end_when_a_tenth_is_left() {
        let near = |claims: &str| {
            let issued = Issued::read(&issued(claims), None).unwrap();
            Credential::Issued(issued).expiry(NOW).state == State::Near
        };
        assert!(!near(r#"{"iat":1799996761,"exp":1800000361}"#));
        assert!(near(r#"{"iat":1799996760,"exp":1800000360}"#));
        // A month is like that of a gateway token, and what is not said is taken for an hour or so.
        assert!(!near(r#"{"iat":1799900000,"exp":1802592000}"#));
        assert!(near(r#"{"iat":1790000000,"exp":1800604800}"#));
        assert!(near(r#"{"exp":1800000300}"#) && !near(r#"{"exp":1800000301}"#));
    }

    #[test]
    fn a_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, vec![b' '; SECRET_BYTES_MAX + 1]).unwrap();
        let holder = Holder::file(&path);
        let too_large = Unreadable::TooLarge(SECRET_BYTES_MAX);
        assert_eq!(holder.wrong(), Some(&Wrong::Unreadable(too_large)));
    }

    #[test]
    fn a_setting_stays_what_it_is() {
        let mut holder = Holder::setting(&token(30));
        assert!(!holder.look() && state(&holder) == Some(State::Fine));
        let wrong = Holder::setting(&Secret::new("x"));
        assert_eq!(wrong.wrong(), Some(&Wrong::Text(Malformed::Scheme.into())));
    }
}
