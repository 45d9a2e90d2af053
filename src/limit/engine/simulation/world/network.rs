//! The network: orders and answers on their way, late, lost, or cut off.

use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::SECOND;
use crate::limit::engine::simulation::world::{DEADLINE, Event, From, Post, World};
use crate::limit::order::{Errand, Order, Outcome, Ticket};

impl World {
    pub(super) fn send(&mut self, who: usize, from: From, errand: Errand, post: &mut Post) {
        self.judge.orders += 1;
        let Errand { ticket, order } = errand;
        self.replicas[who].open.insert((from, ticket));
        let Some(conn) = self.replicas[who].conn else {
            self.post_answer(post, self.now + 1, (who, from, ticket), Outcome::Unanswered);
            return;
        };
        let deadline = self.now + DEADLINE;
        self.post_answer(post, deadline, (who, from, ticket), Outcome::Unanswered);
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

    pub(super) fn post_answer(
        &mut self,
        post: &mut Post,
        at: u64,
        (who, from, ticket): (usize, From, Ticket),
        outcome: Outcome,
    ) {
        self.open_last += 1;
        let life = self.replicas[who].life;
        post.answer.insert(self.open_last, (life, from, ticket, outcome));
        self.at(at, Event::Answer(who, self.open_last));
    }

    pub(super) fn execute(&mut self, who: usize, number: u64, post: &mut Post) {
        let (life, conn, from, errand, back) = post.execute.remove(&number).unwrap();
        if conn != self.primary.run {
            return;
        }
        let Errand { ticket, order } = errand;
        let now = self.there();
        if let Order::Beat(beat) = &order
            && now <= beat.not_after
            && !beat.heals
        {
            self.judge.beats(who, now);
        }
        let reply = self.primary.carry_out(now, &order);
        Judge::carried_out(self, who, &order, &reply);
        let answer_at = self.now + back;
        if self.replicas[who].life == life {
            self.post_answer(post, answer_at, (who, from, ticket), Outcome::Answered(reply));
        }
    }

    pub(super) fn answer(&mut self, who: usize, number: u64, post: &mut Post) {
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
                replica.membership.missed(now, now);
            }
            replica.desks[from].outcome(now, ticket, outcome);
        }
        self.drain(who, post);
    }
}
