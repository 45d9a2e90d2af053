//! Who may ask for a configuration: whoever shows a gateway token, or a token of an issuer that is
//! trusted.

pub mod keys;
pub mod workloads;
pub mod pass;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::caller::fetch::Fetcher;
use crate::issuer::Standing;
use crate::issuer::fetching::Fetching;
use crate::time::{SystemClock, Timestamp};

use keys::Keys;
use workloads::Workloads;

/// The longest credential, in bytes.
pub const CREDENTIAL_BYTES_MAX: usize = 8 << 10;
/// How a credential begins that an issuer made.
const BEARER: &str = "Bearer ";
/// How often files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Knows who a credential is.
pub trait Authority: Send + Sync + 'static {
    /// Who shows this. How long this takes says nothing about how nearly a wrong one is right.
    fn bearer(&self, shown: Shown<'_>, now: Timestamp) -> Result<Bearer, Refused>;

    /// A number that grows whenever a credential that was right may not be so any more.
    fn changes(&self) -> u64;
}

/// What is shown.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The text of the metadata `authorization`.
    pub credential: &'a str,
    /// The gateway that is meant, where the credential may be several.
    pub gateway: Option<&'a str>,
}

/// Who shows a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bearer {
    /// The gateway.
    pub gateway: Arc<str>,
    /// When the credential expires.
    pub until: Timestamp,
    /// What tells who shows it from others, and is no secret.
    pub id: Arc<str>,
}

/// Why a credential is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is nobody's.
    #[error("this is no credential of a gateway that is known here")]
    Wrong,
    /// It was right, and is not any more.
    #[error("this credential cannot be used any more: {0}")]
    Over(String),
    /// It is a token that is not good, or of a workload that is no gateway.
    #[error("the token of this workload is refused: {why}")]
    Token {
        /// Why.
        why: String,
        /// What it says of itself, for the log.
        detail: String,
    },
    /// It cannot be judged yet.
    #[error("the token of this workload cannot be judged yet: {0}")]
    Later(String),
}

/// Everybody who is known.
#[derive(Debug)]
pub struct Credentials {
    /// Those with gateway tokens.
    pub keys: Option<Keys>,
    /// Those with tokens of issuers.
    pub workloads: Option<Workloads>,
}

impl Authority for Credentials {
    fn bearer(&self, shown: Shown<'_>, now: Timestamp) -> Result<Bearer, Refused> {
        let begin = shown.credential.get(..BEARER.len());
        if begin.is_some_and(|begin| begin.eq_ignore_ascii_case(BEARER)) {
            let token = shown.credential.get(BEARER.len()..).unwrap_or_default();
            return match &self.workloads {
                Some(workloads) => workloads.bearer(token.trim_ascii(), shown.gateway, now),
                None => Err(Refused::Token {
                    why: "this control plane trusts no issuer of tokens".to_owned(),
                    detail: "control.issuersFile is not set".to_owned(),
                }),
            };
        }
        self.keys.as_ref().ok_or(Refused::Wrong)?.bearer(shown.credential, now)
    }

    fn changes(&self) -> u64 {
        // Each of them only grows, and so does their sum.
        let keys = self.keys.as_ref().map_or(0, Keys::changes);
        let workloads = self.workloads.as_ref().map_or(0, Workloads::changes);
        keys.wrapping_add(workloads)
    }
}

impl Credentials {
    /// How it goes with the issuers that are trusted.
    pub fn issuers(&self) -> Vec<Standing> {
        self.workloads.as_ref().map(Workloads::standing).unwrap_or_default()
    }

    /// Looks at files, and fetches the keys of issuers, for ever.
    pub async fn attend(self: Arc<Self>, fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) {
        let mut fetching = Fetching::new(fetcher, clock);
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let credentials = Arc::clone(&self);
            // A look that panics is a bug, and the next one may not.
            let _ = spawn_blocking(move || credentials.look()).await;
            if let Some(workloads) = &self.workloads {
                fetching.follow(&workloads.fetched());
            }
        }
    }

    fn look(&self) {
        if let Some(keys) = &self.keys {
            keys.look();
        }
        if let Some(workloads) = &self.workloads {
            workloads.look();
        }
    }
}

impl Refused {
    /// The same and more, for the log.
    pub fn detail(&self) -> String {
        match self {
            Self::Token { detail, .. } => format!("{self}; {detail}"),
            Self::Wrong | Self::Over(_) | Self::Later(_) => self.to_string(),
        }
    }
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shown").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}
