//! What steps do: an action for each policy.

use std::sync::Arc;

use crate::policy::access::basic::AuthenticationBasic;
use crate::policy::access::{CheckHeader, IpFilter};
use crate::policy::caching::made::CacheValue;
use crate::policy::caching::{LookupResponse, LookupValue, RemoveValue, StoreResponse, StoreValue};
use crate::policy::certificate::CertificatePolicy;
use crate::policy::convert::{JsonToXml, XmlToJson};
use crate::policy::cross_domain::Cors;
use crate::policy::cross_domain::jsonp::Jsonp;
use crate::policy::flow::wait::Wait;
use crate::policy::flow::{Concurrency, Retry};
use crate::policy::identity::ManagedIdentity;
use crate::policy::identity::context::AuthorizationContext;
use crate::policy::limits::tokens::TokenLimit;
use crate::policy::limits::{Quota, QuotaByKey, RateLimit, RateLimitByKey};
use crate::policy::llm::safety::ContentSafety;
use crate::policy::logging::Trace;
use crate::policy::logging::event_hub::LogToEventHub;
use crate::policy::metrics::{EmitMetric, EmitTokenMetric};
use crate::policy::operand::Operand;
use crate::policy::respond::{MockResponse, ReturnResponse};
use crate::policy::routing::proxy::UseProxy;
use crate::policy::routing::{Forward, RewriteUri, SetBackend, SetQuery};
use crate::policy::send::Send;
use crate::policy::send::dapr::DaprCall;
use crate::policy::send::invoke::InvokeRequest;
use crate::policy::send::service_bus::ServiceBusMessage;
use crate::policy::tokens::ValidateToken;
use crate::policy::transform::header::SetHeader;
use crate::policy::transform::links::RedirectContentUrls;
use crate::policy::transform::{FindAndReplace, SetBody, SetMethod, SetStatus, SetVariable};
use crate::policy::validation::ValidateStatusCode;
use crate::policy::validation::content::ValidateContent;
use crate::policy::validation::parameters::{ValidateHeaders, ValidateParameters};

/// What a step does. Policies that hold others have become jumps.
#[derive(Clone, Debug)]
pub enum Action {
    /// Goes on at another step.
    Jump(usize),
    /// `<base/>` inside of another policy: when scopes are put in order, the policies of the next
    /// wider one take its place.
    Base,
    /// `choose/when`: goes on at `otherwise` unless the condition holds.
    Unless {
        /// The condition.
        condition: Operand<bool>,
        /// Where to go on.
        otherwise: usize,
    },
    /// The beginning of a `retry`.
    RetryEnter,
    /// Its end: back to the first child, or on.
    RetryAgain(Box<Retry>),
    /// The beginning of a `limit-concurrency`.
    ConcurrencyEnter(Box<Concurrency>),
    /// Its end.
    ConcurrencyLeave,
    /// The beginning of a `wait`; the steps of its children follow.
    Wait(Wait),
    /// `set-variable`.
    SetVariable(SetVariable),
    /// `set-header`.
    SetHeader(SetHeader),
    /// `set-query-parameter`.
    SetQuery(SetQuery),
    /// `set-body`.
    SetBody(SetBody),
    /// `set-method`.
    SetMethod(SetMethod),
    /// `set-status`.
    SetStatus(SetStatus),
    /// `find-and-replace`.
    FindAndReplace(FindAndReplace),
    /// `redirect-content-urls`.
    RedirectContentUrls(RedirectContentUrls),
    /// `xml-to-json`.
    XmlToJson(Box<XmlToJson>),
    /// `json-to-xml`.
    JsonToXml(Box<JsonToXml>),
    /// `jsonp`.
    Jsonp(Jsonp),
    /// `rewrite-uri`.
    RewriteUri(RewriteUri),
    /// `set-backend-service`.
    SetBackend(SetBackend),
    /// `proxy`.
    Proxy(Box<UseProxy>),
    /// `forward-request`.
    Forward(Forward),
    /// `return-response`.
    ReturnResponse(Box<ReturnResponse>),
    /// `mock-response`.
    MockResponse(MockResponse),
    /// `send-request` and `send-one-way-request`.
    Send(Box<Send>),
    /// `send-service-bus-message`.
    ServiceBusMessage(Box<ServiceBusMessage>),
    /// `publish-to-dapr`, `invoke-dapr-binding`.
    Dapr(Box<DaprCall>),
    /// `invoke-request`.
    InvokeRequest(Box<InvokeRequest>),
    /// `llm-content-safety`.
    ContentSafety(Box<ContentSafety>),
    /// `check-header`.
    CheckHeader(Box<CheckHeader>),
    /// `ip-filter`.
    IpFilter(IpFilter),
    /// `validate-jwt`, `validate-azure-ad-token`.
    ValidateToken(Box<ValidateToken>),
    /// `authentication-basic`.
    AuthenticationBasic(AuthenticationBasic),
    /// `authentication-certificate`, `validate-client-certificate`.
    Certificate(Box<CertificatePolicy>),
    /// `authentication-managed-identity`.
    ManagedIdentity(Box<ManagedIdentity>),
    /// `get-authorization-context`.
    AuthorizationContext(Box<AuthorizationContext>),
    /// `cors`.
    Cors(Box<Cors>),
    /// `cross-domain`: the document that it serves.
    CrossDomain(Arc<str>),
    /// `rate-limit`.
    RateLimit(Box<RateLimit>),
    /// `rate-limit-by-key`.
    RateLimitByKey(Box<RateLimitByKey>),
    /// `quota`.
    Quota(Box<Quota>),
    /// `quota-by-key`.
    QuotaByKey(Box<QuotaByKey>),
    /// `llm-token-limit`, `azure-openai-token-limit`.
    TokenLimit(Box<TokenLimit>),
    /// `cache-lookup`.
    LookupResponse(Box<LookupResponse>),
    /// `cache-store`.
    StoreResponse(StoreResponse),
    /// `cache-lookup-value`.
    LookupValue(Box<LookupValue>),
    /// `cache-store-value`.
    StoreValue(Box<StoreValue>),
    /// `cache-remove-value`.
    RemoveValue(RemoveValue),
    /// The beginning of a `cache-value`. The next step leads past it, the one after that is the first
    /// of those that make the value.
    CacheValueEnter(Arc<CacheValue>),
    /// Its end.
    CacheValueLeave(Arc<CacheValue>),
    /// `validate-status-code`.
    ValidateStatusCode(Box<ValidateStatusCode>),
    /// `emit-metric`.
    EmitMetric(Box<EmitMetric>),
    /// `llm-emit-token-metric`, `azure-openai-emit-token-metric`.
    EmitTokenMetric(Box<EmitTokenMetric>),
    /// `validate-content`.
    ValidateContent(Box<ValidateContent>),
    /// `validate-parameters`.
    ValidateParameters(Box<ValidateParameters>),
    /// `validate-headers`.
    ValidateHeaders(Box<ValidateHeaders>),
    /// `trace`.
    Trace(Box<Trace>),
    /// `log-to-eventhub`.
    LogToEventHub(Box<LogToEventHub>),
    /// A policy that is switched off, and that no request passes.
    Disabled,
}
