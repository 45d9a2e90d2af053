//! Policies that answer instead of a backend: `return-response`, `mock-response`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::facts::Sample;
use crate::exchange::message::{Body, Headers, Response};
use crate::expression::value::Value;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::program::Action;
use crate::policy::transform::header::{SetHeader, read_header};
use crate::policy::transform::{SetBody, SetStatus, read_body, read_status};
use crate::policy::{Failure, Side};

/// `return-response`.
#[derive(Clone, Debug)]
pub struct ReturnResponse {
    variable: Option<Arc<str>>,
    status: Option<SetStatus>,
    headers: Vec<SetHeader>,
    body: Option<SetBody>,
}

/// `mock-response`.
#[derive(Clone, Debug)]
pub struct MockResponse {
    status: StatusCode,
    content_type: Option<Arc<str>>,
    /// Which of the examples that fit, from 0.
    index: usize,
}

pub(super) fn return_response(builder: &mut Builder<'_>, element: &Element) {
    let mut policy = ReturnResponse {
        variable: builder.literal(element, "response-variable-name"),
        status: None,
        headers: Vec::new(),
        body: None,
    };
    for child in element.elements() {
        match child.name.as_ref() {
            "set-status" => policy.status = read_status(builder, child),
            "set-header" => policy.headers.extend(read_header(builder, child, Side::Response)),
            "set-body" => policy.body = read_body(builder, child, Side::Response, None),
            // The catalogue reports the others.
            _ => (),
        }
    }
    builder.push(element, Action::ReturnResponse(Box::new(policy)));
}

pub(super) fn mock_response(builder: &mut Builder<'_>, element: &Element) {
    let status = builder.literal(element, "status-code").unwrap_or(StatusCode::OK);
    let content_type = builder.literal(element, "content-type");
    let number = builder.literal::<u64>(element, "index").unwrap_or(1);
    if number == 0 {
        builder.fault(element, "`index` is 0", "count examples from 1");
    }
    let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let policy = MockResponse { status, content_type, index };
    builder.push(element, Action::MockResponse(policy));
}

impl ReturnResponse {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let mut response = match &self.variable {
            Some(name) => from_variable(name, exchange)?,
            None => blank(StatusCode::OK),
        };
        // The parts read the response whose place this one takes, so it comes last.
        if let Some(status) = &self.status {
            (response.status, response.phrase) = status.evaluate(exchange)?;
        }
        for header in &self.headers {
            header.evaluate(exchange)?.apply(&mut response.headers);
        }
        if let Some(body) = &self.body {
            response.body = body.evaluate(exchange)?;
        }
        exchange.response = Some(response);
        Ok(Flow::Finish)
    }
}

impl MockResponse {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Flow {
        let mut response = blank(self.status);
        let operation = exchange.operation.clone();
        let samples = operation.as_ref().map_or(&[][..], |operation| &operation.samples);
        let fits = |sample: &&Sample| {
            sample.status == self.status
                && self.content_type.as_deref().is_none_or(|wanted| wanted == &*sample.content_type)
        };
        match samples.iter().filter(fits).nth(self.index) {
            Some(sample) => {
                set_type(&mut response, &sample.content_type);
                response.body = Body::Bytes(Bytes::copy_from_slice(sample.body.as_bytes()));
            }
            None => {
                if let Some(content_type) = &self.content_type {
                    set_type(&mut response, content_type);
                }
            }
        }
        exchange.response = Some(response);
        Flow::Finish
    }
}

fn blank(status: StatusCode) -> Response {
    Response { status, phrase: None, headers: Headers::own(HeaderMap::new()), body: Body::None }
}

fn set_type(response: &mut Response, content_type: &str) {
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers.set(&CONTENT_TYPE, value);
    }
}

/// The response that a variable holds, without the fields that belonged to its connection.
fn from_variable(name: &str, exchange: &Exchange) -> Result<Response, Failure> {
    let missing = || Failure::value(format!("the variable `{name}` holds no response"));
    let Some(Value::Response(held)) = exchange.variables.get(name) else {
        return Err(missing());
    };
    let status = StatusCode::from_u16(held.status).map_err(|_refused| missing())?;
    let mut response = blank(status);
    for (name, value) in held.header_lines() {
        let name = name.parse::<HeaderName>();
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers.append(&name, value);
        }
    }
    if let Some(body) = held.body.as_ref().filter(|body| !body.0.is_empty()) {
        response.body = Body::Bytes(body.0.clone());
    }
    Ok(response)
}
