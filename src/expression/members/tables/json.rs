//! Newtonsoft's JSON.

use super::super::arguments::{
    Outcome, at, comparison, constructor, flag, index, int, items, json, method, method_with, ok,
    property, set_index, set_property, static_method, static_with, text,
};
use super::super::{Call, Member};
use crate::expression::eval::numeric;
use crate::expression::library::json::access;
use crate::expression::library::json::convert::{self as conversion, Target};
use crate::expression::library::json::merge::{self, Arrays};
use crate::expression::library::json::write::Formatting;
use crate::expression::library::json::{self as library, path, read};
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;
use crate::expression::value::json::{Json, JsonArray, JsonObject, JsonProperty};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// What `Value<T>`, `ToObject<T>` and `DeserializeObject<T>` make.
pub(super) fn target(ty: &Type) -> Result<Target, Thrown> {
    let inner = |ty: &Type| target(ty).map(Box::new);
    Ok(match ty {
        Type::Object | Type::Unknown => Target::Token,
        Type::String => Target::Text,
        Type::Bool => Target::Bool,
        Type::Nullable(of) => Target::Nullable(inner(of)?),
        Type::Array(item) if **item == Type::Byte => Target::Bytes,
        Type::Array(item) => Target::ArrayOf(inner(item)?),
        Type::List(item) | Type::Sequence(item) | Type::Set(item) => Target::ListOf(inner(item)?),
        Type::Map(_, value) => Target::MapOf(inner(value)?),
        Type::Class(class) => match class {
            Class::JObject => Target::Object,
            Class::JArray => Target::Array,
            Class::DateTime => Target::DateTime,
            Class::DateTimeOffset => Target::DateTimeOffset,
            Class::TimeSpan => Target::TimeSpan,
            Class::Guid => Target::Guid,
            class if class.is_json() => Target::Token,
            _ => return Err(no_target(ty)),
        },
        other => Target::Number(numeric(other).ok_or_else(|| no_target(ty))?),
    })
}

fn no_target(ty: &Type) -> Thrown {
    let message = format!("JSON cannot be converted to '{ty}'.");
    Thrown::new(ExceptionKind::JsonSerialization, message)
}

/// `Value<T>()` and `ToObject<T>()`; also of a value that LINQ left without its token.
fn converted(call: &mut Call<'_, '_>) -> Outcome {
    let target = target(call.wanted())?;
    match call.argument(0) {
        Value::Null => Ok(access::default_of(&target)),
        Value::Json(token) => conversion::to_target(token, &target),
        other => conversion::to_target(&conversion::from_value(other)?, &target),
    }
}

fn object(v: &[Value]) -> Result<&JsonObject, Thrown> {
    match at(v, 0) {
        Value::Json(Json::Object(object)) => Ok(object),
        other => Err(other.refused("Newtonsoft.Json.Linq.JObject")),
    }
}

fn array(v: &[Value]) -> Result<&JsonArray, Thrown> {
    match at(v, 0) {
        Value::Json(Json::Array(array)) => Ok(array),
        other => Err(other.refused("Newtonsoft.Json.Linq.JArray")),
    }
}

fn prop(v: &[Value]) -> Result<&JsonProperty, Thrown> {
    match at(v, 0) {
        Value::Json(Json::Property(property)) => Ok(property),
        other => Err(other.refused("Newtonsoft.Json.Linq.JProperty")),
    }
}

const fn formatting(number: i32) -> Formatting {
    if number == 0 { Formatting::Compact } else { Formatting::Indented }
}

#[expect(clippy::unnecessary_wraps, reason = "members give results")]
fn tokens(tokens: Vec<Json>) -> Outcome {
    Ok(Value::sequence(tokens.into_iter().map(Value::Json).collect()))
}

pub(super) const TOKEN: &[Member] = &[
    index("object key", "JToken", |v| access::get(json(v, 0)?, at(v, 1))).effect(),
    set_index("object key, JToken value", |v| {
        access::set(json(v, 0)?, at(v, 1), at(v, 2))?;
        Ok(Value::Null)
    }),
    property("Type", "JTokenType", |v| ok(json(v, 0)?.kind_number())).effect(),
    property("HasValues", "bool", |v| ok(access::has_values(json(v, 0)?))).effect(),
    property("First", "JToken", |v| access::first(json(v, 0)?)).effect(),
    property("Last", "JToken", |v| access::last(json(v, 0)?)).effect(),
    method_with("Value<X>", "", "X", converted).nullable(),
    method_with("Value<X>", "object key", "X", |call| {
        let target = target(call.wanted())?;
        access::value_at(json(call.arguments(), 0)?, call.argument(1), &target)
    }),
    method_with("Values<X>", "", "IEnumerable<X>", |call| {
        let target = target(call.wanted())?;
        ok(Value::sequence(access::values(json(call.arguments(), 0)?, &target)?))
    }),
    method("Values", "", "IEnumerable<JToken>", |v| {
        ok(Value::sequence(access::children(json(v, 0)?)))
    })
    .effect(),
    method("Children", "", "IEnumerable<JToken>", |v| {
        ok(Value::sequence(access::children(json(v, 0)?)))
    })
    .effect(),
    method_with("Children<X>", "", "IEnumerable<X>", |call| {
        let wanted = call.wanted().clone();
        let mut kept = access::children(json(call.arguments(), 0)?);
        kept.retain(|token| crate::expression::types::is_instance(token, &wanted));
        ok(Value::sequence(kept))
    }),
    method_with("ToObject<X>", "", "X", converted),
    method("SelectToken", "string path, bool errorWhenNoMatch = false", "JToken", |v| {
        match path::select_token(json(v, 0)?, text(v, 1)?)? {
            Some(token) => Ok(Value::Json(token)),
            None if flag(v, 2)? => Err(Thrown::new(
                ExceptionKind::Json,
                format!("Path '{}' does not match any token.", text(v, 1)?),
            )),
            None => Ok(Value::Null),
        }
    })
    .effect(),
    method(
        "SelectTokens",
        "string path, bool errorWhenNoMatch = false",
        "IEnumerable<JToken>",
        |v| tokens(path::select_tokens(json(v, 0)?, text(v, 1)?)?),
    )
    .effect(),
    method("ToString", "Formatting formatting", "string", |v| {
        ok(library::text_formatted(json(v, 0)?, formatting(int(v, 1)?))?)
    })
    .effect(),
    method("ToString", "", "string", |v| ok(library::text(json(v, 0)?)?)).effect(),
    method("DeepClone", "", "JToken", |v| ok(json(v, 0)?.deep_clone()?)).effect(),
    static_method("Parse", "string json", "JToken", |v| ok(read::token(text(v, 0)?)?)).effect(),
    static_method("FromObject", "object o", "JToken", |v| {
        if at(v, 0).is_null() {
            return Err(Thrown::argument_null("o"));
        }
        ok(conversion::from_value(at(v, 0))?)
    })
    .effect(),
    static_method("DeepEquals", "JToken t1, JToken t2", "bool", |v| match (at(v, 0), at(v, 1)) {
        (Value::Json(left), Value::Json(right)) => ok(access::deep_equals(left, right)?),
        (left, right) => ok(left.is_null() && right.is_null()),
    })
    .effect(),
];

pub(super) const CONTAINER: &[Member] = &[
    property("Count", "int", |v| ok(access::count(json(v, 0)?))).effect(),
    method("Merge", "object content", "void", |v| {
        let content = conversion::from_value(at(v, 1))?;
        merge::merge(json(v, 0)?, &content, Arrays::Concat, false)?;
        Ok(Value::Null)
    })
    .effect(),
    method("Descendants", "", "IEnumerable<JToken>", |v| {
        tokens(access::below(json(v, 0)?, false)?)
    })
    .effect(),
    method("DescendantsAndSelf", "", "IEnumerable<JToken>", |v| {
        tokens(access::below(json(v, 0)?, true)?)
    })
    .effect(),
    method("AddFirst", "object content", "void", |v| {
        let first = json(v, 0)?;
        match first {
            Json::Array(array) => array.insert(0, conversion::from_value(at(v, 1))?)?,
            Json::Object(object) => match at(v, 1) {
                Value::Json(Json::Property(property)) => {
                    object.insert_at(0, property.name(), property.value())?;
                }
                other => {
                    let to = "Newtonsoft.Json.Linq.JObject";
                    return Err(crate::expression::value::json::cannot_add(other.type_name(), to));
                }
            },
            other => return Err(Value::Json(other.clone()).refused("a container")),
        }
        Ok(Value::Null)
    })
    .effect(),
];

pub(super) const OBJECT: &[Member] = &[
    constructor("params object[] content", |v| {
        ok(Json::Object(access::new_object(&items(v, 0)?)?))
    }),
    static_method("Parse", "string json", "JObject", |v| {
        ok(Json::Object(read::object(text(v, 0)?)?))
    })
    .effect(),
    static_method("FromObject", "object o", "JObject", |v| {
        match conversion::from_value(at(v, 0))? {
            token @ Json::Object(_) => ok(token),
            _ => Err(Thrown::new(
                ExceptionKind::Argument,
                "Object serialized to a token that is not a JObject.",
            )),
        }
    })
    .effect(),
    method("Add", "string propertyName, JToken value", "void", |v| {
        let value = match at(v, 2) {
            Value::Null => Json::Null,
            other => conversion::from_value(other)?,
        };
        object(v)?.add(text(v, 1)?, value)?;
        Ok(Value::Null)
    })
    .effect(),
    method("Add", "object content", "void", |v| {
        access::add_members(object(v)?, at(v, 1))?;
        Ok(Value::Null)
    })
    .effect(),
    method("Remove", "string propertyName", "bool", |v| ok(object(v)?.remove(text(v, 1)?)))
        .effect(),
    method("RemoveAll", "", "void", |v| {
        object(v)?.clear();
        Ok(Value::Null)
    })
    .effect(),
    method("ContainsKey", "string propertyName", "bool", |v| ok(object(v)?.contains(text(v, 1)?)))
        .effect(),
    method("Property", "string name", "JProperty", |v| {
        ok(object(v)?.property(text(v, 1)?).map(Json::Property))
    })
    .effect(),
    method("Properties", "", "IEnumerable<JProperty>", |v| {
        ok(Value::sequence(access::properties(object(v)?)))
    })
    .effect(),
    method("PropertyValues", "", "IEnumerable<JToken>", |v| {
        ok(Value::sequence(access::property_values(object(v)?)))
    })
    .effect(),
    method("GetValue", "string propertyName", "JToken", |v| {
        ok(access::get_value(object(v)?, text(v, 1)?, false))
    })
    .effect(),
    method("GetValue", "string propertyName, StringComparison comparison", "JToken", |v| {
        ok(access::get_value(object(v)?, text(v, 1)?, comparison(v, 2)?.ignores_case()))
    })
    .effect(),
    method_with("TryGetValue", "string propertyName, out JToken value", "bool", |call| {
        let found = object(call.arguments())?.get(call.text(1)?);
        let is_there = found.is_some();
        call.outs.push(Value::from(found));
        ok(is_there)
    }),
    method_with(
        "TryGetValue",
        "string propertyName, StringComparison comparison, out JToken value",
        "bool",
        |call| {
            let ignores = comparison(call.arguments(), 2)?.ignores_case();
            let found = access::get_value(object(call.arguments())?, call.text(1)?, ignores);
            let is_there = found.is_some();
            call.outs.push(Value::from(found));
            ok(is_there)
        },
    ),
];

pub(super) const ARRAY: &[Member] = &[
    constructor("params object[] content", |v| ok(Json::Array(access::new_array(&items(v, 0)?)?))),
    static_method("Parse", "string json", "JArray", |v| ok(Json::Array(read::array(text(v, 0)?)?)))
        .effect(),
    static_method("FromObject", "object o", "JArray", |v| {
        match conversion::from_value(at(v, 0))? {
            token @ Json::Array(_) => ok(token),
            _ => Err(Thrown::new(
                ExceptionKind::Argument,
                "Object serialized to a token that is not a JArray.",
            )),
        }
    })
    .effect(),
    method("Add", "object content", "void", |v| {
        access::add_items(array(v)?, at(v, 1))?;
        Ok(Value::Null)
    })
    .effect(),
    method("Insert", "int index, JToken item", "void", |v| {
        array(v)?.insert(int(v, 1)?, conversion::from_value(at(v, 2))?)?;
        Ok(Value::Null)
    })
    .effect(),
    method("RemoveAt", "int index", "void", |v| {
        array(v)?.remove_at(int(v, 1)?)?;
        Ok(Value::Null)
    })
    .effect(),
    method("Remove", "JToken item", "bool", |v| ok(access::remove_item(array(v)?, at(v, 1))?))
        .effect(),
    method("Clear", "", "void", |v| {
        array(v)?.clear();
        Ok(Value::Null)
    })
    .effect(),
    method("IndexOf", "JToken item", "int", |v| ok(access::index_of(array(v)?, at(v, 1))?))
        .effect(),
];

pub(super) const PROPERTY: &[Member] = &[
    constructor("string name, object content", |v| {
        ok(Json::Property(access::new_property(text(v, 0)?, at(v, 1))?))
    }),
    // An array is the whole of C#'s `params`, also one of a single item: JSON gets an array.
    constructor("string name, params object[] content", |v| {
        ok(Json::Property(access::new_property(text(v, 0)?, at(v, 1))?))
    }),
    property("Name", "string", |v| ok(std::sync::Arc::clone(prop(v)?.name()))),
    property("Value", "JToken", |v| ok(prop(v)?.value())).effect(),
    set_property("Value", "JToken value", |v| {
        prop(v)?.set_value(conversion::from_value(at(v, 1))?)?;
        Ok(Value::Null)
    }),
    method("Remove", "", "void", |v| {
        prop(v)?.remove()?;
        Ok(Value::Null)
    })
    .effect(),
];

pub(super) const VALUE: &[Member] = &[
    constructor("object value", |v| ok(access::new_value(at(v, 0))?)),
    property("Value", "object", |v| ok(conversion::simple(json(v, 0)?).unwrap_or_default())),
    static_method("CreateNull", "", "JValue", |_| ok(Json::Null)),
    static_method("CreateString", "string value", "JValue", |v| ok(access::new_value(at(v, 0))?)),
];

pub(super) const RAW: &[Member] = &[constructor("object value", |v| {
    ok(Json::Raw(crate::expression::library::display::text(at(v, 0))?))
})];

pub(super) const CONVERT: &[Member] = &[
    static_method("SerializeObject", "object value", "string", |v| {
        ok(library::serialize(at(v, 0), Formatting::Compact)?)
    })
    .effect(),
    static_method("SerializeObject", "object value, Formatting formatting", "string", |v| {
        ok(library::serialize(at(v, 0), formatting(int(v, 1)?))?)
    })
    .effect(),
    static_method("DeserializeObject", "string value", "object", |v| {
        library::deserialize(text(v, 0)?)
    })
    .effect(),
    static_with("DeserializeObject<X>", "string value", "X", |call| {
        if matches!(call.wanted(), Type::Unknown | Type::Object) {
            return library::deserialize(call.text(0)?);
        }
        let target = target(call.wanted())?;
        if call.text(0)?.trim().is_empty() {
            if !call.wanted().is_value() || matches!(call.wanted(), Type::Nullable(_)) {
                return Ok(Value::Null);
            }
            let message = format!(
                "No JSON content found and type '{}' is not nullable.",
                call.wanted().full_name()
            );
            return Err(Thrown::new(ExceptionKind::JsonSerialization, message));
        }
        conversion::to_target(&read::token(call.text(0)?)?, &target)
    }),
    static_method("ToString", "object value", "string", |v| {
        ok(library::serialize(at(v, 0), Formatting::Compact)?)
    })
    .effect(),
];
