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
    let imported = document("pets.yaml", text, None);
    assert_eq!(
        imported.files["api-pet-shop.yaml"],
        "apis:\n  - id: pet-shop\n    name: \"Pet Shop\"\n    path: pet-shop\n    serviceUrl: \
         https://pets.internal/v1\n    operations:\n      - id: get-pets-id\n        method: GET\n        \
         urlTemplate: \"/pets/{id}\"\n        responses:\n          - statusCode: 200\n"
    );
    assert_eq!(faults(&imported.files, &[]), Vec::<String>::new());
    let none = document("a.yaml", "swagger: 1\n", None);
    assert!(none.files.is_empty() && none.findings.iter().any(|it| it.level == Level::Refused));
}

#[test]
fn a_policy_names_what_it_needs() {
    let text = "<policies><inbound><set-header name=\"a\"><value>{{some-key}}</value></set-header></inbound></policies>";
    let imported = policy("in/global.xml", text);
    assert_eq!(
        imported.files["gateway.yaml"],
        "policy: policy-global.xml\nnamedValues:\n  - name: some-key\n    value:\n      env: VALUE_SOME_KEY\n    secret: true\n"
    );
}

#[test]
fn values_that_are_nowhere_have_variables_of_their_own() {
    let imported = policy(
        "all.xml",
        "<policies><inbound><set-variable name=\"a\" value=\"{{x.y}}{{x-y}}\" /></inbound></policies>",
    );
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
