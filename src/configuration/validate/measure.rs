//! Numbers, statuses and times that are written for backends.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::Validator;
use crate::configuration::document::pool::StatusCodeRange;
use crate::configuration::yaml::Placed;
use crate::time;

/// The shortest and the longest time that anything may take here.
const SPANS: [Duration; 2] = [Duration::from_millis(1), Duration::from_hours(24)];

impl Validator<'_> {
    /// The statuses from one to another.
    pub(super) fn range(&mut self, written: &StatusCodeRange) -> Option<RangeInclusive<u16>> {
        let min = self.status(Some(&written.min))?.as_u16();
        let max = self.status(Some(&written.max))?.as_u16();
        if max < min {
            let message = format!("no status is from {min} to {max}");
            self.fault(written.min.mark, message, "write the smaller one as `min`");
        }
        Some(min..=max)
    }

    /// The status that is written, of a response.
    pub(super) fn status(&mut self, written: Option<&Placed<u64>>) -> Option<StatusCode> {
        let written = written.filter(|it| !it.mark.is_made_up())?;
        let number = self.number(Some(written), (200, 599), 503);
        u16::try_from(number).ok().and_then(|code| StatusCode::from_u16(code).ok())
    }

    /// The number that is written, within these bounds; `usual` if none is.
    pub(super) fn number(
        &mut self,
        written: Option<&Placed<u64>>,
        (least, most): (u64, u64),
        usual: u32,
    ) -> u32 {
        let Some(written) = written.filter(|it| !it.mark.is_made_up()) else { return usual };
        if !(least..=most).contains(&written.value) {
            let message = format!("{} is not from {least} to {most}", written.value);
            self.fault(written.mark, message, "write a number within these bounds");
        }
        u32::try_from(written.value).unwrap_or(usual)
    }

    /// A time, as ISO 8601 writes it or as we do.
    pub(super) fn span(&mut self, written: &Placed<String>, key: &str) -> Option<Duration> {
        if written.mark.is_made_up() {
            return None;
        }
        let text = written.value.trim();
        let [least, most] = SPANS;
        match time::iso_span(text).or_else(|| time::span(text)) {
            Some(span) if (least..=most).contains(&span) => Some(span),
            Some(_) => {
                let message = format!("`{key}` is `{text}`, which is not from 1ms to 24h");
                self.fault(written.mark, message, "write a time within these bounds");
                None
            }
            None => {
                let message = format!("`{key}` is `{text}`, which is no time");
                self.fault(written.mark, message, "write it as PT1M, PT30S, 1m or 30s");
                None
            }
        }
    }
}
