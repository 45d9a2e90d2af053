//! Tokens that are good, and every way in which one is not.

mod forge;
mod sets;

use std::slice::from_ref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::algorithm::{Family, Hash};
use super::key::Curve;
use super::*;
use forge::{Signer, claims, secret, text};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const SECONDS: u64 = 1_800_000_000;

/// Rules with which [`claims`] are right.
fn rules() -> Rules {
    let owned = |text: &str| vec![text.to_owned()];
    Rules { issuers: owned("https://i"), audiences: owned("weir"), ..Rules::default() }
}

fn refusal(text: &str, keys: &[Key], rules: &Rules) -> Refusal {
    verify(text, keys, rules, NOW).unwrap_err()
}

#[test]
fn the_examples_of_rfc_7515_are_good_until_they_end() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                   cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let hmac = Key::secret(&decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ));
    let point = Key::point(
        Curve::P256,
        &decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        &decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    );
    for (header, signature, key) in [
        (
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            hmac.unwrap(),
        ),
        (
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            point.unwrap(),
        ),
    ] {
        let text = format!("{header}.{payload}.{signature}");
        let at = |second: u64| Timestamp::from_micros(second * 1_000_000);
        let verified = verify(&text, from_ref(&key), &Rules::default(), at(1_300_819_379)).unwrap();
        assert_eq!(verified.claims().issuer(), Some("joe"));
        let later = verify(&text, &[key], &Rules::default(), at(1_300_819_380));
        assert_eq!(later.unwrap_err(), Refusal::Expired);
    }
}

#[test]
fn every_algorithm_signs_what_its_key_verifies_and_no_other_does() {
    let signers = Signer::one_of_each();
    let keys: Vec<Key> = signers.iter().map(|(_, key)| key.clone()).collect();
    for algorithm in Algorithm::ALL {
        let (signer, key) =
            signers.iter().find(|(signer, _)| signer.signs(algorithm)).expect("each has one");
        let header = format!(r#"{{"alg":"{}","typ":"at+jwt"}}"#, algorithm.name());
        let token = signer.token(algorithm, &header, &claims());
        let verified = verify(&token, from_ref(key), &rules(), NOW).unwrap();
        assert_eq!((verified.algorithm(), verified.claims().subject()), (algorithm, Some("me")));
        assert!(verify(&token, &keys, &rules(), NOW).is_ok(), "{}", algorithm.name());
        // Allowed by the key, but not by the rules.
        let others = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        let rules = Rules { algorithms: others, ..rules() };
        assert_eq!(refusal(&token, &keys, &rules), Refusal::Algorithm);
        // By a key of the same kind, by its name, and by no key.
        let (_, other) = signer.another();
        assert_eq!(refusal(&token, &[other], &rules_of(algorithm)), Refusal::Signature);
        assert_eq!(refusal(&token, &[], &rules_of(algorithm)), Refusal::KeyNotFound);
    }
}

fn rules_of(algorithm: Algorithm) -> Rules {
    Rules { algorithms: vec![algorithm], ..rules() }
}

#[test]
fn what_a_key_is_decides_and_not_what_the_header_says() {
    let (signer, key) = Signer::rsa(2_048);
    let public = signer.public();
    let pem = public.public_key_to_pem().unwrap();
    let trimmed = pem.trim_ascii_end().to_vec();
    let modulus = public.rsa().unwrap().n().to_vec();
    let encoded = URL_SAFE_NO_PAD.encode(&modulus).into_bytes();
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    for known in [pem, trimmed, public.public_key_to_der().unwrap(), modulus, encoded] {
        // Whoever knows the public key signs with it as if it were a secret.
        let token = Signer::Hmac(known).token(hs256, r#"{"alg":"HS256"}"#, &claims());
        assert_eq!(refusal(&token, from_ref(&key), &rules()), Refusal::KeyNotFound);
        let (_, other) = secret(7);
        assert_eq!(refusal(&token, &[key.clone(), other], &rules()), Refusal::Signature);
    }
    // A key for one algorithm is for no other of its kind.
    let rs256 = Algorithm { family: Family::Rsa, hash: Hash::Sha256 };
    let ps256 = Algorithm { family: Family::RsaPss, hash: Hash::Sha256 };
    let only = key.clone().only(rs256).unwrap();
    let token = signer.token(ps256, r#"{"alg":"PS256"}"#, &claims());
    assert!(verify(&token, from_ref(&key), &rules(), NOW).is_ok());
    assert_eq!(refusal(&token, &[only], &rules()), Refusal::KeyNotFound);
    // The one said to be the other.
    let token = signer.token(ps256, r#"{"alg":"RS256"}"#, &claims());
    assert_eq!(refusal(&token, from_ref(&key), &rules()), Refusal::Signature);
    assert!(key.only(hs256).is_err());
}

#[test]
fn what_is_not_signed_is_refused_however_it_is_written() {
    let (signer, key) = secret(1);
    let keys = [key];
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        assert_eq!(refusal(&text(&header, &claims(), b""), &keys, &rules()), Refusal::Unsigned);
        let token = signer.token(hs256, &header, &claims());
        assert_eq!(refusal(&token, &keys, &rules()), Refusal::Unsigned);
    }
    for (header, expected) in [
        (r#"{"alg":"HS256"}"#, Refusal::Unsigned),
        (r#"{"alg":""}"#, Refusal::Unsigned),
        ("{}", Malformed::Header("alg").into()),
        (r#"{"alg":null}"#, Malformed::Header("alg").into()),
        (r#"{"alg":["HS256"]}"#, Malformed::Header("alg").into()),
    ] {
        assert_eq!(refusal(&text(header, &claims(), b""), &keys, &rules()), expected, "{header}");
    }
    for name in ["", "hs256", "HS256 ", "HS1", "EdDSA", "dir"] {
        let token = signer.token(hs256, &format!(r#"{{"alg":"{name}"}}"#), &claims());
        assert_eq!(refusal(&token, &keys, &rules()), Refusal::Algorithm, "{name}");
    }
    // An empty secret, and one of zeros.
    for key in [vec![0], vec![0; 32]] {
        let token = Signer::Hmac(key).token(hs256, r#"{"alg":"HS256"}"#, &claims());
        assert_eq!(refusal(&token, &keys, &rules()), Refusal::Signature);
    }
}

#[test]
fn the_id_of_a_key_chooses_and_never_opens() {
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    let ((first, one), (second, two), (third, three)) = (secret(1), secret(2), secret(3));
    let keys = [one.named("a"), two.named("a"), three];
    let by = |signer: &Signer, id: &str| {
        signer.token(hs256, &format!(r#"{{"alg":"HS256","kid":{id}}}"#), &claims())
    };
    for (signer, id) in [(&first, r#""a""#), (&second, r#""a""#), (&third, r#""unknown""#)] {
        let verified = verify(&by(signer, id), &keys, &rules(), NOW).unwrap();
        assert!(verified.key_id().is_some());
    }
    assert_eq!(refusal(&by(&third, r#""a""#), &keys, &rules()), Refusal::Signature);
    assert_eq!(refusal(&by(&first, r#""b""#), &keys, &rules()), Refusal::Signature);
    for id in [r#""../../../../dev/null""#, r#""' OR 1=1""#, r#""a\u0000""#, r#""""#] {
        let keys = &keys[..2];
        assert_eq!(refusal(&by(&first, id), keys, &rules()), Refusal::KeyNotFound, "{id}");
    }
    let long = format!("\"{}\"", "k".repeat(KEY_ID_BYTES_MAX + 1));
    for id in ["1", "null", r#"["a"]"#, &long] {
        let expected = Refusal::Malformed(Malformed::Header("kid"));
        assert_eq!(refusal(&by(&first, id), &keys, &rules()), expected, "{id}");
    }
    // Without an id all are tried, up to a bound.
    let without = first.token(hs256, r#"{"alg":"HS256"}"#, &claims());
    assert!(verify(&without, &keys, &rules(), NOW).is_ok());
    let mut many: Vec<Key> = (10..30).map(|number| secret(number).1).collect();
    many.insert(TRIES_MAX, secret(1).1);
    assert_eq!(refusal(&without, &many, &rules()), Refusal::Signature);
    many.swap(TRIES_MAX, TRIES_MAX - 1);
    assert!(verify(&without, &many, &rules(), NOW).is_ok());
}

#[test]
fn keys_and_addresses_in_the_header_are_not_looked_at() {
    let (_, key) = Signer::rsa(2_048);
    let (mallory, _) = Signer::rsa(2_048);
    let rs256 = Algorithm { family: Family::Rsa, hash: Hash::Sha256 };
    let public = mallory.public().rsa().unwrap();
    let encoded = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
    let (n, e) = (encoded(public.n()), encoded(public.e()));
    for header in [
        format!(r#"{{"alg":"RS256","jwk":{{"kty":"RSA","n":"{n}","e":"{e}"}}}}"#),
        r#"{"alg":"RS256","jku":"http://169.254.169.254/"}"#.to_owned(),
        r#"{"alg":"RS256","x5u":"http://127.0.0.1:1/jwks"}"#.to_owned(),
    ] {
        let token = mallory.token(rs256, &header, &claims());
        assert_eq!(refusal(&token, from_ref(&key), &rules()), Refusal::Signature);
    }
}

/// How a token is judged that is signed well.
fn judged(header: &str, claims: &str, rules: &Rules) -> Result<(), Refusal> {
    let (signer, key) = secret(1);
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    verify(&signer.token(hs256, header, claims), &[key], rules, NOW).map(|_verified| ())
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

#[test]
fn a_token_is_good_from_its_beginning_until_its_end() {
    let minute = Rules { skew: Duration::from_mins(1), ..Rules::default() };
    let free = Rules { expiry_required: false, ..minute.clone() };
    let strict = Rules::default();
    let exp = Err(Malformed::Claim("exp").into());
    let after = |name: &str, seconds: i64| {
        let at = i64::try_from(SECONDS).unwrap() + seconds;
        let end = if name == "exp" { String::new() } else { r#","exp":9999999999"#.to_owned() };
        format!(r#"{{"{name}":{at}{end}}}"#)
    };
    for (claims, rules, expected) in [
        (after("exp", 1), &strict, Ok(())),
        (after("exp", 0), &strict, Err(Refusal::Expired)),
        (after("exp", -59), &minute, Ok(())),
        (after("exp", -60), &minute, Err(Refusal::Expired)),
        (after("exp", -61), &minute, Err(Refusal::Expired)),
        (after("exp", -61), &free, Err(Refusal::Expired)),
        ("{}".to_owned(), &minute, Err(Refusal::NoExpiry)),
        ("{}".to_owned(), &free, Ok(())),
        (after("nbf", 0), &strict, Ok(())),
        (after("nbf", 1), &strict, Err(Refusal::NotYet)),
        (after("nbf", 60), &minute, Ok(())),
        (after("nbf", 61), &minute, Err(Refusal::NotYet)),
        (after("iat", 60), &minute, Ok(())),
        (after("iat", 61), &minute, Err(Refusal::IssuedLater)),
        (after("iat", 61), &Rules { issued_before_now: false, ..minute.clone() }, Ok(())),
        (r#"{"exp":1800000000.5}"#.to_owned(), &strict, Ok(())),
        (r#"{"exp":18e8}"#.to_owned(), &strict, Err(Refusal::Expired)),
        (r#"{"exp":253402300799}"#.to_owned(), &strict, Ok(())),
        (r#"{"exp":"9999999999"}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":null}"#.to_owned(), &free, exp.clone()),
        (r#"{"exp":1e308}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":-1}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":-0.5}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":9223372036854775808}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":18446744073709551615}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":253402300800}"#.to_owned(), &minute, exp.clone()),
        (r#"{"exp":true}"#.to_owned(), &minute, exp),
    ] {
        assert_eq!(judged(HEADER, &claims, rules), expected, "{claims}");
    }
}

#[test]
fn issuer_and_audience_are_compared_to_the_letter() {
    let with = |part: &str| format!(r#"{{"exp":1800000001,{part}}}"#);
    let aud = Err(Refusal::Audience);
    let iss = Err(Refusal::Issuer);
    for (part, expected) in [
        (r#""iss":"https://i","aud":"weir""#, Ok(())),
        (r#""iss":"https://i","aud":["other","weir"]"#, Ok(())),
        (r#""iss":"https://i/","aud":"weir""#, iss.clone()),
        (r#""iss":"https://I","aud":"weir""#, iss.clone()),
        (r#""iss":"https://i.evil","aud":"weir""#, iss.clone()),
        (r#""aud":"weir""#, iss),
        (r#""iss":["https://i"],"aud":"weir""#, Err(Malformed::Claim("iss").into())),
        (r#""iss":"https://i""#, aud.clone()),
        (r#""iss":"https://i","aud":"Weir""#, aud.clone()),
        (r#""iss":"https://i","aud":"weir2""#, aud.clone()),
        (r#""iss":"https://i","aud":[]"#, aud),
        (r#""iss":"https://i","aud":["weir",1]"#, Err(Malformed::Claim("aud").into())),
        (r#""iss":"https://i","aud":{"weir":1}"#, Err(Malformed::Claim("aud").into())),
        (r#""iss":"https://i","aud":"weir","sub":7"#, Err(Malformed::Claim("sub").into())),
        (r#""iss":"https://i","aud":"weir","aud":"weir""#, Err(Malformed::Json.into())),
    ] {
        assert_eq!(judged(HEADER, &with(part), &rules()), expected, "{part}");
    }
}

#[test]
fn the_header_must_be_understood_whole() {
    let of_type = |kinds: &[&str]| Rules {
        types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        type_required: true,
        ..rules()
    };
    let usual = rules();
    for (rest, rules, expected) in [
        ("", &usual, Ok(())),
        (r#","typ":"JWT""#, &usual, Ok(())),
        (r#","typ":"jwt""#, &usual, Ok(())),
        (r#","typ":"application/at+jwt""#, &usual, Ok(())),
        (r#","typ":"logout+jwt""#, &usual, Err(Refusal::Type)),
        (r#","typ":"""#, &usual, Err(Refusal::Type)),
        (r#","typ":1"#, &usual, Err(Malformed::Header("typ").into())),
        ("", &of_type(&["at+jwt"]), Err(Refusal::Type)),
        (r#","typ":"JWT""#, &of_type(&["at+jwt"]), Err(Refusal::Type)),
        (r#","typ":"AT+JWT""#, &of_type(&["at+jwt"]), Ok(())),
        (r#","crit":["exp"]"#, &usual, Err(Refusal::Critical)),
        (r#","crit":[]"#, &usual, Err(Refusal::Critical)),
        (r#","b64":false,"crit":["b64"]"#, &usual, Err(Refusal::Critical)),
        (r#","cty":"JWT""#, &usual, Err(Malformed::Nested.into())),
        (r#","x5t":"AAAA","unknown":{"a":1}"#, &usual, Ok(())),
        (r#","alg":"HS256""#, &usual, Err(Malformed::Json.into())),
    ] {
        let header = format!(r#"{{"alg":"HS256"{rest}}}"#);
        assert_eq!(judged(&header, &claims(), rules), expected, "{rest}");
    }
    let large = format!(r#"{{"alg":"HS256","x":"{}"}}"#, "x".repeat(HEADER_BYTES_MAX));
    let expected = Err(Malformed::Header("too large").into());
    assert_eq!(judged(&large, &claims(), &usual), expected);
}

#[test]
fn what_is_no_token_is_refused_by_its_form() {
    let (signer, key) = secret(1);
    let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
    let right = signer.token(hs256, HEADER, &claims());
    let keys = [key];
    for (text, expected) in [
        (String::new(), Refusal::NotPresent),
        ("a".to_owned(), Malformed::Parts.into()),
        ("a.b".to_owned(), Malformed::Parts.into()),
        ("a.b.c.d".to_owned(), Malformed::Parts.into()),
        ("a.b.c.d.e".to_owned(), Malformed::Encrypted.into()),
        ("..".to_owned(), Malformed::Json.into()),
        (format!("Bearer {right}"), Malformed::Base64.into()),
        (format!("{right}="), Malformed::Base64.into()),
        (format!("{right}\n"), Malformed::Base64.into()),
        (right.replace('.', "=."), Malformed::Base64.into()),
        (format!("{right}{}", "A".repeat(TOKEN_BYTES_MAX)), Malformed::TooLarge.into()),
        (text("[]", &claims(), b"x"), Malformed::Json.into()),
        (text("{", &claims(), b"x"), Malformed::Json.into()),
        (signer.token(hs256, HEADER, "[]"), Malformed::Json.into()),
        (signer.token(hs256, HEADER, "not JSON"), Malformed::Json.into()),
    ] {
        assert_eq!(refusal(&text, &keys, &rules()), expected, "{text}");
    }
    // What nobody signed is not even read.
    let forged = text(HEADER, "not JSON", b"x");
    assert_eq!(refusal(&forged, &keys, &rules()), Refusal::Signature);
    assert_eq!(unverified(&right).unwrap().issuer(), Some("https://i"));
}

#[test]
fn a_signature_has_one_form() {
    let es256 = Algorithm { family: Family::Ecdsa, hash: Hash::Sha256 };
    let (signer, key) = Signer::ec(Curve::P256);
    let right = signer.token(es256, r#"{"alg":"ES256"}"#, &claims());
    let (before, signature) = right.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let keys = [key];
    assert!(verify(&right, &keys, &rules(), NOW).is_ok());
    let der = signer.raw(es256, before.as_bytes());
    let longer = [&bytes[..], &[0]].concat();
    let padded = [&[0], &bytes[..32], &[0], &bytes[32..]].concat();
    let swapped = [&bytes[32..], &bytes[..32]].concat();
    for wrong in [der, longer, padded, swapped, bytes[..63].to_vec(), vec![0; 64], vec![255; 64]] {
        let text = format!("{before}.{}", URL_SAFE_NO_PAD.encode(wrong));
        assert_eq!(refusal(&text, &keys, &rules()), Refusal::Signature);
    }
    let (signer, key) = Signer::rsa(2_048);
    let ps256 = Algorithm { family: Family::RsaPss, hash: Hash::Sha256 };
    for salt in [0, 20, 64] {
        let token = signer.salted(ps256, r#"{"alg":"PS256"}"#, &claims(), salt);
        assert_eq!(refusal(&token, from_ref(&key), &rules()), Refusal::Signature, "{salt}");
    }
    assert!(
        verify(&signer.salted(ps256, r#"{"alg":"PS256"}"#, &claims(), 32), &[key], &rules(), NOW)
            .is_ok()
    );
}

#[test]
fn claims_that_must_be_there_are_there() {
    let claims =
        r#"{"exp":1800000001,"scp":"read write","roles":["a","b"],"n":5,"ok":true,"no":null}"#;
    let required = |name: &str, values: &[&str], every: bool, separator: Option<&str>| Rules {
        claims: vec![RequiredClaim {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            every,
            separator: separator.map(str::to_owned),
        }],
        ..Rules::default()
    };
    let missing = |name: &str| Err(Refusal::ClaimNotFound(name.to_owned()));
    let other = |name: &str| Err(Refusal::ClaimValue(name.to_owned()));
    for (rules, expected) in [
        (required("roles", &[], true, None), Ok(())),
        (required("roles", &[], false, None), Ok(())),
        (required("roles", &["a", "b"], true, None), Ok(())),
        (required("roles", &["a", "c"], true, None), other("roles")),
        (required("roles", &["a", "c"], false, None), Ok(())),
        (required("roles", &["c"], false, None), other("roles")),
        (required("scp", &["read"], true, None), other("scp")),
        (required("scp", &["read"], true, Some(" ")), Ok(())),
        (required("scp", &["read", "delete"], true, Some(" ")), other("scp")),
        (required("scp", &["read write"], true, Some("")), Ok(())),
        (required("n", &["5"], true, None), Ok(())),
        (required("ok", &["true"], true, None), Ok(())),
        (required("no", &[], true, None), missing("no")),
        (required("none", &["a"], false, None), missing("none")),
    ] {
        assert_eq!(judged(HEADER, claims, &rules), expected, "{:?}", rules.claims);
    }
}

#[test]
fn reasons_are_those_of_validate_jwt() {
    let known = [
        "TokenNotPresent",
        "TokenSignatureInvalid",
        "TokenAudienceNotAllowed",
        "TokenIssuerNotAllowed",
        "TokenExpired",
        "TokenSignatureKeyNotFound",
        "TokenClaimNotFound",
        "TokenClaimValueNotAllowed",
        "JwtInvalid",
    ];
    let refusals = [
        Refusal::NotPresent,
        Refusal::Signature,
        Refusal::Audience,
        Refusal::Issuer,
        Refusal::Expired,
        Refusal::KeyNotFound,
        Refusal::ClaimNotFound(String::new()),
        Refusal::ClaimValue(String::new()),
        Refusal::Critical,
    ];
    assert_eq!(refusals.map(|refusal| refusal.reason()), known);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_none_is_good(
        text in "([A-Za-z0-9_-]{0,12}|\\PC{0,4})(\\.([A-Za-z0-9_=-]{0,20}|\\PC{0,4})){0,5}"
    ) {
        let (_, key) = secret(1);
        prop_assert!(verify(&text, &[key], &Rules::default(), NOW).is_err());
        let _ = unverified(&text);
    }

    #[test]
    fn no_header_and_no_claims_make_the_reader_panic(
        header in "\\{(\"(alg|kid|typ|crit|cty)\":(\"[A-Z0-9a-z]{0,5}\"|[0-9.e-]{1,5}|null|\\[\\]),?){0,3}\\}",
        claims in "\\{(\"(exp|nbf|iat|iss|aud)\":(\"x\"|-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,3})?|null|\\[\\]),?){0,3}\\}",
    ) {
        let _ = judged(&header, &claims, &rules());
        let _ = judged(HEADER, &claims, &Rules::default());
    }

    #[test]
    fn no_token_that_was_changed_is_good(at in 0_usize..400, to in "[A-Za-z0-9_.=-]", drop: bool) {
        let (signer, key) = secret(1);
        let hs256 = Algorithm { family: Family::Hmac, hash: Hash::Sha256 };
        let right = signer.token(hs256, HEADER, &claims());
        let at = at % right.len();
        let (before, after) = right.split_at(at);
        let changed = format!("{before}{}{}", if drop { "" } else { &to }, &after[1..]);
        if changed != right {
            prop_assert!(verify(&changed, &[key], &rules(), NOW).is_err(), "{}", changed);
        }
    }
}
