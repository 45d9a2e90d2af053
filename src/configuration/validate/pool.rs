//! Pools of backends, and circuit breakers.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use super::Validator;
use super::app::SCHEME;
use super::registry::Registry;
use crate::backend::circuit::{Condition, FAILURES_MAX, Reasons, Rule};
use crate::backend::pool::turn::MEMBERS_MAX;
use crate::backend::pool::{Balancing, HashSource, Terms};
use crate::configuration::config::{Backend, PoolMember};
use crate::configuration::document::{self, pool};
use crate::configuration::yaml::{Mark, Placed};
use crate::time;

/// The largest priority and the largest weight.
const PART_MAX: u64 = 100;
/// The shortest and the longest time that anything may take here.
const SPANS: [Duration; 2] = [Duration::from_millis(1), Duration::from_hours(24)];
/// How few requests decide nothing where nothing is written.
const REQUESTS_MIN: u32 = 5;
/// The most that may be written instead.
const REQUESTS_MIN_MAX: u64 = 1_000_000;
/// What counts as a failure where nothing is written.
const USUAL: Reasons = Reasons { timeout: true, unreached: true, server_errors: true };

impl Validator<'_> {
    /// Whether `backend` is to be a pool.
    pub(super) fn is_pool(&mut self, backend: &document::Backend) -> bool {
        let kind = backend.kind.as_ref().filter(|kind| !kind.mark.is_made_up());
        let is_pool = kind.map(|kind| kind.value.eq_ignore_ascii_case("pool"));
        if let Some(kind) = kind
            && is_pool == Some(false)
            && !kind.value.eq_ignore_ascii_case("single")
        {
            let message =
                format!("the type of a backend is `Single` or `Pool`, not `{}`", kind.value);
            self.fault(kind.mark, message, "write one of the two");
        } else if is_pool == Some(true) && backend.pool.is_none() {
            let message =
                format!("the pool `{}` says of nobody that it stands for", backend.id.value);
            self.fault(backend.id.mark, message, "add `pool: {services: [{id: …}]}`");
        } else if is_pool != Some(true) && backend.pool.is_some() {
            let message = format!("the backend `{}` has `pool`, but is none", backend.id.value);
            self.fault(backend.id.mark, message, "add `type: Pool`");
        }
        backend.pool.is_some() || is_pool == Some(true)
    }

    /// The pool that `backend` is; `singles` are the others, which `registry` knows by their places.
    pub(super) fn pool(
        &mut self,
        backend: &document::Backend,
        (registry, singles): (&Registry, &[Option<Backend>]),
    ) -> Option<Backend> {
        if backend.kind.is_some() {
            self.has_nothing_else(backend);
        }
        let written = backend.pool.as_ref()?;
        let members = self.members(backend, written, (registry, singles));
        let terms = self.terms(written);
        let first = singles
            .iter()
            .flatten()
            .find(|single| members.first().is_some_and(|member| member.id == single.id))?;
        Some(Backend {
            id: Arc::from(backend.id.value.as_str()),
            title: backend.title.as_deref().map(Arc::from),
            url: Arc::clone(&first.url),
            is_app: false,
            credentials: super::super::config::Credentials::default(),
            validate_certificate_chain: true,
            validate_certificate_name: true,
            http: None,
            breaker: None,
            pool: Some((members, terms)),
            spot: self.spot(backend.id.mark),
        })
    }

    fn has_nothing_else(&mut self, backend: &document::Backend) {
        let document::Credentials { header, query, authorization, certificate } =
            &backend.credentials;
        let has_credentials = !header.0.is_empty()
            || !query.0.is_empty()
            || authorization.is_some()
            || certificate.is_some();
        let written = [
            ("url", backend.url.is_some()),
            ("credentials", has_credentials),
            ("tls", backend.tls.is_some()),
            ("httpVersion", backend.http_version.is_some()),
            ("circuitBreaker", backend.circuit_breaker.is_some()),
        ];
        for (key, _is_written) in written.iter().filter(|(_key, is_written)| *is_written) {
            let message = format!("the pool `{}` has `{key}`", backend.id.value);
            self.fault(backend.id.mark, message, "write it for each of its services instead");
        }
    }

    fn members(
        &mut self,
        backend: &document::Backend,
        written: &pool::Pool,
        (registry, singles): (&Registry, &[Option<Backend>]),
    ) -> Vec<PoolMember> {
        let of = format!("the pool `{}`", backend.id.value);
        if written.services.is_empty() {
            self.fault(backend.id.mark, format!("{of} has no services"), "add one to `services`");
        }
        self.few(
            "services in this pool",
            written.services.iter().map(|it| it.id.mark),
            MEMBERS_MAX,
        );
        let mut members: Vec<PoolMember> = Vec::with_capacity(written.services.len());
        for service in &written.services {
            let mark = service.id.mark;
            // What API Management writes is the path of a resource.
            let id = service.id.value.rsplit('/').next().unwrap_or_default();
            let priority = self.number(service.priority.as_ref(), (0, PART_MAX), 0);
            let weight = self.number(service.weight.as_ref(), (0, PART_MAX), 1);
            let found = self.look_up(registry, id, mark).first().copied();
            let Some(index) = found.filter(|_index| !mark.is_made_up()) else { continue };
            let Some(known) = self.document.backends.iter().nth(index) else { continue };
            if known.pool.is_some() || known.kind.as_ref().is_some_and(|it| is_word(it, "pool")) {
                let message = format!("{of} has the pool `{id}` among its services");
                self.fault(mark, message, "name the services of that one instead");
                continue;
            }
            if known.url.as_ref().is_some_and(|url| url.value.starts_with(SCHEME)) {
                let message = format!("{of} has the app `{id}` behind Dapr among its services");
                self.fault(mark, message, "leave it to the sidecar, which balances by itself");
                continue;
            }
            if members.iter().any(|member| member.id.eq_ignore_ascii_case(id)) {
                let message = format!("{of} has the service `{id}` twice");
                self.fault(
                    mark,
                    message,
                    "remove one of the two; `weight` gives it a larger share",
                );
                continue;
            }
            let single = singles.get(index).and_then(Option::as_ref);
            members.extend(single.map(|single| PoolMember {
                id: Arc::clone(&single.id),
                priority,
                weight,
            }));
        }
        members
    }

    fn terms(&mut self, written: &pool::Pool) -> Terms {
        let word = written.balancing.as_ref();
        let balancing = match word.map(|word| word.value.as_str()) {
            None | Some("weighted") => Some(Balancing::Weighted),
            Some("least-requests") => Some(Balancing::LeastRequests),
            Some("consistent-hash") => None,
            Some(other) => {
                if let Some(word) = word.filter(|word| !word.mark.is_made_up()) {
                    let remedy = "write `weighted`, `least-requests` or `consistent-hash`";
                    self.fault(word.mark, format!("there is no balancing `{other}`"), remedy);
                }
                Some(Balancing::Weighted)
            }
        };
        let balancing = match (balancing, &written.hash) {
            (Some(known), None) => known,
            (Some(known), Some(hash)) => {
                let remedy = "write `balancing: consistent-hash`, or remove it";
                self.fault(hash.mark, "`hash` has no meaning with this `balancing`", remedy);
                known
            }
            (None, Some(hash)) => self.hash(hash).unwrap_or_default(),
            (None, None) => {
                if let Some(word) = word {
                    let remedy = "add `hash: {source: header, name: NAME}`; source may be `cookie`, \
                                  `client-address` and `path`, too";
                    self.fault(word.mark, "nothing says what `consistent-hash` goes by", remedy);
                }
                Balancing::Weighted
            }
        };
        Terms {
            balancing,
            slow_start: written.slow_start.as_ref().and_then(|span| self.span(span, "slowStart")),
            panic_percent: 0,
            session_cookie: written.session_affinity.as_ref().and_then(|it| self.session(it)),
            failure_response: self.status(written.failure_response.as_ref()),
        }
    }

    fn hash(&mut self, written: &Placed<pool::Hash>) -> Option<Balancing> {
        let pool::Hash { source, name } = &written.value;
        let is_named = is_word(source, "header") || is_word(source, "cookie");
        match name {
            None if is_named => {
                let message = format!("nothing says which {} decides", source.value);
                self.fault(source.mark, message, "add `name`");
                return None;
            }
            Some(name) if !is_named => {
                let message = format!("`name` says nothing for the source `{}`", source.value);
                self.fault(name.mark, message, "remove it");
            }
            _ => (),
        }
        let source = if is_word(source, "header") {
            HashSource::Header(self.header_name(name.as_ref()?)?)
        } else if is_word(source, "cookie") {
            HashSource::Cookie(self.cookie(name.as_ref()?)?)
        } else if is_word(source, "client-address") {
            HashSource::ClientAddress
        } else if is_word(source, "path") {
            HashSource::Path
        } else {
            let message = format!("requests have no `{}`", source.value);
            let remedy = "write `header`, `cookie`, `client-address` or `path`";
            self.fault(source.mark, message, remedy);
            return None;
        };
        Some(Balancing::ConsistentHash(source))
    }

    fn session(&mut self, written: &pool::SessionAffinity) -> Option<Arc<str>> {
        let pool::SessionId { source, name } = &written.session_id;
        if !is_word(source, "cookie") && !source.mark.is_made_up() {
            let message = format!("a session cannot be known by `{}`", source.value);
            self.fault(source.mark, message, "write `Cookie`");
        }
        self.cookie(name)
    }

    /// The name of a cookie: a token, as the names of headers are.
    fn cookie(&mut self, name: &Placed<String>) -> Option<Arc<str>> {
        if name.mark.is_made_up() {
            return None;
        }
        if HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` cannot be the name of a cookie", name.value);
            self.fault(name.mark, message, "use letters, digits, `-` and `_`");
            return None;
        }
        Some(Arc::from(name.value.as_str()))
    }

    /// The rule of a circuit breaker.
    pub(super) fn breaker(
        &mut self,
        written: &document::CircuitBreaker,
        backend: Mark,
    ) -> Option<Rule> {
        let mut rules = written.rules.iter();
        let Some(rule) = rules.next() else {
            let message = "this circuit breaker has no rule";
            self.fault(backend, message, "add one to `rules`, or remove `circuitBreaker`");
            return None;
        };
        if let Some(second) = rules.next() {
            let remedy = "keep one; it may name several ranges and reasons";
            self.fault(second.name.mark, "a circuit breaker has one rule", remedy);
        }
        let condition = self.condition(rule);
        let failure = &rule.failure_condition;
        let interval = self.span(&failure.interval, "interval");
        let trip = self.span(&rule.trip_duration, "tripDuration");
        let says_nothing =
            failure.status_code_ranges.is_empty() && failure.error_reasons.is_empty();
        let statuses = failure.status_code_ranges.iter().filter_map(|it| self.range(it)).collect();
        let reasons = if says_nothing { USUAL } else { self.reasons(&failure.error_reasons) };
        Some(Rule {
            name: rule.name.value.clone(),
            condition: condition?,
            interval: interval?,
            statuses,
            reasons,
            trip: trip?,
            accepts_retry_after: rule.accept_retry_after.unwrap_or(false),
            failure_response: self.status(rule.failure_response.as_ref()),
        })
    }

    fn condition(&mut self, rule: &document::CircuitBreakerRule) -> Option<Condition> {
        let failure = &rule.failure_condition;
        if let (Some(least), Some(_)) = (&failure.minimum_requests, &failure.count) {
            let message = "`minimumRequests` has no meaning with `count`";
            self.fault(least.mark, message, "remove it");
        }
        match (&failure.count, &failure.percentage) {
            (Some(count), None) => {
                let most = u64::from(FAILURES_MAX);
                Some(Condition::Count(self.number(Some(count), (1, most), 1)))
            }
            (None, Some(percentage)) => {
                let least = failure.minimum_requests.as_ref();
                let percent = self.number(Some(percentage), (1, 100), 100);
                let requests_min = self.number(least, (1, REQUESTS_MIN_MAX), REQUESTS_MIN);
                Some(Condition::Percentage { percent, requests_min })
            }
            (count, _) => {
                let has = if count.is_some() { "both" } else { "neither" };
                let mark = count.as_ref().map_or(failure.interval.mark, |count| count.mark);
                let message = format!("this condition has {has} of `count` and `percentage`");
                self.fault(mark, message, "write one of the two");
                None
            }
        }
    }

    fn range(&mut self, written: &pool::StatusCodeRange) -> Option<std::ops::RangeInclusive<u16>> {
        let min = self.status(Some(&written.min))?.as_u16();
        let max = self.status(Some(&written.max))?.as_u16();
        if max < min {
            let message = format!("no status is from {min} to {max}");
            self.fault(written.min.mark, message, "write the smaller one as `min`");
        }
        Some(min..=max)
    }

    fn reasons(&mut self, written: &[Placed<String>]) -> Reasons {
        let mut reasons = Reasons::default();
        for reason in written.iter().filter(|reason| !reason.mark.is_made_up()) {
            if is_word(reason, "timeout") {
                reasons.timeout = true;
            } else if is_word(reason, "backendconnectionfailure") {
                reasons.unreached = true;
            } else if is_word(reason, "server errors") {
                reasons.server_errors = true;
            } else {
                let message = format!("no try fails for the reason `{}`", reason.value);
                let remedy = "write `Timeout`, `BackendConnectionFailure` or `Server errors`";
                self.fault(reason.mark, message, remedy);
            }
        }
        reasons
    }

    fn status(&mut self, written: Option<&Placed<u64>>) -> Option<StatusCode> {
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

fn is_word(written: &Placed<String>, word: &str) -> bool {
    written.value.trim().eq_ignore_ascii_case(word)
}
