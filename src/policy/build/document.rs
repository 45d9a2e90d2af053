//! From a document's root element to the blocks of its sections.

use std::sync::Arc;

use crate::fault::{Fault, nearest};
use crate::policy::build::Builder;
use crate::policy::build::references::References;
use crate::policy::markup::Element;
use crate::policy::program::{Document, Part};
use crate::policy::{Scope, Section};

/// Whose document is built.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The scope.
    pub scope: Scope,
    /// Who that is, such as `product starter`.
    pub name: &'a str,
}

/// Builds the document with the root `root`, whose element is `<policies>`.
pub fn build(
    root: &Element,
    owner: Owner<'_>,
    references: &References,
    faults: &mut Vec<Fault>,
) -> Document {
    // A section that is left out is inherited; one that is there inherits where it says so.
    let mut document =
        if owner.scope == Scope::Global { Document::default() } else { Document::inherit() };
    let mut seen = Vec::new();
    for element in root.elements() {
        let name = element.name.as_ref();
        let Some(section) = Section::ALL.into_iter().find(|section| section.as_str() == name)
        else {
            faults.push(not_a_section(element));
            continue;
        };
        if seen.contains(&section) {
            let message = format!("the section `{section}` stands here a second time");
            let fault = Fault::new(element.place.clone(), message);
            faults.push(fault.mend("put all its policies into one"));
            continue;
        }
        seen.push(section);
        document.set(section, parts(element, section, owner, references, faults));
    }
    document
}

/// Builds a fragment by itself. Which section it is for is not written in it, so the one in which
/// fewest faults are found counts.
pub fn build_fragment(root: &Element, references: &References, faults: &mut Vec<Fault>) {
    let tries = Section::ALL.into_iter().map(|section| {
        let mut found = Vec::new();
        let owner = Owner { scope: Scope::Operation, name: "fragment" };
        let mut builder = Builder::new(owner.scope, owner.name, section, references, &mut found);
        builder.whole_fragment(root);
        found
    });
    faults.extend(tries.min_by_key(Vec::len).unwrap_or_default());
}

fn parts(
    element: &Element,
    section: Section,
    owner: Owner<'_>,
    references: &References,
    faults: &mut Vec<Fault>,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut numbers: Vec<(Arc<str>, usize)> = Vec::new();
    let mut builder = Builder::new(owner.scope, owner.name, section, references, faults);
    let mut base: Option<&Element> = None;
    builder.no_text(element);
    for child in element.elements() {
        if child.name.as_ref() != "base" {
            let number = super::count(&mut numbers, &child.name);
            builder.policy(child, number);
        } else if let Some(first) = base {
            let remedy = format!("keep one of the two; the other is at {}", first.place);
            builder.fault(child, "`<base />` stands in one section a second time", &remedy);
        } else if builder.base(child) {
            base = Some(child);
            let block = builder.finish();
            if !block.steps.is_empty() {
                parts.push(Part::Own(Arc::new(block)));
            }
            if owner.scope != Scope::Global {
                parts.push(Part::Base);
            }
        }
    }
    let block = builder.finish();
    if !block.steps.is_empty() {
        parts.push(Part::Own(Arc::new(block)));
    }
    parts
}

fn not_a_section(element: &Element) -> Fault {
    let name = element.name.as_ref();
    let message = format!("`{name}` is no section of a policy document");
    let fault = Fault::new(element.place.clone(), message).wide(name.len().saturating_add(1));
    let names = Section::ALL.map(Section::as_str);
    fault.mend(match nearest(name, names) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("the sections are {}", names.join(", ")),
    })
}
