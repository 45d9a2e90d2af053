//! Where a connection leads, by which way, and as whom.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::backend::proxy::{ForwardProxy, place_of};
use crate::backend::tls::Terms;
use crate::backend::{BaseUrl, Scheme, Tls};
use crate::caller::resolve::Resolver;
use crate::certificate::Certificate;
use crate::digest::number;
use crate::time::Timestamp;

/// Where a connection leads, by which way, and as whom: connections are shared only where all of it
/// is the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Destination {
    /// The address to connect to: the backend's, or that of the proxy on the way.
    pub address: SocketAddr,
    /// The Unix socket that is connected to in its place.
    pub socket: Option<Arc<str>>,
    /// Over TLS: with whom.
    pub secure: Option<Secure>,
    /// By way of whom; `None`: straight.
    pub through: Option<Arc<Through>>,
}

/// The way through a proxy.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct Through {
    /// Which proxy, and what it is shown.
    pub proxy: Arc<ForwardProxy>,
    /// The backend, as `host:port`. The proxy looks the name up.
    pub place: String,
    /// What the proxy does.
    pub way: Way,
}

/// What a proxy does with a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Way {
    /// It connects us with the backend (`CONNECT`), and sees bytes only.
    Tunnel,
    /// It reads our requests and sends them on.
    Relay,
}

/// With whom a TLS connection is made.
#[derive(Clone, Debug)]
pub struct Secure {
    /// The host that is asked for, and that the certificate must name.
    pub host: String,
    /// Whether the chain must end in a trusted root.
    pub verify_chain: bool,
    /// Whether the certificate must name the host.
    pub verify_name: bool,
    /// The certificate shown to the backend, with its key.
    pub identity: Option<Arc<Certificate>>,
    /// What else is asked of it, beyond what is usual.
    pub terms: Option<Arc<Terms>>,
}

/// A backend that is to be reached.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Where it is.
    pub base: &'a BaseUrl,
    /// How its certificate is judged, and which one it is shown.
    pub tls: &'a Tls,
    /// The certificate that it is shown in the place of that one.
    pub identity: Option<&'a Arc<Certificate>>,
    /// By way of whom.
    pub proxy: Option<&'a Arc<ForwardProxy>>,
    /// Whether another protocol is to be spoken there.
    pub switches: bool,
}

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub struct Unresolved {
    /// The name.
    host: String,
    /// Whether it is that of a proxy.
    is_proxy: bool,
    #[source]
    error: io::Error,
}

impl<'a> Sought<'a> {
    /// The backend at `base`, reached without a proxy.
    pub const fn straight(base: &'a BaseUrl, tls: &'a Tls) -> Self {
        Self { base, tls, identity: None, proxy: None, switches: false }
    }

    /// Where it is to be found. The name of a backend behind a proxy is not looked up here.
    pub async fn find(
        self,
        resolver: &Resolver,
        now: Timestamp,
    ) -> Result<Destination, Unresolved> {
        let Sought { base, tls, identity, proxy, .. } = self;
        let secure = (base.scheme == Scheme::Https).then(|| {
            let secure = Secure::of(base, tls);
            let identity = identity.map(Arc::clone).or_else(|| tls.identity.clone());
            Secure { identity, ..secure }
        });
        if let (Some(socket), None) = (&base.socket, proxy) {
            let (address, socket) =
                (SocketAddr::from(([127, 0, 0, 1], base.port)), Some(Arc::clone(socket)));
            return Ok(Destination { address, socket, secure, through: None });
        }
        let (host, port) = match proxy {
            Some(proxy) => (&*proxy.host, proxy.port),
            None => (base.host.as_str(), base.port),
        };
        let address = resolver.resolve(host, port, now).await.map_err(|error| {
            let is_proxy = proxy.is_some();
            Unresolved { host: host.to_owned(), is_proxy, error }
        })?;
        let through = proxy.map(|proxy| {
            let place = place_of(&base.host, base.port);
            Arc::new(Through { proxy: Arc::clone(proxy), place, way: self.way() })
        });
        Ok(Destination { address, socket: None, secure, through })
    }

    /// What a proxy does on the way there. What switches protocols goes through a tunnel, as RFC
    /// 6455 §4.1 wants it: few proxies send such requests on.
    pub fn way(&self) -> Way {
        if self.base.scheme == Scheme::Https || self.switches { Way::Tunnel } else { Way::Relay }
    }

    /// The proxy that gets the request itself, to send it on.
    pub fn relay(&self) -> Option<&'a ForwardProxy> {
        self.proxy.filter(|_proxy| self.way() == Way::Relay).map(Arc::as_ref)
    }
}

impl Through {
    /// What tells it from others.
    fn parts(&self) -> Vec<String> {
        let Self { proxy, place, way } = self;
        let shown = proxy.authorization.as_ref();
        let shown_as = shown.map_or_else(String::new, |shown| shown.expose().to_owned());
        vec![proxy.to_string(), place.clone(), format!("{way:?} {}", shown.is_some()), shown_as]
    }
}

impl Destination {
    /// A number that differs, as far as numbers do, wherever connections may not be shared and the
    /// address does not tell: by way of another proxy, by other terms, or as somebody else.
    pub(super) fn group(&self) -> u64 {
        if self.through.is_none() && self.secure.is_none() {
            return 0;
        }
        let through = self.through.as_ref().map_or_else(Vec::new, |through| through.parts());
        let secure = self.secure.as_ref().map_or_else(Vec::new, Secure::bytes);
        number(through.into_iter().map(String::into_bytes).chain([secure]))
    }

    /// The proxy that sends requests on to the backend.
    pub fn relay(&self) -> Option<&ForwardProxy> {
        let through = self.through.as_ref().filter(|through| through.way == Way::Relay);
        through.map(|through| &*through.proxy)
    }
}

impl Secure {
    /// With the server at `base`, by the terms of `tls`.
    pub fn of(base: &BaseUrl, tls: &Tls) -> Self {
        Self {
            host: tls.server_name().unwrap_or(&base.host).to_owned(),
            verify_chain: tls.verify_chain,
            verify_name: tls.verify_name,
            identity: tls.identity.clone(),
            terms: tls.terms.clone(),
        }
    }

    // Two identities are the same if all bytes of their certificates are: the key belongs to the
    // public one in there, so nobody has to compare keys.
    fn parts(&self) -> (&str, [bool; 2], [Option<&[u8; 32]>; 2]) {
        let identity = self.identity.as_ref().map(|identity| identity.digest());
        let terms = self.terms.as_ref().map(|terms| terms.digest());
        (&self.host, [self.verify_chain, self.verify_name], [identity, terms])
    }

    fn bytes(&self) -> Vec<u8> {
        let (host, judged, shown) = self.parts();
        let mut bytes: Vec<u8> = judged.map(u8::from).to_vec();
        for part in shown {
            bytes.push(u8::from(part.is_some()));
            bytes.extend_from_slice(part.map_or(&[][..], |digest| digest));
        }
        bytes.extend_from_slice(host.as_bytes());
        bytes
    }
}

impl PartialEq for Secure {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Secure {}

impl Hash for Secure {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, is_proxy, error } = self;
        let what = if *is_proxy { "the proxy " } else { "" };
        write!(formatter, "{what}`{host}` cannot be resolved: {error}")
    }
}
