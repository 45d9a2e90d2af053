//! What operators are shown of limits: which of them refuse, how often, and whom.
//!
//! A counter's key says nothing that a client wrote. When a limit refuses, it leaves a [`Refusal`]
//! with what stands behind the key; [`Names`] remembers the newest of them, and how often each
//! limit refused. Who makes a refusal keeps subscription keys and other secrets out of it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::Place;
use crate::limit::key::CounterKey;
use crate::limit::manner::Mode;
use crate::time::Timestamp;

/// How many counters are remembered by name; the one that was named first gives way.
pub const NAMES_MAX: usize = 4_096;

/// How many limits are remembered; the one that refused first gives way.
pub const SITES_MAX: usize = 1_024;

/// How many characters there are of what stands behind a key.
pub const WHO_CHARACTERS_MAX: usize = 64;

/// Which limit it is.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Site {
    /// Where its policy stands.
    pub place: Place,
    /// The policy's name.
    pub policy: &'static str,
}

/// What a limit did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It refused.
    Refused,
    /// It would have refused, but is in shadow.
    Spared,
    /// It could not be asked, and admits nothing then.
    Unavailable,
    /// It could not be asked, and would have admitted nothing, but is in shadow.
    SparedUnavailable,
}

/// That a limit refused, or would have.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which limit.
    pub site: Arc<Site>,
    /// What it did.
    pub outcome: Outcome,
    /// The counter that had no room, if one of them is known to have had none.
    pub key: Option<CounterKey>,
    /// What stands behind the key: a subscription's id, or the beginning of the key's text, without
    /// secrets and control characters.
    pub who: Arc<str>,
    /// How the counter stood, if that is known.
    pub standing: Option<Standing>,
}

/// How a counter stood that had no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// How much it admits in its window.
    pub limit: u64,
    /// How much of that is left: less than was wanted.
    pub remaining: u64,
    /// How it is held where replicas share it.
    pub mode: Mode,
}

/// What is known of a counter that refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// The limit that refused last.
    pub site: Arc<Site>,
    /// What stands behind the key, see [`Refusal::who`].
    pub who: Arc<str>,
    /// When it refused last.
    pub at: Timestamp,
}

/// How often a limit did not just admit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Decisions {
    /// Requests that it refused.
    pub refused: u64,
    /// Requests that it would have refused, but for its shadow.
    pub spared: u64,
    /// Requests that were turned away because nobody could be asked.
    pub unavailable: u64,
    /// Requests that would have been turned away for that, but for its shadow.
    pub spared_unavailable: u64,
}

/// The newest refusals by counter and by limit.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    counters: Newest<CounterKey, Named>,
    sites: Newest<Arc<Site>, Decisions>,
}

/// A map of bounded size, out of which goes first what came first.
#[derive(Debug)]
struct Newest<K, V> {
    items: HashMap<K, V>,
    /// Every key of `items` once.
    order: VecDeque<K>,
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.policy, self.place)
    }
}

impl Outcome {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Spared => "spared",
            Self::Unavailable => "unavailable",
            Self::SparedUnavailable => "spared-unavailable",
        }
    }

    /// Whether the request went on all the same.
    pub const fn is_spared(self) -> bool {
        matches!(self, Self::Spared | Self::SparedUnavailable)
    }
}

impl Names {
    /// Remembers `refusal`, which was at `now`.
    pub fn note(&self, refusal: &Refusal, now: Timestamp) {
        let mut known = self.lock();
        let decisions = known.sites.entry(&refusal.site, SITES_MAX, Decisions::default);
        let count = match refusal.outcome {
            Outcome::Refused => &mut decisions.refused,
            Outcome::Spared => &mut decisions.spared,
            Outcome::Unavailable => &mut decisions.unavailable,
            Outcome::SparedUnavailable => &mut decisions.spared_unavailable,
        };
        *count = count.saturating_add(1);
        if let Some(key) = refusal.key {
            let name = || Named {
                site: Arc::clone(&refusal.site),
                who: Arc::clone(&refusal.who),
                at: now,
            };
            let named = known.counters.entry(&key, NAMES_MAX, name);
            named.at = now;
            if named.site != refusal.site {
                named.site = Arc::clone(&refusal.site);
            }
        }
    }

    /// What is known of the counter `key`.
    pub fn of(&self, key: &CounterKey) -> Option<Named> {
        self.lock().counters.items.get(key).cloned()
    }

    /// All counters that are known, in no order.
    pub fn counters(&self) -> Vec<(CounterKey, Named)> {
        let known = self.lock();
        known.counters.items.iter().map(|(key, named)| (*key, named.clone())).collect()
    }

    /// How often each limit refused, by place.
    pub fn decisions(&self) -> Vec<(Arc<Site>, Decisions)> {
        let known = self.lock();
        let all = known.sites.items.iter();
        let mut all: Vec<_> = all.map(|(site, decisions)| (Arc::clone(site), *decisions)).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self { items: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Newest<K, V> {
    /// The item of `key`, made if there is none; then at most `max` are left.
    fn entry(&mut self, key: &K, max: usize, make: impl FnOnce() -> V) -> &mut V {
        if !self.items.contains_key(key) {
            while max <= self.items.len()
                && let Some(first) = self.order.pop_front()
            {
                self.items.remove(&first);
            }
            self.order.push_back(key.clone());
        }
        self.items.entry(key.clone()).or_insert_with(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};

    fn site(line: u32) -> Arc<Site> {
        let place = Place { file: Arc::from("policy.xml"), line, column: 1 };
        Arc::new(Site { place, policy: "rate-limit-by-key" })
    }

    fn refusal(line: u32, who: &str, outcome: Outcome) -> Refusal {
        let key = Some(KeySpace::new(Kind::RateByKey, &[]).key(who));
        Refusal { site: site(line), outcome, key, who: Arc::from(who), standing: None }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_counter_that_refused_has_a_name_and_its_limit_a_count() {
        let names = Names::default();
        let first = refusal(3, "alice", Outcome::Refused);
        names.note(&first, at(1));
        names.note(&refusal(3, "bob", Outcome::Spared), at(2));
        names.note(&refusal(7, "alice", Outcome::Refused), at(3));
        names.note(&refusal(3, "alice", Outcome::SparedUnavailable), at(4));
        let alice = names.of(&first.key.unwrap()).unwrap();
        assert_eq!((&*alice.who, alice.site, alice.at), ("alice", site(3), at(4)));
        let expected = [
            (site(3), Decisions { refused: 1, spared: 1, spared_unavailable: 1, unavailable: 0 }),
            (site(7), Decisions { refused: 1, ..Decisions::default() }),
        ];
        assert_eq!(names.decisions(), expected);
        assert_eq!(names.counters().len(), 2);
    }

    #[test]
    fn what_came_first_gives_way() {
        let names = Names::default();
        let of = |number: usize| refusal(1, &number.to_string(), Outcome::Refused);
        for number in 0..=NAMES_MAX {
            names.note(&of(number), at(0));
        }
        assert_eq!(names.counters().len(), NAMES_MAX);
        assert!(names.of(&of(0).key.unwrap()).is_none() && names.of(&of(1).key.unwrap()).is_some());
        for line in 0..=u32::try_from(SITES_MAX).unwrap() {
            names.note(&Refusal { key: None, ..refusal(line, "", Outcome::Refused) }, at(0));
        }
        assert_eq!(names.decisions().len(), SITES_MAX);
    }
}
