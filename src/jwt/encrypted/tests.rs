//! What opens, and that nothing else does.

use std::slice::from_ref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::aes::wrap_key;
use openssl::encrypt::Encrypter;
use openssl::rsa::Rsa;
use openssl::symm::{encrypt, encrypt_aead};

use super::*;

/// RFC 7516, appendix A.3, with the key of its section A.3.3.
const EXAMPLE: &str = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.\
                       6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.\
                       AxY8DCtDaGlsbGljb3RoZQ.\
                       KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.\
                       U0m_YmjN04DJvceFICbCVQ";

const WRAPPINGS: [&str; 6] = ["dir", "A128KW", "A192KW", "A256KW", "RSA-OAEP", "RSA-OAEP-256"];
const CONTENTS: [&str; 6] =
    ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"];

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn example_key() -> OpeningKey {
    OpeningKey::secret(&URL_SAFE_NO_PAD.decode("GawgguFyGrWKav7AX4VKUg").unwrap()).unwrap()
}

fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap()
}

fn inner(text: &str, keys: &[OpeningKey]) -> Result<Option<String>, Refusal> {
    opened(text, keys).map(|found| found.map(|secret| secret.expose().to_owned()))
}

/// A secret of so many bytes.
fn secret(bytes: usize) -> Vec<u8> {
    (0_u8..).take(bytes).collect()
}

/// `text` encrypted as `header` says, or as `names` do where that says something else; with the key
/// that opens it.
fn sealed(
    names: (&str, &str),
    header: &str,
    text: &[u8],
    private: &PKey<Private>,
) -> (String, OpeningKey) {
    let wrapping = Wrapping::of(names.0).unwrap();
    let content = Content::of(names.1).unwrap();
    let content_key = secret(content.key_bytes());
    let (key, wrapped) = match wrapping {
        Wrapping::Direct => (OpeningKey::secret(&content_key).unwrap(), Vec::new()),
        Wrapping::Wrapped(bytes) => {
            let around = secret(bytes);
            let mut wrapped = vec![0; content_key.len() + WRAP_BYTES];
            let with = AesKey::new_encrypt(&around).unwrap();
            wrap_key(&with, None, &mut wrapped, &content_key).unwrap();
            (OpeningKey::secret(&around).unwrap(), wrapped)
        }
        Wrapping::Oaep(hash) => {
            let digest = match hash {
                Oaep::Sha1 => MessageDigest::sha1(),
                Oaep::Sha256 => MessageDigest::sha256(),
            };
            let mut encrypter = Encrypter::new(private).unwrap();
            encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            encrypter.set_rsa_oaep_md(digest).unwrap();
            encrypter.set_rsa_mgf1_md(digest).unwrap();
            let mut wrapped = vec![0; encrypter.encrypt_len(&content_key).unwrap()];
            let written = encrypter.encrypt(&content_key, &mut wrapped).unwrap();
            wrapped.truncate(written);
            (OpeningKey::rsa(private).unwrap(), wrapped)
        }
    };
    let header = encode(header.as_bytes());
    let (vector, text, tag) = match content {
        Content::Gcm(bytes) => {
            let cipher = match bytes {
                16 => Cipher::aes_128_gcm(),
                24 => Cipher::aes_192_gcm(),
                _ => Cipher::aes_256_gcm(),
            };
            let (vector, mut tag) = (vec![7; GCM_IV_BYTES], vec![0; BLOCK_BYTES]);
            let aad = header.as_bytes();
            let text = encrypt_aead(cipher, &content_key, Some(&vector), aad, text, &mut tag);
            (vector, text.unwrap(), tag)
        }
        Content::Cbc(hash) => {
            let (authenticates, encrypts) = content_key.split_at(hash.bytes() / 2);
            let cipher = match encrypts.len() {
                16 => Cipher::aes_128_cbc(),
                24 => Cipher::aes_192_cbc(),
                _ => Cipher::aes_256_cbc(),
            };
            let vector = vec![7; BLOCK_BYTES];
            let text = encrypt(cipher, encrypts, Some(&vector), text).unwrap();
            let mut tag =
                cbc_tag(authenticates, hash, [header.as_bytes(), &vector, &text]).unwrap();
            tag.truncate(hash.bytes() / 2);
            (vector, text, tag)
        }
    };
    let parts = [wrapped, vector, text, tag].map(|part| encode(&part)).join(".");
    (format!("{header}.{parts}"), key)
}

fn header(wrapping: &str, content: &str) -> String {
    format!(r#"{{"alg":"{wrapping}","enc":"{content}","cty":"JWT"}}"#)
}

#[test]
fn the_example_of_rfc_7516_opens() {
    let found = inner(EXAMPLE, &[example_key()]).unwrap();
    assert_eq!(found.as_deref(), Some("Live long and prosper."));
}

#[test]
fn every_algorithm_opens_with_its_key_and_with_no_other() {
    let (private, other) = (rsa(), rsa());
    for wrapping in WRAPPINGS {
        for content in CONTENTS {
            let header = header(wrapping, content);
            let (text, key) = sealed((wrapping, content), &header, b"a.b.c", &private);
            assert_eq!(inner(&text, from_ref(&key)).unwrap().as_deref(), Some("a.b.c"), "{header}");
            let mut others = vec![OpeningKey::rsa(&other).unwrap()];
            others.extend(
                [16, 24, 32, 48, 64].map(|bytes| OpeningKey::secret(&vec![9; bytes]).unwrap()),
            );
            assert_eq!(inner(&text, &others), Err(Refusal::Decryption), "{header}");
            others.truncate(OPENING_KEYS_MAX - 1);
            others.push(key);
            assert_eq!(inner(&text, &others).unwrap().as_deref(), Some("a.b.c"), "{header}");
        }
    }
}

#[test]
fn what_was_changed_does_not_open() {
    let key = [example_key()];
    for (at, character) in EXAMPLE.char_indices() {
        let mut changed = EXAMPLE.to_owned();
        changed.replace_range(at..=at, if character == 'A' { "B" } else { "A" });
        let found = inner(&changed, &key);
        assert!(!matches!(&found, Ok(Some(_))), "{at}: {found:?}");
    }
    for part in 0..5 {
        let mut parts: Vec<&str> = EXAMPLE.split('.').collect();
        parts[part] = "";
        assert!(inner(&parts.join("."), &key).is_err(), "{part}");
    }
}

#[test]
fn an_algorithm_of_another_kind_or_length_of_key_opens_nothing() {
    let private = rsa();
    // The bytes of a secret as they are would open it, but the header says that they wrap a key.
    let (text, key) = sealed(("dir", "A256GCM"), &header("A256KW", "A256GCM"), b"x", &private);
    assert_eq!(inner(&text, &[key]), Err(Refusal::Decryption));
    let (text, key) = sealed(("RSA-OAEP", "A128GCM"), &header("RSA1_5", "A128GCM"), b"x", &private);
    assert_eq!(inner(&text, &[key]), Err(Refusal::Decryption));
    let (text, key) =
        sealed(("RSA-OAEP", "A128GCM"), &header("RSA-OAEP-256", "A128GCM"), b"x", &private);
    assert_eq!(inner(&text, &[key]), Err(Refusal::Decryption));
}

#[test]
fn the_id_of_a_key_chooses_it() {
    let private = rsa();
    let header = r#"{"alg":"dir","enc":"A128GCM","kid":"one"}"#;
    let (text, key) = sealed(("dir", "A128GCM"), header, b"x", &private);
    let opens = |keys: &[OpeningKey]| inner(&text, keys).is_ok();
    assert!(opens(from_ref(&key)));
    assert!(opens(&[key.clone().named("one")]));
    assert!(!opens(&[key.clone().named("two")]));
    let wrong = OpeningKey::secret(&[9; 16]).unwrap();
    assert!(!opens(&[key.clone(), wrong.clone().named("one")]));
    assert!(opens(&[key.named("one"), wrong]));
}

#[test]
fn what_the_header_asks_for_is_refused_before_any_key_is_tried() {
    let private = rsa();
    let refused = |more: &str| {
        let header = format!(r#"{{"alg":"dir","enc":"A128GCM",{more}}}"#);
        let (text, key) = sealed(("dir", "A128GCM"), &header, b"x", &private);
        inner(&text, &[key]).unwrap_err()
    };
    assert_eq!(refused(r#""zip":"DEF""#), Malformed::Header("zip").into());
    assert_eq!(refused(r#""crit":["exp"]"#), Refusal::Critical);
    assert_eq!(refused(r#""cty":"text/plain""#), Malformed::Header("cty").into());
    assert_eq!(refused(r#""kid":7"#), Malformed::Header("kid").into());
    assert_eq!(refused(r#""enc":"A128GCM""#), Malformed::Json.into());
    let long = "x".repeat(KEY_ID_BYTES_MAX + 1);
    assert_eq!(refused(&format!(r#""kid":"{long}""#)), Malformed::Header("kid").into());
    let long = "x".repeat(HEADER_BYTES_MAX);
    assert_eq!(refused(&format!(r#""x":"{long}""#)), Malformed::Header("too large").into());
    let long = format!("....{}", "x".repeat(TOKEN_BYTES_MAX));
    assert_eq!(inner(&long, &[]), Err(Malformed::TooLarge.into()));
}

#[test]
fn a_token_that_is_not_encrypted_is_left_alone() {
    for text in ["", "a.b.c", "a.b.c.d", "a.b.c.d.e.f"] {
        assert_eq!(inner(text, &[example_key()]), Ok(None), "{text}");
    }
}

#[test]
fn keys_have_the_lengths_that_algorithms_have() {
    for bytes in [0, 15, 17, 33, 65] {
        assert_eq!(
            OpeningKey::secret(&vec![1; bytes]).unwrap_err(),
            Unfit::SecretBytes(bytes),
            "{bytes}"
        );
    }
    let small = PKey::from_rsa(Rsa::generate(1_024).unwrap()).unwrap();
    assert_eq!(OpeningKey::rsa(&small).unwrap_err(), Unfit::RsaBits(1_024));
    assert_ne!(
        OpeningKey::secret(&[1; 16]).unwrap().fingerprint(),
        OpeningKey::secret(&[2; 16]).unwrap().fingerprint()
    );
    let known = OpeningKey::secret(&[26; 16]).unwrap();
    let other = OpeningKey::secret(&[27; 16]).unwrap();
    let printed = |key: &OpeningKey| format!("{key:?}");
    assert!(!printed(&known).contains("26, 26") && !printed(&known).contains("1a1a"));
    assert_eq!(printed(&known).len(), printed(&other).len(), "a key prints nothing of itself");
}
