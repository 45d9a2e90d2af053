//! The settings of APIM's self-hosted gateway by their dotted names, and what Weir does with each.
//!
//! Names are compared without regard to case, and `.`, `-` and `_` are the same, because many
//! shells cannot export a name with dots. Where a row stands for all names that begin like it,
//! only names with dots count: `MONITORING_HOST` may be anything.

/// What Weir does with a setting of APIM's self-hosted gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Treatment {
    /// It is the setting of Weir of this name; values are written alike.
    Means(&'static str),
    /// It switches the setting of Weir: `true` is the value that is named.
    Switches(&'static str, &'static str),
    /// It is the setting of Weir of this name, or one of these words, which say only where its value
    /// is. What else it may be Weir cannot do, for the last reason.
    Credential(&'static str, &'static [&'static str], &'static str),
    /// It has no effect, for this reason.
    Ignored(&'static str),
    /// These values are what Weir does anyway; others are refused, for this reason.
    Only(&'static [&'static str], &'static str),
    /// Weir cannot do what it asks for.
    Refused(&'static str),
}

use Treatment::{Credential, Ignored, Means, Only, Refused, Switches};

const NO_SIGN_IN: &str = "gateways sign in with control.tokenFile, control.workloadToken.file or \
                          control.clientCredentials.endpoint";
const ALWAYS_CHECKED: &str = "the certificate of the control plane is always checked: name its \
                              authority with control.caFile";
const OWN_DEADLINES: &str = "calls to the control plane have a deadline of their own, \
                             control.timeout";
const NO_PEERS: &str = "replicas of Weir do not find each other by UDP; limits hold for each \
                        replica by itself";
const NO_INGRESS: &str = "Weir does not watch Ingress resources";
const ALWAYS_TOLD: &str = "memory, processor time and connections are always told";
const NO_AZURE: &str = "Weir sends nothing to Azure";
const NO_SUITES: &str =
    "cipher suites for clients cannot be chosen yet; TLS 1.2 and 1.3 with OpenSSL's are used";
const NO_SSL: &str = "OpenSSL does not speak SSL 3.0 any more";
const INFORMATION: &str = "it only informs about how the gateway was deployed";
const NO_PROXY: &str = "Weir calls backends directly, not through a proxy";

/// What Weir does with each setting; a name that ends in a dot stands for all that begin so.
pub const TABLE: &[(&str, Treatment)] = &[
    ("gateway.name", Means("gateway.name")),
    ("gateway.auth.token", Credential("control.token", &[], NO_SIGN_IN)),
    ("config.service.endpoint", Means("control.endpoint")),
    ("config.service.auth", Credential("control.token", &["key"], NO_SIGN_IN)),
    ("config.service.auth.key", Credential("control.token", &[], NO_SIGN_IN)),
    ("config.service.auth.azureAd.tenantId", Refused(NO_SIGN_IN)),
    ("config.service.auth.azureAd.clientId", Refused(NO_SIGN_IN)),
    ("config.service.auth.azureAd.clientSecret", Refused(NO_SIGN_IN)),
    ("config.service.auth.azureAd.certificatePath", Refused(NO_SIGN_IN)),
    ("config.service.auth.azureAd.authority", Refused(NO_SIGN_IN)),
    ("config.service.auth.tokenAudience", Refused(NO_SIGN_IN)),
    ("config.service.endpoint.disableCertificateValidation", Only(&["false"], ALWAYS_CHECKED)),
    ("config.service.integration.timeout", Ignored(OWN_DEADLINES)),
    ("neighborhood.host", Ignored(NO_PEERS)),
    ("neighborhood.heartbeat.port", Ignored(NO_PEERS)),
    ("policy.rate-limit.sync.port", Ignored(NO_PEERS)),
    ("service.instance.heartbeat.port", Ignored(NO_PEERS)),
    ("service.instance.synchronization.port", Ignored(NO_PEERS)),
    ("net.server.http.forwarded.proto.enabled", Switches("forwarded.proto", "anyone")),
    ("k8s.ingress.enabled", Only(&["false"], NO_INGRESS)),
    ("k8s.ingress.namespace", Ignored(NO_INGRESS)),
    ("k8s.ingress.dns.suffix", Ignored(NO_INGRESS)),
    ("k8s.ingress.config.path", Ignored(NO_INGRESS)),
    ("telemetry.metrics.cloud", Only(&["false"], NO_AZURE)),
    ("telemetry.metrics.local", Means("metrics.local")),
    ("telemetry.metrics.local.statsd.endpoint", Means("metrics.statsd.endpoint")),
    ("telemetry.metrics.local.statsd.sampling", Means("metrics.statsd.sampling")),
    ("telemetry.metrics.local.statsd.tag-format", Means("metrics.statsd.tagFormat")),
    ("telemetry.metrics.localstatsd.endpoint", Means("metrics.statsd.endpoint")),
    ("telemetry.metrics.localstatsd.sampling", Means("metrics.statsd.sampling")),
    ("telemetry.metrics.localstatsd.tagformat", Means("metrics.statsd.tagFormat")),
    ("telemetry.metrics.opentelemetry.enabled", Means("telemetry.otlp.enabled")),
    ("telemetry.metrics.opentelemetry.collector.uri", Means("telemetry.otlp.endpoint")),
    ("observability.opentelemetry.enabled", Means("telemetry.otlp.enabled")),
    ("observability.opentelemetry.collector.uri", Means("telemetry.otlp.endpoint")),
    // Those of OpenTelemetry itself, which its operators inject.
    ("otel.exporter.otlp.endpoint", Means("telemetry.otlp.endpoint")),
    ("otel.exporter.otlp.protocol", Means("telemetry.otlp.protocol")),
    ("otel.resource.attributes", Means("telemetry.resource")),
    ("otel.service.name", Means("telemetry.serviceName")),
    ("observability.opentelemetry.system-metrics.enabled", Ignored(ALWAYS_TOLD)),
    ("observability.opentelemetry.histogram.buckets", Means("metrics.durationBuckets")),
    ("telemetry.logs.std", Means("log.format")),
    ("telemetry.logs.std.level", Means("log.level")),
    ("telemetry.logs.std.color", Means("log.color")),
    ("telemetry.logs.local", Means("log.local")),
    ("telemetry.logs.local.localsyslog.endpoint", Means("log.localSyslog.endpoint")),
    ("telemetry.logs.local.localsyslog.facility", Means("log.localSyslog.facility")),
    ("telemetry.logs.local.rfc5424.endpoint", Means("log.rfc5424.endpoint")),
    ("telemetry.logs.local.rfc5424.facility", Means("log.rfc5424.facility")),
    ("telemetry.logs.local.journal.endpoint", Means("log.journal.endpoint")),
    ("telemetry.logs.local.journal.facility", Means("log.journal.facility")),
    ("telemetry.logs.local.json.endpoint", Means("log.json.endpoint")),
    ("telemetry.logs.localconfig.localsyslog.endpoint", Means("log.localSyslog.endpoint")),
    ("telemetry.logs.localconfig.localsyslog.facility", Means("log.localSyslog.facility")),
    ("telemetry.logs.localconfig.rfc5424.endpoint", Means("log.rfc5424.endpoint")),
    ("telemetry.logs.localconfig.rfc5424.facility", Means("log.rfc5424.facility")),
    ("telemetry.logs.localconfig.journal.endpoint", Means("log.journal.endpoint")),
    ("telemetry.logs.localconfig.journal.facility", Means("log.journal.facility")),
    ("telemetry.logs.localconfig.json.endpoint", Means("log.json.endpoint")),
    ("logs.applicationinsights.endpoint", Ignored(NO_AZURE)),
    ("monitoring.", Ignored(NO_AZURE)),
    ("certificates.local.ca.enabled", Only(&["false"], "add authorities to the system's store")),
    ("net.server.tls.ciphers.allowed-suites", Refused(NO_SUITES)),
    ("net.client.tls.ciphers.allowed-suites", Means("backends.tls.ciphers")),
    (
        "security.certificate-revocation.validation.enabled",
        Switches("backends.tls.revocation", "required"),
    ),
    (
        "microsoft.windowsazure.apimanagement.gateway.security.backend.protocols.tls13",
        Means("backends.tls.protocols.tls13"),
    ),
    (
        "microsoft.windowsazure.apimanagement.gateway.security.backend.protocols.tls12",
        Means("backends.tls.protocols.tls12"),
    ),
    (
        "microsoft.windowsazure.apimanagement.gateway.security.backend.protocols.tls11",
        Means("backends.tls.protocols.tls11"),
    ),
    (
        "microsoft.windowsazure.apimanagement.gateway.security.backend.protocols.tls10",
        Means("backends.tls.protocols.tls10"),
    ),
    (
        "microsoft.windowsazure.apimanagement.gateway.security.backend.protocols.ssl30",
        Only(&["false"], NO_SSL),
    ),
    ("runtime.deployment.", Ignored(INFORMATION)),
    ("service.http.", Ignored(INFORMATION)),
    ("service.https.", Ignored(INFORMATION)),
    ("http_proxy", Ignored(NO_PROXY)),
    ("https_proxy", Ignored(NO_PROXY)),
];

/// What stands in the addresses that API Management serves configurations at, in every cloud.
const SERVED_AT: [&str; 2] = [".azure-api.", ".management.azure"];

/// Whether `address` is one at which API Management serves configurations to its gateways.
pub fn is_management(address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    SERVED_AT.iter().any(|part| address.contains(part))
}

/// What Weir does with the variable `name`, if it is a setting of APIM's self-hosted gateway.
pub fn treatment(name: &str) -> Option<Treatment> {
    let row = TABLE.iter().find(|(known, _)| {
        let all_that_begin_so = known.ends_with('.') && name.contains('.');
        is_same(known, name)
            || (all_that_begin_so
                && name.get(..known.len()).is_some_and(|begin| is_same(known, begin)))
    });
    row.map(|(_, treatment)| *treatment)
}

/// Whether `name` is meant to be one of these settings: it has dots and begins like one.
pub fn is_meant(name: &str) -> bool {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    name.contains('.')
        && TABLE.iter().any(|(known, _)| known.contains('.') && first(known) == first(name))
}

/// Whether two names are one. Every variable of the environment is compared with every row before
/// anything is served, so nothing is copied for it.
fn is_same(one: &str, other: &str) -> bool {
    let folded = |byte: u8| match byte {
        b'.' | b'-' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    one.len() == other.len() && one.bytes().map(folded).eq(other.bytes().map(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_written_with_underscores() {
        let means = Some(Means("log.level"));
        assert_eq!(treatment("telemetry.logs.std.level"), means);
        assert_eq!(treatment("TELEMETRY_LOGS_STD_LEVEL"), means);
        assert_eq!(treatment("policy_rate_limit_sync_port"), Some(Ignored(NO_PEERS)));
    }

    #[test]
    fn what_kubernetes_sets_for_services_is_not_ours() {
        for name in ["CONFIG_SERVICE_HOST", "CONFIG_SERVICE_PORT", "MONITORING_SERVICE_HOST"] {
            assert_eq!(treatment(name), None, "{name}");
        }
        assert!(is_meant("telemetry.log.std") && !is_meant("java.home") && !is_meant("PATH"));
    }
}
