//! Syntax tree → nodes: names get meanings, types are checked, constants are folded.

mod assign;
mod call;
mod coerce;
mod constant;
mod create;
mod declaration;
mod flow;
mod assigned;
mod fold;
mod lambda;
mod operator;
mod outcome;
mod path;
mod pattern;
mod statement;
mod switch;
mod typename;
mod unary;
mod value;

use std::sync::Arc;

use super::ast::{Name, Overflow, Span};
use super::eval::node::{Body, Function, Node, NodeKind, Program, Test};
use super::parser::Source;
use super::scope::Reads;
use super::types::{Class, Type};
use super::value::Value;
use super::{Expected, Wrong};
use crate::fault::nearest;

/// The most variables one expression may declare.
const VARIABLES_MAX: usize = 4096;

/// Checks `source` and compiles it.
pub(super) fn check(
    source: &Source,
    expected: Expected,
    length: usize,
) -> Result<(Program, Reads), Vec<Wrong>> {
    let mut checker = Checker::default();
    let wanted = expected.result();
    let body = match source {
        Source::Value(value) => {
            let found = checker.value_for(value, &wanted);
            Body::Value(checker.result(found, &wanted))
        }
        Source::Block(block) => {
            checker.frames.push(Frame { wanted: Some(wanted), found: None });
            let statements = checker.block(block);
            let end = length.saturating_sub(1)..length;
            checker.must_return(&statements, end, "the expression");
            Body::Block(statements)
        }
    };
    assigned::check(&body, &mut checker);
    if !checker.wrongs.is_empty() {
        checker.wrongs.sort_by_key(|wrong| wrong.offset);
        checker.wrongs.dedup();
        return Err(checker.wrongs);
    }
    let functions = checker.functions.into_iter().flatten().collect();
    let (slots, places) = (checker.slots.len(), checker.places);
    let program = Program { body, slots, functions, places };
    Ok((program, checker.reads))
}

/// A node with what is known of its value.
#[derive(Debug)]
struct Typed {
    node: Node,
    ty: Type,
    span: Span,
}

/// What a name in scope stands for.
#[derive(Clone, Debug)]
enum Meaning {
    Variable { slot: usize, ty: Type, fixed: bool },
    Constant { value: Value, ty: Type },
    Function { index: usize, signature: Arc<LocalSignature> },
}

/// What a local function takes and gives.
#[derive(Debug)]
struct LocalSignature {
    parameters: Vec<(Box<str>, Type, Option<Value>)>,
    result: Type,
}

/// A body that is being checked: what it should return, and what it was found to return.
#[derive(Debug)]
struct Frame {
    /// What every `return` must give; none where that is inferred.
    wanted: Option<Type>,
    found: Option<Type>,
}

#[derive(Debug, Default)]
struct Checker {
    wrongs: Vec<Wrong>,
    /// Names in scope, innermost block last.
    scopes: Vec<Vec<(Box<str>, Meaning)>>,
    /// The variables: their names, for messages.
    slots: Vec<Name>,
    /// Which variables need no assignment before they are read.
    assigned: Vec<bool>,
    functions: Vec<Option<Function>>,
    frames: Vec<Frame>,
    around: Around,
    /// Whether this is in `checked` or `unchecked`.
    overflow: Overflow,
    reads: Reads,
    /// Whether a token is asked where it is.
    places: bool,
}

/// What a statement can leave or go on with. Within a function nothing of its outside counts.
#[derive(Debug, Default)]
struct Around {
    loops: usize,
    /// The `goto`s of each switch, innermost last.
    jumps: Vec<Jumps>,
    catches: usize,
}

/// The `goto`s of a switch, each with the case that it goes to; none is `default`.
#[derive(Debug)]
struct Jumps {
    /// Of what type the switch is.
    ty: Type,
    cases: Vec<(Option<Test>, Span)>,
}

impl Typed {
    fn new(kind: NodeKind, ty: Type, span: &Span) -> Self {
        Self { node: Node::new(kind, span.start), ty, span: span.clone() }
    }

    fn constant(value: Value, ty: Type, span: &Span) -> Self {
        Self::new(NodeKind::Constant(value), ty, span)
    }

    /// What stands where something is wrong, and makes no further faults.
    fn unknown(span: &Span) -> Self {
        Self::constant(Value::Null, Type::Unknown, span)
    }
}

impl Checker {
    fn wrong(&mut self, span: &Span, message: impl Into<String>, remedy: Option<String>) {
        self.wrongs.push(Wrong::new(span.clone(), message).mend_with(remedy));
    }

    /// A fault about `name`, with the nearest of `known` as the remedy.
    fn unknown_name(&mut self, name: &Name, message: String, known: &[&str]) {
        let near = nearest(&name.text, known.iter().copied());
        self.wrong(&name.span, message, near.map(|near| format!("did you mean `{near}`?")));
    }

    fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(Vec::new());
        let result = run(self);
        self.scopes.pop();
        result
    }

    fn lookup(&self, name: &str) -> Option<&Meaning> {
        let mut scopes = self.scopes.iter().rev();
        scopes.find_map(|scope| {
            let mut names = scope.iter().rev();
            names.find(|(known, _)| **known == *name).map(|(_, meaning)| meaning)
        })
    }

    /// Adds a name to the innermost scope. C# allows no name to hide another.
    fn declare(&mut self, name: &Name, meaning: Meaning) {
        if self.lookup(&name.text).is_some() || &*name.text == "context" {
            let message = format!("a variable called `{}` already exists here", name.text);
            self.wrong(&name.span, message, Some("give one of them another name".to_owned()));
        }
        if self.scopes.is_empty() {
            self.scopes.push(Vec::new());
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.push((name.text.clone(), meaning));
        }
    }

    /// A new variable; `assigned` ones always have a value.
    fn variable(&mut self, name: &Name, ty: Type, assigned: bool) -> usize {
        let slot = self.slot(name, assigned);
        self.declare(name, Meaning::Variable { slot, ty, fixed: false });
        slot
    }

    /// A variable that cannot be assigned to again, such as that of `foreach`.
    fn fixed_variable(&mut self, name: &Name, ty: Type) -> usize {
        let slot = self.slot(name, true);
        self.declare(name, Meaning::Variable { slot, ty, fixed: true });
        slot
    }

    fn slot(&mut self, name: &Name, assigned: bool) -> usize {
        if self.slots.len() == VARIABLES_MAX {
            let message = format!("more than {VARIABLES_MAX} variables");
            self.wrong(&name.span, message, None);
        }
        self.slots.push(name.clone());
        self.assigned.push(assigned);
        self.slots.len().saturating_sub(1)
    }

    /// All names in scope, for remedies.
    fn names_in_scope(&self) -> Vec<&str> {
        let names = self.scopes.iter().flatten().map(|(name, _)| &**name);
        names.chain(["context"]).collect()
    }
}

impl Expected {
    /// The type that the expression's result becomes.
    const fn result(self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Double => Type::Double,
            Self::String | Self::Any => Type::Object,
        }
    }
}

/// Whether values of the class are only a way to its members: they say nothing of themselves.
const fn is_way(class: Class) -> bool {
    matches!(
        class,
        Class::Context
            | Class::Deployment
            | Class::Gateway
            | Class::Sustainability
            | Class::Foundry
            | Class::Request
            | Class::Url
            | Class::OriginalUrl
            | Class::KeyNames
    )
}
