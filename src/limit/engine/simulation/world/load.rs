//! The load: requests come, and are decided.

use std::sync::Arc;

use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::SECOND;
use crate::limit::engine::simulation::world::{Asked, DAWN, Event, Post, World};
use crate::limit::engine::{Claim, Decision, Receipt};

impl World {
    pub(super) fn arrive(&mut self, post: &mut Post) {
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
        if let Some((group, within, pause)) = self.plan.in_groups {
            if self.grouped.is_multiple_of(group) {
                self.whom = self.chance.below(self.plan.weights.iter().sum());
            }
            self.grouped += 1;
            gap = if self.grouped.is_multiple_of(group) { pause } else { within / group };
        }
        self.at(self.now + gap, Event::Arrive);
        if let Some((_, weights)) = self.plan.shift.take_if(|(at, _)| *at <= self.now - DAWN) {
            self.plan.weights = weights;
        }
        let total: u64 = self.plan.weights.iter().sum();
        let mut pick =
            if self.plan.in_groups.is_some() { self.whom } else { self.chance.below(total) };
        let who = self.plan.weights.iter().position(|weight| {
            let found = pick < *weight;
            pick = pick.saturating_sub(*weight);
            found
        });
        let who = who.unwrap();
        if !self.replicas[who].live
            || self.replicas[who].leaving
            || self.paused_until(who).is_some()
        {
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
        match self.replicas[who].ask(desk, now, &claim) {
            Decision::Waiting(waiter) => {
                self.replicas[who].waiters.insert((desk, waiter), asked);
            }
            decision @ (Decision::Admitted(_) | Decision::Refused(_) | Decision::Unavailable) => {
                self.decided(who, desk, asked, decision);
            }
        }
        self.drain(who, post);
    }

    pub(super) fn decided(&mut self, who: usize, desk: usize, asked: Asked, decision: Decision) {
        let receipt = match decision {
            Decision::Admitted(receipt) => receipt,
            Decision::Refused(_) | Decision::Unavailable => return,
            Decision::Waiting(_) => panic!("an answer is an answer"),
        };
        let one_in = self.plan.refunds_one_in;
        if one_in > 0 && self.chance.once_in(one_in) {
            self.judge.refunds += asked.cost;
            if self.chance.once_in(2) {
                // Another limit refused it.
                self.give_back(who, desk, asked, receipt);
            } else {
                // It was held until the response came, which cost nothing.
                self.held += 1;
                self.holds.insert(self.held, (desk, asked, receipt));
                let takes = self.chance.below(self.plan.rule.grid().length.min(SECOND));
                self.at(self.now + takes, Event::Respond(who, self.held));
            }
            return;
        }
        Judge::admitted(self, who, asked, receipt);
    }

    /// A response costs nothing of what was held for it.
    pub(super) fn respond(&mut self, who: usize, number: u64, post: &mut Post) {
        let (desk, asked, receipt) = self.holds.remove(&number).unwrap();
        // Who asked a life that is over is not there any more.
        let replica = &self.replicas[who];
        if !replica.live || asked.at < replica.born {
            self.judge.refunds -= asked.cost;
            return;
        }
        self.give_back(who, desk, asked, receipt);
        self.drain(who, post);
    }

    fn give_back(&mut self, who: usize, desk: usize, asked: Asked, receipt: Receipt) {
        let now = self.local(who);
        let rule = Arc::clone(&self.plan.rule);
        let Asked { key, cost, .. } = asked;
        let claim = Claim { key: self.keys[key], rule: &rule, need: cost, cost };
        self.replicas[who].recall(desk, now, &claim);
        self.replicas[who].desks[desk].settle(now, &claim, receipt, 0);
    }
}
