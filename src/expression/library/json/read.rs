//! JSON from text, as Newtonsoft reads it: also with comments, single quotes, names without
//! quotes and commas at the end. Strings that are dates become dates.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::expression::library::moment::parse::json_date;
use crate::expression::value::STRING_BYTES_MAX;
use crate::expression::value::json::{Json, JsonArray, JsonObject, bounded_depth, bounded_tokens};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

mod scan;

use self::scan::Scan;

/// `JToken.Parse(text)`.
pub fn token(text: &str) -> Result<Json, Thrown> {
    let mut reader = Reader::new(text)?;
    let token = reader.token(0)?;
    reader.end()?;
    Ok(token)
}

/// `JObject.Parse(text)`.
pub fn object(text: &str) -> Result<JsonObject, Thrown> {
    let mut reader = Reader::new(text)?;
    reader.scan.space()?;
    if reader.scan.peek() != Some('{') {
        let found = reader.scan.kind();
        return Err(reader.scan.fault(&format!(
            "Error reading JObject from JsonReader. Current JsonReader item is not an object: \
             {found}."
        )));
    }
    let token = reader.token(0)?;
    reader.end()?;
    match token {
        Json::Object(object) => Ok(object),
        _ => Err(reader.scan.fault("Error reading JObject from JsonReader.")),
    }
}

/// `JArray.Parse(text)`.
pub fn array(text: &str) -> Result<JsonArray, Thrown> {
    let mut reader = Reader::new(text)?;
    reader.scan.space()?;
    if reader.scan.peek() != Some('[') {
        let found = reader.scan.kind();
        return Err(reader.scan.fault(&format!(
            "Error reading JArray from JsonReader. Current JsonReader item is not an array: \
             {found}."
        )));
    }
    let token = reader.token(0)?;
    reader.end()?;
    match token {
        Json::Array(array) => Ok(array),
        _ => Err(reader.scan.fault("Error reading JArray from JsonReader.")),
    }
}

struct Reader<'t> {
    scan: Scan<'t>,
    tokens: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Result<Self, Thrown> {
        if text.len() > STRING_BYTES_MAX {
            return Err(Thrown::limit(format!(
                "JSON may be at most {STRING_BYTES_MAX} bytes long"
            )));
        }
        let scan = Scan::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        Ok(Self { scan, tokens: 0 })
    }

    /// Nothing but space may come after the token.
    fn end(&mut self) -> Result<(), Thrown> {
        self.scan.space()?;
        match self.scan.peek() {
            None => Ok(()),
            Some(extra) => Err(self.scan.fault(&format!(
                "Additional text encountered after finished reading JSON content: {extra}."
            ))),
        }
    }

    fn token(&mut self, depth: usize) -> Result<Json, Thrown> {
        bounded_depth(depth)?;
        self.tokens = self.tokens.saturating_add(1);
        bounded_tokens(self.tokens)?;
        self.scan.space()?;
        match self.scan.peek() {
            None => Err(self
                .scan
                .fault("Error reading JToken from JsonReader. Unexpected end of content.")),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some(quote @ ('"' | '\'')) => {
                let text = self.scan.string(quote)?;
                Ok(json_date(&text).map_or_else(|| Json::String(Arc::from(text)), Json::Date))
            }
            Some('-' | '.' | '0'..='9') => self.scan.number(),
            Some(_) => self.scan.literal(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Thrown> {
        self.scan.skip('{');
        let mut members: IndexMap<Arc<str>, Json> = IndexMap::new();
        loop {
            self.scan.space()?;
            if self.scan.skip('}') {
                break;
            }
            let name = self.scan.name()?;
            self.scan.space()?;
            if !self.scan.skip(':') {
                return Err(self.scan.expected("after parsing a property name. Expected: :"));
            }
            let value = self.token(depth.saturating_add(1))?;
            // Of members with one name the last one counts, at the place of the first.
            members.insert(Arc::from(name), value);
            self.scan.space()?;
            if self.scan.skip('}') {
                break;
            }
            if !self.scan.skip(',') {
                return Err(self.scan.expected("after parsing a value. Expected: , or }"));
            }
        }
        Ok(Json::Object(JsonObject::from_members(members)))
    }

    fn array(&mut self, depth: usize) -> Result<Json, Thrown> {
        self.scan.skip('[');
        let mut items = Vec::new();
        loop {
            self.scan.space()?;
            if self.scan.skip(']') {
                break;
            }
            items.push(self.token(depth.saturating_add(1))?);
            self.scan.space()?;
            if self.scan.skip(']') {
                break;
            }
            if !self.scan.skip(',') {
                return Err(self.scan.expected("after parsing a value. Expected: , or ]"));
            }
        }
        Ok(Json::Array(JsonArray::from_items(items)))
    }
}

/// A reader's exception with its place in the text.
fn reader_fault(message: &str, line: usize, position: usize) -> Thrown {
    Thrown::new(
        ExceptionKind::JsonReader,
        format!("{message} Path '', line {line}, position {position}."),
    )
}
