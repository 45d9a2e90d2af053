//! A replica in the world: it starts, crashes, leaves, and is connected or not.

mod tills;

use std::collections::{BTreeMap, BTreeSet};

use crate::limit::engine::Engine;
use crate::limit::engine::WaiterId;
use crate::limit::engine::lend::Lent;
use crate::limit::engine::members::{Identity, Membership};
use crate::limit::engine::quota::Record;
use crate::limit::engine::simulation::chance::Chance;
use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::simulation::world::{Asked, DAWN, Event, Post, World};
use crate::limit::order::{Outcome, ReplicaId, Session, Ticket};
use crate::limit::seller::Primary;
use crate::time::Timestamp;

pub(in crate::limit::engine::simulation) struct Replica {
    pub live: bool,
    pub leaving: bool,
    pub life: u64,
    pub born: u64,
    pub offset: u64,
    pub ppm: i64,
    pub membership: Membership,
    pub desks: Vec<Engine>,
    /// What each desk has lent, and by which chance; none: this replica does not lend.
    pub lent: Vec<Lent>,
    pub lends: Option<Chance>,
    /// How many claims took what was lent.
    pub from_tills: u64,
    /// The run of the primary that it is connected to.
    pub conn: Option<u64>,
    pub open: BTreeSet<(usize, Ticket)>,
    pub waiters: BTreeMap<(usize, WaiterId), Asked>,
    /// What each desk wrote down; it outlives the process.
    pub journals: Vec<Vec<Record>>,
    pub ticks: (u64, u64),
}

impl World {
    pub(super) fn start(&mut self, who: usize, post: &mut Post) {
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
        replica.desks = (0..desks)
            .map(|desk| {
                let session = Session { replica: id, incarnation: life, desk };
                let slots = usize::try_from(self.plan.keys * 2).unwrap().max(64);
                Engine::new(session, slots, u64::from(desk))
            })
            .collect();
        replica.lent = (0..desks).map(|_| Lent::new()).collect();
        replica.journals.resize(replica.desks.len(), Vec::new());
        for (desk, journal) in replica.desks.iter_mut().zip(&replica.journals) {
            desk.restore(journal.iter().cloned());
        }
        replica.ticks = (0, 0);
        replica.conn = None;
        self.connect(who, post);
    }

    pub(super) fn leave(&mut self, who: usize, post: &mut Post) {
        let now = self.local(who);
        if !self.replicas[who].live {
            return;
        }
        self.replicas[who].recall_all(now);
        for desk in &mut self.replicas[who].desks {
            desk.hand_in(now);
        }
        self.drain(who, post);
        self.replicas[who].leaving = true;
        self.replicas[who].membership.leave(now);
        self.drain(who, post);
    }

    pub(super) fn crash(&mut self, who: usize) {
        let replica = &mut self.replicas[who];
        if !replica.live {
            return;
        }
        replica.live = false;
        replica.conn = None;
        replica.open.clear();
        replica.waiters.clear();
        for (desk, journal) in replica.desks.iter().zip(&replica.journals) {
            self.judge.conserved(desk);
            self.judge.died(desk, journal);
        }
    }

    pub(super) fn connect(&mut self, who: usize, post: &mut Post) {
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
        self.replicas[who].conn = Some(run);
        let open = std::mem::take(&mut self.replicas[who].open);
        self.replicas[who].membership.connected(now, run);
        self.drain(who, post);
        self.drop_orders(who, open, post);
    }

    pub(super) fn break_off(&mut self, who: usize, post: &mut Post) {
        let now = self.local(who);
        if self.replicas[who].conn.take().is_none() {
            return;
        }
        let open = std::mem::take(&mut self.replicas[who].open);
        self.replicas[who].membership.disconnected(now);
        self.drain(who, post);
        self.drop_orders(who, open, post);
    }

    /// What was on its way over a connection that is no more is unanswered; the membership and the
    /// desks know by then that it is no more.
    fn drop_orders(&mut self, who: usize, open: BTreeSet<(usize, Ticket)>, post: &mut Post) {
        let now = self.local(who);
        let replica = &mut self.replicas[who];
        for (from, ticket) in open {
            if from < replica.desks.len() {
                replica.desks[from].outcome(now, ticket, Outcome::Unanswered);
            } else {
                replica.membership.outcome(now, ticket, Outcome::Unanswered);
            }
        }
        self.drain(who, post);
    }

    /// All that the primary has is lost, and nobody is told.
    pub(super) fn wipe(&mut self) {
        let empty = Primary { run: self.primary.run, ..Primary::default() };
        let before = std::mem::replace(&mut self.primary, empty);
        let lost = Judge::lost(&before, &self.primary);
        self.judge.wiped(&self.plan, lost);
    }

    pub(super) fn fail_over(&mut self) {
        let failover = self.plan.failover.clone().unwrap();
        let Some(saved) = self.saved.take() else { return };
        let before = std::mem::replace(&mut self.primary, saved);
        let lost = Judge::lost(&before, &self.primary);
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
}

impl Replica {
    pub(super) fn new(chance: &mut Chance, plan: &Plan) -> Self {
        let ppm = i64::try_from(chance.below(2 * plan.drift + 1)).unwrap();
        let ppm = ppm - i64::try_from(plan.drift).unwrap();
        let identity = Identity { replica: ReplicaId(0), incarnation: 0, desks: 0 };
        let offset = chance.below(1_000_000 * SECOND);
        Self {
            live: false,
            leaving: false,
            life: 0,
            born: 0,
            offset,
            ppm,
            membership: Membership::new(identity, Timestamp::default()),
            desks: Vec::new(),
            lent: Vec::new(),
            lends: (plan.seed % 2 == 1).then(|| Chance::new(plan.seed ^ offset)),
            from_tills: 0,
            conn: None,
            open: BTreeSet::new(),
            waiters: BTreeMap::new(),
            journals: Vec::new(),
            ticks: (0, 0),
        }
    }

    /// What its clock shows at a true time.
    pub(in crate::limit::engine::simulation) fn local(&self, at: u64) -> Timestamp {
        let drift = i64::try_from(at - DAWN).unwrap() * self.ppm / 1_000_000;
        Timestamp::from_micros((at + self.offset).saturating_add_signed(drift))
    }

    /// When its clock will show `wake`; not before `now`.
    pub(super) fn true_time(&self, now: u64, wake: Timestamp) -> u64 {
        let left = wake.micros().saturating_sub(self.local(now).micros());
        now + left + left / 5_000 + 1
    }
}
