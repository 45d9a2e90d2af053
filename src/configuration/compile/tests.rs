//! What compiles, and what is wrong with what does not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::configuration::document;
use crate::configuration::loader::load;
use crate::configuration::source::{Environment, Folder, Reading};
use crate::configuration::validate::validate;
use crate::fault::damage::{damaged, damages, texts};
use crate::fault::{Place, Sources, render};
use crate::policy::build::references::Backends;
use crate::policy::disabled::Disabled;

fn making() -> Making {
    Making {
        generation: 1,
        now: Timestamp::default(),
        instance: Arc::from("test"),
        secret: [0; 32],
        switch: Arc::default(),
        authorities: Arc::new(crate::certificate::trust::Nobody),
        sidecar: Arc::default(),
    }
}

/// What is wrong with `yaml` as a configuration, and its text to look places up in.
fn wrong_with(yaml: &str) -> (Vec<Fault>, Sources) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weir.yaml"), yaml).unwrap();
    let loaded = load(&Folder::at(folder.path()), &Environment::default());
    let faults = make(&loaded, &making()).err().unwrap_or_default();
    let sources = loaded.sources(&faults);
    (faults, sources)
}

fn faults(yaml: &str) -> Vec<String> {
    wrong_with(yaml).0.iter().map(ToString::to_string).collect()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config")
}

fn folders(kind: &str) -> Vec<PathBuf> {
    let root = corpus().join(kind);
    let mut folders: Vec<PathBuf> =
        root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

/// What is wrong with the configuration in `folder`, as a person reads it.
fn rendered(folder: &Path) -> String {
    let environment = [("ORDERS_KEY", "a-key-from-the-environment"), ("HOME", "/")];
    let loaded = load(&Folder::at(folder), &environment.into_iter().collect());
    let wrong = make(&loaded, &making()).err().unwrap_or_default();
    let sources = loaded.sources(&wrong);
    let rendered: Vec<String> = wrong.iter().map(|fault| render(fault, &sources)).collect();
    rendered.join("\n").replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn every_bad_configuration_has_exactly_its_faults() {
    let write = std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED");
    let mut wrong = String::new();
    for folder in folders("bad") {
        let found = rendered(&folder);
        assert!(!found.is_empty(), "{} has no fault", folder.display());
        let path = folder.join("faults.txt");
        if write {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            let name = folder.display();
            writeln!(wrong, "{name}\nfound:\n{found}\nexpected:\n{expected}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_good_configuration_has_no_fault() {
    let sample = corpus().join("../../../config/sample");
    for folder in folders("good").into_iter().chain([sample]) {
        assert_eq!(rendered(&folder), "", "{}", folder.display());
    }
}

const REWRITES: &str = "\
apis:
  - id: a
    path: a
    serviceUrl: http://127.0.0.1:1
    operations:
      - id: get
        method: GET
        urlTemplate: /{id}
        policy: |
          <policies><inbound>
            <rewrite-uri template=\"/x/{PARAMETER}\" />
          </inbound></policies>
";

#[test]
fn a_rewrite_asks_only_for_parameters_that_there_are() {
    assert_eq!(faults(&REWRITES.replace("PARAMETER", "id")), Vec::<String>::new());
    assert_eq!(
        faults(&REWRITES.replace("PARAMETER", "ib")),
        ["weir.yaml:11:13: the operation has no parameter `ib`; did you mean `{id}`?"]
    );
}

/// What stands under the caret of each fault of a configuration with this policy.
fn pointed_at(policy: &str) -> Vec<String> {
    let yaml =
        format!("apis:\n  - id: a\n    path: a\n    serviceUrl: http://a\n    policy: {policy}");
    let (wrong, sources) = wrong_with(&yaml);
    let pointed = wrong.iter().map(|fault| {
        let Place { file, line, column } = &fault.place;
        let line = sources.line(file, *line).unwrap_or_default();
        let [column, width] = [*column, fault.width].map(|it| usize::try_from(it).unwrap());
        line.chars().skip(column - 1).take(width).collect()
    });
    pointed.collect()
}

#[test]
fn a_fault_of_an_inline_policy_has_the_place_of_the_yaml_file() {
    let long = "<policies>
        <inbound>
          <set-body>@{
              var known = 1;
              return unknown;
          }</set-body>
          <nothing />
        </inbound>
      </policies>\n";
    for indicator in ["|", ">", "|-", "# a comment\n     ", "|2"] {
        let policy = format!("{indicator}\n      {long}");
        assert_eq!(pointed_at(&policy), ["unknown", "<nothing"], "{indicator}");
    }
    for quote in ["\"", "'"] {
        let policy = format!("{quote}{}{quote}\n", long.trim_end());
        assert_eq!(pointed_at(&policy), ["unknown", "<nothing"], "{quote}");
    }
    assert_eq!(pointed_at("<policies><inbound><nothing/></inbound></policies>"), ["<nothing"]);
    let escaped = r#""<policies>\n<inbound>\t<base\x41 id=\"\"/>\\\n</inbound></policies>""#;
    assert_eq!(pointed_at(escaped), [r"<base\", r"\"]);
}

/// What is wrong with an API without a backend whose operations have these policies in
/// `inbound`, and whose product has `product`.
fn lost(inbound: &[&str], product: &str) -> Vec<String> {
    let mut yaml = "apis:\n  - id: a\n    path: a\n    operations:\n".to_owned();
    for (number, inbound) in inbound.iter().enumerate() {
        writeln!(
            yaml,
            "      - id: o{number}\n        method: GET\n        urlTemplate: /{number}\n        \
             policy: '<policies><inbound>{inbound}<base /></inbound></policies>'"
        )
        .unwrap();
    }
    writeln!(
        yaml,
        "products:\n  - id: p\n    apis: [a]\n    policy: '<policies><inbound>{product}\
         </inbound></policies>'"
    )
    .unwrap();
    faults(&yaml).iter().map(|fault| fault.replace(&format!("; {}", lost::REMEDY), "")).collect()
}

#[test]
fn an_api_whose_every_request_would_go_nowhere_is_refused() {
    let set = r#"<set-backend-service base-url="http://a" />"#;
    let choose = |policy: &str, otherwise: &str| {
        format!(
            r#"<choose><when condition="@(context.Request.Method == ""GET"")">{policy}</when>
                   <otherwise>{otherwise}</otherwise></choose>"#
        )
        .replace(r#""""#, "&quot;")
    };
    let api = "weir.yaml:2:9: the API `a` has no backend: all its requests would fail";
    let second = "weir.yaml:9:13: the operation `o1` has no backend: all its requests would fail";
    let nothing: [&str; 0] = [];
    assert_eq!(lost(&["", ""], ""), [api]);
    assert_eq!(lost(&[set, ""], ""), [second]);
    assert_eq!(lost(&[set, ""], set), nothing);
    assert_eq!(lost(&[&choose(set, set)], ""), nothing);
    assert_eq!(lost(&[&choose(set, "")], ""), nothing);
    assert_eq!(lost(&[&choose("<return-response />", "")], ""), nothing);
    let unread = r#"<ip-filter action="forbid"><address>10.0.0.1</address></ip-filter>"#;
    assert_eq!(lost(&[&choose(unread, "")], ""), [api]);
    let never = format!(r#"<choose><when condition="@(false)">{set}</when></choose>"#);
    assert_eq!(lost(&[&never], ""), [api]);
    assert_eq!(lost(&[&never.replace("false", "true")], ""), nothing);
    assert_eq!(lost(&["<mock-response />", ""], ""), [second]);
    let retried = r#"<retry condition="@(true)" count="2" interval="0">POLICY</retry>"#;
    assert_eq!(lost(&[&retried.replace("POLICY", set)], ""), nothing);
    assert_eq!(lost(&[&retried.replace("POLICY", "")], ""), [api]);
    let caught = "apis:\n  - id: a\n    path: a\n    operations:\n      - {id: o, method: GET, \
                  urlTemplate: /}\n    policy: <policies><on-error><return-response />\
                  </on-error></policies>\n";
    assert_eq!(faults(caught), nothing);
}

/// What a configuration is made of.
const SHARDS: &[&str] = &[
    "\n",
    "\r\n",
    "  ",
    "- ",
    ": ",
    "|",
    ">",
    "|2-",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "&a",
    "*a",
    "!t",
    "%",
    "@",
    "~",
    "?",
    "---\n",
    "\t",
    "null",
    "true",
    "99999999999",
    "1e9",
    "é",
    "\u{85}",
    "\\x",
    "apis:\n",
    "  - id: x\n",
    "    policy: |\n      <policies>\n",
    "<inbound>@(",
];

#[test]
fn no_damage_to_a_configuration_makes_loading_it_panic() {
    let seeds = [texts("tests/corpus/config", ".yaml"), texts("config", ".yaml")].concat();
    proptest!(|(seed in select(seeds), damages in damages(SHARDS))| {
        let text = damaged(&seed, &damages);
        let mut faults = Vec::new();
        let read: Vec<(Arc<str>, Arc<str>)> = vec![(Arc::from("weir.yaml"), Arc::from(text))];
        let document = document::read(&read, &mut faults);
        let reading = Reading::of(read);
        let (config, mut faults) =
            validate(&document, &reading, &Environment::default(), faults);
        Documents::look_at(&config, &Disabled::default(), &mut faults);
        if faults.is_empty() && let Err(found) = compile(&config, &making()) {
            faults = found;
        }
        let sources = reading.sources(&faults);
        for fault in faults {
            let _ = render(&fault, &sources);
        }
    });
}

#[test]
fn a_response_without_an_example_is_what_its_schema_describes() {
    let loaded = load(&Folder::at(corpus().join("good/schemas")), &Environment::default());
    let snapshot = make(&loaded, &making()).unwrap();
    let operation = &snapshot.apis[0].operations[0].facts;
    let bodies: Vec<&str> = operation.samples.iter().map(|sample| &*sample.body).collect();
    assert_eq!(bodies, [r#"{"id":0,"note":"string","lines":[{"sku":"A-1"}]}"#]);
    assert_eq!(operation.contents.path[0].schema.as_ref().unwrap().types(), ["string"]);
}

#[test]
fn what_is_known_of_a_backend_outlives_what_else_changes() {
    let entry = |id: &str, count: u32| {
        format!(
            "  - id: {id}\n    url: https://{id}.example\n    circuitBreaker:\n      rules:\n        \
             - name: n\n          failureCondition: {{count: {count}, interval: PT1M}}\n          \
             tripDuration: PT1M\n"
        )
    };
    let pool = |weight: u32| {
        format!(
            "  - id: all\n    type: Pool\n    pool: {{services: [{{id: a}}, {{id: b, weight: \
             {weight}}}]}}\n"
        )
    };
    let mut kept = Kept::default();
    let mut compiled = |yaml: String| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weir.yaml"), yaml).unwrap();
        let loaded = load(&Folder::at(folder.path()), &Environment::default());
        let snapshot = kept.make(&loaded, &making());
        snapshot.map(|snapshot| Arc::clone(&snapshot.backends))
    };
    let standing =
        |backends: &Backends, id: &str| Arc::clone(backends[id].standing.as_ref().unwrap());
    let counts = |backends: &Backends| backends["all"].pool.as_ref().unwrap().counts();
    let first = format!("backends:\n{}{}{}", entry("a", 1), entry("b", 1), pool(1));
    let before = compiled(first.clone()).unwrap();
    assert!(compiled("backends:\n  - id: a\n".to_owned()).is_err());
    let other = first.replace("backends:", "namedValues: [{name: n, value: v}]\nbackends:");
    let after = compiled(other).unwrap();
    for id in ["a", "b"] {
        assert!(Arc::ptr_eq(&standing(&before, id), &standing(&after, id)), "{id}");
    }
    assert!(Arc::ptr_eq(&counts(&before), &counts(&after)));
    let changed = format!("backends:\n{}{}{}", entry("a", 1), entry("b", 2), pool(2));
    let changed = compiled(changed).unwrap();
    assert!(Arc::ptr_eq(&standing(&before, "a"), &standing(&changed, "a")));
    assert!(!Arc::ptr_eq(&standing(&before, "b"), &standing(&changed, "b")));
    assert!(!Arc::ptr_eq(&counts(&before), &counts(&changed)));
}
