//! Policies: what happens to the requests and responses of an operation.
//!
//! A document is read ([`markup`]), its elements are looked up ([`catalog`]) and built into
//! blocks of steps ([`build`]), and the blocks of all scopes are put in order ([`program`]).
//! A [`machine::Machine`] runs the result without doing anything itself: it says what it needs
//! next, and its driver does it.

pub mod markup;
pub mod catalog;
pub mod build;
pub mod disabled;
pub mod operand;
pub mod liquid;
pub mod coding;
pub mod program;
pub mod machine;

pub mod flow;
pub mod transform;
pub mod routing;
pub mod respond;
pub mod send;
pub mod access;
pub mod identity;
pub mod certificate;
pub mod tokens;
pub mod cross_domain;
pub mod limits;
pub mod llm;
pub mod caching;
pub mod validation;
pub mod convert;
pub mod logging;
pub mod metrics;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod corpus;

use std::fmt;

use http::header::RETRY_AFTER;

use crate::backend::standing::Unavailable;
use crate::problem::Problem;

/// A part of a policy document.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Section {
    /// Before the request is forwarded.
    Inbound,
    /// Forwarding it.
    Backend,
    /// After the response came.
    Outbound,
    /// When something went wrong.
    OnError,
}

/// Whose document a policy stands in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// The gateway's.
    Global,
    /// A product's.
    Product,
    /// An API's.
    Api,
    /// An operation's.
    Operation,
}

/// Which of the two messages a step works on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// A step could not do its work: the run goes on in on-error.
#[derive(Debug)]
pub struct Failure {
    /// What `context.LastError.Source` says where it is not the policy's own name.
    pub source: Option<&'static str>,
    /// What `context.LastError.Reason` says.
    pub reason: &'static str,
    /// What `context.LastError.Message` says.
    pub message: String,
    /// The answer that the client gets unless on-error makes another.
    pub problem: Problem,
}

impl Section {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Inbound, Self::Backend, Self::Outbound, Self::OnError];

    /// The element's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Backend => "backend",
            Self::Outbound => "outbound",
            Self::OnError => "on-error",
        }
    }

    /// Which message its steps work on.
    pub const fn side(self) -> Side {
        match self {
            Self::Inbound | Self::Backend => Side::Request,
            Self::Outbound | Self::OnError => Side::Response,
        }
    }
}

impl Scope {
    /// What `context.LastError.Scope` says.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Product => "product",
            Self::Api => "api",
            Self::Operation => "operation",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Failure {
    /// The reason of what cannot be reached.
    pub const UNREACHED: &'static str = "BackendConnectionFailure";
    /// The reason of what did not answer in time.
    pub const LATE: &'static str = "Timeout";
    /// The reason of what may not be asked now.
    pub const UNAVAILABLE: &'static str = "BackendUnavailable";
    /// The same for logs.
    const UNAVAILABLE_SLUG: &'static str = "backend_unavailable";
    /// The reason where a status of the backend counts as a failure. Its response stays: on-error
    /// sees it, and the client gets it if on-error makes no other.
    pub const STATUS: &'static str = "BackendErrorStatus";

    /// The backend cannot be reached, or broke off.
    pub fn unreached(message: impl Into<String>) -> Self {
        Self {
            source: Some("forward-request"),
            reason: Self::UNREACHED,
            message: message.into(),
            problem: Problem::failed("backend_connection_failed"),
        }
    }

    /// The backend did not answer in time.
    pub fn late(message: impl Into<String>) -> Self {
        Self {
            source: Some("forward-request"),
            reason: Self::LATE,
            message: message.into(),
            problem: Problem::failed("backend_timeout"),
        }
    }

    /// `what` may not be asked now: its circuit is open, or nobody of a pool can serve.
    pub fn unavailable(what: &str, why: Unavailable) -> Self {
        let mut problem = Problem::unavailable(Self::UNAVAILABLE_SLUG);
        let micros = why.retry_after.as_micros();
        let seconds = micros.div_ceil(1_000_000).max(1);
        problem.set(RETRY_AFTER, &seconds.to_string());
        problem.status = why.status.unwrap_or(problem.status);
        Self {
            source: None,
            reason: Self::UNAVAILABLE,
            message: format!("{what} cannot be asked now; try again in {seconds} seconds"),
            problem,
        }
    }

    /// An expression threw: 500.
    pub fn expression(message: String) -> Self {
        Self {
            source: None,
            reason: "ExpressionValueEvaluationFailure",
            message,
            problem: Problem::failed("expression_failed"),
        }
    }

    /// A value that the policy cannot work with came out of an expression: 500.
    pub fn value(message: String) -> Self {
        Self::expression(message)
    }
}
