"""What helm/check does; its arguments are the helm programs to do it with."""

import copy
import json
import pathlib
import re
import subprocess
import sys

import kubernetes_validate
import yaml

import custom
import monitoring
from rules import (
    CONTROL_FACTS,
    CONTROL_RULES,
    FACTS,
    OWN,
    RULES,
    SETTINGS,
    Rendering,
    apart,
    holds,
    parts,
)

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "weir"
CARGO = HERE.parent / "Cargo.toml"

# A control plane as it may be.
CONTROL = {
    "enabled": True,
    "tls": {"existingSecret": "tls"},
    "keys": {"existingSecret": "keys"},
    "configuration": {"existingConfigMap": "apis"},
}

# Values that are wrong, and a word of what is said about them.
WRONG = [
    ({"replicaCount": 2}, "replicaCount"),
    ({"redis": {"enabled": True}}, "redis"),
    ({"image": {"name": "weir"}}, "name"),
    ({"settings": {"limits": {"headerByte": "1KiB"}}}, "headerByte"),
    ({"settings": {"listen": {"http": "0.0.0.0:80"}}}, "listen"),
    ({"replicas": "two"}, "replicas"),
    ({"replicas": 0}, "replicas"),
    ({"replicas": 1.5}, "replicas"),
    ({"listen": {"http": "yes"}}, "http"),
    ({"listen": {"address": "localhost"}}, "address"),
    ({"settings": {"timeouts": {"idle": 75}}}, "idle"),
    ({"settings": {"limits": {"headerBytes": "32KB"}}}, "headerBytes"),
    ({"settings": {"log": {"access": "everything"}}}, "access"),
    ({"settings": {"log": {"access": True}}}, "access"),
    ({"settings": {"log": {"local": "syslog"}}}, "local"),
    ({"settings": {"log": {"rfc5424": {"endpoint": "https://collector"}}}}, "endpoint"),
    ({"settings": {"log": {"journal": {"facility": 24}}}}, "facility"),
    ({"settings": {"threads": 0}}, "threads"),
    ({"drain": {"delaySeconds": "10s"}}, "delaySeconds"),
    ({"image": {"tag": "latest"}}, "tag"),
    ({"image": {"repository": "weir:latest"}}, "repository"),
    ({"image": {"digest": "sha256:12"}}, "digest"),
    ({"user": 0}, "user"),
    ({"maxSurge": 0}, "maxSurge"),
    ({"maxSurge": "0%"}, "maxSurge"),
    ({"probes": {"liveness": {"path": "/readyz"}}}, "path"),
    ({"configuration": {"files": {"../weir.yaml": ""}}}, "configuration"),
    ({"configuration": {"files": {".weir.yaml": ""}}}, "configuration"),
    ({"configuration": {"files": {"weir.yaml": {"apis": []}}}}, "weir.yaml"),
    ({"secrets": {"env": [{"variable": "WEIR_THREADS", "secret": "a", "key": "b"}]}}, "variable"),
    ({"secrets": {"env": [{"variable": "TOKEN", "value": "in the clear"}]}}, "secret"),
    ({"podLabels": {"app.kubernetes.io/name": "other"}}, "podLabels"),
    ({"networkPolicy": {"operators": [{}]}}, "operators"),
    ({"listen": {"http": False}}, "nothing listens"),
    ({"configuration": {"files": {"a.yaml": ""}, "existingConfigMap": "apis"}}, "keep one of them"),
    ({"configuration": {"existingItems": [{"key": "a", "path": "a"}]}}, "existingConfigMap"),
    ({"configuration": {"files": {"a/b.xml": "", "a__b.xml": ""}}}, "same key"),
    ({"autoscaling": {"enabled": True, "minReplicas": 20}}, "maxReplicas"),
    ({"lastGood": {"enabled": True}}, "lastGood.keySecret"),
    ({"lastGood": {"enabled": True, "folder": "/tmp"}}, "folder"),
    (
        {
            "lastGood": {"enabled": True, "keySecret": {"name": "a", "key": "b"}, "existingClaim": "c"},
            "replicas": 2,
        },
        "existingClaim",
    ),
    ({"controlPlane": {"enabled": True}}, "controlPlane.tls"),
    ({"controlPlane": {"replica": 2}}, "replica"),
    ({"controlPlane": {"settings": {"control": {"insecure": True}}}}, "control"),
    ({"controlPlane": {**CONTROL, "replicas": 2}}, "etcd"),
    ({"controlPlane": {**CONTROL, "keys": {"existingSecret": ""}}}, "controlPlane.keys"),
    ({"controlPlane": {**CONTROL, "configuration": {}}}, "existingClaim"),
    ({"monitoring": {"rule": {"enabled": True}}}, "rule"),
    ({"monitoring": {"gateway": 'edge"'}}, "gateway"),
    ({"monitoring": {"scrape": {"enabled": True}}}, "monitoring.scrape.from"),
    ({"monitoring": {"scrape": {"interval": "15"}}}, "interval"),
    ({"monitoring": {"scrape": {"from": [{}]}}}, "from"),
    ({"monitoring": {"scrape": {"labels": {"app.kubernetes.io/name": "other"}}}}, "labels"),
    ({"monitoring": {"rules": {"objective": 100}}}, "objective"),
    ({"monitoring": {"rules": {"objective": "99.9"}}}, "objective"),
    ({"monitoring": {"rules": {"objective": 90}}}, "objective"),
    ({"monitoring": {"rules": {"slowSeconds": 0}}}, "slowSeconds"),
    ({"monitoring": {"rules": {"oldAfterDays": -1}}}, "oldAfterDays"),
    ({"monitoring": {"rules": {"alertLabels": {"severity": "none"}}}}, "alertLabels"),
    ({"monitoring": {"rules": {"alertLabels": {"team-name": "edge"}}}}, "team-name"),
    ({"monitoring": {"dashboards": {"enabled": "yes"}}}, "enabled"),
    ({"monitoring": {"dashboards": {"label": "grafana"}}}, "label"),
    (
        {"monitoring": {"rules": {"enabled": True}}, "resources": {"limits": {"memory": "1e9"}}},
        "resources.limits.memory",
    ),
]


class Count:
    """What passed and what failed."""

    passed = failed = 0

    def that(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}" + (f"\n  {detail}" if detail else ""))


def run(program, *arguments, values=None):
    """Success, and what was printed: the output if it is one, else the complaint."""
    files = [] if values is None else ["--values", "-"]
    done = subprocess.run(
        [program, *map(str, arguments), *files],
        input=None if values is None else json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0, done.stdout if done.returncode == 0 else done.stdout + done.stderr


def examples():
    """The name of each rendering, and its arguments."""
    yield "default", []
    for path in sorted((CHART / "ci").glob("*-values.yaml")):
        yield path.name.removesuffix("-values.yaml"), ["--values", path]


def rendered(count, helm, version):
    """Every example, rendered."""
    found = {}
    for name, arguments in examples():
        fine, text = run(helm, "lint", "--strict", CHART, *arguments)
        count.that(f"{name}: lint with helm {version}", fine, text)
        fine, text = run(helm, "template", "edge", CHART, "--namespace", "gateways", *arguments)
        count.that(f"{name}: rendered with helm {version}", fine, text)
        if fine:
            found[name] = [it for it in yaml.safe_load_all(text) if it]
    return found


def minors():
    """Versions of Kubernetes: from the first the chart allows to the last the validator knows."""
    allowed = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    first = int(re.match(r">=1\.(\d+)\.", allowed)[1])
    last = int(kubernetes_validate.latest_version().split(".")[1])
    return [f"1.{minor}" for minor in range(first, last + 1)]


def is_valid(it, version):
    """Nothing if it is, else why not."""
    if custom.is_custom(it):
        return custom.fault(it)
    try:
        kubernetes_validate.validate(it, version, strict=True)
    except kubernetes_validate.ValidationError as wrong:
        return f"{'.'.join(map(str, wrong.path))}: {wrong.message}"
    return None


def validate(count, name, objects):
    for version in minors():
        for it in objects:
            wrong = is_valid(it, version)
            count.that(f"{name}: {it['kind']} in Kubernetes {version}", wrong is None, wrong)


def judge(count, name, objects):
    gateway, plane = parts(objects)
    found = [(gateway, RULES, FACTS)]
    if plane is not None:
        found.append((plane, CONTROL_RULES, CONTROL_FACTS))
        count.that(f"{name}: gateway and control plane are apart", apart(gateway, plane))
    for it, rules, facts in found:
        for what, rule, _ in rules:
            count.that(f"{name}: {it.command}: {what}", holds(rule, it))
        for which, what, fact in facts:
            if which == name:
                count.that(f"{name}: {it.command}: {what}", holds(fact, it))


def notice(count, objects):
    """Each rule notices what breaks it, and the validator a word that is not Kubernetes'."""
    for rules, which in ((RULES, 0), (CONTROL_RULES, 1)):
        for what, rule, spoil in rules:
            spoilt = parts(copy.deepcopy(objects))[which]
            spoil(spoilt)
            count.that(f"it would be noticed if not: {what}", not holds(rule, spoilt))
    gateway, plane = parts(copy.deepcopy(objects))
    plane.one("Service")["spec"]["selector"] = gateway.one("Service")["spec"]["selector"]
    count.that("it would be noticed: a selector that finds both", not apart(gateway, plane))
    spoilt = parts(copy.deepcopy(objects))[0]
    spoilt.pod["securityContxt"] = {}
    wrong = is_valid(spoilt.one("Deployment"), minors()[-1])
    count.that("it would be noticed: a field that Kubernetes does not have", wrong is not None)


def refuse(count, helm, version):
    for values, word in WRONG:
        fine, text = run(helm, "template", "edge", CHART, values=values)
        what = f"refused by helm {version}, naming {word!r}: {json.dumps(values)}"
        count.that(what, not fine and word in text, "it was taken" if fine else text)


def leaves(schema, definitions, above=""):
    """The names of all values that a schema describes, with dots between levels."""
    for name, it in schema["properties"].items():
        it = definitions.get(it.get("$ref", "").removeprefix("#/definitions/"), it)
        if "properties" in it:
            yield from leaves(it, definitions, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def agree(count):
    """The chart, its schema and the program tell the same story."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    settings = set(leaves(schema["properties"]["settings"], schema["definitions"]))
    wrong = sorted((SETTINGS - OWN) ^ settings)
    count.that("the schema has the settings of the program", bool(SETTINGS) and not wrong, wrong)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    wrong = sorted(values.keys() ^ (schema["properties"].keys() - {"global"}))
    count.that("values.yaml and the schema have the same names", not wrong, wrong)
    version = re.search(r'^version = "(.+)"', CARGO.read_text(), re.MULTILINE)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    count.that("the chart is for this version", chart["appVersion"] == version, version)


def main(helms):
    count = Count()
    agree(count)
    monitoring.draw(count)
    first = None
    for helm in helms:
        fine, version = run(helm, "version", "--template", "{{.Version}}")
        if not fine:
            sys.exit(f"helm/check: {helm} does not run: {version}")
        found = rendered(count, helm, version)
        refuse(count, helm, version)
        if first is None:
            first = found
            for name, objects in found.items():
                validate(count, name, objects)
                judge(count, name, objects)
                monitoring.own(count, name, objects)
            if "control" in found:
                notice(count, found["control"])
            if "monitoring" in found:
                monitoring.check(count, found["monitoring"])
        else:
            for name, objects in found.items():
                same = sorted(map(str, objects)) == sorted(map(str, first.get(name, [])))
                count.that(f"{name}: helm {version} renders the same", same)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
