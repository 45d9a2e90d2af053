//! How others ask a publisher, and what they may want.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::{mpsc, oneshot, watch};

use super::Standing;
use crate::telemetry::audit::Who;

/// How many requests of operators may wait.
const WAITING_MAX: usize = 16;

/// How somebody wants the folder to be published.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Whether all replicas of a cluster are to serve it at once.
    pub now: bool,
    /// Whether it is meant, whatever it takes away and whoever went back from it.
    pub force: bool,
    /// Why.
    pub reason: String,
    /// The first digits of the digest of what is meant; whatever is held back if that is not said.
    pub digest: Option<String>,
}

/// How others ask a publisher.
#[derive(Clone, Debug)]
pub struct Handle {
    wishes: Ear,
    standing: watch::Receiver<Standing>,
}

/// Who hears what is asked.
#[derive(Clone, Debug)]
enum Ear {
    /// A thread that publishes by itself.
    Thread(SyncSender<Wish>),
    /// A task, where several control planes publish together.
    Task(mpsc::Sender<Wish>),
}

/// What the publisher is to do.
#[derive(Debug)]
pub(in crate::control) enum Wish {
    Look,
    GoBack { to: Option<u64>, who: Who, answer: oneshot::Sender<Result<(u64, u64), String>> },
    Publish { ask: Ask, who: Who, answer: oneshot::Sender<Result<u64, String>> },
    Stop,
}

impl Ask {
    /// Whether the configuration with this digest is to be published whatever it takes away.
    pub(in crate::control) fn means(&self, digest: &str) -> bool {
        self.force && self.digest.as_ref().is_none_or(|said| digest.starts_with(said.as_str()))
    }
}

impl Wish {
    /// Whether whoever asked has gone before its turn came: what they were told is that it was not
    /// done, so it is not.
    pub(in crate::control) fn is_given_up(&self) -> bool {
        let is_given_up = match self {
            Self::GoBack { answer, .. } => answer.is_closed(),
            Self::Publish { answer, .. } => answer.is_closed(),
            Self::Look | Self::Stop => false,
        };
        if is_given_up {
            tracing::warn!("what an operator asked for is not done: nobody waits for it any more");
        }
        is_given_up
    }
}

impl Ear {
    /// Says whether it was heard: not if much waits already, or nobody is left to hear.
    fn hear(&self, wish: Wish) -> bool {
        match self {
            Self::Thread(wishes) => wishes.try_send(wish).is_ok(),
            Self::Task(wishes) => wishes.try_send(wish).is_ok(),
        }
    }
}

impl Handle {
    /// A handle to a publisher that has a thread of its own, and where that hears what is asked.
    pub(super) fn of_thread(standing: watch::Receiver<Standing>) -> (Self, Receiver<Wish>) {
        let (give, wishes) = sync_channel(WAITING_MAX);
        (Self { wishes: Ear::Thread(give), standing }, wishes)
    }

    /// A handle to a publisher that is a task, and where that hears what is asked.
    pub(in crate::control) fn of_task(
        standing: watch::Receiver<Standing>,
    ) -> (Self, mpsc::Receiver<Wish>) {
        let (give, wishes) = mpsc::channel(WAITING_MAX);
        (Self { wishes: Ear::Task(give), standing }, wishes)
    }

    /// How publishing is doing.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Asks for a look at the folder at once.
    pub fn look(&self) {
        // Who waits already brings a look, or an end, along.
        let _ = self.wishes.hear(Wish::Look);
    }

    /// Publishes the content of the generation `to`, or of the one before the newest, again.
    /// Returns the number of the new generation, and that of the one whose content it has; or why
    /// not, for operators.
    pub async fn go_back(&self, to: Option<u64>, who: Who) -> Result<(u64, u64), String> {
        let (answer, answered) = oneshot::channel();
        if self.wishes.hear(Wish::GoBack { to, who, answer }) {
            answered.await.unwrap_or_else(|_gone| Err(busy()))
        } else {
            Err(busy())
        }
    }

    /// Publishes what the folder has now, as `ask` says: the number of that generation, or why
    /// not, for operators.
    pub async fn publish(&self, ask: Ask, who: Who) -> Result<u64, String> {
        let (answer, answered) = oneshot::channel();
        if self.wishes.hear(Wish::Publish { ask, who, answer }) {
            answered.await.unwrap_or_else(|_gone| Err(busy()))
        } else {
            Err(busy())
        }
    }

    /// Ends the thread.
    pub fn stop(&self) {
        // It may have ended; if much waits, what waits ends with the last handle.
        let _ = self.wishes.hear(Wish::Stop);
    }
}

fn busy() -> String {
    "the control plane is busy or stopping: try again".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_given_up() {
        let (_standing, follow) = watch::channel(Standing::default());
        let (handle, mut wishes) = Handle::of_task(follow);
        let who = || Who { peer: None, agent: "curl".to_owned(), operator: "ops".to_owned() };
        let asked = handle.go_back(None, who());
        assert!(tokio::time::timeout(std::time::Duration::ZERO, asked).await.is_err());
        assert!(wishes.recv().await.unwrap().is_given_up());
        let heard = async {
            let wish = wishes.recv().await.unwrap();
            assert!(!wish.is_given_up());
        };
        let (published, ()) = tokio::join!(handle.publish(Ask::default(), who()), heard);
        assert!(published.unwrap_err().contains("try again"));
    }
}
