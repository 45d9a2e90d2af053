//! Statements, lambdas and local functions, as C# has them.

use super::{check, outcome};

const STATEMENTS: &[(&str, &str)] = &[
    ("@{ return 1; }", "1"),
    ("@{ int a = 1; a += 2; a++; ++a; a--; return a; }", "4"),
    ("@{ int a = 1; return a++ + ++a; }", "4"),
    ("@{ var a = 1; var b = a++; return b; }", "1"),
    (
        "@{ int a = 5; a -= 1; a *= 3; a /= 2; a %= 4; a <<= 3; a >>= 1; a |= 1; a &= 7; a ^= 2; return a; }",
        "3",
    ),
    ("@{ string s = \"a\"; s += 1; s += null; return s; }", "a1"),
    ("@{ string s = null; s ??= \"x\"; return s; }", "x"),
    ("@{ long a = 1; return a + 1; }", "2"),
    ("@{ double d = 1; return d / 2; }", "0.5"),
    ("@{ byte b = 255; b += 1; return b; }", "0"),
    ("@{ char c = 'a'; c++; return c; }", "b"),
    ("@{ const int a = 2; const string b = \"x\"; return b + a; }", "x2"),
    ("@{ int a = 1, b = 2; return a + b; }", "3"),
    ("@{ if (1 > 2) return \"a\"; else if (2 > 1) { return \"b\"; } return \"c\"; }", "b"),
    (
        "@{ int s = 0; for (int i = 0; i < 5; i++) { if (i == 1) continue; if (i == 4) break; s += i; } return s; }",
        "5",
    ),
    ("@{ int s = 0; for (int i = 0, j = 10; i < j; i++, j--) s++; return s; }", "5"),
    ("@{ int i = 0; for (;;) { if (i++ > 3) break; } return i; }", "5"),
    ("@{ var s = 0; foreach (var x in new[] { 1, 2, 3 }) s += x; return s; }", "6"),
    ("@{ var s = \"\"; foreach (char c in \"abc\") s = c + s; return s; }", "cba"),
    ("@{ int i = 0; while (i < 3) i++; return i; }", "3"),
    ("@{ int i = 9; do { i++; } while (i < 3); return i; }", "10"),
    (
        "@{ switch (\"b\") { case \"a\": return 1; case \"b\": case \"c\": return 2; default: return 3; } }",
        "2",
    ),
    (
        "@{ int r = 0; switch (5) { case 1: r = 1; break; case int n when n > 3: r = n; break; } return r; }",
        "5",
    ),
    (
        "@{ switch (DayOfWeek.Friday) { case DayOfWeek.Monday: return 1; case DayOfWeek.Friday: return 5; } return 0; }",
        "5",
    ),
    ("@{ try { throw new Exception(\"x\"); } catch (Exception e) { return e.Message; } }", "x"),
    ("@{ try { return int.Parse(\"z\"); } catch (FormatException) { return -1; } }", "-1"),
    ("@{ try { return int.Parse(\"z\"); } catch { return -2; } }", "-2"),
    (
        "@{ try { return int.Parse(\"z\"); } catch (ArgumentException) { return 1; } catch (Exception e) when (e.Message != \"\") { return 2; } }",
        "2",
    ),
    ("@{ var s = \"\"; try { s += \"a\"; } finally { s += \"b\"; } return s; }", "ab"),
    ("@{ int a = 0; try { a = 1; return a; } finally { a = 2; } }", "1"),
    (
        "@{ try { try { throw new Exception(\"in\"); } catch { throw; } } catch (Exception e) { return e.Message + \"!\"; } }",
        "in!",
    ),
    (
        "@{ try { throw new InvalidOperationException(); } catch (Exception e) { return e.GetType().Name; } }",
        "InvalidOperationException",
    ),
    ("@{ throw new Exception(\"gone\"); }", "throws Exception: gone"),
    ("@{ using (var h = SHA256.Create()) { return h.ComputeHash(new byte[0]).Length; } }", "32"),
    ("@{ var (a, b) = (1, \"x\"); return b + a; }", "x1"),
    ("@{ (int a, string b) t = (1, \"x\"); return t.Item2 + t.Item1; }", "x1"),
    ("@{ int n; if (int.TryParse(\"12\", out n)) return n; return 0; }", "12"),
    ("@{ return int.TryParse(\"12\", out var n) && n > 10 ? n : 0; }", "12"),
    ("@{ return int.TryParse(\"x\", out int n) ? 1 : n; }", "0"),
    ("@{ return int.TryParse(null, out _) ? 1 : 2; }", "2"),
    ("@{ int[] a = { 1, 2 }; a[0] += 5; a[1]++; return a[0] + a[1]; }", "9"),
    ("@{ ; { var a = 1; } { var a = 2; return a; } }", "2"),
    ("@{ return null; }", "null"),
    ("@{ /* a */ return 1; // b\n }", "1"),
    ("@{ int x = 3; { x = 4; } return x; }", "4"),
    ("@{ object o = 5; if (o is int n && n > 3) { return n; } return 0; }", "5"),
    ("@{ object o = \"s\"; if (!(o is string t)) { return 0; } return t; }", "s"),
    ("@{ dynamic d = \"abc\"; return d.Length + d.ToUpper(); }", "3ABC"),
    ("@{ dynamic o = JObject.Parse(\"{\\\"a\\\":{\\\"b\\\":5}}\"); return o.a.b; }", "5"),
    ("@{ dynamic o = JObject.Parse(\"{\\\"a\\\":2}\"); return o.a + 1; }", "3"),
    (
        "@{ dynamic o = JObject.Parse(\"{\\\"a\\\":2}\"); return o.a > 1 ? \"x\" + o.a : \"\"; }",
        "x2",
    ),
    (
        "@{ dynamic o = JObject.Parse(\"{\\\"a\\\":\\\"s\\\"}\"); string s = o.a; return s.Length + (o.a == \"s\" ? 1 : 0); }",
        "2",
    ),
    ("@{ dynamic o = JObject.Parse(\"{\\\"Count\\\":7}\"); return o.Count; }", "7"),
    (
        "@{ dynamic o = JObject.Parse(\"{ \\\"a\\\": [1] }\"); return o.ToString(Formatting.None) + o.a.ToString(Newtonsoft.Json.Formatting.None); }",
        "{\"a\":[1]}[1]",
    ),
    (
        "@{ dynamic s = \"a,,b\"; return s.Split(',', StringSplitOptions.RemoveEmptyEntries).Length; }",
        "2",
    ),
    (
        "@{ dynamic s = \"Ab\"; return s.StartsWith(\"aB\", StringComparison.OrdinalIgnoreCase) ? 1 : 0; }",
        "1",
    ),
    ("@{ dynamic o = JObject.Parse(\"{}\"); return o.gone == null ? 1 : 0; }", "1"),
    ("@{ dynamic o = new JObject(); o.a = 3; o.a += 1; return o.a * 2; }", "8"),
    (
        "@{ dynamic o = JObject.Parse(\"{\\\"l\\\":[1,2]}\"); int n = 0; foreach (var i in o.l) { n += (int)i; } return n + o.l.Count; }",
        "5",
    ),
    ("@{ var @class = 1; return @class; }", "1"),
];

#[test]
fn statements_run_as_in_csharp() {
    check(STATEMENTS);
}

#[test]
fn lambdas_and_local_functions_run() {
    check(&[
        ("@{ Func<int, int> twice = x => x * 2; return twice(4); }", "8"),
        (
            "@{ Func<int, int, int> add = (a, b) => { var c = a + b; return c; }; return add(1, 2); }",
            "3",
        ),
        ("@{ int n = 1; Action up = () => n++; up(); up(); return n; }", "3"),
        ("@{ int Twice(int x) => x * 2; return Twice(3); }", "6"),
        (
            "@{ int Fact(int n) { if (n <= 1) { return 1; } return n * Fact(n - 1); } return Fact(10); }",
            "3628800",
        ),
        (
            "@{ int Fib(int n) { var a = n < 2 ? n : Fib(n - 1); var b = n < 2 ? 0 : Fib(n - 2); return a + b; } return Fib(10); }",
            "55",
        ),
        (
            "@{ int Add(int a, int b = 10) { return a + b; } return Add(1) + Add(b: 1, a: 2); }",
            "14",
        ),
        (
            "@{ string Hi(string n) { return pre + n; } var pre = \"hi \"; return Hi(\"x\"); }",
            "refused: there is nothing called `pre` here",
        ),
        (
            "@{ var pre = \"hi \"; string Hi(string n) { return pre + n; } return Hi(\"x\"); }",
            "hi x",
        ),
        ("new List<int> { 3, 1, 2 }.Where(x => x > 1).Select(x => x * 10).Sum()", "50"),
        ("new[] { 1, 2, 3 }.Select((x, i) => x * i).Sum()", "8"),
        ("new[] { 1, 2 }.Any(x => new[] { 2, 3 }.Any(y => x == y))", "True"),
        (
            "@{ int Even(int n) { return n == 0 ? 1 : Odd(n - 1); } int Odd(int n) { return n == 0 ? 0 : Even(n - 1); } return Even(7); }",
            "0",
        ),
        ("string.Join(\",\", new[] { \"a\", \"b\" }.Select(s => s.ToUpper()))", "A,B"),
    ]);
}

#[test]
fn a_fault_at_run_time_names_its_place() {
    let text = "@{ var a = \"x\"; return int.Parse(a); }";
    let expression = super::compile(text, super::Expected::Any).unwrap();
    let error = expression.evaluate(&mut super::Request::default()).unwrap_err();
    assert_eq!(text.get(error.offset..error.offset + 5), Some("Parse"));
    assert_eq!(outcome(text), "throws FormatException: Input string was not in a correct format.");
}

#[test]
fn a_query_is_the_calls_that_csharp_makes_of_it() {
    check(&[
        (
            "string.Join(\",\", from x in new[] { 3, 1, 2 } where x > 1 orderby x select x * 10)",
            "20,30",
        ),
        ("string.Join(\",\", from x in new[] { 3, 1, 2 } orderby x descending select x)", "3,2,1"),
        ("(from x in new[] { 3, 1, 2 } select x).First()", "3"),
        ("(from string x in new object[] { \"a\", \"b\" } select x.ToUpper()).Last()", "B"),
        (
            "string.Join(\" \", from h in context.Request.Headers where h.Key.StartsWith(\"X-\") orderby h.Key select h.Key + \"=\" + string.Join(\",\", h.Value))",
            "X-Number=42",
        ),
        (
            "string.Join(\" \", from w in \"a bb cc ddd\".Split(' ') let n = w.Length where n < 3 orderby n descending, w descending select w + n)",
            "cc2 bb2 a1",
        ),
        (
            "string.Join(\" \", from x in new[] { 1, 2 } from y in new[] { \"a\", \"b\" } where x > 1 || y == \"b\" select y + x)",
            "b1 a2 b2",
        ),
        (
            "string.Join(\" \", from x in new[] { 1, 2 } let y = x * 2 from z in new[] { y, 7 } let s = x + y + z orderby s descending select $\"{x}{y}{z}{s}\")",
            "24713 12710 24410 1225",
        ),
        (
            "string.Join(\" \", from w in \"a bb cc ddd\".Split(' ') group w by w.Length into g where g.Count() > 1 select $\"{g.Key}:{string.Join(\"+\", g)}\")",
            "2:bb+cc",
        ),
        (
            "string.Join(\" \", from w in \"a bb cc\".Split(' ') group w.ToUpper() by w.Length into g orderby g.Key descending select g.Key + string.Join(\"\", g))",
            "2BBCC 1A",
        ),
        (
            "string.Join(\",\", from x in (from y in new[] { 1, 2 } select y + 1) select x * x)",
            "4,9",
        ),
        (
            "@{ var limit = 2; var q = from x in new[] { 1, 2, 3 } where x >= limit select x; return q.Sum(); }",
            "5",
        ),
        ("@{ var from = 1; return from + 1; }", "2"),
        (
            "from x in new[] { 1 } where x",
            "refused: expected `select` or `group`, which ends a query, found the end",
        ),
        (
            "from x in new[] { 1 } where x select x",
            "refused: the lambda's result must be bool, not int",
        ),
        (
            "from x in new[] { 1 } join y in new[] { 1 } on x equals y select x",
            "refused: `join` is not known here",
        ),
        ("from x in new[] { 1 } let x = 2 select x", "refused: `x` is declared twice"),
        (
            "(from x in new[] { 1 } let y = x select z).Count()",
            "refused: there is nothing called `z` here",
        ),
        (
            "(from x in new[] { 1 } select x.Nothing).Count()",
            "refused: int has no member `Nothing`",
        ),
    ]);
}

#[test]
fn a_method_that_is_named_is_a_lambda_that_calls_it() {
    check(&[
        ("\"a1\".All(char.IsLetterOrDigit) && !\"a1\".All(char.IsDigit)", "True"),
        ("new[] { \"3\", \"4\" }.Select(int.Parse).Sum()", "7"),
        ("string.Join(\",\", new[] { \"a b\", null }.Where(string.IsNullOrEmpty).Count())", "1"),
        ("string.Join(\"&\", new[] { \"a b\" }.Select(Uri.EscapeDataString))", "a%20b"),
        ("@{ int Twice(int x) => x * 2; return new[] { 1, 2 }.Select(Twice).Sum(); }", "6"),
        ("new[] { \"b\", \"a\" }.OrderBy(System.Convert.ToString).First()", "a"),
        (
            "new[] { 1 }.Select(Math.Nothing).First()",
            "refused: Math has no static member `Nothing`",
        ),
        (
            "new[] { 1 }.Select(string.IsNullOrEmpty).First()",
            "refused: argument 1 of `IsNullOrEmpty` must be string, not int",
        ),
        ("int.Parse", "refused: `Parse` of int is a method"),
    ]);
}

#[test]
fn a_value_may_be_compared_with_null() {
    check(&[
        ("true != null", "True"),
        ("1 == null", "False"),
        ("context.Variables.ContainsKey(\"x\") != null", "True"),
        ("DateTime.UtcNow == null", "False"),
    ]);
}

#[test]
fn functions_beyond_those_with_a_bit_are_called_like_the_others() {
    let many: Vec<_> = (0..64).map(|n| format!("int f{n}(int x) {{ return x; }}")).collect();
    let many = many.concat();
    let last = "Func<int, int> Make(int n) { return x => x + n; } var f = Make(5); return f(10);";
    assert_eq!(outcome(&format!("@{{ {many} {last} }}")), "15");
    let depth = "int Down(int n) { int m = n; if (n > 0) Down(n - 1); return m; } return Down(3);";
    assert_eq!(outcome(&format!("@{{ {many} {depth} }}")), "3");
}
