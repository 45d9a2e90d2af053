//! `llm-content-safety`: lets Azure AI Content Safety judge what is asked, and what is answered.
//!
//! The service is called through a backend of the configuration, with its credentials: first
//! `text:shieldPrompt` where attacks are looked for, then `text:analyze` where harm or blocklists are,
//! once for each window of the text. What it finds is answered with 403. Where it cannot be asked, or
//! says nothing that can be understood, nobody passes: 500, so that an outage is told from a verdict.
//!
//! What is answered is kept until it was judged, also where it is a stream.

pub(in crate::policy) mod build;
mod findings;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::backend::Backend;
use crate::exchange::Exchange;
use crate::exchange::message::{Body, Response};
use crate::expression::library::json::write::quoted;
use crate::llm::text;
use crate::policy::build::references::Backends;
use crate::policy::llm::safety::build::within;
use crate::policy::llm::safety::findings::Findings;
use crate::policy::operand::Operand;
use crate::policy::send::outgoing::{Outgoing, Url};
use crate::policy::send::{failed, nested_field};
use crate::policy::{Failure, Side};
use crate::problem::Problem;

/// The most characters that the service takes at once.
const CHARACTERS_MAX: usize = 10_000;
/// The most windows of one text that are judged: each is a call.
const WINDOWS_MAX: usize = 100;
/// How long the service may take for one window.
const WAIT: Duration = Duration::from_secs(10);
/// The version of its interface.
const VERSION: &str = "api-version=2024-09-01";
/// The highest severity.
const SEVERITY_MAX: usize = 7;

/// Who refuses, also where the run stands at `forward-request`.
const NAME: &str = "llm-content-safety";

/// `llm-content-safety`.
#[derive(Clone, Debug)]
pub struct ContentSafety {
    backend: Operand<Arc<str>>,
    backends: Arc<Backends>,
    shields: Option<Operand<bool>>,
    completions: Option<Operand<bool>>,
    window: Option<Operand<u64>>,
    overlap: Option<Operand<u64>>,
    levels: Option<Operand<Levels>>,
    categories: Vec<(Operand<Harm>, Operand<u64>)>,
    blocklists: Vec<Operand<Arc<str>>>,
    side: Side,
}

/// A kind of harm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Harm(&'static str);

/// In how many levels severity is told.
#[derive(Clone, Copy, Debug)]
struct Levels(&'static str);

/// What is looked for in one exchange, and where.
#[derive(Clone, Debug)]
pub struct Rules {
    backend: Arc<Backend>,
    shields: bool,
    window: usize,
    overlap: usize,
    levels: &'static str,
    thresholds: Vec<(Harm, u64)>,
    blocklists: Vec<Arc<str>>,
}

/// What is still to be asked; what is waited for stands first.
#[derive(Debug, Default)]
pub struct Checks(VecDeque<(Arc<Rules>, Question, String)>);

/// What is asked of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Question {
    /// Whether it attacks.
    Shield,
    /// What harm is in it.
    Analyze,
}

impl ContentSafety {
    /// Whether what is answered may be judged, too.
    pub(in crate::policy) fn judges_answers(&self) -> bool {
        let completions = self.completions.as_ref();
        completions.is_some_and(|completions| completions.constant() != Some(&false))
    }

    /// What is to be asked now, and by what rules the answer is to be judged, if it is.
    pub(in crate::policy) fn begin(
        &self,
        exchange: &mut Exchange,
    ) -> Result<(Checks, Option<Arc<Rules>>), Failure> {
        let rules = Arc::new(self.rules(exchange)?);
        let mut checks = Checks::default();
        if self.side == Side::Response {
            checks.add_answer(&rules, exchange)?;
            return Ok((checks, None));
        }
        let Some(prompt) = text::prompt(bytes(&exchange.request.body)) else {
            // Somebody else may be able to read it.
            return Err(refused("it cannot be read"));
        };
        checks.add(&rules, &prompt, rules.shields)?;
        let judges_answer = match &self.completions {
            Some(completions) => completions.get(exchange)?,
            None => false,
        };
        Ok((checks, judges_answer.then_some(rules)))
    }

    fn rules(&self, exchange: &mut Exchange) -> Result<Rules, Failure> {
        let id = self.backend.get(exchange)?;
        let Some(backend) = self.backends.get(&id).cloned() else {
            let id = self.backend.shown(&id);
            return Err(Failure::value(format!("there is no backend {id}")));
        };
        let window = size(self.window.as_ref(), (usize::MAX, 1), exchange)?;
        let overlap = size(self.overlap.as_ref(), (0, 0), exchange)?;
        if window <= overlap {
            let message = format!("windows of {window} characters cannot share {overlap}");
            return Err(Failure::value(message));
        }
        let shields = match &self.shields {
            Some(shields) => shields.get(exchange)?,
            None => false,
        };
        let levels = match &self.levels {
            Some(levels) => levels.get(exchange)?.0,
            None => "FourSeverityLevels",
        };
        let mut thresholds = Vec::with_capacity(self.categories.len());
        for (harm, threshold) in &self.categories {
            thresholds.push((harm.get(exchange)?, threshold.get(exchange)?));
        }
        let mut blocklists = Vec::with_capacity(self.blocklists.len());
        for id in &self.blocklists {
            blocklists.push(id.get(exchange)?);
        }
        Ok(Rules { backend, shields, window, overlap, levels, thresholds, blocklists })
    }
}

/// A number of characters: what `operand` gives, else `usual`.
fn size(
    operand: Option<&Operand<u64>>,
    (usual, min): (usize, usize),
    exchange: &mut Exchange,
) -> Result<usize, Failure> {
    let Some(operand) = operand else { return Ok(usual) };
    let value = operand.get(exchange)?;
    within(value, (min, CHARACTERS_MAX)).ok_or_else(|| {
        let right = format!("a number of characters from {min} to {CHARACTERS_MAX}");
        Failure::value(format!("{value} is not {right}"))
    })
}

fn bytes(body: &Body) -> &[u8] {
    body.bytes().map(|bytes| &bytes[..]).unwrap_or_default()
}

impl Checks {
    /// What is answered is to be judged by `rules`.
    pub(in crate::policy) fn add_answer(
        &mut self,
        rules: &Arc<Rules>,
        exchange: &Exchange,
    ) -> Result<(), Failure> {
        let Some(response) = &exchange.response else { return Ok(()) };
        let kind = response.headers.text(&CONTENT_TYPE).unwrap_or_default();
        let is_stream = kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        match text::answer(bytes(&response.body), is_stream) {
            Some(answer) => self.add(rules, &answer, false),
            // Somebody else may be able to read it.
            None if response.status.is_success() => Err(refused("it cannot be read")),
            // What a server in front of the model says that has failed.
            None => Ok(()),
        }
    }

    fn add(&mut self, rules: &Arc<Rules>, text: &str, shields: bool) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let windows = windows(text, rules.window, rules.overlap);
        let windows = windows.ok_or_else(|| refused("it is too long"))?;
        let analyzes = !rules.thresholds.is_empty() || !rules.blocklists.is_empty();
        let questions = [(shields, Question::Shield), (analyzes, Question::Analyze)];
        for (_, question) in questions.into_iter().filter(|(is_asked, _)| *is_asked) {
            let ask = |window: &String| (Arc::clone(rules), question, window.clone());
            self.0.extend(windows.iter().map(ask));
        }
        Ok(())
    }

    /// What is to be asked next.
    pub(in crate::policy) fn next(&self, exchange: &Exchange) -> Result<Option<Outgoing>, Failure> {
        let Some((rules, question, text)) = self.0.front() else { return Ok(None) };
        rules.ask(*question, text, exchange).map(Some)
    }

    /// Judges what the service said to what was asked last.
    pub(in crate::policy) fn answered(
        &mut self,
        answered: Result<Response, Failure>,
    ) -> Result<(), Failure> {
        let Some((rules, question, _)) = self.0.pop_front() else { return Ok(()) };
        let response = answered.map_err(|failure| unavailable(&failure.message))?;
        if response.status != StatusCode::OK {
            return Err(unavailable(&format!("it answered {}", response.status.as_u16())));
        }
        let findings = Findings::of(bytes(&response.body));
        match question {
            Question::Shield => findings.shielded(),
            Question::Analyze => findings.judged(&rules),
        }
    }
}

impl Rules {
    fn ask(
        &self,
        question: Question,
        text: &str,
        exchange: &Exchange,
    ) -> Result<Outgoing, Failure> {
        let callee = exchange.callee(&self.backend).map_err(|why| {
            Failure::unavailable(&format!("the backend `{}`", self.backend.id), why)
        })?;
        let backend = &callee.backend;
        let base = &backend.base;
        let (path, body) = match question {
            Question::Shield => ("shieldPrompt", shield(text)),
            Question::Analyze => ("analyze", self.analyze(text)),
        };
        let mut target = format!("{}/contentsafety/text:{path}?{VERSION}", base.path);
        for (name, value) in &backend.query {
            // A string takes everything.
            let _ = write!(target, "&{name}={value}");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &backend.headers {
            headers.append(name, value.clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (name, depth) = nested_field(exchange)?;
        headers.insert(name, depth);
        let (url, body) = (Url::of(base, &target), Bytes::from(body));
        let (tls, proxy) = (backend.tls.clone(), backend.proxy.clone());
        Ok(Outgoing {
            method: Method::POST,
            url,
            headers,
            exact: Vec::new(),
            body,
            tls,
            proxy,
            callee: Some(callee),
            wait: WAIT,
        })
    }

    fn analyze(&self, text: &str) -> String {
        let mut body = String::from("{\"text\":");
        quoted(&mut body, text);
        let harms: Vec<&str> = self.thresholds.iter().map(|(harm, _)| harm.0).collect();
        list(&mut body, "categories", &harms);
        list(&mut body, "blocklistNames", &self.blocklists);
        body.push_str(",\"haltOnBlocklistHit\":false,\"outputType\":");
        quoted(&mut body, self.levels);
        body.push('}');
        body
    }
}

fn shield(text: &str) -> String {
    let mut body = String::from("{\"userPrompt\":");
    quoted(&mut body, text);
    body.push_str(",\"documents\":[]}");
    body
}

fn list<T: AsRef<str>>(body: &mut String, name: &str, items: &[T]) {
    let _ = write!(body, ",\"{name}\":[");
    for (index, item) in items.iter().enumerate() {
        if 0 < index {
            body.push(',');
        }
        quoted(body, item.as_ref());
    }
    body.push(']');
}

/// The windows of `text`; none if one of them would be too long, or there would be too many.
fn windows(text: &str, size: usize, overlap: usize) -> Option<Vec<String>> {
    let characters: Vec<char> = text.chars().collect();
    if CHARACTERS_MAX < characters.len().min(size) {
        return None;
    }
    let step = size.saturating_sub(overlap).max(1);
    let (mut windows, mut begin) = (Vec::new(), 0_usize);
    loop {
        if WINDOWS_MAX <= windows.len() {
            return None;
        }
        let end = begin.saturating_add(size).min(characters.len());
        windows.push(characters.get(begin..end).unwrap_or_default().iter().collect());
        if end == characters.len() {
            return Some(windows);
        }
        begin = begin.saturating_add(step);
    }
}

/// What was asked or answered is not let through.
fn refused(why: &str) -> Failure {
    let message = "Request failed content safety check.".to_owned();
    let (status, slug) = (StatusCode::FORBIDDEN, "content_safety_violation");
    Failure {
        source: Some(NAME),
        reason: "ContentSafetyViolation",
        message: format!("the text is refused: {why}"),
        problem: Problem::refused(status, slug, message),
    }
}

/// Nobody can say whether it may pass.
fn unavailable(why: &str) -> Failure {
    let message = format!("the content safety service cannot be asked: {why}");
    let failure = failed("ContentSafetyUnavailable", message, "content_safety_unavailable");
    Failure { source: Some(NAME), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_windows_that_share_as_much_as_they_are_to() {
        let cut = |text: &str, size, overlap| windows(text, size, overlap);
        assert_eq!(cut("abcdef", 3, 1).unwrap(), ["abc", "cde", "ef"]);
        assert_eq!(cut("abcdef", 3, 0).unwrap(), ["abc", "def"]);
        assert_eq!(cut("éàü", 2, 0).unwrap(), ["éà", "ü"]);
        assert_eq!(cut("abc", usize::MAX, 0).unwrap(), ["abc"]);
        assert_eq!(cut(&"x".repeat(CHARACTERS_MAX), usize::MAX, 0).unwrap().len(), 1);
        assert_eq!(cut(&"x".repeat(CHARACTERS_MAX + 1), usize::MAX, 0), None);
        assert_eq!(cut(&"x".repeat(WINDOWS_MAX), 1, 0).unwrap().len(), WINDOWS_MAX);
        assert_eq!(cut(&"x".repeat(WINDOWS_MAX + 1), 1, 0), None);
    }
}
