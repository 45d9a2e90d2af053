//! Policies that hold messages against what the API's definition says of them: `validate-content`,
//! `validate-parameters`, `validate-headers`, `validate-status-code`.
//!
//! What is found is ignored, told (`detect`) or stops the exchange (`prevent`). Told means: a trace,
//! and an entry in the list that the variable holds. A request that is stopped is answered 400, with
//! what is wrong with it. Whoever gets a response that was stopped reads nothing of what is wrong with
//! the backend: 502, and to ask the owner of the API.

pub mod content;
pub mod parameters;
mod report;
mod word;

use std::sync::Arc;

use http::StatusCode;

use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::build::Builder;
use crate::policy::catalog::validation::VALIDATE_STATUS_CODE;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;
use crate::policy::{Failure, Side};

use report::{Finding, PUBLIC, report};

/// `validate-status-code`.
#[derive(Clone, Debug)]
pub struct ValidateStatusCode {
    unspecified: Operand<Verdict>,
    /// What holds for a status, whether the operation names it or not.
    known: Vec<(StatusCode, Operand<Verdict>)>,
    variable: Option<Arc<str>>,
}

/// What becomes of a message that is not as it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Ignore,
    Prevent,
    Detect,
}

pub(super) fn validate_status_code(builder: &mut Builder<'_>, element: &Element) {
    let unspecified = builder.attribute(element, "unspecified-status-code-action");
    let variable = builder.literal(element, "errors-variable-name");
    let mut known: Vec<(StatusCode, Operand<Verdict>)> = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == "status-code") {
        let code = builder.literal::<StatusCode>(child, "code");
        let action = builder.attribute(child, "action");
        let (Some(code), Some(action)) = (code, action) else {
            continue;
        };
        if known.iter().any(|(other, _)| *other == code) {
            let message = format!("the status {} stands here a second time", code.as_u16());
            builder.fault(child, message, "keep one of the two");
        }
        known.push((code, action));
    }
    if let Some(unspecified) = unspecified {
        let policy = ValidateStatusCode { unspecified, known, variable };
        builder.push(element, Action::ValidateStatusCode(Box::new(policy)));
    }
}

impl ValidateStatusCode {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(status) = exchange.response.as_ref().map(|response| response.status) else {
            return Ok(Flow::Next);
        };
        let verdict = match self.known.iter().find(|(code, _)| *code == status) {
            Some((_, action)) => action.get(exchange)?,
            None if is_specified(exchange, status) => return Ok(Flow::Next),
            None => self.unspecified.get(exchange)?,
        };
        if verdict == Verdict::Ignore {
            return Ok(Flow::Next);
        }
        let finding = Finding {
            name: status.as_str().to_owned(),
            kind: "StatusCode",
            rule: "Unspecified",
            details: format!("Response status code {} is not allowed.", status.as_u16()),
            public: PUBLIC.to_owned(),
            verdict,
        };
        let (name, variable) = (VALIDATE_STATUS_CODE.name, self.variable.as_ref());
        report(name, Side::Response, &[finding], variable, exchange)
    }
}

/// Whether the operation is known to answer with `status`.
fn is_specified(exchange: &Exchange, status: StatusCode) -> bool {
    exchange.operation.as_ref().is_some_and(|operation| operation.statuses.contains(&status))
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Prevent => "prevent",
            Self::Detect => "detect",
        }
    }
}

impl Term for Verdict {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let verdicts = [Self::Ignore, Self::Prevent, Self::Detect];
        let named = verdicts.into_iter().find(|verdict| verdict.as_str() == text.trim());
        named.ok_or("`ignore`, `prevent` or `detect`")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
