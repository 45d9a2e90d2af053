//! What is shown of what holds whatever the newest configuration is: copies, and the kill switch.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::configuration::offer::{Source, State};
use crate::configuration::remote::Link;
use crate::time::{Timestamp, date};

/// The copies of good configurations.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastGood {
    /// How old the copy is that is served, in seconds, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    served_age: Option<u64>,
    /// Newest first.
    copies: Vec<Copy>,
    /// Slots that cannot be used, and why.
    refused: Vec<String>,
    /// Why none are kept now, if none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    generation: u64,
    kept: String,
}

/// What must not run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KillSwitch {
    /// Each as it is written.
    off: Vec<String>,
    /// What is wrong with the file.
    faults: Vec<String>,
}

impl LastGood {
    pub(super) fn of(state: &State, now: Timestamp) -> Option<Self> {
        let keep = state.keep.as_ref()?;
        let copies = keep.copies.iter();
        let copies =
            copies.map(|(known, kept)| Copy { generation: known.number, kept: date(*kept) });
        Some(Self {
            served_age: age(state.source, now).map(|age| age.as_secs()),
            copies: copies.collect(),
            refused: keep.refused.clone(),
            fault: keep.fault.clone(),
        })
    }
}

impl KillSwitch {
    pub(super) fn of(state: &State) -> Self {
        let faults = state.switch_faults.iter().map(ToString::to_string).collect();
        Self { off: state.disabled.clone(), faults }
    }
}

/// What a look at the readiness tells of it, a line each.
pub(super) fn details(state: &State, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(age) = age(state.source, now) {
        let generation = state.serving;
        let _ = writeln!(
            text,
            "a good copy is served, because there was nothing else: generation {generation}, kept {} \
             seconds ago",
            age.as_secs()
        );
    }
    if let Some(fault) = state.keep.as_ref().and_then(|keep| keep.fault.as_ref()) {
        let _ = writeln!(text, "no copies of good configurations are kept: {fault}");
    }
    for off in &state.disabled {
        let _ = writeln!(text, "switched off: {off}");
    }
    for fault in &state.switch_faults {
        let _ = writeln!(text, "the kill switch is wrong: {fault}");
    }
    text
}

/// What a look at the readiness tells of the way to the control plane, a line each.
pub(super) fn control(link: &Link, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if !link.is_connected && !link.is_elsewhere {
        let _ = writeln!(text, "no control plane: {}", link.reason);
    }
    if let Some(at) = link.token_expires.filter(|_at| link.has_expired(now)) {
        let _ = writeln!(
            text,
            "the gateway's token has expired ({}): what runs goes on, and nothing new comes until \
             there is another one",
            date(at)
        );
    }
    text
}

/// How old the copy is that is served, if one is.
fn age(source: Source, now: Timestamp) -> Option<Duration> {
    match source {
        Source::LastGood { kept } => Some(now.since(kept)),
        Source::None | Source::Folder | Source::Offer => None,
    }
}
