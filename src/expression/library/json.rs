//! `Newtonsoft.Json`: tokens from text, to text, and their members.

use std::sync::Arc;

use crate::expression::value::json::Json;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_string};

pub mod access;
pub mod convert;
pub mod merge;
pub mod path;
pub mod placed;
pub mod read;
pub mod write;

use self::write::Formatting;

/// `token.ToString()`: a container is written indented; a simple token is what its value's own
/// `ToString()` says, so that a string has no quotes, a boolean is `True` and a date is
/// `01/31/2024 10:00:00`.
pub fn text(token: &Json) -> Result<String, Thrown> {
    match token {
        Json::Object(_) | Json::Array(_) | Json::Property(_) => {
            write::json(token, Formatting::Indented)
        }
        simple => match convert::simple(simple) {
            Some(value) => super::display::text(&value).map(|text| text.to_string()),
            None => Ok(String::new()),
        },
    }
}

/// `token.ToString(formatting)`: always JSON, also for a simple token.
pub fn text_formatted(token: &Json, formatting: Formatting) -> Result<String, Thrown> {
    write::json(token, formatting)
}

/// `JsonConvert.SerializeObject(value, formatting)`.
pub fn serialize(value: &Value, formatting: Formatting) -> Result<Arc<str>, Thrown> {
    let text = write::json(&convert::from_value(value)?, formatting)?;
    bounded_string(text.len())?;
    Ok(Arc::from(text))
}

/// `JsonConvert.DeserializeObject(text)` without a type: a token, or a plain value for a simple
/// one.
pub fn deserialize(text: &str) -> Result<Value, Thrown> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let token = read::token(text)?;
    if token.is_container() {
        return Ok(Value::Json(token));
    }
    Ok(convert::simple(&token).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::access::*;
    use super::convert::Target;
    use super::*;
    use crate::expression::library::convert::Numeric;
    use crate::expression::value::collection::Record;
    use crate::expression::value::collection::keyed::Map;
    use crate::expression::value::json::{JSON_DEPTH_MAX, JsonArray, JsonObject, JsonProperty};

    fn parsed(text: &str) -> Json {
        read::token(text).expect(text)
    }

    fn compact(token: &Json) -> String {
        write::json(token, Formatting::Compact).unwrap()
    }

    #[test]
    fn json_is_read_and_written_as_newtonsoft_does() {
        let rows = [
            ("{}", "{}"),
            (" [ 1 , 2.0 , -3 ] ", "[1,2.0,-3]"),
            ("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"),
            ("1e3", "1000.0"),
            ("1.50", "1.5"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("{'a':'b'}", "{\"a\":\"b\"}"),
            ("{a:1,}", "{\"a\":1}"),
            ("[1,/* two */2]// end", "[1,2]"),
            ("\"\\u0041\\n\\\"\\/é\"", "\"A\\n\\\"/é\""),
            ("\"\\ud83d\\ude00\"", "\"😀\""),
            ("\"\\ud83dx\"", "\"\u{fffd}x\""),
            ("\"\\u0001\"", "\"\\u0001\""),
            ("[true,false,null]", "[true,false,null]"),
            ("NaN", "\"NaN\""),
            ("\"2024-03-05T14:07:09Z\"", "\"2024-03-05T14:07:09Z\""),
            ("\"2024-03-05T14:07:09.1200000Z\"", "\"2024-03-05T14:07:09.12Z\""),
            ("\"2024-03-05\"", "\"2024-03-05\""),
            ("1E+20", "1E+20"),
            ("0x10", "16"),
        ];
        for (text, expected) in rows {
            assert_eq!(compact(&parsed(text)), expected, "{text}");
        }
        let wrong = [
            "",
            "{",
            "[1",
            "{\"a\"}",
            "{\"a\":}",
            "[1 2]",
            "\"open",
            "tru",
            "{\"a\":1}x",
            "'\\q'",
            "\"\\u00zz\"",
            "-",
            "1.2.3",
            "--1",
            "/*",
            "inf",
        ];
        for text in wrong {
            let thrown = read::token(text).unwrap_err();
            assert_eq!(thrown.kind.name(), "JsonReaderException", "{text}");
            assert!(thrown.message.contains("line "), "{}", thrown.message);
        }
        assert!(read::object("[]").is_err() && read::array("{}").is_err());
        let deep = "[".repeat(JSON_DEPTH_MAX + 2);
        assert!(read::token(&deep).unwrap_err().message.contains("128"));
        assert_eq!(
            write::json(&parsed("{\"a\":[1,{}],\"b\":{\"c\":[]}}"), Formatting::Indented).unwrap(),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": []\n  }\n}"
        );
    }

    #[test]
    fn a_token_shows_itself_as_in_dotnet() {
        let rows = [
            ("\"text\"", "text"),
            ("true", "True"),
            ("null", ""),
            ("1.50", "1.5"),
            ("7", "7"),
            ("\"2024-03-05T14:07:09Z\"", "03/05/2024 14:07:09"),
            ("[1]", "[\n  1\n]"),
        ];
        for (json, expected) in rows {
            assert_eq!(text(&parsed(json)).unwrap(), expected, "{json}");
        }
        let property = JsonProperty::new("a", Json::Int(1));
        assert_eq!(text(&Json::Property(property)).unwrap(), "\"a\": 1");
        assert_eq!(text_formatted(&parsed("'x'"), Formatting::Compact).unwrap(), "\"x\"");
    }

    #[test]
    fn values_are_serialized_as_newtonsoft_does() {
        let map = Map::new(false);
        map.set("a".into(), 1.into()).unwrap();
        map.set("b".into(), Value::Null).unwrap();
        let rows: Vec<(Value, &str)> = vec![
            ("a\"b".into(), "\"a\\\"b\""),
            (5.into(), "5"),
            (5.0.into(), "5.0"),
            (Value::Null, "null"),
            (true.into(), "true"),
            ('c'.into(), "\"c\""),
            (Value::array(vec![1.into(), "x".into()]), "[1,\"x\"]"),
            (map.into(), "{\"a\":1,\"b\":null}"),
            (Record::anonymous(vec![("n".into(), parsed("[1]").into())]).into(), "{\"n\":[1]}"),
            (Record::tuple(vec![1.into(), 2.into()]).into(), "{\"Item1\":1,\"Item2\":2}"),
            (vec![1_u8, 2].into(), "\"AQI=\""),
            (Value::Guid(1), "\"00000000-0000-0000-0000-000000000001\""),
            (u64::MAX.into(), "18446744073709551615"),
        ];
        for (value, expected) in rows {
            assert_eq!(&*serialize(&value, Formatting::Compact).unwrap(), expected);
        }
        assert!(deserialize(" ").unwrap().is_null());
        assert!(matches!(deserialize("5"), Ok(Value::Long(5))));
        assert!(matches!(deserialize("{}"), Ok(Value::Json(Json::Object(_)))));
        let mut nested = Value::list(Vec::new());
        for _ in 0..40 {
            nested = Value::list(vec![nested.clone(), nested.clone()]);
        }
        assert!(serialize(&nested, Formatting::Compact).is_err());
    }

    #[test]
    fn containers_are_shared_and_have_one_parent() {
        let inner = JsonObject::new();
        let outer = JsonObject::new();
        outer.set("a", Json::Object(inner.clone())).unwrap();
        inner.set("x", Json::Int(1)).unwrap();
        assert_eq!(compact(&Json::Object(outer.clone())), "{\"a\":{\"x\":1}}");
        // It has a parent now, so the second one gets a copy.
        outer.set("b", Json::Object(inner.clone())).unwrap();
        inner.set("x", Json::Int(2)).unwrap();
        assert_eq!(compact(&Json::Object(outer.clone())), "{\"a\":{\"x\":2},\"b\":{\"x\":1}}");
        // What would hold itself is copied, too.
        outer.set("self", Json::Object(outer.clone())).unwrap();
        inner.set("up", Json::Object(outer.clone())).unwrap();
        assert!(write::json(&Json::Object(outer.clone()), Formatting::Compact).is_ok());
        let array = JsonArray::new();
        array.push(Json::Array(array.clone())).unwrap();
        assert_eq!(compact(&Json::Array(array)), "[[]]");
        assert!(
            outer.add("a", Json::Null).unwrap_err().message.starts_with("Can not add property a")
        );
        assert!(outer.remove("a") && !outer.remove("a"));
        let fresh = JsonObject::new();
        fresh.set("moved", Json::Object(inner.clone())).unwrap();
        inner.set("x", Json::Int(9)).unwrap();
        assert!(compact(&Json::Object(fresh)).contains("\"x\":9"));
    }

    #[test]
    fn a_very_deep_token_is_dropped_and_refused_in_peace() {
        let root = JsonArray::new();
        let mut at = root.clone();
        for _ in 0..200_000 {
            let next = JsonArray::new();
            at.push(Json::Array(next.clone())).unwrap();
            at = next;
        }
        assert!(write::json(&Json::Array(root.clone()), Formatting::Compact).is_err());
        assert!(Json::Array(root).deep_clone().is_err());
    }

    #[test]
    fn properties_are_views_of_their_object() {
        let Json::Object(object) = parsed("{'a':1,'b':2}") else { panic!() };
        for property in object.properties() {
            property.set_value(Json::text(format!("{}!", property.name()))).unwrap();
        }
        assert_eq!(compact(&Json::Object(object.clone())), "{\"a\":\"a!\",\"b\":\"b!\"}");
        object.property("a").unwrap().remove().unwrap();
        assert_eq!(compact(&Json::Object(object.clone())), "{\"b\":\"b!\"}");
        assert!(object.property("a").is_none());
        let property = JsonProperty::new("c", Json::Int(1));
        object.add_property(&property).unwrap();
        property.set_value(Json::Int(2)).unwrap();
        assert_eq!(compact(&object.get("c").unwrap()), "2");
        assert!(property.set_value(Json::Property(property.clone())).is_err());
    }

    #[test]
    fn containers_are_made_as_in_newtonsoft() {
        let property = |name: &str, value: Value| -> Value {
            Json::Property(new_property(name, &value).unwrap()).into()
        };
        let object = new_object(&[
            property("a", 1.into()),
            property("b", Value::Null),
            property("c", Value::list(vec![1.into(), 2.into()])),
            Value::list(vec![property("d", "x".into())]),
        ]);
        let object = Json::Object(object.unwrap());
        assert_eq!(compact(&object), "{\"a\":1,\"b\":null,\"c\":[1,2],\"d\":\"x\"}");
        let array = new_array(&[1.into(), "a".into(), object.clone().into()]).unwrap();
        assert_eq!(array.len(), 3);
        assert_eq!(new_array(&[Json::Array(array.clone()).into()]).unwrap().len(), 3);
        assert_eq!(new_array(&[Value::array(vec![1.into()]), 2.into()]).unwrap().len(), 2);
        assert!(new_object(&[1.into()]).is_err());
        assert!(new_array(&[property("a", 1.into())]).is_err());
        assert_eq!(
            compact(&Json::Property(
                new_property("p", &Value::array(vec![1.into(), 2.into()])).unwrap()
            )),
            "\"p\":[1,2]"
        );
        assert!(new_value(&object.into()).is_err());
        assert!(matches!(new_value(&7.into()), Ok(Json::Int(7))));
    }

    #[test]
    fn members_are_reached_as_in_newtonsoft() {
        let token = parsed("{'a':[1,2,3],'n':null,'s':'7','o':{'x':1.5}}");
        let items = get(&token, &"a".into()).unwrap();
        let Value::Json(items) = items else { panic!() };
        assert_eq!(text(&items.children()[1]).unwrap(), "2");
        assert!(get(&token, &"missing".into()).unwrap().is_null());
        assert!(matches!(get(&token, &"n".into()), Ok(Value::Json(Json::Null))));
        assert_eq!(
            get(&token, &1.into()).unwrap_err().message,
            "Accessed JObject values with invalid key value: 1. Object property name expected."
        );
        assert!(get(&items, &3.into()).is_err() && get(&items, &"x".into()).is_err());
        assert_eq!(
            get(&Json::Int(1), &"x".into()).unwrap_err().message,
            "Cannot access child value on Newtonsoft.Json.Linq.JValue."
        );
        set(&token, &"new".into(), &1.into()).unwrap();
        set(&items, &0.into(), &"first".into()).unwrap();
        assert_eq!(compact(&items), "[\"first\",2,3]");
        let number = Target::Number(Numeric::Int);
        assert_eq!(value_at(&token, &"s".into(), &number).unwrap().int().unwrap(), 7);
        assert_eq!(value_at(&token, &"missing".into(), &number).unwrap().int().unwrap(), 0);
        assert!(value_at(&token, &"missing".into(), &Target::Text).unwrap().is_null());
        assert_eq!(count(&token), 5);
        assert!(has_values(&token) && !has_values(&Json::Int(1)));
        assert!(matches!(first(&items), Ok(Value::Json(Json::String(_)))));
        assert!(matches!(last(&items), Ok(Value::Json(Json::Int(3)))));
        let Json::Array(array) = items else { panic!() };
        assert_eq!(index_of(&array, &2.into()).unwrap(), 1);
        assert!(
            remove_item(&array, &2.into()).unwrap() && !remove_item(&array, &2.into()).unwrap()
        );
        array.insert(0, Json::Bool(true)).unwrap();
        assert_eq!(compact(&Json::Array(array)), "[true,\"first\",3]");
        let Json::Object(object) = token else { panic!() };
        assert!(
            get_value(&object, "S", true).is_some() && get_value(&object, "S", false).is_none()
        );
    }

    #[test]
    fn tokens_become_values_as_in_newtonsoft() {
        let target = Target::ListOf(Box::new(Target::Text));
        let Value::List(list) = convert::to_target(&parsed("['a',1]"), &target).unwrap() else {
            panic!()
        };
        assert_eq!(list.len(), 2);
        let target = Target::MapOf(Box::new(Target::Number(Numeric::Int)));
        let Value::Map(map) = convert::to_target(&parsed("{'a':1}"), &target).unwrap() else {
            panic!()
        };
        assert_eq!(map.get_text("a").unwrap().int().unwrap(), 1);
        assert!(convert::to_target(&parsed("[1]"), &target).is_err());
        let nullable = Target::Nullable(Box::new(Target::Bool));
        assert!(convert::to_target(&Json::Null, &nullable).unwrap().is_null());
        assert_eq!(
            convert::to_number(&Json::Null, Numeric::Int).unwrap_err().message,
            "Can not convert Null to Int32."
        );
        assert_eq!(
            convert::to_text(&parsed("{}")).unwrap_err().message,
            "Can not convert Object to String."
        );
        assert!(convert::to_date_time(&parsed("'2024-03-05T14:07:09Z'")).is_ok());
        assert!(convert::to_date_time(&parsed("'2024-03-05'")).is_ok());
        assert!(convert::to_number(&parsed("99999999999999999999"), Numeric::Long).is_err());
    }

    #[test]
    fn paths_select_as_in_newtonsoft() {
        let token = parsed(
            "{'store':{'book':[{'t':'A','p':8,'c':'x'},{'t':'B','p':12},{'t':'C','p':9,'c':'y'}],\
             'bike':{'p':20}},'e p':{'k':1}}",
        );
        let rows = [
            ("store.book[0].t", "A"),
            ("$.store.book[1].t", "B"),
            ("$['store']['bike'].p", "20"),
            ("['e p'].k", "1"),
            ("$.store.book[*].t", "A|B|C"),
            ("$.store.book[0,2].t", "A|C"),
            ("$.store.book[1:].t", "B|C"),
            ("$.store.book[-1:].t", "C"),
            ("$.store.book[:2].p", "8|12"),
            ("$.store.book[::2].t", "A|C"),
            ("$..p", "8|12|9|20"),
            ("$.store..p", "8|12|9|20"),
            ("$.store.book[?(@.p < 10)].t", "A|C"),
            ("$.store.book[?(@.p >= 9 && @.t != 'B')].t", "C"),
            ("$.store.book[?(@.t == 'A' || @.t == 'B')].p", "8|12"),
            ("$.store.book[?(@.c)].t", "A|C"),
            ("$.store.book[?(@.t =~ /^[ab]$/i)].t", "A|B"),
            ("$..book[?(@.p == 12)].t", "B"),
            ("$.store.*.p", "20"),
            ("missing", ""),
            ("$.store.book[9]", ""),
            ("$.store.book[?((@.p > 8) && (@.p < 10))].t", "C"),
        ];
        for (path, expected) in rows {
            let found = path::select_tokens(&token, path).expect(path);
            let found: Vec<String> = found.iter().map(|one| text(one).unwrap()).collect();
            assert_eq!(found.join("|"), expected, "{path}");
        }
        assert!(path::select_token(&token, "nothing").unwrap().is_none());
        assert_eq!(
            path::select_token(&token, "$..p").unwrap_err().message,
            "Path returned multiple tokens."
        );
        for path in
            ["$.", "$[", "a[", "a[?", "a[?(@.x", "a[1:2:0]", "$['a", "a b", "[?(@.a =~ /(/)]"]
        {
            assert!(path::select_tokens(&token, path).is_err(), "{path}");
        }
        assert!(path::select_tokens(&token, &"[?(".repeat(500)).is_err());
        assert!(path::select_tokens(&token, &"..*".repeat(100)).is_ok());
    }

    #[test]
    fn containers_are_merged_as_in_newtonsoft() {
        use merge::Arrays::{Concat, Merge, Replace, Union};
        let rows = [
            (Concat, false, "{\"a\":[1,2,2,3],\"o\":{\"x\":1,\"y\":2},\"n\":1,\"z\":5}"),
            (Union, false, "{\"a\":[1,2,3],\"o\":{\"x\":1,\"y\":2},\"n\":1,\"z\":5}"),
            (Replace, false, "{\"a\":[2,3],\"o\":{\"x\":1,\"y\":2},\"n\":1,\"z\":5}"),
            (Merge, true, "{\"a\":[2,3],\"o\":{\"x\":1,\"y\":2},\"n\":null,\"z\":5}"),
        ];
        for (arrays, merges_null, expected) in rows {
            let token = parsed("{'a':[1,2],'o':{'x':1},'n':1}");
            let content = parsed("{'a':[2,3],'o':{'y':2},'n':null,'z':5}");
            merge::merge(&token, &content, arrays, merges_null).unwrap();
            assert_eq!(compact(&token), expected);
        }
        let token = parsed("[1]");
        merge::merge(&token, &token, Concat, false).unwrap();
        assert_eq!(compact(&token), "[1,1]");
        assert!(deep_equals(&parsed("{'a':1,'b':[1]}"), &parsed("{'b':[1],'a':1}")).unwrap());
        assert!(!deep_equals(&parsed("[1,2]"), &parsed("[2,1]")).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn no_json_and_no_path_panics(text in "[\\[\\]{}:,'\"\\\\a-z0-9u.*?@()=~/$ e+-]{0,40}") {
            let _ = (read::token(&text), path::select_tokens(&parsed("{'a':[1,{'b':'c'}]}"), &text));
        }

        #[test]
        fn a_string_reads_back_as_itself(text in "\\PC{0,20}") {
            let token = parsed(&compact(&Json::text(&text)));
            assert_eq!(super::text(&token).unwrap(), text);
        }
    }
}
