//! Key sets, and which gateway a workload is.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use proptest::prelude::*;

use super::forge::{Signer, claims, secret};
use super::{HEADER, NOW, rules};
use crate::jwt::algorithm::{Algorithm, Family, Hash};
use crate::jwt::identity::{Rule, Stranger, Subject, Trust, TrustedIssuer};
use crate::jwt::jwks::{JWKS_BYTES_MAX, KEYS_MAX, KeySet, NoKeySet, read};
use crate::jwt::key::{Curve, Key, Unfit};
use crate::jwt::required::RequiredClaim;
use crate::jwt::{KEY_ID_BYTES_MAX, Refusal, verify};
use crate::time::Timestamp;

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The members of an RSA key, as JSON without the braces.
fn rsa(signer: &Signer) -> String {
    let public = signer.public().rsa().unwrap();
    let (n, e) = (encoded(&public.n().to_vec()), encoded(&public.e().to_vec()));
    format!(r#""kty":"RSA","n":"{n}","e":"{e}""#)
}

/// The members of a key of a curve.
fn ec(signer: &Signer, name: &str, width: i32) -> String {
    let key = signer.public().ec_key().unwrap();
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = BigNumContext::new().unwrap();
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
    let wide = |number: &BigNum| encoded(&number.to_vec_padded(width).unwrap());
    format!(r#""kty":"EC","crv":"{name}","x":"{}","y":"{}""#, wide(&x), wide(&y))
}

fn set(keys: &[String]) -> Result<KeySet, NoKeySet> {
    let keys: Vec<String> = keys.iter().map(|key| format!("{{{key}}}")).collect();
    read(&format!(r#"{{"keys":[{}]}}"#, keys.join(",")))
}

#[test]
fn tokens_are_verified_with_the_keys_of_a_set() {
    let (signer, _) = Signer::rsa(2_048);
    let members = rsa(&signer);
    let curves =
        [(Curve::P256, "P-256", 32), (Curve::P384, "P-384", 48), (Curve::P521, "P-521", 66)];
    let points: Vec<Signer> = curves.iter().map(|(curve, ..)| Signer::ec(*curve).0).collect();
    let mut keys = vec![format!(r#"{members},"kid":"r","use":"sig","alg":"RS512","x5c":["x"]"#)];
    for (signer, (_, name, width)) in points.iter().zip(curves) {
        let operations = r#""key_ops":["verify"]"#;
        keys.push(format!(r#"{},"kid":"{name}",{operations}"#, ec(signer, name, width)));
    }
    let set = set(&keys).unwrap();
    assert_eq!((set.keys.len(), set.unused.len()), (4, 0), "{:?}", set.unused);
    for (signer, id, algorithm, is_good) in [
        (&signer, "r", "RS512", true),
        (&signer, "r", "RS256", false),
        (&signer, "r", "PS512", false),
        (&points[0], "P-256", "ES256", true),
        (&points[1], "P-384", "ES384", true),
        (&points[2], "P-521", "ES512", true),
    ] {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{id}"}}"#);
        let token = signer.token(Algorithm::of(algorithm).unwrap(), &header, &claims());
        let verified = verify(&token, &set.keys, &rules(), NOW);
        assert_eq!(verified.is_ok(), is_good, "{id} {algorithm}");
        if !is_good {
            assert_eq!(verified.unwrap_err(), Refusal::KeyNotFound);
        }
    }
}

#[test]
fn what_cannot_or_must_not_be_used_is_left_out_with_its_reason() {
    let (good, _) = Signer::rsa(2_048);
    let (point, _) = Signer::ec(Curve::P256);
    let weak = openssl::rsa::Rsa::generate(1_024).unwrap();
    let modulus = good.public().rsa().unwrap().n().to_vec();
    let n = encoded(&modulus);
    let (right, curve) = (rsa(&good), ec(&point, "P-256", 32));
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let with =
        |n: &[u8], e: &[u8]| format!(r#""kty":"RSA","n":"{}","e":"{}""#, encoded(n), encoded(e));
    let x = curve.split(r#""x":""#).nth(1).unwrap().split('"').next().unwrap();
    let other = encoded(&[1; 32]);
    for (key, why) in [
        (with(&weak.n().to_vec(), &[1, 0, 1]), Unfit::RsaBits(1_024)),
        (with(&[255; 1_024 + 1], &[1, 0, 1]), Unfit::RsaBits(8_200)),
        (with(&vec![255; 100_000], &[1, 0, 1]), Unfit::RsaNumbers),
        (with(&modulus, &[1]), Unfit::RsaNumbers),
        (with(&modulus, &[2]), Unfit::RsaNumbers),
        (with(&modulus, &[0]), Unfit::RsaNumbers),
        (with(&modulus, &[255; 16]), Unfit::RsaNumbers),
        (with(&even, &[1, 0, 1]), Unfit::RsaNumbers),
        (r#""kty":"RSA","e":"AQAB""#.to_owned(), Unfit::Part("n")),
        (format!(r#""kty":"RSA","n":"{n}=","e":"AQAB""#), Unfit::Part("n")),
        (format!(r#""kty":"RSA","n":"{n}","e":65537"#), Unfit::Part("e")),
        (format!(r#"{right},"use":"enc""#), Unfit::Use),
        (format!(r#"{right},"key_ops":["sign","encrypt"]"#), Unfit::Use),
        (format!(r#"{right},"key_ops":"verify""#), Unfit::Part("key_ops")),
        (format!(r#"{right},"alg":"RSA-OAEP""#), Unfit::Algorithm),
        (format!(r#"{right},"alg":"HS256""#), Unfit::Algorithm),
        (format!(r#"{right},"alg":"none""#), Unfit::Algorithm),
        (format!(r#"{right},"alg":"ES256""#), Unfit::Algorithm),
        (format!(r#"{right},"d":"AQAB""#), Unfit::Disclosed),
        (format!(r#"{curve},"d":"AQAB""#), Unfit::Disclosed),
        (r#""kty":"oct","k":"AAAA""#.to_owned(), Unfit::Disclosed),
        (r#""kty":"OKP","crv":"Ed25519","x":"AAAA""#.to_owned(), Unfit::Kind),
        (r#""kty":"rsa""#.to_owned(), Unfit::Kind),
        (r#""kid":"x""#.to_owned(), Unfit::Part("kty")),
        (curve.replace("P-256", "secp256k1"), Unfit::Curve),
        (curve.replace("P-256", "P-384"), Unfit::Point),
        (curve.replace(x, &other), Unfit::Point),
        (curve.replace(x, &encoded(&[255; 32])), Unfit::Point),
        (curve.replace(x, &encoded(&[0; 31])), Unfit::Point),
        (format!(r#"{right},"kid":7"#), Unfit::Part("kid")),
        (format!(r#"{right},"kid":"{}""#, "k".repeat(KEY_ID_BYTES_MAX + 1)), Unfit::Part("kid")),
    ] {
        let set = set(&[key.clone(), right.clone()]).unwrap();
        assert_eq!(set.keys.len(), 1, "{key}");
        assert_eq!((set.unused[0].index, set.unused[0].why), (0, why), "{key}");
    }
}

#[test]
fn a_set_is_bounded_and_no_other_text_is_one() {
    let (signer, _) = Signer::rsa(2_048);
    let right = rsa(&signer);
    for (text, why) in [
        (String::new(), NoKeySet::Form),
        ("<html></html>".to_owned(), NoKeySet::Form),
        ("[]".to_owned(), NoKeySet::Form),
        ("{}".to_owned(), NoKeySet::Form),
        (r#"{"keys":{}}"#.to_owned(), NoKeySet::Form),
        (r#"{"keys":[1]}"#.to_owned(), NoKeySet::Form),
        (format!(r#"{{"keys":[],"keys":[{{{right}}}]}}"#), NoKeySet::Form),
        (format!(r#"{{"keys":[{{{right},{right}}}]}}"#), NoKeySet::Form),
        (r#"{"keys":[]}"#.to_owned(), NoKeySet::NoneUsable),
        (r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_owned(), NoKeySet::NoneUsable),
        (format!("{{\"keys\":[{}{{}}]}}", "{},".repeat(KEYS_MAX)), NoKeySet::TooMany(KEYS_MAX + 1)),
        (" ".repeat(JWKS_BYTES_MAX + 1), NoKeySet::TooLarge),
    ] {
        assert_eq!(read(&text).unwrap_err(), why, "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn a_secret_verifies_with_hashes_no_longer_than_it_is() {
    let names = |bytes: usize| {
        let key = Key::secret(&vec![7; bytes])?;
        let has = |hash| key.has(Algorithm { family: Family::Hmac, hash });
        Ok([Hash::Sha256, Hash::Sha384, Hash::Sha512].map(has))
    };
    assert_eq!(names(31), Err(Unfit::SecretBytes(31)));
    assert_eq!(names(32), Ok([true, false, false]));
    assert_eq!(names(48), Ok([true, true, false]));
    assert_eq!(names(64), Ok([true, true, true]));
    assert_eq!(names(1_025), Err(Unfit::SecretBytes(1_025)));
    let key = Key::secret(&[7; 32]).unwrap().named("k");
    assert_eq!(format!("{key:?}"), r#"Key(Some("k"), HS256)"#);
}

/// An issuer of workloads, each a subject and the gateway that it may be; one without is a pattern.
fn trusted(name: &str, audiences: &[&str], subjects: &[(&str, Option<&str>)]) -> TrustedIssuer {
    let rule = |(subject, gateway): &(&str, Option<&str>)| {
        let subject = match gateway {
            Some(gateway) => {
                let (subject, gateway) = ((*subject).to_owned(), (*gateway).to_owned());
                Subject::Named { subject, gateway }
            }
            None => Subject::around(subject).unwrap(),
        };
        Rule { subject, claims: Vec::new() }
    };
    TrustedIssuer {
        name: name.to_owned(),
        audiences: audiences.iter().map(|it| (*it).to_owned()).collect(),
        rules: subjects.iter().map(rule).collect(),
    }
}

/// An issuer, and the set of its key.
fn issuer() -> (Signer, KeySet) {
    let (signer, _) = Signer::ec(Curve::P256);
    let set = set(&[ec(&signer, "P-256", 32)]).unwrap();
    (signer, set)
}

const ES256: Algorithm = Algorithm { family: Family::Ecdsa, hash: Hash::Sha256 };

#[test]
fn a_workload_is_the_gateway_that_a_rule_says_to_the_letter() {
    let subject = "system:serviceaccount:edge:weir";
    let trust = Trust {
        issuers: vec![
            trusted("https://a", &["weir", "weir-old"], &[(subject, Some("berlin"))]),
            trusted("https://b", &["weir-two"], &[(subject, Some("paris"))]),
        ],
    };
    let (signer, set) = issuer();
    let refused = |refusal| Err(Stranger::Refused(refusal));
    for (issuer, subject, audience, expected) in [
        ("https://a", subject, r#""weir""#, Ok("berlin")),
        ("https://b", subject, r#"["x","weir-two"]"#, Ok("paris")),
        ("https://a", subject, r#"["weir","weir-old"]"#, Ok("berlin")),
        ("https://c", subject, r#""weir""#, refused(Refusal::Issuer)),
        ("https://a/", subject, r#""weir""#, refused(Refusal::Issuer)),
        ("https://a", "system:serviceaccount:edge:weir2", r#""weir""#, Err(Stranger::Subject)),
        ("https://a", "", r#""weir""#, Err(Stranger::Subject)),
        ("https://a", subject, r#""WEIR""#, refused(Refusal::Audience)),
        ("https://a", subject, r#""weir-two""#, refused(Refusal::Audience)),
        ("https://b", subject, r#""weir""#, refused(Refusal::Audience)),
        ("https://a", subject, "[]", refused(Refusal::Audience)),
    ] {
        let claims =
            format!(r#"{{"iss":"{issuer}","sub":"{subject}","aud":{audience},"exp":1800000001}}"#);
        let token = signer.token(ES256, r#"{"alg":"ES256"}"#, &claims);
        let known = trust.identify(&token, None, |_issuer| Some(&set), (Duration::ZERO, NOW));
        let gateway = known.map(|known| known.gateway);
        assert_eq!(gateway, expected.map(str::to_owned), "{claims}");
    }
}

#[test]
fn a_name_within_a_subject_is_that_of_a_gateway_and_nothing_more() {
    let pattern = [("system:serviceaccount:{gateway}:weir", None)];
    let trust = Trust { issuers: vec![trusted("https://a", &["weir"], &pattern)] };
    let (signer, set) = issuer();
    for (subject, expected) in [
        ("system:serviceaccount:edge-1.b:weir", Some("edge-1.b")),
        ("system:serviceaccount::weir", None),
        ("system:serviceaccount:a:b:weir", None),
        ("system:serviceaccount:a/b:weir", None),
        ("system:serviceaccount:-a:weir", None),
        ("system:serviceaccount:a:weirder", None),
        ("xsystem:serviceaccount:a:weir", None),
        ("system:serviceaccount:weir", None),
    ] {
        let claims =
            format!(r#"{{"iss":"https://a","sub":"{subject}","aud":"weir","exp":1800000001}}"#);
        let token = signer.token(ES256, r#"{"alg":"ES256"}"#, &claims);
        let known = trust.identify(&token, None, |_issuer| Some(&set), (Duration::ZERO, NOW));
        let gateway = known.ok().map(|known| known.gateway);
        assert_eq!(gateway, expected.map(str::to_owned), "{subject}");
    }
    for wrong in ["weir", "{gateway}", "{gateway}:{gateway}", "a:{gateway}:{gateway}"] {
        assert_eq!(Subject::around(wrong), None, "{wrong}");
    }
}

#[test]
fn a_workload_of_several_gateways_says_which_and_is_none_that_it_may_not_be() {
    let several = [("app", Some("berlin")), ("app", Some("paris")), ("one", Some("rome"))];
    let mut issuer_of_several = trusted("https://a", &["weir"], &several);
    let needs = |name: &str, values: &[&str]| RequiredClaim {
        name: name.to_owned(),
        values: values.iter().map(|it| (*it).to_owned()).collect(),
        every: false,
        separator: None,
    };
    issuer_of_several.rules[2].claims = vec![needs("azp", &["x", "y"])];
    let trust = Trust { issuers: vec![issuer_of_several] };
    let (signer, set) = issuer();
    let identify = |subject: &str, more: &str, wanted: Option<&str>| {
        let claims = format!(
            r#"{{"iss":"https://a","sub":"{subject}","aud":"weir","exp":1800000001{more}}}"#
        );
        let token = signer.token(ES256, r#"{"alg":"ES256"}"#, &claims);
        let known = trust.identify(&token, wanted, |_issuer| Some(&set), (Duration::ZERO, NOW));
        known.map(|known| known.gateway)
    };
    assert_eq!(identify("app", "", None), Err(Stranger::Several));
    assert_eq!(identify("app", "", Some("Paris")).as_deref(), Ok("paris"));
    assert_eq!(identify("app", "", Some("rome")), Err(Stranger::Other));
    assert_eq!(identify("one", r#","azp":"y""#, Some("rome")).as_deref(), Ok("rome"));
    assert_eq!(identify("one", r#","azp":"y""#, Some("paris")), Err(Stranger::Other));
    let lacks = |refusal| Err(Stranger::Refused(refusal));
    assert_eq!(identify("one", "", None), lacks(Refusal::ClaimNotFound("azp".to_owned())));
    let other = identify("one", r#","azp":"z""#, None);
    assert_eq!(other, lacks(Refusal::ClaimValue("azp".to_owned())));
}

#[test]
fn what_a_workload_claims_only_chooses_the_keys() {
    let trust = Trust {
        issuers: vec![
            trusted("https://a", &["weir"], &[("s", Some("berlin"))]),
            trusted("https://b", &["weir"], &[("s", Some("paris"))]),
        ],
    };
    let ((alice, of_alice), (_, of_bob)) = (issuer(), issuer());
    let by_alice = |claims: &str| alice.token(ES256, r#"{"alg":"ES256"}"#, claims);
    let keys = |issuer: &str| match issuer {
        "https://a" => Some(&of_alice),
        "https://b" => Some(&of_bob),
        other => panic!("nobody asks for the keys of {other}"),
    };
    let identify = |token: &str| {
        let known = trust.identify(token, None, keys, (Duration::from_mins(1), NOW));
        known.map(|known| (known.gateway, known.expires))
    };
    let end = Timestamp::from_micros(1_799_999_999_000_000);
    let right = by_alice(r#"{"iss":"https://a","sub":"s","aud":"weir","exp":1799999999}"#);
    assert_eq!(identify(&right), Ok(("berlin".to_owned(), end)));
    // One issuer speaks for none of another.
    let other = by_alice(r#"{"iss":"https://b","sub":"s","aud":"weir","exp":1800000001}"#);
    assert_eq!(identify(&other), Err(Stranger::Refused(Refusal::Signature)));
    let unknown = by_alice(r#"{"iss":"http://169.254.169.254","sub":"s","aud":"weir"}"#);
    assert_eq!(identify(&unknown), Err(Stranger::Refused(Refusal::Issuer)));
    let nobody = by_alice(r#"{"sub":"s","aud":"weir","exp":1800000001}"#);
    assert_eq!(identify(&nobody), Err(Stranger::Refused(Refusal::Issuer)));
    let endless = by_alice(r#"{"iss":"https://a","sub":"s","aud":"weir"}"#);
    assert_eq!(identify(&endless), Err(Stranger::Refused(Refusal::NoExpiry)));
    // A secret among the keys, as if an issuer had one with us.
    let (shared, key) = secret(1);
    let set = KeySet { keys: vec![key], unused: Vec::new() };
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    let claims = r#"{"iss":"https://a","sub":"s","aud":"weir","exp":1800000001}"#;
    let token = shared.token(hs256, HEADER, claims);
    let known = trust.identify(&token, None, |_issuer| Some(&set), (Duration::ZERO, NOW));
    assert_eq!(known.unwrap_err(), Stranger::Refused(Refusal::Algorithm));
    let none = |_issuer: &str| None::<&KeySet>;
    let known = trust.identify(&right, None, none, (Duration::ZERO, NOW));
    assert_eq!(known.unwrap_err(), Stranger::NoKeys);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_of_sets_panic(
        text in "\\{\"keys\":\\[(\\{(\"(kty|n|e|crv|x|y|alg|use|kid|key_ops)\":(\"(RSA|EC|P-256|AQAB|[A-Za-z0-9_-]{0,44})\"|1|null|\\[\\]),?){0,5}\\},?){0,3}\\]?\\}?"
    ) {
        let _ = read(&text);
    }

    #[test]
    fn no_numbers_make_a_key_panic(n in proptest::collection::vec(any::<u8>(), 0..1_030), e in proptest::collection::vec(any::<u8>(), 0..10)) {
        let _ = Key::rsa(&n, &e);
        let _ = Key::point(Curve::P256, &n, &e);
    }
}
