//! What a run leaves for whoever inspects the exchange: which step it is at, what that asks for, and
//! what it is told. Nothing of this runs where nobody asked to see the exchange.

use std::sync::Arc;
use std::time::Duration;

use super::{Effect, Event, Machine};
use crate::exchange::Exchange;
use crate::exchange::inspection::{Counted, Fact, Inspection, Step, url};
use crate::exchange::message::Response;
use crate::limit::{Charge, CountersUnavailable, Tallies};
use crate::policy::caching::made::Found;
use crate::policy::limits::holding::Sureness;
use crate::policy::limits::who;
use crate::policy::program::Action;
use crate::policy::send::outgoing::Url;
use crate::policy::{Failure, Side};

/// What does the forwarding, as API Management calls it.
const FORWARDER: &str = "request-forwarder";

impl Machine {
    /// Goes on with `event`, and says what is told and asked.
    pub(super) fn resume_inspected(&mut self, event: Event, exchange: &mut Exchange) -> Effect {
        self.tell_heard(&event, exchange);
        let effect = self.go_on(event, exchange);
        self.tell_wanted(&effect, exchange);
        effect
    }

    /// Says that the step at which the run stands begins; `waits`: that it waits for a body first.
    pub(super) fn tell_step(&self, exchange: &mut Exchange, waits: bool) {
        let action = self.block_here().and_then(|block| block.steps.get(self.step));
        let (Some(action), Some(note)) = (action.map(|step| &step.action), self.stands_at()) else {
            return;
        };
        if matches!(action, Action::Jump(_) | Action::Base | Action::ConcurrencyLeave) {
            return;
        }
        let source = if matches!(action, Action::Forward(_)) { FORWARDER } else { note.policy };
        let step = Step {
            scope: note.scope.as_str(),
            place: note.place.clone(),
            path: Arc::clone(&note.path),
            id: note.id.clone(),
        };
        exchange.inspect_step((source, self.section.as_str(), step), waits);
    }

    /// Says that the run failed where it stands.
    pub(super) fn tell_failure(&self, failure: &Failure, exchange: &mut Exchange) {
        let (section, now) = (self.section.as_str(), exchange.now);
        let Some(inspection) = &mut exchange.inspection else { return };
        if self.stands_at().is_none() {
            inspection.note("handler", section, now);
        } else if inspection.entries.is_empty() {
            inspection.note("api-inspector", section, now);
        }
        let message = failure.message.clone();
        inspection.add(Fact::Failed { reason: failure.reason, message });
    }

    fn tell_heard(&self, event: &Event, exchange: &mut Exchange) {
        let now = exchange.now;
        if let Event::Tallied(charges, answer) = event {
            self.tell_counted(charges, answer, exchange);
        }
        if let Some(inspection) = &mut exchange.inspection
            && !matches!(event, Event::Start)
        {
            inspection.at(now);
            heard(event, inspection);
        }
    }

    fn tell_counted(
        &self,
        charges: &[Charge],
        answer: &Result<Tallies, CountersUnavailable>,
        exchange: &mut Exchange,
    ) {
        let mode = self.holding().map(|holding| match holding.sureness {
            Sureness::Exact => "exact",
            Sureness::Fast => "fast",
            Sureness::Local => "local",
        });
        let whose = exchange.pending.who.clone();
        let who = match &whose {
            Some(text) => Some(who::shown(text, exchange)),
            None => exchange.subscription.as_ref().map(|known| Arc::clone(&known.id)),
        };
        let Some(inspection) = &mut exchange.inspection else { return };
        let Ok(tallies) = answer else {
            inspection.decided("the counters could not be asked, and nobody is let in then");
            return;
        };
        for (charge, tally) in charges.iter().zip(tallies.iter()) {
            inspection.add(Fact::Counted(Counted {
                kind: charge.key.kind().subject(),
                mode,
                who: who.clone(),
                is_allowed: tally.admitted,
                cost: charge.cost,
                limit: tally.limit,
                used: tally.used,
                remaining: tally.remaining(),
            }));
        }
    }

    /// Says what is asked for.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`wanted` has words for all others")]
    pub(super) fn tell_wanted(&self, effect: &Effect, exchange: &mut Exchange) {
        match effect {
            Effect::Fetch(_) if self.stands_at().is_some() && !self.awaits_judgement() => {
                self.tell_step(exchange, true);
            }
            Effect::Forward(terms) => {
                let request = Fact::Request {
                    method: exchange.request.method.to_string(),
                    url: url(exchange),
                    fields: exchange.request.headers.map().clone(),
                };
                if let Some(inspection) = &mut exchange.inspection {
                    inspection.add(Fact::TimeOut(terms.wait));
                    inspection.add(request);
                }
            }
            Effect::Deliver => exchange.inspect_changes(),
            other => {
                if let Some(inspection) = &mut exchange.inspection {
                    wanted(other, inspection);
                }
            }
        }
    }
}

/// What the run is told, in words.
fn heard(event: &Event, to: &mut Inspection) {
    match event {
        Event::Body(side, Ok(bytes)) => {
            to.read(format!("the body of the {}: {} bytes", side_word(*side), bytes.len()));
        }
        Event::Body(side, Err(problem)) => {
            to.read(format!(
                "the body of the {} is unreadable: {}",
                side_word(*side),
                problem.reason
            ));
        }
        Event::Entered(Some(_)) => to.decided("there is room: the request goes in"),
        Event::Entered(None) => to.decided("there is no room"),
        Event::CachedResponse(found) => to.read(cached("response", found.is_some())),
        Event::CachedValue(found) => to.read(cached("value", found.is_some())),
        Event::Wanted(Found::There(_)) => to.read(cached("value", true)),
        Event::Wanted(Found::Yours { .. }) => {
            to.read(cached("value", false));
            to.decided("this request makes it");
        }
        Event::Wanted(Found::Failed) => to.read("the value, which another request could not make"),
        Event::Authenticated(Ok(known)) => {
            let signed = if known.is_signed { "is authentic" } else { "has no signature" };
            let by: Vec<&str> = known.issuers.iter().map(AsRef::as_ref).collect();
            let by = if by.is_empty() { String::new() } else { format!(", by {}", by.join(", ")) };
            to.read(format!("the token {signed}{by}"));
        }
        Event::Authenticated(Err(refused)) => to.read(format!("the token: {refused}")),
        Event::Obtained(Ok(_)) => to.read("a token of the gateway's own"),
        Event::Obtained(Err(ungot)) => to.read(format!("no token: {}", ungot.message)),
        Event::Called(Ok(response)) => {
            to.read(format!("the service answered {}", response.status.as_u16()));
        }
        Event::Called(Err(failure)) => to.read(format!("the service: {}", failure.message)),
        Event::Measured(Ok(whole)) => {
            to.read(if *whole { "the whole answer" } else { "the answer, while it passes" });
        }
        Event::Measured(Err(problem)) => to.read(format!("no answer: {}", problem.reason)),
        Event::Of(child, event) => {
            to.read(format!("child {child} of those that run at the same time:"));
            heard(event, to);
        }
        Event::Again(true) => to.decided("tries again"),
        Event::Again(false) => {
            to.decided("does not: too much was tried again there (limits.retryPercent)");
        }
        Event::Responded(response) => responded(response, to),
        Event::Failed(failure) => to.read(format!("the backend: {}", failure.message)),
        Event::Start | Event::Done | Event::Tallied(..) => (),
    }
}

fn responded(response: &Response, to: &mut Inspection) {
    let fields = response.headers.map().clone();
    to.add(Fact::Response { status: response.status, fields });
}

/// What the run asks for, in words.
fn wanted(effect: &Effect, to: &mut Inspection) {
    match effect {
        Effect::Add(charges) => {
            for charge in charges {
                to.decided(format!(
                    "counts {} more for {}",
                    charge.cost,
                    charge.key.kind().subject()
                ));
            }
        }
        Effect::Refund(charge, _) => {
            to.decided(format!("gives {} back to {}", charge.cost, charge.key.kind().subject()));
        }
        Effect::Enter { max, .. } => to.read(format!("whether fewer than {max} are inside")),
        Effect::StoreResponse(_, span) => to.decided(kept("the response", *span)),
        Effect::StoreValue(_, _, span) => to.decided(kept("the value", *span)),
        Effect::KeepValue(made) => to.decided(kept("the value", made.expires)),
        Effect::RemoveValue(_) => to.decided("forgets the value"),
        Effect::Authenticate(asked) => {
            let (own, documents) = (asked.own.keys.len(), asked.documents.len());
            to.read(format!("who signed the token: {own} own keys, {documents} issuers"));
        }
        Effect::Obtain(asked) => to.read(format!("asks for {asked}")),
        Effect::Again(span) => {
            to.decided(format!("wants to try again in {} s", span.as_secs_f64()));
        }
        Effect::Sleep(span) => {
            to.decided(format!("waits {} s, and tries again", span.as_secs_f64()));
        }
        Effect::Call(outgoing) => {
            let most = outgoing.wait.as_secs_f64();
            let (method, url) = (&outgoing.method, bare(&outgoing.url));
            to.read(format!("calls {method} {url}, {most} s at most"));
        }
        Effect::Tell(outgoing) => {
            let (method, url) = (&outgoing.method, bare(&outgoing.url));
            to.decided(format!("sends {method} {url} and does not wait"));
        }
        Effect::Together(begin) => {
            for (child, effect) in begin {
                to.decided(format!("child {child} of those that run at the same time:"));
                wanted(effect, to);
            }
        }
        Effect::Emit(event) => to.decided(format!("queues an event for logger {}", event.logger)),
        Effect::Fetch(_)
        | Effect::Charge(_)
        | Effect::LookupResponse(_)
        | Effect::LookupValue(_)
        | Effect::WantValue(_)
        | Effect::Forward(_)
        | Effect::Measure
        | Effect::Deliver => (),
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Request => "request",
        Side::Response => "response",
    }
}

fn cached(what: &str, hit: bool) -> String {
    format!("the cache: {} for this {what}", if hit { "hit" } else { "miss" })
}

/// An address without its query: keys stand in those.
fn bare(url: &Url) -> String {
    let text = url.to_string();
    match text.split_once('?') {
        Some((place, _query)) => format!("{place}?…"),
        None => text,
    }
}

fn kept(what: &str, span: Duration) -> String {
    format!("keeps {what} for {} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use crate::exchange::inspection::{Change, ENTRIES_MAX, Entry, Fact};
    use crate::policy::testing::Run;

    fn entries(policies: &str) -> Vec<Entry> {
        let outcome = Run::inbound(policies).get("/x").inspected().go();
        outcome.exchange.inspection.expect("it was inspected").entries
    }

    fn told(entry: &Entry) -> String {
        format!("{} {:?}", entry.source, entry.facts)
    }

    #[test]
    fn each_step_has_its_own_changes() {
        let entries = entries(
            "<set-variable name=\"a\" value=\"1\" /><choose><when condition=\"@(false)\">\
             <set-variable name=\"b\" value=\"2\" /></when><otherwise><set-method>POST</set-method>\
             </otherwise></choose>",
        );
        let sources: Vec<_> = entries.iter().map(|entry| entry.source).collect();
        assert_eq!(sources, ["set-variable", "choose", "set-method", "request-forwarder"]);
        assert!(
            told(&entries[0]).contains("Variable(\"a\", Some(\"1\"))"),
            "{}",
            told(&entries[0])
        );
        assert!(told(&entries[1]).contains("does not hold"), "{}", told(&entries[1]));
        assert!(
            matches!(&entries[2].facts[..], [Fact::Changed(Change::Method(it))] if it == "POST")
        );
        let forwarded = told(&entries[3]);
        assert!(
            forwarded.contains("TimeOut(300s)") && forwarded.contains("status: 200"),
            "{forwarded}"
        );
    }

    #[test]
    fn a_body_that_is_waited_for_belongs_to_the_step_that_wants_it() {
        let run = Run::inbound(
            "<set-variable name=\"a\" value=\"@(context.Request.Body.As<string>())\" />",
        );
        let outcome = run.request("POST", "/x").streamed("hello").inspected().go();
        let entries = outcome.exchange.inspection.expect("it was inspected").entries;
        let first = told(&entries[0]);
        assert!(first.contains("the body of the request: 5 bytes"), "{first}");
        assert!(first.contains("Some(\"hello\")"), "{first}");
        assert_eq!(entries.iter().filter(|entry| entry.source == "set-variable").count(), 1);
    }

    #[test]
    fn a_limit_says_what_it_counted_and_a_failure_why() {
        let run = Run::inbound("<rate-limit calls=\"1\" renewal-period=\"60\" />");
        let _first = run.get("/x").subscription("s").go();
        let outcome = run.get("/x").subscription("s").inspected().go();
        let entries = outcome.exchange.inspection.expect("it was inspected").entries;
        let first = told(&entries[0]);
        assert!(first.contains("is_allowed: false") && first.contains("remaining: 0"), "{first}");
        assert!(first.contains("RateLimitExceeded"), "{first}");
    }

    #[test]
    fn a_run_that_goes_in_circles_is_kept_up_to_its_bound() {
        let again = "<retry condition=\"@(true)\" count=\"50\" interval=\"0\">";
        let steps = "<set-variable name=\"a\" value=\"1\" />".repeat(20);
        let outcome = Run::inbound(&format!("{again}{steps}</retry>")).get("/x").inspected().go();
        let inspection = outcome.exchange.inspection.expect("it was inspected");
        assert_eq!(inspection.entries.len(), ENTRIES_MAX);
        assert!(0 < inspection.left_out);
    }
}
