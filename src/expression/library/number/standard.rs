//! Standard numeric formats: a letter, and perhaps a precision.

use super::digits::{Digits, length};
use super::{Number, PRECISION_MAX};
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// The letter and precision of `format`; none if it is a picture format.
pub(super) fn specifier(format: &str) -> Result<Option<(char, Option<usize>)>, Thrown> {
    let mut characters = format.chars();
    let Some(letter) = characters.next().filter(char::is_ascii_alphabetic) else { return Ok(None) };
    let rest = characters.as_str();
    if rest.is_empty() {
        return Ok(Some((letter, None)));
    }
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match rest.parse() {
        Ok(precision) if precision <= PRECISION_MAX => Ok(Some((letter, Some(precision)))),
        _ => Err(Thrown::limit(format!("a number's precision may be at most {PRECISION_MAX}"))),
    }
}

/// `number` in the format of `letter`.
pub(super) fn format(
    number: Number,
    letter: char,
    precision: Option<usize>,
) -> Result<String, Thrown> {
    let decimals = precision.unwrap_or(2);
    Ok(match letter {
        'D' | 'd' => {
            let Number::Whole(whole, _) = number else { return Err(bad_format()) };
            let sign = if whole < 0 { "-" } else { "" };
            let width = precision.unwrap_or(0);
            format!("{sign}{:0>width$}", whole.unsigned_abs())
        }
        'X' | 'x' => hexadecimal(number, letter, precision.unwrap_or(0))?,
        'F' | 'f' => fixed(&number.fixed(decimals), decimals, false, "-"),
        'N' | 'n' => fixed(&number.fixed(decimals), decimals, true, "-"),
        'P' | 'p' => {
            let mut digits = number.fixed(decimals.saturating_add(2));
            digits.shift(2);
            format!("{} %", fixed(&digits, decimals, true, "-"))
        }
        'C' | 'c' => {
            let digits = number.fixed(decimals);
            let amount = fixed(&digits, decimals, true, "");
            if digits.negative && !digits.is_zero() {
                format!("(¤{amount})")
            } else {
                format!("¤{amount}")
            }
        }
        'E' | 'e' => {
            let decimals = precision.unwrap_or(6);
            let digits = number.leading(decimals.saturating_add(1));
            scientific(&digits, decimals, letter, 3)
        }
        'G' | 'g' => general(number, letter, precision.filter(|count| *count > 0)),
        'R' | 'r' => number.plain(),
        _ => return Err(bad_format()),
    })
}

/// `ToString()` of a `double` with these shortest digits.
pub(super) fn general_shortest(digits: &Digits) -> String {
    let most = digits.digits.len().max(15);
    general_digits(digits, most, 'E')
}

/// `ToString()` of a `float` with these shortest digits.
pub(super) fn general_float(digits: &Digits) -> String {
    let most = digits.digits.len().max(7);
    general_digits(digits, most, 'E')
}

fn general(number: Number, letter: char, precision: Option<usize>) -> String {
    let Some(count) = precision else { return number.plain() };
    let exponent = if letter == 'g' { 'e' } else { 'E' };
    general_digits(&number.leading(count), count, exponent)
}

/// Scientific only where the plain form would need more than `most` digits or many zeros.
fn general_digits(digits: &Digits, most: usize, exponent: char) -> String {
    if digits.point > length(most) || digits.point < -3 {
        let decimals = digits.digits.len().saturating_sub(1);
        return scientific(digits, decimals, exponent, 2);
    }
    let decimals = length(digits.digits.len()).saturating_sub(digits.point);
    let decimals = usize::try_from(decimals).unwrap_or(0);
    let sign = if digits.negative { "-" } else { "" };
    let point = if decimals == 0 { "" } else { "." };
    format!("{sign}{}{point}{}", digits.whole_text(), digits.fraction_text(decimals))
}

fn scientific(digits: &Digits, decimals: usize, letter: char, width: usize) -> String {
    let exponent = if digits.is_zero() { 0 } else { digits.point.saturating_sub(1) };
    let sign = if digits.negative { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let point = if decimals == 0 { "" } else { "." };
    let fraction: String = (1..=length(decimals)).map(|place| digits.digit(place)).collect();
    format!(
        "{sign}{}{point}{fraction}{letter}{exponent_sign}{:0>width$}",
        digits.digit(0),
        exponent.unsigned_abs()
    )
}

fn fixed(digits: &Digits, decimals: usize, in_groups: bool, minus: &str) -> String {
    // Since .NET Core 3.0 a negative number that rounds to zero keeps its sign.
    let sign = if digits.negative { minus } else { "" };
    let whole = digits.whole_text();
    let whole = if in_groups { grouped(&whole) } else { whole };
    let point = if decimals == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{}", digits.fraction_text(decimals))
}

/// `whole` with a comma between each three digits.
pub(super) fn grouped(whole: &str) -> String {
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && whole.len().saturating_sub(place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn hexadecimal(number: Number, letter: char, width: usize) -> Result<String, Thrown> {
    let Number::Whole(whole, bits) = number else { return Err(bad_format()) };
    let bits_of_type = whole.rem_euclid(1_i128.wrapping_shl(bits));
    let text = format!("{bits_of_type:0>width$X}");
    Ok(if letter == 'x' { text.to_ascii_lowercase() } else { text })
}

fn bad_format() -> Thrown {
    Thrown::new(ExceptionKind::Format, "Format specifier was invalid.")
}
