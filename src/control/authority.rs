//! Who may ask for a configuration.

pub mod keys;

use std::sync::Arc;

use crate::time::Timestamp;

/// The longest credential, in bytes.
pub const CREDENTIAL_BYTES_MAX: usize = 8 << 10;

/// Knows who a credential is.
pub trait Authority: Send + Sync + 'static {
    /// Who shows `credential`, the text of the metadata `authorization`. How long this takes says
    /// nothing about how nearly a wrong one is right.
    fn bearer(&self, credential: &str, now: Timestamp) -> Result<Bearer, Refused>;
}

/// Who shows a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bearer {
    /// The gateway.
    pub gateway: Arc<str>,
    /// When the credential expires.
    pub until: Timestamp,
    /// What tells the credential from others, and is no secret.
    pub id: Arc<str>,
}

/// Why a credential is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is nobody's.
    #[error("this is no credential of a gateway that is known here")]
    Wrong,
    /// It was right, and is not any more.
    #[error("this credential cannot be used any more: {0}")]
    Over(String),
}
