//! The ways to sign a token that are known: RFC 7518, section 3, without `none`.

use openssl::hash::MessageDigest;

/// A way to sign.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Algorithm {
    /// With what kind of key.
    pub family: Family,
    /// Over which hash.
    pub hash: Hash,
}

/// What kind of key signs, and how.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// HMAC, with a secret that both sides know.
    Hmac,
    /// RSA with the padding of PKCS #1 v1.5.
    Rsa,
    /// RSA with PSS.
    RsaPss,
    /// ECDSA; each hash with a curve of its own.
    Ecdsa,
}

/// A hash of the SHA-2 family.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 12] = {
        use Family::{Ecdsa, Hmac, Rsa, RsaPss};
        use Hash::{Sha256, Sha384, Sha512};
        [
            Self { family: Hmac, hash: Sha256 },
            Self { family: Hmac, hash: Sha384 },
            Self { family: Hmac, hash: Sha512 },
            Self { family: Rsa, hash: Sha256 },
            Self { family: Rsa, hash: Sha384 },
            Self { family: Rsa, hash: Sha512 },
            Self { family: RsaPss, hash: Sha256 },
            Self { family: RsaPss, hash: Sha384 },
            Self { family: RsaPss, hash: Sha512 },
            Self { family: Ecdsa, hash: Sha256 },
            Self { family: Ecdsa, hash: Sha384 },
            Self { family: Ecdsa, hash: Sha512 },
        ]
    };

    /// The algorithm of a name, to the letter.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name in the header of a token.
    pub const fn name(self) -> &'static str {
        match (self.family, self.hash) {
            (Family::Hmac, Hash::Sha256) => "HS256",
            (Family::Hmac, Hash::Sha384) => "HS384",
            (Family::Hmac, Hash::Sha512) => "HS512",
            (Family::Rsa, Hash::Sha256) => "RS256",
            (Family::Rsa, Hash::Sha384) => "RS384",
            (Family::Rsa, Hash::Sha512) => "RS512",
            (Family::RsaPss, Hash::Sha256) => "PS256",
            (Family::RsaPss, Hash::Sha384) => "PS384",
            (Family::RsaPss, Hash::Sha512) => "PS512",
            (Family::Ecdsa, Hash::Sha256) => "ES256",
            (Family::Ecdsa, Hash::Sha384) => "ES384",
            (Family::Ecdsa, Hash::Sha512) => "ES512",
        }
    }
}

impl Hash {
    /// How many bytes it gives.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}
