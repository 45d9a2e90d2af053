//! `Merge`: the members of one container into another.

use crate::expression::value::json::{Json, JsonArray, JsonObject, bounded_depth};
use crate::expression::value::thrown::Thrown;

use super::access::deep_equals;

/// `MergeArrayHandling`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Arrays {
    /// The new items come after the old ones.
    #[default]
    Concat,
    /// Only those that are not there yet.
    Union,
    /// The new items instead of the old ones.
    Replace,
    /// Items at the same place are merged.
    Merge,
}

/// `container.Merge(content, settings)`; `merges_null` is `MergeNullValueHandling.Merge`.
pub fn merge(
    container: &Json,
    content: &Json,
    arrays: Arrays,
    merges_null: bool,
) -> Result<(), Thrown> {
    // A copy, so that a container can be merged into itself.
    below(container, &content.deep_clone()?, Settings { arrays, merges_null }, 0)
}

#[derive(Clone, Copy)]
struct Settings {
    arrays: Arrays,
    merges_null: bool,
}

fn below(target: &Json, content: &Json, settings: Settings, depth: usize) -> Result<(), Thrown> {
    bounded_depth(depth)?;
    match (target, content) {
        (Json::Object(target), Json::Object(content)) => {
            objects(target, content, settings, depth.saturating_add(1))
        }
        (Json::Array(target), Json::Array(content)) => {
            items(target, content, settings, depth.saturating_add(1))
        }
        _ => Ok(()),
    }
}

fn objects(
    target: &JsonObject,
    content: &JsonObject,
    settings: Settings,
    depth: usize,
) -> Result<(), Thrown> {
    for (name, member) in content.members() {
        match target.get(&name) {
            Some(known) if same_kind(&known, &member) => below(&known, &member, settings, depth)?,
            Some(_) if matches!(member, Json::Null) && !settings.merges_null => {}
            _ => target.set(&name, member)?,
        }
    }
    Ok(())
}

fn items(
    target: &JsonArray,
    content: &JsonArray,
    settings: Settings,
    depth: usize,
) -> Result<(), Thrown> {
    match settings.arrays {
        Arrays::Concat => content.items().into_iter().try_for_each(|item| target.push(item)),
        Arrays::Replace => {
            target.clear();
            content.items().into_iter().try_for_each(|item| target.push(item))
        }
        Arrays::Union => {
            for item in content.items() {
                let mut is_known = false;
                for known in target.items() {
                    is_known = is_known || deep_equals(&known, &item)?;
                }
                if !is_known {
                    target.push(item)?;
                }
            }
            Ok(())
        }
        Arrays::Merge => {
            for (place, item) in content.items().into_iter().enumerate() {
                match target.get(place) {
                    None => target.push(item)?,
                    Some(known) if same_kind(&known, &item) => {
                        below(&known, &item, settings, depth)?;
                    }
                    Some(_) if matches!(item, Json::Null) && !settings.merges_null => {}
                    Some(_) => {
                        target.set_at(i32::try_from(place).unwrap_or(i32::MAX), item)?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// Whether both are objects, or both arrays.
const fn same_kind(one: &Json, other: &Json) -> bool {
    matches!((one, other), (Json::Object(_), Json::Object(_)) | (Json::Array(_), Json::Array(_)))
}
