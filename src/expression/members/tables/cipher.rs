//! `Aes`, `TripleDES`, `RSA` and their parameters.

use std::sync::Arc;

use bytes::Bytes;

use super::super::arguments::{
    Outcome, With, at, bytes, constructor, flag, int, map, method, method_with, ok, property,
    set_property, static_method, static_property, static_with, text,
};
use super::super::{Call, Member};
use crate::expression::library::crypto::{random, rsa, symmetric};
use crate::expression::value::Value;
use crate::expression::value::cipher::{Rsa, RsaKey, Settings, Symmetric, Transform};
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// What working with a key of RSA costs, as bytes that are looked at: the dearest takes some
/// milliseconds.
const RSA_COST_BYTES: usize = 8 << 20;

fn cipher(v: &[Value]) -> Result<&Arc<Symmetric>, Thrown> {
    match at(v, 0) {
        Value::Symmetric(cipher) => Ok(cipher),
        other => Err(other.refused("System.Security.Cryptography.SymmetricAlgorithm")),
    }
}

fn made(is_triple: bool) -> Outcome {
    let (mode, padding) = (symmetric::CBC, symmetric::PKCS7);
    let (key, iv) = (Bytes::new(), Bytes::new());
    let mut settings = Settings { is_triple, key, iv, mode, padding };
    settings.key = random(if is_triple { 24 } else { 32 })?;
    settings.iv = random(settings.block_bytes())?;
    Ok(Value::Symmetric(Arc::new(Symmetric::new(settings))))
}

fn transform(v: &[Value], encrypts: bool) -> Outcome {
    let mut settings = cipher(v)?.settings();
    if v.len() > 1 {
        settings.key = bytes(v, 1)?;
        settings.iv = bytes(v, 2)?;
    }
    symmetric::usable_key(&settings, &settings.key)?;
    if settings.mode == symmetric::CBC {
        symmetric::usable_iv(&settings, &settings.iv)?;
    }
    Ok(Value::Transform(Arc::new(Transform { encrypts, settings })))
}

fn known_padding(padding: i32) -> Result<(), Thrown> {
    let known = [symmetric::NO_PADDING, symmetric::PKCS7, symmetric::ZEROS];
    if known.contains(&padding) {
        return Ok(());
    }
    let message = "The gateway knows the paddings None, PKCS7 and Zeros.";
    Err(Thrown::new(ExceptionKind::NotSupported, message))
}

/// `EncryptCbc(data, iv, padding)` and its like.
fn at_once(v: &[Value], encrypts: bool, mode: i32) -> Outcome {
    let mut settings = cipher(v)?.settings();
    settings.mode = mode;
    if mode == symmetric::CBC {
        settings.iv = bytes(v, 2)?;
        symmetric::usable_iv(&settings, &settings.iv)?;
    }
    settings.padding = int(v, if mode == symmetric::CBC { 3 } else { 2 })?;
    known_padding(settings.padding)?;
    ok(symmetric::run(&Transform { encrypts, settings }, &bytes(v, 1)?)?)
}

/// `SymmetricAlgorithm.Create(name)`: null for a name that .NET does not know either.
fn created(name: &str) -> Outcome {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("system.security.cryptography.").unwrap_or(&name) {
        "aes"
        | "aesmanaged"
        | "aescryptoserviceprovider"
        | "rijndael"
        | "rijndaelmanaged"
        | "symmetricalgorithm" => made(false),
        "tripledes" | "3des" | "triple des" | "tripledescryptoserviceprovider" => made(true),
        "des" | "rc2" | "descryptoserviceprovider" | "rc2cryptoserviceprovider" => {
            let message = "The gateway knows the ciphers Aes and TripleDES.";
            Err(Thrown::new(ExceptionKind::NotSupported, message))
        }
        _ => Ok(Value::Null),
    }
}

/// `data.Encrypt(cipher)` and `data.Decrypt(cipher)`, with the key and the vector of the cipher
/// or with those that are given.
fn coded(v: &[Value], encrypts: bool) -> Outcome {
    let mut given = v.to_vec();
    let data = given.remove(0).bytes()?;
    let Value::Transform(transform) = transform(&given, encrypts)? else {
        return Ok(Value::Null);
    };
    ok(symmetric::run(&transform, &data)?)
}

/// What API Management gives to `byte[]` for ciphers.
pub(super) const CODED: &[Member] = &[
    method("Encrypt", "SymmetricAlgorithm alg", "byte[]", |v| coded(v, true)).effect(),
    method("Encrypt", "SymmetricAlgorithm alg, byte[] key, byte[] iv", "byte[]", |v| {
        coded(v, true)
    })
    .effect(),
    method("Decrypt", "SymmetricAlgorithm alg", "byte[]", |v| coded(v, false)).effect(),
    method("Decrypt", "SymmetricAlgorithm alg, byte[] key, byte[] iv", "byte[]", |v| {
        coded(v, false)
    })
    .effect(),
];

pub(super) const SYMMETRIC: &[Member] = &[
    static_method("Create", "", "SymmetricAlgorithm", |_| made(false)).volatile(),
    static_method("Create", "string algName", "SymmetricAlgorithm", |v| created(text(v, 0)?))
        .volatile(),
    property("Key", "byte[]", |v| ok(cipher(v)?.settings().key)).effect(),
    property("IV", "byte[]", |v| ok(cipher(v)?.settings().iv)).effect(),
    property("Mode", "CipherMode", |v| ok(cipher(v)?.settings().mode)).effect(),
    property("Padding", "PaddingMode", |v| ok(cipher(v)?.settings().padding)).effect(),
    property("KeySize", "int", |v| {
        ok(i32::try_from(cipher(v)?.settings().key.len().saturating_mul(8)).unwrap_or(0))
    })
    .effect(),
    property("BlockSize", "int", |v| ok(if cipher(v)?.settings().is_triple { 64 } else { 128 }))
        .effect(),
    set_property("Key", "byte[] value", |v| {
        let key = bytes(v, 1)?;
        symmetric::usable_key(&cipher(v)?.settings(), &key)?;
        cipher(v)?.change(|settings| settings.key = key);
        Ok(Value::Null)
    }),
    set_property("IV", "byte[] value", |v| {
        let iv = bytes(v, 1)?;
        symmetric::usable_iv(&cipher(v)?.settings(), &iv)?;
        cipher(v)?.change(|settings| settings.iv = iv);
        Ok(Value::Null)
    }),
    set_property("Mode", "CipherMode value", |v| {
        let mode = int(v, 1)?;
        if mode != symmetric::CBC && mode != symmetric::ECB {
            let message = "The gateway knows the modes CBC and ECB.";
            return Err(Thrown::new(ExceptionKind::NotSupported, message));
        }
        cipher(v)?.change(|settings| settings.mode = mode);
        Ok(Value::Null)
    }),
    set_property("Padding", "PaddingMode value", |v| {
        let padding = int(v, 1)?;
        known_padding(padding)?;
        cipher(v)?.change(|settings| settings.padding = padding);
        Ok(Value::Null)
    }),
    set_property("KeySize", "int value", |v| {
        let length = usize::try_from(int(v, 1)? / 8).unwrap_or(0);
        let key = random(length.min(64))?;
        symmetric::usable_key(&cipher(v)?.settings(), &key)?;
        cipher(v)?.change(|settings| settings.key = key);
        Ok(Value::Null)
    }),
    method("GenerateKey", "", "void", |v| {
        let key = random(cipher(v)?.settings().key.len())?;
        cipher(v)?.change(|settings| settings.key = key);
        Ok(Value::Null)
    })
    .volatile(),
    method("GenerateIV", "", "void", |v| {
        let iv = random(cipher(v)?.settings().block_bytes())?;
        cipher(v)?.change(|settings| settings.iv = iv);
        Ok(Value::Null)
    })
    .volatile(),
    method("CreateEncryptor", "", "ICryptoTransform", |v| transform(v, true)).effect(),
    method("CreateDecryptor", "", "ICryptoTransform", |v| transform(v, false)).effect(),
    method("CreateEncryptor", "byte[] rgbKey, byte[] rgbIV", "ICryptoTransform", |v| {
        transform(v, true)
    })
    .effect(),
    method("CreateDecryptor", "byte[] rgbKey, byte[] rgbIV", "ICryptoTransform", |v| {
        transform(v, false)
    })
    .effect(),
    method(
        "EncryptCbc",
        "byte[] plaintext, byte[] iv, PaddingMode paddingMode = 2",
        "byte[]",
        |v| at_once(v, true, symmetric::CBC),
    )
    .effect(),
    method(
        "DecryptCbc",
        "byte[] ciphertext, byte[] iv, PaddingMode paddingMode = 2",
        "byte[]",
        |v| at_once(v, false, symmetric::CBC),
    )
    .effect(),
    method("EncryptEcb", "byte[] plaintext, PaddingMode paddingMode", "byte[]", |v| {
        at_once(v, true, symmetric::ECB)
    })
    .effect(),
    method("DecryptEcb", "byte[] ciphertext, PaddingMode paddingMode", "byte[]", |v| {
        at_once(v, false, symmetric::ECB)
    })
    .effect(),
    method("Dispose", "", "void", |_| Ok(Value::Null)).effect(),
    method("Clear", "", "void", |_| Ok(Value::Null)).effect(),
];

pub(super) const AES: &[Member] = &[
    static_method("Create", "", "Aes", |_| made(false)).volatile(),
    constructor("", |_| made(false)).volatile(),
];

pub(super) const TRIPLE_DES: &[Member] =
    &[static_method("Create", "", "TripleDES", |_| made(true)).volatile()];

pub(super) const TRANSFORM: &[Member] = &[
    method(
        "TransformFinalBlock",
        "byte[] inputBuffer, int inputOffset, int inputCount",
        "byte[]",
        |v| {
            let Value::Transform(transform) = at(v, 0) else {
                return Err(at(v, 0).refused("System.Security.Cryptography.ICryptoTransform"));
            };
            let whole = bytes(v, 1)?;
            let start = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
            let count = usize::try_from(int(v, 3)?).unwrap_or(usize::MAX);
            let part = whole.get(start..start.saturating_add(count));
            let outside = || Thrown::new(ExceptionKind::Argument, "Value was invalid.");
            ok(symmetric::run(transform, part.ok_or_else(outside)?)?)
        },
    )
    .effect(),
    method("Dispose", "", "void", |_| Ok(Value::Null)).effect(),
];

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
