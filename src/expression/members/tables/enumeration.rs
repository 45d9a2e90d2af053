//! The static members of `Enum`.

use super::super::arguments::{
    Outcome, at, flag, int, ok, static_method, static_with, strings, text,
};
use super::super::{Call, Member};
use crate::expression::types::{Enumeration, Type};
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The enumeration that a `Type` argument names.
fn named(v: &[Value]) -> Result<Enumeration, Thrown> {
    let wrong = "Type provided must be an Enum. (Parameter 'enumType')";
    Enumeration::from_full_name(text(v, 0)?)
        .ok_or_else(|| Thrown::new(ExceptionKind::Argument, wrong))
}

/// The enumeration that the type argument is.
fn wanted(call: &Call<'_, '_>) -> Result<Enumeration, Thrown> {
    match call.wanted() {
        Type::Enumeration(of) => Ok(*of),
        other => Err(Thrown::new(
            ExceptionKind::Argument,
            format!("Type provided must be an Enum, not '{other}'."),
        )),
    }
}

fn parsed(of: Enumeration, name: &str, ignores_case: bool) -> Outcome {
    let missing =
        || Thrown::new(ExceptionKind::Argument, format!("Requested value '{name}' was not found."));
    ok(of.parse(name, ignores_case).ok_or_else(missing)?)
}

fn tried(call: &mut Call<'_, '_>, ignores_case: bool) -> Outcome {
    let of = wanted(call)?;
    let found = call.text(0).ok().and_then(|name| of.parse(name, ignores_case));
    call.outs.push(Value::Int(found.unwrap_or(0)));
    ok(found.is_some())
}

pub(super) const ENUM: &[Member] = &[
    static_method("Parse", "Type enumType, string value", "object", |v| {
        parsed(named(v)?, text(v, 1)?, false)
    }),
    static_method("Parse", "Type enumType, string value, bool ignoreCase", "object", |v| {
        parsed(named(v)?, text(v, 1)?, flag(v, 2)?)
    }),
    static_with("Parse<X>", "string value, bool ignoreCase = false", "X", |call| {
        parsed(wanted(call)?, call.text(0)?, flag(call.arguments(), 1)?)
    }),
    static_with("TryParse<X>", "string value, out X result", "bool", |call| tried(call, false)),
    static_with("TryParse<X>", "string value, bool ignoreCase, out X result", "bool", |call| {
        let ignores_case = flag(call.arguments(), 1)?;
        tried(call, ignores_case)
    }),
    static_method("IsDefined", "Type enumType, object value", "bool", |v| {
        let of = named(v)?;
        ok(match at(v, 1) {
            Value::String(name) => of.number(name).is_some(),
            other => {
                let number = other.int()?;
                of.members().iter().any(|(_, known)| *known == number)
            }
        })
    }),
    static_method("GetNames", "Type enumType", "string[]", |v| {
        Ok(strings(named(v)?.members().iter().map(|(name, _)| (*name).to_owned())))
    }),
    static_method("GetValues", "Type enumType", "object[]", |v| {
        let members = named(v)?.members().iter().map(|(_, number)| Value::Int(*number));
        Ok(Value::array(members.collect()))
    }),
    static_method("GetName", "Type enumType, object value", "string", |v| {
        let (of, number) = (named(v)?, int(v, 1)?);
        let known = of.members().iter().find(|(_, known)| *known == number);
        Ok(known.map_or(Value::Null, |(name, _)| Value::text(name)))
    }),
];
