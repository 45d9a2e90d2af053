//! Members and the primary that they beat to, without the desks.

use std::time::Duration;

use crate::limit::engine::members::{Identity, MISS, Membership, Step};
use crate::limit::engine::standing::Touch;
use crate::limit::order::{Outcome, ReplicaId};
use crate::limit::seller::Primary;
use crate::time::Timestamp;

const MILLI: u64 = 1_000;

/// Some members, whose clocks are that of the primary, and whose desks have nothing to report but
/// take their time.
struct World {
    primary: Primary,
    members: Vec<Membership>,
    now: u64,
    /// Whose desks have not reported yet.
    slow: Option<usize>,
}

impl World {
    fn new(count: u32) -> Self {
        let now = 1_000_000 * MILLI;
        let member = |replica: u32| {
            let identity =
                Identity { replica: ReplicaId(replica.into()), incarnation: 1, desks: 1 };
            let mut member = Membership::new(identity, at(now));
            member.connected(at(now), 7);
            member
        };
        let primary = Primary { run: 7, ..Primary::default() };
        Self { primary, members: (0..count).map(member).collect(), now, slow: None }
    }

    /// Lets `millis` milliseconds pass.
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += MILLI;
            for who in 0..self.members.len() {
                self.drive(who);
            }
        }
    }

    fn drive(&mut self, who: usize) {
        let (now, member) = (self.now, &mut self.members[who]);
        member.tick(at(now));
        loop {
            while let Some(step) = member.next_step() {
                if let Step::Send(errand) = step {
                    let reply = self.primary.carry_out(now, &errand.order);
                    let received = at(now) + Duration::from_micros(100);
                    member.outcome(received, errand.ticket, Outcome::Answered(reply));
                }
            }
            let standing = member.standing();
            if standing.touch != Touch::Healing || self.slow == Some(who) {
                return;
            }
            member.healed(at(now), 0, standing.round);
            if member.steps.is_empty() {
                return;
            }
        }
    }

    fn touches(&self) -> Vec<Touch> {
        self.members.iter().map(|member| member.standing().touch).collect()
    }
}

/// One that was in touch, and then stood still for so many milliseconds.
fn after_a_stop(millis: u64) -> World {
    let mut world = World::new(1);
    world.pass(3_000);
    assert_eq!(world.touches(), [Touch::In]);
    world.now += millis * MILLI;
    world
}

/// Does what is due; nothing that is sent is answered. Says whether anything was sent.
fn speak(world: &mut World) -> bool {
    let (now, member) = (at(world.now), &mut world.members[0]);
    member.tick(now);
    std::iter::from_fn(|| member.next_step()).any(|step| matches!(step, Step::Send(_)))
}

#[test]
fn a_replica_that_stood_still_asks_before_it_takes_its_own_silence_for_a_loss() {
    for millis in [400, 700, 1_000] {
        let mut world = after_a_stop(millis);
        let round = world.members[0].standing().round;
        world.pass(1);
        assert_eq!((world.touches(), world.members[0].standing().round), (vec![Touch::In], round));
    }
    // One that was away for longer comes back like one that was cut off.
    let mut world = after_a_stop(1_500);
    let round = world.members[0].standing().round;
    world.pass(300);
    assert!(world.members[0].standing().round > round);
}

#[test]
fn who_was_late_and_is_not_answered_is_out_of_touch_soon_and_buys_nothing_meanwhile() {
    let mut world = after_a_stop(800);
    assert!(speak(&mut world));
    assert_eq!(world.touches(), [Touch::In]);
    assert!(world.members[0].standing().buys_until < at(world.now), "old news");
    world.now += 101 * MILLI;
    speak(&mut world);
    assert_eq!(world.touches(), [Touch::Out]);
}

#[test]
fn orders_that_nobody_looked_after_in_time_say_nothing_about_redis() {
    let mut world = after_a_stop(240);
    let sent = at(world.now - 230 * MILLI);
    world.members[0].missed(at(world.now), sent);
    assert_eq!(world.touches(), [Touch::In]);
    world.now += 101 * MILLI;
    let (now, sent) = (at(world.now), at(world.now - 50 * MILLI));
    world.members[0].missed(now, sent);
    assert_eq!(world.touches(), [Touch::Out], "this one was told in time");
}

#[test]
fn a_beat_that_is_heard_late_is_news_as_old_as_the_beat() {
    for (millis, is_news) in [(51, true), (590, true), (600, false)] {
        let mut world = after_a_stop(0);
        world.pass(300);
        let (sent, errand) = std::iter::from_fn(|| {
            world.now += MILLI;
            let member = &mut world.members[0];
            member.tick(at(world.now));
            Some((at(world.now), member.next_step()))
        })
        .find_map(|(sent, step)| match step {
            Some(Step::Send(errand)) => Some((sent, errand)),
            Some(_) | None => None,
        })
        .unwrap();
        let reply = world.primary.carry_out(world.now, &errand.order);
        let heard = sent + Duration::from_millis(millis);
        world.members[0].outcome(heard, errand.ticket, Outcome::Answered(reply));
        let standing = world.members[0].standing();
        assert_eq!(standing.buys_until == sent + MISS, is_news, "{millis}");
        assert!(!is_news || standing.touch == Touch::In, "{millis}");
    }
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn a_seat_is_good_for_debts_only_after_it_was_taken() {
    let mut world = World::new(2);
    let mut seats = vec![None; 2];
    for _ in 0..3_000 {
        world.pass(1);
        for (member, seat) in world.members.iter().zip(&mut seats) {
            let standing = member.standing();
            if standing.touch == Touch::In && standing.seat != *seat {
                *seat = standing.seat;
                assert!(world.now < standing.seat_from, "its last holder may owe in this window");
            }
        }
    }
    assert!(seats.iter().all(Option::is_some));
}

#[test]
fn who_finds_that_the_data_are_lost_waits_for_those_who_have_not_reported() {
    let mut world = World::new(2);
    world.pass(3_000);
    assert_eq!(world.touches(), [Touch::In; 2]);
    world.primary = Primary { run: 7, ..Primary::default() };
    // The desks of one of them have much to report.
    world.slow = Some(1);
    world.pass(5_000);
    assert_eq!(world.touches(), [Touch::Healing; 2], "one reports, the other waits for it");
    world.slow = None;
    world.pass(500);
    assert_eq!(world.touches(), [Touch::In; 2]);
    let standing = world.members[0].standing();
    assert_eq!((standing.members, standing.unheard), (2, None));
}

#[test]
fn of_whom_nothing_is_heard_after_data_are_lost_the_share_is_not_for_sale() {
    let mut world = World::new(2);
    world.pass(3_000);
    world.primary = Primary { run: 7, ..Primary::default() };
    world.members.truncate(1);
    world.pass(3_000);
    assert_eq!(world.touches(), [Touch::In]);
    let unheard = world.members[0].standing().unheard.expect("one is missing");
    assert_eq!((unheard.count, unheard.of), (1, 2));
    world.pass(300_000);
    assert_eq!(world.members[0].standing().unheard, None);
}

/// All lose their primary and find another one, each so many milliseconds after the one before: for
/// how many each of them had handed in its share, and then did not buy yet.
fn after_a_takeover(world: &mut World, apart: usize) -> Vec<usize> {
    for member in &mut world.members {
        member.disconnected(at(world.now));
    }
    world.primary.run = 8;
    let mut healing = vec![0; world.members.len()];
    for millis in 0..3_000_usize {
        let (next, rest) = (millis / apart, millis % apart);
        if let Some(found) = world.members.get_mut(next).filter(|_| rest == 0) {
            found.connected(at(world.now), 8);
        }
        world.pass(1);
        for (millis, touch) in healing.iter_mut().zip(world.touches()) {
            *millis += usize::from(touch == Touch::Healing);
        }
    }
    healing
}

#[test]
fn who_finds_a_new_primary_first_keeps_its_share_until_the_others_find_it_too() {
    let mut world = World::new(4);
    world.pass(3_000);
    let before = world.members[0].standing();
    assert_eq!(world.touches(), [Touch::In; 4]);
    let healing = after_a_takeover(&mut world, 200);
    assert_eq!(world.touches(), [Touch::In; 4]);
    assert!(healing.iter().all(|millis| *millis <= 50), "{healing:?}");
    assert!(before.noticed < world.members[0].standing().noticed);
}

#[test]
fn whoever_is_dead_is_not_waited_for_longer_than_before() {
    let mut world = World::new(4);
    world.pass(3_000);
    world.members.pop();
    let healing = after_a_takeover(&mut world, 10);
    assert_eq!(world.touches(), [Touch::In; 3]);
    assert!(healing.iter().all(|millis| *millis <= 50), "{healing:?}");
}

#[test]
fn who_comes_back_alone_reports_at_once() {
    let mut world = World::new(4);
    world.pass(3_000);
    world.members[0].disconnected(at(world.now));
    world.pass(1);
    world.members[0].connected(at(world.now), 7);
    world.pass(50);
    assert_eq!(world.touches(), [Touch::In; 4]);
}

#[test]
fn who_finds_an_empty_redis_keeps_its_share_until_everybody_can_know_of_it() {
    let mut world = World::new(3);
    world.pass(3_000);
    world.primary = Primary::default();
    let healing = after_a_takeover(&mut world, 100);
    assert_eq!(world.touches(), [Touch::In; 3]);
    assert!(healing.iter().all(|millis| *millis <= 50), "{healing:?}");
}

#[test]
fn shares_of_the_unheard_are_as_large_as_those_of_the_seats_that_there_were() {
    let mut world = World::new(2);
    world.pass(3_000);
    // One is cut off, one starts and finds no seat, and then the other is cut off as well.
    world.members.remove(0);
    world.pass(1_000);
    world.members.append(&mut World::new(3).members.split_off(2));
    world.pass(2_000);
    let standing = world.members[1].standing();
    assert_eq!((standing.touch, standing.seat, standing.members), (Touch::In, None, 3));
    world.members.remove(0);
    world.pass(1_000);
    world.primary = Primary { run: 7, ..Primary::default() };
    world.pass(3_000);
    assert_eq!(world.touches(), [Touch::In]);
    let unheard = world.members[0].standing().unheard.expect("two are missing");
    assert_eq!((unheard.count, unheard.of), (2, 2), "each may have half");
}

#[test]
fn no_two_epochs_are_the_same() {
    let mut world = World::new(3);
    let mut known = Vec::new();
    for _ in 0..20 {
        world.pass(2_000);
        known.push(world.primary.members.epoch);
        world.primary = Primary { run: 7, ..Primary::default() };
    }
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), 20);
}
