//! Does in memory what a machine asks for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cache::memory::Item;
use crate::exchange::cached::{CacheKey, CachedResponse};
use crate::exchange::flight::Begun;
use crate::exchange::message::Body;
use crate::exchange::metering::hear;
use crate::expression::value::Value;
use crate::limit::{Answer, Charge, Counters, CountersUnavailable};
use crate::policy::Side;
use crate::policy::caching::made::{Found, Made, Wanted};
use crate::policy::caching::storable;
use crate::policy::machine::{Effect, Event, Machine};
use crate::policy::routing::Forward;
use crate::policy::send::outgoing::Outgoing;
use crate::policy::testing::{Outcome, Run, words};
use crate::policy::tokens::asked::{Answer as Vouched, Asked};

/// The most effects of one run: more, and it would not end.
const EFFECTS_MAX: usize = 10_000;

/// What the machine asks for, done in memory.
pub(super) struct Driver<'a> {
    pub(super) run: &'a Run,
    pub(super) machine: Machine,
    pub(super) outcome: Outcome,
    /// The body of the client's request, until somebody wants it.
    pub(super) request_on_the_wire: Bytes,
    /// What is done and not reported, with the numbers of who asked.
    pub(super) together: VecDeque<(usize, Event)>,
    /// How long that was.
    pub(super) request_bytes: usize,
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
            if !matches!(effect, Effect::Together(_)) && !self.together.is_empty() {
                self.say(format!("given up: {}", self.together.len()));
                self.together.clear();
            }
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
        if let Some(words) = words::of(&effect) {
            self.say(words);
        }
        Some(match effect {
            Effect::Fetch(Side::Request) => {
                Event::Body(Side::Request, Ok(std::mem::take(&mut self.request_on_the_wire)))
            }
            Effect::Fetch(Side::Response) => {
                Event::Body(Side::Response, Ok(std::mem::take(&mut self.on_the_wire)))
            }
            Effect::Charge(charges) => self.charge(charges),
            Effect::Add(charges) => {
                self.add(&charges);
                Event::Done
            }
            Effect::Refund(charge, taken) => {
                self.say(words::refunded(&charge));
                run.counters.refund(&[charge], taken);
                Event::Done
            }
            Effect::Enter { key, max } => {
                let permit = run.concurrency.enter(key, max);
                let came = if permit.is_some() { "in" } else { "no room" };
                self.say(format!("enter, at most {max} inside: {came}"));
                Event::Entered(permit)
            }
            Effect::LookupResponse(key) => {
                let found = run.responses.get(&key, now);
                self.say(format!("look up response: {}", words::found(found.is_some())));
                Event::CachedResponse(found)
            }
            Effect::StoreResponse(key, ttl) => self.store(key, ttl),
            Effect::LookupValue(key) => {
                let found = run.values.get(&key, now);
                self.say(format!("look up value: {}", words::found(found.is_some())));
                Event::CachedValue(found)
            }
            Effect::StoreValue(key, value, ttl) => {
                run.values.put(key, Item { value, bytes: 1 }, ttl, now).expect("small enough");
                Event::Done
            }
            Effect::WantValue(wanted) => self.want(wanted),
            Effect::KeepValue(made) => self.keep(*made),
            Effect::Emit(_) => Event::Done,
            Effect::Together(begin) => return self.together(begin),
            Effect::RemoveValue(key) => self.remove_value(&key),
            Effect::Authenticate(asked) => Event::Authenticated(self.authenticate(&asked)),
            Effect::Obtain(_asked) => Event::Obtained(run.token()),
            Effect::Call(outgoing) => self.call(&outgoing),
            Effect::Tell(outgoing) => self.tell(&outgoing),
            Effect::Sleep(span) => {
                run.pass(span);
                self.outcome.slept.push(span);
                Event::Done
            }
            Effect::Again(span) => {
                run.pass(span);
                self.outcome.slept.extend((!span.is_zero()).then_some(span));
                Event::Again(run.is_tried_again.get())
            }
            Effect::Forward(forward) => self.forward(&forward),
            Effect::Measure => Event::Measured(Ok(true)),
            Effect::Deliver => return None,
        })
    }

    fn store(&mut self, key: CacheKey, ttl: Duration) -> Event {
        let (run, now) = (self.run, self.run.now.get());
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

    /// Does all of these at once; what was asked for first is there first, but that pauses take
    /// longer than anything else.
    fn together(&mut self, begin: Vec<(usize, Effect)>) -> Option<Event> {
        for (index, effect) in begin {
            let is_pause = matches!(effect, Effect::Sleep(_));
            let event = (index, self.act(effect)?);
            if is_pause {
                self.together.push_back(event);
            } else {
                let pauses =
                    self.together.iter().rev().take_while(|(_, it)| matches!(it, Event::Done));
                let at = self.together.len() - pauses.count();
                self.together.insert(at, event);
            }
        }
        let (index, event) = self.together.pop_front().expect("something is waited for");
        Some(Event::Of(index, Box::new(event)))
    }

    /// As the gateway does it, but that nobody waits here: what somebody else makes is taken to fail.
    fn want(&mut self, wanted: Wanted) -> Event {
        let (run, now) = (self.run, self.run.now.get());
        let kept = run.values.get(&wanted.key, now);
        let is_old = wanted.fresh.is_some_and(|fresh| run.values.get(&fresh, now).is_none());
        let (found, words) = match (kept, is_old) {
            (Some(value), false) => (Found::There(value), "hit"),
            (old, _) => match (run.flights.begin(wanted.key), old) {
                (Begun::Lead(flight), Some(old)) => {
                    (Found::Yours { wanted, flight, old: Some(old) }, "old")
                }
                (Begun::Lead(flight), None) => (Found::Yours { wanted, flight, old: None }, "miss"),
                (Begun::Follow(_), Some(old)) => (Found::There(old), "old, and another makes it"),
                (Begun::Follow(_), None) => (Found::Failed, "another failed to make it"),
            },
        };
        self.say(format!("want value: {words}"));
        Event::Wanted(found)
    }

    fn keep(&mut self, made: Made) -> Event {
        let (run, now) = (self.run, self.run.now.get());
        let item = |value| Item { value, bytes: 1 };
        let (key, value) = (made.wanted.key, made.value);
        run.values.put(key, item(value.clone()), made.expires, now).expect("small enough");
        if let Some((fresh, span)) = made.wanted.fresh.zip(made.refresh) {
            run.values.put(fresh, item(Value::Bool(true)), span, now).expect("small enough");
        }
        made.flight.land(Some(value));
        Event::Done
    }

    fn remove_value(&self, key: &CacheKey) -> Event {
        self.run.values.remove(key);
        Event::Done
    }

    fn authenticate(&self, asked: &Asked) -> Vouched {
        let published = self.run.published.borrow();
        let known = asked.documents.iter().filter_map(|document| published.get(&document.text));
        let known: Vec<_> = known.cloned().collect();
        asked.answer(&known).map(Arc::new).map_err(Into::into)
    }

    fn charge(&mut self, charges: Vec<Charge>) -> Event {
        let answer = match self.run.counters.charge(&charges, self.run.now.get()) {
            _ if self.run.is_out_of_touch.get() => Err(CountersUnavailable),
            Answer::Now(answer) => answer,
            Answer::Later(_) => panic!("memory answers at once"),
        };
        self.outcome.log.extend(words::charged(&charges, &answer));
        Event::Tallied(charges, answer)
    }

    fn call(&mut self, outgoing: &Outgoing) -> Event {
        self.outcome.log.extend(words::called("call", outgoing));
        Event::Called(self.run.service())
    }

    fn tell(&mut self, outgoing: &Outgoing) -> Event {
        self.outcome.log.extend(words::called("tell", outgoing));
        Event::Done
    }

    fn say(&mut self, words: String) {
        self.outcome.log.push(words);
    }

    fn add(&mut self, charges: &[Charge]) {
        self.outcome.log.extend(charges.iter().map(words::added));
        self.run.counters.add(charges, self.run.now.get());
    }

    fn forward(&mut self, forward: &Forward) -> Event {
        if forward.buffer_request_body || forward.follow_redirects.is_some() {
            self.keep_request();
        }
        let request = &self.outcome.exchange.request;
        self.outcome.forwarded.push(format!("{} {}", request.method, request.target()));
        let streamed = std::mem::take(&mut self.request_on_the_wire);
        let because = self.run.program.collected();
        self.outcome.log.extend(words::forwarded(
            forward,
            &self.outcome.exchange,
            &streamed,
            because,
        ));
        let shown = self.outcome.exchange.identity.as_deref().map(words::shown);
        self.outcome.log.extend(shown);
        let mut response = match self.run.backend() {
            Ok(response) => response,
            Err(failure) => return Event::Failed(failure),
        };
        if let Some(metering) = &mut self.outcome.exchange.metering {
            let meter = metering.listen(response.status, response.headers.map());
            hear(&meter).feed(response.body.bytes().map_or(&b""[..], |bytes| bytes));
        }
        if because.is_none() {
            self.on_the_wire = response.body.bytes().cloned().unwrap_or_default();
            response.body = Body::Waiting;
        }
        Event::Responded(response)
    }

    /// Takes the body off the wire, so that it can be sent again.
    fn keep_request(&mut self) {
        let body = &mut self.outcome.exchange.request.body;
        if body.is_waiting() {
            *body = Body::Bytes(std::mem::take(&mut self.request_on_the_wire));
        }
    }

    /// Counts what the exchange cost in tokens, and says which samples it gave.
    fn settle(&mut self) {
        let now = self.run.now.get();
        if let Some(settled) = self.outcome.exchange.settle_tokens() {
            self.add(&settled.owed);
            for (charge, taken) in settled.refunds {
                self.say(words::refunded(&charge));
                assert!(taken <= now, "nothing is taken before its time");
                self.run.counters.refund(&[charge], taken);
            }
            self.outcome.exchange.samples.extend(settled.samples);
        }
        let samples = self.outcome.exchange.samples.iter().map(words::sample).collect::<Vec<_>>();
        self.outcome.log.extend(samples);
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
        let sent = self.request_bytes.max(length(&exchange.request.body));
        let bytes = sent + length(&response.body);
        let cost = u64::try_from(bytes).unwrap();
        let charges: Vec<_> =
            exchange.bandwidth.iter().map(|charge| Charge { cost, ..*charge }).collect();
        self.add(&charges);
        self.settle();
        self.outcome.ran = self.machine.ran().to_vec();
    }
}
