//! `jsonp`: JSON as a call of a function, for pages that load it as a script.
//!
//! The body is wrapped if it is JSON by its `Content-Type` and the client's query names a function:
//! `cb({"a":1});`, as `application/javascript`. A name may lead through objects, as in `app.take`. A
//! name that is no identifier is refused with 400: it would be a script of the caller's choice.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::Body;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, coding, convert};
use crate::problem::Problem;
use crate::route::url;

/// `jsonp`.
#[derive(Clone, Debug)]
pub struct Jsonp {
    parameter: Arc<str>,
}

/// The longest name of a function, in bytes.
const CALLBACK_BYTES_MAX: usize = 128;

pub(in crate::policy) fn jsonp(builder: &mut Builder<'_>, element: &Element) {
    if let Some(parameter) = builder.literal(element, "callback-parameter-name") {
        let needs = Needs { response_body: true, ..Needs::default() };
        builder.push_with(element, Action::Jsonp(Jsonp { parameter }), needs);
    }
}

impl Jsonp {
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Some(callback) = url::values(&exchange.original.query, &self.parameter).next() else {
            return Ok(Flow::Next);
        };
        if !is_function(&callback) {
            return Err(self.refused());
        }
        let Some(response) = &mut exchange.response else {
            return Ok(Flow::Next);
        };
        let is_json = response.headers.text(&CONTENT_TYPE).is_some_and(convert::is_json);
        let (true, Some(json)) = (is_json, response.body.bytes()) else {
            return Ok(Flow::Next);
        };
        let wrapped = [callback.as_bytes(), b"(", json, b");"].concat();
        response.body = Body::Bytes(Bytes::from(wrapped));
        coding::forget_body(&mut response.headers);
        let kind = HeaderValue::from_static("application/javascript");
        response.headers.set(&CONTENT_TYPE, kind);
        Ok(Flow::Next)
    }

    fn refused(&self) -> Failure {
        let message = format!(
            "Value of callback parameter {} is not a valid JavaScript identifier.",
            self.parameter
        );
        let (status, reason) = (StatusCode::BAD_REQUEST, "callback_parameter_invalid");
        let problem = Problem::refused(status, reason, message.clone());
        Failure { source: None, reason: "CallbackParameterInvalid", message, problem }
    }
}

/// Whether `name` is an identifier, or several with dots between them.
fn is_function(name: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || "_$".contains(first))
            && part.chars().all(|next| next.is_ascii_alphanumeric() || "_$".contains(next))
    };
    name.len() <= CALLBACK_BYTES_MAX && name.split('.').all(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_functions_are_called() {
        for good in ["cb", "_", "$", "app.take", "jQuery123_456"] {
            assert!(is_function(good), "{good}");
        }
        for bad in ["", ".", "a.", "1a", "alert(1)", "a-b", "a b", "a[0]", "é", "<script>"] {
            assert!(!is_function(bad), "{bad}");
        }
        assert!(is_function(&"a".repeat(CALLBACK_BYTES_MAX)));
        assert!(!is_function(&"a".repeat(CALLBACK_BYTES_MAX + 1)));
    }
}
