//! Findings as a report: for people, for machines, and as SARIF for code scanners.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::advice::rules::RULES;
use super::finding::{Finding, Level};

/// The version of SARIF that is written.
const SARIF: &str = "2.1.0";
const SARIF_SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A finding, for machines.
#[derive(Serialize)]
struct Row<'f> {
    rule: &'f str,
    level: Level,
    file: &'f str,
    line: u32,
    column: u32,
    what: &'f str,
    message: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'f str>,
}

/// In the order of the places.
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|one, other| one.place.cmp(&other.place).then(one.what.cmp(&other.what)));
    findings
}

/// A line for each finding, and one that counts them.
pub fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let Finding { rule, level, place, what, message, remedy } = finding;
        let name = if *rule == level.word() { String::new() } else { format!(" [{rule}]") };
        // Writing to a string cannot fail.
        let _ = write!(out, "{place}: {level}{name} {what}: {message}");
        if let Some(remedy) = remedy {
            let _ = write!(out, "; {remedy}");
        }
        out.push('\n');
    }
    let mut counts: BTreeMap<Level, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.level).or_default() += 1;
    }
    let counted: Vec<String> =
        counts.iter().map(|(level, count)| format!("{count} {level}")).collect();
    let _ = match counted.as_slice() {
        [] => writeln!(out, "nothing was found"),
        some => writeln!(out, "{}", some.join(", ")),
    };
    out
}

/// A list, with whatever else there is to say.
pub fn json(findings: &[Finding], beside: &Value) -> String {
    let rows: Vec<Row<'_>> = findings.iter().map(row).collect();
    let mut report = json!({ "findings": rows });
    if let (Some(report), Some(beside)) = (report.as_object_mut(), beside.as_object()) {
        report.extend(beside.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

/// As SARIF 2.1.0. What was carried or changed is no result of the level `error`.
pub fn sarif(findings: &[Finding]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = findings.iter().map(result).collect();
    let rules: Vec<Value> = rules.iter().map(|id| described(id)).collect();
    let log = json!({
        "$schema": SARIF_SCHEMA,
        "version": SARIF,
        "runs": [{
            "tool": { "driver": {
                "name": "weir",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

/// A rule, with what it says if it is one of advice.
fn described(id: &str) -> Value {
    match RULES.iter().find(|(name, _)| *name == id) {
        Some((_, rule)) => json!({
            "id": id,
            "shortDescription": { "text": rule.says },
            "help": { "text": rule.remedy },
        }),
        None => json!({ "id": id }),
    }
}

fn row(finding: &Finding) -> Row<'_> {
    Row {
        rule: finding.rule,
        level: finding.level,
        file: &finding.place.file,
        line: finding.place.line,
        column: finding.place.column,
        what: &finding.what,
        message: &finding.message,
        remedy: finding.remedy.as_deref(),
    }
}

fn result(finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Carried => "none",
        Level::Changed | Level::Dropped | Level::Note => "note",
        Level::Warning => "warning",
        Level::Refused | Level::Error => "error",
    };
    // A result without a level of its own is one that passed.
    let kind = if level == "none" { "pass" } else { "fail" };
    let mut text = format!("{}: {}", finding.what, finding.message);
    if let Some(remedy) = &finding.remedy {
        let _ = write!(text, "; {remedy}");
    }
    json!({
        "ruleId": finding.rule,
        "level": level,
        "kind": kind,
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.place.file) },
            "region": { "startLine": finding.place.line, "startColumn": finding.place.column },
        }}],
    })
}

/// A path as a reference of a URI.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'\\' => out.push('/'),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fault::Place;

    fn finding() -> Finding {
        let place = Place { file: Arc::from("a b/c.env"), line: 3, column: 1 };
        Finding::of(Level::Refused, place, "key", "it cannot be").mend("remove it")
    }

    #[test]
    fn a_line_says_where_what_and_why() {
        assert_eq!(
            text(&[finding()]),
            "a b/c.env:3:1: refused key: it cannot be; remove it\n1 refused\n"
        );
    }

    #[test]
    fn a_scanner_finds_the_place() {
        let log: Value = serde_json::from_str(&sarif(&[finding()])).unwrap();
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["level"], "error");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/c.env");
        assert_eq!(place["region"]["startLine"], 3);
    }

    #[test]
    fn a_log_has_what_sarif_requires() {
        let advice = finding().by("weak-tls");
        let log: Value = serde_json::from_str(&sarif(&[finding(), advice])).unwrap();
        assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 1));
        let driver = &log["runs"][0]["tool"]["driver"];
        assert_eq!(driver["name"], "weir");
        let rules: Vec<&str> =
            driver["rules"].as_array().unwrap().iter().filter_map(|it| it["id"].as_str()).collect();
        assert_eq!(rules, ["refused", "weak-tls"]);
        assert!(driver["rules"][1]["shortDescription"]["text"].is_string());
        for result in log["runs"][0]["results"].as_array().unwrap() {
            assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
            assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
            let levels = ["none", "note", "warning", "error"];
            assert!(levels.contains(&result["level"].as_str().unwrap()));
            // Whatever is not a failure has no level, says the standard.
            assert_eq!(result["kind"] == "fail", result["level"] != "none");
        }
    }
}
