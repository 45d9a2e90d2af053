//! What an operation takes and gives: parameters, bodies, responses.

use std::collections::BTreeSet;

use http::HeaderValue;
use serde_json::{Map, Value};

use super::Reader;
use super::schemas::is_too_deep;
use crate::exchange::contents::essence;
use crate::migration::finding::Level;
use crate::route::template::Template;

/// Header fields that documents describe elsewhere, and that are none of their parameters.
const OWN_HEADERS: [&str; 3] = ["accept", "authorization", "content-type"];

/// What is taken of a parameter.
const TAKEN: [&str; 7] = ["name", "in", "description", "required", "schema", "content", "type"];

/// A parameter that is resolved.
type Parameter<'a> = &'a Map<String, Value>;

impl<'a> Reader<'a> {
    /// Puts what an operation takes and gives into it.
    pub(super) fn contents(
        &mut self,
        what: &str,
        (path, item, operation): (&str, &'a Map<String, Value>, &'a Map<String, Value>),
        out: &mut Map<String, Value>,
    ) {
        let parameters =
            self.parameters(what, [item.get("parameters"), operation.get("parameters")]);
        let template = Template::parse(path).ok();
        let names: BTreeSet<&str> = template.iter().flat_map(Template::names).collect();
        let mut lists = [("path", Vec::new()), ("query", Vec::new()), ("header", Vec::new())];
        for (name, place, parameter) in parameters {
            let what = format!("{what} parameter {name}");
            let list = lists.iter_mut().find(|(known, _)| *known == place);
            let is_own = OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            match list {
                Some(("path", _)) if !names.contains(name) => {
                    self.drop(&what, ("the path has no part of this name", "add it to the path"));
                }
                Some(("header", _)) if is_own => {
                    self.drop(&what, ("documents describe this field otherwise", "remove it"));
                }
                Some((_, list)) => list.push(self.parameter(&what, name, parameter)),
                None => {
                    let message = format!("a configuration holds no parameters in `{place}`");
                    self.drop(&what, (&message, "write a policy that looks at it"));
                }
            }
        }
        let [(_, path), (_, query), (_, header)] = lists;
        let body = operation.get("requestBody").map(|body| self.body(what, body));
        let mut request = Map::new();
        for (name, list) in [
            ("headers", header),
            ("queryParameters", query),
            ("representations", body.unwrap_or_default()),
        ] {
            keep(&mut request, name, list);
        }
        keep(out, "templateParameters", path);
        if !request.is_empty() {
            out.insert("request".to_owned(), request.into());
        }
        let responses = operation.get("responses").and_then(Value::as_object);
        let mut taken = Vec::new();
        for (status, response) in responses.into_iter().flatten() {
            if !status.starts_with("x-") {
                taken.extend(self.response(&format!("{what} response {status}"), status, response));
            }
        }
        keep(out, "responses", taken);
    }

    /// The parameters of an operation with their names and places; its own before those of its path.
    fn parameters(
        &mut self,
        what: &str,
        lists: [Option<&'a Value>; 2],
    ) -> Vec<(&'a str, &'a str, Parameter<'a>)> {
        let mut all: Vec<(&str, &str, Parameter<'_>)> = Vec::new();
        for written in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let parameter = match self.resolved(written) {
                Ok(parameter) => parameter,
                Err(why) => {
                    self.refuse(&format!("{what} parameters"), &why);
                    continue;
                }
            };
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            let (Some(name), Some(place), Some(members)) =
                (text("name"), text("in"), parameter.as_object())
            else {
                self.refuse(&format!("{what} parameters"), "one of them has no `name` and `in`");
                continue;
            };
            let is_same = |known: &(&str, &str, Parameter<'_>)| {
                let is_name =
                    known.0 == name || (place == "header" && known.0.eq_ignore_ascii_case(name));
                known.1 == place && is_name
            };
            match all.iter_mut().find(|known| is_same(known)) {
                Some(known) => *known = (name, place, members),
                None => all.push((name, place, members)),
            }
        }
        all
    }

    /// A parameter or a field of a response, as a configuration has it.
    fn parameter(&mut self, what: &str, name: &str, parameter: Parameter<'a>) -> Value {
        let mut out = Map::from_iter([("name".to_owned(), Value::from(name))]);
        if let Some(text) = parameter.get("description").and_then(Value::as_str) {
            out.insert("description".to_owned(), text.into());
        }
        if parameter.get("required").and_then(Value::as_bool) == Some(true) {
            out.insert("required".to_owned(), true.into());
        }
        let content = parameter.get("content").and_then(Value::as_object);
        let inner = content.and_then(|content| content.values().next()?.get("schema"));
        if let Some(schema) = parameter.get("schema").or(inner) {
            self.schema(what, schema, &mut out);
        } else if let Some(kind) = parameter.get("type").filter(|kind| kind.is_string()) {
            // Swagger 2.0 has no schema around it.
            self.schema(what, &serde_json::json!({ "type": kind }), &mut out);
        }
        let others: Vec<&String> =
            parameter.keys().filter(|key| !TAKEN.contains(&key.as_str())).collect();
        if !others.is_empty() {
            let names: Vec<&str> = others.iter().map(|name| name.as_str()).collect();
            let message = format!("{}: not part of what is validated", names.join(", "));
            self.imported.say(Level::Dropped, self.file, what, message);
        }
        out.into()
    }

    fn body(&mut self, what: &str, written: &'a Value) -> Vec<Value> {
        let what = format!("{what} requestBody");
        let body = match self.resolved(written) {
            Ok(body) => body,
            Err(why) => {
                self.refuse(&what, &why);
                return Vec::new();
            }
        };
        if body.get("required").and_then(Value::as_bool) == Some(true) {
            let message = "required: a configuration does not say whether there has to be a body";
            self.imported.say(Level::Dropped, self.file, &what, message);
        }
        self.rest_of(&what, body, &["content", "required"]);
        self.representations(&what, body.get("content"))
    }

    fn response(&mut self, what: &str, status: &str, written: &'a Value) -> Option<Value> {
        let number: Option<u16> = status.parse().ok().filter(|it| (200..=599).contains(it));
        let Some(number) = number else {
            let said = (
                "a configuration has responses by their statuses only",
                "write those that matter, such as 400 and 500, into the document",
            );
            self.drop(what, said);
            return None;
        };
        let response = match self.resolved(written) {
            Ok(response) => response,
            Err(why) => {
                self.refuse(what, &why);
                return None;
            }
        };
        let mut out = Map::from_iter([("statusCode".to_owned(), Value::from(number))]);
        if let Some(text) = response.get("description").and_then(Value::as_str)
            && !text.is_empty()
        {
            out.insert("description".to_owned(), text.into());
        }
        let mut headers = Vec::new();
        let all = response.get("headers").and_then(Value::as_object);
        for (name, written) in all.into_iter().flatten() {
            let what = format!("{what} header {name}");
            match self.resolved(written).map(Value::as_object) {
                _ if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) => {
                    self.drop(&what, ("documents describe this field otherwise", "remove it"));
                }
                Ok(Some(header)) => headers.push(self.parameter(&what, name, header)),
                Ok(None) => self.refuse(&what, "it says nothing"),
                Err(why) => self.refuse(&what, &why),
            }
        }
        keep(&mut out, "headers", headers);
        keep(&mut out, "representations", self.representations(what, response.get("content")));
        self.rest_of(what, response, &["description", "headers", "content"]);
        Some(out.into())
    }

    fn rest_of(&mut self, what: &str, value: &Value, taken: &[&str]) {
        let names = value.as_object().into_iter().flat_map(Map::keys);
        let others: Vec<&String> = names.filter(|name| !taken.contains(&name.as_str())).collect();
        self.others(what, &others);
    }

    fn representations(&mut self, what: &str, content: Option<&'a Value>) -> Vec<Value> {
        let mut all = Vec::new();
        let mut kinds = BTreeSet::new();
        for (kind, content) in content.and_then(Value::as_object).into_iter().flatten() {
            let what = format!("{what} {}", kind.escape_debug());
            if HeaderValue::from_str(kind).is_err() || kind.trim().is_empty() {
                self.refuse(&what, "this is no type of content");
                continue;
            }
            let mut one = Map::from_iter([("contentType".to_owned(), Value::from(kind.as_str()))]);
            self.example(&what, content, &mut one);
            match content.get("schema") {
                Some(schema) if kinds.insert(essence(kind)) => {
                    self.schema(&what, schema, &mut one);
                }
                Some(_) => {
                    let said =
                        ("its type of content has a schema already", "put both into `anyOf`");
                    self.drop(&format!("{what} schema"), said);
                }
                None => {}
            }
            self.rest_of(&what, content, &["schema", "example", "examples"]);
            all.push(Value::Object(one));
        }
        all
    }

    /// What `mock-response` answers: the example, or the first of several.
    fn example(&mut self, what: &str, content: &'a Value, out: &mut Map<String, Value>) {
        let several = content.get("examples").and_then(Value::as_object);
        let mut first = None;
        for (nth, (name, written)) in several.into_iter().flatten().enumerate() {
            let what = format!("{what} example {name}");
            if 0 < nth || content.get("example").is_some() {
                self.imported.say(Level::Dropped, self.file, &what, "the first one is taken only");
                continue;
            }
            match self.resolved(written).map(|example| example.get("value")) {
                Ok(Some(value)) => first = Some(value),
                Ok(None) => self.drop(&what, ("it has no value in here", "write its `value`")),
                Err(why) => self.refuse(&what, &why),
            }
        }
        let Some(example) = content.get("example").or(first) else { return };
        if is_too_deep(example) {
            let said = ("it is nested too deep for a configuration", "write it as a text");
            self.drop(&format!("{what} example"), said);
        } else {
            out.insert("example".to_owned(), example.clone());
        }
    }
}

/// Keeps a list that has something in it.
fn keep(out: &mut Map<String, Value>, name: &str, list: Vec<Value>) {
    if !list.is_empty() {
        out.insert(name.to_owned(), list.into());
    }
}
