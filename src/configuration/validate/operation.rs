//! Operations and the responses they are known to give.

use std::sync::Arc;

use http::{HeaderValue, Method};

use super::Validator;
use super::registry::Registry;
use super::word::name_or_id;
use crate::configuration::config::{Operation, OperationResponse, Representation, Written};
use crate::configuration::document;
use crate::configuration::yaml::Placed;
use crate::fault::nearest;
use crate::route::template::Template;

/// The methods that HTTP itself names, for spelling.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
/// The longest method, in bytes.
const METHOD_BYTES_MAX: usize = 32;
/// The one operation of a WebSocket API.
const HANDSHAKE: &str = "onHandshake";
/// The most responses of an operation, and representations of a response.
pub(super) const RESPONSES_MAX: usize = 100;

impl Validator<'_> {
    pub(super) fn operations(&mut self, written: &[document::Operation]) -> Vec<Operation> {
        let mut registry = Registry::new("operation");
        let mut operations = Vec::with_capacity(written.len());
        for (index, operation) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &operation.id, index);
            operations.extend(self.operation(operation));
        }
        operations
    }

    /// The operations of an API of gRPC: its methods, which are all called by POST.
    pub(super) fn calls(&mut self, api: &document::Api) -> Vec<Operation> {
        for operation in &api.operations {
            let method = &operation.method;
            if !method.mark.is_made_up() && method.value != Method::POST.as_str() {
                let message = "gRPC calls all its methods by POST";
                self.fault(method.mark, message, "write `POST`");
            }
        }
        self.operations(&api.operations)
    }

    /// Nothing if the template is wrong: any template in its place could collide with another.
    fn operation(&mut self, operation: &document::Operation) -> Option<Operation> {
        let method = self.method(&operation.method);
        let template = &operation.url_template;
        let url_template = self.template(&template.value, template);
        let policy = self.policy(operation.policy.as_ref());
        let responses = self.responses(&operation.responses);
        let contents = self.contents(operation);
        Some(Operation {
            id: Arc::from(operation.id.value.as_str()),
            name: name_or_id(operation.name.as_ref(), &operation.id),
            method,
            url_template: url_template?,
            policy,
            responses,
            contents: Arc::new(contents),
            spot: self.spot(operation.id.mark),
        })
    }

    /// The one operation of a WebSocket API, which may be written to give it a policy.
    pub(super) fn handshake(&mut self, api: &document::Api) -> Vec<Operation> {
        let (written, others): (Vec<_>, Vec<_>) =
            api.operations.iter().partition(|operation| operation.id.value == HANDSHAKE);
        for other in others {
            let message = format!("a WebSocket API has no operation but `{HANDSHAKE}`");
            self.fault(other.id.mark, message, "remove it, or rename it");
        }
        let [one, rest @ ..] = written.as_slice() else {
            let spot = self.spot(api.id.mark);
            let usual = self.template("/*", &api.id).map(|url_template| Operation {
                id: Arc::from(HANDSHAKE),
                name: Arc::from(HANDSHAKE),
                method: Method::GET,
                url_template,
                policy: None,
                responses: Vec::new(),
                contents: Arc::default(),
                spot,
            });
            return usual.into_iter().collect();
        };
        for twin in rest {
            let message = format!("there are two operations `{HANDSHAKE}`");
            self.fault(twin.id.mark, message, "remove one of the two");
        }
        let operation = self.operation(one);
        if operation.as_ref().is_some_and(|it| it.method != Method::GET) {
            self.fault(one.method.mark, "a WebSocket handshake is a GET", "write `GET`");
        }
        operation.into_iter().collect()
    }

    fn method(&mut self, method: &Placed<String>) -> Method {
        if method.mark.is_made_up() {
            return Method::GET;
        }
        let text = method.value.as_str();
        let known = nearest(text, METHODS).filter(|_| !METHODS.contains(&text));
        if text == "CONNECT" {
            self.fault(method.mark, "a gateway is no tunnel", "remove the operation");
        } else if text.len() <= METHOD_BYTES_MAX && known.is_none() && is_capital(text) {
            return Method::from_bytes(text.as_bytes()).unwrap_or_default();
        } else {
            let remedy = match known {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("write one of {}", METHODS.join(", ")),
            };
            self.fault(method.mark, format!("`{text}` is no method"), remedy);
        }
        Method::GET
    }

    /// The template `text`, which stands at `at`.
    fn template(&mut self, text: &str, at: &Placed<String>) -> Option<Written<Template>> {
        if at.mark.is_made_up() {
            return None;
        }
        let spot = self.spot(at.mark);
        let parsed = Template::parse(text);
        if let Err(fault) = &parsed {
            self.fault(at.mark, format!("{fault}: `{text}`"), fault.problem.remedy());
        }
        parsed.ok().map(|value| Written { value, spot })
    }

    fn responses(&mut self, written: &[document::OperationResponse]) -> Vec<OperationResponse> {
        let mut responses: Vec<OperationResponse> = Vec::with_capacity(written.len());
        self.few("responses", written.iter().map(|it| it.status_code.mark), RESPONSES_MAX);
        for response in written.iter().take(RESPONSES_MAX) {
            let Placed { value: status, mark } = response.status_code;
            if !mark.is_made_up() && !(200..=599).contains(&status) {
                let message = format!("{status} is no status of a final response");
                self.fault(mark, message, "write a number from 200 to 599");
            } else if responses.iter().any(|other| other.status == status) {
                self.fault(mark, format!("the status {status} is listed twice"), "merge the two");
            }
            let few = response.representations.iter().map(|it| it.content_type.mark);
            self.few("representations", few, RESPONSES_MAX);
            let representations = response.representations.iter().take(RESPONSES_MAX);
            let representations = representations.filter_map(|it| self.representation(it));
            responses
                .push(OperationResponse { status, representations: representations.collect() });
        }
        responses
    }

    fn representation(&mut self, written: &document::Representation) -> Option<Representation> {
        let Placed { value, mark } = &written.content_type;
        if mark.is_made_up() {
            return None;
        }
        let content_type = HeaderValue::from_str(value).ok().filter(|_| value.contains('/'));
        if content_type.is_none() {
            let message = format!("`{value}` is no content type");
            self.fault(*mark, message, "write one such as `application/json`");
        }
        Some(Representation { content_type: content_type?, example: written.text() })
    }
}

fn is_capital(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(plain)
}
