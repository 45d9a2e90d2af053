//! Whose subscription key this is, and what it opens.
//!
//! With a key: it must be a key of an active subscription whose scope is the API, a product that
//! holds it, or all APIs. The key of a product brings the product and so its policies; the keys of
//! an API or of all APIs bring none, also where the API is in an open product.
//!
//! Without a key: an open product that holds the API lets the request in, and its policies run;
//! otherwise an API that requires no subscription does, without a product.
//!
//! A key that is sent is judged also where none is needed, so that a client with a wrong key
//! learns of it. One exception, because the client has done nothing wrong: the good key of a
//! *foreign* subscription, whose scope is elsewhere, does not keep a request out of an open
//! product; it then is as if no key were sent. Whether a product is published plays no part.

use crate::time::Timestamp;

pub mod key;
mod registry;

pub use registry::{Digests, KeyFault, Slot, Subscriptions};

use key::{KeyRefusal, Presented};

/// A subscription, as it is configured.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What it opens.
    pub scope: Scope,
    /// Whether it opens anything.
    pub state: State,
    /// From when on it does; none: since ever.
    pub start: Option<Timestamp>,
    /// From when on it no longer does; none: never.
    pub expiry: Option<Timestamp>,
}

/// What a subscription opens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// The APIs of this product, an index.
    Product(usize),
    /// This API, an index: with all its revisions if the caller gives those one index.
    Api(usize),
    /// Every API.
    AllApis,
}

/// The state of a subscription. Only an active one opens anything.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// It opens what is in its scope.
    Active,
    /// Blocked for a while.
    Suspended,
    /// Asked for and not yet granted.
    Submitted,
    /// Asked for and not granted.
    Rejected,
    /// Given up.
    Cancelled,
    /// Its time is over.
    Expired,
}

impl State {
    /// The state as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Submitted => "submitted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// What an API asks of those who call it.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The API, an index.
    pub api: usize,
    /// Whether it requires a subscription where no open product lets the request in.
    pub is_subscription_required: bool,
    /// The products that hold it, indices.
    pub products: &'a [usize],
    /// The one of them that requires no subscription, if there is one.
    pub open_product: Option<usize>,
}

/// In whose name a request goes on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// The subscription, an index; none without a key.
    pub subscription: Option<usize>,
    /// Which of its keys was used; none without a key.
    pub slot: Option<Slot>,
    /// The product whose policies run, an index.
    pub product: Option<usize>,
}

/// Why a request is kept out: both are answered with 401.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// A key is needed and none was sent.
    #[error("no subscription key was sent, and the API requires one")]
    Missing,
    /// What was sent does not open the API. The client is not told the reason.
    #[error("the subscription key does not open the API: {reason}")]
    Invalid {
        /// For the log.
        reason: Reason,
        /// The subscription that the key belongs to, if it belongs to one.
        subscription: Option<usize>,
    },
}

/// Why a key does not open an API; for the log, never for the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// It is nobody's.
    #[error("no subscription has this key")]
    Unknown,
    /// It is no key at all.
    #[error("{0}")]
    Unreadable(KeyRefusal),
    /// The subscription is not active.
    #[error("the subscription is {}", .0.as_str())]
    Inactive(State),
    /// The subscription has not started yet.
    #[error("the subscription has not started")]
    NotStarted,
    /// The subscription is over.
    #[error("the subscription has expired")]
    Expired,
    /// The subscription is good, but for something else.
    #[error("the subscription is for another API or product")]
    OtherScope,
}

impl Reason {
    /// A short word for logs and metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Unknown => "key_unknown",
            Self::Unreadable(_) => "key_unreadable",
            Self::Inactive(_) => "subscription_inactive",
            Self::NotStarted => "subscription_not_started",
            Self::Expired => "subscription_expired",
            Self::OtherScope => "subscription_scope",
        }
    }
}

impl Subscriptions {
    /// Whether a request with the key that was `presented` may call the API that makes this
    /// `demand`, and in whose name.
    pub fn decide(
        &self,
        demand: &Demand<'_>,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Access, Denied> {
        let invalid = |reason, subscription| Denied::Invalid { reason, subscription };
        let key = match presented.key() {
            Ok(Some(key)) => key,
            Ok(None) => return without_key(demand),
            Err(refusal) => return Err(invalid(Reason::Unreadable(refusal), None)),
        };
        let found = self.find(key).and_then(|(at, slot)| Some((at, slot, self.get(at)?)));
        let Some((at, slot, subscription)) = found else {
            return Err(invalid(Reason::Unknown, None));
        };
        if let Some(reason) = subscription.closed(now) {
            return Err(invalid(reason, Some(at)));
        }
        let access = |product| Access { subscription: Some(at), slot: Some(slot), product };
        match subscription.scope {
            Scope::Product(product) if demand.products.contains(&product) => {
                Ok(access(Some(product)))
            }
            Scope::Api(api) if demand.api == api => Ok(access(None)),
            Scope::AllApis => Ok(access(None)),
            Scope::Product(_) | Scope::Api(_) if demand.open_product.is_some() => {
                without_key(demand)
            }
            Scope::Product(_) | Scope::Api(_) => Err(invalid(Reason::OtherScope, Some(at))),
        }
    }
}

impl Subscription {
    /// Why it opens nothing at `now`.
    fn closed(&self, now: Timestamp) -> Option<Reason> {
        if self.state != State::Active {
            return Some(Reason::Inactive(self.state));
        }
        if self.start.is_some_and(|start| now < start) {
            return Some(Reason::NotStarted);
        }
        self.expiry.is_some_and(|expiry| expiry <= now).then_some(Reason::Expired)
    }
}

fn without_key(demand: &Demand<'_>) -> Result<Access, Denied> {
    if demand.open_product.is_none() && demand.is_subscription_required {
        return Err(Denied::Missing);
    }
    Ok(Access { product: demand.open_product, ..Access::default() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const API: usize = 3;
    const PRODUCT: usize = 5;
    const OPEN: usize = 6;
    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    /// Who stands in the tests' registry, at index 0 to 9. The keys are `a0`, `b0`, `a1`, …
    fn registry() -> Subscriptions {
        let active =
            |scope| Subscription { scope, state: State::Active, start: None, expiry: None };
        let in_state = |state| Subscription { state, ..active(Scope::AllApis) };
        let all = [
            active(Scope::Product(PRODUCT)),
            active(Scope::Api(API)),
            active(Scope::AllApis),
            active(Scope::Product(99)),
            active(Scope::Api(99)),
            in_state(State::Suspended),
            Subscription { start: Some(NOW + Duration::from_micros(1)), ..active(Scope::AllApis) },
            Subscription { expiry: Some(NOW), ..active(Scope::AllApis) },
            Subscription { start: Some(NOW), ..active(Scope::AllApis) },
            active(Scope::Product(OPEN)),
        ];
        let mut registry = Subscriptions::new([7; 32]);
        for (at, subscription) in all.into_iter().enumerate() {
            let (first, second) = (format!("a{at}"), format!("b{at}"));
            let keys = [Some(first.as_bytes()), Some(second.as_bytes())];
            registry.insert(subscription, keys).unwrap();
        }
        registry
    }

    const CLOSED: Demand<'static> = Demand {
        api: API,
        is_subscription_required: true,
        products: &[PRODUCT],
        open_product: None,
    };
    const FREE: Demand<'static> = Demand { is_subscription_required: false, ..CLOSED };
    const IN_OPEN: Demand<'static> =
        Demand { products: &[PRODUCT, OPEN], open_product: Some(OPEN), ..CLOSED };

    fn decided(demand: &Demand<'_>, key: &str) -> Result<(Option<usize>, Option<usize>), Denied> {
        let query = Some(key).filter(|key| !key.is_empty());
        let names = key::KeyNames::default();
        let headers = http::HeaderMap::new();
        let presented = names.presented(&headers, query.map(Into::into));
        let access = registry().decide(demand, &presented, NOW)?;
        assert_eq!(access.slot.is_some(), access.subscription.is_some());
        Ok((access.subscription, access.product))
    }

    fn invalid(reason: Reason, subscription: usize) -> Denied {
        Denied::Invalid { reason, subscription: Some(subscription) }
    }

    #[test]
    fn a_product_key_opens_its_apis_and_brings_the_product() {
        assert_eq!(decided(&CLOSED, "a0"), Ok((Some(0), Some(PRODUCT))));
        assert_eq!(decided(&CLOSED, "b0"), Ok((Some(0), Some(PRODUCT))));
        assert_eq!(decided(&IN_OPEN, "a0"), Ok((Some(0), Some(PRODUCT))));
        assert_eq!(decided(&IN_OPEN, "a9"), Ok((Some(9), Some(OPEN))));
    }

    #[test]
    fn keys_of_an_api_and_of_all_apis_bring_no_product() {
        for demand in [CLOSED, FREE, IN_OPEN] {
            assert_eq!(decided(&demand, "a1"), Ok((Some(1), None)));
            assert_eq!(decided(&demand, "b2"), Ok((Some(2), None)));
        }
    }

    #[test]
    fn only_an_active_subscription_opens_anything() {
        for demand in [CLOSED, FREE, IN_OPEN] {
            let suspended = invalid(Reason::Inactive(State::Suspended), 5);
            assert_eq!(decided(&demand, "a5"), Err(suspended));
            assert_eq!(decided(&demand, "a6"), Err(invalid(Reason::NotStarted, 6)));
            assert_eq!(decided(&demand, "a7"), Err(invalid(Reason::Expired, 7)));
            assert_eq!(decided(&demand, "a8"), Ok((Some(8), None)));
        }
        let text = invalid(Reason::Inactive(State::Suspended), 5).to_string();
        assert_eq!(
            text,
            "the subscription key does not open the API: the subscription is suspended"
        );
    }

    #[test]
    fn a_key_that_is_nobodys_is_refused_even_where_none_is_needed() {
        let unknown = Denied::Invalid { reason: Reason::Unknown, subscription: None };
        for demand in [CLOSED, FREE, IN_OPEN] {
            assert_eq!(decided(&demand, "a77"), Err(unknown));
        }
    }

    #[test]
    fn a_foreign_key_does_not_keep_out_of_an_open_product() {
        for (key, at) in [("a3", 3), ("a4", 4)] {
            assert_eq!(decided(&CLOSED, key), Err(invalid(Reason::OtherScope, at)));
            assert_eq!(decided(&FREE, key), Err(invalid(Reason::OtherScope, at)));
            assert_eq!(decided(&IN_OPEN, key), Ok((None, Some(OPEN))));
        }
    }

    #[test]
    fn without_a_key_an_open_product_comes_before_a_free_api() {
        assert_eq!(decided(&IN_OPEN, ""), Ok((None, Some(OPEN))));
        let both = Demand { is_subscription_required: false, ..IN_OPEN };
        assert_eq!(decided(&both, ""), Ok((None, Some(OPEN))));
        assert_eq!(decided(&FREE, ""), Ok((None, None)));
        assert_eq!(decided(&CLOSED, ""), Err(Denied::Missing));
    }
}
