//! What belongs to one gateway, found by what refers to what.

use std::collections::{BTreeMap, BTreeSet};

use super::mentioned::{Mentioned, Policies};
use crate::configuration::bundle::Kind;
use crate::configuration::document::Held;
use crate::configuration::yaml::{self, Node};

/// The keys of a configuration file, and of what stands there, that matter here.
pub(super) mod lists {
    pub(in super::super) const GATEWAY: &str = "gateway";
    pub(in super::super) const GATEWAYS: &str = "gateways";
    pub(in super::super) const APIS: &str = "apis";
    pub(in super::super) const PRODUCTS: &str = "products";
    pub(in super::super) const HOST_NAMES: &str = "hostNames";
    pub(super) const GROUPS: &str = "groups";
    pub(super) const USERS: &str = "users";
    pub(super) const SUBSCRIPTIONS: &str = "subscriptions";
    pub(super) const VERSION_SETS: &str = "versionSets";
    pub(super) const FRAGMENTS: &str = "fragments";
    pub(super) const NAMED_VALUES: &str = "namedValues";
    pub(super) const BACKENDS: &str = "backends";
    pub(super) const LOGGERS: &str = "loggers";
    pub(super) const IDENTITIES: &str = "identities";
    pub(super) const AUTHORIZATIONS: &str = "authorizations";
    pub(super) const CERTIFICATES: &str = "certificates";
    /// All of which a gateway gets a part, or something else instead.
    #[cfg(test)]
    pub(in super::super) const ALL: [&str; 16] = [
        GATEWAY,
        GATEWAYS,
        APIS,
        PRODUCTS,
        HOST_NAMES,
        GROUPS,
        USERS,
        SUBSCRIPTIONS,
        VERSION_SETS,
        FRAGMENTS,
        NAMED_VALUES,
        BACKENDS,
        LOGGERS,
        IDENTITIES,
        AUTHORIZATIONS,
        CERTIFICATES,
    ];
    /// What every gateway gets.
    pub(in super::super) const FOR_ALL: [&str; 4] = ["policy", "limits", "diagnostics", "schemas"];
}

/// The policies that say who the gateway is.
const ASKING: [&str; 2] = ["authentication-managed-identity", "send-service-bus-message"];

/// Where texts are found that a configuration names: secrets and variables.
type Secrets<'a> = dyn Fn(Kind, &str) -> Option<&'a str> + 'a;

/// What belongs to one gateway: ids without regard to case, by the list that they stand in.
#[derive(Debug, Default)]
pub(super) struct Selection {
    gateway: String,
    own: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Selection {
    /// What belongs to the gateway `name`, of `items`, which come with the names of their lists.
    pub(super) fn of<'a>(
        items: &[(&'a str, &'a Node)],
        name: &str,
        policies: &Policies<'a>,
        secrets: &Secrets<'a>,
    ) -> Option<Self> {
        let mut selection = Self { gateway: folded(name), own: BTreeMap::new() };
        let of = |list: &'static str| {
            items.iter().filter(move |(name, _)| *name == list).map(|(_, item)| *item)
        };
        let gateway = of(lists::GATEWAYS).find(|item| selection.is_gateway(item))?;
        selection.add(lists::APIS, texts(gateway, lists::APIS));
        selection.add(lists::HOST_NAMES, texts(gateway, lists::HOST_NAMES));
        let mut mentioned = Mentioned::default();
        for (_name, item) in items.iter().filter(|(name, _)| *name == "policy") {
            mentioned.policy(item, policies);
        }
        for api in of(lists::APIS).filter(|item| selection.has_one(lists::APIS, item)) {
            mentioned.policies(api, policies);
            for operation in field_items(api, "operations") {
                mentioned.policies(operation, policies);
            }
        }
        let sets = of(lists::APIS).filter(|item| selection.has_one(lists::APIS, item));
        let sets: Vec<&str> = sets.filter_map(|api| field(api, "versionSetId")).collect();
        selection.add(lists::VERSION_SETS, sets.into_iter());
        for product in of(lists::PRODUCTS) {
            if texts(product, lists::APIS).any(|api| selection.has_api(Some(api))) {
                selection.add(lists::PRODUCTS, field(product, "id").into_iter());
                selection.add(lists::GROUPS, texts(product, lists::GROUPS));
                mentioned.policies(product, policies);
            }
        }
        for subscription in of(lists::SUBSCRIPTIONS) {
            if selection.is_open(field(subscription, "scope").unwrap_or_default()) {
                selection.add(lists::SUBSCRIPTIONS, field(subscription, "id").into_iter());
                selection.add(lists::USERS, field(subscription, "user").into_iter());
            }
        }
        for user in of(lists::USERS) {
            if selection.has_one(lists::USERS, user) {
                selection.add(lists::GROUPS, texts(user, lists::GROUPS));
            }
        }
        selection.follow(&of, mentioned, policies, secrets);
        Some(selection)
    }

    /// Adds what is mentioned, and what that mentions, until nothing comes any more.
    fn follow<'a, I: Iterator<Item = &'a Node>>(
        &mut self,
        of: &impl Fn(&'static str) -> I,
        mut mentioned: Mentioned,
        policies: &Policies<'a>,
        secrets: &Secrets<'a>,
    ) {
        let mut is_sent_as = false;
        loop {
            let mut is_more = false;
            for fragment in of(lists::FRAGMENTS) {
                let Some(id) = field(fragment, "id") else { continue };
                if mentioned.has_word(id) && self.add(lists::FRAGMENTS, [id].into_iter()) {
                    mentioned.policies(fragment, policies);
                    is_more = true;
                }
            }
            for logger in of(lists::LOGGERS) {
                let Some(id) = field(logger, "id") else { continue };
                if mentioned.has_word(id) && self.add(lists::LOGGERS, [id].into_iter()) {
                    let hub = value(logger, "eventHub");
                    let client = hub.and_then(|hub| field(hub, "identityClientId"));
                    mentioned.read(hub.and_then(|hub| field(hub, "connectionString")));
                    mentioned.read(client);
                    is_sent_as |= client.is_some();
                    is_more = true;
                }
            }
            for backend in of(lists::BACKENDS) {
                let Some(id) = field(backend, "id") else { continue };
                is_more |= mentioned.has_word(id) && self.add(lists::BACKENDS, [id].into_iter());
                if self.has_one(lists::BACKENDS, backend) {
                    let pool = value(backend, "pool");
                    let services = pool.map(|pool| field_items(pool, "services"));
                    let services = services.into_iter().flatten();
                    let services = services.filter_map(|service| field(service, "id"));
                    is_more |= self.add(lists::BACKENDS, services);
                    is_sent_as |= mentioned.backend(backend);
                }
            }
            for certificate in of(lists::CERTIFICATES) {
                let Some(id) = field(certificate, "id") else { continue };
                // Authorities vouch for the clients of every gateway.
                let is_authority = field(certificate, "authority") == Some("true");
                let is_meant = is_authority || mentioned.any_certificate || mentioned.has_word(id);
                if is_meant && self.add(lists::CERTIFICATES, [id].into_iter()) {
                    for part in ["certificate", "key", "pfx", "password"] {
                        mentioned.read(field(certificate, part));
                    }
                    is_more = true;
                }
            }
            for value in of(lists::NAMED_VALUES) {
                let Some(name) = field(value, "name") else { continue };
                if mentioned.has_name(name) && self.add(lists::NAMED_VALUES, [name].into_iter()) {
                    mentioned.read(value_of(value, secrets));
                    is_more = true;
                }
            }
            if !is_more {
                break;
            }
        }
        let is_asked = is_sent_as || ASKING.iter().any(|policy| mentioned.has_word(policy));
        for identity in of(lists::IDENTITIES).filter(|_identity| is_asked) {
            let is_usual = field(identity, "systemAssigned") == Some("true");
            let id = field(identity, "clientId").filter(|id| is_usual || mentioned.has_word(id));
            self.add(lists::IDENTITIES, id.into_iter());
        }
        for authorization in of(lists::AUTHORIZATIONS) {
            let words = ["provider", "id"].map(|name| field(authorization, name));
            let is_mentioned = |word: Option<&str>| word.is_some_and(|it| mentioned.has_word(it));
            if words.into_iter().all(is_mentioned) {
                self.add(lists::AUTHORIZATIONS, authorization_key(authorization).into_iter());
            }
        }
    }

    /// Adds ids; whether any is new.
    fn add(&mut self, list: &'static str, ids: impl Iterator<Item = impl AsRef<str>>) -> bool {
        let own = self.own.entry(list).or_default();
        let before = own.len();
        own.extend(ids.map(|id| folded(last(id.as_ref()))));
        before < own.len()
    }

    /// Whether `item`, which stands under `gateways`, is the gateway.
    pub(super) fn is_gateway(&self, item: &Node) -> bool {
        field(item, "id").is_some_and(|id| folded(id) == self.gateway)
    }

    /// Whether the gateway has the API `id`.
    pub(super) fn has_api(&self, id: Option<&str>) -> bool {
        let own = self.own.get(lists::APIS);
        own.zip(id).is_some_and(|(own, id)| own.contains(&folded(last(id))))
    }

    /// Whether the gateway has all APIs of `product`.
    pub(super) fn has_all_apis(&self, product: &Node) -> bool {
        texts(product, lists::APIS).all(|api| self.has_api(Some(api)))
    }

    /// Whether the gateway has `item` of the list `list`.
    pub(super) fn has(&self, list: &str, item: &Node) -> bool {
        let known = self.own.get_key_value(list).map(|(list, _own)| *list);
        known.is_some_and(|list| self.has_one(list, item))
    }

    fn has_one(&self, list: &'static str, item: &Node) -> bool {
        let key = match list {
            lists::NAMED_VALUES => "name",
            lists::HOST_NAMES => "host",
            lists::IDENTITIES => "clientId",
            _ => "id",
        };
        let own = self.own.get(list);
        if list == lists::AUTHORIZATIONS {
            let key = authorization_key(item);
            return own.zip(key).is_some_and(|(own, key)| own.contains(&folded(&key)));
        }
        own.zip(field(item, key)).is_some_and(|(own, id)| own.contains(&folded(last(id))))
    }

    /// Whether a subscription of this scope opens anything of the gateway's.
    fn is_open(&self, scope: &str) -> bool {
        let mut parts = scope.trim_start_matches('/').splitn(2, '/');
        match (parts.next(), parts.next().filter(|id| !id.is_empty())) {
            (Some("apis"), None) => true,
            (Some("apis"), Some(id)) => self.has_api(Some(id)),
            (Some("products"), Some(id)) => {
                let own = self.own.get(lists::PRODUCTS);
                own.is_some_and(|own| own.contains(&folded(id)))
            }
            _ => false,
        }
    }
}

/// The text of a named value, wherever it is.
fn value_of<'a>(named: &'a Node, secrets: &Secrets<'a>) -> Option<&'a str> {
    let node = value(named, "value")?;
    if let Some(text) = text(node) {
        return Some(text);
    }
    match (field(node, "env"), field(node, "file"), value(node, "dapr")) {
        (Some(name), _, _) => secrets(Kind::Variable, name),
        (None, Some(path), _) => secrets(Kind::Secret, path),
        (None, None, Some(dapr)) => {
            let (store, name) = (field(dapr, "store")?, field(dapr, "name")?);
            let held = Held { store, name, key: field(dapr, "key") };
            secrets(Kind::Secret, &held.to_string())
        }
        (None, None, None) => None,
    }
}

/// Whether `name` is one of `names`.
pub(super) fn is_of(name: &str, names: &[&str]) -> bool {
    names.contains(&name)
}

/// The text of a scalar.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        yaml::Kind::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
        yaml::Kind::Scalar(_) | yaml::Kind::List(_) | yaml::Kind::Map(_) => None,
    }
}

/// The text under `key` of a map.
pub(super) fn field<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    text(value(node, key)?)
}

pub(super) fn value<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let yaml::Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.name() == key).map(|entry| &entry.value)
}

fn field_items<'a>(node: &'a Node, key: &str) -> Vec<&'a Node> {
    value(node, key).map(super::items).unwrap_or_default()
}

fn texts<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a str> {
    field_items(node, key).into_iter().filter_map(text)
}

/// The id that a reference such as `/users/ann` ends with.
fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Ids are the same without regard to case.
pub(super) fn folded(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// What an authorization is known by: two providers may have the same id.
fn authorization_key(item: &Node) -> Option<String> {
    Some(format!("{} {}", field(item, "provider")?, field(item, "id")?))
}
