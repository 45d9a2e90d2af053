//! A lane: its membership and its desks, and what follows from what they hear.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::counters::redis::News;
use crate::counters::shared::Office;
use crate::counters::shared::desk::{self, Desk, MEMBERSHIP, Round, marked, unmarked};
use crate::counters::shared::inquiry::{Inquiries, OPERATORS};
use crate::counters::shared::member::Member;
use crate::counters::shared::permits::{self, Lending};
use crate::limit::engine::members::{Identity, Step};
use crate::limit::engine::quota::Record;
use crate::limit::engine::standing::Standing;
use crate::limit::order::{Errand, Ledger, Outcome, Ticket};
use crate::limit::till::{Till, Tills};
use crate::time::Timestamp;

/// The shortest time after which somebody looks in again for permits.
const SOON: Duration = Duration::from_millis(1);

/// The counters of one Redis, or of a part of a cluster.
pub(super) struct Lane {
    number: u16,
    member: Mutex<Member>,
    desks: Vec<Mutex<Desk>>,
    /// What each of them has lent.
    tills: Vec<Arc<Tills>>,
    /// The permits of its concurrency limits: to the membership one desk more.
    lending: Mutex<Lending>,
    /// Whether anything was heard of it in this life.
    has_met: AtomicBool,
    /// How many replicas there are, as last heard; zero: never.
    replicas: AtomicU32,
    /// What operators have asked of it.
    inquiries: Inquiries,
}

impl Lane {
    pub(super) fn new(
        identity: Identity,
        lending: Lending,
        keys_max: usize,
        hasher: &RandomState,
        now: Timestamp,
    ) -> Self {
        // Fewer than 255: the last number is the membership's, the one after these that of permits.
        let number = lending.lane();
        let desks = (0..lending.number()).map(|desk| {
            let seed = hasher.hash_one((number, desk));
            Desk::new((number, desk), identity, (keys_max, seed), now)
        });
        let desks = desks.map(|desk| (Arc::clone(desk.tills()), Mutex::new(desk)));
        let (tills, desks) = desks.unzip();
        let member = Mutex::new(Member::new(number, identity, now));
        Self {
            number,
            member,
            desks,
            tills,
            lending: Mutex::new(lending),
            has_met: AtomicBool::new(false),
            replicas: AtomicU32::new(0),
            inquiries: Inquiries::default(),
        }
    }

    /// The desk of the key with these bytes.
    pub(super) fn desk_of(&self, key: [u8; 16]) -> Option<&Mutex<Desk>> {
        self.desks.get(self.number_of_desk(key)?)
    }

    /// The till of the key with these bytes, at its desk.
    pub(super) fn till_of(&self, key: [u8; 16]) -> Option<&Till> {
        self.tills.get(self.number_of_desk(key)?)?.get(Tills::number_of(key))
    }

    fn number_of_desk(&self, key: [u8; 16]) -> Option<usize> {
        // Part of a digest, and another one than the lane is told by.
        let [.., part, _, _] = key;
        usize::from(part).checked_rem(self.desks.len())
    }

    /// Takes over what an earlier life wrote down.
    pub(super) fn restore(&self, record: Record) {
        let desk = match &record {
            Record::Sent(Ledger { session, .. }) | Record::Done { session, .. } => {
                self.desks.get(usize::try_from(session.desk).unwrap_or(usize::MAX))
            }
            Record::Used { meter, .. } => self.desk_of(meter.key.to_bytes()),
        };
        if let Some(desk) = desk {
            desk::lock(desk).restore(record);
        }
    }

    pub(super) const fn lending(&self) -> &Mutex<Lending> {
        &self.lending
    }

    pub(super) fn desks(&self) -> &[Mutex<Desk>] {
        &self.desks
    }

    /// Whether anything was heard of it in this life.
    pub(super) fn has_met(&self) -> bool {
        self.has_met.load(Ordering::Relaxed)
    }

    pub(super) const fn inquiries(&self) -> &Inquiries {
        &self.inquiries
    }

    /// How many replicas there are, as last heard; none: never.
    pub(super) fn replicas(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.replicas.load(Ordering::Relaxed))
    }

    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn member(&self) -> MutexGuard<'_, Member> {
        // Nothing panics while it is held.
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Desks have reported, or failed to.
    pub(super) fn rounds(&self, office: &Office, rounds: &[Round]) {
        let mut member = self.member();
        let now = office.clock.now();
        member.rounds(now, rounds);
        self.follow(office, &mut member);
    }

    /// The link has news.
    pub(super) fn told(&self, office: &Office, news: News) {
        match news {
            News::Connected { connection, run, place, .. } => {
                let mut member = self.member();
                member.connection = connection;
                member.place = Some(place);
                member.trouble = None;
                member.membership.connected(office.clock.now(), run);
                self.follow(office, &mut member);
            }
            News::Lost { trouble, .. } => {
                let mut member = self.member();
                member.trouble = Some(trouble);
                member.membership.disconnected(office.clock.now());
                self.follow(office, &mut member);
            }
            News::Trouble { trouble, .. } => {
                self.member().suffer(trouble);
            }
            News::Copies { copies, is_required, .. } => {
                self.member().learn(copies, is_required);
            }
            News::Outcomes { sent, received, outcomes, .. } => {
                self.outcomes(office, (sent, received), outcomes);
            }
        }
    }

    /// What became of orders that were sent, if they were, at `sent` and answered, if they were, at
    /// `received`.
    fn outcomes(
        &self,
        office: &Office,
        (sent, received): (Option<Timestamp>, Timestamp),
        outcomes: Vec<(Ticket, Outcome)>,
    ) {
        // What no replica confirms was answered all the same.
        let is_heard = |(_, outcome): &(Ticket, Outcome)| *outcome != Outcome::Unanswered;
        let is_heard = outcomes.iter().any(is_heard);
        let mut outcomes: Vec<_> = outcomes
            .into_iter()
            .map(|(ticket, outcome)| {
                let (owner, ticket) = unmarked(ticket);
                (owner, ticket, outcome)
            })
            .collect();
        // Stable, so that each desk hears of its orders in their order.
        outcomes.sort_by_key(|(owner, ..)| *owner);
        let own = outcomes.partition_point(|(owner, ..)| *owner < MEMBERSHIP);
        let of_member = outcomes.split_off(own);
        let mut rounds = Vec::new();
        let mut outcomes = outcomes.into_iter().peekable();
        while let Some((owner, ..)) = outcomes.peek() {
            let owner = *owner;
            if owner == OPERATORS {
                while let Some((_, ticket, outcome)) = outcomes.next_if(|(of, ..)| *of == owner) {
                    self.inquiries.answer(ticket, outcome);
                }
                continue;
            }
            let Some(desk) = self.desks.get(usize::from(owner)) else {
                let mut lent = Vec::new();
                while let Some((_, ticket, outcome)) = outcomes.next_if(|(of, ..)| *of == owner) {
                    lent.push((ticket, outcome));
                }
                rounds.append(&mut self.lent(office, lent.into_iter()));
                continue;
            };
            let mut desk = desk::lock(desk);
            let now = office.clock.now();
            while let Some((_, ticket, outcome)) = outcomes.next_if(|(of, ..)| *of == owner) {
                desk.outcome(now, ticket, outcome);
            }
            rounds.append(&mut desk.see_to(office, now));
            let wake = desk.wake();
            drop(desk);
            if let Some(wake) = wake {
                office.alarm.set(wake);
            }
        }
        let mut member = self.member();
        let now = office.clock.now();
        for (_, ticket, outcome) in of_member {
            // The time at which it was received says most about the primary's clock.
            member.outcome(received, ticket, outcome);
        }
        if let Some(sent) = sent {
            if is_heard {
                let took = received.since(sent).as_micros();
                member.latency.note(u64::try_from(took).unwrap_or(u64::MAX));
                member.membership.heard(received);
            } else {
                member.membership.missed(now, sent);
            }
        }
        member.rounds(now, &rounds);
        self.follow(office, &mut member);
    }

    /// What became of orders for permits.
    fn lent(
        &self,
        office: &Office,
        outcomes: impl Iterator<Item = (Ticket, Outcome)>,
    ) -> Vec<Round> {
        let mut lending = permits::lock(&self.lending);
        let now = office.clock.now();
        for (ticket, outcome) in outcomes {
            lending.outcome(now, ticket, &outcome);
        }
        let rounds = lending.see_to(office, now);
        if let Some(wake) = lending.wake() {
            office.alarm.set(wake);
        }
        rounds
    }

    /// Does what is due in it; says when to come again.
    pub(super) fn look_in(&self, office: &Office) -> Timestamp {
        let mut wake = {
            let mut member = self.member();
            let now = office.clock.now();
            if member.membership.wake() <= now {
                member.membership.tick(now);
                self.follow(office, &mut member);
            }
            member.membership.wake()
        };
        let mut rounds = Vec::new();
        for desk in &self.desks {
            let mut desk = desk::lock(desk);
            let now = office.clock.now();
            wake = wake.min(desk.look_in(now));
            rounds.append(&mut desk.see_to(office, now));
        }
        let mut lending = permits::lock(&self.lending);
        let now = office.clock.now();
        lending.look_in(now);
        rounds.append(&mut lending.see_to(office, now));
        wake = lending.wake().map_or(wake, |due| due.max(now + SOON).min(wake));
        drop(lending);
        if !rounds.is_empty() {
            self.rounds(office, &rounds);
        }
        wake
    }

    /// Hands in all that the desks hold, and says good-bye.
    pub(super) fn leave(&self, office: &Office) {
        for desk in &self.desks {
            let mut desk = desk::lock(desk);
            let now = office.clock.now();
            desk.hand_in(now);
            desk.see_to(office, now);
        }
        let mut lending = permits::lock(&self.lending);
        let now = office.clock.now();
        lending.hand_in(now);
        lending.see_to(office, now);
        drop(lending);
        let mut member = self.member();
        member.leave(office.clock.now());
        self.follow(office, &mut member);
    }

    /// Whether it was left.
    pub(super) fn has_left(&self) -> bool {
        self.member().has_left()
    }

    /// Whether its Redis has heard that it was left.
    pub(super) fn has_said_good_bye(&self) -> bool {
        self.member().has_said_good_bye()
    }

    /// Does what the membership wants done, in its order.
    fn follow(&self, office: &Office, member: &mut Member) {
        while let Some(step) = member.membership.next_step() {
            match step {
                Step::Stand(standing) => self.stand(office, member, &standing),
                Step::Send(Errand { ticket, order }) => {
                    let now = office.clock.now();
                    let own = Ticket { place: 0, ..ticket };
                    let Some(ticket) = marked(own, MEMBERSHIP) else { continue };
                    let parcel = vec![Errand { ticket, order }];
                    if office.link.send(self.number, member.connection, parcel).is_err() {
                        member.outcome(now, own, Outcome::Unanswered);
                    }
                }
                Step::Left => {
                    member.left();
                    office.left.notify_waiters();
                }
            }
        }
        office.alarm.set(member.membership.wake());
    }

    /// Every desk hears how the replica stands now.
    fn stand(&self, office: &Office, member: &mut Member, standing: &Arc<Standing>) {
        let mut rounds = Vec::new();
        for desk in &self.desks {
            let mut desk = desk::lock(desk);
            let now = office.clock.now();
            desk.stand(now, Arc::clone(standing), member.connection);
            rounds.append(&mut desk.see_to(office, now));
        }
        let mut lending = permits::lock(&self.lending);
        let now = office.clock.now();
        lending.stand(now, Arc::clone(standing), member.connection);
        rounds.append(&mut lending.see_to(office, now));
        drop(lending);
        let now = office.clock.now();
        member.rounds(now, &rounds);
        if standing.clock.at(now).is_some() {
            self.has_met.store(true, Ordering::Relaxed);
        }
        if standing.members > 0 {
            self.replicas.store(standing.members, Ordering::Relaxed);
        }
        member.note(standing, now);
    }
}
