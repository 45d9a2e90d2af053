//! Regular expressions and what they match.

use std::sync::Arc;

use regex::Regex;

/// `System.Text.RegularExpressions.Regex`.
#[derive(Debug)]
pub struct Pattern {
    /// The pattern as the policy has it.
    pub source: Arc<str>,
    /// The pattern that is run.
    pub regex: Regex,
}

/// `System.Text.RegularExpressions.Match`.
#[derive(Debug)]
pub struct Match {
    /// The whole match, then the groups; numbered ones before named ones, as .NET counts.
    pub groups: Vec<Arc<Group>>,
    /// The pattern and the text, where the next match can be asked for.
    pub origin: Option<Arc<(Arc<Pattern>, Arc<str>)>>,
}

/// `System.Text.RegularExpressions.Group`; also a `Capture`.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// `Name`: its number if it has no name.
    pub name: Arc<str>,
    /// `Success`.
    pub success: bool,
    /// `Value`: empty without success.
    pub value: Arc<str>,
    /// `Index`, in UTF-16 units.
    pub index: i32,
    /// `Length`, in UTF-16 units.
    pub length: i32,
}

impl Match {
    /// What a search without a result gives: `Match.Empty`.
    pub fn empty() -> Self {
        Self {
            groups: vec![Arc::new(Group { name: Arc::from("0"), ..Group::default() })],
            origin: None,
        }
    }

    /// The same, with what the next match is found by.
    #[must_use]
    pub fn of(mut self, pattern: &Arc<Pattern>, text: &Arc<str>) -> Self {
        self.origin = Some(Arc::new((Arc::clone(pattern), Arc::clone(text))));
        self
    }

    /// The whole match.
    pub fn whole(&self) -> Arc<Group> {
        self.groups.first().cloned().unwrap_or_default()
    }

    /// `Groups[number]`; a group that does not exist had no success.
    pub fn group(&self, number: i32) -> Arc<Group> {
        let index = usize::try_from(number).ok();
        index.and_then(|index| self.groups.get(index)).cloned().unwrap_or_default()
    }

    /// `Groups[name]`; a group that does not exist had no success.
    pub fn group_named(&self, name: &str) -> Arc<Group> {
        self.groups.iter().find(|group| &*group.name == name).cloned().unwrap_or_default()
    }
}
