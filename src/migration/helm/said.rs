//! What a values file says of the gateway, for who only wants to know.

use super::Rule;
use super::table::ROWS;
use crate::configuration::yaml::{Entry, Mark};
use crate::migration::page::{Page, entries, get, text};

/// The settings of the gateway that a values file has: name, value, and where.
pub fn settings(page: &Page) -> Vec<(String, String, Mark)> {
    let mut found = Vec::new();
    for entry in entries(&page.root) {
        settings_in(entry, entry.name(), &mut found);
    }
    found
}

fn settings_in(entry: &Entry, path: &str, found: &mut Vec<(String, String, Mark)>) {
    if let Some(value) = text(&entry.value) {
        let row = ROWS.iter().find(|(row, _)| *row == path).map(|(_, rule)| *rule);
        let name = match row {
            Some(Rule::Setting(name)) => Some(name.to_owned()),
            _ if matches!(path, "gateway.auth.key" | "gateway.authKey") => {
                Some("config.service.auth".to_owned())
            }
            _ => path.strip_prefix("gateway.configuration.additional.").map(str::to_owned),
        };
        found.extend(name.map(|name| (name, value.to_owned(), entry.value.mark)));
    }
    for inner in entries(&entry.value) {
        settings_in(inner, &format!("{path}.{}", inner.name()), found);
    }
}

/// The image that a values file names, with its tag if it names one.
pub fn image(page: &Page) -> Option<(String, Mark)> {
    let image = get(&page.root, "image")?;
    let tag = get(&image.value, "tag").and_then(|tag| Some((text(&tag.value)?, tag.value.mark)));
    let repository = get(&image.value, "repository").and_then(|entry| text(&entry.value));
    let (tag, mark) = tag?;
    Some((format!("{}:{tag}", repository.unwrap_or("azure-api-management/gateway")), mark))
}
