//! What is wrong in a document is said where it starts, and reading goes on.

use super::*;

#[test]
fn an_expression_that_does_not_end_is_a_fault_where_it_starts() {
    let text = "<fragment>\n<set-variable name=\"a\" value=\"@(x[\"k\"]\" />\n<choose>\n\
                <when condition=\"@{ return f(1;\">\n<b/></when></choose>\n\
                <v>@(\"a\" + (b)</v><d e=\"{{nobody}}\"/>\n</fragment>";
    assert_eq!(
        faults(text),
        [
            "2:31: the expression does not end: a `)` is missing; close every `(` with a `)`",
            "4:18: the expression does not end: a `}` is missing; close every `{` with a `}`",
            "6:4: the expression does not end: a `)` is missing; close every `(` with a `)`",
            "6:25: there is no named value `nobody`; add a named value `nobody` to the configuration",
        ]
    );
    let root = reading(text).root.expect("a root");
    assert_eq!(root.elements().count(), 4);
    assert!(root.elements().next().and_then(|v| v.value("value")).expect("value").is_broken());
}

#[test]
fn a_bracket_further_down_does_not_end_an_expression() {
    let text = "<fragment><v a=\"@(f(x\" />\n<!-- 1) first 2) second -->\n<w>b)</w></fragment>";
    assert_eq!(
        faults(text),
        ["1:17: the expression does not end: a `)` is missing; close every `(` with a `)`"]
    );
    let text = "<fragment><v>@(f(x</v>\n<!-- 1) first 2) second -->\n<w>b)</w></fragment>";
    assert_eq!(faults(text).len(), 1);
    let text =
        "<fragment><v a=\"@{ if (x) { return 1; \" />\n <w a=\"@{ return \"y\"; } }\"/></fragment>";
    assert_eq!(faults(text).len(), 1);
}

#[test]
fn markup_in_a_string_does_not_end_an_expression() {
    for code in [
        "\"<a b=\\\"\" + c + \"\\\">\\n<d/>\"",
        "@\"<a b=\"\"c\"\" />\n  <d/>\"",
        "\"<a b='\" + c + \"'>\" + \"<d/>\"",
        "\"<a b=\" + c + \"><d/>\"",
    ] {
        let element = only(&format!("<v a=\"@{{\n return {code};\n}}\"\n/>"));
        assert!(element.value("a").expect("a").is_expression(), "{code}");
    }
}

#[test]
fn a_string_or_comment_that_does_not_end_is_named() {
    assert_eq!(
        faults("<fragment><v>@(a /* b)</v></fragment>"),
        ["1:18: a comment in an expression is not closed; add `*/`"]
    );
    assert_eq!(
        faults("<fragment><v>@(a + @\"b)</v></fragment>"),
        ["1:21: a string in an expression is not closed; add its `\"`"]
    );
}

#[test]
fn tags_that_do_not_match_are_faults_and_reading_goes_on() {
    assert_eq!(
        faults("<policies><inbound>\n<choose>\n<when a=\"b\">\n</choose></inbound>"),
        [
            "1:1: `<policies>` is not closed; add `</policies>`",
            "3:1: `<when>` is not closed; add `</when>` before `</choose>` in line 4",
        ]
    );
    assert_eq!(
        faults("<fragment><set-header></set-heder></x></fragment>"),
        [
            "1:23: `</set-heder>` closes nothing; did you mean `</set-header>`?",
            "1:35: `</x>` closes nothing; take it out, or add the start tag that is missing",
        ]
    );
    assert_eq!(
        faults("<policies/><inbound/>"),
        [
            "1:12: `<inbound>` stands after the end of `</policies>`; move it before that end tag, or take it out"
        ]
    );
}

#[test]
fn two_names_of_one_policy_match() {
    let policy = only("<llm-emit-token-metric><x/></azure-openai-emit-token-metric>");
    assert_eq!(&*policy.name, "llm-emit-token-metric");
    assert_eq!(faults("<fragment><llm-a></azure-openai-b></llm-a></fragment>").len(), 1);
}

#[test]
fn attributes_that_are_not_written_as_such_are_faults_and_reading_goes_on() {
    for (written, wrong) in [
        (
            "<v a=\"1\" a=\"2\"/>",
            "1:20: the attribute `a` stands here twice; take one out; the first is in line 1",
        ),
        ("<v a>b</v>", "1:14: the attribute `a` has no value; write `a=\"…\"`"),
        ("<v a=b />", "1:14: the value of the attribute `a` has no quotes; write `a=\"…\"`"),
        (
            "<v a=\"b\"c=\"d\"/>",
            "1:19: no space after the value of `a`; add one, or write `&quot;` for a quote in the value",
        ),
        (
            "<v a=\"b>\n<w/></v>",
            "1:16: the quote that opens the value of `a` is not closed; add the closing quote; a `<` in a value is written `&lt;`",
        ),
        (
            "<v a=\"b\"\n<w/></v>",
            "1:11: the start tag of `<v>` is not closed; add `>`, or `/>` if nothing is inside",
        ),
        (
            "<v \"b\" ></v>",
            "1:14: this does not belong in `<v>`; an attribute is written as `name=\"value\"`",
        ),
        ("<v></v ", "1:14: this end tag is not closed; write `</v>`"),
    ] {
        assert_eq!(faults(&format!("<fragment>{written}</fragment>")), [wrong], "{written}");
    }
    let reading = reading("<fragment><v a=\"1\" a=\"2\"/></fragment>");
    let first = reading.root.expect("a root");
    assert_eq!(first.element("v").and_then(|v| v.value("a")).expect("a").as_str(), "1");
}

#[test]
fn a_slip_in_an_expression_is_one_fault() {
    for (written, wrong) in [
        (
            "a=\"@(f(x)) + \"y\" + g(z))\"",
            "1:25: the expression ends before the value does; see that every bracket before this has its partner, and no other",
        ),
        (
            "a=\"@f<string>(\"y\", 1)\"",
            "1:19: a `<` stands in the value of `a`; write `&lt;`, or begin with `@(` if this is to be an expression",
        ),
        ("a\"@(f(\"y\", 1))\"", "1:14: a `=` is missing after the attribute `a`; write `a=\"…\"`"),
        (
            "a=@(f(\"y > <z>\", 1))",
            "1:14: the value of the attribute `a` has no quotes; write `a=\"…\"`",
        ),
    ] {
        let text = format!("<fragment><v {written} b=\"c\"><w/></v></fragment>");
        assert_eq!(faults(&text), [wrong], "{written}");
        let root = reading(&text).root.expect("a root");
        let element = root.element("v").expect("v");
        assert_eq!(element.value("b").expect("b").as_str(), "c", "{written}");
    }
}

#[test]
fn what_is_not_closed_at_the_end_hides_no_earlier_fault() {
    assert_eq!(
        faults("<fragment><a b/><!-- c </fragment>"),
        [
            "1:14: the attribute `b` has no value; write `b=\"…\"`",
            "1:17: a comment is not closed; add `-->`",
        ]
    );
    assert_eq!(
        faults("<fragment><v><![CDATA[x</v>"),
        ["1:14: a CDATA section is not closed; add `]]>`"]
    );
    assert_eq!(faults("<?x <policies/>").len(), 1);
}

#[test]
fn what_is_read_twice_is_reported_once() {
    let text = "<fragment><v a=\"&nbsp;{{nobody}} @(x[\"y\"])\"/></fragment>";
    assert_eq!(faults(text).len(), 2);
}

#[test]
fn every_bound_is_a_fault_of_its_own() {
    let within = |text: &str| format!("<fragment>{text}</fragment>");
    let only_fault = |text: String, part: &str| {
        let wrong = faults(&text);
        assert_eq!(wrong.len(), 1, "{part}");
        assert!(wrong[0].contains(part), "{}", wrong[0]);
    };
    only_fault(" ".repeat(DOCUMENT_BYTES_MAX + 1), "larger than 1048576 bytes");
    only_fault(within(&"<a>".repeat(DEPTH_MAX)), "nested deeper than 64");
    only_fault(within(&"<a/>".repeat(ELEMENTS_MAX)), "more than 20000 elements");
    let attributes: String = (0..=ATTRIBUTES_MAX)
        .flat_map(|n| [" a".to_owned(), n.to_string(), "=''".to_owned()])
        .collect();
    only_fault(within(&format!("<a{attributes}/>")), "more than 64 attributes");
    only_fault(within(&format!("<{}/>", "n".repeat(200))), "longer than 128 bytes");
    assert_eq!(faults(&within(&"<a b/>".repeat(1000))).len(), FAULTS_MAX);
}
