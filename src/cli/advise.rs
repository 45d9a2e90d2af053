//! `weir advise`: what is dangerous in a deployment of a gateway.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::migrate::{ENDINGS, Form, inputs, outcome};
use crate::cli::{Outcome, complain, say};
use crate::migration::advice::advise;
use crate::migration::report;
use crate::time::{Clock, SystemClock};

/// Says what is dangerous in a deployment of API Management's gateway, or of Weir.
#[derive(Debug, Args)]
pub struct Advise {
    /// Files that together are one deployment, or folders of them: whatever `weir migrate` reads, and
    /// policy documents.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

impl Advise {
    /// Reads, and says what there is to say.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let (inputs, unread) = match inputs(&self.inputs, &[ENDINGS.as_slice(), &["xml"]].concat())
        {
            Ok(given) => given,
            Err(why) => {
                complain(&format!("{why}\n"));
                return Outcome::Misused;
            }
        };
        let findings = [unread, advise(&inputs, SystemClock::start().now())].concat();
        match self.format {
            Form::Text => say(out, &report::text(&findings)),
            Form::Json => say(out, &report::json(&findings, &json!({}))),
            Form::Sarif => say(out, &report::sarif(&findings)),
        }
        outcome(&findings)
    }
}
