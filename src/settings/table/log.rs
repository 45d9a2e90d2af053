//! The settings of where lines go beside standard output.

use super::{Row, row};
use crate::settings::log::{LocalLog, collector, datagrams, facility, socket};
use crate::settings::value::word;

/// What `log.local` can be; `auto` is what API Management's gateway takes for it where nothing is
/// set.
const LOCAL: [(&str, LocalLog); 6] = [
    ("none", LocalLog::None),
    ("localsyslog", LocalLog::LocalSyslog),
    ("rfc5424", LocalLog::Rfc5424),
    ("journal", LocalLog::Journal),
    ("json", LocalLog::Json),
    ("auto", LocalLog::None),
];

/// The settings of other outputs.
pub(super) const ROWS: &[Row] = &[
    row!(
        "log.local",
        "none",
        "Where lines go beside standard output: none, localsyslog, rfc5424, journal or json.",
        log.local = |text| word(text, &LOCAL)
    ),
    row!(
        "log.localSyslog.endpoint",
        "/dev/log",
        "The socket of the system's own syslog.",
        log.outputs.local_syslog.endpoint = |text| socket(text)
    ),
    row!(
        "log.localSyslog.facility",
        "3",
        "The facility there, 0 to 23.",
        log.outputs.local_syslog.facility = |text| facility(text)
    ),
    row!(
        "log.rfc5424.endpoint",
        "",
        "The collector of syslog: host:514 or udp://host:514 for datagrams, tcp://host:601 for a connection.",
        log.outputs.rfc5424.endpoint = |text| collector(text)
    ),
    row!(
        "log.rfc5424.facility",
        "3",
        "The facility there, 0 to 23.",
        log.outputs.rfc5424.facility = |text| facility(text)
    ),
    row!(
        "log.journal.endpoint",
        "/run/systemd/journal/socket",
        "The socket of the journal.",
        log.outputs.journal.endpoint = |text| socket(text)
    ),
    row!(
        "log.journal.facility",
        "3",
        "The facility there, 0 to 23.",
        log.outputs.journal.facility = |text| facility(text)
    ),
    row!(
        "log.json.endpoint",
        "127.0.0.1:8888",
        "The collector of JSON, an object a datagram: host:port, or the path of a socket.",
        log.outputs.json.endpoint = |text| datagrams(text)
    ),
];
