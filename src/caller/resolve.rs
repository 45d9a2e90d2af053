//! Names to addresses: looked up off the request's way where possible, kept, and kept longer when
//! the name server is gone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// Looks names up and remembers what it found.
#[derive(Debug, Default)]
pub struct Resolver {
    known: Mutex<HashMap<(String, u16), Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    addresses: Vec<SocketAddr>,
    looked_up: Timestamp,
    /// Which address the next request gets.
    next: usize,
}

/// How long an address is taken as it is.
const FRESH: Duration = Duration::from_secs(10);
/// How long an address is used when the name cannot be looked up again.
const LAST_GOOD: Duration = Duration::from_mins(5);
/// How long a look-up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How many names are remembered.
const NAMES_MAX: usize = 10_000;
/// How many addresses of one name are used.
const ADDRESSES_MAX: usize = 64;

impl Resolver {
    /// An address of `host`, another one each time where it has several.
    pub async fn resolve(&self, host: &str, port: u16, now: Timestamp) -> io::Result<SocketAddr> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, port));
        }
        if let Some(address) = self.remembered(host, port, now, FRESH) {
            return Ok(address);
        }
        let lookup = tokio::net::lookup_host((host, port));
        let found = match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
            Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect::<Vec<_>>(),
            Ok(Err(error)) => return self.last_good(host, port, now, error),
            Err(_elapsed) => {
                let error = io::Error::new(io::ErrorKind::TimedOut, "the look-up took too long");
                return self.last_good(host, port, now, error);
            }
        };
        let Some(first) = found.first().copied() else {
            let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return self.last_good(host, port, now, error);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if NAMES_MAX <= known.len() {
            known.retain(|_name, entry| now.since(entry.looked_up) < FRESH);
        }
        if known.len() < NAMES_MAX {
            let entry = Known { addresses: found, looked_up: now, next: 1 };
            known.insert((host.to_owned(), port), entry);
        }
        Ok(first)
    }

    fn remembered(
        &self,
        host: &str,
        port: u16,
        now: Timestamp,
        age_max: Duration,
    ) -> Option<SocketAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get_mut(&(host.to_owned(), port))?;
        if age_max < now.since(entry.looked_up) {
            return None;
        }
        let count = entry.addresses.len();
        let address = entry.addresses.get(entry.next.checked_rem(count)?).copied();
        entry.next = entry.next.wrapping_add(1);
        address
    }

    fn last_good(
        &self,
        host: &str,
        port: u16,
        now: Timestamp,
        error: io::Error,
    ) -> io::Result<SocketAddr> {
        self.remembered(host, port, now, LAST_GOOD).ok_or(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(looked_up: Timestamp) -> Resolver {
        let addresses = vec![([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 1).into()];
        let resolver = Resolver::default();
        let entry = Known { addresses, looked_up, next: 0 };
        resolver.known.lock().unwrap().insert(("two.invalid".to_owned(), 1), entry);
        resolver
    }

    #[tokio::test]
    async fn addresses_take_turns() {
        let now = Timestamp::from_micros(1);
        let resolver = resolver(now);
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(resolver.resolve("two.invalid", 1, now).await.unwrap().ip().to_string());
        }
        assert_eq!(seen, ["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
    }

    #[tokio::test]
    async fn the_last_good_address_outlives_the_name_server() {
        let then = Timestamp::from_micros(1);
        let resolver = resolver(then);
        let later = then + FRESH + Duration::from_secs(1);
        assert!(resolver.resolve("two.invalid", 1, later).await.is_ok());
        let too_late = then + LAST_GOOD + Duration::from_secs(1);
        assert!(resolver.resolve("two.invalid", 1, too_late).await.is_err());
    }

    #[tokio::test]
    async fn an_address_needs_no_look_up() {
        let found = Resolver::default().resolve("::1", 80, Timestamp::default()).await;
        assert_eq!(found.unwrap().to_string(), "[::1]:80");
    }
}
