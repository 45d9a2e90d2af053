//! One file in work: its text, what shall change in it, and what is said about it.

use std::ops::Range;
use std::sync::Arc;

use super::edit::Edits;
use super::finding::{Finding, Level};
use super::setting::{Verdict, judge};
use super::{Input, Options};
use crate::fault::Place;

/// One file in work.
pub struct Work<'i> {
    /// As the person named it.
    pub file: Arc<str>,
    /// What is written.
    pub text: &'i str,
    /// What is asked for.
    pub options: &'i Options,
    /// What shall change.
    pub edits: Edits,
    /// What is said.
    pub findings: Vec<Finding>,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

impl<'i> Work<'i> {
    /// Nothing is changed yet.
    pub fn on(input: &'i Input, options: &'i Options) -> Self {
        let text = input.text.as_str();
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self {
            file: Arc::clone(&input.name),
            text,
            options,
            edits: Edits::default(),
            findings: Vec::new(),
            lines,
        }
    }

    /// Where line `line` (from 0) begins; the end of the text for those behind it.
    pub fn line(&self, line: usize) -> usize {
        self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Line `line` (from 0) with its end.
    pub fn text_of(&self, line: usize) -> &'i str {
        self.text.get(self.line(line)..self.line(line + 1)).unwrap_or_default()
    }

    /// The place of a byte.
    pub fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|begin| *begin <= offset).saturating_sub(1);
        let before = self.text.get(self.line(line)..offset).unwrap_or_default();
        let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);
        Place {
            file: Arc::clone(&self.file),
            line: narrow(line + 1),
            column: narrow(before.chars().count() + 1),
        }
    }

    /// Says what became of `what`, which stands at byte `at`.
    pub fn say(&mut self, level: Level, at: usize, what: &str, message: impl Into<String>) {
        self.findings.push(Finding::of(level, self.place(at), what, message));
    }

    /// The same, with what to do.
    pub fn advise(&mut self, level: Level, at: usize, what: &str, said: (&str, &str)) {
        let (message, remedy) = said;
        self.findings.push(Finding::of(level, self.place(at), what, message).mend(remedy));
    }

    /// Does with a setting what is to be done: its name stands at `name`, its value at `value` (or
    /// somewhere else), and all of it at `whole`.
    pub fn setting(&mut self, what: &str, known: (&str, Option<&str>), spot: &Spot) {
        let (name, value) = known;
        let at = spot.name.start;
        match judge(name, value, self.options.around) {
            Verdict::Carried(why) => self.say(Level::Carried, at, what, why),
            Verdict::Becomes(row, new) => {
                self.edits.replace(spot.name.clone(), row.variable());
                match (&spot.value, &new) {
                    (Some(range), Some(new)) if value != Some(new) => {
                        self.edits.replace(range.clone(), new.as_str());
                    }
                    _ => {}
                }
                let message = format!("now {}", row.variable());
                self.say(Level::Changed, at, what, message);
            }
            Verdict::Goes(why, remedy) => {
                self.edits.remove(spot.whole.clone());
                self.comment_above(spot.whole.start, what);
                let finding = Finding::of(Level::Dropped, self.place(at), what, why);
                self.findings.push(match remedy {
                    Some(remedy) => finding.mend(remedy),
                    None => finding,
                });
            }
            Verdict::Stays(why, remedy) => {
                self.advise(Level::Refused, at, what, (&why, &remedy));
            }
        }
    }

    /// Does with a setting whose value comes from outside of the file what is to be done: what means
    /// something keeps its name, because whoever sets it outside calls it so, too.
    pub fn outside(&mut self, what: &str, name: &str, spot: &Spot) {
        match judge(name, None, self.options.around) {
            Verdict::Becomes(row, _) => {
                let message = format!(
                    "its value comes from outside of this file, under this name, which Weir takes for {}",
                    row.variable()
                );
                self.say(Level::Carried, spot.name.start, what, message);
            }
            Verdict::Carried(_) => {
                let message = "it is no setting of the gateway, and its value comes from outside";
                self.say(Level::Carried, spot.name.start, what, message);
            }
            Verdict::Goes(..) | Verdict::Stays(..) => self.setting(what, (name, None), spot),
        }
    }

    /// Says of a comment above what goes that it stays: nobody can see here what else it is about.
    pub fn comment_above(&mut self, begin: usize, what: &str) {
        let line = self.lines.partition_point(|start| *start <= begin).saturating_sub(1);
        let Some(above) = line.checked_sub(1) else { return };
        let text = self.text_of(above);
        if self.line(line) == begin && text.trim_start().starts_with('#') {
            let at = self.line(above) + (text.len() - text.trim_start().len());
            let message = format!("the comment above {what}, which goes, stays");
            let said = (message.as_str(), "remove it, if it is about nothing else");
            self.advise(Level::Note, at, "comment", said);
        }
    }

    /// Says of a setting that stands in one line with others that it stays, and what to do about that
    /// if it should not.
    pub fn stays(&mut self, what: &str, (name, value): (&str, Option<&str>), at: usize) {
        if let Verdict::Carried(why) = judge(name, value, self.options.around) {
            self.say(Level::Carried, at, what, why);
        } else {
            let said = ("it stands in one line with others", "write each on lines of its own");
            self.advise(Level::Refused, at, what, said);
        }
    }

    /// Whether a setting goes.
    pub fn goes(&self, name: &str, value: Option<&str>) -> bool {
        matches!(judge(name, value, self.options.around), Verdict::Goes(..))
    }
}

/// Where a setting stands, in bytes.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Its name.
    pub name: Range<usize>,
    /// Its value, if that is written here.
    pub value: Option<Range<usize>>,
    /// All that goes with it.
    pub whole: Range<usize>,
}
