//! A token that a client makes of itself (RFC 7523), signed with the key of its certificate.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::x509::X509;
use serde_json::json;

use super::algorithm::{Algorithm, Family, Hash};
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long an assertion is good: it is used at once.
pub const LIFE: Duration = Duration::from_mins(5);
/// How many bytes each of the two numbers of an ES256 signature has.
const NUMBER_BYTES: i32 = 32;

/// Who signs assertions: the key of a certificate.
pub struct Signatory {
    key: PKey<Private>,
    algorithm: Algorithm,
    /// The SHA-256 of the certificate, in Base64url: `x5t#S256`.
    thumbprint: String,
}

/// Why a certificate and a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// One of them is none.
    #[error("this is no certificate and key in PEM: {0}")]
    Unreadable(#[from] ErrorStack),
    /// No certificate.
    #[error("there is no certificate")]
    Empty,
    /// They do not belong together.
    #[error("the key is not that of the certificate")]
    Strangers,
    /// No algorithm for the key, or not the one that is asked for.
    #[error("a key signs with RS256 or PS256 if it is RSA, with ES256 if it is of P-256, not so")]
    Algorithm,
}

impl Signatory {
    /// Whoever has the certificate that stands first in `certificate` and its key, both PEM. Without
    /// an algorithm, RSA signs with PS256.
    pub fn of(
        certificate: &[u8],
        key: &[u8],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, Unable> {
        let chain = X509::stack_from_pem(certificate)?;
        let own = chain.first().ok_or(Unable::Empty)?;
        let key = PKey::private_key_from_pem(key)?;
        if !own.public_key()?.public_eq(&key) {
            return Err(Unable::Strangers);
        }
        let may = may(&key)?;
        let algorithm = match algorithm {
            None => may.first().copied(),
            Some(wanted) => may.into_iter().find(|known| *known == wanted),
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(own.digest(MessageDigest::sha256())?);
        Ok(Self { key, algorithm: algorithm.ok_or(Unable::Algorithm)?, thumbprint })
    }

    /// An assertion of `client` for `audience`; `id` is one that no other has.
    pub fn assertion(
        &self,
        client: &str,
        audience: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Secret, Unable> {
        let seconds = now.micros() / 1_000_000;
        let header = json!({
            "alg": self.algorithm.name(), "typ": "JWT", "x5t#S256": self.thumbprint,
        });
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "jti": id,
            "nbf": seconds, "iat": seconds, "exp": seconds.saturating_add(LIFE.as_secs()),
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let unsigned = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.sign(unsigned.as_bytes())?;
        Ok(Secret::new(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn sign(&self, unsigned: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let digest = self.algorithm.hash.digest();
        let mut signer = Signer::new(digest, &self.key)?;
        match self.algorithm.family {
            Family::RsaPss => {
                signer.set_rsa_padding(Padding::PKCS1_PSS)?;
                signer.set_rsa_mgf1_md(digest)?;
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            }
            Family::Rsa => signer.set_rsa_padding(Padding::PKCS1)?,
            Family::Ecdsa | Family::Hmac => {}
        }
        let raw = signer.sign_oneshot_to_vec(unsigned)?;
        if self.algorithm.family != Family::Ecdsa {
            return Ok(raw);
        }
        let numbers = EcdsaSig::from_der(&raw)?;
        let mut both = numbers.r().to_vec_padded(NUMBER_BYTES)?;
        both.extend(numbers.s().to_vec_padded(NUMBER_BYTES)?);
        Ok(both)
    }
}

/// What a key may sign with, the best first.
fn may(key: &PKey<Private>) -> Result<Vec<Algorithm>, ErrorStack> {
    let with = |family: Family| Algorithm { family, hash: Hash::Sha256 };
    if key.id() == Id::RSA {
        return Ok(vec![with(Family::RsaPss), with(Family::Rsa)]);
    }
    let is_p256 =
        key.id() == Id::EC && key.ec_key()?.group().curve_name() == Some(Nid::X9_62_PRIME256V1);
    Ok(if is_p256 { vec![with(Family::Ecdsa)] } else { Vec::new() })
}

impl fmt::Debug for Signatory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Signatory");
        shown.field("algorithm", &self.algorithm).field("thumbprint", &self.thumbprint);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::rsa::Rsa;

    use super::*;
    use crate::jwt::key::Key;
    use crate::jwt::{Rules, verify};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    /// A certificate of this key, and the key, as PEM.
    fn certified(key: &PKey<Private>) -> (Vec<u8>, Vec<u8>) {
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(key).unwrap();
        let day = |day: u32| Asn1Time::days_from_now(day).unwrap();
        builder.set_not_before(&day(0)).unwrap();
        builder.set_not_after(&day(1)).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        (builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
    }

    fn curve(nid: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(nid).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_signed_by_the_key_and_names_the_certificate() {
        let rsa = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
        let p256 = curve(Nid::X9_62_PRIME256V1);
        let of = |name: &str| Algorithm::of(name);
        for (key, wanted, expected) in [
            (&rsa, None, "PS256"),
            (&rsa, of("RS256"), "RS256"),
            (&p256, None, "ES256"),
            (&p256, of("ES256"), "ES256"),
        ] {
            let (certificate, pem) = certified(key);
            let signatory = Signatory::of(&certificate, &pem, wanted).unwrap();
            let made = signatory.assertion("weir", "https://i/token", "7", NOW).unwrap();
            let public = PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap();
            let rules = Rules { audiences: vec!["https://i/token".to_owned()], ..Rules::default() };
            let key = Key::public(public).unwrap();
            let verified = verify(made.expose(), &[key], &rules, NOW).unwrap();
            assert_eq!(verified.algorithm().name(), expected);
            let claims = verified.claims();
            assert_eq!((claims.issuer(), claims.subject()), (Some("weir"), Some("weir")));
            assert_eq!(claims.expires(), Some(NOW + LIFE));
            let header = made.expose().split('.').next().unwrap();
            let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
            let own = X509::from_pem(&certificate).unwrap().digest(MessageDigest::sha256());
            let thumbprint = URL_SAFE_NO_PAD.encode(own.unwrap());
            assert!(header.contains(&format!(r#""x5t#S256":"{thumbprint}""#)), "{header}");
            assert!(!format!("{signatory:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn what_does_not_belong_together_cannot_sign() {
        let (p256, p384) = (curve(Nid::X9_62_PRIME256V1), curve(Nid::SECP384R1));
        let ((own, key), (other, other_key)) = (certified(&p256), certified(&p384));
        let refused = |certificate: &[u8], key: &[u8], algorithm: &str| {
            Signatory::of(certificate, key, Algorithm::of(algorithm)).unwrap_err()
        };
        assert!(matches!(refused(&own, &other_key, ""), Unable::Strangers));
        assert!(matches!(refused(&other, &other_key, ""), Unable::Algorithm));
        assert!(matches!(refused(&own, &key, "RS256"), Unable::Algorithm));
        assert!(matches!(refused(b"", &key, ""), Unable::Empty));
        assert!(matches!(refused(&own, b"x", ""), Unable::Unreadable(_)));
    }
}
