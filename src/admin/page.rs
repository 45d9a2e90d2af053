//! The status page: one page with all it needs, for a browser that is told to load nothing else.
//! Without JavaScript it shows the moment; with it, it looks again every two seconds.

pub mod html;

use http::Response;

use crate::admin::findings::{self, Row};
use crate::admin::page::html::{Html, Page};
use crate::admin::shape::{Refusing, Seen, Together};

/// The most limits that are shown; those that refused most often.
const LIMITS_MAX: usize = 20;

/// The page, as of `date`.
pub(super) fn answer(seen: &Seen, date: &str) -> Response<Vec<u8>> {
    html::answer(page(seen, date))
}

fn page(seen: &Seen, date: &str) -> String {
    let name = seen.replica().unwrap_or("status");
    let wrong = findings::wrong(seen);
    Page { name, wrong: &wrong, date }.with(|html| told(html, seen))
}

fn told(html: &mut Html, seen: &Seen) {
    if let Some(cluster) = &seen.cluster {
        together(html, cluster, ["Cluster", "Replicas"]);
    }
    html.markup("<section>\n<h2>This replica</h2>\n<dl>\n");
    html.fact("State", findings::readiness(seen));
    html.fact("Serves", &findings::serves(seen));
    html.fact("Version", &seen.version);
    if let Some(started) = &seen.started {
        html.fact("Started", started);
    }
    let Seen { requests, requests_in_flight, .. } = seen;
    html.fact("Requests", &format!("{requests}, {requests_in_flight} of them in flight"));
    html.fact("Limits", &findings::sharing(seen));
    if let Some(control) = findings::control(seen) {
        html.fact("Control plane", &control);
    }
    for off in seen.configuration.kill_switch.iter().flat_map(|switch| &switch.off) {
        html.fact("Switched off", off);
    }
    html.markup("</dl>\n</section>\n");
    refusing(html, &seen.limits);
}

/// Replicas that share something, as one of them sees them; what they, and all of them, are called.
pub fn together(html: &mut Html, cluster: &Together, [what, who]: [&'static str; 2]) {
    html.markup("<section>\n<h2>").markup(what).markup("</h2>\n<dl>\n");
    html.fact("Leader", &findings::leader(cluster));
    match &cluster.in_force {
        Some(in_force) => html.fact("In force", &findings::in_force(in_force)),
        None => html.fact("In force", "nothing yet"),
    }
    if let Some(wish) = cluster.in_force.as_ref().and_then(findings::wish) {
        html.fact("Last wish", &wish);
    }
    html.markup("</dl>\n</section>\n<section>\n<table>\n<caption>");
    html.markup(who).markup("</caption>\n");
    html.markup(
        "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Version</th>\
         <th scope=\"col\" class=\"number\">Observed</th>\
         <th scope=\"col\" class=\"number\">Prepared</th>\
         <th scope=\"col\" class=\"number\">Serving</th></tr></thead>\n<tbody>\n",
    );
    for row in findings::rows(cluster) {
        replica(html, &row);
    }
    html.markup("</tbody>\n</table>\n</section>\n");
}

/// A row of a table of replicas: five cells, and one below if there is an error.
pub fn replica(html: &mut Html, row: &Row) {
    html.markup("<tr><th scope=\"row\">").text(&row.name);
    html.markup(if row.is_behind {
        "<span class=\"role wrong\">"
    } else {
        "<span class=\"role\">"
    });
    html.text(&row.role).markup("</span></th><td>").text(&row.version).markup("</td>");
    for generation in row.generations {
        html.markup("<td class=\"number\">").text(&generation.to_string()).markup("</td>");
    }
    html.markup("</tr>\n");
    if let Some(token) = &row.token {
        html.markup("<tr><td colspan=\"5\">Token ").text(token).markup("</td></tr>\n");
    }
    if let Some(error) = &row.error {
        html.markup("<tr><td colspan=\"5\" class=\"error\">").text(error).markup("</td></tr>\n");
    }
}

fn refusing(html: &mut Html, limits: &[Refusing]) {
    let mut limits: Vec<&Refusing> =
        limits.iter().filter(|limit| 0 < limit.refused || 0 < limit.unavailable).collect();
    if limits.is_empty() {
        return;
    }
    limits.sort_by_key(|limit| std::cmp::Reverse(limit.refused.saturating_add(limit.unavailable)));
    html.markup("<section>\n<table>\n<caption>Limits that refused here</caption>\n");
    html.markup(
        "<thead><tr><th scope=\"col\">Policy</th>\
         <th scope=\"col\" class=\"number\">Refused</th>\
         <th scope=\"col\" class=\"number\">Nobody to ask</th></tr></thead>\n<tbody>\n",
    );
    for limit in limits.into_iter().take(LIMITS_MAX) {
        html.markup("<tr><th scope=\"row\">").text(&limit.policy).markup("<span class=\"role\">");
        html.text(&limit.place).markup("</span></th>");
        for count in [limit.refused, limit.unavailable] {
            html.markup("<td class=\"number\">").text(&count.to_string()).markup("</td>");
        }
        html.markup("</tr>\n");
    }
    html.markup("</tbody>\n</table>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::findings::tests::told;
    use crate::admin::page::html::tests::{HOSTILE, assert_is_text};

    fn shown(change: impl FnOnce(&mut Value)) -> String {
        let mut told = told();
        change(&mut told);
        page(&Seen::of(told).unwrap(), "2026-11-22T12:00:00.000Z")
    }

    #[test]
    fn whatever_is_told_is_text() {
        let hostile = HOSTILE;
        let page = shown(|told| {
            told["version"] = hostile.into();
            told["cluster"]["replica"] = hostile.into();
            told["cluster"]["leader"] = hostile.into();
            told["cluster"]["inForce"]["canaries"] = json!([hostile]);
            told["cluster"]["inForce"]["reason"] = hostile.into();
            told["cluster"]["replicas"][0]["replica"] = hostile.into();
            told["cluster"]["replicas"][0]["faults"] = json!([hostile]);
            told["cluster"]["replicas"][0]["token"] = json!({"expires": hostile, "state": hostile});
            told["configuration"]["faults"] = json!([hostile]);
            told["configuration"]["source"] = hostile.into();
            told["limits"] = json!([{"policy": hostile, "place": hostile, "refused": 1}]);
        });
        assert_is_text(&page);
    }

    #[test]
    fn a_gateway_alone_has_a_page_too() {
        let page = shown(|told| {
            told.as_object_mut().unwrap().remove("cluster");
        });
        assert!(page.contains("<title>status · Weir</title>"), "{page}");
        assert!(page.contains("Nothing is wrong") && !page.contains("Replicas"), "{page}");
    }

    #[test]
    fn what_is_wrong_stands_at_the_top_and_beside_its_replica() {
        let page = shown(|told| {
            told["cluster"]["replicas"][0]["serving"] = 6.into();
            told["cluster"]["replicas"][0]["refused"] = 7.into();
        });
        let parts = [
            "2 things are wrong",
            "<li>c is behind: it serves generation 6, not 7</li>",
            "<span class=\"role wrong\">canary, behind</span>",
            "<td colspan=\"5\" class=\"error\">refuses generation 7</td>",
        ];
        let found: Vec<_> = parts.iter().map(|part| page.find(part)).collect();
        assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?} in {page}");
    }
}
