//! What becomes of one value of a chart of API Management's gateway in Weir's.

use super::table::ROWS;
use super::{Rule, known, parts, schema};
use crate::migration::container::is_gateway;
use crate::migration::env::unquoted;
use crate::migration::page::quoted;
use crate::migration::setting::{Around, Verdict, judge};

/// How long Weir's chart waits for load balancers and to end, in seconds, of the time of a Pod.
const GRACE_SECONDS: u32 = 15;
/// The `ConfigMap` with the configuration, and how it is made.
const CONFIGURATION: &str = "weir-configuration";
const MAKE_CONFIGURATION: &str = "make it: weir import apiops … --out weir, then kubectl create \
                                  configmap weir-configuration --from-file=weir";
/// The Secret with the key of copies.
const COPIES_KEY: &str = "weir-last-good-key";

/// What becomes of one value.
#[derive(Debug)]
pub(in crate::migration) enum Outcome {
    /// It stands where it stood.
    Same(&'static str),
    /// It stands at these paths, written so.
    Grows(Vec<(String, String)>, String),
    /// It stands where it stood, with another value.
    Turns(String, String),
    /// It has no effect any more; and what to do.
    Goes(String, Option<&'static str>),
    /// It cannot be had; and what to do.
    Stays(String, String),
}

/// What becomes of the value at `path`, whose text is `value` and which is written as `raw`.
pub(in crate::migration) fn outcome(
    path: &str,
    value: &str,
    raw: &str,
    around: Around,
) -> Option<Outcome> {
    if let Some(setting) = path.strip_prefix("gateway.configuration.additional.") {
        return Some(setting_at(setting, value, raw, around).typed());
    }
    let within =
        |row: &str| path == row || path.strip_prefix(row).is_some_and(|it| it.starts_with('.'));
    let (_, rule) = ROWS.iter().find(|(row, _)| within(row))?;
    Some(match (rule, ruled(*rule, value, raw, around)) {
        // Who asked API Management reads a ConfigMap.
        (Rule::Setting("config.service.endpoint"), Outcome::Goes(why, Some(_))) => Outcome::Grows(
            vec![("configuration.existingConfigMap".to_owned(), CONFIGURATION.to_owned())],
            format!("{why}, but reads a ConfigMap; {MAKE_CONFIGURATION}"),
        ),
        (_, outcome) => outcome.typed(),
    })
}

impl Outcome {
    /// The same, with values written as what Weir's chart takes.
    fn typed(self) -> Self {
        if let Self::Grows(all, why) = self {
            Self::Grows(all.into_iter().map(typed).collect(), why)
        } else {
            self
        }
    }
}

/// A value written as what Weir's chart takes at its path: a number or a switch that stands in quotes
/// without them, a text that looks like one of those in quotes.
fn typed((path, raw): (String, String)) -> (String, String) {
    let plain = unquoted(&raw);
    let is_number = plain.parse::<f64>().is_ok();
    let is_switch = matches!(plain, "true" | "false");
    let types = types(&schema(), &path);
    let takes = |kinds: &[&str]| types.iter().any(|it| kinds.contains(&it.as_str()));
    let is_quoted = plain.len() != raw.len();
    let is_wanted =
        (is_number && takes(&["integer", "number"])) || (is_switch && takes(&["boolean"]));
    let written = if is_quoted && is_wanted && !takes(&["string"]) {
        plain.to_owned()
    } else if !is_quoted && !is_wanted && (is_number || is_switch) && takes(&["string"]) {
        as_quoted(plain)
    } else {
        raw
    };
    (path, written)
}

/// The types that a schema names for the value at `path`; none where it does not say.
fn types(schema: &serde_json::Value, path: &str) -> Vec<String> {
    let followed = |node: &serde_json::Value| -> Option<serde_json::Value> {
        match node.get("$ref").and_then(serde_json::Value::as_str) {
            Some(reference) => schema.pointer(reference.strip_prefix('#')?).cloned(),
            None => Some(node.clone()),
        }
    };
    let found = parts(path)
        .into_iter()
        .try_fold(schema.clone(), |node, part| followed(node.get("properties")?.get(part)?));
    match found.as_ref().and_then(|node| node.get("type")) {
        Some(serde_json::Value::String(one)) => vec![one.clone()],
        Some(serde_json::Value::Array(all)) => {
            all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn ruled(rule: Rule, value: &str, raw: &str, around: Around) -> Outcome {
    let is_empty = matches!(value, "" | "{}" | "[]");
    let grows = |path: &str, raw: &str| {
        let shown = path.replace('|', ".");
        Outcome::Grows(vec![(path.to_owned(), raw.to_owned())], format!("now {shown}"))
    };
    match rule {
        Rule::Same => Outcome::Same("it is the same in Weir's chart"),
        Rule::Image if is_gateway(value) => {
            Outcome::Turns("weir".to_owned(), "the image of Weir; name your registry".to_owned())
        }
        Rule::Image => Outcome::Same("it is no image of API Management's gateway"),
        _ if is_empty => Outcome::Goes("nothing is written".to_owned(), None),
        Rule::Move(path) => grows(path, raw),
        Rule::Setting(name) => setting_at(name, value, raw, around),
        Rule::Annotation(name) => grows(&format!("podAnnotations|{name}"), &as_quoted(value)),
        Rule::Gone(why) => Outcome::Goes(why.to_owned(), None),
        Rule::Never(why, _) if value == "false" => Outcome::Goes(why.to_owned(), None),
        Rule::Never(why, remedy) => Outcome::Stays(why.to_owned(), remedy.to_owned()),
        Rule::Statsd if value == "true" => grows("settings.metrics.local", "statsd"),
        Rule::Statsd => grows("settings.metrics.local", "none"),
        Rule::Backup if value == "true" => Outcome::Grows(
            vec![
                ("lastGood.enabled".to_owned(), "true".to_owned()),
                ("lastGood.keySecret.name".to_owned(), COPIES_KEY.to_owned()),
            ],
            format!(
                "now lastGood: sealed copies, with a key that has to be made: kubectl create secret \
                 generic {COPIES_KEY} --from-literal=key=\"$(openssl rand -base64 32)\""
            ),
        ),
        Rule::Backup => Outcome::Goes("this is what Weir does without being told".to_owned(), None),
        Rule::Grace => match value.parse::<u32>() {
            Ok(seconds) => {
                let left = seconds.saturating_sub(GRACE_SECONDS).max(1).to_string();
                grows("drain.deadlineSeconds", &left)
            }
            Err(_) => {
                Outcome::Stays("this is no number of seconds".to_owned(), "remove it".to_owned())
            }
        },
        Rule::Account if value == "default" => {
            Outcome::Goes("Weir's chart makes an account without rights".to_owned(), None)
        }
        Rule::Account => Outcome::Grows(
            vec![
                ("serviceAccount.name".to_owned(), raw.to_owned()),
                ("serviceAccount.create".to_owned(), "false".to_owned()),
            ],
            "now serviceAccount.name".to_owned(),
        ),
        Rule::User => match value.parse::<u32>() {
            Ok(0) | Err(_) => Outcome::Goes("Weir's chart does not run as root".to_owned(), None),
            Ok(_) => grows("user", raw),
        },
    }
}

fn setting_at(name: &str, value: &str, raw: &str, around: Around) -> Outcome {
    if value.is_empty() {
        return Outcome::Goes("nothing is written".to_owned(), None);
    }
    match judge(name, Some(value), around) {
        Verdict::Becomes(row, new) => {
            let path = format!("settings.{}", row.name);
            if !known(&schema(), &path) {
                let why = format!("Weir's chart does not take {}", row.name);
                return Outcome::Stays(why, "keep it in a Secret, and name its file".to_owned());
            }
            let written = match new {
                Some(new) if new != value => quoted(&new),
                _ if matches!(value, "true" | "false") => value.to_owned(),
                _ => raw.to_owned(),
            };
            Outcome::Grows(vec![(path.clone(), written)], format!("now {path}"))
        }
        Verdict::Goes(why, remedy) => Outcome::Goes(why, remedy),
        Verdict::Stays(why, remedy) => Outcome::Stays(why, remedy),
        Verdict::Carried(_) => Outcome::Stays(
            "Weir's chart has no variables".to_owned(),
            "name a Secret with it in secrets.env, and remove this".to_owned(),
        ),
    }
}

fn as_quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
