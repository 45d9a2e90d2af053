"""What helm/check does; its arguments are the helm programs to do it with."""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import kubernetes_validate
import yaml

import custom
import development
import monitoring
import scaling
from rules import (
    BOOLEANS,
    CONTROL_FACTS,
    CONTROL_RULES,
    FACTS,
    OWN,
    RULES,
    SETTINGS,
    apart,
    flag,
    holds,
    parts,
)

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "weir"
ROOT = HERE.parent
MANUAL = ROOT / "docs/kubernetes.md"
SUPPORT = ROOT / "SUPPORT.md"
CARGO = ROOT / "Cargo.toml"

# A control plane as it may be.
CONTROL = {
    "enabled": True,
    "tls": {"existingSecret": "tls"},
    "keys": {"existingSecret": "keys"},
    "configuration": {"existingConfigMap": "apis"},
}

# KEDA as it may be.
KEDA = {"enabled": True, "prometheus": {"serverAddress": "http://prometheus:9090"}}

# Values that are wrong, and a word of what is said about them.
WRONG = [
    (
        {"autoscaling": {"enabled": True}, "resources": {"requests": None}},
        "autoscaling.cpuUtilization is a part of resources.requests.cpu",
    ),
    (
        {"autoscaling": {"enabled": True, "memoryUtilization": 80}, "resources": {"requests": {"memory": None}}},
        "autoscaling.memoryUtilization is a part of resources.requests.memory",
    ),
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
    ({"autoscaling": {"enabled": True, "cpuUtilization": 0}}, "nothing to look at"),
    ({"autoscaling": {"enabled": True, "minReplicas": 0}}, "minReplicas"),
    ({"autoscaling": {"enabled": True, "requestsInFlight": 1}}, "requestsInFlight"),
    ({"autoscaling": {"enabled": True}, "keda": KEDA}, "keep one of them"),
    ({"keda": {"enabled": True}}, "keda.prometheus.serverAddress"),
    ({"keda": {**KEDA, "minReplicas": 20}}, "keda.maxReplicas"),
    ({"keda": {**KEDA, "minReplicas": 0}}, "keda.triggers is empty"),
    ({"keda": {"enabled": True, "requestsInFlight": 0, "cpuUtilization": 0}}, "nothing to look at"),
    ({"keda": KEDA, "settings": {"metrics": {"names": "apim"}}}, "settings.metrics.names"),
    ({"keda": {**KEDA, "triggers": [{"type": "cron"}]}}, "metadata"),
    ({"drain": {"graceSeconds": 44}}, "drain.graceSeconds"),
    ({"drain": {"graceSeconds": 45}, "dapr": {"enabled": True}}, "drain.graceSeconds"),
    ({"ingress": {"enabled": True}}, "ingress.hosts"),
    ({"ingress": {"enabled": True, "hosts": ["api.example.com"]}}, "hosts"),
    ({"ingress": {"hosts": [{"host": "https://api.example.com"}]}}, "host"),
    ({"ingress": {"hosts": [{"host": "a.example", "paths": [{"path": "orders"}]}]}}, "path"),
    ({"dapr": {"enabled": True}, "podAnnotations": {"dapr.io/app-id": "a"}}, "dapr.io/app-id"),
    (
        {
            "dapr": {"enabled": True, "callable": True},
            "listen": {"http": False},
            "tls": {"existingSecret": "tls"},
        },
        "dapr.callable",
    ),
    ({"dapr": {"appPort": 8080}}, "appPort"),
    ({"development": {"redis": {"enabled": True}}}, "development.redis.image"),
    ({"development": {"redis": {"enabled": True, "image": "redis"}}}, "image"),
    ({"development": {"etcd": {"enabled": True, "image": "etcd:latest"}}}, "image"),
    ({"development": {"postgres": {"enabled": True}}}, "postgres"),
    (
        {
            "development": {"redis": {"enabled": True, "image": "redis:7.2"}},
            "settings": {"redis": {"sentinels": "a:26379"}},
        },
        "keep one of them",
    ),
    (
        {
            "development": {"etcd": {"enabled": True, "image": "etcd:3.5"}},
            "settings": {"etcd": {"endpoints": "http://etcd:2379"}},
        },
        "keep one of them",
    ),
    ({"identityTokens": [{"name": "entra"}]}, "audience"),
    ({"identityTokens": [{"name": "a/b", "audience": "c"}]}, "name"),
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
    development.check(count, name, objects, gateway)
    scaling.check(count, name, objects)
    for it, rules, facts in found:
        for what, rule, _ in rules:
            count.that(f"{name}: {it.command}: {what}", holds(rule, it))
        for which, what, fact in facts:
            if which == name:
                count.that(f"{name}: {it.command}: {what}", holds(fact, it))


def notice(count, objects, servers):
    """Each rule notices what breaks it, and the validator a word that is not Kubernetes'."""
    for rules, which in ((RULES, 0), (CONTROL_RULES, 1)):
        for what, rule, spoil in rules:
            spoilt = parts(copy.deepcopy(objects))[which]
            spoil(spoilt)
            count.that(f"it would be noticed if not: {what}", not holds(rule, spoilt))
    gateway, plane = parts(copy.deepcopy(objects))
    plane.one("Service")["spec"]["selector"] = gateway.one("Service")["spec"]["selector"]
    count.that("it would be noticed: a selector that finds both", not apart(gateway, plane))
    for what, rule, spoil in development.SERVER_RULES:
        for at in range(len(development.PORTS)):
            copied = copy.deepcopy(servers)
            spoilt = list(development.servers(copied, parts(copied)[0]))[at]
            spoil(spoilt)
            count.that(f"{spoilt.name}: it would be noticed if not: {what}", not holds(rule, spoilt))
    spoilt = parts(copy.deepcopy(objects))[0]
    spoilt.pod["securityContxt"] = {}
    wrong = is_valid(spoilt.one("Deployment"), minors()[-1])
    count.that("it would be noticed: a field that Kubernetes does not have", wrong is not None)


def refuse(count, helm, version):
    for values, word in WRONG:
        fine, text = run(helm, "template", "edge", CHART, values=values)
        what = f"refused by helm {version}, naming {word!r}: {json.dumps(values)}"
        count.that(what, not fine and word in text, "it was taken" if fine else text)


# What the notes say where there is something to be told, and what they say nowhere else.
NOTES = [
    ("default", "counts limits and quotas by itself", True),
    ("shared", "counts limits and quotas by itself", False),
    ("autoscaling", "up to 12 replicas", True),
    ("zero", "scale to zero", True),
    ("keda", "scale to zero", False),
    ("development", "development.redis.enabled is for development only", True),
    ("development", "development.etcd.enabled is for development only", True),
    ("shared", "for development only", False),
]


def note(count, helm, version):
    """What somebody reads who has just installed it. Helm 3 shows it beside a cluster only."""
    if version.startswith("v3."):
        return
    known = dict(examples())
    for name, words, is_said in NOTES:
        rehearsed = ["install", "edge", CHART, "--namespace", "gateways", "--dry-run=client"]
        fine, text = run(helm, *rehearsed, *known[name])
        said = text.partition("\nNOTES:\n")[2]
        what = f"{name}: the notes of helm {version} {'say' if is_said else 'do not say'} {words!r}"
        count.that(what, fine and said and (words in said) == is_said, text if not fine else said)


def packaged(count, helm, version):
    """The archive that a release has: everything that templates read, and no example."""
    with tempfile.TemporaryDirectory() as folder:
        fine, text = run(helm, "package", CHART, "--destination", folder)
        count.that(f"packaged with helm {version}", fine, text)
        for archive in pathlib.Path(folder).glob("weir-*.tgz"):
            with tarfile.open(archive) as files:
                names = {name.removeprefix("weir/") for name in files.getnames()}
    wanted = {
        str(path.relative_to(CHART))
        for path in CHART.rglob("*")
        if path.is_file() and path.relative_to(CHART).parts[0] != "ci" and path.name != ".helmignore"
    }
    wrong = sorted((names - {".helmignore"}) ^ wanted) if fine else text
    count.that(f"the archive of helm {version} is whole, without examples", not wrong, wrong)


def manual():
    """The values in docs/kubernetes.md, each with the heading that it stands below."""
    heading = ""
    parts_of = re.compile(r"^#+ ([^\n]+)$|^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for found in parts_of.finditer(MANUAL.read_text()):
        if found[1]:
            heading = found[1]
        else:
            yield heading, yaml.safe_load(found[2])


def works(count, helm, version):
    """What the manual says to write is taken, and right for Kubernetes."""
    found = list(manual())
    count.that("the manual has values", len(found) >= 8, len(found))
    for heading, values in found:
        fine, text = run(helm, "template", "edge", CHART, "--namespace", "gateways", values=values)
        count.that(f"{MANUAL.name}: {heading}: helm {version} takes it", fine, text)
        for it in yaml.safe_load_all(text) if fine else []:
            wrong = is_valid(it, minors()[-1]) if it else None
            count.that(f"{MANUAL.name}: {heading}: {it and it['kind']} is valid", wrong is None, wrong)


def pin(count):
    """No example anywhere has an image that will be another one tomorrow."""
    papers = [*ROOT.glob("*.md"), *(ROOT / "loadtest").glob("*.md"), *(ROOT / "bin").glob("*")]
    for folder in ("docs", "config", "helm/weir"):
        papers += (path for path in (ROOT / folder).rglob("*") if path.is_file())
    rolling = re.compile(r"[\w./-]*\w:latest\b|\btag: *[\"']?latest\b")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in papers
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if rolling.search(line)
    ]
    count.that("no example has an image `latest`", len(papers) > 50 and not wrong, wrong)
    for text in ("docker run weir:latest", "image: {tag: latest}", 'tag: "latest"'):
        count.that(f"it would be noticed: {text}", rolling.search(text))


def leaves(schema, definitions, above=""):
    """All values that a schema describes: names with dots between levels, and what they may be."""
    for name, it in schema["properties"].items():
        it = definitions.get(it.get("$ref", "").removeprefix("#/definitions/"), it)
        if "properties" in it:
            yield from leaves(it, definitions, f"{above}{name}.")
        else:
            yield f"{above}{name}", it


def kinds_of(schema, kind):
    """The flags of the settings that are true or false, or that can be off."""
    found = leaves(schema["properties"]["settings"], schema["definitions"])
    ways = [(name, [it, *it.get("anyOf", [])]) for name, it in found]
    if kind == "boolean":
        return {flag(name) for name, any_of in ways if any(it.get("type") == kind for it in any_of)}
    return {flag(name) for name, any_of in ways if any(kind in it.get("enum", []) for it in any_of)}


def agree(count):
    """The chart, its schema and the program tell the same story."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    settings = {name for name, _ in leaves(schema["properties"]["settings"], schema["definitions"])}
    wrong = sorted((SETTINGS - OWN) ^ settings)
    count.that("the schema has the settings of the program", bool(SETTINGS) and not wrong, wrong)
    wrong = sorted(kinds_of(schema, "boolean") ^ {flag(name) for name in BOOLEANS - OWN})
    count.that("what is true or false is so in the schema, too", not wrong, wrong)
    helpers = (CHART / "templates/_helpers.tpl").read_text()
    listed = re.search(r'define "weir.switchable" -}}\n(.*)\n', helpers)[1].split()
    wrong = sorted(kinds_of(schema, "off") ^ set(listed))
    count.that("the chart knows what can be off", not wrong, wrong)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    wrong = sorted(values.keys() ^ (schema["properties"].keys() - {"global"}))
    count.that("values.yaml and the schema have the same names", not wrong, wrong)
    version = re.search(r'^version = "(.+)"', CARGO.read_text(), re.MULTILINE)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    count.that("the chart is for this version", chart["appVersion"] == version, version)
    last = minors()[-4:]
    told = f"Kubernetes {', '.join(last[:-1])} and {last[-1]}:"
    count.that("SUPPORT.md has the last four Kubernetes", told in SUPPORT.read_text(), told)


def main(helms):
    count = Count()
    agree(count)
    pin(count)
    monitoring.draw(count)
    first = None
    for helm in helms:
        fine, version = run(helm, "version", "--template", "{{.Version}}")
        if not fine:
            sys.exit(f"helm/check: {helm} does not run: {version}")
        found = rendered(count, helm, version)
        refuse(count, helm, version)
        note(count, helm, version)
        packaged(count, helm, version)
        works(count, helm, version)
        if first is None:
            first = found
            for name, objects in found.items():
                validate(count, name, objects)
                judge(count, name, objects)
                monitoring.own(count, name, objects)
            if {"control", "development"} <= found.keys():
                notice(count, found["control"], found["development"])
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
