"""Checks what tells Kubernetes how many Pods there are to be: KEDA's ScaledObject.

What it asks Prometheus is compared with what the program counts, and played with promtool.
"""

import json
import tempfile

from monitoring import groups_of, known, looks_at, promtool, rules_of, words, wrongs

# Two Pods of this gateway with forty requests and one of each kind, and one of another gateway.
LOAD = [
    ('http_server_active_requests{gateway="shop.edge",instance="a",http_request_method="GET"}', "30x4"),
    ('http_server_active_requests{gateway="shop.edge",instance="a",http_request_method="POST"}', "10x4"),
    ('http_server_active_requests{gateway="shop.edge",instance="b",http_request_method="GET"}', "40 42 40 42 41"),
    ('http_server_active_requests{gateway="another",instance="c",http_request_method="GET"}', "900x4"),
]
IN_FLIGHT = 81


def scalers(objects):
    return [it for it in objects if it["kind"] == "ScaledObject"]


def asked(it):
    """What a ScaledObject asks Prometheus for itself; those of the values are not ours."""
    return [one["metadata"] for one in it["spec"]["triggers"] if "http_server_active" in str(one)]


def counts(query, result):
    """Whether a query makes of the load above what it is expected to."""
    series = [{"series": name, "values": values} for name, values in LOAD]
    test = {"expr": query, "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": result}]}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(
            {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [test]}]}, file
        )
        file.flush()
        return promtool("test", "rules", file.name)


def check(count, name, objects):
    """The query of every example, and of one example what comes of it."""
    alerts = {rule["alert"] for rule in rules_of(groups_of(objects), "alert")}
    if alerts:
        is_wanted = all(it["spec"]["minReplicaCount"] for it in scalers(objects))
        what = f"{name}: somebody is woken if no Pod is there, unless that is meant"
        count.that(what, ("WeirGone" in alerts) == is_wanted)
    for it in scalers(objects):
        for metadata in asked(it):
            query = metadata["query"]
            wrong = list(wrongs(query, known(), words()))
            count.that(f"{name}: KEDA asks for what there is", not wrong, wrong)
            own = "shop.edge" if name == "keda" else "edge-weir"
            count.that(f"{name}: KEDA asks for its own gateway", looks_at(query, {own}), query)
            may_be_nothing = it["spec"]["minReplicaCount"] == 0
            is_ignored = metadata["ignoreNullValues"] == ("true" if may_be_nothing else "false")
            count.that(f"{name}: no series means no load only where there may be no Pod", is_ignored)
    if name == "keda":
        (metadata,) = asked(scalers(objects)[0])
        query = metadata["query"]
        fine, said = counts(query, IN_FLIGHT)
        count.that("requests in flight of both Pods are added up", fine, said)
        for spoilt in (query.replace("sum(", "max("), query.replace('gateway="shop.edge"', "")):
            fine, _ = counts(spoilt, IN_FLIGHT)
            count.that(f"it would be noticed: {spoilt}", not fine)
