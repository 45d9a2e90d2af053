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
OWN = {"configuration.folder", "drain.delay", "drain.deadline"} | {
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
        "stateFolder",
        "admin",
        "token",
    )
}
OWN |= ELSEWHERE
DATA_PORTS, ADMIN_PORT = {8080, 8081}, 8082
# What the process may need to end after its drain, in seconds.
ENDING = 5


class Rendering:
    """The objects of one rendering."""

    def __init__(self, objects):
        self.objects = objects

    def all(self, kind):
        return [it for it in self.objects if it["kind"] == kind]

    def one(self, kind):
        (found,) = self.all(kind)
        return found

    @property
    def spec(self):
        return self.one("Deployment")["spec"]

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
        scalers = self.all("HorizontalPodAutoscaler")
        return scalers[0]["spec"]["minReplicas"] if scalers else self.spec["replicas"]


def flag(setting):
    return re.sub("[A-Z]", lambda upper: "-" + upper[0].lower(), setting).replace(".", "-")


SETTINGS = {
    name for table in TABLES for name in re.findall(r'row!\(\s*"([^"]+)"', table.read_text())
}
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


def nothing_writable(it):
    kinds = {"name", "configMap", "secret"}
    mounts = it.box["volumeMounts"]
    return all(volume.keys() <= kinds for volume in it.pod["volumes"]) and all(
        mount.get("readOnly") and "subPath" not in mount for mount in mounts
    )


def asks(probe, path):
    return probe["httpGet"]["path"] == path and probe["httpGet"]["port"] == "admin"


def right_probes(it):
    return (
        asks(it.box["startupProbe"], "/livez")
        and asks(it.box["livenessProbe"], "/livez")
        and asks(it.box["readinessProbe"], "/readyz")
    )


def drains(it):
    drain = seconds(it.flags["drain-delay"]) + seconds(it.flags["drain-deadline"])
    return drain + ENDING <= it.pod["terminationGracePeriodSeconds"]


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
            data = it.ports.keys() - {"admin"}
            if ports != {it.ports[name] for name in data} and not (
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
        "nothing is mounted to be written, or by itself",
        nothing_writable,
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
            and it.box["args"][0] == "run"
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
        "a disruption budget is there for two or more",
        lambda it: len(it.all("PodDisruptionBudget")) == (1 if it.replicas > 1 else 0),
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
]


def service(it):
    return it.one("Service")["spec"]


# What is more to be seen in one rendering each.
FACTS = [
    (
        "default",
        "there is one replica, because limits are counted in each",
        lambda it: it.replicas == 1,
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
    ("autoscaling", "the autoscaler alone says how many", lambda it: "replicas" not in it.spec),
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
        "values are written as Weir reads them",
        lambda it: (
            it.flags["limits-connections"] == "1000000"
            and it.flags["log-access"] == it.flags["limits-request-body-bytes"] == "off"
            and it.flags["log-color"] == "false"
            and it.flags["forwarded-trusted"] == "10.0.0.0/8,fd00::/8"
        ),
    ),
]
