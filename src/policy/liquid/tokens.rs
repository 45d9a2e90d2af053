//! A template, cut into text, `{{ … }}` and `{% … %}`.
//!
//! A dash strips as `DotLiquid` does: `{%-` the blanks before it on its line, `-%}` one line break or
//! the blanks after it.

use std::ops::Range;

use super::Wrong;

/// A piece of a template; ranges are bytes of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Token {
    /// Text that goes out as it is.
    Text(Range<usize>),
    /// What stands between `{{` and `}}`.
    Output(Range<usize>),
    /// What stands between `{%` and `%}`.
    Tag(Range<usize>),
}

/// The tags whose content is not read.
const VERBATIM: [(&str, &str); 3] =
    [("raw", "endraw"), ("literal", "endliteral"), ("comment", "endcomment")];

/// Cuts `text`.
pub fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(start) = next_opening(text, at) {
        let is_output = since(text, start).starts_with("{{");
        let close = if is_output { "}}" } else { "%}" };
        let inside = start.saturating_add(2);
        let Some(length) = since(text, inside).find(close) else {
            let what = if is_output { "`{{` is not closed" } else { "`{%` is not closed" };
            let wrong = Wrong::new(start..inside, what);
            return Err(wrong.mend(format!("close it with `{close}`")));
        };
        let end = inside.saturating_add(length);
        let strips_before = since(text, inside).starts_with('-');
        let strips_after = length > 0 && between(text, inside..end).ends_with('-');
        push_text(text, at..start, strips_before, &mut tokens);
        let first = inside.saturating_add(usize::from(strips_before));
        let last = end.saturating_sub(usize::from(strips_after)).max(first);
        tokens.push(if is_output { Token::Output(first..last) } else { Token::Tag(first..last) });
        at = end.saturating_add(2);
        if strips_after {
            at = at.saturating_add(stripped(since(text, at)));
        }
        if !is_output && let Some(after) = verbatim(text, first..last, at, &mut tokens)? {
            at = after;
        }
    }
    push_text(text, at..text.len(), false, &mut tokens);
    Ok(tokens)
}

fn push_text(text: &str, range: Range<usize>, is_stripped: bool, tokens: &mut Vec<Token>) {
    let mut end = range.end;
    if is_stripped {
        let kept = between(text, range.clone()).trim_end_matches([' ', '\t']);
        end = range.start.saturating_add(kept.len());
    }
    if range.start < end {
        tokens.push(Token::Text(range.start..end));
    }
}

/// After a tag whose content is not read: where the text goes on. The tag goes out of the list, and
/// the content of `raw` goes in.
fn verbatim(
    text: &str,
    tag: Range<usize>,
    at: usize,
    tokens: &mut Vec<Token>,
) -> Result<Option<usize>, Wrong> {
    let name = between(text, tag.clone()).trim();
    let Some((open, close)) = VERBATIM.into_iter().find(|(open, _)| *open == name) else {
        return Ok(None);
    };
    tokens.pop();
    let (mut from, mut depth) = (at, 1_usize);
    while let Some(start) = since(text, from).find("{%").map(|found| from.saturating_add(found)) {
        let inside = start.saturating_add(2);
        let Some(length) = since(text, inside).find("%}") else { break };
        let end = inside.saturating_add(length);
        let inner = between(text, inside..end).trim_matches('-').trim();
        from = end.saturating_add(2);
        if inner == close {
            depth = depth.saturating_sub(1);
        } else if inner == open && open == "comment" {
            depth = depth.saturating_add(1);
        }
        if depth == 0 {
            if open != "comment" {
                let strips = since(text, inside).starts_with('-');
                push_text(text, at..start, strips, tokens);
            }
            if between(text, inside..end).ends_with('-') {
                from = from.saturating_add(stripped(since(text, from)));
            }
            return Ok(Some(from));
        }
    }
    let wrong = Wrong::new(tag, format!("`{open}` is not closed"));
    Err(wrong.mend(format!("close it with {{% {close} %}}")))
}

/// How much `-%}` takes off the text after it.
fn stripped(text: &str) -> usize {
    for line_break in ["\n", "\r\n"] {
        if text.starts_with(line_break) {
            return line_break.len();
        }
    }
    text.len().saturating_sub(text.trim_start_matches([' ', '\t']).len())
}

fn next_opening(text: &str, from: usize) -> Option<usize> {
    let rest = since(text, from);
    let braces = rest.match_indices('{');
    let mut openings = braces.filter(|(at, _)| {
        let after = rest.get(at.saturating_add(1)..).unwrap_or_default();
        after.starts_with('{') || after.starts_with('%')
    });
    openings.next().map(|(at, _)| from.saturating_add(at))
}

fn since(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or_default()
}

fn between(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let show = |token| match token {
            Token::Text(range) => format!("t:{}", between(text, range)),
            Token::Output(range) => format!("o:{}", between(text, range)),
            Token::Tag(range) => format!("g:{}", between(text, range)),
        };
        tokens(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn a_template_is_cut_at_its_braces() {
        assert_eq!(cut("a{{ b }}c{% d %}{}"), ["t:a", "o: b ", "t:c", "g: d ", "t:{}"]);
        assert_eq!(cut(r#"{"a":{{b}}}"#), [r#"t:{"a":"#, "o:b", "t:}"]);
    }

    #[test]
    fn a_dash_strips_blanks_before_it_and_one_line_break_after_it() {
        assert_eq!(cut("a\n  {%- d -%}\n  b"), ["t:a\n", "g: d ", "t:  b"]);
        assert_eq!(cut("a {{- d -}}  \nb"), ["t:a", "o: d ", "t:\nb"]);
    }

    #[test]
    fn what_is_raw_is_not_read_and_a_comment_is_not_there() {
        assert_eq!(cut("{% raw %}{{ a {% b %}{% endraw %}c"), ["t:{{ a {% b %}", "t:c"]);
        let nested = "a{% comment %}{% if %}{% comment %}x{% endcomment %}{{{% endcomment %}b";
        assert_eq!(cut(nested), ["t:a", "t:b"]);
    }

    #[test]
    fn what_is_not_closed_is_told_with_its_place() {
        for (text, place) in [("ab{{ c", 2), ("ab{% c }}", 2), ("a{% raw %}b", 3)] {
            let wrong = tokens(text).unwrap_err();
            assert_eq!(wrong.offset, place, "{text}: {}", wrong.message);
        }
    }
}
