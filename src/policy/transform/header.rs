//! `set-header`: sets, adds to or removes a field of the message of its section.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, DATE, EXPIRES, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, PROXY_AUTHENTICATE, SET_COOKIE, TRANSFER_ENCODING, USER_AGENT, WARNING,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::Headers;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;
use crate::policy::transform::exists::{Exists, ExistsAction, read_exists_action, read_values};
use crate::policy::{Failure, Side};

/// `set-header`.
#[derive(Clone, Debug)]
pub struct SetHeader {
    side: Side,
    name: Operand<HeaderName>,
    action: ExistsAction,
    values: Vec<Operand<HeaderValue>>,
}

/// What a `set-header` changes in one exchange.
#[derive(Clone, Debug)]
pub(in crate::policy) struct FieldChange {
    name: HeaderName,
    exists: Exists,
    values: Vec<HeaderValue>,
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

pub(in crate::policy) fn set_header(builder: &mut Builder<'_>, element: &Element) {
    let side = builder.section.side();
    if let Some(policy) = read_header(builder, element, side) {
        builder.push(element, Action::SetHeader(policy));
    }
}

/// Reads `set-header` for the message `side`, wherever it stands.
pub(in crate::policy) fn read_header(
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
    if element.element("value").is_none() && !matches!(action, ExistsAction::Fixed(Exists::Delete))
    {
        let remedy = "add <value>…</value>, or exists-action=\"delete\"";
        builder.fault(element, "`set-header` has no `value`", remedy);
    }
    Some(SetHeader { side, name, action, values })
}

impl SetHeader {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        // What most of them are takes the short way: one value in the place of all others.
        if let (Operand::Constant(name), ExistsAction::Fixed(Exists::Override), [value]) =
            (&self.name, &self.action, self.values.as_slice())
        {
            let value = value.get(exchange)?;
            self.headers(exchange).set(name, value);
            return Ok(Flow::Next);
        }
        let change = self.evaluate(exchange)?;
        change.apply(self.headers(exchange));
        Ok(Flow::Next)
    }

    /// The fields that it changes.
    fn headers<'e>(&self, exchange: &'e mut Exchange) -> &'e mut Headers {
        match self.side {
            Side::Request => &mut exchange.request.headers,
            Side::Response => &mut exchange.response_or(StatusCode::OK).headers,
        }
    }

    /// Whether what it does depends on what the response holds already.
    pub(in crate::policy) const fn looks_at_response(&self) -> bool {
        let only_replaces =
            matches!(self.action, ExistsAction::Fixed(Exists::Override | Exists::Delete));
        matches!(self.side, Side::Response) && !only_replaces
    }

    /// What it changes, wherever that is applied.
    pub(in crate::policy) fn evaluate(
        &self,
        exchange: &mut Exchange,
    ) -> Result<FieldChange, Failure> {
        let name = self.name.get(exchange)?;
        if FRAMING_FIELDS.contains(&name) {
            return Err(Failure::value(format!("{} cannot be changed", self.name.shown(&name))));
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
    pub(in crate::policy) fn apply(self, headers: &mut Headers) {
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

fn replace(headers: &mut Headers, name: &HeaderName, mut values: Vec<HeaderValue>) {
    if values.len() == 1
        && let Some(value) = values.pop()
    {
        headers.set(name, value);
        return;
    }
    if values.is_empty() || REPEATED_FIELDS.contains(name) {
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
