//! Named values in documents: put in, unknown, assumed, secret.

use super::*;

#[test]
fn named_values_are_put_in_everywhere() {
    let element = only("<set-header name=\"x-{{tenant-id}}\">{{parts}}</set-header>");
    assert_eq!(element.value("name").expect("name").as_str(), "x-contoso");
    assert_eq!(element.elements().count(), 2);
    let part = element.element("value").expect("a value");
    assert_eq!((part.place.line, part.place.column), (1, 46));
    let element = only("<v a=\"{{by-key}}\" b=\"@(\"{{tenant-id}}\" + c)\" d=\"{{quoted}}\" />");
    assert!(element.value("a").expect("a").is_expression());
    assert_eq!(element.value("b").expect("b").expression(), "@(\"contoso\" + c)");
    assert_eq!(element.value("d").expect("d").as_str(), "a\"b<c&d");
}

#[test]
fn an_unknown_named_value_is_a_fault_with_the_nearest_name() {
    assert_eq!(
        faults("<fragment>\n<v a=\"{{tenantid}}\"/></fragment>"),
        ["2:7: there is no named value `tenantid`; did you mean `tenant-id`?"]
    );
}

#[test]
fn an_unknown_named_value_is_assumed_where_that_is_asked_for() {
    let text =
        "<fragment><v a=\"{{x}}\">@(\"{{y}}\")</v><!-- {{z}} -->\n<v a=\"{{x}}\"/></fragment>";
    let reading = read(&file(), text, &NamedValues::assumed());
    assert!(reading.faults.is_empty());
    let assumed: Vec<_> =
        reading.assumed.iter().map(|(name, p)| (name.as_str(), p.column)).collect();
    assert_eq!(assumed, [("x", 17), ("y", 27)]);
    let root = reading.root.expect("a root");
    let first = root.element("v").expect("v");
    assert!(first.value("a").expect("a").is_assumed());
    let text = first.text_content().expect("text");
    assert!(text.is_assumed() && text.expression() == "@(\"0\")");
}

#[test]
fn braces_in_a_liquid_template_are_liquid_unless_the_name_is_known() {
    let body = only(
        "<set-body template=\"Liquid\"><a>{{body.id}}{{ item.x | Upcase }}</a>{{tenant-id}}</set-body>",
    );
    let inner = body.inner_markup();
    assert_eq!(inner.as_str(), "<a>{{body.id}}{{ item.x | Upcase }}</a>contoso");
    assert!(!inner.is_assumed());
    assert_eq!(faults("<fragment><set-body>{{body.id}}</set-body></fragment>").len(), 1);
    let spaced = only("<set-body>{{ body.id }} {{\"a\"}}</set-body>");
    assert_eq!(spaced.text_content().expect("text").as_str(), "{{ body.id }} {{\"a\"}}");
}

#[test]
fn a_text_with_a_secret_says_so_and_does_not_print() {
    let text =
        "<fragment><v a=\"{{api-key}}\" b=\"@(f(\"{{api-key}}\"))\">{{api-key}}</v></fragment>";
    let reading = reading(text);
    assert!(!format!("{reading:?}").contains("hunter2"));
    let root = reading.root.expect("a root");
    let element = root.element("v").expect("v");
    assert!(element.value("a").expect("a").is_secret());
    assert!(element.value("b").expect("b").is_secret());
    assert!(element.inner_markup().is_secret());
    assert_eq!(element.text_content().expect("text").as_str(), "hunter2");
}

#[test]
fn no_fault_shows_a_secret() {
    let mut names = NamedValues::default();
    names.insert("s", NamedValue::secret("hunter2"));
    for text in
        ["<{{s}}>", "<a {{s}} {{s}}=\"1\"/>", "<a b={{s}}/>", "</{{s}}>", "<fragment>&{{s}};"]
    {
        let reading = read(&file(), text, &names);
        assert!(!reading.faults.is_empty(), "{text}");
        assert!(
            !format!("{:?}", reading.faults).contains("hunter2"),
            "{text}: {:?}",
            reading.faults
        );
    }
}
