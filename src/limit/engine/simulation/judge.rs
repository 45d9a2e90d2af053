//! What must hold in every case, whatever goes wrong.

mod measure;
mod lost;

use std::collections::BTreeMap;

use crate::limit::engine::quota::Record;
use crate::limit::engine::rule::{Grid, Rule, Shape};
use crate::limit::engine::simulation::cases::add;
use crate::limit::engine::simulation::judge::lost::{sent_by, unwritten, used_by};
use crate::limit::engine::simulation::judge::measure::{
    ideal, worst_fill, worst_interval, worst_window,
};
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::engine::simulation::world::{Asked, DAWN, World};
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Engine, Facts, Receipt, Source};
use crate::limit::key::CounterKey;
use crate::limit::order::{Order, Reply};
use crate::limit::seller::ledger::Account;

/// How late a beat may count, and how much earlier than its notice a dead life is held back, both
/// with some room; in microseconds.
const UNSURE: u64 = 1_600_000;

/// What a judge has seen.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    seed: u64,
    /// The time at the primary, the window and the amount of all that was admitted, by key.
    admitted: Vec<Vec<(u64, u64, u64)>>,
    /// The same of what was bought, or owed.
    bought: Vec<Vec<(u64, u64, u64)>>,
    offered: Vec<Vec<(u64, u64)>>,
    last_beat: Vec<u64>,
    pub orders: u64,
    /// Orders for tokens of windows that were yet to begin.
    pub ahead: u64,
    /// How much a failover may add: what was lost and nobody can know.
    slack: u64,
    is_fast: bool,
    /// How often replicas got out of touch since the load began.
    pub losses: u64,
    /// How much was given back by requests.
    pub refunds: u64,
    /// How many orders for tokens each replica made for each window of each counter.
    bought_in: BTreeMap<(usize, CounterKey, u64), u64>,
    /// The number of answers that were waited for, and the longest wait.
    pub waits: u64,
    pub wait_max: u64,
    /// How many waited for longer than 10 ms.
    pub long_waits: u64,
    /// The most that a life that ended had used and not written down.
    pub unwritten_max: u64,
    /// What all desks of all lives did.
    pub facts: Facts,
}

impl Judge {
    pub(super) fn new(plan: &Plan) -> Self {
        let keys = usize::try_from(plan.keys).unwrap();
        Self {
            seed: plan.seed,
            admitted: vec![Vec::new(); keys],
            bought: vec![Vec::new(); keys],
            offered: vec![Vec::new(); keys],
            last_beat: vec![0; plan.replicas],
            orders: 0,
            ahead: 0,
            losses: 0,
            refunds: 0,
            bought_in: BTreeMap::new(),
            slack: 0,
            is_fast: !plan.rule.is_exact(),
            waits: 0,
            wait_max: 0,
            long_waits: 0,
            unwritten_max: 0,
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
        self.long_waits += u64::from(wait > 10_500);
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
        let is_estimate = grid.is_quota() && !plan.rule.is_exact();
        if receipt.source == Source::Share && !grid.is_bucket() && !is_estimate && !jumps {
            let starts = grid.starts(window);
            let replica = &world.replicas[who];
            let standing = replica.membership.standing();
            // In the fast mode it is used before that is certain.
            let is_out = standing.touch == Touch::Out || !plan.rule.is_exact();
            assert!(is_out, "seed {seed}: the share is for who is out");
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
        if receipt.source == Source::Allotment {
            world.judge.bought[key].push((there, window, cost));
        }
        let replica = &world.replicas[who];
        for desk in &replica.desks {
            let owed = desk.facts().debt_max;
            assert!(owed <= plan.rule.over(), "seed {seed}: owes {owed}");
        }
    }

    /// Nobody buys who is not in touch, or whose news of the others is old.
    pub(super) fn buys(world: &World, who: usize, desk: &Engine, order: &Order) {
        let seed = world.plan.seed;
        let standing = &desk.standing;
        let is_in = standing.touch == Touch::In;
        let wants = match order {
            // Out of touch this is a charge.
            Order::Fixed(order) => is_in && order.want > 0,
            Order::Ring(order) => order.want > 0,
            Order::Bucket(order) => order.want > 0,
            Order::Probe(_)
            | Order::Beat(_)
            | Order::Ledger(_)
            | Order::Raise(_)
            | Order::Permits(_) => false,
        };
        let is_news = replica_time(world, who) <= standing.buys_until;
        assert!(!wants || is_in && is_news, "seed {seed}: buys on old news: {order:?}");
    }

    /// Whoever is on the way back and shows it must have reported everything.
    pub(super) fn speaks(world: &World, who: usize, order: &Order) {
        let replica = &world.replicas[who];
        let standing = replica.membership.standing();
        let reports = matches!(order, Order::Beat(beat) if !beat.heals);
        if !reports || standing.touch != Touch::Healing {
            return;
        }
        let seed = world.plan.seed;
        for desk in &replica.desks {
            assert!(desk.heal.is_none(), "seed {seed}: beats while it reports");
            let Some(moment) = standing.clock.at(replica_time(world, who)) else { continue };
            assert_eq!(unreported(desk, moment.early), 0, "seed {seed}: beats before it reported");
        }
    }

    /// No more is sold than there is, and after the settling time no counter is below what a live
    /// replica knows of it.
    pub(super) fn carried_out(world: &mut World, who: usize, order: &Order, reply: &Reply) {
        if let (Order::Ring(order), Reply::Ring(reply, _)) = (order, reply) {
            let fits = reply.granted == 0 || reply.used <= order.bound;
            assert!(fits, "seed {}: {order:?} sold {reply:?}", world.plan.seed);
        }
        let bought = match order {
            Order::Fixed(order) if order.want > 0 => Some((order.meter.key, order.span.starts)),
            Order::Ring(order) if order.want > 0 => Some((order.meter.key, order.at)),
            Order::Fixed(_)
            | Order::Ring(_)
            | Order::Probe(_)
            | Order::Beat(_)
            | Order::Bucket(_)
            | Order::Ledger(_)
            | Order::Raise(_)
            | Order::Permits(_) => None,
        };
        if let Some((key, window)) = bought {
            *world.judge.bought_in.entry((who, key, window)).or_default() += 1;
        }
        let (Order::Fixed(order), Reply::Fixed(reply, epoch)) = (order, reply) else { return };
        if order.want == 0 {
            return;
        }
        let starts = order.span.starts;
        world.judge.ahead += u64::from(world.there() < starts);
        // Of a window that is over nobody says what it had sold.
        if order.span.ends <= world.there() {
            return;
        }
        let failover = world.plan.failover.as_ref();
        if failover.is_some_and(|failover| failover.hidden || failover.jump != 0)
            || world.judge.slack > 0
            || !world.chance.once_in(16)
        {
            return;
        }
        let grid = *world.plan.rule.grid();
        let prior =
            reply.sold + i64::try_from(order.back).unwrap() - i64::try_from(order.want).unwrap();
        for replica in world.replicas.iter().filter(|replica| replica.live) {
            let standing = replica.membership.standing();
            // Who has not noticed yet that the data are others is not lied to: it does not listen.
            if standing.touch != Touch::In || standing.epoch != *epoch {
                continue;
            }
            for desk in &replica.desks {
                for place in 0..desk.slots.end() {
                    let slot = desk.slots.get(u32::try_from(place).unwrap());
                    let Some(slot) = slot.filter(|slot| slot.key.key == order.meter.key) else {
                        continue;
                    };
                    let same = grid.starts(slot.window) == starts
                        // Returns that were lost are counted again from below.
                        && u64::from(slot.returns) == 0
                        && reply.returns == 0;
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

    /// A life ends, and with it what it has not written down.
    pub(super) fn died(&mut self, desk: &Engine, journal: &[Record]) {
        self.unwritten_max += unwritten(desk, journal);
    }

    /// The most orders for tokens that a replica made in one window of one counter.
    pub(super) fn orders_max(&self) -> u64 {
        self.bought_in.values().copied().max().unwrap_or(0)
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
    /// Ledgers tell the truth: never less than what was admitted, and where nothing was lost
    /// exactly what was sold and used.
    pub(super) fn audit(&self, world: &World) {
        let plan = &world.plan;
        let (seed, grid) = (self.seed, plan.rule.grid());
        let desks = || world.replicas.iter().filter(|one| one.live).flat_map(|one| &one.desks);
        let unsaid: u64 = desks().map(|desk| unreported(desk, 0) + desk.books.on_the_way()).sum();
        // Who is not back yet will read its journal.
        let dead = world.replicas.iter().filter(|one| !one.live).flat_map(|one| &one.journals);
        let unread: u64 = dead.map(|journal| used_by(journal) + sent_by(journal)).sum();
        let unsaid = unsaid + unread;
        let total = |account: &Account| account.total();
        let mut used: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        for (key, admitted) in self.admitted.iter().enumerate() {
            for (_, window, cost) in admitted {
                *used.entry((key, *window)).or_default() += cost;
            }
        }
        // Without a crash nothing is forgotten; with one, what was not yet in the journal.
        let all_stay = plan.crashes.is_empty() && plan.leaves.is_empty();
        let forgotten = if all_stay { 0 } else { self.unwritten_max };
        let failed_over = plan.failover.as_ref().map(|failover| failover.at).or(plan.wipe);
        let failed_over = failed_over.map_or(0, |at| DAWN + at);
        for ((key, window), used) in &used {
            // Nobody remembers what a period had sold that was over before it could be told.
            if grid.ends(*window) <= failed_over + SECOND {
                continue;
            }
            let meter = grid.meter(world.keys[*key]);
            let account = world.primary.ledgers.get(&(meter, grid.span(*window)));
            let known = account.map_or(0, total) + unsaid + forgotten + self.slack;
            let owed = plan.rule.over() * u64::try_from(plan.replicas).unwrap();
            assert!(
                *used <= known + owed,
                "seed {seed}: {used} used, the ledger of window {window} says {known}"
            );
        }
        let all_live = world.replicas.iter().all(|replica| replica.live);
        let closed = desks().all(|desk| desk.books.are_closed());
        let calm = all_stay && plan.failover.is_none() && plan.wipe.is_none();
        if calm && all_live && closed && unsaid == 0 {
            let sum: u64 = world.primary.ledgers.values().map(total).sum();
            let Facts { bought, shared, returned, .. } = self.facts;
            assert_eq!(sum, bought + shared - returned, "seed {seed}: counted exactly once");
        }
    }

    pub(super) fn conclude(&self, plan: &Plan) {
        let rule = &plan.rule;
        let (refunds, refunded) = (self.refunds, self.facts.refunded);
        assert_eq!(refunds, refunded, "seed {}: what is held is used or given back", self.seed);
        // What is bought and owed stays within the bound whatever happens. Where shares are admitted in
        // the fast mode, how much of them is left is an estimate, which may be wrong by all there is.
        let most = rule.bound() + self.slack;
        let is_estimate = self.is_fast && self.facts.shared > 0;
        let with_shares = most + if is_estimate { rule.limit() } else { 0 };
        let all = self.admitted.iter().map(|admitted| (admitted, with_shares));
        for (admitted, most) in all.chain(self.bought.iter().map(|bought| (bought, most))) {
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
                Shape::Bucket { .. } => {
                    // Until the others hold its share back, one that is cut off admits beside them:
                    // twice as much may drain away meanwhile.
                    let times = if is_estimate { 2 } else { 1 };
                    let worst = worst_fill(admitted, times * rule.limit(), rule.grid().period);
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

fn replica_time(world: &World, who: usize) -> crate::time::Timestamp {
    world.replicas[who].local(world.now)
}

/// What was admitted without having been bought in windows that still count.
fn unreported(desk: &Engine, at: u64) -> u64 {
    let mut sum = 0;
    for place in 0..desk.slots.end() {
        let Some(slot) = desk.slots.get(u32::try_from(place).unwrap()) else { continue };
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        let oldest = grid.number(at).saturating_sub(grid.reach());
        sum += slot.extra().map_or(0, |extra| extra.used.since(oldest));
    }
    sum
}
