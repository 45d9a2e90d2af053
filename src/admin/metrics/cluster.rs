//! The metrics of a cluster, as one of its replicas sees it: a gateway, or a control plane.

use crate::admin::metrics::{MILLIONTH, spread};
use crate::configuration::cluster::Cluster;
use crate::configuration::cluster::record::Current;
use crate::telemetry::metrics::{Page, float, number, table};

/// Puts in what `cluster` has counted, and how it is doing.
pub fn of_cluster(page: &mut Page, cluster: &Cluster) {
    let (state, calls) = (cluster.status.now(), cluster.calls.now());
    let seen = cluster.standing.borrow();
    let is = |holds: bool| f64::from(u8::from(holds));
    page.level(&table::CLUSTER_LEADING, &[], is(seen.is_leading));
    page.level(&table::CLUSTER_LED, &[], is(seen.leader.is_some()));
    page.count(&table::CLUSTER_TERMS, &[], seen.counts.terms);
    page.count(&table::CLUSTER_LEADERS, &[], seen.counts.leaders);
    page.level(&table::CLUSTER_REPLICAS, &[], number(seen.members.len()));
    let in_force = seen.current.as_ref().map_or(0, |current: &Current| current.number);
    for (word, generation) in [
        ("in-force", in_force),
        ("observed", state.observed.number),
        ("prepared", state.prepared.number),
        ("serving", state.serving.number),
    ] {
        page.level(&table::CLUSTER_GENERATION, &[("state", word)], float(generation));
    }
    page.count(&table::CLUSTER_PUBLISHED, &[], seen.counts.published);
    page.count(&table::CLUSTER_FAILURES, &[], seen.counts.failures);
    page.level(&table::CLUSTER_TROUBLE, &[], is(seen.trouble.is_some()));
    page.count(&table::CLUSTER_CALLS_FAILED, &[], calls.failed);
    spread(page, (&table::CLUSTER_CALLS, &[]), &calls.answered, MILLIONTH);
}
