//! Scripts that deploy a gateway: `docker run`, `helm`, `az containerapp`, and `az k8s-extension`
//! with the settings of Arc.

mod app;
mod release;

use std::ops::Range;

use super::container::{BACKUP, COPIES, FOLDER, NAME_KEY, NEEDS_TLS, NO_PEERS, PEERS, is_gateway};
use super::env::pair;
use super::finding::Level;
use super::words::{Word, commands, quoted};
use super::work::{Spot, Work};

/// Flags of `docker run` of one letter that have no value.
const SWITCHES: [char; 5] = ['d', 'i', 't', 'P', 'q'];
/// Words of shells, and programs that run others.
const LEADING: [&str; 13] = [
    "sudo", "if", "!", "while", "until", "then", "do", "else", "elif", "exec", "time", "env",
    "command",
];
/// What a value of Container Apps begins with that stands in a secret.
const SECRET: &str = "secretref:";

/// Whether a script deploys anything.
pub fn is_commands(text: &str) -> bool {
    commands(text).iter().any(|words| tool(words).is_some())
}

#[derive(Clone, Copy)]
enum Tool {
    Run,
    Helm,
    App,
    Arc,
}

fn tool(words: &[Word]) -> Option<Tool> {
    let mut words = words.iter().map(|word| word.text.as_str()).skip_while(|word| leads(word));
    match (words.next()?, words.next()?, words.next()) {
        ("docker" | "podman" | "nerdctl", "run" | "create", _)
        | ("docker" | "podman", "container", Some("run" | "create")) => Some(Tool::Run),
        ("helm", "install" | "upgrade" | "template", _) => Some(Tool::Helm),
        ("az", "containerapp", Some("create" | "update" | "up")) => Some(Tool::App),
        ("az", "k8s-extension", Some("create" | "update")) => Some(Tool::Arc),
        _ => None,
    }
}

/// Whether a word is a setting of the gateway, or a flag with one.
fn is_ours(word: &Word) -> bool {
    let text = word.text.strip_prefix("--env=").or_else(|| word.text.strip_prefix("-e"));
    let name = text.unwrap_or(&word.text);
    ["telemetry.", "config.service.", "net.server."].iter().any(|it| name.starts_with(it))
}

/// Whether a word may stand in front of a command, and is none.
fn leads(word: &str) -> bool {
    let is_variable = |name: &str| {
        let mut letters = name.bytes();
        letters.next().is_some_and(|it| it.is_ascii_alphabetic() || it == b'_')
            && letters.all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    LEADING.contains(&word) || word.split_once('=').is_some_and(|(name, _)| is_variable(name))
}

/// Rewrites the commands of a script.
pub fn migrate(work: &mut Work<'_>) {
    for words in commands(work.text) {
        let mut command = Command { work, words: &words, told: vec![false; words.len()] };
        match tool(&words) {
            Some(Tool::Run) => command.run(),
            Some(Tool::Helm) => command.helm(),
            Some(Tool::App) => command.app(),
            Some(Tool::Arc) => command.arc(),
            None => command.other(),
        }
        command.rest();
    }
}

struct Command<'w, 'i> {
    work: &'w mut Work<'i>,
    words: &'w [Word],
    /// Which words something was said about.
    told: Vec<bool>,
}

impl Command<'_, '_> {
    fn text(&self, nth: usize) -> &str {
        self.words.get(nth).map_or("", |word| &word.text)
    }

    fn range(&self, nth: usize) -> Range<usize> {
        self.words.get(nth).map_or(0..0, |word| word.range.clone())
    }

    fn tell(&mut self, words: Range<usize>) {
        for told in self.told.iter_mut().take(words.end).skip(words.start) {
            *told = true;
        }
    }

    /// Words with all that stands between them and the word before.
    fn whole(&self, words: &Range<usize>) -> Range<usize> {
        let begin = words.start.checked_sub(1).map_or(0, |before| self.range(before).end);
        begin..self.range(words.end.saturating_sub(1)).end
    }

    /// Says of every word that nothing was said about that it goes on as it is.
    fn rest(&mut self) {
        for nth in 0..self.words.len() {
            if self.told.get(nth) == Some(&false) {
                let (at, text) = (self.range(nth).start, self.text(nth).to_owned());
                self.work.say(Level::Carried, at, &text, "it goes on as it is");
            }
        }
    }

    /// The value of an option of one of these names at word `nth`, and the words it takes; with where
    /// in the file the value begins, if it is written without quotes.
    fn option(&self, nth: usize, names: &[&str]) -> Option<(String, Range<usize>)> {
        let word = self.text(nth);
        if names.contains(&word) {
            return Some((self.words.get(nth + 1)?.text.clone(), nth..nth + 2));
        }
        names.iter().find_map(|name| {
            let rest = word.strip_prefix(name)?;
            let value = match rest.strip_prefix('=') {
                Some(value) => value,
                // `-eNAME=value`: a flag of one letter may have its value right behind it.
                None if name.len() == 2 && !rest.is_empty() => rest,
                None => return None,
            };
            Some((value.to_owned(), nth..nth + 1))
        })
    }

    /// How many bytes of a word stand before the value of an option that it also names.
    fn before_value(&self, words: &Range<usize>) -> usize {
        let word = self.text(words.start);
        if 1 < words.end - words.start || !word.starts_with('-') {
            0
        } else if word.starts_with("--") {
            word.find('=').map_or(0, |at| at + 1)
        } else {
            2
        }
    }

    /// A command that deploys nothing, but may name the image.
    fn other(&mut self) {
        if self.words.iter().any(is_ours) {
            let at = self.range(0).start;
            let said = (
                "it has settings of the gateway, and nobody can see here what runs them",
                "write `docker run`, `helm` or `az` as a command of its own, and migrate it again",
            );
            let name = self.text(0).to_owned();
            self.work.advise(Level::Refused, at, &name, said);
            self.tell(0..self.words.len());
            return;
        }
        for nth in 0..self.words.len() {
            let name = self.text(nth).to_owned();
            if is_gateway(&name) {
                let (mut range, new) = (self.range(nth), self.work.options.image.clone());
                let raw = self.work.text.get(range.clone()).unwrap_or_default();
                // `IMAGE=…` stays what it is.
                if let Some((name, _image)) = raw.split_once('=') {
                    range.start += name.len() + 1;
                }
                let at = range.start;
                self.work.edits.replace(range, quoted(&new));
                self.work.say(Level::Changed, at, &name, format!("now {new}"));
            }
        }
        let at = self.range(0).start;
        let name = self.text(0).to_owned();
        self.tell(0..self.words.len());
        self.work.say(Level::Carried, at, &name, "it deploys no gateway");
    }

    fn run(&mut self) {
        let image = self.words.iter().position(|word| is_gateway(&word.text));
        let Some(image) = image else {
            self.unnamed();
            return;
        };
        let mut nth = 0;
        while nth < image {
            nth = self.run_option(nth).max(nth + 1);
        }
        let range = self.range(image);
        let new = self.work.options.image.clone();
        let mut text = format!("-v \"$PWD/configuration:{FOLDER}:ro\" {}", quoted(&new));
        if image + 1 == self.words.len() {
            text += " run";
        } else {
            let at = self.range(image + 1).start;
            let said = ("what follows the image is for another program", "write `run` instead");
            self.work.advise(Level::Refused, at, "arguments", said);
        }
        let at = range.start;
        self.work.edits.replace(range, text);
        let name = self.text(image).to_owned();
        let said = format!("now {new}, with its configuration from ./configuration");
        let make = "make it: weir import apiops … --out configuration";
        self.work.advise(Level::Changed, at, &name, (&said, make));
        self.tell(image..self.words.len());
    }

    /// Nobody can see which image it is.
    fn unnamed(&mut self) {
        let is_made = |word: &Word| word.text.starts_with('$');
        if self.words.iter().any(is_made) && self.words.iter().any(is_ours) {
            let at = self.range(0).start;
            let said = (
                "the image is put together by the shell, and may be that of the gateway",
                "write the image out, and migrate it again",
            );
            self.work.advise(Level::Refused, at, "image", said);
            self.tell(0..self.words.len());
        }
    }

    /// One option of `docker run`; the word behind it.
    fn run_option(&mut self, nth: usize) -> usize {
        if self.is_cluster(nth) {
            let (at, text) = (self.range(nth).start, self.text(nth).to_owned());
            let said = (
                "several flags stand in one word, one of them with a value",
                "write each by itself",
            );
            self.work.advise(Level::Refused, at, &text, said);
            self.tell(nth..nth + 1);
            return nth + 1;
        }
        if let Some((value, words)) = self.option(nth, &["-e", "--env"]) {
            self.variable(&value, words.clone(), true);
            return words.end;
        }
        if let Some((value, words)) = self.option(nth, &["-p", "--publish", "--expose"]) {
            self.port(&value, words.clone());
            return words.end;
        }
        if let Some((value, words)) = self.option(nth, &["-v", "--volume", "--mount"]) {
            if let Some(found) = value.contains(BACKUP).then(|| self.find(&words, BACKUP)).flatten()
            {
                self.work.edits.replace(found.clone(), COPIES);
                let said = (
                    "now the folder of Weir's sealed copies; API Management's are not read",
                    NAME_KEY,
                );
                self.work.advise(Level::Changed, found.start, &value, said);
                self.tell(words.clone());
            }
            return words.end;
        }
        if let Some((value, words)) = self.option(nth, &["--env-file"]) {
            let at = self.range(words.start).start;
            let said = ("the file has variables, too", "give it to `weir migrate` as well");
            self.work.advise(Level::Note, at, &value, said);
            self.tell(words.clone());
            return words.end;
        }
        nth + 1
    }

    /// Whether a word is made of flags of one letter, of which one has a value that matters here.
    fn is_cluster(&self, nth: usize) -> bool {
        let Some(letters) = self.text(nth).strip_prefix('-') else { return false };
        let rest = letters.trim_start_matches(SWITCHES);
        rest.len() < letters.len() && rest.starts_with(['e', 'p', 'v'])
    }

    /// Where `text` stands in these words, if nothing in it is escaped.
    fn find(&self, words: &Range<usize>, text: &str) -> Option<Range<usize>> {
        let range = self.range(words.end.saturating_sub(1));
        let begin = range.start + self.before_value(words);
        let found = begin + self.work.text.get(begin..range.end)?.find(text)?;
        Some(found..found + text.len())
    }

    fn port(&mut self, value: &str, words: Range<usize>) {
        let at = self.range(words.start).start;
        let inside = value.split('/').next().unwrap_or_default();
        let inside = inside.rsplit(':').next().unwrap_or_default();
        if PEERS.contains(&inside) {
            self.work.edits.remove(self.whole(&words));
            self.work.say(Level::Dropped, at, value, NO_PEERS);
        } else if inside == "8081" {
            self.work.advise(Level::Note, at, value, NEEDS_TLS);
        } else {
            return;
        }
        self.tell(words);
    }

    /// A word `NAME=value`; `has_flag` where a flag of its own stands before it.
    fn variable(&mut self, text: &str, words: Range<usize>, has_flag: bool) {
        self.tell(words.clone());
        let (name, value) = pair(text).map_or((text, None), |(name, value)| (name, Some(value)));
        // What the shell puts in is not known here.
        let has_value = value.is_some();
        let value = value.filter(|value| !value.contains('$') && !value.starts_with(SECRET));
        let last = words.end.saturating_sub(1)..words.end;
        let Some(name_at) = self.find(if has_flag { &words } else { &last }, name) else {
            let at = self.range(words.start).start;
            let said = ("its name is put together by the shell", "write it out");
            self.work.advise(Level::Refused, at, name, said);
            return;
        };
        let whole = self.whole(if has_flag { &words } else { &last });
        let value_at = value.and_then(|value| {
            let begin = name_at.end + 1;
            let range = begin..begin + value.len();
            (self.work.text.get(range.clone()) == Some(value)).then_some(range)
        });
        // A value that shall be another one and cannot be found is left to a person.
        let known = if value.is_some() && value_at.is_none() { None } else { value };
        let spot = Spot { name: name_at, value: value_at, whole };
        if has_value {
            self.work.setting(name, (name, known), &spot);
        } else {
            self.work.outside(name, name, &spot);
        }
    }

    fn goes(&self, name: &str, value: &str) -> bool {
        self.work.goes(name, Some(value))
    }

    /// The first word from `nth` on that is a flag, or the end.
    fn behind(&self, nth: usize) -> usize {
        let rest = self.words.iter().skip(nth);
        nth + rest.take_while(|word| !word.text.starts_with("--")).count()
    }
}
