//! The facts of a line, one after the other, for whoever writes them: as JSON ([`Json`]), as the fields of
//! an entry, or as attributes (`otlp::log`). They are told once for each, and no tree is made of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::telemetry::text::without_tokens;

/// Takes facts under their names, in the order in which lines have them.
pub(super) trait Facts {
    /// A word of the gateway's own: nothing in it needs to be escaped, and no token is in it.
    fn word(&mut self, name: &'static str, word: &str);

    /// A text from elsewhere.
    fn text(&mut self, name: &'static str, text: &str);

    /// A number.
    fn number(&mut self, name: &'static str, number: u64);

    /// Yes or no.
    fn flag(&mut self, name: &'static str, flag: bool);

    /// Several texts, at least one.
    fn several(&mut self, name: &'static str, texts: &[String]);

    /// Names and values, at least one.
    fn pairs(&mut self, name: &'static str, pairs: &BTreeMap<String, String>);

    /// A text from elsewhere, if there is one.
    fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }
}

/// A JSON object that is being written.
pub(super) struct Json {
    out: Vec<u8>,
}

/// How much room is made for a line: most need no more.
const LINE_BYTES: usize = 1024;

impl Json {
    /// The object that is the line of `tell`, and the end of that line.
    pub(super) fn line(tell: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { out: Vec::with_capacity(LINE_BYTES) };
        json.out.push(b'{');
        tell(&mut json);
        json.out.extend_from_slice(b"}\n");
        json.out
    }

    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(if self.out.len() == 1 { b"\"" } else { b",\"" });
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

impl Facts for Json {
    fn word(&mut self, name: &'static str, word: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        // Memory takes all, here and below, and these values are all JSON.
        let _ = serde_json::to_writer(&mut self.out, &*without_tokens(text));
    }

    fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        let _ = serde_json::to_writer(&mut self.out, &number);
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.name(name);
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    fn several(&mut self, name: &'static str, texts: &[String]) {
        self.name(name);
        let _ = serde_json::to_writer(&mut self.out, &shown(texts));
    }

    fn pairs(&mut self, name: &'static str, pairs: &BTreeMap<String, String>) {
        self.name(name);
        let _ = serde_json::to_writer(&mut self.out, &named(pairs));
    }
}

impl Facts for Map<String, Value> {
    fn word(&mut self, name: &'static str, word: &str) {
        self.insert(name.to_owned(), Value::from(word));
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.insert(name.to_owned(), Value::from(without_tokens(text)));
    }

    fn number(&mut self, name: &'static str, number: u64) {
        self.insert(name.to_owned(), Value::from(number));
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.insert(name.to_owned(), Value::from(flag));
    }

    fn several(&mut self, name: &'static str, texts: &[String]) {
        self.insert(name.to_owned(), shown(texts));
    }

    fn pairs(&mut self, name: &'static str, pairs: &BTreeMap<String, String>) {
        self.insert(name.to_owned(), named(pairs));
    }
}

/// Several texts as JSON.
pub(super) fn shown(texts: &[String]) -> Value {
    texts.iter().map(|text| without_tokens(text)).collect()
}

/// Names and values as JSON.
pub(super) fn named(pairs: &BTreeMap<String, String>) -> Value {
    let shown = |text: &str| without_tokens(text).into_owned();
    pairs.iter().map(|(name, value)| (shown(name), shown(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";

    fn tell(to: &mut impl Facts) {
        to.word("a", "word");
        to.text("b", "\"\u{1b}\n");
        to.text("c", TOKEN);
        to.number("d", u64::MAX);
        to.flag("e", true);
        to.several("f", &[TOKEN.to_owned()]);
        to.pairs("g", &BTreeMap::from([(TOKEN.to_owned(), TOKEN.to_owned())]));
        to.optional("h", None);
    }

    #[test]
    fn a_line_is_an_object_on_one_line_and_has_no_token() {
        let line = Json::line(tell);
        let end = line.iter().position(|byte| *byte == b'\n');
        assert_eq!(end, Some(line.len() - 1));
        let read: Map<String, Value> = serde_json::from_slice(&line).unwrap();
        let mut fields = Map::new();
        tell(&mut fields);
        assert_eq!(read, fields);
        assert_eq!((&read["b"], &read["c"]), (&"\"\u{1b}\n".into(), &"(secret)".into()));
        let covered = serde_json::json!([["(secret)"], {"(secret)": "(secret)"}]);
        assert_eq!((&read["f"], &read["g"]), (&covered[0], &covered[1]));
    }
}
