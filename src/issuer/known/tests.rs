//! What is remembered and what is not, and who is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, encrypt_aead};

use super::*;
use crate::backend::document::Url;
use crate::issuer::Fetched;
use crate::jwt::encrypted::OpeningKey;
use crate::jwt::jwks::KeySet;
use crate::jwt::key::Key;
use crate::policy::tokens::asked::Own;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const SECRET: [u8; 32] = [7; 32];

fn token(claims: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"alg":"HS256","kid":"k"}"#);
    let text = format!("{header}.{}", encode(claims.as_bytes()));
    let key = PKey::hmac(&SECRET).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    format!("{text}.{}", encode(&signer.sign_oneshot_to_vec(text.as_bytes()).unwrap()))
}

fn document(number: usize) -> Document {
    Document::at(Url::parse(&format!("https://issuer.example/{number}")).unwrap())
}

fn asked(token: &str, document: Document) -> Asked {
    Asked {
        token: Secret::new(token),
        own: Arc::new(Own::new(Vec::new(), Vec::new())),
        documents: Arc::from([document]),
        takes_unsigned: false,
    }
}

/// The issuer publishes a key of this id.
fn publish(issuers: &Issuers, document: &Document, id: &str) {
    let known = issuers.places.read().unwrap();
    let keys = vec![Key::secret(&SECRET).unwrap().named(id)];
    let keys = KeySet { keys, unused: Vec::new() };
    let fetched = Fetched { issuer: "i".to_owned(), text: id.to_owned(), keys };
    known[&document.text].issuer.note(Ok(fetched), NOW);
}

#[test]
fn a_token_is_verified_once_while_the_keys_stay_and_as_a_whole() {
    let (issuers, document) = (Issuers::default(), document(1));
    let good = token(r#"{"exp":1800000060}"#);
    let ask = |token: &str| issuers.at_once(&asked(token, document.clone()), NOW);
    assert!(ask(&good).is_none(), "nobody knows whether there are keys");
    publish(&issuers, &document, "k");
    let first = ask(&good).unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &ask(&good).unwrap().unwrap()), "it was verified again");
    assert_eq!(first.issuers, [Arc::from("i")]);
    // The same signature below something else is no signature.
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = token(r#"{"exp":1900000060}"#);
    let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(ask(&forged).unwrap().unwrap_err().refusal, Refusal::Signature);
    publish(&issuers, &document, "other");
    assert_eq!(ask(&good).unwrap().unwrap_err().refusal, Refusal::KeyNotFound);
    publish(&issuers, &document, "k");
    assert!(!Arc::ptr_eq(&first, &ask(&good).unwrap().unwrap()), "keys of before count");
}

#[test]
fn who_needs_no_keys_of_others_waits_for_none() {
    let issuers = Issuers::default();
    let own = Arc::new(Own::new(vec![Key::secret(&SECRET).unwrap()], Vec::new()));
    let ask = |token: &str| {
        issuers.at_once(&Asked { own: Arc::clone(&own), ..asked(token, document(1)) }, NOW)
    };
    assert!(ask(&token("{}")).unwrap().is_ok());
    // Nor does whoever has none that any key could make good.
    let refused = ask("a.b").unwrap().unwrap_err().refusal;
    assert_eq!(refused.reason(), "JwtInvalid");
}

#[test]
fn an_encrypted_token_is_remembered_as_it_came_and_for_those_who_can_open_it() {
    let issuers = Issuers::default();
    let own = |secret: u8| {
        let opening = vec![OpeningKey::secret(&[secret; 32]).unwrap()];
        Arc::new(Own::new(vec![Key::secret(&SECRET).unwrap()], opening))
    };
    let ask = |text: &str, own: &Arc<Own>| {
        issuers.at_once(&Asked { own: Arc::clone(own), ..asked(text, document(1)) }, NOW).unwrap()
    };
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let (inner, vector, mut tag) = (token("{}"), [1; 12], [0; 16]);
    let (key, aad) = ([7; 32], header.as_bytes());
    let cipher = Cipher::aes_256_gcm();
    let text = encrypt_aead(cipher, &key, Some(&vector), aad, inner.as_bytes(), &mut tag).unwrap();
    let parts = [vector.as_slice(), &text, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    let sealed = format!("{header}..{}", parts.join("."));
    let first = ask(&sealed, &own(7)).unwrap();
    assert_eq!((&*first.token.text, first.came()), (inner.as_str(), sealed.as_str()));
    assert!(Arc::ptr_eq(&first, &ask(&sealed, &own(7)).unwrap()), "it was opened twice");
    assert_eq!(ask(&sealed, &own(8)).unwrap_err().refusal, Refusal::Decryption);
    let plain = ask(&inner, &own(7)).unwrap();
    assert!(!Arc::ptr_eq(&first, &plain) && plain.sealed.is_none());
}

#[test]
fn issuers_that_only_requests_name_are_bounded_and_go_after_an_hour() {
    let issuers = Issuers::default();
    let good = document(0);
    let _none = issuers.at_once(&asked("a.b.c", good.clone()), NOW);
    publish(&issuers, &good, "k");
    for number in 1..UNNAMED_MAX * 2 {
        let later = NOW + Duration::from_secs(u64::try_from(number).unwrap());
        let _none = issuers.at_once(&asked("a.b.c", document(number)), later);
    }
    assert_eq!(issuers.standing().len(), UNNAMED_MAX);
    // The one that has keys was not pushed out by those that are made up.
    assert!(issuers.standing().iter().any(|it| *it.name == *good.text));
    assert_eq!(issuers.sweep(NOW + UNASKED_MAX * 2).len(), 0);
}

#[test]
fn a_reload_keeps_the_keys_of_those_that_are_named_again() {
    let issuers = Issuers::default();
    let named = |numbers: &[usize]| -> HashMap<Arc<str>, Document> {
        let documents = numbers.iter().map(|number| document(*number));
        documents.map(|document| (Arc::clone(&document.text), document)).collect()
    };
    issuers.name(&named(&[1, 2]), NOW);
    publish(&issuers, &document(1), "k");
    issuers.name(&named(&[2]), NOW);
    issuers.name(&named(&[1, 3]), NOW);
    let keys: Vec<usize> = issuers.standing().iter().map(|it| it.keys).collect();
    assert_eq!((keys, issuers.sweep(NOW).len()), (vec![1, 0, 0], 3));
    // Who is not named any more goes when requests with the configuration before are long over.
    assert_eq!(issuers.sweep(NOW + UNASKED_MAX).len(), 2);
}
