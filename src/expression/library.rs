//! The .NET library as far as policy documents use it: one function for one member.
//!
//! Nothing here knows a member by its name: the evaluator's table does. Nothing here asks what
//! time it is or draws a random number: both come as arguments. Strings are UTF-8 inside, but
//! positions and lengths count UTF-16 units, as C# counts them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a member does not take is refused alike for the forty other kinds of value"
)]

pub mod number;
pub mod moment;
pub mod display;
pub mod text;
pub mod operators;
pub mod convert;
pub mod math;
pub mod guid;
pub mod json;
pub mod sequence;
pub mod collections;
pub mod message;
pub mod token;
pub mod encoding;
pub mod certificate;
pub mod crypto;
pub mod web;
pub mod pattern;
pub mod xml;
