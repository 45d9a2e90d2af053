//! The metrics of a control plane, read when somebody scrapes them.

use std::collections::BTreeSet;

use super::fleet::{Name, Replica};
use super::publisher::Standing;
use super::tally::{Counts, FORMS, REFUSALS};
use crate::admin::metrics::cluster::of_cluster;
use crate::configuration::cluster::Cluster;
use crate::configuration::generation::Generation;
use crate::issuer;
use crate::telemetry::metrics::{Page, float, number, table};
use crate::time::Timestamp;

/// What replicas are counted by.
const STATES: [&str; 4] = ["newest", "behind", "refusing", "away"];

/// What is scraped `now`.
pub(super) fn page(
    (standing, replicas, issuers): (&Standing, &[(Name, Replica)], &[issuer::Standing]),
    counts: &Counts,
    cluster: Option<&Cluster>,
    now: Timestamp,
) -> String {
    let mut page = Page::default();
    of_generation(&mut page, standing, now);
    of_replicas(&mut page, replicas, standing.generation);
    page.count(&table::PLANE_STREAMS, &[], counts.opened);
    for (reason, count) in REFUSALS.into_iter().zip(counts.refused) {
        page.count(&table::PLANE_STREAMS_REFUSED, &[("reason", reason)], count);
    }
    for (form, (count, bytes)) in
        FORMS.into_iter().zip(counts.sent.into_iter().zip(counts.sent_bytes))
    {
        page.count(&table::PLANE_SENT, &[("form", form)], count);
        page.count(&table::PLANE_SENT_BYTES, &[("form", form)], bytes);
    }
    for (verdict, count) in [("accepted", counts.accepted), ("refused", counts.rejected)] {
        page.count(&table::PLANE_VERDICTS, &[("verdict", verdict)], count);
    }
    of_issuers(&mut page, issuers, now);
    if let Some(cluster) = cluster {
        of_cluster(&mut page, cluster);
    }
    page.text()
}

fn of_generation(page: &mut Page, standing: &Standing, now: Timestamp) {
    let newest = standing.generation;
    page.level(&table::PLANE_GENERATION, &[], float(newest.number));
    let row = standing.rows.iter().find(|row| row.number == newest.number);
    let age = row.map_or(f64::NAN, |row| {
        now.since(Timestamp::from_micros(row.published.saturating_mul(1_000))).as_secs_f64()
    });
    page.level(&table::PLANE_GENERATION_AGE, &[], age);
    page.count(&table::PLANE_LOADS, &[], standing.loads);
    page.count(&table::PLANE_LOADS_REFUSED, &[], standing.refused);
    let is_refused = f64::from(u8::from(!standing.faults.is_empty()));
    page.level(&table::PLANE_FOLDER_REFUSED, &[], is_refused);
}

fn of_replicas(page: &mut Page, replicas: &[(Name, Replica)], newest: Generation) {
    let state = |replica: &Replica| match replica {
        Replica { is_connected: false, .. } => "away",
        Replica { refuses, .. } if !refuses.is_none() => "refusing",
        Replica { serving, .. } if *serving < newest => "behind",
        Replica { .. } => "newest",
    };
    for word in STATES {
        let count = replicas.iter().filter(|(_name, replica)| state(replica) == word).count();
        page.level(&table::PLANE_REPLICAS, &[("state", word)], number(count));
    }
    let here = || replicas.iter().filter(|(_name, replica)| replica.is_connected);
    let gateways: BTreeSet<&str> = here().map(|(name, _replica)| &*name.0).collect();
    page.level(&table::PLANE_GATEWAYS, &[], number(gateways.len()));
    let ends = here().map(|(_name, replica)| replica.credential_until);
    let first = ends.filter(|at| *at != Timestamp::default()).min();
    let first = first.map_or(f64::NAN, |at| float(at.micros() / 1_000_000));
    page.level(&table::PLANE_CREDENTIAL_EXPIRES, &[], first);
}

/// Of each issuer by its name: they stand in a file of the operator's, which names a hundred at most.
fn of_issuers(page: &mut Page, issuers: &[issuer::Standing], now: Timestamp) {
    for issuer::Standing { name, keys, fetched, failures, .. } in issuers {
        let labels = [("issuer", name.as_str())];
        page.level(&table::PLANE_ISSUER_KEYS, &labels, number(*keys));
        let age = fetched.map_or(f64::NAN, |fetched| now.since(fetched).as_secs_f64());
        page.level(&table::PLANE_ISSUER_AGE, &labels, age);
        page.count(&table::PLANE_ISSUER_FAILURES, &labels, *failures);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::configuration::history::Row;

    #[test]
    fn replicas_are_counted_by_what_they_do_and_never_by_name() {
        let newest = Generation { history: 1, number: 3 };
        let old = Generation { history: 1, number: 2 };
        let at = Timestamp::from_micros;
        let replica = |name: usize, is_connected, serving, refuses, until| {
            let name: Name = (Arc::from("north"), Arc::from(name.to_string()));
            let mut replica = Replica::default();
            (replica.is_connected, replica.credential_until) = (is_connected, at(until));
            (replica.serving, replica.refuses) = (serving, refuses);
            (name, replica)
        };
        let none = Generation::NONE;
        let replicas = [
            replica(1, true, newest, none, 9_000_000),
            replica(2, true, old, none, 7_000_000),
            replica(3, true, old, newest, 0),
            replica(4, false, old, none, 5_000_000),
        ];
        let row = Row {
            number: 3,
            digest: String::new(),
            published: 40_000,
            like: None,
            by: None,
            now: false,
            wanted: None,
        };
        let standing =
            Standing { generation: newest, rows: vec![row], loads: 5, ..Standing::default() };
        let seen = (&standing, &replicas[..], &[][..]);
        let text = page(seen, &Counts::default(), None, at(100_000_000));
        for line in [
            "weir_control_plane_generation 3.0",
            "weir_control_plane_generation_age_seconds 60.0",
            "weir_control_plane_loads_total 5",
            "weir_control_plane_replicas{state=\"newest\"} 1.0",
            "weir_control_plane_replicas{state=\"behind\"} 1.0",
            "weir_control_plane_replicas{state=\"refusing\"} 1.0",
            "weir_control_plane_replicas{state=\"away\"} 1.0",
            "weir_control_plane_gateways 1.0",
            "weir_control_plane_credential_expires_seconds 7.0",
            "weir_control_plane_streams_refused_total{reason=\"crowded\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in:\n{text}");
        }
    }

    #[test]
    fn an_issuer_is_told_by_its_name_whatever_that_is() {
        let at = Timestamp::from_micros;
        let issuer = |name: &str, keys, fetched, failures| issuer::Standing {
            fetches: 0,
            name: name.to_owned(),
            keys,
            fetched,
            trouble: None,
            failures,
        };
        let issuers = [
            issuer("https://a.example", 2, Some(at(40_000_000)), 3),
            issuer("of \"b\" \\ c", 1, None, 0),
        ];
        let text =
            page((&Standing::default(), &[], &issuers), &Counts::default(), None, at(100_000_000));
        for line in [
            "weir_control_plane_issuer_keys{issuer=\"https://a.example\"} 2.0",
            "weir_control_plane_issuer_keys_age_seconds{issuer=\"https://a.example\"} 60.0",
            "weir_control_plane_issuer_failures_total{issuer=\"https://a.example\"} 3",
            "weir_control_plane_issuer_keys_age_seconds{issuer=\"of \\\"b\\\" \\\\ c\"} NaN",
            "weir_control_plane_issuer_failures_total{issuer=\"of \\\"b\\\" \\\\ c\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in:\n{text}");
        }
    }
}
