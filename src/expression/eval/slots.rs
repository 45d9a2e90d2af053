//! The variables of one evaluation: a few of them are kept in place, so that most evaluations
//! allocate nothing for them.

use crate::expression::value::Value;

/// How many variables are kept in place.
const FEW: usize = 3;

/// Variables by their number.
pub(super) enum Slots {
    None,
    Few([Value; FEW]),
    Many(Vec<Value>),
}

impl Slots {
    /// `count` variables, all null.
    pub(super) fn new(count: usize) -> Self {
        match count {
            0 => Self::None,
            1..=FEW => Self::Few([const { Value::Null }; FEW]),
            _ => Self::Many(vec![Value::Null; count]),
        }
    }

    /// The value of variable `slot`.
    pub(super) fn get(&self, slot: usize) -> Option<&Value> {
        match self {
            Self::None => None,
            Self::Few(values) => values.get(slot),
            Self::Many(values) => values.get(slot),
        }
    }

    /// Sets variable `slot`, if it exists.
    pub(super) fn set(&mut self, slot: usize, value: Value) {
        let place = match self {
            Self::None => None,
            Self::Few(values) => values.get_mut(slot),
            Self::Many(values) => values.get_mut(slot),
        };
        if let Some(place) = place {
            *place = value;
        }
    }
}
