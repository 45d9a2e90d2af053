//! Configurations that must not be taken, each in its own way: what runs is unharmed, the refusal
//! names the place, and the last good copy is there for whoever starts meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Policies, Site, soon};
use crate::last_good::{Shelf, keeps, saying};

/// How much memory a refusal may take at the most, in bytes: of a file no more than may be read is.
const MORE_MEMORY_MAX: u64 = 64 << 20;

/// One way to spoil a folder.
struct Poison {
    name: &'static str,
    /// The file that is written, and what into it.
    file: &'static str,
    text: fn() -> Vec<u8>,
    /// What the refusal begins with, which is the place, and what else it says.
    says: [&'static str; 2],
}

const fn poison(
    name: &'static str,
    file: &'static str,
    text: fn() -> Vec<u8>,
    says: [&'static str; 2],
) -> Poison {
    Poison { name, file, text, says }
}

const POISONS: [Poison; 26] = [
    poison(
        "an API twice",
        "more.yaml",
        || api("echo", "echo"),
        ["more.yaml:2:9: ", "api.yaml:2:9"],
    ),
    poison(
        "a path twice",
        "more.yaml",
        || api("more", "echo"),
        ["more.yaml:2:9: ", "api.yaml:2:9"],
    ),
    poison("nowhere to go", "more.yaml", || backend("id: none"), ["more.yaml:2:", "add `url: "]),
    poison(
        "an empty pool",
        "more.yaml",
        || backend("id: pool, type: Pool, pool: {services: []}"),
        ["more.yaml:2:", "add one to `services`"],
    ),
    poison(
        "a pattern that is none",
        "policy.xml",
        || inbound("<set-body>@(Regex.Replace(\"x\", \"(\", \"\"))</set-body>"),
        ["policy.xml:1:", "("],
    ),
    poison("an unknown policy", "policy.xml", || inbound("<set-bodi />"), [ROOT, "`set-body`"]),
    poison(
        "an unknown attribute",
        "policy.xml",
        || inbound("<rate-limit calls='1' renewal-period='1' colour='red' />"),
        ["policy.xml:1:69: ", "`colour`"],
    ),
    poison(
        "a word that is not one of those",
        "policy.xml",
        || inbound("<set-header name='X' exists-action='perhaps'><value>1</value></set-header>"),
        ["policy.xml:1:64: ", "use override, skip, append or delete"],
    ),
    poison(
        "a number out of range",
        "policy.xml",
        || inbound("<rate-limit calls='-1' renewal-period='1' />"),
        ["policy.xml:1:47: ", "`calls`"],
    ),
    poison(
        "a reference to nobody",
        "more.yaml",
        || b"products:\n  - {id: p, apis: [nobody]}\n".into(),
        ["more.yaml:2:20: ", "`nobody`"],
    ),
    poison(
        "a fragment that is not there",
        "policy.xml",
        || inbound("<include-fragment fragment-id='gone' />"),
        ["policy.xml:1:59: ", "no fragment `gone`"],
    ),
    poison(
        "a policy file that is not there",
        "more.yaml",
        || open_api("more", URL, "gone.xml").into(),
        ["more.yaml:6:13: ", "`gone.xml`: there is no such file"],
    ),
    poison(
        "a named value that is not there",
        "policy.xml",
        || inbound("<set-body>{{gone}}</set-body>"),
        ["policy.xml:1:38: ", "no named value `gone`"],
    ),
    poison(
        "a secret that is not there",
        "more.yaml",
        || b"namedValues:\n  - {name: s, value: {env: GONE}}\n".into(),
        ["more.yaml:2:28: ", "no `GONE`"],
    ),
    poison(
        "bytes that are no text",
        "more.yaml",
        || vec![0xff, 0xfe, 0, 1, 2],
        ["more.yaml:1:1: ", "not UTF-8"],
    ),
    poison(
        "two mebibytes of zeros",
        "more.yaml",
        || vec![0; 2 << 20],
        ["more.yaml:1:1: ", "not YAML"],
    ),
    poison(
        "a file beyond all bounds",
        "more.yaml",
        || vec![b'#'; 40 << 20],
        ["more.yaml:1:1: ", "more than 16777216 bytes"],
    ),
    poison(
        "too deep",
        "more.yaml",
        || format!("apis: {}", "[".repeat(5_000)).into(),
        ["more.yaml:1:", "recursion limit"],
    ),
    poison("aliases of aliases", "more.yaml", aliases, ["more.yaml:2:5: ", "a map of keys"]),
    poison(
        "an entity",
        "policy.xml",
        || b"<!DOCTYPE p [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><policies>&e;</policies>".into(),
        ["policy.xml:1:1: ", "declaration"],
    ),
    poison(
        "an element that does not end",
        "policy.xml",
        || b"<policies><inbound><base />".into(),
        ["policy.xml:1:1: ", "add `</policies>`"],
    ),
    poison(
        "a break in a URL",
        "more.yaml",
        || backend("id: b, url: \"http://a\\r\\nX: 1/\""),
        ["more.yaml:2:18: ", "write it as https://host:port/path"],
    ),
    poison(
        "another kind of URL",
        "more.yaml",
        || backend("id: b, url: 'unix:/var/run/docker.sock'"),
        ["more.yaml:2:18: ", "must begin with `http://` or `https://`"],
    ),
    poison(
        "an expression that does not end",
        "policy.xml",
        || inbound("<set-body>@(1 + </set-body>"),
        ["policy.xml:1:38: ", "does not end"],
    ),
    poison(
        "an unknown key",
        "more.yaml",
        || [api("more", "more"), b"    colour: red\n".into()].concat(),
        ["more.yaml:14:5: ", "no key `colour`"],
    ),
    poison(
        "an expression of another type",
        "policy.xml",
        || inbound("<choose><when condition='@(1 + 1)'><base /></when></choose>"),
        [ROOT, "bool"],
    ),
];

/// Where policies of ours begin.
const ROOT: &str = "policy.xml:1:";
/// Where nobody is asked.
const URL: &str = "http://127.0.0.1:1";

/// A policy document with this in its inbound section.
fn inbound(text: &str) -> Vec<u8> {
    Policies { inbound: text, ..Policies::default() }.text().into_bytes()
}

/// An API at a path.
fn api(id: &str, path: &str) -> Vec<u8> {
    let text = open_api(id, URL, "policy.xml");
    text.replace(&format!("path: {id}"), &format!("path: {path}")).into()
}

fn backend(text: &str) -> Vec<u8> {
    format!("backends:\n  - {{{text}}}\n").into()
}

/// A few lines that are a thousand million values.
fn aliases() -> Vec<u8> {
    let mut text = String::from("groups:\n  - &a0 [x, x, x, x, x, x, x, x]\n");
    for number in 1..10 {
        let one = format!("*a{}", number - 1);
        let all = vec![one; 8].join(", ");
        writeln!(text, "  - &a{number} [{all}]").expect("it takes everything");
    }
    text.into()
}

/// Everything as it was.
fn heal(folder: &Path) {
    for (name, text) in
        [("policy.xml", saying("good")), ("api.yaml", open_api("echo", URL, "policy.xml"))]
    {
        write(folder, name, text);
    }
    // It may not be there.
    let _ = fs::remove_file(folder.join("more.yaml"));
}

#[test]
fn no_poison_harms_what_runs_or_what_was_kept() {
    let shelf = Shelf::new();
    let mut site = Site::new();
    heal(site.path());
    shelf.set(&mut site, 1);
    let mut gateway = Gateway::over(site);
    let is_good = |gateway: &Gateway| {
        let answer = gateway.get("/echo/a");
        assert_eq!((answer.status, answer.text()), (200, "good"));
    };
    is_good(&gateway);
    keeps(&gateway, 1);
    let copies = shelf.files();
    for Poison { name, file, text, says } in POISONS {
        let before = gateway.memory();
        write(gateway.folder(), file, text());
        let refused = || {
            let status = gateway.status();
            let faults = status["configuration"]["faults"].as_array().cloned().unwrap_or_default();
            (!faults.is_empty()).then(|| faults[0].as_str().unwrap_or_default().to_owned())
        };
        let told = soon(refused).unwrap_or_else(|| panic!("{name} is taken: {}", gateway.status()));
        let [place, what] = says;
        assert!(told.starts_with(place) && told.contains(what), "{name}: {told}");
        let more = gateway.memory().saturating_sub(before);
        assert!(more < MORE_MEMORY_MAX, "{name}: {more} bytes more");
        is_good(&gateway);
        assert_eq!(gateway.generation(), 1, "{name}");
        assert_eq!(shelf.files(), copies, "{name}");
        // Who starts now starts from the copy.
        let left = gateway.leave();
        gateway = Gateway::over(left);
        is_good(&gateway);
        heal(gateway.folder());
        let mended = || {
            gateway.status()["configuration"]["faults"]
                .as_array()
                .is_none_or(Vec::is_empty)
                .then_some(())
        };
        assert!(soon(mended).is_some(), "{name}: {}", gateway.status());
        is_good(&gateway);
    }
}
