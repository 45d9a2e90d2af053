//! Behaviour tests as text: every case in `tests/corpus/policies` is played and must come out as
//! it is written.
//!
//! ```text
//! === the title of a case is a true sentence
//! --- inbound
//! <set-header name="X-Kind"><value>a</value></set-header>
//! --- GET /x?page=2
//! (subscription gold)
//! Accept: text/plain
//!
//! the body of the request
//! --- backend answers 404
//! X-Why: gone
//!
//! the body of the response
//! --- then
//! forward GET http://backend.example/x?page=2, 300s at most
//!   accept: text/plain
//!   x-kind: a
//! …
//! answer 404
//!   x-why: gone
//! ```
//!
//! A case has blocks, each under a line that begins with `--- `:
//!
//! | block | holds |
//! |---|---|
//! | `inbound`, `backend`, `outbound`, `on-error` | what the product's document has in that section; with a scope in front, as in `api inbound`, that one's |
//! | `global`, `product`, `api`, `operation` | a whole document |
//! | `fragment ID` | the policies of a fragment |
//! | `given` | a fact a line: `named value NAME = TEXT`, `secret value NAME = TEXT`, `backend ID = URL`, `sidecar token = TOKEN` (what Dapr's sidecar is shown), `logger ID = CONNECTION-STRING`, `issuer URL = NAME KEY-ID SECRET …` (what an issuer has published at the address of its document; `-` for no id), `identity CLIENT-ID` or `identity CLIENT-ID, the usual one` (who the gateway is to others), `certificate NAME` and `authority NAME`, with `, with a list` behind it (a file of `tests/corpus/certificates`, and the list of what that authority took back), `no backend`, `operation /orders/{id}`, `sample 200 TYPE BODY`, `schema ID = DOCUMENT`, `takes query NAME SCHEMA`, `takes path …`, `takes header NAME required SCHEMA`, `takes body TYPE SCHEMA`, `gives 200 header …`, `gives 200 body …` (a schema is JSON, `ID#/…`, or `-` for none) |
//! | `GET /x` | a request: facts in brackets, header fields, an empty line, a body |
//! | `backend answers 200` | the backend's next answer: fields, an empty line, a body; without any it answers 200 with `ok` |
//! | `backend fails`, `backend is late` | it cannot be reached, or does not answer in time |
//! | `service answers 200`, `service fails`, `service is late` | the same of a service that a policy calls |
//! | `identity gives TOKEN`, `identity refuses`, `identity is nobody` | the same of a token that says who the gateway is; without any it is `own-token` |
//! | `then` | what came of the request above |
//! | `faults` | what is wrong with the documents |
//!
//! Facts about a request: `(subscription ID)`, `(user ID of GROUP, GROUP)`, `(from ADDRESS)`,
//! `(from nowhere)`, `(shows CERTIFICATE)`, `(operation ID)`, `(60s later)`, `(still under way)`, `(the others have left)`.
//!
//! `{token HEADER CLAIMS SECRET}` in a field of a request is a token, signed by HMAC with a secret of
//! that name; it is not signed if there is no name. `{sealed HEADER SECRET TOKEN}` is one encrypted
//! with the secret of that name.
//!
//! A section that is not given is inherited, and the global document forwards unless it is given.
//! Requests of one case meet the same counters and caches. Bodies are on the wire until somebody
//! asks for them. Places in a section are counted from its first line.
//!
//! In `then` the effects stand in the order in which the machine asked for them, with what came of
//! each; after them traces, the last error with its place, variables, and the whole answer.
//!
//! With `WEIR_WRITE_EXPECTED=1` the blocks `then` and `faults` are written anew: read the difference
//! before it is kept.

mod case;
mod difference;
mod forge;
mod scene;
mod play;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use crate::fault::damage::{damaged, damages};
use crate::policy::Scope;
use crate::policy::build::document::{Owner, build, build_fragment};
use crate::policy::build::references::References;
use crate::policy::catalog::{Build, POLICIES};
use crate::policy::markup::{self, NamedValues};
use crate::policy::program::Program;

use case::{Case, File};

/// Files that are no policy's own.
const TOPICS: &[&str] =
    &["base", "expressions-in-policies", "fragments", "limits-held", "named-values", "on-error"];
/// The fewest cases of a file.
const CASES_MIN: usize = 3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/policies")
}

/// All files of the corpus, by name.
fn files() -> Vec<(PathBuf, File)> {
    let mut paths: Vec<PathBuf> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let file = File::parse(&name, &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        (path, file)
    };
    paths.into_iter().map(read).collect()
}

/// An example of a policy.
pub(super) struct Example {
    /// A sentence about it.
    pub(super) title: String,
    /// Policies, a request, and what came of it.
    pub(super) text: String,
}

/// The example of the policy `name`: the first case of its file in which it works.
pub(super) fn example(name: &str) -> Example {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let file = File::parse(name, &text).unwrap();
    let mut about = file.cases.iter().filter(|case| case.uses(name) && !case.is_faulty());
    // Policies that refuse show how they do.
    let case = about.clone().find(|case| !case.goes_wrong()).or_else(|| about.next());
    let case = case.unwrap_or_else(|| panic!("no case of {name} shows how it works"));
    let written = case.to_string();
    let (_title, blocks) = written.split_once('\n').unwrap();
    Example { title: case.title.clone(), text: blocks.trim_end().to_owned() }
}

#[test]
fn every_case_comes_out_as_it_is_written() {
    let write = std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED");
    let mut wrong = Vec::new();
    for (path, file) in files() {
        let mut cases = Vec::new();
        for case in &file.cases {
            let at = format!("{}:{}: {}", file.name, case.line, case.title);
            match play::play(case) {
                Ok(played) => {
                    let (expected, found) = (case.to_string(), played.to_string());
                    if expected != found {
                        let difference = difference::of(&expected, &found);
                        wrong.push(format!("{at}\n{difference}"));
                    }
                    cases.push(played);
                }
                Err(malformed) => {
                    wrong.push(format!("{at}\n  malformed: {malformed}\n"));
                    cases.push(case.clone());
                }
            }
        }
        if write {
            std::fs::write(&path, File { cases, ..file }.to_string()).unwrap();
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} cases differ\n\n{}", wrong.join("\n"));
}

/// What policy documents are made of.
const SHARDS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    "&quot;",
    "@(",
    "@{",
    ")",
    "}",
    "{{",
    "}}",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "é",
    "\0",
    "<base />",
    "<choose>",
    "<when condition=\"@(true)\">",
    "</choose>",
    "<retry condition=\"true\" count=\"2\" interval=\"1\">",
    "</retry>",
    "<set-header name=\"a\"><value>",
    "<include-fragment fragment-id=\"f\" />",
    "99999999999",
    "-1",
    " id=\"x\"",
    "</inbound><outbound>",
    "from x in ",
    ".Select(x => x)",
];

/// Every document of the corpus.
fn documents() -> Vec<String> {
    let cases = files().into_iter().flat_map(|(_, file)| file.cases);
    let blocks = cases.flat_map(|case| case.blocks);
    let documents = blocks.filter_map(|block| match block.label.rsplit(' ').next()? {
        "inbound" | "backend" | "outbound" | "on-error" => {
            let section = block.label.rsplit(' ').next()?;
            Some(format!("<policies><{section}>{}</{section}></policies>", block.text))
        }
        "global" | "product" | "api" | "operation" => Some(block.text),
        _ => block
            .label
            .starts_with("fragment ")
            .then(|| format!("<fragment>{}</fragment>", block.text)),
    });
    documents.collect()
}

#[test]
fn no_damage_to_a_document_makes_building_it_panic() {
    let seeds = select(documents());
    proptest!(|(seed in seeds, damages in damages(SHARDS))| {
        let text = damaged(&seed, &damages);
        let reading = markup::read(&Arc::from("f"), &text, &NamedValues::assumed());
        let mut faults = reading.faults;
        let references = References { assumed: Some(RefCell::default()), ..References::default() };
        if let Some(root) = reading.root {
            let owner = Owner { scope: Scope::Operation, name: "any" };
            let document = build(&root, owner, &references, &mut faults);
            build_fragment(&root, &references, &mut faults);
            let documents = [&document, &document];
            if Program::is_too_long(&documents).is_none() {
                let _ = Program::compose(&documents).unaddressed();
            }
        }
        let lines = text.split('\n').count();
        for fault in faults {
            prop_assert!(usize::try_from(fault.place.line).unwrap() <= lines, "{fault}");
        }
    });
}

#[test]
fn every_file_is_written_in_its_one_form() {
    for (path, file) in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let formed = file.to_string();
        assert!(text == formed, "{}\n{}", file.name, difference::of(&text, &formed));
    }
}

#[test]
fn every_policy_has_three_cases_and_one_of_them_goes_wrong() {
    let files = files();
    let built = POLICIES.iter().filter(|policy| matches!(policy.build, Build::Steps(_)));
    let names: Vec<&str> = built.map(|policy| policy.name).chain(TOPICS.iter().copied()).collect();
    let mut lacking = Vec::new();
    for name in &names {
        let file = files.iter().find(|(_, file)| file.name == format!("{name}.txt"));
        let cases = file.map_or(&[][..], |(_, file)| &file.cases);
        let is_topic = TOPICS.contains(name) && *name != "base";
        let about: Vec<&Case> = cases.iter().filter(|case| is_topic || case.uses(name)).collect();
        if about.len() < CASES_MIN {
            let count = about.len();
            lacking.push(format!("{name}: {count} cases use it, {CASES_MIN} are needed"));
        }
        if !about.iter().any(|case| case.goes_wrong()) {
            lacking.push(format!("{name}: no case ends in a fault or an error"));
        }
    }
    for (_, file) in &files {
        let stem = file.name.trim_end_matches(".txt");
        if !names.contains(&stem) {
            lacking.push(format!("{}: no policy and no topic is called that", file.name));
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}
