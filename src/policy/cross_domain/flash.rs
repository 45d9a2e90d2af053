//! `cross-domain`: the document that says to Adobe Flash and Silverlight which pages may call.
//!
//! It stands in the gateway's own document and is served at `/crossdomain.xml`, where no API takes
//! that path, to everybody: those who ask for it have no key yet.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::exchange::Exchange;
use crate::exchange::message::{Body, Headers, Response};
use crate::policy::Section;
use crate::policy::build::Builder;
use crate::policy::machine::Ran;
use crate::policy::markup::Element;
use crate::policy::program::{Action, Program};

/// Where those who want it look for it.
const PATH: &str = "/crossdomain.xml";

pub(in crate::policy) fn cross_domain(builder: &mut Builder<'_>, element: &Element) {
    let mut documents = element.elements();
    if documents.next().is_none() {
        let remedy = "add <cross-domain-policy>…</cross-domain-policy>";
        builder.fault(element, "`cross-domain` has no `cross-domain-policy`", remedy);
        return;
    }
    if let Some(second) = documents.next() {
        builder.fault(second, "there is a second document", "keep one of the two");
    }
    if let Some(document) = builder.body_operand::<Arc<str>>(element) {
        if let Some(text) = document.constant() {
            builder.push(element, Action::CrossDomain(Arc::clone(text)));
        } else {
            builder.fault(element, "the document may not be an expression", "write it out");
        }
    }
}

/// Answers a request for the document, if `program` has one, and tells which policy did; `None` if
/// it is for something else.
pub fn document(program: &Program, exchange: &mut Exchange) -> Option<Vec<Ran>> {
    let method = &exchange.original.method;
    if exchange.original.path != PATH || !(method == Method::GET || method == Method::HEAD) {
        return None;
    }
    let mut steps = program
        .blocks(Section::Inbound)
        .iter()
        .flat_map(|block| block.steps.iter().zip(&block.notes))
        .filter(|(_step, note)| note.is_direct);
    let (text, note) = steps.find_map(|(step, note)| {
        let Action::CrossDomain(text) = &step.action else {
            return None;
        };
        Some((text, note))
    })?;
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("text/x-cross-domain-policy");
    headers.insert(CONTENT_TYPE, kind);
    exchange.response = Some(Response {
        status: StatusCode::OK,
        phrase: None,
        headers: Headers::own(headers),
        body: Body::Bytes(Bytes::copy_from_slice(text.trim().as_bytes())),
    });
    Some(vec![Ran { note: note.clone(), section: Section::Inbound, outcome: None }])
}
