//! Connects to whoever speaks gRPC: a control plane, a member of an etcd.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};

use super::door::read;
use super::{HTTP2, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIME_MAX, Stream, any_below};

/// The port of a control plane whose address names none.
const PORT: u16 = 8443;
/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 8;

/// Where a server is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Name or address, without brackets.
    host: String,
    port: u16,
    /// Whether TLS is spoken.
    is_secure: bool,
}

/// How a connection is made and kept.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long it may take to make it.
    pub time_max: Duration,
    /// How often a silent one is asked whether it lives, and how long it has to say so.
    pub keep_alive: (Duration, Duration),
}

/// Why an address is none; the sentence is for whoever wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoAddress {
    /// Not host and port.
    #[error("`{0}` is no address of a control plane: write https://host:{PORT}")]
    Wrong(String),
    /// In the clear over a network.
    #[error(
        "`{0}` would be spoken to in the clear, token and secrets included: write https://, or let \
         the control plane listen on this machine's own address"
    )]
    Clear(String),
}

/// Why nobody is reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// The authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] super::door::Unusable),
    /// TLS cannot be spoken at all.
    #[error("TLS cannot be spoken: {0}")]
    Tls(#[from] ErrorStack),
    /// No connection.
    #[error("{address} cannot be reached: {reason}")]
    Connection {
        /// Where.
        address: String,
        /// Why not, from the outermost cause to the innermost.
        reason: String,
    },
}

impl Address {
    /// `port` of `host`, a name or an address without brackets, over TLS or in the clear.
    pub fn new(host: &str, port: u16, is_secure: bool) -> Self {
        Self { host: host.to_owned(), port, is_secure }
    }

    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Reads `https://host:port`; without a scheme TLS is meant, without a port 8443. In the clear,
    /// with `http://`, only this machine is spoken to.
    pub fn parse(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress::Wrong(text.to_owned());
        let (is_secure, rest) = match text.split_once("://") {
            None => (true, text),
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err(wrong()),
        };
        let uri: Uri = rest.trim_end_matches('/').parse().map_err(|_other| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            Some(port) => {
                let port = port.strip_prefix(':').ok_or_else(wrong)?;
                port.parse().map_err(|_other| wrong())?
            }
            None => return Err(wrong()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_own = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !is_secure && !is_own {
            return Err(NoAddress::Clear(text.to_owned()));
        }
        Ok(Self { host, port, is_secure })
    }

    fn uri(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Connects to `address` within `time_max`; a server is judged by the authorities in the PEM file
/// `ca`, or by those of the machine.
pub async fn dial(
    address: &Address,
    ca: Option<&PathBuf>,
    time_max: Duration,
) -> Result<Channel, Unreached> {
    let tls = if address.is_secure { Some(connector(ca)?) } else { None };
    let keep_alive = (KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIME_MAX);
    connect(address, tls, Terms { time_max, keep_alive }).await
}

/// Connects to `address`, over TLS if there is a connector.
pub async fn connect(
    address: &Address,
    tls: Option<SslConnector>,
    Terms { time_max, keep_alive: (interval, silence) }: Terms,
) -> Result<Channel, Unreached> {
    let dialler = Dialler { address: address.clone(), tls: tls.map(Arc::new), time_max };
    let unreached = |error: tonic::transport::Error| Unreached::Connection {
        address: address.uri(),
        reason: reasons(&error),
    };
    let endpoint = Endpoint::from_shared(address.uri()).map_err(unreached)?;
    let endpoint = endpoint
        .connect_timeout(time_max)
        .http2_keep_alive_interval(interval)
        .keep_alive_timeout(silence)
        .keep_alive_while_idle(true);
    let connected = timeout(time_max, endpoint.connect_with_connector(dialler)).await;
    match connected {
        Ok(connected) => connected.map_err(unreached),
        Err(_late) => Err(Unreached::Connection {
            address: address.uri(),
            reason: format!("no answer within {time_max:?}"),
        }),
    }
}

/// An error and what caused it.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn connector(ca: Option<&PathBuf>) -> Result<SslConnector, Unreached> {
    let mut builder = tls()?;
    if let Some(path) = ca {
        let authorities = X509::stack_from_pem(&read(path)?)?;
        if authorities.is_empty() {
            return Err(super::door::Unusable::Empty(path.display().to_string()).into());
        }
        trust(&mut builder, authorities)?;
    }
    Ok(builder.build())
}

/// TLS as a client of HTTP/2 speaks it, who believes the authorities of the machine.
pub fn tls() -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_alpn_protos(HTTP2)?;
    Ok(builder)
}

/// Has a client believe these authorities and no others.
pub fn trust(builder: &mut SslConnectorBuilder, authorities: Vec<X509>) -> Result<(), ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    authorities.into_iter().try_for_each(|authority| store.add_cert(authority))?;
    builder.set_cert_store(store.build());
    Ok(())
}

/// Makes the connection that the library above asks for.
#[derive(Clone)]
struct Dialler {
    address: Address,
    tls: Option<Arc<SslConnector>>,
    time_max: Duration,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let dialler = self.clone();
        Box::pin(async move { dialler.open().await.map(TokioIo::new) })
    }
}

impl Dialler {
    /// Opens a connection to any of the addresses that the name has, beginning with any: several
    /// control planes behind one name share the gateways, and one that is silent takes up only its
    /// part of the time.
    async fn open(self) -> io::Result<Stream> {
        let Address { host, port, .. } = &self.address;
        let mut found: Vec<SocketAddr> = lookup_host((host.as_str(), *port)).await?.collect();
        let first = any_below(found.len());
        found.rotate_left(first);
        found.truncate(ADDRESSES_MAX);
        self.open_any(found).await
    }

    async fn open_any(&self, found: Vec<SocketAddr>) -> io::Result<Stream> {
        let parts = u32::try_from(found.len()).unwrap_or(u32::MAX).max(1);
        let part = self.time_max.checked_div(parts).unwrap_or(self.time_max);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in found {
            match timeout(part, self.open_at(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_late) => {
                    let told = format!("{address} does not answer within {part:?}");
                    last = io::Error::new(io::ErrorKind::TimedOut, told);
                }
            }
        }
        Err(last)
    }

    async fn open_at(&self, address: SocketAddr) -> io::Result<Stream> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Stream::clear(tcp)) };
        let ssl = tls.configure()?.into_ssl(&self.address.host)?;
        let mut stream = SslStream::new(ssl, tcp)?;
        Pin::new(&mut stream).connect().await.map_err(io::Error::other)?;
        if stream.ssl().selected_alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        Ok(Stream::secure(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_over_tls() {
        let uri = |text: &str| Address::parse(text).map(|address| address.uri());
        for (text, expected) in [
            ("https://control:1", "https://control:1"),
            ("control", "https://control:8443"),
            ("https://[::1]:7/", "https://[::1]:7"),
            ("http://127.0.0.1:7", "http://127.0.0.1:7"),
            ("http://localhost:7", "http://localhost:7"),
        ] {
            assert_eq!(uri(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["", "ftp://a:1", "https://u:p@a:1", "https://a:b", "a/b", "https://a:99999"] {
            assert_eq!(uri(wrong), Err(NoAddress::Wrong(wrong.to_owned())), "{wrong}");
        }
    }

    #[test]
    fn who_does_not_answer_at_one_address_of_a_name_is_found_at_the_next() {
        let here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = Address::parse("http://localhost:1").unwrap();
        let dialler = Dialler { address, tls: None, time_max: Duration::from_secs(10) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let open = |found: &[SocketAddr]| runtime.block_on(dialler.open_any(found.to_vec()));
        assert!(open(&[gone, here.local_addr().unwrap()]).is_ok());
        assert_eq!(open(&[gone]).err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(open(&[]).err().unwrap().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn nobody_elsewhere_is_spoken_to_in_the_clear() {
        let text = "http://10.0.0.1:7";
        assert_eq!(Address::parse(text), Err(NoAddress::Clear(text.to_owned())));
    }
}
