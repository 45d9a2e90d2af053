//! Limits for operators: who is near to one, one in full, setting one back, and all bounds.

pub mod shape;
mod bound;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::admin::limits::shape::{
    Bounds, Counter, Detail, OneReset, Permits, ResetDone, Shown, Top,
};
use crate::admin::refusal::Refusal;
use crate::counters::Home;
use crate::counters::reset::CannotReset;
use crate::counters::view::{Found, Prefix, ROWS_MAX, Room, Row, digits};
use crate::limit::key::CounterKey;
use crate::limit::names::Names;
use crate::snapshot::Snapshot;
use crate::telemetry::audit::{Change, Who};
use crate::time::Timestamp;

/// How many counters are shown if nobody says how many.
pub const TOP_USUAL: usize = 20;

type Answer = Response<Vec<u8>>;

/// `GET /limits?top=N`.
pub(super) fn top(home: &Home, names: &Names, query: Option<&str>, now: Timestamp) -> Answer {
    let count = match count(query) {
        Ok(count) => count,
        Err(refusal) => return refusal.answer(),
    };
    let rows = home.top(count, now);
    json(&Top {
        home: home.word().to_owned(),
        counters: home.counters(),
        limits: rows.iter().map(|row| Counter::of(row, names)).collect(),
        permits: home.rooms(count).iter().map(|room| Permits::of(room, names)).collect(),
    })
}

fn count(query: Option<&str>) -> Result<usize, Refusal> {
    let wrong = |detail: &str| {
        let remedy = format!("write ?top=N with a number from 1 to {ROWS_MAX}");
        Refusal::new(StatusCode::BAD_REQUEST, "the query is wrong", detail, &remedy)
    };
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(TOP_USUAL) };
    let text = query.strip_prefix("top=").ok_or_else(|| wrong("`top` is all that can be asked"))?;
    let count = text.parse().ok().filter(|count| (1..=ROWS_MAX).contains(count));
    count.ok_or_else(|| wrong("`top` is no number that can be shown"))
}

/// `GET /limits/{key}`.
pub(super) fn show(home: &Home, names: &Names, text: &str, now: Timestamp) -> Answer {
    match find(home, text, now) {
        Ok(Held::Counters(key, rows)) => json(&Shown {
            key,
            counters: rows.iter().map(|row| Detail::of(row, names)).collect(),
            permits: None,
        }),
        Ok(Held::Room(room)) => json(&Shown {
            key: digits(&room.key),
            counters: Vec::new(),
            permits: Some(Permits::of(&room, names)),
        }),
        Err(refusal) => refusal.answer(),
    }
}

/// `GET /limits/bound`.
pub(super) fn bounds(home: &Home, snapshot: &Snapshot) -> Answer {
    let (limits, more) = bound::all(snapshot, home);
    json(&Bounds { home: home.word().to_owned(), replicas: home.replicas(), limits, more })
}

/// `POST /limits/{key}/reset`.
pub(super) async fn reset(home: &Home, text: &str, who: &Who, now: Timestamp) -> Answer {
    let (key, rows) = match find(home, text, now) {
        Ok(Held::Counters(key, rows)) => (key, rows),
        Ok(Held::Room(_)) => {
            return Refusal::new(
                StatusCode::CONFLICT,
                "the counter is not set back",
                "`limit-concurrency` counts who is inside, and who is inside leaves by itself",
                "look at it with GET /limits/{key}",
            )
            .answer();
        }
        Err(refusal) => return refusal.answer(),
    };
    let mut counters = Vec::new();
    for row in rows {
        let shown = in_words(&row);
        match home.reset(row, now).await {
            Ok(done) => {
                let (before, after) = (format!("{} used", done.used), format!("{}", done.left));
                let subject = format!("{key}: {shown}");
                who.changes(Change {
                    what: "limit reset",
                    subject: &subject,
                    before: &before,
                    after: &after,
                    is_done: true,
                });
                counters.push(OneReset::of(&done));
            }
            Err(cannot) => {
                let subject = format!("{key}: {shown}");
                who.changes(Change {
                    what: "limit reset",
                    subject: &subject,
                    before: "as it was",
                    after: &cannot.to_string(),
                    is_done: false,
                });
                return refused(cannot, counters.len()).answer();
            }
        }
    }
    json(&ResetDone { key, counters })
}

fn in_words(row: &Row) -> String {
    let limit = row.limit.map_or_else(|| "an unknown limit".to_owned(), |limit| limit.to_string());
    let (policy, seconds) = (shape::words(row.key.kind()).0, row.period.as_secs_f64());
    format!("{policy} of {limit} per {seconds} s ({})", row.windows.word())
}

/// Why a counter was not set back, after `done` others of its key were.
fn refused(cannot: CannotReset, done: usize) -> Refusal {
    let (status, remedy) = match cannot {
        CannotReset::OutOfTouch => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ask a replica that is in touch, or wait until /status says that this one is"
                .to_owned(),
        ),
        CannotReset::Unanswered => (
            StatusCode::GATEWAY_TIMEOUT,
            "look at the counter with GET /limits/{key}, and try again".to_owned(),
        ),
        CannotReset::HandedBackTooOften { ends_in } => (
            StatusCode::CONFLICT,
            format!("its window ends in {} s, and then it begins again", ends_in.as_secs_f64()),
        ),
        CannotReset::Unknown => {
            (StatusCode::CONFLICT, "let one request use the key, and try again".to_owned())
        }
        CannotReset::BetweenWindows => (StatusCode::CONFLICT, "try again".to_owned()),
    };
    let detail = match done {
        0 => cannot.to_string(),
        done => format!("{cannot}; {done} other counters of this key were set back"),
    };
    Refusal::new(status, "the counter is not set back", &detail, &remedy)
}

/// What is held under one key.
enum Held {
    /// Its counters, and its digest.
    Counters(String, Vec<Row>),
    /// Who is inside.
    Room(Room),
}

/// What is held under the one key that begins with `text`.
fn find(home: &Home, text: &str, now: Timestamp) -> Result<Held, Refusal> {
    let Some(prefix) = Prefix::parse(text) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "this is no key",
            "a key is the beginning of its digest: 1 to 32 hexadecimal digits",
            "copy one from GET /limits",
        ));
    };
    match home.find(&prefix, now) {
        Found::One(rows) => {
            let key = rows.first().map(|row| digits(&row.key)).unwrap_or_default();
            Ok(Held::Counters(key, rows))
        }
        Found::Room(room) => Ok(Held::Room(room)),
        Found::Nothing => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no such counter",
            "this replica holds no counter whose key begins so",
            "GET /limits has those in use; a key that was not asked for lately is not held",
        )),
        Found::Several(keys) => {
            let mut refusal = Refusal::new(
                StatusCode::CONFLICT,
                "several keys begin so",
                &format!("at least {} keys fit", keys.len()),
                "write more digits",
            );
            refusal.candidates = keys.iter().map(|key: &CounterKey| digits(key)).collect();
            Err(refusal)
        }
    }
}

fn json(shown: &impl Serialize) -> Answer {
    let mut response = Response::new(serde_json::to_vec_pretty(shown).unwrap_or_default());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_within_its_bounds() {
        assert_eq!(count(None).unwrap(), TOP_USUAL);
        assert_eq!(count(Some("top=1000")).unwrap(), ROWS_MAX);
        for wrong in ["top=0", "top=1001", "top=", "top=x", "bottom=1", "top=1&top=2"] {
            assert!(count(Some(wrong)).unwrap_err().remedy.contains("1000"), "{wrong}");
        }
    }
}
