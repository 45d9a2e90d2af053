//! Which versions are supported: the last major one's last three minor ones, of either gateway.

use super::say;
use crate::fault::Place;
use crate::migration::container::is_gateway;
use crate::migration::finding::Finding;

/// The newest version of API Management's gateway that this version of Weir knows of.
const NEWEST: (u32, u32) = (2, 12);
/// How many minor versions are supported.
const MINORS: u32 = 3;

/// What an image says of its version.
pub(super) fn judge(image: &str, place: &Place) -> Option<Finding> {
    let newest = newest(image)?;
    // A digest says exactly which one it is, but not which version.
    if image.contains('@') {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let tag = name.split_once(':').map_or("", |(_, tag)| tag);
    let id = match version(tag) {
        _ if tag == "beta" || tag.contains("preview") || tag.contains("-rc") => "image-unsupported",
        Some(version) if is_supported(version, newest) => return None,
        Some(_) => "image-unsupported",
        // `v1` is no version, and yet too old.
        None if tag
            .strip_prefix('v')
            .and_then(|it| it.parse::<u32>().ok())
            .is_some_and(|it| it < newest.0) =>
        {
            "image-unsupported"
        }
        None => "image-rolling-tag",
    };
    say(id, place, image)
}

/// The newest version of what an image holds; none for an image of something else.
fn newest(image: &str) -> Option<(u32, u32)> {
    let name = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
    // The folder of the chart is no image.
    if image.ends_with("helm/weir") {
        None
    } else if is_gateway(image) {
        Some(NEWEST)
    } else if name == "weir" || name.starts_with("weir:") {
        version(env!("CARGO_PKG_VERSION"))
    } else {
        None
    }
}

/// Major and minor of a version with three parts.
fn version(tag: &str) -> Option<(u32, u32)> {
    let parts: Vec<u32> =
        tag.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
    match parts.as_slice() {
        [major, minor, _patch] => Some((*major, *minor)),
        _ => None,
    }
}

/// What is newer than anything known may be supported.
fn is_supported(version: (u32, u32), newest: (u32, u32)) -> bool {
    newest < version || (version.0 == newest.0 && newest.1 < version.1 + MINORS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn three_minor_versions_are_supported() {
        let place = Place::start_of(&Arc::from("f"));
        let rule = |tag: &str| {
            judge(&format!("mcr.microsoft.com/azure-api-management/gateway{tag}"), &place)
                .map(|finding| finding.rule)
        };
        for good in [":2.12.1", ":2.10.0", ":3.0.0", "@sha256:00"] {
            assert_eq!(rule(good), None, "{good}");
        }
        for old in [":2.9.3", ":1.2.5", ":0.1.0", ":v1", ":beta", ":v2-preview", ":2.12.0-preview"]
        {
            assert_eq!(rule(old), Some("image-unsupported"), "{old}");
        }
        for rolling in [":latest", ":v2", ""] {
            assert_eq!(rule(rolling), Some("image-rolling-tag"), "{rolling}");
        }
        assert!(judge("example/orders:latest", &place).is_none());
        assert!(judge("registry.example/weir:latest", &place).is_some());
        assert!(judge(concat!("weir:", env!("CARGO_PKG_VERSION")), &place).is_none());
    }
}
