//! Ciphers and keys that are filled step by step: `Aes`, `RSA`. None of them prints its key.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use openssl::pkey::{PKey, Private, Public};

/// `System.Security.Cryptography.SymmetricAlgorithm`.
pub struct Symmetric(Mutex<Settings>);

/// What a cipher is told.
#[derive(Clone)]
pub struct Settings {
    /// Whether it is `TripleDES`, not `Aes`.
    pub is_triple: bool,
    /// `Key`.
    pub key: Bytes,
    /// `IV`.
    pub iv: Bytes,
    /// `Mode`, a number of `CipherMode`.
    pub mode: i32,
    /// `Padding`, a number of `PaddingMode`.
    pub padding: i32,
}

/// `System.Security.Cryptography.ICryptoTransform`.
pub struct Transform {
    /// Whether it encrypts.
    pub encrypts: bool,
    /// What its cipher was told when it was made.
    pub settings: Settings,
}

/// `System.Security.Cryptography.RSA`.
#[derive(Default)]
pub struct Rsa(Mutex<Option<RsaKey>>);

/// A key of RSA.
#[derive(Clone)]
pub enum RsaKey {
    /// Verifies and encrypts.
    Public(PKey<Public>),
    /// Signs and decrypts too.
    Private(PKey<Private>),
}

impl Symmetric {
    /// A cipher with those settings.
    pub const fn new(settings: Settings) -> Self {
        Self(Mutex::new(settings))
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// Changes the settings.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settings {
    /// The length of a block, and so of `IV`, in bytes.
    pub const fn block_bytes(&self) -> usize {
        if self.is_triple { 8 } else { 16 }
    }

    /// The lengths that `Key` may have, in bytes.
    pub const fn key_bytes(&self) -> &'static [usize] {
        if self.is_triple { &[24] } else { &[16, 24, 32] }
    }
}

impl Rsa {
    /// Its key.
    pub fn key(&self) -> Option<RsaKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives it a key.
    pub fn set(&self, key: RsaKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }
}

impl fmt::Debug for Symmetric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Symmetric")
    }
}

impl fmt::Debug for Transform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Transform")
    }
}

impl fmt::Debug for Rsa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rsa")
    }
}
