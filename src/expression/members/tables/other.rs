//! URIs, hashes, XML, exceptions and what has only static members.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::super::Member;
use super::super::arguments::{
    Outcome, at, bytes, constructor, ignores_case, int, method, ok, property, set_property,
    static_method, static_property, static_with, strings, text,
};
use crate::expression::library::web::{self, html, uri};
use crate::expression::library::{crypto, text as texts};
use crate::expression::types::Class;
use crate::expression::value::Value;
use crate::expression::value::collection::{Pair, Record};
use crate::expression::value::crypto::{Algorithm, Hasher};
use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::web::{Absolute, Uri};

fn uri_of(v: &[Value], index: usize) -> Result<&Arc<Uri>, Thrown> {
    match at(v, index) {
        Value::Uri(uri) => Ok(uri),
        other => Err(other.refused("System.Uri")),
    }
}

fn absolute(v: &[Value]) -> Result<&Absolute, Thrown> {
    let message = "This operation is not supported for a relative URI.";
    uri_of(v, 0)?.absolute.as_ref().ok_or_else(|| Thrown::invalid_operation(message))
}

pub(super) const URI: &[Member] = &[
    constructor("string uriString", |v| ok(uri::new(text(v, 0)?)?)),
    constructor("string uriString, UriKind uriKind", |v| {
        if int(v, 1)? == 1 { ok(uri::new(text(v, 0)?)?) } else { ok(uri::any(text(v, 0)?)?) }
    }),
    constructor("Uri baseUri, string relativeUri", |v| ok(uri::join(uri_of(v, 0)?, text(v, 1)?)?)),
    constructor("Uri baseUri, Uri relativeUri", |v| {
        ok(uri::join(uri_of(v, 0)?, &uri_of(v, 1)?.text())?)
    }),
    property("AbsoluteUri", "string", |v| ok(absolute(v)?.text())),
    property("AbsolutePath", "string", |v| ok(absolute(v)?.path.clone())),
    property("Authority", "string", |v| ok(absolute(v)?.authority())),
    property("Fragment", "string", |v| ok(absolute(v)?.fragment.clone())),
    property("Host", "string", |v| ok(absolute(v)?.host.clone())),
    property("DnsSafeHost", "string", |v| ok(absolute(v)?.host.clone())),
    property("IsAbsoluteUri", "bool", |v| ok(uri_of(v, 0)?.absolute.is_some())),
    property("IsDefaultPort", "bool", |v| {
        let absolute = absolute(v)?;
        ok(absolute.port == Absolute::default_port(&absolute.scheme))
    }),
    property("LocalPath", "string", |v| ok(web::unescape_data(&absolute(v)?.path))),
    property("OriginalString", "string", |v| ok(Arc::clone(&uri_of(v, 0)?.original))),
    property("PathAndQuery", "string", |v| ok(absolute(v)?.path_and_query())),
    property("Port", "int", |v| ok(absolute(v)?.port)),
    property("Query", "string", |v| ok(absolute(v)?.query.clone())),
    property("Scheme", "string", |v| ok(absolute(v)?.scheme.clone())),
    property("Segments", "string[]", |v| ok(strings(uri::segments(absolute(v)?)))),
    property("UserInfo", "string", |v| ok(absolute(v)?.user_info.clone())),
    method("GetLeftPart", "UriPartial part", "string", |v| {
        let absolute = absolute(v)?;
        let scheme = format!("{}://", absolute.scheme);
        ok(match int(v, 1)? {
            0 => scheme,
            1 => format!("{scheme}{}", absolute.authority()),
            2 => format!("{scheme}{}{}", absolute.authority(), absolute.path),
            _ => format!("{scheme}{}{}", absolute.authority(), absolute.path_and_query()),
        })
    }),
    static_method("EscapeDataString", "string stringToEscape", "string", |v| {
        ok(web::escape_data(text(v, 0)?)?)
    }),
    static_method("UnescapeDataString", "string stringToUnescape", "string", |v| {
        ok(web::unescape_data(text(v, 0)?))
    }),
    static_method("IsWellFormedUriString", "string uriString, UriKind uriKind", "bool", |v| {
        let Ok(text) = text(v, 0) else { return ok(false) };
        let blank = text.contains(char::is_whitespace);
        let read = if int(v, 1)? == 1 { uri::new(text) } else { uri::any(text) };
        ok(!blank && read.is_ok())
    }),
    static_with("TryCreate", "string uriString, UriKind uriKind, out Uri result", "bool", |call| {
        let kind = int(call.arguments(), 1)?;
        let read = call.text(0).and_then(|text| {
            let uri = if kind == 1 { uri::new(text) } else { uri::any(text) }?;
            if kind == 2 && uri.absolute.is_some() { Err(Thrown::format()) } else { Ok(uri) }
        });
        let is_read = read.is_ok();
        call.outs.push(Value::from(read.ok()));
        ok(is_read)
    }),
];

/// `context.Api.ServiceUrl`: an `IUrl`, which has all that a `Uri` has too.
pub(super) const SERVICE_URL: &[Member] = &[
    property("Path", "string", |v| ok(absolute(v)?.path.clone())),
    property("QueryString", "string", |v| ok(absolute(v)?.query.clone())),
    property("Query", "Dictionary<string, string[]>", |v| ok(web::form(&absolute(v)?.query)?)),
    method("ToUri", "", "Uri", |v| Ok(at(v, 0).clone())),
];

pub(super) const WEB_UTILITY: &[Member] = &[
    static_method("UrlEncode", "string value", "string", |v| nullable(v, web::url_encode)),
    static_method("UrlDecode", "string value", "string", |v| {
        nullable(v, |text| Ok(web::url_decode(text)))
    }),
    static_method("HtmlEncode", "string value", "string", |v| nullable(v, html::encode)),
    static_method("HtmlDecode", "string value", "string", |v| {
        nullable(v, |text| Ok(html::decode(text)))
    }),
];

pub(super) const PARSE_QUERY: &[Member] =
    &[static_method("ParseQueryString", "string query", "Dictionary<string, string[]>", |v| {
        let text = text(v, 0)?;
        ok(web::form(text.strip_prefix('?').unwrap_or(text))?)
    })
    .effect()];

/// What gives null for null.
fn nullable(v: &[Value], change: impl FnOnce(&str) -> Result<String, Thrown>) -> Outcome {
    match at(v, 0).string_or_null()? {
        Some(text) => ok(change(text)?),
        None => Ok(Value::Null),
    }
}

fn address(v: &[Value]) -> Result<IpAddr, Thrown> {
    match at(v, 0) {
        Value::IpAddress(address) => Ok(*address),
        other => Err(other.refused("System.Net.IPAddress")),
    }
}

pub(super) const IP_ADDRESS: &[Member] = &[
    static_method("Parse", "string ipString", "IPAddress", |v| ok(web::ip_address(text(v, 0)?)?)),
    static_with("TryParse", "string ipString, out IPAddress address", "bool", |call| {
        let read = call.text(0).and_then(|text| web::ip_address(text)).ok();
        call.outs.push(Value::from(read));
        ok(read.is_some())
    }),
    static_property("Loopback", "IPAddress", |_| ok(IpAddr::from([127, 0, 0, 1]))),
    static_property("Any", "IPAddress", |_| ok(IpAddr::from([0, 0, 0, 0]))),
    static_property("None", "IPAddress", |_| ok(IpAddr::from([255, 255, 255, 255]))),
    static_property("Broadcast", "IPAddress", |_| ok(IpAddr::from([255, 255, 255, 255]))),
    static_property("IPv6Loopback", "IPAddress", |_| ok(IpAddr::from(Ipv6Addr::LOCALHOST))),
    static_property("IPv6Any", "IPAddress", |_| ok(IpAddr::from(Ipv6Addr::UNSPECIFIED))),
    constructor("byte[] address", |v| {
        let bytes = bytes(v, 0)?;
        let four = <[u8; 4]>::try_from(&*bytes).map(IpAddr::from);
        let read = four.or_else(|_| <[u8; 16]>::try_from(&*bytes).map(IpAddr::from));
        let wrong = "An invalid IP address was specified. (Parameter 'address')";
        ok(read.map_err(|_| Thrown::new(ExceptionKind::Argument, wrong))?)
    }),
    property("IsIPv4MappedToIPv6", "bool", |v| {
        ok(matches!(address(v)?, IpAddr::V6(six) if six.to_ipv4_mapped().is_some()))
    }),
    property("IsIPv6LinkLocal", "bool", |v| {
        ok(matches!(address(v)?, IpAddr::V6(six) if six.is_unicast_link_local()))
    }),
    method("MapToIPv4", "", "IPAddress", |v| match address(v)? {
        // As .NET does it: the last four bytes, whatever stands before them.
        IpAddr::V6(six) => {
            let [.., a, b, c, d] = six.octets();
            ok(IpAddr::from([a, b, c, d]))
        }
        four @ IpAddr::V4(_) => ok(four),
    }),
    method("MapToIPv6", "", "IPAddress", |v| match address(v)? {
        IpAddr::V4(four) => ok(IpAddr::from(four.to_ipv6_mapped())),
        six @ IpAddr::V6(_) => ok(six),
    }),
    static_method("HostToNetworkOrder", "int host", "int", |v| ok(int(v, 0)?.swap_bytes())),
    static_method("HostToNetworkOrder", "long host", "long", |v| ok(at(v, 0).long()?.swap_bytes())),
    static_method("NetworkToHostOrder", "int network", "int", |v| ok(int(v, 0)?.swap_bytes())),
    static_method("NetworkToHostOrder", "long network", "long", |v| {
        ok(at(v, 0).long()?.swap_bytes())
    }),
    static_method("IsLoopback", "IPAddress address", "bool", |v| ok(address(v)?.is_loopback())),
    property("AddressFamily", "AddressFamily", |v| ok(if address(v)?.is_ipv4() { 2 } else { 23 })),
    method("GetAddressBytes", "", "byte[]", |v| ok(web::address_bytes(address(v)?))),
];

fn hasher(v: &[Value]) -> Result<&Hasher, Thrown> {
    match at(v, 0) {
        Value::Hasher(hasher) => Ok(hasher),
        other => Err(other.refused("System.Security.Cryptography.HashAlgorithm")),
    }
}

pub(super) const HASHER: &[Member] = &[
    method("ComputeHash", "byte[] buffer", "byte[]", |v| {
        ok(crypto::compute(hasher(v)?, &bytes(v, 1)?)?)
    })
    .effect(),
    property("Key", "byte[]", |v| ok(hasher(v)?.key())).effect(),
    set_property("Key", "byte[] value", |v| {
        let key = bytes(v, 1)?;
        if hasher(v)?.set_key(key) {
            return Ok(Value::Null);
        }
        Err(Thrown::invalid_operation("This hash takes no key."))
    }),
    property("HashSize", "int", |v| {
        let length = crypto::compute(hasher(v)?, &[])?.len();
        ok(i32::try_from(length.saturating_mul(8)).unwrap_or(0))
    }),
    method("Dispose", "", "void", |_| Ok(Value::Null)).effect(),
    method("Clear", "", "void", |_| Ok(Value::Null)).effect(),
];

/// `Create()`, `new …Managed()` and `HashData()` of a plain hash.
macro_rules! plain {
    ($name:literal, $algorithm:ident) => {
        &[
            static_method("Create", "", $name, |_| ok(Hasher::plain(Algorithm::$algorithm)))
                .effect(),
            constructor("", |_| ok(Hasher::plain(Algorithm::$algorithm))),
            static_method("HashData", "byte[] source", "byte[]", |v| {
                ok(crypto::plain(Algorithm::$algorithm, &bytes(v, 0)?)?)
            }),
        ]
    };
}

pub(super) const MD5: &[Member] = plain!("MD5", Md5);
pub(super) const SHA1: &[Member] = plain!("SHA1", Sha1);
pub(super) const SHA256: &[Member] = plain!("SHA256", Sha256);
pub(super) const SHA384: &[Member] = plain!("SHA384", Sha384);
pub(super) const SHA512: &[Member] = plain!("SHA512", Sha512);

macro_rules! keyed {
    ($algorithm:ident) => {
        &[
            constructor("", |_| {
                let key = crypto::random(crypto::made_key_bytes(Algorithm::$algorithm))?;
                ok(Hasher::keyed(Algorithm::$algorithm, key))
            })
            .volatile(),
            constructor("byte[] key", |v| ok(Hasher::keyed(Algorithm::$algorithm, bytes(v, 0)?))),
            static_method("HashData", "byte[] key, byte[] source", "byte[]", |v| {
                ok(crypto::keyed(Algorithm::$algorithm, &bytes(v, 0)?, &bytes(v, 1)?)?)
            }),
        ]
    };
}

pub(super) const HMAC_MD5: &[Member] = keyed!(Md5);
pub(super) const HMAC_SHA1: &[Member] = keyed!(Sha1);
pub(super) const HMAC_SHA256: &[Member] = keyed!(Sha256);
pub(super) const HMAC_SHA384: &[Member] = keyed!(Sha384);
pub(super) const HMAC_SHA512: &[Member] = keyed!(Sha512);

pub(super) const HASH_ALGORITHM: &[Member] =
    &[static_method("Create", "string hashName", "HashAlgorithm", |v| {
        ok(crypto::algorithm(text(v, 0)?).map(Hasher::plain))
    })
    .effect()];

/// Comparers are the numbers of the comparisons they do.
pub(super) const COMPARER: &[Member] = &[
    static_property("Ordinal", "StringComparer", |_| ok(4)),
    static_property("OrdinalIgnoreCase", "StringComparer", |_| ok(5)),
    static_property("InvariantCulture", "StringComparer", |_| ok(2)),
    static_property("InvariantCultureIgnoreCase", "StringComparer", |_| ok(3)),
    static_property("CurrentCulture", "StringComparer", |_| ok(0)),
    static_property("CurrentCultureIgnoreCase", "StringComparer", |_| ok(1)),
    method("Equals", "string x, string y", "bool", |v| {
        let ignores = ignores_case(v, 0)?;
        match (at(v, 1).string_or_null()?, at(v, 2).string_or_null()?) {
            (Some(left), Some(right)) if ignores => {
                ok(texts::compare::fold(left) == texts::compare::fold(right))
            }
            (left, right) => ok(left == right),
        }
    }),
];

/// Every culture is the invariant one, so that a gateway answers alike everywhere.
pub(super) const CULTURE: &[Member] = &[
    static_property("InvariantCulture", "CultureInfo", |_| Ok(Value::Null)),
    static_property("CurrentCulture", "CultureInfo", |_| Ok(Value::Null)),
    static_method("GetCultureInfo", "string name", "CultureInfo", |_| Ok(Value::Null)),
    constructor("string name, bool useUserOverride = false", |_| Ok(Value::Null)),
];

pub(super) const ENVIRONMENT: &[Member] = &[static_property("NewLine", "string", |_| ok("\r\n"))];

/// `Create` for each number of parts that a tuple may have.
macro_rules! tuples {
    ($($name:literal, $parameters:literal, $result:literal);* $(;)?) => {
        &[$(static_method($name, $parameters, $result, |v| ok(Record::tuple(v.to_vec()))),)*]
    };
}

/// `Tuple` and `ValueTuple`.
pub(super) const TUPLE: &[Member] = tuples! {
    "Create<X>", "X item1", "Tuple<X>";
    "Create<X,Y>", "X item1, Y item2", "Tuple<X, Y>";
    "Create<X,Y,Z>", "X item1, Y item2, Z item3", "Tuple<X, Y, Z>";
    "Create<X,Y,Z,U>", "X item1, Y item2, Z item3, U item4", "Tuple<X, Y, Z, U>";
    "Create<X,Y,Z,U,R>", "X item1, Y item2, Z item3, U item4, R item5", "Tuple<X, Y, Z, U, R>";
    "Create<X,Y,Z,U,R,K>", "X item1, Y item2, Z item3, U item4, R item5, K item6",
        "Tuple<X, Y, Z, U, R, K>";
    "Create<X,Y,Z,U,R,K,V>", "X item1, Y item2, Z item3, U item4, R item5, K item6, V item7",
        "Tuple<X, Y, Z, U, R, K, V>";
};

pub(super) const PAIRS: &[Member] =
    &[static_method("Create<X,Y>", "X key, Y value", "KeyValuePair<X, Y>", |v| {
        ok(Pair::new(at(v, 0).clone(), at(v, 1).clone()))
    })];

/// The hash classes with their own members.
pub(super) const fn hash(class: Class) -> &'static [&'static [Member]] {
    match class {
        Class::Md5 | Class::Md5Provider => &[MD5],
        Class::Sha1 | Class::Sha1Managed => &[SHA1],
        Class::Sha256 | Class::Sha256Managed => &[SHA256],
        Class::Sha384 | Class::Sha384Managed => &[SHA384],
        Class::Sha512 | Class::Sha512Managed => &[SHA512],
        Class::HmacMd5 => &[HMAC_MD5],
        Class::HmacSha1 => &[HMAC_SHA1],
        Class::HmacSha256 => &[HMAC_SHA256],
        Class::HmacSha384 => &[HMAC_SHA384],
        Class::HmacSha512 => &[HMAC_SHA512],
        _ => &[],
    }
}
