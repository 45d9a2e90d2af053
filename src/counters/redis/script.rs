//! The scripts that Redis runs, as text and by the name under which it remembers them.

use std::fmt::Write as _;

use openssl::sha::sha1;

/// One script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Script {
    /// What Redis runs.
    pub text: &'static str,
    /// SHA-1 of the text, in hexadecimal digits.
    pub hash: String,
}

/// All scripts. `limit::seller` has the same arithmetic, by the same names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scripts {
    /// A beat.
    pub members: Script,
    /// A fixed window.
    pub fixed: Script,
    /// A sliding window.
    pub ring: Script,
    /// A token bucket.
    pub bucket: Script,
    /// Quotas.
    pub ledger: Script,
    /// Witness of fixed windows.
    pub raise: Script,
    /// Permits of concurrency.
    pub permits: Script,
}

impl Script {
    /// The script of `text`.
    pub fn new(text: &'static str) -> Self {
        let hash = sha1(text.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        Self { text, hash }
    }
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            members: Script::new(include_str!("members.lua")),
            fixed: Script::new(concat!(include_str!("fixed.lua"), include_str!("each.lua"))),
            ring: Script::new(concat!(include_str!("ring.lua"), include_str!("each.lua"))),
            bucket: Script::new(concat!(include_str!("bucket.lua"), include_str!("each.lua"))),
            ledger: Script::new(include_str!("ledger.lua")),
            raise: Script::new(include_str!("raise.lua")),
            permits: Script::new(concat!(include_str!("permits.lua"), include_str!("each.lua"))),
        }
    }
}

impl Scripts {
    /// All of them.
    pub fn all(&self) -> [&Script; 7] {
        let Self { members, fixed, ring, bucket, ledger, raise, permits } = self;
        [members, fixed, ring, bucket, ledger, raise, permits]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_the_hash_of_its_text() {
        assert_eq!(Script::new("return 1").hash, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
