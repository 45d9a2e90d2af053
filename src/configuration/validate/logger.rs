//! Loggers: where events go.

use std::sync::Arc;

use super::Validator;
use super::registry::Registry;
use crate::backend::event_hub::{EventHub, NoEventHub};
use crate::backend::principal::Principals;
use crate::configuration::config::{Logger, NamedValue};
use crate::configuration::document::{self, SecretValue};

/// How many loggers there may be: for each there is a queue.
pub(super) const LOGGERS_MAX: usize = 100;

impl Validator<'_> {
    pub(super) fn loggers(&mut self, names: &[NamedValue], owns: &Principals) -> Vec<Logger> {
        let written = &self.document.loggers;
        self.few("loggers", written.iter().map(|it| it.id.mark), LOGGERS_MAX);
        let mut registry = Registry::new("logger");
        let mut loggers = Vec::with_capacity(written.len());
        for (index, logger) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &logger.id, index);
            let hub = self.event_hub(logger, names, owns);
            let id = Arc::from(logger.id.value.as_str());
            loggers.extend(hub.map(|hub| Logger { id, hub: Arc::new(hub) }));
        }
        loggers
    }

    fn event_hub(
        &mut self,
        logger: &document::Logger,
        names: &[NamedValue],
        owns: &Principals,
    ) -> Option<EventHub> {
        let hub = &logger.event_hub.value;
        let written = [&hub.name, &hub.endpoint_address, &hub.identity_client_id];
        let is_made_up = written.into_iter().flatten().any(|text| text.mark.is_made_up());
        if is_made_up || logger.event_hub.mark.is_made_up() {
            return None;
        }
        match (&hub.connection_string, &hub.endpoint_address, &hub.identity_client_id) {
            (Some(string), None, None) => self.of_string(logger, string, names),
            (None, Some(address), Some(client)) => {
                // API Management's word for the identity that needs no name.
                let client = client.value.trim();
                let is_usual = client.is_empty() || client.eq_ignore_ascii_case("SystemAssigned");
                let who = owns.who((!is_usual).then_some(client));
                let name = hub.name.as_ref().map(|name| name.value.as_str());
                let parsed = EventHub::at(&address.value, name, Arc::new(who));
                let refused = |refused: NoEventHub| {
                    let id = &logger.id.value;
                    let message = if refused == NoEventHub::Nameless {
                        format!("the event hub of the logger `{id}` has no `name`")
                    } else if refused == NoEventHub::Scheme {
                        format!(
                            "the `endpointAddress` of the logger `{id}` is no host of a namespace"
                        )
                    } else {
                        format!("the event hub of the logger `{id}`: {refused}")
                    };
                    let remedy = "write NAMESPACE.servicebus.windows.net, and the hub as `name`";
                    self.fault(address.mark, message, remedy);
                };
                parsed.map_err(refused).ok()
            }
            _ => {
                let id = &logger.id.value;
                let message =
                    format!("nobody can say as whom events of the logger `{id}` are sent");
                let remedy = "write `connectionString` alone, or `endpointAddress` and \
                              `identityClientId`";
                self.fault(logger.id.mark, message, remedy);
                None
            }
        }
    }

    fn of_string(
        &mut self,
        logger: &document::Logger,
        connection_string: &SecretValue,
        names: &[NamedValue],
    ) -> Option<EventHub> {
        let name = logger.event_hub.value.name.as_ref();
        let what = format!("the connection string of the logger `{}`", logger.id.value);
        let mark = logger.id.mark;
        let text = self.text_with_named(connection_string, names, &what, mark)?;
        let parsed = EventHub::parse(text.expose(), name.map(|name| name.value.as_str()));
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
