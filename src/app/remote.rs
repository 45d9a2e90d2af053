//! A control plane that configurations come from, instead of a folder.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::app::fetching::fetcher;
use crate::app::{StartError, shared};
use crate::caller::roots::Roots;
use crate::configuration::credential::Holder;
use crate::configuration::credential::client::{Client, Plan, Proof};
use crate::configuration::offer::{Offer, Order};
use crate::configuration::refresh::Refresh;
use crate::configuration::remote::{Link, Remote};
use crate::proxy::state::State;
use crate::settings::Settings;
use crate::snapshot::Live;
use crate::time::SystemClock;

/// Where the credential that this gateway shows its control plane comes from, if it has one.
pub(super) fn token(
    settings: &Settings,
    roots: &Arc<Roots>,
    clock: &Arc<SystemClock>,
) -> Result<Option<Arc<Mutex<Holder>>>, StartError> {
    if settings.control.endpoint.is_none() {
        return Ok(None);
    }
    let holder = holder(settings, roots, clock)?;
    Ok(Some(Arc::new(Mutex::new(holder))))
}

/// What this gateway is called, by its settings or its token; empty if neither says it.
pub(super) fn name(settings: &Settings, token: Option<&Arc<Mutex<Holder>>>) -> String {
    if !settings.gateway.name.is_empty() {
        return settings.gateway.name.to_ascii_lowercase();
    }
    let named = token.and_then(|token| {
        let holder = token.lock().unwrap_or_else(PoisonError::into_inner);
        Some(holder.credential()?.own_name()?.to_ascii_lowercase())
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
    let token = token.ok_or_else(|| StartError::Control("there is no token".to_owned()))?;
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

/// Where the credential of this gateway comes from.
fn holder(
    settings: &Settings,
    roots: &Arc<Roots>,
    clock: &Arc<SystemClock>,
) -> Result<Holder, StartError> {
    let control = &settings.control;
    let name = Some(&settings.gateway.name).filter(|name| !name.is_empty());
    let gateway: Option<Arc<str>> = name.map(|name| Arc::from(name.as_str()));
    if let Some(token) = &control.token {
        return Ok(Holder::setting(token));
    }
    if let Some(path) = &control.token_file {
        return Ok(Holder::file(path));
    }
    if let Some(path) = &control.workload_token.file {
        return Ok(Holder::workload(path, gateway));
    }
    let client = &control.client_credentials;
    let proof = match (&client.secret_file, &client.certificate_file, &client.key_file) {
        (Some(secret), _, _) => Some(Proof::Secret(secret.clone())),
        (None, Some(certificate), Some(key)) => {
            let (certificate, key) = (certificate.clone(), key.clone());
            Some(Proof::Certificate { certificate, key, algorithm: client.algorithm })
        }
        (None, _, _) => None,
    };
    let Some((endpoint, proof)) = client.endpoint.clone().zip(proof) else {
        return Err(StartError::Control("nothing says who this gateway is".to_owned()));
    };
    let plan = Plan {
        endpoint,
        ca: client.ca_file.clone(),
        id: client.client_id.clone(),
        proof,
        scope: client.scope.clone(),
        audience: client.audience.clone(),
        gateway,
    };
    let client = Client::new(plan, Arc::new(fetcher(Arc::clone(roots))), Arc::clone(clock));
    Ok(Holder::client(Arc::new(client)))
}

/// Brings configurations on a thread of its own until it is told to stop.
pub(super) fn bring(
    remote: Remote,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let own = remote.clone();
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = remote.run() => (),
                () = own.look_at_token() => (),
                // Without its sender there is nobody to bring anything to either.
                _ = stopped.wait_for(|stop| *stop) => (),
            }
        });
        // What reads a slow disk is not waited for.
        runtime.shutdown_background();
    })
}
