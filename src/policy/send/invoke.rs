//! `invoke-request`: another service answers in the place of the backend, or into a variable.
//!
//! API Management does not describe it; this is what its tools write, and what Weir decided. `url`
//! is a whole URL; with `backend-id` it is a path, with a query perhaps, below that of the backend,
//! whose credentials and TLS then count. The request is `GET` unless `method` says otherwise, and
//! has the fields and the body that are written, nothing of the client's. With
//! `response-variable-name` a variable holds the response, as with `send-request`; without, it is
//! the response of the request, and no further policy runs, as with `return-response`. There is a
//! minute for all of it. A failure is an error of the request.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::outgoing::{Outgoing, Url};
use super::{NESTED, TIMEOUT_USUAL, held, nested, refused_url};
use crate::backend::{Backend, Tls};
use crate::dapr::is_kept;
use crate::exchange::Exchange;
use crate::exchange::choice::Callee;
use crate::exchange::message::{Headers, Response};
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::build::references::Backends;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, body_of};
use crate::policy::program::Action;
use crate::policy::routing::dapr;
use crate::route::url::Query;

/// `invoke-request`.
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    method: Option<Operand<Method>>,
    url: Option<Operand<Arc<str>>>,
    backend: Option<(Operand<Arc<str>>, Arc<Backends>)>,
    headers: Vec<(Operand<HeaderName>, Option<Operand<HeaderValue>>)>,
    body: Option<Operand<Value>>,
    variable: Option<Arc<str>>,
}

pub(in crate::policy) fn invoke_request(builder: &mut Builder<'_>, element: &Element) {
    let mut policy = InvokeRequest {
        method: builder.attribute(element, "method"),
        url: builder.attribute(element, "url"),
        backend: backend(builder, element),
        headers: Vec::new(),
        body: None,
        variable: builder.literal(element, "response-variable-name"),
    };
    if element.attribute("url").is_none() && element.attribute("backend-id").is_none() {
        let message = "`invoke-request` has neither `url` nor `backend-id`";
        builder.fault(element, message, "say where the request goes");
    }
    policy.check_url(builder, element);
    for child in element.elements() {
        match child.name.as_ref() {
            "header" => {
                let name = builder.attribute(child, "name");
                let value = builder.attribute(child, "value");
                policy.headers.extend(name.map(|name| (name, value)));
            }
            "body" if policy.body.is_some() => {
                builder.fault(child, "`body` stands here a second time", "keep one of the two");
            }
            "body" => policy.body = builder.body_operand(child),
            // The catalogue reports the others.
            _ => (),
        }
    }
    builder.push(element, Action::InvokeRequest(Box::new(policy)));
}

fn backend(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<(Operand<Arc<str>>, Arc<Backends>)> {
    let place = element.attribute("backend-id")?.value.place();
    let operand = builder.attribute::<Arc<str>>(element, "backend-id")?;
    if let Some(id) = operand.constant() {
        builder.references.knows_backend(id, &place, builder.faults);
    }
    Some((operand, Arc::clone(&builder.references.backends)))
}

impl InvokeRequest {
    fn check_url(&self, builder: &mut Builder<'_>, element: &Element) {
        let Some(text) = self.url.as_ref().and_then(Operand::constant) else { return };
        let is_path = text.trim().starts_with('/');
        let message = match (element.attribute("backend-id"), is_path) {
            (Some(_), true) => return,
            (Some(_), false) => {
                "with `backend-id`, `url` is a path that begins with `/`".to_owned()
            }
            (None, _) => match Url::parse(text) {
                Ok(_) => return,
                Err(refused) => refused.to_string(),
            },
        };
        let place = element.attribute("url").map(|url| url.value.place());
        let fault = Fault::new(place.unwrap_or_else(|| element.place.clone()), message);
        let remedy = "give a whole URL, or a path and `backend-id`";
        builder.faults.push(fault.mend(remedy));
    }

    /// Whether what is answered is the response of the request.
    pub(in crate::policy) const fn answers(&self) -> bool {
        self.variable.is_none()
    }

    /// Makes the request.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let mut headers = Headers::own(HeaderMap::new());
        let (url, tls, callee) = self.target(&mut headers, exchange)?;
        let is_sidecar = callee.as_ref().is_some_and(|callee| callee.backend.is_sidecar);
        for (name, value) in &self.headers {
            let name = name.get(exchange)?;
            let value = match value {
                Some(value) => value.get(exchange)?,
                None => HeaderValue::from_static(""),
            };
            if !(is_sidecar && is_kept(&name, &value)) {
                headers.append(&name, value);
            }
        }
        headers.set(&NESTED, HeaderValue::from(nested(exchange)?));
        let method = match &self.method {
            Some(method) => method.get(exchange)?,
            None => Method::GET,
        };
        let body = match &self.body {
            Some(body) => body_of(&body.get(exchange)?)?,
            None => Bytes::new(),
        };
        let headers = headers.map().clone();
        let proxy = callee.as_ref().and_then(|callee| callee.backend.proxy.clone());
        let (exact, wait) = (Vec::new(), TIMEOUT_USUAL);
        let outgoing = Outgoing { method, url, headers, exact, body, tls, proxy, callee, wait };
        Ok(Flow::Ask(Effect::Call(Box::new(outgoing))))
    }

    /// Where it goes.
    fn target(
        &self,
        headers: &mut Headers,
        exchange: &mut Exchange,
    ) -> Result<(Url, Tls, Option<Callee>), Failure> {
        let url = match &self.url {
            Some(url) => Some((url, url.get(exchange)?)),
            None => None,
        };
        let Some((id, backends)) = &self.backend else {
            let Some((url, text)) = url else {
                return Err(Failure::value("there is no URL to send the request to".to_owned()));
            };
            let parsed = Url::parse(&text);
            let parsed = parsed.map_err(|refused| refused_url(&url.shown(&text), refused))?;
            return Ok((parsed, Tls::default(), None));
        };
        let wanted = id.get(exchange)?;
        let backend = backends
            .get(&wanted)
            .ok_or_else(|| Failure::value(format!("there is no backend {}", id.shown(&wanted))))?;
        let path = url.map(|(_url, text)| text.trim().to_owned()).unwrap_or_default();
        if !path.is_empty() && !path.starts_with(['/', '?']) {
            let message = "with `backend-id`, `url` is a path that begins with `/`";
            return Err(Failure::value(message.to_owned()));
        }
        let what = || format!("the backend {}", id.shown(&wanted));
        let callee = exchange.callee(backend);
        let callee = callee.map_err(|why| Failure::unavailable(&what(), why))?;
        let backend = &callee.backend;
        for (name, value) in &backend.headers {
            headers.append(name, value.clone());
        }
        let path = if backend.is_sidecar { dapr::fit(&backend.base.path, &path)? } else { path };
        Ok((at(backend, &path), backend.tls.clone(), Some(callee)))
    }

    /// Goes on with what was answered.
    pub(in crate::policy) fn called(
        &self,
        answered: Result<Response, Failure>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let response = answered?;
        let Some(variable) = &self.variable else {
            exchange.response = Some(response);
            return Ok(Flow::Finish);
        };
        let value = held(response)?;
        exchange.variables.set(variable, value);
        Ok(Flow::Next)
    }
}

/// The URL of `path` at `backend`, with the query parameters that all its requests carry.
fn at(backend: &Backend, path: &str) -> Url {
    let slash = if backend.base.path.is_empty() && !path.starts_with('/') { "/" } else { "" };
    let mut target = format!("{}{slash}{path}", backend.base.path);
    if !backend.query.is_empty() {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut query = Query::parse(query);
        for (name, _value) in &backend.query {
            query.remove(name);
        }
        for (name, value) in &backend.query {
            query.append(name, value);
        }
        target = format!("{path}?{query}");
    }
    Url::of(&backend.base, &target)
}
