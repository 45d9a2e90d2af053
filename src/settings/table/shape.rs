//! One row of the table: a setting, and its name in three spellings.

use crate::settings::Settings;
use crate::settings::value::Expected;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name as the settings file has it, with dots for nesting.
    pub name: &'static str,
    /// Its value if nothing else is written.
    pub default: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Reads a value into the settings, or says what was expected.
    pub(in crate::settings) set: fn(&mut Settings, &str) -> Result<(), Expected>,
}

impl Row {
    /// Reads `value` into `settings`, or says what was expected.
    pub fn accepts(&self, settings: &mut Settings, value: &str) -> Result<(), Expected> {
        (self.set)(settings, value)
    }

    /// Its variable in the environment: `WEIR_LISTEN_HTTP`.
    pub fn variable(&self) -> String {
        format!("WEIR_{}", self.flag().replace('-', "_").to_ascii_uppercase())
    }

    /// Its flag on the command line, without dashes in front: `listen-http`.
    pub fn flag(&self) -> String {
        let mut flag = String::new();
        for character in self.name.chars() {
            match character {
                '.' => flag.push('-'),
                upper if upper.is_ascii_uppercase() => {
                    flag.push('-');
                    flag.push(upper.to_ascii_lowercase());
                }
                other => flag.push(other),
            }
        }
        flag
    }
}
