//! How Dapr's sidecar is doing, and which components it has.

use std::collections::BTreeMap;

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
/// What the path of a secret begins with.
const SECRETS: &str = "/v1.0/secrets/";
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

/// What was found out about a sidecar that a configuration needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// Its version; empty if it did not say.
    pub version: String,
    /// Why it is not known what it has.
    pub trouble: Option<String>,
    /// Components that policies name and it does not have, and a place where each is named.
    pub missing: Vec<(String, String)>,
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
    /// There is no such secret.
    #[error("there is no such secret")]
    Absent,
    /// What it said is something else.
    #[error("the answer is nothing that a sidecar says")]
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

/// All items of the secret `name` in `store`.
pub async fn secret(
    fetcher: &Fetcher,
    sidecar: &Sidecar,
    (store, name): (&str, &str),
    now: Timestamp,
) -> Result<BTreeMap<String, Secret>, Unknown> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let target = format!("{SECRETS}{}/{}", encoded(store), encoded(name));
    let body = ask(fetcher, sidecar, &target, now).await?;
    if body.is_empty() {
        return Err(Unknown::Absent);
    }
    let said: BTreeMap<String, String> =
        serde_json::from_slice(&body).map_err(|_other| Unknown::Nonsense)?;
    Ok(said.into_iter().map(|(key, text)| (key, Secret::new(text))).collect())
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
