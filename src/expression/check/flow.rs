//! Whether every way ends in a `return`, by the rules of C#, which are about the text and not
//! about values.

use crate::expression::eval::node::{Node, NodeKind, Section, Statement, Try};
use crate::expression::value::Value;

/// Whether what follows the statements can be reached.
pub(super) fn completes(statements: &[Statement]) -> bool {
    statements.iter().all(ends)
}

/// Whether the end of the statement can be reached.
fn ends(statement: &Statement) -> bool {
    match statement {
        Statement::Return(_)
        | Statement::Throw(_)
        | Statement::Rethrow
        | Statement::Break
        | Statement::Continue
        | Statement::Goto(_) => false,
        Statement::Value(node) | Statement::Set(_, node) => {
            !matches!(node.kind, NodeKind::Throw(_))
        }
        Statement::Forget(_) | Statement::Deconstruct(..) | Statement::ForEach { .. } => true,
        Statement::Block(statements) => completes(statements),
        Statement::If(branches, otherwise) => {
            let branch = branches.iter().any(|(_, branch)| ends(branch));
            let always = branches.iter().any(|(condition, _)| is(condition, true));
            branch || (!always && otherwise.as_ref().is_none_or(|branch| ends(branch)))
        }
        Statement::While { condition, body } | Statement::Do { body, condition } => {
            !is(condition, true) || breaks(body)
        }
        Statement::For { condition, body, .. } => {
            condition.as_ref().is_some_and(|condition| !is(condition, true)) || breaks(body)
        }
        Statement::Switch(_, sections, _) => {
            let default = |section: &Section| section.labels.iter().any(|(test, _)| test.is_none());
            let leaves = |section: &Section| section.body.iter().any(breaks);
            !sections.iter().any(default) || sections.iter().any(leaves)
        }
        Statement::Try(whole) => {
            let Try { body, catches, finally } = &**whole;
            let inside = completes(body) || catches.iter().any(|catch| completes(&catch.body));
            inside && completes(finally)
        }
    }
}

/// Whether the condition is that constant.
fn is(condition: &Node, wanted: bool) -> bool {
    matches!(condition.constant(), Some(Value::Bool(flag)) if *flag == wanted)
}

/// Whether it has a `break` for the loop or switch around it.
fn breaks(statement: &Statement) -> bool {
    match statement {
        Statement::Break => true,
        Statement::Block(statements) => statements.iter().any(breaks),
        Statement::If(branches, otherwise) => {
            branches.iter().any(|(_, branch)| breaks(branch))
                || otherwise.as_ref().is_some_and(|branch| breaks(branch))
        }
        Statement::Try(whole) => {
            let catches = whole.catches.iter().flat_map(|catch| &catch.body);
            whole.body.iter().chain(catches).chain(&whole.finally).any(breaks)
        }
        // Their own.
        Statement::While { .. }
        | Statement::Do { .. }
        | Statement::For { .. }
        | Statement::ForEach { .. }
        | Statement::Switch(..)
        | Statement::Value(_)
        | Statement::Set(..)
        | Statement::Forget(_)
        | Statement::Continue
        | Statement::Goto(_)
        | Statement::Return(_)
        | Statement::Throw(_)
        | Statement::Rethrow
        | Statement::Deconstruct(..) => false,
    }
}
