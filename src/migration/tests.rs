//! What becomes of deployment files: every file of `tests/corpus/migration`, and what has to hold
//! for all of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::page::{at, entries, items, pages};
use super::*;
use crate::configuration::yaml::Node;

/// The corpus.
const CORPUS: &str = "tests/corpus/migration";
/// What stands behind the name of a file that has what came of another one.
const EXPECTED: &str = "expected";

fn options() -> Options {
    Options { image: "weir:1.2.3".to_owned(), around: Around::default() }
}

fn inputs() -> Vec<(PathBuf, Input)> {
    let mut found = Vec::new();
    let folders = fs::read_dir(CORPUS).unwrap().map(|folder| folder.unwrap().path());
    for folder in folders.filter(|path| path.is_dir()) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ending| ending != EXPECTED) {
                let name = path.file_name().unwrap().to_str().unwrap();
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.clone(), Input { name: Arc::from(name), text }));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(20 < found.len());
    found
}

/// What a file of the corpus says of another one: the new text, and the report.
fn told(input: &Input) -> String {
    let migrated = migrate(input, &options());
    format!("{}\n==== report\n{}", migrated.text, report::text(&migrated.findings))
}

#[test]
fn every_file_becomes_what_is_expected() {
    let write = std::env::vars().any(|(name, _)| name == "WEIR_WRITE_EXPECTED");
    for (path, input) in inputs() {
        let name = format!("{}.{EXPECTED}", path.display());
        let told = told(&input);
        if write {
            fs::write(&name, &told).unwrap();
        }
        let expected = fs::read_to_string(&name).unwrap();
        assert!(told == expected, "{name}\n{}", diff::unified(&name, &expected, &told));
    }
}

/// `tests/corpus/migration/changes.txt`: no change of any chart goes without a value of that kind in a file,
/// and none of those without a line in the report.
#[test]
fn every_change_of_the_charts_is_in_a_file_and_in_its_report() {
    let rows = fs::read_to_string(format!("{CORPUS}/changes.txt")).unwrap();
    let rows: Vec<Vec<&str>> = rows
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(44 < rows.len());
    let all = inputs();
    for row in rows {
        let [version, path, name] = row[..] else { panic!("{row:?}") };
        let (_, input) = all.iter().find(|(_, input)| &*input.name == name).unwrap();
        let parts: Vec<&str> = path.split('.').collect();
        let options = options();
        let pages = pages(&mut Work::on(input, &options));
        let is_there = pages.first().is_some_and(|page| at(&page.root, &parts).is_some());
        assert!(is_there, "{version}: {path} is not in {name}");
        let lies = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_told = |it: &Finding| lies(&it.what, path) || lies(path, &it.what);
        let told = migrate(input, &options).findings;
        assert!(told.iter().any(is_told), "{version}: nothing is said of {path} in {name}");
    }
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    for (path, input) in inputs() {
        let once = migrate(&input, &options());
        let again = migrate(&Input { text: once.text.clone(), ..input }, &options());
        assert_eq!(again.text, once.text, "{}", path.display());
        let changed: Vec<&Finding> = again
            .findings
            .iter()
            .filter(|it| matches!(it.level, Level::Changed | Level::Dropped))
            .collect();
        assert!(changed.is_empty(), "{}: {changed:?}", path.display());
    }
}

#[test]
fn comments_stay_in_their_order() {
    for (path, input) in inputs() {
        let comments = |text: &str| -> Vec<String> {
            let lines = unmarked(text).lines();
            let lines = lines.map(str::trim).filter(|line| line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        let (mut before, mut after) =
            (comments(&input.text), comments(&migrate(&input, &options()).text));
        // In values files some move with what they are about; in lists they go with an item.
        before.retain(|line| !line.contains("Container port used"));
        after.retain(|line| !line.contains("Container port used"));
        if path.to_str().unwrap().contains("/helm/") {
            before.sort();
            after.sort();
        }
        assert_eq!(before, after, "{}", path.display());
    }
}

#[test]
fn every_key_of_yaml_has_its_line() {
    for (path, input) in inputs() {
        if kind(&input) == Kind::Yaml {
            let findings = migrate(&input, &options()).findings;
            assert_eq!(keys_without(&input, &findings), Vec::<String>::new(), "{}", path.display());
        }
    }
}

#[test]
fn a_key_without_a_line_would_be_found() {
    for (path, input) in inputs() {
        if kind(&input) != Kind::Yaml {
            continue;
        }
        let findings = migrate(&input, &options()).findings;
        // Without what is said of it, and of what it stands in, a key is one without a line.
        let Some(key) = keys_without(&input, &[]).into_iter().next_back() else { continue };
        let others: Vec<Finding> =
            findings.into_iter().filter(|finding| !is_about(finding, &key)).collect();
        assert!(keys_without(&input, &others).contains(&key), "{}: {key}", path.display());
    }
}

/// The keys and items of a file that none of these findings is about.
fn keys_without(input: &Input, findings: &[Finding]) -> Vec<String> {
    let options = options();
    let mut work = Work::on(input, &options);
    let mut leaves = Vec::new();
    for page in pages(&mut work) {
        below(&page.root, page.path.clone(), &mut leaves);
    }
    // The items of a `List` are pages of their own.
    leaves.retain(|leaf| leaf != "items");
    leaves.retain(|leaf| !findings.iter().any(|finding| is_about(finding, leaf)));
    leaves
}

/// Whether a finding is about the key at a path, or about what that stands in.
fn is_about(finding: &Finding, path: &str) -> bool {
    let what = finding.what.split(' ').next().unwrap();
    let rest = path.strip_prefix(what);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn below(node: &Node, path: String, leaves: &mut Vec<String>) {
    for entry in entries(node) {
        let path = format!("{path}.{}", entry.name());
        below(&entry.value, path.trim_start_matches('.').to_owned(), leaves);
    }
    for (nth, item) in items(node).iter().enumerate() {
        below(item, format!("{path}[{nth}]"), leaves);
    }
    if entries(node).is_empty() && items(node).is_empty() {
        leaves.push(path);
    }
}

#[test]
fn every_variable_of_a_file_has_its_line() {
    for (path, input) in inputs() {
        if kind(&input) != Kind::Env {
            continue;
        }
        let findings = migrate(&input, &options()).findings;
        let lines = unmarked(&input.text).lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let name = env::pair(line).map_or(line, |(name, _)| name);
            let told = findings.iter().filter(|it| it.what == name).count();
            assert_eq!(told, 1, "{}: {name}", path.display());
        }
    }
}

#[test]
fn every_setting_of_a_command_has_its_line() {
    for (path, input) in inputs() {
        if kind(&input) != Kind::Commands {
            continue;
        }
        let findings = migrate(&input, &options()).findings;
        let all = words::commands(&input.text);
        let settings = all.iter().flatten().filter(|word| word.text.contains('='));
        for setting in settings.flat_map(|word| word.text.split(',')) {
            let (name, _) = setting.split_once('=').unwrap_or((setting, ""));
            let told = findings.iter().any(|it| {
                it.what.contains(name) || setting.contains(it.what.split(' ').next().unwrap())
            });
            assert!(told, "{}: {setting}", path.display());
        }
    }
}

#[test]
fn lines_end_and_files_begin_as_they_did() {
    let text = fs::read_to_string(Path::new(CORPUS).join("env/windows.env")).unwrap();
    let (new, is_refused) = becomes("windows.env", &text);
    assert!(!is_refused && new.starts_with('\u{feff}'), "{new:?}");
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    let text = format!("services:\n  gw:\n    image: {IMAGE}\n").replace('\n', "\r\n");
    let (new, _) = becomes("a.yaml", &text);
    assert!(new.contains("command: [run]"), "{new:?}");
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
}

#[test]
fn values_pass_the_schema_of_the_chart() {
    let schema = fs::read_to_string("helm/weir/values.schema.json").unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let name = "helm/weir/values.yaml";
    let usual = Input { name: Arc::from(name), text: fs::read_to_string(name).unwrap() };
    let usual = value(&pages(&mut Work::on(&usual, &options()))[0].root);
    for file in fs::read_dir(Path::new(CORPUS).join("helm")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let input =
            Input { name: Arc::from("values.yaml"), text: fs::read_to_string(&path).unwrap() };
        let migrated = migrate(&input, &options());
        if migrated.findings.iter().any(|finding| finding.level == Level::Refused) {
            continue;
        }
        let input = Input { text: migrated.text, ..input };
        let options = options();
        let mut work = Work::on(&input, &options);
        for page in pages(&mut work) {
            let mut all = usual.clone();
            merge(&mut all, value(&page.root));
            let wrong: Vec<String> =
                validator.iter_errors(&all).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}\n{}", path.display(), input.text);
        }
    }
}

/// Values over others, as Helm puts them.
fn merge(under: &mut serde_json::Value, over: serde_json::Value) {
    match (under, over) {
        (serde_json::Value::Object(under), serde_json::Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// A node as Helm reads it.
fn value(node: &Node) -> serde_json::Value {
    use crate::configuration::yaml::{Kind, Style};
    match &node.kind {
        Kind::Map(all) => {
            all.iter().map(|entry| (entry.name().to_owned(), value(&entry.value))).collect()
        }
        Kind::List(all) => all.iter().map(value).collect(),
        Kind::Scalar(scalar) if scalar.is_null() => serde_json::Value::Null,
        Kind::Scalar(scalar) if scalar.style == Style::Plain => {
            serde_json::from_str(&scalar.text).unwrap_or_else(|_| (*scalar.text).into())
        }
        Kind::Scalar(scalar) => (*scalar.text).into(),
    }
}

#[test]
fn an_endpoint_of_weir_stays_where_it_is_meant() {
    let around = Around { has_control_plane: true };
    let options = Options { around, ..options() };
    let text = "config.service.endpoint=https://weir.internal:8443\nconfig.service.auth=key\n";
    let input = Input { name: Arc::from("a.env"), text: text.to_owned() };
    let migrated = migrate(&input, &options);
    assert_eq!(migrated.text, "WEIR_CONTROL_ENDPOINT=https://weir.internal:8443\n");
}

#[test]
fn what_is_unknown_is_refused() {
    for (name, text) in [
        ("main.tf", "env { name = \"config.service.endpoint\" }\n"),
        ("a.yaml", "some: config.service.endpoint\nentirely: else\n"),
        ("b.yaml", "a: &x 1\nb: *x\n"),
    ] {
        let input = Input { name: Arc::from(name), text: text.to_owned() };
        let migrated = migrate(&input, &options());
        assert_eq!(migrated.text, text);
        assert!(migrated.findings.iter().any(|it| it.level == Level::Refused), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(
        text in "((image|env|name|value|data|kind|apiVersion|services|gateway|service|port|ports|ingress|telemetry.logs.std|containers|spec|template|mountPath): ?(json|\\{|\\}|\\[|azure-api-management/gateway:v1|[a-z\"'|>,# ]{0,6})\n {0,4}(- )?){0,25}",
        words in "(docker run|az k8s-extension create|helm upgrade|-e|-p 4290|--set|[a-z=\"'\\\\ \n#]{0,6}|azure-api-management/gateway| ){0,20}",
    ) {
        for (name, text) in [("a.yaml", &text), ("a.sh", &words), ("a.env", &words)] {
            let input = Input { name: Arc::from(name), text: text.clone() };
            let migrated = migrate(&input, &options());
            let _ = diff::unified(name, text, &migrated.text);
            let _ = advice::advise(&[input], crate::time::Timestamp::default());
        }
    }
}

/// What becomes of a text in a file of this name, and whether somebody has to look at it.
fn becomes(name: &str, text: &str) -> (String, bool) {
    let input = Input { name: Arc::from(name), text: text.to_owned() };
    let migrated = migrate(&input, &options());
    let is_refused = migrated.findings.iter().any(|it| it.level == Level::Refused);
    (migrated.text, is_refused)
}

const IMAGE: &str = "mcr.microsoft.com/azure-api-management/gateway:2.9.1";

#[test]
fn what_cannot_be_changed_safely_is_left_as_it_is() {
    for text in [
        format!("services:\n  gw:\n    image: {IMAGE}\n    volumes: [\"backup:/apim/config\"]\n"),
        format!(
            "kind: Deployment\napiVersion: apps/v1\nspec:\n  template:\n    spec:\n      containers:\n        \
             - name: gw\n          image: {IMAGE}\n          volumeMounts: [{{name: b, mountPath: /b}}]\n"
        ),
    ] {
        assert_eq!(becomes("a.yaml", &text), (text.clone(), true));
    }
    let text = format!(
        "services:\n  gw:\n    image: {IMAGE}\n    environment: {{telemetry.logs.std: json}}\n"
    );
    let (new, is_refused) = becomes("a.yaml", &text);
    assert!(is_refused && new.contains("environment: {telemetry.logs.std: json}"), "{new}");
}

#[test]
fn comments_behind_texts_in_quotes_stay() {
    for quote in ["\"", "'"] {
        let text = format!("services:\n  gw:\n    image: {quote}{IMAGE}{quote}  # pinned\n");
        let (new, _) = becomes("a.yaml", &text);
        assert!(new.contains("# pinned") && !new.contains(IMAGE), "{new}");
    }
}

#[test]
fn words_of_commands_are_changed_where_they_stand() {
    let (new, _) =
        becomes("a.sh", &format!("IMAGE={IMAGE}\ndocker run -e telemetry.logs.std=json {IMAGE}\n"));
    assert!(new.starts_with("IMAGE=weir:"), "{new}");
    let text = "docker run -e telemetry.logs.std=json $IMAGE\n";
    assert_eq!(becomes("a.sh", text), (text.to_owned(), true));
    let chart = "azure-api-management-gateway";
    let text = format!("helm install {chart} --set replicaCount=3 azure-apim-gateway/{chart}\n");
    let (new, _) = becomes("a.sh", &text);
    assert_eq!(new, format!("helm install {chart} --set replicas=3 helm/weir\n"));
}
