//! Copies of values that go into a cache and come out of it.
//!
//! Collections, JSON, XML and string builders are shared and mutable, so a value that is kept and the
//! one that an expression holds must not be the same object.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is neither shared nor bound to its exchange is copied alike"
)]

use std::sync::Arc;

use crate::expression::value::collection::keyed::{Map, Set};
use crate::expression::value::collection::{Grouping, List, Pair, Record, RecordKind};
use crate::expression::value::thrown::Thrown;
use crate::expression::value::writer::StringBuilder;
use crate::expression::value::xml::Xml;
use crate::expression::value::{LIST_ITEMS_MAX, Value};
use crate::policy::Failure;

/// How deep collections may stand in each other in a value that is kept.
const DEPTH_MAX: usize = 64;

/// A copy of `value` that shares nothing mutable with it.
///
/// Refused are what lives only in its exchange (bodies, responses), what computes (lambdas, hash
/// objects, sources of random numbers), and what is too large or nested too deep.
pub(super) fn copy(value: &Value) -> Result<Value, Failure> {
    let mut items = 0;
    deep(value, 0, &mut items)
}

fn deep(value: &Value, depth: usize, items: &mut usize) -> Result<Value, Failure> {
    let own = match value {
        Value::Xml(Xml::Node(node)) => node.extent(),
        _ => 1,
    };
    *items = items.saturating_add(own);
    if DEPTH_MAX < depth || LIST_ITEMS_MAX < *items {
        let message = format!(
            "a value that is cached may be nested {DEPTH_MAX} deep and have {LIST_ITEMS_MAX} items"
        );
        return Err(Failure::value(message));
    }
    let mut inside = |value: &Value| deep(value, depth.saturating_add(1), items);
    Ok(match value {
        Value::Json(json) => Value::Json(json.deep_clone().map_err(thrown)?),
        Value::List(list) => {
            let copies = list.snapshot().iter().map(inside).collect::<Result<_, _>>()?;
            Value::from(List::new(list.kind(), copies))
        }
        Value::Map(map) => {
            let copy = Map::new(map.ignores_case());
            for (key, value) in map.snapshot() {
                copy.set(inside(&key)?, inside(&value)?).map_err(thrown)?;
            }
            Value::from(copy)
        }
        Value::Set(set) => {
            let copies = set.snapshot().iter().map(inside).collect::<Result<_, _>>()?;
            Value::from(Set::of(copies, set.ignores_case()).map_err(thrown)?)
        }
        Value::Pair(pair) => Value::from(Pair::new(inside(&pair.key)?, inside(&pair.value)?)),
        Value::Record(record) => Value::from(copy_record(record, &mut inside)?),
        Value::Grouping(grouping) => {
            let items = grouping.items.iter().map(&mut inside).collect::<Result<_, _>>()?;
            Value::Grouping(Arc::new(Grouping { key: inside(&grouping.key)?, items }))
        }
        Value::StringBuilder(builder) => Value::from(StringBuilder::new(&builder.text())),
        Value::Xml(Xml::Node(node)) => Value::Xml(Xml::Node(node.copy())),
        Value::Body(_)
        | Value::Response(_)
        | Value::Function(_)
        | Value::Hasher(_)
        | Value::Random(_) => {
            let kind = value.short_type_name();
            return Err(Failure::value(format!("a value of type {kind} cannot be cached")));
        }
        other => other.clone(),
    })
}

fn copy_record(
    record: &Record,
    inside: &mut dyn FnMut(&Value) -> Result<Value, Failure>,
) -> Result<Record, Failure> {
    let mut fields = Vec::new();
    for (name, value) in record.fields() {
        fields.push((Arc::clone(name), inside(value)?));
    }
    Ok(match record.kind() {
        RecordKind::Tuple => Record::tuple(fields.into_iter().map(|(_, value)| value).collect()),
        RecordKind::Anonymous => Record::anonymous(fields),
    })
}

fn thrown(thrown: Thrown) -> Failure {
    Failure::value(thrown.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::value::json::{Json, JsonObject};
    use crate::expression::value::message::Body;
    use crate::expression::value::xml::Name;
    use crate::expression::value::xml::tree::{Held, Kind};

    #[test]
    fn a_copy_shares_nothing_that_can_change() {
        let object = JsonObject::new();
        object.set("a", Json::Int(1)).unwrap();
        let inner = Value::list(vec![Value::Int(1)]);
        let original = Value::array(vec![inner.clone(), Value::from(Json::Object(object.clone()))]);
        let kept = copy(&original).unwrap();
        object.set("a", Json::Int(2)).unwrap();
        let Value::List(inner) = inner else { panic!() };
        inner.push(Value::Int(2)).unwrap();
        let Value::List(kept) = kept else { panic!() };
        let (Some(Value::List(list)), Some(Value::Json(Json::Object(json)))) =
            (kept.get(0), kept.get(1))
        else {
            panic!()
        };
        assert_eq!(list.len(), 1);
        assert!(matches!(json.get("a"), Some(Json::Int(1))));
    }

    #[test]
    fn a_copy_of_a_node_is_another_tree() {
        let node = Held::new(Kind::Element, Name::none(), Arc::from(""));
        let Value::Xml(Xml::Node(kept)) = copy(&Value::Xml(Xml::Node(node.clone()))).unwrap()
        else {
            panic!()
        };
        node.attach(0, &Held::new(Kind::Comment, Name::none(), Arc::from("later")));
        assert_eq!((node.len(), kept.len()), (1, 0));
    }

    #[test]
    fn what_belongs_to_an_exchange_is_refused() {
        let body = Value::from(Body(bytes::Bytes::from_static(b"x")));
        let failure = copy(&Value::list(vec![body])).unwrap_err();
        assert_eq!(failure.message, "a value of type IMessageBody cannot be cached");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = (0..=DEPTH_MAX).fold(Value::Null, |inner, _| Value::list(vec![inner]));
        assert!(copy(&deep).is_err());
    }
}
