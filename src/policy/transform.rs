//! Policies that change a message or remember something: `set-variable`, `set-header`,
//! `set-body`, `set-method`, `set-status`, `find-and-replace`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, DATE, EXPIRES, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, PROXY_AUTHENTICATE, SET_COOKIE, TRANSFER_ENCODING, USER_AGENT, WARNING,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::{Body, Headers};
use crate::expression::value::Value;
use crate::policy::build::Builder;
use crate::policy::catalog::{
    ANYWHERE, Build, Content, EVERY_SCOPE, Policy, optional, required,
};
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, body_of};
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, Side};

/// `set-variable`: remembers a value for later steps.
pub const SET_VARIABLE: Policy = Policy {
    name: "set-variable",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("name"), required("value").computed()],
    content: Content::Nothing,
    build: Build::Steps(set_variable),
};

/// `set-header`: sets, adds to or removes a field of the message of its section.
pub const SET_HEADER: Policy = Policy {
    name: "set-header",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("name").computed(), optional("exists-action").computed()],
    content: Content::Elements(&["value"]),
    build: Build::Steps(set_header),
};

/// `set-body`: replaces the body of the message of its section.
pub const SET_BODY: Policy = Policy {
    name: "set-body",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[optional("template"), optional("xsi-nil"), optional("parse-date")],
    content: Content::Text,
    build: Build::Steps(set_body),
};

/// `set-method`: the method that the backend gets.
pub const SET_METHOD: Policy = Policy {
    name: "set-method",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[],
    content: Content::Text,
    build: Build::Steps(set_method),
};

/// `set-status`: the status that the client gets.
pub const SET_STATUS: Policy = Policy {
    name: "set-status",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("code").computed(), optional("reason").computed()],
    content: Content::Nothing,
    build: Build::Steps(set_status),
};

/// `find-and-replace`: replaces a text everywhere in the body.
pub const FIND_AND_REPLACE: Policy = Policy {
    name: "find-and-replace",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("from").computed(), required("to").computed()],
    content: Content::Nothing,
    build: Build::Steps(find_and_replace),
};

/// `set-variable`.
#[derive(Debug)]
pub struct SetVariable {
    name: Arc<str>,
    value: Operand<Value>,
}

/// `set-header`.
#[derive(Debug)]
pub struct SetHeader {
    side: Side,
    name: Operand<HeaderName>,
    action: ExistsAction,
    values: Vec<Operand<HeaderValue>>,
}

/// What a `set-header` changes in one exchange.
#[derive(Debug)]
pub(super) struct FieldChange {
    name: HeaderName,
    exists: Exists,
    values: Vec<HeaderValue>,
}

/// What happens to a field or parameter that is there already.
#[derive(Clone, Debug)]
pub(super) enum ExistsAction {
    Fixed(Exists),
    Computed(Operand<Arc<str>>),
}

/// What happens to a field or parameter that is there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exists {
    Override,
    Skip,
    Append,
    Delete,
}

/// `set-body`.
#[derive(Debug)]
pub struct SetBody {
    side: Side,
    value: Operand<Value>,
}

/// `set-method`.
#[derive(Debug)]
pub struct SetMethod {
    method: Operand<Method>,
}

/// `set-status`.
#[derive(Debug)]
pub struct SetStatus {
    code: Operand<StatusCode>,
    reason: Option<Operand<Arc<str>>>,
}

/// `find-and-replace`.
#[derive(Debug)]
pub struct FindAndReplace {
    side: Side,
    from: Operand<Arc<str>>,
    to: Operand<Arc<str>>,
}

/// Fields that belong to the connection or to the length of the message: the gateway's own.
const FRAMING_FIELDS: [HeaderName; 4] =
    [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")];

/// Fields whose values are never joined with commas: lists of challenges and cookies, and fields
/// whose values hold commas themselves.
const REPEATED_FIELDS: [HeaderName; 11] = [
    USER_AGENT,
    WWW_AUTHENTICATE,
    PROXY_AUTHENTICATE,
    COOKIE,
    SET_COOKIE,
    WARNING,
    DATE,
    EXPIRES,
    LAST_MODIFIED,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
];

/// The longest reason phrase, in bytes.
const REASON_BYTES_MAX: usize = 256;

fn set_variable(builder: &mut Builder<'_>, element: &Element) {
    let name = builder.literal(element, "name");
    let value = builder.attribute(element, "value");
    if let (Some(name), Some(value)) = (name, value) {
        builder.push(element, Action::SetVariable(SetVariable { name, value }));
    }
}

fn set_header(builder: &mut Builder<'_>, element: &Element) {
    let side = builder.section.side();
    if let Some(policy) = read_header(builder, element, side) {
        builder.push(element, Action::SetHeader(policy));
    }
}

/// Reads `set-header` for the message `side`, wherever it stands.
pub(super) fn read_header(
    builder: &mut Builder<'_>,
    element: &Element,
    side: Side,
) -> Option<SetHeader> {
    let name = builder.attribute::<HeaderName>(element, "name")?;
    if let Some(name) = name.constant()
        && FRAMING_FIELDS.contains(name)
    {
        let message = format!("`{name}` cannot be changed: the gateway sets it");
        builder.fault(element, message, "take the policy out");
    }
    let action = read_exists_action(builder, element)?;
    let values = read_values(builder, element);
    if element.element("value").is_none()
        && !matches!(action, ExistsAction::Fixed(Exists::Delete))
    {
        let remedy = "add <value>…</value>, or exists-action=\"delete\"";
        builder.fault(element, "`set-header` has no `value`", remedy);
    }
    Some(SetHeader { side, name, action, values })
}

/// Reads the `value` elements.
pub(super) fn read_values<T: super::operand::Term>(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Vec<Operand<T>> {
    let mut values = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == "value") {
        builder.child(child, &[]);
        values.extend(builder.content_operand(child, "`value`"));
    }
    values
}

/// Reads `exists-action`.
pub(super) fn read_exists_action(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<ExistsAction> {
    let Some(attribute) = element.attribute("exists-action") else {
        return Some(ExistsAction::Fixed(Exists::Override));
    };
    let word = builder.attribute::<Arc<str>>(element, "exists-action")?;
    let Some(constant) = word.constant() else {
        return Some(ExistsAction::Computed(word));
    };
    let exists = Exists::parse(constant);
    if exists.is_none() {
        let place = attribute.value.place();
        let fault = crate::fault::Fault::new(place, format!("`{constant}` is no `exists-action`"));
        let fault = fault.wide(attribute.value.width());
        builder.faults.push(fault.mend("use override, skip, append or delete"));
    }
    exists.map(ExistsAction::Fixed)
}

fn set_body(builder: &mut Builder<'_>, element: &Element) {
    let side = builder.section.side();
    if let Some(policy) = read_body(builder, element, side) {
        builder.push(element, Action::SetBody(policy));
    }
}

/// Reads `set-body` for the message `side`, wherever it stands.
pub(super) fn read_body(
    builder: &mut Builder<'_>,
    element: &Element,
    side: Side,
) -> Option<SetBody> {
    if let Some(template) = element.attribute("template") {
        let message = format!("the template `{}` is not supported yet", template.value.as_str());
        builder.fault(element, message, "write the body as text or as an expression");
        return None;
    }
    for name in ["xsi-nil", "parse-date"] {
        if element.attribute(name).is_some() {
            let message = format!("`{name}` belongs to templates, which are not supported yet");
            builder.fault(element, message, "take it out");
        }
    }
    let value = builder.body_operand(element)?;
    Some(SetBody { side, value })
}

fn set_method(builder: &mut Builder<'_>, element: &Element) {
    if let Some(method) = builder.content_operand::<Method>(element, "the method") {
        if let Some(constant) = method.constant()
            && is_never_sent(constant)
        {
            let message = format!("the method {constant} is never sent");
            builder.fault(element, message, "choose another one");
        }
        builder.push(element, Action::SetMethod(SetMethod { method }));
    }
}

/// Whether a method would open a tunnel, or show the request to whoever sends it.
fn is_never_sent(method: &Method) -> bool {
    method == Method::CONNECT || method == Method::TRACE
}

fn set_status(builder: &mut Builder<'_>, element: &Element) {
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

fn find_and_replace(builder: &mut Builder<'_>, element: &Element) {
    let from = builder.attribute(element, "from");
    let to = builder.attribute(element, "to");
    let side = builder.section.side();
    if let (Some(from), Some(to)) = (from, to) {
        let reads = match side {
            Side::Request => Needs { request_body: true, response_body: false },
            Side::Response => Needs { request_body: false, response_body: true },
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

impl ExistsAction {
    pub(super) fn get(&self, exchange: &mut Exchange) -> Result<Exists, Failure> {
        match self {
            Self::Fixed(exists) => Ok(*exists),
            Self::Computed(word) => {
                let word = word.get(exchange)?;
                Exists::parse(&word)
                    .ok_or_else(|| Failure::value(format!("`{word}` is no `exists-action`")))
            }
        }
    }
}

impl Exists {
    fn parse(word: &str) -> Option<Self> {
        match word.trim() {
            "override" => Some(Self::Override),
            "skip" => Some(Self::Skip),
            "append" => Some(Self::Append),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

impl SetHeader {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let change = self.evaluate(exchange)?;
        change.apply(match self.side {
            Side::Request => &mut exchange.request.headers,
            Side::Response => &mut exchange.response_or(StatusCode::OK).headers,
        });
        Ok(Flow::Next)
    }

    /// What it changes, wherever that is applied.
    pub(super) fn evaluate(&self, exchange: &mut Exchange) -> Result<FieldChange, Failure> {
        let name = self.name.get(exchange)?;
        if FRAMING_FIELDS.contains(&name) {
            return Err(Failure::value(format!("`{name}` cannot be changed")));
        }
        let exists = self.action.get(exchange)?;
        let mut values = Vec::with_capacity(self.values.len());
        for value in &self.values {
            values.push(value.get(exchange)?);
        }
        Ok(FieldChange { name, exists, values })
    }
}

impl FieldChange {
    pub(super) fn apply(self, headers: &mut Headers) {
        apply(headers, &self.name, self.exists, self.values);
    }
}

fn apply(headers: &mut Headers, name: &HeaderName, exists: Exists, values: Vec<HeaderValue>) {
    match exists {
        Exists::Delete => headers.remove(name),
        Exists::Skip if headers.map().contains_key(name) => (),
        Exists::Append => {
            let old: Vec<_> = headers.map().get_all(name).iter().cloned().collect();
            replace(headers, name, old.into_iter().chain(values).collect());
        }
        Exists::Override | Exists::Skip => replace(headers, name, values),
    }
}

fn replace(headers: &mut Headers, name: &HeaderName, values: Vec<HeaderValue>) {
    if values.len() <= 1 || REPEATED_FIELDS.contains(name) {
        headers.remove(name);
        for value in values {
            headers.append(name, value);
        }
        return;
    }
    let parts: Vec<&[u8]> = values.iter().map(HeaderValue::as_bytes).collect();
    // Field values joined with a comma are a field value again.
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b","[..])) {
        headers.set(name, joined);
    }
}

impl SetBody {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let body = self.evaluate(exchange)?;
        match self.side {
            Side::Request => exchange.request.body = body,
            Side::Response => exchange.response_or(StatusCode::OK).body = body,
        }
        Ok(Flow::Next)
    }

    /// The body, wherever it goes.
    pub(super) fn evaluate(&self, exchange: &mut Exchange) -> Result<Body, Failure> {
        let bytes = body_of(&self.value.get(exchange)?)?;
        Ok(if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) })
    }
}

impl SetMethod {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let method = self.method.get(exchange)?;
        if is_never_sent(&method) {
            return Err(Failure::value(format!("the method {method} is never sent")));
        }
        exchange.request.method = method;
        Ok(Flow::Next)
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
        }
        Ok(Flow::Next)
    }
}
