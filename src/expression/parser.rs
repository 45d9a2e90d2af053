//! Tokens → syntax tree. Goes on after a fault at the next statement.

mod names;
mod operators;
mod path;
mod primary;
mod query;
mod creation;
mod patterns;
mod statements;
mod declarations;
mod parts;

use super::Wrong;
use super::ast::statement::Block;
use super::ast::{Expr, ExprKind, Name, Span};
use super::lexer::{Token, TokenKind, lex};

/// How deep brackets, blocks and operators may lie in one another.
pub(super) const NESTING_MAX: usize = 96;
/// The most tokens one expression may have.
const TOKENS_MAX: usize = 200_000;

/// What stands between the outer brackets.
#[derive(Debug)]
pub(super) enum Source {
    /// `@(…)`
    Value(Expr),
    /// `@{…}`
    Block(Block),
}

/// Reads `text`, which includes `@` and both outer brackets.
pub(super) fn parse(text: &str) -> Result<Source, Vec<Wrong>> {
    let whole = 0..text.len();
    let statements = text.starts_with("@{") && text.ends_with('}');
    let value = text.starts_with("@(") && text.ends_with(')');
    if !(statements || value) || text.len() < 3 {
        let wrong = Wrong::new(whole, "this is not an expression");
        return Err(vec![wrong.mend("write `@(value)` or `@{ statements; return value; }`")]);
    }
    let mut wrongs = Vec::new();
    let inner = 2..text.len().saturating_sub(1);
    let tokens = lex(text, inner.clone(), &mut wrongs);
    if tokens.len() > TOKENS_MAX {
        let wrong = Wrong::new(whole, format!("more than {TOKENS_MAX} words and symbols"));
        return Err(vec![wrong.mend("split it into several policies")]);
    }
    let mut parser = Parser::new(tokens, wrongs, 0);
    let source = if statements {
        Source::Block(parser.whole_block(inner))
    } else {
        Source::Value(parser.whole_value())
    };
    if parser.wrongs.is_empty() {
        return Ok(source);
    }
    parser.wrongs.sort_by_key(|wrong| wrong.offset);
    Err(parser.wrongs)
}

struct Parser {
    tokens: Vec<Token>,
    /// For each opening parenthesis, the position of the token after the closing one.
    after: Vec<usize>,
    at: usize,
    wrongs: Vec<Wrong>,
    /// Set from the first fault of a statement to its end, so that one slip is one fault.
    quiet: bool,
    /// Which token the last fault was about.
    fault_at: usize,
    nesting: usize,
}

impl Parser {
    fn new(tokens: Vec<Token>, wrongs: Vec<Wrong>, nesting: usize) -> Self {
        let after = closings(&tokens);
        let quiet = !wrongs.is_empty();
        Self { tokens, after, at: 0, wrongs, quiet, fault_at: 0, nesting }
    }

    fn whole_value(&mut self) -> Expr {
        let value = self.expression();
        if !matches!(self.peek(), TokenKind::End) {
            self.unexpected("the end of the expression");
        }
        value
    }

    fn whole_block(&mut self, span: Span) -> Block {
        let mut statements = Vec::new();
        while !matches!(self.peek(), TokenKind::End) {
            let before = self.at;
            statements.push(self.statement());
            if self.at == before {
                self.unexpected("a statement");
                self.bump();
            }
        }
        Block { statements, span }
    }

    fn peek(&self) -> &TokenKind {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &TokenKind {
        let token = self.tokens.get(self.at.saturating_add(ahead));
        token.map_or(&TokenKind::End, |token| &token.kind)
    }

    /// Where the next token stands.
    fn span(&self) -> Span {
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last());
        token.map_or(0..0, |token| token.span.clone())
    }

    /// From `start` to the end of the last token that was read.
    fn span_from(&self, start: usize) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        start..last.map_or(start, |token| token.span.end).max(start)
    }

    fn bump(&mut self) {
        self.at = self.at.saturating_add(1).min(self.tokens.len().saturating_sub(1));
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead), TokenKind::Symbol(found) if *found == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), TokenKind::Word(found) if **found == *word)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.bump();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    /// Reads `symbol` or says that it is missing.
    fn expect(&mut self, symbol: &str) -> bool {
        let found = self.eat(symbol);
        if !found {
            self.unexpected(&format!("`{symbol}`"));
        }
        found
    }

    /// Says that the next token is not what is `wanted` here.
    fn unexpected(&mut self, wanted: &str) {
        let message = match self.peek() {
            TokenKind::Word(word) => format!("expected {wanted}, found `{word}`"),
            TokenKind::Symbol(symbol) => format!("expected {wanted}, found `{symbol}`"),
            TokenKind::Literal(_) => format!("expected {wanted}, found a literal"),
            TokenKind::Interpolated(_) => format!("expected {wanted}, found a string"),
            TokenKind::End => format!("expected {wanted}, found the end"),
        };
        let span = self.span();
        self.wrong(span, message, None);
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>, remedy: Option<&str>) {
        if !self.quiet {
            self.quiet = true;
            self.fault_at = self.at;
            self.wrongs.push(Wrong::new(span, message).mend_with(remedy));
        }
    }

    /// Runs `read` one level deeper, or says that this is too deep.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.nesting >= NESTING_MAX {
            let message = format!("nested more than {NESTING_MAX} levels deep");
            let span = self.span();
            self.wrong(span, message, Some("put inner parts into variables"));
            // Nothing after this can be read sensibly.
            self.at = self.tokens.len().saturating_sub(1);
            return None;
        }
        self.nesting = self.nesting.saturating_add(1);
        let result = read(self);
        self.nesting = self.nesting.saturating_sub(1);
        Some(result)
    }

    /// An expression of any kind.
    fn expression(&mut self) -> Expr {
        let span = self.span();
        let read = self.nested(Self::assignment);
        read.unwrap_or(Expr { kind: ExprKind::Wrong, span })
    }

    /// A name that is not a reserved word.
    fn name(&mut self, wanted: &str) -> Name {
        let span = self.span();
        if let TokenKind::Word(word) = self.peek()
            && !names::is_reserved(word)
        {
            // `@class` is the name `class`.
            let text = word.strip_prefix('@').map_or_else(|| word.clone(), Box::from);
            self.bump();
            return Name { text, span };
        }
        self.unexpected(wanted);
        Name { text: Box::from("?"), span }
    }
}

/// For each opening parenthesis, the position after its closing one.
fn closings(tokens: &[Token]) -> Vec<usize> {
    let mut after = vec![usize::MAX; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == TokenKind::Symbol("(") {
            open.push(at);
        } else if token.kind == TokenKind::Symbol(")")
            && let Some(slot) = open.pop().and_then(|opening| after.get_mut(opening))
        {
            *slot = at.saturating_add(1);
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_language_is_read() {
        for text in [
            "@(1 + 2 * 3 - -4)",
            "@(a ? b : c ? d : e)",
            "@((string)context.Variables[\"x\"])",
            "@(a.b?.c?[0]!.d<int, List<string>>(x, preserveContent: true))",
            "@(a < b && c > d || e >> 2 >= 1)",
            "@(f(a < b, c > d))",
            "@(x is string s && s.Length > 0 || x is null || x is not int)",
            "@(x as int? ?? 3)",
            "@(x is string ? 1 : 2)",
            "@(list.Where(x => x > 1).Select((x, i) => { return x + i; }).ToList())",
            "@(new JObject(new JProperty(\"a\", 1)) { [\"b\"] = 2 })",
            "@(new Dictionary<string, string> { { \"a\", \"b\" } })",
            "@(new [] { 1, 2 }.Length + new int[3].Length + new string[] { }.Length)",
            "@(new { a = 1, b.c })",
            "@((1, b: 2).Item1)",
            "@(x switch { 1 => \"a\", > 2 and < 5 => \"b\", _ => throw new Exception() })",
            "@(typeof(int).Name + nameof(a.b) + default(int))",
            "@($\"{a,5:N2} {(b ? 1 : 2)} {{}}\")",
            "@{ int a = 1, b; var c = a; const string d = \"x\"; a += 1; a++; --a; return a; }",
            "@{ if (a) return 1; else if (b) { return 2; } else return 3; }",
            "@{ for (int i = 0, j = 1; i < 3; i++, j--) { continue; } return 1; }",
            "@{ foreach (var x in y) break; while (true) { } do { } while (false); return 1; }",
            "@{ switch (x) { case 1: case 2: return 1; case int n when n > 3: break; default: break; } return 2; }",
            "@{ try { throw new Exception(\"x\"); } catch (Exception e) when (e.Message == \"x\") { throw; } finally { } }",
            "@{ using (var x = y) { } return int.TryParse(\"1\", out var n) ? n : 0; }",
            "@{ int f(int a, int b = 2) => a + b; bool g(string s) { return true; } return f(1); }",
            "@{ (int a, string b) t = (1, \"\"); var (x, y) = t; string[] z = null; int? n = 1; return x; }",
            "@(from x in y where x > 1 let z = x orderby x, z descending select x + z)",
            "@(from int x in y from z in x group z by x.k into g select g.Key)",
            "@(from + from.x + from[1])",
            "@{ Func<int, int> f = x => x; Dictionary<string, List<int>> d = null; return 1; }",
        ] {
            if let Err(wrongs) = parse(text) {
                panic!("{text}: {wrongs:?}");
            }
        }
    }

    #[test]
    fn one_slip_is_one_fault_and_the_next_statement_is_read_again() {
        let wrongs = parse("@{ var a = ; var b = 1; var c = (1; return a b; }").unwrap_err();
        let offsets: Vec<usize> = wrongs.iter().map(|wrong| wrong.offset).collect();
        assert_eq!(offsets, [11, 34, 45], "{wrongs:?}");
    }

    #[test]
    fn deep_nesting_is_a_fault() {
        for (open, close) in
            [("(", ")"), ("!", ""), ("-", ""), ("f(", ")"), ("x=>", ""), ("a[", "]")]
        {
            let text = format!("@({}1{})", open.repeat(10_000), close.repeat(10_000));
            let wrongs = parse(&text).unwrap_err();
            assert!(wrongs[0].message.contains("nested"), "{open}: {wrongs:?}");
        }
        let text = format!("@{{{}return 1;{}}}", "{".repeat(10_000), "}".repeat(10_000));
        assert!(parse(&text).unwrap_err()[0].message.contains("nested"));
        let text = format!("@(({}int{})1)", "List<".repeat(10_000), ">".repeat(10_000));
        assert!(parse(&text).is_err());
    }

    #[test]
    fn a_long_chain_is_not_a_deep_one() {
        let sum = format!("@({}1)", "1 + ".repeat(20_000));
        assert!(parse(&sum).is_ok());
        let path = format!("@(a{})", ".b()".repeat(20_000));
        assert!(parse(&path).is_ok());
        let coalesce = format!("@({}a)", "a ?? ".repeat(20_000));
        assert!(parse(&coalesce).is_ok());
    }
}
