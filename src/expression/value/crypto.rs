//! Hashes and encodings.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// A hash algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A hash object: plain, or keyed. It does not print its key.
pub struct Hasher {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key of a keyed one, which can be set anew.
    key: Option<Mutex<Bytes>>,
}

/// `System.Text.Encoding`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Encoding {
    /// `UTF8`.
    Utf8,
    /// `ASCII`.
    Ascii,
    /// `Unicode`: UTF-16, low byte first.
    Unicode,
    /// `BigEndianUnicode`: UTF-16, high byte first.
    BigEndianUnicode,
    /// `Latin1`.
    Latin1,
    /// `UTF32`, low byte first.
    Utf32,
}

impl Algorithm {
    /// The name that .NET has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }
}

impl Hasher {
    /// A plain hash.
    pub const fn plain(algorithm: Algorithm) -> Self {
        Self { algorithm, key: None }
    }

    /// A hash with a key (HMAC).
    pub const fn keyed(algorithm: Algorithm, key: Bytes) -> Self {
        Self { algorithm, key: Some(Mutex::new(key)) }
    }

    /// The key of a keyed one.
    pub fn key(&self) -> Option<Bytes> {
        self.key.as_ref().map(|key| key.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Gives a keyed one another key; says whether it is one.
    pub fn set_key(&self, key: Bytes) -> bool {
        let Some(before) = &self.key else { return false };
        *before.lock().unwrap_or_else(PoisonError::into_inner) = key;
        true
    }

    /// The full .NET name of its class.
    pub const fn type_name(&self) -> &'static str {
        match (self.algorithm, self.key.is_some()) {
            (Algorithm::Md5, false) => "System.Security.Cryptography.MD5",
            (Algorithm::Sha1, false) => "System.Security.Cryptography.SHA1",
            (Algorithm::Sha256, false) => "System.Security.Cryptography.SHA256",
            (Algorithm::Sha384, false) => "System.Security.Cryptography.SHA384",
            (Algorithm::Sha512, false) => "System.Security.Cryptography.SHA512",
            (Algorithm::Md5, true) => "System.Security.Cryptography.HMACMD5",
            (Algorithm::Sha1, true) => "System.Security.Cryptography.HMACSHA1",
            (Algorithm::Sha256, true) => "System.Security.Cryptography.HMACSHA256",
            (Algorithm::Sha384, true) => "System.Security.Cryptography.HMACSHA384",
            (Algorithm::Sha512, true) => "System.Security.Cryptography.HMACSHA512",
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.type_name())
    }
}

impl Encoding {
    /// The full .NET name of its class.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Utf8 => "System.Text.UTF8Encoding",
            Self::Ascii => "System.Text.ASCIIEncoding",
            Self::Unicode | Self::BigEndianUnicode => "System.Text.UnicodeEncoding",
            Self::Latin1 => "System.Text.Latin1Encoding",
            Self::Utf32 => "System.Text.UTF32Encoding",
        }
    }

    /// `WebName`.
    pub const fn web_name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Ascii => "us-ascii",
            Self::Unicode => "utf-16",
            Self::BigEndianUnicode => "utf-16BE",
            Self::Latin1 => "iso-8859-1",
            Self::Utf32 => "utf-32",
        }
    }

    /// `CodePage`.
    pub const fn code_page(self) -> i32 {
        match self {
            Self::Utf8 => 65001,
            Self::Ascii => 20127,
            Self::Unicode => 1200,
            Self::BigEndianUnicode => 1201,
            Self::Latin1 => 28591,
            Self::Utf32 => 12000,
        }
    }

    /// `GetPreamble()`: the byte order mark.
    pub const fn preamble(self) -> &'static [u8] {
        match self {
            Self::Utf8 => &[0xef, 0xbb, 0xbf],
            Self::Ascii | Self::Latin1 => &[],
            Self::Unicode => &[0xff, 0xfe],
            Self::BigEndianUnicode => &[0xfe, 0xff],
            Self::Utf32 => &[0xff, 0xfe, 0, 0],
        }
    }
}
