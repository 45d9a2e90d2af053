//! Filters that make texts of texts.

use std::fmt::Write as _;

use super::Filter;
use crate::expression::library::moment::format;
use crate::expression::library::moment::parse::{self, Styles};
use crate::expression::library::text::{byte_at, character, length, to_lower, to_upper};
use crate::expression::library::{operators, pattern, web};
use crate::expression::value::matched::Pattern;
use crate::expression::value::moment::DateTime;
use crate::policy::liquid::datum::Datum;
use crate::policy::liquid::{OUTPUT_BYTES_MAX, Stop, too_long};

/// How long `Truncate` and `TruncateWords` leave a text that says nothing else.
const TRUNCATED: usize = 50;
const TRUNCATED_WORDS: usize = 15;

/// What `filter` makes of `input`.
pub(super) fn changed(filter: Filter, input: &str, given: &[Datum]) -> Result<Datum, Stop> {
    use Filter as F;
    let first = || given.first().map(Datum::shown).unwrap_or_default();
    let text = match filter {
        F::Append => [input, &first()].concat(),
        F::Prepend => [&first(), input].concat(),
        F::Capitalize => titled(input),
        F::Downcase => to_lower(input),
        F::Upcase => to_upper(input),
        F::Escape => web::html::encode(input)?,
        F::UrlEncode => web::url_encode(input)?,
        F::UrlDecode => web::url_decode(input),
        F::Strip => input.trim().to_owned(),
        F::Lstrip => input.trim_start().to_owned(),
        F::Rstrip => input.trim_end().to_owned(),
        F::StripHtml => without_tags(input),
        F::StripNewlines => input.replace("\r\n", "").replace('\n', ""),
        F::NewlineToBr => with_breaks(input),
        F::Remove if first().is_empty() => input.to_owned(),
        F::Remove => input.replace(&*first(), ""),
        F::Slice => sliced(input, given),
        F::Truncate => truncated(input, given),
        F::TruncateWords => truncated_words(input, given),
        _ => input.to_owned(),
    };
    if OUTPUT_BYTES_MAX < text.len() {
        return Err(too_long());
    }
    Ok(Datum::text(text))
}

/// `Replace` (all, with `$1` for groups), `ReplaceFirst` and `RemoveFirst` (one, as it is written).
pub(super) fn replaced(
    looked_for: &Pattern,
    input: &str,
    put: &str,
    all: bool,
) -> Result<Datum, Stop> {
    if input.is_empty() || looked_for.source.is_empty() {
        return Ok(Datum::text(input));
    }
    if all {
        return Ok(Datum::text(pattern::replace(looked_for, input, put, None)?));
    }
    let Some(found) = looked_for.regex.find(input) else { return Ok(Datum::text(input)) };
    let before = input.get(..found.start()).unwrap_or_default();
    let after = input.get(found.end()..).unwrap_or_default();
    Ok(Datum::text([before, put, after].concat()))
}

/// `Date`: what is no date stays.
pub(super) fn date(input: &Datum, wanted: &str, now: DateTime) -> Result<Datum, Stop> {
    let moment = match input {
        Datum::Date(moment) => Some(*moment),
        Datum::Text(text) if matches!(&*text.to_ascii_lowercase(), "now" | "today") => Some(now),
        Datum::Text(text) => parse::date_time(text, Styles::default()).ok(),
        Datum::Node(_) => parse::date_time(&input.shown(), Styles::default()).ok(),
        _ => None,
    };
    let Some(moment) = moment else { return Ok(input.clone()) };
    Ok(Datum::text(format::date_time(moment, wanted)?))
}

/// A capital at the beginning of each word; a word all in capitals stays.
fn titled(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    let is_word = |character: &char| character::is_letter(*character) || *character == '\'';
    let mut rest = input;
    while !rest.is_empty() {
        let length = rest.find(|character| !is_word(&character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            let tail = letters.as_str();
            out.push(character::to_upper(first));
            let is_acronym = word.chars().all(character::is_upper);
            out.push_str(&if is_acronym { tail.to_owned() } else { to_lower(tail) });
        }
        let skipped = after.chars().next().map_or(0, char::len_utf8);
        let (between, next) = after.split_at_checked(skipped).unwrap_or((after, ""));
        out.push_str(between);
        rest = next;
    }
    out
}

fn without_tags(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(start) = rest.find('<') {
        // A tag does not go over the end of a line, as `.` in a pattern does not.
        let tag = rest.get(start..).unwrap_or_default();
        // Where the line, or the text, is over, no tag of it ends: it stays, and is not looked at again.
        let end = tag.find(['>', '\n']).unwrap_or(tag.len());
        let is_tag = tag.get(end..).is_some_and(|rest| rest.starts_with('>'));
        let end = start.saturating_add(end);
        let after = end.saturating_add(1).min(rest.len());
        let before = if is_tag { start } else { after };
        out.push_str(rest.get(..before).unwrap_or_default());
        rest = rest.get(after..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn with_breaks(input: &str) -> String {
    let mut out = String::with_capacity(input.len());
    for line in input.split_inclusive('\n') {
        let (text, end) = match line.strip_suffix("\r\n") {
            Some(text) => (text, "\r\n"),
            None => line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n")),
        };
        out.push_str(text);
        if !end.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(out, "<br />{end}");
        }
    }
    out
}

/// The argument `index` as a whole number.
fn whole(given: &[Datum], index: usize) -> Option<i64> {
    let number = given.get(index)?.number()?;
    i64::try_from(operators::to_integer(&number)?).ok()
}

fn unsigned(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// Positions count UTF-16 units, as in .NET; a negative one counts from the end.
fn sliced(input: &str, given: &[Datum]) -> String {
    let size = i64::try_from(length(input)).unwrap_or(i64::MAX);
    let start = whole(given, 0).unwrap_or(0);
    let wanted = if given.len() < 2 { 1 } else { whole(given, 1).unwrap_or(0) };
    let from = if start < 0 { start.saturating_add(size) } else { start };
    // What would begin before the text begins with it, and is as much shorter.
    let wanted = if from < 0 { wanted.saturating_add(from) } else { wanted };
    let from = from.clamp(0, size);
    let to = from.saturating_add(wanted.max(0)).min(size);
    cut(input, unsigned(from), unsigned(to)).to_owned()
}

fn cut(input: &str, from: usize, to: usize) -> &str {
    let at = |position| byte_at(input, position).unwrap_or(input.len());
    input.get(at(from)..at(to)).unwrap_or_default()
}

fn truncated(input: &str, given: &[Datum]) -> String {
    let size = whole(given, 0).map_or(TRUNCATED, unsigned);
    let mark = given.get(1).map_or_else(|| "...".into(), Datum::shown);
    if length(input) <= size {
        return input.to_owned();
    }
    let kept = size.saturating_sub(length(&mark));
    [cut(input, 0, kept), &mark].concat()
}

fn truncated_words(input: &str, given: &[Datum]) -> String {
    let most = whole(given, 0).map_or(TRUNCATED_WORDS, unsigned);
    let mark = given.get(1).map_or_else(|| "...".into(), Datum::shown);
    // Where the last word that stays ends.
    let end = match most.checked_sub(1) {
        Some(spaces) => input.match_indices(' ').nth(spaces).map(|(at, _)| at),
        None => Some(0),
    };
    let Some(kept) = end.and_then(|end| input.get(..end)) else { return input.to_owned() };
    [kept, &*mark].concat()
}
