//! From the pieces of a template to its parts.

mod tags;

use std::ops::Range;
use std::sync::Arc;

use super::syntax::{Block, Chain, Part};
use super::tokens::{Token, tokens};
use super::words::Words;
use super::{NESTING_MAX, PARTS_MAX, Wrong, filters};

/// Reads the whole of `text`.
pub fn parse(text: &str) -> Result<Block, Wrong> {
    let tokens = tokens(text)?;
    if PARTS_MAX < tokens.len() {
        let wrong = Wrong::new(0..1, format!("a template may have at most {PARTS_MAX} parts"));
        return Err(wrong.mend("split it into several policies"));
    }
    let mut parser = Parser { text, tokens: tokens.into_iter(), depth: 0, changes: 0 };
    let (block, end) = parser.block(&[])?;
    debug_assert!(end.is_none(), "nothing ends the outermost block");
    Ok(block)
}

struct Parser<'t> {
    text: &'t str,
    tokens: std::vec::IntoIter<Token>,
    depth: usize,
    /// How many `ifchanged` there are so far.
    changes: usize,
}

/// The tag that ended a block, and what stands in it after its name.
struct End<'t> {
    name: &'t str,
    words: Words<'t>,
}

impl<'t> Parser<'t> {
    /// Parts up to a tag of `ends`, which comes with them; up to the end where there are none.
    fn block(&mut self, ends: &[&str]) -> Result<(Block, Option<End<'t>>), Wrong> {
        let mut block = Vec::new();
        while let Some(token) = self.tokens.next() {
            match token {
                Token::Text(range) => {
                    let text = self.text.get(range).unwrap_or_default();
                    block.push(Part::Text(Arc::from(text)));
                }
                Token::Output(range) => {
                    let mut words = Words::new(self.text, range);
                    if words.is_at_end() {
                        return Err(words.wrong("a value is missing between `{{` and `}}`"));
                    }
                    let chain = chain(&mut words)?;
                    words.ended()?;
                    block.push(Part::Output(chain));
                }
                Token::Tag(range) => {
                    let mut words = Words::new(self.text, range.clone());
                    let range = words.here()..range.end;
                    let Some(name) = words.name() else {
                        return Err(words.wrong("the name of a tag is missing"));
                    };
                    if ends.contains(&name) {
                        return Ok((block, Some(End { name, words })));
                    }
                    block.extend(self.tag(name, words, range)?);
                }
            }
        }
        Ok((block, None))
    }

    /// The same, where one of `ends` has to come: `opener` stands at `at`.
    fn closed_block(
        &mut self,
        (opener, at): (&str, &Range<usize>),
        ends: &[&str],
    ) -> Result<(Block, End<'t>), Wrong> {
        self.depth = self.depth.saturating_add(1);
        if NESTING_MAX < self.depth {
            let message = format!("tags are nested deeper than {NESTING_MAX}");
            return Err(Wrong::new(at.clone(), message).mend("take some out of each other"));
        }
        let (block, end) = self.block(ends)?;
        self.depth = self.depth.saturating_sub(1);
        let Some(end) = end else {
            let close = ends.last().copied().unwrap_or_default();
            let wrong = Wrong::new(at.clone(), format!("`{opener}` is not closed"));
            return Err(wrong.mend(format!("close it with {{% {close} %}}")));
        };
        Ok((block, end))
    }
}

/// A value and its filters.
fn chain(words: &mut Words<'_>) -> Result<Chain, Wrong> {
    let head = words.operand()?;
    let mut filters = Vec::new();
    while words.take("|") {
        filters.push(filters::call(words)?);
    }
    Ok(Chain { head, filters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn wrong(text: &str) -> (usize, String) {
        let wrong = parse(text).unwrap_err();
        let remedy = wrong.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        (wrong.offset, format!("{}{remedy}", wrong.message))
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_a_remedy() {
        let told = |text: &str| wrong(text);
        assert_eq!(told("a{% iff x %}"), (4, "there is no tag `iff`; did you mean `if`?".into()));
        assert_eq!(
            told("{{ a | upcase }}"),
            (7, "there is no filter `upcase`; did you mean `Upcase`?".into())
        );
        assert_eq!(told("{% if a %}"), (3, "`if` is not closed; close it with {% endif %}".into()));
        assert_eq!(told("{{ a b }}"), (5, "this does not belong here; take it out".into()));
        assert_eq!(told("{{ 'a }}").0, 3);
        assert_eq!(told("{{ }}").1, "a value is missing between `{{` and `}}`");
        assert_eq!(told("{% endif %}").1, "`endif` closes nothing; take it out");
        assert_eq!(told("{% for x of y %}").1, "`in` is missing; write {% for item in list %}");
        assert_eq!(
            told("{% include 'x' %}").1,
            "`include` needs files that a gateway does not have; write the template in one piece"
        );
        assert_eq!(told("{{ a | Truncate: 1, 2, 3 }}").1, "`Truncate` takes 0 to 2 values, not 3");
        assert_eq!(told("{{ a | Replace }}").1, "`Replace` takes 1 to 2 values, not 0");
    }

    #[test]
    fn a_fault_covers_whole_characters() {
        for template in ["{% if a €b %}{% endif %}", "{% cycle a€: 1 %}", "{% cycle €a: 1 %}"]
        {
            let wrong = parse(template).unwrap_err();
            let place = wrong.offset..wrong.offset + wrong.length;
            assert!(template.get(place).is_some(), "{template}: {wrong:?}");
        }
    }

    #[test]
    fn tags_and_brackets_nest_to_a_bound() {
        let nested = |depth: usize| {
            format!("{}x{}", "{% if a %}".repeat(depth), "{% endif %}".repeat(depth))
        };
        assert!(parse(&nested(NESTING_MAX)).is_ok());
        let refused = parse(&nested(NESTING_MAX + 1)).unwrap_err();
        assert!(refused.message.contains("nested deeper than 32"), "{}", refused.message);
        assert!(parse(&format!("{{{{ {}1", "a[".repeat(100))).is_err());
        assert!(parse(&format!("{{{{ {}1 }}}}", "a[".repeat(100))).is_err());
        assert!(parse(&format!("{{{{ {}1 }}}}", "(".repeat(100))).is_err());
    }

    #[test]
    fn the_parts_of_a_template_are_bounded() {
        assert!(parse(&"{{a}}".repeat(PARTS_MAX)).is_ok());
        assert!(parse(&"{{a}}".repeat(PARTS_MAX + 1)).is_err());
    }
}
