//! Members of tokens that ask where a token is, and navigation that remembers it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{access, convert, path};
use crate::expression::value::json::{Json, bounded_tokens};
use crate::expression::value::placed::{Key, Placed};
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Value, bounded_string};

/// The token of a value, with its place if that is known.
pub fn of(value: &Value) -> Result<Arc<Placed>, Thrown> {
    match value {
        Value::Token(token) => Ok(Arc::clone(token)),
        Value::Json(json) => Ok(Arc::new(Placed::root(json.clone()))),
        other => Err(other.refused("Newtonsoft.Json.Linq.JToken")),
    }
}

/// What a member that leads from a token to others gives, with their places; none if `name` is no
/// such member, and what it gives has no place.
pub fn reached(
    name: &str,
    token: &Arc<Placed>,
    arguments: &[Value],
) -> Result<Option<Value>, Thrown> {
    let first = arguments.first().map(|first| first.clone().without_place());
    let first = first.as_ref();
    let one = |found: Option<Arc<Placed>>| found.map_or(Value::Null, Value::Token);
    Ok(Some(match (name, first) {
        ("[]", Some(key)) => {
            access::get(&token.json, key)?;
            match key {
                Value::String(name) => one(token.member(name)),
                other => one(usize::try_from(other.int()?).ok().and_then(|at| token.item(at))),
            }
        }
        ("First", None) => one(end(token, false)),
        ("Last", None) => one(end(token, true)),
        ("Value", None) if matches!(token.json, Json::Property(_)) => one(token.value()),
        ("GetValue", Some(Value::String(name))) if arguments.len() == 1 => one(token.member(name)),
        ("Property", Some(Value::String(name))) => one(token.property(name)),
        ("Children" | "Properties", None) => sequence(token.children()),
        ("Values", None) if !matches!(token.json, Json::Object(_)) => sequence(token.children()),
        ("PropertyValues" | "Values", None) => sequence(token.values()),
        ("Descendants", None) => sequence(below(token, false)?),
        ("DescendantsAndSelf", None) => sequence(below(token, true)?),
        ("SelectToken", Some(Value::String(path))) => {
            match path::select_one(Arc::clone(token), path)? {
                Some(found) => Value::Token(found),
                None => return Ok(None),
            }
        }
        ("SelectTokens", Some(Value::String(path))) => {
            sequence(path::select(Arc::clone(token), path)?)
        }
        _ => return Ok(None),
    }))
}

/// Tokens as what LINQ gives back.
pub fn sequence(tokens: Vec<Arc<Placed>>) -> Value {
    Value::sequence(tokens.into_iter().map(Value::Token).collect())
}

/// All tokens below, each before what it holds.
fn below(token: &Arc<Placed>, with_self: bool) -> Result<Vec<Arc<Placed>>, Thrown> {
    let mut found = Vec::new();
    let mut pending = vec![Arc::clone(token)];
    while let Some(next) = pending.pop() {
        let mut children = next.children();
        children.reverse();
        bounded_tokens(found.len().saturating_add(pending.len()).saturating_add(children.len()))?;
        pending.append(&mut children);
        if with_self || !Arc::ptr_eq(&next, token) {
            found.push(next);
        }
    }
    Ok(found)
}

/// `token.Root`
pub fn root(token: &Arc<Placed>) -> Arc<Placed> {
    let mut at = Arc::clone(token);
    while let Some((above, _)) = at.home.clone() {
        at = above;
    }
    at
}

/// `token.Ancestors()`, or with the token itself `AncestorsAndSelf()`: the nearest first.
pub fn ancestors(token: &Arc<Placed>, with_self: bool) -> Value {
    let mut found = Vec::new();
    if with_self {
        found.push(Arc::clone(token));
    }
    let mut at = token.parent();
    while let Some(above) = at {
        at = above.parent();
        found.push(above);
    }
    sequence(found)
}

/// `token.Path`: `a.b[1]['odd name']`.
pub fn path_of(token: &Arc<Placed>) -> Result<String, Thrown> {
    const ODD: &str = " '/\"[]().\t\n\r\u{c}\u{8}\\\u{85}\u{2028}\u{2029}";
    let mut keys = Vec::new();
    let mut at = Arc::clone(token);
    while let Some((above, key)) = at.home.clone() {
        keys.push(match key {
            Key::Item(place) => Key::Item(at.place().unwrap_or(place)),
            name => name,
        });
        at = above;
    }
    // A property by itself has its name for a path.
    let mut path = match &at.json {
        Json::Property(property) => property.name().to_string(),
        _ => String::new(),
    };
    for key in keys.into_iter().rev() {
        match key {
            Key::Item(place) => _ = write!(path, "[{place}]"),
            Key::Name(name) | Key::Property(name) if name.contains(|c| ODD.contains(c)) => {
                let name = name.replace('\\', "\\\\").replace('\'', "\\'");
                _ = write!(path, "['{name}']");
            }
            Key::Name(name) | Key::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
        }
        bounded_string(path.len())?;
    }
    Ok(path)
}

fn no_parent() -> Thrown {
    Thrown::invalid_operation("The parent is missing.")
}

/// `token.Replace(value)`
pub fn replace(token: &Placed, value: &Value) -> Result<(), Thrown> {
    let (above, key) = token.home.as_ref().ok_or_else(no_parent)?;
    match (&above.json, key) {
        (Json::Object(object), Key::Name(name)) => object.set(name, convert::from_value(value)?),
        (Json::Object(object), Key::Property(name)) => match value {
            Value::Json(Json::Property(property)) => {
                let place = object.place_of(name).ok_or_else(no_parent)?;
                object.remove(name);
                object.insert_at(place, property.name(), property.value())
            }
            other => Err(Thrown::new(
                ExceptionKind::Argument,
                format!("Can not add {} to Newtonsoft.Json.Linq.JObject.", other.type_name()),
            )),
        },
        (Json::Array(array), Key::Item(_)) => {
            let place = token.place().and_then(|at| i32::try_from(at).ok());
            array.set_at(place.ok_or_else(no_parent)?, convert::from_value(value)?)
        }
        _ => Err(no_parent()),
    }
}

/// `token.Remove()`
pub fn remove(token: &Placed) -> Result<(), Thrown> {
    if let Json::Property(property) = &token.json {
        return property.remove();
    }
    let (above, key) = token.home.as_ref().ok_or_else(no_parent)?;
    match (&above.json, key) {
        (Json::Array(array), Key::Item(_)) => {
            let place = token.place().and_then(|at| i32::try_from(at).ok());
            array.remove_at(place.ok_or_else(no_parent)?)
        }
        // A property has one value, neither more nor less.
        (_, Key::Name(_)) => Err(Thrown::new(
            ExceptionKind::Json,
            "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.",
        )),
        _ => Err(no_parent()),
    }
}

/// `token.AddAfterSelf(content)`, `token.AddBeforeSelf(content)`.
pub fn add_beside(token: &Placed, content: &Value, after: bool) -> Result<(), Thrown> {
    let (above, key) = token.home.as_ref().ok_or_else(no_parent)?;
    let beside = usize::from(after);
    match (&above.json, key) {
        (Json::Array(array), Key::Item(_)) => {
            let place = token.place().ok_or_else(no_parent)?.saturating_add(beside);
            for (at, item) in (place..).zip(contents(content)) {
                let at = i32::try_from(at).map_err(|_| Thrown::list_index())?;
                array.insert(at, convert::from_value(&item)?)?;
            }
            Ok(())
        }
        (Json::Object(object), Key::Property(name)) => {
            let place = object.place_of(name).ok_or_else(no_parent)?.saturating_add(beside);
            for (at, item) in (place..).zip(contents(content)) {
                let Value::Json(Json::Property(property)) = &item else {
                    let message = format!(
                        "Can not add {} to Newtonsoft.Json.Linq.JObject.",
                        item.type_name()
                    );
                    return Err(Thrown::new(ExceptionKind::Argument, message));
                };
                object.insert_at(at, property.name(), property.value())?;
            }
            Ok(())
        }
        (_, Key::Name(_)) => Err(Thrown::new(
            ExceptionKind::Json,
            "Newtonsoft.Json.Linq.JProperty cannot have multiple values.",
        )),
        _ => Err(no_parent()),
    }
}

/// What is added: a list's items one by one.
fn contents(content: &Value) -> Vec<Value> {
    match content {
        Value::List(list) => list.snapshot(),
        one => vec![one.clone()],
    }
}

/// The tokens beside `token` and where it is among them.
fn siblings(token: &Arc<Placed>) -> Option<(Vec<Arc<Placed>>, usize)> {
    let (above, key) = token.home.as_ref()?;
    let place = match key {
        Key::Item(_) => token.place()?,
        Key::Property(name) => match &above.json {
            Json::Object(object) => object.place_of(name)?,
            _ => return None,
        },
        Key::Name(_) => return None,
    };
    Some((above.children(), place))
}

/// `token.Next`, `token.Previous`
pub fn beside(token: &Arc<Placed>, next: bool) -> Value {
    let step = |place: usize| if next { place.checked_add(1) } else { place.checked_sub(1) };
    let found = token.home.as_ref().and_then(|(above, key)| match (&above.json, key) {
        (Json::Array(_), Key::Item(_)) => above.item(step(token.place()?)?),
        (Json::Object(object), Key::Property(name)) => {
            let name = object.name_at(step(object.place_of(name)?)?)?;
            above.property(&name)
        }
        _ => None,
    });
    found.map_or(Value::Null, Value::Token)
}

/// The first or the last of what a token holds.
fn end(token: &Arc<Placed>, is_last: bool) -> Option<Arc<Placed>> {
    match &token.json {
        Json::Object(object) => {
            let place = if is_last { object.len().checked_sub(1)? } else { 0 };
            token.property(&object.name_at(place)?)
        }
        Json::Array(array) => token.item(if is_last { array.len().checked_sub(1)? } else { 0 }),
        _ => token.value(),
    }
}

/// `token.AfterSelf()`, `token.BeforeSelf()`
pub fn all_beside(token: &Arc<Placed>, after: bool) -> Value {
    let (mut all, place) = siblings(token).unwrap_or_default();
    let rest = all.split_off(place.saturating_add(usize::from(after)).min(all.len()));
    sequence(if after { rest } else { all })
}
