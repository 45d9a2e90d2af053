//! A control plane that configurations come from, instead of a folder.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::app::{StartError, shared};
use crate::configuration::credential::Holder;
use crate::configuration::offer::{Offer, Order};
use crate::configuration::refresh::Refresh;
use crate::configuration::remote::{Link, Remote};
use crate::proxy::state::State;
use crate::settings::Settings;
use crate::snapshot::Live;

/// The token that this gateway shows its control plane, if it has one.
pub(super) fn token(settings: &Settings) -> Option<Arc<Mutex<Holder>>> {
    let control = &settings.control;
    control.endpoint.as_ref()?;
    let holder = match (&control.token, &control.token_file) {
        (Some(token), _) => Holder::setting(token),
        (None, Some(path)) => Holder::file(path),
        (None, None) => return None,
    };
    Some(Arc::new(Mutex::new(holder)))
}

/// What this gateway is called, by its settings or its token; empty if neither says it.
pub(super) fn name(settings: &Settings, token: Option<&Arc<Mutex<Holder>>>) -> String {
    if !settings.gateway.name.is_empty() {
        return settings.gateway.name.to_ascii_lowercase();
    }
    let named = token.and_then(|token| {
        let holder = token.lock().unwrap_or_else(PoisonError::into_inner);
        holder.credential().map(|credential| credential.gateway().as_str().to_ascii_lowercase())
    });
    named.unwrap_or_default()
}

/// The control plane that the settings name, which offers what it has to `refresh`.
pub(super) fn of(
    settings: &Settings,
    token: Option<Arc<Mutex<Holder>>>,
    refresh: &Refresh,
    state: &Arc<State>,
    live: &Arc<Live>,
) -> Result<Option<Remote>, StartError> {
    let control = &settings.control;
    let Some(address) = control.endpoint.clone() else { return Ok(None) };
    let token = token.ok_or_else(|| StartError::Control("there is no gateway token".to_owned()))?;
    let (status, clock) = (Arc::clone(&refresh.status), Arc::clone(&refresh.clock));
    let (state, live) = (Arc::clone(state), Arc::clone(live));
    let switched = Arc::clone(&status);
    let remote = Remote {
        address,
        ca: control.ca_file.clone(),
        token,
        replica: shared::name(&settings.replica)?,
        time_max: control.timeout,
        state: status.follow(),
        take: Arc::new(move |generation, bundle| {
            status.offer(Offer { generation, bundle, order: Order::Serve });
        }),
        take_orders: Arc::new(move |orders| {
            // What is known already is known.
            let _ = switched.order(Arc::new(orders));
        }),
        urgent: Arc::default(),
        ready: Arc::new(move || state.is_ready(&live.snapshot())),
        held: refresh.runs.clone().map(|runs| (refresh.status.now().serving, runs)),
        company: None,
        clock,
        link: watch::Sender::new(Link::default()),
    };
    // Who starts with a token that has expired says so before anybody asks.
    remote.know_token();
    Ok(Some(remote))
}

/// Brings configurations on a thread of its own until it is told to stop.
pub(super) fn bring(
    remote: Remote,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = remote.run() => (),
                // Without its sender there is nobody to bring anything to either.
                _ = stopped.wait_for(|stop| *stop) => (),
            }
        });
        // What reads a slow disk is not waited for.
        runtime.shutdown_background();
    })
}
