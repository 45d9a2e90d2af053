//! The cache: `cache-lookup` and `cache-store` for whole responses, `cache-lookup-value`,
//! `cache-store-value` and `cache-remove-value` for what policies compute, `cache-value` for both in
//! one.
//!
//! A cache may forget anything at any time, so a miss is never a failure.
//!
//! # Responses
//! Only GET requests meet the cache, and those with an `Authorization` field only where
//! `allow-private-response-caching` says so. The key is made of the API with its revision, the
//! operation, the URL that the client called and the one that the request goes to by then, the
//! listed query parameters (all, if none is listed), the listed fields, and the developer or the
//! developer's groups if wanted. `cache-store` keeps what `cache-lookup` did not find: 200 only,
//! or what `cache-response` says, but never a part (206) or an answer to a condition (304).
//! Cookies that the response sets are for one client, and are left out of what is kept.

pub(in crate::policy) mod responses;
pub(in crate::policy) mod values;
mod kept;
pub mod made;

use std::sync::Arc;

use crate::fault::Fault;
use crate::policy::build::Builder;
use crate::policy::markup::Element;

pub use responses::{LookupResponse, StoreResponse, storable};
pub use values::{LookupValue, RemoveValue, StoreValue};

/// Checks `caching-type`. There is one cache, so all that is to be said is which there is not.
fn caching_type(builder: &mut Builder<'_>, element: &Element) {
    let Some(word) = builder.literal::<Arc<str>>(element, "caching-type") else {
        return;
    };
    let (message, remedy) = match word.as_ref() {
        "internal" | "prefer-external" => return,
        "external" => (
            "there is no external cache: this gateway keeps what it caches in memory".to_owned(),
            "use prefer-external, which takes an external cache where there is one",
        ),
        other => {
            (format!("`{other}` is no `caching-type`"), "use prefer-external, external or internal")
        }
    };
    if let Some(value) = element.value("caching-type") {
        let fault = Fault::new(value.place(), message).wide(value.width());
        builder.faults.push(fault.mend(remedy));
    }
}

#[cfg(test)]
mod tests;
