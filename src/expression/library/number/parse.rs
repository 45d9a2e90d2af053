//! Numbers from text.

use rust_decimal::Decimal;

use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The longest text that is read as a number, in bytes.
pub const NUMBER_BYTES_MAX: usize = 1024;

/// `int.Parse(text)`.
pub fn int(text: &str) -> Result<i32, Thrown> {
    i32::try_from(whole(text)?).map_err(|_| Thrown::overflow("an Int32"))
}

/// `uint.Parse(text)`.
pub fn uint(text: &str) -> Result<u32, Thrown> {
    u32::try_from(whole(text)?).map_err(|_| Thrown::overflow("a UInt32"))
}

/// `long.Parse(text)`.
pub fn long(text: &str) -> Result<i64, Thrown> {
    i64::try_from(whole(text)?).map_err(|_| Thrown::overflow("an Int64"))
}

/// `ulong.Parse(text)`.
pub fn ulong(text: &str) -> Result<u64, Thrown> {
    u64::try_from(whole(text)?).map_err(|_| Thrown::overflow("a UInt64"))
}

/// `byte.Parse(text)`.
pub fn byte(text: &str) -> Result<u8, Thrown> {
    u8::try_from(whole(text)?).map_err(|_| Thrown::overflow("an unsigned byte"))
}

/// A whole number in base `radix` (2, 8, 10 or 16) as `Convert.ToInt64(text, radix)` reads it: the
/// bits of the type where the base is not 10.
pub fn in_base(text: &str, radix: i32) -> Result<u64, Thrown> {
    let radix = u32::try_from(radix).ok().filter(|radix| matches!(radix, 2 | 8 | 10 | 16));
    let radix = radix.ok_or_else(|| Thrown::new(ExceptionKind::Argument, "Invalid Base."))?;
    if radix == 10 {
        return long(text).map(i64::cast_unsigned);
    }
    let digits = if radix == 16 {
        text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
    } else {
        text
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Thrown::new(ExceptionKind::Format, "Could not find any recognizable digits."));
    }
    u64::from_str_radix(digits, radix).map_err(|_| Thrown::overflow("a UInt64"))
}

/// `double.Parse(text)`: too large a number is infinite.
pub fn double(text: &str) -> Result<f64, Thrown> {
    let text = trimmed(text);
    let folded = text.to_ascii_lowercase();
    match folded.as_str() {
        "nan" | "-nan" | "+nan" => return Ok(f64::NAN),
        "infinity" | "+infinity" | "∞" => return Ok(f64::INFINITY),
        "-infinity" | "-∞" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    plain(text, true)?.parse().map_err(|_| Thrown::format())
}

/// `decimal.Parse(text)`.
pub fn decimal(text: &str) -> Result<Decimal, Thrown> {
    let text = trimmed(text);
    // A sign may stand at the end.
    let (text, sign) = match text.strip_suffix('-') {
        Some(rest) if !rest.starts_with(['-', '+']) => (rest, "-"),
        _ => (text, ""),
    };
    let plain = format!("{sign}{}", plain(text, false)?);
    Decimal::from_str_exact(&plain)
        .or_else(|_| plain.parse())
        .map_err(|_| Thrown::overflow("a Decimal"))
}

/// `bool.Parse(text)`.
pub fn bool(text: &str) -> Result<bool, Thrown> {
    let trimmed =
        text.trim_matches(|character: char| character.is_whitespace() || character == '\0');
    if trimmed.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if trimmed.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Thrown::new(
            ExceptionKind::Format,
            format!("String '{text}' was not recognized as a valid Boolean."),
        ))
    }
}

/// `Guid.Parse(text)`: 32 digits, plain, with hyphens, or these in braces or parentheses.
pub fn guid(text: &str) -> Result<u128, Thrown> {
    let trimmed = trimmed(text);
    let bare = trimmed
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| trimmed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')));
    let inner = bare.unwrap_or(trimmed);
    let digits: String = match inner.len() {
        32 if bare.is_none() => inner.to_owned(),
        36 => {
            let hyphens: Vec<usize> = inner.match_indices('-').map(|(at, _)| at).collect();
            if hyphens != [8, 13, 18, 23] {
                return Err(bad_guid());
            }
            inner.replace('-', "")
        }
        _ => return Err(bad_guid()),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(bad_guid());
    }
    u128::from_str_radix(&digits, 16).map_err(|_| bad_guid())
}

fn bad_guid() -> Thrown {
    Thrown::new(
        ExceptionKind::Format,
        "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
    )
}

/// The white space that numbers may have around them.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r', '\0'])
}

fn whole(text: &str) -> Result<i128, Thrown> {
    let text = trimmed(text);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Thrown::format());
    }
    // More digits than any type holds: its caller refuses the largest number too.
    let most = if text.starts_with('-') { i128::MIN } else { i128::MAX };
    Ok(text.parse().unwrap_or(most))
}

/// `text` without commas and white space, if it is a number with an optional fraction and, where
/// allowed, an exponent.
fn plain(text: &str, may_have_exponent: bool) -> Result<String, Thrown> {
    if text.len() > NUMBER_BYTES_MAX {
        return Err(Thrown::format());
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if may_have_exponent => (mantissa, Some(exponent)),
        _ => (rest, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole: String = if whole.starts_with(',') { whole.into() } else { whole.replace(',', "") };
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    let exponent_digits = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    let is_exponent = exponent_digits.is_none_or(|text| !text.is_empty() && all_digits(text));
    if !has_digits || !all_digits(&whole) || !all_digits(fraction) || !is_exponent {
        return Err(Thrown::format());
    }
    let exponent = exponent.map(|text| format!("e{text}")).unwrap_or_default();
    // A decimal has as many digits after the point as are written, so none may be made up.
    let whole = if whole.is_empty() { "0" } else { &whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{sign}{whole}{point}{fraction}{exponent}"))
}
