//! What the catalogue says about an element: where it may stand, and what it may hold.

use super::Builder;
use crate::fault::{Fault, nearest};
use crate::policy::catalog::{self, Content, Part, Policy};
use crate::policy::markup::{Attribute, Element};

impl Builder<'_> {
    pub(super) fn placement(&mut self, policy: &Policy, element: &Element) {
        if !policy.sections.contains(&self.section) {
            let places = policy.sections.iter().map(|section| section.as_str());
            let message = format!("`{}` may not stand in section `{}`", policy.name, self.section);
            let remedy = format!("move it to {}", places.collect::<Vec<_>>().join(", "));
            self.fault(element, message, &remedy);
        }
        if !policy.scopes.contains(&self.scope) {
            let scopes = policy.scopes.iter().map(|scope| scope.as_str());
            let message =
                format!("`{}` may not stand in a document of scope {}", policy.name, self.scope);
            let remedy = format!("move it to scope {}", scopes.collect::<Vec<_>>().join(", "));
            self.fault(element, message, &remedy);
        }
    }

    /// Reports a policy that may stand once in a section and stood on the way here already.
    pub(super) fn only_once(&mut self, policy: &Policy, element: &Element) {
        if !catalog::ONCE.contains(&policy.name) {
            return;
        }
        let met = self.once.iter().find(|(name, _)| *name == policy.name);
        if let Some((name, first)) = met {
            let message = format!("`{name}` stands in one section a second time");
            let remedy = format!("keep one of the two; the other is at {first}");
            self.fault(element, message, &remedy);
        } else {
            self.once.push((policy.name, element.place.clone()));
        }
    }

    pub(super) fn attributes(&mut self, element: &Element, known: &[catalog::Attribute]) {
        for attribute in &element.attributes {
            let name = attribute.name.as_ref();
            match known.iter().find(|row| row.name == name) {
                Some(row) => self.literal_only(row, attribute),
                None if name == "id" => (),
                None => self.unknown_attribute(element, attribute, known),
            }
        }
        for row in known.iter().filter(|row| row.required) {
            if element.attribute(row.name).is_none() {
                let message = format!("`{}` lacks the attribute `{}`", element.name, row.name);
                let remedy = format!("add {}=\"…\"", row.name);
                self.fault(element, message, &remedy);
            }
        }
    }

    fn literal_only(&mut self, row: &catalog::Attribute, attribute: &Attribute) {
        if !row.computed && attribute.value.is_expression() {
            let message = format!("`{}` may not be an expression", row.name);
            let fault = Fault::new(attribute.place.clone(), message).wide(row.name.len());
            self.faults.push(fault.mend("write a constant, or use a named value"));
        }
    }

    fn unknown_attribute(
        &mut self,
        element: &Element,
        attribute: &Attribute,
        known: &[catalog::Attribute],
    ) {
        let name = attribute.name.as_ref();
        let message = format!("`{}` has no attribute `{name}`", element.name);
        let fault = Fault::new(attribute.place.clone(), message).wide(name.len());
        let names = known.iter().map(|row| row.name);
        self.faults.push(match nearest(name, names.clone()) {
            Some(right) => fault.mend(format!("did you mean `{right}`?")),
            None if known.is_empty() => fault.mend("take it out"),
            None => fault.mend(format!("it has: {}", listed(name, &names.collect::<Vec<_>>()))),
        });
    }

    pub(super) fn content(&mut self, content: Content, element: &Element) {
        let parts: &[Part] = match content {
            Content::Policies => {
                self.no_text(element);
                return;
            }
            Content::Elements(parts) => {
                self.no_text(element);
                parts
            }
            Content::TextOr(parts) => parts,
            // A body may be markup itself; the policy reads it.
            Content::Text | Content::Unread => return,
            Content::Nothing => {
                self.no_text(element);
                &[]
            }
        };
        let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
        self.only(element, &names);
        for child in element.elements() {
            if let Some(part) = parts.iter().find(|part| part.name == child.name.as_ref()) {
                self.part(part, child);
            }
        }
    }

    /// Checks an element that stands in a policy.
    fn part(&mut self, part: &Part, element: &Element) {
        if !matches!(part.content, Content::Unread) {
            self.attributes(element, part.attributes);
            self.content(part.content, element);
        }
    }

    /// Reports the elements directly inside of `element` that are none of `allowed`.
    pub(super) fn only(&mut self, element: &Element, allowed: &[&str]) {
        for child in element.elements() {
            if !allowed.contains(&child.name.as_ref()) {
                let message = format!("`{}` may not stand in `{}`", child.name, element.name);
                let remedy = match nearest(&child.name, allowed.iter().copied()) {
                    Some(right) => format!("did you mean `{right}`?"),
                    None if allowed.is_empty() => "take it out".to_owned(),
                    None => format!("it holds: {}", allowed.join(", ")),
                };
                self.fault(child, message, &remedy);
            }
        }
    }

    /// Reports text where only elements may stand.
    pub fn no_text(&mut self, element: &Element) {
        if let Some(text) = element.stray_text() {
            let message = format!("text may not stand in `{}`", element.name);
            self.faults.push(Fault::new(text.place(), message).mend("take it out"));
        }
    }
}

/// What begins the names of attributes that API Management does not have.
const OWN: &str = "weir-";

/// The names for somebody who wrote `written`: those of Weir only for whoever looks for them.
fn listed(written: &str, names: &[&str]) -> String {
    let (own, known): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with(OWN));
    if written.starts_with(OWN) && !own.is_empty() {
        return own.join(", ");
    }
    let more = (!own.is_empty()).then_some("weir-…");
    known.into_iter().chain(more).collect::<Vec<_>>().join(", ")
}
