//! Backends, host names, named values and fragments.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderValue;

use super::registry::Registry;
use super::{ITEMS_MAX, Validator};
use crate::backend::version::HttpVersion;
use crate::configuration::config::{
    Authorization, Backend, Credentials, Fragment, HostName, NamedValue, Secret,
};
use crate::configuration::document::{self, SecretValue};
use crate::configuration::yaml::{Entries, Mark, OneOrMore, Placed};
use crate::dapr;
use crate::route::host::Pattern;

/// Ids that policies use for something else.
const RESERVED: [&str; 1] = ["dapr"];
/// Headers that the gateway itself must write.
const OWN_HEADERS: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade"];

/// The values of credentials under their names.
type Values<N> = Vec<(N, Vec<Secret>)>;

impl Validator<'_> {
    pub(super) fn named_values(&mut self) -> Vec<NamedValue> {
        let written = &self.document.named_values;
        self.few("named values", written.iter().map(|it| it.name.mark), ITEMS_MAX);
        let mut registry = Registry::new("named value");
        let mut values = Vec::with_capacity(written.len());
        for (index, named) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.name.mark);
            self.register(&mut registry, first, &named.name, index);
            let what = format!("the named value `{}`", named.name.value);
            let Some(value) = self.secret(&named.value, &what, named.name.mark) else { continue };
            if refers(value.expose()) {
                let message = format!("{what} refers to another one");
                let remedy = "write the other one's text out: named values do not nest";
                self.fault(named.name.mark, message, remedy);
            }
            let is_secret = named.secret || matches!(named.value, SecretValue::Other(_));
            let name = Arc::from(named.name.value.as_str());
            let spot = self.spot(named.name.mark);
            values.push(NamedValue { name, value, is_secret, spot });
        }
        values
    }

    pub(super) fn fragments(&mut self) -> Vec<Fragment> {
        let written = &self.document.fragments;
        self.few("fragments", written.iter().map(|it| it.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("fragment");
        let mut fragments = Vec::with_capacity(written.len());
        for (index, fragment) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &fragment.id, index);
            let id = Arc::from(fragment.id.value.as_str());
            let spot = self.spot(fragment.id.mark);
            let policy = self.policy(Some(&fragment.policy));
            fragments.extend(policy.map(|policy| Fragment { id, policy, spot }));
        }
        fragments
    }

    pub(super) fn backends(&mut self, names: &[NamedValue]) -> Vec<Backend> {
        let written = &self.document.backends;
        self.few("backends", written.iter().map(|it| it.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("backend");
        let mut backends = Vec::with_capacity(written.len());
        let mut pools = Vec::new();
        for (index, backend) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &backend.id, index);
            if RESERVED.contains(&backend.id.value.as_str()) {
                let message = format!("the id `{}` is reserved", backend.id.value);
                self.fault(backend.id.mark, message, "choose another one");
            }
            if self.is_pool(backend) {
                pools.push((index, backend));
                backends.push(None);
            } else {
                backends.push(self.backend(backend, names));
            }
        }
        // They may stand before those whom they stand for.
        for (index, written) in pools {
            let pool = self.pool(written, (&registry, &backends));
            if let Some(place) = backends.get_mut(index) {
                *place = pool;
            }
        }
        backends.into_iter().flatten().collect()
    }

    fn backend(&mut self, backend: &document::Backend, names: &[NamedValue]) -> Option<Backend> {
        if backend.url.is_none() && !backend.id.mark.is_made_up() {
            self.fault(backend.id.mark, "this backend has no `url`", "add `url: …`");
        }
        let service = backend.url.as_ref().and_then(|url| self.service(url));
        let is_app = service.as_ref().is_some_and(|service| service.is_app);
        let url = service.map(|service| service.url);
        let credentials = self.credentials(&backend.credentials, names);
        let proxy = self.proxy(backend, names);
        if is_app {
            self.leaves_sidecar_alone(&credentials, backend.id.mark);
            if let Some(version) = &backend.http_version {
                let message =
                    "which HTTP Dapr's sidecar is spoken to in is not for a backend to say";
                let remedy =
                    "remove `httpVersion`: calls of gRPC go over HTTP/2, all else over HTTP/1.1";
                self.fault(version.mark, message, remedy);
            }
            if let Some(proxy) = &backend.proxy {
                let message = "Dapr's sidecar stands beside the gateway, and no proxy between them";
                self.fault(proxy.mark, message, "remove `proxy`");
            }
            if let Some(check) = &backend.health_check {
                let message = "an app behind Dapr's sidecar is asked by nobody but the sidecar";
                self.fault(check.mark, message, "remove `healthCheck`");
            }
        }
        let tls =
            backend.tls.as_ref().and_then(|tls| self.tls(tls, url.as_deref(), backend.id.mark));
        let switch = |of: fn(&document::Tls) -> Option<bool>| {
            backend.tls.as_ref().and_then(of).unwrap_or(true)
        };
        let written = backend.circuit_breaker.as_ref();
        let breaker = written.and_then(|written| self.breaker(written, backend.id.mark));
        let check = backend.health_check.as_ref();
        let check = check.and_then(|written| self.health_check(written));
        Some(Backend {
            id: Arc::from(backend.id.value.as_str()),
            title: backend.title.as_deref().map(Arc::from),
            url: url?,
            is_app,
            credentials,
            validate_certificate_chain: switch(|tls| tls.validate_certificate_chain),
            validate_certificate_name: switch(|tls| tls.validate_certificate_name),
            tls,
            proxy,
            http: self.http_version(backend.http_version.as_ref()),
            breaker,
            check,
            pool: None,
            spot: self.spot(backend.id.mark),
        })
    }

    fn http_version(&mut self, written: Option<&Placed<String>>) -> Option<HttpVersion> {
        let written = written.filter(|written| !written.mark.is_made_up())?;
        let version = HttpVersion::of(&written.value);
        if version.is_none() {
            let message = format!("`{}` is no version of HTTP for a backend", written.value);
            self.fault(written.mark, message, "write `1`, `2` or `2or1`");
        }
        version
    }

    fn leaves_sidecar_alone(&mut self, credentials: &Credentials, mark: Mark) {
        let mut headers = credentials.headers.iter();
        if let Some((name, _values)) = headers.find(|(name, _values)| dapr::is_kept_name(name)) {
            let message = format!("`{name}` speaks to Dapr's sidecar, not to the app");
            self.fault(mark, message, "remove it; the sidecar's token is the setting `dapr.token`");
        }
    }

    fn credentials(
        &mut self,
        written: &document::Credentials,
        names: &[NamedValue],
    ) -> Credentials {
        let authorization = written.authorization.as_ref();
        let headers = self.values((&written.header, names), Self::credential_header);
        let query = self.values((&written.query, names), Self::query_name);
        let own = headers.iter().find(|(name, _)| name.as_str() == "authorization");
        if let (Some(_), Some(authorization)) = (own, authorization) {
            let message = "`Authorization` is written twice: here and as a header";
            self.fault(authorization.scheme.mark, message, "remove one of the two");
        }
        let token = written.managed_identity.as_ref();
        let is_shown = own.is_some() || authorization.is_some();
        let token = token.and_then(|token| self.managed_identity(token, is_shown));
        Credentials {
            token,
            headers,
            query,
            authorization: authorization.and_then(|it| self.authorization(it, names)),
            certificate: written.certificate.as_ref().and_then(|it| self.certificate(it)),
        }
    }

    fn values<N>(
        &mut self,
        (written, names): (&Entries<OneOrMore<SecretValue>>, &[NamedValue]),
        name_of: fn(&mut Self, &Placed<String>) -> Option<N>,
    ) -> Values<N> {
        let mut found = Vec::new();
        for (name, OneOrMore(values)) in &written.0 {
            let what = format!("the value of `{}`", name.value);
            let secrets =
                values.iter().filter_map(|it| self.text_with_named(it, names, &what, name.mark));
            let secrets: Vec<Secret> = secrets.collect();
            for secret in &secrets {
                self.fits_header(secret, &what, name.mark);
            }
            found.extend(name_of(self, name).map(|name| (name, secrets)));
        }
        found
    }

    fn credential_header(&mut self, name: &Placed<String>) -> Option<http::HeaderName> {
        let header = self.header_name(name)?;
        if OWN_HEADERS.contains(&header.as_str()) {
            let message = format!("the gateway itself writes the header `{header}`");
            self.fault(name.mark, message, "remove it");
        }
        Some(header)
    }

    fn authorization(
        &mut self,
        written: &document::Authorization,
        names: &[NamedValue],
    ) -> Option<Authorization> {
        let document::Authorization { scheme, parameter } = written;
        let what = "the parameter of `authorization`";
        let parameter = self.text_with_named(parameter, names, what, scheme.mark);
        if let Some(parameter) = &parameter {
            self.fits_header(parameter, what, scheme.mark);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if scheme.mark.is_made_up() {
            return None;
        }
        if scheme.value.is_empty() || !scheme.value.bytes().all(plain) {
            let message = format!("`{}` is no authorization scheme", scheme.value);
            self.fault(scheme.mark, message, "write a word such as `Basic`");
        }
        Some(Authorization { scheme: Arc::from(scheme.value.as_str()), parameter: parameter? })
    }

    fn fits_header(&mut self, secret: &Secret, what: &str, mark: Mark) {
        if HeaderValue::from_str(secret.expose()).is_err() {
            let message = format!("{what} has a character that a request cannot carry");
            self.fault(mark, message, "use visible ASCII characters and blanks");
        }
    }

    pub(super) fn host_names(&mut self) -> Vec<HostName> {
        let written = &self.document.host_names;
        self.few("host names", written.iter().map(|it| it.host.mark), ITEMS_MAX);
        let mut known = BTreeSet::new();
        let mut names = Vec::with_capacity(written.len());
        for name in written.iter() {
            let certificate = name.certificate.as_ref().and_then(|it| self.certificate(it));
            if name.host.mark.is_made_up() {
                continue;
            }
            match Pattern::parse(&name.host.value) {
                Ok(host) if !known.insert(host.clone()) => {
                    let message = format!("the host name `{}` is written twice", name.host.value);
                    self.fault(name.host.mark, message, "remove one of the two");
                }
                Ok(host) => {
                    names.push(HostName { host, certificate, spot: self.spot(name.host.mark) });
                }
                Err(fault) => {
                    let message = format!("{fault}: `{}`", name.host.value);
                    let remedy = "write a name such as `api.example.com` or `*.example.com`";
                    self.fault(name.host.mark, message, remedy);
                }
            }
        }
        names
    }
}

/// Whether `text` has a `{{name}}` in it.
fn refers(text: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(name, _)| {
        let name = name.trim();
        !name.is_empty() && name.chars().all(of_name)
    })
}
