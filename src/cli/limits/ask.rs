//! Asks the admin listener of a gateway.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::configuration::cluster::wish::ANSWER_TIME_MAX;
use crate::configuration::config::Secret;
use crate::configuration::source::Environment;
use crate::proxy::operators::OPERATOR;

/// How long a connection may take, and each silence after it.
const TIME_MAX: Duration = Duration::from_secs(10);
/// How long who is asked to do something may take: longer than it waits itself for a leader, which
/// it says then.
const DONE_TIME_MAX: Duration = ANSWER_TIME_MAX.saturating_add(Duration::from_secs(5));

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// The most fields of an answer.
const FIELDS_MAX: usize = 64;

/// Where a gateway listens for operators.
#[derive(Debug)]
pub(in crate::cli) struct Gateway {
    address: String,
}

/// What it answered.
#[derive(Debug)]
pub(in crate::cli) struct Asked {
    pub(in crate::cli) status: u16,
    pub(in crate::cli) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Unasked {
    /// Nobody listens, or not for long enough.
    #[error(
        "no gateway answers at {address}: {source}\nsay with --admin where it listens for \
         operators (its setting `listen.admin`)"
    )]
    Silent {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// It was asked, and says nothing.
    #[error(
        "{address} was asked, and does not answer within {} s: it may be done all the same. Look \
         with `weir status` before you try again",
        time_max.as_secs()
    )]
    Late {
        /// Where.
        address: String,
        /// How long it had.
        time_max: Duration,
    },
    /// Somebody answers, but no gateway of this version.
    #[error("what answers there is no admin listener of Weir, or one of another version")]
    Strange,
}

impl Gateway {
    /// At `host:port`, with `http://` in front or not.
    pub(in crate::cli) fn at(address: &str) -> Self {
        let bare = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
        Self { address: bare.to_owned() }
    }

    /// At the address that the settings have it listen on.
    pub(in crate::cli) fn of(address: SocketAddr) -> Self {
        let mut address = address;
        // Where it listens on every address, it listens here.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        Self { address: address.to_string() }
    }

    pub(in crate::cli) fn get(&self, target: &str) -> Result<Asked, Unasked> {
        self.get_within(target, TIME_MAX)
    }

    /// The same, but the connection may not take longer than `time_max`, nor a silence after it.
    pub(in crate::cli) fn get_within(
        &self,
        target: &str,
        time_max: Duration,
    ) -> Result<Asked, Unasked> {
        self.ask("GET", target, "", time_max)
    }

    pub(in crate::cli) fn post(&self, target: &str) -> Result<Asked, Unasked> {
        self.ask("POST", target, "", DONE_TIME_MAX)
    }

    /// Asks with a body of JSON.
    pub(in crate::cli) fn post_with(&self, target: &str, body: &str) -> Result<Asked, Unasked> {
        self.ask("POST", target, body, DONE_TIME_MAX)
    }

    fn ask(
        &self,
        method: &str,
        target: &str,
        body: &str,
        time_max: Duration,
    ) -> Result<Asked, Unasked> {
        let silent = |source| Unasked::Silent { address: self.address.clone(), source };
        let answer = match self.exchange((method, target, body), time_max) {
            Err(error) if is_late(&error) && method != "GET" => {
                return Err(Unasked::Late { address: self.address.clone(), time_max });
            }
            other => other.map_err(silent)?,
        };
        parsed(answer).ok_or(Unasked::Strange)
    }

    fn exchange(&self, asked: (&str, &str, &str), time_max: Duration) -> io::Result<Vec<u8>> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, time_max.min(TIME_MAX)) {
                Ok(stream) => return carry(&stream, asked, time_max),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whether nothing came in time from somebody who was connected.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock)
}

fn carry(
    mut stream: &TcpStream,
    (method, target, body): (&str, &str, &str),
    time_max: Duration,
) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(time_max))?;
    stream.set_write_timeout(Some(TIME_MAX))?;
    let version = env!("CARGO_PKG_VERSION");
    let operator = operator();
    // It is never asked by a name: a name could be somebody's who leads browsers here.
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: weir/{version}\r\n\
         {OPERATOR}: {operator}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Who runs this command, as the system says.
fn operator() -> String {
    let environment = Environment::of_process();
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    let name = names.iter().find_map(|name| environment.get(name).map(Secret::expose));
    name.unwrap_or("unknown").chars().filter(char::is_ascii_graphic).collect()
}

fn parsed(mut answer: Vec<u8>) -> Option<Asked> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(&answer).ok()? else { return None };
    let status = head.code?;
    let promised =
        head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let promised: usize = std::str::from_utf8(promised?.value).ok()?.parse().ok()?;
    let body = answer.split_off(length.min(answer.len()));
    (body.len() == promised).then_some(Asked { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_listens_everywhere_is_asked_here() {
        let at = |text: &str| Gateway::of(text.parse().unwrap()).address;
        assert_eq!(at("0.0.0.0:8082"), "127.0.0.1:8082");
        assert_eq!(at("[::]:8082"), "[::1]:8082");
        assert_eq!(at("10.0.0.7:1"), "10.0.0.7:1");
        assert_eq!(Gateway::at("http://pod-0:8082/").address, "pod-0:8082");
    }

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        let answer = |text: &str| parsed(text.as_bytes().to_vec()).map(|asked| asked.status);
        assert_eq!(answer("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab"), Some(404));
        for broken in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\n\r\nab",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "",
        ] {
            assert_eq!(answer(broken), None, "{broken}");
        }
    }
}
