//! Arguments of members, each as what its signature says it is.

use std::sync::Arc;

use bytes::Bytes;

use super::{Call, Member, MemberKind, Run, SORTED};
use crate::expression::library::convert;
use crate::expression::library::sequence;
use crate::expression::library::text::compare::Comparison;
use crate::expression::scope::ContextMember;
use crate::expression::value::Value;
use crate::expression::value::collection::List;
use crate::expression::value::collection::keyed::{Map, Set};
use crate::expression::value::json::Json;
use crate::expression::value::moment::{DateTime, DateTimeOffset, TimeSpan};
use crate::expression::value::thrown::Thrown;

/// What running a member gives.
pub(super) type Outcome = Result<Value, Thrown>;
/// A member that needs only its arguments.
pub(super) type Pure = fn(&[Value]) -> Outcome;
/// A member that needs the evaluation.
pub(super) type With = fn(&mut Call<'_, '_>) -> Outcome;

const NULL: Value = Value::Null;

/// Argument `index`; what is missing is null.
pub(super) fn at(arguments: &[Value], index: usize) -> &Value {
    arguments.get(index).unwrap_or(&NULL)
}

pub(super) fn text(arguments: &[Value], index: usize) -> Result<&Arc<str>, Thrown> {
    at(arguments, index).string()
}

pub(super) fn int(arguments: &[Value], index: usize) -> Result<i32, Thrown> {
    at(arguments, index).int()
}

pub(super) fn double(arguments: &[Value], index: usize) -> Result<f64, Thrown> {
    match convert::to_number(at(arguments, index), convert::Numeric::Double)? {
        Value::Double(number) => Ok(number),
        other => Err(other.refused("System.Double")),
    }
}

pub(super) fn flag(arguments: &[Value], index: usize) -> Result<bool, Thrown> {
    at(arguments, index).bool()
}

pub(super) fn character(arguments: &[Value], index: usize) -> Result<char, Thrown> {
    match at(arguments, index) {
        Value::Char(character) => Ok(*character),
        other => Err(other.refused("System.Char")),
    }
}

/// The characters of a `params char[]`.
pub(super) fn characters(arguments: &[Value], index: usize) -> Result<Vec<char>, Thrown> {
    let items = match at(arguments, index) {
        Value::Null => Vec::new(),
        other => sequence::items(other)?,
    };
    items
        .iter()
        .map(|item| match item {
            Value::Char(character) => Ok(*character),
            other => Err(other.refused("System.Char")),
        })
        .collect()
}

pub(super) fn comparison(arguments: &[Value], index: usize) -> Result<Comparison, Thrown> {
    Comparison::from_number(int(arguments, index)?)
}

pub(super) fn bytes(arguments: &[Value], index: usize) -> Result<Bytes, Thrown> {
    at(arguments, index).bytes()
}

pub(super) fn items(arguments: &[Value], index: usize) -> Result<Vec<Value>, Thrown> {
    sequence::items(at(arguments, index))
}

pub(super) fn json(arguments: &[Value], index: usize) -> Result<&Json, Thrown> {
    match at(arguments, index) {
        Value::Json(token) => Ok(token),
        other => Err(other.refused("Newtonsoft.Json.Linq.JToken")),
    }
}

pub(super) fn list(arguments: &[Value], index: usize) -> Result<&Arc<List>, Thrown> {
    match at(arguments, index) {
        Value::List(list) => Ok(list),
        other => Err(other.refused("System.Collections.Generic.List`1")),
    }
}

pub(super) fn map(arguments: &[Value], index: usize) -> Result<&Arc<Map>, Thrown> {
    match at(arguments, index) {
        Value::Map(map) => Ok(map),
        other => Err(other.refused("System.Collections.Generic.Dictionary`2")),
    }
}

pub(super) fn set(arguments: &[Value], index: usize) -> Result<&Arc<Set>, Thrown> {
    match at(arguments, index) {
        Value::Set(set) => Ok(set),
        other => Err(other.refused("System.Collections.Generic.HashSet`1")),
    }
}

pub(super) fn date(arguments: &[Value], index: usize) -> Result<DateTime, Thrown> {
    convert::cast_date_time(at(arguments, index))
}

pub(super) fn offset(arguments: &[Value], index: usize) -> Result<DateTimeOffset, Thrown> {
    convert::cast_date_time_offset(at(arguments, index))
}

pub(super) fn span(arguments: &[Value], index: usize) -> Result<TimeSpan, Thrown> {
    convert::cast_time_span(at(arguments, index))
}

/// A comparer: whether it ignores case.
pub(super) fn ignores_case(arguments: &[Value], index: usize) -> Result<bool, Thrown> {
    match at(arguments, index) {
        Value::Null => Ok(false),
        other => Ok(Comparison::from_number(other.int()?)?.ignores_case()),
    }
}

/// A result.
#[expect(clippy::unnecessary_wraps, reason = "members give results")]
pub(super) fn ok(value: impl Into<Value>) -> Outcome {
    Ok(value.into())
}

/// An array of strings.
pub(super) fn strings(texts: impl IntoIterator<Item = String>) -> Value {
    Value::array(texts.into_iter().map(Value::from).collect())
}

pub(super) const fn property(name: &'static str, result: &'static str, run: Pure) -> Member {
    Member::new(name, MemberKind::Property, result, Run::Pure(run))
}

pub(super) const fn method(
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
    run: Pure,
) -> Member {
    Member::new(name, MemberKind::Method, result, Run::Pure(run)).taking(parameters)
}

pub(super) const fn method_with(
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
    run: With,
) -> Member {
    Member::new(name, MemberKind::Method, result, Run::Call(run)).taking(parameters)
}

pub(super) const fn static_property(name: &'static str, result: &'static str, run: Pure) -> Member {
    Member::new(name, MemberKind::StaticProperty, result, Run::Pure(run))
}

pub(super) const fn static_method(
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
    run: Pure,
) -> Member {
    Member::new(name, MemberKind::StaticMethod, result, Run::Pure(run)).taking(parameters)
}

pub(super) const fn static_with(
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
    run: With,
) -> Member {
    Member::new(name, MemberKind::StaticMethod, result, Run::Call(run)).taking(parameters)
}

pub(super) const fn constructor(parameters: &'static str, run: Pure) -> Member {
    Member::new("new", MemberKind::Constructor, "void", Run::Pure(run)).taking(parameters).effect()
}

/// A constructor of the sorted form of a collection, which is the same type to the checker.
pub(super) const fn sorted(parameters: &'static str, run: Pure) -> Member {
    Member::new(SORTED, MemberKind::Constructor, "void", Run::Pure(run)).taking(parameters).effect()
}

/// A constructor of a sorted collection that needs the evaluation.
pub(super) const fn sorted_with(parameters: &'static str, run: With) -> Member {
    Member::new(SORTED, MemberKind::Constructor, "void", Run::Call(run)).taking(parameters).effect()
}

/// A constructor that needs the evaluation.
pub(super) const fn constructor_with(parameters: &'static str, run: With) -> Member {
    Member::new("new", MemberKind::Constructor, "void", Run::Call(run)).taking(parameters).effect()
}

pub(super) const fn index(parameters: &'static str, result: &'static str, run: Pure) -> Member {
    Member::new("[]", MemberKind::Index, result, Run::Pure(run)).taking(parameters)
}

/// An indexer that writes; the last parameter is the value.
pub(super) const fn set_index(parameters: &'static str, run: Pure) -> Member {
    Member::new("[]", MemberKind::SetIndex, "void", Run::Pure(run)).taking(parameters).effect()
}

pub(super) const fn set_property(
    name: &'static str,
    parameters: &'static str,
    run: Pure,
) -> Member {
    Member::new(name, MemberKind::SetProperty, "void", Run::Pure(run)).taking(parameters).effect()
}

/// An indexer that writes and needs the evaluation.
pub(super) const fn set_index_with(parameters: &'static str, run: With) -> Member {
    Member::new("[]", MemberKind::SetIndex, "void", Run::Call(run)).taking(parameters).effect()
}

/// A part of `context`.
pub(super) const fn part(
    name: &'static str,
    result: &'static str,
    member: ContextMember,
) -> Member {
    Member::new(name, MemberKind::Property, result, Run::Context(member))
}

/// A property that needs the evaluation.
pub(super) const fn property_with(name: &'static str, result: &'static str, run: With) -> Member {
    Member::new(name, MemberKind::Property, result, Run::Call(run))
}

/// A member that is looked up in the request, whatever its object holds.
pub(super) const fn lookup(
    name: &'static str,
    parameters: &'static str,
    result: &'static str,
    run: With,
) -> Member {
    Member::new(name, MemberKind::Method, result, Run::Lookup(run)).taking(parameters)
}

/// An indexer that is looked up in the request.
pub(super) const fn lookup_index(
    parameters: &'static str,
    result: &'static str,
    run: With,
) -> Member {
    Member::new("[]", MemberKind::Index, result, Run::Lookup(run)).taking(parameters)
}
