//! What outlives a process: what the journal says is taken up again, and written down.

use crate::limit::engine::quota::{Flight, JOURNAL, REPEAT, Record, Total};
use crate::limit::engine::rule::Grid;
use crate::limit::engine::slot::{Slot, SlotKey};
use crate::limit::engine::{Effect, Engine, sizing};
use crate::limit::order::{Meter, Span};
use crate::time::Timestamp;

impl Engine {
    /// What an earlier life wrote into its journal, oldest first. To be called before anything is
    /// admitted.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            match record {
                Record::Sent(ledger) => {
                    let run = self.standing.run;
                    self.books.flight = Some(Flight::new(ledger, None, run));
                }
                Record::Done { session, seq } => {
                    let answered = self.books.flight.take_if(|flight| {
                        flight.ledger.session == session && flight.ledger.seq <= seq
                    });
                    drop(answered);
                }
                Record::Used { meter, span, amount } => self.restore_use(meter, span, amount),
            }
        }
    }

    /// Tells the totals of ledgers whose periods last, as last seen: for a copy outside of Redis.
    /// Those at `places` from `from` on, at most `count` places; says where to go on.
    pub fn totals(
        &self,
        now: Timestamp,
        (from, count): (u32, u32),
        mut tell: impl FnMut(Total),
    ) -> Option<u32> {
        let early = self.standing.clock.at(now).map_or(0, |moment| moment.early);
        let end = u32::try_from(self.slots.end()).unwrap_or(u32::MAX);
        let to = from.saturating_add(count).min(end);
        for slot in (from..to).filter_map(|place| self.slots.get(place)) {
            let grid = Grid::of_form(slot.key.form, slot.key.period);
            if !grid.is_quota() || slot.window < grid.number(early) {
                continue;
            }
            // What is still to be asserted was seen under that primary, not under this one.
            let floor = slot.extra().and_then(|extra| extra.floor);
            let (run, total) = floor.unwrap_or((self.standing.run, slot.sold));
            if total > 0 {
                let (meter, span) = (grid.meter(slot.key.key), grid.span(slot.window));
                tell(Total { meter, span, total, run });
            }
        }
        (to < end).then_some(to)
    }

    /// The total of a ledger from a copy outside of Redis: if it was seen of other data than there
    /// are now, the ledger is lifted to that at least. To be called after [`Self::restore`], and
    /// best before anything is admitted: what was sold by then comes on top.
    pub fn restore_total(&mut self, total: Total) {
        let Total { meter, span, total, run } = total;
        if run == self.standing.run {
            return;
        }
        if let Some(slot) = self.ledger_slot(meter, span) {
            let extra = slot.extra_mut();
            if extra.floor.is_none_or(|(_, known)| known < total) {
                extra.floor = Some((run, total));
            }
        }
    }

    /// Another primary has taken over: what was seen under the last one is the least there is.
    pub(in crate::limit::engine) fn note_takeover(&mut self, before: u64) {
        for place in 0..self.slots.end() {
            let Ok(place) = u32::try_from(place) else { return };
            let Some(slot) = self.slots.get_mut(place) else { continue };
            let grid = Grid::of_form(slot.key.form, slot.key.period);
            if grid.is_quota() && slot.sold > 0 {
                let seen = slot.sold;
                let floor = slot.extra_mut().floor.map_or(seen, |(_, floor)| floor.max(seen));
                slot.extra_mut().floor = Some((before, floor));
            }
        }
    }

    fn restore_use(&mut self, meter: Meter, span: Span, amount: u64) {
        let window = Grid::of_quota(meter.period, span.starts).number(span.starts);
        if let Some(slot) = self.slot_of_ledger(meter, span) {
            // There may be some of a period that was over when the life was.
            slot.window = slot.window.max(window);
            let used = &mut slot.extra_mut().used;
            used.take(window, used.of(window));
            used.add(window, amount);
        }
    }

    /// The slot of a ledger, made if there is none, if it is not in another period.
    pub(super) fn ledger_slot(&mut self, meter: Meter, span: Span) -> Option<&mut Slot> {
        let number = Grid::of_quota(meter.period, span.starts).number(span.starts);
        self.slot_of_ledger(meter, span).filter(|slot| slot.window == number)
    }

    /// The slot of a ledger, made if there is none, whatever its period.
    fn slot_of_ledger(&mut self, meter: Meter, span: Span) -> Option<&mut Slot> {
        let grid = Grid::of_quota(meter.period, span.starts);
        let key = SlotKey { key: meter.key, period: grid.period, form: grid.form };
        let hash = self.slots.hash();
        let hash_of = |key: &SlotKey| hash.of(key.key.to_bytes(), key.period ^ key.form);
        let number = grid.number(span.starts);
        let place = match self.slots.find(&key, hash_of(&key)) {
            Some(place) => place,
            None if self.slots.len() >= self.slots_max => return None,
            None => {
                let fraction = sizing::fraction_of_many(&grid, self.standing.members);
                let mut slot = Slot::new(key, fraction, 0);
                slot.window = number;
                self.slots.insert(slot, hash_of)?
            }
        };
        self.slots.get_mut(place)
    }

    /// Notes that a slot was used out of touch.
    pub(in crate::limit::engine) fn note_use(&mut self, place: u32, now: Timestamp) {
        if self.books.unwritten.is_empty() {
            self.books.journal_at = now + JOURNAL;
        }
        if let Some(slot) = self.slots.get_mut(place).filter(|slot| !slot.flags.unwritten) {
            slot.flags.unwritten = true;
            self.books.unwritten.push(place);
        }
    }

    /// Writes down what was used, and repeats what was not answered, when it is time.
    pub(in crate::limit::engine) fn keep_books(&mut self, now: Timestamp) {
        if self.books.journal_at <= now {
            for place in std::mem::take(&mut self.books.unwritten) {
                let Some(slot) = self.slots.get_mut(place) else { continue };
                slot.flags.unwritten = false;
                let grid = Grid::of_form(slot.key.form, slot.key.period);
                let used = slot.extra().map_or(0, |extra| extra.used.of(slot.window));
                let (meter, span) = (grid.meter(slot.key.key), grid.span(slot.window));
                let record = Record::Used { meter, span, amount: used };
                self.effects.push_back(Effect::Journal(record));
            }
        }
        self.open_books(now);
        // What could not be sent is not due for ever.
        if let Some(flight) = self.books.flight.as_mut().filter(|flight| !flight.on_the_way) {
            flight.repeat_at = flight.repeat_at.max(now + REPEAT);
        }
    }
}
