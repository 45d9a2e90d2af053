//! Policies that are switched off, whatever a configuration says: for the hour in which one of them
//! does harm and nobody can wait for the next configuration or the next release.
//!
//! Every policy of the catalogue can be switched off in either way, also one that Weir does not
//! build yet. One that is switched off is not built at all: neither a fault nor a bug in it can
//! stop a configuration.

use std::collections::BTreeMap;

use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::catalog::{self, Content, Policy};
use crate::policy::markup::Element;
use crate::policy::program::{Action, Needs};
use crate::problem::{POLICY_DISABLED, Problem};

/// What happens where a policy stands that is switched off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Instead {
    /// Nothing: as if it were not written. The policies inside of one that holds policies, such as
    /// `retry`, run once; everything else goes with it, also the branches of a `choose`.
    Skip,
    /// The request goes no further: it fails with 503, and on-error runs.
    Refuse,
}

/// The policies that are switched off.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Disabled(BTreeMap<&'static str, Instead>);

/// The policies that refuse requests: what they refuse gets through where they are skipped. Those
/// that decide what else runs are among them.
pub const GUARDS: &[&str] = &[
    "azure-openai-token-limit",
    "check-header",
    "choose",
    "include-fragment",
    "ip-filter",
    "limit-concurrency",
    "llm-content-safety",
    "llm-token-limit",
    "quota",
    "quota-by-key",
    "rate-limit",
    "rate-limit-by-key",
    "return-response",
    "validate-azure-ad-token",
    "validate-client-certificate",
    "validate-content",
    "validate-graphql-request",
    "validate-headers",
    "validate-jwt",
    "validate-odata-request",
    "validate-parameters",
    "validate-status-code",
];

impl Instead {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Skip, Self::Refuse];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Refuse => "refuse",
        }
    }

    /// What the word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|instead| instead.as_str() == word)
    }
}

impl Disabled {
    /// Switches the policy `name` off; false if there is none of that name.
    pub fn insert(&mut self, name: &str, instead: Instead) -> bool {
        let known = catalog::find(name);
        if let Some(policy) = known {
            self.0.insert(policy.name, instead);
        }
        known.is_some()
    }

    /// What happens instead of the policy `name`, if it is switched off.
    pub fn instead(&self, name: &str) -> Option<Instead> {
        self.0.get(name).copied()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Instead)> {
        self.0.iter().map(|(name, instead)| (*name, *instead))
    }

    /// Those of [`GUARDS`] that are skipped.
    pub fn skipped_guards(&self) -> impl Iterator<Item = &'static str> {
        let skipped = self.iter().filter(|(_name, instead)| *instead == Instead::Skip);
        skipped.map(|(name, _instead)| name).filter(|name| GUARDS.contains(name))
    }
}

/// Builds what happens instead of `policy`, which stands at `element`.
pub(super) fn build(
    builder: &mut Builder<'_>,
    policy: &Policy,
    element: &Element,
    instead: Instead,
) {
    match (instead, policy.content) {
        (Instead::Refuse, _) => {
            builder.push_with(element, Action::Disabled, Needs::default());
        }
        (Instead::Skip, Content::Policies) => builder.policies(element),
        (Instead::Skip, _) => (),
    }
}

/// Where a request comes that must not go further.
pub(super) fn refused() -> Failure {
    Failure {
        source: None,
        reason: "PolicyDisabled",
        message: "the policy is switched off, and requests that need it are refused".to_owned(),
        problem: Problem::unavailable(POLICY_DISABLED),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fault::Fault;
    use crate::policy::build::document::{self, Owner};
    use crate::policy::build::references::References;
    use crate::policy::markup::{self, NamedValues};
    use crate::policy::program::Program;
    use crate::policy::testing::Run;
    use crate::policy::{Scope, Section};

    #[test]
    fn every_guard_is_a_policy() {
        assert!(GUARDS.iter().all(|name| catalog::find(name).is_some()));
        assert!(GUARDS.is_sorted());
    }

    /// The actions that come of `xml` in `section`, with `name` switched off; panics over a fault.
    fn built(name: &str, instead: Instead, section: Section, xml: &str) -> Vec<Action> {
        let mut disabled = Disabled::default();
        assert!(disabled.insert(name, instead));
        let references = References { disabled, ..References::default() };
        let xml = format!("<fragment>{xml}</fragment>");
        let reading = markup::read(&Arc::from("f"), &xml, &NamedValues::default());
        assert!(reading.faults.is_empty(), "{xml}: {:?}", reading.faults);
        let root = reading.root.unwrap();
        let mut faults: Vec<Fault> = Vec::new();
        let mut builder = Builder::new(Scope::Operation, "o", section, &references, &mut faults);
        builder.policies(&root);
        let block = builder.finish();
        assert_eq!(faults, [], "{name}");
        block.steps.iter().map(|step| step.action.clone()).collect()
    }

    #[test]
    fn every_policy_can_be_switched_off_in_either_way_wherever_and_however_it_is_written() {
        for policy in catalog::POLICIES {
            for section in Section::ALL {
                // An attribute that it does not know, and children that make no sense.
                let xml = format!("<{0} wrong=\"@(1)\"><nonsense /></{0}>", policy.name);
                let plain = format!("<{} />", policy.name);
                let (skip, refuse) = (Instead::Skip, Instead::Refuse);
                assert!(built(policy.name, skip, section, &plain).is_empty(), "{}", policy.name);
                for xml in [&xml, &plain] {
                    let steps = built(policy.name, refuse, section, xml);
                    assert!(matches!(steps.as_slice(), [Action::Disabled]), "{}", policy.name);
                }
                if !matches!(policy.content, Content::Policies) {
                    assert!(built(policy.name, skip, section, &xml).is_empty(), "{}", policy.name);
                }
            }
        }
    }

    #[test]
    fn what_stands_inside_of_a_policy_that_holds_policies_goes_on() {
        for policy in catalog::POLICIES.iter().filter(|it| matches!(it.content, Content::Policies))
        {
            let xml = format!("<{0}><set-method>PUT</set-method></{0}>", policy.name);
            let steps = built(policy.name, Instead::Skip, Section::Inbound, &xml);
            assert!(matches!(steps.as_slice(), [Action::SetMethod(_)]), "{}", policy.name);
        }
    }

    /// A gateway whose inbound has `policies`, of which `name` is switched off.
    fn running(policies: &str, name: &str, instead: Instead) -> Run {
        let mut disabled = Disabled::default();
        assert!(disabled.insert(name, instead));
        let references = References { disabled, ..References::default() };
        let xml = format!(
            "<policies><inbound>{policies}</inbound><backend><forward-request /></backend>\
             <on-error><set-header name=\"X-Error\" exists-action=\"override\"><value>1</value>\
             </set-header></on-error></policies>"
        );
        let reading = markup::read(&Arc::from("f"), &xml, &NamedValues::default());
        let mut faults = Vec::new();
        let owner = Owner { scope: Scope::Global, name: "gateway" };
        let document = document::build(&reading.root.unwrap(), owner, &references, &mut faults);
        assert_eq!(faults, []);
        Run::running(Program::compose(&[&document]))
    }

    #[test]
    fn a_request_that_meets_a_refused_policy_fails_and_one_that_meets_a_skipped_one_does_not() {
        let filter = r#"<ip-filter action="forbid"><address>10.0.0.1</address></ip-filter>"#;
        let skipping = running(filter, "ip-filter", Instead::Skip);
        assert_eq!(skipping.get("/x").client("10.0.0.1").go().status(), 200);
        let refusing = running(filter, "ip-filter", Instead::Refuse);
        let outcome = refusing.get("/x").client("10.0.0.2").go();
        assert_eq!((outcome.status(), outcome.header("X-Error")), (503, Some("1")));
        let error = outcome.error();
        assert_eq!((error.source, error.reason), ("ip-filter", "PolicyDisabled"));
        assert!(error.place.is_some());
    }
}
