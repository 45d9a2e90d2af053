//! `trace`: a line for whoever inspects the request. Below it, what is logged elsewhere.

pub mod event_hub;

use std::sync::Arc;

use crate::exchange::secrets::HIDDEN;
use crate::exchange::{self, Exchange, Severity};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::{Element, Text};
use crate::policy::operand::Operand;
use crate::policy::program::Action;

/// `trace`.
#[derive(Clone, Debug)]
pub struct Trace {
    source: Operand<Arc<str>>,
    severity: Severity,
    message: Operand<Arc<str>>,
    metadata: Vec<(Arc<str>, Operand<Arc<str>>)>,
}

pub(super) fn trace(builder: &mut Builder<'_>, element: &Element) {
    let severity = severity(builder, element);
    let mut message = None;
    let mut metadata = Vec::new();
    for child in element.elements() {
        match child.name.as_ref() {
            "message" => {
                let text = builder.content_operand(child, "`message`");
                let is_secret = child.text_content().is_some_and(|text| text.is_secret());
                message = text.map(|text| covered(text, is_secret));
            }
            "metadata" => {
                let name = builder.literal(child, "name");
                let value = builder.attribute(child, "value");
                let is_secret = child.value("value").is_some_and(Text::is_secret);
                metadata.extend(name.zip(value.map(|value| covered(value, is_secret))));
            }
            // The catalogue reports the others.
            _ => (),
        }
    }
    if element.element("message").is_none() {
        if element.stray_text().is_some() {
            message = element.texts().next().and_then(|text| {
                let message = builder.operand(text, "the message")?;
                Some(covered(message, text.is_secret()))
            });
        } else {
            builder.fault(element, "`trace` has no `message`", "add <message>…</message>");
        }
    }
    let is_secret = element.attribute("source").is_some_and(|it| it.value.is_secret());
    let source = builder.attribute(element, "source").map(|source| covered(source, is_secret));
    if let (Some(source), Some(message)) = (source, message) {
        let policy = Trace { source, severity, message, metadata };
        builder.push(element, Action::Trace(Box::new(policy)));
    }
}

/// What is told in the place of `operand`: nothing that a secret is part of.
fn covered(operand: Operand<Arc<str>>, is_secret: bool) -> Operand<Arc<str>> {
    if is_secret { Operand::Constant(Arc::from(HIDDEN)) } else { operand }
}

fn severity(builder: &mut Builder<'_>, element: &Element) -> Severity {
    let Some(word) = builder.literal::<Arc<str>>(element, "severity") else {
        return Severity::default();
    };
    match word.as_ref() {
        "verbose" => Severity::Verbose,
        "information" => Severity::Information,
        "error" => Severity::Error,
        other => {
            let message = format!("`{other}` is no severity");
            builder.fault(element, message, "use verbose, information or error");
            Severity::default()
        }
    }
}

impl Trace {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let source = self.source.get(exchange)?;
        let message = self.message.get(exchange)?;
        let mut metadata = Vec::with_capacity(self.metadata.len());
        for (name, value) in &self.metadata {
            metadata.push((Arc::clone(name), value.get(exchange)?));
        }
        let (at, severity) = (exchange.now, self.severity);
        exchange.trace(exchange::Trace { at, source, severity, message, metadata });
        Ok(Flow::Next)
    }
}
