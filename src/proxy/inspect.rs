//! Whether a request is recorded for somebody who may see it, and what becomes of the record.
//!
//! A request without a credential costs one look for its field.

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::Error;
use pingora::proxy::Session;

use crate::admission::First;
use crate::exchange::inspection::{Fact, Inspection, url};
use crate::exchange::message::Headers;
use crate::exchange::{Exchange, format_id};
use crate::inspector::document::{Ended, last_section};
use crate::inspector::{Inspector, Verdict};
use crate::proxy::{Context, Gateway, Run};
use crate::time::Clock;

/// The field with a credential.
const CREDENTIAL: HeaderName = HeaderName::from_static("apim-debug-authorization");
/// The field that asked for a trace before there were credentials.
const LEGACY: HeaderName = HeaderName::from_static("ocp-apim-trace");

const TRACE_ID: HeaderName = HeaderName::from_static("apim-trace-id");
const TRACE_LOCATION: HeaderName = HeaderName::from_static("ocp-apim-trace-location");
const EXPIRED: HeaderName = HeaderName::from_static("apim-debug-authorization-expired");
const WRONG_API: HeaderName = HeaderName::from_static("apim-debug-authorization-wrongapi");
/// More requests are recorded already than may be in a second.
const THROTTLED: HeaderName = HeaderName::from_static("apim-debug-throttled");

/// What a client shows who wants to see what becomes of its request.
#[derive(Debug)]
pub enum Wish {
    /// A credential.
    Credential(HeaderValue),
    /// Nothing but the wish; its subscription must allow it.
    Legacy,
}

/// What the client wants to see. The field is taken out of the request: no policy, no backend and no
/// log gets it.
pub fn wish(inspector: &Inspector, session: &mut Session) -> Option<Wish> {
    let fields = &session.req_header().headers;
    if fields.contains_key(&CREDENTIAL) {
        let mut values = fields.get_all(&CREDENTIAL).iter();
        let (first, second) = (values.next().cloned(), values.next().is_some());
        session.req_header_mut().remove_header(&CREDENTIAL);
        if inspector.is_legacy {
            session.req_header_mut().remove_header(&LEGACY);
        }
        return first.filter(|_first| !second).map(Wish::Credential);
    }
    if inspector.is_legacy {
        let said = session.req_header_mut().remove_header(&LEGACY)?;
        return said.as_bytes().eq_ignore_ascii_case(b"true").then_some(Wish::Legacy);
    }
    None
}

/// Begins to record the request, if the wish is granted; says what is wrong with it, if that is for
/// the client to know.
#[cold]
pub fn begin(gateway: &Gateway, session: &Session, run: &mut Run, first: &First, wish: &Wish) {
    let inspector = &gateway.inspector;
    let now = gateway.clock.now();
    let exchange = &mut run.exchange;
    let verdict = match wish {
        Wish::Credential(value) => {
            // A revision is written behind the id of its API, or beside it.
            let api = exchange.api.as_ref().and_then(|api| api.id.split(";rev=").next());
            inspector.judge(value.to_str().unwrap_or_default(), api, now)
        }
        Wish::Legacy
            if exchange.subscription.as_ref().is_some_and(|known| known.allows_tracing) =>
        {
            Verdict::Good
        }
        Wish::Legacy => Verdict::Unreadable,
    };
    let told = HeaderValue::from_static("true");
    match verdict {
        Verdict::Unreadable => return,
        Verdict::Expired => return exchange.final_fields.set(&EXPIRED, told),
        Verdict::OtherApi => return exchange.final_fields.set(&WRONG_API, told),
        Verdict::Good if !inspector.has_room(now) => {
            return exchange.final_fields.set(&THROTTLED, told);
        }
        Verdict::Good => (),
    }
    let id = format_id(exchange.id);
    let (name, value) = match wish {
        Wish::Credential(_) => (&TRACE_ID, id),
        Wish::Legacy => (&TRACE_LOCATION, inspector.location(&id)),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        exchange.final_fields.set(name, value);
    }
    if run.machine.program().is_plain() {
        // Else nobody needs them.
        exchange.request.headers = Headers::received(session.req_header().headers.clone());
    }
    exchange.inspection = Some(Box::new(opening(exchange, first, &session.req_header().headers)));
    exchange.inspect_changes();
}

/// The request as it came, and which policies answered it before any ran.
fn opening(exchange: &Exchange, first: &First, fields: &HeaderMap) -> Inspection {
    let mut inspection = Inspection::default();
    inspection.note("api-inspector", "inbound", exchange.started);
    inspection.add(Fact::Request {
        method: exchange.original.method.to_string(),
        url: original_url(exchange),
        fields: fields.clone(),
    });
    if let First::Answered(ran) = first {
        for step in ran {
            inspection.note(step.note.policy, "inbound", exchange.now);
            inspection.decided(step.outcome.clone().unwrap_or_else(|| "was asked".to_owned()));
        }
    }
    inspection
}

fn original_url(exchange: &Exchange) -> String {
    let original = &exchange.original;
    let mark = if original.query.is_empty() { "" } else { "?" };
    let (scheme, host, port) = (original.scheme.as_str(), &original.host, original.port);
    format!("{scheme}://{host}:{port}{}{mark}{}", original.path, original.query)
}

/// Notes an attempt to reach the backend, if the request is recorded.
pub fn tried<E>(gateway: &Gateway, run: &mut Run, came: Result<u16, &E>) {
    if run.exchange.inspection.is_none() {
        return;
    }
    let url = url(&run.exchange);
    let failed = run.transport.clone();
    let came = came.map_err(|_told| failed.unwrap_or_else(|| "the client was gone".to_owned()));
    if let Some(inspection) = &mut run.exchange.inspection {
        inspection.add(Fact::Tried { url, came, at: gateway.clock.now() });
    }
}

impl Run {
    /// Whether the response goes on as the backend made it: nobody looks at it, and nothing is added.
    pub(super) fn is_plain(&self) -> bool {
        self.machine.program().is_plain() && self.exchange.final_fields.is_empty()
    }

    /// Whether somebody may look at the fields of a response.
    pub(super) fn looks_at_response(&self) -> bool {
        self.machine.program().looks_at_response() || self.exchange.inspection.is_some()
    }
}

/// Keeps the record, if there is one. The response is out by now.
pub fn finish(gateway: &Gateway, session: &Session, error: Option<&Error>, context: &mut Context) {
    let Some(run) = context.run.as_mut().filter(|run| run.exchange.inspection.is_some()) else {
        return;
    };
    let now = gateway.clock.now();
    run.exchange.inspect_changes();
    let Some(mut kept) = run.exchange.inspection.take() else { return };
    kept.note("transfer-response", last_section(&run.exchange), now);
    let response = session.response_written().map(|head| (head.status, &head.headers));
    if let Some((status, fields)) = response {
        kept.add(Fact::Response { status, fields: fields.clone() });
        kept.decided(format!("{} bytes of body were sent", session.as_ref().body_bytes_sent()));
    }
    if let Some(error) = error {
        kept.add(Fact::Failed { reason: "ConnectionFailure", message: error.to_string() });
    }
    let exchange = &run.exchange;
    let gateway_name = &exchange.deployment.instance_id;
    let counters = gateway.counters.word();
    let ended = Ended { exchange, kept: &kept, response, now, gateway: gateway_name, counters };
    gateway.inspector.keep(ended.trace());
}
