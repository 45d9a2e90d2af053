//! What may not stand inside of policies that hold others.

use super::Builder;
use crate::fault::Fault;
use crate::policy::markup::Element;
use crate::policy::program::{Action, Needs};

impl Builder<'_> {
    /// Builds all policies in `element`; returns how many steps each has.
    pub fn apart(&mut self, element: &Element) -> Vec<usize> {
        let mut counts = Vec::new();
        let mut lengths = Vec::new();
        for child in element.elements() {
            let before = self.here();
            let number = super::count(&mut counts, &child.name);
            self.policy(child, number);
            lengths.push(self.here().saturating_sub(before));
        }
        lengths
    }

    /// What the steps from `from` on need together.
    pub fn needs_among(&self, from: usize) -> Needs {
        let needs = self.steps.iter().skip(from).map(|step| step.needs);
        needs.fold(Needs::default(), Needs::and)
    }

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
