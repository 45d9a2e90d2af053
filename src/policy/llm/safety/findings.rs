//! What the service says that judges texts. What it does not say is not taken for harmless.

use crate::llm::json::{Key, Path, Scan, Sink};
use crate::policy::Failure;
use crate::policy::llm::safety::{Harm, Rules, refused, unavailable};

/// The longest name of a kind of harm, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// The most kinds of harm in one answer.
const HARMS_MAX: usize = 32;

/// What the service says.
#[derive(Debug, Default)]
pub(super) struct Findings {
    attacks: Option<bool>,
    /// Whether a blocklist names something.
    hits: bool,
    analyzes: bool,
    harms: Vec<(Vec<u8>, Option<u64>)>,
}

impl Findings {
    pub(super) fn of(body: &[u8]) -> Self {
        let mut findings = Self::default();
        let mut scan = Scan::default();
        scan.feed(body, &mut findings);
        scan.end(&mut findings);
        findings
    }

    /// Whether no attack was found.
    pub(super) fn shielded(&self) -> Result<(), Failure> {
        match self.attacks {
            Some(false) => Ok(()),
            Some(true) => Err(refused("an attack was found")),
            None => Err(unavailable("it did not say whether there is an attack")),
        }
    }

    /// Whether what was found may pass.
    pub(super) fn judged(&self, rules: &Rules) -> Result<(), Failure> {
        if self.hits {
            return Err(refused("a blocklist names something in it"));
        }
        if !self.analyzes {
            return Err(unavailable("it did not say what it found"));
        }
        for (Harm(harm), threshold) in &rules.thresholds {
            let mut named =
                self.harms.iter().filter(|(name, _)| name.eq_ignore_ascii_case(harm.as_bytes()));
            match named.find_map(|(_, severity)| *severity) {
                Some(severity) if severity < *threshold => (),
                Some(severity) => {
                    return Err(refused(&format!("{harm} of severity {severity} was found")));
                }
                None => {
                    return Err(unavailable(&format!("it did not say how severe {harm} is")));
                }
            }
        }
        Ok(())
    }
}

impl Sink for Findings {
    fn enter(&mut self, path: &Path<'_>, is_list: bool) {
        match (path.key(), is_list) {
            (Key::CategoriesAnalysis, true) => self.analyzes = true,
            (Key::CategoriesAnalysis, false) if self.harms.len() < HARMS_MAX => {
                self.harms.push((Vec::new(), None));
            }
            (Key::BlocklistsMatch, false) => self.hits = true,
            _ => (),
        }
    }

    fn named(&mut self, _path: &Path<'_>) {}

    fn text(&mut self, path: &Path<'_>, bytes: &[u8]) {
        let is_name = (path.key(), path.parent()) == (Key::Category, Key::CategoriesAnalysis);
        if let Some((name, _)) = self.harms.last_mut().filter(|_| is_name) {
            let room = NAME_BYTES_MAX.saturating_sub(name.len()).min(bytes.len());
            name.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    fn text_end(&mut self, _path: &Path<'_>) {}

    fn number(&mut self, path: &Path<'_>, number: u64) {
        let is_severity = (path.key(), path.parent()) == (Key::Severity, Key::CategoriesAnalysis);
        if let Some((_, severity)) = self.harms.last_mut().filter(|_| is_severity) {
            *severity = Some(severity.unwrap_or(0).max(number));
        }
    }

    fn truth(&mut self, path: &Path<'_>, is_true: bool) {
        if path.key() == Key::AttackDetected {
            self.attacks = Some(is_true || self.attacks == Some(true));
        }
    }
}
