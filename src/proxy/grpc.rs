//! Answers that clients of gRPC understand: whatever is not one becomes a head with `grpc-status`, and
//! a call that its backend does not end is ended.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use serde_json::Value;

use crate::caller::{Call, CallError};
use crate::exchange::Exchange;
use crate::exchange::message::Response;
use crate::grpc::{self, CONTENT, Code, MESSAGE, STATUS};
use crate::problem::Problem;
use crate::proxy::reply::is_hop_by_hop;

/// The largest body that is looked into for a message, in bytes.
const LOOKED_INTO_MAX: usize = 16 << 10;
/// Fields that say something of a body that is not sent.
const OF_BODIES: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, STATUS];

/// Whether the client calls by gRPC, so that it understands nothing else: over HTTP/2.
pub fn is_call(session: &Session) -> bool {
    let head = session.req_header();
    head.version == Version::HTTP_2 && grpc::is_call(&head.headers)
}

/// What a client of gRPC is told.
pub struct Told {
    /// What became of its call.
    pub code: Code,
    /// In words.
    message: String,
    /// What else it is told.
    fields: HeaderMap,
}

impl Told {
    /// What a refusal comes to.
    pub fn refusal(problem: &Problem) -> Self {
        let code = Code::of_refusal(problem.status, Some(problem.reason));
        Self { code, message: problem.message.to_string(), fields: problem.headers.clone() }
    }

    /// What the response of an exchange comes to: `call` is the backend's, `is_own` says whether it is
    /// the gateway that answers. `None` if that is an answer of gRPC already.
    pub fn of(exchange: &Exchange, call: Option<&Call>, is_own: bool) -> Option<Self> {
        match (exchange.response.as_ref(), call) {
            (Some(response), _) if is_own => Self::of_response(exchange, response, call),
            (_, Some(call)) => Self::of_call(call),
            _ => None,
        }
    }

    fn of_response(exchange: &Exchange, response: &Response, call: Option<&Call>) -> Option<Self> {
        let fields = response.headers.map();
        let is_answer = grpc::is_call(fields) && response.status == StatusCode::OK;
        let is_coming = call.is_some() && response.body.is_waiting();
        if Code::of(fields).is_some() || (is_answer && is_coming) {
            return None;
        }
        let reason = exchange.refusal;
        let code = if is_answer {
            // A body of policies has nothing behind it that would end the call.
            Code::INTERNAL
        } else {
            Code::of_refusal(response.status, reason)
        };
        let message = match code {
            _ if is_answer => "the answer of the policies has no grpc-status".to_owned(),
            Code::DEADLINE_EXCEEDED if reason == Some("backend_timeout") => {
                "The backend did not answer in time.".to_owned()
            }
            Code::UNAVAILABLE if reason == Some("backend_connection_failed") => {
                "The backend cannot be reached.".to_owned()
            }
            _ => said(response),
        };
        let mut fields: HeaderMap = fields.clone();
        fields.extend(exchange.final_fields.over(response.headers.map()));
        Some(Self { code, message, fields })
    }

    fn of_call(call: &Call) -> Option<Self> {
        let (status, fields) = (call.head.status, &call.head.headers);
        let is_answer = grpc::is_call(fields) && status == StatusCode::OK;
        if Code::of(fields).is_some() || (is_answer && !call.is_done()) {
            return None;
        }
        Some(if is_answer {
            Self { code: Code::INTERNAL, message: UNENDED.to_owned(), fields: HeaderMap::new() }
        } else {
            let message = format!("the backend answered with HTTP status {}", status.as_u16());
            Self { code: Code::of_backend(status), message, fields: HeaderMap::new() }
        })
    }

    /// Sends it: a head, and nothing behind it.
    pub async fn send(self, session: &mut Session) -> pingora::Result<()> {
        let mut head = ResponseHeader::build(StatusCode::OK, Some(8))?;
        for (name, value) in &self.fields {
            if !OF_BODIES.contains(name) && name != MESSAGE && !is_hop_by_hop(name) {
                head.append_header(name.clone(), value.clone())?;
            }
        }
        head.insert_header(CONTENT_TYPE, CONTENT)?;
        head.insert_header(STATUS, self.code.value())?;
        head.insert_header(MESSAGE, grpc::message(&self.message))?;
        session.write_response_header(Box::new(head), true).await
    }
}

/// What is said of a call that ends without a status.
const UNENDED: &str = "the backend ended the call without a grpc-status";

/// What a response says in words.
fn said(response: &Response) -> String {
    let body = response.body.bytes().filter(|body| body.len() <= LOOKED_INTO_MAX);
    let told = body.and_then(|body| {
        let json = serde_json::from_slice::<Value>(body).ok();
        let said = |json: &Value| {
            let text = ["message", "detail"].into_iter().find_map(|name| json.get(name)?.as_str());
            text.map(str::to_owned)
        };
        match json {
            Some(json) => said(&json),
            None => std::str::from_utf8(body).ok().map(|text| text.trim().to_owned()),
        }
    });
    let usual = || response.status.canonical_reason().unwrap_or("refused").to_owned();
    told.filter(|told| !told.is_empty()).unwrap_or_else(usual)
}

/// How a call ends whose body is at its end: with what stood behind it, or, where that is no status,
/// with one of ours. Also the status.
pub fn ended(trailers: Option<HeaderMap>) -> (HeaderMap, Code) {
    let mut trailers = trailers.unwrap_or_default();
    if let Some(code) = Code::of(&trailers) {
        return (trailers, code);
    }
    trailers.insert(STATUS, Code::INTERNAL.value());
    trailers.insert(MESSAGE, HeaderValue::from_static(UNENDED));
    (trailers, Code::INTERNAL)
}

/// How a call ends that broke.
pub fn broken(error: &CallError) -> (HeaderMap, Code) {
    let code = if matches!(error, CallError::Late(_) | CallError::Overdue) {
        Code::DEADLINE_EXCEEDED
    } else if matches!(error, CallError::Invalid(_)) {
        Code::INTERNAL
    } else {
        Code::UNAVAILABLE
    };
    let fields = [(STATUS, code.value()), (MESSAGE, grpc::message(&error.to_string()))];
    (HeaderMap::from_iter(fields), code)
}
