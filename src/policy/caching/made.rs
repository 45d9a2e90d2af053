//! `cache-value`: a value that is made where the cache does not have it, by one request for all.
//!
//! The policies in `value` run where nothing is kept, and again where what is kept is older than
//! `refresh-after`; what they leave in the variable is kept for `expires-after`, and both are
//! evaluated after them, so that they may depend on what was made. The variable is not set when
//! they begin.
//!
//! Of the requests of one replica that want the same value, one makes it. Where nothing is kept, the
//! others wait for it ([`WAIT_MAX`] at most); where something old is kept, they go on with that.
//! Should whoever makes it go away, another one begins anew. Each replica has its own cache, so that
//! each makes its own. What is kept stands under the key of `cache-lookup-value`, and
//! `cache-remove-value` forgets it.
//!
//! Where the policies in `value` fail, or leave the variable unset, what is kept counts for the
//! request even if it is old, then `default-value`, which is not kept; without either the request
//! fails as they did, and those that waited fail too (`CachedValueFailed`).

use std::sync::Arc;
use std::time::Duration;

use super::values::named;
use super::{caching_type, kept};
use crate::exchange::Exchange;
use crate::exchange::cached::CacheKey;
use crate::exchange::flight::Flight;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds};
use crate::policy::program::{Action, Needs};

/// How long a value is kept that does not say when it ends, if nothing else needs the room.
const KEPT_MAX: Duration = Duration::from_hours(365 * 24);
/// How long a request waits for another one that makes the value.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// `cache-value`.
#[derive(Clone, Debug)]
pub struct CacheValue {
    key: Operand<Arc<str>>,
    variable: Arc<str>,
    expires: Option<Operand<Seconds>>,
    refresh: Option<Operand<Seconds>>,
    default: Option<Operand<Value>>,
}

/// A value that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its key.
    pub key: CacheKey,
    /// The key of the mark that stands for as long as it is fresh; none if it is until it ends.
    pub fresh: Option<CacheKey>,
    /// Whether another request that makes it may be waited for. Who is making a value already waits
    /// for nobody: else two could wait for each other, and one for itself.
    pub waits: bool,
}

/// What came of the wish for a value.
#[derive(Debug)]
pub enum Found {
    /// It is there.
    There(Value),
    /// Whoever asked makes it.
    Yours {
        /// What it is called.
        wanted: Wanted,
        /// Who waits for it.
        flight: Flight,
        /// An old one, if there is one.
        old: Option<Value>,
    },
    /// Somebody else could not make it.
    Failed,
}

/// A value that was made.
#[derive(Debug)]
pub struct Made {
    /// What it is called.
    pub wanted: Wanted,
    /// What.
    pub value: Value,
    /// How long it is kept.
    pub expires: Duration,
    /// For how long it is fresh, if that is not as long.
    pub refresh: Option<Duration>,
    /// Who waits for it.
    pub flight: Flight,
}

pub(in crate::policy) fn cache_value(builder: &mut Builder<'_>, element: &Element) {
    caching_type(builder, element);
    let key = builder.attribute(element, "key");
    let variable = builder.literal(element, "variable-name");
    let expires = builder.attribute::<Seconds>(element, "expires-after");
    let refresh = builder.attribute::<Seconds>(element, "refresh-after");
    if let (Some(Seconds(expires)), Some(Seconds(refresh))) =
        (expires.as_ref().and_then(Operand::constant), refresh.as_ref().and_then(Operand::constant))
        && expires <= refresh
    {
        let message = "`refresh-after` is not less than `expires-after`";
        builder.fault(element, message, "let it be refreshed before it ends");
    }
    let default = builder.attribute(element, "default-value");
    let mut bodies = element.elements().filter(|child| child.name.as_ref() == "value");
    let (body, second) = (bodies.next(), bodies.next());
    if let Some(second) = second {
        builder.fault(second, "`value` stands here a second time", "put both into one");
    }
    let Some(body) = body else {
        let message = "`cache-value` has no `value`";
        builder.fault(element, message, "add <value>…</value> with the policies that make it");
        return;
    };
    let (Some(key), Some(variable)) = (key, variable) else {
        builder.branch(body, 1);
        return;
    };
    let needs = builder.needs();
    let policy = Arc::new(CacheValue { key, variable, expires, refresh, default });
    builder.push_with(element, Action::CacheValueEnter(Arc::clone(&policy)), needs);
    let past = builder.push_with(element, Action::Jump(0), Needs::default());
    let from = builder.here();
    builder.branch(body, 1);
    builder.forbid_among(from, element);
    builder.push_with(element, Action::CacheValueLeave(policy), needs);
    builder.patch(past, Action::Jump(builder.here()));
}

impl CacheValue {
    /// Asks for the value; others that make it are waited for if it `waits`.
    pub(in crate::policy) fn run(
        &self,
        waits: bool,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let key = self.key.get(exchange)?;
        let fresh = self.refresh.as_ref().map(|_| CacheKey::new(["fresh", &*key]));
        Ok(Flow::Ask(Effect::WantValue(Wanted { key: named(&key), fresh, waits })))
    }

    /// Goes on with a value that is there.
    pub(in crate::policy) fn there(
        &self,
        value: &Value,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        exchange.variables.set(&self.variable, kept::copy(value)?);
        Ok(())
    }

    /// Begins to make the value.
    pub(in crate::policy) fn begin(&self, exchange: &mut Exchange) {
        exchange.variables.remove(&self.variable);
    }

    /// Goes on although no value could be made: with the old one, or the default; false if there is
    /// neither.
    pub(in crate::policy) fn without(&self, old: Option<&Value>, exchange: &mut Exchange) -> bool {
        let value = match (old, &self.default) {
            (Some(old), _) => kept::copy(old).ok(),
            (None, Some(default)) => default.get(exchange).ok(),
            (None, None) => None,
        };
        let is_there = value.is_some();
        if let Some(value) = value {
            exchange.variables.set(&self.variable, value);
        }
        is_there
    }

    /// Somebody else could not make it.
    pub(in crate::policy) fn failed_elsewhere(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        if self.without(None, exchange) {
            return Ok(Flow::Next);
        }
        let message = "the request that was to make the value could not".to_owned();
        Err(Failure { reason: "CachedValueFailed", ..Failure::value(message) })
    }

    /// What was made, and how long it counts.
    pub(in crate::policy) fn made(
        &self,
        exchange: &mut Exchange,
    ) -> Result<(Value, Duration, Option<Duration>), Failure> {
        let Some(value) = exchange.variables.get(&self.variable) else {
            let message =
                format!("the policies in `value` did not set the variable `{}`", self.variable);
            return Err(Failure::value(message));
        };
        let value = kept::copy(value)?;
        let expires = match &self.expires {
            Some(expires) => expires.get(exchange)?.0,
            None => KEPT_MAX,
        };
        let refresh = match &self.refresh {
            Some(refresh) => Some(refresh.get(exchange)?.0),
            None => None,
        };
        Ok((value, expires, refresh))
    }
}
