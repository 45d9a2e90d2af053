//! One key of a pool: who is inside, what was lent, and what follows from both.

pub(super) mod parts;
mod shown;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::limit::concurrency::pool::slot::parts::{for_loan, in_touch, members, share};
use crate::limit::concurrency::pool::{DENY, LIFE, MARGIN, RENEW, REPEAT, RETURN, WaiterId};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::order::PermitsHeld;
use crate::limit::seller::permits::PATIENCE_MICROS;
use crate::time::Timestamp;

/// One key.
#[derive(Debug)]
pub(super) struct Slot {
    /// How many are inside here.
    pub(super) inside: u64,
    /// How many may be inside over all replicas, as was said last.
    pub(super) max: u64,
    /// The most that were inside since it was last seen to what is not in use.
    peak: u64,
    /// How many permits it was lent, until when.
    held: u64,
    until: Timestamp,
    /// How many all held together at most when these were lent.
    top: u64,
    /// How many may be noted for this replica at the primary.
    told: u64,
    /// How many were left over there.
    free: u64,
    renew_at: Timestamp,
    settle_at: Timestamp,
    /// Until when limits of at most so many are known to be met.
    denied: (Timestamp, u64),
    /// Until when others are known to lack permits.
    crowded_until: Timestamp,
    /// On the way back in touch: how many are told to be inside.
    pub(super) carried: Option<u64>,
    pub(super) flight: Option<Flight>,
    pub(super) waiters: VecDeque<Waiter>,
    /// When somebody looks after it.
    pub(super) alarm: Option<Timestamp>,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) max: u64,
    pub(super) until: Timestamp,
}

/// An order that has no outcome yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) serial: u32,
    /// A time before it was sent.
    pub(super) sent: Timestamp,
    pub(super) wish: Wish,
    /// Of which round of healing it is.
    pub(super) round: Option<u32>,
}

/// What is asked of the primary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) inside: u64,
    pub(super) need: u64,
    pub(super) want: u64,
    pub(super) bound: u64,
}

/// What holds for one who wants in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// There is room; more is to be borrowed `ahead` of need.
    In {
        /// Whether.
        ahead: bool,
    },
    /// There is none.
    Full,
    /// Only the primary knows.
    Wait,
}

/// What holds before anything was heard of the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// How many there are, about.
    pub(super) expected: NonZeroU32,
    /// Until when it is waited for the first word of them.
    pub(super) waits_until: Timestamp,
}

impl Slot {
    pub(super) const fn new(max: u64, now: Timestamp) -> Self {
        Self {
            inside: 0,
            max,
            peak: 0,
            held: 0,
            until: now,
            top: 0,
            told: 0,
            free: 0,
            renew_at: now,
            settle_at: now,
            denied: (now, 0),
            crowded_until: now,
            carried: None,
            flight: None,
            waiters: VecDeque::new(),
            alarm: None,
        }
    }

    /// Whether one more may be inside, under a limit of `max`.
    pub(super) fn judge(
        &self,
        standing: &Standing,
        now: Timestamp,
        max: u64,
        start: Start,
    ) -> Verdict {
        if !in_touch(standing, now) {
            let is_new = standing.members == 0 && now < start.waits_until;
            let is_in = !is_new && self.inside < self.alone(standing, now, max, start.expected);
            let waits = !is_in && 0 < max && (is_new || standing.touch == Touch::Healing);
            return match (is_in, waits) {
                (true, _) => Verdict::In { ahead: false },
                (false, true) => Verdict::Wait,
                (false, false) => Verdict::Full,
            };
        }
        let bound = for_loan(standing, now, max);
        let part = bound.div_ceil(members(standing));
        if self.is_crowded(now) && part <= self.inside {
            return Verdict::Full;
        }
        let (denied_until, denied) = self.denied;
        let is_denied = now < denied_until && bound <= denied;
        if self.inside < self.hand(now) && self.top <= bound {
            let is_last = self.hand(now) <= self.inside.saturating_add(1);
            let base = self.inside.saturating_add(1);
            let ahead = is_last && !is_denied && 0 < self.ahead(standing, now, base);
            return Verdict::In { ahead };
        }
        if is_denied || bound == 0 { Verdict::Full } else { Verdict::Wait }
    }

    /// How many may be inside here as long as nobody is asked.
    pub(super) fn alone(
        &self,
        standing: &Standing,
        now: Timestamp,
        max: u64,
        expected: NonZeroU32,
    ) -> u64 {
        if standing.touch == Touch::Healing {
            return self.carried.unwrap_or(0).min(max);
        }
        if standing.members == 0 {
            return max.div_ceil(u64::from(expected.get()));
        }
        let rest = max.checked_div(members(standing)).unwrap_or(0);
        let own = standing.seat.map_or(rest, |seat| share(seat, max));
        let moment = standing.clock.at(now);
        let has_share = moment.is_some_and(|moment| standing.share_from <= moment.early);
        if standing.touch == Touch::Out && has_share { own } else { own.min(self.hand(now)) }
    }

    /// One comes in.
    pub(super) fn enter(&mut self) {
        self.inside = self.inside.saturating_add(1);
        self.peak = self.peak.max(self.inside);
    }

    /// One leaves.
    pub(super) fn leave(&mut self, standing: &Standing, now: Timestamp) {
        self.inside = self.inside.saturating_sub(1);
        if !in_touch(standing, now) {
            // It is in use, and says so on the way back in touch.
            self.settle_at = now + RENEW;
            return;
        }
        if self.held <= self.inside {
            return;
        }
        let part = for_loan(standing, now, self.max).div_ceil(members(standing));
        let spare = self.held.saturating_sub(self.inside);
        if self.is_crowded(now) && part < self.held {
            self.settle_at = now;
        } else if self.spare_max(standing) < spare && now + RETURN < self.settle_at {
            self.settle_at = now + RETURN;
            self.peak = self.inside;
        }
    }

    /// Whether the primary is to be asked now; if not, what is in use is counted anew.
    pub(super) fn settle(&mut self, standing: &Standing, now: Timestamp) -> bool {
        if !in_touch(standing, now) || self.flight.is_some() {
            return false;
        }
        if !self.waiters.is_empty() {
            return true;
        }
        if now < self.settle_at {
            return false;
        }
        let want = self.wish(standing, now).want;
        if want < self.told || self.renew_at <= now && 0 < want {
            return true;
        }
        self.settle_at = self.renew_at.max(now + RETURN);
        self.peak = self.inside;
        if self.spare_max(standing) < self.held.saturating_sub(self.inside) {
            self.settle_at = now + RETURN;
        }
        false
    }

    /// What to ask for now.
    pub(super) fn wish(&self, standing: &Standing, now: Timestamp) -> Wish {
        let waiting = u64::try_from(self.waiters.len()).unwrap_or(u64::MAX);
        let need = self.inside.saturating_add(waiting);
        let max = self.waiters.iter().map(|waiter| waiter.max).fold(self.max, u64::max);
        let bound = for_loan(standing, now, max);
        let is_crowded = self.is_crowded(now);
        let part = bound.div_ceil(members(standing));
        let base = need.max(if is_crowded { self.peak.min(part) } else { self.peak });
        let ahead = if is_crowded { 0 } else { self.ahead(standing, now, base) };
        let want = base.saturating_add(ahead).min(bound.max(self.inside));
        Wish { inside: self.inside, need: need.min(want.max(self.inside)), want, bound }
    }

    /// What to tell the primary on the way back in touch.
    pub(super) fn report(&self) -> Wish {
        let inside = self.inside.max(self.carried.unwrap_or(0));
        Wish { inside, need: inside, want: inside, bound: self.max }
    }

    /// An order is sent.
    pub(super) fn send(&mut self, flight: Flight) {
        let Wish { want, .. } = flight.wish;
        // What is given back is not used any more, whatever becomes of the order.
        self.held = self.held.min(want);
        self.told = self.told.max(want);
        self.peak = self.inside;
        self.flight = Some(flight);
    }

    /// The answer to an order.
    pub(super) fn answered(
        &mut self,
        standing: &Standing,
        now: Timestamp,
        flight: &Flight,
        reply: PermitsHeld,
    ) {
        let Wish { want, bound, .. } = flight.wish;
        let had = self.hand(now);
        self.told = reply.held;
        self.held = reply.held.min(want);
        self.top = if had < self.held { reply.taken } else { self.top.min(reply.taken) };
        self.until = flight.sent + LIFE.saturating_sub(MARGIN);
        self.free = bound.saturating_sub(reply.taken);
        self.renew_at = flight.sent + RENEW;
        self.settle_at = self.renew_at;
        if self.spare_max(standing) < self.held.saturating_sub(self.inside) {
            self.settle_at = now + RETURN;
        }
        let is_met = reply.held < flight.wish.need || bound < reply.taken;
        self.denied = if is_met || self.free == 0 { (now + DENY, bound) } else { (now, 0) };
        if self.held == 0 {
            // So that it is not kept for longer than what is known of it.
            self.settle_at = now + DENY;
        }
        if reply.is_wanted {
            self.crowded_until = now + Duration::from_micros(PATIENCE_MICROS);
            if bound.div_ceil(members(standing)) < self.held {
                self.settle_at = now;
            }
        }
    }

    /// There is no answer to an order.
    pub(super) fn unanswered(&mut self, now: Timestamp) {
        self.settle_at = self.settle_at.min(now + REPEAT);
        self.renew_at = self.renew_at.min(now + REPEAT);
    }

    /// Everything is given back.
    pub(super) fn hand_in(&mut self) -> Wish {
        self.held = 0;
        self.flight = None;
        Wish { inside: 0, need: 0, want: 0, bound: self.max }
    }

    /// On the way back in touch begins: what it may have inside until it is in touch.
    pub(super) fn carry(&mut self, standing: &Standing, now: Timestamp, expected: NonZeroU32) {
        self.flight = None;
        let right = self.alone(standing, now, self.max, expected);
        self.carried = Some(self.inside.max(self.peak.min(right)));
    }

    /// It is in touch again.
    pub(super) fn arrive(&mut self, now: Timestamp) {
        self.carried = None;
        self.denied = (now, 0);
        self.settle_at = self.settle_at.min(self.renew_at);
    }

    /// Whether nothing is to be known of it any more.
    pub(super) fn is_done(&self, now: Timestamp) -> bool {
        let is_unused = self.inside == 0 && self.waiters.is_empty() && self.flight.is_none();
        let is_forgotten = self.told == 0 || self.until <= now;
        let is_over = self.denied.0.max(self.settle_at) <= now && self.carried.is_none();
        is_unused && is_forgotten && is_over
    }

    /// Whether somebody waits for what has just got free: a request, or another replica.
    pub(super) fn is_awaited(&self, now: Timestamp) -> bool {
        !self.waiters.is_empty() || self.settle_at <= now
    }

    /// When it is due that somebody looks after it.
    pub(super) fn due(&self, standing: &Standing, now: Timestamp) -> Option<Timestamp> {
        let waiter = self.waiters.front().map(|waiter| waiter.until);
        let is_idle = self.inside == 0 && self.waiters.is_empty() && self.carried.is_none();
        let own = if self.flight.is_some() {
            None
        } else if in_touch(standing, now) {
            Some(self.settle_at)
        } else if standing.touch == Touch::In {
            // What is known of the others is old: it is about to be heard of them, or touch is lost.
            Some(self.settle_at.max(now + REPEAT))
        } else {
            let until = if self.told == 0 { self.denied.0 } else { self.until.max(self.denied.0) };
            is_idle.then_some(until.max(self.settle_at))
        };
        waiter.into_iter().chain(own).min()
    }

    /// How many it may let in from what it was lent.
    fn hand(&self, now: Timestamp) -> u64 {
        if now < self.until { self.held } else { 0 }
    }

    /// How many are to be borrowed beyond `base`.
    fn ahead(&self, standing: &Standing, now: Timestamp, base: u64) -> u64 {
        if base == 0 || self.is_crowded(now) {
            return 0;
        }
        (base / 4).saturating_add(1).min(self.spare_max(standing))
    }

    /// How many it may hold without need: half of its part of what is left.
    fn spare_max(&self, standing: &Standing) -> u64 {
        self.free.checked_div(members(standing).saturating_mul(2)).unwrap_or(0)
    }

    fn is_crowded(&self, now: Timestamp) -> bool {
        now < self.crowded_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_renewed_in_time_lets_nobody_in() {
        let at = |micros| Timestamp::from_micros(micros);
        let (touch, members, buys_until) = (Touch::In, 1, at(u64::MAX));
        let standing = Standing { touch, members, buys_until, ..Standing::default() };
        let start = Start { expected: NonZeroU32::MIN, waits_until: at(0) };
        let mut slot = Slot::new(5, at(0));
        let wish = Wish { inside: 0, need: 1, want: 2, bound: 5 };
        let flight = Flight { serial: 1, sent: at(1_000), wish, round: None };
        slot.send(flight);
        let reply = PermitsHeld { held: 2, taken: 2, is_wanted: false };
        // The answer is late; what counts is when it was asked.
        slot.answered(&standing, at(9_000), &flight, reply);
        let judge = |now| slot.judge(&standing, at(now), 5, start);
        assert_eq!(judge(2_900_999), Verdict::In { ahead: false });
        assert_eq!(judge(2_901_000), Verdict::Wait);
    }
}
