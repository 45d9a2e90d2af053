//! Numbers as text: what `ToString`, with and without a format, and `Parse` do for the invariant
//! culture.

use rust_decimal::Decimal;

use self::digits::Digits;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

pub mod digits;
mod picture;
mod standard;
pub mod parse;
pub mod styles;

/// The most digits that a format may ask for.
pub const PRECISION_MAX: usize = 999;

/// `number.ToString()` for a `double`: the shortest digits that read back as the same number.
pub fn double_text(number: f64) -> String {
    special(number)
        .map_or_else(|| standard::general_shortest(&Digits::shortest(number)), Into::into)
}

/// `number.ToString()` for a `float`, in the same way.
pub fn float_text(number: f32) -> String {
    special(f64::from(number))
        .map_or_else(|| standard::general_float(&Digits::shortest_float(number)), Into::into)
}

/// `number.ToString()` for a `decimal`: with all its digits after the point.
pub fn decimal_text(number: Decimal) -> String {
    number.to_string()
}

/// `number.ToString(format)` for any of the numeric types; none if `value` is not a number.
pub fn format(value: &Value, format: &str) -> Option<Result<String, Thrown>> {
    let number = Number::of(value)?;
    Some(number.format(format))
}

/// What tells the kinds of numbers apart when they are formatted.
#[derive(Clone, Copy, Debug)]
enum Number {
    /// A whole one, and how many bits its type has.
    Whole(i128, u32),
    Double(f64),
    Float(f32),
    Decimal(Decimal),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Byte(number) => Self::Whole(i128::from(*number), 8),
            Value::Int(number) => Self::Whole(i128::from(*number), 32),
            Value::UInt(number) => Self::Whole(i128::from(*number), 32),
            Value::Long(number) => Self::Whole(i128::from(*number), 64),
            Value::ULong(number) => Self::Whole(i128::from(*number), 64),
            Value::Double(number) => Self::Double(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Decimal(number) => Self::Decimal(*number),
            _ => return None,
        })
    }

    fn format(self, format: &str) -> Result<String, Thrown> {
        let without_digits = match self {
            Self::Double(number) => special(number),
            Self::Float(number) => special(f64::from(number)),
            Self::Whole(..) | Self::Decimal(_) => None,
        };
        if let Some(text) = without_digits {
            return Ok(text.to_owned());
        }
        if format.is_empty() {
            return Ok(self.plain());
        }
        match standard::specifier(format)? {
            Some((letter, precision)) => standard::format(self, letter, precision),
            None => Ok(picture::format(&self.significant(), format)),
        }
    }

    /// `ToString()`.
    fn plain(self) -> String {
        match self {
            Self::Whole(number, _) => number.to_string(),
            Self::Double(number) => double_text(number),
            Self::Float(number) => float_text(number),
            Self::Decimal(number) => decimal_text(number),
        }
    }

    /// The digits that a picture format works on: 15 of a `double`, 7 of a `float`, all of the others.
    fn significant(self) -> Digits {
        match self {
            Self::Whole(number, _) => Digits::whole(number),
            Self::Double(number) => Digits::significant(number, 15),
            Self::Float(number) => Digits::significant(f64::from(number), 7),
            Self::Decimal(number) => Digits::decimal(number),
        }
    }

    /// The digits, exact to `decimals` after the point.
    fn fixed(self, decimals: usize) -> Digits {
        match self {
            Self::Whole(number, _) => Digits::whole(number),
            Self::Double(number) => Digits::fixed(number, decimals),
            Self::Float(number) => Digits::fixed(f64::from(number), decimals),
            Self::Decimal(number) => {
                let mut digits = Digits::decimal(number);
                digits.round_after_point(decimals);
                digits
            }
        }
    }

    /// The first `count` digits, exact.
    fn leading(self, count: usize) -> Digits {
        match self {
            Self::Double(number) => Digits::significant(number, count),
            Self::Float(number) => Digits::significant(f64::from(number), count),
            Self::Whole(..) | Self::Decimal(_) => {
                let mut digits = self.significant();
                digits.round_to(count);
                digits
            }
        }
    }
}

/// The name of a number that has no digits.
fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("Infinity")
    } else if number == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// How many digits of a `double` a `decimal` keeps.
pub const DOUBLE_DIGITS: usize = 15;
/// How many digits of a `float` a `decimal` keeps.
pub const FLOAT_DIGITS: usize = 7;

/// `(decimal)number`: rounded to so many significant digits, without zeros at the end.
pub fn decimal_of(number: f64, digits: usize) -> Result<Decimal, Thrown> {
    let overflow = || Thrown::overflow("a Decimal");
    if !number.is_finite() || number.abs() >= 7.922_816_251_426_434e28 {
        return Err(overflow());
    }
    let written = format!("{number:.*e}", digits.saturating_sub(1));
    let decimal = Decimal::from_scientific(&written).map_err(|_| overflow());
    // What is too small for a decimal is nothing.
    Ok(decimal.unwrap_or_default().normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: impl Into<Value>, pattern: &str) -> String {
        format(&value.into(), pattern).unwrap().unwrap()
    }

    #[test]
    fn doubles_are_written_with_the_fewest_digits_that_read_back() {
        let rows: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-60.0, "-60"),
            (0.1, "0.1"),
            (1.5, "1.5"),
            (2.75, "2.75"),
            (0.0001, "0.0001"),
            (0.00001, "1E-05"),
            (1e14, "100000000000000"),
            (1e15, "1E+15"),
            (1e16, "1E+16"),
            (1.25e-7, "1.25E-07"),
            (123_456_789_012_345.0, "123456789012345"),
            (1_234_567_890_123_456.0, "1234567890123456"),
            (123_456_789_012_345_680.0, "1.2345678901234568E+17"),
            (1.0 / 3.0, "0.3333333333333333"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::MAX, "1.7976931348623157E+308"),
            (5e-324, "5E-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in rows {
            assert_eq!(double_text(*number), *text);
        }
    }

    #[test]
    fn standard_formats_read_as_in_dotnet() {
        let rows: Vec<(Value, &str, &str)> = vec![
            (5.into(), "D3", "005"),
            ((-5).into(), "D3", "-005"),
            (12345.into(), "D", "12345"),
            (255.into(), "X", "FF"),
            (255.into(), "x4", "00ff"),
            ((-1).into(), "X", "FFFFFFFF"),
            ((-1_i64).into(), "x", "ffffffffffffffff"),
            (Value::Byte(10), "X2", "0A"),
            (1234.5.into(), "F", "1234.50"),
            (1234.5678.into(), "F2", "1234.57"),
            (1234.5678.into(), "F0", "1235"),
            (2.5.into(), "F0", "3"),
            (0.125.into(), "F2", "0.13"),
            ((-1234.5).into(), "F1", "-1234.5"),
            (7.into(), "F2", "7.00"),
            (1_234_567.891.into(), "N", "1,234,567.89"),
            (1_234_567.into(), "N0", "1,234,567"),
            ((-1234).into(), "N1", "-1,234.0"),
            (999.into(), "N0", "999"),
            (0.5.into(), "P", "50.00 %"),
            (0.1234.into(), "P1", "12.3 %"),
            (1.into(), "P0", "100 %"),
            (1234.56.into(), "C", "¤1,234.56"),
            ((-1234.56).into(), "C", "(¤1,234.56)"),
            (12345.678.into(), "E2", "1.23E+004"),
            (12345.678.into(), "e", "1.234568e+004"),
            (0.00012.into(), "E1", "1.2E-004"),
            (1234.5678.into(), "G4", "1235"),
            (123_456.into(), "G3", "1.23E+05"),
            (0.5.into(), "R", "0.5"),
            (12.into(), "G", "12"),
            (f64::NAN.into(), "F2", "NaN"),
            (Value::Decimal("1.10".parse().unwrap()), "G", "1.10"),
            (Value::Decimal("1234.565".parse().unwrap()), "N2", "1,234.57"),
        ];
        for (value, pattern, text) in rows {
            assert_eq!(shown(value.clone(), pattern), text, "{value:?} {pattern}");
        }
    }

    #[test]
    fn picture_formats_read_as_in_dotnet() {
        let rows: &[(f64, &str, &str)] = &[
            (1234.5, "0.00", "1234.50"),
            (0.5, "#.##", ".5"),
            (0.5, "0.##", "0.5"),
            (5.0, "000", "005"),
            (1_234_567.0, "#,##0", "1,234,567"),
            (1234.5, "#,##0.00", "1,234.50"),
            (0.0, "#,##0.00", "0.00"),
            (0.0, "#", ""),
            (12.0, "#,##0", "12"),
            (0.256, "0.0%", "25.6%"),
            (0.256, "#0.##%", "25.6%"),
            (-1.5, "0.0", "-1.5"),
            (-1.5, "0.0;(0.0)", "(1.5)"),
            (0.0, "0.0;(0.0);zero", "zero"),
            (1_234_567.0, "0,", "1235"),
            (1_234_567.0, "0,,.0", "1.2"),
            (5.0, "0 'items'", "5 items"),
            (5.0, "\\#0", "#5"),
            (1_234_567_890.0, "(###) ###-####", "(123) 456-7890"),
            (86000.0, "0.###E+0", "8.6E+4"),
            (86000.0, "0.###E-000", "8.6E004"),
            (2.71239, "0.0##", "2.712"),
            (1.0, "00000.00", "00001.00"),
        ];
        for (number, pattern, text) in rows {
            assert_eq!(shown(*number, pattern), *text, "{number} {pattern}");
        }
    }

    #[test]
    fn a_format_that_is_none_is_refused() {
        for (value, pattern) in
            [(Value::Double(1.5), "D"), (Value::Double(1.5), "X"), (1.into(), "Q")]
        {
            assert!(format(&value, pattern).unwrap().is_err(), "{pattern}");
        }
        assert!(format(&1.into(), "N1000000000").unwrap().is_err());
        assert!(format(&Value::text("a"), "N").is_none());
    }

    #[test]
    fn texts_are_read_as_in_dotnet() {
        assert_eq!(parse::int(" 42 ").unwrap(), 42);
        assert_eq!(parse::int("-7").unwrap(), -7);
        assert_eq!(parse::int("+7").unwrap(), 7);
        for text in ["", " ", "4 2", "1.0", "1,000", "abc", "0x10", "٣", "--1"] {
            assert_eq!(parse::int(text).unwrap_err(), Thrown::format(), "{text}");
        }
        assert_eq!(
            parse::int("2147483648").unwrap_err().message,
            "Value was either too large or too small for an Int32."
        );
        assert_eq!(parse::long("2147483648").unwrap(), 2_147_483_648);
        assert!(parse::long("99999999999999999999999999999999999999999999").is_err());
        assert_eq!(parse::byte("255").unwrap(), 255);
        assert!(parse::byte("256").is_err());
        let rows: &[(&str, f64)] = &[
            ("1.5", 1.5),
            (" -1.5e3 ", -1500.0),
            ("1,234.5", 1234.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E400", f64::INFINITY),
            ("Infinity", f64::INFINITY),
        ];
        for (text, number) in rows {
            assert_eq!(parse::double(text).unwrap().to_bits(), number.to_bits(), "{text}");
        }
        for text in ["", ".", "1e", "1.2.3", "abc", ",1", "0x1", "inf", "1_0"] {
            assert!(parse::double(text).is_err(), "{text}");
        }
        assert_eq!(parse::decimal("1.10").unwrap().to_string(), "1.10");
        assert_eq!(parse::decimal("1,000.5-").unwrap().to_string(), "-1000.5");
        assert!(parse::bool(" TRUE ").unwrap());
        assert!(!parse::bool("false").unwrap());
        assert_eq!(
            parse::bool("yes").unwrap_err().message,
            "String 'yes' was not recognized as a valid Boolean."
        );
        let guid = 0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e;
        for text in [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "0F8FAD5BD9CB469FA16570867728950E",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "(0f8fad5b-d9cb-469f-a165-70867728950e)",
        ] {
            assert_eq!(parse::guid(text).unwrap(), guid, "{text}");
        }
        for text in [
            "",
            "0f8fad5b",
            "0f8fad5b-d9cb-469f-a165_70867728950e",
            "{}",
            "(((((((((((((((((((((((((((((((((((((((",
        ] {
            assert!(parse::guid(text).is_err(), "{text}");
        }
        assert_eq!(parse::in_base("ff", 16).unwrap(), 255);
        assert_eq!(parse::in_base("0xFF", 16).unwrap(), 255);
        assert_eq!(parse::in_base("101", 2).unwrap(), 5);
        assert!(parse::in_base("12", 3).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_and_no_format_panics(text in ".{0,40}", pattern in "[0#.,;%E+'a-zA-Z\\\\]{0,12}", number: f64, whole: i64) {
            let _ = (parse::int(&text), parse::double(&text), parse::decimal(&text), parse::guid(&text));
            let _ = format(&number.into(), &pattern);
            let _ = format(&whole.into(), &pattern);
        }

        #[test]
        fn a_double_reads_back_as_itself(number: f64) {
            if number.is_finite() {
                assert_eq!(parse::double(&double_text(number)).unwrap().to_bits(), number.to_bits());
            }
        }
    }
}
