//! What `context` means: the boundary between an expression and the request it runs for.

use std::sync::Arc;

use bytes::Bytes;

use super::value::Value;
use crate::certificate::Certificate;

/// Which of the two messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// `context.Request`
    Request,
    /// `context.Response`
    Response,
}

/// Which of the two URLs of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UrlSide {
    /// `context.Request.Url`: what goes to the backend.
    Backend,
    /// `context.Request.OriginalUrl`: what the client called.
    Original,
}

/// What reading a body gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BodyRead {
    /// The message has no body.
    Absent,
    /// The whole body; one that was consumed before is empty.
    Bytes(Bytes),
    /// It cannot be read, and why, as the expression's exception says it.
    Refused(Arc<str>),
}

/// Everything below `context` that is read as one value. A string that the gateway does not know
/// is [`Value::Null`]. Of the members marked *object* only whether they are null matters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ContextMember {
    /// `RequestId`, a GUID.
    RequestId,
    /// `Timestamp`, a `DateTime` in UTC.
    Timestamp,
    /// `Elapsed`, a `TimeSpan`.
    Elapsed,
    /// `Tracing`, a bool.
    Tracing,
    /// `Api`, an object; null where no API was found.
    Api,
    /// `Api.Id`
    ApiId,
    /// `Api.Name`
    ApiName,
    /// `Api.Path`
    ApiPath,
    /// `Api.Revision`
    ApiRevision,
    /// `Api.Version`
    ApiVersion,
    /// `Api.IsCurrentRevision`, a bool.
    ApiIsCurrentRevision,
    /// `Api.ServiceUrl`, a `Uri`.
    ApiServiceUrl,
    /// `Api.Protocols`, a list of strings.
    ApiProtocols,
    /// `Api.SubscriptionKeyParameterNames.Header`
    ApiKeyHeader,
    /// `Api.SubscriptionKeyParameterNames.Query`
    ApiKeyQuery,
    /// `Workspace` and `Api.Workspace`, an object.
    Workspace,
    /// `Workspace.Id`
    WorkspaceId,
    /// `Workspace.Name`
    WorkspaceName,
    /// `Deployment.Region`
    DeploymentRegion,
    /// `Deployment.ServiceName`
    DeploymentServiceName,
    /// `Deployment.ServiceId`
    DeploymentServiceId,
    /// `Deployment.GatewayId`
    DeploymentGatewayId,
    /// `Deployment.Certificates`: a dictionary from ids to certificates.
    DeploymentCertificates,
    /// `Deployment.Gateway.Id`
    GatewayId,
    /// `Deployment.Gateway.InstanceId`
    GatewayInstanceId,
    /// `Deployment.Gateway.IsManaged`, a bool.
    GatewayIsManaged,
    /// `Operation`, an object; null where no operation was found.
    Operation,
    /// `Operation.Id`
    OperationId,
    /// `Operation.Name`
    OperationName,
    /// `Operation.Method`
    OperationMethod,
    /// `Operation.UrlTemplate`
    OperationUrlTemplate,
    /// `Product`, an object; null without a product.
    Product,
    /// `Product.Id`
    ProductId,
    /// `Product.Name`
    ProductName,
    /// `Product.State`: `NotPublished` or `Published`.
    ProductState,
    /// `Product.ApprovalRequired`, a bool.
    ProductApprovalRequired,
    /// `Product.SubscriptionRequired`, a bool.
    ProductSubscriptionRequired,
    /// `Product.SubscriptionLimit`, an int or null.
    ProductSubscriptionLimit,
    /// `Product.Apis`: a list of records with `Id`, `Name` and `Path`.
    ProductApis,
    /// `Product.Groups`: a list of records with `Id` and `Name`.
    ProductGroups,
    /// `Subscription`, an object; null without a key.
    Subscription,
    /// `Subscription.Id`
    SubscriptionId,
    /// `Subscription.Key`: the key that the caller sent.
    SubscriptionKey,
    /// `Subscription.Name`
    SubscriptionName,
    /// `Subscription.PrimaryKey`
    SubscriptionPrimaryKey,
    /// `Subscription.SecondaryKey`
    SubscriptionSecondaryKey,
    /// `Subscription.CreatedDate`, a `DateTime`.
    SubscriptionCreatedDate,
    /// `Subscription.StartDate`, a `DateTime` or null.
    SubscriptionStartDate,
    /// `Subscription.EndDate`, a `DateTime` or null.
    SubscriptionEndDate,
    /// `User`, an object; null without a user.
    User,
    /// `User.Id`
    UserId,
    /// `User.Email`
    UserEmail,
    /// `User.FirstName`
    UserFirstName,
    /// `User.LastName`
    UserLastName,
    /// `User.Note`
    UserNote,
    /// `User.RegistrationDate`, a `DateTime`.
    UserRegistrationDate,
    /// `User.Groups`: a list of records with `Id` and `Name`.
    UserGroups,
    /// `User.Identities`: a list of records with `Id` and `Provider`.
    UserIdentities,
    /// `Backend`, an object; null where none was chosen by its id.
    Backend,
    /// `Backend.Id`
    BackendId,
    /// `Backend.Type`: `Single` or `Pool`.
    BackendType,
    /// `Request.Method`
    RequestMethod,
    /// `Request.IpAddress`
    RequestIpAddress,
    /// `Request.Certificate`: a certificate, or null.
    RequestCertificate,
    /// `Request.PrivateEndpointConnection`, an object; null where there is none.
    RequestPrivateEndpoint,
    /// `Request.PrivateEndpointConnection.Name`
    PrivateEndpointName,
    /// `Request.PrivateEndpointConnection.GroupId`
    PrivateEndpointGroupId,
    /// `Request.PrivateEndpointConnection.MemberName`
    PrivateEndpointMemberName,
    /// `Request.Body`, an object; null if the request has none.
    RequestBody,
    /// `Request.Url.Scheme`
    UrlScheme,
    /// `Request.Url.Host`
    UrlHost,
    /// `Request.Url.Port`, an int.
    UrlPort,
    /// `Request.Url.Path`
    UrlPath,
    /// `Request.Url.QueryString`: with its `?`, or empty.
    UrlQueryString,
    /// `Request.OriginalUrl.Scheme`
    OriginalUrlScheme,
    /// `Request.OriginalUrl.Host`
    OriginalUrlHost,
    /// `Request.OriginalUrl.Port`, an int.
    OriginalUrlPort,
    /// `Request.OriginalUrl.Path`
    OriginalUrlPath,
    /// `Request.OriginalUrl.QueryString`: with its `?`, or empty.
    OriginalUrlQueryString,
    /// `Response`, an object; null before there is one.
    Response,
    /// `Response.StatusCode`, an int.
    ResponseStatusCode,
    /// `Response.StatusReason`
    ResponseStatusReason,
    /// `Response.Body`, an object; null if the response has none.
    ResponseBody,
    /// `LastError`, an object; null while nothing failed.
    LastError,
    /// `LastError.Source`
    LastErrorSource,
    /// `LastError.Reason`
    LastErrorReason,
    /// `LastError.Message`
    LastErrorMessage,
    /// `LastError.Scope`
    LastErrorScope,
    /// `LastError.Section`
    LastErrorSection,
    /// `LastError.Path`
    LastErrorPath,
    /// `LastError.PolicyId`
    LastErrorPolicyId,
    /// `LastError.HttpErrorCode`, an int or null.
    LastErrorHttpErrorCode,
}

/// One request, as expressions see it. Every read is of the state at that moment.
pub trait Scope {
    /// The value of `member`. It is asked for a part of an object only after the object was
    /// found not to be null.
    fn member(&mut self, member: ContextMember) -> Value;

    /// Calls `each` with every value of the header `name`, without regard to case, in order.
    fn header_values(&self, side: Side, name: &str, each: &mut dyn FnMut(&str));

    /// Calls `each` with name and value of every header line, in order.
    fn headers(&self, side: Side, each: &mut dyn FnMut(&str, &str));

    /// Calls `each` with every value of the query parameter `name`, decoded, in order.
    fn query_values(&self, url: UrlSide, name: &str, each: &mut dyn FnMut(&str));

    /// Calls `each` with name and value of every query parameter, decoded, in order.
    fn query(&self, url: UrlSide, each: &mut dyn FnMut(&str, &str));

    /// The value of a parameter in the operation's template.
    fn matched_parameter(&self, name: &str) -> Option<Arc<str>>;

    /// Calls `each` with name and value of every parameter in the operation's template.
    fn matched_parameters(&self, each: &mut dyn FnMut(&str, &str));

    /// The value of the variable `name`.
    fn variable(&self, name: &str) -> Option<Value>;

    /// Calls `each` with the name of every variable.
    fn variable_names(&self, each: &mut dyn FnMut(&str));

    /// Reads a body; unless `preserve`, whoever reads it next finds it empty.
    fn body(&mut self, side: Side, preserve: bool) -> BodyRead;

    /// `context.Trace(message)`.
    fn trace(&mut self, message: &str);

    /// The time now, in ticks since 0001-01-01 UTC.
    fn now(&self) -> i64;

    /// Whether an authority that the gateway trusts vouches for `certificate` now; with
    /// `asks_revocation`, whether it was not taken back either, as far as that is known.
    fn vouches(&self, certificate: &Certificate, asks_revocation: bool) -> bool;

    /// Random bits.
    fn random(&mut self) -> u64;
}

/// What an expression reads, known when it is compiled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Reads {
    /// The content of `context.Request.Body`.
    pub request_body: bool,
    /// The content of `context.Response.Body`.
    pub response_body: bool,
    /// Anything of `context.Response`.
    pub response: bool,
    /// Any variable.
    pub variables: bool,
    /// The clock or random numbers, or it writes a trace: two evaluations differ.
    pub effects: bool,
}
