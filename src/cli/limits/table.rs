//! What `weir limits` says to people: aligned tables.

use std::fmt::Write as _;

use crate::admin::limits::shape::{
    Bounds, Counter, Detail, Name, Permits, ResetDone, Shown, Slot, Top,
};
use crate::admin::refusal::Refusal;

/// How many digits of a digest are enough for people.
const DIGITS: usize = 12;

/// Lines of cells, each column as wide as its widest.
pub(in crate::cli) fn table(heads: &[&str], lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells =
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
        cells.chain(heads.get(column).map(|head| head.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    for line in std::iter::once(&heads).chain(lines) {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // A string takes everything.
            let _ = write!(row, "{cell:<width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Name and value, a line each.
pub(in crate::cli) fn list(text: &mut String, rows: &[(&str, String)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<width$}  {value}");
    }
}

fn some<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} s"))
}

fn per(limit: Option<u64>, period: f64) -> String {
    let limit = limit.map_or_else(|| "?".to_owned(), |limit| limit.to_string());
    if period > 0.0 { format!("{limit} / {period} s") } else { format!("{limit} in all") }
}

pub(super) fn top(top: &Top) -> String {
    let heads = [
        "KEY", "NAME", "POLICY", "COUNTS", "LIMIT", "WINDOW", "MODE", "USED", "LEFT", "IN HAND",
        "REFUSED", "ENDS IN", "LANE", "AS OF", "PLACE",
    ];
    let line = |counter: &Counter| {
        vec![
            counter.key.chars().take(DIGITS).collect(),
            who(counter.name.as_ref()),
            counter.policy.clone(),
            counter.counts.clone(),
            per(counter.limit, counter.period_seconds),
            counter.window.clone(),
            counter.mode.clone(),
            counter.used.to_string(),
            some(counter.remaining),
            some(counter.in_hand),
            counter.refused.to_string(),
            seconds(counter.ends_in_seconds),
            some(counter.lane),
            counter.as_of.clone(),
            place(counter.name.as_ref()),
        ]
    };
    let lines: Vec<_> = top.limits.iter().map(line).collect();
    let (counters, inside) = (top.counters, permits(&top.permits));
    if lines.is_empty() && inside.is_empty() {
        return format!("nothing is in use ({counters} counters held)\n");
    }
    let mut text = String::new();
    if !lines.is_empty() {
        let _ = writeln!(text, "{}{} of {counters} counters", table(&heads, &lines), lines.len());
    }
    if !lines.is_empty() && !inside.is_empty() {
        text.push('\n');
    }
    text + &inside
}

/// The keys of `limit-concurrency`; nothing if there are none.
fn permits(permits: &[Permits]) -> String {
    let heads = [
        "KEY",
        "NAME",
        "POLICY",
        "LIMIT",
        "INSIDE",
        "LENT",
        "LENT TO ALL",
        "WAITING",
        "LANE",
        "AS OF",
        "PLACE",
    ];
    if permits.is_empty() {
        return String::new();
    }
    let line = |one: &Permits| {
        vec![
            one.key.chars().take(DIGITS).collect(),
            who(one.name.as_ref()),
            "limit-concurrency".to_owned(),
            format!("{} at once", one.limit),
            one.inside.to_string(),
            some(one.lent),
            some(one.lent_to_all),
            one.waiting.to_string(),
            some(one.lane),
            one.as_of.clone(),
            place(one.name.as_ref()),
        ]
    };
    table(&heads, &permits.iter().map(line).collect::<Vec<_>>())
}

/// Who stands behind a key, if that is known.
fn who(name: Option<&Name>) -> String {
    some(name.map(|name| &name.who))
}

/// Where the policy stands that refused last, if one did.
fn place(name: Option<&Name>) -> String {
    some(name.map(|name| &name.place))
}

/// Whom a key refused, and where, as rows of a list.
fn named(name: &Name) -> [(&'static str, String); 2] {
    let Name { who, policy, place, refused } = name;
    [("name", who.clone()), ("refused last", format!("{refused}, {policy} at {place}"))]
}

pub(super) fn shown(shown: &Shown) -> String {
    let mut text = format!("key {}\n", shown.key);
    for Detail { counter, bound, slot } in &shown.counters {
        let limit = per(counter.limit, counter.period_seconds);
        let (policy, window, mode) = (&counter.policy, &counter.window, &counter.mode);
        let _ = writeln!(text, "{policy} of {limit} {}, {window}, {mode}", counter.counts);
        let mut rows: Vec<_> = counter.name.iter().flat_map(named).collect();
        rows.extend([
            ("bound", bound.clone()),
            ("used", format!("{} (as of {})", counter.used, counter.as_of)),
            ("left", some(counter.remaining)),
            ("refused in this period", counter.refused.to_string()),
            ("window ends in", seconds(counter.ends_in_seconds)),
        ]);
        if let Some(slot) = slot {
            rows.push(("lane", some(counter.lane)));
            rows.push(("in hand", some(counter.in_hand)));
            rows.extend(of_slot(slot));
        }
        list(&mut text, &rows);
    }
    if let Some(permits) = &shown.permits {
        let _ = writeln!(text, "limit-concurrency of {} at once", permits.limit);
        let mut rows: Vec<_> = permits.name.iter().flat_map(named).collect();
        rows.extend([
            ("inside of this replica", format!("{} (as of {})", permits.inside, permits.as_of)),
            ("permits lent to it", some(permits.lent)),
            ("lent to all replicas then", some(permits.lent_to_all)),
            ("requests that wait", permits.waiting.to_string()),
            ("lane", some(permits.lane)),
        ]);
        list(&mut text, &rows);
    }
    text
}

fn of_slot(slot: &Slot) -> [(&'static str, String); 9] {
    let window = match (slot.window_starts, slot.window_ends) {
        (Some(starts), Some(ends)) => format!("{starts:.3} to {ends:.3}"),
        (Some(starts), None) => format!("from {starts:.3}"),
        (None, _) => "not asked for in this one".to_owned(),
    };
    [
        ("sold to all replicas", slot.sold.to_string()),
        ("bought by this one", slot.bought.to_string()),
        ("bought for the next window", slot.ahead.to_string()),
        ("admitted without buying", slot.alone.to_string()),
        ("for sale", slot.for_sale.to_string()),
        ("own share without Redis", slot.share.to_string()),
        ("may owe", slot.debt_max.to_string()),
        ("asks again in", seconds(slot.denied_for_seconds)),
        ("window by Redis's clock", window),
    ]
}

pub(super) fn done(done: &ResetDone) -> String {
    let mut text = String::new();
    for one in &done.counters {
        let limit = per(one.limit, one.period_seconds);
        let _ = writeln!(
            text,
            "reset {} of {limit} ({}): {} were used, {} still count",
            one.policy, one.window, one.used, one.left
        );
        let _ = match (one.reach.as_str(), one.known_within_seconds) {
            ("all-replicas", Some(known)) => {
                writeln!(text, "  over all replicas; one that refuses asks again within {known} s")
            }
            _ => writeln!(text, "  on this gateway, which counts it alone"),
        };
        if one.replicas_out_of_touch > 0 {
            let missing = one.replicas_out_of_touch;
            let _ = writeln!(
                text,
                "  {missing} replicas are out of touch: they go by their own share, and may lift \
                 it again when they come back in this window"
            );
        }
    }
    text
}

pub(super) fn bounds(bounds: &Bounds) -> String {
    let heads = ["PLACE", "POLICY", "COUNTS", "LIMIT", "WINDOW", "MODE", "OVER", "BOUND"];
    let lines: Vec<_> = bounds
        .limits
        .iter()
        .map(|limit| {
            vec![
                limit.place.clone(),
                limit.policy.clone(),
                limit.counts.clone(),
                limit
                    .period_seconds
                    .map_or_else(|| "computed".to_owned(), |period| per(limit.limit, period)),
                some(limit.window.as_ref()),
                limit.mode.clone(),
                some(limit.over),
                limit.bound.clone(),
            ]
        })
        .collect();
    let replicas = match (bounds.home.as_str(), bounds.replicas) {
        ("memory", _) => "each gateway counts alone: no Redis is set".to_owned(),
        (_, Some(1)) => "1 replica shares".to_owned(),
        (_, Some(replicas)) => format!("{replicas} replicas share"),
        (_, None) => "no replica was heard of yet".to_owned(),
    };
    if lines.is_empty() {
        return format!("the configuration has no limits; {replicas}\n");
    }
    let mut text = table(&heads, &lines);
    if bounds.more > 0 {
        let _ = writeln!(text, "and {} more", bounds.more);
    }
    let _ = writeln!(text, "{replicas}");
    text
}

pub(in crate::cli) fn refusal(refusal: &Refusal) -> String {
    let mut text = format!("{}: {}\n{}\n", refusal.title, refusal.detail, refusal.remedy);
    for candidate in &refusal.candidates {
        let _ = writeln!(text, "  {candidate}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_with_words() {
        let lines =
            [vec!["a".to_owned(), "long".to_owned()], vec!["bcd".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["K", "V"], &lines), "K    V\na    long\nbcd  x\n");
    }
}
