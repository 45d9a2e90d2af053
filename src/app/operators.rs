//! What operators are shown, and where.

use std::sync::Arc;

use tokio::sync::watch;

use super::Listening;
use super::measuring::Measuring;
use crate::admin::metrics::Sources;
use crate::admin::{self, Admin};
use crate::configuration::cluster::Cluster;
use crate::configuration::offer::Status;
use crate::configuration::remote::Link;
use crate::inspector::Inspector;
use crate::proxy::Gateway;
use crate::proxy::guard::Rules;
use crate::proxy::listener::{BindError, Bound, Connections, Listener};
use crate::proxy::operators::Desk;
use crate::proxy::strict::HeadBounds;
use crate::settings::Settings;
use crate::time::Timestamp;

/// What metrics are read from: of `gateway`, but for who is connected and who shares with it.
pub(super) fn sources(
    gateway: &Gateway,
    configuration: &Arc<Status>,
    measuring: &Measuring,
    started: Timestamp,
) -> Sources {
    Sources {
        state: Arc::clone(&gateway.state),
        configuration: Arc::clone(configuration),
        cluster: None,
        control: None,
        counters: Arc::clone(&gateway.counters),
        issuers: Arc::clone(&gateway.issuers),
        identities: Arc::clone(&gateway.identities),
        outboxes: gateway.outboxes.clone(),
        events: Arc::clone(&gateway.events),
        responses: Arc::clone(&gateway.responses),
        values: Arc::clone(&gateway.values),
        connections: Arc::default(),
        log: Arc::clone(&gateway.log),
        statsd: measuring.counts(),
        lag: Arc::clone(&measuring.lag),
        started,
        live: Arc::clone(&gateway.live),
        clock: Arc::clone(&gateway.clock),
    }
}

/// What operators are shown: of `sources`, of those who are `connected`, of requests that are inspected,
/// and of whom it shares with.
pub(super) fn shown(
    sources: Sources,
    (connected, inspector): (&Arc<Connections>, Arc<Inspector>),
    (cluster, control): (Option<Arc<Cluster>>, Option<watch::Receiver<Link>>),
) -> Admin {
    let connections = Arc::clone(connected);
    let metrics = Arc::new(Sources { cluster, control, connections, ..sources });
    Admin {
        state: Arc::clone(&metrics.state),
        configuration: Arc::clone(&metrics.configuration),
        cluster: metrics.cluster.clone(),
        counters: Arc::clone(&metrics.counters),
        inspector,
        log: Arc::clone(&metrics.log),
        started: metrics.started,
        live: Arc::clone(&metrics.live),
        clock: Arc::clone(&metrics.clock),
        control: metrics.control.clone(),
        metrics,
    }
}

/// The listener for operators, if there is to be one.
pub(super) fn listener(
    settings: &Settings,
    admin: Admin,
    listening: &mut Listening,
) -> Result<Option<Listener<Desk<Admin>>>, BindError> {
    let Some(address) = settings.listen.admin else { return Ok(None) };
    let bound = Bound::take(address)?;
    listening.admin = Some(bound.address());
    let rules = Rules {
        bounds: HeadBounds::default(),
        time_max: settings.timeouts.header,
        // The log is about what clients ask for.
        witness: Arc::new(|_problem, _peer| ()),
    };
    Ok(Some(Listener::plain(bound, Desk(admin), rules, admin::CONNECTIONS_MAX)))
}
