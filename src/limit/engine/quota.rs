//! Quotas: the same allotments, from ledgers that count everything exactly once.
//!
//! A desk speaks to its ledgers in numbered reports, one at a time. A report without an answer is
//! repeated as it is until it is answered, by the next life if need be: the primary answers a
//! repetition with what it said first. So nothing is charged twice, and no grant is lost.
//!
//! A report that buys what is not to be lost with the primary ([`Durability`]) is answered once a
//! replica has what was sold, and till then repeated as well. On the way back in touch nobody can
//! wait for a replica: a report is answered at once, and what it buys is charged and not spent.
//!
//! What was admitted out of touch is part of the next report. Until then it is in the journal, if
//! there is one; without it, it is lost with the life.

mod answer;
mod journal;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::errands::What;
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{Grid, Rule};
use crate::limit::engine::sizing::{self, Supply};
use crate::limit::engine::standing::Touch;
use crate::limit::engine::{Effect, Engine};
use crate::limit::order::durability::Durability;
use crate::limit::order::{LEDGER_ENTRIES_MAX, Ledger, LedgerEntry, Meter, Order, Session, Span};
use crate::time::Timestamp;

/// How soon a report without an answer is repeated.
const REPEAT: Duration = Duration::from_millis(25);

/// How often what was admitted out of touch is written down: so much is lost with a life at most.
const JOURNAL: Duration = Duration::from_millis(50);

/// What part of a quota is bought at once at most: one in so many.
const AT_ONCE_ONE_IN: u64 = 100;

/// For how long more is not asked for after a refusal, in microseconds.
const DENY_MICROS: u64 = 1_000_000;

/// What a journal holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Record {
    /// A report, to be written before it is sent.
    Sent(Ledger),
    /// It is answered, and may be forgotten.
    Done {
        /// Of which session.
        session: Session,
        /// Which report of it.
        seq: u64,
    },
    /// So much of a ledger was admitted out of touch and is in no report; replaces what was written
    /// of it before.
    Used {
        /// Which counter.
        meter: Meter,
        /// Which period of it.
        span: Span,
        /// How much.
        amount: u64,
    },
}

/// What of a ledger was seen, and where: for a copy outside of Redis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Total {
    /// Which counter.
    pub meter: Meter,
    /// Which period of it.
    pub span: Span,
    /// How much was sold in it.
    pub total: u64,
    /// Which life of the data it was seen in (`Standing::run`).
    pub run: u64,
}

/// The reports of one desk.
#[derive(Debug)]
pub(super) struct Books {
    session: Session,
    seq: u64,
    wishes: VecDeque<Wish>,
    flight: Option<Flight>,
    journal_at: Timestamp,
    /// Slots whose use is not written down yet.
    unwritten: Vec<u32>,
}

/// What is wanted of one ledger.
#[derive(Clone, Debug)]
struct Wish {
    place: u32,
    window: u64,
    want: u64,
    back: u64,
    bound: u64,
    /// Nothing is wanted: what was used is to be told.
    is_report: bool,
    durability: Durability,
}

impl Wish {
    /// That what was used is told.
    const fn to_tell(place: u32, window: u64) -> Self {
        let durability = Durability::Memory;
        Self { place, window, want: 0, back: 0, bound: 0, is_report: true, durability }
    }
}

/// The report that is not yet answered.
#[derive(Debug)]
struct Flight {
    ledger: Ledger,
    /// None: of an earlier life, whose grants are handed back.
    wishes: Option<Vec<Wish>>,
    on_the_way: bool,
    repeat_at: Timestamp,
    /// Whether an answer says that what was sold is as durable as it is to be.
    is_durable: bool,
    /// Which life of the data it was written for.
    run: u64,
}

impl Flight {
    fn new(ledger: Ledger, wishes: Option<Vec<Wish>>, run: u64) -> Self {
        let (on_the_way, repeat_at) = (false, Timestamp::default());
        Self { ledger, wishes, on_the_way, repeat_at, is_durable: true, run }
    }
}

impl Books {
    pub(super) const fn new(session: Session) -> Self {
        Self {
            session,
            seq: 0,
            wishes: VecDeque::new(),
            flight: None,
            journal_at: Timestamp::from_micros(0),
            unwritten: Vec::new(),
        }
    }

    /// Whether everything is reported.
    pub(super) fn are_closed(&self) -> bool {
        self.flight.is_none() && self.wishes.is_empty()
    }

    /// How much was used that is told in a report without an answer.
    #[cfg(test)]
    pub(super) fn on_the_way(&self) -> u64 {
        let entries = self.flight.iter().flat_map(|flight| &flight.ledger.entries);
        entries.map(|entry| u64::try_from(entry.delta).unwrap_or(0)).sum()
    }

    /// When something is due; a report is repeated only while the replica is `in_touch`.
    pub(super) fn wake(&self, in_touch: bool) -> Option<Timestamp> {
        let repeat = self.flight.as_ref().filter(|flight| in_touch && !flight.on_the_way);
        let journal = (!self.unwritten.is_empty()).then_some(self.journal_at);
        repeat.map(|flight| flight.repeat_at).into_iter().chain(journal).min()
    }
}

impl Engine {
    /// Wants something of a ledger.
    pub(super) fn ask_ledger(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>, need: u64) {
        let grid = rule.grid();
        let number = grid.number(moment.early);
        let Some(slot) = self.slots.get_mut(place) else { return };
        if slot.flags.queued || slot.window != number {
            return;
        }
        let bound = self.standing.for_sale(rule, number, moment.early, slot.sold);
        let demand = slot.demand(moment.local.micros(), sizing::span_of_demand(rule));
        let left = grid.ends(number).saturating_sub(moment.late);
        let want = sizing::want(slot, rule, Supply { for_sale: bound, demand, left }, need);
        let most = (rule.limit() / AT_ONCE_ONE_IN).max(1).max(need);
        slot.flags.queued = true;
        let (want, durability) = (want.min(most), rule.durability());
        let to_tell = Wish::to_tell(place, number);
        let wish = Wish { want, bound, durability, is_report: false, ..to_tell };
        self.books.wishes.push_back(wish);
        self.open_books(moment.local);
    }

    /// Hands back what a quota's slot holds.
    pub(super) fn hand_back_to_ledger(&mut self, place: u32, moment: Moment) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        let back = u64::try_from(slot.balance).unwrap_or(0);
        if slot.flags.queued || back == 0 {
            return;
        }
        slot.balance = 0;
        slot.flags.queued = true;
        self.facts.returned = self.facts.returned.saturating_add(back);
        let wish = Wish { is_report: false, back, ..Wish::to_tell(place, slot.window) };
        self.books.wishes.push_back(wish);
        self.open_books(moment.local);
    }

    /// On the way back in touch every ledger is to be lifted to what was seen of it and told what
    /// was used.
    pub(super) fn report_all_ledgers(&mut self) {
        for place in 0..self.slots.end() {
            let Ok(place) = u32::try_from(place) else { return };
            self.report_to_ledger(place);
        }
    }

    fn report_to_ledger(&mut self, place: u32) {
        let Some(slot) = self.slots.get(place) else { return };
        let Some(extra) = slot.extra() else { return };
        if !Grid::of_form(slot.key.form, slot.key.period).is_quota() {
            return;
        }
        // What was seen in this life of the data need not be asserted to it.
        let floor = extra.floor.filter(|(seen, _)| *seen != self.standing.run);
        let floor = floor.map(|_| slot.window);
        let used = extra.used.iter().map(|(window, _)| window);
        let windows = used.chain(floor.filter(|window| extra.used.of(*window) == 0));
        self.books.wishes.extend(windows.map(|window| Wish::to_tell(place, window)));
    }

    /// Sends the next report if the replica is in touch, or repeats the last one if it is time.
    pub(super) fn open_books(&mut self, now: Timestamp) {
        let flight = self.books.flight.as_ref();
        let is_early = flight.is_some_and(|flight| now < flight.repeat_at);
        if self.may_buy(now) && !is_early {
            self.send_report(now);
        }
    }

    /// Sends the next report, or repeats the last one; says whether one is on its way.
    pub(super) fn send_report(&mut self, now: Timestamp) -> bool {
        if self.books.flight.is_none() {
            self.write_report();
        }
        let may_take_its_time = self.standing.touch == Touch::In;
        let Some(flight) = self.books.flight.as_mut() else { return false };
        if flight.on_the_way {
            return true;
        }
        let mut ledger = flight.ledger.clone();
        if flight.run != self.standing.run {
            // It was written for other data. Who knows it there answers as it did then; from who
            // does not nothing is bought before the ledger is lifted to what was seen.
            for entry in &mut ledger.entries {
                entry.want = 0;
            }
        }
        if !may_take_its_time {
            ledger.durability = Durability::Memory;
        }
        flight.is_durable = may_take_its_time || flight.ledger.durability != Durability::Replicated;
        let sent = self.send(now, What::Books, Order::Ledger(ledger));
        if let Some(flight) = self.books.flight.as_mut() {
            flight.on_the_way = sent;
        }
        sent
    }

    fn write_report(&mut self) {
        let run = self.standing.run;
        let may_buy = self.standing.touch == Touch::In;
        let mut entries = Vec::new();
        let mut wishes: Vec<Wish> = Vec::new();
        let mut later = VecDeque::new();
        let mut durability = Durability::Memory;
        while entries.len() < LEDGER_ENTRIES_MAX {
            let Some(mut wish) = self.books.wishes.pop_front() else { break };
            if !may_buy {
                // On the way back what others saw of a ledger may not be asserted to it yet: nothing
                // is bought, whenever it was wished for. Who still needs it asks again.
                (wish.want, wish.durability) = (0, Durability::Memory);
            }
            // Who must wait for a replica does so without the others.
            let waits = |wish: &Wish| wish.durability == Durability::Replicated;
            let is_other = |other: &Wish| other.place == wish.place || waits(other) != waits(&wish);
            if wishes.iter().any(is_other) {
                later.push_back(wish);
                continue;
            }
            let Some(slot) = self.slots.get_mut(wish.place) else { continue };
            let grid = Grid::of_form(slot.key.form, slot.key.period);
            let used = slot.extra().map_or(0, |extra| extra.used.of(wish.window));
            if used > 0 {
                slot.extra_mut().used.take(wish.window, used);
                let (meter, span) = (grid.meter(slot.key.key), grid.span(wish.window));
                let record = Record::Used { meter, span, amount: 0 };
                self.effects.push_back(Effect::Journal(record));
            }
            // What was seen under this primary is in its total already.
            let is_current = slot.window == wish.window;
            let extra = slot.extra_if().filter(|_| is_current);
            let floor = extra.and_then(|extra| extra.floor.take());
            let signed = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
            entries.push(LedgerEntry {
                meter: grid.meter(slot.key.key),
                span: grid.span(wish.window),
                bound: wish.bound,
                want: wish.want,
                delta: signed(used).saturating_sub(signed(wish.back)),
                floor: floor.filter(|(seen, _)| *seen != run).map_or(0, |(_, floor)| floor),
            });
            durability = durability.max(wish.durability);
            wishes.push(wish);
        }
        self.books.wishes.extend(later);
        if entries.is_empty() {
            return;
        }
        self.books.seq = self.books.seq.saturating_add(1);
        let (session, seq) = (self.books.session, self.books.seq);
        let ledger = Ledger { session, seq, entries, durability };
        self.effects.push_back(Effect::Journal(Record::Sent(ledger.clone())));
        self.books.flight = Some(Flight::new(ledger, Some(wishes), run));
    }
}
