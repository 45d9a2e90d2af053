//! What JSON becomes.

use super::*;

fn xml(text: &str) -> String {
    let names = Names::new(Arc::from(SEPARATOR), None);
    converted(text, true, names, None).unwrap()
}

#[test]
fn members_are_elements() {
    for (json, expected) in [
        (r#"{"a":"t"}"#, "<a>t</a>"),
        (r#"{"a":{}}"#, "<a />"),
        (r#"{"a":{"b":1,"c":[1,2]}}"#, "<a><b>1</b><c>1</c><c>2</c></a>"),
        (
            r#"{"n":"J","alive":true,"kids":[],"to":null}"#,
            "<Document><n>J</n><alive>True</alive><kids /><to xsi:nil=\"true\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" /></Document>",
        ),
        (r#"{"a":[1,2]}"#, "<Document><a>1</a><a>2</a></Document>"),
        ("[1,{\"b\":2}]", "<Document><Item>1</Item><Item><b>2</b></Item></Document>"),
        (r#"{"a":{"b":[[1,2],[]]}}"#, "<a><b><b>1</b><b>2</b></b><b /></a>"),
        ("[]", "<Document />"),
        ("{}", "<Document />"),
        ("5", "<Document>5</Document>"),
        (r#"{"a":"<&>\""}"#, "<a>&lt;&amp;&gt;\"</a>"),
        (r#"{"a b":1.50}"#, "<a_x0020_b>1.5</a_x0020_b>"),
        ("{\"a\":\"\\u0000\"}", "<a>\u{fffd}</a>"),
    ] {
        assert_eq!(xml(json), expected, "{json}");
    }
}

#[test]
fn what_xml_to_json_writes_becomes_xml_again() {
    for text in [
        "<a x=\"1\">t</a>",
        "<a><![CDATA[<x>]]></a>",
        "<p:a xmlns:p=\"urn:p\" p:x=\"1\"><p:b>1</p:b></p:a>",
        "<a><b>1</b><b>2</b></a>",
    ] {
        let style = r##"{"a":{"@x":"1","#text":"t"}}"##;
        let json = match text {
            "<a x=\"1\">t</a>" => style,
            "<a><![CDATA[<x>]]></a>" => r##"{"a":{"#cdata-section":"<x>"}}"##,
            "<a><b>1</b><b>2</b></a>" => r#"{"a":{"b":["1","2"]}}"#,
            _ => r#"{"p:a":{"@xmlns:p":"urn:p","@p:x":"1","p:b":"1"}}"#,
        };
        assert_eq!(xml(json), text);
    }
    let declared = r#"{"?xml":{"@version":"1.0","@encoding":"latin1"},"a":1}"#;
    assert_eq!(xml(declared), "<?xml version=\"1.0\" encoding=\"utf-8\"?><a>1</a>");
}

#[test]
fn namespaces_and_attributes_are_members_where_the_policy_names_them() {
    let json = r##"{"s:Envelope":{"xmlns:s":"urn:s","xmlns":"urn:d",
        "s:Body":{"q":{"#attrs":{"name":"a\"b"},"item":1}}}}"##;
    let names = Names::new(Arc::from(":"), Some(Arc::from("xmlns")));
    let expected = "<s:Envelope xmlns:s=\"urn:s\" xmlns=\"urn:d\"><s:Body>\
                    <q name=\"a&quot;b\"><item>1</item></q></s:Body></s:Envelope>";
    let block = Some(Arc::from("#attrs"));
    assert_eq!(converted(json, true, names, block).unwrap(), expected);
}

#[test]
fn dates_are_read_unless_they_are_to_stay() {
    let json = r#"{"at":"2024-03-05T14:07:09.1230000Z"}"#;
    assert_eq!(xml(json), "<at>2024-03-05T14:07:09.123Z</at>");
    let names = Names::new(Arc::from(SEPARATOR), None);
    let expected = "<at>2024-03-05T14:07:09.1230000Z</at>";
    assert_eq!(converted(json, false, names, None).unwrap(), expected);
}

#[test]
fn json_that_would_become_too_much_xml_is_refused() {
    let name = "n".repeat(100_000);
    let ones = vec!["1"; 200].join(",");
    let json = format!("{{\"{name}\":[{ones}]}}");
    assert!(json.len() < 200_000);
    let names = Names::new(Arc::from(SEPARATOR), None);
    let refused = converted(&json, true, names, None).unwrap_err();
    assert!(refused.contains("more than 16777216 bytes"), "{refused}");
    let deep = "[".repeat(100_000);
    let names = Names::new(Arc::from(SEPARATOR), None);
    assert!(converted(&deep, true, names, None).is_err());
}
