//! Advice about a deployment of either gateway: what is dangerous in it, by rules with names that
//! stay. Nothing is changed.

pub mod rules;
mod facts;
mod pods;
mod policies;
mod tokens;
mod version;

use std::sync::Arc;
use std::time::Duration;

use super::finding::Finding;
use super::report::sorted;
use super::{Input, Options, setting::Around, unmarked};
use crate::fault::Place;
use crate::settings::apim;
use crate::time::Timestamp;
use facts::{Facts, Setting};
use rules::RULES;

/// How long before its end a token is old.
const OLD: Duration = Duration::from_hours(7 * 24);
/// What is in the name of suites without forward secrecy, or with digests that are broken.
const WEAK_SUITES: [&str; 3] = ["TLS_RSA_WITH", "_CBC_SHA,", "_3DES_"];

/// What there is to say about `inputs`, together one deployment, at `now`.
pub fn advise(inputs: &[Input], now: Timestamp) -> Vec<Finding> {
    let options = Options { image: String::new(), around: Around::default() };
    let mut facts = Facts::default();
    for input in inputs {
        let text = unmarked(&input.text);
        let bare = Input { name: Arc::clone(&input.name), text: text.to_owned() };
        let input = &bare;
        if input.name.to_ascii_lowercase().ends_with(".xml") {
            policies::judge(input, &mut facts.findings);
        } else {
            facts.gather(input, &options);
        }
    }
    let mut findings = std::mem::take(&mut facts.findings);
    for (image, place) in &facts.images {
        findings.extend(version::judge(image, place));
    }
    for setting in &facts.settings {
        judge(setting, &mut findings);
    }
    for token in &facts.tokens {
        for id in ["gateway-token", "secret-in-clear"] {
            findings.extend(say(id, &token.place, &token.what));
        }
        if token.end.is_some_and(|end| end <= now + OLD) {
            findings.extend(say("token-expires", &token.place, &token.what));
        }
    }
    together(&facts, &mut findings);
    sorted(findings)
}

/// What rule `id` says of `what`.
fn say(id: &'static str, place: &Place, what: &str) -> Option<Finding> {
    let (_, rule) = RULES.iter().find(|(name, _)| *name == id)?;
    let finding = Finding::of(rule.level, place.clone(), what, rule.says);
    Some(finding.by(rule.id).mend(rule.remedy))
}

/// What one setting says.
fn judge(setting: &Setting, findings: &mut Vec<Finding>) {
    let Setting { name, value, place } = setting;
    let folded = name.to_ascii_lowercase();
    let value = value.as_deref().unwrap_or_default();
    let mut found = |id| findings.extend(say(id, place, name));
    let is_on = value.eq_ignore_ascii_case("true");
    if folded == "config.service.auth" && (value.is_empty() || value == "key") {
        found("gateway-token");
    }
    match folded.as_str() {
        "config.service.endpoint"
            if value.contains("/subscriptions/") || value.contains(".management.") =>
        {
            found("configuration-api-v1");
        }
        "config.service.endpoint.disablecertificatevalidation" if is_on => {
            found("certificate-not-checked");
        }
        "telemetry.logs.std.level" | "weir_log_level"
            if matches!(value, "all" | "debug" | "info") =>
        {
            found("log-level");
        }
        _ => {}
    }
    let is_old = ["protocols.tls11", "protocols.tls10", "protocols.ssl30"];
    let is_weak = folded.ends_with("allowed-suites")
        && WEAK_SUITES.iter().any(|suite| format!("{value},").contains(suite));
    if is_weak || (is_on && is_old.iter().any(|end| folded.ends_with(end))) {
        found("weak-tls");
    }
}

/// What only all of it says.
fn together(facts: &Facts, findings: &mut Vec<Finding>) {
    let find = |name: &str| {
        facts.settings.iter().find(|setting| {
            setting.name.eq_ignore_ascii_case(name)
                || setting.name.eq_ignore_ascii_case(&name.replace(['.', '-'], "_"))
        })
    };
    let asks_azure = find("config.service.endpoint");
    let near =
        ["telemetry.metrics.local", "observability.opentelemetry.enabled", "telemetry.logs.local"];
    let is_near = near
        .iter()
        .filter_map(|name| find(name))
        .any(|setting| !matches!(setting.value.as_deref(), Some("none" | "false" | "auto" | "")));
    if let (Some(endpoint), false) = (asks_azure, is_near) {
        findings.extend(say("telemetry-in-cloud-only", &endpoint.place, &endpoint.name));
    }
    let proxy = find("http_proxy").or_else(|| find("https_proxy"));
    let spared = find("no_proxy").and_then(|setting| setting.value.as_deref());
    if let Some(proxy) = proxy.filter(|_| !spared.is_some_and(|it| it.contains("localhost"))) {
        findings.extend(say("proxy-without-local", &proxy.place, &proxy.name));
    }
    let peers = find("neighborhood.host");
    match peers {
        // An app of Container Apps has no ports for UDP at all.
        Some(host) if facts.is_app || (facts.has_pods && !facts.has_peer_ports) => {
            findings.extend(say("peers-cannot-talk", &host.place, &host.name));
        }
        _ => {}
    }
    let shares = peers.is_some() || find("weir.redis.url").is_some();
    if let (Some((place, what)), false) = (&facts.several, shares) {
        findings.extend(say("peers-unknown", place, what));
    }
    let authorities = find("certificates.local.ca.enabled")
        .filter(|setting| setting.value.as_deref() == Some("true"));
    let is_other = facts.user.as_ref().is_some_and(|user| user != "1001");
    if let (Some(setting), true) = (authorities, is_other) {
        findings.extend(say("authorities-need-user", &setting.place, &setting.name));
    }
    let keeps = facts.has_backup || find("weir.configuration.last_good.folder").is_some();
    if let (Some((place, what)), false) = (&facts.gateway, keeps) {
        findings.extend(say("no-backup", place, what));
    }
    if let (Some((place, what)), false) = (&facts.gateway, facts.has_budget) {
        findings.extend(say("no-disruption-budget", place, what));
    }
}

/// Whether `name` is a setting of a gateway.
fn is_setting(name: &str) -> bool {
    let is_proxy = ["http_proxy", "https_proxy", "no_proxy"];
    name.starts_with("WEIR_")
        || apim::treatment(name).is_some()
        || apim::is_meant(name)
        || is_proxy.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests;
