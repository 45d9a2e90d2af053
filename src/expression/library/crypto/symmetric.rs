//! `SymmetricAlgorithm` and what it makes: block ciphers with a mode and a padding.

use bytes::Bytes;
use openssl::symm::{Cipher, Crypter, Mode};

use super::failed;
use crate::expression::value::cipher::{Settings, Transform};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `CipherMode.CBC`.
pub const CBC: i32 = 1;
/// `CipherMode.ECB`.
pub const ECB: i32 = 2;
/// `PaddingMode.None`.
pub const NO_PADDING: i32 = 1;
/// `PaddingMode.PKCS7`.
pub const PKCS7: i32 = 2;
/// `PaddingMode.Zeros`.
pub const ZEROS: i32 = 3;

fn refused(message: &str) -> Thrown {
    Thrown::new(ExceptionKind::Cryptographic, message)
}

/// Refuses a key that the cipher cannot have.
pub fn usable_key(settings: &Settings, key: &[u8]) -> Result<(), Thrown> {
    if settings.key_bytes().contains(&key.len()) {
        return Ok(());
    }
    Err(refused("Specified key is not a valid size for this algorithm."))
}

/// Refuses an initialization vector that is not as long as a block.
pub fn usable_iv(settings: &Settings, iv: &[u8]) -> Result<(), Thrown> {
    if settings.block_bytes() == iv.len() {
        return Ok(());
    }
    let message =
        "Specified initialization vector (IV) does not match the block size for this algorithm.";
    Err(refused(message))
}

/// `transform.TransformFinalBlock(data)`.
pub fn run(transform: &Transform, data: &[u8]) -> Result<Bytes, Thrown> {
    let settings = &transform.settings;
    let cipher = cipher(settings)?;
    let block = settings.block_bytes();
    let mut data = data.to_vec();
    let partial = data.len() % block;
    if transform.encrypts && settings.padding == ZEROS && partial > 0 {
        data.resize(data.len().saturating_add(block.saturating_sub(partial)), 0);
    }
    let is_whole = data.len().is_multiple_of(block);
    if !is_whole && (settings.padding != PKCS7 || !transform.encrypts) {
        return Err(refused("The input data is not a complete block."));
    }
    let mode = if transform.encrypts { Mode::Encrypt } else { Mode::Decrypt };
    let iv = (settings.mode == CBC).then_some(&*settings.iv);
    let work = || -> Result<Vec<u8>, openssl::error::ErrorStack> {
        let mut crypter = Crypter::new(cipher, mode, &settings.key, iv)?;
        crypter.pad(settings.padding == PKCS7);
        let mut out = vec![0; data.len().saturating_add(block)];
        let mut written = crypter.update(&data, &mut out)?;
        let rest = out.get_mut(written..).unwrap_or_default();
        written = written.saturating_add(crypter.finalize(rest)?);
        out.truncate(written);
        Ok(out)
    };
    work().map(Bytes::from).map_err(|_| {
        if transform.encrypts {
            failed("the cipher")
        } else {
            refused("Padding is invalid and cannot be removed.")
        }
    })
}

fn cipher(settings: &Settings) -> Result<Cipher, Thrown> {
    usable_key(settings, &settings.key)?;
    Ok(match (settings.is_triple, settings.mode, settings.key.len()) {
        (true, CBC, _) => Cipher::des_ede3_cbc(),
        (true, ECB, _) => Cipher::des_ede3_ecb(),
        (false, CBC, 16) => Cipher::aes_128_cbc(),
        (false, CBC, 24) => Cipher::aes_192_cbc(),
        (false, CBC, _) => Cipher::aes_256_cbc(),
        (false, ECB, 16) => Cipher::aes_128_ecb(),
        (false, ECB, 24) => Cipher::aes_192_ecb(),
        (false, ECB, _) => Cipher::aes_256_ecb(),
        _ => return Err(refused("Specified cipher mode is not valid for this algorithm.")),
    })
}
