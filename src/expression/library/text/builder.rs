//! `System.Text.StringBuilder`.

use super::compare::Comparison;
use crate::expression::library::display;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::writer::StringBuilder;

/// `builder.Append(value)`.
pub fn append(builder: &StringBuilder, value: &Value) -> Result<(), Thrown> {
    builder.append(&display::text(value)?)
}

/// `builder.Append(character, count)`.
pub fn append_repeated(builder: &StringBuilder, character: char, count: i32) -> Result<(), Thrown> {
    builder.append(&super::repeated(character, count)?)
}

/// `builder.AppendLine(value)`: with a line feed, as on Linux.
pub fn append_line(builder: &StringBuilder, value: &Value) -> Result<(), Thrown> {
    builder.append(&display::text(value)?)?;
    builder.append("\n")
}

/// `builder.AppendFormat(format, arguments)`.
pub fn append_format(
    builder: &StringBuilder,
    format: &str,
    arguments: &[Value],
) -> Result<(), Thrown> {
    builder.append(&display::composite(format, arguments)?)
}

/// `builder.AppendJoin(separator, values)`.
pub fn append_join(
    builder: &StringBuilder,
    separator: &str,
    values: &[Value],
) -> Result<(), Thrown> {
    builder.append(&super::join(separator, values)?)
}

/// `builder.Insert(index, value)`.
pub fn insert(builder: &StringBuilder, index: i32, value: &Value) -> Result<(), Thrown> {
    builder.replace_all(super::insert(&builder.text(), index, &display::text(value)?)?)
}

/// `builder.Remove(start, count)`.
pub fn remove(builder: &StringBuilder, start: i32, count: i32) -> Result<(), Thrown> {
    builder.replace_all(super::remove(&builder.text(), start, Some(count))?)
}

/// `builder.Replace(old, new)`.
pub fn replace(builder: &StringBuilder, old: &str, new: Option<&str>) -> Result<(), Thrown> {
    builder.replace_all(super::replace(&builder.text(), old, new, Comparison::Ordinal)?)
}

/// `builder.Clear()`.
pub fn clear(builder: &StringBuilder) -> Result<(), Thrown> {
    builder.replace_all(String::new())
}

/// `builder.Length`.
pub fn length(builder: &StringBuilder) -> i32 {
    super::length_int(&builder.text())
}

/// `builder.ToString()`.
pub fn text(builder: &StringBuilder) -> String {
    builder.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_changes_as_in_dotnet() {
        let builder = StringBuilder::new("a");
        append(&builder, &1.into()).unwrap();
        append(&builder, &Value::Null).unwrap();
        append_line(&builder, &true.into()).unwrap();
        append_format(&builder, "{0:D2}", &[7.into()]).unwrap();
        append_repeated(&builder, '-', 2).unwrap();
        append_join(&builder, ",", &[1.into(), 2.into()]).unwrap();
        assert_eq!(text(&builder), "a1True\n07--1,2");
        insert(&builder, 0, &"<".into()).unwrap();
        remove(&builder, 1, 2).unwrap();
        replace(&builder, "--", None).unwrap();
        assert_eq!(text(&builder), "<True\n071,2");
        assert_eq!(length(&builder), 11);
        assert!(insert(&builder, 99, &"x".into()).is_err() && remove(&builder, 0, 99).is_err());
        clear(&builder).unwrap();
        assert_eq!(length(&builder), 0);
    }

    #[test]
    fn a_builder_has_a_bound() {
        let builder = StringBuilder::default();
        let block = "x".repeat(1024 * 1024);
        let failed = (0..100).find(|_| builder.append(&block).is_err());
        assert_eq!(failed, Some(16));
    }
}
