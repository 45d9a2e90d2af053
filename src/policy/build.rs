//! From elements to steps: looks every element up in the catalogue, checks what the catalogue
//! says about it, and lets the policy add its steps. Faults are collected; building goes on.

pub mod document;
pub mod references;
mod secrets;

use std::mem;
use std::sync::Arc;

use crate::expression::{self, Expression};
use crate::fault::{Fault, Place, nearest};
use crate::policy::build::references::References;
use crate::policy::catalog::{self, Build, Content, Policy};
use crate::policy::markup::{Attribute, Element, Text};
use crate::policy::operand::{Computed, Operand, Term};
use crate::policy::program::{Action, Block, Needs, Note, Step};
use crate::policy::{Scope, Section};

/// Builds the steps of one run of policies between two `<base/>`.
#[derive(Debug)]
pub struct Builder<'a> {
    /// Whose document this is.
    pub scope: Scope,
    /// Who that is, such as `product starter`: part of the identity of its counters.
    pub owner: &'a str,
    /// The section.
    pub section: Section,
    /// What policies refer to.
    pub references: &'a References,
    /// What is wrong.
    pub faults: &'a mut Vec<Fault>,
    steps: Vec<Step>,
    notes: Vec<Note>,
    /// The bodies that the operands of the step to come read.
    needs: Needs,
    /// The policies around the one that is built.
    path: Vec<String>,
    /// The fragments around it.
    fragments: Vec<Arc<str>>,
    /// The most forwards on any way so far.
    forwards: usize,
}

/// How deep policies may stand in each other.
const NESTING_MAX: usize = 32;
/// How deep fragments may include each other.
const FRAGMENT_NESTING_MAX: usize = 8;
/// The most steps of one block, fragments included.
const STEPS_MAX: usize = 10_000;

impl<'a> Builder<'a> {
    /// A builder of policies of `section` in the document of `owner`.
    pub const fn new(
        scope: Scope,
        owner: &'a str,
        section: Section,
        references: &'a References,
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        Self {
            scope,
            owner,
            section,
            references,
            faults,
            steps: Vec::new(),
            notes: Vec::new(),
            needs: Needs { request_body: false, response_body: false },
            path: Vec::new(),
            fragments: Vec::new(),
            forwards: 0,
        }
    }

    /// The block of all that was built.
    pub fn finish(self) -> Block {
        Block {
            scope: self.scope,
            section: self.section,
            steps: self.steps.into_boxed_slice(),
            notes: self.notes.into_boxed_slice(),
            forwards: self.forwards,
        }
    }

    /// Builds the policy `element`, the `number`th of its name among its siblings.
    pub fn policy(&mut self, element: &Element, number: usize) {
        if element.name.as_ref() == "base" {
            let fault = Fault::new(element.place.clone(), "`<base />` stands inside of a policy");
            self.faults.push(fault.mend("put it directly under the section"));
            return;
        }
        let Some(policy) = catalog::find(&element.name) else {
            self.unknown(element);
            return;
        };
        if matches!(policy.build, Build::NotYet) {
            let message = format!("the policy `{}` is not supported yet", policy.name);
            self.fault(element, message, "remove it, or wait for a release that has it");
            return;
        }
        if NESTING_MAX <= self.path.len() || STEPS_MAX <= self.steps.len() {
            let message = format!(
                "policies are nested deeper than {NESTING_MAX} or are more than {STEPS_MAX}"
            );
            self.fault(element, message, "split the document, or take policies out of each other");
            return;
        }
        self.path.push(format!("{}[{number}]", element.name));
        let faults_before = self.faults.len();
        self.placement(policy, element);
        self.attributes(element, policy.attributes);
        self.content(policy, element);
        if let Build::Steps(build) = policy.build {
            build(self, element);
        }
        secrets::hide(element, self.faults.get_mut(faults_before..).unwrap_or_default());
        self.path.pop();
        self.needs = Needs::default();
    }

    /// Builds all policies in `element`.
    pub fn policies(&mut self, element: &Element) {
        let mut counts: Vec<(Arc<str>, usize)> = Vec::new();
        for child in element.elements() {
            let number = count(&mut counts, &child.name);
            self.policy(child, number);
        }
    }

    /// Builds the children of an element that is no policy itself, such as `otherwise`.
    pub fn branch(&mut self, element: &Element, number: usize) {
        self.within(element, number, |builder| builder.policies(element));
    }

    /// Lets `build` add steps whose path leads through `element`, the `number`th of its name.
    pub fn within(&mut self, element: &Element, number: usize, build: impl FnOnce(&mut Self)) {
        self.path.push(format!("{}[{number}]", element.name));
        build(self);
        self.path.pop();
    }

    /// Builds the policies of the fragment `id`.
    pub fn fragment(&mut self, id: &str, place: &Place) {
        let known = self.fragments.iter().any(|outer| outer.as_ref() == id);
        if known || FRAGMENT_NESTING_MAX <= self.fragments.len() {
            let message = format!("the fragment `{id}` includes itself, or is nested too deep");
            self.faults.push(Fault::new(place.clone(), message).mend("take the inclusion out"));
            return;
        }
        let Some(root) = self.references.fragment(id, place, self.faults) else {
            return;
        };
        self.fragments.push(Arc::from(id));
        self.policies(&root);
        self.fragments.pop();
    }

    /// Adds a step of `element`; returns its index.
    pub fn push(&mut self, element: &Element, action: Action) -> usize {
        let needs = mem::take(&mut self.needs);
        self.push_with(element, action, needs)
    }

    /// Adds a step of `element` that needs `needs` whatever its operands read.
    pub fn push_with(&mut self, element: &Element, action: Action, needs: Needs) -> usize {
        self.needs = Needs::default();
        if matches!(action, Action::Forward(_)) {
            self.forwards = self.forwards.saturating_add(1);
        }
        let policy = catalog::find(&element.name).map_or("choose", |policy| policy.name);
        self.notes.push(Note {
            policy,
            place: element.place.clone(),
            path: Arc::from(self.path.join("/")),
            id: element.attribute("id").map(|id| Arc::from(id.value.as_str())),
        });
        self.steps.push(Step { action, needs });
        self.steps.len().saturating_sub(1)
    }

    /// The index of the step to come.
    pub const fn here(&self) -> usize {
        self.steps.len()
    }

    /// Replaces the action of step `index`: for jumps whose end was not known.
    pub fn patch(&mut self, index: usize, action: Action) {
        if let Some(step) = self.steps.get_mut(index) {
            step.action = action;
        }
    }

    /// Takes the condition out of step `index` to give it its end.
    pub fn patch_otherwise(&mut self, index: usize, end: usize) {
        if let Some(Step { action: Action::Unless { otherwise, .. }, .. }) =
            self.steps.get_mut(index)
        {
            *otherwise = end;
        }
    }

    /// The most forwards so far.
    pub const fn forwards(&self) -> usize {
        self.forwards
    }

    /// Corrects the most forwards so far: only one of several branches runs.
    pub const fn set_forwards(&mut self, forwards: usize) {
        self.forwards = forwards;
    }

    /// The bodies that the operands read since the last step.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// Forgets or replaces what the operands read since the last step.
    pub const fn set_needs(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// The operand that attribute `name` of `element` gives.
    pub fn attribute<T: Term>(&mut self, element: &Element, name: &str) -> Option<Operand<T>> {
        let attribute = element.attribute(name)?;
        let what = format!("`{name}`");
        self.operand(&attribute.value, &what)
    }

    /// The operand that the text inside of `element` gives.
    pub fn content_operand<T: Term>(&mut self, element: &Element, what: &str) -> Option<Operand<T>> {
        match element.text_content() {
            Some(text) => self.operand(&text, what),
            None => {
                let message = format!("`{}` holds elements where text belongs", element.name);
                self.fault(element, message, "put the text into <![CDATA[…]]>");
                None
            }
        }
    }

    /// The body that stands inside of `element`: text, an expression, or markup as it is written.
    pub fn body_operand<T: Term>(&mut self, element: &Element) -> Option<Operand<T>> {
        let text = element.text_content().unwrap_or_else(|| element.inner_markup());
        self.operand(&text, "the body")
    }

    /// The operand that `text` gives; `what` names it in messages.
    pub fn operand<T: Term>(&mut self, text: &Text, what: &str) -> Option<Operand<T>> {
        if text.is_expression() {
            return self.expression(text, what);
        }
        if text.is_broken() || self.is_unknown(text) {
            return None;
        }
        if let Some(place) = text.stray_expression() {
            let fault = Fault::new(place, format!("{what} mixes text with an expression"));
            self.faults.push(fault.mend("make all of it one expression, such as @(\"a\" + b)"));
            return None;
        }
        match T::from_literal(text.as_str()) {
            Ok(value) => Some(Operand::Constant(value)),
            Err(expected) => {
                let message = format!("{what} is not {expected}");
                self.faults.push(Fault::new(text.place(), message).wide(text.width()));
                None
            }
        }
    }

    /// The constant that attribute `name` of `element` gives: no expression is allowed there.
    pub fn literal<T: Term>(&mut self, element: &Element, name: &str) -> Option<T> {
        match self.attribute::<T>(element, name)? {
            Operand::Constant(value) => Some(value),
            // The catalogue says that no expression is allowed, and that was reported.
            Operand::Computed(_) => None,
        }
    }

    /// Whether the value cannot be seen: an assumed named value went into it, or, where documents
    /// are checked by themselves, it is a placeholder such as `{retries}` of whoever deploys them.
    fn is_unknown(&self, text: &Text) -> bool {
        let Some(assumed) = &self.references.assumed else {
            return false;
        };
        if text.is_assumed() {
            return true;
        }
        let word = text.as_str().trim();
        let Some(name) = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return false;
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return false;
        }
        assumed.borrow_mut().placeholders.insert(word.to_owned());
        true
    }

    fn expression<T: Term>(&mut self, text: &Text, what: &str) -> Option<Operand<T>> {
        let compiled = match expression::compile(text.expression(), T::EXPECTED) {
            Ok(compiled) => compiled,
            // What stands for an assumed named value may fit nowhere.
            Err(_wrongs) if text.is_assumed() => return None,
            Err(wrongs) if text.is_secret() => {
                let offset = wrongs.first().map_or(0, |wrong| wrong.offset);
                self.faults.push(secrets::wrong_expression(text.expression_place(offset)));
                return None;
            }
            Err(wrongs) => {
                for wrong in wrongs {
                    let place = text.expression_place(wrong.offset);
                    let mut fault = Fault::new(place, wrong.message).wide(wrong.length);
                    fault.remedy = wrong.remedy;
                    self.faults.push(fault);
                }
                return None;
            }
        };
        if let Some(value) = compiled.constant() {
            return match T::from_value(value.clone()) {
                Ok(value) => Some(Operand::Constant(value)),
                Err(expected) => {
                    let message = format!("{what} is not {expected}");
                    self.faults.push(Fault::new(text.place(), message).wide(text.width()));
                    None
                }
            };
        }
        self.needs = self.needs.and(reads(&compiled));
        let (place, is_secret) = (text.place(), text.is_secret());
        Some(Operand::Computed(Arc::new(Computed { expression: compiled, place, is_secret })))
    }

    /// Reports a fault at the name of `element`.
    pub fn fault(&mut self, element: &Element, message: impl Into<String>, remedy: &str) {
        let fault = Fault::new(element.place.clone(), message);
        self.faults.push(fault.wide(element.name.len().saturating_add(1)).mend(remedy));
    }

    /// Checks the attributes of an element that a policy reads itself.
    pub fn child(&mut self, element: &Element, attributes: &[catalog::Attribute]) {
        self.attributes(element, attributes);
    }

    fn unknown(&mut self, element: &Element) {
        let message = format!("there is no policy `{}`", element.name);
        let remedy = match nearest(&element.name, catalog::names().chain(["base"])) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "see the reference of policies for what there is".to_owned(),
        };
        self.fault(element, message, &remedy);
    }

    fn placement(&mut self, policy: &Policy, element: &Element) {
        if !policy.sections.contains(&self.section) {
            let places = policy.sections.iter().map(|section| section.as_str());
            let message =
                format!("`{}` may not stand in section `{}`", policy.name, self.section);
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

    fn attributes(&mut self, element: &Element, known: &[catalog::Attribute]) {
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
            None => fault.mend(format!("it has: {}", names.collect::<Vec<_>>().join(", "))),
        });
    }

    fn content(&mut self, policy: &Policy, element: &Element) {
        let allowed: &[&str] = match policy.content {
            Content::Policies => {
                self.no_text(element);
                return;
            }
            Content::Elements(names) => {
                self.no_text(element);
                names
            }
            // A body may be markup itself; the policy reads it.
            Content::Text => return,
            Content::Nothing => {
                self.no_text(element);
                &[]
            }
        };
        self.only(element, allowed);
    }

    /// Reports the elements directly inside of `element` that are none of `allowed`.
    pub fn only(&mut self, element: &Element, allowed: &[&str]) {
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

/// Which bodies an expression reads.
pub fn reads(expression: &Expression) -> Needs {
    let reads = expression.reads();
    Needs { request_body: reads.request_body, response_body: reads.response_body }
}

fn count(counts: &mut Vec<(Arc<str>, usize)>, name: &Arc<str>) -> usize {
    if let Some((_, number)) = counts.iter_mut().find(|(known, _)| known == name) {
        *number = number.saturating_add(1);
        return *number;
    }
    counts.push((Arc::clone(name), 1));
    1
}

