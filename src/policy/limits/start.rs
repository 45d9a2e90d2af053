//! When the periods of a quota begin, as `first-period-start` says.

use std::sync::Arc;

use time::{Date, Month, PrimitiveDateTime, Time};

use crate::policy::build::Builder;
use crate::policy::limits::wrong;
use crate::policy::markup::Element;

/// `first-period-start` unless the policy says otherwise: 0001-01-01T00:00:00Z.
const FIRST_PERIOD_START: i64 = -62_135_596_800;

/// Reads `first-period-start`: seconds since the Unix epoch.
pub(super) fn first_period_start(builder: &mut Builder<'_>, element: &Element) -> i64 {
    let Some(text) = builder.literal::<Arc<str>>(element, "first-period-start") else {
        return FIRST_PERIOD_START;
    };
    parse_start(&text).unwrap_or_else(|| {
        let message = format!("`{text}` is no time of the form yyyy-MM-ddTHH:mm:ssZ");
        let remedy = "write a UTC time such as 2026-01-01T00:00:00Z";
        wrong(builder, element, "first-period-start", message, remedy);
        FIRST_PERIOD_START
    })
}

/// The seconds since the Unix epoch of a time written `yyyy-MM-ddTHH:mm:ssZ`.
fn parse_start(text: &str) -> Option<i64> {
    let (date, clock) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = digits(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = digits(clock, ':', [2, 2, 2])?;
    let small = |number: u16| u8::try_from(number).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, small(day)?).ok()?;
    let clock = Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    // The year 0 is not one of .NET's, nor of the calendar.
    (year != 0).then(|| PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp())
}

/// Three numbers with `separator` between them, each of so many digits.
fn digits(text: &str, separator: char, widths: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let plain = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = if plain { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_as_it_is_documented_and_in_no_other_way() {
        assert_eq!(parse_start("0001-01-01T00:00:00Z"), Some(FIRST_PERIOD_START));
        assert_eq!(parse_start("1970-01-02T00:00:01Z"), Some(86_401));
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-1-1T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00+02:00Z",
            "+026-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(parse_start(text), None, "{text}");
        }
    }
}
