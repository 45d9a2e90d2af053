//! What replicas share over Redis: the key of credentials, and traces.
//!
//! The [`Keeper`] runs in the background; the [`Reader`] is asked by operators. Each opens a connection
//! for what it has to do and closes it: most of the time there is nothing. Where Redis is away, traces
//! and credentials are those of this replica alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::counters::redis::drawer::Drawer;
use crate::counters::redis::settings::Settings;
use crate::counters::redis::trouble::Trouble;
use crate::inspector::credential::Key;
use crate::inspector::kept::{Kept, Summary, TRACES_MAX};
use crate::inspector::{Inspector, TRACE_LIFE};

/// How often it is seen whether replicas have agreed on another key: after somebody has taken away the
/// old one, which ends all credentials, or after Redis has lost it.
const AGREE_EVERY: Duration = Duration::from_secs(30);

/// How soon after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// How long one errand may take.
const ERRAND_MAX: Duration = Duration::from_secs(5);

/// The key of credentials.
const KEY: &str = "inspector:key";

/// The table of the latest traces.
const LIST: &str = "inspector:traces";

/// Reads what other replicas keep.
#[derive(Debug)]
pub struct Reader {
    settings: Settings,
    /// One operator at a time: the others wait, and cost no connection.
    turn: Mutex<()>,
}

/// Tells other replicas in the background.
#[derive(Debug)]
pub struct Keeper {
    inspector: Arc<Inspector>,
    settings: Settings,
    /// What was wrong last, so that it is told once.
    told: Option<Trouble>,
}

impl Reader {
    /// One that reads from the Redis of `settings`.
    pub fn new(settings: Settings) -> Self {
        Self { settings, turn: Mutex::new(()) }
    }

    /// The trace `id`, as JSON, if anybody keeps it.
    pub async fn find(&self, id: &str) -> Result<Option<String>, Trouble> {
        let errand = async {
            let _turn = self.turn.lock().await;
            Drawer::open(&self.settings).await?.get(&name_of(id)).await
        };
        let found = timeout(ERRAND_MAX, errand).await.unwrap_or(Err(Trouble::Silent))?;
        Ok(found.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// The latest traces of all replicas, in no order; some may have ended by now.
    pub async fn latest(&self) -> Result<Vec<Summary>, Trouble> {
        let errand = async {
            let _turn = self.turn.lock().await;
            Drawer::open(&self.settings).await?.filed(LIST).await
        };
        let found = timeout(ERRAND_MAX, errand).await.unwrap_or(Err(Trouble::Silent))?;
        Ok(found.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect())
    }
}

impl Keeper {
    /// One that tells other replicas what `inspector` keeps; none if there is no Redis to share.
    pub fn of(inspector: &Arc<Inspector>) -> Option<Self> {
        let settings = inspector.reader()?.settings.clone();
        Some(Self { inspector: Arc::clone(inspector), settings, told: None })
    }

    /// Keeps at it. Nobody waits for it.
    pub async fn run(mut self) {
        let mut look = interval(AGREE_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let inspector = Arc::clone(&self.inspector);
            tokio::select! {
                () = inspector.outbox.filled() => {
                    let traces = inspector.outbox.take();
                    let done = timeout(ERRAND_MAX, self.put(traces.into())).await;
                    self.tell(done.unwrap_or(Err(Trouble::Silent)));
                }
                _ = look.tick() => {
                    let done = timeout(ERRAND_MAX, self.agree()).await;
                    let done = done.unwrap_or(Err(Trouble::Silent));
                    if done.is_err() {
                        look.reset_after(AGAIN);
                    }
                    self.tell(done);
                }
            }
        }
    }

    async fn agree(&self) -> Result<(), Trouble> {
        let mut drawer = Drawer::open(&self.settings).await?;
        let agreed = drawer.agree(KEY, self.inspector.proposed().expose()).await?;
        self.inspector.agreed(Key::parse(&agreed).ok_or(Trouble::Garbled)?);
        Ok(())
    }

    async fn put(&self, traces: Vec<Arc<Kept>>) -> Result<(), Trouble> {
        let mut drawer = Drawer::open(&self.settings).await?;
        for trace in traces {
            drawer.put(&name_of(&trace.summary.trace_id), &trace.document, TRACE_LIFE).await?;
            let summary = serde_json::to_string(&trace.summary).unwrap_or_default();
            drawer.file(LIST, &summary, (TRACES_MAX, TRACE_LIFE)).await?;
        }
        Ok(())
    }

    /// Says what is wrong, once.
    fn tell(&mut self, done: Result<(), Trouble>) {
        let trouble = done.err();
        if let Some(trouble) =
            trouble.as_ref().filter(|trouble| self.told.as_ref() != Some(trouble))
        {
            tracing::warn!(
                "traces and debug credentials are those of this replica alone: {trouble}"
            );
        }
        self.told = trouble;
    }
}

fn name_of(id: &str) -> String {
    format!("inspector:trace:{id}")
}
