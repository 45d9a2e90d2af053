"""What has to hold for the objects that the chart renders.

Every rule of RULES holds for every rendering, and comes with a way to break it: a rule that does
not notice when it is broken checks nothing.
"""

import json
import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src/settings"
TABLES = [SOURCE / "table.rs", *sorted((SOURCE / "table").glob("*.rs"))]

# Settings that the chart decides by itself.
OWN = {
    "configuration.folder",
    "drain.delay",
    "drain.deadline",
    "control.workloadToken.file",
} | {
    f"listen.{name}" for name in ("http", "https", "certificateFile", "keyFile", "h2c", "admin")
}
# Those of another command, and a secret that belongs in a file: no chart passes them on.
ELSEWHERE = {
    f"control.{name}"
    for name in (
        "listen",
        "certificateFile",
        "keyFile",
        "insecure",
        "keysFile",
        "issuersFile",
        "stateFolder",
        "admin",
        "token",
    )
}
OWN |= ELSEWHERE
# The chart has the volume, and the Secret with the key.
OWN |= {"configuration.lastGood.folder", "configuration.lastGood.keyFile"}
DATA_PORTS, ADMIN_PORT = {8080, 8081}, 8082
CONTROL_PORT, CONTROL_ADMIN_PORT = 8443, 8083
# Where a sidecar of Dapr hears the others.
SIDECAR_PORT = 50002
# Where each may write, and in what.
WRITABLE = {
    "last-good": ("/var/lib/weir/last-good", {"emptyDir", "persistentVolumeClaim"}),
    "state": ("/var/lib/weir/control", {"volumeClaimTemplate"}),
    # Of the servers for development.
    "data": ("/data", {"emptyDir"}),
}
# What the process may need to end after its drain, in seconds.
ENDING = 5


class Rendering:
    """The objects of the gateway in one rendering."""

    workload, command = "Deployment", "run"

    def __init__(self, objects):
        self.objects = objects

    def all(self, kind):
        return [it for it in self.objects if it["kind"] == kind]

    def one(self, kind):
        (found,) = self.all(kind)
        return found

    @property
    def spec(self):
        return self.one(self.workload)["spec"]

    @property
    def pod(self):
        return self.spec["template"]["spec"]

    @property
    def box(self):
        (container,) = self.pod["containers"]
        return container

    @property
    def flags(self):
        return dict(arg.removeprefix("--").split("=", 1) for arg in self.box["args"][1:])

    @property
    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.box["ports"]}

    @property
    def replicas(self):
        for kind, name in (("HorizontalPodAutoscaler", "minReplicas"), ("ScaledObject", "minReplicaCount")):
            for scaler in self.all(kind):
                return scaler["spec"][name]
        # Who scales from outside means several.
        return self.spec.get("replicas", 2)

    @property
    def replicas_max(self):
        for kind, name in (("HorizontalPodAutoscaler", "maxReplicas"), ("ScaledObject", "maxReplicaCount")):
            for scaler in self.all(kind):
                return scaler["spec"][name]
        return self.spec.get("replicas", 2)

    @property
    def annotations(self):
        return self.spec["template"]["metadata"].get("annotations", {})


class ControlPlane(Rendering):
    """Those of the control plane."""

    workload, command = "StatefulSet", "control"


def parts(objects):
    """What the gateway is made of, and what the control plane, if there is one.

    What tells Prometheus and Grafana of them is neither; monitoring.py looks at that, and
    development.py at servers for development.
    """
    kinds = {"gateway": [], "control-plane": [], "monitoring": [], "redis": [], "etcd": []}
    for it in objects:
        kinds[it["metadata"]["labels"]["app.kubernetes.io/component"]].append(it)
    found = kinds["control-plane"]
    return Rendering(kinds["gateway"]), ControlPlane(found) if found else None


def flag(setting):
    return re.sub("[A-Z]", lambda upper: "-" + upper[0].lower(), setting).replace(".", "-")


ROWS = [
    row
    for table in TABLES
    for row in re.findall(r'row!\(\s*"([^"]+)"(.*?)\n    \)', table.read_text(), re.DOTALL)
]
SETTINGS = {name for name, _ in ROWS}
# Those that are true or false.
BOOLEANS = {name for name, row in ROWS if re.search(r"\bflag\(text\)", row)}
FLAGS = {flag(setting) for setting in SETTINGS}


def seconds(span):
    return int(span.removesuffix("s"))


def pinned(image):
    name = image.rsplit("/", 1)[-1]
    if "@" in name:
        return re.fullmatch(r"[^@]+@sha256:[a-f0-9]{64}", name) is not None
    return ":" in name and not name.endswith((":", ":latest"))


def selects(it, selector):
    labels = it.spec["template"]["metadata"]["labels"].items()
    return bool(selector) and selector.items() <= labels


def selectors(it):
    yield it.spec["selector"]["matchLabels"]
    yield it.one("Service")["spec"]["selector"]
    yield from (one["spec"]["selector"]["matchLabels"] for one in it.all("PodDisruptionBudget"))
    yield from (one["spec"]["podSelector"]["matchLabels"] for one in it.all("NetworkPolicy"))
    yield from (one["labelSelector"]["matchLabels"] for one in it.pod["topologySpreadConstraints"])


def no_host(it):
    shared = any(it.pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    return not shared and not any("hostPort" in port for port in it.box["ports"])


def volumes(it):
    """The kind of each volume by its name, and whether it is read-only by itself."""
    found = {}
    for volume in it.pod["volumes"]:
        (kind,) = volume.keys() - {"name"}
        is_read_only = kind in {"configMap", "secret", "projected"} or volume[kind].get("readOnly", False)
        found[volume["name"]] = (kind, is_read_only)
    for claim in it.spec.get("volumeClaimTemplates", []):
        found[claim["metadata"]["name"]] = ("volumeClaimTemplate", False)
    return found


def little_writable(it):
    """Everything is read-only, but for the folders that a process keeps something in."""
    found = volumes(it)
    for mount in it.box["volumeMounts"]:
        kind, is_read_only = found.pop(mount["name"])
        if "subPath" in mount:
            return False
        if not mount.get("readOnly"):
            path, kinds = WRITABLE[mount["name"]]
            if mount["mountPath"] != path or kind not in kinds:
                return False
        elif not is_read_only:
            return False
    return not found


def asks(probe, path):
    return probe["httpGet"]["path"] == path and probe["httpGet"]["port"] == "admin"


def right_probes(it):
    return (
        asks(it.box["startupProbe"], "/livez")
        and asks(it.box["livenessProbe"], "/livez")
        and asks(it.box["readinessProbe"], "/readyz")
    )


def drains(it):
    """The Pod outlives the drain, and so does a sidecar, which ends before the Pod does."""
    drain = seconds(it.flags["drain-delay"]) + seconds(it.flags["drain-deadline"])
    end = drain + ENDING
    if it.annotations.get("dapr.io/enabled") == "true":
        stays = seconds(it.annotations["dapr.io/block-shutdown-duration"])
        if stays < end:
            return False
        end = stays + int(it.annotations["dapr.io/graceful-shutdown-seconds"])
    return end <= it.pod["terminationGracePeriodSeconds"]


def is_callable(it):
    return "dapr.io/app-port" in it.annotations


def one_counts(it):
    """One thing at most says how many Pods there are."""
    scalers = len(it.all("HorizontalPodAutoscaler")) + len(it.all("ScaledObject"))
    return scalers + ("replicas" in it.spec) <= 1


def written_as_read(it):
    """What is true or false is written so, and nothing else is; colours may be either."""
    booleans = {flag(setting) for setting in BOOLEANS}
    return bool(booleans) and all(
        (value in ("true", "false")) == (name in booleans)
        for name, value in it.flags.items()
        if name != "log-color"
    )


def leads_in(it):
    """An Ingress leads to ports that the Service has."""
    service = it.one("Service")
    ports = {port["name"] for port in service["spec"]["ports"]}
    paths = [
        path["backend"]["service"]
        for one in it.all("Ingress")
        for rule in one["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    return all(
        one["name"] == service["metadata"]["name"] and one["port"]["name"] in ports for one in paths
    )


def an_ingress(it):
    """One that leads nowhere."""
    backend = {"service": {"name": "other", "port": {"name": "http"}}}
    rules = [{"http": {"paths": [{"path": "/", "backend": backend}]}}]
    it.objects.append({"kind": "Ingress", "spec": {"rules": rules}})


def a_sidecar(it):
    """One that ends at once."""
    it.spec["template"]["metadata"]["annotations"] = {
        "dapr.io/enabled": "true",
        "dapr.io/block-shutdown-duration": "1s",
        "dapr.io/graceful-shutdown-seconds": "5",
    }


def listens(it):
    """The flags, the ports of the container and those of the Service are the same."""
    flags = {name: it.flags.get(f"listen-{name}", "off") for name in ("http", "https", "admin")}
    open_flags = {name: int(at.rsplit(":", 1)[1]) for name, at in flags.items() if at != "off"}
    targets = {port["targetPort"] for port in it.one("Service")["spec"]["ports"]}
    return open_flags == it.ports and targets == it.ports.keys() - {"admin"}


def admin_is_closed(it):
    for policy in it.all("NetworkPolicy"):
        for rule in policy["spec"]["ingress"]:
            ports = {port["port"] for port in rule.get("ports", [])}
            data = {it.ports[name] for name in it.ports.keys() - {"admin"}}
            data |= {SIDECAR_PORT} if is_callable(it) else set()
            if ports != data and not (
                ports == {ADMIN_PORT} and rule.get("from")
            ):
                return False
    return True


def denies(it):
    types = {"Ingress", "Egress"}
    return all(types <= set(one["spec"]["policyTypes"]) for one in it.all("NetworkPolicy"))


def secrets_stay_secret(it):
    named = all(set(one) == {"name", "valueFrom"} for one in it.box.get("env", []))
    return named and "envFrom" not in it.box and not it.all("Secret")


def configuration_is_whole(it):
    (volume,) = (one["configMap"] for one in it.pod["volumes"] if "configMap" in one)
    for made in it.all("ConfigMap"):
        keys = {item["key"] for item in volume.get("items", [])} or made["data"].keys()
        if made["metadata"]["name"] != volume["name"] or keys != made["data"].keys():
            return False
    return True


def memory_is_held(it):
    asked, most = it.box["resources"]["requests"], it.box["resources"]["limits"]
    return asked["memory"] == most["memory"] and "cpu" in asked


def spread(it):
    keys = {one["topologyKey"] for one in it.pod["topologySpreadConstraints"]}
    return keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def updates_without_loss(it):
    terms = it.spec["strategy"]["rollingUpdate"]
    return terms["maxUnavailable"] == 0 and terms["maxSurge"] not in (0, "0%")


def admin_can_be_probed(it):
    return not it.flags["listen-admin"].startswith(("127.", "[::1]", "off"))


def pod_has(name, value):
    return lambda it: it.pod.get(name) == value


def held(name, value):
    return lambda it: it.box["securityContext"].get(name) == value


def holds(rule, it):
    """A rendering that lacks what a rule looks at breaks the rule."""
    try:
        return bool(rule(it))
    except (KeyError, IndexError, ValueError, TypeError):
        return False


def put(root, name, value):
    """Breaks a rendering: sets `name` of what `root` finds in it."""
    return lambda it: root(it).update({name: value})


def pod(it):
    return it.pod


def box(it):
    return it.box


def guard(it):
    return it.box["securityContext"]


def policy(it):
    found = it.all("NetworkPolicy")
    return found[0]["spec"] if found else None


def budget(it):
    """One budget too many, or too few."""
    found = it.all("PodDisruptionBudget")
    if found:
        it.objects.remove(found[0])
    else:
        it.objects.append({"kind": "PodDisruptionBudget"})


# What holds, whether it does, and what breaks it.
RULES = [
    (
        "nobody is root",
        lambda it: (
            it.pod["securityContext"].get("runAsNonRoot") is True
            and it.pod["securityContext"].get("runAsUser") != 0
            and not guard(it).keys() & {"runAsUser", "runAsNonRoot"}
        ),
        lambda it: it.pod["securityContext"].update(runAsUser=0),
    ),
    (
        "the default seccomp profile is on",
        lambda it: it.pod["securityContext"].get("seccompProfile") == {"type": "RuntimeDefault"},
        lambda it: it.pod["securityContext"].pop("seccompProfile"),
    ),
    (
        "privileges cannot grow",
        held("allowPrivilegeEscalation", False),
        lambda it: guard(it).pop("allowPrivilegeEscalation"),
    ),
    ("nothing is privileged", held("privileged", False), put(guard, "privileged", True)),
    (
        "there are no capabilities",
        held("capabilities", {"drop": ["ALL"]}),
        put(guard, "capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    ),
    (
        "the root is read-only",
        held("readOnlyRootFilesystem", True),
        lambda it: guard(it).pop("readOnlyRootFilesystem"),
    ),
    (
        "nothing is mounted by itself, or to be written but what is kept",
        little_writable,
        lambda it: it.pod["volumes"].append({"name": "tmp", "emptyDir": {}}),
    ),
    ("nothing is shared with the host", no_host, put(pod, "hostNetwork", True)),
    (
        "there is no token of a service account",
        lambda it: (
            it.pod.get("automountServiceAccountToken") is False
            and all(
                one["automountServiceAccountToken"] is False for one in it.all("ServiceAccount")
            )
        ),
        lambda it: it.pod.pop("automountServiceAccountToken"),
    ),
    (
        "there are no rights in Kubernetes",
        lambda it: not any("Role" in one["kind"] for one in it.objects),
        lambda it: it.objects.append({"kind": "ClusterRoleBinding"}),
    ),
    (
        "no variables of other Services come in",
        pod_has("enableServiceLinks", False),
        put(pod, "enableServiceLinks", True),
    ),
    (
        "nothing but weir runs, and no shell is needed",
        lambda it: (
            not it.pod.get("initContainers")
            and not it.box.keys() & {"command", "lifecycle"}
            and it.box["args"][0] == it.command
        ),
        put(box, "lifecycle", {"preStop": {"exec": {"command": ["sleep", "10"]}}}),
    ),
    (
        "the image is one that stays the same",
        lambda it: pinned(it.box["image"]),
        put(box, "image", "registry.example.com:5000/weir:latest"),
    ),
    (
        "memory that is asked for is memory there is",
        memory_is_held,
        lambda it: it.box["resources"]["limits"].pop("memory"),
    ),
    (
        "the three probes are apart",
        right_probes,
        lambda it: it.box.update(livenessProbe=it.box["readinessProbe"]),
    ),
    (
        "the kubelet can reach the probes",
        admin_can_be_probed,
        lambda it: it.box["args"].append("--listen-admin=127.0.0.1:8082"),
    ),
    ("the grace period covers the drain", drains, put(pod, "terminationGracePeriodSeconds", 30)),
    ("the sidecar outlives the drain, and the Pod the sidecar", drains, a_sidecar),
    (
        "one thing says how many Pods there are",
        one_counts,
        lambda it: (it.spec.update(replicas=1), it.objects.append({"kind": "ScaledObject"})),
    ),
    (
        "an Ingress leads to the Service",
        leads_in,
        an_ingress,
    ),
    (
        "an update takes nothing away first",
        updates_without_loss,
        lambda it: it.spec["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    (
        "Pods are spread over zones and nodes",
        spread,
        lambda it: it.pod["topologySpreadConstraints"].pop(),
    ),
    (
        "a disruption budget is there where there may be two or more",
        lambda it: len(it.all("PodDisruptionBudget")) == (1 if it.replicas_max > 1 else 0),
        budget,
    ),
    (
        "flags, ports and Service agree, and no Service shows the admin port",
        listens,
        lambda it: it.one("Service")["spec"]["ports"].append({"port": 1, "targetPort": "admin"}),
    ),
    (
        "ports need no privilege",
        lambda it: set(it.ports.values()) <= DATA_PORTS | {ADMIN_PORT},
        lambda it: it.box["ports"].append({"name": "low", "containerPort": 80}),
    ),
    (
        "every selector finds the Pods",
        lambda it: all(selects(it, one) for one in selectors(it)),
        lambda it: it.one("Service")["spec"]["selector"].update(app="other"),
    ),
    (
        "the network is closed in both directions",
        denies,
        lambda it: policy(it) and policy(it).update(policyTypes=["Ingress"]),
    ),
    (
        "the admin port is open to those who are named",
        admin_is_closed,
        lambda it: policy(it) and policy(it)["ingress"].append({"ports": [{"port": ADMIN_PORT}]}),
    ),
    (
        "secrets come from Secrets only",
        secrets_stay_secret,
        put(box, "env", [{"name": "ORDERS_TOKEN", "value": "in the clear"}]),
    ),
    (
        "every file of the configuration is mounted",
        configuration_is_whole,
        lambda it: (
            [one["data"].update(more="") for one in it.all("ConfigMap")]
            and [
                one["configMap"].update(name="other")
                for one in it.pod["volumes"]
                if "configMap" in one
            ]
        ),
    ),
    (
        "every flag is a setting that Weir has, and stands once",
        lambda it: it.flags.keys() <= FLAGS and len(it.flags) == len(it.box["args"]) - 1,
        lambda it: it.box["args"].append("--listen-htp=off"),
    ),
    (
        "what is true or false is written as Weir reads it",
        written_as_read,
        lambda it: it.box["args"].append("--inspector-enabled=off"),
    ),
]


# What of that holds for a control plane too.
SHARED = {
    "nobody is root",
    "the default seccomp profile is on",
    "privileges cannot grow",
    "nothing is privileged",
    "there are no capabilities",
    "the root is read-only",
    "nothing is mounted by itself, or to be written but what is kept",
    "nothing is shared with the host",
    "there is no token of a service account",
    "there are no rights in Kubernetes",
    "no variables of other Services come in",
    "nothing but weir runs, and no shell is needed",
    "the image is one that stays the same",
    "memory that is asked for is memory there is",
    "the three probes are apart",
    "Pods are spread over zones and nodes",
    "a disruption budget is there where there may be two or more",
    "every selector finds the Pods",
    "the network is closed in both directions",
    "secrets come from Secrets only",
    "every flag is a setting that Weir has, and stands once",
    "what is true or false is written as Weir reads it",
}
# A rule that is called otherwise since would hold for nobody, in silence.
assert SHARED <= {what for what, _rule, _spoil in RULES}, SHARED - {what for what, _, _ in RULES}


def control_listens(it):
    ports = {"gateways": CONTROL_PORT, "admin": CONTROL_ADMIN_PORT}
    flags = {"gateways": it.flags["control-listen"], "admin": it.flags["control-admin"]}
    targets = [port["targetPort"] for port in it.one("Service")["spec"]["ports"]]
    return (
        it.ports == ports
        and all(at.endswith(f":{ports[name]}") for name, at in flags.items())
        and not flags["admin"].startswith(("127.", "[::1]"))
        and targets == ["gateways"]
    )


def control_is_closed(it):
    for one in it.all("NetworkPolicy"):
        for rule in one["spec"]["ingress"]:
            ports = [port["port"] for port in rule["ports"]]
            if ports != [CONTROL_PORT] and not (ports == [CONTROL_ADMIN_PORT] and rule.get("from")):
                return False
    return True


def speaks_tls(it):
    found = {
        mount["mountPath"]: mount["name"] for mount in it.box["volumeMounts"] if mount.get("readOnly")
    }
    secrets = {one["name"] for one in it.pod["volumes"] if "secret" in one}
    files = ("control-certificate-file", "control-key-file", "control-keys-file")
    folders = [it.flags[name].rsplit("/", 1)[0] for name in files]
    return "control-insecure" not in it.flags and all(found[one] in secrets for one in folders)


def has_one_memory(it):
    """A volume for one alone, an etcd for several; never both, never none."""
    keeps = {one["metadata"]["name"] for one in it.spec.get("volumeClaimTemplates", [])}
    if "etcd-endpoints" in it.flags:
        return not keeps and "control-state-folder" not in it.flags
    folder = it.flags["control-state-folder"]
    path, _ = WRITABLE["state"]
    kept = it.spec["persistentVolumeClaimRetentionPolicy"]
    return (
        keeps == {"state"}
        and folder.startswith(f"{path}/")
        and set(kept.values()) == {"Retain"}
        and it.replicas == 1
    )


# What else has to hold for a control plane.
CONTROL_RULES = [rule for rule in RULES if rule[0] in SHARED] + [
    (
        "gateways are served over TLS, and keys come from Secrets",
        speaks_tls,
        lambda it: it.box["args"].append("--control-insecure=true"),
    ),
    (
        "generations lie in a volume that stays, or in etcd",
        has_one_memory,
        lambda it: it.box["args"].append("--etcd-endpoints=http://etcd:2379"),
    ),
    (
        "flags and ports agree, and no Service shows the admin port of a control plane",
        control_listens,
        lambda it: it.one("Service")["spec"]["ports"].append({"port": 1, "targetPort": "admin"}),
    ),
    (
        "the admin port of a control plane is open to those who are named",
        control_is_closed,
        lambda it: policy(it)["ingress"].append({"ports": [{"port": CONTROL_ADMIN_PORT}]}),
    ),
]


def apart(gateway, plane):
    """No selector of one finds the Pods of the other."""
    pairs = ((gateway, plane), (plane, gateway))
    return not any(selects(other, one) for it, other in pairs for one in selectors(it))


def service(it):
    return it.one("Service")["spec"]


# Who scrapes in ci/monitoring-values.yaml.
PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}

# What is more to be seen in one rendering each.
FACTS = [
    (
        "default",
        "there are three replicas",
        lambda it: it.spec["replicas"] == 3,
    ),
    (
        "default",
        "nobody is expected where nothing is shared",
        lambda it: "replica-expected" not in it.flags,
    ),
    (
        "shared",
        "a replica that does not hear of the others yet expects three",
        lambda it: it.flags["replica-expected"] == "3",
    ),
    (
        "shared",
        "Redis and etcd are called by URL, with credentials of Secrets",
        lambda it: (
            {"redis", "etcd"} <= {one["secret"]["secretName"] for one in it.pod["volumes"] if "secret" in one}
            and it.flags["redis-password-file"] == "/etc/weir/secrets/redis/password"
        ),
    ),
    (
        "shared",
        "tokens of the workload are for one audience each",
        lambda it: (
            [
                (source["serviceAccountToken"]["path"], source["serviceAccountToken"]["audience"])
                for one in it.pod["volumes"]
                for source in one.get("projected", {}).get("sources", [])
            ]
            == [
                ("entra", "api://AzureADTokenExchange"),
                ("partner", "https://login.partner.example"),
            ]
            and it.box["volumeMounts"][-1]["mountPath"] == "/etc/weir/identity"
        ),
    ),
    (
        "shared",
        "a longer grace period is taken as it is",
        lambda it: it.pod["terminationGracePeriodSeconds"] == 120,
    ),
    (
        "keda",
        "KEDA looks at requests in flight and at the gateway's CPU",
        lambda it: (
            [(one["type"], one["metadata"].get("threshold")) for one in it.one("ScaledObject")["spec"]["triggers"]]
            == [("prometheus", "50"), ("cpu", None)]
            and it.one("ScaledObject")["spec"]["triggers"][1]["metadata"]["containerName"] == "weir"
            and it.one("ScaledObject")["spec"]["triggers"][0]["authenticationRef"] == {"name": "prometheus"}
        ),
    ),
    (
        "keda",
        "KEDA scales the Deployment that is there",
        lambda it: (
            it.one("ScaledObject")["spec"]["scaleTargetRef"]["name"]
            == it.one("Deployment")["metadata"]["name"]
        ),
    ),
    (
        "zero",
        "there may be no Pod, and somebody wakes the first one",
        lambda it: (
            it.one("ScaledObject")["spec"]["minReplicaCount"] == 0
            and [one["type"] for one in it.one("ScaledObject")["spec"]["triggers"]]
            == ["prometheus", "memory", "cron"]
        ),
    ),
    (
        "ingress",
        "the Ingress has hosts, paths and certificates as they were said",
        lambda it: (
            [
                (rule["host"], path["path"], path["pathType"])
                for rule in it.one("Ingress")["spec"]["rules"]
                for path in rule["http"]["paths"]
            ]
            == [
                ("api.example.com", "/", "Prefix"),
                ("*.shop.example.com", "/orders", "Exact"),
                ("*.shop.example.com", "/carts", "Prefix"),
            ]
            and it.one("Ingress")["spec"]["tls"][0]["secretName"] == "api-tls"
        ),
    ),
    (
        "ingress",
        "Dapr's injector finds what it looks for, beside other annotations",
        lambda it: (
            it.annotations["dapr.io/app-id"] == "shop-gateway"
            and it.annotations["dapr.io/app-port"] == "8080"
            and it.annotations["dapr.io/sidecar-memory-limit"] == "128Mi"
            and all(isinstance(value, str) for value in it.annotations.values())
            and it.pod["terminationGracePeriodSeconds"] == 50
        ),
    ),
    (
        "ingress",
        "sidecars may call the sidecar",
        lambda it: SIDECAR_PORT in [port["port"] for port in policy(it)["ingress"][0]["ports"]],
    ),
    (
        "development",
        "somebody else says how many",
        lambda it: "replicas" not in it.spec and "replica-expected" not in it.flags,
    ),
    (
        "default",
        "there is a NetworkPolicy and an account",
        lambda it: it.one("NetworkPolicy") and it.one("ServiceAccount"),
    ),
    (
        "default",
        "it serves hello",
        lambda it: "id: hello" in it.one("ConfigMap")["data"]["hello.yaml"],
    ),
    ("default", "nobody may call the admin port", lambda it: len(policy(it)["ingress"]) == 1),
    (
        "default",
        "the addresses where clouds hand out credentials are closed",
        lambda it: "169.254.0.0/16" in json.dumps(policy(it)["egress"][-1]),
    ),
    (
        "folder",
        "named values of policies are not taken for Helm's",
        lambda it: "{{shop-name}}" in it.one("ConfigMap")["data"]["policies__global.xml"],
    ),
    (
        "folder",
        "files lie in their folders",
        lambda it: (
            {"key": "apis__orders.yaml", "path": "apis/orders.yaml"}
            in it.pod["volumes"][0]["configMap"]["items"]
        ),
    ),
    (
        "folder",
        "secrets are where the configuration looks for them",
        lambda it: (
            it.box["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "orders", "key": "token"}
            and it.box["volumeMounts"][1]["mountPath"] == "/etc/weir/secrets/subscriptions"
        ),
    ),
    ("tls", "HTTP in the clear is off", lambda it: it.flags["listen-http"] == "off"),
    (
        "tls",
        "the address of the client is kept",
        lambda it: service(it)["externalTrafficPolicy"] == "Local",
    ),
    ("tls", "the image is the digest", lambda it: "@sha256:" in it.box["image"]),
    (
        "tls",
        "clients and operators are those named",
        lambda it: all(one["from"] for one in policy(it)["ingress"]),
    ),
    (
        "replicas",
        "a longer drain has a longer grace period",
        lambda it: it.pod["terminationGracePeriodSeconds"] == 145,
    ),
    (
        "control",
        "copies lie on the claim, and are sealed",
        lambda it: (
            volumes(it)["last-good"] == ("persistentVolumeClaim", False)
            and it.flags["configuration-last-good-key-file"] == "/etc/weir/last-good-key/key"
        ),
    ),
    (
        "controls",
        "copies lie beside the container, and are sealed with the token",
        lambda it: (
            volumes(it)["last-good"] == ("emptyDir", False)
            and "configuration-last-good-key-file" not in it.flags
            and "configuration-last-good-folder" in it.flags
        ),
    ),
    (
        "monitoring",
        "operators and Prometheus may call the admin port",
        lambda it: policy(it)["ingress"][1]["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}, PROMETHEUS],
    ),
    ("autoscaling", "the autoscaler alone says how many", lambda it: "replicas" not in it.spec),
    (
        "autoscaling",
        "it looks at CPU and memory of the gateway, whatever stands beside it",
        lambda it: (
            [
                (one["name"], one["container"], one["target"]["averageUtilization"])
                for metric in it.one("HorizontalPodAutoscaler")["spec"]["metrics"]
                for one in [metric["containerResource"]]
            ]
            == [("cpu", "weir", 60), ("memory", "weir", 85)]
        ),
    ),
    (
        "platform",
        "Secrets for the registry may be written in two ways",
        lambda it: it.pod["imagePullSecrets"] == [{"name": "registry"}, {"name": "mirror"}],
    ),
    (
        "platform",
        "the platform chooses the user",
        lambda it: not it.pod["securityContext"].keys() & {"runAsUser", "runAsGroup", "fsGroup"},
    ),
    (
        "platform",
        "every setting is passed on",
        lambda it: it.flags.keys() == FLAGS - {flag(name) for name in ELSEWHERE},
    ),
    (
        "platform",
        "the token of the workload is for one audience, and where Weir looks for it",
        lambda it: (
            {
                "path": "token",
                "audience": "weir-control",
                "expirationSeconds": 7200,
            }
            in [
                source["serviceAccountToken"]
                for one in it.pod["volumes"]
                for source in one.get("projected", {}).get("sources", [])
            ]
            and it.box["volumeMounts"][-1]["mountPath"] + "/token"
            == it.flags["control-workload-token-file"]
        ),
    ),
    (
        "platform",
        "values are written as Weir reads them",
        lambda it: (
            it.flags["limits-connections"] == "1000000"
            and it.flags["log-access"] == it.flags["limits-request-body-bytes"] == "off"
            and it.flags["log-color"] == "false"
            and it.flags["inspector-enabled"] == it.flags["redis-tls"] == "true"
            and it.flags["dapr-readiness"] == it.flags["backends-tls-protocols-tls10"] == "false"
            and it.flags["log-rfc5424-endpoint"] == "tcp://syslog.example:601"
            and it.flags["forwarded-trusted"] == "10.0.0.0/8,fd00::/8"
        ),
    ),
]
# The same of the control plane.
CONTROL_FACTS = [
    (
        "monitoring",
        "operators and Prometheus may call its admin port",
        lambda it: PROMETHEUS in policy(it)["ingress"][1]["from"],
    ),
    (
        "control",
        "secrets are where the configuration looks for them",
        lambda it: (
            it.box["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "orders", "key": "token"}
            and "/etc/weir/secrets/subscriptions"
            in {mount["mountPath"] for mount in it.box["volumeMounts"]}
        ),
    ),
    (
        "control",
        "the volume is as large as was said",
        lambda it: (
            it.spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "2Gi"
        ),
    ),
    (
        "controls",
        "three share an etcd, which they may call",
        lambda it: (
            it.replicas == 3
            and it.flags["cluster-lease"] == "15s"
            and 2379 in [port["port"] for rule in policy(it)["egress"] for port in rule["ports"]]
        ),
    ),
    (
        "controls",
        "gateways are those named",
        lambda it: policy(it)["ingress"][0]["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
    ),
]
