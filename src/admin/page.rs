//! The status page: one page with all it needs, for a browser that is told to load nothing else.
//! Without JavaScript it shows the moment; with it, it looks again every two seconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response};
use openssl::sha::sha256;

use crate::admin::findings::{self, Row};
use crate::admin::shape::{Refusing, Seen, Together};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The most limits that are shown; those that refused most often.
const LIMITS_MAX: usize = 20;

/// A page being written. What is not part of the program is escaped: there is no other way in.
#[derive(Debug, Default)]
struct Html(String);

impl Html {
    fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A name and what it is.
    fn fact(&mut self, name: &'static str, value: &str) {
        self.markup("<dt>").markup(name).markup("</dt><dd>").text(value).markup("</dd>\n");
    }
}

/// The page, as of `date`.
pub(super) fn answer(seen: &Seen, date: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(page(seen, date).into_bytes());
    let head = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        head.insert(name, HeaderValue::from_static(value));
    }
    // Digests in Base64 are always values of fields.
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        head.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What the browser may do: run this script, use this style, ask this gateway. The icon is empty,
/// so that none is asked for.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(sha256(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn page(seen: &Seen, date: &str) -> String {
    let mut html = Html::default();
    let name = seen.replica().unwrap_or("status");
    let wrong = findings::wrong(seen);
    html.markup(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>",
    );
    if !wrong.is_empty() {
        html.markup("\u{26a0} ");
    }
    html.text(name).markup(" · Weir</title>\n<style>").markup(STYLE).markup("</style>\n</head>\n");
    html.markup("<body>\n<header id=\"head\">\n<h1>Weir <span>").text(name);
    html.markup("</span></h1>\n<p role=\"status\" class=\"state");
    match wrong.len() {
        0 => html.markup("\">Nothing is wrong</p>\n"),
        1 => html.markup(" wrong\">One thing is wrong</p>\n"),
        more => html.markup(" wrong\">").text(&more.to_string()).markup(" things are wrong</p>\n"),
    };
    html.markup("</header>\n<p role=\"alert\" class=\"wrong\" id=\"answering\"></p>\n");
    html.markup("<main id=\"told\">\n");
    told(&mut html, seen, &wrong);
    html.markup("<footer>As of <time>")
        .text(date)
        .markup("</time> · <a href=\"status\">as JSON</a>");
    html.markup("</footer>\n</main>\n<noscript><p>Without JavaScript this page stands still: ");
    html.markup("load it again.</p></noscript>\n<script>").markup(SCRIPT);
    html.markup("</script>\n</body>\n</html>\n");
    html.0
}

fn told(html: &mut Html, seen: &Seen, wrong: &[String]) {
    if !wrong.is_empty() {
        html.markup("<section>\n<h2>What is wrong</h2>\n<ul>\n");
        for sentence in wrong {
            html.markup("<li>").text(sentence).markup("</li>\n");
        }
        html.markup("</ul>\n</section>\n");
    }
    if let Some(cluster) = &seen.cluster {
        together(html, cluster);
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

fn together(html: &mut Html, cluster: &Together) {
    html.markup("<section>\n<h2>Cluster</h2>\n<dl>\n");
    html.fact("Leader", &findings::leader(cluster));
    match &cluster.in_force {
        Some(in_force) => html.fact("In force", &findings::in_force(in_force)),
        None => html.fact("In force", "nothing yet"),
    }
    html.markup("</dl>\n</section>\n<section>\n<table>\n<caption>Replicas</caption>\n");
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

fn replica(html: &mut Html, row: &Row) {
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

    fn shown(change: impl FnOnce(&mut Value)) -> String {
        let mut told = told();
        change(&mut told);
        page(&Seen::of(told).unwrap(), "2026-11-22T12:00:00.000Z")
    }

    #[test]
    fn whatever_is_told_is_text() {
        let hostile = "</title><img src=x onerror='alert(\"1\")'>&amp;";
        let page = shown(|told| {
            told["version"] = hostile.into();
            told["cluster"]["replica"] = hostile.into();
            told["cluster"]["leader"] = hostile.into();
            told["cluster"]["inForce"]["canaries"] = json!([hostile]);
            told["cluster"]["inForce"]["reason"] = hostile.into();
            told["cluster"]["replicas"][0]["replica"] = hostile.into();
            told["cluster"]["replicas"][0]["faults"] = json!([hostile]);
            told["configuration"]["faults"] = json!([hostile]);
            told["configuration"]["source"] = hostile.into();
            told["limits"] = json!([{"policy": hostile, "place": hostile, "refused": 1}]);
        });
        assert!(!page.contains("<img"), "{page}");
        let escaped =
            "&lt;/title&gt;&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;amp;";
        assert!(10 < page.matches(escaped).count(), "{page}");
        assert_eq!(page.matches("</title>").count(), 1);
    }

    #[test]
    fn the_policy_of_the_page_lets_in_what_is_on_it_and_nothing_else() {
        let seen = Seen::of(told()).unwrap();
        let answer = answer(&seen, "now");
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(
            !policy.contains("unsafe") && policy.starts_with("default-src 'none';"),
            "{policy}"
        );
        let page = String::from_utf8(answer.into_body()).unwrap();
        for (element, directive) in [("script", "script-src"), ("style", "style-src")] {
            let (open, close) = (format!("<{element}>"), format!("</{element}>"));
            assert_eq!(page.matches(&open).count(), 1);
            let inner = page.split_once(&open).unwrap().1.split_once(&close).unwrap().0;
            let hash = STANDARD.encode(sha256(inner.as_bytes()));
            assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{policy}");
        }
        let markup = page.replace(SCRIPT, "").replace(STYLE, "");
        for outside in ["http:", "https:", " src=", " style=", " onclick=", " onload=", "@import"] {
            assert!(!markup.contains(outside), "{outside}");
        }
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
