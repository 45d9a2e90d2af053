//! What values cost an evaluation: bytes where they are made, steps where members look at them.

use crate::expression::value::Value;
use crate::expression::value::json::Json;

/// How many bytes of text given to a member count as one step.
pub(super) const STEP_BYTES: u64 = 256;

/// About how many bytes a value that was just made takes.
pub(super) fn size(value: &Value) -> u64 {
    let items = |count: usize| count.saturating_mul(size_of::<Value>());
    let bytes = match value {
        Value::String(text) | Value::Json(Json::String(text)) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => items(list.len()),
        Value::Map(map) => items(map.len()).saturating_mul(3),
        Value::Set(set) => items(set.len()).saturating_mul(2),
        _ => 0,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// How many steps it costs to give `value` to a member.
pub(super) fn weight(value: &Value) -> u64 {
    let looked_at = match value {
        Value::StringBuilder(builder) => u64::try_from(builder.len()).unwrap_or(u64::MAX),
        other => size(other),
    };
    looked_at / STEP_BYTES
}
