//! What a membership says to the lane and to its desks, and what it makes of the answers.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::members::{
    AGAIN, AWAITED_MICROS, BEAT, BEAT_LATE_MICROS, BEAT_OF_MANY, Flight, GATHER_MICROS, HEAL_MAX,
    Healing, Lost, MANY, MEMBER_STOPS_MICROS, MEMBER_TTL_MICROS, MISS, Membership, NOTICE_MICROS,
    PROBE, SETTLE, SETTLE_LOOK, SETTLE_LOOK_OF_MANY, SILENCE, State, Step, UNSURE_AFTER_MICROS,
    micros,
};
use crate::limit::engine::reference::Moment;
use crate::limit::engine::standing::{Hold, Standing, Touch, Unheard};
use crate::limit::order::members::{Alive, Beat, Beaten, Epoch, HeldBack, Probe};
use crate::limit::order::{Errand, Order, Ticket};
use crate::time::Timestamp;

/// Where there are more than so many, one looks less often whether all are there.
const SOME: u32 = 10;

impl Membership {
    /// What was sent was not answered when that was `due`.
    pub(super) fn unanswered(&mut self, now: Timestamp, due: Timestamp) {
        let is_in = self.state == State::In;
        if is_in && (now.since(self.heard) < SILENCE || self.is_excused(now, due)) {
            self.wake = now + AGAIN;
            return;
        }
        match self.state {
            State::In | State::Settling => self.lose(now),
            State::Out => self.wake = now + PROBE,
            State::Gathering | State::Healing if now.since(self.heard) >= SILENCE.max(BEAT) => {
                self.lose(now);
            }
            State::Gathering | State::Healing => self.wake = now + AGAIN,
            State::Leaving | State::Left => {}
        }
    }

    /// From now on out of touch.
    pub(super) fn lose(&mut self, now: Timestamp) {
        if self.state == State::Gathering {
            // Its share is told by the clock of the primary that it was last in touch with.
            self.clock = self.standing.clock;
        } else if self.state != State::Out {
            self.noticed = self.moment(now).late;
        }
        self.state = State::Out;
        self.flight = None;
        self.wake = now + PROBE;
        let standing = self.stands(Touch::Out);
        self.stand(standing);
    }

    /// From now on out of touch, and on the way back at once: the primary answers, but not with the
    /// data that it had.
    pub(super) fn again(&mut self, now: Timestamp) {
        self.lose(now);
        self.healing.at_once = true;
        self.wake = now;
        self.tick(now);
    }

    pub(super) fn probe(&mut self, now: Timestamp) {
        self.wake = now + PROBE;
        if self.flight.is_none() {
            let begins = self.proposal();
            self.send(now, Order::Probe(Probe { begins }), false);
        }
    }

    /// An epoch that nobody else ever proposes, nor this life another time.
    fn proposal(&self) -> Epoch {
        let replica = self.identity.replica.0;
        let folded = u64::try_from((replica >> 64) ^ (replica & u128::from(u64::MAX))).unwrap_or(0);
        let life = folded ^ self.identity.incarnation.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = [30, 27, 31].into_iter().fold(
            life.wrapping_add(u64::from(self.serial).wrapping_mul(0xD1B5_4A32_D192_ED03)),
            |mixed, shift| (mixed ^ (mixed >> shift)).wrapping_mul(0xBF58_476D_1CE4_E5B9),
        );
        Epoch((mixed >> 12) | 1)
    }

    pub(super) fn beat(&mut self, now: Timestamp) {
        let many = self.standing.members > MANY;
        self.wake = now + if many { BEAT_OF_MANY } else { BEAT };
        if self.flight.is_some() {
            return;
        }
        let late = self.moment(now).late;
        let heals = matches!(self.state, State::Gathering | State::Healing);
        if !heals {
            self.sent = late;
        }
        self.seq = self.seq.saturating_add(1);
        let beat = Beat {
            replica: self.identity.replica,
            incarnation: self.identity.incarnation,
            seq: self.seq,
            not_after: late.saturating_add(BEAT_LATE_MICROS),
            miss: micros(MISS),
            unsure_after: UNSURE_AFTER_MICROS,
            member_ttl: MEMBER_TTL_MICROS,
            stands: self.alive.as_ref().is_none_or(|alive| alive.seat.is_none()),
            leave: self.state == State::Leaving,
            epoch: self.epoch,
            heals,
        };
        self.send(now, Order::Beat(beat), true);
    }

    pub(super) fn send(&mut self, now: Timestamp, order: Order, is_beat: bool) {
        self.serial = self.serial.wrapping_add(1);
        let early = self.moment(now).early;
        self.flight = Some(Flight { serial: self.serial, sent: now, early, is_beat });
        let ticket = Ticket { place: u32::MAX, serial: self.serial };
        self.steps.push_back(Step::Send(Errand { ticket, order }));
    }

    /// The primary answers. Where all were lost together nobody buys before all have reported, so
    /// each says that it is there, and goes on with its share until all are. Not so who was in touch
    /// a moment ago: what it could admit on its own would be an estimate of what the others still
    /// buy.
    pub(super) fn gather(&mut self, now: Timestamp, epoch: Epoch) {
        if self.state != State::Out {
            return;
        }
        self.state = State::Gathering;
        self.healing.began = now;
        if self.epoch != epoch {
            if self.epoch != Epoch::NONE {
                self.lost = Some(self.loss(now));
            }
            self.epoch = epoch;
        }
        if self.healing.at_once || self.expected() <= 1 {
            self.heal(now);
            return;
        }
        self.wake = now;
        self.tick(now);
    }

    /// How many were in touch when this replica was last, itself included.
    fn expected(&self) -> u32 {
        self.alive.as_ref().map_or(0, |alive| {
            let missing = u32::try_from(alive.missing.len()).unwrap_or(u32::MAX);
            alive.members.saturating_sub(missing)
        })
    }

    /// So many are on their way back, and so many others have reported already: there is nobody to
    /// wait for if those are all, or if somebody waits for this replica.
    fn gathered(&mut self, now: Timestamp, (time, began): (u64, u64), (coming, here): (u32, u32)) {
        let all = 0 < here || self.expected() <= coming;
        let is_ripe = began.saturating_add(GATHER_MICROS) <= time;
        if all && is_ripe || SETTLE <= now.since(self.healing.began) {
            self.heal(now);
        } else {
            self.wake = now + self.look();
        }
    }

    /// How soon one looks again whether all are there.
    fn look(&self) -> Duration {
        if self.standing.members > SOME { SETTLE_LOOK_OF_MANY } else { SETTLE_LOOK }
    }

    /// Hand in the share, then let every desk report.
    fn heal(&mut self, now: Timestamp) {
        self.state = State::Healing;
        // The others wait for who shows that it is about to report.
        self.wake = now;
        let desks = usize::try_from(self.identity.desks).unwrap_or(0);
        let touched = if self.alive.is_some() { self.answered } else { self.moment(now).early };
        let (members, reported) = (self.standing.members, vec![false; desks]);
        let began = self.healing.began;
        self.healing = Healing { began, touched, members, reported, at_once: false };
        // Whatever has begun by now may have been used, and is used no more, even if this fails.
        self.surrendered = self.moment(now).late.saturating_add(1);
        let round = self.standing.round.wrapping_add(1);
        let standing = Standing { round, ..self.stands(Touch::Healing) };
        self.stand(standing);
        self.tick(now);
    }

    /// What is lost now with the table of members, and was lost before and is not made good.
    fn loss(&self, now: Timestamp) -> Lost {
        let (standing, before) = (&self.standing, self.lost);
        // New seats are not given out as long as somebody is missing: whoever is cut off has one of
        // those that there are.
        let missing = standing.holds.iter().filter(|hold| hold.missing_since.is_some());
        let seats = standing.seat.into_iter().chain(missing.map(|hold| hold.held.seat));
        let seats = seats.map(|seat| seat.of).chain(before.map(|lost| lost.seats)).min();
        let members = before.map_or(0, |lost| lost.members).max(standing.members);
        let noticed = self.moment(now).late;
        Lost { members, seats: seats.unwrap_or(members).max(1), noticed }
    }

    pub(super) fn beaten(&mut self, now: Timestamp, flight: Flight, beaten: Beaten) {
        let (Beaten::Alive(Alive { now: time, .. })
        | Beaten::Late { now: time }
        | Beaten::Strange { now: time }
        | Beaten::Noted { now: time, .. }) = &beaten;
        let steady = self.clock.observe(flight.sent, now, *time);
        if !steady {
            self.lose(now);
            return;
        }
        let alive = match beaten {
            Beaten::Alive(alive) => alive,
            Beaten::Late { .. } => {
                self.wake = now + AGAIN;
                return;
            }
            Beaten::Strange { .. } => {
                self.again(now);
                return;
            }
            Beaten::Noted { now: time, began, coming, here } => {
                if self.state == State::Gathering {
                    self.gathered(now, (time, began), (coming, here));
                } else if self.state == State::Settling {
                    // It has reported meanwhile.
                    self.wake = now;
                    self.tick(now);
                }
                return;
            }
        };
        let before = self.alive.as_ref().and_then(|alive| alive.seat);
        let fresh = self.state == State::Settling || alive.seat != before;
        let since = self.healing.touched.saturating_sub(AWAITED_MICROS);
        let awaited = alive.missing.iter().any(|missing| missing.since >= since)
            || alive.members < self.healing.members;
        let gathering = alive.now < alive.began.saturating_add(GATHER_MICROS)
            || alive.healing > 0 && now.since(self.healing.began) < HEAL_MAX;
        self.lost = self.lost.filter(|lost| {
            alive.members < lost.members
                && alive.now < lost.noticed.saturating_add(MEMBER_TTL_MICROS)
        });
        self.answered = flight.early;
        self.answered_at = flight.sent;
        if fresh {
            self.seat_from = self.moment(now).late.saturating_add(1);
        }
        // Nobody moves from one seat to another without standing in between: if that happens, the
        // table was lost, and the counters with it.
        let moved = before.is_some() && alive.seat.is_some() && alive.seat != before;
        self.alive = Some(alive);
        if self.state == State::In && moved {
            self.lose(now);
            return;
        }
        let awaited = awaited && now.since(self.healing.began) < SETTLE;
        if self.state == State::Settling && (gathering || awaited) {
            self.wake = now + self.look();
            return;
        }
        self.state = State::In;
        let standing = self.stands(Touch::In);
        self.stand(standing);
    }

    pub(super) fn stands(&self, touch: Touch) -> Standing {
        let alive = self.alive.as_ref();
        let members = alive.map_or(0, |alive| alive.members);
        let unheard = self.lost.map(|lost| Unheard {
            count: lost.members.saturating_sub(members),
            of: lost.seats,
            since: lost.noticed,
        });
        let missing = alive.into_iter().flat_map(|alive| &alive.missing).filter_map(|missing| {
            let from = missing.since.saturating_add(UNSURE_AFTER_MICROS);
            let held = HeldBack { seat: missing.seat?, from, to: u64::MAX };
            Some(Hold { held, missing_since: Some(missing.since) })
        });
        let dead = alive.into_iter().flat_map(|alive| &alive.held_back);
        let dead = dead.map(|held| Hold { held: *held, missing_since: None });
        Standing {
            touch,
            round: self.standing.round,
            run: era(self.run, self.epoch),
            epoch: self.epoch,
            unheard,
            clock: self.clock,
            seat: alive.and_then(|alive| alive.seat),
            members,
            holds: missing.chain(dead).collect(),
            buys_until: self.answered_at + MISS,
            seat_from: self.seat_from,
            share_from: self.sent.saturating_add(NOTICE_MICROS),
            share_to: self.answered.saturating_add(MEMBER_STOPS_MICROS),
            noticed: self.noticed,
            surrendered: self.surrendered,
        }
    }

    pub(super) fn stand(&mut self, standing: Standing) {
        self.standing = Arc::new(standing);
        self.steps.push_back(Step::Stand(Arc::clone(&self.standing)));
    }

    /// Before the first answer there is no time: then nothing depends on it.
    pub(super) fn moment(&self, now: Timestamp) -> Moment {
        self.clock.at(now).unwrap_or(Moment { local: now, early: 0, late: 0 })
    }
}

/// Which data are meant: what a primary has at one time in its life. Zero is none.
fn era(run: u64, epoch: Epoch) -> u64 {
    if run == 0 && epoch == Epoch::NONE {
        return 0;
    }
    (run ^ epoch.0.rotate_left(12)).max(1)
}
