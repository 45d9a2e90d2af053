//! `Split`.

use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_items};

/// `StringSplitOptions`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// `RemoveEmptyEntries`.
    pub removes_empty: bool,
    /// `TrimEntries`.
    pub trims: bool,
}

impl Options {
    /// The options in the bits of a `StringSplitOptions`.
    pub const fn from_bits(bits: i32) -> Self {
        Self { removes_empty: bits & 1 != 0, trims: bits & 2 != 0 }
    }
}

/// `text.Split(separators, count, options)`: an array of at most `count` strings. An empty
/// separator separates nothing.
pub fn split(
    text: &str,
    separators: &[&str],
    count: Option<i32>,
    options: Options,
) -> Result<Value, Thrown> {
    let mut separators = Separators::new(text, separators);
    cut(text, count, options, |from| separators.after(text, from))
}

/// Cuts `text` at what `after` finds at or after a byte: where that is, and how many bytes wide.
fn cut(
    text: &str,
    count: Option<i32>,
    options: Options,
    mut after: impl FnMut(usize) -> Option<(usize, usize)>,
) -> Result<Value, Thrown> {
    let most = match count {
        None => usize::MAX,
        Some(count) => usize::try_from(count)
            .map_err(|_| Thrown::out_of_range("count", "Count cannot be less than zero."))?,
    };
    let mut parts: Vec<Value> = Vec::new();
    let mut from = Some(0);
    while let Some(start) = from {
        if most == 0 {
            break;
        }
        let next = after(start);
        let end = next.map_or(text.len(), |(at, _)| at);
        from = next.map(|(at, width)| at.saturating_add(width));
        let part = text.get(start..end).unwrap_or_default();
        let part = if options.trims { part.trim() } else { part };
        if options.removes_empty && part.is_empty() {
            continue;
        }
        // The last part that may be made keeps all that is left.
        if parts.len().saturating_add(1) >= most {
            let rest = text.get(start..).unwrap_or_default();
            parts.push(Value::text(if options.trims { rest.trim() } else { rest }));
            break;
        }
        parts.push(Value::text(part));
        bounded_items(parts.len())?;
    }
    Ok(Value::array(parts))
}

/// `text.Split()`: at each white space.
pub fn split_at_space(text: &str, count: Option<i32>, options: Options) -> Result<Value, Thrown> {
    let mut spaces: Vec<char> = text.chars().filter(|one| one.is_whitespace()).collect();
    spaces.sort_unstable();
    spaces.dedup();
    split_chars(text, &spaces, count, options)
}

/// `text.Split(characters, count, options)`.
pub fn split_chars(
    text: &str,
    characters: &[char],
    count: Option<i32>,
    options: Options,
) -> Result<Value, Thrown> {
    if let [one] = characters {
        return cut(text, count, options, |from| {
            let found = text.get(from..)?.find(*one)?;
            Some((from.saturating_add(found), one.len_utf8()))
        });
    }
    let separators: Vec<String> = characters.iter().map(char::to_string).collect();
    let separators: Vec<&str> = separators.iter().map(String::as_str).collect();
    split(text, &separators, count, options)
}

/// The separators of a split, each with the place where it comes next. A place is looked for again
/// only once it was passed, so that a separator that never comes is looked for once.
struct Separators<'s> {
    texts: Vec<&'s str>,
    next: Vec<Option<usize>>,
}

impl<'s> Separators<'s> {
    fn new(text: &str, separators: &[&'s str]) -> Self {
        let texts: Vec<&str> = separators.iter().copied().filter(|one| !one.is_empty()).collect();
        let next = texts.iter().map(|separator| text.find(separator)).collect();
        Self { texts, next }
    }

    /// The first separator at or after byte `from` of `text`, and how many bytes it has. Of two at
    /// one place it is the one that was given first.
    fn after(&mut self, text: &str, from: usize) -> Option<(usize, usize)> {
        let mut first: Option<(usize, usize)> = None;
        for (separator, next) in self.texts.iter().zip(&mut self.next) {
            if next.is_some_and(|at| at < from) {
                let rest = text.get(from..).unwrap_or_default();
                *next = rest.find(separator).map(|at| from.saturating_add(at));
            }
            if let Some(at) = *next
                && first.is_none_or(|(known, _)| at < known)
            {
                first = Some((at, separator.len()));
            }
        }
        first
    }
}
