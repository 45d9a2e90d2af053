//! What happened, in one line.

use super::{Changed, Data, Limit};

/// All that `data` says in parts.
pub(super) fn message(data: &Data) -> String {
    let mut parts = Vec::new();
    if let Some(request) = &data.request {
        parts.push(match data.timeout_seconds {
            Some(most) => {
                format!("forwards {} {}, time-out {most} s", request.method, request.url)
            }
            None => format!("{} {}", request.method, request.url),
        });
    }
    parts.extend(data.read.iter().cloned());
    parts.extend(data.limits.iter().map(limit));
    parts.extend(data.decided.iter().cloned());
    let failures = data.tries.iter().filter_map(|attempt| attempt.failure.as_ref());
    parts.extend(failures.map(|why| format!("attempt failed: {why}")));
    if let Some(response) = &data.response {
        parts.push(format!("answered {} {}", response.status.code, response.status.reason));
    }
    // What a response brings is told as a whole.
    let is_told = |it: &&Changed| data.response.is_some() && it.what != "variable";
    parts.extend(data.changed.iter().filter(|it| !is_told(it)).map(change));
    parts.extend(data.traces.iter().map(|said| format!("says: {}", said.message)));
    if let Some(failure) = &data.failure {
        parts.push(format!("fails with {}: {}", failure.reason, failure.message));
    }
    if parts.is_empty() { "changes nothing".to_owned() } else { parts.join("; ") }
}

fn limit(limit: &Limit) -> String {
    let mode = limit.mode.as_ref().map(|mode| format!(" ({mode})")).unwrap_or_default();
    let who = limit.who.as_ref().map(|who| format!(" of `{who}`")).unwrap_or_default();
    let outcome = if limit.allowed { "allowed" } else { "refused" };
    let Limit { kind, used, limit, remaining, .. } = limit;
    format!("{kind}{mode}{who}: {outcome}, {used} of {limit} used, {remaining} left")
}

fn change(change: &Changed) -> String {
    let name = change.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    match &change.value {
        Some(value) => format!("sets {}{name}: {value}", change.what),
        None => format!("removes {}{name}", change.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_fits_a_line() {
        let set = |name: &str, value: Option<&str>| Changed {
            what: "request header".to_owned(),
            name: Some(name.to_owned()),
            value: value.map(str::to_owned),
        };
        let limit = Limit {
            kind: "rate-limit-by-key".to_owned(),
            mode: Some("fast".to_owned()),
            who: Some("a".to_owned()),
            allowed: false,
            cost: 1,
            limit: 3,
            used: 3,
            remaining: 0,
        };
        let data = Data {
            limits: vec![limit],
            changed: vec![set("A", Some("1")), set("B", None)],
            ..Data::default()
        };
        let told = "rate-limit-by-key (fast) of `a`: refused, 3 of 3 used, 0 left; \
                    sets request header A: 1; removes request header B";
        assert_eq!(message(&data), told);
        assert_eq!(message(&Data::default()), "changes nothing");
    }
}
