//! Ledgers of quotas: what was used in a period, each report counted exactly once.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::limit::order::members::Epoch;
use crate::limit::order::{EntrySold, LEDGER_ENTRIES_MAX, Ledger, LedgerEntry, LedgerSold};
use crate::limit::order::{Meter, Span};
use crate::limit::seller::{SEQ_MAX, total};

/// One ledger.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// What was asserted since the primary of `run` took over.
    pub floor: u64,
    /// What came since: sold and charged, less what was handed back.
    pub added: i64,
    /// The primary that `added` was added under, and the epoch.
    pub era: Era,
}

/// The run of a primary, and the epoch of the data, which is none as long as nobody began one.
pub type Era = (u64, Epoch);

/// The last report of a session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LastReport {
    /// Which it was.
    pub seq: u64,
    /// What it was answered; none: no report was made yet.
    pub reply: Option<Vec<EntrySold>>,
}

/// `ledger.lua`, in `era`.
pub fn report<S: BuildHasher>(
    last: &mut LastReport,
    accounts: &mut HashMap<(Meter, Span), Account, S>,
    era: Era,
    order: &Ledger,
) -> LedgerSold {
    let seq = order.seq.min(SEQ_MAX);
    if let Some(reply) = &last.reply {
        if seq == last.seq {
            return LedgerSold::Sold(reply.clone());
        }
        if seq < last.seq {
            return LedgerSold::Stale;
        }
    }
    let entries = order.entries.iter().take(LEDGER_ENTRIES_MAX);
    let sold: Vec<EntrySold> = entries
        .map(|entry| sell(accounts.entry((entry.meter, entry.span)).or_default(), era, entry))
        .collect();
    *last = LastReport { seq, reply: Some(sold.clone()) };
    LedgerSold::Sold(sold)
}

fn sell(account: &mut Account, era: Era, entry: &LedgerEntry) -> EntrySold {
    if account.era != era && account.era != (era.0, Epoch::NONE) {
        // What another primary had, or this one in an epoch that is forgotten, is the least that
        // there is; what was lost is asserted next. What came before there was an epoch belongs to
        // the first.
        (account.floor, account.added) = (account.total(), 0);
    }
    account.era = era;
    account.floor = account.floor.max(total(entry.floor));
    account.add(delta(entry.delta));
    let granted = total(entry.want).min(total(entry.bound).saturating_sub(account.total()));
    account.add(signed(granted));
    EntrySold { granted, total: account.total() }
}

/// The change of a ledger, as far as scripts can count.
pub fn delta(delta: i64) -> i64 {
    delta.clamp(-signed(total(u64::MAX)), signed(total(u64::MAX)))
}

impl Account {
    /// What was used, as far as this primary knows.
    pub fn total(&self) -> u64 {
        self.floor.saturating_add_signed(self.added)
    }

    /// No total is below zero, and none above what scripts can count.
    fn add(&mut self, tokens: i64) {
        let after = total(self.floor.saturating_add_signed(self.added.saturating_add(tokens)));
        self.added = signed(after).saturating_sub(signed(self.floor));
    }
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::durability::Durability;
    use crate::limit::order::{ReplicaId, Session};
    use crate::limit::seller::Primary;

    fn entry(want: u64, delta: i64, floor: u64) -> LedgerEntry {
        let key = KeySpace::new(Kind::QuotaCalls, &[]).key("a");
        let meter = Meter { key, period: 1_000 };
        LedgerEntry { meter, span: Span { starts: 0, ends: 1_000 }, bound: 100, want, delta, floor }
    }

    fn order(replica: u128, seq: u64, entry: LedgerEntry) -> Ledger {
        let session = Session { replica: ReplicaId(replica), incarnation: 1, desk: 0 };
        Ledger { session, seq, entries: vec![entry], durability: Durability::Memory }
    }

    fn ask(primary: &mut Primary, order: &Ledger) -> LedgerSold {
        let last = primary.sessions.entry(order.session).or_default();
        let era = (primary.run, primary.members.epoch);
        report(last, &mut primary.ledgers, era, order)
    }

    fn sold(granted: u64, total: u64) -> LedgerSold {
        LedgerSold::Sold(vec![EntrySold { granted, total }])
    }

    #[test]
    fn a_report_is_counted_once_however_often_it_comes() {
        let mut primary = Primary { run: 7, ..Primary::default() };
        assert_eq!(ask(&mut primary, &order(1, 1, entry(10, 5, 0))), sold(10, 15));
        assert_eq!(ask(&mut primary, &order(1, 1, entry(10, 5, 0))), sold(10, 15));
        assert_eq!(ask(&mut primary, &order(1, 2, entry(0, 0, 0))), sold(0, 15));
        assert_eq!(ask(&mut primary, &order(1, 1, entry(10, 5, 0))), LedgerSold::Stale);
        assert_eq!(ask(&mut primary, &order(2, 1, entry(90, 0, 0))), sold(85, 100));
    }

    #[test]
    fn the_first_report_may_have_any_number() {
        let mut primary = Primary::default();
        assert_eq!(ask(&mut primary, &order(1, 0, entry(1, 0, 0))), sold(1, 1));
        assert_eq!(ask(&mut primary, &order(1, 0, entry(1, 0, 0))), sold(1, 1));
    }

    #[test]
    fn floors_and_changes_may_come_in_any_order_under_a_new_primary() {
        let start = Primary { run: 1, ..Primary::default() };
        let mut orders = [
            order(1, 1, entry(0, 4, 30)),
            order(2, 1, entry(0, 3, 20)),
            order(3, 1, entry(0, 2, 25)),
        ];
        for _ in 0..orders.len() {
            let mut primary = start.clone();
            let replies: Vec<_> = orders.iter().map(|order| ask(&mut primary, order)).collect();
            assert_eq!(replies.last(), Some(&sold(0, 39)));
            orders.rotate_left(1);
        }
    }

    #[test]
    fn what_an_older_primary_had_is_the_floor_of_the_next() {
        let mut primary = Primary { run: 1, ..Primary::default() };
        ask(&mut primary, &order(1, 1, entry(0, 50, 0)));
        primary.run = 2;
        assert_eq!(ask(&mut primary, &order(2, 1, entry(0, 1, 60))), sold(0, 61));
        assert_eq!(ask(&mut primary, &order(1, 2, entry(0, 1, 40))), sold(0, 62));
    }

    #[test]
    fn what_was_added_in_an_epoch_that_is_forgotten_is_in_the_floor_of_the_next() {
        let mut primary = Primary { run: 1, ..Primary::default() };
        // What came before there was an epoch belongs to the first.
        ask(&mut primary, &order(1, 1, entry(0, 10, 0)));
        primary.members.epoch = Epoch(5);
        assert_eq!(ask(&mut primary, &order(1, 2, entry(0, 40, 20))), sold(0, 70));
        primary.members.epoch = Epoch(7);
        assert_eq!(ask(&mut primary, &order(1, 3, entry(0, 1, 70))), sold(0, 71));
        // The data of that epoch are lost with it.
        primary.ledgers.clear();
        primary.members.epoch = Epoch(9);
        ask(&mut primary, &order(1, 4, entry(0, 2, 0)));
        assert_eq!(ask(&mut primary, &order(1, 5, entry(0, 0, 71))), sold(0, 73));
    }

    #[test]
    fn a_ledger_is_never_below_zero_and_never_past_all_numbers() {
        let mut primary = Primary::default();
        assert_eq!(ask(&mut primary, &order(1, 1, entry(0, -9, 0))), sold(0, 0));
        assert_eq!(ask(&mut primary, &order(1, 2, entry(0, i64::MIN, 3))), sold(0, 0));
        let most = total(u64::MAX);
        assert_eq!(ask(&mut primary, &order(1, 3, entry(1, i64::MAX, u64::MAX))), sold(0, most));
    }
}
