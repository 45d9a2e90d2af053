//! The metrics of the process and of what it holds: connections, caches, memory, time.

use super::metrics;
use crate::telemetry::metrics::{Kind, Metric};

metrics! {
    LIMIT_DECISIONS = "weir_limited_requests" as "weir.limited.requests", Counter, "requests",
        "Requests that a limit did not just admit, by `policy`, `place` and `outcome`: `refused`, `spared` (it is in shadow), \
         `unavailable` (nobody could be asked), `spared-unavailable`; of 100 limits at most.";
    QUOTA_LEFT = "weir_quota_left" as "weir.quota.left", Gauge, "",
        "What is left of a quota, by `policy`, `counts` (`calls`, `bytes`, `tokens`) and `key` (the digest that `weir limits` shows): \
         of the 20 counters nearest to their limits.";
    QUOTA_LIMIT = "weir_quota_limit" as "weir.quota.limit", Gauge, "",
        "What these quotas admit in a period.";
    CACHE_HITS = "weir_cache_hits" as "weir.cache.hits", Counter, "lookups",
        "Times that something was found in a `cache`: `responses` or `values`.";
    CACHE_MISSES = "weir_cache_misses" as "weir.cache.misses", Counter, "lookups",
        "Times that nothing was found.";
    CACHE_EVICTIONS = "weir_cache_evictions" as "weir.cache.evictions", Counter, "items",
        "Items that left a `cache` because others needed the room.";
    CACHE_ITEMS = "weir_cache_items" as "weir.cache.items", Gauge, "items",
        "Items in a `cache`, those included that are over and were not asked for since.";
    CACHE_BYTES = "weir_cache_size_bytes" as "weir.cache.size", Gauge, "bytes",
        "How many bytes those take up.";
    CONNECTIONS = "weir_connections" as "weir.connections", Gauge, "connections",
        "Connections of clients that are open, handshakes included.";
    CONNECTIONS_ACCEPTED = "weir_connections_accepted" as "weir.connections.accepted", Counter, "connections",
        "Connections of clients that were let in.";
    CONNECTIONS_REFUSED = "weir_connections_refused" as "weir.connections.refused", Counter, "connections",
        "Connections that were not, by `reason`: `crowded` (`limits.connections` are open), `handshake` (TLS came to nothing).";
    LOG_DROPPED = "weir_access_log_dropped" as "weir.access_log.dropped", Counter, "lines",
        "Lines of the access log for which there was no room.";
    STATSD_SENT = "weir_statsd_sent" as "weir.statsd.sent", Counter, "lines",
        "Lines that were sent to `StatsD`.";
    STATSD_DROPPED = "weir_statsd_dropped" as "weir.statsd.dropped", Counter, "lines",
        "Lines that were not, by `reason`: `full` (too many requests since the last second), `unsent` (the system refused to send them).";
    LAG = "weir_event_loop_lag_seconds" as "weir.event_loop.lag", Histogram, "seconds",
        "How late timers fire on the threads that serve clients: work that does not pause holds up all others.";
    MEMORY = "weir_process_memory_bytes" as "weir.process.memory", Gauge, "bytes",
        "Memory of the process that is in RAM.";
    CPU = "weir_process_cpu_seconds" as "weir.process.cpu", Counter, "seconds",
        "Time of processors that the process has used.";
    UPTIME = "weir_process_uptime_seconds" as "weir.process.uptime", Gauge, "seconds",
        "How long ago the process started.";
}
