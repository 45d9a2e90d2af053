//! What people see of the counters in memory, and setting one back.

use crate::counters::memory::{Held, Memory, lock};
use crate::counters::view::{AsOf, Row, Windows};
use crate::limit::counter::Counter;
use crate::limit::key::CounterKey;
use crate::limit::{Charge, Terms};
use crate::time::Timestamp;

/// How many different terms, their limits apart, a shard tells apart. Counters under others are
/// not shown.
const MANNERS_MAX: usize = 64;

/// What a counter was last held against, and what it refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) limit: u64,
    /// When the period began in which charges were refused.
    since: Timestamp,
    refused: u32,
    /// Which of the manners; none if there are too many.
    manner: Option<u8>,
}

/// The terms that the counters of a shard are held against, without their limits.
#[derive(Debug, Default)]
pub(super) struct Manners(Vec<Terms>);

impl Manners {
    fn number(&mut self, terms: &Terms) -> Option<u8> {
        let manner = Terms { limit: 0, ..*terms };
        let known = self.0.iter().position(|known| *known == manner);
        if known.is_none() && self.0.len() < MANNERS_MAX {
            self.0.push(manner);
        }
        let number = known.unwrap_or(self.0.len().saturating_sub(1));
        let is_known = self.0.get(number).is_some_and(|known| *known == manner);
        u8::try_from(number).ok().filter(|_| is_known)
    }

    fn terms(&self, seen: &Seen) -> Option<Terms> {
        let manner = self.0.get(usize::from(seen.manner?))?;
        Some(Terms { limit: seen.limit, ..*manner })
    }
}

impl Seen {
    pub(super) fn of(terms: &Terms, manners: &mut Manners) -> Self {
        let manner = manners.number(terms);
        Self { limit: terms.limit, since: Timestamp::default(), refused: 0, manner }
    }

    /// Something was refused under `terms`.
    pub(super) fn refuse(&mut self, terms: &Terms, manners: &mut Manners, now: Timestamp) {
        self.manner = manners.number(terms);
        if self.refused_of_late(terms, now) == 0 {
            (self.refused, self.since) = (0, now);
        }
        self.refused = self.refused.saturating_add(1);
    }

    fn refused_of_late(&self, terms: &Terms, now: Timestamp) -> u32 {
        let is_recent = terms.period.is_zero() || now.since(self.since) < terms.period;
        if is_recent { self.refused } else { 0 }
    }
}

impl Memory {
    /// Shows every counter that counts at `now`. A shard is held while its own are shown.
    pub(in crate::counters) fn look(
        &self,
        (as_of, now): (AsOf, Timestamp),
        mut show: impl FnMut(Row),
    ) {
        for shard in &self.shards {
            let shard = &mut *lock(shard);
            for (key, held) in &mut shard.counters {
                let terms = shard.manners.terms(&held.seen);
                if let Some(terms) = terms.filter(|_| !held.counter.is_over(now)) {
                    show(row(*key, held, &terms, (as_of, now)));
                }
            }
        }
    }

    /// Forgets what was used under `key`; says how much that was, none if nothing was.
    pub(in crate::counters) fn forget(&self, key: &CounterKey, now: Timestamp) -> Option<u64> {
        let shard = &mut *self.shard_of(key);
        let held = shard.counters.get_mut(key).filter(|held| !held.counter.is_over(now))?;
        let terms = shard.manners.terms(&held.seen)?;
        let used = held.counter.check(&Charge::recheck(*key, terms), now).used;
        // It stays where it is, for the sweep counts on every key of its queue.
        held.counter = Counter::new(&terms, 0, now);
        held.seen = Seen::of(&terms, &mut shard.manners);
        Some(used)
    }
}

fn row(key: CounterKey, held: &mut Held, terms: &Terms, (as_of, now): (AsOf, Timestamp)) -> Row {
    let tally = held.counter.check(&Charge::recheck(key, *terms), now);
    Row {
        key,
        limit: Some(terms.limit),
        period: terms.period,
        windows: Windows::alone(terms.course()),
        as_of,
        used: tally.used,
        remaining: Some(terms.limit.saturating_sub(tally.used)),
        refused: held.seen.refused_of_late(terms, now),
        ends_in: held.counter.ends_in(now),
        lane: None,
        rule: None,
        shared: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Counters;
    use crate::limit::key::{KeySpace, Kind};
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000 + seconds * 1_000_000)
    }

    fn rows(memory: &Memory, now: Timestamp) -> Vec<(u64, Option<u64>, u32)> {
        let mut rows = Vec::new();
        memory.look((AsOf::Memory, now), |row| rows.push((row.used, row.limit, row.refused)));
        rows
    }

    #[test]
    fn what_is_shown_is_what_counts_now_and_looking_changes_nothing() {
        let memory = Memory::new();
        let key = KeySpace::new(Kind::Rate, &[]).key("a");
        for (number, terms) in [Terms::sliding(3, MINUTE), Terms::sliding(2, MINUTE)]
            .into_iter()
            .cycle()
            .take(4)
            .enumerate()
        {
            let now = at(u64::try_from(number).unwrap());
            drop(memory.charge(&[Charge::take(key, terms, 1)], now));
        }
        // The third and the fourth found 2 used: one more fits 3, and none fits 2.
        assert_eq!(rows(&memory, at(4)), [(3, Some(2), 1)]);
        assert_eq!(rows(&memory, at(4)), [(3, Some(2), 1)]);
        assert_eq!(rows(&memory, at(61)), [(1, Some(2), 1)]);
        assert_eq!(rows(&memory, at(200)), []);
    }

    #[test]
    fn what_was_forgotten_may_be_used_again() {
        let memory = Memory::new();
        let key = KeySpace::new(Kind::QuotaCalls, &[]).key("a");
        let terms = Terms::fixed(2, MINUTE, Timestamp::default());
        let take = |now| drop(memory.charge(&[Charge::take(key, terms, 2)], now));
        assert_eq!(memory.forget(&key, at(0)), None);
        take(at(0));
        take(at(1));
        assert_eq!(rows(&memory, at(1)), [(2, Some(2), 1)]);
        assert_eq!(memory.forget(&key, at(1)), Some(2));
        assert_eq!(rows(&memory, at(1)), [(0, Some(2), 0)]);
        take(at(2));
        assert_eq!(rows(&memory, at(2)), [(2, Some(2), 0)]);
    }

    #[test]
    fn terms_beyond_those_that_are_told_apart_are_not_shown_and_still_held() {
        let memory = Memory::with_keys_max(64 * 1_000);
        for number in 0..20_000_u64 {
            let key = KeySpace::new(Kind::Rate, &[]).key(&number.to_string());
            let terms = Terms::sliding(1, MINUTE + Duration::from_millis(number));
            drop(memory.charge(&[Charge::take(key, terms, 1)], at(0)));
        }
        let shown = rows(&memory, at(0)).len();
        assert!((64 * MANNERS_MAX / 2..=64 * MANNERS_MAX).contains(&shown), "{shown}");
        assert_eq!(memory.usage().taken, 20_000);
    }
}
