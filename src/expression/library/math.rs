//! `System.Math`, and `System.Random` on top of the generator.

use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy;

use super::operators;
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::writer::Random;

/// `Math.Max(left, right)`, in the wider type of the two.
pub fn max(left: &Value, right: &Value) -> Result<Value, Thrown> {
    pick(left, right, true)
}

/// `Math.Min(left, right)`, in the wider type of the two.
pub fn min(left: &Value, right: &Value) -> Result<Value, Thrown> {
    pick(left, right, false)
}

fn pick(left: &Value, right: &Value, largest: bool) -> Result<Value, Thrown> {
    if let (Value::Byte(one), Value::Byte(other)) = (left, right) {
        return Ok(Value::Byte(if largest { *one.max(other) } else { *one.min(other) }));
    }
    // Adding nothing of the other's type widens a number as C# does.
    let left_wide = widened(left, right)?;
    let right_wide = widened(right, left)?;
    let ordering = operators::compare(&left_wide, &right_wide)?;
    Ok(match ordering {
        None if matches!(left_wide, Value::Double(number) if number.is_nan())
            || matches!(left_wide, Value::Float(number) if number.is_nan()) =>
        {
            left_wide
        }
        None => right_wide,
        Some(ordering) if ordering.is_lt() == largest => right_wide,
        Some(_) => left_wide,
    })
}

fn widened(value: &Value, other: &Value) -> Result<Value, Thrown> {
    let zero = operators::binary(operators::Operator::Subtract, other, other)?;
    match (&zero, operators::to_double(value)) {
        // Infinity less infinity is no number.
        (Value::Double(_), Some(number)) => Ok(Value::Double(number)),
        (Value::Float(_), Some(number)) => Ok(Value::Float(to_float(number))),
        _ => operators::binary(operators::Operator::Add, value, &zero),
    }
}

/// `(float)number`: the nearest there is.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "what a cast to `float` in C# loses is lost here too"
)]
pub const fn to_float(number: f64) -> f32 {
    number as f32
}

/// `Math.Abs(value)`.
pub fn abs(value: &Value) -> Result<Value, Thrown> {
    let overflow = || {
        Thrown::new(
            ExceptionKind::Overflow,
            "Negating the minimum value of a twos complement number is invalid.",
        )
    };
    Ok(match value {
        Value::Byte(number) => Value::Int(i32::from(*number)),
        Value::Int(number) => Value::Int(number.checked_abs().ok_or_else(overflow)?),
        Value::UInt(number) => Value::Long(i64::from(*number)),
        Value::Long(number) => Value::Long(number.checked_abs().ok_or_else(overflow)?),
        Value::Decimal(number) => Value::Decimal(number.abs()),
        Value::Float(number) => Value::Float(number.abs()),
        other => Value::Double(double(other)?.abs()),
    })
}

/// `Math.Sign(value)`.
pub fn sign(value: &Value) -> Result<i32, Thrown> {
    let ordering = operators::compare(value, &Value::Int(0))?;
    ordering.map(|ordering| ordering.cmp(&std::cmp::Ordering::Equal)).map_or_else(
        || {
            Err(Thrown::new(
                ExceptionKind::Arithmetic,
                "Function does not accept floating point Not-a-Number values.",
            ))
        },
        |ordering| {
            Ok(match ordering {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            })
        },
    )
}

/// How a half is rounded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Midpoint {
    /// To the even neighbour, as .NET does unless it is told otherwise.
    #[default]
    ToEven,
    /// Away from zero.
    AwayFromZero,
    /// Not only halves: towards zero.
    ToZero,
    /// Not only halves: down.
    Down,
    /// Not only halves: up.
    Up,
}

impl Midpoint {
    /// The one with the number of a `MidpointRounding`.
    pub fn from_number(number: i32) -> Result<Self, Thrown> {
        Ok(match number {
            0 => Self::ToEven,
            1 => Self::AwayFromZero,
            2 => Self::ToZero,
            3 => Self::Down,
            4 => Self::Up,
            other => {
                let why = format!("The value '{other}' is not valid for this usage.");
                return Err(Thrown::new(ExceptionKind::Argument, why));
            }
        })
    }
}

/// `Math.Round(value, digits, midpoint)`.
pub fn round(value: &Value, digits: i32, midpoint: Midpoint) -> Result<Value, Thrown> {
    if let Value::Decimal(number) = value {
        let places = u32::try_from(digits).ok().filter(|places| *places <= 28);
        let places = places.ok_or_else(|| {
            let why = "Decimal can only round to between 0 and 28 digits of precision.";
            Thrown::out_of_range("decimals", why)
        })?;
        let strategy = match midpoint {
            Midpoint::ToEven => RoundingStrategy::MidpointNearestEven,
            Midpoint::AwayFromZero => RoundingStrategy::MidpointAwayFromZero,
            Midpoint::ToZero => RoundingStrategy::ToZero,
            Midpoint::Down => RoundingStrategy::ToNegativeInfinity,
            Midpoint::Up => RoundingStrategy::ToPositiveInfinity,
        };
        return Ok(Value::Decimal(number.round_dp_with_strategy(places, strategy)));
    }
    if !(0..=15).contains(&digits) {
        let why = "Rounding digits must be between 0 and 15, inclusive.";
        return Err(Thrown::out_of_range("digits", why));
    }
    let number = double(value)?;
    let factor = 10_f64.powi(digits);
    // Doubles from there on have no fraction.
    if number.abs() >= 1e16 {
        return Ok(Value::Double(number));
    }
    let scaled = number * factor;
    let rounded = match midpoint {
        Midpoint::ToEven => scaled.round_ties_even(),
        Midpoint::AwayFromZero => scaled.round(),
        Midpoint::ToZero => scaled.trunc(),
        Midpoint::Down => scaled.floor(),
        Midpoint::Up => scaled.ceil(),
    };
    Ok(Value::Double(rounded / factor))
}

/// A function of `Math` that rounds to a whole number of the same type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whole {
    /// `Math.Floor`.
    Floor,
    /// `Math.Ceiling`.
    Ceiling,
    /// `Math.Truncate`.
    Truncate,
}

/// `Math.Floor(value)`, `Math.Ceiling(value)` or `Math.Truncate(value)`.
pub fn whole(function: Whole, value: &Value) -> Result<Value, Thrown> {
    if let Value::Decimal(number) = value {
        return Ok(Value::Decimal(match function {
            Whole::Floor => number.floor(),
            Whole::Ceiling => number.ceil(),
            Whole::Truncate => number.trunc(),
        }));
    }
    let number = double(value)?;
    Ok(Value::Double(match function {
        Whole::Floor => number.floor(),
        Whole::Ceiling => number.ceil(),
        Whole::Truncate => number.trunc(),
    }))
}

/// `Math.Pow(base, exponent)`.
pub fn pow(base: &Value, exponent: &Value) -> Result<f64, Thrown> {
    Ok(double(base)?.powf(double(exponent)?))
}

/// A function of real numbers, such as `Math.Sin(value)`.
pub fn real(value: &Value, function: impl FnOnce(f64) -> f64) -> Result<f64, Thrown> {
    Ok(function(double(value)?))
}

/// `Math.Sqrt(value)`.
pub fn sqrt(value: &Value) -> Result<f64, Thrown> {
    Ok(double(value)?.sqrt())
}

/// `Math.Exp(value)`.
pub fn exp(value: &Value) -> Result<f64, Thrown> {
    Ok(double(value)?.exp())
}

/// `Math.Log(value)`, or `Math.Log(value, base)`.
pub fn log(value: &Value, base: Option<&Value>) -> Result<f64, Thrown> {
    let number = double(value)?.ln();
    base.map_or(Ok(number), |base| Ok(number / double(base)?.ln()))
}

/// `Math.Log10(value)`.
pub fn log10(value: &Value) -> Result<f64, Thrown> {
    Ok(double(value)?.log10())
}

/// `random.Next()`.
pub fn next(random: &Random) -> i32 {
    random.draw()
}

/// `random.Next(minimum, maximum)`: the maximum is never drawn.
pub fn next_between(random: &Random, minimum: i32, maximum: i32) -> Result<i32, Thrown> {
    if minimum > maximum {
        let why = "'minValue' cannot be greater than maxValue.";
        return Err(Thrown::out_of_range("minValue", why));
    }
    let range = i64::from(maximum).wrapping_sub(i64::from(minimum));
    let drawn = if range <= i64::from(i32::MAX) {
        next_double(random)
    } else {
        // A range wider than one draw: sign and number are drawn apart, as .NET does it.
        let number = random.draw();
        let number = if random.draw() % 2 == 0 { number.wrapping_neg() } else { number };
        (f64::from(number) + f64::from(i32::MAX - 1)) / (2.0 * f64::from(i32::MAX) - 1.0)
    };
    let step = to_long((drawn * long_as_double(range)).trunc())?;
    Ok(i32::try_from(i64::from(minimum).wrapping_add(step)).unwrap_or(minimum))
}

/// `random.Next(maximum)`.
pub fn next_below(random: &Random, maximum: i32) -> Result<i32, Thrown> {
    if maximum < 0 {
        let why = "'maxValue' must be greater than zero.";
        return Err(Thrown::out_of_range("maxValue", why));
    }
    next_between(random, 0, maximum)
}

/// `random.NextDouble()`: from 0, below 1.
pub fn next_double(random: &Random) -> f64 {
    f64::from(random.draw()) * (1.0 / f64::from(i32::MAX))
}

fn double(value: &Value) -> Result<f64, Thrown> {
    operators::to_double(value).ok_or_else(|| value.refused("System.Double"))
}

/// The nearest `double`.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "C# too takes the nearest")]
pub(super) const fn long_as_double(number: i64) -> f64 {
    number as f64
}

/// The nearest `double`.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "C# too takes the nearest")]
pub(super) const fn integer_as_double(number: i128) -> f64 {
    number as f64
}

/// The whole part of a `double` that must fit a `long`.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
pub(super) fn to_long(number: f64) -> Result<i64, Thrown> {
    // The bounds are exact: a double as large as the upper one is already too large.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return Err(Thrown::overflow("an Int64"));
    }
    Ok(number as i64)
}

/// The whole part of a `decimal` that must fit a `long`.
pub(super) fn decimal_to_long(number: Decimal) -> Result<i64, Thrown> {
    use rust_decimal::prelude::ToPrimitive as _;
    number.trunc().to_i64().ok_or_else(|| Thrown::overflow("an Int64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value) -> String {
        format!("{} {}", value.short_type_name(), super::super::display::text(value).unwrap())
    }

    #[test]
    fn functions_are_those_of_math() {
        assert_eq!(shown(&max(&1.into(), &2.into()).unwrap()), "Int32 2");
        assert_eq!(shown(&max(&1.into(), &2_i64.into()).unwrap()), "Int64 2");
        assert_eq!(shown(&max(&3.into(), &2.5.into()).unwrap()), "Double 3");
        assert_eq!(shown(&min(&3.into(), &2.5.into()).unwrap()), "Double 2.5");
        assert_eq!(shown(&max(&f64::INFINITY.into(), &1.into()).unwrap()), "Double Infinity");
        assert!(max(&"a".into(), &1.into()).is_err());
        assert_eq!(shown(&abs(&(-5).into()).unwrap()), "Int32 5");
        assert_eq!(shown(&abs(&(-5.5).into()).unwrap()), "Double 5.5");
        assert!(abs(&i32::MIN.into()).is_err());
        assert_eq!(sign(&(-0.5).into()).unwrap(), -1);
        assert!(sign(&f64::NAN.into()).is_err());
        let rows = [
            (2.5, 0, Midpoint::ToEven, "Double 2"),
            (3.5, 0, Midpoint::ToEven, "Double 4"),
            (2.5, 0, Midpoint::AwayFromZero, "Double 3"),
            (1.005, 1, Midpoint::ToEven, "Double 1"),
            (-1.25, 1, Midpoint::ToEven, "Double -1.2"),
            (1e300, 2, Midpoint::ToEven, "Double 1E+300"),
        ];
        for (number, digits, midpoint, expected) in rows {
            assert_eq!(shown(&round(&number.into(), digits, midpoint).unwrap()), expected);
        }
        assert!(round(&1.5.into(), 16, Midpoint::ToEven).is_err());
        assert_eq!(shown(&whole(Whole::Floor, &(-1.5).into()).unwrap()), "Double -2");
        assert_eq!(shown(&whole(Whole::Ceiling, &1.2.into()).unwrap()), "Double 2");
        assert_eq!(shown(&whole(Whole::Truncate, &(-1.7).into()).unwrap()), "Double -1");
        assert!((pow(&2.into(), &10.into()).unwrap() - 1024.0).abs() < f64::EPSILON);
        assert!((log(&8.into(), Some(&2.into())).unwrap() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_seed_gives_the_numbers_that_dotnet_gives() {
        let random = Random::new(0);
        let drawn: Vec<i32> = (0..3).map(|_| next(&random)).collect();
        assert_eq!(drawn, [1_559_595_546, 1_755_192_844, 1_649_316_166]);
        let random = Random::new(42);
        assert_eq!(next(&random), 1_434_747_710);
        assert_eq!(next(&Random::new(1)), 534_011_718);
    }

    #[test]
    fn drawn_numbers_are_in_their_range() {
        let random = Random::new(7);
        for _ in 0..1000 {
            assert!((5..10).contains(&next_between(&random, 5, 10).unwrap()));
            assert!((0..3).contains(&next_below(&random, 3).unwrap()));
            assert!((0.0..1.0).contains(&next_double(&random)));
            let wide = next_between(&random, i32::MIN, i32::MAX).unwrap();
            assert!(wide < i32::MAX);
        }
        assert_eq!(next_between(&random, 4, 4).unwrap(), 4);
        assert!(next_between(&random, 5, 4).is_err());
        assert!(next_below(&random, -1).is_err());
    }
}
