//! The ways through a program: whether a request is forwarded before a policy said where to.

use super::{Action, Block, Program, Step};
use crate::policy::Section;

/// Which requests come to `forward-request` without a `set-backend-service` before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unaddressed {
    /// None.
    None,
    /// Some: it depends on conditions.
    Some,
    /// All that policies do not refuse.
    All,
}

/// What may be true of a request where it stands.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Nothing said yet where it goes.
    unaddressed: bool,
    /// A policy said so.
    addressed: bool,
}

impl State {
    const fn and(self, other: Self) -> Self {
        Self {
            unaddressed: self.unaddressed || other.unaddressed,
            addressed: self.addressed || other.addressed,
        }
    }

    const fn is_reached(self) -> bool {
        self.unaddressed || self.addressed
    }
}

/// What was found on the ways so far.
#[derive(Debug, Default)]
struct Found {
    /// A request is forwarded to nowhere.
    stranded: bool,
    /// A request is answered in another way.
    answered: bool,
}

impl Program {
    /// Which requests come to `forward-request` without a `set-backend-service` before it. One
    /// that on-error answers is not counted as lost.
    pub fn unaddressed(&self) -> Unaddressed {
        let mut found = Found::default();
        let mut state = State { unaddressed: true, addressed: false };
        for section in [Section::Inbound, Section::Backend] {
            for block in self.blocks(section) {
                state = block.follow(state, &mut found);
            }
        }
        match (found.stranded, found.answered || state.is_reached() || self.recovers()) {
            (false, _) => Unaddressed::None,
            (true, true) => Unaddressed::Some,
            (true, false) => Unaddressed::All,
        }
    }

    /// Whether on-error may make an answer of its own.
    fn recovers(&self) -> bool {
        let mut steps = self.blocks(Section::OnError).iter().flat_map(|block| &block.steps);
        steps.any(|step| {
            matches!(
                step.action,
                Action::ReturnResponse(_)
                    | Action::MockResponse(_)
                    | Action::InvokeRequest(_)
                    | Action::SetStatus(_)
            )
        })
    }
}

/// Notes that `state` may be true before step `at`.
fn reach(at: usize, state: State, states: &mut [State]) {
    if let Some(known) = states.get_mut(at) {
        *known = known.and(state);
    }
}

impl Block {
    /// What may be true after the block of a request of which `state` is true before it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other step goes on with the next")]
    fn follow(&self, state: State, found: &mut Found) -> State {
        // Jumps lead forward, but for those of `retry`, which find nothing new.
        let mut states = vec![State::default(); self.steps.len().saturating_add(1)];
        reach(0, state, &mut states);
        for (at, step) in self.steps.iter().enumerate() {
            let state = states.get(at).copied().unwrap_or_default();
            let next = at.saturating_add(1);
            if !state.is_reached() {
                continue;
            }
            match &step.action {
                Action::Jump(to) => reach(*to, state, &mut states),
                Action::Unless { condition, otherwise } => {
                    if condition.constant() != Some(&false) {
                        reach(next, state, &mut states);
                    }
                    if condition.constant() != Some(&true) {
                        reach(*otherwise, state, &mut states);
                    }
                }
                Action::CacheValueEnter(_) => {
                    reach(next, state, &mut states);
                    reach(next.saturating_add(1), state, &mut states);
                }
                Action::InvokeRequest(policy) if policy.answers() => found.answered = true,
                Action::SetBackend(_) => {
                    let addressed = State { unaddressed: false, addressed: true };
                    reach(next, addressed, &mut states);
                }
                Action::Forward(_) => {
                    found.stranded |= state.unaddressed;
                    reach(next, State { unaddressed: false, ..state }, &mut states);
                }
                Action::ReturnResponse(_) | Action::MockResponse(_) => found.answered = true,
                // Nobody gets further; refused requests are not lost ones.
                Action::Disabled => (),
                _ => reach(next, state, &mut states),
            }
        }
        states.last().copied().unwrap_or_default()
    }
}

/// The most forwards on any way through `steps`. What is forwarded inside of a `retry` may be
/// forwarded again.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other step goes on with the next")]
pub(super) fn most_forwards(steps: &[Step]) -> usize {
    let mut most = vec![0_usize; steps.len().saturating_add(1)];
    let mut retries = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let before = most.get(at).copied().unwrap_or_default();
        let after = match &step.action {
            Action::Forward(_) => before.saturating_add(1),
            Action::RetryEnter => {
                retries.push(before);
                before
            }
            Action::RetryAgain(_) => {
                let inside = before.saturating_sub(retries.pop().unwrap_or(before));
                before.saturating_add(inside)
            }
            _ => before,
        };
        let (next, jump) = match &step.action {
            Action::Jump(to) => (None, Some(*to)),
            Action::CacheValueEnter(_) => (Some(at.saturating_add(1)), Some(at.saturating_add(2))),
            Action::Unless { otherwise, .. } => (Some(at.saturating_add(1)), Some(*otherwise)),
            _ => (Some(at.saturating_add(1)), None),
        };
        for to in next.into_iter().chain(jump) {
            if let Some(known) = most.get_mut(to) {
                *known = (*known).max(after);
            }
        }
    }
    most.last().copied().unwrap_or_default()
}
