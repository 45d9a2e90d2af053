//! Products, groups and users.

use std::sync::Arc;

use super::kept::KeptUsers;
use super::registry::Registry;
use super::word::{name_or_id, or_empty};
use super::{ITEMS_MAX, USERS_MAX, Validator};
use crate::configuration::config::{Api, Group, Identity, Product, User};
use crate::configuration::document::{self, ProductState};

/// The groups that always exist.
const GROUPS: [(&str, &str); 3] =
    [("administrators", "Administrators"), ("developers", "Developers"), ("guests", "Guests")];

impl Validator<'_> {
    pub(super) fn groups(&mut self) -> (Vec<Group>, Registry) {
        let written = &self.document.groups;
        self.few("groups", written.iter().map(|group| group.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("group");
        let mut groups = Vec::with_capacity(written.len().saturating_add(GROUPS.len()));
        for (index, (id, name)) in GROUPS.iter().enumerate() {
            registry.add(id, index);
            groups.push(Group { id: Arc::from(*id), name: Arc::from(*name) });
        }
        for group in written.iter() {
            let first = |index: usize| Some(written.get(index.checked_sub(GROUPS.len())?)?.id.mark);
            self.register(&mut registry, first, &group.id, groups.len());
            groups.push(Group {
                id: Arc::from(group.id.value.as_str()),
                name: name_or_id(group.name.as_ref(), &group.id),
            });
        }
        (groups, registry)
    }

    pub(super) fn users(&mut self, group_ids: &Registry) -> (Arc<[User]>, Arc<Registry>) {
        let written = &self.document.users;
        self.keeps.groups = self.document.groups.clone();
        if let Some(kept) = self.kept_users() {
            let (users, registry) = (Arc::clone(&kept.users), Arc::clone(&kept.ids));
            self.keeps.users = Some(kept.clone());
            return (users, registry);
        }
        self.few("users", written.iter().map(|user| user.id.mark), USERS_MAX);
        let mut registry = Registry::new("user");
        let mut users = Vec::with_capacity(written.len());
        for (index, user) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &user.id, index);
            users.push(self.user(user, group_ids));
        }
        let (users, registry) = (Arc::from(users), Arc::new(registry));
        self.keeps.users = Some(KeptUsers {
            written: written.clone(),
            users: Arc::clone(&users),
            ids: Arc::clone(&registry),
        });
        (users, registry)
    }

    fn user(&mut self, user: &document::User, group_ids: &Registry) -> User {
        let identities = user.identities.iter().map(|identity| Identity {
            id: Arc::from(identity.id.as_str()),
            provider: Arc::from(identity.provider.as_str()),
        });
        User {
            id: Arc::from(user.id.value.as_str()),
            email: or_empty(user.email.as_ref()),
            first_name: or_empty(user.first_name.as_ref()),
            last_name: or_empty(user.last_name.as_ref()),
            note: user.note.as_deref().map(Arc::from),
            registration: self.date(user.registration_date.as_ref()),
            groups: self.resolve_all(group_ids, &user.groups),
            identities: identities.collect(),
            spot: self.spot(user.id.mark),
        }
    }

    pub(super) fn products(
        &mut self,
        api_ids: &Registry,
        group_ids: &Registry,
    ) -> (Vec<Product>, Registry) {
        let written = &self.document.products;
        self.few("products", written.iter().map(|product| product.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("product");
        let mut products = Vec::with_capacity(written.len());
        for (index, product) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &product.id, index);
            products.push(Product {
                id: Arc::from(product.id.value.as_str()),
                name: name_or_id(product.name.as_ref(), &product.id),
                is_published: product.state.is_none_or(|state| state == ProductState::Published),
                subscription_required: product.subscription_required.unwrap_or(true),
                approval_required: product.approval_required,
                subscriptions_limit: product.subscriptions_limit,
                apis: self.resolve_all(api_ids, &product.apis),
                groups: self.resolve_all(group_ids, &product.groups),
                policy: self.policy(product.policy.as_ref()),
                spot: self.spot(product.id.mark),
            });
        }
        (products, registry)
    }

    /// An API is in at most one open product: a request without a key could not tell which.
    pub(super) fn open_products(&mut self, products: &[Product], apis: &[Arc<Api>]) {
        let mut opened: Vec<Option<usize>> = vec![None; apis.len()];
        let open = products.iter().enumerate().filter(|(_, it)| !it.subscription_required);
        for (index, product) in open {
            for api in &product.apis {
                let Some(slot) = opened.get_mut(*api) else { continue };
                let other = slot.and_then(|other| products.get(other));
                if let (Some(other), Some(api)) = (other, apis.get(*api)) {
                    let message = format!(
                        "the API `{}` is in two products that need no subscription: `{}` and `{}`",
                        api.id, other.id, product.id
                    );
                    let remedy = "take it out of one of them, or let one need a subscription";
                    self.faults.push(product.spot.fault(message).mend(remedy));
                } else {
                    *slot = Some(index);
                }
            }
        }
    }
}
