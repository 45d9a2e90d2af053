//! Subscription keys: what stands for them, and what policies see of whose they are.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Making, facts};
use crate::configuration::config::{
    self, Config, Group, SubscriptionScope, SubscriptionState, User,
};
use crate::configuration::items::{Items, Piece};
use crate::exchange::facts as seen;
use crate::fault::Fault;
use crate::snapshot::Subscriber;
use crate::subscription::{Digests, Scope, State, Subscription, Subscriptions};

/// The keys of a configuration, and what they were made of.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// What a snapshot has.
    pub(super) known: Arc<Subscriptions>,
    /// What a snapshot has.
    pub(super) subscribers: Arc<[Subscriber]>,
    written: Items<config::Subscription>,
    users: Arc<[User]>,
    groups: Vec<Group>,
    apis: Vec<Arc<str>>,
    secret: [u8; 32],
    /// Of each file, by its number: the subscriptions in it, and what was made of each.
    pieces: HashMap<u32, Made>,
    people: Arc<[Arc<seen::User>]>,
}

/// What was made of the subscriptions of one file.
type Made = (Arc<[config::Subscription]>, Arc<[(Digests, Arc<seen::Subscription>)]>);

impl Keys {
    /// The keys of `config`; what was made of `kept` subscriptions that are the same is not made
    /// again. `scopes` says which number stands for an API.
    pub(super) fn of(
        config: &Config,
        making: &Making,
        scopes: &HashMap<&str, usize>,
        kept: Option<&Self>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let kept = kept.filter(|kept| kept.secret == making.secret);
        let same_people =
            |kept: &&Self| Arc::ptr_eq(&kept.users, &config.users) && kept.groups == config.groups;
        let people = match kept.filter(same_people) {
            Some(kept) => Arc::clone(&kept.people),
            None => (0..config.users.len()).filter_map(|at| facts::user(config, at)).collect(),
        };
        let same_apis = |kept: &&Self| {
            kept.apis.len() == config.apis.len()
                && kept.apis.iter().zip(&config.apis).all(|(kept, api)| *kept == api.id)
        };
        let same = kept.filter(same_people).filter(same_apis);
        if let Some(kept) = same.filter(|kept| kept.written.is_same(&config.subscriptions)) {
            return kept.clone();
        }
        let count = config.subscriptions.len();
        let mut keys = Subscriptions::with_room(making.secret, count);
        let mut subscribers = Vec::with_capacity(count);
        let mut pieces = HashMap::with_capacity(config.subscriptions.pieces().len());
        for piece in config.subscriptions.pieces() {
            let known = kept.and_then(|kept| kept.pieces.get(&piece.file));
            let made = match known.filter(|(items, _made)| Arc::ptr_eq(items, &piece.items)) {
                Some((_items, made)) => Arc::clone(made),
                None => made(piece, &keys, faults),
            };
            for (known, (digests, facts)) in piece.items.iter().zip(made.iter()) {
                match keys.insert_digests(subscription(config, scopes, known), *digests) {
                    Ok(_index) => subscribers.push(Subscriber {
                        facts: Arc::clone(facts),
                        user: known.user.and_then(|user| people.get(user).map(Arc::clone)),
                    }),
                    Err(fault) => faults.push(refused(known, &fault.to_string())),
                }
            }
            pieces.insert(piece.file, (Arc::clone(&piece.items), made));
        }
        Self {
            known: Arc::new(keys),
            subscribers: subscribers.into(),
            written: config.subscriptions.clone(),
            users: Arc::clone(&config.users),
            groups: config.groups.clone(),
            apis: config.apis.iter().map(|api| Arc::clone(&api.id)).collect(),
            secret: making.secret,
            pieces,
            people,
        }
    }
}

fn made(
    piece: &Piece<config::Subscription>,
    keys: &Subscriptions,
    faults: &mut Vec<Fault>,
) -> Arc<[(Digests, Arc<seen::Subscription>)]> {
    let made = piece.items.iter().filter_map(|known| {
        let key = |secret: &Option<config::Secret>| {
            secret.as_ref().map(|secret| secret.expose().as_bytes().to_vec())
        };
        let (primary, secondary) = (key(&known.primary_key), key(&known.secondary_key));
        match keys.digests([primary.as_deref(), secondary.as_deref()]) {
            Ok(digests) => Some((digests, facts::subscription(known))),
            Err(fault) => {
                faults.push(refused(known, &fault.to_string()));
                None
            }
        }
    });
    made.collect()
}

fn refused(known: &config::Subscription, why: &str) -> Fault {
    known.spot.fault(why).mend("give each subscription keys of its own")
}

fn subscription(
    config: &Config,
    scopes: &HashMap<&str, usize>,
    known: &config::Subscription,
) -> Subscription {
    let scope = match &known.scope {
        SubscriptionScope::AllApis => Scope::AllApis,
        SubscriptionScope::Product(product) => Scope::Product(*product),
        SubscriptionScope::Api(revisions) => {
            let api = revisions.first().and_then(|api| config.apis.get(*api));
            let scope = api.and_then(|api| scopes.get(&*api.id));
            Scope::Api(scope.copied().unwrap_or(usize::MAX))
        }
    };
    Subscription {
        scope,
        state: state(known.state),
        // The dates are for the record, as in API Management: the state alone decides.
        start: None,
        expiry: None,
    }
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
