//! Which limits refuse, as the status page shows it.

use serde::Serialize;

use crate::limit::names::{Decisions, Site};

/// A limit, and how often it did not just admit since the start.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusing {
    policy: &'static str,
    place: String,
    refused: u64,
    /// In shadow.
    would_have_refused: u64,
    /// Nobody could be asked.
    unavailable: u64,
    /// Nobody could be asked, in shadow.
    would_have_been_unavailable: u64,
}

impl Refusing {
    pub(super) fn of(site: &Site, decisions: Decisions) -> Self {
        Self {
            policy: site.policy,
            place: site.place.to_string(),
            refused: decisions.refused,
            would_have_refused: decisions.spared,
            unavailable: decisions.unavailable,
            would_have_been_unavailable: decisions.spared_unavailable,
        }
    }
}
