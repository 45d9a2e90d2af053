"""The kinds of the Prometheus Operator and of KEDA, as far as the chart uses them.

The validator knows only the kinds that come with Kubernetes.
"""

RELABELING = {"sourceLabels": [str], "targetLabel": str, "replacement": str}
ENDPOINT = {"port": str, "path": str, "interval": str, "scrapeTimeout": str, "relabelings": [RELABELING]}
RULE = {"record": str, "alert": str, "expr": str, "for": str, "labels": {str: str}, "annotations": {str: str}}
TRIGGER = {
    "type": str,
    "metricType": str,
    "metadata": {str: str},
    "authenticationRef": {"name": str},
}
METADATA = {"name": str, "namespace": str, "labels": {str: str}}
SHAPES = {
    "PodMonitor": {"selector": {"matchLabels": {str: str}}, "podMetricsEndpoints": [ENDPOINT]},
    "PrometheusRule": {"groups": [{"name": str, "rules": [RULE]}]},
    "ScaledObject": {
        "scaleTargetRef": {"name": str},
        "minReplicaCount": int,
        "maxReplicaCount": int,
        "pollingInterval": int,
        "cooldownPeriod": int,
        "triggers": [TRIGGER],
    },
}
VERSIONS = {"ScaledObject": "keda.sh/v1alpha1"}


def is_custom(it):
    return "." in it["apiVersion"] and not it["apiVersion"].split("/")[0].endswith(".k8s.io")


def misfit(it, shape, at="spec"):
    """Where something is not of a shape; nothing if it is."""
    if isinstance(shape, type):
        return None if isinstance(it, shape) and it != "" else f"{at} is no {shape.__name__}"
    if isinstance(shape, list):
        if not isinstance(it, list) or not it:
            return f"{at} is no list, or an empty one"
        return next(filter(None, (misfit(one, shape[0], f"{at}[]") for one in it)), None)
    if not isinstance(it, dict):
        return f"{at} is no map"
    for name, value in it.items():
        if name not in shape and str not in shape:
            return f"{at}.{name} is not known"
        wrong = misfit(value, shape.get(name, shape.get(str)), f"{at}.{name}")
        if wrong:
            return wrong
    return None


def fault(it):
    """Why a custom resource is none of the kind it says; nothing if it is."""
    if it["kind"] not in SHAPES:
        return f"{it['kind']} is not known"
    version = VERSIONS.get(it["kind"], "monitoring.coreos.com/v1")
    if it["apiVersion"] != version:
        return f"{it['kind']} is of {version}"
    return misfit(it["metadata"], METADATA, "metadata") or misfit(it["spec"], SHAPES[it["kind"]])
