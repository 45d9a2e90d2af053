//! Gateway tokens that stand in files, wherever and however: as values, in commands, in Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::configuration::yaml::{Kind as Written, Node};
use crate::fault::Place;
use crate::migration::page::{Page, entries, items, pages};
use crate::migration::work::Work;
use crate::migration::{Input, Kind, Options, kind};
use crate::time::Timestamp;
use crate::token::SCHEME;
use crate::token::minute::Minute;

/// The longest text that is looked into for Base64, in bytes: tokens are short.
const ENCODED_BYTES_MAX: usize = 4096;

/// A token that stands in a file.
#[derive(Debug)]
pub(super) struct Token {
    /// Where it stands: a key, or the name of its file's kind.
    pub(super) what: String,
    pub(super) place: Place,
    /// When it ends, if it says so.
    pub(super) end: Option<Timestamp>,
}

/// The tokens of a file.
pub(super) fn tokens(input: &Input, options: &Options) -> Vec<Token> {
    let mut work = Work::on(input, options);
    let mut found = Vec::new();
    if kind(input) == Kind::Yaml {
        for page in pages(&mut work) {
            let Page { root, .. } = &page;
            node(&work, root, "item", &mut found);
        }
        return found;
    }
    let mut at = 0;
    for line in input.text.split_inclusive('\n') {
        let what = line.trim().split(['=', ' ']).next().unwrap_or_default();
        let what = if what.contains('.') { what } else { "token" };
        found.extend(in_text(line).into_iter().map(|(offset, end)| Token {
            what: what.to_owned(),
            place: work.place(at + offset),
            end,
        }));
        at += line.len();
    }
    found
}

/// What stands in YAML; `what` is the key above.
fn node(work: &Work<'_>, written: &Node, what: &str, found: &mut Vec<Token>) {
    for entry in entries(written) {
        node(work, &entry.value, entry.name(), found);
    }
    for item in items(written) {
        node(work, item, what, found);
    }
    let Written::Scalar(scalar) = &written.kind else { return };
    let text = decoded(&scalar.text).unwrap_or_else(|| scalar.text.to_string());
    let place = work.place(work.offset(written.mark));
    let tokens = in_text(&text).into_iter();
    found.extend(tokens.map(|(_, end)| Token { what: what.to_owned(), place: place.clone(), end }));
}

/// A text that stands in Base64, as Secrets have it.
fn decoded(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() < SCHEME.len() || ENCODED_BYTES_MAX < text.len() {
        return None;
    }
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// The tokens of a text, each with where it begins and when it ends.
fn in_text(text: &str) -> Vec<(usize, Option<Timestamp>)> {
    let begins = text.match_indices(SCHEME).map(|(at, _)| at);
    let token = |at: usize| {
        let rest = text.get(at + SCHEME.len()..)?;
        let end = rest.find(|it: char| it.is_whitespace() || "\"'`,;".contains(it));
        let mut parts = rest.get(..end.unwrap_or(rest.len()))?.split('&').skip(1);
        let (minute, signature) = (parts.next()?, parts.next()?);
        // `GatewayKey NAME&DATE&…` in a manual is none.
        let is_one = !signature.is_empty() && !signature.contains(['<', '…', '$']);
        is_one.then(|| (at, Minute::parse(minute).map(Minute::at)))
    };
    begins.filter_map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_and_examples_are_not() {
        let text = "run -e 'a=GatewayKey x&202608050000&eA==' -e b=\"GatewayKey $ID&$END&$SIGN\"";
        let found = in_text(text);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.is_some() && text[found[0].0..].starts_with(SCHEME));
        assert!(in_text("GatewayKey <paste it here>").is_empty());
        let encoded = STANDARD.encode("GatewayKey x&202608050000&eA==");
        assert!(decoded(&encoded).is_some_and(|text| in_text(&text).len() == 1));
    }
}
