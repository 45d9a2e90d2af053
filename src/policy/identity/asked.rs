//! What a policy asks to show who the gateway is: a token, of whom and for what.

use std::sync::Arc;

pub use crate::backend::principal::Asked;
use crate::policy::Failure;
use crate::problem::Problem;
use crate::secret::Secret;

/// Why there is no token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ungot {
    /// A machine-readable word.
    pub reason: &'static str,
    /// A sentence for people, without anything secret.
    pub message: Arc<str>,
}

/// A token that was got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// As it is shown to a service.
    pub text: Secret,
    /// What else whoever gave it said, as a JSON object without the tokens to come.
    pub claims: Secret,
}

/// What comes of a question.
pub type Answer = Result<Token, Ungot>;

impl Token {
    /// One of which nothing more is known.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: Secret::new(text), claims: Secret::new("{}") }
    }
}

impl Ungot {
    /// Nobody is known who could get it.
    pub const NOBODY: &'static str = "IdentityNotFound";
    /// The configuration has no such authorization.
    pub const UNKNOWN: &'static str = "AuthorizationNotFound";
    /// Whoever gives tokens gave none.
    pub const REFUSED: &'static str = "TokenNotObtained";
}

impl From<Ungot> for Failure {
    fn from(ungot: Ungot) -> Self {
        let Ungot { reason, message } = ungot;
        let problem = Problem::failed("identity_token_missing");
        Self { source: None, reason, message: message.to_string(), problem }
    }
}
