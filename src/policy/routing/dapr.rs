//! `set-backend-service backend-id="dapr"`: the backend is a method of an app, and the way there is
//! Dapr's sidecar.
//!
//! The method is the whole path: what the operation adds to that of other backends is left out, and
//! what `rewrite-uri` says afterwards comes behind it. The query goes along. Before the request is
//! sent ([`settle`]) its path is brought into the form that the sidecar would give it, and what would
//! speak to the sidecar itself is taken out.

use std::sync::Arc;

use http::StatusCode;

use crate::backend::BaseUrl;
use crate::backend::sidecar::Sidecar;
use crate::dapr::method::NoMethod;
use crate::dapr::name::{App, NoName};
use crate::dapr::{self, method};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::markup::{Element, Text};
use crate::policy::operand::Operand;
use crate::problem::Problem;
use crate::route::url::Query;

/// The attributes that only an invocation has.
pub(super) const ATTRIBUTES: [&str; 3] = ["dapr-app-id", "dapr-method", "dapr-namespace"];

/// A method of an app.
#[derive(Clone, Debug)]
pub struct Invocation {
    sidecar: Arc<Sidecar>,
    app: Operand<Arc<str>>,
    namespace: Option<Operand<Arc<str>>>,
    method: Operand<Arc<str>>,
    /// Where it is, if that is known at load.
    fixed: Option<Arc<BaseUrl>>,
    is_secret: bool,
}

/// Reads an invocation.
pub(super) fn read(builder: &mut Builder<'_>, element: &Element) -> Option<Invocation> {
    for name in ["dapr-app-id", "dapr-method"] {
        if element.attribute(name).is_none() {
            let message = format!("`backend-id=\"dapr\"` has no `{name}`");
            builder.fault(element, message, "say which app, and which of its methods");
        }
    }
    let app: Option<Operand<Arc<str>>> = builder.attribute(element, "dapr-app-id");
    let written: Option<Operand<Arc<str>>> = builder.attribute(element, "dapr-method");
    let namespace: Option<Operand<Arc<str>>> = builder.attribute(element, "dapr-namespace");
    if element.attribute("dapr-namespace").is_some() && namespace.is_none() {
        return None;
    }
    let wrong = wrong(app.as_ref(), namespace.as_ref(), written.as_ref());
    for (name, why) in &wrong {
        let place = element.attribute(name).map(|found| found.value.place());
        let place = place.unwrap_or_else(|| element.place.clone());
        builder.faults.push(Fault::new(place, format!("`{name}`: {why}")));
    }
    let (app, written) = (app?, written?);
    if !wrong.is_empty() {
        return None;
    }
    let sidecar = Arc::clone(&builder.references.sidecar);
    let is_secret = ATTRIBUTES.iter().any(|name| element.value(name).is_some_and(Text::is_secret));
    let namespace_is_known = namespace.as_ref().is_none_or(|it| it.constant().is_some());
    let fixed = match (app.constant(), written.constant()) {
        (Some(app), Some(written)) if namespace_is_known => {
            let namespace = namespace.as_ref().and_then(Operand::constant).map(AsRef::as_ref);
            let path = path(app, namespace, written).ok();
            path.map(|path| Arc::new(sidecar.at(path)))
        }
        _ => None,
    };
    Some(Invocation { sidecar, app, namespace, method: written, fixed, is_secret })
}

/// What is wrong with those that are known at load, by their attributes.
fn wrong(
    app: Option<&Operand<Arc<str>>>,
    namespace: Option<&Operand<Arc<str>>>,
    written: Option<&Operand<Arc<str>>>,
) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let constant =
        |operand: Option<&Operand<Arc<str>>>| operand.and_then(Operand::constant).cloned();
    let namespace = constant(namespace);
    if let Some(app) = constant(app)
        && let Err(why) = App::new(&app, namespace.as_deref())
    {
        let is_namespace = why != NoName::Url && App::new(&app, None).is_ok();
        let name = if is_namespace { "dapr-namespace" } else { "dapr-app-id" };
        wrong.push((name, why.to_string()));
    }
    if let Some(Err(why)) = constant(written).map(|written| method::method(&written)) {
        wrong.push(("dapr-method", why.to_string()));
    }
    wrong
}

fn path(app: &str, namespace: Option<&str>, written: &str) -> Result<String, (String, bool)> {
    let app = App::new(app, namespace).map_err(|why| (why.to_string(), true))?;
    let written = method::method(written).map_err(|why| (why.to_string(), false))?;
    Ok(dapr::invocation(&app, &written))
}

impl Invocation {
    /// Sends the request to it.
    pub(super) fn choose(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        let base = match &self.fixed {
            Some(fixed) => Arc::clone(fixed),
            None => Arc::new(self.found(exchange)?),
        };
        exchange.is_target_secret |= self.is_secret;
        // Whoever was chosen before has no turn any more.
        exchange.unset_backend();
        exchange.request.base = base;
        exchange.backend = Some(Arc::clone(self.sidecar.backend()));
        let tail = std::mem::take(&mut exchange.request.tail);
        exchange.pending.tail.get_or_insert(tail);
        Ok(())
    }

    fn found(&self, exchange: &mut Exchange) -> Result<BaseUrl, Failure> {
        let app = self.app.get(exchange)?;
        let namespace = match &self.namespace {
            Some(namespace) => Some(namespace.get(exchange)?),
            None => None,
        };
        let written = self.method.get(exchange)?;
        let path = path(&app, namespace.as_deref(), &written).map_err(|(why, is_app)| {
            let shown = if is_app { self.app.shown(&app) } else { self.method.shown(&written) };
            let what = if is_app { "the app" } else { "the method" };
            Failure { reason: REFUSED, ..Failure::value(format!("{what} {shown}: {why}")) }
        })?;
        Ok(self.sidecar.at(path))
    }
}

/// The reason of what must not become part of a path at the sidecar.
pub const REFUSED: &str = "DaprTargetRefused";

/// Gives the operation's path back, where another backend is chosen after an app.
pub(super) fn leave(exchange: &mut Exchange) {
    if let Some(tail) = exchange.pending.tail.take() {
        exchange.request.tail = tail;
    }
}

/// The path and query `target` as they may follow an app's own path, `base`.
pub fn fit(base: &str, target: &str) -> Result<String, Failure> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = tail(base, path).map_err(|why| {
        let message = format!("the path behind the app: {why}");
        Failure { reason: REFUSED, ..Failure::value(message) }
    })?;
    let query = without_kept(query).unwrap_or_else(|| query.to_owned());
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

/// The path behind `base`. An app without a method has an empty one, which ends with a slash.
fn tail(base: &str, text: &str) -> Result<String, NoMethod> {
    let is_bare =
        base.strip_prefix(dapr::INVOKE).is_some_and(|rest| rest.matches('/').count() == 1);
    let tail = method::tail(text)?;
    Ok(if is_bare && tail.is_empty() { "/".to_owned() } else { tail })
}

/// The query without what speaks to the sidecar, if there is any of that.
fn without_kept(query: &str) -> Option<String> {
    let is_kept = Query::parse(query).iter().any(|(name, _value)| dapr::is_kept_parameter(&name));
    is_kept.then(|| {
        let mut left = Query::default();
        left.extend(query, |name| !dapr::is_kept_parameter(name));
        left.to_string()
    })
}

/// Makes a request that goes to the sidecar fit for it: its path is one that the sidecar leaves as it
/// is, its query says nothing to the sidecar itself, and no proxy is on the way. Whether it goes
/// there.
pub(super) fn settle(exchange: &mut Exchange) -> Result<bool, Failure> {
    if !exchange.backend.as_ref().is_some_and(|backend| backend.is_sidecar) {
        return Ok(false);
    }
    let request = &mut exchange.request;
    request.tail = tail(&request.base.path, &request.tail).map_err(|why| {
        let message = format!("the path behind the app: {why}");
        let told = "The path cannot be sent on.".to_owned();
        let problem = Problem::refused(StatusCode::BAD_REQUEST, "dapr_path_refused", told);
        Failure { source: None, reason: REFUSED, message, problem }
    })?;
    if let Some(query) = without_kept(&request.query) {
        request.query = query;
    }
    // It is on this machine, or as good as.
    exchange.proxy = None;
    Ok(true)
}
