//! Policies that let a request in by what it carries or where it comes from: `check-header`,
//! `ip-filter`.

mod address;
pub mod basic;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::secrets::HIDDEN;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;
use crate::problem::Problem;

use address::{Address, Span};

/// `check-header`.
#[derive(Clone, Debug)]
pub struct CheckHeader {
    name: Operand<HeaderName>,
    /// The name as messages show it: as the policy writes it, where it is a constant, and not at
    /// all where a secret is part of it.
    written: Option<Arc<str>>,
    status: Operand<StatusCode>,
    message: Operand<Arc<str>>,
    ignore_case: Operand<bool>,
    /// Any of these; none: any value that is not empty.
    values: Vec<Operand<Arc<str>>>,
}

/// `ip-filter`.
#[derive(Clone, Debug)]
pub struct IpFilter {
    action: Operand<FilterAction>,
    spans: Vec<Span>,
    addresses: Vec<Operand<Address>>,
}

/// What happens to the addresses of an `ip-filter`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FilterAction {
    Allow,
    Forbid,
}

pub(super) fn check_header(builder: &mut Builder<'_>, element: &Element) {
    let mut values = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == "value") {
        values.extend(builder.content_operand(child, "`value`"));
    }
    let name = builder.attribute::<HeaderName>(element, "name");
    let is_constant = name.as_ref().is_some_and(|name| name.constant().is_some());
    let written = element.value("name").and_then(|text| {
        let shown = if text.is_secret() { HIDDEN } else { text.as_str().trim() };
        let is_written = text.is_secret() || is_constant && !text.is_expression();
        is_written.then(|| Arc::from(shown))
    });
    let status = builder.attribute(element, "failed-check-httpcode");
    let message = builder.attribute(element, "failed-check-error-message");
    let ignore_case = builder.attribute(element, "ignore-case");
    if let (Some(name), Some(status), Some(message), Some(ignore_case)) =
        (name, status, message, ignore_case)
    {
        let policy = CheckHeader { name, written, status, message, ignore_case, values };
        builder.push(element, Action::CheckHeader(Box::new(policy)));
    }
}

pub(super) fn ip_filter(builder: &mut Builder<'_>, element: &Element) {
    let mut spans = Vec::new();
    let mut addresses = Vec::new();
    for child in element.elements() {
        match child.name.as_ref() {
            "address" => match address(builder, child) {
                Some(Operand::Constant(Address(only))) => {
                    spans.extend(Span::new(only, only).ok());
                }
                Some(computed) => addresses.push(computed),
                None => (),
            },
            "address-range" => spans.extend(address_range(builder, child)),
            _ => (),
        }
    }
    if element.elements().next().is_none() {
        let remedy = "add <address>…</address> or <address-range from=\"…\" to=\"…\" />";
        builder.fault(element, "`ip-filter` has no addresses", remedy);
    }
    if let Some(action) = builder.attribute(element, "action") {
        builder.push(element, Action::IpFilter(IpFilter { action, spans, addresses }));
    }
}

/// Reads `address`; what is wrong with it is said with the way to write it right.
fn address(builder: &mut Builder<'_>, child: &Element) -> Option<Operand<Address>> {
    let before = builder.faults.len();
    let operand = builder.content_operand(child, "`address`");
    if let (Some(fault), Some(text)) = (builder.faults.get_mut(before), child.text_content()) {
        fault.remedy = fault.remedy.take().or_else(|| address::remedy(text.as_str()));
    }
    operand
}

fn address_range(builder: &mut Builder<'_>, child: &Element) -> Option<Span> {
    let Address(from) = builder.literal(child, "from")?;
    let Address(to) = builder.literal(child, "to")?;
    match Span::new(from, to) {
        Ok(span) => Some(span),
        Err(refused) => {
            let remedy = "give the lower address in `from` and one of the same family in `to`";
            builder.fault(child, refused.to_string(), remedy);
            None
        }
    }
}

impl CheckHeader {
    /// Fails unless the request has the field as the policy wants it.
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let name = self.name.get(exchange)?;
        let ignore_case = self.ignore_case.get(exchange)?;
        let mut wanted = Vec::with_capacity(self.values.len());
        for value in &self.values {
            wanted.push(value.get(exchange)?);
        }
        let lines = exchange.request.headers.map().get_all(&name).iter();
        let found: Vec<_> =
            lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
        let shown = self.written.as_deref().unwrap_or(name.as_str());
        if found.iter().all(|line| line.trim().is_empty()) {
            let message = format!("Header {shown} was not found in the request. Access denied.");
            return Err(self.refuse("HeaderNotFound", message, exchange));
        }
        let fits = |line: &str| {
            wanted.iter().any(|value| {
                let (value, line) = (value.trim(), line.trim());
                if ignore_case { folded(value).eq(folded(line)) } else { value == line }
            })
        };
        // Several lines are one list, so their sum may be what is wanted, too.
        if wanted.is_empty() || found.iter().any(|line| fits(line)) || fits(&found.join(",")) {
            return Ok(Flow::Next);
        }
        let value = found.join(",");
        let message = format!("Header {shown} value of {value} is not allowed. Access denied.");
        Err(self.refuse("HeaderValueNotAllowed", message, exchange))
    }

    /// The failure that the policy asks for, or the one of what it asks with.
    fn refuse(&self, reason: &'static str, message: String, exchange: &mut Exchange) -> Failure {
        let status = self.status.get(exchange);
        let shown = self.message.get(exchange);
        match (status, shown) {
            (Ok(status), Ok(shown)) => {
                let problem = Problem::refused(status, "header_check_failed", shown.to_string());
                Failure { source: None, reason, message, problem }
            }
            (Err(failure), _) | (_, Err(failure)) => failure,
        }
    }
}

/// The characters of `text`, upper-case where that is one character, too.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|character| {
        let mut upper = character.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(only), None) => only,
            _ => character,
        }
    })
}

impl IpFilter {
    /// Fails unless the caller may come in; also where nobody knows where it comes from.
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(caller) = exchange.client.map(|address| address.to_canonical()) else {
            let message = "Failed to establish IP address for the caller. Access denied.";
            return Err(refuse("FailedToParseCallerIP", message.to_owned()));
        };
        let action = self.action.get(exchange)?;
        let listed = self.lists(caller, exchange)?;
        match action {
            FilterAction::Allow if !listed => {
                let message = format!("Caller IP address {caller} is not allowed. Access denied.");
                Err(refuse("CallerIpNotAllowed", message))
            }
            FilterAction::Forbid if listed => {
                let message = "Caller IP address is blocked. Access denied.";
                Err(refuse("CallerIpBlocked", message.to_owned()))
            }
            FilterAction::Allow | FilterAction::Forbid => Ok(Flow::Next),
        }
    }

    fn lists(&self, caller: IpAddr, exchange: &mut Exchange) -> Result<bool, Failure> {
        if self.spans.iter().any(|span| span.contains(caller)) {
            return Ok(true);
        }
        for address in &self.addresses {
            if address.get(exchange)?.0 == caller {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn refuse(reason: &'static str, message: String) -> Failure {
    Failure { source: None, reason, message, problem: Problem::address_refused() }
}

impl Term for FilterAction {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "allow" => Ok(Self::Allow),
            "forbid" => Ok(Self::Forbid),
            _ => Err("`allow` or `forbid`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

#[cfg(test)]
mod tests;
