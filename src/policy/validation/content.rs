//! `validate-content`.
//!
//! The type of a body is what `Content-Type` says, or what `content-type-map` puts in its place. A
//! body is held against the schema that the operation names for its type, or against one of the
//! configuration's `schemas`. One that is larger than `max-size` is not read. Without a body there is
//! nothing to judge.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::Verdict;
use super::report::{Finding, PUBLIC, report};
use super::word::ValidateAs;
use crate::exchange::Exchange;
use crate::exchange::contents::{Message, essence};
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, Side};
use crate::schema::Schema;
use crate::schema::dialect::{self, Variant};

/// The largest body that may be validated, in bytes.
pub const SIZE_MAX: u64 = 4 << 20;

/// `validate-content`.
#[derive(Clone, Debug)]
pub struct ValidateContent {
    side: Side,
    unspecified: Operand<Verdict>,
    size: Operand<u64>,
    too_large: Operand<Verdict>,
    variable: Option<Arc<str>>,
    map: Map,
    contents: Vec<Validated>,
}

/// `content-type-map`.
#[derive(Clone, Debug, Default)]
struct Map {
    any: Option<Operand<Arc<str>>>,
    missing: Option<Operand<Arc<str>>>,
    types: Vec<(When, Operand<Arc<str>>)>,
}

/// When a type takes the place of another.
#[derive(Clone, Debug)]
enum When {
    From(Operand<Arc<str>>),
    Holds(Operand<bool>),
}

/// `content`.
#[derive(Clone, Debug)]
struct Validated {
    /// In small letters; none for all types that the operation names.
    kind: Option<Arc<str>>,
    /// One of the configuration's; none for the operation's.
    schema: Option<Schema>,
    action: Operand<Verdict>,
    variant: Variant,
}

pub(in crate::policy) fn validate_content(builder: &mut Builder<'_>, element: &Element) {
    let unspecified = builder.attribute(element, "unspecified-content-type-action");
    let size = builder.attribute::<u64>(element, "max-size");
    let too_large = builder.attribute(element, "size-exceeded-action");
    let variable = builder.literal(element, "errors-variable-name");
    if let Some(Operand::Constant(size)) = &size
        && SIZE_MAX < *size
    {
        let message = format!("`max-size` is more than {SIZE_MAX} bytes");
        builder.fault(element, message, "larger bodies are not validated");
    }
    let mut map = Map::default();
    let mut contents: Vec<Validated> = Vec::new();
    for child in element.elements() {
        match child.name.as_ref() {
            "content-type-map" => map = read_map(builder, child),
            "content" => {
                let Some(content) = read_content(builder, child) else { continue };
                if contents.iter().any(|other| other.kind == content.kind) {
                    let message = "a `content` of this type stands here a second time";
                    builder.fault(child, message, "keep one of the two");
                }
                contents.push(content);
            }
            // The catalogue reports the others.
            _ => (),
        }
    }
    let whose = builder.section.side();
    let needs = builder.needs().and(match whose {
        Side::Request => Needs { request_body: true, ..Needs::default() },
        Side::Response => Needs { response_body: true, ..Needs::default() },
    });
    if let (Some(unspecified), Some(size), Some(too_large)) = (unspecified, size, too_large) {
        let policy =
            ValidateContent { side: whose, unspecified, size, too_large, variable, map, contents };
        builder.push_with(element, Action::ValidateContent(Box::new(policy)), needs);
    }
}

fn read_map(builder: &mut Builder<'_>, element: &Element) -> Map {
    let mut map = Map {
        any: builder.attribute(element, "any-content-type-value"),
        missing: builder.attribute(element, "missing-content-type-value"),
        types: Vec::new(),
    };
    for child in element.elements().filter(|child| child.name.as_ref() == "type") {
        let to = builder.attribute(child, "to");
        let from = builder.attribute(child, "from").map(When::From);
        let when = builder.attribute(child, "when").map(When::Holds);
        let (from, when) = match (from, when) {
            (Some(_), Some(_)) => {
                builder.fault(child, "`type` has both `from` and `when`", "keep one of the two");
                continue;
            }
            (None, None) if child.attribute("from").or(child.attribute("when")).is_none() => {
                builder.fault(child, "`type` has neither `from` nor `when`", "add one of the two");
                continue;
            }
            pair => pair,
        };
        if let (Some(when), Some(to)) = (from.or(when), to) {
            map.types.push((when, to));
        }
    }
    map
}

fn read_content(builder: &mut Builder<'_>, element: &Element) -> Option<Validated> {
    let kind = builder.literal::<Arc<str>>(element, "type");
    let validate_as = builder.literal::<ValidateAs>(element, "validate-as");
    let action = builder.attribute(element, "action");
    let additional = builder.literal(element, "allow-additional-properties");
    let ignores_case = builder.literal(element, "case-insensitive-property-names");
    let id = builder.literal::<Arc<str>>(element, "schema-id");
    let pointer = builder.literal::<Arc<str>>(element, "schema-ref");
    if validate_as? == ValidateAs::Xml {
        let message = "XML is not validated: there is no processor of XSD in Rust that is whole and \
                       well kept";
        builder.fault(element, message, "take it out, or turn the body into JSON first");
        return None;
    }
    let variant = Variant { additional, ignores_case: ignores_case.unwrap_or(false) };
    let schema = match (&id, &pointer) {
        (None, None) => None,
        (None, Some(_)) => {
            builder.fault(element, "`schema-ref` needs `schema-id`", "add schema-id=\"…\"");
            return None;
        }
        (Some(id), _) => {
            let place = element.attribute("schema-id").map(|it| it.value.place());
            let place = place.unwrap_or_else(|| element.place.clone());
            let pointer = pointer.as_deref().unwrap_or("#");
            if variant != Variant::default() && !dialect::is_reread(pointer) {
                let message = format!("what `{pointer}` leads to is read as it stands");
                let remedy = "put the schema below #/components/schemas, or take \
                              `allow-additional-properties` and `case-insensitive-property-names` out";
                builder.fault(element, message, remedy);
                return None;
            }
            let found = builder.references.schema(id, pointer, &place, builder.faults)?;
            if let Err(wrong) = found.prepare(variant) {
                let message = format!("the schema `{id}` {}", wrong.0);
                builder.fault(element, message, "take out what the policy asks for beside it");
                return None;
            }
            Some(found)
        }
    };
    let kind = kind.map(|kind| essence(&kind)).filter(|kind| !kind.is_empty()).map(Arc::from);
    Some(Validated { kind, schema, action: action?, variant })
}

impl ValidateContent {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let mut findings = Vec::new();
        if let Some(body) = self.body(exchange) {
            self.judge(&body, exchange, &mut findings)?;
        }
        report("validate-content", self.side, &findings, self.variable.as_ref(), exchange)
    }

    fn body(&self, exchange: &Exchange) -> Option<Bytes> {
        let body = match self.side {
            Side::Request => &exchange.request.body,
            Side::Response => &exchange.response.as_ref()?.body,
        };
        body.bytes().filter(|bytes| !bytes.is_empty()).cloned()
    }

    fn judge(
        &self,
        body: &Bytes,
        exchange: &mut Exchange,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let most = self.size.get(exchange)?.min(SIZE_MAX);
        if most < u64::try_from(body.len()).unwrap_or(u64::MAX) {
            let verdict = self.too_large.get(exchange)?;
            let (whose, size) = (self.whose(), body.len());
            let long = format!("{whose}'s body is {size} bytes long and it exceeds the");
            let details = format!("{long} configured limit of {most} bytes.");
            let public = format!("{long} limit of {most} bytes.");
            findings.extend(self.finding("", "SizeLimit", (details, public), verdict));
            return Ok(());
        }
        let kind = self.kind(exchange)?;
        let contents = exchange.operation.as_ref().map(|operation| Arc::clone(&operation.contents));
        let contents = contents.unwrap_or_default();
        let none = Message::default();
        let message = match (self.side, &exchange.response) {
            (Side::Request, _) => &contents.request,
            (Side::Response, Some(response)) => contents.response(response.status).unwrap_or(&none),
            (Side::Response, None) => &none,
        };
        let known = message.body(&kind);
        let own = self.contents.iter().find(|it| it.kind.as_deref() == Some(&*kind));
        let general = || self.contents.iter().find(|it| it.kind.is_none());
        let Some(content) = own.or_else(|| known.and_then(|_| general())) else {
            if known.is_none() {
                let details = format!("Unspecified content type {kind} is not allowed.");
                let verdict = self.unspecified.get(exchange)?;
                findings.extend(self.finding(
                    &kind,
                    "Unspecified",
                    (details.clone(), details),
                    verdict,
                ));
            }
            return Ok(());
        };
        let verdict = content.action.get(exchange)?;
        if verdict == Verdict::Ignore {
            return Ok(());
        }
        let schema = content.schema.as_ref().or_else(|| known?.schema.as_ref());
        let Some(schema) = schema else {
            let details = format!(
                "API's schema does not contain a definition, which is associated with the content \
                 type {kind}."
            );
            let public = PUBLIC.to_owned();
            findings.extend(self.finding(&kind, "MissingDefinition", (details, public), verdict));
            return Ok(());
        };
        findings.extend(self.hold((schema, content.variant), (&kind, body), verdict));
        Ok(())
    }

    /// Holds a body against its schema.
    fn hold(
        &self,
        (schema, variant): (&Schema, Variant),
        (kind, body): (&str, &Bytes),
        verdict: Verdict,
    ) -> Vec<Finding> {
        let what = format!(
            "Body of the {} does not conform to the definition {}, which is associated with the \
             content type {kind}.",
            self.called(),
            schema.name()
        );
        let told = match serde_json::from_slice(body) {
            Ok(value) => schema.findings(&value, variant),
            Err(error) => Ok(vec![format!("The body is no JSON: {error}.")]),
        };
        match told {
            Ok(told) => {
                let incorrect = |finding: String| {
                    let details = format!("{what}\n\n{finding}");
                    let texts = (details.clone(), details);
                    self.finding(kind, "IncorrectMessage", texts, verdict)
                };
                told.into_iter().filter_map(incorrect).collect()
            }
            Err(wrong) => {
                let details = format!(
                    "Body of the {} cannot be validated for the content type {kind}.\n\nThe schema {}.",
                    self.called(),
                    wrong.0
                );
                let texts = (details, PUBLIC.to_owned());
                self.finding("", "ValidationException", texts, verdict).into_iter().collect()
            }
        }
    }

    /// The type that the body is taken for.
    fn kind(&self, exchange: &mut Exchange) -> Result<String, Failure> {
        if let Some(any) = &self.map.any {
            return Ok(essence(&any.get(exchange)?));
        }
        let headers = match (self.side, &exchange.response) {
            (Side::Request, _) => Some(&exchange.request.headers),
            (Side::Response, response) => response.as_ref().map(|response| &response.headers),
        };
        let said = headers.and_then(|headers| headers.text(&CONTENT_TYPE)).unwrap_or_default();
        let said = essence(said);
        if said.is_empty()
            && let Some(missing) = &self.map.missing
        {
            return Ok(essence(&missing.get(exchange)?));
        }
        for (when, to) in &self.map.types {
            let is_so = match when {
                When::From(from) => essence(&from.get(exchange)?) == said,
                When::Holds(condition) => condition.get(exchange)?,
            };
            if is_so {
                return Ok(essence(&to.get(exchange)?));
            }
        }
        Ok(said)
    }

    fn finding(
        &self,
        name: &str,
        rule: &'static str,
        (details, public): (String, String),
        verdict: Verdict,
    ) -> Option<Finding> {
        let kind = match self.side {
            Side::Request => "RequestBody",
            Side::Response => "ResponseBody",
        };
        let finding = Finding { name: name.to_owned(), kind, rule, details, public, verdict };
        (verdict != Verdict::Ignore).then_some(finding)
    }

    const fn whose(&self) -> &'static str {
        match self.side {
            Side::Request => "Request",
            Side::Response => "Response",
        }
    }

    const fn called(&self) -> &'static str {
        match self.side {
            Side::Request => "request",
            Side::Response => "response",
        }
    }
}
