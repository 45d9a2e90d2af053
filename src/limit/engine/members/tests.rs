//! Members and the primary that they beat to, without the desks.

use std::time::Duration;

use crate::limit::engine::members::{Identity, Membership, Step};
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
