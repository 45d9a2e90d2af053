//! JSON from text, as Newtonsoft reads it: also with comments, single quotes, names without
//! quotes and commas at the end. Strings that are dates become dates. What is wrong is said in the
//! words of its exceptions, with path, line and position: people look for these words.

use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::expression::library::moment::parse::json_date;
use crate::expression::value::STRING_BYTES_MAX;
use crate::expression::value::json::{Json, JsonArray, JsonObject, bounded_depth, bounded_tokens};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

mod scan;

use self::scan::{Scan, Wrong};

/// `JToken.Parse(text)`.
pub fn token(text: &str) -> Result<Json, Thrown> {
    Reader::new(text)?.whole("JToken")
}

/// The token in `text`, with dates as the strings that they are written as.
pub fn token_as_written(text: &str) -> Result<Json, Thrown> {
    let mut reader = Reader::new(text)?;
    reader.keeps_dates = true;
    reader.whole("JToken")
}

/// `JObject.Parse(text)`.
pub fn object(text: &str) -> Result<JsonObject, Thrown> {
    let mut reader = Reader::new(text)?;
    match reader.whole("JObject")? {
        Json::Object(object) => Ok(object),
        other => Err(reader.another("JObject", "an object", &other)),
    }
}

/// `JArray.Parse(text)`.
pub fn array(text: &str) -> Result<JsonArray, Thrown> {
    let mut reader = Reader::new(text)?;
    match reader.whole("JArray")? {
        Json::Array(array) => Ok(array),
        other => Err(reader.another("JArray", "an array", &other)),
    }
}

struct Reader<'t> {
    scan: Scan<'t>,
    tokens: usize,
    /// Where in the document the reader is: a step for each object or list that is open.
    path: Vec<Step>,
    /// Where the text was when the outermost token was known.
    known: (usize, usize),
    /// Which type reads the outermost object or list.
    outermost: &'static str,
    /// Whether a string stays one, also where it looks like a date.
    keeps_dates: bool,
}

/// What of an object or list was read last.
enum Step {
    Member(Option<Arc<str>>),
    Item(Option<usize>),
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Result<Self, Thrown> {
        if text.len() > STRING_BYTES_MAX {
            return Err(Thrown::limit(format!(
                "JSON may be at most {STRING_BYTES_MAX} bytes long"
            )));
        }
        let scan = Scan::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let (path, outermost) = (Vec::new(), "JToken");
        Ok(Self { scan, tokens: 0, path, known: (0, 0), outermost, keeps_dates: false })
    }

    /// The token that the text is, for a `parse` of that type.
    fn whole(&mut self, parse: &'static str) -> Result<Json, Thrown> {
        self.space()?;
        if self.scan.peek().is_none() {
            return Err(self.fault(&format!("Error reading {parse} from JsonReader.")));
        }
        let fits = match parse {
            "JObject" => self.scan.peek() == Some('{'),
            "JArray" => self.scan.peek() == Some('['),
            _ => true,
        };
        if !fits && self.scan.peek() == Some('{') {
            // What it holds is not read: another exception comes first.
            self.open('{', Step::Member(None), "JObject");
            return Ok(Json::Object(JsonObject::from_members(IndexMap::new())));
        }
        if !fits && self.scan.peek() == Some('[') {
            self.open('[', Step::Item(None), "JArray");
            return Ok(Json::Array(JsonArray::from_items(Vec::new())));
        }
        let token = self.token(0)?;
        if !fits {
            return Ok(token);
        }
        self.space()?;
        match self.scan.peek() {
            None => Ok(token),
            Some(extra) => Err(self.fault(&format!(
                "Additional text encountered after finished reading JSON content: {extra}."
            ))),
        }
    }

    /// The exception for a token of another kind.
    fn another(&self, parse: &str, wanted: &str, found: &Json) -> Thrown {
        let kind = match found {
            Json::Object(_) => "StartObject",
            Json::Array(_) => "StartArray",
            Json::String(_) => "String",
            Json::Bool(_) => "Boolean",
            Json::Int(_) | Json::Big(_) => "Integer",
            Json::Double(_) => "Float",
            Json::Date(_) => "Date",
            _ => "Null",
        };
        let message = format!(
            "Error reading {parse} from JsonReader. Current JsonReader item is not {wanted}: {kind}."
        );
        let (line, position) = self.known;
        reader_fault(&message, "", line, position)
    }

    fn token(&mut self, depth: usize) -> Result<Json, Thrown> {
        bounded_depth(depth)?;
        self.tokens = self.tokens.saturating_add(1);
        bounded_tokens(self.tokens)?;
        self.space()?;
        let token = match self.scan.peek() {
            None => return Err(self.ended()),
            Some('{') => return self.object(depth),
            Some('[') => return self.array(depth),
            Some(quote @ ('"' | '\'')) => {
                let text = self.scan.string(quote);
                let text = self.placed(text)?;
                let date = if self.keeps_dates { None } else { json_date(&text) };
                date.map_or_else(|| Json::String(Arc::from(text)), Json::Date)
            }
            Some('-' | '.' | '0'..='9') => {
                let number = self.scan.number();
                self.placed(number)?
            }
            Some(_) => {
                let literal = self.scan.literal();
                self.placed(literal)?
            }
        };
        self.met();
        Ok(token)
    }

    fn object(&mut self, depth: usize) -> Result<Json, Thrown> {
        self.open('{', Step::Member(None), "JObject");
        let mut members: IndexMap<Arc<str>, Json> = IndexMap::new();
        loop {
            self.space()?;
            if self.scan.skip('}') {
                break;
            }
            if self.scan.peek().is_none() {
                return Err(self.ended());
            }
            let name = self.scan.name();
            let name: Arc<str> = Arc::from(self.placed(name)?);
            self.space()?;
            if !self.scan.skip(':') {
                let found = self.scan.peek().unwrap_or('\0');
                return Err(self.fault(&format!(
                    "Invalid character after parsing a property name. Expected ':' but got: {found}."
                )));
            }
            if let Some(Step::Member(last)) = self.path.last_mut() {
                *last = Some(Arc::clone(&name));
            }
            let value = self.token(depth.saturating_add(1))?;
            // Of members with one name the last one counts, at the place of the first.
            members.insert(name, value);
            if self.closes('}')? {
                break;
            }
        }
        self.path.pop();
        Ok(Json::Object(JsonObject::from_members(members)))
    }

    fn array(&mut self, depth: usize) -> Result<Json, Thrown> {
        self.open('[', Step::Item(None), "JArray");
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.scan.skip(']') {
                break;
            }
            items.push(self.token(depth.saturating_add(1))?);
            if self.closes(']')? {
                break;
            }
        }
        self.path.pop();
        Ok(Json::Array(JsonArray::from_items(items)))
    }

    fn open(&mut self, bracket: char, step: Step, type_name: &'static str) {
        self.scan.skip(bracket);
        self.met();
        if self.path.is_empty() {
            self.outermost = type_name;
        }
        self.path.push(step);
    }

    /// Takes note of a token: it is the next item if a list is open.
    fn met(&mut self) {
        match self.path.last_mut() {
            Some(Step::Item(last)) => {
                *last = Some(last.map_or(0, |last| last.saturating_add(1)));
            }
            Some(Step::Member(_)) => (),
            None => self.known = self.scan.place(),
        }
    }

    /// Whether what is open ends here with `bracket`; otherwise a comma comes first.
    fn closes(&mut self, bracket: char) -> Result<bool, Thrown> {
        self.space()?;
        if self.scan.skip(bracket) {
            return Ok(true);
        }
        match self.scan.peek() {
            None => Err(self.ended()),
            Some(',') => Ok(!self.scan.skip(',')),
            Some(found) => Err(self.fault(&format!(
                "After parsing a value an unexpected character was encountered: {found}."
            ))),
        }
    }

    fn space(&mut self) -> Result<(), Thrown> {
        let skipped = self.scan.space();
        self.placed(skipped)
    }

    fn ended(&self) -> Thrown {
        self.fault(&format!("Unexpected end of content while loading {}.", self.outermost))
    }

    fn placed<T>(&self, read: Result<T, Wrong>) -> Result<T, Thrown> {
        read.map_err(|Wrong(message)| self.fault(&message))
    }

    /// An exception at the present place.
    fn fault(&self, message: &str) -> Thrown {
        let (line, position) = self.scan.place();
        // Before its first token the reader is on no line yet.
        let line = if self.known == (0, 0) && position == 0 { 0 } else { line };
        reader_fault(message, &self.path_text(), line, position)
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            // Writing to a string cannot fail.
            let _ = match step {
                Step::Member(Some(name)) if name.chars().any(is_special) => {
                    write!(text, "['{}']", name.replace('\\', r"\\").replace('\'', r"\'"))
                }
                Step::Member(Some(name)) if text.is_empty() => write!(text, "{name}"),
                Step::Member(Some(name)) => write!(text, ".{name}"),
                Step::Item(Some(at)) => write!(text, "[{at}]"),
                Step::Member(None) | Step::Item(None) => Ok(()),
            };
        }
        text
    }
}

/// Whether a name with this character stands in brackets in a path.
const fn is_special(character: char) -> bool {
    matches!(
        character,
        '.' | ' '
            | '\''
            | '/'
            | '"'
            | '['
            | ']'
            | '('
            | ')'
            | '\t'
            | '\n'
            | '\r'
            | '\u{c}'
            | '\u{8}'
            | '\\'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

/// A reader's exception with its place in the text.
fn reader_fault(message: &str, path: &str, line: usize, position: usize) -> Thrown {
    Thrown::new(
        ExceptionKind::JsonReader,
        format!("{message} Path '{path}', line {line}, position {position}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG_OBJECTS: &[(&str, &str)] = &[
        (
            "nojson",
            "Unexpected character encountered while parsing value: n. Path '', line 0, position 0.",
        ),
        (
            "<html>",
            "Unexpected character encountered while parsing value: <. Path '', line 0, position 0.",
        ),
        (
            "\n <a>",
            "Unexpected character encountered while parsing value: <. Path '', line 2, position 1.",
        ),
        ("", "Error reading JObject from JsonReader. Path '', line 0, position 0."),
        (
            "[1]",
            "Error reading JObject from JsonReader. Current JsonReader item is not an object: StartArray. Path '', line 1, position 1.",
        ),
        (
            " \"x\"",
            "Error reading JObject from JsonReader. Current JsonReader item is not an object: String. Path '', line 1, position 4.",
        ),
        (
            "1.5",
            "Error reading JObject from JsonReader. Current JsonReader item is not an object: Float. Path '', line 1, position 3.",
        ),
        (
            "null",
            "Error reading JObject from JsonReader. Current JsonReader item is not an object: Null. Path '', line 1, position 4.",
        ),
        ("{", "Unexpected end of content while loading JObject. Path '', line 1, position 1."),
        (
            "{\"a\":",
            "Unexpected end of content while loading JObject. Path 'a', line 1, position 5.",
        ),
        (
            "{\"a\":{\"b c\":[1,",
            "Unexpected end of content while loading JObject. Path 'a['b c'][0]', line 1, position 15.",
        ),
        (
            "{\"a\" 1}",
            "Invalid character after parsing a property name. Expected ':' but got: 1. Path '', line 1, position 5.",
        ),
        (
            "{\"a\":1 \"b\":2}",
            "After parsing a value an unexpected character was encountered: \". Path 'a', line 1, position 7.",
        ),
        (
            "{\"a\":[1,{},x]}",
            "Unexpected character encountered while parsing value: x. Path 'a[1]', line 1, position 11.",
        ),
        ("{\"a\":tru}", "Error parsing boolean value. Path 'a', line 1, position 8."),
        ("{\"a\":nul}", "Error parsing null value. Path 'a', line 1, position 8."),
        (
            "{\"a\":12g}",
            "Unexpected character encountered while parsing number: g. Path 'a', line 1, position 7.",
        ),
        ("{\"a\":'x}", "Unterminated string. Expected delimiter: '. Path 'a', line 1, position 8."),
        ("{\"a\":'\\q'}", "Bad JSON escape sequence: \\q. Path 'a', line 1, position 8."),
        ("{,}", "Invalid property identifier character: ,. Path '', line 1, position 1."),
        (
            "{} x",
            "Additional text encountered after finished reading JSON content: x. Path '', line 1, position 3.",
        ),
    ];

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_newtonsoft() {
        for (text, message) in WRONG_OBJECTS {
            assert_eq!(object(text).unwrap_err().message, *message, "{text}");
        }
        assert_eq!(
            array("[1,\n2").unwrap_err().message,
            "Unexpected end of content while loading JArray. Path '[1]', line 2, position 1."
        );
        assert_eq!(
            array("{}").unwrap_err().message,
            "Error reading JArray from JsonReader. Current JsonReader item is not an array: StartObject. Path '', line 1, position 1."
        );
    }
}
