//! What sequences of tokens have besides LINQ.

use super::super::Member;
use super::super::arguments::{items, list, method, method_with, ok};
use super::json::target;
use crate::expression::library::json::access;
use crate::expression::library::json::convert as conversion;
use crate::expression::library::sequence;
use crate::expression::value::Value;

/// What a sequence of tokens has besides LINQ.
pub(super) const TOKENS: &[Member] = &[
    method_with("Values<X>", "", "IEnumerable<X>", |call| {
        let target = target(call.wanted())?;
        let mut values = Vec::new();
        for token in items(call.arguments(), 0)? {
            values.push(match token {
                Value::Json(token) => conversion::to_target(&token, &target)?,
                other => other,
            });
        }
        ok(Value::sequence(values))
    }),
    method("Children", "", "IEnumerable<JToken>", |v| {
        let mut children = Vec::new();
        for token in sequence::items(&Value::List(std::sync::Arc::clone(list(v, 0)?)))? {
            if let Value::Json(token) = token {
                children.extend(access::children(&token));
            }
        }
        ok(Value::sequence(children))
    })
    .effect(),
];
