//! A world for `weir explain`: whatever policies ask for is there, and what they asked for is
//! remembered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::admission::{Admitted, First};
use crate::exchange::flight::{Begun, Flights};
use crate::exchange::message::{Body, Headers, Response};
use crate::expression::library::token;
use crate::jwt::{Malformed, Refusal, unverified};
use crate::limit::concurrency::Concurrency;
use crate::limit::engine::rule::Loss;
use crate::limit::key::CounterKey;
use crate::limit::manner::{Course, Mode, Over};
use crate::limit::{Charge, Tallies, Tally};
use crate::policy::Side;
use crate::policy::caching::made::{Found, Made, Wanted};
use crate::policy::identity::asked as identity;
use crate::policy::limits::holding::Holding;
use crate::policy::limits::shown;
use crate::policy::logging::event_hub::HubEvent;
use crate::policy::machine::{Effect, Event, Machine};
use crate::policy::routing::Forward;
use crate::policy::send::outgoing::Outgoing;
use crate::policy::tokens::asked::{Asked, Authentic};

/// What a run asked of the world.
#[derive(Debug, Default)]
pub(super) struct Pretended {
    /// Limits, as sentences, with the steps that asked.
    pub(super) limits: Vec<String>,
    /// Caches, waits and bodies, as sentences.
    pub(super) asked: Vec<String>,
    /// How the request was forwarded, each time.
    pub(super) forwards: Vec<Forward>,
    /// What is answered and not reported, with the numbers of who asked.
    at_once: VecDeque<(usize, Event)>,
    /// What nobody else makes.
    flights: Arc<Flights>,
    /// Where nobody else is.
    inside: Arc<Concurrency>,
}

/// What the pretended backend answers: something that policies can read into.
const PRETENDED_BODY: &[u8] = b"{}";
/// The token that is shown where the gateway says who it is.
const PRETENDED_TOKEN: &str = "a-token-of-this-gateway";
/// The most that a run may ask.
const EFFECTS_MAX: usize = 10_000;

/// Runs the policies of `admitted` to their end.
pub(super) fn run(admitted: &mut Admitted, body: &[u8]) -> Pretended {
    let mut pretended = Pretended::default();
    admitted.machine.record();
    let first = std::mem::replace(&mut admitted.first, First::Start);
    let Admitted { machine, exchange, .. } = admitted;
    let mut effect = match first {
        First::Start => machine.resume(Event::Start, exchange),
        First::Interrupt(failure, place) => machine.interrupt(*failure, place, exchange),
        First::Answered(asked) => {
            machine.recall(asked);
            return pretended;
        }
    };
    for _ in 0..EFFECTS_MAX {
        if matches!(effect, Effect::Deliver) {
            return pretended;
        }
        if !matches!(effect, Effect::Together(_)) {
            pretended.at_once.clear();
        }
        let who = machine.counts(exchange).map(|who| {
            // Who the access log and the admin port would name.
            if machine.holding().is_some() { shown(&who, exchange) } else { who }
        });
        let weighed: Vec<_> = exchange.pending.bandwidth.iter().map(|charge| charge.key).collect();
        let who = Who { who: who.as_deref().unwrap_or(""), weighed: &weighed };
        let event = pretended.answer(effect, machine, &who, body);
        effect = machine.resume(event, exchange);
    }
    pretended
}

impl Pretended {
    fn again(&mut self, pause: Duration, by: &str) -> Event {
        if !pause.is_zero() {
            self.note(format!("would wait {pause:?}, for {by}"));
        }
        Event::Again(true)
    }

    fn answer(&mut self, effect: Effect, machine: &Machine, whose: &Who<'_>, body: &[u8]) -> Event {
        let who = whose.who;
        let by = machine
            .stands_at()
            .map_or_else(String::new, |note| format!("{} at {}", note.policy, note.place));
        match effect {
            Effect::Fetch(Side::Request) => {
                self.asked.push(format!("reads the body of the request, for {by}"));
                Event::Body(Side::Request, Ok(Bytes::copy_from_slice(body)))
            }
            Effect::Fetch(Side::Response) => {
                self.asked.push(format!("reads the body of the response, for {by}"));
                Event::Body(Side::Response, Ok(Bytes::from_static(PRETENDED_BODY)))
            }
            Effect::Charge(charges) => {
                let held = machine.holding();
                let lines = charges.iter().flat_map(|charge| limit(charge, whose, &by, held));
                self.limits.extend(lines);
                let answer = Ok(room(&charges));
                Event::Tallied(charges, answer)
            }
            Effect::Add(charges) => {
                let counted = charges
                    .iter()
                    .map(|charge| format!("counts {} after the response", charge.cost));
                self.limits.extend(counted);
                Event::Done
            }
            Effect::Refund(charge, _) => {
                self.limits.push(format!("gives back {} after the response", charge.cost));
                Event::Done
            }
            Effect::Enter { key, max } => {
                self.limits.push(format!("at most {max} requests at once for `{who}`, by {by}"));
                Event::Entered(self.inside.enter(key, max))
            }
            Effect::LookupResponse(_) => {
                self.asked.push(format!("looks for a cached response, for {by}; taken as a miss"));
                Event::CachedResponse(None)
            }
            Effect::LookupValue(_) => {
                self.asked.push(format!("looks for a cached value, for {by}; taken as a miss"));
                Event::CachedValue(None)
            }
            Effect::StoreResponse(_, ttl) => {
                self.note(format!("would keep the response for {ttl:?}, for {by}"))
            }
            Effect::StoreValue(_, _, ttl) => {
                self.note(format!("would keep a value for {ttl:?}, for {by}"))
            }
            Effect::WantValue(wanted) => self.want(wanted, &by),
            Effect::KeepValue(made) => self.keep(*made, &by),
            Effect::RemoveValue(_) => self.note(format!("would forget a value, for {by}")),
            Effect::Authenticate(asked) => self.authenticate(&asked, &by),
            Effect::Emit(event) => self.emit(&event, &by),
            Effect::Together(begin) => self.together(begin, machine, whose, body),
            Effect::Obtain(asked) => self.obtain(&asked, &by),
            Effect::Call(outgoing) => self.call(&outgoing, &by),
            Effect::Tell(outgoing) => self.tell(&outgoing, &by),
            Effect::Again(pause) => self.again(pause, &by),
            Effect::Sleep(span) => self.note(format!("would wait {span:?}, for {by}")),
            Effect::Forward(forward) => {
                self.forwards.push(forward);
                Event::Responded(fine())
            }
            // The pretended answer says nothing of what it cost.
            Effect::Measure => Event::Measured(Ok(false)),
            Effect::Deliver => Event::Done,
        }
    }
}

/// By whose keys it is looked who signed a token.
fn whose_keys(asked: &Asked) -> String {
    let documents: Vec<&str> = asked.documents.iter().map(|document| &*document.text).collect();
    if documents.is_empty() {
        "by the policy's own keys".to_owned()
    } else {
        format!("by the keys of {}, taken as theirs", documents.join(", "))
    }
}

/// Whether a token is authentic. Nobody is asked over the network: where the keys of others decide,
/// it is taken to be what it says.
fn authentic(asked: &Asked) -> Result<Authentic, Refusal> {
    match asked.answer(&[]) {
        Err(Refusal::KeyNotFound) if !asked.documents.is_empty() => (),
        decided => return decided,
    }
    let inner = asked.inner()?;
    let text = inner.as_ref().unwrap_or(&asked.token).expose();
    let claims = unverified(text)?;
    let token = Arc::new(token::jwt(text).ok_or(Malformed::Json)?);
    let issuers = claims.issuer().map(Arc::from).into_iter().collect();
    let sealed = inner.is_some().then(|| asked.token.clone());
    Ok(Authentic { token, claims, issuers, is_signed: true, sealed })
}

impl Pretended {
    fn authenticate(&mut self, asked: &Asked, by: &str) -> Event {
        self.asked.push(format!("looks who signed the token, {}, for {by}", whose_keys(asked)));
        Event::Authenticated(authentic(asked).map(Arc::new).map_err(Into::into))
    }

    fn obtain(&mut self, asked: &identity::Asked, by: &str) -> Event {
        self.asked.push(format!("gets {asked}, for {by}; taken as there"));
        Event::Obtained(Ok(identity::Token::plain(PRETENDED_TOKEN)))
    }

    fn call(&mut self, outgoing: &Outgoing, by: &str) -> Event {
        let (method, base) = (&outgoing.method, &outgoing.url.base);
        let way = by_way(outgoing);
        self.asked.push(format!("asks {base} with {method}{way}, for {by}; taken as answered"));
        let body = Body::Bytes(Bytes::from_static(PRETENDED_BODY));
        Event::Called(Ok(Response { body, ..fine() }))
    }

    fn note(&mut self, words: String) -> Event {
        self.asked.push(words);
        Event::Done
    }

    fn want(&mut self, wanted: Wanted, by: &str) -> Event {
        self.asked.push(format!("looks for a cached value, for {by}; taken as a miss"));
        Event::Wanted(match self.flights.begin(wanted.key) {
            Begun::Lead(flight) => Found::Yours { wanted, flight, old: None },
            Begun::Follow(_) => Found::Failed,
        })
    }

    fn keep(&mut self, made: Made, by: &str) -> Event {
        made.flight.land(Some(made.value));
        self.note(format!("would keep a value for {:?}, for {by}", made.expires))
    }

    /// Answers what was asked for first.
    fn together(
        &mut self,
        begin: Vec<(usize, Effect)>,
        machine: &Machine,
        whose: &Who<'_>,
        body: &[u8],
    ) -> Event {
        for (index, effect) in begin {
            let event = self.answer(effect, machine, whose, body);
            self.at_once.push_back((index, event));
        }
        let first = self.at_once.pop_front();
        first.map_or(Event::Done, |(index, event)| Event::Of(index, Box::new(event)))
    }

    fn emit(&mut self, event: &HubEvent, by: &str) -> Event {
        let (bytes, hub) = (event.text.len(), &event.hub);
        self.asked.push(format!("would send {bytes} bytes to the event hub {hub}, for {by}"));
        Event::Done
    }

    fn tell(&mut self, outgoing: &Outgoing, by: &str) -> Event {
        let (method, base) = (&outgoing.method, &outgoing.url.base);
        let way = by_way(outgoing);
        self.asked.push(format!("would tell {base} with {method}{way}, for {by}"));
        Event::Done
    }
}

/// By way of which proxy a call goes, if any.
fn by_way(outgoing: &Outgoing) -> String {
    outgoing.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through {proxy}"))
}

/// Who is counted, and by which counters their bytes are.
struct Who<'w> {
    who: &'w str,
    weighed: &'w [CounterKey],
}

/// A limit, how it is held, and what comes of that.
fn limit(charge: &Charge, whose: &Who<'_>, by: &str, held: Option<&Holding>) -> Vec<String> {
    let terms = &charge.terms;
    let period = terms.period;
    let (window, kind) = match terms.course() {
        Course::Fixed { .. } if period.is_zero() => ("for ever".to_owned(), "fixed".to_owned()),
        Course::Sliding => (format!("in any {period:?}"), "sliding".to_owned()),
        Course::Fixed { .. } => (format!("in each period of {period:?}"), "fixed".to_owned()),
        Course::Bucket { burst } => {
            (format!("in {period:?} as they come in"), format!("bucket of {burst}"))
        }
    };
    let unit = if whose.weighed.contains(&charge.key) {
        "bytes of bodies "
    } else if 0 < charge.cost {
        "calls "
    } else {
        // What is counted is decided with the response.
        ""
    };
    let (limit, who) = (terms.limit, whose.who);
    let mut lines = vec![format!("at most {limit} {unit}{window} for `{who}`, by {by}")];
    let manner = &terms.manner;
    let over = |over: Over| match over {
        Over::Part { of_ten_thousand } => {
            format!("{}.{:02}%", of_ten_thousand / 100, of_ten_thousand % 100)
        }
        Over::Tokens(tokens) => tokens.to_string(),
    };
    let loss = match manner.loss {
        Loss::LocalShare => "local-share",
        Loss::Open => "open",
        Loss::Closed => "closed",
    };
    let shared = format!("without Redis {loss}, waits at most {:?}", manner.max_wait);
    let how = match manner.mode {
        Mode::Exact => format!("mode exact, window {kind}, {shared}"),
        Mode::Fast { over: more } => {
            format!("mode fast (+{}), window {kind}, {shared}", over(more))
        }
        Mode::Local => format!("mode local, window {kind}"),
    };
    lines.push(format!("  {how}"));
    if let Some(horizon) = manner.horizon {
        lines.push(format!("  has tokens for {horizon:?} ahead"));
    }
    lines.push(format!("  {}", terms.bound_in_words()));
    if held.is_some_and(|held| held.shadow) {
        lines.push("  in shadow: it counts, and refuses nobody".to_owned());
    }
    lines
}

/// Room for everything.
fn room(charges: &[Charge]) -> Tallies {
    let mut tallies = Tallies::default();
    for charge in charges {
        tallies.push(Tally {
            admitted: true,
            limit: charge.terms.limit,
            used: charge.cost,
            retry_after: Duration::ZERO,
        });
    }
    tallies
}

fn fine() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response {
        status: StatusCode::OK,
        phrase: None,
        headers: Headers::received(headers),
        body: Body::Waiting,
    }
}
