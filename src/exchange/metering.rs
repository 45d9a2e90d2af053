//! The tokens of language models that an exchange costs: who counts them, who wants to be told, and
//! what came of it.
//!
//! Policies of the request say who counts and what was estimated. Whoever has the response on its
//! way lets a [`Meter`] listen; when the exchange is over it is [settled](Metering::settle) once,
//! however it ended: what was counted ahead and not spent is given back, what was spent beyond is
//! counted.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::sample::{Sample, Series};
use crate::expression::value::Value;
use crate::limit::Charge;
use crate::llm::meter::{Meter, Spent};
use crate::llm::prompt::Prompt;
use crate::time::Timestamp;

/// A meter that whoever has the response and whoever settles the exchange share.
pub type Listening = Arc<Mutex<Meter>>;

/// The tokens that an exchange costs.
#[derive(Debug, Default)]
pub struct Metering {
    /// What the request asks for.
    pub prompt: Prompt,
    /// The counters that get them, each once.
    pub counts: Vec<Count>,
    /// Who is told in the response.
    pub tells: Vec<Tell>,
    /// Who gets a sample of each number.
    pub series: Vec<Series>,
    /// Listens to the response, from its head on.
    pub meter: Option<Listening>,
    /// What earlier responses cost, where the request was sent again.
    pub before: Spent,
}

/// What is counted in one counter.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The counter.
    pub charge: Charge,
    /// How many tokens are counted by now.
    pub counted: u64,
    /// When they were.
    pub at: Timestamp,
}

/// Whom a policy tells what it costs, once that is known.
#[derive(Clone, Debug, Default)]
pub struct Tell {
    /// All tokens: in a field of the response, in a variable.
    pub consumed: Names,
    /// How many are left of a rate, after those that were counted ahead.
    pub rate: Option<Left>,
    /// How many are left of a quota.
    pub quota: Option<Left>,
    /// Whether it is told to other policies only.
    pub is_quiet: bool,
}

/// What was left of a limit when the request came.
#[derive(Clone, Debug)]
pub struct Left {
    /// Who is told.
    pub names: Names,
    /// How many tokens were left, those off that were counted ahead.
    pub tokens: u64,
    /// How many that were.
    pub counted: u64,
}

/// A field of the response and a variable.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The field.
    pub field: Option<HeaderName>,
    /// The variable.
    pub variable: Option<Arc<str>>,
}

/// What is left to do when an exchange is over.
#[derive(Debug, Default)]
pub struct Settled {
    /// To be counted.
    pub owed: Vec<Charge>,
    /// To be given back, and when it was taken.
    pub refunds: Vec<(Charge, Timestamp)>,
    /// To be measured.
    pub samples: Vec<Sample>,
}

impl Metering {
    /// A response begins: what it costs is read off its body from here on, and added to what the
    /// one before it did.
    pub fn listen(&mut self, status: StatusCode, fields: &HeaderMap) -> Listening {
        if let Some(earlier) = self.meter.take() {
            self.before = self.before.plus(hear(&earlier).spent(self.prompt.tokens));
        }
        let text = |name| {
            let value = fields.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
            value.unwrap_or_default()
        };
        let meter = Meter::new(status.as_u16(), text(CONTENT_TYPE), text(CONTENT_ENCODING));
        Arc::clone(self.meter.insert(Arc::new(Mutex::new(meter))))
    }

    /// Whether somebody is to be told what it costs before the response goes out, and one document
    /// says it.
    pub fn is_awaited(&self) -> bool {
        let is_told = self.tells.iter().any(Tell::is_to_anybody);
        let is_document = |meter: &Listening| hear(meter).is_document();
        is_told && self.meter.as_ref().is_some_and(is_document)
    }

    /// What it cost, with all responses that there were. Of a request that was sent and whose
    /// response nobody waited for, the prompt.
    pub fn spent(&self, was_sent: bool) -> Spent {
        let last = match &self.meter {
            Some(meter) => hear(meter).spent(self.prompt.tokens),
            None if was_sent => {
                let prompt = self.prompt.tokens;
                Spent { prompt, total: prompt, ..Spent::default() }
            }
            None => Spent::default(),
        };
        self.before.plus(last)
    }

    /// Settles what the exchange cost; `was_sent` as in [`spent`](Self::spent).
    pub fn settle(self, was_sent: bool) -> Settled {
        let spent = self.spent(was_sent);
        let mut settled = Settled::default();
        for Count { charge, counted, at } in self.counts {
            let (owed, unspent) =
                (spent.total.saturating_sub(counted), counted.saturating_sub(spent.total));
            if 0 < owed {
                settled.owed.push(Charge { cost: owed, ..charge });
            } else if 0 < unspent {
                settled.refunds.push((Charge { cost: unspent, ..charge }, at));
            }
        }
        if 0 < spent.total {
            let numbers = [
                ("Total Tokens", spent.total),
                ("Prompt Tokens", spent.prompt),
                ("Completion Tokens", spent.answer),
            ];
            for series in self.series {
                let sample = |(name, count)| Sample::count(name, count, series.clone());
                settled.samples.extend(numbers.map(sample));
            }
        }
        settled
    }
}

/// What a meter has heard.
pub fn hear(meter: &Listening) -> std::sync::MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tell {
    fn is_to_anybody(&self) -> bool {
        let left = [&self.rate, &self.quota].into_iter().flatten().map(|left| &left.names);
        left.chain([&self.consumed])
            .any(|names| names.variable.is_some() || names.field.is_some() && !self.is_quiet)
    }
}

impl Names {
    /// Tells `number`; where it `is_quiet`, in the variable only.
    pub fn tell(&self, number: u64, is_quiet: bool, exchange: &mut Exchange) {
        if let Some(variable) = &self.variable {
            exchange.variables.set(variable, Value::whole(number));
        }
        if let Some(field) = self.field.as_ref().filter(|_| !is_quiet) {
            exchange.final_fields.set(field, HeaderValue::from(number));
        }
    }
}

impl Exchange {
    /// Tells whoever wants to know what the call cost, now that the whole answer was heard.
    pub fn tell_spent(&mut self) {
        let Some(metering) = &mut self.metering else { return };
        let spent = metering.spent(false);
        for tell in metering.tells.clone() {
            tell.consumed.tell(spent.total, tell.is_quiet, self);
            for Left { names, tokens, counted } in tell.rate.into_iter().chain(tell.quota) {
                let left = tokens.saturating_add(counted).saturating_sub(spent.total);
                names.tell(left, tell.is_quiet, self);
            }
        }
    }

    /// Ends the counting of tokens; what is left to do for it.
    pub fn settle_tokens(&mut self) -> Option<Settled> {
        let metering = self.metering.take()?;
        // A backend that failed has not answered; a client that left has not waited.
        let was_sent = self.is_forwarded && self.last_error.is_none();
        Some(metering.settle(was_sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_of_a_request_that_is_sent_again_costs() {
        let prompt = Prompt { tokens: 100, ..Prompt::default() };
        let mut metering = Metering { prompt, ..Metering::default() };
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let usage = br#"{"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        for attempt in 1..=2 {
            hear(&metering.listen(StatusCode::OK, &fields)).feed(usage);
            let (prompt, answer, total) = (3 * attempt, 2 * attempt, 5 * attempt);
            let expected = Spent { prompt, answer, total, is_reported: true };
            assert_eq!(metering.spent(true), expected);
        }
        let _ = metering.listen(StatusCode::SERVICE_UNAVAILABLE, &fields);
        assert_eq!(metering.spent(true).total, 10, "an error costs nothing");
        let _ = metering.listen(StatusCode::OK, &fields);
        let both = metering.spent(true);
        assert_eq!((both.prompt, both.total, both.is_reported), (106, 110, false));
    }
}
