"""What has to hold for the servers for development: as safe as the gateway, and forgetful."""

from rules import RULES, Rendering, holds, policy, put, selects
from rules import SHARED as OF_CONTROL_PLANE

PORTS = {"redis": 6379, "etcd": 2379}

# What holds for a control plane and for these, too: all but what is about Weir itself.
SHARED = OF_CONTROL_PLANE - {
    "every selector finds the Pods",
    "nothing but weir runs, and no shell is needed",
    "every flag is a setting that Weir has, and stands once",
    "the three probes are apart",
    "Pods are spread over zones and nodes",
    "a disruption budget is there where there may be two or more",
    "what is true or false is written as Weir reads it",
}


class Server(Rendering):
    """The objects of one server, beside the gateway's."""

    command = None

    def __init__(self, objects, name, gateway):
        super().__init__(objects)
        self.name, self.gateway = name, gateway


def servers(objects, gateway):
    """The servers for development of a rendering; none, in nearly all."""
    for name in PORTS:
        own = [
            it for it in objects if it["metadata"]["labels"]["app.kubernetes.io/component"] == name
        ]
        if own:
            yield Server(own, name, gateway)


def forgets(it):
    """There is no volume but one that ends with its Pod, and never two that differ."""
    kinds = {kind for volume in it.pod["volumes"] for kind in volume.keys() - {"name"}}
    return kinds == {"emptyDir"} and it.spec["replicas"] == 1 and it.spec["strategy"] == {"type": "Recreate"}


def is_for_gateways(it):
    """The Pods of the gateway may call it, and nobody else may."""
    (rule,) = policy(it)["ingress"]
    (peer,) = rule["from"]
    (port,) = rule["ports"]
    labels = it.gateway.spec["template"]["metadata"]["labels"]
    return (
        set(peer) == {"podSelector"}
        and peer["podSelector"]["matchLabels"].items() <= labels.items()
        and port["port"] == PORTS[it.name]
        and policy(it)["egress"] == []
    )


def is_called(it):
    """The gateway is told of it by the name of its Service, and let through to it."""
    flag = {"redis": "redis-url", "etcd": "etcd-endpoints"}[it.name]
    address = f"{it.one('Service')['metadata']['name']}:{PORTS[it.name]}"
    ways = [
        peer["podSelector"]["matchLabels"]
        for rule in policy(it.gateway)["egress"]
        for peer in rule.get("to", [])
        if PORTS[it.name] in [port["port"] for port in rule.get("ports", [])]
    ]
    return it.gateway.flags[flag].endswith(f"//{address}") and any(selects(it, way) for way in ways)


def finds(it):
    found = [it.spec["selector"]["matchLabels"], it.one("Service")["spec"]["selector"]]
    found.append(policy(it)["podSelector"]["matchLabels"])
    gateway = it.gateway.one("Service")["spec"]["selector"]
    return (
        all(selects(it, one) and not selects(it.gateway, one) for one in found)
        and not selects(it, gateway)
        and it.one("Service")["spec"]["type"] == "ClusterIP"
    )


SERVER_RULES = [rule for rule in RULES if rule[0] in SHARED] + [
    ("it forgets, and is there once", forgets, lambda it: it.spec.update(replicas=2)),
    (
        "only gateways may call it, and it calls nobody",
        is_for_gateways,
        lambda it: policy(it)["ingress"][0].pop("from"),
    ),
    (
        "the gateway knows it",
        is_called,
        lambda it: it.one("Service")["metadata"].update(name="other"),
    ),
    (
        "no selector finds both, and nobody outside does",
        finds,
        lambda it: it.one("Service")["spec"]["selector"].update(
            it.gateway.one("Service")["spec"]["selector"]
        ),
    ),
    (
        "it is probed",
        lambda it: (
            it.box["readinessProbe"]["tcpSocket"]["port"] == it.name
            and it.box["livenessProbe"]["tcpSocket"]["port"] == it.name
        ),
        put(lambda it: it.box, "readinessProbe", {}),
    ),
]


def check(count, name, objects, gateway):
    found = list(servers(objects, gateway))
    for it in found:
        for what, rule, _ in SERVER_RULES:
            count.that(f"{name}: {it.name}: {what}", holds(rule, it))
    are_wanted = {"redis", "etcd"} if name == "development" else set()
    count.that(f"{name}: servers for development", {it.name for it in found} == are_wanted)
