//! What a control plane says that must not run.

use crate::configuration::switch::orders::{Order, Orders, Target};
use crate::rpc::v2::disabled::What;
use crate::rpc::v2::{Disabled, Switch};

/// What `switch` says; nothing if it is of no size that is taken. Things of a later version are
/// passed over.
pub(super) fn orders(switch: Switch) -> Option<Orders> {
    let Switch { history, revision, disabled } = switch;
    let entries = disabled.into_iter().filter_map(order).collect();
    Some(Orders { history, revision, entries }).filter(Orders::is_sound)
}

fn order(disabled: Disabled) -> Option<Order> {
    let Disabled { what, refuse, by, at, reason } = disabled;
    let what = match what? {
        What::Policy(name) => Target::Policy { name, refuse },
        What::Api(id) => Target::Api(id),
        What::Operation(name) => Target::Operation(name),
    };
    Some(Order { what, by, at, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::switch::orders::{ENTRIES_MAX, TEXT_BYTES_MAX};

    fn disabled(what: Option<What>, by: &str) -> Disabled {
        Disabled { what, refuse: false, by: by.to_owned(), at: 1, reason: String::new() }
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_too_much_is_not_taken() {
        let api = || disabled(Some(What::Api("a".to_owned())), "ops");
        let switch = |disabled| Switch { history: 1, revision: 2, disabled };
        let taken = orders(switch(vec![disabled(None, "later"), api()])).unwrap();
        assert_eq!((taken.revision, taken.entries.len()), (2, 1));
        assert!(orders(switch(vec![api(); ENTRIES_MAX + 1])).is_none());
        let long = disabled(Some(What::Api("a".to_owned())), &"x".repeat(TEXT_BYTES_MAX + 1));
        assert!(orders(switch(vec![long])).is_none());
    }
}
