//! Config → Snapshot: policies are read and built, programs put in order, the table laid out.

mod facts;
mod policies;

use std::sync::Arc;

use http::StatusCode;
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::backend::{Backend, BaseUrl, Identity, Tls};
use crate::configuration::compile::policies::{Documents, compose};
use crate::configuration::config::{self, Config, SubscriptionScope, SubscriptionState};
use crate::exchange::facts::Deployment;
use crate::fault::Fault;
use crate::policy::build::references::Backends;
use crate::route::table::build::TableFault;
use crate::route::table::{ApiRoute, Table};
use crate::snapshot::{ApiEntry, HostCertificate, OperationEntry, OwnDemand, Snapshot, Subscriber};
use crate::subscription::key::KeyNames;
use crate::subscription::{Scope, State, Subscription, Subscriptions};
use crate::time::Timestamp;

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
}

/// Makes a snapshot of `config`, or says everything that is wrong with its policies and routes,
/// sorted by place.
pub fn compile(config: &Config, making: &Making) -> Result<Snapshot, Vec<Fault>> {
    let mut faults = Vec::new();
    let backends = Arc::new(backends(config));
    let documents = Documents::build(config, Arc::clone(&backends), &mut faults);
    let routes = Table::new(config.apis.iter().map(|api| route(config, api)).collect());
    let routes = match routes {
        Ok(routes) => Some(routes),
        Err(wrong) => {
            faults.extend(wrong.into_iter().filter_map(|wrong| collision(config, wrong)));
            None
        }
    };
    let (keys, subscribers) = subscriptions(config, making, &mut faults);
    let certificates = certificates(config, &mut faults);
    faults.sort();
    faults.dedup();
    let Some(routes) = routes.filter(|_routes| faults.is_empty()) else {
        return Err(faults);
    };
    let products: Vec<_> =
        config.products.iter().map(|product| facts::product(config, product)).collect();
    Ok(Snapshot {
        generation: making.generation,
        compiled: making.now,
        deployment: Arc::new(deployment(config, making)),
        routes,
        apis: (0..config.apis.len()).filter_map(|api| entry(config, &documents, api)).collect(),
        keys,
        subscribers,
        products,
        global: compose(&[Some(&documents.global)]),
        certificates,
    })
}

/// Where an API is found: at the gateway's host names, or at any if there are none.
fn route(config: &Config, api: &config::Api) -> ApiRoute {
    let hosts = config.host_names.iter().map(|known| known.host.clone());
    ApiRoute { hosts: hosts.collect(), ..api.route() }
}

fn deployment(config: &Config, making: &Making) -> Deployment {
    let gateway = &config.gateway;
    Deployment {
        gateway_id: Arc::clone(&gateway.id),
        instance_id: Arc::clone(&making.instance),
        region: Arc::clone(&gateway.location),
        service_name: Arc::clone(&gateway.service_name),
        service_id: Arc::clone(&gateway.service_name),
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
    }
}

fn entry(config: &Config, documents: &Documents, index: usize) -> Option<ApiEntry> {
    let api = config.apis.get(index)?;
    let own = documents.apis.get(index)?;
    let holds = |(at, product): (usize, &config::Product)| {
        product.apis.binary_search(&index).is_ok().then_some(at)
    };
    let products: Vec<usize> = config.products.iter().enumerate().filter_map(holds).collect();
    let open = |at: &&usize| {
        config.products.get(**at).is_some_and(|product| !product.subscription_required)
    };
    let open_product = products.iter().find(open).copied();
    let global = Some(&documents.global);
    let operations = api.operations.iter().zip(&own.operations).map(|(operation, document)| {
        let programs = products.iter().map(|product| {
            let of_product = documents.products.get(*product).and_then(Option::as_ref);
            let wide = [document.as_ref(), own.api.as_ref(), of_product, global];
            (*product, compose(&wide))
        });
        OperationEntry {
            facts: facts::operation(operation),
            program: compose(&[document.as_ref(), own.api.as_ref(), global]),
            by_product: programs.collect(),
        }
    });
    let operations: Vec<OperationEntry> = operations.collect();
    Some(ApiEntry {
        facts: facts::api(api),
        base: api.service_url.clone().unwrap_or_else(|| Arc::new(nowhere())),
        tls: Tls::default(),
        key_names: KeyNames {
            header: api.key_names.header.clone(),
            query: Box::from(&*api.key_names.query),
        },
        demand: OwnDemand {
            scope: scope_of(config, &api.id),
            is_subscription_required: api.subscription_required,
            products,
            open_product,
        },
        program: compose(&[own.api.as_ref(), global]),
        operations,
    })
}

/// What subscriptions to an API are for: the first of its revisions stands for all.
fn scope_of(config: &Config, id: &str) -> usize {
    config.apis.iter().position(|api| *api.id == *id).unwrap_or(usize::MAX)
}

fn backends(config: &Config) -> Backends {
    config.backends.iter().map(|backend| (Arc::clone(&backend.id), backend_of(backend))).collect()
}

fn backend_of(backend: &config::Backend) -> Arc<Backend> {
    let credentials = &backend.credentials;
    let mut headers = Vec::new();
    for (name, values) in &credentials.headers {
        for value in values {
            headers.extend(sensitive(value.expose()).map(|value| (name.clone(), value)));
        }
    }
    if let Some(authorization) = &credentials.authorization {
        let text = format!("{} {}", authorization.scheme, authorization.parameter.expose());
        headers.extend(sensitive(&text).map(|value| (http::header::AUTHORIZATION, value)));
    }
    let query = credentials.query.iter().flat_map(|(name, values)| {
        values.iter().map(|value| (name.to_string(), value.expose().to_owned()))
    });
    let identity = credentials.certificate.as_ref().map(|certificate| {
        Arc::new(Identity {
            certificate: certificate.certificate_pem.as_bytes().to_vec(),
            key: certificate.key_pem.expose().as_bytes().to_vec(),
        })
    });
    Arc::new(Backend {
        id: Arc::clone(&backend.id),
        base: Arc::clone(&backend.url),
        headers,
        query: query.collect(),
        tls: Tls {
            verify_chain: backend.validate_certificate_chain,
            verify_name: backend.validate_certificate_name,
            identity,
        },
    })
}

fn sensitive(text: &str) -> Option<http::HeaderValue> {
    let mut value = http::HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn subscriptions(
    config: &Config,
    making: &Making,
    faults: &mut Vec<Fault>,
) -> (Subscriptions, Vec<Subscriber>) {
    let mut keys = Subscriptions::new(&making.secret);
    let mut subscribers = Vec::with_capacity(config.subscriptions.len());
    for known in &config.subscriptions {
        let scope = match &known.scope {
            SubscriptionScope::AllApis => Scope::AllApis,
            SubscriptionScope::Product(product) => Scope::Product(*product),
            SubscriptionScope::Api(revisions) => {
                let id = revisions.first().and_then(|api| config.apis.get(*api));
                Scope::Api(id.map_or(usize::MAX, |api| scope_of(config, &api.id)))
            }
        };
        let subscription = Subscription {
            scope,
            state: state(known.state),
            // The dates are for the record, as in API Management: the state alone decides.
            start: None,
            expiry: None,
        };
        let key = |secret: &Option<config::Secret>| {
            secret.as_ref().map(|secret| secret.expose().as_bytes().to_vec())
        };
        let (primary, secondary) = (key(&known.primary_key), key(&known.secondary_key));
        match keys.insert(subscription, [primary.as_deref(), secondary.as_deref()]) {
            Ok(_index) => subscribers.push(Subscriber {
                facts: facts::subscription(known),
                user: known.user.and_then(|user| facts::user(config, user)),
            }),
            Err(fault) => {
                let fault = known.spot.fault(fault.to_string());
                faults.push(fault.mend("give each subscription keys of its own"));
            }
        }
    }
    (keys, subscribers)
}

const fn state(state: SubscriptionState) -> State {
    match state {
        SubscriptionState::Active => State::Active,
        SubscriptionState::Suspended => State::Suspended,
        SubscriptionState::Submitted => State::Submitted,
        SubscriptionState::Rejected => State::Rejected,
        SubscriptionState::Cancelled => State::Cancelled,
        SubscriptionState::Expired => State::Expired,
    }
}

fn certificates(config: &Config, faults: &mut Vec<Fault>) -> Vec<HostCertificate> {
    let mut known = Vec::new();
    for host in &config.host_names {
        let Some(certificate) = &host.certificate else { continue };
        let chain = X509::stack_from_pem(certificate.certificate_pem.as_bytes());
        let key = PKey::private_key_from_pem(certificate.key_pem.expose().as_bytes());
        match (chain, key) {
            (Ok(chain), Ok(key)) if !chain.is_empty() => {
                known.push(HostCertificate { host: host.host.clone(), chain, key });
            }
            _ => faults.push(host.spot.fault("the certificate or its key cannot be read")),
        }
    }
    known
}

/// A collision in the table as a fault where the second of the two is written.
fn collision(config: &Config, wrong: TableFault) -> Option<Fault> {
    let (what, spot) = match wrong {
        TableFault::Operations { api, first, second } => {
            let api = config.apis.get(api)?;
            let (first, second) = (api.operations.get(first)?, api.operations.get(second)?);
            (format!("`{}` and `{}`", first.id, second.id), &second.spot)
        }
        TableFault::Revisions { first, second }
        | TableFault::Current { first, second }
        | TableFault::Schemes { first, second } => {
            let (first, second) = (config.apis.get(first)?, config.apis.get(second)?);
            (format!("`{}` and `{}`", first.id, second.id), &second.spot)
        }
    };
    Some(spot.fault(format!("{wrong}: {what}")).mend(wrong.remedy()))
}

/// A status as `http` has it; documents were checked to have none other.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::source::{Environment, Folder};
    use crate::configuration::validate::load;

    fn faults(yaml: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weir.yaml"), yaml).unwrap();
        let config = load(&Folder::at(folder.path()), &Environment::default()).config.unwrap();
        let making = Making {
            generation: 1,
            now: Timestamp::default(),
            instance: Arc::from("test"),
            secret: [0; 32],
        };
        let wrong = compile(&config, &making).err().unwrap_or_default();
        wrong.iter().map(ToString::to_string).collect()
    }

    const REWRITES: &str = "\
apis:
  - id: a
    path: a
    serviceUrl: http://127.0.0.1:1
    operations:
      - id: get
        method: GET
        urlTemplate: /{id}
        policy: |
          <policies><inbound>
            <rewrite-uri template=\"/x/{PARAMETER}\" />
          </inbound></policies>
";

    #[test]
    fn a_rewrite_asks_only_for_parameters_that_there_are() {
        assert_eq!(faults(&REWRITES.replace("PARAMETER", "id")), Vec::<String>::new());
        assert_eq!(
            faults(&REWRITES.replace("PARAMETER", "ib")),
            ["weir.yaml:11:13: the operation has no parameter `ib`; did you mean `{id}`?"]
        );
    }
}
