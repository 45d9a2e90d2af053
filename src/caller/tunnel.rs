//! Connections by way of a forward proxy: it is dialled, and asked to connect us with the backend
//! (`CONNECT`, RFC 9110 §9.3.6).
//!
//! What a proxy says is not trusted: its answer is bounded in bytes and in time, and nothing may
//! stand behind it, because nobody has spoken to the backend yet. What it says in words is not told
//! to anybody; its status is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::protocols::l4::stream::Stream;
use pingora::{Error, ErrorType};
use tokio::net::TcpStream;

use crate::backend::CONNECT_TIMEOUT;
use crate::backend::proxy::ForwardProxy;
use crate::caller::connection::{Connection, ReadError};
use crate::caller::destination::{Through, Way};
use crate::caller::wire::Wire;

/// How many heads may come before that of the answer to `CONNECT`.
const INFORMATIONAL_MAX: usize = 8;

/// Why a proxy is no way to the backend. It names the proxy, and never what it is shown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the proxy `{proxy}` {why}")]
pub struct ProxyError {
    /// The URL of the proxy.
    proxy: String,
    why: Why,
}

/// What is wrong with a proxy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Why {
    #[error("{}", refusal(*.0))]
    Unconnected(io::ErrorKind),
    #[error("did not connect the gateway with `{0}` within {1:?}")]
    Late(String, Duration),
    #[error("did not connect the gateway with `{place}`: it answered {status}{}", hint(*status))]
    Refused { place: String, status: StatusCode },
    #[error("answered the request itself, with {status}{}", hint(*status))]
    Answered { status: StatusCode },
    #[error("closed the connection instead of connecting the gateway with `{0}`")]
    Closed(String),
    #[error("gave no valid answer to CONNECT: {0}")]
    Invalid(&'static str),
}

const fn refusal(kind: io::ErrorKind) -> &'static str {
    if matches!(kind, io::ErrorKind::ConnectionRefused) {
        "refused the connection"
    } else if matches!(kind, io::ErrorKind::TimedOut) {
        "did not accept the connection in time"
    } else {
        "cannot be reached"
    }
}

fn hint(status: StatusCode) -> &'static str {
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        ": it wants credentials, or others than it is shown"
    } else {
        ""
    }
}

/// Dials a proxy, and asks it for a tunnel where one is wanted.
#[derive(Debug)]
pub(super) struct Dial(Arc<Through>);

impl Dial {
    /// By way of `through`.
    pub(super) const fn new(through: Arc<Through>) -> Self {
        Self(through)
    }

    /// Connects with the proxy at `address`, and through it where that is wanted; there is `within`
    /// for all of it.
    pub(super) async fn dial(
        &self,
        address: SocketAddr,
        within: Duration,
    ) -> Result<TcpStream, ProxyError> {
        let dialled = tokio::time::timeout(within, self.dialled(address)).await;
        let late = |_elapsed| match self.0.way {
            Way::Tunnel => Err(Why::Late(self.0.place.clone(), within)),
            Way::Relay => Err(Why::Unconnected(io::ErrorKind::TimedOut)),
        };
        dialled
            .unwrap_or_else(late)
            .map_err(|why| ProxyError { proxy: self.0.proxy.to_string(), why })
    }

    async fn dialled(&self, address: SocketAddr) -> Result<TcpStream, Why> {
        let tcp = TcpStream::connect(address).await;
        let tcp = tcp.map_err(|error| Why::Unconnected(error.kind()))?;
        // Only slower without it.
        let _ = tcp.set_nodelay(true);
        match self.0.way {
            Way::Relay => Ok(tcp),
            Way::Tunnel => self.tunnel(tcp).await,
        }
    }

    async fn tunnel(&self, tcp: TcpStream) -> Result<TcpStream, Why> {
        let mut connection = Connection::new(Wire::Plain(tcp));
        let broken = |_error| Why::Closed(self.0.place.clone());
        connection.write(&connect(&self.0)).await.map_err(broken)?;
        for _ in 0..=INFORMATIONAL_MAX {
            let status = match connection.head().await {
                Ok(head) => head.message.status,
                Err(ReadError::Invalid(what)) => return Err(Why::Invalid(what)),
                Err(ReadError::Closed | ReadError::Broken(_)) => {
                    return Err(Why::Closed(self.0.place.clone()));
                }
            };
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            if !status.is_success() {
                return Err(Why::Refused { place: self.0.place.clone(), status });
            }
            // A length that it says there counts for nothing (RFC 9110 §9.3.6).
            let ahead = "it spoke for the backend before anybody asked";
            return connection.untouched().ok_or(Why::Invalid(ahead));
        }
        Err(Why::Invalid("it has too many informational responses"))
    }
}

/// The request for a tunnel.
fn connect(through: &Through) -> Vec<u8> {
    let Through { proxy, place, .. } = through;
    let mut wire = format!(
        "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: weir/{}\r\n",
        env!("CARGO_PKG_VERSION"),
    );
    if let Some(authorization) = &proxy.authorization {
        wire.extend(["Proxy-Authorization: ", authorization.expose(), "\r\n"]);
    }
    wire.push_str("\r\n");
    wire.into_bytes()
}

/// The same for Pingora, with its cause for whoever tells of it.
pub(super) fn told<T>(error: ProxyError) -> pingora::Result<T> {
    let told = error.to_string();
    Error::e_because(ErrorType::ConnectProxyFailure, told, error)
}

impl ProxyError {
    /// What the proxy that sends requests on has against one of them: only proxies answer 407.
    pub fn of_relay(proxy: &ForwardProxy, status: StatusCode) -> Option<Self> {
        let is_refused = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        is_refused.then(|| Self { proxy: proxy.to_string(), why: Why::Answered { status } })
    }

    /// What a proxy had to do with an error of Pingora's.
    pub fn within(error: &Error) -> Option<&Self> {
        error.root_cause().downcast_ref()
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, address: &PeerAddress) -> pingora::Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::ConnectError, "a proxy has an address");
        };
        match self.dial(*address, CONNECT_TIMEOUT).await {
            Ok(tcp) => Ok(Stream::from(tcp)),
            Err(error) => told(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::backend::proxy::ForwardProxy;
    use crate::caller::destination::Destination;

    fn through(way: Way, password: Option<&str>, place: &str) -> Dial {
        let mut proxy = ForwardProxy::parse("http://proxy.example:3128").unwrap();
        if let Some(password) = password {
            proxy = proxy.with_basic("ann", password).unwrap();
        }
        Dial::new(Arc::new(Through { proxy: Arc::new(proxy), place: place.to_owned(), way }))
    }

    /// What comes of a proxy that says this, and what it was asked.
    async fn asked(said: &[u8], is_closed: bool) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = async {
            let (mut stream, _from) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
            // Who does not like it has gone.
            let _ = stream.write_all(said).await;
            if !is_closed {
                let _ = stream.read_u8().await;
            }
            String::from_utf8(heard).unwrap()
        };
        let dial = through(Way::Tunnel, Some("secret"), "backend.example:443");
        let dialled = async {
            let dialled = dial.dial(address, Duration::from_millis(500)).await;
            dialled.map(drop).map_err(|error| error.to_string())
        };
        tokio::join!(dialled, proxy)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_the_backend_by_its_name() {
        let (dialled, heard) =
            asked(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nX: y\r\n\r\n", false).await;
        assert_eq!(dialled, Ok(()));
        let expected = format!(
            "CONNECT backend.example:443 HTTP/1.1\r\nHost: backend.example:443\r\n\
             User-Agent: weir/{}\r\nProxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn a_proxy_that_does_something_else_is_told_of() {
        let head = |text: &str| format!("HTTP/1.1 {text}\r\n\r\n").into_bytes();
        let long = ["HTTP/1.1 200 OK\r\nX: ", &"y".repeat(80 << 10)].concat();
        let backend = "`backend.example:443`";
        for (said, is_closed, wanted) in [
            (
                head("407 \x1b[31mgive me\r\nProxy-Authenticate: Basic"),
                false,
                "gave no valid answer to CONNECT: its status is malformed".to_owned(),
            ),
            (
                head("407 Hush\r\nProxy-Authenticate: Basic"),
                false,
                format!(
                    "did not connect the gateway with {backend}: it answered 407 Proxy \
                     Authentication Required: it wants credentials, or others than it is shown"
                ),
            ),
            (
                head("502 Whatever"),
                false,
                format!("did not connect the gateway with {backend}: it answered 502 Bad Gateway"),
            ),
            (
                head("101 Switching Protocols"),
                false,
                format!(
                    "did not connect the gateway with {backend}: it answered 101 Switching \
                     Protocols"
                ),
            ),
            (
                b"SSH-2.0-nobody\r\n".to_vec(),
                false,
                "gave no valid answer to CONNECT: it is not HTTP/1".to_owned(),
            ),
            (
                b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_vec(),
                false,
                "gave no valid answer to CONNECT: it spoke for the backend before anybody asked"
                    .to_owned(),
            ),
            (
                long.into_bytes(),
                false,
                "gave no valid answer to CONNECT: its head is too large".to_owned(),
            ),
            (
                head("100 Continue").repeat(20),
                false,
                "gave no valid answer to CONNECT: it has too many informational responses"
                    .to_owned(),
            ),
            (
                Vec::new(),
                true,
                format!("closed the connection instead of connecting the gateway with {backend}"),
            ),
            (
                b"HTTP/1.1 200 O".to_vec(),
                false,
                format!("did not connect the gateway with {backend} within 500ms"),
            ),
        ] {
            let (dialled, _heard) = asked(&said, is_closed).await;
            let wanted = format!("the proxy `http://proxy.example:3128` {wanted}");
            assert_eq!(dialled, Err(wanted));
        }
    }

    #[test]
    fn what_may_not_be_shared_is_of_different_groups() {
        let group = |dial: &Dial| {
            let address = SocketAddr::from(([127, 0, 0, 1], 3128));
            let through = Some(Arc::clone(&dial.0));
            Destination { address, socket: None, secure: None, through }.group()
        };
        let groups: Vec<u64> = [
            through(Way::Tunnel, None, "a:443"),
            through(Way::Tunnel, Some(""), "a:443"),
            through(Way::Tunnel, Some("x"), "a:443"),
            through(Way::Tunnel, None, "b:443"),
            through(Way::Relay, None, "a:443"),
        ]
        .iter()
        .map(group)
        .collect();
        for (index, group) in groups.iter().enumerate() {
            assert_eq!(groups.iter().position(|other| other == group), Some(index));
        }
        assert_eq!(group(&through(Way::Tunnel, None, "a:443")), groups[0]);
    }
}
