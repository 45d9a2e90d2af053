//! What the compiler cannot see and review forgets: floors, sizes, where the outside comes in.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on, stops")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The house, from the ground up: a module uses itself and what stands below it, never a neighbour.
/// `src/lib.rs` shows the same floors from above.
const FLOORS: &[&[&str]] = &[
    &["short"],
    &["address", "digest", "fault", "grpc", "problem", "secret", "time"],
    // Certificates and their keys: shown, asked for, and looked at by several cores. What a sidecar of
    // Dapr understands: judged where it is written, and again where it is sent.
    &["certificate", "dapr"],
    &[
        "backend",
        "correlation",
        "expression",
        "jwt",
        "limit",
        "llm",
        "route",
        "schema",
        "subscription",
        "token",
    ],
    &["exchange"],
    &["policy"],
    &["snapshot"],
    // How gRPC is spoken: with a control plane, and with etcd.
    &["rpc"],
    &["cache", "caller", "counters", "etcd", "telemetry"],
    // Who calls, and what runs: `proxy` asks it, and so does `weir explain`. Who vouches for callers,
    // who the gateway is to others, who hears of it, and what a request went through.
    &["admission", "events", "exporter", "health", "identity", "inspector", "issuer"],
    &["configuration", "proxy"],
    // Shows how the two paths are doing.
    &["admin"],
    // Feeds gateways, and shows in the same way how that goes.
    &["control"],
    &["settings"],
    // What becomes of a deployment of another gateway: it knows the settings, and runs nothing.
    &["migration"],
    // And of its configuration.
    &["import"],
    &["app"],
    &["cli"],
];

/// Each outside thing, and the only modules that may name it.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("arc_swap", &["snapshot", "telemetry/traffic"]),
    ("brotli_decompressor", &["policy/coding"]),
    ("clap", &["cli"]),
    ("etcd_client", &["etcd"]),
    ("flate2", &["configuration/bundle", "policy/coding"]),
    ("h2", &["caller", "proxy/forward/http2"]),
    ("hyper_util", &["rpc"]),
    ("jsonschema", &["schema"]),
    ("opentelemetry", &["telemetry/otlp/own"]),
    ("opentelemetry_proto", &["exporter", "telemetry"]),
    ("opentelemetry_sdk", &["telemetry/otlp/own"]),
    ("pingora", &["admin", "app", "caller", "control", "exporter", "proxy"]),
    ("prometheus_client", &["telemetry/metrics"]),
    ("quick_cache", &["cache/memory"]),
    ("redis", &["counters/redis"]),
    ("regex", &["expression"]),
    ("rust_decimal", &["expression", "policy/liquid"]),
    ("saphyr_parser", &["configuration/yaml"]),
    ("schemars", &["configuration/document", "configuration/yaml"]),
    // Where something is written or read; policies and expressions have JSON of their own.
    (
        "serde",
        &[
            "admin",
            "cli",
            "configuration",
            "control",
            "identity/grant",
            "identity/kept",
            "inspector",
            "jwt/json",
            "import",
            "migration",
            "telemetry/access_log",
            "telemetry/events",
            "telemetry/excerpts",
            "telemetry/local",
            "telemetry/otlp/log",
            "telemetry/policy_trace",
        ],
    ),
    ("strsim", &["fault", "route/explain"]),
    // Nothing below the adapters awaits, and nothing but the root spawns threads for long.
    (
        "tokio",
        &[
            "admin",
            "app",
            "caller",
            "configuration/cluster",
            "configuration/credential/client",
            "configuration/offer",
            "configuration/remote",
            "control",
            "counters",
            "etcd",
            "events",
            "exporter",
            "health",
            "identity",
            "inspector",
            "issuer",
            "proxy",
            "rpc",
        ],
    ),
    ("tokio_stream", &["configuration/remote", "control", "rpc"]),
    ("tonic", &["app/control", "configuration/remote", "control", "exporter", "rpc"]),
    (
        "tracing",
        &[
            "app",
            "caller/fetch",
            "caller/http2",
            "cli",
            "configuration/cluster",
            "configuration/credential/client",
            "configuration/keeping",
            "configuration/refresh",
            "configuration/remote",
            "control",
            "counters",
            "events",
            "exporter",
            "health",
            "identity",
            "inspector",
            "issuer",
            "proxy",
            "rpc",
            "telemetry",
        ],
    ),
];

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 400;

/// Files of tests: whole, so that they have no lines before their tests.
const OF_TESTS: [&str; 4] = ["tests", "testing", "scenarios", "simulation"];

/// What stands for work that was put off, or for state that nobody passes on.
const NOWHERE: [&str; 5] = ["todo!(", "unimplemented!(", "TODO", "FIXME", "static mut "];

#[test]
fn the_house_is_tidy() {
    let mut faults = String::new();
    for path in files(Path::new("src"), "rs") {
        let text = fs::read_to_string(&path).expect("a source file");
        let mut fault = |what: &str| writeln!(faults, "{}: {what}", path.display()).expect("fits");
        if !text.starts_with("//! ") {
            fault("does not begin with a line that says what it is for");
        }
        for word in NOWHERE {
            if text.contains(word) {
                fault(&format!("says `{word}`"));
            }
        }
        let module = module_of(&path);
        if is_of_tests(&module) {
            continue;
        }
        // Of what is there for tests only, this is what stands at the end of a file.
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        judge(&module, code, &mut fault);
    }
    assert!(faults.is_empty(), "\n{faults}");
}

fn judge(module: &str, code: &str, fault: &mut impl FnMut(&str)) {
    if FILE_LINES_MAX < code.lines().count() {
        fault("is too long");
    }
    if code.lines().any(is_static) {
        fault("keeps state for the whole process");
    }
    for (outside, homes) in OUTSIDE {
        if names(code, outside) && !homes.iter().any(|home| stands_in(module, home)) {
            fault(&format!("names {outside}"));
        }
    }
    for other in uses(code) {
        if !may_use(root_of(module), other) {
            fault(&format!("may not use crate::{other}"));
        }
    }
}

#[test]
fn the_map_names_every_module_once() {
    let map = fs::read_to_string("src/lib.rs").expect("the map");
    let mut named: Vec<&str> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    named.sort_unstable();
    let mut standing: Vec<&str> = FLOORS.concat();
    standing.sort_unstable();
    assert_eq!(named, standing);
}

#[test]
fn no_folder_of_the_corpus_is_empty() {
    for folder in folders(Path::new("tests/corpus")) {
        let inside = fs::read_dir(&folder).expect("a folder").count();
        assert!(0 < inside, "{} is empty", folder.display());
    }
}

#[test]
fn tests_say_what_they_are_for_too() {
    let missing: Vec<_> = files(Path::new("tests"), "rs")
        .into_iter()
        .filter(|path| !fs::read_to_string(path).expect("a file").starts_with("//! "))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let root = entries(Path::new("."));
    let mut documents =
        [files(Path::new("docs"), "md"), files(Path::new("loadtest"), "md")].concat();
    documents.extend(root.into_iter().filter(|path| path.extension().is_some_and(|it| it == "md")));
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).expect("a document");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") {
                continue;
            }
            let target = match path {
                "" => document.clone(),
                path => document.parent().expect("a folder").join(path),
            };
            let is_there = target.exists()
                && (heading.is_empty() || headings(&target).iter().any(|it| it == heading));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The names by which the headings of a document are linked to.
fn headings(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).expect("a document");
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|it| it.is_alphanumeric() || "-_ ".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    lines.map(name).collect()
}

fn is_of_tests(module: &str) -> bool {
    module.split('/').any(|part| OF_TESTS.contains(&part))
}

/// Whether the line begins a `static`; a `'static` is a lifetime.
fn is_static(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    line.starts_with("static ") || line.starts_with("thread_local!")
}

/// Whether `code` reaches the crate `outside`, and not a module of ours of the same name.
fn names(code: &str, outside: &str) -> bool {
    let path = format!("{outside}::");
    lines_of(code).any(|line| {
        line.match_indices(&path).any(|(at, _)| {
            let before = line.split_at(at).0;
            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        })
    })
}

fn stands_in(module: &str, home: &str) -> bool {
    module == home || module.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'))
}

fn may_use(user: &str, module: &str) -> bool {
    user == "lib" || user == module || floor_of(module) < floor_of(user)
}

fn floor_of(module: &str) -> usize {
    let floor = FLOORS.iter().position(|floor| floor.contains(&module));
    floor.unwrap_or_else(|| panic!("`{module}` stands on no floor: give it one in tests/tidy.rs"))
}

/// The top modules that `code` reaches through `crate::`.
fn uses(code: &str) -> impl Iterator<Item = &str> {
    let tails = lines_of(code).flat_map(|line| line.split("crate::").skip(1));
    tails
        .map(|tail| tail.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(tail))
        .filter(|name| !name.is_empty())
}

/// Lines that are no comments.
fn lines_of(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// `src/limit/bucket.rs` is `limit/bucket`.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("under src").with_extension("");
    inside.to_str().expect("a plain name").to_owned()
}

fn root_of(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let inside: Vec<_> = entries(folder).into_iter().filter(|path| path.is_dir()).collect();
    inside.iter().flat_map(|path| folders(path)).chain([folder.to_owned()]).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}
