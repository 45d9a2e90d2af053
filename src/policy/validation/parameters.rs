//! `validate-parameters` and `validate-headers`.
//!
//! A value is a text on the wire: it is taken for what its schema says (a number, a list of values
//! with commas between them, JSON), and held against the schema then. Fields that belong to HTTP
//! itself, and what carries the subscription key, are no parameters: they are looked at only where
//! the operation names them.

mod field;
mod value;

use std::sync::Arc;

use super::Verdict;
use super::report::{Finding, PUBLIC, report};
use crate::exchange::Exchange;
use crate::exchange::contents::{Message, Parameter};
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;
use crate::policy::{Failure, Side};
use crate::route::url;
use crate::schema::Schema;
use crate::schema::dialect::Variant;

use field::fields;
use value::as_said;

/// `validate-parameters`.
#[derive(Clone, Debug)]
pub struct ValidateParameters {
    headers: Group,
    query: Group,
    path: Group,
    variable: Option<Arc<str>>,
}

/// `validate-headers`.
#[derive(Clone, Debug)]
pub struct ValidateHeaders {
    headers: Group,
    variable: Option<Arc<str>>,
}

/// What becomes of the parameters of one place.
#[derive(Clone, Debug)]
struct Group {
    specified: Operand<Verdict>,
    unspecified: Operand<Verdict>,
    /// Of parameters by name.
    named: Vec<(Arc<str>, Operand<Verdict>)>,
    place: Place,
}

/// Where parameters stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Query,
    Path,
    RequestHeader,
    ResponseHeader,
}

pub(in crate::policy) fn validate_parameters(builder: &mut Builder<'_>, element: &Element) {
    let specified = builder.attribute(element, "specified-parameter-action");
    let unspecified = builder.attribute(element, "unspecified-parameter-action");
    let variable = builder.literal(element, "errors-variable-name");
    let (Some(specified), Some(unspecified)) = (specified, unspecified) else { return };
    let group = |place| Group {
        specified: specified.clone(),
        unspecified: unspecified.clone(),
        named: Vec::new(),
        place,
    };
    let mut policy = ValidateParameters {
        headers: group(Place::RequestHeader),
        query: group(Place::Query),
        path: group(Place::Path),
        variable,
    };
    let mut known: Vec<Arc<str>> = Vec::new();
    for child in element.elements() {
        let group = match child.name.as_ref() {
            "headers" => &mut policy.headers,
            "query" => &mut policy.query,
            "path" => &mut policy.path,
            // The catalogue reports the others.
            _ => continue,
        };
        if known.contains(&child.name) {
            let message = format!("`{}` stands here a second time", child.name);
            builder.fault(child, message, "merge the two");
        }
        known.push(Arc::clone(&child.name));
        group.read(builder, child, ("specified-parameter-action", "unspecified-parameter-action"));
        group.names(builder, child, "parameter");
    }
    builder.push(element, Action::ValidateParameters(Box::new(policy)));
}

pub(in crate::policy) fn validate_headers(builder: &mut Builder<'_>, element: &Element) {
    let specified = builder.attribute(element, "specified-header-action");
    let unspecified = builder.attribute(element, "unspecified-header-action");
    let variable = builder.literal(element, "errors-variable-name");
    let (Some(specified), Some(unspecified)) = (specified, unspecified) else { return };
    let place = Place::ResponseHeader;
    let mut headers = Group { specified, unspecified, named: Vec::new(), place };
    headers.names(builder, element, "header");
    let policy = ValidateHeaders { headers, variable };
    builder.push(element, Action::ValidateHeaders(Box::new(policy)));
}

impl ValidateParameters {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let mut findings = Vec::new();
        let contents = exchange.operation.as_ref().map(|operation| Arc::clone(&operation.contents));
        let contents = contents.unwrap_or_default();
        let (key_header, key_query) = match &exchange.api {
            Some(api) => (Arc::clone(&api.key_header), Arc::clone(&api.key_query)),
            None => (Arc::from(""), Arc::from("")),
        };
        let query: Vec<(String, String)> = url::parameters(&exchange.request.query)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .filter(|(name, _)| **name != *key_query)
            .collect();
        let mut path: Vec<(String, String)> = Vec::new();
        for parameter in exchange.parameters.iter() {
            path.push((parameter.name.to_owned(), parameter.value.to_owned()));
        }
        let headers = fields(exchange.request.headers.map(), &contents.request, &key_header);
        findings.extend(self.path.judge(&contents.path, &path, &[], exchange)?);
        findings.extend(self.query.judge(&contents.query, &query, &path, exchange)?);
        let own = &contents.request.headers;
        findings.extend(self.headers.judge(own, &headers, &[], exchange)?);
        let variable = self.variable.as_ref();
        report("validate-parameters", Side::Request, &findings, variable, exchange)
    }
}

impl ValidateHeaders {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(response) = &exchange.response else { return Ok(Flow::Next) };
        let contents = exchange.operation.as_ref().map(|operation| Arc::clone(&operation.contents));
        let contents = contents.unwrap_or_default();
        let none = Message::default();
        let message = contents.response(response.status).unwrap_or(&none);
        let headers = fields(response.headers.map(), message, "");
        let findings = self.headers.judge(&message.headers, &headers, &[], exchange)?;
        let variable = self.variable.as_ref();
        report("validate-headers", Side::Response, &findings, variable, exchange)
    }
}

impl Group {
    /// Reads the actions of a group, where it has its own.
    fn read(&mut self, builder: &mut Builder<'_>, element: &Element, names: (&str, &str)) {
        if let Some(specified) = builder.attribute(element, names.0) {
            self.specified = specified;
        }
        if let Some(unspecified) = builder.attribute(element, names.1) {
            self.unspecified = unspecified;
        }
    }

    /// Reads the actions of single parameters, the children called `called`.
    fn names(&mut self, builder: &mut Builder<'_>, element: &Element, called: &str) {
        for child in element.elements().filter(|child| child.name.as_ref() == called) {
            let name = builder.literal::<Arc<str>>(child, "name");
            let action = builder.attribute(child, "action");
            let (Some(name), Some(action)) = (name, action) else { continue };
            if self.named.iter().any(|(known, _)| self.place.is_same(known, &name)) {
                let message = format!("`{name}` stands here a second time");
                builder.fault(child, message, "keep one of the two");
            }
            self.named.push((name, action));
        }
    }

    /// Judges `values` by what is `known`; those of `elsewhere` are known, but looked at there, if
    /// it is these that stand there.
    fn judge(
        &self,
        known: &[Parameter],
        values: &[(String, String)],
        elsewhere: &[(String, String)],
        exchange: &mut Exchange,
    ) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for parameter in known {
            let named = |(name, _): &&(String, String)| self.place.is_same(name, &parameter.name);
            let mut own = values.iter().filter(named);
            let wrong = match (own.next(), own.next()) {
                (None, _) if parameter.is_required => {
                    Some(format!("{} {} is missing.", self.place.title(), parameter.name))
                }
                (None, _) => None,
                (Some(_), Some(_)) => Some(format!(
                    "{} cannot contain multiple values for the {} {}.",
                    self.place.message(),
                    self.place.called(),
                    parameter.name
                )),
                (Some((_, value)), None) => parameter
                    .schema
                    .as_ref()
                    .and_then(|schema| self.place.wrong(schema, &parameter.name, value)),
            };
            if let Some(details) = wrong {
                let verdict = self.verdict(&parameter.name, &self.specified, exchange)?;
                findings.extend(self.finding(
                    &parameter.name,
                    "IncorrectMessage",
                    details,
                    verdict,
                ));
            }
        }
        let mut told: Vec<&str> = Vec::new();
        for (name, value) in values {
            let is_known = known.iter().any(|it| self.place.is_same(&it.name, name))
                || elsewhere.iter().any(|(other, there)| other == name && there == value);
            if is_known || self.place == Place::Path || told.contains(&name.as_str()) {
                continue;
            }
            told.push(name);
            let details = format!("Unspecified {} {name} is not allowed.", self.place.called());
            let verdict = self.verdict(name, &self.unspecified, exchange)?;
            findings.extend(self.finding(name, "Unspecified", details, verdict));
        }
        Ok(findings)
    }

    fn verdict(
        &self,
        name: &str,
        usual: &Operand<Verdict>,
        exchange: &mut Exchange,
    ) -> Result<Verdict, Failure> {
        let own = self.named.iter().find(|(known, _)| self.place.is_same(known, name));
        own.map_or(usual, |(_, action)| action).get(exchange)
    }

    fn finding(
        &self,
        name: &str,
        rule: &'static str,
        details: String,
        verdict: Verdict,
    ) -> Option<Finding> {
        let public = match self.place {
            Place::ResponseHeader => PUBLIC.to_owned(),
            Place::Query | Place::Path | Place::RequestHeader => details.clone(),
        };
        let (name, kind) = (name.to_owned(), self.place.kind());
        let finding = Finding { name, kind, rule, details, public, verdict };
        (verdict != Verdict::Ignore).then_some(finding)
    }
}

impl Place {
    const fn kind(self) -> &'static str {
        match self {
            Self::Query => "QueryParameter",
            Self::Path => "PathParameter",
            Self::RequestHeader => "RequestHeader",
            Self::ResponseHeader => "ResponseHeader",
        }
    }

    const fn called(self) -> &'static str {
        match self {
            Self::Query => "query parameter",
            Self::Path => "path parameter",
            Self::RequestHeader | Self::ResponseHeader => "header",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Query => "Query parameter",
            Self::Path => "Path parameter",
            Self::RequestHeader | Self::ResponseHeader => "Header",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::ResponseHeader => "Response",
            Self::Query | Self::Path | Self::RequestHeader => "Request",
        }
    }

    /// Whether two names are the same here.
    fn is_same(self, one: &str, other: &str) -> bool {
        match self {
            Self::Query | Self::Path => one == other,
            Self::RequestHeader | Self::ResponseHeader => one.eq_ignore_ascii_case(other),
        }
    }

    /// What is wrong with the value of a parameter.
    fn wrong(self, schema: &Schema, name: &str, value: &str) -> Option<String> {
        let mut first = None;
        for read in as_said(value, schema.types()) {
            match schema.findings(&read, Variant::default()) {
                Ok(findings) => match findings.into_iter().next() {
                    None => return None,
                    Some(finding) => first = first.or(Some(finding)),
                },
                Err(wrong) => first = first.or(Some(format!("its schema {}", wrong.0))),
            }
        }
        let called = self.called();
        let Some(first) = first else {
            return Some(format!(
                "Value of the {called} {name} cannot be parsed according to the definition."
            ));
        };
        Some(format!("Value of the {called} {name} does not conform to the definition.\n\n{first}"))
    }
}
