//! Key sets as issuers publish them (RFC 7517): what can be used of one, and why the rest not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::KEY_ID_BYTES_MAX;
use super::algorithm::Algorithm;
use super::json::{self, Object};
use super::key::{Curve, Key, Unfit};

/// The largest key set, in bytes.
pub const JWKS_BYTES_MAX: usize = 256 << 10;
/// How many keys one may have.
pub const KEYS_MAX: usize = 100;

/// Members that only private keys and secrets have.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What can be used of a key set.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The keys that tokens can be verified with; at least one.
    pub keys: Vec<Key>,
    /// The others.
    pub unused: Vec<Unused>,
}

/// What an issuer has published.
#[derive(Clone, Debug)]
pub struct Published {
    /// What it calls itself.
    pub issuer: Arc<str>,
    /// Its keys.
    pub keys: Arc<KeySet>,
    /// Another number for other keys, of whatever issuer.
    pub version: u64,
}

impl AsRef<Self> for KeySet {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A key that is not used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unused {
    /// Which one of the set, from 0.
    pub index: usize,
    /// Its id, if it has one that can be shown.
    pub id: Option<String>,
    /// Why.
    pub why: Unfit,
}

/// Why a text is no key set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoKeySet {
    /// More than [`JWKS_BYTES_MAX`] bytes.
    #[error("the key set has more than {JWKS_BYTES_MAX} bytes")]
    TooLarge,
    /// Something else.
    #[error("this is no key set: a JSON object with a list of objects `keys`, no name twice")]
    Form,
    /// Too many keys.
    #[error("the key set has {0} keys; at most {KEYS_MAX} are read")]
    TooMany(usize),
    /// No key that can be used.
    #[error("no key of the set can verify a token")]
    NoneUsable,
}

/// Reads a key set. A key that is not for tokens is left out, as RFC 7517 asks for; so is one that
/// is weak, or that holds what should have stayed a secret.
pub fn read(text: &str) -> Result<KeySet, NoKeySet> {
    if JWKS_BYTES_MAX < text.len() {
        return Err(NoKeySet::TooLarge);
    }
    let set = json::object(text.as_bytes()).map_err(|_malformed| NoKeySet::Form)?;
    let Some(Value::Array(items)) = set.get("keys") else { return Err(NoKeySet::Form) };
    if KEYS_MAX < items.len() {
        return Err(NoKeySet::TooMany(items.len()));
    }
    let mut read = KeySet { keys: Vec::new(), unused: Vec::new() };
    for (index, item) in items.iter().enumerate() {
        let Value::Object(item) = item else { return Err(NoKeySet::Form) };
        match key(item) {
            Ok(key) => read.keys.push(key),
            Err(why) => read.unused.push(Unused { index, id: id_of(item).ok().flatten(), why }),
        }
    }
    if read.keys.is_empty() { Err(NoKeySet::NoneUsable) } else { Ok(read) }
}

fn key(item: &Object) -> Result<Key, Unfit> {
    let kind = text(item, "kty")?.ok_or(Unfit::Part("kty"))?;
    if kind == "oct" || PRIVATE.iter().any(|name| item.contains_key(*name)) {
        return Err(Unfit::Disclosed);
    }
    if text(item, "use")?.is_some_and(|purpose| purpose != "sig") || !may_verify(item)? {
        return Err(Unfit::Use);
    }
    let key = match kind {
        "RSA" => Key::rsa(&bytes(item, "n")?, &bytes(item, "e")?)?,
        "EC" => {
            let curve = text(item, "crv")?.ok_or(Unfit::Part("crv"))?;
            let curve = Curve::named(curve).ok_or(Unfit::Curve)?;
            Key::point(curve, &bytes(item, "x")?, &bytes(item, "y")?)?
        }
        _ => return Err(Unfit::Kind),
    };
    let key = match text(item, "alg")? {
        Some(name) => key.only(Algorithm::of(name).ok_or(Unfit::Algorithm)?)?,
        None => key,
    };
    Ok(match id_of(item)? {
        Some(id) => key.named(&id),
        None => key,
    })
}

/// Whether `key_ops` allows it to verify; without one it may.
fn may_verify(item: &Object) -> Result<bool, Unfit> {
    match item.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|it| it == "verify")),
        Some(_) => Err(Unfit::Part("key_ops")),
    }
}

fn id_of(item: &Object) -> Result<Option<String>, Unfit> {
    let id = text(item, "kid")?;
    match id.filter(|id| KEY_ID_BYTES_MAX < id.len()) {
        Some(_too_long) => Err(Unfit::Part("kid")),
        None => Ok(id.map(str::to_owned)),
    }
}

fn text<'i>(item: &'i Object, name: &'static str) -> Result<Option<&'i str>, Unfit> {
    match item.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unfit::Part(name)),
    }
}

fn bytes(item: &Object, name: &'static str) -> Result<Vec<u8>, Unfit> {
    let text = text(item, name)?.filter(|text| !text.is_empty()).ok_or(Unfit::Part(name))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_other| Unfit::Part(name))
}
