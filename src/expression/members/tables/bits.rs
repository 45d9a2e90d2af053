//! `BitConverter`.

use super::super::Member;
use super::super::arguments::{
    at, bytes, character, double, int, ok, static_method, static_property,
};
use crate::expression::library::convert::base64;
use crate::expression::library::encoding;
use crate::expression::value::thrown::Thrown;

fn outside() -> Thrown {
    let why = "Index was out of range. Must be non-negative and less than the size of the \
               collection.";
    Thrown::out_of_range("startIndex", why)
}

pub(super) const BIT_CONVERTER: &[Member] = &[
    static_method("ToString", "byte[] value", "string", |v| ok(base64::hyphenated(&bytes(v, 0)?)?)),
    static_method("GetBytes", "int value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "uint value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "long value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "ulong value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "float value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "double value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("GetBytes", "bool value", "byte[]", |v| ok(encoding::number_bytes(at(v, 0))?)),
    static_method("ToString", "byte[] value, int startIndex", "string", |v| {
        let whole = bytes(v, 0)?;
        let start = usize::try_from(int(v, 1)?).unwrap_or(usize::MAX);
        ok(base64::hyphenated(whole.get(start..).ok_or_else(outside)?)?)
    }),
    static_method("ToString", "byte[] value, int startIndex, int length", "string", |v| {
        let whole = bytes(v, 0)?;
        let start = usize::try_from(int(v, 1)?).unwrap_or(usize::MAX);
        let length = usize::try_from(int(v, 2)?).unwrap_or(usize::MAX);
        let part = whole.get(start..start.saturating_add(length)).ok_or_else(outside)?;
        ok(base64::hyphenated(part)?)
    }),
    static_method("ToBoolean", "byte[] value, int startIndex", "bool", |v| {
        let whole = bytes(v, 0)?;
        let place = usize::try_from(int(v, 1)?).ok();
        ok(*place.and_then(|place| whole.get(place)).ok_or_else(outside)? != 0)
    }),
    static_method("GetBytes", "char value", "byte[]", |v| {
        let mut units = [0; 2];
        let unit = character(v, 0)?.encode_utf16(&mut units).first().copied().unwrap_or(0);
        ok(unit.to_le_bytes().to_vec())
    }),
    static_method("ToChar", "byte[] value, int startIndex", "char", |v| {
        let unit = encoding::to_short(&bytes(v, 0)?, int(v, 1)?)?.cast_unsigned();
        ok(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }),
    static_method("DoubleToInt64Bits", "double value", "long", |v| {
        ok(double(v, 0)?.to_bits().cast_signed())
    }),
    static_method("Int64BitsToDouble", "long value", "double", |v| {
        ok(f64::from_bits(at(v, 0).long()?.cast_unsigned()))
    }),
    static_method("ToInt16", "byte[] value, int startIndex", "int", |v| {
        ok(i32::from(encoding::to_short(&bytes(v, 0)?, int(v, 1)?)?))
    }),
    static_method("ToUInt16", "byte[] value, int startIndex", "int", |v| {
        ok(i32::from(encoding::to_short(&bytes(v, 0)?, int(v, 1)?)?.cast_unsigned()))
    }),
    static_method("ToSingle", "byte[] value, int startIndex", "float", |v| {
        ok(f32::from_bits(encoding::to_uint(&bytes(v, 0)?, int(v, 1)?)?))
    }),
    static_method("ToDouble", "byte[] value, int startIndex", "double", |v| {
        ok(f64::from_bits(encoding::to_ulong(&bytes(v, 0)?, int(v, 1)?)?))
    }),
    static_method("ToInt32", "byte[] value, int startIndex", "int", |v| {
        ok(encoding::to_int(&bytes(v, 0)?, int(v, 1)?)?)
    }),
    static_method("ToUInt32", "byte[] value, int startIndex", "uint", |v| {
        ok(encoding::to_uint(&bytes(v, 0)?, int(v, 1)?)?)
    }),
    static_method("ToInt64", "byte[] value, int startIndex", "long", |v| {
        ok(encoding::to_long(&bytes(v, 0)?, int(v, 1)?)?)
    }),
    static_method("ToUInt64", "byte[] value, int startIndex", "ulong", |v| {
        ok(encoding::to_ulong(&bytes(v, 0)?, int(v, 1)?)?)
    }),
    static_property("IsLittleEndian", "bool", |_| ok(true)),
];
