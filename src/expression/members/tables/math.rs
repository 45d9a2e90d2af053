//! `Math`, but for what takes any number.

use super::super::Member;
use super::super::arguments::{Outcome, at, int, ok, static_method, static_property};
use crate::expression::library::math::{self, Midpoint};
use crate::expression::value::Value;

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
        math::round(at(v, 0), 0, midpoint(int(v, 1)?))
    }),
    static_method("Round", "decimal d, int decimals, MidpointRounding mode", "decimal", |v| {
        rounded(v, int(v, 2)?)
    }),
    static_method("Round", "double a, int digits = 0", "double", |v| rounded(v, 0)),
    static_method("Round", "double a, MidpointRounding mode", "double", |v| {
        math::round(at(v, 0), 0, midpoint(int(v, 1)?))
    }),
    static_method("Round", "double a, int digits, MidpointRounding mode", "double", |v| {
        rounded(v, int(v, 2)?)
    }),
    static_method("Clamp", "int value, int min, int max", "int", clamped),
    static_method("Clamp", "long value, long min, long max", "long", clamped),
    static_method("Clamp", "double value, double min, double max", "double", clamped),
];

fn rounded(v: &[Value], mode: i32) -> Outcome {
    math::round(at(v, 0), int(v, 1)?, midpoint(mode))
}

const fn midpoint(mode: i32) -> Midpoint {
    if mode == 1 { Midpoint::AwayFromZero } else { Midpoint::ToEven }
}

fn clamped(v: &[Value]) -> Outcome {
    math::min(&math::max(at(v, 0), at(v, 1))?, at(v, 2))
}
