//! The properties of one artifact: what is taken of them, and a line for each that is not.

use serde_json::{Map, Value};

use super::Imported;
use crate::configuration::yaml::{Files, parse};
use crate::fault::Place;
use crate::migration::finding::{Finding, Level};

/// What says nothing about requests.
const WORDS: [&str; 16] = [
    "description",
    "apiVersionDescription",
    "apiRevisionDescription",
    "termsOfServiceUrl",
    "terms",
    "contact",
    "license",
    "tags",
    "resourceId",
    "isBuffered",
    "notifications",
    "builtIn",
    "externalId",
    "format",
    "apiVersionSet",
    "sourceApiId",
];

/// The properties of one artifact, as far as nobody has taken them.
pub(super) struct Properties<'a> {
    file: &'a str,
    text: &'a str,
    what: String,
    left: Map<String, Value>,
}

impl<'a> Properties<'a> {
    /// Reads the JSON of an artifact; a fault of it is told.
    pub(super) fn read(
        file: &'a str,
        text: &'a str,
        what: &str,
        imported: &mut Imported,
    ) -> Option<Self> {
        let read: Result<Value, _> = serde_json::from_str(text.trim_start_matches('\u{feff}'));
        let mut value = match read {
            Ok(value) => value,
            Err(error) => {
                let message = format!("this is no JSON: {error}");
                imported.advise(Level::Refused, file, what, (&message, "extract it again"));
                return None;
            }
        };
        let inner = value.get_mut("properties").map(Value::take).unwrap_or(value);
        let left = match inner {
            Value::Object(map) => map,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        Some(Self { file, text, what: what.to_owned(), left })
    }

    /// Takes a property, without a line.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.shift_remove(name).filter(|value| !is_empty(value))
    }

    /// Takes a text, without a line.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(|value| value.as_str().map(str::to_owned))
    }

    /// Takes properties into `into`, some under another name, each with a line.
    pub(super) fn carry(
        &mut self,
        names: &[(&str, &str)],
        into: &mut Map<String, Value>,
        imported: &mut Imported,
    ) {
        for (name, new) in names {
            if let Some(value) = self.take(name) {
                into.insert((*new).to_owned(), value);
                let (level, message) = if name == new {
                    (Level::Carried, "as it is".to_owned())
                } else {
                    (Level::Changed, format!("now {new}"))
                };
                self.say(imported, level, name, (&message, None));
            }
        }
    }

    /// Says what became of a property.
    pub(super) fn say(
        &self,
        imported: &mut Imported,
        level: Level,
        name: &str,
        said: (&str, Option<&str>),
    ) {
        let line = self.text.lines().position(|line| line.contains(&format!("\"{name}\"")));
        let line = u32::try_from(line.map_or(1, |line| line + 1)).unwrap_or(1);
        let place = Place { line, ..Place::start_of(&self.file.into()) };
        let finding = Finding::of(level, place, format!("{}.{name}", self.what), said.0);
        imported.findings.push(match said.1 {
            Some(remedy) => finding.mend(remedy),
            None => finding,
        });
    }

    /// Says of everything that is left what it is not.
    pub(super) fn rest(mut self, imported: &mut Imported) {
        for (name, value) in std::mem::take(&mut self.left) {
            if is_empty(&value) || WORDS.contains(&name.as_str()) {
                self.say(imported, Level::Dropped, &name, ("it says nothing about requests", None));
            } else {
                let said = ("Weir does not have this", Some("decide whether you need it, and how"));
                self.say(imported, Level::Refused, &name, said);
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A YAML document as JSON.
pub(super) fn yaml(file: &str, text: &str, imported: &mut Imported) -> Option<Value> {
    let mut files = Files::default();
    let number = files.add(&file.into());
    let mut faults = Vec::new();
    let root = parse(text, number, &files, &mut faults);
    for fault in faults {
        let finding = Finding::of(Level::Refused, fault.place, "yaml", fault.message);
        imported.findings.push(finding.mend(fault.remedy.unwrap_or_else(|| "mend it".to_owned())));
    }
    root.map(|root| value(&root))
}

fn value(node: &crate::configuration::yaml::Node) -> Value {
    use crate::configuration::yaml::{Kind, Style};
    match &node.kind {
        Kind::Map(all) => {
            all.iter().map(|entry| (entry.name().to_owned(), value(&entry.value))).collect()
        }
        Kind::List(all) => all.iter().map(value).collect(),
        Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
        Kind::Scalar(scalar) if scalar.style == Style::Plain => match &*scalar.text {
            "true" => true.into(),
            "false" => false.into(),
            text => number(text).unwrap_or_else(|| text.into()),
        },
        Kind::Scalar(scalar) => (*scalar.text).into(),
    }
}

/// The number that is written.
fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    // Words are numbers, too, for whoever asks carelessly: `inf`, `nan`.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let parts = text.parse::<f64>().ok().filter(|_parts| is_number)?;
    serde_json::Number::from_f64(parts).map(Value::Number)
}
