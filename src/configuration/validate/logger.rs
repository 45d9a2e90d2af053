//! Loggers: where events go.

use std::sync::Arc;

use super::Validator;
use super::registry::Registry;
use crate::backend::event_hub::{EventHub, NoEventHub};
use crate::configuration::config::{Logger, NamedValue, Secret};
use crate::configuration::document::{self, SecretValue};
use crate::fault::nearest;

/// How many loggers there may be: for each there is a queue.
pub(super) const LOGGERS_MAX: usize = 100;

impl Validator<'_> {
    pub(super) fn loggers(&mut self, names: &[NamedValue]) -> Vec<Logger> {
        let written = &self.document.loggers;
        self.few("loggers", written.iter().map(|it| it.id.mark), LOGGERS_MAX);
        let mut registry = Registry::new("logger");
        let mut loggers = Vec::with_capacity(written.len());
        for (index, logger) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &logger.id, index);
            let hub = self.event_hub(logger, names);
            let id = Arc::from(logger.id.value.as_str());
            loggers.extend(hub.map(|hub| Logger { id, hub: Arc::new(hub) }));
        }
        loggers
    }

    fn event_hub(&mut self, logger: &document::Logger, names: &[NamedValue]) -> Option<EventHub> {
        let document::EventHub { name, connection_string } = &logger.event_hub.value;
        let is_made_up = name.as_ref().is_some_and(|name| name.mark.is_made_up());
        if is_made_up || logger.event_hub.mark.is_made_up() {
            return None;
        }
        let what = format!("the connection string of the logger `{}`", logger.id.value);
        let mark = logger.id.mark;
        let text = self.secret(connection_string, &what, mark)?;
        let is_inline = matches!(connection_string, SecretValue::Text(_));
        let text = match named(&text).filter(|_name| is_inline) {
            None => text,
            Some(wanted) => self.named_value(wanted, names, &what, mark)?,
        };
        let parsed = EventHub::parse(text.expose(), name.as_ref().map(|name| name.value.as_str()));
        match (parsed, name) {
            (Ok(hub), _) => Some(hub),
            (Err(refused @ (NoEventHub::Name | NoEventHub::Differs)), Some(name)) => {
                let message =
                    format!("the event hub of the logger `{}`: {refused}", logger.id.value);
                self.fault(name.mark, message, "write the name that the namespace has it under");
                None
            }
            (Err(refused), _) => {
                let remedy = "write Endpoint=sb://NAMESPACE.servicebus.windows.net/;\
                              SharedAccessKeyName=NAME;SharedAccessKey=KEY, and the hub as `name`";
                self.fault(mark, format!("{what} is none: {refused}"), remedy);
                None
            }
        }
    }

    fn named_value(
        &mut self,
        wanted: &str,
        names: &[NamedValue],
        what: &str,
        mark: crate::configuration::yaml::Mark,
    ) -> Option<Secret> {
        let known = names.iter().find(|known| known.name.eq_ignore_ascii_case(wanted));
        if known.is_none() {
            let message = format!("{what} is a named value `{wanted}`, and there is none");
            let remedy = match nearest(wanted, names.iter().map(|known| &*known.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `namedValues`, or correct the name".to_owned(),
            };
            self.fault(mark, message, remedy);
        }
        known.map(|known| known.value.clone())
    }
}

/// The name in `{{name}}`, if the text is nothing else.
fn named(text: &Secret) -> Option<&str> {
    let name = text.expose().trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.is_empty() && !name.contains(['{', '}'])).then_some(name)
}
