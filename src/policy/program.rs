//! What policies compile to: flat blocks of steps, put in order by scope.
//!
//! A document is built once, whatever the number of operations it applies to: each run of
//! policies between two `<base/>` becomes a [`Block`], and a [`Program`] only lists the blocks of
//! all scopes in the order in which they run. Jumps never leave their block.

mod action;
mod compose;
mod documents;
mod ways;

use std::sync::Arc;

use crate::exchange::message::Response;
use crate::fault::Place;
use crate::policy::{Scope, Section};

pub use action::Action;
pub use ways::Unaddressed;

/// The most steps of one section with the policies of all scopes put in: only a document that has
/// `<base/>` many times comes near it.
pub const SECTION_STEPS_MAX: usize = 50_000;

/// The policies of one operation, from the first to the last.
#[derive(Debug, Default)]
pub struct Program {
    sections: [Box<[Arc<Block>]>; 4],
    /// Why the gateway itself makes the call to the backend, if the policies want the response
    /// before they can decide what to do with it.
    collected: Option<Because>,
    /// Whether there is nothing in it but one `forward-request`.
    plain: bool,
    /// Whether a step may look at the response of a backend.
    looks_at_response: bool,
}

/// Policies of one scope and section with no `<base/>` between them.
#[derive(Debug)]
pub struct Block {
    /// The section.
    pub section: Section,
    /// The steps; jumps are indices into this list, or its length.
    pub steps: Box<[Step]>,
    /// What people want to know about each step.
    pub notes: Box<[Note]>,
    /// The most forwards on any way through the block.
    pub forwards: usize,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// What has to be here before it can.
    pub needs: Needs,
}

/// What a step reads: bodies are fetched before it runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// The request's.
    pub request_body: bool,
    /// The response's.
    pub response_body: bool,
    /// Anything of the response.
    pub response: bool,
}

/// What people want to know about a step.
#[derive(Clone, Debug)]
pub struct Note {
    /// The policy's name.
    pub policy: &'static str,
    /// Whose document it stands in.
    pub scope: Scope,
    /// Where it stands.
    pub place: Place,
    /// Where in its section, such as `choose[3]/when[2]`.
    pub path: Arc<str>,
    /// Its `id`.
    pub id: Option<Arc<str>>,
    /// Whether it stands directly in its section. A fragment stands for its policies, so it is not
    /// between.
    pub is_direct: bool,
}

/// A reason with the place that gives it.
#[derive(Clone, Debug)]
pub struct Because {
    /// Why, as the end of a sentence.
    pub why: &'static str,
    /// Which policy.
    pub policy: &'static str,
    /// Where it stands.
    pub place: Place,
}

/// The blocks of one document: what stands before, between and after its `<base/>`.
#[derive(Clone, Debug, Default)]
pub struct Document {
    sections: [Vec<Part>; 4],
}

/// A part of a section.
#[derive(Clone, Debug)]
pub enum Part {
    /// Policies.
    Own(Arc<Block>),
    /// `<base/>`: the section of the next wider scope.
    Base,
}

/// What a policy answers with instead of a backend.
pub type Canned = Arc<Response>;

impl Needs {
    /// What both need together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            request_body: self.request_body || other.request_body,
            response_body: self.response_body || other.response_body,
            response: self.response || other.response,
        }
    }
}

impl Step {
    /// Whether what it does depends on the response of a backend, or makes another one of it.
    /// Whether it reads what the response's body says: `cache-store` only keeps it.
    pub const fn reads_response_text(&self) -> bool {
        self.needs.response_body && !matches!(self.action, Action::StoreResponse(_))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step touches the response")]
    const fn looks_at_response(&self) -> bool {
        if self.needs.response || self.needs.response_body {
            return true;
        }
        match &self.action {
            Action::SetHeader(policy) => policy.looks_at_response(),
            Action::SetBody(_)
            | Action::SetStatus(_)
            | Action::FindAndReplace(_)
            | Action::Cors(_)
            | Action::ValidateHeaders(_)
            | Action::LookupResponse(_)
            | Action::StoreResponse(_) => true,
            _ => false,
        }
    }
}

impl Document {
    /// A document whose sections all hold only `<base/>`: what a scope without one means.
    pub fn inherit() -> Self {
        Self { sections: Section::ALL.map(|_section| vec![Part::Base]) }
    }

    /// Sets the parts of `section`.
    pub fn set(&mut self, section: Section, parts: Vec<Part>) {
        if let Some(slot) = self.sections.get_mut(index_of(section)) {
            *slot = parts;
        }
    }

    fn parts(&self, section: Section) -> &[Part] {
        self.sections.get(index_of(section)).map_or(&[], Vec::as_slice)
    }
}

impl Program {
    /// Puts the documents of all scopes in order; `documents` goes from the narrowest scope to the
    /// widest. Whether that is too long, [`is_too_long`](Self::is_too_long) says beforehand.
    pub fn compose(documents: &[&Document]) -> Self {
        let sections = Section::ALL.map(|section| {
            let mut blocks = Vec::new();
            compose::flatten(documents, section, &mut blocks);
            blocks.into_boxed_slice()
        });
        let collected = why_collected(&sections);
        let plain = collected.is_none() && is_plain(&sections);
        let looks_at_response = sections
            .iter()
            .flat_map(|blocks| blocks.iter())
            .flat_map(|block| &block.steps)
            .any(Step::looks_at_response);
        Self { sections, collected, plain, looks_at_response }
    }

    /// The section of these documents that would have more than [`SECTION_STEPS_MAX`] steps.
    pub fn is_too_long(documents: &[&Document]) -> Option<Section> {
        let long = |section: &Section| compose::steps_in(documents, *section) > SECTION_STEPS_MAX;
        Section::ALL.into_iter().find(long)
    }

    /// Whether it only forwards: then nobody looks at the fields of either message, and copies of
    /// them need not be made.
    pub const fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether a step may look at the fields of a response; else it goes on with those that are
    /// replaced, and none of the others need be copied.
    pub const fn looks_at_response(&self) -> bool {
        self.looks_at_response
    }

    /// The blocks of `section`, in the order in which they run.
    pub fn blocks(&self, section: Section) -> &[Arc<Block>] {
        self.sections.get(index_of(section)).map_or(&[], |blocks| blocks)
    }

    /// Why the gateway itself makes the call, whatever the request; `None` if the response can
    /// stream through.
    pub const fn collected(&self) -> Option<&Because> {
        self.collected.as_ref()
    }

    /// Whether a step asks Dapr's sidecar.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step does")]
    pub fn asks_sidecar(&self) -> bool {
        let mut steps = self.steps().map(|(step, _note)| &step.action);
        steps.any(|action| match action {
            Action::Dapr(_) => true,
            Action::SetBackend(policy) => policy.asks_sidecar(),
            _ => false,
        })
    }

    /// The components of Dapr that its policies name, and where.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step does")]
    pub fn components(&self) -> impl Iterator<Item = (Arc<str>, &Place)> {
        self.steps().filter_map(|(step, note)| match &step.action {
            Action::Dapr(call) => Some((call.component()?, &note.place)),
            _ => None,
        })
    }

    fn steps(&self) -> impl Iterator<Item = (&Step, &Note)> {
        let blocks = self.sections.iter().flat_map(|blocks| blocks.iter());
        blocks.flat_map(|block| block.steps.iter().zip(&block.notes))
    }

    /// The first step that reads or replaces the body of the request before it is forwarded.
    pub fn reads_request_body(&self) -> Option<Because> {
        let before = [Section::Inbound, Section::Backend];
        let blocks = before.into_iter().flat_map(|section| self.blocks(section));
        blocks
            .flat_map(|block| block.steps.iter().zip(&block.notes))
            .find(|(step, _note)| {
                step.needs.request_body || matches!(step.action, Action::SetBody(_))
            })
            .map(|(_step, note)| Because::new("the body of the request is needed", note))
    }
}

impl Because {
    fn new(why: &'static str, note: &Note) -> Self {
        Self { why, policy: note.policy, place: note.place.clone() }
    }
}

fn is_plain(sections: &[Box<[Arc<Block>]>; 4]) -> bool {
    let mut steps = sections.iter().flat_map(|blocks| blocks.iter()).flat_map(|block| &block.steps);
    matches!(steps.next().map(|step| &step.action), Some(Action::Forward(_)))
        && steps.next().is_none()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other step wants the response")]
fn why_collected(sections: &[Box<[Arc<Block>]>; 4]) -> Option<Because> {
    let [inbound, backend, outbound, on_error] = sections;
    let before_answer = || inbound.iter().chain(backend).chain(outbound);
    let forwards: usize = before_answer().map(|block| block.forwards).sum();
    // Where a status of the backend is a failure, on-error has the backend's response.
    let keeps = |step: &Step| matches!(&step.action, Action::Forward(forward) if forward.fail_on_error_status);
    let kept = before_answer().flat_map(|block| &block.steps).any(keeps);
    let after: &[Arc<Block>] = if kept { on_error } else { &[] };
    let mut steps =
        before_answer().chain(after).flat_map(|block| block.steps.iter().zip(&block.notes));
    let needs = |(step, note): (&Step, &Note)| match &step.action {
        Action::StoreResponse(_) => Some(Because::new("the response is stored", note)),
        _ if step.needs.response_body => {
            Some(Because::new("the body of the response is needed", note))
        }
        Action::ContentSafety(policy) if policy.judges_answers() => {
            Some(Because::new("what is answered is judged", note))
        }
        Action::Forward(_) if 1 < forwards => {
            Some(Because::new("the request may be forwarded more than once", note))
        }
        Action::Forward(forward) if forward.follow_redirects.is_some() => {
            Some(Because::new("redirects are followed", note))
        }
        Action::RateLimitByKey(limit) if limit.reads_response_body() => {
            Some(Because::new("a count depends on the body of the response", note))
        }
        Action::QuotaByKey(quota) if quota.reads_response_body() => {
            Some(Because::new("a count depends on the body of the response", note))
        }
        _ => None,
    };
    steps.find_map(needs)
}

const fn index_of(section: Section) -> usize {
    match section {
        Section::Inbound => 0,
        Section::Backend => 1,
        Section::Outbound => 2,
        Section::OnError => 3,
    }
}
