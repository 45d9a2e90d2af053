//! Every policy there is: its name, where it may stand, what it is given, who builds it.
//!
//! One table. What API Management knows and Weir does not build yet stands in it too, so that a
//! document which uses it is refused by name and not skipped.

use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::{Scope, Section};
use crate::policy::{
    access, caching, convert, cross_domain, flow, limits, logging, respond, routing, send, tokens,
    transform, validation,
};

/// A policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The element's name.
    pub name: &'static str,
    /// Where it may stand.
    pub sections: &'static [Section],
    /// In whose documents it may stand.
    pub scopes: &'static [Scope],
    /// What it is given.
    pub attributes: &'static [Attribute],
    /// What may stand inside it.
    pub content: Content,
    /// Who builds it.
    pub build: Build,
}

/// An attribute of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it may be an expression.
    pub computed: bool,
}

/// What may stand inside a policy.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// Text, or an expression.
    Text,
    /// Policies.
    Policies,
    /// These elements; the policy reads them itself.
    Elements(&'static [&'static str]),
}

/// Who builds a policy.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// This function, which adds steps.
    Steps(fn(&mut Builder<'_>, &Element)),
    /// Nobody yet.
    NotYet,
}

/// All sections.
pub const ANYWHERE: &[Section] = &Section::ALL;
/// Inbound only.
pub const INBOUND: &[Section] = &[Section::Inbound];
/// Backend only.
pub const BACKEND: &[Section] = &[Section::Backend];
/// Inbound and backend.
pub const REQUEST: &[Section] = &[Section::Inbound, Section::Backend];
/// Outbound only.
pub const OUTBOUND: &[Section] = &[Section::Outbound];
/// Outbound and on-error.
pub const RESPONSE: &[Section] = &[Section::Outbound, Section::OnError];
/// All but backend.
pub const NOT_BACKEND: &[Section] = &[Section::Inbound, Section::Outbound, Section::OnError];
/// All scopes.
pub const EVERY_SCOPE: &[Scope] = &[Scope::Global, Scope::Product, Scope::Api, Scope::Operation];
/// All but the global one.
pub const BELOW_GLOBAL: &[Scope] = &[Scope::Product, Scope::Api, Scope::Operation];
/// Products only.
pub const PRODUCT: &[Scope] = &[Scope::Product];
/// The gateway only.
pub const GLOBAL: &[Scope] = &[Scope::Global];

/// An attribute that must be given.
pub const fn required(name: &'static str) -> Attribute {
    Attribute { name, required: true, computed: false }
}

/// An attribute that may be given.
pub const fn optional(name: &'static str) -> Attribute {
    Attribute { name, required: false, computed: false }
}

impl Attribute {
    /// The same attribute; it may be an expression.
    #[must_use]
    pub const fn computed(self) -> Self {
        Self { computed: true, ..self }
    }
}

impl Policy {
    /// A policy that API Management knows and Weir does not build yet.
    const fn not_yet(name: &'static str) -> Self {
        Self {
            name,
            sections: ANYWHERE,
            scopes: EVERY_SCOPE,
            attributes: &[],
            content: Content::Nothing,
            build: Build::NotYet,
        }
    }
}

/// Every policy there is.
pub const POLICIES: &[Policy] = &[
    flow::CHOOSE,
    flow::RETRY,
    flow::LIMIT_CONCURRENCY,
    flow::INCLUDE_FRAGMENT,
    transform::SET_VARIABLE,
    transform::header::SET_HEADER,
    transform::SET_BODY,
    transform::SET_METHOD,
    transform::SET_STATUS,
    transform::FIND_AND_REPLACE,
    transform::links::REDIRECT_CONTENT_URLS,
    convert::XML_TO_JSON,
    convert::JSON_TO_XML,
    routing::SET_QUERY_PARAMETER,
    routing::REWRITE_URI,
    routing::SET_BACKEND_SERVICE,
    routing::FORWARD_REQUEST,
    respond::RETURN_RESPONSE,
    respond::MOCK_RESPONSE,
    send::SEND_REQUEST,
    send::SEND_ONE_WAY_REQUEST,
    access::CHECK_HEADER,
    access::IP_FILTER,
    tokens::VALIDATE_JWT,
    tokens::VALIDATE_AZURE_AD_TOKEN,
    access::basic::AUTHENTICATION_BASIC,
    cross_domain::CORS,
    cross_domain::jsonp::JSONP,
    cross_domain::flash::CROSS_DOMAIN,
    limits::RATE_LIMIT,
    limits::RATE_LIMIT_BY_KEY,
    limits::QUOTA,
    limits::QUOTA_BY_KEY,
    validation::VALIDATE_STATUS_CODE,
    caching::CACHE_LOOKUP,
    caching::CACHE_STORE,
    caching::CACHE_LOOKUP_VALUE,
    caching::CACHE_STORE_VALUE,
    caching::CACHE_REMOVE_VALUE,
    logging::TRACE,
    Policy::not_yet("authentication-certificate"),
    Policy::not_yet("authentication-managed-identity"),
    Policy::not_yet("azure-openai-emit-token-metric"),
    Policy::not_yet("azure-openai-semantic-cache-lookup"),
    Policy::not_yet("azure-openai-semantic-cache-store"),
    Policy::not_yet("azure-openai-token-limit"),
    Policy::not_yet("cache-value"),
    Policy::not_yet("cosmosdb-data-source"),
    Policy::not_yet("emit-metric"),
    Policy::not_yet("get-authorization-context"),
    Policy::not_yet("http-data-source"),
    Policy::not_yet("invoke-dapr-binding"),
    Policy::not_yet("invoke-request"),
    Policy::not_yet("llm-content-safety"),
    Policy::not_yet("llm-emit-token-metric"),
    Policy::not_yet("llm-semantic-cache-lookup"),
    Policy::not_yet("llm-semantic-cache-store"),
    Policy::not_yet("llm-token-limit"),
    Policy::not_yet("log-to-eventhub"),
    Policy::not_yet("proxy"),
    Policy::not_yet("publish-event"),
    Policy::not_yet("publish-to-dapr"),
    Policy::not_yet("send-service-bus-message"),
    Policy::not_yet("sql-data-source"),
    Policy::not_yet("validate-client-certificate"),
    Policy::not_yet("validate-content"),
    Policy::not_yet("validate-graphql-request"),
    Policy::not_yet("validate-headers"),
    Policy::not_yet("validate-odata-request"),
    Policy::not_yet("validate-parameters"),
    Policy::not_yet("wait"),
    Policy::not_yet("xsl-transform"),
];

/// The policies of which a section may run one only; in branches of which one is taken, each may
/// have its own.
pub const ONCE: &[&str] = &["cache-lookup", "cache-store", "cors", "quota", "rate-limit"];

/// The policy `name`.
pub fn find(name: &str) -> Option<&'static Policy> {
    POLICIES.iter().find(|policy| policy.name == name)
}

/// The names of all policies.
pub fn names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|policy| policy.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_run_once_is_known() {
        assert!(ONCE.iter().all(|name| find(name).is_some()));
    }

    #[test]
    fn every_policy_has_one_row() {
        let mut known: Vec<_> = names().collect();
        known.sort_unstable();
        let rows = known.len();
        known.dedup();
        assert_eq!(known.len(), rows);
    }
}
