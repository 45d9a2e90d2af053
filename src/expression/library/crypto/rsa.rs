//! `RSA`: keys by their numbers or as text, signatures, and short secrets.

use bytes::Bytes;
use openssl::bn::BigNum;
use openssl::encrypt::{Decrypter, Encrypter};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::md::{Md, MdRef};
use openssl::pkey::PKey;
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};

use super::{algorithm, digest, failed};
use crate::expression::value::cipher::RsaKey;
use crate::expression::value::crypto::Algorithm;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The longest key that is worked with, in bits: a longer one costs too much of a processor.
pub const RSA_BITS_MAX: u32 = 4096;

/// The numbers of a key, as `RSAParameters` has them.
#[derive(Debug, Default)]
pub struct Numbers {
    /// `Modulus`.
    pub modulus: Bytes,
    /// `Exponent`.
    pub exponent: Bytes,
    /// `D`; empty in a public key.
    pub d: Bytes,
    /// `P`, `Q`, `DP`, `DQ`, `InverseQ`.
    pub rest: [Bytes; 5],
}

fn refused(message: impl Into<String>) -> Thrown {
    Thrown::new(ExceptionKind::Cryptographic, message)
}

/// The key of `numbers`.
pub fn of_numbers(numbers: &Numbers) -> Result<RsaKey, Thrown> {
    let number = |bytes: &Bytes| BigNum::from_slice(bytes);
    let build = || -> Result<RsaKey, ErrorStack> {
        let (n, e) = (number(&numbers.modulus)?, number(&numbers.exponent)?);
        if numbers.d.is_empty() {
            let key = Rsa::from_public_components(n, e)?;
            return PKey::from_rsa(key).map(RsaKey::Public);
        }
        let [p, q, dp, dq, inverse] = &numbers.rest;
        let key = RsaPrivateKeyBuilder::new(n, e, number(&numbers.d)?)?
            .set_factors(number(p)?, number(q)?)?
            .set_crt_params(number(dp)?, number(dq)?, number(inverse)?)?
            .build();
        PKey::from_rsa(key).map(RsaKey::Private)
    };
    let is_odd = numbers.modulus.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || numbers.exponent.is_empty() {
        return Err(refused("The specified RSA parameters are not valid."));
    }
    bounded(build().map_err(|_| refused("The specified RSA parameters are not valid."))?)
}

/// What the identifiers of encryption by a password begin with: those of PKCS #5 and of PKCS #12.
const PASSWORD_BASED: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];

/// The key of a PEM: `ImportFromPem`.
pub fn of_pem(text: &str) -> Result<RsaKey, Thrown> {
    let missing = "No supported key formats were found. Check that the input represents the \
                   contents of a PEM-encoded key file. (Parameter 'input')";
    // A passphrase is never asked for, and what would take one could take hours.
    if text.contains("ENCRYPTED") {
        return Err(Thrown::new(ExceptionKind::Argument, missing));
    }
    let text = text.as_bytes();
    let private = Rsa::private_key_from_pem_callback(text, |_| Ok(0)).and_then(PKey::from_rsa);
    let key = private
        .map(RsaKey::Private)
        .or_else(|_| Rsa::public_key_from_pem(text).and_then(PKey::from_rsa).map(RsaKey::Public))
        .or_else(|_| {
            Rsa::public_key_from_pem_pkcs1(text).and_then(PKey::from_rsa).map(RsaKey::Public)
        });
    bounded(key.map_err(|_| Thrown::new(ExceptionKind::Argument, missing))?)
}

/// The key of DER: PKCS #8, PKCS #1 or `SubjectPublicKeyInfo`.
pub fn of_der(bytes: &[u8]) -> Result<RsaKey, Thrown> {
    if PASSWORD_BASED.iter().any(|id| bytes.windows(id.len()).any(|part| part == *id)) {
        return Err(refused("The gateway opens no encrypted keys."));
    }
    let private = PKey::private_key_from_der(bytes).and_then(|key| key.rsa());
    let key = private
        .and_then(PKey::from_rsa)
        .map(RsaKey::Private)
        .or_else(|_| Rsa::public_key_from_der(bytes).and_then(PKey::from_rsa).map(RsaKey::Public))
        .or_else(|_| {
            Rsa::public_key_from_der_pkcs1(bytes).and_then(PKey::from_rsa).map(RsaKey::Public)
        });
    bounded(key.map_err(|_| refused("ASN1 corrupted data."))?)
}

fn bounded(key: RsaKey) -> Result<RsaKey, Thrown> {
    if bits(&key) <= RSA_BITS_MAX {
        return Ok(key);
    }
    Err(refused(format!("The gateway works with keys of at most {RSA_BITS_MAX} bits.")))
}

/// `KeySize`
pub fn bits(key: &RsaKey) -> u32 {
    match key {
        RsaKey::Public(key) => key.bits(),
        RsaKey::Private(key) => key.bits(),
    }
}

fn hash(name: &str) -> Result<MessageDigest, Thrown> {
    let known = algorithm(name)
        .ok_or_else(|| refused(format!("'{name}' is not a known hash algorithm.")))?;
    Ok(digest(known)())
}

/// `SignData(data, hash, padding)`.
pub fn sign(key: &RsaKey, data: &[u8], name: &str, is_pss: bool) -> Result<Bytes, Thrown> {
    let RsaKey::Private(key) = key else {
        return Err(refused("Key does not exist: the private key was not imported."));
    };
    let digest = hash(name)?;
    let work = || -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(digest, key)?;
        if is_pss {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        signer.sign_oneshot_to_vec(data)
    };
    work().map(Bytes::from).map_err(|_| failed("the signature"))
}

/// `VerifyData(data, signature, hash, padding)`.
pub fn verify(
    key: &RsaKey,
    (data, signature): (&[u8], &[u8]),
    name: &str,
    is_pss: bool,
) -> Result<bool, Thrown> {
    let public = public(key)?;
    let digest = hash(name)?;
    let work = || -> Result<bool, ErrorStack> {
        let mut verifier = Verifier::new(digest, &public)?;
        if is_pss {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        verifier.verify_oneshot(signature, data)
    };
    // A signature of another length is no error, it is only wrong.
    Ok(work().unwrap_or(false))
}

/// `SignHash(hash, name, padding)`: the hash is already computed.
pub fn sign_hash(key: &RsaKey, hash: &[u8], name: &str, is_pss: bool) -> Result<Bytes, Thrown> {
    let RsaKey::Private(key) = key else {
        return Err(refused("Key does not exist: the private key was not imported."));
    };
    let digest = hash_of(name, hash)?;
    let work = || -> Result<Vec<u8>, ErrorStack> {
        let mut context = PkeyCtx::new(key)?;
        context.sign_init()?;
        pad(&mut context, digest, is_pss)?;
        let mut signature = Vec::new();
        context.sign_to_vec(hash, &mut signature)?;
        Ok(signature)
    };
    work().map(Bytes::from).map_err(|_| failed("the signature"))
}

/// `VerifyHash(hash, signature, name, padding)`.
pub fn verify_hash(
    key: &RsaKey,
    (hash, signature): (&[u8], &[u8]),
    name: &str,
    is_pss: bool,
) -> Result<bool, Thrown> {
    let public = public(key)?;
    let digest = hash_of(name, hash)?;
    let work = || -> Result<bool, ErrorStack> {
        let mut context = PkeyCtx::new(&public)?;
        context.verify_init()?;
        pad(&mut context, digest, is_pss)?;
        context.verify(hash, signature)
    };
    Ok(work().unwrap_or(false))
}

/// The algorithm `name`, if it gives hashes as long as `hash`.
fn hash_of(name: &str, hash: &[u8]) -> Result<&'static MdRef, Thrown> {
    let known = algorithm(name)
        .ok_or_else(|| refused(format!("'{name}' is not a known hash algorithm.")))?;
    let digest = match known {
        Algorithm::Md5 => Md::md5(),
        Algorithm::Sha1 => Md::sha1(),
        Algorithm::Sha256 => Md::sha256(),
        Algorithm::Sha384 => Md::sha384(),
        Algorithm::Sha512 => Md::sha512(),
    };
    if digest.size() == hash.len() {
        return Ok(digest);
    }
    Err(refused("The provided hash value is not the expected size for the specified algorithm."))
}

fn pad<T>(context: &mut PkeyCtx<T>, digest: &MdRef, is_pss: bool) -> Result<(), ErrorStack> {
    context.set_rsa_padding(if is_pss { Padding::PKCS1_PSS } else { Padding::PKCS1 })?;
    context.set_signature_md(digest)?;
    if is_pss {
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    Ok(())
}

/// The public half.
fn public(key: &RsaKey) -> Result<PKey<openssl::pkey::Public>, Thrown> {
    match key {
        RsaKey::Public(key) => Ok(key.clone()),
        RsaKey::Private(key) => key
            .public_key_to_der()
            .and_then(|der| PKey::public_key_from_der(&der))
            .map_err(|_| failed("the key")),
    }
}

/// The hash of OAEP, by its number among the paddings; none for PKCS #1.
fn oaep(padding: i32) -> Option<MessageDigest> {
    match padding {
        1 => Some(MessageDigest::sha1()),
        2 => Some(MessageDigest::sha256()),
        3 => Some(MessageDigest::sha384()),
        4 => Some(MessageDigest::sha512()),
        _ => None,
    }
}

/// `Encrypt(data, padding)`.
pub fn encrypt(key: &RsaKey, data: &[u8], padding: i32) -> Result<Bytes, Thrown> {
    let public = public(key)?;
    let work = || -> Result<Vec<u8>, ErrorStack> {
        let mut encrypter = Encrypter::new(&public)?;
        if let Some(digest) = oaep(padding) {
            encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            encrypter.set_rsa_oaep_md(digest)?;
            encrypter.set_rsa_mgf1_md(digest)?;
        } else {
            encrypter.set_rsa_padding(Padding::PKCS1)?;
        }
        let mut out = vec![0; encrypter.encrypt_len(data)?];
        let written = encrypter.encrypt(data, &mut out)?;
        out.truncate(written);
        Ok(out)
    };
    work().map(Bytes::from).map_err(|_| failed("what was to be encrypted; it may be too long"))
}

/// `Decrypt(data, padding)`.
pub fn decrypt(key: &RsaKey, data: &[u8], padding: i32) -> Result<Bytes, Thrown> {
    let RsaKey::Private(key) = key else {
        return Err(refused("Key does not exist: the private key was not imported."));
    };
    let work = || -> Result<Vec<u8>, ErrorStack> {
        let mut decrypter = Decrypter::new(key)?;
        if let Some(digest) = oaep(padding) {
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            decrypter.set_rsa_oaep_md(digest)?;
            decrypter.set_rsa_mgf1_md(digest)?;
        } else {
            decrypter.set_rsa_padding(Padding::PKCS1)?;
        }
        let mut out = vec![0; decrypter.decrypt_len(data)?];
        let written = decrypter.decrypt(data, &mut out)?;
        out.truncate(written);
        Ok(out)
    };
    work().map(Bytes::from).map_err(|_| refused("The parameter is incorrect."))
}
