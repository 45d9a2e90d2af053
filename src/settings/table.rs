//! Every setting there is: name, usual value, meaning, reader. Help texts and documentation come
//! from here.

mod backends;
mod blank;
mod control;
mod dapr;
mod inspector;
mod log;
mod metrics;
mod shape;
mod shared;
mod telemetry;

use std::time::Duration;

use blank::blank;

pub use shape::Row;

use super::Settings;
use super::value::{
    ACCESS_LOG, CLIENT_CERTIFICATES, Expected, FORWARDED_PROTO, LOG_COLOR, LOG_FORMAT, LOG_LEVEL,
    address, bytes, bytes_or_off, count, field_or_none, flag, memory, networks, path, path_or_none,
    percent_or_off, span, threads, word,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const TENTH: Duration = Duration::from_millis(100);

/// Shortens a row: puts what `read` gives for the text where `place` says.
macro_rules! row {
    ($name:literal, $default:literal, $meaning:literal, $($field:ident).+ = |$text:ident| $read:expr) => {
        Row {
            name: $name,
            default: $default,
            meaning: $meaning,
            set: |settings, $text| $read.map(|value| settings.$($field).+ = value),
        }
    };
}
use row;

/// All settings, in the order in which they are explained.
pub const ROWS: &[Row] = &joined::<{ TOLD.len() + BESIDE.len() }>(TOLD, BESIDE);

/// Those of the gateway itself, and of what it tells.
const TOLD: &[Row] = &joined::<{ OWN.len() + metrics::ROWS.len() }>(OWN, metrics::ROWS);

/// Those of what there is beside requests.
const BESIDE: &[Row] = &joined::<{ inspector::ROWS.len() + SHARED.len() }>(inspector::ROWS, SHARED);

/// Those of what it has to do with others.
const SHARED: &[Row] = &joined::<{ shared::ROWS.len() + PLANES.len() }>(shared::ROWS, PLANES);

/// Those of whom it hears and tells.
const PLANES: &[Row] = &joined::<{ control::ROWS.len() + OTHERS.len() }>(control::ROWS, OTHERS);

/// Those of whom it asks and tells.
const OTHERS: &[Row] = &joined::<{ dapr::ROWS.len() + WATCHED.len() }>(dapr::ROWS, WATCHED);

/// Those of backends, and of who is told of them.
const WATCHED: &[Row] =
    &joined::<{ backends::ROWS.len() + telemetry::ROWS.len() }>(backends::ROWS, telemetry::ROWS);

/// Those of the gateway itself.
const OWN: &[Row] = &joined::<{ GATEWAY.len() + log::ROWS.len() }>(GATEWAY, log::ROWS);

/// Most of those.
const GATEWAY: &[Row] = &[
    row!(
        "configuration.folder",
        "/etc/weir/configuration",
        "The configuration folder.",
        configuration.folder = |text| path(text)
    ),
    row!(
        "configuration.pollInterval",
        "1s",
        "How often to look whether it changed.",
        configuration.poll_interval = |text| span(text, TENTH, HOUR)
    ),
    row!(
        "configuration.lastGood.folder",
        "",
        "Folder for sealed copies of configurations that have proved themselves, to start from without any other; none are kept if not set.",
        configuration.last_good.folder = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "configuration.lastGood.keyFile",
        "",
        "File with the secret that the copies are sealed with, 32 bytes or more; watched. If not set, the gateway's token is that secret.",
        configuration.last_good.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "configuration.lastGood.soak.time",
        "1m",
        "For how long a configuration is served at least before it is kept.",
        configuration.last_good.soak.time = |text| span(text, Duration::ZERO, HOUR)
    ),
    row!(
        "configuration.lastGood.soak.requests",
        "1000",
        "For how many requests at least.",
        configuration.last_good.soak.requests = |text| count(text, 0, 1_000_000_000)
    ),
    row!(
        "configuration.lastGood.soak.idle",
        "10m",
        "After how long fewer requests will do.",
        configuration.last_good.soak.idle = |text| span(text, Duration::ZERO, DAY)
    ),
    row!(
        "killSwitch.file",
        "",
        "File that names what must not run, whatever the configuration says; it need not exist, and is watched.",
        kill_switch.file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "identity.metadata",
        "off",
        "Address of the machine's metadata service, 169.254.169.254:80, if policies may get tokens of its managed identities there; or off.",
        identity.metadata = |text| address(text)
    ),
    row!(
        "listen.http",
        "0.0.0.0:8080",
        "Address for HTTP in the clear, or off.",
        listen.http = |text| address(text)
    ),
    row!(
        "listen.https",
        "off",
        "Address for HTTP over TLS, usually with port 8081, or off.",
        listen.https = |text| address(text)
    ),
    row!(
        "listen.certificateFile",
        "",
        "PEM file of the certificate for https, then its issuers.",
        listen.certificate_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "listen.keyFile",
        "",
        "PEM file of its private key.",
        listen.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "listen.clientCertificates",
        "off",
        "Whether clients of https are asked for a certificate: request, and policies judge it; or off.",
        listen.client_certificates = |text| word(text, &CLIENT_CERTIFICATES)
    ),
    row!(
        "listen.clientAuthoritiesFile",
        "",
        "PEM file of the authorities that vouch for certificates of clients, besides those of the machine and of the configuration; clients are told that theirs are wanted.",
        listen.client_authorities_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "listen.h2c",
        "false",
        "Whether listen.http also speaks HTTP/2 without TLS.",
        listen.h2c = |text| flag(text)
    ),
    row!(
        "listen.admin",
        "127.0.0.1:8082",
        "Address for probes and operators, or off.",
        listen.admin = |text| address(text)
    ),
    row!(
        "threads",
        "auto",
        "How many threads serve requests; auto is one a processor.",
        threads = |text| threads(text)
    ),
    row!(
        "forwarded.trusted",
        "",
        "Networks of the proxies whose X-Forwarded-For is believed.",
        forwarded.trusted = |text| networks(text)
    ),
    row!(
        "forwarded.proto",
        "off",
        "Whose X-Forwarded-Proto is believed: off, trusted or anyone.",
        forwarded.proto = |text| word(text, &FORWARDED_PROTO)
    ),
    row!(
        "forwarded.clientCertificate",
        "",
        "Field in which trusted proxies pass on the certificate that a client showed to them, such as X-ARR-ClientCert.",
        forwarded.client_certificate = |text| field_or_none(text)
    ),
    row!(
        "limits.connections",
        "10000",
        "Connections of clients at one time.",
        limits.connections_max = |text| count(text, 1, 1_000_000)
    ),
    row!(
        "limits.headerBytes",
        "32KiB",
        "All header fields of a request together.",
        limits.header_bytes_max = |text| memory(text, 1 << 10, 1 << 20)
    ),
    row!(
        "limits.headerCount",
        "100",
        "Header fields of a request.",
        limits.header_count_max = |text| count(text, 10, 1_000)
    ),
    row!(
        "limits.targetBytes",
        "8KiB",
        "The path and query of a request.",
        limits.target_bytes_max = |text| memory(text, 256, 64 << 10)
    ),
    row!(
        "limits.requestBodyBytes",
        "off",
        "The body of a request, or off for no limit.",
        limits.request_body_bytes_max = |text| bytes_or_off(text, 1, 1 << 40)
    ),
    row!(
        "limits.bufferedBodyBytes",
        "4MiB",
        "A body that a policy reads.",
        limits.buffered_body_bytes_max = |text| memory(text, 1 << 10, 1 << 30)
    ),
    row!(
        "limits.retryPercent",
        "20",
        "Of a hundred requests to a backend, how many `retry` may forward once more (and ten a second in any case), or off for no limit.",
        limits.retry_percent_max = |text| percent_or_off(text)
    ),
    row!(
        "timeouts.header",
        "10s",
        "Until the header of a request is whole.",
        timeouts.header = |text| span(text, TENTH, HOUR)
    ),
    row!(
        "timeouts.body",
        "60s",
        "Between two pieces of a request's body.",
        timeouts.body = |text| span(text, TENTH, HOUR)
    ),
    row!(
        "timeouts.idle",
        "75s",
        "Between two requests on a connection.",
        timeouts.idle = |text| span(text, SECOND, HOUR)
    ),
    row!(
        "drain.delay",
        "0s",
        "How long to go on as usual after saying that we are not ready.",
        drain.delay = |text| span(text, Duration::ZERO, HOUR)
    ),
    row!(
        "drain.deadline",
        "30s",
        "How long requests may take after that.",
        drain.deadline = |text| span(text, Duration::ZERO, HOUR)
    ),
    row!(
        "log.format",
        "text",
        "Form of the log: text, json or none.",
        log.format = |text| word(text, &LOG_FORMAT)
    ),
    row!(
        "log.level",
        "info",
        "From which level on: all, debug, info, warn, error or fatal.",
        log.level = |text| word(text, &LOG_LEVEL)
    ),
    row!(
        "log.color",
        "auto",
        "Whether in colours: auto, true or false.",
        log.color = |text| word(text, &LOG_COLOR)
    ),
    row!(
        "log.access",
        "errors",
        "Which requests are logged: off, errors or all.",
        log.access = |text| word(text, &ACCESS_LOG)
    ),
    row!(
        "cache.bytes",
        "64MiB",
        "How much the cache in memory may hold.",
        cache_bytes_max = |text| bytes(text, 0, 1 << 40)
    ),
];

/// Two lists one after the other, at compile time.
#[expect(clippy::indexing_slicing, reason = "it would not compile")]
const fn joined<const COUNT: usize>(first: &[Row], second: &[Row]) -> [Row; COUNT] {
    let mut all = [first[0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

impl Default for Settings {
    /// The usual values.
    fn default() -> Self {
        let mut settings = blank();
        for row in ROWS {
            // A test reads every usual value; none is refused.
            let _ = (row.set)(&mut settings, row.default);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_value_is_a_right_one() {
        for row in ROWS {
            assert_eq!((row.set)(&mut blank(), row.default), Ok(()), "{}", row.name);
        }
    }

    #[test]
    fn every_setting_has_one_name_in_three_spellings() {
        let row = ROWS.iter().find(|row| row.name == "limits.headerBytes").unwrap();
        assert_eq!(row.variable(), "WEIR_LIMITS_HEADER_BYTES");
        assert_eq!(row.flag(), "limits-header-bytes");
        let mut flags: Vec<String> = ROWS.iter().map(Row::flag).collect();
        flags.sort();
        flags.dedup();
        assert_eq!(flags.len(), ROWS.len());
    }
}
