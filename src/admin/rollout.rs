//! What operators want of a cluster's rollout: taken here, done by the leader.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::admin::refusal::Refusal;
use crate::admin::shape::RolloutDone;
use crate::configuration::cluster::Cluster;
use crate::configuration::cluster::record::Current;
use crate::configuration::cluster::wish::{Done, Unheard, What};
use crate::proxy::operators;
use crate::telemetry::audit::{Change, Who};

/// How many digits of a digest say which one is meant, at least.
const DIGITS_MIN: usize = 8;

/// `POST /rollout/{what}?…`.
pub(super) async fn want(
    cluster: Option<&Cluster>,
    what: &str,
    query: &str,
    who: &Who,
) -> Response<Vec<u8>> {
    match ask(cluster, what, query, who).await {
        Ok(done) => {
            let mut response = Response::new(serde_json::to_vec_pretty(&done).unwrap_or_default());
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(refusal) => refusal.answer(),
    }
}

async fn ask(
    cluster: Option<&Cluster>,
    what: &str,
    query: &str,
    who: &Who,
) -> Result<RolloutDone, Refusal> {
    let wrong = |detail: &str, remedy: &str| {
        Refusal::new(StatusCode::BAD_REQUEST, "the request is wrong", detail, remedy)
    };
    let cluster = cluster.ok_or_else(|| {
        let detail = "this gateway shares its configuration with no other replica, so that nothing \
                      is rolled out";
        let remedy = "change its folder; behind a control plane, use `weir control`";
        Refusal::new(StatusCode::CONFLICT, "there is no rollout here", detail, remedy)
    })?;
    let said =
        operators::parts(query).ok_or_else(|| wrong("the query is none", "write ?name=value&…"))?;
    let known: &[&str] = match what {
        "now" => &["generation"],
        "force" => &["digest", "reason"],
        "back" => &["to", "reason"],
        _ => {
            let detail = format!("`{what}` is nothing that can be wanted");
            return Err(wrong(&detail, "there are /rollout/now, /rollout/force and /rollout/back"));
        }
    };
    if let Some(other) = said.keys().find(|name| !known.contains(&name.as_str())) {
        let detail = format!("`{other}` is nothing that can be said here");
        return Err(wrong(&detail, &format!("there are {}", known.join(", "))));
    }
    let number = |name: &str| match said.get(name).map(|text| text.parse::<u64>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(wrong(&format!("`{name}` is no number"), "write a generation")),
    };
    let reason = said.get("reason").map(|reason| reason.trim()).unwrap_or_default();
    if let Err((detail, remedy)) = operators::one_line(reason) {
        return Err(wrong(detail, &remedy));
    }
    let current = cluster.standing.borrow().current.clone().ok_or_else(|| {
        let remedy = "wait until a leader has published something: `weir status`";
        nothing_done("nothing is in force yet, as far as this replica knows", remedy)
    })?;
    let what = match what {
        "now" => What::Now(number("generation")?.unwrap_or(current.number)),
        "back" => What::Back(number("to")?),
        _force if reason.is_empty() => {
            return Err(wrong("there is no reason", "say why it is meant, with `reason`"));
        }
        _force => What::Force(meant(&current, said.get("digest"))?),
    };
    let before = format!("generation {}", current.number);
    let asked = cluster.want(what.clone(), &named(who), reason).await;
    let (after, is_done) = match &asked {
        Ok(done) => (done.outcome.clone(), done.is_done),
        Err(unheard) => (unheard.to_string(), false),
    };
    let (subject, what) = (format!("{what:?}, {reason:?}"), "rollout");
    who.changes(Change { what, subject: &subject, before: &before, after: &after, is_done });
    match asked {
        Ok(Done { is_done: true, outcome, .. }) => Ok(RolloutDone { outcome }),
        Ok(Done { outcome, .. }) => Err(nothing_done(&outcome, "see `weir status`")),
        Err(unheard) => Err(not_heard(&unheard)),
    }
}

/// The digest of what is held back, if `said` means that.
fn meant(current: &Current, said: Option<&String>) -> Result<String, Refusal> {
    let withheld = current.withheld.as_ref().map(|withheld| &withheld.digest);
    let held = withheld.or(current.held.as_ref()).ok_or_else(|| {
        nothing_done("nothing is held back", "a change of the source is published by itself")
    })?;
    let is_meant = |said: &String| DIGITS_MIN <= said.len() && held.starts_with(said.as_str());
    if said.is_none_or(is_meant) {
        return Ok(held.clone());
    }
    let detail = format!("what is held back is {held}");
    Err(nothing_done(&detail, "look at what it is, and say that digest"))
}

fn nothing_done(detail: &str, remedy: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "nothing was done", detail, remedy)
}

fn not_heard(unheard: &Unheard) -> Refusal {
    let (title, remedy) = ("the leader was not reached", "see `weir status`, and try again");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, title, &unheard.to_string(), remedy)
}

/// Who it is, as others are told.
fn named(who: &Who) -> String {
    let operator = if who.operator.is_empty() { "somebody" } else { who.operator.as_str() };
    match who.peer {
        Some(peer) => format!("{operator} at {}", peer.ip().to_canonical()),
        None => operator.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::cluster::record::{Stage, Withheld};

    fn current() -> Current {
        let withheld =
            Withheld { digest: "0123456789abcdef".to_owned(), why: String::new(), since: 1 };
        Current {
            number: 8,
            history: 1,
            digest: "d8".to_owned(),
            epoch: 1,
            stage: Stage::All,
            previous: 7,
            held: None,
            reason: None,
            by: "a".to_owned(),
            origin: None,
            withheld: Some(withheld),
            wish: None,
            sound: vec![7, 8],
            now: false,
        }
    }

    #[test]
    fn force_is_about_what_is_held_back_and_nothing_else() {
        let mut current = current();
        let digest = |text: &str| Some(text.to_owned());
        assert_eq!(meant(&current, None).unwrap(), "0123456789abcdef");
        assert_eq!(meant(&current, digest("01234567").as_ref()).unwrap(), "0123456789abcdef");
        assert!(meant(&current, digest("0123456").as_ref()).is_err());
        assert!(meant(&current, digest("89abcdef").as_ref()).is_err());
        current.withheld = None;
        assert!(meant(&current, None).unwrap_err().detail.contains("nothing is held back"));
        current.held = digest("fedcba9876543210");
        assert_eq!(meant(&current, None).unwrap(), "fedcba9876543210");
    }
}
