//! `weir schema`: the JSON Schema of the configuration's YAML, for editors.

use std::io::Write;

use clap::Args;

use crate::cli::{Outcome, say};
use crate::configuration::document::schema;

/// Prints the JSON Schema of the configuration's YAML.
#[derive(Debug, Args)]
pub struct Schema {}

impl Schema {
    /// Prints it.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        say(out, &schema::text());
        Outcome::Fine
    }
}
