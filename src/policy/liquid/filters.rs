//! Filters: their names as API Management has them (as in C#), how many values each takes, and what
//! they do.

mod list;
mod number;
mod text;

use std::sync::Arc;

use super::datum::{Datum, count};
use super::syntax::Operand;
use super::words::Words;
use super::{Stop, Wrong};
use crate::expression::library::pattern;
use crate::expression::value::matched::Pattern;
use crate::expression::value::moment::DateTime;
use crate::fault::nearest;

/// A filter that a value goes through.
#[derive(Clone, Debug)]
pub struct Call {
    filter: Filter,
    /// What it is given beside the value.
    pub arguments: Vec<Operand>,
    /// The pattern that it looks for, where that is written in the template.
    pattern: Option<Arc<Pattern>>,
}

/// What a filter does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Filter {
    Abs,
    Append,
    AtLeast,
    AtMost,
    Capitalize,
    Ceil,
    Compact,
    Currency,
    Date,
    Default,
    DividedBy,
    Downcase,
    Escape,
    First,
    Floor,
    Join,
    Last,
    Lstrip,
    Map,
    Minus,
    Modulo,
    NewlineToBr,
    Plus,
    Prepend,
    Remove,
    RemoveFirst,
    Replace,
    ReplaceFirst,
    Round,
    Rstrip,
    Size,
    Slice,
    Sort,
    Split,
    Strip,
    StripHtml,
    StripNewlines,
    Times,
    Truncate,
    TruncateWords,
    Uniq,
    Upcase,
    UrlDecode,
    UrlEncode,
}

/// Each filter with the fewest and the most values that it takes.
const FILTERS: [(&str, Filter, usize, usize); 45] = [
    ("Abs", Filter::Abs, 0, 0),
    ("Append", Filter::Append, 1, 1),
    ("AtLeast", Filter::AtLeast, 1, 1),
    ("AtMost", Filter::AtMost, 1, 1),
    ("Capitalize", Filter::Capitalize, 0, 0),
    ("Ceil", Filter::Ceil, 0, 0),
    ("Compact", Filter::Compact, 0, 0),
    ("Currency", Filter::Currency, 0, 0),
    ("Date", Filter::Date, 1, 1),
    ("Default", Filter::Default, 0, 1),
    ("DividedBy", Filter::DividedBy, 1, 1),
    ("Downcase", Filter::Downcase, 0, 0),
    ("Escape", Filter::Escape, 0, 0),
    ("First", Filter::First, 0, 0),
    ("Floor", Filter::Floor, 0, 0),
    ("H", Filter::Escape, 0, 0),
    ("Join", Filter::Join, 0, 1),
    ("Last", Filter::Last, 0, 0),
    ("Lstrip", Filter::Lstrip, 0, 0),
    ("Map", Filter::Map, 1, 1),
    ("Minus", Filter::Minus, 1, 1),
    ("Modulo", Filter::Modulo, 1, 1),
    ("NewlineToBr", Filter::NewlineToBr, 0, 0),
    ("Plus", Filter::Plus, 1, 1),
    ("Prepend", Filter::Prepend, 1, 1),
    ("Remove", Filter::Remove, 1, 1),
    ("RemoveFirst", Filter::RemoveFirst, 1, 1),
    ("Replace", Filter::Replace, 1, 2),
    ("ReplaceFirst", Filter::ReplaceFirst, 1, 2),
    ("Round", Filter::Round, 0, 1),
    ("Rstrip", Filter::Rstrip, 0, 0),
    ("Size", Filter::Size, 0, 0),
    ("Slice", Filter::Slice, 1, 2),
    ("Sort", Filter::Sort, 0, 1),
    ("Split", Filter::Split, 1, 1),
    ("Strip", Filter::Strip, 0, 0),
    ("StripHtml", Filter::StripHtml, 0, 0),
    ("StripNewlines", Filter::StripNewlines, 0, 0),
    ("Times", Filter::Times, 1, 1),
    ("Truncate", Filter::Truncate, 0, 2),
    ("TruncateWords", Filter::TruncateWords, 0, 2),
    ("Uniq", Filter::Uniq, 0, 0),
    ("Upcase", Filter::Upcase, 0, 0),
    ("UrlDecode", Filter::UrlDecode, 0, 0),
    ("UrlEncode", Filter::UrlEncode, 0, 0),
];

/// Reads a filter after its `|`.
pub fn call(words: &mut Words<'_>) -> Result<Call, Wrong> {
    let from = words.here();
    let Some(name) = words.name() else {
        return Err(words.wrong("the name of a filter is missing after `|`"));
    };
    let at = from..from.saturating_add(name.len());
    let Some((_, filter, least, most)) = FILTERS.into_iter().find(|row| row.0 == name) else {
        let wrong = Wrong::new(at, format!("there is no filter `{name}`"));
        let rubys = name.replace('_', "");
        let names = || FILTERS.into_iter().map(|row| row.0);
        return Err(match nearest(name, names()).or_else(|| nearest(&rubys, names())) {
            Some(right) => wrong.mend(format!("did you mean `{right}`?")),
            None => wrong.mend(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
        });
    };
    let mut arguments = Vec::new();
    if words.take(":") {
        arguments.push(words.operand()?);
        while words.take(",") && arguments.len() <= most {
            arguments.push(words.operand()?);
        }
    }
    if !(least..=most).contains(&arguments.len()) {
        let takes = match (least, most) {
            (0, 0) => "no value".to_owned(),
            (1, 1) => "1 value".to_owned(),
            _ => format!("{least} to {most} values"),
        };
        let message = format!("`{name}` takes {takes}, not {}", arguments.len());
        return Err(Wrong::new(at, message));
    }
    let mut call = Call { filter, arguments, pattern: None };
    if call.is_pattern()
        && let Some(Operand::Constant(written)) = call.arguments.first()
    {
        let read = pattern::new(&written.shown(), 0);
        call.pattern = Some(Arc::new(read.map_err(|thrown| Wrong::new(at, thrown.message))?));
    }
    Ok(call)
}

impl Call {
    /// Whether its first value is a regular expression: `DotLiquid` takes it for one.
    const fn is_pattern(&self) -> bool {
        matches!(self.filter, Filter::Replace | Filter::ReplaceFirst | Filter::RemoveFirst)
    }

    /// Whether it makes a pattern of a text each time it runs.
    pub fn compiles(&self) -> bool {
        self.is_pattern() && self.pattern.is_none()
    }

    /// What comes of `input`.
    pub fn apply(&self, input: Datum, given: &[Datum], now: DateTime) -> Result<Datum, Stop> {
        use Filter as F;
        let first = given.first().cloned().unwrap_or_default();
        Ok(match self.filter {
            F::Abs | F::Ceil | F::Floor | F::Round => number::rounded(self.filter, &input, &first)?,
            F::AtLeast => number::bounded(&input, &first, true),
            F::AtMost => number::bounded(&input, &first, false),
            F::Plus | F::Minus | F::Times | F::DividedBy | F::Modulo => {
                number::computed(self.filter, &input, &first)?
            }
            F::Currency => number::currency(&input),
            F::Default if is_blank(&input) => first,
            F::Default => input,
            F::Date => text::date(&input, &first.shown(), now)?,
            F::Size => match &input {
                Datum::Text(_) | Datum::List(_) => input.member("size"),
                other => Datum::Int(count(other.breadth())),
            },
            F::First => list::items(&input).first().cloned().unwrap_or_default(),
            F::Last => list::items(&input).last().cloned().unwrap_or_default(),
            F::Join => list::join(&input, given.first())?,
            F::Map => Datum::list(list::items(&input).iter().map(|it| it.at(&first)).collect()),
            F::Compact => list::compact(&input),
            F::Uniq => list::uniq(&input)?,
            F::Sort => list::sort(&input, given.first()),
            F::Split => list::split(&input, &first.shown())?,
            _ if matches!(input, Datum::Nil) => Datum::Nil,
            F::Replace | F::ReplaceFirst | F::RemoveFirst => {
                let pattern = self.pattern(&first)?;
                let put = given.get(1).map(Datum::shown).unwrap_or_default();
                text::replaced(&pattern, &input.shown(), &put, self.filter == F::Replace)?
            }
            _ => text::changed(self.filter, &input.shown(), given)?,
        })
    }

    fn pattern(&self, written: &Datum) -> Result<Arc<Pattern>, Stop> {
        match &self.pattern {
            Some(pattern) => Ok(Arc::clone(pattern)),
            None => Ok(Arc::new(pattern::new(&written.shown(), 0)?)),
        }
    }
}

/// What `Default` replaces.
fn is_blank(input: &Datum) -> bool {
    match input {
        Datum::Text(text) => text.trim().is_empty(),
        other => !other.is_true() || other.is_empty(),
    }
}
