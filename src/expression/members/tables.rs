//! Which lists of members a type has.

mod context;
mod lookup;
mod message;
mod text;
mod builder;
mod encoding;
mod regex;
mod number;
mod math;
mod moment;
mod span;
mod json;
mod cipher;
mod rsa;
mod collection;
mod convert;
mod places;
mod tokens;
mod queue;
mod set;
mod linq;
mod joins;
mod array;
mod bits;
mod character;
mod enumeration;
mod exception;
mod xml;
mod certificate;
mod other;

pub(in crate::expression) use span::zone;

use super::Member;
use crate::expression::types::{Class, Type};

/// A list of members, with what the arguments of its type are.
pub(super) struct Listed {
    pub(super) members: &'static [Member],
    pub(super) bound: Vec<(&'static str, Type)>,
    /// Whether these are methods of LINQ.
    pub(super) is_linq: bool,
}

impl Listed {
    const fn own(members: &'static [Member], bound: Vec<(&'static str, Type)>) -> Self {
        Self { members, bound, is_linq: false }
    }
}

/// The methods of `Enumerable`, which everything with items has.
pub(super) fn linq() -> impl Iterator<Item = &'static Member> {
    linq::LINQ_ELEMENTS.iter().copied().chain([linq::LINQ, joins::JOINS]).flatten()
}

/// The lists of `ty`: its own, those of what it derives from, LINQ, and those of `object`.
pub(super) fn of(ty: &Type) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    let bound = ty.arguments();
    let mut add = |lists: &[&'static [Member]], bound: &[(&'static str, Type)]| {
        listed.extend(lists.iter().map(|list| Listed::own(list, bound.to_vec())));
    };
    add(own(ty), &bound);
    if let Type::Class(class) = ty {
        let mut base = class.base();
        while let Some(known) = base {
            add(class_members(known), &bound);
            base = known.base();
        }
        if let Some(same @ Type::Map(..)) = class.same_as() {
            add(own(&same), &same.arguments());
        }
    }
    if let Type::Map(_, value) = ty
        && **value == Type::String.array()
    {
        // Before the general ones: these join their values.
        listed.insert(0, Listed::own(message::STRING_LISTS, Vec::new()));
        listed.push(Listed::own(message::TEXT_OF_MAP, Vec::new()));
    } else if let Type::Map(..) = ty {
        listed.push(Listed::own(message::TEXT_OF_MAP, Vec::new()));
    }
    if let Some(element) = ty.element() {
        if matches!(element, Type::Class(class) if class.is_json()) {
            listed.push(Listed::own(tokens::TOKENS, Vec::new()));
        }
        if let Type::Class(class) = element {
            let lists = [
                (Class::XNode, xml::sequence::NODES),
                (Class::XContainer, xml::sequence::CONTAINERS),
                (Class::XElement, xml::sequence::ELEMENTS),
                (Class::XAttribute, xml::sequence::ATTRIBUTES),
            ];
            let fitting = lists.into_iter().filter(|(of, _)| class.is_a(*of));
            listed.extend(fitting.map(|(_, list)| Listed::own(list, Vec::new())));
        }
        let bound = vec![("T", element)];
        for members in linq::LINQ_ELEMENTS.iter().copied().chain([linq::LINQ, joins::JOINS]) {
            listed.push(Listed { members, bound: bound.clone(), is_linq: true });
        }
    }
    if !matches!(ty, Type::Nullable(_) | Type::Void) && !is_static(ty) {
        listed.push(Listed::own(number::OBJECT, Vec::new()));
    }
    listed
}

fn is_static(ty: &Type) -> bool {
    matches!(ty, Type::Class(class) if class.is_static())
}

fn own(ty: &Type) -> &'static [&'static [Member]] {
    match ty {
        Type::String => &[text::STRING],
        Type::Char => &[character::CHAR],
        Type::Bool => &[number::BOOL],
        Type::Byte => &[number::BYTE, number::FORMATTED],
        Type::Int => &[number::INT, number::FORMATTED],
        Type::UInt => &[number::UINT, number::FORMATTED],
        Type::Long => &[number::LONG, number::FORMATTED],
        Type::ULong => &[number::ULONG, number::FORMATTED],
        Type::Double => &[number::DOUBLE, number::DOUBLE_MORE, number::FORMATTED],
        Type::Float => &[number::FLOAT, number::FLOAT_MORE, number::FORMATTED],
        Type::Decimal => &[number::DECIMAL, math::DECIMAL_MORE, number::FORMATTED],
        Type::Nullable(_) => &[number::NULLABLE],
        Type::Array(item) if **item == Type::Byte => {
            &[collection::ARRAY, builder::BYTES, cipher::CODED]
        }
        Type::Array(_) => &[collection::ARRAY],
        Type::List(_) => &[collection::LIST],
        Type::Queue(_) => &[queue::QUEUE],
        Type::Stack(_) => &[queue::STACK],
        Type::Set(_) => &[set::SET],
        Type::Map(..) => &[collection::MAP],
        Type::Collection(_) => &[queue::COLLECTION],
        Type::Sequence(item) if matches!(**item, Type::Grouping(..)) => &[collection::LOOKUP],
        Type::Pair(..) => &[collection::PAIR],
        Type::Grouping(..) => &[collection::GROUPING],
        Type::Exception(kind) => exception(*kind),
        Type::Class(class) => class_members(*class),
        _ => &[],
    }
}

fn exception(
    kind: crate::expression::value::thrown::ExceptionKind,
) -> &'static [&'static [Member]] {
    exception::exception(kind)
}

fn class_members(class: Class) -> &'static [&'static [Member]] {
    match class {
        Class::Context => &[context::CONTEXT],
        Class::Api => &[context::API],
        Class::KeyNames => &[context::KEY_NAMES],
        Class::Workspace => &[context::WORKSPACE],
        Class::Deployment => &[context::DEPLOYMENT],
        Class::Gateway => &[context::GATEWAY],
        Class::Sustainability => &[context::SUSTAINABILITY],
        Class::Foundry => &[context::FOUNDRY],
        Class::Operation => &[context::OPERATION],
        Class::Product => &[context::PRODUCT],
        Class::ProductApi | Class::UserGroup => &[context::NAMED],
        Class::Subscription => &[context::SUBSCRIPTION],
        Class::User => &[context::USER],
        Class::UserIdentity => &[context::IDENTITY],
        Class::Backend => &[context::BACKEND],
        Class::Request => &[context::REQUEST],
        Class::RequestBody => &[lookup::REQUEST_BODY],
        Class::RequestHeaders => &[lookup::REQUEST_HEADERS],
        Class::RequestQuery => &[lookup::QUERY],
        Class::MatchedParameters => &[lookup::MATCHED_PARAMETERS],
        Class::Url => &[context::URL],
        Class::OriginalUrl => &[context::ORIGINAL_URL],
        Class::ServiceUrl => &[other::SERVICE_URL],
        Class::PrivateEndpoint => &[context::PRIVATE_ENDPOINT],
        Class::ContextResponse => &[context::RESPONSE],
        Class::ResponseBody => &[lookup::RESPONSE_BODY],
        Class::ResponseHeaders => &[lookup::RESPONSE_HEADERS],
        Class::LastError => &[context::LAST_ERROR],
        Class::Variables => &[lookup::VARIABLES],
        Class::Authorization => &[context::AUTHORIZATION],
        Class::Certificate => &[certificate::CERTIFICATE],
        Class::CertificateName => &[certificate::NAMES],
        Class::CertificateExtension => &[certificate::EXTENSION],
        Class::PublicKey => &[certificate::PUBLIC_KEY],
        Class::Oid => &[certificate::OID],
        Class::Response => &[message::MESSAGE],
        Class::Body => &[message::BODY],
        Class::Jwt => &[message::JWT],
        Class::BasicCredentials => &[message::BASIC],
        other => library_members(other),
    }
}

fn library_members(class: Class) -> &'static [&'static [Member]] {
    match class {
        Class::JToken => &[json::TOKEN, places::PLACES],
        Class::JContainer => &[json::CONTAINER],
        Class::JObject => &[json::OBJECT],
        Class::JArray => &[json::ARRAY],
        Class::JProperty => &[json::PROPERTY],
        Class::JValue => &[json::VALUE],
        Class::JRaw => &[json::RAW],
        Class::JsonConvert => &[json::CONVERT],
        Class::DateTime => &[moment::DATE, moment::DATE_PARTS, moment::DATE_ADDS],
        Class::DateTimeOffset => &[moment::OFFSET, moment::OFFSET_PARTS, moment::OFFSET_ADDS],
        Class::TimeSpan => &[span::SPAN, span::SPAN_UNITS],
        Class::TimeZoneInfo => &[span::ZONE],
        Class::Guid => &[number::GUID, number::FORMATTED],
        Class::Uri => &[other::URI],
        Class::Convert => &[convert::CONVERT],
        Class::Math => &[
            math::MATH,
            number::MATH_MAX,
            number::MATH_MIN,
            number::MATH_ABS,
            number::MATH_FLOOR,
            number::MATH_CEILING,
            number::MATH_TRUNCATE,
        ],
        Class::Array => &[array::STATIC_ARRAY],
        Class::Enum => &[enumeration::ENUM],
        Class::StringWriter => &[builder::STRING_WRITER],
        Class::StringReader => &[builder::STRING_READER],
        Class::BitConverter => &[bits::BIT_CONVERTER],
        Class::Buffer => &[array::BUFFER],
        Class::Environment => &[other::ENVIRONMENT],
        Class::Random => &[number::RANDOM],
        Class::StringComparer => &[other::COMPARER],
        Class::TypeInfo => &[number::TYPE_INFO],
        Class::Tuple | Class::ValueTuple => &[other::TUPLE],
        Class::KeyValuePair => &[other::PAIRS],
        Class::CultureInfo => &[other::CULTURE],
        Class::Enumerable => &[linq::ENUMERABLE],
        Class::StringBuilder => &[builder::STRING_BUILDER],
        Class::Encoding => &[encoding::ENCODING],
        Class::AsciiEncoding => &[encoding::ASCII_ENCODING],
        Class::UnicodeEncoding => &[encoding::UNICODE_ENCODING],
        Class::Utf32Encoding => &[encoding::UTF32_ENCODING],
        Class::Regex => &[regex::REGEX],
        Class::Match => &[regex::MATCH],
        Class::MatchCollection => &[collection::MATCHES],
        Class::CaptureCollection => &[regex::CAPTURES],
        Class::Group => &[regex::GROUP],
        Class::GroupCollection => &[regex::GROUPS],
        Class::WebUtility => &[other::WEB_UTILITY],
        Class::HttpUtility => &[other::WEB_UTILITY, other::PARSE_QUERY],
        Class::IpAddress => &[other::IP_ADDRESS],
        Class::Hasher => &[other::HASHER, other::HASH_ALGORITHM],
        Class::XDocument => &[xml::DOCUMENT],
        Class::XElement => &[xml::ELEMENT],
        Class::XAttribute => &[xml::ATTRIBUTE],
        Class::XName => &[xml::NAME],
        Class::XNamespace => &[xml::NAMESPACE],
        Class::XObject => &[xml::OBJECT],
        Class::XNode => &[xml::NODE],
        Class::XContainer => &[xml::CONTAINER],
        Class::XText => &[xml::TEXT],
        Class::XCData => &[xml::DATA],
        Class::XComment => &[xml::COMMENT],
        Class::XDeclaration => &[xml::DECLARATION],
        other => security_members(other),
    }
}

fn security_members(class: Class) -> &'static [&'static [Member]] {
    match class {
        Class::Symmetric => &[cipher::SYMMETRIC],
        Class::Aes | Class::AesManaged | Class::AesProvider | Class::Rijndael => &[cipher::AES],
        Class::TripleDes => &[cipher::TRIPLE_DES],
        Class::CryptoTransform => &[cipher::TRANSFORM],
        Class::Rsa => &[rsa::RSA],
        Class::RsaProvider => &[rsa::RSA_PROVIDER],
        Class::RsaParameters => &[rsa::RSA_PARAMETERS],
        Class::HashName => &[rsa::HASH_NAME],
        Class::SignaturePadding => &[rsa::SIGNATURE_PADDING],
        Class::EncryptionPadding => &[rsa::ENCRYPTION_PADDING],
        hash => other::hash(hash),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expression::value::thrown::ExceptionKind;

    #[test]
    fn every_signature_in_the_tables_is_understood() {
        let any = || Arc::new(Type::Unknown);
        let mut types = vec![
            Type::Object,
            Type::String,
            Type::Char,
            Type::Bool,
            Type::Byte,
            Type::Int,
            Type::UInt,
            Type::Long,
            Type::ULong,
            Type::Double,
            Type::Float,
            Type::Decimal,
            Type::Nullable(Arc::new(Type::Int)),
            Type::Byte.array(),
            Type::Array(any()),
            Type::List(any()),
            Type::Queue(any()),
            Type::Stack(any()),
            Type::Set(any()),
            Type::Sequence(any()),
            Type::Collection(any()),
            Type::Map(any(), any()),
            Type::Map(any(), Arc::new(Type::String.array())),
            Type::Pair(any(), any()),
            Type::Grouping(any(), any()),
        ];
        types.extend(Class::ALL.iter().map(|class| Type::Class(*class)));
        types.extend(ExceptionKind::ALL.iter().map(|kind| Type::Exception(*kind)));
        let mut members = 0;
        for ty in types {
            for listed in of(&ty) {
                for member in listed.members {
                    assert!(member.signature().is_some(), "{ty}: {member:?} {}", member.result);
                    members += 1;
                }
            }
        }
        assert!(members > 1000, "{members}");
    }
}
