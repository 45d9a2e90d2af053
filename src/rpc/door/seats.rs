//! How many connections there may be: in all, and from one address, so that nobody takes the places
//! of everybody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most connections at a time, handshakes included.
const CONNECTIONS_MAX: usize = 12_000;
/// The most connections from one address: a network may hide a thousand replicas behind one.
const ADDRESS_CONNECTIONS_MAX: usize = 2_000;

/// The places that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(in crate::rpc) struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    /// A place for a connection from `address`, if there is one.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        let own = taken.of.get(&address).copied().unwrap_or_default();
        if CONNECTIONS_MAX <= taken.all || ADDRESS_CONNECTIONS_MAX <= own {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.of.insert(address, own.saturating_add(1));
        Some(Seat { seats: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let seats = Seats::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (greedy, same, other) =
            (address("10.0.0.1"), address("::ffff:10.0.0.1"), address("::1"));
        let mut taken: Vec<Seat> = std::iter::from_fn(|| seats.take(greedy)).collect();
        assert_eq!(taken.len(), ADDRESS_CONNECTIONS_MAX);
        assert!(seats.take(same).is_none() && seats.take(other).is_some());
        taken.pop();
        assert!(seats.take(same).is_some());
        drop(taken);
        assert!(seats.lock().all == 0 && seats.lock().of.is_empty());
    }

    #[test]
    fn there_are_so_many_places_in_all() {
        let seats = Seats::default();
        let taken: Vec<Seat> =
            (0..u32::MAX).map_while(|it| seats.take(IpAddr::from(it.to_be_bytes()))).collect();
        assert_eq!(taken.len(), CONNECTIONS_MAX);
    }
}
