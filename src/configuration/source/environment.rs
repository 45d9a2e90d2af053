//! The environment of the process, as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::configuration::config::Secret;

/// The variables of an environment. What is not UTF-8 is not among them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Environment(BTreeMap<String, Secret>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// An environment of these variables.
    pub const fn of(variables: BTreeMap<String, Secret>) -> Self {
        Self(variables)
    }

    /// The value of the variable `name`.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    /// Takes `std::env::vars_os()`.
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, Secret::new(value.into_string().ok()?)))
        };
        Self(variables.into_iter().filter_map(text).collect())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), Secret::new(value));
        Self(variables.into_iter().map(owned).collect())
    }
}
