//! The calendar: ticks to years, months and days, and back.

use crate::expression::value::moment::{
    TICKS_PER_DAY, TICKS_PER_HOUR, TICKS_PER_MILLISECOND, TICKS_PER_MINUTE, TICKS_PER_SECOND,
};

/// The names of the days, from Sunday, which is 0 in .NET.
pub const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The names of the months, from January.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Days from 0000-03-01 to 0001-01-01 in the calendar that is counted backwards.
const DAYS_TO_FIRST: i64 = 306;

/// What calendar and clock show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Civil {
    /// `Year`, from 1 to 9999.
    pub year: i32,
    /// `Month`, from 1.
    pub month: i32,
    /// `Day`, from 1.
    pub day: i32,
    /// `Hour`, to 23.
    pub hour: i32,
    /// `Minute`.
    pub minute: i32,
    /// `Second`.
    pub second: i32,
    /// Ticks of the last second.
    pub ticks: i32,
    /// `DayOfWeek`, from Sunday, which is 0.
    pub weekday: i32,
    /// `DayOfYear`, from 1.
    pub year_day: i32,
}

impl Civil {
    /// What they show at `ticks`.
    pub fn of(ticks: i64) -> Self {
        let days = ticks.div_euclid(TICKS_PER_DAY);
        let time = ticks.rem_euclid(TICKS_PER_DAY);
        let (year, month, day) = date(days);
        let first = self::days(year, 1, 1).unwrap_or(0);
        Self {
            year,
            month,
            day,
            hour: small(time.div_euclid(TICKS_PER_HOUR)),
            minute: small(time.div_euclid(TICKS_PER_MINUTE).rem_euclid(60)),
            second: small(time.div_euclid(TICKS_PER_SECOND).rem_euclid(60)),
            ticks: small(time.rem_euclid(TICKS_PER_SECOND)),
            // 0001-01-01 was a Monday.
            weekday: small(days.wrapping_add(1).rem_euclid(7)),
            year_day: small(days.wrapping_sub(first).wrapping_add(1)),
        }
    }

    /// `Millisecond`.
    pub fn millisecond(&self) -> i32 {
        small(i64::from(self.ticks).div_euclid(TICKS_PER_MILLISECOND))
    }

    /// The name of the day.
    pub fn day_name(&self) -> &'static str {
        let index = usize::try_from(self.weekday).unwrap_or(0);
        DAYS.get(index).copied().unwrap_or_default()
    }

    /// The name of the month.
    pub fn month_name(&self) -> &'static str {
        let index = usize::try_from(self.month.wrapping_sub(1)).unwrap_or(0);
        MONTHS.get(index).copied().unwrap_or_default()
    }
}

/// Days from 0001-01-01 to that date; none if there is no such date.
pub fn days(year: i32, month: i32, day: i32) -> Option<i64> {
    let is_date = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    if !is_date {
        return None;
    }
    // Years begin in March here, so that the leap day is a year's last.
    let year = i64::from(year).wrapping_sub(i64::from(month <= 2));
    let month = i64::from(month).wrapping_add(9).rem_euclid(12);
    let year_days = month.wrapping_mul(153).wrapping_add(2).div_euclid(5);
    let leap_days =
        year.div_euclid(4).wrapping_sub(year.div_euclid(100)).wrapping_add(year.div_euclid(400));
    let days = year.wrapping_mul(365).wrapping_add(leap_days).wrapping_add(year_days);
    Some(days.wrapping_add(i64::from(day)).wrapping_sub(1).wrapping_sub(DAYS_TO_FIRST))
}

/// `DateTime.DaysInMonth(year, month)`.
pub const fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `DateTime.IsLeapYear(year)`.
pub const fn is_leap_year(year: i32) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Year, month and day of the day `days` after 0001-01-01.
fn date(days: i64) -> (i32, i32, i32) {
    let days = days.wrapping_add(DAYS_TO_FIRST);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leaps = day_of_era
        .div_euclid(1460)
        .wrapping_sub(day_of_era.div_euclid(36_524))
        .wrapping_add(day_of_era.div_euclid(146_096));
    let year_of_era = day_of_era.wrapping_sub(leaps).div_euclid(365);
    let before = year_of_era
        .wrapping_mul(365)
        .wrapping_add(year_of_era.div_euclid(4))
        .wrapping_sub(year_of_era.div_euclid(100));
    let year_day = day_of_era.wrapping_sub(before);
    let month = year_day.wrapping_mul(5).wrapping_add(2).div_euclid(153);
    let month_start = month.wrapping_mul(153).wrapping_add(2).div_euclid(5);
    let day = year_day.wrapping_sub(month_start).wrapping_add(1);
    let year = era.wrapping_mul(400).wrapping_add(year_of_era);
    let month = if month < 10 { month.wrapping_add(3) } else { month.wrapping_sub(9) };
    let year = year.wrapping_add(i64::from(month <= 2));
    (small(year), small(month), small(day))
}

/// A number that is known to be small.
fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(0)
}
