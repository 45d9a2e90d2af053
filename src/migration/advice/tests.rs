//! Each rule is said where it should be, and nowhere else; the documentation has them all.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::*;

/// 2026-08-01.
const NOW: Timestamp = Timestamp::from_micros(1_785_542_400_000_000);

fn input(name: &str, text: &str) -> Input {
    Input { name: Arc::from(name), text: text.to_owned() }
}

fn rules_of(inputs: &[Input]) -> BTreeSet<&'static str> {
    advise(inputs, NOW).into_iter().map(|finding| finding.rule).collect()
}

fn corpus(name: &str) -> Input {
    input(name, &fs::read_to_string(format!("tests/corpus/migration/{name}")).unwrap())
}

#[test]
fn a_deployment_of_the_portal_is_advised() {
    let found = rules_of(&[corpus("kubernetes/portal.yaml")]);
    let expected = [
        "gateway-token",
        "image-rolling-tag",
        "no-backup",
        "no-disruption-budget",
        "no-resources",
        "no-spread",
        "probe-missing",
        "runs-as-root",
        "telemetry-in-cloud-only",
    ];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn an_old_deployment_is_advised() {
    let found = rules_of(&[corpus("kubernetes/backup.yaml")]);
    let expected = [
        "backup-not-writable",
        "configuration-api-v1",
        "few-replicas",
        "gateway-token",
        "image-unsupported",
        "no-disruption-budget",
        "no-resources",
        "no-spread",
        "probe-missing",
        "runs-as-root",
        "secret-in-clear",
        "telemetry-in-cloud-only",
        "token-expires",
    ];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn settings_are_judged_wherever_they_stand() {
    let found = rules_of(&[
        input(
            "a.env",
            "config.service.endpoint.disableCertificateValidation=true\n\
             config.service.auth=GatewayKey a&202608050000&eA==\n\
             Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls10=true\n\
             telemetry.logs.std.level=info\nHTTP_PROXY=http://proxy:3128\n",
        ),
        corpus("helm/0.1.0.yaml"),
    ]);
    let expected = [
        "certificate-not-checked",
        "configuration-api-v1",
        "gateway-token",
        "image-unsupported",
        "log-level",
        "proxy-without-local",
        "secret-in-clear",
        "telemetry-in-cloud-only",
        "token-expires",
        "weak-tls",
    ];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn policies_are_judged() {
    let text = "<policies><inbound><base /><set-header name=\"a\" exists-action=\"delete\" />\
                <cors allow-credentials=\"true\"><allowed-origins><origin>*</origin></allowed-origins></cors>\
                <rate-limit calls=\"1\" renewal-period=\"600\" />\
                <quota-by-key calls=\"1\" renewal-period=\"60\" counter-key=\"a\" />\
                <limit-concurrency key=\"a\" max-count=\"3\"><base /></limit-concurrency>\
                <validate-jwt header-name=\"a\"><issuer-signing-keys><key>c2hvcnQ=</key></issuer-signing-keys></validate-jwt>\
                </inbound></policies>";
    let expected = [
        "cors-any-with-credentials",
        "cors-not-first",
        "counts-by-itself",
        "quota-by-key-period",
        "rate-limit-period",
        "weak-signing-key",
    ];
    assert_eq!(rules_of(&[input("a.xml", text)]), BTreeSet::from(expected));
}

#[test]
fn a_good_deployment_has_nothing_to_hear() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: weir}\nspec:\n  replicas: 3\n  \
                template:\n    spec:\n      terminationGracePeriodSeconds: 60\n      \
                topologySpreadConstraints: [{maxSkew: 1}]\n      securityContext: {runAsNonRoot: true}\n      \
                containers:\n        - name: weir\n          image: weir@sha256:0123\n          env:\n            \
                - {name: WEIR_REDIS_URL, value: \"redis://redis\"}\n            \
                - {name: WEIR_CONFIGURATION_LAST_GOOD_FOLDER, value: /var/lib/weir/last-good}\n          \
                resources: {requests: {cpu: 500m}}\n          \
                startupProbe: {httpGet: {path: /livez, port: 8082}}\n          \
                readinessProbe: {httpGet: {path: /readyz, port: 8082}}\n          \
                livenessProbe: {httpGet: {path: /livez, port: 8082}}\n---\napiVersion: policy/v1\nkind: \
                PodDisruptionBudget\nmetadata: {name: weir}\n";
    assert_eq!(advise(&[input("a.yaml", text)], NOW), []);
}

#[test]
fn the_documentation_has_every_rule() {
    let page = fs::read_to_string("docs/migration.md").unwrap();
    for (_, rule) in RULES {
        let line = format!("| `{}` ({}) | {}; {} |\n", rule.id, rule.level, rule.says, rule.remedy);
        assert!(page.contains(&line), "docs/migration.md lacks this line:\n{line}");
    }
}
