//! Schemas: what they refuse, and how they are refused.

use super::*;

fn library() -> Arc<Library> {
    let orders = json!({
        "openapi": "3.0.3",
        "components": { "schemas": {
            "Order": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": { "type": "integer", "minimum": 0, "exclusiveMinimum": true },
                    "note": { "type": "string", "nullable": true, "maxLength": 5 },
                    "kind": { "type": "string", "nullable": true, "enum": ["a", "b"] },
                    "lines": { "type": "array", "items": { "$ref": "#/components/schemas/Line" } }
                },
                "additionalProperties": false
            },
            "Line": { "type": "object", "properties": { "Sku": { "type": "string", "pattern": "^[A-Z]+$" } }, "required": ["Sku"] },
            "Tree": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/Tree" } } }
        } }
    });
    Arc::new(Library::new([(Arc::from("orders"), orders)]))
}

fn order() -> Schema {
    Schema::referred(&library(), "orders", "#/components/schemas/Order").unwrap()
}

#[track_caller]
fn is_right(schema: &Schema, value: &Value, variant: Variant) -> bool {
    schema.findings(value, variant).unwrap().is_empty()
}

#[test]
fn what_openapi_says_is_what_holds() {
    let order = order();
    assert_eq!((order.name(), order.types()), ("Order", &["object".to_owned()][..]));
    let plain = Variant::default();
    for (value, expected) in [
        (json!({ "id": 1 }), true),
        (json!({ "id": 0 }), false),
        (json!({ "id": "1" }), false),
        (json!({}), false),
        (json!({ "id": 1, "note": null, "kind": null }), true),
        (json!({ "id": 1, "note": "longer" }), false),
        (json!({ "id": 1, "kind": "c" }), false),
        (json!({ "id": 1, "other": 1 }), false),
        (json!({ "id": 1, "lines": [{ "Sku": "AB" }] }), true),
        (json!({ "id": 1, "lines": [{ "Sku": "ab" }] }), false),
    ] {
        assert_eq!(is_right(&order, &value, plain), expected, "{value}");
    }
    let told = order.findings(&json!({ "id": 1, "note": "a secret" }), plain).unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("`/note`: ") && !told[0].contains("secret"), "{}", told[0]);
}

#[test]
fn a_policy_may_read_it_otherwise() {
    let order = order();
    let loose = Variant { additional: Some(true), ignores_case: false };
    assert!(is_right(&order, &json!({ "id": 1, "other": 1 }), loose));
    let strict = Variant { additional: Some(false), ignores_case: false };
    let more = json!({ "id": 1, "lines": [{ "Sku": "A", "more": 1 }] });
    assert!(is_right(&order, &more, Variant::default()));
    assert!(!is_right(&order, &more, strict));
    let any_case = Variant { additional: None, ignores_case: true };
    assert!(is_right(&order, &json!({ "ID": 1, "Lines": [{ "SKU": "A" }] }), any_case));
    assert!(!is_right(&order, &json!({ "ID": 1 }), Variant::default()));
    assert!(!is_right(&order, &json!({ "ID": 0 }), any_case));
}

#[test]
fn what_a_value_costs_is_bounded() {
    let tree = Schema::referred(&library(), "orders", "#/components/schemas/Tree").unwrap();
    let deep = (0..100).fold(json!({}), |inner, _| json!({ "next": inner }));
    assert!(is_right(&tree, &deep, Variant::default()));
    let long = order().findings(&json!({ "id": 1, "x".repeat(100_000): 1 }), Variant::default());
    assert_eq!(long.unwrap()[0].chars().count(), FINDING_CHARACTERS_MAX + 1);
    let many = Schema::compile(&library(), "many", &json!({ "items": { "type": "string" } }));
    let numbers = json!((0..1000).collect::<Vec<_>>());
    assert_eq!(many.unwrap().findings(&numbers, Variant::default()).unwrap().len(), FINDINGS_MAX);
}

#[test]
fn of_a_large_value_only_that_it_is_wrong_is_told() {
    let plain = Variant::default();
    let words = json!({ "items": { "type": "string" } });
    let words = Schema::compile(&library(), "words", &words).unwrap();
    let numbers = |count: usize| words.findings(&json!(vec![1; count]), plain).unwrap();
    assert_eq!(numbers(TOLD_VALUES_MAX).len(), FINDINGS_MAX);
    assert_eq!(numbers(TOLD_VALUES_MAX + 1), [TOO_LARGE]);
    assert!(is_right(&words, &json!(vec!["a"; TOLD_VALUES_MAX + 1]), plain));
    let tree = Schema::referred(&library(), "orders", "#/components/schemas/Tree").unwrap();
    let nested = |levels: usize| {
        let value = (0..levels).fold(json!(1), |inner, _| json!({ "next": inner }));
        tree.findings(&value, plain).unwrap()
    };
    let told = nested(TOLD_DEPTH_MAX);
    assert!(told.len() == 1 && told[0].starts_with("`/next/next"), "{told:?}");
    assert_eq!(nested(TOLD_DEPTH_MAX + 1), [TOO_LARGE]);
}

#[track_caller]
fn refused(schema: &Value) -> String {
    Schema::compile(&library(), "it", schema).unwrap_err().0
}

#[test]
fn what_cannot_be_a_schema_is_refused_at_load() {
    let remote = refused(&json!({ "$ref": "https://example.com/schema.json" }));
    assert!(remote.contains("nothing is fetched"), "{remote}");
    let file = refused(&json!({ "properties": { "a": { "$ref": "file:///etc/passwd" } } }));
    assert!(file.contains("nothing is fetched"), "{file}");
    for missing in ["#/nothing", "other#/x", "orders#/components/schemas/None", "#anchor"] {
        let told = refused(&json!({ "items": { "$ref": missing } }));
        assert!(told.contains("is not there"), "{told}");
    }
    for circle in [
        json!({ "$ref": "#" }),
        json!({ "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }] } }, "$ref": "#/$defs/a" }),
        json!({ "$defs": { "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "$ref": "#/$defs/a" } } }),
    ] {
        assert!(refused(&circle).contains("circle"), "{circle}");
    }
    assert!(refused(&json!({ "type": "text" })).contains("is no schema"));
    assert!(refused(&json!({ "pattern": "(?=a)b" })).contains("is no schema"));
    assert!(refused(&json!({ "pattern": "(a" })).contains("is no schema"));
    assert!(refused(&json!({ "properties": { "a": { "$id": "x" } } })).contains("$id"));
}

#[test]
fn a_schema_that_branches_without_end_or_is_too_deep_is_refused() {
    let mut defs = serde_json::Map::new();
    for level in 0..30 {
        let next = format!("#/$defs/d{}", level + 1);
        let branch = json!({ "oneOf": [{ "$ref": &next }, { "$ref": &next }] });
        defs.insert(format!("d{level}"), branch);
    }
    defs.insert("d30".to_owned(), json!({ "type": "string" }));
    let told = refused(&json!({ "$defs": defs, "$ref": "#/$defs/d0" }));
    assert!(told.contains("ways") || told.contains("too often"), "{told}");
    let deep = (0..DEPTH_MAX).fold(json!({}), |inner, _| json!({ "items": inner }));
    assert!(refused(&deep).contains("nested deeper"));
    let long = json!({ "description": "x".repeat(DOCUMENT_BYTES_MAX) });
    assert!(refused(&long).contains("larger than"));
}

#[test]
fn a_schema_gives_a_value_that_it_describes() {
    let made = order().sample();
    let expected =
        json!({ "id": 0, "note": "string", "kind": "a", "lines": [{ "Sku": "string" }] });
    assert_eq!(made, expected);
    let own = json!({ "allOf": [{ "properties": { "a": { "example": 7 } } }], "properties": { "b": { "format": "uuid", "type": "string" } } });
    let own = Schema::compile(&library(), "own", &own).unwrap().sample();
    assert_eq!(own, json!({ "a": 7, "b": "00000000-0000-0000-0000-000000000000" }));
    let tree = Schema::referred(&library(), "orders", "#/components/schemas/Tree").unwrap();
    assert!(tree.sample().to_string().len() < 100);
}
