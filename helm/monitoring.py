"""Checks what the chart tells Prometheus and Grafana.

Rules are played with promtool as the chart renders them; names of metrics and labels are compared
with the program's own source; the dashboards and the table of alerts in the documentation are
written from here (WEIR_WRITE_EXPECTED=1 helm/check).
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import tempfile

import yaml

import custom
import dashboards
from promql import series_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = HERE / "weir/files/dashboards"
MANUAL = ROOT / "docs/monitoring.md"
METRICS = ROOT / "src/telemetry/metrics"
GATEWAY, PLANE = "edge-weir", "edge-weir-control"
SEVERITIES = {"critical", "warning"}
# What Prometheus puts on every series: of these, only those that the PodMonitor sets are ours.
TARGET = {"gateway", "instance"}
# Series of Prometheus' own.
THEIRS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
TEMPLATE = re.compile(r"\{\{ \$(labels\.(\w+)|value[^}]*) \}\}")


def groups_of(objects):
    return [
        group
        for it in objects
        if it["kind"] == "PrometheusRule"
        for group in it["spec"]["groups"]
    ]


def rules_of(groups, kind):
    return [rule for group in groups for rule in group["rules"] if kind in rule]


# What there is ──────────────────────────────────────────────────────────────────────────────────


def functions():
    """The text of each function of the program that may put a metric on a page."""
    for path in sorted((ROOT / "src").rglob("*.rs")):
        text = path.read_text()
        if "table::" in text:
            yield from re.split(r"\n(?=\s*(?:pub(?:\([^)]*\))? )?(?:const )?fn )", text)


def known():
    """The labels of each series that the program writes, as its source has them.

    A label of a metric is a word in quotes in a function that has the metric's name. That lets a
    few words pass that are values, and no word that is not there.
    """
    rows = {}
    for path in [METRICS / "table.rs", *sorted((METRICS / "table").glob("*.rs"))]:
        found = re.findall(r'(\w+) = "(\w+)"(?: as "[^"]+")?, (\w+), "', path.read_text())
        rows |= {name: (metric, kind) for name, metric, kind in found}
    labels = {name: set() for name in rows}
    for text in functions():
        words = {word.replace(".", "_") for word in re.findall(r'"([a-z][a-z_.]*)"', text)}
        for name in re.findall(r"table::([A-Z_]+)\b", text):
            if name in labels:
                labels[name] |= words
    series = {}
    for name, (metric, kind) in rows.items():
        endings = {"Counter": ["_total"], "Histogram": ["_sum", "_count"]}.get(kind, [""])
        series |= {metric + ending: labels[name] | TARGET for ending in endings}
        if kind == "Histogram":
            series[f"{metric}_bucket"] = labels[name] | TARGET | {"le"}
    return series


def words():
    """Every text in quotes in the program, where values of labels stand."""
    return {
        word
        for path in (ROOT / "src").rglob("*.rs")
        for word in re.findall(r'"([a-z][a-z-]*)"', path.read_text())
    }


def recorded(groups, series):
    """The labels of what rules record: those they sum by, and their own."""
    found = {}
    for rule in rules_of(groups, "record"):
        _, grouped = series_of(rule["expr"])
        found.setdefault(rule["record"], set()).update(grouped - {"le"}, rule.get("labels", {}))
    return series | found | {name: labels | TARGET for name, labels in THEIRS.items()}


def wrongs(expression, series, values):
    """What an expression asks for that is not there."""
    selectors, grouped = series_of(expression)
    if not selectors:
        yield "it looks at nothing"
    there = set()
    for metric, matchers in selectors:
        if metric not in series:
            yield f"there is no {metric}"
            continue
        there |= series[metric]
        for label, operator, value in matchers:
            if label not in series[metric]:
                yield f"{metric} has no label {label}"
            is_ours = metric not in THEIRS and label not in TARGET | {"made_by", "le"}
            if is_ours and operator == "=" and "$" not in value and value not in values:
                yield f"{label} of {metric} is never {value}"
    for label in sorted(grouped - there):
        yield f"nothing here has the label {label}"


def names(count, groups):
    """Rules and dashboards ask for what there is, and it is noticed when they do not."""
    series, values = recorded(groups, known()), words()
    for group in groups:
        for rule in group["rules"]:
            what = rule.get("alert") or rule["record"]
            wrong = list(wrongs(rule["expr"], series, values))
            count.that(f"{what}: it looks at what there is", not wrong, wrong)
    for name, dashboard in dashboards.ALL.items():
        for panel, target in targets_of(dashboard):
            wrong = list(wrongs(target["expr"], series, values))
            what = f"{name}: {panel['title']}: it looks at what there is"
            count.that(what, not wrong, wrong)
    for spoilt in (
        "weir_limit_claim_total",
        'weir_limit_lane_state{status="in-touch"}',
        'weir_limit_lane_state{state="in-tuch"}',
        "sum by (gatewy) (weir_configuration_generation)",
        "http_server_request_duration_seconds",
        "vector(1)",
    ):
        noticed = list(wrongs(spoilt, series, values))
        count.that(f"it would be noticed: {spoilt}", noticed)


# Rules ──────────────────────────────────────────────────────────────────────────────────────────


def anchors(path):
    """The anchors of a document's headings."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def shape(count, groups):
    """Each alert says what it means, to whom, after how long, and where to read on."""
    alerts = rules_of(groups, "alert")
    everything = [rule["alert"] for rule in alerts]
    count.that("no alert has the name of another", len(set(everything)) == len(everything))
    for rule in alerts:
        name, notes = rule["alert"], rule.get("annotations", {})
        count.that(f"{name}: it has a severity", rule["labels"].get("severity") in SEVERITIES)
        count.that(f"{name}: it waits", re.fullmatch(r"[1-9]\d*[mh]", rule.get("for", "")))
        for note in ("summary", "description", "runbook"):
            count.that(f"{name}: it has a {note}", notes.get(note))
        path, _, anchor = notes.get("runbook", "").partition("#")
        there = (ROOT / path).is_file() and (not anchor or anchor in anchors(ROOT / path))
        count.that(f"{name}: {notes.get('runbook')} is there", there)
        count.that(f"{name}: its gateway is named", "$labels.gateway" in notes.get("summary", ""))
    for rule in rules_of(groups, "record"):
        is_right = re.fullmatch(r"[a-z_]+:weir_[a-z_]+:[a-z0-9_]+", rule["record"])
        count.that(f"{rule['record']}: level, metric and operation", is_right)


def looks_at(expression, gateways):
    """Whether each series that an expression asks for is of one of these gateways."""
    return all(
        len(named) == 1 and named <= gateways
        for _, matchers in series_of(expression)[0]
        for named in [{value for label, how, value in matchers if (label, how) == ("gateway", "=")}]
    )


def own(count, name, objects):
    """The rules of a rendering look at nobody else's series, and every value is in its place."""
    groups = groups_of(objects)
    if not groups:
        return
    monitored = {
        relabeling["replacement"]
        for it in objects
        if it["kind"] == "PodMonitor"
        for relabeling in it["spec"]["podMetricsEndpoints"][0]["relabelings"]
        if relabeling["targetLabel"] == "gateway"
    }
    count.that(f"{name}: every value is in its place", "@" not in json.dumps(groups))
    for group in groups:
        for rule in group["rules"]:
            what = f"{name}: {rule.get('alert') or rule['record']}: it looks at its own"
            count.that(what, looks_at(rule["expr"], monitored))
    for strange in ("up", 'up{gateway="another"}', 'up{gateway=~".*"}'):
        count.that(f"it would be noticed: {strange}", not looks_at(strange, monitored))


def promtool(*arguments):
    """Success, and what was printed."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode == 0, done.stdout + done.stderr


def taken(groups):
    """Whether promtool takes rules, and what it said."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"groups": groups}, file)
        file.flush()
        return promtool("check", "rules", file.name)


def series_named(series, gateway):
    """The series of a test, with the labels of Prometheus in them."""
    for name, values in series.items():
        metric, _, rest = name.partition("{")
        labels = f'gateway="{gateway}"'
        if "instance=" not in rest:
            labels += ',instance="edge-0"'
        rest = rest.removesuffix("}")
        # To promtool 0x5 is a number with base 16.
        values = re.sub(r"(?<![\w.])0x", "0+0x", str(values))
        yield {"series": f"{metric}{{{labels}{',' if rest else ''}{rest}}}", "values": values}


def written(text, labels, says):
    """An annotation as Prometheus writes it."""
    return TEMPLATE.sub(lambda it: labels.get(it[2], "") if it[2] else says, text)


def play(rule, case, gateway, series_of_gateway=None, *, fires):
    """One test of promtool."""
    expected = []
    if fires:
        labels = {"gateway": gateway, **rule["labels"], **case.get("labels", {})}
        notes = rule["annotations"].items()
        says = case.get("says", "")
        notes = {name: written(text, labels, says) for name, text in notes}
        expected = [{"exp_labels": labels, "exp_annotations": notes}]
    return {
        "interval": "1m",
        "input_series": list(series_named(case["series"], series_of_gateway or gateway)),
        "alert_rule_test": [
            {"eval_time": case["at"], "alertname": rule["alert"], "exp_alerts": expected}
        ],
    }


def plays(alert, case):
    """What is played of an alert: a name for it, and whether it is to fire."""
    gateway = PLANE if case.get("plane") else GATEWAY
    yield "it fires", play(alert, case["fires"], gateway, fires=True)
    for silent in case["silent"]:
        yield f"it is silent: {silent['why']}", play(alert, silent, gateway, fires=False)
    if case["fires"]["series"]:
        other = play(alert, case["fires"], gateway, "another", fires=False)
        yield "it is silent: that is another gateway", other


def tested(groups, tests):
    """Plays tests over rules; those that failed, and what promtool said."""
    with tempfile.TemporaryDirectory() as folder:
        rules, file = pathlib.Path(folder, "rules.yaml"), pathlib.Path(folder, "test.yaml")
        rules.write_text(json.dumps({"groups": groups}))
        file.write_text(
            json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests})
        )
        return promtool("test", "rules", file)


def alone(groups, alert):
    """One alert, and the recorded series that it looks at: the others only take time."""
    looked_at = {metric for metric, _ in series_of(alert["expr"])[0]}
    recorded = [rule for rule in rules_of(groups, "record") if rule["record"] in looked_at]
    return [{"name": "alone", "rules": [*recorded, alert]}]


def spoilt(groups, expression):
    """The same with other alerts: such that never fire, or always do."""
    groups = copy.deepcopy(groups)
    for rule in rules_of(groups, "alert"):
        rule |= {"expr": expression, "for": "0s"}
    return groups


def is_to_fire(test):
    return bool(test["alert_rule_test"][0]["exp_alerts"])


def behave(count, groups):
    """Every alert fires when it should and not when it should not; and tests notice."""
    # All is text: YAML would read 0x20 as 32.
    cases = yaml.load((HERE / "alerts.yaml").read_text(), yaml.BaseLoader)
    alerts = {rule["alert"]: rule for rule in rules_of(groups, "alert")}
    wrong = sorted(cases.keys() ^ alerts.keys())
    count.that("every alert has tests, and every test an alert", not wrong, wrong)
    count.that("promtool takes the rules", *taken(groups))
    for name in sorted(cases.keys() & alerts.keys()):
        played, rules = dict(plays(alerts[name], cases[name])), alone(groups, alerts[name])
        fine, _ = tested(rules, list(played.values()))
        for what, test in played.items():
            # All at once is fast; one by one says which.
            count.that(f"{name}: {what}", *((True,) if fine else tested(rules, [test])))
        for what, expression, is_one in (
            ("it never fired", "vector(0) > 1", is_to_fire),
            ("it always fired", "vector(1)", lambda test: not is_to_fire(test)),
        ):
            tests = [test for test in played.values() if is_one(test)]
            _, text = tested(spoilt(rules, expression), tests)
            failed = re.findall(r"^ +alertname: \w+, time", text, re.MULTILINE)
            count.that(f"{name}: it would be noticed if {what}", len(failed) == len(tests), text)


def records(count, groups):
    """What is recorded has the values and labels that it is to have."""
    cases = yaml.safe_load((HERE / "recorded.yaml").read_text())
    for what, case in cases.items():
        tests = []
        for record, samples in case["records"].items():
            expected = []
            for sample in samples:
                labels = {"gateway": GATEWAY, **sample.get("labels", {})}
                pairs = ", ".join(f'{name}="{value}"' for name, value in labels.items())
                expected.append({"labels": f"{record}{{{pairs}}}", "value": sample["value"]})
            tests.append({"expr": record, "eval_time": case["at"], "exp_samples": expected})
        test = {
            "interval": "1m",
            "input_series": list(series_named(case["series"], GATEWAY)),
            "promql_expr_test": tests,
        }
        count.that(f"recorded: {what}", *tested(groups, [test]))
        # Of another gateway nothing is recorded, so that nothing can be as it is to be.
        test["input_series"] = list(series_named(case["series"], "another"))
        fine, _ = tested(groups, [test])
        count.that(f"it would be noticed if not: {what}", not fine)


# Dashboards ─────────────────────────────────────────────────────────────────────────────────────


def panels_of(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets_of(dashboard):
    return [(panel, target) for panel in panels_of(dashboard) for target in panel["targets"]]


def asked(dashboard):
    """The questions of a dashboard as rules, with an interval in them: promtool knows no dashboards."""
    expressions = [target["expr"] for _, target in targets_of(dashboard)]
    rules = [
        {"record": f"asked_{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions)
    ]
    return [{"name": "asked", "rules": rules}]


def overlap(panels):
    """Two panels in one place."""
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if (x, y) in taken or x >= dashboards.WIDTH:
                    return panel["title"]
                taken.add((x, y))
    return None


def faults(dashboard):
    """What a dashboard lacks."""
    for panel in panels_of(dashboard):
        title = panel.get("title") or "a panel without a title"
        if not panel.get("title") or not panel.get("description", "").endswith("."):
            yield f"{title}: a title, and a description that is a sentence"
        if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
            yield f"{title}: a unit"
        if not panel.get("targets"):
            yield f"{title}: something to show"
        if "timeFrom" in panel or "timeShift" in panel:
            yield f"{title}: the time that the person chose"
        for target in panel.get("targets", []):
            if target["datasource"]["uid"] != "${datasource}":
                yield f"{title}: the source that the person chose"
            if re.search(r"\[\d+[smhdw]", target["expr"]) or "$gateway" not in target["expr"]:
                yield f"{title}: the interval and the gateway that the person chose"
            is_time = "_request_duration_seconds_bucket" in target["expr"]
            if is_time and not target.get("exemplar"):
                yield f"{title}: exemplars"
    variables = {it["name"] for it in dashboard["templating"]["list"]}
    for name in sorted({"datasource", "gateway", "instance", "api"} - variables):
        yield f"a variable {name}"
    if dashboard["schemaVersion"] < dashboards.SCHEMA_VERSION or dashboard["time"] != dashboards.TIME:
        yield "a schema of today, and no time of its own"
    where = overlap(dashboard["panels"])
    if where:
        yield f"{where}: a place of its own"


def draw(count):
    """The files of the dashboards are what dashboards.py makes; the chart is rendered from them."""
    for name, dashboard in dashboards.ALL.items():
        expected(count, FOLDER / f"{name}.json", json.dumps(dashboard, indent=1) + "\n")


def look(count, objects):
    """The dashboards in the chart are whole, and apart."""
    (made,) = (it["data"] for it in objects if it["metadata"]["name"] == "edge-weir-dashboards")
    uids = []
    for name, dashboard in dashboards.ALL.items():
        text = made.get(f"{name}.json", "{}")
        count.that(f"{name}: the ConfigMap has it", json.loads(text) == dashboard)
        count.that(f"{name}: promtool takes what it asks", *taken(asked(dashboard)))
        wrong = list(faults(dashboard))
        count.that(f"{name}: it is whole", not wrong, wrong)
        uids.append(dashboard["uid"])
        ids = [panel["id"] for panel in dashboard["panels"]]
        count.that(f"{name}: each panel has an id of its own", len(set(ids)) == len(ids))
    count.that("each dashboard has a uid of its own", len(set(uids)) == len(uids) == len(made))
    for spoil in ("title", "description", "targets", "fieldConfig"):
        wrong = copy.deepcopy(dashboards.ALL["weir-overview"])
        panels_of(wrong)[0].pop(spoil)
        if spoil == "targets":
            panels_of(wrong)[0]["targets"] = []
        count.that(f"it would be noticed: a panel without {spoil}", list(faults(wrong)))


def noticed(count, objects):
    """The shapes notice a field that is not there, and one that is something else."""
    monitor = next(it for it in objects if it["kind"] == "PodMonitor")
    for path, value in (("podMetricEndpoints", []), ("podMetricsEndpoints", [{"port": 8082}])):
        wrong = copy.deepcopy(monitor)
        wrong["spec"][path] = value
        count.that(f"it would be noticed: a PodMonitor with {path}: {value}", custom.fault(wrong))


# Documentation ──────────────────────────────────────────────────────────────────────────────────


def expected(count, file, text):
    """A file has this text; with WEIR_WRITE_EXPECTED=1 it gets it."""
    if os.environ.get("WEIR_WRITE_EXPECTED") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    is_so = file.is_file() and file.read_text() == text
    said = "write it anew: WEIR_WRITE_EXPECTED=1 helm/check"
    count.that(f"{file.relative_to(ROOT)} is as it is to be", is_so, said)


def plain(text):
    """An annotation for readers: what it puts in by its name."""
    return TEMPLATE.sub(lambda it: f"*{it[2] or 'value'}*", text).replace("|", "\\|")


def document(count, groups):
    """The tables of alerts and of what is recorded stand in the documentation."""
    rows = [
        "| alert | severity | after | what it means, and what to look at first | more |",
        "|---|---|---|---|---|",
    ]
    for rule in rules_of(groups, "alert"):
        notes = rule["annotations"]
        summary, first = plain(notes["summary"]), plain(notes["description"])
        link = os.path.relpath(notes["runbook"], "docs").removeprefix("monitoring.md")
        more = f"[{link.split('#')[0].removesuffix('.md') or 'here'}]({link})"
        severity = rule["labels"]["severity"]
        rows.append(
            f"| `{rule['alert']}` | {severity} | {rule['for']} | {summary}. {first} | {more} |"
        )
    series = {}
    for rule in rules_of(groups, "record"):
        _, grouped = series_of(rule["expr"])
        series.setdefault(rule["record"], set()).update(grouped - {"le"}, rule.get("labels", {}))
    kept = ["| recorded | labels |", "|---|---|"]
    for name, labels in series.items():
        kept.append(f"| `{name}` | {', '.join(f'`{it}`' for it in sorted(labels))} |")
    text = MANUAL.read_text()
    for mark, table in (("alerts", rows), ("recorded", kept)):
        pattern = rf"(<!-- {mark}: written by helm/check -->\n).*?(<!-- end -->)"
        body = "\n".join(table)
        text = re.sub(pattern, lambda it, body=body: f"{it[1]}{body}\n{it[2]}", text, flags=re.DOTALL)
    expected(count, MANUAL, text)


def check(count, objects):
    """All of it, of the rendering that has it all."""
    groups = groups_of(objects)
    shape(count, groups)
    names(count, groups)
    behave(count, groups)
    records(count, groups)
    look(count, objects)
    noticed(count, objects)
    document(count, groups)
