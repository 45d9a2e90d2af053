//! Signatures as the tables write them → types.

use super::Member;
use crate::expression::types::{self, Type};
use crate::expression::value::Value;

/// What a member takes and gives.
#[derive(Clone, Debug)]
pub(in crate::expression) struct Signature {
    pub(in crate::expression) parameters: Vec<Parameter>,
    pub(in crate::expression) result: Type,
}

/// One parameter.
#[derive(Clone, Debug)]
pub(in crate::expression) struct Parameter {
    pub(in crate::expression) name: &'static str,
    pub(in crate::expression) ty: Type,
    /// What stands for it where it is left out.
    pub(in crate::expression) default: Option<Value>,
    pub(in crate::expression) out: bool,
    /// `params`: the type is that of one item.
    pub(in crate::expression) rest: bool,
}

impl Member {
    /// The signature; none if the table is wrong, which a test rules out.
    pub(in crate::expression) fn signature(&self) -> Option<Signature> {
        let mut parameters = Vec::new();
        if !self.parameters.is_empty() {
            for text in types::split(self.parameters) {
                parameters.push(parameter(text)?);
            }
        }
        Some(Signature { parameters, result: types::signature(self.result)? })
    }
}

fn parameter(text: &'static str) -> Option<Parameter> {
    let (text, default) = match text.split_once('=') {
        Some((text, default)) => (text.trim(), Some(literal(default.trim())?)),
        None => (text.trim(), None),
    };
    let (text, out) = strip(text, "out ");
    let (text, rest) = strip(text, "params ");
    let (ty, name) = text.rsplit_once(' ')?;
    let mut ty = types::signature(ty)?;
    if rest {
        ty = ty.element()?;
    }
    Some(Parameter { name, ty, default, out, rest })
}

fn strip<'t>(text: &'t str, prefix: &str) -> (&'t str, bool) {
    text.strip_prefix(prefix).map_or((text, false), |rest| (rest.trim_start(), true))
}

fn literal(text: &str) -> Option<Value> {
    Some(match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "\"\"" => Value::text(""),
        "' '" => Value::Char(' '),
        number => Value::Int(number.parse().ok()?),
    })
}

impl Signature {
    /// The fewest arguments it takes.
    pub(in crate::expression) fn least(&self) -> usize {
        self.parameters.iter().filter(|p| p.default.is_none() && !p.rest).count()
    }

    /// Whether it takes that many arguments.
    pub(in crate::expression) fn takes(&self, count: usize) -> bool {
        let any = self.parameters.last().is_some_and(|last| last.rest);
        count >= self.least() && (any || count <= self.parameters.len())
    }

    /// The parameter that argument `index` goes to.
    pub(in crate::expression) fn parameter(&self, index: usize) -> Option<&Parameter> {
        self.parameters.get(index).or_else(|| self.parameters.last().filter(|last| last.rest))
    }

    /// The same with type parameters replaced.
    pub(in crate::expression) fn with(&self, bound: &[(&'static str, Type)]) -> Self {
        let parameters = self
            .parameters
            .iter()
            .map(|parameter| Parameter { ty: parameter.ty.with(bound), ..parameter.clone() })
            .collect();
        Self { parameters, result: self.result.with(bound) }
    }
}
