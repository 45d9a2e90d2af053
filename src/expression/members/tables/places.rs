//! What tokens say of where they are.

use super::super::Member;
use super::super::arguments::{at, method, ok, property};
use crate::expression::library::json::placed;
use crate::expression::value::Value;

pub(super) const PLACES: &[Member] = &[
    property("Parent", "JContainer", |v| {
        ok(placed::of(at(v, 0))?.parent().map_or(Value::Null, Value::Token))
    })
    .placed(),
    property("Root", "JToken", |v| ok(Value::Token(placed::root(&placed::of(at(v, 0))?)))).placed(),
    property("Path", "string", |v| ok(placed::path_of(&placed::of(at(v, 0))?)?)).placed(),
    property("Next", "JToken", |v| Ok(placed::beside(&placed::of(at(v, 0))?, true))).placed(),
    property("Previous", "JToken", |v| Ok(placed::beside(&placed::of(at(v, 0))?, false))).placed(),
    method("Ancestors", "", "IEnumerable<JToken>", |v| {
        Ok(placed::ancestors(&placed::of(at(v, 0))?, false))
    })
    .placed(),
    method("AncestorsAndSelf", "", "IEnumerable<JToken>", |v| {
        Ok(placed::ancestors(&placed::of(at(v, 0))?, true))
    })
    .placed(),
    method("AfterSelf", "", "IEnumerable<JToken>", |v| {
        Ok(placed::all_beside(&placed::of(at(v, 0))?, true))
    })
    .placed(),
    method("BeforeSelf", "", "IEnumerable<JToken>", |v| {
        Ok(placed::all_beside(&placed::of(at(v, 0))?, false))
    })
    .placed(),
    method("Replace", "JToken value", "void", |v| {
        placed::replace(&*placed::of(at(v, 0))?, &at(v, 1).clone().without_place())?;
        Ok(Value::Null)
    })
    .placed(),
    method("AddAfterSelf", "object content", "void", |v| {
        placed::add_beside(&*placed::of(at(v, 0))?, &at(v, 1).clone().without_place(), true)?;
        Ok(Value::Null)
    })
    .placed(),
    method("AddBeforeSelf", "object content", "void", |v| {
        placed::add_beside(&*placed::of(at(v, 0))?, &at(v, 1).clone().without_place(), false)?;
        Ok(Value::Null)
    })
    .placed(),
    method("Remove", "", "void", |v| {
        placed::remove(&*placed::of(at(v, 0))?)?;
        Ok(Value::Null)
    })
    .placed(),
];
