//! Hashes, keyed hashes and ciphers.

use bytes::Bytes;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{self, Cipher};

use crate::expression::value::crypto::{Algorithm, Hasher};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub mod rsa;
pub mod symmetric;

const fn digest(algorithm: Algorithm) -> fn() -> MessageDigest {
    match algorithm {
        Algorithm::Md5 => MessageDigest::md5,
        Algorithm::Sha1 => MessageDigest::sha1,
        Algorithm::Sha256 => MessageDigest::sha256,
        Algorithm::Sha384 => MessageDigest::sha384,
        Algorithm::Sha512 => MessageDigest::sha512,
    }
}

/// `hasher.ComputeHash(data)`.
pub fn compute(hasher: &Hasher, data: &[u8]) -> Result<Bytes, Thrown> {
    match hasher.key() {
        None => plain(hasher.algorithm, data),
        Some(key) => keyed(hasher.algorithm, &key, data),
    }
}

/// `SHA256.HashData(data)` and its like.
pub fn plain(algorithm: Algorithm, data: &[u8]) -> Result<Bytes, Thrown> {
    let hashed = hash(digest(algorithm)(), data).map_err(|_| failed("the hash"))?;
    Ok(Bytes::copy_from_slice(&hashed))
}

/// `HMACSHA256.HashData(key, data)` and its like.
pub fn keyed(algorithm: Algorithm, key: &[u8], data: &[u8]) -> Result<Bytes, Thrown> {
    // An empty key is filled up with zeros like any other, but the library wants a byte of it.
    let key = if key.is_empty() { &[0] } else { key };
    let sign = || {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(digest(algorithm)(), &key)?;
        signer.sign_oneshot_to_vec(data)
    };
    sign().map(Bytes::from).map_err(|_| failed("the keyed hash"))
}

/// `data.Encrypt(algorithm, key, iv)`: CBC with PKCS #7 padding.
pub fn encrypt(algorithm: &str, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Bytes, Thrown> {
    let cipher = cipher(algorithm, key, iv)?;
    let encrypted = symm::encrypt(cipher, key, Some(iv), data);
    encrypted.map(Bytes::from).map_err(|_| failed("the cipher"))
}

/// `data.Decrypt(algorithm, key, iv)`: CBC with PKCS #7 padding.
pub fn decrypt(algorithm: &str, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Bytes, Thrown> {
    let cipher = cipher(algorithm, key, iv)?;
    symm::decrypt(cipher, key, Some(iv), data).map(Bytes::from).map_err(|_| {
        Thrown::new(ExceptionKind::Cryptographic, "Padding is invalid and cannot be removed.")
    })
}

/// The cipher by the name that .NET knows, which must fit key and initialization vector.
fn cipher(algorithm: &str, key: &[u8], iv: &[u8]) -> Result<Cipher, Thrown> {
    let name = algorithm.to_ascii_lowercase();
    let name = name.rsplit('.').next().unwrap_or_default();
    let cipher = match (name, key.len()) {
        ("aes" | "rijndael" | "rijndaelmanaged" | "aesmanaged", 16) => Cipher::aes_128_cbc(),
        ("aes" | "rijndael" | "rijndaelmanaged" | "aesmanaged", 24) => Cipher::aes_192_cbc(),
        ("aes" | "rijndael" | "rijndaelmanaged" | "aesmanaged", 32) => Cipher::aes_256_cbc(),
        ("tripledes" | "3des", 24) => Cipher::des_ede3_cbc(),
        ("aes" | "rijndael" | "rijndaelmanaged" | "aesmanaged" | "tripledes" | "3des", _) => {
            return Err(Thrown::new(
                ExceptionKind::Argument,
                "Specified key is not a valid size for this algorithm.",
            ));
        }
        _ => {
            return Err(Thrown::new(
                ExceptionKind::Cryptographic,
                format!("The algorithm '{algorithm}' is not supported; use Aes or TripleDES."),
            ));
        }
    };
    if cipher.iv_len() != Some(iv.len()) {
        return Err(Thrown::new(
            ExceptionKind::Cryptographic,
            "Specified initialization vector (IV) does not match the block size for this algorithm.",
        ));
    }
    Ok(cipher)
}

/// Bytes for a key: not from the exchange's numbers, which can be guessed.
pub fn random(count: usize) -> Result<Bytes, Thrown> {
    let mut bytes = vec![0; count];
    let failed = "The cryptographic library has no random numbers.";
    openssl::rand::rand_bytes(&mut bytes)
        .map_err(|_| Thrown::new(ExceptionKind::Cryptographic, failed))?;
    Ok(Bytes::from(bytes))
}

/// How many bytes a key has that .NET makes for a keyed hash: a block of it.
pub const fn made_key_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Md5 | Algorithm::Sha1 | Algorithm::Sha256 => 64,
        Algorithm::Sha384 | Algorithm::Sha512 => 128,
    }
}

fn failed(what: &str) -> Thrown {
    Thrown::new(ExceptionKind::Cryptographic, format!("The cryptographic library refused {what}."))
}

/// The algorithm called `name` (`SHA256`, `SHA-256`).
pub fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name.to_ascii_uppercase().replace('-', "").as_str() {
        "MD5" => Algorithm::Md5,
        "SHA1" => Algorithm::Sha1,
        "SHA256" => Algorithm::Sha256,
        "SHA384" => Algorithm::Sha384,
        "SHA512" => Algorithm::Sha512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::library::convert::base64::hex;

    #[test]
    fn hashes_are_those_of_their_standards() {
        let rows = [
            (Algorithm::Md5, "900150983CD24FB0D6963F7D28E17F72"),
            (Algorithm::Sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D"),
            (Algorithm::Sha256, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
        ];
        for (algorithm, expected) in rows {
            assert_eq!(hex(&plain(algorithm, b"abc").unwrap()).unwrap(), expected);
        }
        assert_eq!(plain(Algorithm::Sha384, b"abc").unwrap().len(), 48);
        assert_eq!(plain(Algorithm::Sha512, b"abc").unwrap().len(), 64);
        let hasher = Hasher::keyed(Algorithm::Sha256, Bytes::from("key"));
        assert_eq!(
            hex(&compute(&hasher, b"The quick brown fox jumps over the lazy dog").unwrap())
                .unwrap(),
            "F7BC83F430538424B13298E6AA6FB143EF4D59A14946175997479DBC2D1A3CD8"
        );
        assert_eq!(
            hex(&keyed(Algorithm::Md5, b"", b"").unwrap()).unwrap(),
            "74E6F7298A9C2D168935F58C001BAD88"
        );
        assert_eq!(algorithm("sha-256"), Some(Algorithm::Sha256));
    }

    #[test]
    fn what_is_encrypted_reads_back() {
        for length in [16, 24, 32] {
            let (key, iv) = (vec![7_u8; length], [9_u8; 16]);
            let encrypted = encrypt("Aes", &key, &iv, b"secret").unwrap();
            assert_eq!(encrypted.len(), 16);
            assert_eq!(decrypt("AES", &key, &iv, &encrypted).unwrap(), "secret");
        }
        assert!(encrypt("Aes", &[1; 15], &[0; 16], b"").is_err());
        assert!(encrypt("Aes", &[1; 16], &[0; 8], b"").is_err());
        assert!(encrypt("Rot13", &[1; 16], &[0; 16], b"").is_err());
        assert_eq!(
            decrypt("Aes", &[1; 16], &[0; 16], b"not a block").unwrap_err().message,
            "Padding is invalid and cannot be removed."
        );
        let encrypted = encrypt("TripleDES", &[3; 24], &[1; 8], b"x").unwrap();
        assert_eq!(decrypt("TripleDES", &[3; 24], &[1; 8], &encrypted).unwrap(), "x");
    }
}
