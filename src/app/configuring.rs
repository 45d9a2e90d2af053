//! Who makes configurations run, as the settings say.

use std::sync::{Arc, Mutex};

use super::vault::folder;
use super::{StartError, certificate, cluster, random, random_number, remote};
use crate::caller::roots::Roots;
use crate::configuration::compile::Making;
use crate::configuration::credential::Holder;
use crate::configuration::keeping::{Keeping, KeySource};
use crate::configuration::last_good::{KeyFile, soak};
use crate::configuration::refresh::{Origin, Refresh};
use crate::configuration::source::Environment;
use crate::configuration::switch::SwitchFile;
use crate::settings::{LastGood, Settings};
use crate::time::{Clock, SystemClock};

/// Who makes configurations run.
pub(super) fn refresh(
    settings: &Settings,
    environment: &Environment,
    clock: &Arc<SystemClock>,
    token: Option<&Arc<Mutex<Holder>>>,
    roots: &Arc<Roots>,
) -> Result<Refresh, StartError> {
    let instance = Arc::from(format!("{:016x}", random_number()?));
    let (secret, switch) = (random()?, Arc::default());
    let is_shared = cluster::is_wanted(settings);
    let folder = folder(settings, clock, Arc::clone(roots));
    let owner = if is_shared {
        format!("cluster {}", settings.etcd.prefix)
    } else if settings.control.endpoint.is_some() {
        format!("gateway {}", remote::name(settings, token))
    } else {
        format!("folder {}", folder.path().display())
    };
    let origin = if is_shared || settings.control.endpoint.is_some() {
        Origin::Offers
    } else {
        let (environment, name) = (environment.clone(), named(settings));
        Origin::Folder { folder, environment, name }
    };
    Ok(Refresh {
        origin,
        clock: Arc::clone(clock),
        making: Making {
            generation: 0,
            now: clock.now(),
            instance,
            secret,
            switch,
            authorities: certificate::vouching(&settings.listen, Arc::clone(roots))?,
            sidecar: Arc::new(settings.dapr.sidecar()),
        },
        status: Arc::default(),
        ready: None,
        loader: Arc::default(),
        keeping: keeping(settings, owner, token),
        switch: SwitchFile::at(settings.kill_switch.file.clone()),
        floor: None,
        runs: None,
        refused: None,
    })
}

/// Which of the gateways that share a folder this is, if it is said.
pub(super) fn named(settings: &Settings) -> Option<String> {
    Some(settings.gateway.name.clone()).filter(|name| !name.is_empty())
}

/// Keeps the copies of `owner`, if they are to be kept.
fn keeping(
    settings: &Settings,
    owner: String,
    token: Option<&Arc<Mutex<Holder>>>,
) -> Option<Keeping> {
    let LastGood { folder, key_file, soak } = &settings.configuration.last_good;
    let key = match (key_file, token) {
        (Some(path), _) => KeySource::File(KeyFile::at(path.clone())),
        (None, Some(token)) => KeySource::of_token(Arc::clone(token)),
        (None, None) => return None,
    };
    let requests = u64::try_from(soak.requests).unwrap_or(u64::MAX);
    let terms = soak::Terms { time: soak.time, requests, idle: soak.idle };
    Some(Keeping::new(folder.clone()?, owner, key, terms))
}
