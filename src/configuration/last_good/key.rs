//! What copies are sealed with: a secret of the operator's, or the credential of the gateway.
//!
//! The secret itself seals nothing: each slot has a key of its own, made of the secret and of the
//! slot's random salt (HKDF, RFC 5869, with SHA-256).

use std::fmt;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::memcmp;
use openssl::pkey::Id;
use openssl::pkey_ctx::PkeyCtx;

use super::file;
use crate::configuration::source::Stamp;

/// The shortest secret, in bytes.
pub const SECRET_BYTES_MIN: usize = 32;
/// The largest file with a secret, in bytes.
const FILE_BYTES_MAX: usize = 64 << 10;

/// What copies are sealed with. It does not print.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// A file with a secret, which may be replaced while the gateway runs.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    /// What it looked like when it was read last.
    stamp: Option<Stamp>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key {} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Too short to keep a secret.
    #[error(
        "the key is too short: it needs {SECRET_BYTES_MIN} bytes, as `openssl rand 32` makes them, or a text of as many characters"
    )]
    Short,
}

impl Key {
    /// The key that comes of `secret`: [`SECRET_BYTES_MIN`] bytes as they are, or a longer text,
    /// whose line end does not count.
    pub fn of(secret: &[u8]) -> Result<Self, KeyError> {
        let secret =
            if secret.len() == SECRET_BYTES_MIN { secret } else { secret.trim_ascii_end() };
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::Short);
        }
        Ok(Self(secret.to_vec()))
    }

    /// `BYTES` bytes that only who has the key can know, for this `salt` and `purpose`.
    pub(super) fn derive<const BYTES: usize>(
        &self,
        salt: &[u8],
        purpose: &[u8],
    ) -> Result<[u8; BYTES], ErrorStack> {
        let mut context = PkeyCtx::new_id(Id::HKDF)?;
        context.derive_init()?;
        context.set_hkdf_md(Md::sha256())?;
        context.set_hkdf_key(&self.0)?;
        context.set_hkdf_salt(salt)?;
        context.add_hkdf_info(purpose)?;
        let mut bytes = [0; BYTES];
        context.derive(Some(&mut bytes))?;
        Ok(bytes)
    }
}

impl KeyFile {
    /// The file at `path`.
    pub const fn at(path: PathBuf) -> Self {
        Self { path, stamp: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key in it.
    pub fn read(&mut self) -> Result<Key, KeyError> {
        // Looked at first: what changes after that is noticed.
        self.stamp = Stamp::at(&self.path);
        let unreadable = |error| KeyError::Unreadable { path: self.path.clone(), error };
        let mut secret = file::read(&self.path, FILE_BYTES_MAX).map_err(unreadable)?;
        let key = Key::of(&secret);
        clear(&mut secret);
        key
    }

    /// Whether it looks different than when it was read.
    pub fn has_changed(&self) -> bool {
        Stamp::at(&self.path) != self.stamp
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && memcmp::eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        clear(&mut self.0);
    }
}

fn clear(bytes: &mut [u8]) {
    bytes.fill(0);
    // Without this the compiler may see that nobody reads the zeros and leave them out.
    black_box(bytes);
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}
