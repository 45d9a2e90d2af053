//! Whose keys a program wants.

use super::{Action, Program};
use crate::policy::tokens::asked::Document;

impl Program {
    /// The documents of issuers whose keys its policies want whatever the request is.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other step wants keys")]
    pub fn key_documents(&self) -> impl Iterator<Item = &Document> {
        let blocks = self.sections.iter().flat_map(|blocks| blocks.iter());
        let steps = blocks.flat_map(|block| &block.steps);
        steps.flat_map(|step| match &step.action {
            Action::ValidateToken(policy) => policy.documents(),
            _ => &[],
        })
    }
}
