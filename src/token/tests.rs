//! Tokens: what is one, what is good, and what never is.

use proptest::prelude::*;

use super::key::Which::{Primary, Secondary};
use super::key::{KEY_BYTES_USUAL, Which};
use super::ring::{CLOCKS_APART_MAX, Gateway, REVOKED_MAX, Refusal, Revoked, Ring, Unchanged};
use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const DAY: Duration = Duration::from_hours(24);

pub(super) fn name(text: &str) -> GatewayName {
    GatewayName::parse(text).unwrap()
}

/// A key of its own for each number.
pub(super) fn key(number: u8) -> Key {
    let bytes: Vec<u8> = (0..KEY_BYTES_USUAL)
        .map(|at| u8::try_from(at).unwrap().wrapping_mul(3).wrapping_add(number))
        .collect();
    Key::of(&bytes).unwrap()
}

/// A ring with the gateways `a` and `b`.
fn ring() -> Ring {
    let mut ring = Ring::default();
    ring.add(name("a"), Gateway::with(key(1), key(2)).unwrap()).unwrap();
    ring.add(name("b"), Gateway::with(key(3), key(4)).unwrap()).unwrap();
    ring
}

fn token(ring: &Ring, gateway: &str, which: Which, lifetime: Duration) -> String {
    let token = ring.create(&name(gateway), which, NOW, lifetime).unwrap();
    token.text().expose().to_owned()
}

#[test]
fn a_token_says_whose_it_is_until_it_ends() {
    let ring = ring();
    for which in Which::BOTH {
        let text = token(&ring, "a", which, 30 * DAY);
        assert!(text.starts_with("GatewayKey a&202702140800&"), "{text}");
        let verified = ring.verify(&text, NOW).unwrap();
        assert_eq!((verified.gateway.as_str(), verified.key), ("a", which));
        let end = verified.expiry.at();
        assert_eq!(end, NOW + 30 * DAY);
        let just_before = Timestamp::from_micros(end.micros() - 1);
        assert!(ring.verify(&text, just_before).is_ok());
        assert_eq!(ring.verify(&text, end), Err(Refusal::Expired { since: Duration::ZERO }));
        let later = ring.verify(&text, end + 2 * DAY).unwrap_err();
        assert_eq!(later.to_string(), "this token has expired 2 days ago");
    }
}

#[test]
fn a_token_lasts_from_a_minute_to_thirty_days() {
    let ring = ring();
    let create = |lifetime| ring.create(&name("a"), Primary, NOW, lifetime).map(|_token| ());
    let second = Duration::from_secs(1);
    assert_eq!(create(LIFETIME_MAX), Ok(()));
    assert_eq!(create(LIFETIME_MIN), Ok(()));
    assert_eq!(create(LIFETIME_MAX + second), Err(Unmade::TooLong));
    assert_eq!(create(Duration::MAX), Err(Unmade::TooLong));
    assert_eq!(create(second * 59), Err(Unmade::TooShort));
    assert_eq!(create(Duration::ZERO), Err(Unmade::TooShort));
    let unknown = ring.create(&name("c"), Primary, NOW, DAY);
    assert_eq!(unknown, Err(Unmade::UnknownGateway));
    let far = Token::create(&name("a"), &key(1), Timestamp::from_micros(u64::MAX), DAY);
    assert_eq!(far, Err(Unmade::TooFar));
}

#[test]
fn whoever_has_the_key_can_still_not_make_a_longer_one() {
    let ring = ring();
    let late = NOW + CLOCKS_APART_MAX;
    let text = Token::create(&name("a"), &key(1), late, LIFETIME_MAX).unwrap().text();
    assert!(ring.verify(text.expose(), NOW).is_ok());
    let text = Token::create(&name("a"), &key(1), late + LIFETIME_MIN, LIFETIME_MAX).unwrap();
    assert_eq!(ring.verify(text.text().expose(), NOW), Err(Refusal::TooLong));
}

#[test]
fn a_token_of_one_gateway_is_none_of_another() {
    let ring = ring();
    let text = token(&ring, "a", Primary, DAY);
    let moved = text.replace("GatewayKey a&", "GatewayKey b&");
    assert_eq!(ring.verify(&moved, NOW), Err(Refusal::WrongSignature));
    let moved = text.replace("GatewayKey a&", "GatewayKey c&");
    assert_eq!(ring.verify(&moved, NOW), Err(Refusal::UnknownGateway));
    // Also where both have the same key.
    let mut same = Ring::default();
    same.add(name("a"), Gateway::with(key(1), key(2)).unwrap()).unwrap();
    same.add(name("b"), Gateway::with(key(1), key(2)).unwrap()).unwrap();
    let moved = token(&same, "a", Primary, DAY).replace("GatewayKey a&", "GatewayKey b&");
    assert_eq!(same.verify(&moved, NOW), Err(Refusal::WrongSignature));
}

#[test]
fn a_key_that_is_replaced_takes_its_tokens_with_it_and_no_others() {
    let mut ring = ring();
    let (primary, secondary) = (token(&ring, "a", Primary, DAY), token(&ring, "a", Secondary, DAY));
    ring.rotate(&name("a"), Primary, key(9), NOW).unwrap();
    assert_eq!(ring.verify(&primary, NOW), Err(Refusal::WrongSignature));
    assert!(ring.verify(&secondary, NOW).is_ok());
    assert!(ring.verify(&token(&ring, "a", Primary, DAY), NOW).is_ok());
    for old in [key(2), key(9)] {
        assert_eq!(ring.rotate(&name("a"), Primary, old, NOW), Err(Unchanged::SameKeys));
    }
    let unknown = ring.rotate(&name("c"), Primary, key(7), NOW);
    assert_eq!(unknown, Err(Unchanged::UnknownGateway));
}

#[test]
fn a_revoked_token_is_refused_and_one_made_anew_is_another() {
    let mut ring = ring();
    let text = token(&ring, "a", Primary, DAY);
    let (revoked, is_new) = ring.revoke(&text, NOW).unwrap();
    assert!(is_new && ring.verify(&text, NOW) == Err(Refusal::Revoked));
    assert_eq!(ring.revoke(&text, NOW), Ok((revoked.clone(), false)));
    let again = ring.create(&name("a"), Primary, NOW, DAY).unwrap();
    assert_ne!(again.id(), revoked.id());
    assert_eq!(Some(again.expiry()), revoked.expiry().before());
    assert!(ring.verify(again.text().expose(), NOW).is_ok());
    // The same minute, by the other key.
    assert!(ring.verify(&token(&ring, "a", Secondary, DAY), NOW).is_ok());
}

#[test]
fn only_what_is_good_or_may_become_so_can_be_revoked() {
    let mut ring = ring();
    let text = token(&ring, "a", Primary, DAY);
    let expired = ring.revoke(&text, NOW + DAY);
    assert!(matches!(expired, Err(Unchanged::NotGood(Refusal::Expired { .. }))), "{expired:?}");
    let forged = Token::create(&name("a"), &key(9), NOW, DAY).unwrap().text();
    let refused = ring.revoke(forged.expose(), NOW);
    assert_eq!(refused, Err(Unchanged::NotGood(Refusal::WrongSignature)));
    let refused = ring.revoke("x", NOW);
    assert_eq!(refused, Err(Unchanged::NotGood(Refusal::Malformed(Malformed::Scheme))));
    let long = Token::create(&name("a"), &key(2), NOW + 9 * DAY, LIFETIME_MAX).unwrap().text();
    assert_eq!(ring.verify(long.expose(), NOW), Err(Refusal::TooLong));
    assert!(ring.revoke(long.expose(), NOW).unwrap().1);
    assert_eq!(ring.verify(long.expose(), NOW + 10 * DAY), Err(Refusal::Revoked));
}

#[test]
fn the_list_of_revoked_tokens_stays_bounded() {
    let mut ring = ring();
    let minute = Duration::from_mins(1);
    let texts: Vec<String> = (0..=REVOKED_MAX)
        .map(|count| token(&ring, "a", Primary, DAY + minute * u32::try_from(count).unwrap()))
        .collect();
    for text in &texts[..REVOKED_MAX] {
        ring.revoke(text, NOW).unwrap();
    }
    let last = texts.last().unwrap();
    assert_eq!(ring.revoke(last, NOW), Err(Unchanged::TooManyRevoked));
    // What was revoked already, is.
    assert!(!ring.revoke(&texts[0], NOW).unwrap().1);
    let count = |ring: &Ring| ring.gateway(&name("a")).unwrap().revoked().count();
    // Once the first ones have ended by every clock, they are forgotten.
    let later = NOW + DAY + CLOCKS_APART_MAX + minute * 4;
    let fresh = ring.create(&name("a"), Primary, later, DAY).unwrap();
    assert!(ring.revoke(fresh.text().expose(), later).is_ok());
    assert_eq!(count(&ring), REVOKED_MAX - 5 + 1);
    ring.rotate(&name("a"), Secondary, key(8), later).unwrap();
    assert_eq!(count(&ring), REVOKED_MAX - 5 + 1);
    ring.rotate(&name("a"), Primary, key(9), later).unwrap();
    assert_eq!(count(&ring), 0);
}

#[test]
fn a_token_that_could_only_be_a_revoked_one_is_not_made() {
    let mut gateway = Gateway::with(key(1), key(2)).unwrap();
    let token = Token::create(&name("a"), &key(1), NOW, LIFETIME_MIN).unwrap();
    gateway.revoke(token.id(), Revoked { key: Primary, expiry: token.expiry() }).unwrap();
    let mut ring = Ring::default();
    ring.add(name("a"), gateway).unwrap();
    let made = ring.create(&name("a"), Primary, NOW, LIFETIME_MIN);
    assert_eq!(made, Err(Unmade::AllRevoked));
}

#[test]
fn two_keys_of_a_gateway_are_two() {
    assert_eq!(Gateway::with(key(1), key(1)).unwrap_err(), Unchanged::SameKeys);
    let twice = ring().add(name("a"), Gateway::with(key(5), key(6)).unwrap());
    assert_eq!(twice, Err(Unchanged::KnownGateway));
}

#[test]
fn what_is_no_token_is_refused_by_its_reason() {
    let right = token(&ring(), "a", Primary, DAY);
    let signature = right.rsplit('&').next().unwrap().to_owned();
    let with = |parts: &str| format!("GatewayKey {parts}");
    for (text, why) in [
        (String::new(), Malformed::Scheme),
        (right.replace("GatewayKey ", "gatewaykey "), Malformed::Scheme),
        (right.replace("GatewayKey ", "Bearer "), Malformed::Scheme),
        (format!(" {right}"), Malformed::Scheme),
        (right.replace("GatewayKey ", ""), Malformed::Scheme),
        (right.replace("GatewayKey a", "GatewayKey  a"), Malformed::Gateway),
        (with(""), Malformed::Parts),
        (with("a&202702140800"), Malformed::Parts),
        (with(&format!("a&b&202702140800&{signature}")), Malformed::Parts),
        (with(&format!("a%26b&202702140800&{signature}")), Malformed::Gateway),
        (with(&format!("&202702140800&{signature}")), Malformed::Gateway),
        (with(&format!("a&202702302500&{signature}")), Malformed::Expiry),
        (with(&format!("a&2027-02-14&{signature}")), Malformed::Expiry),
        (with("a&202702140800&"), Malformed::Signature),
        (with("a&202702140800&AAAA"), Malformed::Signature),
        (format!("{right}\n"), Malformed::Signature),
        (right.trim_end_matches('=').to_owned(), Malformed::Signature),
        (format!("{right}{}", "=".repeat(TOKEN_BYTES_MAX)), Malformed::TooLarge),
    ] {
        assert_eq!(Token::parse(&text), Err(why), "{text:?}");
    }
}

#[test]
fn a_token_does_not_print() {
    let parsed = Token::parse(&token(&ring(), "a", Primary, DAY)).unwrap();
    assert_eq!(format!("{parsed:?}"), "GatewayKey a&202701160800&[secret]");
    assert_eq!(parsed.text().to_string(), "[secret]");
    let id = parsed.id().to_string();
    assert_eq!(TokenId::parse(&id), Some(parsed.id()));
    for wrong in [
        "",
        "0",
        &id.to_uppercase().replace('0', "A"),
        &format!("{id}0"),
        &format!("+{}", &id[1..]),
    ] {
        assert_eq!(TokenId::parse(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_none_is_good(
        text in "(GatewayKey )?([a-c&%. ]{0,6}|\\PC{0,4})(&[0-9]{0,13}){0,2}(&[A-Za-z0-9+/=]{0,90}){0,2}"
    ) {
        prop_assert!(ring().verify(&text, NOW).is_err());
    }

    #[test]
    fn no_other_spelling_of_a_token_is_good(at in 0_usize..120, to: u8, drop: bool) {
        let ring = ring();
        let right = token(&ring, "a", Primary, DAY);
        let mut bytes = right.clone().into_bytes();
        let at = at % bytes.len();
        if drop {
            bytes.remove(at);
        } else {
            bytes[at] = to;
        }
        let text = String::from_utf8_lossy(&bytes);
        if text != right {
            prop_assert!(ring.verify(&text, NOW).is_err(), "{}", text);
        }
    }

    #[test]
    fn what_is_written_is_read(gateway in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,79}", minutes in 1_u32..43_200, number: u8) {
        let lifetime = Duration::from_mins(1) * minutes;
        let token = Token::create(&name(&gateway), &key(number), NOW, lifetime).unwrap();
        let text = token.text();
        prop_assert!(text.expose().len() <= TOKEN_BYTES_MAX);
        prop_assert_eq!(Token::parse(text.expose()), Ok(token));
    }
}
