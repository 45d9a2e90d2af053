//! What is looked up in the request: headers, query, parameters, variables, bodies.

use super::super::arguments::{Outcome, lookup, lookup_index};
use super::super::{Call, Member};
use crate::expression::eval::{default_of, unboxed};
use crate::expression::library::{display, message};
use crate::expression::scope::{BodyRead, ContextMember as Part, Side, UrlSide};
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::message::{Body, header_map, text_map};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub(super) const REQUEST_BODY: &[Member] = &[
    lookup("As<X>", "bool preserveContent = false", "X", |call| read_body(call, Side::Request)),
    lookup(
        "AsFormUrlEncodedContent",
        "bool preserveContent = false",
        "Dictionary<string, List<string>>",
        |call| read_form(call, Side::Request),
    ),
];

pub(super) const RESPONSE_BODY: &[Member] = &[
    lookup("As<X>", "bool preserveContent = false", "X", |call| read_body(call, Side::Response)),
    lookup(
        "AsFormUrlEncodedContent",
        "bool preserveContent = false",
        "Dictionary<string, List<string>>",
        |call| read_form(call, Side::Response),
    ),
];

pub(super) const REQUEST_HEADERS: &[Member] = &[
    lookup(
        "GetValueOrDefault",
        "string headerName, string defaultValue = null",
        "string",
        |call| header(call, Side::Request),
    ),
    lookup("ContainsKey", "string key", "bool", |call| has_header(call, Side::Request)),
    lookup("TryGetValue", "string key, out string[] value", "bool", |call| {
        try_header(call, Side::Request)
    }),
    lookup_index("string key", "string[]", |call| header_array(call, Side::Request)),
];

pub(super) const RESPONSE_HEADERS: &[Member] = &[
    lookup(
        "GetValueOrDefault",
        "string headerName, string defaultValue = null",
        "string",
        |call| header(call, Side::Response),
    ),
    lookup("ContainsKey", "string key", "bool", |call| has_header(call, Side::Response)),
    lookup("TryGetValue", "string key, out string[] value", "bool", |call| {
        try_header(call, Side::Response)
    }),
    lookup_index("string key", "string[]", |call| header_array(call, Side::Response)),
];

pub(super) const QUERY: &[Member] = &[
    lookup(
        "GetValueOrDefault",
        "string queryParameterName, string defaultValue = null",
        "string",
        |call| {
            let name = call.text(1)?;
            let values = query_values(call, name);
            Ok(joined(&values).unwrap_or_else(|| call.argument(2).clone()))
        },
    ),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = call.text(1)?;
        Ok(Value::Bool(!query_values(call, name).is_empty()))
    }),
    lookup_index("string key", "string[]", |call| {
        let name = call.text(1)?;
        let values = query_values(call, name);
        if values.is_empty() { Err(Thrown::key_not_found(name)) } else { Ok(Value::array(values)) }
    }),
];

pub(super) const MATCHED_PARAMETERS: &[Member] = &[
    lookup("GetValueOrDefault", "string name, string defaultValue = null", "string", |call| {
        let name = call.text(1)?;
        let found = call.scope().matched_parameter(name);
        Ok(found.map_or_else(|| call.argument(2).clone(), Value::String))
    }),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = call.text(1)?;
        Ok(Value::Bool(call.scope().matched_parameter(name).is_some()))
    }),
    lookup_index("string key", "string", |call| {
        let name = call.text(1)?;
        let found = call.scope().matched_parameter(name);
        found.map(Value::String).ok_or_else(|| Thrown::key_not_found(name))
    }),
];

pub(super) const VARIABLES: &[Member] = &[
    lookup_index("string key", "object", |call| {
        let name = call.text(1)?;
        call.scope().variable(name).ok_or_else(|| Thrown::key_not_found(name))
    }),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = call.text(1)?;
        Ok(Value::Bool(call.scope().variable(name).is_some()))
    }),
    lookup("TryGetValue", "string key, out object value", "bool", |call| {
        let name = call.text(1)?;
        let found = call.scope().variable(name);
        let is_there = found.is_some();
        call.outs.push(found.unwrap_or_default());
        Ok(Value::Bool(is_there))
    }),
    lookup("GetValueOrDefault", "string variableName", "object", |call| {
        let name = call.text(1)?;
        Ok(call.scope().variable(name).unwrap_or_default())
    }),
    lookup("GetValueOrDefault<X>", "string variableName", "X", |call| typed_variable(call, None)),
    lookup("GetValueOrDefault<X>", "string variableName, X defaultValue", "X", |call| {
        let default = call.argument(2).clone();
        typed_variable(call, Some(default))
    }),
];

/// A variable as the type that is asked for. One of another type is the default where one is
/// given, and an exception where none is: a default says that the writer thought of its absence.
fn typed_variable(call: &mut Call<'_, '_>, default: Option<Value>) -> Outcome {
    let name = call.text(1)?;
    let wanted = call.wanted();
    let missing = |default: Option<Value>| default.unwrap_or_else(|| default_of(wanted));
    match call.scope().variable(name) {
        None => Ok(missing(default)),
        Some(Value::Null) if wanted.is_value() => Ok(missing(default)),
        Some(value) => match (unboxed(value, wanted), default) {
            (Ok(value), _) => Ok(value),
            (Err(_), Some(default)) => Ok(default),
            (Err(thrown), None) => Err(Thrown::new(
                thrown.kind,
                format!("The variable '{name}' is not of type '{wanted}': {}", thrown.message),
            )),
        },
    }
}

pub(super) fn variables(call: &mut Call<'_, '_>) -> Outcome {
    let mut names: Vec<Value> = Vec::new();
    call.scope().variable_names(&mut |name| names.push(Value::text(name)));
    let map = Map::new(false);
    for name in names {
        let value = call.scope().variable(name.string()?).unwrap_or_default();
        map.set(name, value)?;
    }
    Ok(Value::from(map))
}

pub(super) fn whole_headers(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let mut lines: Vec<(String, String)> = Vec::new();
    call.scope().headers(side, &mut |name, value| {
        lines.push((name.to_owned(), value.to_owned()));
    });
    let lines = lines.iter().map(|(name, value)| (&**name, &**value));
    header_map(lines).map(Value::from)
}

pub(super) fn whole_query(call: &mut Call<'_, '_>, url: UrlSide) -> Outcome {
    let mut pairs: Vec<(String, String)> = Vec::new();
    call.scope().query(url, &mut |name, value| pairs.push((name.to_owned(), value.to_owned())));
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    text_map(pairs, true).map(Value::from)
}

fn header_values(call: &mut Call<'_, '_>, side: Side) -> Result<Vec<Value>, Thrown> {
    let name = call.text(1)?;
    let mut values = Vec::new();
    call.scope().header_values(side, name, &mut |value| values.push(Value::text(value)));
    Ok(values)
}

/// Several values joined with commas; none if there are none.
fn joined(values: &[Value]) -> Option<Value> {
    match values {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let texts: Vec<&str> = several
                .iter()
                .filter_map(|value| value.string().ok().map(|text| &**text))
                .collect();
            Some(Value::from(texts.join(",")))
        }
    }
}

fn header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    Ok(joined(&values).unwrap_or_else(|| call.argument(2).clone()))
}

fn has_header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    Ok(Value::Bool(!header_values(call, side)?.is_empty()))
}

fn header_array(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    if values.is_empty() {
        return Err(Thrown::key_not_found(call.text(1)?));
    }
    Ok(Value::array(values))
}

fn try_header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    let is_there = !values.is_empty();
    call.outs.push(if is_there { Value::array(values) } else { Value::Null });
    Ok(Value::Bool(is_there))
}

fn query_values(call: &mut Call<'_, '_>, name: &str) -> Vec<Value> {
    let mut values = Vec::new();
    call.scope().query_values(UrlSide::Backend, name, &mut |value| values.push(Value::text(value)));
    values
}

pub(super) fn url_text(call: &mut Call<'_, '_>, parts: [Part; 5]) -> Outcome {
    let [scheme, host, port, path, query] = parts.map(|part| call.scope().member(part));
    let (scheme, host) = (display::text(&scheme)?, display::text(&host)?);
    let is_default = matches!(
        (&*scheme, &port),
        (_, Value::Null) | ("http", Value::Int(80)) | ("https", Value::Int(443))
    );
    let port = if is_default { String::new() } else { format!(":{}", display::text(&port)?) };
    let (path, query) = (display::text(&path)?, display::text(&query)?);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Value::from(format!("{scheme}://{host}{port}{slash}{path}{query}")))
}

fn content(call: &mut Call<'_, '_>, side: Side) -> Result<Option<Body>, Thrown> {
    let preserve = matches!(call.argument(1), Value::Bool(true));
    match call.scope().body(side, preserve) {
        BodyRead::Absent => Ok(None),
        BodyRead::Bytes(bytes) => Ok(Some(Body(bytes))),
        BodyRead::Refused(reason) => {
            Err(Thrown::new(ExceptionKind::InvalidOperation, reason.to_string()))
        }
    }
}

fn read_body(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let shape = shape(call.wanted())?;
    match content(call, side)? {
        Some(body) => super::message::charged(message::body_as(&body, shape)?, call),
        None => Err(Thrown::null_reference()),
    }
}

fn read_form(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    match content(call, side)? {
        Some(body) => message::body_as_form(&body),
        None => Err(Thrown::null_reference()),
    }
}

/// What `As<T>` makes of a body.
pub(super) fn shape(wanted: &Type) -> Result<message::Shape, Thrown> {
    use message::Shape;
    Ok(match wanted {
        Type::String | Type::Object | Type::Unknown => Shape::Text,
        Type::Array(item) if **item == Type::Byte => Shape::Bytes,
        Type::Class(Class::JToken | Class::JContainer) => Shape::Token,
        Type::Class(Class::JObject) => Shape::Object,
        Type::Class(Class::JArray) => Shape::Array,
        Type::Class(Class::XElement | Class::XNode) => Shape::Element,
        Type::Class(Class::XDocument) => Shape::Document,
        other => {
            return Err(Thrown::new(
                ExceptionKind::NotSupported,
                format!("A body cannot be read as '{other}'."),
            ));
        }
    })
}
