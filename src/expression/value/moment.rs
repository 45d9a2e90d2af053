//! Points and spans of time, counted in ticks as .NET counts them.

/// Ticks in a second; a tick is 100 nanoseconds.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks in a millisecond.
pub const TICKS_PER_MILLISECOND: i64 = 10_000;
/// Ticks in a minute.
pub const TICKS_PER_MINUTE: i64 = 60 * TICKS_PER_SECOND;
/// Ticks in an hour.
pub const TICKS_PER_HOUR: i64 = 60 * TICKS_PER_MINUTE;
/// Ticks in a day.
pub const TICKS_PER_DAY: i64 = 24 * TICKS_PER_HOUR;
/// The last tick that a date can have: 9999-12-31T23:59:59.9999999.
pub const TICKS_MAX: i64 = 3_155_378_975_999_999_999;
/// The tick of 1970-01-01T00:00:00.
pub const TICKS_UNIX_EPOCH: i64 = 621_355_968_000_000_000;

/// What the clock of a `DateTime` shows. The gateway's local time is UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum DateTimeKind {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Coordinated universal time.
    Utc,
    /// The time of the place.
    Local,
}

/// `System.DateTime`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct DateTime {
    /// Ticks since 0001-01-01, from 0 to [`TICKS_MAX`].
    pub ticks: i64,
    /// Whose clock.
    pub kind: DateTimeKind,
}

/// `System.DateTimeOffset`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct DateTimeOffset {
    /// Ticks since 0001-01-01 as the clock on the wall shows them, from 0 to [`TICKS_MAX`].
    pub ticks: i64,
    /// How far that clock is ahead of UTC, in minutes, at most 14 hours either way.
    pub offset_minutes: i16,
}

/// `System.TimeSpan`, in ticks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TimeSpan(pub i64);

impl DateTimeKind {
    /// The name of the member of `System.DateTimeKind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "Unspecified",
            Self::Utc => "Utc",
            Self::Local => "Local",
        }
    }
}

impl DateTime {
    /// `DateTime.MinValue`.
    pub const MIN: Self = Self { ticks: 0, kind: DateTimeKind::Unspecified };
    /// `DateTime.MaxValue`.
    pub const MAX: Self = Self { ticks: TICKS_MAX, kind: DateTimeKind::Unspecified };

    /// The UTC time that many microseconds after the Unix epoch.
    pub fn from_unix_micros(micros: u64) -> Self {
        let ticks = i64::try_from(micros).unwrap_or(i64::MAX).saturating_mul(10);
        let ticks = ticks.saturating_add(TICKS_UNIX_EPOCH).min(TICKS_MAX);
        Self { ticks, kind: DateTimeKind::Utc }
    }
}

impl DateTimeOffset {
    /// `DateTimeOffset.MinValue`.
    pub const MIN: Self = Self { ticks: 0, offset_minutes: 0 };
    /// `DateTimeOffset.MaxValue`.
    pub const MAX: Self = Self { ticks: TICKS_MAX, offset_minutes: 0 };

    /// The UTC time that many microseconds after the Unix epoch.
    pub fn from_unix_micros(micros: u64) -> Self {
        Self { ticks: DateTime::from_unix_micros(micros).ticks, offset_minutes: 0 }
    }

    /// The offset in ticks.
    pub fn offset_ticks(self) -> i64 {
        i64::from(self.offset_minutes).saturating_mul(TICKS_PER_MINUTE)
    }

    /// The ticks of the same instant on a UTC clock.
    pub fn utc_ticks(self) -> i64 {
        self.ticks.saturating_sub(self.offset_ticks())
    }
}

impl TimeSpan {
    /// `TimeSpan.Zero`.
    pub const ZERO: Self = Self(0);
    /// `TimeSpan.MinValue`.
    pub const MIN: Self = Self(i64::MIN);
    /// `TimeSpan.MaxValue`.
    pub const MAX: Self = Self(i64::MAX);
}
