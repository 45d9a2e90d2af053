//! The world in which a case takes place: one event after the other, in the order of true time.

mod replica;
mod network;
mod load;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use crate::limit::engine::members::Step;
use crate::limit::engine::quota::Record;
use crate::limit::engine::simulation::chance::Chance;
use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::simulation::world::replica::Replica;
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Effect, Engine, Receipt};
use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::order::{Errand, Outcome, Ticket};
use crate::limit::seller::Primary;
use crate::time::Timestamp;

/// True time at the beginning of a case; windows have large numbers then, as in life.
pub(super) const DAWN: u64 = 1_000_000 * SECOND;

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
    /// How many requests came, where they come in groups, and to whom the last group.
    grouped: u64,
    whom: u64,
    /// What is held for those whose response is to come, by desk, and how many there were.
    holds: BTreeMap<u64, (usize, Asked, Receipt)>,
    held: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub at: u64,
    pub key: usize,
    pub cost: u64,
}

/// The source of an order: a desk, or beyond the last desk the membership.
pub(super) type From = usize;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Event {
    Arrive,
    Respond(usize, u64),
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
    Wipe,
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
            grouped: 0,
            whom: 0,
            holds: BTreeMap::new(),
            held: 0,
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
            for desk in replica.desks.iter().filter(|_| replica.live) {
                self.judge.conserved(desk);
            }
            let waits = replica.live && !replica.waiters.is_empty() && self.plan.pauses.is_empty();
            assert!(!waits, "seed {}: somebody still waits", self.plan.seed);
        }
        // The end came before some responses did.
        self.judge.refunds -= self.holds.values().map(|(_, asked, _)| asked.cost).sum::<u64>();
        self.judge.conclude(&self.plan);
        if self.plan.rule.grid().is_quota() {
            self.judge.audit(&self);
        }
        self
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
        if let Some(at) = self.plan.wipe {
            self.at(DAWN + at, Event::Wipe);
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
            Event::Respond(who, number) => self.respond(who, number, post),
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
                    self.replicas[who].look_after_tills(now);
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
            Event::Wipe => self.wipe(),
        }
    }

    fn local(&self, who: usize) -> Timestamp {
        self.replicas[who].local(self.now)
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
                        self.replicas[who].recall_all(now);
                        let is_lost = standing.touch == Touch::Out && self.plan.begins < self.age();
                        self.judge.losses += u64::from(is_lost);
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
            Effect::Send(errand) => {
                Judge::buys(self, who, &self.replicas[who].desks[desk], &errand.order);
                self.send(who, desk, errand, post);
            }
            Effect::Answer { waiter, decision } => {
                let asked = self.replicas[who].waiters.remove(&(desk, waiter)).unwrap();
                self.judge.waited(&self.plan, self.now - asked.at, who);
                self.decided(who, desk, asked, decision);
            }
            Effect::Journal(record) => {
                let journal = &mut self.replicas[who].journals[desk];
                if let Record::Done { .. } = &record {
                    journal.retain(|known| !matches!(known, Record::Sent(_)));
                } else {
                    journal.push(record);
                }
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
        let desks = desks.map_or(now + 100_000, |at| replica.true_time(now, at));
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
}

fn whose(event: &Event) -> Option<usize> {
    match event {
        Event::Answer(who, _)
        | Event::Respond(who, _)
        | Event::Member(who)
        | Event::Desks(who)
        | Event::Break(who)
        | Event::Connect(who)
        | Event::Start(who)
        | Event::Leave(who) => Some(*who),
        Event::Arrive
        | Event::Execute(..)
        | Event::Crash(_)
        | Event::Save
        | Event::Failover
        | Event::Wipe => None,
    }
}
