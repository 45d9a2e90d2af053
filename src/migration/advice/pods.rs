//! What is dangerous in a manifest of Kubernetes that runs a gateway, or leads to one.

use super::facts::{Facts, text_at};
use super::say;
use crate::configuration::yaml::Node;
use crate::migration::container::{BACKUP, PEERS, is_gateway};
use crate::migration::page::{Page, at, get, items, text};
use crate::migration::work::Work;

/// The shortest time that a Pod should get to end, in seconds.
const GRACE_SECONDS_MIN: u32 = 30;

/// Judges one manifest.
pub(super) fn judge(facts: &mut Facts, work: &Work<'_>, page: &Page) {
    let kind = text_at(&page.root, &["kind"]).unwrap_or_default();
    if kind == "Service" {
        service(facts, work, page);
    }
    let Some(spec) = at(&page.root, &["spec", "template", "spec"]) else { return };
    let containers = at(spec, &["containers"]).map(items).unwrap_or_default();
    let gateway = containers.iter().find(|container| {
        let image = text_at(container, &["image"]).unwrap_or_default();
        is_gateway(image) || is_weir(image)
    });
    let Some(gateway) = gateway else { return };
    let name = text_at(&page.root, &["metadata", "name"]).unwrap_or_default();
    let what = format!("{kind}/{name}");
    let place = work.place(work.offset(gateway.mark));
    facts.has_pods = true;
    facts.gateway.get_or_insert_with(|| (place.clone(), what.clone()));
    let replicas = text_at(&page.root, &["spec", "replicas"]).unwrap_or("1");
    if replicas.parse::<u32>().is_ok_and(|count| 1 < count) {
        facts.several.get_or_insert_with(|| (place.clone(), what.clone()));
    }
    let is_old = is_gateway(text_at(gateway, &["image"]).unwrap_or_default());
    let mut found = Vec::new();
    if replicas.parse::<u32>().is_ok_and(|count| count < 3) && kind != "DaemonSet" {
        found.push("few-replicas");
    }
    if at(gateway, &["resources", "requests"]).is_none() {
        found.push("no-resources");
    }
    if get(spec, "topologySpreadConstraints").is_none() && get(spec, "affinity").is_none() {
        found.push("no-spread");
    }
    let grace = text_at(spec, &["terminationGracePeriodSeconds"]).unwrap_or("30");
    if grace.parse::<u32>().is_ok_and(|grace| grace < GRACE_SECONDS_MIN) {
        found.push("short-grace");
    }
    found.extend(security(facts, spec, gateway, is_old));
    found.extend(probes(gateway));
    for id in found {
        facts.findings.extend(say(id, &place, &what));
    }
}

fn is_weir(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
    name == "weir" || name.starts_with("weir:")
}

fn security(facts: &mut Facts, spec: &Node, gateway: &Node, is_old: bool) -> Vec<&'static str> {
    let mut found = Vec::new();
    let both = |key: &str| {
        let own = text_at(gateway, &["securityContext", key]);
        own.or_else(|| text_at(spec, &["securityContext", key]))
    };
    facts.user = both("runAsUser").map(str::to_owned);
    if both("runAsNonRoot") != Some("true") && both("runAsUser").is_none_or(|user| user == "0") {
        found.push("runs-as-root");
    }
    if is_old && both("readOnlyRootFilesystem") == Some("true") {
        found.push("read-only-root");
    }
    let mounts = at(gateway, &["volumeMounts"]).map(items).unwrap_or_default();
    let is_backup =
        |mount: &&Node| text_at(mount, &["mountPath"]).is_some_and(|path| path.starts_with(BACKUP));
    if mounts.iter().find(is_backup).is_some() {
        facts.has_backup = true;
        if is_old && both("fsGroup") != Some("1001") {
            found.push("backup-not-writable");
        }
    }
    let ports = at(gateway, &["ports"]).map(items).unwrap_or_default();
    facts.has_peer_ports |= ports
        .iter()
        .any(|port| text_at(port, &["containerPort"]).is_some_and(|port| PEERS.contains(&port)));
    found
}

fn probes(gateway: &Node) -> Vec<&'static str> {
    let mut found = Vec::new();
    let names = ["startupProbe", "readinessProbe", "livenessProbe"];
    if names.iter().any(|name| get(gateway, name).is_none()) {
        found.push("probe-missing");
    }
    let known =
        ["/status-0123456789abcdef", "/internal-status-0123456789abcdef", "/livez", "/readyz"];
    let is_wrong = |name: &&str| -> bool {
        text_at(gateway, &[name, "httpGet", "path"]).is_some_and(|path| !known.contains(&path))
    };
    if names.iter().any(is_wrong) {
        found.push("probe-path");
    }
    found
}

fn service(facts: &mut Facts, work: &Work<'_>, page: &Page) {
    let kind = text_at(&page.root, &["spec", "type"]).unwrap_or_default();
    let is_outside = kind == "LoadBalancer" || kind == "NodePort";
    if is_outside && text_at(&page.root, &["spec", "externalTrafficPolicy"]) != Some("Local") {
        let name = get(&page.root, "metadata").and_then(|it| get(&it.value, "name"));
        let name = name.and_then(|entry| text(&entry.value)).unwrap_or_default();
        let place = work.place(work.offset(page.root.mark));
        facts.findings.extend(say("client-address-lost", &place, &format!("Service/{name}")));
    }
}
