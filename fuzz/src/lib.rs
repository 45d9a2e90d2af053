//! The request that fuzzed expressions run for: it has everything, and it is always the same.

use std::sync::Arc;

use bytes::Bytes;
use weir::certificate::Certificate;
use weir::expression::scope::{BodyRead, ContextMember, Scope, Side, UrlSide};
use weir::expression::value::Value;

const BODY: &[u8] = br#"{"name":"Ada","list":[1,2.5,{"n":null}],"when":"2024-01-31T10:20:30Z"}"#;

/// See above.
#[derive(Debug)]
pub struct Request {
    body: Bytes,
    random: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self { body: Bytes::from_static(BODY), random: 7 }
    }
}

impl Scope for Request {
    fn member(&mut self, member: ContextMember) -> Value {
        match member {
            ContextMember::RequestMethod => Value::text("GET"),
            ContextMember::RequestBody | ContextMember::Response | ContextMember::Api => {
                Value::Bool(true)
            }
            ContextMember::ResponseStatusCode | ContextMember::UrlPort => Value::Int(443),
            ContextMember::UrlScheme => Value::text("https"),
            ContextMember::UrlHost => Value::text("backend"),
            ContextMember::UrlPath => Value::text("/orders/7"),
            ContextMember::UrlQueryString => Value::text("?q=a"),
            _ => Value::Null,
        }
    }
    fn header_values(&self, _side: Side, name: &str, each: &mut dyn FnMut(&str)) {
        if name.eq_ignore_ascii_case("accept") {
            each("text/plain");
            each("text/html");
        }
    }
    fn headers(&self, _side: Side, each: &mut dyn FnMut(&str, &str)) {
        each("Accept", "text/plain");
    }
    fn query_values(&self, _url: UrlSide, _name: &str, each: &mut dyn FnMut(&str)) {
        each("a");
    }
    fn query(&self, _url: UrlSide, each: &mut dyn FnMut(&str, &str)) {
        each("q", "a");
    }
    fn matched_parameter(&self, name: &str) -> Option<Arc<str>> {
        (name == "id").then(|| Arc::from("7"))
    }
    fn matched_parameters(&self, each: &mut dyn FnMut(&str, &str)) {
        each("id", "7");
    }
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "text" => Some(Value::text("hello")),
            "number" => Some(Value::Int(5)),
            "flag" => Some(Value::Bool(true)),
            _ => None,
        }
    }
    fn variable_names(&self, each: &mut dyn FnMut(&str)) {
        ["text", "number", "flag"].into_iter().for_each(each);
    }
    fn body(&mut self, _side: Side, preserve: bool) -> BodyRead {
        if preserve {
            return BodyRead::Bytes(self.body.clone());
        }
        BodyRead::Bytes(std::mem::take(&mut self.body))
    }
    fn trace(&mut self, _message: &str) {}
    fn now(&self) -> i64 {
        638_422_932_300_000_000
    }
    fn vouches(&self, _certificate: &Certificate, _looks_for_revocation: bool) -> bool {
        false
    }
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random
    }
}
