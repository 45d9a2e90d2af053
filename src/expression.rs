//! APIM policy expressions: C# in `@(…)` and `@{…}`, compiled at load and run over a [`Scope`].
//!
//! The way of an expression: [`lexer`] and [`parser`] read it, [`check`] gives names their meaning
//! and refuses what C# refuses, [`eval`] runs what is left. What the types of .NET offer stands
//! in [`members`], what it does in [`library`], what it does it to in [`value`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most rules are about a few of many types, nodes and values; the others are alike"
)]

mod lexer;
mod ast;
mod parser;
pub mod value;
pub mod scope;
mod types;
pub mod library;
mod members;
mod check;
mod eval;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use self::eval::Machine;
use self::eval::node::{Body, Program, Statement};
use self::library::display;
use self::scope::{Reads, Scope};
use self::value::Value;
use self::value::thrown::{ExceptionKind, Thrown};

pub use self::eval::{BYTES_MAX, DEPTH_MAX, STEPS_MAX};
pub use self::lexer::TEXT_BYTES_MAX;

/// Something in a text is wrong that stands in a policy: an expression, or a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong {
    /// Where it begins, in bytes of the text.
    pub offset: usize,
    /// How many bytes of it are wrong; 0 where something is missing at the end.
    pub length: usize,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// How to mend it, in one sentence without a full stop.
    pub remedy: Option<String>,
}

/// Whether the byte `at` of an expression is more than a part of a string, a character or a comment.
pub fn is_code_at(text: &str, at: usize) -> bool {
    let tokens = lexer::lex(text, 0..text.len(), &mut Vec::new());
    lexer::is_code_at(&tokens, at)
}

/// What the place of an expression wants of its result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    /// A bool; nothing else becomes one by itself.
    Bool,
    /// Anything that prints: it is converted as `ToString()` does it. `null` stays
    /// [`Value::Null`].
    String,
    /// A whole number that becomes an `int` by itself.
    Int,
    /// A number.
    Double,
    /// Any value.
    Any,
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    source: Arc<str>,
    expected: Expected,
    program: Program,
    reads: Reads,
    constant: Option<Value>,
}

/// An expression failed while it ran.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluationError {
    /// What the exception's `Message` says.
    pub message: String,
    /// Where it was thrown, in bytes of the text that was compiled.
    pub offset: usize,
    /// Which exception of .NET it is; [`ExceptionKind::Limit`] is a bound of the gateway.
    pub kind: ExceptionKind,
}

/// Compiles `@(…)` or `@{…}`; `text` includes the `@` and both brackets. All faults that were
/// found come back, in order.
pub fn compile(text: &str, expected: Expected) -> Result<Expression, Vec<Wrong>> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("this expression is longer than {TEXT_BYTES_MAX} bytes");
        let wrong = Wrong::new(0..text.len(), message);
        return Err(vec![wrong.mend("split it into several policies")]);
    }
    let source = parser::parse(text)?;
    let (program, reads) = check::check(&source, expected, text.len())?;
    let mut constant = folded(&program).cloned();
    if let (Some(value), Expected::String) = (&constant, expected) {
        constant = printed(value.clone()).ok();
    }
    Ok(Expression { source: Arc::from(text), expected, program, reads, constant })
}

/// The value of a program that computes nothing.
fn folded(program: &Program) -> Option<&Value> {
    match &program.body {
        Body::Value(node) => node.constant(),
        Body::Block(statements) => match statements.as_slice() {
            [Statement::Return(Some(node))] => node.constant(),
            _ => None,
        },
    }
}

fn printed(value: Value) -> Result<Value, Thrown> {
    match value {
        Value::Null | Value::String(_) => Ok(value),
        other => display::text(&other).map(Value::String),
    }
}

impl Expression {
    /// Its value, if that is the same for every request.
    pub const fn constant(&self) -> Option<&Value> {
        self.constant.as_ref()
    }

    /// What it reads of a request.
    pub const fn reads(&self) -> Reads {
        self.reads
    }

    /// Computes it for the request that `scope` shows.
    pub fn evaluate(&self, scope: &mut dyn Scope) -> Result<Value, EvaluationError> {
        if let Some(value) = &self.constant {
            return Ok(value.clone());
        }
        let mut machine = Machine::new(&self.program, scope);
        let result = machine.run().and_then(|value| match self.expected {
            Expected::String => printed(value),
            _ => Ok(value),
        });
        result.map_err(|thrown| EvaluationError {
            message: thrown.message,
            offset: machine.thrown_at(),
            kind: thrown.kind,
        })
    }

    /// The text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

impl Wrong {
    /// `message` is wrong of what stands in `span`.
    #[must_use]
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        let length = span.end.saturating_sub(span.start);
        Self { offset: span.start, length, message: message.into(), remedy: None }
    }

    /// The same, mended as `remedy` says.
    #[must_use]
    pub fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn mend_with(mut self, remedy: Option<impl Into<String>>) -> Self {
        self.remedy = remedy.map(Into::into);
        self
    }
}

#[cfg(test)]
mod tests;
