//! Requests that go to an app by way of Dapr's sidecar: what the sidecar refuses by itself is an error
//! of the request, and no answer of the app.

use http::header::CONTENT_TYPE;

use super::call::Stopped;
use crate::caller::Call;
use crate::dapr::refusal::{BODY_BYTES_MAX, Refusal, may_be};
use crate::policy::Failure;
use crate::policy::send::dapr;
use crate::proxy::Run;

/// The policy to blame.
const SOURCE: Option<&str> = Some("forward-request");

/// Whether the request goes to the sidecar.
pub(super) fn is_asked(run: &Run) -> bool {
    run.exchange.backend.as_ref().is_some_and(|backend| backend.is_sidecar)
}

/// What the sidecar refused with, if it did: the body is read ahead for it where it is short and may
/// be the sidecar's.
pub(super) async fn refused(run: &Run, call: &mut Call) -> Option<Failure> {
    if !is_asked(run) || !may_be(call.head.status) || !is_of_interest(call) {
        return None;
    }
    // A body that breaks off does so again for whoever reads it next.
    let is_all = call.read_ahead(BODY_BYTES_MAX).await.ok()?;
    let refusal = Refusal::of_invocation(call.head.status, call.ahead())?;
    is_all.then(|| Failure { source: SOURCE, ..dapr::refused(&refusal) })
}

/// What it means that there was no answer.
pub(super) fn told(run: &Run, stopped: Stopped) -> Stopped {
    match stopped {
        Stopped::Failed(failure) if is_asked(run) => {
            Stopped::Failed(Box::new(dapr::unanswered(*failure)))
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
