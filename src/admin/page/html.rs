//! What pages for operators are made of: a frame, text that is always escaped, one style, one script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response};
use openssl::sha::sha256;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page being written. What is not part of the program is escaped: there is no other way in.
#[derive(Debug, Default)]
pub struct Html(String);

/// What every page says first and last.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Who tells.
    pub name: &'a str,
    /// What is wrong, a sentence each.
    pub wrong: &'a [String],
    /// As of when.
    pub date: &'a str,
}

impl Html {
    /// Puts in what is part of the program.
    pub fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Puts in what is not.
    pub fn text(&mut self, text: &str) -> &mut Self {
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
    pub fn fact(&mut self, name: &'static str, value: &str) {
        self.markup("<dt>").markup(name).markup("</dt><dd>").text(value).markup("</dd>\n");
    }
}

/// The answer with `page` in it.
pub fn answer(page: String) -> Response<Vec<u8>> {
    let mut response = Response::new(page.into_bytes());
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

/// What the browser may do: run this script, use this style, ask where it came from. The icon is empty,
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

impl Page<'_> {
    /// The page, with what `tell` writes.
    pub fn with(self, tell: impl FnOnce(&mut Html)) -> String {
        let Page { name, wrong, date } = self;
        let mut html = Html::default();
        html.markup(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>",
        );
        if !wrong.is_empty() {
            html.markup("\u{26a0} ");
        }
        html.text(name)
            .markup(" · Weir</title>\n<style>")
            .markup(STYLE)
            .markup("</style>\n</head>\n");
        html.markup("<body>\n<header id=\"head\">\n<h1>Weir <span>").text(name);
        html.markup("</span></h1>\n<p role=\"status\" class=\"state");
        match wrong.len() {
            0 => html.markup("\">Nothing is wrong</p>\n"),
            1 => html.markup(" wrong\">One thing is wrong</p>\n"),
            more => {
                html.markup(" wrong\">").text(&more.to_string()).markup(" things are wrong</p>\n")
            }
        };
        html.markup("</header>\n<p role=\"alert\" class=\"wrong\" id=\"answering\"></p>\n");
        html.markup("<main id=\"told\">\n");
        if !wrong.is_empty() {
            html.markup("<section>\n<h2>What is wrong</h2>\n<ul>\n");
            for sentence in wrong {
                html.markup("<li>").text(sentence).markup("</li>\n");
            }
            html.markup("</ul>\n</section>\n");
        }
        tell(&mut html);
        html.markup("<footer>As of <time>")
            .text(date)
            .markup("</time> · <a href=\"status\">as JSON</a>");
        html.markup("</footer>\n</main>\n<noscript><p>Without JavaScript this page stands still: ");
        html.markup("load it again.</p></noscript>\n<script>").markup(SCRIPT);
        html.markup("</script>\n</body>\n</html>\n");
        html.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What somebody might tell so that a browser does what he wants.
    pub(crate) const HOSTILE: &str = "</title><img src=x onerror='alert(\"1\")'>&amp;";

    /// Makes sure that [`HOSTILE`], which was told ten times at least, does nothing in `page`.
    pub(crate) fn assert_is_text(page: &str) {
        assert!(!page.contains("<img"), "{page}");
        let escaped =
            "&lt;/title&gt;&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;amp;";
        assert!(10 < page.matches(escaped).count(), "{page}");
        assert_eq!(page.matches("</title>").count(), 1);
    }

    #[test]
    fn the_policy_of_the_page_lets_in_what_is_on_it_and_nothing_else() {
        let page = Page { name: "a", wrong: &["b".to_owned()], date: "now" };
        let answer = answer(page.with(|html| html.fact("c", "d")));
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
}
