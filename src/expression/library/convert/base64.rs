//! Base64, and bytes as hexadecimal digits.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::{ARRAY_BYTES_MAX, bounded_string};

/// `Convert.ToBase64String(bytes)`.
pub fn encode(bytes: &[u8]) -> Result<String, Thrown> {
    bounded_string(bytes.len().div_ceil(3).saturating_mul(4))?;
    Ok(STANDARD.encode(bytes))
}

/// `Convert.ToBase64String(bytes, options)`: with `InsertLineBreaks` in lines of 76 characters.
pub fn encode_lines(bytes: &[u8], broken: bool) -> Result<String, Thrown> {
    let whole = encode(bytes)?;
    if !broken {
        return Ok(whole);
    }
    let mut out = String::with_capacity(whole.len().saturating_add(whole.len() / 38));
    for (place, character) in whole.chars().enumerate() {
        if place > 0 && place.is_multiple_of(76) {
            out.push_str("\r\n");
        }
        out.push(character);
    }
    bounded_string(out.len())?;
    Ok(out)
}

/// `Convert.FromBase64String(text)`: white space is passed over, padding must be there.
pub fn decode(text: &str) -> Result<Vec<u8>, Thrown> {
    let bare: Vec<u8> =
        text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect();
    bounded_array(bare.len())?;
    STANDARD.decode(bare).map_err(|_| {
        Thrown::new(
            ExceptionKind::Format,
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more \
             than two padding characters, or an illegal character among the padding characters.",
        )
    })
}

/// Base64url without padding, as tokens have it; none if `text` is not that.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    bounded_array(text.len()).ok()?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// `Convert.ToHexString(bytes)`.
pub fn hex(bytes: &[u8]) -> Result<String, Thrown> {
    joined(bytes, "")
}

/// `BitConverter.ToString(bytes)`.
pub fn hyphenated(bytes: &[u8]) -> Result<String, Thrown> {
    joined(bytes, "-")
}

fn joined(bytes: &[u8], separator: &str) -> Result<String, Thrown> {
    bounded_string(bytes.len().saturating_mul(3))?;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(digits.join(separator))
}

/// `Convert.FromHexString(text)`.
pub fn decode_hex(text: &str) -> Result<Vec<u8>, Thrown> {
    let bad = || Thrown::new(ExceptionKind::Format, "The input is not a valid hex string.");
    if !text.len().is_multiple_of(2) {
        return Err(bad());
    }
    bounded_array(text.len().div_ceil(2))?;
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.ok_or_else(bad)?;
    let bytes = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(high.wrapping_mul(16).wrapping_add(*low)).ok(),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>().ok_or_else(bad)
}

/// Refuses an array of `bytes` bytes if that is longer than [`ARRAY_BYTES_MAX`].
pub fn bounded_array(bytes: usize) -> Result<(), Thrown> {
    if bytes <= ARRAY_BYTES_MAX {
        return Ok(());
    }
    Err(Thrown::limit(format!("a byte array may be at most {ARRAY_BYTES_MAX} bytes long")))
}
