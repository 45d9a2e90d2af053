//! How the replicas of all gateways are doing, as they say it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::configuration::generation::Generation;
use crate::fault::Fault;
use crate::time::Timestamp;

/// How many replicas are remembered, those that left included.
pub const REPLICAS_MAX: usize = 20_000;

/// How the replicas of all gateways are doing.
#[derive(Debug, Default)]
pub struct Fleet(Mutex<BTreeMap<Name, Replica>>);

/// A replica: its gateway, and its own name.
pub type Name = (Arc<str>, Arc<str>);

/// How one replica is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replica {
    /// Which of its streams this is about: an older stream may end after a newer one began.
    stream: u64,
    /// Whether it has a stream now.
    pub is_connected: bool,
    /// Since when it has, or has none.
    pub since: Timestamp,
    /// When it was last heard of.
    pub heard: Timestamp,
    /// The version of Weir that it runs.
    pub version: Arc<str>,
    /// Whether it takes requests.
    pub is_ready: bool,
    /// The newest generation that it heard of.
    pub observed: Generation,
    /// The newest that is ready to be served.
    pub prepared: Generation,
    /// The one that it serves.
    pub serving: Generation,
    /// How many it refused.
    pub refused: u64,
    /// The newest that it refused, as long as it has accepted none since.
    pub refuses: Generation,
    /// When its credential expires.
    pub credential_until: Timestamp,
    /// How long before that it should be replaced, if it says so.
    pub credential_near: Option<Duration>,
    /// Why it refused the newest; empty if it did not.
    pub faults: Vec<Fault>,
    /// The replicas for which it has the stream, if it leads a cluster: what is told is about all
    /// of them then.
    pub cluster: Option<Together>,
}

/// Replicas that share one stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Together {
    /// The generation that is in force, as they count; the history is no other cluster's.
    pub in_force: Generation,
    /// How many there are.
    pub replicas: u32,
    /// How many of them serve what is in force.
    pub serving: u32,
    /// Whether that is for some of them only.
    pub is_staged: bool,
}

impl Replica {
    /// Whether it has, or had, the stream of the same cluster as `other`.
    fn is_with(&self, other: &Self) -> bool {
        let history = |replica: &Self| {
            let history = replica.cluster.map(|cluster| cluster.in_force.history);
            history.filter(|history| *history != 0)
        };
        history(self).is_some() && history(self) == history(other)
    }
}

impl Fleet {
    /// Notes that `name`, which runs `version`, began the stream numbered `stream`.
    pub fn arrive(&self, name: &Name, stream: u64, version: &str, now: Timestamp) {
        let mut replicas = self.lock();
        if REPLICAS_MAX <= replicas.len() && !replicas.contains_key(name) {
            let gone = replicas.iter().filter(|(_name, replica)| !replica.is_connected);
            let oldest = gone.min_by_key(|(_name, replica)| replica.heard);
            let Some(oldest) = oldest.map(|(name, _replica)| name.clone()) else { return };
            replicas.remove(&oldest);
        }
        let replica = replicas.entry(name.clone()).or_default();
        replica.stream = stream;
        replica.is_connected = true;
        replica.version = Arc::from(version);
        (replica.since, replica.heard) = (now, now);
    }

    /// Notes what `name` told over the stream numbered `stream`.
    pub fn hear(&self, name: &Name, stream: u64, now: Timestamp, note: impl FnOnce(&mut Replica)) {
        let mut replicas = self.lock();
        if let Some(replica) = replicas.get_mut(name).filter(|it| it.stream == stream) {
            replica.heard = now;
            note(replica);
            let leads = replica.clone();
            // Whoever led the same cluster before is one of those that are told of now.
            replicas.retain(|of, other| {
                of.0 != name.0 || of == name || other.is_connected || !other.is_with(&leads)
            });
        }
    }

    /// Notes that the stream numbered `stream` of `name` has ended.
    pub fn leave(&self, name: &Name, stream: u64, now: Timestamp) {
        let mut replicas = self.lock();
        let Some(replica) = replicas.get_mut(name).filter(|it| it.stream == stream) else { return };
        replica.is_connected = false;
        replica.since = now;
        let left = replica.clone();
        let succeeds = |(of, other): (&Name, &Replica)| {
            of.0 == name.0 && other.is_connected && other.is_with(&left)
        };
        if replicas.iter().any(succeeds) {
            replicas.remove(name);
        }
    }

    /// All of them, by name.
    pub fn replicas(&self) -> Vec<(Name, Replica)> {
        self.lock().iter().map(|(name, replica)| (name.clone(), replica.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Replica>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_stream_that_ends_late_does_not_take_its_successor_along() {
        let fleet = Fleet::default();
        let name: Name = (Arc::from("a"), Arc::from("one"));
        fleet.arrive(&name, 1, "1.0", at(1));
        fleet.arrive(&name, 2, "1.1", at(2));
        fleet.leave(&name, 1, at(3));
        fleet.hear(&name, 1, at(3), |replica| replica.refused = 9);
        let [(_name, replica)] = fleet.replicas().try_into().unwrap();
        assert!(replica.is_connected && replica.refused == 0 && &*replica.version == "1.1");
        fleet.leave(&name, 2, at(4));
        assert!(!fleet.replicas()[0].1.is_connected);
    }

    #[test]
    fn a_new_leader_takes_the_place_of_the_one_before() {
        let fleet = Fleet::default();
        let name = |name: &str| -> Name { (Arc::from("a"), Arc::from(name)) };
        let lead = |stream: u64, replica: &str, history: u64| {
            fleet.arrive(&name(replica), stream, "1", at(stream));
            let in_force = Generation { history, number: 1 };
            let cluster = Some(Together { in_force, ..Together::default() });
            fleet.hear(&name(replica), stream, at(stream), |it| it.cluster = cluster);
        };
        let names =
            || -> Vec<Arc<str>> { fleet.replicas().into_iter().map(|(name, _)| name.1).collect() };
        // Those of another cluster, and those of which nothing is known, stay.
        lead(1, "other", 8);
        fleet.arrive(&name("alone"), 2, "1", at(2));
        for (stream, replica) in [(1, "other"), (2, "alone")] {
            fleet.leave(&name(replica), stream, at(3));
        }
        // It leaves before its successor comes, or after.
        lead(4, "first", 7);
        fleet.leave(&name("first"), 4, at(5));
        lead(6, "second", 7);
        assert_eq!(names(), ["alone", "other", "second"].map(Arc::from));
        lead(7, "third", 7);
        fleet.leave(&name("second"), 6, at(8));
        assert_eq!(names(), ["alone", "other", "third"].map(Arc::from));
    }

    #[test]
    fn who_left_first_makes_room() {
        let fleet = Fleet::default();
        let name = |number: usize| -> Name { (Arc::from("a"), Arc::from(number.to_string())) };
        for number in 0..REPLICAS_MAX {
            fleet.arrive(&name(number), 1, "1", at(1));
        }
        fleet.arrive(&name(REPLICAS_MAX), 1, "1", at(2));
        assert_eq!(fleet.replicas().len(), REPLICAS_MAX);
        fleet.leave(&name(7), 1, at(3));
        fleet.arrive(&name(REPLICAS_MAX), 1, "1", at(4));
        let names: Vec<Name> = fleet.replicas().into_iter().map(|(name, _)| name).collect();
        assert!(names.len() == REPLICAS_MAX && !names.contains(&name(7)));
        assert!(names.contains(&name(REPLICAS_MAX)));
    }
}
