//! The inspector: what one request went through, for whoever has a credential to see it.
//!
//! A request with a good credential is recorded on its way ([`exchange::inspection`]); at its end, when
//! its response is out, the record becomes a [`document`] without secrets, which is kept [`kept`] here
//! and, where replicas share a Redis, there ([`sharing`]): then any of them shows it. Nothing that a
//! client waits for asks Redis.
//!
//! [`exchange::inspection`]: crate::exchange::inspection

pub mod credential;
pub mod cover;
pub mod document;
pub mod kept;
pub mod shape;
pub mod sharing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::inspector::credential::{Claim, Key, Unreadable};
use crate::inspector::kept::{Kept, Outbox, Ring};
use crate::inspector::sharing::Reader;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a trace is kept at most.
pub const TRACE_LIFE: Duration = Duration::from_hours(1);

/// The most requests that are recorded in one second by one replica; others are served as usual.
pub const TRACES_PER_SECOND_MAX: u64 = 20;

/// Records requests for those who may see them, and keeps what was recorded.
#[derive(Debug)]
pub struct Inspector {
    /// Whether any credential is heeded.
    pub is_enabled: bool,
    /// Whether `Ocp-Apim-Trace` is heeded.
    pub is_legacy: bool,
    /// Whether operators on other machines may make credentials and read traces.
    pub is_remote: bool,
    /// What the addresses of traces begin with, without a slash at the end.
    pub base: String,
    keys: RwLock<Keys>,
    pub(in crate::inspector) ring: Ring,
    pub(in crate::inspector) outbox: Outbox,
    /// The second that runs, and how many requests were recorded in it.
    pace: AtomicU64,
    /// Where other replicas find traces, if they share a Redis.
    reader: Option<Reader>,
}

/// The keys that credentials are signed with.
#[derive(Debug)]
struct Keys {
    /// The one of this process.
    own: Key,
    /// The one of all replicas, once it is known.
    shared: Option<Key>,
}

/// What a credential is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The request may be recorded.
    Good,
    /// Its time is over.
    Expired,
    /// It is for another API.
    OtherApi,
    /// It is none of ours: as if there were none.
    Unreadable,
}

/// A credential that was made.
#[derive(Debug)]
pub struct Made {
    /// The credential.
    pub token: Secret,
    /// Whether every replica takes it.
    pub is_shared: bool,
}

impl Inspector {
    /// One that heeds credentials, and not `Ocp-Apim-Trace`; its credentials are signed with `own`, until replicas agree on a key over what `reader`
    /// reads.
    pub fn new(own: Key, base: String, reader: Option<Reader>) -> Self {
        Self {
            is_enabled: true,
            is_legacy: false,
            is_remote: false,
            base,
            keys: RwLock::new(Keys { own, shared: None }),
            ring: Ring::default(),
            outbox: Outbox::default(),
            pace: AtomicU64::new(0),
            reader,
        }
    }

    /// Makes a credential for `api` that is good until then.
    pub fn make(&self, api: &str, until: Timestamp) -> Result<Made, credential::Unsigned> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let claim = Claim { api: api.to_owned(), until };
        let token = keys.shared.as_ref().unwrap_or(&keys.own).sign(&claim)?;
        Ok(Made { token, is_shared: keys.shared.is_some() || self.reader.is_none() })
    }

    /// What the credential `text` is good for in a request of `api`.
    pub fn judge(&self, text: &str, api: Option<&str>, now: Timestamp) -> Verdict {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let known = [keys.shared.as_ref(), Some(&keys.own)];
        let mut read = known.into_iter().flatten().map(|key| key.read(text));
        match read.find(Result::is_ok).unwrap_or(Err(Unreadable)) {
            _ if !self.is_enabled => Verdict::Unreadable,
            Err(Unreadable) => Verdict::Unreadable,
            Ok(claim) if claim.until <= now => Verdict::Expired,
            Ok(claim) if api != Some(claim.api.as_str()) => Verdict::OtherApi,
            Ok(_) => Verdict::Good,
        }
    }

    /// Whether one more request may be recorded in this second.
    pub fn has_room(&self, now: Timestamp) -> bool {
        let second = now.micros() / 1_000_000;
        let next = |pace: u64| {
            let (at, count) = (pace / PACE, pace % PACE);
            match at == second {
                true if TRACES_PER_SECOND_MAX <= count => None,
                true => Some(pace.saturating_add(1)),
                false => Some(second.saturating_mul(PACE).saturating_add(1)),
            }
        };
        self.pace.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// Keeps a trace, here at once and for others soon.
    pub fn keep(&self, trace: Kept) {
        let trace = Arc::new(trace);
        if self.reader.is_some() {
            self.outbox.put(Arc::clone(&trace));
        }
        self.ring.put(trace);
    }

    /// Where operators find the trace `id`.
    pub fn location(&self, id: &str) -> String {
        format!("{}/inspector/traces/{id}", self.base)
    }

    /// What reads the traces of other replicas, if they share a Redis.
    pub const fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// The trace `id`, if this replica has it.
    pub fn own(&self, id: &str, now: Timestamp) -> Option<Arc<Kept>> {
        self.ring.find(id, now)
    }

    /// The traces that this replica has, the newest first.
    pub fn own_latest(&self, now: Timestamp) -> Vec<Arc<Kept>> {
        self.ring.latest(now)
    }

    /// The key that is proposed where replicas have none yet.
    fn proposed(&self) -> Secret {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).own.text()
    }

    /// Replicas have agreed on this key.
    fn agreed(&self, key: Key) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).shared = Some(key);
    }
}

/// What a second is counted in: more requests than are ever recorded in one.
const PACE: u64 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn inspector() -> Inspector {
        Inspector::new(Key::of([7; 32]), String::new(), None)
    }

    #[test]
    fn a_credential_is_for_one_api_and_a_while() {
        let inspector = inspector();
        let made = inspector.make("echo", at(100)).unwrap();
        let judge = |api: Option<&str>, now| inspector.judge(made.token.expose(), api, at(now));
        assert_eq!(judge(Some("echo"), 99), Verdict::Good);
        assert_eq!(judge(Some("echo"), 100), Verdict::Expired);
        assert_eq!(judge(Some("other"), 99), Verdict::OtherApi);
        assert_eq!(judge(None, 99), Verdict::OtherApi);
        assert!(made.is_shared, "there is no other replica");
    }

    #[test]
    fn a_credential_of_before_the_replicas_agreed_is_still_good() {
        let inspector = inspector();
        let before = inspector.make("echo", at(100)).unwrap();
        inspector.agreed(Key::of([8; 32]));
        let after = inspector.make("echo", at(100)).unwrap();
        assert_ne!(before.token, after.token);
        for made in [before, after] {
            let verdict = inspector.judge(made.token.expose(), Some("echo"), at(1));
            assert_eq!(verdict, Verdict::Good);
        }
    }

    #[test]
    fn only_so_many_requests_are_recorded_in_a_second() {
        let inspector = inspector();
        for second in [5, 6] {
            for _ in 0..TRACES_PER_SECOND_MAX {
                assert!(inspector.has_room(at(second)));
            }
            assert!(!inspector.has_room(at(second)));
        }
    }
}
