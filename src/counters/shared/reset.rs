//! Setting back a counter that replicas share, within the protocol: what was sold is handed back.
//!
//! So nothing is told to the other replicas that they would take for a loss of data, and heal: a
//! fixed window is given one large return, which they see counted; a ring and a bucket are handed
//! back all that was bought from them; a ledger is told of as much less.
//!
//! What replicas hold at that moment stays theirs to spend. From a fixed window, whose counter must
//! not fall below what is still handed back to it, so much stays counted as this replica holds and
//! one part in a hundred for each of the others; other counters begin at nothing, and may admit as
//! much more as was held.

use std::time::Duration;

use crate::counters::reset::{CannotReset, CounterReset, Reach};
use crate::counters::shared::lane::Lane;
use crate::counters::shared::{Office, Shared, desk};
use crate::counters::view::{AsOf, Room, Row};
use crate::limit::engine::census::AfterReset;
use crate::limit::engine::rule::{Rule, Shape};
use crate::limit::engine::standing::Touch;
use crate::limit::order::durability::Durability;
use crate::limit::order::{
    Bucket, Change, Fixed, Ledger, LedgerEntry, LedgerSold, Mark, Meter, Order, Reply, Ring,
    Session, Span,
};

/// How often an order is sent that does no more when it is carried out twice.
const REPEATS_MAX: usize = 4;

/// How many returns a window may have seen; above, one more could not be told from a loss.
const RETURNS_MAX: u64 = 1_024;

/// What part of a fixed window may be in the hands of each other replica: one in so many.
const HELD_ONE_IN: u64 = 100;

/// How long a replica that was refused does not ask again: so long, or a tenth of the period.
const DENIED: Duration = Duration::from_secs(1);

/// The desk of the session in which ledgers are set back: none of a lane's.
const SESSION_DESK: u32 = 0xFFFF;

/// What is to be set back.
struct Target<'a> {
    meter: Meter,
    rule: &'a Rule,
    /// What this replica has of it.
    in_hand: u64,
    replicas: u64,
}

/// What a counter was before and is now.
struct Done {
    used: u64,
    after: AfterReset,
}

impl Shared {
    /// Shows every counter: those that are shared, and those that this replica counts alone.
    pub fn look(&self, mut show: impl FnMut(Row)) {
        self.office.look(&mut show);
        self.office.alone.look((AsOf::Memory, self.office.clock.now()), show);
    }

    /// Shows every key of `limit-concurrency`.
    pub fn look_inside(&self, mut show: impl FnMut(Room)) {
        self.office.look_inside(|lane, is_in_touch, key, known| {
            let as_of = if is_in_touch { AsOf::Redis } else { AsOf::OwnShare };
            show(Room { key, known, as_of, lane: Some(lane) });
        });
    }

    /// Sets back the counter that `row` shows.
    pub async fn reset(&self, row: Row) -> Result<CounterReset, CannotReset> {
        if row.shared.is_some() {
            return self.office.reset(row).await;
        }
        let used = self.office.alone.forget(&row.key, self.office.clock.now()).unwrap_or(0);
        Ok(CounterReset { before: row, used, left: 0, reach: Reach::ThisReplica })
    }
}

impl Office {
    /// Sets back the counter that `row` shows.
    pub(super) async fn reset(&self, row: Row) -> Result<CounterReset, CannotReset> {
        let (lane, _) = self.place_of(&row.key).ok_or(CannotReset::OutOfTouch)?;
        let standing = lane.member().membership.standing();
        if standing.touch != Touch::In {
            return Err(CannotReset::OutOfTouch);
        }
        let sight = row.shared.as_deref().ok_or(CannotReset::Unknown)?;
        let rule = sight.rule.clone().ok_or(CannotReset::Unknown)?;
        let missing = standing.holds.iter().filter(|hold| hold.missing_since.is_some()).count();
        let now = self.clock.now();
        let moment = standing.clock.at(now).ok_or(CannotReset::OutOfTouch)?;
        let target = Target {
            meter: sight.meter,
            rule: &rule,
            in_hand: u64::try_from(sight.in_hand).unwrap_or(0),
            replicas: standing.members.into(),
        };
        let done = match rule.window_at(moment.early) {
            None => self.reset_bucket(lane, &target).await?,
            Some((_, span, _)) if span.ends <= moment.late => {
                return Err(CannotReset::BetweenWindows);
            }
            Some((at, _, parts)) if parts > 0 => {
                self.reset_ring(lane, &target, (at, parts)).await?
            }
            Some((_, span, _)) if matches!(rule.shape(), Shape::Quota { .. }) => {
                self.reset_ledger(lane, &target, span).await?
            }
            Some((_, span, _)) => {
                let ends_in = Duration::from_micros(span.ends.saturating_sub(moment.early));
                self.reset_fixed(lane, (&target, span), ends_in).await?
            }
        };
        self.at_desk(&row.key, |desk, now| desk.was_reset(now, row.key, &rule, done.after));
        let known_within = DENIED.max(row.period / 10);
        let reach = Reach::AllReplicas { known_within, missing };
        Ok(CounterReset { used: done.used, left: done.after.sold, reach, before: row })
    }

    async fn reset_fixed(
        &self,
        lane: &Lane,
        (target, span): (&Target<'_>, Span),
        ends_in: Duration,
    ) -> Result<Done, CannotReset> {
        let meter = target.meter;
        let order = |back| Order::Fixed(Fixed { meter, span, want: 0, back });
        let Some(Reply::Fixed(seen, _epoch)) = self.insist(lane, order(0)).await else {
            return Err(CannotReset::Unanswered);
        };
        if seen.returns >= RETURNS_MAX {
            return Err(CannotReset::HandedBackTooOften { ends_in });
        }
        let sold = u64::try_from(seen.sold).unwrap_or(0);
        let limit = target.rule.limit();
        // What was asked for beyond the limit is handed back by whoever did.
        let beyond = sold.saturating_sub(limit);
        let each = limit.checked_div(HELD_ONE_IN).unwrap_or(0).max(1);
        let others = each.saturating_mul(target.replicas.saturating_sub(1));
        let kept = beyond.saturating_add(target.in_hand).saturating_add(others);
        let back = sold.saturating_sub(kept);
        let used = sold.saturating_sub(beyond);
        let returns = u16::try_from(seen.returns).unwrap_or(u16::MAX);
        if back == 0 {
            return Ok(Done { used, after: AfterReset { sold, returns } });
        }
        let Some(Reply::Fixed(now, _epoch)) = lane.inquire(self, order(back)).await else {
            return Err(CannotReset::Unanswered);
        };
        let returns = u16::try_from(now.returns).unwrap_or(u16::MAX);
        let sold = u64::try_from(now.sold).unwrap_or(0);
        Ok(Done { used, after: AfterReset { sold, returns } })
    }

    async fn reset_ring(
        &self,
        lane: &Lane,
        target: &Target<'_>,
        (at, parts): (u64, u32),
    ) -> Result<Done, CannotReset> {
        let meter = target.meter;
        let order = |marks| Order::Ring(Ring { meter, parts, at, want: 0, bound: 0, marks });
        let Some(Reply::Ring(seen, _epoch)) = self.insist(lane, order(Vec::new())).await else {
            return Err(CannotReset::Unanswered);
        };
        let oldest = at.saturating_sub(u64::from(parts));
        let all = Change::Back(u64::MAX);
        let marks = (oldest..=at).map(|at| Mark { at, change: all }).collect();
        let Some(Reply::Ring(now, _epoch)) = self.insist(lane, order(marks)).await else {
            return Err(CannotReset::Unanswered);
        };
        Ok(Done { used: seen.used, after: AfterReset { sold: now.used, returns: 0 } })
    }

    async fn reset_bucket(&self, lane: &Lane, target: &Target<'_>) -> Result<Done, CannotReset> {
        let (token_nanos, burst) = target.rule.bucket().ok_or(CannotReset::Unknown)?;
        let meter = target.meter;
        let order =
            |back| Order::Bucket(Bucket { meter, token_nanos, burst, want: 0, back, charge: 0 });
        let Some(Reply::Bucket(seen, _epoch)) = self.insist(lane, order(0)).await else {
            return Err(CannotReset::Unanswered);
        };
        // It never gets fuller than full.
        let all = burst.saturating_mul(2).saturating_add(1);
        let Some(Reply::Bucket(now, _epoch)) = self.insist(lane, order(all)).await else {
            return Err(CannotReset::Unanswered);
        };
        let sold = burst.saturating_sub(now.left);
        Ok(Done { used: burst.saturating_sub(seen.left), after: AfterReset { sold, returns: 0 } })
    }

    async fn reset_ledger(
        &self,
        lane: &Lane,
        target: &Target<'_>,
        span: Span,
    ) -> Result<Done, CannotReset> {
        let meter = target.meter;
        let (replica, incarnation) = (self.replica, self.started.micros());
        let session = Session { replica, incarnation, desk: SESSION_DESK };
        let report = async |delta| {
            let entry = LedgerEntry { meter, span, bound: 0, want: 0, delta, floor: 0 };
            let seq = lane.inquiries().next_report();
            let (entries, durability) = (vec![entry], Durability::Memory);
            let order = Order::Ledger(Ledger { session, seq, entries, durability });
            // It is counted once, however often it is heard.
            let reply = self.insist(lane, order).await?;
            let Reply::Ledger(LedgerSold::Sold(sold), _epoch) = reply else { return None };
            sold.first().map(|sold| sold.total)
        };
        let used = report(0).await.ok_or(CannotReset::Unanswered)?;
        let all = i64::try_from(used).unwrap_or(i64::MAX);
        let sold = report(all.saturating_neg()).await.ok_or(CannotReset::Unanswered)?;
        Ok(Done { used, after: AfterReset { sold, returns: 0 } })
    }

    /// Sends an order until it is answered.
    async fn insist(&self, lane: &Lane, order: Order) -> Option<Reply> {
        for _ in 0..REPEATS_MAX {
            if let Some(reply) = lane.inquire(self, order.clone()).await {
                return Some(reply);
            }
        }
        None
    }

    /// Shows every counter that is held here.
    pub(super) fn look(&self, mut show: impl FnMut(Row)) {
        for lane in &self.lanes {
            for desk in lane.desks() {
                let mut from = Some(0);
                while let Some(place) = from {
                    let mut desk = desk::lock(desk);
                    let now = self.clock.now();
                    let is_in_touch = desk.is_in_touch();
                    from = desk.look(now, (place, LOOK_AT_ONCE), |sight| {
                        show(Row::of(lane.number(), is_in_touch, sight));
                    });
                }
            }
        }
    }
}

/// How many places of a desk are looked at before its lock is given up: about 10 µs.
pub(super) const LOOK_AT_ONCE: u32 = 256;
