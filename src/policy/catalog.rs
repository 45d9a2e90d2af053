//! Every policy there is: its name and what it does, where it may stand, what it is given, how it
//! differs from API Management, who builds it. Checks, messages and `docs/policies.md` come from
//! here.
//!
//! One table. What API Management knows and Weir does not build stands in it too, so that a
//! document which uses it is refused by name and not skipped.

pub mod access;
pub mod caching;
pub mod calls;
pub mod cross_domain;
pub mod dapr;
pub mod flow;
pub mod limits;
pub mod llm;
pub mod routing;
pub mod transform;
pub mod validation;
pub mod watching;
#[cfg(test)]
mod manual;

use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::{Scope, Section};

/// A policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The element's name.
    pub name: &'static str,
    /// What it does.
    pub says: &'static str,
    /// Where it may stand.
    pub sections: &'static [Section],
    /// In whose documents it may stand.
    pub scopes: &'static [Scope],
    /// What it is given.
    pub attributes: &'static [Attribute],
    /// What may stand inside it.
    pub content: Content,
    /// How it differs from API Management, and what Weir decided where that leaves room.
    pub differs: &'static [&'static str],
    /// Who builds it.
    pub build: Build,
}

/// An attribute of a policy, or of an element in one.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it may be an expression.
    pub computed: bool,
    /// What holds where it is not given; empty if nothing does.
    pub usual: &'static str,
}

/// An element that stands in a policy.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub says: &'static str,
    /// What it is given.
    pub attributes: &'static [Attribute],
    /// What may stand inside it.
    pub content: Content,
}

/// What may stand inside a policy, or inside an element in one.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// Text, or an expression.
    Text,
    /// Policies.
    Policies,
    /// These elements.
    Elements(&'static [Part]),
    /// Text, or these elements.
    TextOr(&'static [Part]),
    /// What the policy judges itself, attributes too.
    Unread,
}

/// Who builds a policy.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// This function, which adds steps.
    Steps(fn(&mut Builder<'_>, &Element)),
    /// Nobody yet.
    NotYet,
    /// Nobody, and why: the end of a sentence.
    Never(&'static str),
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
pub const fn required(name: &'static str, says: &'static str) -> Attribute {
    Attribute { name, says, required: true, computed: false, usual: "" }
}

/// An attribute that may be given.
pub const fn optional(name: &'static str, says: &'static str) -> Attribute {
    Attribute { name, says, required: false, computed: false, usual: "" }
}

/// An element without attributes, which holds nothing.
pub const fn part(name: &'static str, says: &'static str) -> Part {
    Part { name, says, attributes: &[], content: Content::Nothing }
}

impl Attribute {
    /// The same attribute; it may be an expression.
    #[must_use]
    pub const fn computed(self) -> Self {
        Self { computed: true, ..self }
    }

    /// The same attribute; `usual` holds where it is not given.
    #[must_use]
    pub const fn usual(self, usual: &'static str) -> Self {
        Self { usual, ..self }
    }
}

impl Part {
    /// The policy `policy`, as it stands in others.
    #[must_use]
    pub const fn of(policy: &Policy) -> Self {
        let Policy { name, says, attributes, content, .. } = *policy;
        Self { name, says, attributes, content }
    }

    /// The same element; it has these attributes.
    #[must_use]
    pub const fn with(self, attributes: &'static [Attribute]) -> Self {
        Self { attributes, ..self }
    }

    /// The same element; this may stand inside.
    #[must_use]
    pub const fn holding(self, content: Content) -> Self {
        Self { content, ..self }
    }
}

impl Policy {
    /// A policy that API Management knows and Weir does not build, and why.
    const fn never(name: &'static str, why: &'static str) -> Self {
        Self { build: Build::Never(why), ..Self::not_yet(name) }
    }

    /// A policy that API Management knows and Weir does not build yet.
    const fn not_yet(name: &'static str) -> Self {
        Self {
            name,
            says: "",
            sections: ANYWHERE,
            scopes: EVERY_SCOPE,
            attributes: &[],
            content: Content::Nothing,
            differs: &[],
            build: Build::NotYet,
        }
    }
}

/// Why there is no semantic cache.
const SEMANTIC: &str = "caches here find what was kept under the same key, not what means about the \
                        same, which takes a search among vectors that a Redis for limits need not \
                        have; keep answers to the same question with `cache-lookup-value` and \
                        `cache-store-value`, under a digest of the body";
/// Why there are no resolvers.
const RESOLVERS: &str = "it resolves fields of a GraphQL API that the gateway makes up, which the \
                         self-hosted gateway of API Management does not do either";

/// Every policy there is.
pub const POLICIES: &[Policy] = &[
    flow::CHOOSE,
    flow::RETRY,
    flow::LIMIT_CONCURRENCY,
    flow::INCLUDE_FRAGMENT,
    flow::WAIT,
    transform::SET_VARIABLE,
    transform::SET_HEADER,
    transform::SET_BODY,
    transform::SET_METHOD,
    transform::SET_STATUS,
    transform::FIND_AND_REPLACE,
    transform::REDIRECT_CONTENT_URLS,
    transform::XML_TO_JSON,
    transform::JSON_TO_XML,
    transform::SET_QUERY_PARAMETER,
    routing::REWRITE_URI,
    routing::SET_BACKEND_SERVICE,
    routing::PROXY,
    routing::FORWARD_REQUEST,
    routing::RETURN_RESPONSE,
    routing::MOCK_RESPONSE,
    calls::SEND_REQUEST,
    calls::SEND_ONE_WAY_REQUEST,
    calls::INVOKE_REQUEST,
    calls::SEND_SERVICE_BUS_MESSAGE,
    dapr::PUBLISH_TO_DAPR,
    dapr::INVOKE_DAPR_BINDING,
    access::CHECK_HEADER,
    access::IP_FILTER,
    access::VALIDATE_CLIENT_CERTIFICATE,
    access::VALIDATE_JWT,
    access::VALIDATE_AZURE_AD_TOKEN,
    calls::AUTHENTICATION_BASIC,
    calls::AUTHENTICATION_CERTIFICATE,
    calls::AUTHENTICATION_MANAGED_IDENTITY,
    calls::GET_AUTHORIZATION_CONTEXT,
    cross_domain::CORS,
    cross_domain::JSONP,
    cross_domain::CROSS_DOMAIN,
    limits::RATE_LIMIT,
    limits::RATE_LIMIT_BY_KEY,
    limits::QUOTA,
    limits::QUOTA_BY_KEY,
    llm::LLM_TOKEN_LIMIT,
    llm::AZURE_OPENAI_TOKEN_LIMIT,
    llm::LLM_CONTENT_SAFETY,
    validation::VALIDATE_CONTENT,
    validation::VALIDATE_PARAMETERS,
    validation::VALIDATE_HEADERS,
    validation::VALIDATE_STATUS_CODE,
    caching::CACHE_LOOKUP,
    caching::CACHE_STORE,
    caching::CACHE_LOOKUP_VALUE,
    caching::CACHE_STORE_VALUE,
    caching::CACHE_REMOVE_VALUE,
    caching::CACHE_VALUE,
    watching::TRACE,
    watching::LOG_TO_EVENTHUB,
    watching::EMIT_METRIC,
    watching::LLM_EMIT_TOKEN_METRIC,
    watching::AZURE_OPENAI_EMIT_TOKEN_METRIC,
    Policy::never("azure-openai-semantic-cache-lookup", SEMANTIC),
    Policy::never("azure-openai-semantic-cache-store", SEMANTIC),
    Policy::never("cosmosdb-data-source", RESOLVERS),
    Policy::never("http-data-source", RESOLVERS),
    Policy::never("llm-semantic-cache-lookup", SEMANTIC),
    Policy::never("llm-semantic-cache-store", SEMANTIC),
    Policy::never("publish-event", RESOLVERS),
    Policy::never("sql-data-source", RESOLVERS),
    Policy::never(
        "validate-graphql-request",
        "it judges requests by a GraphQL schema, and APIs of Weir have none: GraphQL passes through \
         like any other POST",
    ),
    Policy::never(
        "validate-odata-request",
        "it judges requests by the metadata of an OData service, and APIs of Weir have none",
    ),
    Policy::never(
        "xsl-transform",
        "it needs an XSLT processor, and there is none in Rust that is whole and well kept; make the \
         body with a template in Liquid or an expression in `set-body`",
    ),
];

/// The policies of which a section may run one only; in branches of which one is taken, each may
/// have its own.
pub const ONCE: &[&str] =
    &["cache-lookup", "cache-store", "cors", "quota", "rate-limit", "validate-content"];

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
