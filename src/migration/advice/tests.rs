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
        "secret-in-clear",
        "telemetry-in-cloud-only",
        "token-expires",
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
fn tokens_are_found_wherever_they_stand() {
    // GatewayKey a&202608050000&eA==
    let encoded = "R2F0ZXdheUtleSBhJjIwMjYwODA1MDAwMCZlQT09";
    let secret = |key: &str, value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{key}:\n  value: {value}\n")
    };
    for (name, text) in [
        ("a.yaml", secret("data", encoded)),
        ("a.yaml", secret("stringData", "GatewayKey a&202608050000&eA==")),
        (
            "a.sh",
            "docker run -e 'config.service.auth=GatewayKey a&202608050000&eA==' x\n".to_owned(),
        ),
        (
            "a.sh",
            "az containerapp create --secrets \"token=GatewayKey a&202608050000&eA==\"\n"
                .to_owned(),
        ),
        ("a.sh", "TOKEN='GatewayKey a&202608050000&eA=='\ncurl -H \"$TOKEN\" x\n".to_owned()),
        ("a.conf", "some words\nGatewayKey a&202608050000&eA==\n".to_owned()),
    ] {
        let found = rules_of(&[input(name, &text)]);
        for rule in ["secret-in-clear", "token-expires", "gateway-token"] {
            assert!(found.contains(rule), "{rule}: {text}");
        }
    }
    // One that ends in a year is still one that stands there.
    let found = rules_of(&[input("a.env", "config.service.auth=GatewayKey a&202708050000&eA==\n")]);
    assert!(found.contains("secret-in-clear") && !found.contains("token-expires"), "{found:?}");
}

#[test]
fn policies_that_do_otherwise_than_they_say_are_judged() {
    let of = |inbound: &str, backend: &str, outbound: &str| {
        let text = format!(
            "<policies><inbound>{inbound}</inbound><backend>{backend}</backend><outbound>{outbound}</outbound></policies>"
        );
        rules_of(&[input("a.xml", &text)])
    };
    let only = |rule: &'static str| BTreeSet::from([rule]);
    assert_eq!(
        of("<llm-semantic-cache-lookup score-threshold=\"0.1\" />", "", ""),
        only("policy-skipped")
    );
    let get = "<send-request><set-method>GET</set-method><set-body>a</set-body></send-request>";
    assert_eq!(of(get, "", ""), only("body-of-get"));
    assert_eq!(of(&get.replace("GET", "POST"), "", ""), BTreeSet::new());
    let liquid = "<return-response><set-body template=\"liquid\">a</set-body></return-response>";
    assert_eq!(of(liquid, "", ""), only("liquid-in-return-response"));
    let check = "<check-header name=\"a\" failed-check-httpcode=\"200\" />";
    assert_eq!(of(check, "", ""), only("refused-with-success"));
    let other = "<check-header name=\"a\" failed-validation-httpcode=\"401\" />";
    assert_eq!(of(other, "", ""), only("refused-with-success"));
    let fine = "<validate-jwt header-name=\"a\" failed-validation-httpcode=\"401\" />";
    assert_eq!(of(fine, "", ""), BTreeSet::new());
    let stream = "<set-header name=\"Accept\"><value>text/event-stream</value></set-header>";
    let forward = "<forward-request buffer-response=\"false\" />";
    assert_eq!(of(stream, "<forward-request />", ""), only("stream-held-back"));
    assert_eq!(of(stream, forward, ""), BTreeSet::new());
    let comment = "<!-- no text/event-stream here -->";
    assert_eq!(of(comment, "<forward-request />", ""), BTreeSet::new());
    assert_eq!(of("", forward, "<set-body>a</set-body>"), only("stream-held-back"));
}

#[test]
fn a_list_of_manifests_is_advised() {
    let found = rules_of(&[corpus("kubernetes/list.yaml")]);
    assert!(found.contains("few-replicas") && found.contains("image-unsupported"), "{found:?}");
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
