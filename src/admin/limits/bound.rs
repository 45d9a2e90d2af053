//! The limits of the configuration that runs, each with its bound in words.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::admin::limits::shape::{Bound, alone_in_words};
use crate::counters::Home;
use crate::counters::view::Windows;
use crate::fault::Place;
use crate::limit::Terms;
use crate::limit::manner::Course;
use crate::policy::Section;
use crate::policy::program::{Action, Block, Program};
use crate::snapshot::Snapshot;

/// How many limits are shown at most.
const BOUNDS_MAX: usize = 10_000;

/// What one limit admits; none: it is computed for each request. And what it counts.
type Stated = (Option<Terms>, &'static str);

/// The limits of `snapshot` by place, and how many more there are.
pub(super) fn all(snapshot: &Snapshot, home: &Home) -> (Vec<Bound>, usize) {
    let mut found: BTreeMap<(Place, usize), (&'static str, Stated)> = BTreeMap::new();
    let mut known = HashSet::new();
    let mut programs = vec![&snapshot.global];
    for api in &snapshot.apis {
        programs.push(&api.program);
        for operation in api.operations.iter() {
            programs.push(&operation.program);
            programs.extend(operation.by_product.iter().map(|(_, program)| program));
        }
    }
    for block in programs.into_iter().flat_map(blocks) {
        // One document is part of many programs.
        if known.insert(Arc::as_ptr(block)) {
            for (step, note) in block.steps.iter().zip(&block.notes) {
                for (index, stated) in stated(&step.action).into_iter().enumerate() {
                    found.insert((note.place.clone(), index), (note.policy, stated));
                }
            }
        }
    }
    let more = found.len().saturating_sub(BOUNDS_MAX);
    let shown = found.into_iter().take(BOUNDS_MAX);
    let bounds = shown.map(|((place, _), (policy, stated))| bound(&place, policy, stated, home));
    (bounds.collect(), more)
}

fn blocks(program: &Arc<Program>) -> impl Iterator<Item = &Arc<Block>> {
    Section::ALL.into_iter().flat_map(|section| program.blocks(section))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other policy counts over time")]
fn stated(action: &Action) -> Vec<Stated> {
    let known = |(terms, bytes)| (Some(terms), if bytes { "bytes" } else { "calls" });
    match action {
        Action::RateLimit(limit) => limit.terms().map(|terms| (Some(terms), "calls")).collect(),
        Action::RateLimitByKey(limit) => vec![(limit.terms(), "calls")],
        Action::Quota(quota) => quota.terms().map(known).collect(),
        Action::QuotaByKey(quota) => quota.terms().map(known).collect(),
        Action::TokenLimit(limit) => limit.terms().map(|terms| (terms, "tokens")).collect(),
        _ => Vec::new(),
    }
}

fn bound(place: &Place, policy: &'static str, stated: Stated, home: &Home) -> Bound {
    let (terms, counts) = stated;
    let Some(terms) = terms else {
        return Bound {
            place: place.to_string(),
            policy: policy.to_owned(),
            counts: counts.to_owned(),
            limit: None,
            period_seconds: None,
            window: None,
            mode: "computed".to_owned(),
            over: None,
            bound: "computed for each request; `weir limits show` has the bound of a key in use"
                .to_owned(),
        };
    };
    let windows = Windows::alone(terms.course());
    let alone = || match terms.course() {
        Course::Bucket { burst } => format!(
            "at most {burst} at once and {} per {} s, by each gateway alone",
            terms.limit,
            terms.period.as_secs_f64()
        ),
        Course::Sliding | Course::Fixed { .. } => {
            alone_in_words(terms.limit, terms.period, windows)
        }
    };
    let rule = if terms.is_local() { None } else { home.rule(&terms) };
    let (mode, window, over, words) = match rule {
        Some(Ok(rule)) => {
            let mode = if rule.is_exact() { "exact" } else { "fast" };
            let over = rule.over();
            (mode, Windows::of(rule.shape()), over, rule.bound_in_words())
        }
        Some(Err(unfit)) => ("local", windows, 0, format!("{}: {unfit}", alone())),
        None => ("local", windows, 0, alone()),
    };
    Bound {
        place: place.to_string(),
        policy: policy.to_owned(),
        counts: counts.to_owned(),
        limit: Some(terms.limit),
        period_seconds: Some(terms.period.as_secs_f64()),
        window: Some(window.word().to_owned()),
        mode: mode.to_owned(),
        over: Some(over),
        bound: words,
    }
}
