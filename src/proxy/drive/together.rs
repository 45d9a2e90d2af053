//! What several children of a `wait` ask for, done at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::exchange::trail::{Asker, Trail};
use crate::policy::machine::{Effect, Event};
use crate::proxy::{Gateway, Run, bearer, drive};
use crate::time::{Clock, Timestamp};

/// Something that is being done for the child of that number.
type UnderWay<'a> = (usize, Pin<Box<dyn Future<Output = Event> + Send + 'a>>);

/// Does what is asked for, and all that is asked for then, until the machine wants something else:
/// what is still under way by then is given up.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is ends them")]
pub(super) async fn together(
    gateway: &Gateway,
    run: &mut Run,
    mut begin: Vec<(usize, Effect)>,
) -> Effect {
    let mut under_way: Vec<UnderWay<'_>> = Vec::new();
    loop {
        let now = run.exchange.now;
        for (index, effect) in begin {
            let caller = asker(&effect, &mut run.exchange.trail, now);
            under_way.push((index, Box::pin(one(gateway, effect, caller, now))));
        }
        if under_way.is_empty() {
            // Who waits for nothing has no more to say; the machine never does.
            return Effect::Deliver;
        }
        let (index, event) = first(&mut under_way).await;
        run.exchange.now = gateway.clock.now();
        let event = Event::Of(index, Box::new(event));
        match run.machine.resume(event, &mut run.exchange) {
            Effect::Together(more) => begin = more,
            other => return other,
        }
    }
}

/// Where a call stands in the trace.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is a call")]
fn asker(effect: &Effect, trail: &mut Trail, now: Timestamp) -> Option<Asker> {
    match effect {
        Effect::Call(outgoing) => trail.asker(&outgoing.method, &outgoing.url.base, now),
        Effect::Tell(_) => trail.teller(),
        _ => None,
    }
}

/// What is done first.
async fn first(under_way: &mut Vec<UnderWay<'_>>) -> (usize, Event) {
    poll_fn(|context| {
        for at in 0..under_way.len() {
            let Some((_index, doing)) = under_way.get_mut(at) else { continue };
            if let Poll::Ready(event) = doing.as_mut().poll(context) {
                let (index, _done) = under_way.swap_remove(at);
                return Poll::Ready((index, event));
            }
        }
        Poll::Pending
    })
    .await
}

async fn one(gateway: &Gateway, effect: Effect, caller: Option<Asker>, now: Timestamp) -> Event {
    match effect {
        Effect::Call(outgoing) => drive::call(gateway, &outgoing, caller, now).await,
        Effect::Tell(outgoing) => drive::tell(gateway, outgoing, caller, now),
        Effect::LookupValue(key) => Event::CachedValue(gateway.values.get(&key, now)),
        Effect::StoreValue(key, value, ttl) => drive::store_value(gateway, key, value, ttl, now),
        Effect::RemoveValue(key) => drive::remove_value(gateway, &key),
        Effect::WantValue(wanted) => drive::want(gateway, wanted, now).await,
        Effect::KeepValue(made) => drive::keep_made(gateway, *made, now),
        Effect::Authenticate(asked) => drive::authenticate(gateway, &asked, now).await,
        Effect::Obtain(asked) => Event::Obtained(bearer::obtain(gateway, &asked, now).await),
        Effect::Emit(event) => drive::emit(gateway, *event, now),
        Effect::Sleep(span) => pause(span).await,
        Effect::Again(span) => {
            pause(span).await;
            Event::Again(true)
        }
        // Nothing else may stand in a `wait`.
        Effect::Fetch(_)
        | Effect::Charge(_)
        | Effect::Add(_)
        | Effect::Refund(..)
        | Effect::Enter { .. }
        | Effect::LookupResponse(_)
        | Effect::StoreResponse(..)
        | Effect::Together(_)
        | Effect::Measure
        | Effect::Forward(_)
        | Effect::Deliver => Event::Done,
    }
}

async fn pause(span: Duration) -> Event {
    tokio::time::sleep(span).await;
    Event::Done
}
