//! What runs where: clients on as many threads as the settings say, everything else beside them on
//! threads of its own.
//!
//! With one thread for clients it is the main one: nothing has to be started before the first
//! request is served, and nothing is woken on another thread for it. What nobody waits for begins
//! once clients are let in.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::admin::Admin;
use crate::app::backends;
use crate::app::drain::{Drain, Signals};
use crate::app::measuring::{self, Measuring, Telling};
use crate::app::sidecar::{Looking, Waiting};
use crate::app::telemetry::Lanes;
use crate::app::{random_number, remote};
use crate::caller::Caller;
use crate::caller::fetch::Fetcher;
use crate::configuration::cluster::Cluster;
use crate::configuration::loader::Loaded;
use crate::configuration::offer::Status;
use crate::configuration::refresh::Refresh;
use crate::configuration::remote::Remote;
use crate::counters::Home;
use crate::counters::redis::settings::Settings;
use crate::counters::shared::Upkeep;
use crate::events::{Events, Obtains, Sender};
use crate::health::Health;
use crate::health::probe::Prober;
use crate::health::sharing::Sharing;
use crate::identity::Identities;
use crate::identity::host::Host;
use crate::identity::kept::Shelf;
use crate::inspector::sharing::Keeper;
use crate::issuer::known::Issuers;
use crate::policy::identity::asked::{Answer, Asked};
use crate::proxy::Gateway;
use crate::proxy::listener::{Listener, Proxied};
use crate::proxy::operators::Desk;
use crate::snapshot::Live;
use crate::telemetry::access_log::AccessLog;
use crate::time::{Clock, SystemClock, Timestamp};

/// All that runs.
pub(super) struct Serving {
    /// How many threads serve clients.
    pub(super) threads: NonZeroUsize,
    /// Serves clients.
    pub(super) clients: Listener<Proxied<Gateway>>,
    /// Holds the idle connections to backends.
    pub(super) caller: Arc<Caller>,
    /// Tells when they have been idle for too long.
    pub(super) clock: Arc<SystemClock>,
    /// Where limits are counted.
    pub(super) counters: Arc<Home>,
    /// Keeps counters going that replicas share.
    pub(super) upkeep: Option<Upkeep>,
    /// Has the keys of issuers fetched.
    pub(super) keys: Keys,
    /// Has events sent.
    pub(super) posting: Posting,
    /// Knows when to stop.
    pub(super) drain: Drain,
    /// What runs beside.
    pub(super) beside: Beside,
}

/// Has the keys of issuers fetched, whose tokens policies believe, and tokens of the gateway's own.
pub(super) struct Keys {
    /// What is fetched, and who asks for it.
    pub(super) issuers: Arc<Issuers>,
    /// Who is named.
    pub(super) live: Arc<Live>,
    /// The tokens that say who the gateway is.
    pub(super) identities: Arc<Identities>,
    pub(super) shelf: Shelf,
    /// Whom the machine says that it is.
    pub(super) host: Host,
    /// How it is fetched.
    pub(super) fetcher: Fetcher,
    /// Waits for Dapr's sidecar, if it is to.
    pub(super) waiting: Option<Waiting>,
    /// Looks what the sidecar has, where that is needed.
    pub(super) looking: Looking,
}

/// Has events sent that policies emit, traces put where other replicas find them, and backends checked.
pub(super) struct Posting {
    /// What is queued.
    pub(super) events: Arc<Events>,
    /// Where loggers lead.
    live: Arc<Live>,
    /// How it is sent.
    sender: Sender,
    /// Puts traces there, if replicas share a Redis.
    keeper: Option<Keeper>,
    /// Has backends checked.
    health: Health,
    /// Tells other replicas of backends, if they share a Redis.
    sharing: Option<Sharing>,
}

/// What runs beside the clients.
pub(super) struct Beside {
    /// What serves them, to be prepared for all they may ask.
    pub(super) gateway: Arc<Proxied<Gateway>>,
    /// Serves operators.
    pub(super) admin: Option<Listener<Desk<Admin>>>,
    /// Looks for changes of the configuration.
    pub(super) watching: Watching,
    /// Shares it with other replicas.
    pub(super) cluster: Option<Arc<Cluster>>,
    /// Brings configurations of a control plane.
    pub(super) remote: Option<Remote>,
    /// Measures, and tells of requests.
    pub(super) measuring: Measuring,
    /// Writes records.
    pub(super) log: Arc<AccessLog>,
    /// Sends them to a collector.
    pub(super) lanes: Lanes,
}

/// Looks for changes of the configuration.
pub(super) struct Watching {
    /// How it is loaded.
    pub(super) refresh: Refresh,
    /// Where it runs.
    pub(super) live: Arc<Live>,
    /// How often to look.
    pub(super) interval: Duration,
    /// What was loaded of a folder first.
    pub(super) seen: Option<Loaded>,
}

/// How often idle connections to backends are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long Redis has to take back what this replica holds.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);
/// How long only clients are served: who waits already is answered before threads are started that
/// nobody waits for. Operators who connect meanwhile wait for their listener.
const CLIENTS_FIRST: Duration = Duration::from_millis(5);
/// How long idle clients have to be told goodbye.
const GOODBYE_TIME_MAX: Duration = Duration::from_millis(500);

impl Posting {
    /// Has the events sent that policies of `gateway` emit, and its traces.
    pub(super) fn of(gateway: &Gateway, redis: Option<Settings>) -> io::Result<Self> {
        let (live, clock) = (&gateway.live, &gateway.clock);
        let sharing = |redis| -> io::Result<Sharing> {
            let replica = random_number()?;
            Ok(Sharing::of(redis, Arc::clone(live), Arc::clone(clock), replica))
        };
        Ok(Self {
            events: Arc::clone(&gateway.events),
            live: Arc::clone(&gateway.live),
            sender: Sender::new(
                Arc::clone(&gateway.caller),
                Arc::clone(&gateway.resolver),
                Arc::new(Own(Arc::clone(&gateway.identities))),
            ),
            keeper: Keeper::of(&gateway.inspector),
            health: Health {
                live: Arc::clone(&gateway.live),
                prober: Prober {
                    caller: Arc::clone(&gateway.caller),
                    resolver: Arc::clone(&gateway.resolver),
                },
                clock: Arc::clone(&gateway.clock),
            },
            sharing: redis.map(sharing).transpose()?,
        })
    }
}

/// The tokens that events are sent with: those that policies show, too.
struct Own(Arc<Identities>);

#[async_trait]
impl Obtains for Own {
    async fn obtain(&self, asked: &Asked, now: Timestamp) -> Answer {
        match self.0.at_once(asked, now) {
            Some(answer) => answer,
            None => self.0.obtain(asked, now).await,
        }
    }
}

impl Serving {
    /// Serves until it is time to stop.
    pub(super) fn run(self) -> io::Result<()> {
        let Self {
            threads,
            clients,
            caller,
            clock,
            counters,
            upkeep,
            keys,
            posting,
            drain,
            beside,
        } = self;
        let runtime = runtime(threads)?;
        let (stop, stopped) = watch::channel(false);
        let clients = runtime.spawn(clients.serve(stopped.clone()));
        runtime.spawn(backends::keep(Arc::clone(&caller), Arc::clone(&clock)));
        runtime.spawn(sweep(caller, Arc::clone(&clock)));
        let lag = Arc::clone(&beside.measuring.lag);
        runtime.spawn(measuring::watch(lag, Arc::clone(&clock)));
        let Keys { issuers, live, identities, host, shelf, fetcher, waiting, looking } = keys;
        let fetcher = Arc::new(fetcher);
        if let Some(waiting) = waiting {
            runtime.spawn(waiting.run(Arc::clone(&fetcher), Arc::clone(&clock)));
        }
        runtime.spawn(looking.run(Arc::clone(&fetcher), Arc::clone(&clock)));
        let (own, steady) = (Arc::clone(&fetcher), Arc::clone(&clock));
        runtime.spawn(async move { identities.keep((host, shelf), own, steady).await });
        let steady = Arc::clone(&clock);
        runtime.spawn(async move { issuers.keep(live, fetcher, steady).await });
        let Posting { events, live, sender, keeper, health, sharing } = posting;
        runtime.spawn(health.keep());
        if let Some(sharing) = sharing {
            runtime.spawn(sharing.keep());
        }
        runtime.spawn(events.keep(live, sender, clock));
        if let Some(keeper) = keeper {
            runtime.spawn(keeper.run());
        }
        if let Some(upkeep) = upkeep {
            runtime.spawn(upkeep.run());
        }
        let ended = runtime.block_on(async {
            sleep(CLIENTS_FIRST).await;
            // First, because whoever operators tell that it runs may end it at once.
            let signals = Signals::listen();
            let beside = beside.start(&stopped, drain.leaving())?;
            drain.wait(signals).await;
            stop.send_replace(true);
            // Who is cut off after that has had its time.
            let _ = timeout(GOODBYE_TIME_MAX, clients).await;
            counters.leave(LEAVE_TIME_MAX).await;
            Ok(beside)
        });
        runtime.shutdown_timeout(Duration::ZERO);
        ended.map(Running::stop)
    }
}

/// The threads for clients.
fn runtime(threads: NonZeroUsize) -> io::Result<Runtime> {
    let mut builder = if threads.get() == 1 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads.get());
        builder
    };
    builder.thread_name("clients").enable_all().build()
}

async fn sweep(caller: Arc<Caller>, clock: Arc<SystemClock>) {
    let mut interval = interval(SWEEP_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        caller.sweep(clock.now());
    }
}

/// What runs beside the clients, running.
struct Running {
    status: Arc<Status>,
    log: Arc<AccessLog>,
    telling: Option<Telling>,
    threads: Vec<JoinHandle<()>>,
    /// Ends what sends records to a collector.
    over: watch::Sender<bool>,
    sending: Option<JoinHandle<()>>,
}

impl Beside {
    fn start(
        self,
        stopped: &watch::Receiver<bool>,
        leaving: watch::Receiver<bool>,
    ) -> io::Result<Running> {
        let Self { gateway, admin, watching, cluster, remote, measuring, log, lanes } = self;
        // What clients and everybody else do is over before what is recorded of it is sent.
        let (over, is_over) = watch::channel(false);
        let status = Arc::clone(&watching.refresh.status);
        let mut threads = Vec::new();
        if let Some(admin) = admin {
            threads.push(operators(admin, stopped.clone())?);
        }
        if let Some(cluster) = cluster {
            threads.push(together(cluster, leaving)?);
        }
        let telling = measuring.tell(Arc::clone(&watching.live))?;
        let Watching { mut refresh, live, interval, seen } = watching;
        let watch = move || {
            gateway.prepare();
            refresh.watch(&live, interval, seen);
        };
        threads.push(thread::Builder::new().name("configuration".to_owned()).spawn(watch)?);
        if let Some(remote) = remote {
            threads.push(remote::bring(remote, stopped.clone())?);
        }
        log.run()?;
        let sending = lanes.run(is_over)?;
        Ok(Running { status, log, telling, threads, over, sending })
    }
}

impl Running {
    fn stop(self) {
        self.status.stop();
        if let Some(telling) = self.telling {
            telling.stop();
        }
        for thread in self.threads {
            // Nobody is left to hear of a thread that panicked.
            let _ = thread.join();
        }
        self.log.stop();
        self.over.send_replace(true);
        if let Some(sending) = self.sending {
            let _ = sending.join();
        }
    }
}

/// Takes part in the cluster until this replica leaves.
fn together(cluster: Arc<Cluster>, leaving: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("cluster".to_owned()).spawn(move || {
        runtime.block_on(cluster.run(leaving));
        // A look at a disk that hangs is not waited for.
        runtime.shutdown_timeout(Duration::ZERO);
    })
}

/// Serves operators until the clients have gone: a probe is answered however busy those are.
fn operators(
    admin: Listener<Desk<Admin>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let mut told = stopped.clone();
        runtime.block_on(async {
            tokio::select! {
                () = admin.serve(stopped) => (),
                // Without its sender there is nobody to wait for either.
                _ = told.wait_for(|stop| *stop) => (),
            }
        });
    })
}
