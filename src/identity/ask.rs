//! Gets one token, from whoever gives it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

use super::form::Form;
use super::grant::{self, Given, Nothing};
use super::host::Host;
use super::kept::{Shelf, Unkept};
use crate::backend::document::Url;
use crate::backend::principal::{Kind, Proof};
use crate::caller::fetch::{Ask, Fetcher, Local, Unfetched, Wanted};
use crate::policy::identity::asked::{Asked, Token, Ungot};
use crate::secret::Secret;
use crate::time::{SystemClock, Timestamp};

/// The largest answer of a token endpoint, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The longest token that is exchanged, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;
/// What the scope of all that a service allows ends with.
const ALL_OF_IT: &str = "/.default";

/// Gets tokens.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) fetcher: Arc<Fetcher>,
    /// How the machine gives them.
    pub(super) host: Host,
    /// What became of consents.
    pub(super) shelf: Shelf,
    /// What time it is, after having waited.
    pub(super) clock: Arc<SystemClock>,
    /// Of what may be asked at the same time, what is left.
    pub(super) at_once: Semaphore,
}

/// Why none was got.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoToken {
    #[error(
        "no identity of this gateway has the client id `{0}`, and its machine gives no tokens: add it \
         to `identities`"
    )]
    Unknown(Arc<str>),
    #[error(
        "no identity of this gateway is `systemAssigned`, and its machine gives no tokens: add one to \
         `identities`"
    )]
    Nobody,
    #[error("the machine names no client: set AZURE_CLIENT_ID, or `client-id` in the policy")]
    NoClient,
    #[error("the identity that the machine gives cannot be used: {0}")]
    Wrong(Arc<str>),
    #[error("the token in {0:?} cannot be read: {1}")]
    File(PathBuf, io::Error),
    #[error("no token from {0}: {1}")]
    Unfetched(String, Unfetched),
    #[error("no token from {0}: {1}")]
    Nothing(String, Nothing),
    #[error(
        "no token from {0}: {1}. What was consented to counts no more: have it consented to again, and \
         write the new `refreshToken` of the authorization"
    )]
    Revoked(String, Nothing),
    #[error("what was got last for the authorization is not known: {0}")]
    Unkept(#[from] Unkept),
    #[error("somebody else is getting a token for the authorization, and does not get done")]
    Claimed,
}

impl Asker {
    /// The token that is asked for, and how long it is good.
    pub(super) async fn get(
        self: &Arc<Self>,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<(Token, Duration), Ungot> {
        let resource = &asked.resource;
        let got = match (&asked.who.kind, &self.host) {
            (Kind::Principal(own), _) => {
                self.granted(&own.endpoint, (&own.client_id, &own.proof), resource, now).await
            }
            (Kind::Authorization(own), _) => Arc::clone(self).authorized(own).await,
            (Kind::Host(named), Host::Workload { endpoint, file, client }) => {
                match named.as_ref().or(client.as_ref()) {
                    Some(id) => {
                        let proof = Proof::TokenFile(file.clone());
                        self.granted(endpoint, (id, &proof), resource, now).await
                    }
                    None => Err(NoToken::NoClient),
                }
            }
            (Kind::Host(named), Host::Endpoint(endpoint)) => {
                let resource = resource.strip_suffix(ALL_OF_IT).unwrap_or(resource);
                let target = endpoint.target(resource, named.as_deref());
                let (name, value) = &endpoint.field;
                let local = Local {
                    base: &endpoint.base,
                    target: &target,
                    field: (name, value),
                    bytes_max: ANSWER_BYTES_MAX,
                };
                let place = endpoint.base.to_string();
                let _turn = self.turn().await;
                let answer = self.fetcher.local(local, now).await;
                let hidden = [value.clone()];
                read(place, answer, &hidden, None, now).map(plain)
            }
            (Kind::Host(_), Host::Wrong(why)) => Err(NoToken::Wrong(Arc::clone(why))),
            (Kind::Host(Some(named)), Host::None) => Err(NoToken::Unknown(Arc::clone(named))),
            (Kind::Host(None), Host::None) => Err(NoToken::Nobody),
        };
        got.map_err(Ungot::from)
    }

    /// Waits until one more may be asked for, and counts as that until it is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.at_once.acquire().await.ok()
    }

    async fn granted(
        &self,
        endpoint: &Url,
        (client, proof): (&str, &Proof),
        resource: &str,
        now: Timestamp,
    ) -> Result<(Token, Duration), NoToken> {
        let mut form = Form::asking("client_credentials");
        form.add("scope", &scope(resource));
        let request = match proof {
            Proof::Secret(secret) => form.with_secret(client, secret),
            Proof::TokenFile(path) => form.with_assertion(client, assertion(path).await?),
        };
        let ask = Ask::Form(&request.form, request.authorization.as_ref());
        let wanted = Wanted { url: endpoint, ca: None, bytes_max: ANSWER_BYTES_MAX };
        let _turn = self.turn().await;
        let answer = self.fetcher.fetch(wanted, ask, now).await;
        read(endpoint.to_string(), answer, &request.hidden, None, now).map(plain)
    }
}

/// What `place` answers; a token of which nothing says how long it is good is taken to be so for as long
/// as is `usual`.
pub(super) fn read(
    place: String,
    answer: Result<crate::caller::fetch::Answer, Unfetched>,
    hidden: &[Secret],
    usual: Option<Duration>,
    now: Timestamp,
) -> Result<Given, NoToken> {
    match answer {
        Ok(answer) => {
            grant::read(&answer, hidden, usual, now).map_err(|why| NoToken::Nothing(place, why))
        }
        Err(why) => Err(NoToken::Unfetched(place, why)),
    }
}

fn plain(given: Given) -> (Token, Duration) {
    (given.token, given.life)
}

/// What an endpoint of the second version calls all that a service allows.
fn scope(resource: &str) -> String {
    if resource.ends_with(ALL_OF_IT) {
        return resource.to_owned();
    }
    // A slash at its end is a part of its name.
    format!("{resource}{ALL_OF_IT}")
}

/// The token in the file at `path`, as it is now.
pub(super) async fn assertion(path: &Path) -> Result<Secret, NoToken> {
    let file = path.to_owned();
    let read = spawn_blocking(move || {
        let mut text = String::new();
        File::open(file)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
        Ok(Secret::new(text.trim_ascii()))
    });
    let read = read.await.unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into()));
    read.map_err(|why| NoToken::File(path.to_owned(), why))
}

impl From<NoToken> for Ungot {
    fn from(none: NoToken) -> Self {
        let reason = match none {
            NoToken::Unknown(_) | NoToken::Nobody | NoToken::NoClient => Self::NOBODY,
            NoToken::Wrong(_)
            | NoToken::File(..)
            | NoToken::Unfetched(..)
            | NoToken::Nothing(..)
            | NoToken::Revoked(..)
            | NoToken::Unkept(_)
            | NoToken::Claimed => Self::REFUSED,
        };
        Self { reason, message: Arc::from(none.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_asked_for_with_all_that_it_allows() {
        for (resource, asked) in [
            ("https://storage.azure.com", "https://storage.azure.com/.default"),
            ("https://storage.azure.com/", "https://storage.azure.com//.default"),
            ("api://a/.default", "api://a/.default"),
            (
                "11111111-2222-3333-4444-555555555555",
                "11111111-2222-3333-4444-555555555555/.default",
            ),
        ] {
            assert_eq!(scope(resource), asked);
        }
    }
}
