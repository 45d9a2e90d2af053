//! Where a document says that its API is.

use serde_json::Value;

use super::Reader;
use crate::backend::BaseUrl;
use crate::import::Imported;
use crate::migration::finding::Level;

/// The address of the backend: of the first server, with what its variables are unless somebody says
/// otherwise.
pub(in crate::import) fn address(
    file: &str,
    document: &Value,
    imported: &mut Imported,
) -> Option<String> {
    let mut refuse = |message: &str, remedy: &str| {
        imported.advise(Level::Refused, file, "servers", (message, remedy));
        None
    };
    let Some(server) = document.pointer("/servers/0").filter(|server| server.is_object()) else {
        let message = "the document names no server, so nobody knows where requests go";
        return refuse(message, "say it with --service-url https://HOST/PATH");
    };
    let url = match filled(server) {
        Ok(url) => url,
        Err(why) => return refuse(&why, "say where requests go with --service-url"),
    };
    if !url.contains("://") {
        let message = format!("`{url}` names no host, so nobody knows where requests go");
        let path = url.trim_start_matches('/');
        return refuse(&message, &format!("say it with --service-url https://HOST/{path}"));
    }
    if let Err(why) = BaseUrl::parse(&url) {
        let message = format!("requests cannot go to `{url}`: {why}");
        return refuse(&message, "say where they go with --service-url https://HOST/PATH");
    }
    let level = if server.get("variables").is_some() { Level::Changed } else { Level::Carried };
    imported.say(level, file, "servers[0].url", format!("the serviceUrl of the API: {url}"));
    let count = document.get("servers").and_then(Value::as_array).map_or(0, Vec::len);
    for nth in 1..count {
        let said = (
            "requests go to the first server only",
            "write a pool as a backend, if they are replicas of one another",
        );
        imported.advise(Level::Dropped, file, &format!("servers[{nth}]"), said);
    }
    Some(url)
}

/// The URL of a server with the values of its variables; else why it has none.
fn filled(server: &Value) -> Result<String, String> {
    let url = server.get("url").and_then(Value::as_str).unwrap_or_default();
    let mut out = String::new();
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind
            .split_once('}')
            .ok_or_else(|| format!("the address `{url}` has a {{ that is not closed"))?;
        let usual = server.get("variables").and_then(|all| all.get(name)?.get("default"));
        let usual = match usual {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(format!("the variable `{name}` of the address has no default")),
        };
        out.push_str(before);
        out.push_str(&usual);
        rest = after;
    }
    Ok(out + rest)
}

impl Reader<'_> {
    /// Servers of a path or an operation: a configuration has one address for all of an API.
    pub(super) fn other_servers(&mut self, what: &str, servers: &Value) {
        if self.document.get("servers") == Some(servers) {
            let message = "the same as those of the API";
            self.imported.say(Level::Carried, self.file, &format!("{what} servers"), message);
            return;
        }
        let said = (
            "its requests go to the serviceUrl of the API like all others",
            "write <set-backend-service base-url=\"…\" /> into the policy of these operations",
        );
        self.imported.advise(Level::Refused, self.file, &format!("{what} servers"), said);
    }
}
