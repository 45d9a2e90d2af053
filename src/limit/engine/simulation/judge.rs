//! What must hold in every case, whatever goes wrong.

use std::collections::BTreeMap;

use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule, Shape};
use crate::limit::engine::simulation::cases::add;
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::simulation::world::{Asked, World};
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Engine, Facts, Receipt, Source};
use crate::limit::order::{Order, Reply};
use crate::limit::seller::{Primary, fixed};

/// How late a beat may count, and how much earlier than its notice a dead life is held back, both
/// with some room; in microseconds.
const UNSURE: u64 = 1_600_000;

/// What a judge has seen.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    seed: u64,
    /// The time at the primary, the window and the amount of all that was admitted, by key.
    admitted: Vec<Vec<(u64, u64, u64)>>,
    offered: Vec<Vec<(u64, u64)>>,
    last_beat: Vec<u64>,
    pub orders: u64,
    /// Orders for tokens by key and window.
    bought: BTreeMap<(u64, u64), u64>,
    /// How much a failover may add: what was lost and nobody can know.
    slack: u64,
    is_fast: bool,
    had_loss: bool,
    /// The number of answers that were waited for, and the longest wait.
    pub waits: u64,
    pub wait_max: u64,
    /// What all desks of all lives did.
    pub facts: Facts,
}

impl Judge {
    pub(super) fn new(plan: &Plan) -> Self {
        let keys = usize::try_from(plan.keys).unwrap();
        let had_loss = !plan.cuts.is_empty()
            || !plan.pauses.is_empty()
            || plan.failover.is_some()
            || plan.loses_one_in > 0;
        Self {
            seed: plan.seed,
            admitted: vec![Vec::new(); keys],
            offered: vec![Vec::new(); keys],
            last_beat: vec![0; plan.replicas],
            orders: 0,
            bought: BTreeMap::new(),
            slack: 0,
            is_fast: !plan.rule.is_exact(),
            had_loss,
            waits: 0,
            wait_max: 0,
            facts: Facts::default(),
        }
    }

    pub(super) fn offer(&mut self, there: u64, key: usize, cost: u64) {
        self.offered[key].push((there, cost));
    }

    pub(super) fn beats(&mut self, who: usize, there: u64) {
        self.last_beat[who] = self.last_beat[who].max(there);
    }

    /// Nobody waits for longer than one may; a pause of the replica itself apart.
    pub(super) fn waited(&mut self, plan: &Plan, wait: u64, who: usize) {
        self.waits += 1;
        self.wait_max = self.wait_max.max(wait);
        let most = u64::try_from(plan.rule.max_wait().as_micros()).unwrap();
        let paused = plan.pauses.iter().any(|pause| pause.who == who);
        assert!(paused || wait <= most + most / 100 + 10, "seed {}: waited {wait}", self.seed);
    }

    pub(super) fn admitted(world: &mut World, who: usize, asked: Asked, receipt: Receipt) {
        let there = world.there();
        let plan = &world.plan;
        let seed = plan.seed;
        let grid = *plan.rule.grid();
        let window = receipt.window;
        let jumps = plan.failover.as_ref().is_some_and(|failover| failover.jump != 0);
        if !grid.is_bucket() && !jumps && receipt.source != Source::Open {
            assert_eq!(grid.number(there), window, "seed {seed}: spent outside of its window");
        }
        if receipt.source == Source::Share && !grid.is_bucket() && !jumps {
            let starts = grid.starts(window);
            let replica = &world.replicas[who];
            let standing = replica.membership.standing();
            assert_eq!(standing.touch, Touch::Out, "seed {seed}: the share is for who is out");
            assert!(standing.surrendered <= starts, "seed {seed}: the share was handed in");
            let born = replica.born.saturating_add_signed(world.jump);
            assert!(born <= starts, "seed {seed}: a life that began in the window has no share");
            if plan.rule.is_exact() {
                let last = world.judge.last_beat[who];
                assert!(last + UNSURE <= starts, "seed {seed}: the others did not know yet");
            }
        }
        let Asked { key, cost, .. } = asked;
        world.judge.admitted[key].push((there, window, cost));
        let replica = &world.replicas[who];
        for desk in &replica.desks {
            let owed = desk.facts().debt_max;
            assert!(owed <= plan.rule.over(), "seed {seed}: owes {owed}");
        }
    }

    /// Whoever is on the way back and shows it must have reported everything.
    pub(super) fn speaks(world: &World, who: usize, order: &Order) {
        let replica = &world.replicas[who];
        let standing = replica.membership.standing();
        if !matches!(order, Order::Beat(_)) || standing.touch != Touch::Healing {
            return;
        }
        let seed = world.plan.seed;
        for desk in &replica.desks {
            assert!(desk.heal.is_none(), "seed {seed}: beats while it reports");
            let Some(moment) = standing.clock.at(replica_time(world, who)) else { continue };
            assert_eq!(unreported(desk, moment), 0, "seed {seed}: beats before it reported");
        }
    }

    /// After the settling time no counter is below what a live replica knows of it.
    pub(super) fn carried_out(world: &mut World, order: &Order, reply: &Reply) {
        let (Order::Fixed(order), Reply::Fixed(reply)) = (order, reply) else { return };
        if order.want == 0 {
            return;
        }
        let starts = order.span.starts;
        let key = world.keys.iter().position(|key| *key == order.meter.key).unwrap();
        *world.judge.bought.entry((u64::try_from(key).unwrap(), starts)).or_default() += 1;
        let failover = world.plan.failover.as_ref();
        if failover.is_some_and(|failover| failover.hidden || failover.jump != 0)
            || world.judge.slack > 0
            || !world.count_down(16)
        {
            return;
        }
        let grid = *world.plan.rule.grid();
        let prior = reply.sold + i64::try_from(order.back).unwrap()
            - i64::try_from(order.want).unwrap();
        for replica in world.replicas.iter().filter(|replica| replica.live) {
            let standing = replica.membership.standing();
            if standing.touch != Touch::In {
                continue;
            }
            for desk in &replica.desks {
                for place in 0..desk.slots.end() {
                    let slot = desk.slots.get(u32::try_from(place).unwrap());
                    let Some(slot) = slot.filter(|slot| slot.key.key == order.meter.key) else {
                        continue;
                    };
                    let same = grid.starts(slot.window) == starts
                        && u64::from(slot.returns) == reply.returns
                        && order.back == 0;
                    assert!(
                        !same || i64::try_from(slot.sold).unwrap() <= prior,
                        "seed {}: the counter is at {prior}, a witness saw {}",
                        world.plan.seed,
                        slot.sold
                    );
                }
            }
        }
    }

    /// How much of what was sold the next primary does not know of.
    pub(super) fn lost(&self, before: &Primary, after: &Primary) -> u64 {
        let mut lost = 0;
        for (key, counter) in &before.fixed {
            let known = after.fixed.get(key).copied().unwrap_or_default();
            let gone = fixed::read(*counter).sold - fixed::read(known).sold;
            lost = lost.max(u64::try_from(gone).unwrap_or(0));
        }
        for (key, ring) in &before.rings {
            let known = after.rings.get(key).cloned().unwrap_or_default();
            for (age, sold) in (0..).zip(&ring.back_from_newest) {
                let at = ring.newest - age;
                let back = known.newest.checked_sub(at).and_then(|back| usize::try_from(back).ok());
                let kept = back.and_then(|back| known.back_from_newest.get(back));
                lost += sold.saturating_sub(kept.copied().unwrap_or(0));
            }
        }
        lost
    }

    /// A failover is made good by those who saw what was lost. If some of them are dead or cut
    /// off, or nobody notices, what was lost may be sold again.
    pub(super) fn failed_over(&mut self, plan: &Plan, lost: u64) {
        let failover = plan.failover.as_ref().unwrap();
        let (from, to) = (failover.at.saturating_sub(failover.lag), failover.at + 3 * SECOND);
        let cut = plan.cuts.iter().any(|cut| from < cut.to && cut.from < to && {
            cut.to > failover.at + 100_000 || cut.who.len() < plan.replicas
        });
        let crash = plan.crashes.iter().any(|crash| from < crash.to && crash.from < to);
        let pause = plan.pauses.iter().any(|pause| from < pause.to && pause.from < to);
        let lossy = plan.loses_one_in > 0;
        if failover.hidden || cut || crash || pause || lossy || plan.rule.grid().is_bucket() {
            self.slack = lost;
        }
        if plan.rule.grid().is_bucket() {
            self.slack = u64::MAX / 4;
        }
        if failover.jump != 0 {
            // Windows are those of the clock that was followed; around the change there are two.
            self.slack = self.slack.saturating_add(plan.rule.limit());
        }
    }

    /// What a desk that ends has done adds up.
    pub(super) fn conserved(&mut self, desk: &Engine) {
        let facts = desk.facts();
        add(&mut self.facts, facts);
        let left = i128::from(facts.bought) + i128::from(facts.forgiven);
        let right = i128::from(facts.spent) + i128::from(facts.returned);
        let right = right + i128::from(facts.expired) + desk.held();
        assert_eq!(left, right, "tokens appeared or vanished: {facts:?}, held {}", desk.held());
    }

    /// What can be judged only at the end.
    pub(super) fn conclude(&self, plan: &Plan) {
        let rule = &plan.rule;
        let over = if self.is_fast && self.had_loss {
            // The window in which the loss falls is an estimate.
            rule.limit() + rule.over()
        } else {
            rule.over()
        };
        let most = rule.limit() + over + self.slack;
        for admitted in &self.admitted {
            match rule.shape() {
                Shape::Fixed { .. } | Shape::Quota { .. } => {
                    let (window, sum) = worst_window(admitted);
                    assert!(sum <= most, "seed {}: {sum} of {most} in window {window}", self.seed);
                }
                Shape::Sliding { .. } => {
                    let jumps = plan.failover.as_ref().is_some_and(|failover| failover.jump != 0);
                    let sum = if jumps { 0 } else { worst_interval(admitted, rule.grid().period) };
                    assert!(sum <= most, "seed {}: {sum} of {most} in an interval", self.seed);
                }
                Shape::Bucket { burst, .. } => {
                    let worst = worst_fill(admitted, rule.limit(), rule.grid().period);
                    let most = burst + over + self.slack;
                    assert!(worst <= most, "seed {}: {worst} of {most} at once", self.seed);
                }
            }
        }
    }

    /// How much of what could have been admitted was not, by an ideal limiter of the same kind:
    /// (missed, admissible). Fixed windows; other kinds by the sum over all time.
    pub(super) fn missed(&self, rule: &Rule) -> (u64, u64) {
        let mut sum = (0_u64, 0_u64);
        for (offered, admitted) in self.offered.iter().zip(&self.admitted) {
            let ideal = ideal(rule, offered);
            let mut windows: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
            let number = |there: u64| match rule.shape() {
                Shape::Fixed { .. } | Shape::Quota { .. } => rule.grid().number(there),
                Shape::Sliding { .. } | Shape::Bucket { .. } => 0,
            };
            for (there, cost) in ideal {
                windows.entry(number(there)).or_default().0 += cost;
            }
            for (there, _, cost) in admitted {
                windows.entry(number(*there)).or_default().1 += cost;
            }
            for (could, did) in windows.values() {
                sum = (sum.0 + could.saturating_sub(*did), sum.1 + could);
            }
        }
        sum
    }

    pub(super) fn total(&self) -> (u64, u64) {
        let offered = self.offered.iter().flatten().map(|(_, cost)| cost).sum();
        (self.admitted.iter().flatten().map(|(_, _, cost)| cost).sum(), offered)
    }

    /// The most that was admitted in any window.
    pub(super) fn worst(&self, rule: &Rule) -> u64 {
        let worst = self.admitted.iter().map(|admitted| match rule.shape() {
            Shape::Sliding { .. } => worst_interval(admitted, rule.grid().period),
            Shape::Bucket { .. } => worst_fill(admitted, rule.limit(), rule.grid().period),
            Shape::Fixed { .. } | Shape::Quota { .. } => worst_window(admitted).1,
        });
        worst.max().unwrap_or(0)
    }
}

/// What one limiter without a network would admit.
fn ideal(rule: &Rule, offered: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut admitted: Vec<(u64, u64)> = Vec::new();
    let grid = rule.grid();
    let (mut first, mut sum, mut level, mut last) = (0, 0, 0_u128, 0);
    for (there, cost) in offered {
        let fits = match rule.shape() {
            Shape::Fixed { .. } | Shape::Quota { .. } => {
                if admitted.last().is_none_or(|(at, _)| grid.number(*at) != grid.number(*there)) {
                    sum = 0;
                }
                sum + cost <= rule.limit()
            }
            Shape::Sliding { .. } => {
                while first < admitted.len() && admitted[first].0 + grid.period <= *there {
                    sum -= admitted[first].1;
                    first += 1;
                }
                sum + cost <= rule.limit()
            }
            Shape::Bucket { burst, .. } => {
                let drained = u128::from(there - last) * u128::from(rule.limit());
                level = level.saturating_sub(drained);
                last = *there;
                let more = u128::from(*cost) * u128::from(grid.period);
                let fits = level + more <= u128::from(burst) * u128::from(grid.period);
                level += if fits { more } else { 0 };
                fits
            }
        };
        if fits {
            sum += cost;
            admitted.push((*there, *cost));
        }
    }
    admitted
}

fn worst_window(admitted: &[(u64, u64, u64)]) -> (u64, u64) {
    let mut windows: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, window, cost) in admitted {
        *windows.entry(*window).or_default() += cost;
    }
    windows.into_iter().max_by_key(|(_, sum)| *sum).unwrap_or((0, 0))
}

fn worst_interval(admitted: &[(u64, u64, u64)], period: u64) -> u64 {
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable();
    let (mut first, mut sum, mut worst) = (0, 0, 0);
    for (there, _, cost) in &sorted {
        sum += cost;
        while sorted[first].0 + period <= *there {
            sum -= sorted[first].2;
            first += 1;
        }
        worst = worst.max(sum);
    }
    worst
}

/// The fullest that a bucket would have been which drains `limit` each `period`.
fn worst_fill(admitted: &[(u64, u64, u64)], limit: u64, period: u64) -> u64 {
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable();
    // In parts of a token: `period` of them are one.
    let (mut level, mut last, mut worst) = (0_u128, 0, 0_u128);
    for (there, _, cost) in &sorted {
        level = level.saturating_sub(u128::from(there - last) * u128::from(limit));
        level += u128::from(*cost) * u128::from(period);
        last = *there;
        worst = worst.max(level);
    }
    u64::try_from(worst.div_ceil(u128::from(period.max(1)))).unwrap()
}

fn replica_time(world: &World, who: usize) -> crate::time::Timestamp {
    world.replicas[who].local(world.now)
}

/// What was admitted without having been bought in windows that still count.
fn unreported(desk: &Engine, moment: Moment) -> u64 {
    let mut sum = 0;
    for place in 0..desk.slots.end() {
        let Some(slot) = desk.slots.get(u32::try_from(place).unwrap()) else { continue };
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        let oldest = grid.number(moment.early).saturating_sub(grid.reach());
        sum += slot.extra.as_ref().map_or(0, |extra| extra.used.since(oldest));
    }
    sum
}
