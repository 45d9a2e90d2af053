//! `context` and everything below it.

use std::sync::Arc;

use super::super::arguments::{
    Outcome, at, lookup, lookup_index, method_with, part, property, property_with,
};
use super::super::{Call, Member};
use crate::expression::eval::{default_of, unboxed};
use crate::expression::library::{display, message, token, web};
use crate::expression::scope::{BodyRead, ContextMember as Part, Side, UrlSide};
use crate::expression::types::{Class, Type};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::message::Body;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// What stands for a part that is only on the way to others.
const fn way(name: &'static str, result: &'static str) -> Member {
    property(name, result, |_| Ok(Value::Bool(true)))
}

pub(super) const CONTEXT: &[Member] = &[
    part("Api", "IApi", Part::Api),
    part("Backend", "IBackend", Part::Backend),
    way("Deployment", "IDeployment"),
    part("Elapsed", "TimeSpan", Part::Elapsed),
    part("LastError", "ILastError", Part::LastError),
    part("Operation", "IOperation", Part::Operation),
    part("Product", "IProduct", Part::Product),
    way("Request", "IRequest"),
    part("RequestId", "Guid", Part::RequestId),
    part("Response", "IContextResponse", Part::Response),
    part("Subscription", "ISubscription", Part::Subscription),
    part("Timestamp", "DateTime", Part::Timestamp),
    part("Tracing", "bool", Part::Tracing),
    part("User", "IUser", Part::User),
    property_with("Variables", "IVariables", variables),
    part("Workspace", "IWorkspace", Part::Workspace),
    method_with("Trace", "object message", "void", |call| {
        let message = display::text(call.argument(1))?;
        call.scope().trace(&message);
        Ok(Value::Null)
    })
    .volatile(),
];

pub(super) const API: &[Member] = &[
    part("Id", "string", Part::ApiId),
    part("Name", "string", Part::ApiName),
    part("Path", "string", Part::ApiPath),
    part("Revision", "string", Part::ApiRevision),
    part("Version", "string", Part::ApiVersion),
    part("IsCurrentRevision", "bool", Part::ApiIsCurrentRevision),
    part("ServiceUrl", "Uri", Part::ApiServiceUrl),
    part("Protocols", "IEnumerable<string>", Part::ApiProtocols),
    way("SubscriptionKeyParameterNames", "ISubscriptionKeyParameterNames"),
    part("Workspace", "IWorkspace", Part::Workspace),
];

pub(super) const KEY_NAMES: &[Member] =
    &[part("Header", "string", Part::ApiKeyHeader), part("Query", "string", Part::ApiKeyQuery)];

pub(super) const WORKSPACE: &[Member] =
    &[part("Id", "string", Part::WorkspaceId), part("Name", "string", Part::WorkspaceName)];

pub(super) const DEPLOYMENT: &[Member] = &[
    part("Region", "string", Part::DeploymentRegion),
    part("ServiceName", "string", Part::DeploymentServiceName),
    part("ServiceId", "string", Part::DeploymentServiceId),
    part("GatewayId", "string", Part::DeploymentGatewayId),
    way("Gateway", "IGateway"),
    part("Certificates", "Dictionary<string, X509Certificate2>", Part::DeploymentCertificates),
];

pub(super) const GATEWAY: &[Member] = &[
    part("Id", "string", Part::GatewayId),
    part("InstanceId", "string", Part::GatewayInstanceId),
    part("IsManaged", "bool", Part::GatewayIsManaged),
];

pub(super) const OPERATION: &[Member] = &[
    part("Id", "string", Part::OperationId),
    part("Name", "string", Part::OperationName),
    part("Method", "string", Part::OperationMethod),
    part("UrlTemplate", "string", Part::OperationUrlTemplate),
];

pub(super) const PRODUCT: &[Member] = &[
    part("Id", "string", Part::ProductId),
    part("Name", "string", Part::ProductName),
    part("State", "string", Part::ProductState),
    part("ApprovalRequired", "bool", Part::ProductApprovalRequired),
    part("SubscriptionRequired", "bool", Part::ProductSubscriptionRequired),
    part("SubscriptionLimit", "int?", Part::ProductSubscriptionLimit),
    part("SubscriptionsLimit", "int?", Part::ProductSubscriptionLimit),
    part("Apis", "IEnumerable<IProductApi>", Part::ProductApis),
    part("Groups", "IEnumerable<IGroup>", Part::ProductGroups),
];

pub(super) const SUBSCRIPTION: &[Member] = &[
    part("Id", "string", Part::SubscriptionId),
    part("Key", "string", Part::SubscriptionKey),
    part("Name", "string", Part::SubscriptionName),
    part("PrimaryKey", "string", Part::SubscriptionPrimaryKey),
    part("SecondaryKey", "string", Part::SubscriptionSecondaryKey),
    part("CreatedDate", "DateTime", Part::SubscriptionCreatedDate),
    part("CreatedTime", "DateTime", Part::SubscriptionCreatedDate),
    part("StartDate", "DateTime?", Part::SubscriptionStartDate),
    part("EndDate", "DateTime?", Part::SubscriptionEndDate),
];

pub(super) const USER: &[Member] = &[
    part("Id", "string", Part::UserId),
    part("Email", "string", Part::UserEmail),
    part("FirstName", "string", Part::UserFirstName),
    part("LastName", "string", Part::UserLastName),
    part("Note", "string", Part::UserNote),
    part("RegistrationDate", "DateTime", Part::UserRegistrationDate),
    part("Groups", "IEnumerable<IGroup>", Part::UserGroups),
    part("Identities", "IEnumerable<IUserIdentity>", Part::UserIdentities),
];

pub(super) const BACKEND: &[Member] =
    &[part("Id", "string", Part::BackendId), part("Type", "string", Part::BackendType)];

pub(super) const LAST_ERROR: &[Member] = &[
    part("Source", "string", Part::LastErrorSource),
    part("Reason", "string", Part::LastErrorReason),
    part("Message", "string", Part::LastErrorMessage),
    part("Scope", "string", Part::LastErrorScope),
    part("Section", "string", Part::LastErrorSection),
    part("Path", "string", Part::LastErrorPath),
    part("PolicyId", "string", Part::LastErrorPolicyId),
    part("HttpErrorCode", "int?", Part::LastErrorHttpErrorCode),
];

pub(super) const REQUEST: &[Member] = &[
    part("Method", "string", Part::RequestMethod),
    way("Url", "IUrl"),
    way("OriginalUrl", "IOriginalUrl"),
    property_with("Headers", "IRequestHeaders", |call| whole_headers(call, Side::Request)),
    part("Body", "IRequestBody", Part::RequestBody),
    property_with("MatchedParameters", "IMatchedParameters", |call| {
        let mut pairs = Vec::new();
        call.scope().matched_parameters(&mut |name, value| pairs.push(pair(name, value)));
        let map = Map::new(true);
        for (name, value) in pairs {
            map.set(name, value)?;
        }
        Ok(Value::from(map))
    }),
    part("IpAddress", "string", Part::RequestIpAddress),
    part("Certificate", "X509Certificate2", Part::RequestCertificate),
    part("PrivateEndpointConnection", "IPrivateEndpointConnection", Part::RequestPrivateEndpoint),
];

pub(super) const PRIVATE_ENDPOINT: &[Member] = &[
    part("Name", "string", Part::PrivateEndpointName),
    part("GroupId", "string", Part::PrivateEndpointGroupId),
    part("MemberName", "string", Part::PrivateEndpointMemberName),
];

pub(super) const URL: &[Member] = &[
    part("Scheme", "string", Part::UrlScheme),
    part("Host", "string", Part::UrlHost),
    part("Port", "int", Part::UrlPort),
    part("Path", "string", Part::UrlPath),
    part("QueryString", "string", Part::UrlQueryString),
    property_with("Query", "IRequestQuery", |call| whole_query(call, UrlSide::Backend)),
    method_with("ToString", "", "string", |call| {
        url_text(
            call,
            [Part::UrlScheme, Part::UrlHost, Part::UrlPort, Part::UrlPath, Part::UrlQueryString],
        )
    }),
];

pub(super) const ORIGINAL_URL: &[Member] = &[
    part("Scheme", "string", Part::OriginalUrlScheme),
    part("Host", "string", Part::OriginalUrlHost),
    part("Port", "int", Part::OriginalUrlPort),
    part("Path", "string", Part::OriginalUrlPath),
    part("QueryString", "string", Part::OriginalUrlQueryString),
    property_with("Query", "Dictionary<string, string[]>", |call| {
        whole_query(call, UrlSide::Original)
    }),
    method_with("ToString", "", "string", |call| {
        url_text(
            call,
            [
                Part::OriginalUrlScheme,
                Part::OriginalUrlHost,
                Part::OriginalUrlPort,
                Part::OriginalUrlPath,
                Part::OriginalUrlQueryString,
            ],
        )
    }),
];

pub(super) const RESPONSE: &[Member] = &[
    part("StatusCode", "int", Part::ResponseStatusCode),
    part("StatusReason", "string", Part::ResponseStatusReason),
    property_with("Headers", "IResponseHeaders", |call| whole_headers(call, Side::Response)),
    part("Body", "IResponseBody", Part::ResponseBody),
];

pub(super) const REQUEST_BODY: &[Member] = &[
    lookup("As<X>", "bool preserveContent = false", "X", |call| read_body(call, Side::Request)),
    lookup("AsFormUrlEncodedContent", "bool preserveContent = false", "Dictionary<string, string[]>", |call| {
        read_form(call, Side::Request)
    }),
];

pub(super) const RESPONSE_BODY: &[Member] = &[
    lookup("As<X>", "bool preserveContent = false", "X", |call| read_body(call, Side::Response)),
    lookup("AsFormUrlEncodedContent", "bool preserveContent = false", "Dictionary<string, string[]>", |call| {
        read_form(call, Side::Response)
    }),
];

pub(super) const REQUEST_HEADERS: &[Member] = &[
    lookup("GetValueOrDefault", "string headerName, string defaultValue = null", "string", |call| {
        header(call, Side::Request)
    }),
    lookup("ContainsKey", "string key", "bool", |call| has_header(call, Side::Request)),
    lookup("TryGetValue", "string key, out string[] value", "bool", |call| {
        try_header(call, Side::Request)
    }),
    lookup_index("string key", "string[]", |call| header_array(call, Side::Request)),
];

pub(super) const RESPONSE_HEADERS: &[Member] = &[
    lookup("GetValueOrDefault", "string headerName, string defaultValue = null", "string", |call| {
        header(call, Side::Response)
    }),
    lookup("ContainsKey", "string key", "bool", |call| has_header(call, Side::Response)),
    lookup("TryGetValue", "string key, out string[] value", "bool", |call| {
        try_header(call, Side::Response)
    }),
    lookup_index("string key", "string[]", |call| header_array(call, Side::Response)),
];

pub(super) const QUERY: &[Member] = &[
    lookup("GetValueOrDefault", "string queryParameterName, string defaultValue = null", "string", |call| {
        let name = Arc::clone(call.text(1)?);
        let values = query_values(call, &name);
        Ok(joined(&values).unwrap_or_else(|| call.argument(2).clone()))
    }),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = Arc::clone(call.text(1)?);
        Ok(Value::Bool(!query_values(call, &name).is_empty()))
    }),
    lookup_index("string key", "string[]", |call| {
        let name = Arc::clone(call.text(1)?);
        let values = query_values(call, &name);
        if values.is_empty() { Err(Thrown::key_not_found(&name)) } else { Ok(Value::array(values)) }
    }),
];

pub(super) const MATCHED_PARAMETERS: &[Member] = &[
    lookup("GetValueOrDefault", "string name, string defaultValue = null", "string", |call| {
        let name = Arc::clone(call.text(1)?);
        let found = call.scope().matched_parameter(&name);
        Ok(found.map_or_else(|| call.argument(2).clone(), Value::String))
    }),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = Arc::clone(call.text(1)?);
        Ok(Value::Bool(call.scope().matched_parameter(&name).is_some()))
    }),
    lookup_index("string key", "string", |call| {
        let name = Arc::clone(call.text(1)?);
        let found = call.scope().matched_parameter(&name);
        found.map(Value::String).ok_or_else(|| Thrown::key_not_found(&name))
    }),
];

pub(super) const VARIABLES: &[Member] = &[
    lookup_index("string key", "object", |call| {
        let name = Arc::clone(call.text(1)?);
        call.scope().variable(&name).ok_or_else(|| Thrown::key_not_found(&name))
    }),
    lookup("ContainsKey", "string key", "bool", |call| {
        let name = Arc::clone(call.text(1)?);
        Ok(Value::Bool(call.scope().variable(&name).is_some()))
    }),
    lookup("TryGetValue", "string key, out object value", "bool", |call| {
        let name = Arc::clone(call.text(1)?);
        let found = call.scope().variable(&name);
        let is_there = found.is_some();
        call.outs.push(found.unwrap_or_default());
        Ok(Value::Bool(is_there))
    }),
    lookup("GetValueOrDefault", "string variableName", "object", |call| {
        let name = Arc::clone(call.text(1)?);
        Ok(call.scope().variable(&name).unwrap_or_default())
    }),
    lookup("GetValueOrDefault<X>", "string variableName", "X", |call| typed_variable(call, None)),
    lookup("GetValueOrDefault<X>", "string variableName, X defaultValue", "X", |call| {
        let default = call.argument(2).clone();
        typed_variable(call, Some(default))
    }),
];

/// A variable as the type that is asked for. One of another type is the default where one is
/// given, and an exception where none is: a default says that the writer thought of its absence.
fn typed_variable(call: &mut Call<'_, '_>, default: Option<Value>) -> Outcome {
    let name = Arc::clone(call.text(1)?);
    let wanted = call.wanted();
    let missing = |default: Option<Value>| default.unwrap_or_else(|| default_of(wanted));
    match call.scope().variable(&name) {
        None => Ok(missing(default)),
        Some(Value::Null) if wanted.is_value() => Ok(missing(default)),
        Some(value) => match (unboxed(value, wanted), default) {
            (Ok(value), _) => Ok(value),
            (Err(_), Some(default)) => Ok(default),
            (Err(thrown), None) => Err(Thrown::new(
                thrown.kind,
                format!("The variable '{name}' is not of type '{wanted}': {}", thrown.message),
            )),
        },
    }
}

fn variables(call: &mut Call<'_, '_>) -> Outcome {
    let mut names: Vec<Value> = Vec::new();
    call.scope().variable_names(&mut |name| names.push(Value::text(name)));
    let map = Map::new(false);
    for name in names {
        let value = call.scope().variable(name.string()?).unwrap_or_default();
        map.set(name, value)?;
    }
    Ok(Value::from(map))
}

fn pair(name: &str, value: &str) -> (Value, Value) {
    (Value::text(name), Value::text(value))
}

fn whole_headers(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let mut lines: Vec<(String, String)> = Vec::new();
    call.scope().headers(side, &mut |name, value| {
        lines.push((name.to_owned(), value.to_owned()));
    });
    let lines = lines.iter().map(|(name, value)| (&**name, &**value));
    crate::expression::value::message::header_map(lines).map(Value::from)
}

fn whole_query(call: &mut Call<'_, '_>, url: UrlSide) -> Outcome {
    let mut pairs: Vec<(String, String)> = Vec::new();
    call.scope().query(url, &mut |name, value| pairs.push((name.to_owned(), value.to_owned())));
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    crate::expression::value::message::text_map(pairs, true).map(Value::from)
}

fn header_values(call: &mut Call<'_, '_>, side: Side) -> Result<Vec<Value>, Thrown> {
    let name = Arc::clone(call.text(1)?);
    let mut values = Vec::new();
    call.scope().header_values(side, &name, &mut |value| values.push(Value::text(value)));
    Ok(values)
}

/// Several values joined with commas; none if there are none.
fn joined(values: &[Value]) -> Option<Value> {
    match values {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let texts: Vec<&str> =
                several.iter().filter_map(|value| value.string().ok().map(|text| &**text)).collect();
            Some(Value::from(texts.join(",")))
        }
    }
}

fn header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    Ok(joined(&values).unwrap_or_else(|| call.argument(2).clone()))
}

fn has_header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    Ok(Value::Bool(!header_values(call, side)?.is_empty()))
}

fn header_array(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    if values.is_empty() {
        return Err(Thrown::key_not_found(call.text(1)?));
    }
    Ok(Value::array(values))
}

fn try_header(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let values = header_values(call, side)?;
    let is_there = !values.is_empty();
    call.outs.push(if is_there { Value::array(values) } else { Value::Null });
    Ok(Value::Bool(is_there))
}

fn query_values(call: &mut Call<'_, '_>, name: &str) -> Vec<Value> {
    let mut values = Vec::new();
    call.scope().query_values(UrlSide::Backend, name, &mut |value| values.push(Value::text(value)));
    values
}

fn url_text(call: &mut Call<'_, '_>, parts: [Part; 5]) -> Outcome {
    let [scheme, host, port, path, query] = parts.map(|part| call.scope().member(part));
    let (scheme, host) = (display::text(&scheme)?, display::text(&host)?);
    let is_default = matches!(
        (&*scheme, &port),
        (_, Value::Null) | ("http", Value::Int(80)) | ("https", Value::Int(443))
    );
    let port =
        if is_default { String::new() } else { format!(":{}", display::text(&port)?) };
    let (path, query) = (display::text(&path)?, display::text(&query)?);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Value::from(format!("{scheme}://{host}{port}{slash}{path}{query}")))
}

fn content(call: &mut Call<'_, '_>, side: Side) -> Result<Option<Body>, Thrown> {
    let preserve = matches!(call.argument(1), Value::Bool(true));
    match call.scope().body(side, preserve) {
        BodyRead::Absent => Ok(None),
        BodyRead::Bytes(bytes) => Ok(Some(Body(bytes))),
        BodyRead::Refused(reason) => {
            Err(Thrown::new(ExceptionKind::InvalidOperation, reason.to_string()))
        }
    }
}

fn read_body(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    let shape = shape(call.wanted())?;
    match content(call, side)? {
        Some(body) => message::body_as(&body, shape),
        None => Err(Thrown::null_reference()),
    }
}

fn read_form(call: &mut Call<'_, '_>, side: Side) -> Outcome {
    match content(call, side)? {
        Some(body) => message::body_as_form(&body),
        None => Err(Thrown::null_reference()),
    }
}

/// What `As<T>` makes of a body.
pub(super) fn shape(wanted: &Type) -> Result<message::Shape, Thrown> {
    use message::Shape;
    Ok(match wanted {
        Type::String | Type::Object | Type::Unknown => Shape::Text,
        Type::Array(item) if **item == Type::Byte => Shape::Bytes,
        Type::Class(Class::JToken | Class::JContainer) => Shape::Token,
        Type::Class(Class::JObject) => Shape::Object,
        Type::Class(Class::JArray) => Shape::Array,
        Type::Class(Class::XElement | Class::XNode) => Shape::Element,
        Type::Class(Class::XDocument) => Shape::Document,
        other => {
            return Err(Thrown::new(
                ExceptionKind::NotSupported,
                format!("A body cannot be read as '{other}'."),
            ));
        }
    })
}

/// A record that the gateway hands out, such as a group or a certificate.
const fn field(name: &'static str, result: &'static str, run: super::super::arguments::Pure) -> Member {
    property(name, result, run)
}

fn of_record(arguments: &[Value], name: &str) -> Outcome {
    match at(arguments, 0) {
        Value::Record(record) => Ok(record.get(name).cloned().unwrap_or_default()),
        other => Err(other.refused("Record")),
    }
}

pub(super) const NAMED: &[Member] = &[
    field("Id", "string", |v| of_record(v, "Id")),
    field("Name", "string", |v| of_record(v, "Name")),
    field("Path", "string", |v| of_record(v, "Path")),
];

pub(super) const IDENTITY: &[Member] = &[
    field("Id", "string", |v| of_record(v, "Id")),
    field("Provider", "string", |v| of_record(v, "Provider")),
];

pub(super) const AUTHORIZATION: &[Member] = &[
    field("AccessToken", "string", |v| of_record(v, "AccessToken")),
    field("Claims", "Dictionary<string, object>", |v| of_record(v, "Claims")),
];

pub(super) const CERTIFICATE: &[Member] = &[
    field("Thumbprint", "string", |v| of_record(v, "Thumbprint")),
    field("Subject", "string", |v| of_record(v, "Subject")),
    field("Issuer", "string", |v| of_record(v, "Issuer")),
    field("SerialNumber", "string", |v| of_record(v, "SerialNumber")),
    field("FriendlyName", "string", |v| of_record(v, "FriendlyName")),
    field("NotBefore", "DateTime", |v| of_record(v, "NotBefore")),
    field("NotAfter", "DateTime", |v| of_record(v, "NotAfter")),
];

pub(super) const MESSAGE: &[Member] = &[
    property("StatusCode", "int", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::Int(i32::from(response.status))),
        other => Err(other.refused("IResponse")),
    }),
    property("StatusReason", "string", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::String(Arc::clone(&response.reason))),
        other => Err(other.refused("IResponse")),
    }),
    property("Headers", "Dictionary<string, string[]>", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::Map(Arc::clone(&response.headers))),
        other => Err(other.refused("IResponse")),
    }),
    property("Body", "IMessageBody", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::from(response.body.clone())),
        other => Err(other.refused("IResponse")),
    }),
];

pub(super) const BODY: &[Member] = &[
    method_with("As<X>", "bool preserveContent = false", "X", |call| {
        let shape = shape(call.wanted())?;
        match call.argument(0) {
            Value::Body(body) => message::body_as(body, shape),
            other => Err(other.refused("IMessageBody")),
        }
    }),
    method_with(
        "AsFormUrlEncodedContent",
        "bool preserveContent = false",
        "Dictionary<string, string[]>",
        |call| match call.argument(0) {
            Value::Body(body) => message::body_as_form(body),
            other => Err(other.refused("IMessageBody")),
        },
    ),
];

macro_rules! jwt {
    ($name:literal, $result:literal, $field:ident) => {
        property($name, $result, |v| match at(v, 0) {
            Value::Jwt(jwt) => Ok(Value::from(jwt.$field.clone())),
            other => Err(other.refused("Jwt")),
        })
    };
}

pub(super) const JWT: &[Member] = &[
    jwt!("Id", "string", id),
    jwt!("Algorithm", "string", algorithm),
    jwt!("Type", "string", kind),
    jwt!("Issuer", "string", issuer),
    jwt!("Subject", "string", subject),
    jwt!("ExpirationTime", "DateTime?", expires),
    jwt!("NotBefore", "DateTime?", not_before),
    jwt!("IssuedAt", "DateTime?", issued),
    property("Audiences", "string[]", |v| match at(v, 0) {
        Value::Jwt(jwt) => Ok(token::audiences(jwt)),
        other => Err(other.refused("Jwt")),
    }),
    property("Claims", "Dictionary<string, string[]>", |v| match at(v, 0) {
        Value::Jwt(jwt) => Ok(Value::Map(Arc::clone(&jwt.claims))),
        other => Err(other.refused("Jwt")),
    }),
];

pub(super) const BASIC: &[Member] = &[
    property("UserId", "string", |v| basic(v, false)),
    property("Username", "string", |v| basic(v, false)),
    property("Password", "string", |v| basic(v, true)),
];

fn basic(arguments: &[Value], password: bool) -> Outcome {
    match at(arguments, 0) {
        Value::BasicCredentials(credentials) => {
            let text = if password { &credentials.password } else { &credentials.user };
            Ok(Value::String(Arc::clone(text)))
        }
        other => Err(other.refused("BasicAuthCredentials")),
    }
}

/// `GetValueOrDefault` of claims and of a response's headers, which joins, and what makes text of
/// a dictionary.
pub(super) const STRING_LISTS: &[Member] = &[
    super::super::arguments::method(
        "GetValueOrDefault",
        "string key, string defaultValue = null",
        "string",
        |v| message::joined(super::super::arguments::map(v, 0)?, super::super::arguments::text(v, 1)?, at(v, 2).clone()),
    ),
];

pub(super) const TEXT_OF_MAP: &[Member] = &[
    super::super::arguments::method("ToQueryString", "", "string", |v| {
        web::to_query(super::super::arguments::map(v, 0)?).map(Value::from)
    }),
    super::super::arguments::method("ToFormUrlEncodedContent", "", "byte[]", |v| {
        web::to_form(super::super::arguments::map(v, 0)?).map(Value::from)
    }),
];
