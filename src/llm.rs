//! What calls of language models cost, in tokens: of prompts, before they are answered, and of
//! answers while they pass.
//!
//! Nothing here keeps a body: what is read is looked at once, piece by piece, as it comes
//! ([`json`]), so neither its size nor its pieces matter. A model says what a call cost in `usage`
//! ([`meter`]); where it does not, and before it can, tokens are [estimated](estimate).

pub mod estimate;
pub mod json;
pub mod meter;
pub mod prompt;
pub mod text;
