//! What operators switch off at gateways, and on again.

use std::net::SocketAddr;

use http::{Response, StatusCode};
use pingora::http::RequestHeader;
use serde::{Deserialize, Serialize};

use super::{Operators, json};
use crate::configuration::switch::orders::{Order, TEXT_BYTES_MAX, Target};
use crate::control::switches::{Deed, Entry};
use crate::fault::nearest;
use crate::policy::catalog;
use crate::policy::disabled::Instead;
use crate::proxy::operators::{one_line, parts, plain, who};
use crate::telemetry::audit::Change;
use crate::time::{Clock, Timestamp, date};

/// The answer to whoever switches something off or on.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Switched {
    /// What is off now, a line each.
    pub off: Vec<String>,
}

/// What is off, as operators are shown it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Off {
    /// As the local file has it: `policy cors: skip`, `api a`, `operation a/get`.
    pub what: String,
    /// The gateway; none for all.
    pub gateway: Option<String>,
    /// Who switched it off.
    pub by: String,
    /// When.
    pub since: String,
    /// Why; empty if that was not said.
    pub reason: String,
}

/// What somebody wants.
struct Asked {
    what: Target,
    gateway: Option<String>,
    reason: String,
}

impl Off {
    pub(super) fn of(entry: &Entry) -> Self {
        let Entry { order, gateway } = entry.clone();
        Self {
            what: order.what.shown(),
            gateway,
            by: order.by,
            since: date(Timestamp::from_micros(order.at.saturating_mul(1_000))),
            reason: order.reason,
        }
    }

    fn line(&self) -> String {
        let of = self.gateway.as_ref().map_or_else(String::new, |it| format!(", at gateway {it}"));
        format!("{}{of}, by {}, {}", self.what, self.by, self.since)
    }
}

impl Operators {
    /// Switches something off, or on again.
    pub(super) async fn switch(
        &self,
        head: &RequestHeader,
        peer: Option<SocketAddr>,
        is_off: bool,
    ) -> Response<Vec<u8>> {
        let query = head.uri.query().unwrap_or_default();
        let Asked { what, gateway, reason } = match asked(query, is_off) {
            Ok(asked) => asked,
            Err(wrong) => return plain(StatusCode::BAD_REQUEST, &format!("{wrong}\n")),
        };
        let who = who(head, peer);
        let by = if who.operator.is_empty() { "somebody" } else { &who.operator };
        let at = self.clock.now().micros() / 1_000;
        let order = Order { what: what.clone(), by: by.to_owned(), at, reason };
        let named = gateway.clone();
        let deed = if is_off {
            Deed::Disable(Entry { order, gateway: named })
        } else {
            Deed::Enable(order.what, named)
        };
        let changed = self.switches.change(deed).await;
        let subject = format!("{}, {}", what.shown(), gateway.as_deref().unwrap_or("all gateways"));
        who.changes(Change {
            what: if is_off { "switch off" } else { "switch on" },
            subject: &subject,
            before: "as it was",
            after: changed.as_ref().err().map_or("done", String::as_str),
            is_done: changed.is_ok(),
        });
        if let Err(why) = changed {
            return plain(StatusCode::CONFLICT, &format!("{why}\n"));
        }
        let list = self.switches.list();
        json(&Switched { off: list.entries().iter().map(|it| Off::of(it).line()).collect() })
    }
}

/// What is to be switched off or on, as a query says it; or what is wrong with that.
fn asked(query: &str, is_off: bool) -> Result<Asked, String> {
    let mut said = parts(query).ok_or("write ?name=value&…")?;
    let mut take = |name: &str| said.remove(name).filter(|it| !it.is_empty());
    let (policy, api, operation) = (take("policy"), take("api"), take("operation"));
    let (instead, gateway) = (take("instead"), take("gateway"));
    let reason = take("reason").unwrap_or_default();
    if let Some(other) = said.keys().next() {
        return Err(format!("`{other}` is nothing that can be said here"));
    }
    let what = match (policy, api, operation) {
        (Some(name), None, None) => policy_of(name, instead.as_deref(), is_off)?,
        (None, Some(id), None) => Target::Api(id),
        (None, None, Some(name)) => {
            let is_one =
                name.split_once('/').is_some_and(|(api, it)| !api.is_empty() && !it.is_empty());
            if !is_one {
                return Err(format!(
                    "`{name}` names no operation: write the ids of API and operation, `orders/list`"
                ));
            }
            Target::Operation(name)
        }
        _ => return Err("say one of policy, api and operation".to_owned()),
    };
    one_line(&reason).map_err(|(wrong, remedy)| format!("{wrong}: {remedy}"))?;
    let texts = [what.name(), gateway.as_deref().unwrap_or_default()];
    if texts.iter().any(|text| TEXT_BYTES_MAX < text.len() || text.chars().any(char::is_control)) {
        return Err("a name is too long, or no text".to_owned());
    }
    Ok(Asked { what, gateway, reason })
}

fn policy_of(name: String, instead: Option<&str>, is_off: bool) -> Result<Target, String> {
    if is_off && catalog::find(&name).is_none() {
        let meant = nearest(&name, catalog::names());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        return Err(format!("there is no policy `{name}`{meant}"));
    }
    let refuse = match instead.map(Instead::named) {
        Some(Some(instead)) => instead == Instead::Refuse,
        None if !is_off => false,
        Some(None) | None => {
            return Err("say what is done instead: `skip` (as if the policy were not written) or \
                        `refuse` (its requests fail with 503)"
                .to_owned());
        }
    };
    Ok(Target::Policy { name, refuse })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str) -> String {
        match asked(query, true) {
            Ok(asked) => format!("{} at {:?}", asked.what.shown(), asked.gateway),
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn what_is_switched_off_is_said_in_full() {
        assert_eq!(told("policy=cors&instead=skip"), "policy cors: skip at None");
        assert_eq!(told("api=a&gateway=north"), "api a at Some(\"north\")");
        assert_eq!(told("operation=a%2Fget&reason=x"), "operation a/get at None");
        assert!(told("policy=cors").contains("`skip`") && told("policy=cors").contains("`refuse`"));
        assert!(told("policy=rate-limits&instead=skip").contains("did you mean `rate-limit`?"));
        assert!(told("operation=get").contains("`orders/list`"));
        assert!(told("").contains("one of") && told("api=a&operation=b/c").contains("one of"));
        assert!(told("api=a&colour=blue").contains("`colour`"));
        assert!(
            told("api=a%0ab").contains("no text") && told("api=a&reason=x%0a").contains("one line")
        );
        // What a later version switched off can be switched on again.
        assert!(asked("policy=of-a-later-version", false).is_ok());
    }
}
