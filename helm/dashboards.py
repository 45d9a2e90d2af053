"""The dashboards for Grafana, panel by panel; WEIR_WRITE_EXPECTED=1 helm/check writes their JSON.

Every panel asks by $gateway and $instance, in the interval and from the source that the person
chose, and asks the gateway's own series, so that dashboards work without the rules.
"""

# How many columns Grafana has, and the version of the form it reads (Grafana 11 and later).
WIDTH, SCHEMA_VERSION = 24, 41
# The time it opens with; the person chooses another one.
TIME = {"from": "now-3h", "to": "now"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What all series of a gateway's replicas are asked by, and those that know an API.
ALL_OF = 'gateway=~"$gateway",instance=~"$instance"'
OF_API = f'{ALL_OF},weir_api_id=~"$api"'
# The control plane beside a gateway is called like it, and so are its series.
PLANE_OF = 'gateway=~"$gateway-control"'
RATE = "[$__rate_interval]"


def rate(metric, by="", of=ALL_OF, more=""):
    """How many a second, summed up by labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{of}{',' if more else ''}{more}}}{RATE}))"


def level(metric, by="instance", of=ALL_OF, how="sum", more=""):
    """How much there is."""
    grouping = f" by ({by})" if by else ""
    return f"{how}{grouping} ({metric}{{{of}{',' if more else ''}{more}}})"


def quantile(part, metric, by="", of=ALL_OF):
    """The size below which a part of all is."""
    return f"histogram_quantile({part}, {rate(f'{metric}_bucket', f'{by}, le' if by else 'le', of)})"


def quantiles(metric, by="", of=ALL_OF, parts=(0.5, 0.95, 0.99)):
    """Several of them, each with its own legend."""
    words = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",") if label.strip())
    return [
        (quantile(part, metric, by, of), f"{words} p{int(part * 100)}".strip()) for part in parts
    ]


def target(number, expression, legend, form):
    """One question to Prometheus."""
    asked = {
        "refId": chr(ord("A") + number),
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend,
        "range": True,
    }
    if form in ("heatmap", "table"):
        asked["format"] = form
    if form == "table":
        asked |= {"range": False, "instant": True}
    if "_request_duration_seconds_bucket" in expression:
        asked["exemplar"] = True
    return asked


# What is drawn in one way everywhere.
DEFAULTS = {
    "timeseries": {
        "custom": {"drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
    },
    "heatmap": {},
    "stat": {"color": {"mode": "thresholds"}},
    "state-timeline": {"custom": {"fillOpacity": 70, "lineWidth": 0}},
    "table": {},
}
OPTIONS = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "yAxis": {"unit": "s"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "textMode": "auto"},
    "state-timeline": {"mergeValues": True, "showValue": "never", "legend": {"showLegend": True}},
    "table": {"showHeader": True},
}


def panel(title, description, unit, *targets, kind="timeseries", width=8, height=8, stack=False, most=None):
    """One panel, without its place."""
    defaults = {"unit": unit, "min": 0, **{k: dict(v) for k, v in DEFAULTS[kind].items()}}
    if stack:
        defaults["custom"]["stacking"] = {"mode": "normal", "group": "A"}
    if most is not None:
        defaults["max"] = most
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": OPTIONS[kind],
        "targets": [
            target(number, expression, legend, kind)
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": WIDTH, "h": 1}, "panels": []}


def placed(panels):
    """The same, side by side as far as there is room."""
    x = y = below = 0
    for number, it in enumerate(panels, 1):
        size = it["gridPos"]
        if x + size["w"] > WIDTH:
            x, y = 0, below
        it["id"], it["gridPos"] = number, {"x": x, "y": y, **size}
        x, below = x + size["w"], max(below, y + size["h"])
    return panels


def variable(name, label, query, **more):
    """A variable of which several can be chosen, or all."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Also what has no such label: requests that found no API, series that are scraped otherwise.
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        **more,
    }


VARIABLES = [
    {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus", "refresh": 1},
    variable("gateway", "Gateway", "label_values(weir_configuration_generation, gateway)"),
    variable(
        "instance",
        "Replica",
        'label_values(weir_configuration_generation{gateway=~"$gateway"}, instance)',
    ),
    variable(
        "api",
        "API",
        'label_values(http_server_request_duration_seconds_count{gateway=~"$gateway"}, weir_api_id)',
    ),
]


def dashboard(uid, title, description, *panels):
    """One dashboard; the others are one click away."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["weir"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": TIME,
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "Weir",
                "tags": ["weir"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": VARIABLES},
        "annotations": {"list": []},
        "panels": placed(list(panels)),
    }


COUNT = "http_server_request_duration_seconds_count"
DURATION = "http_server_request_duration_seconds"
ALL_REQUESTS = rate(COUNT, of=OF_API)
BY_BACKENDS = "5[0-9][0-9]|backend|backend_.+"


def part_of_requests(error):
    """The part of the requests whose error matches."""
    return f"{rate(COUNT, of=OF_API, more=f'error_type{error}')} / {ALL_REQUESTS}"


OVERVIEW = dashboard(
    "weir-overview",
    "Weir: overview",
    "What clients see of a gateway, and what it has to serve them with.",
    row("Traffic"),
    panel(
        "Requests",
        "Requests that ended, by API; those that found none have no name.",
        "reqps",
        (rate(COUNT, "weir_api_id", OF_API), "{{weir_api_id}}"),
        stack=True,
    ),
    panel(
        "Answers",
        "Requests by the status that clients got; without one, they had left or the connection broke.",
        "reqps",
        (rate(COUNT, "http_response_status_code", OF_API), "{{http_response_status_code}}"),
        stack=True,
    ),
    panel(
        "Errors by who made them",
        "The part of the requests that failed. Backends: a status from 500 on that they gave, or none. Gateway: it failed itself.",
        "percentunit",
        (part_of_requests(f'=~"{BY_BACKENDS}"'), "backends"),
        (part_of_requests(f'!~"|client|{BY_BACKENDS}"'), "gateway"),
        (part_of_requests('="client"'), "clients that left"),
    ),
    panel(
        "Duration",
        "From the head of a request to the end of its response; points are requests that are found among the traces.",
        "s",
        *quantiles(DURATION, of=OF_API),
    ),
    panel(
        "Durations, all of them",
        "How many requests took how long: two bands are two kinds of requests.",
        "s",
        (f"sum by (le) (increase({DURATION}_bucket{{{OF_API}}}{RATE}))", "{{le}}"),
        kind="heatmap",
    ),
    panel(
        "Slowest routes",
        "The ten routes whose slowest percent takes longest.",
        "s",
        (f"topk(10, {quantile(0.99, DURATION, 'http_route', OF_API)})", "{{http_route}}"),
    ),
    panel(
        "Own time",
        "What the gateway takes of a request itself, without backends and without sending the response.",
        "s",
        *quantiles("weir_gateway_duration_seconds", of=OF_API),
    ),
    panel(
        "Time of backends",
        "What backends take of a request that is forwarded, until the heads of their responses, by API.",
        "s",
        *quantiles("weir_backend_duration_seconds", "weir_api_id", OF_API, (0.5, 0.99)),
    ),
    panel(
        "Refusals",
        "Requests that the gateway answered by itself because it refused or failed, by reason.",
        "reqps",
        (rate("weir_refusals_total", "reason", OF_API), "{{reason}}"),
        stack=True,
    ),
    row("How full it is"),
    panel(
        "Requests on their way",
        "Requests that have begun and not ended, by replica.",
        "short",
        (level("http_server_active_requests"), "{{instance}}"),
    ),
    panel(
        "Connections",
        "Connections of clients that are open, by replica; and how many more a second are turned away, by reason.",
        "short",
        (level("weir_connections"), "{{instance}}"),
        (rate("weir_connections_refused_total", "reason"), "turned away a second: {{reason}}"),
    ),
    panel(
        "CPU",
        "Processors that each replica uses.",
        "short",
        (rate("weir_process_cpu_seconds_total", "instance"), "{{instance}}"),
    ),
    panel(
        "Memory",
        "Memory of each replica that is in RAM.",
        "bytes",
        (level("weir_process_memory_bytes"), "{{instance}}"),
    ),
    panel(
        "How late timers are",
        "The latest percent of timers: that is how long all requests of a replica wait for work that does not pause.",
        "s",
        *quantiles("weir_event_loop_lag_seconds", "instance", parts=(0.99,)),
    ),
    panel(
        "Alerts",
        "Alerts of this chart's rules that fire now.",
        "short",
        ('sum by (alertname, severity) (ALERTS{gateway=~"$gateway",alertstate="firing",alertname=~"Weir.*"})', ""),
        kind="table",
    ),
    row("Configuration"),
    panel(
        "Generation",
        "The number of the configuration that each replica serves; they differ while a rollout is on.",
        "none",
        (level("weir_configuration_generation"), "{{instance}}"),
    ),
    panel(
        "Age",
        "For how long each replica has served the same configuration.",
        "s",
        (level("weir_configuration_age_seconds"), "{{instance}}"),
    ),
    panel(
        "Refused",
        "Configurations that were refused in each interval: what somebody published does not hold.",
        "short",
        (f"sum by (instance) (increase(weir_configuration_refused_total{{{ALL_OF}}}{RATE}))", "{{instance}}"),
    ),
    panel(
        "Where it comes from",
        "The source of what is served; last-good is an old copy, because there was nothing else.",
        "none",
        (level("weir_configuration_source", "source"), "{{source}}"),
        kind="state-timeline",
    ),
    panel(
        "Who leads",
        "1 for the replica that leads; without a shared configuration nobody does.",
        "none",
        (level("weir_cluster_leading"), "{{instance}}"),
        kind="state-timeline",
    ),
    panel(
        "Calls of etcd",
        "How long etcd takes to answer, and how many calls a second it does not.",
        "s",
        *quantiles("weir_cluster_call_seconds", parts=(0.5, 0.99)),
        (rate("weir_cluster_calls_failed_total"), "failed a second"),
    ),
)

SHARED_CLAIMS = rate("weir_limit_claims_total", more='home="redis"')
COMMANDS_A_CLAIM = f"{rate('weir_limit_redis_commands_total')} / {SHARED_CLAIMS}"

LIMITS = dashboard(
    "weir-limits",
    "Weir: limits and quotas",
    "What limits decide, what they cost, and how near they keep to what they say.",
    row("Decisions"),
    panel(
        "Claims",
        "One for each limit that a request met, by where it is counted.",
        "ops",
        (rate("weir_limit_claims_total", "home"), "{{home}}"),
        (rate("weir_limit_claims_from_tills_total"), "of these without a lock"),
    ),
    panel(
        "Refused claims",
        "By where they are counted and by reason: late and unavailable mean Redis, limit means the client.",
        "ops",
        (rate("weir_limit_refusals_total", "home, reason"), "{{home}} {{reason}}"),
        stack=True,
    ),
    panel(
        "Limits that decide",
        "Requests that a limit did not just admit, by policy, place in the configuration and outcome.",
        "reqps",
        (f"topk(20, {rate('weir_limited_requests_total', 'policy, place, outcome')})", "{{policy}} {{place}} {{outcome}}"),
    ),
    panel(
        "Quotas that are nearly used up",
        "What is left of the quotas nearest to their ends, as a part of them.",
        "percentunit",
        (
            f"min by (policy, counts, key) (weir_quota_left{{{ALL_OF}}} / weir_quota_limit{{{ALL_OF}}})",
            "{{policy}} {{counts}} {{key}}",
        ),
        most=1,
    ),
    panel(
        "Admitted beyond a limit",
        "The most that all replicas admitted beyond a limit since they started, as a part of it, beside what they may.",
        "percentunit",
        (level("weir_limit_overshoot_observed_ratio", "gateway"), "{{gateway}} observed"),
        (level("weir_limit_overshoot_bound_ratio", "gateway", how="max"), "{{gateway}} bound"),
    ),
    panel(
        "Tokens admitted beyond",
        "Tokens that were admitted in windows that ended before they were paid for.",
        "ops",
        (rate("weir_limit_overshoot_observed_tokens_total", "instance"), "{{instance}}"),
    ),
    row("Redis"),
    panel(
        "Lanes",
        "1 for the state that a lane is in; out-of-touch means that each replica admits its own share.",
        "none",
        (level("weir_limit_lane_state", "lane, state", how="max"), "{{lane}} {{state}}"),
        kind="state-timeline",
    ),
    panel(
        "Latency of Redis",
        "How long Redis takes to answer a batch of orders, there and back, by lane.",
        "s",
        *quantiles("weir_limit_redis_latency_seconds", "lane", parts=(0.5, 0.99)),
    ),
    panel(
        "Latencies, all of them",
        "How many batches took how long.",
        "s",
        (f"sum by (le) (increase(weir_limit_redis_latency_seconds_bucket{{{ALL_OF}}}{RATE}))", "{{le}}"),
        kind="heatmap",
    ),
    panel(
        "Waiting for Redis",
        "How long claims wait that have to, and how many a second wait in vain.",
        "s",
        *quantiles("weir_limit_wait_seconds", parts=(0.5, 0.99)),
        (rate("weir_limit_waits_in_vain_total"), "in vain a second"),
    ),
    panel(
        "Commands for each claim",
        "What a claim on a shared counter costs Redis; a key in use costs less than one.",
        "short",
        (COMMANDS_A_CLAIM, "commands"),
    ),
    panel(
        "Orders without an answer",
        "Orders that Redis did not answer in time: what they asked for is not spent.",
        "ops",
        (rate("weir_limit_orders_unanswered_total", "instance"), "{{instance}}"),
    ),
    panel(
        "Width of the clock",
        "How far apart the bounds of Redis's clock are: requests wait that long between two windows.",
        "s",
        (level("weir_limit_clock_width_seconds", "lane", how="max"), "{{lane}}"),
    ),
    panel(
        "Replicas that share",
        "Replicas that share a lane, and shares of missing ones that are held back from the others.",
        "short",
        (level("weir_limit_replicas", "lane", how="max"), "{{lane}} replicas"),
        (level("weir_limit_shares_held_back", "lane", how="max"), "{{lane}} held back"),
    ),
    panel(
        "Admitted without Redis",
        "Tokens admitted from shares, and without limit, while Redis was out of touch.",
        "ops",
        (rate("weir_limit_tokens_from_share_total"), "from shares"),
        (rate("weir_limit_tokens_unlimited_total"), "without limit"),
    ),
    row("Counters"),
    panel(
        "Counters",
        "Counters held, as a part of those that can be, by where.",
        "percentunit",
        (
            f"max by (instance, home) (weir_limit_keys{{{ALL_OF}}} / weir_limit_keys_max{{{ALL_OF}}})",
            "{{instance}} {{home}}",
        ),
        most=1,
    ),
    panel(
        "Tokens",
        "Tokens that were bought, spent, handed back, and that died with their window.",
        "ops",
        (rate("weir_limit_tokens_sold_total"), "bought"),
        (rate("weir_limit_tokens_spent_total"), "spent"),
        (rate("weir_limit_tokens_returned_total"), "handed back"),
        (rate("weir_limit_tokens_expired_total"), "died"),
    ),
    panel(
        "Counters that were mended or given up",
        "Lifted: Redis had lost data. Given up: idle, or there was no room.",
        "ops",
        (rate("weir_limit_rollbacks_total"), "lifted"),
        (rate("weir_limit_evicted_total"), "given up"),
    ),
    panel(
        "Copies of quotas",
        "1 while the journal, or the copy in etcd, cannot be written: quotas are counted, but not remembered.",
        "none",
        (level("weir_limit_journal_broken", how="max"), "{{instance}} journal"),
        (level("weir_limit_etcd_copy_broken", how="max"), "{{instance}} etcd"),
        kind="state-timeline",
    ),
    panel(
        "Age of the copy in etcd",
        "How long ago each replica brought the totals of quotas in etcd up to date.",
        "s",
        (level("weir_limit_etcd_copy_age_seconds", how="max"), "{{instance}}"),
    ),
    panel(
        "Journal",
        "How large the journal of quotas is, by replica.",
        "bytes",
        (level("weir_limit_journal_bytes"), "{{instance}}"),
    ),
)

HITS = rate("weir_cache_hits_total", "cache")

BACKENDS = dashboard(
    "weir-backends",
    "Weir: backends and callers",
    "Whom the gateway calls, what it keeps instead, and whom it believes.",
    row("Backends"),
    panel(
        "Tries",
        "Tries to reach backends, by host.",
        "reqps",
        (rate("http_client_request_duration_seconds_count", "server_address"), "{{server_address}}"),
        stack=True,
    ),
    panel(
        "Duration of tries",
        "From a try to the head of the response, or to what went wrong, by host.",
        "s",
        *quantiles("http_client_request_duration_seconds", "server_address", parts=(0.5, 0.99)),
    ),
    panel(
        "Failed tries",
        "Tries that ended with a status from 400 on or without one, by host and what failed.",
        "reqps",
        (
            rate("http_client_request_duration_seconds_count", "server_address, error_type", more='error_type!=""'),
            "{{server_address}} {{error_type}}",
        ),
    ),
    panel(
        "Time of backends by API",
        "What backends take of a request, of all its tries together, by API.",
        "s",
        *quantiles("weir_backend_duration_seconds", "weir_api_id", OF_API, (0.5, 0.99)),
    ),
    panel(
        "Retries",
        "Times that a request was forwarded once more, by API.",
        "reqps",
        (rate("weir_retries_total", "weir_api_id", OF_API), "{{weir_api_id}}"),
    ),
    panel(
        "Bodies",
        "Bytes a second that came from clients, and that went to them.",
        "Bps",
        (rate("http_server_request_body_size_bytes_sum", of=OF_API), "requests"),
        (rate("http_server_response_body_size_bytes_sum", of=OF_API), "responses"),
    ),
    row("Calls of policies"),
    panel(
        "Calls",
        "Requests that policies made to other services, by kind and outcome; refused means too many at once.",
        "reqps",
        (rate("weir_policy_calls_total", "kind, outcome"), "{{kind}} {{outcome}}"),
    ),
    panel(
        "Responses from the cache",
        "Requests whose response was looked for, by outcome.",
        "reqps",
        (rate("weir_cache_lookups_total", "outcome", OF_API), "{{outcome}}"),
        stack=True,
    ),
    panel(
        "Found in the cache",
        "The part of all look-ups that found something, of responses and of values.",
        "percentunit",
        (f"{HITS} / ({HITS} + {rate('weir_cache_misses_total', 'cache')})", "{{cache}}"),
        most=1,
    ),
    panel(
        "Size of the cache",
        "How many bytes are kept, by replica and kind.",
        "bytes",
        (level("weir_cache_size_bytes", "instance, cache"), "{{instance}} {{cache}}"),
    ),
    panel(
        "Items in the cache",
        "How many items are kept, by kind.",
        "short",
        (level("weir_cache_items", "cache"), "{{cache}}"),
    ),
    panel(
        "Pushed out of the cache",
        "Items a second that left because others needed the room: the cache is too small.",
        "ops",
        (rate("weir_cache_evictions_total", "cache"), "{{cache}}"),
    ),
    row("Tokens and keys"),
    panel(
        "Age of keys",
        "How long ago the keys of an issuer were fetched; they come every hour, and count for a day.",
        "s",
        (level("weir_issuer_keys_age_seconds", "document", how="max"), "{{document}}"),
    ),
    panel(
        "Keys",
        "Keys of each issuer; with none, all its tokens are refused.",
        "short",
        (level("weir_issuer_keys", "document", how="min"), "{{document}}"),
    ),
    panel(
        "Failed fetches of keys",
        "Times a second that keys could not be fetched.",
        "ops",
        (rate("weir_issuer_fetch_failures_total", "document"), "{{document}}"),
    ),
    panel(
        "Life of the gateway's own tokens",
        "Until a token ends that the gateway shows to other services, the shortest of all replicas.",
        "s",
        (level("weir_identity_token_left_seconds", "client, resource", how="min"), "{{client}} {{resource}}"),
    ),
    panel(
        "Failures to get one",
        "Times a second that none could be got.",
        "ops",
        (rate("weir_identity_token_failures_total", "client, resource"), "{{client}} {{resource}}"),
    ),
    panel(
        "Life of the control plane's token",
        "Until the token ends by which the control plane knows this gateway.",
        "s",
        (f"{level('weir_control_token_expires_seconds', 'gateway', how='min')} - time()", "{{gateway}}"),
    ),
)

TELEMETRY = dashboard(
    "weir-telemetry",
    "Weir: telemetry and process",
    "What is told of requests and what of it is lost, the process itself, and the control plane.",
    row("What is told"),
    panel(
        "For the collector",
        "What was recorded, and what the collector has taken, by signal.",
        "ops",
        (rate("weir_telemetry_emitted_total", "signal"), "{{signal}} recorded"),
        (rate("weir_telemetry_exported_total", "signal"), "{{signal}} taken"),
    ),
    panel(
        "Lost on the way",
        "What nobody has, by signal and reason.",
        "ops",
        (rate("weir_telemetry_dropped_total", "signal, reason"), "{{signal}} {{reason}}"),
    ),
    panel(
        "Held for the collector",
        "What waits to be sent; at 16 MiB for each signal, the rest is lost.",
        "bytes",
        (level("weir_telemetry_held_bytes", "instance, signal"), "{{instance}} {{signal}}"),
    ),
    panel(
        "Events",
        "Events that policies emitted, and that event hubs have taken, by logger.",
        "ops",
        (rate("weir_events_emitted_total", "logger"), "{{logger}} emitted"),
        (rate("weir_events_sent_total", "logger"), "{{logger}} taken"),
    ),
    panel(
        "Lost events",
        "Events that nobody has, by logger and reason.",
        "ops",
        (rate("weir_events_dropped_total", "logger, reason"), "{{logger}} {{reason}}"),
    ),
    panel(
        "Queued events",
        "Events that are queued or on their way, by logger; a restart in a hurry would lose them.",
        "short",
        (level("weir_events_queued", "logger"), "{{logger}}"),
    ),
    panel(
        "Lost lines of the log",
        "Lines of the access log for which there was no room, by replica.",
        "ops",
        (rate("weir_access_log_dropped_total", "instance"), "{{instance}}"),
    ),
    panel(
        "StatsD",
        "Lines that were sent, and that were not, by reason.",
        "ops",
        (rate("weir_statsd_sent_total"), "sent"),
        (rate("weir_statsd_dropped_total", "reason"), "lost: {{reason}}"),
    ),
    panel(
        "Measurements without a series",
        "What was added up under (other), because there are as many series as there may be, by kind.",
        "ops",
        (rate("weir_metrics_folded_total", "kind"), "requests: {{kind}}"),
        (rate("weir_policy_metric_folded_total", "reason"), "of policies: {{reason}}"),
    ),
    row("Process"),
    panel(
        "Memory",
        "Memory of each replica that is in RAM.",
        "bytes",
        (level("weir_process_memory_bytes"), "{{instance}}"),
    ),
    panel(
        "CPU",
        "Processors that each replica uses.",
        "short",
        (rate("weir_process_cpu_seconds_total", "instance"), "{{instance}}"),
    ),
    panel(
        "Up for",
        "How long ago each replica started: what falls to nothing was restarted.",
        "s",
        (level("weir_process_uptime_seconds"), "{{instance}}"),
    ),
    panel(
        "How late timers are",
        "Of the timers on the threads that serve clients, by replica.",
        "s",
        *quantiles("weir_event_loop_lag_seconds", "instance", parts=(0.5, 0.99)),
    ),
    panel(
        "Latenesses, all of them",
        "How many timers were how late.",
        "s",
        (f"sum by (le) (increase(weir_event_loop_lag_seconds_bucket{{{ALL_OF}}}{RATE}))", "{{le}}"),
        kind="heatmap",
    ),
    panel(
        "New connections",
        "Connections of clients that were let in, and that were not, by reason.",
        "ops",
        (rate("weir_connections_accepted_total"), "let in"),
        (rate("weir_connections_refused_total", "reason"), "refused: {{reason}}"),
    ),
    row("Control plane"),
    panel(
        "Replicas of gateways",
        "Replicas of all gateways by what they do with the newest configuration.",
        "short",
        (level("weir_control_plane_replicas", "state", PLANE_OF, "max"), "{{state}}"),
        stack=True,
    ),
    panel(
        "Generation offered",
        "The number of the newest generation that is offered to gateways.",
        "none",
        (level("weir_control_plane_generation", "instance", PLANE_OF), "{{instance}}"),
    ),
    panel(
        "Streams that were refused",
        "Streams a second that gateways asked for and did not get, by reason.",
        "ops",
        (rate("weir_control_plane_streams_refused_total", "reason", PLANE_OF), "{{reason}}"),
    ),
)

ALL = {it["uid"]: it for it in (OVERVIEW, LIMITS, BACKENDS, TELEMETRY)}
