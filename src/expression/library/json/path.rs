//! `SelectToken` and `SelectTokens`: paths as Newtonsoft has it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::convert;
use crate::expression::library::operators;
use crate::expression::library::pattern;
use crate::expression::value::Value;
use crate::expression::value::json::{Json, bounded_tokens};
use crate::expression::value::matched::Pattern;
use crate::expression::value::placed::Placed;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

mod parse;

/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// The most steps and conditions that a path may have.
pub const PATH_STEPS_MAX: usize = 128;

/// One step of a path.
#[derive(Debug)]
enum Step {
    /// `.name`, `['name']`; several names in one bracket.
    Names(Vec<Arc<str>>),
    /// `[1]`; several places in one bracket.
    Places(Vec<i64>),
    /// `.*`, `[*]`.
    All,
    /// `[start:end:step]`.
    Slice(Option<i64>, Option<i64>, i64),
    /// `[?(…)]`.
    Filter(Condition),
    /// `..`: the tokens and all below them.
    Descend,
}

/// What a filter asks.
#[derive(Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Box<Pattern>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum Operand {
    /// A path from the item (`@`) or from the root (`$`).
    Path {
        is_root: bool,
        steps: Vec<Step>,
    },
    Literal(Json),
}

/// What a path leads through: tokens, with or without their places.
pub trait Reached: Clone {
    /// The token.
    fn json(&self) -> &Json;
    /// The value of a member.
    fn member(&self, name: &str) -> Option<Self>;
    /// An item.
    fn item(&self, place: usize) -> Option<Self>;
    /// An object's values or an array's items.
    fn values(&self) -> Vec<Self>;
    /// A token that stands in the path itself.
    fn literal(token: &Json) -> Self;
}

impl Reached for Json {
    fn json(&self) -> &Json {
        self
    }

    fn member(&self, name: &str) -> Option<Self> {
        if let Self::Object(object) = self { object.get(name) } else { None }
    }

    fn item(&self, place: usize) -> Option<Self> {
        if let Self::Array(array) = self { array.get(place) } else { None }
    }

    fn values(&self) -> Vec<Self> {
        match self {
            Self::Object(object) => object.members().into_iter().map(|(_, value)| value).collect(),
            Self::Array(array) => array.items(),
            _ => Vec::new(),
        }
    }

    fn literal(token: &Json) -> Self {
        token.clone()
    }
}

impl Reached for Arc<Placed> {
    fn json(&self) -> &Json {
        &self.json
    }

    fn member(&self, name: &str) -> Option<Self> {
        Placed::member(self, name)
    }

    fn item(&self, place: usize) -> Option<Self> {
        Placed::item(self, place)
    }

    fn values(&self) -> Vec<Self> {
        Placed::values(self)
    }

    fn literal(token: &Json) -> Self {
        Self::new(Placed::root(token.clone()))
    }
}

/// `token.SelectToken(path)`: `null` if nothing is there; more than one token is a
/// `JsonException`.
pub fn select_token(token: &Json, path: &str) -> Result<Option<Json>, Thrown> {
    select_one(token.clone(), path)
}

/// `token.SelectTokens(path)`.
pub fn select_tokens(token: &Json, path: &str) -> Result<Vec<Json>, Thrown> {
    select(token.clone(), path)
}

/// The same as [`select_token`], for tokens of either kind.
pub fn select_one<T: Reached>(token: T, path: &str) -> Result<Option<T>, Thrown> {
    let mut found = select(token, path)?.into_iter();
    let first = found.next();
    if found.next().is_some() {
        return Err(Thrown::new(ExceptionKind::Json, "Path returned multiple tokens."));
    }
    Ok(first)
}

/// The same as [`select_tokens`], for tokens of either kind.
pub fn select<T: Reached>(token: T, path: &str) -> Result<Vec<T>, Thrown> {
    let steps = parse::path(path)?;
    let mut search = Search { root: token.clone(), seen: 0 };
    search.run(vec![token], &steps)
}

/// A search, and how many tokens it has looked at.
struct Search<T> {
    root: T,
    seen: usize,
}

impl<T: Reached> Search<T> {
    fn run(&mut self, from: Vec<T>, steps: &[Step]) -> Result<Vec<T>, Thrown> {
        let mut tokens = from;
        for step in steps {
            let mut found = Vec::new();
            for token in tokens {
                self.step(&token, step, &mut found)?;
            }
            tokens = found;
        }
        Ok(tokens)
    }

    fn step(&mut self, token: &T, step: &Step, found: &mut Vec<T>) -> Result<(), Thrown> {
        self.count(1)?;
        match step {
            Step::Names(names) => {
                found.extend(names.iter().filter_map(|name| token.member(name)));
            }
            Step::Places(places) => {
                let places = places.iter().filter_map(|place| usize::try_from(*place).ok());
                found.extend(places.filter_map(|place| token.item(place)));
            }
            Step::All => found.extend(self.below(token)?),
            Step::Slice(start, end, step) => {
                if let Json::Array(_) = token.json() {
                    found.extend(slice(&token.values(), *start, *end, *step));
                }
            }
            Step::Filter(condition) => {
                for item in self.below(token)? {
                    if self.holds(condition, &item)? {
                        found.push(item);
                    }
                }
            }
            Step::Descend => {
                let mut pending = vec![token.clone()];
                while let Some(token) = pending.pop() {
                    let mut below = self.below(&token)?;
                    below.reverse();
                    found.push(token);
                    pending.append(&mut below);
                }
            }
        }
        Ok(())
    }

    /// An object's values or an array's items.
    fn below(&mut self, token: &T) -> Result<Vec<T>, Thrown> {
        let below = token.values();
        self.count(below.len())?;
        Ok(below)
    }

    fn count(&mut self, tokens: usize) -> Result<(), Thrown> {
        self.seen = self.seen.saturating_add(tokens);
        bounded_tokens(self.seen)
    }

    fn holds(&mut self, condition: &Condition, item: &T) -> Result<bool, Thrown> {
        match condition {
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.holds(condition, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.holds(condition, item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Exists(operand) => Ok(!self.operand(operand, item)?.is_empty()),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.operand(left, item)?, self.operand(right, item)?);
                Ok(left.iter().any(|one| {
                    right.iter().any(|other| compare(one.json(), *comparison, other.json()))
                }))
            }
            Condition::Matches(operand, pattern) => {
                let tokens = self.operand(operand, item)?;
                Ok(tokens.iter().any(|token| match token.json() {
                    Json::String(text) => pattern.regex.is_match(text),
                    _ => false,
                }))
            }
        }
    }

    fn operand(&mut self, operand: &Operand, item: &T) -> Result<Vec<T>, Thrown> {
        match operand {
            Operand::Literal(token) => Ok(vec![T::literal(token)]),
            Operand::Path { is_root, steps } => {
                let from = if *is_root { self.root.clone() } else { item.clone() };
                self.run(vec![from], steps)
            }
        }
    }
}

/// The comparison of two simple tokens; a number may stand in a string.
fn compare(left: &Json, comparison: Comparison, right: &Json) -> bool {
    let (Some(one), Some(other)) = (convert::simple(left), convert::simple(right)) else {
        let equal = super::access::deep_equals(left, right).unwrap_or(false);
        return matches!(comparison, Comparison::Equal) && equal
            || matches!(comparison, Comparison::NotEqual) && !equal;
    };
    let equal = operators::equal(&one, &other);
    let ordering = match (&one, &other) {
        (Value::Null, _) | (_, Value::Null) => None,
        _ => operators::order(&one, &other).ok(),
    };
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => equal || ordering == Some(Ordering::Less),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => equal || ordering == Some(Ordering::Greater),
    }
}

/// The items from `start` to before `end`; negative places count from the end.
fn slice<T: Clone>(items: &[T], start: Option<i64>, end: Option<i64>, step: i64) -> Vec<T> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_end = |place: i64| if place < 0 { place.saturating_add(length) } else { place };
    let is_forward = step > 0;
    let start = start.map_or(if is_forward { 0 } else { length.saturating_sub(1) }, from_end);
    let end = end.map_or(if is_forward { length } else { -1 }, from_end);
    let mut place = if is_forward { start.max(0) } else { start.min(length.saturating_sub(1)) };
    let mut found = Vec::new();
    while (0..length).contains(&place) && if is_forward { place < end } else { place > end } {
        let item = usize::try_from(place).ok().and_then(|place| items.get(place));
        found.extend(item.cloned());
        place = place.saturating_add(step);
    }
    found
}

/// A pattern of `=~ /…/flags`.
fn filter_pattern(source: &str, flags: &str) -> Result<Pattern, Thrown> {
    let mut options = 0;
    for flag in flags.chars() {
        options |= match flag {
            'i' => 1,
            'm' => 2,
            's' => 16,
            'x' => 32,
            _ => return Err(bad_path()),
        };
    }
    pattern::new(source, options)
}

fn bad_path() -> Thrown {
    Thrown::new(ExceptionKind::Json, "Unexpected character while parsing path.")
}
