//! Requests that go to an app by way of Dapr's sidecar: what the sidecar refuses by itself is an error
//! of the request, and no answer of the app.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::proxy::Session;

use super::call::Stopped;
use crate::backend::BaseUrl;
use crate::caller::Call;
use crate::dapr;
use crate::dapr::refusal::{BODY_BYTES_MAX, Refusal, may_be};
use crate::grpc;
use crate::policy::Failure;
use crate::policy::send::dapr as told_by;
use crate::proxy::{Run, grpc as call_of};

/// The policy to blame.
const SOURCE: Option<&str> = Some("forward-request");
/// Where `OpenCensus` says which trace a call belongs to: a sidecar looks there first.
const TRACE: HeaderName = HeaderName::from_static("grpc-trace-bin");

/// Whether the request goes to the sidecar.
pub(super) fn is_asked(run: &Run) -> bool {
    run.exchange.backend.as_ref().is_some_and(|backend| backend.is_sidecar)
}

/// Whether it is a call of gRPC that goes there.
pub(super) fn is_called(run: &Run) -> bool {
    is_asked(run) && run.app.is_some()
}

/// Turns a call of gRPC to an app towards the port that the sidecar has for calls: what names the app
/// for HTTP is taken out of the path, and goes along as metadata ([`address`]). On that port a sidecar
/// answers methods of its own, too, and those are no app's.
pub fn aim(session: &Session, run: &mut Run) -> Result<(), Failure> {
    let calls = run.exchange.backend.as_ref().and_then(|backend| backend.calls.as_ref());
    let Some(calls) = calls.filter(|_calls| is_asked(run)) else { return Ok(()) };
    // Without an app in its path it is turned already, by an earlier try.
    let Some((app, path)) = dapr::invoked(&run.exchange.request.base.path) else { return Ok(()) };
    let is_grpc = run.exchange.api.as_ref().is_some_and(|api| api.is_grpc);
    if is_grpc || call_of::is_call(session) {
        if dapr::is_own_method(&format!("{path}{}", run.exchange.request.tail)) {
            return Err(told_by::own_method());
        }
        let base = BaseUrl { path: path.to_owned(), ..BaseUrl::clone(calls) };
        run.app = Some(app.to_owned());
        run.exchange.request.base = Arc::new(base);
    } else {
        run.app = None;
    }
    Ok(())
}

/// Leaves out of a call what would speak to the sidecar, and says which app it is for.
pub(super) fn address(run: &Run, fields: &mut HeaderMap) {
    let (Some(app), Some(backend)) = (&run.app, &run.exchange.backend) else { return };
    if !is_asked(run) {
        return;
    }
    let headers = &run.exchange.request.headers;
    let is_stream =
        headers.touched().contains(&dapr::STREAM).then(|| headers.map().get(dapr::STREAM).cloned());
    let kept: Vec<HeaderName> =
        fields.keys().filter(|name| dapr::is_kept_name(name)).cloned().collect();
    for name in kept {
        fields.remove(name);
    }
    let shown: Vec<HeaderValue> = fields.get_all(AUTHORIZATION).iter().cloned().collect();
    if shown.iter().any(|value| dapr::is_kept(&AUTHORIZATION, value)) {
        fields.remove(AUTHORIZATION);
        for value in shown.into_iter().filter(|value| !dapr::is_kept(&AUTHORIZATION, value)) {
            fields.append(AUTHORIZATION, value);
        }
    }
    if run.exchange.trail.correlation.is_some() {
        fields.remove(TRACE);
    }
    for (name, value) in backend.headers.iter().filter(|(name, _value)| dapr::is_kept_name(name)) {
        fields.insert(name, value.clone());
    }
    // A name of an app has no character that a field cannot have.
    fields.extend(HeaderValue::from_str(app).ok().map(|app| (dapr::APP, app)));
    // Nobody here knows which calls are streams. Said of a call that is none, it only means that the
    // sidecar does not keep its message to send it again.
    let is_stream = is_stream.unwrap_or(Some(HeaderValue::from_static("true")));
    fields.extend(is_stream.map(|is_stream| (dapr::STREAM, is_stream)));
}

/// What the sidecar refused with, if it did: the body is read ahead for it where it is short and may
/// be the sidecar's.
pub(super) async fn refused(run: &Run, call: &mut Call) -> Option<Failure> {
    if !is_asked(run) {
        return None;
    }
    if is_called(run) {
        let refusal = Refusal::of_call(grpc::Code::of(&call.head.headers)?, &call.head.headers)?;
        return Some(Failure { source: SOURCE, ..told_by::refused(&refusal) });
    }
    if !may_be(call.head.status) || !is_of_interest(call) {
        return None;
    }
    // A body that breaks off does so again for whoever reads it next.
    let is_all = call.read_ahead(BODY_BYTES_MAX).await.ok()?;
    let refusal = Refusal::of_invocation(call.head.status, call.ahead())?;
    is_all.then(|| Failure { source: SOURCE, ..told_by::refused(&refusal) })
}

/// What it means that there was no answer.
pub(super) fn told(run: &Run, stopped: Stopped) -> Stopped {
    match stopped {
        Stopped::Failed(failure) if is_asked(run) => {
            Stopped::Failed(Box::new(told_by::unanswered(*failure)))
        }
        Stopped::Failed(_) | Stopped::Gone(_) => stopped,
    }
}

/// Whether the body has the form and the length of what a sidecar says.
fn is_of_interest(call: &Call) -> bool {
    let kind = call.head.headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let is_known = [&b"application/json"[..], b"text/plain"].iter().any(|known| {
        kind.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
    });
    let bytes_max = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX);
    is_known && call.length().is_some_and(|length| 0 < length && length <= bytes_max)
}
