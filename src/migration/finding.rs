//! What is said about one thing that was written: what became of it, or what is wrong with it.

use std::fmt;

use serde::Serialize;

use crate::configuration::yaml::Mark;
use crate::fault::Place;

/// What became of something, or how bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It goes on to mean what it meant.
    Carried,
    /// It was written anew.
    Changed,
    /// It has no effect any more, and is gone.
    Dropped,
    /// It cannot be had; it was left where it stands, for a person to decide.
    Refused,
    /// Somebody may want to know.
    Note,
    /// It will hurt one day.
    Warning,
    /// It is wrong now.
    Error,
}

/// One line of a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Which rule says so; stable.
    pub rule: &'static str,
    /// What became of it, or how bad it is.
    pub level: Level,
    /// Where.
    pub place: Place,
    /// What: a setting, or the path of a key.
    pub what: String,
    /// What became of it and why, or what is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in one sentence without a full stop.
    pub remedy: Option<String>,
}

impl Level {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Changed => "changed",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Whether somebody has to do something about it.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::Refused | Self::Warning | Self::Error)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl Finding {
    /// What became of `what`.
    pub fn of(
        level: Level,
        place: Place,
        what: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (what, message) = (what.into(), message.into());
        Self { rule: level.word(), level, place, what, message, remedy: None }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same, of a rule with a name of its own.
    #[must_use]
    pub const fn by(mut self, rule: &'static str) -> Self {
        self.rule = rule;
        self
    }
}

/// The place of `mark` in `file`.
pub fn place(file: &std::sync::Arc<str>, mark: Mark) -> Place {
    Place { file: std::sync::Arc::clone(file), line: mark.line.max(1), column: mark.column.max(1) }
}
