//! Dates as RFC 3339 writes them, and days without a time.

use time::{Date, Month, Time, UtcOffset};

use crate::time::Timestamp;

/// The moment that `text` names: `2026-01-31`, `2026-01-31T12:00:00Z`,
/// `2026-01-31T12:00:00.5+01:00`. Without an offset it is UTC. Nothing before 1970.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let (day, moment) = match text.split_once(['T', 't', ' ']) {
        Some((day, moment)) => (day, Some(moment)),
        None => (text, None),
    };
    let date = date(day)?;
    let (time, offset) = match moment {
        Some(moment) => time_of(moment)?,
        None => (Time::MIDNIGHT, UtcOffset::UTC),
    };
    let nanos = date.with_time(time).assume_offset(offset).unix_timestamp_nanos();
    u64::try_from(nanos / 1_000).ok().map(Timestamp::from_micros)
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn time_of(text: &str) -> Option<(Time, UtcOffset)> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let (hour, rest) = whole.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let part = |text| u8::try_from(digits(text, 2)?).ok();
    let micros = format!("{fraction:0<6}");
    let micros = digits(micros.get(..6)?, 6).filter(|_| (1..=9).contains(&fraction.len()))?;
    let time = Time::from_hms_micro(part(hour)?, part(minute)?, part(second)?, micros).ok()?;
    Some((time, offset_of(offset)?))
}

fn offset_of(text: &str) -> Option<UtcOffset> {
    if matches!(text, "Z" | "z") {
        return Some(UtcOffset::UTC);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let part = |text| i8::try_from(digits(text, 2)?).ok();
    let hours = part(hours).filter(|hours| *hours <= 23)?;
    let minutes = part(minutes)?;
    match sign {
        "+" => UtcOffset::from_hms(hours, minutes, 0).ok(),
        "-" => UtcOffset::from_hms(hours.checked_neg()?, minutes.checked_neg()?, 0).ok(),
        _ => None,
    }
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let right = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Option<u64> {
        timestamp(text).map(Timestamp::micros)
    }

    #[test]
    fn dates_are_moments() {
        let noon = 1_769_860_800_000_000;
        assert_eq!(micros("2026-01-31T12:00:00Z"), Some(noon));
        assert_eq!(micros("2026-01-31T13:00:00+01:00"), Some(noon));
        assert_eq!(micros("2026-01-31 12:00:00.25"), Some(noon + 250_000));
        assert_eq!(micros("2026-01-31"), Some(noon - 12 * 3_600 * 1_000_000));
        assert_eq!(micros("1970-01-01"), Some(0));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-1-1",
            "26-01-01",
            "1969-12-31",
            "2026-01-01T25:00:00Z",
            "2026-01-01T12",
            "2026-01-01T12:00:00+25:00",
            "2026-01-01T12:00:00X",
            "2026-01-01-01",
            "2026-01-01T12:00:00.",
            "2026-01-01T12:00:00.é",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
