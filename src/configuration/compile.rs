//! Config → Snapshot: policies are read and built, programs put in order, keys made ready.

mod backends;
mod facts;
mod policies;
mod keys;
mod kept;
mod lost;

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;

use crate::backend::sidecar::Sidecar;
use crate::backend::{BaseUrl, Tls};
use crate::certificate::trust::{Authorities, Trust};
use crate::configuration::config::{self, Api, Config};
use crate::configuration::loader::Loaded;
use crate::configuration::switch::Switch;
use crate::exchange::facts::Deployment;
use crate::exchange::secrets::Secrets;
use crate::fault::Fault;
use crate::policy::logging::event_hub::Loggers;
use crate::policy::program::Program;
use crate::secret::Secret;
use crate::snapshot::tally::Tally;
use crate::snapshot::{ApiEntry, HostCertificate, OperationEntry, OwnDemand, Snapshot};
use crate::subscription::Subscriptions;
use crate::subscription::key::KeyNames;
use crate::time::{Timestamp, date};

pub use kept::Kept;

use backends::Before;
use keys::Keys;
use policies::{ApiDocuments, Common, Documents, compose};

/// What a snapshot is made with beside its configuration.
#[derive(Clone, Debug)]
pub struct Making {
    /// The number of the snapshot.
    pub generation: u64,
    /// When it is made.
    pub now: Timestamp,
    /// This replica's id.
    pub instance: Arc<str>,
    /// Random bytes of this process: the key of the hashes that stand for subscription keys.
    pub secret: [u8; 32],
    /// What must not run, whatever a configuration says.
    pub switch: Arc<Switch>,
    /// Who vouches for certificates, beside the authorities of the configuration.
    pub authorities: Arc<dyn Authorities>,
    /// Dapr's sidecar.
    pub sidecar: Arc<Sidecar>,
}

/// Makes a snapshot of what came of a folder, or says everything that is wrong with it, sorted by
/// place. The policies of a configuration that is wrong elsewhere are looked at too; what they
/// refer to is then taken to exist.
pub fn make(loaded: &Loaded, making: &Making) -> Result<Snapshot, Vec<Fault>> {
    Kept::default().make(loaded, making)
}

/// A snapshot of no configuration, which finds no API.
pub fn nothing(making: &Making) -> Snapshot {
    Snapshot {
        generation: 0,
        compiled: making.now,
        deployment: Arc::new(Deployment {
            instance_id: Arc::clone(&making.instance),
            ..Deployment::default()
        }),
        routes: Arc::default(),
        apis: Vec::new(),
        keys: Arc::new(Subscriptions::new(making.secret)),
        subscribers: Arc::default(),
        products: Vec::new(),
        global: Arc::default(),
        loggers: Arc::default(),
        backends: Arc::default(),
        warnings: Vec::new(),
        certificates: Vec::new(),
        tally: Tally::default(),
    }
}

/// Makes a snapshot of `config`, or says everything that is wrong with its policies and routes,
/// sorted by place.
pub fn compile(config: &Config, making: &Making) -> Result<Snapshot, Vec<Fault>> {
    Kept::default().compile(config, making)
}

impl Kept {
    /// The same as [`make`], but for the time it takes.
    pub fn make(&mut self, loaded: &Loaded, making: &Making) -> Result<Snapshot, Vec<Fault>> {
        let mut faults = match &loaded.config {
            Ok(config) => return self.compile(config, making),
            Err(faults) => faults.clone(),
        };
        if let Some(remains) = &loaded.remains {
            Documents::look_at(remains, making.switch.policies(), &mut faults);
        }
        faults.sort();
        faults.dedup();
        Err(faults)
    }

    fn compile(&mut self, config: &Config, making: &Making) -> Result<Snapshot, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.switch != making.switch {
            // What must not run is in nothing that was built.
            let switch = Arc::clone(&making.switch);
            self.begin_anew(switch);
        }
        let common = if let Some(kept) = self.common.take().filter(|kept| kept.is_of(config)) {
            kept
        } else {
            let switch = Arc::clone(&making.switch);
            self.begin_anew(switch);
            Common::of(config, making, &self.before, &mut faults)
        };
        let is_sound = faults.is_empty();
        let documents = Documents::build(config, &common, self, &mut faults);
        let asks_revocation = common.asks_revocation();
        let backends = Arc::clone(common.backends());
        self.common = Some(common).filter(|_common| is_sound);
        let scopes = scopes(config);
        let keys = Keys::of(config, making, &scopes, self.keys.as_ref(), &mut faults);
        let certificates = certificates(config);
        faults.sort();
        faults.dedup();
        if !faults.is_empty() {
            return Err(faults);
        }
        let sidecar = &making.sidecar;
        let entries = entries(config, (&documents, sidecar), &scopes, self, &mut faults);
        if faults.is_empty() && making.switch.policies().is_empty() {
            // With a policy switched off, requests may go nowhere by order.
            // Looked for last: a policy with a fault is not in its program, and might name the
            // backend.
            faults = lost::lost(config, &entries);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let products = config.products.iter().map(|product| facts::product(config, product));
        let snapshot = Snapshot {
            generation: making.generation,
            compiled: making.now,
            deployment: Arc::new(deployment(config, making)),
            routes: Arc::clone(&config.routes),
            keys: Arc::clone(&keys.known),
            subscribers: Arc::clone(&keys.subscribers),
            products: products.collect(),
            global: Arc::new(Program::compose(&[&documents.global])),
            loggers: Arc::new(loggers(config)),
            backends: Arc::clone(&backends),
            warnings: warnings(config, making.now, asks_revocation),
            certificates,
            apis: entries,
            tally: Tally::default(),
        };
        self.keys = Some(keys);
        self.before = Before::of(config, &backends);
        self.keep(&config.apis, documents, &snapshot.apis);
        Ok(snapshot)
    }
}

/// What subscriptions to an API are for, by its id: the first of its revisions stands for all.
fn scopes(config: &Config) -> HashMap<&str, usize> {
    let mut scopes = HashMap::with_capacity(config.apis.len());
    for (index, api) in config.apis.iter().enumerate() {
        scopes.entry(&*api.id).or_insert(index);
    }
    scopes
}

fn deployment(config: &Config, making: &Making) -> Deployment {
    let gateway = &config.gateway;
    let secrets = config.named_values.iter().filter(|known| known.is_secret);
    let secrets = secrets.map(|known| &known.value).chain(making.sidecar.token());
    Deployment {
        secrets: Secrets::new(secrets.map(Secret::expose)),
        gateway_id: Arc::clone(&gateway.id),
        instance_id: Arc::clone(&making.instance),
        region: Arc::clone(&gateway.location),
        service_name: Arc::clone(&gateway.service_name),
        service_id: Arc::clone(&gateway.service_name),
        trust: Arc::new(Trust::new(&config.certificates, Arc::clone(&making.authorities))),
        certificates: Arc::clone(&config.certificates),
        diagnostics: config.diagnostics.clone(),
    }
}

/// Where requests of an API without a backend go: a port that nobody can listen on.
pub fn nowhere() -> BaseUrl {
    BaseUrl {
        scheme: crate::backend::Scheme::Http,
        host: "0.0.0.0".to_owned(),
        port: 0,
        path: String::new(),
        authority: http::HeaderValue::from_static(""),
        socket: None,
    }
}

/// All APIs, as they run; those that are kept are the same as before.
fn entries(
    config: &Config,
    (documents, sidecar): (&Documents, &Sidecar),
    scopes: &HashMap<&str, usize>,
    kept: &Kept,
    faults: &mut Vec<Fault>,
) -> Vec<Arc<ApiEntry>> {
    let mut holders: Vec<Vec<usize>> = vec![Vec::new(); config.apis.len()];
    for (product, known) in config.products.iter().enumerate() {
        for api in &known.apis {
            if let Some(holders) = holders.get_mut(*api) {
                holders.push(product);
            }
        }
    }
    let all = config.apis.iter().zip(&documents.apis).zip(holders);
    let entry = |((api, own), products): ((&Arc<Api>, &Arc<ApiDocuments>), Vec<usize>)| {
        let is_open = |at: &&usize| {
            config.products.get(**at).is_some_and(|product| !product.subscription_required)
        };
        let demand = OwnDemand {
            scope: scopes.get(&*api.id).copied().unwrap_or(usize::MAX),
            is_subscription_required: api.subscription_required,
            open_product: products.iter().find(is_open).copied(),
            products,
        };
        let known = kept.entry(api, &demand, documents);
        known.unwrap_or_else(|| {
            let made = entry(api, own, demand, (documents, &kept.switch), faults);
            Arc::new(if api.is_app { behind(sidecar, made) } else { made })
        })
    };
    all.map(entry).collect()
}

fn entry(
    api: &Api,
    own: &ApiDocuments,
    demand: OwnDemand,
    (documents, switch): (&Documents, &Switch),
    faults: &mut Vec<Fault>,
) -> ApiEntry {
    let global = Some(&*documents.global);
    let mut operations = Vec::with_capacity(api.operations.len());
    for (operation, document) in api.operations.iter().zip(&own.operations) {
        let spot = &operation.spot;
        let programs = demand.products.iter().map(|product| {
            let of_product = documents.products.get(*product).and_then(Option::as_deref);
            let wide = [document.as_ref(), own.api.as_ref(), of_product, global];
            (*product, compose(&wide, spot, faults))
        });
        let by_product = programs.collect();
        operations.push(OperationEntry {
            facts: facts::operation(operation),
            program: compose(&[document.as_ref(), own.api.as_ref(), global], spot, faults),
            by_product,
            is_disabled: switch.has_operation(&api.id, &operation.id),
        });
    }
    ApiEntry {
        facts: facts::api(api),
        base: api.service_url.clone().unwrap_or_else(|| Arc::new(nowhere())),
        backend: None,
        tls: Tls::default(),
        key_names: KeyNames {
            header: api.key_names.header.clone(),
            query: Box::from(&*api.key_names.query),
        },
        demand,
        program: compose(&[own.api.as_ref(), global], &api.spot, faults),
        operations: operations.into(),
        is_disabled: switch.has_api(&api.id),
    }
}

/// The API of an app behind the sidecar.
fn behind(sidecar: &Sidecar, entry: ApiEntry) -> ApiEntry {
    let base = Arc::new(sidecar.at(entry.base.path.clone()));
    ApiEntry { base, backend: Some(Arc::clone(sidecar.backend())), ..entry }
}

/// The loggers that policies may name.
fn loggers(config: &Config) -> Loggers {
    let of = |logger: &config::Logger| (Arc::clone(&logger.id), Arc::clone(&logger.hub));
    config.loggers.iter().map(of).collect()
}

/// The certificates that host names are shown with.
fn certificates(config: &Config) -> Vec<HostCertificate> {
    let own = |host: &config::HostName| {
        let certificate = host.certificate.as_ref()?;
        let (host, chain) = (host.host.clone(), certificate.chain());
        Some(HostCertificate { host, chain, key: certificate.key()?.clone() })
    };
    config.host_names.iter().filter_map(own).collect()
}

/// What operators should know: certificates that are not valid now, and what nobody can know.
fn warnings(config: &Config, now: Timestamp, asks_revocation: bool) -> Vec<String> {
    let known = config.certificates.all();
    let mut warnings = Vec::new();
    for named in known {
        let (certificate, id) = (&named.certificate, &named.id);
        if certificate.not_after() < now {
            let ended = date(certificate.not_after());
            warnings.push(format!("the certificate `{id}` is not valid any more, since {ended}"));
        } else if now < certificate.not_before() {
            let begins = date(certificate.not_before());
            warnings.push(format!("the certificate `{id}` is not valid before {begins}"));
        }
    }
    if asks_revocation && known.iter().all(|named| named.revoked.is_none()) {
        warnings.push(
            "`validate-client-certificate` is to refuse certificates that were taken back, and no \
             authority in `certificates` has a `revocationListFile`: none is found"
                .to_owned(),
        );
    }
    warnings
}

/// A status as `http` has it; documents were checked to have none other.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::OK)
}

#[cfg(test)]
mod tests;
