//! The settings of a control plane, and of gateways that have one.

use super::{HOUR, Row, SECOND, row};
use crate::settings::value::{
    ALGORITHM, Expected, address, address_at, endpoint, flag, path_or_none, secret, span, url, word,
};

/// The settings of a control plane, and of gateways that have one.
pub(super) const ROWS: &[Row] = &[
    row!(
        "gateway.name",
        "",
        "Which gateway this is, if several share the configuration folder or a workload; a gateway token says it by itself.",
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
        "control.workloadToken.file",
        "",
        "Instead: file with the token of this workload, a JSON Web Token that somebody else keeps new.",
        control.workload_token.file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.clientCredentials.endpoint",
        "",
        "Instead: https:// address where this gateway gets tokens for itself, by OAuth 2.0.",
        control.client_credentials.endpoint = |text| url(text)
    ),
    row!(
        "control.clientCredentials.clientId",
        "",
        "Who it is there.",
        control.client_credentials.client_id = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "control.clientCredentials.secretFile",
        "",
        "File with the secret that proves it; read each time.",
        control.client_credentials.secret_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.clientCredentials.certificateFile",
        "",
        "Instead: PEM file of a certificate whose key proves it; read each time.",
        control.client_credentials.certificate_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.clientCredentials.keyFile",
        "",
        "PEM file of its private key.",
        control.client_credentials.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "control.clientCredentials.algorithm",
        "auto",
        "How the key signs: PS256, RS256, ES256, or auto for the best of them.",
        control.client_credentials.algorithm = |text| word(text, &ALGORITHM)
    ),
    row!(
        "control.clientCredentials.scope",
        "",
        "What the token is to be for, if the endpoint wants to know.",
        control.client_credentials.scope = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "control.clientCredentials.audience",
        "",
        "For whom it is to be, if the endpoint wants to know.",
        control.client_credentials.audience = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "control.clientCredentials.caFile",
        "",
        "PEM file of the authorities for the endpoint; those of the machine if not set.",
        control.client_credentials.ca_file = |text| Ok::<_, Expected>(path_or_none(text))
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
        "control.issuersFile",
        "",
        "weir control: file with the issuers whose tokens it takes from gateways; read again when it changes.",
        control.issuers_file = |text| Ok::<_, Expected>(path_or_none(text))
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
