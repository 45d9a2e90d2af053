//! `validate-azure-ad-token`: tokens of Microsoft Entra ID (Azure Active Directory), of both
//! versions.
//!
//! A tenant publishes two documents, one for each version of its tokens; both name the same keys,
//! and issuers of their own. For `common` and `organizations` those have `{tenantid}` in their
//! names, which stands for the `tid` of a token. Tokens for private accounts are of a tenant of
//! their own, which only `common` and that tenant's id take.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;

use super::asked::{Authentic, Document, Documents, Own};
use super::build::{claims, push, refusing, source, texts};
use super::decryption::opening;
use super::{Trusted, ValidateToken, every};
use crate::backend::document::Url;
use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::jwt::Refusal;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds, Term, text_of};

/// Where Entra ID is, unless the policy names that of another cloud.
const ENDPOINT: &str = "https://login.microsoftonline.com";
/// The tenant of private accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// What stands for the id of a tenant in the names of issuers.
const PLACEHOLDER: &str = "{tenantid}";
/// The longest name of a tenant, in bytes: that of a domain.
const TENANT_BYTES_MAX: usize = 253;

/// What `validate-azure-ad-token` has of its own.
#[derive(Clone, Debug)]
pub(super) struct Entra {
    endpoint: Arc<str>,
    tenant: Operand<Tenant>,
    /// The documents, where no request changes the tenant.
    documents: Option<Documents>,
    clients: Vec<Operand<Arc<str>>>,
    backends: Vec<Operand<Arc<str>>>,
    audiences: Vec<Operand<Arc<str>>>,
}

/// A tenant: its id, one of its domains, `common`, `organizations` or `consumers`.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Tenant(Arc<str>);

pub(in crate::policy) fn validate_azure_ad_token(builder: &mut Builder<'_>, element: &Element) {
    let source = source(builder, element, Some(AUTHORIZATION));
    let refusing = refusing(builder, element);
    let variable = builder.literal(element, "output-token-variable-name");
    let tenant = builder.attribute::<Tenant>(element, "tenant-id");
    let clients = texts(builder, element, "client-application-ids", "application-id");
    let backends = texts(builder, element, "backend-application-ids", "application-id");
    let audiences = texts(builder, element, "audiences", "audience");
    let claims = claims(builder, element);
    let opening = opening(builder, element);
    let endpoint = endpoint(builder, element);
    if let (Some(source), Some(refusing), Some(tenant), Some(endpoint)) =
        (source, refusing, tenant, endpoint)
    {
        let known = tenant.constant().and_then(|tenant| tenant.documents(&endpoint));
        let entra = Entra { endpoint, tenant, documents: known, clients, backends, audiences };
        let policy = ValidateToken {
            source,
            refusing,
            expires: Operand::Constant(true),
            is_signed: Operand::Constant(true),
            skew: Operand::Constant(Seconds(Duration::ZERO)),
            variable,
            own: Arc::new(Own::new(Vec::new(), opening.known)),
            computed_keys: Vec::new(),
            computed_opening: opening.computed,
            documents: Trusted::Entra(Box::new(entra)),
            issuers: Vec::new(),
            audiences: Vec::new(),
            claims,
            terms: None,
        };
        push(builder, element, policy);
    }
}

fn endpoint(builder: &mut Builder<'_>, element: &Element) -> Option<Arc<str>> {
    let Some(written) = element.value("weir-endpoint") else { return Some(Arc::from(ENDPOINT)) };
    let text = written.as_str().trim().trim_end_matches('/');
    match Url::parse(text) {
        Ok(_) if !text.contains('?') => Some(Arc::from(text)),
        Ok(_) | Err(_) => {
            let message = "`weir-endpoint` is not the address of an Entra ID";
            let remedy = "write https:// and the host, such as https://login.microsoftonline.us";
            builder.fault(element, message, remedy);
            None
        }
    }
}

impl Entra {
    /// The documents whatever the request is.
    pub(super) fn known(&self) -> &[Document] {
        self.documents.as_deref().unwrap_or_default()
    }

    pub(super) fn documents(&self, exchange: &mut Exchange) -> Result<Documents, Failure> {
        if let Some(documents) = &self.documents {
            return Ok(Arc::clone(documents));
        }
        let tenant = self.tenant.get(exchange)?;
        let documents = tenant.documents(&self.endpoint);
        documents.ok_or_else(|| Failure::value("`tenant-id` is no tenant".to_owned()))
    }

    /// Whether a token is of the tenant, for whom and by whom it may be.
    pub(super) fn judge(
        &self,
        authentic: &Authentic,
        exchange: &mut Exchange,
    ) -> Result<Result<(), Refusal>, Failure> {
        let Tenant(tenant) = self.tenant.get(exchange)?;
        if let Err(refusal) = issued(authentic, &tenant) {
            return Ok(Err(refusal));
        }
        let backends = every(&self.backends, exchange)?;
        let audiences = every(&self.audiences, exchange)?;
        let is_allowed = |audience: &str| {
            let id = audience.strip_prefix("api://").unwrap_or(audience);
            audiences.iter().any(|allowed| &**allowed == audience)
                || backends.iter().any(|allowed| allowed.eq_ignore_ascii_case(id))
        };
        let is_limited = !audiences.is_empty() || !backends.is_empty();
        if is_limited && !authentic.claims.audiences().any(is_allowed) {
            return Ok(Err(Refusal::Audience));
        }
        let clients = every(&self.clients, exchange)?;
        if clients.is_empty() {
            return Ok(Ok(()));
        }
        // Version 2 has `azp`, version 1 `appid`.
        let client = ["azp", "appid"]
            .into_iter()
            .find_map(|name| Some((name, authentic.claims.text(name)?)));
        Ok(match client {
            None => Err(Refusal::ClaimNotFound("appid".to_owned())),
            Some((_, id)) if clients.iter().any(|allowed| allowed.eq_ignore_ascii_case(id)) => {
                Ok(())
            }
            Some((name, _)) => Err(Refusal::ClaimValue(name.to_owned())),
        })
    }
}

/// Whether the token is of an issuer that vouches for it, and of a tenant that `tenant` stands for.
fn issued(authentic: &Authentic, tenant: &str) -> Result<(), Refusal> {
    let issuer = authentic.claims.issuer().ok_or(Refusal::Issuer)?;
    let id = authentic.claims.text("tid");
    let fits = |name: &Arc<str>| match name.split_once(PLACEHOLDER) {
        None => &**name == issuer,
        Some((before, after)) => id.filter(|id| is_id(id)).is_some_and(|id| {
            let rest = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            rest == Some(id)
        }),
    };
    if !authentic.issuers.iter().any(fits) {
        return Err(Refusal::Issuer);
    }
    let is_private = id.is_some_and(|id| id.eq_ignore_ascii_case(CONSUMERS));
    if tenant == "organizations" && is_private { Err(Refusal::Issuer) } else { Ok(()) }
}

/// Whether a text is the id of a tenant: a GUID.
fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Tenant {
    /// The documents of both versions.
    fn documents(&self, endpoint: &str) -> Option<Documents> {
        let Self(tenant) = self;
        let versions = ["/v2.0", ""];
        let documents = versions.map(|version| {
            let text = format!("{endpoint}/{tenant}{version}/.well-known/openid-configuration");
            Url::parse(&text).ok().map(Document::at)
        });
        documents.into_iter().collect::<Option<Vec<_>>>().map(Into::into)
    }
}

impl Term for Tenant {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim().to_ascii_lowercase();
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let edges = is_edge(text.bytes().next()) && is_edge(text.bytes().next_back());
        if edges && text.len() <= TENANT_BYTES_MAX && text.bytes().all(is_part) {
            Ok(Self(Arc::from(text)))
        } else {
            Err("the id or a domain of a tenant, `organizations` or `common`")
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
