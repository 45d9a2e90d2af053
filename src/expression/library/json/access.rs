//! The members of tokens: making, indexing, adding, removing, enumerating.

use std::sync::Arc;

use super::convert::{self, Target};
use crate::expression::value::Value;
use crate::expression::value::json::{Json, JsonArray, JsonObject, JsonProperty, cannot_add};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `new JObject(contents)`: properties, lists of them, or another object that is copied.
pub fn new_object(contents: &[Value]) -> Result<JsonObject, Thrown> {
    let object = JsonObject::new();
    for content in contents {
        add_members(&object, content)?;
    }
    Ok(object)
}

/// `object.Add(content)` with something other than a name and a value.
pub fn add_members(object: &JsonObject, content: &Value) -> Result<(), Thrown> {
    match content {
        Value::Null => Ok(()),
        Value::Json(Json::Property(property)) => object.add_property(property),
        Value::Json(Json::Object(other)) => {
            other.members().into_iter().try_for_each(|(name, member)| object.add(&name, member))
        }
        Value::List(list) => {
            list.snapshot().iter().try_for_each(|content| add_members(object, content))
        }
        Value::Pair(pair) => object.add(pair.key.string()?, convert::from_value(&pair.value)?),
        other => Err(cannot_add(other.type_name(), "Newtonsoft.Json.Linq.JObject")),
    }
}

/// `new JArray(contents)`: the items; a list's items one by one; a single array is copied.
pub fn new_array(contents: &[Value]) -> Result<JsonArray, Thrown> {
    if let [Value::Json(Json::Array(array))] = contents {
        return JsonArray::of(array.items());
    }
    let array = JsonArray::new();
    for content in contents {
        add_items(&array, content)?;
    }
    Ok(array)
}

/// `array.Add(content)`.
pub fn add_items(array: &JsonArray, content: &Value) -> Result<(), Thrown> {
    match content {
        Value::List(list) => list.snapshot().iter().try_for_each(|item| add_items(array, item)),
        Value::Set(set) => set.snapshot().iter().try_for_each(|item| add_items(array, item)),
        item => array.push(convert::from_value(item)?),
    }
}

/// `new JProperty(name, content)`: several contents, or a list, become an array.
pub fn new_property(name: &str, content: &Value) -> Result<JsonProperty, Thrown> {
    let value = match content {
        // Bytes are one content, written as Base64.
        Value::List(list) if list.is_array_of_bytes() => Json::Bytes(content.bytes()?),
        Value::List(_) | Value::Set(_) => Json::Array(new_array(std::slice::from_ref(content))?),
        one => convert::from_value(one)?,
    };
    if matches!(value, Json::Property(_)) {
        let name = "Newtonsoft.Json.Linq.JProperty";
        return Err(cannot_add(name, name));
    }
    Ok(JsonProperty::new(name, value))
}

/// `new JValue(value)`.
pub fn new_value(value: &Value) -> Result<Json, Thrown> {
    let token = convert::from_value(value)?;
    if token.is_container() || matches!(token, Json::Property(_)) {
        return Err(Thrown::new(
            ExceptionKind::Argument,
            format!("Could not determine JSON object type for type {}.", value.type_name()),
        ));
    }
    Ok(token)
}

/// `token[key]`: `null` where an object has no such member.
pub fn get(token: &Json, key: &Value) -> Result<Value, Thrown> {
    match (token, key) {
        (Json::Object(object), Value::String(name)) => Ok(object.get(name).into()),
        (Json::Array(array), Value::Int(_) | Value::Long(_)) => {
            array.at(key.int()?).map(Value::Json)
        }
        _ => Err(bad_key(token, key, false)),
    }
}

/// `token[key] = value`.
pub fn set(token: &Json, key: &Value, value: &Value) -> Result<(), Thrown> {
    let value = convert::from_value(value)?;
    match (token, key) {
        (Json::Object(object), Value::String(name)) => object.set(name, value),
        (Json::Array(array), Value::Int(_) | Value::Long(_)) => array.set_at(key.int()?, value),
        _ => Err(bad_key(token, key, true)),
    }
}

fn bad_key(token: &Json, key: &Value, is_set: bool) -> Thrown {
    let key = match key {
        Value::String(name) => format!("\"{name}\""),
        other => super::super::display::text(other)
            .map_or_else(|_| String::new(), |text| text.to_string()),
    };
    let verb = if is_set { "Set" } else { "Accessed" };
    match token {
        Json::Object(_) => Thrown::new(
            ExceptionKind::Argument,
            format!(
                "{verb} JObject values with invalid key value: {key}. Object property name expected."
            ),
        ),
        Json::Array(_) => Thrown::new(
            ExceptionKind::Argument,
            format!(
                "{verb} JArray values with invalid key value: {key}. Int32 array index expected."
            ),
        ),
        other => Thrown::invalid_operation(format!(
            "Cannot {} child value on {}.",
            if is_set { "set" } else { "access" },
            other.type_name()
        )),
    }
}

/// `token.Value<T>(key)`; without the member it is the default of `T`, which for most is `null`.
pub fn value_at(token: &Json, key: &Value, target: &Target) -> Result<Value, Thrown> {
    match get(token, key)? {
        Value::Json(Json::Null) | Value::Null => Ok(default_of(target)),
        Value::Json(member) => convert::to_target(&member, target),
        other => Ok(other),
    }
}

/// `default(T)`.
pub fn default_of(target: &Target) -> Value {
    use crate::expression::library::convert::Numeric;
    match target {
        Target::Bool => Value::Bool(false),
        Target::Number(Numeric::Byte) => Value::Byte(0),
        Target::Number(Numeric::Int) => Value::Int(0),
        Target::Number(Numeric::UInt) => Value::UInt(0),
        Target::Number(Numeric::Long) => Value::Long(0),
        Target::Number(Numeric::ULong) => Value::ULong(0),
        Target::Number(Numeric::Double) => Value::Double(0.0),
        Target::Number(Numeric::Float) => Value::Float(0.0),
        Target::Number(Numeric::Decimal) => Value::Decimal(rust_decimal::Decimal::ZERO),
        Target::Number(Numeric::Char) => Value::Char('\0'),
        Target::DateTime => crate::expression::value::moment::DateTime::MIN.into(),
        Target::DateTimeOffset => crate::expression::value::moment::DateTimeOffset::MIN.into(),
        Target::TimeSpan => crate::expression::value::moment::TimeSpan::ZERO.into(),
        Target::Guid => Value::Guid(0),
        _ => Value::Null,
    }
}

/// `token.Values<T>()`: the children, each as a `T`.
pub fn values(token: &Json, target: &Target) -> Result<Vec<Value>, Thrown> {
    token.children().iter().map(|child| convert::to_target(child, target)).collect()
}

/// `token.Children()`, and what enumerating a token gives: an object's properties, an array's
/// items.
pub fn children(token: &Json) -> Vec<Value> {
    token.children().into_iter().map(Value::Json).collect()
}

/// `object.Properties()`.
pub fn properties(object: &JsonObject) -> Vec<Value> {
    object.properties().into_iter().map(|property| Value::Json(Json::Property(property))).collect()
}

/// `object.PropertyValues()`.
pub fn property_values(object: &JsonObject) -> Vec<Value> {
    object.members().into_iter().map(|(_, member)| Value::Json(member)).collect()
}

/// `token.First`; `null` for a container that is empty.
pub fn first(token: &Json) -> Result<Value, Thrown> {
    Ok(container(token)?.into_iter().next().into())
}

/// `token.Last`; `null` for a container that is empty.
pub fn last(token: &Json) -> Result<Value, Thrown> {
    Ok(container(token)?.pop().into())
}

fn container(token: &Json) -> Result<Vec<Json>, Thrown> {
    match token {
        Json::Object(_) | Json::Array(_) | Json::Property(_) => Ok(token.children()),
        other => Err(Thrown::invalid_operation(format!(
            "Cannot access child value on {}.",
            other.type_name()
        ))),
    }
}

/// `token.HasValues`.
pub fn has_values(token: &Json) -> bool {
    count(token) > 0
}

/// `token.Count`.
pub fn count(token: &Json) -> i32 {
    let count = match token {
        Json::Object(object) => object.len(),
        Json::Array(array) => array.len(),
        Json::Property(_) => 1,
        _ => 0,
    };
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// `array.IndexOf(item)`; -1 if it is not there.
pub fn index_of(array: &JsonArray, item: &Value) -> Result<i32, Thrown> {
    let wanted = convert::from_value(item)?;
    let place = array.items().iter().position(|known| same(known, &wanted));
    Ok(place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1))
}

/// `array.Remove(item)`; says whether it was there.
pub fn remove_item(array: &JsonArray, item: &Value) -> Result<bool, Thrown> {
    match index_of(array, item)? {
        -1 => Ok(false),
        place => array.remove_at(place).map(|()| true),
    }
}

/// Containers by identity, simple tokens by value.
fn same(left: &Json, right: &Json) -> bool {
    super::super::operators::equals(&Value::Json(left.clone()), &Value::Json(right.clone()))
}

/// `JToken.DeepEquals(left, right)`: members in any order, items in the same.
pub fn deep_equals(left: &Json, right: &Json) -> Result<bool, Thrown> {
    equal_below(left, right, 0)
}

fn equal_below(left: &Json, right: &Json, depth: usize) -> Result<bool, Thrown> {
    crate::expression::value::json::bounded_depth(depth)?;
    let deeper = depth.saturating_add(1);
    match (left, right) {
        (Json::Object(one), Json::Object(other)) => {
            if one.len() != other.len() {
                return Ok(false);
            }
            for (name, member) in one.members() {
                match other.get(&name) {
                    Some(found) if equal_below(&member, &found, deeper)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Json::Array(one), Json::Array(other)) => {
            let (one, other) = (one.items(), other.items());
            if one.len() != other.len() {
                return Ok(false);
            }
            for (left, right) in one.iter().zip(&other) {
                if !equal_below(left, right, deeper)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Json::Property(one), Json::Property(other)) => {
            Ok(one.name() == other.name() && equal_below(&one.value(), &other.value(), deeper)?)
        }
        (Json::Bytes(one), Json::Bytes(other)) => Ok(one == other),
        _ => Ok(same(left, right)),
    }
}

/// `object.GetValue(name, comparison)`.
pub fn get_value(object: &JsonObject, name: &str, ignores_case: bool) -> Option<Json> {
    if ignores_case {
        let found: Arc<str> = object.find_ignoring_case(name)?;
        return object.get(&found);
    }
    object.get(name)
}

/// `container.Descendants()`, or with the container itself `DescendantsAndSelf()`: each token before
/// what it holds.
pub fn below(token: &Json, with_self: bool) -> Result<Vec<Json>, Thrown> {
    let mut found = Vec::new();
    let mut pending = vec![token.clone()];
    while let Some(next) = pending.pop() {
        let mut children = next.children();
        children.reverse();
        let all = found.len().saturating_add(pending.len()).saturating_add(children.len());
        crate::expression::value::json::bounded_tokens(all)?;
        pending.append(&mut children);
        found.push(next);
    }
    if !with_self {
        found.remove(0);
    }
    Ok(found)
}
