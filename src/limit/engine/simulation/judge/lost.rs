//! What a loss of data takes, and how much of that nobody can make good.

use std::collections::HashMap;

use crate::limit::engine::Engine;
use crate::limit::engine::quota::Record;
use crate::limit::engine::rule::Grid;
use crate::limit::engine::simulation::judge::Judge;
use crate::limit::engine::simulation::plan::{Plan, SECOND};
use crate::limit::order::{Meter, Span};
use crate::limit::seller::ledger::Account;
use crate::limit::seller::{Primary, fixed};

impl Judge {
    /// How much of what was sold the next primary does not know of.
    pub(in crate::limit::engine::simulation) fn lost(before: &Primary, after: &Primary) -> u64 {
        let mut lost = 0;
        for (key, counter) in &before.fixed {
            let known = after.fixed.get(key).copied().unwrap_or_default();
            let gone = fixed::read(*counter).sold - fixed::read(known).sold;
            lost = lost.max(u64::try_from(gone).unwrap_or(0));
        }
        for (key, account) in &before.ledgers {
            let total = |account: &Account| account.total();
            lost += total(account).saturating_sub(after.ledgers.get(key).map_or(0, total));
        }
        for (key, ring) in &before.rings {
            let known = after.rings.get(key).cloned().unwrap_or_default();
            for (age, sold) in (0..).zip(&ring.back_from_newest) {
                let at = ring.newest - age;
                let back = known.newest.checked_sub(at).and_then(|back| usize::try_from(back).ok());
                let kept = back.and_then(|back| known.back_from_newest.get(back));
                lost += sold.saturating_sub(kept.copied().unwrap_or(0));
            }
        }
        lost
    }

    /// A failover is made good by those who saw what was lost. If some of them are dead or cut
    /// off, or nobody notices, what was lost may be sold again.
    pub(in crate::limit::engine::simulation) fn failed_over(&mut self, plan: &Plan, lost: u64) {
        let failover = plan.failover.as_ref().unwrap();
        let (from, to) = (failover.at.saturating_sub(failover.lag), failover.at + 3 * SECOND);
        let cut = plan.cuts.iter().any(|cut| {
            from < cut.to && cut.from < to && {
                cut.to > failover.at + 100_000 || cut.who.len() < plan.replicas
            }
        });
        let crash = plan.crashes.iter().any(|crash| from < crash.to && crash.from < to);
        let pause = plan.pauses.iter().any(|pause| from < pause.to && pause.from < to);
        // Who leaves takes along what only it has seen.
        let left = plan.leaves.iter().any(|(_, at)| from < *at && *at < to);
        let lossy = plan.loses_one_in > 0 || left;
        if failover.hidden || cut || crash || pause || lossy || plan.rule.grid().is_bucket() {
            self.slack = lost;
        }
        if plan.rule.grid().is_bucket() {
            self.slack = u64::MAX / 4;
        }
        if failover.jump != 0 {
            // Windows are those of the clock that was followed; around the change there are two.
            self.slack = self.slack.saturating_add(plan.rule.limit());
        }
    }

    /// Data that are lost are made good by those who saw them. What those knew who died or left in
    /// the period before, or in the fast mode are cut off, may be sold again. And who starts while
    /// somebody is cut off knows nothing of whom the table has lost, and is taken for it by others:
    /// its share may be sold beside it.
    pub(in crate::limit::engine::simulation) fn wiped(&mut self, plan: &Plan, lost: u64) {
        let at = plan.wipe.unwrap();
        let grid = plan.rule.grid();
        let (from, to) = (at.saturating_sub(SECOND), at + 3 * SECOND);
        let lasts = if grid.is_ring() { grid.period + grid.length } else { grid.period };
        let counts_from = at.saturating_sub(lasts.max(SECOND));
        let dies = plan.crashes.iter().any(|crash| counts_from < crash.to && crash.from < to)
            || plan.leaves.iter().any(|(_, at)| counts_from < *at && *at < to);
        let is_away = plan.cuts.iter().any(|cut| from < cut.to && cut.from < to)
            || plan.pauses.iter().any(|pause| from < pause.to && pause.from < to)
            || plan.loses_one_in > 0;
        // Of a quota, what only those knew who were gone long before.
        let knew = plan.crashes.iter().any(|crash| crash.from < to)
            || plan.leaves.iter().any(|(_, at)| *at < to);
        let dies = dies || knew && plan.rule.grid().is_quota();
        if dies || is_away && (self.is_fast || plan.rule.grid().is_quota()) {
            self.slack = lost;
        }
        let cuts = plan.cuts.iter().filter(|cut| from < cut.to && cut.from < to);
        let since = cuts.map(|cut| cut.from).min().unwrap_or(from).min(from);
        let starts = plan.joins.iter().any(|(_, at)| since < *at)
            || plan.crashes.iter().any(|crash| since < crash.to);
        if is_away && starts {
            // No more than all shares, in any window.
            self.slack = lost.max(plan.rule.limit());
        }
        if plan.rule.grid().is_bucket() {
            self.slack = u64::MAX / 4;
        }
    }
}

/// What a journal says was used and in no report.
pub(super) fn used_by(journal: &[Record]) -> u64 {
    used_in(journal).values().sum()
}

/// What a desk used and has neither reported nor written down, window by window.
pub(super) fn unwritten(desk: &Engine, journal: &[Record]) -> u64 {
    let written = used_in(journal);
    let slots = (0..desk.slots.end()).filter_map(|at| desk.slots.get(u32::try_from(at).unwrap()));
    let mut sum = 0;
    for slot in slots {
        let grid = Grid::of_form(slot.key.form, slot.key.period);
        for (window, used) in slot.extra().into_iter().flat_map(|extra| extra.used.iter()) {
            let key = (grid.meter(slot.key.key), grid.span(window));
            sum += used.saturating_sub(written.get(&key).copied().unwrap_or(0));
        }
    }
    sum
}

fn used_in(journal: &[Record]) -> HashMap<(Meter, Span), u64> {
    let mut used: HashMap<(Meter, Span), u64> = HashMap::new();
    for record in journal {
        if let Record::Used { meter, span, amount } = record {
            used.insert((*meter, *span), *amount);
        }
    }
    used
}

/// What a journal says was used and in a report without an answer.
pub(super) fn sent_by(journal: &[Record]) -> u64 {
    let sent = journal.iter().filter_map(|record| match record {
        Record::Sent(ledger) => Some(&ledger.entries),
        Record::Done { .. } | Record::Used { .. } => None,
    });
    sent.flatten().map(|entry| u64::try_from(entry.delta).unwrap_or(0)).sum()
}
