//! `docs/policies.md`, the reference of policies, as it is written from the catalogue.
//!
//! The example of a policy is the first case of its file in `tests/corpus/policies` in which it
//! works; the corpus plays it as it stands there.

use std::fmt::Write as _;
use std::path::Path;

use super::{Attribute, Build, Content, ONCE, POLICIES, Part, Policy, find};
use crate::policy::corpus::example;
use crate::policy::{Scope, Section};

/// What stands before the policies.
const BEFORE: &str = "\
# Policies
<!-- Written by the tests from src/policy/catalog: change that, and run them with WEIR_WRITE_EXPECTED=1. -->
What each policy does, where it may stand, what it is given, and how it differs from Azure API Management. All take an
`id`, which `context.LastError.PolicyId` and logs name. Where an attribute says *expression*, `@(…)` and `@{…}` may stand in it; texts may always be expressions
unless it says otherwise. What is written wrong is refused when the configuration is read, with its place.

The examples are played by the tests (`tests/corpus/policies`): policies of a section, a request, what came of it.

";

fn page() -> String {
    let mut page = BEFORE.to_owned();
    let (there, missing): (Vec<&Policy>, Vec<&Policy>) =
        POLICIES.iter().partition(|policy| matches!(policy.build, Build::Steps(_)));
    let links = there.iter().map(|policy| format!("[{0}](#{0})", policy.name));
    let _ = writeln!(page, "{}\n", links.collect::<Vec<_>>().join(" · "));
    for policy in there {
        write(&mut page, policy);
    }
    page.push_str("## What is not there\nDocuments that use these are refused by name:\n");
    for policy in missing {
        if let Build::Never(why) = policy.build {
            let _ = writeln!(page, "* `{}`: {why}.", policy.name);
        }
    }
    page
}

fn write(page: &mut String, policy: &Policy) {
    let Policy { name, says, .. } = policy;
    let sections = match policy.sections {
        all if all == Section::ALL => "all sections".to_owned(),
        some => some.iter().map(|section| section.as_str()).collect::<Vec<_>>().join(", "),
    };
    let scopes = match policy.scopes {
        all if all.len() == 4 => "all scopes".to_owned(),
        some => some.iter().map(|scope: &Scope| scope.as_str()).collect::<Vec<_>>().join(", "),
    };
    let once = if ONCE.contains(name) { "; once in a section" } else { "" };
    let _ = write!(page, "## {name}\n{says}\n\nStands in: {sections}; {scopes}{once}.\n");
    let mut rows = Rows::default();
    rows.attributes("", policy.attributes);
    rows.content("", policy.content);
    rows.write(page);
    if !policy.differs.is_empty() {
        page.push('\n');
    }
    for difference in policy.differs {
        let _ = writeln!(page, "* {difference}");
    }
    let example = example(name);
    let _ = write!(page, "\n*{}*\n```text\n{}\n```\n\n", example.title, example.text);
}

/// The rows of a policy's table.
#[derive(Default)]
struct Rows(Vec<[String; 3]>);

impl Rows {
    fn attributes(&mut self, path: &str, attributes: &[Attribute]) {
        for attribute in attributes {
            let usual = match (attribute.required, attribute.usual) {
                (true, _) => "required".to_owned(),
                (false, "") => String::new(),
                (false, usual) => format!("`{usual}`"),
            };
            let computed = if attribute.computed { " *Expression.*" } else { "" };
            let name = format!("{path}`{}`", attribute.name);
            self.0.push([name, usual, format!("{}{computed}", attribute.says)]);
        }
    }

    fn content(&mut self, path: &str, content: Content) {
        match content {
            Content::Nothing | Content::Unread => (),
            Content::Text => self.inside(path, "text"),
            Content::Policies => self.inside(path, "policies"),
            Content::Elements(parts) => self.parts(path, parts),
            Content::TextOr(parts) => {
                self.inside(path, "text, or");
                self.parts(path, parts);
            }
        }
    }

    fn inside(&mut self, path: &str, what: &str) {
        if path.is_empty() {
            self.0.push(["inside".to_owned(), String::new(), format!("{what}.")]);
        }
    }

    fn parts(&mut self, path: &str, parts: &[Part]) {
        for part in parts {
            let name = format!("{path}`<{}>`", part.name);
            if find(part.name).is_some_and(|policy| matches!(policy.build, Build::Steps(_))) {
                let says = format!("As the policy [{0}](#{0}).", part.name);
                self.0.push([name, String::new(), says]);
                continue;
            }
            self.0.push([name.clone(), String::new(), part.says.to_owned()]);
            let path = format!("{name} ");
            self.attributes(&path, part.attributes);
            self.content(&path, part.content);
        }
    }

    fn write(&self, page: &mut String) {
        if !self.0.is_empty() {
            page.push_str("\n| | usual | |\n|---|---|---|\n");
        }
        for [name, usual, says] in &self.0 {
            let says = says.replace('|', "\\|");
            let _ = writeln!(page, "| {name} | {usual} | {says} |");
        }
    }
}

#[test]
fn the_reference_is_what_the_catalogue_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policies.md");
    if std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED") {
        std::fs::write(&file, page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written == page(), "run the tests once with WEIR_WRITE_EXPECTED=1");
}

#[test]
fn everything_is_told() {
    fn attributes(at: &str, attributes: &[Attribute]) {
        for attribute in attributes {
            assert!(attribute.says.ends_with('.'), "{at} {}", attribute.name);
            assert!(!attribute.required || attribute.usual.is_empty(), "{at} {}", attribute.name);
        }
    }
    fn content(at: &str, inside: Content) {
        if let Content::Elements(parts) | Content::TextOr(parts) = inside {
            for part in parts {
                assert!(part.says.ends_with('.'), "{at} {}", part.name);
                attributes(part.name, part.attributes);
                content(part.name, part.content);
            }
        }
    }
    for policy in POLICIES.iter().filter(|policy| matches!(policy.build, Build::Steps(_))) {
        assert!(policy.says.ends_with('.'), "{}", policy.name);
        assert!(policy.differs.iter().all(|text| text.ends_with('.')), "{}", policy.name);
        attributes(policy.name, policy.attributes);
        content(policy.name, policy.content);
    }
}
