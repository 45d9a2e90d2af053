//! The root: the one place that knows every part and joins them.
//!
//! Read [`App::start`] from top to bottom: settings → parts → the first configuration →
//! listeners. [`App::run`] serves until it is told to stop, and drains.

mod backends;
mod certificate;
mod cluster;
mod configuring;
pub mod control;
mod drain;
mod fetching;
mod inspecting;
pub mod logs;
mod measuring;
mod operators;
mod publishing;
mod remote;
mod serve;
mod shared;
mod shelf;
pub mod sidecar;
mod telemetry;
mod trust;
pub mod vault;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;

use crate::app::drain::Drain;
use crate::app::measuring::Measuring;
use crate::app::serve::{Beside, Posting, Serving, Watching};
use crate::backend::budget::Budgets;
use crate::cache::memory::{Cache, ITEM_BYTES_MAX};
use crate::caller::Caller;
use crate::caller::resolve::Resolver;
use crate::caller::revocation;
use crate::caller::roots::{self, Roots};
use crate::configuration::compile::nowhere;
use crate::configuration::refresh::Refusal;
use crate::configuration::source::Environment;
use crate::counters::Home;
use crate::counters::shared::{Shared, Upkeep};
use crate::inspector::Inspector;
use crate::proxy::admit::Bounds;
use crate::proxy::guard::Rules;
use crate::proxy::listener::{BindError, Bound, Listener, Plan, Terms, TlsError};
use crate::proxy::state::State;
use crate::proxy::strict::HeadBounds;
use crate::proxy::{Gateway, counted, record};
use crate::settings::{AccessLog as AccessSetting, LogFormat, Settings};
use crate::snapshot::Live;
use crate::telemetry::access_log::{AccessLog, Which};
use crate::telemetry::events::Format;
use crate::telemetry::outlets::Outlets;
use crate::time::{Clock, SystemClock};

/// A gateway that listens: whoever connects waits until it [runs](Self::run).
pub struct App {
    serving: Serving,
    /// Where it listens.
    pub listening: Listening,
    /// How many APIs it serves.
    pub apis: usize,
}

/// Where a gateway listens, with the ports that it really has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listening {
    /// For plain HTTP.
    pub http: Option<SocketAddr>,
    /// For HTTP over TLS.
    pub https: Option<SocketAddr>,
    /// For operators.
    pub admin: Option<SocketAddr>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("the configuration is refused")]
    Configuration(Box<Refusal>),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate of the HTTPS listener cannot be read.
    #[error("{what} `{path}` cannot be used: {source}")]
    Certificate {
        /// What it should be.
        what: &'static str,
        /// Where.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A list of revoked certificates cannot be read.
    #[error("a list of backends.tls.revocationFiles cannot be used: {0}")]
    Revocation(#[from] revocation::Unreadable),
    /// The Redis that limits are to be shared over cannot be used as it is named.
    #[error("limits cannot be shared: {0}")]
    Redis(String),
    /// The etcd cannot be used as it is named.
    #[error("etcd cannot be used: {0}")]
    Etcd(String),
    /// The control plane cannot be used as it is named, or cannot serve; the sentence says why.
    #[error("{0}")]
    Control(String),
    /// What a collector of telemetry is to get cannot be sent as the settings say.
    #[error("telemetry cannot be sent: {0}")]
    Telemetry(String),
    /// No thread, no random numbers, no signals.
    #[error("the system refuses what the gateway needs: {0}")]
    System(#[from] io::Error),
}

/// The most idle connections that are kept to backends, for each thread.
const IDLE_BACKEND_CONNECTIONS_MAX: usize = 1024;
/// How often Pingora may try a request that never reached its backend.
const TRIES_MAX: usize = 2;

impl App {
    /// Joins the parts, loads the configuration, listens. Starts no thread. What is recorded goes to
    /// `outlets`, too.
    pub fn start(
        settings: &Settings,
        environment: Environment,
        outlets: &Outlets,
    ) -> Result<Self, StartError> {
        let clock = Arc::new(SystemClock::start());
        let started = clock.now();
        let roots = Arc::new(fetching::roots(&environment));
        let token = remote::token(settings, &roots, &clock)?;
        let mut refresh =
            configuring::refresh(settings, &environment, &clock, token.as_ref(), &roots)?;
        let (first, seen) = refresh.first();
        let first = first.map_err(|refusal| StartError::Configuration(Box::new(refusal)))?;
        let (apis, live) = (first.apis.len(), Arc::new(Live::new(first)));
        let measuring = measuring(settings)?;
        let state = Arc::clone(&measuring.state);
        let (counters, upkeep) = home(settings, &clock)?;

        let conf = Arc::new(server_conf(threads(settings)));
        let instance = Arc::clone(&live.take().deployment.instance_id);
        let means = telemetry::Means { roots: &roots, clock: &clock, instance: &instance };
        let recorded = telemetry::of(settings, &outlets.outboxes, &means)?;
        let log = log(settings, outlets, &recorded);
        let caller = Arc::new(Caller::new(
            backends::securing(settings, &roots)?,
            IDLE_BACKEND_CONNECTIONS_MAX,
        ));
        let inspector = inspecting::of(settings)?;
        let joined = Joined { live, clock, counters, caller, roots, log, state, inspector };
        let gateway = joined.gateway(settings, &recorded);
        let Joined { live, clock, counters, caller, log, state, inspector, .. } = joined;
        let keys = fetching::keys(&gateway, settings, &environment)?;
        let posting = Posting::of(&gateway, shared::redis(&settings.redis)?)?;
        let sources = operators::sources(&gateway, &refresh.status, &measuring, started);
        let mut listening = Listening::default();
        let plan = plan(settings, (&log, &clock, &state), &mut listening)?;
        let make = Box::new(move |gateway| http_proxy(&conf, gateway));
        let clients = Listener::new(plan, gateway, make, Arc::clone(&live))?;
        let status = Arc::clone(&refresh.status);
        status.measure(Arc::<Live>::clone(&live));
        let control = remote::of(settings, token, &refresh, &state, &live)?;
        let link = control.as_ref().map(|remote| remote.link.subscribe());
        let (cluster, remote) = cluster::join(settings, environment, &refresh, control)?;
        let shared = (cluster.clone(), link);
        let shown = operators::shown(sources, (clients.connections(), inspector), shared);
        let lanes = recorded.into_lanes(&shown.metrics);
        let admin = operators::listener(settings, shown, &mut listening)?;
        let interval = settings.configuration.poll_interval;
        let beside = Beside {
            gateway: Arc::clone(clients.app()),
            admin,
            watching: Watching { refresh, live, interval, seen },
            cluster,
            remote,
            measuring,
            log,
            lanes,
        };
        let serving = Serving {
            threads: threads(settings),
            clients,
            caller,
            clock,
            counters,
            upkeep,
            keys,
            drain: Drain::new(settings.drain.clone(), state, status, &posting.events),
            posting,
            beside,
        };
        Ok(Self { serving, listening, apis })
    }

    /// Serves until the process is signalled, then drains.
    pub fn run(self) -> Result<(), StartError> {
        Ok(self.serving.run()?)
    }
}

/// What counts requests.
fn measuring(settings: &Settings) -> io::Result<Measuring> {
    let budgets = Budgets::new(settings.limits.retry_percent_max);
    Ok(Measuring::of(&settings.metrics, [random_number()?, random_number()?], budgets))
}

/// What the gateway and others share.
struct Joined {
    live: Arc<Live>,
    clock: Arc<SystemClock>,
    counters: Arc<Home>,
    caller: Arc<Caller>,
    roots: Arc<Roots>,
    log: Arc<AccessLog>,
    state: Arc<State>,
    inspector: Arc<Inspector>,
}

impl Joined {
    /// The data plane over it.
    fn gateway(&self, settings: &Settings, recorded: &telemetry::Telemetry) -> Gateway {
        Gateway {
            live: Arc::clone(&self.live),
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            responses: Arc::new(Cache::new(cache_bytes(settings), ITEM_BYTES_MAX)),
            values: Arc::new(Cache::new(cache_bytes(settings), ITEM_BYTES_MAX)),
            flights: Arc::default(),
            caller: Arc::clone(&self.caller),
            nowhere: Arc::new(nowhere()),
            resolver: Arc::new(Resolver::default()),
            roots: Arc::clone(&self.roots),
            bounds: bounds(settings),
            trust: trust::of(&settings.forwarded),
            issuers: Arc::default(),
            events: Arc::default(),
            identities: Arc::default(),
            inspector: Arc::clone(&self.inspector),
            log: Arc::clone(&self.log),
            spans: recorded.spans.clone(),
            outboxes: recorded.outboxes.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

/// Where limits are counted, and what keeps that going.
fn home(
    settings: &Settings,
    clock: &Arc<SystemClock>,
) -> Result<(Arc<Home>, Option<Upkeep>), StartError> {
    let Some(plan) = shared::plan(settings)? else { return Ok((Arc::new(Home::here()), None)) };
    let steady: Arc<dyn Clock> = Arc::<SystemClock>::clone(clock);
    let shared = Shared::new(&plan, steady);
    let (shared, upkeep) = shared.map_err(|unusable| StartError::Redis(unusable.to_string()))?;
    Ok((Arc::new(Home::Shared(shared)), Some(upkeep)))
}

fn threads(settings: &Settings) -> NonZeroUsize {
    let processors = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    settings.threads.unwrap_or_else(processors)
}

fn server_conf(threads: NonZeroUsize) -> ServerConf {
    ServerConf {
        threads: threads.get(),
        ca_file: roots::no_roots(),
        max_retries: TRIES_MAX,
        upstream_keepalive_pool_size: IDLE_BACKEND_CONNECTIONS_MAX,
        ..ServerConf::default()
    }
}

fn bounds(settings: &Settings) -> Bounds {
    let limits = &settings.limits;
    Bounds {
        head: HeadBounds {
            fields_max: limits.header_count_max,
            bytes_max: limits.header_bytes_max,
            target_bytes_max: limits.target_bytes_max,
        },
        buffered_bytes: limits.buffered_body_bytes_max,
        body_bytes: limits.request_body_bytes_max,
        idle_seconds: settings.timeouts.idle.as_secs().max(1),
        body_read: settings.timeouts.body,
    }
}

fn plan(
    settings: &Settings,
    (log, clock, state): (&Arc<AccessLog>, &Arc<SystemClock>, &Arc<State>),
    listening: &mut Listening,
) -> Result<Plan, StartError> {
    let witness = record::witness(Arc::clone(log), Arc::clone(clock));
    let witness = counted::witness(state, witness);
    let listen = &settings.listen;
    let http = listen.http.map(Bound::take).transpose()?;
    let https = match listen.https.map(Bound::take).transpose()? {
        Some(bound) => {
            let certificate = certificate::of(listen)?;
            let clients = certificate::clients(listen)?;
            Some((bound, Terms { certificate, clients, ..Terms::default() }))
        }
        None => None,
    };
    listening.http = http.as_ref().map(Bound::address);
    listening.https = https.as_ref().map(|(bound, _terms)| bound.address());
    Ok(Plan {
        http,
        https,
        h2c: listen.h2c,
        connections_max: settings.limits.connections_max,
        rules: Rules { bounds: bounds(settings).head, time_max: settings.timeouts.header, witness },
    })
}

fn cache_bytes(settings: &Settings) -> usize {
    // Responses and values share what is allowed.
    usize::try_from(settings.cache_bytes_max / 2).unwrap_or(usize::MAX)
}

/// The log of exchanges.
fn log(settings: &Settings, outlets: &Outlets, recorded: &telemetry::Telemetry) -> Arc<AccessLog> {
    let (local, logs) = (outlets.local.clone(), recorded.logs.clone());
    Arc::new(AccessLog::new(which(settings), format(settings), local, logs))
}

const fn which(settings: &Settings) -> Which {
    match settings.log.access {
        AccessSetting::Off => Which::Off,
        AccessSetting::Errors => Which::Errors,
        AccessSetting::All => Which::All,
    }
}

/// The form of the log.
pub const fn format(settings: &Settings) -> Format {
    match settings.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
        LogFormat::None => Format::None,
    }
}

fn random_number() -> io::Result<u64> {
    Ok(u64::from_ne_bytes(random()?))
}

/// Random bytes of the system, which has them at hand: those of OpenSSL would have to be set up for
/// nothing else.
fn random<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
