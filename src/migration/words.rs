//! Command lines as a shell reads them: words with their places. Nothing is ever run or expanded.

use std::ops::Range;

/// One word of a command.
#[derive(Clone, Debug)]
pub struct Word {
    /// What the command would get; variables stay as they are written.
    pub text: String,
    /// Where it stands, with its quotes.
    pub range: Range<usize>,
}

/// The commands of a script, each its words.
pub fn commands(text: &str) -> Vec<Vec<Word>> {
    let mut reader = Reader { text, at: 0, words: Vec::new(), commands: Vec::new() };
    while reader.step() {}
    reader.end();
    reader.commands
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    words: Vec<Word>,
    commands: Vec<Vec<Word>>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Ends the command that is read.
    fn end(&mut self) {
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }

    /// Goes on by a piece; whether there is more.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return false };
        match first {
            '\\' if rest.starts_with("\\\n") => self.at += 2,
            '\\' if rest.starts_with("\\\r\n") => self.at += 3,
            '\n' | ';' | '|' | '&' => {
                self.end();
                self.at += 1;
            }
            '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
            space if space.is_whitespace() => self.at += space.len_utf8(),
            _ => self.word(),
        }
        true
    }

    fn word(&mut self) {
        let start = self.at;
        let mut text = String::new();
        let mut quote = None;
        while let Some(next) = self.rest().chars().next() {
            match (quote, next) {
                (None, '\n' | ';' | '|' | '&') => break,
                (None, space) if space.is_whitespace() => break,
                (None, '"' | '\'') => quote = Some(next),
                (Some(open), close) if open == close => quote = None,
                (None | Some('"'), '\\') => {
                    let is_end = ["\\\n", "\\\r\n"].iter().any(|end| self.rest().starts_with(end));
                    if is_end && quote.is_none() {
                        break;
                    }
                    self.at += 1;
                    match self.rest().chars().next() {
                        Some(escaped) => {
                            text.push(escaped);
                            self.at += escaped.len_utf8();
                        }
                        None => break,
                    }
                    continue;
                }
                (_, other) => text.push(other),
            }
            self.at += next.len_utf8();
        }
        self.words.push(Word { text, range: start..self.at });
    }
}

/// A text as a word of a command, which was written as `raw`: what the shell put in goes on to be put in.
pub fn requoted(text: &str, raw: &str) -> String {
    if !text.contains('$') || raw.contains('\'') {
        return quoted(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`");
    format!("\"{escaped}\"")
}

/// A text as a word of a command.
pub fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:=,@%+".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_places() {
        let text = "# a\ndocker run -e \"a b=c\" \\\n  x'y'z\necho $HOME; ls\n";
        let read = commands(text);
        let texts: Vec<Vec<&str>> =
            read.iter().map(|words| words.iter().map(|word| &*word.text).collect()).collect();
        assert_eq!(
            texts,
            [vec!["docker", "run", "-e", "a b=c", "xyz"], vec!["echo", "$HOME"], vec!["ls"]]
        );
        assert_eq!(&text[read[0][3].range.clone()], "\"a b=c\"");
        assert_eq!(quoted("a b's"), "'a b'\\''s'");
        assert_eq!(requoted("$A\"", "\"$A\""), "\"$A\\\"\"");
        assert_eq!(requoted("$A", "'$A'"), "'$A'");
    }
}
