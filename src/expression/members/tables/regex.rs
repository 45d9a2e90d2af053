//! Regular expressions.

use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, constructor, index, int, items, method, method_with, ok, property, static_method,
    static_property, static_with, strings, text,
};
use crate::expression::library::pattern;
use crate::expression::value::Value;
use crate::expression::value::matched::{Match, Pattern};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The pattern: an object, or a string that is compiled now.
fn regex(v: &[Value], index: usize, options: i32) -> Result<Arc<Pattern>, Thrown> {
    match at(v, index) {
        Value::Regex(pattern) => Ok(Arc::clone(pattern)),
        other => pattern::new(other.string()?, options).map(Arc::new),
    }
}

/// The first match, which can be asked for the next one.
fn found(pattern: &Arc<Pattern>, text: &Arc<str>) -> Match {
    pattern::first(pattern, text).of(pattern, text)
}

/// `match.NextMatch()`
fn next(v: &[Value]) -> Result<Match, Thrown> {
    let Value::Match(found) = at(v, 0) else {
        return Err(at(v, 0).refused("System.Text.RegularExpressions.Match"));
    };
    let whole = found.whole();
    match &found.origin {
        Some(origin) if whole.success => {
            let (pattern, text) = &**origin;
            let after = whole.index.saturating_add(whole.length.max(1));
            Ok(pattern::next_after(pattern, text, after).of(pattern, text))
        }
        _ => Ok(Match::empty()),
    }
}

/// A match with a time-out: matching is linear here, and the bounds of the evaluation hold anyway.
const TIMED: &str = "string input, string pattern, RegexOptions options, TimeSpan matchTimeout";

pub(super) const REGEX: &[Member] = &[
    // Patterns never change, so that a constant one is compiled once.
    Member {
        pure: true,
        ..constructor("string pattern, RegexOptions options = 0", |v| {
            Ok(Value::Regex(regex(v, 0, int(v, 1)?)?))
        })
    },
    Member {
        pure: true,
        ..constructor("string pattern, RegexOptions options, TimeSpan matchTimeout", |v| {
            Ok(Value::Regex(regex(v, 0, int(v, 1)?)?))
        })
    },
    method("IsMatch", "string input", "bool", |v| {
        ok(pattern::is_match(&*regex(v, 0, 0)?, text(v, 1)?))
    }),
    method("IsMatch", "string input, int startat", "bool", |v| {
        let found = pattern::next_after(&*regex(v, 0, 0)?, text(v, 1)?, int(v, 2)?);
        ok(found.whole().success)
    }),
    method("Match", "string input, int startat", "Match", |v| {
        let (pattern, input) = (regex(v, 0, 0)?, text(v, 1)?);
        ok(pattern::next_after(&pattern, input, int(v, 2)?).of(&pattern, input))
    }),
    method("GetGroupNames", "", "string[]", |v| {
        let pattern = regex(v, 0, 0)?;
        let names = pattern.regex.capture_names().enumerate();
        let names = names.map(|(at, name)| name.map_or_else(|| at.to_string(), str::to_owned));
        Ok(strings(names))
    }),
    method("Match", "string input", "Match", |v| ok(found(&regex(v, 0, 0)?, text(v, 1)?))),
    method("Matches", "string input", "MatchCollection", |v| {
        ok(Value::sequence(pattern::all(&*regex(v, 0, 0)?, text(v, 1)?)?))
    }),
    method("Replace", "string input, string replacement", "string", |v| {
        ok(pattern::replace(&*regex(v, 0, 0)?, text(v, 1)?, text(v, 2)?, None)?)
    }),
    method("Replace", "string input, string replacement, int count", "string", |v| {
        ok(pattern::replace(&*regex(v, 0, 0)?, text(v, 1)?, text(v, 2)?, Some(int(v, 3)?))?)
    }),
    method_with("Replace", "string input, Func<Match, string> evaluator", "string", |call| {
        let pattern = regex(call.arguments(), 0, 0)?;
        let input = Arc::clone(call.text(1)?);
        ok(pattern::replace_with(&pattern, &input, &mut |with| call.invoke(2, with))?)
    }),
    method("Split", "string input", "string[]", |v| {
        ok(Value::array(pattern::split(&*regex(v, 0, 0)?, text(v, 1)?)?))
    }),
    static_method(
        "IsMatch",
        "string input, string pattern, RegexOptions options = 0",
        "bool",
        |v| ok(pattern::is_match(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)),
    ),
    static_method(
        "Match",
        "string input, string pattern, RegexOptions options = 0",
        "Match",
        |v| ok(found(&regex(v, 1, int(v, 2)?)?, text(v, 0)?)),
    ),
    static_method(
        "Matches",
        "string input, string pattern, RegexOptions options = 0",
        "MatchCollection",
        |v| ok(Value::sequence(pattern::all(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?)),
    ),
    static_method(
        "Replace",
        "string input, string pattern, string replacement, RegexOptions options = 0",
        "string",
        |v| ok(pattern::replace(&*regex(v, 1, int(v, 3)?)?, text(v, 0)?, text(v, 2)?, None)?),
    ),
    static_with(
        "Replace",
        "string input, string pattern, Func<Match, string> evaluator, RegexOptions options = 0",
        "string",
        |call| {
            let pattern = regex(call.arguments(), 1, int(call.arguments(), 3)?)?;
            let input = Arc::clone(call.text(0)?);
            ok(pattern::replace_with(&pattern, &input, &mut |with| call.invoke(2, with))?)
        },
    ),
    static_method(
        "Split",
        "string input, string pattern, RegexOptions options = 0",
        "string[]",
        |v| ok(Value::array(pattern::split(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?)),
    ),
    static_method("IsMatch", TIMED, "bool", |v| {
        ok(pattern::is_match(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?))
    }),
    static_method("Match", TIMED, "Match", |v| ok(found(&regex(v, 1, int(v, 2)?)?, text(v, 0)?))),
    static_method("Matches", TIMED, "MatchCollection", |v| {
        ok(Value::sequence(pattern::all(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?))
    }),
    static_method(
        "Replace",
        "string input, string pattern, string replacement, RegexOptions options, TimeSpan matchTimeout",
        "string",
        |v| ok(pattern::replace(&*regex(v, 1, int(v, 3)?)?, text(v, 0)?, text(v, 2)?, None)?),
    ),
    static_method("Split", TIMED, "string[]", |v| {
        ok(Value::array(pattern::split(&*regex(v, 1, int(v, 2)?)?, text(v, 0)?)?))
    }),
    static_method("Escape", "string str", "string", |v| ok(pattern::escape(text(v, 0)?)?)),
    static_method("Unescape", "string str", "string", |v| ok(pattern::unescape(text(v, 0)?)?)),
];

/// What a match or one of its groups is.
fn group(v: &[Value]) -> Result<Arc<crate::expression::value::matched::Group>, Thrown> {
    match at(v, 0) {
        Value::Match(found) => Ok(found.whole()),
        Value::Group(group) => Ok(Arc::clone(group)),
        other => Err(other.refused("System.Text.RegularExpressions.Group")),
    }
}

pub(super) const GROUP: &[Member] = &[
    property("Success", "bool", |v| ok(group(v)?.success)),
    property("Value", "string", |v| ok(Arc::clone(&group(v)?.value))),
    property("Index", "int", |v| ok(group(v)?.index)),
    property("Length", "int", |v| ok(group(v)?.length)),
    property("Name", "string", |v| ok(Arc::clone(&group(v)?.name))),
    method("ToString", "", "string", |v| ok(Arc::clone(&group(v)?.value))),
    property("Captures", "CaptureCollection", captures),
];

/// What a group captured: what is left of it, which is its last capture. .NET also keeps the
/// earlier ones of a group that is repeated.
fn captures(v: &[Value]) -> Outcome {
    let group = group(v)?;
    let captured = if group.success { vec![Value::Group(group)] } else { Vec::new() };
    Ok(Value::sequence(captured))
}

/// `CaptureCollection`.
pub(super) const CAPTURES: &[Member] = &[
    property("Count", "int", |v| ok(i32::try_from(items(v, 0)?.len()).unwrap_or(i32::MAX))),
    index("int i", "Group", |v| {
        let place = usize::try_from(int(v, 1)?).ok();
        let found = place.and_then(|place| items(v, 0).ok()?.into_iter().nth(place));
        found.ok_or_else(|| Thrown::out_of_range("i", "Index is outside."))
    }),
];

/// The groups of a match are the match itself.
pub(super) const MATCH: &[Member] = &[
    method_with("NextMatch", "", "Match", |call| {
        if let Value::Match(found) = call.argument(0)
            && let Some(origin) = &found.origin
        {
            call.scanned(origin.1.len())?;
        }
        ok(next(call.arguments())?)
    }),
    method("Result", "string replacement", "string", |v| {
        let Value::Match(found) = at(v, 0) else {
            return Err(at(v, 0).refused("System.Text.RegularExpressions.Match"));
        };
        let failed = || {
            Thrown::new(ExceptionKind::NotSupported, "Result cannot be called on a failed Match.")
        };
        let origin = found.origin.as_ref().filter(|_| found.whole().success);
        let (pattern, input) = &**origin.ok_or_else(failed)?;
        ok(pattern::result(pattern, input, found.whole().index, text(v, 1)?)?)
    }),
    static_property("Empty", "Match", |_| ok(Match::empty())).effect(),
    property("Groups", "GroupCollection", |v| Ok(at(v, 0).clone())),
];

pub(super) const GROUPS: &[Member] = &[
    property("Count", "int", |v| match at(v, 0) {
        Value::Match(found) => ok(i32::try_from(found.groups.len()).unwrap_or(i32::MAX)),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
    }),
    index("int groupnum", "Group", |v| match at(v, 0) {
        Value::Match(found) => Ok(Value::Group(found.group(int(v, 1)?))),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
    }),
    index("string groupname", "Group", |v| match at(v, 0) {
        Value::Match(found) => Ok(Value::Group(found.group_named(text(v, 1)?))),
        other => Err(other.refused("System.Text.RegularExpressions.GroupCollection")),
    }),
];
