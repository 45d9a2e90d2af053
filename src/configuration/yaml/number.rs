//! Numbers in YAML: those a type asks for, and those a plain text turns out to be.

use std::str::FromStr;

use serde::de::Visitor;

use super::read::Wrong;

/// A number a type can ask for.
pub(super) trait Number: FromStr + Default {
    /// The range in words: "from 0 to 255".
    fn range() -> String;
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            fn range() -> String {
                format!("from {} to {}", <$type>::MIN, <$type>::MAX)
            }
        }
    )*};
}

numbers! { i8 i16 i32 i64 u8 u16 u32 u64 }

/// Gives `visitor` the number that `text` is by YAML's core schema, or else the text.
pub(super) fn plain_number<'n, V: Visitor<'n>>(text: &str, visitor: V) -> Result<V::Value, Wrong> {
    let begins_so = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
    if text.starts_with(begins_so) {
        if let Ok(number) = text.parse::<u64>() {
            return visitor.visit_u64(number);
        }
        if let Ok(number) = text.parse::<i64>() {
            return visitor.visit_i64(number);
        }
        if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return visitor.visit_f64(number);
        }
    }
    visitor.visit_str(text)
}
