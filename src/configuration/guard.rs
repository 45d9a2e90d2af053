//! What a configuration takes away from the one before it: so much that somebody has to say that
//! it is meant.
//!
//! An empty folder, a merge gone wrong or half a checkout is a right configuration, and still
//! nobody wants it served. Whoever publishes asks here first.

use std::collections::BTreeSet;
use std::fmt;

use super::bundle::Bundle;
use super::config::Config;
use super::loader::Loader;

/// The largest part of a list that may go unsaid, in percent.
pub const REMOVED_PERCENT_MAX: usize = 20;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum List {
    /// The operations of all APIs: the routes.
    Operations,
    /// APIs.
    Apis,
    /// Products.
    Products,
    /// Subscriptions: the keys.
    Subscriptions,
    /// Host names.
    HostNames,
}

/// What a configuration has, by name: enough to tell what another one takes away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inventory([BTreeSet<String>; 5]);

/// What a configuration takes away of one list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Removed {
    /// Of what.
    pub list: List,
    /// How many go.
    pub gone: usize,
    /// How many there were.
    pub of: usize,
    /// How many there are afterwards.
    pub left: usize,
}

/// A configuration takes away more than may go unsaid: at least one list stands here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Destructive(pub Vec<Removed>);

impl List {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Operations, Self::Apis, Self::Products, Self::Subscriptions, Self::HostNames];

    const fn noun(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Apis => "APIs",
            Self::Products => "products",
            Self::Subscriptions => "subscriptions",
            Self::HostNames => "host names",
        }
    }

    /// Whether more of them is less: without a host name the gateway answers at every name, so that
    /// taking the last one away takes nothing away.
    const fn may_be_emptied(self) -> bool {
        matches!(self, Self::HostNames)
    }
}

impl Inventory {
    /// What the configuration in `bundle` has; nothing if it is none that this version of Weir can
    /// read. Takes as long as to validate it.
    pub fn of_bundle(bundle: &Bundle) -> Option<Self> {
        Loader::default().load_bundle(bundle).config.ok().map(|config| Self::of(&config))
    }

    /// An inventory with so many operations, APIs, products, subscriptions and host names.
    #[cfg(test)]
    pub(super) fn counted(counts: [usize; 5]) -> Self {
        Self(counts.map(|count| (0..count).map(|number| number.to_string()).collect()))
    }

    /// What `config` has.
    pub fn of(config: &Config) -> Self {
        let operations = config.apis.iter().flat_map(|api| {
            let name = format!("{};rev={}", api.id, api.revision);
            api.operations.iter().map(move |operation| format!("{name}/{}", operation.id))
        });
        let apis = config.apis.iter().map(|api| api.id.to_string());
        let products = config.products.iter().map(|product| product.id.to_string());
        let subscriptions = config.subscriptions.iter().map(|known| known.id.to_string());
        let host_names = config.host_names.iter().map(|known| format!("{:?}", known.host));
        Self([
            operations.collect(),
            apis.collect(),
            products.collect(),
            subscriptions.collect(),
            host_names.collect(),
        ])
    }
}

/// Whether `new` may take the place of `old` without anybody saying that what goes is meant to.
pub fn guard(old: &Inventory, new: &Inventory) -> Result<(), Destructive> {
    let lists = List::ALL.into_iter().zip(old.0.iter().zip(&new.0));
    let removed = lists.map(|(list, (old, new))| Removed {
        list,
        gone: old.difference(new).count(),
        of: old.len(),
        left: new.len(),
    });
    let much: Vec<Removed> = removed.filter(Removed::is_much).collect();
    if much.is_empty() { Ok(()) } else { Err(Destructive(much)) }
}

impl Removed {
    /// Whether it is more than may go unsaid: more than a fifth, or the last of all.
    fn is_much(&self) -> bool {
        if self.gone == 0 || self.left == 0 && self.list.may_be_emptied() {
            return false;
        }
        let most = self.of.saturating_mul(REMOVED_PERCENT_MAX);
        self.left == 0 || most < self.gone.saturating_mul(100)
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, gone, of, left } = self;
        let noun = list.noun();
        if *left == 0 {
            return write!(formatter, "all {of} {noun}");
        }
        // Rounded up: what is more than a fifth must not be told as a fifth.
        let percent = gone.saturating_mul(100).div_ceil((*of).max(1));
        write!(formatter, "{gone} of {of} {noun} ({percent} %)")
    }
}

impl fmt::Display for Destructive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(
            formatter,
            "this configuration removes {}; more than {REMOVED_PERCENT_MAX} % of a list, or all of \
             it, goes only if somebody says that it is meant to",
            lists.join(" and ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(counts: [usize; 5]) -> Inventory {
        Inventory::counted(counts)
    }

    fn told(old: [usize; 5], new: [usize; 5]) -> Option<String> {
        let refused = guard(&with(old), &with(new)).err()?;
        let lists: Vec<String> = refused.0.iter().map(ToString::to_string).collect();
        Some(lists.join(", "))
    }

    #[test]
    fn a_fifth_may_go_and_more_must_be_meant() {
        let old = [1_000, 10, 10, 10, 0];
        assert_eq!(told(old, [800, 8, 8, 8, 0]), None);
        assert_eq!(told(old, [799, 8, 8, 8, 0]).unwrap(), "201 of 1000 operations (21 %)");
        let all = told(old, [400, 7, 0, 5, 0]).unwrap();
        let expected = "600 of 1000 operations (60 %), 3 of 10 APIs (30 %), all 10 products, \
                        5 of 10 subscriptions (50 %)";
        assert_eq!(all, expected);
    }

    #[test]
    fn nothing_is_removed_from_nothing_and_more_is_always_welcome() {
        assert_eq!(told([0; 5], [0; 5]), None);
        assert_eq!(told([0; 5], [9; 5]), None);
        assert_eq!(told([5; 5], [6; 5]), None);
    }

    #[test]
    fn the_last_of_a_list_goes_only_if_it_is_meant() {
        assert_eq!(told([1; 5], [1, 1, 1, 0, 1]).unwrap(), "all 1 subscriptions");
        // A gateway without host names answers at every name.
        assert_eq!(told([1; 5], [1, 1, 1, 1, 0]), None);
        assert_eq!(told([1, 1, 1, 1, 3], [1, 1, 1, 1, 1]).unwrap(), "2 of 3 host names (67 %)");
    }

    #[test]
    fn what_is_replaced_is_removed_too() {
        let renamed = Inventory(with([10; 5]).0.map(|list| {
            list.into_iter()
                .map(|name| if name.as_str() < "3" { format!("{name}x") } else { name })
                .collect()
        }));
        assert_eq!(guard(&with([10; 5]), &renamed).unwrap_err().0.len(), 5);
    }

    #[test]
    fn a_refusal_says_what_goes_and_what_to_do() {
        let refused = guard(&with([10; 5]), &with([0, 10, 10, 10, 10])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "this configuration removes all 10 operations; more than 20 % of a list, or all of it, \
             goes only if somebody says that it is meant to"
        );
    }
}
