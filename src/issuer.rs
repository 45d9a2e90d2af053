//! Who vouches for callers: an issuer of tokens, whose keys are fetched in the background.
//!
//! A token is judged by the keys that are there, and nobody waits for an issuer: keys are fetched
//! when they are first wanted, every hour, and when a token names one that is not there. An issuer
//! that is away, or that publishes nonsense, leaves the keys as they are, for a day.

pub mod fetching;
pub mod known;
mod schedule;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::backend::document::{NoUrl, Url};
use crate::caller::fetch::{Answer, Ask, Fetcher, Unfetched, Wanted};
use crate::jwt::discovery::{self, DOCUMENT_BYTES_MAX, NoDocument};
use crate::jwt::jwks::{self, JWKS_BYTES_MAX, KeySet, NoKeySet, Published};
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
    /// Where the document at this address says, which must be of the issuer.
    Discovered(Url),
    /// Where the document at this address says, whatever the issuer calls itself there.
    Document(Url),
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
    /// Whether keys were fetched, or could not be, at least once.
    tried: watch::Sender<bool>,
    /// Grows with every change of keys, of any issuer that shares it.
    changes: Arc<AtomicU64>,
}

/// What is known of the keys of an issuer.
#[derive(Debug, Default)]
struct Known {
    published: Option<Published>,
    /// As they were published.
    text: String,
    schedule: Schedule,
    trouble: Option<String>,
    /// How often keys were fetched, and how often they could not be.
    counts: (u64, u64),
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
    /// How often they were fetched.
    pub fetches: u64,
    /// How often they could not be, or not be read where they are in a file.
    pub failures: u64,
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
        Self {
            plan,
            known: Mutex::default(),
            wanted: Notify::new(),
            tried: watch::Sender::new(false),
            changes,
        }
    }

    /// Who it is, and where its keys are.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its keys, if there are any that count.
    pub fn keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        self.published(now).map(|published| published.keys)
    }

    /// What it has published, if that counts.
    pub fn published(&self, now: Timestamp) -> Option<Published> {
        let known = self.lock();
        known.published.clone().filter(|_published| known.schedule.counts(now))
    }

    /// Whether keys were fetched, or could not be, at least once.
    pub fn is_tried(&self) -> bool {
        *self.tried.borrow()
    }

    /// Waits until that is so.
    pub async fn tried(&self) {
        // Its sender is here, so it does not go.
        let _ = self.tried.subscribe().wait_for(|tried| *tried).await;
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
            keys: known.published.as_ref().map_or(0, |published| published.keys.keys.len()),
            fetched: known.schedule.fetched(),
            fetches: known.counts.0,
            failures: known.counts.1,
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

    async fn fetch(&self, fetcher: &Fetcher, now: Timestamp) -> Result<Fetched, NoKeys> {
        let (url, issuer, token) = match &self.plan.place {
            KeyPlace::Discovered(document) => {
                let told = self.document(document, fetcher, now).await?;
                let place = discovery::key_set(&self.plan.name, &told);
                let place = place.map_err(|why| NoKeys::Document(document.clone(), why))?;
                (key_place(document, place)?, None, None)
            }
            KeyPlace::Document(document) => {
                let told = self.document(document, fetcher, now).await?;
                let told = discovery::read(&told);
                let told = told.map_err(|why| NoKeys::Document(document.clone(), why))?;
                (key_place(document, told.keys)?, Some(told.issuer), None)
            }
            KeyPlace::At(url, None) => (url.clone(), None, None),
            KeyPlace::At(url, Some(file)) => (url.clone(), None, Some(read(file.clone()).await?)),
        };
        let wanted = Wanted { url: &url, ca: self.plan.ca.as_deref(), bytes_max: JWKS_BYTES_MAX };
        let told = fetcher.fetch(wanted, Ask::Get(token.as_ref()), now).await;
        let told = told.and_then(Answer::document);
        let told = told.map_err(|why| NoKeys::Unfetched(url.clone(), why))?;
        let text = String::from_utf8(told).map_err(|_other| NoKeySet::Form);
        let read = text.and_then(|text| jwks::read(&text).map(|keys| (text, keys)));
        let (text, keys) = read.map_err(|why| NoKeys::Set(url, why))?;
        let issuer = issuer.unwrap_or_else(|| self.plan.name.clone());
        Ok(Fetched { issuer, text, keys })
    }

    async fn document(
        &self,
        url: &Url,
        fetcher: &Fetcher,
        now: Timestamp,
    ) -> Result<Vec<u8>, NoKeys> {
        let wanted = Wanted { url, ca: self.plan.ca.as_deref(), bytes_max: DOCUMENT_BYTES_MAX };
        let told = fetcher.fetch(wanted, Ask::Get(None), now).await;
        told.and_then(Answer::document).map_err(|why| NoKeys::Unfetched(url.clone(), why))
    }

    fn note(&self, told: Result<Fetched, NoKeys>, now: Timestamp) {
        let mut known = self.lock();
        let issuer = &self.plan.name;
        match told {
            Ok(fetched) => {
                known.schedule.succeed(now);
                known.counts.0 = known.counts.0.saturating_add(1);
                if known.trouble.take().is_some() {
                    tracing::info!(issuer, "the keys of an issuer are fetched again");
                }
                self.take(&mut known, fetched);
            }
            Err(why) => {
                known.schedule.fail();
                known.counts.1 = known.counts.1.saturating_add(1);
                let why = why.to_string();
                // The same again says nothing new, and would be repeated for as long as it lasts.
                if known.trouble.as_ref() != Some(&why) {
                    tracing::warn!(issuer, why, "the keys of an issuer cannot be fetched");
                }
                known.trouble = Some(why);
            }
        }
        drop(known);
        self.tried.send_replace(true);
    }

    fn take(&self, known: &mut Known, Fetched { issuer: named, text, keys }: Fetched) {
        let is_same = known.published.as_ref().is_some_and(|before| *before.issuer == *named);
        if is_same && known.text == text {
            return;
        }
        let issuer = &self.plan.name;
        let (count, unused) = (keys.keys.len(), keys.unused.len());
        tracing::info!(issuer, keys = count, unused, "an issuer has these keys");
        for it in &keys.unused {
            let (index, id) = (it.index, it.id.as_deref().unwrap_or_default());
            tracing::debug!(issuer, index, ?id, why = %it.why, "a key is not used");
        }
        let version = self.changes.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let published = Published { issuer: Arc::from(named), keys: Arc::new(keys), version };
        (known.text, known.published) = (text, Some(published));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was fetched of an issuer.
struct Fetched {
    /// What it calls itself.
    issuer: String,
    /// Its keys as they are published.
    text: String,
    keys: KeySet,
}

fn key_place(document: &Url, place: String) -> Result<Url, NoKeys> {
    Url::parse(&place).map_err(|why| NoKeys::Address(document.clone(), place, why))
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
