//! A minute in UTC, as tokens write when they end: `yyyyMMddHHmm`.

use std::fmt;
use std::time::Duration;

use ::time::{Date, Month, UtcDateTime};

use crate::time::Timestamp;

const MICROS_OF_SECOND: u64 = 1_000_000;
const MICROS_OF_MINUTE: u64 = 60 * MICROS_OF_SECOND;
/// The beginning of the year 10000, which four digits cannot write.
const END: Timestamp = Timestamp::from_micros(253_402_300_800 * MICROS_OF_SECOND);
/// How many digits it has.
const DIGITS: usize = 12;

/// The beginning of a minute from 1970 to 9999.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Minute(Timestamp);

impl Minute {
    /// The minute that `at` is in; none after the year 9999.
    pub fn of(at: Timestamp) -> Option<Self> {
        let micros = at.micros();
        let begin = micros.saturating_sub(micros % MICROS_OF_MINUTE);
        (at < END).then_some(Self(Timestamp::from_micros(begin)))
    }

    /// Reads twelve digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
        let year = text.get(..4)?.parse().ok()?;
        let month = Month::try_from(part(4, 6)?).ok()?;
        let date = Date::from_calendar_date(year, month, part(6, 8)?).ok()?;
        let moment = date.with_hms(part(8, 10)?, part(10, 12)?, 0).ok()?.assume_utc();
        let seconds = u64::try_from(moment.unix_timestamp()).ok()?;
        Some(Self(Timestamp::default() + Duration::from_secs(seconds)))
    }

    /// Its beginning.
    pub const fn at(self) -> Timestamp {
        self.0
    }

    /// The minute before; none before 1970.
    pub fn before(self) -> Option<Self> {
        let micros = self.0.micros().checked_sub(MICROS_OF_MINUTE)?;
        Some(Self(Timestamp::from_micros(micros)))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.micros() / MICROS_OF_SECOND).unwrap_or(i64::MAX);
        // Every minute is before `END`, and so the date is one.
        let moment = UtcDateTime::from_unix_timestamp(seconds).unwrap_or(UtcDateTime::UNIX_EPOCH);
        let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
        let (hour, minute) = (moment.hour(), moment.minute());
        write!(formatter, "{year:04}{month:02}{day:02}{hour:02}{minute:02}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_minute_is_refused() {
        for text in [
            "",
            "20260131120",
            "2026013112000",
            "202613011200",
            "202602301200",
            "202601312400",
            "202601311260",
            "196912312359",
            "+20260131120",
            "2026-01-3112",
            "２０２６",
        ] {
            assert_eq!(Minute::parse(text), None, "{text}");
        }
        let leap = Minute::parse("202402291200").unwrap();
        assert_eq!(crate::time::date(leap.at()), "2024-02-29T12:00:00.000Z");
        assert_eq!(Minute::parse("999912312359").unwrap().at() + Duration::from_mins(1), END);
        assert_eq!(Minute::of(END), None);
        assert_eq!(Minute::of(Timestamp::default()).and_then(Minute::before), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(micros in 0..END.micros()) {
            let at = Timestamp::from_micros(micros);
            let minute = Minute::of(at).unwrap();
            prop_assert!(minute.at() <= at && at.since(minute.at()) < Duration::from_mins(1));
            prop_assert_eq!(Minute::parse(&minute.to_string()), Some(minute));
        }
    }
}
