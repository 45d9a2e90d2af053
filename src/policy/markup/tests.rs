//! The rules of the reader, one by one.

use super::*;

mod faults;
mod named_values;

fn file() -> Arc<str> {
    Arc::from("api.xml")
}

fn names() -> NamedValues {
    let mut names = NamedValues::default();
    names.insert("tenant-id", NamedValue::plain("contoso"));
    names.insert("by-key", NamedValue::plain("@(context.Request.Headers[\"k\"][0])"));
    names.insert("parts", NamedValue::plain("<value>1</value><value>2</value>"));
    names.insert("quoted", NamedValue::plain("a\"b<c&d"));
    names.insert("api-key", NamedValue::secret("hunter2"));
    names
}

fn reading(text: &str) -> Reading {
    read(&file(), text, &names())
}

/// The root of a document that has no faults.
#[track_caller]
fn root(text: &str) -> Element {
    let reading = reading(text);
    assert!(reading.faults.is_empty(), "{text}: {:#?}", reading.faults);
    reading.root.expect("a root")
}

/// The only element inside the root of a fragment that holds `text`.
#[track_caller]
fn only(text: &str) -> Element {
    let root = root(&format!("<fragment>{text}</fragment>"));
    let mut elements = root.elements();
    let element = elements.next().expect("an element").clone();
    assert_eq!(elements.count(), 0, "more than one element");
    element
}

/// The faults of `text`, as a person reads them, without the file.
fn faults(text: &str) -> Vec<String> {
    let faults = reading(text).faults;
    faults.iter().map(|fault| fault.to_string().replace("api.xml:", "")).collect()
}

fn place(text: &Text) -> (u32, u32) {
    let place = text.place();
    (place.line, place.column)
}

#[test]
fn elements_attributes_and_texts_have_places() {
    let root = root(
        "\u{feff}<policies>\n  <inbound>\n\t<set-header name = 'a'\n  x=\"\">\n <value> b </value></set-header></inbound></policies>",
    );
    let header = root.element("inbound").and_then(|inbound| inbound.element("set-header"));
    let header = header.expect("a header");
    assert_eq!((header.place.line, header.place.column), (3, 2));
    let name = header.attribute("name").expect("a name");
    assert_eq!((name.place.line, name.place.column), (3, 14));
    assert_eq!((name.value.as_str(), place(&name.value)), ("a", (3, 22)));
    let empty = header.value("x").expect("x");
    assert_eq!((empty.as_str(), place(empty)), ("", (4, 6)));
    let value = header.element("value").and_then(Element::text_content).expect("a text");
    assert_eq!((value.as_str(), place(&value)), (" b ", (5, 10)));
    assert!(header.stray_text().is_none());
    assert!(header.text_content().is_none());
}

#[test]
fn what_stands_around_the_root_is_ignored() {
    for text in [
        "\u{feff}<?xml version=\"1.0\"?>\n<!-- <inbound> -->\nA policy, for 1 < 2:\n<policies/>\n ok <!-- x -->",
        "\r\n<policies></policies >\r\n",
    ] {
        assert_eq!(&*root(text).name, "policies");
    }
    assert_eq!(&*root("<fragment><base/></fragment>").name, "fragment");
}

#[test]
fn lone_sections_are_read_as_a_document() {
    let root = root("<!-- x --> <inbound><base /></inbound>\n<outbound/>");
    assert_eq!(&*root.name, "policies");
    let sections: Vec<_> = root.elements().map(|section| section.name.to_string()).collect();
    assert_eq!(sections, ["inbound", "outbound"]);
}

#[test]
fn another_root_is_a_fault_that_names_the_remedy() {
    let wrong = faults("\n <polices></polices>");
    assert_eq!(
        wrong,
        ["2:2: `<polices>` is not the root of a policy document; did you mean `<policies>`?"]
    );
    let [wrong] = &faults("<cors></cors>")[..] else { panic!("one fault") };
    assert!(wrong.contains("put it into a section"), "{wrong}");
    for nothing in ["", "  ", "plain", "<!-- <policies/> -->", "<"] {
        let [wrong] = &faults(nothing)[..] else { panic!("one fault for {nothing}") };
        assert!(wrong.contains("there is no `<policies>`"), "{wrong}");
    }
}

#[test]
fn comments_cdata_and_instructions_are_no_part_of_a_text() {
    let body =
        only("<set-body>a<!-- {{nobody}} <b> -->b<?x <c> ?><![CDATA[<d> &amp; ]]>e</set-body>");
    assert_eq!(body.text_content().expect("text").as_str(), "ab<d> &amp; e");
}

#[test]
fn white_space_is_kept_in_a_text_and_dropped_between_elements() {
    assert_eq!(only("<v> \r\n\t</v>").text_content().expect("text").as_str(), " \r\n\t");
    assert_eq!(only("<v/>").text_content().expect("text").as_str(), "");
    let parent = only("<a>\n <b/>\n <c/> \n</a>");
    assert_eq!((parent.content.len(), parent.texts().count()), (2, 0));
    let mixed = only("<a> x <b/>\n</a>");
    assert_eq!(mixed.stray_text().map(place), Some((1, 15)));
}

#[test]
fn entities_are_unescaped_and_lone_ampersands_kept() {
    let element =
        only("<a b='&lt;&#65;&#x42;&amp;amp; &apos;' c=\"?a=1&b=2\">x &gt; y && z < 3</a>");
    assert_eq!(element.value("b").expect("b").as_str(), "<AB&amp; '");
    assert_eq!(element.value("c").expect("c").as_str(), "?a=1&b=2");
    assert_eq!(element.text_content().expect("text").as_str(), "x > y && z < 3");
    let value = element.value("b").expect("b");
    let columns: Vec<_> = (0..4).map(|offset| value.place_at(offset).column).collect();
    assert_eq!(columns, [17, 21, 26, 32]);
}

#[test]
fn an_entity_that_xml_does_not_know_is_a_fault() {
    assert_eq!(
        faults("<fragment>a&nbsp;b</fragment>"),
        ["1:12: XML knows no entity `&nbsp;`; write the character itself, or `&amp;` for the `&`"]
    );
}

#[test]
fn a_declaration_is_refused() {
    let bomb =
        "<!DOCTYPE a [<!ENTITY b \"bbb\"><!ENTITY c \"&b;&b;\">]>\n<fragment><d/></fragment>";
    assert_eq!(
        faults(bomb),
        ["1:1: a declaration may not stand in a policy document; take it out"]
    );
    assert_eq!(reading(bomb).root.expect("a root").elements().count(), 1);
}

#[test]
fn an_attribute_may_be_an_expression_with_its_own_quotes() {
    for (written, meant) in [
        ("a=\"@(x[\"k\"] < 1 && y > 2)\"", "@(x[\"k\"] < 1 && y > 2)"),
        ("a='@(x['k'] + \"'\")'", "@(x['k'] + \"'\")"),
        ("a=\"@(x[&quot;k&quot;] &lt; 1 &amp;&amp; y)\"", "@(x[\"k\"] < 1 && y)"),
        ("a=\"@(x[\"k\"] &lt; 1 &amp;&amp; y)\"", "@(x[\"k\"] < 1 && y)"),
        ("a=\" @{ // don't\n return \"</a>\"; }\n\"", "@{ // don't\n return \"</a>\"; }"),
        ("a=\"@(As<JObject>()[\"a\"])\"", "@(As<JObject>()[\"a\"])"),
    ] {
        let element = only(&format!("<p {written} b=\"c\"><q/></p>"));
        let value = element.value("a").expect("a");
        assert!(value.is_expression(), "{written}");
        assert_eq!(value.expression(), meant);
        assert_eq!(element.value("b").expect("b").as_str(), "c");
        assert_eq!(element.elements().count(), 1);
    }
}

#[test]
fn a_text_may_be_an_expression_with_tags_in_it() {
    let body = only("<set-body>\n @{\n  return \"<a></set-body>\";\n }\n</set-body>");
    let text = body.text_content().expect("text");
    assert_eq!(text.expression(), "@{\n  return \"<a></set-body>\";\n }");
    assert_eq!(place(&text), (2, 2));
    let end = text.expression_place(text.expression().len() - 1);
    assert_eq!((end.line, end.column), (4, 2));
    let cdata = only("<set-body>\n<![CDATA[@(a < b && \"&lt;\" == c)]]></set-body>");
    let text = cdata.text_content().expect("text");
    assert_eq!(text.expression(), "@(a < b && \"&lt;\" == c)");
    let after = only("<v><!-- why --> @(a)</v>").text_content().expect("text");
    assert!(after.is_expression());
}

#[test]
fn places_in_an_unescaped_expression_are_those_of_what_was_written() {
    let element = only("<p a=\"@(x[&quot;k&quot;])\"/>");
    let value = element.value("a").expect("a");
    assert_eq!(value.as_str(), "@(x[\"k\"])");
    let columns: Vec<_> = (0..9).map(|offset| value.expression_place(offset).column).collect();
    assert_eq!(columns, [17, 18, 19, 20, 21, 27, 28, 34, 35]);
}

#[test]
fn a_value_that_is_an_expression_only_in_part_says_where() {
    for (written, stray) in [
        ("<v>Bearer @(x)</v>", (1, 21)),
        ("<v>@(x) @(y)</v>", (1, 19)),
        ("<v>@(x))</v>", (1, 18)),
        ("<v a=\"b@(x)\"/>", (1, 18)),
        ("<v a=\"Bearer @(x[\"y\"])\" b=\"c\"/>", (1, 24)),
        ("<v a=\"@(x)%\"/>", (1, 21)),
        ("<v>é@{1}</v>", (1, 15)),
    ] {
        let element = only(written);
        let text = element.value("a").cloned().or_else(|| element.text_content()).expect("text");
        let place = text.stray_expression().expect("a stray expression");
        assert_eq!((place.line, place.column), stray, "{written}");
        assert!(!text.is_expression() && !text.is_broken());
    }
    assert!(
        only("<v>me@example.org @ (x)</v>").text_content().expect("text").form() == &Form::Literal
    );
}

#[test]
fn inner_markup_is_exact() {
    let body = only("<set-body> <a b='1'>x &amp; y<!-- z --></a>\n</set-body>");
    let inner = body.inner_markup();
    assert_eq!(inner.as_str(), " <a b='1'>x &amp; y<!-- z --></a>\n");
    assert_eq!(place(&inner), (1, 22));
    assert_eq!(only("<set-body/>").inner_markup().as_str(), "");
}

#[test]
fn a_document_inside_of_another_file_has_the_places_of_that_file() {
    // As a YAML block would hold it, 4 columns to the right from line 7 on.
    let text = "<policies>\n  <inbound a=\"@{\n    x;\n  }\">{{v}}b\nc</inbound>\n</policies>";
    let mut layout = Layout::starting(Place { file: Arc::from("f"), line: 7, column: 5 });
    for (number, (at, _)) in (8_u32..).zip(text.match_indices('\n')) {
        layout.push(at + 1, number, 5);
    }
    let mut names = NamedValues::default();
    names.insert("v", NamedValue::plain("value"));
    let reading = read_at(&layout, text, &names);
    assert_eq!(reading.faults, []);
    let root = reading.root.unwrap();
    let inbound = root.element("inbound").unwrap();
    let at = |place: Place| (place.line, place.column);
    assert_eq!((at(root.place.clone()), at(inbound.place.clone())), ((7, 5), (8, 7)));
    let expression = inbound.value("a").unwrap();
    assert_eq!(at(expression.place_at(expression.as_str().find('x').unwrap())), (9, 9));
    let content = inbound.text_content().unwrap();
    let places: Vec<_> = [0, 5, 7].into_iter().map(|offset| at(content.place_at(offset))).collect();
    assert_eq!(places, [(10, 10), (10, 15), (11, 5)]);
}
