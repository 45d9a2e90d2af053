//! A desk at work: an engine, those who wait for its answers, and the way its orders take.

mod till;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::counters::redis::Link;
use crate::counters::shared::Office;
use crate::counters::shared::rules::Rules;
use crate::counters::shared::tolls::Tolls;
use crate::limit::engine::lend::{self, Lent};
use crate::limit::engine::members::Identity;
use crate::limit::engine::quota::Record;
use crate::limit::engine::rule::{Rule, Shape, Unfit};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::engine::{Claim, Decision, Effect, Engine, Receipt, Source, WaiterId};
use crate::limit::key::CounterKey;
use crate::limit::order::{Errand, Outcome, Session, Ticket};
use crate::limit::till::Label;
use crate::limit::{Charge, NEVER, Tally};
use crate::time::Timestamp;

/// From which bit on the place of a ticket says whose it is.
const OWNER_SHIFT: u32 = 24;

/// The owner of a ticket that no desk made, but the membership.
pub(super) const MEMBERSHIP: u8 = u8::MAX;

/// How often a desk looks through its slots while it is in use, and otherwise.
const SWEEP: Duration = lend::LOOK;
const SWEEP_IDLE: Duration = Duration::from_secs(1);

/// For how long a desk is in use after somebody came.
const IN_USE: Duration = Duration::from_secs(5);

/// After how long an order that found no room on the link counts as unanswered.
const UNSENT: Duration = Duration::from_millis(5);

/// One engine and those around it.
#[derive(Debug)]
pub(super) struct Desk {
    number: u8,
    lane: u16,
    engine: Engine,
    /// What of its tokens requests take without coming here.
    lent: Lent,
    rules: Rules,
    waiters: HashMap<WaiterId, Waiter>,
    /// The connection that orders are for: the one that the engine knows of.
    connection: u64,
    touch: Touch,
    /// Orders that found no room on the link, and when that is told.
    unsent: Vec<Ticket>,
    unsent_at: Timestamp,
    asked_at: Timestamp,
    sweep_at: Timestamp,
    looked_at: Timestamp,
    tolls: Tolls,
}

/// Who waits, and for what.
#[derive(Debug)]
struct Waiter {
    key: CounterKey,
    rule: Arc<Rule>,
    need: u64,
    cost: u64,
    since: Timestamp,
    sender: oneshot::Sender<Decided>,
}

/// What came of a charge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decided {
    /// It was taken.
    Taken(Receipt, Tally),
    /// There was no room.
    Refused(Tally),
    /// Nobody can say.
    Unavailable,
}

/// What a desk says to a charge.
#[derive(Debug)]
pub(super) enum Said {
    /// The answer.
    Now(Decided),
    /// It comes.
    Later(oneshot::Receiver<Decided>),
}

/// That a desk has reported, or failed to report, everything in a round of healing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) desk: u8,
    pub(super) number: u32,
    pub(super) is_whole: bool,
}

/// The desk behind a lock.
pub(super) fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    // Nothing panics while it is held.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ticket that says whose it is; none if its place is too large for that.
pub(super) fn marked(ticket: Ticket, owner: u8) -> Option<Ticket> {
    let place = (ticket.place >> OWNER_SHIFT == 0).then_some(ticket.place)?;
    Some(Ticket { place: place | (u32::from(owner) << OWNER_SHIFT), ..ticket })
}

/// Whose a ticket is, and what it was before it was marked.
pub(super) fn unmarked(ticket: Ticket) -> (u8, Ticket) {
    let [owner, ..] = ticket.place.to_be_bytes();
    let place = ticket.place & ((1 << OWNER_SHIFT) - 1);
    (owner, Ticket { place, ..ticket })
}

impl Desk {
    /// Desk `number` of `lane`, for at most `keys_max` counters.
    pub(super) fn new(
        (lane, number): (u16, u8),
        identity: Identity,
        (keys_max, seed): (usize, u64),
        now: Timestamp,
    ) -> Self {
        let Identity { replica, incarnation, .. } = identity;
        let session = Session { replica, incarnation, desk: number.into() };
        Self {
            number,
            lane,
            engine: Engine::new(session, keys_max, seed),
            lent: Lent::new(),
            rules: Rules::default(),
            waiters: HashMap::new(),
            connection: 0,
            touch: Touch::Out,
            unsent: Vec::new(),
            unsent_at: now,
            asked_at: now,
            sweep_at: now,
            looked_at: now,
            tolls: Tolls::default(),
        }
    }

    /// Takes what `charge` asks for, or lets it wait.
    pub(super) fn charge(&mut self, now: Timestamp, charge: &Charge) -> Result<Said, Unfit> {
        self.asked_at = now;
        let Charge { key, need, cost, .. } = *charge;
        if let Some(decided) = self.at_till(now, charge) {
            return Ok(Said::Now(decided));
        }
        self.tolls.claims = self.tolls.claims.saturating_add(1);
        self.recall(now, &key);
        let rule = self.rules.of(&charge.terms)?;
        let claim = Claim { key, rule, need, cost };
        if need == 0 && cost == 0 {
            return Ok(Said::Now(rechecked(&self.engine, now, &claim)));
        }
        let decision = self.engine.admit(now, &claim);
        if let Decision::Waiting(id) = decision {
            let (sender, receiver) = oneshot::channel();
            let rule = Arc::clone(rule);
            self.waiters.insert(id, Waiter { key, rule, need, cost, since: now, sender });
            return Ok(Said::Later(receiver));
        }
        if let Decision::Refused(_) = decision {
            self.engine.note_refusal(now, &claim);
        }
        let decided = decided(&self.engine, self.touch, now, &claim, decision);
        if matches!(decision, Decision::Admitted(_))
            && let Some(label) = Label::of(charge)
        {
            self.lent.lend(&mut self.engine, now, (&claim, &label), lend::LEAST);
            if !self.lent.is_empty() {
                // It may have been idle: while something is lent it is looked after often.
                self.sweep_at = self.sweep_at.min(now + SWEEP);
            }
        }
        Ok(Said::Now(decided))
    }

    /// Counts `charge.cost` after the fact.
    pub(super) fn add(&mut self, now: Timestamp, charge: &Charge) -> Result<(), Unfit> {
        self.asked_at = now;
        let (key, cost) = (charge.key, charge.cost);
        self.recall(now, &key);
        let rule = self.rules.of(&charge.terms)?;
        self.engine.add(now, &Claim { key, rule, need: cost, cost }, cost);
        Ok(())
    }

    /// Puts back what was taken.
    pub(super) fn put_back(
        &mut self,
        now: Timestamp,
        charge: &Charge,
        receipt: Receipt,
    ) -> Result<(), Unfit> {
        let Charge { key, need, cost, .. } = *charge;
        self.recall(now, &key);
        let rule = self.rules.of(&charge.terms)?;
        self.engine.settle(now, &Claim { key, rule, need, cost }, receipt, 0);
        Ok(())
    }

    /// Gives back `charge.cost` of what was taken at `at`.
    pub(super) fn refund(
        &mut self,
        now: Timestamp,
        charge: &Charge,
        at: Timestamp,
    ) -> Result<(), Unfit> {
        let Charge { key, need, cost, .. } = *charge;
        self.recall(now, &key);
        let rule = self.rules.of(&charge.terms)?;
        self.engine.give_back(now, &Claim { key, rule, need, cost }, at, cost);
        Ok(())
    }

    /// Takes over what an earlier life wrote down.
    pub(super) fn restore(&mut self, record: Record) {
        self.engine.restore([record]);
    }

    /// Stands differently from now on, and sends over `connection`.
    pub(super) fn stand(&mut self, now: Timestamp, standing: Arc<Standing>, connection: u64) {
        self.recall_all(now);
        self.touch = standing.touch;
        self.connection = connection;
        self.engine.stand(now, standing);
    }

    /// Hands in all that it holds.
    pub(super) fn hand_in(&mut self, now: Timestamp) {
        self.recall_all(now);
        self.engine.hand_in(now);
    }

    /// What became of an order.
    pub(super) fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: Outcome) {
        let before = self.engine.facts().bought;
        self.engine.outcome(now, ticket, outcome);
        let bought = self.engine.facts().bought.saturating_sub(before);
        if bought > 0 {
            self.tolls.allotments.note(bought);
        }
    }

    /// When it is due that somebody looks in for those who wait.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let unsent = (!self.unsent.is_empty()).then_some(self.unsent_at);
        let lent = (!self.lent.is_empty()).then_some(self.sweep_at);
        [unsent, lent, self.engine.wake()].into_iter().flatten().min()
    }

    /// Does what is due; says when to come again.
    pub(super) fn look_in(&mut self, now: Timestamp) -> Timestamp {
        self.tolls.hold(self.engine.facts(), self.looked_at, now);
        self.looked_at = now;
        if !self.unsent.is_empty() && self.unsent_at <= now {
            for ticket in std::mem::take(&mut self.unsent) {
                self.engine.outcome(now, ticket, Outcome::Unanswered);
            }
        }
        if self.sweep_at <= now {
            self.recall_all(now);
        }
        if self.sweep_at <= now || self.engine.wake().is_some_and(|wake| wake <= now) {
            self.engine.tick(now);
            let in_use = !self.engine.is_empty() && now.since(self.asked_at) < IN_USE;
            self.sweep_at = now + if in_use { SWEEP } else { SWEEP_IDLE };
        }
        let wake = self.wake().map(|wake| wake.max(now + Duration::from_millis(1)));
        wake.map_or(self.sweep_at, |wake| wake.min(self.sweep_at))
    }

    /// Does what the engine wants done; says what its membership is to hear.
    pub(super) fn see_to(&mut self, office: &Office, now: Timestamp) -> Vec<Round> {
        let (mut errands, mut rounds) = (Vec::new(), Vec::new());
        let desk = self.number;
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Journal(record) => {
                    if let Some(journal) = &office.journal {
                        journal.write(self.lane, record);
                    }
                }
                Effect::Send(errand) => errands.push(errand),
                Effect::Answer { waiter, decision } => self.answer(now, waiter, decision),
                Effect::Healed { round } => {
                    rounds.push(Round { desk, number: round, is_whole: true });
                }
                Effect::Unhealed { round } => {
                    rounds.push(Round { desk, number: round, is_whole: false });
                }
            }
        }
        if !errands.is_empty() {
            self.send(&office.link, now, errands);
        }
        rounds
    }

    fn send(&mut self, link: &Link, now: Timestamp, mut parcel: Vec<Errand>) {
        parcel.retain_mut(|errand| {
            self.tolls.order(&errand.order);
            let ticket = marked(errand.ticket, self.number);
            match ticket {
                Some(ticket) => errand.ticket = ticket,
                None => self.unsent.push(errand.ticket),
            }
            ticket.is_some()
        });
        if let Err(parcel) = link.send(self.lane, self.connection, parcel) {
            self.unsent.extend(parcel.into_iter().map(|errand| unmarked(errand.ticket).1));
        }
        if !self.unsent.is_empty() {
            self.unsent_at = now + UNSENT;
        }
    }

    fn answer(&mut self, now: Timestamp, waiter: WaiterId, decision: Decision) {
        let Some(waiter) = self.waiters.remove(&waiter) else { return };
        let Waiter { key, rule, need, cost, since, sender } = waiter;
        self.tolls.waits.note(u64::try_from(now.since(since).as_micros()).unwrap_or(u64::MAX));
        let claim = Claim { key, rule: &rule, need, cost };
        if let Decision::Refused(refusal) = decision {
            self.tolls.late = self.tolls.late.saturating_add(u64::from(!refusal.is_full));
            self.engine.note_refusal(now, &claim);
        }
        let decided = decided(&self.engine, self.touch, now, &claim, decision);
        if let Err(Decided::Taken(receipt, _)) = sender.send(decided) {
            // Nobody is there any more.
            self.engine.settle(now, &claim, receipt, 0);
        }
    }
}

/// Whether a limit is passed whose counter this request has charged before: then this desk knows
/// of it, and no more is to be asked.
fn rechecked(engine: &Engine, now: Timestamp, claim: &Claim<'_>) -> Decided {
    let (limit, used) = (claim.rule.limit(), engine.used(now, claim));
    let Claim { rule, cost, .. } = *claim;
    if limit < used {
        let retry_after = wait_for_all(rule);
        return Decided::Refused(Tally { admitted: false, limit, used, retry_after });
    }
    let (window, source) = (0, Source::Open);
    let receipt = Receipt { window, cost, source, remaining: limit.saturating_sub(used) };
    Decided::Taken(receipt, Tally { admitted: true, limit, used, retry_after: Duration::ZERO })
}

/// How long until nothing counts any more of what counts now.
const fn wait_for_all(rule: &Rule) -> Duration {
    match rule.shape() {
        Shape::Quota { period: Duration::ZERO, .. } => NEVER,
        Shape::Fixed { period, .. }
        | Shape::Sliding { period }
        | Shape::Bucket { period, .. }
        | Shape::Quota { period, .. } => period,
    }
}

/// What the engine's decision means for whoever made the claim.
fn decided(
    engine: &Engine,
    touch: Touch,
    now: Timestamp,
    claim: &Claim<'_>,
    decision: Decision,
) -> Decided {
    let limit = claim.rule.limit();
    let tally = |admitted, used, retry_after| Tally { admitted, limit, used, retry_after };
    match decision {
        Decision::Admitted(receipt) => {
            let used = limit.saturating_sub(receipt.remaining);
            Decided::Taken(receipt, tally(true, used, Duration::ZERO))
        }
        Decision::Refused(refusal) => {
            // What is used over all is known only while in touch; then nothing is said to be left.
            let known = touch == Touch::In && refusal.is_full;
            let used = if known { engine.used(now, claim) } else { limit };
            let is_final = refusal.is_full && wait_for_all(claim.rule) == NEVER;
            let retry_after = if is_final { NEVER } else { refusal.retry_after };
            Decided::Refused(tally(false, used, retry_after))
        }
        Decision::Unavailable | Decision::Waiting(_) => Decided::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_says_whose_it_is_and_comes_back_as_it_was() {
        let ticket = Ticket { place: 65_535, serial: 7 };
        for owner in [0, 3, MEMBERSHIP] {
            assert_eq!(unmarked(marked(ticket, owner).unwrap()), (owner, ticket));
        }
        assert_eq!(marked(Ticket { place: 1 << 24, serial: 0 }, 1), None);
    }
}
