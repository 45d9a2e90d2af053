//! Whoever signs tokens: issuers with keys of their own, and forgers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{self, RsaPssSaltlen};

use crate::jwt::algorithm::{Algorithm, Family, Hash};
use crate::jwt::key::{Curve, Key};

/// A key that signs.
pub(super) enum Signer {
    Hmac(Vec<u8>),
    Rsa(PKey<Private>),
    Ec(PKey<Private>, Curve),
}

/// Claims that are right by the rules of these tests.
pub(super) fn claims() -> String {
    r#"{"iss":"https://i","aud":"weir","sub":"me","exp":1800000001}"#.to_owned()
}

/// A token of its parts.
pub(super) fn text(header: &str, claims: &str, signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(signature))
}

/// A secret of its own for each number, and the key that verifies.
pub(super) fn secret(number: u8) -> (Signer, Key) {
    let bytes: Vec<u8> = (0..64_u8).map(|at| at.wrapping_add(number)).collect();
    let key = Key::secret(&bytes).unwrap();
    (Signer::Hmac(bytes), key)
}

impl Signer {
    pub(super) fn rsa(bits: u32) -> (Self, Key) {
        let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        let signer = Self::Rsa(key);
        let public = Key::public(signer.public()).unwrap();
        (signer, public)
    }

    pub(super) fn ec(curve: Curve) -> (Self, Key) {
        let nid = match curve {
            Curve::P256 => Nid::X9_62_PRIME256V1,
            Curve::P384 => Nid::SECP384R1,
            Curve::P521 => Nid::SECP521R1,
        };
        let group = EcGroup::from_curve_name(nid).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let signer = Self::Ec(key, curve);
        let public = Key::public(signer.public()).unwrap();
        (signer, public)
    }

    /// As many as it takes to sign with every algorithm.
    pub(super) fn one_of_each() -> Vec<(Self, Key)> {
        let curves = [Curve::P256, Curve::P384, Curve::P521];
        [secret(1), Self::rsa(2_048)].into_iter().chain(curves.map(Self::ec)).collect()
    }

    /// Another one of the same kind.
    pub(super) fn another(&self) -> (Self, Key) {
        match self {
            Self::Hmac(_) => secret(99),
            Self::Rsa(_) => Self::rsa(2_048),
            Self::Ec(_, curve) => Self::ec(*curve),
        }
    }

    pub(super) fn signs(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Hmac(_) => algorithm.family == Family::Hmac,
            Self::Rsa(_) => matches!(algorithm.family, Family::Rsa | Family::RsaPss),
            Self::Ec(_, curve) => {
                let hash = match curve {
                    Curve::P256 => Hash::Sha256,
                    Curve::P384 => Hash::Sha384,
                    Curve::P521 => Hash::Sha512,
                };
                algorithm == Algorithm { family: Family::Ecdsa, hash }
            }
        }
    }

    /// The public part.
    pub(super) fn public(&self) -> PKey<Public> {
        let (Self::Rsa(key) | Self::Ec(key, _)) = self else { panic!("a secret has none") };
        PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap()
    }

    /// A token signed with `algorithm`, whatever its header says.
    pub(super) fn token(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        self.salted(algorithm, header, claims, algorithm.hash.bytes())
    }

    /// The same with a salt of so many bytes, if it is PSS.
    pub(super) fn salted(
        &self,
        algorithm: Algorithm,
        header: &str,
        claims: &str,
        salt: usize,
    ) -> String {
        let unsigned = text(header, claims, b"");
        let signed = unsigned.trim_end_matches('.').as_bytes();
        let raw = self.sign(algorithm, signed, salt);
        let signature = match self {
            Self::Hmac(_) | Self::Rsa(_) => raw,
            Self::Ec(_, curve) => {
                let width = match curve {
                    Curve::P256 => 32,
                    Curve::P384 => 48,
                    Curve::P521 => 66,
                };
                let parts = EcdsaSig::from_der(&raw).unwrap();
                let wide = |number: &openssl::bn::BigNumRef| number.to_vec_padded(width).unwrap();
                [wide(parts.r()), wide(parts.s())].concat()
            }
        };
        text(header, claims, &signature)
    }

    /// The signature as the library writes it: DER, for curves.
    pub(super) fn raw(&self, algorithm: Algorithm, signed: &[u8]) -> Vec<u8> {
        self.sign(algorithm, signed, algorithm.hash.bytes())
    }

    fn sign(&self, algorithm: Algorithm, data: &[u8], salt: usize) -> Vec<u8> {
        let digest = algorithm.hash.digest();
        let hmac;
        let key = match self {
            Self::Hmac(bytes) => {
                hmac = PKey::hmac(bytes).unwrap();
                &hmac
            }
            Self::Rsa(key) | Self::Ec(key, _) => key,
        };
        let mut signer = sign::Signer::new(digest, key).unwrap();
        if algorithm.family == Family::RsaPss {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_mgf1_md(digest).unwrap();
            let salt = RsaPssSaltlen::custom(i32::try_from(salt).unwrap());
            signer.set_rsa_pss_saltlen(salt).unwrap();
        }
        signer.sign_oneshot_to_vec(data).unwrap()
    }
}
