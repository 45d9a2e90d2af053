//! The file of keys: what it says, and what happens to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;
use crate::token::ring::{REVOKED_MAX, Refusal, Unchanged};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const DAY: Duration = Duration::from_hours(24);

fn name(text: &str) -> GatewayName {
    GatewayName::parse(text).unwrap()
}

fn key(number: u8) -> Key {
    let bytes: Vec<u8> = (0..64_u8).map(|at| at.wrapping_mul(3).wrapping_add(number)).collect();
    Key::of(&bytes).unwrap()
}

fn ring() -> Ring {
    let mut ring = Ring::default();
    ring.add(name("berlin"), Gateway::with(key(1), key(2)).unwrap()).unwrap();
    ring.add(name("1.0"), Gateway::with(key(3), key(4)).unwrap()).unwrap();
    ring
}

fn read_again(ring: &Ring) -> Ring {
    read(&Arc::from("keys.yaml"), written(ring).expose()).unwrap()
}

fn told(text: &str) -> Vec<String> {
    let faults = read(&Arc::from("keys.yaml"), text).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn what_is_written_is_read() {
    let mut ring = ring();
    let good = ring.create(&name("berlin"), Which::Primary, NOW, DAY).unwrap().text();
    let bad = ring.create(&name("berlin"), Which::Secondary, NOW, DAY).unwrap().text();
    ring.revoke(bad.expose(), NOW).unwrap();
    let again = read_again(&ring);
    assert_eq!(written(&again), written(&ring));
    assert!(again.verify(good.expose(), NOW).is_ok());
    assert_eq!(again.verify(bad.expose(), NOW), Err(Refusal::Revoked));
    assert!(again.gateway(&name("1.0")).is_some());
    assert_eq!(read_again(&Ring::default()).gateways().count(), 0);
}

#[test]
fn a_wrong_file_is_refused_with_its_places_and_without_its_secrets() {
    let right = written(&ring()).expose().to_owned();
    let secret = key(1).text();
    let telling = [
        (String::new(), "keys.yaml:1:1: there is nothing in this file"),
        (right.replace("primaryKey", "primarykey"), "did you mean `primaryKey`?"),
        (right.replace("secondaryKey", "#"), "this gateway has no `secondaryKey`"),
        (right.replace("berlin", "ber&lin"), "keys.yaml:7:11: a gateway's name has letters"),
        (right.replace("1.0", "berlin"), "there are keys of this gateway already"),
        (right.replace(key(2).text().expose(), secret.expose()), "are the same"),
        (right.replace(secret.expose(), "c2hvcnQ="), "keys.yaml:8:17: a key has 32 to 128 bytes"),
        (right.replace(secret.expose(), "no base64"), "a key is written in Base64"),
        (right.replace("gateways:", "gateway:"), "did you mean `gateways`?"),
        (format!("{right}    revoked: [{{id: 0, key: third, expiry: soon}}]\n"), "no minute"),
        (format!("{right}{right}"), "keys.yaml"),
        (right.replace("  - name", " - - name"), "keys.yaml"),
    ];
    for (text, part) in telling {
        let told = told(&text).join("\n");
        assert!(told.contains(part), "{part}:\n{told}");
        assert!(!told.contains(secret.expose()), "{told}");
    }
    let three = told(&format!("{right}    revoked: [{{id: 0, key: third, expiry: soon}}]\n"));
    assert_eq!(three.len(), 3, "{three:?}");
}

#[test]
fn the_list_of_revoked_tokens_is_bounded_in_the_file_too() {
    let mut text = written(&ring()).expose().to_owned();
    text.push_str("    revoked:\n");
    for number in 0..=REVOKED_MAX {
        writeln!(text, "      - {{id: \"{number:032x}\", key: primary, expiry: 202701010000}}")
            .unwrap();
    }
    let told = told(&text).join("\n");
    assert!(told.contains(&Unchanged::TooManyRevoked.to_string()), "{told}");
}

#[test]
fn a_file_is_made_for_its_owner_alone_and_changed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.yaml");
    let file = KeysFile::at(&path);
    let nothing = |_: &mut Ring| Ok::<_, Unchanged>(());
    assert!(matches!(file.change(Missing::Refused, nothing), Err(Unusable::Wrong { .. })));
    assert!(!path.exists());
    let add = |ring: &mut Ring| ring.add(name("a"), Gateway::with(key(1), key(2))?);
    file.change(Missing::Made, add).unwrap().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), file.is_open_to_others()), (0o600, false));
    // What is refused changes nothing.
    let before = fs::read(&path).unwrap();
    assert_eq!(file.change(Missing::Made, add).unwrap(), Err(Unchanged::KnownGateway));
    assert_eq!(fs::read(&path).unwrap(), before);
    // Rights that an operator gave stay; a link stays one.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let link = folder.path().join("link");
    symlink("keys.yaml", &link).unwrap();
    let rotate = |ring: &mut Ring| ring.rotate(&name("a"), Which::Primary, key(3), NOW);
    KeysFile::at(&link).change(Missing::Refused, rotate).unwrap().unwrap();
    assert!(link.is_symlink());
    assert_eq!((mode(&path), file.is_open_to_others()), (0o644, true));
    let ring = file.read().unwrap();
    assert!(ring.gateway(&name("a")).unwrap().key(Which::Primary).is(&key(3)));
    // Nothing is left lying about.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    fs::write(&path, "gateways: 1\n").unwrap();
    assert!(matches!(file.change(Missing::Made, nothing), Err(Unusable::Wrong { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"gateways: 1\n");
}

#[test]
fn what_another_process_left_lying_or_planted_is_not_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.yaml");
    let other = folder.path().join("other");
    fs::write(&other, "mine").unwrap();
    symlink(&other, folder.path().join(".keys.yaml.new")).unwrap();
    let add = |ring: &mut Ring| ring.add(name("a"), Gateway::with(key(1), key(2))?);
    KeysFile::at(&path).change(Missing::Made, add).unwrap().unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    assert!(!path.is_symlink());
}

#[test]
fn nobody_loses_a_change_to_somebody_else_nor_reads_half_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = KeysFile::at(folder.path().join("keys.yaml"));
    file.change(Missing::Made, |_ring| Ok::<_, Unchanged>(())).unwrap().unwrap();
    thread::scope(|scope| {
        for number in 0..8_u8 {
            let file = &file;
            scope.spawn(move || {
                let gateway = Gateway::with(key(number), key(number + 100)).unwrap();
                let named = name(&format!("g{number}"));
                let add = |ring: &mut Ring| ring.add(named, gateway);
                file.change(Missing::Refused, add).unwrap().unwrap();
            });
        }
        for _ in 0..100 {
            file.read().unwrap();
        }
    });
    assert_eq!(file.read().unwrap().gateways().count(), 8);
}

#[test]
fn a_process_that_runs_for_long_sees_what_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let file = KeysFile::at(folder.path().join("keys.yaml"));
    let add = |ring: &mut Ring| ring.add(name("a"), Gateway::with(key(1), key(2))?);
    file.change(Missing::Made, add).unwrap().unwrap();
    let mut kept = file.kept();
    assert!(kept.look() && !kept.look());
    let ring = Arc::clone(kept.good().unwrap());
    let text = ring.create(&name("a"), Which::Primary, NOW, DAY).unwrap().text();
    let revoke = |ring: &mut Ring| ring.revoke(text.expose(), NOW);
    file.change(Missing::Refused, revoke).unwrap().unwrap();
    assert!(kept.look());
    assert_eq!(kept.good().unwrap().verify(text.expose(), NOW), Err(Refusal::Revoked));
    fs::write(file.path(), "gateways: 1\n").unwrap();
    assert!(kept.look() && kept.wrong().is_some());
    assert_eq!(kept.good().unwrap().verify(text.expose(), NOW), Err(Refusal::Revoked));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in "((gateways|name|primaryKey|secondaryKey|revoked|id|key|expiry): ?([a-z0-9\"{}\\[\\], ]{0,8})\n?[ -]{0,4}){0,16}"
    ) {
        let _ = read(&Arc::from("keys.yaml"), &text);
    }
}
