//! Filters about lists.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use crate::policy::liquid::datum::Datum;
use crate::policy::liquid::{ITEMS_MAX, OUTPUT_BYTES_MAX, Stop, too_long};

/// What a filter goes over: characters of a text, otherwise what a loop would go over.
pub(super) fn items(input: &Datum) -> Vec<Datum> {
    match input {
        Datum::Text(text) => {
            let mut ends = text.chars().take(1).chain(text.chars().next_back());
            // Of a text only its first and last character are ever asked for.
            let first = ends.next().map(|character| Datum::text(character.to_string()));
            let last = ends.next().map(|character| Datum::text(character.to_string()));
            first.into_iter().chain(last).collect()
        }
        other => other.items(),
    }
}

/// `Join`: a text stays what it is.
pub(super) fn join(input: &Datum, glue: Option<&Datum>) -> Result<Datum, Stop> {
    if !matches!(input, Datum::List(_) | Datum::Node(_) | Datum::Object(_)) {
        return Ok(input.clone());
    }
    let glue = glue.map_or_else(|| Arc::from(" "), Datum::shown);
    let mut out = String::new();
    for (index, item) in input.items().iter().enumerate() {
        if index > 0 {
            out.push_str(&glue);
        }
        item.show(&mut out);
        if OUTPUT_BYTES_MAX < out.len() {
            return Err(too_long());
        }
    }
    Ok(Datum::text(out))
}

/// `Compact`: without what is nothing.
pub(super) fn compact(input: &Datum) -> Datum {
    let Datum::List(list) = input else { return input.clone() };
    let there = list.items.iter().filter(|item| !matches!(item, Datum::Nil));
    Datum::list(there.cloned().collect())
}

/// `Uniq`: each item that shows in one way once, the first of them.
pub(super) fn uniq(input: &Datum) -> Result<Datum, Stop> {
    let Datum::List(list) = input else { return Ok(input.clone()) };
    let mut known: HashSet<Arc<str>> = HashSet::new();
    let mut bytes = 0_usize;
    let mut kept = Vec::new();
    for item in &list.items {
        let shown = item.shown();
        bytes = bytes.saturating_add(shown.len());
        if OUTPUT_BYTES_MAX < bytes {
            return Err(too_long());
        }
        if known.insert(shown) {
            kept.push(item.clone());
        }
    }
    Ok(Datum::list(kept))
}

/// `Sort`, by a member where one is named; nothing comes first.
pub(super) fn sort(input: &Datum, member: Option<&Datum>) -> Datum {
    let Datum::List(list) = input else { return input.clone() };
    let key = |item: &Datum| member.map_or_else(|| item.clone(), |name| item.at(name));
    let mut keyed: Vec<(Datum, Datum)> =
        list.items.iter().map(|item| (key(item), item.clone())).collect();
    keyed.sort_by(|(one, _), (other, _)| rank(one, other));
    Datum::list(keyed.into_iter().map(|(_key, item)| item).collect())
}

/// A whole order: what `<` does not order goes by kind.
fn rank(one: &Datum, other: &Datum) -> Ordering {
    let kind = |datum: &Datum| match datum {
        Datum::Nil => 0_u8,
        Datum::Bool(_) => 1,
        Datum::Int(_) | Datum::Double(_) | Datum::Decimal(_) => 2,
        Datum::Date(_) => 3,
        Datum::List(_) => 5,
        Datum::Object(_) => 6,
        _ => 4,
    };
    let by_kind = kind(one).cmp(&kind(other));
    by_kind.then_with(|| one.order(other).unwrap_or(Ordering::Equal))
}

/// `Split`: parts that are empty are left out.
pub(super) fn split(input: &Datum, separator: &str) -> Result<Datum, Stop> {
    if matches!(input, Datum::Nil) {
        return Ok(Datum::Nil);
    }
    let text = input.shown();
    if separator.is_empty() {
        return Ok(Datum::list(vec![Datum::Text(text)]));
    }
    let parts = text.split(separator).filter(|part| !part.is_empty());
    let parts: Vec<Datum> = parts.take(ITEMS_MAX.saturating_add(1)).map(Datum::text).collect();
    if ITEMS_MAX < parts.len() {
        return Err(Stop::Bound(format!("a list may have at most {ITEMS_MAX} items")));
    }
    Ok(Datum::list(parts))
}
