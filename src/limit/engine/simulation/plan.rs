//! What happens in one case: the cluster, the limit, the load and the faults.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::rule::{Certainty, Rule, Shape};
use crate::limit::engine::simulation::chance::Chance;

pub(super) const SECOND: u64 = 1_000_000;

/// What happens in one case. Times are microseconds of true time since its beginning.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub seed: u64,
    pub replicas: usize,
    pub desks: u32,
    pub keys: u64,
    pub rule: Arc<Rule>,
    /// When the load begins, and how long the case lasts.
    pub begins: u64,
    pub ends: u64,
    /// Requests a second over all, and the part of each replica in it.
    pub rate: u64,
    pub weights: Vec<u64>,
    /// When the load goes elsewhere, and the part of each replica in it from then on.
    pub shift: Option<(u64, Vec<u64>)>,
    /// Bursts: all of the load comes in the last and the first part of windows.
    pub bursts: bool,
    /// So many requests come to one replica within so long, and then none for so long.
    pub in_groups: Option<(u64, u64, u64)>,
    /// One way through the network, in microseconds.
    pub delay: u64,
    /// Times at which replicas are cut off from the primary.
    pub cuts: Vec<Cut>,
    pub crashes: Vec<Crash>,
    pub pauses: Vec<Pause>,
    /// Who starts late, and who leaves for good, and when.
    pub joins: Vec<(usize, u64)>,
    pub leaves: Vec<(usize, u64)>,
    pub failover: Option<Failover>,
    /// When all data are lost, and the connections are not.
    pub wipe: Option<u64>,
    /// One order in so many is lost; zero: none.
    pub loses_one_in: u64,
    /// One request in so many costs two; zero: none.
    pub heavy_one_in: u64,
    /// One admitted request in so many is given back at once; zero: none.
    pub refunds_one_in: u64,
    /// The largest error of local clocks, in parts of a million.
    pub drift: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub from: u64,
    pub to: u64,
    /// Whom it concerns.
    pub who: Vec<usize>,
    /// Whether they notice at once, by a connection that breaks.
    pub breaks: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Crash {
    pub who: usize,
    pub from: u64,
    pub to: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub who: usize,
    pub from: u64,
    pub to: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Failover {
    pub at: u64,
    /// Writes of the last so many microseconds are lost.
    pub lag: u64,
    /// Behind a proxy that keeps connections.
    pub hidden: bool,
    /// The new connection is there before anybody noticed that the old one is not.
    pub swaps: bool,
    /// By how much the clock of the next primary is ahead.
    pub jump: i64,
}

impl Plan {
    /// Three replicas and nothing that goes wrong, to be changed.
    pub(super) fn quiet(seed: u64, rule: Rule) -> Self {
        Self {
            seed,
            replicas: 3,
            desks: 1,
            keys: 1,
            rule: Arc::new(rule),
            begins: 2 * SECOND,
            ends: 8 * SECOND,
            rate: 300,
            weights: vec![1; 3],
            shift: None,
            bursts: false,
            in_groups: None,
            delay: 150,
            cuts: Vec::new(),
            crashes: Vec::new(),
            pauses: Vec::new(),
            joins: Vec::new(),
            leaves: Vec::new(),
            failover: None,
            wipe: None,
            loses_one_in: 0,
            heavy_one_in: 0,
            refunds_one_in: 0,
            drift: 50,
        }
    }

    /// A case from its seed.
    pub(super) fn of_seed(seed: u64) -> Self {
        let chance = &mut Chance::new(seed);
        let replicas = usize::try_from(chance.pick(&[1, 2, 2, 3, 3, 4, 7, 12])).unwrap();
        let limit = chance.pick(&[1, 2, 3, 5, 10, 30, 100, 300, 1_000]);
        let millis = chance.pick(&[300, 500, 1_000, 1_000, 2_000, 5_000]);
        let period = Duration::from_millis(millis);
        let origin = Duration::from_micros(chance.below(millis * 1_000));
        let shape = match chance.below(11) {
            0..4 => Shape::Fixed { period, origin },
            4..8 => Shape::Sliding { period },
            8 => Shape::Quota { period, origin },
            9 => Shape::Quota { period: Duration::ZERO, origin },
            _ => Shape::Bucket { period, burst: chance.within(1, 2 * limit) },
        };
        let mut rule = Rule::new(limit, shape).unwrap();
        if chance.once_in(3) {
            let over = limit * chance.pick(&[1, 5, 20]) / 100;
            rule = rule.certainty(Certainty::Fast { over });
        }
        // Of fixed windows some are bought in for long ahead.
        let quarters = u32::try_from(seed % 4).unwrap();
        rule = rule.horizon((seed % 5 < 2).then_some(period * (quarters + 1) / 4));
        let begins = chance.within(SECOND, 3 * SECOND);
        let ends =
            begins + millis * 1_000 * chance.within(2, 5) + chance.within(SECOND, 4 * SECOND);
        let ends = ends.min(begins + 12 * SECOND);
        let full = limit * 1_000 / millis;
        let rate = (full * chance.pick(&[50, 90, 150, 300, 800]) / 100).max(4);
        let rate = rate.min(1_200 * SECOND / (ends - begins)).max(4);
        let weights = (0..replicas).map(|_| 1 + 200 / chance.within(1, 200)).collect();
        let mut plan = Self {
            seed,
            replicas,
            desks: u32::try_from(chance.within(1, 2)).unwrap(),
            keys: chance.pick(&[1, 1, 1, 2, 5]),
            rule: Arc::new(rule),
            begins,
            ends,
            rate,
            weights,
            shift: None,
            bursts: chance.once_in(4),
            in_groups: None,
            delay: chance.pick(&[50, 150, 150, 1_000, 4_000]),
            cuts: Vec::new(),
            crashes: Vec::new(),
            pauses: Vec::new(),
            joins: Vec::new(),
            leaves: Vec::new(),
            failover: None,
            wipe: None,
            loses_one_in: chance.pick(&[0, 0, 300, 30]),
            heavy_one_in: chance.pick(&[0, 8]),
            refunds_one_in: chance.pick(&[0, 16]),
            drift: chance.pick(&[0, 50, 99]),
        };
        plan.add_faults(chance);
        plan
    }

    fn add_faults(&mut self, chance: &mut Chance) {
        let span = self.ends - self.begins;
        let kind = chance.below(14);
        let start = |chance: &mut Chance| self.begins + chance.below(span * 2 / 3);
        if matches!(kind, 1 | 2 | 5 | 6 | 8 | 11 | 13) {
            for _ in 0..chance.within(1, 2) {
                let from = start(chance);
                let to = from + chance.within(50_000, (span / 2).max(100_000));
                let all = matches!(kind, 1 | 5 | 8);
                let who = (0..self.replicas).filter(|_| all || chance.once_in(2)).collect();
                self.cuts.push(Cut { from, to, who, breaks: chance.once_in(2) });
            }
        }
        if matches!(kind, 3 | 5 | 6 | 9) {
            for who in 0..self.replicas {
                if chance.once_in(3) {
                    let from = start(chance);
                    let to = from + chance.within(20_000, 3 * SECOND);
                    self.crashes.push(Crash { who, from, to });
                }
            }
        }
        if matches!(kind, 7 | 9) {
            for who in 0..self.replicas {
                if chance.once_in(3) {
                    let from = start(chance);
                    self.pauses.push(Pause { who, from, to: from + chance.tailed(200_000) });
                }
            }
        }
        if chance.once_in(3) && self.replicas > 1 {
            let who = self.replicas - 1;
            self.joins.push((who, chance.below(self.ends)));
            self.leaves.push((chance.pick(&[0, who]), chance.within(self.begins, self.ends)));
        }
        if matches!(kind, 12 | 13) {
            self.wipe = Some(start(chance));
        }
        if matches!(kind, 4 | 8 | 10) {
            let at = self.cuts.first().map_or_else(|| start(chance), |cut| cut.to);
            let down = chance.within(1, 1_500_000);
            let lag = chance.within(1, SECOND);
            if kind == 4 {
                let who = (0..self.replicas).collect();
                let from = at.saturating_sub(down);
                self.cuts.push(Cut { from, to: at, who, breaks: chance.once_in(2) });
            }
            let jump = chance.pick(&[0, 0, 300, -300, 40_000, -40_000]);
            let lag = if kind == 8 { lag + span / 2 } else { lag };
            let (hidden, swaps) = (kind == 10, chance.once_in(3));
            self.failover = Some(Failover { at, lag, hidden, swaps, jump });
        }
    }
}
