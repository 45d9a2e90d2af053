//! What is found wrong with a message, and what becomes of it.

use std::sync::Arc;

use http::StatusCode;

use super::Verdict;
use crate::exchange::{Exchange, Severity, Trace};
use crate::expression::value::Value;
use crate::expression::value::collection::Record;
use crate::policy::machine::Flow;
use crate::policy::{Failure, Side};
use crate::problem::Problem;

/// What clients read of what is not theirs to mend.
pub(super) const PUBLIC: &str =
    "The request could not be processed due to an internal error. Contact the API owner.";

/// Something is wrong with a message.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What has that name; empty for the body.
    pub(super) name: String,
    /// What it is, such as `QueryParameter`.
    pub(super) kind: &'static str,
    /// What was broken, such as `IncorrectMessage`.
    pub(super) rule: &'static str,
    /// A sentence for operators.
    pub(super) details: String,
    /// A sentence for the client.
    pub(super) public: String,
    /// What becomes of it; never `ignore`.
    pub(super) verdict: Verdict,
}

/// Tells `findings`, and stops the exchange if one of them says so.
pub(super) fn report(
    policy: &'static str,
    side: Side,
    findings: &[Finding],
    variable: Option<&Arc<str>>,
    exchange: &mut Exchange,
) -> Result<Flow, Failure> {
    if findings.is_empty() {
        return Ok(Flow::Next);
    }
    if let Some(variable) = variable {
        let errors = findings.iter().map(|finding| Value::Record(Arc::new(finding.record())));
        exchange.variables.set(variable, Value::list(errors.collect()));
    }
    for finding in findings {
        exchange.trace(Trace {
            at: exchange.now,
            source: Arc::from(policy),
            severity: Severity::Information,
            message: Arc::from(finding.details.as_str()),
            metadata: Vec::new(),
        });
    }
    match findings.iter().find(|finding| finding.verdict == Verdict::Prevent) {
        Some(finding) => Err(finding.failure(side)),
        None => Ok(Flow::Next),
    }
}

impl Finding {
    fn record(&self) -> Record {
        let field = |name: &str, value: &str| (Arc::from(name), Value::text(value));
        Record::anonymous(vec![
            field("Name", &self.name),
            field("Type", self.kind),
            field("ValidationRule", self.rule),
            field("Details", &self.details),
            field("Action", self.verdict.as_str()),
        ])
    }

    fn failure(&self, side: Side) -> Failure {
        let (status, slug, reason) = match side {
            Side::Request => (StatusCode::BAD_REQUEST, "request_not_valid", "Bad request"),
            Side::Response => {
                (StatusCode::BAD_GATEWAY, "response_not_allowed", "Response not allowed")
            }
        };
        let public = match side {
            Side::Request => self.public.clone(),
            Side::Response => PUBLIC.to_owned(),
        };
        let problem = Problem::refused(status, slug, public);
        Failure { source: None, reason, message: self.details.clone(), problem }
    }
}
