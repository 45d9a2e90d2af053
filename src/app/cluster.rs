//! Whether replicas share one configuration, and over which etcd.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::app::{StartError, named, random_number, shared, shelf};
use crate::configuration::cluster::pace::Pace;
use crate::configuration::cluster::source::{Source, Watched};
use crate::configuration::cluster::store::{Condition, Listing, Store, Unreachable, Value, Write};
use crate::configuration::cluster::stream::Streamed;
use crate::configuration::cluster::{Cluster, Dice, Standing, Terms};
use crate::configuration::offer::Status;
use crate::configuration::refresh::Refresh;
use crate::configuration::remote::Remote;
use crate::configuration::source::{Environment, Folder};
use crate::etcd::cluster::{Do, Kept, When};
use crate::etcd::{Etcd, Failed};
use crate::settings::Settings;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long nobody hears of a change for whom every hint is lost.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// How often the leader looks at how the replicas are doing.
const LOOK: Duration = Duration::from_millis(500);
/// How long canaries have to serve a generation from when they are told to.
const PATIENCE: Duration = Duration::from_mins(1);
/// The shortest and the longest pause before etcd is tried again: however long it was away, all
/// have found it and serve the same within ten seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// What our keys in etcd have in common, after what all keys of Weir have.
const PART: &str = "configuration/";

/// What the cluster is made of.
struct Parts {
    /// Where configurations come from.
    source: Arc<dyn Source>,
    /// Who makes them run.
    status: Arc<Status>,
    /// What time it is.
    clock: Arc<SystemClock>,
    /// The name of this replica.
    replica: String,
    /// For pauses that differ between replicas.
    seed: u64,
}

/// Whether `settings` want replicas to share one configuration.
pub(super) const fn is_wanted(settings: &Settings) -> bool {
    settings.cluster.shares_configuration && !settings.etcd.endpoints.is_empty()
}

/// The cluster that `refresh` is a replica of, if there is one, and the way to the control plane
/// where each replica has its own.
pub(super) fn join(
    settings: &Settings,
    environment: Environment,
    refresh: &Refresh,
    control: Option<Remote>,
) -> Result<(Option<Arc<Cluster>>, Option<Remote>), StartError> {
    if !is_wanted(settings) {
        return Ok((None, control));
    }
    let (making, loader) = (refresh.making.clone(), Arc::clone(&refresh.loader));
    let (status, clock) = (Arc::clone(&refresh.status), Arc::clone(&refresh.clock));
    let source: Arc<dyn Source> = match control {
        Some(remote) => {
            remote.link.send_modify(|link| link.is_elsewhere = true);
            Arc::new(Streamed { remote, making, clock, status, loader })
        }
        None => Arc::new(Watched {
            folder: Folder::at(&settings.configuration.folder),
            environment,
            name: named(settings),
            making,
            status,
            interval: settings.configuration.poll_interval,
            loader,
        }),
    };
    let parts = Parts {
        source,
        status: Arc::clone(&refresh.status),
        clock: Arc::clone(&refresh.clock),
        replica: shared::name(&settings.replica)?,
        seed: random_number()?,
    };
    Ok((Some(Arc::new(of(settings, parts)?)), None))
}

/// The cluster over the etcd that `settings` name.
fn of(settings: &Settings, parts: Parts) -> Result<Cluster, StartError> {
    let etcd = shelf::etcd(&settings.etcd)?;
    let Parts { source, status, clock, replica, seed } = parts;
    let terms = Terms {
        lease: settings.cluster.lease,
        look_again: LOOK_AGAIN,
        look: LOOK,
        hold: settings.cluster.rollout_hold,
        patience: PATIENCE,
        pause: PAUSE,
    };
    Ok(Cluster {
        store: Arc::new(InEtcd(etcd)),
        source,
        status,
        clock: Arc::new(Steady(clock)),
        replica,
        terms,
        standing: watch::Sender::new(Standing::default()),
        dice: Dice::new(seed),
    })
}

/// Time as it passes.
struct Steady(Arc<SystemClock>);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

#[async_trait]
impl Pace for Steady {
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// What replicas share, in etcd.
#[derive(Debug)]
struct InEtcd(Etcd);

impl InEtcd {
    fn key(&self, key: &str) -> String {
        format!("{}{PART}{key}", self.0.prefix())
    }

    fn value(&self, kept: Kept) -> Value {
        let Kept { key, bytes, created, changed } = kept;
        let own = key.strip_prefix(self.0.prefix()).and_then(|key| key.strip_prefix(PART));
        let key = own.map_or_else(|| key.clone(), ToOwned::to_owned);
        Value { key, bytes, created, changed }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unreachable(failed: Failed) -> Unreachable {
    Unreachable(failed.to_string())
}

#[async_trait]
impl Store for InEtcd {
    async fn get(&self, key: &str) -> Result<(Option<Value>, i64), Unreachable> {
        let (kept, revision) = self.0.find(&self.key(key)).await.map_err(unreachable)?;
        Ok((kept.map(|kept| self.value(kept)), revision))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, Unreachable> {
        let (kept, revision) = self.0.list(&self.key(prefix)).await.map_err(unreachable)?;
        let values = kept.into_iter().map(|kept| self.value(kept)).collect();
        Ok(Listing { values, revision })
    }

    async fn commit(&self, when: &[Condition], writes: &[Write]) -> Result<bool, Unreachable> {
        let when = when.iter().map(|condition| match condition {
            Condition::Absent(key) => (self.key(key), When::Created(0)),
            Condition::Created(key, revision) => (self.key(key), When::Created(*revision)),
            Condition::Changed(key, revision) => (self.key(key), When::Changed(*revision)),
        });
        let what = writes.iter().map(|write| match write {
            Write::Put(key, bytes, lease) => (self.key(key), Do::Put(bytes.clone(), *lease)),
            Write::Remove(key) => (self.key(key), Do::Remove),
            Write::RemoveAll(prefix) => (self.key(prefix), Do::RemoveAll),
        });
        let (when, what): (Vec<_>, Vec<_>) = (when.collect(), what.collect());
        self.0.commit(&when, &what).await.map_err(unreachable)
    }

    async fn grant(&self, lasts: Duration) -> Result<i64, Unreachable> {
        self.0.grant(lasts).await.map_err(unreachable)
    }

    async fn keep(&self, lease: i64) -> Result<Option<Duration>, Unreachable> {
        self.0.keep(lease).await.map_err(unreachable)
    }

    async fn revoke(&self, lease: i64) -> Result<(), Unreachable> {
        self.0.revoke(lease).await.map_err(unreachable)
    }

    async fn changed(&self, prefix: &str, after: i64) -> Result<(), Unreachable> {
        self.0.changed(&self.key(prefix), after).await.map_err(unreachable)
    }
}
