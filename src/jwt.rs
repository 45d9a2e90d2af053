//! JSON Web Tokens: whether one is good, by keys and rules that the caller has, and the time that
//! the caller says it is.
//!
//! It follows RFC 8725. What a token says of itself decides nothing: an algorithm belongs to a
//! key, and the header only chooses among what both the key and the rules allow; `none` is no
//! algorithm; keys and addresses that a token carries along (`jwk`, `jku`, `x5u`, `x5c`) are not
//! looked at. Names stand in an object once, Base64 is canonical, everything has a bound.

pub mod algorithm;
pub mod assertion;
pub mod claims;
pub mod encrypted;
pub mod identity;
mod json;
pub mod discovery;
pub mod jwks;
pub mod key;
mod parts;
pub mod required;

use std::time::Duration;

use crate::time::Timestamp;

use algorithm::Algorithm;
use claims::Claims;
use key::Key;
use parts::{Header, Parts, decoded};
use required::RequiredClaim;

/// The longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 32 << 10;
/// The longest header of a token as JSON, in bytes.
pub const HEADER_BYTES_MAX: usize = 4 << 10;
/// The longest id of a key, in bytes.
pub const KEY_ID_BYTES_MAX: usize = 256;
/// With how many keys a signature is compared that may be of any of them.
pub const TRIES_MAX: usize = 16;
/// The types that a token may have if nothing else is said. Those of other uses (`logout+jwt`,
/// `dpop+jwt`, …) are none of them, so that none of those passes for a token of access.
pub const USUAL_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// What a token must be.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The issuers that are believed, to the letter; anyone if there are none.
    pub issuers: Vec<String>,
    /// For whom the token may be, to the letter; one of them must be among its audiences. Anyone
    /// if there are none.
    pub audiences: Vec<String>,
    /// The algorithms that are allowed, of those that a key has.
    pub algorithms: Vec<Algorithm>,
    /// The types that are allowed, without `application/` and without regard to case; if none is
    /// listed, all but those that say with `+jwt` that they are of another use.
    pub types: Vec<String>,
    /// Whether a token must say its type.
    pub type_required: bool,
    /// Whether a token must say when it ends.
    pub expiry_required: bool,
    /// Whether a token is refused that was issued later than now.
    pub issued_before_now: bool,
    /// How far the clock of the issuer may be from ours.
    pub skew: Duration,
    /// What else must stand in it.
    pub claims: Vec<RequiredClaim>,
}

impl Default for Rules {
    /// Any issuer and audience; all algorithms; the usual types; an end, and no skew.
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
            types: USUAL_TYPES.map(str::to_owned).to_vec(),
            type_required: false,
            expiry_required: true,
            issued_before_now: true,
            skew: Duration::ZERO,
            claims: Vec::new(),
        }
    }
}

/// A token that is good. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    claims: Claims,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Verified {
    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What it says, alone.
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    /// How it was signed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id of the key that it names.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

/// Why a token is not good.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("there is no token")]
    NotPresent,
    /// It is none by its form.
    #[error("this is no signed JSON Web Token: {0}")]
    Malformed(Malformed),
    /// It has no signature.
    #[error("the token is not signed")]
    Unsigned,
    /// Signed in a way that is not allowed, or not known.
    #[error("the token is signed with an algorithm that is not allowed")]
    Algorithm,
    /// No key that the token may be signed with.
    #[error("there is no key of the id and the algorithm that the token names")]
    KeyNotFound,
    /// Another signature.
    #[error("the signature is wrong")]
    Signature,
    /// It is encrypted, and not for a key that is here, or not in a way that is known.
    #[error("the token cannot be decrypted with the keys that are here")]
    Decryption,
    /// It says that it must be understood in a way that we do not know.
    #[error("the token has critical extensions, of which none is known")]
    Critical,
    /// A type that is not allowed, or none.
    #[error("the token is of another type than those that are allowed")]
    Type,
    /// It does not say when it ends.
    #[error("the token has no `exp`")]
    NoExpiry,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
    /// It does not begin yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It was issued later than now.
    #[error("the token was issued in the future")]
    IssuedLater,
    /// Another issuer.
    #[error("the issuer of the token is not allowed")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It does not have what it must have.
    #[error("the token has no claim `{0}`")]
    ClaimNotFound(String),
    /// It has, but not with the value.
    #[error("the claim `{0}` has another value than those that are allowed")]
    ClaimValue(String),
}

/// What is wrong with the form of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// More than [`TOKEN_BYTES_MAX`] bytes.
    #[error("it has more than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// Several tokens where one belongs.
    #[error("there are several tokens")]
    Several,
    /// Not three parts.
    #[error("it does not have three parts with dots between")]
    Parts,
    /// Five parts.
    #[error("it is encrypted")]
    Encrypted,
    /// A part is no Base64 as URLs have it.
    #[error("a part of it is not Base64url")]
    Base64,
    /// A part is no JSON object with each name once.
    #[error("a part of it is no JSON object, or has a name twice")]
    Json,
    /// A parameter of the header is wrong.
    #[error("its header is wrong: `{0}`")]
    Header(&'static str),
    /// A token stands in it.
    #[error("another token stands in it")]
    Nested,
    /// A claim is wrong.
    #[error("the claim `{0}` is not what it can be")]
    Claim(&'static str),
}

impl Refusal {
    /// What API Management calls it, in `context.LastError.Reason`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotPresent => "TokenNotPresent",
            Self::Unsigned | Self::Algorithm | Self::Signature => "TokenSignatureInvalid",
            Self::KeyNotFound => "TokenSignatureKeyNotFound",
            Self::Expired => "TokenExpired",
            Self::Issuer => "TokenIssuerNotAllowed",
            Self::Audience => "TokenAudienceNotAllowed",
            Self::ClaimNotFound(_) => "TokenClaimNotFound",
            Self::ClaimValue(_) => "TokenClaimValueNotAllowed",
            Self::Malformed(_)
            | Self::Decryption
            | Self::Critical
            | Self::Type
            | Self::NoExpiry
            | Self::NotYet
            | Self::IssuedLater => "JwtInvalid",
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Whether the token that `text` is (without a scheme before it) is good at `now`.
pub fn verify(
    text: &str,
    keys: &[Key],
    rules: &Rules,
    now: Timestamp,
) -> Result<Verified, Refusal> {
    let (verified, _signer) = authentic(text, keys.iter(), rules)?;
    judge(&verified.claims, rules, now)?;
    Ok(verified)
}

/// Whether one of `keys` has signed the token that `text` is, with an algorithm and of a type that
/// `rules` allow, and which one. What it says is still to be [judged](judge).
pub fn authentic<'k>(
    text: &str,
    keys: impl Iterator<Item = &'k Key> + Clone,
    rules: &Rules,
) -> Result<(Verified, &'k Key), Refusal> {
    let parts = Parts::of(text)?;
    let header = Header::read(&parts)?;
    let algorithm = header.algorithm(rules)?;
    header.fits(rules)?;
    let signature = decoded(parts.signature)?;
    let tried = candidates(keys, header.key_id.as_deref(), algorithm);
    if tried.is_empty() {
        return Err(Refusal::KeyNotFound);
    }
    let text = parts.signed.as_bytes();
    let signer = tried.into_iter().find(|key| key.has_signed(algorithm, text, &signature));
    let signer = signer.ok_or(Refusal::Signature)?;
    // Nothing of what a stranger wrote is read before it is known that it was no stranger.
    let claims = Claims::read(json::object(&decoded(parts.payload)?)?)?;
    Ok((Verified { claims, algorithm, key_id: header.key_id }, signer))
}

/// What a token says that has no signature and says so (`alg` is `none`); nothing if it is another
/// one. Only for who has decided to believe everybody: [`authentic`] never takes it.
pub fn unsigned(text: &str, rules: &Rules) -> Option<Result<Claims, Refusal>> {
    let parts = Parts::of(text).ok()?;
    let header = Header::any(&parts).ok()?;
    if !header.is_none() || !parts.signature.is_empty() {
        return None;
    }
    let claims = || Ok(Claims::read(json::object(&decoded(parts.payload)?)?)?);
    Some(header.fits(rules).and_then(|()| claims()))
}

/// What a token says, believed by nobody: to choose the keys that it is verified with, and to see
/// when one's own ends.
pub fn unverified(text: &str) -> Result<Claims, Refusal> {
    let parts = Parts::of(text)?;
    Ok(Claims::read(json::object(&decoded(parts.payload)?)?)?)
}

/// The algorithm and the id of a key that a token names, believed by nobody: for a log.
pub fn signed_with(text: &str) -> Option<(String, Option<String>)> {
    let header = Header::read(&Parts::of(text).ok()?).ok()?;
    Some((header.algorithm, header.key_id))
}

/// The first keys that may have signed: those of the id that the token names, else those without
/// any; all, if it names none.
fn candidates<'k>(
    keys: impl Iterator<Item = &'k Key> + Clone,
    id: Option<&str>,
    algorithm: Algorithm,
) -> Vec<&'k Key> {
    let is_known = id.is_some() && keys.clone().any(|key| key.id() == id);
    let may = |key: &&Key| match (id, is_known) {
        (None, _) => true,
        (Some(_), true) => key.id() == id,
        (Some(_), false) => key.id().is_none(),
    };
    keys.filter(may).filter(|key| key.has(algorithm)).take(TRIES_MAX).collect()
}

/// Whether what an [authentic] token says is as `rules` want it at `now`.
pub fn judge(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<(), Refusal> {
    let is_one_of = |allowed: &[String], text: &str| allowed.iter().any(|it| it == text);
    match claims.expires() {
        Some(end) if end + rules.skew <= now => return Err(Refusal::Expired),
        None if rules.expiry_required => return Err(Refusal::NoExpiry),
        Some(_) | None => {}
    }
    if claims.begins().is_some_and(|begin| now + rules.skew < begin) {
        return Err(Refusal::NotYet);
    }
    let issued_later = || claims.issued().is_some_and(|issued| now + rules.skew < issued);
    if rules.issued_before_now && issued_later() {
        return Err(Refusal::IssuedLater);
    }
    let issuer = || claims.issuer().is_some_and(|issuer| is_one_of(&rules.issuers, issuer));
    if !rules.issuers.is_empty() && !issuer() {
        return Err(Refusal::Issuer);
    }
    let audience = || claims.audiences().any(|audience| is_one_of(&rules.audiences, audience));
    if !rules.audiences.is_empty() && !audience() {
        return Err(Refusal::Audience);
    }
    rules.claims.iter().try_for_each(|required| required.holds(claims))
}

#[cfg(test)]
mod tests;
