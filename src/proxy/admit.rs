//! From the head of a request on a connection to a run of policies.

mod passed_on;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, StatusCode};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use crate::address::Network;
use crate::admission::{self, Admitted, Called, First};
use crate::backend::Scheme;
use crate::certificate::Certificate;
use crate::problem::Problem;
use crate::proxy::listener::Shown;
use crate::proxy::strict::{self, Head, HeadBounds};
use crate::proxy::{Context, Gateway, Run};
use crate::route;
use crate::route::host::Authority;

/// How large and how slow a request may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The head.
    pub head: HeadBounds,
    /// The most of a body that is held in memory where policies read it, in bytes.
    pub buffered_bytes: usize,
    /// The largest body that is passed on, in bytes; `None`: any.
    pub body_bytes: Option<u64>,
    /// How long a connection may lie idle between two requests, in seconds.
    pub idle_seconds: u64,
    /// The longest silence within the body of a request.
    pub body_read: Duration,
}

/// Whose word about the client counts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The networks of proxies that are trusted.
    pub networks: Vec<Network>,
    /// Whether their `X-Forwarded-Proto` says how the client called.
    pub forwarded_proto: bool,
    /// Whether anybody's does.
    pub anyone: bool,
    /// The field in which trusted proxies pass on the certificate that a client showed to them.
    pub certificate_field: Option<HeaderName>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Admission {
    /// It is answered at once; policies have no say.
    Refuse(Problem),
    /// Its policies run.
    Run(Box<Run>, First),
}

/// Judges the head of a request, finds its operation and its subscription.
pub fn admit(gateway: &Gateway, session: &mut Session, context: &Context) -> Admission {
    let body = super::forward::has_body(session);
    let session = &*session;
    let head = session.req_header();
    match strict::check(head, &gateway.bounds.head) {
        Ok(Head::Request) => (),
        Ok(Head::ServerOptions) => return Admission::Refuse(Problem::no_content()),
        Err(problem) => return Admission::Refuse(problem),
    }
    let called = match read(gateway, session, context, body) {
        Ok(called) => called,
        Err(problem) => return Admission::Refuse(problem),
    };
    if route::path::OWN_PATHS.contains(&called.path.as_ref()) {
        return Admission::Refuse(gateway.state.status(&context.snapshot));
    }
    if !context.snapshot.is_configured() {
        return Admission::Refuse(Problem::unavailable("not_configured"));
    }
    if let Some(problem) = too_large(gateway, head) {
        return Admission::Refuse(problem);
    }
    let Admitted { machine, exchange, first, tls, key_header } =
        admission::admit(&context.snapshot, &gateway.nowhere, &called);
    Admission::Run(Box::new(Run::new(machine, exchange, tls, key_header)), first)
}

/// Reads the head of a request.
fn read<'r>(
    gateway: &Gateway,
    session: &'r Session,
    context: &Context,
    body: bool,
) -> Result<Called<'r>, Problem> {
    let head = session.req_header();
    let refused = |slug: &'static str, fault: &dyn std::fmt::Display| {
        Problem::malformed(slug, fault.to_string())
    };
    let peer =
        session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
    let trusted = peer.is_some_and(|peer| gateway.trust.contains(peer));
    let secure = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let scheme = gateway.trust.scheme(secure, trusted, &head.headers);
    let authority = match head.headers.get(HOST) {
        Some(host) => host.as_bytes(),
        None => head.uri.authority().map_or("", |authority| authority.as_str()).as_bytes(),
    };
    let (host, port) = if authority.is_empty() {
        // Only HTTP/1.0 may leave the host out.
        (Cow::Borrowed(""), scheme.port())
    } else {
        let authority =
            Authority::parse(authority).map_err(|fault| refused(fault.slug(), &fault))?;
        (authority.name, authority.port.unwrap_or_else(|| scheme.port()))
    };
    let path = route::path::canonical(strict::path(head))
        .map_err(|fault| refused(fault.slug(), &fault))?;
    let query = route::url::checked(strict::query(head))
        .map_err(|fault| refused("query_invalid", &fault))?;
    Ok(Called {
        id: context.journey.id,
        now: context.journey.started,
        method: &head.method,
        scheme,
        host,
        port,
        path,
        query,
        headers: &head.headers,
        client: gateway.trust.client(peer, &head.headers),
        certificate: gateway.trust.certificate(shown(session), trusted, &head.headers),
        upgrade: strict::is_websocket(head),
        body,
    })
}

/// The certificate that whoever is on the other side of the connection showed.
fn shown(session: &Session) -> Option<&Shown> {
    session.digest()?.ssl_digest.as_ref()?.extension.get::<Shown>()
}

/// A body that its head says to be larger than what is passed on.
fn too_large(gateway: &Gateway, head: &RequestHeader) -> Option<Problem> {
    let max = gateway.bounds.body_bytes?;
    let length = head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
    (max < length).then(|| {
        let message = format!("The body of the request is larger than {max} bytes.");
        Problem::beyond(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    })
}

impl Bounds {
    /// An error once more of the request's body came than is passed on: one without a length says
    /// only then how long it is.
    pub fn body(&self, session: &Session) -> pingora::Result<()> {
        let read = u64::try_from(session.as_ref().body_bytes_read()).unwrap_or(u64::MAX);
        if self.body_bytes.is_some_and(|max| max < read) {
            let told = "the body of the request is too large";
            return Err(Error::explain(ErrorType::HTTPStatus(413), told).into_down());
        }
        Ok(())
    }
}

impl Trust {
    /// Whether `address` is that of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The client behind trusted proxies: the last address in `X-Forwarded-For` that none of them
    /// has.
    fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.to_canonical();
        if !self.contains(client) {
            return Some(client);
        }
        let lines: Vec<&str> = headers
            .get_all(HeaderName::from_static("x-forwarded-for"))
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            // What cannot be read is nobody's: policies that ask for an address refuse it.
            let address = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        Some(client)
    }

    /// The client's certificate. A trusted proxy shows its own, if any: what it says of the client
    /// counts instead, where it is to be believed.
    fn certificate(
        &self,
        shown: Option<&Shown>,
        trusted: bool,
        headers: &HeaderMap,
    ) -> Option<Arc<Certificate>> {
        let field = self.certificate_field.as_ref().filter(|_field| trusted);
        let Some(field) = field else { return shown.map(Arc::clone) };
        let mut lines = headers.get_all(field).iter();
        let (line, None) = (lines.next()?, lines.next()) else {
            // Of two, nobody knows which is the proxy's.
            return None;
        };
        passed_on::read(line.to_str().ok()?).map(Arc::new)
    }

    fn scheme(&self, secure: bool, trusted: bool, headers: &HeaderMap) -> Scheme {
        if self.forwarded_proto && (trusted || self.anyone) {
            let said = headers.get(HeaderName::from_static("x-forwarded-proto"));
            match said.map(http::HeaderValue::as_bytes) {
                Some(b"https" | b"wss") => return Scheme::Https,
                Some(b"http" | b"ws") => return Scheme::Http,
                _ => (),
            }
        }
        if secure { Scheme::Https } else { Scheme::Http }
    }
}

/// The most hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        let networks = ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        Trust { networks: networks.to_vec(), ..Trust::default() }
    }

    fn client(peer: &str, line: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", line.parse().unwrap());
        let client = trust().client(peer.parse().ok(), &headers);
        client.map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_hops_speak_for_the_client() {
        assert_eq!(client("192.0.2.1", "1.2.3.4").unwrap(), "192.0.2.1");
        assert_eq!(client("10.1.1.1", "1.2.3.4").unwrap(), "1.2.3.4");
        assert_eq!(client("10.1.1.1", "1.2.3.4, 5.6.7.8, 10.2.2.2").unwrap(), "5.6.7.8");
        assert_eq!(client("::ffff:10.1.1.1", "::ffff:1.2.3.4").unwrap(), "1.2.3.4");
        assert_eq!(client("10.1.1.1", "1.2.3.4, "), None);
        assert_eq!(client("10.1.1.1", "010.0.0.1"), None);
    }
}
