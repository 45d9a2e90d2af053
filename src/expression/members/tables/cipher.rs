//! `SymmetricAlgorithm`: `Aes`, `TripleDES`.

use std::sync::Arc;

use bytes::Bytes;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, constructor, int, method, ok, property, set_property, static_method, text,
};
use crate::expression::library::crypto::{random, symmetric};
use crate::expression::value::Value;
use crate::expression::value::cipher::{Settings, Symmetric, Transform};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

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
