//! The store and time, as one replica reaches them.

use std::fmt;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::{Answer, PATIENCE, Question, Shared, Task};
use crate::configuration::cluster::pace::Pace;
use crate::configuration::cluster::store::{Condition, Listing, Store, Unreachable, Value, Write};
use crate::time::{Clock, Timestamp};

/// The store, as one replica reaches it.
pub(in super::super) struct Reached {
    pub(in super::super) world: Shared,
    pub(in super::super) replica: usize,
}

impl fmt::Debug for Reached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reached").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl Clock for Reached {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.world.lock().now * 1_000)
    }
}

#[async_trait]
impl Pace for Reached {
    async fn sleep(&self, span: Duration) {
        let until = {
            let mut world = self.world.lock();
            let until = world.now + u64::try_from(span.as_millis()).unwrap().max(1);
            world.timers.insert((until, self.replica));
            until
        };
        std::future::poll_fn(|_context| {
            if self.world.lock().now < until { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Reached {
    async fn ask(&self, question: Question) -> Result<Answer, Unreachable> {
        let (number, back) = {
            let mut world = self.world.lock();
            world.tasks += 1;
            let (number, now, is_stormy) = (world.tasks, world.now, world.is_stormy);
            let is_cut = world.cut.get(&self.replica).is_some_and(|until| now < *until);
            let fate = if is_stormy { world.below(40) } else { 39 };
            // Lost, carried out much too late, or on time.
            let arrives = match fate {
                0 => None,
                1 => Some(now + 1_000 + world.below(9_000)),
                2..=9 => Some(now + world.below(900)),
                _ => Some(now + 1 + world.below(5)),
            };
            if let Some(at) = arrives.filter(|_| !is_cut) {
                let asker = self.replica;
                let knew = world.listed.get(&asker).cloned().unwrap_or_default();
                world.travelling.push((at, Task { number, asker, question, knew }));
            }
            let is_answer_lost = is_stormy && world.below(40) == 0;
            (number, (!is_answer_lost).then(|| world.below(5)))
        };
        let answered = std::future::poll_fn(|_context| {
            self.world.lock().answers.remove(&number).map_or(Poll::Pending, Poll::Ready)
        });
        let given_up = pin!(self.sleep(Duration::from_millis(PATIENCE)));
        let answer = tokio::select! {
            biased;
            answer = answered => Some(answer),
            () = given_up => None,
        };
        match (answer, back) {
            (Some(answer), Some(delay)) => {
                self.sleep(Duration::from_millis(delay)).await;
                Ok(answer)
            }
            _ => Err(Unreachable("no answer".to_owned())),
        }
    }
}

#[async_trait]
impl Store for Reached {
    async fn get(&self, key: &str) -> Result<(Option<Value>, i64), Unreachable> {
        let Answer::Values(mut values, revision) = self.ask(Question::Get(key.to_owned())).await?
        else {
            unlike()
        };
        Ok((values.pop(), revision))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, Unreachable> {
        let Answer::Values(values, revision) = self.ask(Question::List(prefix.to_owned())).await?
        else {
            unlike()
        };
        Ok(Listing { values, revision })
    }

    async fn commit(&self, when: &[Condition], writes: &[Write]) -> Result<bool, Unreachable> {
        let question = Question::Commit(when.to_vec(), writes.to_vec());
        let mut asked = self.ask(question.clone()).await;
        if asked.is_err() {
            // As a client does: again, without knowing what became of the first try.
            asked = self.ask(question).await;
        }
        let Answer::Yes(is_done) = asked? else { unlike() };
        Ok(is_done)
    }

    async fn grant(&self, lasts: Duration) -> Result<i64, Unreachable> {
        let lasts = u64::try_from(lasts.as_millis()).unwrap();
        let Answer::Lease(lease) = self.ask(Question::Grant(lasts)).await? else { unlike() };
        Ok(lease)
    }

    async fn keep(&self, lease: i64) -> Result<Option<Duration>, Unreachable> {
        let Answer::Lasts(lasts) = self.ask(Question::Keep(lease)).await? else { unlike() };
        Ok(lasts.map(Duration::from_millis))
    }

    async fn revoke(&self, lease: i64) -> Result<(), Unreachable> {
        self.ask(Question::Revoke(lease)).await.map(|_answer| ())
    }

    async fn changed(&self, prefix: &str, after: i64) -> Result<(), Unreachable> {
        let is_lost = {
            let mut world = self.world.lock();
            world.is_stormy && world.below(10) == 0
        };
        std::future::poll_fn(|_context| {
            let world = self.world.lock();
            let is_cut = world.cut.get(&self.replica).is_some_and(|until| world.now < *until);
            let mut keys = world.values.iter().filter(|(key, _)| key.starts_with(prefix));
            let is_there = keys.any(|(_, lying)| after < lying.changed);
            let is_gone = after < world.revision && !world.values.contains_key(prefix);
            if !is_lost && !is_cut && (is_there || is_gone) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

/// An answer to something else.
fn unlike() -> ! {
    panic!("the answer is to another question")
}
