//! The root: the one place that knows every part and joins them.
//!
//! Read [`App::start`] from top to bottom: settings → parts → the first configuration →
//! listeners. [`App::run`] serves until it is told to stop, and drains.

pub mod drain;
pub mod trust;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use openssl::pkey::PKey;
use openssl::x509::X509;
use pingora::apps::http_app::HttpServer;
use pingora::connectors::ConnectorOptions;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};
use pingora::services::listening::Service;

use crate::admin::Admin;
use crate::app::drain::Drain;
use crate::cache::memory::{Cache, ITEM_BYTES_MAX};
use crate::caller::Caller;
use crate::caller::resolve::Resolver;
use crate::caller::roots::Roots;
use crate::configuration::compile::{Making, nowhere};
use crate::configuration::refresh::{Refresh, Refusal, Status};
use crate::configuration::source::{Environment, Folder};
use crate::configuration::validate::Loaded;
use crate::counters::memory::Memory;
use crate::limit::concurrency::Concurrency;
use crate::proxy::admit::Bounds;
use crate::proxy::guard::{Rules, Witness};
use crate::proxy::listener::{BindError, Bound, Certificate, Listener, Plan, Terms, TlsError};
use crate::proxy::strict::HeadBounds;
use crate::proxy::{Gateway, State, record};
use crate::settings::{AccessLog as AccessSetting, Listen, LogFormat, Settings};
use crate::snapshot::Live;
use crate::telemetry::access_log::{AccessLog, Which};
use crate::telemetry::events::Format;
use crate::time::{Clock, SystemClock};

/// A gateway that listens.
pub struct App {
    server: Server,
    drain: Drain,
    refresh: Refresher,
    log: Arc<AccessLog>,
    writer: JoinHandle<()>,
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

/// Looks for changes of the configuration on a thread of its own.
struct Refresher {
    status: Arc<Status>,
    thread: JoinHandle<()>,
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
    /// No thread, no random numbers, no signals.
    #[error("the system refuses what the gateway needs: {0}")]
    System(#[from] io::Error),
}

/// The most idle connections that are kept to backends, for each thread.
const IDLE_BACKEND_CONNECTIONS_MAX: usize = 1024;
/// How often Pingora may try a request that never reached its backend.
const TRIES_MAX: usize = 2;

impl App {
    /// Joins the parts, loads the configuration, listens.
    pub fn start(settings: &Settings, environment: Environment) -> Result<Self, StartError> {
        let clock = Arc::new(SystemClock::start());
        let started = clock.now();
        let refresh = refresh(settings, environment, Arc::clone(&clock))?;
        let (first, seen) = refresh.first();
        let first = first.map_err(|refusal| StartError::Configuration(Box::new(refusal)))?;
        let apis = first.apis.len();
        let live = Arc::new(Live::new(first));
        let state = Arc::new(State::new([random()?, random()?]));
        state.configured.store(true, Ordering::Relaxed);
        let log = Arc::new(AccessLog::new(which(settings), format(settings)));
        let counters = Arc::new(Memory::new());

        let mut server = Server::new_with_opt_and_conf(None, server_conf(settings));
        server.bootstrap();
        let conf = Arc::clone(&server.configuration);
        let roots = Arc::new(Roots::default());
        let gateway = Gateway {
            live: Arc::clone(&live),
            clock: Arc::clone(&clock),
            counters: Arc::clone(&counters),
            concurrency: Arc::new(Concurrency::default()),
            responses: Arc::new(Cache::new(cache_bytes(settings), ITEM_BYTES_MAX)),
            values: Arc::new(Cache::new(cache_bytes(settings), ITEM_BYTES_MAX)),
            caller: Arc::new(caller(&conf, Arc::clone(&roots))),
            nowhere: Arc::new(nowhere()),
            resolver: Arc::new(Resolver::default()),
            roots,
            bounds: bounds(settings),
            trust: trust::of(&settings.forwarded),
            log: Arc::clone(&log),
            state: Arc::clone(&state),
        };
        let witness = record::witness(Arc::clone(&log), clock);
        let mut listening = Listening::default();
        let plan = plan(settings, witness, &mut listening)?;
        server.add_service(Listener::new(plan, http_proxy(&conf, gateway), Arc::clone(&live))?);
        if let Some(address) = settings.listen.admin {
            let admin = Admin {
                state: Arc::clone(&state),
                configuration: Arc::clone(&refresh.status),
                counters,
                log: Arc::clone(&log),
                started,
            };
            // Taken to see that it can be, and given back at once: Pingora takes it again.
            let address = Bound::take(address)?.address();
            listening.admin = Some(address);
            let mut service = Service::new("admin".to_owned(), HttpServer::new_app(admin));
            service.add_tcp(&address.to_string());
            server.add_service(service);
        }
        let drain = Drain::new(settings.drain.clone(), state, Arc::clone(&refresh.status));
        Ok(Self {
            server,
            drain,
            refresh: Refresher::start(refresh, live, settings, seen)?,
            writer: log.run()?,
            log,
            listening,
            apis,
        })
    }

    /// Serves until the process is signalled, then drains.
    pub fn run(self) {
        self.server.run(RunArgs { shutdown_signal: Box::new(self.drain) });
        self.refresh.stop();
        self.log.stop();
        // Nobody is left to hear of a thread that panicked.
        let _ = self.writer.join();
    }
}

impl Refresher {
    fn start(
        refresh: Refresh,
        live: Arc<Live>,
        settings: &Settings,
        seen: Loaded,
    ) -> io::Result<Self> {
        let status = Arc::clone(&refresh.status);
        let interval = settings.configuration.poll_interval;
        let builder = thread::Builder::new().name("configuration".to_owned());
        let thread = builder.spawn(move || refresh.watch(&live, interval, seen))?;
        Ok(Self { status, thread })
    }

    fn stop(self) {
        self.status.stop();
        let _ = self.thread.join();
    }
}

fn refresh(
    settings: &Settings,
    environment: Environment,
    clock: Arc<SystemClock>,
) -> io::Result<Refresh> {
    let mut secret = [0_u8; 32];
    openssl::rand::rand_bytes(&mut secret)?;
    let instance = Arc::from(format!("{:016x}", random()?));
    let making = Making { generation: 0, now: clock.now(), instance, secret };
    let folder = Folder::at(&settings.configuration.folder);
    Ok(Refresh { folder, environment, clock, making, status: Arc::new(Status::default()) })
}

fn server_conf(settings: &Settings) -> ServerConf {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let threads = settings.threads.map_or(processors, std::num::NonZeroUsize::get);
    ServerConf {
        threads,
        // With one thread there is nobody to steal work for.
        work_stealing: 1 < threads,
        ca_file: crate::caller::roots::no_roots(),
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        max_retries: TRIES_MAX,
        upstream_keepalive_pool_size: IDLE_BACKEND_CONNECTIONS_MAX,
        ..ServerConf::default()
    }
}

fn caller(conf: &ServerConf, roots: Arc<Roots>) -> Caller {
    Caller::new(ConnectorOptions::from_server_conf(conf), roots, IDLE_BACKEND_CONNECTIONS_MAX)
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
    witness: Witness,
    listening: &mut Listening,
) -> Result<Plan, StartError> {
    let listen = &settings.listen;
    let http = listen.http.map(Bound::take).transpose()?;
    let https = match listen.https.map(Bound::take).transpose()? {
        Some(bound) => {
            Some((bound, Terms { certificate: certificate(listen)?, ..Terms::default() }))
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
        threads: None,
    })
}

fn certificate(listen: &Listen) -> Result<Option<Certificate>, StartError> {
    let (Some(chain), Some(key)) = (&listen.certificate_file, &listen.key_file) else {
        return Ok(None);
    };
    let chain = file("the certificate", chain, |pem| Ok(X509::stack_from_pem(pem)?))?;
    let key = file("the key", key, |pem| Ok(PKey::private_key_from_pem(pem)?))?;
    Ok(Some(Certificate { chain, key }))
}

fn file<T>(
    what: &'static str,
    path: &Path,
    read: impl Fn(&[u8]) -> io::Result<T>,
) -> Result<T, StartError> {
    let wrong = |source| StartError::Certificate { what, path: path.display().to_string(), source };
    let bytes = std::fs::read(path).map_err(wrong)?;
    read(&bytes).map_err(wrong)
}

fn cache_bytes(settings: &Settings) -> usize {
    // Responses and values share what is allowed.
    usize::try_from(settings.cache_bytes_max / 2).unwrap_or(usize::MAX)
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

fn random() -> io::Result<u64> {
    let mut bytes = [0_u8; 8];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
