//! The settings of a control plane, and of gateways that have one.

use super::{HOUR, Row, SECOND, row};
use crate::settings::value::{
    Expected, address, address_at, endpoint, flag, path_or_none, secret, span,
};

/// The settings of a control plane, and of gateways that have one.
pub(super) const ROWS: &[Row] = &[
    row!(
        "gateway.name",
        "",
        "Which gateway this is, if several share the configuration folder; a token says it by itself.",
        gateway.name = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "control.endpoint",
        "",
        "Control plane that configurations come from, instead of the folder: https://host:8443.",
        control.endpoint = |text| endpoint(text)
    ),
    row!(
        "control.token",
        "",
        "Token that this gateway shows the control plane.",
        control.token = |text| Ok::<_, Expected>(secret(text))
    ),
    row!(
        "control.tokenFile",
        "",
        "Instead: file with the token; read again when it changes.",
        control.token_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.caFile",
        "",
        "PEM file of the authorities for the control plane; those of the machine if not set.",
        control.ca_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.timeout",
        "10s",
        "How long a connection to the control plane, and each of its answers, may take.",
        control.timeout = |text| span(text, SECOND, HOUR)
    ),
    row!(
        "control.listen",
        "127.0.0.1:8443",
        "weir control: address for gateways; beyond this machine it needs a certificate.",
        control.listen = |text| address_at(text)
    ),
    row!(
        "control.certificateFile",
        "",
        "weir control: PEM file of its certificate, then its issuers; read again when it changes.",
        control.certificate_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.keyFile",
        "",
        "weir control: PEM file of its private key.",
        control.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.insecure",
        "false",
        "weir control: whether gateways on this machine are served without TLS.",
        control.insecure = |text| flag(text)
    ),
    row!(
        "control.keysFile",
        "",
        "weir control: file with the keys of gateways, as weir token writes it; read again when it changes.",
        control.keys_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.stateFolder",
        "",
        "weir control: folder of its own that outlives a restart, for its generations; /var/lib/weir/control if not set, none with etcd.",
        control.state_folder = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.admin",
        "127.0.0.1:8083",
        "weir control: address for probes and operators, or off.",
        control.admin = |text| address(text)
    ),
];
