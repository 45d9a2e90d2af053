//! How many may ask, and how often: streams in all, streams of a gateway, calls of a credential,
//! and wrong credentials of an address.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// The most streams in all.
pub const STREAMS_MAX: usize = 10_000;
/// The most streams of one gateway, which is the most replicas that it can have.
pub const GATEWAY_STREAMS_MAX: usize = 1_000;
/// How often a credential may open a stream at once; one more comes in every [`CALL_INTERVAL`].
/// Enough for every replica of a gateway to come back after an outage.
const CALLS_MAX: u32 = 1_000;
const CALL_INTERVAL: Duration = Duration::from_millis(100);
/// How many wrong credentials an address may show at once; one more in every [`WRONG_INTERVAL`].
const WRONG_MAX: u32 = 20;
const WRONG_INTERVAL: Duration = Duration::from_secs(6);
/// How many credentials or addresses are remembered.
const REMEMBERED_MAX: usize = 20_000;

/// Who asks, counted.
#[derive(Debug, Default)]
pub struct Crowd(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    streams: usize,
    /// How many there were at a time, at most.
    most: usize,
    of_gateways: HashMap<Arc<str>, usize>,
    calls: Buckets<Arc<str>>,
    wrong: Buckets<IpAddr>,
}

/// A place among the streams, given back when it is dropped.
pub struct Seat {
    counts: Arc<Mutex<Counts>>,
    gateway: Arc<str>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoRoom {
    /// In all.
    #[error("this control plane has as many streams as it can have")]
    Streams,
    /// For the gateway.
    #[error("this gateway has as many streams as it may have")]
    Gateway,
    /// Too often.
    #[error("this credential opens streams too often")]
    Calls,
}

impl Crowd {
    /// A place for a stream of `gateway`, which showed the credential `id`.
    pub fn enter(&self, gateway: &Arc<str>, id: &Arc<str>, now: Timestamp) -> Result<Seat, NoRoom> {
        let mut counts = lock(&self.0);
        if !counts.calls.take(id, now, CALLS_MAX, CALL_INTERVAL) {
            return Err(NoRoom::Calls);
        }
        if STREAMS_MAX <= counts.streams {
            return Err(NoRoom::Streams);
        }
        let own = counts.of_gateways.entry(Arc::clone(gateway)).or_default();
        if GATEWAY_STREAMS_MAX <= *own {
            return Err(NoRoom::Gateway);
        }
        *own = own.saturating_add(1);
        counts.streams = counts.streams.saturating_add(1);
        counts.most = counts.most.max(counts.streams);
        Ok(Seat { counts: Arc::clone(&self.0), gateway: Arc::clone(gateway) })
    }

    /// Notes a wrong credential from `address`; whether it may show another one.
    pub fn wrong(&self, address: IpAddr, now: Timestamp) -> bool {
        lock(&self.0).wrong.take(&network(address), now, WRONG_MAX, WRONG_INTERVAL)
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        lock(&self.0).streams
    }

    /// How many streams there were at a time, at most.
    pub fn streams_most(&self) -> usize {
        lock(&self.0).most
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.streams = counts.streams.saturating_sub(1);
        if let Some(own) = counts.of_gateways.get_mut(&self.gateway) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.of_gateways.remove(&self.gateway);
            }
        }
    }
}

/// What one host can have: of IPv6, the network that it is in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// What is left of what somebody may do, which comes back with time.
struct Buckets<K>(HashMap<K, Bucket>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    /// Up to when what came back is counted in.
    at: Timestamp,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    /// Takes one of at most `most`, of which one comes back in each `interval`; false if none is
    /// left.
    fn take(&mut self, key: &K, now: Timestamp, most: u32, interval: Duration) -> bool {
        if REMEMBERED_MAX <= self.0.len() && !self.0.contains_key(key) {
            self.0.retain(|_key, bucket| bucket.now(now, most, interval).left < most);
            if REMEMBERED_MAX <= self.0.len() {
                return false;
            }
        }
        let full = Bucket { left: most, at: now };
        let bucket = self.0.entry(key.clone()).or_insert(full);
        *bucket = bucket.now(now, most, interval);
        let Some(left) = bucket.left.checked_sub(1) else { return false };
        bucket.left = left;
        true
    }
}

impl Bucket {
    fn now(self, now: Timestamp, most: u32, interval: Duration) -> Self {
        let passed = now.since(self.at).as_micros().checked_div(interval.as_micros());
        let back = passed.map_or(u32::MAX, |back| u32::try_from(back).unwrap_or(u32::MAX));
        if back == 0 {
            return self;
        }
        let left = self.left.saturating_add(back);
        if most <= left {
            return Self { left: most, at: now };
        }
        Self { left, at: self.at + interval.saturating_mul(back) }
    }
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K> fmt::Debug for Buckets<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Buckets").field(&self.0.len()).finish()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Seat").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    #[test]
    fn a_gateway_has_so_many_streams_and_gets_back_what_it_leaves() {
        let crowd = Crowd::default();
        let (gateway, other) = (Arc::from("a"), Arc::from("b"));
        let credential = |number: usize| Arc::from(number.to_string().as_str());
        let enter = |number| crowd.enter(&gateway, &credential(number), NOW);
        let seats: Vec<Seat> = (0..GATEWAY_STREAMS_MAX).map(|it| enter(it).unwrap()).collect();
        assert_eq!(enter(0).unwrap_err(), NoRoom::Gateway);
        assert!(crowd.enter(&other, &credential(1), NOW).is_ok());
        assert_eq!(crowd.streams(), GATEWAY_STREAMS_MAX);
        drop(seats);
        assert_eq!((crowd.streams(), crowd.streams_most()), (0, GATEWAY_STREAMS_MAX + 1));
        assert!(enter(0).is_ok());
    }

    #[test]
    fn a_credential_may_call_so_often_and_others_do_not_notice() {
        let crowd = Crowd::default();
        let (gateway, busy, other) = (Arc::from("a"), Arc::from("busy"), Arc::from("other"));
        let calls = (0..=CALLS_MAX).map(|_| crowd.enter(&gateway, &busy, NOW).is_ok());
        assert_eq!(calls.filter(|is_in| *is_in).count(), 1_000);
        assert_eq!(crowd.enter(&gateway, &busy, NOW).unwrap_err(), NoRoom::Calls);
        assert!(crowd.enter(&gateway, &other, NOW).is_ok());
        assert!(crowd.enter(&gateway, &busy, NOW + CALL_INTERVAL).is_ok());
        assert!(crowd.enter(&gateway, &busy, NOW + CALL_INTERVAL).is_err());
    }

    #[test]
    fn an_address_may_be_wrong_so_often() {
        let crowd = Crowd::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (one, same, other) = (address("fd00::1"), address("fd00::2"), address("10.0.0.1"));
        assert!((0..WRONG_MAX).all(|_| crowd.wrong(one, NOW)));
        assert!(!crowd.wrong(same, NOW) && crowd.wrong(other, NOW));
        assert!(crowd.wrong(same, NOW + WRONG_INTERVAL));
    }

    #[test]
    fn as_many_are_remembered_as_there_is_room_for() {
        let mut buckets = Buckets::default();
        let take = |buckets: &mut Buckets<usize>, key: usize, now| {
            buckets.take(&key, now, 2, CALL_INTERVAL)
        };
        assert!((0..REMEMBERED_MAX).all(|key| take(&mut buckets, key, NOW)));
        assert!(!take(&mut buckets, REMEMBERED_MAX, NOW) && take(&mut buckets, 0, NOW));
        assert!(take(&mut buckets, REMEMBERED_MAX, NOW + CALL_INTERVAL));
    }
}
