//! The inspector for operators: credentials, and the traces that come of them.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::admin::refusal::Refusal;
use crate::fault::nearest;
use crate::inspector::credential::LIFE_MAX;
use crate::inspector::kept::{Summary, TRACES_MAX};
use crate::inspector::{Inspector, TRACE_LIFE};
use crate::snapshot::Snapshot;
use crate::telemetry::audit::{Change, Who};
use crate::time::{Timestamp, date, iso_span, span, words};

/// How long a credential is good if nobody says how long.
const LIFE_USUAL: Duration = Duration::from_mins(10);

/// The longest id of a trace.
const ID_BYTES_MAX: usize = 64;

type Answer = Response<Vec<u8>>;

/// What a credential is asked for with.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The API.
    pub api_id: String,
    /// For how long: `PT10M` or `10m`; ten minutes if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
}

/// A credential.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// It goes into `Apim-Debug-Authorization`.
    pub token: String,
    /// The API.
    pub api_id: String,
    /// Until when.
    pub expires: String,
    /// Whether every replica takes it, or only the one that made it.
    pub all_replicas: bool,
}

/// The latest traces.
#[derive(Debug, Deserialize, Serialize)]
pub struct Latest {
    /// The newest first.
    pub traces: Vec<Summary>,
    /// Why those of other replicas are missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
}

/// `POST /inspector/credentials`.
pub(super) fn credential(
    (inspector, snapshot): (&Inspector, &Snapshot),
    body: Option<&[u8]>,
    who: &Who,
    now: Timestamp,
) -> Answer {
    let wanted = match wanted(inspector, snapshot, body) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.answer(),
    };
    let (api, life) = wanted;
    let until = now + life;
    let after = format!("good until {}", date(until));
    let made = inspector.make(&api, until);
    who.changes(Change {
        what: "debug credential made",
        subject: &api,
        before: "none",
        after: &after,
        is_done: made.is_ok(),
    });
    match made {
        Ok(made) => json(&Credential {
            token: made.token.expose().to_owned(),
            api_id: api,
            expires: date(until),
            all_replicas: made.is_shared,
        }),
        Err(unsigned) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal::new(status, "no credential was made", &unsigned.to_string(), "try again")
                .answer()
        }
    }
}

/// The API and the time that a credential is wanted for.
fn wanted(
    inspector: &Inspector,
    snapshot: &Snapshot,
    body: Option<&[u8]>,
) -> Result<(String, Duration), Refusal> {
    let refused = |status, detail: &str, remedy: &str| {
        Err(Refusal::new(status, "no credential was made", detail, remedy))
    };
    if !inspector.is_enabled {
        let remedy = "set inspector.enabled to true and start the gateway again";
        return refused(StatusCode::CONFLICT, "the inspector is off", remedy);
    }
    let form =
        "send {\"apiId\": \"ID\", \"expiresAfter\": \"PT10M\"}, a body of JSON with a length";
    let Some(body) = body else {
        return refused(StatusCode::BAD_REQUEST, "the body was not read to its end", form);
    };
    let Wanted { api_id, expires_after } = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            let detail = format!("the body cannot be read: {wrong}");
            return refused(StatusCode::BAD_REQUEST, &detail, form);
        }
    };
    let life = expires_after.as_deref().map_or(Some(LIFE_USUAL), life);
    let Some(life) = life.filter(|life| !life.is_zero() && *life <= LIFE_MAX) else {
        let detail = "`expiresAfter` is no time that a credential can have";
        let remedy = "write PT10M, 10m or another time of at most one hour";
        return refused(StatusCode::BAD_REQUEST, detail, remedy);
    };
    let api_id = api_id.split(";rev=").next().unwrap_or_default().to_owned();
    let known: BTreeSet<&str> = snapshot.apis.iter().map(|api| &*api.facts.id).collect();
    let same = |known: &&str| known.split(";rev=").next() == Some(api_id.as_str());
    if !known.iter().any(same) {
        let detail = format!("there is no API `{api_id}` in the configuration that runs");
        let mut refusal = Refusal::new(
            StatusCode::NOT_FOUND,
            "no credential was made",
            &detail,
            "write the id of an API as the configuration has it",
        );
        let near = nearest(&api_id, known.iter().copied());
        refusal.candidates = near.into_iter().map(str::to_owned).collect();
        return Err(refusal);
    }
    Ok((api_id, life))
}

/// A span as ISO 8601 writes it, or as we do.
fn life(text: &str) -> Option<Duration> {
    iso_span(text).or_else(|| span(text))
}

/// `GET /inspector/traces/{id}`.
pub(super) async fn trace(inspector: &Inspector, id: &str, who: &Who, now: Timestamp) -> Answer {
    let is_id =
        id.len() <= ID_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let found = match inspector.own(id, now) {
        _ if !is_id => Ok(None),
        Some(own) => Ok(Some(own.document.clone())),
        None => match inspector.reader() {
            Some(reader) => reader.find(id).await,
            None => Ok(None),
        },
    };
    if matches!(found, Ok(Some(_))) {
        // Who asks for one that is not there yet asks often, and has seen nothing.
        who.changes(Change {
            what: "trace read",
            subject: id,
            before: "kept",
            after: "shown",
            is_done: true,
        });
    }
    match found {
        Ok(Some(document)) => raw(document),
        Ok(None) => Refusal::new(
            StatusCode::NOT_FOUND,
            "no such trace",
            &format!(
                "none of that id is kept: a trace is there a moment after its response, for {} at \
                 most, and the last {TRACES_MAX} are",
                words(TRACE_LIFE)
            ),
            "see GET /inspector/traces for those that are, or make the request again; without a \
             Redis that replicas share, ask the replica that served it",
        )
        .answer(),
        Err(trouble) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the trace was not found here",
            &format!("and other replicas' traces cannot be read: {trouble}"),
            "ask the replica that served the request",
        )
        .answer(),
    }
}

/// `GET /inspector/traces`.
pub(super) async fn latest(inspector: &Inspector, now: Timestamp) -> Answer {
    let own = inspector.own_latest(now);
    let mut traces: Vec<Summary> = own.iter().map(|trace| trace.summary.clone()).collect();
    let mut trouble = None;
    if let Some(reader) = inspector.reader() {
        match reader.latest().await {
            Ok(shared) => {
                let known: BTreeSet<String> =
                    traces.iter().map(|trace| trace.trace_id.clone()).collect();
                traces.extend(shared.into_iter().filter(|it| !known.contains(&it.trace_id)));
            }
            Err(why) => trouble = Some(why.to_string()),
        }
    }
    traces.sort_by(|one, other| other.timestamp.cmp(&one.timestamp));
    traces.truncate(TRACES_MAX);
    json(&Latest { traces, trouble })
}

fn json(shown: &impl Serialize) -> Answer {
    raw(serde_json::to_string_pretty(shown).unwrap_or_default())
}

fn raw(document: String) -> Answer {
    let mut response = Response::new(document.into_bytes());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_iso_or_as_we_do() {
        for (text, seconds) in
            [("PT1H", 3600), ("PT10M", 600), ("PT1M30S", 90), ("10m", 600), ("90s", 90)]
        {
            assert_eq!(life(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "PT", "P1M", "PT5", "PTM", "PT1S1M", "10", "PT18446744073709551615H"] {
            assert_eq!(life(wrong), None, "{wrong}");
        }
    }
}
