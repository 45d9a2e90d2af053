//! A replica that lends: requests take from its tills, and it takes back whenever chance wants it.

use std::sync::Arc;

use crate::limit::engine::rule::{Rule, Shape};
use crate::limit::engine::simulation::world::replica::Replica;
use crate::limit::engine::{Claim, Decision, Receipt, Source};
use crate::limit::manner::{Manner, Windows};
use crate::limit::till::{Label, Taken, Tills};
use crate::limit::{Charge, Terms};
use crate::time::Timestamp;

impl Replica {
    /// Claims at `desk`: from what that has lent, else from itself.
    pub(in crate::limit::engine::simulation) fn ask(
        &mut self,
        desk: usize,
        now: Timestamp,
        claim: &Claim<'_>,
    ) -> Decision {
        let (engine, lent) = (&mut self.desks[desk], &mut self.lent[desk]);
        let label = label(claim);
        let (Some(chance), Some(label)) = (&mut self.lends, label) else {
            return engine.admit(now, claim);
        };
        let till = lent.tills().get(Tills::number_of(claim.key.to_bytes())).unwrap();
        if let Some(Taken { window, remaining }) = till.take(&label, claim.cost, now) {
            self.from_tills += 1;
            let source = Source::Allotment;
            let (cost, limit) = (claim.cost, claim.rule.limit());
            assert!(remaining <= limit, "{remaining} left of {limit}");
            return Decision::Admitted(Receipt { window, cost, source, remaining });
        }
        lent.recall(engine, now, &claim.key);
        let decision = engine.admit(now, claim);
        if matches!(decision, Decision::Admitted(_)) && !chance.once_in(4) {
            lent.lend(engine, now, (claim, &label), 1);
        }
        decision
    }

    /// Takes back what is lent of the counter of `claim`, as who gives back to it does; now and
    /// then that is forgotten, which costs nothing but what is known.
    pub(in crate::limit::engine::simulation) fn recall(
        &mut self,
        desk: usize,
        now: Timestamp,
        claim: &Claim<'_>,
    ) {
        if self.lends.as_mut().is_some_and(|chance| !chance.once_in(4)) {
            self.lent[desk].recall(&mut self.desks[desk], now, &claim.key);
        }
    }

    /// Takes back everything, perhaps.
    pub(in crate::limit::engine::simulation) fn look_after_tills(&mut self, now: Timestamp) {
        if self.lends.as_mut().is_some_and(|chance| chance.once_in(2)) {
            self.recall_all(now);
        }
    }

    /// Takes back everything.
    pub(in crate::limit::engine::simulation) fn recall_all(&mut self, now: Timestamp) {
        for (engine, lent) in self.desks.iter_mut().zip(&mut self.lent) {
            lent.recall_all(engine, now);
        }
    }
}

fn label(claim: &Claim<'_>) -> Option<Label> {
    let terms = terms(claim.rule);
    Label::of(&Charge { need: claim.need, ..Charge::take(claim.key, terms, claim.cost) })
}

/// Terms that are held by `rule`.
fn terms(rule: &Arc<Rule>) -> Terms {
    let limit = rule.limit();
    match rule.shape() {
        Shape::Fixed { period, origin } | Shape::Quota { period, origin } => {
            Terms::fixed(limit, period, Timestamp::default() + origin)
        }
        Shape::Sliding { period } => Terms::sliding(limit, period),
        Shape::Bucket { period, burst } => Terms::sliding(limit, period)
            .held(Manner { windows: Windows::Bucket { burst }, ..Manner::USUAL }),
    }
}
