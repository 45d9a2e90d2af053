//! Pools of backends.

use std::sync::Arc;

use http::HeaderName;

use super::Validator;
use super::app::SCHEME;
use super::registry::Registry;
use crate::backend::pool::turn::MEMBERS_MAX;
use crate::backend::pool::{Balancing, HashSource, Terms};
use crate::configuration::config::{Backend, PoolMember};
use crate::configuration::document::{self, pool};
use crate::configuration::yaml::Placed;

/// The largest priority and the largest weight.
const PART_MAX: u64 = 100;

impl Validator<'_> {
    /// Whether `backend` is to be a pool.
    pub(super) fn is_pool(&mut self, backend: &document::Backend) -> bool {
        let kind = backend.kind.as_ref().filter(|kind| !kind.mark.is_made_up());
        let is_pool = kind.map(|kind| kind.value.eq_ignore_ascii_case("pool"));
        if let Some(kind) = kind
            && is_pool == Some(false)
            && !kind.value.eq_ignore_ascii_case("single")
        {
            let message =
                format!("the type of a backend is `Single` or `Pool`, not `{}`", kind.value);
            self.fault(kind.mark, message, "write one of the two");
        } else if is_pool == Some(true) && backend.pool.is_none() {
            let message =
                format!("the pool `{}` says of nobody that it stands for", backend.id.value);
            self.fault(backend.id.mark, message, "add `pool: {services: [{id: …}]}`");
        } else if is_pool != Some(true) && backend.pool.is_some() {
            let message = format!("the backend `{}` has `pool`, but is none", backend.id.value);
            self.fault(backend.id.mark, message, "add `type: Pool`");
        }
        backend.pool.is_some() || is_pool == Some(true)
    }

    /// The pool that `backend` is; `singles` are the others, which `registry` knows by their places.
    pub(super) fn pool(
        &mut self,
        backend: &document::Backend,
        (registry, singles): (&Registry, &[Option<Backend>]),
    ) -> Option<Backend> {
        if backend.kind.is_some() {
            self.has_nothing_else(backend);
        }
        let written = backend.pool.as_ref()?;
        let members = self.members(backend, written, (registry, singles));
        let terms = self.terms(written);
        let first = singles
            .iter()
            .flatten()
            .find(|single| members.first().is_some_and(|member| member.id == single.id))?;
        Some(Backend {
            id: Arc::from(backend.id.value.as_str()),
            title: backend.title.as_deref().map(Arc::from),
            url: Arc::clone(&first.url),
            is_app: false,
            credentials: super::super::config::Credentials::default(),
            validate_certificate_chain: true,
            validate_certificate_name: true,
            tls: None,
            proxy: None,
            http: None,
            breaker: None,
            check: None,
            pool: Some((members, terms)),
            spot: self.spot(backend.id.mark),
        })
    }

    fn has_nothing_else(&mut self, backend: &document::Backend) {
        let document::Credentials { header, query, authorization, certificate, managed_identity } =
            &backend.credentials;
        let has_credentials = !header.0.is_empty()
            || !query.0.is_empty()
            || authorization.is_some()
            || certificate.is_some()
            || managed_identity.is_some();
        let written = [
            ("url", backend.url.is_some()),
            ("credentials", has_credentials),
            ("tls", backend.tls.is_some()),
            ("httpVersion", backend.http_version.is_some()),
            ("circuitBreaker", backend.circuit_breaker.is_some()),
            ("proxy", backend.proxy.is_some()),
            ("healthCheck", backend.health_check.is_some()),
        ];
        for (key, _is_written) in written.iter().filter(|(_key, is_written)| *is_written) {
            let message = format!("the pool `{}` has `{key}`", backend.id.value);
            self.fault(backend.id.mark, message, "write it for each of its services instead");
        }
    }

    fn members(
        &mut self,
        backend: &document::Backend,
        written: &pool::Pool,
        (registry, singles): (&Registry, &[Option<Backend>]),
    ) -> Vec<PoolMember> {
        let of = format!("the pool `{}`", backend.id.value);
        if written.services.is_empty() {
            self.fault(backend.id.mark, format!("{of} has no services"), "add one to `services`");
        }
        self.few(
            "services in this pool",
            written.services.iter().map(|it| it.id.mark),
            MEMBERS_MAX,
        );
        let mut members: Vec<PoolMember> = Vec::with_capacity(written.services.len());
        for service in &written.services {
            let mark = service.id.mark;
            // What API Management writes is the path of a resource.
            let id = service.id.value.rsplit('/').next().unwrap_or_default();
            let priority = self.number(service.priority.as_ref(), (0, PART_MAX), 0);
            let weight = self.number(service.weight.as_ref(), (0, PART_MAX), 1);
            let found = self.look_up(registry, id, mark).first().copied();
            let Some(index) = found.filter(|_index| !mark.is_made_up()) else { continue };
            let Some(known) = self.document.backends.iter().nth(index) else { continue };
            if known.pool.is_some() || known.kind.as_ref().is_some_and(|it| is_word(it, "pool")) {
                let message = format!("{of} has the pool `{id}` among its services");
                self.fault(mark, message, "name the services of that one instead");
                continue;
            }
            if known.url.as_ref().is_some_and(|url| url.value.starts_with(SCHEME)) {
                let message = format!("{of} has the app `{id}` behind Dapr among its services");
                self.fault(mark, message, "leave it to the sidecar, which balances by itself");
                continue;
            }
            if members.iter().any(|member| member.id.eq_ignore_ascii_case(id)) {
                let message = format!("{of} has the service `{id}` twice");
                self.fault(
                    mark,
                    message,
                    "remove one of the two; `weight` gives it a larger share",
                );
                continue;
            }
            let single = singles.get(index).and_then(Option::as_ref);
            members.extend(single.map(|single| PoolMember {
                id: Arc::clone(&single.id),
                priority,
                weight,
            }));
        }
        members
    }

    fn terms(&mut self, written: &pool::Pool) -> Terms {
        let word = written.balancing.as_ref();
        let balancing = match word.map(|word| word.value.as_str()) {
            None | Some("weighted") => Some(Balancing::Weighted),
            Some("least-requests") => Some(Balancing::LeastRequests),
            Some("consistent-hash") => None,
            Some(other) => {
                if let Some(word) = word.filter(|word| !word.mark.is_made_up()) {
                    let remedy = "write `weighted`, `least-requests` or `consistent-hash`";
                    self.fault(word.mark, format!("there is no balancing `{other}`"), remedy);
                }
                Some(Balancing::Weighted)
            }
        };
        let balancing = match (balancing, &written.hash) {
            (Some(known), None) => known,
            (Some(known), Some(hash)) => {
                let remedy = "write `balancing: consistent-hash`, or remove it";
                self.fault(hash.mark, "`hash` has no meaning with this `balancing`", remedy);
                known
            }
            (None, Some(hash)) => self.hash(hash).unwrap_or_default(),
            (None, None) => {
                if let Some(word) = word {
                    let remedy = "add `hash: {source: header, name: NAME}`; source may be `cookie`, \
                                  `client-address` and `path`, too";
                    self.fault(word.mark, "nothing says what `consistent-hash` goes by", remedy);
                }
                Balancing::Weighted
            }
        };
        Terms {
            balancing,
            slow_start: written.slow_start.as_ref().and_then(|span| self.span(span, "slowStart")),
            panic_percent: self.number(written.panic_threshold.as_ref(), (0, 100), 0),
            session_cookie: written.session_affinity.as_ref().and_then(|it| self.session(it)),
            failure_response: self.status(written.failure_response.as_ref()),
        }
    }

    fn hash(&mut self, written: &Placed<pool::Hash>) -> Option<Balancing> {
        let pool::Hash { source, name } = &written.value;
        let is_named = is_word(source, "header") || is_word(source, "cookie");
        match name {
            None if is_named => {
                let message = format!("nothing says which {} decides", source.value);
                self.fault(source.mark, message, "add `name`");
                return None;
            }
            Some(name) if !is_named => {
                let message = format!("`name` says nothing for the source `{}`", source.value);
                self.fault(name.mark, message, "remove it");
            }
            _ => (),
        }
        let source = if is_word(source, "header") {
            HashSource::Header(self.header_name(name.as_ref()?)?)
        } else if is_word(source, "cookie") {
            HashSource::Cookie(self.cookie(name.as_ref()?)?)
        } else if is_word(source, "client-address") {
            HashSource::ClientAddress
        } else if is_word(source, "path") {
            HashSource::Path
        } else {
            let message = format!("requests have no `{}`", source.value);
            let remedy = "write `header`, `cookie`, `client-address` or `path`";
            self.fault(source.mark, message, remedy);
            return None;
        };
        Some(Balancing::ConsistentHash(source))
    }

    fn session(&mut self, written: &pool::SessionAffinity) -> Option<Arc<str>> {
        let pool::SessionId { source, name } = &written.session_id;
        if !is_word(source, "cookie") && !source.mark.is_made_up() {
            let message = format!("a session cannot be known by `{}`", source.value);
            self.fault(source.mark, message, "write `Cookie`");
        }
        self.cookie(name)
    }

    /// The name of a cookie: a token, as the names of headers are.
    fn cookie(&mut self, name: &Placed<String>) -> Option<Arc<str>> {
        if name.mark.is_made_up() {
            return None;
        }
        if HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` cannot be the name of a cookie", name.value);
            self.fault(name.mark, message, "use letters, digits, `-` and `_`");
            return None;
        }
        Some(Arc::from(name.value.as_str()))
    }
}

/// Whether that word is written, in small letters or large ones.
pub(super) fn is_word(written: &Placed<String>, word: &str) -> bool {
    written.value.trim().eq_ignore_ascii_case(word)
}
