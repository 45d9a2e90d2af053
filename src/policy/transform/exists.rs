//! `exists-action` and `value`: what `set-header` and `set-query-parameter` have in common.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term};

/// What happens to a field or parameter that is there already.
#[derive(Clone, Debug)]
pub(in crate::policy) enum ExistsAction {
    Fixed(Exists),
    Computed(Operand<Arc<str>>),
}

/// What happens to a field or parameter that is there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum Exists {
    Override,
    Skip,
    Append,
    Delete,
}

/// Reads the `value` elements.
pub(in crate::policy) fn read_values<T: Term>(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Vec<Operand<T>> {
    let mut values = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == "value") {
        values.extend(builder.content_operand(child, "`value`"));
    }
    values
}

/// Reads `exists-action`.
pub(in crate::policy) fn read_exists_action(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<ExistsAction> {
    let Some(attribute) = element.attribute("exists-action") else {
        return Some(ExistsAction::Fixed(Exists::Override));
    };
    let word = builder.attribute::<Arc<str>>(element, "exists-action")?;
    let Some(constant) = word.constant() else {
        return Some(ExistsAction::Computed(word));
    };
    let exists = Exists::parse(constant);
    if exists.is_none() {
        let place = attribute.value.place();
        let fault = Fault::new(place, format!("`{constant}` is no `exists-action`"));
        let fault = fault.wide(attribute.value.width());
        builder.faults.push(fault.mend("use override, skip, append or delete"));
    }
    exists.map(ExistsAction::Fixed)
}

impl ExistsAction {
    pub(in crate::policy) fn get(&self, exchange: &mut Exchange) -> Result<Exists, Failure> {
        match self {
            Self::Fixed(exists) => Ok(*exists),
            Self::Computed(word) => {
                let given = word.get(exchange)?;
                Exists::parse(&given).ok_or_else(|| {
                    Failure::value(format!("{} is no `exists-action`", word.shown(&given)))
                })
            }
        }
    }
}

impl Exists {
    fn parse(word: &str) -> Option<Self> {
        match word.trim() {
            "override" => Some(Self::Override),
            "skip" => Some(Self::Skip),
            "append" => Some(Self::Append),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}
