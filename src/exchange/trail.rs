//! Where an exchange stands in its trace, and what it asked of others, when, and with what outcome.
//!
//! Whoever sends a request for the exchange says so before ([`Trail::depart`]) and after
//! ([`Trail::arrive`]); what is sent meanwhile names the span of that try. Calls of policies may
//! overlap, and some outlive the exchange: they take an [`Asker`] along.

use std::borrow::Cow;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};

use crate::backend::BaseUrl;
use crate::correlation::{Correlation, SpanId};
use crate::time::Timestamp;

/// What is known of the trace of an exchange. Without a correlation nothing is noted.
#[derive(Debug, Default)]
pub struct Trail {
    /// Where the exchange stands in its trace; `None` where nobody traces.
    pub correlation: Option<Correlation>,
    outings: Vec<Outing>,
    /// Circuits that opened with a try of it; at most [`OUTINGS_MAX`].
    pub tripped: Vec<Tripped>,
    /// Those of calls, once there is one.
    called: Option<Arc<Mutex<Vec<Outing>>>>,
    /// How many spans have a number by now.
    count: u64,
}

/// A request to somebody else.
#[derive(Clone, Debug)]
pub struct Outing {
    /// Its span.
    pub span: SpanId,
    /// Why it was sent.
    pub kind: Kind,
    /// Its method.
    pub method: Method,
    /// Where it went.
    pub base: Arc<BaseUrl>,
    /// Whether a secret is part of that.
    pub is_secret: bool,
    /// When it was begun.
    pub started: Timestamp,
    /// When it was over, and with what status or for what reason without one.
    pub ended: Option<(Timestamp, Result<StatusCode, &'static str>)>,
}

/// The circuit of a backend that opened with a try.
#[derive(Clone, Debug)]
pub struct Tripped {
    /// The id of the backend.
    pub backend: Arc<str>,
    /// What came of the try: a status, or a reason.
    pub why: Cow<'static, str>,
    /// When.
    pub at: Timestamp,
}

/// Why a request is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// To have the client's request answered.
    Backend,
    /// A policy asks.
    Call,
    /// A policy tells.
    OneWay,
}

/// Notes a call of a policy.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Where the exchange stands in its trace.
    pub correlation: Correlation,
    /// The span of the call.
    pub span: SpanId,
    called: Arc<Mutex<Vec<Outing>>>,
}

/// The most requests of one kind that are noted for one exchange.
pub const OUTINGS_MAX: usize = 64;
/// What is said of a try that was given up, for whatever reason.
const GIVEN_UP: &str = "given_up";

impl Trail {
    /// The trail of an exchange that stands there.
    pub fn of(correlation: Option<Correlation>) -> Self {
        Self { correlation, ..Self::default() }
    }

    /// The client's request is about to be sent to `base`.
    pub fn depart(
        &mut self,
        method: &Method,
        (base, is_secret): (&Arc<BaseUrl>, bool),
        now: Timestamp,
    ) {
        let Some(correlation) = self.correlation else { return };
        self.arrive(Err(GIVEN_UP), now);
        if self.outings.len() < OUTINGS_MAX {
            let span = self.next(&correlation);
            let (method, base) = (method.clone(), Arc::clone(base));
            let (kind, started, ended) = (Kind::Backend, now, None);
            self.outings.push(Outing { span, kind, method, base, is_secret, started, ended });
        }
    }

    /// What came of it; what came later than the first does not count.
    pub fn arrive(&mut self, outcome: Result<StatusCode, &'static str>, now: Timestamp) {
        if let Some(Outing { ended: ended @ None, .. }) = self.outings.last_mut() {
            *ended = Some((now, outcome));
        }
    }

    /// A circuit opened with the last try.
    pub fn tripped(&mut self, tripped: Tripped) {
        if self.correlation.is_some() && self.tripped.len() < OUTINGS_MAX {
            self.tripped.push(tripped);
        }
    }

    /// Where the request stands that is sent now.
    pub fn here(&self) -> Option<(Correlation, SpanId)> {
        Some((self.correlation?, self.outings.last()?.span))
    }

    /// Notes the next call of a policy, which is about to be made; of one that is given up nothing
    /// else is known.
    pub fn asker(&mut self, method: &Method, base: &BaseUrl, now: Timestamp) -> Option<Asker> {
        let correlation = self.correlation?;
        let span = self.next(&correlation);
        let called = Arc::clone(self.called.get_or_insert_default());
        let asker = Asker { correlation, span, called };
        let (method, base, kind) = (method.clone(), Arc::new(base.clone()), Kind::Call);
        let (is_secret, started, ended) = (false, now, None);
        asker.note(Outing { span, kind, method, base, is_secret, started, ended });
        Some(asker)
    }

    /// Where a call stands that the exchange does not wait for: whoever makes it notes it.
    pub fn teller(&mut self) -> Option<Asker> {
        let correlation = self.correlation?;
        let span = self.next(&correlation);
        Some(Asker { correlation, span, called: Arc::default() })
    }

    /// All that was sent, in the order of their kinds.
    pub fn outings(&mut self) -> Vec<Outing> {
        let mut outings = mem::take(&mut self.outings);
        if let Some(called) = &self.called {
            outings.append(&mut called.lock().unwrap_or_else(PoisonError::into_inner));
        }
        outings
    }

    /// A number for the next span.
    fn next(&mut self, correlation: &Correlation) -> SpanId {
        self.count = self.count.wrapping_add(1);
        correlation.child(self.count)
    }
}

impl Kind {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Call => "call",
            Self::OneWay => "one-way",
        }
    }
}

impl Asker {
    /// The call is over.
    pub fn arrived(&self, outcome: Result<StatusCode, &'static str>, now: Timestamp) {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outing) = called.iter_mut().find(|outing| outing.span == self.span) {
            outing.ended = Some((now, outcome));
        }
    }

    fn note(&self, outing: Outing) {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if called.len() < OUTINGS_MAX {
            called.push(outing);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::correlation::sampling::Sampler;
    use crate::correlation::{Forms, Terms};

    fn trail() -> Trail {
        let terms = Terms { sampler: Sampler::Always, forms: Forms::default() };
        Trail::of(Some(Correlation::read(&HeaderMap::new(), &terms, false, (1, 1))))
    }

    #[test]
    fn each_try_has_a_span_of_its_own_and_one_outcome() {
        let (mut trail, base) = (trail(), Arc::new(BaseUrl::parse("http://b.example").unwrap()));
        let at = Timestamp::from_micros;
        trail.depart(&Method::GET, (&base, false), at(1));
        let first = trail.here().unwrap().1;
        trail.depart(&Method::GET, (&base, false), at(2));
        assert_ne!(trail.here().unwrap().1, first);
        trail.arrive(Ok(StatusCode::OK), at(3));
        trail.arrive(Err("late"), at(4));
        let outings = trail.outings();
        assert_eq!(outings[0].ended, Some((at(2), Err(GIVEN_UP))));
        assert_eq!(outings[1].ended, Some((at(3), Ok(StatusCode::OK))));
    }

    #[test]
    fn what_is_noted_of_an_exchange_is_bounded() {
        let (mut trail, base) = (trail(), Arc::new(BaseUrl::parse("http://b.example").unwrap()));
        for _ in 0..2 * OUTINGS_MAX {
            trail.depart(&Method::GET, (&base, false), Timestamp::from_micros(1));
        }
        assert_eq!(trail.outings().len(), OUTINGS_MAX);
        let mut nobody = Trail::default();
        nobody.depart(&Method::GET, (&base, false), Timestamp::from_micros(1));
        assert!(
            nobody.here().is_none() && nobody.teller().is_none() && nobody.outings().is_empty()
        );
    }
}
