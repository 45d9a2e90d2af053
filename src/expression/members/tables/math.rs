//! `Math`, but for what takes any number.

use super::super::arguments::{Outcome, at, int, ok, static_method, static_property, static_with};
use super::super::{Call, Member};
use crate::expression::library::display;
use crate::expression::library::math::{self, Midpoint, Whole};
use crate::expression::library::operators::{self, Operator};
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

pub(super) const MATH: &[Member] = &[
    static_property("PI", "double", |_| ok(std::f64::consts::PI)),
    static_property("E", "double", |_| ok(std::f64::consts::E)),
    static_method("Sign", "decimal value", "int", |v| ok(math::sign(at(v, 0))?)),
    static_method("Sign", "double value", "int", |v| ok(math::sign(at(v, 0))?)),
    static_method("Pow", "double x, double y", "double", |v| ok(math::pow(at(v, 0), at(v, 1))?)),
    static_method("Sqrt", "double d", "double", |v| ok(math::sqrt(at(v, 0))?)),
    static_method("Cbrt", "double d", "double", |v| ok(math::real(at(v, 0), f64::cbrt)?)),
    static_method("Sin", "double a", "double", |v| ok(math::real(at(v, 0), f64::sin)?)),
    static_method("Cos", "double d", "double", |v| ok(math::real(at(v, 0), f64::cos)?)),
    static_method("Tan", "double a", "double", |v| ok(math::real(at(v, 0), f64::tan)?)),
    static_method("Asin", "double d", "double", |v| ok(math::real(at(v, 0), f64::asin)?)),
    static_method("Acos", "double d", "double", |v| ok(math::real(at(v, 0), f64::acos)?)),
    static_method("Atan", "double d", "double", |v| ok(math::real(at(v, 0), f64::atan)?)),
    static_method("Atan2", "double y, double x", "double", |v| {
        let x = math::real(at(v, 1), |x| x)?;
        ok(math::real(at(v, 0), |y| y.atan2(x))?)
    }),
    static_method("Exp", "double d", "double", |v| ok(math::exp(at(v, 0))?)),
    static_method("Log", "double d", "double", |v| ok(math::log(at(v, 0), None)?)),
    static_method("Log", "double a, double newBase", "double", |v| {
        ok(math::log(at(v, 0), Some(at(v, 1)))?)
    }),
    static_method("Log2", "double x", "double", |v| ok(math::real(at(v, 0), f64::log2)?)),
    static_method("Log10", "double d", "double", |v| ok(math::log10(at(v, 0))?)),
    static_method("Round", "decimal d, int decimals = 0", "decimal", |v| rounded(v, 0)),
    static_method("Round", "decimal d, MidpointRounding mode", "decimal", |v| {
        math::round(at(v, 0), 0, Midpoint::from_number(int(v, 1)?)?)
    }),
    static_method("Round", "decimal d, int decimals, MidpointRounding mode", "decimal", |v| {
        rounded(v, int(v, 2)?)
    }),
    static_method("Round", "double a, int digits = 0", "double", |v| rounded(v, 0)),
    static_method("Round", "double a, MidpointRounding mode", "double", |v| {
        math::round(at(v, 0), 0, Midpoint::from_number(int(v, 1)?)?)
    }),
    static_method("Round", "double a, int digits, MidpointRounding mode", "double", |v| {
        rounded(v, int(v, 2)?)
    }),
    static_method("Clamp", "int value, int min, int max", "int", clamped),
    static_method("Clamp", "long value, long min, long max", "long", clamped),
    static_method("Clamp", "double value, double min, double max", "double", clamped),
    static_method("Clamp", "decimal value, decimal min, decimal max", "decimal", clamped),
    static_with("DivRem", "int a, int b, out int result", "int", divided),
    static_with("DivRem", "long a, long b, out long result", "long", divided),
    static_method("BigMul", "int a, int b", "long", |v| {
        ok(i64::from(int(v, 0)?).wrapping_mul(i64::from(int(v, 1)?)))
    }),
    static_method("IEEERemainder", "double x, double y", "double", |v| {
        let y = math::real(at(v, 1), |y| y)?;
        ok(math::real(at(v, 0), |x| x - y * (x / y).round_ties_even())?)
    }),
];

/// The static members of `decimal` that `Math` has too.
pub(super) const DECIMAL_MORE: &[Member] = &[
    static_property("Zero", "decimal", |_| ok(rust_decimal::Decimal::ZERO)),
    static_property("One", "decimal", |_| ok(rust_decimal::Decimal::ONE)),
    static_property("MinusOne", "decimal", |_| ok(rust_decimal::Decimal::NEGATIVE_ONE)),
    static_method("Truncate", "decimal d", "decimal", |v| math::whole(Whole::Truncate, at(v, 0))),
    static_method("Floor", "decimal d", "decimal", |v| math::whole(Whole::Floor, at(v, 0))),
    static_method("Ceiling", "decimal d", "decimal", |v| math::whole(Whole::Ceiling, at(v, 0))),
    static_method("Round", "decimal d, int decimals = 0", "decimal", |v| rounded(v, 0)),
    static_method("Round", "decimal d, MidpointRounding mode", "decimal", |v| {
        math::round(at(v, 0), 0, Midpoint::from_number(int(v, 1)?)?)
    }),
    static_method("Round", "decimal d, int decimals, MidpointRounding mode", "decimal", |v| {
        rounded(v, int(v, 2)?)
    }),
];

/// `Math.DivRem(a, b, out remainder)`.
fn divided(call: &mut Call<'_, '_>) -> Outcome {
    let (one, other) = (call.argument(0), call.argument(1));
    let rest = operators::binary(Operator::Remainder, one, other)?;
    call.outs.push(rest);
    operators::binary(Operator::Divide, one, other)
}

fn rounded(v: &[Value], mode: i32) -> Outcome {
    math::round(at(v, 0), int(v, 1)?, Midpoint::from_number(mode)?)
}

fn clamped(v: &[Value]) -> Outcome {
    if operators::compare(at(v, 1), at(v, 2))?.is_some_and(std::cmp::Ordering::is_gt) {
        let (least, most) = (display::text(at(v, 1))?, display::text(at(v, 2))?);
        let message = format!("'{least}' cannot be greater than {most}.");
        return Err(Thrown::new(ExceptionKind::Argument, message));
    }
    math::min(&math::max(at(v, 0), at(v, 1))?, at(v, 2))
}
