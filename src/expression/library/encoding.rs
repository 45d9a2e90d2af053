//! `System.Text.Encoding`, and numbers as bytes.

use bytes::Bytes;

use super::convert::base64::bounded_array;
use crate::expression::value::Value;
use crate::expression::value::bounded_string;
use crate::expression::value::crypto::Encoding;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// `Encoding.GetEncoding(name)`.
pub fn from_name(name: &str) -> Result<Encoding, Thrown> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Encoding::Utf8,
        "us-ascii" | "ascii" => Encoding::Ascii,
        "utf-16" | "unicode" | "utf-16le" => Encoding::Unicode,
        "utf-16be" => Encoding::BigEndianUnicode,
        "iso-8859-1" | "latin1" => Encoding::Latin1,
        "utf-32" | "utf32" | "utf-32le" => Encoding::Utf32,
        _ => {
            return Err(Thrown::new(
                ExceptionKind::Argument,
                format!("'{name}' is not a supported encoding name. (Parameter 'name')"),
            ));
        }
    })
}

/// `Encoding.GetEncoding(codepage)`.
pub fn from_code_page(number: i32) -> Result<Encoding, Thrown> {
    const ALL: [Encoding; 6] = [
        Encoding::Utf8,
        Encoding::Ascii,
        Encoding::Unicode,
        Encoding::BigEndianUnicode,
        Encoding::Latin1,
        Encoding::Utf32,
    ];
    let found = ALL.into_iter().find(|encoding| encoding.code_page() == number);
    found.ok_or_else(|| {
        let message = format!("No data is available for encoding {number}.");
        Thrown::new(ExceptionKind::NotSupported, message)
    })
}

/// `encoding.GetBytes(text)`: what it cannot write becomes a question mark.
pub fn bytes(encoding: Encoding, text: &str) -> Result<Bytes, Thrown> {
    let narrow = |last: u32| -> Vec<u8> {
        let narrow = text.chars().map(|character| {
            u8::try_from(u32::from(character)).ok().filter(|byte| u32::from(*byte) <= last)
        });
        narrow.map(|byte| byte.unwrap_or(b'?')).collect()
    };
    let bytes: Vec<u8> = match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Ascii => narrow(0x7f),
        Encoding::Latin1 => narrow(0xff),
        Encoding::Unicode => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::BigEndianUnicode => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Utf32 => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
    };
    bounded_array(bytes.len())?;
    Ok(Bytes::from(bytes))
}

/// `encoding.GetString(bytes)`: what is not written in it becomes U+FFFD, or a question mark in
/// ASCII.
pub fn text(encoding: Encoding, bytes: &[u8]) -> Result<String, Thrown> {
    let units = |unit: fn([u8; 2]) -> u16| -> String {
        let pairs = bytes.chunks(2).map(|pair| match pair {
            [one, other] => unit([*one, *other]),
            _ => 0xfffd,
        });
        String::from_utf16_lossy(&pairs.collect::<Vec<u16>>())
    };
    let text = match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Ascii => {
            bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
        }
        Encoding::Latin1 => bytes.iter().copied().map(char::from).collect(),
        Encoding::Unicode => units(u16::from_le_bytes),
        Encoding::BigEndianUnicode => units(u16::from_be_bytes),
        Encoding::Utf32 => {
            let point = |four: &[u8]| {
                let four = <[u8; 4]>::try_from(four).ok();
                four.and_then(|four| char::from_u32(u32::from_le_bytes(four)))
            };
            let points = bytes.chunks(4).map(point);
            points.map(|point| point.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    };
    bounded_string(text.len())?;
    Ok(text)
}

/// `BitConverter.GetBytes(value)`: the low byte first.
pub fn number_bytes(value: &Value) -> Result<Bytes, Thrown> {
    Ok(match value {
        Value::Bool(flag) => Bytes::copy_from_slice(&[u8::from(*flag)]),
        Value::Int(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        Value::UInt(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        Value::Long(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        Value::ULong(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        Value::Float(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        Value::Double(number) => Bytes::copy_from_slice(&number.to_le_bytes()),
        other => return Err(other.refused("System.Int32")),
    })
}

/// `BitConverter.ToInt16(bytes, start)`.
pub fn to_short(bytes: &[u8], start: i32) -> Result<i16, Thrown> {
    part(bytes, start).map(i16::from_le_bytes)
}

/// `BitConverter.ToInt32(bytes, start)`.
pub fn to_int(bytes: &[u8], start: i32) -> Result<i32, Thrown> {
    part(bytes, start).map(i32::from_le_bytes)
}

/// `BitConverter.ToUInt32(bytes, start)`.
pub fn to_uint(bytes: &[u8], start: i32) -> Result<u32, Thrown> {
    part(bytes, start).map(u32::from_le_bytes)
}

/// `BitConverter.ToInt64(bytes, start)`.
pub fn to_long(bytes: &[u8], start: i32) -> Result<i64, Thrown> {
    part(bytes, start).map(i64::from_le_bytes)
}

/// `BitConverter.ToUInt64(bytes, start)`.
pub fn to_ulong(bytes: &[u8], start: i32) -> Result<u64, Thrown> {
    part(bytes, start).map(u64::from_le_bytes)
}

/// The `N` bytes from `start` on.
fn part<const N: usize>(bytes: &[u8], start: i32) -> Result<[u8; N], Thrown> {
    let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..));
    let from = from.ok_or_else(|| {
        let why = "Index was out of range. Must be non-negative and less than the size of the \
                   collection.";
        Thrown::out_of_range("startIndex", why)
    })?;
    from.first_chunk::<N>().copied().ok_or_else(|| {
        Thrown::new(
            ExceptionKind::Argument,
            "Destination array is not long enough to copy all the items in the collection.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_bytes_and_back() {
        let rows: [(Encoding, &str, &[u8]); 5] = [
            (Encoding::Utf8, "é", &[0xc3, 0xa9]),
            (Encoding::Ascii, "aé", b"a?"),
            (Encoding::Latin1, "é", &[0xe9]),
            (Encoding::Unicode, "aé", &[0x61, 0, 0xe9, 0]),
            (Encoding::BigEndianUnicode, "a", &[0, 0x61]),
        ];
        for (encoding, written, expected) in rows {
            assert_eq!(&bytes(encoding, written).unwrap()[..], expected);
        }
        assert_eq!(text(Encoding::Utf8, &[0xc3, 0xa9, 0xff]).unwrap(), "é\u{fffd}");
        assert_eq!(text(Encoding::Ascii, &[0x61, 0xff]).unwrap(), "a?");
        assert_eq!(text(Encoding::Latin1, &[0xe9]).unwrap(), "é");
        assert_eq!(text(Encoding::Unicode, &[0x61, 0, 0]).unwrap(), "a\u{fffd}");
        assert_eq!(from_name("UTF-8").unwrap(), Encoding::Utf8);
        assert!(from_name("ebcdic").is_err());
    }

    #[test]
    fn numbers_become_bytes_and_back() {
        assert_eq!(to_int(&number_bytes(&(-2).into()).unwrap(), 0).unwrap(), -2);
        assert_eq!(to_uint(&[1, 0, 0, 10, 9], 0).unwrap(), 0x0a00_0001);
        assert_eq!(to_long(&number_bytes(&5_i64.into()).unwrap(), 0).unwrap(), 5);
        assert!(
            to_int(&[1, 2], 0).is_err() && to_int(&[1], 5).is_err() && to_ulong(&[], -1).is_err()
        );
    }
}
