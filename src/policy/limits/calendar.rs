//! The periods of quotas of tokens: hours, days, weeks, months and years of the calendar, in UTC.

use std::time::Duration;

use time::{Date, Month, UtcDateTime};

use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::operand::{Term, text_of};
use crate::time::Timestamp;

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Period {
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

const PERIODS: [(&str, Period); 5] = [
    ("Hourly", Period::Hourly),
    ("Daily", Period::Daily),
    ("Weekly", Period::Weekly),
    ("Monthly", Period::Monthly),
    ("Yearly", Period::Yearly),
];
const EXPECTED: &str = "`Hourly`, `Daily`, `Weekly`, `Monthly` or `Yearly`";

/// The first Monday of the epoch, in seconds: weeks begin on Mondays (ISO 8601).
const MONDAY: u64 = 4 * 86_400;

/// One such period.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Span {
    /// When it, or another one of the same length, began.
    pub(super) origin: Timestamp,
    /// How long it is.
    pub(super) length: Duration,
    /// What tells it from others, where they are not of one length; else nothing.
    pub(super) name: String,
}

impl Period {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        PERIODS.iter().find(|(_, period)| *period == self).map_or("", |(name, _)| name)
    }

    /// The span that a moment is in, where all are of one length.
    pub(super) fn fixed(self) -> Option<Span> {
        let (origin, seconds) = match self {
            Self::Hourly => (0, 3_600),
            Self::Daily => (0, 86_400),
            Self::Weekly => (MONDAY, 7 * 86_400),
            Self::Monthly | Self::Yearly => return None,
        };
        let origin = Timestamp::default() + Duration::from_secs(origin);
        Some(Span { origin, length: Duration::from_secs(seconds), name: String::new() })
    }

    /// The span that `now` is in.
    pub(super) fn at(self, now: Timestamp) -> Span {
        let fixed = self.fixed();
        fixed.or_else(|| self.named(now)).unwrap_or_else(|| Span {
            // A clock that shows no date at all: counted from the epoch on.
            origin: Timestamp::default(),
            length: Duration::ZERO,
            name: String::new(),
        })
    }

    /// A month or a year. Two of them are two counters: they differ in length, and what was used of
    /// one must not be held against the other.
    fn named(self, now: Timestamp) -> Option<Span> {
        let seconds = i64::try_from(now.micros() / 1_000_000).ok()?;
        let today = UtcDateTime::from_unix_timestamp(seconds).ok()?;
        let year = today.year();
        let next = year.checked_add(1)?;
        let (begins, ends, name) = if self == Self::Yearly {
            ((year, Month::January), (next, Month::January), format!("{year}"))
        } else {
            let month = today.month();
            let after = if month == Month::December { next } else { year };
            let name = format!("{year}-{:02}", u8::from(month));
            ((year, month), (after, month.next()), name)
        };
        let first = |(year, month)| {
            let day = Date::from_calendar_date(year, month, 1).ok()?;
            u64::try_from(day.midnight().assume_utc().unix_timestamp()).ok()
        };
        let (begins, ends) = (first(begins)?, first(ends)?);
        let origin = Timestamp::default() + Duration::from_secs(begins);
        Some(Span { origin, length: Duration::from_secs(ends.checked_sub(begins)?), name })
    }
}

impl Term for Period {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let found = PERIODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, period)| *period).ok_or(EXPECTED)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(period: Period, seconds: u64) -> (u64, u64, String) {
        let Span { origin, length, name } =
            period.at(Timestamp::from_micros(seconds * 1_000_000 + 5));
        (origin.micros() / 1_000_000, length.as_secs(), name)
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        // 2028-02-29T12:00:00Z, a Tuesday in a leap year.
        let noon = 1_835_438_400;
        let (origin, length, _) = at(Period::Weekly, noon);
        let begun = noon - (noon - origin) % length;
        assert_eq!(noon - begun, DAY + DAY / 2, "it began on Monday");
        assert_eq!(at(Period::Daily, noon), (0, DAY, String::new()));
        assert_eq!(at(Period::Hourly, noon), (0, 3_600, String::new()));
        let february = noon - 28 * DAY - DAY / 2;
        assert_eq!(at(Period::Monthly, noon), (february, 29 * DAY, "2028-02".to_owned()));
        let march = (february + 29 * DAY, 31 * DAY, "2028-03".to_owned());
        assert_eq!(at(Period::Monthly, noon + DAY / 2), march);
        let year = (february - 31 * DAY, 366 * DAY, "2028".to_owned());
        assert_eq!(at(Period::Yearly, noon), year);
        let december = at(Period::Monthly, year.0 - 1);
        assert_eq!(december, (year.0 - 31 * DAY, 31 * DAY, "2027-12".to_owned()));
    }

    #[test]
    fn a_period_is_one_of_five_words() {
        assert_eq!(Period::from_literal(" monthly "), Ok(Period::Monthly));
        assert_eq!(Period::from_literal("Minutely"), Err(EXPECTED));
        for (name, period) in PERIODS {
            assert_eq!((Period::from_literal(name), period.name()), (Ok(period), name));
        }
    }
}
