//! What diagnostics show of an exchange: fields, and the beginnings of bodies, copied while they
//! pass. No body waits for that, and none is read that nobody else reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::proxy::Session;

use crate::caller::Call;
use crate::exchange::Exchange;
use crate::exchange::diagnostics::{Diagnostics, Excerpt};
use crate::proxy::{Context, Gateway, Run};
use crate::telemetry::access_log::Line;
use crate::telemetry::excerpts::{Excerpts, Fields, chosen};

/// What is copied of an exchange.
#[derive(Debug)]
pub struct Watch {
    diagnostics: Arc<Diagnostics>,
    request: Excerpt,
    sent: Sent,
    sent_fields: Fields,
    received_fields: Fields,
    /// Of the response of the backend; it is heard where that is read, by whomever.
    received: Arc<Mutex<Excerpt>>,
}

/// What body the backend got.
#[derive(Debug)]
enum Sent {
    None,
    /// That of the client.
    Same,
    Other(Excerpt),
}

impl Watch {
    /// Begins to watch an exchange, if a diagnostic may want to show of it what is gone at its end.
    pub fn begin(gateway: &Gateway, exchange: &Exchange) -> Option<Box<Self>> {
        let diagnostics = exchange.diagnostics()?;
        if !gateway.log.is_read() || !diagnostics.may_want(exchange.id) {
            return None;
        }
        let Diagnostics { frontend, backend, .. } = &**diagnostics;
        let is_wanted = !backend.request.headers.is_empty()
            || !backend.response.headers.is_empty()
            || [frontend, backend]
                .iter()
                .any(|side| 0 < side.request.body_bytes.saturating_add(side.response.body_bytes));
        let most = |first: usize, second: usize| Excerpt::of(first.max(second));
        is_wanted.then(|| {
            Box::new(Self {
                diagnostics: Arc::clone(diagnostics),
                request: most(frontend.request.body_bytes, backend.request.body_bytes),
                sent: Sent::None,
                sent_fields: Fields::new(),
                received_fields: Fields::new(),
                received: Arc::new(Mutex::new(most(
                    frontend.response.body_bytes,
                    backend.response.body_bytes,
                ))),
            })
        })
    }

    /// Some of the request's body has come.
    pub fn request_piece(&mut self, piece: &[u8]) {
        self.request.feed(piece);
    }

    /// The request goes to the backend, with this body; none: with the client's, while it comes.
    pub fn sends(&mut self, body: Option<&Bytes>) {
        self.sent = match body {
            None => Sent::Same,
            Some(bytes) => {
                let mut sent = Excerpt::of(self.diagnostics.backend.request.body_bytes);
                sent.feed(bytes);
                Sent::Other(sent)
            }
        };
    }

    /// The head with which it goes there, as bytes.
    pub fn sends_head(&mut self, exchange: &Exchange, head: &[u8]) {
        if self.diagnostics.backend.request.headers.is_empty() {
            return;
        }
        let mut fields = HeaderMap::new();
        let lines = head.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii);
        for line in lines.take_while(|line| !line.is_empty()) {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
            let value = parts.next().map(<[u8]>::trim_ascii);
            let value = value.and_then(|value| HeaderValue::from_bytes(value).ok());
            if let (Some(name), Some(value)) = (name, value) {
                fields.append(name, value);
            }
        }
        self.sends_fields(exchange, &fields);
    }

    /// The fields with which it goes there.
    pub fn sends_fields(&mut self, exchange: &Exchange, fields: &HeaderMap) {
        let wanted = &self.diagnostics.backend.request.headers;
        self.sent_fields = chosen(wanted, fields, |name| is_secret_of(exchange, name));
    }

    /// The fields with which the backend answers; its body is heard from here on.
    fn receives(&mut self, exchange: &Exchange, fields: &HeaderMap) {
        let wanted = &self.diagnostics.backend.response.headers;
        self.received_fields = chosen(wanted, fields, |name| is_secret_of(exchange, name));
        let shown = &self.diagnostics;
        let (front, back) = (&shown.frontend.response, &shown.backend.response);
        *self.heard() = Excerpt::of(front.body_bytes.max(back.body_bytes));
    }

    fn heard(&self) -> MutexGuard<'_, Excerpt> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of the request's body has come.
pub fn request_piece(run: &mut Run, piece: &[u8]) {
    if let Some(watch) = &mut run.watch {
        watch.request_piece(piece);
    }
}

/// Some of the response's body has come, where it streams.
pub fn response_piece(context: &Context, piece: Option<&Bytes>) {
    let watch = context.run.as_ref().and_then(|run| run.watch.as_ref());
    if let (Some(watch), Some(piece)) = (watch, piece) {
        watch.heard().feed(piece);
    }
}

/// The request goes to the backend with these fields, and its body while it comes.
pub fn streams(run: &mut Run, fields: &HeaderMap) {
    if let Some(watch) = &mut run.watch {
        watch.sends(None);
        watch.sends_fields(&run.exchange, fields);
        // Of an attempt before, what had come comes again.
        watch.request.restart();
    }
}

/// The backend answers with these fields.
pub fn receives(run: &mut Run, fields: &HeaderMap) {
    if let Some(watch) = &mut run.watch {
        watch.receives(&run.exchange, fields);
    }
}

/// The backend has answered a call: its body is heard from here on.
pub fn hears(run: &mut Run, call: &mut Call) {
    receives(run, &call.head.headers);
    if let Some(watch) = &run.watch {
        call.tap(Arc::clone(&watch.received));
    }
}

/// Whether the exchange has a line; `failed`: as `log.access` counts failures, `status`: what the
/// client got.
pub fn wants(gateway: &Gateway, context: &Context, failed: bool, status: u16) -> bool {
    match diagnostics(context) {
        Some(diagnostics) => {
            let failed = failed || !(1..400).contains(&status);
            gateway.log.is_read() && diagnostics.wants(context.journey.id, failed)
        }
        None => gateway.log.wants(failed),
    }
}

/// Adds to a line what diagnostics want in it, and takes out what they do not.
pub fn show(line: &mut Line<'_>, session: &Session, context: &Context) {
    let Some(diagnostics) = diagnostics(context) else { return };
    if !diagnostics.log_client_ip {
        line.caller_ip_address = None;
    }
    if let Some(run) = &context.run {
        line.excerpts = excerpts(diagnostics, session, run);
    }
}

/// What decides about the exchange, if a diagnostic does.
fn diagnostics(context: &Context) -> Option<&Arc<Diagnostics>> {
    match &context.run {
        Some(run) => run.exchange.diagnostics(),
        None => context.snapshot.deployment.diagnostics.as_ref(),
    }
}

fn excerpts(diagnostics: &Diagnostics, session: &Session, run: &Run) -> Excerpts {
    let Diagnostics { frontend, backend, .. } = diagnostics;
    let exchange = &run.exchange;
    let secret = |name: &HeaderName| is_secret_of(exchange, name);
    let cover = |text: String| exchange.covered(text);
    let mut shown = Excerpts {
        request_headers: chosen(&frontend.request.headers, &session.req_header().headers, secret),
        ..Excerpts::default()
    };
    if let Some(head) = session.response_written() {
        shown.response_headers = chosen(&frontend.response.headers, &head.headers, secret);
    }
    if let Some(watch) = &run.watch {
        shown.request_body = watch.request.shown(frontend.request.body_bytes, cover);
        shown.backend_request_headers = watch.sent_fields.clone();
        shown.backend_request_body = match &watch.sent {
            Sent::None => None,
            Sent::Same => watch.request.shown(backend.request.body_bytes, cover),
            Sent::Other(sent) => sent.shown(backend.request.body_bytes, cover),
        };
        shown.backend_response_headers = watch.received_fields.clone();
        shown.backend_response_body = watch.heard().shown(backend.response.body_bytes, cover);
        let is_sent = 0 < session.as_ref().body_bytes_sent();
        shown.response_body = match &exchange.response {
            _ if !is_sent => None,
            Some(response) if !response.body.is_waiting() => {
                let mut own = Excerpt::of(frontend.response.body_bytes);
                own.feed(response.body.bytes().map_or(&[], |bytes| bytes));
                own.shown(frontend.response.body_bytes, cover)
            }
            Some(_) | None => watch.heard().shown(frontend.response.body_bytes, cover),
        };
    }
    for fields in [
        &mut shown.request_headers,
        &mut shown.response_headers,
        &mut shown.backend_request_headers,
        &mut shown.backend_response_headers,
    ] {
        for value in fields.values_mut() {
            *value = cover(std::mem::take(value));
        }
    }
    shown
}

/// Whether the field carries a secret in this exchange: a key of the API, or credentials of the
/// backend.
fn is_secret_of(exchange: &Exchange, name: &HeaderName) -> bool {
    let is_key =
        |api: &crate::exchange::facts::Api| api.key_header.eq_ignore_ascii_case(name.as_str());
    exchange.api.as_deref().is_some_and(is_key)
        || exchange
            .backend
            .as_ref()
            .is_some_and(|backend| backend.headers.iter().any(|(own, _value)| own == name))
}
