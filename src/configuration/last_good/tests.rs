//! The ring: what is kept, what is refused, and that a bad slot harms no other.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::configuration::bundle::{Entry, Kind as EntryKind};

const SECRET: &[u8] = b"a secret of thirty-two bytes ...";
const OTHER_SECRET: &[u8] = b"another secret, which is a little longer\n";

fn key(secret: &[u8]) -> Key {
    Key::of(secret).unwrap()
}

fn ring_in(folder: &TempDir) -> LastGood {
    LastGood::new(folder.path().join("copies"), "folder a", key(SECRET))
}

fn bundle(text: &str) -> Bundle {
    let entry = Entry::new(EntryKind::Document, Arc::from("weir.yaml"), Arc::from(text));
    Bundle::of([Arc::new(entry)]).unwrap()
}

const fn generation(number: u64) -> Generation {
    Generation { history: 0, number }
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(number)
}

/// Keeps a copy of `number`, whose content is its own.
fn keep(ring: &LastGood, number: u64) -> Kept {
    ring.keep(generation(number), &bundle(&number.to_string()), at(number), 7).unwrap()
}

fn numbers(ring: &LastGood) -> Vec<u64> {
    ring.ring().copies.iter().map(|copy| copy.generation.number).collect()
}

/// The newest copy that opens, as a gateway that starts takes it.
fn newest(ring: &LastGood) -> Option<u64> {
    let copies = ring.ring().copies;
    let opened = copies.iter().find(|copy| {
        ring.open(copy).is_ok_and(|it| it == bundle(&copy.generation.number.to_string()))
    });
    opened.map(|copy| copy.generation.number)
}

#[test]
fn the_three_newest_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring_in(&folder);
    assert!(numbers(&ring).is_empty() && ring.ring().refused.is_empty());
    for number in 1..=4 {
        assert_eq!(keep(&ring, number), Kept::Written);
    }
    assert_eq!(numbers(&ring), [4, 3, 2]);
    assert_eq!(keep(&ring, 1), Kept::Older);
    assert_eq!(keep(&ring, 3), Kept::Already);
    assert_eq!(newest(&ring), Some(4));
    let copy = &ring.ring().copies[0];
    assert_eq!((copy.kept, copy.failures), (at(4), 7));
    // Nothing is left of the writing.
    assert_eq!(fs::read_dir(ring.folder()).unwrap().count(), SLOTS);
}

#[test]
fn one_content_takes_one_slot() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring_in(&folder);
    let (one, two) = (bundle("one"), bundle("two"));
    for (number, bundle) in [(1, &one), (2, &two), (3, &one), (4, &two), (5, &one)] {
        assert_eq!(ring.keep(generation(number), bundle, at(number), 0).unwrap(), Kept::Written);
    }
    assert_eq!(numbers(&ring), [5, 4]);
    let late = Generation { history: 1, number: 1 };
    ring.keep(late, &bundle("of another history"), at(1), 0).unwrap();
    assert_eq!(ring.ring().copies[0].generation, late);
}

#[test]
fn a_text_does_not_stand_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring_in(&folder);
    // Compressed it would not be found either, so the file must not even inflate.
    let kept = bundle("a-very-secret-text");
    ring.keep(generation(1), &kept, at(1), 0).unwrap();
    let bytes = fs::read(ring.path(0)).unwrap();
    let packed = kept.pack().unwrap();
    let beginning = &packed[..20];
    assert!(!bytes.windows(beginning.len()).any(|part| part == beginning));
}

/// A ring with the copies 1, 2 and 3, each in the slot before its number, and the mark 3.
fn full(folder: &TempDir) -> LastGood {
    let ring = ring_in(folder);
    for number in 1..=3 {
        keep(&ring, number);
    }
    let digest = *bundle("3").digest();
    ring.mark(Served { generation: generation(3), digest }, at(3)).unwrap();
    ring
}

#[test]
fn no_flipped_bit_goes_unnoticed_or_harms_another_slot() {
    let folder = tempfile::tempdir().unwrap();
    let ring = full(&folder);
    let (third, mark) = (ring.path(2), ring.mark_path());
    for path in [third, mark] {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            if path == ring.mark_path() {
                assert!(ring.served().is_err(), "byte {at}");
                assert_eq!(newest(&ring), Some(3));
            } else {
                assert_eq!(newest(&ring), Some(2), "byte {at}");
                assert_eq!(ring.ring().refused.len(), 1, "byte {at}");
                assert_eq!(ring.served().unwrap().unwrap().generation, generation(3));
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(numbers(&ring), [3, 2, 1]);
}

#[test]
fn no_flipped_bit_goes_unnoticed_where_somebody_mended_the_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let ring = full(&folder);
    let path = ring.path(2);
    let whole = fs::read(&path).unwrap();
    let body = whole.len() - 32;
    for at in 0..body {
        let mut bytes = whole[..body].to_vec();
        bytes[at] ^= 1 << (at % 8);
        let checksum = openssl::sha::sha256(&bytes);
        bytes.extend(checksum);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(newest(&ring), Some(2), "byte {at}");
    }
}

#[test]
fn a_slot_that_was_cut_off_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ring = full(&folder);
    let path = ring.path(2);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(newest(&ring), Some(2), "{length} bytes");
    }
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(ring.ring().refused, [(path, Unusable::Damaged)]);
}

type Harm = (&'static str, fn(&LastGood), Unusable);

#[test]
fn each_harm_has_its_name_and_its_bounds() {
    let harms: [Harm; 6] = [
        (
            "another gateway's copy under our name",
            foreign,
            Unusable::Foreign(Arc::from("folder b")),
        ),
        ("another key", of_another_key, Unusable::OtherKey),
        (
            "something else",
            |ring| fs::write(ring.path(2), "apis: []\n").unwrap(),
            Unusable::NotOurs,
        ),
        (
            "a mark in the place of a copy",
            |ring| fs::rename(ring.mark_path(), ring.path(2)).unwrap(),
            Unusable::NotOurs,
        ),
        ("a later version", later, Unusable::Later),
        (
            "a folder",
            |ring| {
                fs::remove_file(ring.path(2)).unwrap();
                fs::create_dir(ring.path(2)).unwrap();
            },
            Unusable::Unreadable(io::ErrorKind::InvalidInput),
        ),
    ];
    for (what, harm, why) in harms {
        let folder = tempfile::tempdir().unwrap();
        let ring = full(&folder);
        harm(&ring);
        let refused = ring.ring().refused;
        assert_eq!(refused, [(ring.path(2), why)], "{what}");
        assert_eq!(newest(&ring), Some(2), "{what}");
    }
}

fn foreign(ring: &LastGood) {
    let other = LastGood::new(ring.folder(), "folder b", key(SECRET));
    keep(&other, 9);
    fs::rename(other.path(0), ring.path(2)).unwrap();
}

fn of_another_key(ring: &LastGood) {
    let other = LastGood::new(ring.folder(), "folder a", key(OTHER_SECRET));
    fs::remove_file(ring.path(2)).unwrap();
    assert_eq!(other.ring().refused.len(), 2);
    let header = Header {
        kind: Kind::Copy,
        owner: Arc::from("folder a"),
        generation: generation(9),
        digest: *bundle("9").digest(),
        kept: at(9),
        failures: 0,
    };
    other.write(&ring.path(2), &header, &bundle("9").pack().unwrap()).unwrap();
}

fn later(ring: &LastGood) {
    let mut bytes = fs::read(ring.path(2)).unwrap();
    bytes.truncate(bytes.len() - 32);
    bytes[15] = 2;
    let checksum = openssl::sha::sha256(&bytes);
    bytes.extend(checksum);
    fs::write(ring.path(2), bytes).unwrap();
}

#[test]
fn swapped_slots_are_still_whole_and_an_old_one_in_the_place_of_the_newest_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let ring = full(&folder);
    let aside = ring.folder().join("aside");
    for (from, to) in
        [(ring.path(0), aside.clone()), (ring.path(2), ring.path(0)), (aside, ring.path(2))]
    {
        fs::rename(from, to).unwrap();
    }
    assert_eq!(numbers(&ring), [3, 2, 1]);
    assert_eq!(newest(&ring), Some(3));
    // The first over the third: that one is lost, and the first is no newer for it.
    fs::copy(ring.path(2), ring.path(0)).unwrap();
    assert_eq!(newest(&ring), Some(2));
    // That the third was served is known all the same.
    assert_eq!(ring.served().unwrap().unwrap().generation, generation(3));
}

#[test]
fn a_slot_that_cannot_be_used_is_the_first_to_be_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let ring = full(&folder);
    fs::write(ring.path(1), "damage").unwrap();
    assert_eq!(keep(&ring, 4), Kept::Written);
    assert_eq!(numbers(&ring), [4, 3, 1]);
}

#[test]
fn gateways_may_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let ours = full(&folder);
    let other = LastGood::new(ours.folder(), "folder b", key(SECRET));
    assert!(other.ring().copies.is_empty() && other.served().unwrap().is_none());
    keep(&other, 9);
    assert_eq!((numbers(&ours), numbers(&other)), (vec![3, 2, 1], vec![9]));
}

#[test]
fn a_new_key_seals_all_anew_and_the_former_one_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut ring = full(&folder);
    let mut second = full(&folder);
    assert_eq!(ring.rekey(key(OTHER_SECRET)).unwrap(), SLOTS + 1);
    assert_eq!(ring.rekey(key(OTHER_SECRET)).unwrap(), 0);
    let fresh = LastGood::new(ring.folder(), "folder a", key(OTHER_SECRET));
    assert_eq!(newest(&fresh), Some(3));
    assert_eq!(fresh.served().unwrap().unwrap().generation, generation(3));
    let old = ring_in(&folder);
    assert!(old.ring().copies.is_empty());
    assert_eq!(old.ring().refused[0].1, Unusable::OtherKey);
    // Another process that has heard of the new key, and meets copies of the former one.
    fs::remove_dir_all(ring.folder()).unwrap();
    keep(&old, 5);
    second.rekey(key(OTHER_SECRET)).unwrap();
    let stale = ring_in(&folder);
    keep(&stale, 6);
    assert_eq!(newest(&second), Some(6));
}

#[test]
fn a_key_must_be_long_enough_to_keep_a_secret() {
    assert!(Key::of(SECRET).is_ok() && Key::of(OTHER_SECRET).is_ok());
    for short in [&b""[..], b"thirty-one characters in a text\n\n", &[b' '; 40]] {
        assert!(matches!(Key::of(short), Err(KeyError::Short)), "{short:?}");
    }
    // A line end at the end of a text is none of it.
    assert!(
        key(b"a secret text of more than thirty-two letters\n")
            == key(b"a secret text of more than thirty-two letters")
    );
    assert_eq!(format!("{:?}", key(SECRET)), "[secret]");
}

#[test]
fn a_key_that_is_replaced_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let mut file = KeyFile::at(path.clone());
    assert!(matches!(file.read(), Err(KeyError::Unreadable { .. })));
    assert!(!file.has_changed());
    fs::write(&path, SECRET).unwrap();
    assert!(file.has_changed());
    assert!(file.read().unwrap() == key(SECRET));
    assert!(!file.has_changed());
}
