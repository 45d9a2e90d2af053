//! `RSA` and its parameters.

use std::sync::Arc;

use bytes::Bytes;

use super::super::arguments::{
    Outcome, With, at, bytes, constructor, flag, int, map, method, method_with, ok, property,
    set_property, static_method, static_property, static_with, text,
};
use super::super::{Call, Member};
use crate::expression::library::crypto::rsa;
use crate::expression::value::Value;
use crate::expression::value::cipher::{Rsa, RsaKey};
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// What working with a key of RSA costs, as bytes that are looked at: the dearest takes some
/// milliseconds.
const RSA_COST_BYTES: usize = 8 << 20;

fn key_of(v: &[Value]) -> Result<RsaKey, Thrown> {
    let missing = "No key was imported: the gateway makes no keys of RSA.";
    rsa_of(v)?.key().ok_or_else(|| Thrown::new(ExceptionKind::Cryptographic, missing))
}

fn rsa_of(v: &[Value]) -> Result<&Arc<Rsa>, Thrown> {
    match at(v, 0) {
        Value::Rsa(rsa) => Ok(rsa),
        other => Err(other.refused("System.Security.Cryptography.RSA")),
    }
}

/// Imports DER, and says how many bytes were read: all, since nothing may follow.
fn imported(call: &mut Call<'_, '_>) -> Outcome {
    call.scanned(RSA_COST_BYTES)?;
    let der = bytes(call.arguments(), 1)?;
    rsa_of(call.arguments())?.set(rsa::of_der(&der)?);
    call.outs.push(Value::Int(i32::try_from(der.len()).unwrap_or(i32::MAX)));
    Ok(Value::Null)
}

fn signed(call: &mut Call<'_, '_>, padding: i32) -> Outcome {
    call.scanned(RSA_COST_BYTES)?;
    let v = call.arguments();
    ok(rsa::sign(&key_of(v)?, &bytes(v, 1)?, text(v, 2)?, padding == 1)?)
}

fn verified(call: &mut Call<'_, '_>, [name, signature]: [usize; 2], padding: i32) -> Outcome {
    call.scanned(RSA_COST_BYTES)?;
    let v = call.arguments();
    let (data, signature) = (bytes(v, 1)?, bytes(v, signature)?);
    ok(rsa::verify(&key_of(v)?, (&data, &signature), text(v, name)?, padding == 1)?)
}

fn hash_signed(call: &mut Call<'_, '_>, padding: i32) -> Outcome {
    call.scanned(RSA_COST_BYTES)?;
    let v = call.arguments();
    ok(rsa::sign_hash(&key_of(v)?, &bytes(v, 1)?, text(v, 2)?, padding == 1)?)
}

fn hash_verified(call: &mut Call<'_, '_>, [name, signature]: [usize; 2], padding: i32) -> Outcome {
    call.scanned(RSA_COST_BYTES)?;
    let v = call.arguments();
    let (hash, signature) = (bytes(v, 1)?, bytes(v, signature)?);
    ok(rsa::verify_hash(&key_of(v)?, (&hash, &signature), text(v, name)?, padding == 1)?)
}

const SIGNS: With = |call| signed(call, int(call.arguments(), 3)?);

pub(super) const RSA: &[Member] = &[
    static_method("Create", "", "RSA", |_| Ok(Value::Rsa(Arc::new(Rsa::default())))).effect(),
    static_with("Create", "RSAParameters parameters", "RSA", |call| {
        call.scanned(RSA_COST_BYTES)?;
        let rsa = Rsa::default();
        rsa.set(rsa::of_numbers(&numbers(call.arguments(), 0)?)?);
        Ok(Value::Rsa(Arc::new(rsa)))
    }),
    method_with("ImportParameters", "RSAParameters parameters", "void", |call| {
        call.scanned(RSA_COST_BYTES)?;
        rsa_of(call.arguments())?.set(rsa::of_numbers(&numbers(call.arguments(), 1)?)?);
        Ok(Value::Null)
    }),
    method_with("ImportFromPem", "string input", "void", |call| {
        call.scanned(RSA_COST_BYTES)?;
        rsa_of(call.arguments())?.set(rsa::of_pem(call.text(1)?)?);
        Ok(Value::Null)
    }),
    method_with("ImportPkcs8PrivateKey", "byte[] source, out int bytesRead", "void", imported),
    method_with("ImportRSAPrivateKey", "byte[] source, out int bytesRead", "void", imported),
    method_with("ImportRSAPublicKey", "byte[] source, out int bytesRead", "void", imported),
    method_with("ImportSubjectPublicKeyInfo", "byte[] source, out int bytesRead", "void", imported),
    property("KeySize", "int", |v| ok(i32::try_from(rsa::bits(&key_of(v)?)).unwrap_or(0))).effect(),
    method_with(
        "SignData",
        "byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding",
        "byte[]",
        SIGNS,
    ),
    method_with(
        "VerifyData",
        "byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, \
         RSASignaturePadding padding",
        "bool",
        |call| verified(call, [3, 2], int(call.arguments(), 4)?),
    ),
    method_with(
        "SignHash",
        "byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding",
        "byte[]",
        |call| hash_signed(call, int(call.arguments(), 3)?),
    ),
    method_with(
        "VerifyHash",
        "byte[] hash, byte[] signature, HashAlgorithmName hashAlgorithm, \
         RSASignaturePadding padding",
        "bool",
        |call| hash_verified(call, [3, 2], int(call.arguments(), 4)?),
    ),
    method_with("Encrypt", "byte[] data, RSAEncryptionPadding padding", "byte[]", |call| {
        call.scanned(RSA_COST_BYTES)?;
        let v = call.arguments();
        ok(rsa::encrypt(&key_of(v)?, &bytes(v, 1)?, int(v, 2)?)?)
    }),
    method_with("Decrypt", "byte[] data, RSAEncryptionPadding padding", "byte[]", |call| {
        call.scanned(RSA_COST_BYTES)?;
        let v = call.arguments();
        ok(rsa::decrypt(&key_of(v)?, &bytes(v, 1)?, int(v, 2)?)?)
    }),
    method("Dispose", "", "void", |_| Ok(Value::Null)).effect(),
    method("Clear", "", "void", |_| Ok(Value::Null)).effect(),
];

/// `RSACryptoServiceProvider`: what it has besides, from before there were paddings.
pub(super) const RSA_PROVIDER: &[Member] = &[
    constructor("", |_| Ok(Value::Rsa(Arc::new(Rsa::default())))),
    constructor("int dwKeySize", |_| Ok(Value::Rsa(Arc::new(Rsa::default())))),
    method_with("SignData", "byte[] buffer, string halg", "byte[]", |call| signed(call, 0)),
    method_with("VerifyData", "byte[] buffer, string halg, byte[] signature", "bool", |call| {
        verified(call, [2, 3], 0)
    }),
    method_with("SignHash", "byte[] rgbHash, string str", "byte[]", |call| hash_signed(call, 0)),
    method_with("VerifyHash", "byte[] rgbHash, string str, byte[] rgbSignature", "bool", |call| {
        hash_verified(call, [2, 3], 0)
    }),
    method_with("Encrypt", "byte[] rgb, bool fOAEP", "byte[]", |call| {
        call.scanned(RSA_COST_BYTES)?;
        let v = call.arguments();
        ok(rsa::encrypt(&key_of(v)?, &bytes(v, 1)?, i32::from(flag(v, 2)?))?)
    }),
    method_with("Decrypt", "byte[] rgb, bool fOAEP", "byte[]", |call| {
        call.scanned(RSA_COST_BYTES)?;
        let v = call.arguments();
        ok(rsa::decrypt(&key_of(v)?, &bytes(v, 1)?, i32::from(flag(v, 2)?))?)
    }),
];

/// A field of `RSAParameters`, which are kept by name.
macro_rules! number {
    ($name:literal) => {
        set_property($name, "byte[] value", |v| {
            map(v, 0)?.set(Value::text($name), at(v, 1).clone())?;
            Ok(Value::Null)
        })
    };
}

macro_rules! read_number {
    ($name:literal) => {
        property($name, "byte[]", |v| Ok(map(v, 0)?.get_text($name).unwrap_or_default())).effect()
    };
}

pub(super) const RSA_PARAMETERS: &[Member] = &[
    constructor("", |_| ok(Map::new(false))),
    number!("Modulus"),
    number!("Exponent"),
    number!("D"),
    number!("P"),
    number!("Q"),
    number!("DP"),
    number!("DQ"),
    number!("InverseQ"),
    read_number!("Modulus"),
    read_number!("Exponent"),
];

fn numbers(v: &[Value], index: usize) -> Result<rsa::Numbers, Thrown> {
    let parameters = map(v, index)?;
    let field = |name: &str| match parameters.get_text(name) {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(value) => value.bytes(),
    };
    Ok(rsa::Numbers {
        modulus: field("Modulus")?,
        exponent: field("Exponent")?,
        d: field("D")?,
        rest: [field("P")?, field("Q")?, field("DP")?, field("DQ")?, field("InverseQ")?],
    })
}

pub(super) const HASH_NAME: &[Member] = &[
    static_property("MD5", "HashAlgorithmName", |_| ok("MD5")),
    static_property("SHA1", "HashAlgorithmName", |_| ok("SHA1")),
    static_property("SHA256", "HashAlgorithmName", |_| ok("SHA256")),
    static_property("SHA384", "HashAlgorithmName", |_| ok("SHA384")),
    static_property("SHA512", "HashAlgorithmName", |_| ok("SHA512")),
    constructor("string name", |v| Ok(at(v, 0).clone())),
    property("Name", "string", |v| Ok(at(v, 0).clone())),
];

pub(super) const SIGNATURE_PADDING: &[Member] = &[
    static_property("Pkcs1", "RSASignaturePadding", |_| ok(0)),
    static_property("Pss", "RSASignaturePadding", |_| ok(1)),
];

pub(super) const ENCRYPTION_PADDING: &[Member] = &[
    static_property("Pkcs1", "RSAEncryptionPadding", |_| ok(0)),
    static_property("OaepSHA1", "RSAEncryptionPadding", |_| ok(1)),
    static_property("OaepSHA256", "RSAEncryptionPadding", |_| ok(2)),
    static_property("OaepSHA384", "RSAEncryptionPadding", |_| ok(3)),
    static_property("OaepSHA512", "RSAEncryptionPadding", |_| ok(4)),
];
