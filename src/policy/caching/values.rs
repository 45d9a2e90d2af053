//! `cache-lookup-value`, `cache-store-value` and `cache-remove-value`.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::exchange::cached::CacheKey;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::caching::{caching_type, kept};
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds};
use crate::policy::program::Action;

/// `cache-lookup-value`.
#[derive(Clone, Debug)]
pub struct LookupValue {
    key: Operand<Arc<str>>,
    variable: Arc<str>,
    default: Option<Operand<Value>>,
}

/// `cache-store-value`.
#[derive(Clone, Debug)]
pub struct StoreValue {
    key: Operand<Arc<str>>,
    value: Operand<Value>,
    duration: Operand<Seconds>,
}

/// `cache-remove-value`.
#[derive(Clone, Debug)]
pub struct RemoveValue {
    key: Operand<Arc<str>>,
}

pub(in crate::policy) fn cache_lookup_value(builder: &mut Builder<'_>, element: &Element) {
    caching_type(builder, element);
    let key = builder.attribute(element, "key");
    let variable = builder.literal(element, "variable-name");
    let default = builder.attribute(element, "default-value");
    if let (Some(key), Some(variable)) = (key, variable) {
        let policy = LookupValue { key, variable, default };
        builder.push(element, Action::LookupValue(Box::new(policy)));
    }
}

pub(in crate::policy) fn cache_store_value(builder: &mut Builder<'_>, element: &Element) {
    caching_type(builder, element);
    let key = builder.attribute(element, "key");
    let value = builder.attribute(element, "value");
    let duration = builder.attribute(element, "duration");
    if let (Some(key), Some(value), Some(duration)) = (key, value, duration) {
        let policy = StoreValue { key, value, duration };
        builder.push(element, Action::StoreValue(Box::new(policy)));
    }
}

pub(in crate::policy) fn cache_remove_value(builder: &mut Builder<'_>, element: &Element) {
    caching_type(builder, element);
    if let Some(key) = builder.attribute(element, "key") {
        builder.push(element, Action::RemoveValue(RemoveValue { key }));
    }
}

impl LookupValue {
    /// Asks for the value.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        Ok(Flow::Ask(Effect::LookupValue(value_key(&self.key, exchange)?)))
    }

    /// Sets the variable to a copy of what was found, or to the default; without one, a miss
    /// leaves the variable as it is.
    pub(in crate::policy) fn found(
        &self,
        found: Option<Value>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let value = match (found, &self.default) {
            (Some(value), _) => Some(kept::copy(&value)?),
            (None, Some(default)) => Some(default.get(exchange)?),
            (None, None) => None,
        };
        if let Some(value) = value {
            exchange.variables.set(&self.variable, value);
        }
        Ok(Flow::Next)
    }
}

impl StoreValue {
    /// Keeps a copy: what later steps do to the value is theirs.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let key = value_key(&self.key, exchange)?;
        let value = kept::copy(&self.value.get(exchange)?)?;
        let Seconds(ttl) = self.duration.get(exchange)?;
        Ok(Flow::Ask(Effect::StoreValue(key, value, ttl)))
    }
}

impl RemoveValue {
    /// Forgets the value.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        Ok(Flow::Ask(Effect::RemoveValue(value_key(&self.key, exchange)?)))
    }
}

fn value_key(key: &Operand<Arc<str>>, exchange: &mut Exchange) -> Result<CacheKey, Failure> {
    Ok(named(&key.get(exchange)?))
}

/// Under what the value `key` is kept.
pub(super) fn named(key: &str) -> CacheKey {
    CacheKey::new(["value", key])
}
