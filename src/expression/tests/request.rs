//! A request for tests.

use std::sync::Arc;

use bytes::Bytes;

use crate::expression::library::web::uri;
use crate::expression::scope::{BodyRead, ContextMember, Scope, Side, UrlSide};
use crate::expression::value::Value;
use crate::expression::value::moment::{DateTime, DateTimeKind, TimeSpan};

/// The ticks of 2024-01-31T10:20:30Z.
const NOW: i64 = 638_422_932_300_000_000;

pub(super) struct Request {
    pub(super) headers: Vec<(String, String)>,
    pub(super) response_headers: Vec<(String, String)>,
    pub(super) variables: Vec<(String, Value)>,
    pub(super) body: Option<Bytes>,
    pub(super) response_body: Option<Bytes>,
    pub(super) has_response: bool,
    pub(super) has_product: bool,
    pub(super) traced: Vec<String>,
    pub(super) random: u64,
    pub(super) service_url: Option<&'static str>,
}

impl Default for Request {
    fn default() -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            headers: vec![
                header("Host", "api.contoso.com"),
                header("Accept", "text/plain"),
                header("Accept", "text/html"),
                header("X-Number", "42"),
                header("Authorization", "Basic YWxpY2U6c2VjcmV0"),
            ],
            response_headers: vec![header("Retry-After", "7")],
            variables: vec![
                ("text".to_owned(), Value::text("hello")),
                ("number".to_owned(), Value::Int(5)),
                ("flag".to_owned(), Value::Bool(true)),
                ("nothing".to_owned(), Value::Null),
                ("long".to_owned(), Value::Long(6_000_000_000)),
            ],
            body: Some(Bytes::from_static(br#"{"name":"Ada","list":[1,2,3],"none":null}"#)),
            response_body: Some(Bytes::from_static(br#"{"usage":{"total_tokens":12}}"#)),
            has_response: true,
            has_product: false,
            traced: Vec::new(),
            random: 7,
            service_url: None,
        }
    }
}

impl Scope for Request {
    fn member(&mut self, member: ContextMember) -> Value {
        use ContextMember as Part;
        let object = |is_there: bool| if is_there { Value::Bool(true) } else { Value::Null };
        match member {
            Part::Api | Part::Operation | Part::Subscription => object(true),
            Part::Product => object(self.has_product),
            Part::Response => object(self.has_response),
            Part::RequestBody => object(self.body.is_some()),
            Part::ResponseBody => object(self.response_body.is_some()),
            Part::RequestId => Value::Guid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            Part::Timestamp => Value::DateTime(DateTime { ticks: NOW, kind: DateTimeKind::Utc }),
            Part::Elapsed => Value::TimeSpan(TimeSpan(15_000_000)),
            Part::Tracing => Value::Bool(false),
            Part::ApiId => Value::text("api-1"),
            Part::ApiName => Value::text("Orders"),
            Part::ApiServiceUrl => Value::from(self.service_url.and_then(|url| uri::new(url).ok())),
            Part::ApiIsCurrentRevision => Value::Bool(true),
            Part::OperationName => Value::text("Get order"),
            Part::ProductId => Value::text("starter"),
            Part::SubscriptionId => Value::text("sub-1"),
            Part::SubscriptionKey => Value::text("key"),
            Part::DeploymentRegion => Value::text("West Europe"),
            Part::GatewayId => Value::text("gw"),
            Part::RequestMethod => Value::text("GET"),
            Part::RequestIpAddress => Value::text("10.0.0.1"),
            Part::UrlScheme | Part::OriginalUrlScheme => Value::text("https"),
            Part::UrlHost => Value::text("backend"),
            Part::OriginalUrlHost => Value::text("api.contoso.com"),
            Part::UrlPort | Part::OriginalUrlPort => Value::Int(443),
            Part::UrlPath => Value::text("/orders/7"),
            Part::OriginalUrlPath => Value::text("/v1/orders/7"),
            Part::UrlQueryString | Part::OriginalUrlQueryString => Value::text("?q=a&q=b&x=1"),
            Part::ResponseStatusCode => Value::Int(429),
            Part::ResponseStatusReason => Value::text("Too Many Requests"),
            _ => Value::Null,
        }
    }

    fn header_values(&self, side: Side, name: &str, each: &mut dyn FnMut(&str)) {
        self.headers(side, &mut |known, value| {
            if known.eq_ignore_ascii_case(name) {
                each(value);
            }
        });
    }

    fn headers(&self, side: Side, each: &mut dyn FnMut(&str, &str)) {
        let lines = if side == Side::Request { &self.headers } else { &self.response_headers };
        for (name, value) in lines {
            each(name, value);
        }
    }

    fn query_values(&self, url: UrlSide, name: &str, each: &mut dyn FnMut(&str)) {
        self.query(url, &mut |known, value| {
            if known == name {
                each(value);
            }
        });
    }

    fn query(&self, _url: UrlSide, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in [("q", "a"), ("q", "b"), ("x", "1")] {
            each(name, value);
        }
    }

    fn matched_parameter(&self, name: &str) -> Option<Arc<str>> {
        (name == "id").then(|| Arc::from("7"))
    }

    fn matched_parameters(&self, each: &mut dyn FnMut(&str, &str)) {
        each("id", "7");
    }

    fn variable(&self, name: &str) -> Option<Value> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn variable_names(&self, each: &mut dyn FnMut(&str)) {
        for (name, _) in &self.variables {
            each(name);
        }
    }

    fn body(&mut self, side: Side, preserve: bool) -> BodyRead {
        let body = if side == Side::Request { &mut self.body } else { &mut self.response_body };
        let Some(content) = body else { return BodyRead::Absent };
        if preserve {
            return BodyRead::Bytes(content.clone());
        }
        BodyRead::Bytes(std::mem::take(content))
    }

    fn trace(&mut self, message: &str) {
        self.traced.push(message.to_owned());
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn vouches(
        &self,
        _certificate: &crate::certificate::Certificate,
        asks_revocation: bool,
    ) -> bool {
        !asks_revocation
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random
    }
}
