//! A control plane that configurations come from, instead of a folder.

use std::io;
use std::sync::{Arc, Mutex};
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

/// The control plane that the settings name, which offers what it has to `refresh`.
pub(super) fn of(
    settings: &Settings,
    refresh: &Refresh,
    state: &Arc<State>,
    live: &Arc<Live>,
) -> Result<Option<Remote>, StartError> {
    let control = &settings.control;
    let Some(address) = control.endpoint.clone() else { return Ok(None) };
    let holder = match (&control.token, &control.token_file) {
        (Some(token), _) => Holder::setting(token),
        (None, Some(path)) => Holder::file(path),
        (None, None) => return Err(StartError::Control("there is no gateway token".to_owned())),
    };
    let status = Arc::clone(&refresh.status);
    let (state, live) = (Arc::clone(state), Arc::clone(live));
    Ok(Some(Remote {
        address,
        ca: control.ca_file.clone(),
        token: Arc::new(Mutex::new(holder)),
        replica: shared::name(&settings.replica)?,
        time_max: control.timeout,
        state: status.follow(),
        take: Arc::new(move |generation, bundle| {
            status.offer(Offer { generation, bundle, order: Order::Serve });
        }),
        ready: Arc::new(move || state.is_ready(&live.snapshot())),
        held: None,
        clock: Arc::clone(&refresh.clock),
        link: watch::Sender::new(Link::default()),
    }))
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
