//! Loggers: where events go.

use std::sync::Arc;

use super::Validator;
use super::registry::Registry;
use crate::backend::event_hub::{EventHub, NoEventHub};
use crate::configuration::config::{Logger, NamedValue};
use crate::configuration::document;

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
        let text = self.text_or_named(connection_string, names, &what, mark)?;
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
}
