//! YAML in work: where values stand in the text, so that they can be changed and all else stays.

use std::ops::Range;
use std::sync::Arc;

use super::finding::{Finding, Level};
use super::work::Work;
use crate::configuration::yaml::{Entry, Files, Kind, Mark, Node, Style, parse};

/// One document of a YAML file; several may stand in it, with `---` between.
pub struct Page {
    /// What it says.
    pub root: Node,
    /// The line that it begins with, and the one behind it, from 0.
    pub lines: Range<usize>,
    /// Where it stands in a `List` of manifests, such as `items[0]`; empty for a document of its own.
    pub path: String,
}

impl Page {
    /// Lets findings say where this stands; `told` is where those about it begin.
    pub fn name(&self, work: &mut Work<'_>, told: usize) {
        if !self.path.is_empty() {
            for finding in work.findings.iter_mut().skip(told) {
                finding.what = format!("{}.{}", self.path, finding.what);
            }
        }
    }
}

/// What a file says, document by document. What is no YAML is told, and passed over.
pub fn pages(work: &mut Work<'_>) -> Vec<Page> {
    let is_mark = |line: &str| line.trim_end() == "---" || line.starts_with("--- #");
    let marks: Vec<usize> = (0..work.lines()).filter(|line| is_mark(work.text_of(*line))).collect();
    let begins = std::iter::once(0).chain(marks.iter().map(|line| line + 1));
    let ends = marks.iter().copied().chain(std::iter::once(work.lines()));
    let parts: Vec<Range<usize>> = begins.zip(ends).map(|(begin, end)| begin..end).collect();
    parts.into_iter().filter_map(|lines| page(work, lines)).flat_map(parted).collect()
}

/// A `List` of manifests, and each of those behind it; anything else is one page.
fn parted(mut page: Page) -> Vec<Page> {
    let is_list = get(&page.root, "kind").and_then(|kind| text(&kind.value)) == Some("List")
        && get(&page.root, "apiVersion").is_some();
    let Kind::Map(entries) = &mut page.root.kind else { return vec![page] };
    let list = entries.iter().position(|entry| is_list && entry.name() == "items");
    let Some(Kind::List(items)) =
        list.and_then(|at| entries.get_mut(at)).map(|it| &mut it.value.kind)
    else {
        return vec![page];
    };
    let items = std::mem::take(items);
    let mut pages = Vec::with_capacity(items.len() + 1);
    let mut end = page.lines.end;
    let mut inner = Vec::new();
    for (nth, root) in items.into_iter().enumerate().rev() {
        // Lines of the item; those of one without a line of its own are those of all.
        let begin = spot(root.mark).0;
        inner.push(Page { root, lines: begin..end.max(begin + 1), path: format!("items[{nth}]") });
        end = begin;
    }
    pages.push(page);
    pages.extend(inner.into_iter().rev());
    pages
}

fn page(work: &mut Work<'_>, lines: Range<usize>) -> Option<Page> {
    let part = work.text.get(work.line(lines.start)..work.line(lines.end))?;
    // As many lines in front as there are in the file, so that all places are those of the file.
    let text = "\n".repeat(lines.start) + part;
    let mut files = Files::default();
    let number = files.add(&Arc::clone(&work.file));
    let mut faults = Vec::new();
    let root = parse(&text, number, &files, &mut faults);
    let is_wrong = !faults.is_empty();
    for fault in faults {
        let message = format!("this document is left as it is: {}", fault.message);
        let finding = Finding::of(Level::Refused, fault.place, "yaml", message);
        work.findings.push(match fault.remedy {
            Some(remedy) => finding.mend(remedy),
            None => finding,
        });
    }
    root.filter(|_root| !is_wrong).map(|root| Page { root, lines, path: String::new() })
}

impl Work<'_> {
    /// Where `mark` begins, in bytes.
    pub fn offset(&self, mark: Mark) -> usize {
        let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(0);
        let line = self.text_of(index(mark.line));
        let column = line.char_indices().nth(index(mark.column)).map_or(line.len(), |(at, _)| at);
        self.line(index(mark.line)) + column
    }

    /// Where a text stands with its quotes, if it stands in one line.
    pub fn scalar(&self, node: &Node) -> Option<Range<usize>> {
        let Kind::Scalar(scalar) = &node.kind else { return None };
        if scalar.style == Style::Block || (scalar.style == Style::Plain && scalar.text.is_empty())
        {
            return None;
        }
        let start = self.offset(node.mark);
        let width = usize::try_from(node.mark.width).unwrap_or(0);
        let rest = self.text.get(start..)?.lines().next()?;
        // The width that is known reaches over a comment behind it.
        if let Some(quote) = rest.chars().next().filter(|first| ['"', '\''].contains(first)) {
            return Some(start..start + closed(rest, quote)?);
        }
        let end = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
        Some(start..start + rest.get(..end)?.trim_end().len())
    }

    /// The lines of a key and its value, if the key is the first of its line.
    pub fn entry(&self, page: &Page, entry: &Entry) -> Option<Range<usize>> {
        let (line, column) = spot(entry.key.mark);
        let text = self.text_of(line);
        let is_first = indent(text) == column;
        is_first.then(|| self.line(line)..self.line(self.behind(page, line, column, false)))
    }

    /// The lines of an item of a list, if it has a `-` of its own.
    pub fn item(&self, page: &Page, item: &Node) -> Option<Range<usize>> {
        let (line, column) = spot(item.mark);
        let text = self.text_of(line);
        let dash = indent(text);
        let between = text.get(dash..).and_then(|rest| rest.strip_prefix('-'))?;
        let is_first = between.len() - between.trim_start().len() + 1 + dash == column;
        is_first.then(|| self.line(line)..self.line(self.behind(page, line, dash, true)))
    }

    /// The line behind what begins in `line` at `column`.
    fn behind(&self, page: &Page, line: usize, column: usize, is_item: bool) -> usize {
        let mut end = line + 1;
        for next in line + 1..page.lines.end {
            let text = self.text_of(next);
            let trimmed = text.trim();
            if trimmed.is_empty() {
                continue;
            }
            let list = !is_item && (trimmed == "-" || trimmed.starts_with("- "));
            let inside = indent(text) > column || (list && indent(text) == column);
            if !inside {
                break;
            }
            end = next + 1;
        }
        end
    }

    /// The first line of the comments that stand right above `line`.
    pub fn comments_above(&self, page: &Page, line: usize) -> usize {
        let is_comment = |line: &usize| self.text_of(*line).trim_start().starts_with('#');
        let first = (page.lines.start..line).rev().take_while(is_comment).last().unwrap_or(line);
        // What a document begins with is about all of it.
        if first == page.lines.start { line } else { first }
    }
}

/// Where a text in quotes ends that `rest` begins with, if it does so in this line.
fn closed(rest: &str, quote: char) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        let is_doubled = quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == quote);
        if (letter == '\\' && quote == '"') || (letter == quote && is_doubled) {
            letters.next();
        } else if letter == quote {
            return Some(at + quote.len_utf8());
        }
    }
    None
}

/// Line and column of a mark, from 0.
pub fn spot(mark: Mark) -> (usize, usize) {
    let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(0);
    (index(mark.line), index(mark.column))
}

/// With how many spaces a line begins.
pub fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The entry of the map `node` with this key.
pub fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    entries(node).iter().find(|entry| entry.name() == key)
}

/// The value at a path of keys.
pub fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| get(node, key).map(|entry| &entry.value))
}

/// The entries of a map; none of anything else.
pub fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Map(entries) => entries,
        Kind::List(_) | Kind::Scalar(_) => &[],
    }
}

/// The items of a list; none of anything else.
pub fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Map(_) | Kind::Scalar(_) => &[],
    }
}

/// The text of a scalar that is written.
pub fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
        Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// Lines with so many spaces before each.
pub fn block(lines: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    lines.iter().fold(String::new(), |text, line| text + &pad + line + "\n")
}

/// A text as a value of YAML, in quotes where it would be something else without.
pub fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let is_text = text.bytes().all(is_plain)
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && !text.ends_with(':')
        && !is_word;
    if is_text { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
