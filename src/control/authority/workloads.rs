//! Tokens of issuers that are trusted, judged by keys that are fetched in the background.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::{Bearer, Refused};
use crate::configuration::issuers::{Issuers, IssuersFile, Keys};
use crate::configuration::source::{Kept, Wrong};
use crate::fault::Fault;
use crate::issuer::{Issuer, Standing};
use crate::jwt::identity::{Stranger, Trust};
use crate::jwt::jwks::{self, JWKS_BYTES_MAX, KeySet, NoKeySet};
use crate::jwt::{Refusal, signed_with, unverified};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::name::GatewayName;

/// How far the clock of an issuer may be from ours.
const SKEW: Duration = Duration::from_mins(1);
/// How many characters of what a token says of itself are logged.
const LOGGED_CHARACTERS_MAX: usize = 200;

/// Knows gateways by what issuers say of workloads.
#[derive(Debug)]
pub struct Workloads {
    known: RwLock<Arc<Known>>,
    file: Mutex<Kept<Issuers, Vec<Fault>>>,
    changes: Arc<AtomicU64>,
}

/// What the file says, with the keys of each issuer by its name.
#[derive(Debug, Default)]
struct Known {
    trust: Trust,
    keys: HashMap<String, Keyring>,
}

/// The keys of one issuer.
#[derive(Clone, Debug)]
enum Keyring {
    Fetched(Arc<Issuer>),
    File(Arc<InFile>),
}

/// Keys in a file.
#[derive(Debug)]
struct InFile {
    path: PathBuf,
    kept: Mutex<Kept<Arc<KeySet>, NoKeySet>>,
    failures: AtomicU64,
}

impl Workloads {
    /// Those in `file`, which must be good to begin with; its faults are told if it is not.
    pub fn open(file: &IssuersFile) -> Result<Self, Vec<Fault>> {
        let issuers = file.read()?;
        let changes = Arc::default();
        let known = Known::of(&issuers, &Known::default(), &changes);
        known.look(&changes);
        let known = RwLock::new(Arc::new(known));
        Ok(Self { known, file: Mutex::new(file.kept()), changes })
    }

    /// Looks whether a file has changed; what was good counts on while it is wrong. Blocks for as
    /// long as the disk does.
    pub fn look(&self) {
        let mut file = lock(&self.file);
        if file.look() {
            match (file.wrong(), file.good()) {
                (None, Some(issuers)) => self.take(issuers),
                (Some(Wrong::Unreadable(reason)), _) => {
                    tracing::error!(%reason, "the issuers cannot be read; those before count");
                }
                (Some(Wrong::Text(faults)), _) => {
                    let first = faults.first().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(first, "the issuers are wrong; those before count");
                }
                (None, None) => {}
            }
        }
        self.known().look(&self.changes);
    }

    fn take(&self, issuers: &Issuers) {
        let before = self.known();
        if before.trust == issuers.trust && before.is_of(&issuers.keys) {
            return;
        }
        let known = Arc::new(Known::of(issuers, &before, &self.changes));
        known.look(&self.changes);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        self.changes.fetch_add(1, Ordering::Release);
        tracing::info!(issuers = issuers.keys.len(), "these issuers are trusted now");
    }

    /// How often what is known has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whose token this is, without a scheme before it; `wanted` is the gateway that is meant.
    pub fn bearer(
        &self,
        token: &str,
        wanted: Option<&str>,
        now: Timestamp,
    ) -> Result<Bearer, Refused> {
        let known = self.known();
        let keys = |issuer: &str| known.keys.get(issuer)?.keys(now);
        let identified = known.trust.identify(token, wanted, keys, (SKEW, now));
        let identified = identified.map_err(|stranger| known.refused(token, &stranger, now))?;
        let subject = identified.token.claims().subject().unwrap_or_default();
        let issuer = identified.token.claims().issuer().unwrap_or_default();
        let gateway = GatewayName::parse(&identified.gateway)
            .map_err(|unfit| Refused::Token { why: unfit.to_string(), detail: described(token) })?;
        Ok(Bearer {
            gateway: Arc::from(gateway.as_str()),
            until: identified.expires + SKEW,
            id: Arc::from(format!("{issuer} {subject}")),
        })
    }

    /// The issuers whose keys are fetched.
    pub fn fetched(&self) -> Vec<Arc<Issuer>> {
        let known = self.known();
        let rings = known.keys.values().filter_map(|ring| match ring {
            Keyring::Fetched(issuer) => Some(Arc::clone(issuer)),
            Keyring::File(_) => None,
        });
        rings.collect()
    }

    /// How it goes with each issuer.
    pub fn standing(&self) -> Vec<Standing> {
        let known = self.known();
        let names = known.trust.issuers.iter().map(|issuer| &issuer.name);
        names.filter_map(|name| Some(known.keys.get(name)?.standing(name))).collect()
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    /// What `issuers` says; keys that are where they were `before` stay.
    fn of(issuers: &Issuers, before: &Self, changes: &Arc<AtomicU64>) -> Self {
        let ring = |name: &String, keys: &Keys| {
            let before = before.keys.get(name).filter(|before| before.is_of(keys));
            before.cloned().unwrap_or_else(|| Keyring::of(keys, changes))
        };
        let named = issuers.trust.issuers.iter().zip(&issuers.keys);
        let keys = named.map(|(issuer, keys)| (issuer.name.clone(), ring(&issuer.name, keys)));
        Self { trust: issuers.trust.clone(), keys: keys.collect() }
    }

    fn is_of(&self, keys: &[Keys]) -> bool {
        let named = self.trust.issuers.iter().zip(keys);
        named.into_iter().all(|(issuer, keys)| {
            self.keys.get(&issuer.name).is_some_and(|before| before.is_of(keys))
        })
    }

    fn look(&self, changes: &AtomicU64) {
        for ring in self.keys.values() {
            if let Keyring::File(file) = ring
                && file.look()
            {
                changes.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn refused(&self, token: &str, stranger: &Stranger, now: Timestamp) -> Refused {
        let claimed = unverified(token).ok();
        let issuer = claimed.as_ref().and_then(|claims| claims.issuer());
        let ring = issuer.and_then(|issuer| self.keys.get(issuer));
        let mut why = stranger.to_string();
        match (stranger, ring) {
            (Stranger::NoKeys, Some(ring)) => {
                let trouble = ring.standing(issuer.unwrap_or_default()).trouble;
                return Refused::Later(match trouble {
                    Some(trouble) => format!("{why}: {trouble}"),
                    None => why,
                });
            }
            (Stranger::Refused(Refusal::KeyNotFound), Some(Keyring::Fetched(issuer)))
                if issuer.miss(now) =>
            {
                why.push_str("; the keys of its issuer are fetched again");
            }
            _ => {}
        }
        Refused::Token { why, detail: described(token) }
    }
}

impl Keyring {
    fn of(keys: &Keys, changes: &Arc<AtomicU64>) -> Self {
        match keys {
            Keys::Fetched(plan) => {
                Self::Fetched(Arc::new(Issuer::new(plan.clone(), Arc::clone(changes))))
            }
            Keys::File(path) => Self::File(Arc::new(InFile::at(path))),
        }
    }

    fn is_of(&self, keys: &Keys) -> bool {
        match (self, keys) {
            (Self::Fetched(issuer), Keys::Fetched(plan)) => issuer.plan() == plan,
            (Self::File(file), Keys::File(path)) => file.path == *path,
            (Self::Fetched(_), Keys::File(_)) | (Self::File(_), Keys::Fetched(_)) => false,
        }
    }

    fn keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        match self {
            Self::Fetched(issuer) => issuer.keys(now),
            Self::File(file) => lock(&file.kept).good().cloned(),
        }
    }

    fn standing(&self, name: &str) -> Standing {
        match self {
            Self::Fetched(issuer) => issuer.standing(),
            Self::File(file) => {
                let kept = lock(&file.kept);
                Standing {
                    name: name.to_owned(),
                    keys: kept.good().map_or(0, |keys| keys.keys.len()),
                    fetched: None,
                    fetches: 0,
                    trouble: kept.wrong().map(|wrong| told(&file.path, wrong)),
                    failures: file.failures.load(Ordering::Relaxed),
                }
            }
        }
    }
}

impl InFile {
    fn at(path: &Path) -> Self {
        let read = |text: &Secret| jwks::read(text.expose()).map(Arc::new);
        let kept = Mutex::new(Kept::new(path, JWKS_BYTES_MAX, read));
        Self { path: path.to_owned(), kept, failures: AtomicU64::new(0) }
    }

    /// Whether the keys in it are others.
    fn look(&self) -> bool {
        let mut kept = lock(&self.kept);
        if !kept.look() {
            return false;
        }
        if let Some(wrong) = kept.wrong() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            let why = told(&self.path, wrong);
            tracing::error!(why, "the keys of an issuer cannot be read; those before count");
        }
        kept.wrong().is_none()
    }
}

fn told(path: &Path, wrong: &Wrong<NoKeySet>) -> String {
    match wrong {
        Wrong::Unreadable(reason) => format!("{}: {reason}", path.display()),
        Wrong::Text(reason) => format!("{}: {reason}", path.display()),
    }
}

/// What a token says of itself, for a log: nothing of it is believed, and none of it is the
/// signature.
fn described(token: &str) -> String {
    let short = |text: &str| {
        let text: String = text.chars().take(LOGGED_CHARACTERS_MAX).collect();
        format!("{text:?}")
    };
    let or_none = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), short);
    let Ok(claims) = unverified(token) else { return "nothing of it can be read".to_owned() };
    let (algorithm, key) = signed_with(token).unzip();
    let audiences: Vec<&str> = claims.audiences().collect();
    format!(
        "it says iss {}, sub {}, aud {}, alg {}, kid {}",
        or_none(claims.issuer()),
        or_none(claims.subject()),
        short(&audiences.join(" ")),
        or_none(algorithm.as_deref()),
        or_none(key.flatten().as_deref()),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
