//! The variables of one evaluation: the first few in place, so that most evaluations allocate
//! nothing for them.

use crate::expression::value::Value;

/// How many variables are kept in place.
const FEW: usize = 3;

/// Variables by their number.
pub(super) struct Slots {
    few: [Value; FEW],
    more: Vec<Value>,
}

impl Slots {
    /// `count` variables, all null.
    pub(super) fn new(count: usize) -> Self {
        let more = count.saturating_sub(FEW);
        let more = if more > 0 { vec![Value::Null; more] } else { Vec::new() };
        Self { few: [const { Value::Null }; FEW], more }
    }

    /// The value of variable `slot`.
    pub(super) fn get(&self, slot: usize) -> Option<&Value> {
        self.few.get(slot).or_else(|| self.more.get(slot.checked_sub(FEW)?))
    }

    /// Sets variable `slot`, if it exists.
    pub(super) fn set(&mut self, slot: usize, value: Value) {
        let place = match self.few.get_mut(slot) {
            Some(place) => Some(place),
            None => slot.checked_sub(FEW).and_then(|slot| self.more.get_mut(slot)),
        };
        if let Some(place) = place {
            *place = value;
        }
    }
}
