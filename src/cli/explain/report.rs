//! What `weir explain` prints.

use std::io::Write;

use crate::admission::{Admitted, Called};
use crate::backend::pool;
use crate::cli::explain::pretend::Pretended;
use crate::cli::{Outcome, say};
use crate::exchange::message::Body;
use crate::policy::Section;
use crate::policy::machine::Ran;
use crate::policy::program::Note;
use crate::route::Request;
use crate::route::explain::{ApiVerdict, Considered};
use crate::snapshot::Snapshot;

/// The route, and why others lost.
pub(super) fn route(snapshot: &Snapshot, called: &Called<'_>, out: &mut impl Write) {
    say(out, "route\n");
    let request = Request {
        scheme: called.routed_scheme(),
        host: &called.host,
        method: called.method,
        path: &called.path,
        query: called.query,
        headers: called.headers,
    };
    let considered = snapshot.routes.explain(&request);
    let mut chosen = None;
    for candidate in &considered {
        say(out, &format!("  {}\n", named(snapshot, candidate, &mut chosen)));
    }
    let hosts = served(snapshot, &called.host);
    if !hosts.is_empty() {
        say(out, &format!("  no API answers at the host `{}`: served are {hosts}\n", called.host));
    } else if considered.is_empty() {
        say(out, "  no API is near this host and path\n");
    }
}

/// The hosts that are served, where `host` is none of them; empty where it is one.
fn served(snapshot: &Snapshot, host: &str) -> String {
    let mut hosts = Vec::new();
    for api in snapshot.routes.apis() {
        if api.hosts.is_empty() || api.hosts.iter().any(|own| own.takes(host)) {
            return String::new();
        }
        hosts.extend(api.hosts.iter().map(|own| format!("`{own}`")));
    }
    hosts.sort();
    hosts.dedup();
    let more = hosts.len().saturating_sub(HOSTS_MAX);
    hosts.truncate(HOSTS_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    hosts.join(", ") + &more
}

/// The most hosts that are listed.
const HOSTS_MAX: usize = 10;

/// In whose name the request goes on.
pub(super) fn caller(admitted: &Admitted, out: &mut impl Write) {
    let exchange = &admitted.exchange;
    say(out, "caller\n");
    let subscription = exchange.subscription.as_ref().map_or("none", |known| &known.id);
    let product = exchange.product.as_ref().map_or("none", |known| &known.id);
    let user = exchange.user.as_ref().map_or("none", |known| &known.id);
    say(out, &format!("  subscription {subscription}, product {product}, user {user}\n"));
}

/// Each policy, in order, with its place and whether it ran.
pub(super) fn policies(admitted: &Admitted, pretended: &Pretended, out: &mut impl Write) {
    let program = admitted.machine.program();
    let ran = admitted.machine.ran();
    for section in Section::ALL {
        let blocks = program.blocks(section);
        let steps: usize = blocks.iter().map(|block| block.steps.len()).sum();
        say(out, &format!("{section}, {}\n", counted(steps, "step")));
        for block in blocks {
            for note in &block.notes {
                step(section, note, ran, out);
            }
        }
    }
    lines("limits", &pretended.limits, out);
    lines("asks", &pretended.asked, out);
    for trace in &admitted.exchange.traces {
        say(out, &format!("trace {}: {}\n", trace.source, trace.message));
    }
}

fn step(section: Section, note: &Note, ran: &[Ran], out: &mut impl Write) {
    let same = |ran: &&Ran| ran.note.place == note.place && ran.section == section;
    let times: Vec<&Ran> = ran.iter().filter(same).collect();
    let mark = if times.is_empty() { "skips" } else { "runs " };
    let outcome = times.iter().find_map(|ran| ran.outcome.as_deref());
    let outcome = outcome.map_or_else(String::new, |outcome| format!("  → {outcome}"));
    let text = format!("  {mark}  {:<24} {}  ({}){outcome}\n", note.policy, note.place, note.scope);
    say(out, &text);
}

const NOT_FORWARDED: &str = "  the request is not forwarded\n";
const NO_BACKEND: &str = "  none: the API has no `serviceUrl`, and no `set-backend-service` ran \
                          before `forward-request`\n";

/// Where the request goes, and how.
pub(super) fn backend(admitted: &Admitted, pretended: &Pretended, out: &mut impl Write) {
    say(out, "backend\n");
    let exchange = &admitted.exchange;
    let request = &exchange.request;
    let Some(forward) = pretended.forwards.last() else {
        let error = exchange.last_error.as_ref();
        let lost = error.is_some_and(|error| error.source == "forward-request");
        say(out, if lost && request.base.is_nowhere() { NO_BACKEND } else { NOT_FORWARDED });
        return;
    };
    let backend = exchange
        .backend
        .as_ref()
        .map_or_else(String::new, |backend| format!(" (backend {})", backend.id));
    let base = &request.base;
    let target = request.target();
    let target = target.strip_prefix(base.path.as_str()).unwrap_or(&target);
    say(out, &format!("  {} {base}{target}{backend}\n", request.method));
    if let Some(pool) = exchange.backend.as_ref().and_then(|backend| backend.pool.as_ref()) {
        say(
            out,
            "  a pool: for each try one of these is chosen, of the first priority that can serve\n",
        );
        for member in &pool.members {
            let pool::Member { backend, priority, weight, .. } = member;
            let (id, base) = (&backend.id, &backend.base);
            say(out, &format!("    {id}  {base}  priority {priority}, weight {weight}\n"));
        }
    }
    if let Some(proxy) = exchange.way() {
        let shown =
            proxy.authorization.as_ref().map_or("", |_shown| ", which is shown credentials");
        say(out, &format!("  through the proxy {proxy}{shown}\n"));
    }
    if let Some(token) = exchange.backend.as_ref().and_then(|backend| backend.token.as_ref()) {
        say(out, &format!("  with {token}\n"));
    }
    say(out, &format!("  waits at most {:?} for the head of the response\n", forward.wait));
    let program = admitted.machine.program();
    let touched = !matches!(request.body, Body::Waiting | Body::None);
    let how = match (program.collected(), program.reads_request_body()) {
        (Some(because), _) => {
            format!("collected: {}, by {} at {}", because.why, because.policy, because.place)
        }
        (None, Some(because)) if touched => {
            format!("collected: {}, by {} at {}", because.why, because.policy, because.place)
        }
        _ => "streaming: no policy needs a body before it decides".to_owned(),
    };
    say(out, &format!("  {how}\n"));
}

/// What the client gets.
pub(super) fn answer(admitted: &Admitted, pretended: &Pretended, out: &mut impl Write) -> Outcome {
    say(out, "answer\n");
    let exchange = &admitted.exchange;
    if let Some(error) = &exchange.last_error {
        say(out, &format!("  {} {}: {}\n", error.source, error.reason, error.message));
    }
    let status = exchange.response.as_ref().map_or(200, |response| response.status.as_u16());
    let by = if exchange.last_error.is_some() || pretended.forwards.is_empty() {
        "by the gateway"
    } else {
        "as the backend answers; 200 with an empty JSON object is pretended"
    };
    say(out, &format!("  {status}, {by}\n"));
    if exchange.last_error.is_some() { Outcome::Wrong } else { Outcome::Fine }
}

/// A candidate by its name, and what became of it.
fn named(snapshot: &Snapshot, considered: &Considered, chosen: &mut Option<usize>) -> String {
    match considered {
        Considered::Api { api, verdict } => {
            if *verdict == ApiVerdict::Chosen {
                *chosen = Some(*api);
            }
            let facts = snapshot.apis.get(*api).map(|entry| &entry.facts);
            let (id, path) = facts.map_or(("?", "?"), |facts| (&facts.id, &facts.path));
            let revision = facts.map_or("?", |facts| &facts.revision);
            format!("API {id} (/{path};rev={revision}): {verdict}")
        }
        Considered::Operation { operation, verdict } => {
            let entry = chosen.and_then(|api| snapshot.apis.get(api));
            let facts = entry
                .and_then(|entry| entry.operations.get(*operation))
                .map(|operation| &operation.facts);
            let id = facts.map_or("?", |facts| &facts.id);
            let method = facts.map_or("?", |facts| &facts.method);
            let template = facts.map_or("?", |facts| &facts.url_template);
            format!("  operation {id} ({method} {template}): {verdict}")
        }
    }
}

fn lines(title: &str, lines: &[String], out: &mut impl Write) {
    if !lines.is_empty() {
        say(out, &format!("{title}\n"));
    }
    for line in lines {
        say(out, &format!("  {line}\n"));
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
