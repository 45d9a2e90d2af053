//! Keys that tokens are verified with. What a key can verify is settled when it is made.

use std::fmt;
use std::hint::black_box;

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};

use super::algorithm::{Algorithm, Family, Hash};
use crate::digest::whole_digest;

/// How many bits the modulus of an RSA key has at least.
pub const RSA_BITS_MIN: i32 = 2_048;
/// How many it has at most: with more, a signature costs more than a request.
pub const RSA_BITS_MAX: i32 = 8_192;
/// How many bits its exponent has at most, for the same reason.
const EXPONENT_BITS_MAX: i32 = 33;
/// How many bytes a secret has at most.
pub const SECRET_BYTES_MAX: usize = 1 << 10;

/// A key, and what it can verify.
#[derive(Clone)]
pub struct Key {
    id: Option<Box<str>>,
    algorithms: Vec<Algorithm>,
    material: Material,
    /// The same for the same material.
    fingerprint: [u8; 32],
}

#[derive(Clone)]
enum Material {
    Public(PKey<Public>),
    Secret(SecretBytes),
}

/// Bytes that are overwritten when they go.
#[derive(Clone)]
pub(super) struct SecretBytes(pub(super) Box<[u8]>);

/// Why something cannot be a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// RSA with too few or too many bits.
    #[error("an RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits, not {0}")]
    RsaBits(i32),
    /// RSA with numbers that no right key has.
    #[error("the modulus or the exponent of this RSA key is not that of one")]
    RsaNumbers,
    /// A curve that no algorithm uses.
    #[error("no algorithm uses this curve: P-256, P-384 and P-521 are known")]
    Curve,
    /// No point of the curve.
    #[error("this is no point of its curve")]
    Point,
    /// A secret too short for any algorithm.
    #[error("a secret has 32 to {SECRET_BYTES_MAX} bytes, not {0}")]
    SecretBytes(usize),
    /// A kind of key that is not known.
    #[error("keys of this kind are not known")]
    Kind,
    /// An algorithm that is not known, or not of this key.
    #[error("this key cannot have this algorithm")]
    Algorithm,
    /// A key that is for something else.
    #[error("this key is not for signatures")]
    Use,
    /// A private key or a secret where everybody can read it.
    #[error("this key is no secret any more: it stands among public ones")]
    Disclosed,
    /// A part that is missing, or not of its form.
    #[error("`{0}` is missing, or not of its form")]
    Part(&'static str),
    /// The library refused it.
    #[error("this key cannot be used")]
    Unusable,
}

impl From<ErrorStack> for Unfit {
    fn from(_refused: ErrorStack) -> Self {
        Self::Unusable
    }
}

impl Key {
    /// A public key of any kind, such as that of a certificate.
    pub fn public(key: PKey<Public>) -> Result<Self, Unfit> {
        let algorithms = algorithms_of(&key)?;
        let fingerprint = whole_digest([b"public".as_slice(), &key.public_key_to_der()?]);
        Ok(Self { id: None, algorithms, material: Material::Public(key), fingerprint })
    }

    /// An RSA key of its modulus and its exponent, the first byte the highest.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Unfit> {
        // Before anything is computed with them.
        let bytes_max = usize::try_from(RSA_BITS_MAX / 8).unwrap_or(0).saturating_add(1);
        if bytes_max < modulus.len() || bytes_max < exponent.len() {
            return Err(Unfit::RsaNumbers);
        }
        let (modulus, exponent) = (BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?);
        Self::public(PKey::from_rsa(Rsa::from_public_components(modulus, exponent)?)?)
    }

    /// The point of a curve, by its two coordinates as long as the curve's numbers are.
    pub fn point(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, Unfit> {
        if x.len() != curve.bytes() || y.len() != curve.bytes() {
            return Err(Unfit::Point);
        }
        let group = EcGroup::from_curve_name(curve.nid())?;
        let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
        let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y);
        Self::public(PKey::from_ec_key(key.map_err(|_refused| Unfit::Point)?)?)
    }

    /// A secret that both sides know. It verifies with the hashes that are no longer than it is.
    pub fn secret(bytes: &[u8]) -> Result<Self, Unfit> {
        let fits = |it: Algorithm| it.family == Family::Hmac && it.hash.bytes() <= bytes.len();
        let algorithms = all(fits);
        if algorithms.is_empty() || SECRET_BYTES_MAX < bytes.len() {
            return Err(Unfit::SecretBytes(bytes.len()));
        }
        let fingerprint = whole_digest([b"secret".as_slice(), bytes]);
        let material = Material::Secret(SecretBytes(bytes.into()));
        Ok(Self { id: None, algorithms, material, fingerprint })
    }

    /// The same with an id, which tokens name.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        self.id = Some(Box::from(id));
        self
    }

    /// The same for one algorithm only.
    pub fn only(mut self, algorithm: Algorithm) -> Result<Self, Unfit> {
        if !self.has(algorithm) {
            return Err(Unfit::Algorithm);
        }
        self.algorithms = vec![algorithm];
        Ok(self)
    }

    /// Its id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What is the same for the same key, whatever its id, and differs for others.
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether it verifies `algorithm`.
    pub fn has(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether `signature` is that of `signed`.
    pub(super) fn has_signed(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.has(algorithm) {
            return false;
        }
        let compared = match &self.material {
            Material::Secret(SecretBytes(secret)) => hmac(secret, algorithm.hash, signed)
                .map(|right| right.len() == signature.len() && memcmp::eq(&right, signature)),
            Material::Public(key) => verified(key, algorithm, signed, signature),
        };
        // What the library cannot even compare is no signature.
        compared.unwrap_or(false)
    }
}

/// What a public key can verify, if it is a right one.
fn algorithms_of(key: &PKey<Public>) -> Result<Vec<Algorithm>, Unfit> {
    if key.id() == Id::RSA {
        let rsa = key.rsa()?;
        let (modulus, exponent) = (rsa.n(), rsa.e());
        let bits = modulus.num_bits();
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(Unfit::RsaBits(bits));
        }
        // With an exponent of one, every message is its own signature.
        let small = exponent.num_bits() < 2 || EXPONENT_BITS_MAX < exponent.num_bits();
        if small || !exponent.is_bit_set(0) || !modulus.is_bit_set(0) {
            return Err(Unfit::RsaNumbers);
        }
        let families = [Family::Rsa, Family::RsaPss];
        return Ok(all(|algorithm| families.contains(&algorithm.family)));
    }
    if key.id() == Id::EC {
        let ec = key.ec_key()?;
        ec.check_key().map_err(|_refused| Unfit::Point)?;
        let hash = ec.group().curve_name().and_then(hash_of).ok_or(Unfit::Curve)?;
        return Ok(vec![Algorithm { family: Family::Ecdsa, hash }]);
    }
    Err(Unfit::Kind)
}

fn all(which: impl Fn(Algorithm) -> bool) -> Vec<Algorithm> {
    Algorithm::ALL.into_iter().filter(|algorithm| which(*algorithm)).collect()
}

fn hmac(secret: &[u8], hash: Hash, signed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(secret)?;
    Signer::new(hash.digest(), &key)?.sign_oneshot_to_vec(signed)
}

fn verified(
    key: &PKey<Public>,
    algorithm: Algorithm,
    signed: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let digest = algorithm.hash.digest();
    let mut verifier = Verifier::new(digest, key)?;
    match algorithm.family {
        Family::Rsa => verifier.set_rsa_padding(Padding::PKCS1)?,
        Family::RsaPss => {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_mgf1_md(digest)?;
            // RFC 7518, section 3.5: the salt is as long as the hash.
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        Family::Ecdsa => {
            // RFC 7518, section 3.4: two numbers, each as long as the curve's.
            let bytes = Curve::of(algorithm.hash).bytes();
            let Some((r, s)) = signature.split_at_checked(bytes).filter(|(_, s)| s.len() == bytes)
            else {
                return Ok(false);
            };
            let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
            let signature = EcdsaSig::from_private_components(r, s)?.to_der()?;
            return verifier.verify_oneshot(&signature, signed);
        }
        Family::Hmac => return Ok(false),
    }
    verifier.verify_oneshot(signature, signed)
}

/// A curve that algorithms use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// P-256, for ES256.
    P256,
    /// P-384, for ES384.
    P384,
    /// P-521, for ES512.
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve of a name in key sets.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    const fn of(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::P256,
            Hash::Sha384 => Self::P384,
            Hash::Sha512 => Self::P521,
        }
    }

    const fn hash(self) -> Hash {
        match self {
            Self::P256 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }

    /// How many bytes its numbers have.
    const fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn nid(self) -> Nid {
        match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
        }
    }
}

fn hash_of(nid: Nid) -> Option<Hash> {
    Curve::ALL.into_iter().find(|curve| curve.nid() == nid).map(Curve::hash)
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without this the compiler may see that nobody reads the zeros and leave them out.
        black_box(&*self.0);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        write!(formatter, "Key({:?}, {})", self.id, names.join(" "))
    }
}
