//! The same request as each of the three sees it.

use std::sync::Arc;

use cel::extractors::This;
use rhai::{Dynamic, Engine, Map};
use weir::certificate::Certificate;
use weir::expression::scope::{BodyRead, ContextMember, Scope, Side, UrlSide};
use weir::expression::value::Value;
use weir::expression::{Expected, compile};

const TEXT: &str = "hello";
const DIGITS: &str = "12345";
const PATH: &str = "/v1/orders/7";
const ACCEPT: &str = "application/json";

/// Weir's side. The strings of `context` are ready, as the gateway has them.
pub struct Request {
    variables: Vec<(&'static str, Value)>,
    method: Value,
    source: Value,
    subscription: Value,
}

impl Request {
    pub fn new() -> Self {
        let json = compile(
            "@(new JObject(new JProperty(\"name\", \"Ada\"), new JProperty(\"list\", new JArray(1, 2, 3))))",
            Expected::Any,
        )
        .expect("an object");
        let mut this = Self {
            variables: vec![
                ("text", Value::text(TEXT)),
                ("number", Value::Int(5)),
                ("flag", Value::Bool(true)),
                ("digits", Value::text(DIGITS)),
                ("path", Value::text(PATH)),
            ],
            method: Value::text("GET"),
            source: Value::text("rate-limit"),
            subscription: Value::text("sub-1"),
        };
        let json = json.evaluate(&mut this).expect("an object");
        this.variables.push(("json", json));
        this
    }
}

impl Scope for Request {
    fn member(&mut self, member: ContextMember) -> Value {
        match member {
            ContextMember::RequestMethod => self.method.clone(),
            ContextMember::LastErrorSource => self.source.clone(),
            ContextMember::SubscriptionId => self.subscription.clone(),
            ContextMember::LastError | ContextMember::Subscription => Value::Bool(true),
            _ => Value::Null,
        }
    }
    fn header_values(&self, _side: Side, name: &str, each: &mut dyn FnMut(&str)) {
        if name.eq_ignore_ascii_case("accept") {
            each(ACCEPT);
        }
    }
    fn headers(&self, _side: Side, each: &mut dyn FnMut(&str, &str)) {
        each("Accept", ACCEPT);
    }
    fn query_values(&self, _url: UrlSide, _name: &str, _each: &mut dyn FnMut(&str)) {}
    fn query(&self, _url: UrlSide, _each: &mut dyn FnMut(&str, &str)) {}
    fn matched_parameter(&self, _name: &str) -> Option<Arc<str>> {
        None
    }
    fn matched_parameters(&self, _each: &mut dyn FnMut(&str, &str)) {}
    fn variable(&self, name: &str) -> Option<Value> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
    fn variable_names(&self, each: &mut dyn FnMut(&str)) {
        self.variables.iter().for_each(|(name, _)| each(name));
    }
    fn body(&mut self, _side: Side, _preserve: bool) -> BodyRead {
        BodyRead::Absent
    }
    fn trace(&mut self, _message: &str) {}
    fn now(&self) -> i64 {
        638_422_932_300_000_000
    }
    fn vouches(&self, _certificate: &Certificate, _looks_for_revocation: bool) -> bool {
        false
    }
    fn random(&mut self) -> u64 {
        7
    }
}

/// What `cel` sees.
pub fn cel() -> cel::Context<'static> {
    let mut context = cel::Context::default();
    let map = |entries: Vec<(&str, cel::Value)>| {
        let entries: std::collections::HashMap<String, cel::Value> =
            entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        cel::Value::from(entries)
    };
    let list = vec![cel::Value::Int(1), cel::Value::Int(2), cel::Value::Int(3)];
    let json = map(vec![("name", "Ada".into()), ("list", list.into())]);
    let variables = map(vec![
        ("text", TEXT.into()),
        ("number", cel::Value::Int(5)),
        ("flag", cel::Value::Bool(true)),
        ("digits", DIGITS.into()),
        ("path", PATH.into()),
        ("json", json),
    ]);
    context.add_variable_from_value("variables", variables);
    context.add_variable_from_value("request", map(vec![("method", "GET".into())]));
    context.add_variable_from_value("last_error", map(vec![("source", "rate-limit".into())]));
    context.add_variable_from_value("subscription", map(vec![("id", "sub-1".into())]));
    context.add_variable_from_value("headers", map(vec![("Accept", ACCEPT.into())]));
    context.add_function("split", |This(this): This<Arc<String>>, by: Arc<String>| {
        cel::ResolveResult::Ok(this.split(by.as_str()).collect::<Vec<&str>>().into())
    });
    context
}

pub fn rhai_engine() -> Engine {
    Engine::new()
}

/// What `rhai` sees.
pub fn rhai_scope() -> rhai::Scope<'static> {
    let map = |entries: Vec<(&str, Dynamic)>| {
        entries.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map>()
    };
    let list: rhai::Array = vec![Dynamic::from(1_i64), Dynamic::from(2_i64), Dynamic::from(3_i64)];
    let json = map(vec![("name", "Ada".into()), ("list", list.into())]);
    let variables = map(vec![
        ("text", TEXT.into()),
        ("number", Dynamic::from(5_i64)),
        ("flag", Dynamic::from(true)),
        ("digits", DIGITS.into()),
        ("path", PATH.into()),
        ("json", json.into()),
    ]);
    let mut scope = rhai::Scope::new();
    scope.push_constant("variables", variables);
    scope.push_constant("request", map(vec![("method", "GET".into())]));
    scope.push_constant("last_error", map(vec![("source", "rate-limit".into())]));
    scope.push_constant("subscription", map(vec![("id", "sub-1".into())]));
    scope.push_constant("headers", map(vec![("Accept", ACCEPT.into())]));
    scope
}
