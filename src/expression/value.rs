//! What an expression computes with: the values of the .NET types that policy documents use.
//!
//! A value is cheap to clone. Collections, JSON and string builders are shared and mutable, as
//! references are in C#; everything else never changes. Each shared cell has a lock of its own
//! that is held for one operation and never while another is taken or a lambda is called.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a member that a type does not have is refused alike for the forty others"
)]

use std::any::Any;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use rust_decimal::Decimal;

use self::cipher::{Rsa, Symmetric, Transform};
use self::collection::keyed::{Map, Set};
use self::collection::{Grouping, List, Pair, Record};
use self::crypto::{Encoding, Hasher};
use self::json::Json;
use self::matched::{Group, Match, Pattern};
use self::message::{BasicCredentials, Body, Jwt, Response};
use self::moment::{DateTime, DateTimeOffset, TimeSpan};
use self::placed::Placed;
use self::thrown::{ExceptionKind, Thrown};
use self::web::Uri;
use self::writer::{Random, StringBuilder};
use self::x509::X509;
use self::xml::Xml;
use crate::certificate::Certificate;

pub mod thrown;
pub mod moment;
pub mod key;
pub mod collection;
pub mod json;
pub mod placed;
pub mod xml;
pub mod matched;
pub mod message;
pub mod web;
pub mod cipher;
pub mod crypto;
pub mod writer;
pub mod x509;

/// The longest string an expression may make, in bytes of UTF-8.
pub const STRING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest byte array an expression may make.
pub const ARRAY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most items a list, dictionary, set or sequence may hold.
pub const LIST_ITEMS_MAX: usize = 1_000_000;

/// A .NET value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `bool`.
    Bool(bool),
    /// `char`. Half of a surrogate pair cannot be held and is U+FFFD.
    Char(char),
    /// `byte`.
    Byte(u8),
    /// `int`; also what the smaller integers become.
    Int(i32),
    /// `uint`.
    UInt(u32),
    /// `long`.
    Long(i64),
    /// `ulong`.
    ULong(u64),
    /// `double`.
    Double(f64),
    /// `float`.
    Float(f32),
    /// `decimal`.
    Decimal(Decimal),
    /// `string`. Positions and lengths that expressions see count UTF-16 units.
    String(Arc<str>),
    /// `byte[]`; cannot be written to.
    Bytes(Bytes),
    /// `System.DateTime`.
    DateTime(DateTime),
    /// `System.DateTimeOffset`.
    DateTimeOffset(DateTimeOffset),
    /// `System.TimeSpan`.
    TimeSpan(TimeSpan),
    /// `System.Guid`, as its 32 digits read.
    Guid(u128),
    /// `JToken` and its kinds.
    Json(Json),
    /// The same where an expression asks for places; never a result of one.
    Token(Arc<Placed>),
    /// `XElement`, `XDocument`, `XAttribute`.
    Xml(Xml),
    /// `List<T>`, `T[]`, `Queue<T>`, `Stack<T>` and what LINQ gives back.
    List(Arc<List>),
    /// `Dictionary<TKey, TValue>`; keeps the order of insertion.
    Map(Arc<Map>),
    /// `HashSet<T>`; keeps the order of insertion.
    Set(Arc<Set>),
    /// `KeyValuePair<TKey, TValue>`.
    Pair(Arc<Pair>),
    /// A tuple or an anonymous object.
    Record(Arc<Record>),
    /// One group of `GroupBy`.
    Grouping(Arc<Grouping>),
    /// `System.Text.StringBuilder`.
    StringBuilder(Arc<StringBuilder>),
    /// `System.Text.RegularExpressions.Regex`.
    Regex(Arc<Pattern>),
    /// `System.Text.RegularExpressions.Match`.
    Match(Arc<Match>),
    /// `System.Text.RegularExpressions.Group`.
    Group(Arc<Group>),
    /// `System.Uri`.
    Uri(Arc<Uri>),
    /// `System.Net.IPAddress`.
    IpAddress(IpAddr),
    /// `System.Random`.
    Random(Arc<Random>),
    /// A hash or keyed hash object, such as `HMACSHA256`.
    Hasher(Arc<Hasher>),
    /// `SymmetricAlgorithm`: `Aes` or `TripleDES`.
    Symmetric(Arc<Symmetric>),
    /// `ICryptoTransform`.
    Transform(Arc<Transform>),
    /// `RSA`.
    Rsa(Arc<Rsa>),
    /// `System.Text.Encoding`.
    Encoding(Encoding),
    /// `X509Certificate2`, or something of one.
    X509(X509),
    /// A JSON Web Token that was read, not verified.
    Jwt(Arc<Jwt>),
    /// `BasicAuthCredentials`.
    BasicCredentials(Arc<BasicCredentials>),
    /// `IResponse`.
    Response(Arc<Response>),
    /// `IMessageBody`.
    Body(Body),
    /// An exception.
    Exception(Arc<Thrown>),
    /// A lambda, a local function or a delegate.
    Function(Arc<dyn Callable>),
}

/// What can be called: the evaluator's closures. Only the evaluator knows how, so nothing else
/// calls one; LINQ gets a Rust closure from it.
pub trait Callable: Any + Debug + Send + Sync {}

impl Value {
    /// A number that is not negative, as C# would have it.
    pub fn whole(number: u64) -> Self {
        match i32::try_from(number) {
            Ok(small) => Self::Int(small),
            Err(_too_large) => Self::Long(i64::try_from(number).unwrap_or(i64::MAX)),
        }
    }

    /// The string of `text`.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// The string of `text`, unless it is longer than [`STRING_BYTES_MAX`].
    pub fn bounded_text(text: impl AsRef<str>) -> Result<Self, Thrown> {
        let text = text.as_ref();
        bounded_string(text.len())?;
        Ok(Self::String(Arc::from(text)))
    }

    /// An array of `items`.
    pub fn array(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List::array(items)))
    }

    /// A `List<T>` of `items`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List::growing(items)))
    }

    /// What LINQ gives back: a sequence of `items`.
    pub fn sequence(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List::sequence(items)))
    }

    /// The exception `thrown`.
    pub fn exception(thrown: Thrown) -> Self {
        Self::Exception(Arc::new(thrown))
    }

    /// Whether this is `null`. A JSON null is not: it is a token.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The token without its place.
    #[must_use]
    pub fn without_place(self) -> Self {
        match self {
            Self::Token(token) => Self::Json(token.json.clone()),
            other => other,
        }
    }

    /// The full .NET name of the type, as `GetType().FullName` and cast errors say it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "System.Object",
            Self::Bool(_) => "System.Boolean",
            Self::Char(_) => "System.Char",
            Self::Byte(_) => "System.Byte",
            Self::Int(_) => "System.Int32",
            Self::UInt(_) => "System.UInt32",
            Self::Long(_) => "System.Int64",
            Self::ULong(_) => "System.UInt64",
            Self::Double(_) => "System.Double",
            Self::Float(_) => "System.Single",
            Self::Decimal(_) => "System.Decimal",
            Self::String(_) => "System.String",
            Self::Bytes(_) => "System.Byte[]",
            Self::DateTime(_) => "System.DateTime",
            Self::DateTimeOffset(_) => "System.DateTimeOffset",
            Self::TimeSpan(_) => "System.TimeSpan",
            Self::Guid(_) => "System.Guid",
            Self::Json(json) => json.type_name(),
            Self::Token(token) => token.json.type_name(),
            Self::Xml(xml) => xml.type_name(),
            Self::List(list) => list.type_name(),
            Self::Map(_) => "System.Collections.Generic.Dictionary`2",
            Self::Set(_) => "System.Collections.Generic.HashSet`1",
            Self::Pair(_) => "System.Collections.Generic.KeyValuePair`2",
            Self::Record(record) => record.type_name(),
            Self::Grouping(_) => "System.Linq.Grouping`2",
            Self::StringBuilder(_) => "System.Text.StringBuilder",
            Self::Regex(_) => "System.Text.RegularExpressions.Regex",
            Self::Match(_) => "System.Text.RegularExpressions.Match",
            Self::Group(_) => "System.Text.RegularExpressions.Group",
            Self::Uri(_) => "System.Uri",
            Self::IpAddress(_) => "System.Net.IPAddress",
            Self::Random(_) => "System.Random",
            Self::Hasher(hasher) => hasher.type_name(),
            Self::Symmetric(_) => "System.Security.Cryptography.Aes",
            Self::Transform(_) => "System.Security.Cryptography.ICryptoTransform",
            Self::Rsa(_) => "System.Security.Cryptography.RSA",
            Self::Encoding(encoding) => encoding.type_name(),
            Self::X509(x509) => x509.type_name(),
            Self::Jwt(_) => "Jwt",
            Self::BasicCredentials(_) => "BasicAuthCredentials",
            Self::Response(_) => "IResponse",
            Self::Body(_) => "IMessageBody",
            Self::Exception(thrown) => thrown.kind.full_name(),
            Self::Function(_) => "System.Delegate",
        }
    }

    /// The last part of [`Self::type_name`], as `GetType().Name` says it.
    pub fn short_type_name(&self) -> &'static str {
        let name = self.type_name();
        name.rsplit('.').next().unwrap_or(name)
    }

    /// The string; `null` is an `ArgumentNullException`, anything else an `InvalidCastException`.
    pub fn string(&self) -> Result<&Arc<str>, Thrown> {
        match self {
            Self::String(text) => Ok(text),
            other => Err(other.refused("System.String")),
        }
    }

    /// The string, or none for `null`; anything else is an `InvalidCastException`.
    pub fn string_or_null(&self) -> Result<Option<&Arc<str>>, Thrown> {
        if self.is_null() { Ok(None) } else { self.string().map(Some) }
    }

    /// The bool.
    pub fn bool(&self) -> Result<bool, Thrown> {
        match self {
            Self::Bool(flag) => Ok(*flag),
            other => Err(other.refused("System.Boolean")),
        }
    }

    /// The integer as an `int`; wider ones only if they fit.
    pub fn int(&self) -> Result<i32, Thrown> {
        let wide = self.long()?;
        i32::try_from(wide).map_err(|_| Thrown::overflow("an Int32"))
    }

    /// The integer (or `char`, as C# widens it) as a `long`.
    pub fn long(&self) -> Result<i64, Thrown> {
        match self {
            Self::Byte(number) => Ok(i64::from(*number)),
            Self::Int(number) => Ok(i64::from(*number)),
            Self::UInt(number) => Ok(i64::from(*number)),
            Self::Long(number) => Ok(*number),
            Self::ULong(number) => i64::try_from(*number).map_err(|_| Thrown::overflow("an Int64")),
            Self::Char(character) => Ok(i64::from(u32::from(*character))),
            other => Err(other.refused("System.Int64")),
        }
    }

    /// The bytes of a `byte[]`, or of a list whose items are all `byte`.
    pub fn bytes(&self) -> Result<Bytes, Thrown> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::List(list) => list
                .snapshot()
                .iter()
                .map(|item| match item {
                    Self::Byte(byte) => Ok(*byte),
                    Self::Int(number) => {
                        u8::try_from(*number).map_err(|_| Thrown::overflow("an unsigned byte"))
                    }
                    other => Err(other.refused("System.Byte")),
                })
                .collect::<Result<Vec<u8>, _>>()
                .map(Bytes::from),
            other => Err(other.refused("System.Byte[]")),
        }
    }

    /// Why this is not a `wanted`: `null` is missing, anything else cannot be cast.
    pub fn refused(&self, wanted: &str) -> Thrown {
        if self.is_null() {
            return Thrown::new(ExceptionKind::ArgumentNull, "Value cannot be null.");
        }
        Thrown::new(
            ExceptionKind::InvalidCast,
            format!("Unable to cast object of type '{}' to type '{wanted}'.", self.type_name()),
        )
    }
}

/// Refuses a string of `bytes` bytes if that is longer than [`STRING_BYTES_MAX`].
pub fn bounded_string(bytes: usize) -> Result<(), Thrown> {
    if bytes <= STRING_BYTES_MAX {
        return Ok(());
    }
    Err(Thrown::limit(format!("a string may be at most {STRING_BYTES_MAX} bytes long")))
}

/// Refuses a collection of `items` items if that is more than [`LIST_ITEMS_MAX`].
pub fn bounded_items(items: usize) -> Result<(), Thrown> {
    if items <= LIST_ITEMS_MAX {
        return Ok(());
    }
    Err(Thrown::limit(format!("a collection may hold at most {LIST_ITEMS_MAX} items")))
}

/// Writes `impl From<$from> for Value` for each pair.
macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool, char => Char, u8 => Byte, i32 => Int, u32 => UInt, i64 => Long, u64 => ULong,
    f64 => Double, f32 => Float, Decimal => Decimal, &str => String, String => String, Arc<str> => String,
    Bytes => Bytes, Vec<u8> => Bytes, DateTime => DateTime, DateTimeOffset => DateTimeOffset,
    TimeSpan => TimeSpan, Json => Json, Xml => Xml, Encoding => Encoding, IpAddr => IpAddress,
    List => List, Map => Map, Set => Set, Pair => Pair, Record => Record, StringBuilder => StringBuilder,
    Pattern => Regex, Match => Match, Group => Group, Uri => Uri, Jwt => Jwt,
    BasicCredentials => BasicCredentials, Response => Response, Thrown => Exception,
    Body => Body, Hasher => Hasher, Random => Random,
}

impl From<Arc<Certificate>> for Value {
    fn from(certificate: Arc<Certificate>) -> Self {
        Self::X509(X509::Certificate(certificate))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_from_thread_to_thread_and_are_small() {
        const fn shared<T: Send + Sync>() {}
        shared::<Value>();
        assert!(size_of::<Value>() <= 64, "{}", size_of::<Value>());
    }

    #[test]
    fn a_value_says_what_it_is_not() {
        assert_eq!(&**Value::text("a").string().unwrap(), "a");
        assert!(Value::Null.string_or_null().unwrap().is_none());
        assert_eq!(
            Value::Int(1).string().unwrap_err().message,
            "Unable to cast object of type 'System.Int32' to type 'System.String'."
        );
        assert_eq!(Value::Null.string().unwrap_err().kind, ExceptionKind::ArgumentNull);
        assert_eq!(Value::Long(7).int().unwrap(), 7);
        assert!(Value::Long(i64::MAX).int().is_err() && Value::ULong(u64::MAX).long().is_err());
        assert_eq!(Value::array(vec![Value::Byte(1), 2.into()]).bytes().unwrap()[..], [1, 2]);
        assert!(Value::array(vec![300.into()]).bytes().is_err());
        assert_eq!(Value::Guid(1).short_type_name(), "Guid");
        assert!(Value::bounded_text("x".repeat(STRING_BYTES_MAX + 1)).is_err());
    }
}
