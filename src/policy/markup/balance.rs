//! Where an expression ends: at the bracket that balances it, as C# counts.

use super::entity::{Entity, entity};

/// How deep interpolated strings may be nested in one another.
const NESTING_MAX: usize = 64;
/// How far the end of a character literal is looked for, in bytes. C# wants one character, but
/// people write whole strings between single quotes, and brackets in them do not count either.
const CHARACTER_BYTES_MAX: usize = 256;

/// How an expression is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writing {
    /// Between these quotes, in an attribute.
    Quoted(char),
    /// As text of an element.
    Plain,
    /// In a CDATA section: entities are not entities.
    Verbatim,
}

/// An expression that ends.
#[derive(Debug)]
pub(super) struct Balanced {
    /// How many bytes it has.
    pub(super) length: usize,
    /// The entities to unescape, in order.
    pub(super) entities: Vec<Escaped>,
}

/// An entity in an expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped {
    /// Its offset from the start of the expression.
    pub(super) at: usize,
    /// How many bytes it has.
    pub(super) length: usize,
    /// What it stands for.
    pub(super) character: char,
    /// Whether it stands in a C# literal whose quote was typed raw.
    in_raw_literal: bool,
}

/// Why an expression does not end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unbalanced {
    /// This bracket is missing.
    Bracket(char),
    /// A string that starts so many bytes into the expression is not closed.
    String(usize),
    /// A comment that starts so many bytes into the expression is not closed.
    Comment(usize),
    /// Interpolated strings are nested too deep.
    Depth,
}

/// Whether `text` starts like an expression.
pub(super) fn starts(text: &str) -> bool {
    text.starts_with("@(") || text.starts_with("@{")
}

/// The expression at the start of `text`, which starts like one. Looks at each byte of it a bounded
/// number of times.
pub(super) fn balance(text: &str, writing: Writing) -> Result<Balanced, Unbalanced> {
    let brackets = if text.starts_with("@{") { ('{', '}') } else { ('(', ')') };
    let mut scanner = Scanner {
        text,
        at: 0,
        escapes: writing != Writing::Verbatim,
        frames: vec![Frame::Code { brackets, depth: 0, at: 0 }],
        before: ['\0'; 2],
        entities: Vec::new(),
        raw: Raw::default(),
    };
    // The `@`, so that the first bracket is the next unit.
    scanner.take(false);
    scanner.before = ['\0'; 2];
    while let Some(frame) = scanner.frames.last().copied() {
        let Some(unit) = scanner.unit(scanner.at) else { return Err(scanner.unbalanced()) };
        match frame {
            Frame::Code { .. } => scanner.code(unit)?,
            Frame::Literal(literal) => scanner.literal(unit, literal),
        }
        if scanner.frames.len() > NESTING_MAX {
            return Err(Unbalanced::Depth);
        }
    }
    let well_formed = scanner.raw.well_formed(writing);
    let Scanner { at: length, mut entities, raw, .. } = scanner;
    entities.retain(|entity| well_formed || !entity.in_raw_literal || !raw.has(entity.character));
    Ok(Balanced { length, entities })
}

/// One character as C# sees it.
#[derive(Clone, Copy, Debug)]
struct Unit {
    character: char,
    length: usize,
    /// Whether an entity stands for it.
    escaped: bool,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// Code until the bracket that closes.
    Code { brackets: (char, char), depth: usize, at: usize },
    /// A string until its quote.
    Literal(Literal),
}

#[derive(Clone, Copy, Debug)]
struct Literal {
    verbatim: bool,
    interpolated: bool,
    /// Whether its quote was an entity: then its end is one too.
    escaped: bool,
    at: usize,
}

/// The characters that stand raw in an expression, of those that entities are for.
#[derive(Clone, Copy, Debug, Default)]
struct Raw(u8);

impl Raw {
    const fn bit(character: char) -> u8 {
        match character {
            '<' => 1,
            '>' => 2,
            '&' => 4,
            '"' => 8,
            '\'' => 16,
            _ => 0,
        }
    }

    const fn add(&mut self, character: char) {
        self.0 |= Self::bit(character);
    }

    const fn has(self, character: char) -> bool {
        self.0 & Self::bit(character) != 0
    }

    const fn well_formed(self, writing: Writing) -> bool {
        let quote = match writing {
            Writing::Quoted(quote) => self.has(quote),
            Writing::Plain | Writing::Verbatim => false,
        };
        !(quote || self.has('<') || self.has('&'))
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    escapes: bool,
    frames: Vec<Frame>,
    /// The last two characters of code, the latest first: the prefix of a string.
    before: [char; 2],
    entities: Vec<Escaped>,
    raw: Raw,
}

impl Scanner<'_> {
    fn unit(&self, at: usize) -> Option<Unit> {
        let rest = self.text.get(at..)?;
        let character = rest.chars().next()?;
        if character == '&'
            && self.escapes
            && let Entity::Character(character, length) = entity(rest)
        {
            return Some(Unit { character, length, escaped: true });
        }
        Some(Unit { character, length: character.len_utf8(), escaped: false })
    }

    /// Goes over one unit.
    fn take(&mut self, in_raw_literal: bool) {
        let Some(Unit { character, length, escaped }) = self.unit(self.at) else { return };
        if escaped {
            self.entities.push(Escaped { at: self.at, length, character, in_raw_literal });
        } else {
            self.raw.add(character);
        }
        self.at = self.at.saturating_add(length);
        self.before = [character, self.before.first().copied().unwrap_or_default()];
    }

    fn next_is(&self, unit: Unit, wanted: char) -> bool {
        let next = self.unit(self.at.saturating_add(unit.length));
        next.is_some_and(|next| next.character == wanted)
    }

    fn code(&mut self, unit: Unit) -> Result<(), Unbalanced> {
        match unit.character {
            '/' if self.next_is(unit, '/') => self.line_comment(),
            '/' if self.next_is(unit, '*') => return self.block_comment(),
            '"' => self.string(unit),
            '\'' => self.character_literal(unit),
            character => {
                self.take(false);
                self.bracket(character);
            }
        }
        Ok(())
    }

    fn bracket(&mut self, character: char) {
        let Some(Frame::Code { brackets: (open, close), depth, .. }) = self.frames.last_mut()
        else {
            return;
        };
        if character == *open {
            *depth = depth.saturating_add(1);
        } else if character == *close {
            *depth = depth.saturating_sub(1);
            if *depth == 0 {
                self.frames.pop();
            }
        }
    }

    fn line_comment(&mut self) {
        while let Some(unit) = self.unit(self.at) {
            if matches!(unit.character, '\n' | '\r') {
                break;
            }
            self.take(false);
        }
    }

    fn block_comment(&mut self) -> Result<(), Unbalanced> {
        let start = self.at;
        // The `/*`, so that `/*/` does not end it.
        self.take(false);
        self.take(false);
        while let Some(unit) = self.unit(self.at) {
            self.take(false);
            if unit.character == '*' && self.unit(self.at).is_some_and(|u| u.character == '/') {
                self.take(false);
                return Ok(());
            }
        }
        Err(Unbalanced::Comment(start))
    }

    fn string(&mut self, quote: Unit) {
        let at = self.at;
        let [last, before] = self.before;
        let verbatim = last == '@' || (last == '$' && before == '@');
        let interpolated = last == '$' || (last == '@' && before == '$');
        self.take(false);
        let escaped = quote.escaped;
        self.frames.push(Frame::Literal(Literal { verbatim, interpolated, escaped, at }));
    }

    /// A quote without a partner on its line is no literal.
    fn character_literal(&mut self, quote: Unit) {
        let mut end = self.at.saturating_add(quote.length);
        let limit = end.saturating_add(CHARACTER_BYTES_MAX);
        let mut backslash = false;
        let closed = loop {
            let Some(unit) = self.unit(end) else { break false };
            if unit.character == '\n' || end > limit {
                break false;
            }
            if unit.character == '\'' && !backslash {
                break true;
            }
            backslash = unit.character == '\\' && !backslash;
            end = end.saturating_add(unit.length);
        };
        self.take(false);
        while closed && self.at < end {
            self.take(!quote.escaped);
        }
        if closed {
            self.take(false);
        }
    }

    fn literal(&mut self, unit: Unit, literal: Literal) {
        let raw = !literal.escaped;
        match unit.character {
            '\\' if !literal.verbatim => {
                self.take(raw);
                // Whoever wrote an entity after a backslash escaped it twice.
                self.take(false);
            }
            '"' if unit.escaped == literal.escaped => {
                self.take(false);
                let doubled = self
                    .unit(self.at)
                    .is_some_and(|next| next.character == '"' && next.escaped == literal.escaped);
                if literal.verbatim && doubled {
                    self.take(false);
                } else {
                    self.end_literal();
                }
            }
            // C# ends here too, and says that a quote is missing. So will whoever compiles this.
            '\n' if !literal.verbatim => self.end_literal(),
            '{' if literal.interpolated && self.next_is(unit, '{') => {
                self.take(raw);
                self.take(raw);
            }
            '{' if literal.interpolated => {
                let at = self.at;
                // The bracket itself is counted as the first of the code.
                self.frames.push(Frame::Code { brackets: ('{', '}'), depth: 0, at });
            }
            _ => self.take(raw),
        }
    }

    fn end_literal(&mut self) {
        self.frames.pop();
        self.before = ['\0'; 2];
    }

    fn unbalanced(&self) -> Unbalanced {
        match self.frames.first() {
            Some(Frame::Code { brackets: (_, close), .. }) if self.frames.len() == 1 => {
                Unbalanced::Bracket(*close)
            }
            _ => match self.frames.get(1) {
                Some(Frame::Literal(literal)) => Unbalanced::String(literal.at),
                Some(Frame::Code { at, .. }) => Unbalanced::String(*at),
                None => Unbalanced::Bracket(')'),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &str) -> Result<usize, Unbalanced> {
        balance(text, Writing::Quoted('"')).map(|balanced| balanced.length)
    }

    fn unescaped(text: &str, writing: Writing) -> String {
        let balanced = balance(text, writing).expect("balanced");
        let (mut out, mut from) = (String::new(), 0);
        for entity in balanced.entities {
            out.push_str(&text[from..entity.at]);
            out.push(entity.character);
            from = entity.at + entity.length;
        }
        out + &text[from..balanced.length]
    }

    #[test]
    fn an_expression_ends_at_the_bracket_that_balances_it() {
        for expression in [
            "@()",
            "@(a(b)[c])",
            "@{ if (x) { return 1; } return 2; }",
            "@(a[\"x\"])",
            "@(\")\")",
            "@(')')",
            "@('\"')",
            "@('\\'' + \"(\")",
            "@('a long one (')",
            "@(\"\\\")\")",
            "@(@\"\\\" + x)",
            "@(@\"a\"\")\")",
            "@($\"{a[\"k)\"]}) {{(\")",
            "@($@\"\\{f(\"x\")}\"\")\")",
            "@(@$\"{x}(\")",
            "@{ // it's ) } not code\n return 1; }",
            "@( /* ) ' \" */ 1)",
            "@(/*/ ) */1)",
            "@(a / b)",
            "@{ return $\"<a b=\\\"c\\\">{d}</a>\"; }",
            "@{{ return 1; }}",
        ] {
            let text = format!("{expression}\" /> <x y=\"@(z)\"/>");
            assert_eq!(end_of(&text), Ok(expression.len()), "{expression}");
        }
    }

    #[test]
    fn an_escaped_expression_ends_where_the_raw_one_would() {
        for expression in [
            "@(a[&quot;x)&quot;] &amp;&amp; b &lt; c)",
            "@($&quot;{a[&quot;)&quot;]}&quot;)",
            "@(@&quot;a&quot;&quot;)&quot;)",
            "@(&#39;)&#39;)",
            "@(&#x22;)&quot;)",
            "@(a[\"x)\"] &amp;&amp; b[&quot;)&quot;])",
            "@(&quot;\"(\"&quot;)",
        ] {
            let text = format!("{expression}\" /> <x/>");
            assert_eq!(end_of(&text), Ok(expression.len()), "{expression}");
        }
    }

    #[test]
    fn what_does_not_end_says_what_is_missing() {
        assert_eq!(end_of("@(a"), Err(Unbalanced::Bracket(')')));
        assert_eq!(end_of("@{a(}"), Ok(5));
        assert_eq!(end_of("@{a"), Err(Unbalanced::Bracket('}')));
        assert_eq!(end_of("@(a + @\"b)"), Err(Unbalanced::String(7)));
        assert_eq!(end_of("@(a /* )"), Err(Unbalanced::Comment(4)));
        assert_eq!(end_of("@(a + \"b)"), Err(Unbalanced::String(6)));
        assert_eq!(end_of("@(a + \"b)\n)"), Ok(11));
        assert_eq!(end_of(&format!("@({}", "$\"{".repeat(40))), Err(Unbalanced::Depth));
    }

    #[test]
    fn a_well_formed_expression_is_unescaped_as_xml() {
        let quoted = Writing::Quoted('"');
        assert_eq!(unescaped("@(a[&quot;b&quot;] &amp;&amp; c)", quoted), "@(a[\"b\"] && c)");
        assert_eq!(unescaped("@(a(&quot;&amp;amp;&quot;))", quoted), "@(a(\"&amp;\"))");
        assert_eq!(unescaped("@(a(\"x &amp; y\"))", Writing::Quoted('\'')), "@(a(\"x & y\"))");
        assert_eq!(unescaped("@(x => x == \"a&gt;b\")", Writing::Plain), "@(x => x == \"a>b\")");
    }

    #[test]
    fn an_expression_of_both_forms_is_unescaped_where_that_is_meant() {
        let quoted = Writing::Quoted('"');
        for (written, meant) in [
            ("@(a[\"b\"] &amp;&amp; c)", "@(a[\"b\"] && c)"),
            ("@(a<b>(\"x\") + \"?a=1&amp;b=2\")", "@(a<b>(\"x\") + \"?a=1&b=2\")"),
            ("@(a.Replace(\"&\", \"&amp;\"))", "@(a.Replace(\"&\", \"&amp;\"))"),
            ("@(a.Replace(\"<\", \"&lt;\"))", "@(a.Replace(\"<\", \"&lt;\"))"),
            ("@(a[\"b\"] + &quot;c&quot;)", "@(a[\"b\"] + \"c\")"),
            ("@(\"say \\&quot;x\\&quot;\")", "@(\"say \\\"x\\\"\")"),
            ("@(a.Replace(\"'\", \"&quot;\"))", "@(a.Replace(\"'\", \"&quot;\"))"),
        ] {
            assert_eq!(unescaped(written, quoted), meant, "{written}");
        }
    }

    #[test]
    fn in_cdata_nothing_is_unescaped() {
        let text = "@(a.Replace(\"x\", \"&lt;\") &amp;&amp; b)";
        assert_eq!(unescaped(text, Writing::Verbatim), text);
    }
}
