//! Messages and what becomes of them, connections, and faults.

use super::{DEADLINE, Event, Fault, MILLI, Replica, SECOND, World};
use crate::limit::order::{Errand, Order, Outcome, Reply, Ticket};
use crate::limit::seller::Primary;

impl World {
    pub(super) fn connect(&mut self, who: usize) {
        let (now, run) = (self.now, self.primary.run);
        let replica = &mut self.replicas[who];
        if self.is_down || replica.is_cut || replica.is_connected {
            return;
        }
        replica.connection += 1;
        replica.is_connected = true;
        replica.membership.connected(replica.local(now), run);
        self.follow(who);
        self.see_to(who);
    }

    pub(super) fn broken(&mut self, who: usize) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        if !replica.is_connected {
            return;
        }
        replica.is_connected = false;
        replica.connection += 1;
        replica.membership.disconnected(replica.local(now));
        self.follow(who);
        self.unanswered(who);
        self.see_to(who);
        let (life, pause) = (self.replicas[who].life, self.chance.within(20 * MILLI, 800 * MILLI));
        self.at(now + pause, Event::Connect { who, life });
    }

    /// All that was on its way has no answer.
    pub(super) fn unanswered(&mut self, who: usize) {
        let now = self.now;
        let mut open: Vec<_> = self.replicas[who].open.drain().collect();
        open.sort_unstable();
        for ((serial, is_pool), _) in open {
            let replica = &mut self.replicas[who];
            let (local, ticket) = (replica.local(now), Ticket { place: u32::MAX, serial });
            if is_pool {
                replica.pool.outcome(local, Ticket { place: 0, ..ticket }, &Outcome::Unanswered);
            } else {
                replica.membership.outcome(local, ticket, Outcome::Unanswered);
            }
        }
        self.follow(who);
    }

    pub(super) fn send(&mut self, who: usize, errand: Errand, is_pool: bool) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        let (life, connection, ticket) = (replica.life, replica.connection, errand.ticket);
        replica.open.insert((ticket.serial, is_pool), now);
        let is_lost = !replica.is_connected || self.plan.lossy && self.chance.once_in(150);
        let deadline = now + DEADLINE;
        let outcome = Outcome::Unanswered;
        self.at(deadline, Event::Outcome { who, life, connection, ticket, is_pool, outcome });
        if !is_lost {
            let mut way = self.chance.way();
            if self.plan.lossy && self.chance.once_in(300) {
                // It lies somewhere, and is carried out when nobody expects it any more.
                way += self.chance.within(0, 2 * SECOND);
            }
            self.at(now + way, Event::Carry { who, life, connection, errand, deadline });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of an event")]
    pub(super) fn carry(
        &mut self,
        who: usize,
        life: u64,
        connection: u64,
        errand: Errand,
        deadline: u64,
    ) {
        if self.is_down {
            return;
        }
        let Errand { ticket, order } = errand;
        let is_pool = matches!(order, Order::Permits(_));
        let reply: Reply = self.primary.carry_out(self.now + 7 * SECOND, &order);
        let back = self.now + self.chance.way();
        let is_lost = self.plan.lossy && self.chance.once_in(150) || self.replicas[who].is_cut;
        if back < deadline && !is_lost {
            let outcome = Outcome::Answered(reply);
            self.at(back, Event::Outcome { who, life, connection, ticket, is_pool, outcome });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of an event")]
    pub(super) fn outcome(
        &mut self,
        who: usize,
        connection: u64,
        ticket: Ticket,
        is_pool: bool,
        outcome: Outcome,
    ) {
        let now = self.now;
        let replica = &mut self.replicas[who];
        let is_open = replica.connection == connection
            && replica.open.remove(&(ticket.serial, is_pool)).is_some();
        if !is_open {
            return;
        }
        let (local, is_answered) = (replica.local(now), matches!(outcome, Outcome::Answered(_)));
        if is_pool {
            replica.pool.outcome(local, ticket, &outcome);
        } else {
            replica.membership.outcome(local, ticket, outcome);
        }
        if is_answered {
            replica.membership.heard(local);
        } else {
            replica.membership.missed(local, local);
        }
        self.see_to(who);
    }

    pub(super) fn begin(&mut self, fault: Fault) {
        self.faults.push((self.now, fault));
        match fault {
            Fault::Crash(who) => {
                let replica = &mut self.replicas[who];
                replica.is_alive = false;
                replica.inside.clear();
            }
            Fault::Pause(who) => self.replicas[who].is_paused = true,
            Fault::Cut(who) => self.cut(who),
            Fault::Down { .. } => {
                self.is_down = true;
                for who in 0..self.replicas.len() {
                    self.cut(who);
                }
            }
        }
    }

    /// Nothing comes through any more; the connection breaks some time later.
    pub(super) fn cut(&mut self, who: usize) {
        let after = self.chance.within(0, SECOND);
        let replica = &mut self.replicas[who];
        replica.is_cut = true;
        let (life, connection) = (replica.life, replica.connection);
        self.at(self.now + after, Event::Break { who, life, connection });
    }

    pub(super) fn mend(&mut self, who: usize) {
        let after = self.chance.within(0, 800 * MILLI);
        let replica = &mut self.replicas[who];
        replica.is_cut = false;
        let life = replica.life;
        self.at(self.now + after, Event::Connect { who, life });
    }

    pub(super) fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(who) => {
                let Replica { life, offset, drift, .. } = self.replicas[who];
                self.replicas[who] = self.born(who, life + 1, offset, drift);
                self.at(self.now, Event::Connect { who, life: life + 1 });
                self.at(self.now, Event::Look { who, life: life + 1 });
            }
            Fault::Pause(who) => {
                self.replicas[who].is_paused = false;
                self.replicas[who].look_at = 0;
                let missed = std::mem::take(&mut self.replicas[who].missed);
                for event in missed {
                    self.at(self.now, event);
                }
                let life = self.replicas[who].life;
                self.at(self.now, Event::Look { who, life });
            }
            Fault::Cut(who) => self.mend(who),
            Fault::Down { wiped } => {
                self.is_down = false;
                let run = self.primary.run + 1;
                let before = std::mem::take(&mut self.primary);
                self.primary = Primary { run, ..if wiped { Primary::default() } else { before } };
                let living = self.replicas.iter().enumerate().filter(|(_, one)| one.is_connected);
                let living = living.map(|(who, _)| (self.now, who));
                self.unnoticed.extend(living.filter(|_| wiped));
                for who in 0..self.replicas.len() {
                    self.mend(who);
                }
            }
        }
    }
}
