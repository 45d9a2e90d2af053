//! Text → tokens, each with its place; strings are decoded here.

mod literal;

use std::ops::Range;

use super::Wrong;

/// The longest expression that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep one interpolated string may lie in another.
const INTERPOLATIONS_DEEP_MAX: usize = 8;

/// A token and the bytes it covers.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word(Box<str>),
    /// An operator or a bracket, from [`SYMBOLS`].
    Symbol(&'static str),
    /// A literal other than an interpolated string.
    Literal(Literal),
    /// `$"…"`.
    Interpolated(Vec<Piece>),
    /// After the last token.
    End,
}

/// A literal's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Int(i32),
    UInt(u32),
    Long(i64),
    ULong(u64),
    Double(f64),
    Float(f32),
    /// The digits as written, without suffix.
    Decimal(Box<str>),
    Char(char),
    String(Box<str>),
}

/// A piece of an interpolated string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text as it prints.
    Text(Box<str>),
    /// `{expression,alignment:format}`.
    Hole {
        /// The expression's tokens, ending in `End`.
        tokens: Vec<Token>,
        /// The alignment's tokens, ending in `End`; empty if there is none.
        alignment: Vec<Token>,
        /// What follows the colon.
        format: Option<Box<str>>,
    },
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Every symbol, longer ones before their prefixes. `>` is always one token, so that `>>` can end
/// two lists of type arguments; the parser joins neighbours into shifts.
const SYMBOLS: [&str; 50] = [
    "<<=", "??=", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "++", "--", "<<", "=>", "??", "?.", "::", "(", ")", "[", "]", "{", "}", ".", ",", ";",
    ":", "?", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~", "<", ">", "=", "@", "$", "#",
];

/// Reads tokens of `text` between `range`; `wrongs` receives what cannot be read.
pub(super) fn lex(text: &str, range: Range<usize>, wrongs: &mut Vec<Wrong>) -> Vec<Token> {
    let mut lexer = Lexer { text, at: range.start, end: range.end, deep: 0, wrongs };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    tokens.push(Token { kind: TokenKind::End, span: range.end..range.end });
    tokens
}

/// Whether the byte `at` belongs to something else than a text or what stands between tokens.
pub(super) fn is_code_at(tokens: &[Token], at: usize) -> bool {
    let Some(token) = tokens.iter().find(|token| token.span.contains(&at)) else { return false };
    match &token.kind {
        TokenKind::Literal(Literal::String(_) | Literal::Char(_)) => false,
        TokenKind::Interpolated(pieces) => pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Hole { tokens, alignment, .. } => {
                is_code_at(tokens, at) || is_code_at(alignment, at)
            }
        }),
        _ => true,
    }
}

struct Lexer<'t, 'w> {
    text: &'t str,
    at: usize,
    end: usize,
    deep: usize,
    wrongs: &'w mut Vec<Wrong>,
}

impl Lexer<'_, '_> {
    /// What is left.
    fn rest(&self) -> &str {
        self.text.get(self.at..self.end).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(next.len_utf8());
        Some(next)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at = self.at.saturating_add(expected.len());
        }
        found
    }

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, remedy: Option<&str>) {
        self.wrongs.push(Wrong::new(span, message).mend_with(remedy));
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            self.skip_blanks();
            let start = self.at;
            let first = self.peek()?;
            let kind = if let Some(kind) = self.string_token() {
                Some(kind)
            } else if first == '\'' {
                Some(self.char_token())
            } else if first.is_ascii_digit() || self.starts_fraction() {
                Some(self.number_token())
            } else if starts_word(first) || self.starts_verbatim_word() {
                Some(self.word_token())
            } else {
                self.symbol_token(first)
            };
            if let Some(kind) = kind {
                return Some(Token { kind, span: start..self.at });
            }
        }
    }

    /// `.5`: a dot that begins a number.
    fn starts_fraction(&self) -> bool {
        let mut characters = self.rest().chars();
        characters.next() == Some('.') && characters.next().is_some_and(|c| c.is_ascii_digit())
    }

    /// `@class`: a keyword used as a name.
    fn starts_verbatim_word(&self) -> bool {
        let mut characters = self.rest().chars();
        characters.next() == Some('@') && characters.next().is_some_and(starts_word)
    }

    fn word_token(&mut self) -> TokenKind {
        let start = self.at;
        self.eat("@");
        while self.peek().is_some_and(|c| starts_word(c) || c.is_numeric()) {
            self.bump();
        }
        TokenKind::Word(Box::from(self.text.get(start..self.at).unwrap_or("")))
    }

    fn symbol_token(&mut self, first: char) -> Option<TokenKind> {
        let start = self.at;
        for symbol in SYMBOLS {
            // `a ? .5 : b`: a question mark before a number is the ternary's.
            let fraction = symbol == "?." && self.rest().get(2..3).is_some_and(is_digits);
            if !fraction && self.eat(symbol) {
                return Some(TokenKind::Symbol(symbol));
            }
        }
        self.bump();
        self.wrong(start..self.at, format!("`{first}` has no meaning here"), None);
        None
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) {
        loop {
            let start = self.at;
            if self.peek().is_some_and(|c| c.is_whitespace() || c == '\u{feff}') {
                self.bump();
            } else if self.eat("//") {
                while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
                    self.bump();
                }
            } else if self.eat("/*") {
                if let Some(length) = self.rest().find("*/") {
                    self.at = self.at.saturating_add(length).saturating_add(2);
                } else {
                    self.at = self.end;
                    self.wrong(start..self.end, "this comment never ends", Some("add `*/`"));
                }
            } else {
                return;
            }
        }
    }

    /// A string of any of the four kinds, if one starts here.
    fn string_token(&mut self) -> Option<TokenKind> {
        let (interpolated, verbatim) = if self.eat("$@\"") || self.eat("@$\"") {
            (true, true)
        } else if self.eat("$\"") {
            (true, false)
        } else if self.eat("@\"") {
            (false, true)
        } else if self.eat("\"") {
            (false, false)
        } else {
            return None;
        };
        if interpolated {
            return Some(TokenKind::Interpolated(self.interpolation(verbatim)));
        }
        let start = self.at.saturating_sub(1);
        let mut value = String::new();
        while let Unit::Char(unit) = self.string_unit(start, verbatim) {
            value.push(unit);
        }
        Some(TokenKind::Literal(Literal::String(value.into_boxed_str())))
    }

    /// The pieces of an interpolated string, after its opening quote.
    fn interpolation(&mut self, verbatim: bool) -> Vec<Piece> {
        let start = self.at.saturating_sub(1);
        let mut pieces = Vec::new();
        let mut text = String::new();
        loop {
            if self.eat("{{") {
                text.push('{');
            } else if self.eat("}}") {
                text.push('}');
            } else if self.peek() == Some('{') {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into_boxed_str()));
                }
                if self.deep >= INTERPOLATIONS_DEEP_MAX {
                    let message = "interpolated strings lie too deep in one another";
                    self.wrong(start..self.at, message, Some("build the inner text beforehand"));
                    self.at = self.end;
                    break;
                }
                pieces.push(self.hole(verbatim));
            } else {
                match self.string_unit(start, verbatim) {
                    Unit::Char('}') => {
                        let at = self.at.saturating_sub(1);
                        let message = "a `}` alone in an interpolated string";
                        self.wrong(at..self.at, message, Some("write `}}` for a brace"));
                    }
                    Unit::Char(unit) => text.push(unit),
                    Unit::Quote | Unit::Ended => break,
                }
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into_boxed_str()));
        }
        pieces
    }

    /// `{expression,alignment:format}`, at its `{`.
    fn hole(&mut self, verbatim: bool) -> Piece {
        let open = self.at;
        self.bump();
        self.deep = self.deep.saturating_add(1);
        let (tokens, stopped_at) = self.hole_tokens(&[",", ":", "}"]);
        let (alignment, stopped_at) = if stopped_at == "," {
            self.hole_tokens(&[":", "}"])
        } else {
            (Vec::new(), stopped_at)
        };
        self.deep = self.deep.saturating_sub(1);
        let mut format = None;
        if stopped_at == ":" {
            format = Some(self.hole_format(open, verbatim));
        } else if stopped_at.is_empty() {
            let remedy = Some("add `}`, or write `{{` for a brace");
            self.wrong(open..self.at, "this `{` in an interpolated string is never closed", remedy);
        }
        Piece::Hole { tokens, alignment, format }
    }

    /// Tokens up to one of `stops` outside all brackets, which is consumed and returned; empty if
    /// the text ends first.
    fn hole_tokens(&mut self, stops: &[&'static str]) -> (Vec<Token>, &'static str) {
        let mut tokens = Vec::new();
        let mut open = 0_usize;
        loop {
            self.skip_blanks();
            // Inside a hole a lone quote closes the string: the hole was never closed.
            let Some(token) = self.next_token() else {
                tokens.push(Token { kind: TokenKind::End, span: self.at..self.at });
                return (tokens, "");
            };
            if let TokenKind::Symbol(symbol) = token.kind {
                if open == 0
                    && let Some(stop) = stops.iter().find(|stop| **stop == symbol)
                {
                    tokens.push(Token { kind: TokenKind::End, span: token.span });
                    return (tokens, stop);
                }
                match symbol {
                    "(" | "[" | "{" => open = open.saturating_add(1),
                    ")" | "]" | "}" => open = open.saturating_sub(1),
                    _ => {}
                }
            }
            tokens.push(token);
        }
    }

    /// The format up to and with the closing `}`.
    fn hole_format(&mut self, open: usize, verbatim: bool) -> Box<str> {
        let mut format = String::new();
        loop {
            if self.eat("}}") {
                // In a format a doubled brace ends the hole and begins literal text.
                self.at = self.at.saturating_sub(1);
                break;
            }
            match self.string_unit(open, verbatim) {
                Unit::Char('}') | Unit::Quote | Unit::Ended => break,
                Unit::Char(unit) => format.push(unit),
            }
        }
        format.into_boxed_str()
    }
}

/// What a string's text gives next.
enum Unit {
    Char(char),
    Quote,
    Ended,
}

/// Whether a name may begin so.
fn starts_word(first: char) -> bool {
    first == '_' || first.is_alphabetic()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> (Vec<TokenKind>, Vec<Wrong>) {
        let mut wrongs = Vec::new();
        let tokens = lex(text, 0..text.len(), &mut wrongs);
        (tokens.into_iter().map(|token| token.kind).collect(), wrongs)
    }

    fn literal(text: &str) -> Literal {
        match kinds(text).0.first() {
            Some(TokenKind::Literal(literal)) => literal.clone(),
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn literals_have_the_type_that_csharp_gives_them() {
        assert_eq!(literal("12"), Literal::Int(12));
        assert_eq!(literal("0xFF_FF"), Literal::Int(0xFFFF));
        assert_eq!(literal("0b101"), Literal::Int(5));
        assert_eq!(literal("2147483648"), Literal::UInt(2_147_483_648));
        assert_eq!(literal("4294967296"), Literal::Long(4_294_967_296));
        assert_eq!(literal("1L"), Literal::Long(1));
        assert_eq!(literal("1u"), Literal::UInt(1));
        assert_eq!(literal("1UL"), Literal::ULong(1));
        assert_eq!(literal("1.5"), Literal::Double(1.5));
        assert_eq!(literal(".5e1"), Literal::Double(5.0));
        assert_eq!(literal("2d"), Literal::Double(2.0));
        assert_eq!(literal("1.50m"), Literal::Decimal("1.50".into()));
        assert_eq!(literal(r"'\n'"), Literal::Char('\n'));
        assert_eq!(literal(r#""a\u0041\x42\"""#), Literal::String("aAB\"".into()));
        assert_eq!(literal(r#"@"a\""b""#), Literal::String("a\\\"b".into()));
        assert_eq!(literal("'Retry-After'"), Literal::String("Retry-After".into()));
    }

    #[test]
    fn an_interpolated_string_is_taken_apart() {
        let (kinds, wrongs) = kinds(r#"$"a{{{x["k"],-5:N2}}}{y}" z"#);
        assert!(wrongs.is_empty(), "{wrongs:?}");
        let Some(TokenKind::Interpolated(pieces)) = kinds.first() else { panic!("{kinds:?}") };
        assert_eq!(pieces.len(), 4, "{pieces:?}");
        assert_eq!(pieces[0], Piece::Text("a{".into()));
        let Piece::Hole { tokens, alignment, format } = &pieces[1] else { panic!() };
        assert_eq!((tokens.len(), alignment.len()), (5, 3));
        assert_eq!(format.as_deref(), Some("N2"));
        assert_eq!(pieces[2], Piece::Text("}".into()));
        assert_eq!(kinds[1], TokenKind::Word("z".into()));
    }

    #[test]
    fn what_never_ends_is_named_with_its_start() {
        for (text, offset) in [("a \"b", 2), ("a /* b", 2), ("$\"{x", 1), ("'", 0), ("$\"{", 1)] {
            let wrongs = kinds(text).1;
            assert!(wrongs.iter().any(|wrong| wrong.offset <= offset + 1), "{text}: {wrongs:?}");
        }
    }

    #[test]
    fn comments_are_blanks() {
        assert_eq!(kinds("a /* x */ + // y\n b").0.len(), 4);
    }
}
