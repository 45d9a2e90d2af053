//! Tokens that a gateway gets for itself: the client credentials of OAuth 2.0 (RFC 6749, section
//! 4.4), with a secret, or with the key of a certificate (RFC 7523).
//!
//! A token is got when the gateway starts, and a new one when a quarter of its life is left; until
//! that succeeds the one before is shown. Secret and key are read again each time.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssl::rand::rand_bytes;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Credential, Issued};
use crate::backend::document::Url;
use crate::caller::fetch::{Ask, Fetcher, Unfetched, Wanted};
use crate::configuration::source::{SECRET_BYTES_MAX, Unreadable, read_text};
use crate::identity::ANSWER_BYTES_MAX;
use crate::identity::form::{Form, Request};
use crate::identity::grant::{Given, Nothing, read};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::assertion::{Signatory, Unable};
use crate::rpc::jitter;
use crate::secret::Secret;
use crate::time::{Clock, SystemClock, Timestamp};

/// The longest pause after the first failure, and after many.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(1);
/// The shortest pause after a success, however short the life of a token is.
const PAUSE_MIN: Duration = Duration::from_secs(5);
/// Of how many parts of the life of a token the last one is left when a new one is got.
const LAST_PART: u32 = 4;

/// Gets tokens.
pub struct Client {
    plan: Plan,
    fetcher: Arc<Fetcher>,
    clock: Arc<SystemClock>,
    got: watch::Sender<Got>,
}

/// Where tokens are got, and as whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The token endpoint.
    pub endpoint: Url,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca: Option<PathBuf>,
    /// The id of the client.
    pub id: String,
    /// How the client proves who it is.
    pub proof: Proof,
    /// What the token is to be for; not said if empty.
    pub scope: String,
    /// For whom, where the endpoint asks for that; not said if empty.
    pub audience: String,
    /// Which gateway we are, where the client may be several.
    pub gateway: Option<Arc<str>>,
}

/// How a client proves who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proof {
    /// By a secret, in this file.
    Secret(PathBuf),
    /// By the key of a certificate.
    Certificate {
        /// PEM: the certificate, perhaps with its issuers behind it.
        certificate: PathBuf,
        /// PEM: its key.
        key: PathBuf,
        /// How it signs; the best for the key if not set.
        algorithm: Option<Algorithm>,
    },
}

/// What was got.
#[derive(Clone, Debug, Default)]
struct Got {
    credential: Option<Credential>,
    wrong: Option<Arc<str>>,
}

/// Why no token was got.
#[derive(Debug, thiserror::Error)]
enum Ungot {
    #[error("the file {0:?} cannot be used: {1}")]
    Unreadable(PathBuf, Unreadable),
    #[error("the certificate {0:?} cannot prove who we are: {1}")]
    Unable(PathBuf, Unable),
    #[error("no token from {0}: {1}")]
    Unfetched(Url, Unfetched),
    #[error("no token from {0}: {1}")]
    Nothing(Url, Nothing),
    #[error("there are no random numbers")]
    Random,
    #[error("the files of this client cannot be read")]
    Lost,
}

impl Client {
    /// A client that has no token yet: it gets them while it [runs](Self::run).
    pub fn new(plan: Plan, fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) -> Self {
        Self { plan, fetcher, clock, got: watch::Sender::new(Got::default()) }
    }

    /// The token that was got last, and why there is no newer one.
    pub(super) fn got(&self) -> (Option<Credential>, Option<Arc<str>>) {
        let got = self.got.borrow();
        (got.credential.clone(), got.wrong.clone())
    }

    /// Waits for the first token, or the reason why there is none; not for longer than `time_max`.
    pub async fn first(&self, time_max: Duration) {
        let mut got = self.got.subscribe();
        let is_over = |got: &Got| got.credential.is_some() || got.wrong.is_some();
        // Whoever waits goes on, whatever came of it.
        let _ = timeout(time_max, got.wait_for(is_over)).await;
    }

    /// Gets tokens, for ever.
    pub async fn run(&self) {
        let mut longest = RETRY_MIN;
        loop {
            let pause = match self.get().await {
                Ok((credential, life)) => {
                    longest = RETRY_MIN;
                    let had_none = self.got.borrow().wrong.is_some();
                    if had_none {
                        tracing::info!(endpoint = %self.plan.endpoint, "a token was got again");
                    }
                    self.got.send_replace(Got { credential: Some(credential), wrong: None });
                    pause(life)
                }
                Err(ungot) => {
                    self.fail(&ungot);
                    let pause = jitter(longest);
                    longest = longest.saturating_mul(2).min(RETRY_MAX);
                    pause
                }
            };
            sleep(pause).await;
        }
    }

    fn fail(&self, ungot: &Ungot) {
        let reason: Arc<str> = Arc::from(ungot.to_string());
        let is_new = self.got.borrow().wrong.as_ref() != Some(&reason);
        if is_new {
            // The same again says nothing new, and would be repeated for as long as it lasts.
            tracing::warn!(reason = &*reason, "no token was got; the one before is shown, if any");
        }
        self.got.send_modify(|got| got.wrong = Some(reason));
    }

    async fn get(&self) -> Result<(Credential, Duration), Ungot> {
        let (plan, now) = (self.plan.clone(), self.clock.now());
        let request = spawn_blocking(move || plan.request(now)).await;
        let request = request.unwrap_or(Err(Ungot::Lost))?;
        let Plan { endpoint, ca, gateway, .. } = &self.plan;
        let ask = Ask::Form(&request.form, request.authorization.as_ref());
        let wanted = Wanted { url: endpoint, ca: ca.as_deref(), bytes_max: ANSWER_BYTES_MAX };
        let answer = self.fetcher.fetch(wanted, ask, now).await;
        let answer = answer.map_err(|why| Ungot::Unfetched(endpoint.clone(), why))?;
        let read = read(&answer, &request.hidden, None, now);
        let Given { token, life, .. } =
            read.map_err(|why| Ungot::Nothing(endpoint.clone(), why))?;
        // From before it was asked for: it may have been made at once.
        let issued = Issued::lasting(token.text, now, life, gateway.clone());
        Ok((Credential::Issued(issued), life))
    }
}

/// How long to wait before the next token, of one that lives so long: any time about the beginning
/// of its last part.
fn pause(life: Duration) -> Duration {
    let last = life.checked_div(LAST_PART).unwrap_or_default();
    let spread = last.checked_div(LAST_PART).unwrap_or_default();
    life.saturating_sub(last).saturating_sub(jitter(spread)).max(PAUSE_MIN)
}

impl Plan {
    /// What to send now. Blocks for as long as the disk does.
    fn request(&self, now: Timestamp) -> Result<Request, Ungot> {
        let mut form = Form::asking("client_credentials");
        form.add("scope", &self.scope);
        form.add("audience", &self.audience);
        match &self.proof {
            Proof::Secret(path) => {
                let secret = read_text(path, SECRET_BYTES_MAX);
                let secret = secret.map_err(|why| Ungot::Unreadable(path.clone(), why))?;
                Ok(form.with_secret(&self.id, &Secret::new(secret.trim_ascii())))
            }
            Proof::Certificate { certificate, key, algorithm } => {
                let read = |path: &PathBuf| {
                    let read = read_text(path, SECRET_BYTES_MAX).map(Secret::new);
                    read.map_err(|why| Ungot::Unreadable(path.clone(), why))
                };
                let (own, private) = (read(certificate)?, read(key)?);
                let unable = |why| Ungot::Unable(certificate.clone(), why);
                let (own, private) = (own.expose().as_bytes(), private.expose().as_bytes());
                let signatory = Signatory::of(own, private, *algorithm).map_err(unable)?;
                let audience = self.endpoint.to_string();
                let made = signatory.assertion(&self.id, &audience, &id()?, now);
                Ok(form.with_assertion(&self.id, made.map_err(unable)?))
            }
        }
    }
}

/// An id that no other assertion has.
fn id() -> Result<String, Ungot> {
    let mut bytes = [0; 16];
    rand_bytes(&mut bytes).map_err(|_refused| Ungot::Random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Client");
        shown.field("plan", &self.plan).field("got", &*self.got.borrow());
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn plan(proof: Proof) -> Plan {
        Plan {
            endpoint: Url::parse("https://issuer.example/token").unwrap(),
            ca: None,
            id: "weir berlin".to_owned(),
            proof,
            scope: "api://weir/.default".to_owned(),
            audience: String::new(),
            gateway: None,
        }
    }

    #[test]
    fn a_secret_travels_as_the_standard_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let plan = plan(Proof::Secret(path.clone()));
        assert!(matches!(plan.request(NOW), Err(Ungot::Unreadable(_, Unreadable::Missing))));
        fs::write(&path, "a:b+ü\n").unwrap();
        let request = plan.request(NOW).unwrap();
        let form = "grant_type=client_credentials&scope=api%3A%2F%2Fweir%2F%2Edefault";
        assert_eq!(request.form.expose(), form);
        let basic = STANDARD.encode("weir%20berlin:a%3Ab%2B%C3%BC");
        assert_eq!(request.authorization.unwrap().expose(), format!("Basic {basic}"));
        // Another one is read the next time.
        fs::write(&path, "c").unwrap();
        assert_eq!(plan.request(NOW).unwrap().hidden[0].expose(), "c");
    }

    #[test]
    fn a_new_token_is_got_while_the_one_before_is_good() {
        for seconds in [0, 10, 60, 3_600, 86_400] {
            let life = Duration::from_secs(seconds);
            let pause = pause(life);
            assert!(PAUSE_MIN <= pause, "{pause:?}");
            assert!(
                pause == PAUSE_MIN || (life * 2 / 3 < pause && pause <= life * 3 / 4),
                "{pause:?}"
            );
        }
    }
}
