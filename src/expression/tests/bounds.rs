//! What is deep, long or endless stops at its bound.

use proptest::prelude::{any, prop, prop_oneof, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy;

use crate::fault::damage::{damaged, damages, texts};

use super::request::Request;
use super::{Expected, compile, outcome};

#[test]
fn nothing_runs_forever_or_grows_without_bound() {
    for (text, message) in [
        ("@{ while (true) { } }", "steps"),
        ("@{ switch (1) { default: goto default; } }", "steps"),
        ("@{ int F(int n) => F(n + 1); return F(0); }", "deep"),
        ("@{ var s = \"x\"; while (true) { s += s; } }", "bytes"),
        ("@{ var l = new List<string>(); while (true) { l.Add(\"x\"); } }", "steps"),
        ("@{ var l = new List<string>(); for (;;) { l.Add(new string('a', 1000000)); } }", "bytes"),
        ("@(new int[2000000000].Length)", "items"),
        ("@(Enumerable.Range(0, 2000000000).Count())", "items"),
        ("@(\"\".PadLeft(2000000000).Length)", ""),
        ("@{ try { while (true) { } } catch { return 1; } }", "steps"),
    ] {
        let found = outcome(text);
        assert!(found.starts_with("limit: ") && found.contains(message), "{text}: {found}");
    }
}

#[test]
fn what_looks_at_much_costs_much() {
    let array = "JArray.Parse(\"[\" + string.Join(\",\", Enumerable.Repeat(1, 50000)) + \"]\")";
    let removed = format!("@{{ foreach (var t in {array}.ToList()) {{ t.Remove(); }} return 1; }}");
    for text in [
        "@{ var b = new StringBuilder(new string('x', 10000000)); while (true) { b.Remove(0, 1); } }",
        "@{ var b = new StringBuilder(new string('x', 10000000)); while (true) { var n = b.Length; } }",
        "@{ var r = new StringReader(new string('x', 10000000)); while (true) { r.Read(); } }",
        "@{ var m = Regex.Match(new string('x', 10000000), \"x\"); while (m.Success) { m = m.NextMatch(); } return 1; }",
        "@{ var r = RSA.Create(); while (true) { try { r.ImportFromPem(\"x\"); } catch { } } }",
        &removed,
    ] {
        let found = outcome(text);
        assert!(found.starts_with("limit: ") && found.contains("steps"), "{text}: {found}");
    }
}

#[test]
fn what_is_sorted_is_not_sorted_again_when_it_is_read() {
    let long = "var p = \"a\"; while (p.Length < 60000) { p += p; }";
    let nested = format!(
        "@{{ {long} var d = new SortedDictionary<string,int>(); for (int i = 0; i < 200; i++) \
         d[p + i] = i; var l = new List<object>(); for (int i = 0; i < 20; i++) l.Add(d); \
         return l.Count; }}"
    );
    assert_eq!(outcome(&nested), "20");
    let counted = "@{ var p = new string('a', 4000000); var s = new SortedSet<string>(); \
                   for (int i = 0; i < 4; i++) s.Add(p + i); var n = 0; \
                   for (int i = 0; i < 100; i++) n += s.Count(); return n; }";
    assert_eq!(outcome(counted), "400");
}

#[test]
fn what_is_compared_to_sort_costs_steps() {
    let long = "var p = new string('a', 1000000);";
    for text in [
        "var d = new SortedDictionary<string, int>(); while (true) { d[p] = 1; d.Remove(p); }",
        "var s = new SortedSet<string>(); while (true) { s.Add(p); s.Clear(); }",
        "var s = new SortedSet<string>(); while (true) { s.UnionWith(new[] { p }); s.Clear(); }",
        "while (true) { var s = new SortedSet<string>(new[] { p }); }",
        "var s = new SortedSet<int>(); for (int i = 0; ; i--) { s.Add(i); }",
        "return Enumerable.Repeat(p, 1000).OrderBy(x => x).Count();",
        "return Enumerable.Repeat(p, 1000).OrderBy(x => x, StringComparer.Ordinal).Count();",
        "Enumerable.Repeat(p, 1000).ToList().Sort(); return 1;",
    ] {
        let found = outcome(&format!("@{{ {long} {text} }}"));
        assert!(found.starts_with("limit: ") && found.contains("steps"), "{text}: {found}");
    }
}

#[test]
fn a_long_way_down_a_document_is_given_back_without_recursion() {
    let text = "@{ JToken t = new JObject(); for (int i = 0; i < 30000; i++) { var o = new JObject(); \
                o[\"x\"] = t; t = o; } var n = 0; while (t[\"x\"] != null) { t = t[\"x\"]; n++; } \
                return n + t.Parent.Type.ToString(); }";
    let found = outcome(text);
    assert!(found == "30000Property" || found.starts_with("limit: "), "{found}");
}

#[test]
fn ten_thousand_brackets_are_a_fault() {
    for (open, close) in [("(", ")"), ("!", ""), ("(int)", ""), ("new[]{", "}"), ("x => ", "")] {
        let text = format!("@({}1{})", open.repeat(10_000), close.repeat(10_000));
        let wrongs = compile(&text, Expected::Any).unwrap_err();
        assert!(wrongs[0].message.contains("nested"), "{open}: {:?}", wrongs[0]);
    }
}

#[test]
fn the_deepest_nesting_that_is_read_also_runs() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("-(", "1", ")"),
        ("1 + (", "1", ")"),
        ("\"a\".Substring(0 * (", "0", "))"),
        ("new JArray(", "1", ")"),
        ("new[] { 1 }.Select(x => ", "1", ").Count()"),
        ("(true ? ", "1", " : 2)"),
    ] {
        for depth in [1, 10, 20, 40, 80, 90] {
            let text = format!("@({}{middle}{})", open.repeat(depth), close.repeat(depth));
            // Either is fine, as long as it ends.
            if let Ok(expression) = compile(&text, Expected::Any) {
                let _ = expression.evaluate(&mut Request::default());
            }
        }
    }
}

#[test]
fn an_expression_of_a_mebibyte_is_refused_before_it_is_read() {
    for text in [
        format!("@(\"{}\")", "x".repeat(1 << 20)),
        format!("@({}1)", "1 + ".repeat(1 << 18)),
        format!("@{{{}return 1;}}", "var x = 1; ".repeat(100_000)),
    ] {
        let wrongs = compile(&text, Expected::Any).unwrap_err();
        assert_eq!(wrongs.len(), 1);
        assert!(wrongs[0].message.contains("longer than"), "{}", wrongs[0].message);
    }
}

#[test]
fn a_pattern_that_backtracks_exponentially_elsewhere_ends_here() {
    let text = "@(Regex.IsMatch(new string('a', 100000) + \"!\", \"^(a+)+$\"))";
    assert_eq!(outcome(text), "False");
    let text = "@(Regex.IsMatch(new string('a', 5000), \"(x+x+)+y|(a|aa)+$\"))";
    assert_eq!(outcome(text), "True");
    let huge = outcome("@(Regex.IsMatch(\"a\", \"((a{1000}){1000}){1000}\"))");
    assert!(huge.starts_with("refused: the regular expression cannot be used"), "{huge}");
}

#[test]
fn deep_and_huge_json_ends_at_its_bound() {
    let deep = "@(JArray.Parse(new string('[', 100000)))";
    assert!(outcome(deep).starts_with("limit: "), "{}", outcome(deep));
    let wide =
        "@(JArray.Parse(\"[\" + new string('x', 8000000).Replace(\"x\", \"1,\") + \"1]\").Count)";
    assert!(outcome(wide).starts_with("limit: "), "{}", outcome(wide));
    let grown = "@{ var a = new JArray(1); while (true) { a = new JArray(a, a); } }";
    assert!(outcome(grown).starts_with("limit: "), "{}", outcome(grown));
}

#[test]
fn a_billion_laughs_are_no_document() {
    let laughs = r#"<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><l>&b;</l>"#;
    for class in ["XElement", "XDocument"] {
        let found = outcome(&format!("@({class}.Parse(\"{laughs}\"))"));
        assert!(found.starts_with("throws XmlException: "), "{found}");
    }
}

#[test]
fn a_long_chain_is_computed() {
    let text = format!("@({}0)", "1 + ".repeat(20_000));
    assert_eq!(outcome(&text), "20000");
    let text = format!("@(context.Request.Method{})", " + \"a\"".repeat(20_000));
    assert_eq!(outcome(&text).len(), 20_003);
    let text = format!("@(\"ab\"{})", ".Trim()".repeat(5_000));
    assert_eq!(outcome(&text), "ab");
}

/// Words that make texts that are nearly expressions.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        select(vec![
            "context",
            ".",
            "Variables",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "\"a\"",
            "1",
            "+",
            "-",
            "?",
            ":",
            "??",
            "?.",
            "=>",
            "x",
            "=",
            ";",
            "var",
            "if",
            "else",
            "return",
            "new",
            "JObject",
            "int",
            "string",
            "<",
            ">",
            ",",
            "foreach",
            "in",
            "while",
            "for",
            "is",
            "as",
            "$\"{",
            "}\"",
            "@\"",
            "'",
            "!",
            "&&",
            "==",
            "switch",
            "case",
            "default",
            "try",
            "catch",
            "out",
            "Length",
            "Select",
            "Request",
            "Body",
            "As",
            "List",
            "null",
            "true",
            "\\",
            "//",
            "/*",
        ])
        .prop_map(str::to_owned),
        any::<String>().prop_map(|text| text.chars().take(3).collect()),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_panics_or_hangs(text in words(), braces in any::<bool>()) {
        let text = if braces { format!("@{{{text}}}") } else { format!("@({text})") };
        match compile(&text, Expected::Any) {
            Ok(expression) => {
                let _ = expression.evaluate(&mut Request::default());
            }
            Err(wrongs) => {
                assert!(!wrongs.is_empty());
                for wrong in wrongs {
                    assert!(wrong.offset + wrong.length <= text.len());
                    assert!(text.get(wrong.offset..wrong.offset + wrong.length).is_some());
                }
            }
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in any::<String>()) {
        let _ = compile(&text, Expected::String);
        let _ = compile(&format!("@({text})"), Expected::Bool);
        let _ = compile(&format!("@{{{text}}}"), Expected::Any);
    }
}

#[test]
fn no_damage_to_an_expression_makes_it_panic_or_hang() {
    let seeds = select(expressions());
    proptest!(|(seed in seeds, damages in damages(SHARDS))| {
        let text = damaged(&seed, &damages);
        if let Ok(expression) = compile(&text, Expected::Any) {
            let _ = expression.evaluate(&mut Request::default());
        }
    });
}

/// What expressions are made of.
const SHARDS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "\"",
    "'",
    ";",
    ",",
    ".",
    "?.",
    "??",
    "=>",
    "==",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&&",
    "||",
    "!",
    "<<",
    "$\"{",
    "@\"",
    "\\",
    "//",
    "/*",
    "new ",
    "var x = ",
    "return ",
    "if (",
    "else ",
    "while (true)",
    "from x in y ",
    "select ",
    "orderby ",
    "let z = ",
    "is ",
    "as ",
    "int ",
    "List<",
    "(string)",
    "context.",
    ".Select(x => ",
    "2147483647",
    "1e308",
    "0.1m",
    "null",
    "throw ",
    "out var o",
    "JObject.Parse(",
    "Regex.Match(",
    "new string('x', 9999999)",
];

/// The expressions of the corpus of policies, roughly cut.
fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    for text in texts("tests/corpus/policies", ".txt") {
        for (open, close) in [("@(", ')'), ("@{", '}')] {
            for (at, _) in text.match_indices(open) {
                let end = text[at..].find("\n---").map_or(text.len(), |length| at + length);
                let end = text[at..end].find(['<', '\n']).map_or(end, |length| at + length);
                let length = text[at..end].rfind(close).map_or(0, |length| length + 1);
                found.extend((length > 0).then(|| text[at..at + length].to_owned()));
            }
        }
    }
    found
}
