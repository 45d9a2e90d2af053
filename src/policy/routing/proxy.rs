//! `proxy`: by way of which forward proxy a request is sent.
//!
//! In inbound it is about what `forward-request` sends, whatever the backend is by then; in
//! `send-request` and `send-one-way-request` about that request. Backends over TLS are reached
//! through a tunnel, and so is what becomes a `WebSocket`; other requests are given to the proxy to be sent on.
//! The last one counts. Its errors never show what its URL, name and password are.

use std::sync::Arc;

use crate::backend::proxy::{ForwardProxy, NoCredentials, NoProxy};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;

/// `proxy`.
#[derive(Clone, Debug)]
pub enum UseProxy {
    /// The same for each request.
    Fixed(Arc<ForwardProxy>),
    /// Another one, perhaps.
    Computed {
        /// Where it is.
        url: Operand<Arc<str>>,
        /// What it is shown, if anything.
        credentials: Option<Credentials>,
    },
}

/// A name and a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    username: Operand<Arc<str>>,
    password: Operand<Arc<str>>,
}

pub(in crate::policy) fn proxy(builder: &mut Builder<'_>, element: &Element) {
    if let Some(policy) = read_proxy(builder, element) {
        builder.push(element, Action::Proxy(Box::new(policy)));
    }
}

/// Reads `proxy`, wherever it stands.
pub(in crate::policy) fn read_proxy(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<UseProxy> {
    let url = builder.attribute::<Arc<str>>(element, "url");
    let username = builder.attribute::<Arc<str>>(element, "username");
    let password = builder.attribute::<Arc<str>>(element, "password");
    let is_there = |name| element.attribute(name).is_some();
    if is_there("password") && !is_there("username") {
        let message = "`proxy` has a `password` and no `username`";
        builder.fault(element, message, "give both, or neither");
    }
    let parsed = url.as_ref().and_then(Operand::constant).map(|text| ForwardProxy::parse(text));
    if let Some(Err(refused)) = &parsed {
        let place = element.attribute("url").map(|url| url.value.place());
        let fault = Fault::new(place.unwrap_or_else(|| element.place.clone()), refused.to_string());
        builder.faults.push(fault.mend("give its address, such as http://proxy.example:3128"));
        return None;
    }
    let credentials = match username {
        None if is_there("username") => return None,
        None => None,
        Some(username) => {
            let nothing = || (!is_there("password")).then(|| Operand::Constant(Arc::from("")));
            Some(Credentials { username, password: password.or_else(nothing)? })
        }
    };
    let shown = credentials.as_ref().map(Credentials::constant);
    match (parsed, shown) {
        (Some(Ok(proxy)), None) => Some(UseProxy::Fixed(Arc::new(proxy))),
        (Some(Ok(proxy)), Some(Some((name, password)))) => match proxy.with_basic(name, password) {
            Ok(proxy) => Some(UseProxy::Fixed(Arc::new(proxy))),
            Err(refused) => {
                builder.fault(element, refused.to_string(), "ask for other credentials");
                None
            }
        },
        _ => Some(UseProxy::Computed { url: url?, credentials }),
    }
}

impl UseProxy {
    /// From here on requests go through this proxy.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        exchange.proxy = Some(self.evaluate(exchange)?);
        Ok(Flow::Next)
    }

    /// The proxy, whichever request goes through it.
    pub(in crate::policy) fn evaluate(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Arc<ForwardProxy>, Failure> {
        let (url, credentials) = match self {
            Self::Fixed(proxy) => return Ok(Arc::clone(proxy)),
            Self::Computed { url, credentials } => (url, credentials),
        };
        let text = url.get(exchange)?;
        let refused = |refused: NoProxy| Failure::value(refused.to_string());
        let proxy = ForwardProxy::parse(&text).map_err(refused)?;
        let Some(Credentials { username, password }) = credentials else {
            return Ok(Arc::new(proxy));
        };
        let (username, password) = (username.get(exchange)?, password.get(exchange)?);
        let refused = |refused: NoCredentials| Failure::value(refused.to_string());
        Ok(Arc::new(proxy.with_basic(&username, &password).map_err(refused)?))
    }
}

impl Credentials {
    /// Both, where they do not depend on the exchange.
    fn constant(&self) -> Option<(&str, &str)> {
        Some((self.username.constant()?, self.password.constant()?))
    }
}
