//! The rules: a name that stays, how bad it is, what it says, and what to do.

use crate::migration::finding::Level;
use crate::migration::finding::Level::{Error, Note, Warning};

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it says, in one sentence without a full stop.
    pub says: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Shortens a row.
const fn rule(
    id: &'static str,
    level: Level,
    says: &'static str,
    remedy: &'static str,
) -> (&'static str, Rule) {
    (id, Rule { id, level, says, remedy })
}

/// All rules, by name. docs/migration.md has the same table.
pub const RULES: &[(&str, Rule)] = &[
    rule(
        "image-unsupported",
        Error,
        "this version is not supported any more, or not yet: supported are the last major version's last three minor ones, never beta or preview",
        "move to a supported version, or to Weir",
    ),
    rule(
        "image-rolling-tag",
        Warning,
        "nobody can say which version this is: it may be another one after a restart",
        "name a version with three parts, or a digest",
    ),
    rule(
        "configuration-api-v1",
        Error,
        "this is the first Configuration API, which API Management has switched off",
        "use NAME.configuration.azure-api.net, or read a folder with Weir",
    ),
    rule(
        "gateway-token",
        Note,
        "the gateway signs in with a token, which ends after thirty days at most",
        "sign in with the workload's own identity instead",
    ),
    rule(
        "token-expires",
        Error,
        "the token has expired, or does so within seven days: a gateway that restarts then has no configuration",
        "make a new one",
    ),
    rule(
        "secret-in-clear",
        Error,
        "a token stands here for everybody to read who has the file; Base64 hides nothing",
        "keep it in a Secret that is made outside of files, and make a new one: this one is known",
    ),
    rule(
        "certificate-not-checked",
        Error,
        "whoever is between the gateway and its configuration can replace it",
        "remove the setting, and name the authority instead",
    ),
    rule(
        "log-level",
        Note,
        "every request costs lines of the log at this level",
        "use warn where nobody looks for anything",
    ),
    rule(
        "telemetry-in-cloud-only",
        Warning,
        "logs and metrics go to Azure alone, and are lost while it cannot be reached",
        "send them to something near: StatsD, OpenTelemetry, syslog",
    ),
    rule(
        "weak-tls",
        Error,
        "protocols or cipher suites that are broken are allowed",
        "allow TLS 1.2 and 1.3 with forward secrecy only",
    ),
    rule(
        "proxy-without-local",
        Warning,
        "a proxy is asked also for what is on this machine, such as Dapr's sidecar",
        "add localhost and 127.0.0.1 to NO_PROXY",
    ),
    rule(
        "peers-cannot-talk",
        Warning,
        "replicas are told where their peers are, and the UDP ports 4290 and 4291 are not open: each counts limits by itself",
        "open both ports in the container and in a headless Service, or use Weir with Redis",
    ),
    rule(
        "peers-unknown",
        Warning,
        "there are several replicas that do not know each other: each counts limits by itself",
        "set neighborhood.host; for Weir, redis.url",
    ),
    rule(
        "few-replicas",
        Warning,
        "with fewer than three replicas an update or the loss of a zone is an outage",
        "run three",
    ),
    rule(
        "no-resources",
        Warning,
        "the scheduler does not know what the gateway needs",
        "request processor time and memory: the old gateway two processors and 2 GiB to begin with, Weir half of one and 512 MiB",
    ),
    rule(
        "no-backup",
        Warning,
        "a gateway that restarts while its configuration cannot be reached has none",
        "mount a volume for the backup (/apim/config; for Weir configuration.lastGood.folder)",
    ),
    rule(
        "backup-not-writable",
        Warning,
        "the backup's volume belongs to a group that the old gateway does not have",
        "set fsGroup to 1001",
    ),
    rule(
        "read-only-root",
        Error,
        "the old gateway does not start with a root that cannot be written",
        "remove readOnlyRootFilesystem, or move to Weir, which wants it",
    ),
    rule(
        "runs-as-root",
        Warning,
        "the gateway may run as root",
        "set runAsNonRoot to true, and allowPrivilegeEscalation to false",
    ),
    rule(
        "authorities-need-user",
        Error,
        "certificates of authorities can be mounted for user 1001 only",
        "set runAsUser to 1001",
    ),
    rule(
        "probe-missing",
        Warning,
        "nobody notices that a gateway is not ready, or hangs",
        "add startup, readiness and liveness probes that ask /status-0123456789abcdef",
    ),
    rule(
        "probe-path",
        Warning,
        "the gateway does not answer probes at this path",
        "ask /status-0123456789abcdef",
    ),
    rule(
        "client-address-lost",
        Warning,
        "the gateway sees the address of a node instead of the client's: ip-filter and limits by address judge that",
        "set externalTrafficPolicy to Local",
    ),
    rule(
        "no-disruption-budget",
        Warning,
        "all replicas may be taken away at once when nodes are drained",
        "add a PodDisruptionBudget",
    ),
    rule(
        "no-spread",
        Note,
        "all replicas may run on one node, or in one zone",
        "add topologySpreadConstraints",
    ),
    rule(
        "short-grace",
        Warning,
        "requests in flight are cut off when a Pod ends",
        "set terminationGracePeriodSeconds to 60",
    ),
    rule(
        "cors-not-first",
        Warning,
        "policies before cors may refuse a preflight, or answer without its fields",
        "let cors be the first policy of inbound",
    ),
    rule(
        "cors-any-with-credentials",
        Error,
        "every page of the web may call with the credentials of whoever looks at it",
        "list the origins",
    ),
    rule(
        "rate-limit-period",
        Warning,
        "API Management takes at most 300 seconds here",
        "use quota, or a shorter renewal-period",
    ),
    rule(
        "quota-by-key-period",
        Warning,
        "API Management takes 300 seconds or more here",
        "use rate-limit-by-key, or a longer renewal-period",
    ),
    rule(
        "counts-by-itself",
        Note,
        "each replica counts this by itself",
        "divide the number by that of the replicas",
    ),
    rule(
        "policy-skipped",
        Warning,
        "API Management's self-hosted gateway skips this policy without a word, though the service runs it",
        "see to it that nothing depends on it there; Weir runs it, or refuses the document",
    ),
    rule(
        "stream-held-back",
        Warning,
        "events of a stream wait in the gateway until all of them are there",
        "write buffer-response=\"false\" on forward-request, and no policy in outbound that reads the body",
    ),
    rule(
        "body-of-get",
        Warning,
        "a GET or HEAD gets a body, which backends ignore or refuse",
        "remove set-body, or send POST",
    ),
    rule(
        "liquid-in-return-response",
        Warning,
        "API Management does not fill in Liquid templates in return-response",
        "write the body as an expression, or set-body before return-response",
    ),
    rule(
        "refused-with-success",
        Warning,
        "whoever is refused gets a status that is no refusal, or the attribute is another policy's and has no effect",
        "write 401 or 403: failed-validation-httpcode for tokens, failed-check-httpcode for check-header",
    ),
    rule(
        "weak-signing-key",
        Error,
        "a key of fewer than 256 bits can be guessed",
        "use a longer one",
    ),
];
