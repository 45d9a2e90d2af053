//! The charges of one call: taken all together, or not at all, whatever becomes of the call.
//!
//! Each is asked for in turn. On a refusal those after it are not asked, and what was taken is put
//! back; until then it is missing to others, but nobody ever gets too much. A call that is dropped
//! while it waits puts back what it has and what it is granted later.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::counters::shared::desk::{Decided, Said};
use crate::counters::shared::{ANSWER_MAX, Office, may_be_alone};
use crate::limit::engine::Receipt;
use crate::limit::engine::rule::Loss;
use crate::limit::{Answer, Charge, Counters, CountersUnavailable, Tallies, Tally, same_counter};

/// When to ask again about a limit of which nothing is known for sure.
const UNSURE: Duration = Duration::from_secs(1);

/// What is claimed of one counter.
struct Part<'a> {
    office: &'a Office,
    charge: Charge,
    state: State,
}

enum State {
    /// It was not asked for.
    Unasked,
    /// It was taken; put back when this is dropped.
    Taken(Receipt, Tally),
    /// This replica alone took it; put back when this is dropped.
    Alone(Tally),
    /// It was taken, and the call is over.
    Kept(Tally),
    Refused(Tally),
    Unavailable,
    Waiting(oneshot::Receiver<Decided>),
}

/// One charge: the usual case, for which nothing is allocated if the answer is known.
pub(super) fn charge_one(office: &Office, charge: Charge) -> Answer<'_> {
    let mut part = Part::new(office, charge);
    part.ask();
    if let State::Waiting(_) = part.state {
        return Answer::Later(Box::pin(async move {
            part.wait().await;
            one(part)
        }));
    }
    Answer::Now(one(part))
}

fn one(mut part: Part<'_>) -> Result<Tallies, CountersUnavailable> {
    part.keep();
    let tally = part.tally().ok_or(CountersUnavailable)?;
    let mut tallies = Tallies::default();
    tallies.push(tally);
    Ok(tallies)
}

/// Several charges.
pub(super) fn charge_all<'a>(office: &'a Office, charges: &'a [Charge]) -> Answer<'a> {
    let mut parts: Vec<Part<'a>> = Vec::with_capacity(charges.len());
    for charge in charges {
        match parts.iter_mut().find(|part| same_counter(&part.charge, charge)) {
            Some(part) => part.merge(charge),
            None => parts.push(Part::new(office, *charge)),
        }
    }
    for part in &mut parts {
        part.ask();
        if part.is_refused() {
            break;
        }
    }
    if !parts.iter().any(|part| matches!(part.state, State::Waiting(_))) {
        return Answer::Now(conclude(parts, charges));
    }
    Answer::Later(Box::pin(async move {
        for part in &mut parts {
            part.wait().await;
        }
        conclude(parts, charges)
    }))
}

/// What came of `charges`, whose claims `parts` are.
fn conclude(mut parts: Vec<Part<'_>>, charges: &[Charge]) -> Result<Tallies, CountersUnavailable> {
    if parts.iter().any(|part| matches!(part.state, State::Unavailable)) {
        return Err(CountersUnavailable);
    }
    let is_taken = !parts.iter().any(Part::is_refused);
    if is_taken {
        parts.iter_mut().for_each(Part::keep);
    }
    let mut tallies = Tallies::default();
    for charge in charges {
        let part = parts.iter().find(|part| same_counter(&part.charge, charge));
        tallies.push(part.ok_or(CountersUnavailable)?.tally_for(charge, is_taken));
    }
    Ok(tallies)
}

impl Office {
    /// Takes what `charge` asks for from what its desk has lent, without the desk's lock. None:
    /// the desk is to be asked.
    fn at_till(&self, charge: &Charge) -> Option<Decided> {
        let key = charge.key.to_bytes();
        Decided::at_till(self.lane_of(key)?.till_of(key)?, charge, self.clock.now())
    }
}

impl<'a> Part<'a> {
    const fn new(office: &'a Office, charge: Charge) -> Self {
        Self { office, charge, state: State::Unasked }
    }

    /// Claims what `charge` does too: the most that is needed, under the lowest limit.
    fn merge(&mut self, charge: &Charge) {
        if charge.terms.limit < self.charge.terms.limit {
            self.charge.terms = charge.terms;
        }
        self.charge.need = self.charge.need.max(charge.need);
        self.charge.cost = self.charge.cost.max(charge.cost);
    }

    fn ask(&mut self) {
        let (office, charge) = (self.office, self.charge);
        if office.is_alone(&charge) {
            self.ask_alone();
            return;
        }
        if let Some(decided) = office.at_till(&charge) {
            self.take(decided);
            return;
        }
        match office.at_desk(&charge.key, |desk, now| desk.charge(now, &charge)) {
            Some(Ok(Said::Now(decided))) => self.take(decided),
            Some(Ok(Said::Later(answer))) => self.state = State::Waiting(answer),
            Some(Err(unfit)) => {
                office.confess(&charge.terms, unfit);
                self.ask_alone();
            }
            None => self.state = State::Unavailable,
        }
    }

    fn ask_alone(&mut self) {
        let charge = self.office.own_part(&self.charge);
        let now = self.office.clock.now();
        let Answer::Now(Ok(tallies)) = self.office.alone.charge(&[charge], now) else {
            self.state = State::Unavailable;
            return;
        };
        self.state = match tallies.iter().next() {
            Some(tally) if tally.admitted => State::Alone(*tally),
            Some(tally) => State::Refused(*tally),
            None => State::Unavailable,
        };
    }

    async fn wait(&mut self) {
        let State::Waiting(answer) = &mut self.state else { return };
        let most = self.charge.terms.manner.max_wait.saturating_add(ANSWER_MAX);
        match timeout(most, answer).await {
            Ok(Ok(decided)) => self.take(decided),
            // The desk is gone, or nobody looks in on it.
            Ok(Err(_)) | Err(_) => self.state = State::Unavailable,
        }
    }

    /// What the desk says; where it cannot say, this replica may know itself.
    fn take(&mut self, decided: Decided) {
        self.state = match decided {
            Decided::Taken(receipt, tally) => State::Taken(receipt, tally),
            Decided::Refused(tally) => State::Refused(tally),
            Decided::Unavailable if may_be_alone(&self.charge) => return self.ask_alone(),
            Decided::Unavailable if self.charge.terms.manner.loss == Loss::Closed => {
                State::Unavailable
            }
            // Who must be sure and cannot be refuses as if nothing were left.
            Decided::Unavailable => State::Refused(Tally {
                admitted: false,
                limit: self.charge.terms.limit,
                used: self.charge.terms.limit,
                retry_after: UNSURE,
            }),
        };
    }

    /// From now on it is not put back.
    fn keep(&mut self) {
        if let State::Taken(_, tally) | State::Alone(tally) = self.state {
            self.state = State::Kept(tally);
        }
    }

    const fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_) | State::Unavailable)
    }

    const fn tally(&self) -> Option<Tally> {
        match self.state {
            State::Taken(_, tally)
            | State::Alone(tally)
            | State::Kept(tally)
            | State::Refused(tally) => Some(tally),
            State::Unasked | State::Unavailable | State::Waiting(_) => None,
        }
    }

    /// How `charge` stands, one of those that this is the claim of.
    fn tally_for(&self, charge: &Charge, is_taken: bool) -> Tally {
        let limit = charge.terms.limit;
        let known = self.tally();
        let used = known.map_or(0, |tally| tally.used);
        let back = if is_taken || self.is_refused() { 0 } else { self.charge.cost };
        let refusal = known.filter(|tally| {
            !tally.admitted && (limit == tally.limit || limit < used.saturating_add(charge.need))
        });
        Tally {
            admitted: refusal.is_none(),
            limit: known.map_or(limit, |tally| tally.limit.min(limit)),
            used: used.saturating_sub(back),
            retry_after: refusal.map_or_else(Default::default, |tally| tally.retry_after),
        }
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Unasked);
        let charge = self.charge;
        let receipt = match state {
            State::Taken(receipt, _) => receipt,
            State::Waiting(mut answer) => {
                // After this whoever answers puts it back; before, it is here.
                answer.close();
                let Ok(Decided::Taken(receipt, _)) = answer.try_recv() else { return };
                receipt
            }
            State::Alone(_) => {
                let own = self.office.own_part(&charge);
                self.office.alone.refund(&[own], self.office.clock.now());
                return;
            }
            State::Unasked | State::Kept(_) | State::Refused(_) | State::Unavailable => return,
        };
        self.office.with_rule(&charge, |desk, now| desk.put_back(now, &charge, receipt));
    }
}
