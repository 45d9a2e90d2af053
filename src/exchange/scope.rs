//! What `context` means for an exchange: the boundary that expressions read through.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each group of members leaves the others to the next"
)]

use std::sync::Arc;

use http::HeaderMap;

use crate::backend::Scheme;
use crate::certificate::Certificate;
use crate::certificate::known::Certificates;
use crate::exchange::facts::{Subscription, User};
use crate::exchange::message::{Body, titled};
use crate::exchange::{Exchange, Severity, Trace};
use crate::expression::library::web::uri;
use crate::expression::scope::{BodyRead, ContextMember, Scope, Side, UrlSide};
use crate::expression::value::Value;
use crate::expression::value::collection::Record;
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::moment::{DateTime, TimeSpan};
use crate::route::url;
use crate::time::Timestamp;

impl Scope for Exchange {
    fn member(&mut self, member: ContextMember) -> Value {
        use ContextMember as M;
        match member {
            M::RequestId => Value::Guid(self.id),
            M::Timestamp => date(self.started),
            M::Elapsed => {
                let micros = self.now.since(self.started).as_micros();
                let ticks = i64::try_from(micros.saturating_mul(10)).unwrap_or(i64::MAX);
                Value::TimeSpan(TimeSpan(ticks))
            }
            M::Tracing | M::GatewayIsManaged => Value::Bool(false),
            M::RequestMethod => Value::text(self.request.method.as_str()),
            M::RequestIpAddress => optional(self.client.map(|address| address.to_string())),
            M::RequestBody => presence(!matches!(self.request.body, Body::None)),
            M::RequestCertificate => Value::from(self.certificate.clone()),
            M::RequestPrivateEndpoint
            | M::PrivateEndpointName
            | M::PrivateEndpointGroupId
            | M::PrivateEndpointMemberName
            | M::Workspace
            | M::WorkspaceId
            | M::WorkspaceName => Value::Null,
            M::DeploymentCertificates => certificates(&self.deployment.certificates),
            _ => self
                .url_member(member)
                .or_else(|| self.api_member(member))
                .or_else(|| self.product_member(member))
                .or_else(|| self.subscriber_member(member))
                .or_else(|| self.outcome_member(member))
                .unwrap_or_default(),
        }
    }

    fn header_values(&self, side: Side, name: &str, each: &mut dyn FnMut(&str)) {
        let Some(headers) = self.headers_of(side) else {
            return;
        };
        for value in headers.get_all(name) {
            each(&String::from_utf8_lossy(value.as_bytes()));
        }
    }

    fn headers(&self, side: Side, each: &mut dyn FnMut(&str, &str)) {
        let Some(headers) = self.headers_of(side) else {
            return;
        };
        for (name, value) in headers {
            each(&titled(name), &String::from_utf8_lossy(value.as_bytes()));
        }
    }

    fn query_values(&self, url: UrlSide, name: &str, each: &mut dyn FnMut(&str)) {
        for value in url::values(self.query_of(url), name) {
            each(&value);
        }
    }

    fn query(&self, url: UrlSide, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in url::parameters(self.query_of(url)) {
            each(&name, &value);
        }
    }

    fn matched_parameter(&self, name: &str) -> Option<Arc<str>> {
        self.parameters.get(name).map(Arc::from)
    }

    fn matched_parameters(&self, each: &mut dyn FnMut(&str, &str)) {
        for parameter in self.parameters.iter() {
            each(parameter.name, parameter.value);
        }
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self, each: &mut dyn FnMut(&str)) {
        for (name, _value) in self.variables.iter() {
            each(name);
        }
    }

    fn body(&mut self, side: Side, preserve: bool) -> BodyRead {
        let body = match side {
            Side::Request => Some(&mut self.request.body),
            Side::Response => self.response.as_mut().map(|response| &mut response.body),
        };
        match body {
            None | Some(Body::None) => match side {
                Side::Request => BodyRead::Absent,
                // A response without a body has an empty one, as in API Management.
                Side::Response => BodyRead::Bytes(bytes::Bytes::new()),
            },
            Some(Body::Consumed | Body::Gone) => BodyRead::Bytes(bytes::Bytes::new()),
            Some(Body::Waiting) => BodyRead::Refused(Arc::from("The body has not arrived.")),
            Some(slot @ Body::Bytes(_)) => {
                let bytes = slot.bytes().cloned().unwrap_or_default();
                if !preserve {
                    *slot = Body::Consumed;
                }
                BodyRead::Bytes(bytes)
            }
        }
    }

    fn trace(&mut self, message: &str) {
        let trace = Trace {
            at: self.now,
            source: Arc::from("expression"),
            severity: Severity::Verbose,
            message: Arc::from(message),
            metadata: Vec::new(),
        };
        Self::trace(self, trace);
    }

    fn now(&self) -> i64 {
        DateTime::from_unix_micros(self.now.micros()).ticks
    }

    fn vouches(&self, certificate: &Certificate, asks_revocation: bool) -> bool {
        let is_of_now = certificate.not_before() <= self.now && self.now <= certificate.not_after();
        let trust = &self.deployment.trust;
        is_of_now && trust.judge(certificate, self.now, asks_revocation).is_ok()
    }

    fn random(&mut self) -> u64 {
        self.next_random()
    }
}

impl Exchange {
    fn headers_of(&self, side: Side) -> Option<&HeaderMap> {
        match side {
            Side::Request => Some(self.request.headers.map()),
            Side::Response => self.response.as_ref().map(|response| response.headers.map()),
        }
    }

    fn query_of(&self, url: UrlSide) -> &str {
        match url {
            UrlSide::Backend => &self.request.query,
            UrlSide::Original => &self.original.query,
        }
    }

    fn url_member(&self, member: ContextMember) -> Option<Value> {
        use ContextMember as M;
        let (request, original) = (&self.request, &self.original);
        Some(match member {
            M::UrlScheme => scheme(request.base.scheme),
            M::UrlHost => Value::text(&request.base.host),
            M::UrlPort => Value::Int(i32::from(request.base.port)),
            M::UrlPath => Value::text(request.path()),
            M::UrlQueryString => query_string(&request.query),
            M::OriginalUrlScheme => scheme(original.scheme),
            M::OriginalUrlHost => Value::text(&original.host),
            M::OriginalUrlPort => Value::Int(i32::from(original.port)),
            M::OriginalUrlPath => Value::text(&original.path),
            M::OriginalUrlQueryString => query_string(&original.query),
            _ => return None,
        })
    }

    fn api_member(&self, member: ContextMember) -> Option<Value> {
        use ContextMember as M;
        let (api, operation) = (self.api.as_ref(), self.operation.as_ref());
        let deployment = &self.deployment;
        Some(match member {
            M::Api => presence(api.is_some()),
            M::ApiId => shared(api.map(|api| &api.id)),
            M::ApiName => shared(api.map(|api| &api.name)),
            M::ApiPath => shared(api.map(|api| &api.path)),
            M::ApiRevision => shared(api.map(|api| &api.revision)),
            M::ApiVersion => shared(api.and_then(|api| api.version.as_ref())),
            M::ApiIsCurrentRevision => Value::Bool(api.is_some_and(|api| api.is_current_revision)),
            M::ApiServiceUrl => api.map_or(Value::Null, |api| service_url(&api.service_url)),
            M::ApiProtocols => Value::array(api.map_or_else(Vec::new, |api| {
                api.protocols.iter().map(|name| Value::String(Arc::clone(name))).collect()
            })),
            M::ApiKeyHeader => shared(api.map(|api| &api.key_header)),
            M::ApiKeyQuery => shared(api.map(|api| &api.key_query)),
            M::Operation => presence(operation.is_some()),
            M::OperationId => shared(operation.map(|operation| &operation.id)),
            M::OperationName => shared(operation.map(|operation| &operation.name)),
            M::OperationMethod => shared(operation.map(|operation| &operation.method)),
            M::OperationUrlTemplate => shared(operation.map(|operation| &operation.url_template)),
            M::DeploymentRegion => shared(Some(&deployment.region)),
            M::DeploymentServiceName => shared(Some(&deployment.service_name)),
            M::DeploymentServiceId => shared(Some(&deployment.service_id)),
            M::DeploymentGatewayId | M::GatewayId => shared(Some(&deployment.gateway_id)),
            M::GatewayInstanceId => shared(Some(&deployment.instance_id)),
            _ => return None,
        })
    }

    fn product_member(&self, member: ContextMember) -> Option<Value> {
        use ContextMember as M;
        let product = self.product.as_ref();
        Some(match member {
            M::Product => presence(product.is_some()),
            M::ProductId => shared(product.map(|product| &product.id)),
            M::ProductName => shared(product.map(|product| &product.name)),
            M::ProductState => shared(product.map(|product| &product.state)),
            M::ProductApprovalRequired => {
                Value::Bool(product.is_some_and(|product| product.approval_required))
            }
            M::ProductSubscriptionRequired => {
                Value::Bool(product.is_some_and(|product| product.subscription_required))
            }
            M::ProductSubscriptionLimit => product
                .and_then(|product| product.subscription_limit)
                .and_then(|limit| i32::try_from(limit).ok())
                .map_or(Value::Null, Value::Int),
            M::ProductApis => pairs(product.map(|product| product.apis.as_slice()), "Name"),
            M::ProductGroups => pairs(product.map(|product| product.groups.as_slice()), "Name"),
            _ => return None,
        })
    }

    fn subscriber_member(&self, member: ContextMember) -> Option<Value> {
        if member == ContextMember::SubscriptionKey {
            return Some(shared(self.key.as_ref()));
        }
        let subscription = self.subscription.as_deref();
        let user = self.user.as_deref();
        subscription_member(subscription, member).or_else(|| user_member(user, member))
    }

    fn outcome_member(&self, member: ContextMember) -> Option<Value> {
        use ContextMember as M;
        let (response, error) = (self.response.as_ref(), self.last_error.as_ref());
        let backend = self.backend.as_ref();
        Some(match member {
            M::Backend => presence(backend.is_some()),
            M::BackendId => shared(backend.map(|backend| &backend.id)),
            M::BackendType => backend.map_or(Value::Null, |backend| {
                Value::text(if backend.pool.is_some() { "Pool" } else { "Single" })
            }),
            // As in API Management there is always one: before there is another, a bare 200, which
            // is also what goes out where nothing is ever forwarded. Its body may be empty.
            M::Response | M::ResponseBody => presence(true),
            M::ResponseStatusCode => {
                Value::Int(response.map_or(200, |response| i32::from(response.status.as_u16())))
            }
            M::ResponseStatusReason => response.map_or(Value::text("OK"), |response| {
                let usual = response.status.canonical_reason().unwrap_or_default();
                Value::text(response.phrase.as_deref().unwrap_or(usual))
            }),
            M::LastError => presence(error.is_some()),
            M::LastErrorSource => optional(error.map(|error| error.source)),
            M::LastErrorReason => optional(error.map(|error| error.reason)),
            M::LastErrorMessage => optional(error.map(|error| &error.message)),
            M::LastErrorScope => optional(error.map(|error| error.scope)),
            M::LastErrorSection => optional(error.map(|error| error.section)),
            M::LastErrorPath => shared(error.map(|error| &error.path)),
            M::LastErrorPolicyId => shared(error.and_then(|error| error.policy_id.as_ref())),
            M::LastErrorHttpErrorCode => error
                .and(response)
                .map_or(Value::Null, |response| Value::Int(i32::from(response.status.as_u16()))),
            _ => return None,
        })
    }
}

fn subscription_member(known: Option<&Subscription>, member: ContextMember) -> Option<Value> {
    use ContextMember as M;
    Some(match member {
        M::Subscription => presence(known.is_some()),
        M::SubscriptionId => shared(known.map(|known| &known.id)),
        M::SubscriptionName => shared(known.map(|known| &known.name)),
        M::SubscriptionPrimaryKey => shared(known.map(|known| &known.primary_key)),
        M::SubscriptionSecondaryKey => shared(known.map(|known| &known.secondary_key)),
        M::SubscriptionCreatedDate => dates(known.and_then(|known| known.created)),
        M::SubscriptionStartDate => dates(known.and_then(|known| known.start)),
        M::SubscriptionEndDate => dates(known.and_then(|known| known.end)),
        _ => return None,
    })
}

fn user_member(user: Option<&User>, member: ContextMember) -> Option<Value> {
    use ContextMember as M;
    Some(match member {
        M::User => presence(user.is_some()),
        M::UserId => shared(user.map(|user| &user.id)),
        M::UserEmail => shared(user.map(|user| &user.email)),
        M::UserFirstName => shared(user.map(|user| &user.first_name)),
        M::UserLastName => shared(user.map(|user| &user.last_name)),
        M::UserNote => shared(user.map(|user| &user.note)),
        M::UserRegistrationDate => dates(user.and_then(|user| user.registered)),
        M::UserGroups => pairs(user.map(|user| user.groups.as_slice()), "Name"),
        M::UserIdentities => pairs(user.map(|user| user.identities.as_slice()), "Provider"),
        _ => return None,
    })
}

/// The certificates of the configuration by their ids: a dictionary of this evaluation's own.
fn certificates(known: &Certificates) -> Value {
    let map = Map::new(true);
    for named in known.all() {
        let key = Value::String(Arc::clone(&named.id));
        // There are few: the dictionary takes all.
        let _ = map.set(key, Value::from(Arc::clone(&named.certificate)));
    }
    Value::from(map)
}

/// Of an object only matters whether it is null.
const fn presence(present: bool) -> Value {
    if present { Value::Bool(true) } else { Value::Null }
}

fn shared(text: Option<&Arc<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::String(Arc::clone(text)))
}

fn optional(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null, Value::text)
}

fn scheme(scheme: Scheme) -> Value {
    Value::text(scheme.as_str())
}

fn query_string(query: &str) -> Value {
    if query.is_empty() { Value::text("") } else { Value::text(format!("?{query}")) }
}

fn date(at: Timestamp) -> Value {
    Value::DateTime(DateTime::from_unix_micros(at.micros()))
}

fn dates(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, date)
}

fn service_url(text: &str) -> Value {
    uri::new(text).map_or_else(|_not_a_url| Value::text(text), |uri| Value::Uri(Arc::new(uri)))
}

/// Ids and what comes with them, as records with `Id` and `second`.
fn pairs(pairs: Option<&[(Arc<str>, Arc<str>)]>, second: &str) -> Value {
    let record = |(id, other): &(Arc<str>, Arc<str>)| {
        let fields = vec![
            (Arc::from("Id"), Value::String(Arc::clone(id))),
            (Arc::from(second), Value::String(Arc::clone(other))),
        ];
        Value::Record(Arc::new(Record::anonymous(fields)))
    };
    Value::array(pairs.unwrap_or_default().iter().map(record).collect())
}
