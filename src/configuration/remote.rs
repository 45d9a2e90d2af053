//! Configurations from a control plane: connects, takes what comes, says what became of it, and
//! connects again.
//!
//! Whatever goes wrong here, the gateway serves what it has. Who waits before it tries again waits
//! for any time up to a longest one that doubles (full jitter), so that gateways that lost their
//! control plane at the same moment do not come back at the same moment.

mod ordered;
mod parcel;
mod talk;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tonic::Status;

use super::bundle::{Bundle, Digest};
use super::credential::client::Client;
use super::credential::{Credential, Holder};
use super::generation::Generation;
use super::offer::State;
use super::source::Wrong;
use super::switch::orders::Orders;
use crate::rpc::dial::{Address, Unreached};
use crate::rpc::{jitter, v2};
use crate::time::{Clock, SystemClock, Timestamp, date};
use crate::token::credential::{Expiry, State as Standing};

/// The longest first wait, and the longest of all.
const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the token is looked at by who has no stream.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Takes a configuration: what it is, and which one.
pub type Take = Arc<dyn Fn(Generation, Arc<Bundle>) + Send + Sync>;
/// Takes what the control plane has switched off.
pub type TakeOrders = Arc<dyn Fn(Orders) + Send + Sync>;
/// Says whether the gateway takes requests.
pub type Ready = Arc<dyn Fn() -> bool + Send + Sync>;
/// Says how the replicas are doing for which we have the stream.
pub type Company = Arc<dyn Fn() -> v2::Cluster + Send + Sync>;

/// A control plane, as a gateway sees it.
#[derive(Clone)]
pub struct Remote {
    /// Where it is.
    pub address: Address,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub token: Arc<Mutex<Holder>>,
    /// Which of the gateway's replicas we are.
    pub replica: String,
    /// How long a connection, and each answer to a call, may take.
    pub time_max: Duration,
    /// Takes what comes.
    pub take: Take,
    /// Takes what is switched off.
    pub take_orders: TakeOrders,
    /// What came last of which the control plane says that all replicas of a cluster are to serve it
    /// at once.
    pub urgent: Arc<Mutex<Option<Digest>>>,
    /// Whether we take requests.
    pub ready: Ready,
    /// What became of it.
    pub state: watch::Receiver<State>,
    /// What we have already.
    pub held: Option<(Generation, Arc<Bundle>)>,
    /// Whose stream it is besides ours, if it is; then [`state`](Self::state) is that of all of them.
    pub company: Option<Company>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// How it goes, for whoever shows it.
    pub link: watch::Sender<Link>,
}

/// How it goes with the control plane.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// Whether a stream is open.
    pub is_connected: bool,
    /// Why the last stream ended, or none could be opened; empty while one is open.
    pub reason: String,
    /// Since when there is no stream, although there should be one.
    pub lost: Option<Timestamp>,
    /// Whether another replica has the stream, for all of a cluster.
    pub is_elsewhere: bool,
    /// When our token expires, if we have one.
    pub token_expires: Option<Timestamp>,
    /// How long before that it should be replaced.
    token_near: Duration,
    /// When to warn of it the next time.
    warn_at: Timestamp,
}

/// What of one stream is still true in the next one.
#[derive(Debug, Default)]
struct Memory {
    /// Whether what we have came over a stream, or a control plane knows it: what was found on disk
    /// is taken as soon as it says so.
    is_known: bool,
    /// What was taken last, until the control plane was told that it is served.
    judged: Option<Judged>,
}

/// A configuration that was taken.
#[derive(Clone, Copy, Debug)]
struct Judged {
    generation: Generation,
    /// Whether the control plane was told that it is refused. It may be served later all the same.
    is_told: bool,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("there is no token of this gateway that could be shown: {0}")]
    Token(String),
    #[error(transparent)]
    Unreached(#[from] Unreached),
    #[error("the control plane does not answer within {0:?}")]
    Silent(Duration),
    #[error("the control plane says: {}", .0.message())]
    Refused(Box<Status>),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("the control plane asks to come back later")]
    Retreat(Duration),
    #[error("the control plane sends what cannot be used: {0}")]
    Nonsense(&'static str),
}

impl Link {
    /// How long our token is good, if we have one.
    pub fn token(&self, now: Timestamp) -> Option<Expiry> {
        self.token_expires.map(|at| Expiry::within(at, self.token_near, now))
    }

    /// Whether our token has expired: what runs goes on, and nothing new comes.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.token_expires.is_some_and(|at| at <= now)
    }
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl Remote {
    /// Keeps a stream open, for ever.
    pub async fn run(mut self) {
        if let Some(client) = self.getter() {
            client.first(self.time_max).await;
        }
        let mut longest = WAIT_MIN;
        let mut memory = Memory::default();
        loop {
            let (is_useful, ended) = self.talk(&mut memory).await;
            if is_useful {
                // One that ends at once, again and again, is as good as none.
                longest = WAIT_MIN;
            }
            let (reason, now) = (ended.to_string(), self.clock.now());
            let is_new = self.link.send_if_modified(|link| {
                let is_new = link.is_connected || link.reason != reason;
                link.is_connected = false;
                link.lost.get_or_insert(now);
                link.reason.clone_from(&reason);
                is_new
            });
            if is_new {
                // The same again says nothing new, and would be repeated for as long as it lasts.
                tracing::warn!(reason, "the control plane is not there; what runs goes on");
            }
            let asked = if let Ended::Retreat(wait) = ended { wait } else { Duration::ZERO };
            sleep(jitter(longest.max(asked.min(WAIT_MAX)))).await;
            longest = longest.saturating_mul(2).min(WAIT_MAX);
        }
    }

    /// Looks at our token, for whoever shows until when it is good. Blocks for as long as the disk
    /// does.
    pub fn know_token(&self) {
        if let Ok(credential) = Self::credential(&self.token) {
            self.mind(&credential);
        }
    }

    /// Looks at our token again and again, for ever: who has no stream must not find out that it has
    /// expired when it needs one. One that we get ourselves is got here too.
    pub async fn look_at_token(&self) {
        match self.getter() {
            None => self.keep_looking().await,
            Some(client) => {
                let look = async {
                    client.first(self.time_max).await;
                    self.keep_looking().await;
                };
                tokio::select! {
                    () = client.run() => (),
                    () = look => (),
                }
            }
        }
    }

    async fn keep_looking(&self) {
        loop {
            let holder = Arc::clone(&self.token);
            if let Ok(Ok(credential)) = spawn_blocking(move || Self::credential(&holder)).await {
                self.mind(&credential);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    fn getter(&self) -> Option<Arc<Client>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).getter()
    }

    /// Our token as it is now. Blocks for as long as the disk does.
    fn credential(token: &Mutex<Holder>) -> Result<Credential, Ended> {
        let mut holder = token.lock().unwrap_or_else(PoisonError::into_inner);
        holder.look();
        if let Some(credential) = holder.credential() {
            return Ok(credential.clone());
        }
        Err(Ended::Token(match holder.wrong() {
            None => "none is set".to_owned(),
            Some(Wrong::Unreadable(reason)) => format!("{reason}; {}", reason.remedy()),
            Some(Wrong::Text(malformed)) => malformed.to_string(),
        }))
    }

    /// Notes until when `credential` is good, and warns when it should be replaced.
    fn mind(&self, credential: &Credential) {
        let now = self.clock.now();
        let expiry = credential.expiry(now);
        let mut warns = false;
        self.link.send_if_modified(|link| {
            let is_other = link.token_expires != Some(expiry.at);
            link.token_expires = Some(expiry.at);
            link.token_near = expiry.near;
            warns = expiry.state != Standing::Fine && (is_other || link.warn_at <= now);
            if warns || is_other {
                link.warn_at = expiry.next_warning(now);
            }
            is_other
        });
        if warns {
            let expires = date(expiry.at);
            let state = expiry.state.word();
            tracing::warn!(expires, state, "the token of this gateway should be replaced");
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Remote");
        shown.field("address", &self.address).field("replica", &self.replica);
        shown.finish_non_exhaustive()
    }
}
