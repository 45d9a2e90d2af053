//! The world in which a case takes place: one event after the other, in the order of true time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use crate::limit::engine::members::{Identity, Membership, Step};
use crate::limit::engine::simulation::chance::Chance;
use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::{Claim, Decision, Effect, Engine, WaiterId};
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::order::{Errand, Order, Outcome, ReplicaId, Ticket};
use crate::limit::seller::Primary;
use crate::time::Timestamp;

/// True time at the beginning of a case; windows have large numbers then, as in life.
const DAWN: u64 = 1_000_000 * SECOND;

/// After so long the carrier of an order says that it is unanswered.
const DEADLINE: u64 = 25_000;

/// How long after the end of a case answers are still waited for.
const DUSK: u64 = SECOND;

pub(super) struct World {
    pub plan: Plan,
    pub chance: Chance,
    pub now: u64,
    count: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pub primary: Primary,
    /// What the primary's clock shows beyond true time.
    pub jump: i64,
    saved: Option<Primary>,
    pub replicas: Vec<Replica>,
    pub keys: Vec<CounterKey>,
    pub judge: Judge,
    open_last: u64,
}

pub(super) struct Replica {
    pub live: bool,
    leaving: bool,
    pub life: u64,
    pub born: u64,
    offset: u64,
    ppm: i64,
    pub membership: Membership,
    pub desks: Vec<Engine>,
    /// The run of the primary that it is connected to.
    conn: Option<u64>,
    open: BTreeSet<(usize, Ticket)>,
    waiters: BTreeMap<(usize, WaiterId), Asked>,
    ticks: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub at: u64,
    pub key: usize,
    pub cost: u64,
}

/// The source of an order: a desk, or beyond the last desk the membership.
type From = usize;

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Arrive,
    Execute(usize, u64),
    Answer(usize, u64),
    Member(usize),
    Desks(usize),
    Break(usize),
    Connect(usize),
    Crash(usize),
    Start(usize),
    Leave(usize),
    Save,
    Failover,
}

/// Orders that are on their way, kept beside the events because they have no order.
#[derive(Default)]
pub(super) struct Post {
    execute: BTreeMap<u64, (u64, u64, From, Errand, u64)>,
    answer: BTreeMap<u64, (u64, From, Ticket, Outcome)>,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut chance = Chance::new(plan.seed ^ 0xABCD);
        let space = KeySpace::new(Kind::RateByKey, &[]);
        let keys = (0..plan.keys).map(|key| space.key(&key.to_string())).collect();
        let replicas = (0..plan.replicas).map(|_| Replica::new(&mut chance, &plan)).collect();
        let judge = Judge::new(&plan);
        let mut world = Self {
            plan,
            chance,
            now: DAWN,
            count: 0,
            events: BinaryHeap::new(),
            primary: Primary { run: 1, ..Primary::default() },
            jump: 0,
            saved: None,
            replicas,
            keys,
            judge,
            open_last: 0,
        };
        world.schedule();
        world
    }

    /// Lets everything happen.
    pub(super) fn run(mut self) -> Self {
        let mut post = Post::default();
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > DAWN + self.plan.ends + DUSK {
                break;
            }
            self.now = at;
            if let Some(who) = whose(&event)
                && let Some(resumes) = self.paused_until(who)
            {
                self.at(resumes, event);
                continue;
            }
            self.happen(event, &mut post);
        }
        for replica in &self.replicas {
            for desk in &replica.desks {
                self.judge.conserved(desk);
            }
            let waits = replica.live && !replica.waiters.is_empty();
            assert!(!waits, "seed {}: somebody still waits", self.plan.seed);
        }
        self.judge.conclude(&self.plan);
        self
    }

    /// Once in so many.
    pub(super) fn count_down(&mut self, many: u64) -> bool {
        self.chance.once_in(many)
    }

    /// Time since the beginning of the case.
    pub(super) const fn age(&self) -> u64 {
        self.now - DAWN
    }

    /// The primary's time.
    pub(super) fn there(&self) -> u64 {
        self.now.saturating_add_signed(self.jump)
    }

    fn schedule(&mut self) {
        for who in 0..self.plan.replicas {
            let soon = self.chance.below(SECOND / 3);
            let joins = self.plan.joins.iter().find(|(late, _)| *late == who);
            self.at(DAWN + joins.map_or(soon, |(_, at)| *at), Event::Start(who));
        }
        self.at(DAWN + self.plan.begins, Event::Arrive);
        for cut in self.plan.cuts.clone() {
            for who in cut.who {
                if cut.breaks {
                    self.at(DAWN + cut.from + 1, Event::Break(who));
                    let back = self.chance.within(10_000, 200_000);
                    self.at(DAWN + cut.to + back, Event::Connect(who));
                }
            }
        }
        for (who, at) in self.plan.leaves.clone() {
            self.at(DAWN + at, Event::Leave(who));
        }
        for crash in self.plan.crashes.clone() {
            self.at(DAWN + crash.from, Event::Crash(crash.who));
            self.at(DAWN + crash.to, Event::Start(crash.who));
        }
        if let Some(failover) = self.plan.failover.clone() {
            self.at(DAWN + failover.at.saturating_sub(failover.lag), Event::Save);
            self.at(DAWN + failover.at, Event::Failover);
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn paused_until(&self, who: usize) -> Option<u64> {
        let age = self.age();
        let pauses = self.plan.pauses.iter();
        let now = pauses.filter(|pause| pause.who == who && pause.from <= age && age < pause.to);
        now.map(|pause| DAWN + pause.to).max()
    }

    fn cut_until(&self, who: usize, at: u64) -> Option<u64> {
        let age = at - DAWN;
        let cuts = self.plan.cuts.iter().filter(|cut| cut.from <= age && age < cut.to);
        cuts.filter(|cut| cut.who.contains(&who)).map(|cut| DAWN + cut.to).max()
    }

    fn happen(&mut self, event: Event, post: &mut Post) {
        match event {
            Event::Arrive => self.arrive(post),
            Event::Execute(who, number) => self.execute(who, number, post),
            Event::Answer(who, number) => self.answer(who, number, post),
            Event::Member(who) | Event::Desks(who) if !self.replicas[who].live => {}
            Event::Member(who) => {
                let now = self.local(who);
                if self.replicas[who].ticks.0 == self.now {
                    self.replicas[who].ticks.0 = 0;
                    self.replicas[who].membership.tick(now);
                }
                self.drain(who, post);
            }
            Event::Desks(who) => {
                let now = self.local(who);
                if self.replicas[who].ticks.1 == self.now {
                    self.replicas[who].ticks.1 = 0;
                    for desk in &mut self.replicas[who].desks {
                        desk.tick(now);
                    }
                }
                self.drain(who, post);
            }
            Event::Break(who) => self.break_off(who, post),
            Event::Connect(who) => self.connect(who, post),
            Event::Crash(who) => self.crash(who),
            Event::Start(who) => self.start(who, post),
            Event::Leave(who) => self.leave(who, post),
            Event::Save => self.saved = Some(self.primary.clone()),
            Event::Failover => self.fail_over(),
        }
    }

    fn local(&self, who: usize) -> Timestamp {
        self.replicas[who].local(self.now)
    }

    // ---- load --------------------------------------------------------------------------------

    fn arrive(&mut self, post: &mut Post) {
        if self.age() >= self.plan.ends {
            return;
        }
        let mean = SECOND / self.plan.rate.max(1);
        let mut gap = self.chance.tailed(mean.max(2));
        if self.plan.bursts {
            // Nothing in the middle of a window.
            let grid = *self.plan.rule.grid();
            let length = grid.period.max(1);
            let phase = (self.there() + gap).saturating_sub(grid.phase) % length;
            if (length / 8..length * 7 / 8).contains(&phase) {
                gap += length * 7 / 8 - phase;
            }
        }
        self.at(self.now + gap, Event::Arrive);
        let total: u64 = self.plan.weights.iter().sum();
        let mut pick = self.chance.below(total);
        let who = self.plan.weights.iter().position(|weight| {
            let found = pick < *weight;
            pick = pick.saturating_sub(*weight);
            found
        });
        let who = who.unwrap();
        if !self.replicas[who].live
            || self.replicas[who].leaving
            || self.paused_until(who).is_some() {
            return;
        }
        let key = usize::try_from(self.chance.below(self.plan.keys)).unwrap();
        let heavy = self.plan.heavy_one_in;
        let cost = if heavy > 0 && self.chance.once_in(heavy) { 2 } else { 1 };
        self.judge.offer(self.now.saturating_add_signed(self.jump), key, cost);
        let desk = key % self.replicas[who].desks.len();
        let now = self.local(who);
        let rule = Arc::clone(&self.plan.rule);
        let claim = Claim { key: self.keys[key], rule: &rule, need: cost, cost };
        let asked = Asked { at: self.now, key, cost };
        match self.replicas[who].desks[desk].admit(now, &claim) {
            Decision::Waiting(waiter) => {
                self.replicas[who].waiters.insert((desk, waiter), asked);
            }
            decision => self.decided(who, desk, asked, decision),
        }
        self.drain(who, post);
    }

    fn decided(&mut self, who: usize, desk: usize, asked: Asked, decision: Decision) {
        let receipt = match decision {
            Decision::Admitted(receipt) => receipt,
            Decision::Refused(_) | Decision::Unavailable => return,
            Decision::Waiting(_) => panic!("an answer is an answer"),
        };
        let one_in = self.plan.refunds_one_in;
        if one_in > 0 && self.chance.once_in(one_in) {
            // Another limit refused it.
            let now = self.local(who);
            let rule = Arc::clone(&self.plan.rule);
            let Asked { key, cost, .. } = asked;
            let claim = Claim { key: self.keys[key], rule: &rule, need: cost, cost };
            self.replicas[who].desks[desk].settle(now, &claim, receipt, 0);
            return;
        }
        Judge::admitted(self, who, asked, receipt);
    }

    // ---- replicas ----------------------------------------------------------------------------

    fn start(&mut self, who: usize, post: &mut Post) {
        if self.replicas[who].live {
            return;
        }
        let life = self.replicas[who].life + 1;
        let now = self.local(who);
        let born = self.now;
        let desks = self.plan.desks;
        let id = ReplicaId(u128::try_from(who).unwrap() + 1);
        let replica = &mut self.replicas[who];
        replica.live = true;
        replica.leaving = false;
        replica.life = life;
        replica.born = born;
        let identity = Identity { replica: id, incarnation: life, desks };
        replica.membership = Membership::new(identity, now);
        replica.desks = (0..desks).map(|desk| Engine::new(64, u64::from(desk))).collect();
        replica.ticks = (0, 0);
        replica.conn = None;
        self.connect(who, post);
    }

    fn leave(&mut self, who: usize, post: &mut Post) {
        let now = self.local(who);
        if !self.replicas[who].live {
            return;
        }
        for desk in &mut self.replicas[who].desks {
            desk.hand_in(now);
        }
        self.drain(who, post);
        self.replicas[who].leaving = true;
        self.replicas[who].membership.leave(now);
        self.drain(who, post);
    }

    fn crash(&mut self, who: usize) {
        let replica = &mut self.replicas[who];
        if !replica.live {
            return;
        }
        replica.live = false;
        replica.conn = None;
        replica.open.clear();
        replica.waiters.clear();
        for desk in &replica.desks {
            self.judge.conserved(desk);
        }
    }

    fn connect(&mut self, who: usize, post: &mut Post) {
        let now = self.local(who);
        let run = self.primary.run;
        if !self.replicas[who].live || self.replicas[who].conn == Some(run) {
            return;
        }
        if let Some(until) = self.cut_until(who, self.now) {
            let back = self.chance.within(10_000, 200_000);
            self.at(until + back, Event::Connect(who));
            return;
        }
        let swaps = self.replicas[who].conn.replace(run).is_some();
        if swaps {
            self.drop_orders(who, now);
        }
        self.replicas[who].membership.connected(now);
        self.drain(who, post);
    }

    fn break_off(&mut self, who: usize, post: &mut Post) {
        let now = self.local(who);
        if self.replicas[who].conn.take().is_none() {
            return;
        }
        self.replicas[who].membership.disconnected(now);
        self.drop_orders(who, now);
        self.drain(who, post);
    }

    /// What was on its way over a connection that is no more is unanswered.
    fn drop_orders(&mut self, who: usize, now: Timestamp) {
        let replica = &mut self.replicas[who];
        for (from, ticket) in std::mem::take(&mut replica.open) {
            if from < replica.desks.len() {
                replica.desks[from].outcome(now, ticket, Outcome::Unanswered);
            } else {
                replica.membership.outcome(now, ticket, Outcome::Unanswered);
            }
        }
    }

    fn fail_over(&mut self) {
        let failover = self.plan.failover.clone().unwrap();
        let Some(saved) = self.saved.take() else { return };
        let before = std::mem::replace(&mut self.primary, saved);
        let lost = self.judge.lost(&before, &self.primary);
        self.judge.failed_over(&self.plan, lost);
        self.jump = failover.jump;
        self.primary.run = before.run;
        if failover.hidden {
            return;
        }
        self.primary.run += 1;
        for who in 0..self.plan.replicas {
            let breaks = self.now + self.chance.within(1, 50_000);
            if failover.swaps {
                self.at(breaks, Event::Connect(who));
                continue;
            }
            self.at(breaks, Event::Break(who));
            let back = breaks + self.chance.within(10_000, 300_000);
            self.at(back, Event::Connect(who));
        }
    }

    /// Does what the membership and the desks of a replica want done.
    fn drain(&mut self, who: usize, post: &mut Post) {
        if !self.replicas[who].live {
            return;
        }
        let now = self.local(who);
        loop {
            let mut idle = true;
            for desk in 0..self.replicas[who].desks.len() {
                while let Some(effect) = self.replicas[who].desks[desk].next_effect() {
                    idle = false;
                    self.effect(who, desk, effect, post);
                }
            }
            if let Some(step) = self.replicas[who].membership.next_step() {
                idle = false;
                match step {
                    Step::Stand(standing) => {
                        for desk in &mut self.replicas[who].desks {
                            desk.stand(now, Arc::clone(&standing));
                        }
                    }
                    Step::Send(errand) => {
                        Judge::speaks(self, who, &errand.order);
                        let from = self.replicas[who].desks.len();
                        self.send(who, from, errand, post);
                    }
                    Step::Left => {
                        self.crash(who);
                        return;
                    }
                }
            }
            if idle {
                break;
            }
        }
        self.set_ticks(who);
    }

    fn effect(&mut self, who: usize, desk: usize, effect: Effect, post: &mut Post) {
        let now = self.local(who);
        match effect {
            Effect::Send(errand) => self.send(who, desk, errand, post),
            Effect::Answer { waiter, decision } => {
                let asked = self.replicas[who].waiters.remove(&(desk, waiter)).unwrap();
                self.judge.waited(&self.plan, self.now - asked.at, who);
                self.decided(who, desk, asked, decision);
            }
            Effect::Healed { round } => {
                let desk = u32::try_from(desk).unwrap();
                self.replicas[who].membership.healed(now, desk, round);
            }
            Effect::Unhealed { round } => self.replicas[who].membership.unhealed(now, round),
        }
    }

    fn set_ticks(&mut self, who: usize) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        if !replica.live {
            return;
        }
        let member = replica.true_time(now, replica.membership.wake());
        let desks = replica.desks.iter().filter_map(Engine::wake).min();
        let desks = desks.map(|at| replica.true_time(now, at)).unwrap_or(now + 100_000);
        let ticks = replica.ticks;
        if ticks.0 <= now || member < ticks.0 {
            self.replicas[who].ticks.0 = member;
            self.at(member, Event::Member(who));
        }
        if ticks.1 <= now || desks < ticks.1 {
            self.replicas[who].ticks.1 = desks;
            self.at(desks, Event::Desks(who));
        }
    }

    // ---- network -----------------------------------------------------------------------------

    fn send(&mut self, who: usize, from: From, errand: Errand, post: &mut Post) {
        self.judge.orders += 1;
        let Errand { ticket, order } = errand;
        self.replicas[who].open.insert((from, ticket));
        let Some(conn) = self.replicas[who].conn else {
            self.post_answer(who, from, ticket, self.now + 1, Outcome::Unanswered, post);
            return;
        };
        let deadline = self.now + DEADLINE;
        self.post_answer(who, from, ticket, deadline, Outcome::Unanswered, post);
        let (there, back) =
            (self.chance.tailed(self.plan.delay), self.chance.tailed(self.plan.delay));
        let mut arrives = self.now + there;
        if let Some(until) = self.cut_until(who, arrives) {
            // Lost, or held up until the network is whole again.
            if self.chance.once_in(2) {
                return;
            }
            arrives = until + there;
        }
        let mut back = back;
        if self.plan.loses_one_in > 0 && self.chance.once_in(self.plan.loses_one_in) {
            match self.chance.below(3) {
                0 => return,
                1 => arrives += self.chance.within(1, 2 * SECOND),
                _ => back = 10 * SECOND,
            }
        }
        self.open_last += 1;
        let life = self.replicas[who].life;
        let errand = Errand { ticket, order };
        post.execute.insert(self.open_last, (life, conn, from, errand, back));
        self.at(arrives, Event::Execute(who, self.open_last));
    }

    fn post_answer(
        &mut self,
        who: usize,
        from: From,
        ticket: Ticket,
        at: u64,
        outcome: Outcome,
        post: &mut Post,
    ) {
        self.open_last += 1;
        let life = self.replicas[who].life;
        post.answer.insert(self.open_last, (life, from, ticket, outcome));
        self.at(at, Event::Answer(who, self.open_last));
    }

    fn execute(&mut self, who: usize, number: u64, post: &mut Post) {
        let (life, conn, from, errand, back) = post.execute.remove(&number).unwrap();
        if conn != self.primary.run {
            return;
        }
        let Errand { ticket, order } = errand;
        let now = self.there();
        if let Order::Beat(beat) = &order {
            if now <= beat.not_after {
                self.judge.beats(who, now);
            }
        }
        let reply = self.primary.carry_out(now, &order);
        Judge::carried_out(self, &order, &reply);
        let answer_at = self.now + back;
        if self.replicas[who].life == life {
            self.post_answer(who, from, ticket, answer_at, Outcome::Answered(reply), post);
        }
    }

    fn answer(&mut self, who: usize, number: u64, post: &mut Post) {
        let (life, from, ticket, outcome) = post.answer.remove(&number).unwrap();
        if !self.replicas[who].live
            || self.replicas[who].life != life
            || !self.replicas[who].open.remove(&(from, ticket))
        {
            return;
        }
        let now = self.local(who);
        let replica = &mut self.replicas[who];
        if from == replica.desks.len() {
            replica.membership.outcome(now, ticket, outcome);
        } else {
            if matches!(outcome, Outcome::Answered(_)) {
                replica.membership.heard(now);
            } else {
                replica.membership.missed(now);
            }
            replica.desks[from].outcome(now, ticket, outcome);
        }
        self.drain(who, post);
    }
}

impl Replica {
    fn new(chance: &mut Chance, plan: &Plan) -> Self {
        let ppm = i64::try_from(chance.below(2 * plan.drift + 1)).unwrap();
        let ppm = ppm - i64::try_from(plan.drift).unwrap();
        let identity = Identity { replica: ReplicaId(0), incarnation: 0, desks: 0 };
        Self {
            live: false,
            leaving: false,
            life: 0,
            born: 0,
            offset: chance.below(1_000_000 * SECOND),
            ppm,
            membership: Membership::new(identity, Timestamp::default()),
            desks: Vec::new(),
            conn: None,
            open: BTreeSet::new(),
            waiters: BTreeMap::new(),
            ticks: (0, 0),
        }
    }

    /// What its clock shows at a true time.
    pub(super) fn local(&self, at: u64) -> Timestamp {
        let drift = i64::try_from(at - DAWN).unwrap() * self.ppm / 1_000_000;
        Timestamp::from_micros((at + self.offset).saturating_add_signed(drift))
    }

    /// When its clock will show `wake`; not before `now`.
    fn true_time(&self, now: u64, wake: Timestamp) -> u64 {
        let left = wake.micros().saturating_sub(self.local(now).micros());
        now + left + left / 5_000 + 1
    }
}

fn whose(event: &Event) -> Option<usize> {
    match event {
        Event::Answer(who, _) | Event::Member(who) | Event::Desks(who) => Some(*who),
        Event::Break(who) | Event::Connect(who) | Event::Start(who) | Event::Leave(who) => {
            Some(*who)
        }
        Event::Arrive | Event::Execute(..) | Event::Crash(_) | Event::Save | Event::Failover => None,
    }
}
