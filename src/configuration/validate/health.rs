//! Checks of a backend's health.

use std::time::Duration;

use super::Validator;
use super::pool::is_word;
use crate::backend::check::{Ask, Check};
use crate::configuration::document::HealthCheck;
use crate::configuration::yaml::Placed;

/// How often a backend is asked where nothing is written.
const INTERVAL: Duration = Duration::from_secs(10);
/// How often it may be asked at most: every replica asks by itself.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// How long a check may take where nothing is written.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take at most: only so many checks are made at once, and others wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// How many in a row change what is known where nothing is written.
const UNHEALTHY_AFTER: u32 = 3;
const HEALTHY_AFTER: u32 = 2;
/// The most that may be written instead.
const ROW_MAX: u64 = 100;
/// The longest path, and the longest name of a service, in bytes.
const BYTES_MAX: usize = 1 << 10;
/// The longest list of statuses.
const RANGES_MAX: usize = 16;

impl Validator<'_> {
    /// How the health of a backend is checked.
    pub(super) fn health_check(&mut self, written: &Placed<HealthCheck>) -> Option<Check> {
        let check = &written.value;
        let ask = self.asked(written);
        let interval = self.interval(check);
        let timeout = self.timeout(check, interval);
        let row = (1, ROW_MAX);
        let unhealthy_after = self.number(check.unhealthy_after.as_ref(), row, UNHEALTHY_AFTER);
        let healthy_after = self.number(check.healthy_after.as_ref(), row, HEALTHY_AFTER);
        Some(Check { ask: ask?, interval, timeout, unhealthy_after, healthy_after })
    }

    fn interval(&mut self, check: &HealthCheck) -> Duration {
        let Some(said) = &check.interval else { return INTERVAL };
        let interval = self.span(said, "interval").unwrap_or(INTERVAL);
        if interval < INTERVAL_MIN {
            let message = "`interval` is shorter than 1s";
            self.fault(said.mark, message, "write 1s or more: each replica asks by itself");
        }
        interval
    }

    fn timeout(&mut self, check: &HealthCheck, interval: Duration) -> Duration {
        let usual = TIMEOUT.min(interval);
        let Some(said) = &check.timeout else { return usual };
        let timeout = self.span(said, "timeout").unwrap_or(usual);
        if interval < timeout {
            let message = "`timeout` is longer than `interval`";
            self.fault(said.mark, message, "write the larger one as `interval`");
        } else if TIMEOUT_MAX < timeout {
            let message = "`timeout` is longer than 30s";
            self.fault(said.mark, message, "write 30s or less");
        }
        timeout
    }

    fn asked(&mut self, written: &Placed<HealthCheck>) -> Option<Ask> {
        let check = &written.value;
        let kind = check.kind.as_ref().filter(|kind| !kind.mark.is_made_up());
        let is = |word| kind.map_or(word == "http", |kind| is_word(kind, word));
        let (is_http, is_grpc) = (is("http"), is("grpc"));
        if !is_http && !is_grpc && !is("tcp") {
            let kind = kind?;
            let message = format!("the health of a backend cannot be checked by `{}`", kind.value);
            self.fault(kind.mark, message, "write `http`, `grpc` or `tcp`");
            return None;
        }
        let mark = check.status_code_ranges.first().map(|range| range.min.mark);
        let pointless = [
            ("path", check.path.as_ref().map(|path| path.mark), is_http),
            ("statusCodeRanges", mark, is_http),
            ("service", check.service.as_ref().map(|service| service.mark), is_grpc),
        ];
        for (key, mark, is_used) in pointless {
            if let (Some(mark), false) = (mark, is_used) {
                let message = format!("`{key}` says nothing for a check of this `type`");
                self.fault(mark, message, "remove it");
            }
        }
        if is_grpc {
            let service = check.service.as_ref();
            return Some(Ask::Grpc { service: self.bounded(service, "", |_text| true)? });
        }
        if !is_http {
            return Some(Ask::Tcp);
        }
        let is_path = |text: &str| {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
            text.starts_with('/') && text.bytes().all(is_plain)
        };
        let target = self.bounded(check.path.as_ref(), "/", is_path)?;
        let written = &check.status_code_ranges;
        self.few("ranges of statuses", written.iter().map(|range| range.min.mark), RANGES_MAX);
        let statuses: Vec<_> = written.iter().filter_map(|range| self.range(range)).collect();
        let statuses = if statuses.is_empty() { vec![200..=299] } else { statuses };
        Some(Ask::Http { target, statuses })
    }

    /// The text that is written, if it is one of those; `usual` if none is.
    fn bounded(
        &mut self,
        written: Option<&Placed<String>>,
        usual: &str,
        is_one: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let Some(written) = written.filter(|it| !it.mark.is_made_up()) else {
            return Some(usual.to_owned());
        };
        if BYTES_MAX < written.value.len() {
            let message = format!("this has more than {BYTES_MAX} bytes");
            self.fault(written.mark, message, "write a shorter one");
            return None;
        }
        if !is_one(&written.value) {
            let message = format!("`{}` is no path", written.value);
            self.fault(written.mark, message, "begin with `/`, and write only what a URL may hold");
            return None;
        }
        Some(written.value.clone())
    }
}
