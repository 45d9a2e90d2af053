//! What a file of values is known by, and what Weir's chart takes.

use super::super::page::{Page, entries, get};
use super::{leads, parts};
use crate::settings::table::{ROWS, Row};

/// The schema of Weir's chart, which knows all that it takes.
const SCHEMA: &str = include_str!("../../../helm/weir/values.schema.json");

/// What no other file has under `gateway`: the chart's own.
const OF_GATEWAY: [&str; 4] = ["configuration", "endpoint", "auth", "authKey"];

/// Whether this may be a values file of either chart: all of it is known, or what is about a gateway is
/// the chart's. A key that neither has is told then, and does not keep all others from being read.
pub fn is_values(page: &Page) -> bool {
    let schema = schema();
    let all = entries(&page.root);
    let is_known = |name: &str| leads(name) || known(&schema, name);
    let gateway = get(&page.root, "gateway");
    let is_ours =
        gateway.is_some_and(|it| OF_GATEWAY.iter().any(|key| get(&it.value, key).is_some()));
    !all.is_empty()
        && (is_ours || is_migrated(page) || all.iter().all(|entry| is_known(entry.name())))
}

/// Whether these are values of Weir's chart, beside others perhaps that were refused: settings that the
/// gateway has, or the `ConfigMap` that it reads.
fn is_migrated(page: &Page) -> bool {
    let settings = get(&page.root, "settings").map(|it| entries(&it.value)).unwrap_or_default();
    let begins = |name: &str| {
        let of = |row: &Row| row.name.split('.').next() == Some(name);
        ROWS.iter().any(of)
    };
    let has_settings = !settings.is_empty() && settings.iter().all(|it| begins(it.name()));
    let folder = get(&page.root, "configuration");
    has_settings || folder.is_some_and(|it| get(&it.value, "existingConfigMap").is_some())
}

/// The schema, read.
pub(super) fn schema() -> serde_json::Value {
    serde_json::from_str(SCHEMA).unwrap_or_default()
}

/// Whether Weir's chart takes a value at this path.
pub(super) fn known(schema: &serde_json::Value, path: &str) -> bool {
    let mut at = schema;
    for part in parts(path) {
        match at.get("properties").and_then(|all| all.get(part)) {
            Some(inner) => at = inner,
            // What stands elsewhere in the schema, or is free, takes it.
            None => return at.get("properties").is_none() && at != schema,
        }
    }
    true
}
