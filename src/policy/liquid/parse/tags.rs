//! Each tag by its name.

use std::ops::Range;
use std::sync::Arc;

use super::{End, Parser, chain};
use crate::fault::nearest;
use crate::policy::liquid::syntax::{
    Block, Case, Choice, Condition, Loop, Manner, Offset, Operand, Part,
};
use crate::policy::liquid::words::Words;
use crate::policy::liquid::{OPERANDS_MAX, Wrong};

/// What may stand after `{%`, for spelling.
const TAGS: [&str; 14] = [
    "assign",
    "break",
    "capture",
    "case",
    "comment",
    "continue",
    "cycle",
    "decrement",
    "for",
    "if",
    "increment",
    "raw",
    "tablerow",
    "unless",
];
/// Tags that close or divide others.
const INNER: [&str; 13] = [
    "else",
    "elsif",
    "elseif",
    "when",
    "endcapture",
    "endcase",
    "endcomment",
    "endfor",
    "endif",
    "endraw",
    "endtablerow",
    "endunless",
    "endJSONArrayFor",
];
/// Tags that read other templates.
const OF_FILES: [&str; 4] = ["block", "extends", "include", "param"];

impl<'t> Parser<'t> {
    /// The tag `name`, whose name has been read; a comment is none.
    pub(super) fn tag(
        &mut self,
        name: &'t str,
        mut words: Words<'t>,
        at: Range<usize>,
    ) -> Result<Option<Part>, Wrong> {
        let part = match name {
            "assign" => {
                let target = words.needed_name("the name of a variable")?;
                if !words.take("=") {
                    let wrong = words.wrong("`=` is missing");
                    return Err(wrong.mend("write {% assign name = value %}"));
                }
                Part::Assign(target, chain(&mut words)?)
            }
            "capture" => {
                let target = words.needed_name("the name of a variable")?;
                words.ended()?;
                let (block, _end) = self.closed_block((name, &at), &["endcapture"])?;
                return Ok(Some(Part::Capture(target, block)));
            }
            "if" | "unless" => return self.choice(name, words, &at).map(Some),
            "case" => return self.case(words, &at).map(Some),
            "for" | "JSONArrayFor" | "tablerow" => return self.looped(name, words, &at).map(Some),
            "cycle" => cycle(&mut words)?,
            "increment" => Part::Increment(words.needed_name("the name of a counter")?),
            "decrement" => Part::Decrement(words.needed_name("the name of a counter")?),
            "ifchanged" => {
                words.ended()?;
                let number = self.changes;
                self.changes = number.saturating_add(1);
                let (block, _end) = self.closed_block((name, &at), &["endifchanged"])?;
                return Ok(Some(Part::IfChanged(number, block)));
            }
            "break" => Part::Break,
            "continue" => Part::Continue,
            _ => return Err(unknown(name, &at)),
        };
        words.ended()?;
        Ok(Some(part))
    }

    fn choice(
        &mut self,
        name: &str,
        mut words: Words<'t>,
        at: &Range<usize>,
    ) -> Result<Part, Wrong> {
        let close = if name == "if" { "endif" } else { "endunless" };
        let ends = ["elsif", "elseif", "else", close];
        let mut condition = conditions(&mut words)?;
        if name == "unless" {
            condition = Condition::Not(Box::new(condition));
        }
        let mut branches = Vec::new();
        loop {
            let (block, end) = self.closed_block((name, at), &ends)?;
            branches.push((condition, block));
            match end.name {
                "elsif" | "elseif" => condition = conditions(&mut end.words.clone())?,
                "else" => {
                    let otherwise = self.last(name, at, close, end)?;
                    return Ok(Part::If(Box::new(Choice { branches, otherwise })));
                }
                _ => {
                    let choice = Choice { branches, otherwise: Vec::new() };
                    return Ok(Part::If(Box::new(choice)));
                }
            }
        }
    }

    /// What stands between `else` and the end.
    fn last(
        &mut self,
        name: &str,
        at: &Range<usize>,
        close: &str,
        mut otherwise: End<'t>,
    ) -> Result<Block, Wrong> {
        otherwise.words.ended()?;
        let (block, _end) = self.closed_block((name, at), &[close])?;
        Ok(block)
    }

    fn case(&mut self, mut words: Words<'t>, at: &Range<usize>) -> Result<Part, Wrong> {
        let subject = words.operand()?;
        words.ended()?;
        let (between, mut end) = self.closed_block(("case", at), &["when", "else", "endcase"])?;
        let is_blank = |part: &Part| matches!(part, Part::Text(text) if text.trim().is_empty());
        if !between.iter().all(is_blank) {
            let wrong = Wrong::new(at.clone(), "something stands between `case` and `when`");
            return Err(wrong.mend("take it out"));
        }
        let mut case = Case { subject, branches: Vec::new(), otherwise: Vec::new() };
        loop {
            match end.name {
                "when" => {
                    let mut values = vec![end.words.operand()?];
                    while end.words.take(",") || end.words.take("or ") {
                        values.push(end.words.operand()?);
                    }
                    few(&mut end.words, values.len())?;
                    end.words.ended()?;
                    let (block, next) =
                        self.closed_block(("case", at), &["when", "else", "endcase"])?;
                    case.branches.push((values, block));
                    end = next;
                }
                "else" => {
                    case.otherwise = self.last("case", at, "endcase", end)?;
                    return Ok(Part::Case(Box::new(case)));
                }
                _ => return Ok(Part::Case(Box::new(case))),
            }
        }
    }

    fn looped(
        &mut self,
        name: &str,
        mut words: Words<'t>,
        at: &Range<usize>,
    ) -> Result<Part, Wrong> {
        let variable = words.needed_name("the name of an item")?;
        if words.name() != Some("in") {
            let wrong = Wrong::new(at.clone(), "`in` is missing");
            return Err(wrong.mend(format!("write {{% {name} item in list %}}")));
        }
        let from = words.here();
        let over = words.operand()?;
        let written = self.text.get(from..words.here()).unwrap_or_default().trim();
        let called = Arc::from(format!("{variable}-{written}"));
        let (close, manner) = match name {
            "for" => ("endfor", Manner::Plain),
            "tablerow" => ("endtablerow", Manner::Table(None)),
            _ => ("endJSONArrayFor", Manner::JsonArray),
        };
        let mut looped = Loop {
            variable,
            name: called,
            over,
            limit: None,
            offset: None,
            reversed: false,
            body: Vec::new(),
            otherwise: Vec::new(),
            manner,
        };
        while !words.is_at_end() {
            option(&mut words, &mut looped)?;
        }
        let (body, end) = self.closed_block((name, at), &["else", close])?;
        looped.body = body;
        if end.name == "else" {
            looped.otherwise = self.last(name, at, close, end)?;
        }
        Ok(Part::Loop(Box::new(looped)))
    }
}

/// `limit:2`, `offset:1`, `reversed`, `cols:3`, with commas between them or none.
fn option(words: &mut Words<'_>, looped: &mut Loop) -> Result<(), Wrong> {
    if words.take(",") {
        return Ok(());
    }
    let before = words.clone();
    let name = words.name().unwrap_or_default();
    let has_value = name != "reversed";
    let is_table = matches!(looped.manner, Manner::Table(_));
    let known = ["limit", "offset", "reversed"].contains(&name) || (name == "cols" && is_table);
    if !known {
        let has = if is_table { "cols, limit and offset" } else { "limit, offset and reversed" };
        let mut words = before;
        let wrong = words.wrong("a loop has no such option");
        return Err(wrong.mend(format!("it has {has}")));
    }
    if has_value && !words.take(":") {
        return Err(words.wrong(format!("`{name}` needs a value")).mend(format!("write {name}:2")));
    }
    match name {
        "reversed" => looped.reversed = true,
        "limit" => looped.limit = Some(words.operand()?),
        "cols" => looped.manner = Manner::Table(Some(words.operand()?)),
        _ => {
            let offset = words.operand()?;
            let goes_on = matches!(&offset, Operand::Path(root, steps)
                if &**root == "continue" && steps.is_empty());
            looped.offset = Some(if goes_on { Offset::Continue } else { Offset::After(offset) });
        }
    }
    Ok(())
}

/// Conditions with `and` and `or`: the last one binds first, as in `DotLiquid`.
fn conditions(words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let mut parts: Vec<(Condition, bool)> = Vec::new();
    loop {
        let left = words.operand()?;
        let condition = match words.relation() {
            None => Condition::Holds(left),
            Some(relation) => Condition::Compares(left, relation, words.operand()?),
        };
        few(words, parts.len())?;
        if words.is_at_end() {
            let start = condition;
            return Ok(parts.into_iter().rfold(start, |after, (before, is_both)| {
                let pair = Box::new((before, after));
                if is_both { Condition::Both(pair) } else { Condition::Either(pair) }
            }));
        }
        let from = words.here();
        match words.name() {
            Some("and") => parts.push((condition, true)),
            Some("or") => parts.push((condition, false)),
            _ => {
                let wrong = Wrong::new(words.character_at(from), "this is no condition");
                return Err(wrong.mend("compare with ==, !=, <, >, <=, >= or contains"));
            }
        }
    }
}

fn cycle(words: &mut Words<'_>) -> Result<Part, Wrong> {
    let from = words.here();
    let first = words.operand()?;
    let mut values = Vec::new();
    let named = words.take(":");
    let group = if named {
        match first {
            Operand::Constant(name) => name.shown(),
            _ => return Err(Wrong::new(words.character_at(from), "a group needs a name")),
        }
    } else {
        values.push(first);
        Arc::from("")
    };
    while if values.is_empty() { true } else { words.take(",") } {
        values.push(words.operand()?);
    }
    few(words, values.len())?;
    // Without a name, the same values are one group.
    let group = if named { group } else { Arc::from(format!("{values:?}")) };
    Ok(Part::Cycle(group, values))
}

fn few(words: &mut Words<'_>, count: usize) -> Result<(), Wrong> {
    if count <= OPERANDS_MAX {
        return Ok(());
    }
    Err(words.wrong(format!("one tag may have at most {OPERANDS_MAX} values")))
}

fn unknown(name: &str, at: &Range<usize>) -> Wrong {
    if INNER.contains(&name) || name.starts_with("end") {
        let wrong = Wrong::new(at.clone(), format!("`{name}` closes nothing"));
        return wrong.mend("take it out");
    }
    if OF_FILES.contains(&name) {
        let message = format!("`{name}` needs files that a gateway does not have");
        return Wrong::new(at.clone(), message).mend("write the template in one piece");
    }
    let wrong = Wrong::new(at.clone(), format!("there is no tag `{name}`"));
    match nearest(name, TAGS.into_iter().chain(["JSONArrayFor", "ifchanged"])) {
        Some(right) => wrong.mend(format!("did you mean `{right}`?")),
        None => wrong.mend(format!("there are: {}", TAGS.join(", "))),
    }
}
