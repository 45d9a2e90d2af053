//! Values that somebody is making for all who want them: one request makes it, the others wait.
//!
//! Whoever [begins](Flights::begin) first gets the [`Flight`]; the others a [`Ticket`], which is a
//! future of what came of it. A flight that is dropped without having landed tells its followers
//! so: one of them begins anew.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::exchange::cached::CacheKey;
use crate::expression::value::Value;

/// What is being made, by key. There are never more than requests.
#[derive(Debug, Default)]
pub struct Flights {
    under_way: Mutex<HashMap<CacheKey, Arc<Shared>>>,
}

/// Whose turn it is to make a value.
#[derive(Debug)]
pub enum Begun {
    /// Whoever asked.
    Lead(Flight),
    /// Somebody else is at it.
    Follow(Ticket),
}

/// The right, and the duty, to make a value.
#[must_use = "who drops it has given up"]
pub struct Flight {
    flights: Arc<Flights>,
    key: CacheKey,
    shared: Arc<Shared>,
}

/// What came of a value that somebody made.
#[derive(Clone, Debug)]
pub enum Landed {
    /// It is there.
    Made(Value),
    /// It could not be made.
    Failed,
    /// Whoever was at it has gone.
    Abandoned,
}

/// A place among those who wait for a value.
#[derive(Debug)]
pub struct Ticket(Arc<Shared>);

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    landed: Option<Landed>,
    waiting: Vec<Waker>,
}

impl Flights {
    /// Begins to make the value of `key`, or waits for whoever is at it.
    pub fn begin(self: &Arc<Self>, key: CacheKey) -> Begun {
        match self.lock().entry(key) {
            Entry::Occupied(known) => Begun::Follow(Ticket(Arc::clone(known.get()))),
            Entry::Vacant(free) => {
                let shared = Arc::clone(free.insert(Arc::default()));
                Begun::Lead(Flight { flights: Arc::clone(self), key, shared })
            }
        }
    }

    /// The right to make the value of `key` beside whoever is at it: nobody waits for it.
    pub fn aside(self: &Arc<Self>, key: CacheKey) -> Flight {
        Flight { flights: Arc::clone(self), key, shared: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<Shared>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// The value is there, or could not be made.
    pub fn land(self, made: Option<Value>) {
        self.end(made.map_or(Landed::Failed, Landed::Made));
    }

    fn end(&self, landed: Landed) {
        // Whoever comes from here on begins anew, or finds it in the cache.
        let mut under_way = self.flights.lock();
        if under_way.get(&self.key).is_some_and(|known| Arc::ptr_eq(known, &self.shared)) {
            under_way.remove(&self.key);
        }
        drop(under_way);
        let mut state = self.shared.lock();
        state.landed.get_or_insert(landed);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Of one that has landed nothing is left to say.
        self.end(Landed::Abandoned);
    }
}

impl Future for Ticket {
    type Output = Landed;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landed> {
        let mut state = self.0.lock();
        if let Some(landed) = &state.landed {
            return Poll::Ready(landed.clone());
        }
        if !state.waiting.iter().any(|known| known.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shared")
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flight").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn lead(flights: &Arc<Flights>) -> Flight {
        match flights.begin(CacheKey::new(["a"])) {
            Begun::Lead(flight) => flight,
            Begun::Follow(_) => panic!("somebody is at it"),
        }
    }

    fn follow(flights: &Arc<Flights>) -> Ticket {
        match flights.begin(CacheKey::new(["a"])) {
            Begun::Lead(_) => panic!("nobody is at it"),
            Begun::Follow(ticket) => ticket,
        }
    }

    #[test]
    fn what_is_made_beside_it_ends_nothing() {
        let flights = Arc::new(Flights::default());
        let flight = lead(&flights);
        flights.aside(CacheKey::new(["a"])).land(Some(Value::Int(1)));
        let mut ticket = follow(&flights);
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
        drop(flight);
    }

    #[test]
    fn one_makes_it_and_all_who_wait_are_told() {
        let flights = Arc::new(Flights::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        for (made, is_made) in [(Some(Value::Int(1)), true), (None, false)] {
            let flight = lead(&flights);
            let mut ticket = follow(&flights);
            assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
            assert!(Pin::new(&mut ticket).poll(&mut context).is_pending());
            let before = woken.0.load(Ordering::SeqCst);
            flight.land(made);
            assert_eq!(woken.0.load(Ordering::SeqCst), before + 1);
            let Poll::Ready(landed) = Pin::new(&mut ticket).poll(&mut context) else { panic!() };
            assert_eq!(matches!(landed, Landed::Made(_)), is_made);
            assert_eq!(matches!(landed, Landed::Failed), !is_made);
        }
        assert!(flights.lock().is_empty());
    }

    #[test]
    fn who_gives_up_makes_room_for_another() {
        let flights = Arc::new(Flights::default());
        let flight = lead(&flights);
        let mut ticket = follow(&flights);
        drop(flight);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(landed) = Pin::new(&mut ticket).poll(&mut context) else { panic!() };
        assert!(matches!(landed, Landed::Abandoned));
        drop(lead(&flights));
        assert!(flights.lock().is_empty());
    }
}
