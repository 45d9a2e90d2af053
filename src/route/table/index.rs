//! Host and path → the APIs that share them, by one hash at the end of each segment.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::place::VersionScheme;
use crate::route::host::{Pattern, parent_of};

/// All places where APIs stand.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, HostId>,
    wildcards: HashMap<Box<str>, HostId>,
    serves_all_hosts: bool,
    /// By [`key`]; what shares a key is told apart by comparing.
    spots: HashMap<u64, Vec<Spot>, BuildHasherDefault<Ready>>,
    /// The most segments that the path of an API has.
    depth_max: usize,
}

/// A pattern of host names, numbered; [`ALL_HOSTS`] is no pattern.
pub(super) type HostId = u32;

/// Every host.
const ALL_HOSTS: HostId = 0;

/// The patterns that take a host name, the most exact first.
pub(super) type Hosts = [Option<HostId>; 3];

/// The APIs that share a pattern of host names and a path.
#[derive(Debug)]
pub(in crate::route) struct Spot {
    pub(super) host: HostId,
    /// In any case.
    pub(in crate::route) path: Box<str>,
    /// How their versions are named, if any has one.
    pub(in crate::route) scheme: Option<VersionScheme>,
    /// The API without a version.
    pub(super) original: Option<Revisions>,
    /// The others.
    pub(super) versions: Vec<(Box<str>, Revisions)>,
    /// Any of them, to be named in messages.
    pub(super) near: usize,
}

/// The revisions of one version.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    pub(super) current: Option<usize>,
    /// Number and API; never empty.
    pub(super) all: Vec<(u32, usize)>,
}

/// Where a path led.
#[derive(Debug)]
pub(in crate::route) struct Hit<'t, 'r> {
    pub(in crate::route) spot: &'t Spot,
    /// What stands after `;rev=` directly after the API's path.
    pub(super) revision: Option<&'r str>,
    /// The path after that.
    pub(super) rest: &'r str,
}

impl Revisions {
    pub(super) fn numbered(&self, number: u32) -> Option<usize> {
        self.all.iter().find(|(known, _)| *known == number).map(|(_, api)| *api)
    }

    /// The current one, or any.
    pub(super) fn near(&self) -> usize {
        self.current.or_else(|| self.all.first().map(|(_, api)| *api)).unwrap_or_default()
    }
}

impl Spot {
    pub(super) fn version(&self, value: &str) -> Option<&Revisions> {
        let found = self.versions.iter().find(|(known, _)| known.eq_ignore_ascii_case(value));
        found.map(|(_, revisions)| revisions)
    }

    /// Every API that stands here.
    pub(in crate::route) fn apis(&self) -> impl Iterator<Item = usize> {
        let versions = self.versions.iter().map(|(_, revisions)| revisions);
        let revisions = self.original.iter().chain(versions);
        revisions.flat_map(|revisions| revisions.all.iter().map(|(_, api)| *api))
    }
}

impl Index {
    /// The number of `pattern`, given to it now if it has none; none: all hosts.
    pub(super) fn host_id(&mut self, pattern: Option<&Pattern>) -> HostId {
        let next = HostId::try_from(self.exact.len() + self.wildcards.len() + 1);
        let next = next.unwrap_or(HostId::MAX);
        match pattern {
            None => {
                self.serves_all_hosts = true;
                ALL_HOSTS
            }
            Some(Pattern::Exact(name)) => *self.exact.entry(name.clone()).or_insert(next),
            Some(Pattern::Wildcard(name)) => *self.wildcards.entry(name.clone()).or_insert(next),
        }
    }

    pub(super) fn insert(&mut self, spot: Spot) {
        self.depth_max = self.depth_max.max(spot.path.matches('/').count());
        let hash = spot.path.bytes().fold(HASH_SEED, step);
        self.spots.entry(key(spot.host, hash)).or_default().push(spot);
    }

    /// `name`, if it is one that an API answers at by just this name.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        self.exact.get_key_value(name).map(|(name, _id)| &**name)
    }

    /// The patterns that take `name`.
    pub(super) fn hosts(&self, name: &str) -> Hosts {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(name).copied() };
        let wildcard = if self.wildcards.is_empty() { None } else { parent_of(name) };
        let wildcard = wildcard.and_then(|parent| self.wildcards.get(parent).copied());
        [exact, wildcard, self.serves_all_hosts.then_some(ALL_HOSTS)]
    }

    /// The longest place that is a beginning of `path` at one of `hosts`.
    pub(super) fn longest<'r>(&self, hosts: &Hosts, path: &'r str) -> Option<Hit<'_, 'r>> {
        let mut best = None;
        let mut hash = HASH_SEED;
        let mut depth = 0;
        for (at, byte) in path.bytes().enumerate() {
            if byte == b'/' {
                best = self.probe(hosts, hash, path, at).or(best);
                if depth == self.depth_max {
                    return best.map(|(spot, at)| hit(spot, path, at));
                }
                depth += 1;
            } else if byte == b';' {
                // No path of an API has one, so nothing longer can follow.
                if path.get(at..).is_some_and(|rest| cut_revision(rest).0.is_some()) {
                    best = self.probe(hosts, hash, path, at).or(best);
                }
                return best.map(|(spot, at)| hit(spot, path, at));
            }
            hash = step(hash, byte);
        }
        let best = self.probe(hosts, hash, path, path.len()).or(best);
        best.map(|(spot, at)| hit(spot, path, at))
    }

    /// The place that is the first `at` bytes of `path`, whose hash is `hash`.
    fn probe(&self, hosts: &Hosts, hash: u64, path: &str, at: usize) -> Option<(&Spot, usize)> {
        let wanted = path.get(..at)?;
        hosts.iter().flatten().find_map(|&host| {
            let same = self.spots.get(&key(host, hash))?;
            let mut same = same.iter();
            let spot =
                same.find(|spot| spot.host == host && spot.path.eq_ignore_ascii_case(wanted))?;
            Some((spot, at))
        })
    }
}

fn hit<'t, 'r>(spot: &'t Spot, path: &'r str, at: usize) -> Hit<'t, 'r> {
    let rest = path.get(at..).unwrap_or_default();
    // The API at the root has no segment of its own to carry a revision: `/;rev=2/orders`.
    let parameter = if at == 0 { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
    match cut_revision(parameter) {
        (None, _) => Hit { spot, revision: None, rest },
        (revision, rest) => Hit { spot, revision, rest },
    }
}

/// What stands in `;rev=…` at the beginning of `rest`, and what follows it.
pub(super) fn cut_revision(rest: &str) -> (Option<&str>, &str) {
    const MARK: &str = ";rev=";
    match rest.split_at_checked(MARK.len()) {
        Some((mark, after)) if mark.eq_ignore_ascii_case(MARK) => {
            let end = after.find('/').unwrap_or(after.len());
            after.split_at_checked(end).map_or((None, rest), |(number, rest)| (Some(number), rest))
        }
        _ => (None, rest),
    }
}

/// FNV-1a, 64 bits, over the bytes in lower case. Only what is configured is stored by it, so
/// nobody outside can fill a bucket.
const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_PRIME: u64 = 0x0100_0000_01b3;

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(HASH_PRIME)
}

/// Host and path in one number, its bits spread over the whole of it.
fn key(host: HostId, hash: u64) -> u64 {
    let key = (hash ^ u64::from(host)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key ^ (key >> 32)
}

/// A hasher for keys that are hashes already.
#[derive(Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| step(hash, *byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
