//! The metrics of a gateway: of its configuration, of limits, of its cluster and of the way to the
//! control plane, read when somebody scrapes them.

mod backends;
pub mod cluster;
mod held;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use crate::admin::metrics::cluster::of_cluster;
use crate::cache::memory::Cache;
use crate::configuration::cluster::Cluster;
use crate::configuration::offer::{self, State, Status};
use crate::configuration::remote::Link;
use crate::counters::Home;
use crate::counters::memory::Usage;
use crate::counters::shared::spread::Spread;
use crate::counters::shared::tolls::{KINDS, in_hand};
use crate::counters::shared::{KEYS_MAX, LaneReport, Report, Touch};
use crate::events::{self, Events};
use crate::exchange::cached::CachedResponse;
use crate::exchange::sample::Series;
use crate::expression::value::Value;
use crate::identity::{self, Identities};
use crate::issuer::Standing;
use crate::issuer::known::Issuers;
use crate::proxy;
use crate::proxy::listener::Connections;
use crate::proxy::send::Calls;
use crate::snapshot::Live;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::{Metric, Page, Part, Source, float, number, table};
use crate::telemetry::otlp::outbox::{self, Outboxes};
use crate::telemetry::samples::{Row, Seen, labels};
use crate::telemetry::statsd;
use crate::telemetry::traffic::histogram::Histogram;
use crate::time::{Clock, SystemClock, Timestamp};

/// Of how many issuers the metrics tell, those first whose address comes first.
const ISSUERS_MAX: usize = 100;
/// Of how many tokens of the gateway's own.
const OWN_TOKENS_MAX: usize = 100;
/// One millionth.
pub const MILLIONTH: f64 = 1e-6;

/// What metrics are read from, whoever wants them.
#[derive(Debug)]
pub struct Sources {
    /// What is counted of requests.
    pub state: Arc<proxy::state::State>,
    /// How the configuration is doing.
    pub configuration: Arc<Status>,
    /// Who shares it with other replicas.
    pub cluster: Option<Arc<Cluster>>,
    /// How it goes with the control plane, if there is one.
    pub control: Option<watch::Receiver<Link>>,
    /// How the counters are doing.
    pub counters: Arc<Home>,
    /// Who vouches for callers.
    pub issuers: Arc<Issuers>,
    /// The tokens that say who the gateway is.
    pub identities: Arc<Identities>,
    /// What policies told event hubs.
    pub events: Arc<Events>,
    /// What is recorded for a collector.
    pub outboxes: Outboxes,
    /// Responses that policies stored.
    pub responses: Arc<Cache<Arc<CachedResponse>>>,
    /// Values that they stored.
    pub values: Arc<Cache<Value>>,
    /// Who is connected.
    pub connections: Arc<Connections>,
    /// How many lines were lost.
    pub log: Arc<AccessLog>,
    /// What becomes of lines for `StatsD`, if there are any.
    pub statsd: Option<Arc<statsd::Counts>>,
    /// How late timers are.
    pub lag: Arc<Histogram>,
    /// When the process started.
    pub started: Timestamp,
    /// What runs.
    pub live: Arc<Live>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
}

impl Source for Sources {
    fn page(&self) -> Page {
        let (mut page, now) = (Page::default(), self.clock.now());
        let snapshot = self.live.snapshot();
        let deployment = Arc::clone(&snapshot.deployment);
        self.state.traffic.show(&mut page, &deployment.gateway_id, &deployment.region);
        let spared = self.state.spared.load(Ordering::Relaxed);
        page.count(&table::requests::RETRIES_SPARED, &[], spared);
        of_configuration(&mut page, &self.configuration.now(), now);
        of_calls(&mut page, &self.state.calls);
        of_events(&mut page, &self.events.standings());
        of_samples(&mut page, &self.state.samples.seen());
        of_telemetry(&mut page, &self.outboxes);
        match self.counters.shared() {
            Some(report) => {
                shared(&mut page, &report);
                in_memory(&mut page, report.alone);
            }
            None => in_memory(&mut page, self.counters.usage()),
        }
        held::of_decisions(&mut page, &self.state.refusals);
        held::of_quotas(&mut page, &self.counters, now);
        backends::of_backends(&mut page, &snapshot.backends, now);
        of_issuers(&mut page, &self.issuers.standing(), now);
        of_tokens(&mut page, &self.identities.standing(), now);
        if let Some(link) = self.control.as_ref().map(|link| link.borrow().clone()) {
            of_link(&mut page, &link);
        }
        if let Some(cluster) = &self.cluster {
            let current = cluster.standing.borrow().current.clone();
            let is_withheld = current.is_some_and(|current| current.withheld.is_some());
            page.level(&table::WITHHELD, &[], f64::from(u8::from(is_withheld)));
            of_cluster(&mut page, cluster);
        }
        held::of_cache(&mut page, "responses", &self.responses);
        held::of_cache(&mut page, "values", &self.values);
        held::of_connections(&mut page, &self.connections);
        held::of_process(&mut page, self, now);
        page
    }
}

fn of_link(page: &mut Page, link: &Link) {
    page.level(&table::CONTROL, &[], f64::from(u8::from(link.is_connected)));
    let expires = link.token_expires.map_or(f64::NAN, |at| float(at.micros() / 1_000_000));
    page.level(&table::TOKEN_EXPIRES, &[], expires);
}

fn of_calls(page: &mut Page, calls: &Calls) {
    for (kind, fates) in [("waited", &calls.requests), ("one-way", &calls.one_way)] {
        for (outcome, count) in
            [("answered", &fates.answered), ("failed", &fates.failed), ("refused", &fates.refused)]
        {
            let labels = [("kind", kind), ("outcome", outcome)];
            page.count(&table::POLICY_CALLS, &labels, count.load(Ordering::Relaxed));
        }
    }
}

fn of_events(page: &mut Page, loggers: &[events::Standing]) {
    for standing in loggers {
        let logger = ("logger", &*standing.logger);
        page.count(&table::EVENTS_EMITTED, &[logger], standing.counts.emitted);
        page.count(&table::EVENTS_SENT, &[logger], standing.counts.sent);
        for (reason, count) in events::DROPPED.into_iter().zip(standing.counts.dropped) {
            page.count(&table::EVENTS_DROPPED, &[logger, ("reason", reason)], count);
        }
        page.level(&table::EVENTS_QUEUED, &[logger], float(standing.queued));
        page.level(&table::EVENTS_QUEUED_BYTES, &[logger], float(standing.bytes));
    }
}

fn of_telemetry(page: &mut Page, outboxes: &Outboxes) {
    for (signal, outbox) in outboxes.by_signal() {
        let (signal, counts) = (("signal", signal), outbox.counts());
        page.count(&table::TELEMETRY_EMITTED, &[signal], counts.emitted);
        page.count(&table::TELEMETRY_EXPORTED, &[signal], counts.exported);
        for (reason, count) in outbox::REASONS.into_iter().zip(counts.dropped) {
            page.count(&table::TELEMETRY_DROPPED, &[signal, ("reason", reason)], count);
        }
        page.level(&table::TELEMETRY_HELD, &[signal], float(counts.held));
        page.level(&table::TELEMETRY_HELD_BYTES, &[signal], number(counts.held_bytes));
    }
}

fn of_samples(page: &mut Page, seen: &Seen) {
    for Row { name, series: Series { namespace, dimensions }, sum } in &seen.rows {
        // The label of a histogram's parts is not to be had either.
        let dimensions = labels(dimensions, &["namespace", "metric", "le"]);
        let own = [("namespace", &**namespace), ("metric", name)];
        let mut labels: Vec<(&str, &str)> = own.to_vec();
        labels.extend(dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let parts = vec![Part::new(f64::INFINITY, sum.count)];
        page.spread(&table::POLICY_METRIC, &labels, sum.sum, parts);
    }
    for (reason, count) in [("series", seen.folded), ("metrics", seen.dropped)] {
        page.count(&table::POLICY_METRIC_FOLDED, &[("reason", reason)], count);
    }
}

fn of_configuration(page: &mut Page, state: &State, now: Timestamp) {
    page.level(&table::GENERATION, &[], float(state.serving.number));
    for word in offer::Source::WORDS {
        let is_so = f64::from(u8::from(state.source.as_str() == word));
        page.level(&table::SOURCE, &[("source", word)], is_so);
    }
    let is_served = !state.serving.is_none();
    let age = if is_served { now.since(state.since).as_secs_f64() } else { f64::NAN };
    page.level(&table::CONFIGURATION_AGE, &[], age);
    page.count(&table::CONFIGURATIONS_REFUSED, &[], state.refused);
    page.level(&table::DISABLED, &[], number(state.disabled.len()));
    if let Some(keep) = &state.keep {
        let newest = keep.copies.first();
        let (generation, age) = newest.map_or((0.0, f64::NAN), |(generation, kept)| {
            (float(generation.number), now.since(*kept).as_secs_f64())
        });
        page.level(&table::LAST_GOOD_COPIES, &[], number(keep.copies.len()));
        page.level(&table::LAST_GOOD_GENERATION, &[], generation);
        page.level(&table::LAST_GOOD_AGE, &[], age);
        let is_broken = f64::from(u8::from(keep.fault.is_some()));
        page.level(&table::LAST_GOOD_FAULT, &[], is_broken);
    }
}

fn of_issuers(page: &mut Page, issuers: &[Standing], now: Timestamp) {
    for issuer in issuers.iter().take(ISSUERS_MAX) {
        let labels = [("document", issuer.name.as_str())];
        let age = issuer.fetched.map_or(f64::NAN, |fetched| now.since(fetched).as_secs_f64());
        page.level(&table::ISSUER_KEYS, &labels, number(issuer.keys));
        page.level(&table::ISSUER_KEYS_AGE, &labels, age);
        page.count(&table::ISSUER_FETCHES, &labels, issuer.fetches);
        page.count(&table::ISSUER_FAILURES, &labels, issuer.failures);
    }
}

fn of_tokens(page: &mut Page, tokens: &[identity::Standing], now: Timestamp) {
    for token in tokens.iter().take(OWN_TOKENS_MAX) {
        let client = token.client.as_deref().unwrap_or_default();
        let labels = [("client", client), ("resource", &*token.resource)];
        let left = token.life.map_or(0.0, |(_since, until)| until.since(now).as_secs_f64());
        let age = token.life.map_or(f64::NAN, |(since, _until)| now.since(since).as_secs_f64());
        page.level(&table::IDENTITY_LEFT, &labels, left);
        page.level(&table::IDENTITY_AGE, &labels, age);
        page.count(&table::IDENTITY_TOKENS, &labels, token.got);
        page.count(&table::IDENTITY_FAILURES, &labels, token.failures);
    }
}

fn in_memory(page: &mut Page, usage: Usage) {
    let labels = [("home", "memory")];
    page.level(&table::KEYS, &labels, number(usage.keys));
    page.level(&table::KEYS_MAX, &labels, number(usage.keys_max));
    page.count(&table::CLAIMS, &labels, usage.taken.saturating_add(usage.refused));
    page.count(&table::REFUSALS, &[("home", "memory"), ("reason", "limit")], usage.refused);
    page.count(&table::CROWDED, &[], usage.crowded);
}

fn shared(page: &mut Page, report: &Report) {
    let facts = &report.facts;
    let labels = [("home", "redis")];
    page.level(&table::KEYS, &labels, number(report.counters));
    page.level(&table::KEYS_MAX, &labels, number(KEYS_MAX));
    page.count(&table::CLAIMS, &labels, report.tolls.claims);
    page.count(&table::FROM_TILLS, &[], report.tolls.from_tills);
    let reasons =
        [("limit", facts.refused), ("late", report.tolls.late), ("unavailable", facts.unavailable)];
    for (reason, count) in reasons {
        page.count(&table::REFUSALS, &[("home", "redis"), ("reason", reason)], count);
    }
    let counts = [
        (&table::SOLD, facts.bought),
        (&table::SPENT, facts.spent),
        (&table::RETURNED, facts.returned),
        (&table::EXPIRED, facts.expired),
        (&table::FORGIVEN, facts.forgiven),
        (&table::REFUNDED, facts.refunded),
        (&table::SHARED, facts.shared),
        (&table::OPEN, facts.open),
        (&table::WAITS, facts.waited),
        (&table::WAITED_IN_VAIN, facts.timed_out),
        (&table::COMMANDS, report.commands),
        (&table::UNANSWERED, facts.unanswered),
        (&table::ROLLBACKS, facts.rollbacks),
        (&table::EVICTED, facts.evicted),
        (&table::OVERSHOOT_TOKENS, facts.unsold),
    ];
    for (metric, count) in counts {
        page.count(metric, &[], count);
    }
    for (kind, count) in KINDS.into_iter().zip(report.tolls.orders) {
        page.count(&table::ORDERS, &[("kind", kind)], count);
    }
    page.level(&table::STRANDED, &[], signed(in_hand(facts)));
    page.level(&table::DEBT, &[], float(facts.debt_max));
    page.level(&table::WAITING, &[], number(report.waiting));
    page.level(&table::OVERSHOOT_BOUND, &[], float(report.over_max) * MILLIONTH);
    page.level(&table::OVERSHOOT_OBSERVED, &[], float(facts.unsold_max) * MILLIONTH);
    page.sum(&table::HELD, &[], float(report.tolls.held) * MILLIONTH);
    spread(page, (&table::ALLOTMENT, &[]), &report.tolls.allotments, 1.0);
    spread(page, (&table::WAIT, &[]), &report.tolls.waits, MILLIONTH);
    if let Some(journal) = &report.journal {
        page.level(&table::JOURNAL, &[], float(journal.bytes));
        page.level(&table::JOURNAL_FAULT, &[], f64::from(u8::from(journal.fault.is_some())));
    }
    if let Some(copies) = &report.copies {
        page.level(&table::COPY_FAULT, &[], f64::from(u8::from(copies.fault.is_some())));
        let age = copies.age.map_or(f64::NAN, |age| age.as_secs_f64());
        page.level(&table::COPY_AGE, &[], age);
    }
    for report in &report.lanes {
        lane(page, report);
    }
}

fn lane(page: &mut Page, report: &LaneReport) {
    let number_of_lane = report.lane.to_string();
    let labels = [("lane", number_of_lane.as_str())];
    let touches =
        [("in-touch", Touch::In), ("out-of-touch", Touch::Out), ("healing", Touch::Healing)];
    for (state, touch) in touches {
        let is_so = f64::from(u8::from(report.touch == touch));
        page.level(&table::LANE_STATE, &[("lane", &number_of_lane), ("state", state)], is_so);
    }
    page.level(&table::LANE_SECONDS, &labels, report.since.as_secs_f64());
    page.level(&table::REPLICAS, &labels, f64::from(report.replicas));
    page.level(&table::HELD_BACK, &labels, number(report.held_back));
    let width = report.clock_width.map_or(f64::NAN, |width| width.as_secs_f64());
    page.level(&table::CLOCK, &labels, width);
    spread(page, (&table::LATENCY, &labels), &report.latency, MILLIONTH);
}

/// Sizes in another unit: each is `unit` times what was counted.
pub fn spread(
    page: &mut Page,
    (metric, labels): (&Metric, &[(&'static str, &str)]),
    spread: &Spread,
    unit: f64,
) {
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| scaled(bound, unit));
    let parts = spread.parts().map(|(most, count)| Part::new(bound(most), count)).collect();
    page.spread(metric, labels, float(spread.sum) * unit, parts);
}

/// `number` times `unit`; of microseconds as exactly as a `Duration` has it.
fn scaled(number: u64, unit: f64) -> f64 {
    if unit < 1.0 { Duration::from_micros(number).as_secs_f64() } else { float(number) }
}

fn signed(tokens: i128) -> f64 {
    let size = float(u64::try_from(tokens.unsigned_abs()).unwrap_or(u64::MAX));
    if tokens < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "they are whole")]
    fn numbers_stay_what_they_are() {
        for whole in [0, 1, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_991] {
            assert_eq!(format!("{}", float(whole)), whole.to_string());
        }
        assert_eq!(signed(-7), -7.0);
        assert_eq!(scaled(100, MILLIONTH), 0.0001);
    }
}
