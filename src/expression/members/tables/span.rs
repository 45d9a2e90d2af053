//! Spans of time and time zones.

use super::super::Member;
use super::super::arguments::{
    constructor, date, double, int, method, offset, ok, property, span, static_method,
    static_property, static_with, text,
};
use super::moment::{compared, formatted, long, tried};
use crate::expression::library::moment::{self as library, Unit, span as spans};
use crate::expression::value::moment::TimeSpan;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

macro_rules! span_units {
    ($($part:literal, $total:literal, $from:literal = $unit:ident);* $(;)?) => {
        &[$(
            property($part, "int", |v| ok(spans::part(span(v, 0)?, Unit::$unit))),
            property($total, "double", |v| ok(spans::total(span(v, 0)?, Unit::$unit))),
            static_method($from, "double value", "TimeSpan", |v| {
                ok(spans::from(Unit::$unit, double(v, 0)?)?)
            }),
        )*]
    };
}

pub(super) const SPAN_UNITS: &[Member] = span_units! {
    "Days", "TotalDays", "FromDays" = Days;
    "Hours", "TotalHours", "FromHours" = Hours;
    "Minutes", "TotalMinutes", "FromMinutes" = Minutes;
    "Seconds", "TotalSeconds", "FromSeconds" = Seconds;
    "Milliseconds", "TotalMilliseconds", "FromMilliseconds" = Milliseconds;
};

pub(super) const SPAN: &[Member] = &[
    static_property("Zero", "TimeSpan", |_| ok(TimeSpan::ZERO)),
    static_property("MinValue", "TimeSpan", |_| ok(TimeSpan::MIN)),
    static_property("MaxValue", "TimeSpan", |_| ok(TimeSpan::MAX)),
    static_method("FromTicks", "long value", "TimeSpan", |v| ok(TimeSpan(long(v, 0)?))),
    static_method("Parse", "string s, CultureInfo provider = null", "TimeSpan", |v| {
        ok(spans::parse(text(v, 0)?)?)
    }),
    static_with("TryParse", "string s, out TimeSpan result", "bool", |call| {
        let read = call.text(0).and_then(|text| spans::parse(text));
        tried(call, read, TimeSpan::ZERO)
    }),
    constructor("long ticks", |v| ok(TimeSpan(long(v, 0)?))),
    constructor("int hours, int minutes, int seconds", |v| {
        ok(spans::new(0, int(v, 0)?, int(v, 1)?, int(v, 2)?, 0)?)
    }),
    constructor("int days, int hours, int minutes, int seconds, int milliseconds = 0", |v| {
        ok(spans::new(int(v, 0)?, int(v, 1)?, int(v, 2)?, int(v, 3)?, int(v, 4)?)?)
    }),
    property("Ticks", "long", |v| ok(span(v, 0)?.0)),
    method("Add", "TimeSpan ts", "TimeSpan", |v| ok(spans::add(span(v, 0)?, span(v, 1)?)?)),
    method("Subtract", "TimeSpan ts", "TimeSpan", |v| {
        ok(spans::subtract(span(v, 0)?, span(v, 1)?)?)
    }),
    method("Negate", "", "TimeSpan", |v| ok(spans::negate(span(v, 0)?)?)),
    method("Duration", "", "TimeSpan", |v| ok(spans::duration(span(v, 0)?)?)),
    method("ToString", "string format, CultureInfo provider = null", "string", formatted),
    method("CompareTo", "TimeSpan value", "int", compared),
];

/// The zones are those that are the same everywhere: the gateway's own is UTC.
pub(super) const ZONE: &[Member] = &[
    static_property("Utc", "TimeZoneInfo", |_| ok("UTC")),
    static_property("Local", "TimeZoneInfo", |_| ok("UTC")),
    static_method("FindSystemTimeZoneById", "string id", "TimeZoneInfo", |v| {
        ok(zone(text(v, 0)?)?)
    }),
    static_method("ConvertTimeToUtc", "DateTime dateTime", "DateTime", |v| {
        ok(library::to_utc(date(v, 0)?))
    }),
    static_method(
        "ConvertTimeFromUtc",
        "DateTime dateTime, TimeZoneInfo destinationTimeZone",
        "DateTime",
        |v| ok(date(v, 0)?),
    ),
    static_method(
        "ConvertTimeToUtc",
        "DateTime dateTime, TimeZoneInfo sourceTimeZone",
        "DateTime",
        |v| ok(library::to_utc(date(v, 0)?)),
    ),
    static_method(
        "ConvertTime",
        "DateTime dateTime, TimeZoneInfo destinationTimeZone",
        "DateTime",
        |v| ok(library::to_utc(date(v, 0)?)),
    ),
    static_method(
        "ConvertTime",
        "DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone",
        "DateTimeOffset",
        |v| ok(library::offset_to_utc(offset(v, 0)?)),
    ),
    static_method(
        "ConvertTimeBySystemTimeZoneId",
        "DateTime dateTime, string destinationTimeZoneId",
        "DateTime",
        |v| {
            zone(text(v, 1)?)?;
            ok(library::to_utc(date(v, 0)?))
        },
    ),
    static_method(
        "ConvertTimeBySystemTimeZoneId",
        "DateTimeOffset dateTimeOffset, string destinationTimeZoneId",
        "DateTimeOffset",
        |v| {
            zone(text(v, 1)?)?;
            ok(library::offset_to_utc(offset(v, 0)?))
        },
    ),
    property("Id", "string", |v| ok(std::sync::Arc::clone(text(v, 0)?))),
    property("StandardName", "string", |_| ok("Coordinated Universal Time")),
    property("DisplayName", "string", |_| ok("(UTC) Coordinated Universal Time")),
    property("BaseUtcOffset", "TimeSpan", |_| ok(TimeSpan::ZERO)),
    property("SupportsDaylightSavingTime", "bool", |_| ok(false)),
    method("GetUtcOffset", "DateTime dateTime", "TimeSpan", |_| ok(TimeSpan::ZERO)),
    method("GetUtcOffset", "DateTimeOffset dateTimeOffset", "TimeSpan", |_| ok(TimeSpan::ZERO)),
    method("IsDaylightSavingTime", "DateTime dateTime", "bool", |_| ok(false)),
    method("IsDaylightSavingTime", "DateTimeOffset dateTimeOffset", "bool", |_| ok(false)),
];

/// The zone called `id`: only what is UTC by another name, since the gateway has no table of the
/// others. What stands in the text is refused at load by the checker.
pub(in crate::expression) fn zone(id: &str) -> Result<&'static str, Thrown> {
    const NAMES: [&str; 4] = ["UTC", "Etc/UTC", "GMT", "Etc/GMT"];
    if NAMES.iter().any(|known| id.eq_ignore_ascii_case(known)) {
        return Ok("UTC");
    }
    let message = format!("The time zone ID '{id}' was not found on the local computer.");
    Err(Thrown::new(ExceptionKind::TimeZoneNotFound, message))
}
