//! Tokens in cases: `{token HEADER CLAIMS SECRET}` in a field of a request stands for the token of
//! this header and these claims, signed by HMAC with that secret; without one, for one that is not
//! signed. `{sealed HEADER SECRET TOKEN}` is a token encrypted with that secret (`dir` and
//! `A256CBC-HS512`, whatever the header says).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{self, Cipher};

use crate::backend::sidecar::Sidecar;
use crate::backend::{Backend, BaseUrl};
use crate::jwt::key::Key;
use crate::secret::Secret;

/// How many bytes a secret has: enough for every hash.
const SECRET_BYTES: usize = 64;
const BEGINS: &str = "{token ";
const SEALED: &str = "{sealed ";

/// The secret `name`: as often as it takes.
fn secret(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(SECRET_BYTES).collect()
}

/// The key that verifies what the secret `name` signs.
pub(super) fn key(id: &str, name: &str) -> Key {
    let key = Key::secret(&secret(name)).expect("it is long enough");
    if id == "-" { key } else { key.named(id) }
}

/// The backend `id`.
pub(super) fn backend(id: &str, url: &str) -> Result<Arc<Backend>, String> {
    let base = BaseUrl::parse(url).map_err(|refused| refused.to_string())?;
    Ok(Arc::new(Backend::at(id.into(), Arc::new(base))))
}

/// Dapr's sidecar, which wants this token.
pub(super) fn sidecar(token: &str) -> Arc<Sidecar> {
    let token = Some(Secret::new(token));
    Arc::new(Sidecar::new(Sidecar::usual_base(), Sidecar::usual_calls(), token))
}

/// `text` with tokens in it.
pub(super) fn forged(text: &str) -> Result<String, String> {
    if let Some((before, rest)) = text.split_once(SEALED) {
        let wrong = || format!("this is no encrypted token: {text}");
        let (header, rest) = json(rest).ok_or_else(wrong)?;
        let (name, rest) = rest.trim_start().split_once(' ').ok_or_else(wrong)?;
        let rest = forged(rest)?;
        let (inner, after) = rest.split_once('}').ok_or_else(wrong)?;
        return Ok(format!("{before}{}{after}", sealed(header, &secret(name), inner)));
    }
    let Some((before, rest)) = text.split_once(BEGINS) else { return Ok(text.to_owned()) };
    let wrong = || format!("this is no token: {text}");
    let (header, rest) = json(rest).ok_or_else(wrong)?;
    let (claims, rest) = json(rest).ok_or_else(wrong)?;
    let (name, after) = rest.split_once('}').ok_or_else(wrong)?;
    let unsigned = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let digest = match header {
        header if header.contains("HS384") => MessageDigest::sha384(),
        header if header.contains("HS512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let signature = match name.trim() {
        "" => Vec::new(),
        name => {
            let key = PKey::hmac(&secret(name)).expect("a secret");
            let mut signer = Signer::new(digest, &key).expect("a signer");
            signer.sign_oneshot_to_vec(unsigned.as_bytes()).expect("a signature")
        }
    };
    Ok(format!("{before}{unsigned}.{}{}", encode(&signature), forged(after)?))
}

fn sealed(header: &str, key: &[u8], inner: &str) -> String {
    let header = encode(header.as_bytes());
    let (authenticates, encrypts) = key.split_at(key.len() / 2);
    let vector = [0; 16];
    let text = symm::encrypt(Cipher::aes_256_cbc(), encrypts, Some(&vector), inner.as_bytes());
    let text = text.expect("a text");
    let bits = u64::try_from(header.len() * 8).expect("a length").to_be_bytes();
    let key = PKey::hmac(authenticates).expect("a secret");
    let mut signer = Signer::new(MessageDigest::sha512(), &key).expect("a signer");
    let whole = [header.as_bytes(), &vector, &text, &bits].concat();
    let mut tag = signer.sign_oneshot_to_vec(&whole).expect("a tag");
    tag.truncate(tag.len() / 2);
    format!("{header}..{}.{}.{}", encode(&vector), encode(&text), encode(&tag))
}

/// The JSON at the beginning of `text` as it is written, however hostile, and what comes behind it.
/// No bracket may stand in a string.
fn json(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.checked_sub(1)?,
            _ => (),
        }
        if depth == 0 {
            return text.split_at_checked(at + 1);
        }
    }
    None
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
