//! Who the gateway is to other services: the tokens of its own that policies show there.
//!
//! A token is got when a policy first asks for it, once for all who ask, and kept new in the
//! background; requests wait for the first one only. It outlives configurations: a reload gets
//! nothing again. What nobody has asked for for an hour is let go.

mod ask;
mod authorized;
pub mod form;
pub mod grant;
pub mod host;
pub mod kept;
mod supply;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::caller::fetch::Fetcher;
use crate::policy::identity::asked::{Answer, Asked};
use crate::time::{Clock, SystemClock, Timestamp};

pub use ask::ANSWER_BYTES_MAX;
use ask::Asker;
use host::Host;
use kept::Shelf;
pub use supply::Standing;
use supply::Supply;

/// How many tokens are kept; of more, those go first that are not there, and of these and then of the
/// others those that nobody has asked for for the longest time.
pub const TOKENS_MAX: usize = 256;
/// How many are asked for at the same time; the others wait for their turn.
pub const ASKED_MAX: usize = 32;
/// How long one is kept that nobody asks for.
const UNASKED_MAX: Duration = Duration::from_hours(1);
/// How often it is looked which ones are wanted.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Who it is, and for which service.
type Key = ([u8; 32], Arc<str>);

/// The tokens of the gateway.
#[derive(Default)]
pub struct Identities {
    supplies: RwLock<HashMap<Key, Arc<Supply>>>,
    /// That one is there which was not before.
    added: Notify,
}

impl fmt::Debug for Identities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identities")
    }
}

impl Identities {
    /// The token, or why there is none, where that is known.
    pub fn at_once(&self, asked: &Asked, now: Timestamp) -> Option<Answer> {
        let supplies = self.supplies.read().unwrap_or_else(PoisonError::into_inner);
        supplies.get(&key(asked))?.answer(now)
    }

    /// The token, or why there is none; it is waited for, but not for long.
    pub async fn obtain(&self, asked: &Asked, now: Timestamp) -> Answer {
        self.supply(asked, now).obtain(now).await
    }

    fn supply(&self, asked: &Asked, now: Timestamp) -> Arc<Supply> {
        let mut supplies = self.supplies.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = supplies.get(&key(asked)) {
            return Arc::clone(known);
        }
        if TOKENS_MAX <= supplies.len() {
            let worth = |supply: &Supply| (supply.is_good(now), supply.wanted_at());
            let least = supplies.iter().min_by_key(|(_key, supply)| worth(supply));
            if let Some(least) = least.map(|(key, _supply)| key.clone())
                && let Some(given_up) = supplies.remove(&least)
            {
                given_up.give_up();
            }
        }
        let supply = Arc::new(Supply::new(asked.clone(), now));
        supplies.insert(key(asked), Arc::clone(&supply));
        self.added.notify_one();
        supply
    }

    /// Lets those go that nobody asks for. All that are left.
    fn sweep(&self, now: Timestamp) -> Vec<Arc<Supply>> {
        let mut supplies = self.supplies.write().unwrap_or_else(PoisonError::into_inner);
        supplies.retain(|_key, supply| now.since(supply.wanted_at()) < UNASKED_MAX);
        supplies.values().map(Arc::clone).collect()
    }

    /// Gets the tokens that are asked for, for ever; `host` is how the machine gives them, and in `kept`
    /// lies what became of consents.
    pub async fn keep(
        &self,
        (host, kept): (Host, Shelf),
        fetcher: Arc<Fetcher>,
        clock: Arc<SystemClock>,
    ) {
        let mut keeping = Keeping {
            asker: Arc::new(Asker {
                fetcher,
                host,
                shelf: kept,
                clock: Arc::clone(&clock),
                at_once: Semaphore::new(ASKED_MAX),
            }),
            clock: Arc::clone(&clock),
            tasks: JoinSet::new(),
            kept: Vec::new(),
        };
        loop {
            keeping.follow(&self.sweep(clock.now()));
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => (),
                () = self.added.notified() => (),
            }
        }
    }

    /// How it goes with each token.
    pub fn standing(&self) -> Vec<Standing> {
        let supplies = self.supplies.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = supplies.values().map(|supply| supply.standing()).collect();
        all.sort_by(|left, right| {
            (&left.client, &left.resource).cmp(&(&right.client, &right.resource))
        });
        all
    }
}

fn key(asked: &Asked) -> Key {
    (asked.who.fingerprint, Arc::clone(&asked.resource))
}

/// Keeps tokens new: a task each, for as long as somebody asks for them.
struct Keeping {
    asker: Arc<Asker>,
    clock: Arc<SystemClock>,
    tasks: JoinSet<()>,
    kept: Vec<(Arc<Supply>, AbortHandle)>,
}

impl Keeping {
    fn follow(&mut self, wanted: &[Arc<Supply>]) {
        while self.tasks.try_join_next().is_some() {}
        self.kept.retain(|(supply, task)| {
            let is_wanted = wanted.iter().any(|wanted| Arc::ptr_eq(wanted, supply));
            if !is_wanted {
                task.abort();
            }
            // One that has panicked is begun again.
            is_wanted && !task.is_finished()
        });
        for supply in wanted {
            if self.kept.iter().any(|(kept, _task)| Arc::ptr_eq(kept, supply)) {
                continue;
            }
            let (own, asker) = (Arc::clone(supply), Arc::clone(&self.asker));
            let clock = Arc::clone(&self.clock);
            let task = self.tasks.spawn(async move { own.keep(&asker, &clock).await });
            self.kept.push((Arc::clone(supply), task));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::principal::Principals;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn asked(resource: &str) -> Asked {
        let who = Arc::new(Principals::default().who(None));
        Asked { who, resource: Arc::from(resource) }
    }

    #[test]
    fn only_so_many_tokens_are_kept_and_the_one_least_wanted_goes() {
        let identities = Identities::default();
        for number in 0..TOKENS_MAX {
            let later = Duration::from_secs(u64::try_from(number).unwrap());
            identities.supply(&asked(&number.to_string()), NOW + later);
        }
        let names = || -> Vec<_> {
            identities
                .standing()
                .into_iter()
                .map(|standing| standing.resource.to_string())
                .collect()
        };
        let given_up = identities.supply(&asked("0"), NOW);
        identities.supply(&asked("more"), NOW);
        // Whoever waits for it need not wait any longer.
        let told = given_up.answer(NOW).unwrap().unwrap_err();
        assert!(told.message.contains("more services"), "{told:?}");
        assert_eq!(names().len(), TOKENS_MAX);
        assert!(!names().contains(&"0".to_owned()) && names().contains(&"more".to_owned()));
        identities.sweep(NOW + UNASKED_MAX + Duration::from_secs(250));
        assert_eq!(names(), ["251", "252", "253", "254", "255"]);
    }
}
