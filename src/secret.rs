//! A text that does not print.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// A text that does not print: `Debug` and `Display` say `[secret]`. Clones share one copy, which
/// is overwritten when the last one goes.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Arc<Cleared>);

#[derive(Eq, PartialEq)]
struct Cleared(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Cleared(text.into())))
    }

    /// The text. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Drop for Cleared {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // Without this the compiler may see that nobody reads the zeros and leave them out.
        black_box(&bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
