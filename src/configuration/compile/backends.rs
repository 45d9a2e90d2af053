//! The backends that policies may name, and what the same ones before them knew.
//!
//! Whether a circuit is open and whose turn it is outlive a configuration: a backend whose URL and
//! rule are what they were is still the same, and so is a pool with the same members.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::pool::{Pool, Terms};
use crate::backend::principal::{Asked, Principals};
use crate::backend::sidecar::Sidecar;
use crate::backend::standing::Standing;
use crate::backend::{Backend, Tls};
use crate::configuration::config::{self, Config, PoolMember};
use crate::policy::build::references::Backends;

/// The backends of the last good configuration, as written and as they ran.
#[derive(Debug, Default)]
pub(super) struct Before {
    written: Vec<config::Backend>,
    ran: Arc<Backends>,
}

impl Before {
    /// Those of `config`, which run as `ran`.
    pub(super) fn of(config: &Config, ran: &Arc<Backends>) -> Self {
        Self { written: config.backends.clone(), ran: Arc::clone(ran) }
    }

    /// The one of that name, if there was one.
    fn get(&self, id: &str) -> Option<(&config::Backend, &Arc<Backend>)> {
        let written = self.written.iter().find(|backend| &*backend.id == id)?;
        Some((written, self.ran.get(id)?))
    }

    /// How `backend` stands: as it did, if it is still the same.
    fn standing(&self, backend: &config::Backend) -> Option<Arc<Standing>> {
        if backend.breaker.is_none() && backend.check.is_none() {
            return None;
        }
        let same = self.get(&backend.id).filter(|(written, _ran)| {
            written.url == backend.url
                && written.breaker == backend.breaker
                && written.check == backend.check
        });
        let kept = same.and_then(|(_written, ran)| ran.standing.as_ref());
        let new = || Arc::new(Standing::new(backend.breaker.clone(), backend.check.clone()));
        Some(kept.map_or_else(new, Arc::clone))
    }
}

/// All of them.
pub(super) fn backends(config: &Config, before: &Before, sidecar: &Sidecar) -> Backends {
    let singles = config.backends.iter().filter(|backend| backend.pool.is_none());
    let known = (before, sidecar, &*config.principals);
    let singles: HashMap<&str, Arc<Backend>> =
        singles.map(|single| (&*single.id, single_of(single, known))).collect();
    let all = config.backends.iter().filter_map(|backend| {
        let built = match &backend.pool {
            None => Arc::clone(singles.get(&*backend.id)?),
            Some(pool) => pool_of(backend, pool, &singles, before),
        };
        Some((Arc::clone(&backend.id), built))
    });
    all.collect()
}

fn pool_of(
    backend: &config::Backend,
    (members, terms): &(Vec<PoolMember>, Terms),
    singles: &HashMap<&str, Arc<Backend>>,
    before: &Before,
) -> Arc<Backend> {
    let member = |member: &PoolMember| {
        let single = singles.get(&*member.id)?;
        Some((Arc::clone(single), member.priority, member.weight))
    };
    let same = before.get(&backend.id).filter(|(written, _ran)| {
        written.pool.as_ref().is_some_and(|(known, _terms)| known == members)
    });
    let counts = same.and_then(|(_written, ran)| ran.pool.as_ref()).map(|pool| pool.counts());
    let pool = Pool::new(members.iter().filter_map(member).collect(), terms.clone(), counts);
    Arc::new(Backend {
        pool: Some(Arc::new(pool)),
        ..Backend::at(Arc::clone(&backend.id), Arc::clone(&backend.url))
    })
}

fn single_of(
    backend: &config::Backend,
    (before, sidecar, principals): (&Before, &Sidecar, &Principals),
) -> Arc<Backend> {
    let credentials = &backend.credentials;
    let (base, calls, mut headers) = if backend.is_app {
        let base = Arc::new(sidecar.at(backend.url.path.clone()));
        (base, sidecar.backend().calls.clone(), sidecar.backend().headers.clone())
    } else {
        (Arc::clone(&backend.url), None, Vec::new())
    };
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
    let identity = credentials.certificate.clone();
    let token = credentials.token.as_ref().map(|(resource, client)| {
        let who = Arc::new(principals.who(client.as_deref()));
        Arc::new(Asked { who, resource: Arc::clone(resource) })
    });
    Arc::new(Backend {
        id: Arc::clone(&backend.id),
        base,
        headers,
        query: query.collect(),
        tls: Tls {
            verify_chain: backend.validate_certificate_chain,
            verify_name: backend.validate_certificate_name,
            identity,
            terms: backend.tls.clone(),
        },
        proxy: backend.proxy.clone(),
        token,
        http: backend.http,
        is_sidecar: backend.is_app,
        calls,
        standing: before.standing(backend),
        pool: None,
    })
}

fn sensitive(text: &str) -> Option<http::HeaderValue> {
    let mut value = http::HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
