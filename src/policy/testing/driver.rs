//! Does in memory what a machine asks for.

use std::sync::Arc;

use bytes::Bytes;

use crate::exchange::cached::CachedResponse;
use crate::cache::memory::Item;
use crate::exchange::message::{Body, Response};
use crate::limit::{Answer, Charge, Counters};
use crate::policy::Side;
use crate::policy::caching::storable;
use crate::policy::machine::{Effect, Event, Machine};
use crate::policy::testing::{Outcome, Run};

/// The most effects of one run: more, and it would not end.
const EFFECTS_MAX: usize = 10_000;

/// What the machine asks for, done in memory.
pub(super) struct Driver<'a> {
    pub(super) run: &'a Run,
    pub(super) machine: Machine,
    pub(super) outcome: Outcome,
    /// The body of the backend's response, until somebody wants it.
    pub(super) on_the_wire: Bytes,
}

impl Driver<'_> {
    /// Runs to the end.
    pub(super) fn go(&mut self) {
        let mut event = Event::Start;
        for _ in 0..EFFECTS_MAX {
            self.outcome.exchange.now = self.run.now.get();
            let effect = self.machine.resume(event, &mut self.outcome.exchange);
            event = match self.act(effect) {
                Some(event) => event,
                None => return self.deliver(),
            };
        }
        panic!("the run does not end");
    }

    /// Does what is asked for; none if the run is over.
    fn act(&mut self, effect: Effect) -> Option<Event> {
        let run = self.run;
        let now = run.now.get();
        Some(match effect {
            Effect::Fetch(Side::Request) => Event::Body(Side::Request, Ok(Bytes::new())),
            Effect::Fetch(Side::Response) => {
                Event::Body(Side::Response, Ok(std::mem::take(&mut self.on_the_wire)))
            }
            Effect::Charge(charges) => Event::Tallied(match run.counters.charge(&charges, now) {
                Answer::Now(tallies) => tallies,
                Answer::Later(_) => panic!("memory answers at once"),
            }),
            Effect::Add(charges) => {
                run.counters.add(&charges, now);
                Event::Done
            }
            Effect::Enter { key, max } => Event::Entered(run.concurrency.enter(key, max)),
            Effect::LookupResponse(key) => Event::CachedResponse(run.responses.get(&key, now)),
            Effect::StoreResponse(key, ttl) => {
                let response = self.outcome.response();
                let kept = CachedResponse {
                    status: response.status,
                    headers: storable(response.headers.map()),
                    body: response.body.bytes().cloned().unwrap_or_default(),
                    stored: now,
                    ttl,
                };
                let item = Item { bytes: kept.bytes(), value: Arc::new(kept) };
                run.responses.put(key, item, ttl, now).expect("small enough");
                Event::Done
            }
            Effect::LookupValue(key) => Event::CachedValue(run.values.get(&key, now)),
            Effect::StoreValue(key, value, ttl) => {
                run.values.put(key, Item { value, bytes: 1 }, ttl, now).expect("small enough");
                Event::Done
            }
            Effect::RemoveValue(key) => {
                run.values.remove(&key);
                Event::Done
            }
            Effect::Sleep(span) => {
                run.pass(span);
                self.outcome.slept.push(span);
                Event::Done
            }
            Effect::Forward(_) => Event::Responded(self.forward()),
            Effect::Deliver => return None,
        })
    }

    fn forward(&mut self) -> Response {
        let request = &self.outcome.exchange.request;
        self.outcome.forwarded.push(format!("{} {}", request.method, request.target()));
        let mut response = self.run.backend();
        if self.run.program.collected().is_none() {
            self.on_the_wire = response.body.bytes().cloned().unwrap_or_default();
            response.body = Body::Waiting;
        }
        response
    }

    /// Writes the final fields, lets the body pass and counts its bytes.
    fn deliver(&mut self) {
        let exchange = &mut self.outcome.exchange;
        let response = exchange.response.as_mut().expect("there is a response");
        if response.body.is_waiting() {
            response.body = Body::Bytes(std::mem::take(&mut self.on_the_wire));
        }
        for (name, value) in exchange.final_fields.over(response.headers.map()) {
            response.headers.set(&name, value);
        }
        let length = |body: &Body| body.bytes().map_or(0, Bytes::len);
        let bytes = length(&exchange.request.body) + length(&response.body);
        let cost = u64::try_from(bytes).unwrap();
        let charges: Vec<_> =
            exchange.bandwidth.iter().map(|charge| Charge { cost, ..*charge }).collect();
        self.run.counters.add(&charges, self.run.now.get());
        self.outcome.ran = self.machine.ran().to_vec();
    }
}
