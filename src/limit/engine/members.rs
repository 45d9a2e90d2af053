//! The membership of a replica in a lane: beats, loss, the way back. One for each lane, shared by
//! all its desks.
//!
//! ```text
//!       probe answered      all are there     every desk has reported       nobody is awaited
//!  out ──────────► gathering ─────► healing ────────────────────────► settling ─────────► in
//!   ▲                  │               │                                  │                │
//!   └── no answer for 200 ms, connection lost, clock jumped, report lost ─┴────────────────┘
//! ```
//!
//! Who gathers is out of touch as before and uses its share: nobody sells before all who were lost
//! together have reported, and who has reported may admit nothing until then.
//!
//! Nobody here holds a timer for anybody else. That two sides agree on who may admit what follows
//! from the times at which windows start: a member may use its share on its own only in windows
//! that start [`NOTICE_MICROS`] after its last beat or later, and by then nobody buys that share
//! any more. The constants are chosen so that this holds:
//!
//! ```text
//! a beat is carried out at most BEAT_LATE after it was sent
//! + MISS           until the table says that the member is missing
//! + MISS           until whoever heard before that it is not stops buying (`buys_until`)
//! + ORDER_LIFE     until an order of such a one is answered, or its answer does not count
//! + AHEAD_MAX      how long before a window starts it may be bought in
//! = 1,600 ms < NOTICE = 1,750 ms
//! ```

mod talk;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::reference::Reference;
use crate::limit::engine::standing::Standing;
use crate::limit::order::members::{Alive, Epoch};
use crate::limit::order::{Errand, Outcome, ReplicaId, Reply, Ticket};
use crate::time::Timestamp;

/// How often a member beats, and how often where there are many.
const BEAT: Duration = Duration::from_millis(250);
const BEAT_OF_MANY: Duration = Duration::from_millis(400);
const MANY: u32 = 100;

/// How late a beat may be carried out.
const BEAT_LATE_MICROS: u64 = 100_000;

/// Without a beat for so long a member is missing; and who has heard nothing for so long does not
/// buy.
pub const MISS: Duration = Duration::from_millis(600);

/// After how long an answer does not count any more.
pub const ORDER_LIFE: Duration = Duration::from_millis(50);

/// How long before its start a window may be bought in, at most.
pub(super) const AHEAD_MAX_MICROS: u64 = 250_000;

/// How long after its last beat was sent a member may use its share on its own.
pub const NOTICE_MICROS: u64 = 1_750_000;

/// The same, counted from when the beat was carried out.
const UNSURE_AFTER_MICROS: u64 = NOTICE_MICROS - 150_000;

/// Without a beat for so long a member is expelled, and how long before that it stops.
const MEMBER_TTL_MICROS: u64 = 300_000_000;
const MEMBER_STOPS_MICROS: u64 = MEMBER_TTL_MICROS - 1_000_000;

/// Without any answer for so long a lane is out of touch.
const SILENCE: Duration = Duration::from_millis(200);

/// A replica that does something so much later than it was due was stopped, or has too much to do:
/// for as long it could not have heard Redis either. One that was away for longer than the second of
/// these has to come back like one that was cut off.
const LATE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// For so long it then waits for an answer before it takes the silence for a loss.
const EXCUSED: Duration = Duration::from_millis(100);

/// How soon a beat without an answer is repeated.
const AGAIN: Duration = Duration::from_millis(10);

/// How often a lane that is out of touch is tried.
const PROBE: Duration = Duration::from_millis(100);

/// How long one waits for the others and their reports, and how often one looks.
const SETTLE: Duration = Duration::from_secs(1);
const SETTLE_LOOK: Duration = Duration::from_millis(20);
const SETTLE_LOOK_OF_MANY: Duration = Duration::from_millis(50);

/// How long after the first beat in a new epoch nobody buys: by then everybody who lives and bought
/// in the one before has beaten, and so is known to be on its way back; in microseconds.
const GATHER_MICROS: u64 = 500_000;

/// A member that was missing for so long before this replica started is not waited for, in
/// microseconds.
const AWAITED_MICROS: u64 = 10_000_000;

/// The longest that reporting may take before it is begun again.
const HEAL_MAX: Duration = Duration::from_mins(2);

/// The membership of one replica in one lane.
#[derive(Debug)]
pub struct Membership {
    identity: Identity,
    state: State,
    connected: bool,
    run: u64,
    epoch: Epoch,
    /// What there was before the data were lost, as long as not everybody is heard of again.
    lost: Option<Lost>,
    standing: Arc<Standing>,
    clock: Reference,
    /// What the last answered beat said.
    alive: Option<Alive>,
    seat_from: u64,
    seq: u64,
    serial: u32,
    flight: Option<Flight>,
    /// When to act next.
    wake: Timestamp,
    /// When an answer of any kind was last heard.
    heard: Timestamp,
    /// Until when the silence since an answer does not count, and which answer that was.
    excused: (Timestamp, Timestamp),
    /// The latest time at which the last beat was sent, by the primary's clock.
    sent: u64,
    /// The earliest time at which the last answered beat was sent, by the primary's clock; and our
    /// time of it.
    answered: u64,
    answered_at: Timestamp,
    noticed: u64,
    surrendered: u64,
    healing: Healing,
    steps: VecDeque<Step>,
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The replica.
    pub replica: ReplicaId,
    /// Which life of it: larger after each start.
    pub incarnation: u64,
    /// How many desks the lane's keys are divided over here.
    pub desks: u32,
}

/// What is to be done for a [`Membership`], in this order.
#[derive(Clone, Debug)]
pub enum Step {
    /// Every desk of the lane is to be told, before anything that comes after.
    Stand(Arc<Standing>),
    /// This is to be carried to the primary.
    Send(Errand),
    /// It has left; nothing more will come.
    Left,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Out,
    Gathering,
    Healing,
    Settling,
    In,
    Leaving,
    Left,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    serial: u32,
    sent: Timestamp,
    /// The primary's time then, at the earliest.
    early: u64,
    is_beat: bool,
}

/// Data that were lost.
#[derive(Clone, Copy, Debug)]
struct Lost {
    /// How many members there were.
    members: u32,
    /// How many seats there were for them, at least.
    seats: u32,
    /// When that was noticed, by the primary's clock, at the latest.
    noticed: u64,
}

#[derive(Debug, Default)]
struct Healing {
    began: Timestamp,
    /// The primary's time when this replica was last in touch: whoever was lost long before that
    /// is not waited for.
    touched: u64,
    /// How many members there were then: if there are fewer now, the table was lost, and who is
    /// missing in it may still have something to report.
    members: u32,
    reported: Vec<bool>,
    /// Whether it was in touch until it found other data: then nobody is waited for first.
    at_once: bool,
}

impl Membership {
    /// A replica that has just started and has heard of nobody.
    pub fn new(identity: Identity, now: Timestamp) -> Self {
        Self {
            identity,
            state: State::Out,
            connected: false,
            run: 0,
            epoch: Epoch::NONE,
            lost: None,
            standing: Arc::default(),
            clock: Reference::default(),
            alive: None,
            seat_from: u64::MAX,
            seq: 0,
            serial: 0,
            flight: None,
            wake: now,
            heard: Timestamp::default(),
            excused: (Timestamp::default(), Timestamp::default()),
            sent: 0,
            answered: 0,
            answered_at: Timestamp::default(),
            noticed: 0,
            surrendered: 0,
            healing: Healing::default(),
            steps: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn next_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// When [`Self::tick`] is due.
    pub const fn wake(&self) -> Timestamp {
        self.wake
    }

    /// How it stands now.
    pub fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
    }

    /// There is a connection to the primary `run`, possibly another one than before: it must be
    /// told what this replica knows before anything is bought from it.
    pub fn connected(&mut self, now: Timestamp, run: u64) {
        self.connected = true;
        self.run = run;
        self.flight = None;
        if self.is_here() {
            self.lose(now);
            self.wake = now;
            self.tick(now);
        }
    }

    /// The connection is broken. What was on its way is to be reported unanswered.
    pub fn disconnected(&mut self, now: Timestamp) {
        self.connected = false;
        self.flight = None;
        if self.is_here() {
            self.lose(now);
        }
    }

    /// A desk had an answer from the lane.
    pub fn heard(&mut self, now: Timestamp) {
        self.heard = self.heard.max(now);
    }

    /// A desk waited in vain for an answer to what was sent at `sent`.
    pub fn missed(&mut self, now: Timestamp, sent: Timestamp) {
        let is_silent = self.state == State::In && now.since(self.heard) >= SILENCE;
        if is_silent && !self.is_excused(now, sent + ORDER_LIFE) {
            self.lose(now);
        }
    }

    /// Whether this replica itself was too late, for what was `due`, to say anything about Redis. No
    /// answer excuses more than one silence, and nothing is bought on old news meanwhile.
    pub(super) fn is_excused(&mut self, now: Timestamp, due: Timestamp) -> bool {
        let (least, most) = LATE;
        let late = now.since(due);
        if least <= late && late <= most && self.excused.1 != self.heard {
            self.excused = (now + EXCUSED, self.heard);
        }
        self.excused.1 == self.heard && now < self.excused.0
    }

    /// A desk has reported everything in this round.
    pub fn healed(&mut self, now: Timestamp, desk: u32, round: u32) {
        if self.state != State::Healing || round != self.standing.round {
            return;
        }
        let desk = usize::try_from(desk).unwrap_or(usize::MAX);
        if let Some(reported) = self.healing.reported.get_mut(desk) {
            *reported = true;
        }
        if self.healing.reported.iter().all(|reported| *reported) {
            self.state = State::Settling;
            self.wake = now;
            self.tick(now);
        }
    }

    /// A report of a desk was lost in this round; or, in touch, what was bought from are other data
    /// than those that were reported to.
    pub fn unhealed(&mut self, now: Timestamp, round: u32) {
        let is_there = matches!(self.state, State::Healing | State::Settling | State::In);
        if is_there && round == self.standing.round {
            self.again(now);
        }
    }

    /// Leaves for good: the desks have handed in what they had.
    pub fn leave(&mut self, now: Timestamp) {
        let was_in = matches!(self.state, State::In | State::Settling);
        self.state = if was_in { State::Leaving } else { State::Left };
        self.flight = None;
        let seatless = Standing { round: self.standing.round, ..Standing::default() };
        self.stand(seatless);
        if was_in {
            self.beat(now);
        } else {
            self.steps.push_back(Step::Left);
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Timestamp) {
        let is_old = self.state == State::In && self.standing.buys_until < now;
        if is_old && !self.is_excused(now, self.wake) {
            self.lose(now);
        }
        if now < self.wake {
            return;
        }
        match self.state {
            State::Out if self.connected => self.probe(now),
            State::Healing if now.since(self.healing.began) >= HEAL_MAX => self.lose(now),
            State::Out | State::Left => self.wake = now + PROBE,
            State::Gathering | State::Healing | State::Settling | State::In => self.beat(now),
            State::Leaving => {
                self.state = State::Left;
                self.steps.push_back(Step::Left);
            }
        }
    }

    /// What became of an errand of this membership.
    pub fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: Outcome) {
        let Some(flight) = self.flight.filter(|flight| flight.serial == ticket.serial) else {
            return;
        };
        self.flight = None;
        let due = flight.sent + ORDER_LIFE;
        if self.state == State::Leaving {
            self.state = State::Left;
            self.steps.push_back(Step::Left);
            return;
        }
        match outcome {
            Outcome::Answered(ref reply) if due < now && !self.is_news(now, flight, reply) => {
                self.unanswered(now, due);
            }
            Outcome::Answered(Reply::Probe(probed)) if !flight.is_beat => {
                self.heard(now);
                // Another primary has another clock.
                self.clock = Reference::default();
                self.clock.observe(flight.sent, now, probed.now);
                if probed.epoch == Epoch::NONE {
                    // It was lost while it was asked for.
                    self.unanswered(now, due);
                } else {
                    self.gather(now, probed.epoch);
                }
            }
            Outcome::Answered(Reply::Beat(beaten)) if flight.is_beat => {
                self.heard(now);
                self.beaten(now, flight, beaten);
            }
            Outcome::Answered(_) | Outcome::Unconfirmed | Outcome::Unanswered => {
                self.unanswered(now, due);
            }
        }
    }

    /// Whether a late answer to a beat is news all the same: who has much to do hears it late, and
    /// what it says holds for as long after the beat was sent as if it had been heard at once.
    fn is_news(&self, now: Timestamp, flight: Flight, reply: &Reply) -> bool {
        let is_beat = flight.is_beat && matches!(reply, Reply::Beat(_));
        is_beat && self.state == State::In && now.since(flight.sent) < MISS
    }

    fn is_here(&self) -> bool {
        !matches!(self.state, State::Leaving | State::Left)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
