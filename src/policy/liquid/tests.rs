//! Templates and what comes of them. What is expected is what the documentation of `DotLiquid` and
//! of .NET says, or what templates of API Management count on.

use super::bind::Bound;
use super::datum::Datum;
use super::*;
use crate::expression::value::moment::DateTime;

fn body(json: &str) -> Datum {
    bind::json_body(json).unwrap()
}

fn outcome(template: &str, body: Datum) -> Result<String, Stop> {
    let block = parse::parse(template).unwrap_or_else(|wrong| panic!("{template}: {wrong:?}"));
    let now = DateTime::from_unix_micros(1_700_000_000_000_000);
    render::render(&block, Bound { body, context: Datum::Nil, now })
}

#[track_caller]
fn gives(json: &str, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(template, expected)| match outcome(template, body(json)) {
            Ok(found) if found == *expected => None,
            found => Some(format!("{template}\n  expected {expected:?}\n  found    {found:?}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_looks_like_a_tag_without_end_is_looked_at_once() {
    let signs = "<".repeat(1 << 20);
    let json = format!(r#"{{"t": "{signs}", "two": "<\n<b>c"}}"#);
    assert_eq!(outcome("{{ body.t | StripHtml }}", body(&json)), Ok(signs));
    assert_eq!(outcome("{{ body.two | StripHtml }}", body(&json)), Ok("<\nc".to_owned()));
}

#[test]
fn values_of_all_kinds_have_an_order() {
    let kinds = r#""b", {}, "a", [], 1, null, true, {"x": 1}, [2], "c""#;
    let json = format!(r#"{{"l": [{}]}}"#, [kinds; 8].join(", "));
    let sorted = outcome("{{ body.l | Sort | Size }}", body(&json));
    assert_eq!(sorted, Ok("80".to_owned()));
}

#[test]
fn filters_of_texts() {
    gives(
        r#"{"a": "Hello  world", "lines": "a\r\nb\nc", "html": "<p class=\"x\">a<br/></p>", "n": null}"#,
        &[
            ("{{ body.a | Upcase }}", "HELLO  WORLD"),
            ("{{ body.a | Downcase }}", "hello  world"),
            ("{{ 'hello wORLD USA' | Capitalize }}", "Hello World USA"),
            ("{{ body.a | Append: '!' | Prepend: '>' }}", ">Hello  world!"),
            ("{{ body.a | Size }}", "12"),
            ("{{ body.a.size }}", "12"),
            ("{{ 'a<b>&\"' | Escape }}", "a&lt;b&gt;&amp;&quot;"),
            ("{{ \"'\" | H }}", "&#39;"),
            ("{{ body.html | StripHtml }}", "a"),
            ("{{ 'a < b' | StripHtml }}", "a < b"),
            ("{{ 'a<<b>c' | StripHtml }}", "ac"),
            ("{{ body.lines | StripNewlines }}", "abc"),
            ("{{ body.lines | NewlineToBr }}", "a<br />\r\nb<br />\nc"),
            ("{{ '  a  ' | Strip }}|", "a|"),
            ("{{ '  a  ' | Lstrip }}|", "a  |"),
            ("{{ '  a  ' | Rstrip }}|", "  a|"),
            ("{{ 'abcabc' | Remove: 'b' }}", "acac"),
            ("{{ 'abcabc' | RemoveFirst: 'b' }}", "acabc"),
            ("{{ 'a.b' | Replace: '.', '-' }}", "---"),
            (r"{{ 'a.b' | Replace: '\.', '-' }}", "a-b"),
            ("{{ 'aXbXc' | ReplaceFirst: 'X', '$0' }}", "a$0bXc"),
            ("{{ 'john smith' | Replace: '(\\w+) (\\w+)', '$2 $1' }}", "smith john"),
            ("{{ 'abcdef' | Slice: 1, 3 }}", "bcd"),
            ("{{ 'abcdef' | Slice: -3, 2 }}", "de"),
            ("{{ 'abcdef' | Slice: 2 }}", "c"),
            ("{{ 'abcdef' | Slice: 9, 2 }}|", "|"),
            ("{{ 'abcdef' | Truncate: 5 }}", "ab..."),
            ("{{ 'abcdef' | Truncate: 5, '' }}", "abcde"),
            ("{{ 'abcdef' | Truncate: 6 }}", "abcdef"),
            ("{{ 'abcdef' | Truncate: 1 }}", "..."),
            ("{{ 'one two three' | TruncateWords: 2 }}", "one two..."),
            ("{{ 'one two three' | TruncateWords: 3 }}", "one two three"),
            ("{{ 'one two three' | TruncateWords: 0 }}", "..."),
            ("{{ 'one two three' | TruncateWords: 2, '-' }}", "one two-"),
            ("{{ 'a b&c' | UrlEncode }}", "a+b%26c"),
            ("{{ 'a+b%26c' | UrlDecode }}", "a b&c"),
            ("{{ 'é😀' | Size }}", "3"),
            ("{{ body.n | Upcase }}|{{ body.n | Append: 'x' }}|", "||"),
            (
                "{{ body.none | Default: 'd' }}{{ ' ' | Default: 'e' }}{{ 'f' | Default: 'g' }}",
                "def",
            ),
        ],
    );
}

#[test]
fn filters_of_numbers() {
    gives(
        r#"{"i": 7, "d": 7.5, "s": "12", "big": 9223372036854775807}"#,
        &[
            ("{{ body.i | Plus: 1 }}", "8"),
            ("{{ body.s | Plus: 1 }}", "121"),
            ("{{ body.s | Minus: 2 }}", "10"),
            ("{{ body.i | DividedBy: 2 }}", "3"),
            ("{{ body.i | DividedBy: 2.0 }}", "3.5"),
            ("{{ body.d | Times: 2 }}", "15.0"),
            ("{{ body.i | Modulo: 4 }}", "3"),
            ("{{ -7 | Modulo: 4 }}", "-3"),
            ("{{ body.d | Round }}", "8"),
            ("{{ 2.5 | Round }}", "2"),
            ("{{ 2.345 | Round: 2 }}", "2.34"),
            ("{{ 2.1 | Ceil }}{{ 2.9 | Floor }}", "32"),
            ("{{ -3 | Abs }} {{ '-3.5' | Abs }}", "3 3.5"),
            ("{{ body.i | AtLeast: 10 }} {{ body.i | AtMost: 5 }}", "10 5"),
            ("{{ body.i | AtLeast: 3 }} {{ body.i | AtMost: 50 }}", "7 7"),
            ("{{ 1234.5 | Currency }}", "¤1,234.50"),
            ("{{ 'x' | Currency }}", "x"),
            ("{{ body.none | Plus: 1 }}|", "|"),
            ("{{ body.d }} {{ body.i }} {{ 1.50 }}", "7.5 7 1.50"),
        ],
    );
    for template in ["{{ 1 | DividedBy: 0 }}", "{{ 'x' | Minus: 1 }}", "{{ body.big | Times: 2 }}"]
    {
        let found = outcome(template, body(r#"{"big": 9223372036854775807}"#));
        assert!(matches!(found, Err(Stop::Failed(_))), "{template}: {found:?}");
    }
}

#[test]
fn filters_of_lists() {
    gives(
        r#"{"l": [3, 1, null, 2, 1], "o": [{"n": "b", "x": 1}, {"n": "a", "x": 2}], "e": []}"#,
        &[
            ("{{ body.l | Size }} {{ body.l.size }} {{ body.e.size }}", "5 5 0"),
            ("{{ body.l | First }}{{ body.l | Last }}{{ body.l.first }}", "313"),
            ("{{ 'abc' | First }}{{ 'abc' | Last }}", "ac"),
            ("{{ body.l | Compact | Sort | Join: ',' }}", "1,1,2,3"),
            ("{{ body.l | Compact | Uniq | Join }}", "3 1 2"),
            ("{{ body.o | Map: 'n' | Join: '-' }}", "b-a"),
            ("{% assign s = body.o | Sort: 'n' %}{{ s[0].x }}", "2"),
            ("{{ 'a,b,,c' | Split: ',' | Join: ';' }}", "a;b;c"),
            ("{{ body.l[0] }}{{ body.l[-1] }}{{ body.l[9] }}{{ body['l'][1] }}", "311"),
            ("{{ body.l }}", "3121"),
            ("{{ body.o[0] }}", "[n, b][x, 1]"),
        ],
    );
}

#[test]
fn dates_are_formatted_as_in_net() {
    gives(
        r#"{"d": "2023-04-05T06:07:08.09Z", "t": "not a date"}"#,
        &[
            ("{{ body.d }}", "04/05/2023 06:07:08"),
            ("{{ body.d | Date: 'yyyy-MM-ddTHH:mm:ss.fffZ' }}", "2023-04-05T06:07:08.090Z"),
            ("{{ body.d | Date: 'o' }}", "2023-04-05T06:07:08.0900000Z"),
            ("{{ body.d | Date: 'dddd d MMM yy' }}", "Wednesday 5 Apr 23"),
            ("{{ '2023-01-02' | Date: 'MM/yyyy' }}", "01/2023"),
            ("{{ body.t | Date: 'yyyy' }}", "not a date"),
            ("{{ 'now' | Date: 'yyyy-MM-dd' }}", "2023-11-14"),
            ("{% if body.d > body.none %}a{% else %}b{% endif %}", "b"),
        ],
    );
}

#[test]
fn conditions_and_branches() {
    gives(
        r#"{"a": 1, "s": "text", "f": false, "n": null, "e": "", "l": ["x", "y"], "o": {"k": "v"}}"#,
        &[
            (
                "{% if body.a %}1{% endif %}{% if body.f %}2{% endif %}{% if body.n %}3{% endif %}",
                "1",
            ),
            ("{% if body.e %}there{% endif %}", "there"),
            ("{% if body.e == empty %}1{% endif %}{% if body.l != empty %}2{% endif %}", "12"),
            ("{% if body.a == 1 and body.s == 'text' %}y{% endif %}", "y"),
            ("{% if body.f or body.a == '1' %}y{% endif %}", "y"),
            // The last one binds first.
            ("{% if true or false and false %}y{% else %}n{% endif %}", "y"),
            ("{% if false and true or true %}y{% else %}n{% endif %}", "n"),
            ("{% if body.a > 2 %}a{% elsif body.a >= 1 %}b{% else %}c{% endif %}", "b"),
            ("{% if body.a <> 2 %}y{% endif %}{% if body.a != 1 %}n{% endif %}", "y"),
            (
                "{% if body.s contains 'ex' %}1{% endif %}{% if body.l Contains 'y' %}2{% endif %}",
                "12",
            ),
            (
                "{% if body.s startsWith 'te' %}1{% endif %}{% if body.s EndsWith 'xt' %}2{% endif %}",
                "12",
            ),
            (
                "{% if body.o hasKey 'k' %}1{% endif %}{% if body.o hasValue 'v' %}2{% endif %}",
                "12",
            ),
            ("{% if body.n == nil %}1{% endif %}{% if body.none == null %}2{% endif %}", "12"),
            ("{% if body.a &lt; 2 %}y{% endif %}", "y"),
            (
                "{% unless body.f %}1{% endunless %}{% unless body.a %}2{% else %}3{% endunless %}",
                "13",
            ),
            (
                "{% case body.s %} {% when 'a', 'text' %}1{% when 'b' or 'c' %}2{% else %}3{% endcase %}",
                "1",
            ),
            ("{% case body.a %}{% when 5 %}1{% else %}3{% endcase %}", "3"),
        ],
    );
}

#[test]
fn loops() {
    gives(
        r#"{"l": [1, 2, 3, 4], "o": {"x": {"v": 1}, "y": {"v": 2}}, "e": []}"#,
        &[
            (
                "{% for i in body.l %}{{ i }}{% unless forloop.last %},{% endunless %}{% endfor %}",
                "1,2,3,4",
            ),
            ("{% for i in body.l limit:2 offset:1 %}{{ i }}{% endfor %}", "23"),
            ("{% for i in body.l reversed %}{{ i }}{% endfor %}", "4321"),
            (
                "{% for i in body.l limit:1 %}{{ i }}{% endfor %}{% for i in body.l offset:continue %}{{ i }}{% endfor %}",
                "1234",
            ),
            ("{% for i in body.e %}x{% else %}none{% endfor %}", "none"),
            (
                "{% for i in (1..3) %}{{ forloop.index }}{{ forloop.index0 }}{{ forloop.rindex }}{{ forloop.rindex0 }} {% endfor %}",
                "1032 2121 3210 ",
            ),
            (
                "{% for i in body.l %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
                "13",
            ),
            ("{% for i in body.o %}{{ i.itemName }}={{ i.v }};{% endfor %}", "x=1;y=2;"),
            (
                "{% for i in body.l %}{% for j in (1..2) %}{{ forloop.length }}{% endfor %}{{ forloop.length }} {% endfor %}",
                "224 224 224 224 ",
            ),
            ("[{% JSONArrayFor i in body.l %}{{ i }}{% endJSONArrayFor %}]", "[1,2,3,4]"),
            ("[{% JSONArrayFor i in body.e %}{{ i }}{% endJSONArrayFor %}]", "[]"),
            ("{% for i in body.l %}{% cycle 'a', 'b', 'c' %}{% endfor %}", "abca"),
            ("{% cycle 'g': 1, 2 %}{% cycle 'h': 1, 2 %}{% cycle 'g': 1, 2 %}", "112"),
            (
                "{% increment c %}{% increment c %}{{ c }}{% decrement d %}{% decrement d %}",
                "012-1-2",
            ),
            ("{% for i in (1..3) %}{% ifchanged %}x{% endifchanged %}{% endfor %}", "x"),
            (
                "{% tablerow i in body.l cols:2 limit:3 %}{{ i }}{% if tablerowloop.col_last %}!{% endif %}{% endtablerow %}",
                "<tr class=\"row1\">\n<td class=\"col1\">1</td><td class=\"col2\">2!</td></tr>\n<tr class=\"row2\"><td class=\"col1\">3</td></tr>\n",
            ),
            ("{% assign i = 9 %}{% for i in (1..2) %}{% endfor %}{{ i }}", "9"),
            ("{% capture t %}a{{ body.l[0] }}{% endcapture %}{{ t }}{{ t | Upcase }}", "a1A1"),
        ],
    );
}

#[test]
fn xml_is_read_by_the_names_of_its_elements() {
    let soap = r#"<s:Envelope xmlns:s="urn:soap" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <s:Body><GetResponse xmlns="urn:x"><Total currency="EUR">9.5</Total>
        <Items><Item><Id>1</Id><Name>A &amp; B</Name></Item><Item><Id>2</Id><Name/></Item></Items>
        <Gone xsi:nil="true"/></GetResponse></s:Body></s:Envelope>"#;
    let rows = [
        ("{{ body.envelope.body.GetResponse.Total }}", "9.5"),
        ("{{ body.Envelope.Body.GetResponse.Total.currency }}", "EUR"),
        ("{{ body.envelope.body.GetResponse.Total | Plus: 1 }}", "10.5"),
        (
            "{% for i in body.envelope.body.GetResponse.Items %}{{ i.Id }}:{{ i.Name }};{% endfor %}",
            "1:A & B;2:;",
        ),
        (
            "[{% JSONArrayFor i in body.envelope.body.getResponse.items -%}\n{\"id\": {{ i.Id }}}{% endJSONArrayFor -%}\n]",
            "[{\"id\": 1},{\"id\": 2}]",
        ),
        ("{{ body.envelope.body.GetResponse.Items.Item[1].Id }}", "2"),
        ("{% if body.envelope.body.fault %}x{% else %}null{% endif %}", "null"),
    ];
    for (template, expected) in rows {
        let found = outcome(template, bind::xml_body(soap, false).unwrap());
        assert_eq!(found.as_deref(), Ok(expected), "{template}");
    }
    let nil = "{% if body.envelope.body.GetResponse.Gone %}there{% else %}null{% endif %}";
    for (nil_is_null, expected) in [(false, "there"), (true, "null")] {
        let found = outcome(nil, bind::xml_body(soap, nil_is_null).unwrap());
        assert_eq!(found.as_deref(), Ok(expected));
    }
}

#[track_caller]
fn stops(template: &str, body: Datum, why: &str) {
    let found = outcome(template, body);
    let Err(Stop::Bound(message)) = &found else { panic!("{template}: {found:?}") };
    assert!(message.contains(why), "{message}");
}

#[test]
fn a_template_is_bounded() {
    let long = "a".repeat(TEMPLATE_BYTES_MAX);
    assert!(Template::parse(&long, false).is_ok());
    assert!(Template::parse(&format!("{long}a"), false).is_err());
}

#[test]
fn the_rounds_of_all_loops_together_are_bounded() {
    let nested = "{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}";
    stops(nested, Datum::Nil, "more than 100000 rounds");
    assert!(outcome("{% for a in (1..100000) %}{% endfor %}", Datum::Nil).is_ok());
    stops("{% for a in (1..100001) %}{% endfor %}", Datum::Nil, "100000 numbers");
    stops("{{ (-9000000000000000000..9000000000000000000) }}", Datum::Nil, "100000 numbers");
}

#[test]
fn the_text_is_bounded() {
    let large = Datum::object([("t".into(), Datum::text("x".repeat(1 << 20)))]);
    stops("{% for a in (1..17) %}{{ body.t }}{% endfor %}", large, "16777216 bytes");
    let doubled = "{% assign t = 'xxxxxxxx' %}{% for a in (1..40) %}{% assign t = t | Append: t %}{% endfor %}";
    stops(doubled, Datum::Nil, "16777216 bytes");
    let many = Datum::object([("t".into(), Datum::text("x,".repeat(ITEMS_MAX + 1)))]);
    stops("{{ body.t | Split: ',' }}", many, "100000 items");
}

#[test]
fn what_a_template_does_is_bounded() {
    let large = || Datum::object([("t".into(), Datum::text("x".repeat(1 << 20)))]);
    stops(
        "{% for a in (1..10000) %}{% if body.t == 'y' %}{% endif %}{% endfor %}",
        large(),
        "too long",
    );
    stops("{% for a in (1..10000) %}{{ body.t | Size }}{% endfor %}", large(), "too long");
    stops(
        "{% for a in (1..10000) %}{% assign q = body.t | Replace: 'y', 'z' %}{% endfor %}",
        large(),
        "too long",
    );
    let pattern = "{% for a in (1..1000) %}{% assign p = 'a' | Append: a %}{{ 'x' | Replace: p, '' }}{% endfor %}";
    stops(pattern, Datum::Nil, "too long");
    let wide: Vec<Datum> = (0..10_000).map(Datum::Int).collect();
    let wide = Datum::object([("l".into(), Datum::list(wide))]);
    stops(
        "{% for a in (1..10000) %}{{ body.l.none }}{% if body.l contains 'x' %}{% endif %}{% endfor %}",
        wide,
        "too long",
    );
}
