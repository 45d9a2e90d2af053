//! Secrets that lie in a store and in no file: asked for when a folder is read, and again now and then.
//!
//! A store that cannot be asked any more takes nothing away: what it said last is gone on with, until
//! it says something else. Each answer that differs from the one before has a number of its own, so
//! that a folder is known to have changed without anybody keeping what it had been.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::configuration::document::Held;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long an answer is taken for what the store has, while nobody reads the folder.
const FRESH: Duration = Duration::from_mins(1);
/// The same while somebody does.
const FRESH_TO_READ: Duration = Duration::from_secs(1);
/// The same of one that was no secret.
const FRESH_REFUSAL: Duration = Duration::from_secs(5);
/// How long a store that did not answer is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// How many secrets a configuration may have of stores.
const SECRETS_MAX: usize = 256;

/// The parts of a secret, by their keys.
pub type Items = BTreeMap<String, Secret>;

/// Why a store does not give a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Withheld {
    /// Nobody asks for it here.
    #[error("secrets of Dapr's stores are known only beside a sidecar")]
    Unasked,
    /// The sidecar does not answer, or its store does not.
    #[error("the Dapr sidecar does not answer, or not for its store")]
    Away,
    /// It does not take who asks.
    #[error("the Dapr sidecar does not take this gateway's API token")]
    TokenRefused,
    /// The sidecar knows no such store.
    #[error("the Dapr sidecar has no such secret store")]
    NoStore,
    /// The store has no such secret.
    #[error("the store has no such secret")]
    NoSecret,
    /// The secret has no such item.
    #[error("the secret has no such item, or several and none of its name")]
    NoItem,
    /// Who asks may not have it.
    #[error("the sidecar does not give it to this app id")]
    Forbidden,
    /// More than can be asked for.
    #[error("a configuration has at most {SECRETS_MAX} secrets of stores")]
    TooMany,
}

impl Withheld {
    /// How to mend it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unasked => {
                "check with `--live` where the sidecar is, or take it from `env` or `file`"
            }
            Self::Away => "start the sidecar, or correct the setting `dapr.endpoint`",
            Self::TokenRefused => "set `dapr.token` or DAPR_API_TOKEN to the sidecar's",
            Self::NoStore => "add the component to the sidecar's resources, or correct the name",
            Self::NoSecret => "put it into the store, or correct the name",
            Self::NoItem => "write `key`, which names the item",
            Self::Forbidden => "allow it in `secrets.scopes` of Dapr's configuration",
            Self::TooMany => "take the others from `env` or `file`",
        }
    }
}

/// Where secrets of stores are asked for.
pub trait Vault: fmt::Debug + Send + Sync {
    /// All of the secret `name` in `store`. Waits, with a bound.
    fn ask(&self, store: &str, name: &str) -> Result<Items, Withheld>;
    /// What time it is.
    fn now(&self) -> Timestamp;
}

/// A vault, and what it said last.
#[derive(Debug)]
pub(super) struct Keeper {
    vault: Arc<dyn Vault>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By store and name.
    answers: BTreeMap<(String, String), Answer>,
    /// When one did not answer, last.
    away: Option<Timestamp>,
    /// The number of the newest answer.
    newest: u64,
}

#[derive(Clone, Debug)]
struct Answer {
    said: Result<Items, Withheld>,
    number: u64,
    asked: Timestamp,
}

impl Keeper {
    pub(super) fn of(vault: Arc<dyn Vault>) -> Self {
        Self { vault, known: Mutex::default() }
    }

    /// What `held` is now, as far as that is known or can be asked.
    pub(super) fn read(&self, held: &Held<'_>) -> Result<Secret, Withheld> {
        item(held, &self.answer(held, FRESH_TO_READ).said?)
    }

    /// The number of the answer for `held`.
    pub(super) fn number(&self, held: &Held<'_>) -> u64 {
        self.answer(held, FRESH).number
    }

    /// Lets go of what is not `wanted` any more: stores, and names in them.
    pub(super) fn keep(&self, wanted: &BTreeSet<(&str, &str)>) {
        let is_wanted = |(store, name): &(String, String)| wanted.contains(&(&**store, &**name));
        self.lock().answers.retain(|place, _answer| is_wanted(place));
    }

    fn answer(&self, held: &Held<'_>, fresh: Duration) -> Answer {
        let place = (held.store.to_owned(), held.name.to_owned());
        let now = self.vault.now();
        let known = self.lock().answers.get(&place).cloned();
        let is_fresh = |known: &Answer| {
            let span = if known.said.is_ok() { fresh } else { fresh.min(FRESH_REFUSAL) };
            now.since(known.asked) < span
        };
        if let Some(known) = known.clone().filter(is_fresh) {
            return known;
        }
        let is_full = known.is_none() && SECRETS_MAX <= self.lock().answers.len();
        let is_away = self.lock().away.is_some_and(|since| now.since(since) < LEFT_ALONE);
        let said = match () {
            () if is_full => {
                return Answer { said: Err(Withheld::TooMany), number: 0, asked: now };
            }
            () if is_away => Err(Withheld::Away),
            () => self.vault.ask(held.store, held.name),
        };
        let asked = self.vault.now();
        let mut all = self.lock();
        if matches!(said, Err(Withheld::Away)) && !is_away {
            all.away = Some(asked);
        }
        let answer = match known {
            // Nobody says that it is gone.
            Some(known) if matches!(said, Err(Withheld::Away)) && known.said.is_ok() => {
                Answer { asked, ..known }
            }
            Some(known) if known.said == said => Answer { asked, ..known },
            _ => {
                all.newest = all.newest.saturating_add(1);
                Answer { said, number: all.newest, asked }
            }
        };
        all.answers.insert(place, answer.clone());
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `held` is of a secret.
fn item(held: &Held<'_>, items: &Items) -> Result<Secret, Withheld> {
    let item = match held.key {
        Some(key) => items.get(key),
        // A secret of one item is that item, whatever its key.
        None => items.get(held.name).or_else(|| items.values().next().filter(|_| items.len() == 1)),
    };
    item.cloned().ok_or(Withheld::NoItem)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Scripted {
        said: Mutex<Option<Result<Items, Withheld>>>,
        seconds: AtomicU64,
        asked: AtomicU64,
    }

    impl Vault for Scripted {
        fn ask(&self, _store: &str, _name: &str) -> Result<Items, Withheld> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.said.lock().unwrap().clone().unwrap()
        }

        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.seconds.load(Ordering::Relaxed) * 1_000_000)
        }
    }

    fn items(pairs: &[(&str, &str)]) -> Items {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), Secret::new(*text))).collect()
    }

    #[test]
    fn an_answer_is_kept_until_there_is_another_one() {
        let vault = Arc::new(Scripted::default());
        let keeper = Keeper::of(Arc::<Scripted>::clone(&vault));
        let held = Held { store: "vault", name: "db", key: None };
        let step = |seconds: u64, said: Result<Items, Withheld>| {
            vault.seconds.fetch_add(seconds, Ordering::Relaxed);
            *vault.said.lock().unwrap() = Some(said);
            let answer = keeper.answer(&held, FRESH);
            let text = answer.said.and_then(|items| item(&held, &items));
            (
                text.map(|text| text.expose().to_owned()),
                answer.number,
                vault.asked.load(Ordering::Relaxed),
            )
        };
        let one = || Ok("one".to_owned());
        assert_eq!(step(0, Err(Withheld::Away)), (Err(Withheld::Away), 1, 1));
        assert_eq!(step(1, Ok(items(&[("db", "one")]))), (Err(Withheld::Away), 1, 1));
        assert_eq!(step(5, Ok(items(&[("db", "one")]))), (one(), 2, 2));
        assert_eq!(step(59, Ok(items(&[("db", "two")]))), (one(), 2, 2));
        assert_eq!(step(1, Ok(items(&[("db", "one")]))), (one(), 2, 3));
        // A store that is away takes nothing away; one that says no does.
        assert_eq!(step(60, Err(Withheld::Away)), (one(), 2, 4));
        assert_eq!(step(60, Ok(items(&[("x", "two")]))), (Ok("two".to_owned()), 3, 5));
        assert_eq!(step(60, Err(Withheld::NoSecret)), (Err(Withheld::NoSecret), 4, 6));
        let several = Ok(items(&[("x", "two"), ("y", "three")]));
        assert_eq!(step(5, several), (Err(Withheld::NoItem), 5, 7));
        let y = keeper.read(&Held { key: Some("y"), ..held });
        assert_eq!(y.map(|text| text.expose().to_owned()), Ok("three".to_owned()));
        // Whoever reads the folder wants to know what is there now.
        vault.seconds.fetch_add(1, Ordering::Relaxed);
        *vault.said.lock().unwrap() = Some(Ok(items(&[("db", "four")])));
        assert_eq!(keeper.read(&held), Ok(Secret::new("four")));
    }

    #[test]
    fn there_is_a_bound_of_them() {
        let vault = Arc::new(Scripted::default());
        *vault.said.lock().unwrap() = Some(Ok(items(&[("a", "b")])));
        let keeper = Keeper::of(vault);
        for number in 0..=SECRETS_MAX {
            let name = number.to_string();
            let read = keeper.read(&Held { store: "vault", name: &name, key: None });
            assert_eq!(read.is_ok(), number < SECRETS_MAX, "{number}");
        }
        let held = Held { store: "vault", name: "256", key: None };
        keeper.keep(&[(held.store, held.name)].into());
        assert!(keeper.read(&held).is_ok(), "there is room again");
    }
}
