//! What holds for any document: the reader neither panics nor works more than its share, and what
//! is printed is read as it was.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Documents to mutate: between them they have every shape that the reader knows.
const SEEDS: [&str; 5] = [
    "<!-- A product: 1) limits -->\n<policies>\n  <inbound>\n    <base />\n    <rate-limit calls=\"5\" \
     renewal-period='60' />\n    <choose>\n      <when condition=\"@(context.Variables[\"n\"] as \
     string == \"a>b\" && 1 < 2)\">\n        <set-header name=\"x-{{tenant}}\" \
     exists-action=\"override\"><value>@($\"{x[\"y\"]} {{z }}\")</value></set-header>\n      </when>\n\
     </choose>\n  </inbound>\n  <outbound />\n</policies>",
    "<fragment>\r\n  <set-variable name=\"v\" value=\"@{\r\n    // isn't it (\r\n    var q = \
     @\"c:\\\"\"d\"; /* } */\r\n    return q.Split('\\'')[0] ?? '\"';\r\n  }\" />\r\n</fragment>",
    "<inbound><set-body template=\"liquid\"><a b=\"{{body.id}}\">{% if c %}&lt;{{ d }}{% endif %}</a>\
     </set-body><set-body><![CDATA[@{ return \"<![CDATA[\"; }]]></set-body></inbound>",
    "<policies><backend><when condition='@(a[&quot;b&quot;] &amp;&amp; c.D&lt;int&gt;(\"&#39;\"))'/>\
     <retry condition=\"@(!(a))\" count=\"{{count}}\"><v>Bearer @(t)</v></retry></backend></policies>",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><policies><a b=\"@(\" c='@{' d=\"<\">@(\"\
     </a><e f g=h i=\"1\" i=\"2\"></f></policies></x>",
];
/// What mutations put in.
const SHARDS: [&str; 32] = [
    "<",
    ">",
    "\"",
    "'",
    "&",
    ";",
    "@(",
    "@{",
    ")",
    "}",
    "{",
    "{{",
    "}}",
    "{{tenant}}",
    "{{secret}}",
    "{{nobody}}",
    "$\"",
    "@\"",
    "//",
    "/*",
    "*/",
    "\\",
    "\n",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "</",
    "/>",
    "&quot;",
    "<a b=\"",
    "é",
];

fn names() -> NamedValues {
    let mut names = NamedValues::default();
    names.insert("tenant", NamedValue::plain("contoso"));
    names.insert("count", NamedValue::plain("@(\"<\" + 1)"));
    names.insert("secret", NamedValue::secret("hunter2<\"'>"));
    names
}

/// Reads `text` and checks what holds for any; says how much work it was.
fn examine(text: &str) -> usize {
    let file: Arc<str> = Arc::from("f");
    let names = names();
    let (reading, work) = reader::read(&Layout::whole(&file), text, &names);
    // The longest named value is not longer than a reference to it by more than this.
    let expanded = text.len() * 2;
    // The last step may go over the budget, by no more than the document.
    assert!(work <= 17 * expanded + 4096, "{work} for {} bytes", text.len());
    assert!(reading.faults.len() <= FAULTS_MAX);
    assert!(reading.root.is_some() || !reading.faults.is_empty());
    assert!(!format!("{reading:?}").contains("hunter2"));
    let lines = u32::try_from(text.split('\n').count()).expect("few lines");
    for fault in &reading.faults {
        assert!((1..=lines).contains(&fault.place.line), "{fault}");
    }
    if let Some(root) = &reading.root {
        visit(root, 1);
    }
    work
}

fn visit(element: &Element, depth: usize) {
    assert!(depth <= DEPTH_MAX + 1);
    assert!(element.attributes.len() <= ATTRIBUTES_MAX);
    element.inner_markup();
    let values = element.attributes.iter().map(|attribute| &attribute.value);
    for text in values.chain(element.texts()) {
        for offset in 0..=text.as_str().len() {
            text.place_at(offset);
        }
        assert!(text.as_str().contains(text.expression()));
        text.stray_expression();
        text.width();
    }
    for child in element.elements() {
        visit(child, depth + 1);
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(Index, &'static str),
    Delete(Index, usize),
    Copy(Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), select(SHARDS.to_vec())).prop_map(|(at, shard)| Edit::Insert(at, shard)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<Index>(), any::<Index>(), 1..200_usize).prop_map(|(f, t, n)| Edit::Copy(f, t, n)),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for edit in edits {
        let length = characters.len();
        match *edit {
            Edit::Insert(at, shard) => {
                let at = at.index(length + 1);
                characters.splice(at..at, shard.chars());
            }
            Edit::Delete(at, count) => {
                let at = at.index(length + 1);
                characters.drain(at..length.min(at + count));
            }
            Edit::Copy(from, to, count) => {
                let (from, to) = (from.index(length + 1), to.index(length + 1));
                let part = characters[from..length.min(from + count)].to_vec();
                characters.splice(to..to, part);
            }
        }
    }
    characters.into_iter().collect()
}

/// An element as a test writes it.
#[derive(Clone, Debug)]
struct Tree {
    name: &'static str,
    attributes: Vec<(&'static str, Content)>,
    inside: Inside,
}

#[derive(Clone, Debug)]
enum Inside {
    Trees(Vec<Tree>),
    Content(Content),
}

#[derive(Clone, Debug)]
enum Content {
    Literal(String),
    Raw(String),
    Escaped(String),
}

/// A C# expression that ends where it should.
fn code() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "a",
            "b < 1",
            "c > 2",
            "d && e",
            "\"f)\"",
            "'\"'",
            "'('",
            "@\"g\"\"(\\\"",
            "$\"{h[\"i}\"]}{{(\"",
            "/* )' */ 1",
            "x.y<z>(\"é\")",
            "\"\\\"(\"",
            " // )\n 2",
        ])
        .prop_map(str::to_owned),
        // No literal of its own: letters, spaces, operators.
        "[a-z0-9 +*=?:.,;!-]{0,12}",
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|code| format!("f({code})")),
            inner.clone().prop_map(|code| format!("x[{code}]")),
            inner.clone().prop_map(|code| format!("{{ {code} }}")),
            vec(inner, 2..4).prop_map(|parts| parts.join(" ")),
        ]
    })
}

fn content() -> impl Strategy<Value = Content> {
    let expression = || {
        (code(), any::<bool>()).prop_map(|(code, block)| {
            if block { format!("@{{{code}}}") } else { format!("@({code})") }
        })
    };
    prop_oneof![
        "[ -~é\n]{0,24}"
            .prop_filter("a literal", |text| {
                !text.contains("@(") && !text.contains("@{") && !text.contains("{{")
            })
            .prop_map(Content::Literal),
        expression().prop_map(Content::Raw),
        expression().prop_map(Content::Escaped),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let names = || select(vec!["inbound", "choose", "set-header", "x:y", "_z", "llm-a.b"]);
    let attributes = || {
        (option::of(content()), option::of(content())).prop_map(|(a, b)| {
            a.map(|a| ("a-b", a)).into_iter().chain(b.map(|b| ("c:d", b))).collect::<Vec<_>>()
        })
    };
    let leaf = (names(), attributes(), content()).prop_map(|(name, attributes, inside)| Tree {
        name,
        attributes,
        inside: Inside::Content(inside),
    });
    leaf.prop_recursive(5, 24, 4, move |inner| {
        (names(), attributes(), vec(inner, 0..4)).prop_map(|(name, attributes, trees)| Tree {
            name,
            attributes,
            inside: Inside::Trees(trees),
        })
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Content {
    fn written(&self) -> String {
        match self {
            Self::Raw(text) => text.clone(),
            Self::Literal(text) | Self::Escaped(text) => escape(text),
        }
    }

    fn check(&self, text: &Text) {
        let (Self::Literal(meant) | Self::Raw(meant) | Self::Escaped(meant)) = self;
        assert_eq!(text.as_str(), meant);
        assert_eq!(text.is_expression(), !matches!(self, Self::Literal(_)));
    }
}

impl Tree {
    fn print(&self, out: &mut String) {
        write!(out, "<{}", self.name).expect("a string takes all");
        for (name, value) in &self.attributes {
            write!(out, " {name}=\"{}\"", value.written()).expect("a string takes all");
        }
        out.push('>');
        match &self.inside {
            Inside::Trees(trees) => {
                for tree in trees {
                    out.push_str("\n  <!-- -->");
                    tree.print(out);
                }
            }
            Inside::Content(content) => out.push_str(&content.written()),
        }
        write!(out, "</{}>", self.name).expect("a string takes all");
    }

    fn check(&self, element: &Element) {
        assert_eq!(&*element.name, self.name);
        assert_eq!(element.attributes.len(), self.attributes.len());
        for (name, value) in &self.attributes {
            value.check(element.value(name).expect("the attribute"));
        }
        match &self.inside {
            Inside::Trees(trees) => {
                assert_eq!(element.elements().count(), trees.len());
                trees.iter().zip(element.elements()).for_each(|(tree, read)| tree.check(read));
            }
            Inside::Content(content) => content.check(&element.text_content().expect("a text")),
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        examine(&text);
    }

    #[test]
    fn any_pieces_of_documents_are_read(shards in vec(select(SHARDS.to_vec()), 0..60)) {
        examine(&shards.concat());
        examine(&format!("<fragment>{}</fragment>", shards.concat()));
    }

    #[test]
    fn any_mutation_of_a_document_is_read(
        seed in select(SEEDS.to_vec()),
        edits in vec(edit(), 0..12),
    ) {
        examine(&apply(seed, &edits));
    }

    #[test]
    fn any_repetition_takes_work_in_proportion(
        seed in select(SEEDS.to_vec()),
        shards in vec(select(SHARDS.to_vec()), 1..6),
        count in 1..800_usize,
    ) {
        examine(&format!("{seed}{}", shards.concat().repeat(count)));
        examine(&format!("<fragment>{}{seed}", shards.concat().repeat(count)));
    }

    #[test]
    fn what_is_printed_is_read_as_it_was(tree in tree()) {
        let mut text = String::new();
        let root = Tree { name: "fragment", attributes: Vec::new(), inside: Inside::Trees(vec![tree]) };
        root.print(&mut text);
        let (reading, work) = reader::read(&Layout::whole(&Arc::from("f")), &text, &NamedValues::default());
        prop_assert!(reading.faults.is_empty(), "{text}\n{:#?}", reading.faults);
        prop_assert!(work <= 4 * text.len(), "{work} for {} bytes", text.len());
        root.check(&reading.root.expect("a root"));
    }
}

#[test]
fn the_seeds_that_are_good_have_no_faults_and_the_bad_one_has() {
    let file: Arc<str> = Arc::from("f");
    for (number, seed) in SEEDS.into_iter().enumerate() {
        let reading = read(&file, seed, &names());
        assert_eq!(reading.faults.is_empty(), number != 4, "{number}: {:#?}", reading.faults);
        let whole = examine(seed);
        assert!(number == 4 || whole <= 4 * seed.len() * 2, "{number}: {whole}");
    }
}

#[test]
fn what_is_wrong_a_thousand_times_is_not_looked_for_a_thousand_times() {
    for shard in [
        "<a b=\"@(\"/>",
        "<a>@(</a>",
        "<a>@{\"</a>",
        "<a b='@(x' c=\"",
        "<a b=\"c @(\"d\"/>",
        "@(",
        "{{",
        "<!--",
        "</a>",
        "<a",
        "'\\",
        "&",
        "&#",
        "$\"{",
        "<a b=\"@(x) \" @(",
        "{{nobody}}",
        "<!",
        "<![CDATA[",
    ] {
        let text = format!("<fragment>{}</fragment>", shard.repeat(40_000 / shard.len()));
        examine(&text);
    }
}
