//! What is kept between loads is never seen: each load comes to what it would come to by itself.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use http::{HeaderMap, Method};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fault::render;
use crate::route::{Request, Scheme};
use crate::subscription::Demand;
use crate::subscription::key::KeyNames;
use crate::time::Timestamp;

fn making() -> Making {
    let now = Timestamp::default();
    Making {
        generation: 1,
        now,
        instance: Arc::from("test"),
        secret: [7; 32],
        switch: Arc::default(),
        authorities: Arc::new(crate::certificate::trust::Nobody),
        sidecar: Arc::default(),
    }
}

/// Everything that can be seen of what came of a folder.
fn seen(loaded: &Loaded, made: Result<Snapshot, Vec<Fault>>) -> Vec<String> {
    let snapshot = match made {
        Ok(snapshot) => snapshot,
        Err(faults) => {
            let sources = loaded.sources(&faults);
            return faults.iter().map(|fault| render(fault, &sources)).collect();
        }
    };
    let mut seen = vec![
        format!("{:?}", snapshot.deployment),
        format!("{:?}", snapshot.products),
        format!("{:?}", snapshot.subscribers),
        format!("{:?}", snapshot.global),
        format!("{:?}", snapshot.certificates),
    ];
    seen.extend(snapshot.apis.iter().map(|api| format!("{api:?}")));
    seen.extend(snapshot.routes.apis().map(|route| format!("{route:?}")));
    let headers = HeaderMap::new();
    for path in PATHS {
        let (method, query) = (&Method::GET, "v=1");
        let request =
            Request { scheme: Scheme::Http, host: "h", method, path, query, headers: &headers };
        seen.push(format!("{path} {:?}", snapshot.routes.find(&request)));
    }
    let names = KeyNames::default();
    for key in KEYS {
        let presented = names.presented(&headers, [(*key).into()]);
        for api in &snapshot.apis {
            let demand: Demand<'_> = api.demand.as_demand();
            let decided = snapshot.keys.decide(&demand, &presented, Timestamp::default());
            seen.push(format!("{key} {decided:?}"));
        }
    }
    seen
}

const PATHS: &[&str] =
    &["/a", "/a/x", "/a/y/1", "/b/x", "/c/x", "/c/y", "/d/x", "/d;rev=2/x", "/e/v1/x", "/e/x"];
const KEYS: &[&str] = &["k1", "k2", "k3", "k4", "k5", ""];

const API: &str = "
  - id: ID
    path: PATH
    serviceUrl: http://u/ID
    REST
    operations:
      - {id: x, method: GET, urlTemplate: /x}
      - id: y
        method: GET
        urlTemplate: /y/{n}
        policy: POLICY
";

fn api(id: &str, path: &str, rest: &str, policy: &str) -> String {
    let filled = API.replace("ID", id).replace("PATH", path);
    filled.replace("REST", rest).replace("POLICY", policy)
}

const INLINE: &str = "<policies><inbound><base /><set-header name='A' exists-action='override'>\
                      <value>{{word}}</value></set-header></inbound></policies>";
const BACKEND: &str =
    "<policies><inbound><set-backend-service backend-id='there' /></inbound></policies>";
const FRAGMENT: &str =
    "<policies><inbound><include-fragment fragment-id='piece' /></inbound></policies>";
const REWRITE: &str = "<policies><inbound><rewrite-uri template='/{m}' /></inbound></policies>";

/// Files by name with all that may stand in them; a text of nothing is no file.
#[expect(clippy::too_many_lines, reason = "a table: what may stand in each file")]
fn files() -> Vec<(&'static str, Vec<String>)> {
    let apis = |all: &[String]| format!("apis:{}", all.concat());
    let none = String::new;
    let text = |text: &str| text.to_owned();
    let a = |rest: &str, policy: &str| apis(&[api("a", "a", rest, policy)]);
    let b = |path: &str, policy: &str| apis(&[api("b", path, "name: B", policy)]);
    let subscription = |id: &str, scope: &str, keys: [&str; 2]| {
        format!(
            "\n  - {{id: {id}, scope: {scope}, user: u1, primaryKey: {}, secondaryKey: {}}}",
            keys[0], keys[1]
        )
    };
    let subscriptions = |all: &[String]| format!("subscriptions:{}", all.concat());
    vec![
        (
            "a.yaml",
            vec![
                a("name: One", INLINE),
                a("name: Two", "policies/p.xml"),
                a("policy: policies/p.xml", FRAGMENT),
                format!("# moved\n\n{}", a("name: One", INLINE)),
                a("nmae: One", INLINE),
                a("name: One", REWRITE),
                none(),
            ],
        ),
        (
            "b.yaml",
            vec![b("b", BACKEND), b("b", INLINE), b("a", INLINE), b("b", "policies/q.xml"), none()],
        ),
        (
            "deep/c.yaml",
            vec![
                apis(&[
                    api("c", "c", "revision: 1", INLINE),
                    api("d", "d", "isCurrent: true", FRAGMENT),
                ]),
                apis(&[
                    api("d", "d", "isCurrent: true", FRAGMENT),
                    api("c", "c", "revision: 1", INLINE),
                ]),
                apis(&[api("c", "c", "isCurrent: true", "policies/p.xml")]),
                text("apis: ["),
                none(),
            ],
        ),
        (
            "deep/d.yaml",
            vec![
                apis(&[api("d", "d", "revision: 2", INLINE)]),
                apis(&[
                    api("d", "d", "{revision: 2, isCurrent: false}", INLINE),
                    api("e", "e", "subscriptionRequired: false", BACKEND),
                ])
                .replace("{revision: 2, isCurrent: false}", "revision: 2\n    isCurrent: false"),
                apis(&[api("d", "d", "revision: 2\n    isCurrent: true", INLINE)]),
                apis(&[api("e", "e", "versionSetId: s\n    version: v1", INLINE)]),
                none(),
            ],
        ),
        (
            "common.yaml",
            vec![
                text(
                    "namedValues: [{name: word, value: first}]\nfragments:\n  - id: piece\n    policy: <fragment><set-status code='200' reason='{{word}}' /></fragment>\nbackends: [{id: there, url: 'http://t'}]\nversionSets: [{id: s, versioningScheme: segment}]\n",
                ),
                text(
                    "namedValues: [{name: word, value: second}]\nfragments: [{id: piece, policy: policies/p.xml}]\nbackends: [{id: there, url: 'http://t'}]\n",
                ),
                text(
                    "namedValues: [{name: word, value: first}]\nfragments:\n  - id: piece\n    policy: <fragment><set-status code='200' reason='{{word}}' /></fragment>\nbackends: [{id: there, url: 'http://other'}]\nversionSets: [{id: s, versioningScheme: query, versionQueryName: v}]\n",
                ),
                text(
                    "namedValues: [{name: word, value: {file: secret}}]\nfragments:\n  - id: piece\n    policy: <fragment></fragment>\nbackends: [{id: there, url: 'http://t'}]\nhostNames: [{host: h}]\nversionSets: [{id: s, versioningScheme: segment}]\n",
                ),
                none(),
            ],
        ),
        (
            "products.yaml",
            vec![
                text(
                    "products:\n  - {id: p1, apis: [a, b]}\n  - {id: p2, apis: [a], policy: policies/q.xml}\n",
                ),
                text(
                    "products:\n  - {id: p2, apis: [a]}\n  - {id: p1, apis: [b], subscriptionRequired: false}\n",
                ),
                text(
                    "products:\n  - {id: p1, name: Other, apis: [a, b]}\n  - {id: p2, apis: [c, d]}\n",
                ),
                text("products:\n  - {id: p1}\n"),
                none(),
            ],
        ),
        (
            "keys-1.yaml",
            vec![
                subscriptions(&[
                    subscription("s1", "/products/p1", ["k1", "k2"]),
                    subscription("s2", "/apis/b", ["k3", "{file: secret}"]),
                ]),
                subscriptions(&[subscription("s2", "/apis/d", ["k3", "k1"])]),
                none(),
            ],
        ),
        (
            "keys-2.yaml",
            vec![
                subscriptions(&[subscription("s3", "/apis", ["k4", "k6"])]),
                subscriptions(&[subscription("s1", "/apis/a", ["k4", "k5"])]),
                subscriptions(&[subscription("s4", "/apis/a", ["k4", "k1"])]),
                none(),
            ],
        ),
        (
            "users.yaml",
            vec![
                text("users: [{id: u1, email: one, groups: [g]}]\ngroups: [{id: g}]\n"),
                text("users: [{id: u0}, {id: u1, email: two}]\n"),
                text("users: [{id: u1, groups: [g]}]\ngroups: [{id: h}, {id: g, name: G}]\n"),
                none(),
            ],
        ),
        (
            "gateway.yaml",
            vec![
                none(),
                text(
                    "gateway: {id: one}\npolicy: <policies><backend><forward-request /></backend></policies>\n",
                ),
                text("gateway: {id: two}\npolicy: policies/p.xml\nlimits: {mode: exact}\n"),
                text("gateway: {id: two}\npolicy: policies/p.xml\n"),
            ],
        ),
        (
            "policies/p.xml",
            vec![
                text(
                    "<policies><inbound><set-status code='201' reason='p' /></inbound></policies>",
                ),
                text(
                    "<policies><inbound><set-status code='202' reason='{{word}}' /></inbound></policies>",
                ),
                text("<policies><inbound><nothing /></inbound></policies>"),
                none(),
            ],
        ),
        ("policies/q.xml", vec![INLINE.to_owned(), BACKEND.to_owned(), none()]),
        ("secret", vec![text("k5"), text("k2"), none()]),
    ]
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    if text.is_empty() {
        // It may not be there.
        let _ = fs::remove_file(path);
    } else {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// All files that there may be, with their texts; one that is not there has none.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let names = files().into_iter().flat_map(|(name, _texts)| [name.to_owned(), moved(name)]);
    let text = |name: &String| fs::read_to_string(folder.join(name)).unwrap_or_default();
    names.map(|name| (name.clone(), text(&name))).collect()
}

/// Another name for a file.
fn moved(name: &str) -> String {
    format!("moved-{name}").replace('/', "-")
}

/// Which file, which of its texts; the last number says whether it moves to another name instead.
type Edit = (usize, usize, u8);

fn edited(folder: &Path, (file, text, how): Edit) {
    let files = files();
    let (name, texts) = &files[file % files.len()];
    let other = moved(name);
    if how == 0 && Path::new(name).extension().is_some_and(|it| it == "yaml") {
        // The same text under another name, or back.
        let (from, to) =
            if folder.join(name).exists() { (*name, &*other) } else { (&*other, *name) };
        if folder.join(from).exists() {
            fs::rename(folder.join(from), folder.join(to)).unwrap();
        }
        return;
    }
    write(folder, name, &texts[text % texts.len()]);
}

#[test]
fn what_is_kept_between_loads_is_never_seen() {
    let (good, bad) = (Cell::new(0_u32), Cell::new(0_u32));
    let edit = (0_usize..100, 0_usize..100, 0_u8..12);
    let config = ProptestConfig { cases: 48, ..ProptestConfig::default() };
    proptest!(config, |(edits in prop::collection::vec(edit, 1..25), quiet in select(vec![1_usize, 3]))| {
        let temporary = tempfile::tempdir().unwrap();
        for (name, texts) in files() {
            write(temporary.path(), name, &texts[0]);
        }
        let folder = Folder::at(temporary.path());
        let environment = Environment::default();
        let mut keeper = Loader::default();
        for (number, edit) in edits.iter().enumerate() {
            let before = texts(temporary.path());
            edited(temporary.path(), *edit);
            if number % quiet != 0 {
                continue;
            }
            let loaded = keeper.load(&folder, &environment);
            let made = keeper.make(&loaded, &making());
            let is_good = made.is_ok();
            let count = if is_good { &good } else { &bad };
            count.set(count.get() + 1);
            let again = load(&folder, &environment);
            let anew = compile::make(&again, &making());
            let (kept, anew) = (seen(&loaded, made), seen(&again, anew));
            prop_assert_eq!(&kept, &anew, "after {:?}", &edits[..=number]);
            if !is_good && edit.2 % 4 != 1 {
                // Mended as people mend it, or nothing good would ever come again.
                for (name, text) in &before {
                    write(temporary.path(), name, text);
                }
            }
        }
    });
    // Else it would say nothing about one of the two.
    let (good, bad) = (good.get(), bad.get());
    assert!(100 < good.min(bad), "{good} good, {bad} bad");
}

#[test]
fn what_did_not_change_is_the_very_same() {
    let temporary = tempfile::tempdir().unwrap();
    for (name, texts) in files() {
        write(temporary.path(), name, &texts[0]);
    }
    let folder = Folder::at(temporary.path());
    let mut keeper = Loader::default();
    let mut snapshot = || {
        let loaded = keeper.load(&folder, &Environment::default());
        keeper.make(&loaded, &making()).unwrap()
    };
    let first = snapshot();
    write(temporary.path(), "a.yaml", &files()[0].1[1]);
    let second = snapshot();
    let same: Vec<bool> =
        first.apis.iter().zip(&second.apis).map(|(one, other)| Arc::ptr_eq(one, other)).collect();
    assert_eq!(same, [false, true, true, true, true]);
    assert!(Arc::ptr_eq(&first.keys, &second.keys));
    assert!(Arc::ptr_eq(&first.subscribers, &second.subscribers));
    write(temporary.path(), "keys-2.yaml", "");
    let third = snapshot();
    let same = second.apis.iter().zip(&third.apis).all(|(one, other)| Arc::ptr_eq(one, other));
    assert!(same && !Arc::ptr_eq(&second.keys, &third.keys));
    let facts = [&second, &third].map(|it| Arc::clone(&it.subscribers[0].facts));
    assert!(Arc::ptr_eq(&facts[0], &facts[1]));
}

#[test]
fn a_bundle_that_travelled_is_known_again_by_its_texts() {
    let temporary = tempfile::tempdir().unwrap();
    for (name, texts) in files() {
        write(temporary.path(), name, &texts[0]);
    }
    let mut keeper = Loader::default();
    let loaded = keeper.load(&Folder::at(temporary.path()), &Environment::default());
    let first = keeper.make(&loaded, &making()).unwrap();
    let (reading, variables) = loaded.reading.as_ref().unwrap();
    let copied = Reading {
        documents: reading
            .documents
            .iter()
            .map(|(n, t)| (Arc::clone(n), Arc::from(&**t)))
            .collect(),
        policies: reading
            .policies
            .iter()
            .map(|(n, t)| (n.clone(), t.as_deref().map(Arc::from).map_err(|it| *it)))
            .collect(),
        ..Reading::clone(reading)
    };
    let bundle = Bundle::of_reading(&copied, &Environment::default(), variables).unwrap();
    let loaded = keeper.load_bundle(&bundle);
    let second = keeper.make(&loaded, &making()).unwrap();
    let same = first.apis.iter().zip(&second.apis).all(|(one, other)| Arc::ptr_eq(one, other));
    assert!(same && Arc::ptr_eq(&first.keys, &second.keys));
}

#[test]
fn a_folder_is_not_forgotten_for_a_bundle_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, versions) in files() {
        write(folder.path(), name, &versions[0]);
    }
    let mut keeper = Loader::default();
    let loaded = keeper.load(&Folder::at(folder.path()), &Environment::default());
    let (reading, variables) = loaded.reading.as_ref().unwrap();
    let bundle = Bundle::of_reading(reading, &Environment::default(), variables).unwrap();
    assert!(keeper.load_bundle(&bundle).config.is_ok());
    // Without it all files would be read again to find the one that has changed.
    assert_eq!(Some(&keeper.read.as_ref().unwrap().fingerprint), loaded.fingerprint.as_ref());
}
