//! The table of members: who lives, who has which seat, and what is held back.

use crate::limit::order::members::{
    Alive, Beat, Beaten, Epoch, HeldBack, Missing, Probe, Probed, Seat,
};
use crate::limit::order::{HELD_BACK_KEPT_MICROS, ReplicaId};
use crate::limit::seller::{ByReplica, SEQ_MAX};

/// The table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Members {
    /// Everybody who ever beat and is not yet forgotten.
    pub replicas: ByReplica<Member>,
    /// How many seats there are.
    pub seats: u32,
    /// Which life of the data this is.
    pub epoch: Epoch,
    /// When the first beat of any kind came in it, in microseconds; zero: none did.
    pub began: u64,
    /// Who is on its way back, and when it last said so.
    pub healing: ByReplica<u64>,
}

/// What is known of one replica.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Member {
    /// Whether it is a member; it is none after it left or was expelled.
    pub present: bool,
    /// Which seat it has.
    pub seat: Option<u32>,
    /// When it last beat, in microseconds.
    pub last: u64,
    /// Which primary it last beat to.
    pub run: u64,
    /// Which life it is in.
    pub incarnation: u64,
    /// Its last beat in that life.
    pub seq: u64,
    /// The intervals that are held back for lives of it.
    pub held_back: Vec<HeldBack>,
}

/// For how many different seats one replica can have intervals held back; beyond it, the one that
/// ended first is forgotten. A replica changes its seat only when the number of seats changes or
/// when it was away for so long that another one took it.
pub const HELD_BACK_MAX: usize = 8;

/// What a primary answers to a probe: three commands, none of them a script.
pub fn probe(members: &mut Members, now: u64, probe: Probe) -> Probed {
    if members.epoch == Epoch::NONE {
        members.epoch = probe.begins;
    }
    Probed { now, epoch: members.epoch }
}

/// `members.lua`, on the primary `run` at `now` in microseconds.
pub fn beat(members: &mut Members, run: u64, now: u64, beat: &Beat) -> Beaten {
    let own = members.replicas.get(&beat.replica);
    let seq = beat.seq.min(SEQ_MAX);
    let is_old = own.is_some_and(|own| own.incarnation == beat.incarnation && seq <= own.seq);
    if beat.not_after < now || is_old {
        return Beaten::Late { now };
    }
    if members.epoch != beat.epoch {
        return Beaten::Strange { now };
    }
    if members.began == 0 {
        members.began = now;
    }
    if beat.heals {
        members.healing.insert(beat.replica, now);
        let (coming, here) = members.on_both_sides(run, now, beat);
        return Beaten::Noted { now, began: members.began, coming, here };
    }
    members.healing.remove(&beat.replica);
    members.healing.retain(|_, said| now.saturating_sub(*said) <= beat.miss);
    members.expel(now, beat);
    members.note(run, now, beat);
    let is_missing = |id: &ReplicaId, member: &Member| {
        *id != beat.replica
            && member.present
            && (now.saturating_sub(member.last) > beat.miss || member.run != run)
    };
    let all_here = !members.replicas.iter().any(|(id, member)| is_missing(id, member));
    let seat = if beat.leave { None } else { members.seat(beat, all_here) };
    let of = members.seats;
    let missing = members.replicas.iter().filter(|(id, member)| is_missing(id, member));
    let missing = missing.map(|(_, member)| Missing {
        seat: member.seat.map(|index| Seat { index, of }),
        since: member.last,
    });
    let held_back = members.replicas.values().flat_map(|member| &member.held_back).copied();
    Beaten::Alive(Alive {
        now,
        seat: seat.map(|index| Seat { index, of }),
        members: members.count(),
        missing: missing.collect(),
        held_back: held_back.collect(),
        began: members.began,
        healing: u32::try_from(members.healing.len()).unwrap_or(u32::MAX),
    })
}

impl Members {
    /// How many members there are.
    fn count(&self) -> u32 {
        let present = self.replicas.values().filter(|member| member.present).count();
        u32::try_from(present).unwrap_or(u32::MAX)
    }

    /// How many are on their way back, and how many others are here.
    fn on_both_sides(&self, run: u64, now: u64, beat: &Beat) -> (u32, u32) {
        let is_fresh = |date: u64| now.saturating_sub(date) <= beat.miss;
        let coming = self.healing.values().filter(|said| is_fresh(**said)).count();
        let is_here = |id: &ReplicaId, member: &Member| {
            *id != beat.replica && member.present && member.run == run && is_fresh(member.last)
        };
        let here = self.replicas.iter().filter(|(id, member)| is_here(id, member)).count();
        let small = |count| u32::try_from(count).unwrap_or(u32::MAX);
        (small(coming), small(here))
    }

    /// Everybody else who was silent for too long is no member any more; and what nobody needs to
    /// know any more is forgotten.
    fn expel(&mut self, now: u64, beat: &Beat) {
        let of = self.seats;
        for (id, member) in &mut self.replicas {
            let silent = now.saturating_sub(member.last);
            if *id != beat.replica && member.present && beat.member_ttl < silent {
                member.present = false;
                member.hold_back(of, now, beat.unsure_after);
            }
            member.held_back.retain(|held| is_kept(held.to, now));
        }
        self.replicas.retain(|_, member| {
            member.present || !member.held_back.is_empty() || is_kept(member.last, now)
        });
    }

    /// Notes that who beats lives, or left.
    fn note(&mut self, run: u64, now: u64, beat: &Beat) {
        let of = self.seats;
        let own = self.replicas.entry(beat.replica).or_default();
        if own.incarnation != beat.incarnation && beat.unsure_after < now.saturating_sub(own.last) {
            let seat = own.seat;
            own.hold_back(of, now, beat.unsure_after);
            own.seat = seat;
        }
        if beat.stands || beat.leave {
            own.seat = None;
        }
        own.present = !beat.leave;
        own.last = now;
        own.run = run;
        own.incarnation = beat.incarnation;
        own.seq = beat.seq.min(SEQ_MAX);
    }

    /// The seat of who beats; none: it is to stand, or stands.
    fn seat(&mut self, beat: &Beat, all_here: bool) -> Option<u32> {
        let members = self.count();
        if self.replicas.values().all(|member| member.seat.is_none()) {
            self.seats = members;
        }
        let is_wrong = self.seats < members || members.saturating_mul(2) < self.seats;
        if is_wrong && all_here {
            return None;
        }
        let own = self.replicas.get(&beat.replica).and_then(|member| member.seat);
        let seat = own.or_else(|| {
            let taken = |seat| self.replicas.values().any(|member| member.seat == Some(seat));
            (0..self.seats).find(|seat| !taken(*seat))
        });
        if let Some(own) = self.replicas.get_mut(&beat.replica) {
            own.seat = seat;
        }
        seat
    }
}

impl Member {
    /// Ends a life that may have used its share from `unsure_after` on; its seat is free.
    fn hold_back(&mut self, of: u32, now: u64, unsure_after: u64) {
        let Some(index) = self.seat.take() else { return };
        let seat = Seat { index, of };
        let from = self.last.saturating_add(unsure_after).min(now);
        if let Some(same) = self.held_back.iter_mut().find(|held| held.seat == seat) {
            // What lies between the two is held back too: the same seat, and less to tell.
            *same = HeldBack { seat, from: same.from.min(from), to: now };
            return;
        }
        if self.held_back.len() == HELD_BACK_MAX {
            let first = (0..).zip(&self.held_back).min_by_key(|(_, held)| held.to);
            let first = first.map_or(0, |(place, _): (usize, _)| place);
            self.held_back.remove(first);
        }
        self.held_back.push(HeldBack { seat, from, to: now });
    }
}

fn is_kept(end: u64, now: u64) -> bool {
    now.saturating_sub(end) <= HELD_BACK_KEPT_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn beat_of(replica: u128, seq: u64) -> Beat {
        Beat {
            replica: ReplicaId(replica),
            incarnation: 1,
            seq,
            not_after: u64::MAX,
            miss: 600_000,
            unsure_after: 1_300_000,
            member_ttl: 10 * SECOND,
            stands: false,
            leave: false,
            epoch: Epoch::NONE,
            heals: false,
        }
    }

    fn alive(members: &mut Members, now: u64, order: Beat) -> Alive {
        let beaten = beat(members, 7, now, &order);
        let Beaten::Alive(alive) = beaten else { panic!("{beaten:?}") };
        alive
    }

    /// Replicas 0 to `count`, each with a seat, who last beat at `now`.
    fn seated(count: u128, now: u64) -> Members {
        let mut members = Members::default();
        for round in 1..4 {
            for replica in 0..count {
                let stands = round < 3;
                alive(&mut members, now, Beat { stands, ..beat_of(replica, round) });
            }
        }
        members
    }

    fn seat(index: u32, of: u32) -> Seat {
        Seat { index, of }
    }

    #[test]
    fn members_stand_up_together_and_sit_down_by_the_new_number() {
        let mut members = Members::default();
        let first = alive(&mut members, 0, Beat { stands: true, ..beat_of(0, 1) });
        assert_eq!((first.seat, first.members), (Some(seat(0, 1)), 1));
        let second = alive(&mut members, 0, Beat { stands: true, ..beat_of(1, 1) });
        assert_eq!((second.seat, second.members), (None, 2));
        // The first is told to stand, but keeps its seat until it says that it knows.
        assert_eq!(alive(&mut members, 0, beat_of(0, 2)).seat, None);
        assert_eq!(alive(&mut members, 0, Beat { stands: true, ..beat_of(1, 2) }).seat, None);
        let sits = alive(&mut members, 0, Beat { stands: true, ..beat_of(0, 3) });
        assert_eq!(sits.seat, Some(seat(0, 2)));
        assert_eq!(
            alive(&mut members, 0, Beat { stands: true, ..beat_of(1, 3) }).seat,
            Some(seat(1, 2))
        );
    }

    #[test]
    fn a_beat_that_was_held_up_changes_nothing() {
        let mut members = seated(2, 0);
        let before = members.clone();
        let late = Beat { not_after: 9, ..beat_of(0, 9) };
        assert_eq!(beat(&mut members, 7, 10, &late), Beaten::Late { now: 10 });
        assert_eq!(beat(&mut members, 7, 10, &beat_of(0, 3)), Beaten::Late { now: 10 });
        assert_eq!(members, before);
    }

    #[test]
    fn who_is_silent_or_speaks_to_another_primary_is_missing() {
        let mut members = seated(3, 0);
        alive(&mut members, 500_000, beat_of(1, 4));
        let seen = alive(&mut members, 700_000, beat_of(0, 4));
        assert_eq!(seen.missing, [Missing { seat: Some(seat(2, 3)), since: 0 }]);
        let Beaten::Alive(seen) = beat(&mut members, 8, 700_000, &beat_of(0, 5)) else { panic!() };
        assert_eq!(seen.missing.len(), 2);
    }

    #[test]
    fn the_share_of_a_life_that_ended_silently_is_held_back_for_its_windows() {
        let mut members = seated(2, 0);
        let again = Beat { incarnation: 2, stands: true, ..beat_of(1, 1) };
        let back = alive(&mut members, 5 * SECOND, again);
        let held = HeldBack { seat: seat(1, 2), from: 1_300_000, to: 5 * SECOND };
        assert_eq!(back.held_back, [held]);
        // A second death holds back on; what lies between stays held back too.
        let again = Beat { incarnation: 3, stands: true, ..beat_of(1, 1) };
        let back = alive(&mut members, 9 * SECOND, again);
        assert_eq!(back.held_back, [HeldBack { to: 9 * SECOND, ..held }]);
        let later = 9 * SECOND + HELD_BACK_KEPT_MICROS;
        let patient = |seq| Beat { member_ttl: u64::MAX, ..beat_of(0, seq) };
        assert_eq!(alive(&mut members, later, patient(4)).held_back.len(), 1);
        assert_eq!(alive(&mut members, later + 1, patient(5)).held_back, []);
    }

    #[test]
    fn a_life_that_ended_a_moment_ago_cannot_have_used_its_share() {
        let mut members = seated(2, 0);
        let again = Beat { incarnation: 2, stands: true, ..beat_of(1, 1) };
        assert_eq!(alive(&mut members, 1_300_000, again).held_back, []);
    }

    #[test]
    fn who_is_silent_for_too_long_is_expelled_and_its_seat_is_free() {
        let mut members = seated(2, 0);
        let seen = alive(&mut members, 11 * SECOND, beat_of(0, 4));
        assert_eq!((seen.members, seen.missing.len()), (1, 0));
        let held = HeldBack { seat: seat(1, 2), from: 1_300_000, to: 11 * SECOND };
        assert_eq!(seen.held_back, [held]);
        let new = alive(&mut members, 11 * SECOND, Beat { stands: true, ..beat_of(5, 1) });
        assert_eq!(new.seat, Some(seat(1, 2)));
    }

    #[test]
    fn who_leaves_is_gone_at_once_and_nothing_is_held_back() {
        let mut members = seated(2, 0);
        let left = alive(&mut members, SECOND, Beat { leave: true, ..beat_of(1, 4) });
        assert_eq!((left.seat, left.members), (None, 1));
        let seen = alive(&mut members, SECOND, beat_of(0, 4));
        assert_eq!((seen.members, seen.held_back, seen.missing), (1, vec![], vec![]));
        let late = beat(&mut members, 7, SECOND, &beat_of(1, 4));
        assert_eq!(late, Beaten::Late { now: SECOND });
    }

    #[test]
    fn who_has_reported_to_other_data_changes_nothing() {
        let mut members = seated(2, 0);
        let probed = probe(&mut members, 5, Probe { begins: Epoch(9) });
        assert_eq!(probed, Probed { now: 5, epoch: Epoch(9) });
        assert_eq!(probe(&mut members, 6, Probe { begins: Epoch(8) }).epoch, Epoch(9));
        let before = members.clone();
        let strange = Beat { epoch: Epoch(8), ..beat_of(0, 4) };
        assert_eq!(beat(&mut members, 7, SECOND, &strange), Beaten::Strange { now: SECOND });
        assert_eq!(members, before);
    }

    #[test]
    fn who_is_on_its_way_back_is_counted_until_it_beats_or_says_no_more() {
        let mut members = Members::default();
        let heals = |replica, seq| Beat { heals: true, ..beat_of(replica, seq) };
        for replica in [1, 2] {
            let noted = beat(&mut members, 7, SECOND, &heals(replica, 1));
            let (now, coming) = (SECOND, u32::try_from(replica).unwrap());
            assert_eq!(noted, Beaten::Noted { now, began: SECOND, coming, here: 0 });
        }
        let seen = alive(&mut members, SECOND + 1, beat_of(0, 1));
        assert_eq!((seen.members, seen.healing, seen.began), (1, 2, SECOND));
        let noted = beat(&mut members, 7, SECOND + 2, &heals(1, 2));
        let now = SECOND + 2;
        assert_eq!(noted, Beaten::Noted { now, began: SECOND, coming: 2, here: 1 });
        let seen = alive(&mut members, SECOND + 2, beat_of(1, 3));
        assert_eq!((seen.members, seen.healing, seen.began), (2, 1, SECOND));
        assert_eq!(alive(&mut members, SECOND + 600_001, beat_of(1, 4)).healing, 0);
        let Beaten::Noted { coming, here, .. } =
            beat(&mut members, 8, SECOND + 600_002, &heals(2, 2))
        else {
            panic!()
        };
        assert_eq!((coming, here), (1, 0), "they beat to another primary");
    }

    #[test]
    fn a_table_forgets_who_is_gone() {
        let mut members = seated(2, 0);
        alive(&mut members, SECOND, Beat { leave: true, ..beat_of(1, 4) });
        alive(&mut members, 2 * SECOND + HELD_BACK_KEPT_MICROS, beat_of(0, 4));
        assert_eq!(members.replicas.len(), 1);
    }
}
