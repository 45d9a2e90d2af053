//! A path from text.

use std::sync::Arc;

use super::{
    Comparison, Condition, Json, Operand, PATH_BYTES_MAX, PATH_STEPS_MAX, Step, Thrown, bad_path,
    filter_pattern,
};

/// How deep conditions may be nested.
const NESTING_MAX: usize = 16;

/// The steps of `text`.
pub(super) fn path(text: &str) -> Result<Vec<Step>, Thrown> {
    if text.len() > PATH_BYTES_MAX {
        return Err(Thrown::limit(format!("a path may be at most {PATH_BYTES_MAX} bytes long")));
    }
    let mut parser = Parser { rest: text.trim(), steps: 0 };
    parser.skip('$');
    let steps = parser.steps(0, false)?;
    if parser.rest.is_empty() { Ok(steps) } else { Err(bad_path()) }
}

struct Parser<'t> {
    rest: &'t str,
    steps: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, character: char) -> bool {
        self.skip_text(character.encode_utf8(&mut [0; 4]))
    }

    fn skip_text(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expect(&mut self, character: char) -> Result<(), Thrown> {
        self.space();
        if self.skip(character) { Ok(()) } else { Err(bad_path()) }
    }

    fn count(&mut self) -> Result<(), Thrown> {
        self.steps = self.steps.saturating_add(1);
        if self.steps <= PATH_STEPS_MAX {
            return Ok(());
        }
        Err(Thrown::limit(format!("a path may have at most {PATH_STEPS_MAX} steps")))
    }

    /// Steps up to what cannot be one: the end or, in a filter, an operator.
    fn steps(&mut self, nesting: usize, in_filter: bool) -> Result<Vec<Step>, Thrown> {
        let mut steps = Vec::new();
        let mut is_first = true;
        loop {
            self.count()?;
            match self.peek() {
                Some('.') => {
                    self.skip('.');
                    if self.skip('.') {
                        steps.push(Step::Descend);
                        if self.peek() == Some('[') {
                            continue;
                        }
                    }
                    steps.push(self.name()?);
                }
                Some('[') => steps.push(self.bracket(nesting)?),
                Some(_) if is_first && !in_filter => steps.push(self.name()?),
                _ => return Ok(steps),
            }
            is_first = false;
        }
    }

    fn name(&mut self) -> Result<Step, Thrown> {
        if self.skip('*') {
            return Ok(Step::All);
        }
        let end = self.rest.find(|next: char| {
            matches!(next, '.' | '[' | ']' | '(' | ')' | '=' | '<' | '>' | '!' | '&' | '|' | ',')
                || next.is_whitespace()
        });
        let (name, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if name.is_empty() {
            return Err(bad_path());
        }
        self.rest = after;
        Ok(Step::Names(vec![Arc::from(name)]))
    }

    fn bracket(&mut self, nesting: usize) -> Result<Step, Thrown> {
        self.skip('[');
        self.space();
        let step = match self.peek() {
            Some('*') => {
                self.skip('*');
                Step::All
            }
            Some('?') => {
                self.skip('?');
                self.expect('(')?;
                let condition = self.condition(nesting)?;
                self.expect(')')?;
                Step::Filter(condition)
            }
            Some('\'' | '"') => {
                let mut names = vec![self.quoted()?];
                self.space();
                while self.skip(',') {
                    self.space();
                    names.push(self.quoted()?);
                    self.space();
                }
                Step::Names(names)
            }
            _ => self.places()?,
        };
        self.expect(']')?;
        Ok(step)
    }

    /// `1`, `1,2` or `1:2:1`.
    fn places(&mut self) -> Result<Step, Thrown> {
        let first = self.integer()?;
        self.space();
        if self.skip(':') {
            let end = self.integer()?;
            self.space();
            let step = if self.skip(':') { self.integer()? } else { None };
            let step = step.unwrap_or(1);
            if step == 0 {
                return Err(bad_path());
            }
            return Ok(Step::Slice(first, end, step));
        }
        let mut places = vec![first.ok_or_else(bad_path)?];
        while self.skip(',') {
            places.push(self.integer()?.ok_or_else(bad_path)?);
            self.space();
        }
        Ok(Step::Places(places))
    }

    /// A whole number, if one comes next.
    fn integer(&mut self) -> Result<Option<i64>, Thrown> {
        self.space();
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let signs = self.rest.len().saturating_sub(digits.len());
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return if signs == 0 { Ok(None) } else { Err(bad_path()) };
        }
        let (number, after) = self.rest.split_at(signs.saturating_add(count));
        self.rest = after;
        number.parse().map(Some).map_err(|_| bad_path())
    }

    fn quoted(&mut self) -> Result<Arc<str>, Thrown> {
        let quote = self.peek().filter(|one| matches!(one, '\'' | '"')).ok_or_else(bad_path)?;
        self.skip(quote);
        let mut out = String::new();
        let mut rest = self.rest.chars();
        loop {
            match rest.next().ok_or_else(bad_path)? {
                '\\' => out.push(rest.next().ok_or_else(bad_path)?),
                end if end == quote => break,
                other => out.push(other),
            }
        }
        self.rest = rest.as_str();
        Ok(Arc::from(out))
    }

    /// Conditions with `||`, the parts of which are joined by `&&`.
    fn condition(&mut self, nesting: usize) -> Result<Condition, Thrown> {
        if nesting > NESTING_MAX {
            return Err(Thrown::limit(format!(
                "conditions of a path may be nested at most {NESTING_MAX} deep"
            )));
        }
        let mut any = Vec::new();
        loop {
            let mut all = vec![self.term(nesting)?];
            self.space();
            while self.skip_text("&&") {
                all.push(self.term(nesting)?);
                self.space();
            }
            any.push(Condition::All(all));
            if !self.skip_text("||") {
                return Ok(Condition::Any(any));
            }
        }
    }

    fn term(&mut self, nesting: usize) -> Result<Condition, Thrown> {
        self.count()?;
        self.space();
        if self.skip('(') {
            let inner = self.condition(nesting.saturating_add(1))?;
            self.expect(')')?;
            return Ok(inner);
        }
        let left = self.operand(nesting)?;
        self.space();
        if self.skip_text("=~") {
            self.space();
            return self.pattern(left);
        }
        let comparisons = [
            ("===", Comparison::Equal),
            ("!==", Comparison::NotEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        for (sign, comparison) in comparisons {
            if self.skip_text(sign) {
                self.space();
                let right = self.operand(nesting)?;
                return Ok(Condition::Compare(left, comparison, right));
            }
        }
        Ok(Condition::Exists(left))
    }

    fn operand(&mut self, nesting: usize) -> Result<Operand, Thrown> {
        match self.peek() {
            Some(from @ ('@' | '$')) => {
                self.skip(from);
                let steps = self.steps(nesting.saturating_add(1), true)?;
                Ok(Operand::Path { is_root: from == '$', steps })
            }
            Some('\'' | '"') => self.quoted().map(|text| Operand::Literal(Json::String(text))),
            _ => self.literal().map(Operand::Literal),
        }
    }

    fn literal(&mut self) -> Result<Json, Thrown> {
        let end = self
            .rest
            .find(|next: char| !next.is_ascii_alphanumeric() && !matches!(next, '.' | '-' | '+'));
        let (word, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = after;
        Ok(match word {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            number if number.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                match number.parse() {
                    Ok(whole) => Json::Int(whole),
                    Err(_) => Json::Double(number.parse().map_err(|_| bad_path())?),
                }
            }
            _ => return Err(bad_path()),
        })
    }

    /// `/pattern/flags`, or a pattern in quotes.
    fn pattern(&mut self, left: Operand) -> Result<Condition, Thrown> {
        let (source, flags) = if self.skip('/') {
            let mut end = None;
            let mut is_escaped = false;
            for (at, character) in self.rest.char_indices() {
                if character == '/' && !is_escaped {
                    end = Some(at);
                    break;
                }
                is_escaped = character == '\\' && !is_escaped;
            }
            let (source, after) = self.rest.split_at(end.ok_or_else(bad_path)?);
            let after = after.strip_prefix('/').unwrap_or(after);
            let flags = after.bytes().take_while(u8::is_ascii_lowercase).count();
            let (flags, after) = after.split_at(flags);
            self.rest = after;
            (source.to_owned(), flags)
        } else {
            (self.quoted()?.to_string(), "")
        };
        Ok(Condition::Matches(left, Box::new(filter_pattern(&source, flags)?)))
    }
}
