//! Bodies, and the dictionaries of headers, query and claims.

use std::sync::Arc;

use super::{display, json, text, web, xml};
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::json::Json;
use crate::expression::value::message::Body;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{Value, bounded_string};

/// The `T` of `Body.As<T>()`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// `string`.
    Text,
    /// `byte[]`.
    Bytes,
    /// `JToken`.
    Token,
    /// `JObject`.
    Object,
    /// `JArray`.
    Array,
    /// `XElement` and `XNode`.
    Element,
    /// `XDocument`.
    Document,
}

/// `body.As<T>()`. An empty body is `null` as JSON.
pub fn body_as(body: &Body, shape: Shape) -> Result<Value, Thrown> {
    if shape == Shape::Bytes {
        return Ok(Value::Bytes(body.0.clone()));
    }
    let text = body_text(body)?;
    let is_json = matches!(shape, Shape::Token | Shape::Object | Shape::Array);
    if is_json && text.trim().is_empty() {
        return Ok(Value::Null);
    }
    Ok(match shape {
        Shape::Text | Shape::Bytes => Value::String(text),
        Shape::Token => Value::Json(json::read::token(&text)?),
        Shape::Object => Value::Json(Json::Object(json::read::object(&text)?)),
        Shape::Array => Value::Json(Json::Array(json::read::array(&text)?)),
        Shape::Element => xml::parse_element(&text)?.into(),
        Shape::Document => xml::parse_document(&text)?.into(),
    })
}

/// The body as UTF-8, without a byte order mark.
fn body_text(body: &Body) -> Result<Arc<str>, Thrown> {
    bounded_string(body.0.len())?;
    let text = String::from_utf8_lossy(&body.0);
    Ok(Arc::from(text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

/// `body.AsFormUrlEncodedContent()`.
pub fn body_as_form(body: &Body) -> Result<Value, Thrown> {
    web::form(&body_text(body)?).map(Value::from)
}

/// `headers.GetValueOrDefault(name, default)`, also of query and claims: the values joined with
/// commas.
pub fn joined(map: &Map, name: &str, default: Value) -> Result<Value, Thrown> {
    match map.get_text(name) {
        None => Ok(default),
        Some(Value::List(values)) => text::join(",", &values.snapshot()).map(Value::from),
        Some(other) => Ok(other),
    }
}

/// `dictionary[key]`: a missing key is a `KeyNotFoundException`.
pub fn entry(map: &Map, key: &Value) -> Result<Value, Thrown> {
    if key.is_null() {
        return Err(Thrown::argument_null("key"));
    }
    match map.get(key) {
        Some(value) => Ok(value),
        None => Err(Thrown::key_not_found(&display::text(key)?)),
    }
}

/// The body that a value is as text: strings and bytes as they are, tokens as JSON, documents as
/// XML.
pub fn to_body(value: &Value) -> Result<Option<Body>, Thrown> {
    Ok(match value {
        Value::Null => None,
        Value::Bytes(bytes) => Some(Body(bytes.clone())),
        Value::Body(body) => Some(body.clone()),
        Value::Response(_) | Value::Function(_) => {
            return Err(Thrown::new(
                ExceptionKind::InvalidCast,
                format!("A '{}' cannot be a body; take its Body.", value.type_name()),
            ));
        }
        other => Some(Body(display::text(other)?.to_string().into())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::value::message::Response;

    fn body(text: &str) -> Body {
        Body(text.to_owned().into())
    }

    #[test]
    fn a_body_is_read_in_any_shape_and_any_number_of_times() {
        let json = body("\u{feff}{\"a\":1}");
        for _ in 0..2 {
            assert!(matches!(body_as(&json, Shape::Object), Ok(Value::Json(Json::Object(_)))));
        }
        assert_eq!(&**body_as(&json, Shape::Text).unwrap().string().unwrap(), "{\"a\":1}");
        assert!(matches!(body_as(&json, Shape::Token), Ok(Value::Json(_))));
        assert!(body_as(&json, Shape::Array).is_err());
        assert!(matches!(body_as(&body("[1]"), Shape::Array), Ok(Value::Json(Json::Array(_)))));
        assert!(matches!(body_as(&body("<a/>"), Shape::Element), Ok(Value::Xml(_))));
        assert!(matches!(body_as(&body("<a/>"), Shape::Document), Ok(Value::Xml(_))));
        assert_eq!(body_as(&json, Shape::Bytes).unwrap().bytes().unwrap().len(), 10);
        assert!(body_as(&body(" "), Shape::Object).unwrap().is_null());
        assert!(matches!(body_as_form(&body("a=1")), Ok(Value::Map(_))));
        assert_eq!(to_body(&Json::Bool(true).into()).unwrap().unwrap().0, "True");
        assert!(to_body(&Value::Null).unwrap().is_none());
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let lines = [("Accept", "a"), ("X", "1"), ("accept", "b")];
        let response = Response::new(200, "OK", lines, None).unwrap();
        let joined = |name: &str| joined(&response.headers, name, "none".into()).unwrap();
        assert_eq!(&**joined("ACCEPT").string().unwrap(), "a,b");
        assert_eq!(&**joined("y").string().unwrap(), "none");
        assert_eq!(response.header_lines().len(), 3);
        assert_eq!(
            entry(&response.headers, &"y".into()).unwrap_err().message,
            "The given key 'y' was not present in the dictionary."
        );
        assert!(matches!(entry(&response.headers, &"x".into()), Ok(Value::List(_))));
    }
}
