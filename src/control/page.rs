//! The status page of a control plane: made of the same parts as that of a gateway, and as quiet.

use http::Response;

use super::findings;
use super::shape::Seen;
use crate::admin::page::html::{self, Html, Page};
use crate::admin::page::{replica, together};

/// The most replicas that are shown: those first that something is wrong with.
const REPLICAS_MAX: usize = 500;

/// The page, as of `date`.
pub(super) fn answer(seen: &Seen, date: &str) -> Response<Vec<u8>> {
    html::answer(page(seen, date))
}

fn page(seen: &Seen, date: &str) -> String {
    let name = seen.cluster.as_ref().map_or("control plane", |cluster| &cluster.replica);
    let wrong = findings::wrong(seen);
    Page { name, wrong: &wrong, date }.with(|html| told(html, seen))
}

fn told(html: &mut Html, seen: &Seen) {
    html.markup("<section>\n<h2>This control plane</h2>\n<dl>\n");
    html.fact("Offers", &findings::offers(seen));
    html.fact("Source", &findings::source(seen));
    html.fact("Gateways", &findings::connected(seen));
    html.fact("Version", &seen.version);
    html.fact("Started", &seen.started);
    html.markup("</dl>\n</section>\n");
    if let Some(cluster) = &seen.cluster {
        together(html, cluster, ["All control planes", "Control planes"]);
    }
    gateways(html, seen);
    history(html, seen);
}

fn gateways(html: &mut Html, seen: &Seen) {
    let rows = findings::rows(seen);
    if rows.is_empty() {
        return;
    }
    html.markup("<section>\n<table>\n<caption>Gateways</caption>\n");
    html.markup(
        "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Version</th>\
         <th scope=\"col\" class=\"number\">Observed</th>\
         <th scope=\"col\" class=\"number\">Prepared</th>\
         <th scope=\"col\" class=\"number\">Serving</th></tr></thead>\n<tbody>\n",
    );
    for row in rows.iter().take(REPLICAS_MAX) {
        replica(html, row);
    }
    html.markup("</tbody>\n</table>\n");
    let more = rows.len().saturating_sub(REPLICAS_MAX);
    if 0 < more {
        html.markup("<p>And ").text(&more.to_string()).markup(" more.</p>\n");
    }
    html.markup("</section>\n");
}

fn history(html: &mut Html, seen: &Seen) {
    if seen.generations.is_empty() {
        return;
    }
    html.markup("<section>\n<table>\n<caption>Generations</caption>\n");
    html.markup(
        "<thead><tr><th scope=\"col\" class=\"number\">Number</th>\
         <th scope=\"col\">Published</th><th scope=\"col\">Content</th></tr></thead>\n<tbody>\n",
    );
    for former in seen.generations.iter().rev() {
        html.markup("<tr><th scope=\"row\" class=\"number\">").text(&former.number.to_string());
        html.markup("</th><td>").text(&former.date());
        if let Some(by) = &former.by {
            html.markup("<span class=\"role\">by ").text(by).markup("</span>");
        }
        html.markup("</td><td>").text(former.digest.get(..12).unwrap_or(&former.digest));
        if let Some(like) = former.like {
            html.markup("<span class=\"role\">that of ").text(&like.to_string()).markup("</span>");
        }
        html.markup("</td></tr>\n");
    }
    html.markup("</tbody>\n</table>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admin::findings::tests::told as of_gateway;
    use crate::admin::page::html::tests::{HOSTILE, assert_is_text};
    use crate::control::findings::tests::told;

    #[test]
    fn whatever_is_told_is_text() {
        let hostile = HOSTILE;
        let mut told = told();
        for field in ["version", "started", "since"] {
            told[field] = hostile.into();
        }
        told["source"] = json!({"folder": hostile, "loaded": hostile});
        told["faults"] = json!([hostile]);
        told["generations"] = json!([{"number": 1, "digest": hostile, "by": hostile}]);
        for field in ["gateway", "replica", "version", "since", "credentialExpires"] {
            told["replicas"][0][field] = hostile.into();
        }
        (told["replicas"][0]["refuses"], told["replicas"][0]["faults"]) =
            (3.into(), json!([hostile]));
        told["cluster"] = of_gateway()["cluster"].clone();
        told["cluster"]["replica"] = hostile.into();
        told["cluster"]["leader"] = hostile.into();
        let page = page(&Seen::of(told).unwrap(), "2026-11-22T12:00:00.000Z");
        assert_is_text(&page);
    }

    #[test]
    fn it_shows_what_is_offered_the_gateways_and_the_history() {
        let page = page(&Seen::of(told()).unwrap(), "now");
        let parts = [
            "<title>control plane · Weir</title>",
            "Nothing is wrong",
            "generation 3 since 2026-11-22T10:30:00.000Z: the folder has it",
            "/etc/weir, loaded at 2026-11-22T10:30:00.000Z and good",
            "2 connected, 2 of them serve the newest generation",
            "north/a<span class=\"role\">connected since",
            "north/c<span class=\"role\">away since",
            "<caption>Generations</caption>",
            "<th scope=\"row\" class=\"number\">3</th>",
            "<th scope=\"row\" class=\"number\">2</th>",
        ];
        let found: Vec<_> = parts.iter().map(|part| page.find(part)).collect();
        assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?} in {page}");
    }

    #[test]
    fn of_many_replicas_those_are_shown_that_something_is_wrong_with() {
        let mut told = told();
        let mut many = vec![told["replicas"][0].clone(); REPLICAS_MAX + 1];
        many[REPLICAS_MAX]["serving"] = 2.into();
        many[REPLICAS_MAX]["replica"] = "z".into();
        told["replicas"] = many.into();
        let page = page(&Seen::of(told).unwrap(), "now");
        assert!(page.contains("north/z<span class=\"role wrong\">"), "{page}");
        assert!(page.contains("And 1 more."));
    }
}
