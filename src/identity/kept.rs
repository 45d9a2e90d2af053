//! What a consent gave, and what became of it: refresh tokens, which a provider may replace whenever
//! one is used.
//!
//! One that was replaced is good no more, so all replicas must go on from the last one, and one
//! at a time. What is known of an authorization is a record on a shelf: in etcd where there is one, in
//! the folder of journals where there is only that, else in memory, which is enough for providers that
//! do not replace them. The record is sealed (AES-256-GCM) under a key that is made of the
//! authorization itself: who reads the shelf and not the configuration learns nothing.
//!
//! Who wants a new token claims the record first, by writing it with a condition that nobody else has
//! written meanwhile. Whoever finds it claimed waits, and takes the token that the other one got. A
//! claim ends by itself, should its owner die.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::digest::{digest, whole_digest};
use crate::etcd::Etcd;
use crate::policy::identity::asked::Token;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a claim lasts: longer than a token endpoint may take.
const CLAIM_LASTS: Duration = Duration::from_secs(30);
/// The largest record that is read, in bytes.
const RECORD_BYTES_MAX: usize = 512 << 10;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const TO_SEAL: &[u8] = b"weir authorization, version 1: seal";
const TO_NAME: &[u8] = b"weir authorization, version 1: name";

/// Where records lie.
#[derive(Debug)]
pub enum Shelf {
    /// In this process.
    Memory(Mutex<HashMap<String, (Vec<u8>, i64)>>),
    /// In files of this folder, which no other process writes.
    Folder(PathBuf),
    /// Where all replicas see them.
    Etcd(Box<Etcd>),
}

/// What is known of an authorization.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Record {
    /// What the next token is got with.
    refresh: String,
    /// The last token that was got.
    token: Option<Kept>,
    /// Until when somebody is getting the next one, in microseconds; 0: nobody is.
    claimed_until: u64,
}

#[derive(Clone, Deserialize, Serialize)]
struct Kept {
    text: String,
    claims: String,
    /// In microseconds.
    since: u64,
    until: u64,
}

/// Why a record cannot be read or written: the end of a sentence about the shelf.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// etcd does not answer, or not well.
    #[error("etcd: {0}")]
    Etcd(String),
    /// The folder cannot be used.
    #[error("{0:?}: {1}")]
    Folder(PathBuf, io::Error),
    /// The library of secrets refuses.
    #[error("cannot be sealed")]
    Seal,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::Memory(Mutex::default())
    }
}

impl Record {
    /// Nothing was got yet.
    pub(super) fn first(refresh: &Secret) -> Self {
        Self { refresh: refresh.expose().to_owned(), token: None, claimed_until: 0 }
    }

    /// What the next token is got with.
    pub(super) fn refresh(&self) -> Secret {
        Secret::new(self.refresh.clone())
    }

    /// The last token and how much of its life is left, unless that is the last quarter.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<(Token, Duration)> {
        let kept = self.token.as_ref()?;
        let (since, until) =
            (Timestamp::from_micros(kept.since), Timestamp::from_micros(kept.until));
        let left = until.since(now);
        let token = Token {
            text: Secret::new(kept.text.clone()),
            claims: Secret::new(kept.claims.clone()),
        };
        (until.since(since) / 4 < left).then_some((token, left))
    }

    /// Whether somebody is getting the next one.
    pub(super) const fn is_claimed(&self, now: Timestamp) -> bool {
        now.micros() < self.claimed_until
    }

    /// Whether the same somebody is getting it as there, or nobody in both.
    pub(super) const fn is_same_claim(&self, other: &Self) -> bool {
        self.claimed_until == other.claimed_until
    }

    /// The same, with the next token being got from now on.
    pub(super) fn claimed(self, now: Timestamp) -> Self {
        Self { claimed_until: (now + CLAIM_LASTS).micros(), ..self }
    }

    /// The same, with nobody getting the next one.
    pub(super) fn released(self) -> Self {
        Self { claimed_until: 0, ..self }
    }

    /// What is known after a token was got.
    pub(super) fn after(
        self,
        token: &Token,
        refresh: Option<Secret>,
        (since, life): (Timestamp, Duration),
    ) -> Self {
        let kept = Kept {
            text: token.text.expose().to_owned(),
            claims: token.claims.expose().to_owned(),
            since: since.micros(),
            until: (since + life).micros(),
        };
        let refresh = refresh.map_or(self.refresh, |refresh| refresh.expose().to_owned());
        Self { refresh, token: Some(kept), claimed_until: 0 }
    }

    fn seal(&self, print: &[u8; 32]) -> Option<Vec<u8>> {
        let clear = serde_json::to_vec(self).ok()?;
        let (mut nonce, mut tag) = ([0; NONCE_BYTES], [0; TAG_BYTES]);
        rand_bytes(&mut nonce).ok()?;
        let key = whole_digest([TO_SEAL, print.as_slice()]);
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, &key, Some(&nonce), TO_SEAL, &clear, &mut tag).ok()?;
        Some([nonce.as_slice(), &tag, &sealed].concat())
    }

    fn open(bytes: &[u8], print: &[u8; 32]) -> Option<Self> {
        let (nonce, rest) = bytes.split_at_checked(NONCE_BYTES)?;
        let (tag, sealed) = rest.split_at_checked(TAG_BYTES)?;
        let key = whole_digest([TO_SEAL, print.as_slice()]);
        let cipher = Cipher::aes_256_gcm();
        let clear = decrypt_aead(cipher, &key, Some(nonce), TO_SEAL, sealed, tag).ok()?;
        serde_json::from_slice(&clear).ok()
    }
}

/// Under which name the record of an authorization lies. It says nothing about it.
fn name(print: &[u8; 32]) -> String {
    let name = digest([TO_NAME, print.as_slice()]);
    let hexadecimal = format!("{:032x}", u128::from_be_bytes(name));
    format!("authorizations/{hexadecimal}")
}

impl Shelf {
    /// The record of the authorization with the fingerprint `print`, if there is one that can be
    /// read, and a number for [`Self::put`].
    pub(super) async fn get(&self, print: &[u8; 32]) -> Result<(Option<Record>, i64), Unkept> {
        let (bytes, changed) = self.read(&name(print)).await?;
        if bytes.is_empty() || RECORD_BYTES_MAX < bytes.len() {
            return Ok((None, changed));
        }
        let record = Record::open(&bytes, print);
        if record.is_none() {
            tracing::warn!("what was kept of an authorization is damaged: it is begun anew");
        }
        Ok((record, changed))
    }

    /// Writes `record`, if the number is still `changed`; whether it was.
    pub(super) async fn put(
        &self,
        print: &[u8; 32],
        record: &Record,
        changed: i64,
    ) -> Result<bool, Unkept> {
        let bytes = record.seal(print).ok_or(Unkept::Seal)?;
        let name = name(print);
        match self {
            Self::Memory(known) => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let before = known.get(&name).map_or(0, |(_bytes, changed)| *changed);
                if before == changed {
                    known.insert(name, (bytes, before.saturating_add(1)));
                }
                Ok(before == changed)
            }
            Self::Folder(folder) => {
                let path = folder.join(file(&name));
                let (whole, part) = (path.clone(), path.with_extension("part"));
                let write = move || {
                    fs::write(&part, bytes)?;
                    fs::File::open(&part)?.sync_all()?;
                    fs::rename(&part, whole)
                };
                let written = spawn_blocking(write).await;
                let written = written.unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into()));
                written.map(|()| true).map_err(|why| Unkept::Folder(path, why))
            }
            Self::Etcd(etcd) => {
                let key = format!("{}{name}", etcd.prefix());
                let put = etcd.put_if(&key, &bytes, changed, 0).await;
                put.map_err(|failed| Unkept::Etcd(failed.to_string()))
            }
        }
    }

    async fn read(&self, name: &str) -> Result<(Vec<u8>, i64), Unkept> {
        match self {
            Self::Memory(known) => {
                let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(known.get(name).cloned().unwrap_or_default())
            }
            Self::Folder(folder) => {
                let path = folder.join(file(name));
                let own = path.clone();
                let read = spawn_blocking(move || fs::read(own)).await;
                match read.unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into())) {
                    Ok(bytes) => Ok((bytes, 0)),
                    Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Default::default()),
                    Err(why) => Err(Unkept::Folder(path, why)),
                }
            }
            Self::Etcd(etcd) => {
                let key = format!("{}{name}", etcd.prefix());
                let found = etcd.get(&key).await;
                let found = found.map_err(|failed| Unkept::Etcd(failed.to_string()))?;
                Ok(found.map_or_else(Default::default, |it| (it.bytes, it.changed)))
            }
        }
    }
}

fn file(name: &str) -> String {
    name.replace('/', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const PRINT: [u8; 32] = [7; 32];

    #[test]
    fn a_record_opens_with_its_own_key_alone_and_shows_nothing() {
        let record = Record::first(&Secret::new("hunter2"));
        let sealed = record.seal(&PRINT).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(Record::open(&sealed, &PRINT).unwrap().refresh().expose(), "hunter2");
        assert!(Record::open(&sealed, &[8; 32]).is_none());
        let mut damaged = sealed;
        damaged[40] ^= 1;
        assert!(Record::open(&damaged, &PRINT).is_none());
        assert!(Record::open(b"short", &PRINT).is_none());
        assert_ne!(name(&PRINT), name(&[8; 32]));
    }

    #[test]
    fn a_token_is_taken_from_the_shelf_until_its_last_quarter() {
        let token = Token::plain("a");
        let record = Record::first(&Secret::new("r"));
        let hour = Duration::from_hours(1);
        let record = record.claimed(NOW).after(&token, None, (NOW, hour));
        assert!(!record.is_claimed(NOW));
        assert_eq!(record.refresh().expose(), "r");
        let later = |minutes| NOW + Duration::from_mins(minutes);
        assert_eq!(record.fresh(later(44)).unwrap().1, Duration::from_mins(16));
        assert!(record.fresh(later(45)).is_none() && record.fresh(later(90)).is_none());
        let replaced = record.after(&token, Some(Secret::new("s")), (NOW, hour));
        assert_eq!(replaced.refresh().expose(), "s");
    }

    #[tokio::test]
    async fn who_comes_second_writes_nothing() {
        let shelf = Shelf::default();
        let (none, changed) = shelf.get(&PRINT).await.unwrap();
        assert!(none.is_none());
        let record = Record::first(&Secret::new("r"));
        let claimed = record.clone().claimed(NOW);
        assert!(shelf.put(&PRINT, &claimed, changed).await.unwrap());
        assert!(!shelf.put(&PRINT, &record, changed).await.unwrap());
        let (found, _changed) = shelf.get(&PRINT).await.unwrap();
        let found = found.unwrap();
        assert!(found.is_claimed(NOW) && !found.is_claimed(NOW + CLAIM_LASTS));
        assert!(!found.released().is_claimed(NOW));
    }

    #[tokio::test]
    async fn a_folder_keeps_it_for_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::Folder(folder.path().to_owned());
        let record = Record::first(&Secret::new("r"));
        assert!(shelf.get(&PRINT).await.unwrap().0.is_none());
        assert!(shelf.put(&PRINT, &record, 0).await.unwrap());
        let again = Shelf::Folder(folder.path().to_owned());
        assert_eq!(again.get(&PRINT).await.unwrap().0.unwrap().refresh().expose(), "r");
        let away = Shelf::Folder(folder.path().join("away"));
        let why = away.put(&PRINT, &record, 0).await.unwrap_err().to_string();
        assert!(why.contains("away"), "{why}");
    }
}
