//! Whether replicas share one configuration, and over which etcd.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::app::configuring::named;
use crate::app::fetching::roots;
use crate::app::vault::folder;
use crate::app::{StartError, random_number, shared, shelf};
use crate::configuration::cluster::calls::Calls;
use crate::configuration::cluster::pace::Pace;
use crate::configuration::cluster::publication::KEPT_MIN;
use crate::configuration::cluster::source::{Source, Watched};
use crate::configuration::cluster::store::{Condition, Listing, Store, Unreachable, Value, Write};
use crate::configuration::cluster::stream::Streamed;
use crate::configuration::cluster::wish::Desk;
use crate::configuration::cluster::{Cluster, Dice, Standing, Terms};
use crate::configuration::offer::Status;
use crate::configuration::refresh::Refresh;
use crate::configuration::remote::Remote;
use crate::configuration::source::Environment;
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
/// For how many leases a leader may be without a stream to the control plane, before it makes room for
/// a replica that reaches it: half a minute by default. By then it has tried some six times, and a
/// control plane that was restarted is back; a leader that is lost altogether is replaced after one.
const CUT_OFF_LEASES: u32 = 3;
/// The shortest and the longest pause before etcd is tried again: however long it was away, all
/// have found it and serve the same within ten seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// What the keys of gateways in etcd have in common, after what all keys of Weir have.
const OF_GATEWAYS: &str = "configuration/";
/// What those of control planes have.
const OF_CONTROL_PLANES: &str = "control/";
/// How many former generations control planes keep.
const CONTROL_KEPT: u64 = 10;

/// Who shares a configuration, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// What their keys have in common.
    part: &'static str,
    /// See [`Terms::hold`].
    hold: Duration,
    /// See [`Terms::kept`].
    kept: u64,
    /// See [`Terms::only_sound`].
    only_sound: bool,
}

/// What the cluster is made of.
pub(super) struct Parts {
    /// Where configurations come from.
    pub(super) source: Arc<dyn Source>,
    /// Who makes them run.
    pub(super) status: Arc<Status>,
    /// What time it is.
    pub(super) clock: Arc<SystemClock>,
    /// The name of this replica.
    pub(super) replica: String,
    /// For pauses that differ between replicas.
    pub(super) seed: u64,
    /// Who shares it.
    pub(super) manner: Manner,
}

impl Manner {
    /// Gateways.
    pub(super) const fn of_gateways(settings: &Settings) -> Self {
        Self {
            part: OF_GATEWAYS,
            hold: settings.cluster.rollout_hold,
            kept: KEPT_MIN,
            only_sound: true,
        }
    }

    /// Control planes: what they show is tried by gateways, so that it is for all of them at once.
    pub(super) const fn of_control_planes() -> Self {
        Self {
            part: OF_CONTROL_PLANES,
            hold: Duration::ZERO,
            kept: CONTROL_KEPT,
            only_sound: false,
        }
    }
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
            folder: folder(settings, &clock, Arc::new(roots(&environment))),
            environment,
            name: named(settings),
            making,
            status,
            interval: settings.configuration.poll_interval,
            loader,
            known: Arc::default(),
        }),
    };
    let parts = Parts {
        source,
        status: Arc::clone(&refresh.status),
        clock: Arc::clone(&refresh.clock),
        replica: shared::name(&settings.replica)?,
        seed: random_number()?,
        manner: Manner::of_gateways(settings),
    };
    Ok((Some(Arc::new(of(settings, parts)?)), None))
}

/// The cluster over the etcd that `settings` name.
pub(super) fn of(settings: &Settings, parts: Parts) -> Result<Cluster, StartError> {
    let etcd = shelf::etcd(&settings.etcd)?;
    let Parts { source, status, clock, replica, seed, manner } = parts;
    let calls = Arc::<Calls>::default();
    let terms = Terms {
        lease: settings.cluster.lease,
        look_again: LOOK_AGAIN,
        look: LOOK,
        hold: manner.hold,
        patience: PATIENCE,
        cut_off: settings.cluster.lease.saturating_mul(CUT_OFF_LEASES),
        pause: PAUSE,
        kept: manner.kept,
        only_sound: manner.only_sound,
    };
    Ok(Cluster {
        store: Arc::new(InEtcd {
            etcd,
            part: manner.part,
            clock: Arc::clone(&clock),
            calls: Arc::clone(&calls),
        }),
        source,
        status,
        clock: Arc::new(Steady(clock)),
        replica,
        terms,
        standing: watch::Sender::new(Standing::default()),
        dice: Dice::new(seed),
        calls,
        desk: Desk::default(),
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
struct InEtcd {
    etcd: Etcd,
    part: &'static str,
    clock: Arc<SystemClock>,
    calls: Arc<Calls>,
}

impl InEtcd {
    /// What `call` comes to, timed.
    async fn timed<T>(
        &self,
        call: impl Future<Output = Result<T, Failed>> + Send,
    ) -> Result<T, Unreachable> {
        let begun = self.clock.now();
        let done = call.await;
        self.calls.note(self.clock.now().since(begun), done.is_ok());
        done.map_err(|failed| Unreachable(failed.to_string()))
    }

    fn key(&self, key: &str) -> String {
        format!("{}{}{key}", self.etcd.prefix(), self.part)
    }

    fn value(&self, kept: Kept) -> Value {
        let Kept { key, bytes, created, changed } = kept;
        let own = key.strip_prefix(self.etcd.prefix());
        let own = own.and_then(|key| key.strip_prefix(self.part));
        let key = own.map_or_else(|| key.clone(), ToOwned::to_owned);
        Value { key, bytes, created, changed }
    }
}

#[async_trait]
impl Store for InEtcd {
    async fn get(&self, key: &str) -> Result<(Option<Value>, i64), Unreachable> {
        let (kept, revision) = self.timed(self.etcd.find(&self.key(key))).await?;
        Ok((kept.map(|kept| self.value(kept)), revision))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, Unreachable> {
        let (kept, revision) = self.timed(self.etcd.list(&self.key(prefix))).await?;
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
        self.timed(self.etcd.commit(&when, &what)).await
    }

    async fn grant(&self, lasts: Duration) -> Result<i64, Unreachable> {
        self.timed(self.etcd.grant(lasts)).await
    }

    async fn keep(&self, lease: i64) -> Result<Option<Duration>, Unreachable> {
        self.timed(self.etcd.keep(lease)).await
    }

    async fn revoke(&self, lease: i64) -> Result<(), Unreachable> {
        self.timed(self.etcd.revoke(lease)).await
    }

    async fn changed(&self, prefix: &str, after: i64) -> Result<(), Unreachable> {
        let changed = self.etcd.changed(&self.key(prefix), after).await;
        changed.map_err(|failed| Unreachable(failed.to_string()))
    }
}
