//! Patterns of .NET in the words of the crate that matches them.

use std::fmt::Write as _;

use super::refused;
use crate::expression::value::thrown::Thrown;

/// How deep classes may be nested.
const CLASSES_MAX: usize = 16;

/// `source` for the crate; `only_named` is `RegexOptions.ExplicitCapture`.
pub(super) fn translate(source: &str, only_named: bool) -> Result<String, Thrown> {
    let mut translator = Translator { source, rest: source, out: String::new(), only_named };
    while let Some(character) = translator.next() {
        match character {
            '\\' => translator.escape(false)?,
            '[' => translator.class(0)?,
            '(' => translator.group()?,
            '{' => translator.brace(),
            '}' => translator.out.push_str("\\}"),
            ']' => translator.out.push_str("\\]"),
            other => translator.out.push(other),
        }
    }
    Ok(translator.out)
}

/// The control character that a letter after a backslash stands for.
pub(super) const fn control(letter: char) -> Option<char> {
    Some(match letter {
        'a' => '\u{7}',
        'e' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        _ => return None,
    })
}

struct Translator<'s> {
    source: &'s str,
    rest: &'s str,
    out: String,
    only_named: bool,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next();
        self.rest = rest.as_str();
        next
    }

    fn skip(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn refuse(&self, why: &str) -> Thrown {
        refused(self.source, why)
    }

    /// What comes after a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), Thrown> {
        let letter = self.next().ok_or_else(|| self.refuse("it ends with a backslash"))?;
        match letter {
            '1'..='9' | 'k' if !in_class => {
                return Err(self.refuse(
                    "a backreference cannot be matched in linear time; repeat the pattern instead",
                ));
            }
            'G' if !in_class => return Err(self.refuse("\\G is not supported here")),
            'Z' if !in_class => self.out.push_str("\\z"),
            'b' if in_class => self.literal('\u{8}'),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P' | 'b' | 'B' | 'A' | 'z' => {
                self.out.push('\\');
                self.out.push(letter);
                if matches!(letter, 'p' | 'P') {
                    self.property()?;
                }
            }
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'c' => {
                let letter = self.next().filter(char::is_ascii_alphabetic);
                let letter = letter.ok_or_else(|| self.refuse("\\c wants a letter"))?;
                let code = u32::from(letter.to_ascii_uppercase()).wrapping_sub(64);
                self.literal(char::from_u32(code).unwrap_or(letter));
            }
            '0' => {
                let digits =
                    self.rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit));
                let (digits, after) = self.rest.split_at(digits.count());
                let code = u32::from_str_radix(digits, 8).unwrap_or(0);
                self.rest = after;
                self.literal(char::from_u32(code).unwrap_or('\0'));
            }
            letter if control(letter).is_some() => {
                self.literal(control(letter).unwrap_or(letter));
            }
            letter if letter.is_alphanumeric() => {
                return Err(self.refuse(&format!("\\{letter} is not known")));
            }
            other => self.literal(other),
        }
        Ok(())
    }

    /// The name of a Unicode category, which goes over as it is.
    fn property(&mut self) -> Result<(), Thrown> {
        let (name, after) = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .ok_or_else(|| self.refuse("\\p wants a name in braces"))?;
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{{{name}}}");
        self.rest = after;
        Ok(())
    }

    fn code(&mut self, digits: usize) -> Result<(), Thrown> {
        let code = self.rest.get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let code = code.ok_or_else(|| self.refuse("hexadecimal digits are missing"))?;
        self.rest = self.rest.get(digits..).unwrap_or_default();
        self.literal(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    /// A character that stands for itself, wherever it is.
    fn literal(&mut self, character: char) {
        if character.is_alphanumeric() {
            self.out.push(character);
        } else {
            let _ = write!(self.out, "\\x{{{:x}}}", u32::from(character));
        }
    }

    /// A class, after its bracket. Within, only `-` between two characters means more than itself,
    /// and `-[` takes the characters of another class away.
    fn class(&mut self, depth: usize) -> Result<(), Thrown> {
        if depth > CLASSES_MAX {
            return Err(self.refuse("its classes are nested too deep"));
        }
        self.out.push('[');
        if self.skip("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let next = self.next().ok_or_else(|| self.refuse("a class has no end"))?;
            match next {
                ']' if !is_first => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '-' if self.skip("[") => {
                    self.out.push_str("--");
                    self.class(depth.saturating_add(1))?;
                }
                '-' if !is_first && !self.rest.starts_with(']') && !self.after_shorthand() => {
                    self.out.push('-');
                }
                other => self.literal(other),
            }
            is_first = false;
        }
    }

    /// Whether `\d` or its like was last, which cannot begin a range.
    fn after_shorthand(&self) -> bool {
        let mut last = self.out.chars().rev();
        let letter = last.next();
        let is_shorthand = matches!(letter, Some('d' | 'D' | 'w' | 'W' | 's' | 'S'));
        is_shorthand && last.next() == Some('\\') && last.next() != Some('\\')
    }

    /// A group, after its parenthesis.
    fn group(&mut self) -> Result<(), Thrown> {
        if !self.rest.starts_with('?') {
            self.out.push_str(if self.only_named { "(?:" } else { "(" });
            return Ok(());
        }
        if self.skip("?#") {
            let (_, after) =
                self.rest.split_once(')').ok_or_else(|| self.refuse("a comment has no end"))?;
            self.rest = after;
            return Ok(());
        }
        let look_around = ["?=", "?!", "?<=", "?<!"];
        if look_around.iter().any(|start| self.rest.starts_with(start)) {
            return Err(self.refuse(
                "look-around cannot be matched in linear time; match more and take a group of it",
            ));
        }
        if self.rest.starts_with("?>") || self.rest.starts_with("?(") {
            return Err(self.refuse("atomic and conditional groups are not supported here"));
        }
        for (start, end) in [("?<", '>'), ("?'", '\''), ("?P<", '>')] {
            if self.skip(start) {
                return self.named(end);
            }
        }
        self.flags()
    }

    fn named(&mut self, end: char) -> Result<(), Thrown> {
        let (name, after) =
            self.rest.split_once(end).ok_or_else(|| self.refuse("a group's name has no end"))?;
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|one| one.is_alphanumeric() || one == '_');
        if !is_name {
            return Err(self.refuse("a group's name is a letter, then letters and digits"));
        }
        let _ = write!(self.out, "(?P<{name}>");
        self.rest = after;
        Ok(())
    }

    /// `(?i)`, `(?i-s:` or `(?:`.
    fn flags(&mut self) -> Result<(), Thrown> {
        self.skip("?");
        let end = self.rest.find([':', ')']).ok_or_else(|| self.refuse("a group has no end"))?;
        let (flags, after) = self.rest.split_at(end);
        if !flags.chars().all(|flag| matches!(flag, 'i' | 'm' | 's' | 'x' | '-')) {
            return Err(self.refuse("a group's options are i, m, s and x here"));
        }
        if flags.is_empty() && after.starts_with(')') {
            return Err(self.refuse("a group has no content"));
        }
        let _ = write!(self.out, "(?{flags}");
        self.out.extend(after.chars().next());
        self.rest = after.get(1..).unwrap_or_default();
        Ok(())
    }

    /// A brace: the start of `{2}`, `{2,}` or `{2,3}`, or a character like any other.
    fn brace(&mut self) {
        let repeat = self.rest.split_once('}').filter(|(inner, _)| {
            let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
            let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
            !least.is_empty() && is_number(least) && is_number(most)
        });
        match repeat {
            Some((inner, after)) => {
                let _ = write!(self.out, "{{{inner}}}");
                self.rest = after;
            }
            None => self.out.push_str("\\{"),
        }
    }
}
