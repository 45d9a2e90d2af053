//! Templates in Liquid: `set-body template="liquid"`, wherever a body is set.
//!
//! What API Management runs is `DotLiquid` with the names of C#, and this is the same language, written
//! anew: filters are written as in C# (`Upcase`, not `upcase`), dates are formatted as in .NET, and
//! `Replace`, `ReplaceFirst` and `RemoveFirst` look for regular expressions. There is also
//! `JSONArrayFor`, which puts commas between its items: what API Management makes of a SOAP service
//! uses it. An engine of our own, because a template comes from a configuration and works on what
//! clients send: each fault has its place at load, and every way to grow has a bound.
//!
//! Decided where API Management says nothing:
//!
//! * `body` is bound where the `Content-Type` of the message says JSON or XML; otherwise it is
//!   nothing, as is a body that an expression has consumed. A body that is not what its type says
//!   ends in on-error.
//! * A name is looked for as it is written, then without regard to case, because templates that API
//!   Management writes itself read `body.envelope.body` of a `soap:Envelope`. Names of elements
//!   are without prefix; an attribute is found where there is no element of its name.
//! * A filter that is not known, which `DotLiquid` passes over in silence, is refused at load.
//! * What `DotLiquid` writes into the text as `Liquid error: …` ends in on-error.
//! * `context.Variables` is there too. `Currency` writes amounts in the invariant culture.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most rules are about one or two of many kinds of values and filters"
)]

pub mod tokens;
pub mod words;
pub mod syntax;
pub mod parse;
pub mod datum;
pub mod filters;
mod bind;
mod render;
#[cfg(test)]
mod tests;

use crate::exchange::Exchange;
use crate::expression::value::STRING_BYTES_MAX;
use crate::expression::value::moment::DateTime;
use crate::expression::value::thrown::Thrown;
use crate::policy::Failure;

use datum::Datum;
use syntax::Block;

pub use crate::expression::Wrong;
pub use bind::{Body, Reads};

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// The most pieces of one: texts, outputs and tags.
pub const PARTS_MAX: usize = 10_000;
/// How deep tags may stand in each other.
pub const NESTING_MAX: usize = 32;
/// The most values of one tag.
pub const OPERANDS_MAX: usize = 256;
/// The most rounds of all loops of one template together.
pub const ROUNDS_MAX: usize = 100_000;
/// The most items of a list that a template makes.
pub const ITEMS_MAX: usize = 100_000;
/// The longest text that a template makes, in bytes.
pub const OUTPUT_BYTES_MAX: usize = STRING_BYTES_MAX;
/// How much a template may do: bytes that are looked at or written, and [`STEP_WORK`] for each part.
/// This stands for time, because whoever renders has no clock; all of it takes a fraction of a
/// second.
pub const WORK_MAX: usize = 128 << 20;
/// What a part costs, whatever it does.
const STEP_WORK: usize = 64;
/// What it costs to make a pattern of a text that is not written in the template.
const PATTERN_WORK: usize = 1 << 20;

/// A template that was read.
#[derive(Clone, Debug)]
pub struct Template {
    block: Block,
    reads: Reads,
    /// Whether a secret named value is part of it: then no message repeats anything of it.
    is_secret: bool,
}

/// Why a template gave no text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stop {
    /// It went over a bound.
    Bound(String),
    /// It cannot be done.
    Failed(String),
}

impl Template {
    /// Reads `text`; `is_secret` says whether a secret named value is part of it.
    pub fn parse(text: &str, is_secret: bool) -> Result<Self, Wrong> {
        if TEMPLATE_BYTES_MAX < text.len() {
            let message = format!("a template may be at most {TEMPLATE_BYTES_MAX} bytes long");
            return Err(Wrong::new(0..text.len(), message).mend("split it into several policies"));
        }
        let block = parse::parse(text)?;
        let reads = Reads::of(&block);
        Ok(Self { block, reads, is_secret })
    }

    /// What it reads.
    pub const fn reads(&self) -> Reads {
        self.reads
    }

    /// The text that it gives for a body of JSON, without any exchange.
    pub fn fill(&self, json: &str, now: DateTime) -> Result<String, Stop> {
        let body = bind::json_body(json)?;
        render::render(&self.block, bind::Bound { body, context: Datum::Nil, now })
    }

    /// The text that it gives for this exchange, with `body` as it says.
    pub fn render(&self, body: Body, exchange: &mut Exchange) -> Result<String, Failure> {
        let failed = |stop: Stop| match stop {
            Stop::Failed(_) if self.is_secret => {
                Failure::expression("a template with a secret in it failed".to_owned())
            }
            Stop::Bound(message) | Stop::Failed(message) => {
                Failure::expression(format!("the template failed: {message}"))
            }
        };
        let bound = bind::bound(self.reads, body, exchange).map_err(failed)?;
        render::render(&self.block, bound).map_err(failed)
    }
}

impl From<Thrown> for Stop {
    fn from(thrown: Thrown) -> Self {
        Self::Failed(thrown.message)
    }
}

/// The text would be longer than it may be.
fn too_long() -> Stop {
    Stop::Bound(format!("a text may be at most {OUTPUT_BYTES_MAX} bytes long"))
}
