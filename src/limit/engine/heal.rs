//! The way back in touch, for one desk: first every counter is lifted to what this replica saw of
//! it, then what it admitted on its own is charged, and only when all that is acknowledged is it
//! healed. What was not acknowledged is reported again next time: counting twice is the safe side.

use std::sync::Arc;

use crate::limit::engine::errands::{Told, What};
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::Grid;
use crate::limit::engine::slot::Slot;
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::engine::{Effect, Engine};
use crate::limit::order::{
    Change, FLOORS_MAX, Fixed, FixedSold, Floor, MARKS_MAX, Mark, Order, Raise, Reply, Ring,
};
use crate::time::Timestamp;

/// How many reports of one desk are on their way at once: few enough that those of all desks are
/// answered within their deadline, for one that is late starts the round over.
const REPORTS_MAX: usize = 4;

/// How often a report that was not acknowledged is repeated before the round is given up.
const REPEATS_MAX: u8 = 5;

/// A desk on its way back.
#[derive(Debug)]
pub(super) struct Heal {
    round: u32,
    step: HealStep,
    /// Where in the slots it is.
    hand: u32,
    /// Up to which window that slot is charged, or about to be.
    charged: Option<u64>,
    on_the_way: usize,
    /// How often the report to ledgers that is due was not acknowledged.
    lost: u8,
    /// Floors that wait for company.
    floors: Vec<Floor>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum HealStep {
    Raise,
    Charge,
    Books,
}

/// A report, and what it charges.
type Report = (Order, Vec<(u32, u64, u64)>);

impl Engine {
    /// Stands differently from now on.
    pub fn stand(&mut self, now: Timestamp, standing: Arc<Standing>) {
        let is_new_round = standing.round != self.standing.round;
        self.strange = false;
        let before = std::mem::replace(&mut self.standing, standing);
        if before.run != self.standing.run && before.run != 0 {
            self.note_takeover(before.run);
        }
        if self.standing.touch != Touch::Healing {
            self.heal = None;
        } else if is_new_round {
            let round = self.standing.round;
            let (step, floors) = (HealStep::Raise, Vec::new());
            self.heal =
                Some(Heal { round, step, hand: 0, charged: None, on_the_way: 0, lost: 0, floors });
            self.report(now);
        }
        self.serve_all(now);
    }

    /// An outcome of a report: one that is lost is made again, which may charge twice.
    pub(super) fn reported(
        &mut self,
        now: Timestamp,
        round: u32,
        reply: Option<&Reply>,
        told: Told,
    ) {
        let ok = reply.is_some();
        if let Some(reply) = reply {
            for (place, window, amount) in &told.charged {
                let Some(slot) = self.slots.get_mut(*place) else { continue };
                slot.charged(*window, *amount, reply);
            }
        }
        let Some(heal) = self.heal.as_mut().filter(|heal| heal.round == round) else { return };
        if ok {
            heal.on_the_way = heal.on_the_way.saturating_sub(1);
            self.report(now);
            return;
        }
        let repeats = told.repeats.saturating_add(1);
        let order = told.order.clone();
        if REPEATS_MAX < repeats || !self.send(now, What::Report(Told { repeats, ..told }), order) {
            self.heal = None;
            self.effects.push_back(Effect::Unhealed { round });
        }
    }

    /// A report to ledgers was answered, or was not.
    pub(super) fn books_in_heal(&mut self, now: Timestamp, ok: bool) {
        let due = self.heal.as_mut().filter(|heal| heal.step == HealStep::Books);
        let Some(heal) = due else { return };
        heal.lost = if ok { 0 } else { heal.lost.saturating_add(1) };
        if heal.lost <= REPEATS_MAX {
            self.report(now);
            return;
        }
        let round = heal.round;
        self.heal = None;
        self.effects.push_back(Effect::Unhealed { round });
    }

    /// Sends as many reports as may be on their way.
    fn report(&mut self, now: Timestamp) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        let Some(mut heal) = self.heal.take() else { return };
        let round = heal.round;
        while heal.on_the_way < REPORTS_MAX {
            let Some((order, charged)) = self.next_report(&mut heal, moment) else {
                if heal.on_the_way > 0 {
                    break;
                }
                // All of this step is acknowledged.
                heal.hand = 0;
                match heal.step {
                    HealStep::Raise => heal.step = HealStep::Charge,
                    HealStep::Charge => heal.step = HealStep::Books,
                    HealStep::Books => {
                        // An answered report may have been written before the last was used.
                        if self.books.are_closed() {
                            self.report_all_ledgers();
                        }
                        if self.books.are_closed() {
                            self.effects.push_back(Effect::Healed { round });
                            return;
                        }
                        if self.send_report(now) {
                            break;
                        }
                        if !self.books.are_closed() {
                            self.effects.push_back(Effect::Unhealed { round });
                            return;
                        }
                    }
                }
                continue;
            };
            let told = Told { charged, order: order.clone(), repeats: 0 };
            if !self.send(now, What::Report(told), order) {
                self.effects.push_back(Effect::Unhealed { round });
                return;
            }
            heal.on_the_way = heal.on_the_way.saturating_add(1);
        }
        self.heal = Some(heal);
    }

    fn next_report(&self, heal: &mut Heal, moment: Moment) -> Option<Report> {
        if heal.step == HealStep::Books {
            return None;
        }
        while usize::try_from(heal.hand).unwrap_or(usize::MAX) < self.slots.end() {
            let place = heal.hand;
            let charged = heal.charged.take();
            heal.hand = heal.hand.saturating_add(1);
            let Some(slot) = self.slots.get(place) else { continue };
            let grid = Grid::of_form(slot.key.form, slot.key.period);
            if heal.step == HealStep::Charge {
                let Some(report) = self.charge(place, slot, &grid, (moment, charged)) else {
                    continue;
                };
                // The clock may not be sure which of two windows it is: there may be another one.
                if !grid.is_ring() && !grid.is_bucket() {
                    heal.hand = place;
                    heal.charged = report.1.last().map(|(_, window, _)| *window);
                }
                return Some(report);
            }
            heal.floors.extend(floors(slot, &grid, moment));
            if heal.floors.len() >= FLOORS_MAX.saturating_sub(1) {
                let floors = std::mem::take(&mut heal.floors);
                return Some((Order::Raise(Raise { floors }), Vec::new()));
            }
        }
        if heal.floors.is_empty() {
            return None;
        }
        let floors = std::mem::take(&mut heal.floors);
        Some((Order::Raise(Raise { floors }), Vec::new()))
    }

    /// What was admitted in `slot` without having been bought, in the next window after the one
    /// that is `charged`; of a ring everything, with what was seen.
    fn charge(
        &self,
        place: u32,
        slot: &Slot,
        grid: &Grid,
        (moment, charged): (Moment, Option<u64>),
    ) -> Option<Report> {
        if grid.is_quota() {
            return None;
        }
        if grid.is_bucket() {
            let order = Order::Bucket(self.bucket_charge(place, moment)?);
            return Some((order, vec![(place, 0, 0)]));
        }
        let meter = grid.meter(slot.key.key);
        let number = grid.number(moment.early);
        if grid.is_ring() {
            return ring_report(place, slot, grid, number);
        }
        let used = &slot.extra()?.used;
        // What is acknowledged is not there any more: windows are not counted, but compared.
        let is_due = |window: u64| number <= window && charged.is_none_or(|last| last < window);
        let due = used.iter().filter(|(window, _)| is_due(*window));
        let (window, amount) = due.min_by_key(|(window, _)| *window)?;
        let span = grid.span(window);
        let order = Order::Fixed(Fixed { meter, span, want: amount, back: 0 });
        Some((order, vec![(place, window, amount)]))
    }
}

impl Slot {
    /// `amount` that was used in `window` is charged: the counter holds it from now on, and this
    /// replica is a witness of that.
    fn charged(&mut self, window: u64, amount: u64, reply: &Reply) {
        let is_ring = Grid::of_form(self.key.form, self.key.period).is_ring();
        let Some(extra) = self.extra_if() else { return };
        extra.used.take(window, amount);
        extra.bucket = None;
        if is_ring {
            extra.told.add(window, amount);
            // It was lifted to what was seen of it first.
            let seen = self.seen_in(window);
            let seen = if window == self.window { seen.max(self.here) } else { seen };
            self.seen_mut().raise(window, seen.saturating_add(amount));
        } else if let Reply::Fixed(FixedSold { sold, returns }, _) = reply
            && window == self.window
        {
            self.sold = self.sold.max(u64::try_from(*sold).unwrap_or(0));
            self.returns = self.returns.max(u16::try_from(*returns).unwrap_or(u16::MAX));
        }
    }
}

/// What a fixed window and the next one were seen to have sold.
fn floors(slot: &Slot, grid: &Grid, moment: Moment) -> Vec<Floor> {
    if grid.is_ring() || grid.is_bucket() || grid.is_quota() {
        return Vec::new();
    }
    let meter = grid.meter(slot.key.key);
    let ahead = Some(slot.ahead()).filter(|ahead| ahead.is_known).map_or(0, |ahead| ahead.sold);
    let seen = [(slot.window, slot.sold), (slot.window.saturating_add(1), ahead)];
    let lasting =
        seen.into_iter().filter(|(window, sold)| *sold > 0 && moment.early < grid.ends(*window));
    lasting.map(|(window, sold)| Floor { meter, span: grid.span(window), sold }).collect()
}

/// Everything about a ring in one order: what was seen of it first, then what was used.
fn ring_report(place: u32, slot: &Slot, grid: &Grid, number: u64) -> Option<Report> {
    let oldest = number.saturating_sub(grid.reach());
    let counts = |at: u64| oldest <= at;
    let mut marks = Vec::new();
    let mut charged = Vec::new();
    let mut floor = |at: u64, seen: u64| {
        if counts(at) && seen > 0 {
            marks.push(Mark { at, change: Change::Floor(seen) });
        }
    };
    for (at, seen) in slot.seen() {
        floor(at, if at == slot.window { seen.max(slot.here) } else { seen });
    }
    if slot.seen_in(slot.window) == 0 {
        floor(slot.window, slot.here);
    }
    for (at, used) in slot.extra().into_iter().flat_map(|extra| extra.used.iter()) {
        if counts(at) && marks.len() < MARKS_MAX {
            marks.push(Mark { at, change: Change::Charge(used) });
            charged.push((place, at, used));
        }
    }
    if marks.is_empty() {
        return None;
    }
    // A mark far ahead of the newest sub-window would be ignored: in order, each leads the next.
    marks.sort_by_key(|mark| mark.at);
    let meter = grid.meter(slot.key.key);
    let (parts, want, bound) = (grid.parts, 0, 0);
    let order = Order::Ring(Ring { meter, parts, at: number, want, bound, marks });
    Some((order, charged))
}
