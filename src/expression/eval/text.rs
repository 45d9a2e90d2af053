//! Texts: parts that are joined, and values in the holes of interpolated strings.

use super::Machine;
use super::node::{Node, Text};
use crate::expression::library::display;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_string};

impl<'s> Machine<'s> {
    pub(super) fn concat(&mut self, parts: &'s [Node]) -> Result<Value, Thrown> {
        let mut joined = String::new();
        for part in parts {
            let value = self.value(part)?;
            joined.push_str(&display::text(&value)?);
            bounded_string(joined.len())?;
        }
        let joined = Value::from(joined);
        self.charge(&joined)?;
        Ok(joined)
    }

    pub(super) fn text(&mut self, text: &'s Text) -> Result<Value, Thrown> {
        let mut value = self.value(&text.value)?;
        if let (Some(of), Value::Int(number)) = (text.names, &value) {
            value = Value::from(of.text(*number));
        }
        let alignment = match &text.alignment {
            Some(alignment) => self.value(alignment)?.int()?,
            None => 0,
        };
        if alignment == 0 && text.format.is_none() {
            return Ok(Value::String(display::text(&value)?));
        }
        let shown = display::hole(&value, alignment, text.format.as_deref())?;
        Ok(Value::from(shown))
    }
}
