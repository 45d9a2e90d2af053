//! The world: requests come and go, replicas do what is due, and every step is judged.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::num::NonZeroU32;

use super::{
    Chance, DAWN, Event, Fault, Inside, MILLI, NOTICED, Plan, Replica, SECOND, World, key,
};
use crate::limit::concurrency::pool::{Decision, Effect, Pool, RENEW};
use crate::limit::engine::members::{Identity, Membership, NOTICE_MICROS, Step};
use crate::limit::key::CounterKey;
use crate::limit::order::ReplicaId;
use crate::limit::seller::Primary;
use crate::time::Timestamp;

impl World {
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let mut world = Self {
            chance: Chance::new(seed),
            now: DAWN,
            number: 0,
            events: BinaryHeap::new(),
            what: HashMap::new(),
            primary: Primary { run: 1, ..Primary::default() },
            is_down: false,
            replicas: Vec::new(),
            faults: Vec::new(),
            unnoticed: Vec::new(),
            admitted: 0,
            refused: 0,
            most: 0,
            excused: 0,
            plan,
        };
        for who in 0..world.plan.replicas {
            let offset = world.chance.within(0, 90 * SECOND);
            let drift = world.chance.within(0, 150);
            let replica = world.born(who, 1, offset, drift);
            world.replicas.push(replica);
            world.at(DAWN + 1, Event::Connect { who, life: 1 });
            world.at(DAWN + 2, Event::Look { who, life: 1 });
        }
        for (from, to, fault) in world.plan.faults.clone() {
            world.at(DAWN + from, Event::Begin(fault));
            world.at(DAWN + to, Event::End(fault));
        }
        world.at(DAWN + SECOND, Event::Arrive);
        world
    }

    pub(super) fn born(&self, who: usize, life: u64, offset: u64, drift: u64) -> Replica {
        let replica = ReplicaId(u128::try_from(who).unwrap() + 1);
        let now = Timestamp::from_micros(self.now + offset + self.now / 1_000_000 * drift);
        let expected = NonZeroU32::new(self.plan.replicas.try_into().unwrap()).unwrap();
        Replica {
            life,
            membership: Membership::new(Identity { replica, incarnation: life, desks: 1 }, now),
            pool: Pool::new((replica, life), expected, 1 << 10, now),
            is_alive: true,
            is_paused: false,
            is_cut: false,
            connection: 0,
            is_connected: false,
            offset,
            drift,
            look_at: 0,
            inside: BTreeMap::new(),
            waiting: HashMap::new(),
            missed: Vec::new(),
            open: HashMap::new(),
        }
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at.max(self.now), self.number)));
        self.what.insert(self.number, event);
    }

    pub(super) fn run(&mut self) {
        let end = DAWN + self.plan.seconds * SECOND;
        while let Some(Reverse((at, number))) = self.events.peek().copied()
            && at <= end
        {
            self.events.pop();
            self.now = at;
            let event = self.what.remove(&number).unwrap();
            self.happen(event);
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        let of = match &event {
            Event::Leave { who, life, .. }
            | Event::Look { who, life }
            | Event::Outcome { who, life, .. }
            | Event::Connect { who, life }
            | Event::Break { who, life, .. } => Some((*who, *life)),
            Event::Arrive | Event::Carry { .. } | Event::Begin(_) | Event::End(_) => None,
        };
        if let Some((who, life)) = of {
            let replica = &mut self.replicas[who];
            if replica.life != life || !replica.is_alive {
                return;
            }
            if replica.is_paused {
                replica.missed.push(event);
                return;
            }
        }
        match event {
            Event::Arrive => self.arrive(),
            Event::Leave { who, request, .. } => self.leave(who, request),
            Event::Look { who, .. } => self.look(who),
            Event::Carry { who, life, connection, errand, deadline } => {
                self.carry(who, life, connection, errand, deadline);
            }
            Event::Outcome { who, connection, ticket, is_pool, outcome, .. } => {
                self.outcome(who, connection, ticket, is_pool, outcome);
            }
            Event::Connect { who, .. } => self.connect(who),
            Event::Break { who, connection, .. } => {
                if self.replicas[who].connection == connection {
                    self.broken(who);
                }
            }
            Event::Begin(fault) => self.begin(fault),
            Event::End(fault) => self.end(fault),
        }
    }

    pub(super) fn arrive(&mut self) {
        let gap = self.chance.within(1, self.plan.every * 2);
        self.at(self.now + gap, Event::Arrive);
        let any = self.chance.index(self.plan.replicas);
        let who = if self.chance.once_in(self.plan.spread) { any } else { 0 };
        let key = key(self.chance.index(self.plan.keys));
        let (now, max) = (self.now, self.plan.max);
        let replica = &mut self.replicas[who];
        if !replica.is_alive || replica.is_paused {
            return;
        }
        match replica.pool.enter(replica.local(now), key, max) {
            Decision::In => self.enters(who, key),
            Decision::Full => self.refused += 1,
            Decision::Waiting(id) => {
                replica.waiting.insert(id, key);
            }
        }
        self.see_to(who);
    }

    pub(super) fn enters(&mut self, who: usize, key: CounterKey) {
        self.admitted += 1;
        self.number += 1;
        let request = self.number;
        let (from, to) = self.plan.stay;
        let stay = self.chance.within(from, to);
        let (now, life) = (self.now, self.replicas[who].life);
        let is_unmet = self.replicas[who].membership.standing().members == 0;
        self.replicas[who].inside.insert(request, Inside { key, entered: now, is_unmet });
        self.at(now + stay, Event::Leave { who, life, request });
        self.judge(key);
    }

    /// Nobody is let in beyond the limit, but for as many as are inside that were there before
    /// their replica was stopped, before all had noticed that one was out of touch, before their
    /// replica had heard of any other, or before it asked again over a connection that lived on when
    /// the data were lost.
    pub(super) fn judge(&mut self, key: CounterKey) {
        let notice = NOTICE_MICROS;
        let excused = |who: usize, entered: u64| {
            let renews = u64::try_from(RENEW.as_micros()).unwrap();
            let mut unnoticed = self.unnoticed.iter();
            unnoticed.any(|(lost, whom)| *whom == who && entered < lost + renews)
                || self.faults.iter().any(|(since, fault)| match fault {
                    Fault::Crash(_) => false,
                    Fault::Pause(whom) => *whom == who && entered < *since,
                    Fault::Cut(_) | Fault::Down { .. } => {
                        since + notice - NOTICED <= self.now && entered < since + notice + NOTICED
                    }
                })
        };
        let (mut inside, mut pardons) = (0, 0);
        for (who, replica) in self.replicas.iter().enumerate() {
            for one in replica.inside.values().filter(|one| one.key == key) {
                inside += 1;
                pardons += usize::from(one.is_unmet || excused(who, one.entered));
            }
        }
        self.most = self.most.max(inside);
        let max = usize::try_from(self.plan.max).unwrap();
        self.excused += u64::from(max <= inside && 0 < pardons);
        let most = max + pardons;
        assert!(
            inside <= most,
            "{inside} inside, {most} may be, {} ms after the dawn; {:?}; {:#?}",
            (self.now - DAWN) / MILLI,
            self.faults,
            self.replicas.iter().map(Replica::told).collect::<Vec<_>>(),
        );
    }

    pub(super) fn leave(&mut self, who: usize, request: u64) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        let Inside { key, .. } = replica.inside.remove(&request).unwrap();
        replica.pool.leave(replica.local(now), &key);
        self.see_to(who);
    }

    pub(super) fn look(&mut self, who: usize) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        if now < replica.look_at {
            // It was called for earlier since.
            return;
        }
        replica.look_at = u64::MAX;
        let local = replica.local(now);
        if replica.membership.wake() <= local {
            replica.membership.tick(local);
        }
        self.follow(who);
        let replica = &mut self.replicas[who];
        replica.pool.tick(local);
        self.see_to(who);
    }

    /// Does what a membership wants done.
    pub(super) fn follow(&mut self, who: usize) {
        loop {
            let now = self.now;
            let replica = &mut self.replicas[who];
            let Some(step) = replica.membership.next_step() else { break };
            match step {
                Step::Stand(standing) => {
                    replica.pool.stand(replica.local(now), standing);
                    self.effects(who);
                }
                Step::Send(errand) => self.send(who, errand, false),
                Step::Left => {}
            }
        }
        let replica = &self.replicas[who];
        let wake = replica.global(self.now, replica.membership.wake());
        self.look_at(who, wake);
    }

    /// Does what a pool wants done, and what follows from that.
    pub(super) fn see_to(&mut self, who: usize) {
        self.effects(who);
        self.follow(who);
        let replica = &self.replicas[who];
        if let Some(wake) = replica.pool.wake() {
            let wake = replica.global(self.now, wake);
            self.look_at(who, wake);
        }
    }

    pub(super) fn effects(&mut self, who: usize) {
        while let Some(effect) = self.replicas[who].pool.next_effect() {
            let local = self.replicas[who].local(self.now);
            match effect {
                Effect::Send(errand) => self.send(who, errand, true),
                Effect::Answer { waiter, key, is_in } => {
                    assert_eq!(self.replicas[who].waiting.remove(&waiter), Some(key));
                    if is_in {
                        self.enters(who, key);
                    } else {
                        self.refused += 1;
                    }
                }
                Effect::Healed { round } => self.replicas[who].membership.healed(local, 0, round),
                Effect::Unhealed { round } => {
                    self.replicas[who].membership.unhealed(local, round);
                }
            }
        }
    }

    pub(super) fn look_at(&mut self, who: usize, at: u64) {
        let replica = &mut self.replicas[who];
        if at < replica.look_at {
            replica.look_at = at;
            let life = replica.life;
            self.at(at, Event::Look { who, life });
        }
    }

    /// Lets everybody leave, and time pass.
    pub(super) fn rest(&mut self) {
        self.plan.lossy = false;
        self.plan.seconds += 20;
        self.events
            .retain(|Reverse((_, number))| !matches!(self.what.get(number), Some(Event::Arrive)));
        self.run();
    }
}
