//! Counters as people see them: a row for each, whichever home it has.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::concurrency::Inside;
use crate::limit::engine::census::Sight;
use crate::limit::engine::rule::{Rule, Shape};
use crate::limit::key::CounterKey;
use crate::limit::manner::Course;

/// How many keys a prefix that fits several is answered with at most.
pub const CANDIDATES_MAX: usize = 20;

/// The most rows that are shown at once.
pub const ROWS_MAX: usize = 1_000;

/// One counter.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is counted.
    pub key: CounterKey,
    /// The limit it was last held against; none: only its use is known.
    pub limit: Option<u64>,
    /// In what time the limit may be used; zero: once and for all.
    pub period: Duration,
    /// In which windows.
    pub windows: Windows,
    /// Who says so.
    pub as_of: AsOf,
    /// How much is used, as far as is known here.
    pub used: u64,
    /// How much is left: of the limit, or of what this replica may admit on its own.
    pub remaining: Option<u64>,
    /// How many charges this replica refused in this period.
    pub refused: u32,
    /// Until the window ends; none: each moment ends one, or it never does.
    pub ends_in: Option<Duration>,
    /// Which lane it belongs to; none: it is in this process.
    pub lane: Option<u16>,
    /// The rule of a shared counter.
    pub rule: Option<Arc<Rule>>,
    /// What else is known of a shared counter.
    pub shared: Option<Box<Sight>>,
}

/// One key of `limit-concurrency`.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Which.
    pub key: CounterKey,
    /// Who is inside, and who may be.
    pub known: Inside,
    /// Who says so.
    pub as_of: AsOf,
    /// Which lane it belongs to; none: it is in this process.
    pub lane: Option<u16>,
}

/// In which windows a counter counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Windows {
    /// One after the other.
    Fixed,
    /// Each moment ends one.
    Sliding,
    /// A token bucket.
    Bucket,
    /// One after the other, in a ledger.
    Quota,
}

/// Who says how much is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AsOf {
    /// Redis, when this replica last bought: all replicas together.
    Redis,
    /// This replica, which is out of touch with Redis: what it saw before, and its share.
    OwnShare,
    /// This gateway, for itself alone.
    Memory,
}

/// The first digits of the digest of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Prefix {
    value: u128,
    /// How many bits of a digest come after it.
    rest: u32,
}

/// What fits a prefix.
#[derive(Clone, Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The counters of one key.
    One(Vec<Row>),
    /// A key of `limit-concurrency`.
    Room(Room),
    /// Several keys, some of them.
    Several(Vec<CounterKey>),
}

/// What has a limit that it may be near to.
pub(super) trait Near {
    /// What it counts.
    fn key(&self) -> &CounterKey;

    /// How near it is: the greater, the nearer.
    fn nearness(&self) -> (u128, u64);

    /// Whether there is nothing to be shown of it.
    fn is_idle(&self) -> bool;
}

/// The `count` rows that are nearest to their limits.
#[derive(Debug)]
pub(super) struct Top<R> {
    count: usize,
    rows: Vec<R>,
}

/// The rows that fit a prefix.
#[derive(Debug)]
pub(super) struct Search<'a> {
    prefix: &'a Prefix,
    rows: Vec<Row>,
    room: Option<Room>,
    keys: Vec<CounterKey>,
}

impl Prefix {
    /// Reads 1 to 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let length = u32::try_from(text.len()).ok().filter(|length| (1..=32).contains(length))?;
        let is_number = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let value = u128::from_str_radix(text, 16).ok().filter(|_| is_number)?;
        Some(Self { value, rest: 32_u32.saturating_sub(length).saturating_mul(4) })
    }

    /// Whether the digest of `key` begins so.
    pub fn fits(&self, key: &CounterKey) -> bool {
        u128::from_be_bytes(key.to_bytes()) >> self.rest == self.value
    }
}

/// The digest of a key, as people write it: 32 hexadecimal digits.
pub fn digits(key: &CounterKey) -> String {
    format!("{:032x}", u128::from_be_bytes(key.to_bytes()))
}

impl Windows {
    /// Their name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
            Self::Bucket => "bucket",
            Self::Quota => "quota",
        }
    }

    /// Those in which a gateway counts alone that counts like this.
    pub const fn alone(course: Course) -> Self {
        match course {
            Course::Fixed { .. } => Self::Fixed,
            Course::Sliding => Self::Sliding,
            Course::Bucket { .. } => Self::Bucket,
        }
    }

    /// Those of `shape`.
    pub const fn of(shape: Shape) -> Self {
        match shape {
            Shape::Fixed { .. } => Self::Fixed,
            Shape::Sliding { .. } => Self::Sliding,
            Shape::Bucket { .. } => Self::Bucket,
            Shape::Quota { .. } => Self::Quota,
        }
    }
}

impl AsOf {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::OwnShare => "own-share",
            Self::Memory => "memory",
        }
    }
}

impl Row {
    /// The row of a shared counter in `lane`.
    pub(super) fn of(lane: u16, is_in_touch: bool, sight: Sight) -> Self {
        let rule = sight.rule.clone();
        let shape = rule.as_ref().map(|rule| rule.shape());
        let limit = rule.as_ref().map(|rule| rule.limit());
        let remaining = limit.map(|limit| {
            if is_in_touch {
                limit.saturating_sub(sight.used)
            } else {
                let in_hand = u64::try_from(sight.in_hand).unwrap_or(0);
                in_hand.saturating_add(sight.share.saturating_sub(sight.alone)).min(limit)
            }
        });
        Self {
            key: sight.key,
            limit,
            period: Duration::from_micros(sight.meter.period),
            // What has no rule yet is out of a journal, which is about quotas.
            windows: shape.map_or(Windows::Quota, Windows::of),
            as_of: if is_in_touch { AsOf::Redis } else { AsOf::OwnShare },
            used: sight.used,
            remaining,
            refused: sight.refused,
            ends_in: sight.ends_in,
            lane: Some(lane),
            rule,
            shared: Some(Box::new(sight)),
        }
    }
}

impl Near for Row {
    fn key(&self) -> &CounterKey {
        &self.key
    }

    fn nearness(&self) -> (u128, u64) {
        let part = part(self.used, self.limit.unwrap_or(u64::MAX));
        // Who is refused is at the limit, whatever was last seen of it.
        (if self.refused > 0 { part.max(WHOLE) } else { part }, self.refused.into())
    }

    fn is_idle(&self) -> bool {
        self.used == 0 && self.refused == 0
    }
}

impl Near for Room {
    fn key(&self) -> &CounterKey {
        &self.key
    }

    fn nearness(&self) -> (u128, u64) {
        let waiting = self.known.lent.map_or(0, |lent| lent.waiting);
        (part(self.known.inside, self.known.max), waiting)
    }

    fn is_idle(&self) -> bool {
        self.known.inside == 0
            && self.known.lent.is_none_or(|lent| (lent.here, lent.waiting) == (0, 0))
    }
}

/// The whole of a limit, in the parts of [`part`].
const WHOLE: u128 = 1 << 32;

/// What part of `limit` is used.
fn part(used: u64, limit: u64) -> u128 {
    let limit = u128::from(limit).max(1);
    u128::from(used).saturating_mul(WHOLE).checked_div(limit).unwrap_or(0)
}

impl<R: Near> Top<R> {
    pub(super) fn new(count: usize) -> Self {
        Self { count: count.min(ROWS_MAX), rows: Vec::new() }
    }

    pub(super) fn show(&mut self, row: R) {
        if row.is_idle() {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= self.count.saturating_mul(2).max(64) {
            self.cut();
        }
    }

    pub(super) fn rows(mut self) -> Vec<R> {
        self.cut();
        self.rows
    }

    fn cut(&mut self) {
        self.rows.sort_by(|one, other| {
            other.nearness().cmp(&one.nearness()).then_with(|| one.key().cmp(other.key()))
        });
        self.rows.truncate(self.count);
    }
}

impl<'a> Search<'a> {
    pub(super) const fn of(prefix: &'a Prefix) -> Self {
        Self { prefix, rows: Vec::new(), room: None, keys: Vec::new() }
    }

    pub(super) fn show(&mut self, row: Row) {
        if self.is_only(&row.key) {
            self.rows.push(row);
        }
    }

    pub(super) fn show_room(&mut self, room: Room) {
        if self.is_only(&room.key) {
            self.room = Some(room);
        }
    }

    /// Whether `key` fits, and no other one so far.
    fn is_only(&mut self, key: &CounterKey) -> bool {
        if !self.prefix.fits(key) {
            return false;
        }
        if !self.keys.contains(key) && self.keys.len() < CANDIDATES_MAX {
            self.keys.push(*key);
        }
        self.keys.first() == Some(key) && self.keys.len() == 1
    }

    pub(super) fn found(mut self) -> Found {
        match (self.keys.len(), self.room) {
            (0, _) => Found::Nothing,
            (1, Some(room)) => Found::Room(room),
            (1, None) => Found::One(self.rows),
            _ => {
                self.keys.sort_unstable();
                Found::Several(self.keys)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};

    fn row(identity: &str, used: u64, refused: u32) -> Row {
        Row {
            key: KeySpace::new(Kind::Rate, &[]).key(identity),
            limit: Some(100),
            period: Duration::from_secs(1),
            windows: Windows::Sliding,
            as_of: AsOf::Memory,
            used,
            remaining: None,
            refused,
            ends_in: None,
            lane: None,
            rule: None,
            shared: None,
        }
    }

    #[test]
    fn the_nearest_to_their_limits_are_shown_first_and_no_more_than_asked_for() {
        let mut top = Top::new(3);
        for number in 0..500 {
            top.show(row(&format!("key {number}"), number % 90, 0));
        }
        top.show(row("refused", 3, 7));
        top.show(row("over", 130, 1));
        let rows = top.rows();
        let shown: Vec<_> = rows.iter().map(|row| (row.used, row.refused)).collect();
        assert_eq!(shown, [(130, 1), (3, 7), (89, 0)]);
    }

    #[test]
    fn a_prefix_finds_one_key_or_names_those_it_fits() {
        let rows: Vec<_> = (0..50).map(|number| row(&number.to_string(), 1, 0)).collect();
        let find = |text: &str| {
            let prefix = Prefix::parse(text).unwrap();
            let mut search = Search::of(&prefix);
            for row in &rows {
                search.show(row.clone());
            }
            search.found()
        };
        let whole = digits(&rows[7].key);
        assert_eq!(whole.len(), 32);
        assert!(matches!(find(&whole.to_uppercase()), Found::One(found) if found.len() == 1));
        // All keys of one kind begin alike.
        assert!(matches!(find("01"), Found::Several(keys) if keys.len() == CANDIDATES_MAX));
        assert!(matches!(find("ff"), Found::Nothing));
        for wrong in ["", "xyz", &"0".repeat(33)] {
            assert_eq!(Prefix::parse(wrong), None);
        }
    }
}
