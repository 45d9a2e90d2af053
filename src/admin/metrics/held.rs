//! The metrics of what a gateway holds: limits that refuse, quotas, caches, connections, and the
//! process itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::admin::limits::shape::words;
use crate::admin::metrics::Sources;
use crate::cache::memory::Cache;
use crate::counters::Home;
use crate::counters::view::digits;
use crate::limit::key::Kind;
use crate::limit::names::Names;
use crate::proxy::listener::Connections;
use crate::telemetry::metrics::{Page, float, number, table::process as table};
use crate::telemetry::process::usage;
use crate::telemetry::statsd::Counts;
use crate::time::Timestamp;

/// Of how many limits the metrics tell how often they refused, those first that stand first.
const LIMITS_MAX: usize = 100;
/// Of how many quotas the metrics tell what is left.
const QUOTAS_MAX: usize = 20;
/// Microseconds in a second.
const SECOND: f64 = 1e6;

/// Puts in what limits did, by where they stand.
pub(super) fn of_decisions(page: &mut Page, names: &Names) {
    for (site, decisions) in names.decisions().into_iter().take(LIMITS_MAX) {
        let place = site.place.to_string();
        for (outcome, count) in [
            ("refused", decisions.refused),
            ("spared", decisions.spared),
            ("unavailable", decisions.unavailable),
            ("spared-unavailable", decisions.spared_unavailable),
        ] {
            let labels = [("policy", site.policy), ("place", place.as_str()), ("outcome", outcome)];
            page.count(&table::LIMIT_DECISIONS, &labels, count);
        }
    }
}

/// Puts in what is left of the quotas that are nearest to their end.
pub(super) fn of_quotas(page: &mut Page, home: &Home, now: Timestamp) {
    for row in home.top_of(QUOTAS_MAX, now, |row| is_quota(row.key.kind())) {
        let (Some(limit), Some(left)) = (row.limit, row.remaining) else { continue };
        let ((policy, counts), key) = (words(row.key.kind()), digits(&row.key));
        let labels = [("policy", policy), ("counts", counts), ("key", key.as_str())];
        page.level(&table::QUOTA_LEFT, &labels, float(left));
        page.level(&table::QUOTA_LIMIT, &labels, float(limit));
    }
}

/// Whether it counts for a quota, wherever that is counted.
const fn is_quota(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::QuotaCalls
            | Kind::QuotaBandwidth
            | Kind::QuotaByKeyCalls
            | Kind::QuotaByKeyBandwidth
            | Kind::QuotaTokens
    )
}

/// Puts in what became of lookups, and how much is there.
pub(super) fn of_cache<V: Clone>(page: &mut Page, name: &str, cache: &Cache<V>) {
    let labels = [("cache", name)];
    let (hits, misses) = cache.lookups();
    page.count(&table::CACHE_HITS, &labels, hits);
    page.count(&table::CACHE_MISSES, &labels, misses);
    page.count(&table::CACHE_EVICTIONS, &labels, cache.evicted());
    page.level(&table::CACHE_ITEMS, &labels, number(cache.len()));
    page.level(&table::CACHE_BYTES, &labels, float(cache.bytes()));
}

/// Puts in what became of connections of clients.
pub(super) fn of_connections(page: &mut Page, connections: &Connections) {
    page.level(&table::CONNECTIONS, &[], number(connections.open()));
    page.count(&table::CONNECTIONS_ACCEPTED, &[], connections.let_in());
    for (reason, count) in
        [("crowded", connections.turned_away()), ("handshake", connections.handshakes_failed())]
    {
        page.count(&table::CONNECTIONS_REFUSED, &[("reason", reason)], count);
    }
}

/// Puts in how the process is doing, and what it tells of itself.
pub(super) fn of_process(page: &mut Page, sources: &Sources, now: Timestamp) {
    page.count(&table::LOG_DROPPED, &[], sources.log.dropped());
    if let Some(counts) = &sources.statsd {
        of_statsd(page, counts);
    }
    let (sum, parts) = sources.lag.seen(SECOND);
    page.spread(&table::LAG, &[], sum, parts);
    page.level(&table::UPTIME, &[], now.since(sources.started).as_secs_f64());
    if let Some(usage) = usage() {
        page.level(&table::MEMORY, &[], float(usage.memory));
        page.sum(&table::CPU, &[], usage.cpu.as_secs_f64());
    }
}

fn of_statsd(page: &mut Page, counts: &Counts) {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    page.count(&table::STATSD_SENT, &[], read(&counts.sent));
    for (reason, count) in [("full", &counts.full), ("unsent", &counts.unsent)] {
        page.count(&table::STATSD_DROPPED, &[("reason", reason)], read(count));
    }
}
