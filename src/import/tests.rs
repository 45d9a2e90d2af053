//! A folder that an extractor wrote becomes a configuration that runs, and everything has its line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::*;
use crate::configuration::compile::{Making, make};
use crate::configuration::loader::load;
use crate::configuration::source::{Environment, Folder};
use crate::migration::{diff, report};
use crate::time::Timestamp;

/// What an extractor would write.
const CORPUS: &str = "tests/corpus/apiops/shop";
/// What becomes of it.
const EXPECTED: &str = "tests/corpus/apiops/shop.expected";

fn artifacts(folder: &Path, above: &str, all: &mut Artifacts) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            artifacts(&path, &format!("{above}{name}/"), all);
        } else {
            all.insert(format!("{above}{name}"), fs::read_to_string(&path).unwrap());
        }
    }
}

fn corpus() -> Artifacts {
    let mut all = Artifacts::new();
    artifacts(Path::new(CORPUS), "", &mut all);
    all
}

/// What is wrong with the files as a configuration.
fn faults(files: &BTreeMap<String, String>, variables: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let environment: Environment = variables.iter().copied().collect();
    let loaded = load(&Folder::at(folder.path()), &environment);
    let making = Making {
        generation: 0,
        now: Timestamp::default(),
        instance: Arc::from("check"),
        secret: [0; 32],
        switch: Arc::default(),
        authorities: Arc::new(crate::certificate::trust::Nobody),
        sidecar: Arc::default(),
    };
    let faults = make(&loaded, &making).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_extracted_runs() {
    let imported = apiops(&corpus());
    let variables = [
        ("SUBSCRIPTION_MOBILE_KEY", "0123456789abcdef0123456789abcdef"),
        ("VALUE_ORDERS_TOKEN", "a token"),
        (
            "LOGGER_HUB_CONNECTION_STRING",
            "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0",
        ),
    ];
    assert_eq!(faults(&imported.files, &variables), Vec::<String>::new());
}

#[test]
fn every_artifact_has_a_line() {
    let all = corpus();
    let told: BTreeSet<String> =
        apiops(&all).findings.iter().map(|finding| finding.place.file.to_string()).collect();
    for path in all.keys() {
        let empty = all.get(path).is_some_and(|text| text.trim() == "{}");
        assert!(empty || told.contains(path), "{path}");
    }
}

#[test]
fn the_folder_and_the_report_are_what_is_expected() {
    let imported = apiops(&corpus());
    let mut told = String::new();
    let is_yaml = |name: &str| Path::new(name).extension().is_some_and(|it| it == "yaml");
    for (name, text) in imported.files.iter().filter(|(name, _)| is_yaml(name)) {
        write!(told, "==== {name}\n{text}").unwrap();
    }
    write!(told, "==== report\n{}", report::text(&report::sorted(imported.findings))).unwrap();
    if std::env::vars().any(|(name, _)| name == "WEIR_WRITE_EXPECTED") {
        fs::write(EXPECTED, &told).unwrap();
    }
    let expected = fs::read_to_string(EXPECTED).unwrap();
    assert!(told == expected, "{}", diff::unified(EXPECTED, &expected, &told));
}

#[test]
fn a_document_becomes_an_api() {
    let text = "openapi: 3.0.0\ninfo: {title: Pet Shop}\nservers: [{url: 'https://pets.internal/v1'}]\n\
                paths:\n  /pets/{id}:\n    get:\n      responses: {'200': {description: one}}\n";
    let imported = document("pets.yaml", text, Wanted::default());
    assert_eq!(
        imported.files["api-pet-shop.yaml"],
        "apis:\n  - id: pet-shop\n    name: \"Pet Shop\"\n    path: pet-shop\n    serviceUrl: \
         https://pets.internal/v1\n    operations:\n      - id: get-pets-id\n        method: GET\n        \
         urlTemplate: \"/pets/{id}\"\n        responses:\n          - statusCode: 200\n            \
         description: one\n"
    );
    assert_eq!(faults(&imported.files, &[]), Vec::<String>::new());
    let none = document("a.yaml", "swagger: 1\n", Wanted::default());
    assert!(none.files.is_empty() && none.findings.iter().any(|it| it.level == Level::Refused));
}

/// Documents of `OpenAPI`, and what becomes of each.
const DOCUMENTS: &str = "tests/corpus/openapi";

/// The documents of the corpus.
fn documents() -> Vec<(String, String)> {
    let files = fs::read_dir(DOCUMENTS).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it != "expected"));
    let named = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let mut all: Vec<(String, String)> = named
        .map(|name| {
            let text = fs::read_to_string(format!("{DOCUMENTS}/{name}")).unwrap();
            (name, text)
        })
        .collect();
    all.sort();
    assert!(5 < all.len());
    all
}

#[test]
fn documents_become_what_is_expected() {
    for (name, text) in documents() {
        let imported = document(&name, &text, Wanted::default());
        let mut told = String::new();
        for (name, text) in &imported.files {
            write!(told, "==== {name}\n{text}").unwrap();
        }
        write!(told, "==== report\n{}", report::text(&report::sorted(imported.findings))).unwrap();
        let expected_at = format!("{DOCUMENTS}/{name}.expected");
        if std::env::vars().any(|(name, _)| name == "WEIR_WRITE_EXPECTED") {
            fs::write(&expected_at, &told).unwrap();
        }
        let expected = fs::read_to_string(&expected_at).unwrap();
        assert!(told == expected, "{}", diff::unified(&expected_at, &expected, &told));
    }
}

#[test]
fn whatever_is_taken_of_a_document_passes_the_check() {
    let wanted = Wanted { service_url: Some("https://orders.internal/v2"), ..Wanted::default() };
    let mut taken = 0;
    for (name, text) in documents() {
        let imported = document(&name, &text, wanted);
        if imported.files.is_empty() {
            let is_refused = imported.findings.iter().any(|it| it.level == Level::Refused);
            assert!(is_refused, "{name}");
            continue;
        }
        taken += 1;
        assert_eq!(faults(&imported.files, &[]), Vec::<String>::new(), "{name}");
    }
    assert_eq!(taken, 2);
}

#[test]
fn references_of_a_document_have_a_bound_together() {
    let long = "x".repeat(1 << 20);
    let mut paths = Map::new();
    for nth in 0..64 {
        let reference = json!({ "$ref": "#/components/responses/Long" });
        paths.insert(format!("/{nth}"), json!({ "get": { "responses": { "200": reference } } }));
    }
    let responses = json!({ "Long": { "description": long } });
    let text = json!({
        "openapi": "3.0.0",
        "paths": paths,
        "components": { "responses": responses },
    });
    let imported = document("long.json", &text.to_string(), Wanted::default());
    let refused = imported.findings.iter().filter(|it| it.message.contains("in all")).count();
    assert!((20..64).contains(&refused), "{refused}");
}

#[test]
fn fragments_and_a_policy_of_all_apis_are_told_apart() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let imported = policies(&[
        file(
            "in/hide.xml",
            "<fragment><set-header name=\"Server\" exists-action=\"delete\" /></fragment>",
        ),
        file(
            "in/all.xml",
            "<policies><inbound><include-fragment fragment-id=\"hide\" /></inbound></policies>",
        ),
        file(
            "other/hide.xml",
            "<fragment><set-status code=\"200\" reason=\"{{why}}\" /></fragment>",
        ),
        file("other/all.xml", "<policies />"),
        file("notes.md", "# not XML\n"),
        file("none.xml", " \n"),
        file("page.xml", "<html />"),
    ]);
    assert_eq!(faults(&imported.files, &[("VALUE_WHY", "so")]), Vec::<String>::new());
    let names: Vec<&String> = imported.files.keys().collect();
    assert_eq!(
        names,
        [
            "gateway.yaml",
            "policy-all.xml",
            "policy-fragment-hide-2.xml",
            "policy-fragment-hide.xml"
        ]
    );
    let refused: Vec<String> = imported
        .findings
        .iter()
        .filter(|it| it.level == Level::Refused)
        .map(|it| format!("{}: {}", it.place.file, it.message))
        .collect();
    assert_eq!(
        refused,
        [
            "other/all.xml: there is one policy document of all APIs, and in/all.xml is it",
            "notes.md: this is no policy document: it is no XML",
            "none.xml: the file is empty",
            "page.xml: this is XML, and no policy document: those are <policies> or <fragment>",
        ]
    );
}

#[test]
fn a_policy_names_what_it_needs() {
    let text = "<policies><inbound><set-header name=\"a\"><value>{{some-key}}</value></set-header></inbound></policies>";
    let imported = policies(&[("in/global.xml".to_owned(), text.to_owned())]);
    assert_eq!(
        imported.files["gateway.yaml"],
        "policy: policy-global.xml\nnamedValues:\n  - name: some-key\n    value:\n      env: VALUE_SOME_KEY\n    secret: true\n"
    );
}

#[test]
fn values_that_are_nowhere_have_variables_of_their_own() {
    let text = "<policies><inbound><set-variable name=\"a\" value=\"{{x.y}}{{x-y}}\" /></inbound></policies>";
    let imported = policies(&[("all.xml".to_owned(), text.to_owned())]);
    let text = &imported.files["gateway.yaml"];
    assert!(text.contains("VALUE_X_Y") && text.contains("VALUE_X_Y_2"), "{text}");
}

#[test]
fn a_fragment_may_be_in_its_information_and_a_broken_list_is_refused() {
    let artifacts = |all: &[(&str, &str)]| -> Artifacts {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let imported = apiops(&artifacts(&[
        (
            "policy fragments/one/policyFragmentInformation.json",
            "{\"properties\": {\"value\": \"<fragment />\"}}",
        ),
        ("policy fragments/two/policyFragmentInformation.json", "{\"properties\": {}}"),
        ("products/p/productInformation.json", "{\"properties\": {\"displayName\": \"P\"}}"),
        ("products/p/apis.json", "[{\"name\":\"orders\"}"),
    ]));
    assert_eq!(imported.files["policy-fragment-one.xml"], "<fragment />");
    let refused = |what: &str| {
        imported.findings.iter().any(|it| it.level == Level::Refused && it.what.contains(what))
    };
    assert!(refused("fragment two") && refused("apis"), "{:?}", imported.findings);
}
