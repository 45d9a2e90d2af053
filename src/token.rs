//! Gateway tokens: what a gateway shows the control plane to say who it is.
//!
//! A token is `GatewayKey {gateway}&{expiry}&{signature}`, as API Management writes it: the
//! gateway's name, the minute in UTC (`yyyyMMddHHmm`) from which on it is good for nothing, and
//! the HMAC-SHA-512 of both, in Base64, by one of the gateway's two keys. A [`Token`] is made and
//! read here; whether it is good, the control plane's [`ring::Ring`] knows; what a gateway needs to
//! know of its own is a [`credential::Credential`].
//!
//! A token has exactly one spelling: names cannot hold `&`, expiry has one form, and Base64 is
//! taken in its canonical form alone. So a list of revoked tokens cannot be passed by writing one
//! differently.

pub mod minute;
pub mod name;
pub mod key;
pub mod ring;
pub mod credential;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::{DIGEST_BYTES, digest};
use crate::secret::Secret;
use crate::time::Timestamp;

use key::{Key, SIGNATURE_BYTES, Unsigned};
use minute::Minute;
use name::GatewayName;

/// What every token begins with.
pub const SCHEME: &str = "GatewayKey ";
/// The longest text that is looked at as a token, in bytes; the longest token is shorter.
pub const TOKEN_BYTES_MAX: usize = 512;
/// How long a token may last.
pub const LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);
/// How long a token must last: what is shorter would be over by the minute it is cut to.
pub const LIFETIME_MIN: Duration = Duration::from_mins(1);

/// A token that is one by its form. Whether it is good is another question.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    gateway: GatewayName,
    expiry: Minute,
    signature: [u8; SIGNATURE_BYTES],
}

/// What stands for a token where it must not be shown: in lists of revoked ones, and in logs.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct TokenId([u8; DIGEST_BYTES]);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// More than [`TOKEN_BYTES_MAX`] bytes.
    #[error("it has more than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// Another beginning than [`SCHEME`].
    #[error("it does not begin with `GatewayKey` and one space")]
    Scheme,
    /// Not three parts.
    #[error("after `GatewayKey ` it does not have three parts with `&` between")]
    Parts,
    /// A first part that cannot be a gateway's name.
    #[error("its first part cannot be the name of a gateway")]
    Gateway,
    /// A second part that is no minute.
    #[error("its second part is no minute written as yyyyMMddHHmm")]
    Expiry,
    /// A third part that cannot be a signature.
    #[error("its third part is not the Base64 of {SIGNATURE_BYTES} bytes")]
    Signature,
}

/// Why a token is not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unmade {
    /// It would last longer than [`LIFETIME_MAX`].
    #[error("a token lasts at most {} days", LIFETIME_MAX.as_secs() / 86_400)]
    TooLong,
    /// It would last shorter than [`LIFETIME_MIN`].
    #[error("a token lasts at least a minute")]
    TooShort,
    /// It would end after the last minute that can be written.
    #[error("it would end after the year 9999")]
    TooFar,
    /// There is no such gateway.
    #[error("there are no keys of this gateway")]
    UnknownGateway,
    /// Every token that could be made was revoked.
    #[error("all tokens of this key that could be made are revoked: replace the key")]
    AllRevoked,
    /// The library that signs failed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
}

impl Token {
    /// A token of `gateway` that lasts for `lifetime` from `now` on, cut to the minute, signed
    /// with `key`. Two of one gateway, key and minute are the same token.
    pub fn create(
        gateway: &GatewayName,
        key: &Key,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, Unmade> {
        if LIFETIME_MAX < lifetime {
            return Err(Unmade::TooLong);
        }
        if lifetime < LIFETIME_MIN {
            return Err(Unmade::TooShort);
        }
        let expiry = Minute::of(now + lifetime).ok_or(Unmade::TooFar)?;
        Ok(Self::signed(gateway, expiry, key)?)
    }

    fn signed(gateway: &GatewayName, expiry: Minute, key: &Key) -> Result<Self, Unsigned> {
        let signature = key.sign(gateway, expiry)?;
        Ok(Self { gateway: gateway.clone(), expiry, signature })
    }

    /// Reads a token, to the letter: not even a space may follow it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if TOKEN_BYTES_MAX < text.len() {
            return Err(Malformed::TooLarge);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(Malformed::Scheme)?;
        let mut parts = rest.split('&');
        let (Some(gateway), Some(expiry), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Parts);
        };
        let gateway = GatewayName::parse(gateway).map_err(|_unfit| Malformed::Gateway)?;
        let expiry = Minute::parse(expiry).ok_or(Malformed::Expiry)?;
        let bytes = STANDARD.decode(signature).map_err(|_other| Malformed::Signature)?;
        let signature = bytes.try_into().map_err(|_length| Malformed::Signature)?;
        Ok(Self { gateway, expiry, signature })
    }

    /// The gateway that it names.
    pub const fn gateway(&self) -> &GatewayName {
        &self.gateway
    }

    /// From when on it is good for nothing.
    pub const fn expiry(&self) -> Minute {
        self.expiry
    }

    /// What stands for it where it must not be shown.
    pub fn id(&self) -> TokenId {
        TokenId(digest([self.signature]))
    }

    /// The token as a gateway shows it.
    pub fn text(&self) -> Secret {
        let signature = STANDARD.encode(self.signature);
        Secret::new(format!("{SCHEME}{}&{}&{signature}", self.gateway, self.expiry))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}&{}&[secret]", self.gateway, self.expiry)
    }
}

impl TokenId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let right = is_hex && text.len() == DIGEST_BYTES.saturating_mul(2);
        let number = u128::from_str_radix(text, 16).ok().filter(|_| right)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for TokenId {
    /// 32 hexadecimal digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests;
