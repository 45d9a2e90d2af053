//! Policies that turn a body into another form: `xml-to-json`, `json-to-xml`.
//!
//! Both convert the body of the message of their section if there is one. With
//! `consider-accept-header`, which is the default, that depends on the client's `Accept`: it has to
//! name a type of the wanted form, and `*/*` does not. What cannot be converted is the fault of
//! whoever sent it: 400 for a request, 500 for a response, with the reason `ConversionFailed`.

mod to_json;
mod to_xml;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::Body;
use crate::expression::value::STRING_BYTES_MAX;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::{Action, Needs};
use crate::policy::{Failure, Side, coding};
use crate::problem::Problem;

pub use to_json::XmlToJson;
pub use to_xml::JsonToXml;

use word::{IfJson, IfXml, Words};

mod word;

/// The largest body that is made, in bytes: a short JSON may become a long XML.
pub const CONVERTED_BYTES_MAX: usize = STRING_BYTES_MAX;

/// When a body is converted.
#[derive(Clone, Debug)]
struct When<T> {
    side: Side,
    apply: Operand<T>,
    consider: Option<Operand<bool>>,
}

pub(super) fn xml_to_json(builder: &mut Builder<'_>, element: &Element) {
    let when = when::<IfXml>(builder, element);
    let kind = builder.attribute(element, "kind");
    let arrays = builder.attribute(element, "always-array-child-elements");
    if let (Some(when), Some(kind)) = (when, kind) {
        let needs = needs(builder);
        let policy = XmlToJson { when, kind, arrays };
        builder.push_with(element, Action::XmlToJson(Box::new(policy)), needs);
    }
}

pub(super) fn json_to_xml(builder: &mut Builder<'_>, element: &Element) {
    let when = when::<IfJson>(builder, element);
    let policy = when.map(|when| JsonToXml {
        when,
        parse_date: builder.literal(element, "parse-date").unwrap_or(true),
        separator: builder.attribute(element, "namespace-separator"),
        prefix: builder.attribute(element, "namespace-prefix"),
        block: builder.attribute(element, "attribute-block-name"),
    });
    if let Some(policy) = policy {
        let needs = needs(builder);
        builder.push_with(element, Action::JsonToXml(Box::new(policy)), needs);
    }
}

fn when<T: Words>(builder: &mut Builder<'_>, element: &Element) -> Option<When<T>> {
    let side = builder.section.side();
    let consider = builder.attribute(element, "consider-accept-header");
    Some(When { side, apply: builder.attribute(element, "apply")?, consider })
}

/// What the operands read, and the body.
fn needs(builder: &Builder<'_>) -> Needs {
    builder.needs().and(match builder.section.side() {
        Side::Request => Needs { request_body: true, ..Needs::default() },
        Side::Response => Needs { response_body: true, ..Needs::default() },
    })
}

impl<T: Words> When<T> {
    /// The text to convert; none if it is not to be converted.
    fn text(&self, exchange: &mut Exchange) -> Result<Option<String>, Failure> {
        let only_typed = self.apply.get(exchange)?.only_typed();
        let consider = match &self.consider {
            Some(consider) => consider.get(exchange)?,
            None => true,
        };
        let accept = &exchange.request.headers.map().get_all(ACCEPT);
        let mut accepted = accept.iter().filter_map(|line| line.to_str().ok());
        if consider && !accepted.any(|line| accepts(line, T::is_wanted)) {
            return Ok(None);
        }
        let (headers, body) = match (self.side, &exchange.response) {
            (Side::Request, _) => (&exchange.request.headers, &exchange.request.body),
            (Side::Response, Some(response)) => (&response.headers, &response.body),
            (Side::Response, None) => return Ok(None),
        };
        if only_typed && !headers.text(&CONTENT_TYPE).is_some_and(T::is_source) {
            return Ok(None);
        }
        let Some(bytes) = body.bytes().filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map(|text| Some(text.to_owned()));
        text.map_err(|_other| self.failed("the body is no UTF-8"))
    }

    /// Puts what the text became in its place.
    fn put(&self, text: String, kind: &'static str, exchange: &mut Exchange) -> Flow {
        let body = Body::Bytes(Bytes::from(text));
        let kind = HeaderValue::from_static(kind);
        match (self.side, &mut exchange.response) {
            (Side::Request, _) => {
                exchange.request.body = body;
                exchange.request.headers.set(&CONTENT_TYPE, kind);
            }
            (Side::Response, Some(response)) => {
                response.body = body;
                coding::forget_body(&mut response.headers);
                response.headers.set(&CONTENT_TYPE, kind);
            }
            (Side::Response, None) => (),
        }
        Flow::Next
    }

    /// The text cannot be converted.
    fn failed(&self, why: &str) -> Failure {
        let problem = match self.side {
            Side::Request => {
                let message = format!("The body of the request cannot be converted: {why}");
                Problem::refused(StatusCode::BAD_REQUEST, "conversion_failed", message)
            }
            Side::Response => Problem::failed("conversion_failed"),
        };
        Failure { source: None, reason: "ConversionFailed", message: why.to_owned(), problem }
    }
}

/// Whether a `Content-Type` is one of JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    is_of(content_type, "json")
}

/// Whether a `Content-Type` is one of XML.
pub(super) fn is_xml(content_type: &str) -> bool {
    is_of(content_type, "xml")
}

/// Whether the subtype is `form`, or ends with `+form`.
fn is_of(content_type: &str, form: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.split_once('/').map_or("", |(_kind, subtype)| subtype);
    subtype == form || subtype.rsplit_once('+').is_some_and(|(_of, suffix)| suffix == form)
}

/// Whether a line of `Accept` names a type that `is_wanted`, and not only to refuse it.
fn accepts(line: &str, is_wanted: fn(&str) -> bool) -> bool {
    line.split(',').any(|range| {
        let mut parameters = range.split(';').skip(1).map(str::trim);
        let is_refused = parameters.any(|parameter| {
            let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        !is_refused && is_wanted(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_known_by_its_subtype() {
        for json in ["application/json", "text/json; charset=utf-8", "application/problem+JSON"] {
            assert!(is_json(json) && !is_xml(json), "{json}");
        }
        for xml in ["text/xml", "application/soap+xml; action=x", "Application/XML"] {
            assert!(is_xml(xml) && !is_json(xml), "{xml}");
        }
        assert!(!is_json("application/jsonp") && !is_json("json") && !is_xml("text/html"));
    }

    #[test]
    fn accept_has_to_name_the_form() {
        for yes in ["application/json", "text/html, application/json;q=0.1", "text/json ; q=1"] {
            assert!(accepts(yes, is_json), "{yes}");
        }
        for no in ["*/*", "application/*", "application/json;q=0", "application/json; q=0.0", ""] {
            assert!(!accepts(no, is_json), "{no}");
        }
    }
}
