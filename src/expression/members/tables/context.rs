//! `context` and everything below it.

use super::super::Member;
use super::super::arguments::{Outcome, Pure, at, method_with, part, property, property_with};
use super::lookup::{url_text, variables, whole_headers, whole_query};
use crate::expression::library::display;
use crate::expression::library::web::uri;
use crate::expression::scope::{ContextMember as Part, Side, UrlSide};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::Map;

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
    part("ServiceUrl", "IServiceUrl", Part::ApiServiceUrl),
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
    way("SustainabilityInfo", "ISustainabilityInfo"),
    part("Certificates", "Dictionary<string, X509Certificate2>", Part::DeploymentCertificates),
];

/// What the power of the region costs the climate: nobody tells a self-hosted gateway.
pub(super) const SUSTAINABILITY: &[Member] =
    &[property("CurrentCarbonIntensity", "CarbonIntensityCategory", |_| Ok(Value::Int(0)))];

/// The deployment of a model that a request goes to, which only the gateway of Microsoft Foundry
/// knows.
pub(super) const FOUNDRY: &[Member] = &[property("Deployment", "string", |_| Ok(Value::Null))];

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
        call.scope().matched_parameters(&mut |name, value| {
            pairs.push((Value::text(name), Value::text(value)));
        });
        let map = Map::new(true);
        for (name, value) in pairs {
            map.set(name, value)?;
        }
        Ok(Value::from(map))
    }),
    part("IpAddress", "string", Part::RequestIpAddress),
    part("Certificate", "X509Certificate2", Part::RequestCertificate),
    part("PrivateEndpointConnection", "IPrivateEndpointConnection", Part::RequestPrivateEndpoint),
    way("Foundry", "IFoundry"),
];

pub(super) const PRIVATE_ENDPOINT: &[Member] = &[
    part("Name", "string", Part::PrivateEndpointName),
    part("GroupId", "string", Part::PrivateEndpointGroupId),
    part("MemberName", "string", Part::PrivateEndpointMemberName),
];

/// What a URL is put together of.
const URL_PARTS: [Part; 5] =
    [Part::UrlScheme, Part::UrlHost, Part::UrlPort, Part::UrlPath, Part::UrlQueryString];
const ORIGINAL_URL_PARTS: [Part; 5] = [
    Part::OriginalUrlScheme,
    Part::OriginalUrlHost,
    Part::OriginalUrlPort,
    Part::OriginalUrlPath,
    Part::OriginalUrlQueryString,
];

fn to_uri(text: &Value) -> Outcome {
    Ok(uri::new(text.string()?)?.into())
}

pub(super) const URL: &[Member] = &[
    part("Scheme", "string", Part::UrlScheme),
    part("Host", "string", Part::UrlHost),
    part("Port", "int", Part::UrlPort),
    part("Path", "string", Part::UrlPath),
    part("QueryString", "string", Part::UrlQueryString),
    property_with("Query", "IRequestQuery", |call| whole_query(call, UrlSide::Backend)),
    method_with("ToString", "", "string", |call| url_text(call, URL_PARTS)),
    method_with("ToUri", "", "Uri", |call| to_uri(&url_text(call, URL_PARTS)?)),
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
    method_with("ToString", "", "string", |call| url_text(call, ORIGINAL_URL_PARTS)),
    method_with("ToUri", "", "Uri", |call| to_uri(&url_text(call, ORIGINAL_URL_PARTS)?)),
];

pub(super) const RESPONSE: &[Member] = &[
    part("StatusCode", "int", Part::ResponseStatusCode),
    part("StatusReason", "string", Part::ResponseStatusReason),
    property_with("Headers", "IResponseHeaders", |call| whole_headers(call, Side::Response)),
    part("Body", "IResponseBody", Part::ResponseBody),
];

/// A record that the gateway hands out, such as a group.
const fn field(name: &'static str, result: &'static str, run: Pure) -> Member {
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
