//! What is refused at load: where, why, and with which remedy.

use super::{Expected, compile};

/// An expression, the text that is wrong, a part of the message, a part of the remedy.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn refused(expected: Expected, rows: &[Row]) {
    let mut failed = Vec::new();
    for (text, place, message, remedy) in rows {
        let text = if text.starts_with('@') { (*text).to_owned() } else { format!("@({text})") };
        match compile(&text, expected) {
            Ok(_) => failed.push(format!("{text}\n  is accepted")),
            Err(wrongs) => {
                let wrong = &wrongs[0];
                let found = text.get(wrong.offset..wrong.offset + wrong.length).unwrap_or("");
                let help = wrong.remedy.clone().unwrap_or_default();
                if found != *place || !wrong.message.contains(message) || !help.contains(remedy) {
                    failed.push(format!("{text}\n  gives {found:?}: {} [{help}]", wrong.message));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

const VALUES: &[Row] = &[
    ("contxt.Request", "contxt", "nothing called `contxt`", "`context`"),
    ("context.Reqest.Method", "Reqest", "has no member `Reqest`", "`Request`"),
    ("context.Request.Header", "Header", "has no member `Header`", "`Headers`"),
    (
        "context.Request.Headers.GetValueOrDefualt(\"a\")",
        "GetValueOrDefualt",
        "has no member",
        "`GetValueOrDefault`",
    ),
    ("\"a\".Lenght", "Lenght", "string has no member `Lenght`", "`Length`"),
    ("\"a\".Length()", "Length", "is not a method", "leave out"),
    ("\"a\".ToUpper", "ToUpper", "is a method", "add `()`"),
    ("\"a\".Substring()", "Substring()", "does not take 0 arguments", "Substring(int startIndex)"),
    ("\"a\".Substring(\"b\")", "\"b\"", "must be int, not string", "int.Parse"),
    ("string.IsNullOrEmty(\"a\")", "IsNullOrEmty", "no static member", "`IsNullOrEmpty`"),
    ("DateTme.UtcNow", "DateTme", "nothing called `DateTme`", "`DateTime`"),
    ("new Dictionry<string, int>()", "Dictionry<string, int>", "there is no type", "`Dictionary`"),
    ("new Dictionary<string>()", "Dictionary<string>", "needs 2 type arguments", ""),
    ("new List()", "List", "needs one type argument", ""),
    ("(Strin)context.Variables[\"a\"]", "Strin", "there is no type `Strin`", "`string`"),
    ("\"a\" - 1", "-", "cannot be used on string and int", "parse"),
    ("1 / 0", "/", "divides by zero", ""),
    ("5 % (2 - 2)", "%", "divides by zero", ""),
    ("int.MaxValue + 1", "+", "does not fit into int", "unchecked"),
    ("(byte)300", "(byte)300", "300 does not fit into byte", "unchecked"),
    ("1 && true", "1", "must be bool, not int", ""),
    ("!1", "!1", "cannot be used on int", ""),
    ("true + 1", "+", "cannot be used on bool and int", ""),
    ("1 == \"1\"", "==", "cannot be used on int and string", "parse"),
    ("JObject.Parse(\"{}\")[\"a\"] == \"x\"", "==", "JToken and string", "cast the token"),
    ("1 ? 2 : 3", "1", "the condition must be bool, not int", ""),
    ("true ? 1 : \"a\"", "true ? 1 : \"a\"", "one side is int, the other string", "convert"),
    ("1 ?? 2", "1", "is never null", ""),
    ("1?.ToString()", "?.ToString", "is never null", ""),
    ("(int)\"5\"", "(int)\"5\"", "string cannot be cast to int", "int.Parse"),
    (
        "context.Variables[\"a\"].Split(',')",
        "Split",
        "object has no member `Split`",
        "cast it first",
    ),
    ("context.Variables[\"a\"][\"b\"]", "[\"b\"]", "object cannot be indexed", "cast it first"),
    ("context.Variables[\"a\"] + 1", "+", "object and int", "cast the object"),
    (
        "int.Parse(context.Variables[\"a\"])",
        "context.Variables[\"a\"]",
        "must be string, not object",
        "(string)",
    ),
    ("StringComparison.Ordnal", "Ordnal", "no member `Ordnal`", "`Ordinal`"),
    ("new[] { 1, \"a\" }", "\"a\"", "the items are int and string", "object[]"),
    ("new[] { }", "new[] { }", "not known", "new string[0]"),
    ("x => x", "x => x", "a lambda cannot be the result", ""),
    (
        "context.Request.Body.As<JObject>(preserveContents: true)",
        "As<JObject>(preserveContents: true)",
        "no argument called `preserveContents`",
        "preserveContent",
    ),
    ("\"abc", "\"abc", "never ends", ""),
    ("1 +", "", "expected a value", ""),
    ("1 2", "2", "expected the end", ""),
    ("(1", "", "expected `)`", ""),
    ("'", "'", "", ""),
    ("string", "string", "is a type", ""),
    ("Math", "Math", "nothing called `Math`", ""),
    ("new Math()", "Math", "cannot be made", ""),
];

#[test]
fn what_csharp_refuses_is_refused_with_its_place() {
    refused(Expected::Any, VALUES);
}

const STATEMENTS: &[Row] = &[
    ("@{ return x; }", "x", "nothing called `x`", ""),
    ("@{ var x = 1; var x = 2; return x; }", "x", "already exists", "another name"),
    ("@{ var context = 1; return 1; }", "context", "already exists", ""),
    ("@{ int x; return x; }", "x", "before it has a value", "give `x` a value"),
    ("@{ int x; if (context.Tracing) { x = 1; } return x; }", "x", "before it has a value", ""),
    ("@{ var x; return 1; }", "x", "needs a value", ""),
    ("@{ var x = null; return 1; }", "null", "cannot take its type from null", ""),
    ("@{ int x = \"a\"; return x; }", "\"a\"", "must be int, not string", "int.Parse"),
    ("@{ string s = 1; return s; }", "1", "must be string, not int", "ToString"),
    ("@{ int x = 1.5; return x; }", "1.5", "must be int, not double", "(int)"),
    ("@{ int x = null; return x; }", "null", "must be int, not null", "int?"),
    ("@{ byte b = 300; return b; }", "300", "must be byte, not int", "(byte)"),
    ("@{ var x = 1; }", "}", "can end without a result", "add a `return`"),
    ("@{ if (context.Tracing) { return 1; } }", "}", "can end without a result", ""),
    ("@{ while (context.Tracing) { return 1; } }", "}", "can end without a result", ""),
    ("@{ return; }", "return;", "a value must be returned", ""),
    ("@{ 1 + 1; return 1; }", "1 + 1", "does nothing with it", ""),
    ("@{ break; }", "break;", "inside of a loop", ""),
    ("@{ throw; }", "throw;", "inside of a `catch`", ""),
    ("@{ foreach (var x in 5) { } return 1; }", "5", "cannot be enumerated", ""),
    ("@{ foreach (var x in new[] { 1 }) { x = 2; } return 1; }", "x", "changes with each turn", ""),
    ("@{ const int x = 1; x = 2; return 1; }", "x", "is a constant", ""),
    (
        "@{ context.Variables[\"a\"] = 1; return 1; }",
        "context.Variables[\"a\"]",
        "cannot be assigned",
        "set-variable",
    ),
    (
        "@{ context.Request.Method = \"a\"; return 1; }",
        "context.Request.Method",
        "cannot be assigned",
        "set-method",
    ),
    (
        "@{ context.Request.Headers[\"a\"] = null; return 1; }",
        "context.Request.Headers[\"a\"]",
        "cannot be assigned",
        "set-header",
    ),
    (
        "@{ switch (1) { case 1: context.Trace(\"\"); case 2: return 1; } return 2; }",
        "case 1: context.Trace(\"\");",
        "runs into the next",
        "break",
    ),
    ("@{ switch (1) { case 1: return 1; case 1: return 2; } return 2; }", "1", "there before", ""),
    ("@{ switch (1) { case \"a\": return 1; } return 2; }", "\"a\"", "int is never string", ""),
    (
        "@{ try { return 1; } catch (Exception) { return 2; } catch (FormatException) { return 3; } }",
        "FormatException",
        "takes all of these",
        "",
    ),
    ("@{ try { return 1; } catch (string) { return 2; } }", "string", "is not an exception", ""),
    ("@{ throw \"x\"; }", "\"x\"", "must be Exception, not string", ""),
    ("@{ int F() { } return F(); }", "}", "can end without a result", ""),
    ("@{ int F(int a) => a; return F(); }", "F", "argument `a` is missing", ""),
    ("@{ int F(int a) => a; return F(\"x\"); }", "\"x\"", "must be int, not string", ""),
    ("@{ Func<int, bool> f = x => x; return f(1); }", "x", "must be bool, not int", ""),
    ("@(new UriBuilder(\"http://a\").Uri)", "UriBuilder", "there is no type `UriBuilder`", ""),
    ("@{ return new[] { 1 }.Where(x => x + 1).Count(); }", "x + 1", "must be bool, not int", ""),
    (
        "@{ return new[] { \"a\" }.Select(x => x.Foo).First(); }",
        "Foo",
        "string has no member `Foo`",
        "",
    ),
    ("@{ var n = \"a\".Length; n.Foo(); return 1; }", "Foo", "int has no member `Foo`", ""),
    (
        "@{ goto a; }",
        "goto",
        "labels are not part of policy expressions",
        "`goto` goes to a `case` or to `default`",
    ),
    (
        "@{ var d = new Dictionary<string, int>(); d[1] = 2; return d; }",
        "1",
        "must be string, not int",
        "ToString",
    ),
    ("@{ int x = 1; x = \"a\"; return x; }", "\"a\"", "must be int, not string", ""),
    ("@{ int x = 1; x += 1.5; return x; }", "x += 1.5", "double cannot be stored as int", ""),
];

#[test]
fn statements_are_checked_too() {
    refused(Expected::Any, STATEMENTS);
}

#[test]
fn the_result_must_be_what_its_place_wants() {
    refused(
        Expected::Bool,
        &[
            ("1", "1", "the result must be bool, not int", ""),
            ("\"true\"", "\"true\"", "must be bool, not string", ""),
            (
                "context.Variables[\"a\"]",
                "context.Variables[\"a\"]",
                "must be bool, not object",
                "(bool)",
            ),
            (
                "@{ if (context.Tracing) { return true; } return \"x\"; }",
                "\"x\"",
                "must be bool",
                "",
            ),
            (
                "context.User?.Groups.Any()",
                "context.User?.Groups.Any()",
                "must be bool, not bool?",
                "?? false",
            ),
        ],
    );
    refused(
        Expected::Int,
        &[("\"1\"", "\"1\"", "must be int", ""), ("1.5", "1.5", "must be int", "(int)")],
    );
    for (expected, text) in [
        (Expected::Bool, "@(true)"),
        (Expected::Int, "@('a' + 1)"),
        (Expected::Double, "@(1)"),
        (Expected::String, "@(1)"),
        (Expected::String, "@(null)"),
        (Expected::Any, "@(null)"),
    ] {
        assert!(compile(text, expected).is_ok(), "{text}");
    }
}

#[test]
fn all_faults_come_back_in_order() {
    let text = "@{ var a = \"x\".Foo; int b = \"y\"; return c; }";
    let wrongs = compile(text, Expected::Any).unwrap_err();
    let found: Vec<&str> =
        wrongs.iter().map(|wrong| &text[wrong.offset..wrong.offset + wrong.length]).collect();
    assert_eq!(found, ["Foo", "\"y\"", "c"]);
}

#[test]
fn a_pattern_that_cannot_be_matched_in_linear_time_is_refused_at_load() {
    let wrongs = compile("@(Regex.IsMatch(\"a\", \"(?=a)\"))", Expected::Bool).unwrap_err();
    assert!(wrongs[0].message.contains("regular expression"), "{wrongs:?}");
    let wrongs = compile("@(new Regex(\"[a\"))", Expected::Any).unwrap_err();
    assert!(wrongs[0].message.contains("regular expression"), "{wrongs:?}");
}
