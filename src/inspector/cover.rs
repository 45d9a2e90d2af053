//! Takes the secrets out of what is shown of an exchange.
//!
//! What a field, a parameter or a variable holds is not shown where its name says that it is a secret.
//! What stood there is a secret wherever else it stands, and so are the texts that the configuration
//! holds secret, subscription keys, tokens that the gateway got, and whatever reads like a JSON Web
//! Token. All of that is known only at the end, so nothing is covered before.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::exchange::Exchange;
use crate::exchange::inspection::{Change, Fact, Inspection};
use crate::exchange::secrets::{HIDDEN, Secrets};

/// The longest text that is shown, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 1024;

/// Fields that hold nothing but secrets.
const FIELDS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Parts of names of secrets.
const PARTS: [&str; 8] =
    ["auth", "cookie", "key", "token", "secret", "password", "credential", "signature"];

/// Parameters that are secrets without such a part: shared access signatures, keys of functions.
const PARAMETERS: [&str; 2] = ["sig", "code"];

/// Fields with such a part that say nothing secret.
const OPEN: [&str; 4] = [
    "access-control-allow-credentials",
    "access-control-request-headers",
    "access-control-expose-headers",
    "www-authenticate",
];

/// From how many bytes on a text is looked for elsewhere, because of the name it stood under: shorter
/// ones are parts of words that have nothing to do with it.
const FOUND_BYTES_MIN: usize = 8;

/// The longest number that is no secret.
const DIGITS_MAX: usize = 10;

/// What a JSON Web Token begins with: a brace and a quote in Base64.
const TOKEN_START: &str = "eyJ";

/// What must not be shown of one exchange.
#[derive(Debug)]
pub struct Cover<'e> {
    exchange: &'e Exchange,
    found: Secrets,
    is_target_secret: bool,
}

impl<'e> Cover<'e> {
    /// For `exchange`, of which this was kept, and whose response has these fields.
    pub fn of(exchange: &'e Exchange, kept: &Inspection, response: Option<&HeaderMap>) -> Self {
        let mut found = Found { exchange, texts: Vec::new() };
        if let Some(known) = &exchange.subscription {
            found.texts.extend([known.primary_key.to_string(), known.secondary_key.to_string()]);
        }
        found.texts.extend(exchange.key.as_ref().map(ToString::to_string));
        if let Some(backend) = &exchange.backend {
            let fields = backend.headers.iter().filter_map(|(_name, value)| value.to_str().ok());
            found.texts.extend(fields.map(str::to_owned));
            found.texts.extend(backend.query.iter().map(|(_name, value)| value.clone()));
        }
        found.query(&exchange.original.query);
        for fact in kept.entries.iter().flat_map(|entry| &entry.facts) {
            found.fact(fact);
        }
        found.fields(response.into_iter().flatten());
        let is_target_secret = exchange.is_target_secret;
        let found = Secrets::new(found.texts.iter().filter(|text| !text.is_empty()));
        Self { exchange, found, is_target_secret }
    }

    /// `text` without secrets, and not too long.
    pub fn text(&self, text: &str) -> String {
        let covered = self.exchange.covered(self.found.cover(text).into_owned());
        let covered = without_tokens(&covered);
        match covered.char_indices().nth(TEXT_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}…", covered.get(..end).unwrap_or_default()),
            None => covered,
        }
    }

    /// What is shown of the value of a field.
    pub fn field(&self, name: &HeaderName, value: &HeaderValue) -> String {
        let value = String::from_utf8_lossy(value.as_bytes());
        if is_hidden_field(name, &value, self.exchange) {
            HIDDEN.to_owned()
        } else {
            self.text(&value)
        }
    }

    /// What is shown of a variable.
    pub fn variable(&self, name: &str, value: &str) -> String {
        if is_hidden(name, value) { HIDDEN.to_owned() } else { self.text(value) }
    }

    /// What is shown of a URL.
    pub fn url(&self, url: &str) -> String {
        let Some((place, query)) = url.split_once('?') else { return self.text(url) };
        let shown = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_hidden_parameter(name, value, self.exchange) => {
                format!("{name}={HIDDEN}")
            }
            _ => pair.to_owned(),
        });
        self.text(&format!("{place}?{}", shown.collect::<Vec<_>>().join("&")))
    }

    /// What is shown of where a request goes.
    pub fn target(&self, url: &str) -> String {
        if self.is_target_secret { HIDDEN.to_owned() } else { self.url(url) }
    }
}

/// Texts that were found to be secrets.
struct Found<'e> {
    exchange: &'e Exchange,
    texts: Vec<String>,
}

impl Found<'_> {
    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Request { url, fields, .. } => {
                self.url(url);
                self.fields(fields);
            }
            Fact::Response { fields, .. } => self.fields(fields),
            Fact::Tried { url, .. } => self.url(url),
            Fact::Changed(change) => self.change(change),
            Fact::Read(_)
            | Fact::Decided(_)
            | Fact::Failed { .. }
            | Fact::Counted(_)
            | Fact::TimeOut(_)
            | Fact::Said(_) => (),
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Url(url) => self.url(url),
            Change::RequestField(name, values) | Change::ResponseField(name, values) => {
                self.fields(values.iter().map(|value| (name, value)));
            }
            Change::Variable(name, Some(value)) if is_hidden(name, value) => self.text(value),
            Change::Variable(..)
            | Change::Method(_)
            | Change::Status(_)
            | Change::RequestBody(_)
            | Change::ResponseBody(_)
            | Change::Backend(_)
            | Change::Proxy(_)
            | Change::Certificate(_)
            | Change::Samples(_) => (),
        }
    }

    fn fields<'f>(&mut self, fields: impl IntoIterator<Item = (&'f HeaderName, &'f HeaderValue)>) {
        for (name, value) in fields {
            let value = String::from_utf8_lossy(value.as_bytes());
            if !is_hidden_field(name, &value, self.exchange) {
                continue;
            }
            self.text(&value);
            let bare = value.split_once(' ').map_or("", |(_scheme, bare)| bare);
            self.text(bare);
            if let Some(pair) = STANDARD.decode(bare).ok().and_then(|it| String::from_utf8(it).ok())
            {
                self.text(pair.split_once(':').map_or("", |(_user, password)| password));
                self.text(&pair);
            }
            for part in value.split(';').filter(|_part| name.as_str().ends_with("cookie")) {
                self.text(part.split_once('=').map_or("", |(_name, value)| value));
            }
        }
    }

    fn url(&mut self, url: &str) {
        self.query(url.split_once('?').map_or("", |(_place, query)| query));
    }

    fn query(&mut self, query: &str) {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if is_hidden_parameter(name, value, self.exchange) {
                self.text(value);
                self.text(&percent_decode_str(value).decode_utf8_lossy());
            }
        }
    }

    fn text(&mut self, text: &str) {
        if FOUND_BYTES_MIN <= text.trim().len() {
            self.texts.push(text.to_owned());
        }
    }
}

fn is_hidden_field(name: &HeaderName, value: &str, exchange: &Exchange) -> bool {
    let is_key =
        exchange.api.as_ref().is_some_and(|api| api.key_header.eq_ignore_ascii_case(name.as_str()));
    let of_backend = |it: &crate::backend::Backend| it.headers.iter().any(|(own, _)| own == name);
    is_key
        || FIELDS.contains(&name.as_str())
        || exchange.backend.as_deref().is_some_and(of_backend)
        || (!OPEN.contains(&name.as_str()) && is_hidden(name.as_str(), value))
}

fn is_hidden_parameter(name: &str, value: &str, exchange: &Exchange) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let is_key = exchange.api.as_ref().is_some_and(|api| api.key_query.eq_ignore_ascii_case(&name));
    is_key || PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) || is_hidden(&name, value)
}

/// Whether the name says that it is a secret, and `value` is no small number, as of tokens that are
/// left.
fn is_hidden(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_number = value.len() <= DIGITS_MAX && value.bytes().all(|byte| byte.is_ascii_digit());
    !is_number && PARTS.iter().any(|part| name.contains(part))
}

/// `text` with [`HIDDEN`] in place of all that reads like a JSON Web Token.
fn without_tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(TOKEN_START) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        shown.push_str(before);
        shown.push_str(if word.contains('.') { HIDDEN } else { word });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_by_how_they_read() {
        let shown = without_tokens("Bearer eyJhbGciOi.eyJzdWIi.c2ln, and eyJust words. eyJ");
        assert_eq!(shown, "Bearer (secret), and eyJust words. eyJ");
    }

    #[test]
    fn names_say_what_is_secret_and_small_numbers_are_not() {
        assert!(is_hidden("X-Api-Key", "abc") && is_hidden("access_token", "x"));
        assert!(is_hidden("sessionToken", "12345678901"));
        assert!(!is_hidden("x-ratelimit-remaining-tokens", "4096"));
        assert!(!is_hidden("accept", "text/plain"));
    }
}
