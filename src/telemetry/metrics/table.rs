//! Every metric there is: name, kind, unit, meaning. The documentation's table comes from here.

pub mod process;
pub mod requests;

use crate::telemetry::metrics::{Kind, Metric};

/// Makes a constant of each row, and a list of all.
macro_rules! metrics {
    ($($id:ident = $name:literal $(as $semantic:literal)?, $kind:ident, $unit:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $id: Metric = Metric {
                name: $name,
                semantic: metrics!(@semantic $($semantic)?),
                kind: Kind::$kind,
                unit: $unit,
                meaning: $meaning,
            };
        )*

        /// All of these.
        pub(super) const ROWS: &[Metric] = &[$($id),*];
    };
    (@semantic) => { None };
    (@semantic $semantic:literal) => { Some($semantic) };
}
use metrics;

/// All metrics, in the order in which they are scraped.
pub const TABLE: &[Metric] =
    &joined::<{ requests::ROWS.len() + PARTS.len() }>(requests::ROWS, PARTS);

/// Those of the gateway's parts, and of the process.
const PARTS: &[Metric] = &joined::<{ ROWS.len() + process::ROWS.len() }>(ROWS, process::ROWS);

/// Two lists one after the other, at compile time.
#[expect(clippy::indexing_slicing, reason = "it would not compile")]
const fn joined<const COUNT: usize>(first: &[Metric], second: &[Metric]) -> [Metric; COUNT] {
    let mut all = [first[0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

metrics! {
    GENERATION = "weir_configuration_generation", Gauge, "",
        "The number of the configuration that is served; 0 before there is one.";
    SOURCE = "weir_configuration_source", Gauge, "",
        "1 for the `source` of the configuration that is served: `folder`, `offer`, `last-good` (the newest \
         copy, because there was nothing else), `none`.";
    CONFIGURATION_AGE = "weir_configuration_age_seconds", Gauge, "seconds",
        "For how long it has been served; not a number before there is one.";
    CONFIGURATIONS_REFUSED = "weir_configuration_refused", Counter, "configurations",
        "Configurations that were refused since the start.";
    WITHHELD = "weir_configuration_withheld", Gauge, "",
        "1 while what the source of a cluster has is not published, because it takes too much away.";
    DISABLED = "weir_kill_switch_entries", Gauge, "",
        "Policies, APIs and operations that the kill switch names.";
    LAST_GOOD_COPIES = "weir_last_good_copies", Gauge, "copies",
        "Copies of good configurations that are there.";
    LAST_GOOD_GENERATION = "weir_last_good_generation", Gauge, "",
        "The number of the newest of them; 0 without one.";
    LAST_GOOD_AGE = "weir_last_good_age_seconds", Gauge, "seconds",
        "How long ago that was kept; not a number without one.";
    LAST_GOOD_FAULT = "weir_last_good_broken", Gauge, "",
        "1 while no copy can be kept: the key or the disk is wrong.";
    ISSUER_KEYS = "weir_issuer_keys", Gauge, "keys",
        "Keys of an issuer whose tokens policies believe, by the address of its `document`.";
    ISSUER_KEYS_AGE = "weir_issuer_keys_age_seconds", Gauge, "seconds",
        "How long ago they were fetched; not a number while they never were. They count for a day.";
    ISSUER_FETCHES = "weir_issuer_fetches", Counter, "fetches",
        "How often they were fetched.";
    ISSUER_FAILURES = "weir_issuer_fetch_failures", Counter, "fetches",
        "How often they could not be.";
    IDENTITY_LEFT = "weir_identity_token_left_seconds", Gauge, "seconds",
        "Until a token ends that the gateway shows to other services, by `client` (empty: the machine's own) and \
         `resource` (of an authorization: provider and id); 0 while there is none.";
    IDENTITY_AGE = "weir_identity_token_age_seconds", Gauge, "seconds",
        "How long ago it was got; not a number while there is none.";
    IDENTITY_TOKENS = "weir_identity_tokens", Counter, "tokens",
        "How often one was got.";
    IDENTITY_FAILURES = "weir_identity_token_failures", Counter, "tokens",
        "How often none could be got.";
    CIRCUIT_OPEN = "weir_backend_circuit_state", Gauge, "",
        "1 while the circuit of a `backend` is open, else 0; of those that have a circuit breaker.";
    CIRCUIT_TRIPS = "weir_backend_circuit_trips", Counter, "trips",
        "How often it opened by what this replica saw, since the start or the last change of its URL or rule.";
    HEALTHY = "weir_backend_healthy", Gauge, "",
        "1 while checks of its health find that a `backend` can serve, and before the first one is over, else 0; of those that have a `healthCheck`.";
    HEALTH_CHECKS = "weir_backend_health_checks", Counter, "checks",
        "Checks of a `backend`, by `outcome`: `well` or `unwell`, since the start or the last change of its URL or check.";
    POOL_MEMBERS = "weir_backend_pool_members", Gauge, "backends",
        "Members of a `pool`.";
    POOL_AVAILABLE = "weir_backend_pool_members_available", Gauge, "backends",
        "Of these, how many can be asked.";
    POOL_REQUESTS = "weir_backend_pool_requests", Counter, "requests",
        "Tries that a member (`backend`) of a `pool` was chosen for, since the start or the last change of the pool's members.";
    CLAIMS = "weir_limit_claims", Counter, "claims",
        "Claims on counters: one for each limit that a request met.";
    FROM_TILLS = "weir_limit_claims_from_tills", Counter, "claims",
        "Claims on shared counters that took no lock: of keys that are asked for often.";
    REFUSALS = "weir_limit_refusals", Counter, "claims",
        "Claims that were refused, by `reason`: `limit` (it was met), `late` (no answer in time), \
         `unavailable` (nothing could be said; a limit in the fast mode then goes by this replica's part).";
    KEYS = "weir_limit_keys", Gauge, "keys",
        "Counters held, by `home`: `memory` (counted by this replica alone) or `redis` (shared).";
    KEYS_MAX = "weir_limit_keys_max", Gauge, "keys",
        "Counters that can be held, by `home`.";
    CROWDED = "weir_limit_crowded", Counter, "claims",
        "Claims in memory that shared a counter because there was no room for one of their own.";
    SOLD = "weir_limit_tokens_sold", Counter, "tokens",
        "Tokens that Redis sold to this replica.";
    SPENT = "weir_limit_tokens_spent", Counter, "tokens",
        "Tokens that requests took from what was bought, debts included.";
    RETURNED = "weir_limit_tokens_returned", Counter, "tokens",
        "Tokens that were handed back to Redis unspent.";
    EXPIRED = "weir_limit_tokens_expired", Counter, "tokens",
        "Tokens that died unspent with their window.";
    FORGIVEN = "weir_limit_tokens_forgiven", Counter, "tokens",
        "Debts of windows that are long over, never paid.";
    REFUNDED = "weir_limit_tokens_refunded", Counter, "tokens",
        "Tokens that requests gave back: another limit refused them, or they did not count.";
    STRANDED = "weir_limit_tokens_stranded", Gauge, "tokens",
        "Tokens in hand, debts taken off: sold to this replica and not spent, so nobody else can have them.";
    SHARED = "weir_limit_tokens_from_share", Counter, "tokens",
        "Tokens admitted from this replica's own share while Redis was out of touch.";
    OPEN = "weir_limit_tokens_unlimited", Counter, "tokens",
        "Tokens admitted without limit while Redis was out of touch.";
    DEBT = "weir_limit_debt_max_tokens", Gauge, "tokens",
        "The largest debt of one counter since the start.";
    ALLOTMENT = "weir_limit_allotment_tokens", Histogram, "tokens",
        "How many tokens one purchase brought.";
    HELD = "weir_limit_allotment_held_token_seconds", Counter, "seconds",
        "Tokens in hand, summed up over time: divided by the tokens sold it is how old one gets.";
    WAITS = "weir_limit_waits", Counter, "claims",
        "Claims that had to wait for an answer.";
    WAITED_IN_VAIN = "weir_limit_waits_in_vain", Counter, "claims",
        "Claims that waited as long as they may.";
    WAIT = "weir_limit_wait_seconds", Histogram, "seconds",
        "How long claims waited that had to.";
    WAITING = "weir_limit_waiting", Gauge, "claims",
        "Claims that wait now.";
    COMMANDS = "weir_limit_redis_commands", Counter, "commands",
        "Commands sent to Redis, beats included; a script for several orders is one. Divided by the \
         claims it is the cost of one.";
    ORDERS = "weir_limit_orders", Counter, "orders",
        "Orders of counters, by `kind`: `fixed`, `ring`, `bucket`, `ledger`, `raise`.";
    UNANSWERED = "weir_limit_orders_unanswered", Counter, "orders",
        "Orders without an answer in time: carried out or not, what they asked for is not spent.";
    LATENCY = "weir_limit_redis_latency_seconds", Histogram, "seconds",
        "How long Redis took to answer a batch of orders, there and back, by `lane`.";
    LANE_STATE = "weir_limit_lane_state", Gauge, "",
        "1 for the `state` that a `lane` is in: `in-touch`, `out-of-touch`, `healing`.";
    LANE_SECONDS = "weir_limit_lane_state_seconds", Gauge, "seconds",
        "For how long a `lane` is in touch, or out of it.";
    REPLICAS = "weir_limit_replicas", Gauge, "replicas",
        "Replicas that share a `lane`, as last heard.";
    HELD_BACK = "weir_limit_shares_held_back", Gauge, "replicas",
        "Shares of missing or dead replicas that are not for sale in a `lane`.";
    CLOCK = "weir_limit_clock_width_seconds", Gauge, "seconds",
        "How far apart the bounds of Redis's clock are in a `lane`: requests wait that long between two windows.";
    ROLLBACKS = "weir_limit_rollbacks", Counter, "counters",
        "Times that a counter was seen to have lost data and was lifted again.";
    EVICTED = "weir_limit_evicted", Counter, "counters",
        "Counters that were given up because they were idle, or for others.";
    JOURNAL = "weir_limit_journal_bytes", Gauge, "bytes",
        "The journal of quotas: what is not yet acknowledged, and what is not yet cleared away.";
    JOURNAL_FAULT = "weir_limit_journal_broken", Gauge, "",
        "1 while the journal of quotas, or the copy of their totals, cannot be written.";
    COPY_FAULT = "weir_limit_etcd_copy_broken", Gauge, "",
        "1 while the copy of the totals of quotas in etcd cannot be read or written.";
    COPY_AGE = "weir_limit_etcd_copy_age_seconds", Gauge, "seconds",
        "How long ago this replica last brought the copy of the totals of quotas in etcd up to date; not a number before it did.";
    OVERSHOOT_BOUND = "weir_limit_overshoot_bound_ratio", Gauge, "ratio",
        "The largest part of a limit that all replicas together may admit beyond it, of the limits in use.";
    OVERSHOOT_OBSERVED = "weir_limit_overshoot_observed_ratio", Gauge, "ratio",
        "The largest part of a limit that this replica admitted in one window and still owed when it ended; \
         summed over replicas it stays below the bound.";
    OVERSHOOT_TOKENS = "weir_limit_overshoot_observed_tokens", Counter, "tokens",
        "Tokens admitted in windows that ended before they were paid for.";
    POLICY_CALLS = "weir_policy_calls", Counter, "calls",
        "Requests that policies made to other services, by `kind`: `waited` (`send-request`) or `one-way`; and by `outcome`: \
         `answered`, `failed` (no answer, or one too late or too large), `refused` (too many at once, so it was not made).";
    EVENTS_EMITTED = "weir_events_emitted", Counter, "events",
        "Events that policies emitted for a `logger`: those that were sent, dropped, and are queued.";
    EVENTS_SENT = "weir_events_sent", Counter, "events",
        "Events that the event hub of a `logger` has taken.";
    EVENTS_DROPPED = "weir_events_dropped", Counter, "events",
        "Events that nobody has, by `reason`: `full` (the queue had no room), `refused` (the event hub will never take them), \
         `failed` (it was tried too often).";
    EVENTS_QUEUED = "weir_events_queued", Gauge, "events",
        "Events of a `logger` that are queued or on their way.";
    EVENTS_QUEUED_BYTES = "weir_events_queued_bytes", Gauge, "bytes",
        "How many bytes those take up.";
    TELEMETRY_EMITTED = "weir_telemetry_emitted", Counter, "records",
        "What was recorded for a collector, by `signal`: `traces` (spans), `logs` (records), `metrics` (pushes). It is, exactly, what was exported, dropped, and is held.";
    TELEMETRY_EXPORTED = "weir_telemetry_exported", Counter, "records",
        "What the collector has taken, by `signal`.";
    TELEMETRY_DROPPED = "weir_telemetry_dropped", Counter, "records",
        "What nobody has, by `signal` and `reason`: `full` (it found no room), `refused` (the collector does not want it), `failed` (it was tried for too long), \
         `stopped` (the gateway stops).";
    TELEMETRY_HELD = "weir_telemetry_held", Gauge, "records",
        "What waits to be sent or is on its way, by `signal`.";
    TELEMETRY_HELD_BYTES = "weir_telemetry_held_bytes", Gauge, "bytes",
        "How many bytes that has; 16 MiB at most for each `signal`.";
    POLICY_METRIC = "weir_policy_metric", Histogram, "samples",
        "Samples that policies gave (`emit-metric`, `llm-emit-token-metric`), by `namespace`, `metric` and their dimensions: how many, and their sum.";
    POLICY_METRIC_FOLDED = "weir_policy_metric_folded", Counter, "samples",
        "Samples without a series of their own, by `reason`: `series` (added up under `(other)`: there are too many), `metrics` (dropped: too many metrics).";
    CONTROL = "weir_control_connected", Gauge, "",
        "1 while this gateway has a stream to its control plane; of replicas that share an etcd only their leader has one.";
    TOKEN_EXPIRES = "weir_control_token_expires_seconds", Gauge, "seconds",
        "When the token of this gateway expires, since the Unix epoch; not a number while it has none.";
    PLANE_GENERATION = "weir_control_plane_generation", Gauge, "",
        "The number of the newest generation that is offered to gateways; 0 before there is one.";
    PLANE_GENERATION_AGE = "weir_control_plane_generation_age_seconds", Gauge, "seconds",
        "How long ago it was published; not a number before there is one.";
    PLANE_LOADS = "weir_control_plane_loads", Counter, "loads",
        "Times that the folder was loaded, because it had changed or somebody asked for it.";
    PLANE_LOADS_REFUSED = "weir_control_plane_loads_refused", Counter, "loads",
        "Those after which it was refused, or could not be published.";
    PLANE_FOLDER_REFUSED = "weir_control_plane_folder_refused", Gauge, "",
        "1 while the folder is not what is offered, because it is refused.";
    PLANE_REPLICAS = "weir_control_plane_replicas", Gauge, "replicas",
        "Replicas of all gateways by `state`: `newest`, `behind` or `refusing` of those that are connected; `away`.";
    PLANE_GATEWAYS = "weir_control_plane_gateways", Gauge, "gateways",
        "Gateways of which a replica is connected.";
    PLANE_CREDENTIAL_EXPIRES = "weir_control_plane_credential_expires_seconds", Gauge, "seconds",
        "When the first credential of those that are connected expires, since the Unix epoch; not a number while nobody is.";
    PLANE_STREAMS = "weir_control_plane_streams", Counter, "streams",
        "Streams that were opened.";
    PLANE_STREAMS_REFUSED = "weir_control_plane_streams_refused", Counter, "streams",
        "Streams that were not, by `reason`: `credential` (good for nothing), `too-often` (such ones from this address), `crowded`, `stopping`.";
    PLANE_SENT = "weir_control_plane_sent", Counter, "configurations",
        "Configurations that were sent, by `form`: `whole`, `change` (what differs from the one before), `current` (nothing differs).";
    PLANE_SENT_BYTES = "weir_control_plane_sent_bytes", Counter, "bytes",
        "Their bytes, packed.";
    PLANE_VERDICTS = "weir_control_plane_verdicts", Counter, "configurations",
        "What replicas said of what they were sent, by `verdict`: `accepted`, `refused`.";
    PLANE_ISSUER_KEYS = "weir_control_plane_issuer_keys", Gauge, "keys",
        "Keys of an issuer of tokens that can be used, by `issuer` as it stands in `control.issuersFile` (100 at most).";
    PLANE_ISSUER_AGE = "weir_control_plane_issuer_keys_age_seconds", Gauge, "seconds",
        "How long ago they were fetched, by `issuer`; not a number before they were, or where they are in a file. They count for a day.";
    PLANE_ISSUER_FAILURES = "weir_control_plane_issuer_failures", Counter, "fetches",
        "Times that they could not be fetched or read, by `issuer`.";
    CLUSTER_LEADING = "weir_cluster_leading", Gauge, "",
        "1 while this replica leads.";
    CLUSTER_LED = "weir_cluster_led", Gauge, "",
        "1 while this replica knows of a leader.";
    CLUSTER_TERMS = "weir_cluster_terms", Counter, "terms",
        "Times that this replica came to lead.";
    CLUSTER_LEADERS = "weir_cluster_leader_changes", Counter, "changes",
        "Times that this replica saw another leader than before.";
    CLUSTER_REPLICAS = "weir_cluster_replicas", Gauge, "replicas",
        "Replicas that are alive, as this one saw them last.";
    CLUSTER_GENERATION = "weir_cluster_generation", Gauge, "",
        "The number of a generation, by `state`: `in-force` in the cluster; `observed`, `prepared` and `serving` here.";
    CLUSTER_PUBLISHED = "weir_cluster_publications", Counter, "generations",
        "Generations that this replica published as the leader.";
    CLUSTER_FAILURES = "weir_cluster_failures", Counter, "failures",
        "Times that this replica could not do what a leader does: etcd did not answer, or refused.";
    CLUSTER_TROUBLE = "weir_cluster_out_of_reach", Gauge, "",
        "1 while etcd is out of reach.";
    CLUSTER_CALLS = "weir_cluster_call_seconds", Histogram, "seconds",
        "How long etcd took to answer a call, repetitions included.";
    CLUSTER_CALLS_FAILED = "weir_cluster_calls_failed", Counter, "calls",
        "Calls that etcd did not answer, or refused.";
}
