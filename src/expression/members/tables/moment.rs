//! Dates, times and spans. The gateway's local time is UTC.

use super::super::Call;
use super::super::Member;
use super::super::arguments::{
    Outcome, at, constructor, date, double, int, method, offset, ok, property, span, static_method,
    static_property, static_with, text,
};
use crate::expression::library::display;
use crate::expression::library::moment::civil::{self, Civil};
use crate::expression::library::moment::parse::{self, Styles};
use crate::expression::library::moment::{self as library, Unit};
use crate::expression::library::operators;
use crate::expression::value::Value;
use crate::expression::value::moment::{
    DateTime, DateTimeKind, DateTimeOffset, TICKS_PER_DAY, TICKS_UNIX_EPOCH, TimeSpan,
};
use crate::expression::value::thrown::Thrown;

fn now(call: &mut Call<'_, '_>, kind: DateTimeKind) -> DateTime {
    DateTime { ticks: call.scope().now(), kind }
}

const fn kind(number: i32) -> DateTimeKind {
    match number {
        1 => DateTimeKind::Utc,
        2 => DateTimeKind::Local,
        _ => DateTimeKind::Unspecified,
    }
}

pub(super) fn long(v: &[Value], index: usize) -> Result<i64, Thrown> {
    at(v, index).long()
}

/// `Year`, `Month` and so on, of both kinds of date.
macro_rules! parts {
    ($ticks:expr; $($name:literal = $part:expr),* $(,)?) => {
        &[
            $(property($name, "int", |v| {
                let civil = Civil::of($ticks(v)?);
                let part: fn(&Civil) -> i32 = $part;
                ok(part(&civil))
            }),)*
            property("DayOfWeek", "DayOfWeek", |v| {
                // 0001-01-01 was a Monday.
                let days: i64 = $ticks(v)?.div_euclid(TICKS_PER_DAY);
                ok(i32::try_from(days.wrapping_add(1).rem_euclid(7)).unwrap_or(0))
            }),
            property("DayOfYear", "int", |v| {
                let ticks: i64 = $ticks(v)?;
                let start = civil::days(Civil::of(ticks).year, 1, 1).unwrap_or(0);
                let day = ticks.div_euclid(TICKS_PER_DAY).wrapping_sub(start).wrapping_add(1);
                ok(i32::try_from(day).unwrap_or(0))
            }),
        ]
    };
}

fn date_ticks(v: &[Value]) -> Result<i64, Thrown> {
    date(v, 0).map(|date| date.ticks)
}

fn offset_ticks(v: &[Value]) -> Result<i64, Thrown> {
    offset(v, 0).map(|offset| offset.ticks)
}

pub(super) const DATE_PARTS: &[Member] = parts! {
    date_ticks;
    "Year" = |civil| civil.year, "Month" = |civil| civil.month, "Day" = |civil| civil.day,
    "Hour" = |civil| civil.hour, "Minute" = |civil| civil.minute, "Second" = |civil| civil.second,
    "Millisecond" = Civil::millisecond,
};

pub(super) const OFFSET_PARTS: &[Member] = parts! {
    offset_ticks;
    "Year" = |civil| civil.year, "Month" = |civil| civil.month, "Day" = |civil| civil.day,
    "Hour" = |civil| civil.hour, "Minute" = |civil| civil.minute, "Second" = |civil| civil.second,
    "Millisecond" = Civil::millisecond,
};

macro_rules! date_adds {
    ($($name:literal = $unit:ident),* $(,)?) => {
        &[$(method($name, "double value", "DateTime", |v| {
            ok(library::add(date(v, 0)?, Unit::$unit, double(v, 1)?)?)
        }),)*]
    };
}

pub(super) const DATE_ADDS: &[Member] = date_adds! {
    "AddDays" = Days, "AddHours" = Hours, "AddMinutes" = Minutes, "AddSeconds" = Seconds,
    "AddMilliseconds" = Milliseconds,
};

macro_rules! offset_adds {
    ($($name:literal = $unit:ident),* $(,)?) => {
        &[$(method($name, "double value", "DateTimeOffset", |v| {
            ok(library::offset_add(offset(v, 0)?, Unit::$unit, double(v, 1)?)?)
        }),)*]
    };
}

pub(super) const OFFSET_ADDS: &[Member] = offset_adds! {
    "AddDays" = Days, "AddHours" = Hours, "AddMinutes" = Minutes, "AddSeconds" = Seconds,
    "AddMilliseconds" = Milliseconds,
};

fn new_date(v: &[Value], has_time: bool, kind_at: Option<usize>) -> Outcome {
    let time = if has_time { (int(v, 3)?, int(v, 4)?, int(v, 5)?) } else { (0, 0, 0) };
    let millisecond = if kind_at == Some(7) || v.len() == 7 && kind_at.is_none() && has_time {
        int(v, 6)?
    } else {
        0
    };
    let kind = kind_at.map_or(Ok(0), |index| int(v, index)).map(kind)?;
    let time = (time.0, time.1, time.2, millisecond);
    ok(library::date_time((int(v, 0)?, int(v, 1)?, int(v, 2)?), time, kind)?)
}

pub(super) fn compared(v: &[Value]) -> Outcome {
    ok(match operators::order(at(v, 0), at(v, 1))? {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    })
}

pub(super) fn formatted(v: &[Value]) -> Outcome {
    let format = at(v, 1).string_or_null()?.map_or("", |format| &**format);
    ok(display::formatted(at(v, 0), format)?)
}

/// The exact formats: one, or an array of them.
fn exactly(v: &[Value], styles: i32) -> Result<DateTime, Thrown> {
    let formats = match at(v, 1) {
        Value::String(_) => vec![at(v, 1).clone()],
        other => crate::expression::library::sequence::items(other)?,
    };
    let mut last = Thrown::format();
    for format in formats {
        let styles = Styles::from_bits(styles);
        match parse::date_time_exact(text(v, 0)?, format.string()?, styles) {
            Ok(date) => return Ok(date),
            Err(thrown) => last = thrown,
        }
    }
    Err(last)
}

/// `TryParse` and its like: the value, or the smallest one.
pub(super) fn tried<T: Into<Value>>(
    call: &mut Call<'_, '_>,
    read: Result<T, Thrown>,
    least: T,
) -> Outcome {
    let is_read = read.is_ok();
    call.outs.push(read.unwrap_or(least).into());
    ok(is_read)
}

pub(super) const DATE: &[Member] = &[
    static_with("Now", "", "DateTime", |call| ok(now(call, DateTimeKind::Local))).into_property(),
    static_with("UtcNow", "", "DateTime", |call| ok(now(call, DateTimeKind::Utc))).into_property(),
    static_with("Today", "", "DateTime", |call| ok(library::date(now(call, DateTimeKind::Local))))
        .into_property(),
    static_property("MinValue", "DateTime", |_| ok(DateTime::MIN)),
    static_property("MaxValue", "DateTime", |_| ok(DateTime::MAX)),
    static_property("UnixEpoch", "DateTime", |_| {
        ok(DateTime { ticks: TICKS_UNIX_EPOCH, kind: DateTimeKind::Utc })
    }),
    constructor("long ticks", |v| {
        ok(library::date_time_from_ticks(long(v, 0)?, DateTimeKind::Unspecified)?)
    }),
    constructor("long ticks, DateTimeKind kind", |v| {
        ok(library::date_time_from_ticks(long(v, 0)?, kind(int(v, 1)?))?)
    }),
    constructor("int year, int month, int day", |v| new_date(v, false, None)),
    constructor("int year, int month, int day, int hour, int minute, int second", |v| {
        new_date(v, true, None)
    }),
    constructor(
        "int year, int month, int day, int hour, int minute, int second, DateTimeKind kind",
        |v| new_date(v, true, Some(6)),
    ),
    constructor(
        "int year, int month, int day, int hour, int minute, int second, int millisecond",
        |v| new_date(v, true, None),
    ),
    constructor(
        "int year, int month, int day, int hour, int minute, int second, int millisecond, \
         DateTimeKind kind",
        |v| new_date(v, true, Some(7)),
    ),
    static_method(
        "Parse",
        "string s, CultureInfo provider = null, DateTimeStyles styles = 0",
        "DateTime",
        |v| ok(parse::date_time(text(v, 0)?, Styles::from_bits(int(v, 2)?))?),
    ),
    static_with("TryParse", "string s, out DateTime result", "bool", |call| {
        let read = call.text(0).and_then(|text| parse::date_time(text, Styles::from_bits(0)));
        tried(call, read, DateTime::MIN)
    }),
    static_with(
        "TryParse",
        "string s, CultureInfo provider, DateTimeStyles styles, out DateTime result",
        "bool",
        |call| {
            let styles = Styles::from_bits(int(call.arguments(), 2)?);
            let read = call.text(0).and_then(|text| parse::date_time(text, styles));
            tried(call, read, DateTime::MIN)
        },
    ),
    static_method(
        "ParseExact",
        "string s, string format, CultureInfo provider, DateTimeStyles style = 0",
        "DateTime",
        |v| ok(exactly(v, int(v, 3)?)?),
    ),
    static_method(
        "ParseExact",
        "string s, string[] formats, CultureInfo provider, DateTimeStyles style",
        "DateTime",
        |v| ok(exactly(v, int(v, 3)?)?),
    ),
    static_with(
        "TryParseExact",
        "string s, string format, CultureInfo provider, DateTimeStyles style, out DateTime result",
        "bool",
        |call| {
            let read =
                int(call.arguments(), 3).and_then(|styles| exactly(call.arguments(), styles));
            tried(call, read, DateTime::MIN)
        },
    ),
    static_with(
        "TryParseExact",
        "string s, string[] formats, CultureInfo provider, DateTimeStyles style, out DateTime result",
        "bool",
        |call| {
            let read =
                int(call.arguments(), 3).and_then(|styles| exactly(call.arguments(), styles));
            tried(call, read, DateTime::MIN)
        },
    ),
    static_method("SpecifyKind", "DateTime value, DateTimeKind kind", "DateTime", |v| {
        ok(library::specify_kind(date(v, 0)?, kind(int(v, 1)?)))
    }),
    static_method("Compare", "DateTime t1, DateTime t2", "int", compared),
    static_method("DaysInMonth", "int year, int month", "int", |v| {
        let next = match int(v, 1)? {
            12 => (int(v, 0)?.wrapping_add(1), 1),
            month => (int(v, 0)?, month.wrapping_add(1)),
        };
        let days = civil::days(next.0, next.1, 1).zip(civil::days(int(v, 0)?, int(v, 1)?, 1));
        let days = days.map(|(next, this)| next.wrapping_sub(this));
        let wrong = || Thrown::out_of_range("month", "Month must be between one and twelve.");
        ok(days.and_then(|days| i32::try_from(days).ok()).ok_or_else(wrong)?)
    }),
    static_method("IsLeapYear", "int year", "bool", |v| {
        if !(1..=9999).contains(&int(v, 0)?) {
            let why = "Year must be between 1 and 9999.";
            return Err(Thrown::out_of_range("year", why));
        }
        ok(civil::days(int(v, 0)?, 2, 29).is_some())
    }),
    property("Ticks", "long", |v| ok(date(v, 0)?.ticks)),
    property("Kind", "DateTimeKind", |v| {
        ok(match date(v, 0)?.kind {
            DateTimeKind::Unspecified => 0,
            DateTimeKind::Utc => 1,
            DateTimeKind::Local => 2,
        })
    }),
    property("Date", "DateTime", |v| ok(library::date(date(v, 0)?))),
    property("TimeOfDay", "TimeSpan", |v| ok(library::time_of_day(date(v, 0)?))),
    method("Add", "TimeSpan value", "DateTime", |v| {
        ok(library::add_span(date(v, 0)?, span(v, 1)?)?)
    }),
    method("AddTicks", "long value", "DateTime", |v| {
        ok(library::add_span(date(v, 0)?, TimeSpan(long(v, 1)?))?)
    }),
    method("AddMonths", "int months", "DateTime", |v| {
        ok(library::add_months(date(v, 0)?, int(v, 1)?)?)
    }),
    method("AddYears", "int value", "DateTime", |v| {
        ok(library::add_years(date(v, 0)?, int(v, 1)?)?)
    }),
    method("Subtract", "DateTime value", "TimeSpan", |v| {
        ok(library::between(date(v, 0)?, date(v, 1)?))
    }),
    method("Subtract", "TimeSpan value", "DateTime", |v| {
        ok(library::subtract_span(date(v, 0)?, span(v, 1)?)?)
    }),
    method("ToUniversalTime", "", "DateTime", |v| ok(library::to_utc(date(v, 0)?))),
    method("ToLocalTime", "", "DateTime", |v| ok(library::to_local(date(v, 0)?))),
    method("ToString", "string format, CultureInfo provider = null", "string", formatted),
    method("ToString", "CultureInfo provider", "string", |v| ok(display::text(at(v, 0))?)),
    method("ToShortDateString", "", "string", |v| ok(display::formatted(at(v, 0), "d")?)),
    method("ToLongDateString", "", "string", |v| ok(display::formatted(at(v, 0), "D")?)),
    method("ToShortTimeString", "", "string", |v| ok(display::formatted(at(v, 0), "t")?)),
    method("ToLongTimeString", "", "string", |v| ok(display::formatted(at(v, 0), "T")?)),
    method("CompareTo", "DateTime value", "int", compared),
];

pub(super) const OFFSET: &[Member] = &[
    static_with("Now", "", "DateTimeOffset", |call| {
        ok(library::offset_from(now(call, DateTimeKind::Local)))
    })
    .into_property(),
    static_with("UtcNow", "", "DateTimeOffset", |call| {
        ok(library::offset_from(now(call, DateTimeKind::Utc)))
    })
    .into_property(),
    static_property("MinValue", "DateTimeOffset", |_| ok(DateTimeOffset::MIN)),
    static_property("MaxValue", "DateTimeOffset", |_| ok(DateTimeOffset::MAX)),
    static_property("UnixEpoch", "DateTimeOffset", |_| ok(library::from_unix_seconds(0)?)),
    constructor("DateTime dateTime", |v| ok(library::offset_from(date(v, 0)?))),
    constructor("DateTime dateTime, TimeSpan offset", |v| {
        ok(library::with_offset(date(v, 0)?, span(v, 1)?)?)
    }),
    constructor(
        "int year, int month, int day, int hour, int minute, int second, TimeSpan offset",
        |v| {
            let day = (int(v, 0)?, int(v, 1)?, int(v, 2)?);
            let time = (int(v, 3)?, int(v, 4)?, int(v, 5)?, 0);
            let clock = library::date_time(day, time, DateTimeKind::Unspecified)?;
            ok(library::with_offset(clock, span(v, 6)?)?)
        },
    ),
    static_method("FromUnixTimeSeconds", "long seconds", "DateTimeOffset", |v| {
        ok(library::from_unix_seconds(long(v, 0)?)?)
    }),
    static_method("FromUnixTimeMilliseconds", "long milliseconds", "DateTimeOffset", |v| {
        ok(library::from_unix_milliseconds(long(v, 0)?)?)
    }),
    static_method(
        "Parse",
        "string input, CultureInfo provider = null, DateTimeStyles styles = 0",
        "DateTimeOffset",
        |v| ok(parse::date_time_offset(text(v, 0)?, Styles::from_bits(int(v, 2)?))?),
    ),
    static_with("TryParse", "string input, out DateTimeOffset result", "bool", |call| {
        let read =
            call.text(0).and_then(|text| parse::date_time_offset(text, Styles::from_bits(0)));
        tried(call, read, DateTimeOffset::MIN)
    }),
    static_method(
        "ParseExact",
        "string input, string format, CultureInfo provider, DateTimeStyles styles = 0",
        "DateTimeOffset",
        |v| {
            let styles = Styles::from_bits(int(v, 3)?);
            ok(parse::date_time_offset_exact(text(v, 0)?, text(v, 1)?, styles)?)
        },
    ),
    property("Ticks", "long", |v| ok(offset(v, 0)?.ticks)),
    property("UtcTicks", "long", |v| ok(offset(v, 0)?.utc_ticks())),
    property("Offset", "TimeSpan", |v| ok(TimeSpan(offset(v, 0)?.offset_ticks()))),
    property("DateTime", "DateTime", |v| ok(library::clock_time(offset(v, 0)?))),
    property("UtcDateTime", "DateTime", |v| ok(library::utc_date_time(offset(v, 0)?))),
    property("LocalDateTime", "DateTime", |v| ok(library::local_date_time(offset(v, 0)?))),
    property("Date", "DateTime", |v| ok(library::date(library::clock_time(offset(v, 0)?)))),
    property("TimeOfDay", "TimeSpan", |v| {
        ok(library::time_of_day(library::clock_time(offset(v, 0)?)))
    }),
    method("ToUnixTimeSeconds", "", "long", |v| ok(library::unix_seconds(offset(v, 0)?))),
    method("ToUnixTimeMilliseconds", "", "long", |v| ok(library::unix_milliseconds(offset(v, 0)?))),
    method("Add", "TimeSpan timeSpan", "DateTimeOffset", |v| {
        ok(library::offset_add_span(offset(v, 0)?, span(v, 1)?)?)
    }),
    method("AddMonths", "int months", "DateTimeOffset", |v| {
        ok(library::offset_add_months(offset(v, 0)?, int(v, 1)?)?)
    }),
    method("AddYears", "int years", "DateTimeOffset", |v| {
        ok(library::offset_add_years(offset(v, 0)?, int(v, 1)?)?)
    }),
    method("Subtract", "DateTimeOffset value", "TimeSpan", |v| {
        ok(library::offset_between(offset(v, 0)?, offset(v, 1)?))
    }),
    method("Subtract", "TimeSpan value", "DateTimeOffset", |v| {
        ok(library::offset_subtract_span(offset(v, 0)?, span(v, 1)?)?)
    }),
    method("ToUniversalTime", "", "DateTimeOffset", |v| ok(library::offset_to_utc(offset(v, 0)?))),
    method("ToLocalTime", "", "DateTimeOffset", |v| ok(library::offset_to_utc(offset(v, 0)?))),
    method("ToOffset", "TimeSpan offset", "DateTimeOffset", |v| {
        ok(library::to_offset(offset(v, 0)?, span(v, 1)?)?)
    }),
    method("ToString", "string format, CultureInfo provider = null", "string", formatted),
    method("ToString", "CultureInfo provider", "string", |v| ok(display::text(at(v, 0))?)),
    method("CompareTo", "DateTimeOffset other", "int", compared),
    method("EqualsExact", "DateTimeOffset other", "bool", |v| {
        let (one, other) = (offset(v, 0)?, offset(v, 1)?);
        ok(one.ticks == other.ticks && one.offset_minutes == other.offset_minutes)
    }),
];
