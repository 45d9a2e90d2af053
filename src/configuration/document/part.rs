//! What one file says, shared by all documents that it is a part of.

use std::sync::Arc;

use super::{
    Api, Backend, ClientIdentity, ConfigurationFile, Credentials, Diagnostic, Fragment, Gateway,
    Group, Held, HostName, LimitHolding, Logger, NamedCertificate, NamedGateway, NamedValue,
    Product, ProviderAuthorization, Reference, SchemaDocument, SecretValue, Subscription, User,
    ValueSource, VersionSet, is_inline, leaves_folder,
};
use crate::configuration::yaml::{Block, Placed};

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) gateway: Option<Arc<Placed<Gateway>>>,
    pub(super) limits: Option<Arc<Placed<LimitHolding>>>,
    pub(super) diagnostics: Option<Arc<Placed<Diagnostic>>>,
    pub(super) policy: Option<Arc<Block>>,
    pub(super) gateways: Arc<[NamedGateway]>,
    pub(super) apis: Arc<[Api]>,
    pub(super) version_sets: Arc<[VersionSet]>,
    pub(super) products: Arc<[Product]>,
    pub(super) subscriptions: Arc<[Subscription]>,
    pub(super) users: Arc<[User]>,
    pub(super) groups: Arc<[Group]>,
    pub(super) named_values: Arc<[NamedValue]>,
    pub(super) fragments: Arc<[Fragment]>,
    pub(super) loggers: Arc<[Logger]>,
    pub(super) backends: Arc<[Backend]>,
    pub(super) identities: Arc<[ClientIdentity]>,
    pub(super) authorizations: Arc<[ProviderAuthorization]>,
    pub(super) certificates: Arc<[NamedCertificate]>,
    pub(super) host_names: Arc<[HostName]>,
    pub(super) schemas: Arc<[SchemaDocument]>,
    /// Every file that it names and that may be read.
    pub(super) references: Vec<Reference>,
    /// The variables of the environment that it names.
    pub(super) variables: Vec<Arc<str>>,
}

impl From<ConfigurationFile> for Part {
    fn from(file: ConfigurationFile) -> Self {
        let (references, variables) = (file.references(), file.variables());
        Self {
            gateway: file.gateway.map(Arc::new),
            limits: file.limits.map(Arc::new),
            diagnostics: file.diagnostics.map(Arc::new),
            policy: file.policy.map(Arc::new),
            gateways: file.gateways.into(),
            apis: file.apis.into(),
            version_sets: file.version_sets.into(),
            products: file.products.into(),
            subscriptions: file.subscriptions.into(),
            users: file.users.into(),
            groups: file.groups.into(),
            named_values: file.named_values.into(),
            fragments: file.fragments.into(),
            loggers: file.loggers.into(),
            backends: file.backends.into(),
            identities: file.identities.into(),
            authorizations: file.authorizations.into(),
            certificates: file.certificates.into(),
            host_names: file.host_names.into(),
            schemas: file.schemas.into(),
            references,
            variables,
        }
    }
}

impl Api {
    /// The policy documents of the API and its operations.
    pub fn policies(&self) -> impl Iterator<Item = &Block> {
        let own = self.operations.iter().map(|operation| &operation.policy);
        own.chain([&self.policy]).flatten()
    }
}

/// The path that stands in place of a policy document, if one does and it may be read.
pub fn policy_path(block: &Block) -> Option<&str> {
    let path = block.text.trim();
    (!is_inline(path) && leaves_folder(path).is_none()).then_some(path)
}

impl ConfigurationFile {
    fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.secret_files(&mut |path: &str| {
            found.push(Reference { path: path.to_owned(), is_secret: true });
        });
        let of_apis = self.apis.iter().flat_map(Api::policies);
        let of_products = self.products.iter().map(|product| &product.policy);
        let of_fragments = self.fragments.iter().map(|fragment| &fragment.policy);
        let others = of_products.chain([&self.policy]).flatten();
        let paths = of_apis.chain(others).chain(of_fragments).filter_map(policy_path);
        found.extend(paths.map(|path| Reference { path: path.to_owned(), is_secret: false }));
        let lists = self.certificates.iter().filter_map(|it| it.revocation_list_file.as_ref());
        let lists = lists.filter(|path| leaves_folder(&path.value).is_none());
        found.extend(lists.map(|path| Reference { path: path.value.clone(), is_secret: false }));
        found
    }

    fn variables(&self) -> Vec<Arc<str>> {
        let sources = self.secret_values().filter_map(|value| match value {
            SecretValue::Other(ValueSource { env: Some(env), .. }) => Some(env.value.as_str()),
            SecretValue::Other(_) | SecretValue::Text(_) => None,
        });
        sources.map(Arc::from).collect()
    }

    /// Every text that may be a secret.
    fn secret_values(&self) -> impl Iterator<Item = &SecretValue> {
        let of_subscriptions = self.subscriptions.iter().flat_map(|subscription| {
            [&subscription.primary_key, &subscription.secondary_key].into_iter().flatten()
        });
        let of_values = self.named_values.iter().map(|named| &named.value);
        let of_backends = self.backends.iter().flat_map(|backend| {
            let Credentials { header, query, authorization, .. } = &backend.credentials;
            let entries = header.0.iter().chain(&query.0).flat_map(|(_, values)| &values.0);
            let authorities =
                backend.tls.iter().filter_map(|tls| tls.certificate_authorities.as_ref());
            let parameters = authorization.iter().map(|authorization| &authorization.parameter);
            let of_proxy = backend.proxy.iter().flat_map(|proxy| proxy.value.secrets());
            entries.chain(parameters).chain(authorities).chain(of_proxy)
        });
        let of_loggers = self
            .loggers
            .iter()
            .filter_map(|logger| logger.event_hub.value.connection_string.as_ref());
        let of_identities = self.identities.iter().filter_map(|identity| identity.secret.as_ref());
        let of_certificates = self.certificates.iter().flat_map(NamedCertificate::secrets);
        let of_authorizations = self.authorizations.iter();
        let of_authorizations = of_authorizations.flat_map(|it| [&it.secret, &it.refresh_token]);
        let of_others = of_loggers.chain(of_identities).chain(of_certificates);
        let of_others = of_others.chain(of_authorizations.flatten());
        of_subscriptions.chain(of_values).chain(of_backends).chain(of_others)
    }

    fn secret_files(&self, found: &mut impl FnMut(&str)) {
        for value in self.secret_values() {
            let SecretValue::Other(ValueSource { file, dapr, .. }) = value else { continue };
            // What refers to a store is no path.
            if let Some(file) = file.as_ref().filter(|file| Held::of(&file.value).is_none()) {
                found(&file.value);
            }
            if let Some(dapr) = dapr {
                found(&dapr.reference());
            }
        }
        let of_hosts = self.host_names.iter().filter_map(|host| host.certificate.as_ref());
        let of_backends =
            self.backends.iter().filter_map(|backend| backend.credentials.certificate.as_ref());
        for certificate in of_hosts.chain(of_backends) {
            found(&certificate.certificate_file.value);
            found(&certificate.key_file.value);
        }
    }
}
