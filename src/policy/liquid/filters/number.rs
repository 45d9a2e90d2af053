//! Filters that compute.

use std::cmp::Ordering;

use super::Filter;
use crate::expression::library::math::{self, Midpoint, Whole};
use crate::expression::library::{convert, number, operators};
use crate::expression::value::Value;
use crate::policy::liquid::Stop;
use crate::policy::liquid::datum::Datum;

/// `Abs`, `Ceil`, `Floor`, `Round`; what is no number becomes nothing.
pub(super) fn rounded(filter: Filter, input: &Datum, places: &Datum) -> Result<Datum, Stop> {
    let Some(value) = input.number() else { return Ok(Datum::Nil) };
    if filter == Filter::Abs {
        return Ok(Datum::of_number(&math::abs(&value)?));
    }
    if matches!(value, Value::Long(_)) {
        return Ok(Datum::of_number(&value));
    }
    let value = Value::Decimal(decimal(&value)?);
    let result = match filter {
        Filter::Ceil => math::whole(Whole::Ceiling, &value)?,
        Filter::Floor => math::whole(Whole::Floor, &value)?,
        _ => {
            let places = places.number().and_then(|places| operators::to_integer(&places));
            let places = i32::try_from(places.unwrap_or(0)).unwrap_or(i32::MAX);
            math::round(&value, places, Midpoint::ToEven)?
        }
    };
    Ok(Datum::of_number(&result))
}

/// `AtLeast` and `AtMost`; what is no number stays.
pub(super) fn bounded(input: &Datum, bound: &Datum, is_least: bool) -> Datum {
    let (Some(value), Some(limit)) = (input.number(), bound.number()) else {
        return input.clone();
    };
    let below = matches!(operators::compare(&value, &limit), Ok(Some(Ordering::Less)));
    Datum::of_number(if below == is_least { &limit } else { &value })
}

/// `Plus`, `Minus`, `Times`, `DividedBy`, `Modulo`: whole numbers give a whole one; otherwise it is
/// computed with `decimal`. `Plus` puts a text in front of the other, as in `DotLiquid`.
pub(super) fn computed(filter: Filter, input: &Datum, operand: &Datum) -> Result<Datum, Stop> {
    if let (Filter::Plus, Datum::Text(text)) = (filter, input) {
        return Ok(Datum::text([&**text, &*operand.shown()].concat()));
    }
    if matches!(input, Datum::Nil) || matches!(operand, Datum::Nil) {
        return Ok(Datum::Nil);
    }
    let (Some(left), Some(right)) = (input.number(), operand.number()) else {
        let other = if input.number().is_none() { input } else { operand };
        return Err(Stop::Failed(format!("`{}` is no number", brief(&other.shown()))));
    };
    let operator = match filter {
        Filter::Plus => operators::Operator::Add,
        Filter::Minus => operators::Operator::Subtract,
        Filter::Times => operators::Operator::Multiply,
        Filter::DividedBy => operators::Operator::Divide,
        _ => operators::Operator::Remainder,
    };
    if let (Value::Long(one), Value::Long(other)) = (&left, &right) {
        let whole = match filter {
            Filter::Plus => one.checked_add(*other),
            Filter::Minus => one.checked_sub(*other),
            Filter::Times => one.checked_mul(*other),
            // What is divided by 0 is told in the words of .NET.
            _ => {
                return Ok(Datum::of_number(&operators::binary(operator, &left, &right)?));
            }
        };
        let too_large = || Stop::Failed("the result is too large for a whole number".to_owned());
        return whole.map(Datum::Int).ok_or_else(too_large);
    }
    let (left, right) = (Value::Decimal(decimal(&left)?), Value::Decimal(decimal(&right)?));
    Ok(Datum::of_number(&operators::binary(operator, &left, &right)?))
}

/// `Currency`: as the invariant culture writes amounts; what is no number stays.
pub(super) fn currency(input: &Datum) -> Datum {
    let formatted = input.number().and_then(|value| number::format(&value, "C"));
    formatted.and_then(Result::ok).map_or_else(|| input.clone(), Datum::text)
}

fn decimal(value: &Value) -> Result<rust_decimal::Decimal, Stop> {
    match convert::to_number(value, convert::Numeric::Decimal)? {
        Value::Decimal(number) => Ok(number),
        _ => Err(Stop::Failed("a number is too large to compute with".to_owned())),
    }
}

/// As much of `text` as a message repeats.
fn brief(text: &str) -> String {
    text.chars().take(32).collect()
}
