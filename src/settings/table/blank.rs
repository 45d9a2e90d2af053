//! Settings in which nothing stands yet.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::settings::metrics::Metrics;
use crate::settings::{
    AccessLog, Backends, ClientCertificates, ClientCredentials, Cluster, Configuration, Control,
    Dapr, Drain, Etcd, Forwarded, ForwardedProto, Gateway, Identity, Inspector, KillSwitch,
    LastGood, Limits, Listen, LocalLog, Log, LogColor, LogFormat, LogLevel, LogOutputs, Redis,
    Replica, Settings, Telemetry, Timeouts, WorkloadToken,
};

/// Settings before the usual values are put in.
pub(super) fn blank() -> Settings {
    let none = Duration::ZERO;
    let (folder, last_good) = (std::path::PathBuf::new(), LastGood::default());
    Settings {
        configuration: Configuration { folder, poll_interval: none, last_good },
        kill_switch: KillSwitch::default(),
        identity: Identity::default(),
        inspector: Inspector::default(),
        listen: Listen {
            http: None,
            https: None,
            certificate_file: None,
            key_file: None,
            client_certificates: ClientCertificates::Off,
            client_authorities_file: None,
            h2c: false,
            admin: None,
        },
        threads: None,
        cluster: Cluster { shares_configuration: false, lease: none, rollout_hold: none },
        forwarded: Forwarded {
            trusted: Vec::new(),
            proto: ForwardedProto::Off,
            client_certificate: None,
        },
        limits: Limits::default(),
        timeouts: Timeouts { header: none, body: none, idle: none },
        drain: Drain { delay: none, deadline: none },
        log: Log {
            format: LogFormat::Text,
            level: LogLevel::Info,
            color: LogColor::Auto,
            access: AccessLog::Errors,
            local: LocalLog::None,
            outputs: LogOutputs::default(),
        },
        metrics: Metrics::default(),
        cache_bytes_max: 0,
        redis: Redis::default(),
        etcd: Etcd::default(),
        telemetry: Telemetry::default(),
        backends: Backends::default(),
        dapr: Dapr::default(),
        replica: Replica::default(),
        gateway: Gateway::default(),
        control: Control {
            endpoint: None,
            token: None,
            token_file: None,
            workload_token: WorkloadToken::default(),
            client_credentials: ClientCredentials::default(),
            ca_file: None,
            timeout: none,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate_file: None,
            key_file: None,
            insecure: false,
            keys_file: None,
            issuers_file: None,
            state_folder: None,
            admin: None,
        },
    }
}
