//! Pools: backends that stand for several, and the choice of the one that gets a request.
//!
//! A pool belongs to a configuration; what it remembers ([`Counts`]) outlives it while its members
//! stay the same. Whoever has chosen a member holds its [`Seat`] for as long as the request lasts.

pub mod turn;
#[cfg(test)]
mod simulation;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, StatusCode};

use self::turn::{Fitness, MEMBERS_MAX, Place, Set, Turn, WHOLE, owner, standing};
use super::Backend;
use super::standing::Unavailable;
use crate::digest::number;
use crate::time::Timestamp;

/// A backend that stands for several.
#[derive(Debug)]
pub struct Pool {
    /// Its members, at most [`MEMBERS_MAX`].
    pub members: Vec<Member>,
    /// How one of them is chosen.
    pub terms: Terms,
    counts: Arc<Counts>,
}

/// A member of a pool.
#[derive(Debug)]
pub struct Member {
    /// Which backend it is.
    pub backend: Arc<Backend>,
    /// The group it belongs to; smaller ones come first.
    pub priority: u32,
    /// Its share of its group.
    pub weight: u32,
    /// What hashing and sessions know it by.
    seed: u64,
}

/// How a member is chosen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Terms {
    /// In which manner.
    pub balancing: Balancing,
    /// The time in which a member that came back gets its whole share again.
    pub slow_start: Option<Duration>,
    /// Where fewer members are healthy, in percent, all are taken to be; 0: never.
    pub panic_percent: u32,
    /// The name of the cookie that keeps a session with one member.
    pub session_cookie: Option<Arc<str>>,
    /// The status that clients are to see where nobody can serve; that of the member which is first
    /// to serve again if none.
    pub failure_response: Option<StatusCode>,
}

/// In which manner a member is chosen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Balancing {
    /// In turn, by weight.
    #[default]
    Weighted,
    /// The one that has least to do for its weight.
    LeastRequests,
    /// The one that owns what the request says here.
    ConsistentHash(HashSource),
}

/// What of a request decides about its member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HashSource {
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(Arc<str>),
    /// The address of the client.
    ClientAddress,
    /// The path that the client called.
    Path,
}

/// What is known of a request that needs a member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// When.
    pub now: Timestamp,
    /// What consistent hashing goes by; without it members take turns.
    pub key: Option<&'a [u8]>,
    /// What the cookie of its session says.
    pub session: Option<&'a str>,
    /// Members that were tried for it before.
    pub tried: Set,
    /// The one that was tried last.
    pub last: Option<usize>,
}

/// The member that gets a request.
#[derive(Debug)]
pub struct Chosen {
    /// Which one.
    pub backend: Arc<Backend>,
    /// Its place, held while the request lasts.
    pub seat: Seat,
    /// What the session's cookie is to say, where that is new to the client.
    pub session: Option<String>,
}

/// What a pool remembers.
#[derive(Debug)]
pub struct Counts {
    turn: Mutex<Turn>,
    places: Vec<Count>,
}

/// What a pool remembers of a member.
#[derive(Debug, Default)]
struct Count {
    /// Requests that it has under way.
    taken: AtomicU32,
    /// Requests that it was chosen for.
    chosen: AtomicU64,
}

/// The place of a member that has a request under way; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    counts: Arc<Counts>,
    /// Which one of the pool's members.
    pub place: usize,
}

/// The least part of its share that a member gets which has just come back, in parts of [`WHOLE`].
const RAMP_MIN: u32 = 100;

impl Pool {
    /// A pool of these members, with each one's priority and weight; `counts` is what an earlier one
    /// with the same members remembers.
    pub fn new(
        members: Vec<(Arc<Backend>, u32, u32)>,
        terms: Terms,
        counts: Option<Arc<Counts>>,
    ) -> Self {
        let member = |(backend, priority, weight): (Arc<Backend>, u32, u32)| {
            let seed = number([backend.id.as_bytes()]);
            Member { backend, priority, weight, seed }
        };
        let members: Vec<Member> = members.into_iter().take(MEMBERS_MAX).map(member).collect();
        let places = || members.iter().map(|_member| Count::default()).collect();
        let counts = counts.filter(|counts| counts.places.len() == members.len());
        let counts =
            counts.unwrap_or_else(|| Arc::new(Counts { turn: Mutex::default(), places: places() }));
        Self { members, terms, counts }
    }

    /// What it remembers, for the one that follows it.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Chooses a member.
    pub fn choose(&self, asked: &Asked<'_>) -> Result<Chosen, Unavailable> {
        let usable = self.usable(asked.now);
        let kept = asked.session.and_then(|session| self.of_session(session));
        let kept = kept.filter(|place| usable.has(*place) && !asked.tried.has(*place));
        let place = kept.or_else(|| self.next(asked, usable));
        let chosen = place.and_then(|place| Some((place, self.members.get(place)?)));
        let Some((place, member)) = chosen else { return Err(self.unavailable(asked.now)) };
        let is_new = self.terms.session_cookie.is_some() && kept.is_none();
        Ok(Chosen {
            backend: Arc::clone(&member.backend),
            seat: Seat::take(&self.counts, place),
            session: is_new.then(|| session_of(member)),
        })
    }

    fn next(&self, asked: &Asked<'_>, usable: Set) -> Option<usize> {
        let places = self.places(asked.now);
        let last = asked.last.map_or_else(Set::default, |last| Set::default().with(last));
        let among = standing(&places, usable, (asked.tried, last));
        let turn = || self.counts.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.terms.balancing, asked.key) {
            (Balancing::ConsistentHash(_), Some(key)) => owner(&places, among, number([key])),
            (Balancing::LeastRequests, _) => turn().idlest(&places, among),
            _ => turn().next(&places, among),
        }
    }

    /// Those that may be asked.
    pub fn usable(&self, now: Timestamp) -> Set {
        let count = self.members.len();
        let stands = |at: usize, does: fn(&Backend, Timestamp) -> bool| {
            self.members.get(at).is_some_and(|member| does(&member.backend, now))
        };
        let fitness = Fitness {
            closed: Set::of(count, |at| stands(at, Backend::is_closed)),
            healthy: Set::of(count, |at| stands(at, Backend::is_healthy)),
        };
        fitness.usable(count, self.terms.panic_percent)
    }

    /// Its members and how often each was chosen.
    pub fn chosen(&self) -> impl Iterator<Item = (&Member, u64)> {
        let counts = self.counts.places.iter().map(|count| count.chosen.load(Ordering::Relaxed));
        self.members.iter().zip(counts)
    }

    fn places(&self, now: Timestamp) -> Vec<Place> {
        let all = self.members.iter().zip(&self.counts.places);
        let place = |(member, count): (&Member, &Count)| Place {
            priority: member.priority,
            weight: member.weight,
            ramp: self.ramp(&member.backend, now),
            taken: count.taken.load(Ordering::Relaxed),
            seed: member.seed,
        };
        all.map(place).collect()
    }

    /// How much of its share a member gets, in parts of [`WHOLE`].
    fn ramp(&self, backend: &Backend, now: Timestamp) -> u32 {
        let since = backend.standing.as_ref().and_then(|standing| standing.back_since());
        let (Some(span), Some(since)) = (self.terms.slow_start, since) else { return WHOLE };
        let parts = now.since(since).as_micros().saturating_mul(WHOLE.into());
        let part = parts / span.as_micros().max(1);
        u32::try_from(part).unwrap_or(WHOLE).clamp(RAMP_MIN, WHOLE)
    }

    fn of_session(&self, session: &str) -> Option<usize> {
        self.terms.session_cookie.as_ref()?;
        self.members.iter().position(|member| session_of(member) == session)
    }

    /// What is to be said where nobody can serve: whoever may be the first to serve again decides.
    fn unavailable(&self, now: Timestamp) -> Unavailable {
        let refusals = self.members.iter().filter_map(|member| member.backend.refusal(now));
        let first = refusals.min_by_key(|refusal| refusal.retry_after);
        let Unavailable { retry_after, status } = first.unwrap_or(Unavailable::SOON);
        Unavailable { retry_after, status: self.terms.failure_response.or(status) }
    }
}

/// What a cookie says that keeps a session with `member`: nothing of its name.
fn session_of(member: &Member) -> String {
    format!("{:016x}", member.seed)
}

impl Seat {
    fn take(counts: &Arc<Counts>, place: usize) -> Self {
        if let Some(count) = counts.places.get(place) {
            count.taken.fetch_add(1, Ordering::Relaxed);
            count.chosen.fetch_add(1, Ordering::Relaxed);
        }
        Self { counts: Arc::clone(counts), place }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(count) = self.counts.places.get(self.place) {
            count.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
