//! What may not stand inside of policies that hold others.

use super::Builder;
use crate::fault::Fault;
use crate::policy::markup::Element;
use crate::policy::program::Action;

impl Builder<'_> {
    /// Reports those of the steps from `from` on that may not stand in `element`, wherever they
    /// come from: what forwards, answers out of a cache, or brings in the policies of other scopes.
    pub fn forbid_among(&mut self, from: usize, element: &Element) {
        self.forbid(from, element, |action| {
            matches!(
                action,
                Action::Forward(_)
                    | Action::LookupResponse(_)
                    | Action::StoreResponse(_)
                    | Action::Base
            )
        });
    }

    /// Reports those of the steps from `from` on that `is_forbidden` in `element`.
    pub fn forbid(
        &mut self,
        from: usize,
        element: &Element,
        is_forbidden: impl Fn(&Action) -> bool,
    ) {
        let steps = self.steps.iter().zip(&self.notes).skip(from);
        for (step, note) in steps.filter(|(step, _note)| is_forbidden(&step.action)) {
            let is_base = matches!(step.action, Action::Base);
            let policy = if is_base { "base" } else { note.policy };
            let message = format!("`{policy}` may not stand in `{}`", element.name);
            let fault = Fault::new(note.place.clone(), message);
            let fault = fault.wide(policy.len().saturating_add(1));
            self.faults.push(fault.mend(format!("move it out of `{}`", element.name)));
        }
    }
}
