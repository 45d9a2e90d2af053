//! A Redis that is broken, or in other hands: it answers whatever it likes, to whatever it likes, as
//! often as it likes. Nothing panics, and nobody takes what was not asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::concurrency::pool::{Decision as Entrance, Effect as PoolEffect, Pool};
use crate::limit::engine::members::{Identity, Membership, Step};
use crate::limit::engine::rule::{Certainty, Rule, Shape};
use crate::limit::engine::simulation::chance::Chance;
use crate::limit::engine::{Claim, Decision, Effect, Engine, Receipt};
use crate::limit::key::{KeySpace, Kind};
use crate::limit::order::members::{Alive, Beaten, Epoch, HeldBack, Missing, Probed, Seat};
use crate::limit::order::{
    BucketSold, EntrySold, Errand, FixedSold, LedgerSold, Order, Outcome, PermitsHeld, ReplicaId,
    Reply, RingSold, Session, Ticket,
};
use crate::time::Timestamp;

/// How many such servers, and how many steps with each.
const SERVERS: u64 = 300;
const STEPS: u64 = 600;

/// What comes back, with a mark of where it goes.
type Letter = (bool, Ticket, Order);

/// Numbers that break things.
fn any(chance: &mut Chance) -> u64 {
    let small = chance.below(9);
    let bits = chance.below(64);
    let wide = chance.next() >> bits;
    chance.pick(&[0, 1, small, small, wide, u64::MAX, u64::MAX - small, 1 << 42, 1 << 52, 1 << 63])
}

fn any_signed(chance: &mut Chance) -> i64 {
    i64::from_le_bytes(any(chance).to_le_bytes())
}

fn any_small(chance: &mut Chance) -> u32 {
    u32::try_from(any(chance) & u64::from(u32::MAX)).unwrap()
}

fn any_seat(chance: &mut Chance) -> Option<Seat> {
    let seat = Seat { index: any_small(chance), of: any_small(chance) };
    (!chance.once_in(3)).then_some(seat)
}

fn any_alive(chance: &mut Chance, now: u64) -> Alive {
    let times = 0..chance.below(4);
    let missing = times.clone().map(|_| Missing { seat: any_seat(chance), since: any(chance) });
    let missing = missing.collect();
    let held_back = times.filter_map(|_| {
        let seat = any_seat(chance)?;
        Some(HeldBack { seat, from: any(chance), to: any(chance) })
    });
    let held_back = held_back.collect();
    Alive {
        now,
        seat: any_seat(chance),
        members: any_small(chance),
        missing,
        held_back,
        began: any(chance),
        healing: any_small(chance),
    }
}

/// An answer of the right kind, mostly, and with a time that is right, mostly: else nothing more
/// than the first answer is ever looked at.
fn any_reply(chance: &mut Chance, order: &Order, (now, epoch): (u64, Epoch)) -> Reply {
    let now = if chance.once_in(20) { any(chance) } else { now };
    let epoch = if chance.once_in(20) { Epoch(any(chance)) } else { epoch };
    let kind = match order {
        Order::Probe(_) => 0,
        Order::Beat(_) => 1,
        Order::Fixed(_) => 2,
        Order::Ring(_) => 3,
        Order::Bucket(_) => 4,
        Order::Ledger(_) => 5,
        Order::Raise(_) => 6,
        Order::Permits(_) => 7,
    };
    let kind = if chance.once_in(20) { chance.below(8) } else { kind };
    match kind {
        0 => Reply::Probe(Probed { now, epoch }),
        1 => Reply::Beat(match chance.below(10) {
            0 => Beaten::Late { now },
            1 => Beaten::Strange { now },
            2 => {
                let (began, coming, here) = (any(chance), any_small(chance), any_small(chance));
                Beaten::Noted { now, began, coming, here }
            }
            _ => Beaten::Alive(any_alive(chance, now)),
        }),
        2 => {
            let sold = FixedSold { sold: any_signed(chance), returns: any(chance) };
            Reply::Fixed(sold, epoch)
        }
        3 => {
            let (granted, used) = (any(chance), any(chance));
            Reply::Ring(RingSold { granted, used, here: any(chance), wait: any(chance) }, epoch)
        }
        4 => {
            let (granted, left) = (any(chance), any(chance));
            Reply::Bucket(BucketSold { granted, left, wait: any(chance) }, epoch)
        }
        5 => {
            let entries = (0..chance.below(4))
                .map(|_| EntrySold { granted: any(chance), total: any(chance) })
                .collect();
            let stale = chance.once_in(4);
            Reply::Ledger(if stale { LedgerSold::Stale } else { LedgerSold::Sold(entries) }, epoch)
        }
        6 => Reply::Raise,
        _ => {
            let (held, taken) = (any(chance), any(chance));
            Reply::Permits(PermitsHeld { held, taken, is_wanted: chance.once_in(2) })
        }
    }
}

fn any_rule(chance: &mut Chance) -> Rule {
    let limit = chance.pick(&[1, 2, 10, 1_000, (1 << 42) - 1]);
    let period = Duration::from_millis(chance.pick(&[100, 1_000, 60_000]));
    let origin = Duration::from_micros(chance.below(1 << 40));
    let shape = match chance.below(5) {
        0 => Shape::Fixed { period, origin },
        1 => Shape::Sliding { period },
        2 => Shape::Bucket { period, burst: chance.pick(&[1, 7, u64::MAX]) },
        3 => Shape::Quota { period, origin },
        _ => Shape::Quota { period: Duration::ZERO, origin },
    };
    let rule = Rule::new(limit, shape).or_else(|_| Rule::new(10, shape)).unwrap();
    if chance.once_in(2) { rule.certainty(Certainty::Fast { over: limit / 50 }) } else { rule }
}

/// What a desk asked for, and what it may have got.
fn wanted(order: &Order) -> u64 {
    match order {
        Order::Fixed(order) => order.want,
        Order::Ring(order) => order.want,
        Order::Bucket(order) => order.want,
        Order::Ledger(order) => order.entries.iter().map(|entry| entry.want).sum(),
        Order::Probe(_) | Order::Beat(_) | Order::Raise(_) | Order::Permits(_) => 0,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one world, from its beginning to what is left of it")]
fn whatever_redis_answers_nothing_panics_and_no_more_is_taken_than_was_asked_for() {
    let mut bought = 0;
    for seed in 0..SERVERS {
        let chance = &mut Chance::new(seed);
        let rule = Arc::new(any_rule(chance));
        let key = KeySpace::new(Kind::Rate, &[]).key("a");
        let start = chance.pick(&[0, 1_000_000, 1 << 50]);
        let mut now = Timestamp::from_micros(start);
        let identity = Identity { replica: ReplicaId(1), incarnation: 1, desks: 1 };
        let mut membership = Membership::new(identity, now);
        let session = Session { replica: ReplicaId(1), incarnation: 1, desk: 0 };
        let mut engine = Engine::new(session, 16, 1);
        let (mut post, mut receipts): (Vec<Letter>, Vec<Receipt>) = (Vec::new(), Vec::new());
        let mut asked_for = 0_u64;
        let epoch = Epoch(5);
        membership.connected(now, 7);
        for _ in 0..STEPS {
            now = now + Duration::from_micros(chance.tailed(3_000));
            let claim = Claim { key, rule: &rule, need: chance.below(3), cost: chance.below(3) };
            match chance.below(8) {
                0..4 => {
                    if let Decision::Admitted(receipt) = engine.admit(now, &claim) {
                        receipts.push(receipt);
                    }
                }
                4 => {
                    if let Some(receipt) = receipts.pop() {
                        let cost = chance.below(4);
                        let claim = Claim { cost: receipt.cost, ..claim };
                        engine.settle(now, &claim, receipt, cost);
                    }
                }
                5 if chance.once_in(40) => membership.disconnected(now),
                5 if chance.once_in(20) => membership.connected(now, any(chance)),
                _ => {
                    membership.tick(now);
                    engine.tick(now);
                }
            }
            loop {
                let mut idle = true;
                while let Some(effect) = engine.next_effect() {
                    idle = false;
                    match effect {
                        Effect::Send(Errand { ticket, order }) => {
                            asked_for = asked_for.saturating_add(wanted(&order));
                            post.push((false, ticket, order));
                        }
                        Effect::Healed { round } => membership.healed(now, 0, round),
                        Effect::Unhealed { round } => membership.unhealed(now, round),
                        Effect::Answer { .. } | Effect::Journal(_) => {}
                    }
                }
                while let Some(step) = membership.next_step() {
                    idle = false;
                    match step {
                        Step::Stand(standing) => engine.stand(now, standing),
                        Step::Send(Errand { ticket, order }) => post.push((true, ticket, order)),
                        Step::Left => {}
                    }
                }
                if idle {
                    break;
                }
            }
            // Some letters are answered, some twice, and some lie there.
            for _ in 0..chance.below(4) {
                let Some(last) = post.len().checked_sub(1) else { break };
                let place = last - usize::try_from(chance.below(3)).unwrap().min(last);
                let again = chance.once_in(10);
                let letter = if again { post[place].clone() } else { post.remove(place) };
                let (of_membership, ticket, order) = letter;
                let there = now.micros().saturating_sub(20) / 2 + (1 << 45);
                let outcome = if chance.once_in(15) {
                    Outcome::Unanswered
                } else {
                    let there = if start > 0 { now.micros() + 1_000 } else { there };
                    Outcome::Answered(any_reply(chance, &order, (there, epoch)))
                };
                if of_membership {
                    membership.outcome(now, ticket, outcome);
                } else {
                    membership.heard(now);
                    engine.outcome(now, ticket, outcome);
                }
            }
            post.truncate(64);
        }
        let facts = engine.facts();
        if !rule.grid().is_quota() {
            assert!(facts.bought <= asked_for, "seed {seed}: {facts:?} of {asked_for}");
        }
        bought += u64::from(facts.bought > 0);
    }
    assert!(SERVERS / 4 < bought, "only {bought} of {SERVERS} were ever believed");
}

#[test]
fn whatever_redis_says_of_permits_nothing_panics_and_no_more_are_inside_than_were_asked_for() {
    for seed in 0..SERVERS {
        let chance = &mut Chance::new(seed);
        let key = KeySpace::new(Kind::Concurrency, &[]).key("a");
        let mut now = Timestamp::from_micros(1_000_000);
        let identity = Identity { replica: ReplicaId(1), incarnation: 1, desks: 1 };
        let mut membership = Membership::new(identity, now);
        let mut pool = Pool::new((ReplicaId(1), 1), std::num::NonZeroU32::MIN, 8, now);
        let max = chance.pick(&[1, 2, 10, u32::MAX]);
        let (mut inside, mut post): (u64, Vec<Letter>) = (0, Vec::new());
        membership.connected(now, 7);
        for _ in 0..STEPS {
            now = now + Duration::from_micros(chance.tailed(3_000));
            match chance.below(6) {
                0..3 => inside += u64::from(pool.enter(now, key, max) == Entrance::In),
                3 if inside > 0 => {
                    pool.leave(now, &key);
                    inside -= 1;
                }
                _ => {
                    membership.tick(now);
                    pool.tick(now);
                }
            }
            loop {
                let mut idle = true;
                while let Some(effect) = pool.next_effect() {
                    idle = false;
                    match effect {
                        PoolEffect::Send(Errand { ticket, order }) => {
                            post.push((false, ticket, order));
                        }
                        PoolEffect::Answer { is_in, .. } => inside += u64::from(is_in),
                        PoolEffect::Healed { round } => membership.healed(now, 0, round),
                        PoolEffect::Unhealed { round } => membership.unhealed(now, round),
                    }
                }
                while let Some(step) = membership.next_step() {
                    idle = false;
                    match step {
                        Step::Stand(standing) => pool.stand(now, standing),
                        Step::Send(Errand { ticket, order }) => post.push((true, ticket, order)),
                        Step::Left => {}
                    }
                }
                if idle {
                    break;
                }
            }
            // Of its own it never lets in more than the limit.
            assert!(inside <= u64::from(max), "seed {seed}: {inside} of {max}");
            assert_eq!(pool.inside().1, inside, "seed {seed}");
            for _ in 0..chance.below(4) {
                let Some(last) = post.len().checked_sub(1) else { break };
                let place = last - usize::try_from(chance.below(3)).unwrap().min(last);
                let again = chance.once_in(10);
                let letter = if again { post[place].clone() } else { post.remove(place) };
                let (of_membership, ticket, order) = letter;
                let there = (now.micros() + 1_000, Epoch(5));
                let outcome = Outcome::Answered(any_reply(chance, &order, there));
                if of_membership {
                    membership.outcome(now, ticket, outcome);
                } else {
                    pool.outcome(now, ticket, &outcome);
                }
            }
            post.truncate(64);
        }
    }
}
