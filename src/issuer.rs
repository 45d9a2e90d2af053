//! Who vouches for callers: an issuer of tokens, whose keys are fetched in the background.
//!
//! A token is judged by the keys that are there, and nobody waits for an issuer: keys are fetched
//! when they are first wanted, every hour, and when a token names one that is not there. An issuer
//! that is away, or that publishes nonsense, leaves the keys as they are, for a day.

mod schedule;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::backend::document::{NoUrl, Url};
use crate::caller::fetch::{Answer, Ask, Fetcher, Unfetched, Wanted};
use crate::jwt::discovery::{self, DOCUMENT_BYTES_MAX, NoDocument};
use crate::jwt::jwks::{self, JWKS_BYTES_MAX, KeySet, NoKeySet};
use crate::rpc::jitter;
use crate::secret::Secret;
use crate::time::{Clock, SystemClock, Timestamp};

use schedule::Schedule;

/// The longest token that an issuer is shown, in bytes.
const TOKEN_BYTES_MAX: u64 = 32 << 10;

/// An issuer, and where its keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What it calls itself: `iss`.
    pub name: String,
    /// Where its keys are.
    pub place: KeyPlace,
    /// PEM file of the authorities that it is judged by; those of the machine if not set.
    pub ca: Option<PathBuf>,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyPlace {
    /// Where the document at this address says.
    Discovered(Url),
    /// Here; whoever asks shows the token in the file.
    At(Url, Option<PathBuf>),
}

/// An issuer, with its keys as far as they are known.
#[derive(Debug)]
pub struct Issuer {
    plan: Plan,
    known: Mutex<Known>,
    /// That somebody misses a key.
    wanted: Notify,
    /// Grows with every change of keys, of any issuer that shares it.
    changes: Arc<AtomicU64>,
}

/// What is known of the keys of an issuer.
#[derive(Debug, Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    /// As they were published.
    text: String,
    schedule: Schedule,
    trouble: Option<String>,
}

/// How it goes with an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// What it calls itself.
    pub name: String,
    /// How many of its keys can be used.
    pub keys: usize,
    /// When they were fetched.
    pub fetched: Option<Timestamp>,
    /// Why they cannot be fetched again.
    pub trouble: Option<String>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
enum NoKeys {
    #[error("{0}: {1}")]
    Unfetched(Url, Unfetched),
    #[error("{0}: {1}")]
    Document(Url, NoDocument),
    #[error("{0}: the address of the keys is {1:?}: {2}")]
    Address(Url, String, NoUrl),
    #[error("{0}: {1}")]
    Set(Url, NoKeySet),
    #[error("the token in {0:?} cannot be read: {1}")]
    Token(PathBuf, io::Error),
}

impl KeyPlace {
    /// Where the issuer `name` says itself.
    pub fn discovered(name: &str) -> Result<Self, NoUrl> {
        Url::parse(name)?.below(discovery::PATH).map(Self::Discovered)
    }
}

impl Issuer {
    /// An issuer whose keys are not known yet: they are fetched while it is [kept](Self::keep).
    pub fn new(plan: Plan, changes: Arc<AtomicU64>) -> Self {
        Self { plan, known: Mutex::default(), wanted: Notify::new(), changes }
    }

    /// Who it is, and where its keys are.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its keys, if there are any that count.
    pub fn keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let known = self.lock();
        known.keys.clone().filter(|_keys| known.schedule.counts(now))
    }

    /// Notes that a token names a key that is not there: they are fetched again if that was not done
    /// for the same reason a short while ago. Whether they are.
    pub fn miss(&self, now: Timestamp) -> bool {
        let is_heeded = self.lock().schedule.miss(now);
        if is_heeded {
            self.wanted.notify_one();
        }
        is_heeded
    }

    /// How it goes.
    pub fn standing(&self) -> Standing {
        let known = self.lock();
        Standing {
            name: self.plan.name.clone(),
            keys: known.keys.as_ref().map_or(0, |keys| keys.keys.len()),
            fetched: known.schedule.fetched(),
            trouble: known.trouble.clone(),
        }
    }

    /// Fetches its keys, again and again, for ever.
    pub async fn keep(&self, fetcher: &Fetcher, clock: &SystemClock) {
        loop {
            let (least, spread) = self.lock().schedule.pause();
            tokio::select! {
                () = sleep(least.saturating_add(jitter(spread))) => (),
                () = self.wanted.notified() => (),
            }
            let told = self.fetch(fetcher, clock.now()).await;
            self.note(told, clock.now());
        }
    }

    async fn fetch(&self, fetcher: &Fetcher, now: Timestamp) -> Result<(String, KeySet), NoKeys> {
        let ca = self.plan.ca.as_deref();
        let (url, token) = match &self.plan.place {
            KeyPlace::Discovered(document) => {
                let wanted = Wanted { url: document, ca, bytes_max: DOCUMENT_BYTES_MAX };
                let told = fetcher.fetch(wanted, Ask::Get(None), now).await;
                let told = told.and_then(Answer::document);
                let told = told.map_err(|why| NoKeys::Unfetched(document.clone(), why))?;
                let place = discovery::key_set(&self.plan.name, &told);
                let place = place.map_err(|why| NoKeys::Document(document.clone(), why))?;
                let url = Url::parse(&place);
                (url.map_err(|why| NoKeys::Address(document.clone(), place, why))?, None)
            }
            KeyPlace::At(url, None) => (url.clone(), None),
            KeyPlace::At(url, Some(file)) => (url.clone(), Some(read(file.clone()).await?)),
        };
        let wanted = Wanted { url: &url, ca, bytes_max: JWKS_BYTES_MAX };
        let told = fetcher.fetch(wanted, Ask::Get(token.as_ref()), now).await;
        let told = told.and_then(Answer::document);
        let told = told.map_err(|why| NoKeys::Unfetched(url.clone(), why))?;
        let text = String::from_utf8(told).map_err(|_other| NoKeySet::Form);
        let read = text.and_then(|text| jwks::read(&text).map(|keys| (text, keys)));
        read.map_err(|why| NoKeys::Set(url, why))
    }

    fn note(&self, told: Result<(String, KeySet), NoKeys>, now: Timestamp) {
        let mut known = self.lock();
        let issuer = &self.plan.name;
        match told {
            Ok((text, keys)) => {
                known.schedule.succeed(now);
                if known.trouble.take().is_some() {
                    tracing::info!(issuer, "the keys of an issuer are fetched again");
                }
                if known.text == text {
                    return;
                }
                let (count, unused) = (keys.keys.len(), keys.unused.len());
                tracing::info!(issuer, keys = count, unused, "an issuer has these keys");
                for it in &keys.unused {
                    let (index, id) = (it.index, it.id.as_deref().unwrap_or_default());
                    tracing::debug!(issuer, index, ?id, why = %it.why, "a key is not used");
                }
                (known.text, known.keys) = (text, Some(Arc::new(keys)));
                drop(known);
                self.changes.fetch_add(1, Ordering::Release);
            }
            Err(why) => {
                known.schedule.fail();
                let why = why.to_string();
                // The same again says nothing new, and would be repeated for as long as it lasts.
                if known.trouble.as_ref() != Some(&why) {
                    tracing::warn!(issuer, why, "the keys of an issuer cannot be fetched");
                }
                known.trouble = Some(why);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token in the file at `path`.
async fn read(path: PathBuf) -> Result<Secret, NoKeys> {
    let file = path.clone();
    let read = spawn_blocking(move || {
        let mut text = String::new();
        File::open(file)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
        Ok(Secret::new(text.trim_ascii()))
    });
    let read = read.await.unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into()));
    read.map_err(|why| NoKeys::Token(path, why))
}
