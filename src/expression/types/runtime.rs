//! Types of values that exist: for `is`, casts from `object`, and members found at run time.

use std::sync::Arc;

use super::{Class, Type};
use crate::expression::value::Value;
use crate::expression::value::collection::ListKind;
use crate::expression::value::json::Json;
use crate::expression::value::x509::X509;
use crate::expression::value::xml::Xml;
use crate::expression::value::xml::tree::Kind;

/// The most specific type that `value` shows; what its items are is not looked at.
pub(in crate::expression) fn type_of(value: &Value) -> Type {
    let any = || Arc::new(Type::Unknown);
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Char(_) => Type::Char,
        Value::Byte(_) => Type::Byte,
        Value::Int(_) => Type::Int,
        Value::UInt(_) => Type::UInt,
        Value::Long(_) => Type::Long,
        Value::ULong(_) => Type::ULong,
        Value::Double(_) => Type::Double,
        Value::Float(_) => Type::Float,
        Value::Decimal(_) => Type::Decimal,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Byte.array(),
        Value::DateTime(_) => Type::Class(Class::DateTime),
        Value::DateTimeOffset(_) => Type::Class(Class::DateTimeOffset),
        Value::TimeSpan(_) => Type::Class(Class::TimeSpan),
        Value::Guid(_) => Type::Class(Class::Guid),
        Value::Json(json) => Type::Class(json_class(json)),
        Value::Token(token) => Type::Class(json_class(&token.json)),
        Value::Xml(xml) => Type::Class(xml_class(xml)),
        Value::List(list) => match list.kind() {
            ListKind::Array => Type::Array(any()),
            ListKind::List => Type::List(any()),
            ListKind::Sequence => Type::Sequence(any()),
            ListKind::Queue => Type::Queue(any()),
            ListKind::Stack => Type::Stack(any()),
        },
        Value::Map(_) => Type::Map(any(), any()),
        Value::Set(_) => Type::Set(any()),
        Value::Pair(_) => Type::Pair(any(), any()),
        Value::Record(record) => Type::Record(
            record.fields().map(|(name, value)| (Arc::clone(name), type_of(value))).collect(),
        ),
        Value::Grouping(_) => Type::Grouping(any(), any()),
        Value::StringBuilder(_) => Type::Class(Class::StringBuilder),
        Value::Regex(_) => Type::Class(Class::Regex),
        Value::Match(_) => Type::Class(Class::Match),
        Value::Group(_) => Type::Class(Class::Group),
        Value::Uri(_) => Type::Class(Class::Uri),
        Value::IpAddress(_) => Type::Class(Class::IpAddress),
        Value::Random(_) => Type::Class(Class::Random),
        Value::Hasher(_) => Type::Class(Class::Hasher),
        Value::Symmetric(cipher) if cipher.settings().is_triple => Type::Class(Class::TripleDes),
        Value::Symmetric(_) => Type::Class(Class::Aes),
        Value::Transform(_) => Type::Class(Class::CryptoTransform),
        Value::Rsa(_) => Type::Class(Class::Rsa),
        Value::Encoding(_) => Type::Class(Class::Encoding),
        Value::X509(x509) => Type::Class(x509_class(x509)),
        Value::Jwt(_) => Type::Class(Class::Jwt),
        Value::BasicCredentials(_) => Type::Class(Class::BasicCredentials),
        Value::Response(_) => Type::Class(Class::Response),
        Value::Body(_) => Type::Class(Class::Body),
        Value::Exception(thrown) => Type::Exception(thrown.kind),
        Value::Function(_) => Type::Function(Arc::from([]), any()),
    }
}

fn json_class(json: &Json) -> Class {
    match json {
        Json::Object(_) => Class::JObject,
        Json::Array(_) => Class::JArray,
        Json::Property(_) => Class::JProperty,
        Json::Raw(_) => Class::JRaw,
        Json::Null
        | Json::Bool(_)
        | Json::Int(_)
        | Json::Big(_)
        | Json::Double(_)
        | Json::Decimal(_)
        | Json::String(_)
        | Json::Date(_)
        | Json::DateOffset(_)
        | Json::Span(_)
        | Json::Guid(_)
        | Json::Uri(_)
        | Json::Bytes(_) => Class::JValue,
    }
}

const fn x509_class(x509: &X509) -> Class {
    match x509 {
        X509::Certificate(_) => Class::Certificate,
        X509::Subject(_) | X509::Issuer(_) => Class::CertificateName,
        X509::PublicKey(_) => Class::PublicKey,
        X509::Extension(_) => Class::CertificateExtension,
        X509::Oid(_) => Class::Oid,
    }
}

fn xml_class(xml: &Xml) -> Class {
    match xml {
        Xml::Node(node) => match node.kind() {
            Kind::Document => Class::XDocument,
            Kind::Element => Class::XElement,
            Kind::Attribute => Class::XAttribute,
            Kind::Text => Class::XText,
            Kind::Data => Class::XCData,
            Kind::Comment => Class::XComment,
        },
        Xml::Name(_) => Class::XName,
        Xml::Namespace(_) => Class::XNamespace,
        Xml::Declaration(_) => Class::XDeclaration,
    }
}

/// Whether `value` is a `ty`; `null` is nothing.
pub(in crate::expression) fn is_instance(value: &Value, ty: &Type) -> bool {
    if value.is_null() {
        return false;
    }
    match (ty, value) {
        (Type::Object | Type::Unknown, _)
        | (Type::Record(_) | Type::Tuple(_), Value::Record(_))
        | (Type::Function(..), Value::Function(_))
        | (Type::Collection(_), Value::List(_) | Value::Set(_) | Value::Map(_)) => true,
        (Type::Nullable(inner), value) => is_instance(value, inner),
        (Type::Enumeration(_), value) => matches!(value, Value::Int(_)),
        // A mapped or listed byte array keeps its bytes as a list.
        (Type::Array(item), Value::List(list)) => {
            list.kind() == ListKind::Array
                && (**item != Type::Byte || list.get(0).is_none_or(|v| matches!(v, Value::Byte(_))))
        }
        (Type::Array(item), Value::Bytes(_)) => matches!(**item, Type::Byte | Type::Unknown),
        (Type::List(_), Value::List(list)) => {
            matches!(list.kind(), ListKind::List | ListKind::Array)
        }
        (Type::Sequence(_), value) => type_of(value).element().is_some(),
        (Type::Class(class), Value::Record(record)) => {
            // What the gateway hands out as a record.
            matches!(class, Class::Authorization) && record.values().len() > 1
        }
        (Type::Class(wanted), value) => match type_of(value) {
            Type::Class(found) => found.is_a(*wanted),
            _ => false,
        },
        (Type::Exception(wanted), Value::Exception(thrown)) => thrown.kind.is_a(*wanted),
        (ty, value) => std::mem::discriminant(ty) == std::mem::discriminant(&type_of(value)),
    }
}
