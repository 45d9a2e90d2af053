//! Whose tokens policies believe: the issuers that the configuration names, with the keys that they
//! publish, and the tokens that were found authentic lately.
//!
//! It outlives configurations: a reload fetches nothing again. Issuers whose documents a
//! configuration names are fetched when it begins to serve; those that expressions name, when they
//! are first asked for. Nobody waits for an issuer, but for the first requests that need its keys,
//! and those not for long.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::cache::memory::{Cache, Item};
use crate::caller::fetch::Fetcher;
use crate::exchange::cached::CacheKey;
use crate::issuer::fetching::Fetching;
use crate::issuer::{Issuer, KeyPlace, Plan, Standing};
use crate::jwt::Refusal;
use crate::jwt::jwks::Published;
use crate::policy::program::Program;
use crate::policy::tokens::asked::{Answer, Asked, Authentic, Document, Refused};
use crate::snapshot::{Live, Snapshot};
use crate::time::{Clock, SystemClock, Timestamp};

/// How many issuers are known that only expressions name; of more, those go that nobody has asked
/// for for the longest time.
pub const UNNAMED_MAX: usize = 256;
/// How long one that only expressions name is kept without being asked for.
const UNASKED_MAX: Duration = Duration::from_hours(1);
/// How long a request waits for the first keys of an issuer.
const FIRST_KEYS_MAX: Duration = Duration::from_secs(3);
/// How often it is looked whether another configuration is served.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How many bytes tokens that were found authentic take up together.
const REMEMBERED_BYTES_MAX: usize = 16 << 20;
/// How many one of them does.
const REMEMBERED_ITEM_BYTES_MAX: usize = 128 << 10;
/// How many times a token's own size it takes up to remember it, read into claims twice.
const REMEMBERED_FACTOR: usize = 4;
/// How long one is remembered, if it has no end.
const REMEMBERED_MAX: Duration = Duration::from_hours(1);
/// How much of the end of a token tells it from others: what is found is compared as a whole.
const TAIL_BYTES: usize = 64;

/// Issuers, and the tokens that were found authentic.
pub struct Issuers {
    places: RwLock<HashMap<Arc<str>, Arc<Place>>>,
    changes: Arc<AtomicU64>,
    /// That an issuer is there which was not before.
    added: Notify,
    remembered: Cache<Arc<Remembered>>,
}

/// An issuer at the issuers.
struct Place {
    issuer: Arc<Issuer>,
    /// When somebody asked for its keys last, in microseconds.
    asked: AtomicU64,
    /// Whether the configuration names it.
    is_named: bool,
}

/// A token that was found authentic.
struct Remembered {
    authentic: Arc<Authentic>,
    /// The versions of the keys that counted.
    versions: Vec<u64>,
}

impl Default for Issuers {
    fn default() -> Self {
        Self {
            places: RwLock::default(),
            changes: Arc::default(),
            added: Notify::new(),
            remembered: Cache::new(REMEMBERED_BYTES_MAX, REMEMBERED_ITEM_BYTES_MAX),
        }
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Issuers")
    }
}

impl Issuers {
    /// The answer, unless keys are missing that may be there in a moment.
    pub fn at_once(&self, asked: &Asked, now: Timestamp) -> Option<Answer> {
        let places = self.places(asked, now);
        let answer = self.decide(asked, &places, now);
        let lacks_keys = answer.as_ref().is_err_and(|no| may_lack_keys(&no.refusal));
        let is_first = |place: &Arc<Place>| !place.issuer.is_tried();
        (!lacks_keys || !places.iter().flatten().any(is_first)).then_some(answer)
    }

    /// The answer; the first keys of its issuers are waited for, but not for long.
    pub async fn answer(&self, asked: &Asked, now: Timestamp) -> Answer {
        let places = self.places(asked, now);
        let tried = async {
            for place in places.iter().flatten() {
                place.issuer.tried().await;
            }
        };
        // What is not there by then is told as what it is.
        let _ = timeout(FIRST_KEYS_MAX, tried).await;
        self.decide(asked, &places, now)
    }

    fn decide(&self, asked: &Asked, places: &[Option<Arc<Place>>], now: Timestamp) -> Answer {
        let published: Vec<Published> =
            places.iter().flatten().filter_map(|place| place.issuer.published(now)).collect();
        let key = remembered_as(asked);
        if let Some(known) = self.remembered.get(&key, now)
            && known.is_of(asked, &published)
        {
            return Ok(Arc::clone(&known.authentic));
        }
        match asked.answer(&published) {
            Ok(authentic) => {
                let authentic = Arc::new(authentic);
                self.remember(key, &authentic, &published, now);
                Ok(authentic)
            }
            Err(refusal) => Err(refused(refusal, asked, places, now)),
        }
    }

    fn remember(
        &self,
        key: CacheKey,
        authentic: &Arc<Authentic>,
        published: &[Published],
        now: Timestamp,
    ) {
        // What nobody has signed costs next to nothing to look at.
        if !authentic.is_signed {
            return;
        }
        let until = authentic.claims.expires().map_or(REMEMBERED_MAX, |end| end.since(now));
        let sealed = authentic.sealed.as_ref().map_or(0, |came| came.expose().len());
        let bytes = authentic.token.text.len().saturating_mul(REMEMBERED_FACTOR);
        let bytes = bytes.saturating_add(sealed);
        let versions = published.iter().map(|published| published.version).collect();
        let value = Arc::new(Remembered { authentic: Arc::clone(authentic), versions });
        // One that is too large is looked at every time.
        let _ = self.remembered.put(key, Item { value, bytes }, until.min(REMEMBERED_MAX), now);
    }

    /// The issuers that are asked, each where it is known; those that are not are from now on.
    fn places(&self, asked: &Asked, now: Timestamp) -> Vec<Option<Arc<Place>>> {
        if asked.documents.is_empty() {
            return Vec::new();
        }
        let known = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let find = |document: &Document| known.get(&document.text).cloned();
        let places: Vec<_> = asked.documents.iter().map(find).collect();
        drop(known);
        let place = |(place, document): (Option<Arc<Place>>, &Document)| {
            let place = place.or_else(|| self.add(document, now));
            if let Some(place) = &place {
                place.asked.store(now.micros(), Ordering::Relaxed);
            }
            place
        };
        places.into_iter().zip(asked.documents.iter()).map(place).collect()
    }

    /// Adds an issuer that the configuration does not name; nothing if there is no room for it.
    fn add(&self, document: &Document, now: Timestamp) -> Option<Arc<Place>> {
        let mut known = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.get(&document.text) {
            return Some(Arc::clone(place));
        }
        let unnamed = known.iter().filter(|(_url, place)| !place.is_named);
        if UNNAMED_MAX <= unnamed.clone().count() {
            // Whoever makes up issuers does not push out those that are good for something.
            let age = |place: &Place| (place.issuer.standing().keys, place.asked());
            let oldest = unnamed.min_by_key(|(_url, place)| age(place));
            let oldest = oldest.map(|(url, _place)| Arc::clone(url))?;
            known.remove(&oldest);
        }
        let place = Arc::new(self.place(document, false, now));
        known.insert(Arc::clone(&document.text), Arc::clone(&place));
        self.added.notify_one();
        Some(place)
    }

    fn place(&self, document: &Document, is_named: bool, now: Timestamp) -> Place {
        let plan = Plan {
            name: document.text.to_string(),
            place: KeyPlace::Document(document.url.clone()),
            ca: None,
        };
        let issuer = Arc::new(Issuer::new(plan, Arc::clone(&self.changes)));
        Place { issuer, asked: AtomicU64::new(now.micros()), is_named }
    }

    /// Names the issuers of `documents`, and lets those go that nobody wants any more.
    fn name(&self, documents: &HashMap<Arc<str>, Document>, now: Timestamp) {
        let mut known = self.places.write().unwrap_or_else(PoisonError::into_inner);
        for (url, document) in documents {
            if known.get(url).is_some_and(|place| place.is_named) {
                continue;
            }
            let place = match known.get(url) {
                Some(before) => Place {
                    issuer: Arc::clone(&before.issuer),
                    asked: AtomicU64::new(before.asked.load(Ordering::Relaxed)),
                    is_named: true,
                },
                None => self.place(document, true, now),
            };
            known.insert(Arc::clone(url), Arc::new(place));
        }
        let forgotten: Vec<Arc<str>> = known
            .iter()
            .filter(|(url, place)| place.is_named && !documents.contains_key(*url))
            .map(|(url, _place)| Arc::clone(url))
            .collect();
        for url in forgotten {
            if let Some(before) = known.get(&url) {
                // Requests with the configuration before may still ask for it.
                let asked = AtomicU64::new(now.micros());
                let issuer = Arc::clone(&before.issuer);
                known.insert(url, Arc::new(Place { issuer, asked, is_named: false }));
            }
        }
    }

    /// Lets those go that only expressions name, or a configuration before, and that nobody has
    /// asked for. All that are left.
    fn sweep(&self, now: Timestamp) -> Vec<Arc<Issuer>> {
        let mut known = self.places.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_url, place| place.is_named || now.since(place.asked()) < UNASKED_MAX);
        known.values().map(|place| Arc::clone(&place.issuer)).collect()
    }

    /// Has the keys fetched that what is `live` wants, for ever.
    pub async fn keep(&self, live: Arc<Live>, fetcher: Arc<Fetcher>, clock: Arc<SystemClock>) {
        let mut fetching = Fetching::new(fetcher, Arc::clone(&clock));
        let mut seen = None;
        loop {
            let snapshot = live.snapshot();
            if seen != Some(snapshot.generation) {
                seen = Some(snapshot.generation);
                // To look through a big configuration takes a while.
                let documents = spawn_blocking(move || named(&snapshot)).await;
                self.name(&documents.unwrap_or_default(), clock.now());
            }
            fetching.follow(&self.sweep(clock.now()));
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => (),
                () = self.added.notified() => (),
            }
        }
    }

    /// How it goes with each issuer, by the address of its document.
    pub fn standing(&self) -> Vec<Standing> {
        let known = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.values().map(|place| place.issuer.standing()).collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }
}

impl Place {
    fn asked(&self) -> Timestamp {
        Timestamp::from_micros(self.asked.load(Ordering::Relaxed))
    }
}

impl Remembered {
    fn is_of(&self, asked: &Asked, published: &[Published]) -> bool {
        let versions = published.iter().map(|published| published.version);
        self.authentic.came() == asked.token.expose() && versions.eq(self.versions.iter().copied())
    }
}

/// What a token is remembered as: by its end, which is that of its signature, and the keys that it
/// was compared with.
fn remembered_as(asked: &Asked) -> CacheKey {
    let token = asked.token.expose().as_bytes();
    let tail = token.get(token.len().saturating_sub(TAIL_BYTES)..).unwrap_or(token);
    CacheKey::new([b"token".as_slice(), &asked.own.fingerprint, tail])
}

/// Why a token is refused; keys that it names and that nobody has are looked for.
fn refused(
    refusal: Refusal,
    asked: &Asked,
    places: &[Option<Arc<Place>>],
    now: Timestamp,
) -> Refused {
    if !may_lack_keys(&refusal) {
        return refusal.into();
    }
    let mut troubles = Vec::new();
    for (place, document) in places.iter().zip(asked.documents.iter()) {
        let Some(place) = place else { continue };
        if place.issuer.published(now).is_some() {
            place.issuer.miss(now);
            continue;
        }
        let trouble = place.issuer.standing().trouble;
        let trouble = trouble.unwrap_or_else(|| "they are not here yet".to_owned());
        troubles.push(format!("the keys of {}: {trouble}", document.text));
    }
    let is_told = refusal == Refusal::KeyNotFound && !troubles.is_empty();
    Refused { refusal, trouble: is_told.then(|| troubles.join("; ")) }
}

/// Whether newer keys may do better. A key that is not there may show as a wrong signature: where
/// another one without an id, or one that was replaced under its id, was tried in its place.
fn may_lack_keys(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::KeyNotFound | Refusal::Signature)
}

/// The documents that the policies of a configuration name.
fn named(snapshot: &Snapshot) -> HashMap<Arc<str>, Document> {
    let programs = snapshot.programs().flat_map(Program::key_documents);
    programs.map(|document| (Arc::clone(&document.text), document.clone())).collect()
}

#[cfg(test)]
mod tests;
