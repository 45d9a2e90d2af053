//! One token, kept new: got when it is first wanted, again when a quarter of its life is left, and
//! again and again while that fails. The one before is good until its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::ask::Asker;
use crate::policy::identity::asked::{Answer, Asked, Token, Ungot};
use crate::rpc::jitter;
use crate::time::{Clock, SystemClock, Timestamp};

/// The longest pause after the first failure, and after many.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(1);
/// The shortest pause after a success, however short the life of a token is.
const PAUSE_MIN: Duration = Duration::from_secs(5);
/// Of how many parts of the life of a token the last one is left when a new one is got.
const LAST_PART: u32 = 4;
/// How long a request waits for a token that is being got.
const WAIT_MAX: Duration = Duration::from_secs(12);

/// One token, kept new while it is [kept](Self::keep).
#[derive(Debug)]
pub(super) struct Supply {
    asked: Asked,
    /// When somebody wanted it last, in microseconds.
    wanted_at: AtomicU64,
    state: Mutex<State>,
    /// That somebody waits for it.
    wanted: Notify,
    /// How often it was asked for, whatever came of it.
    tries: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Held>,
    /// Why there is no newer one.
    trouble: Option<Ungot>,
    got: u64,
    failures: u64,
}

#[derive(Debug)]
struct Held {
    token: Token,
    since: Timestamp,
    until: Timestamp,
}

/// How it goes with a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The id of the client, if one is meant.
    pub client: Option<String>,
    /// For which service.
    pub resource: Arc<str>,
    /// From when it is, and until when it is good, if there is one.
    pub life: Option<(Timestamp, Timestamp)>,
    /// How often one was got.
    pub got: u64,
    /// How often none could be got.
    pub failures: u64,
    /// Why no newer one can be got.
    pub trouble: Option<Arc<str>>,
}

impl Supply {
    pub(super) fn new(asked: Asked, now: Timestamp) -> Self {
        Self {
            asked,
            wanted_at: AtomicU64::new(now.micros()),
            state: Mutex::default(),
            wanted: Notify::new(),
            tries: watch::Sender::new(0),
        }
    }

    /// The token, or why there is none; nothing where that is not known yet.
    pub(super) fn answer(&self, now: Timestamp) -> Option<Answer> {
        self.wanted_at.store(now.micros(), Ordering::Relaxed);
        self.lock().answer(now)
    }

    /// The same; what is not known yet is waited for, but not for long.
    pub(super) async fn obtain(&self, now: Timestamp) -> Answer {
        let mut tries = self.tries.subscribe();
        let known = async {
            loop {
                tries.borrow_and_update();
                if let Some(answer) = self.answer(now) {
                    return answer;
                }
                self.wanted.notify_one();
                if tries.changed().await.is_err() {
                    return Err(late());
                }
            }
        };
        timeout(WAIT_MAX, known).await.unwrap_or_else(|_elapsed| Err(late()))
    }

    /// When somebody wanted it last.
    pub(super) fn wanted_at(&self) -> Timestamp {
        Timestamp::from_micros(self.wanted_at.load(Ordering::Relaxed))
    }

    /// Whether there is a token that is good.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.lock().good(now).is_some()
    }

    /// Gets it, again and again, for ever.
    pub(super) async fn keep(&self, asker: &Arc<Asker>, clock: &SystemClock) {
        let mut longest = RETRY_MIN;
        loop {
            let began = clock.now();
            let pause = match asker.get(&self.asked, began).await {
                Ok((token, life)) => {
                    longest = RETRY_MIN;
                    // From before it was asked for: it may have been made at once.
                    self.take(Held { token, since: began, until: began + life });
                    pause(life)
                }
                Err(ungot) => {
                    self.fail(ungot);
                    let pause = jitter(longest);
                    longest = longest.saturating_mul(2).min(RETRY_MAX);
                    pause
                }
            };
            self.tries.send_modify(|tries| *tries = tries.wrapping_add(1));
            self.rest(clock.now() + pause, clock).await;
        }
    }

    /// Waits until `end`, or until somebody wants a token and nobody knows why there is none: where
    /// one has ended earlier than it was to be replaced.
    async fn rest(&self, end: Timestamp, clock: &SystemClock) {
        loop {
            tokio::select! {
                () = sleep(end.since(clock.now())) => return,
                () = self.wanted.notified() => {
                    if self.lock().answer(clock.now()).is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Tells those who wait that nobody will get it: there are too many.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        if state.token.is_none() && state.trouble.is_none() {
            let message =
                Arc::from("tokens are asked for, for more services at a time than are kept");
            state.trouble = Some(Ungot { reason: Ungot::REFUSED, message });
        }
        drop(state);
        self.tries.send_modify(|tries| *tries = tries.wrapping_add(1));
    }

    fn take(&self, held: Held) {
        let mut state = self.lock();
        state.got = state.got.saturating_add(1);
        let had_none = state.trouble.take().is_some();
        state.token = Some(held);
        drop(state);
        if had_none {
            tracing::info!(what = %self.asked, "the gateway gets tokens again");
        }
    }

    fn fail(&self, ungot: Ungot) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let is_new = state.trouble.as_ref() != Some(&ungot);
        let reason = Arc::clone(&ungot.message);
        state.trouble = Some(ungot);
        drop(state);
        if is_new {
            // The same again says nothing new, and would be repeated for as long as it lasts.
            tracing::warn!(what = %self.asked, reason = &*reason, "the gateway gets no token");
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.lock();
        Standing {
            client: self.asked.who.client_id().map(str::to_owned),
            resource: Arc::clone(&self.asked.resource),
            life: state.token.as_ref().map(|held| (held.since, held.until)),
            got: state.got,
            failures: state.failures,
            trouble: state.trouble.as_ref().map(|ungot| Arc::clone(&ungot.message)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn good(&self, now: Timestamp) -> Option<&Token> {
        self.token.as_ref().filter(|held| now < held.until).map(|held| &held.token)
    }

    fn answer(&self, now: Timestamp) -> Option<Answer> {
        match self.good(now) {
            Some(token) => Some(Ok(token.clone())),
            None => self.trouble.clone().map(Err),
        }
    }
}

fn late() -> Ungot {
    let message = format!("there is no token within {WAIT_MAX:?}");
    Ungot { reason: Ungot::REFUSED, message: Arc::from(message) }
}

/// How long to wait before the next token, of one that lives so long: any time about the beginning
/// of its last part.
fn pause(life: Duration) -> Duration {
    let last = life.checked_div(LAST_PART).unwrap_or_default();
    let spread = last.checked_div(LAST_PART).unwrap_or_default();
    life.saturating_sub(last).saturating_sub(jitter(spread)).max(PAUSE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::principal::Principals;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn supply() -> Supply {
        let who = Arc::new(Principals::default().who(None));
        Supply::new(Asked { who, resource: Arc::from("https://a.example") }, NOW)
    }

    fn held(text: &str, seconds: u64) -> Held {
        Held { token: Token::plain(text), since: NOW, until: NOW + Duration::from_secs(seconds) }
    }

    fn refused() -> Ungot {
        Ungot { reason: Ungot::REFUSED, message: Arc::from("away") }
    }

    #[test]
    fn a_failure_keeps_the_token_until_it_ends() {
        let supply = supply();
        assert_eq!(supply.answer(NOW), None);
        supply.fail(refused());
        assert_eq!(supply.answer(NOW), Some(Err(refused())));
        supply.take(held("a", 60));
        supply.fail(refused());
        let last = NOW + Duration::from_micros(59_999_999);
        assert_eq!(supply.answer(last), Some(Ok(Token::plain("a"))));
        assert_eq!(supply.answer(NOW + Duration::from_mins(1)), Some(Err(refused())));
        supply.take(held("b", 120));
        assert_eq!(supply.answer(NOW + Duration::from_secs(61)), Some(Ok(Token::plain("b"))));
        // Ended without a failure: it is asked for again.
        assert_eq!(supply.answer(NOW + Duration::from_secs(121)), None);
        let standing = supply.standing();
        assert_eq!((standing.got, standing.failures, standing.trouble), (2, 2, None));
        assert!(!format!("{supply:?}").contains("\"b\""));
    }

    #[test]
    fn a_new_token_is_got_while_the_one_before_is_good() {
        for seconds in [0, 10, 60, 3_600, 86_400] {
            let life = Duration::from_secs(seconds);
            let pause = pause(life);
            let in_time = life * 2 / 3 < pause && pause <= life * 3 / 4;
            assert!(pause == PAUSE_MIN || in_time, "{pause:?}");
        }
    }
}
