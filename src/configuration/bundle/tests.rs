//! Bundles: packed and unpacked, changed, and hostile bytes.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn entry(kind: Kind, name: &str, text: &str) -> Arc<Entry> {
    Arc::new(Entry::new(kind, Arc::from(name), Arc::from(text)))
}

fn bundle(entries: &[(Kind, &str, &str)]) -> Bundle {
    Bundle::of(entries.iter().map(|(kind, name, text)| entry(*kind, name, text))).unwrap()
}

/// Any bundle of few names, so that two of them have much in common.
fn any_bundle() -> impl Strategy<Value = Bundle> {
    let key = (1_u8..=4, "[a-e]");
    btree_map(key, "[a-c]{0,3}", 0..12).prop_map(|entries| {
        let entries = entries
            .into_iter()
            .map(|((kind, name), text)| entry(Kind::numbered(kind).unwrap(), &name, &text));
        Bundle::of(entries).unwrap()
    })
}

#[test]
fn a_bundle_is_what_a_folder_and_the_environment_say() {
    let mut reading = Reading::of(vec![(Arc::from("b.yaml"), Arc::from("b: 1"))]);
    reading.policies.insert("p.xml".to_owned(), Ok(Arc::from("<policies />")));
    reading.secrets.insert("/key".to_owned(), Ok(Secret::new("k")));
    let environment: Environment = [("KEY", "v"), ("OTHER", "o")].into_iter().collect();
    let bundle =
        Bundle::of_reading(&reading, &environment, &[Arc::from("KEY"), Arc::from("MISSING")])
            .unwrap();
    let (again, variables) = bundle.as_read();
    assert_eq!(again.documents, reading.documents);
    assert_eq!(again.policies, reading.policies);
    assert_eq!(again.secrets, reading.secrets);
    assert_eq!(variables.names().collect::<Vec<_>>(), ["KEY"]);
    assert_eq!(variables.get("KEY").unwrap().expose(), "v");
}

#[test]
fn names_and_texts_do_not_run_together() {
    let one = bundle(&[(Kind::Policy, "ab", "c")]);
    let other = bundle(&[(Kind::Policy, "a", "bc")]);
    assert_ne!(one.digest(), other.digest());
    let secret = bundle(&[(Kind::Secret, "ab", "c")]);
    assert_ne!(one.digest(), secret.digest());
}

#[test]
fn a_digest_reads_what_it_wrote() {
    let digest = *bundle(&[(Kind::Policy, "a", "b")]).digest();
    assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
    assert_eq!(Digest::from_bytes(digest.bytes()), Some(digest));
    for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+0".repeat(32)[1..]] {
        assert_eq!(Digest::from_hex(wrong), None, "{wrong}");
    }
}

#[test]
fn no_text_of_a_bundle_prints() {
    let bundle = bundle(&[(Kind::Secret, "name", "hunter2")]);
    let printed = format!("{bundle:?}{:?}", bundle.entries());
    assert!(printed.contains("name") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn one_name_twice_is_refused() {
    let twice = [entry(Kind::Policy, "a", "1"), entry(Kind::Policy, "a", "2")];
    assert_eq!(Bundle::of(twice), Err(Unsound::Order));
    let long = entry(Kind::Policy, &"n".repeat(NAME_BYTES_MAX + 1), "");
    assert_eq!(Bundle::of([long]), Err(Unsound::LongName));
}

#[test]
fn bytes_that_unfold_beyond_all_bounds_are_refused() {
    // Nothing but zeros, so that a few bytes become very many: an entry that claims 4 GiB.
    use std::io::Write as _;
    let beginning = bundle(&[]).pack().unwrap();
    let beginning = beginning.get(..21).unwrap().to_vec();
    let mut writer = flate2::write::ZlibEncoder::new(beginning, flate2::Compression::best());
    writer.write_all(&[1, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'a']).unwrap();
    let packed = writer.finish().unwrap();
    assert_eq!(Bundle::unpack(&packed), Err(Unsound::TooLarge));
    assert_eq!(Bundle::unpack(b"weir-configuration/2\n"), Err(Unsound::Foreign));
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(bundle in any_bundle()) {
        prop_assert_eq!(Bundle::unpack(&bundle.pack().unwrap()), Ok(bundle));
    }

    #[test]
    fn a_change_makes_one_of_the_other(older in any_bundle(), newer in any_bundle()) {
        let change = newer.since(&older).unwrap();
        prop_assert_eq!(older.changed(&change).unwrap(), newer.clone());
        if older != newer {
            prop_assert_eq!(newer.changed(&change), Err(Mismatch::Base));
            let wrong = Change { to: *older.digest(), ..change };
            prop_assert_eq!(older.changed(&wrong), Err(Mismatch::Digest));
        }
    }

    #[test]
    fn damage_is_noticed(bundle in any_bundle(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut packed = bundle.pack().unwrap();
        let at = at.index(packed.len());
        packed[at] ^= 1_u8 << bit;
        // The checksum of the compression notices nearly all; the digest what is left.
        if let Ok(other) = Bundle::unpack(&packed) {
            prop_assert_eq!(other.digest(), bundle.digest());
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut packed = bundle(&[]).pack().unwrap()[..21].to_vec();
        packed.extend(&bytes);
        let _ = Bundle::unpack(&packed);
        let _ = Bundle::unpack(&bytes);
    }
}
