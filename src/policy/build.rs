//! From elements to steps: looks every element up in the catalogue, checks what the catalogue
//! says about it, and lets the policy add its steps. Faults are collected; building goes on.

pub mod document;
pub mod references;
mod checks;
mod inside;
mod operands;
mod secrets;

use std::mem;
use std::sync::Arc;

use crate::fault::{Fault, Place, nearest};
use crate::policy::build::references::References;
use crate::policy::catalog::{self, Build, Policy};
use crate::policy::disabled;
use crate::policy::markup::Element;
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
    /// Policies that may run once only, and where each was met on the way here.
    once: Vec<(&'static str, Place)>,
    /// How often `<base/>` stands in the section.
    bases: usize,
}

/// How deep policies may stand in each other.
const NESTING_MAX: usize = 32;
/// How deep fragments may include each other.
const FRAGMENT_NESTING_MAX: usize = 8;
/// How often `<base/>` may stand in one section.
const BASES_MAX: usize = 32;
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
            needs: Needs { request_body: false, response_body: false, response: false },
            path: Vec::new(),
            fragments: Vec::new(),
            once: Vec::new(),
            bases: 0,
        }
    }

    /// The block of all that was built since the last one.
    pub fn finish(&mut self) -> Block {
        Block::new(self.section, mem::take(&mut self.steps), mem::take(&mut self.notes))
    }

    /// Builds the policy `element`, the `number`th of its name among its siblings.
    pub fn policy(&mut self, element: &Element, number: usize) {
        if element.name.as_ref() == "base" {
            if self.base(element) && self.scope != Scope::Global {
                self.push_with(element, Action::Base, Needs::default());
            }
            return;
        }
        let Some(policy) = catalog::find(&element.name) else {
            self.unknown(element);
            return;
        };
        let instead = self.references.disabled.instead(policy.name);
        if instead.is_none() && self.is_missing(policy, element) {
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
        match instead {
            Some(instead) => disabled::build(self, policy, element, instead),
            None => self.checked(policy, element),
        }
        self.path.pop();
        self.needs = Needs::default();
    }

    /// Reports a policy that is known and not there.
    fn is_missing(&mut self, policy: &Policy, element: &Element) -> bool {
        let name = policy.name;
        let (message, remedy) = match policy.build {
            Build::Steps(_) => return false,
            Build::NotYet => {
                let remedy = "remove it, or wait for a release that has it";
                (format!("the policy `{name}` is not supported yet"), remedy)
            }
            Build::Never(why) => (format!("the policy `{name}` is not there: {why}"), "remove it"),
        };
        self.fault(element, message, remedy);
        true
    }

    /// Looks at `policy` as the catalogue says, and lets it add its steps.
    fn checked(&mut self, policy: &Policy, element: &Element) {
        let faults_before = self.faults.len();
        self.placement(policy, element);
        self.only_once(policy, element);
        self.attributes(element, policy.attributes);
        self.content(policy.content, element);
        if let Build::Steps(build) = policy.build {
            build(self, element);
        }
        secrets::hide(element, self.faults.get_mut(faults_before..).unwrap_or_default());
    }

    /// Looks at a `<base/>`; whether it may stand here.
    pub fn base(&mut self, element: &Element) -> bool {
        let (message, remedy) = if !self.fragments.is_empty() {
            let message = "`<base />` stands in a fragment".to_owned();
            (message, "put it into the documents that include the fragment")
        } else if BASES_MAX <= self.bases {
            let message = format!("`<base />` stands in one section more than {BASES_MAX} times");
            (message, "put it before or after `choose`, where it need stand only once")
        } else {
            self.bases = self.bases.saturating_add(1);
            self.attributes(element, &[]);
            self.no_text(element);
            self.only(element, &[]);
            return true;
        };
        self.fault(element, message, remedy);
        false
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

    /// Builds the policies of the fragment `root` that nobody may include.
    pub fn whole_fragment(&mut self, root: &Element) {
        self.no_text(root);
        self.fragments.push(Arc::from(""));
        self.policies(root);
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
        let policy = catalog::find(&element.name).map_or("choose", |policy| policy.name);
        self.notes.push(Note {
            policy,
            scope: self.scope,
            place: element.place.clone(),
            path: Arc::from(self.path()),
            id: element.attribute("id").map(|id| Arc::from(id.value.as_str())),
            is_direct: is_direct(&self.path),
        });
        self.steps.push(Step { action, needs });
        self.steps.len().saturating_sub(1)
    }

    /// Where in its section the policy stands that is built, such as `choose[3]/when[2]`.
    pub fn path(&self) -> String {
        self.path.join("/")
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

    /// Replaces the action of step `index` and what it needs: for policies that are known once those
    /// inside of them are.
    pub fn patch_with(&mut self, index: usize, action: Action, needs: Needs) {
        if let Some(step) = self.steps.get_mut(index) {
            *step = Step { action, needs };
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

    /// The policies that may run once only, each with its place, which were met on the way here.
    pub fn met(&self) -> Vec<(&'static str, Place)> {
        self.once.clone()
    }

    /// Goes on from another way, on which `met` were met.
    pub fn set_met(&mut self, met: Vec<(&'static str, Place)>) {
        self.once = met;
    }

    /// The bodies that the operands read since the last step.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// Forgets or replaces what the operands read since the last step.
    pub const fn set_needs(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// Reports a fault at the name of `element`.
    pub fn fault(&mut self, element: &Element, message: impl Into<String>, remedy: &str) {
        let fault = Fault::new(element.place.clone(), message);
        self.faults.push(fault.wide(element.name.len().saturating_add(1)).mend(remedy));
    }

    fn unknown(&mut self, element: &Element) {
        let message = format!("there is no policy `{}`", element.name);
        let remedy = match nearest(&element.name, catalog::names().chain(["base"])) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "docs/policies.md has those that there are".to_owned(),
        };
        self.fault(element, message, &remedy);
    }
}

fn count(counts: &mut Vec<(Arc<str>, usize)>, name: &Arc<str>) -> usize {
    if let Some((_, number)) = counts.iter_mut().find(|(known, _)| known == name) {
        *number = number.saturating_add(1);
        return *number;
    }
    counts.push((Arc::clone(name), 1));
    1
}

/// Whether a policy with this path stands directly in its section. A fragment stands for its
/// policies, so it is not between.
fn is_direct(path: &[String]) -> bool {
    let mut around = path.iter().rev().skip(1);
    around.all(|part| part.starts_with("include-fragment["))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::build::document::{Owner, build};
    use crate::policy::markup::{self, NamedValues};

    #[test]
    fn what_stands_for_a_named_value_that_is_not_known_hides_no_fault_beside_it() {
        let faults = |value: &str| {
            let text = format!(
                "<policies><inbound><set-variable name=\"v\" value=\"{value}\" /></inbound></policies>"
            );
            let reading = markup::read(&Arc::from("f"), &text, &NamedValues::assumed());
            let mut faults = reading.faults;
            let owner = Owner { scope: Scope::Api, name: "any" };
            let assumed = Some(std::cell::RefCell::default());
            let references = References { assumed, ..References::default() };
            build(&reading.root.unwrap(), owner, &references, &mut faults);
            faults.len()
        };
        assert_eq!(faults("@(\"{{x}}\" + context.Nope)"), 1);
        assert_eq!(faults("@{ /* {{x}} */ return context.Nope; }"), 1);
        assert_eq!(faults("@($\"{{x}} {context.Nope}\")"), 1);
        // It may be anything there, also a whole part of the expression.
        assert_eq!(faults("@({{x}}.Length)"), 0);
        assert_eq!(faults("@(\"{{x}}\".Length)"), 0);
    }

    #[test]
    fn a_policy_that_will_not_be_there_is_refused_with_the_reason() {
        let mut refused = 0;
        for policy in catalog::POLICIES {
            let Build::Never(why) = policy.build else { continue };
            let text = format!("<policies><inbound><{} /></inbound></policies>", policy.name);
            let reading = markup::read(&Arc::from("f"), &text, &NamedValues::default());
            let mut faults = reading.faults;
            let owner = Owner { scope: Scope::Api, name: "any" };
            build(&reading.root.unwrap(), owner, &References::default(), &mut faults);
            let told: Vec<_> = faults.iter().map(|fault| &*fault.message).collect();
            assert_eq!(told, [format!("the policy `{}` is not there: {why}", policy.name)]);
            refused += 1;
        }
        assert!(refused > 0);
    }

    #[test]
    fn what_a_fragment_holds_stands_where_the_fragment_is_included() {
        let is_direct =
            |path: &str| is_direct(&path.split('/').map(ToOwned::to_owned).collect::<Vec<_>>());
        assert!(is_direct("cors[1]"));
        assert!(is_direct("include-fragment[2]/include-fragment[1]/cors[1]"));
        assert!(!is_direct("choose[1]/when[1]/cors[1]"));
        assert!(!is_direct("choose[1]/when[1]/include-fragment[1]/cors[1]"));
    }
}
