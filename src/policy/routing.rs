//! Policies that say where a request goes: `set-backend-service`, `rewrite-uri`,
//! `set-query-parameter`, `forward-request`, `proxy`.

pub mod dapr;
pub mod proxy;

use std::sync::Arc;
use std::time::Duration;

use crate::backend::version::HttpVersion;
use crate::backend::{BaseUrl, sidecar};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::build::references::Backends;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::{Element, Text};
use crate::policy::operand::{Operand, Seconds};
use crate::policy::program::Action;
use crate::policy::transform::exists::{Exists, ExistsAction, read_exists_action, read_values};
use crate::problem::Problem;
use crate::route::template::rewrite::Rewrite;
use crate::route::url::Query;

/// `set-backend-service`.
#[derive(Clone, Debug)]
pub struct SetBackend {
    to: Choice,
    /// Whether a secret is part of the URL.
    is_secret: bool,
}

/// What `set-backend-service` chooses.
#[derive(Clone, Debug)]
enum Choice {
    /// A URL.
    Url(Operand<Arc<str>>),
    /// A URL that is known at load.
    FixedUrl(Arc<BaseUrl>),
    /// A backend of the configuration.
    Backend(Operand<Arc<str>>, Arc<Backends>),
    /// A method of an app behind Dapr's sidecar.
    Dapr(Box<dapr::Invocation>),
}

/// `rewrite-uri`.
#[derive(Clone, Debug)]
pub struct RewriteUri {
    target: Target,
    copy_unmatched: bool,
    /// Whether a secret is part of the template.
    is_secret: bool,
}

/// What `rewrite-uri` writes.
#[derive(Clone, Debug)]
enum Target {
    /// A template, filled with the parameters of the operation's.
    Template(Rewrite),
    /// What an expression gives, as it is.
    Computed(Operand<Arc<str>>),
}

/// `set-query-parameter`.
#[derive(Clone, Debug)]
pub struct SetQuery {
    name: Operand<Arc<str>>,
    action: ExistsAction,
    values: Vec<Operand<Arc<str>>>,
}

/// `forward-request`, as it stands in a document and, once evaluated, as the driver gets it.
#[derive(Clone, Debug)]
pub struct Forward {
    timeout: Option<Operand<Seconds>>,
    milliseconds: bool,
    /// How long the backend may take until the head of its response is here.
    pub wait: Duration,
    /// Whether redirects are followed.
    pub follow_redirects: Option<Operand<bool>>,
    /// Whether the body of the request is kept, so that it can be sent again.
    pub buffer_request_body: bool,
    /// Whether a status from 400 on is a failure.
    pub fail_on_error_status: bool,
    /// Which HTTP the backend is spoken to in, whatever is said of the backend itself.
    pub http: Option<HttpVersion>,
}

/// What is said when there is nowhere to forward to.
const NO_BACKEND: &str = "there is no backend: the API has no `serviceUrl`, and no \
                          `set-backend-service` ran before";
/// How long a backend may take unless the policy says otherwise.
const FORWARD_TIMEOUT: Duration = Duration::from_mins(5);

pub(super) fn set_backend(builder: &mut Builder<'_>, element: &Element) {
    let url = element.attribute("base-url");
    let id = element.attribute("backend-id");
    let is_dapr = id.is_some_and(|id| id.value.as_str() == sidecar::ID);
    if let Some(name) = dapr::ATTRIBUTES.into_iter().find(|name| element.attribute(name).is_some())
        && !is_dapr
    {
        let message = format!("`{name}` goes with `backend-id=\"dapr\"`");
        builder.fault(element, message, "write that, or take it out");
    }
    match (url, id) {
        (None, Some(_)) if is_dapr => {
            if let Some(invocation) = dapr::read(builder, element) {
                let to = Choice::Dapr(Box::new(invocation));
                builder.push(element, Action::SetBackend(SetBackend { to, is_secret: false }));
            }
        }
        (Some(url), None) => {
            let Some(operand) = builder.attribute::<Arc<str>>(element, "base-url") else {
                return;
            };
            let to = match operand.constant() {
                None => Choice::Url(operand),
                Some(text) => match BaseUrl::parse(text) {
                    Ok(base) => Choice::FixedUrl(Arc::new(base)),
                    Err(refused) => {
                        let fault = Fault::new(url.value.place(), refused.to_string());
                        builder.faults.push(fault.wide(url.value.width()));
                        return;
                    }
                },
            };
            let action = SetBackend { to, is_secret: url.value.is_secret() };
            builder.push(element, Action::SetBackend(action));
        }
        (None, Some(id)) => {
            let Some(operand) = builder.attribute::<Arc<str>>(element, "backend-id") else {
                return;
            };
            if let Some(text) = operand.constant() {
                builder.references.knows_backend(text, &id.value.place(), builder.faults);
            }
            let backends = Arc::clone(&builder.references.backends);
            let action = SetBackend { to: Choice::Backend(operand, backends), is_secret: false };
            builder.push(element, Action::SetBackend(action));
        }
        _ => {
            let message = "`set-backend-service` needs either `base-url` or `backend-id`";
            builder.fault(element, message, "give exactly one of them");
        }
    }
}

pub(super) fn rewrite_uri(builder: &mut Builder<'_>, element: &Element) {
    let copy = builder.literal::<bool>(element, "copy-unmatched-params").unwrap_or(true);
    let Some(operand) = builder.attribute::<Arc<str>>(element, "template") else {
        return;
    };
    let target = match operand.constant() {
        None => Target::Computed(operand),
        Some(text) => match Rewrite::parse(text) {
            Ok(template) => Target::Template(template),
            Err(refused) => {
                let attribute = element.attribute("template");
                builder.faults.extend(attribute.map(|attribute| {
                    let fault =
                        Fault::new(attribute.value.place_at(refused.at), refused.to_string());
                    fault.wide(refused.width).mend(refused.problem.remedy())
                }));
                return;
            }
        },
    };
    let is_secret = element.value("template").is_some_and(Text::is_secret);
    let policy = RewriteUri { target, copy_unmatched: copy, is_secret };
    builder.push(element, Action::RewriteUri(policy));
}

pub(super) fn set_query(builder: &mut Builder<'_>, element: &Element) {
    let name = builder.attribute::<Arc<str>>(element, "name");
    let action = read_exists_action(builder, element);
    let values = read_values(builder, element);
    if let (Some(name), Some(action)) = (name, action) {
        if element.element("value").is_none()
            && !matches!(action, ExistsAction::Fixed(Exists::Delete))
        {
            let remedy = "add <value>…</value>, or exists-action=\"delete\"";
            builder.fault(element, "`set-query-parameter` has no `value`", remedy);
        }
        builder.push(element, Action::SetQuery(SetQuery { name, action, values }));
    }
}

pub(super) fn forward(builder: &mut Builder<'_>, element: &Element) {
    let seconds = builder.attribute::<Seconds>(element, "timeout");
    let milliseconds = builder.attribute::<Seconds>(element, "timeout-ms");
    if element.attribute("timeout").is_some() && element.attribute("timeout-ms").is_some() {
        let message = "`timeout` and `timeout-ms` exclude each other";
        builder.fault(element, message, "give one of them");
    }
    let http = builder.literal::<Arc<str>>(element, "http-version").and_then(|word| {
        let version = HttpVersion::of(&word);
        if version.is_none() {
            let message = format!("`http-version` is `{word}`, which is no version of HTTP here");
            builder.fault(element, message, "write `1`, `2` or `2or1`");
        }
        version
    });
    if element.attribute("continue-timeout").is_some() {
        let message = "`continue-timeout` is not supported yet";
        builder.fault(element, message, "take it out");
    }
    // Responses are never buffered without need, so this says nothing new.
    let _ = builder.literal::<bool>(element, "buffer-response");
    let follow = builder.attribute::<bool>(element, "follow-redirects");
    let policy = Forward {
        milliseconds: milliseconds.is_some(),
        timeout: seconds.or(milliseconds),
        wait: FORWARD_TIMEOUT,
        follow_redirects: follow.filter(|follow| follow.constant() != Some(&false)),
        buffer_request_body: builder.literal(element, "buffer-request-body").unwrap_or(false),
        fail_on_error_status: builder
            .literal(element, "fail-on-error-status-code")
            .unwrap_or(false),
        http,
    };
    builder.push(element, Action::Forward(policy));
}

impl SetBackend {
    /// Whether it is known to lead to an app behind Dapr's sidecar.
    pub fn asks_sidecar(&self) -> bool {
        match &self.to {
            Choice::Dapr(_) => true,
            Choice::Backend(id, backends) => {
                let named = id.constant().and_then(|id| backends.get(id));
                named.is_some_and(|backend| backend.is_sidecar)
            }
            Choice::Url(_) | Choice::FixedUrl(_) => false,
        }
    }

    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        exchange.is_target_secret |= self.is_secret;
        if !matches!(self.to, Choice::Dapr(_)) {
            dapr::leave(exchange);
        }
        match &self.to {
            Choice::Dapr(invocation) => {
                invocation.choose(exchange)?;
                return Ok(Flow::Next);
            }
            Choice::FixedUrl(base) => exchange.request.base = Arc::clone(base),
            Choice::Url(url) => {
                let text = url.get(exchange)?;
                let base = BaseUrl::parse(&text).map_err(|refused| {
                    Failure::value(format!("{}: {refused}", url.shown(&text)))
                })?;
                exchange.request.base = Arc::new(base);
            }
            Choice::Backend(id, backends) => {
                let wanted = id.get(exchange)?;
                let backend = backends.get(&wanted).ok_or_else(|| {
                    Failure::value(format!("there is no backend {}", id.shown(&wanted)))
                })?;
                exchange.set_backend(backend);
                return Ok(Flow::Next);
            }
        }
        exchange.unset_backend();
        Ok(Flow::Next)
    }
}

impl RewriteUri {
    /// The parameters that its template asks for.
    pub fn names(&self) -> Vec<&Arc<str>> {
        match &self.target {
            Target::Template(template) => template.names().collect(),
            Target::Computed(_) => Vec::new(),
        }
    }

    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        exchange.is_target_secret |= self.is_secret;
        let computed;
        let template = match &self.target {
            Target::Template(template) => template,
            Target::Computed(operand) => {
                computed = Rewrite::literal(&operand.get(exchange)?);
                &computed
            }
        };
        let filled = template.fill(&exchange.parameters);
        let mut written = filled.map_err(|refused| Failure::value(refused.to_string()))?;
        if self.copy_unmatched
            && let Some(operation) = &exchange.operation
        {
            written.copy_unmatched(&exchange.request.query, &operation.template);
        }
        exchange.request.tail = written.path;
        exchange.request.query = written.query;
        Ok(Flow::Next)
    }
}

impl SetQuery {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let name = self.name.get(exchange)?;
        let exists = self.action.get(exchange)?;
        let mut values = Vec::with_capacity(self.values.len());
        for value in &self.values {
            values.push(value.get(exchange)?);
        }
        let mut query = Query::parse(&exchange.request.query);
        match exists {
            Exists::Delete => {
                query.remove(&name);
            }
            Exists::Skip if query.contains(&name) => (),
            Exists::Override | Exists::Skip | Exists::Append => {
                if exists == Exists::Override {
                    query.remove(&name);
                }
                for value in values {
                    query.append(&name, &value);
                }
            }
        }
        let text = query.to_string();
        exchange.request.query = text;
        Ok(Flow::Next)
    }
}

impl Forward {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        if exchange.request.base.is_nowhere() {
            return Err(Failure {
                source: None,
                reason: Failure::UNREACHED,
                message: NO_BACKEND.to_owned(),
                problem: Problem::failed("no_backend"),
            });
        }
        let is_dapr = dapr::settle(exchange)?;
        exchange.is_forwarded = true;
        let mut evaluated = self.clone();
        if let Some(timeout) = &self.timeout {
            let Seconds(span) = timeout.get(exchange)?;
            evaluated.wait = if self.milliseconds { span / 1000 } else { span };
        }
        if let Some(follow) = &self.follow_redirects {
            let follow = follow.get(exchange)?;
            // An app must not send the gateway to something else at the sidecar.
            let follow = follow && !is_dapr;
            evaluated.follow_redirects = follow.then_some(Operand::Constant(true));
        }
        Ok(Flow::Ask(Effect::Forward(evaluated)))
    }
}
