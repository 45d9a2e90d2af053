//! Numbers from text by a `NumberStyles`: what may stand beside the digits.

use super::parse::{self, NUMBER_BYTES_MAX};
use crate::expression::library::convert::{self, Numeric};
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

const LEADING_WHITE: i32 = 1;
const TRAILING_WHITE: i32 = 2;
const LEADING_SIGN: i32 = 4;
const TRAILING_SIGN: i32 = 8;
const PARENTHESES: i32 = 16;
const DECIMAL_POINT: i32 = 32;
const THOUSANDS: i32 = 64;
const EXPONENT: i32 = 128;
const CURRENCY: i32 = 256;
/// No number of .NET has a larger exponent.
const EXPONENT_MAX: i32 = 400;

/// A number that was taken apart.
#[derive(Default)]
struct Parts {
    negative: bool,
    whole: String,
    fraction: String,
    exponent: i32,
}

/// `int.Parse(text, style)` and its like, for every style but the hexadecimal one.
pub fn parse(text: &str, style: i32, target: Numeric) -> Result<Value, Thrown> {
    if text.len() > NUMBER_BYTES_MAX {
        return Err(Thrown::format());
    }
    let bare = text.trim();
    if matches!(target, Numeric::Double | Numeric::Float)
        && bare.starts_with(|first: char| first.is_ascii_alphabetic() || first == '-')
        && bare.ends_with(|last: char| last.is_ascii_alphabetic())
    {
        // NaN and the infinities have no style.
        return convert::parse(bare, target);
    }
    let parts = taken_apart(text, style)?;
    let sign = if parts.negative { "-" } else { "" };
    match target {
        Numeric::Double | Numeric::Float => {
            let plain = format!("{sign}{}.{}e{}", parts.whole, parts.fraction, parts.exponent);
            plain
                .parse()
                .map_err(|_| Thrown::format())
                .and_then(|number: f64| convert::cast_number(&Value::Double(number), target))
        }
        _ => {
            let (whole, fraction) = shifted(parts);
            if target == Numeric::Decimal {
                return parse::decimal(&format!("{sign}{whole}.{fraction}")).map(Value::Decimal);
            }
            let number = convert::parse(&format!("{sign}{whole}"), target)?;
            if fraction.bytes().any(|digit| digit != b'0') {
                return Err(Thrown::overflow("an Int32"));
            }
            Ok(number)
        }
    }
}

/// The digits before and after the point once the exponent is applied.
fn shifted(parts: Parts) -> (String, String) {
    let Parts { mut whole, mut fraction, exponent, .. } = parts;
    for _ in 0..exponent.max(0) {
        let moved = if fraction.is_empty() { '0' } else { fraction.remove(0) };
        whole.push(moved);
    }
    for _ in exponent.min(0)..0 {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    if whole.is_empty() {
        whole.push('0');
    }
    (whole, fraction)
}

fn taken_apart(text: &str, style: i32) -> Result<Parts, Thrown> {
    let allows = |flag: i32| style & flag != 0;
    let mut parts = Parts::default();
    let mut rest = text;
    if allows(LEADING_WHITE) {
        rest = rest.trim_start();
    }
    if allows(TRAILING_WHITE) {
        rest = rest.trim_end();
    }
    if allows(CURRENCY) {
        rest = rest.trim_start_matches('¤').trim_end_matches('¤');
    }
    if allows(PARENTHESES)
        && let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
    {
        parts.negative = true;
        rest = inner;
    } else if allows(LEADING_SIGN) && rest.starts_with(['-', '+']) {
        parts.negative = rest.starts_with('-');
        rest = rest.get(1..).unwrap_or_default();
    } else if allows(TRAILING_SIGN) && rest.ends_with(['-', '+']) {
        parts.negative = rest.ends_with('-');
        rest = rest.get(..rest.len().saturating_sub(1)).unwrap_or_default();
    }
    if allows(EXPONENT)
        && let Some((digits, exponent)) = rest.split_once(['e', 'E'])
    {
        let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
        let exponent: i32 = exponent.parse().map_err(|_| Thrown::format())?;
        parts.exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
        rest = digits;
    }
    let (whole, fraction) = match rest.split_once('.') {
        Some(split) if allows(DECIMAL_POINT) => split,
        Some(_) => return Err(Thrown::format()),
        None => (rest, ""),
    };
    parts.whole = if allows(THOUSANDS) { whole.replace(',', "") } else { whole.to_owned() };
    fraction.clone_into(&mut parts.fraction);
    let digits = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let none = parts.whole.is_empty() && parts.fraction.is_empty();
    if none || !digits(&parts.whole) || !digits(&parts.fraction) {
        return Err(Thrown::format());
    }
    if parts.whole.is_empty() {
        parts.whole.push('0');
    }
    Ok(parts)
}
