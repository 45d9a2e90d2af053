//! Policies for language models: what they cost, in tokens.
//!
//! A policy that wants to know reads the body of the request, asks for an answer that is not
//! compressed, and leaves in [`Metering`] what it wants; whoever has the response on its way lets a
//! meter listen to it. So an answer is never held up: a stream passes as it comes.

pub mod safety;

use http::HeaderValue;
use http::header::ACCEPT_ENCODING;

use crate::exchange::Exchange;
use crate::exchange::metering::Metering;
use crate::llm::prompt::Prompt;

/// What this exchange costs, from here on metered.
pub(super) fn metering(exchange: &mut Exchange) -> &mut Metering {
    let request = &mut exchange.request;
    exchange.metering.get_or_insert_with(|| {
        // What is compressed cannot be metered while it passes.
        request.headers.set(&ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let body = request.body.bytes().map(|bytes| &bytes[..]).unwrap_or_default();
        Box::new(Metering { prompt: Prompt::of(body), ..Metering::default() })
    })
}
