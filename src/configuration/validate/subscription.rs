//! Subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use super::kept::KeptSubscriptions;
use super::registry::Registry;
use super::word::name_or_id;
use super::{Ids, SUBSCRIPTIONS_MAX, Validator};
use crate::configuration::config::{
    Api, Product, Secret, Subscription, SubscriptionScope, SubscriptionState,
};
use crate::configuration::document::{self, SecretValue};
use crate::configuration::items::Items;
use crate::configuration::yaml::Placed;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 256;

impl Validator<'_> {
    pub(super) fn subscriptions(
        &mut self,
        ids: &Ids<'_>,
        products: &[Product],
        apis: &[Arc<Api>],
    ) -> Items<Subscription> {
        let written = &self.document.subscriptions;
        let context = self.context(products, apis);
        let kept = self.kept.subscriptions.as_ref().filter(|kept| kept.context == context);
        if let Some(kept) = kept.filter(|kept| kept.written.is_same(written)) {
            self.keeps.subscriptions = Some(kept.clone());
            return kept.meant.clone();
        }
        self.few("subscriptions", written.iter().map(|it| it.id.mark), SUBSCRIPTIONS_MAX);
        let mut registry = Registry::new("subscription");
        let mut meant = Items::default();
        let mut known = kept.map(KeptSubscriptions::pieces).unwrap_or_default();
        for piece in written.pieces() {
            for (nth, subscription) in piece.items.iter().enumerate() {
                let first = |index: usize| Some(written.get(index)?.id.mark);
                let index = piece.start.saturating_add(nth);
                self.register(&mut registry, first, &subscription.id, index);
            }
            let same = known.remove(&piece.file);
            let same = same.filter(|(written, _meant)| Arc::ptr_eq(written, &piece.items));
            let items = if let Some((_written, meant)) = same {
                meant
            } else {
                piece.items.iter().map(|it| self.subscription(it, ids)).collect()
            };
            meant.add(piece.file, &items);
        }
        self.distinct(&meant);
        let (written, kept) = (written.clone(), meant.clone());
        self.keeps.subscriptions = Some(KeptSubscriptions { written, context, meant: kept });
        meant
    }

    fn subscription(&mut self, it: &document::Subscription, ids: &Ids<'_>) -> Subscription {
        if it.primary_key.is_none() && it.secondary_key.is_none() && !it.id.mark.is_made_up() {
            let message = format!("the subscription `{}` has no key", it.id.value);
            self.fault(it.id.mark, message, "add `primaryKey: …`");
        }
        let user = it.user.as_ref().filter(|user| !user.mark.is_made_up());
        let user = user.and_then(|user| {
            let id = user.value.strip_prefix("/users/").unwrap_or(&user.value);
            self.look_up(ids.users, id, user.mark).first().copied()
        });
        let start = self.date(it.start_date.as_ref());
        let expiration = self.date(it.expiration_date.as_ref());
        if let (Some(start), Some(end), Some(written)) = (start, expiration, &it.expiration_date)
            && end < start
        {
            let message = "the subscription expires before it starts";
            self.fault(written.mark, message, "correct one of the two dates");
        }
        Subscription {
            id: Arc::from(it.id.value.as_str()),
            name: name_or_id(it.name.as_ref(), &it.id),
            scope: self.scope(&it.scope, ids),
            user,
            state: state(it.state),
            primary_key: self.key(it.primary_key.as_ref(), "primary", &it.id),
            secondary_key: self.key(it.secondary_key.as_ref(), "secondary", &it.id),
            created: self.date(it.created_date.as_ref()),
            start,
            expiration,
            allow_tracing: it.allow_tracing,
            spot: self.spot(it.id.mark),
        }
    }

    fn scope(&mut self, scope: &Placed<String>, ids: &Ids<'_>) -> SubscriptionScope {
        if scope.mark.is_made_up() {
            return SubscriptionScope::AllApis;
        }
        let mut parts = scope.value.strip_prefix('/').unwrap_or_default().splitn(2, '/');
        match (parts.next(), parts.next().filter(|id| !id.is_empty())) {
            (Some("apis"), None) if !scope.value.ends_with("s/") => SubscriptionScope::AllApis,
            (Some("apis"), Some(id)) => {
                SubscriptionScope::Api(self.look_up(ids.apis, id, scope.mark).to_vec())
            }
            (Some("products"), Some(id)) => {
                let found = self.look_up(ids.products, id, scope.mark);
                found
                    .first()
                    .map_or(SubscriptionScope::AllApis, |it| SubscriptionScope::Product(*it))
            }
            _ => {
                let message = format!("`{}` is no scope", scope.value);
                let remedy = "write `/products/…`, `/apis/…`, or `/apis` for all APIs";
                self.fault(scope.mark, message, remedy);
                SubscriptionScope::AllApis
            }
        }
    }

    fn key(
        &mut self,
        key: Option<&SecretValue>,
        which: &str,
        id: &Placed<String>,
    ) -> Option<Secret> {
        let what = format!("the {which} key of the subscription `{}`", id.value);
        let key = self.secret(key?, &what, id.mark)?;
        let text = key.expose();
        // A text that was refused when it was read is empty and told already.
        let was_refused = text.is_empty() && !self.faults.is_empty();
        if was_refused {
            return None;
        }
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            let message = format!("{what} has {} bytes", text.len());
            self.fault(id.mark, message, format!("make it 1 to {KEY_BYTES_MAX} bytes long"));
            return None;
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("{what} has a character that a header cannot carry");
            self.fault(id.mark, message, "use letters, digits and signs, no blanks");
            return None;
        }
        Some(key)
    }

    /// No key opens two subscriptions.
    fn distinct(&mut self, subscriptions: &Items<Subscription>) {
        let mut owners: HashMap<&str, &Subscription> =
            HashMap::with_capacity(subscriptions.len().saturating_mul(2));
        for subscription in subscriptions.iter() {
            for key in [&subscription.primary_key, &subscription.secondary_key] {
                let Some(key) = key else { continue };
                let Some(other) = owners.insert(key.expose(), subscription) else { continue };
                let message = if other.spot == subscription.spot {
                    format!("both keys of the subscription `{}` are the same", subscription.id)
                } else {
                    let (one, two) = (&other.id, &subscription.id);
                    format!("the subscriptions `{one}` and `{two}` have a key in common")
                };
                self.faults.push(subscription.spot.fault(message).mend("replace one of the keys"));
            }
        }
    }
}

fn state(written: Option<document::SubscriptionState>) -> SubscriptionState {
    match written {
        None | Some(document::SubscriptionState::Active) => SubscriptionState::Active,
        Some(document::SubscriptionState::Suspended) => SubscriptionState::Suspended,
        Some(document::SubscriptionState::Submitted) => SubscriptionState::Submitted,
        Some(document::SubscriptionState::Rejected) => SubscriptionState::Rejected,
        Some(document::SubscriptionState::Cancelled) => SubscriptionState::Cancelled,
        Some(document::SubscriptionState::Expired) => SubscriptionState::Expired,
    }
}
