//! Policy documents: whatever the text, it is read or refused, and every fault has its place.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use weir::policy::markup::{NamedValue, NamedValues, read};

fuzz_target!(|text: &str| {
    let mut names = NamedValues::default();
    names.insert("name", NamedValue::plain("@(\"<a b='c'/>\")"));
    names.insert("secret", NamedValue::secret("{{name}}"));
    let reading = read(&Arc::from("policy.xml"), text, &names);
    assert!(reading.root.is_some() || !reading.faults.is_empty(), "neither read nor refused");
});
