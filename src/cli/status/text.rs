//! What `weir status` says to people.

use std::fmt::Write as _;

use crate::admin::findings;
use crate::admin::shape::{Seen, Together};
use crate::cli::limits::table::{list, table};
use crate::cli::status::wait::Verdict;

/// How a gateway and its cluster are doing, and what is wrong.
pub(super) fn status(seen: &Seen, wrong: &[String]) -> String {
    let mut text = String::new();
    if let Some(cluster) = &seen.cluster {
        together(&mut text, cluster, "cluster");
    }
    let name = seen.replica().map(|name| format!(" ({name})")).unwrap_or_default();
    // A string takes everything.
    let _ = writeln!(text, "this replica{name}");
    let Seen { requests, requests_in_flight, .. } = seen;
    let mut rows = vec![
        ("state", findings::readiness(seen).to_owned()),
        ("serves", findings::serves(seen)),
        ("version", seen.version.clone()),
        ("requests", format!("{requests}, {requests_in_flight} of them in flight")),
        ("limits", findings::sharing(seen)),
    ];
    rows.extend(findings::control(seen).map(|control| ("control plane", control)));
    let off = seen.configuration.kill_switch.iter().flat_map(|switch| &switch.off);
    rows.extend(off.map(|off| ("switched off", off.clone())));
    list(&mut text, &rows);
    text.push('\n');
    self::wrong(&mut text, wrong);
    text
}

/// What is wrong, a line each.
pub(super) fn wrong(text: &mut String, wrong: &[String]) {
    if wrong.is_empty() {
        text.push_str("nothing is wrong\n");
        return;
    }
    text.push_str("wrong\n");
    for sentence in wrong {
        // A string takes everything.
        let _ = writeln!(text, "  {sentence}");
    }
}

/// Those who share something, under the name that they have together.
pub(super) fn together(text: &mut String, cluster: &Together, name: &str) {
    text.push_str(name);
    text.push('\n');
    let in_force = cluster.in_force.as_ref();
    let wish = in_force.and_then(findings::wish);
    let in_force = in_force.map_or_else(|| "nothing yet".to_owned(), findings::in_force);
    let mut rows = vec![("leader", findings::leader(cluster)), ("in force", in_force)];
    rows.extend(wish.map(|wish| ("last wish", wish)));
    list(text, &rows);
    text.push('\n');
    let rows = findings::rows(cluster);
    // Without a control plane there are none.
    let has_tokens = rows.iter().any(|row| row.token.is_some());
    let mut heads = vec!["REPLICA", "VERSION", "OBSERVED", "PREPARED", "SERVING", "ROLE"];
    heads.extend(has_tokens.then_some("TOKEN"));
    heads.push("LAST ERROR");
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let lines: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let mut line = vec![row.name, row.version];
            line.extend(row.generations.map(|generation| generation.to_string()));
            line.push(row.role);
            line.extend(has_tokens.then(|| or_none(row.token)));
            line.push(or_none(row.error));
            line
        })
        .collect();
    text.push_str(&table(&heads, &lines));
    text.push('\n');
}

/// What became of a wait for `generation`.
pub(super) fn waited(verdict: &Verdict, generation: u64) -> String {
    let mut text = match verdict {
        Verdict::Served => {
            format!("\nevery replica serves generation {generation}, or a later one\n")
        }
        Verdict::Refused(_) => format!("\ngeneration {generation} will not be served\n"),
        Verdict::NotYet(_) => format!("\ngeneration {generation} was not served in time\n"),
    };
    for sentence in verdict.because() {
        let _ = writeln!(text, "  {sentence}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admin::findings::tests::told;

    #[test]
    fn a_cluster_comes_first_then_its_replicas_then_this_one() {
        let mut told = told();
        let canary = &mut told["cluster"]["replicas"][0];
        canary["serving"] = 6.into();
        (canary["refused"], canary["faults"]) = (7.into(), json!(["x.xml:1:2: it is bad"]));
        told["control"] = json!({"connected": true, "tokenExpires": "2026-12-01T00:00:00.000Z"});
        told["configuration"]["source"] = "folder".into();
        told["configuration"]["killSwitch"] = json!({"off": ["policy cors"]});
        let seen = Seen::of(told).unwrap();
        let expected = "\
cluster
  leader    b, since 2026-11-22T10:30:00.000Z
  in force  generation 7 for c; generation 6 for all others; published by b

REPLICA  VERSION  OBSERVED  PREPARED  SERVING  ROLE            LAST ERROR
a        0.1.0    7         7         6        follows         -
b        0.1.0    7         7         6        leads           -
c        0.1.0    7         7         6        canary, behind  refuses generation 7: x.xml:1:2: it is bad

this replica (a)
  state          ready
  serves         generation 6 since 2026-11-22T11:00:00.000Z, from folder
  version        0.1.0
  requests       1200, 3 of them in flight
  limits         in memory, 12 counters
  control plane  connected; the credential is good until 2026-12-01T00:00:00.000Z
  switched off   policy cors

wrong
  c is behind: it serves generation 6, not 7
  c: refuses generation 7: x.xml:1:2: it is bad
";
        assert_eq!(status(&seen, &findings::wrong(&seen)), expected);
    }

    #[test]
    fn tokens_of_replicas_have_a_column_where_there_are_any() {
        let mut told = told();
        let token = json!({"expires": "2026-12-01T00:00:00.000Z", "state": "fine"});
        told["cluster"]["replicas"][0]["token"] = token;
        let text = status(&Seen::of(told).unwrap(), &[]);
        let expected = "\
REPLICA  VERSION  OBSERVED  PREPARED  SERVING  ROLE     TOKEN                           LAST ERROR
a        0.1.0    7         7         6        follows  -                               -
b        0.1.0    7         7         6        leads    -                               -
c        0.1.0    7         7         7        canary   until 2026-12-01T00:00:00.000Z  -
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_gateway_alone_is_told_of_alone() {
        let mut told = told();
        told.as_object_mut().unwrap().remove("cluster");
        told["counters"]["shared"] = json!({
            "lanes": [{"state": "in-touch", "forSeconds": 5, "redis": "r:1", "replicas": 3}],
        });
        let seen = Seen::of(told).unwrap();
        let expected = "\
this replica
  state     ready
  serves    generation 6 since 2026-11-22T11:00:00.000Z
  version   0.1.0
  requests  1200, 3 of them in flight
  limits    shared through r:1 (in-touch for 5 s, 3 replicas)

nothing is wrong
";
        assert_eq!(status(&seen, &findings::wrong(&seen)), expected);
    }

    #[test]
    fn a_wait_that_failed_says_who_lacks_it() {
        let late = Verdict::NotYet(vec!["c serves generation 6".to_owned()]);
        assert_eq!(
            waited(&late, 7),
            "\ngeneration 7 was not served in time\n  c serves generation 6\n"
        );
    }
}
