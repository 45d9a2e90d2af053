//! What holds what: no collection may come to hold itself, and dropping one must not recurse.

use std::collections::HashSet;
use std::mem::take;
use std::sync::{Arc, PoisonError};

use super::{Grouping, List, Pair, Record};
use crate::expression::value::json::Json;
use crate::expression::value::message::Body;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::xml::Xml;
use crate::expression::value::{Value, bounded_items};

impl Value {
    /// What tells this shared object from others; none for a value that is only a value.
    pub fn address(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(Arc::as_ptr(list).addr()),
            Self::Map(map) => Some(Arc::as_ptr(map).addr()),
            Self::Set(set) => Some(Arc::as_ptr(set).addr()),
            Self::Pair(pair) => Some(Arc::as_ptr(pair).addr()),
            Self::Record(record) => Some(Arc::as_ptr(record).addr()),
            Self::Grouping(grouping) => Some(Arc::as_ptr(grouping).addr()),
            Self::StringBuilder(builder) => Some(Arc::as_ptr(builder).addr()),
            Self::Regex(pattern) => Some(Arc::as_ptr(pattern).addr()),
            Self::Match(found) => Some(Arc::as_ptr(found).addr()),
            Self::Group(group) => Some(Arc::as_ptr(group).addr()),
            Self::Random(random) => Some(Arc::as_ptr(random).addr()),
            Self::Hasher(hasher) => Some(Arc::as_ptr(hasher).addr()),
            Self::X509(x509) => x509.address(),
            Self::Jwt(jwt) => Some(Arc::as_ptr(jwt).addr()),
            Self::BasicCredentials(credentials) => Some(Arc::as_ptr(credentials).addr()),
            Self::Response(response) => Some(Arc::as_ptr(response).addr()),
            Self::Exception(thrown) => Some(Arc::as_ptr(thrown).addr()),
            Self::Function(function) => Some(Arc::as_ptr(function).addr()),
            Self::Bytes(bytes) | Self::Body(Body(bytes)) => Some(bytes.as_ptr().addr()),
            Self::Json(Json::Object(object)) => Some(object.address()),
            Self::Json(Json::Array(array)) => Some(array.address()),
            Self::Json(Json::Property(property)) => Some(property.address()),
            Self::Xml(Xml::Node(node)) => Some(node.address()),
            Self::Xml(Xml::Declaration(declared)) => Some(Arc::as_ptr(declared).addr()),
            _ => None,
        }
    }

    /// Whether this holds other values.
    fn holds_values(&self) -> bool {
        matches!(
            self,
            Self::List(_)
                | Self::Map(_)
                | Self::Set(_)
                | Self::Pair(_)
                | Self::Record(_)
                | Self::Grouping(_)
        )
    }

    /// The values that this holds.
    fn parts(&self) -> Vec<Self> {
        match self {
            Self::List(list) => list.snapshot(),
            Self::Map(map) => map.snapshot().into_iter().flat_map(<[Self; 2]>::from).collect(),
            Self::Set(set) => set.snapshot(),
            Self::Pair(pair) => vec![pair.key.clone(), pair.value.clone()],
            Self::Record(record) => record.values().to_vec(),
            Self::Grouping(grouping) => {
                let mut parts = grouping.items.clone();
                parts.push(grouping.key.clone());
                parts
            }
            _ => Vec::new(),
        }
    }
}

/// Refuses `added` as a part of the collection at `container` if that is a part of `added`: a
/// collection that holds itself would never be freed.
pub(super) fn refuse_cycle(container: usize, added: &Value) -> Result<(), Thrown> {
    if !added.holds_values() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let mut pending = vec![added.clone()];
    while let Some(value) = pending.pop() {
        let address = value.address();
        if address == Some(container) {
            return Err(Thrown::limit("a collection may not hold itself"));
        }
        if address.is_none_or(|address| seen.insert(address)) {
            bounded_items(seen.len())?;
            pending.extend(value.parts().into_iter().filter(Value::holds_values));
        }
    }
    Ok(())
}

/// Drops `values` and all they hold without recursion, however deep they are nested.
pub(super) fn bury(values: Vec<Value>) {
    if !values.iter().any(Value::holds_values) {
        return;
    }
    let mut pending = values;
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut list) = Arc::into_inner(list) {
                    pending.append(list.items.get_mut().unwrap_or_else(PoisonError::into_inner));
                }
            }
            Value::Map(map) => {
                if let Some(mut map) = Arc::into_inner(map) {
                    pending.extend(map.drain());
                }
            }
            Value::Set(set) => {
                if let Some(mut set) = Arc::into_inner(set) {
                    pending.extend(set.drain());
                }
            }
            Value::Pair(pair) => {
                if let Some(mut pair) = Arc::into_inner(pair) {
                    pending.extend([take(&mut pair.key), take(&mut pair.value)]);
                }
            }
            Value::Record(record) => {
                if let Some(mut record) = Arc::into_inner(record) {
                    pending.append(&mut record.values);
                }
            }
            Value::Grouping(grouping) => {
                if let Some(mut grouping) = Arc::into_inner(grouping) {
                    pending.append(&mut grouping.items);
                    pending.push(take(&mut grouping.key));
                }
            }
            other => drop(other),
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        bury(take(self.items.get_mut().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        bury(vec![take(&mut self.key), take(&mut self.value)]);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        bury(take(&mut self.values));
    }
}

impl Drop for Grouping {
    fn drop(&mut self) {
        let mut values = take(&mut self.items);
        values.push(take(&mut self.key));
        bury(values);
    }
}
