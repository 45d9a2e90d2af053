//! What operators are shown, and where.

use std::sync::Arc;

use tokio::sync::watch;

use super::Listening;
use crate::admin::{self, Admin};
use crate::configuration::cluster::Cluster;
use crate::configuration::offer::Status;
use crate::configuration::remote::Link;
use crate::proxy::Gateway;
use crate::proxy::guard::Rules;
use crate::proxy::listener::{BindError, Bound, Listener};
use crate::proxy::operators::Desk;
use crate::proxy::strict::HeadBounds;
use crate::settings::Settings;
use crate::time::Timestamp;

/// What operators are shown of `gateway`, but for what it shares with others.
pub(super) fn shown(gateway: &Gateway, configuration: &Arc<Status>, started: Timestamp) -> Admin {
    Admin {
        state: Arc::clone(&gateway.state),
        configuration: Arc::clone(configuration),
        cluster: None,
        counters: Arc::clone(&gateway.counters),
        issuers: Arc::clone(&gateway.issuers),
        events: Arc::clone(&gateway.events),
        identities: Arc::clone(&gateway.identities),
        outboxes: gateway.outboxes.clone(),
        log: Arc::clone(&gateway.log),
        started,
        live: Arc::clone(&gateway.live),
        clock: Arc::clone(&gateway.clock),
        inspector: Arc::clone(&gateway.inspector),
        control: None,
    }
}

/// The listener for operators, if there is to be one: it shows `admin`, and what is shared.
pub(super) fn listener(
    settings: &Settings,
    (admin, cluster, control): (Admin, &Option<Arc<Cluster>>, Option<watch::Receiver<Link>>),
    listening: &mut Listening,
) -> Result<Option<Listener<Desk<Admin>>>, BindError> {
    let Some(address) = settings.listen.admin else { return Ok(None) };
    let bound = Bound::take(address)?;
    listening.admin = Some(bound.address());
    let admin = Admin { cluster: cluster.clone(), control, ..admin };
    let rules = Rules {
        bounds: HeadBounds::default(),
        time_max: settings.timeouts.header,
        // The log is about what clients ask for.
        witness: Arc::new(|_problem, _peer| ()),
    };
    Ok(Some(Listener::plain(bound, Desk(admin), rules, admin::CONNECTIONS_MAX)))
}
