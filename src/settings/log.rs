//! What is logged, how, and where lines go beside standard output, as it is set.

use crate::telemetry::local::{Endpoint, Facility, Form, Target};

/// What to log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// In which form.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
    /// Whether in colours.
    pub color: LogColor,
    /// Which requests.
    pub access: AccessLog,
    /// Where lines go beside standard output.
    pub local: LocalLog,
    /// How that is reached.
    pub outputs: LogOutputs,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// None at all.
    None,
}

/// What is worth logging; each level includes those after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// Everything.
    All,
    /// What helps to find a fault in the gateway.
    Debug,
    /// What it does.
    Info,
    /// What may need a person.
    Warn,
    /// What went wrong.
    Error,
    /// What ends the process.
    Fatal,
}

/// Whether the log is in colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogColor {
    /// If it goes to a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those answered with 400 or more, or not at all.
    Errors,
    /// All.
    All,
}

/// The outputs that there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LocalLog {
    /// None.
    #[default]
    None,
    /// The system's own syslog.
    LocalSyslog,
    /// A collector of syslog.
    Rfc5424,
    /// The journal.
    Journal,
    /// A collector of JSON.
    Json,
}

/// How one of them is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogOutput {
    /// Where it listens.
    pub endpoint: Option<Endpoint>,
    /// What part of a system we say that we are.
    pub facility: Option<Facility>,
}

/// All of them, whichever is used.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogOutputs {
    /// The system's own syslog.
    pub local_syslog: LogOutput,
    /// A collector of syslog.
    pub rfc5424: LogOutput,
    /// The journal.
    pub journal: LogOutput,
    /// A collector of JSON.
    pub json: LogOutput,
}

impl LogOutputs {
    /// The output that is used, if it is said where it is.
    pub fn target(&self, used: LocalLog) -> Option<Target> {
        let (output, form): (_, fn(Facility) -> Form) = match used {
            LocalLog::None => return None,
            LocalLog::LocalSyslog => (&self.local_syslog, Form::LocalSyslog),
            LocalLog::Rfc5424 => (&self.rfc5424, Form::Rfc5424),
            LocalLog::Journal => (&self.journal, Form::Journal),
            LocalLog::Json => (&self.json, |_facility| Form::Json),
        };
        let facility = output.facility.or(Facility::new(0))?;
        Some(Target { form: form(facility), endpoint: output.endpoint.clone()? })
    }
}

/// The socket of a service of this machine.
pub(super) fn socket(text: &str) -> Result<Option<Endpoint>, String> {
    if text.starts_with('/') {
        Ok(Some(Endpoint::Path(text.into())))
    } else {
        Err("the path of a socket, such as /dev/log".to_owned())
    }
}

/// `host:514`, `udp://host:514`, `tcp://host:601`, or nothing.
pub(super) fn collector(text: &str) -> Result<Option<Endpoint>, String> {
    let expected = || "host:514 or udp://host:514 for datagrams, or tcp://host:601".to_owned();
    let (address, endpoint): (_, fn(String) -> Endpoint) =
        match (text.strip_prefix("udp://"), text.strip_prefix("tcp://")) {
            _ if text.is_empty() => return Ok(None),
            (Some(address), _) => (address, Endpoint::Udp),
            (None, Some(address)) => (address, Endpoint::Tcp),
            (None, None) => (text, Endpoint::Udp),
        };
    if is_address(address) { Ok(Some(endpoint(address.to_owned()))) } else { Err(expected()) }
}

/// `host:8888`, or the path of a socket.
pub(super) fn datagrams(text: &str) -> Result<Option<Endpoint>, String> {
    if text.starts_with('/') {
        return socket(text);
    }
    if is_address(text) {
        return Ok(Some(Endpoint::Udp(text.to_owned())));
    }
    Err("host:8888, or the path of a socket for datagrams".to_owned())
}

/// Whether it is a host, or an address in brackets, and a port.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = !host.is_empty() && host.bytes().all(is_right);
    let is_host = inner.map_or(is_name, |inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    is_host
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| 0 < port)
}

/// A number from 0 to 23.
pub(super) fn facility(text: &str) -> Result<Option<Facility>, String> {
    let number = text.parse::<u8>().ok().filter(|_number| !text.starts_with('+'));
    let expected = || {
        format!(
            "a number from 0 to {}, such as 1 for user, 3 for daemon or 16 for local0",
            Facility::MAX
        )
    };
    number.and_then(Facility::new).map(Some).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_strictly() {
        let udp = |text: &str| Ok(Some(Endpoint::Udp(text.to_owned())));
        assert_eq!(collector("collector:514"), udp("collector:514"));
        assert_eq!(collector("udp://[::1]:514"), udp("[::1]:514"));
        assert_eq!(collector("tcp://a.b:601"), Ok(Some(Endpoint::Tcp("a.b:601".to_owned()))));
        assert_eq!(collector(""), Ok(None));
        for wrong in
            ["collector", "https://a:1", "a:0", "a:65536", ":514", "a b:1", "::1:514", "a:+1"]
        {
            assert!(collector(wrong).is_err(), "{wrong}");
        }
        assert_eq!(datagrams("127.0.0.1:8888"), udp("127.0.0.1:8888"));
        assert_eq!(datagrams("/run/json"), Ok(Some(Endpoint::Path("/run/json".into()))));
        assert!(datagrams("").is_err() && socket("dev/log").is_err());
    }

    #[test]
    fn a_facility_is_one_of_syslog() {
        assert_eq!(facility("23").unwrap().unwrap().number(), 23);
        for wrong in ["24", "-1", "+1", "user", ""] {
            assert!(facility(wrong).is_err(), "{wrong}");
        }
    }
}
