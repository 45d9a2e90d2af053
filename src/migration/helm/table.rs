//! Every value that a chart of API Management's gateway ever had (0.1.0 to 1.16), and what becomes of
//! it in Weir's chart.

use super::Rule;
use super::Rule::{
    Account, Annotation, Backup, Gone, Grace, Image, Move, Never, Same, Setting, Statsd, User,
};

const NO_TOKEN: &str = "nothing is asked of API Management any more, so nobody signs in there";
const NO_PEERS: &str = "replicas of Weir do not talk to each other";
const NO_CLAIM: &str = "Weir's copies need no claim; `lastGood` says where they are";
const SAFE: &str = "Weir's chart is restricted without being told: no root, no capabilities, nothing \
                    writable";
const PROBES: &str = "Weir's chart knows what to ask";
const NO_CONTROLLER: &str = "Weir does not watch Ingress resources";
const AS_APIS: &str = "write what they say as APIs (docs/migration.md), and remove this";
const DAPR_TEXT: &str = "as the sidecar has it without being told";

/// The rows: the path of the value, and what becomes of it and of all that is under it.
pub(super) const ROWS: &[(&str, Rule)] = &[
    ("replicaCount", Move("replicas")),
    ("image.repository", Image),
    ("image.tag", Gone("the chart names the image of its own version")),
    ("image.pullPolicy", Same),
    ("imagePullSecrets", Same),
    ("nameOverride", Same),
    ("fullnameOverride", Same),
    // 0.x
    ("gateway.endpoint", Setting("config.service.endpoint")),
    ("gateway.authKey", Gone(NO_TOKEN)),
    // 1.x
    ("gateway.name", Move("settings.gateway.name")),
    ("gateway.configuration.uri", Setting("config.service.endpoint")),
    ("gateway.configuration.backup.enabled", Backup),
    ("gateway.configuration.backup.persistentVolumeClaim", Gone(NO_CLAIM)),
    ("gateway.auth", Gone(NO_TOKEN)),
    ("gateway.deployment.terminationGracePeriodSeconds", Grace),
    ("gateway.deployment.strategy.type", Gone("Weir's chart always rolls")),
    ("gateway.deployment.strategy.rollingUpdate.maxSurge", Move("maxSurge")),
    (
        "gateway.deployment.strategy.rollingUpdate.maxUnavailable",
        Gone("with Weir's chart there is never one less"),
    ),
    ("gateway.deployment.strategy", Gone("Weir's chart always rolls")),
    ("gateway.deployment.network.proxy.http", Setting("HTTP_PROXY")),
    ("gateway.deployment.network.proxy.https", Setting("HTTPS_PROXY")),
    ("gateway.deployment.network.proxy.bypass", Setting("NO_PROXY")),
    (
        "gateway.deployment.dns.hostAliases",
        Never("Weir's chart has no hostAliases", "let DNS know these names, and remove this"),
    ),
    (
        "gateway.deployment.annotations",
        Never("Weir's chart annotates Pods only", "use podAnnotations where those will do"),
    ),
    ("secret", Gone(NO_TOKEN)),
    ("observability.logs.std.format", Setting("telemetry.logs.std")),
    ("observability.logs.std.level", Setting("telemetry.logs.std.level")),
    ("observability.logs.std.useColor", Setting("telemetry.logs.std.color")),
    ("observability.logs.local.type", Setting("telemetry.logs.local")),
    (
        "observability.logs.local.localsyslog.endpoint",
        Setting("telemetry.logs.local.localsyslog.endpoint"),
    ),
    (
        "observability.logs.local.localsyslog.facility",
        Setting("telemetry.logs.local.localsyslog.facility"),
    ),
    ("observability.logs.local.rfc5424.endpoint", Setting("telemetry.logs.local.rfc5424.endpoint")),
    ("observability.logs.local.rfc5424.facility", Setting("telemetry.logs.local.rfc5424.facility")),
    ("observability.logs.local.journal.endpoint", Setting("telemetry.logs.local.journal.endpoint")),
    ("observability.logs.local.json.endpoint", Setting("telemetry.logs.local.json.endpoint")),
    ("observability.azureMonitor.metrics.enabled", Setting("telemetry.metrics.cloud")),
    ("observability.opentelemetry.enabled", Setting("observability.opentelemetry.enabled")),
    (
        "observability.opentelemetry.collector.uri",
        Setting("observability.opentelemetry.collector.uri"),
    ),
    (
        "observability.opentelemetry.histogram.buckets",
        Setting("observability.opentelemetry.histogram.buckets"),
    ),
    (
        "observability.opentelemetry.systemMetrics.enabled",
        Setting("observability.opentelemetry.system-metrics.enabled"),
    ),
    (
        "observability.opentelemetry.system-metrics.enabled",
        Setting("observability.opentelemetry.system-metrics.enabled"),
    ),
    ("observability.statsD.enabled", Statsd),
    ("observability.statsD.endpoint", Setting("telemetry.metrics.local.statsd.endpoint")),
    ("observability.statsD.sampling", Setting("telemetry.metrics.local.statsd.sampling")),
    ("observability.statsD.tagFormat", Setting("telemetry.metrics.local.statsd.tag-format")),
    ("security.tls.server.ciphers.allowedSuites", Setting("net.server.tls.ciphers.allowed-suites")),
    ("security.tls.client.ciphers.allowedSuites", Setting("net.client.tls.ciphers.allowed-suites")),
    // 0.2.0 has `appId`, later charts `app.id`.
    ("dapr.enabled", Annotation("dapr.io/enabled")),
    ("dapr.appId", Annotation("dapr.io/app-id")),
    ("dapr.app.id", Annotation("dapr.io/app-id")),
    ("dapr.config", Annotation("dapr.io/config")),
    ("dapr.logging.level", Annotation("dapr.io/log-level")),
    ("dapr.logging.useJsonOutput", Annotation("dapr.io/log-as-json")),
    ("dapr.logging", Gone(DAPR_TEXT)),
    ("service.type", Same),
    ("service.port", Move("service.ports.http")),
    ("service.ports.http", Same),
    ("service.ports.https", Same),
    ("service.ports.instance", Gone(NO_PEERS)),
    ("service.annotations", Same),
    (
        "service.loadBalancer.allocateNodePorts",
        Gone("Weir's chart leaves node ports to the cluster"),
    ),
    // Before 1.7.4 an Ingress in front of the gateway, from there on an experiment inside of it.
    ("ingress.enabled", Same),
    ("ingress.className", Same),
    ("ingress.annotations", Same),
    ("ingress.hosts", Same),
    ("ingress.tls", Same),
    ("ingress.controller", Never(NO_CONTROLLER, AS_APIS)),
    ("serviceAccountName", Account),
    ("serviceAccount.create", Same),
    ("serviceAccount.name", Same),
    ("serviceAccount.annotations", Same),
    (
        "serviceAccount.labels",
        Never("Weir's chart has no labels of its own for it", "remove it; podLabels are for Pods"),
    ),
    ("probes.readiness.httpGet", Gone(PROBES)),
    ("probes.liveness.httpGet", Gone(PROBES)),
    ("probes.startup.httpGet", Gone(PROBES)),
    ("resources", Same),
    ("highAvailability.enabled", Move("podDisruptionBudget.enabled")),
    ("highAvailability.disruption.maximumUnavailable", Move("podDisruptionBudget.maxUnavailable")),
    (
        "highAvailability.podTopologySpread.whenUnsatisfiable",
        Move("topologySpread.whenUnsatisfiable"),
    ),
    ("nodeSelector", Same),
    ("tolerations", Same),
    ("affinity", Same),
    ("securityContext.runAsUser", User),
    ("securityContext", Gone(SAFE)),
    ("podSecurityContext.runAsUser", User),
    ("podSecurityContext", Gone(SAFE)),
    ("podAnnotations", Same),
    ("podLabels", Same),
    ("global", Same),
];
