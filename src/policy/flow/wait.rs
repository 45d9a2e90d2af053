//! `wait`: several calls at once.
//!
//! The children begin in the order in which they are written, and each goes on by itself when what
//! it asked for is there; between two such moments only one of them runs, so that they share
//! variables without surprises. With `for="any"` the first that ends is the last: what the others
//! asked for is given up. A child that ends because its error is ignored has ended; one that fails
//! fails the request, and the others are given up too. So does one that answers
//! (`return-response`), without failing it.
//!
//! Bodies that any of the children reads are read before the first begins. What may not stand
//! inside, also not in a branch of `choose`, is told at load: what forwards, counts, holds a place
//! or answers out of a cache, `wait` itself, and `<base />`.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::{Action, Needs};

/// The most of them.
pub const CHILDREN_MAX: usize = 64;

/// For whom a `wait` waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum For {
    /// For all children.
    All,
    /// For the first that ends.
    Any,
}

/// The beginning of a `wait`: the steps of its children follow.
#[derive(Clone, Debug)]
pub struct Wait {
    waits_for: Operand<For>,
    /// How many steps each child has.
    lengths: Arc<[usize]>,
}

impl Term for For {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "all" => Ok(Self::All),
            "any" => Ok(Self::Any),
            _ => Err("`all` or `any`"),
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

pub(in crate::policy) fn wait(builder: &mut Builder<'_>, element: &Element) {
    let waits_for = match element.attribute("for") {
        None => Some(Operand::Constant(For::All)),
        Some(_) => builder.attribute::<For>(element, "for"),
    };
    let count = element.elements().count();
    if count == 0 || CHILDREN_MAX < count {
        let message = format!("`wait` has {count} children");
        let remedy =
            format!("give it 1 to {CHILDREN_MAX} of send-request, cache-lookup-value and choose");
        builder.fault(element, message, &remedy);
    }
    let own = builder.needs();
    let enter = builder.push_with(element, Action::Jump(0), Needs::default());
    let lengths = builder.apart(element);
    let from = enter.saturating_add(1);
    builder.forbid_among(from, element);
    builder.forbid(from, element, |action| {
        matches!(
            action,
            Action::Wait(_)
                | Action::ConcurrencyEnter(_)
                | Action::RateLimit(_)
                | Action::RateLimitByKey(_)
                | Action::Quota(_)
                | Action::QuotaByKey(_)
                | Action::TokenLimit(_)
                | Action::ContentSafety(_)
        )
    });
    if let Some(waits_for) = waits_for {
        let needs = builder.needs_among(from).and(own);
        let wait = Wait { waits_for, lengths: lengths.into() };
        builder.patch_with(enter, Action::Wait(wait), needs);
    }
}

impl Wait {
    /// For whom it waits.
    pub(in crate::policy) fn waits_for(&self, exchange: &mut Exchange) -> Result<For, Failure> {
        self.waits_for.get(exchange)
    }

    /// The first step of each child and the one after its last, where the `wait` is step `enter`.
    pub(in crate::policy) fn children(&self, enter: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut end = enter.saturating_add(1);
        self.lengths.iter().map(move |length| {
            let start = end;
            end = start.saturating_add(*length);
            (start, end)
        })
    }

    /// The step after it.
    pub(in crate::policy) fn end(&self, enter: usize) -> usize {
        let steps = self.lengths.iter().fold(0, |sum: usize, length| sum.saturating_add(*length));
        enter.saturating_add(1).saturating_add(steps)
    }
}
