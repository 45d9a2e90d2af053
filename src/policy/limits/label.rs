//! What a policy that limits is called, and what it leaves for people when it refuses.

use std::sync::Arc;

use crate::exchange::{Exchange, Severity, Trace};
use crate::limit::key::CounterKey;
use crate::limit::names::{Outcome, Refusal, Site, Standing};
use crate::limit::{Charge, Tally};
use crate::policy::limits::who;
use crate::policy::markup::{Element, Text};

/// Which policy it is, and whether it may say whom it counts.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Label {
    site: Arc<Site>,
    /// Whether a secret is part of who is counted.
    is_secret: bool,
}

impl Label {
    /// That of the policy at `element`, which counts subscriptions.
    pub(in crate::policy) fn new(policy: &'static str, element: &Element) -> Self {
        let site = Arc::new(Site { place: element.place.clone(), policy });
        Self { site, is_secret: false }
    }

    /// The same, of a policy that counts what its attribute `key` says: nothing is shown of it if a
    /// secret named value is a part.
    pub(in crate::policy) fn keyed(self, element: &Element, key: &str) -> Self {
        let is_secret = element.value(key).is_some_and(Text::is_secret);
        Self { is_secret, ..self }
    }

    /// The same where it is known which counter had no room, and how it stood.
    pub(in crate::policy) fn note_full(
        &self,
        outcome: Outcome,
        (charge, tally): (Option<&Charge>, Tally),
        exchange: &mut Exchange,
    ) {
        self.note(outcome, charge.map(|charge| charge.key), exchange);
        if let (Some(charge), Some(refusal)) = (charge, exchange.pending.refusals.last_mut()) {
            let remaining = tally.limit.saturating_sub(tally.used);
            let mode = charge.terms.manner.mode;
            refusal.standing = Some(Standing { limit: tally.limit, remaining, mode });
        }
    }

    /// Leaves that the policy refused, or would have, for the record. Who was counted stands in
    /// what is pending, or is the subscription.
    pub(in crate::policy) fn note(
        &self,
        outcome: Outcome,
        key: Option<CounterKey>,
        exchange: &mut Exchange,
    ) {
        let who = match &exchange.pending.who {
            _ if self.is_secret => who::covered(),
            Some(text) => who::shown(text, exchange),
            None => who::subscription(exchange),
        };
        if outcome.is_spared() {
            exchange.trace(Trace {
                at: exchange.now,
                source: Arc::from(self.site.policy),
                severity: Severity::Information,
                message: Arc::from(format!("{} would have refused `{who}`", self.site)),
                metadata: Vec::new(),
            });
        }
        let site = Arc::clone(&self.site);
        exchange.pending.refusals.push(Refusal { site, outcome, key, who, standing: None });
    }
}
