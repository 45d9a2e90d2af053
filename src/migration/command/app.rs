//! Apps of Container Apps on command lines: `az containerapp create`, `update` and `up`.

use std::ops::Range;

use super::Command;
use crate::migration::container::is_gateway;
use crate::migration::env::pair;
use crate::migration::finding::Level;

impl Command<'_, '_> {
    /// `az containerapp`.
    pub(super) fn app(&mut self) {
        let mut images =
            (0..self.words.len()).filter_map(|nth| Some(self.option(nth, &["--image", "-i"])?.0));
        if images
            .next()
            .is_some_and(|image| !is_gateway(&image) && image != self.work.options.image)
        {
            self.unnamed();
            return;
        }
        let mut nth = 0;
        while nth < self.words.len() {
            if let Some((value, words)) = self.option(nth, &["--image", "-i"]) {
                self.app_image(&value, &words);
                nth = words.end;
                continue;
            }
            if let Some((value, words)) = self.option(nth, &["--yaml"]) {
                let at = self.range(words.start).start;
                let said = ("the file has settings, too", "give it to `weir migrate` as well");
                self.work.advise(Level::Note, at, &value, said);
                self.tell(words.clone());
                nth = words.end;
                continue;
            }
            let flags = ["--env-vars", "--set-env-vars", "--replace-env-vars"];
            if flags.contains(&self.text(nth)) {
                nth = self.app_variables(nth);
            } else {
                nth += 1;
            }
        }
    }

    /// The variables behind a flag; the word behind them.
    fn app_variables(&mut self, nth: usize) -> usize {
        let end = self.behind(nth + 1);
        let goes = |text: &str| pair(text).is_some_and(|(name, value)| self.goes(name, value));
        let all_go = (nth + 1..end).all(|word| goes(self.text(word)));
        for word in nth + 1..end {
            let text = self.text(word).to_owned();
            self.variable(&text, word..word + 1, false);
        }
        if all_go {
            self.work.edits.remove(self.whole(&(nth..nth + 1)));
        }
        self.tell(nth..nth + 1);
        end
    }

    fn app_image(&mut self, value: &str, words: &Range<usize>) {
        let Some(found) = self.find(words, value).filter(|_| is_gateway(value)) else { return };
        let mut new = self.work.options.image.clone();
        let at = found.start;
        let mut said = (
            "Weir reads its configuration from a folder",
            "mount it at /etc/weir/configuration (a volume of an app is written in YAML)",
        );
        let own = ["--args", "--command"];
        let other = (0..self.words.len())
            .find(|nth| own.iter().any(|flag| self.text(*nth).split('=').next() == Some(*flag)));
        let can_have = self.words.iter().all(|word| word.text != "up");
        match other {
            Some(nth) => {
                let (at, name) = (self.range(nth).start, self.text(nth).to_owned());
                let said = ("it is for another program", "remove it, and write `--args run`");
                self.work.advise(Level::Refused, at, &name, said);
                self.tell(nth..nth + 1);
            }
            None if can_have => new += " --args run",
            // `up` has no flag for that.
            None => said.1 = "mount it at /etc/weir/configuration, and give the argument `run`",
        }
        // In quotes nothing can be added behind the name.
        let is_bare =
            self.work.text.get(found.end..).is_some_and(|rest| !rest.starts_with(['"', '\'']));
        if !is_bare {
            new.clone_from(&self.work.options.image);
            said.1 = "mount it at /etc/weir/configuration, and give the argument `run`";
        }
        self.work.edits.replace(found, new.as_str());
        self.work.say(Level::Changed, at, value, format!("now {new}"));
        self.work.advise(Level::Note, at, "configuration", said);
        self.tell(words.clone());
    }
}
