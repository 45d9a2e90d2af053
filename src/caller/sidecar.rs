//! How Dapr's sidecar is doing, and which components it has.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use crate::backend::sidecar::Sidecar;
use crate::caller::fetch::{Answer, Fetcher, Local, Unfetched};
use crate::dapr::TOKEN;
use crate::dapr::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Whether components that a gateway asks for are ready; it does not wait for the app beside it, which
/// is the gateway itself.
const READY: &str = "/v1.0/healthz/outbound";
/// What it has.
const METADATA: &str = "/v1.0/metadata";
/// The longest answer to any of them, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// What a sidecar has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// Its version.
    pub version: String,
    /// Components by their names: what kind each is.
    pub components: BTreeMap<String, String>,
}

/// Why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// It did not answer.
    #[error(transparent)]
    Unanswered(#[from] Unfetched),
    /// It refused.
    #[error("{}", .0.told())]
    Refused(Box<Refusal>),
    /// What it said is something else.
    #[error("the answer is no description of a sidecar")]
    Nonsense,
}

/// Whether `sidecar` is ready for what a gateway asks.
pub async fn ready(fetcher: &Fetcher, sidecar: &Sidecar, now: Timestamp) -> Result<(), Unknown> {
    ask(fetcher, sidecar, READY, now).await.map(drop)
}

/// What `sidecar` has.
pub async fn found(fetcher: &Fetcher, sidecar: &Sidecar, now: Timestamp) -> Result<Found, Unknown> {
    let body = ask(fetcher, sidecar, METADATA, now).await?;
    let said: Value = serde_json::from_slice(&body).map_err(|_other| Unknown::Nonsense)?;
    let text = |from: &Value, name: &str| {
        from.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let components = said.get("components").and_then(Value::as_array).into_iter().flatten();
    let components = components.map(|it| (text(it, "name"), text(it, "type"))).collect();
    Ok(Found { version: text(&said, "runtimeVersion"), components })
}

async fn ask(
    fetcher: &Fetcher,
    sidecar: &Sidecar,
    target: &str,
    now: Timestamp,
) -> Result<Vec<u8>, Unknown> {
    // Without a token something is said that means nothing here.
    let nothing = Secret::new("no-cache");
    let field = match sidecar.token() {
        Some(token) => (TOKEN, token),
        None => ("Cache-Control", &nothing),
    };
    let base = &sidecar.backend().base;
    let wanted = Local { base, target, field, bytes_max: BYTES_MAX };
    let Answer { status, body } = fetcher.local(wanted, now).await?;
    if matches!(status, StatusCode::OK | StatusCode::NO_CONTENT) {
        Ok(body)
    } else {
        Err(Unknown::Refused(Box::new(Refusal::of(status, &body))))
    }
}
