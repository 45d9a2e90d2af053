//! The metrics of backends that stand by themselves: circuits, health, and the members of pools.

use crate::policy::build::references::Backends;
use crate::telemetry::metrics::{Page, number, table};
use crate::time::Timestamp;

/// Of how many backends the metrics tell, those first whose ids come first.
const BACKENDS_MAX: usize = 1_000;

/// Puts in which circuits are open, what checks of health found, and who of pools can serve.
pub(super) fn of_backends(page: &mut Page, backends: &Backends, now: Timestamp) {
    let breakers = backends.values().filter_map(|backend| {
        let standing = backend.standing.as_ref()?;
        standing.rule().map(|_rule| (backend, standing))
    });
    for (backend, standing) in breakers.take(BACKENDS_MAX) {
        let labels = [("backend", &*backend.id)];
        let is_open = standing.open_until(now).is_some();
        page.level(&table::CIRCUIT_OPEN, &labels, f64::from(u8::from(is_open)));
        page.count(&table::CIRCUIT_TRIPS, &labels, standing.trips());
    }
    let checked = backends.values().filter_map(|backend| {
        let standing = backend.standing.as_ref()?;
        standing.check().map(|_check| (backend, standing))
    });
    for (backend, standing) in checked.take(BACKENDS_MAX) {
        let is_healthy = standing.is_healthy(now);
        let labels = [("backend", &*backend.id)];
        page.level(&table::HEALTHY, &labels, f64::from(u8::from(is_healthy)));
        for (outcome, count) in ["well", "unwell"].into_iter().zip(standing.checks()) {
            let labels = [("backend", &*backend.id), ("outcome", outcome)];
            page.count(&table::HEALTH_CHECKS, &labels, count);
        }
    }
    let pools = backends.values().filter_map(|backend| Some((backend, backend.pool.as_ref()?)));
    for (backend, pool) in pools.take(BACKENDS_MAX / 10) {
        let labels = [("pool", &*backend.id)];
        page.level(&table::POOL_AVAILABLE, &labels, number(pool.usable(now).len()));
        page.level(&table::POOL_MEMBERS, &labels, number(pool.members.len()));
        for (member, chosen) in pool.chosen() {
            let labels = [("pool", &*backend.id), ("backend", &*member.backend.id)];
            page.count(&table::POOL_REQUESTS, &labels, chosen);
        }
    }
}
