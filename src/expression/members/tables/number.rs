//! Numbers, `bool`, `Guid`, `Random`, and of `Math` what takes any number.

use super::super::Call;
use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, constructor, double, int, method, method_with, ok, property, static_method,
    static_property, static_with, text,
};
use crate::expression::library::convert::{self, Numeric};
use crate::expression::library::math::{self, Whole};
use crate::expression::library::number::{parse, styles};
use crate::expression::library::{display, operators};
use crate::expression::value::Value;
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::writer::Random;

/// `Parse`, `TryParse`, `MinValue` and `MaxValue` of a numeric type.
macro_rules! numeric {
    ($target:ident, $name:literal, $out:literal, $min:expr, $max:expr) => {
        &[
            static_property("MinValue", $name, |_| ok($min)),
            static_property("MaxValue", $name, |_| ok($max)),
            static_method("Parse", "string s", $name, |v| {
                convert::parse(text(v, 0)?, Numeric::$target)
            }),
            static_method("Parse", "string s, NumberStyles style", $name, |v| {
                styled(v, Numeric::$target)
            }),
            static_method("Parse", "string s, CultureInfo provider", $name, |v| {
                convert::parse(text(v, 0)?, Numeric::$target)
            }),
            static_method(
                "Parse",
                "string s, NumberStyles style, CultureInfo provider",
                $name,
                |v| styled(v, Numeric::$target),
            ),
            static_with("TryParse", concat!("string s, out ", $out), "bool", |call| {
                tried(call, $min, |v| convert::parse(text(v, 0)?, Numeric::$target))
            }),
            static_with(
                "TryParse",
                concat!("string s, NumberStyles style, CultureInfo provider, out ", $out),
                "bool",
                |call| tried(call, $min, |v| styled(v, Numeric::$target)),
            ),
            method("CompareTo", "object value", "int", |v| compared(v)),
            method("Equals", concat!($name, " obj"), "bool", |v| {
                ok(operators::equals(at(v, 0), at(v, 1)))
            }),
        ]
    };
}

pub(super) const BYTE: &[Member] = numeric!(Byte, "byte", "byte result", 0_u8, u8::MAX);
pub(super) const INT: &[Member] = numeric!(Int, "int", "int result", i32::MIN, i32::MAX);
pub(super) const UINT: &[Member] = numeric!(UInt, "uint", "uint result", 0_u32, u32::MAX);
pub(super) const LONG: &[Member] = numeric!(Long, "long", "long result", i64::MIN, i64::MAX);
pub(super) const ULONG: &[Member] = numeric!(ULong, "ulong", "ulong result", 0_u64, u64::MAX);
pub(super) const DOUBLE: &[Member] =
    numeric!(Double, "double", "double result", f64::MIN, f64::MAX);
pub(super) const FLOAT: &[Member] = numeric!(Float, "float", "float result", f32::MIN, f32::MAX);
pub(super) const DECIMAL: &[Member] = numeric!(
    Decimal,
    "decimal",
    "decimal result",
    rust_decimal::Decimal::MIN,
    rust_decimal::Decimal::MAX
);

pub(super) const FLOAT_MORE: &[Member] = &[
    static_property("NaN", "float", |_| ok(f32::NAN)),
    static_property("PositiveInfinity", "float", |_| ok(f32::INFINITY)),
    static_property("NegativeInfinity", "float", |_| ok(f32::NEG_INFINITY)),
    static_property("Epsilon", "float", |_| ok(f32::from_bits(1))),
    static_method("IsNaN", "float f", "bool", |v| ok(double(v, 0)?.is_nan())),
    static_method("IsInfinity", "float f", "bool", |v| ok(double(v, 0)?.is_infinite())),
    static_method("IsFinite", "float f", "bool", |v| ok(double(v, 0)?.is_finite())),
];

pub(super) const DOUBLE_MORE: &[Member] = &[
    static_property("NaN", "double", |_| ok(f64::NAN)),
    static_property("PositiveInfinity", "double", |_| ok(f64::INFINITY)),
    static_property("NegativeInfinity", "double", |_| ok(f64::NEG_INFINITY)),
    static_property("Epsilon", "double", |_| ok(f64::from_bits(1))),
    static_method("IsNaN", "double d", "bool", |v| ok(double(v, 0)?.is_nan())),
    static_method("IsInfinity", "double d", "bool", |v| ok(double(v, 0)?.is_infinite())),
    static_method("IsFinite", "double d", "bool", |v| ok(double(v, 0)?.is_finite())),
    static_method("IsPositiveInfinity", "double d", "bool", |v| {
        ok(operators::equals(at(v, 0), &Value::Double(f64::INFINITY)))
    }),
    static_method("IsNegativeInfinity", "double d", "bool", |v| {
        ok(operators::equals(at(v, 0), &Value::Double(f64::NEG_INFINITY)))
    }),
];

/// The style for hexadecimal digits.
const HEX_STYLE: i32 = 512;

fn styled(v: &[Value], target: Numeric) -> Outcome {
    let style = int(v, 1)?;
    if style & HEX_STYLE == 0 {
        return styles::parse(text(v, 0)?, style, target);
    }
    let bits = parse::in_base(text(v, 0)?.trim(), 16)?;
    convert::cast_number(&Value::ULong(bits), target)
}

/// `TryParse`: what cannot be parsed is the type's default.
fn tried(
    call: &mut Call<'_, '_>,
    like: impl Into<Value>,
    parse: fn(&[Value]) -> Outcome,
) -> Outcome {
    let parsed = if call.argument(0).is_null() { None } else { parse(call.arguments()).ok() };
    let is_parsed = parsed.is_some();
    let zero = || {
        let like = crate::expression::types::type_of(&like.into());
        crate::expression::eval::default_of(&like)
    };
    call.outs.push(parsed.unwrap_or_else(zero));
    ok(is_parsed)
}

fn compared(v: &[Value]) -> Outcome {
    ok(match operators::order(at(v, 0), at(v, 1))? {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    })
}

pub(super) const BOOL: &[Member] = &[
    static_method("Parse", "string value", "bool", |v| ok(parse::bool(text(v, 0)?)?)),
    static_with("TryParse", "string value, out bool result", "bool", |call| {
        tried(call, false, |v| ok(parse::bool(text(v, 0)?)?))
    }),
    static_property("TrueString", "string", |_| ok("True")),
    static_property("FalseString", "string", |_| ok("False")),
];

/// What every number has.
pub(super) const FORMATTED: &[Member] = &[
    method("ToString", "string format, CultureInfo provider = null", "string", |v| {
        let format = at(v, 1).string_or_null()?.map_or("", |format| &**format);
        ok(display::formatted(at(v, 0), format)?)
    }),
    method("ToString", "CultureInfo provider", "string", |v| ok(display::text(at(v, 0))?)),
];

pub(super) const GUID: &[Member] = &[
    static_property("Empty", "Guid", |_| Ok(Value::Guid(0))),
    static_with("NewGuid", "", "Guid", |call| {
        let high = u128::from(call.scope().random());
        let low = u128::from(call.scope().random());
        // Version 4, variant 1, as RFC 9562 lays them out.
        let bits = ((high << 64) | low) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48);
        Ok(Value::Guid(bits | (0x4000_u128 << 64) | (0x8000_u128 << 48)))
    })
    .volatile(),
    static_method("Parse", "string input", "Guid", |v| parse::guid(text(v, 0)?).map(Value::Guid)),
    static_with("TryParse", "string input, out Guid result", "bool", |call| {
        let parsed = call.text(0).ok().and_then(|text| parse::guid(text).ok());
        call.outs.push(Value::Guid(parsed.unwrap_or(0)));
        ok(parsed.is_some())
    }),
    static_method("ParseExact", "string input, string format", "Guid", |v| {
        let guid = parse::guid(text(v, 0)?)?;
        let written = display::formatted(&Value::Guid(guid), text(v, 1)?)?;
        if written.eq_ignore_ascii_case(text(v, 0)?.trim()) {
            return Ok(Value::Guid(guid));
        }
        Err(Thrown::format())
    }),
    constructor("string g", |v| parse::guid(text(v, 0)?).map(Value::Guid)),
    constructor("byte[] b", |v| {
        let given = bytes(v, 0)?;
        let wrong = "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')";
        let wrong = || Thrown::new(ExceptionKind::Argument, wrong);
        let given: [u8; 16] = given.as_ref().try_into().map_err(|_| wrong())?;
        let [a, b, c, d, e, f, g, h, rest @ ..] = given;
        let mut ordered = vec![d, c, b, a, f, e, h, g];
        ordered.extend(rest);
        let number = |sum: u128, byte: &u8| (sum << 8) | u128::from(*byte);
        Ok(Value::Guid(ordered.iter().fold(0, number)))
    }),
    method("ToByteArray", "", "byte[]", |v| match at(v, 0) {
        // .NET keeps the first three fields with their low bytes first.
        Value::Guid(guid) => {
            let bytes = guid.to_be_bytes();
            let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15_usize];
            let bytes: Vec<u8> = order.iter().filter_map(|at| bytes.get(*at).copied()).collect();
            ok(bytes)
        }
        other => Err(other.refused("System.Guid")),
    }),
];

/// A function of `Math` for each number type, in the order in which C# prefers them.
macro_rules! for_numbers {
    ($name:literal, $parameters:tt, $($number:literal),* => $run:expr) => {
        &[$(static_method($name, replaced!($parameters, $number), $number, $run),)*]
    };
}

/// Writes the parameters of the functions of `Math` for one type.
macro_rules! replaced {
    ("one", $number:literal) => {
        concat!($number, " value")
    };
    ("two", $number:literal) => {
        concat!($number, " val1, ", $number, " val2")
    };
}

pub(super) const MATH_MAX: &[Member] = for_numbers!("Max", "two", "byte", "int", "uint", "long", "ulong", "float", "decimal", "double" => |v| {
    math::max(at(v, 0), at(v, 1))
});
pub(super) const MATH_MIN: &[Member] = for_numbers!("Min", "two", "byte", "int", "uint", "long", "ulong", "float", "decimal", "double" => |v| {
    math::min(at(v, 0), at(v, 1))
});
pub(super) const MATH_ABS: &[Member] = for_numbers!("Abs", "one", "int", "long", "float", "decimal", "double" => |v| math::abs(at(v, 0)));
pub(super) const MATH_FLOOR: &[Member] =
    for_numbers!("Floor", "one", "decimal", "double" => |v| math::whole(Whole::Floor, at(v, 0)));
pub(super) const MATH_CEILING: &[Member] = for_numbers!("Ceiling", "one", "decimal", "double" => |v| {
    math::whole(Whole::Ceiling, at(v, 0))
});
pub(super) const MATH_TRUNCATE: &[Member] = for_numbers!("Truncate", "one", "decimal", "double" => |v| {
    math::whole(Whole::Truncate, at(v, 0))
});

fn random(v: &[Value]) -> Result<&Random, Thrown> {
    match at(v, 0) {
        Value::Random(random) => Ok(random),
        other => Err(other.refused("System.Random")),
    }
}

pub(super) const RANDOM: &[Member] = &[
    Member {
        run: super::super::Run::Call(|call| {
            // Any 31 bits make a seed.
            let bits = call.scope().random() >> 33;
            ok(Random::new(i32::try_from(bits).unwrap_or(0)))
        }),
        ..constructor("", |_| Ok(Value::Null))
    }
    .volatile(),
    constructor("int Seed", |v| ok(Random::new(int(v, 0)?))),
    method("Next", "", "int", |v| ok(math::next(random(v)?))).effect(),
    method("Next", "int maxValue", "int", |v| ok(math::next_below(random(v)?, int(v, 1)?)?))
        .effect(),
    method("Next", "int minValue, int maxValue", "int", |v| {
        ok(math::next_between(random(v)?, int(v, 1)?, int(v, 2)?)?)
    })
    .effect(),
    method("NextBytes", "byte[] buffer", "void", |v| {
        let Value::List(buffer) = at(v, 1) else {
            let message = "This byte array cannot be written to; make one with `new byte[n]`.";
            return Err(Thrown::new(ExceptionKind::NotSupported, message));
        };
        for place in (0..).take(buffer.len()) {
            // As .NET has it: the low eight bits of each number.
            let byte = random(v)?.draw().to_le_bytes().first().copied().unwrap_or(0);
            buffer.set_at(place, Value::Byte(byte))?;
        }
        Ok(Value::Null)
    })
    .effect(),
    method("NextDouble", "", "double", |v| ok(math::next_double(random(v)?))).effect(),
];

/// `T?`.
pub(super) const NULLABLE: &[Member] = &[
    property("HasValue", "bool", |v| ok(!at(v, 0).is_null())).nullable(),
    property("Value", "T", |v| {
        let missing = "Nullable object must have a value.";
        if at(v, 0).is_null() {
            return Err(Thrown::invalid_operation(missing));
        }
        Ok(at(v, 0).clone())
    })
    .nullable(),
    method_with("GetValueOrDefault<T>", "", "T", |call| {
        let value = call.argument(0);
        let default = || crate::expression::eval::default_of(call.wanted());
        Ok(if value.is_null() { default() } else { value.clone() })
    })
    .nullable(),
    method("GetValueOrDefault", "T defaultValue", "T", |v| {
        Ok(if at(v, 0).is_null() { at(v, 1).clone() } else { at(v, 0).clone() })
    })
    .nullable(),
    method("ToString", "", "string", |v| ok(display::text(at(v, 0))?)).nullable(),
    method("Equals", "object other", "bool", |v| ok(operators::equals(at(v, 0), at(v, 1))))
        .nullable(),
];

/// What everything has.
pub(super) const OBJECT: &[Member] = &[
    method("ToString", "", "string", |v| ok(display::text(at(v, 0))?)),
    method("Equals", "object obj", "bool", |v| ok(operators::equals(at(v, 0), at(v, 1)))),
    method("GetHashCode", "", "int", |v| {
        let text = display::text(at(v, 0))?;
        ok(crate::expression::library::text::hash_code(&text))
    }),
    method("GetType", "", "Type", |v| ok(at(v, 0).type_name())),
    static_method("Equals", "object objA, object objB", "bool", |v| {
        ok(operators::equals(at(v, 0), at(v, 1)))
    }),
    static_method("ReferenceEquals", "object objA, object objB", "bool", |v| {
        ok(operators::same(at(v, 0), at(v, 1)))
    }),
    constructor("", |_| ok("System.Object")),
];

pub(super) const TYPE_INFO: &[Member] = &[
    property("Name", "string", |v| ok(text(v, 0)?.rsplit('.').next().unwrap_or("").to_owned())),
    property("FullName", "string", |v| ok(std::sync::Arc::clone(text(v, 0)?))),
    method("ToString", "", "string", |v| ok(std::sync::Arc::clone(text(v, 0)?))),
];
