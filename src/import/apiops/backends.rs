//! Where requests and events go: backends and loggers.

use serde_json::{Map, Value, json};

use super::Reader;
use crate::import::last_part;
use crate::migration::finding::Level;

impl Reader<'_> {
    /// Backends, pools of them, and event hubs.
    pub(super) fn backends(&mut self) {
        let mut backends = Vec::new();
        for folder in self.folders("backends") {
            let id = last_part(&folder).to_owned();
            let found =
                self.properties(&folder, &["backendInformation.json"], &format!("backend {id}"));
            let Some(mut properties) = found else { continue };
            let mut one = Map::from_iter([("id".to_owned(), Value::from(id))]);
            let names = [
                ("title", "title"),
                ("type", "type"),
                ("url", "url"),
                ("tls", "tls"),
                ("proxy", "proxy"),
                ("circuitBreaker", "circuitBreaker"),
                ("credentials", "credentials"),
                ("pool", "pool"),
            ];
            properties.carry(&names, &mut one, self.imported);
            members(one.get_mut("pool"));
            if let Some(protocol) = properties.text("protocol") {
                let message = format!("the address says so ({protocol})");
                properties.say(self.imported, Level::Dropped, "protocol", (&message, None));
            }
            properties.rest(self.imported);
            backends.push(Value::Object(one));
        }
        let loggers = self.loggers();
        let document = [
            ("backends".to_owned(), Value::from(backends)),
            ("loggers".to_owned(), Value::from(loggers)),
        ];
        self.imported.keep("backends.yaml", Map::from_iter(document));
    }

    fn loggers(&mut self) -> Vec<Value> {
        let mut loggers = Vec::new();
        for folder in self.folders("loggers") {
            let id = last_part(&folder).to_owned();
            let what = format!("logger {id}");
            let found = self.properties(&folder, &["loggerInformation.json"], &what);
            let Some(mut properties) = found else { continue };
            let kind = properties.text("loggerType").unwrap_or_default();
            let credentials = properties.take("credentials").unwrap_or_default();
            let file = format!("{folder}/loggerInformation.json");
            if kind.eq_ignore_ascii_case("azureEventHub") {
                let mut hub = Map::new();
                for name in ["name", "endpointAddress", "identityClientId"] {
                    if let Some(text) = credentials.get(name).and_then(Value::as_str) {
                        hub.insert(name.to_owned(), text.into());
                    }
                }
                if credentials.get("connectionString").is_some() {
                    let parts = ["LOGGER", &id, "CONNECTION_STRING"];
                    let value = self.imported.variable(&file, &what, &parts);
                    hub.insert("connectionString".to_owned(), value);
                }
                loggers.push(json!({ "id": id, "eventHub": hub }));
                self.imported.say(Level::Carried, &file, &what, "an event hub");
            } else {
                let message = format!("Weir sends nothing to {kind}");
                let said = (
                    message.as_str(),
                    "send logs and traces by OpenTelemetry (docs/observability.md)",
                );
                self.imported.advise(Level::Dropped, &file, &what, said);
            }
            properties.rest(self.imported);
        }
        loggers
    }
}

/// The members of a pool by their own ids.
fn members(pool: Option<&mut Value>) {
    let services = pool.and_then(|pool| pool.get_mut("services")).and_then(Value::as_array_mut);
    for service in services.into_iter().flatten() {
        if let Some(Value::String(id)) = service.get_mut("id") {
            *id = last_part(id).to_owned();
        }
    }
}
