//! What `weir status` says of a control plane, and whether every gateway that is connected to it
//! serves a generation.

use std::fmt::Write as _;

use crate::admin::findings as of_admin;
use crate::cli::limits::table::{list, table};
use crate::cli::status::text::together;
use crate::cli::status::wait::Verdict;
use crate::control::findings;
use crate::control::shape::{Seen, Shown};

/// How a control plane and its gateways are doing, and what is wrong.
pub(super) fn status(seen: &Seen, wrong: &[String]) -> String {
    let mut text = String::new();
    if let Some(cluster) = &seen.cluster {
        together(&mut text, cluster, "all control planes");
    }
    let name = seen.cluster.as_ref().map(|cluster| format!(" ({})", cluster.replica));
    // A string takes everything.
    let _ = writeln!(text, "this control plane{}", name.unwrap_or_default());
    list(
        &mut text,
        &[
            ("offers", findings::offers(seen)),
            ("source", findings::source(seen)),
            ("gateways", findings::connected(seen)),
            ("version", seen.version.clone()),
        ],
    );
    text.push('\n');
    if !seen.replicas.is_empty() {
        let heads =
            ["GATEWAY", "VERSION", "OBSERVED", "PREPARED", "SERVING", "STATE", "LAST ERROR"];
        text.push_str(&table(&heads, &gateways(seen)));
        text.push('\n');
    }
    if !seen.generations.is_empty() {
        text.push_str(&table(&["GENERATION", "PUBLISHED", "CONTENT", "BY"], &history(seen)));
        text.push('\n');
    }
    super::text::wrong(&mut text, wrong);
    text
}

fn gateways(seen: &Seen) -> Vec<Vec<String>> {
    let line = |row: of_admin::Row| {
        let mut line = vec![row.name, row.version];
        line.extend(row.generations.map(|generation| generation.to_string()));
        line.extend([row.role, row.error.unwrap_or_else(|| "-".to_owned())]);
        line
    };
    findings::rows(seen).into_iter().map(line).collect()
}

fn history(seen: &Seen) -> Vec<Vec<String>> {
    let line = |former: &crate::control::shape::Former| {
        let digest = former.digest.get(..12).unwrap_or(&former.digest);
        let content = match former.like {
            Some(like) => format!("{digest}, that of {like}"),
            None => digest.to_owned(),
        };
        let by = former.by.clone().unwrap_or_else(|| "-".to_owned());
        vec![former.number.to_string(), former.date(), content, by]
    };
    seen.generations.iter().rev().map(line).collect()
}

/// Whether every replica that is connected serves `wanted`, or a later one. The folder had been
/// refused so often as `refused_before` says when the wait began.
pub(super) fn judge(seen: &Seen, wanted: u64, refused_before: u64) -> Verdict {
    if let Some(like) = seen.like.filter(|like| *like < wanted && wanted < seen.generation) {
        return Verdict::Refused(vec![format!("somebody went back to generation {like}")]);
    }
    if seen.generation < wanted {
        let published = seen.generation;
        let mut because = vec![format!("generation {published} is the newest published")];
        if let Some(fault) = seen.faults.first() {
            because = vec![format!("the folder is refused: {fault}")];
            if refused_before < seen.refused {
                return Verdict::Refused(because);
            }
        }
        return Verdict::NotYet(because);
    }
    let mut here = seen.replicas.iter().filter(|replica| replica.connected).peekable();
    if here.peek().is_none() {
        return Verdict::NotYet(vec!["no gateway is connected here".to_owned()]);
    }
    let lacks = |replica: &&Shown| replica.serving < wanted || replica.history < seen.history;
    let lacking: Vec<&Shown> = here.filter(lacks).collect();
    let refuses = |replica: &&&Shown| wanted <= replica.refuses;
    let refusing: Vec<String> =
        lacking.iter().filter(refuses).map(|replica| lack(replica)).collect();
    if !refusing.is_empty() {
        return Verdict::Refused(refusing);
    }
    if lacking.is_empty() {
        return Verdict::Served;
    }
    Verdict::NotYet(lacking.into_iter().map(lack).collect())
}

fn lack(replica: &Shown) -> String {
    let serves = format!("{} serves generation {}", findings::name(replica), replica.serving);
    match findings::last_error(replica) {
        Some(error) => format!("{serves}: it {error}"),
        None => serves,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::control::findings::tests::told;

    fn judged(wanted: u64, change: impl FnOnce(&mut Value)) -> String {
        let mut told = told();
        change(&mut told);
        let verdict = judge(&Seen::of(told).unwrap(), wanted, 0);
        format!("{}: {}", verdict.name(), verdict.because().join("; "))
    }

    #[test]
    fn it_is_served_once_all_who_are_connected_serve_it() {
        assert_eq!(judged(3, |_| ()), "served: ");
        assert_eq!(judged(2, |_| ()), "served: ");
        assert_eq!(judged(4, |_| ()), "late: generation 3 is the newest published");
        let one_behind = |told: &mut Value| told["replicas"][1]["serving"] = 2.into();
        assert_eq!(judged(3, one_behind), "late: north/b serves generation 2");
        let former = |told: &mut Value| told["replicas"][1]["history"] = 0.into();
        assert_eq!(judged(2, former), "late: north/b serves generation 3");
        let alone = |told: &mut Value| told["replicas"] = json!([]);
        assert_eq!(judged(3, alone), "late: no gateway is connected here");
    }

    #[test]
    fn a_refusal_ends_the_wait_whoever_refuses() {
        let refuses = |told: &mut Value| {
            let replica = &mut told["replicas"][1];
            (replica["serving"], replica["refuses"]) = (2.into(), 3.into());
            replica["faults"] = json!(["it is bad"]);
        };
        let told = "refused: north/b serves generation 2: it refuses generation 3: it is bad";
        assert_eq!(judged(3, refuses), told);
        let bad = |told: &mut Value| {
            (told["faults"], told["refused"]) = (json!(["a.yaml:1:1: bad"]), 1.into());
        };
        assert_eq!(judged(4, bad), "refused: the folder is refused: a.yaml:1:1: bad");
        let back = |told: &mut Value| told["like"] = 1.into();
        assert_eq!(judged(2, back), "refused: somebody went back to generation 1");
        assert_eq!(judged(3, back), "served: ");
    }

    #[test]
    fn people_read_what_is_offered_who_serves_it_and_what_was() {
        let seen = Seen::of(told()).unwrap();
        let expected = "\
this control plane
  offers    generation 3 since 2026-11-22T10:30:00.000Z: the folder has it
  source    /etc/weir, loaded at 2026-11-22T10:30:00.000Z and good
  gateways  2 connected, 2 of them serve the newest generation
  version   0.1.0

GATEWAY  VERSION  OBSERVED  PREPARED  SERVING  STATE                                                                            LAST ERROR
north/a  0.1.0    3         3         3        connected since 2026-11-22T11:00:00.000Z, credential until 2026-12-20T10:00:00.000Z  -
";
        let text = status(&seen, &findings::wrong(&seen));
        let expected: Vec<String> = expected
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let said: Vec<String> = text
            .lines()
            .take(expected.len())
            .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(said, expected, "{text}");
        assert!(text.contains("GENERATION  PUBLISHED"), "{text}");
        assert!(text.ends_with("\n\nnothing is wrong\n"), "{text}");
    }
}
