//! What becomes of a report that was answered.

use crate::limit::engine::quota::{DENY_MICROS, REPEAT, Record, Wish};
use crate::limit::engine::rule::Grid;
use crate::limit::engine::{Effect, Engine, sizing};
use crate::limit::order::members::Epoch;
use crate::limit::order::{EntrySold, Ledger, LedgerEntry, LedgerSold};
use crate::time::Timestamp;

impl Engine {
    /// An answer to a report, or none.
    pub(in crate::limit::engine) fn booked(
        &mut self,
        now: Timestamp,
        round: u32,
        reply: Option<(LedgerSold, Epoch)>,
    ) {
        let Some(mut flight) = self.books.flight.take() else { return };
        let Some((reply, epoch)) = reply else {
            flight.on_the_way = false;
            flight.repeat_at = now + REPEAT;
            self.books.flight = Some(flight);
            self.books_in_heal(now, false);
            return;
        };
        let Ledger { session, seq, entries, .. } = flight.ledger;
        self.effects.push_back(Effect::Journal(Record::Done { session, seq }));
        let sold = match reply {
            LedgerSold::Sold(sold) => sold,
            // A later report of the session was answered: nothing of this one is open.
            LedgerSold::Stale => Vec::new(),
        };
        // What was written for other data may have been granted by those that had nothing any more.
        let is_strange = self.is_strange(round, epoch) || flight.run != self.standing.run;
        let none = EntrySold { granted: 0, total: 0 };
        let mut places = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let sold = sold.get(index).copied().unwrap_or(none);
            match flight.wishes.as_ref().and_then(|wishes| wishes.get(index)) {
                Some(wish) if is_strange || !flight.is_durable && 0 < sold.granted => {
                    // What is missing in that ledger was not asserted before, or nobody but its
                    // primary may have it: what it granted stays charged, and is not spent.
                    if let Some(slot) = self.slots.get_mut(wish.place) {
                        slot.flags.queued &= wish.is_report;
                    }
                    self.facts.bought = self.facts.bought.saturating_add(sold.granted);
                    self.facts.expired = self.facts.expired.saturating_add(sold.granted);
                    places.push(wish.place);
                }
                Some(wish) => {
                    self.granted(now, wish, sold);
                    places.push(wish.place);
                }
                None => self.inherited(entry, sold),
            }
        }
        self.open_books(now);
        self.books_in_heal(now, true);
        for place in places {
            self.serve(place, now);
            // What was used meanwhile, while Redis was silent, waits for nobody who asks again.
            self.report_to_ledger(place);
        }
        self.open_books(now);
    }

    fn granted(&mut self, now: Timestamp, wish: &Wish, sold: EntrySold) {
        let moment = self.standing.clock.at(now);
        let Some(slot) = self.slots.get_mut(wish.place) else { return };
        slot.flags.queued &= wish.is_report;
        self.facts.bought = self.facts.bought.saturating_add(sold.granted);
        if slot.window != wish.window {
            self.facts.expired = self.facts.expired.saturating_add(sold.granted);
            return;
        }
        slot.balance = slot.balance.saturating_add_unsigned(sold.granted);
        slot.own = slot.own.saturating_add(sold.granted);
        slot.sold = sold.total;
        slot.here = moment.map_or(slot.here, |moment| moment.early);
        slot.forget_estimate();
        if sold.granted > 0 {
            slot.top = sold.total;
        }
        slot.fraction = sizing::fraction(slot.own, slot.sold, self.standing.members);
        slot.refill_below = i64::MAX;
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        if slot.balance < 0 && 0 < wish.want && sold.granted == wish.want && !slot.flags.queued {
            // More was owed meanwhile, and perhaps nobody asks for this key again.
            slot.flags.queued = true;
            let want = slot.balance.unsigned_abs();
            self.books.wishes.push_back(Wish { want, ..wish.clone() });
            return;
        }
        if let Some(moment) = moment.filter(|_| sold.granted < wish.want) {
            let ends = grid.ends(slot.window);
            let denied = slot.denied_mut();
            denied.bound = wish.bound;
            denied.until = ends.min(moment.early.saturating_add(DENY_MICROS));
            denied.retry_at = ends;
        }
    }

    /// What an earlier life was granted may have been spent just before it ended: it stays charged.
    fn inherited(&mut self, entry: &LedgerEntry, sold: EntrySold) {
        if let Some(slot) = self.ledger_slot(entry.meter, entry.span) {
            slot.sold = slot.sold.max(sold.total);
        }
    }
}
