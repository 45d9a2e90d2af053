//! Policies that change a message or remember something: `set-variable`, `set-header`,
//! `set-body`, `set-method`, `set-status`, `find-and-replace`.

pub mod header;
pub mod links;
pub(super) mod exists;
mod word;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::Body;
use crate::expression::value::Value;
use crate::policy::build::Builder;
use crate::policy::liquid::{self, Template};
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, body_of};
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, Side, coding};

use word::{Language, Nil};

/// `set-variable`.
#[derive(Clone, Debug)]
pub struct SetVariable {
    name: Arc<str>,
    value: Operand<Value>,
}

/// `set-body`.
#[derive(Clone, Debug)]
pub struct SetBody {
    side: Side,
    given: Given,
}

/// What a body is made of.
#[derive(Clone, Debug)]
enum Given {
    Value(Operand<Value>),
    Template(Box<Template>, liquid::Body),
}

/// `set-method`.
#[derive(Clone, Debug)]
pub struct SetMethod {
    method: Operand<Method>,
}

/// `set-status`.
#[derive(Clone, Debug)]
pub struct SetStatus {
    code: Operand<StatusCode>,
    reason: Option<Operand<Arc<str>>>,
}

/// `find-and-replace`.
#[derive(Clone, Debug)]
pub struct FindAndReplace {
    side: Side,
    from: Operand<Arc<str>>,
    to: Operand<Arc<str>>,
}

/// The longest reason phrase, in bytes.
const REASON_BYTES_MAX: usize = 256;

pub(super) fn set_variable(builder: &mut Builder<'_>, element: &Element) {
    let name = builder.literal(element, "name");
    let value = builder.attribute(element, "value");
    if let (Some(name), Some(value)) = (name, value) {
        builder.push(element, Action::SetVariable(SetVariable { name, value }));
    }
}

pub(super) fn set_body(builder: &mut Builder<'_>, element: &Element) {
    let side = builder.section.side();
    if let Some(policy) = read_body(builder, element, side, Some(side)) {
        builder.push(element, Action::SetBody(policy));
    }
}

/// Reads `set-body` for the message `side`, wherever it stands. A template sees the body of `seen`.
pub(super) fn read_body(
    builder: &mut Builder<'_>,
    element: &Element,
    side: Side,
    seen: Option<Side>,
) -> Option<SetBody> {
    let language = match element.attribute("template") {
        Some(_) => builder.literal::<Language>(element, "template")?,
        None => Language::None,
    };
    if language == Language::Liquid {
        let given = read_template(builder, element, seen)?;
        return Some(SetBody { side, given });
    }
    for name in ["xsi-nil", "parse-date"] {
        if element.attribute(name).is_some() {
            let message = format!("`{name}` is about templates, and this is none");
            builder.fault(element, message, "add template=\"liquid\", or take it out");
        }
    }
    let given = Given::Value(builder.body_operand(element)?);
    Some(SetBody { side, given })
}

/// Reads the text that stands in `element`, in the language that `says` has as its `template`. A
/// template sees the message of its section, as expressions do.
pub(super) fn read_text(
    builder: &mut Builder<'_>,
    says: &Element,
    element: &Element,
) -> Option<SetBody> {
    let side = builder.section.side();
    let language = match says.attribute("template") {
        Some(_) => builder.literal::<Language>(says, "template")?,
        None => Language::None,
    };
    let given = match language {
        Language::Liquid => read_template(builder, element, Some(side))?,
        Language::None => Given::Value(builder.body_operand(element)?),
    };
    Some(SetBody { side, given })
}

/// Reads a body that is a template.
fn read_template(
    builder: &mut Builder<'_>,
    element: &Element,
    seen: Option<Side>,
) -> Option<Given> {
    let nil: Nil = match element.attribute("xsi-nil") {
        Some(_) => builder.literal(element, "xsi-nil")?,
        None => Nil::Blank,
    };
    let parse_date = builder.literal(element, "parse-date").unwrap_or(true);
    let template = builder.template(element)?;
    let (reads, side) = (template.reads(), builder.section.side());
    let needs = Needs {
        request_body: reads.body && seen == Some(Side::Request),
        response_body: reads.body && seen == Some(Side::Response),
        response: reads.context && side == Side::Response,
    };
    builder.set_needs(builder.needs().and(needs));
    let body = liquid::Body { side: seen, nil_is_null: nil == Nil::Null, parse_date };
    Some(Given::Template(Box::new(template), body))
}

pub(super) fn set_method(builder: &mut Builder<'_>, element: &Element) {
    if let Some(policy) = read_method(builder, element) {
        builder.push(element, Action::SetMethod(policy));
    }
}

/// Reads `set-method`, wherever it stands.
pub(super) fn read_method(builder: &mut Builder<'_>, element: &Element) -> Option<SetMethod> {
    let method = builder.content_operand::<Method>(element, "the method")?;
    if let Some(constant) = method.constant()
        && is_never_sent(constant)
    {
        let message = format!("the method {constant} is never sent");
        builder.fault(element, message, "choose another one");
    }
    Some(SetMethod { method })
}

/// Whether a method would open a tunnel, or show the request to whoever sends it.
fn is_never_sent(method: &Method) -> bool {
    method == Method::CONNECT || method == Method::TRACE
}

pub(super) fn set_status(builder: &mut Builder<'_>, element: &Element) {
    if let Some(policy) = read_status(builder, element) {
        builder.push(element, Action::SetStatus(policy));
    }
}

/// Reads `set-status`, wherever it stands.
pub(super) fn read_status(builder: &mut Builder<'_>, element: &Element) -> Option<SetStatus> {
    let reason = builder.attribute(element, "reason");
    let code = builder.attribute(element, "code")?;
    Some(SetStatus { code, reason })
}

pub(super) fn find_and_replace(builder: &mut Builder<'_>, element: &Element) {
    let from = builder.attribute(element, "from");
    let to = builder.attribute(element, "to");
    let side = builder.section.side();
    if let (Some(from), Some(to)) = (from, to) {
        let reads = match side {
            Side::Request => Needs { request_body: true, ..Needs::default() },
            Side::Response => Needs { response_body: true, ..Needs::default() },
        };
        let needs = builder.needs().and(reads);
        let policy = FindAndReplace { side, from, to };
        builder.push_with(element, Action::FindAndReplace(policy), needs);
    }
}

impl SetVariable {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let value = self.value.get(exchange)?;
        exchange.variables.set(&self.name, value);
        Ok(Flow::Next)
    }
}

impl SetBody {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let body = self.evaluate(exchange)?;
        match self.side {
            Side::Request => exchange.request.body = body,
            Side::Response => {
                let response = exchange.response_or(StatusCode::OK);
                response.body = body;
                coding::forget_body(&mut response.headers);
            }
        }
        Ok(Flow::Next)
    }

    /// The body, wherever it goes.
    pub(super) fn evaluate(&self, exchange: &mut Exchange) -> Result<Body, Failure> {
        let bytes = match &self.given {
            Given::Value(value) => body_of(&value.get(exchange)?)?,
            Given::Template(template, body) => Bytes::from(template.render(*body, exchange)?),
        };
        Ok(if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) })
    }
}

impl SetMethod {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        exchange.request.method = self.evaluate(exchange)?;
        Ok(Flow::Next)
    }

    /// The method, whichever request gets it.
    pub(super) fn evaluate(&self, exchange: &mut Exchange) -> Result<Method, Failure> {
        let method = self.method.get(exchange)?;
        if is_never_sent(&method) {
            let shown = self.method.shown(&method);
            return Err(Failure::value(format!("the method {shown} is never sent")));
        }
        Ok(method)
    }
}

impl SetStatus {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let (status, phrase) = self.evaluate(exchange)?;
        let response = exchange.response_or(StatusCode::OK);
        response.status = status;
        response.phrase = phrase;
        Ok(Flow::Next)
    }

    /// The status and its phrase, whichever response gets them.
    pub(super) fn evaluate(
        &self,
        exchange: &mut Exchange,
    ) -> Result<(StatusCode, Option<Arc<str>>), Failure> {
        let status = self.code.get(exchange)?;
        let phrase = match &self.reason {
            Some(reason) => Some(reason.get(exchange)?),
            None => None,
        };
        let printable = |text: &Arc<str>| {
            text.len() <= REASON_BYTES_MAX
                && text.bytes().all(|byte| byte == b'\t' || (b' '..0x7f).contains(&byte))
        };
        Ok((status, phrase.filter(printable)))
    }
}

impl FindAndReplace {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let from = self.from.get(exchange)?;
        let to = self.to.get(exchange)?;
        let body = match self.side {
            Side::Request => Some(&mut exchange.request.body),
            Side::Response => exchange.response.as_mut().map(|response| &mut response.body),
        };
        if let Some(body) = body
            && let Some(bytes) = body.bytes()
            && !from.is_empty()
            && let Ok(text) = std::str::from_utf8(bytes)
            && text.contains(from.as_ref())
        {
            *body = Body::Bytes(Bytes::from(text.replace(from.as_ref(), &to)));
            if let (Side::Response, Some(response)) = (self.side, &mut exchange.response) {
                coding::forget_body(&mut response.headers);
            }
        }
        Ok(Flow::Next)
    }
}
