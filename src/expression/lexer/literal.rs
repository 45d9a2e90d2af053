//! Numbers, characters and the escapes in strings.

use super::{Lexer, Literal, TokenKind, Unit, starts_word};

impl Lexer<'_, '_> {
    /// The next character of a string that began at `start`.
    pub(super) fn string_unit(&mut self, start: usize, verbatim: bool) -> Unit {
        let at = self.at;
        match self.bump() {
            Some('"') if verbatim && self.peek() == Some('"') => {
                self.bump();
                Unit::Char('"')
            }
            Some('"') => Unit::Quote,
            Some('\n' | '\r') if !verbatim => {
                self.never_ends(start, at);
                Unit::Ended
            }
            Some('\\') if !verbatim => Unit::Char(self.escape()),
            Some(unit) => Unit::Char(unit),
            None => {
                self.never_ends(start, at);
                Unit::Ended
            }
        }
    }

    fn never_ends(&mut self, start: usize, at: usize) {
        self.wrong(
            start..at,
            "this string never ends",
            Some("close it with `\"` on the same line"),
        );
    }

    /// What follows a backslash. Units that are half of a pair are read with their other half.
    fn escape(&mut self) -> char {
        let start = self.at.saturating_sub(1);
        let unit = match self.bump() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some(same @ ('\\' | '"' | '\'')) => same,
            Some('u') => self.utf16_escape(),
            Some('U') => self.hex(8, 8).and_then(char::from_u32).unwrap_or('\u{fffd}'),
            Some('x') => self.hex(1, 4).and_then(char::from_u32).unwrap_or('\u{fffd}'),
            Some(_) | None => {
                let remedy = Some("double the backslash, or write a verbatim string @\"…\"");
                self.wrong(start..self.at, "this escape is not known", remedy);
                '\u{fffd}'
            }
        };
        if unit == '\u{fffd}' && self.text.get(start..self.at).is_some_and(|t| t.len() < 3) {
            let remedy = Some("write four hexadecimal digits");
            self.wrong(start..self.at, "this escape has no digits", remedy);
        }
        unit
    }

    /// `\uD83D\uDE00`: four digits, and four more where the first are half of a pair.
    fn utf16_escape(&mut self) -> char {
        let Some(first) = self.hex(4, 4).and_then(|unit| u16::try_from(unit).ok()) else {
            return '\u{fffd}';
        };
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.eat("\\u") {
            units.extend(self.hex(4, 4).and_then(|unit| u16::try_from(unit).ok()));
        }
        let decoded = char::decode_utf16(units).next();
        decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.rest().bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
        let text = self.rest().get(..digits).unwrap_or("");
        let value = u32::from_str_radix(text, 16).ok().filter(|_| digits >= least);
        self.at = self.at.saturating_add(digits);
        value
    }

    /// `'x'`. Documents also put whole words in single quotes, because the attribute around the
    /// expression uses the double ones; such a word is a string.
    pub(super) fn char_token(&mut self) -> TokenKind {
        let start = self.at;
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump() {
                Some('\'') => break,
                Some('\\') => value.push(self.escape()),
                Some(unit) if unit != '\n' && unit != '\r' => value.push(unit),
                Some(_) | None => {
                    let remedy = Some("close it with `'`");
                    self.wrong(start..self.at, "this character never ends", remedy);
                    break;
                }
            }
        }
        let mut characters = value.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => TokenKind::Literal(Literal::Char(character)),
            (None, _) => {
                let remedy = Some("write one character between the quotes");
                self.wrong(start..self.at, "an empty character", remedy);
                TokenKind::Literal(Literal::Char('\0'))
            }
            (Some(_), Some(_)) => TokenKind::Literal(Literal::String(value.into_boxed_str())),
        }
    }

    pub(super) fn number_token(&mut self) -> TokenKind {
        let start = self.at;
        let radix = if self.eat("0x") || self.eat("0X") {
            16
        } else if self.eat("0b") || self.eat("0B") {
            2
        } else {
            10
        };
        let digits_start = self.at;
        self.digits(radix);
        let mut fraction = false;
        if radix == 10 {
            fraction = self.fraction();
        }
        let written = self.text.get(digits_start..self.at).unwrap_or("");
        let digits: String = written.chars().filter(|c| *c != '_').collect();
        let suffix_start = self.at;
        while self.peek().is_some_and(|c| starts_word(c) || c.is_ascii_digit()) {
            self.bump();
        }
        let suffix = self.text.get(suffix_start..self.at).unwrap_or("").to_ascii_lowercase();
        let literal = number(&digits, radix, fraction, &suffix);
        TokenKind::Literal(literal.unwrap_or_else(|| {
            let message = "this is not a number that fits any type";
            self.wrong(start..self.at, message, Some("suffixes are L, U, UL, D, F and M"));
            Literal::Int(0)
        }))
    }

    fn digits(&mut self, radix: u32) {
        while self.peek().is_some_and(|c| c.is_digit(radix) || c == '_') {
            self.bump();
        }
    }

    /// Reads `.5` and `e+10`; whether either was there.
    fn fraction(&mut self) -> bool {
        let mut found = false;
        if self.starts_fraction() {
            self.bump();
            self.digits(10);
            found = true;
        }
        let mut ahead = self.rest().chars();
        let exponent = matches!(ahead.next(), Some('e' | 'E'));
        let sign_or_digit = ahead.next();
        let signed = matches!(sign_or_digit, Some('+' | '-'));
        let digit = if signed { ahead.next() } else { sign_or_digit };
        if exponent && digit.is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
            self.bump();
            self.digits(10);
            found = true;
        }
        found
    }
}

/// The smallest type that holds the number, as C# chooses it.
fn number(digits: &str, radix: u32, fraction: bool, suffix: &str) -> Option<Literal> {
    match suffix {
        "m" if radix == 10 => return Some(Literal::Decimal(Box::from(digits))),
        "d" if radix == 10 => return digits.parse().ok().map(Literal::Double),
        "f" if radix == 10 => return digits.parse().ok().map(Literal::Float),
        "" if fraction => return digits.parse().ok().map(Literal::Double),
        _ if fraction => return None,
        _ => {}
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    let int = i32::try_from(value).ok().map(Literal::Int);
    let uint = u32::try_from(value).ok().map(Literal::UInt);
    let long = i64::try_from(value).ok().map(Literal::Long);
    let ulong = Some(Literal::ULong(value));
    match suffix {
        "" => int.or(uint).or(long).or(ulong),
        "u" => uint.or(ulong),
        "l" => long.or(ulong),
        "ul" | "lu" => ulong,
        _ => None,
    }
}
