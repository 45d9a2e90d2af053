//! Dates, times and spans: the arithmetic and the members of `DateTime`, `DateTimeOffset` and
//! `TimeSpan`. The gateway's local time is UTC.

use crate::expression::value::moment::{
    DateTime, DateTimeKind, DateTimeOffset, TICKS_MAX, TICKS_PER_DAY, TICKS_PER_HOUR,
    TICKS_PER_MILLISECOND, TICKS_PER_MINUTE, TICKS_PER_SECOND, TICKS_UNIX_EPOCH, TimeSpan,
};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub mod civil;
pub mod format;
pub mod parse;
mod pattern;
pub mod span;

use self::civil::Civil;

/// A unit of `AddDays` and its like, in ticks; months and years have no fixed length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// `AddTicks`.
    Ticks,
    /// `AddMilliseconds`.
    Milliseconds,
    /// `AddSeconds`.
    Seconds,
    /// `AddMinutes`.
    Minutes,
    /// `AddHours`.
    Hours,
    /// `AddDays`.
    Days,
}

impl Unit {
    /// How many ticks it has.
    pub const fn ticks(self) -> i64 {
        match self {
            Self::Ticks => 1,
            Self::Milliseconds => TICKS_PER_MILLISECOND,
            Self::Seconds => TICKS_PER_SECOND,
            Self::Minutes => TICKS_PER_MINUTE,
            Self::Hours => TICKS_PER_HOUR,
            Self::Days => TICKS_PER_DAY,
        }
    }
}

/// `new DateTime(year, month, day, hour, minute, second, millisecond, kind)`.
pub fn date_time(
    (year, month, day): (i32, i32, i32),
    (hour, minute, second, millisecond): (i32, i32, i32, i32),
    kind: DateTimeKind,
) -> Result<DateTime, Thrown> {
    let days = civil::days(year, month, day).ok_or_else(bad_date)?;
    let is_time = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second)
        && (0..1000).contains(&millisecond);
    if !is_time {
        return Err(bad_time());
    }
    let millis = i64::from(hour)
        .wrapping_mul(3600)
        .wrapping_add(i64::from(minute).wrapping_mul(60))
        .wrapping_add(i64::from(second))
        .wrapping_mul(1000)
        .wrapping_add(i64::from(millisecond));
    let ticks =
        days.wrapping_mul(TICKS_PER_DAY).wrapping_add(millis.wrapping_mul(TICKS_PER_MILLISECOND));
    Ok(DateTime { ticks, kind })
}

/// `new DateTime(ticks, kind)`.
pub fn date_time_from_ticks(ticks: i64, kind: DateTimeKind) -> Result<DateTime, Thrown> {
    bounded(Some(ticks)).map(|ticks| DateTime { ticks, kind })
}

/// `new DateTimeOffset(moment)`: local and unspecified times are UTC here.
pub const fn offset_from(moment: DateTime) -> DateTimeOffset {
    DateTimeOffset { ticks: moment.ticks, offset_minutes: 0 }
}

/// `new DateTimeOffset(moment, offset)`.
pub fn with_offset(moment: DateTime, offset: TimeSpan) -> Result<DateTimeOffset, Thrown> {
    let minutes = offset.0.checked_div(TICKS_PER_MINUTE).unwrap_or(0);
    if offset.0 % TICKS_PER_MINUTE != 0 {
        return Err(Thrown::new(
            ExceptionKind::Argument,
            "Offset must be specified in whole minutes. (Parameter 'offset')",
        ));
    }
    if moment.kind == DateTimeKind::Utc && offset.0 != 0 {
        return Err(Thrown::new(
            ExceptionKind::Argument,
            "The UTC Offset for Utc DateTime instances must be 0. (Parameter 'offset')",
        ));
    }
    let offset_minutes = i16::try_from(minutes).ok().filter(|minutes| minutes.abs() <= 14 * 60);
    let offset_minutes = offset_minutes.ok_or_else(|| {
        Thrown::out_of_range("offset", "Offset must be within plus or minus 14 hours.")
    })?;
    let made = DateTimeOffset { ticks: moment.ticks, offset_minutes };
    bounded(Some(made.utc_ticks()))?;
    Ok(made)
}

/// `moment.AddSeconds(amount)` and its like. .NET 7 and later keep every tick of `amount`.
pub fn add(moment: DateTime, unit: Unit, amount: f64) -> Result<DateTime, Thrown> {
    let ticks = ticks_of(amount, unit).map_err(|_| bad_sum())?;
    add_span(moment, ticks)
}

/// `moment.Add(span)`.
pub fn add_span(moment: DateTime, span: TimeSpan) -> Result<DateTime, Thrown> {
    let ticks = bounded(moment.ticks.checked_add(span.0))?;
    Ok(DateTime { ticks, ..moment })
}

/// `moment.AddMonths(months)`: the last day of a month that is too short.
pub fn add_months(moment: DateTime, months: i32) -> Result<DateTime, Thrown> {
    let date = Civil::of(moment.ticks);
    let month = i64::from(date.year)
        .wrapping_mul(12)
        .wrapping_add(i64::from(date.month))
        .wrapping_sub(1)
        .wrapping_add(i64::from(months));
    let year = i32::try_from(month.div_euclid(12)).map_err(|_| bad_sum())?;
    let month = i32::try_from(month.rem_euclid(12)).unwrap_or(0).wrapping_add(1);
    if !(1..=9999).contains(&year) {
        return Err(bad_sum());
    }
    let day = date.day.min(civil::days_in_month(year, month));
    let days = civil::days(year, month, day).ok_or_else(bad_sum)?;
    let time = moment.ticks.rem_euclid(TICKS_PER_DAY);
    let ticks = days.wrapping_mul(TICKS_PER_DAY).wrapping_add(time);
    Ok(DateTime { ticks, ..moment })
}

/// `moment.AddYears(years)`.
pub fn add_years(moment: DateTime, years: i32) -> Result<DateTime, Thrown> {
    add_months(moment, years.checked_mul(12).ok_or_else(bad_sum)?)
}

/// `moment.Subtract(span)`.
pub fn subtract_span(moment: DateTime, span: TimeSpan) -> Result<DateTime, Thrown> {
    let ticks = bounded(moment.ticks.checked_sub(span.0))?;
    Ok(DateTime { ticks, ..moment })
}

/// `moment.Subtract(other)`: what the two clocks show, whatever their kinds.
pub const fn between(moment: DateTime, other: DateTime) -> TimeSpan {
    TimeSpan(moment.ticks.wrapping_sub(other.ticks))
}

/// `moment.Date`.
pub const fn date(moment: DateTime) -> DateTime {
    let ticks = moment.ticks.wrapping_sub(moment.ticks.rem_euclid(TICKS_PER_DAY));
    DateTime { ticks, kind: moment.kind }
}

/// `moment.TimeOfDay`.
pub const fn time_of_day(moment: DateTime) -> TimeSpan {
    TimeSpan(moment.ticks.rem_euclid(TICKS_PER_DAY))
}

/// `moment.ToUniversalTime()`: the local time is UTC.
pub const fn to_utc(moment: DateTime) -> DateTime {
    DateTime { kind: DateTimeKind::Utc, ..moment }
}

/// `moment.ToLocalTime()`: the local time is UTC.
pub const fn to_local(moment: DateTime) -> DateTime {
    DateTime { kind: DateTimeKind::Local, ..moment }
}

/// `DateTime.SpecifyKind(moment, kind)`.
pub const fn specify_kind(moment: DateTime, kind: DateTimeKind) -> DateTime {
    DateTime { kind, ..moment }
}

/// `DateTimeOffset.FromUnixTimeSeconds(seconds)`.
pub fn from_unix_seconds(seconds: i64) -> Result<DateTimeOffset, Thrown> {
    from_unix(seconds, TICKS_PER_SECOND, "seconds", "-62135596800 and 253402300799")
}

/// `DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)`.
pub fn from_unix_milliseconds(milliseconds: i64) -> Result<DateTimeOffset, Thrown> {
    let range = "-62135596800000 and 253402300799999";
    from_unix(milliseconds, TICKS_PER_MILLISECOND, "milliseconds", range)
}

fn from_unix(amount: i64, unit: i64, name: &str, range: &str) -> Result<DateTimeOffset, Thrown> {
    let ticks = amount.checked_mul(unit).and_then(|ticks| ticks.checked_add(TICKS_UNIX_EPOCH));
    let why =
        || Thrown::out_of_range(name, &format!("Valid values are between {range}, inclusive."));
    let ticks = bounded(ticks).map_err(|_| why())?;
    Ok(DateTimeOffset { ticks, offset_minutes: 0 })
}

/// `moment.ToUnixTimeSeconds()`.
pub fn unix_seconds(moment: DateTimeOffset) -> i64 {
    moment.utc_ticks().saturating_sub(TICKS_UNIX_EPOCH).div_euclid(TICKS_PER_SECOND)
}

/// `moment.ToUnixTimeMilliseconds()`.
pub fn unix_milliseconds(moment: DateTimeOffset) -> i64 {
    moment.utc_ticks().saturating_sub(TICKS_UNIX_EPOCH).div_euclid(TICKS_PER_MILLISECOND)
}

/// `moment.DateTime`.
pub const fn clock_time(moment: DateTimeOffset) -> DateTime {
    DateTime { ticks: moment.ticks, kind: DateTimeKind::Unspecified }
}

/// `moment.UtcDateTime`.
pub fn utc_date_time(moment: DateTimeOffset) -> DateTime {
    DateTime { ticks: moment.utc_ticks(), kind: DateTimeKind::Utc }
}

/// `moment.LocalDateTime`: the local time is UTC.
pub fn local_date_time(moment: DateTimeOffset) -> DateTime {
    DateTime { ticks: moment.utc_ticks(), kind: DateTimeKind::Local }
}

/// `moment.ToUniversalTime()`.
pub fn offset_to_utc(moment: DateTimeOffset) -> DateTimeOffset {
    DateTimeOffset { ticks: moment.utc_ticks(), offset_minutes: 0 }
}

/// `moment.ToOffset(offset)`.
pub fn to_offset(moment: DateTimeOffset, offset: TimeSpan) -> Result<DateTimeOffset, Thrown> {
    let ticks = bounded(moment.utc_ticks().checked_add(offset.0))?;
    with_offset(DateTime { ticks, kind: DateTimeKind::Unspecified }, offset)
}

/// `moment.Add(span)`, on the same clock.
pub fn offset_add_span(moment: DateTimeOffset, span: TimeSpan) -> Result<DateTimeOffset, Thrown> {
    let moved = add_span(clock_time(moment), span)?;
    let moved = DateTimeOffset { ticks: moved.ticks, ..moment };
    bounded(Some(moved.utc_ticks()))?;
    Ok(moved)
}

/// `moment.AddSeconds(amount)` and its like.
pub fn offset_add(
    moment: DateTimeOffset,
    unit: Unit,
    amount: f64,
) -> Result<DateTimeOffset, Thrown> {
    offset_add_span(moment, ticks_of(amount, unit).map_err(|_| bad_sum())?)
}

/// `moment.AddMonths(months)`.
pub fn offset_add_months(moment: DateTimeOffset, months: i32) -> Result<DateTimeOffset, Thrown> {
    let moved = add_months(clock_time(moment), months)?;
    Ok(DateTimeOffset { ticks: moved.ticks, ..moment })
}

/// `moment.AddYears(years)`.
pub fn offset_add_years(moment: DateTimeOffset, years: i32) -> Result<DateTimeOffset, Thrown> {
    offset_add_months(moment, years.checked_mul(12).ok_or_else(bad_sum)?)
}

/// `moment.Subtract(span)`.
pub fn offset_subtract_span(
    moment: DateTimeOffset,
    span: TimeSpan,
) -> Result<DateTimeOffset, Thrown> {
    offset_add_span(moment, TimeSpan(span.0.checked_neg().ok_or_else(bad_sum)?))
}

/// `moment.Subtract(other)`.
pub fn offset_between(moment: DateTimeOffset, other: DateTimeOffset) -> TimeSpan {
    TimeSpan(moment.utc_ticks().wrapping_sub(other.utc_ticks()))
}

/// `amount` units as a span, cut to a whole tick.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the range is checked before, and .NET too computes in doubles"
)]
pub(super) fn ticks_of(amount: f64, unit: Unit) -> Result<TimeSpan, Thrown> {
    if amount.is_nan() {
        return Err(Thrown::new(
            ExceptionKind::Argument,
            "TimeSpan does not accept floating point Not-a-Number values.",
        ));
    }
    // The whole units and the rest are taken apart so that large amounts stay exact.
    let whole = amount.trunc();
    let part = ((amount - whole) * unit.ticks() as f64).trunc();
    if whole.abs() * unit.ticks() as f64 > 9.2e18 {
        return Err(span::too_long());
    }
    let ticks = (whole as i64).checked_mul(unit.ticks()).ok_or_else(span::too_long)?;
    ticks.checked_add(part as i64).map(TimeSpan).ok_or_else(span::too_long)
}

/// Ticks that a date may have.
fn bounded(ticks: Option<i64>) -> Result<i64, Thrown> {
    ticks.filter(|ticks| (0..=TICKS_MAX).contains(ticks)).ok_or_else(bad_sum)
}

fn bad_sum() -> Thrown {
    let why = "The added or subtracted value results in an un-representable DateTime.";
    Thrown::out_of_range("value", why)
}

fn bad_date() -> Thrown {
    Thrown::new(
        ExceptionKind::ArgumentOutOfRange,
        "Year, Month, and Day parameters describe an un-representable DateTime.",
    )
}

fn bad_time() -> Thrown {
    Thrown::new(
        ExceptionKind::ArgumentOutOfRange,
        "Hour, Minute, and Second parameters describe an un-representable DateTime.",
    )
}

#[cfg(test)]
mod tests {
    use super::parse::Styles;
    use super::*;

    fn at(date: (i32, i32, i32), time: (i32, i32, i32, i32)) -> DateTime {
        date_time(date, time, DateTimeKind::Unspecified).unwrap()
    }

    #[test]
    fn the_calendar_is_that_of_dotnet() {
        assert_eq!(at((1, 1, 1), (0, 0, 0, 0)).ticks, 0);
        assert_eq!(at((1970, 1, 1), (0, 0, 0, 0)).ticks, TICKS_UNIX_EPOCH);
        assert_eq!(at((9999, 12, 31), (23, 59, 59, 999)).ticks, TICKS_MAX - 9_999);
        assert_eq!(at((2024, 2, 29), (10, 30, 15, 0)).ticks, 638_447_994_150_000_000);
        assert!(date_time((2023, 2, 29), (0, 0, 0, 0), DateTimeKind::Utc).is_err());
        let civil = Civil::of(at((2024, 2, 29), (10, 30, 15, 7)).ticks);
        assert_eq!((civil.year, civil.month, civil.day), (2024, 2, 29));
        assert_eq!((civil.hour, civil.minute, civil.second), (10, 30, 15));
        assert_eq!((civil.millisecond(), civil.day_name(), civil.year_day), (7, "Thursday", 60));
        for ticks in (0..TICKS_MAX).step_by(97_654_321_987_654_321) {
            let civil = Civil::of(ticks);
            let days = civil::days(civil.year, civil.month, civil.day).unwrap();
            assert_eq!(days, ticks / TICKS_PER_DAY);
        }
    }

    #[test]
    fn dates_are_moved_as_in_dotnet() {
        let leap = at((2024, 1, 31), (0, 0, 0, 0));
        assert_eq!(add_months(leap, 1).unwrap(), at((2024, 2, 29), (0, 0, 0, 0)));
        assert_eq!(add_months(leap, -11).unwrap(), at((2023, 2, 28), (0, 0, 0, 0)));
        assert_eq!(
            add_years(at((2024, 2, 29), (0, 0, 0, 0)), 1).unwrap(),
            at((2025, 2, 28), (0, 0, 0, 0))
        );
        assert_eq!(add(leap, Unit::Days, 1.5).unwrap(), at((2024, 2, 1), (12, 0, 0, 0)));
        assert_eq!(add(leap, Unit::Seconds, -1.0).unwrap(), at((2024, 1, 30), (23, 59, 59, 0)));
        assert!(add(DateTime::MAX, Unit::Seconds, 1.0).is_err());
        assert!(add(DateTime::MIN, Unit::Days, f64::NAN).is_err());
        assert!(add(DateTime::MIN, Unit::Days, f64::MAX).is_err());
        let moment = from_unix_seconds(1_700_000_000).unwrap();
        assert_eq!(unix_seconds(moment), 1_700_000_000);
        assert_eq!(unix_milliseconds(moment), 1_700_000_000_000);
        assert_eq!(format::date_time_offset(moment, "s").unwrap(), "2023-11-14T22:13:20");
        assert!(from_unix_seconds(i64::MAX).is_err());
        let moved = to_offset(moment, TimeSpan(2 * TICKS_PER_HOUR)).unwrap();
        assert_eq!(format::offset_text(moved), "11/15/2023 00:13:20 +02:00");
        assert_eq!(unix_seconds(moved), 1_700_000_000);
    }

    #[test]
    fn dates_are_written_as_in_dotnet() {
        let moment = DateTime {
            ticks: at((2024, 3, 5), (14, 7, 9, 45)).ticks + 1_000,
            kind: DateTimeKind::Utc,
        };
        let rows = [
            ("", "03/05/2024 14:07:09"),
            ("G", "03/05/2024 14:07:09"),
            ("g", "03/05/2024 14:07"),
            ("d", "03/05/2024"),
            ("D", "Tuesday, 05 March 2024"),
            ("f", "Tuesday, 05 March 2024 14:07"),
            ("F", "Tuesday, 05 March 2024 14:07:09"),
            ("M", "March 05"),
            ("o", "2024-03-05T14:07:09.0451000Z"),
            ("r", "Tue, 05 Mar 2024 14:07:09 GMT"),
            ("s", "2024-03-05T14:07:09"),
            ("t", "14:07"),
            ("T", "14:07:09"),
            ("u", "2024-03-05 14:07:09Z"),
            ("Y", "2024 March"),
            ("yyyy-MM-ddTHH:mm:ssZ", "2024-03-05T14:07:09Z"),
            ("yyyy-MM-ddTHH:mm:ss.fffZ", "2024-03-05T14:07:09.045Z"),
            ("yyyyMMddHHmmss", "20240305140709"),
            ("d/M/yy", "5/3/24"),
            ("%d", "5"),
            ("h:mm tt", "2:07 PM"),
            ("hh 'o''clock'", "02 oclock"),
            ("ddd dd MMM yyyy", "Tue 05 Mar 2024"),
            ("HH:mm:ss.FFFFFFF", "14:07:09.0451"),
            ("ss.ff", "09.04"),
            ("HH:mmK", "14:07Z"),
            ("yyyy\\-MM", "2024-03"),
            ("zzz", "+00:00"),
        ];
        for (pattern, text) in rows {
            assert_eq!(format::date_time(moment, pattern).unwrap(), text, "{pattern}");
        }
        for pattern in ["q", "'open", "x\\", "ffffffff"] {
            assert!(format::date_time(moment, pattern).is_err(), "{pattern}");
        }
        let local = DateTime { kind: DateTimeKind::Local, ..moment };
        assert_eq!(format::date_time(local, "o").unwrap(), "2024-03-05T14:07:09.0451000+00:00");
        let unspecified = DateTime { kind: DateTimeKind::Unspecified, ..moment };
        assert_eq!(format::date_time(unspecified, "o").unwrap(), "2024-03-05T14:07:09.0451000");
        let offset = with_offset(unspecified, TimeSpan(-TICKS_PER_HOUR * 5)).unwrap();
        let rows = [
            ("", "03/05/2024 14:07:09 -05:00"),
            ("o", "2024-03-05T14:07:09.0451000-05:00"),
            ("r", "Tue, 05 Mar 2024 19:07:09 GMT"),
            ("u", "2024-03-05 19:07:09Z"),
            ("yyyy-MM-ddTHH:mm:sszzz", "2024-03-05T14:07:09-05:00"),
        ];
        for (pattern, text) in rows {
            assert_eq!(format::date_time_offset(offset, pattern).unwrap(), text, "{pattern}");
        }
    }

    #[test]
    fn dates_are_read_as_in_dotnet() {
        let rows = [
            ("2024-03-05", "2024-03-05T00:00:00.0000000"),
            ("2024-03-05T14:07:09", "2024-03-05T14:07:09.0000000"),
            ("2024-03-05 14:07", "2024-03-05T14:07:00.0000000"),
            ("2024-03-05T14:07:09.5", "2024-03-05T14:07:09.5000000"),
            ("2024-03-05T14:07:09Z", "2024-03-05T14:07:09.0000000+00:00"),
            ("2024-03-05T14:07:09+02:00", "2024-03-05T12:07:09.0000000+00:00"),
            ("03/05/2024", "2024-03-05T00:00:00.0000000"),
            ("3/5/2024 2:07:09 PM", "2024-03-05T14:07:09.0000000"),
            ("12/31/2023 12:00 AM", "2023-12-31T00:00:00.0000000"),
            ("2024/03/05", "2024-03-05T00:00:00.0000000"),
            ("5 March 2024", "2024-03-05T00:00:00.0000000"),
            ("Mar 5, 2024", "2024-03-05T00:00:00.0000000"),
            ("Tue, 05 Mar 2024 14:07:09 GMT", "2024-03-05T14:07:09.0000000+00:00"),
            ("  2024-03-05  ", "2024-03-05T00:00:00.0000000"),
            ("2024-03", "2024-03-01T00:00:00.0000000"),
        ];
        for (text, expected) in rows {
            let read = parse::date_time(text, Styles::default()).expect(text);
            assert_eq!(format::date_time(read, "o").unwrap(), expected, "{text}");
        }
        for text in
            ["", "abc", "2024-13-01", "2024-02-30", "31/12/2024", "2024-03-05T25:00:00", "1"]
        {
            let message = parse::date_time(text, Styles::default()).unwrap_err().message;
            assert_eq!(message, format!("String '{text}' was not recognized as a valid DateTime."));
        }
        let round_trip = Styles::from_bits(0x80);
        let read = parse::date_time("2024-03-05T14:07:09Z", round_trip).unwrap();
        assert_eq!(read.kind, DateTimeKind::Utc);
        let universal = Styles::from_bits(0x10);
        let read = parse::date_time("2024-03-05T14:07:09+02:00", universal).unwrap();
        assert_eq!(format::date_time(read, "o").unwrap(), "2024-03-05T12:07:09.0000000Z");
        let read = parse::date_time_offset("2024-03-05T14:07:09+02:00", Styles::default()).unwrap();
        assert_eq!(format::offset_text(read), "03/05/2024 14:07:09 +02:00");
        assert_eq!(read.offset_minutes, 120);
    }

    #[test]
    fn dates_are_read_in_a_given_format() {
        let rows = [
            ("20240305140709", "yyyyMMddHHmmss", "2024-03-05T14:07:09.0000000"),
            ("05.03.2024", "dd.MM.yyyy", "2024-03-05T00:00:00.0000000"),
            ("5/3/24", "d/M/yy", "2024-03-05T00:00:00.0000000"),
            ("2024-03-05T14:07:09Z", "yyyy-MM-ddTHH:mm:ssZ", "2024-03-05T14:07:09.0000000"),
            ("2024-03-05T14:07:09Z", "yyyy-MM-ddTHH:mm:ssK", "2024-03-05T14:07:09.0000000+00:00"),
            ("05 Mar 2024", "dd MMM yyyy", "2024-03-05T00:00:00.0000000"),
            ("02:07 PM 2024-03-05", "hh:mm tt yyyy-MM-dd", "2024-03-05T14:07:00.0000000"),
            ("2024-03-05T14:07:09.0451000Z", "o", "2024-03-05T14:07:09.0451000+00:00"),
            ("Tue, 05 Mar 2024 14:07:09 GMT", "r", "2024-03-05T14:07:09.0000000"),
        ];
        for (text, pattern, expected) in rows {
            let read = parse::date_time_exact(text, pattern, Styles::default()).expect(text);
            assert_eq!(format::date_time(read, "o").unwrap(), expected, "{text}");
        }
        for (text, pattern) in
            [("2024-3-5", "yyyy-MM-dd"), ("2024-03-05 ", "yyyy-MM-dd"), ("", "yyyy")]
        {
            assert!(parse::date_time_exact(text, pattern, Styles::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_json_string_is_a_date_only_in_full() {
        assert!(
            parse::json_date("2024-03-05T14:07:09Z")
                .is_some_and(|one| one.kind == DateTimeKind::Utc)
        );
        assert!(parse::json_date("2024-03-05T14:07:09.123").is_some());
        assert!(
            parse::json_date("2024-03-05T14:07:09+02:00")
                .is_some_and(|one| one.kind == DateTimeKind::Local)
        );
        for text in [
            "2024-03-05",
            "2024-03-05 14:07:09",
            "2024-03-05T14:07Z",
            "2024-03-05T14:07:09.12345678Z",
            "2024-03-05T14:07:09Zx",
        ] {
            assert!(parse::json_date(text).is_none(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_and_written_as_in_dotnet() {
        let rows = [
            ("6", "6.00:00:00"),
            ("6:12", "06:12:00"),
            ("6:12:14", "06:12:14"),
            ("6:12:14:45", "6.12:14:45"),
            ("6.12:14:45", "6.12:14:45"),
            ("6:12:14:45.3448", "6.12:14:45.3448000"),
            ("24:00:00", "24.00:00:00"),
            ("-0:00:01", "-00:00:01"),
            ("00:00:00.5", "00:00:00.5000000"),
            (" 1:00 ", "01:00:00"),
        ];
        for (text, expected) in rows {
            assert_eq!(span::text(span::parse(text).expect(text)), expected, "{text}");
        }
        for text in ["", "a", "1:60", "6:34:14:60", "1:2:3:4:5", "1:2:3.12345678"] {
            assert!(span::parse(text).is_err(), "{text}");
        }
        let long = span::new(1, 2, 3, 4, 50).unwrap();
        let rows = [
            ("c", "1.02:03:04.0500000"),
            ("g", "1:2:03:04.05"),
            ("G", "1:02:03:04.0500000"),
            ("hh\\:mm\\:ss", "02:03:04"),
            ("d' days, 'h", "1 days, 2"),
            ("ss\\.fff", "04.050"),
            ("%d", "1"),
        ];
        for (pattern, text) in rows {
            assert_eq!(span::format(long, pattern).unwrap(), text, "{pattern}");
        }
        assert!((span::total(long, Unit::Hours) - 26.051_125).abs() < 1e-12);
        assert_eq!(span::part(long, Unit::Milliseconds), 50);
        assert_eq!(span::from(Unit::Minutes, 1.5).unwrap(), TimeSpan(90 * TICKS_PER_SECOND));
        assert!(span::from(Unit::Days, 1e9).is_err());
        assert_eq!(span::text(TimeSpan::MIN), "-10675199.02:48:05.4775808");
        assert!(span::negate(TimeSpan::MIN).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_and_no_format_panics(text in "[0-9TZ:/. +a-zA-Z,-]{0,40}", pattern in ".{0,20}", ticks in 0..TICKS_MAX, amount: f64) {
            let _ = (parse::date_time(&text, Styles::default()), span::parse(&text), parse::json_date(&text));
            let _ = parse::date_time_exact(&text, &pattern, Styles::default());
            let moment = DateTime { ticks, kind: DateTimeKind::Utc };
            let _ = (format::date_time(moment, &pattern), span::format(TimeSpan(ticks), &pattern));
            let _ = (add(moment, Unit::Hours, amount), span::from(Unit::Ticks, amount));
        }

        #[test]
        fn a_date_reads_back_as_itself(ticks in 0..TICKS_MAX) {
            let moment = DateTime { ticks, kind: DateTimeKind::Utc };
            let text = format::date_time(moment, "o").unwrap();
            assert_eq!(parse::date_time(&text, Styles::from_bits(0x80)).unwrap(), moment);
        }
    }
}
