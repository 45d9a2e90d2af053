//! Puts the blocks of several documents in the order in which they run.

use std::sync::Arc;

use super::{Action, Block, Document, Note, Part, Step, ways};
use crate::policy::Section;

/// Adds the blocks of `section` to `blocks`; `documents` goes from the narrowest scope to the
/// widest.
pub(super) fn flatten(documents: &[&Document], section: Section, blocks: &mut Vec<Arc<Block>>) {
    let Some((narrowest, wider)) = documents.split_first() else {
        return;
    };
    for part in narrowest.parts(section) {
        match part {
            Part::Own(block) if block.bases() > 0 => {
                let mut base = Vec::new();
                flatten(wider, section, &mut base);
                blocks.push(Arc::new(block.with_base(&base)));
            }
            Part::Own(block) => blocks.push(Arc::clone(block)),
            Part::Base => flatten(wider, section, blocks),
        }
    }
}

/// How many steps `section` has with the policies of all scopes put in.
pub(super) fn steps_in(documents: &[&Document], section: Section) -> usize {
    let Some((narrowest, wider)) = documents.split_first() else {
        return 0;
    };
    let base = steps_in(wider, section);
    let parts = narrowest.parts(section).iter().map(|part| match part {
        Part::Own(block) => block.steps.len().saturating_add(block.bases().saturating_mul(base)),
        Part::Base => base,
    });
    parts.fold(0, usize::saturating_add)
}

impl Block {
    /// A block of these steps, and what people want to know about each.
    pub fn new(section: Section, steps: Vec<Step>, notes: Vec<Note>) -> Self {
        let forwards = ways::most_forwards(&steps);
        Self { section, steps: steps.into_boxed_slice(), notes: notes.into_boxed_slice(), forwards }
    }

    /// How often `<base/>` stands inside of its policies.
    fn bases(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.action, Action::Base)).count()
    }

    /// The same block with the steps of `base` wherever `<base/>` stands in its policies.
    fn with_base(&self, base: &[Arc<Self>]) -> Self {
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        let length: usize = base.iter().map(|block| block.steps.len()).sum();
        // Where each of the own steps comes to stand, and the end.
        let mut places = Vec::with_capacity(self.steps.len().saturating_add(1));
        let mut place = 0_usize;
        for step in &self.steps {
            places.push(place);
            let is_base = matches!(step.action, Action::Base);
            place = place.saturating_add(if is_base { length } else { 1 });
        }
        places.push(place);
        for (step, note) in self.steps.iter().zip(&self.notes) {
            if matches!(step.action, Action::Base) {
                for block in base {
                    let first = steps.len();
                    steps.extend(
                        block
                            .steps
                            .iter()
                            .map(|step| step.clone().leading(|to| first.saturating_add(to))),
                    );
                    let notes_of = block.notes.iter().cloned();
                    notes.extend(notes_of.map(|note| Note { is_direct: false, ..note }));
                }
            } else {
                let moved = |to: usize| places.get(to).copied().unwrap_or(place);
                steps.push(step.clone().leading(moved));
                notes.push(note.clone());
            }
        }
        Self::new(self.section, steps, notes)
    }
}

impl Step {
    /// The same step with its jumps led elsewhere.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step jumps")]
    fn leading(mut self, elsewhere: impl Fn(usize) -> usize) -> Self {
        match &mut self.action {
            Action::Jump(to) | Action::Unless { otherwise: to, .. } => *to = elsewhere(*to),
            _ => (),
        }
        self
    }
}
