//! What the process must know before it has a configuration: where to listen, what to allow, how
//! to log.
//!
//! Every setting has one name and can be written in three ways: `listen.http` in the settings
//! file (`listen:` and under it `http: …`), `WEIR_LISTEN_HTTP` in the environment, `--listen-http`
//! on the command line; a later way wins. Where APIM's self-hosted gateway has a setting of that
//! meaning, its dotted name in the environment works too. [`table`] lists them all.

pub mod value;
pub mod table;
pub mod apim;
mod control;
mod backends;
mod dapr;
mod gather;
mod inspector;
mod log;
pub mod metrics;
mod telemetry;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;

use crate::address::Network;
use crate::configuration::source::{Environment, Unreadable};
use crate::fault::{Fault, Sources};

use gather::Gathered;

pub use backends::{BackendTls, Backends, Protocols};
pub use control::{ClientCredentials, Control, WorkloadToken};
pub use dapr::{Dapr, Protocol as DaprProtocol};
pub use inspector::Inspector;
pub use log::{AccessLog, LocalLog, Log, LogColor, LogFormat, LogLevel, LogOutput, LogOutputs};
pub use telemetry::{Otlp, Protocol, Sampler, Telemetry, Traces};

/// The largest settings file, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// All settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where the configuration is.
    pub configuration: Configuration,
    /// What must not run, whatever the configuration says.
    pub kill_switch: KillSwitch,
    /// Who this gateway is to others, by its machine.
    pub identity: Identity,
    /// Who may see what a request goes through.
    pub inspector: Inspector,
    /// Where to listen.
    pub listen: Listen,
    /// How many threads serve requests; as many as there are processors if nothing is set.
    pub threads: Option<NonZeroUsize>,
    /// What to believe of `X-Forwarded-…`.
    pub forwarded: Forwarded,
    /// What is too much.
    pub limits: Limits,
    /// What is too long.
    pub timeouts: Timeouts,
    /// How to stop.
    pub drain: Drain,
    /// What to log.
    pub log: Log,
    /// What is measured, and who is told.
    pub metrics: metrics::Metrics,
    /// How much the cache in memory may hold, in bytes.
    pub cache_bytes_max: u64,
    /// What a collector of telemetry is told.
    pub telemetry: Telemetry,
    /// What holds for all backends.
    pub backends: Backends,
    /// Dapr's sidecar.
    pub dapr: Dapr,
    /// The Redis over which replicas share their limits.
    pub redis: Redis,
    /// The etcd that replicas share.
    pub etcd: Etcd,
    /// How replicas that share an etcd share their configuration.
    pub cluster: Cluster,
    /// Who this replica is.
    pub replica: Replica,
    /// Which gateway this is.
    pub gateway: Gateway,
    /// The control plane: where it is for a gateway, and how it serves gateways.
    pub control: Control,
}

/// Who this gateway is to others, by its machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// The metadata service that gives tokens to whoever runs on the machine, if it may be asked.
    pub metadata: Option<SocketAddr>,
}

/// Which gateway this is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gateway {
    /// Its name among those that share a configuration folder; empty: all of the folder is its own.
    pub name: String,
}

/// How replicas that share an etcd share their configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cluster {
    /// Whether they do: one of them refreshes for all.
    pub shares_configuration: bool,
    /// How long a replica that is silent counts as alive.
    pub lease: Duration,
    /// How long a configuration has to hold on a tenth of them before the others serve it.
    pub rollout_hold: Duration,
}

/// The Redis over which replicas share their limits. Without a place of any kind there is none,
/// and limits hold for this process alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Redis {
    /// `redis://host:port` of one server, or of a name that leads to the primary; empty for none.
    pub url: String,
    /// `host:port` of some nodes of a cluster.
    pub cluster: Vec<String>,
    /// `host:port` of sentinels.
    pub sentinels: Vec<String>,
    /// What the sentinels call the primary.
    pub primary: String,
    /// The user; empty for `default`.
    pub user: String,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// Whether to speak TLS; an address `rediss://` says so too.
    pub tls: bool,
    /// PEM file of the authorities that servers are judged by; those of the machine if not set.
    pub ca_file: Option<PathBuf>,
    /// PEM file of our own certificate; set whenever `key_file` is.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key; set whenever `certificate_file` is.
    pub key_file: Option<PathBuf>,
    /// What all keys begin with.
    pub prefix: String,
}

/// The etcd that replicas share. Without endpoints there is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Etcd {
    /// `http://host:port` or `https://host:port` of each member.
    pub endpoints: Vec<String>,
    /// The user; empty for nobody in particular, or whom the certificate names.
    pub user: String,
    /// A file with the password; set whenever `user` is.
    pub password_file: Option<PathBuf>,
    /// PEM file of the authorities that members are judged by; those of the machine if not set.
    pub ca_file: Option<PathBuf>,
    /// PEM file of our own certificate; set whenever `key_file` is.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key; set whenever `certificate_file` is.
    pub key_file: Option<PathBuf>,
    /// What all keys begin with.
    pub prefix: String,
}

/// Who this replica is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replica {
    /// Its name, the same after a restart; empty for that of the host.
    pub name: String,
    /// How many replicas there are, about.
    pub expected: usize,
    /// A folder of its own that outlives a restart, for what is not yet reported to Redis.
    pub journal_folder: Option<PathBuf>,
}

/// Where the configuration is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// The folder.
    pub folder: PathBuf,
    /// How often to look whether it changed.
    pub poll_interval: Duration,
    /// Copies of configurations that have proved themselves.
    pub last_good: LastGood,
}

/// Copies of configurations that have proved themselves, for a start without any other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LastGood {
    /// Where they are kept; they are not without it.
    pub folder: Option<PathBuf>,
    /// A file with the secret that they are sealed with.
    pub key_file: Option<PathBuf>,
    /// What a configuration has to bear before it is kept.
    pub soak: Soak,
}

/// What a configuration has to bear before it is kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Soak {
    /// For how long at least.
    pub time: Duration,
    /// How many requests at least.
    pub requests: usize,
    /// After how long fewer requests will do.
    pub idle: Duration,
}

/// What must not run, whatever the configuration says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KillSwitch {
    /// The file that says so; it need not exist.
    pub file: Option<PathBuf>,
}

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// For HTTP in the clear.
    pub http: Option<SocketAddr>,
    /// For HTTP over TLS.
    pub https: Option<SocketAddr>,
    /// PEM file of the certificate for host names without one of their own, then its issuers;
    /// set whenever `https` is.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key; set whenever `https` is.
    pub key_file: Option<PathBuf>,
    /// Whether clients of `https` are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// PEM file of the authorities whose certificates are wanted, and who vouch for them.
    pub client_authorities_file: Option<PathBuf>,
    /// Whether `http` also speaks HTTP/2 to clients that begin with it.
    pub h2c: bool,
    /// For probes and operators.
    pub admin: Option<SocketAddr>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientCertificates {
    /// They are not.
    Off,
    /// They may show one, which policies judge.
    Request,
}

/// What to believe of `X-Forwarded-…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarded {
    /// The proxies whose `X-Forwarded-For` names the client.
    pub trusted: Vec<Network>,
    /// Whose `X-Forwarded-Proto` names the scheme.
    pub proto: ForwardedProto,
    /// The field in which trusted proxies pass on the certificate of the client.
    pub client_certificate: Option<HeaderName>,
}

/// Whose `X-Forwarded-Proto` names the scheme.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForwardedProto {
    /// Nobody's.
    Off,
    /// That of trusted proxies.
    Trusted,
    /// Anybody's: what APIM's `net.server.http.forwarded.proto.enabled` means.
    Anyone,
}

/// What is too much.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Connections of clients at one time.
    pub connections_max: usize,
    /// All header fields of a request together, in bytes.
    pub header_bytes_max: usize,
    /// Header fields of a request.
    pub header_count_max: usize,
    /// The target of a request, in bytes.
    pub target_bytes_max: usize,
    /// The body of a request, in bytes; as long as it likes if nothing is set.
    pub request_body_bytes_max: Option<u64>,
    /// A body of either direction that a policy reads, in bytes.
    pub buffered_body_bytes_max: usize,
    /// Of a hundred requests to a backend, how many may be forwarded once more; all if nothing is set.
    pub retry_percent_max: Option<u32>,
}

/// What is too long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// From the first byte of a request until its header is whole.
    pub header: Duration,
    /// Between two pieces of a request's body.
    pub body: Duration,
    /// Between two requests on a connection.
    pub idle: Duration,
}

/// How to stop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drain {
    /// How long to go on as usual after saying that we are not ready.
    pub delay: Duration,
    /// How long requests may take after that.
    pub deadline: Duration,
}

/// What came of loading the settings.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, or all that is wrong with them.
    pub settings: Result<Settings, Vec<Fault>>,
    /// The texts that the faults point into.
    pub sources: Sources,
    /// What was set and has no effect, and why: worth a line in the log.
    pub ignored: Vec<Ignored>,
}

/// Something that was set and has no effect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ignored {
    /// The name as it was written.
    pub name: String,
    /// Why it has no effect.
    pub reason: &'static str,
}

/// The flag that names the settings file.
pub const FILE_FLAG: &str = "settings";
/// The variable that names it.
pub const FILE_VARIABLE: &str = "WEIR_SETTINGS";

/// Loads the settings. `flags` are names without dashes in front (`listen-http`) with values. The
/// settings file is the one that the flag `settings` or the variable `WEIR_SETTINGS` names;
/// `read` reads it, at most so many bytes.
pub fn load(
    flags: &[(String, String)],
    environment: &Environment,
    read: impl Fn(&Path, usize) -> Result<String, Unreadable>,
) -> Loaded {
    let mut gathered = Gathered::default();
    gathered.environment(environment);
    gathered.flags(flags);
    gathered.file(|path| read(path, FILE_BYTES_MAX));
    let settings = gathered.settings();
    let Gathered { mut faults, sources, ignored, .. } = gathered;
    faults.sort();
    let settings = if faults.is_empty() { Ok(settings) } else { Err(faults) };
    Loaded { settings, sources, ignored }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::render;
    use crate::rpc::dial::Address;
    use crate::secret::Secret;
    use crate::telemetry::local::{Endpoint, Facility, Form, Target};
    use crate::telemetry::statsd::line::Tags;

    fn loaded(flags: &[(&str, &str)], variables: &[(&str, &str)], file: &str) -> Loaded {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let flags: Vec<_> = flags.iter().map(owned).collect();
        let environment = variables.iter().copied().collect();
        load(&flags, &environment, |_, _| Ok(file.to_owned()))
    }

    fn faults(loaded: &Loaded) -> String {
        let faults = loaded.settings.as_ref().unwrap_err();
        faults.iter().map(|fault| render(fault, &loaded.sources)).collect()
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_file() {
        let file = "limits:\n  headerBytes: 1KiB\n  headerCount: 11\n  connections: 12\n";
        let variables = [
            ("WEIR_SETTINGS", "weir.yaml"),
            ("WEIR_LIMITS_HEADER_COUNT", "21"),
            ("WEIR_LIMITS_CONNECTIONS", "22"),
        ];
        let loaded = loaded(&[("limits-connections", "32")], &variables, file);
        let limits = loaded.settings.unwrap().limits;
        assert_eq!(limits.header_bytes_max, 1 << 10);
        assert_eq!((limits.header_count_max, limits.connections_max), (21, 32));
    }

    #[test]
    fn the_names_of_apim_work_with_dots_and_underscores() {
        let variables = [
            ("net.server.http.forwarded.proto.enabled", "true"),
            ("telemetry.logs.std", "json"),
            ("TELEMETRY_LOGS_STD_LEVEL", "Warn"),
            ("telemetry.logs.std.color", "false"),
            ("telemetry.logs.local", "rfc5424"),
            ("telemetry.logs.localConfig.rfc5424.endpoint", "10.0.0.1:514"),
            ("TELEMETRY_LOGS_LOCAL_RFC5424_FACILITY", "7"),
            ("neighborhood.host", "weir-peers"),
            ("runtime.deployment.mechanism", "Helm"),
            ("telemetry.metrics.cloud", "false"),
        ];
        let loaded = loaded(&[], &variables, "");
        let settings = loaded.settings.unwrap();
        assert_eq!(settings.forwarded.proto, ForwardedProto::Anyone);
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!((settings.log.level, settings.log.color), (LogLevel::Warn, LogColor::Never));
        let target = settings.log.outputs.target(settings.log.local);
        let (form, endpoint) = (Form::Rfc5424(Facility::new(7).unwrap()), "10.0.0.1:514");
        assert_eq!(target, Some(Target { form, endpoint: Endpoint::Udp(endpoint.to_owned()) }));
        let ignored: Vec<&str> = loaded.ignored.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(ignored, ["neighborhood.host", "runtime.deployment.mechanism"]);
    }

    #[test]
    fn the_names_of_apim_for_metrics_work_those_of_old_pages_too() {
        let variables = [
            ("telemetry.metrics.local", "statsd"),
            ("telemetry.metrics.localstatsd.endpoint", "udp://statsd:8125"),
            ("telemetry.metrics.local.statsd.sampling", "0.5"),
            ("telemetry.metrics.local.statsd.tag-format", "ibrato"),
            ("observability.opentelemetry.histogram.buckets", "5,10,25"),
        ];
        let metrics = loaded(&[], &variables, "").settings.unwrap().metrics;
        assert_eq!(metrics.duration_buckets[..], [5_000, 10_000, 25_000]);
        let statsd = metrics.statsd;
        assert_eq!((statsd.endpoint.as_str(), statsd.sampling), ("statsd:8125", 500_000));
        assert_eq!(statsd.tags, Tags::Librato);
        let nowhere = faults(&loaded(&[], &variables[..1], ""));
        assert!(nowhere.contains("there is no StatsD server to send metrics to"), "{nowhere}");
        assert!(nowhere.contains("set metrics.statsd.endpoint to host:port"), "{nowhere}");
    }

    #[test]
    fn a_sidecar_is_found_as_dapr_says_and_as_we_say() {
        let port = ("DAPR_HTTP_PORT", "3600");
        let endpoint = ("DAPR_HTTP_ENDPOINT", "https://dapr.example:3601");
        let own = ("WEIR_DAPR_ENDPOINT", "http://10.0.0.1:3602");
        let token = ("DAPR_API_TOKEN", "t0ken");
        for (variables, base) in [
            (&[][..], "http://127.0.0.1:3500"),
            (&[port], "http://127.0.0.1:3600"),
            (&[port, endpoint], "https://dapr.example:3601"),
            (&[port, endpoint, own], "http://10.0.0.1:3602"),
        ] {
            let dapr = loaded(&[], variables, "").settings.unwrap().dapr;
            assert_eq!(dapr.sidecar().backend().base.to_string(), base);
        }
        let port = ("DAPR_GRPC_PORT", "50002");
        for (variables, calls) in [
            (&[][..], "http://127.0.0.1:50001"),
            (&[port], "http://127.0.0.1:50002"),
            (&[port, ("DAPR_GRPC_ENDPOINT", "dapr.example:1?tls=true")], "https://dapr.example:1"),
            (&[("WEIR_DAPR_GRPC_ENDPOINT", "unix:///run/g.socket"), port], "unix:///run/g.socket"),
        ] {
            let dapr = loaded(&[], variables, "").settings.unwrap().dapr;
            let calls_at = dapr.sidecar().backend().calls.as_ref().map(ToString::to_string);
            assert_eq!(calls_at.as_deref(), Some(calls));
        }
        let dapr = loaded(&[], &[token], "").settings.unwrap().dapr;
        assert_eq!(dapr.token.as_ref().map(Secret::expose), Some("t0ken"));
        for (name, value, part) in [
            ("DAPR_HTTP_PORT", "tcp", "the port is not a number"),
            ("WEIR_DAPR_ENDPOINT", "unix://run/dapr.sock", "the path of a socket is absolute"),
            ("DAPR_GRPC_PORT", "none", "the port is not a number"),
            ("DAPR_GRPC_ENDPOINT", "dapr.example:1/v1", "a sidecar has no path"),
            ("WEIR_DAPR_ENDPOINT", "http://a/v1.0", "a sidecar has no path"),
            ("WEIR_DAPR_PROTOCOL", "grpc", "write one of `http`"),
            ("DAPR_API_TOKEN", "t\u{e9}ken", "the token has a character that no field can have"),
        ] {
            let told = faults(&loaded(&[], &[(name, value)], ""));
            assert!(told.contains(part) && !told.contains("ken`"), "{told}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let file = "listen:\n  http: 8080\n  htps: off\nlog: {level: [a]}\nfoo: 1\n";
        let variables = [
            ("WEIR_SETTINGS", "weir.yaml"),
            ("WEIR_LISTEN_HTP", "secret"),
            ("config.service.auth.azureAd.clientSecret", "secret"),
            ("k8s.ingress.enabled", "true"),
            ("telemetry.log.std", "text"),
        ];
        let loaded = loaded(&[("thread", "2"), ("cache-bytes", "1MB")], &variables, file);
        let told = faults(&loaded);
        assert!(!told.contains("secret"), "{told}");
        let expected = include_str!("../tests/corpus/config/settings.txt");
        assert_eq!(told, expected, "{told}");
    }

    #[test]
    fn api_management_is_no_control_plane() {
        let told = |endpoint: &str| {
            let variables = [("config.service.endpoint", endpoint), ("WEIR_CONTROL_TOKEN", "")];
            faults(&loaded(&[], &variables, ""))
        };
        let refused = "this is API Management's own";
        for host in ["edge.configuration.azure-api.net", "https://edge.management.Azure.cn:443"] {
            assert!(told(host).contains(refused), "{}", told(host));
        }
        // Without a token there is something else to say.
        let ours = told("control.example:8443");
        assert!(ours.contains("who the gateway is") && !ours.contains(refused), "{ours}");
    }

    #[test]
    fn the_short_flag_of_the_folder_is_a_flag_too() {
        let short = loaded(&[("config", "a")], &[], "").settings.unwrap();
        assert_eq!(short.configuration.folder, Path::new("a"));
        for (typed, meant) in [("confg", "--config"), ("setings", "--settings")] {
            let told = faults(&loaded(&[(typed, "a")], &[], ""));
            assert!(told.contains(&format!("did you mean `{meant}`?")), "{told}");
        }
        let told = faults(&loaded(&[("zzzzzz", "a")], &[], ""));
        assert!(told.contains("`weir run --help-settings` lists all settings"), "{told}");
    }

    #[test]
    fn a_gateway_of_apim_finds_its_control_plane_and_shows_its_token() {
        let variables = [
            ("config.service.endpoint", "weir.example"),
            ("config.service.auth", "GatewayKey Berlin&202612011200&aB+/="),
            ("gateway.name", "Berlin"),
        ];
        let settings = loaded(&[], &variables, "").settings.unwrap();
        assert_eq!(settings.control.endpoint, Address::parse("https://weir.example").ok());
        let token = settings.control.token.as_ref().map(Secret::expose);
        assert_eq!(token, Some("GatewayKey Berlin&202612011200&aB+/="));
        assert_eq!(settings.gateway.name, "Berlin");
        let variables = [
            ("config.service.endpoint", "weir.example"),
            ("config.service.auth", "key"),
            ("config.service.auth.key", "GatewayKey a&1&b"),
        ];
        assert!(loaded(&[], &variables, "").settings.unwrap().control.token.is_some());
    }

    #[test]
    fn no_token_is_shown_whatever_is_wrong_with_it() {
        let file = "control:\n  token: [secret, secret]\n  tokenFile: a\n";
        let variables = [("WEIR_SETTINGS", "weir.yaml"), ("WEIR_CONTROL_TOKEN", "secret")];
        let flags = [("control-token", "secret"), ("control-token-file", "b")];
        let told = faults(&loaded(&flags, &variables, file));
        assert!(told.contains("control.tokenFile") && !told.contains("secret"), "{told}");
        let variables = [("config.service.auth", "workloadIdentity secret")];
        let told = faults(&loaded(&[], &variables, ""));
        assert!(told.contains("config.service.auth") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn settings_must_fit_each_other() {
        for (flags, part) in [
            (vec![("listen-https", "0.0.0.0:8081")], "needs a certificate"),
            (vec![("listen-http", "off")], "listens nowhere"),
            (vec![("listen-admin", "0.0.0.0:8080")], "the same address"),
            (vec![("forwarded-proto", "trusted")], "no proxy is trusted"),
            (vec![("configuration-last-good-folder", "a")], "need a key"),
            (vec![("control-endpoint", "https://a")], "asks who the gateway is"),
            (vec![("control-token-file", "a")], "no control plane"),
            (vec![("control-certificate-file", "a")], "go together"),
            (vec![("control-endpoint", "http://a")], "in the clear"),
            (
                vec![
                    ("backends-tls-protocols-tls12", "false"),
                    ("backends-tls-protocols-tls11", "true"),
                ],
                "no span",
            ),
            (
                vec![
                    ("backends-tls-ciphers", "AES128-SHA"),
                    ("backends-tls-protocols-tls12", "false"),
                ],
                "speaks them",
            ),
            (vec![("backends-tls-revocation", "required")], "no list"),
            (vec![("backends-tls-revocation-files", "a.crl")], "nobody asks"),
        ] {
            let told = faults(&loaded(&flags, &[], ""));
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_gateway_says_in_one_way_who_it_is() {
        let endpoint = ("control-endpoint", "https://a");
        let client = [
            endpoint,
            ("control-client-credentials-endpoint", "https://a/token"),
            ("control-client-credentials-client-id", "c"),
        ];
        let set = |more: &[(&'static str, &'static str)]| [&client, more].concat();
        let secret = ("control-client-credentials-secret-file", "s");
        let certificate = ("control-client-credentials-certificate-file", "c");
        let key = ("control-client-credentials-key-file", "k");
        let algorithm = ("control-client-credentials-algorithm", "ES256");
        for flags in [
            vec![endpoint, ("control-workload-token-file", "t"), ("gateway-name", "a")],
            set(&[secret]),
            set(&[certificate, key, algorithm]),
        ] {
            assert!(loaded(&flags, &[], "").settings.is_ok(), "{flags:?}");
        }
        for (flags, part) in [
            (set(&[]), "the endpoint asks for a proof"),
            (set(&[secret, certificate, key]), "a secret and a certificate are both set"),
            (set(&[secret, algorithm]), "a secret does not sign"),
            (set(&[certificate]), "a certificate needs its key"),
            (set(&[key]), "a key needs its certificate"),
            (set(&[secret, ("control-token-file", "t")]), "are both set"),
            (vec![endpoint, secret], "nothing says where this gateway gets its tokens"),
            (vec![endpoint, client[1], secret], "asks which client this is"),
            (vec![("control-workload-token-file", "t")], "no control plane to show it to"),
            (set(&[secret, ("control-client-credentials-endpoint", "http://a")]), "https://"),
            (
                vec![
                    endpoint,
                    ("control-workload-token-file", "t"),
                    ("configuration-last-good-folder", "f"),
                ],
                "need a key",
            ),
        ] {
            let told = faults(&loaded(&flags, &[], ""));
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_named_weir_is_not_ours() {
        let variables = [
            ("WEIR_SERVICE_HOST", "10.0.0.1"),
            ("WEIR_SERVICE_PORT", "80"),
            ("WEIR_SERVICE_PORT_HTTP", "80"),
            ("WEIR_PORT", "tcp://10.0.0.1:80"),
            ("WEIR_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("WEIR_PORT_80_TCP_PROTO", "tcp"),
            ("WEIR_ADMIN_PORT_8082_TCP_ADDR", "10.0.0.2"),
        ];
        assert_eq!(loaded(&[], &variables, "").settings, Ok(Settings::default()));
    }

    #[test]
    fn the_sample_settings_are_the_usual_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/weir.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let sample = Settings {
            configuration: Configuration {
                folder: PathBuf::from("config/sample"),
                ..Settings::default().configuration
            },
            ..Settings::default()
        };
        let loaded = loaded(&[], &[("WEIR_SETTINGS", path)], &text);
        assert_eq!(loaded.settings, Ok(sample));
        for row in table::ROWS {
            let key = row.name.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("{key}:")), "{} is not explained", row.name);
        }
    }
}
