//! Plays a case: builds its gateway, makes its requests, and writes down what came of them.

use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::certificate::known::Certificates;
use crate::certificate::trust::{Nobody, Trust};
use crate::exchange::facts::Operation;
use crate::exchange::{LastError, Severity, Trace};
use crate::policy::Failure;
use crate::policy::identity::asked::{Answer as Obtained, Token, Ungot};
use crate::policy::machine::Machine;
use crate::policy::testing::words::{body, fields, written};
use crate::policy::testing::{Outcome, Request, Run};
use crate::secret::Secret;

use super::case::{Block, Case};
use super::forge;
use super::scene::{Scene, certificate};

/// The case with what really comes of it in its blocks `then` and `faults`; the error says why it
/// cannot be played.
pub(super) fn play(case: &Case) -> Result<Case, String> {
    let mut scene = Scene::default();
    let mut played = Vec::new();
    let mut blocks = case.blocks.iter().peekable();
    while let Some(block) = blocks.peek() {
        if !scene.take(block)? {
            break;
        }
        played.extend(blocks.next().cloned());
    }
    match scene.build() {
        Err(faults) => {
            if let Some(other) = blocks.find(|block| block.label != "faults") {
                let faults = faults.join("\n  ");
                return Err(format!("`{}` cannot be: there are faults\n  {faults}", other.label));
            }
            played.push(Block { label: "faults".to_owned(), text: faults.join("\n") });
        }
        Ok(program) => {
            if blocks.peek().is_none() {
                return Err("it makes no request, and nothing is wrong with it".to_owned());
            }
            let run = Run::running(program);
            for (url, published) in &scene.issuers {
                run.publish(url, published.clone());
            }
            let mut stage = Stage { scene: &scene, run: &run, played, inside: Vec::new() };
            while let Some(block) = blocks.next() {
                stage.exchange(block, &mut blocks)?;
            }
            played = stage.played;
        }
    }
    Ok(Case { blocks: played, ..case.clone() })
}

/// The gateway of a case, and what came of its requests so far.
struct Stage<'a> {
    scene: &'a Scene,
    run: &'a Run,
    played: Vec<Block>,
    /// The requests that are still under way.
    inside: Vec<Machine>,
}

impl Stage<'_> {
    /// Makes the request of `block`; what belongs to it is taken from `blocks`.
    fn exchange(
        &mut self,
        block: &Block,
        blocks: &mut Peekable<Iter<'_, Block>>,
    ) -> Result<(), String> {
        let is_method = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
        let call = block.label.split_once(' ');
        let call = call.filter(|(method, target)| is_method(method) && target.starts_with('/'));
        let Some((method, target)) = call else {
            return Err(format!("`{}` cannot stand here", block.label));
        };
        self.played.push(block.clone());
        let is_answer = |next: &&Block| {
            ["backend ", "service ", "identity "].iter().any(|who| next.label.starts_with(who))
        };
        while let Some(answer) = blocks.next_if(is_answer) {
            other_side(self.run, answer)?;
            self.played.push(answer.clone());
        }
        let outcome = self.make(&Sent::read(&block.text)?, method, target)?;
        let text = told(self.scene, &outcome).join("\n").trim_end().to_owned();
        let _ = blocks.next_if(|next| next.label == "then");
        self.played.push(Block { label: "then".to_owned(), text });
        Ok(())
    }

    fn make(&mut self, sent: &Sent<'_>, method: &str, target: &str) -> Result<Outcome, String> {
        if sent.facts.contains(&"the others have left") {
            self.inside.clear();
        }
        for span in sent.facts.iter().filter_map(|fact| fact.strip_suffix("s later")) {
            let seconds = span.parse().map_err(|_| format!("{span} is no number of seconds"))?;
            self.run.pass(Duration::from_secs(seconds));
        }
        let ask = || sent.ask(self.scene, self.run.request(method, target), target);
        if method == "OPTIONS"
            && let Some(outcome) = ask()?.preflight()
        {
            return Ok(outcome);
        }
        if target == "/crossdomain.xml"
            && let Some(outcome) = ask()?.document()
        {
            return Ok(outcome);
        }
        let (outcome, machine) = ask()?.start();
        self.inside.extend(sent.facts.contains(&"still under way").then_some(machine));
        Ok(outcome)
    }
}

/// A request as a case writes it.
struct Sent<'a> {
    facts: Vec<&'a str>,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Sent<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let (head, body) = split(text);
        let (mut facts, mut fields) = (Vec::new(), Vec::new());
        for line in head.lines() {
            match line.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
                Some(fact) => facts.push(fact),
                None => fields.push(field(line)?),
            }
        }
        Ok(Self { facts, fields, body })
    }

    fn ask<'run>(
        &self,
        scene: &Scene,
        mut request: Request<'run>,
        target: &str,
    ) -> Result<Request<'run>, String> {
        for fact in &self.facts {
            request = with_fact(request, fact)?;
        }
        for (name, value) in &self.fields {
            request = request.header(name, &forge::forged(value)?);
        }
        if !self.body.is_empty() {
            request = request.streamed(self.body);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut matched = None;
        if let Some(template) = &scene.template {
            let parameters = template.compare(path, query);
            matched = Some(parameters.map_err(|_| format!("no operation takes {target}"))?);
        }
        Ok(request.with(|exchange| {
            let mut operation: Operation = exchange.operation.as_deref().unwrap().clone();
            operation.samples.clone_from(&scene.samples);
            operation.statuses = scene.samples.iter().map(|sample| sample.status).collect();
            operation.contents = Arc::clone(&scene.contents);
            if let (Some(template), Some(parameters)) = (&scene.template, matched) {
                operation.url_template = template.as_str().into();
                operation.template = template.clone();
                exchange.parameters = parameters;
            }
            exchange.operation = Some(Arc::new(operation));
            let known = Certificates::new(scene.certificates.clone());
            let deployment = Arc::make_mut(&mut exchange.deployment);
            deployment.trust = Arc::new(Trust::new(&known, Arc::new(Nobody)));
            deployment.certificates = Arc::new(known);
            if scene.is_lost {
                Arc::make_mut(&mut exchange.request.base).port = 0;
            }
        }))
    }
}

fn with_fact<'a>(request: Request<'a>, fact: &str) -> Result<Request<'a>, String> {
    if fact.ends_with("s later") {
        return Ok(request);
    }
    match fact {
        "still under way" | "the others have left" => return Ok(request),
        "from nowhere" => return Ok(request.client("")),
        _ => (),
    }
    let (word, rest) = fact.split_once(' ').unwrap_or((fact, ""));
    Ok(match word {
        "subscription" => request.subscription(rest),
        "from" => request.client(rest),
        "operation" => request.operation(rest),
        "shows" => {
            let shown = certificate(rest)?;
            request.with(|exchange| exchange.certificate = Some(shown))
        }
        "user" => {
            let (id, groups) = rest.split_once(" of ").unwrap_or((rest, ""));
            let groups: Vec<&str> = groups.split(", ").filter(|group| !group.is_empty()).collect();
            request.user(id, &groups)
        }
        _ => return Err(format!("this is no fact about a request: ({fact})")),
    })
}

/// What the backend, or a service that a policy calls, does next.
fn other_side(run: &Run, block: &Block) -> Result<(), String> {
    let (who, does) = block.label.split_once(' ').unwrap_or_default();
    if who == "identity" {
        run.obtains(obtained(does)?);
        return Ok(());
    }
    let is_backend = who == "backend";
    let source = is_backend.then_some("forward-request");
    let failure = match does {
        "fails" => Failure { source, ..Failure::unreached("the connection was refused") },
        "is late" => {
            Failure { source, ..Failure::late(format!("the {who} did not answer in time")) }
        }
        _ => {
            let status = does
                .strip_prefix("answers ")
                .and_then(|status| status.parse::<StatusCode>().ok())
                .ok_or_else(|| format!("a {who} does not do this: {}", block.label))?;
            let (head, body) = split(&block.text);
            let fields = head.lines().map(field).collect::<Result<Vec<_>, _>>()?;
            let answers = if is_backend { Run::answers } else { Run::service_answers };
            answers(run, status.as_u16(), &fields, body);
            return Ok(());
        }
    };
    let fails = if is_backend { Run::fails } else { Run::service_fails };
    fails(run, failure);
    Ok(())
}

/// What comes of asking for a token of the gateway's own.
fn obtained(does: &str) -> Result<Obtained, String> {
    if let Some(token) = does.strip_prefix("gives ") {
        let (text, claims) = token.split_once(", and says ").unwrap_or((token, "{}"));
        return Ok(Ok(Token { text: Secret::new(text), claims: Secret::new(claims) }));
    }
    let ungot = |reason, message: &str| Ok(Err(Ungot { reason, message: message.into() }));
    match does {
        "refuses" => {
            ungot(Ungot::REFUSED, "no token from https://login.example/token: the status is 401")
        }
        "is nobody" => ungot(Ungot::NOBODY, "no identity of this gateway has the client id"),
        _ => Err(format!("an identity does not do this: {does}")),
    }
}

/// Head and body: an empty line is between them.
fn split(text: &str) -> (&str, &str) {
    match text.strip_prefix('\n') {
        Some(body) => ("", body),
        None => text.split_once("\n\n").unwrap_or((text, "")),
    }
}

fn field(line: &str) -> Result<(&str, &str), String> {
    let parts = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    parts.ok_or_else(|| format!("this is no header field: {line}"))
}

/// What came of a request, a line each.
fn told(scene: &Scene, outcome: &Outcome) -> Vec<String> {
    let mut lines = outcome.log.clone();
    let exchange = &outcome.exchange;
    lines.extend(exchange.traces.iter().map(traced));
    if let Some(error) = &exchange.last_error {
        lines.extend(failed(scene, error));
    }
    for (name, value) in exchange.variables.iter() {
        lines.push(format!("variable {name} = {}", written(value)));
    }
    let response = outcome.response();
    let phrase = response.phrase.as_deref().map(|phrase| format!(" {phrase}"));
    lines.push(format!("answer {}{}", response.status.as_u16(), phrase.unwrap_or_default()));
    lines.extend(fields(response.headers.map()));
    lines.extend(body(outcome.body().as_bytes()));
    lines
}

fn traced(trace: &Trace) -> String {
    let severity = match trace.severity {
        Severity::Verbose => "verbose",
        Severity::Information => "information",
        Severity::Error => "error",
    };
    let metadata = trace.metadata.iter().map(|(name, value)| format!(", {name}={value}"));
    let metadata: String = metadata.collect();
    format!("trace {severity} from {}: {}{metadata}", trace.source, trace.message)
}

fn failed(scene: &Scene, error: &LastError) -> [String; 2] {
    let LastError { source, reason, message, scope, section, path, .. } = error;
    let id = error.policy_id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let place = error.place.as_ref().map(|place| format!(", {}", scene.place(place)));
    [
        format!("error {source} {reason}: {message}"),
        format!("  in {scope} {section}, {path}{id}{}", place.unwrap_or_default()),
    ]
}
