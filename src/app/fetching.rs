//! What is fetched to know who somebody is, and whose word counts about servers.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::serve::Keys;
use crate::app::sidecar::{Looking, Waiting};
use crate::app::{StartError, shelf};
use crate::caller::fetch::Fetcher;
use crate::caller::roots::{self, Roots};
use crate::configuration::source::Environment;
use crate::identity::host::Host;
use crate::identity::kept::Shelf;
use crate::proxy::Gateway;
use crate::secret::Secret;
use crate::settings::Settings;

/// The authorities that others are judged by, where nothing else is said.
pub(super) fn roots(environment: &Environment) -> Roots {
    let authorities = environment.get(roots::FILE_VARIABLE).map(Secret::expose);
    Roots::of(authorities.map(PathBuf::from))
}

/// Fetches key sets and tokens.
pub(super) fn fetcher(roots: Arc<Roots>) -> Fetcher {
    Fetcher::new(roots)
}

/// Whom the machine says that the gateway is.
fn host(settings: &Settings, environment: &Environment) -> Host {
    Host::of(|name| environment.get(name).cloned(), settings.identity.metadata)
}

/// Where the gateway remembers what became of consents: where all replicas see it, if they share an
/// etcd, else where it has a disk.
fn shelf(settings: &Settings) -> Result<Shelf, StartError> {
    if !settings.etcd.endpoints.is_empty() {
        return Ok(Shelf::Etcd(Box::new(shelf::etcd(&settings.etcd)?)));
    }
    let folder = settings.replica.journal_folder.clone();
    Ok(folder.map_or_else(Shelf::default, Shelf::Folder))
}

/// Has the keys of issuers fetched whose tokens the policies of `gateway` believe, and the tokens got
/// that say who it is itself.
pub(super) fn keys(
    gateway: &Gateway,
    settings: &Settings,
    environment: &Environment,
) -> Result<Keys, StartError> {
    Ok(Keys {
        issuers: Arc::clone(&gateway.issuers),
        live: Arc::clone(&gateway.live),
        identities: Arc::clone(&gateway.identities),
        host: host(settings, environment),
        shelf: shelf(settings)?,
        fetcher: fetcher(Arc::clone(&gateway.roots)),
        waiting: Waiting::of(settings, &gateway.state, &gateway.live),
        looking: Looking::of(settings, &gateway.state, &gateway.live),
    })
}
